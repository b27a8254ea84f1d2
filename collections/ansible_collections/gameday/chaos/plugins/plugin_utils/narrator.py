# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells what happens, as it happens: events in, lines out. Results of one task are told together, however many hosts it has."""

from __future__ import annotations

import os
import shlex
import time

from ansible_collections.gameday.chaos.plugins.plugin_utils import journal
from ansible_collections.gameday.chaos.plugins.plugin_utils.chronicle import Chronicle, still_there
from ansible_collections.gameday.chaos.plugins.plugin_utils.judging import in_words
from ansible_collections.gameday.chaos.plugins.plugin_utils.telling import View, tell
from ansible_collections.gameday.chaos.plugins.plugin_utils.wording import INDENT, Line, clock, count, duration, more, names, row

VERDICTS = {"passed": "ok", "deviated": "bad", "inconclusive": "warn", "errored": "bad", "not_restored": "bad"}
UNDER_WAY = {"before": "checking", "method": "watching", "evidence": "gathering", "recover": "restoring", "after": "recovering"}
MANY_HOSTS = 12
WIDTH = 100


class Narrator:
    def __init__(self, path_of=None, recover_options="", now=time.monotonic):
        self.path_of = path_of or (lambda run: None)
        self.recover_options = recover_options
        self.now = now
        self.chronicle = Chronicle()
        self.play = {}
        self.hosts = set()
        self.waiting = []  # results of the task under way, with their experiments
        self.running = {}  # (task, host) -> (event, since)
        self.begun, self.judged = set(), set()
        self.failed_outside = False
        self.spoke_at = now()

    def feed(self, event):
        what = event["what"]
        lines = self.flush() if what in ("play", "stats") or (what == "task" and not self.play.get("free")) else []
        if what == "started":
            self.running[event["uuid"], event["host"]] = event, self.now()
            self.hosts.add(event["host"])
        elif what == "result":
            self.running.pop((event["uuid"], event["host"]), None)
        elif what == "playbook":
            self.judged, self.failed_outside = set(), False
        touched = self.chronicle.feed(event)
        for experiment in touched:
            if experiment.closed:
                lines += self.judge(experiment)
        if what == "play":
            lines += self.play_begins(event)
        elif what == "result":
            self.waiting.append((touched[-1] if touched else None, event))
            self.failed_outside |= not touched and event["status"] in ("failed", "unreachable") and not event["ignored"]
            lines += self.flush() if self.play.get("free") else []
        elif what == "stats":
            self.running.clear()
            lines += self.recap(event["hosts"])
        return self.spoken(lines)

    def spoken(self, lines):
        if lines:
            self.spoke_at = self.now()
        return lines

    def interrupted(self):
        """The controller is about to end before its time."""
        lines = self.flush()
        for experiment in self.chronicle.close_all("interrupted"):
            lines += self.judge(experiment)
        return lines

    def play_begins(self, event):
        again = event["uuid"] == self.play.get("uuid")
        self.play = event
        if again:
            return []
        self.hosts = set()
        return [Line("", "plain"), Line(f"{event['play'] or 'Play'}{'  [check mode]' if event['check'] else ''}", "head")]

    def flush(self):
        waiting, self.waiting = self.waiting, []
        lines = []
        for experiment in dict.fromkeys(experiment for experiment, event in waiting):
            events = sorted((event for mine, event in waiting if mine is experiment), key=lambda event: event["host"])
            if experiment and experiment not in self.begun:
                self.begun.add(experiment)
                lines += self.header(experiment)
            lines += tell(events, self.view(experiment))
            # With serial, or where hosts do not wait for each other, the others are still to come: the end of the experiment tells.
            if experiment and experiment.hosts <= experiment.told and any(event["shape"] == "verdict" for event in events):
                lines += self.judge(experiment)
        return lines

    def view(self, experiment):
        if experiment is None:
            return View(self.hosts)
        return View(self.hosts | experiment.hosts, experiment.put_back_at)

    def header(self, experiment):
        if not experiment.by_role:
            return []
        if experiment.title == self.play.get("play"):
            return [Line(f"  run {experiment.run}", "dim")]
        return [Line("", "plain"), Line(f"{experiment.title:<{max(len(experiment.title), 64)}}  run {experiment.run}", "head")]

    def progress(self, interval):
        """What to say when nothing was said for so long: what is under way, and since when."""
        now = self.now()
        if now - self.spoke_at < interval:
            return []
        tasks = {}
        for event, since in self.running.values():
            tasks.setdefault(event["uuid"], []).append((event, since))
        lines = []
        for running in tasks.values():
            event, since = min(running, key=lambda pair: pair[1])
            if now - since >= min(interval, 1):
                where = f" on {names((one['host'] for one, begun in running), 3)}" if len(self.hosts) > 1 else ""
                words = f"{event['task']}: {now - since:.0f} s{where}{self.reminder()}"
                lines.append(row("…", UNDER_WAY.get(event["section"], "waiting") if event["by_role"] else "waiting", words, "dim"))
        return self.spoken(lines)

    def reminder(self):
        ends = [fault["ends"] for experiment in self.chronicle.open for fault in experiment.in_place.values() if fault.get("ends")]
        return f"; fault in place until {clock(max(ends))} at the latest" if ends else ""

    # The end

    def judge(self, experiment):
        if experiment in self.judged:
            return []
        self.judged.add(experiment)
        told = journal.build(experiment.events)
        view = View(told["hosts"])
        if experiment.check and told["verdict"] == "passed":
            return self.preview(told)
        verdict = told["verdict"]
        tone = VERDICTS[verdict]
        numbers = timing_words(told["timings"])
        if verdict == "passed":
            lines = [self.headline(verdict, numbers or told["reason"], tone)]
        else:
            first, *rest = self.why(told).split(" | ")
            lines = [self.headline(verdict, first, tone), *(more(reason, tone) for reason in rest)]
            lines += [more(numbers, "plain")] if numbers else []
        if view.several:
            lines += host_lines(told, view)
        if verdict == "not_restored":
            lines += self.way_back(told, view)
        path = self.path_of(experiment.run)
        if path:
            lines.append(more(f"journal {short_path(path)}", "plain"))
        return [Line("", "plain"), *lines]

    @staticmethod
    def why(told):
        """What is still broken is listed below, so it is not said here."""
        listed = [one["host"] for one in told["findings"] if one["verdict"] == "not_restored"]
        if told["verdict"] != "not_restored" or not listed:
            return told["reason"]
        return journal.NOT_FINISHED if told["status"] == "interrupted" else f"on {names(listed)}"

    @staticmethod
    def headline(verdict, text, tone):
        return Line(f"{verdict.replace('_', ' ').upper():<{len(INDENT) - 2}}  {text}".rstrip(), tone)

    def preview(self, told):
        faults = [fault for fault in told["faults"] if fault["state"] == "planned"]
        words = f"{count(len(faults), 'fault')} would be injected; nothing was changed" if faults else "no fault would be injected"
        return [Line("", "plain"), Line(f"{'PREVIEW':<{len(INDENT) - 2}}  {words}", "head")]

    def way_back(self, told, view):
        """What is still broken, and what to type."""
        found = [one for one in told["findings"] if one["verdict"] == "not_restored"]
        left = [fault for fault in told["faults"] if still_there(fault)]
        lines = [row("✗", "still broken", f"{view.host(one['host'])}{in_words(one)}", "bad") for one in found]
        by_hand = [row("→", "put it back", f"on {fault['host']}: {hand(fault)}", "head") for fault in left]
        lines = shortened(lines, "things broken") + shortened(by_hand, "ways back")
        lost = [name for name, one in told["hosts"].items() if one["verdict"] == "not_restored"]
        hosts = list(dict.fromkeys([one["host"] for one in found] + lost))
        runs = {str(fault["run"]) for fault in left if fault.get("run")}
        which = f"run={runs.pop()}" if len(runs) == 1 else "all=true"
        lines.append(more(f"or from here: ansible {','.join(hosts)} {self.recover_options}-m gameday.chaos.recover -a {which}", "head"))
        return lines

    def recap(self, stats):
        """A playbook without an experiment still has an end."""
        bad = {host: sums for host, sums in stats.items() if sums["failures"] or sums["unreachable"]}
        if not stats or (self.judged and not (bad and self.failed_outside)):
            return []
        lines = [Line("", "plain")]
        for host, sums in bad.items():
            shown = (("failures", "failed"), ("unreachable", "unreachable"), ("ok", "ok"))
            numbers = ", ".join(f"{sums[key]} {word}" for key, word in shown if sums[key])
            lines.append(self.headline("failed", f"{host}: {numbers}", "bad"))
        if not bad:
            done, changed = (sum(sums[key] for sums in stats.values()) for key in ("ok", "changed"))
            lines.append(self.headline("done", f"{count(len(stats), 'host')}, {count(done, 'task')} ok, {changed} changed", "ok"))
        return lines


