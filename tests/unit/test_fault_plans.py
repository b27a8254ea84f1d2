"""Each row of the table of faults: what it would do, or why it is refused. Nothing is run."""

from __future__ import annotations

import importlib
import os
import shutil
import signal
import socket
import subprocess
from types import SimpleNamespace

import pytest
from ansible_collections.gameday.chaos.plugins.module_utils import container as container_of
from ansible_collections.gameday.chaos.plugins.module_utils import process, way_back
from ansible_collections.gameday.chaos.plugins.module_utils.command import Answer
from ansible_collections.gameday.chaos.plugins.module_utils.fault import FAULT_OPTIONS, Refused

from lab.local import begun
from plans import REFUSED, TABLE
from plans.fault_container import container

PREFIX = "ansible_collections.gameday.chaos.plugins.modules."
SLEEP = shutil.which("sleep")


@pytest.fixture
def sleeper(tmp_path):
    """A process that sleeps, listens on a port and has a pid file; as what the rows call it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        running = begun("sleep", "500.61", pass_fds=[listener.fileno()])
    pid_file = tmp_path / "sleep.pid"
    pid_file.write_text("%s\n" % running.pid)
    yield {"pid": running.pid, "umask": process.umask(running.pid), "start": process.look_at(running.pid).start, "pid_file": str(pid_file), "port": port,
           "hexadecimal": "%04X" % port, "user": os.geteuid(), "stress": shutil.which("stress-ng") or "stress-ng",
           "state": "/var/lib",
           "shm": os.stat("/dev/shm").st_dev}
    running.kill()
    running.wait()


@pytest.fixture
def groups(tmp_path):
    """A folder that stands for the control groups of a container."""
    folder = tmp_path / "groups"
    folder.mkdir()
    for name, value in (("cpu.max", "max 100000"), ("pids.max", "max")):
        (folder / name).write_text(value + "\n")
    return str(folder)


@pytest.fixture
def planned(monkeypatch):
    """planned(fault, params, look) -> (plan, the claim as it is asked for)"""
    def planned(fault, params, look):
        module = importlib.import_module(PREFIX + fault)
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        if fault == "fault_container":
            monkeypatch.setattr(module.container, "find_tool", lambda name: "/usr/bin/" + name)
        monkeypatch.setattr(container_of, "require_local", lambda found: None)
        if hasattr(module, "new_id"):
            monkeypatch.setattr(module, "new_id", lambda: "0123456789ab")
        if hasattr(module, "connection"):
            monkeypatch.setattr(module.connection, "controllers", lambda: [("203.0.113.9", 22)])
        if fault == "fault_disk":  # half of a gigabyte is free, and 600 of 1000 inodes
            monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(
                f_frsize=4096, f_blocks=262144, f_bfree=131072, f_bavail=118000, f_files=1000, f_ffree=600, f_favail=600))
        options = {**FAULT_OPTIONS, **module.OPTIONS}
        assert set(params) <= set(options)
        given = {**{name: option.get("default") for name, option in options.items()}, "duration": 30, **params}

        def answer(argv):
            said = look[way_back.quote(argv)]
            return said if isinstance(said, Answer) else Answer(0, said, "")

        return module.plan(given, answer), module.claim(given, answer)

    for name in [name for name in os.environ if name.startswith("DOCKER_")]:
        monkeypatch.delenv(name)
    return planned


def filled(value, names):
    if isinstance(value, str):
        return int(value.format(**names)) if value == "{port}" else value.format(**names) if "{" in value else value
    return [filled(one, names) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("row", TABLE, ids=[row.what for row in TABLE])
def test_a_fault_is_this_plan(row, planned, sleeper, groups, monkeypatch):
    sleeper["groups"] = groups
    monkeypatch.setattr(container_of, "cgroups_of", lambda pid: dict.fromkeys(("cpu", "memory", "pids"), groups))
    plan, claim = planned(row.fault, {name: filled(value, sleeper) for name, value in row.params.items()}, row.look)
    assert plan.claim == claim == filled(row.claim, sleeper)
    assert [way_back.quote(argv) for argv in plan.inject] == [words(one, sleeper) for one in row.inject]
    assert [way_back.quote(argv) for argv in plan.revert] == [words(one, sleeper) for one in row.revert]
    assert way_back.quote(plan.check.argv) == words(row.check, sleeper)
    assert (plan.check.broken, plan.check.whole, plan.check.absent, plan.check.gone) == (row.broken, row.whole, row.absent, row.gone)
    assert set(plan.holds) == set(filled(row.holds, sleeper))
    assert plan.target and plan.areas


def words(text, names):
    return text.format(**names)


def test_the_engine_is_spelled_out_since_the_way_back_has_no_environment(planned, monkeypatch):
    look = {text.replace("docker ", "docker --host tcp://x:1 "): answer for text, answer in container().items()}
    by_option = planned("fault_container", {"name": "db", "docker_host": "tcp://x:1"}, look)[0]
    monkeypatch.setenv("DOCKER_HOST", "tcp://x:1")
    by_environment = planned("fault_container", {"name": "db"}, look)[0]
    for plan in (by_option, by_environment):
        assert {tuple(argv[:3]) for argv in (*plan.inject, *plan.revert, plan.check.argv)} == {("/usr/bin/docker", "--host", "tcp://x:1")}


@pytest.mark.parametrize(("environment", "words"), [
    ({"DOCKER_CONTEXT": "rootless"}, ["--context", "rootless"]),
    ({"DOCKER_CONTEXT": "rootless", "DOCKER_HOST": "tcp://x:1"}, ["--host", "tcp://x:1"]),
    ({"DOCKER_CONFIG": "/c", "DOCKER_TLS_VERIFY": "1"}, ["--config", "/c", "--tlsverify"]),
    ({"HOME": "/no/such"}, []),
    ({"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "{home}"}, ["--tlsverify", "--tlscacert", "{home}/ca.pem"]),
    ({"HOME": "{home}"}, ["--config", "{home}/.docker"]),
])
def test_all_that_dockers_client_reads_in_its_environment_is_spelled_out(environment, words, planned, tmp_path, monkeypatch):
    (tmp_path / ".docker").mkdir()
    (tmp_path / "ca.pem").touch()
    for name, value in environment.items():
        monkeypatch.setenv(name, value.format(home=tmp_path))
    assert container_of.from_environment() == [word.format(home=tmp_path) for word in words]
    assert not {"--host", "--context"} & set(container_of.from_environment(given=["--host=tcp://y:1"])), "what is given is as it is"


def test_what_starts_a_process_again_is_written_with_its_path_since_the_way_back_has_no_search_path(planned, sleeper, tmp_path, monkeypatch):
    (tmp_path / "start-it").symlink_to(SLEEP)
    monkeypatch.setenv("PATH", "%s:%s" % (tmp_path, os.environ["PATH"]))
    plan = planned("fault_process", {"pid_file": sleeper["pid_file"], "action": "kill", "restart": ["start-it", "500.61"]}, {})[0]
    assert [way_back.quote(argv) for argv in plan.revert] == ["start_process %s / %s/start-it 500.61" % (sleeper["umask"], tmp_path)]


def test_several_processes_alike_are_broken_together_and_brought_back_one_for_one(planned):
    pair = [begun("sleep", "500.62") for _ in range(2)]
    identities = " ".join("%s %s" % (one.pid, process.look_at(one.pid).start) for one in sorted(pair, key=lambda one: one.pid))
    killed = planned("fault_process", {"pattern": "^sleep 500.62$", "count": 2, "action": "kill", "restart": [SLEEP, "500.62"]}, {})[0]
    frozen = planned("fault_process", {"pattern": "^sleep 500.62$", "count": 2}, {})[0]
    for one in pair:
        one.kill()
        one.wait()
    assert [way_back.quote(argv) for argv in killed.inject] == ["signal_processes KILL " + identities]
    assert [way_back.quote(argv) for argv in killed.revert] == ["start_process %s / %s 500.62" % (process.umask("self"), SLEEP)] * 2
    assert killed.check.argv[:2] == ["processes_like", "2"] and frozen.check.broken == ["stopped=2 *"]


def test_a_port_that_others_hold_open_cannot_tell_that_one_is_back(planned):
    """A server with workers, of which the other selectors choose one."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        master = begun("sh", "-c", "sleep 500.64 & echo $!; wait", pass_fds=[listener.fileno()], stdout=subprocess.PIPE)
        worker = int(master.stdout.readline())
    while process.look_at(worker).name != "sleep":
        pass
    kill = {"pattern": "^sh -c sleep 500.64 ", "port": port, "action": "kill", "restart": [SLEEP, "500.64"]}
    try:
        with pytest.raises(Refused, match="port: %s is held open by pid %s, too.*or use signal: TERM" % (port, worker)):
            planned("fault_process", kill, {})
        assert planned("fault_process", {**kill, "signal": "TERM"}, {})[0].revert, "upon which a master ends its workers"
    finally:
        for pid in (master.pid, worker):
            os.kill(pid, signal.SIGKILL)
        master.wait()


