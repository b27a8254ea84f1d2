# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A thing to break, on a place of its own: how modules are run on it as Ansible runs them, and how its host is looked at."""
from __future__ import annotations

import compileall
import functools
import io
import json
import os
import pathlib
import py_compile
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.parse
import uuid

import ansible

ROOT = pathlib.Path(__file__).parents[3]
HERE = pathlib.Path(__file__).parent
COLLECTION = "ansible_collections/gameday/chaos/plugins"
LEDGER = "/var/lib/gameday" if os.geteuid() == 0 else os.path.expanduser("~/.local/state/gameday")
DURATION = 3
WITHIN = """nsenter -t "$1" -n sh -c "tc qdisc show; nft list tables"; cut -d" " -f4-6 "/proc/$1/mountinfo"
cd "/proc/$1/root" && ls -Ad tmp/* tmp/.g* dev/.g*"""
PICTURE = (HERE / "on_host/picture.sh").read_text()


@functools.cache
def program():
    """What Ansible would send to a host, as a tar file: its own part, the collection, and what kills a module at a step."""
    with tempfile.TemporaryDirectory() as folder:
        for source, target in ((pathlib.Path(ansible.__file__).parent / "module_utils", "ansible/module_utils"),
                               *((ROOT / "collections" / COLLECTION / part, f"{COLLECTION}/{part}") for part in ("modules", "module_utils"))):
            shutil.copytree(source, f"{folder}/{target}", ignore=shutil.ignore_patterns("__pycache__", "powershell", "csharp"))
        shutil.copy(pathlib.Path(ansible.__file__).parent / "release.py", f"{folder}/ansible")
        pathlib.Path(folder, "ansible/__init__.py").touch()  # as in what Ansible sends
        for name in ("die_at.py", "run_module.py"):
            shutil.copy(HERE / "on_host" / name, folder)
        compileall.compile_dir(folder, quiet=2, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH, stripdir=folder)
        with io.BytesIO() as packed:
            with tarfile.open(fileobj=packed, mode="w") as archive:
                archive.add(folder, ".")
            return packed.getvalue()


class NotInjected(Exception):
    """Nothing could be broken, and so nothing can be said."""


