"""The experiment redis_unavailable on real parts: the demo system as processes, in containers, and as services over ssh."""

from __future__ import annotations

import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[2]
PLAYBOOK = ROOT / "playbooks/redis_unavailable.yml"
QUICK = {"redis_unavailable_watch": 2, "redis_unavailable_duration": 30}


@pytest.fixture
def processes(voiceassist_processes):
    """How to point the playbook at the demo system as processes; honest again afterwards."""
    system = voiceassist_processes
    yield {**QUICK, "voiceassist_directory": system.directory, "redis_unavailable_url": system.url}
    system.up()


def test_redis_as_a_process(run_playbook, processes):
    run = run_playbook(PLAYBOOK, ROOT / "inventories/demo", processes)
    assert run.rc == 0, run
    journal, = run.journals()
    assert journal["verdict"] == "passed" and journal["restored"] is True
    assert "the cache is used" in str(journal["steady_states"]["after"])


@pytest.mark.long
def test_redis_as_a_container(run_playbook, voiceassist_containers):
    system = voiceassist_containers
    run = run_playbook(PLAYBOOK, None, {**QUICK, "redis_unavailable_kind": "container", "redis_unavailable_container": system.redis.name,
                                        "redis_unavailable_url": system.url})
    assert run.rc == 0, run
    system.redis.reload()
    assert system.redis.status == "running"


@pytest.mark.long
def test_redis_as_a_service_on_three_hosts(run_playbook, voiceassist_hosts):
    run = run_playbook(PLAYBOOK, voiceassist_hosts, {**QUICK, "redis_unavailable_kind": "service", "redis_unavailable_service": "voiceassist-redis"})
    assert run.rc == 0, run
    for host in voiceassist_hosts.names:
        assert voiceassist_hosts.run(host, "systemctl is-active voiceassist-redis").stdout.strip() == "active"


@pytest.mark.long
def test_an_api_that_needs_its_cache_deviates_for_the_right_reason(run_playbook, processes, voiceassist_processes):
    voiceassist_processes.up(fragile="cache")
    run = run_playbook(PLAYBOOK, ROOT / "inventories/demo", processes)
    assert run.rc == 2, run
    journal, = run.journals()
    assert journal["verdict"] == "deviated" and journal["restored"] is True
    assert "status 500" in journal["reason"], journal["reason"]
