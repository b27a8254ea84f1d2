# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
Builds the journal of an experiment from its events, and only from them: build(events) -> dict.

The first twelve keys are those of a Chaos Toolkit journal, so that its tools read ours; what they cannot say stands in keys of our own
behind them. Events without an end are those of a controller that was killed: they give a journal, too, and an honest one.
"""

from __future__ import annotations

from ansible_collections.gameday.chaos.plugins.plugin_utils import chaostoolkit_journal, judging
from ansible_collections.gameday.chaos.plugins.plugin_utils.chronicle import place
from ansible_collections.gameday.chaos.plugins.plugin_utils.judging import Record, seconds_between, worst

VERSION = "0.1.0"
CHAOSLIB_VERSION = f"1.44.0+gameday.{VERSION}"  # the journal format that ours is one of
NOT_FINISHED = "the controller did not finish"


def build(events):
    record = Record(events)
    begin, last = record.begin, record.last
    table = judging.FaultTable(record)
    ending = Ending(record, table)
    duration = seconds_between(begin["at"], last["at"])
    run, rollbacks = activities(record, "method"), activities(record, "recover")
    told = {
        "chaoslib-version": CHAOSLIB_VERSION, "platform": begin["platform"], "node": begin["node"],
        "experiment": experiment(record, run, rollbacks), "start": begin["at"], "status": ending.status, "deviated": ending.deviated,
        "steady_states": steady_states(record), "run": run, "rollbacks": rollbacks, "end": last["at"], "duration": duration,
        "verdict": ending.verdict, "reason": ending.reason, "run_id": begin["run"], "playbook": begin["playbook"],
        "hosts": ending.hosts, "faults": table.faults, "timings": dict(judging.timings(record, table), duration=duration),
        "restored": ending.restored, "findings": ending.findings, "evidence": evidence(record), "errors": errors(record),
    }
    if chaostoolkit_journal.document_of(record):
        told.update(chaostoolkit_journal.parts(record, ending, told))
    return told


class Ending:
    """How it ended: the role's own verdict where it was reached, but never a better one than the events allow."""

    def __init__(self, record, table):
        self.record, self.table = record, table
        self.findings = judging.findings(record, table)
        self.found_on = {}
        for one in self.findings:
            self.found_on.setdefault(one["host"], []).append(one)
        self.told = {event["host"]: event["data"] for event in record.shape("verdict")}
        self.told_of = {}
        for told in self.told.values():
            self.told_of.update(told.get("hosts") or {})
        judged_all = bool(self.told) and set(record.of_host) <= {*self.told, *self.told_of}  # with serial a batch is judged before the next begins
        self.finished = judged_all or (record.last["what"] == "end" and record.last["how"] == "finished")
        self.under_way = [] if self.finished else [event for event in record.under_way if event["section"] in ("method", "recover")]
        self.verdict, self.reason = self.judge(None)
        self.hosts = {host: self.of_host(host) for host in record.hosts}
        self.restored = self.is_restored(None)
        self.deviated = self.verdict == "deviated" or any(one["verdict"] == "deviated" for one in self.findings)
        self.status = self.toolkit_status()

    def found(self, host):
        return self.findings if host is None else self.found_on.get(host, [])

    def judge(self, host):
        found = self.found(host)
        verdict = worst((one["verdict"] for one in found), "passed")
        reason = judging.one_line(found, host is None and len(self.record.hosts) > 1)
        if verdict != "not_restored" and (self.told if self.finished else host in self.told):
            known = self.told_verdict(host)
            if known:
                return self.with_the_untold(*known) if host is None else known
        if not self.finished:
            return worst([verdict, "errored"]), f"{NOT_FINISHED}{self.unknown(host) if verdict == 'passed' else f'; {reason}'}"
        if not self.told and verdict == "passed" and self.record.begin["by_role"] and not self.record.begin["check"]:
            return "errored", "the experiment ended before its verdict"
        if verdict == "passed" and self.took_no_part(host):
            return "inconclusive", "it took no part: the play ended before its turn"
        return verdict, reason

    def with_the_untold(self, verdict, reason):
        """Hosts that were refused, or lost, before the last batch have no part in what the others were told, and are hosts of the run all the same."""
        for host in self.record.of_host:
            if host not in self.told and host not in self.told_of and worst([verdict, self.judge(host)[0]]) != verdict:
                verdict, reason = self.judge(host)
                reason = f"{host}: {reason}"
        return verdict, reason

    def took_no_part(self, host):
        """With serial, a batch whose hosts all fail is the last."""
        return host is not None and self.record.begin["by_role"] and not self.record.begin["check"] and host not in self.record.of_host

    def unknown(self, host):
        """A fault whose result never came may be in place."""
        mine = [event for event in self.under_way if host in (None, event["host"])]
        if not mine:
            return ""
        where = f" on {mine[0]['host']}" if len(self.record.hosts) > 1 else ""
        return f" while {mine[0]['task']!r} was under way{where}; whether it broke something is not known here"

    def told_verdict(self, host):
        if host is None:
            verdict = worst([told["verdict"] for told in self.told.values()])
            culprits = [name for name, told in self.told.items() if told.get("host") == verdict] or list(self.told)
            name, told = culprits[0], self.told[culprits[0]]
            where = f"{name}: " if len(self.record.hosts) > 1 and verdict != "passed" else ""
            return verdict, where + (told.get("reason") or verdict)
        own = self.told.get(host) or {}
        verdict = own.get("host") or self.told_of.get(host)
        return (verdict, own.get("reason") or judging.one_line(self.found(host), False)) if verdict else None

    def of_host(self, host):
        verdict, reason = self.judge(host)
        return {
            "verdict": verdict, "reason": None if verdict == "passed" else reason, "restored": self.is_restored(host),
            "unreachable": host in self.record.lost, "clock": self.record.clocks.get(host),
            "timings": judging.timings_of(self.record, self.table, host),
        }

    def is_restored(self, host):
        """True: proved, or nothing was broken. False: known to be broken. None: nobody knows."""
        if any(one["verdict"] == "not_restored" for one in self.found(host)):
            return False
        told = self.told.get(host) or {}
        if told.get("host") == "not_restored" or (host is None and any(one.get("restored") is False for one in self.told.values())):
            return False
        return None if any(event["host"] == host or host is None for event in self.under_way) else True

    def toolkit_status(self):
        if not self.finished:
            return "interrupted"
        if self.verdict in ("passed", "deviated"):
            return "completed"
        broke_off = any(one["verdict"] == "errored" and judging.NOT_STEADY not in one["reasons"] for one in self.findings)
        return "aborted" if self.verdict == "errored" and broke_off else "failed"


