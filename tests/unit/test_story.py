# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The terminal view: recorded events as the text that a person reads."""

from __future__ import annotations

import pytest
from ansible_collections.gameday.chaos.plugins.plugin_utils import wording
from ansible_collections.gameday.chaos.plugins.plugin_utils.narrator import Narrator
from experiment_events import RUN, WAY_BACK, Script, passed


def lines_of(script, interrupted=False, **options):
    narrator = Narrator(path_of=lambda run: "reports/journal.json", **options)
    lines = [line for event in script.events for line in narrator.feed(event)]
    if interrupted:
        lines += narrator.interrupted()
    return [line.text for line in lines]


def text_of(script, **options):
    return "\n".join(lines_of(script, **options))


def test_an_experiment_on_one_host():
    assert text_of(passed()) == f"""
The database fails

PostgreSQL becomes unavailable                                    run {RUN}
  ✓ ready          localhost
  ✓ steady state   API is healthy                                  (0.02 s)
  ▼ fault          postgres (pid 4711) killed; back by 03:15:32 UTC at the latest  (verified: gone)
  ✓ watched        The API keeps answering 503: 10.0 s, 100 samples, 100 % met, p95 12 ms
  ✓ restored       postgres (pid 4711) after 10.5 s, ended by recover, proven
  ✓ recovered      in 1.5 s (budget 60 s)

PASSED             outage 11.6 s · first sign after 0.20 s · recovery 1.4 s
                   journal reports/journal.json"""


def test_hosts_are_named_where_there_are_several():
    text = text_of(passed("api1", "api2", "db1"))
    assert "✓ ready          3 hosts                                         (api1, api2, db1)" in text
    assert "▼ fault          db1   postgres (pid 4711)" in text
    assert "(api1 1.5 s · api2 1.5 s · db1 1.5 s)" in text
    assert "                   ✓ api2  passed" in text


def test_many_hosts_are_summed_up():
    hosts = [f"host{number:03}" for number in range(100)]
    script = Script(*hosts)
    script.preflight()
    script.before()
    script.task("Break", "method")
    for host in hosts:
        script.result(host, "fault", script.fault_dict(host), changed=True)
    script.task("Watch", "method")
    for host in hosts:
        met = host != "host042"
        state = script.state("during", met, "It answers", None if met else "status 500, expected 200", script.window())
        script.result(host, "steady_state", state, status="ok" if met else "failed")
    lines = lines_of(script.stats())
    assert len(lines) < 60
    assert any("fault_process killed on 100 hosts" in line and "verified on all of them" in line for line in lines)
    assert any(line.startswith("  ✗ deviated       host042  It answers") for line in lines)


def test_deviated_says_what_was_expected_and_what_was_seen():
    script = Script("api1", "db1")
    script.preflight()
    script.before()
    script.fault()
    script.watch(met=False, bad=3, reason="status 500, expected 503")
    script.recover()
    script.after()
    script.verdict("deviated", "The API keeps answering 503: status 500, expected 503", api1="deviated")
    text = text_of(script.stats(failures=1))
    assert """  ✗ deviated       api1  The API keeps answering 503
                   API is healthy: status 500, expected 503
                   api1  API is healthy: 97 of 100 samples met, longest outage 0.30 s, first bad at""" in text
    assert "DEVIATED           api1: The API keeps answering 503: status 500, expected 503\n" in text
    assert "✗ api1  deviated" in text and "✓ db1   passed" in text
    assert "FAILED" not in text  # the failing verdict task has been told


def test_not_restored_ends_with_the_way_back():
    script = Script("api1", "db1")
    script.preflight()
    script.before()
    script.fault()
    script.recover(restored=False, residue=["process/x: the process is still gone"])
    script.verdict("not_restored", "still gone", db1="not_restored")
    text = text_of(script.stats(failures=1), recover_options="-i inventories/staging -b ")
    assert "✗ NOT RESTORED   db1   process/x: the process is still gone" in text
    assert f"→ put it back    on db1: sh {WAY_BACK}" in text
    assert f"or from here: ansible db1 -i inventories/staging -b -m gameday.chaos.recover -a run={RUN}" in text


def test_a_lost_host_is_named_in_the_command():
    script = Script("api1", "db1")
    script.preflight()
    script.verdict("not_restored", "db1 was lost (unreachable or failed)", db1="not_restored")
    text = text_of(script.stats(failures=1))
    assert "NOT RESTORED       db1: db1 was lost" in text and "ansible db1 -m gameday.chaos.recover -a all=true" in text


def test_interrupted():
    script = Script("db1")
    script.preflight()
    script.before()
    script.fault()
    script.task("The API keeps answering 503", "method")
    text = text_of(script, interrupted=True)
    assert "NOT RESTORED       the controller did not finish\n" in text
    assert text.count("its own timer ends it by 2026-11-24 03:15:32 UTC") == 1 and WAY_BACK in text


