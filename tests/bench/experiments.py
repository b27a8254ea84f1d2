# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an experiment costs beyond the time for which it watches on purpose: the whole playbook on the demo system, next to as many pings."""
from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

from stage import ROOT  # which makes the lab known

from lab.voiceassist import AsProcesses

EXPERIMENTS = sorted(path.parents[1].name for path in ROOT.glob("roles/*/tasks/method.yml"))


def costs(stage):
    """(experiment, seconds beyond the watching, that time as a multiple of as many pings) of each experiment that can be run here."""
    system = AsProcesses(f"/var/tmp/gameday-bench-{os.getpid()}")
    stage.closing.callback(system.call, "down", "--purge")
    system.up()
    for name in EXPERIMENTS:
        seconds, tasks, verdict = run(stage, system, name)
        if verdict != "passed":
            yield name, None, verdict
            continue
        began = time.perf_counter()
        stage.play([{"name": "ping", "ansible.builtin.ping": {}}] * tasks)
        yield name, seconds, seconds / (time.perf_counter() - began)


def run(stage, system, name):
    """Seconds of the playbook without its windows, how many tasks it had, and its verdict."""
    reports, times = stage.folder / f"reports-{name}", stage.folder / f"{name}.times"
    environment = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
    environment.update(
        LC_ALL="C.UTF-8", BENCH_TASKS=str(times), ANSIBLE_CONFIG=str(ROOT / "ansible.cfg"), GAMEDAY_REPORTS=str(reports), ANSIBLE_NOCOLOR="1",
        ANSIBLE_CALLBACK_PLUGINS=str(pathlib.Path(__file__).parent / "callback"), ANSIBLE_CALLBACKS_ENABLED="gameday.chaos.journal,task_times",
    )
    ports = {f"voiceassist_{port}_port": number for port, number in system.ports.items()}
    command = [sys.executable, "-m", "ansible", "playbook", "--inventory", "inventories/demo", f"playbooks/{name}.yml",
               "--extra-vars", json.dumps({"voiceassist_directory": system.directory, **ports})]
    began = time.perf_counter()
    subprocess.run(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    seconds = time.perf_counter() - began
    journals = sorted(reports.glob("*.json"))
    if not journals:
        return seconds, 0, "without a journal"
    journal = json.loads(journals[0].read_text())
    shutil.rmtree(reports)
    watched = sum(state["seconds"] for state in journal["steady_states"]["during"] if state["use"] == "during")
    return seconds - watched, len(times.read_text().splitlines()), journal["verdict"]
