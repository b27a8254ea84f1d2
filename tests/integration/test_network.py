"""
fault_network where there is netem (a host with a kernel of its own), measured from the outside; and where there is none. The lab's end of the network has
three addresses: the controller comes from .1, and what is done to .2 must not be done to .3. Few tasks, since everything is slow on that host.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from ansible_collections.gameday.chaos.plugins.module_utils import netem, way_back
from ansible_collections.gameday.chaos.plugins.modules import fault_network

pytestmark = pytest.mark.long
PATIENT = {"ANSIBLE_SSH_ARGS": "-o ControlMaster=auto -o ControlPersist=60s"}  # a kernel as a process may get no turn for many seconds
DELAY = 1000  # milliseconds; half of it is more than a busy machine makes of none
MODULE = "gameday.chaos.fault_network"
HOST = {"4": "198.18.80.11", "6": "fd00:80::11"}
PEER = {"4": "198.18.80.%s", "6": "fd00:80::%s"}
CONNECT = """
import socket, sys, time
seconds = []
for turn in range(3):
    begin = time.monotonic()
    socket.create_connection((sys.argv[2], 22), timeout=20, source_address=(sys.argv[1], 0)).close()
    seconds.append(time.monotonic() - begin)
print(min(seconds))
"""


def in_lab(hosts, *command):
    return subprocess.run([*hosts.command_prefix, *command], capture_output=True, text=True, stdin=subprocess.DEVNULL)


def ping(hosts, peer, version, count=5):
    """(round trips in seconds, share that was lost) of pings from one of the lab's addresses."""
    ran = in_lab(hosts, "ping", "-n", "-c", str(count), "-i", "0.2", "-W", "5", "-I", PEER[version] % peer, HOST[version])
    times = [float(line.split("time=")[1].split()[0]) / 1000 for line in ran.stdout.splitlines() if "time=" in line and "DUP" not in line]
    return times, 1 - len(times) / count


def connects(hosts, peer, version):
    """Seconds until the host's sshd answers one of the lab's addresses, the least of some; None when it does not."""
    ran = in_lab(hosts, sys.executable, "-c", CONNECT, PEER[version] % peer, HOST[version])
    return float(ran.stdout) if ran.returncode == 0 else None


def late(hosts):
    """Which of the lab's packets come back late, as words such as "icmp4 2": by protocol, IP version and the address that asked. All at once."""
    ends = list(itertools.product(HOST, (1, 2, 3)))
    with ThreadPoolExecutor(2 * len(ends)) as pool:
        asked = {f"icmp{version} {peer}": pool.submit(lambda *end: min(ping(*end)[0]), hosts, peer, version) for version, peer in ends}
        asked.update({f"tcp{version} {peer}": pool.submit(connects, hosts, peer, version) for version, peer in ends})
    return {words for words, answer in asked.items() if answer.result() > DELAY / 2000}


def default_again(hosts):
    return "qdisc pfifo_fast 0: root" in hosts.run("u1", "tc qdisc show dev vec0").stdout


@pytest.fixture(params=["flower", "u32"], scope="module")
def filters(request, uml_host):
    """A kind of filter, alone on that host: the kernel is told that it has no other."""
    other = {"flower": "u32", "u32": "flower"}[request.param]
    uml_host.run("u1", f"echo 'install cls_{other} /bin/false' >/etc/modprobe.d/lab.conf; rmmod cls_{other} 2>/dev/null; true")
    yield request.param
    uml_host.run("u1", "rm -f /etc/modprobe.d/lab.conf")


@pytest.mark.parametrize(("selectors", "hit"), [
    ({"destination": ["198.18.80.2"]}, {"icmp4 2", "tcp4 2"}),
    ({"destination": ["198.18.80.2", "fd00:80::2"], "protocol": "icmp"}, {"icmp4 2", "icmp6 2"}),
    ({"source_port": [22, 80]}, {"tcp4 2", "tcp4 3", "tcp6 1", "tcp6 2", "tcp6 3"}),
    ({"source": ["fd00:80::11"], "destination": ["fd00:80::/126"], "protocol": "tcp"}, {"tcp6 1", "tcp6 2", "tcp6 3"}),
    ({"destination_port": [22]}, set()),
], ids=["an address", "addresses and a protocol", "ports, but not those of the controller", "from here to there by IPv6", "another's port"])
def test_only_what_all_selectors_choose_is_hit(selectors, hit, filters, uml_host):
    params = {**{name: option.get("default") for name, option in fault_network.OPTIONS.items()}, "delay": DELAY, **selectors}
    spared = [*netem.VITAL, (4, {"protocol": "tcp", "destination": "198.18.80.1", "source_port": 22})]
    tree = netem.tree("vec0", 2, params, filters, spared, fault_network.chosen(params), [])
    asked = "unshare --net sh -c " + way_back.quote([netem.KERNEL])
    there = " && ".join(map(way_back.quote, tree["inject"]))
    known = uml_host.run("u1", f"{asked} 2>/dev/null; {there}").stdout.split()
    try:
        assert known == ["netem", "prio", filters]
        assert late(uml_host) == hit
    finally:
        uml_host.run("u1", way_back.quote(tree["revert"][0]))
    assert default_again(uml_host)


