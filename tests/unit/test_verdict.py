"""From what the phases of an experiment said to its verdict, a row for each way that it can go; and the timings."""

from __future__ import annotations

import re

import pytest
from ansible_collections.gameday.chaos.plugins.plugin_utils import verdict
from ansible_collections.gameday.chaos.plugins.test.steady import steady

FAULT = {"claim": "container/db", "verified": True, "ended_by": "recover",
         "begin": "2030-01-31T12:00:10.000000+00:00", "end": "2030-01-31T12:00:30.000000+00:00"}
STEADY = {"steady_state": {"met": True, "reasons": []}}
BAD = {"steady_state": {"met": False, "reasons": ["API: status 500, expected 200"]}}
UNSURE = {"steady_state": {"met": None, "reasons": ["API: no data"]}}
SKIPPED = {"skipped": True}
UNREADABLE = {"failed": False, "msg": "probes[0]: url: 'x' is no URL"}


def recovered(*faults, **changes):
    return {"recovery": {"restored": True, "residue": [], "faults": list(faults), **changes}}


RESTORED = recovered(FAULT)
BROKEN = {"msg": "not restored", "recovery": {"restored": False, "residue": ["container/db: is exited"], "faults": [FAULT]}}


def failed(task, **result):
    return {"task": task, "result": {"failed": True, **result}}


def probe_failed(met, **result):
    return failed("Watch", observation={"met": met, "reasons": ["status 500, expected 503"] if met is not True else []}, **result)


LOOPED = failed("Watch all", results=[
    {"observation": {"met": True, "reasons": []}}, {"failed": True, "observation": {"met": False, "reasons": ["status 500"]}}])

# before, failure of the method, recover, after -> verdict, and what its reason says
ROWS = [
    ("all is well", STEADY, None, RESTORED, STEADY, "passed", "steady before"),
    ("not steady before", BAD, None, None, None, "errored", "not steady before, nothing was injected: API: status 500"),
    ("cannot be told before", UNSURE, None, None, None, "errored", "not steady before, nothing was injected: API: no data"),
    ("probes that cannot be read", UNREADABLE, None, None, None, "errored", "could not be measured.*url: 'x' is no URL"),
    ("not steady again", STEADY, None, RESTORED, BAD, "deviated", "not steady again: API: status 500"),
    ("cannot be told after", STEADY, None, RESTORED, UNSURE, "inconclusive", "whether it is steady again cannot be told: API: no data"),
    ("not looked at after", STEADY, None, RESTORED, {"msg": "timed out"}, "inconclusive", "was not measured: timed out"),
    ("after was never reached", STEADY, None, RESTORED, None, "inconclusive", "was not measured: it was skipped"),
    ("a probe in the method", STEADY, probe_failed(False), RESTORED, STEADY, "deviated", "Watch: status 500, expected 503"),
    ("a window in the method", STEADY, failed("Watch", **BAD), RESTORED, STEADY, "deviated", "Watch: API: status 500"),
    ("one of a loop of probes", STEADY, LOOPED, RESTORED, STEADY, "deviated", "Watch all: status 500"),
    ("a probe without data", STEADY, probe_failed(None), RESTORED, STEADY, "inconclusive", "Watch: status 500"),
    ("what the author demands", STEADY, probe_failed(True, msg="too slow"), RESTORED, STEADY, "deviated", "Watch: too slow"),
    ("no data, and not steady again", STEADY, probe_failed(None), RESTORED, BAD, "deviated", "not steady again"),
    ("a fault that cannot be injected", STEADY, failed("Break", msg="no docker"), recovered(), STEADY, "errored", "Break: no docker"),
    ("an error, and not steady again", STEADY, failed("Break", msg="no docker"), RESTORED, BAD, "errored", "Break: no docker"),
    ("an error without words", STEADY, {"task": "Break", "result": None}, RESTORED, STEADY, "errored", "Break: failed"),
    ("not put back", STEADY, None, BROKEN, STEADY, "not_restored", "container/db: is exited"),
    ("not put back, and a weakness", STEADY, probe_failed(False), BROKEN, BAD, "not_restored", "container/db: is exited"),
    ("recover failed", STEADY, None, {"msg": "the ledger cannot be read"}, STEADY, "not_restored", "the ledger cannot be read"),
    ("recover never ran", STEADY, None, None, None, "not_restored", "recover did not run"),
    ("over too early", STEADY, None, recovered({**FAULT, "ended_by": "timer"}), STEADY, "inconclusive", "db was over.*longer duration"),
    ("swept", STEADY, None, recovered({**FAULT, "ended_by": "sweep"}), STEADY, "inconclusive", "db was over before"),
    ("repaired by somebody", STEADY, None, recovered({**FAULT, "lasted": False}), STEADY, "inconclusive", "db was whole again before"),
    ("ended by the method", STEADY, None, recovered({**FAULT, "ended_by": "state=absent"}), STEADY, "passed", "steady before"),
    ("a fault without effect", STEADY, None, recovered(FAULT, {**FAULT, "claim": "process/x", "verified": False}), STEADY, "inconclusive",
     "process/x had no measured effect"),
    ("in effect when tried again", STEADY, None, recovered({**FAULT, "verified": False}, FAULT), STEADY, "passed", ""),
    ("no fault at all", STEADY, None, recovered(), STEADY, "inconclusive", "no fault was injected on any host"),
    ("nobody watched", SKIPPED, None, RESTORED, SKIPPED, "inconclusive", "nobody watched"),
    ("a host only to be broken", SKIPPED, None, RESTORED, SKIPPED, "inconclusive", "experiment_steady_state"),
]


