# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Places for things, each its own: a thing takes one of these for pytest's request, and asks it for containers or hosts."""
from __future__ import annotations

import threading

import docker

from guarantee.cases import Case, program
from lab.containers import Containers
from lab.fixtures import unique_name
from lab.hosts import script
from lab.playbook import Runner
from lab.voiceassist import wait_until_healthy
from things import CASES, name_of

MAKING = threading.Lock()
ON_ITS_OWN_KERNEL = (("Process", "stop"),)  # and what has no other place
ON_SYSTEMD = ("Process", "Partition", "OnHost")  # the things of light hosts that a container with systemd can have, too


class Lab:
    """What all stages share: pytest's factories, asked for once, for pytest itself knows no threads."""

    def __init__(self, request, folder):
        self.folder = folder
        program()  # once, before there are threads
        self.make_netns_hosts, self.make_ssh_hosts = (request.getfixturevalue(name) for name in ("make_netns_hosts", "make_ssh_hosts"))
        self.image = request.getfixturevalue("voiceassist_image")
        self.make_uml_hosts = request.getfixturevalue("make_uml_hosts")


class Renamed:
    """Hosts by the names that a thing knows: one host may have several."""

    def __init__(self, hosts, names):
        self.hosts, self.names = hosts, list(names)
        self.state, self.command_prefix = hosts.state, hosts.command_prefix
        self.addresses = {name: hosts.addresses[real] for name, real in names.items()}
        self.real = names
        self.inventory = hosts.state / "renamed.ini"
        _, _, variables = hosts.inventory.read_text().partition("[hosts:vars]")
        lines = "".join(f"{name} ansible_host={address}\n" for name, address in self.addresses.items())
        self.inventory.write_text(f"[hosts]\n{lines}[hosts:vars]{variables}")

    def run(self, host, *command, **options):
        return self.hosts.run(self.real[host], *command, **options)

    def argv(self, host, command):
        return self.hosts.argv(self.real[host], command)

    def cut(self, host):
        self.hosts.cut(self.real[host])

    def mend(self, host):
        self.hosts.mend(self.real[host])

    def container(self, host):
        return self.hosts.container(self.real[host])

    def cut_power(self, host):
        self.hosts.cut_power(self.real[host])


class Stage:
    def __init__(self, lab, place):
        self.lab, self.place, self.finalizers, self.had = lab, place, [], {}

    def getfixturevalue(self, name):
        if name == "containers":
            factory = Containers(docker.from_env(), unique_name())
            self.addfinalizer(factory.remove)
            return factory
        if name not in self.had:
            self.had[name] = self.made(name)
        return self.had[name]

    def made(self, name):
        if name == "netns_hosts" and self.place == "netns":
            return self.hosts(self.lab.make_netns_hosts, "netns-hosts", 3)
        if self.place == "own kernel":
            hosts = self.hosts(self.lab.make_uml_hosts, "uml-host", 1)
            return Renamed(hosts, {"n1": "u1"}) if name == "netns_hosts" else hosts
        if name == "netns_hosts":
            return Renamed(self.hosts(self.lab.make_ssh_hosts, "systemd-host", 2), {"n1": "h1", "n2": "h2", "n3": "h1"})
        if name == "voiceassist_hosts":
            hosts = self.hosts(self.lab.make_ssh_hosts, "systemd-host", 1, "lab-gameday-voiceassist-host")
            wait_until_healthy(hosts.url("h1"))
            return Renamed(hosts, {"h3": "h1"})
        return {"voiceassist_image": self.lab.image}[name]

    def hosts(self, make, kind, *what):
        with MAKING:
            hosts = make(*what)
        self.addfinalizer(lambda: script(kind, "down", hosts.state))
        return hosts

    def addfinalizer(self, function):
        self.finalizers.append(function)

    def close(self):
        while self.finalizers:
            self.finalizers.pop()()


def places():
    """(name, kind of thing, its case, place), for every thing and every place that can have it. "here" is this machine with its containers."""
    for kind, what in CASES:
        place = {"netns_hosts": "netns", "voiceassist_hosts": "systemd", "uml_host": "own kernel"}.get(getattr(kind, "place", None), "here")
        yield name_of((kind, what)), kind, what, place
        if place == "netns" and kind.__name__ in ON_SYSTEMD:
            yield name_of((kind, what)), kind, what, "systemd"
        if (kind.__name__, what) in ON_ITS_OWN_KERNEL:
            yield name_of((kind, what)), kind, what, "own kernel"


def open_case(lab, stage, name, kind, what):
    folder = lab.folder / f"{unique_name()}"
    folder.mkdir(parents=True)
    runner = Runner(folder)
    case = Case(f"{name} ({stage.place})", lambda: kind(stage, what), stage.place, runner)
    stage.addfinalizer(case.close)
    stage.addfinalizer(runner.end)
    case.rehearse()
    return case