def test_the_life_of_a_fault_on_the_network(run_playbook, uml_host):
    """Foretold, late, ending by itself; then loss in steps up to all packets, over the connection that is spared."""
    measure = {"delegate_to": "localhost", "changed_when": False, "failed_when": False}
    lose = {"destination": ["198.18.80.2", "fd00:80::2"], "run": "network"}
    lossy = "ping -n -q -c 300 -i 0.005 -W 1 -I 198.18.80.2 198.18.80.11"
    run = run_playbook([{"name": "late", MODULE: {**lose, "delay": 200, "duration": 30, "run": "late"}}], uml_host, env=PATIENT, seconds=240)
    assert run.rc == 0, run
    fault = run.result("late")["fault"]
    assert fault["verified"] and fault["claim"] == "qdisc/vec0" and "netem 7002: dev vec0 parent 6002:2 limit 10000 delay 200ms" in fault["effect"]
    for version in HOST:
        assert 0.19 <= min(ping(uml_host, 2, version)[0]) < 0.4 and min(ping(uml_host, 3, version)[0]) < 0.1
    deadline = time.monotonic() + 40
    while not default_again(uml_host):
        assert time.monotonic() < deadline, "the timer did not end it"
        time.sleep(0.5)

    run = run_playbook([
        {"name": "lose some", MODULE: {**lose, "loss": 10, "duration": 100}},
        {"name": "of some", "ansible.builtin.command": lossy, **measure},
        {"name": "end", MODULE: {**lose, "state": "absent"}},
        {"name": "lose everything", MODULE: {"loss": 100, "duration": 100, "run": "network"}},
        {"name": "forget the way to the host", "ansible.builtin.command": "ip neigh flush all", **measure},
        {"name": "a new connection", "ansible.builtin.meta": "reset_connection"},
        {"name": "of everything", "ansible.builtin.command": lossy.replace("300", "20"), **measure},
        {"name": "of the rest", "ansible.builtin.command": "ping -n -q -c 20 -i 0.005 -W 1 -I fd00:80::1 fd00:80::11", **measure},
        {"name": "neighbours", "ansible.builtin.command": "ip -json neigh show to fd00:80::11", **measure},
        {"name": "recover", "gameday.chaos.recover": {"run": "network"}},
    ], uml_host, env=PATIENT, seconds=400)
    assert run.rc == 0, run
    assert "loss 10%" in run.result("lose some")["fault"]["effect"] and run.result("end")["fault"]["ended_by"] == "state=absent"
    assert 3 <= lost(run.result("of some")) <= 20
    assert lost(run.result("of everything")) == lost(run.result("of the rest")) == 100
    assert json.loads(run.result("neighbours")["stdout"])[0]["lladdr"], "neighbour discovery is spared"
    recovery = run.result("recover")["recovery"]
    assert recovery["restored"] and len(recovery["faults"]) == 2, recovery
    assert default_again(uml_host) and ping(uml_host, 2, "4")[1] == 0


def lost(result):
    return float(result["stdout"].split("% packet loss")[0].split()[-1])


def test_in_the_network_of_a_container_nobody_else_is_late(run_playbook, uml_host):
    """
    The namespace, the control group and the processes are real; only the engine, which this kernel is too slow for, is a program that knows one
    container.
    """
    uml_host.run("u1", """
        unshare --net sleep 1000 </dev/null >/dev/null 2>&1 & sleep 0.5; pid=$!
        mkdir -p /run/groups; mount -t cgroup2 none /run/groups; mkdir /run/groups/0123; echo $pid >/run/groups/0123/cgroup.procs
        ip link add lab type veth peer name eth0 netns $pid; ip addr add 10.9.9.1/24 dev lab; ip link set lab up
        nsenter -t $pid -n sh -c 'ip link set lo up; ip addr add 10.9.9.2/24 dev eth0; ip link set eth0 up; ip route add default via 10.9.9.1'
        { echo '#!/bin/sh'; echo echo "'"'[{"Name": "/web", "Id": "0123", "State": {"Status": "running", "Pid": '$pid'}}]'"'"; } >/usr/local/bin/docker
        chmod +x /usr/local/bin/docker""")
    try:
        run = run_playbook([
            {"name": "late", MODULE: {"container": "web", "delay": 200, "duration": 100, "run": "container"}},
            {"name": "measure", "ansible.builtin.command": "ping -c 3 -i 0.5 -q 10.9.9.2", "changed_when": False},
        ], uml_host, env=PATIENT, seconds=240)
        assert run.rc == 0, run
        assert run.result("late")["fault"]["claim"] == "container/web/qdisc" and "delay 200ms" in run.result("late")["fault"]["effect"]
        assert 190 <= float(run.result("measure")["stdout"].split("rtt")[1].split("=")[1].split("/")[0]) < 400
        assert default_again(uml_host)
        back = uml_host.run("u1", "sh /var/lib/gameday/faults/container%2Fweb%2Fqdisc/revert && nsenter -t $(pidof sleep | cut -d' ' -f1) -n tc qdisc show")
        assert "put back" in back.stdout and "netem" not in back.stdout
    finally:
        uml_host.run("u1", "for pid in $(pidof sleep); do kill $pid; done; rm /usr/local/bin/docker; ip link del lab 2>/dev/null; "
                           "sleep 1; rmdir /run/groups/0123; umount /run/groups")


def test_without_netem_the_error_names_the_module_and_nothing_is_touched(run_playbook, netns_hosts):
    host = netns_hosts.names[0]
    if netns_hosts.run(host, "unshare", "--net", "tc", "qdisc", "add", "dev", "lo", "root", "netem", check=False).returncode == 0:
        pytest.skip("this kernel has netem, so there is nothing to refuse")
    before = netns_hosts.run(host, "tc qdisc show; ls /var/lib/gameday/faults 2>&1 || true").stdout
    run = run_playbook([{"name": "late", MODULE: {"interface": "e0", "delay": 100, "duration": 20}}], netns_hosts, arguments=["--limit", host])
    assert run.rc != 0
    message = run.result("late")["msg"]
    assert "no netem (module sch_netem)" in message and "kernel-modules-extra" in message and "fault_proxy" in message, message
    assert netns_hosts.run(host, "tc qdisc show; ls /var/lib/gameday/faults 2>&1 || true").stdout == before
