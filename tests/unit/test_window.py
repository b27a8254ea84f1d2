"""Watching a system: samples on time whatever the system does, and what a window of them says, as far as it can be said."""

from __future__ import annotations

import os
import threading
import time
from datetime import UTC, datetime

import pytest
from ansible_collections.gameday.chaos.plugins.module_utils import process, window
from ansible_collections.gameday.chaos.plugins.module_utils.probe import NoData
from real_module import NOBODY, USER, Host

from lab.local import begun

START = datetime(2030, 1, 31, 12, 0, 0, tzinfo=UTC)
MET = {"1": True, "0": False, "?": None}


class Simulated:
    """A kind of probe that behaves as told: behave(seconds since the first sample, number of the sample) -> met."""

    __name__ = "x.probe_simulated"
    OPTIONS = {}

    def __init__(self, behave):
        self.behave, self.begin, self.count, self.lock = behave, None, 0, threading.Lock()

    def measure(self, arguments):
        with self.lock:
            self.begin = self.begin or time.monotonic()
            self.count += 1
            number = self.count
        met = self.behave(time.monotonic() - self.begin, number)
        if met is None:
            raise NoData("none")
        return {"value": met}

    def judge(self, arguments, seen):
        return [] if seen["value"] else ["it was not"]


def probe(behave=lambda seconds, number: True, name="simulated"):
    return window.Watched(name, Simulated(behave), {})


def watched(signs, seconds=0.01):
    """A probe that was watched already: 1 met, 0 not met, ? unknown, - missed."""
    took = seconds if isinstance(seconds, list) else [seconds] * len(signs)
    ticks = [None if sign == "-" else {"met": MET[sign], "seconds": one} for sign, one in zip(signs, took, strict=True)]
    return window.Watched("simulated", None, {}, ticks)


def signs(one):
    return window.summary(one, START, 1)["series"]["met"]


def moments(one):
    return [datetime.fromisoformat(tick["at"]).timestamp() for tick in one.ticks if tick]


# Taking samples


def test_every_probe_is_sampled_at_every_tick():
    probes = [probe(), probe(lambda seconds, number: number % 2 == 1), probe(lambda seconds, number: None if number == 3 else True)]
    first, reason = window.watch(probes, 2.5, 0.5)
    assert [signs(one) for one in probes] == ["11111", "10101", "11?11"] and reason is None
    assert abs(first.timestamp() - moments(probes[0])[0]) < 0.5


@pytest.mark.parametrize(("during", "interval", "count"), [(1, 0.1, 10), (0.3, 0.1, 3), (0.05, 0.05, 1), (0.01, 0.25, 1)])
def test_there_are_as_many_ticks_as_fit(monkeypatch, during, interval, count):
    monkeypatch.setattr(window.time, "sleep", lambda seconds: None)
    one = probe()
    window.watch([one], during, interval)
    assert len(one.ticks) == count


def test_a_stalled_server_does_not_slow_the_watch():
    stalled, prompt = probe(lambda seconds, number: time.sleep(1) or False), probe()
    begin = time.monotonic()
    window.watch([stalled, prompt], 2, 0.1)
    assert time.monotonic() - begin < 6
    for one in (stalled, prompt):
        at = moments(one)
        assert len(at) >= 10 and at[-1] - at[0] < 5, "samples begin on time, whether or not the last answers are in"
    assert next(tick for tick in stalled.ticks if tick)["seconds"] >= 1 and set(signs(stalled)) <= {"0", "-"}


def test_more_answers_than_can_be_waited_for_are_missed_ticks_and_no_other_probe_suffers(monkeypatch):
    monkeypatch.setattr(window, "IN_FLIGHT", 6)
    over = threading.Event()
    stalled, prompt = probe(lambda seconds, number: over.wait(20)), probe()
    window.watch([stalled, prompt], 2, 0.2, lambda probes, interval: over.set() if len(prompt.ticks) == 10 else None)
    assert signs(stalled).count("1") == 3 and signs(stalled).endswith("---")
    assert signs(prompt).count("1") >= 5 and len(prompt.ticks) == 10


