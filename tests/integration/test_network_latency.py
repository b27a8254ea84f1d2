"""The experiment network_latency on real parts: half a second more on the way to PostgreSQL, by the stand-in for Toxiproxy."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import pytest
import requests

pytestmark = pytest.mark.alone

ROOT = pathlib.Path(__file__).parents[2]
PLAYBOOK = ROOT / "playbooks/network_latency.yml"
QUICK = {"network_latency_watch": 4, "network_latency_samples_per_second": 20, "network_latency_duration": 60, "network_latency_recovery": 20,
         "network_latency_read_path": "/api/sessions/1"}

SERVER = """
import http.server, sys
class Healthy(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(b'{"status": "healthy"}')
    def log_message(self, *words):
        pass
http.server.ThreadingHTTPServer((sys.argv[1], 8080), Healthy).serve_forever()
"""


@pytest.fixture
def processes(voiceassist_processes):
    """How to point the playbook at the demo system as processes; honest again afterwards."""
    system = voiceassist_processes
    yield {**QUICK, "voiceassist_directory": system.directory, "network_latency_url": system.url, "network_latency_proxy_api": system.proxy_api}
    system.up()


def windows(journal):
    return [probe["window"] for state in journal["steady_states"]["during"] for probe in state["probes"]]


def toxics(api, proxy):
    return requests.get(f"{api}/proxies/{proxy}/toxics", timeout=5).json()


def test_a_slow_database_behind_processes(run_playbook, processes, voiceassist_processes):
    run = run_playbook(PLAYBOOK, ROOT / "inventories/demo", processes)
    assert run.rc == 0, run
    journal, = run.journals()
    assert journal["verdict"] == "passed" and journal["restored"] is True
    fault, = journal["faults"]
    assert fault["verified"] and '"latency":500,"jitter":50' in fault["effect"] and fault["ended_by"] == "recover" and fault["lasted"]
    before, during, after = windows(journal)
    assert during["comparison"]["slower"] is True and during["p50"] - before["p50"] > 0.5 and during["availability"] == 1
    assert after["comparison"]["slower"] is False and after["p50"] < 0.45
    assert toxics(voiceassist_processes.proxy_api, "database") == []


@pytest.mark.long
def test_a_slow_database_behind_containers(run_playbook, voiceassist_containers):
    system = voiceassist_containers
    run = run_playbook(PLAYBOOK, None, {**QUICK, "network_latency_url": system.url, "network_latency_proxy_api": system.proxy_api,
                                        "network_latency_log": {"container": system.api.name}})
    assert run.rc == 0, run
    journal, = run.journals()
    assert [window.get("comparison", {}).get("slower") for window in windows(journal)] == [None, True, False]
    assert toxics(system.proxy_api, "postgres") == []


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_slow_way_by_the_kernel(run_playbook, uml_host):
    """Where the kernel has netem: a host with one of its own, which is slow at everything, asks a server at the other end of its network."""
    server = uml_host.addresses["u1"].rpartition(".")[0] + ".2"
    with subprocess.Popen([*uml_host.command_prefix, sys.executable, "-c", SERVER, server]) as serving:
        try:
            run = run_playbook(PLAYBOOK, uml_host, {
                "network_latency_kind": "network", "network_latency_delay": 300, "network_latency_jitter": 20, "network_latency_url": f"http://{server}:8080",
                "network_latency_destinations": [server], "network_latency_destination_ports": [8080], "network_latency_duration": 300,
                "network_latency_watch": 30, "network_latency_samples_per_second": 2.5, "network_latency_tolerance": 0.15},
                {"ANSIBLE_SSH_ARGS": "-o ControlMaster=auto -o ControlPersist=60s"}, seconds=500)
        finally:
            serving.kill()
    assert run.rc == 0, run
    journal, = run.journals()
    fault, = journal["faults"]
    assert fault["kind"] == "fault_network" and fault["ended_by"] == "recover" and "delay 300ms" in fault["effect"], fault
    assert [window.get("comparison", {}).get("slower") for window in windows(journal)] == [None, True, False]
    assert "netem" not in uml_host.run("u1", "tc qdisc show").stdout


def test_an_api_without_patience_deviates_for_the_right_reason(run_playbook, processes, voiceassist_processes):
    voiceassist_processes.up(fragile="timeout")
    run = run_playbook(PLAYBOOK, ROOT / "inventories/demo", processes)
    assert run.rc == 2, run
    journal, = run.journals()
    assert journal["verdict"] == "deviated" and journal["restored"] is True
    assert "status 503" in journal["reason"], journal["reason"]
    assert "no answer within 0.3 s" in str(journal["evidence"])
    assert toxics(voiceassist_processes.proxy_api, "database") == []


def test_a_delay_that_the_requests_do_not_feel_proves_nothing(run_playbook, processes):
    for _try in range(2):  # a machine that happens to become slower makes it pass, but hardly twice
        run = run_playbook(PLAYBOOK, ROOT / "inventories/demo", {**processes, "network_latency_proxy": "cache"})
        journal, = run.journals()
        nothing_proved = journal["verdict"] == "inconclusive" and "not slower than the baseline" in journal["reason"]
        if nothing_proved:
            break
    assert nothing_proved, run


def test_the_preview_names_the_toxic_and_adds_none(run_playbook, processes, voiceassist_processes):
    run = run_playbook(PLAYBOOK, ROOT / "inventories/demo", processes, arguments=["--check", "--diff"])
    assert run.rc == 0 and "latency_downstream" in run.stdout, run
    assert toxics(voiceassist_processes.proxy_api, "database") == []
