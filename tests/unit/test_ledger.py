"""The ledger's rules, kept with a real fault on a file, real processes and a real clock."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import time

import pytest
from ansible_collections.gameday.chaos.plugins.module_utils import clock, ledger, timer
from ansible_collections.gameday.chaos.plugins.module_utils.fault import FaultRun, Refused
from ansible_collections.gameday.chaos.plugins.module_utils.recovery import recover
from file_fault import alive, by_hand, end, fault_run, in_place, inject, wait_until, watcher_of


def test_a_fault_is_injected_proved_and_put_back(root, thing):
    result = inject(root, thing)
    assert result["changed"] and result["fault"]["verified"] and thing.exists()
    ended = end(root, thing)
    assert ended["changed"] and ended["fault"]["ended_by"] == "state=absent" and not thing.exists()
    assert end(root, thing)["changed"] is False


def test_what_somebody_else_repaired_before_is_told(root, thing):
    inject(root, thing)
    thing.unlink()
    assert end(root, thing)["fault"]["lasted"] is False
    inject(root, thing)
    assert end(root, thing)["fault"]["lasted"] is True


def test_the_timer_puts_back_within_half_a_second(root, thing):
    for duration in (2, 3, 4):
        inject(root, thing.with_name("file-%s" % duration), duration=duration)
    wait_until(lambda: in_place(root) == [], 15)
    records = ledger.Ledger(str(root)).history()
    assert [record["ended_by"] for record in records] == ["timer"] * 3 and not list(thing.parent.iterdir())
    late = [record["ended_uptime"] - record["ends_uptime"] for record in records]
    assert 0 <= min(late) < 50, late  # a busy machine may hold up one


def test_again_within_the_duration_changes_nothing_and_does_not_extend_it(root, thing):
    first = inject(root, thing)["fault"]
    again = inject(root, thing)
    assert again["changed"] is False and again["fault"]["ends"] == first["ends"] and again["fault"]["id"] == first["id"]


@pytest.mark.parametrize("other", [{"run": "run-2"}, {"duration": 20}])
def test_a_second_fault_on_the_claim_is_refused_with_the_holders_name(root, thing, other):
    inject(root, thing)
    with pytest.raises(Refused, match="held by fault_file of run run-1 until"):
        inject(root, thing, **other)


def test_what_another_fault_holds_besides_is_refused_too(root, thing):
    inject(root, thing, holds=["pid 1"])
    with pytest.raises(Refused, match="pid 1 is held"):
        inject(root, thing.with_name("other"), holds=["pid 1"])
    assert not thing.with_name("other").exists()


def test_the_same_run_never_injects_again_after_the_time_is_over(root, thing):
    inject(root, thing, duration=2)
    wait_until(lambda: in_place(root) == [], 10)
    with pytest.raises(Refused, match="never breaks it again behind your back"):
        inject(root, thing, duration=2)
    assert inject(root, thing, run="run-2")["changed"]


def test_of_six_at_once_one_gets_the_claim(root, thing):
    pids = []
    for number in range(6):
        pid = os.fork()
        if pid == 0:
            try:
                inject(root, thing, run="run-%s" % number)
                os._exit(0)
            except Refused:
                os._exit(7)
            finally:
                os._exit(1)
        pids.append(pid)
    assert sorted(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids) == [0, 7, 7, 7, 7, 7]


def test_check_mode_writes_nothing(root, thing):
    result = fault_run(root, thing, check_mode=True).present()
    assert result["fault"]["state"] == "planned" and "way back: rm -f" in result["diff"]["after"]
    assert not root.exists() and not thing.exists()


def test_a_failing_step_is_undone_at_once(root, thing):
    with pytest.raises(Refused, match="is undone"):
        inject(root, thing, inject=[["touch", str(thing)], ["false"]])
    assert not thing.exists() and in_place(root) == []


def test_a_fault_without_effect_is_no_fault(root, thing):
    with pytest.raises(Refused, match="shows no effect"):
        inject(root, thing, inject=[["true"]])
    assert in_place(root) == []


def test_without_an_armed_timer_nothing_is_broken(root, thing, monkeypatch):
    def refuse(*arguments):
        raise timer.NotArmed("no timer today")

    monkeypatch.setattr(timer, "arm", refuse)
    with pytest.raises(Refused, match="could not be armed"):
        inject(root, thing)
    assert not thing.exists() and in_place(root) == []


CRASHES = {
    "before the record": (ledger.Ledger, "write", 1, False),
    "before the timer": (timer, "arm", 1, False),
    "between the timer and the record": (os, "rename", 1, False),
    "after the record": (ledger, "sync", 5, False),
    "before the injection": (ledger.Ledger, "lock", 1, False),
    "between two steps": (FaultRun, "ours", 2, True),
    "before the proof of effect": (FaultRun, "effect", 1, True),
    "before the record is completed": (ledger.Ledger, "update", 1, True),
}


@pytest.mark.parametrize("moment", CRASHES)
def test_a_module_killed_at_any_step_leaves_nothing_behind(root, thing, moment):
    """Killed with SIGKILL just there. The host's timer leaves the host clean, and the ledger empty."""
    holder, name, turn, breaks = CRASHES[moment]
    pid = os.fork()
    if pid == 0:
        real, calls = getattr(holder, name), []

        def die(*arguments, **named):
            calls.append(1)
            if len(calls) == turn:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **named)

        try:
            setattr(holder, name, die)
            inject(root, thing, duration=2, inject=[["touch", str(thing)], ["true"]])
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    assert thing.exists() == breaks
    wait_until(lambda: not thing.exists() and in_place(root) == [], 10)
    assert recover(ledger.Ledger(str(root)), run="run-1")[1]["restored"]
    assert inject(root, thing, run="run-2")["changed"]


