# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the journal of an experiment while it runs."""

from __future__ import annotations

DOCUMENTATION = r"""
name: journal
type: aggregate
short_description: Write the journal of a chaos experiment
version_added: 0.1.0
author: Gameday (@gameday)
description:
  - Writes one JSON file for an experiment with all its hosts, C(<name>-<YYYYMMDD-HHMMSS>.json), the time being the start in UTC.
  - An experiment begins with M(gameday.chaos.preflight), as in the role P(gameday.chaos.experiment#role). A play that uses the fault or
    probe modules without the role is an experiment, too, named by the file of the playbook. Playbooks without any get no journal.
  - The file is there from the first task on, and is replaced whenever something happened. When the controller is killed it says so,
    by C(status) C(interrupted); C(verdict) is C(not_restored) when a fault was in place and else C(errored), and all events up to
    the end are next to it in C(.events.jsonl).
  - Its first twelve keys are those of Chaos Toolkit's journal, so that C(chaos report) renders it. Entries have C(host) in addition.
    All times are ISO 8601 in UTC, all durations seconds.
  - C(verdict) is C(passed), C(deviated), C(inconclusive), C(errored) or C(not_restored), and C(reason) says why in one line.
  - C(hosts) has the verdict of every host, whether it is restored and whether it was lost.
  - C(faults) has every fault with its true begin and end on its host and what ended it (C(ended_by)).
  - C(timings) has C(impact) (the fault's effect to the first bad answer), C(detection) (the fault's effect to the first alert that the method saw
    fire), C(recovery) (all put back to steady again), C(outage) (the fault's effect to steady again) and C(duration) of the whole; null where it cannot
    be told.
  - C(restored) is true when all that was broken is proved to be back, or nothing was broken, false when something is known to be
    broken, and null when nobody knows.
  - C(findings) lists all that speaks against C(passed), C(evidence) what was gathered in rescue, C(errors) the tasks that failed.
  - C(run) and C(rollbacks) are sorted by where a task stands, in the role's phases, or in the C(always) list of a block; not by names.
  - Secrets are left out. Results of tasks with C(no_log) keep only their name and status, values of headers such as C(Authorization), of
    keys such as C(password) or C(token) and credentials in URLs are replaced by C(***).
requirements:
  - enable in configuration
options:
  directory:
    description:
      - Where journals are written. Created if it is missing. A relative path is relative to the current directory.
      - Where it cannot be written to, a warning says so before anything is broken, and the experiment goes on without a journal.
    type: str
    default: reports
    env:
      - name: GAMEDAY_REPORTS
    ini:
      - section: gameday
        key: reports
  preview:
    description: Write a journal in check mode, too. Its experiment says C(dry).
    type: bool
    default: false
    env:
      - name: GAMEDAY_JOURNAL_PREVIEW
    ini:
      - section: gameday
        key: journal_preview
"""

EXAMPLES = r"""
ansible.cfg: |
  [defaults]
  callbacks_enabled = gameday.chaos.journal
  [gameday]
  reports = reports
"""

import atexit
import functools
import os

from ansible import context
from ansible.plugins.callback import CallbackBase
from ansible_collections.gameday.chaos.plugins.plugin_utils.chronicle import Chronicle
from ansible_collections.gameday.chaos.plugins.plugin_utils.journal_file import JournalFile
from ansible_collections.gameday.chaos.plugins.plugin_utils.observer import Observer


def never_raises(method):
    """A journal that cannot be written must not keep a play from putting things back."""

    @functools.wraps(method)
    def guarded(self, *args, **kwargs):
        try:
            return method(self, *args, **kwargs)
        except Exception as error:
            self.give_up(f"{type(error).__name__}: {error}")

    return guarded


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "gameday.chaos.journal"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self):
        super().__init__()
        self.observer = Observer(check=bool(context.CLIARGS.get("check")))
        self.chronicle = Chronicle()
        self.files = {}
        self.warned = False
        self.pid = os.getpid()
        # After SIGINT nothing but this is called any more. Not in the workers, which are forks of this process.
        atexit.register(self.interrupted)

    def give_up(self, problem):
        if not self.warned:
            self.warned = True
            self._display.warning(f"The journal of this experiment could not be written: {problem}")

    def record(self, event):
        if event:
            for experiment in self.chronicle.feed(event):
                self.write(experiment)

    def write(self, experiment):
        if experiment not in self.files:
            self.files[experiment] = self.new_file(experiment)
        file = self.files[experiment]
        if file is None:
            return
        if experiment.closed:
            file.close()
        else:
            new = [event for event in file.append() if matters(event)]
            if new:
                file.snapshot(urgent=any(event.get("shape") in ("fault", "entry", "recovery") for event in new))

    def new_file(self, experiment):
        if experiment.check and not self.get_option("preview"):
            return None
        directory = os.path.abspath(os.path.expanduser(self.get_option("directory")))
        try:
            return JournalFile(directory, experiment)
        except OSError as error:
            self.warned = True
            self._display.warning(f"No journal of this experiment is written: {directory} cannot be written: {error.strerror or error}. "
                                  "Set GAMEDAY_REPORTS, or reports in section [gameday] of ansible.cfg, to a directory that can be.")
            return None

    @never_raises
    def interrupted(self):
        if os.getpid() == self.pid:
            for experiment in self.chronicle.close_all("interrupted"):
                self.write(experiment)

    @never_raises
    def v2_playbook_on_start(self, playbook):
        self.record(self.observer.playbook(playbook))

    @never_raises
    def v2_playbook_on_play_start(self, play):
        self.record(self.observer.play(play))

    @never_raises
    def v2_runner_on_start(self, host, task):
        self.record(self.observer.started(host, task))

    @never_raises
    def v2_runner_on_ok(self, result):
        self.record(self.observer.result(result, "ok"))

    @never_raises
    def v2_runner_on_failed(self, result, ignore_errors=False):
        self.record(self.observer.result(result, "failed", ignore_errors))

    @never_raises
    def v2_runner_on_unreachable(self, result):
        self.record(self.observer.result(result, "unreachable"))

    @never_raises
    def v2_runner_on_skipped(self, result):
        self.record(self.observer.result(result, "skipped"))

    @never_raises
    def v2_runner_item_on_ok(self, result):
        self.record(self.observer.item(result, "ok"))

    @never_raises
    def v2_runner_item_on_failed(self, result):
        self.record(self.observer.item(result, "failed"))

    @never_raises
    def v2_runner_item_on_skipped(self, result):
        self.record(self.observer.item(result, "skipped"))

    @never_raises
    def v2_playbook_on_stats(self, stats):
        self.record(self.observer.stats(stats))


def matters(event):
    """Whether the journal on disk should know at once."""
    if event["what"] == "started":
        return event["section"] == "method"  # it may break something, and then never be heard of again
    return event["what"] != "result" or bool(event["shape"]) or event["status"] in ("failed", "unreachable")
