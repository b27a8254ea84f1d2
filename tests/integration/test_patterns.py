"""Every pattern of docs/patterns.md is run as it stands there."""

from __future__ import annotations

import pathlib
import re
import sys
from datetime import datetime

import pytest

pytestmark = pytest.mark.long

ROOT = pathlib.Path(__file__).parents[2]
PATTERNS = ROOT / "docs/patterns"


def journal_of(run):
    assert "Traceback" not in run.stdout + run.stderr, run
    journal, = run.journals()
    return journal


@pytest.fixture
def play(run_playbook, compose_lab):
    def play(pattern, inventory=ROOT / "inventories/lab", **more):
        return run_playbook(PATTERNS / "run.yml", inventory, {"pattern": pattern, "watch": 2, **compose_lab.variables, **more})

    return play


def test_every_pattern_is_documented():
    files = {path.stem for path in PATTERNS.glob("*.yml")} - {"run", "gradual_loss_step"}
    assert set(re.findall(r"\]\(patterns/(\w+)\.yml\)", (ROOT / "docs/patterns.md").read_text())) - {"run", "gradual_loss_step"} == files


def test_kill_a_process(run_playbook, voiceassist_processes):
    system = voiceassist_processes
    run = run_playbook(PATTERNS / "run.yml", ROOT / "inventories/demo", {
        "pattern": "kill_a_process", "watch": 2, "lab_url": system.url, "voiceassist_directory": system.directory})
    assert run.rc == 0 and journal_of(run)["verdict"] == "passed", run


@pytest.mark.parametrize("pattern, faults", [("fill_a_disk", 1), ("packet_loss", 1), ("gradual_loss", 3), ("alert_fired", 1), ("error_budget", 1)])
def test_pattern(play, pattern, faults):
    run = play(pattern)
    journal = journal_of(run)
    assert (journal["timings"]["detection"] is not None) == (pattern == "alert_fired"), journal["timings"]
    assert run.rc == 0 and journal["verdict"] == "passed" and journal["restored"] and len(journal["faults"]) == faults, run


def test_gradual_loss_stops_at_the_first_breach(play):
    run = play("gradual_loss", bearable=0.00001)
    journal = journal_of(run)
    assert run.rc == 2 and journal["verdict"] == "deviated" and "took" in journal["reason"], run
    assert len(journal["faults"]) == 1 and journal["restored"], run


def test_several_targets_stop_together(play):
    run = play("several_together")
    journal = journal_of(run)
    assert run.rc == 0 and journal["verdict"] == "passed", run
    first, second = (datetime.fromisoformat(fault["begin"]) for fault in journal["faults"])
    # One after the other, each would have taken its own stop and the start of a module.
    assert abs((second - first).total_seconds()) < 2, journal["faults"]


def test_some_hosts_break_while_others_observe(play, tmp_path):
    local = f"ansible_connection=local ansible_python_interpreter={sys.executable}"
    (tmp_path / "hosts.ini").write_text(f"[cache]\nbreaks {local}\n[api]\nlooks {local}\n")
    run = play("some_break_others_observe", tmp_path / "hosts.ini")
    journal = journal_of(run)
    assert run.rc == 0 and journal["verdict"] == "passed", run
    assert run.task("Redis stops", "looks").status == "skipped" and run.task("The API does without it", "breaks").status == "skipped"
    assert set(journal["hosts"]) == {"breaks", "looks"}


def test_a_load_in_the_background_is_measured_and_is_no_fault(play):
    run = play("background_load")
    journal = journal_of(run)
    assert run.rc == 0 and journal["verdict"] == "passed" and len(journal["faults"]) == 1, run
    assert run.result("End the load")["observation"]["requests"] > 40, run


def test_a_load_that_suffers_makes_the_experiment_deviate(play):
    run = play("background_load", load={"url": "http://127.0.0.1:9/", "rate": 5, "duration": 120, "maximum_error_rate": 0.5})
    journal = journal_of(run)
    assert run.rc == 2 and journal["verdict"] == "deviated" and "requests failed, more than maximum_error_rate" in journal["reason"], run
