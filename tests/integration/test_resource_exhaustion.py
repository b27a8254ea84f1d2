"""The experiment resource_exhaustion on real parts: pressure on this machine, and within the limits of a container."""

from __future__ import annotations

import pathlib

import pytest

pytestmark = pytest.mark.alone

ROOT = pathlib.Path(__file__).parents[2]
PLAYBOOK = ROOT / "playbooks/resource_exhaustion.yml"
QUICK = {"resource_exhaustion_watch": 3, "resource_exhaustion_duration": 30, "resource_exhaustion_recovery": 5}


@pytest.fixture
def processes(voiceassist_processes):
    system = voiceassist_processes
    yield {**QUICK, "voiceassist_directory": system.directory, "voiceassist_api_port": system.ports["api"]}
    system.up()


def test_pressure_on_the_host(run_playbook, processes):
    run = run_playbook(PLAYBOOK, ROOT / "inventories/demo", processes)
    assert run.rc == 0, run
    journal, = run.journals()
    assert journal["verdict"] == "passed" and {fault["kind"] for fault in journal["faults"]} == {"fault_cpu", "fault_memory"}
    assert all(fault["verified"] and fault["lasted"] for fault in journal["faults"])


@pytest.mark.long  # the lab in Docker Compose does it, too
def test_pressure_within_the_limits_of_a_container(run_playbook, voiceassist_containers):
    system = voiceassist_containers
    system.api.update(mem_limit="256m", memswap_limit="256m", cpu_period=100000, cpu_quota=50000)
    run = run_playbook(PLAYBOOK, None, {**QUICK, "resource_exhaustion_kind": "container", "resource_exhaustion_container": system.api.name,
                                        "resource_exhaustion_url": system.url})
    assert run.rc == 0, run
    journal, = run.journals()
    assert journal["verdict"] == "passed", journal["reason"]
    assert any("of 256 MiB" in fault["target"] for fault in journal["faults"]), [fault["target"] for fault in journal["faults"]]
    system.api.reload()
    assert not system.api.attrs["State"]["OOMKilled"] and system.api.attrs["RestartCount"] == 0


def test_an_api_that_leaks_deviates_for_the_right_reason(run_playbook, processes, voiceassist_processes):
    voiceassist_processes.up(fragile="leak")
    run = run_playbook(PLAYBOOK, ROOT / "inventories/demo", processes)
    assert run.rc == 2, run
    journal, = run.journals()
    assert journal["verdict"] == "deviated" and "memory is not leaked" in journal["reason"], journal["reason"]
