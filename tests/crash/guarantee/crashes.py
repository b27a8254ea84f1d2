# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
What happens to a fault in the middle. A crash is a function of (case, dice): it injects, hurts, mends again what the test itself broke, and
tells at which instant, and when the host must be whole. The module is the real one, started as Ansible starts it, over ssh where there is a host.
"""
from __future__ import annotations

import dataclasses
import re
import subprocess
import time
from collections.abc import Callable

from guarantee.cases import DURATION

LONGER = DURATION + 3  # where something must happen to it first
ENOUGH = 40  # seconds that a fault may have when it is not to end by itself


@dataclasses.dataclass(frozen=True)
class Told:
    instant: str  # where it hit, for people, and to hit there again
    due: float  # when all must be well, on the monotonic clock
    happened: bool = True  # False: it came too late to be a crash
    like: tuple = ()  # (what the thing looks like, the picture) that it must be like, if not like before
    late: float = 0.0  # seconds after its time until it was whole, where the crash waits for that itself


@dataclasses.dataclass(frozen=True)
class Crash:
    name: str
    run: Callable
    places: tuple
    weight: int = 1  # how many more of these than of others are run when there is room


CRASHES = []
ANYWHERE, OVER_SSH = ("netns", "systemd", "own kernel", "here"), ("netns", "systemd")


def crash(name, places=ANYWHERE, weight=1):
    def register(function):
        CRASHES.append(Crash(name, function, places, weight))
        return function
    return register


def hit(said):
    """Whether die_at killed something, and where."""
    found = re.search(r"die_at: (\d+) steps, (killed .*|ended .*)", said)
    return (found[2].startswith("killed"), found[2]) if found else (False, said[-200:])


def steps_of(said):
    return int(re.search(r"die_at: (\d+) steps", said)[1])


def end(case):
    """End the fault now, and see it ended; whatever is left is found by the next comparison."""
    case.recover(claim=case.thing.claim)


# The module

def count_steps(case):
    result, said = case.inject(ENOUGH, (0, 0, "alone"))
    assert result and result.get("changed") and case.thing.look() == case.thing.broken, f"{case.name}: cannot be injected: {result} {said}"
    end(case)
    return steps_of(said)


@crash("module killed between two steps", weight=8)
def between_steps(case, dice):
    step, total = case.step("injection", lambda: count_steps(case), dice)
    whom = dice.choice(["alone", "children"])
    killed, where = hit(case.inject(DURATION, (step, 0, whom))[1])
    return Told(f"{where}, step {step} of {total}, {whom}", case.due(), killed)


@crash("module killed during a step", weight=3)
def during_a_step(case, dice):
    step, total = case.step("injection", lambda: count_steps(case), dice)
    milliseconds, whom = dice.randint(1, 60), dice.choice(["alone", "children"])
    killed, where = hit(case.inject(DURATION, (step, milliseconds, whom))[1])
    return Told(f"{where}, step {step} of {total}, {whom}", case.due(), killed)


# The way back

def count_steps_back(case):
    case.must_inject(ENOUGH)
    said = case.way_back(0, 0, "alone")
    assert not case.in_place(), f"{case.name}: the way back does not work: {said}"
    return steps_of(said)


@crash("way back killed between two steps", weight=4)
def back_between_steps(case, dice):
    step, total = case.step("way back", lambda: count_steps_back(case), dice)
    case.must_inject(LONGER)
    due, whom = case.due(), dice.choice(["alone", "children"])
    killed, where = hit(case.way_back(step, 0, whom))
    return Told(f"{where}, step {step} of {total}, {whom}", due, killed)


@crash("way back killed during a step", weight=2)
def back_during_a_step(case, dice):
    step, total = case.step("way back", lambda: count_steps_back(case), dice)
    case.must_inject(LONGER)
    due, whom, milliseconds = case.due(), dice.choice(["alone", "children"]), dice.randint(1, 60)
    killed, where = hit(case.way_back(step, milliseconds, whom))
    return Told(f"{where}, step {step} of {total}, {whom}", due, killed)


# The timer

KILL_TIMER = """
[ -d '{folder}' ] || {{ echo 'no fault any more'; exit; }}
id=$(sed -n 's/^  "id": "\\(.*\\)",$/\\1/p' '{folder}/fault.json'); pid=
if [ -f '{folder}/watcher' ]; then read -r pid _ <'{folder}/watcher'; kill -s KILL -- -$pid
else
    systemctl stop "gameday-$id.timer"
    # Its session: not what it has started again, which is the user's by then.
    main=$(systemctl show --property MainPID --value "gameday-$id.service")
    [ "$main" = 0 ] || pkill -KILL --session "$main"