def test_no_data_is_not_called_a_failure():
    script = Script()
    script.preflight()
    script.before()
    script.fault(verified=False, effect=None)
    script.recover()
    script.after(met=None, reason="no data: timed out")
    text = text_of(script.stats())
    assert "(no effect measured)" in text and "INCONCLUSIVE       process/" in text
    assert "  ? no data        API is healthy\n                   API is healthy: no data: timed out" in text


def test_preview():
    script = Script("db1", "db2", check=True)
    script.preflight()
    script.task("Break", "method")
    for host in script.hosts:
        script.result(host, "fault", script.fault_dict(host, state="planned", begin=None, armed=None, way_back=None), changed=True)
    script.recover()
    text = text_of(script.stats())
    assert """  ○ would hit      db1  process/pid_file=/run/postgres.pid: kill for 30 s
                   target    postgres (pid 4711)
                   inject    kill -KILL 4711
                   way back  pg_ctl -D /srv/pg start""" in text
    assert "PREVIEW            2 faults would be injected; nothing was changed" in text and "PASSED" not in text


# What is not ours


def test_ordinary_tasks_are_silent_until_they_fail():
    script = Script("web1", "web2", by_role=False, play="Install")
    script.task("Install it", "method")
    script.result("web1", changed=True)
    script.result("web2", status="failed", msg="non-zero return code", output={"stderr": "one\ntwo\nthree"}, where="install.yml:12")
    text = text_of(script.stats(failures=1))
    assert text == """
Install
  ✗ failed         web2  Install it
                   non-zero return code
                   stderr: one
                   stderr: two
                   stderr: three
                   at install.yml:12

FAILED             web1: 1 failed, 5 ok
FAILED             web2: 1 failed, 5 ok"""


def test_a_playbook_without_an_experiment_has_a_short_end():
    script = Script("web1", by_role=False, play="Install")
    script.task("Install it", "method")
    script.result("web1", changed=True)
    assert text_of(script.stats()) == "\nInstall\n\nDONE               1 host, 5 tasks ok, 1 changed"


def test_unreachable_hidden_and_ignored():
    script = Script("a", "b", by_role=False)
    script.task("Look", "method")
    script.result("a", status="unreachable", msg="ssh: connection refused")
    script.result("b", status="failed", censored=True)
    script.task("Try", "method")
    script.result("b", status="failed", msg="no", ignored=True, item="second")
    text = text_of(script)
    assert "✗ unreachable    a  Look\n                   ssh: connection refused" in text
    assert "b  Look\n                   what it said is hidden (no_log)" in text
    script.task("Next", "method")
    assert "✗ failed         b  Try [second] (ignored)\n                   no" in text_of(script)


def test_results_of_a_free_strategy_are_told_at_once():
    script = Script("a", "b", by_role=False)
    script.play("Free", free=True)
    script.task("Break", "method")
    script.result("a", "fault", script.fault_dict("a"), changed=True)
    assert lines_of(script)[-1].startswith("  ▼ fault          a  postgres (pid 4711)")


@pytest.mark.parametrize("free", [False, True])
def test_no_verdict_is_told_before_that_of_the_last_host(free):
    """With serial, or where hosts do not wait for each other."""
    script = Script("a", "b")
    script.play("The database fails", free=free)
    script.preflight()
    for host in ("a", "b"):
        script.hosts = (host,)
        script.before()
        script.fault(host)
        script.recover()
        script.after()
        assert "PASSED" not in text_of(script) and "put it back" not in text_of(script)
        script.verdict()
    assert ("PASSED" in text_of(script)) == free  # else with the end of the task
    script.hosts = ("a", "b")
    assert text_of(script.stats()).count("PASSED") == 1


def test_progress_only_after_silence():
    clock = [0.0]
    script = Script("api1", "db1")
    script.preflight()
    script.before()
    script.fault("db1")
    script.task("The API keeps answering 503", "method", ["api1"])
    narrator = Narrator(now=lambda: clock[0])
    for event in script.events:
        narrator.feed(event)
    clock[0] = 9.0
    assert narrator.progress(10) == []
    clock[0] = 20.0
    (line,) = narrator.progress(10)
    assert line.text == ("  … watching       The API keeps answering 503: 20 s on api1; fault in place until 03:15:32 UTC at the latest")
    clock[0] = 25.0
    assert narrator.progress(10) == []


@pytest.mark.parametrize("seconds, words", [(None, "?"), (0.0, "0.00 s"), (0.126, "0.13 s"), (1.44, "1.4 s"), (99.94, "99.9 s"),
                                            (102.3, "102 s"), (723.0, "12 min 03 s")])
def test_durations(seconds, words):
    assert wording.duration(seconds) == words


def test_a_share_is_never_rounded_up_to_all():
    assert wording.share(9999999, 10000000) == "99.99 %" and wording.share(1, 1) == "100 %" and wording.share(0, 0) == "no"
