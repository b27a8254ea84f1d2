from __future__ import annotations


class Container:
    """A container of a real engine, driven from this machine."""

    whole = "running"

    def __init__(self, request, action):
        self.action = action
        self.inventory, self.limit = None, []
        sleeper = request.getfixturevalue("containers")("sleeper", request.getfixturevalue("voiceassist_image"), "redis")
        self.container = sleeper
        self.broken = "paused" if action == "pause" else "exited"
        self.module = "gameday.chaos.fault_container"
        self.options = {"name": sleeper.name, "action": action, "stop_timeout": 2} if action == "stop" else {"name": sleeper.name, "action": action}
        self.claim = f"container/{sleeper.name}"
        self.words = f"docker {action}"

    def look(self):
        self.container.reload()
        return self.container.status


CASES = [(Container, case) for case in ("stop", "kill", "pause")]