fi
echo "timer ${{pid:-of systemd}}"
"""


def kill_timer(case):
    return case.sh(KILL_TIMER.format(folder=case.folder))


@crash("timer killed, controller alive")
def timer_and_recover(case, dice):
    run = f"guarantee-{dice.getrandbits(32):08x}"
    case.must_inject(run=run)
    after = dice.uniform(0, DURATION - 1)
    time.sleep(after)
    words = kill_timer(case)
    recovered = case.recover(run=run)
    assert recovered and not recovered.get("failed"), recovered
    return Told(f"{words}, {after:.2f} s after the injection", time.monotonic(), words.startswith("timer"))


@crash("timer and controller killed, next contact sweeps")
def timer_and_sweep(case, dice):
    case.must_inject()
    due, after = case.due(), dice.uniform(0, DURATION - 1)
    time.sleep(after)
    words = kill_timer(case)
    time.sleep(max(0, due + 3.3 - time.monotonic()))
    swept = case.recover()
    return Told(f"{words}, {after:.2f} s after the injection; swept: {'no answer' if swept is None else swept.get('msg', 'yes')}", time.monotonic(),
                words.startswith("timer"))


@crash("timer killed while it puts back, next contact sweeps", weight=2)
def timer_at_work(case, dice):
    """In the instant of the deadline, plus or minus what a way back takes."""
    case.must_inject()
    due, after = case.due(), dice.uniform(-0.01, 0.15)
    time.sleep(max(0, due + after - time.monotonic()))
    words = kill_timer(case)
    time.sleep(max(0, due + 3.3 - time.monotonic()))
    case.recover()
    return Told(f"{words}, {1000 * after:.0f} ms after the deadline", time.monotonic(), words.startswith("timer"))


# The connection

@crash("ssh cut before", OVER_SSH)
def ssh_before(case, dice):
    case.hosts.cut(case.host)
    try:
        said = case.inject()[1]
    finally:
        case.hosts.mend(case.host)
    return Told(f"before the connection: {said[-80:]}", case.due())


@crash("ssh cut during the injection", OVER_SSH, weight=2)
def ssh_during(case, dice):
    return cut_after(case, dice.uniform(0.05, 1.0))


@crash("ssh cut after the injection", OVER_SSH)
def ssh_after(case, dice):
    case.must_inject()
    due = case.due()
    case.hosts.cut(case.host)
    time.sleep(max(0, due + 0.1 - time.monotonic()))
    case.hosts.mend(case.host)
    return Told("until it was over", due)


def cut_after(case, seconds):
    process = case.module(case.fault, case.arguments())
    time.sleep(seconds)
    case.hosts.cut(case.host)
    try:
        time.sleep(DURATION + 1)  # the module goes on, and the fault begins and ends meanwhile
    finally:
        case.hosts.mend(case.host)
    process.kill()
    case.finish(process)
    return Told(f"{seconds:.3f} s after its start", case.due())


@crash("sshd killed", OVER_SSH, weight=2)
def sshd(case, dice):
    """All of it but a host's first process, which it is on light hosts."""
    process, seconds = case.module(case.fault, case.arguments()), dice.uniform(0.1, 1.2)
    time.sleep(seconds)
    case.sh("for pid in $(pgrep -x sshd); do [ $pid = 1 ] || kill -s KILL $pid; done; "
            "if [ -d /run/systemd/system ]; then sleep 0.2; systemctl reset-failed ssh; systemctl start ssh; fi")
    case.finish(process)
    return Told(f"{seconds:.3f} s after its start", case.due_soon())


