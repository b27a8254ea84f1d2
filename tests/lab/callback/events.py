# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes what tasks start and how they end, one JSON line each, for tests to read while the playbook runs and after it."""
from __future__ import annotations

DOCUMENTATION = r"""
name: events
type: aggregate
short_description: Task results as JSON lines, for the tests
description: Writes to the file that GAMEDAY_TEST_EVENTS names.
"""

import json
import os
import time

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "events"

    def __init__(self):
        super().__init__()
        self.play = ""
        self.file = open(os.environ["GAMEDAY_TEST_EVENTS"], "a", encoding="utf-8")

    def write(self, **event):
        self.file.write(json.dumps({"at": time.time(), "play": self.play, **event}, default=str) + "\n")
        self.file.flush()

    def v2_playbook_on_play_start(self, play):
        self.play = play.get_name()

    def v2_runner_on_start(self, host, task):
        self.write(status="started", host=host.get_name(), task=task.get_name(), action=task.action)

    def ended(self, status, result):
        self.write(
            status=status, host=result.host.get_name(), task=result.task_name, action=result.task.action, result=dict(result.result)
        )

    def v2_runner_on_ok(self, result):
        self.ended("ok", result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self.ended("ignored" if ignore_errors else "failed", result)

    def v2_runner_on_skipped(self, result):
        self.ended("skipped", result)

    def v2_runner_on_unreachable(self, result):
        self.ended("unreachable", result)
