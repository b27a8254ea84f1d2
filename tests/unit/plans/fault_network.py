from __future__ import annotations

import json

from ansible_collections.gameday.chaos.plugins.module_utils import way_back
from ansible_collections.gameday.chaos.plugins.module_utils.netem import KERNEL

from plans.row import Row, failing

# The controller of these rows is 203.0.113.9, at port 22.
ASKED = way_back.quote(["unshare", "--net", "sh", "-c", KERNEL])
SPACE = "net:[4026531840]"


def route(dev="eth0"):
    return json.dumps([{"dst": "x", "dev": dev}])


def link(name, index, flags=("UP",)):
    return {"ifname": name, "ifindex": index, "flags": list(flags)}


def host(kernel="netem prio flower u32", qdiscs=({"kind": "mq", "handle": "0:", "root": True}, {"kind": "fq_codel", "handle": "0:", "parent": ":1"}), **more):
    """The answers of a host with eth0; the default routes lead there."""
    return {
        "readlink /proc/self/ns/net": SPACE + "\n",
        ASKED: kernel.replace(" ", "\n") + "\n" if isinstance(kernel, str) else kernel,
        "ip -j -4 route show default": route(),
        "ip -j -6 route show default": "[]",
        "ip -j link show": json.dumps([link("lo", 1), link("eth0", 2), link("eth1", 3, ["BROADCAST"])]),
        "tc -j qdisc show dev eth0": json.dumps(list(qdiscs)),
        **more,
    }


QDISCS = [
    "tc qdisc add dev eth0 root handle 6002: prio bands 2 priomap 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0",
    "tc qdisc add dev eth0 parent 6002:1 pfifo limit 1000",
    "tc qdisc add dev eth0 parent 6002:2 handle 7002: netem limit 10000 ",
]
FILTER = "tc filter add dev eth0 parent 6002: protocol "
SPARED_BY_FLOWER = {
    4: ["ip pref 1 flower ip_proto udp dst_port 67 src_port 68 classid 6002:1",
        "ip pref 1 flower ip_proto tcp dst_ip 203.0.113.9 src_port 22 classid 6002:1"],
    6: ["ipv6 pref 2 flower ip_proto icmpv6 type 132/252 classid 6002:1", "ipv6 pref 2 flower ip_proto icmpv6 type 136/254 classid 6002:1",
        "ipv6 pref 2 flower ip_proto udp dst_port 547 src_port 546 classid 6002:1"],
}
V4, V6 = SPARED_BY_FLOWER[4], SPARED_BY_FLOWER[6]
BOTH = [*V6[:2], V4[0], V6[2], V4[1]]
FIRST = "match u8 5 0xf at 0 match u16 0 0x1fff at 6 "
SPARED_BY_U32 = [
    "ip pref 1 u32 match ip protocol 17 0xff " + FIRST + "match ip dport 67 0xffff match ip sport 68 0xffff classid 6002:1",
    "ip pref 1 u32 match ip protocol 6 0xff " + FIRST + "match ip dst 203.0.113.9 match ip sport 22 0xffff classid 6002:1",
]


def row(what, params, look, netem, filters, shown, claim="qdisc/eth0"):
    return Row(what, "fault_network", params, look, claim=claim,
               inject=[*QDISCS[:2], QDISCS[2] + netem, *(FILTER + one for one in filters)],
               revert=["tc qdisc del dev eth0 root handle 6002:"],
               check="lines_with ' 6002:' tc qdisc show", broken=["*qdisc netem 7002: *limit 10000*%s*" % one for one in shown], whole=[""],
               holds=["qdisc of eth0 in " + SPACE])


ROWS = [
    row("all that leaves by the default route is late", {"delay": 1500}, host(), "delay 1500ms",
        [*BOTH, "ip pref 3 flower classid 6002:2", "ipv6 pref 4 flower classid 6002:2"], ["delay 1.5s"]),
    row("packets to one address and port are late, by TCP and UDP", {"destination": ["192.0.2.7"], "destination_port": [5432], "delay": 100, "jitter": 10,
                                                                    "correlation": 25, "distribution": "normal"},
        host(**{"ip -j route get 192.0.2.7": route()}), "delay 100ms 10ms 25% distribution normal",
        [*V4, "ip pref 3 flower ip_proto tcp dst_ip 192.0.2.7/32 dst_port 5432 classid 6002:2",
         "ip pref 3 flower ip_proto udp dst_ip 192.0.2.7/32 dst_port 5432 classid 6002:2"],
        ["delay 100ms*10ms", "delay 100.0ms*10.0ms"]),
    row("what a server answers to a network by IPv6 is lost in bursts",
        {"destination": ["2001:db8::/64"], "source_port": [80], "protocol": "tcp",
         "loss_bursts": {"begin": 1, "end": 10, "loss_within": 100, "loss_between": 0}},
        host(**{"ip -j route get 2001:db8::1": route()}), "loss gemodel 1% 10% 100% 0%",
        [*V6, "ipv6 pref 4 flower ip_proto tcp dst_ip 2001:db8::/64 src_port 80 classid 6002:2"], ["loss gemodel p 1% r 10%"]),
    row("ICMP of both families is damaged in every way",
        {"interface": "eth0", "protocol": "icmp", "delay": 20, "loss": 0.5, "duplicate": 2, "corrupt": 1, "reorder": 25, "rate": 512, "correlation": 50},
        host(),
        "delay 20ms loss 0.5% 50% duplicate 2% 50% corrupt 1% 50% reorder 25% 50% rate 512kbit",
        [*BOTH, "ip pref 3 flower ip_proto icmp classid 6002:2", "ipv6 pref 4 flower ip_proto icmpv6 classid 6002:2"],
        ["delay 20ms*loss 0.5%*duplicate 2%*reorder 25%*corrupt 1%*rate ", "delay 20.0ms*loss 0.5%*duplicate 2%*reorder 25%*corrupt 1%*rate "]),
    row("a kernel without flower has u32", {"destination": ["192.0.2.0/24"], "source": ["192.0.2.1"], "destination_port": [53], "protocol": "udp", "loss": 30},
        host("netem prio u32", **{"ip -j route get 192.0.2.1": route()}), "loss 30%",
        [*SPARED_BY_U32, "ip pref 3 u32 match ip protocol 17 0xff " + FIRST
         + "match ip dst 192.0.2.0/24 match ip src 192.0.2.1/32 match ip dport 53 0xffff classid 6002:2"], ["loss 30%"]),
    row("a host that may not make a namespace to ask in tries with u32", {"source": ["192.0.2.1"], "loss": 30},
        host(failing("unshare: unshare failed: Operation not permitted")), "loss 30%",
        [*SPARED_BY_U32, "ip pref 3 u32 match ip src 192.0.2.1/32 classid 6002:2"], ["loss 30%"]),
]

