"""
Bad input is answered by a clear error that names the option and the cure, and nothing is touched: no entry in the ledger, and the
process that the fault was aimed at goes on as before. Every row is a run of the real module.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time

import pytest
from ansible_collections.gameday.chaos.plugins.module_utils import (
    probe_alert,
    probe_command,
    probe_container,
    probe_dns,
    probe_host,
    probe_http,
    probe_log,
    probe_process,
    probe_prometheus,
    probe_service,
    probe_tcp,
    process,
)
from ansible_collections.gameday.chaos.plugins.module_utils.fault import FAULT_OPTIONS, WAY_BACK_TOOLS
from ansible_collections.gameday.chaos.plugins.modules import fault_container, fault_process
from real_module import NOBODY, USER, Host

from lab.fixtures import missing
from lab.local import begun, free_ports

SLEEPER = ["sleep", "600.4711"]
AIM = {"pattern": "^sleep 600.4711$", "duration": 30}


@pytest.fixture
def host():
    host = Host()
    yield host
    host.clean()


@pytest.fixture
def sleeper():
    """A process that a fault can be aimed at; afterwards it must be as it was."""
    with begun(*SLEEPER, user=USER if USER == NOBODY else None) as running:
        while (before := process.look_at(running.pid)).state != "S":
            time.sleep(0.001)
        yield before
        now = process.look_at(running.pid)
        running.kill()
    assert now is not None and now.start == before.start and now.state in ("S", "R"), "the process was touched"


def refused(host, module, arguments, *words):
    result = host.run(module, **arguments)
    assert result.get("failed"), result
    for word in words:
        assert word in result["msg"], result["msg"]
    assert "changed" not in result or not result["changed"]
    return result["msg"]


FAULTS = [
    ("duration 0", "fault_process", {**AIM, "duration": 0}, "duration: 0 is not between 1 and 14400 seconds", "give the time"),
    ("duration negative", "fault_process", {**AIM, "duration": -5}, "duration: -5 is not between 1 and 14400 seconds", "give the time"),
    ("duration above the cap", "fault_process", {**AIM, "duration": 14401}, "duration: 14401 is not between 1 and 14400", "give the time"),
    ("duration that is no number", "fault_process", {**AIM, "duration": "soon"}, "'duration'", "int"),
    ("a number without end in a list", "fault_network", {"destination_port": ["INFINITY"], "duration": 5}, "destination_port: cannot be read", "Infinity"),
    ("more bytes than there can be", "fault_memory", {"bytes": "9" * 400, "duration": 5}, "bytes: '999", "is no size"),
    ("no duration", "fault_process", {**AIM, "duration": None}, "duration: is required"),
    ("start that is no instant", "fault_process", {**AIM, "starts_at": "tomorrow"}, "starts_at: 'tomorrow'", "ISO 8601", "2030-"),
    ("start without an offset", "fault_process", {**AIM, "starts_at": "2030-01-31T12:00:00"}, "starts_at:", "with an offset"),
    ("start in the past", "fault_process", {**AIM, "starts_at": "2020-01-31T12:00:00Z"}, "starts_at:", "s ago", "check the clocks"),
    ("start next year", "fault_process", {**AIM, "starts_at": "2090-01-31T12:00:00Z"}, "starts_at:", "within the next 600 s"),
    ("no selector", "fault_process", {"duration": 30}, "one of", "pid_file, name, pattern, port, user"),
    ("bad expression", "fault_process", {"pattern": "sleep (", "duration": 30}, "pattern: 'sleep ('", "no regular expression"),
    ("nothing matches", "fault_process", {"pattern": "^no such$", "duration": 30}, "pattern: ^no such$", "no such process is running"),
    ("unknown user", "fault_process", {"user": "nobody-of-that-name", "duration": 30}, "user:", "'nobody-of-that-name' on this host"),
    ("count 0", "fault_process", {**AIM, "count": 0}, "count: 0 is less than 1"),
    ("kill without a way back", "fault_process", {**AIM, "action": "kill"}, "restart:", "give the command", "supervised: true"),
    ("restart that is not there", "fault_process", {**AIM, "action": "kill", "restart": ["no-such"]}, "'no-such' is no program", "path"),
    ("no such signal", "fault_process", {**AIM, "action": "kill", "restart": SLEEPER, "signal": "BANG"}, "signal: 'BANG'", "KILL, TERM"),
    ("name that is an option", "fault_container", {"name": "--all", "duration": 30}, "name: '--all' is no container's name"),
    ("unknown action", "fault_container", {"name": "x", "action": "explode", "duration": 30}, "action", "stop, kill, pause"),
    ("recover one and all", "recover", {"claim": "container/x", "all": True}, "claim|all", "mutually exclusive"),
]

HERE = "http://127.0.0.1/"
PROBES = [
    ("URL without a scheme", "probe_http", {"url": "127.0.0.1:8080/health"}, "url: '127.0.0.1:8080/health' is no URL", "http://"),
    ("URL of another scheme", "probe_http", {"url": "ftp://127.0.0.1/"}, "url: 'ftp://127.0.0.1/' is no URL", "http://"),
    ("URL with an impossible port", "probe_http", {"url": "http://127.0.0.1:99999/"}, "url:", "is no URL", "http://127.0.0.1:8080"),
    ("URL with blanks", "probe_http", {"url": "http://127.0.0.1/a b"}, "url:", "is no URL"),
    ("URL that is empty", "probe_http", {"url": ""}, "url: '' is no URL"),
    ("status that is none", "probe_http", {"url": HERE, "status": 99}, "status: 99 is no HTTP status"),
    ("no status at all", "probe_http", {"url": HERE, "status": []}, "status: the list is empty", "leave it out"),
    ("method with a line break", "probe_http", {"url": HERE, "method": "GET\n"}, "method:", "such as GET"),
    ("header with a line break", "probe_http", {"url": HERE, "headers": {"X-A": "1\r\nX-B: 2"}}, "headers:", "X-A", "one line"),
    ("header beyond Latin-1", "probe_http", {"url": HERE, "headers": {"X-A": "\u4e2d"}}, "headers:", "X-A", "Latin-1"),
    ("name of a header", "probe_http", {"url": HERE, "headers": {"X A": "1"}}, "headers:", "'X A' is no name"),
    ("password without a user", "probe_http", {"url": HERE, "url_password": "swordfish"}, "url_password:", "url_username"),
    ("key without a certificate", "probe_http", {"url": "https://127.0.0.1/", "client_key": "/x"}, "client_key:", "client_cert"),
    ("missing authority", "probe_http", {"url": "https://127.0.0.1/", "ca_path": "/no/such.pem"}, "ca_path:", "/no/such.pem", "read"),
    ("path into JSON", "probe_http", {"url": HERE, "json": {"a..b": 1}}, "json:", "'a..b'", "write it as"),
    ("expression for a body", "probe_http", {"url": HERE, "body_matches": "["}, "body_matches: '['", "no regular expression"),
    ("timeout 0", "probe_http", {"url": HERE, "timeout": 0}, "timeout: 0.0 must be more than 0"),
    ("timeout without end", "probe_http", {"url": HERE, "timeout": "inf"}, "timeout: inf", "at most"),
    ("timeout that is no number", "probe_tcp", {"port": 1, "timeout": "nan"}, "timeout: nan must be more than 0"),
    ("port 0", "probe_tcp", {"port": 0}, "port: 0 is not between 1 and 65535"),
    ("host that is none", "probe_tcp", {"port": 1, "host": " "}, "host: ' ' is neither a name nor an address"),
    ("command without words", "probe_command", {"command": ""}, "command:", "give the program"),
    ("command with an open quote", "probe_command", {"command": "echo 'a"}, "command:", "cannot be split"),
    ("folder that is not there", "probe_command", {"command": "true", "chdir": "/no/such"}, "chdir: /no/such is no folder"),
    ("expression for output", "probe_command", {"command": "true", "stdout_matches": "*"}, "stdout_matches: '*'", "no regular expression"),
    ("expression for a command line", "probe_process", {"pattern": "("}, "pattern: '('", "no regular expression"),
    ("unknown user to look for", "probe_process", {"user": "nobody-of-that-name"}, "user:", "'nobody-of-that-name' on this host"),
    ("less at most than at least", "probe_process", {"name": "x", "maximum": 0}, "maximum: 0 is less than minimum 1", "set minimum: 0"),
    ("port to look for", "probe_process", {"port": 70000}, "port: 70000 is not between 1 and 65535"),
    ("expression for a log", "probe_log", {"path": "/dev/null", "pattern": "(?P<"}, "pattern:", "no regular expression"),
    ("two logs", "probe_log", {"path": "/x", "unit": "x"}, "mutually exclusive", "path|container|unit"),
    ("log that is a folder", "probe_log", {"path": "/tmp"}, "path: /tmp is no file"),
    ("position of another log", "probe_log", {"path": "/x", "since": {"/y": {}}}, "since: no position of /x", "known are: /y"),
    ("position that is none", "probe_log", {"path": "/x", "since": {"/x": 5}}, "since: 5 is no position", "observation.position"),
    ("minimum that is none", "probe_log", {"path": "/x", "pattern": "x", "minimum": 0}, "minimum: 0", "state: absent"),
    ("container that is an option", "probe_container", {"name": "-x"}, "name: '-x' is no container's name"),
]

A_PROBE = [{"probe_tcp": {"port": 1}}]
STEADY = [
    ("no probe", {"probes": []}, "probes: the list is empty"),
    ("unknown kind", {"probes": [{"name": "a", "probe_magic": {}}]}, "probes[0] (a):", "no probe module 'probe_magic'", "probe_http"),
    ("two kinds at once", {"probes": [{"probe_tcp": {"port": 1}, "probe_command": {}}]}, "probes[0]:", "exactly one probe module"),
    ("no options", {"probes": [{"name": "a", "probe_tcp": None}]}, "probes[0] (a):", "must be a dictionary"),
    ("option that there is not", {"probes": [{"probe_tcp": {"port": 1, "prot": 2}}]}, "probes[0]:", "prot"),
    ("URL in the second probe", {"probes": [*A_PROBE, {"probe_http": {"url": "x"}}]}, "probes[1]:", "url: 'x' is no URL"),
    ("expression in a probe", {"probes": [{"probe_log": {"path": "/x", "pattern": "("}}]}, "probes[0]:", "pattern: '('"),
    ("wait and watch", {"probes": A_PROBE, "within": 1, "during": 1}, "within and during exclude each other"),
    ("no time to watch", {"probes": A_PROBE, "during": 0}, "during: 0.0 must be more than 0"),
    ("no end of watching", {"probes": A_PROBE, "during": "inf"}, "during: inf", "at most 86400 seconds"),
    ("waiting for no number", {"probes": A_PROBE, "within": "nan"}, "within: nan must be more than 0"),
    ("samples too dense", {"probes": A_PROBE, "during": 1, "interval": 0.001}, "interval: 0.001 is shorter than 0.01"),
    ("samples too rare", {"probes": A_PROBE, "during": 1, "interval": 2}, "interval: 2.0 is longer than during"),
    ("share that is a percentage", {"probes": A_PROBE, "during": 1, "minimum_availability": 99}, "minimum_availability: 99.0", "0 and 1"),
    ("coverage that is a percentage", {"probes": A_PROBE, "during": 1, "minimum_coverage": 95}, "minimum_coverage: 95.0", "0 and 1"),
    ("stop condition without a watch", {"probes": A_PROBE, "stop_after_outage": 1}, "stop_after_outage: needs during"),
    ("a number without end in a list of a probe", {"probes": [{"probe_http": {"url": "http://127.0.0.1:1/", "status": ["INFINITY"]}}]},
     "probes[0]: status: cannot be read"),
    ("held for no number", {"probes": A_PROBE, "within": 1, "hold": "nan"}, "hold: nan"),
]


@pytest.mark.parametrize(("module", "arguments", "words"), [pytest.param(*row[1:3], row[3:], id=row[0]) for row in FAULTS])
def test_a_fault_refuses(host, sleeper, module, arguments, words):
    refused(host, module, arguments, *words)
    assert host.entries() == []


@pytest.mark.parametrize(("module", "arguments", "words"), [pytest.param(*row[1:3], row[3:], id=row[0]) for row in PROBES])
def test_a_probe_refuses_before_it_measures(host, module, arguments, words):
    result = host.run(module, **arguments)
    assert result["failed"] and "observation" not in result
    assert [word for word in words if word not in result["msg"]] == [], result["msg"]


@pytest.mark.parametrize(("arguments", "words"), [pytest.param(row[1], row[2:], id=row[0]) for row in STEADY])
def test_a_steady_state_refuses_before_it_measures(host, arguments, words):
    result = host.run("steady_state", **arguments)
    assert result["failed"] and "steady_state" not in result
    assert [word for word in words if word not in result["msg"]] == [], result["msg"]


@pytest.mark.parametrize(("text", "words"), [
    ("{dead}\n", "no such process is running"),
    ("", "holds no pid"),
    ("not a pid\n", "holds no pid but 'not a pid'"),
    (None, "No such file"),
], ids=["of a dead process", "empty", "of something else", "missing"])
def test_a_pid_file_without_a_living_process_is_refused(host, sleeper, text, words):
    with subprocess.Popen(["true"]) as dead:
        dead.wait()
    path = str(host.home / "a.pid") if text is None else host.file("a.pid", text.format(dead=dead.pid))
    refused(host, "fault_process", {"pid_file": path, "duration": 30}, "pid_file: " + path, words)
    assert host.entries() == []


def test_a_process_of_somebody_else_is_refused(host):
    if USER != NOBODY:
        missing("root", "only root can have a process that this user may not signal")
    with begun("sleep", "600.4712") as somebodys:
        refused(host, "fault_process", {"pattern": "^sleep 600.4712$", "duration": 30}, "may not be signalled", "use become")
        assert process.look_at(somebodys.pid).state == "S"
        somebodys.kill()
    assert host.entries() == []


def test_a_service_needs_root(host):
    host.path = programs(host, "systemctl", *WAY_BACK_TOOLS)
    refused(host, "fault_service", {"name": "cron", "duration": 30}, "only root", "use become")
    assert host.entries() == []


def programs(host, *names):
    """A folder with these programs and no other; those that this machine does not have do nothing."""
    folder = host.home / "programs"
    folder.mkdir()
    for name in names:
        (folder / name).symlink_to(shutil.which(name) or shutil.which("true"))
    return folder


def test_no_docker_client_is_said_before_anything_is_touched(host):
    host.path = programs(host, *WAY_BACK_TOOLS)
    refused(host, "fault_container", {"name": "database", "duration": 30}, "docker not found on this host", "Install it")
    assert host.entries() == []


@pytest.fixture
def docker_client():
    return shutil.which("docker") or missing("the docker client", "it is not on this machine")


def test_no_permission_on_the_engines_socket_is_said(host, docker_client):
    path = host.home / "docker.sock"
    with socket.socket(socket.AF_UNIX) as engine:
        engine.bind(str(path))
        os.chmod(path, 0)
        engine.listen()
        refused(host, "fault_container", {"name": "database", "duration": 30, "docker_host": "unix://%s" % path},
                "no permission on the Docker engine's socket", "use become", "group docker")
    assert host.entries() == []


def test_an_engine_that_does_not_run_is_said(host, docker_client):
    refused(host, "fault_container", {"name": "database", "duration": 30, "docker_host": "unix:///no/such.sock"},
            "the Docker engine cannot be asked", "docker_host right")
    assert host.entries() == []


def test_an_unknown_container_is_said_with_those_that_run(host):
    # A stand-in for the client: the tests that need a real engine are elsewhere, and this one needs only its words.
    host.path = programs(host, *WAY_BACK_TOOLS)
    client = host.path / "docker"
    client.write_text("#!/bin/sh\ncase $* in *inspect*) echo 'Error response from daemon: No such container: databse' >&2; exit 1;;\n"
                      "*ps*) echo database; echo cache;; esac\n")
    client.chmod(0o755)
    refused(host, "fault_container", {"name": "databse", "duration": 30},
            "name: there is no container 'databse'", "running are: database, cache")
    assert host.entries() == []


@pytest.mark.parametrize("mode", [0o555, 0o000])
def test_without_a_ledger_nothing_is_broken(host, sleeper, mode):
    host.give(host.state, mode)
    refused(host, "fault_process", AIM, str(host.state), "cannot be written", "nothing is broken", "run with become")
    host.give(host.state)
    assert host.entries() == []


def test_a_ledger_that_others_can_write_to_is_refused(host, sleeper):
    (host.state / "gameday").mkdir()
    host.give(host.state / "gameday", 0o777)
    refused(host, "fault_process", AIM, str(host.state / "gameday"), "nobody else can write to", "make it so, or remove it")
    assert host.entries() == []


def test_a_second_fault_on_a_held_claim_is_refused_by_the_name_of_the_holder(host, sleeper):
    first = host.run("fault_process", **AIM, run="first")
    assert first["changed"] and first["fault"]["verified"]
    for second in ({"run": "second"}, {"run": "first", "duration": 31}):
        words = ("is held by fault_process of run first until", "recover (claim: %s)" % first["fault"]["claim"])
        refused(host, "fault_process", {**AIM, **second}, *words)
    another_way = {"pid_file": host.file("a.pid", "%s\n" % sleeper.pid), "duration": 30, "run": "second"}
    refused(host, "fault_process", another_way, "frozen already")
    assert [record["id"] for record in host.ledger.in_place()] == [first["fault"]["id"]]
    assert process.look_at(sleeper.pid).state == "T"
    assert host.run("recover", run="first")["recovery"]["restored"]


def test_a_closed_port_is_a_measurement_and_says_what_was_expected(host):
    [port] = free_ports(1)
    tcp, http = host.run("probe_tcp", port=port), host.run("probe_http", url="http://127.0.0.1:%s/" % port)
    assert tcp["failed"] and tcp["observation"]["met"] is False and "port: %s on 127.0.0.1 is closed" % port in tcp["msg"]
    assert "Connection refused" in tcp["msg"] and "expected open" in tcp["msg"]
    assert http["failed"] and http["observation"]["met"] is False and "connection refused: nothing listens there" in http["msg"]


NULLS = [
    ("probe_alert", {"url": "http://127.0.0.1:1/", "name": "x"}, probe_alert.OPTIONS),
    ("probe_command", {"command": "true"}, probe_command.OPTIONS),
    ("probe_container", {"name": "x", "docker_host": "unix:///no/such.sock"}, probe_container.OPTIONS),
    ("probe_dns", {"name": "x.invalid", "server": "127.0.0.1", "port": 1}, probe_dns.OPTIONS),
    ("probe_host", {}, probe_host.OPTIONS),
    ("probe_http", {"url": "http://127.0.0.1:1/"}, probe_http.OPTIONS),
    ("probe_log", {"path": "/x"}, probe_log.OPTIONS),
    ("probe_process", {"name": "x"}, probe_process.OPTIONS),
    ("probe_prometheus", {"url": "http://127.0.0.1:1/", "query": "up"}, probe_prometheus.OPTIONS),
    ("probe_service", {"name": "x"}, probe_service.OPTIONS),
    ("probe_tcp", {"port": 1}, probe_tcp.OPTIONS),
    ("fault_container", {"name": "-", "duration": 5}, fault_container.OPTIONS),
    ("fault_process", AIM, {**fault_process.OPTIONS, **FAULT_OPTIONS}),
]


@pytest.mark.parametrize(("module", "enough", "options"), NULLS, ids=[row[0] for row in NULLS])
def test_null_is_as_good_as_left_out_or_refused(host, module, enough, options):
    # It is what `option: "{{ nothing }}"` gives. A traceback fails host.run().
    for option in options:
        said = host.run(module, check_mode=True, **{**enough, option: None}).get("msg", "")
        assert "TypeError" not in said, (option, said)
    assert host.entries() == []


@pytest.mark.parametrize(("module", "nothing"), [
    ("probe_process", {"name": None, "pattern": ""}),
    ("probe_log", {"path": None}),
    ("fault_process", {"pattern": None, "count": 9999, "duration": 5}),
    ("fault_process", {"name": "", "count": 9999, "duration": 5}),
], ids=["probe_process", "probe_log", "fault_process", "fault_process with nothing"])
def test_a_selector_of_nothing_does_not_select_everything(host, module, nothing):
    refused(host, module, {**nothing, "check_mode": True}, "give a value for")
    assert host.entries() == []


def test_no_secret_of_bad_arguments_is_shown(host):
    for arguments in ({"url": "http:/me:swordfish@127.0.0.1/"}, {"url": "http://me:sword@fish@127.0.0.1:99999/"},
                      {"url": "127.0.0.1", "headers": {"Authorization": "Bearer swordfish"}}, {"url": "x", "url_password": "swordfish"}):
        result = host.run("probe_http", **arguments)
        assert result["failed"] and "fish" not in str(result), result
        listed = host.run("steady_state", probes=[{"probe_http": arguments}])
        assert listed["failed"] and "fish" not in str(listed), listed
