# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A reservation says who made it, and is taken over from a controller that is known to be dead."""

from __future__ import annotations

import os

from ansible_collections.gameday.chaos.plugins.action.on_host import ActionModule as OnHost
from ansible_collections.gameday.chaos.plugins.plugin_utils import controller


class ActionModule(OnHost):
    def run(self, tmp=None, task_vars=None):
        own = controller.this_process(os.getppid())  # a task is run by a child of ansible-playbook
        self._task.args.setdefault("who", controller.who())
        self._task.args.setdefault("controller", own)
        result = super().run(tmp, task_vars)
        holder = result.get("reservation") if result.get("failed") else None
        if holder and not self._task.args.get("instead_of") and controller.nobody_runs(holder, own):
            self._task.args["instead_of"] = holder["run"]
            result = super().run(tmp, task_vars)
        return result