LOSS = {"interface": "eth0", "loss": 30}
OWN = {"kind": "htb", "handle": "1:", "root": True}
REFUSED = [
    ("nothing asked for", "fault_network", {}, {}, "delay, loss, loss_bursts, duplicate, corrupt, reorder, rate: give at least one of them"),
    ("loss above all", "fault_network", {"loss": 101}, {}, "loss: 101 is not between 0.0001 and 100 percent"),
    ("no loss", "fault_network", {"loss": 0}, {}, "loss: 0 is not between"),
    ("delay that is none", "fault_network", {"delay": 0}, {}, "delay: 0 is not between 1 and 60000"),
    ("jitter of nothing", "fault_network", {"loss": 1, "jitter": 5}, {}, "jitter: varies a delay, and there is none; give delay, too"),
    ("jitter that is more than the delay", "fault_network", {"delay": 10, "jitter": 11}, {}, "jitter: 11 is not between 1 and 10"),
    ("reorder of packets that do not wait", "fault_network", {"reorder": 25}, {}, "reorder: packets overtake those that wait, and none waits"),
    ("distribution of nothing", "fault_network", {"delay": 10, "distribution": "pareto"}, {}, "distribution: pareto says how delays vary"),
    ("correlation of nothing", "fault_network", {"delay": 10, "correlation": 5}, {}, "correlation: is of random choices, and there is none"),
    ("group without hosts", "fault_network", {**LOSS, "destination": []}, {}, "destination: the list is empty (a group without hosts?)"),
    ("name", "fault_network", {**LOSS, "destination": ["db.example"]}, {}, "destination: 'db.example' is neither an address nor a network"),
    ("network that is written as an address", "fault_network", {**LOSS, "source": ["192.0.2.7/24"]}, {}, "192.0.2.7/24 has host bits set"),
    ("port that is none", "fault_network", {**LOSS, "destination_port": [70000]}, {}, "destination_port: 70000 is no port"),
    ("port of ICMP", "fault_network", {**LOSS, "protocol": "icmp", "source_port": [1]}, {}, "source_port: ICMP has no ports"),
    ("family that cannot be covered", "fault_network", {**LOSS, "destination": ["192.0.2.7", "2001:db8::7"], "source": ["192.0.2.1"]}, {},
     "destination: no IPv6 address is given in source, so packets of 2001:db8::7 would never be hit"),
    ("more filters than a kernel likes", "fault_network", {**LOSS, "destination_port": list(range(1, 102))}, {}, "together these are 404 filters"),
    ("kernel without netem", "fault_network", LOSS, host("prio u32"), "the kernel of this host has no netem (module sch_netem)"),
    ("kernel without netem: the cure", "fault_network", LOSS, host("prio u32"), "on RHEL and Fedora kernel-modules-extra"),
    ("kernel without netem: the alternative", "fault_network", LOSS, host(""), "Or use fault_proxy, which"),
    ("kernel without prio", "fault_network", LOSS, host("netem"), "has no prio (module sch_prio)"),
    ("kernel without filters", "fault_network", LOSS, host("netem prio"), "module cls_flower or cls_u32"),
    ("interface that is not there", "fault_network", {**LOSS, "interface": "eth9"}, host(), "no interface 'eth9' here; there are: lo, eth0, eth1"),
    ("interface that is down", "fault_network", {**LOSS, "interface": "eth1"}, host(), "interface: eth1 is down"),
    ("host without a default route", "fault_network", {"loss": 30}, host(**{"ip -j -4 route show default": "[]"}),
     "interface: there is no default route; name one of: lo, eth0, eth1"),
    ("two default routes", "fault_network", {"loss": 30}, host(**{"ip -j -6 route show default": route("eth1")}), "the packets leave by several interfaces"),
    ("destination that no route leads to", "fault_network", {"loss": 30, "destination": ["192.0.2.7"]},
     host(**{"ip -j route get 192.0.2.7": failing("RTNETLINK answers: Network is unreachable", 2)}), "destination: no route leads to 192.0.2.7: RTNETLINK"),
    ("the host's own address", "fault_network", {"loss": 30, "destination": ["192.0.2.7"]}, host(**{"ip -j route get 192.0.2.7": route("lo")}),
     "destination: 192.0.2.7 is this host itself"),
    ("queueing discipline of somebody", "fault_network", LOSS, host(qdiscs=[OWN]), "eth0 has a queueing discipline that somebody configured, htb 1:"),
    ("fault that nobody knows of", "fault_network", LOSS, host(qdiscs=[{**OWN, "handle": "6002:"}]), "`tc qdisc del dev eth0 root` takes it away"),
]
