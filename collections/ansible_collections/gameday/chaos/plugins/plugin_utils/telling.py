# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the results of one task, over all its hosts, are in the words of the terminal view. Pure functions: events in, lines out."""

from __future__ import annotations

import json

from ansible_collections.gameday.chaos.plugins.plugin_utils.chronicle import fault_in, place, still_there
from ansible_collections.gameday.chaos.plugins.plugin_utils.judging import seconds_between, state_reasons, state_subject
from ansible_collections.gameday.chaos.plugins.plugin_utils.wording import (
    PAST,
    budget,
    clock,
    count,
    duration,
    latency,
    lines_of,
    more,
    names,
    row,
    share,
    with_aside,
)

MANY = 8  # lines about single hosts, before they are summed up
ENDED_BY = {"timer": "the host's own timer", "sweep": "a sweep", "hand": "hand", "stop_condition": "the stop condition",
            "boot": "the host after a reboot", "lease": "its lease, which nobody renewed", "halt": "the red button"}


class View:
    """How hosts are named: not at all where there is only one. And since when all is put back."""

    def __init__(self, hosts, put_back_at=None):
        self.put_back_at = put_back_at
        self.several = len(hosts) > 1
        self.width = min(max((len(host) for host in hosts), default=0), 24)

    def host(self, name):
        return f"{name:<{self.width}}  " if self.several else ""

    def hosts(self, events):
        if not self.several:
            return ""
        found = list(dict.fromkeys(event["host"] for event in events))
        return f"{names(found):<{self.width}}  "


def tell(events, view):
    lines = []
    for shape, teller in (("experiment", experiment), ("steady_state", steady_state), ("observation", observation), ("fault", fault),
                          ("recovery", recovery), ("entry", activity)):
        mine = [event for event in events if event["shape"] == shape]
        lines += teller(mine, view) if mine else []
    others = [event for event in events if event["shape"] is None]
    return lines + notes(others, view) + failures(others, view) + evidence(others, view)


def alike(events, key):
    groups = {}
    for event in events:
        groups.setdefault(key(event), []).append(event)
    return groups.items()


def experiment(events, view):
    ready = [event["host"] for event in events if event["status"] == "ok"]
    failed = [event for event in events if event["status"] == "failed"]
    lines = []
    if ready:
        lines.append(row("✓", "ready", with_aside(count(len(ready), "host"), names(ready)) if view.several else ready[0], "ok"))
    for msg, group in alike(failed, lambda event: event["msg"]):
        lines.append(row("✗", "not ready", f"{view.hosts(group)}{msg}", "bad"))
    return lines


# Steady states

def labels(event, view):
    use, stage = event["data"].get("use"), event["stage"]
    if stage == "during":
        return ("watched", "deviated") if use == "during" else ("checked", "not met")
    if stage == "after" and use == "within" and view.put_back_at:
        return "recovered", "not recovered"
    return "steady state", "not steady"


def steady_state(events, view):
    lines = []
    good = [event for event in events if event["data"]["met"] is True]
    for (label, subject), group in alike(good, lambda event: (labels(event, view)[0], subject_of(event))):
        text = subject
        if label == "recovered":
            within = group[0]["arguments"].get("within")
            slowest = max(recovery_time(event, view) for event in group)
            text = f"in {duration(slowest)}" + (f" (budget {budget(within)})" if within else "")
        elif label == "watched":
            text = f"{subject}: {window_numbers(group)}"
        lines.append(row("✓", label, with_aside(text, who_and_how_long(group, label, view)), "ok"))
    bad = [event for event in events if event["data"]["met"] is not True]
    for (label, reasons), group in alike(bad, lambda event: (labels(event, view)[1], tuple(state_reasons(event["data"])))):
        unknown = all(event["data"]["met"] is None for event in group)
        mark, label, tone = ("?", "no data", "warn") if unknown else ("✗", label, "bad")
        lines.append(row(mark, label, f"{view.hosts(group)}{subject_of(group[0])}", tone))
        lines += [more(reason, tone) for reason in reasons]
        lines += [more(numbers, tone) for numbers in bad_windows(group, view)]
    return lines


def subject_of(event):
    """The steady state is what its probes see; a watch is what it claims."""
    probes = [str(probe.get("name") or probe.get("kind")) for probe in event["data"].get("probes") or []]
    if event["stage"] == "during" or not probes:
        return state_subject(event["data"])
    return ", ".join(probes) if len(probes) <= 4 else f"{', '.join(probes[:3])} and {len(probes) - 3} more"


def recovery_time(event, view):
    """From all put back to steady again; the look at it begins a little later."""
    told = event["data"]
    lead = seconds_between(view.put_back_at, told["begin"]) or 0.0
    return max(lead + (told.get("recovery_seconds") or 0.0), 0.0)


def who_and_how_long(group, label, view):
    took = {event["host"]: recovery_time(event, view) if label == "recovered" else event["data"].get("seconds") for event in group}
    if not view.several:
        return None if label in ("recovered", "watched") else duration(took.popitem()[1])
    if label == "watched":
        return names(took)
    if len(took) <= 4:
        return " · ".join(f"{host} {duration(seconds)}" for host, seconds in took.items())
    known = [seconds for seconds in took.values() if seconds is not None]
    return f"{count(len(took), 'host')}, {duration(min(known))} to {duration(max(known))}" if known else count(len(took), "host")


