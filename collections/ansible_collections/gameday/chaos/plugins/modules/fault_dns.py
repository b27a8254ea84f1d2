#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: fault_dns
short_description: Break the resolution of names for a host or a container
version_added: 0.1.0
description:
  - Names resolve to a wrong address, or to nothing, or no name server answers, for one host or one container. No file is rewritten in place.
  - One such fault at a time on a host, and on a container.
  - Programs that remember what they resolved, as connection pools and Java do, show it only when they resolve again. What they learn meanwhile, they
    may remember after the fault. C(nscd) and C(systemd-resolved) of the host are made to forget, before and after.
  - Programs that resolve names by HTTPS, past the system, are not hit.
extends_documentation_fragment:
  - gameday.chaos.fault
  - gameday.chaos.container
  - gameday.chaos.attributes.changes
author: Gameday (@gameday)
options:
  action:
    description:
      - V(wrong_address) mounts a changed copy of C(/etc/hosts) over it, in which O(names) have O(address). The mount goes when the fault ends, or
        with a reboot, or with the container's restart.
      - V(no_such_name) leads questions to the name servers in C(/etc/resolv.conf) to a small server of ours on loopback, by nftables. It answers that
        O(names) do not exist (NXDOMAIN), and passes everything else on. The kernel leads them back some seconds after O(duration), even when nothing
        of ours is alive any more. A program that asks from one port of its own and no other (a caching server may be told to) gets no answer meanwhile,
        where it has asked from there just before.
      - V(unreachable) drops the answers of all name servers (from ports 53 and 853), by nftables, so that programs run into their timeouts, likewise
        only for so long. What C(/etc/hosts) knows still resolves. Logging in may be slow where it asks for names.
    type: str
    choices: [wrong_address, no_such_name, unreachable]
    default: wrong_address
  names:
    description:
      - The host names. Needed for all actions but V(unreachable), where they have no meaning.
      - With O(action=no_such_name), also with each of the search domains after them. They must resolve before, and not be in C(/etc/hosts).
    type: list
    elements: str
  address:
    description:
      - The wrong address, IPv4 or IPv6. Required with O(action=wrong_address).
      - V(192.0.2.1) belongs to nobody, so connecting to it times out. V(127.0.0.1) is refused at once, where nobody listens.
    type: str
requirements:
  - C(nft) 0.9.3 or newer for V(no_such_name) and V(unreachable), and root. C(cp), C(mount) and C(umount) for V(wrong_address).
  - With O(container), the docker client and C(nsenter) as well, and util-linux 2.34 or newer for V(wrong_address).
"""

EXAMPLES = r"""
- name: The database's name leads to nowhere
  gameday.chaos.fault_dns:
    names: [db.example.com]
    address: 192.0.2.1
    duration: 60

- name: The database's name does not exist, for one container
  gameday.chaos.fault_dns:
    container: voiceassist-api
    action: no_such_name
    names: [postgres]
    duration: 60

- name: No name server answers
  gameday.chaos.fault_dns:
    action: unreachable
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
import os
import re
import sys
from dataclasses import dataclass, field

from ansible_collections.gameday.chaos.plugins.module_utils import container, interfaces, name_server, nftables, verbs
from ansible_collections.gameday.chaos.plugins.module_utils.command import find_tool
from ansible_collections.gameday.chaos.plugins.module_utils.fault import Check, Plan, Refused, kept, run_fault

OPTIONS = {
    "action": {"type": "str", "choices": ["wrong_address", "no_such_name", "unreachable"], "default": "wrong_address"},
    "names": {"type": "list", "elements": "str"},
    "address": {"type": "str"},
    **container.OPTIONS,
}
HOSTS = "/etc/hosts"
GROUP = 6775149  # of nobody: by it the kernel knows our own name server's questions
CACHES = (("/run/nscd/socket", ["nscd", "--invalidate=hosts"]), ("/run/systemd/resolve/io.systemd.Resolve", ["resolvectl", "flush-caches"]))
NOT_THERE = (126, 127)  # the container has no getent

