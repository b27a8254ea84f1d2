#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: fault_cpu
short_description: Keep the CPUs of a host or a container busy
version_added: 0.1.0
description:
  - Runs stress-ng on the host, or in the cgroups and the process namespace of a container, which needs nothing installed for it and whose limits then hold.
  - stress-ng also ends by itself, a few seconds after O(duration).
extends_documentation_fragment:
  - gameday.chaos.fault
  - gameday.chaos.container
  - gameday.chaos.attributes.changes
author: Gameday (@gameday)
options:
  workers:
    description:
      - How many CPUs to keep busy.
      - Without it all that the target may use, by its CPU set and quota.
    type: int
  load:
    description: How busy, in percent of each of these CPUs.
    type: int
    default: 100
  ramp:
    description: Seconds over which the workers start, one after the other.
    type: int
    default: 0
requirements:
  - stress-ng on the host. With O(container) also the docker command-line client, nsenter, and root.
"""

EXAMPLES = r"""
- name: All CPUs of the host are half busy for a minute
  gameday.chaos.fault_cpu:
    load: 50
    duration: 60

- name: The API's container has to share what it may use
  gameday.chaos.fault_cpu:
    container: voiceassist-api
    duration: 60
"""

RETURN = r"""
fault:
  description: The fault as the ledger has it. See the documentation page C(docs/results.md) for its keys.
  returned: when the fault is, was or would be in place
  type: dict
"""

from ansible_collections.gameday.chaos.plugins.module_utils import container, load
from ansible_collections.gameday.chaos.plugins.module_utils.fault import Refused, run_fault

OPTIONS = {
    **container.OPTIONS,
    "workers": {"type": "int"},
    "load": {"type": "int", "default": 100},
    "ramp": {"type": "int", "default": 0},
}
MOST = 1024


def claim(params, look):
    return "cpu/" + load.place(params, look)


def plan(params, look):
    if not 1 <= params["load"] <= 100:
        raise Refused("load: %s is not between 1 and 100 percent" % params["load"])
    if not 0 <= params["ramp"] < params["duration"]:
        raise Refused("ramp: %s s must be less than duration (%s s)" % (params["ramp"], params["duration"]))
    target = load.Target(params, look)
    workers = target.cpus() if params["workers"] is None else params["workers"]
    if not 1 <= workers <= MOST:
        raise Refused("workers: %s is not between 1 and %s" % (workers, MOST))
    stressors = ["--cpu", str(workers), "--cpu-load", str(params["load"])]
    if params["ramp"]:
        stressors += ["--backoff", str(params["ramp"] * 1000000 // workers)]
    words = "%s CPUs of %s, %s %%" % (workers, target.words, params["load"])
    return load.plan(claim(params, look), target, stressors, params, [words], minimum=(0, 10), ramp=params["ramp"])


def main():
    run_fault(claim, plan, OPTIONS, tools=load.tools)


if __name__ == "__main__":
    main()