def hand(fault):
    """What a person types on the host."""
    return f"sh {shlex.quote(fault['way_back'])}" if fault.get("way_back") else "; ".join(fault.get("revert") or [])


def timing_words(timings):
    shown = (("hit within", "skew"), ("outage", "outage"), ("first sign after", "impact"), ("detected after", "detection"), ("recovery", "recovery"))
    return " · ".join(f"{words} {duration(timings[name])}" for words, name in shown if timings.get(name) is not None)


def host_lines(told, view):
    """One line for each host, or only for those that did not pass where there are many."""
    hosts = told["hosts"]
    shown = hosts if len(hosts) <= MANY_HOSTS else {host: one for host, one in hosts.items() if one["verdict"] != "passed"}
    lines = []
    for host, one in shown.items():
        tone = VERDICTS.get(one["verdict"], "bad")
        mark = {"ok": "✓", "warn": "?"}.get(tone, "✗")
        reason = one["reason"] if one["reason"] and one["reason"] not in told["reason"] else ""
        words = [one["verdict"].replace("_", " "), "lost" if one["unreachable"] else "", timing_words(one["timings"]), reason]
        lines.append(more(f"{mark} {host:<{view.width}}  {'   '.join(word for word in words if word)}", tone))
    lines = shortened(lines, "more hosts")
    if len(shown) < len(hosts):
        lines.append(more(f"✓ {count(len(hosts) - len(shown), 'other host')} passed", "ok"))
    return lines


def shortened(lines, words):
    if len(lines) <= MANY_HOSTS:
        return lines
    return lines[:MANY_HOSTS] + [more(f"… and {len(lines) - MANY_HOSTS} {words}, see the journal", lines[0].tone)]


def short_path(path):
    relative = os.path.relpath(path)
    return path if relative.startswith("..") else relative