class Case:
    """`name`, for people; `fault`, the module's short name; `place`: netns, systemd, or here."""

    def __init__(self, name, make, place, runner):
        self.name, self.make, self.place, self.play_with = name, make, place, runner
        self.thing = thing = make()
        self.fault = thing.module.rpartition(".")[2]
        self.hosts, self.host = getattr(thing, "hosts", None), thing.limit[1] if thing.limit else None
        self.ledger = "/var/lib/gameday" if self.hosts else LEDGER
        self.folder = f"{self.ledger}/faults/{urllib.parse.quote(thing.claim, safe='=,@:')}"
        self.home = "/opt/gameday-crash" if self.hosts else tempfile.mkdtemp(prefix="gameday-crash-")
        self.python = "/usr/bin/python3" if self.hosts else sys.executable
        self.steps = {}  # of what -> how many there are, and those not yet tried
        self.rebooted = None  # what the thing and its host look like after a reboot in which no fault was in place
        self.send_program()
        self.settle()

    def close(self):
        if not self.hosts:
            shutil.rmtree(self.home, ignore_errors=True)

    def send_program(self):
        self.sh(f"rm -rf {self.home}; mkdir -p {self.home}")
        subprocess.run(self.ssh(["tar", "x", "-C", self.home]), input=program(), check=True, timeout=120)

    # Commands on the host: past ssh to look at it and to hurt it, and over ssh as Ansible comes

    def sh(self, script, check=False, seconds=60):
        argv = ["sh", "-c", script]
        ran = subprocess.run(self.hosts.argv(self.host, argv) if self.hosts else argv, capture_output=True, text=True, errors="replace",
                             stdin=subprocess.DEVNULL, timeout=seconds)
        assert not check or ran.returncode == 0, f"{self.name}: {script}: {ran.returncode}\n{ran.stdout}{ran.stderr}"
        return ran.stdout.strip()

    def ssh(self, argv):
        """argv as Ansible's ssh would run it on the host; on this machine it needs none."""
        if not self.hosts:
            return argv
        options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "ConnectTimeout=5", "ServerAliveInterval=5"]
        return [*self.hosts.command_prefix, "ssh", "-i", str(self.hosts.state / "id_ed25519"), *(word for one in options for word in ("-o", one)),
                f"root@{self.hosts.addresses[self.host]}", shlex.join(argv)]

    def start(self, argv):
        return subprocess.Popen(self.ssh(argv), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)

    def module(self, name, arguments, die_at=None):
        """Start a module; die_at: (step, milliseconds, "alone" or "children")."""
        environment = ["env", f"PYTHONPATH={self.home}", "PYTHONDONTWRITEBYTECODE=1"]
        trace = [self.python, f"{self.home}/die_at.py", *map(str, die_at)] if die_at else []
        return self.start([*environment, *trace, self.python, f"{self.home}/run_module.py", name, json.dumps(arguments)])

    def arguments(self, duration=DURATION, run=None):
        return {**self.thing.options, "duration": duration, "run": run or "guarantee-" + uuid.uuid4().hex[:8]}

    def inject(self, duration=DURATION, die_at=None, run=None):
        """Run the fault's module; (its result or None, what was said on stderr)."""
        return self.finish(self.module(self.fault, self.arguments(duration, run), die_at))

    def finish(self, process, seconds=90):
        out, err = process.communicate(timeout=seconds)
        text = out.decode(errors="replace").strip().splitlines()
        try:
            return json.loads(text[-1]) if text else None, err.decode(errors="replace").strip()
        except ValueError:
            return None, err.decode(errors="replace").strip()

    def must_inject(self, duration=DURATION, run=None):
        """An injection that takes effect; when this machine is too busy for it in so short a time, once more with more of it."""
        for seconds in (duration, 3 * duration):
            result, said = self.inject(seconds, run=run)
            if result and not result.get("failed") and result["changed"]:
                return result
        raise NotInjected(f"{self.name}: {(result or {}).get('msg')} {said}")

    def rehearse(self):
        """Break it and put it back once, with no crash: what cannot be broken here would survive every crash."""
        self.must_inject(120)
        seen = self.thing.look()
        assert seen == self.thing.broken, f"{self.name}: it is {seen!r}, not {self.thing.broken!r}, after an injection"
        recovered = self.recover(claim=self.thing.claim)
        assert recovered and not recovered.get("failed") and not self.in_place(), f"{self.name}: {recovered}"

    def recover(self, **arguments):
        """Another contact with the host: of another run if nothing else is said, and so only a sweep."""
        return self.finish(self.module("recover", {"run": "another", **arguments}))[0]

    def way_back(self, *die_at):
        """Run the way back by hand, killed at a step; what die_at said."""
        environment = ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"]
        return self.finish(self.start([*environment, self.python, f"{self.home}/die_at.py", *map(str, die_at), "/bin/sh", f"{self.folder}/revert"]))[1]

    def step(self, what, count, dice):
        """One of the steps of something, each of them before any for the second time; count() tells how many there are."""
        if what not in self.steps:
            self.steps[what] = (count(), [])
        total, left = self.steps[what]
        if not left:
            left.extend(dice.sample(range(1, total + 1), total))
        return left.pop(), total

    # Looking

    def renew(self):
        """Make the thing again where it was, for what has no other way to come back from a reboot."""
        self.thing = self.make()

    def due_soon(self, seconds=2.0):
        """The same when the module may still be on its way, and nobody can tell."""
        limit = time.monotonic() + seconds
        while not self.in_place() and time.monotonic() < limit:
            time.sleep(0.1)
        return self.due()

    def due(self):
        """When what is in place must be over, on this machine's monotonic clock: a fault, or the timer of one that never came; now, if there is none."""
        claim = shlex.quote('"claim": %s,' % json.dumps(self.thing.claim))
        text = self.sh(f"cut -d' ' -f1 /proc/uptime; grep -lF {claim} '{self.folder}/fault.json' {self.ledger}/.new-*/fault.json 2>/dev/null | "
                       "xargs -r grep -ho '\"ends_uptime\": [0-9]*'")
        now, *ends = [float(line.split()[-1]) for line in text.splitlines()]
        return time.monotonic() + max([end / 100 - now for end in ends], default=0)

    def overtime(self):
        """(Id of the last fault here, seconds from its deadline to its end, None if it was not the host's own timer that ended it)."""
        claim = shlex.quote('"claim": %s,' % json.dumps(self.thing.claim))
        text = self.sh(f"cd {self.ledger}/ended 2>/dev/null && last=$(grep -lF {claim} -- */fault.json | xargs -r ls -t | head -n 1) && [ \"$last\" ] && "
                       "echo ${last%/*} && cat \"${last%/*}/ended\" && grep -o '\"ends_uptime\": [0-9]*' \"$last\"").split()
        return ("".join(text[:1]), (int(text[1]) - int(text[-1])) / 100 if len(text) > 4 and text[2] in ("timer", "lease") else None)

    def in_place(self):
        return bool(self.sh(f"ls -d '{self.folder}' 2>/dev/null"))

    def picture(self):
        """What the host, or the container, looks like; as a set of lines."""
        container = getattr(self.thing, "container", None)
        if not self.hosts:
            return container_picture(container) if container else set()
        argv, begun = self.hosts.argv(self.host, ["sh", "-c", PICTURE]), time.time()
        ran = subprocess.run(argv, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL, timeout=60)
        assert "mount: " in ran.stdout, f"{self.name}: no picture of the host: {ran.stderr}"
        lines = {line for line in ran.stdout.splitlines() if self.home not in line}
        right = {line for line in lines if line.startswith("clock: ") and begun - 2 <= int(line.split()[1]) <= time.time() + 2}
        return lines - right

    def settle(self, seconds=30):
        """Until the host has started all that it starts: two pictures in a row are equal."""
        limit, last = time.monotonic() + seconds, None
        while last != (last := self.picture()) and time.monotonic() < limit:
            time.sleep(1 if self.place == "systemd" else 0.1)

    def left(self, whole, before):
        """What is not as it was; empty when all is well."""
        left = [f"the record is still there: {self.folder}"] if self.in_place() else []
        seen, now = self.thing.look(), self.picture()
        left += [f"it is {seen!r}, not {whole!r}"] if seen != whole else []
        return left + [f"gone: {line}" for line in sorted(before - now)] + [f"new: {line}" for line in sorted(now - before)]


def container_picture(container):
    """A container from outside: what its engine knows, its network, its mounts, its processes, its temporary files."""
    container.reload()
    state, config = container.attrs["State"], container.attrs["HostConfig"]
    lines = {f"container: {state['Status']} {config['RestartPolicy']} {config['Memory']} {config['NanoCpus']} {config['PidsLimit']}"}
    for name, network in container.attrs["NetworkSettings"]["Networks"].items():
        lines.add(f"network: {name} {sorted(network['Aliases'] or [])}")
    pid = state["Pid"]
    if not pid or state["Status"] != "running":
        return lines
    # The first word only, for some processes rewrite the rest when they have started; and without the container's own check of its health.
    programs = {row[-1].split()[0] for row in container.top()["Processes"] if not re.search(r"healthy|pgrep|redis-cli|PONG|curl|^\[|^runc", row[-1])}
    lines |= {"process: " + name for name in programs}
    ran = subprocess.run(["sh", "-c", WITHIN, "sh", str(pid)], capture_output=True, text=True, errors="replace", timeout=60)
    # An interface that was disconnected comes back with the engine's next number.
    return lines | {"within: " + re.sub(r"\beth\d+\b", "eth", line) for line in ran.stdout.splitlines()}
