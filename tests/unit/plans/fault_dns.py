from __future__ import annotations

import json
import os
import sys

from ansible_collections.gameday.chaos.plugins.module_utils import nftables, process, way_back
from ansible_collections.gameday.chaos.plugins.module_utils.command import find_tool
from ansible_collections.gameday.chaos.plugins.module_utils.fault import kept

from plans.row import ID, Row, failing

NFT, DOCKER, GETENT, NSENTER = (find_tool(name) or name for name in ("nft", "docker", "getent", "nsenter"))
PID = os.getpid()
INSIDE = "inside %s %s --net -- " % (PID, process.look_at(PID).start)
ASK = "%s ahosts db.example.com" % GETENT
ASK_INSIDE = "%s exec %s getent ahosts db" % (DOCKER, ID)
LEASE = """add table inet {table}
delete table inet {table}
table inet {table} {{
  set alive {{
    type nf_proto
    flags timeout
    elements = {{ ipv4 timeout 35s, ipv6 timeout 35s }}
  }}
"""
NAT = LEASE + """  chain output {{
    type nat hook output priority -150; policy accept;
    meta skgid 6775149 accept
    meta nfproto @alive ip daddr {{ 192.0.2.53, 192.0.2.54 }} meta l4proto {{ tcp, udp }} th dport 53 redirect to :{port}
    meta nfproto @alive ip6 daddr {{ 2001:db8::53 }} meta l4proto {{ tcp, udp }} th dport 53 redirect to :{port}
  }}
  chain known {{
    type filter hook output priority 0; policy accept;
    meta skgid 6775149 accept
    meta nfproto @alive ct direction original ct original ip daddr {{ 192.0.2.53, 192.0.2.54 }} meta l4proto tcp ct original proto-dst 53 \
tcp dport != {port} reject with tcp reset
    meta nfproto @alive ct direction original ct original ip daddr {{ 192.0.2.53, 192.0.2.54 }} meta l4proto udp ct original proto-dst 53 \
udp dport != {port} reject with icmpx type port-unreachable
    meta nfproto @alive ct direction original ct original ip6 daddr {{ 2001:db8::53 }} meta l4proto tcp ct original proto-dst 53 \
tcp dport != {port} reject with tcp reset
    meta nfproto @alive ct direction original ct original ip6 daddr {{ 2001:db8::53 }} meta l4proto udp ct original proto-dst 53 \
udp dport != {port} reject with icmpx type port-unreachable
  }}
}}"""
FILTER = LEASE + """  chain input {{
    type filter hook input priority -300; policy accept;
    meta nfproto @alive meta l4proto {{ tcp, udp }} th sport {{ 53, 853 }} counter drop
  }}
}}"""
RESOLVERS = "search example.com lan\nnameserver 192.0.2.53 # the first\nnameserver 192.0.2.54\nnameserver 2001:db8::53\n"


def table(where):
    return nftables.table_of("dns/" + where)


def port(where):
    return 20000 + int(table(where)[-6:], 16) % 10000


def rules(text, where):
    return text.format(table=table(where), port=port(where))


def allowed(text, where, before=""):
    return {before + NFT + " list tables": "", before + way_back.quote([NFT, "--check", rules(text, where)]): ""}


def nft(text, where, before=""):
    return (before + way_back.quote([NFT, rules(text, where)])).replace("{", "{{").replace("}", "}}")


def container(network="bridge"):
    found = [{"Name": "/db", "Id": ID, "State": {"Status": "running", "Pid": PID}, "HostConfig": {"NetworkMode": network}}]
    return {DOCKER + " container inspect db": json.dumps(found)}


HOST = {
    ASK: "198.51.100.7    STREAM db.example.com\n198.51.100.7    DGRAM\n",
    "readlink -f /etc/hosts": "/etc/hosts\n",
    "cat /etc/hosts": "127.0.0.1 localhost\n",
    "cat /etc/resolv.conf": RESOLVERS,
    "cat /etc/nsswitch.conf": "hosts: files dns\n",
}
COPY, LOAD, PROGRAM = (kept("dns/host", name) for name in ("hosts", "load", "name_server"))
COPY_INSIDE, LEFT = kept("dns/container/db", "hosts"), "/proc/%s/root/dev/.gameday-76af32af689d" % PID
OURS_INSIDE = "%s %s /.gameday-76af32af689d /etc/hosts" % (PID, process.look_at(PID).start)

