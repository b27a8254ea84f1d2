"""What is special about breaking a proxy: its server forgets when it is restarted, may be gone, and belongs to others, too."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import uuid

import pytest
import requests

from lab.local import free_ports
from lab.standin import Echo, Standin


@pytest.fixture
def server():
    """A stand-in for Toxiproxy with the proxy db."""
    echo, standin = Echo(), Standin()
    [port] = free_ports(1)
    standin.stop()
    standin.proxies = [("db", f"127.0.0.1:{port}", echo.address)]
    standin.start()
    yield standin
    standin.stop()
    echo.server_close()


@pytest.fixture
def run():
    return f"proxy-{uuid.uuid4().hex[:8]}"


def fault(server, run, name="inject", **more):
    options = {"api": server.url, "name": "db", "type": "latency", "latency": 100, "duration": 60, "run": run}
    return {"name": name, "gameday.chaos.fault_proxy": {**options, **more}}


def recover(run, **more):
    return {"name": "recover", "gameday.chaos.recover": {"run": run}, **more}


def toxics(server):
    return sorted(one["name"] for one in requests.get(server.url + "/proxies/db/toxics", timeout=5).json())


def test_a_server_that_was_restarted_has_put_it_back_and_the_fault_did_not_last(run_playbook, server, run):
    injected = run_playbook([fault(server, run)])
    assert injected.rc == 0, injected
    server.stop()
    server.start()
    ended = run_playbook([recover(run)])
    assert ended.rc == 0, ended
    recovery = ended.result("recover")["recovery"]
    assert recovery["restored"] and recovery["faults"][0]["lasted"] is False


def test_a_changed_toxic_went_with_its_server_too(run_playbook, server, run):
    requests.post(server.url + "/proxies/db/toxics", json={"type": "latency", "attributes": {"latency": 7}}, timeout=5)
    assert run_playbook([fault(server, run)]).rc == 0
    server.stop()
    server.start()
    ended = run_playbook([recover(run)])
    assert ended.rc == 0 and ended.result("recover")["recovery"]["faults"][0]["lasted"] is False, ended
    assert toxics(server) == []


@pytest.mark.long
def test_a_server_that_does_not_answer_is_not_taken_for_one_that_is_whole(run_playbook, server, run):
    injected = run_playbook([fault(server, run)])
    server.process.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    failed = run_playbook([recover(run, ignore_errors=True)])
    server.process.send_signal(signal.SIGCONT)
    assert failed.result("recover")["recovery"]["restored"] is False, failed
    assert time.monotonic() - began < 90
    assert os.path.exists(injected.result("inject")["fault"]["way_back"])
    again = run_playbook([recover(run)])
    assert again.rc == 0 and toxics(server) == [], again


def test_a_server_on_this_host_that_is_gone_for_good_holds_nobody_up(run_playbook, server, run):
    assert run_playbook([fault(server, run)]).rc == 0
    server.stop()
    ended = run_playbook([recover(run)])
    server.start()
    assert ended.rc == 0 and ended.result("recover")["recovery"]["faults"][0]["lasted"] is False, ended


def test_others_toxics_stay_and_may_come_and_go(run_playbook, server, run):
    url = server.url + "/proxies/db/toxics"
    requests.post(url, json={"name": "theirs", "type": "latency", "attributes": {"latency": 1}}, timeout=5)
    life = run_playbook([fault(server, run), fault(server, run, "and the other way", stream="upstream")])
    assert life.rc == 0 and toxics(server) == ["latency_downstream", "latency_upstream", "theirs"], life
    requests.post(url, json={"name": "later", "type": "noop"}, timeout=5)
    ended = run_playbook([recover(run)])
    assert ended.rc == 0 and len(ended.result("recover")["recovery"]["faults"]) == 2 and toxics(server) == ["later", "theirs"], ended


def test_a_colleague_removed_it_first(run_playbook, server, run):
    assert run_playbook([fault(server, run)]).rc == 0
    requests.delete(server.url + "/proxies/db/toxics/latency_downstream", timeout=5)
    ended = run_playbook([recover(run)])
    assert ended.rc == 0 and ended.result("recover")["recovery"]["faults"][0]["lasted"] is False, ended


def test_by_hand_with_nothing_but_a_shell_and_curl(run_playbook, server, run):
    injected = run_playbook([fault(server, run, api=server.url.replace("127.0.0.1", "localhost"))])
    way_back = injected.result("inject")["fault"]["way_back"]
    with open(way_back) as text:
        script = text.read()
    assert "python" not in script.lower().replace("needs neither ansible, nor python", "") and "/reset" not in script
    bare = {"PATH": "/usr/bin:/bin", "http_proxy": "http://127.0.0.1:9"}
    first = subprocess.run(["sh", way_back], env=bare, capture_output=True, text=True)
    assert first.returncode == 0 and "put back" in first.stdout and toxics(server) == [], first
    assert not os.path.exists(way_back)
    assert run_playbook([recover(run)]).rc == 0


def test_a_proxy_whose_port_is_taken_leaves_nothing_and_says_so(run_playbook, server, run):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        made = {"name": "made", "create": True, "listen": address, "upstream": "127.0.0.1:9"}
        task = fault(server, run)
        task["gameday.chaos.fault_proxy"].update(made)
        failed = run_playbook([{**task, "ignore_errors": True}])
    said = failed.result("inject")["msg"]
    assert "address already in use" in said and "What was done of it is undone" in said, failed
    assert list(requests.get(server.url + "/proxies", timeout=5).json()) == ["db"]


def test_a_module_that_is_killed_in_the_middle_leaves_what_ends_by_itself(run_playbook, server, run):
    """Controller and module are killed as soon as there is a record: before, in or after the injection."""
    background = run_playbook([fault(server, run, duration=8)], background=True)
    background.wait_for("inject")
    claim = "faults/proxy%2F" + server.url[7:]
    deadline = time.monotonic() + 30
    while not any(claim in os.path.join("faults", name) for name in listed()) and time.monotonic() < deadline:
        time.sleep(0.005)
    background.send_group(signal.SIGKILL)
    background.process.wait(10)
    limit = time.monotonic() + 25
    while (toxics(server) or any(claim in os.path.join("faults", name) for name in listed())) and time.monotonic() < limit:
        time.sleep(0.1)
    assert toxics(server) == [] and not any(claim in os.path.join("faults", name) for name in listed())


def listed():
    folder = "/var/lib/gameday/faults" if os.geteuid() == 0 else os.path.expanduser("~/.local/state/gameday/faults")
    return os.listdir(folder) if os.path.isdir(folder) else []


def test_no_server_is_an_error_with_its_cure(run_playbook, server, run):
    gone = fault(server, run, api="http://127.0.0.1:9")
    failed = run_playbook([{**gone, "ignore_errors": True}])
    assert "api: no Toxiproxy answers at http://127.0.0.1:9" in failed.result("inject")["msg"] and "Start it" in failed.result("inject")["msg"]