# lead_names FILE ADDRESS NAME...: in a file as /etc/hosts, these names have this address and no other.
LEAD_NAMES = r"""
import sys
path, address, *names = sys.argv[1:]
lines = [" ".join([address, *names])]
with open(path, "r+", encoding="utf-8", errors="surrogateescape") as file:
    for line in file.read().splitlines():
        words = line.partition("#")[0].split()
        left = [word for word in words if word.lower() not in names]
        if left == words:
            lines.append(line)
        elif len(left) > 1:
            lines.append(" ".join(left))
    file.seek(0)
    file.truncate()
    file.write("\n".join(lines) + "\n")
"""
verbs.PROGRAMS.update(name_server=name_server.source(), lead_names=LEAD_NAMES)


@dataclass
class Place:
    """Where names are resolved: the host, or a container."""

    words: str
    areas: dict
    root: str = ""  # before the path of a file, to see it from the host
    within: list = field(default_factory=list)  # before commands that must know its network
    process: tuple = ("self", "0")
    getent: list = field(default_factory=lambda: [find_tool("getent") or "getent"])

    def entering(self, namespace):
        """The first words of a vector that is run in one of its namespaces, as long as it lives."""
        return ["inside", *self.process, namespace, "--"] if self.root else []


def claim(params, look):
    return "dns/" + ("container/" + container.name_of(params, look) if params["container"] is not None else "host")


def place_of(params, look):
    if params["container"] is None:
        areas = {"mounts": [HOSTS], "files": [HOSTS]}
        return Place("this host", areas if params["action"] == "wrong_address" else {"nftables": ["inet " + nftables.table_of(claim(params, look))]})
    found = container.running(params, look)
    name, within = found["Name"].lstrip("/"), container.inside(found, "--net")
    if params["action"] != "wrong_address" and found["HostConfig"].get("NetworkMode") == "host":
        raise Refused("container: %s has the host's own network, and so would the fault; use action: wrong_address, or leave out container" % name)
    return Place("container " + name, {"containers": ["%s (%s)" % (name, found["Id"][:12])]}, "/proc/%s/root" % within[1], within, tuple(within[1:3]),
                 [*container.client(params), "exec", found["Id"], "getent"])


