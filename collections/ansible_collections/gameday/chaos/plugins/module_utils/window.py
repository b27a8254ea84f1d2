# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watching: the same probes again and again, on time whether or not the last answer is in, and what a window of samples says."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Semaphore

from ansible_collections.gameday.chaos.plugins.module_utils import clock, statistics
from ansible_collections.gameday.chaos.plugins.module_utils.parallel import at_once, pool
from ansible_collections.gameday.chaos.plugins.module_utils.probe import observe

IN_FLIGHT = 64  # answers that may be due at once, over all probes: a stalled system must not slow the watch down
MISSED = "-"
SIGNS = {True: "1", False: "0", None: "?"}


@dataclass
class Expectations:
    """What a window must show; None is not judged."""

    minimum_availability: float = 1.0
    maximum_outage: float = None
    maximum_p95: float = None
    minimum_coverage: float = 0.95


@dataclass
class Watched:
    """One probe during a window: its observation at each tick (None where the tick was missed)."""

    name: str
    kind: object
    arguments: dict
    ticks: list = field(default_factory=list)


def watch(probes, during, interval, stop=None):
    """
    Sample every probe at every tick. C(stop) is asked at each tick and ends the watch early with a reason.
    Returns (instant of the first tick, reason or None); the samples are in the probes.
    """
    count = max(1, int(round(during / interval)))
    limit = max(1, IN_FLIGHT // len(probes))
    free = [Semaphore(limit) for probe in probes]
    reason = None
    workers = pool(limit * len(probes))
    first, start = clock.now(), time.monotonic()
    tick = 0
    while tick < count:
        ahead = start + tick * interval - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)
        late = int((time.monotonic() - start) / interval) - tick
        for _lost in range(min(max(late, 0), count - tick - 1)):  # we were not woken in time: those ticks are lost, and said to be
            for probe in probes:
                probe.ticks.append(None)
            tick += 1
        for probe, room in zip(probes, free):
            sample(workers, probe, tick, room)
        reason = stop(probes, interval) if stop else None
        if reason:
            break
        tick += 1
    workers.shutdown(wait=True)
    return first, reason


def sample(workers, probe, tick, room):
    probe.ticks.append(None)
    if not room.acquire(blocking=False):
        return

    def measure():
        try:
            probe.ticks[tick] = observe(probe.kind, probe.arguments)
        finally:
            room.release()

    workers.submit(measure)


def outage_longer_than(seconds):
    """A stop condition: some probe has not been met for longer than this, without one good sample between."""

    def breached(probes, interval):
        for probe in probes:
            last = None
            for tick in range(len(probe.ticks) - 1, -1, -1):
                observation = probe.ticks[tick]
                if observation is None or observation["met"] is None:
                    continue
                if observation["met"]:
                    break
                last = tick if last is None else last
                if (last - tick + 1) * interval > seconds:
                    return "%s was not met for longer than %s s" % (probe.name, seconds)
        return None

    return breached


def summary(probe, first, interval):
    """The window of one probe in numbers, and its series in compact form for a plot."""
    taken = [(tick * interval, one["met"], one["seconds"]) for tick, one in enumerate(probe.ticks) if one is not None]
    met = sum(1 for sample in taken if sample[1] is True)
    not_met = sum(1 for sample in taken if sample[1] is False)
    unknown = len(taken) - met - not_met
    known = [sample for sample in taken if sample[1] is not None]
    seconds = [sample[2] for sample in known]
    runs = statistics.outages(taken)
    low, high = statistics.wilson(met, met + not_met)

    def instant(offset):
        return clock.iso(first + timedelta(seconds=offset))

    first_bad = next((at for at, good, took in known if not good), None)
    first_good = next((at for at, good, took in known if good and (first_bad is None or at > first_bad)), None)
    return {
        "samples": len(probe.ticks), "met": met, "not_met": not_met, "unknown": unknown, "missed": len(probe.ticks) - len(taken),
        "availability": met / (met + not_met) if met + not_met else None, "interval": [round(low, 6), round(high, 6)],
        "p50": statistics.percentile(seconds, 0.50),
        "p95": statistics.percentile(seconds, 0.95),
        "p99": statistics.percentile(seconds, 0.99),
        "longest_outage": round(max((end - begin for begin, end in runs), default=0.0), 6), "outages": len(runs),
        "first_bad": None if first_bad is None else instant(first_bad), "first_good": None if first_good is None else instant(first_good),
        "series": {
            "start": clock.iso(first), "interval": interval,
            "met": "".join(MISSED if one is None else SIGNS[one["met"]] for one in probe.ticks),
            "milliseconds": [None if one is None else round(one["seconds"] * 1000, 1) for one in probe.ticks],
        },
    }


