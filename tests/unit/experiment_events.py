# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Experiments as the events that the callbacks record of them, on a clock of their own."""

from __future__ import annotations

import datetime
import json

from ansible_collections.gameday.chaos.plugins.plugin_utils import journal_file
from ansible_collections.gameday.chaos.plugins.plugin_utils.chronicle import Chronicle
from ansible_collections.gameday.chaos.plugins.plugin_utils.journal import build

RUN = "database_failure-20261124-031502-4f2a"
START = datetime.datetime(2026, 11, 24, 3, 15, 2, tzinfo=datetime.UTC)
CLAIM = "process/pid_file=/run/postgres.pid"
TOOLKIT_KEYS = ["chaoslib-version", "platform", "node", "experiment", "start", "status", "deviated", "steady_states", "run", "rollbacks",
                "end", "duration"]
WAY_BACK = "/var/lib/gameday/faults/process%2Fpid_file=%2Frun%2Fpostgres.pid/revert"


class Script:
    """Writes the events of a playbook that uses the role, task by task."""

    def __init__(self, *hosts, check=False, file="playbooks/database_failure.yml", play="The database fails", by_role=True):
        self.hosts, self.check, self.by_role = hosts or ("localhost",), check, by_role
        self.seconds, self.tasks = 0.0, 0
        self.events = [{"what": "playbook", "at": self.now(), "file": file, "check": check}]
        self.play(play)

    def now(self, ahead=0.0):
        return (START + datetime.timedelta(seconds=self.seconds + ahead)).isoformat(timespec="microseconds")

    def play(self, name, free=False):
        self.events.append({"what": "play", "at": self.now(), "play": name, "uuid": f"play {name}", "free": free, "check": self.check,
                            "become": False})

    def task(self, name, section, hosts=None):
        self.tasks += 1
        self.identity = {"task": name, "uuid": f"task {self.tasks}", "section": section, "by_role": self.by_role}
        self.events.append({"what": "task", "at": self.now(), **self.identity})
        for host in hosts or self.hosts:
            self.events.append({"what": "started", "at": self.now(), "host": host, **self.identity})
        return self.now()

    def result(self, host, shape=None, data=None, status="ok", took=0.1, **more):
        start = self.now()
        self.seconds += took
        self.events.append({
            "what": "result", "at": self.now(), "start": start, "host": host, "play": "The database fails", **self.identity,
            "module": "ansible.builtin.command", "status": status, "changed": False, "censored": False, "ignored": False, "item": None,
            "delegate": None, "msg": None, "arguments": {}, "shape": shape, "data": data, "output": None, "where": None, "said": None,
            **more,
        })

    # The tasks of an experiment

    def preflight(self, **more):
        self.task("May it run here and now", "preflight")
        for host in self.hosts:
            self.result(host, "experiment", {
                "title": "PostgreSQL becomes unavailable", "description": "", "name": "database_failure", "run": RUN, "steady_state": [],
                "method": "tasks/method.yml", "recovery": 60, "hosts": list(self.hosts), "tags": ["database"], **more})

    def state(self, use="now", met=True, title="API is healthy", reason=None, window=None, **more):
        probe = {"name": "API is healthy", "kind": "probe_http", "met": met, "reasons": [reason] if reason else [],
                 "observation": self.observation(met), "arguments": {"url": "http://127.0.0.1:8080/health"}}
        if window:
            probe["window"] = window
        return {"title": title, "use": use, "met": met, "reasons": [f"API is healthy: {reason}"] if reason else [], "begin": self.now(),
                "end": self.now(0.02), "seconds": 0.02, "stopped": None, "probes": [probe], **more}

    def observation(self, met=True, name=None, reasons=()):
        return {"kind": "probe_http", "name": name, "at": self.now(), "seconds": 0.02, "value": 200, "met": met, "reasons": list(reasons)}

    def window(self, samples=100, bad=0):
        return {"samples": samples, "met": samples - bad, "not_met": bad, "unknown": 0, "missed": 0, "interval": [0.9, 1.0],
                "availability": (samples - bad) / samples, "p50": 0.008, "p95": 0.012, "p99": 0.02, "longest_outage": 0.3 if bad else 0.0,
                "outages": int(bad > 0), "first_bad": self.now(1.0) if bad else None, "first_good": self.now(),
                "series": {"start": self.now(), "interval": 0.1, "met": "1" * samples, "milliseconds": [8.0, None, 12.5]}}

    def before(self, met=True, reason=None):
        self.task("Steady state before: PostgreSQL becomes unavailable", "before")
        for host in self.hosts:
            self.result(host, "steady_state", self.state(met=met, reason=reason))

    def fault_dict(self, host, **more):
        return {"id": f"fault on {host}", "kind": "fault_process", "claim": CLAIM, "target": "postgres (pid 4711)", "action": "kill",
                "run": RUN, "state": "present", "duration": 30, "armed": self.now(), "begin": self.now(), "ends": self.now(30), "end": None,
                "ended_by": None, "verified": True, "effect": "gone", "timer": "watcher", "inject": ["kill -KILL 4711"],
                "revert": ["pg_ctl -D /srv/pg start"], "way_back": WAY_BACK, **more}

    def fault(self, host=None, status="ok", msg=None, **more):
        host = host or self.hosts[-1]
        self.task("PostgreSQL is killed", "method", [host])
        self.broken = self.fault_dict(host, **more)
        self.result(host, "fault", self.broken, status=status, msg=msg, changed=status == "ok", took=0.5)

    def watch(self, host=None, met=True, bad=0, reason=None, stage_title="The API keeps answering 503", **more):
        self.task(stage_title, "method", [host or self.hosts[0]])
        state = self.state("during", met, stage_title, reason, self.window(bad=bad), seconds=10.0)
        self.result(host or self.hosts[0], "steady_state", state, status="ok" if met else "failed", took=10.0, **more)

    def recover(self, restored=True, residue=(), hosts=None):
        self.task("Put everything back, and prove it", "recover", hosts)
        for host in hosts or self.hosts:
            faults, broken = [], getattr(self, "broken", None)
            if broken and broken["id"].endswith(host):
                end = {"state": "absent", "end": self.now(), "ended_by": "recover", "way_back": None} if restored else {}
                faults = [dict(broken, **end)]
            self.result(host, "recovery", self.recovery(restored or not faults, faults, residue if faults else ()))

    def recovery(self, restored=True, faults=(), residue=()):
        return {"restored": restored, "run": RUN, "at": self.now(), "faults": list(faults), "residue": list(residue), "notes": []}

    def after(self, met=True, reason=None, took=1.4):
        self.task("Steady state after: PostgreSQL becomes unavailable", "after")
        begin = self.seconds
        for host in self.hosts:
            self.seconds = begin  # all of them look at the same time
            more = {"recovery_seconds": took} if met else {}
            self.result(host, "steady_state", self.state("within", met, reason=reason, **more), took=took, arguments={"within": 60.0})

    def verdict(self, overall="passed", reason="as expected", **of_hosts):
        self.task("Verdict", "verdict")
        hosts = {host: of_hosts.get(host, overall if len(self.hosts) == 1 else "passed") for host in self.hosts}
        for host in self.hosts:
            data = {"verdict": overall, "reason": reason, "host": hosts[host], "run": RUN, "hosts": hosts,
                    "restored": overall != "not_restored", "timings": {"impact": 0.2, "detection": None, "recovery": 1.4, "outage": 11.6}}
            self.result(host, "verdict", data, status="ok" if overall == "passed" else "failed")

    def stats(self, failures=0):
        sums = {"ok": 5, "changed": 1, "failures": failures, "unreachable": 0, "skipped": 0, "rescued": 0, "ignored": 0}
        self.events.append({"what": "stats", "at": self.now(), "hosts": {host: dict(sums) for host in self.hosts}})
        return self


