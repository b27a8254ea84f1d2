#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: fault_network
short_description: Delay, lose or damage packets
version_added: 0.1.0
description:
  - Makes the network of a host or a container slow or unreliable, by the kernel's C(netem).
  - Only packets that leave are hit, so what another host asks is answered late because the answer is late. For both directions, put the fault on
    both hosts.
  - Every selector that is given must apply (destination and source and ports and protocol); of a list, one entry must. Without
    selectors all IP packets that leave by the interface are hit. IPv4 and IPv6 are treated alike.
  - Never hit are the ssh connections by which a controller reaches the host, ARP, IPv6 neighbour discovery and DHCP.
  - Packets that are not chosen are untouched, but wait in a plain queue of 1000 packets instead of the interface's own while the fault is in place.
  - An interface whose queueing discipline somebody configured is refused, since it could not be put back.
  - To find out what the kernel has, it is asked to use it in a network namespace that ends with the question. The kernel may load its modules for that.
extends_documentation_fragment:
  - gameday.chaos.fault
  - gameday.chaos.container
  - gameday.chaos.attributes.changes
author: Gameday (@gameday)
options:
  interface:
    description:
      - The interface that the packets leave by.
      - Without it, the one by which the route to O(destination) leads, or the default route where there is no O(destination).
      - Packets of the host to itself leave by V(lo), which is hit only when it is named.
    type: str
  destination:
    description: Hit packets to these addresses or networks, IPv4 or IPv6, for example V(192.0.2.7) or V(2001:db8::/64).
    type: list
    elements: str
  source:
    description: Hit packets from these addresses or networks of the host.
    type: list
    elements: str
  destination_port:
    description: Hit packets to these ports, of TCP and UDP where O(protocol) does not choose.
    type: list
    elements: int
  source_port:
    description: Hit packets from these ports, of TCP and UDP where O(protocol) does not choose. A server's answers come from its own port.
    type: list
    elements: int
  protocol:
    description: Hit packets of this protocol. V(icmp) is ICMPv6, too, but for neighbour discovery.
    type: str
    choices: [tcp, udp, icmp]
  delay:
    description: Milliseconds by which packets are late, from 1 to 60000.
    type: int
  jitter:
    description: Milliseconds by which the delay varies, up or down; at most O(delay). Packets then overtake each other.
    type: int
  distribution:
    description: How the delays are distributed.
    type: str
    choices: [uniform, normal, pareto, paretonormal]
    default: uniform
  correlation:
    description: Percent by which each random choice (jitter, loss, duplicate, corrupt, reorder) depends on the one before.
    type: float
  loss:
    description: Percent of the packets that are lost.
    type: float
  loss_bursts:
    description:
      - Lose packets in bursts, by the model of Gilbert and Elliott. All values in percent.
      - Bursts take C(begin / (begin + end)) of the packets, and are C(100 / end) packets long on the average.
    type: dict
    suboptions:
      begin:
        description: Probability that a burst begins with a packet (the model's p).
        type: float
        required: true
      end:
        description: Probability that a burst ends with a packet (the model's r).
        type: float
        required: true
      loss_within:
        description: Loss within a burst (the model's 1-h).
        type: float
        default: 100
      loss_between:
        description: Loss between bursts (the model's 1-k).
        type: float
        default: 0
  duplicate:
    description: Percent of the packets that arrive twice.
    type: float
  corrupt:
    description: Percent of the packets in which a bit is wrong. Most are then thrown away for their checksum.
    type: float
  reorder:
    description: Percent of the packets that are sent at once and so overtake those that O(delay) holds back.
    type: float
  rate:
    description: Kilobits per second (of 1000 bits) that get through at most.
    type: int
  limit:
    description: Packets that may be held back at a time. What comes above is lost, so a small number is a loss of its own.
    type: int
    default: 10000
requirements:
  - Root, C(tc) and C(ip) (iproute2), and a kernel with C(sch_netem), C(sch_prio), and C(cls_flower) or C(cls_u32). On RHEL and Fedora these are
    in the package C(kernel-modules-extra), on Ubuntu in C(linux-modules) or C(linux-modules-extra). Without them, see M(gameday.chaos.fault_proxy).
  - For O(container), the docker command-line client and C(nsenter) on the host.
seealso:
  - module: gameday.chaos.fault_partition
  - module: gameday.chaos.fault_proxy
"""

EXAMPLES = r"""
- name: The database is half a second away
  gameday.chaos.fault_network:
    destination: [192.0.2.20, "2001:db8::20"]
    destination_port: [5432]
    delay: 500
    jitter: 50
    duration: 60

- name: Three of ten packets of the container are lost
  gameday.chaos.fault_network:
    container: voiceassist-api
    loss: 30
    duration: 60

- name: The answers of the web server are lost in bursts, one packet of a hundred begins one, and it lasts for ten
  gameday.chaos.fault_network:
    interface: eth0
    source_port: [80, 443]
    protocol: tcp
    loss_bursts: {begin: 1, end: 10}
    duration: 60
"""

RETURN = r"""
fault:
  description: The fault as the ledger has it. See the documentation page C(docs/results.md) for its keys.
  returned: when the fault is, was or would be in place
  type: dict
"""

import ipaddress
import itertools
import os

from ansible_collections.gameday.chaos.plugins.module_utils import connection, container, interfaces, netem
from ansible_collections.gameday.chaos.plugins.module_utils.fault import Plan, Refused, run_fault

PERCENTAGES = ("loss", "duplicate", "corrupt", "reorder")
SELECTORS = ("destination", "source", "destination_port", "source_port")
MAXIMUM_FILTERS = 200
OPTIONS = {
    **container.OPTIONS,
    "interface": {"type": "str"},
    "destination": {"type": "list", "elements": "str"},
    "source": {"type": "list", "elements": "str"},
    "destination_port": {"type": "list", "elements": "int"},
    "source_port": {"type": "list", "elements": "int"},
    "protocol": {"type": "str", "choices": ["tcp", "udp", "icmp"]},
    "delay": {"type": "int"},
    "jitter": {"type": "int"},
    "distribution": {"type": "str", "choices": ["uniform", "normal", "pareto", "paretonormal"], "default": "uniform"},
    "correlation": {"type": "float"},
    "loss": {"type": "float"},
    "loss_bursts": {"type": "dict", "options": {
        "begin": {"type": "float", "required": True},
        "end": {"type": "float", "required": True},
        "loss_within": {"type": "float", "default": 100},
        "loss_between": {"type": "float", "default": 0},
    }},
    "duplicate": {"type": "float"},
    "corrupt": {"type": "float"},
    "reorder": {"type": "float"},
    "rate": {"type": "int"},
    "limit": {"type": "int", "default": 10000},
}


def claim(params, look):
    if params["container"] is not None:
        return "/".join(["container", container.name_of(params, look), "qdisc"] + ([params["interface"]] if params["interface"] else []))
    return "qdisc/" + interfaces.leading_out(params, look, [])


def refuse_what_makes_no_sense(params):
    if not any(params[name] is not None for name in ("delay", "loss_bursts", "rate", *PERCENTAGES)):
        raise Refused("delay, loss, loss_bursts, duplicate, corrupt, reorder, rate: give at least one of them")
    for name, most in (("delay", 60000), ("jitter", params["delay"] or 0), ("rate", 2**32), ("limit", 2**31)):
        if params[name] is not None and name == "jitter" and params["delay"] is None:
            raise Refused("jitter: varies a delay, and there is none; give delay, too")
        if params[name] is not None and not 1 <= params[name] <= most:
            raise Refused("%s: %s is not between 1 and %s" % (name, params[name], most))
    bursts = params["loss_bursts"] or {}
    values = [(name, params[name]) for name in (*PERCENTAGES, "correlation")] + [("loss_bursts: " + name, value) for name, value in bursts.items()]
    for name, value in values:
        least = 0 if name == "loss_bursts: loss_between" else 0.0001
        if value is not None and not least <= value <= 100:
            raise Refused("%s: %s is not between %s and 100 percent" % (name, value, least))
    if params["reorder"] is not None and params["delay"] is None:
        raise Refused("reorder: packets overtake those that wait, and none waits; give delay, too")
    if params["distribution"] != "uniform" and params["jitter"] is None:
        raise Refused("distribution: %s says how delays vary, and these do not; give jitter, too" % params["distribution"])
    if params["correlation"] is not None and all(params[name] is None for name in ("jitter", *PERCENTAGES)):
        raise Refused("correlation: is of random choices, and there is none; give jitter, loss, duplicate, corrupt or reorder")
    for name in SELECTORS:
        if params[name] is not None and not params[name]:
            raise Refused("%s: the list is empty (a group without hosts?), and would not mean nobody; leave the option out, or fill it" % name)
    for name in ("destination_port", "source_port"):
        if params[name] and params["protocol"] == "icmp":
            raise Refused("%s: ICMP has no ports; leave it out, or choose another protocol" % name)
        for port in params[name] or []:
            if not 1 <= port <= 65535:
                raise Refused("%s: %s is no port" % (name, port))


def chosen(params):
    """[(IP version, what a packet is like)]: one of them must apply. Refused when an address could never meet one of its own kind."""
    ends = {name: interfaces.networks(params, name) for name in ("destination", "source")}
    families = [version for version in (4, 6) if all(not many or any(one.version == version for one in many) for many in ends.values())]
    for name, other in (("destination", "source"), ("source", "destination")):
        for one in ends[name]:
            if one.version not in families:
                raise Refused("%s: no IPv%s address is given in %s, so packets of %s would never be hit" % (name, one.version, other, interfaces.words(one)))
    protocols = [params["protocol"]] if params["protocol"] else ["tcp", "udp"] if params["destination_port"] or params["source_port"] else [None]
    found = []
    for version in families:
        lists = [list(map(str, ipaddress.collapse_addresses(one for one in ends[name] if one.version == version))) or [None] for name in ends]
        lists += [protocols, params["destination_port"] or [None], params["source_port"] or [None]]
        for row in itertools.product(*lists):
            names = ("destination", "source", "protocol", "destination_port", "source_port")
            found.append((version, {name: value for name, value in zip(names, row) if value is not None}))
    if len(found) > MAXIMUM_FILTERS:
        raise Refused("destination, source, ports: together these are %s filters, and the kernel asks one after the other for every packet; at most %s. "
                      "Give networks instead of addresses, or fewer ports" % (len(found), MAXIMUM_FILTERS))
    return found


def place(params, look):
    """Where the interface is: the words before each command, who it is, and its container as the fingerprint knows it."""
    if params["container"] is None:
        if os.geteuid() != 0:
            raise Refused("only root may change how packets leave: use become: true")
        return [], "", None, "self"
    there = container.running(params, look)
    within = container.inside(there, "--net")
    name = there["Name"].lstrip("/")
    return within, "container %s, " % name, "%s (%s)" % (name, there["Id"][:12]), within[1]


def plan(params, look):
    refuse_what_makes_no_sense(params)
    packets = chosen(params)
    within, who, in_picture, pid = place(params, look)
    space = look(["readlink", "/proc/%s/ns/net" % pid]).out.strip()
    if within and space == look(["readlink", "/proc/self/ns/net"]).out.strip():
        raise Refused("container: it has the host's own network; leave out container, and narrow it by ports")
    filters = netem.classifier(look)
    name = interfaces.leading_out(params, look, within)
    index, rows = interfaces.usable(name, look, within, lambda index: netem.handles(index)[0])
    controllers = [] if within else connection.controllers()
    spared = netem.VITAL + [(6 if ":" in address else 4, {"protocol": "tcp", "destination": address, "source_port": port}) for address, port in controllers]
    root = netem.handles(index)[0]
    own_rows = ["%s %s %s" % (name, row.get("parent", "root"), row["handle"]) for row in rows] + ["%s root %s" % (name, root)]
    return Plan(
        claim=claim(params, look),
        target="%s%s: %s" % (who, name, " ".join(netem.told(params)[2:])),
        details=["IPv%s packets that leave by %s%s" % (version, name, "".join(", %s %s" % (key.replace("_", " "), like[key]) for key in like))
                 for version, like in packets]
        + ["spared: " + one for one in ["the controller %s on port %s" % one for one in controllers] + ["ARP, neighbour discovery, DHCP"]],
        holds=["qdisc of %s in %s" % (name, space)],
        areas={"containers": [in_picture]} if in_picture else {"qdiscs": own_rows},
        containers_command=tuple(container.client(params)) if within else ("docker",),
        **netem.tree(name, index, params, filters, spared, packets, within),
    )


def main():
    run_fault(claim, plan, OPTIONS, tools=lambda params: ["tc", "ip"] + list(container.TOOLS if params["container"] is not None else ()),
              mutually_exclusive=[("loss", "loss_bursts")])


if __name__ == "__main__":
    main()
