#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: probe_tcp
short_description: Measure one TCP connection
version_added: 0.1.0
description:
  - Connects once from the host, closes the connection, and says whether the port is as expected.
extends_documentation_fragment:
  - gameday.chaos.probe
  - gameday.chaos.attributes.looks
author: Gameday (@gameday)
options:
  host:
    description: Name or address to connect to.
    type: str
    default: 127.0.0.1
  port:
    description: The port.
    type: int
    required: true
  timeout:
    description: Seconds after which a port without an answer counts as closed.
    type: float
    default: 3.0
  state:
    description: What is expected. Of a name that cannot be resolved nobody can say that its port is closed.
    type: str
    choices: [open, closed]
    default: open
  max_seconds:
    description: Seconds that it may take.
    type: float
"""

EXAMPLES = r"""
- name: The database accepts connections
  gameday.chaos.probe_tcp:
    port: 5432
    max_seconds: 0.2
"""

RETURN = r"""
observation:
  description:
    - What was seen. C(met) is true, false, or null where nothing could be measured; C(reasons) say why; C(seconds) is how long it took.
    - C(value) is V(open) or V(closed).
  returned: when it was measured
  type: dict
"""

from ansible_collections.gameday.chaos.plugins.module_utils import probe_tcp
from ansible_collections.gameday.chaos.plugins.module_utils.probe import run_probe


def main():
    run_probe(probe_tcp)


if __name__ == "__main__":
    main()
