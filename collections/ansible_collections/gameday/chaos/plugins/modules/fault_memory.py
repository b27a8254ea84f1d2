#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: fault_memory
short_description: Take memory from a host or a container
version_added: 0.1.0
description:
  - Runs stress-ng on the host, or in the cgroups and the process namespace of a container, which needs nothing installed for it and whose limit then holds.
  - The memory is written to and kept, so that it is really taken. The effect counts when four fifths of it are there.
  - Where memory runs out all the same, stress-ng is what the kernel ends first, and the fault is over then.
  - stress-ng also ends by itself, a few seconds after O(duration).
extends_documentation_fragment:
  - gameday.chaos.fault
  - gameday.chaos.container
  - gameday.chaos.attributes.changes
author: Gameday (@gameday)
options:
  bytes:
    description: How much to take, such as V(256MiB) or V(2GiB).
    type: str
  percent:
    description: How much to take, in percent of what the target may still take now, by its own limit or the host's memory, whichever is less.
    type: float
  ramp:
    description: Seconds over which it is taken, in eight steps.
    type: int
    default: 0
  allow_oom:
    description:
      - Take it even if that leaves the target less than a twentieth of its memory.
      - Then the kernel may end processes, and not only ours.
    type: bool
    default: false
requirements:
  - stress-ng on the host. With O(container) also the docker command-line client, nsenter, and root.
"""

EXAMPLES = r"""
- name: The host has two gigabytes less for a minute
  gameday.chaos.fault_memory:
    bytes: 2GiB
    duration: 60

- name: Half of what the API's container has left
  gameday.chaos.fault_memory:
    container: voiceassist-api
    percent: 50
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
    "bytes": {"type": "str"},
    "percent": {"type": "float"},
    "ramp": {"type": "int", "default": 0},
    "allow_oom": {"type": "bool", "default": False},
}
RESERVE = 0.05
STEPS = 8
LEAST = 4 << 20
MEBIBYTE = 1 << 20


def claim(params, look):
    return "memory/" + load.place(params, look)


def plan(params, look):
    if (params["bytes"] is None) == (params["percent"] is None):
        raise Refused("bytes, percent: give one of them, to say how much memory to take")
    if params["percent"] is not None and not 0 < params["percent"] <= 100:
        raise Refused("percent: %s is not more than 0 and at most 100" % params["percent"])
    if not 0 <= params["ramp"] < params["duration"]:
        raise Refused("ramp: %s s must be less than duration (%s s)" % (params["ramp"], params["duration"]))
    asked = None if params["bytes"] is None else load.size("bytes", params["bytes"])
    target = load.Target(params, look)
    available, total = target.memory()
    wanted = int(available * params["percent"] / 100) if asked is None else asked
    option = "percent" if asked is None else "bytes"
    if wanted < LEAST:
        raise Refused("%s: that is %s MiB, and less than 4 MiB would show nothing" % (option, wanted // MEBIBYTE))
    if available - wanted < RESERVE * total and not params["allow_oom"]:
        raise Refused("%s: %s may still take %d MiB of its %d MiB; taking %d MiB would leave less than a twentieth, and the kernel might end innocent "
                      "processes. Take less, or say allow_oom: true" % (option, target.words, available / MEBIBYTE, total / MEBIBYTE, wanted / MEBIBYTE))
    workers = STEPS if params["ramp"] else 1
    # What is given as --vm-bytes is for all of them together.
    stressors = ["--vm", str(workers), "--vm-bytes", "%sb" % wanted, "--vm-keep", "--vm-hang", "0", "--vm-method", "zero-one"]
    if params["ramp"]:
        stressors += ["--backoff", str(params["ramp"] * 1000000 // workers)]
    words = "%d MiB of %s, which may still take %d of %d MiB" % (wanted / MEBIBYTE, target.words, available / MEBIBYTE, total / MEBIBYTE)
    minimum = (int(wanted * 0.8 / MEBIBYTE), 0)
    return load.plan(claim(params, look), target, stressors, params, [words], minimum, ramp=params["ramp"] + wanted // (256 * MEBIBYTE))


def main():
    run_fault(claim, plan, OPTIONS, tools=load.tools)


if __name__ == "__main__":
    main()
