from __future__ import annotations

# Can a TCP connection to this address be had? A port where nobody listens answers "refused" when the way is open.
REACH = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 0.5).close()
    print("connected")
except ConnectionRefusedError:
    print("refused")
except OSError:
    print("silent")
"""


class Partition:
    """A host without systemd and its neighbour, both reached over ssh."""

    place = "netns_hosts"
    module = "gameday.chaos.fault_partition"
    whole = "connected"

    def __init__(self, request, action):
        self.hosts = request.getfixturevalue("netns_hosts")
        self.inventory, self.limit = self.hosts, ["--limit", "n1"]
        self.options = {"addresses": [self.hosts.addresses["n2"]], "action": action}
        self.broken = {"drop": "silent", "reject": "refused", "loss": "silent"}[action]
        if action == "loss":
            self.options["percent"] = 100
        self.claim = "partition/host,addresses=" + self.hosts.addresses["n2"]
        self.words = "nft delete table inet gameday_"

    def look(self):
        return self.hosts.run("n1", "python3", "-c", REACH, self.hosts.addresses["n2"], "22").stdout.strip()


class PartitionOfContainer:
    """A container and another on its network, with nothing installed in either."""

    module = "gameday.chaos.fault_partition"
    whole, broken = "refused", "silent"

    def __init__(self, request, action):
        containers, image = request.getfixturevalue("containers"), request.getfixturevalue("voiceassist_image")
        self.inventory, self.limit = None, []
        self.container, other = containers("cut-off", image, ["sleep", "300"]), containers("other", image, ["sleep", "300"])
        self.address = containers.address(other)
        self.options = {"container": self.container.name, "addresses": [self.address], "action": action}
        self.claim = f"partition/container/{self.container.name},addresses={self.address}"
        self.words = "nft delete table inet gameday_"

    def look(self):
        return self.container.exec_run(["python3", "-c", REACH, self.address, "9"]).output.decode().strip()


CASES = [(Partition, "drop"), (Partition, "reject"), (Partition, "loss"), (PartitionOfContainer, "drop")]
