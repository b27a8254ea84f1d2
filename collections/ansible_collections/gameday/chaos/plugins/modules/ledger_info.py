#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ledger_info
short_description: What is broken on this host, and what was
version_added: 0.1.0
description:
  - Lists the faults that are in place on a host and those that ended lately, as the host's ledger has them.
extends_documentation_fragment: gameday.chaos.attributes.looks
author: Gameday (@gameday)
options:
  run:
    description: Only the faults of this run.
    type: str
"""

EXAMPLES = r"""
- name: What is broken here?
  gameday.chaos.ledger_info:
  register: ledger

- name: Nothing may be
  ansible.builtin.assert:
    that: ledger.faults == []
"""

RETURN = r"""
faults:
  description:
    - The faults in place, see the documentation page C(docs/results.md). C(overdue) tells that its time is over, or that the host was restarted since, and
      it waits for a sweep; C(timer_lost), that nothing ends it when its time is over. M(gameday.chaos.recover), of whatever run, mends both.
  returned: always
  type: list
  elements: dict
ended:
  description: The faults that ended lately, the last one last.
  returned: always
  type: list
  elements: dict
halted:
  description: Who halted the faults on this host (C(who), C(since), C(reason)), see M(gameday.chaos.halt); null where nobody did.
  returned: always
  type: dict
unreadable:
  description: Entries of the ledger without a readable record; nothing of ours makes them.
  returned: always
  type: list
  elements: str
"""

from ansible_collections.gameday.chaos.plugins.module_utils.arguments import ansible_module
from ansible_collections.gameday.chaos.plugins.module_utils.fault import public
from ansible_collections.gameday.chaos.plugins.module_utils.ledger import Ledger, LedgerError


def main():
    module = ansible_module(argument_spec={"run": {"type": "str"}})
    ledger, run = Ledger(), module.params["run"]
    wanted = {} if run is None else {"run": run}
    try:
        records = [record for record in ledger.in_place() if run in (None, record["run"])]
        lost = {record["id"] for record in ledger.lost(records)}
        in_place = [dict(public(record), overdue=ledger.is_overdue(record), timer_lost=record["id"] in lost) for record in records]
        ended = [public(record) for record in sorted(ledger.history(**wanted), key=lambda one: one["armed"])]
        module.exit_json(changed=False, faults=in_place, ended=ended, halted=ledger.halted(), unreadable=ledger.unreadable())
    except LedgerError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
