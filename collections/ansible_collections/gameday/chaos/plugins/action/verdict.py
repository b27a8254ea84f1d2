# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The last task of an experiment: judge all of it, over all hosts, and fail unless it passed, so that nothing can hide a failure."""

from __future__ import annotations

from ansible.plugins.action import ActionBase
from ansible_collections.gameday.chaos.plugins.plugin_utils import verdict


class ActionModule(ActionBase):
    TRANSFERS_FILES = False

    def run(self, tmp=None, task_vars=None):
        super().run(tmp, task_vars)
        spec = {"run": {"type": "str", "required": True}, "variable": {"type": "str", "required": True}}
        arguments = self.validate_argument_spec(argument_spec=spec)[1]
        phases = self.phases_by_host(task_vars, arguments)
        lost = [host for host in task_vars["ansible_play_hosts_all"]
                if host not in task_vars["ansible_play_hosts"] and host not in phases]
        injected = any(verdict.has_effect(one) for one in phases.values())
        unsteady = self.unsteady(phases, lost)
        observed = any(verdict.steady(one.get("before")) or (one.get("account") or {}).get("observed") for one in phases.values())
        judged = {host: verdict.of_host(one, unsteady, injected, observed) for host, one in phases.items()}
        judged.update((host, ("not_restored" if injected else "errored", "%s was lost (unreachable or failed)" % host)) for host in lost)
        own, reason = judged[task_vars["inventory_hostname"]]
        own_verdicts = {host: one for host, (one, why) in judged.items()}
        overall = verdict.worst(own_verdicts.values())
        if own == "passed" and overall != "passed":
            culprit = next(host for host, one in own_verdicts.items() if one == overall)
            reason = "passed here, but %s on %s: %s" % (overall, culprit, judged[culprit][1])
        result = {"verdict": overall, "reason": reason, "host": own, "run": arguments["run"],
                  "hosts": own_verdicts, "timings": verdict.timings(list(phases.values())),
                  "restored": "not_restored" not in own_verdicts.values()}
        failed = own != "passed" or not injected
        return {"changed": False, "failed": failed, "msg": "%s: %s" % (own, reason), "verdict": result}

    @staticmethod
    def phases_by_host(task_vars, arguments):
        """What each host of this run registered of its phases."""
        found = {}
        for host in task_vars["ansible_play_hosts_all"]:
            known = task_vars["hostvars"].get(host) or {}
            phases = known.get(arguments["variable"]) or {}
            if phases.get("run") == arguments["run"]:
                found[host] = phases
        return found

    @staticmethod
    def unsteady(phases, lost):
        """In words, why nothing was injected anywhere: a host that was not steady, or one that was lost before."""
        names = [host for host, one in phases.items() if (verdict.steady(one.get("before")) or {"met": True}).get("met") is not True]
        if names:
            return "%s was not steady before" % ", ".join(names)
        held_back = not any(one.get("injected") for one in phases.values())
        return "%s could not be reached, or was refused" % ", ".join(lost) if lost and held_back else ""