def test_what_a_module_left_that_was_killed_before_its_record_was_there_goes_with_the_next_recover(root, thing, monkeypatch):
    pid = os.fork()
    if pid == 0:
        try:
            monkeypatch.setattr(os, "rename", lambda *_names: os.kill(os.getpid(), signal.SIGKILL))
            inject(root, thing, duration=1)
        finally:
            os._exit(1)
    os.waitpid(pid, 0)
    aside = [name for name in os.listdir(root) if name.startswith(".new-")]
    assert len(aside) == 1 and not thing.exists()
    recover(ledger.Ledger(str(root)), run="run-1")
    assert aside == [name for name in os.listdir(root) if name.startswith(".new-")], "it could still come into its place"
    time.sleep(1.1)
    monkeypatch.setattr(ledger, "GRACE", 0)
    recover(ledger.Ledger(str(root)), run="run-1")
    assert [name for name in os.listdir(root) if name.startswith(".new-")] == []


def test_a_killed_timer_is_made_good_by_the_next_contact(root, thing, monkeypatch):
    fault = inject(root, thing, duration=2)["fault"]
    os.killpg(watcher_of(fault), signal.SIGKILL)
    time.sleep(2.2)
    assert thing.exists()
    monkeypatch.setattr(ledger, "GRACE", 0)
    recover(ledger.Ledger(str(root)), run="another run")
    assert not thing.exists()


def test_an_entry_of_an_earlier_boot_is_swept(root, thing, monkeypatch):
    inject(root, thing)
    monkeypatch.setattr(clock, "boot_id", lambda: "another boot")
    changed, _ = recover(ledger.Ledger(str(root)), run="run-9")
    assert changed and not thing.exists()


def test_the_timer_forks_nothing_to_wait_and_a_signal_does_not_fire_it_early(root, thing):
    watcher = watcher_of(inject(root, thing, duration=3)["fault"])
    for number in (signal.SIGALRM, signal.SIGHUP, signal.SIGINT):
        os.kill(watcher, number)
    time.sleep(0.5)
    assert not subprocess.run(["ps", "-o", "pid=", "--ppid", str(watcher)], capture_output=True, text=True, check=False).stdout
    assert thing.exists() and alive(watcher)
    wait_until(lambda: not thing.exists(), 10)


def test_recovering_early_leaves_no_timer_behind(root, thing):
    watcher = watcher_of(inject(root, thing)["fault"])
    end(root, thing)
    wait_until(lambda: not alive(watcher), 2)


def test_a_stale_timer_does_nothing_to_a_newer_fault_on_the_claim(root, thing):
    with open(inject(root, thing)["fault"]["way_back"]) as source:
        stale = source.read()
    end(root, thing)
    inject(root, thing, run="run-2")
    assert by_hand("-c", stale, "sh", "timer").returncode == 0 and thing.exists()


def test_the_way_back_waits_for_a_running_injection_which_stops_when_its_time_is_over(root, thing):
    with pytest.raises(Refused, match="no answer within|time was over"):
        inject(root, thing, duration=2, inject=[["touch", str(thing)], ["sleep", "3"], ["touch", str(thing)]])
    assert not thing.exists() and in_place(root) == []


