from __future__ import annotations


class Disk:
    """A small file system of a light host."""

    place = "netns_hosts"
    whole, broken = "room", "full"

    def __init__(self, request, action):
        self.hosts = request.getfixturevalue("netns_hosts")
        self.inventory, self.limit = self.hosts, ["--limit", "n2"]
        self.hosts.run("n2", "mkdir -p /srv/small; mountpoint -q /srv/small || mount -t tmpfs -o size=64m,nr_inodes=3000 tmpfs /srv/small")
        self.action = action
        self.module = "gameday.chaos.fault_disk"
        self.options = {"path": "/srv/small", "action": action, **({"leave_free": "20MiB"} if action == "fill" else {"percent": 100})}
        self.claim = "disk/host/srv/small"
        self.words = "rm -rf /srv/small/.gameday-"

    def look(self):
        if self.action == "inodes":
            return "room" if self.hosts.run("n2", "touch /srv/small/new && rm /srv/small/new", check=False).returncode == 0 else "full"
        free = int(self.hosts.run("n2", "df --output=avail --block-size=1M /srv/small | tail -n 1").stdout)
        return "room" if free == 64 else "full" if free == 20 else f"{free} MiB free"


class DiskOfContainer:
    """The root of a container, in which there is no tool for it."""

    whole, broken = "empty", ".gameday"

    def __init__(self, request, action):
        containers, image = request.getfixturevalue("containers"), request.getfixturevalue("voiceassist_image")
        self.container = containers("filled", image, "redis")
        self.inventory, self.limit = None, []
        self.module = "gameday.chaos.fault_disk"
        self.options = {"container": self.container.name, "path": "/tmp", "action": action, "bytes": "8MiB"}
        self.claim = f"disk/container/{self.container.name}/tmp"
        self.words = "rm -rf"

    def look(self):
        """By the size of what lies there, seen from within."""
        size = int(self.container.exec_run(["du", "-sm", "/tmp"]).output.split()[0])
        return ".gameday" if size >= 8 else "empty"


CASES = [(Disk, "fill"), (Disk, "inodes"), (DiskOfContainer, "fill")]
