# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long each task took, for the benchmark: times of single tasks, not of the whole run."""
from __future__ import annotations

DOCUMENTATION = """
name: task_times
type: aggregate
short_description: Writes how long each task took, for the benchmark
description:
  - One line of JSON for each ended task, with its name, seconds and result, is appended to the file that E(BENCH_TASKS) names.
"""

import json
import os
import time

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "task_times"

    def v2_runner_on_start(self, host, task):
        self.began = time.perf_counter()

    def v2_runner_on_ok(self, result):
        self.ended(result, False)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self.ended(result, True)

    def ended(self, result, failed):
        seconds = time.perf_counter() - self.began
        line = {"name": result.task.get_name(), "seconds": seconds, "failed": failed, "result": result.result}
        with open(os.environ["BENCH_TASKS"], "a", encoding="utf-8") as target:
            target.write(json.dumps(line, default=str) + "\n")
