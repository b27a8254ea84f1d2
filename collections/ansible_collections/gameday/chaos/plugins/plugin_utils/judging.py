# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the events of an experiment amount to: its faults with their true begin and end, what was found, the verdict, the timings."""

from __future__ import annotations

import datetime

from ansible_collections.gameday.chaos.plugins.plugin_utils.chronicle import fault_in, place, recovery_in, still_there
from ansible_collections.gameday.chaos.plugins.plugin_utils.verdict import fired_at, first_from, worst

FAULT_KEYS = ("id", "kind", "claim", "target", "action", "run", "state", "duration", "armed", "begin", "ends", "end", "ended_by", "lasted",
              "verified", "effect", "timer", "inject", "revert", "way_back")


def instant(text):
    try:
        moment = datetime.datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)


def seconds_between(start, end):
    start, end = instant(start), instant(end)
    return None if start is None or end is None else round((end - start).total_seconds(), 6)


def after(start, seconds):
    moment = instant(start)
    return start if moment is None else (moment + datetime.timedelta(seconds=seconds)).isoformat(timespec="microseconds")


class Record:
    """The events of one experiment, sorted once: a hundred hosts have many."""

    def __init__(self, events):
        self.begin, self.last = events[0], events[-1]
        self.results = [event for event in events if event["what"] == "result"]
        self.shapes, self.of_host, started = {}, {}, {}
        for event in events:
            if event["what"] == "started":
                started[event["host"], event["uuid"]] = event
            elif event["what"] == "result":
                started.pop((event["host"], event["uuid"]), None)
                for host in (None, event["host"]):
                    self.shapes.setdefault((event["shape"], host), []).append(event)
                self.of_host.setdefault(event["host"], []).append(event)
        self.under_way = list(started.values())
        self.lost = {lost_place(event) for event in self.results if event["status"] == "unreachable"}
        self.clocks = {place(event): event["data"] for event in self.shape("clock")}
        self.hosts = list(dict.fromkeys(self.begin["hosts"] + list(self.of_host)))

    def shape(self, name, host=None):
        return self.shapes.get((name, host), [])


def first_line(text):
    lines = [line.strip() for line in str(text or "").splitlines() if line.strip()]
    return lines[0] if lines else ""


class FaultTable:
    """The faults of all hosts; what is told later of a fault replaces what was told earlier."""

    def __init__(self, record):
        self.faults = []
        check = record.begin["check"]
        for event in record.results:
            host = place(event)
            if fault_in(event):
                self.take(host, fault_in(event), event["task"])
            elif recovery_in(event):
                for fault in recovery_in(event).get("faults") or []:
                    self.take(host, fault, None)
                if recovery_in(event)["restored"] and not check:
                    self.close(host, recovery_in(event).get("at"))

    def take(self, host, told, task):
        known = self.find(host, told)
        if known is None:
            if not told.get("id"):
                return  # "absent, and always was"
            known = {"host": host, "task": task}
            self.faults.append(known)
        for key in FAULT_KEYS:
            if told.get(key) is not None or key not in known:
                known[key] = told.get(key)
        if not still_there(known):
            known["way_back"] = None
        known["seconds"] = seconds_between(known["begin"], known["end"])

    def find(self, host, told):
        here = [fault for fault in self.faults if fault["host"] == host]
        if told.get("id"):
            return next((fault for fault in here if fault["id"] == told["id"]), None)
        return next((fault for fault in here if fault["claim"] == told.get("claim") and still_there(fault)), None)

    def close(self, host, at):
        """The host proved that all is as before; a fault whose end was not told has ended all the same."""
        for fault in self.faults:
            if fault["host"] == host and still_there(fault):
                fault.update(state="absent", end=at, way_back=None, seconds=seconds_between(fault["begin"], at))

    @property
    def in_place(self):
        return [fault for fault in self.faults if still_there(fault)]


TIMINGS = ("impact", "detection", "recovery", "outage", "skew")
RECOVERY = "putting it back"
NOT_STEADY = "not steady before anything was broken"


def finding(verdict, host, subject, reasons, event):
    reasons = [str(reason) for reason in reasons if reason]
    return {"verdict": verdict, "host": host, "what": subject or event["task"], "reasons": reasons, "at": event["at"]}


def state_subject(state):
    return state.get("title") or ", ".join(str(probe.get("name") or probe.get("kind")) for probe in state.get("probes") or [])


def state_reasons(state):
    return list(state.get("reasons") or []) or [reason for probe in state.get("probes") or [] for reason in probe.get("reasons") or []]


