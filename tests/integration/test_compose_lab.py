"""The lab of `make lab`: VoiceAssist in Docker Compose, with monitoring that sees it, and every experiment on it."""

from __future__ import annotations

import pathlib
import subprocess
import time

import pytest
import requests

ROOT = pathlib.Path(__file__).parents[2]
INVENTORY = ROOT / "inventories/lab"
QUICK = {"database_failure_watch": 3, "redis_unavailable_watch": 1, "network_latency_watch": 4, "network_latency_samples_per_second": 20,
         "resource_exhaustion_watch": 2}


def becomes(question, seconds=20):
    deadline = time.monotonic() + seconds
    while not question():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


def value_of(lab, query):
    result = requests.get(f"{lab.prometheus}/api/v1/query", {"query": query}, timeout=5).json()["data"]["result"]
    return float(result[0]["value"][1]) if result else None


def test_prometheus_sees_the_api(compose_lab):
    assert becomes(lambda: value_of(compose_lab, 'up{job="voiceassist"}') == 1)


def test_it_listens_on_loopback_only(compose_lab):
    names = [f"{compose_lab.project}-{name}-1" for name in ("postgres", "redis", "proxy", "api", "prometheus", "alertmanager")]
    for name in names:
        asked = subprocess.run(["docker", "port", name], capture_output=True, text=True, check=True).stdout.split("\n")
        assert asked[0] and all(" -> 127.0.0.1:" in line for line in asked if line), asked


@pytest.mark.alone
def test_every_experiment_passes_and_the_alert_fires(run_playbook, compose_lab):
    run = run_playbook(ROOT / "playbooks/all.yml", INVENTORY, {**QUICK, **compose_lab.variables}, seconds=200)
    assert run.rc == 0, run
    assert [journal["verdict"] for journal in run.journals()] == ["passed"] * 4
    detections = {journal["experiment"]["title"]: journal["timings"]["detection"] for journal in run.journals()}
    assert [seconds is not None and 0 < seconds < 30 for title, seconds in detections.items() if "PostgreSQL" in title] == [True], detections
    assert all(journal["restored"] for journal in run.journals())


@pytest.mark.parametrize("experiment, fragile, words", [
    ("database_failure", "error", "status 500"), ("redis_unavailable", "cache", "status 500")])
@pytest.mark.long
def test_a_fragile_api_deviates_for_the_right_reason(run_playbook, compose_lab, experiment, fragile, words):
    compose_lab.call("up", VOICEASSIST_FRAGILE=fragile)
    try:
        run = run_playbook(ROOT / f"playbooks/{experiment}.yml", INVENTORY, {**QUICK, **compose_lab.variables})
    finally:
        compose_lab.call("up")
    journal, = run.journals()
    assert run.rc == 2 and journal["verdict"] == "deviated" and words in journal["reason"] and journal["restored"], run