def window_numbers(group):
    windows = [probe["window"] for event in group for probe in event["data"].get("probes") or [] if probe.get("window")]
    words = [duration(max((event["data"].get("seconds") or 0 for event in group), default=0))]
    if not windows:
        return words[0]
    samples, met = sum(window["samples"] for window in windows), sum(window["met"] for window in windows)
    same = len({window["samples"] for window in windows}) == 1 and len(windows) > 1
    words.append(f"{len(windows)} × {windows[0]['samples']} samples" if same else count(samples, "sample"))
    words.append(f"{share(met, samples)} met")
    missed = sum(window.get("missed") or 0 for window in windows)
    if missed:
        words.append(f"{missed} missed")
    p95 = [window["p95"] for window in windows if window.get("p95") is not None]
    if p95:
        words.append(f"p95 {'at most ' if len(p95) > 1 else ''}{latency(max(p95))}")
    return ", ".join(words)


def bad_windows(group, view):
    for event in group[:4]:
        for probe in event["data"].get("probes") or []:
            window = probe.get("window")
            if window and probe.get("met") is not True:
                words = f"{view.host(event['host'])}{probe['name']}: {window['met']} of {window['samples']} samples met"
                if window.get("longest_outage"):
                    words += f", longest outage {duration(window['longest_outage'])}"
                if window.get("first_bad"):
                    words += f", first bad at {clock(window['first_bad'])}"
                yield words


def observation(events, view):
    lines = []

    def what(event):
        return event["data"].get("name") or event["task"], event["data"]["met"], tuple(event["data"].get("reasons") or [])

    for (name, met, reasons), group in alike(events, what):
        quiet = group[0]["section"] in ("preflight", "evidence") and group[0]["status"] == "ok"
        if met is True and not quiet:
            took = [event["data"].get("seconds") or 0 for event in group]
            who = f"{names(event['host'] for event in group)}, " if view.several else ""
            lines.append(row("✓", "checked", with_aside(name, who + duration(max(took))), "ok"))
        elif not quiet:
            mark, label, tone = ("✗", "not met", "bad") if met is False else ("?", "no data", "warn")
            lines.append(row(mark, label, f"{view.hosts(group)}{name}{' (ignored)' if group[0]['status'] == 'ok' else ''}", tone))
            lines += [more(reason, tone) for reason in reasons]
    return lines


def activity(events, view):
    """An activity of a foreign experiment."""
    lines = []
    for event in events:
        told, host = event["data"], view.host(event["host"])
        action, name = told["activity"].get("type") == "action", f"{host}{told['activity'].get('name')}"
        took = duration(told.get("duration") or 0)
        if told.get("finding"):
            unknown = told["finding"]["verdict"] == "inconclusive"
            mark, label, tone = ("?", "no data", "warn") if unknown else ("✗", "failed" if action else "not met", "bad")
            lines.append(row(mark, label, name, tone))
            lines += [more(reason, tone) for reason in told["finding"]["reasons"]]
        elif told.get("dry"):
            lines.append(row("○", "would do", name, "fault" if action else "dim"))
            lines += planned(told["fault"], host)[1:] if told.get("fault") else []
        elif fault_in(event) and still_there(fault_in(event)):
            lines.append(row("▼", "action", with_aside(f"{name}; back by {clock(told['fault']['ends'])} at the latest", took), "fault"))
        elif action:
            undone = told["section"] == "rollbacks"
            lines.append(row("✓" if undone else "▼", "rolled back" if undone else "action", with_aside(name, took), "ok" if undone else "fault"))
        else:
            lines.append(row("✓", "checked" if "tolerance_met" in told else "seen", with_aside(name, took), "ok"))
        if told.get("covered") is False and told["section"] == "method":
            lines.append(more(f"without a way back of ours: {told['uncovered_because']}", "warn"))
    return lines


# Faults and their end

def fault(events, view):
    lines = []
    for event in events:
        told, host = event["data"], view.host(place(event))
        if event["status"] == "failed":
            headline = "NOT RESTORED" if told.get("begin") and not told.get("end") else "not injected"
            lines.append(row("✗", headline, f"{host}{told['claim']}", "bad"))
            lines += [more(line, "bad") for line in lines_of(event["msg"])]
        elif told.get("state") == "planned":
            lines += planned(told, host)
        elif still_there(told):
            lines.append(in_place(event, host))
        elif told.get("end"):
            lines.append(ended(told, host))
        else:
            lines.append(row("✓", "restored", f"{host}{told['claim']}: nothing was in place", "ok"))
    same = {(event["data"].get("kind"), event["data"].get("action"), event["data"].get("verified")) for event in events}
    plain = all(event["status"] == "ok" and still_there(event["data"]) for event in events)
    return [summed_up(events)] if len(events) > MANY and plain and len(same) == 1 else lines


