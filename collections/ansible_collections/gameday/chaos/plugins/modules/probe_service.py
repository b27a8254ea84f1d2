#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: probe_service
short_description: Measure the state of a systemd unit
version_added: 0.1.0
description:
  - Asks systemd for the state of a unit, how often it was restarted and since when it runs, and says whether it is as expected.
extends_documentation_fragment:
  - gameday.chaos.probe
  - gameday.chaos.attributes.looks
author: Gameday (@gameday)
options:
  name:
    description: Name of the unit. Without a suffix such as C(.socket) it is a service.
    type: str
    required: true
  state:
    description: The expected active state, or several of which any will do. V(absent) is a unit that systemd does not know.
    type: list
    elements: str
    choices: [active, reloading, inactive, failed, activating, deactivating, absent]
    default: [active]
  sub_state:
    description: The expected sub state, such as V(running) or V(exited), or several of which any will do.
    type: list
    elements: str
    default: []
  max_restarts:
    description:
      - How often systemd may have restarted it by itself. Its count begins anew whenever the unit is started by hand or by another unit.
      - To count from a moment on, measure it then, and add C(observation.restarts) to the number.
    type: int
  restarted:
    description: Whether its main process must (V(true)) or must not (V(false)) have been started since O(since), by systemd or by anybody else.
    type: bool
  since:
    description:
      - From when on a start counts for O(restarted), as an ISO 8601 instant with an offset from UTC.
      - In the method of the role P(gameday.chaos.experiment#role) it is the begin of the experiment by default. In the probes of
        M(gameday.chaos.steady_state) write C({{ experiment_begin }}).
    type: str
requirements:
  - systemd
"""

EXAMPLES = r"""
- name: The service runs and was not started again since the experiment began
  gameday.chaos.probe_service:
    name: voiceassist-api
    restarted: false
    since: "{{ experiment_begin }}"

- name: How often it was restarted until now
  gameday.chaos.probe_service:
    name: voiceassist-api
  register: before

- name: One more restart is bearable
  gameday.chaos.probe_service:
    name: voiceassist-api
    max_restarts: "{{ before.observation.restarts + 1 }}"
"""

RETURN = r"""
observation:
  description:
    - What was seen. C(met) is true, false, or null where nothing could be measured; C(reasons) say why; C(seconds) is how long it took.
    - C(value) is the active state of the unit. C(sub_state), C(result), C(restarts), C(pid) and C(started_at) are the others.
  returned: when it was measured
  type: dict
"""

from ansible_collections.gameday.chaos.plugins.module_utils import probe_service
from ansible_collections.gameday.chaos.plugins.module_utils.probe import run_probe


def main():
    run_probe(probe_service)


if __name__ == "__main__":
    main()
