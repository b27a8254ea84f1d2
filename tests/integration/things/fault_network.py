from __future__ import annotations

import subprocess


class Network:
    """A host with a kernel of its own, and so with netem; what it answers to one of the lab's addresses is late."""

    place = "uml_host"
    module = "gameday.chaos.fault_network"
    whole, broken = "prompt", "late"
    DELAY = 1000  # milliseconds; half of it is more than a busy machine makes of none

    def __init__(self, request, kind):
        self.hosts = request.getfixturevalue("uml_host")
        self.inventory, self.limit = self.hosts, ["--limit", "u1"]
        self.options = {kind: self.DELAY, "destination": ["198.18.80.2"]}
        self.claim = "qdisc/vec0"
        self.words = "netem"

    def look(self):
        ran = subprocess.run([*self.hosts.command_prefix, "ping", "-n", "-c", "3", "-i", "0.2", "-W", "5", "-I", "198.18.80.2", self.hosts.addresses["u1"]],
                             capture_output=True, text=True, stdin=subprocess.DEVNULL)
        times = [float(line.split("time=")[1].split()[0]) for line in ran.stdout.splitlines() if "time=" in line]
        return ("late" if min(times) > self.DELAY / 2 else "prompt") if times else "silent"


CASES = [(Network, "delay")]
