#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: chaostoolkit_activity
short_description: Do one activity of a Chaos Toolkit experiment
version_added: 0.1.0
description:
  - Does a probe or an action of the providers C(http), C(process) or C(python) on the host, and judges it.
  - A fault that is known (containers stopped, killed or paused by docker and docker compose, services stopped by systemctl, a root queueing discipline
    added by tc, a load by stress-ng, one process ended or stopped by kill or pkill, a toxic given to Toxiproxy) gets a way back of ours, which is
    armed on the host before the activity is done. It ends by M(gameday.chaos.recover), or by the host's own timer after O(duration).
  - An action without a tolerance whose program ends with another exit code than 0, or whose server answers with a status from 400 on, has failed.
  - Used by the role P(gameday.chaos.chaostoolkit#role).
extends_documentation_fragment:
  - gameday.chaos.chaostoolkit
  - gameday.chaos.attributes.changes
author: Gameday (@gameday)
options:
  activity:
    description: The activity as it stands in the file, references resolved.
    type: dict
    required: true
  judged:
    description: Whether its tolerance is judged. That of an activity that is only referred to belongs to another place.
    type: bool
    default: true
  section:
    description: Where it stands. An action of the rollbacks that fails leaves something broken.
    type: str
    choices: [method, rollbacks]
    default: method
  duration:
    description: Seconds after which the host itself puts back what the activity broke, where that is known.
    type: int
    default: 600
  lease:
    description:
      - Seconds after which the host puts it back before O(duration) is over, unless a task of the run has shown meanwhile that the controller is still there.
        Choose it longer than the longest pause of the experiment. V(0) is no lease.
    type: int
    default: 0
  run:
    description: The run that the fault belongs to.
    type: str
    default: manual
  pause_before:
    description: Seconds to wait before, of an activity in the background.
    type: float
    default: 0
  pause_after:
    description: Seconds to wait afterwards, of an activity in the background.
    type: float
    default: 0
  unless:
    description: The activity is skipped when there is such a file on the host.
    type: path
"""

EXAMPLES = r"""
- name: Stop the cache
  gameday.chaos.chaostoolkit_activity:
    activity:
      type: action
      name: stop-cache
      provider:
        type: process
        path: docker
        arguments: [stop, "${container}"]
    configuration:
      container: shop-cache
    duration: 120
"""

RETURN = r"""
entry:
  description:
    - The activity as Chaos Toolkit's journal has it, with C(tolerance_met) and C(reasons) where it has a tolerance.
    - C(covered) is true when our own way back was armed before it, false with C(uncovered_because) when the fault is known and could not be, and null
      when nothing known is broken. C(fault) is that fault.
    - C(finding) is what speaks against the experiment, with C(verdict) and C(reasons), or null.
  returned: always
  type: dict
"""

import os
import time

from ansible_collections.gameday.chaos.plugins.module_utils import lease
from ansible_collections.gameday.chaos.plugins.module_utils.arguments import ansible_module
from ansible_collections.gameday.chaos.plugins.module_utils.chaostoolkit_activity import (
    OPTIONS,
    dry_entry,
    finding,
    hide_secrets,
    is_dry,
    judge,
    limits_of,
    shown_arguments,
    without,
)
from ansible_collections.gameday.chaos.plugins.module_utils.chaostoolkit_covered import Attempt


def done(module, section):
    """The entry of the activity, judged."""
    params, activity = module.params, module.params["activity"]
    configuration, secrets, limits = params["configuration"], params["secrets"], limits_of(params)
    attempt = Attempt(module, activity, section, configuration, secrets, limits)
    dry = params["dry"] if is_dry(activity, params["dry"]) else ""
    if module.check_mode and (not dry or activity.get("type") == "action"):
        dry = dry or "activities"
        attempt.run(dry)
        entry = attempt.entry
    elif dry:
        entry = dry_entry(activity, dry)
    else:
        entry = attempt.run().entry
    entry.update(covered=attempt.covered, uncovered_because=attempt.uncovered_because, fault=attempt.fault, section=section, finding=None)
    if dry:
        return entry
    if "tolerance" in activity and params["judged"]:
        met, reasons = judge(entry, configuration, secrets, limits)
        entry.update(tolerance_met=met is True, met=met, reasons=reasons)
    entry["finding"] = finding(entry, section)
    return entry


def main():
    module = ansible_module(
        argument_spec={
            **OPTIONS,
            "activity": {"type": "dict", "required": True},
            "judged": {"type": "bool", "default": True},
            "section": {"type": "str", "choices": ["method", "rollbacks"], "default": "method"},
            "duration": {"type": "int", "default": 600},
            "lease": {"type": "int", "default": 0},
            "run": {"type": "str", "default": "manual"},
            "pause_before": {"type": "float", "default": 0},
            "pause_after": {"type": "float", "default": 0},
            "unless": {"type": "path"},
        },
    )
    params, short = module.params, hide_secrets(module)
    if not isinstance(params["activity"].get("provider"), dict):
        module.fail_json(msg="activity: it needs a provider, a map with type http, process or python", invocation=shown_arguments(module))
    if params["unless"] and os.path.exists(params["unless"]):
        module.exit_json(changed=False, skipped=True, msg="not done, since the steady state has deviated (fail fast)", invocation=shown_arguments(module))
    with lease.kept(params["run"], module.check_mode):
        time.sleep(params["pause_before"])
        entry = without(short, done(module, params["section"]))
        time.sleep(params["pause_after"])
    result = {"changed": params["activity"].get("type") == "action" and "dry" not in entry, "entry": entry, "invocation": shown_arguments(module)}
    if entry["finding"]:
        module.fail_json(msg="%s: %s" % (params["activity"].get("name"), "; ".join(entry["finding"]["reasons"])), **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