# The host

def power_off_and_on(case):
    if case.place == "own kernel":
        case.hosts.cut_power(case.host)
        case.send_program()
        return
    for what in ("kill", "start"):
        subprocess.run(["docker", what, case.hosts.container(case.host)], check=True, capture_output=True)
    case.sh("timeout 30 systemctl is-system-running --wait; until systemctl is-active -q ssh; do sleep 0.1; done", seconds=60)
    case.settle()


@crash("host rebooted", ("systemd", "own kernel"), weight=4)
def reboot(case, dice):
    """The power is cut, and comes back; then somebody comes by, or the host has done it itself."""
    if case.rebooted is None:
        power_off_and_on(case)
        case.rebooted = case.thing.look(), case.picture()
        case.renew()
    process, seconds = case.module(case.fault, case.arguments()), dice.uniform(0.1, 2.0)
    time.sleep(seconds)
    due = case.due()
    power_off_and_on(case)
    case.finish(process)
    time.sleep(max(0, due + 3.3 - time.monotonic()))
    case.recover()
    return Told(f"{seconds:.3f} s after its start", time.monotonic(), like=case.rebooted)


DAY = 86400


@crash("clock stepped by a day", ("own kernel",), weight=2)
def clock(case, dice):
    """Forwards or backwards; and back again only when all should be over."""
    case.must_inject()
    due, after, by = case.due(), dice.uniform(0, DURATION - 1), dice.choice([DAY, -DAY])
    time.sleep(after)
    try:
        case.sh(f"date -s @$(($(date +%s) + {by}))", check=True)
        time.sleep(max(0, due + 2 - time.monotonic()))
        limit = due + 10  # for this host is slow
        while case.in_place() and time.monotonic() < limit:
            time.sleep(0.1)
        assert not case.in_place(), "it is still in place while the clock is wrong"
    finally:
        case.sh(f"date -s @{time.time():.0f}", check=True)
    return Told(f"by {by} s, {after:.2f} s after the injection", due)


SMALL = "mkdir -p /var/lib/gameday && mount -t tmpfs -o size=1m,mode=700 tmpfs /var/lib/gameday"
FILL = "dd if=/dev/zero of=/var/lib/gameday/ballast bs=1k 2>/dev/null; true"


def on_small_disk(case, hurt_before, hurt_after, mend):
    """The ledger on a disk of its own, so that nothing else has to suffer; the ledger that was there comes back."""
    case.sh(SMALL, check=True)
    try:
        case.sh(hurt_before)
        result = case.inject()[0]
        due = case.due()
        case.sh(hurt_after)
        time.sleep(max(0, due + 0.5 - time.monotonic()))
        limit, late = due + 20, 0.0
        while (seen := case.thing.look()) != case.thing.whole and time.monotonic() < limit:
            late = round(time.monotonic() - due, 2)
            time.sleep(0.1)
        assert seen == case.thing.whole, f"it is {seen!r} while its ledger cannot be written"
        case.sh(mend)
        time.sleep(max(0, due + 3.3 - time.monotonic()))
        case.recover()
        left = case.sh("ls /var/lib/gameday/faults")
        assert not left, f"the record is still there: {left}"
    finally:
        case.sh("umount /var/lib/gameday || umount -l /var/lib/gameday", check=True)
    return "refused: " + result["msg"][:90] if result and result.get("failed") else "injected", late


