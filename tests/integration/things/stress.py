"""What the faults by stress-ng have in common: a light host, and a container with limits of its own."""

from __future__ import annotations


class OnHost:
    place = "netns_hosts"
    whole, broken = "quiet", "busy"
    host = "n3"

    def __init__(self, request, options):
        self.hosts = request.getfixturevalue("netns_hosts")
        self.inventory, self.limit = self.hosts, ["--limit", self.host]
        self.module = f"gameday.chaos.{self.fault}"
        self.options = dict(options)
        self.claim = f"{self.fault[6:]}/host{options.get('path', '')}"
        self.words = "end_load"
        self.hosts.run(self.host, "mkdir -p /srv/data")

    def look(self):
        busy = self.hosts.run(self.host, "pgrep -c stress-ng; ls -A /srv/data", check=False).stdout.split()
        return "quiet" if busy == ["0"] else "busy"


class InContainer:
    whole, broken = "quiet", "busy"

    def __init__(self, request, options):
        containers, image = request.getfixturevalue("containers"), request.getfixturevalue("voiceassist_image")
        self.container = containers("pressed", image, "redis", mem_limit="256m", nano_cpus=500_000_000)
        self.inventory, self.limit = None, []
        self.module = f"gameday.chaos.{self.fault}"
        self.options = {"container": self.container.name, **options}
        self.claim = f"{self.fault[6:]}/container/{self.container.name}{options.get('path', '')}"
        self.words = "end_load"

    def look(self):
        """By the processes of its process namespace, and what lies in its folder for temporary files."""
        seen = [" ".join(row) for row in self.container.top()["Processes"]]
        files = self.container.exec_run(["ls", "-A", "/tmp"]).output.split()
        return "busy" if any("stress-ng" in row for row in seen) or files else "quiet"