ROWS = [
    Row("two names lead to a wrong address on a host", "fault_dns", {"names": ["db.example.com", "DB"], "address": "192.0.2.1"},
        {**HOST, GETENT + " ahosts db": ""},
        claim="dns/host",
        inject=["cp -aL /etc/hosts " + COPY, "lead_names %s 192.0.2.1 db.example.com db" % COPY, "mount -n --bind %s /etc/hosts" % COPY],
        revert=["while_mounted self 0 /faults/dns%2Fhost/hosts /etc/hosts umount -n --lazy /etc/hosts"],
        check="resolved '' %s -- mounted_over self 0 /faults/dns%%2Fhost/hosts /etc/hosts" % ASK, broken=["192.0.2.1 *; mounted"], whole=["gone"]),
    Row("a name leads to a wrong address in a container that has no getent", "fault_dns", {"container": "db", "names": ["db"], "address": "2001:db8:0::1"},
        {**container(), ASK_INSIDE: failing("getent: not found", 126), "umount --help": " -N, --namespace <ns>"},
        claim="dns/container/db",
        inject=[INSIDE + "cp -aL /proc/%s/root/etc/hosts %s" % (PID, COPY_INSIDE), "lead_names %s 2001:db8::1 db" % COPY_INSIDE,
                INSIDE + "cp -a --remove-destination --no-target-directory %s %s" % (COPY_INSIDE, LEFT),
                INSIDE + "mount -n --namespace %s --bind /dev/.gameday-76af32af689d /etc/hosts" % PID, INSIDE + "rm -f " + LEFT],
        revert=["while_mounted %s %s" % (OURS_INSIDE, INSIDE.replace("--net", "--pid")) + "umount -n --namespace %s --lazy /etc/hosts" % PID,
                INSIDE + "rm -f " + LEFT],
        check="resolved '' -- mounted_over " + OURS_INSIDE, broken=["mounted"], whole=["gone"]),
    Row("a name does not exist for a host, with none of its search domains either", "fault_dns", {"action": "no_such_name", "names": ["db.example.com."]},
        {**HOST, **allowed(NAT, "host")},
        claim="dns/host",
        inject=["name_server keep " + PROGRAM,
                "start_load %s -- %s -I -S %s serve %s 6775149 35 192.0.2.53,192.0.2.54,2001:db8::53 db.example.com db.example.com.example.com "
                "db.example.com.lan" % (LOAD, sys.executable, PROGRAM, port("host")),
                "name_server ask 127.0.0.1 %s db.example.com" % port("host"), nft(NAT, "host"), "name_server ask 192.0.2.53 53 db.example.com"],
        revert=["%s delete table inet %s" % (NFT, table("host")), "end_load " + LOAD],
        check="resolved %s %s -- nft_table %s %s" % (LOAD, ASK, table("host"), NFT), broken=["no answer; in force*"], whole=["gone"]),
    Row("no name server answers in a container", "fault_dns", {"action": "unreachable", "container": "db"},
        {**container(), **allowed(FILTER, "container/db", INSIDE), "cat /proc/%s/root/etc/resolv.conf" % PID: "nameserver 127.0.0.11\n"},
        claim="dns/container/db",
        inject=[nft(FILTER, "container/db", INSIDE), "%s --target %s --net -- name_server silent 127.0.0.11" % (NSENTER, PID)],
        revert=[INSIDE + "%s delete table inet %s" % (NFT, table("container/db"))],
        check="nft_table %s %s%s" % (table("container/db"), INSIDE, NFT), broken=["in force*"], whole=["gone"]),
]

NAMES = {"names": ["db.example.com"]}
ABSENT = {**NAMES, "action": "no_such_name"}
REFUSED = [(what, "fault_dns", params, look, reason) for what, params, look, reason in [
    ("no name", {"address": "192.0.2.1"}, {}, "names: give at least one host name"),
    ("word that is no name", {"names": ["a b"], "address": "192.0.2.1"}, {}, "names: 'a b' is no host name"),
    ("piece of a program", {"names": ["a/e;d"], "address": "192.0.2.1"}, {}, "is no host name"),
    ("localhost", {"names": ["localhost"], "address": "192.0.2.1"}, {}, "names: localhost is what the host itself is called by"),
    ("nowhere to lead to", NAMES, HOST, "address: None is no address; action: wrong_address needs one"),
    ("name as the address", {**NAMES, "address": "other"}, HOST, "address: 'other' is no address"),
    ("address that it has already", {**NAMES, "address": "198.51.100.7"}, HOST, "address: db.example.com means 198.51.100.7 already"),
    ("address of a name that does not exist", {**ABSENT, "address": "192.0.2.1"}, HOST, "address: is only for action: wrong_address"),
    ("names when nobody answers", {**NAMES, "action": "unreachable"}, HOST, "names: have no meaning with action: unreachable"),
    ("name that does not resolve anyway", ABSENT, {**HOST, ASK: failing("", 2)}, "db.example.com does not resolve in this host as it is"),
    ("name in the hosts file", ABSENT, {**HOST, "cat /etc/hosts": "10.0.0.1 x DB.example.com # y\n"}, "names: db.example.com is in /etc/hosts of this host"),
    ("address with more than an address in it", {**NAMES, "address": "fe80::1%x\n192.0.2.1 bank"}, HOST, "is no address"),
    ("name server that is more than an address", ABSENT, {**HOST, "cat /etc/resolv.conf": 'nameserver 1.1.1.1}drop;}include"/etc/shadow"\n'},
     "/etc/resolv.conf of this host names no name server"),
    ("no name server", ABSENT, {**HOST, "cat /etc/resolv.conf": "search lan\n"}, "/etc/resolv.conf of this host names no name server"),
    ("systemd-resolved that is asked directly", ABSENT, {**HOST, "cat /etc/nsswitch.conf": "hosts: files resolve [!UNAVAIL=return] dns\n"},
     "resolved by systemd-resolved directly"),
    ("kernel without NAT", ABSENT, {**HOST, **{question: failing("Could not process rule") if "--check" in question else answer
                                              for question, answer in allowed(NAT, "host").items()}}, "the kernel or nft of this host cannot do this"),
    ("container with the host's network", {**ABSENT, "container": "db"}, container("host"), "container: db has the host's own network"),
    ("umount that stays outside", {**NAMES, "container": "db", "address": "192.0.2.1"},
     {**container(), ASK_INSIDE + ".example.com": failing("", 2), "umount --help": "Usage"}, "umount of this host cannot reach into a container"),
]]
