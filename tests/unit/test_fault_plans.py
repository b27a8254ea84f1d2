"""
The table of faults: what each would do, from its options and from what the host answers to its questions. Nothing is run.

Processes are real ones: {pid}, {start}, {pid_file}, {port} stand for those of a sleeping one. What containers and units are like, the
row says.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import socket
import subprocess
from dataclasses import dataclass, field

import pytest
from ansible_collections.gameday.chaos.plugins.module_utils import process, way_back
from ansible_collections.gameday.chaos.plugins.module_utils.command import Answer
from ansible_collections.gameday.chaos.plugins.module_utils.fault import FAULT_OPTIONS, Refused

PREFIX = "ansible_collections.gameday.chaos.plugins.modules."
ID = "0123456789abcdef" * 4
SLEEP = shutil.which("sleep")


def container(name="db", status="running", **host_config):
    """The host's answers about a container; a text is what the engine says on failure."""
    found = [{"Name": "/db", "Id": ID, "State": {"Status": status}, "HostConfig": {"AutoRemove": False, **host_config}}]
    return {"/usr/bin/docker container inspect " + name: json.dumps(found)}


def no_container(words):
    return {"/usr/bin/docker container inspect db": Answer(1, "", words), "/usr/bin/docker ps --format '{{.Names}}'": "cache\napi\n"}


def unit(name="pg.service", real="pg.service", state="active", load="loaded", path="/etc/systemd/system/pg.service", followers=""):
    """The host's answers about a unit, and about api.service, which may go down with it."""
    show = "systemctl show --property "
    both = "LoadState=loaded\nActiveState=active"
    return {
        show + "Id,LoadState,ActiveState,FragmentPath " + name:
            "Id=%s\nLoadState=%s\nActiveState=%s\nFragmentPath=%s" % (real, load, state, path),
        show + "RequiredBy,BoundBy,ConsistsOf,TriggeredBy " + real: "RequiredBy=%s multi-user.target\nBoundBy=\n" % followers,
        show + "RequiredBy,BoundBy,ConsistsOf,TriggeredBy api.service": "RequiredBy=\n",
        show + "ActiveState api.service": "ActiveState=active",
        show + "LoadState,ActiveState " + real: both,
        show + "LoadState,ActiveState %s api.service" % real: both + "\n\n" + both,
    }


@dataclass
class Row:
    what: str
    fault: str
    params: dict
    look: dict
    claim: str
    inject: list
    revert: list
    check: str
    broken: list
    whole: list
    holds: list = field(default_factory=list)


DOCKER_CHECK = "/usr/bin/docker ps --all --no-trunc --filter id=%s --format '{{{{.State}}}}'" % ID