def findings(record, table):
    """All that speaks against 'passed', as a list of {verdict, host, what, reasons, at}."""
    found, check = [], record.begin["check"]
    last_state, last_recovery, lost = {}, {}, {}
    for event in record.results:
        shape, data, host = event["shape"], event["data"], lost_place(event)
        if event["ignored"] or event["status"] == "skipped":
            continue
        if event["status"] == "unreachable":
            lost.setdefault(host, []).append(event)
        elif shape == "steady_state":
            last_state[host, state_subject(data), data.get("use"), event["stage"]] = event
        elif shape == "recovery":
            last_recovery[place(event)] = event
        elif shape == "entry" and data.get("finding"):
            found.append(finding(data["finding"]["verdict"], host, data["activity"].get("name"), data["finding"]["reasons"], event))
        elif shape == "observation" and event["status"] == "failed":
            found.append(judged(event, data.get("name"), data.get("reasons") or []))
        elif shape == "fault" and event["status"] == "failed":
            found.append(finding("errored", host, event["task"], [first_line(event["msg"]) or "not injected"], event))
        elif shape == "fault" and still_there(data) and not data.get("verified"):
            found.append(finding("inconclusive", host, data["claim"], ["the fault has no measured effect"], event))
        elif event["status"] == "failed" and shape not in ("verdict", "recovery") and event["section"] != "evidence":
            found.append(finding("errored", host, event["task"], [first_line(event["msg"]) or "failed"], event))
    for event in last_state.values():
        counts = event["status"] == "failed" or (event["by_role"] and event["section"] in ("before", "after"))
        if event["data"]["met"] is not True and counts:
            subject = state_subject(event["data"]) if event["stage"] == "during" else "steady state"
            found.append(judged(event, subject, state_reasons(event["data"])))
    for host, event in last_recovery.items():
        if not event["data"]["restored"] and not check:
            residue = event["data"].get("residue") or [first_line(event["msg"])]
            found.append(finding("not_restored", host, RECOVERY, residue, event))
    found += [of_lost(host, events, last_recovery.get(host), table, check) for host, events in lost.items()]
    told = {one["host"] for one in found if one["verdict"] == "not_restored"}
    for fault in table.in_place:
        if fault["host"] not in told and not check:
            words = f"still in place; its own timer ends it by {whole_second(fault['ends'])}"
            found.append({"verdict": "not_restored", "host": fault["host"], "what": fault["claim"], "reasons": [words],
                          "at": fault["begin"] or fault["armed"]})
    return found


def lost_place(event):
    """Who could not be reached: the role has a host that is still there try those that are not."""
    return place(event) if event["by_role"] and event["section"] == "recover" else event["host"]


def of_lost(host, events, recovered, table, check):
    """A host that was lost after something may have been broken there is not restored until that was proved later."""
    last = [event for event in events if may_leave_something(event)][-1:]
    proved = recovered is not None and recovered["data"]["restored"] and (not last or recovered["at"] >= last[0]["at"])
    words = [f"unreachable: {first_line(events[0]['msg']).removeprefix('unreachable: ')}"]
    if not last or check:
        return finding("errored", host, events[0]["task"], words, events[0])
    if proved:
        return finding("errored", host, events[0]["task"], [*words, "it was reached again, and is proved to be whole"], events[0])
    words.append("it was not reached again, so nobody knows whether it is whole")
    words += [f"{fault['claim']}: its own timer ends it by {whole_second(fault['ends'])}" for fault in table.in_place if fault["host"] == host]
    return finding("not_restored", host, events[0]["task"], words, events[0])


def may_leave_something(event):
    return event["section"] in ("method", "evidence", "recover") if event["by_role"] else event["module"].rpartition(".")[2].startswith("fault_")


def judged(event, subject, reasons):
    if event["stage"] == "before":
        verdict, reasons = "errored", [NOT_STEADY] + reasons
    else:
        verdict = "deviated" if event["data"]["met"] is False else "inconclusive"
    return finding(verdict, event["host"], subject, reasons or [first_line(event["msg"])], event)


def one_line(found, several_hosts):
    """The first finding of the worst kind, in one line."""
    verdict = worst((one["verdict"] for one in found), "passed")
    first = next((one for one in found if one["verdict"] == verdict), None)
    if first is None:
        return "everything was as expected"
    host = f"{first['host']}: " if several_hosts else ""
    return f"{host}{in_words(first)}"


def in_words(found):
    """Residue names its fault itself."""
    reasons = "; ".join(found["reasons"])
    return reasons if found["what"] == RECOVERY else f"{found['what']}: {reasons}"


def whole_second(text):
    moment = instant(text)
    return f"{moment.astimezone(datetime.UTC):%Y-%m-%d %H:%M:%S} UTC" if moment else str(text)


def timings(record, table):
    """The timings of the verdict, which looked at all hosts; without one, those that can be told from the events. An alert need not be registered."""
    told = [event["data"].get("timings") or {} for event in record.shape("verdict")]
    seen = timings_of(record, table, None)
    if not told:
        return seen
    known = {name: max((one[name] for one in told if one.get(name) is not None), default=None) for name in TIMINGS}
    return dict(known, detection=seen["detection"] if known["detection"] is None else known["detection"])


def timings_of(record, table, host):
    """
    For one host, or the worst of all, in seconds and null where unknown: impact (the effect of the fault to the first bad answer),
    detection (the effect to the first alert that a probe of the method saw fire), recovery (all put back to steady again), outage (the
    effect of the fault to steady again).
    """
    faults = [fault for fault in table.faults if fault["begin"]]
    faults = [fault for fault in faults if fault["host"] == host] or faults
    begin, end = min((fault["begin"] for fault in faults), default=None), last(fault["end"] for fault in faults)
    bad, steady = [], {}
    for event in record.shape("steady_state", host):
        state = event["data"]
        windows = [probe["window"] for probe in state.get("probes") or [] if probe.get("window")]
        bad += [window["first_bad"] for window in windows if window.get("first_bad")]
        if event["stage"] == "after" and state.get("use") == "within":
            took = state.get("recovery_seconds") if state["met"] else None
            steady[event["host"], state.get("title")] = None if took is None else after(state["begin"], took)
    bad, steady = min(bad, default=None), last(steady.values())
    alerts = [moment for event in record.results if event["section"] == "method" and event["shape"] in ("observation", "steady_state")
              and host in (None, event["host"]) for moment in fired_at({event["shape"]: event["data"]})]
    return {"impact": positive(begin, bad), "detection": positive(begin, first_from(begin, alerts)), "recovery": positive(end, steady),
            "outage": positive(begin, steady), "skew": None}


def last(moments):
    """The last of them; None where one of them has not come."""
    known = list(moments)
    return max(known) if known and None not in known else None


def positive(start, end):
    seconds = seconds_between(start, end)
    return None if seconds is None else max(seconds, 0.0)
