# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens to a controller in the middle: real ansible-playbook and real ansible-runner, ended at a random instant around the injection."""
from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time

from guarantee.cases import HERE
from guarantee.crashes import ANYWHERE, Told, crash

AT_ONCE = threading.Semaphore(2)  # a controller is the dearest thing here
HOLD = {"name": "hold", "ansible.builtin.pause": {"seconds": 30}}


def tasks(case):
    return [{"name": "inject", case.thing.module: case.arguments()}, HOLD]


def ended_by(number, group):
    def run(case, dice):
        seconds, all_of_it = dice.uniform(0, 1.6), group or dice.random() < 0.3
        with AT_ONCE:
            run = case.play_with(tasks(case), case.thing.inventory, arguments=case.thing.limit, background=True)
            run.wait_for("inject")
            time.sleep(seconds)
            (run.send_group if all_of_it else run.send)(number)
            ended(run, 3)
        ended(run, 0)
        quiet(case)
        return Told(f"{seconds:.3f} s after the task began, {'with all its processes' if all_of_it else 'alone'}", case.due())
    return run


MODULE_AT_WORK = "pgrep -fx '(/bin/sh -c )?/usr/bin/python3( && sleep 0)?'"  # as Ansible's pipelining starts it


def quiet(case, seconds=10):
    """Until nothing of a controller that is gone is at work: what it breaks after this would be taken for something that was left of the next."""
    for _ in range(2):
        limit = time.monotonic() + seconds
        while case.play_with.at_work() or case.hosts and case.sh(MODULE_AT_WORK):
            if time.monotonic() > limit:
                break
            time.sleep(0.2)
        else:
            return
        case.play_with.end_orphans()


def ended(run, patience):
    """A controller that only wants to finish its task first is not waited for."""
    try:
        run.process.wait(patience)
    except subprocess.TimeoutExpired:
        run.send_group(signal.SIGKILL)
        run.process.wait(10)


for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL):
    crash(f"controller {each.name[3:]}", ANYWHERE)(ended_by(each, each in (signal.SIGINT, signal.SIGHUP)))


def runner(case, after_injection, **limits):
    """Run a job with ansible-runner and its limits in seconds; the words that it ends with."""
    number = len(case.play_with.runs)
    folder = case.play_with.folder / f"runner{number}-{time.monotonic_ns()}"
    (folder / "private").mkdir(parents=True)
    inventory = getattr(case.thing.inventory, "inventory", None) or case.play_with.this_machine(folder)
    play = [{"name": "Test", "hosts": case.host or "localhost", "gather_facts": False, "tasks": tasks(case)}]
    (folder / "play.json").write_text(json.dumps(play))
    job = {"playbook": str(folder / "play.json"), "inventory": str(inventory), "private_data_dir": str(folder / "private"), "limits": limits,
           "cancel": str(folder / "cancel"), "environment": case.play_with.environment(folder, {})}
    prefix = list(getattr(case.thing.inventory, "command_prefix", []))
    process = subprocess.Popen([*prefix, sys.executable, str(HERE / "runner_job.py"), json.dumps(job)], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
                               env={**os.environ, "PATH": job["environment"]["PATH"]})
    if after_injection is not None:
        limit = time.monotonic() + 30
        while not case.in_place() and process.poll() is None and time.monotonic() < limit:
            time.sleep(0.05)
        time.sleep(after_injection)
        (folder / "cancel").touch()
    try:
        return process.communicate(timeout=60)[0].strip()[-120:]
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return "hung: " + process.communicate()[0][-200:]


def ended_by_runner(limit, least, most):
    def run(case, dice):
        seconds = dice.uniform(least, most)
        for _again in range(2):
            with AT_ONCE:
                said = runner(case, None, **{limit: seconds}) if limit else runner(case, seconds)
            if not said.endswith("failed"):
                break
            quiet(case)  # this machine was too busy for an injection in so short a time, so there was nothing to cancel
        assert not said.startswith("hung") and said.endswith(("canceled", "timeout")), f"ansible-runner: {said}"
        quiet(case)
        return Told(f"{limit or 'after the record'} {seconds:.2f} s: {said}", case.due())
    return run


crash("ansible-runner cancelled", ANYWHERE)(ended_by_runner(None, 0, 1.0))
crash("ansible-runner job timeout", ANYWHERE)(ended_by_runner("job_timeout", 2.0, 5.0))
crash("ansible-runner idle timeout", ANYWHERE)(ended_by_runner("idle_timeout", 1.5, 3.0))
