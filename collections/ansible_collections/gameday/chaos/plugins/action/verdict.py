# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The last task of an experiment: judge all of it, over all hosts, and fail unless it passed, so that nothing can hide a failure."""

from __future__ import annotations

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.gameday.chaos.plugins.plugin_utils import clocks, verdict

TIMED = ("before", "failure", "recover", "after", "load", "impact")


class ActionModule(ActionBase):
    TRANSFERS_FILES = False

    def run(self, tmp=None, task_vars=None):
        super().run(tmp, task_vars)
        spec = {"run": {"type": "str", "required": True}, "variable": {"type": "str", "required": True},
                "barrier": {"type": "float", "default": 0}, "maximum_skew": {"type": "float", "default": 0}}
        arguments = self.validate_argument_spec(argument_spec=spec)[1]
        everybody, here = self.phases_by_host(task_vars, arguments), task_vars["inventory_hostname"]
        judged, injected, timings = {}, {}, {}
        for batch in {tuple(phases["batch"]) for phases in everybody.values()}:
            together = {host: phases for host, phases in everybody.items() if tuple(phases["batch"]) == batch}
            found, injected_here = self.of_batch(together)
            judged.update(found)
            injected.update(dict.fromkeys(together, injected_here))
            if here in together:
                timings = self.timings(list(together.values()), arguments)
        judged.update((host, ("errored", "%s was lost (unreachable or failed) before anything was injected there" % host))
                      for host in task_vars["ansible_play_hosts_all"] if host not in task_vars["ansible_play_hosts"] and host not in judged)
        if here not in judged:
            raise AnsibleActionFail("variable: %s registered no phases of run %s in %r; give the run and the variable that they were put into"
                                    % (here, arguments["run"], arguments["variable"]))
        own, reason = judged[here]
        if own == "passed" and arguments["maximum_skew"] and (timings["skew"] or 0) > arguments["maximum_skew"]:
            own, reason = judged[here] = "inconclusive", (
                "the hosts were not hit together: %.2f s lay between the first and the last, and experiment_maximum_skew is %g s"
                % (timings["skew"], arguments["maximum_skew"]))
        own_verdicts = {host: one for host, (one, why) in judged.items()}
        overall = verdict.worst(own_verdicts.values())
        if own == "passed" and overall != "passed":
            culprit = next(host for host, one in own_verdicts.items() if one == overall)
            reason = "passed here, but %s on %s: %s" % (overall, culprit, judged[culprit][1])
        result = {"verdict": overall, "reason": reason, "host": own, "run": arguments["run"], "hosts": own_verdicts, "timings": timings,
                  "restored": "not_restored" not in own_verdicts.values()}
        failed = own != "passed" or not injected[here]
        return {"changed": False, "failed": failed, "msg": "%s: %s" % (own, reason), "verdict": result}

    @staticmethod
    def of_batch(phases):
        """The verdicts of hosts that were broken and watched together, and whether anything was broken."""
        injected = any(verdict.has_effect(one) or verdict.is_lost(one) for one in phases.values())
        observed = any(verdict.steady(one.get("before")) or (one.get("account") or {}).get("observed") for one in phases.values())
        unsteady = next((one["why"] for one in phases.values() if one.get("why")), "")
        return {host: verdict.of_host(one, unsteady, injected, observed) for host, one in phases.items()}, injected

    @staticmethod
    def timings(phases, arguments):
        return dict(verdict.timings(phases), skew=verdict.skew(phases) if arguments["barrier"] else None)

    @staticmethod
    def phases_by_host(task_vars, arguments):
        """What each host of this run registered of its phases, on the controller's clock; of one that is gone, what is known of them."""
        found, again = {}, {}
        for host in task_vars["ansible_play_hosts_all"]:
            known = task_vars["hostvars"].get(host) or {}
            phases = known.get(arguments["variable"]) or {}
            gate = known.get("__experiment_gate") or {}
            gone = host not in task_vars["ansible_play_hosts"]
            if phases.get("run") != arguments["run"] and gone and gate.get("run") == arguments["run"] and gate.get("go"):
                phases = {"run": arguments["run"], "injected": True, "batch": gate["batch"], "before": known.get("__experiment_before"),
                          "failure": {"task": "it was lost", "result": {"lost": True, "msg": "unreachable, or failed"}},
                          "recover": known.get("__experiment_recover") or {"lost": True, "msg": "it cannot be reached"}}
            if phases.get("run") == arguments["run"]:
                offset = clocks.offset_of((known.get("__experiment_clock") or {}).get("clock"))
                told = {key: clocks.corrected(one, offset) if key in TIMED else one for key, one in phases.items()}
                found[host] = {"batch": [host], **told}
            again.update((one["item"], one) for one in (known.get("__experiment_again") or {}).get("results") or () if "item" in one)
        for host, result in again.items():
            if host in found and found[host].get("recover", {}).get("lost"):
                clock = (task_vars["hostvars"].get(host) or {}).get("__experiment_clock") or {}
                found[host].update(recover=clocks.corrected(dict(result), clocks.offset_of(clock.get("clock"))),
                                   failure=found[host].get("failure") or {"task": "Put everything back, and prove it", "result": found[host]["recover"]})
        return found
