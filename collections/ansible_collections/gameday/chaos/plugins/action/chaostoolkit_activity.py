# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the pauses of an activity on the controller, so that nothing begins after a controller has died in one; the rest is done on the host."""

from __future__ import annotations

import multiprocessing
import os
import time

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.gameday.chaos.plugins.module_utils.chaostoolkit_activity import finding, is_dry, pauses, perform
from ansible_collections.gameday.chaos.plugins.module_utils.chaostoolkit_process import Failed


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _supports_async = True

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        activity, section = arguments.get("activity") or {}, arguments.get("section", "method")
        try:
            before, after = pauses(activity, arguments.get("configuration") or {}, arguments.get("secrets") or {})
        except Failed as problem:
            return dict(result, **self.not_done(activity, section, problem))
        dry = arguments.get("dry") or ("activities" if self._task.check_mode else "")
        if dry == "pause" or is_dry(activity, dry):
            before = after = 0
        background = self._task.async_val and not self._connection.has_native_async
        if background:
            arguments.update(pause_before=before, pause_after=after)
        else:
            self.pause(before)
        result.update(self._execute_module(module_args=arguments, task_vars=task_vars, wrap_async=background))
        if not background:
            self._remove_tmp_path(self._connection._shell.tmpdir)
            self.pause(0 if result.get("skipped") else after)
        return result

    @staticmethod
    def pause(seconds):
        """A worker that has lost its controller does nothing more."""
        controller, end = multiprocessing.parent_process(), time.monotonic() + seconds
        while True:
            if controller and os.getppid() != controller.pid:
                raise AnsibleError("the controller has died")
            if time.monotonic() >= end:
                return
            time.sleep(min(0.2, max(end - time.monotonic(), 0)))

    @staticmethod
    def not_done(activity, section, problem):
        def refuse():
            raise problem

        entry = perform(activity, refuse)
        entry.update(covered=None, uncovered_because=None, fault=None, section=section, finding=None)
        entry["finding"] = finding(entry, section)
        return {"failed": bool(entry["finding"]), "changed": False, "entry": entry, "msg": str(problem)}
