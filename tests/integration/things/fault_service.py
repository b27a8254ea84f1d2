from __future__ import annotations


class Service:
    """A systemd unit on a host reached over ssh."""

    place = "voiceassist_hosts"
    whole, broken = "active loaded", "inactive masked"

    def __init__(self, request, action):
        self.hosts = request.getfixturevalue("voiceassist_hosts")
        self.inventory, self.limit = self.hosts, ["--limit", "h3"]
        self.module = "gameday.chaos.fault_service"
        self.options = {"name": "voiceassist-redis"}
        self.claim = "service/voiceassist-redis.service"
        self.words = "systemctl stop voiceassist-redis.service"

    def look(self):
        return " ".join(self.hosts.run("h3", "systemctl show -p ActiveState -p LoadState --value voiceassist-redis").stdout.split()[::-1])


CASES = [(Service, case) for case in ("stop",)]