def test_ticks_that_were_overslept_are_missed_and_said_to_be():
    one, slept_at = probe(), []

    def held_up(probes, interval):
        if len(one.ticks) >= 2 and not slept_at:
            slept_at.append(len(one.ticks))
            time.sleep(0.9)

    window.watch([one], 2, 0.2, held_up)
    found, [at] = signs(one), slept_at
    assert len(found) == 10 and found[at - 1:at + 3] == "1---" and found.endswith("1")


def test_a_stop_condition_ends_the_watch_with_its_reason():
    broken = probe(lambda seconds, number: number < 3, name="the API")
    first, reason = window.watch([probe(), broken], 5, 0.02, window.outage_longer_than(0.1))
    assert reason == "the API was not met for longer than 0.1 s" and 8 <= len(broken.ticks) < 200


@pytest.mark.parametrize(("ticks", "breached"), [
    ("1111111111", False),
    ("0000", False),  # four samples, a second apart, show three or four seconds, not more than four
    ("00000", True),
    ("1110000", False),
    ("11100000", True),
    ("00000001", False),
    ("0000100001", False),
    ("00?00", True),
    ("0---0", True),
    ("0????", False),
    ("?????", False),
    ("-----", False),
    ("000001----", False),
])
def test_an_outage_breaches_the_stop_condition_as_soon_as_it_is_seen_to_be_longer(ticks, breached):
    assert (window.outage_longer_than(4)([watched("1"), watched(ticks)], 1) is not None) is breached


# What a window says


def test_a_window_in_numbers():
    took = [0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 9, 0.08, 0.09, 0.10]
    numbers = window.summary(watched("1100?1?-01", [*took]), START, 2)
    series = numbers.pop("series")
    assert numbers == {
        "samples": 10, "met": 4, "not_met": 3, "unknown": 2, "missed": 1, "availability": 4 / 7, "interval": [0.250454, 0.841783],
        "p50": 0.04, "p95": 0.10, "p99": 0.10, "outages": 2, "longest_outage": 6.0,
        "first_bad": "2030-01-31T12:00:04.000000+00:00", "first_good": "2030-01-31T12:00:10.000000+00:00",
    }
    assert series == {"start": "2030-01-31T12:00:00.000000+00:00", "interval": 2, "met": "1100?1?-01",
                      "milliseconds": [10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 9000.0, None, 90.0, 100.0]}


def test_a_window_without_data_says_so():
    numbers = window.summary(watched("?-?"), START, 1)
    assert numbers["availability"] is None and numbers["interval"] == [0, 1] and numbers["p95"] is None
    assert numbers["first_bad"] is None and numbers["first_good"] is None and numbers["longest_outage"] == 0


def test_the_first_good_sample_is_the_one_after_the_first_bad_one():
    assert window.summary(watched("110"), START, 1)["first_good"] is None
    assert window.summary(watched("111"), START, 1)["first_good"] == "2030-01-31T12:00:00.000000+00:00"


JUDGED = [
    ("1" * 10, {}, True, ""),
    ("1" * 9 + "0", {}, False, "9 of 10 samples were met (90.00 %), all expected"),
    ("0" + "?" * 9, {}, False, "0 of 1 samples were met"),
    ("1" * 60, {"minimum_availability": 0.95}, None, "too few to tell whether it is at least 95 %; about 73 are needed even if all are met"),
    ("1" * 73, {"minimum_availability": 0.95}, True, ""),
    ("1" * 300, {"minimum_availability": 0.99}, None, "about 381 are needed"),
    ("1" * 381, {"minimum_availability": 0.99}, True, ""),
    ("1" * 99 + "0", {"minimum_availability": 0.9}, True, ""),
    ("1" * 90 + "0" * 10, {"minimum_availability": 0.9}, None, "90 of 100 samples were met (90.00 %): too few"),
    ("1" * 80 + "0" * 20, {"minimum_availability": 0.9}, False, "80 of 100 samples were met (80.00 %), at least 90 % expected"),
    ("0" * 10, {"minimum_availability": 0}, True, ""),
    ("0" * 10, {"minimum_availability": None}, True, ""),
    ("?" * 10, {}, None, "only 0 of 10 samples could be judged"),
    ("-" * 10, {"minimum_availability": 0.5}, None, "only 0 of 10 samples could be judged"),
    ("1" * 19 + "-", {}, True, ""),
    ("1" * 18 + "-?", {}, None, "only 18 of 20 samples could be judged, less than minimum_coverage 0.95"),
    ("1" * 18 + "-?", {"minimum_coverage": 0.9}, True, ""),
    ("1" * 60 + "0" + "?" * 30, {"minimum_availability": 0.8}, None, "only 61 of 91 samples could be judged"),
    ("1110001111", {"minimum_availability": None, "maximum_outage": 3}, True, ""),
    ("1110001111", {"minimum_availability": None, "maximum_outage": 2}, False, "the longest outage was 3.00 s, more than maximum_outage 2"),
    ("1110000000", {"minimum_availability": None, "maximum_outage": 5}, False, "the longest outage was 6.01 s"),
    ("1" * 10, {"maximum_p95": 0.01}, True, ""),
    ("1" * 10, {"maximum_p95": 0.005}, False, "95 % of the answers took up to 0.010 s, more than maximum_p95 0.005"),
]


