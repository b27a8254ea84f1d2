"""All experiments one after the other: one that does not pass never stops the next, and the end is as bad as the worst."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
QUICK = {"database_failure_watch": 3, "redis_unavailable_watch": 3, "experiments": ["database_failure", "redis_unavailable"]}


@pytest.fixture
def system(voiceassist_processes):
    yield voiceassist_processes
    voiceassist_processes.up()


def variables(system):
    return {**QUICK, "voiceassist_directory": system.directory, "voiceassist_api_port": system.ports["api"]}


@pytest.mark.long
def test_all_pass(run_playbook, system):
    run = run_playbook(ROOT / "playbooks/all.yml", ROOT / "inventories/demo", variables(system))
    assert run.rc == 0 and "Passed: 2 Failed: 0" in run.stdout, run
    assert [journal["verdict"] for journal in run.journals()] == ["passed", "passed"]


def test_a_preview_of_all_is_no_failure_and_one_of_what_would_be_refused_is(run_playbook, system):
    chosen = {**variables(system), "experiments": ["redis_unavailable", "resource_exhaustion"]}
    run = run_playbook(ROOT / "playbooks/all.yml", ROOT / "inventories/demo", chosen, arguments=["--check"])
    assert run.rc == 0 and "Passed: 0 Failed: 0 Previewed: 2" in run.stdout and run.journals() == [], run
    run = run_playbook(ROOT / "playbooks/all.yml", ROOT / "inventories/demo", {**chosen, "redis_unavailable_kind": "cloud"}, arguments=["--check"])
    assert run.rc == 2 and "Passed: 0 Failed: 1, the worst: errored" in run.stdout and "resource_exhaustion  previewed" in run.stdout, run


def test_one_that_deviates_does_not_stop_the_next(run_playbook, system):
    system.up(fragile="error")
    run = run_playbook(ROOT / "playbooks/all.yml", ROOT / "inventories/demo", variables(system))
    assert run.rc == 2 and "Passed: 1 Failed: 1, the worst: deviated" in run.stdout, run
    assert sorted(journal["verdict"] for journal in run.journals()) == ["deviated", "passed"]


def test_the_script_runs_those_that_are_named_and_ends_as_the_worst(tmp_path, system):
    system.up(fragile="cache")
    script = [ROOT / "scripts/run-chaos-tests.sh", "redis_unavailable", "--"]
    options = [word for name, value in variables(system).items() if name != "experiments" for word in ("-e", f"{name}={value}")]
    ran = subprocess.run([*map(str, script), *options], capture_output=True, text=True, env={**os.environ, "GAMEDAY_REPORTS": str(tmp_path)})
    assert ran.returncode == 2 and "Failed: 1" in ran.stdout and "database_failure" not in ran.stdout, ran.stdout + ran.stderr


def test_the_script_names_what_there_is():
    ran = subprocess.run([str(ROOT / "scripts/run-chaos-tests.sh"), "nosuch"], capture_output=True, text=True)
    there = "database_failure network_latency redis_unavailable resource_exhaustion"
    assert ran.returncode == 5 and f"There is no experiment nosuch; there are: {there}" in ran.stderr


def test_a_host_that_is_refused_holds_the_others_back_also_when_it_was_steady_in_the_experiment_before(run_playbook, system, tmp_path):
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars/all.yml").write_text((ROOT / "inventories/demo/group_vars/all.yml").read_text())
    local = f"ansible_connection=local ansible_python_interpreter={sys.executable}"
    (tmp_path / "hosts.ini").write_text(f"one {local}\ntwo {local} redis_unavailable_kind=cloud\n[database]\none\n")
    run = run_playbook(ROOT / "playbooks/all.yml", tmp_path / "hosts.ini", variables(system))
    assert run.rc == 2 and "Passed: 1 Failed: 1, the worst: errored" in run.stdout, run
    database, cache = sorted(run.journals(), key=lambda journal: journal["experiment"]["title"])
    assert database["verdict"] == "passed" and cache["verdict"] == "errored" and cache["faults"] == [], run