def passed(*hosts, **more):
    script = Script(*hosts, **more)
    script.preflight()
    script.before()
    script.fault()
    script.watch()
    script.recover()
    script.after()
    script.verdict()
    return script.stats()


def chronicle_of(script):
    chronicle = Chronicle()
    for event in script.events:
        chronicle.feed(event)
    return chronicle


def journal_of(script):
    experiments = chronicle_of(script).experiments
    assert len(experiments) == 1
    document = json.loads(journal_file.dump(build(experiments[0].events)))
    valid_for_the_toolkit(document)
    return document


def valid_for_the_toolkit(document):
    """What Chaos Toolkit's tools cannot do without, found by taking each key away."""
    assert list(document)[:12] == TOOLKIT_KEYS
    version = document["chaoslib-version"].partition("+")[0].split(".")
    assert len(version) == 3 and all(part.isdigit() for part in version)
    experiment = document["experiment"]
    assert experiment["title"] and isinstance(experiment["tags"], list) and experiment["dry"] in (None, "activities")
    assert experiment.get("steady-state-hypothesis", True) is not None
    assert set(document["steady_states"]) == {"before", "after", "during"} and isinstance(document["steady_states"]["during"], list)
    assert document["status"] in ("completed", "failed", "aborted", "interrupted") and document["deviated"] in (True, False)
    states = [document["steady_states"]["before"], document["steady_states"]["after"], *document["steady_states"]["during"]]
    probes = [probe for state in states if state for probe in state["probes"]]
    assert all("tolerance_met" in probe for probe in probes)
    for entry in probes + document["run"] + document["rollbacks"]:
        assert entry["activity"]["type"] in ("probe", "action") and entry["activity"]["name"]
        assert entry["activity"]["provider"]["type"] == "ansible" and entry["activity"]["provider"]["module"]
        assert entry["start"] and entry["end"] and entry["duration"] >= 0 and entry["status"] in ("succeeded", "failed")
    assert all(activity["type"] for activity in experiment["method"])
    assert document["start"] and document["end"] and document["duration"] >= 0