@pytest.mark.parametrize(("ticks", "expected", "met", "reason"), JUDGED, ids=["%.12s %s" % row[:2] for row in JUDGED])
def test_a_window_is_judged_as_far_as_its_samples_go(ticks, expected, met, reason):
    found = window.judge(window.summary(watched(ticks), START, 1), window.Expectations(**expected))
    assert found[0] is met and reason in "; ".join(found[1]) and bool(found[1]) == (met is not True)


# Against a baseline


def times(seconds, count=40):
    return window.summary(watched("1" * count, [seconds + tick % 4 / 1000 for tick in range(count)]), START, 1)


@pytest.mark.parametrize(("now", "slower", "met", "reason"), [
    (times(0.5), True, True, None),
    (times(0.5), False, False, "slower than the baseline: median 0.501 s, 0.011 s in the baseline"),
    (times(0.01), True, None, "not slower than the baseline, so what should make it slower has shown no effect"),
    (times(0.01), False, True, None),
    (times(0.5, 10), True, None, "40 and 10 samples were met: too few to compare with the baseline; 30 are needed on each side"),
    (times(0.5, 10), False, None, "too few to compare"),
])
def test_a_window_is_compared_with_an_earlier_one(now, slower, met, reason):
    found, reasons, comparison = window.judge_against(times(0.01), now, slower, 0)
    assert found is met and comparison["samples"][0] == 40
    assert reason in reasons[0] if reason else reasons == []


def test_only_samples_that_were_met_are_compared():
    numbers = window.summary(watched("10?-1", [0.1, 9, 9, 9, 0.2]), START, 1)
    assert window.times(numbers) == [0.1, 0.2]


# Waiting until it is steady


def test_the_time_to_steady_counts_to_the_first_of_the_good_samples():
    met, took, observations = window.until_met([probe(), probe(lambda seconds, number: seconds > 1)], 10, 0.02, 0)
    assert met is True and 0.5 < took < 4 and [one["met"] for one in observations] == [True, True]


def test_it_must_stay_met_for_the_hold():
    relapsing = probe(lambda seconds, number: number < 3 or seconds > 1)
    met, took, observations = window.until_met([relapsing], 10, 0.02, 1)
    assert met is True and 0.5 < took < 4


def test_what_is_met_too_late_is_not_met():
    begin = time.monotonic()
    late = probe(lambda seconds, number: seconds > 5)
    met, took, observations = window.until_met([late], 0.2, 0.02, 0)
    assert (met, took) == (False, None) and observations[0]["met"] is False and time.monotonic() - begin < 4
    rarely = probe(lambda seconds, number: number > 1)
    assert window.until_met([rarely], 0.1, 0.2, 0)[0] is False


def test_a_sample_that_was_overslept_until_it_is_too_late_is_not_taken(monkeypatch):
    sleep = time.sleep
    monkeypatch.setattr(window.time, "sleep", lambda seconds: sleep(seconds + 0.3))
    assert window.until_met([probe(lambda seconds, number: number > 1)], 0.2, 0.02, 0)[:2] == (False, None)


def test_a_hold_that_began_in_time_may_end_later():
    assert window.until_met([probe()], 0.05, 0.02, 0.2)[0] is True


