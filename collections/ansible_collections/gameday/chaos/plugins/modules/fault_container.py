#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: fault_container
short_description: Stop, kill or freeze a container
version_added: 0.1.0
description:
  - Makes a running container of a Docker engine go away, and brings the same container back.
  - The fault holds on to the container's id. A container that somebody removes or replaces meanwhile counts as put back.
extends_documentation_fragment:
  - gameday.chaos.fault
  - gameday.chaos.attributes.changes
author: Gameday (@gameday)
options:
  name:
    description: Name or id of the container. It must be running.
    type: str
    required: true
  action:
    description:
      - V(stop) asks the container to end and waits O(stop_timeout) before it is killed.
      - V(kill) sends O(signal) at once.
      - V(pause) freezes all its processes. Connections stay open and nothing answers.
    type: str
    choices: [stop, kill, pause]
    default: stop
  signal:
    description: Signal of O(action=kill), by name or number.
    type: str
    default: KILL
  stop_timeout:
    description: Seconds that O(action=stop) waits before it kills. Must be less than O(duration).
    type: int
    default: 10
  docker_host:
    description:
      - Where the engine listens, as C(docker --host) takes it, for example V(unix:///run/user/1000/docker.sock).
      - Without it, the E(DOCKER_HOST) of the task's environment, else the engine's default.
    type: str
requirements:
  - The docker command-line client on the host, and permission on the engine's socket.
"""

EXAMPLES = r"""
- name: The database's container is gone for half a minute at most
  gameday.chaos.fault_container:
    name: voiceassist-postgres
    duration: 30

- name: It comes back now
  gameday.chaos.fault_container:
    name: voiceassist-postgres
    state: absent
"""

RETURN = r"""
fault:
  description: The fault as the ledger has it. See the documentation page C(docs/results.md) for its keys.
  returned: when the fault is, was or would be in place
  type: dict
"""

from ansible_collections.gameday.chaos.plugins.module_utils import container
from ansible_collections.gameday.chaos.plugins.module_utils.fault import Check, Plan, Refused, run_fault
from ansible_collections.gameday.chaos.plugins.module_utils.process import signal_name

OPTIONS = {
    "name": {"type": "str", "required": True},
    "action": {"type": "str", "choices": ["stop", "kill", "pause"], "default": "stop"},
    "signal": {"type": "str", "default": "KILL"},
    "stop_timeout": {"type": "int", "default": 10},
    "docker_host": {"type": "str"},
}
BROKEN = {"stop": "exited", "kill": "exited", "pause": "paused"}


def claim(params, look):
    return "container/" + container.name_of(params, look, "name")


def plan(params, look):
    found = container.running(params, look, "name")
    name, identity = found["Name"].lstrip("/"), found["Id"]
    action, duration = params["action"], params["duration"]
    if action != "pause" and found["HostConfig"]["AutoRemove"]:
        raise Refused("name: the container %s was started with --rm and would be deleted when it ends: there is no way back. "
                      "Start it without --rm, or use action: pause" % name)
    if action == "stop" and not 0 <= params["stop_timeout"] < duration:
        raise Refused("stop_timeout: %s s must be less than duration (%s s)" % (params["stop_timeout"], duration))
    signal = signal_name(params["signal"])
    if action == "kill" and signal is None:
        raise Refused("signal: %r is no signal; give a name such as KILL or TERM" % params["signal"])
    client = container.client(params)
    inject = {
        "stop": ["stop", "--time", str(params["stop_timeout"]), identity],
        "kill": ["kill", "--signal", str(signal), identity],
        "pause": ["pause", identity],
    }[action]
    return Plan(
        claim="container/" + name,
        target="container %s (%s)" % (name, identity[:12]),
        inject=[[*client, *inject]],
        revert=[[*client, "unpause" if action == "pause" else "start", identity]],
        check=Check([*client, "ps", "--all", "--no-trunc", "--filter", "id=" + identity, "--format", "{{.State}}"],
                    broken=[BROKEN[action]], whole=["running", ""]),
        areas={"containers": ["%s (%s)" % (name, identity[:12])]},
        containers_command=tuple(client),
        logs=[{"container": name}],
    )


def main():
    run_fault(claim, plan, OPTIONS, tools=["docker"])


if __name__ == "__main__":
    main()
