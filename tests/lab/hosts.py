# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's ssh hosts as a test sees them: an inventory for Ansible, and ways to look at a host, and to cut it off, without Ansible."""
from __future__ import annotations

import contextlib
import os
import pathlib
import shlex
import subprocess

LAB = pathlib.Path(__file__).parent


def script(*command, **environment):
    """Run one of the lab's scripts; its standard output."""
    argv = [str(LAB / command[0]), *map(str, command[1:])]
    ran = subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL, env={**os.environ, **environment})
    if ran.returncode:
        raise LabError(f"tests/lab/{shlex.join(map(str, command))}: {(ran.stderr or ran.stdout).strip()}")
    return ran.stdout


class LabError(Exception):
    """The lab cannot be had here; the text says what is missing."""


class Hosts:
    """`inventory` and `command_prefix` are for run_playbook; `names` is what the hosts are called in it."""

    command_prefix = ()

    def __init__(self, state, prefix):
        self.state = state
        self.prefix = prefix
        self.inventory = state / "inventory.ini"
        self.addresses = dict(line.split() for line in (state / "addresses").read_text().splitlines())
        self.names = list(self.addresses)

    def run(self, host, *command, check=True):
        """Run a command on the host, past Ansible and past ssh where that is possible. One string is given to sh."""
        argv = ["sh", "-c", command[0]] if len(command) == 1 else [*map(str, command)]
        ran = subprocess.run(self.argv(host, argv), capture_output=True, text=True, stdin=subprocess.DEVNULL)
        assert not check or ran.returncode == 0, f"on {host}: {shlex.join(argv)}: exit code {ran.returncode}\n{ran.stdout}{ran.stderr}"
        return ran

    def argv(self, host, command):
        return [*self.way_in(host), *command]

    def number(self, host):
        return self.names.index(host) + 1


class SystemdHosts(Hosts):
    """Containers with systemd, h1, h2, ..."""

    def container(self, host):
        return f"{self.prefix}-{self.number(host)}"

    def way_in(self, host):
        return ["docker", "exec", self.container(host)]

    def url(self, host):
        """Of the demo system's API, on the hosts that have it."""
        return f"http://{self.addresses[host]}:8080"

    def link(self, host):
        """This machine's end of the host's network cable."""
        index = self.run(host, "cat", "/sys/class/net/eth0/iflink").stdout.strip()
        for interface in pathlib.Path("/sys/class/net").glob("*/ifindex"):
            with contextlib.suppress(OSError):  # others come and go
                if interface.read_text().strip() == index:
                    return interface.parent.name
        raise LabError(f"the network of {host} does not end on this machine")

    def cut(self, host):
        subprocess.run(["ip", "link", "set", self.link(host), "down"], check=True)

    def mend(self, host):
        subprocess.run(["ip", "link", "set", self.link(host), "up"], check=True)


class NetnsHosts(Hosts):
    """Network namespaces with sshd and without systemd, n1, n2, ..."""

    def __init__(self, state, prefix):
        super().__init__(state, prefix)
        self.hub = f"{prefix}-hub"
        self.command_prefix = ("ip", "netns", "exec", self.hub)

    def way_in(self, host):
        # The child of unshare is the host's first process; from this machine it is reached through its own namespaces and root.
        unshare = pathlib.Path(f"/dev/shm/{self.prefix}-ns/{self.number(host)}/pid").read_text().strip()
        first = pathlib.Path(f"/proc/{unshare}/task/{unshare}/children").read_text().split()[0]
        return ["nsenter", f"--target={first}", "--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd=/"]

    def cut(self, host):
        subprocess.run(["ip", "-n", self.hub, "link", "set", f"v{self.number(host)}", "down"], check=True)

    def mend(self, host):
        subprocess.run(["ip", "-n", self.hub, "link", "set", f"v{self.number(host)}", "up"], check=True)


class UmlHosts(Hosts):
    """Hosts with a kernel of their own, in User-mode Linux, u1, u2, ... Everything on them is slow: a command takes a second."""

    def __init__(self, state, prefix):
        super().__init__(state, prefix)
        self.hub = f"{prefix}-hub"
        self.command_prefix = ("ip", "netns", "exec", self.hub)

    def way_in(self, host):
        options = [word for option in ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "ControlMaster=auto",
                                       "ControlPersist=60", f"ControlPath={self.state}/cp/%h") for word in ("-o", option)]
        return [*self.command_prefix, "ssh", "-i", str(self.state / "id_ed25519"), *options, f"root@{self.addresses[host]}"]

    def argv(self, host, command):
        return [*self.way_in(host), shlex.join(map(str, command))]  # ssh gives its words to a shell

    def cut_power(self, host):
        """And switch it on again. The ledger is on the only disk that the host has left."""
        script("uml-host", "cut-power", host, self.state)