TABLE = [
    Row("a container stops", "fault_container", {"name": "db"}, container(),
        claim="container/db",
        inject=["/usr/bin/docker stop --time 10 " + ID],
        revert=["/usr/bin/docker start " + ID],
        check=DOCKER_CHECK, broken=["exited"], whole=["running", ""]),
    Row("a container is killed", "fault_container", {"name": "db", "action": "kill", "signal": "SIGTERM"}, container(),
        claim="container/db",
        inject=["/usr/bin/docker kill --signal TERM " + ID],
        revert=["/usr/bin/docker start " + ID],
        check=DOCKER_CHECK, broken=["exited"], whole=["running", ""]),
    Row("a container freezes, even one that is removed when it ends", "fault_container", {"name": "db", "action": "pause"},
        container(AutoRemove=True),
        claim="container/db",
        inject=["/usr/bin/docker pause " + ID],
        revert=["/usr/bin/docker unpause " + ID],
        check=DOCKER_CHECK, broken=["paused"], whole=["running", ""]),
    Row("a container that is pointed at by its id has the same claim", "fault_container", {"name": ID[:12]}, container(ID[:12]),
        claim="container/db",
        inject=["/usr/bin/docker stop --time 10 " + ID],
        revert=["/usr/bin/docker start " + ID],
        check=DOCKER_CHECK, broken=["exited"], whole=["running", ""]),
    Row("a process freezes", "fault_process", {"pid_file": "{pid_file}"}, {},
        claim="process/pid_file={pid_file}",
        inject=["signal_processes STOP {pid} {start}"],
        revert=["signal_processes CONT {pid} {start}"],
        check="process_states {pid} {start}", broken=["stopped=1 *"], whole=["stopped=0 *"], holds=["pid {pid}"]),
    Row("a process that is known by its pid file is killed", "fault_process",
        {"pid_file": "{pid_file}", "action": "kill", "restart": [SLEEP, "500.61"], "restart_directory": "/tmp"}, {},
        claim="process/pid_file={pid_file}",
        inject=["signal_processes KILL {pid} {start}"],
        revert=["start_process /tmp %s 500.61" % SLEEP],
        check="process_in_pid_file {pid_file} sleep", broken=["missing"], whole=["back"], holds=["pid {pid}"]),
    Row("a process that listens is killed, and its supervisor starts it again", "fault_process",
        {"port": "{port}", "action": "kill", "signal": "int", "supervised": True}, {},
        claim="process/port={port}",
        inject=["signal_processes INT {pid} {start}"],
        revert=[],
        check="listening_port {hexadecimal}", broken=["missing"], whole=["back"], holds=["pid {pid}"]),
    Row("a process that is known by its command is killed", "fault_process",
        {"pattern": r"^sleep 500\.61$", "user": "{user}", "action": "kill", "restart": [SLEEP, "500.61"]}, {},
        claim=r"process/pattern=^sleep 500\.61$,user={user}",
        inject=["signal_processes KILL {pid} {start}"],
        revert=["start_process / %s 500.61" % SLEEP],
        check="processes_like 1 {user} sleep sleep500.61 %s500.61" % SLEEP, broken=["missing"], whole=["back"], holds=["pid {pid}"]),
    Row("a service stops", "fault_service", {"name": "pg"}, unit(),
        claim="service/pg.service",
        inject=["mkdir -p /run/systemd/system.control",
                "ln -s /dev/null /run/systemd/system.control/pg.service",
                "systemctl daemon-reload",
                "systemctl stop pg.service"],
        revert=["rm -f /run/systemd/system.control/pg.service",
                "systemctl daemon-reload",
                "systemctl reset-failed pg.service",
                "systemctl start pg.service"],
        check="systemctl show --property LoadState,ActiveState pg.service",
        broken=["LoadState=masked\nActiveState=inactive*", "LoadState=masked\nActiveState=failed*"],
        whole=["LoadState=loaded\nActiveState=active"], holds=["unit pg.service"]),
    Row("a service stops with what needs it", "fault_service", {"name": "pg.service"}, unit(followers="api.service"),
        claim="service/pg.service",
        inject=["mkdir -p /run/systemd/system.control",
                "ln -s /dev/null /run/systemd/system.control/pg.service",
                "systemctl daemon-reload",
                "systemctl stop pg.service"],
        revert=["rm -f /run/systemd/system.control/pg.service",
                "systemctl daemon-reload",
                "systemctl reset-failed pg.service api.service",
                "systemctl start pg.service api.service"],
        check="systemctl show --property LoadState,ActiveState pg.service api.service",
        broken=["LoadState=masked\nActiveState=inactive*", "LoadState=masked\nActiveState=failed*"],
        whole=["LoadState=loaded\nActiveState=active\n\nLoadState=loaded\nActiveState=active"],
        holds=["unit pg.service", "unit api.service"]),
]


