# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
A table of our own in the kernel's packet filter. Its rules ask whether a set still has an element for this packet's family, and the kernel takes
those elements out when their time is over: then the table does nothing any more, whoever is left alive. The way back only takes the shell away.
"""

from __future__ import annotations

import hashlib
import textwrap

from ansible_collections.gameday.chaos.plugins.module_utils.command import find_tool
from ansible_collections.gameday.chaos.plugins.module_utils.fault import Check, Refused

MOMENT = 5  # seconds that the kernel waits longer than the timer, so that it is the timer that ends a fault where there still is one
LONGEST = 100000  # characters that may be one word of a command
IN_FORCE = "meta nfproto @alive"  # the beginning of every rule that hits


def table_of(claim):
    return "gameday_" + hashlib.sha256(claim.encode("utf-8", "surrogateescape")).hexdigest()[:12]


def block(kind, name, lines):
    return "%s %s {\n%s\n}" % (kind, name, textwrap.indent("\n".join(lines), "  "))


def chain(name, kind, hook, priority, rules):
    return block("chain", name, ["type %s hook %s priority %s; policy accept;" % (kind, hook, priority), *rules])


def elements(name, kind, values):
    """A set of addresses, networks, ports or ranges."""
    return block("set", name, ["type " + kind, "flags interval", "elements = { %s }" % ", ".join(values)])


def timed(claim, parts, duration, look, within=()):
    """
    inject, revert and check of a plan: these sets and chains in a table of the claim's own, in force for as long as the fault lasts.
    C(within) are the words of container.inside(). Refused where the kernel would not take them, which it is asked without changing anything.
    """
    table, program = table_of(claim), [*within, find_tool("nft") or "nft"]
    allowed = look([*program, "list", "tables"])
    if allowed.code:
        raise Refused("nftables cannot be asked on this host; that needs root (CAP_NET_ADMIN): use become. nft said: %s" % allowed.words)
    lease = ["type nf_proto", "flags timeout", "elements = { ipv4 timeout %ss, ipv6 timeout %ss }" % ((duration + MOMENT,) * 2)]
    # Added so that it can be deleted: what an earlier fault left there, inert, is replaced and not added to.
    rules = "\n".join(["add table inet %s" % table, "delete table inet %s" % table, block("table inet", table, [block("set", "alive", lease), *parts])])
    if len(rules) > LONGEST:
        raise Refused("addresses: they are too many for one fault; give networks instead of single addresses, or several faults")
    possible = look([*program, "--check", rules])
    if possible.code:
        raise Refused("the kernel or nft of this host cannot do this (nf_tables with what the first line names; nft 0.9.3 or newer): %s" % possible.words)
    return {
        "inject": [[*program, rules]],
        "revert": [[*program, "delete", "table", "inet", table]],
        "check": Check(["nft_table", table, *program], broken=["in force*"], whole=["gone"], left=["expired", "in force*"], gone_after_reboot=True),
    }
