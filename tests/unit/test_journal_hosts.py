# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal of several hosts: those that are lost, batches that come one after the other, and clocks that differ."""

from __future__ import annotations

import re

import pytest
from experiment_events import Script, journal_of


def lost_in_the_method(again=None):
    """db1 is lost after its fault was seen; what comes of it when it is looked for again."""
    script = Script("api1", "db1")
    script.preflight()
    script.before()
    script.fault("db1")
    script.task("The database is watched", "method", ["db1"])
    script.result("db1", status="unreachable", msg="unreachable: no route to host")
    script.recover(hosts=["api1"])
    script.result("db1", status="unreachable", msg="unreachable: no route to host")
    script.task("Put everything back there, and prove it", "recover", ["api1"])
    if again is None:
        script.result("api1", status="unreachable", msg="unreachable: no route to host", delegate="db1")
    else:
        script.result("api1", "recovery", script.recovery(again, [dict(script.broken, state="absent", end=script.now(), ended_by="recover")] if again else
                                                          [script.broken], [] if again else ["still stopped"]), delegate="db1")
    return script


@pytest.mark.parametrize(("again", "verdict", "restored", "words"), [
    (None, "not_restored", False, "not reached again, so nobody knows whether it is whole; .*its own timer ends it by"),
    (True, "errored", True, "it was reached again, and is proved to be whole"),
    (False, "not_restored", False, "still stopped|not reached again"),
])
def test_a_lost_host_is_not_restored_until_it_is_proved(again, verdict, restored, words):
    document = journal_of(lost_in_the_method(again).stats(failures=1))
    of_host = document["hosts"]["db1"]
    assert (of_host["verdict"], of_host["restored"], of_host["unreachable"]) == (verdict, restored, True), document["findings"]
    assert re.search(words, of_host["reason"]) and document["verdict"] == verdict and document["restored"] is restored
    assert document["hosts"]["api1"]["unreachable"] is False


def test_a_host_that_is_lost_before_anything_was_broken_is_only_errored():
    script = Script("api1", "db1")
    script.preflight()
    script.task("Steady state before: PostgreSQL becomes unavailable", "before")
    script.result("api1", "steady_state", script.state())
    script.result("db1", status="unreachable", msg="unreachable: no route to host")
    document = journal_of(script.stats(failures=1))
    assert document["hosts"]["db1"]["verdict"] == "errored" and document["restored"] is True


def batch(script, *hosts, verdict="passed"):
    everybody, script.hosts = script.hosts, hosts
    script.before()
    script.fault(hosts[0])
    script.watch(hosts[0])
    script.recover()
    script.after()
    script.verdict(verdict, "as expected", **dict.fromkeys(hosts, verdict))
    script.hosts = everybody


def test_batches_are_one_experiment():
    script = Script("a", "b", "c")
    script.preflight()
    batch(script, "a", "b")
    batch(script, "c")
    document = journal_of(script.stats())
    assert document["verdict"] == "passed" and list(document["hosts"]) == ["a", "b", "c"]


def test_a_batch_that_never_came_took_no_part():
    script = Script("a", "b")
    begin, script.hosts = script.hosts, ("a",)
    script.preflight(hosts=list(begin))
    batch(script, "a", verdict="deviated")
    script.hosts = begin
    document = journal_of(script.stats(failures=1))
    assert document["verdict"] == "deviated" and document["hosts"]["b"]["verdict"] == "inconclusive" and "no part" in document["hosts"]["b"]["reason"]


def test_a_host_that_is_refused_in_a_later_batch_is_a_host_of_the_run():
    script = Script("a", "b")
    script.preflight()
    batch(script, "a")
    script.task("Reserve the host", "preflight", ["b"])
    script.result("b", status="failed", msg="another experiment is on it")
    document = journal_of(script.stats(failures=1))
    assert document["hosts"]["a"]["verdict"] == "passed" and document["hosts"]["b"]["verdict"] == "errored"
    assert document["verdict"] == "errored" and "b: " in document["reason"] and "another experiment is on it" in document["reason"]


def test_a_controller_that_died_in_the_second_batch_did_not_pass_by_the_first():
    script = Script("a", "b")
    script.preflight()
    batch(script, "a")
    script.task("PostgreSQL is killed", "method", ["b"])
    script.result("b", "fault", script.fault_dict("b"), changed=True)
    document = journal_of(script)
    assert document["status"] == "interrupted" and document["verdict"] == "not_restored"
    assert document["hosts"]["a"]["verdict"] == "passed" and document["hosts"]["b"]["verdict"] == "not_restored"


def test_times_of_a_host_whose_clock_is_wrong_are_those_of_the_controller():
    script = Script("api1", "db1")
    script.preflight()
    script.task("Compare its clock with ours", "preflight")
    script.result("api1", "clock", {"offset": 0.004, "uncertainty": 0.01})
    script.result("db1", "clock", {"offset": 3600.0, "uncertainty": 0.01})
    script.before()
    ahead, honest = script.now(3600), script.now()
    script.fault("db1", begin=ahead)
    script.broken = dict(script.broken, begin=ahead)
    document = journal_of(script)
    assert document["faults"][0]["begin"] == honest and document["hosts"]["db1"]["clock"] == {"offset": 3600.0, "uncertainty": 0.01}
    assert document["hosts"]["api1"]["clock"]["offset"] == 0.004