@pytest.fixture
def sleeper(tmp_path):
    """A process that sleeps, listens on a port and has a pid file; as what the rows call it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        running = subprocess.Popen(["sleep", "500.61"], pass_fds=[listener.fileno()])
    pid_file = tmp_path / "sleep.pid"
    pid_file.write_text("%s\n" % running.pid)
    yield {"pid": running.pid, "start": process.look_at(running.pid).start, "pid_file": str(pid_file), "port": port,
           "hexadecimal": "%04X" % port, "user": os.geteuid()}
    running.kill()
    running.wait()


@pytest.fixture
def planned(monkeypatch):
    """planned(fault, params, look) -> (plan, the claim as it is asked for)"""
    def planned(fault, params, look):
        module = importlib.import_module(PREFIX + fault)
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        if fault == "fault_container":
            monkeypatch.setattr(module, "find_tool", lambda name: "/usr/bin/" + name)
        options = {**FAULT_OPTIONS, **module.OPTIONS}
        assert set(params) <= set(options)
        given = {**{name: option.get("default") for name, option in options.items()}, "duration": 30, **params}

        def answer(argv):
            said = look[way_back.quote(argv)]
            return said if isinstance(said, Answer) else Answer(0, said, "")

        return module.plan(given, answer), module.claim(given, answer)

    monkeypatch.delenv("DOCKER_HOST", raising=False)
    return planned


def filled(value, names):
    if isinstance(value, str):
        return int(value.format(**names)) if value == "{port}" else value.format(**names) if "{" in value else value
    return [filled(one, names) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("row", TABLE, ids=[row.what for row in TABLE])
def test_a_fault_is_this_plan(row, planned, sleeper):
    plan, claim = planned(row.fault, {name: filled(value, sleeper) for name, value in row.params.items()}, row.look)
    assert plan.claim == claim == filled(row.claim, sleeper)
    assert [way_back.quote(argv) for argv in plan.inject] == [words(one, sleeper) for one in row.inject]
    assert [way_back.quote(argv) for argv in plan.revert] == [words(one, sleeper) for one in row.revert]
    assert way_back.quote(plan.check.argv) == words(row.check, sleeper)
    assert (plan.check.broken, plan.check.whole) == (row.broken, row.whole)
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


def test_what_starts_a_process_again_is_written_with_its_path_since_the_way_back_has_no_search_path(planned, sleeper, tmp_path, monkeypatch):
    (tmp_path / "start-it").symlink_to(SLEEP)
    monkeypatch.setenv("PATH", "%s:%s" % (tmp_path, os.environ["PATH"]))
    plan = planned("fault_process", {"pid_file": sleeper["pid_file"], "action": "kill", "restart": ["start-it", "500.61"]}, {})[0]
    assert [way_back.quote(argv) for argv in plan.revert] == ["start_process / %s/start-it 500.61" % tmp_path]


def test_several_processes_alike_are_broken_together_and_brought_back_one_for_one(planned):
    pair = [subprocess.Popen(["sleep", "500.62"]) for _ in range(2)]
    identities = " ".join("%s %s" % (one.pid, process.look_at(one.pid).start) for one in sorted(pair, key=lambda one: one.pid))
    killed = planned("fault_process", {"pattern": "^sleep 500.62$", "count": 2, "action": "kill", "restart": [SLEEP, "500.62"]}, {})[0]
    frozen = planned("fault_process", {"pattern": "^sleep 500.62$", "count": 2}, {})[0]
    for one in pair:
        one.kill()
        one.wait()
    assert [way_back.quote(argv) for argv in killed.inject] == ["signal_processes KILL " + identities]
    assert [way_back.quote(argv) for argv in killed.revert] == ["start_process / %s 500.62" % SLEEP] * 2
    assert killed.check.argv[:2] == ["processes_like", "2"] and frozen.check.broken == ["stopped=2 *"]


KILL = {"pid_file": "{pid_file}", "action": "kill"}
REFUSED = [
    ("unknown container", "fault_container", {"name": "db"}, no_container("Error: No such container: db"),
     "name: there is no container 'db' on this engine; running are: cache, api"),
    ("no permission on the socket", "fault_container", {"name": "db"}, no_container("permission denied while trying to connect"),
     "no permission on the Docker engine's socket: use become"),
    ("engine that is down", "fault_container", {"name": "db"}, no_container("Cannot connect to the Docker daemon. Is it running?"),
     "the Docker engine cannot be asked; is it running, and is docker_host right?"),
    ("container started with --rm", "fault_container", {"name": "db"}, container(AutoRemove=True),
     "started with --rm and would be deleted when it ends: there is no way back. Start it without --rm, or use action: pause"),
    ("container that is paused", "fault_container", {"name": "db"}, container(status="paused"), "db is paused, not running"),
    ("container that has ended", "fault_container", {"name": "db", "action": "pause"}, container(status="exited"), "db is exited, not running"),
    ("stop that takes longer than the fault", "fault_container", {"name": "db", "stop_timeout": 30}, container(),
     "stop_timeout: 30 s must be less than duration (30 s)"),
    ("negative patience", "fault_container", {"name": "db", "stop_timeout": -1}, container(), "stop_timeout: -1 s"),
    ("signal with blanks", "fault_container", {"name": "db", "action": "kill", "signal": "KILL 1"}, container(), "signal: 'KILL 1' is no signal"),
    ("signal that there is not", "fault_container", {"name": "db", "action": "kill", "signal": "BANG"}, container(), "signal: 'BANG' is no signal"),
    ("signal that there is not", "fault_process", {**KILL, "signal": "BANG"}, {}, "signal: 'BANG' is no signal; give a name such as KILL"),
    ("name in Python that is no signal", "fault_process", {**KILL, "signal": "_DFL", "supervised": True}, {}, "signal: '_DFL' is no signal"),
    ("kill without a way back", "fault_process", KILL, {}, "restart: a killed process does not come back by itself"),
    ("restart that is not there", "fault_process", {**KILL, "restart": ["no-such-program"]}, {}, "restart: 'no-such-program' is no program"),
    ("restart of a folder that is not there", "fault_process", {**KILL, "restart": [SLEEP], "restart_directory": "/no/such"}, {},
     "restart_directory: /no/such is no folder"),
    ("restart from where we happen to be", "fault_process", {**KILL, "restart": ["./sleep"]}, {}, "restart: './sleep'"),
    ("count exceeded", "fault_process", {"user": "{user}"}, {}, "processes match, and count is 1: narrow the choice, or raise count. They are: "),
    ("processes that are not alike", "fault_process", {"name": "sleep", "count": 99, "action": "kill", "restart": [SLEEP]}, {}, "are not alike"),
    ("init", "fault_process", {"pid_file": "{init}"}, {}, "is init"),
    ("Ansible itself", "fault_process", {"pid_file": "{myself}"}, {}, "is Ansible's own process or one that it runs in"),
    ("unit that there is not", "fault_service", {"name": "pg"}, unit(load="not-found"), "name: there is no unit pg.service on this host"),
    ("inactive unit", "fault_service", {"name": "pg"}, unit(state="inactive"), "pg.service is inactive, not active"),
    ("failed unit", "fault_service", {"name": "pg"}, unit(state="failed"), "pg.service is failed, not active"),
    ("unit by an alias, which its mask would hide", "fault_service", {"name": "db"}, unit("db.service"), "name: db.service is another name of pg.service"),
    ("sshd", "fault_service", {"name": "ssh"}, unit("ssh.service", "ssh.service"), "ssh.service is never stopped"),
    ("sshd by another name", "fault_service", {"name": "pg"}, unit(real="sshd.service"), "sshd.service is never stopped"),
    ("one connection's sshd", "fault_service", {"name": "pg"}, unit(real="sshd@3-10.0.0.1:22.service"), "is never stopped"),
    ("journald", "fault_service", {"name": "pg"}, unit(real="systemd-journald.service"), "is never stopped"),
    ("unit where the mask would lie", "fault_service", {"name": "pg"}, unit(path="/run/systemd/system.control/pg.service"), "our mask"),
    ("no systemd", "fault_service", {"name": "pg"}, dict.fromkeys(unit(), Answer(1, "", "System has not been booted with systemd")),
     "systemd cannot be asked on this host (is it PID 1? are you root?): System has not been booted"),
    *[("unit called %r" % name, "fault_service", {"name": name}, {}, "is no name of a unit") for name in ("", "-x", "a b", "a/b", "pg\n", "a;b")],
]


@pytest.mark.parametrize(("fault", "params", "look", "reason"), [row[1:] for row in REFUSED], ids=["%s: %s" % (row[1], row[0]) for row in REFUSED])
def test_a_fault_is_refused(fault, params, look, reason, planned, sleeper, tmp_path, monkeypatch):
    names = dict(sleeper, init=str(tmp_path / "init"), myself=str(tmp_path / "myself"))
    (tmp_path / "init").write_text("1\n")
    (tmp_path / "myself").write_text("%s\n" % os.getpid())
    (tmp_path / "sleep").symlink_to(SLEEP)
    monkeypatch.chdir(tmp_path)
    with subprocess.Popen(["sleep", "500.63"]) as another:
        try:
            with pytest.raises(Refused) as refused:
                planned(fault, {name: filled(value, names) for name, value in params.items()}, look)
        finally:
            another.kill()
    assert reason in str(refused.value)


@pytest.mark.parametrize(("pid", "name", "command", "reason"), [
    (1, "tini", b"tini\0", "is init"),
    (10, "python3", b"python3\0", "is Ansible's own process or one that it runs in"),
    (50, "sshd", b"sshd: root@pts/0", "lives by"),
    (50, "sshd-session", b"sshd-session: root", "lives by"),
    (50, "dockerd", b"/usr/bin/dockerd\0", "lives by"),
    (50, "python3", b"python3\0/root/.ansible/tmp/ansible-tmp-1/AnsiballZ_x.py\0", "belongs to Ansible"),
    (50, "sh", b"sh\0/var/lib/gameday/faults/x/revert\0wait\0", "belongs to Ansible or to the way back"),
    (50, "kworker/0:1", b"", "is a kernel thread"),
    (50, "postgres", b"postgres\0-D\0/var/lib/postgresql\0", None),
])
def test_some_processes_are_never_hit(pid, name, command, reason):
    found = process.Process(pid=pid, parent=1, start=1, state="S", name=name, command=command, user=0)
    assert (process.spared(found, [10, 5, 1]) or "None").find(str(reason)) >= 0
