from __future__ import annotations

from plans.row import Row, failing

TABLES = {"nft list tables inet": ""}
ND = "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit, nd-router-advert } accept"


def transaction(table, *lines):
    """What nft gets in one piece: the sets that are always there, then these lines."""
    sets = ["add set inet %s cut%s { type ipv%s_addr; flags interval,timeout; }" % (table, version, version) for version in (4, 6)]
    start = ["add table inet " + table, "delete table inet " + table, "add table inet " + table]
    return "nft '%s'" % "; ".join([*start, *sets, *(line.replace("TABLE", table) for line in lines)]).replace("{", "{{").replace("}", "}}")


def chain(name, hook, interface, *rules):
    return ["add chain inet TABLE %s { type filter hook %s priority -200; }" % (name, hook),
            *("add rule inet TABLE %s %s" % (name, rule) for rule in (interface + " lo accept", ND, *rules))]


ROWS = [
    Row("a host is cut off from an address and a network, both ways", "fault_partition", {"addresses": ["192.0.2.1", "2001:db8::/32"]}, TABLES,
        claim="partition/host from 192.0.2.1,2001:db8::/32",
        inject=[transaction(
            "gameday_1866ddbd176d",
            "add element inet TABLE cut4 { 192.0.2.1/32 timeout 32s }",
            "add element inet TABLE cut6 { 2001:db8::/32 timeout 32s }",
            *chain("out", "output", "oifname", "ip daddr @cut4 counter drop", "ip6 daddr @cut6 counter drop"),
            *chain("in", "input", "iifname", "ip saddr @cut4 counter drop", "ip6 saddr @cut6 counter drop"))],
        revert=["nft delete table inet gameday_1866ddbd176d"],
        check="seek gameday_1866ddbd176d nft list tables inet", broken=["there"], whole=["missing"]),
    Row("networks that overlap are one", "fault_partition",
        {"addresses": ["10.1.2.3", "10.0.0.0/8"], "direction": "out", "action": "reject", "ports": [5432]}, TABLES,
        claim="partition/host from 10.0.0.0/8,10.1.2.3",
        inject=[transaction(
            "gameday_ef35b628c707",
            "add element inet TABLE cut4 { 10.0.0.0/8 timeout 32s }",
            *chain("out", "output", "oifname",
                   "ip daddr @cut4 meta l4proto { tcp, udp } th dport { 5432 } meta l4proto tcp counter reject with tcp reset",
                   "ip daddr @cut4 meta l4proto { tcp, udp } th dport { 5432 } counter reject",
                   "ip6 daddr @cut6 meta l4proto { tcp, udp } th dport { 5432 } meta l4proto tcp counter reject with tcp reset",
                   "ip6 daddr @cut6 meta l4proto { tcp, udp } th dport { 5432 } counter reject"))],
        revert=["nft delete table inet gameday_ef35b628c707"],
        check="seek gameday_ef35b628c707 nft list tables inet", broken=["there"], whole=["missing"]),
    Row("30 % of the packets of a protocol get lost on their way in", "fault_partition",
        {"addresses": ["192.0.2.0/24"], "direction": "in", "action": "loss", "percent": 30.0, "protocol": "udp"}, TABLES,
        claim="partition/host from 192.0.2.0/24",
        inject=[transaction(
            "gameday_0cf7f5f8197a",
            "add element inet TABLE cut4 { 192.0.2.0/24 timeout 32s }",
            *chain("in", "input", "iifname", "ip saddr @cut4 meta l4proto udp numgen random mod 10000 < 3000 counter drop",
                   "ip6 saddr @cut6 meta l4proto udp numgen random mod 10000 < 3000 counter drop"))],
        revert=["nft delete table inet gameday_0cf7f5f8197a"],
        check="seek gameday_0cf7f5f8197a nft list tables inet", broken=["there"], whole=["missing"]),
]

REFUSED = [
    ("nobody", "fault_partition", {"addresses": []}, {}, "addresses: the list is empty; say from whom"),
    ("a name that is none", "fault_partition", {"addresses": ["no such host"]}, {}, "addresses: 'no such host' is neither an address, nor a network"),
    ("more than an address", "fault_partition", {"addresses": ["192.0.2.1; flush ruleset"]}, {}, "is neither an address"),
    ("loss of nothing", "fault_partition", {"addresses": ["192.0.2.1"], "action": "loss"}, {}, "percent: None is not between 0.01 and 100"),
    ("loss of more than all", "fault_partition", {"addresses": ["192.0.2.1"], "action": "loss", "percent": 101.0}, {}, "percent: 101.0 is not between"),
    ("a share of a drop", "fault_partition", {"addresses": ["192.0.2.1"], "percent": 5.0}, {}, "percent: is for action: loss only"),
    ("port 0", "fault_partition", {"addresses": ["192.0.2.1"], "ports": [0]}, {}, "ports: 0 is not between 1 and 65535"),
    ("a port of ICMP", "fault_partition", {"addresses": ["192.0.2.1"], "local_ports": [1], "protocol": "icmp"}, {}, "local_ports: ICMP has no ports"),
    ("no permission", "fault_partition", {"addresses": ["192.0.2.1"]}, {"nft list tables inet": failing("Operation not permitted (you must be root)")},
     "nftables cannot be used here: it needs root (use become)"),
]
