"""What guards a fault besides its deadline: a timer that is noticed when it is gone, a lease, the lock, a host that is halted, a ledger of one's own."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import time

import pytest
from ansible_collections.gameday.chaos.plugins.module_utils import clock, lease, ledger, timer, way_back
from ansible_collections.gameday.chaos.plugins.module_utils.fault import Refused
from ansible_collections.gameday.chaos.plugins.module_utils.recovery import recover
from file_fault import ended, file_fault_warnings, in_place, inject, wait_until, watcher_of

ROOT = pathlib.Path(__file__).parents[2]


def folder_of(fault):
    return os.path.dirname(fault["way_back"])


def kill(fault):
    os.killpg(watcher_of(fault), signal.SIGKILL)
    wait_until(lambda: ledger.Ledger(str(pathlib.Path(fault["way_back"]).parents[2])).lost(in_place(pathlib.Path(fault["way_back"]).parents[2])))


# A timer that is gone

CONTACTS = {
    "the next fault on another thing": lambda root, thing: inject(root, thing.with_name("other"), run="run-2"),
    "the same once more": lambda root, thing: inject(root, thing, duration=3),
    "recover of another run": lambda root, thing: recover(ledger.Ledger(str(root)), run="run-2"),
}


@pytest.mark.parametrize("contact", CONTACTS)
def test_a_killed_watcher_is_noticed_by_whoever_comes_next_and_armed_again(root, thing, contact):
    fault = inject(root, thing, duration=3)["fault"]
    kill(fault)
    del file_fault_warnings[:]
    told = CONTACTS[contact](root, thing)
    words = file_fault_warnings or told[1]["notes"]
    assert "%s of run run-1 had lost its timer, which is armed again" % fault["claim"] in words
    assert not ledger.Ledger(str(root)).lost(in_place(root))
    wait_until(lambda: [one["ended_by"] for one in ended(root) if one["id"] == fault["id"]] == ["timer"], 10)
    assert not thing.exists()


def test_a_timer_that_runs_is_left_alone(root, thing):
    fault = inject(root, thing)["fault"]
    before = watcher_of(fault)
    assert recover(ledger.Ledger(str(root)), run="run-2")[1]["notes"] == [] and watcher_of(fault) == before


def test_what_outlived_its_boot_is_put_back_by_a_fault_on_another_thing(root, thing, monkeypatch):
    """A container that was started again has the boot id of before, and another first process."""
    inject(root, thing)
    monkeypatch.setattr(clock, "first_process", lambda: "4711")
    inject(root, thing.with_name("other"), run="run-2")
    assert not thing.exists() and [one["ended_by"] for one in ended(root)] == ["sweep"]


def test_an_entry_of_an_earlier_release_is_put_back(root, thing):
    """Its record lacks what later ones have."""
    fault = inject(root, thing)["fault"]
    path = pathlib.Path(folder_of(fault), "fault.json")
    record = json.loads(path.read_text())
    for name in ("first_process", "after_reboot", "lease", "leased_uptime"):
        del record[name]
    path.write_text(ledger.as_json(record))
    kill(fault)
    assert "armed again" in recover(ledger.Ledger(str(root)), run="run-2")[1]["notes"][0]
    assert recover(ledger.Ledger(str(root)), run="run-1")[1]["restored"] and not thing.exists()


WITHOUT_COLLECTION = """
import sys
sys.path[:0] = [sys.argv[1], sys.argv[2]]
from file_fault import inject
inject(sys.argv[3], sys.argv[4], duration=4)
"""


def test_the_collection_is_removed_between_injection_and_revert(root, thing, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(ROOT / "collections", copy / "collections", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "tests/unit/file_fault.py", copy)
    subprocess.run([sys.executable, "-c", WITHOUT_COLLECTION, str(copy / "collections"), str(copy), str(root), str(thing)], check=True)
    shutil.rmtree(copy)
    assert thing.exists()
    wait_until(lambda: not thing.exists() and not in_place(root), 8)
    assert ended(root)[0]["ended_by"] == "timer"


# A lease

def test_a_lease_that_nobody_renews_ends_the_fault(root, thing):
    inject(root, thing, lease=2)
    wait_until(lambda: not thing.exists() and not in_place(root), 10)
    assert ended(root)[0]["ended_by"] == "lease"
    with pytest.raises(Refused, match="never breaks it again behind your back"):
        inject(root, thing, lease=2)


def test_a_lease_holds_as_long_as_its_own_run_renews_it(root, thing):
    fault = inject(root, thing, lease=2)["fault"]
    until = time.monotonic() + 3
    while time.monotonic() < until:
        assert lease.renew("run-1", str(root)) == [fault["id"]] and lease.renew("run-2", str(root)) == []
        assert thing.exists()
        time.sleep(0.2)
    since = time.monotonic()
    assert lease.renew("run-1", str(root)) == [fault["id"]]
    wait_until(lambda: not thing.exists(), 10)
    assert time.monotonic() - since > 1.9


def test_a_lease_does_not_outlast_the_duration(root, thing):
    inject(root, thing, duration=2, lease=600)
    wait_until(lambda: not thing.exists() and not in_place(root), 10)
    assert ended(root)[0]["ended_by"] == "timer"


def test_a_task_that_lasts_renews_as_long_as_somebody_waits_for_it(root, thing, monkeypatch):
    monkeypatch.setattr(lease, "default_root", lambda: str(root))
    inject(root, thing, lease=2)
    with lease.kept("run-1"):
        time.sleep(2.6)
        assert thing.exists()
        monkeypatch.setattr(lease, "abandoned", lambda: True)
        wait_until(lambda: not thing.exists(), 10)


ABANDONED = """
import sys
sys.path.insert(0, sys.argv[1])
from ansible_collections.gameday.chaos.plugins.module_utils import lease
print(lease.abandoned(), file=sys.stderr)
sys.stdin.read()
print(lease.abandoned(), file=sys.stderr)
"""


def test_the_end_of_the_controller_is_seen_by_its_pipe():
    """The module's output leads to the connection, and so to the controller."""
    process = subprocess.Popen([sys.executable, "-c", ABANDONED, str(ROOT / "collections")], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    assert process.stderr.readline() == "False\n"
    process.stdout.close()
    process.stdin.close()
    assert process.stderr.readline() == "True\n" and process.wait() == 0
    process.stderr.close()


# The lock

def test_while_a_step_is_at_work_it_is_put_back_but_not_over(root, thing, monkeypatch):
    """The module dies, its step lives on and breaks the thing after the way back began: the way back waits, and does it once more."""
    monkeypatch.setattr(way_back, "LOCK_SECONDS", 1)
    gate = thing.with_name("gate")
    pid = os.fork()
    if pid == 0:
        try:
            inject(root, thing, inject=[["touch", str(gate)], ["sh", "-c", "sleep 2.5; touch %s" % thing]])
        finally:
            os._exit(1)
    wait_until(gate.exists)
    time.sleep(0.2)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    record, = in_place(root)
    assert ledger.Ledger(str(root)).put_back(record, "recover") is None
    assert not thing.exists() and not in_place(root)
    time.sleep(1.5)
    assert not thing.exists()


# Halted

def test_a_halted_host_refuses_faults_by_name_of_who_halted_it(root, thing):
    book = ledger.Ledger(str(root))
    assert book.halt("Ada", "an incident") is True and book.halt("Bob", "me too") is False
    for check_mode in (True, False):
        with pytest.raises(Refused, match="halted on this host by Ada at .*: an incident. Release it with playbooks/halt.yml -e release=true"):
            inject(root, thing, check_mode=check_mode)
    assert not thing.exists() and book.release() is True and book.release() is False
    assert inject(root, thing)["changed"]


def test_halted_in_the_middle_of_an_injection_it_stops_and_is_undone(root, thing):
    book, gate = ledger.Ledger(str(root)), thing.with_name("gate")

    def press():
        wait_until(gate.exists)
        book.halt("Ada", "an incident")

    thread = threading.Thread(target=press)
    thread.start()
    with pytest.raises(Refused, match="halted on this host by Ada"):
        inject(root, thing, inject=[["touch", str(gate)], ["sh", "-c", "until [ -e %s/halted ]; do sleep 0.05; done" % root], ["touch", str(thing)]])
    thread.join()
    assert not thing.exists() and not in_place(root)


def test_halting_and_injecting_at_the_same_time_leaves_nothing(root, thing):
    """Twenty faults begin while the button is pressed: each sees the marker, or is seen."""
    pids = []
    for number in range(20):
        pid = os.fork()
        if pid == 0:
            try:
                time.sleep(number * 0.01)
                inject(root, thing.with_name("file-%s" % number), run="run-%s" % number)
                os._exit(0)
            except Refused:
                os._exit(7)
            finally:
                os._exit(1)
        pids.append(pid)
    time.sleep(0.1)
    book = ledger.Ledger(str(root))
    book.halt("Ada", "an incident")
    recover(book, all=True, by="halt")
    codes = {os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids}
    assert codes <= {0, 7} and 7 in codes
    assert not in_place(root) and not list(thing.parent.glob("file-*"))


# Disk

def test_however_little_room_there_is_nothing_is_broken_or_it_is_put_back(small_disk, thing):
    """The disk is full at every step of the injection, one after the other."""
    inject(small_disk / "ledger", thing, run="first")
    recover(ledger.Ledger(str(small_disk / "ledger")), all=True)
    outcomes = set()
    for left in (0, 4096, 8192, 12288, 16384, 20480, 40960, 81920, 86016, 90112, 94208, 102400, 131072):
        with open(small_disk / "filler", "wb", buffering=0) as filler:
            room = os.statvfs(small_disk).f_bavail * 4096
            os.posix_fallocate(filler.fileno(), 0, max(4096, room - left))
        try:
            inject(small_disk / "ledger", thing, run="run-%s" % left, duration=60)
            outcomes.add("broken")
            assert thing.exists()
            assert recover(ledger.Ledger(str(small_disk / "ledger")), run="run-%s" % left)[1]["restored"]
        except (Refused, ledger.LedgerError):
            outcomes.add("refused")
        os.unlink(small_disk / "filler")
        assert not thing.exists() and not in_place(small_disk / "ledger")
    assert outcomes == {"broken", "refused"}


def test_on_a_read_only_ledger_the_timer_puts_back_once_and_closes_the_record_later(small_disk, thing):
    """What somebody does with the thing afterwards is not undone again."""
    inject(small_disk / "ledger", thing, duration=2)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    wait_until(lambda: not thing.exists(), 10)
    time.sleep(2)  # it looks whether that was enough
    thing.touch()
    time.sleep(1.5)
    assert thing.exists()
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    wait_until(lambda: not in_place(small_disk / "ledger"), 15)
    assert thing.exists() and ended(small_disk / "ledger")[0]["ended_by"] == "timer"


# No process to be had

def limited(pids):
    """Whether a group of so many processes can be made here; its folder."""
    for base in ("/sys/fs/cgroup/pids", "/sys/fs/cgroup"):
        group = pathlib.Path(base, "gameday-test-%s" % os.getpid())
        try:
            group.mkdir()
        except OSError:
            continue
        if (group / "pids.max").exists():
            (group / "pids.max").write_text(str(pids))
            return group
        group.rmdir()
    return None


@pytest.fixture
def full_table():
    """A group of processes in which not one more can be had, once it is filled; yields (enter, empty)."""
    group = limited(8)
    if group is None:
        pytest.skip("needs a control group that counts processes")
    fillers = []

    def fill(pid):
        (group / "cgroup.procs").write_text(str(pid))
        while int((group / "pids.current").read_text()) < 8:
            filler = subprocess.Popen(["sleep", "60"])
            fillers.append(filler)
            (group / "cgroup.procs").write_text(str(filler.pid))

    def empty():
        while fillers:
            fillers[0].kill()
            fillers.pop(0).wait()

    yield fill, empty
    empty()
    for pid in (group / "cgroup.procs").read_text().split():
        with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
            pathlib.Path(group.parent, "cgroup.procs").write_text(pid)
    group.rmdir()


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_a_full_table_of_processes_delays_the_way_back_and_does_not_end_it(root, thing, full_table, shell, monkeypatch):
    if not shutil.which(shell):
        pytest.skip("needs " + shell)
    real = os.execve
    monkeypatch.setattr(os, "execve", lambda path, argv, environment: real(shutil.which(shell), argv if shell == "dash" else ["sh", *argv[1:]], environment))
    fill, empty = full_table
    fault = inject(root, thing, duration=3)["fault"]
    watcher = watcher_of(fault)
    fill(watcher)
    time.sleep(4.5)
    assert thing.exists() and timer.watcher_of(folder_of(fault)) == watcher  # it cannot, and it has not given up
    empty()
    wait_until(lambda: not thing.exists() and not in_place(root), 20)
    assert ended(root)[0]["ended_by"] == "timer"


# A ledger of one's own

@pytest.mark.parametrize("how", ["link", "foreign", "open parent", "foreign parent"])
def test_a_ledger_that_others_could_replace_is_refused_and_nothing_in_it_is_run(tmp_path, thing, how):
    parent, trap = tmp_path / "parent", tmp_path / "trap"
    parent.mkdir(mode=0o700)
    root = parent / "own" / "ledger"
    entry = root / "faults" / "x"
    entry.mkdir(parents=True)
    (parent / "own").chmod(0o700)
    (entry / "revert").write_text("touch %s\n" % trap)
    for folder in (root, root / "faults"):
        folder.chmod(0o700)
    if how == "link":
        root.rename(parent / "elsewhere")
        root.symlink_to(parent / "elsewhere")
    elif how == "foreign":
        os.chown(root, 65534, 65534)
    elif how == "open parent":
        parent.chmod(0o777)
    else:
        os.chown(parent, 65534, 65534)
    for act in (lambda: inject(root, thing), lambda: recover(ledger.Ledger(str(root)), all=True)):
        with pytest.raises(ledger.LedgerError, match="somebody else|nobody else"):
            act()
    assert not trap.exists() and not thing.exists()


def test_in_a_sticky_folder_a_ledger_is_its_owners(tmp_path, thing):
    parent = tmp_path / "parent"
    parent.mkdir()
    parent.chmod(0o1777)
    assert inject(parent / "ledger", thing)["changed"]
    assert recover(ledger.Ledger(str(parent / "ledger")), all=True)[1]["restored"] and not thing.exists()


def test_the_locks_of_others_are_not_waited_for_when_a_timer_is_armed_again(root, thing):
    fault = inject(root, thing)["fault"]
    kill(fault)
    with open(fault["way_back"]) as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert ledger.Ledger(str(root)).arm_lost(in_place(root)) == []
    assert "armed again" in ledger.Ledger(str(root)).arm_lost(in_place(root))[0]
