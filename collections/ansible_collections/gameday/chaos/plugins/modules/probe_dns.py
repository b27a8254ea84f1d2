#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: probe_dns
short_description: Measure the resolution of a name
version_added: 0.1.0
description:
  - Asks once for the addresses of a name, and says whether the answer is the expected one.
  - Without O(server) the name is resolved as programs on the host do it, with C(/etc/hosts), search domains and the resolver's own caches and timeouts.
  - With O(server) that name server is asked directly, by UDP and, for a long answer, by TCP. A question without an answer is asked again every second.
extends_documentation_fragment:
  - gameday.chaos.probe
  - gameday.chaos.attributes.looks
author: Gameday (@gameday)
options:
  name:
    description: The name.
    type: str
    required: true
  type:
    description: Which addresses to ask for. V(A) are those of IPv4, V(AAAA) those of IPv6.
    type: str
    choices: [A, AAAA]
    default: A
  server:
    description: Address of the name server to ask.
    type: str
  port:
    description: Its port.
    type: int
    default: 53
  timeout:
    description: Seconds after which it counts as V(no_answer).
    type: float
    default: 3.0
  state:
    description:
      - The expected outcome, or several of which any will do.
      - V(resolved), there are addresses. V(no_such_name), NXDOMAIN. V(no_address), the name is there but has no address of this O(type).
      - V(failed), an answer that says that it could not be told, such as SERVFAIL. V(no_answer), nothing within O(timeout), or nothing that listens.
      - The system's resolver says V(failed) of its own timeouts, too, when these are shorter than O(timeout).
    type: list
    elements: str
    choices: [resolved, no_such_name, no_address, failed, no_answer]
    default: [resolved]
  addresses:
    description: Addresses or networks. Every address of the answer must be one of them, or in one of them.
    type: list
    elements: str
    default: []
  minimum:
    description: How many addresses there must be at least.
    type: int
    default: 1
  max_seconds:
    description: Seconds that the answer may take.
    type: float
"""

EXAMPLES = r"""
- name: The database's name leads to the database
  gameday.chaos.probe_dns:
    name: postgres.internal.example.com
    addresses: [10.20.0.0/24]
    max_seconds: 0.1

- name: The name server denies it
  gameday.chaos.probe_dns:
    name: postgres.internal.example.com
    server: 10.20.0.53
    state: no_such_name
"""

RETURN = r"""
observation:
  description:
    - What was seen. C(met) is true, false, or null where nothing could be measured; C(reasons) say why; C(seconds) is how long it took.
    - C(value) is one of the values of O(state). C(addresses) are those of the answer; C(error) says why there are none.
  returned: when it was measured
  type: dict
"""

from ansible_collections.gameday.chaos.plugins.module_utils import probe_dns
from ansible_collections.gameday.chaos.plugins.module_utils.probe import run_probe


def main():
    run_probe(probe_dns)


if __name__ == "__main__":
    main()
