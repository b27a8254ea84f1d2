# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Network interfaces: which one packets leave by, and whether its queueing discipline may be taken. C(within): the words that lead to a namespace."""

from __future__ import annotations

import ipaddress
import json

from ansible_collections.gameday.chaos.plugins.module_utils.fault import Refused


def without_zone(address):
    """The address, or ValueError: Python takes anything behind % for a zone, even a whole rule of a packet filter."""
    if "%" in address:
        raise ValueError("no zone can be given, which packets do not carry")
    return address


def networks(params, option):
    found = []
    for given in params[option] or []:
        try:
            found.append(ipaddress.ip_network(without_zone(given)))
        except ValueError as error:
            raise Refused("%s: %r is neither an address nor a network (%s); give addresses such as 192.0.2.7 or networks such as 2001:db8::/64; "
                          "getent ahosts tells those of a name" % (option, given, error)) from None
    return found


def words(network):
    return str(network.network_address) if network.num_addresses == 1 else str(network)


def leading_out(params, look, within):
    """The one that the packets leave by: named, or found by the routes to where they go."""
    if params["interface"] is not None:
        return params["interface"]
    found = {}
    for one in networks(params, "destination"):
        if one.prefixlen:
            first = str(one.network_address + (1 if one.num_addresses > 2 else 0))
            answer = look([*within, "ip", "-j", "route", "get", first])
            if answer.code:
                raise Refused("destination: no route leads to %s: %s" % (words(one), answer.words))
            found[words(one)] = json.loads(answer.out)[0]["dev"]
    if "lo" in found.values():
        raise Refused("destination: %s is this host itself, and its packets to itself never leave it; name interface: lo if these are meant"
                      % next(one for one, name in found.items() if name == "lo"))
    if not found:
        for version in ("4", "6"):
            answer = look([*within, "ip", "-j", "-" + version, "route", "show", "default"])
            for row in json.loads(answer.out or "[]"):
                found.update(("the default route of IPv%s (%s)" % (version, hop["dev"]), hop["dev"]) for hop in [row, *row.get("nexthops", [])] if "dev" in hop)
    if not found:
        raise Refused("interface: there is no default route; name one of: %s" % ", ".join(links(look, within)))
    if len(set(found.values())) > 1:
        raise Refused("interface: the packets leave by several interfaces (%s); name one, and break them one by one"
                      % ", ".join("%s by %s" % item for item in found.items()))
    return next(iter(found.values()))


def links(look, within):
    answer = look([*within, "ip", "-j", "link", "show"])
    if answer.code:
        raise Refused("the interfaces cannot be listed: %s" % answer.words)
    return {row["ifname"]: row for row in json.loads(answer.out)}


def usable(name, look, within, ours):
    """
    What the kernel knows of the interface, and the queueing disciplines that it has by itself; Refused where they are somebody's.
    C(ours) tells the root that a fault of ours has.
    """
    known = links(look, within)
    if name not in known:
        raise Refused("interface: there is no interface %r here; there are: %s" % (name, ", ".join(known)))
    if "UP" not in known[name]["flags"]:
        raise Refused("interface: %s is down: a fault on it would show nothing" % name)
    answer = look([*within, "tc", "-j", "qdisc", "show", "dev", name])
    if answer.code:
        raise Refused("the queueing disciplines of %s cannot be listed: %s" % (name, answer.words))
    rows = json.loads(answer.out or "[]")
    for row in rows:
        if row.get("root") and row["handle"] == ours(known[name]["ifindex"]):
            raise Refused("interface: %s has a fault that no record here knows of; `tc qdisc del dev %s root` takes it away" % (name, name))
        if row.get("root") and row["handle"] != "0:":
            raise Refused("interface: %s has a queueing discipline that somebody configured, %s %s, which could not be put back: break another "
                          "interface, use fault_proxy, or take it away yourself for the experiment (tc qdisc del dev %s root)"
                          % (name, row["kind"], row["handle"], name))
    return known[name]["ifindex"], rows
