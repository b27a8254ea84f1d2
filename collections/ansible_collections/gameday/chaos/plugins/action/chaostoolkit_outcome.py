# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the activities of a foreign method, or of its rollbacks, amount to; fails as the worst of them demands."""

from __future__ import annotations

from ansible.plugins.action import ActionBase
from ansible_collections.gameday.chaos.plugins.plugin_utils.observer import iso_now
from ansible_collections.gameday.chaos.plugins.plugin_utils.verdict import worst


class ActionModule(ActionBase):
    TRANSFERS_FILES = False

    def run(self, tmp=None, task_vars=None):
        super().run(tmp, task_vars)
        spec = {"results": {"type": "list", "elements": "dict", "default": []}, "looks": {"type": "list", "elements": "dict", "default": []},
                "dry": {"type": "str", "default": ""}, "expected": {"type": "int"}}
        arguments = self.validate_argument_spec(argument_spec=spec)[1]
        outcome = weigh(arguments["results"], arguments["looks"], arguments["dry"], arguments["expected"])
        result = {"changed": False, "outcome": outcome, "failed": bool(outcome["verdict"])}
        if outcome["verdict"]:
            result["msg"] = " | ".join(outcome["reasons"])
        if outcome["verdict"] in ("deviated", "inconclusive"):
            result["observation"] = {"kind": "chaostoolkit", "name": outcome["what"], "at": iso_now(), "seconds": 0.0,
                                     "met": False if outcome["verdict"] == "deviated" else None, "reasons": outcome["reasons"], "value": None}
        return result


def weigh(results, looks, dry, expected=None):
    """C(acted) and C(observed) are the names of actions that were done and of probes that were judged."""
    entries = [result["entry"] for result in results if isinstance(result.get("entry"), dict)]
    found = [dict(entry["finding"], what=entry["activity"].get("name")) for entry in entries if entry.get("finding")]
    for result in results:
        if "entry" not in result and not result.get("skipped"):
            found.append({"verdict": "errored", "what": "an activity", "reasons": [str(result.get("msg") or "it gave no result")]})
    if expected is not None and len(entries) + sum(bool(result.get("skipped")) for result in results) < expected:
        found.append({"verdict": "errored", "what": "the method", "reasons": ["not all of its activities have ended"]})
    states = [look["steady_state"] for look in looks if isinstance(look.get("steady_state"), dict)]
    for state in states:
        if state["met"] is not True:
            found.append({"verdict": "deviated" if state["met"] is False else "inconclusive",
                          "what": {"during": "hypothesis during the method", "after": "hypothesis after the method"}.get(state.get("look"), "hypothesis"),
                          "reasons": state.get("reasons") or ["no reason given"]})
    for look in looks:
        if "steady_state" not in look and not look.get("skipped"):
            found.append({"verdict": "errored", "what": "the hypothesis", "reasons": [str(look.get("msg") or "it could not be looked at")]})
    if dry in ("probes", "activities"):
        found.append({"verdict": "inconclusive", "what": "dry run", "reasons": ["no probe was run (chaostoolkit_dry: %s)" % dry]})
    verdict = worst((one["verdict"] for one in found), None)
    first = next((one for one in found if one["verdict"] == verdict), {})
    done = [entry for entry in entries if not entry.get("dry")]
    after = next((state for state in states if state.get("look") == "after"), {"met": True, "probes": []})
    errored = any(probe["entry"]["status"] == "failed" for probe in after["probes"])
    skipped = any(result.get("skipped") for result in results)
    return {
        # as Chaos Toolkit would say, for its own strategies of rollbacks
        "status": "failed" if errored or (skipped and after["met"] is True) else "completed", "deviated": after["met"] is not True,
        "verdict": verdict, "what": first.get("what"),
        "reasons": ["%s: %s" % (one["what"], "; ".join(one["reasons"])) for one in sorted(found, key=lambda one: one["verdict"] != verdict)],
        "acted": [entry["activity"].get("name") for entry in done if entry["activity"].get("type") == "action" and not entry.get("finding")],
        "observed": [entry["activity"].get("name") for entry in done if "tolerance_met" in entry] + [state["title"] for state in states if state["probes"]],
    }