@crash("disk full before", ("netns",))
def full_before(case, dice):
    keep = dice.choice([0, 4, 16, 60, 100, 140])  # KiB free: nothing, part of a record, all but the reserve, ...
    fill = FILL.replace("2>/dev", f"count={1000 - keep} 2>/dev") if keep else FILL
    words, late = on_small_disk(case, fill, "true", "rm -f /var/lib/gameday/ballast")
    return Told(f"{keep} KiB free; {words}", time.monotonic(), late=late)


@crash("disk full during", ("netns",))
def full_during(case, dice):
    words, late = on_small_disk(case, "true", FILL, "rm -f /var/lib/gameday/ballast")
    return Told(words, time.monotonic(), late=late)


@crash("ledger read-only during", ("netns",))
def read_only(case, dice):
    words, late = on_small_disk(case, "true", "mount -o remount,ro /var/lib/gameday", "mount -o remount,rw /var/lib/gameday")
    return Told(words, time.monotonic(), late=late)


@crash("out of processes at the deadline", ("systemd",))
def no_processes(case, dice):
    """No process may be started from before the deadline until a second after it."""
    case.must_inject()
    due, container = case.due(), case.hosts.container(case.host)
    time.sleep(max(0, due - dice.uniform(0.3, 1.0) - time.monotonic()))
    subprocess.run(["docker", "update", "--pids-limit", "1", container], check=True, capture_output=True)
    time.sleep(max(0, due + 1 - time.monotonic()))
    subprocess.run(["docker", "update", "--pids-limit", "-1", container], check=True, capture_output=True)
    time.sleep(max(0, due + 3.3 - time.monotonic()))
    case.recover()
    return Told("until 1 s after the deadline", time.monotonic())


HOG = "import time\nkept = []\nwhile True: kept.append(bytearray(8 << 20))\n"


@crash("out of memory", ("systemd",))
def no_memory(case, dice):
    """The kernel ends processes of this host until there is room: the hog, but whoever else is in its way, too."""
    case.must_inject()
    due = case.due()
    case.sh(f"python3 -c '{HOG}'; true")
    return Told("until the kernel ended the hog", due)


# Two at once, and the collection

@crash("two runs at once", weight=2)
def two_runs(case, dice):
    processes = [case.module(case.fault, case.arguments(ENOUGH)) for _ in range(2)]
    results = [case.finish(process)[0] or {} for process in processes]
    got = [one for one in results if one.get("changed") and not one.get("failed")]
    assert len(got) == 1, f"{len(got)} of two runs got it: {results}"
    seen = case.thing.look()
    assert seen == case.thing.broken, f"it is {seen!r}, not {case.thing.broken!r}"
    end(case)
    return Told("one got it, the other was refused", time.monotonic())


@crash("collection removed after the injection")
def removed(case, dice):
    case.must_inject()
    due = case.due()
    case.sh(f"rm -rf {case.home}/*")
    time.sleep(max(0, due + 0.1 - time.monotonic()))
    case.send_program()
    return Told("and the timer ended it", due)


@crash("collection upgraded after the injection")
def upgraded(case, dice):
    """To one that knows this fault no more, nor any of its verbs; its recover ends it all the same."""
    run = f"guarantee-{dice.getrandbits(32):08x}"
    case.must_inject(ENOUGH, run)
    part = f"{case.home}/ansible_collections/gameday/chaos/plugins"
    case.sh(f"rm -f {part}/modules/fault_* {part}/modules/__pycache__/fault_*; find {part}/module_utils -name '*verbs*' -delete; "
            f"echo 'VERBS, VERB_NAMES, PROGRAMS, argv_to_run = \"\", (), {{}}, lambda argv, held=False: list(argv)' >{part}/module_utils/verbs.py", check=True)
    recovered = case.recover(run=run)
    case.send_program()
    assert recovered and not recovered.get("failed"), f"the new version cannot recover: {recovered}"
    return Told("and recover of the new version ended it", time.monotonic())
