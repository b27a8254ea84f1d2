#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: recover
short_description: End faults, and prove that they ended
version_added: 0.1.0
description:
  - Puts back what the faults of a run (or all of them, or one) broke on this host, sweeps what outlived its time, and proves it.
  - The proof is a picture of what the faults touch, taken before each of them and now, which must be equal. Where a fault ended more than an hour ago,
    by itself or before a reboot, what is different is only told, since others may have done it.
  - Faults of the run that ended earlier, by the host's own timer for instance, are proved too.
  - Knows no fault by name; runs the way back that each fault left on the host. A person does the same at a console with
    C(sh /var/lib/gameday/faults/CLAIM/revert).
extends_documentation_fragment: gameday.chaos.attributes.changes
author: Gameday (@gameday)
options:
  run:
    description: End the faults of this run.
    type: str
    default: manual
  claim:
    description: End only the fault that holds this claim, whatever its run.
    type: str
  all:
    description:
      - End every fault of every run on this host. Without become these are the faults of this user; a warning says so where root has a ledger, too.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Leave no fault of this run behind
  gameday.chaos.recover:
    run: "{{ experiment_run }}"

- name: Leave no fault of anybody behind
  gameday.chaos.recover:
    all: true
"""

RETURN = r"""
recovery:
  description:
    - C(restored) is true when every fault that was asked for has ended and the pictures agree.
    - C(faults) are those faults, with their true begin and end; C(residue) is what is still broken, C(notes) what else changed
      on the host between the pictures and is not ours.
  returned: always
  type: dict
"""

import os

from ansible_collections.gameday.chaos.plugins.module_utils import root
from ansible_collections.gameday.chaos.plugins.module_utils.arguments import ansible_module
from ansible_collections.gameday.chaos.plugins.module_utils.ledger import Ledger, LedgerError
from ansible_collections.gameday.chaos.plugins.module_utils.recovery import recover


def main():
    module = ansible_module(
        argument_spec={
            "run": {"type": "str", "default": "manual"},
            "claim": {"type": "str"},
            "all": {"type": "bool", "default": False},
        },
        mutually_exclusive=[("claim", "all")],
    )
    ledger = Ledger()
    try:
        in_place = [] if module.params["claim"] is None or ledger.history(claim=module.params["claim"]) else [one["claim"] for one in ledger.in_place()]
        changed, recovery = recover(ledger, dry=module.check_mode, **module.params)
    except LedgerError as error:
        module.fail_json(msg=str(error))
    if module.params["all"] and os.geteuid() != 0 and os.path.isdir(root.ROOTS):
        module.warn("Only the faults of this user were looked at. Root has a ledger on this host, too (%s): use become for the faults in it" % root.ROOTS)
    if in_place and module.params["claim"] not in in_place:
        module.warn("claim: no fault has ever had %s on this host; in place are %s" % (module.params["claim"], ", ".join(in_place)))
    if not recovery["restored"]:
        module.fail_json(msg="not restored: %s" % "; ".join(recovery["residue"]), changed=changed, recovery=recovery)
    module.exit_json(changed=changed, recovery=recovery)


if __name__ == "__main__":
    main()