def names_of(params):
    names = [name.rstrip(".").lower() for name in params["names"] or []]
    if params["action"] == "unreachable":
        if names:
            raise Refused("names: have no meaning with action: unreachable, which is for all names; leave them out, or use action: no_such_name")
        return names
    if not names:
        raise Refused("names: give at least one host name")
    for name in names:
        if len(name) > 253 or not all(re.fullmatch(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", label) for label in name.split(".")):
            raise Refused("names: %r is no host name" % name)
        if name == "localhost":
            raise Refused("names: localhost is what the host itself is called by; choose another")
    return list(dict.fromkeys(names))


def meanings(place, names, look):
    """What each name means now, as a set of addresses; None where the place has no getent to ask."""
    found = {}
    for name in names:
        answer = look([*place.getent, "ahosts", name])
        found[name] = None if answer.code in NOT_THERE else {line.split()[0] for line in answer.out.splitlines() if line.strip()}
    return found


def read(place, path, look):
    """The words of each line of a file, without comments."""
    answer = look(["cat", place.root + path])
    if answer.code:
        raise Refused("%s of %s cannot be read: %s" % (path, place.words, answer.words))
    return [line.partition("#")[0].split() for line in answer.out.splitlines()]


def forgetting(params):
    """The commands by which the host's own caches forget."""
    return [[find_tool(argv[0]), *argv[1:]] for socket, argv in CACHES if params["container"] is None and os.path.exists(socket) and find_tool(argv[0])]


def wrong_address(params, place, names, now, look):
    """A copy without these names, but for one line, is mounted over the file; in a container by way of its /dev, which is always its own memory."""
    try:
        address = str(ipaddress.ip_address(interfaces.without_zone(params["address"] or "")))
    except ValueError:
        raise Refused("address: %r is no address; action: wrong_address needs one, for example 192.0.2.1" % params["address"]) from None
    for name, meaning in now.items():
        if meaning == {address}:
            raise Refused("address: %s means %s already, so a fault would show nothing" % (name, address))
    where = look(["readlink", "-f", HOSTS]).out.strip() if not place.root else HOSTS
    if place.root and "--namespace" not in look(["umount", "--help"]).out:
        raise Refused("umount of this host cannot reach into a container (that needs util-linux 2.34 or newer); use action: no_such_name")
    copy, source, enter = kept(claim(params, look), "hosts"), "", place.entering("--net")
    inject, revert, into = [[*enter, "cp", "-aL", place.root + HOSTS, copy], ["lead_names", copy, address, *names]], [], []
    if place.root:
        source = "/dev/.gameday-" + hashlib.sha256(copy.encode("utf-8", "surrogateescape")).hexdigest()[:12]
        inject.append([*enter, "cp", "-a", "--remove-destination", "--no-target-directory", copy, place.root + source])
        revert.append([*enter, "rm", "-f", place.root + source])
        into = ["--namespace", place.process[0]]
    inject.append([*enter, "mount", "-n", *into, "--bind", source or copy, where])
    ours = [*place.process, source[4:] or copy[copy.rindex("/faults/"):], where]
    way = ["while_mounted", *ours, *place.entering("--pid"), "umount", "-n", *into, "--lazy", where]
    question = [*place.getent, "ahosts", names[0]] if now[names[0]] is not None else []
    return {
        "inject": [*inject, *revert, *forgetting(params)],
        "revert": [way, *revert, *forgetting(params)],
        "check": Check(["resolved", "", *question, "--", "mounted_over", *ours], broken=["%s *; mounted" % address if question else "mounted"], whole=["gone"],
                       gone_after_reboot=True),
    }


def is_address(text):
    """What a container writes into its files comes into rules of the packet filter, and must be no more than that."""
    try:
        return bool(ipaddress.ip_address(text))
    except ValueError:
        return False


def servers_of(place, look):
    """The name servers and the search domains of the place."""
    lines = [words for words in read(place, "/etc/resolv.conf", look) if len(words) > 1]
    servers = [server for server in (words[1].partition("%")[0] for words in lines if words[0] == "nameserver") if is_address(server)]
    searched = [words[1:] for words in lines if words[0] in ("search", "domain")]
    return list(dict.fromkeys(servers)), [domain.strip(".").lower() for domain in (searched or [[]])[-1] if domain.strip(".")]


def by_family(servers):
    """(ip or ip6, their addresses) for each family that they have."""
    found = [(family, ", ".join(server for server in servers if (":" in server) == colon)) for family, colon in (("ip", False), ("ip6", True))]
    return [(family, addresses) for family, addresses in found if addresses]


def redirected(servers, port):
    """Who asks them asks us, but for ourselves."""
    return ["meta skgid %s accept" % GROUP, *(
        "%s %s daddr { %s } meta l4proto { tcp, udp } th dport 53 redirect to :%s" % (nftables.IN_FORCE, family, addresses, port)
        for family, addresses in by_family(servers))]


def refused(servers, port):
    """
    Only what is new is redirected: who asks from a port from which one of them was asked a moment ago would still be led to that one. It is refused, and
    asks again from another port.
    """
    rules = ["meta skgid %s accept" % GROUP]
    for family, addresses in by_family(servers):
        for protocol, how in (("tcp", "tcp reset"), ("udp", "icmpx type port-unreachable")):
            rules.append("%s ct direction original ct original %s daddr { %s } meta l4proto %s ct original proto-dst 53 %s dport != %s reject with %s"
                         % (nftables.IN_FORCE, family, addresses, protocol, protocol, port, how))
    return rules


def no_such_name(params, place, names, now, look):
    for name in names:
        if any(name in map(str.lower, words[1:]) for words in read(place, HOSTS, look)):
            raise Refused("names: %s is in %s of %s, which is asked before any name server; use action: wrong_address" % (name, HOSTS, place.words))
        if now[name] is not None and not now[name]:
            raise Refused("names: %s does not resolve in %s as it is, so a fault would show nothing" % (name, place.words))
    servers, domains = servers_of(place, look)
    if not servers:
        raise Refused("/etc/resolv.conf of %s names no name server whose answers could be changed; use action: wrong_address" % place.words)
    hooked = next((words[1:] for words in read(place, "/etc/nsswitch.conf", look) if words[:1] == ["hosts:"]), []) if not place.root else []
    if "resolve" in hooked and "dns" not in hooked[:hooked.index("resolve")]:
        raise Refused("names of this host are resolved by systemd-resolved directly (resolve in /etc/nsswitch.conf), past the name servers in "
                      "/etc/resolv.conf; use action: wrong_address, or unreachable")
    denied = [name + dot for name in names for dot in ("", *("." + domain for domain in domains))]
    load, port = kept(claim(params, look), "load"), 20000 + int(nftables.table_of(claim(params, look))[-6:], 16) % 10000
    enter = [find_tool("nsenter") or "nsenter", "--target", place.process[0], "--net", "--"] if place.root else []
    chains = [nftables.chain("output", "nat", "output", -150, redirected(servers, port)),
              nftables.chain("known", "filter", "output", 0, refused(servers, port))]
    timed = nftables.timed(claim(params, look), chains, params["duration"], look, place.within)
    program, seconds = kept(claim(params, look), "name_server"), str(params["duration"] + nftables.MOMENT)
    serve = ["start_load", load, "--", *enter, sys.executable, "-I", "-S", program, "serve", str(port), str(GROUP), seconds, ",".join(servers), *denied]
    ask = [[*enter, "name_server", "ask", *whom, names[0]] for whom in (("127.0.0.1", str(port)), (servers[0], "53"))]  # it is there; it is asked
    question = [*place.getent, "ahosts", names[0]] if now[names[0]] is not None else []
    return {
        "inject": [["name_server", "keep", program], serve, ask[0], *timed["inject"], ask[1], *forgetting(params)],
        "revert": [*timed["revert"], ["end_load", load], *forgetting(params)],
        "check": Check(["resolved", load, *question, "--", *timed["check"].argv], broken=["no answer; in force*" if question else "in force*"], whole=["gone"],
                       left=["*expired", "*in force*"],
                       gone_after_reboot=True),
    }


def unreachable(params, place, names, now, look):
    """What comes from a name server, not what goes to it: then a program waits for it, and is not told by the kernel. Loopback too: many ask a stub."""
    rules = ["%s meta l4proto { tcp, udp } th sport { 53, 853 } counter drop" % nftables.IN_FORCE]
    timed = nftables.timed(claim(params, look), [nftables.chain("input", "filter", "input", -300, rules)], params["duration"], look, place.within)
    enter = [find_tool("nsenter") or "nsenter", "--target", place.process[0], "--net", "--"] if place.root else []
    silent = [[*enter, "name_server", "silent", server] for server in servers_of(place, look)[0][:1]]
    return dict(timed, inject=[*timed["inject"], *silent, *forgetting(params)])


def plan(params, look):
    names = names_of(params)
    if params["address"] is not None and params["action"] != "wrong_address":
        raise Refused("address: is only for action: wrong_address")
    if os.geteuid() != 0:
        raise Refused("fault_dns needs root, for mounts and the packet filter: use become")
    place = place_of(params, look)
    now = meanings(place, names, look)
    act = {"wrong_address": wrong_address, "no_such_name": no_such_name, "unreachable": unreachable}[params["action"]](params, place, names, now, look)
    meaning = {"wrong_address": "%s" % params["address"], "no_such_name": "nothing", "unreachable": "no answer"}[params["action"]]
    return Plan(
        claim=claim(params, look),
        target="the name%s %s for %s" % ("s" * (len(names) != 1), ", ".join(names) or "of everybody", place.words),
        details=["%s: now %s, then %s" % (name, ", ".join(sorted(was)) or "nothing" if was is not None else "unknown (no getent there)", meaning)
                 for name, was in now.items()] or ["every name that is not in %s: then no answer" % HOSTS],
        areas=place.areas,
        containers_command=tuple(container.client(params)),
        **act,
    )


def tools(params):
    needed = {"wrong_address": ["cp", "mount", "umount"]}.get(params["action"], ["nft"])
    return needed + list(container.TOOLS if params["container"] is not None else ())


def main():
    run_fault(claim, plan, OPTIONS, tools=tools)


if __name__ == "__main__":
    main()
