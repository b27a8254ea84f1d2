"""
Every fault, whoever dies in the middle of it: after its duration the thing is whole, by looking at it. Each run tries one crash on one
thing for each fault, chosen by GAMEDAY_SEED, which is printed; GAMEDAY_CRASHES=all tries every crash on every thing (make soak).
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
import urllib.parse
import uuid

import pytest

from lab.crashes import kill_the_module_here, killer
from things import CASES, name_of

SEED = int(os.environ["GAMEDAY_SEED"])
DURATION = 6
FAULTS = "/var/lib/gameday/faults" if os.geteuid() == 0 else os.path.expanduser("~/.local/state/gameday/faults")
CRASHES = ("the controller is killed", "the module is killed", "the way back is killed", "two at once")


def chosen():
    """(thing, crash): for each fault one, the same for the same seed; or all."""
    dice, faults = random.Random(SEED), {}
    for pair in CASES:
        faults.setdefault(pair[0].__module__, []).append(pair)
    if os.environ.get("GAMEDAY_CRASHES") == "all":
        pairs = [(pair, crash) for pair in CASES for crash in CRASHES]
    else:
        pairs = [(dice.choice(things), dice.choice(CRASHES)) for things in faults.values()]
    return [pytest.param(pair, crash, id=f"{name_of(pair)}: {crash}") for pair, crash in pairs]


class Case:
    def __init__(self, thing, run_playbook):
        self.thing, self.run_playbook = thing, run_playbook
        self.hosts = getattr(thing, "hosts", None)
        self.host = thing.limit[1] if thing.limit else None

    def fault(self, duration=DURATION, run=None, **more):
        return {"name": "inject", self.thing.module: {**self.thing.options, "duration": duration, "run": run or uuid.uuid4().hex[:8]}, **more}

    def play(self, tasks, **more):
        return self.run_playbook(tasks, self.thing.inventory, arguments=self.thing.limit, **more)

    def run(self, *argv, check=True):
        if self.hosts:
            return self.hosts.run(self.host, *argv, check=check)
        argv = ["sh", "-c", argv[0]] if len(argv) == 1 else [sys.executable if argv[0] == "python3" else argv[0], *argv[1:]]
        return subprocess.run(argv, capture_output=True, text=True, check=check)

    @property
    def folder(self):
        return f"{FAULTS if not self.hosts else '/var/lib/gameday/faults'}/{urllib.parse.quote(self.thing.claim, safe='=,@:')}"

    def in_place(self):
        return self.run("test", "-d", self.folder, check=False).returncode == 0

    def clean(self, seconds):
        """Whole and without a record, at the latest after so long."""
        limit = time.monotonic() + seconds
        while time.monotonic() < limit and (self.in_place() or self.thing.look() != self.thing.whole):
            time.sleep(0.2)
        return not self.in_place() and self.thing.look() == self.thing.whole


@pytest.fixture
def case(request, run_playbook):
    kind, what = request.param
    return Case(kind(request, what), run_playbook)


@pytest.mark.parametrize(("case", "crash"), chosen(), indirect=["case"])
def test_a_fault_survives_that(case, crash):
    assert case.thing.look() == case.thing.whole
    {"the controller is killed": controller, "the module is killed": module, "the way back is killed": way_back, "two at once": two}[crash](case)


def controller(case):
    run = case.play([case.fault(), {"name": "hold", "ansible.builtin.command": "sleep 60", "changed_when": False}], background=True)
    run.wait_for("hold")
    run.process.kill()
    assert case.thing.look() == case.thing.broken, run
    assert case.clean(DURATION + 3)


def module(case):
    """In the moment in which its record is there, and so at any step of the injection."""
    wanted = case.folder.rpartition("/")[2][-60:]
    run = case.play([case.fault()], background=True)
    if case.hosts:
        case.run("python3", *killer("/var/lib/gameday/faults", wanted))
    else:
        kill_the_module_here(FAULTS, wanted, str(run.folder))
    run.process.wait(60)
    assert case.clean(DURATION + 4)


def way_back(case):
    assert case.play([case.fault(duration=120)]).rc == 0
    soon = f"0.0{random.Random(SEED).randint(1, 9)}"
    case.run(f"setsid sh '{case.folder}/revert' >/dev/null 2>&1 & pid=$!; sleep {soon}; kill -s KILL -- -$pid $pid", check=False)
    case.run(f"! test -e '{case.folder}/revert' || sh '{case.folder}/revert'")
    assert case.clean(2)


def two(case):
    """Of two runs that begin at once, one gets it; the other is refused, and touches nothing."""
    runs, threads = [], []
    for _ in range(2):
        run = case.play([case.fault(duration=60)], background=True)
        runs.append(run)
        threads.append(threading.Thread(target=run.process.wait))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(90)
    assert sorted(run.rc for run in runs) == [0, 2], runs
    assert case.thing.look() == case.thing.broken
    recovered = case.play([{"name": "recover", "gameday.chaos.recover": {"claim": case.thing.claim}}])
    assert recovered.rc == 0 and case.clean(5), recovered
