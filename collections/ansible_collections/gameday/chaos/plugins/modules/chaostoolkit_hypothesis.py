#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: chaostoolkit_hypothesis
short_description: Look at the steady-state hypothesis of a Chaos Toolkit experiment
version_added: 0.1.0
description:
  - Runs the probes of the hypothesis on the host, in their order, up to the first that fails or is out of its tolerance.
  - A probe that fails is not met. Where a tolerance cannot judge what a probe gave, nothing can be told, and C(met) is null.
  - Used by the role P(gameday.chaos.chaostoolkit#role).
extends_documentation_fragment:
  - gameday.chaos.chaostoolkit
  - gameday.chaos.attributes.looks
author: Gameday (@gameday)
options:
  title:
    description: The hypothesis in one line.
    type: str
    required: true
  probes:
    description: Its probes as they stand in the file, references resolved, each with a tolerance.
    type: list
    elements: dict
    required: true
  within:
    description: Seconds within which it must be met. The time it took is the recovery time.
    type: float
  until:
    description:
      - Look again and again until there is such a file on the host. All looks are returned, and one that is not met makes it not met.
      - Ends by itself after O(longest).
    type: path
  longest:
    description: Seconds after which O(until) is no longer waited for.
    type: float
    default: 3600
  interval:
    description: Seconds from the end of one look to the next.
    type: float
    default: 1
  mark:
    description: A file that is made on the host as soon as a look with O(until) is not met.
    type: path
  look:
    description: Which look it is, for the journal.
    type: str
    choices: [before, during, after, recovery]
    default: before
"""

EXAMPLES = r"""
- name: Is it steady?
  gameday.chaos.chaostoolkit_hypothesis:
    title: The shop answers
    probes:
      - type: probe
        name: answers
        tolerance: 200
        provider:
          type: http
          url: http://127.0.0.1:8000/health
"""

RETURN = r"""
steady_state:
  description: As of M(gameday.chaos.steady_state). Each probe has its C(entry) as Chaos Toolkit's journal has it, and C(states) are all looks.
  returned: always
  type: dict
"""

import os
import time

from ansible_collections.gameday.chaos.plugins.module_utils import clock
from ansible_collections.gameday.chaos.plugins.module_utils.arguments import ansible_module
from ansible_collections.gameday.chaos.plugins.module_utils.chaostoolkit_activity import (
    OPTIONS,
    dry_entry,
    hide_secrets,
    is_dry,
    judge,
    limits_of,
    perform,
    run_provider,
    shown_arguments,
    without,
)

MOST_LOOKS = 2000  # kept; those that were not met are always among them


class Hypothesis:
    def __init__(self, module):
        self.params, self.limits = module.params, limits_of(module.params)
        # In check mode nothing is run, unless somebody asked for the strategy that leaves out only the actions.
        self.dry = self.params["dry"] or ("activities" if module.check_mode else "")
        self.judged = self.dry not in ("probes", "activities")

    def look(self):
        """One look: [entry], met."""
        entries = []
        configuration, secrets = self.params["configuration"], self.params["secrets"]
        for probe in self.params["probes"]:
            if is_dry(probe, self.dry):
                entry = dry_entry(probe, self.dry)
            else:
                entry = perform(probe, lambda probe=probe: run_provider(probe, configuration, secrets, self.limits))
            met, reasons = judge(entry, configuration, secrets, self.limits) if self.judged or entry["status"] == "failed" else (True, [])
            entry.update(met=met, reasons=reasons, tolerance_met=met is True)
            entries.append(entry)
            if met is not True:
                return entries, met
        return entries, True

    def within(self):
        begin = time.monotonic()
        while True:
            at = time.monotonic()
            entries, met = self.look()
            if met is True or self.params["within"] is None:
                return entries, met, round(at - begin, 6)
            if time.monotonic() + self.params["interval"] > begin + self.params["within"]:
                return entries, met, None
            time.sleep(self.params["interval"])

    def until(self):
        """Every look until there is the file: the worst of them, and all of them."""
        states, worst, end = [], ([], True), time.monotonic() + self.params["longest"]
        while True:
            entries, met = self.look()
            if met is not True or len(states) < MOST_LOOKS:
                states.append({"steady_state_met": met is True, "probes": entries})
            if met is not True and worst[1] is not False:
                worst = entries, met
            elif not worst[0]:
                worst = entries, worst[1]
            if met is not True and self.params["mark"]:
                with open(self.params["mark"], "w"):
                    pass
            again = time.monotonic() + self.params["interval"]
            while not os.path.exists(self.params["until"]):
                if time.monotonic() > min(again, end):
                    break
                time.sleep(min(0.05, self.params["interval"]))
            if os.path.exists(self.params["until"]) or time.monotonic() > end:
                return worst[0], worst[1], states


def described(entry):
    """A probe of the hypothesis, as steady_state tells its own."""
    observation = {"at": entry["start"], "seconds": entry["duration"], "met": entry["met"], "reasons": entry["reasons"], "value": entry["output"]}
    return {"name": entry["activity"].get("name"), "kind": "chaostoolkit_hypothesis", "met": entry["met"], "reasons": entry["reasons"],
            "observation": observation, "arguments": {}, "entry": entry}


def main():
    module = ansible_module(
        argument_spec={
            **OPTIONS,
            "title": {"type": "str", "required": True},
            "probes": {"type": "list", "elements": "dict", "required": True},
            "within": {"type": "float"},
            "until": {"type": "path"},
            "longest": {"type": "float", "default": 3600},
            "interval": {"type": "float", "default": 1},
            "mark": {"type": "path"},
            "look": {"type": "str", "choices": ["before", "during", "after", "recovery"], "default": "before"},
        },
        mutually_exclusive=[("within", "until")],
    )
    params, short = module.params, hide_secrets(module)
    shown = shown_arguments(module)
    if not params["probes"]:
        module.fail_json(msg="probes: the list is empty; a hypothesis without a probe says nothing", invocation=shown)
    if params["interval"] <= 0:
        module.fail_json(msg="interval: %s is no number of seconds above 0" % params["interval"], invocation=shown)
    hypothesis = Hypothesis(module)
    begin, start = clock.iso(), time.monotonic()
    extra = {}
    if params["until"]:
        entries, met, extra["states"] = hypothesis.until()
    else:
        entries, met, took = hypothesis.within()
        extra = {"recovery_seconds": took} if params["within"] is not None and took is not None else {}
    use = "during" if params["until"] else "within" if params["within"] is not None else "now"
    probes = [described(entry) for entry in entries]
    state = {"title": params["title"], "use": use, "look": params["look"], "met": met, "begin": begin, "end": clock.iso(),
             "seconds": round(time.monotonic() - start, 6), "stopped": None, "probes": probes, "dry": hypothesis.dry or None,
             "reasons": ["%s: %s" % (one["name"], "; ".join(one["reasons"])) for one in probes if one["met"] is not True], **extra}
    state = without(short, state)
    if met is not True:
        module.fail_json(msg="%s: %s" % ("not met" if met is False else "cannot be told", " | ".join(state["reasons"])), steady_state=state, invocation=shown)
    module.exit_json(changed=False, steady_state=state, invocation=shown)


if __name__ == "__main__":
    main()
