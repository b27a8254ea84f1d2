#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: halt
short_description: End every fault on this host, and keep new ones away
version_added: 0.1.0
description:
  - The red button. From now on no fault is injected on this host, by whatever run; those that are in place, of whatever run, are put back at once, and
    that they are is proved as M(gameday.chaos.recover) proves it.
  - An experiment that is under way meanwhile ends as usual. Its next fault is refused; and faults that were ended for it are no proof of anything, so its
    verdict cannot be C(passed).
  - Holds until it is released, over reboots, too.
  - A host has a ledger for each user that makes faults. This is about the ledger of the user that the task is run as.
extends_documentation_fragment: gameday.chaos.attributes.changes
author: Gameday (@gameday)
options:
  state:
    description: V(present) halts the host, V(absent) releases it.
    type: str
    choices: [present, absent]
    default: present
  who:
    description: Who halts it, for those who are refused meanwhile.
    type: str
    default: somebody
  reason:
    description: Why, for the same.
    type: str
    default: no reason given
"""

EXAMPLES = r"""
- name: No faults any more
  gameday.chaos.halt:
    who: Ada
    reason: an incident that is none of ours

- name: They may begin again
  gameday.chaos.halt:
    state: absent
"""

RETURN = r"""
halt:
  description:
    - C(halted), whether the host is halted now; C(who), C(since) and C(reason) of that, or of what was released; null where there was nothing.
  returned: always
  type: dict
recovery:
  description: What was put back, as M(gameday.chaos.recover) returns it.
  returned: when O(state=present)
  type: dict
"""

from ansible_collections.gameday.chaos.plugins.module_utils.arguments import ansible_module
from ansible_collections.gameday.chaos.plugins.module_utils.ledger import Ledger, LedgerError
from ansible_collections.gameday.chaos.plugins.module_utils.recovery import recover


def press(module, ledger):
    """First the marker and then the faults, so that one that begins meanwhile sees the marker or is seen."""
    problems, new = [], not ledger.halted()
    if not module.check_mode:
        try:
            ledger.halt(module.params["who"], module.params["reason"])
        except LedgerError as error:
            problems.append(str(error))
    changed, recovery = recover(ledger, all=True, by="halt", dry=module.check_mode)
    problems += ["not restored: %s" % "; ".join(recovery["residue"])] if recovery["residue"] else []
    return problems, {"changed": changed or new, "halt": shown(ledger.halted()), "recovery": recovery}


def release(module, ledger):
    before = ledger.halted()
    if before and not module.check_mode:
        ledger.release()
    return [], {"changed": bool(before), "halt": dict(shown(before), halted=bool(before and module.check_mode))}


def shown(halted):
    return dict(halted or {"who": None, "since": None, "reason": None}, halted=bool(halted))


def main():
    module = ansible_module(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "who": {"type": "str", "default": "somebody"},
            "reason": {"type": "str", "default": "no reason given"},
        },
    )
    try:
        problems, result = (press if module.params["state"] == "present" else release)(module, Ledger())
    except LedgerError as error:
        module.fail_json(msg=str(error))
    if problems:
        module.fail_json(msg="; ".join(problems), **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
