#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: probe_container
short_description: Measure the state of a container
version_added: 0.1.0
description:
  - Asks the Docker engine of the host for the state of a container and says whether it is as expected.
  - An engine behind a socket is asked directly, which is cheap enough to be done many times a second by M(gameday.chaos.steady_state);
    another one through the command-line client.
extends_documentation_fragment:
  - gameday.chaos.probe
  - gameday.chaos.attributes.looks
author: Gameday (@gameday)
options:
  name:
    description: Name or id of the container.
    type: str
    required: true
  docker_host:
    description:
      - Where the engine listens, for example V(unix:///run/user/1000/docker.sock).
      - Without it, the E(DOCKER_HOST) of the task's environment, else the engine's default.
    type: str
  state:
    description: The expected state, or several of which any will do. V(absent) is a container that the engine does not know.
    type: list
    elements: str
    choices: [created, running, paused, restarting, removing, exited, dead, absent]
    default: [running]
  health:
    description: The expected answer of its health check.
    type: str
    choices: [healthy, unhealthy, starting, none]
  max_restarts:
    description: How often the engine may have restarted it.
    type: int
  oom_killed:
    description: Whether it may, or must, have been killed for lack of memory.
    type: bool
requirements:
  - The docker command-line client on the host, where the engine is not behind a socket.
"""

EXAMPLES = r"""
- name: The API's container is healthy and was never restarted
  gameday.chaos.probe_container:
    name: voiceassist-api
    health: healthy
    max_restarts: 0
"""

RETURN = r"""
observation:
  description:
    - What was seen. C(met) is true, false, or null where nothing could be measured; C(reasons) say why; C(seconds) is how long it took.
    - C(value) is the state of the container.
  returned: when it was measured
  type: dict
"""

from ansible_collections.gameday.chaos.plugins.module_utils import probe_container
from ansible_collections.gameday.chaos.plugins.module_utils.probe import run_probe


def main():
    run_probe(probe_container)


if __name__ == "__main__":
    main()
