#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: fault_partition
short_description: Cut a host or a container off from others
version_added: 0.1.0
description:
  - Drops, rejects, or loses at random the packets between this host and others, or between a container and others, by address, port, protocol and
    direction, for IPv4 and IPv6.
  - By nftables, in a table of its own before all other rules. The rules of others are not touched. The kernel itself stops hitting some seconds after
    O(duration), even when nothing of ours is alive any more.
  - Connections that exist are cut too, and go on when the fault ends, unless an end has given up.
  - On a host, what it forwards is hit too, so also its containers behind a bridge. There a port is the one inside of the container.
  - Never hit are loopback (and so the host's own addresses), the controller's ssh connection and its next one, ARP, IPv6 neighbour discovery, and DHCP.
  - Several faults with other addresses or ports may be in place together.
  - What leaves past the kernel's packet filter is not hit, such as flow offload, XDP and Cilium's socket load balancing.
  - A firewall that is reloaded with C(flush ruleset) takes the fault away before its time; the fault then tells that it did not last.
extends_documentation_fragment:
  - gameday.chaos.fault
  - gameday.chaos.container
  - gameday.chaos.attributes.changes
author: Gameday (@gameday)
options:
  addresses:
    description:
      - The others, as addresses, networks or host names. V(0.0.0.0/0) and V(::/0) together are everybody.
      - A name is resolved once, by the host, to all of its addresses; the preview shows them.
      - One of O(addresses) and O(ports) is needed. Without addresses, O(ports) are cut towards everybody.
    type: list
    elements: str
  ports:
    description:
      - Only packets of TCP and UDP with one of these ports at one of their ends, whichever. Without it, everything is hit, also what has no ports.
      - A port such as V(5432), or a range such as V(8000-8100).
    type: list
    elements: str
  protocol:
    description: Only packets of this protocol. V(icmp) is both ICMP and ICMPv6.
    type: str
    choices: [any, tcp, udp, icmp]
    default: any
  direction:
    description:
      - V(out) hits packets that leave towards the others, V(in) those that come from them, V(both) both.
      - Packets, not connections. A TCP connection needs both ways, so it hangs with any of them; but with V(in), what is sent still arrives there.
    type: str
    choices: [in, out, both]
    default: both
  action:
    description:
      - V(drop) lets packets vanish, so that there are timeouts. Only a program of this host that sends by UDP is told at once (EPERM), since the
        kernel drops what leaves under its eyes; use O(direction=in) where that matters.
      - V(reject) refuses them at once, TCP by a reset, everything else by ICMP port unreachable. Existing TCP connections break.
      - V(loss) drops O(percent) of them, each by a throw of dice.
    type: str
    choices: [drop, reject, loss]
    default: drop
  percent:
    description:
      - With O(action=loss), and required then, the share of packets that are lost in each direction, from V(0.01) to V(100).
      - With O(direction=both), a packet and its answer are both at risk, so V(30) lets 49 % of pings come back.
    type: float
  spare:
    description: Addresses and networks that are never hit, in addition to those above, for example those of the monitoring.
    type: list
    elements: str
    default: []
requirements:
  - C(nft) 0.9.3 or newer on the host, and root. With O(container), the docker client and C(nsenter) as well.
"""

EXAMPLES = r"""
- name: The database cannot be reached from here for a minute
  gameday.chaos.fault_partition:
    addresses: ["{{ hostvars['db1'].ansible_host }}"]
    ports: [5432]
    duration: 60

- name: None of these hosts reaches any of the group databases
  gameday.chaos.fault_partition:
    addresses: "{{ groups['databases'] | map('extract', hostvars, 'ansible_host') }}"
    duration: 60

- name: A container is alone in the world
  gameday.chaos.fault_partition:
    container: voiceassist-api
    addresses: [0.0.0.0/0, "::/0"]
    action: reject
    duration: 60

- name: A third of the packets to and from the cache are lost
  gameday.chaos.fault_partition:
    addresses: [cache.example.com]
    action: loss
    percent: 30
    duration: 60
"""

RETURN = r"""
fault:
  description: The fault as the ledger has it. See the documentation page C(docs/results.md) for its keys.
  returned: when the fault is, was or would be in place
  type: dict
"""

import ipaddress
import re
import socket

from ansible_collections.gameday.chaos.plugins.module_utils import connection, container, interfaces, nftables
from ansible_collections.gameday.chaos.plugins.module_utils.fault import Plan, Refused, run_fault

OPTIONS = {
    "addresses": {"type": "list", "elements": "str"},
    "ports": {"type": "list", "elements": "str"},
    "protocol": {"type": "str", "choices": ["any", "tcp", "udp", "icmp"], "default": "any"},
    "direction": {"type": "str", "choices": ["in", "out", "both"], "default": "both"},
    "action": {"type": "str", "choices": ["drop", "reject", "loss"], "default": "drop"},
    "percent": {"type": "float"},
    "spare": {"type": "list", "elements": "str", "default": []},
    **container.OPTIONS,
}
FAMILIES = {4: ("ip", "four", "ipv4_addr"), 6: ("ip6", "six", "ipv6_addr")}
EARLY = -300  # before every other filter, and before connection tracking has a say
ND = "nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert, mld-listener-query, mld-listener-report, mld2-listener-report"
DHCP = "{ 67, 68, 546, 547 }"


def claim(params, look):
    """Who is cut off, and from what: faults that cut elsewhere are others, and may be in place together."""
    who = "container/" + container.name_of(params, look) if params["container"] is not None else "host"
    chosen = {name: "+".join(sorted(set(params[name]))) for name in ("addresses", "ports") if params[name]}
    chosen.update((name, params[name]) for name, all in (("protocol", "any"), ("direction", "both")) if params[name] != all)
    return ",".join(["partition/" + who, *("%s=%s" % pair for pair in chosen.items())])


def networks(option, values):
    """{what was given: networks}, by the host's own resolver where a name was given."""
    found = {}
    for value in values:
        try:
            found[value] = [ipaddress.ip_network(interfaces.without_zone(value), strict=False)]
            continue
        except ValueError:
            if not re.fullmatch(r"(?=.*[A-Za-z])[A-Za-z0-9_.-]+", value):
                raise Refused("%s: %r is no address, network or host name" % (option, value)) from None
        try:
            answers = {one[4][0] for one in socket.getaddrinfo(value, None)}
        except (OSError, UnicodeError) as error:
            raise Refused("%s: this host cannot resolve %r (%s); give addresses, or the name as this host knows it"
                          % (option, value, getattr(error, "strerror", None) or error)) from None
        found[value] = sorted(map(ipaddress.ip_network, (answer.partition("%")[0] for answer in answers)), key=str)
    return found


def own(network):
    """Is this one of our own addresses? What is sent there never leaves loopback."""
    if network.is_loopback:
        return True
    if network.num_addresses > 1:
        return False
    with socket.socket(socket.AF_INET if network.version == 4 else socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind((str(network.network_address), 0))
        except OSError:
            return False
    return not network.is_unspecified and not network.is_multicast


def port_elements(values):
    """Ports and ranges, each once: the kernel wants ranges that do not touch."""
    numbers = set()
    for value in values:
        first, dash, last = value.partition("-")
        if not (first.isascii() and first.isdigit() and (not dash or last.isascii() and last.isdigit())):
            raise Refused("ports: %r is neither a port such as 5432 nor a range such as 8000-8100" % value)
        if not 1 <= int(first) <= int(last or first) <= 65535:
            raise Refused("ports: %s is not within 1 and 65535, or its end is before its begin" % value)
        numbers.update(range(int(first), int(last or first) + 1))
    begins = sorted(number for number in numbers if number - 1 not in numbers)
    ends = sorted(number for number in numbers if number + 1 not in numbers)
    return [str(begin) if begin == end else "%s-%s" % (begin, end) for begin, end in zip(begins, ends)]


def words(network):
    return str(network.network_address) if network.num_addresses == 1 else str(network)


def of_family(found, version):
    return [words(one) for one in ipaddress.collapse_addresses(one for many in found.values() for one in many if one.version == version)]


def chosen(params, ports):
    """The rules that decide whether a packet of these addresses is hit."""
    if ports:
        protocols = "{ tcp, udp }" if params["protocol"] == "any" else params["protocol"]
        return ["%s meta l4proto %s th %s @ports goto hit" % (nftables.IN_FORCE, protocols, end) for end in ("dport", "sport")]
    protocols = {"any": "", "icmp": " meta l4proto { icmp, ipv6-icmp }"}.get(params["protocol"], " meta l4proto " + params["protocol"])
    return [nftables.IN_FORCE + protocols + " goto hit"]


def hit(params):
    dice = "numgen random mod 10000 < %d " % round(params["percent"] * 100) if params["percent"] not in (None, 100) else ""
    return {
        "drop": ["counter drop"],
        "reject": ["meta l4proto tcp counter reject with tcp reset", "counter reject with icmpx type port-unreachable"],
        "loss": [dice + "counter drop"],
    }[params["action"]]


def sparing(spared, found):
    """What is let through before anything is asked; a later table of somebody else still judges it."""
    rules = ["icmpv6 type { %s } accept" % ND, "udp sport %s udp dport %s accept" % (DHCP, DHCP)]
    for address, port in spared:
        family = "ip6" if ":" in address else "ip"
        rules += ["%s saddr %s tcp dport %s accept" % (family, address, port), "%s daddr %s tcp sport %s accept" % (family, address, port)]
    for version in FAMILIES:
        family, addresses = FAMILIES[version][0], ", ".join(of_family(found, version))
        rules += ["%s %s { %s } accept" % (family, end, addresses) for end in ("saddr", "daddr") if addresses]
    return rules


def chains(params, found):
    """Where packets are looked at. The first rule that matches an address decides, so no packet throws dice twice."""
    def by(end):
        if not found:
            return ["goto chosen"]
        return ["%s %s @%s goto chosen" % (family, end, name) for version, (family, name, dummy) in FAMILIES.items() if of_family(found, version)]

    inwards = by("saddr") if params["direction"] != "out" else []
    outwards = by("daddr") if params["direction"] != "in" else []
    refusals = ["tcp flags & rst == rst accept", "icmp type destination-unreachable accept", "icmpv6 type destination-unreachable accept"]
    places = [
        ("input", 'iifname "lo" accept', [], inwards),
        ("output", 'oifname "lo" accept', refusals if params["action"] == "reject" else [], outwards),  # ours must get out, to be seen
        ("forward", None, [], list(dict.fromkeys(inwards + outwards))),
    ]
    return [nftables.chain(hook, "filter", hook, EARLY, [loopback] * bool(loopback) + let + ["jump spared"] + rules)
            for hook, loopback, let, rules in places if rules]


def refuse_what_makes_no_sense(params):
    for name in ("addresses", "ports"):
        if params[name] is not None and not params[name]:
            raise Refused("%s: the list is empty (a group without hosts?), and would not mean nobody; leave the option out, or fill it" % name)
    if params["addresses"] is None and params["ports"] is None:
        raise Refused("addresses, ports: give at least one of them; for everybody, addresses: [0.0.0.0/0, '::/0']")
    if params["ports"] and params["protocol"] == "icmp":
        raise Refused("ports: ICMP has none; leave out ports, or choose another protocol")
    if (params["action"] == "loss") != (params["percent"] is not None):
        raise Refused("percent: is for action: loss, and needed there")
    if params["percent"] is not None and not 0.01 <= params["percent"] <= 100:
        raise Refused("percent: %s is not between 0.01 and 100" % params["percent"])


def place(params, look, found, spared):
    """Whose packets: the words before each command, who it is, and what the fingerprint must show."""
    if params["container"] is None:
        others = [one for many in found.values() for one in many]
        if others and all(map(own, others)):
            raise Refused("addresses: all of them are this host's own; what it says to itself never leaves loopback, which is spared")
        return [], "this host", {"nftables": ["inet " + nftables.table_of(claim(params, look))]}, ["the controller %s on port %s" % one for one in spared]
    there = container.running(params, look)
    name = there["Name"].lstrip("/")
    within = container.inside(there, "--net")
    if look(["readlink", "/proc/%s/ns/net" % within[1]]).out == look(["readlink", "/proc/self/ns/net"]).out:
        raise Refused("container: %s has the host's own network; leave out container, and narrow it by ports" % name)
    return within, "container " + name, {"containers": ["%s (%s)" % (name, there["Id"][:12])]}, []


def plan(params, look):
    refuse_what_makes_no_sense(params)
    found, spared = networks("addresses", params["addresses"] or []), connection.controllers() if params["container"] is None else []
    ports, spare = port_elements(params["ports"] or []), networks("spare", params["spare"])
    within, who, areas, spared_words = place(params, look, found, spared)
    sets = [nftables.elements(name, kind, of_family(found, version)) for version, (dummy, name, kind) in FAMILIES.items() if of_family(found, version)]
    sets += [nftables.elements("ports", "inet_service", ports)] if ports else []
    parts = sets + [nftables.block("chain", "hit", hit(params)), nftables.block("chain", "chosen", chosen(params, ports)),
                    nftables.block("chain", "spared", sparing(spared, spare)), *chains(params, found)]
    what = {"drop": "drops", "reject": "rejects", "loss": "loses %s %% of" % params["percent"]}[params["action"]]
    where = {"in": "from", "out": "to", "both": "to and from"}[params["direction"]]
    kind = {"any": "packets"}.get(params["protocol"], params["protocol"] + " packets") + (" with port %s" % ", ".join(ports) if ports else "")
    others = [given if [given] == list(map(words, many)) else "%s (%s)" % (given, ", ".join(map(words, many))) for given, many in found.items()]
    return Plan(
        claim=claim(params, look),
        target="%s %s %s %s %s" % (who, what, kind, where, "%s addresses" % len(others) if len(others) > 3 else ", ".join(others) or "everybody"),
        details=["%s %s %s" % (kind, where, one) for one in others or ["everybody"]]
        + ["spared: " + one for one in [*spared_words, *map(str, spare), "loopback, neighbour discovery, DHCP"]],
        areas=areas,
        containers_command=tuple(container.client(params)),
        **nftables.timed(claim(params, look), parts, params["duration"], look, within),
    )


def main():
    run_fault(claim, plan, OPTIONS, tools=lambda params: ["nft"] + list(container.TOOLS if params["container"] is not None else ()))


if __name__ == "__main__":
    main()
