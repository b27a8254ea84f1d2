# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
How modules are run on a host. A module that was killed there is said to have been killed; and two more things are different from any other module,
only within the role:

A host that cannot be reached has failed. Ansible skips rescue and always for an unreachable host, and starts no later play when every host of a
play was lost; for a failed one the role goes on, tries it again at the end, and judges it.

A fault with an instant at which to begin is told it in the time of the host's own clock; with experiment_barrier it gets such an instant.
"""

from __future__ import annotations

import copy
import datetime
import re

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action.normal import ActionModule as Normal
from ansible_collections.gameday.chaos.plugins.plugin_utils import clocks
from ansible_collections.gameday.chaos.plugins.plugin_utils.together import Together


class ActionModule(Normal):
    together, asked_by_its_clock = False, False

    def run(self, tmp=None, task_vars=None):
        self.ask_by_its_clock(task_vars)
        problem = self.start_together(task_vars)
        if problem:
            return {"failed": True, "msg": problem}
        try:
            return self.with_a_cure(answered(super().run(tmp, task_vars)))
        except AnsibleConnectionFailure as error:
            if not task_vars.get("experiment_phase") or self._task.ignore_unreachable:
                raise
            return lost(error)

    def with_a_cure(self, result):
        """Who did not choose the instant must not be told to choose another."""
        if self.together and result.get("failed") and str(result.get("msg")).startswith("starts_at:"):
            result["msg"] += ". It is that of experiment_barrier, which was too short for this host: raise it"
        return result

    def ask_by_its_clock(self, task_vars):
        """The units of a host are asked what they did since the experiment began, by the clock of that host."""
        if not task_vars.get("experiment_phase") or self.asked_by_its_clock:
            return
        self.asked_by_its_clock = True  # with until it is run again
        asked = [self._task.args] if self._task.action.endswith("probe_service") else []
        if self._task.action.endswith("steady_state") and isinstance(self._task.args.get("probes"), list):
            self._task.args["probes"] = copy.deepcopy(self._task.args["probes"])
            asked = [probe["probe_service"] for probe in self._task.args["probes"] if isinstance(probe, dict) and isinstance(probe.get("probe_service"), dict)]
        for arguments in asked:
            if arguments.get("since"):
                arguments["since"] = clocks.shifted(arguments["since"], self.offset(task_vars))

    def start_together(self, task_vars):
        """Give a fault its instant; returns what is wrong."""
        arguments = self._task.args
        if not self.is_injection() or task_vars.get("experiment_phase") != "method":
            return None
        barrier = float(self._templar.template(task_vars.get("experiment_barrier")) or 0)
        if barrier > 0 and not arguments.get("starts_at"):
            instant = self.common_instant(barrier, task_vars)
            late = (datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(instant)).total_seconds()
            if late > 0:
                return ("experiment_barrier: %g s were too few, this host was reached %.1f s after the instant at which all were to be hit. Raise it, "
                        "or run with more --forks. Nothing was injected here" % (barrier, late))
            arguments["starts_at"], self.together = instant, True
        if arguments.get("starts_at"):
            arguments["starts_at"] = clocks.shifted(arguments["starts_at"], self.offset(task_vars))
        return None

    def is_injection(self):
        return self._task.action.rpartition(".")[2].startswith("fault_") and self._task.args.get("state", "present") == "present" and not self._task.check_mode

    def common_instant(self, barrier, task_vars):
        """The same for all hosts that come to this task of the method, this often: the first of them has chosen it."""
        together, task = Together(), [task_vars["experiment_run"], self._task.get_path()]
        number = together.times([*task, task_vars["inventory_hostname"]])
        ahead = datetime.timedelta(seconds=barrier)
        return together.once([*task, number], lambda: (datetime.datetime.now(datetime.UTC) + ahead).isoformat(timespec="microseconds"))

    def offset(self, task_vars):
        place = self._task.delegate_to or task_vars["inventory_hostname"]
        known = task_vars["hostvars"].get(place) or {}
        return clocks.offset_of((known.get("__experiment_clock") or {}).get("clock"))


def answered(result):
    """Ansible says of a module that died that what it said cannot be deserialized; whoever reads this wants to know that it died, and of what."""
    if "module_stdout" not in result or "deserialization" not in str(result.get("msg")):
        return result
    said = telling_lines(result.get("module_stderr")) or telling_lines(result["module_stdout"])
    result["msg"] = "the module ended on the host without an answer, with exit code %s%s%s" % (
        result.get("rc"), " (killed)" if result.get("rc") in (137, -9) else "", ": %s" % said[-1] if said else "")
    return result


def telling_lines(text):
    """Without what a shell says of the killed, and ssh at every end."""
    lines = [line.strip() for line in str(text or "").splitlines()]
    return [line for line in lines if line not in ("", "Killed") and not re.fullmatch(r"(Shared connection|Connection) to .* closed\.", line)]


def lost(error):
    """What a module returns of a host that cannot be reached: it has failed, and everybody who reads this knows why."""
    return {"failed": True, "lost": True, "msg": "unreachable: %s" % " ".join(str(error).split())}
