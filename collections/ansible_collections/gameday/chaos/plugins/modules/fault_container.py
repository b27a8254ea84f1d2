#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: fault_container
short_description: Stop, kill, freeze, disconnect or throttle a container
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
      - V(disconnect) takes it off its networks, and back on with the same addresses, where they were asked for, aliases and links.
      - V(throttle) gives it less of what O(cpus), O(memory) and O(pids) name, in its control groups. The engine's own settings stay as they are.
      - A container that is stopped, or killed with V(KILL), is not started again by its restart policy, except when the engine itself is restarted meanwhile.
    type: str
    choices: [stop, kill, pause, disconnect, throttle]
    default: stop
  signal:
    description:
      - Signal of O(action=kill), by name or number, one that ends a container. One that still runs after ten seconds is ended with V(KILL).
    type: str
    default: KILL
  stop_timeout:
    description: Seconds that O(action=stop) waits before it kills. At most 50, and at least two less than O(duration).
    type: int
    default: 10
  networks:
    description: The networks for O(action=disconnect), by name. Without them all that it is on.
    type: list
    elements: str
    default: []
  cpus:
    description: How many CPUs' time it may have, such as V(0.2), for O(action=throttle).
    type: float
  memory:
    description: How much memory it may have, such as V(128MiB), for O(action=throttle). Not less than it has in use, or the kernel would end it.
    type: str
  pids:
    description: How many processes and threads it may have, for O(action=throttle). With no more than it has already, none can be started.
    type: int
  docker_host:
    description:
      - Where the engine listens, as C(docker --host) takes it, for example V(unix:///run/user/1000/docker.sock).
      - Without it, what the client reads in the environment of the task (E(DOCKER_HOST), E(DOCKER_CONTEXT), E(DOCKER_CONFIG), E(DOCKER_TLS_VERIFY),
        E(DOCKER_CERT_PATH)), else its default. The way back gets that as options.
    type: str
requirements:
  - The docker command-line client on the host, and permission on the engine's socket.
"""

EXAMPLES = r"""
- name: The database's container is gone for half a minute at most
  gameday.chaos.fault_container:
    name: voiceassist-postgres
    duration: 30

- name: The API has a tenth of a CPU
  gameday.chaos.fault_container:
    name: voiceassist-api
    action: throttle
    cpus: 0.1
    duration: 60

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

import itertools
import os

from ansible_collections.gameday.chaos.plugins.module_utils import container, load
from ansible_collections.gameday.chaos.plugins.module_utils.fault import Check, Plan, Refused, refuse_options_of_others, run_fault
from ansible_collections.gameday.chaos.plugins.module_utils.process import ending_signal
from ansible_collections.gameday.chaos.plugins.module_utils.way_back import LONGEST_STOP

OPTIONS = {
    "name": {"type": "str", "required": True},
    "action": {"type": "str", "choices": ["stop", "kill", "pause", "disconnect", "throttle"], "default": "stop"},
    "signal": {"type": "str", "default": "KILL"},
    "stop_timeout": {"type": "int", "default": 10},
    "networks": {"type": "list", "elements": "str", "default": []},
    "cpus": {"type": "float"},
    "memory": {"type": "str"},
    "pids": {"type": "int"},
    "docker_host": {"type": "str"},
}
PERIOD = 100000  # microseconds, the kernel's own default
MOST_NETWORKS = 4
BROKEN = {"stop": "exited", "kill": "exited", "pause": "paused"}
OF_ACTION = {"signal": "kill", "stop_timeout": "stop", "networks": "disconnect", "cpus": "throttle", "memory": "throttle", "pids": "throttle"}


def claim(params, look):
    return "container/" + container.name_of(params, look, "name")


def plan(params, look):
    found = container.running(params, look, "name")
    name, identity = found["Name"].lstrip("/"), found["Id"]
    client = container.client(params)
    refuse_options_of_others(params, OPTIONS, OF_ACTION)
    act = {"disconnect": disconnecting, "throttle": throttling}.get(params["action"], ending)(params, look, found, client)
    return Plan(
        claim="container/" + name,
        target="container %s (%s)" % (name, identity[:12]),
        areas={"containers": ["%s (%s)" % (name, identity[:12])]},
        containers_command=tuple(client),
        logs=[{"container": name}],
        **act,
    )


def ending(params, look, found, client):
    name, identity = found["Name"].lstrip("/"), found["Id"]
    action, duration = params["action"], params["duration"]
    if action != "pause" and found["HostConfig"]["AutoRemove"]:
        raise Refused("name: the container %s was started with --rm and would be deleted when it ends: there is no way back. "
                      "Start it without --rm, or use action: pause" % name)
    # The engine goes on with a stop whose client has gone: one that outlasted us would come after the way back.
    if action == "stop" and not 0 <= params["stop_timeout"] <= min(LONGEST_STOP, duration - 2):
        raise Refused("stop_timeout: %s s must be at most %s, and at least 2 s less than duration (%s s)" % (params["stop_timeout"], LONGEST_STOP, duration))
    try:
        signal = ending_signal(params["signal"], "action: pause") if action == "kill" else None
    except ValueError as error:
        raise Refused(str(error)) from None
    patience = max(min(10, duration - 3), 0)
    inject = {
        "stop": [["stop", "--time", str(params["stop_timeout"]), identity]],
        "kill": [["kill", "--signal", str(signal), identity], *([["stop", "--time", str(patience), identity]] if signal != "KILL" else [])],
        "pause": [["pause", identity]],
    }[action]
    return dict(
        longest_step=params["stop_timeout"] if action == "stop" else patience if len(inject) > 1 else 0,
        inject=[[*client, *step] for step in inject],
        revert=[[*client, step, identity] for step in container.starting(action)],
        check=Check([*client, "ps", "--all", "--no-trunc", "--filter", "id=" + identity, "--format", "{{.State}}"],
                    broken=[BROKEN[action]], whole=["running"], gone=[""]),
    )


def disconnecting(params, look, found, client):
    networks, identity = found["NetworkSettings"]["Networks"], found["Id"]
    known = sorted(name for name in networks if name not in ("none", "host"))
    unknown = sorted(set(params["networks"]) - set(known))
    if unknown or not known:
        raise Refused("networks: the container is not on %s; it is on %s" % (", ".join(unknown) or "any that it could be taken off",
                                                                             ", ".join(known) or "none or the host's"))
    if len(known) > MOST_NETWORKS:
        raise Refused("networks: the container is on %s networks, and more than %s are not supported" % (len(known), MOST_NETWORKS))
    chosen = sorted(set(params["networks"])) or known
    floating = [port for port, places in (found["HostConfig"].get("PortBindings") or {}).items() if any(not one.get("HostPort") for one in places or [])]
    if floating:
        raise Refused("name: the engine chose the published port of %s, and would choose another one afterwards. Publish it with a number of your own"
                      % ", ".join(floating))
    back = []
    for name in chosen:
        endpoint = networks[name]
        fixed = endpoint.get("IPAMConfig") or {}
        options = [word for option, key in (("--ip", "IPv4Address"), ("--ip6", "IPv6Address")) if fixed.get(key) for word in (option, fixed[key])]
        options += [word for alias in endpoint.get("Aliases") or [] if alias != identity[:12] for word in ("--alias", alias)]
        options += [word for link in endpoint.get("Links") or [] for word in ("--link", link)]
        back.append([*client, "network", "connect", *options, name, identity])
    return dict(
        inject=[[*client, "network", "disconnect", name, identity] for name in chosen],
        revert=back,
        check=Check([*client, "ps", "--all", "--no-trunc", "--filter", "id=" + identity, "--format", 'on ,{{join (split .Networks ",") ",,"}},'],
                    broken=[pattern.replace("*", "") for pattern in named([name for name in known if name not in chosen] or [""])],
                    whole=named(chosen), gone=[""]),
    )


def named(networks):
    """What docker ps may say of these networks, and perhaps of others: it does not sort them."""
    return ["on *" + "*".join(",%s," % name for name in order) + "*" for order in itertools.permutations(networks)]


def throttling(params, look, found, client):
    if all(params[name] is None for name in ("cpus", "memory", "pids")):
        raise Refused("cpus, memory, pids: give at least one of them, to say what it is to have less of")
    groups = container.cgroups_of(found["State"]["Pid"])
    limits = [limit for limit in (cpu_limit(params, groups), memory_limit(params, groups), pids_limit(params, groups)) if limit]
    before = [first_line(file) for file, value in limits]
    for (file, value), now in zip(limits, before):
        if number(now) <= number(value):
            raise Refused("cpus, memory, pids: %s may have no more than %s already (%s): that would take nothing from it"
                          % (found["Name"].lstrip("/"), now, os.path.basename(file)))
    return dict(
        inject=[["write", file, value] for file, value in limits],
        revert=[["write", file, value] for (file, _value), value in zip(limits, before)],
        check=Check(["content", *(file for file, value in limits)], broken=[answer(value for file, value in limits)],
                    whole=[answer(before)], gone=[answer("gone" for one in limits)]),
    )


def number(limit):
    """A limit, to be compared: none is more than any."""
    first = limit.split()[0]
    return int(first) if first.isdigit() else float("inf")


def answer(values):
    return ", ".join(values)


def limit_file(groups, controller, *names):
    """The file of the limit, of the first or the second version of control groups."""
    for name in names:
        file = os.path.join(groups.get(controller, "/"), name)
        if os.path.isfile(file):
            if not os.access(file, os.W_OK):
                raise Refused("%s cannot be written to by this user: use become" % file)
            return file, name == names[0]
    raise Refused("name: the control group %s of this container cannot be seen from here (is the engine on another host?)" % controller)


def first_line(file):
    with open(file) as source:
        return source.readline().strip()


def cpu_limit(params, groups):
    if params["cpus"] is None:
        return None
    if not 0.01 <= params["cpus"] <= 1024:
        raise Refused("cpus: %s is not between 0.01 and 1024" % params["cpus"])
    file, unified = limit_file(groups, "cpu", "cpu.max", "cpu.cfs_quota_us")
    if unified:
        return file, "%d %d" % (params["cpus"] * PERIOD, PERIOD)
    return file, str(int(params["cpus"] * int(first_line(file.replace("quota", "period")))))


def memory_limit(params, groups):
    """Where there is a limit that slows down instead of killing (the second version has one), that one."""
    if params["memory"] is None:
        return None
    wanted = load.size("memory", params["memory"])
    wanted -= wanted % os.sysconf("SC_PAGE_SIZE")
    file, unified = limit_file(groups, "memory", "memory.high", "memory.limit_in_bytes")
    folder = os.path.dirname(file)
    used = int(first_line(os.path.join(folder, "memory.current" if unified else "memory.usage_in_bytes")))
    if not unified and used > wanted:
        raise Refused("memory: the container has %d MiB in use, and a limit of %d MiB could end it; give more" % (used >> 20, wanted >> 20))
    return file, str(wanted)


def pids_limit(params, groups):
    if params["pids"] is None:
        return None
    if params["pids"] < 1:
        raise Refused("pids: %s is less than 1" % params["pids"])
    return limit_file(groups, "pids", "pids.max")[0], str(params["pids"])


def main():
    run_fault(claim, plan, OPTIONS, tools=["docker"])


if __name__ == "__main__":
    main()