def experiment(record, run, rollbacks):
    begin = record.begin
    told = next((event["data"] for event in record.shape("experiment")), {})
    tags = [str(tag) for tag in told.get("tags") or []]
    document = {"title": begin["title"], "description": told.get("description") or begin["title"], "tags": tags}
    probes = hypothesis(record, told)
    if probes:
        document["steady-state-hypothesis"] = {"title": begin["title"], "probes": probes}
    document["method"] = unique(done["activity"] for done in run)
    document["rollbacks"] = unique(done["activity"] for done in rollbacks)
    document["dry"] = "activities" if begin["check"] else None
    if told.get("recovery") is not None:
        document["recovery"] = told["recovery"]
    return document


def hypothesis(record, told):
    """The probes that say what steady means: as they were run, else as they were announced."""
    run = unique(probe_entry(event, probe)["activity"] for event in record.shape("steady_state") if event["stage"] == "before"
                 for probe in event["data"].get("probes") or [])
    if run:
        return run
    return [announced(probe, number) for number, probe in enumerate(told.get("steady_state") or [], 1) if isinstance(probe, dict)]


def announced(probe, number):
    kind = next((key for key in probe if key != "name"), None)
    arguments = probe.get(kind)
    return {"type": "probe", "name": str(probe.get("name") or f"{kind} {number}"), "tolerance": True,
            "provider": {"type": "ansible", "module": qualified(kind), "arguments": arguments if isinstance(arguments, dict) else {}}}


def unique(activities_in_order):
    seen = {}
    for activity in activities_in_order:
        seen.setdefault((activity["name"], activity["provider"]["module"], repr(activity["provider"]["arguments"])), activity)
    return list(seen.values())


