"""Before anything is broken the way back is asked whether it would know that it is done, on the host as it is."""

from __future__ import annotations

import os
import signal
import time

import pytest
from ansible_collections.gameday.chaos.plugins.module_utils import clock, recovery, timer, way_back
from ansible_collections.gameday.chaos.plugins.module_utils.fault import Refused
from ansible_collections.gameday.chaos.plugins.module_utils.ledger import LedgerError
from file_fault import end, in_place, inject

IS_THERE = '[ ! -e "$0" ] || printf broken'


def refused(root, thing, words, **params):
    with pytest.raises(LedgerError, match=words) as error:
        inject(root, thing, **params)
    assert "nothing was touched" in str(error.value) and in_place(root) == []
    assert [name for name in os.listdir(root) if name.startswith(".")] == [], "nothing waits for it either"


def test_what_a_program_says_beside_its_answer_is_no_part_of_it(root, thing):
    inject(root, thing, question=["sh", "-c", "echo WARNING: no config file >&2; " + IS_THERE, str(thing)])
    assert thing.exists()
    assert end(root, thing)["changed"] and not thing.exists()


def test_a_question_that_needs_our_environment_is_refused(root, thing, monkeypatch):
    monkeypatch.setenv("ENGINE", "here")
    refused(root, thing, "would not know when it is done.*is told 'no engine'",
            question=["sh", "-c", '[ -n "${ENGINE:-}" ] || echo no engine; ' + IS_THERE, str(thing)])
    assert not thing.exists()


def test_a_question_that_needs_our_search_path_is_refused(root, thing, tmp_path, monkeypatch):
    (tmp_path / "ask-it").write_text("#!/bin/sh\n" + IS_THERE.replace("$0", "$1"))
    (tmp_path / "ask-it").chmod(0o755)
    monkeypatch.setenv("PATH", "%s:%s" % (tmp_path, os.environ["PATH"]))
    refused(root, thing, "ask-it.*(not found|No such file)", question=["ask-it", str(thing)])


def test_a_thing_that_is_broken_already_is_refused(root, thing):
    thing.touch()
    refused(root, thing, "is told 'broken', which should be ''")
    assert thing.exists(), "it was not ours"


def test_what_a_fault_left_whose_record_was_lost_may_be_replaced(root, thing):
    thing.touch()
    inject(root, thing, left=["brok*"])
    assert end(root, thing)["changed"] and not thing.exists()


@pytest.mark.parametrize("late", ["before the record is in place", "with the record"])
def test_a_fault_whose_timer_came_before_its_record_breaks_nothing(late, root, thing, monkeypatch):
    """That timer has found nothing to do, and does not come again."""
    real, place = (timer.arm, "arm") if late.startswith("before") else (timer.arm_more, "arm_more")

    def slow(*arguments):
        real(*arguments)
        time.sleep(1.2)

    monkeypatch.setattr(timer, place, slow)
    with pytest.raises(LedgerError, match="its time was over before its record was in place.*Nothing was broken"):
        inject(root, thing, duration=1, inject=[["sh", "-c", 'touch "$0" "$0.once"', str(thing)]])
    assert not thing.exists() and not os.path.exists(str(thing) + ".once") and in_place(root) == []


@pytest.mark.parametrize(("name", "words"), [("flock", "flock cannot wait"), ("timeout", "timeout cannot kill")])
def test_tools_that_do_not_know_what_the_way_back_needs_are_refused(name, words, root, thing, tmp_path, monkeypatch):
    """As older ones of BusyBox are."""
    (tmp_path / name).write_text("#!/bin/sh\necho 'unrecognized option: w' >&2\nexit 1\n")
    (tmp_path / name).chmod(0o755)
    monkeypatch.setattr(way_back, "PATH", "%s:%s" % (tmp_path, way_back.PATH))
    refused(root, thing, words)


def test_what_the_way_back_starts_hears_signals_again(root, thing, tmp_path):
    """While the module puts back after a failed injection, it hears none itself."""
    seen = tmp_path / "seen"
    with pytest.raises(Refused, match="is undone"):
        inject(root, thing, inject=[["touch", str(thing)], ["false"]],
               revert=[["rm", "-f", str(thing)], ["sh", "-c", 'grep SigIgn: /proc/self/status >"$0"', str(seen)]])
    ignored = int(seen.read_text().split()[1], 16)
    assert not any(ignored >> (number - 1) & 1 for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP))


@pytest.mark.parametrize(("ago", "boot", "residue"), [(10, None, 1), (7200, None, 0), (10, "an earlier one", 0)])
def test_what_changed_long_after_a_fault_is_told_and_is_no_residue(ago, boot, residue, monkeypatch):
    now = clock.uptime() + 10000 * 100
    monkeypatch.setattr(clock, "uptime", lambda: now)
    monkeypatch.setattr(recovery.fingerprint, "take", lambda areas, command: {"containers": {"db": "exited"}})
    record = {"claim": "container/db", "areas": {"containers": ["db"]}, "containers_command": ["docker"], "before": {"containers": {"db": "running"}},
              "ended_uptime": now - ago * 100, "ended_boot": boot or clock.boot_id(), "ends": "2030-01-31T12:00:00+00:00"}
    found, notes = recovery.proof([record])
    assert len(found) == residue and len(notes) == 1 - residue
    assert residue or "the fault container/db was put back more than an hour ago" in notes[0]


@pytest.mark.parametrize(("area", "thing", "gone"), [("qdiscs", "lo root 0:", False), ("qdiscs", "tun77 root 0:", True), ("containers", "db", True),
                                                     ("processes", "sleep (pid 1)", False)])
def test_a_thing_that_is_no_more_leaves_nothing_behind(area, thing, gone):
    assert recovery.fingerprint.is_no_more(area, thing) is gone
