from __future__ import annotations

import json
import os

from ansible_collections.gameday.chaos.plugins.module_utils import nftables, process, way_back
from ansible_collections.gameday.chaos.plugins.module_utils.command import find_tool

from plans.row import ID, Row, failing

NFT, DOCKER = find_tool("nft") or "nft", find_tool("docker") or "docker"
PID = os.getpid()
INSIDE = "inside %s %s --net -- " % (PID, process.look_at(PID).start)
ND = "nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert, mld-listener-query, mld-listener-report, mld2-listener-report"
SPARED = """  chain spared {
    icmpv6 type { %s } accept
    udp sport { 67, 68, 546, 547 } udp dport { 67, 68, 546, 547 } accept
%%s  }
""" % ND
CONTROLLER = "    ip saddr 203.0.113.9 tcp dport 22 accept\n    ip daddr 203.0.113.9 tcp sport 22 accept\n"


def ruleset(claim, text, seconds=35):
    return """add table inet {table}
delete table inet {table}
table inet {table} {{
  set alive {{
    type nf_proto
    flags timeout
    elements = {{ ipv4 timeout {seconds}s, ipv6 timeout {seconds}s }}
  }}
""".format(table=nftables.table_of(claim), seconds=seconds) + text + "}"


def allowed(program, rules):
    """The kernel's answers: it may be asked, and would take the rules."""
    return {**listed(program), way_back.quote([*program, "--check", rules]): ""}


def listed(program):
    return {way_back.quote([*program, "list", "tables"]): "table ip filter\n"}


def row(what, params, text, claim, before=(), look=None):
    rules, program, table = ruleset(claim, text), [*before, NFT], nftables.table_of(claim)
    return Row(what, "fault_partition", params, {**allowed(program, rules), **(look or {})},
               claim=claim,
               inject=[way_back.quote([*program, rules]).replace("{", "{{").replace("}", "}}")],
               revert=[way_back.quote([*program, "delete", "table", "inet", table])],
               check=way_back.quote(["nft_table", table, *program]), broken=["in force*"], whole=["gone"])


def container(network="net:[4026530002]"):
    found = [{"Name": "/db", "Id": ID, "State": {"Status": "running", "Pid": PID}}]
    return {DOCKER + " container inspect db": json.dumps(found),
            "readlink /proc/%s/ns/net" % PID: network + "\n", "readlink /proc/self/ns/net": "net:[4026530001]\n"}


FOUR = """  set four {
    type ipv4_addr
    flags interval
    elements = { %s }
  }
"""
SIX = FOUR.replace("four", "six").replace("ipv4", "ipv6")
PORTS = FOUR.replace("four", "ports").replace("ipv4_addr", "inet_service")
HOOK = """  chain %s {
    type filter hook %s priority -300; policy accept;
"""
INPUT = HOOK % ("input", "input") + '    iifname "lo" accept\n'
OUTPUT = HOOK % ("output", "output") + '    oifname "lo" accept\n'
FORWARD = HOOK % ("forward", "forward")
DROP = "  chain hit {\n    counter drop\n  }\n"
ANY = "  chain chosen {\n    meta nfproto @alive goto hit\n  }\n"