def phases(before, failure=None, recover=None, after=None, **more):
    return {"before": before, "failure": failure, "recover": recover, "after": after, **more}


@pytest.mark.parametrize(("before", "failure", "recover", "after", "expected", "reason"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_the_verdict_of_a_single_host(before, failure, recover, after, expected, reason):
    own = phases(before, failure, recover, after)
    found, why = verdict.of_host(own, "", verdict.has_effect(own), verdict.steady(before) is not None)
    assert found == expected
    assert re.search(reason, why), why


def test_every_verdict_is_in_the_table():
    assert {row[5] for row in ROWS} == set(verdict.ORDER)


def test_a_host_that_only_breaks_or_only_watches_passes_with_the_others():
    breaks, watches = phases(SKIPPED, None, RESTORED, SKIPPED), phases(STEADY, None, recovered(), STEADY)
    assert verdict.of_host(breaks, "", True, True)[0] == verdict.of_host(watches, "", True, True)[0] == "passed"


def test_a_host_that_was_ready_is_errored_when_another_was_not():
    for own in (phases(STEADY, injected=False), phases(SKIPPED, injected=False)):
        assert verdict.of_host(own, "h2 was not steady before", False, True) == (
            "errored", "nothing was injected, since h2 was not steady before")
        assert verdict.of_host(own, "", False, True) == ("errored", "nothing was injected, since another host was not ready")


@pytest.mark.parametrize(("hosts", "overall"), [
    (["passed", "passed"], "passed"),
    (["passed", "inconclusive"], "inconclusive"),
    (["inconclusive", "deviated"], "deviated"),
    (["deviated", "errored"], "errored"),
    (["errored", "not_restored", "passed"], "not_restored"),
    (["passed", None], "passed"),
    ([], "errored"),
])
def test_the_verdict_of_all_hosts_is_the_worst_of_theirs(hosts, overall):
    assert verdict.worst(hosts) == overall


def met(begin, seconds):
    return {"steady_state": {"met": True, "begin": begin, "recovery_seconds": seconds}}


def test_timings_are_counted_over_all_hosts():
    broken = phases(SKIPPED, None, RESTORED, SKIPPED)
    one = phases(STEADY, None, recovered(), met("2030-01-31T12:00:30.500000+00:00", 1.0),
                 impact=met("2030-01-31T12:00:10.100000+00:00", 0.25))
    two = phases(STEADY, None, recovered(), met("2030-01-31T12:00:30.500000+00:00", 2.5),
                 impact={"observation": {"met": True, "at": "2030-01-31T12:00:10.300000+00:00"}})
    assert verdict.timings([broken, one, two]) == {"impact": 0.3, "detection": None, "recovery": 3.0, "outage": 23.0}


def alert(fired_at):
    return {"observation": {"met": True, "at": "2030-01-31T12:00:20+00:00", "fired_at": fired_at}}


LISTED = {"steady_state": {"met": True, "probes": [{"observation": {"met": True}}, {"observation": None},
                                                   {"observation": {"met": True, "fired_at": "2030-01-31T12:00:14.500000+00:00"}}]}}


@pytest.mark.parametrize(("registered", "seconds"), [
    ([alert("2030-01-31T12:00:12.250000+00:00")], 2.25),
    ([LISTED], 4.5),
    ([LISTED, alert("2030-01-31T12:00:12.250000+00:00")], 2.25),
    ([LISTED, alert("2030-01-31T12:00:09.900000+00:00")], 4.5),
    ([alert("2030-01-31T12:00:09.900000+00:00")], None),
    ([alert(None)], None),
    ([{"observation": {"met": True, "at": "2030-01-31T12:00:20+00:00", "value": "absent"}}], None),
    ([SKIPPED, {}, None], None),
], ids=["alone", "in a steady state", "the first of two", "one before the fault", "only before the fault", "not known when", "no alert", "nothing"])
def test_detection_is_the_time_from_the_effect_of_the_fault_to_the_first_alert_after_it(registered, seconds):
    assert verdict.timings([phases(STEADY, None, RESTORED, None, detection=one) for one in registered])["detection"] == seconds


@pytest.mark.parametrize(("own", "expected"), [
    (phases(STEADY, None, recovered(), met("2030-01-31T12:00:31+00:00", 1.0)), {}),
    (phases(STEADY, None, RESTORED, BAD), {}),
    (phases(STEADY, None, recovered({**FAULT, "end": None}), met("2030-01-31T12:00:31+00:00", 1.0)), {"outage": 22.0}),
    (phases(STEADY, None, RESTORED, met("2030-01-31T12:00:29+00:00", 0.0)), {"outage": 19.0, "recovery": 0.0}),
    (phases(STEADY, None, RESTORED, None, impact=met("2030-01-31T12:00:05+00:00", 0.0)), {}),
    (phases(STEADY, None, RESTORED, None, impact={"observation": {"met": False, "at": "2030-01-31T12:00:11+00:00"}}), {}),
    (phases(BAD), {}),
], ids=["no fault", "never steady again", "not ended", "steady before the end", "sign before the fault", "sign not met", "not begun"])
def test_what_cannot_be_told_is_null(own, expected):
    assert verdict.timings([own]) == {"impact": None, "detection": None, "recovery": None, "outage": None, **expected}


def test_one_host_that_is_not_steady_again_leaves_the_recovery_of_all_unknown():
    good = phases(STEADY, None, RESTORED, met("2030-01-31T12:00:30+00:00", 1.0))
    assert verdict.timings([good, phases(STEADY, None, recovered(), BAD)])["recovery"] is None
    assert verdict.timings([good, phases(STEADY, None, recovered(), None)])["outage"] is None
    assert verdict.timings([good, phases(SKIPPED, None, recovered(), SKIPPED)])["recovery"] == 1.0


@pytest.mark.parametrize(("result", "answer"), [
    (STEADY, True), (BAD, False), (UNSURE, False), (SKIPPED, True), (UNREADABLE, False), ({"unreachable": True}, False), (None, False), ("", False),
])
def test_the_jinja_test_steady_says_yes_only_to_what_is_met_or_was_not_asked(result, answer):
    assert steady(result) is answer


@pytest.mark.parametrize(("load", "told"), [
    ({}, None),
    ({"skipped": True}, None),
    ({"observation": {"met": True, "reasons": []}}, None),
    ({"observation": {"met": False, "reasons": ["9 of 10 requests failed"]}}, ("deviated", "background load: 9 of 10 requests failed")),
    ({"observation": {"met": None, "reasons": ["it was over"]}}, ("inconclusive", "background load: it was over")),
    ({"failed": True, "msg": "no python"}, ("inconclusive", "the background load was not measured: no python")),
])
def test_what_a_load_in_the_background_says(load, told):
    assert verdict.of_load(load) == told
