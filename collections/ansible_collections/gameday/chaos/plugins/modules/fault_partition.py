#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: fault_partition
short_description: Cut a host or a container off from others
version_added: 0.2.0
description:
  - Packets from or to some addresses are dropped, refused, or lost at random, for IPv4 and IPv6 alike. Connections that exist already are hit, too.
  - Done by nftables, in a table of its own that touches no other rules. The addresses in it have a time limit that the kernel keeps, so that
    the partition ends even when no process of ours is alive any more, and at once after a reboot.
  - Never hit are the connection that Ansible comes through (the controller's address at the port of sshd here), loopback, ARP and neighbour discovery.
  - On a host it hits what the host itself sends and receives, not what it forwards for its containers; give O(container) for these.
extends_documentation_fragment:
  - gameday.chaos.fault
  - gameday.chaos.container
  - gameday.chaos.attributes.changes
author: Gameday (@gameday)
options:
  addresses:
    description:
      - Addresses, networks (V(192.0.2.0/24), V(2001:db8::/32)) or names of the others. A name is looked up once, when the fault begins, and all its
        addresses are taken.
      - V(0.0.0.0/0) and V(::/0) are everybody.
    type: list
    elements: str
    required: true
  action:
    description:
      - V(drop) lets packets vanish, and the other side waits for its time-outs.
      - V(reject) refuses them at once, by a TCP reset where it is TCP, else by an ICMP message.
      - V(loss) lets O(percent) of them vanish, chosen at random.
    type: str
    choices: [drop, reject, loss]
    default: drop
  percent:
    description: How many of 100 packets get lost, for O(action=loss). More than 0, at most 100, in hundredths.
    type: float
  direction:
    description: Packets that come in from these addresses, packets that go out to them, or both. With one of them the partition is one-way.
    type: str
    choices: [both, in, out]
    default: both
  protocol:
    description: Only packets of this protocol.
    type: str
    choices: [any, tcp, udp, icmp]
    default: any
  ports:
    description: Only packets from or to these ports of the others. TCP and UDP, unless O(protocol) says which.
    type: list
    elements: int
    default: []
  local_ports:
    description: Only packets from or to these ports here.
    type: list
    elements: int
    default: []
requirements:
  - nft (package nftables) on the host, and root. With O(container) also the docker command-line client and nsenter.
"""

EXAMPLES = r"""
- name: The API cannot reach the database
  gameday.chaos.fault_partition:
    addresses: [db1.example.org]
    ports: [5432]
    duration: 60

- name: 30 % of the packets between this host and a network get lost
  gameday.chaos.fault_partition:
    addresses: [192.0.2.0/24]
    action: loss
    percent: 30
    duration: 60

- name: The hosts of the group api cannot reach those of the group database, which still reach them (one-way)
  gameday.chaos.fault_partition:
    addresses: "{{ groups.database | map('extract', hostvars, 'ansible_host') | list }}"
    direction: out
    duration: 60
  when: inventory_hostname in groups.api

- name: Two halves that do not see each other
  gameday.chaos.fault_partition:
    addresses: "{{ groups[(inventory_hostname in groups.left) | ternary('right', 'left')] | map('extract', hostvars, 'ansible_host') | list }}"
    duration: 60
"""

RETURN = r"""
fault:
  description: The fault as the ledger has it. See the documentation page C(docs/results.md) for its keys.
  returned: when the fault is, was or would be in place
  type: dict
"""

import hashlib
import ipaddress
import socket

from ansible_collections.gameday.chaos.plugins.module_utils import connection, container
from ansible_collections.gameday.chaos.plugins.module_utils.fault import Check, Plan, Refused, run_fault

OPTIONS = {
    **container.OPTIONS,
    "addresses": {"type": "list", "elements": "str", "required": True},
    "action": {"type": "str", "choices": ["drop", "reject", "loss"], "default": "drop"},
    "percent": {"type": "float"},
    "direction": {"type": "str", "choices": ["both", "in", "out"], "default": "both"},
    "protocol": {"type": "str", "choices": ["any", "tcp", "udp", "icmp"], "default": "any"},
    "ports": {"type": "list", "elements": "int", "default": []},
    "local_ports": {"type": "list", "elements": "int", "default": []},
}
FAMILIES = {4: "ip", 6: "ip6"}
NEIGHBOURS = "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit, nd-router-advert } accept"
# Name, hook, where the other side stands in a packet, the interface that may be loopback, the other side's port, ours.
CHAINS = (("out", "output", "daddr", "oifname", "dport", "sport"), ("in", "input", "saddr", "iifname", "sport", "dport"))
GRACE = 2  # seconds that the kernel waits longer than the timer


def tools(params):
    return ("nft", *(container.TOOLS if params["container"] else ()))


def claim(params, look):
    """By what it cuts off, as it was written: the same list is the same fault, in whatever order."""
    where = "container/" + container.name_of(params, look) if params["container"] is not None else "host"
    return "partition/%s from %s" % (where, ",".join(sorted(set(params["addresses"]))))


def networks(addresses):
    """{4: [networks], 6: [networks]} without overlaps, which nftables refuses."""
    found = {4: [], 6: []}
    for text in addresses:
        try:
            known = [ipaddress.ip_network(text.strip(), strict=False)]
        except ValueError:
            known = resolved(text)
        for network in known:
            found[network.version].append(network)
    if not found[4] + found[6]:
        raise Refused("addresses: the list is empty; say from whom to cut off, or 0.0.0.0/0 and ::/0 for everybody")
    return {version: list(ipaddress.collapse_addresses(several)) for version, several in found.items()}


def resolved(name):
    try:
        answers = socket.getaddrinfo(name.strip(), None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Refused("addresses: %r is neither an address, nor a network, nor a name that this host can look up (%s)" % (name, error)) from None
    return [ipaddress.ip_network(answer[4][0].partition("%")[0]) for answer in answers]


def validate(params):
    if params["action"] == "loss" and not 0.01 <= (params["percent"] or 0) <= 100:
        raise Refused("percent: %s is not between 0.01 and 100; say how many of 100 packets are to be lost" % params["percent"])
    if params["action"] != "loss" and params["percent"] is not None:
        raise Refused("percent: is for action: loss only; leave it out, or choose that action")
    for option in ("ports", "local_ports"):
        if params[option] and params["protocol"] == "icmp":
            raise Refused("%s: ICMP has no ports; leave them out, or choose another protocol" % option)
        for port in params[option]:
            if not 1 <= port <= 65535:
                raise Refused("%s: %s is not between 1 and 65535" % (option, port))


def protocols(params, version):
    if params["protocol"] == "icmp":
        return "meta l4proto %s " % ("icmp" if version == 4 else "ipv6-icmp")
    if params["protocol"] != "any":
        return "meta l4proto %s " % params["protocol"]
    return "meta l4proto { tcp, udp } " if params["ports"] or params["local_ports"] else ""


def endings(params):
    """What becomes of a packet that is hit; all endings, tried in turn."""
    if params["action"] == "loss":
        return ["numgen random mod 10000 < %d counter drop" % round(params["percent"] * 100)]
    return ["counter drop"] if params["action"] == "drop" else ["meta l4proto tcp counter reject with tcp reset", "counter reject"]


def rules(params, spared):
    """(chain, rule) of both directions. What is spared comes first."""
    for chain, hook, there, interface, peer, ours in CHAINS:
        if params["direction"] not in ("both", chain):
            continue
        yield "add chain inet {table} %s { type filter hook %s priority -200; }" % (chain, hook)
        yield "add rule inet {table} %s %s lo accept" % (chain, interface)
        yield "add rule inet {table} %s %s" % (chain, NEIGHBOURS)
        for address, port in spared:
            yield "add rule inet {table} %s %s %s %s tcp %s %s accept" % (chain, FAMILIES[ipaddress.ip_address(address).version], there, address, ours, port)
        ports = "".join("th %s { %s } " % (side, ", ".join(map(str, sorted(set(params[option])))))
                        for side, option in ((peer, "ports"), (ours, "local_ports")) if params[option])
        for version, family in FAMILIES.items():
            for ending in endings(params):
                yield "add rule inet {table} %s %s %s @cut%s %s%s%s" % (chain, family, there, version, protocols(params, version), ports, ending)


def transaction(table, params, found, spared):
    """The whole table as one text for nft, which takes it at once or not at all."""
    lines = ["add table inet {table}", "delete table inet {table}", "add table inet {table}"]
    lines += ["add set inet {table} cut%s { type ipv%s_addr; flags interval,timeout; }" % (version, version) for version in FAMILIES]
    lines += ["add element inet {table} cut%s { %s }" % (version, ", ".join("%s timeout %ss" % (one, params["duration"] + GRACE) for one in several))
              for version, several in found.items() if several]
    return "; ".join([*lines, *rules(params, spared)]).replace("{table}", table)


def plan(params, look):
    validate(params)
    found = networks(params["addresses"])
    named = claim(params, look)
    table = "gameday_" + hashlib.sha256(named.encode("utf-8", "surrogateescape")).hexdigest()[:12]
    where, spared = [], connection.controllers()
    if params["container"] is not None:
        target = container.running(params, look)
        if target["HostConfig"].get("NetworkMode") == "host":
            raise Refused("container: %s has the host's network; leave container out to cut off the host" % params["container"])
        where, spared = container.inside(target, "--net"), []
    answer = look([*where, "nft", "list", "tables", "inet"])
    if answer.code:
        raise Refused("nftables cannot be used here: it needs root (use become) and a kernel with nf_tables. nft said: %s" % answer.words)
    words = [str(one) for several in found.values() for one in several]
    return Plan(
        claim=named,
        target="%s from %s" % ("container " + params["container"] if where else "this host", ", ".join(params["addresses"])),
        details=["%s, %s: %s" % (params["action"], params["direction"], ", ".join(words))]
        + ["spared: %s at our port %s, Ansible's own connection" % pair for pair in spared],
        inject=[[*where, "nft", transaction(table, params, found, spared)]],
        revert=[[*where, "nft", "delete", "table", "inet", table]],
        check=Check(["seek", table, *where, "nft", "list", "tables", "inet"], broken=["there"], whole=["missing"], gone_after_reboot=True),
        areas={} if where else {"nftables": ["inet " + table]},
    )


def main():
    run_fault(claim, plan, OPTIONS, tools=tools)


if __name__ == "__main__":
    main()
