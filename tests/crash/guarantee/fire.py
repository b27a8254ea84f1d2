# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which crash hits which thing when, the same for the same seed; and doing it, many at once, since most of the time is waiting."""
from __future__ import annotations

import collections
import dataclasses
import random
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

import pytest

from guarantee.cases import NotInjected
from guarantee.crashes import CRASHES, Told
from guarantee.stages import Stage, open_case, places
from lab.hosts import LabError

WITHIN = 2  # seconds after its time in which everything must be as before
PATIENCE = 20  # and in which it is still told apart from what stays for ever, since the machine is busy


@dataclasses.dataclass
class Kill:
    """What came of one crash: `late`, the seconds after its time until all was well; `left`, what was not well even then."""

    seed: int
    number: int
    thing: str
    fault: str
    place: str
    crash: str
    instant: str = ""
    happened: bool = True
    late: float = 0.0
    left: list = dataclasses.field(default_factory=list)

    def __str__(self):
        return (f"{self.thing} on {self.place}: {self.crash}: {self.instant} (seed {self.seed}, number {self.number})\n    "
                + "\n    ".join(self.left or ["nothing left"]))


def chosen(seed, count, only=None):
    """
    [((name, kind, case, place), [(number, crash)])]. First every crash on the thing that had the fewest yet; when all pairs were had, those
    crashes again that have many instants to try.
    """
    dice = random.Random(seed)
    things = list(places())
    pairs = [(thing, crash) for thing in things for crash in CRASHES if thing[3] in crash.places and wanted(thing, crash, only)]
    dice.shuffle(pairs)
    had_crash, had_fault, had_thing = (collections.Counter() for _ in range(3))
    first = []
    while pairs and len(first) < count:
        best = min(range(len(pairs)), key=lambda at: score(pairs[at], had_crash, had_fault, had_thing))
        thing, crash = pairs.pop(best)
        first.append((thing, crash))
        had_crash[crash.name] += 1
        had_fault[thing[0].split()[0]] += 1
        had_thing[thing[0], thing[3]] += 1
    again = [(thing, crash) for thing in things for crash in CRASHES
             if thing[3] in crash.places and crash.weight > 1 and wanted(thing, crash, only)]
    weights = [crash.weight for _, crash in again]
    first += dice.choices(again, weights, k=max(0, count - len(first))) if again else []
    lanes = collections.defaultdict(list)
    for number, (thing, crash) in enumerate(first):
        lanes[things.index(thing)].append((number, crash))
    return [(things[at], crashes) for at, crashes in lanes.items()]


def score(pair, had_crash, had_fault, had_thing):
    (name, _, _, place), crash = pair
    return had_crash[crash.name], had_fault[name.split()[0]], had_thing[name, place]


def fire(lab, seed, count, workers, seconds, told, only=None):
    """Every kill of this seed that begins within so many seconds; told(kill) is called with each."""
    until, lanes = time.monotonic() + seconds, chosen(seed, count, only)
    with ThreadPoolExecutor(workers) as pool:
        longest_first = sorted(lanes, key=lambda lane: -len(lane[1]))
        futures = [pool.submit(lane, lab, seed, thing, crashes, until, told) for thing, crashes in longest_first]
    return [kill for future in futures for kill in future.result()]


def lane(lab, seed, thing, crashes, until, told):
    """All crashes of one thing, one after the other, on its own place; when one leaves something behind, the next gets a new place."""
    kills, stage, case = [], None, None
    try:
        for number, crash in crashes:
            if time.monotonic() > until:
                break
            kill = Kill(seed, number, thing[0], thing[0].split()[0], thing[3], crash.name)
            if case is None:
                try:
                    stage, case = opened(lab, thing)
                except pytest.skip.Exception as error:  # of this place alone, not of the whole test
                    kill.happened, kill.instant = False, f"not here: {error}"
                    kills.append(kill)
                    told(kill)
                    continue
            try:
                hit(case, crash, random.Random(f"{seed} {number}"), kill)
            except LabError as error:  # that tells nothing of what is tested; the next gets a new place
                kill.happened, kill.instant, stage = False, f"the lab failed: {str(error)[-300:]}", stage.close()
            except Exception as error:
                kill.left = [f"{type(error).__name__}: {error}", *traceback.format_exc().splitlines()[-4:]]
            kills.append(kill)
            told(kill)
            if kill.left:
                stage = stage.close()
            if stage is None:
                case = None
    finally:
        if stage:
            stage.close()
    return kills


def opened(lab, thing):
    """A thing on its own place that was broken and put back once; on a busy machine that may need a second try."""
    for last in (False, True):
        stage = Stage(lab, thing[3])
        try:
            return stage, open_case(lab, stage, *thing[:3])
        except Exception:
            stage.close()
            if last:
                raise


def hit(case, crash, dice, kill):
    case.settle()
    before = case.thing.whole, case.picture()
    limit = time.monotonic() + 5
    while (seen := case.thing.look()) != case.thing.whole:  # on a busy machine the question itself may be too slow
        assert time.monotonic() < limit, f"it is {seen!r} before anything was done to it"
    earlier = case.overtime()[0]
    try:
        told = crash.run(case, dice)
    except NotInjected as error:
        told = Told(str(error), case.due(), False)
    before = told.like or before
    kill.instant, kill.happened, kill.late = told.instant, told.happened, told.late
    time.sleep(max(0.0, told.due - time.monotonic()))
    begun = time.monotonic()
    while True:
        kill.left = case.left(*before)
        now = time.monotonic()
        kill.late = round(now - told.due, 2) if kill.left else kill.late
        if not kill.left or now > begun + PATIENCE:
            break
        time.sleep(0.1)
    last, overtime = case.overtime()
    if last != earlier and overtime is not None and not kill.left:
        kill.late = max(0.0, overtime)
    if told.like:
        case.renew()


def wanted(thing, crash, only):
    """only: words that must all be in the name of thing, place or crash; to look at one closely."""
    return all(word in f"{thing[0]} {thing[3]} {crash.name}" for word in (only or "").split(","))
