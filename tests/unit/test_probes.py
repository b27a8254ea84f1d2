"""The other kinds of probes against real ports, programs, processes and logs; containers in states that an engine only has now and then."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import signal
import socket
import socketserver
import threading
import time

import pytest
from ansible_collections.gameday.chaos.plugins.module_utils import (
    probe_command,
    probe_container,
    probe_process,
    probe_tcp,
    process,
)
from real_module import NOBODY, USER, Host

from lab.fixtures import missing
from lab.local import begun
from lab.probing import measured, said


@pytest.fixture
def host():
    host = Host()
    yield host
    host.clean()


# tcp


def test_a_port_is_open_or_closed_and_either_can_be_expected():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert said(measured(probe_tcp, port=port, max_seconds=1)) == (True, "")
        assert said(measured(probe_tcp, port=port, state="closed")) == (
            False, "port: %s on 127.0.0.1 is open: something listens there, expected closed" % port)
    assert said(measured(probe_tcp, port=port)) == (False, "port: %s on 127.0.0.1 is closed (Connection refused), expected open" % port)
    assert measured(probe_tcp, port=port, state="closed")["met"] is True


def test_a_port_that_does_not_answer_is_closed_after_timeout():
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        with socket.create_connection(listener.getsockname()):  # the one that its queue has room for
            observation = measured(probe_tcp, port=listener.getsockname()[1], timeout=0.2)
    assert observation["met"] is False and "no answer within timeout 0.2 s" in said(observation)[1]
    assert 0.2 <= observation["seconds"] < 2.5


@pytest.mark.parametrize("name", ["fe80::1%no-such-interface", "two..dots"])
def test_a_name_that_cannot_be_resolved_is_no_closed_port(name):
    assert measured(probe_tcp, host=name, port=80)["met"] is False
    expected_closed = measured(probe_tcp, host=name, port=80, state="closed")
    assert expected_closed["met"] is None and "cannot be resolved" in said(expected_closed)[1]


# command


COMMANDS = [
    ({"command": "true"}, True, ""),
    ({"command": ["sh", "-c", "exit 3"]}, False, "exit code 3, expected 0"),
    ({"command": ["sh", "-c", "echo broken >&2; exit 3"], "rc": [0, 1]}, False, "exit code 3, expected 0 or 1: broken"),
    ({"command": ["sh", "-c", "exit 3"], "rc": 3}, True, ""),
    ({"command": "printf '%s|' 'a b' c", "stdout_contains": "a b|c|"}, True, ""),
    ({"command": "echo $HOME *", "stdout_matches": r"^\$HOME \*$"}, True, ""),
    ({"command": "echo ok", "stdout_contains": ["ok", "fine"], "stdout_matches": "^good"}, False,
     "stdout does not contain 'fine'; stdout does not match '^good'"),
    ({"command": "cat", "max_seconds": 5}, True, ""),
    ({"command": "sleep 0.1", "max_seconds": 0.05}, False, "more than max_seconds 0.05"),
    ({"command": ["printf", "\\377"]}, True, ""),
    ({"command": "pwd", "chdir": "/usr", "stdout_contains": "/usr"}, True, ""),
    ({"command": "./true", "chdir": os.path.dirname(shutil.which("true"))}, True, ""),
    ({"command": "no-such-program"}, None, "no data: the program no-such-program is not on this host"),
]


@pytest.mark.parametrize(("options", "met", "reason"), COMMANDS, ids=[str(row[0]["command"]) for row in COMMANDS])
def test_a_program_is_judged_by_how_it_ends(options, met, reason):
    observation = measured(probe_command, **options)
    assert observation["met"] is met and reason in said(observation)[1], observation
    assert "\\udc" not in json.dumps(observation), "Ansible refuses a result with half a character in it"


def gone(pattern, seconds=20):
    limit = time.monotonic() + seconds
    while process.matching(pattern=pattern):
        assert time.monotonic() < limit, process.matching(pattern=pattern)
        time.sleep(0.01)
    return True


@pytest.mark.parametrize("noise", ["", "head -c 5000 /dev/zero | tr '\\0' x >&2;"], ids=["silent", "loud"])
def test_a_program_that_takes_too_long_is_killed_with_all_that_it_started(noise):
    command = ["sh", "-c", noise + "sleep 500.31 & sleep 500.31"]
    for expected in (0, 124):
        observation = measured(probe_command, command=command, timeout=0.2, rc=expected)
        assert said(observation) == (False, "did not end within timeout 0.2 s")
        assert observation["seconds"] < 10 and gone("^sleep 500.31$")


def test_a_program_that_leaves_something_behind_is_not_waited_for_longer_than_timeout():
    observation = measured(probe_command, command=["sh", "-c", "setsid sleep 5.31 & sleep 5.32"], timeout=0.2)
    for left in process.matching(pattern="^sleep 5.31$"):
        os.kill(left.pid, signal.SIGKILL)
    assert observation["met"] is False and observation["seconds"] < 2.5


def test_a_program_is_not_run_in_check_mode(host):
    touch = ["touch", str(host.home / "touched")]
    assert host.run("probe_command", check_mode=True, command=touch)["skipped"]
    steady = host.run("steady_state", check_mode=True, probes=[{"probe_command": {"command": touch}}, {"probe_tcp": {"port": 1}}])
    assert [one["kind"] for one in steady["steady_state"]["probes"]] == ["probe_tcp"]
    assert not (host.home / "touched").exists()
    assert host.run("probe_tcp", check_mode=True, port=1, measure_in_check_mode=False)["skipped"]


# process


@pytest.fixture
def start():
    running = []

    def start(*words, **options):
        running.append(begun(*words, **options))
        return running[-1]

    yield start
    for one in running:
        one.kill()
        one.wait()


def until(pid, state):
    while process.look_at(pid).state != state:
        time.sleep(0.001)


def test_processes_are_counted_by_all_given_selectors(start, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        first = start("sleep", "500.41", pass_fds=[listener.fileno()])
    second = start("sleep", "500.41")
    (tmp_path / "pid").write_text("%s\n/var/lib\n" % second.pid)
    until(first.pid, "S")
    until(second.pid, "S")
    pattern = r"^sleep 500\.41$"  # and no command line that only tells of it
    for selectors, count in (
        ({"pattern": pattern}, 2),
        ({"pattern": pattern, "name": "sleep", "user": str(os.geteuid())}, 2),
        ({"pattern": pattern, "user": USER if USER == NOBODY else 0}, 0),
        ({"pattern": pattern, "port": port}, 1),
        ({"port": port}, 1),
        ({"pid_file": str(tmp_path / "pid")}, 1),
        ({"pid_file": str(tmp_path / "pid"), "port": port}, 0),
        ({"pid_file": str(tmp_path / "pid"), "name": "slee"}, 0),
    ):
        assert measured(probe_process, **selectors, minimum=count, maximum=count)["met"] is True, (selectors, count)
    few = measured(probe_process, pattern=pattern, minimum=3)
    assert said(few) == (False, "2 such processes, at least 3 expected") and few["value"] == 2
    many = measured(probe_process, pattern=pattern, maximum=1)
    assert many["met"] is False and "2 such processes, at most 1 expected: sleep (pid %s: sleep 500.41)" % first.pid in said(many)[1]


def test_a_zombie_is_not_counted(start, tmp_path):
    dead = start("sh", "-c", "exit")
    until_dead = time.monotonic() + 2
    while process.look_at(dead.pid) and time.monotonic() < until_dead:
        time.sleep(0.001)
    assert os.path.exists("/proc/%s" % dead.pid)
    (tmp_path / "pid").write_text(str(dead.pid))
    assert said(measured(probe_process, pid_file=str(tmp_path / "pid"))) == (False, "0 such processes, at least 1 expected")


def test_a_pid_file_that_is_missing_or_empty_is_no_process(tmp_path):
    (tmp_path / "empty").write_text("")
    for name in ("missing", "empty"):
        assert measured(probe_process, pid_file=str(tmp_path / name), minimum=0, maximum=0)["met"] is True
        assert measured(probe_process, pid_file=str(tmp_path / name))["met"] is False


def test_frozen_ones_are_told_from_those_that_run(start):
    sleeper = start("sleep", "500.42")
    until(sleeper.pid, "S")
    assert measured(probe_process, pattern="^sleep 500.42$", frozen=True)["met"] is False
    sleeper.send_signal(signal.SIGSTOP)
    until(sleeper.pid, "T")
    assert measured(probe_process, pattern="^sleep 500.42$", frozen=True)["met"] is True
    assert said(measured(probe_process, pattern="^sleep 500.42$")) == (False, "1 of them frozen, none expected")


def test_what_this_user_may_not_see_is_no_data(host):
    if USER != NOBODY:
        missing("root", "only root has something that this user may not see")
    hidden = host.home / "hidden.pid"
    hidden.write_text("1\n")
    hidden.chmod(0o600)
    with socket.create_server(("127.0.0.1", 0)) as roots:
        for selectors in ({"pid_file": str(hidden)}, {"port": roots.getsockname()[1]}):
            result = host.run("probe_process", **selectors, minimum=0, maximum=0)
            assert result["failed"] and result["observation"]["met"] is None and "use become" in result["msg"]


# container: by the engine's socket and by the real docker client, with a stand-in for the engine, since nobody can order a real one to
# have a container that is unhealthy, in trouble or killed for lack of memory. What a real engine says is asked in tests/integration.


class Engine(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    containers = {}

    def answer(self):
        name = self.path.rpartition("/containers/")[2].partition("/json")[0]
        if "/containers/" not in self.path:
            return self.send(200, {"ApiVersion": "1.41", "MinAPIVersion": "1.12", "Version": "0"})
        if name == "trouble":
            return self.send(500, {"message": "the engine is in trouble"})
        if name == "elsewhere":
            return self.send(404, {"message": "page not found"})
        found = self.containers.get(name)
        return self.send(200, found) if found else self.send(404, {"message": "No such container: " + name})

    do_GET = do_HEAD = answer

    def send(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        for header, value in (("Content-Type", "application/json"), ("Content-Length", len(body)), ("Api-Version", "1.41")):
            self.send_header(header, str(value))
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else body)

    def log_message(self, *words):
        pass


class Socket(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("engine") / "docker.sock")
    with Socket(path, Engine) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield "unix://" + path
        server.shutdown()


@pytest.fixture(params=["socket", "client"])
def way(request, monkeypatch):
    if request.param == "client":
        assert shutil.which("docker") or missing("the docker client", "it is not on this machine")
        monkeypatch.setattr(probe_container, "by_socket", lambda name, path: probe_container.by_client(name, "unix://" + path))


HEALTHY = {"State": {"Status": "running", "Health": {"Status": "healthy"}, "OOMKilled": False, "ExitCode": 0}, "RestartCount": 0}
PLAIN = {"State": {"Status": "running", "OOMKilled": False, "ExitCode": 0}, "RestartCount": 2}
KILLED = {"State": {"Status": "exited", "OOMKilled": True, "ExitCode": 137}, "RestartCount": 0}
CONTAINERS = [
    ("healthy", HEALTHY, {"health": "healthy", "max_restarts": 0, "oom_killed": False}, True, ""),
    ("healthy", HEALTHY, {"state": "paused"}, False, "healthy is running, expected paused"),
    ("plain", PLAIN, {"health": "healthy", "max_restarts": 1}, False,
     "plain has health none, expected healthy; plain was restarted 2 times, at most 1 expected"),
    ("killed", KILLED, {"oom_killed": False}, False, "killed is exited, expected running; killed was killed for lack of memory"),
    ("killed", KILLED, {"state": ["exited", "dead"], "oom_killed": True}, True, ""),
    ("nobody", None, {}, False, "nobody is absent, expected running"),
    ("nobody", None, {"state": ["absent", "exited"]}, True, ""),
    ("trouble", None, {"state": "absent"}, None, "no data: the Docker engine cannot be asked"),
    ("elsewhere", None, {"state": "absent"}, None, "no data: the Docker engine cannot be asked"),
]


@pytest.mark.parametrize(("name", "container", "options", "met", "reason"), CONTAINERS, ids=["%s %s" % (row[0], row[2]) for row in CONTAINERS])
def test_a_container_is_judged_by_what_the_engine_says(engine, way, monkeypatch, name, container, options, met, reason):
    monkeypatch.setattr(Engine, "containers", {name: container} if container else {})
    observation = measured(probe_container, name=name, docker_host=engine, **options)
    assert observation["met"] is met and reason in said(observation)[1], observation


def test_an_engine_that_cannot_be_asked_is_no_data(way):
    observation = measured(probe_container, name="x", docker_host="unix:///no/such.sock", state="absent")
    assert observation["met"] is None and "is it running? may this user use its socket?" in said(observation)[1]


# what all of them have in common


def test_whatever_goes_wrong_in_measuring_is_no_data():
    class Broken:
        __name__, OPTIONS, judge = "x.probe_broken", {}, staticmethod(lambda arguments, seen: [])

        @staticmethod
        def measure(arguments):
            raise ZeroDivisionError("by nothing")

    assert said(measured(Broken())) == (None, "no data: ZeroDivisionError: by nothing")