def test_by_hand_it_says_what_it_did_and_is_safe_twice(root, thing):
    way_back = inject(root, thing)["fault"]["way_back"]
    with open(way_back) as source:
        text = source.read()
    told = by_hand(way_back, "state")
    assert told.returncode == 0 and "still in place" in told.stdout
    first = by_hand(way_back)
    assert first.returncode == 0 and "put back" in first.stdout and not thing.exists()
    twice = by_hand("-c", text)
    assert twice.returncode == 0 and "has ended" in twice.stdout


def test_a_failing_way_back_keeps_the_record_says_what_is_wrong_and_is_tried_again(root, thing, tmp_path):
    gate = tmp_path / "gate"
    fault = inject(root, thing, duration=2, settle=0, revert=[["false"], ["sh", str(gate)]])["fault"]
    time.sleep(2.3)
    done = by_hand(fault["way_back"])
    assert done.returncode == 1 and "still in place" in done.stderr and "step failed (1): " in done.stderr
    assert thing.exists() and os.path.exists(fault["way_back"])
    gate.write_text("rm -f %s\n" % thing)
    wait_until(lambda: not thing.exists() and in_place(root) == [], 15)


def test_a_question_that_cannot_be_asked_is_not_taken_for_restored(root, thing, tmp_path):
    fault = inject(root, thing)["fault"]
    thing.unlink()
    thing.parent.rename(tmp_path / "elsewhere")
    done = by_hand(fault["way_back"])
    assert done.returncode == 1 and os.path.exists(fault["way_back"])
    (tmp_path / "elsewhere").rename(thing.parent)


def test_a_file_of_ours_that_the_answer_does_not_tell_of_is_not_left(root, thing):
    """As when a module is killed after its first step: the thing itself is as it was."""
    first = thing.with_name("first step")
    inject(root, thing, duration=3, absent=[str(first)], inject=[["touch", str(first)], ["touch", str(thing)]], revert=[["rm", "-f", str(thing), str(first)]])
    thing.unlink()
    told = subprocess.run(["sh", os.path.join(in_place(root)[0]["folder"], "revert"), "state"], capture_output=True, text=True)
    assert told.returncode == 0 and "first step is there" in told.stdout, told
    wait_until(lambda: in_place(root) == [], 10)
    assert not first.exists()


def test_no_secret_is_in_the_ledger_and_nobody_else_can_read_it(root, thing):
    folder = os.path.dirname(inject(root, thing)["fault"]["way_back"])
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), "rb") as source:
            assert b"hunter2" not in source.read()
        assert stat.S_IMODE(os.stat(os.path.join(folder, name)).st_mode) & 0o077 == 0
    for path in (str(root), str(root / "faults"), folder):
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o700


def test_a_ledger_that_others_could_write_to_is_refused(root, thing):
    root.mkdir()
    root.chmod(0o777)
    with pytest.raises(ledger.LedgerError, match="nobody else can write to"):
        inject(root, thing)
    root.chmod(0o700)


def test_an_unwritable_ledger_refuses_before_anything_is_touched(tmp_path, thing):
    blocked = tmp_path / "file-in-the-way"
    blocked.write_text("")
    with pytest.raises(ledger.LedgerError, match="must be a folder"):
        inject(blocked, thing)
    assert not thing.exists()


CLAIMS = ["a/b", "a-b", "a%2Fb", ".", "..", "../../etc", "a b", "a\nb", "é", "x" * 300, "x" * 301, "'; rm -rf /; '", "{{ 1 }}", "A/B"]


def test_claims_are_safe_folder_names_and_never_collide():
    names = [ledger.folder_name(claim) for claim in CLAIMS]
    assert len(set(names)) == len(CLAIMS)
    for name in names:
        assert "/" not in name and not name.startswith(".") and name.isprintable() and len(name.encode()) < 255


@pytest.mark.parametrize("text", ["it's", 'a "b"', "$(touch pwned)", "a\nfalse", "`id`", "st*r", "ünïcode", "{{ 7 * 7 }}", "a&b;c|d", "-rf"])
def test_free_text_stays_data_in_the_way_back(root, tmp_path, text):
    folder = tmp_path / "things"
    folder.mkdir()
    thing = folder / text.replace("*", "")
    inject(root, thing, run=text)
    assert thing.exists()
    assert recover(ledger.Ledger(str(root)), run=text)[1]["restored"] and not thing.exists()


