# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which event belongs to which experiment. A playbook may hold several, one after the other; a play without the role is one, too."""

from __future__ import annotations

import os
import platform
import re

from ansible_collections.gameday.chaos.plugins.plugin_utils.clocks import corrected, offset_of
from ansible_collections.gameday.chaos.plugins.plugin_utils.observer import iso_now

TIMED = ("entry", "fault", "observation", "steady_state", "recovery")  # shapes with instants by the clock of the host
MANUAL = "manual"  # the run of a fault module that was not told one


def slug(text):
    return re.sub(r"[^A-Za-z0-9_-]+", "_", str(text))[:100].strip("_-").lower() or "experiment"


def place(event):
    """The host on which the task did its work."""
    return event.get("delegate") or event["host"]


def still_there(fault):
    return fault.get("state") == "present" and not fault.get("end")


def recovery_in(event):
    """What put faults back: recover, or a stop condition in the middle of a watch."""
    return event["data"] if event["shape"] == "recovery" else event["data"].get("recovery") if event["shape"] == "steady_state" else None


def fault_in(event):
    """The fault that a module of ours injected, or that an activity of a foreign experiment did."""
    return event["data"] if event["shape"] == "fault" else event["data"].get("fault") if event["shape"] == "entry" else None


class Experiment:
    def __init__(self, begin):
        self.events = [begin]
        self.run = begin["run"]
        self.by_role = begin["by_role"]
        self.name = begin["name"]
        self.title = begin["title"]
        self.check = begin["check"]
        self.play = begin["play_uuid"]
        self.hosts = set(begin["hosts"])
        self.in_place = {}
        self.broke_something = False
        self.put_back_at = None
        self.judged, self.told = set(), set()  # hosts that judged themselves; hosts of which a verdict was told, perhaps by others
        self.lost = set()
        self.clocks = {}
        self.closed = False

    def add(self, event):
        if event["what"] == "result":
            self.correct(event)
            self.note(event)
        self.events.append(event)

    def correct(self, event):
        """From the clock of the host to that of the controller, where they are known to differ: all times of a journal are comparable."""
        if event["shape"] == "clock":
            self.clocks[place(event)] = offset_of(event["data"])
        elif event["shape"] in TIMED:
            event["data"] = corrected(event["data"], self.clocks.get(place(event), 0.0))

    def note(self, event):
        """Keep in mind what is in place, and so what a look at the steady state is a look at."""
        shape, host = event["shape"], place(event)
        event["stage"] = self.stage(event)
        if event["status"] == "unreachable" and not event["ignored"]:
            self.lost.add(place(event))
        if fault_in(event):
            self.take(host, fault_in(event))
        elif recovery_in(event):
            for fault in recovery_in(event).get("faults") or []:
                self.take(host, fault)
            if recovery_in(event)["restored"] and not self.check:
                self.in_place = {key: fault for key, fault in self.in_place.items() if key[0] != host}
        elif shape == "verdict":
            self.judged.add(event["host"])
            self.told |= {event["host"], *(event["data"].get("hosts") or ())}

    def take(self, host, fault):
        if still_there(fault):
            self.in_place[host, fault["claim"]] = fault
            self.broke_something = True
        else:
            self.in_place.pop((host, fault["claim"]), None)
            if fault.get("begin") and fault.get("end"):
                self.put_back_at = max(fault["end"], self.put_back_at or "")
            self.broke_something = self.broke_something or bool(fault.get("begin"))

    def stage(self, event):
        if event["by_role"]:
            early, late = ("preflight", "before"), ("recover", "after", "verdict")
            return "before" if event["section"] in early else "after" if event["section"] in late else "during"
        if not self.broke_something:
            return "before"
        return "after" if event["section"] == "recover" or not self.in_place else "during"

    @property
    def settled(self):
        return bool(self.judged) and self.hosts - self.lost <= self.judged

    def close(self, how):
        self.closed = True
        self.events.append({"what": "end", "at": iso_now(), "how": how})


class Chronicle:
    def __init__(self):
        self.file = ""
        self.play = {"play": "", "uuid": None, "check": False}
        self.experiments = []
        self.of_host = {}
        self.current = None

    def feed(self, event):
        """Takes an event; returns the experiments that it changed."""
        handler = getattr(self, "on_" + event["what"], None)
        return handler(event) if handler else []

    @property
    def open(self):
        return [one for one in self.experiments if not one.closed]

    def on_playbook(self, event):
        closed = self.close_all("finished")
        self.file = event["file"]
        return closed

    def on_play(self, event):
        again = event["uuid"] == self.play["uuid"]  # the next batch of a play with serial
        self.play = event
        current = self.current
        if current is None or again:
            return []
        if current.by_role:
            if current.settled:
                self.leave(current)
            return []
        return [] if current.in_place else self.close(current, "finished")

    def on_started(self, event):
        experiment = self.of_host.get(event["host"]) or self.current
        if experiment is None:
            return []
        experiment.add(event)
        return [experiment]

    def on_result(self, event):
        changed = []
        experiment = self.belongs_to(event)
        if experiment is None and event["shape"] not in (None, "clock", "recovery"):  # who only puts things back tries nothing
            experiment = self.begin(event)
        if experiment is None:
            return changed
        if event["shape"]:
            changed += self.move(event["host"], experiment)
        experiment.add(event)
        return changed + [experiment]

    def on_stats(self, event):
        return self.close_all("finished")

    def belongs_to(self, event):
        shape, data = event["shape"], event["data"] or {}
        known = next((one for one in self.open if one.run == data.get("run")), None)
        if known or shape == "experiment":
            return known
        mine = self.of_host.get(event["host"], self.current)
        if mine:
            return mine
        # A last play that puts things back, or a failure on the way there, belongs to what went before.
        before = self.open[-1] if self.open else None
        return before if before and (shape == "recovery" or (shape is None and before.in_place)) else None

    def begin(self, event):
        data, by_role = event["data"], event["shape"] == "experiment"
        name = slug(data.get("name") or data.get("title") if by_role else os.path.splitext(os.path.basename(self.file))[0])
        title = data.get("title") if by_role else self.play["play"]
        stamp = re.sub(r"\D", "", event["start"])[:14]
        run = data.get("run") if data.get("run") != MANUAL else None
        experiment = Experiment({
            "what": "begin", "at": event["start"], "name": name, "title": title or name, "by_role": by_role,
            "run": str(run or f"{name}-{stamp[:8]}-{stamp[8:]}"), "hosts": [str(host) for host in data.get("hosts") or []],
            "play_uuid": self.play["uuid"], "play": self.play["play"], "playbook": os.path.basename(self.file), "check": self.play["check"],
            "node": platform.node(), "platform": platform.platform(),
        })
        self.experiments.append(experiment)
        self.current = experiment
        return experiment

    def move(self, host, experiment):
        """A host that goes on to the next experiment has left the one before; the last one out closes it."""
        before = self.of_host.get(host)
        self.of_host[host] = experiment
        experiment.hosts.add(host)
        left = before is not None and before is not experiment and not before.closed and before not in self.of_host.values()
        return self.close(before, "finished") if left else []

    def leave(self, experiment):
        """What comes next is not part of it, unless it says so."""
        self.of_host = {host: one for host, one in self.of_host.items() if one is not experiment}
        self.current = None if self.current is experiment else self.current

    def close(self, experiment, how):
        experiment.close(how)
        self.leave(experiment)
        return [experiment]

    def close_all(self, how):
        return [one for experiment in self.open for one in self.close(experiment, how)]
