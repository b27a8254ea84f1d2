#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: reservation
short_description: One experiment per host at a time
version_added: 0.1.0
description:
  - Reserves a host for a run, so that another run is refused before it breaks anything. The role P(gameday.chaos.experiment#role) does so, and
    releases it at its end.
  - The reservation is over after O(seconds), whatever became of the controller, and after a reboot. That of a controller that is known to be dead,
    because it ran on the machine that asks now, is taken over.
  - Reserving it again for the same run begins the time anew.
  - In check mode nothing is written, and a host that another run has is told all the same.
author: Gameday (@gameday)
attributes:
  check_mode:
    support: full
    description: Tells who has the host, and writes nothing.
  diff_mode:
    support: none
    description: There is nothing to compare.
options:
  run:
    description: The run.
    type: str
    required: true
  state:
    description: V(present) reserves the host, V(absent) releases it if it is reserved for O(run).
    type: str
    choices: [present, absent]
    default: present
  seconds:
    description: Seconds after which the reservation is over, 86400 at the most.
    type: int
    default: 3600
  who:
    description: Who runs the experiment; the controller fills it in.
    type: str
    default: ''
  controller:
    description: The process that runs it; the controller fills it in.
    type: dict
    default: {}
  instead_of:
    description: A run whose reservation may be taken over; the controller fills it in, when it knows that nobody runs it any more.
    type: str
"""

EXAMPLES = r"""
- name: This host is ours for a quarter of an hour
  gameday.chaos.reservation:
    run: database_failure-20300131-120000-4f2a
    seconds: 900

- name: And no longer
  gameday.chaos.reservation:
    run: database_failure-20300131-120000-4f2a
    state: absent
"""

RETURN = r"""
reservation:
  description: C(run), C(who), C(since), C(until) of the reservation; when refused, of the one that is in the way.
  returned: when there is one
  type: dict
"""

from ansible_collections.gameday.chaos.plugins.module_utils.arguments import ansible_module
from ansible_collections.gameday.chaos.plugins.module_utils.ledger import Ledger, LedgerError
from ansible_collections.gameday.chaos.plugins.module_utils.reservation import Reservation, Reserved
from ansible_collections.gameday.chaos.plugins.module_utils.text import printable

LONGEST = 24 * 3600


def refusal(holder):
    return ("this host is reserved for the run %s of %s until %s at the latest: one experiment at a time. Wait, or, if nobody runs it any more, "
            "release it with the module reservation (state: absent, run: %s)"
            % (holder["run"], holder.get("who") or "somebody", holder.get("until"), holder["run"]))


def main():
    module = ansible_module(
        argument_spec={
            "run": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "seconds": {"type": "int", "default": 3600},
            "who": {"type": "str", "default": ""},
            "controller": {"type": "dict", "default": {}},
            "instead_of": {"type": "str"},
        },
    )
    params = module.params
    if not 0 < params["seconds"] <= LONGEST:
        module.fail_json(msg="seconds: %s is not between 1 and %s" % (params["seconds"], LONGEST))
    reservation = Reservation(Ledger())
    try:
        if params["state"] == "absent":
            module.exit_json(changed=not module.check_mode and reservation.release(params["run"]))
        if module.check_mode:
            holder = reservation.holder(params["run"], params["instead_of"])
            if holder:
                raise Reserved(holder)
            module.exit_json(changed=True)
        taken = reservation.take(params["run"], params["seconds"], params["instead_of"], who=params["who"], controller=params["controller"])
    except Reserved as refused:
        module.fail_json(msg=printable(refusal(refused.holder)), reservation=printable(refused.holder))
    except LedgerError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=True, reservation=taken)


if __name__ == "__main__":
    main()