def judge(window, expected):
    """(met, reasons) of a window: met is None where there are too few samples to say."""
    known = window["met"] + window["not_met"]
    reasons, doubts = [], []
    if not known or known < expected.minimum_coverage * window["samples"]:
        doubts.append("only %s of %s samples could be judged, less than minimum_coverage %g" % (known, window["samples"], expected.minimum_coverage))
    judge_availability(window, expected.minimum_availability, known, reasons, doubts)
    if expected.maximum_outage is not None and window["longest_outage"] > expected.maximum_outage:
        reasons.append("the longest outage was %.2f s, more than maximum_outage %s" % (window["longest_outage"], expected.maximum_outage))
    if expected.maximum_p95 is not None and window["p95"] is not None and window["p95"] > expected.maximum_p95:
        reasons.append("95 %% of the answers took up to %.3f s, more than maximum_p95 %s" % (window["p95"], expected.maximum_p95))
    if reasons:
        return False, reasons
    return (None, doubts) if doubts else (True, [])


def judge_availability(window, minimum, known, reasons, doubts):
    """A demand of 1 is refuted by one bad sample and met by none; a lower one is judged by the Wilson interval."""
    if minimum is None or not known:
        return
    found = "%s of %s samples were met (%.2f %%)" % (window["met"], known, 100.0 * window["met"] / known)
    low, high = window["interval"]
    if minimum >= 1:
        if window["not_met"]:
            reasons.append("%s, all expected" % found)
    elif high < minimum:
        reasons.append("%s, at least %g %% expected" % (found, minimum * 100))
    elif low < minimum:
        doubts.append("%s: too few to tell whether it is at least %g %%; about %d are needed even if all are met"
                      % (found, minimum * 100, math.ceil(statistics.Z ** 2 * minimum / (1 - minimum))))


def times(window):
    """Seconds of the met samples of a window, from its series: an error that comes quickly is no quick answer."""
    series = window["series"]
    return [taken / 1000 for sign, taken in zip(series["met"], series["milliseconds"]) if sign == SIGNS[True] and taken is not None]


def judge_against(baseline, window, slower, tolerance):
    """
    (met, reasons, comparison) of a window that is expected to be slower than the baseline, or not to be. A fault that makes nothing slower
    has shown no effect, and so refutes nothing: that is None, not False.
    """
    found = statistics.compare(times(baseline), times(window), tolerance)
    if found["slower"] is None:
        return None, ["%s and %s samples were met: too few to compare with the baseline; %s are needed on each side" % (*found["samples"], found["needed"])], \
            found
    words = "median {median[1]:.3f} s, {median[0]:.3f} s in the baseline (slower in {share:.0f} % of all pairs, p = {p:.2g})".format(
        share=found["superiority"] * 100, **found)
    if slower and not found["slower"]:
        return None, ["not slower than the baseline, so what should make it slower has shown no effect: %s" % words], found
    if found["slower"] and not slower:
        return False, ["slower than the baseline: %s" % words], found
    return True, [], found


def until_met(probes, within, interval, hold):
    """
    Sample until every probe is met, and stays so for C(hold) seconds. Returns (met, seconds from the begin to the first instant
    of the good stretch, last observations). The time counts to the begin of the sample that was first met, which is within
    C(within) or never.
    """
    start = time.monotonic()
    good_since = observations = None
    while True:
        began = time.monotonic()
        if observations and good_since is None and began - start > within:  # we were not woken in time
            return False, None, observations
        observations = observe_all(probes)
        if not all(one["met"] is True for one in observations):
            good_since = None
        elif good_since is None:
            good_since = began
        now = time.monotonic()
        if good_since is not None and now - good_since >= hold:
            return True, good_since - start, observations
        following = max(now, began + interval)
        if good_since is None and following - start > within:
            return False, None, observations
        time.sleep(following - now)


def observe_all(probes):
    return at_once(lambda probe: observe(probe.kind, probe.arguments), probes, IN_FLIGHT)