def test_without_data_it_is_never_steady():
    assert window.until_met([probe(), probe(lambda seconds, number: None)], 0.1, 0.02, 0)[0] is False


# The module


@pytest.fixture
def host():
    host = Host()
    yield host
    host.clean()


def test_a_breached_stop_condition_puts_back_before_late_answers_are_in(host):
    seconds = "500.%s" % os.getpid()  # of this run alone: another may share the machine
    frozen = begun("sleep", seconds, user=USER if USER == NOBODY else None)
    try:
        injected = host.run("fault_process", pattern="^sleep %s$" % seconds, duration=30, run="this")
        assert injected.get("fault", {}).get("verified"), injected
        probes = [{"name": "dead", "probe_tcp": {"port": 1}}, {"name": "slow", "probe_command": {"command": "sleep 4"}}]
        result = host.run("steady_state", probes=probes, during=10, interval=0.05, stop_after_outage=0.3, run="this")["steady_state"]
        assert process.look_at(frozen.pid).state == "S"
    finally:
        frozen.kill()
        frozen.wait()
    assert result["met"] is False and result["reasons"][0].startswith("stopped: dead was not met for longer than 0.3 s")
    fault = result["recovery"]["faults"][0]
    assert fault["ended_by"] == "stop_condition" and result["recovery"]["restored"]
    ended = datetime.fromisoformat(fault["end"]) - datetime.fromisoformat(result["begin"])
    assert ended.total_seconds() < 3 and result["seconds"] > 4


def test_a_stop_condition_that_cannot_put_back_says_so(host):
    (host.state / "gameday").mkdir()
    host.give(host.state / "gameday", 0o755)
    folder = host.state / "gameday" / "faults"
    folder.mkdir()
    host.give(folder, 0o000)
    result = host.run("steady_state", probes=[{"probe_tcp": {"port": 1}}], during=5, interval=0.05, stop_after_outage=0.2)
    host.give(folder)
    assert result["failed"] and "not put back: the ledger" in result["msg"]


def test_a_window_tells_the_first_thing_that_went_wrong(host):
    result = host.run("steady_state", probes=[{"name": "dead", "probe_tcp": {"port": 1}}], during=2, interval=0.5)
    assert result["msg"].startswith("not met: dead: 0 of 4 samples were met (0.00 %), all expected; the first of them: port: 1 on 127.0.0.1 is closed")
    probe = result["steady_state"]["probes"][0]
    assert probe["kind"] == "probe_tcp" and probe["window"]["series"]["met"] == "0000" and probe["arguments"]["port"] == 1


def test_a_watch_is_compared_with_an_earlier_one_by_the_name_of_the_probe(host):
    def watch(command, **more):
        probes = [{"name": "it", "probe_command": {"command": command}}]
        return host.run("steady_state", probes=probes, during=2.6, interval=0.04, minimum_coverage=0.5, **more)

    before = watch("true")
    assert "comparison" not in before["steady_state"]["probes"][0]["window"]
    slower = watch("sleep 0.3", baseline=before, slower=True)
    assert slower["steady_state"]["met"] is True and slower["steady_state"]["probes"][0]["window"]["comparison"]["slower"] is True
    still = watch("sleep 0.3", baseline=before)
    assert still["failed"] and still["steady_state"]["met"] is False and "slower than the baseline" in still["msg"]


@pytest.mark.parametrize(("arguments", "reason"), [
    ({"baseline": {}, "during": 1}, "baseline: it has no window of the probe 'dead'"),
    ({"baseline": {"steady_state": "x"}, "during": 1}, "baseline: it has no window of the probe 'dead'"),
    ({"baseline": {}}, "baseline: needs during"),
    ({"slower": True, "during": 1}, "slower and baseline_tolerance: need baseline"),
    ({"baseline": {}, "baseline_tolerance": -1, "during": 1}, "baseline_tolerance: -1.0 is not between 0 and"),
])
def test_a_baseline_that_cannot_be_used_is_named(host, arguments, reason):
    assert reason in host.run("steady_state", probes=[{"name": "dead", "probe_tcp": {"port": 1}}], **arguments)["msg"]