ROWS = [
    row("two networks are dropped, each family in its set, and what overlaps once",
        {"addresses": ["192.0.2.7", "192.0.2.0/24", "2001:db8::/64"]},
        FOUR % "192.0.2.0/24" + SIX % "2001:db8::/64" + DROP + ANY + SPARED % CONTROLLER
        + INPUT + "    jump spared\n    ip saddr @four goto chosen\n    ip6 saddr @six goto chosen\n  }\n"
        + OUTPUT + "    jump spared\n    ip daddr @four goto chosen\n    ip6 daddr @six goto chosen\n  }\n"
        + FORWARD + "    jump spared\n    ip saddr @four goto chosen\n    ip6 saddr @six goto chosen\n"
        "    ip daddr @four goto chosen\n    ip6 daddr @six goto chosen\n  }\n",
        "partition/host,addresses=192.0.2.0/24+192.0.2.7+2001:db8::/64"),
    row("only what leaves, to some ports of one address, is rejected, and the refusal itself gets out",
        {"addresses": ["192.0.2.7"], "ports": ["5432", "80-82", "82"], "protocol": "tcp", "direction": "out", "action": "reject", "spare": ["192.0.2.8"]},
        FOUR % "192.0.2.7" + PORTS % "80-82, 5432"
        + "  chain hit {\n    meta l4proto tcp counter reject with tcp reset\n    counter reject with icmpx type port-unreachable\n  }\n"
        + "  chain chosen {\n    meta nfproto @alive meta l4proto tcp th dport @ports goto hit\n"
        "    meta nfproto @alive meta l4proto tcp th sport @ports goto hit\n  }\n"
        + SPARED % (CONTROLLER + "    ip saddr { 192.0.2.8 } accept\n    ip daddr { 192.0.2.8 } accept\n")
        + OUTPUT + "    tcp flags & rst == rst accept\n    icmp type destination-unreachable accept\n    icmpv6 type destination-unreachable accept\n"
        "    jump spared\n    ip daddr @four goto chosen\n  }\n"
        + FORWARD + "    jump spared\n    ip daddr @four goto chosen\n  }\n",
        "partition/host,addresses=192.0.2.7,ports=5432+80-82+82,protocol=tcp,direction=out"),
    row("a third of what comes in to a port is lost in a container, whoever sends it",
        {"container": "db", "ports": ["5432"], "direction": "in", "action": "loss", "percent": 33.3},
        PORTS % "5432" + "  chain hit {\n    numgen random mod 10000 < 3330 counter drop\n  }\n"
        + "  chain chosen {\n    meta nfproto @alive meta l4proto { tcp, udp } th dport @ports goto hit\n"
        "    meta nfproto @alive meta l4proto { tcp, udp } th sport @ports goto hit\n  }\n"
        + SPARED % "" + INPUT + "    jump spared\n    goto chosen\n  }\n" + FORWARD + "    jump spared\n    goto chosen\n  }\n",
        "partition/container/db,ports=5432,direction=in", before=INSIDE.split(), look=container()),
]

SOME = {"addresses": ["192.0.2.7"]}
REFUSED = [(what, "fault_partition", params, look, reason) for what, params, look, reason in [
    ("nobody in particular", {}, {}, "addresses, ports: give at least one of them"),
    ("group without hosts", {"addresses": [], "ports": ["80"]}, {}, "addresses: the list is empty (a group without hosts?), and would not mean nobody"),
    ("word that is no address", {"addresses": ["192.0.2.300"]}, {}, "addresses: '192.0.2.300' is no address, network or host name"),
    ("end of a rule as a zone", {"addresses": ["fe80::%x; flush ruleset/64"]}, {}, "is no address, network or host name"),
    ("end of a rule", {"addresses": ["192.0.2.1; drop"]}, {}, "is no address, network or host name"),
    ("name that nobody knows", {"addresses": ["no-such-host.invalid"]}, {}, "addresses: this host cannot resolve 'no-such-host.invalid'"),
    ("host itself", {"addresses": ["127.0.0.1", "localhost"]}, listed([NFT]), "all of them are this host's own"),
    ("port with a name", {**SOME, "ports": ["http"]}, {}, "ports: 'http' is neither a port such as 5432 nor a range"),
    ("port out of range", {**SOME, "ports": ["65536"]}, {}, "ports: 65536 is not within 1 and 65535"),
    ("range backwards", {**SOME, "ports": ["90-80"]}, {}, "its end is before its begin"),
    ("port of ICMP", {**SOME, "ports": ["80"], "protocol": "icmp"}, {}, "ports: ICMP has none"),
    ("loss of how much", {**SOME, "action": "loss"}, {}, "percent: is for action: loss, and needed there"),
    ("percent of a drop", {**SOME, "percent": 5.0}, {}, "percent: is for action: loss, and needed there"),
    ("loss of nothing", {**SOME, "action": "loss", "percent": 0.001}, {}, "percent: 0.001 is not between 0.01 and 100"),
    ("ordinary user", SOME, {NFT + " list tables": failing("Operation not permitted (you must be root)")},
     "needs root (CAP_NET_ADMIN): use become. nft said: Operation not permitted"),
    ("kernel without what it takes", ROWS[0].params,
     {question: failing("numgen: No such file or directory") if "--check" in question else answer for question, answer in ROWS[0].look.items()},
     "the kernel or nft of this host cannot do this"),
    ("container with the host's network", {**SOME, "container": "db"}, container("net:[4026530001]"), "container: db has the host's own network"),
]]
