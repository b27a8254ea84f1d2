from __future__ import annotations


class Container:
    """A container of a real engine, driven from this machine. Its restart policy would start it again, were it not frozen."""

    whole = "running"

    def __init__(self, request, action):
        self.inventory, self.limit = None, []
        containers, image = request.getfixturevalue("containers"), request.getfixturevalue("voiceassist_image")
        self.container = containers("sleeper", image, "redis", restart_policy={"Name": "always"} if action != "pause" else None)
        self.broken = "paused" if action == "pause" else "exited"
        self.module = "gameday.chaos.fault_container"
        self.options = {"name": self.container.name, "action": action, **({"stop_timeout": 1} if action == "stop" else {})}
        self.claim = f"container/{self.container.name}"
        self.words = f"docker {action}"

    def look(self):
        self.container.reload()
        return self.container.status


class Disconnected:
    """A container with an alias, by which another one finds it."""

    whole, broken = "found", "lost"

    def __init__(self, request, action):
        containers, image = request.getfixturevalue("containers"), request.getfixturevalue("voiceassist_image")
        self.container, self.other = containers("server", image, "redis"), containers("client", image, "redis")
        self.inventory, self.limit = None, []
        self.module = "gameday.chaos.fault_container"
        self.options = {"name": self.container.name, "action": action}
        self.claim = f"container/{self.container.name}"
        self.words = "--alias server"

    def look(self):
        return "found" if self.other.exec_run(["timeout", "2", "redis-cli", "-h", "server", "ping"]).output.strip() == b"PONG" else "lost"


class Throttled:
    """A container without limits, whose control groups tell."""

    def __init__(self, request, action):
        self.container = request.getfixturevalue("containers")("throttled", request.getfixturevalue("voiceassist_image"), "redis")
        self.whole, self.broken = self.look(), "10000 1073741824 40" if self.old else "10000 100000 1073741824 40"
        self.inventory, self.limit = None, []
        self.module = "gameday.chaos.fault_container"
        self.options = {"name": self.container.name, "action": action, "cpus": 0.1, "memory": "1GiB", "pids": 40}
        self.claim = f"container/{self.container.name}"
        self.words = "write"

    def look(self):
        """From within, where both versions of control groups show the limits."""
        old = "cpu/cpu.cfs_quota_us memory/memory.limit_in_bytes pids/pids.max"
        seen = self.container.exec_run(["sh", "-c", f"cd /sys/fs/cgroup && if [ -e cpu ]; then cat {old}; else cat cpu.max memory.high pids.max; fi"])
        words = seen.output.decode().split()
        self.old = len(words) == 3
        return " ".join(words)


CASES = [(Container, "stop"), (Container, "kill"), (Container, "pause"), (Disconnected, "disconnect"), (Throttled, "throttle")]
