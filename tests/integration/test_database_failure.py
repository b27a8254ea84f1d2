"""The experiment on real parts: PostgreSQL as a process, a container, a service, on one host and on several."""

from __future__ import annotations

import os
import pathlib
import subprocess

import pytest
import requests
import yaml

ROOT = pathlib.Path(__file__).parents[2]
PLAYBOOK = ROOT / "playbooks/database_failure.yml"
QUICK = {"database_failure_watch": 3, "database_failure_duration": 40, "database_failure_notices_within": 15,
         "database_failure_read_path": "/api/sessions/1"}


def process(system, **more):
    return {**QUICK, "voiceassist_directory": system.directory, "database_failure_url": system.url, **more}


def service(**more):
    return {**QUICK, "database_failure_kind": "service", "database_failure_service": "voiceassist-postgres",
            "database_failure_url": "http://127.0.0.1:8080", **more}


def only_journal(run):
    journals = run.journals()
    assert len(journals) == 1, run
    return journals[0]


def test_postgresql_as_a_process(run_playbook, voiceassist_processes):
    run = run_playbook(PLAYBOOK, ROOT / "inventories/demo", process(voiceassist_processes))
    assert run.rc == 0, run
    journal = only_journal(run)
    assert journal["verdict"] == "passed" and journal["status"] == "completed" and journal["deviated"] is False and journal["restored"]
    fault, = journal["faults"]
    assert fault["verified"] and fault["ended_by"] == "recover" and fault["begin"] < fault["end"]
    assert 3 < journal["timings"]["outage"] < 60 and 0 <= journal["timings"]["recovery"] < 30 and 0 <= journal["timings"]["impact"] < 15
    window = journal["steady_states"]["during"]
    assert window, journal["steady_states"].keys()
    assert requests.get(voiceassist_processes.url + "/health", timeout=2).status_code == 200
    for words in ("PASSED", "restored", "recovered", "journal"):
        assert words in run.stdout


@pytest.mark.long
def test_postgresql_as_a_container(run_playbook, voiceassist_containers):
    system = voiceassist_containers
    run = run_playbook(PLAYBOOK, None, {
        **QUICK, "database_failure_kind": "container", "database_failure_container": system.postgres.name, "database_failure_url": system.url,
        "database_failure_log": {"container": system.api.name},
    })
    assert run.rc == 0, run
    assert only_journal(run)["faults"][0]["claim"] == f"container/{system.postgres.name}"
    system.postgres.reload()
    assert system.postgres.status == "running"


def test_postgresql_as_a_service_on_three_hosts_is_one_journal(run_playbook, voiceassist_hosts):
    run = run_playbook(PLAYBOOK, voiceassist_hosts, service())
    assert run.rc == 0, run
    journal = only_journal(run)
    assert {name: host["verdict"] for name, host in journal["hosts"].items()} == dict.fromkeys(voiceassist_hosts.names, "passed")
    assert sorted(fault["host"] for fault in journal["faults"]) == voiceassist_hosts.names
    for host in voiceassist_hosts.names:
        assert voiceassist_hosts.run(host, "systemctl is-active voiceassist-postgres").stdout.strip() == "active"


def test_the_database_breaks_on_one_host_while_another_observes(run_playbook, voiceassist_hosts, tmp_path):
    known = pathlib.Path(voiceassist_hosts.inventory).read_text()
    (tmp_path / "hosts.ini").write_text(known + "[database]\nh1\n[api]\nh2\n")
    run = run_playbook(PLAYBOOK, tmp_path / "hosts.ini", service(database_failure_url=voiceassist_hosts.url("h1")),
                       arguments=["--limit", "database,api"])
    assert run.rc == 0, run
    journal = only_journal(run)
    assert [fault["host"] for fault in journal["faults"]] == ["h1"] and set(journal["hosts"]) == {"h1", "h2"}
    assert journal["verdict"] == "passed" and journal["timings"]["recovery"] is not None


@pytest.mark.parametrize("fragile, words", [
    ("error", "status 500"), ("reconnect", "not steady again")])
@pytest.mark.long
def test_a_fragile_api_deviates_for_the_right_reason(run_playbook, voiceassist_processes, fragile, words):
    voiceassist_processes.up(fragile=fragile)
    try:
        run = run_playbook(PLAYBOOK, ROOT / "inventories/demo", process(voiceassist_processes, database_failure_recovery=4))
        assert run.rc != 0
        journal = only_journal(run)
        assert journal["verdict"] == "deviated" and words in journal["reason"], run
        assert journal["restored"] and journal["faults"][0]["end"]
        assert "DEVIATED" in run.stdout
        if fragile == "error":
            assert journal["evidence"], journal
    finally:
        voiceassist_processes.up()


def test_without_a_steady_state_nothing_is_injected(run_playbook, voiceassist_processes):
    closed = process(voiceassist_processes, database_failure_url="http://127.0.0.1:9")
    before = pathlib.Path(voiceassist_processes.pid_files["database"]).read_text()
    run = run_playbook(PLAYBOOK, ROOT / "inventories/demo", closed)
    assert run.rc != 0
    journal = only_journal(run)
    assert journal["verdict"] == "errored" and "not steady before, nothing was injected" in journal["reason"] and journal["faults"] == []
    assert pathlib.Path(voiceassist_processes.pid_files["database"]).read_text() == before


def picture(folder):
    return subprocess.run(["find", folder, "-printf", "%p %s %T@\n"], capture_output=True, text=True, check=False).stdout


def test_check_mode_names_the_process_and_writes_nothing(run_playbook, voiceassist_processes):
    ledger = "/var/lib/gameday" if os.geteuid() == 0 else os.path.expanduser("~/.local/state/gameday")
    pid = pathlib.Path(voiceassist_processes.pid_files["database"]).read_text().split()[0]
    before = picture(ledger), picture(f"{voiceassist_processes.directory}/postgres/global")
    run = run_playbook(PLAYBOOK, ROOT / "inventories/demo", process(voiceassist_processes), arguments=["--check", "--diff"])
    assert run.rc == 0, run
    assert f"pid {pid}" in run.stdout and "start-database" in run.stdout, run
    assert (picture(ledger), picture(f"{voiceassist_processes.directory}/postgres/global")) == before
    assert not run.reports.exists() or not list(run.reports.iterdir()), list(run.reports.iterdir())
    assert os.path.exists(f"/proc/{pid}")


@pytest.mark.long
def test_check_mode_names_the_unit_on_each_host(run_playbook, voiceassist_hosts):
    run = run_playbook(PLAYBOOK, voiceassist_hosts, service(), arguments=["--check", "--diff"])
    assert run.rc == 0, run
    for host in voiceassist_hosts.names:
        assert run.result("Stop the service of", host)["fault"]["state"] == "planned"
        assert host in run.stdout
        assert voiceassist_hosts.run(host, "systemctl is-active voiceassist-postgres").stdout.strip() == "active"
    assert run.stdout.count("systemctl stop voiceassist-postgres.service") >= 1


def test_its_own_arguments_are_checked(run_playbook, voiceassist_processes):
    run = run_playbook(PLAYBOOK, ROOT / "inventories/demo", process(voiceassist_processes, database_failure_kind="cloud"))
    assert run.rc != 0 and "database_failure_kind" in run.stdout + run.stderr and "Traceback" not in run.stdout + run.stderr


def test_the_demo_inventory_needs_nothing_else():
    data = yaml.safe_load((ROOT / "inventories/demo/hosts.yml").read_text())
    assert list(data["all"]["hosts"]) == ["demo"]
