# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs ansible-playbook as a person would: a process of its own, this checkout's ansible.cfg, what happened read back from it."""
from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import yaml

ROOT = pathlib.Path(__file__).parents[2]
BUSY = {"experiment_minimum_coverage": 0.5}  # a machine that runs tests does not sample in time


@dataclasses.dataclass(frozen=True)
class Task:
    """How one task went on one host: status is started, ok, failed, ignored, skipped or unreachable."""

    at: float
    play: str
    task: str
    host: str
    action: str
    status: str
    result: dict = dataclasses.field(default_factory=dict)


class Run:
    """A playbook that runs or has run."""

    def __init__(self, process, folder):
        self.process = process
        self.folder = folder
        self.reports = folder / "reports"

    @property
    def pid(self):
        return self.process.pid

    @property
    def rc(self):
        """The exit code; None while it runs."""
        return self.process.poll()

    @property
    def stdout(self):
        return (self.folder / "stdout").read_text(encoding="utf-8", errors="replace")

    @property
    def stderr(self):
        return (self.folder / "stderr").read_text(encoding="utf-8", errors="replace")

    @property
    def events(self):
        """Everything so far, starts too. The last line may still be half written."""
        file = self.folder / "events.jsonl"
        lines = file.read_text(encoding="utf-8").split("\n")[:-1] if file.exists() else []
        return [Task(**json.loads(line)) for line in lines]

    @property
    def tasks(self):
        return [event for event in self.events if event.status != "started"]

    def task(self, name, host=None):
        """The only ended task whose name contains this text (on this host)."""
        found = [task for task in self.tasks if name in task.task and host in (None, task.host)]
        assert len(found) == 1, f"{len(found)} tasks named like {name!r} on {host or 'any host'}\n{self}"
        return found[0]

    def result(self, name, host=None):
        return self.task(name, host).result

    def journals(self):
        """Every journal that the run wrote, parsed."""
        return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(self.reports.glob("*.json"))]

    def wait(self, seconds=120):
        self.process.wait(seconds)
        return self

    def wait_for(self, name, status="started", seconds=60):
        """Until a task whose name contains this text has reached this status on some host."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for event in self.events:
                if name in event.task and event.status == status:
                    return event
            assert self.rc is None, f"ended before {name!r} was {status}\n{self}"
            time.sleep(0.02)
        raise AssertionError(f"no task named like {name!r} was {status} within {seconds} s\n{self}")

    def send(self, number):
        """A signal to the controller alone, as `kill` sends it. Its workers are not told."""
        self.process.send_signal(number)

    def send_group(self, number):
        """A signal to the controller and all it started here, as a terminal's Ctrl-C sends it."""
        os.killpg(self.process.pid, number)

    def __repr__(self):
        return f"exit code {self.rc}\n--- stdout\n{self.stdout[-6000:]}\n--- stderr\n{self.stderr[-3000:]}"


def as_plays(playbook):
    """A list of tasks becomes a play over all hosts; plays stay as they are."""
    data = yaml.safe_load(playbook) if isinstance(playbook, str) else playbook
    if data and any(key in data[0] for key in ("hosts", "ansible.builtin.import_playbook")):
        return data
    return [{"name": "Test", "hosts": "all", "gather_facts": False, "tasks": data}]


def as_a_terminal_starts_it():
    """A shell's background job ignores SIGINT, and nohup SIGHUP; inherited, a test that sends one would see nothing happen."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


class Runner:
    """Starts playbooks, and ends at the end what still runs. See `start` for the arguments."""

    def __init__(self, folder):
        self.folder = folder
        self.runs = []

    def __call__(self, playbook, inventory=None, extra_vars=None, env=None, arguments=(), background=False, seconds=120):
        """Run a playbook (a path, YAML text, plays, or a list of tasks) and wait for it; with `background` come back at once.

        inventory: hosts from a fixture, a path, or None for this machine alone, with the tests' own Python.
        """
        folder = self.folder / f"run{len(self.runs)}"
        folder.mkdir()
        if not isinstance(playbook, pathlib.Path):
            text = yaml.safe_dump(as_plays(playbook), sort_keys=False, allow_unicode=True)
            playbook = folder / "playbook.yml"
            playbook.write_text(text, encoding="utf-8")
        prefix = list(getattr(inventory, "command_prefix", []))
        path = getattr(inventory, "inventory", inventory) or self.this_machine(folder)
        command = [*prefix, f"{sys.prefix}/bin/ansible-playbook", "-i", str(path), str(playbook), *arguments]
        command += ["--extra-vars", json.dumps({**BUSY, **(extra_vars or {})})]
        with open(folder / "stdout", "wb") as stdout, open(folder / "stderr", "wb") as stderr:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=self.environment(folder, env or {}),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
                preexec_fn=as_a_terminal_starts_it,
            )
        run = Run(process, folder)
        self.runs.append(run)
        if background:
            return run
        try:
            return run.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {seconds} s\n{run}") from None

    @staticmethod
    def this_machine(folder):
        path = folder / "inventory.ini"
        path.write_text(f"localhost ansible_connection=local ansible_python_interpreter={sys.executable}\n", encoding="utf-8")
        return path

    @staticmethod
    def environment(folder, env):
        # Nothing of the caller's own Ansible settings, and no CI: what is tested is this checkout as it is.
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
        return {
            **inherited,
            "LC_ALL": "C.UTF-8",
            "PATH": f"{sys.prefix}/bin:{os.environ.get('PATH', os.defpath)}",
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_CALLBACK_PLUGINS": str(ROOT / "tests/lab/callback"),
            "GAMEDAY_TEST_EVENTS": str(folder / "events.jsonl"),
            "GAMEDAY_REPORTS": str(folder / "reports"),
            **{key: str(value) for key, value in env.items()},
        }

    def end(self):
        for run in self.runs:
            if run.rc is None:
                run.send_group(signal.SIGKILL)
                run.process.wait(10)
        self.end_orphans()

    def end_orphans(self):
        """Workers of a controller that was killed are leaders of groups of their own, and may wait for it for ever."""
        for pid, command in self.at_work():
            if b"ansible-playbook" in command:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)

    def at_work(self):
        """[(pid, command line)] of what our controllers have started on this machine, by their environment; without connections that are kept."""
        ours = os.fsencode(f"GAMEDAY_TEST_EVENTS={self.folder}/")
        found = []
        for environment in pathlib.Path("/proc").glob("[0-9]*/environ"):
            with contextlib.suppress(OSError):
                command = environment.with_name("cmdline").read_bytes()
                if command and not command.startswith(b"ssh") and any(one.startswith(ours) for one in environment.read_bytes().split(b"\0")):
                    found.append((int(environment.parent.name), command))
        return found
