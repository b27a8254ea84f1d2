# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Foreign files on the lab in Docker Compose, with the addresses of this lab and nothing else changed: judged as they are meant, and put back."""

from __future__ import annotations

import json
import pathlib
import signal
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).parents[2]
PLAYBOOK = ROOT / "playbooks/chaostoolkit.yml"


@pytest.fixture
def run_file(run_playbook, compose_lab, tmp_path):
    """run_file(name, more variables, background) -> Run of that file on the lab."""
    def run(name, variables=None, **options):
        path, values, environment = compose_lab.foreign(ROOT / "tests/chaostoolkit" / name, tmp_path)
        given = {"experiment": str(path), "chaostoolkit_directory": str(ROOT / "lab"), **values, **(variables or {})}
        return run_playbook(PLAYBOOK, None, given, environment, **options)

    return run


def state_of(lab, service):
    return subprocess.run(["docker", "inspect", "--format", "{{.State.Status}}", f"{lab.project}-{service}-1"], capture_output=True, text=True,
                          check=True).stdout.strip()


def test_the_database_stopped_by_compose(run_file, compose_lab):
    run = run_file("database_failure.yaml")
    journal, = run.journals()
    told = {entry["activity"]["name"]: entry["status"] for entry in journal["run"]}
    assert journal["restored"] and journal["toolkit"]["covered"] == ["stop-postgres"] and state_of(compose_lab, "postgres") == "running", run
    assert journal["faults"][0]["claim"] == f"container/{compose_lab.project}-postgres-1", journal["faults"]
    assert told["stop-postgres"] == told["degrades-gracefully"] == told["an-alert-fires"] == "succeeded", told
    assert run.rc == 0 and journal["verdict"] == "passed", run


@pytest.mark.long
def test_a_controller_that_dies_after_compose_has_stopped_the_database(run_file, compose_lab):
    run = run_file("database_failure.yaml", {"chaostoolkit_duration": 20}, background=True)
    run.wait_for("Activity: stop-postgres", status="ok")
    assert state_of(compose_lab, "postgres") == "exited"
    run.send(signal.SIGKILL)
    run.wait()
    limit = time.monotonic() + 25
    while state_of(compose_lab, "postgres") != "running" and time.monotonic() < limit:
        time.sleep(0.2)
    assert state_of(compose_lab, "postgres") == "running"


@pytest.mark.long
def test_latency_by_the_api_of_toxiproxy(run_file, compose_lab):
    run = run_file("network_latency.yaml")
    journal, = run.journals()
    assert run.rc == 0 and journal["verdict"] == "passed" and journal["restored"], run
    assert journal["toolkit"]["covered"] == ["add-latency"] and "toxic" in json.dumps(journal["faults"]), journal["faults"]