def deed(told):
    return PAST.get(told.get("action"), told.get("action") or "in place")


def planned(told, host):
    lines = [row("○", "would hit", f"{host}{told['claim']}: {told.get('action') or told['kind']} for {budget(told['duration'])}", "fault")]
    lines += [more(f"target    {told['target']}", "plain")] if told.get("target") else []
    lines += [more(f"inject    {command}", "plain") for command in told.get("inject") or []]
    return lines + [more(f"way back  {command}", "plain") for command in told.get("revert") or []]


def in_place(event, host):
    told = event["data"]
    words = f"{host}{thing(told)} {deed(told)}{'' if event['changed'] else ' already'}; back by {clock(told['ends'])} at the latest"
    if told.get("verified"):
        return row("▼", "fault", with_aside(words, f"verified: {told.get('effect')}"), "fault")
    return row("▼", "fault", with_aside(words, "no effect measured"), "warn")


def summed_up(events):
    told = events[0]["data"]
    latest = max(event["data"]["ends"] for event in events)
    effect = "verified on all of them" if told.get("verified") else "no effect measured"
    words = f"{told.get('kind')} {deed(told)} on {len(events)} hosts; back by {clock(latest)} at the latest"
    return row("▼", "fault", with_aside(words, effect), "fault" if told.get("verified") else "warn")


def thing(told):
    """The thing as a person would point at it; its claim, where it was not looked at."""
    return told.get("target") or told["claim"]


def ended(told, host, proven=False):
    by = ENDED_BY.get(told.get("ended_by"), told.get("ended_by") or "somebody")
    took = seconds_between(told.get("begin"), told.get("end"))
    after = "" if took is None else f" after {duration(max(took, 0.0))}"
    return row("✓", "restored", f"{host}{thing(told)}{after}, ended by {by}{', proven' if proven else ''}", "ok")


def recovery(events, view):
    lines, restored = [], []
    for event in events:
        told, host = event["data"], view.host(place(event))
        if not told["restored"]:
            lines.append(row("✗", "NOT RESTORED", f"{host}{told['residue'][0] if told.get('residue') else event['msg']}", "bad"))
            lines += [more(f"{' ' * len(host)}{residue}", "bad") for residue in (told.get("residue") or [])[1:]]
        else:
            restored += [(host, one) for one in told.get("faults") or [] if one.get("end") and one.get("begin")]
        lines += [row("·", "noticed", f"{host}{note}", "dim") for note in told.get("notes") or []]
    if len(restored) > MANY:
        restored_hosts = {host for host, fault in restored}
        return [row("✓", "restored", f"{count(len(restored), 'fault')} on {count(len(restored_hosts), 'host')}, proven", "ok")] + lines
    return [ended(one, host, proven=True) for host, one in restored] + lines


# Tasks that are not ours: only failures are worth a word

def notes(events, view):
    lines = []
    for text, group in alike([event for event in events if event.get("said")], lambda event: said_by(event["said"])):
        first, *rest = text.splitlines() or [""]
        lines.append(row("·", "note", f"{view.hosts(group)}{first}", "plain"))
        lines += [more(line, "plain") for line in rest]
    return lines


def said_by(said):
    if isinstance(said, list):
        return "\n".join(plain(line) for line in said)
    if isinstance(said, dict):
        return "\n".join(f"{key}: {plain(value)}" for key, value in said.items())
    return plain(said)


def plain(value):
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def failures(events, view):
    lines = []
    lost = [event for event in events if event["status"] == "unreachable"]
    for (task, msg), group in alike([dict(event, host=place(event)) for event in lost], lambda event: (event["task"], event["msg"])):
        lines.append(row("✗", "unreachable", f"{view.hosts(group)}{task}{' (ignored)' if group[0]['ignored'] else ''}", "bad"))
        lines += [more(line, "bad") for line in lines_of(msg, 4)]
    failed = [event for event in events if event["status"] == "failed"]
    for (task, item, details), group in alike(failed, lambda event: (event["task"], event["item"], tuple(detail_of(event)))):
        ignored = group[0]["ignored"]
        tone = "warn" if ignored else "bad"
        label = "not ready" if group[0]["section"] == "preflight" else "failed"
        lines.append(row("✗", label, f"{view.hosts(group)}{task}{f' [{item}]' if item else ''}{' (ignored)' if ignored else ''}", tone))
        lines += [more(line, tone) for line in details]
        if group[0].get("where"):
            lines.append(more(f"at {group[0]['where']}", "dim"))
    return lines


def detail_of(event):
    if event["censored"]:
        return ["what it said is hidden (no_log)"]
    output = event["output"] or {}
    lines = lines_of(event["msg"])
    for key in ("stderr", "module_stderr", "module_stdout", "stdout"):
        told = [line for line in lines_of(output.get(key), 5) if line not in lines]
        if told:
            return lines + [f"{key}: {line}" for line in told]
    return lines


def evidence(events, view):
    gathered = [event for event in events if event["section"] == "evidence" and event["status"] == "ok" and event["output"]]
    return [row("·", "evidence", f"{view.hosts(gathered)}{gathered[0]['task']}", "dim")] if gathered else []