@pytest.mark.parametrize(("fault", "params", "look", "reason"), [row[1:] for row in REFUSED], ids=["%s: %s" % (row[1], row[0]) for row in REFUSED])
def test_a_fault_is_refused(fault, params, look, reason, planned, sleeper, tmp_path, monkeypatch):
    names = dict(sleeper, init=str(tmp_path / "init"), myself=str(tmp_path / "myself"))
    (tmp_path / "init").write_text("1\n")
    (tmp_path / "myself").write_text("%s\n" % os.getpid())
    (tmp_path / "sleep").symlink_to(SLEEP)
    monkeypatch.chdir(tmp_path)
    with begun("sleep", "500.63") as another:
        try:
            with pytest.raises(Refused) as refused:
                planned(fault, {name: filled(value, names) for name, value in params.items()}, look)
        finally:
            another.kill()
    assert reason in str(refused.value)


OF_USERS, OF_THE_KERNEL = 0x400000, 0x208040  # flags as /proc/PID/stat has them


@pytest.mark.parametrize(("pid", "name", "command", "flags", "reason"), [
    (1, "tini", b"tini\0", OF_USERS, "is init"),
    (10, "python3", b"python3\0", OF_USERS, "is Ansible's own process or one that it runs in"),
    (50, "sshd", b"sshd: root@pts/0", OF_USERS, "lives by"),
    (50, "sshd-session", b"sshd-session: root", OF_USERS, "lives by"),
    (50, "dockerd", b"/usr/bin/dockerd\0", OF_USERS, "lives by"),
    (50, "python3", b"python3\0/root/.ansible/tmp/ansible-tmp-1/AnsiballZ_x.py\0", OF_USERS, "belongs to Ansible"),
    (50, "sh", b"sh\0/var/lib/gameday/faults/x/revert\0wait\0", OF_USERS, "belongs to Ansible or to the way back"),
    (50, "kworker/0:1", b"", OF_THE_KERNEL, "is a kernel thread"),
    (50, "sleep", b"", OF_USERS, None),  # which is just being started
    (50, "postgres", b"postgres\0-D\0/var/lib/postgresql\0", OF_USERS, None),
])
def test_some_processes_are_never_hit(pid, name, command, flags, reason):
    found = process.Process(pid=pid, parent=1, start=1, state="S", name=name, command=command, user=0, flags=flags)
    assert (process.spared(found, [10, 5, 1]) or "None").find(str(reason)) >= 0