def test_the_record_is_readable_json_with_the_plan(root, thing):
    with open(os.path.join(os.path.dirname(inject(root, thing)["fault"]["way_back"]), "fault.json")) as source:
        record = json.load(source)
    assert record["claim"] == "file/%s" % thing and record["inject"] == ["touch %s" % thing] and record["run"] == "run-1"
    assert record["boot_id"] == clock.boot_id() and record["begin"] and record["before"]


def test_a_full_disk_cannot_stop_the_way_back(small_disk, thing):
    fault = inject(small_disk / "ledger", thing)["fault"]
    with open(small_disk / "filler", "wb", buffering=0) as filler, pytest.raises(OSError):
        while True:
            filler.write(b"x" * 4096)
    done = by_hand(fault["way_back"])
    assert done.returncode == 0 and not thing.exists()
    assert ledger.Ledger(str(small_disk / "ledger")).history()[0]["ended_by"] == "hand"


def test_on_a_read_only_ledger_the_thing_is_put_back_and_the_record_is_said_to_stay(small_disk, thing):
    fault = inject(small_disk / "ledger", thing)["fault"]
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    done = by_hand(fault["way_back"])
    assert done.returncode == 3 and "cannot be moved away" in done.stderr and not thing.exists()
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    assert recover(ledger.Ledger(str(small_disk / "ledger")), run="run-1")[1]["restored"]


def test_the_history_is_kept_short(root, thing, monkeypatch):
    monkeypatch.setattr(ledger, "KEEP_ENDED", 3)
    for number in range(6):
        inject(root, thing, run="run-%s" % number)
        end(root, thing, run="run-%s" % number)
    assert len(ledger.Ledger(str(root)).history()) <= 4


def test_starts_at_waits_for_the_instant_and_counts_from_it(root, thing):
    instant = clock.at_uptime(clock.uptime() + 100)
    fault = inject(root, thing, starts_at=clock.iso(instant), duration=5)["fault"]
    assert -0.05 < (clock.parse(fault["begin"]) - instant).total_seconds() < 3
    assert abs((clock.parse(fault["ends"]) - instant).total_seconds() - 5) < 0.2


def test_a_thing_changed_meanwhile_by_others_is_told_and_one_of_ours_is_residue():
    from ansible_collections.gameday.chaos.plugins.module_utils import recovery

    record = {"claim": "container/db", "areas": {"containers": ["db"]}, "containers_command": ["docker"],
              "before": {"containers": {"db": "1 running", "web": "2 running", "gone": "3 running"}}}
    pictures = {"containers": {"db": "1 exited", "web": "2 exited"}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recovery.fingerprint, "take", lambda areas, command: pictures)
        residue, notes = recovery.proof([record])
    assert residue == ["container/db: containers db: 1 running before, 1 exited now"]
    assert len(notes) == 2 and "web" in " ".join(notes)


def test_an_unreadable_record_does_not_stop_the_way_back(root, thing):
    """A disk that eats the record eats no promise: the timer, a person and recover all need only the way back itself."""
    fault = inject(root, thing, duration=2)["fault"]
    with open(os.path.join(os.path.dirname(fault["way_back"]), "fault.json"), "w"):
        pass
    told = recover(ledger.Ledger(str(root)), run="run-1")[1]
    assert not told["restored"] and "has no readable record" in told["residue"][0]
    wait_until(lambda: not thing.exists() and ledger.Ledger(str(root)).is_empty(), 10)
    fault = inject(root, thing, run="run-2")["fault"]
    os.unlink(os.path.join(os.path.dirname(fault["way_back"]), "fault.json"))
    assert recover(ledger.Ledger(str(root)), all=True)[1]["restored"] and not thing.exists()


def test_a_name_that_is_not_utf8_spoils_no_result(root, tmp_path):
    """Ansible refuses a result with such a name as a whole, after the injection."""
    folder = os.fsencode(tmp_path / "things")
    os.mkdir(folder)
    path = os.fsdecode(folder + b"/sl\xff")
    fault = inject(root, path)["fault"]
    json.dumps(fault, ensure_ascii=False).encode()
    assert os.path.exists(os.fsencode(path))
    changed, recovery = recover(ledger.Ledger(str(root)), run="run-1")
    json.dumps(recovery, ensure_ascii=False).encode()
    assert changed and recovery["restored"] and not os.path.exists(os.fsencode(path))
