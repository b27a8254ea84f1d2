"""Partitions as neighbours see them: every topology of the documentation, both families, what is spared, and an end that needs nobody."""

from __future__ import annotations

import pathlib
import re
import time

import pytest
import yaml

from things.fault_partition import REACH

pytestmark = pytest.mark.long
PAGE = pathlib.Path(__file__).parents[2] / "docs" / "partitions.md"
TOPOLOGIES = {play["name"]: [play] for text in re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL) for play in yaml.safe_load(text)}
API, DATABASES = ("n1", "n2"), ("n3", "n4")
EVERYBODY = ["0.0.0.0/0", "::/0"]

# An echo by UDP, and how many of so many packets come back; what the first failure is, where sending fails.
ECHO = "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('', 7))\nwhile 1: s.sendto(*s.recvfrom(64))"
ASK = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(0.3)
s.connect((sys.argv[1], 7))
count = 0
for number in range(int(sys.argv[2])):
    try:
        s.send(b"%d" % number)
        s.settimeout(0.02)
        count += s.recv(64) == b"%d" % number
    except socket.timeout:
        pass
    except OSError as error:
        sys.exit(type(error).__name__)
print(count)
"""


def reaches(hosts, one, other, port=22):
    return hosts.run(one, "python3", "-c", REACH, hosts.addresses.get(other, other), str(port)).stdout.strip()


def ruleset(hosts, host):
    return hosts.run(host, "nft -s list ruleset").stdout


def fault(**options):
    return {"name": "inject", "gameday.chaos.fault_partition": {"duration": 60, **options}}


@pytest.fixture
def groups(netns_hosts, tmp_path):
    """The arguments for an inventory with two groups."""
    path = tmp_path / "groups.ini"
    path.write_text("[api]\n%s\n[databases]\n%s\n" % ("\n".join(API), "\n".join(DATABASES)))
    return ["-i", str(path)]


@pytest.fixture
def hosts(netns_hosts, run_playbook):
    """The hosts, as they were afterwards: with nothing of ours in their kernels."""
    before = {host: ruleset(netns_hosts, host) for host in netns_hosts.names}
    yield netns_hosts
    run = run_playbook([{"name": "recover", "gameday.chaos.recover": {"all": True}}], netns_hosts)
    assert run.rc == 0, run
    assert {host: ruleset(netns_hosts, host) for host in netns_hosts.names} == before


def pairs(left, right):
    return {(one, other) for one in left for other in right} | {(other, one) for one in left for other in right}


@pytest.mark.parametrize(("name", "silent"), [
    ("The api hosts and the databases are cut off from each other", pairs(API, DATABASES)),
    ("Two halves", pairs(API, DATABASES)),
    ("Two halves, and the first database sees both", pairs(API, ["n4"])),
    ("The databases hear the api hosts, and cannot answer", pairs(API, DATABASES)),
    ("The first database is alone", pairs(["n3"], ["n1", "n2", "n4", "n5"])),
])
def test_a_topology_of_the_documentation(name, silent, hosts, groups, run_playbook):
    run = run_playbook(TOPOLOGIES[name], hosts, arguments=groups)
    assert run.rc == 0, run
    looked_at = [(one, other) for one in ("n1", "n3", "n4") for other in ("n1", "n2", "n3", "n4", "n5") if one != other]
    assert {pair for pair in looked_at if reaches(hosts, *pair) == "silent"} == silent & set(looked_at)


def test_every_topology_of_the_documentation_is_tried():
    assert len(TOPOLOGIES) == 5


@pytest.fixture
def sixes(netns_hosts):
    """Addresses of IPv6 for three hosts."""
    addresses = {host: f"fd79::{netns_hosts.number(host)}" for host in ("n1", "n2", "n3")}
    for host, address in addresses.items():
        netns_hosts.run(host, "ip", "address", "add", address + "/64", "dev", "e0", "nodad")
    yield addresses
    for host, address in addresses.items():
        netns_hosts.run(host, "ip", "address", "del", address + "/64", "dev", "e0")


@pytest.fixture
def ops(netns_hosts):
    """The options of an ordinary user who may sudo; one with a locked password may not even come by ssh."""
    netns_hosts.run("n1", "usermod -p '*' ops")
    return {"ansible_user": "ops"}


@pytest.mark.parametrize("become", [False, True], ids=["as root", "by way of sudo"])
def test_the_controller_survives_a_partition_from_everybody_even_with_new_neighbours(hosts, sixes, run_playbook, ops, become):
    user = {**ops, "ansible_become": True} if become else {}
    cut = run_playbook([fault(addresses=EVERYBODY)], hosts, arguments=["--limit", "n1"], extra_vars=user)
    assert cut.rc == 0, cut
    hosts.run("n1", "ip neigh flush all")
    assert [reaches(hosts, "n1", other) for other in ("n2", sixes["n2"])] == ["silent"] * 2
    assert [reaches(hosts, "n2", other) for other in ("n1", sixes["n1"], "n3", sixes["n3"])] == ["silent"] * 2 + ["connected"] * 2
    assert "FAILED" not in hosts.run("n1", "ip neigh show").stdout, "neighbour discovery goes on"
    again = run_playbook([{"name": "ping", "ansible.builtin.ping": {}}], hosts, arguments=["--limit", "n1"],
                         env={"ANSIBLE_TIMEOUT": 5, "ANSIBLE_SSH_ARGS": "-o ControlPath=none"})
    assert again.rc == 0, again


def test_one_family_alone_leaves_the_other(hosts, sixes, run_playbook):
    run = run_playbook([fault(addresses=[sixes["n2"]])], hosts, arguments=["--limit", "n1"])
    assert run.rc == 0, run
    assert [reaches(hosts, "n1", other) for other in (sixes["n2"], "n2", sixes["n3"])] == ["silent", "connected", "connected"]


def test_the_kernel_ends_it_when_everything_else_is_dead_and_leaves_the_tables_of_others(hosts, run_playbook):
    hosts.run("n1", "nft add table inet firewall; nft add chain inet firewall input '{ type filter hook input priority -10; }'; "
                    "nft add rule inet firewall input tcp dport 9 counter accept; nft add table ip gameday_not_ours")
    try:
        foreign = ruleset(hosts, "n1")
        run = run_playbook([fault(addresses=[hosts.addresses["n2"]], duration=3)], hosts, arguments=["--limit", "n1"])
        assert run.rc == 0, run
        begin = time.monotonic()
        assert hosts.run("n1", "for file in /var/lib/gameday/faults/*/watcher; do read pid _ <$file && kill -KILL -$pid && echo dead; done").stdout == "dead\n"
        assert reaches(hosts, "n1", "n2") == "silent"
        time.sleep(max(0, 3.5 - (time.monotonic() - begin)))
        assert reaches(hosts, "n1", "n2") == "silent", "its timer is dead"
        while reaches(hosts, "n1", "n2") != "connected":
            assert time.monotonic() - begin < 15
        left = hosts.run("n1", "sh /var/lib/gameday/faults/*/revert state", check=False).stdout
        assert "still in place" in left and "expired" in left, left
        assert hosts.run("n1", "sh /var/lib/gameday/faults/*/revert").stdout.startswith("put back")
        assert ruleset(hosts, "n1") == foreign
    finally:
        hosts.run("n1", "nft delete table inet firewall; nft delete table ip gameday_not_ours")


def test_what_was_connected_is_cut_and_goes_on_afterwards(hosts, run_playbook):
    serve = "import socket; c = socket.create_server(('', 7777)).accept()[0]\nwhile 1: c.send(c.recv(64))"
    ask = ("import socket, time; s = socket.create_connection(('%s', 7777)); open('/run/log', 'w').close(); log = open('/run/log', 'a', 1)\n"
           "while 1: s.send(b'x'); s.recv(64); log.write('.\\n'); time.sleep(0.1)" % hosts.addresses["n2"])
    hosts.run("n2", f'setsid -f python3 -c "{serve}" >/dev/null 2>&1; sleep 0.5')
    hosts.run("n1", f'setsid -f python3 -c "{ask}" >/dev/null 2>&1; until [ -s /run/log ]; do sleep 0.1; done')
    count = "wc -l </run/log"
    try:
        run = run_playbook([fault(addresses=[hosts.addresses["n2"]], direction="in")], hosts, arguments=["--limit", "n1"])
        assert run.rc == 0, run
        one = hosts.run("n1", count).stdout
        time.sleep(1)
        assert hosts.run("n1", count).stdout == one
        hosts.run("n1", "sh /var/lib/gameday/faults/*/revert")
        limit = time.monotonic() + 10
        while hosts.run("n1", count).stdout == one:
            assert time.monotonic() < limit
    finally:
        hosts.run("n1", "pkill -f '[7]777'; rm -f /run/log")
        hosts.run("n2", "pkill -f '[7]777'", check=False)


@pytest.fixture
def echo(netns_hosts):
    netns_hosts.run("n2", "sh", "-c", 'setsid -f python3 -c "$1" >/dev/null 2>&1; sleep 0.5', "sh", ECHO)
    yield
    netns_hosts.run("n2", "pkill -f '[r]ecvfrom'")


def test_loss_is_what_was_asked_for_and_a_refusal_is_told(hosts, echo, run_playbook):
    there = hosts.addresses["n2"]

    def asked(count):
        answer = hosts.run("n1", "python3", "-c", ASK, there, str(count), check=False)
        return int(answer.stdout) if answer.returncode == 0 else answer.stderr.strip()

    assert asked(50) == 50
    run = run_playbook([fault(addresses=[there], action="loss", percent=30, direction="in", ports=["7"])], hosts, arguments=["--limit", "n1"])
    assert run.rc == 0, run
    came = asked(300)
    assert 165 <= came <= 250, f"{came} of 300 came back"
    hosts.run("n1", "sh /var/lib/gameday/faults/*/revert")
    run = run_playbook([fault(addresses=[there], action="reject", protocol="udp")], hosts, arguments=["--limit", "n1"])
    assert run.rc == 0, run
    assert asked(1) == "PermissionError" and reaches(hosts, "n1", "n2") == "connected"


def test_a_reject_of_what_comes_in_is_seen_by_who_sent_it(hosts, run_playbook):
    hosts.run("n1", "cd /; setsid -f python3 -m http.server 7070 >/dev/null 2>&1; sleep 0.7")
    try:
        run = run_playbook([fault(ports=["7070"], action="reject")], hosts, arguments=["--limit", "n1"])
        assert run.rc == 0, run
        assert [reaches(hosts, "n2", "n1", port) for port in (7070, 22)] == ["refused", "connected"]
    finally:
        hosts.run("n1", "pkill -f '[7]070'")
    assert "packets 0" not in hosts.run("n1", "nft list ruleset | grep 'reject with tcp'").stdout


def test_what_a_host_forwards_is_cut_too(hosts, run_playbook):
    """As containers behind a bridge of the host are."""
    behind = "nsenter --target $(cat /run/behind) --net"
    hosts.run("n1", "setsid -f unshare --net sh -c 'echo $$ >/run/behind; exec sleep 999' >/dev/null 2>&1; until [ -s /run/behind ]; do sleep 0.1; done; "
                    "ip link add b0 type veth peer name b1 netns $(cat /run/behind) && ip address add 10.79.0.1/24 dev b0 && ip link set b0 up && "
                    f"{behind} sh -c 'ip address add 10.79.0.2/24 dev b1; ip link set b1 up; ip route add default via 10.79.0.1'; "
                    "nsenter --target 1 --net sysctl -qw net.ipv4.ip_forward=1")
    for other in ("n2", "n3"):
        hosts.run(other, "ip", "route", "add", "10.79.0.0/24", "via", hosts.addresses["n1"])

    def reached(other):
        return hosts.run("n1", "sh", "-c", f'{behind} python3 -c "$@"', "sh", REACH, hosts.addresses[other], "22").stdout.strip()

    try:
        assert reached("n2") == "connected"
        run = run_playbook([fault(addresses=[hosts.addresses["n2"]])], hosts, arguments=["--limit", "n1"])
        assert run.rc == 0, run
        assert [reached("n2"), reached("n3")] == ["silent", "connected"]
    finally:
        hosts.run("n1", "kill -KILL $(cat /run/behind); rm /run/behind; ip link del b0 2>/dev/null; sysctl -qw net.ipv4.ip_forward=0", check=False)
        for other in ("n2", "n3"):
            hosts.run(other, "ip", "route", "del", "10.79.0.0/24")


def test_several_partitions_of_one_host_come_and_go_alone(hosts, run_playbook):
    second, third = hosts.addresses["n2"], hosts.addresses["n3"]
    run = run_playbook([
        {**fault(addresses=[second]), "name": "one"}, {**fault(addresses=[third], action="reject"), "name": "two"},
        {**fault(addresses=[second], state="absent"), "name": "one ends"},
    ], hosts, arguments=["--limit", "n1"])
    assert run.rc == 0, run
    assert [reaches(hosts, "n1", other) for other in ("n2", "n3", "n4")] == ["connected", "refused", "connected"]


def test_an_ordinary_user_is_told_what_is_missing(hosts, ops, run_playbook):
    run = run_playbook([fault(addresses=EVERYBODY)], hosts, arguments=["--limit", "n1"], extra_vars=ops)
    assert run.rc != 0 and "use become" in run.result("inject")["msg"], run


def test_a_container_that_is_restarted_comes_back_whole(containers, voiceassist_image, run_playbook):
    container = containers("restarted", voiceassist_image, ["sleep", "300"])
    run = run_playbook([fault(container=container.name, addresses=EVERYBODY, run="restarted")])
    assert run.rc == 0, run
    container.restart(timeout=0)
    run = run_playbook([{"name": "recover", "gameday.chaos.recover": {"run": "restarted"}}])
    assert run.rc == 0 and run.result("recover")["recovery"]["faults"][0]["lasted"] is False, run
