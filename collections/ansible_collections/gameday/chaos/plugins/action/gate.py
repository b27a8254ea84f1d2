# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The last question before anything is broken: is everybody there, and steady?"""

from __future__ import annotations

from ansible.plugins.action import ActionBase
from ansible_collections.gameday.chaos.plugins.plugin_utils import verdict
from ansible_collections.gameday.chaos.plugins.plugin_utils.safety import is_free


class ActionModule(ActionBase):
    TRANSFERS_FILES = False

    def run(self, tmp=None, task_vars=None):
        super().run(tmp, task_vars)
        arguments = self.validate_argument_spec(argument_spec={"run": {"type": "str", "required": True}})[1]
        run, free = arguments["run"], is_free(self._task.play.strategy)
        known = {host: task_vars["hostvars"].get(host) or {} for host in task_vars["ansible_play_hosts_all"]}
        # Not ansible_play_batch: with any_errors_fatal, hosts that go on in a later experiment are no longer in it.
        batch = [host for host, one in known.items() if one.get("experiment_run") == run and one.get("__experiment_before") and not judged(one, run)]
        asked = [task_vars["inventory_hostname"]] if free else batch
        reasons = ["%s was not steady before" % host for host in asked if not verdict.is_ready(known[host]["__experiment_before"])]
        if not free:
            later = set(task_vars["ansible_play_hosts"]) - set(task_vars["ansible_play_batch"])
            reasons += self.missing({host: one for host, one in known.items() if host not in batch}, run, later)
        return {"changed": False, "go": not reasons, "why": "; ".join(reasons), "run": run, "batch": asked}

    @staticmethod
    def missing(others, run, later):
        """Hosts that hold back those which are ready: one of an earlier batch only if it is not restored, one of a later batch not at all."""
        for host, one in others.items():
            told = judged(one, run)
            if told and told["host"] == "not_restored":
                yield "%s, of an earlier batch, is not restored" % host
            elif not told and (one.get("experiment_run") == run or host not in later):
                yield "%s could not be reached, or was refused" % host


def judged(known, run):
    told = (known.get("experiment_verdict") or {}).get("verdict") or {}
    return told if told.get("run") == run else None
