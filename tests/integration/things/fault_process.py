from __future__ import annotations


class Process:
    """A process on a host without systemd, reached over ssh."""

    place = "netns_hosts"
    whole = "running"

    def __init__(self, request, action):
        self.hosts = request.getfixturevalue("netns_hosts")
        self.inventory, self.limit = self.hosts, ["--limit", "n1"]
        self.hosts.run("n1", "pkill -KILL -f '^sleep 9191$'; while pgrep -f '^sleep 9191$'; do sleep 0.05; done >/dev/null; "
                             "setsid -f sleep 9191 </dev/null >/dev/null 2>&1; until pgrep -f '^sleep 9191$' >/dev/null; do sleep 0.05; done")
        self.module = "gameday.chaos.fault_process"
        self.options = {"pattern": "^sleep 9191$", "action": action}
        self.broken = "frozen" if action == "stop" else "gone"
        if action == "kill":
            self.options["restart"] = ["sleep", "9191"]
        self.claim = "process/pattern=^sleep 9191$"
        self.words = "signal_processes " + {"stop": "STOP", "kill": "KILL"}[action]

    def look(self):
        state = self.hosts.run("n1", "for p in $(pgrep -f '^sleep 9191$'); do cut -d' ' -f3 /proc/$p/stat; done").stdout.split()
        return {"T": "frozen"}.get(state[0], "running") if state else "gone"


CASES = [(Process, case) for case in ("stop", "kill")]
