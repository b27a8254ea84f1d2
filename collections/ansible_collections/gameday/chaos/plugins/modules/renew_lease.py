#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: renew_lease
short_description: Tell a host that its run is still there
version_added: 0.1.0
description:
  - Renews the leases of the faults of a run on this host, see the option C(lease) of the faults. Every task with a fault, a probe or
    M(gameday.chaos.steady_state) does the same; this is for a method that waits for something else meanwhile.
extends_documentation_fragment: gameday.chaos.attributes.changes
author: Gameday (@gameday)
options:
  run:
    description: The run whose faults they are.
    type: str
    default: manual
"""

EXAMPLES = r"""
- name: We are still there
  gameday.chaos.renew_lease:
    run: "{{ experiment_run }}"
"""

RETURN = r"""
renewed:
  description: The ids of the faults whose leases were renewed. None when none of the run's faults here has a lease, or is in place.
  returned: always
  type: list
  elements: str
"""

from ansible_collections.gameday.chaos.plugins.module_utils import lease
from ansible_collections.gameday.chaos.plugins.module_utils.arguments import ansible_module


def main():
    module = ansible_module(argument_spec={"run": {"type": "str", "default": "manual"}})
    renewed = [] if module.check_mode else lease.renew(module.params["run"])
    module.exit_json(changed=bool(renewed), renewed=renewed)


if __name__ == "__main__":
    main()
