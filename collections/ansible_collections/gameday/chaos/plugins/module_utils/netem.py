# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
netem, and a tree of queueing disciplines in which only the chosen packets come to it. The root is a prio whose map leads to a clean band, always,
so that what no filter knows (ARP, for one) is never hit; a second band has netem, and filters lead there.
"""

from __future__ import annotations

from ansible_collections.gameday.chaos.plugins.module_utils.fault import Check, Refused

# Asked in a network namespace that ends with the question, since a kernel says what it has only by doing it.
KERNEL = (
    "tc qdisc add dev lo root netem delay 1ms && echo netem; tc qdisc del dev lo root; tc qdisc add dev lo root handle 1: prio && echo prio; "
    "tc filter add dev lo parent 1: protocol ip pref 1 flower classid 1:2 && echo flower; "
    "tc filter add dev lo parent 1: protocol ip pref 2 u32 match u32 0 0 classid 1:2 && echo u32; true"
)
MODULES = {"netem": "sch_netem", "prio": "sch_prio"}
ABSENT = (
    "the kernel of this host has no %s (module %s), without which packets cannot be delayed or lost here. On Debian and Ubuntu the package linux-modules or "
    "linux-modules-extra of the running kernel has it, on RHEL and Fedora kernel-modules-extra; cloud kernels may leave it out. "
    "Or use fault_proxy, which needs nothing of the kernel, or for loss fault_partition. Nothing was touched"
)
FAMILIES = {4: "ip", 6: "ipv6"}
PROTOCOLS = {("tcp", 4): 6, ("tcp", 6): 6, ("udp", 4): 17, ("udp", 6): 17, ("icmp", 4): 1, ("icmp", 6): 58}
# What a host cannot do without, as (IP version, what its packets are like): neighbour discovery (types 133 to 137, by mask) and DHCP. ARP is no IP.
VITAL = [
    (6, {"protocol": "icmp", "types": (0x84, 0xfc)}),
    (6, {"protocol": "icmp", "types": (0x88, 0xfe)}),
    (4, {"protocol": "udp", "source_port": 68, "destination_port": 67}),
    (6, {"protocol": "udp", "source_port": 546, "destination_port": 547}),
]


def classifier(look):
    """The kind of filter that this kernel has; Refused when it lacks what the tree needs."""
    answer = look(["unshare", "--net", "sh", "-c", KERNEL])
    if answer.code:  # no namespace may be made here, in a container for one; then the injection finds out, and is undone
        return "u32"
    known = answer.out.split()
    for kind, module in MODULES.items():
        if kind not in known:
            raise Refused(ABSENT % (kind, module))
    for kind in ("flower", "u32"):  # flower knows headers of any length; u32 counts bytes
        if kind in known:
            return kind
    raise Refused(ABSENT % ("filter for packets", "cls_flower or cls_u32"))


def percent(value):
    return "%s%%" % ("%.4f" % value).rstrip("0").rstrip(".")


def told(params):
    """The words that netem is given."""
    correlated = [percent(params["correlation"])] if params["correlation"] is not None else []
    words = ["limit", str(params["limit"])]
    if params["delay"] is not None:
        words += ["delay", "%dms" % params["delay"]]
    if params["jitter"] is not None:
        words += ["%dms" % params["jitter"], *correlated]
        words += ["distribution", params["distribution"]] if params["distribution"] != "uniform" else []
    if params["loss_bursts"] is not None:
        bursts = params["loss_bursts"]
        words += ["loss", "gemodel", *(percent(bursts[name]) for name in ("begin", "end", "loss_within", "loss_between"))]
    for name in ("loss", "duplicate", "corrupt", "reorder"):
        if params[name] is not None:
            words += [name, percent(params[name]), *correlated]
    return words + (["rate", "%dkbit" % params["rate"]] if params["rate"] is not None else [])


def shown(params, handle, seconds):
    """The same as tc shows it, in its order; C(seconds) is how this version of tc writes a number of them."""
    def time(milliseconds):
        return seconds % (milliseconds / 1000) + "s" if milliseconds >= 1000 else seconds % milliseconds + "ms"

    parts = ["limit %s" % params["limit"]]
    if params["delay"] is not None:
        parts.append("delay " + time(params["delay"]))
    if params["jitter"] is not None:
        parts.append(time(params["jitter"]))
    if params["loss_bursts"] is not None:
        parts.append("loss gemodel p %s r %s" % (percent(params["loss_bursts"]["begin"]), percent(params["loss_bursts"]["end"])))
    parts += ["%s %s" % (name, percent(params[name])) for name in ("loss", "duplicate", "reorder", "corrupt") if params[name] is not None]
    parts += ["rate "] if params["rate"] is not None else []
    return "*qdisc netem %s *%s*" % (handle, "*".join(parts))


def by_flower(version, like):
    names = {"destination": "dst_ip", "source": "src_ip", "destination_port": "dst_port", "source_port": "src_port"}
    words = ["ip_proto", "icmpv6" if (like["protocol"], version) == ("icmp", 6) else like["protocol"]] if "protocol" in like else []
    words += ["type", "%d/%d" % like["types"]] if "types" in like else []
    for name, word in names.items():
        words += [word, str(like[name])] if name in like else []
    return ["flower", *words]


def by_u32(version, like):
    family = {4: "ip", 6: "ip6"}[version]
    tests = [[family, "protocol", str(PROTOCOLS[like["protocol"], version]), "0xff"]] if "protocol" in like else []
    if version == 4 and ("destination_port" in like or "source_port" in like):  # where ports stand: no options, and the first fragment
        tests += [["u8", "5", "0xf", "at", "0"], ["u16", "0", "0x1fff", "at", "6"]]
    tests += [["u8", "%#x" % like["types"][0], "%#x" % like["types"][1], "at", "40"]] if "types" in like else []
    for name, word in (("destination", "dst"), ("source", "src")):
        tests += [[family, word, str(like[name])]] if name in like else []
    for name, word in (("destination_port", "dport"), ("source_port", "sport")):
        tests += [[family, word, str(like[name]), "0xffff"]] if name in like else []
    return ["u32"] + [word for test in tests or [["u32", "0", "0"]] for word in ["match", *test]]


def handles(index):
    """Of the root and of netem: numbers of our own, which tell the interface, too, even when its name is gone."""
    return "%x:" % (0x6000 + index % 0x1000), "%x:" % (0x7000 + index % 0x1000)


def tree(name, index, params, filters, spared, chosen, within):
    """
    The commands, there and back, and the question, for one interface. C(spared) and C(chosen) are (IP version, what the packets are like);
    C(filters) is the kind of filter; C(within) the words that lead into a namespace.
    """
    root, netem = handles(index)
    write = {"flower": by_flower, "u32": by_u32}[filters]
    clean, broken = root + "1", root + "2"
    inject = [
        ["qdisc", "add", "dev", name, "root", "handle", root, "prio", "bands", "2", "priomap", *["0"] * 16],
        ["qdisc", "add", "dev", name, "parent", clean, "pfifo", "limit", "1000"],
        ["qdisc", "add", "dev", name, "parent", broken, "handle", netem, "netem", *told(params)],
    ]
    families = {version for version, like in chosen}
    for preference, band, rules in ((1, clean, spared), (3, broken, chosen)):
        inject += [
            ["filter", "add", "dev", name, "parent", root, "protocol", FAMILIES[version], "pref", str(preference + (version == 6)),
             *write(version, like), "classid", band]
            for version, like in rules if version in families
        ]
    return {
        "inject": [[*within, "tc", *words] for words in inject],
        "revert": [[*within, "tc", "qdisc", "del", "dev", name, "root", "handle", root]],
        "check": Check(["lines_with", " " + root, *within, "tc", "qdisc", "show"],
                       broken=list(dict.fromkeys(shown(params, netem, seconds) for seconds in ("%.3g", "%.1f"))), whole=[""], gone_after_reboot=True),
    }
