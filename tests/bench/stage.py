# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
Where the benchmark happens: a temporary folder with a ledger of its own, things to break, and playbooks that are run and timed.

The modules run as an ordinary user, whose ledger lies where XDG_STATE_HOME says. So root's benchmark never touches the
ledger of this machine, and always measures the same timer (the detached watcher).
"""
from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from lab import fleet  # noqa: E402 its folder must be found first
from lab.hosts import LabError, NetnsHosts, script  # noqa: E402
from lab.local import free_ports  # noqa: E402

NOBODY = 65534
SERVER = """
import http.server, sys
class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b'{"status": "healthy"}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *words):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Health).serve_forever()
"""
# Passes a module on to its interpreter and writes down the CPU time that it took.
METER = """#!{python}
import os, subprocess, sys
module = subprocess.Popen([{interpreter!r}, *sys.argv[1:]])
_, status, used = os.wait4(module.pid, 0)
with open({file!r}, "a") as target:
    target.write("%.6f\\n" % (used.ru_utime + used.ru_stime))
sys.exit(os.waitstatus_to_exitcode(status))
"""


@dataclasses.dataclass(frozen=True)
class Task:
    name: str
    seconds: float
    failed: bool
    result: dict


class Stage:
    def __init__(self, python):
        self.python = python
        self.closing = contextlib.ExitStack()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="gameday-bench-"))
        self.closing.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self.folder.chmod(0o755)
        self.state = self.folder / "state"
        self.state.mkdir(mode=0o700)
        self.user = {}
        if os.geteuid() == 0:
            os.chown(self.state, NOBODY, NOBODY)
            self.user = {"user": NOBODY, "group": NOBODY, "extra_groups": self.groups()}
        self.interpreter = self.executable("interpreter", self.interpreter_text())
        self.plays = 0
        self.closing.callback(self.put_back)
        self.url = "http://127.0.0.1:%s/health" % self.serve()

    def __enter__(self):
        return self

    def __exit__(self, *details):
        self.closing.close()

    @staticmethod
    def groups():
        """What makes an ordinary user one who may use the Docker engine."""
        try:
            return [os.stat("/var/run/docker.sock").st_gid]
        except OSError:
            return []

    def interpreter_text(self):
        drop = ""
        if self.user:
            groups = "--groups=%s" % ",".join(map(str, self.user["extra_groups"])) if self.user["extra_groups"] else "--clear-groups"
            drop = f"setpriv --reuid={NOBODY} --regid={NOBODY} {groups} "
        return f'#!/bin/sh\nexport HOME={self.state} XDG_STATE_HOME={self.state}\nexec {drop}{self.python} "$@"\n'

    def executable(self, name, text):
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o755)
        return str(path)

    def meter(self):
        """An interpreter that meters, and the function that reads the CPU seconds of the modules it ran."""
        file = self.folder / "cpu"
        text = METER.format(python=sys.executable, interpreter=self.interpreter, file=str(file))
        return self.executable("meter", text), lambda: [float(line) for line in file.read_text().split()]

    def seconds(self, *argv):
        """How long a program takes when the user of the modules runs it."""
        began = time.perf_counter()
        subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=True, **self.user)
        return time.perf_counter() - began

    def start(self, *argv, **options):
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
        self.closing.callback(process.wait)
        self.closing.callback(process.kill)
        return process

    def sleeper(self, name):
        """A process to break; returns the path of its pid file."""
        path = self.folder / f"{name}.pid"
        path.write_text("%s\n" % self.start("sleep", "3600", **self.user).pid)
        return str(path)

    def serve(self):
        [port] = free_ports(1)
        self.start(sys.executable, "-c", SERVER, str(port))
        for _ in range(100):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).close()
                return port
            time.sleep(0.05)
        raise SystemExit("The web server of the benchmark does not answer.")

    def container(self):
        """The name of a running container, made of this machine's own sleep; None where no engine can be used."""
        def docker(*argv, **options):
            return subprocess.run(["docker", *argv], capture_output=True, text=True, timeout=60, check=True, **options).stdout.strip()

        name = "gameday-bench-%s" % os.getpid()
        archive = self.folder / "image.tar"
        try:
            docker("info", **self.user)
            libraries = subprocess.run(["ldd", shutil.which("sleep")], capture_output=True, text=True, check=True).stdout.split()
            with tarfile.open(archive, "w", dereference=True) as image:
                for path in (shutil.which("sleep"), *(word for word in libraries if word.startswith("/"))):
                    image.add(path, "sleep" if path.endswith("/sleep") else path)
            identity = docker("import", str(archive))
            self.closing.callback(docker, "rmi", "--force", identity)
            docker("run", "--detach", "--network", "none", "--name", name, identity, "/sleep", "3600")
            self.closing.callback(docker, "rm", "--force", name)
        except (OSError, subprocess.SubprocessError):
            return None
        return name

    def hosts(self, count):
        """Light hosts of the lab, each with a process to freeze; None where they cannot be had."""
        state, rootfs, prefix = self.folder / f"hosts-{count}", ROOT / ".cache/lab/rootfs", f"bench-{os.getpid()}-{count}"
        rootfs.parent.mkdir(parents=True, exist_ok=True)
        try:
            script("netns-hosts", "rootfs", rootfs)
            script("netns-hosts", "up", count, rootfs, state, LAB_PREFIX=prefix)
        except LabError:
            return None
        self.closing.callback(script, "netns-hosts", "down", state)
        hosts = NetnsHosts(state, prefix)
        fleet.start_sleepers(hosts)
        return hosts

    def play(self, tasks, interpreter=None, hosts=None):
        """Run tasks in one play on this machine, or on hosts over ssh; returns them as they ended. A failed one ends the benchmark."""
        self.plays += 1
        playbook, times, output = (self.folder / f"play{self.plays}.{suffix}" for suffix in ("json", "times", "output"))
        playbook.write_text(json.dumps([{"name": "Benchmark", "hosts": "all", "gather_facts": False, "tasks": tasks}]))
        environment = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
        environment.update(
            LC_ALL="C.UTF-8", BENCH_TASKS=str(times), ANSIBLE_CONFIG=str(ROOT / "ansible.cfg"), ANSIBLE_STDOUT_CALLBACK="ansible.builtin.default",
            ANSIBLE_CALLBACK_PLUGINS=str(pathlib.Path(__file__).parent / "callback"), ANSIBLE_CALLBACKS_ENABLED="task_times", ANSIBLE_NOCOLOR="1",
        )
        here = ["--inventory", "localhost,", "--connection", "local",
                "--extra-vars", json.dumps({"ansible_python_interpreter": interpreter or self.interpreter})]
        command = [*(hosts.command_prefix if hosts else ()), sys.executable, "-m", "ansible", "playbook",
                   *(["--inventory", str(hosts.inventory)] if hosts else here), str(playbook)]
        with open(output, "w") as log:
            code = subprocess.run(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False).returncode
        if code:
            raise SystemExit(f"A task of the benchmark failed:\n{output.read_text()[-3000:]}")
        return [Task(**json.loads(line)) for line in times.read_text().splitlines()]

    def put_back(self):
        for way_back in self.state.glob("gameday/faults/*/revert"):
            subprocess.run(["/bin/sh", str(way_back)], check=False, capture_output=True, **self.user)


def ratio(tasks, name, base):
    """The median of a task's time by that of its neighbours of the other name, so that what slows the machine down for a while cancels."""
    found = []
    for place, task in enumerate(tasks):
        if task.name == name:
            neighbours = [one.seconds for one in tasks[max(place - 1, 0):place + 2] if one.name == base]
            found.append(task.seconds / statistics.mean(neighbours))
    return statistics.median(found)
