from __future__ import annotations


class Partition:
    """A light host that is cut off from its neighbour, over ssh through the same wire."""

    place = "netns_hosts"
    whole = "reached"

    def __init__(self, request, action):
        self.hosts = request.getfixturevalue("netns_hosts")
        self.inventory, self.limit = self.hosts, ["--limit", "n4"]
        self.other = self.hosts.addresses["n5"]
        self.module = "gameday.chaos.fault_partition"
        # From everybody: what must not be cut is spared all the same.
        self.options = {"addresses": ["0.0.0.0/0", "::/0"], "action": action}
        self.broken = {"drop": "unanswered", "reject": "refused"}[action]
        self.claim = "partition/host from 0.0.0.0/0,::/0"
        self.words = "nft delete table inet"

    def look(self):
        """How a connection to the neighbour's sshd goes."""
        said = self.hosts.run("n4", f"timeout 1 bash -c 'exec 3<>/dev/tcp/{self.other}/22' 2>&1; echo code $?", check=False).stdout
        return "reached" if "code 0" in said else "refused" if "refused" in said else "unanswered"


class PartitionOfContainer:
    """A container that is cut off from another one."""

    whole, broken = "reached", "unanswered"

    def __init__(self, request, action):
        containers, image = request.getfixturevalue("containers"), request.getfixturevalue("voiceassist_image")
        self.container = containers("client", image, "redis")
        self.other = containers.address(containers("server", image, "redis"))
        self.inventory, self.limit = None, []
        self.module = "gameday.chaos.fault_partition"
        self.options = {"container": self.container.name, "addresses": [self.other], "action": action, "ports": [6379]}
        self.claim = f"partition/container/{self.container.name} from {self.other}"
        self.words = "nft delete table inet"

    def look(self):
        code = self.container.exec_run(["timeout", "1", "bash", "-c", f"exec 3<>/dev/tcp/{self.other}/6379"]).exit_code
        return "reached" if code == 0 else "unanswered"


CASES = [(Partition, "drop"), (Partition, "reject"), (PartitionOfContainer, "drop")]
