# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo system for tests: in containers, or as processes on ports of its own."""
from __future__ import annotations

import json
import subprocess
import sys
import time

import requests

from lab.hosts import LabError, script
from lab.local import free_ports
from lab.playbook import ROOT

PORTS = "api", "database", "cache", "proxy", "database_proxy", "cache_proxy"


def wait_until_healthy(url, seconds=30):
    deadline = time.monotonic() + seconds
    while True:
        try:
            answer = requests.get(f"{url}/health", timeout=2)
            if answer.status_code == 200:
                return
            last = f"{answer.status_code} {answer.text.strip()}"
        except requests.RequestException as error:
            last = str(error)
        if time.monotonic() > deadline:
            raise LabError(f"{url}/health is not healthy after {seconds} s: {last}")
        time.sleep(0.05)


class InContainers:
    """`postgres`, `redis`, `proxy` and `api` are containers of the Docker SDK; `url` is the API's, `address` gives a container's."""

    def __init__(self, containers, image, fragile=""):
        self.postgres = containers("postgres", image, "postgres")
        self.redis = containers("redis", image, "redis")
        self.proxy = containers("proxy", image, "proxy")
        self.proxy_api = f"http://{containers.address(self.proxy)}:8474"
        self.api = containers("api", image, "api", environment={
            "VOICEASSIST_FRAGILE": fragile, "VOICEASSIST_DATABASE": "postgresql://voiceassist@proxy/postgres?sslmode=disable",
            "VOICEASSIST_REDIS": "redis://proxy:6379/0"})
        self.address = containers.address
        self.url = f"http://{self.address(self.api)}:8080"
        wait_until_healthy(self.url)


class InCompose:
    """`lab/compose.yml` as a project of its own; `variables` point `inventories/lab` at it."""

    def __init__(self, project):
        self.project = project
        names = "API", "DATABASE", "CACHE", "PROXY", "PROMETHEUS", "ALERTMANAGER"
        ports = dict(zip(names, free_ports(len(names)), strict=True))
        self.url, self.prometheus, self.alertmanager = (f"http://127.0.0.1:{ports[name]}" for name in ("API", "PROMETHEUS", "ALERTMANAGER"))
        self.settings = {"COMPOSE_PROJECT_NAME": project, **{f"LAB_{name}_PORT": str(port) for name, port in ports.items()}}
        self.variables = {"lab_project": project, "lab_url": self.url, "lab_proxy": f"http://127.0.0.1:{ports['PROXY']}",
                          "lab_prometheus": self.prometheus, "lab_alertmanager": self.alertmanager}

    def call(self, *arguments, **settings):
        return script("compose-lab", *arguments, **self.settings, **settings)

    def foreign(self, file, folder):
        """
        A file of Chaos Toolkit in that folder, with the addresses of this lab and nothing else changed: its path, the values of its configuration,
        and the environment in which `docker compose` is what the lab itself uses.
        """
        path = folder / file.name
        path.write_text(file.read_text().replace("http://localhost:9093", self.alertmanager))
        environment, compose = dict(self.settings), ROOT / ".cache/lab/tools/usr/libexec/docker/cli-plugins/docker-compose"
        if compose.exists():
            plugins = folder / "docker/cli-plugins"
            plugins.mkdir(parents=True, exist_ok=True)
            (plugins / compose.name).unlink(missing_ok=True)
            (plugins / compose.name).symlink_to(compose)
            environment["DOCKER_CONFIG"] = str(plugins.parent)
        return path, {"api_url": self.url, "proxy_url": self.variables["lab_proxy"]}, environment


class AsProcesses:
    """`url`, `pid_files`, `log` and so on: everything that `voiceassist status --json` tells is an attribute."""

    def __init__(self, directory):
        self.directory = directory

    def call(self, *arguments):
        script = ROOT / "roles/voiceassist/files/voiceassist"
        command = [sys.executable, str(script), arguments[0], "--directory", self.directory, *arguments[1:]]
        ran = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if ran.returncode:
            raise LabError((ran.stderr or ran.stdout).strip())
        return ran.stdout

    def up(self, fragile=""):
        """Start what does not run. Again with `fragile` "error", "reconnect", "cache" or "timeout", and without, to switch."""
        ports = getattr(self, "ports", None) or dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        self.call("up", "--fragile", fragile, *(f"--{name.replace('_', '-')}-port={port}" for name, port in ports.items()))
        self.__dict__.update(json.loads(self.call("status", "--json")))
        self.ports = ports


