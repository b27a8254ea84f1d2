#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: fault_service
short_description: Stop a systemd service
version_added: 0.1.0
description:
  - Stops an active unit and masks it until the fault ends or the host reboots, so that neither a socket, nor a dependency, nor a colleague
    starts it again meanwhile.
  - Units that systemd stops along with it (those that require it) are started again with it, and so are sockets that trigger it.
extends_documentation_fragment:
  - gameday.chaos.fault
  - gameday.chaos.attributes.changes
author: Gameday (@gameday)
options:
  name:
    description: The unit, with or without C(.service). It must be active.
    type: str
    required: true
requirements:
  - systemd as PID 1, and root.
"""

EXAMPLES = r"""
- name: PostgreSQL's service is gone for half a minute at most
  gameday.chaos.fault_service:
    name: postgresql@15-main
    duration: 30
"""

RETURN = r"""
fault:
  description: The fault as the ledger has it. See the documentation page C(docs/results.md) for its keys.
  returned: when the fault is, was or would be in place
  type: dict
"""

import os
import re

from ansible_collections.gameday.chaos.plugins.module_utils.fault import Check, Plan, Refused, run_fault
from ansible_collections.gameday.chaos.plugins.module_utils.unit import SPARED, followers, properties, refuse, uninstalled

OPTIONS = {"name": {"type": "str", "required": True}}
# The runtime folder that outranks /etc, where most units that people write lie: a mask in /run/systemd/system would be overruled there.
MASKS = "/run/systemd/system.control"


def unit_name(params):
    name = params["name"]
    if not re.fullmatch(r"[A-Za-z0-9:_.\\@-]+", name) or name.startswith("-"):
        raise Refused("name: %r is no name of a unit" % name)
    return name if re.search(r"\.(service|socket|timer|path)$", name) else name + ".service"


def claim(params, look):
    return "service/" + unit_name(params)


def plan(params, look):
    if os.geteuid() != 0:
        raise Refused("only root may stop a service: use become")
    unit = unit_name(params)
    state = properties(look, unit, "Id", "LoadState", "ActiveState", "FragmentPath")
    if state.get("LoadState") == "not-found":
        raise Refused("name: there is no unit %s on this host" % unit)
    if state.get("Id", unit) != unit and not SPARED.fullmatch(state["Id"]):
        raise Refused("name: %s is another name of %s; use that, since a fault on a thing must have one name" % (unit, state["Id"]))
    unit = state.get("Id") or unit
    refuse(unit, unit, state)
    if state.get("ActiveState") != "active":
        raise Refused("name: %s is %s, not active: a fault on it would show nothing. Start it first" % (unit, state.get("ActiveState")))
    if (state.get("FragmentPath") or "").startswith(MASKS):
        raise Refused("name: %s is kept in %s, where our mask would have to lie" % (unit, MASKS))
    together = followers(look, unit)
    mask = "%s/%s" % (MASKS, unit)
    question = ["systemctl", "show", "--property", "LoadState,ActiveState", unit, *together]
    before = look(question).out.strip()
    return Plan(
        claim="service/" + unit,
        target="service %s%s" % (unit, ", and with it " + ", ".join(together) if together else ""),
        inject=[["mkdir", "-p", MASKS], ["ln", "-s", "/dev/null", mask], ["systemctl", "daemon-reload"], ["systemctl", "stop", unit]],
        revert=[["rm", "-f", mask], ["systemctl", "daemon-reload"], ["systemctl", "reset-failed", unit, *together],
                ["systemctl", "start", unit, *together]],
        check=Check(question, broken=["LoadState=masked\nActiveState=inactive*", "LoadState=masked\nActiveState=failed*"], whole=[before],
                    gone=uninstalled(before), absent=[mask]),  # systemd does not know of it until it reads its files
        holds=["unit " + name for name in [unit, *together]],
        settle=10,
        areas={"services": [unit, *together]},
        logs=[{"unit": unit}],
    )


def main():
    run_fault(claim, plan, OPTIONS, tools=["systemctl"])


if __name__ == "__main__":
    main()
