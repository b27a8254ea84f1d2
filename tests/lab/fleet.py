# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One experiment on a fleet of light hosts: a process of each is frozen, all are watched, put back and judged, and it is measured what that costs."""
from __future__ import annotations

import dataclasses
import datetime
import json
import os
import pathlib
import subprocess
import sys
import time

import yaml

ROOT = pathlib.Path(__file__).parents[2]
SLEEPER = "^sleep 86400$"
# By a small process in between: what a child of a large one has used at most begins with what its parent had.
MEASURED = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[2:])
with open(sys.argv[1], "w") as file:
    file.write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(code)
"""
METHOD = [
    {"name": "Agree on an instant", "when": "fleet_ahead is defined", "run_once": True, "ansible.builtin.set_fact": {
        "fleet_starts_at": "{{ '%Y-%m-%dT%H:%M:%S+00:00' | strftime(now(utc=true).timestamp() + fleet_ahead, utc=true) }}"}},
    {"name": "A process of every host hangs", "gameday.chaos.fault_process": {
        "pattern": SLEEPER, "duration": 600, "starts_at": "{{ fleet_starts_at | default(omit) }}"}},
    {"name": "It is seen", "gameday.chaos.steady_state": {
        "title": "the process hangs", "probes": [{"name": "frozen", "probe_process": {"pattern": SLEEPER, "frozen": True}}]}},
]
EXPERIMENT = [{
    "name": "A fleet", "hosts": "all", "gather_facts": False,
    "tasks": [{"name": "Run the experiment", "ansible.builtin.include_role": {"name": "gameday.chaos.experiment"}, "vars": {
        "experiment_title": "A process of every host hangs", "experiment_name": "fleet", "experiment_method": "{{ fleet_method }}", "experiment_recovery": 30,
        "experiment_steady_state": [{"name": "it runs", "probe_process": {"pattern": SLEEPER}}]}}],
}]


@dataclasses.dataclass(frozen=True)
class Cost:
    code: int
    seconds: float
    memory: int  # KiB, of the largest process of the controller
    journal: dict
    bytes: int  # of the journal
    output: str


def start_sleepers(hosts):
    for host in hosts.names:
        hosts.run(host, "setsid sleep 86400 </dev/null >/dev/null 2>&1 &")


def experiment(hosts, folder, count, forks=20, ahead=None):
    """Run it on the first hosts, so many; with C(ahead) all are hit at an instant so many seconds ahead."""
    folder.mkdir(parents=True)
    (folder / "method.yml").write_text(yaml.safe_dump(METHOD, sort_keys=False))
    variables = {"fleet_method": str(folder / "method.yml")}
    if ahead:
        variables["fleet_ahead"] = ahead
    (folder / "play.yml").write_text(yaml.safe_dump(EXPERIMENT, sort_keys=False))
    code, seconds, memory, output = play(hosts, folder, "--limit", "hosts[0:%d]" % (count - 1), "--forks", str(forks), "--extra-vars", json.dumps(variables),
                                         str(folder / "play.yml"))
    journals = sorted((folder / "reports").glob("*.json"))
    text = journals[0].read_text(encoding="utf-8") if journals else "{}"
    return Cost(code, seconds, memory, json.loads(text), len(text.encode()), output)


def play(hosts, folder, *arguments):
    """(exit code, seconds, KiB of memory of the largest process, output) of a playbook."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "GAMEDAY_"))}
    environment = {**inherited, "LC_ALL": "C.UTF-8", "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "GAMEDAY_REPORTS": str(folder / "reports"),
                   "ANSIBLE_NOCOLOR": "1"}
    command = [*hosts.command_prefix, sys.executable, "-m", "ansible", "playbook", "--inventory", str(hosts.inventory), *arguments]
    begin = time.perf_counter()
    with open(folder / "output", "wb") as output:
        code = subprocess.call([sys.executable, "-c", MEASURED, str(folder / "memory"), *command], cwd=ROOT, env=environment, stdin=subprocess.DEVNULL,
                               stdout=output, stderr=output)
    return code, time.perf_counter() - begin, int((folder / "memory").read_text()), (folder / "output").read_text(encoding="utf-8", errors="replace")


def halt(hosts, folder, count):
    """Seconds from the red button until every host has put back what was broken there, and has proved it."""
    folder.mkdir(parents=True)
    limit = ("--limit", "hosts[0:%d]" % (count - 1))
    (folder / "break.yml").write_text(yaml.safe_dump([{"name": "Break", "hosts": "all", "gather_facts": False, "tasks": [
        {"name": "Freeze", "gameday.chaos.fault_process": {"pattern": SLEEPER, "duration": 600}}]}]))
    (folder / "recover.yml").write_text(yaml.safe_dump([{"name": "Recover", "hosts": "all", "gather_facts": False, "tasks": [
        {"name": "All of it", "gameday.chaos.recover": {"all": True}}]}]))
    broken = play(hosts, folder, *limit, str(folder / "break.yml"))
    button = ROOT / "playbooks/halt.yml"
    halted = play(hosts, folder, *limit, str(button if button.exists() else folder / "recover.yml"))
    assert (broken[0], halted[0]) == (0, 0), broken[3] + halted[3]
    left = [host for host in hosts.names[:count] if hosts.run(host, "grep -s State: /proc/[0-9]*/status | grep -c stopped", check=False).stdout.strip() != "0"]
    assert left == [], "frozen still: %s" % left
    if button.exists():
        play(hosts, folder, *limit, str(button), "--extra-vars", "release=true")
    return halted[1]


def skew(journal):
    """Seconds between the first and the last host that was hit."""
    begins = sorted(datetime.datetime.fromisoformat(fault["begin"]) for fault in journal["faults"])
    return (begins[-1] - begins[0]).total_seconds()
