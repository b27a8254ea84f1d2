# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs of the way back that signal processes and start them, on real processes: none that dies late, freezes late, or is there once too often."""

from __future__ import annotations

import pathlib
import platform
import subprocess
import sys
import time

import pytest
from ansible_collections.gameday.chaos.plugins.module_utils import process, way_back
from ansible_collections.gameday.chaos.plugins.module_utils.command import ask
from ansible_collections.gameday.chaos.plugins.module_utils.fault import Check, Plan
from ansible_collections.gameday.chaos.plugins.module_utils.ledger import Ledger
from ansible_collections.gameday.chaos.plugins.module_utils.verbs import VERBS
from file_fault import record_of, wait_until

from lab.local import begun

DEAF = "trap '' TERM; echo ready; sleep 60 & wait; wait; wait"
# Its parent waits until the child is done, and stops for nothing meanwhile, as one does that waits for a disk.
UNINTERRUPTIBLE = "import ctypes, time; pid = ctypes.CDLL(None).syscall(56, 0x4000 | 17, 0, 0, 0, 0); pid or time.sleep(60)"


@pytest.fixture
def started():
    """started(argv) -> (Popen, [pid, start time] as the verbs want them)."""
    children = []

    def start(*argv, **options):
        children.append(begun(*argv, start_new_session=True, **options))
        return children[-1], [str(children[-1].pid), str(process.look_at(children[-1].pid).start)]

    yield start
    for child in children:
        subprocess.run(["pkill", "-KILL", "--session", str(child.pid)], check=False)
        child.wait()


def test_what_is_asked_to_end_and_does_not_is_ended(started):
    child, identity = started("sh", "-c", DEAF, stdout=subprocess.PIPE)
    assert child.stdout.readline() == b"ready\n"
    assert ask(["signal_processes", "TERM", *identity]).code == 0
    assert ask(["gone_or_killed", "1", *identity]).code == 0
    assert child.wait(20) == -9


def test_what_has_ended_is_not_waited_for(started):
    child, identity = started("sleep", "61.73")
    assert ask(["signal_processes", "KILL", *identity]).code == 0  # not TERM, which what this process starts may have been told to ignore
    child.wait(20)
    began = time.monotonic()
    assert ask(["gone_or_killed", "50", *identity]).code == 0 and time.monotonic() - began < 25


@pytest.mark.skipif(platform.machine() != "x86_64", reason="needs the number of a system call, which is known for x86-64")
def test_one_that_will_stop_as_soon_as_its_disk_answers_is_not_whole(started):
    child, identity = started(sys.executable, "-c", UNINTERRUPTIBLE)
    wait_until(lambda: pathlib.Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text() and process.look_at(child.pid).state == "D", 20)
    assert ask(["process_states", *identity]).out.strip() == "stopped=0 running=1 gone=0"
    assert ask(["signal_processes", "STOP", *identity]).code == 0
    assert process.look_at(child.pid).state == "D" and ask(["process_states", *identity]).out.strip() == "stopped=1 running=0 gone=0"
    assert ask(["signal_processes", "CONT", *identity]).code == 0
    assert ask(["process_states", *identity]).out.strip() == "stopped=0 running=1 gone=0"


def pids_of(words):
    return subprocess.run(["pgrep", "-f", f"^{words}$"], capture_output=True, text=True).stdout.split()


@pytest.mark.parametrize("living", [0, 1, 2, 4])
def test_of_several_alike_only_those_that_are_missing_are_started(started, tmp_path, living):
    words, wanted = "sleep 60.%s" % (4710 + living), 4
    first = started(*words.split())[0]
    user, name = str(process.look_at(first.pid).user), "sleep"
    wait_until(lambda: pids_of(words), 5)
    for _ in range(living - 1):
        started(*words.split())
    if not living:
        first.kill()
        first.wait()
    plan = Plan(claim="process/several", inject=[], revert=[["start_process", "0027", "/", *words.split()]] * wanted, settle=5,
                check=Check(["processes_like", str(wanted), user, name, words.replace(" ", "")], broken=["missing"], whole=["back"]))
    ledger = Ledger(str(tmp_path / "ledger"))
    ledger.prepare()
    folder = tmp_path / "here"
    folder.mkdir()
    record = record_of(plan.claim, "run")
    (folder / "fault.json").write_text('{\n"id": "%s",\n}\n' % record["id"])
    (folder / "revert").write_text(way_back.script(record, plan, ledger.root, str(folder)))
    try:
        code, said = way_back.run(str(folder / "revert"), "hand", 30)
        assert code == 0, said
        time.sleep(0.5)
        assert len(pids_of(words)) == wanted
        assert sum(process.umask(pid) == "0027" for pid in pids_of(words)) == wanted - living, "as what was killed had it"
    finally:
        subprocess.run(["pkill", "-KILL", "-f", f"^{words}$"], check=False)


@pytest.mark.parametrize("program", ["import time; time.sleep(60.4720) ", "if True:\n    import time\n    time.sleep(60.4721)"])
def test_a_command_with_blanks_where_sh_would_drop_them_is_known_again(started, program):
    child = started(sys.executable, "-c", program)[0]
    found = process.look_at(child.pid)
    text = process.as_sh_reads(found.command.decode())
    assert ask(["processes_like", "1", str(found.user), found.name, text]).out == "back"
    assert ask(["processes_like", "1", str(found.user), found.name, text.strip() if text.endswith(" ") else text.replace("    ", "")]).out == "missing"


def test_the_end_of_a_load_is_known_beside_a_process_whose_name_has_two_lines(started, tmp_path):
    """In the way back, where a variable that is not set is the end."""
    stranger = started(sys.executable, "-c", "open('/proc/self/comm', 'w').write('two\\nlines'); print(flush=True); import time; time.sleep(60)",
                       stdout=subprocess.PIPE)[0]
    assert stranger.stdout.readline() and "\n" in process.look_at(stranger.pid).name
    load = str(tmp_path / "load")
    assert ask(["start_load", load, "--", "sleep", "60.4722"]).code == 0
    for end, expected in (("", "running"), ('end_load "$1"; ', "ended")):
        done = subprocess.run(["sh", "-ufc", "limit=\n" + VERBS + end + 'load_state "$1"; echo "$seen"', "sh", load], capture_output=True, text=True)
        assert done.stdout.startswith(expected), done
