"""One experiment per host at a time: who has it, for how long, and who may take it over, with real files, users and processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading

import pytest
from ansible_collections.gameday.chaos.plugins.module_utils import clock, reservation
from ansible_collections.gameday.chaos.plugins.module_utils.ledger import Ledger, LedgerError
from ansible_collections.gameday.chaos.plugins.module_utils.reservation import Reservation, Reserved
from ansible_collections.gameday.chaos.plugins.plugin_utils import controller

NOBODY = 65534


def nobody_else():
    return []


@pytest.fixture
def host(tmp_path):
    return Reservation(Ledger(str(tmp_path / "ledger")), nobody_else)


def test_a_second_run_is_refused_and_told_who_has_the_host(host):
    host.take("one", 60, who="ada@control")
    with pytest.raises(Reserved) as refused:
        host.take("two", 60)
    assert refused.value.holder["run"] == "one" and refused.value.holder["who"] == "ada@control"
    assert clock.parse(refused.value.holder["until"]) > clock.now()


def test_the_same_run_has_it_for_longer_and_releases_it(host):
    first = host.take("one", 60)
    assert host.take("one", 90)["until_uptime"] > first["until_uptime"]
    assert host.release("another") is False and host.holder() is not None
    assert host.release("one") is True and host.release("one") is False
    assert host.take("two", 60)["run"] == "two"


def test_it_is_over_by_itself_and_after_a_reboot(host):
    host.take("one", 0.01)
    while clock.uptime() < json.loads(open(host.path).read())["until_uptime"]:
        pass
    assert host.take("two", 60)["run"] == "two"
    record = json.loads(open(host.path).read())
    open(host.path, "w").write(json.dumps({**record, "boot_id": "an earlier one"}))
    assert host.take("three", 60)["run"] == "three"


def test_it_is_taken_over_only_from_the_run_that_is_named(host):
    host.take("one", 60)
    with pytest.raises(Reserved):
        host.take("two", 60, instead_of="three")
    assert host.take("two", 60, instead_of="one")["run"] == "two"


def test_of_many_at_once_one_gets_it(host):
    results = []

    def attempt(number):
        try:
            results.append(Reservation(host.ledger, nobody_else).take("run %s" % number, 60)["run"])
        except Reserved:
            pass

    threads = [threading.Thread(target=attempt, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 1 and host.holder()["run"] == results[0]


def test_of_two_users_one_sees_the_other(tmp_path):
    theirs, ours = Ledger(str(tmp_path / "theirs")), Ledger(str(tmp_path / "ours"))
    Reservation(theirs, nobody_else).take("one", 60)
    with pytest.raises(Reserved):
        Reservation(ours, lambda: [(theirs.root, os.geteuid())]).take("two", 60)
    assert not os.path.exists(os.path.join(ours.root, reservation.NAME))


def test_two_users_who_try_at_once_never_both_have_it(tmp_path):
    """The other one writes between our look and our writing: the second look finds it, and ours is withdrawn."""
    theirs, ours = Ledger(str(tmp_path / "theirs")), Ledger(str(tmp_path / "ours"))
    mine = Reservation(ours, lambda: [(theirs.root, os.geteuid())])
    write = mine.write

    def write_later(record):
        Reservation(theirs, nobody_else).take("one", 60)
        write(record)

    mine.write = write_later
    with pytest.raises(Reserved):
        mine.take("two", 60)
    assert not os.path.exists(mine.path)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to make files of other users")
@pytest.mark.parametrize("what", ["of another user", "a link", "a pipe", "too large", "no JSON", "half a record", "no text"])
def test_what_somebody_else_could_have_put_there_holds_nobody_up(tmp_path, what):
    folder = tmp_path / "ledger"
    Reservation(Ledger(str(folder)), nobody_else).take("one", 60)
    path = str(folder / reservation.NAME)
    assert reservation.read(path, 0)["run"] == "one"
    text = open(path).read()
    if what == "of another user":
        os.chown(path, NOBODY, NOBODY)
    elif what in ("a link", "a pipe"):
        os.rename(path, path + ".real")
        os.symlink(path + ".real", path) if what == "a link" else os.mkfifo(path)
    else:
        spoiled = {"too large": text + " " * 20000, "no JSON": text[1:], "half a record": '{"run": "one"}', "no text": b"\xff\xfe\x00"}[what]
        open(path, "wb").write(spoiled if isinstance(spoiled, bytes) else spoiled.encode())
    assert reservation.read(path, 0) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be somebody else")
def test_an_ordinary_user_can_see_roots_reservation_and_nothing_else():
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        ledger = Ledger(os.path.join(folder, "ledger"))
        Reservation(ledger, nobody_else).take("one", 60)
        look = "import os, sys; os.setuid(65534); print(open(sys.argv[1] + '/reservation.json').read()); os.listdir(sys.argv[1])"
        ran = subprocess.run([sys.executable, "-c", look, ledger.root], capture_output=True, text=True, cwd="/")
    assert '"run": "one"' in ran.stdout and "PermissionError" in ran.stderr


def test_a_ledger_that_cannot_be_written_reserves_nothing(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError):
        Reservation(Ledger(str(tmp_path / "file")), nobody_else).take("one", 60)


# Whose reservation may be taken over, as the controller sees it

def test_a_controller_that_lives_is_asked_for_patience_and_a_dead_one_for_nothing():
    own = controller.this_process(os.getpid())
    other = subprocess.Popen(["sleep", "60"])
    try:
        theirs = controller.this_process(other.pid)
        assert not controller.nobody_runs({"controller": theirs}, own)
    finally:
        other.kill()
        other.wait()
    assert controller.nobody_runs({"controller": theirs}, own)


def test_only_of_this_machine_can_be_told_that_nobody_runs_it():
    own = controller.this_process(os.getpid())
    assert controller.nobody_runs({"controller": own}, own), "an earlier run of this very playbook"
    assert controller.nobody_runs({"controller": {**own, "started": 1}}, own), "the number was given to another process"
    for unknown in ({}, {"controller": None}, {"controller": {**own, "machine": "another"}}, {"controller": {"machine": own["machine"]}}):
        assert not controller.nobody_runs(unknown, own)