def qualified(kind):
    kind = str(kind or "gameday.chaos.steady_state")
    return kind if "." in kind else "gameday.chaos." + kind


def steady_states(record):
    states = {"before": [], "after": [], "during": []}
    for event in record.shape("steady_state"):
        states[event["stage"]].append(state(event))
    return {"before": merged(states["before"]), "after": merged(states["after"]), "during": states["during"]}


def state(event):
    data = event["data"]
    kept = {key: data.get(key) for key in ("title", "use", "reasons", "begin", "end", "seconds", "recovery_seconds", "stopped")}
    probes = [probe_entry(event, probe) for probe in data.get("probes") or []]
    return {"steady_state_met": data["met"], "probes": probes, "host": event["host"], "section": event["section"], **kept}


def merged(states):
    """Chaos Toolkit has one state before and one after; ours is that of all hosts, and the last look at a thing counts."""
    if not states:
        return None
    last = {}
    for one in states:
        last[one["host"], one["title"], one["use"]] = one
    met = [one["steady_state_met"] for one in last.values()]
    return {
        "steady_state_met": False if False in met else None if None in met else True,
        "probes": [probe for one in last.values() for probe in one["probes"]],
        "states": [{key: value for key, value in one.items() if key != "probes"} for one in states],
    }


def probe_entry(event, probe):
    observation = probe.get("observation") or {}
    start = observation.get("at") or event["data"].get("begin") or event["start"]
    seconds = observation.get("seconds") or 0.0
    met = probe.get("met")
    entry = {
        "activity": {"type": "probe", "name": str(probe.get("name") or probe.get("kind") or event["task"]), "tolerance": True,
                     "provider": {"type": "ansible", "module": qualified(probe.get("kind")), "arguments": probe.get("arguments") or {}}},
        "output": observation or None, "start": start, "status": "failed" if met is None else "succeeded",
        "end": judging.after(start, seconds), "duration": seconds, "host": event["host"], "reasons": probe.get("reasons") or [],
    }
    if probe.get("window"):
        entry["window"] = probe["window"]
    return dict(entry, tolerance_met=met is True)


def activities(record, section):
    return [entry(event) for event in record.results if event["section"] == section and event["status"] != "skipped"
            and (event["shape"] or event["output"] is not None or event["censored"])]


def entry(event):
    shape, data = event["shape"], event["data"]
    name, module, output = event["task"], event["module"], data or event["output"]
    if shape in ("fault", "observation"):
        module = qualified(data.get("kind") or module)
        name = data.get("name") or name
    elif shape == "steady_state":
        name = judging.state_subject(data) or name
        output = {key: value for key, value in data.items() if key != "probes"}
    elif shape == "recovery":
        output = dict(data, faults=[fault["claim"] for fault in data.get("faults") or []])
    failed = event["status"] != "ok"
    done = {
        "activity": {"type": "probe" if shape in ("observation", "steady_state") else "action", "name": str(name),
                     "provider": {"type": "ansible", "module": module, "arguments": event["arguments"]}},
        "output": output, "start": event["start"], "status": "failed" if failed else "succeeded",
    }
    if failed:
        done["exception"] = [line + "\n" for line in str(event["msg"] or event["status"]).splitlines()]
    done.update(end=event["at"], duration=seconds_between(event["start"], event["at"]), host=event["host"], task=event["task"])
    for key, value in (("on", place(event)), ("item", event["item"]), ("ignored", event["ignored"])):
        if value and value != event["host"]:
            done[key] = value
    return done


def evidence(record):
    return [{"host": event["host"], "name": event["task"], "item": event["item"], "at": event["at"], "status": event["status"],
             "output": event["data"] or event["output"]}
            for event in record.results if event["section"] == "evidence" and event["status"] != "skipped" and not event["censored"]]


def errors(record):
    return [{"host": event["host"], "task": event["task"], "item": event["item"], "at": event["at"], "status": event["status"],
             "ignored": event["ignored"], "msg": event["msg"]}
            for event in record.results if event["status"] in ("failed", "unreachable") and event["shape"] in (None, "fault", "experiment")]
