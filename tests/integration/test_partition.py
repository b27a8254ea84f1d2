"""What is special about a partition: it ends in the kernel, spares what it must, and leaves the rules of others alone."""

from __future__ import annotations

import re
import time

import pytest

FAULT = "gameday.chaos.fault_partition"


@pytest.fixture
def pair(netns_hosts):
    """Two light hosts with addresses of both families; `reach(address)` says whether n4 gets an answer."""
    for number in (4, 5):
        netns_hosts.run(f"n{number}", f"ip -6 address replace fd00:9::{number}/64 dev $(ls /sys/class/net | grep -v lo | head -1) nodad")
    yield netns_hosts
    netns_hosts.run("n4", "for t in $(nft list tables inet | grep -o 'gameday_[0-9a-f]*'); do nft delete table inet $t; done")


def answers(hosts, address, count=1):
    said = hosts.run("n4", f"ping -q -c {count} -i 0.01 -W 1 {address}", check=False).stdout
    return int(re.search(r"(\d+) received", said).group(1))


def inject(run_playbook, hosts, duration=20, run="partition", **options):
    ran = run_playbook([{"name": "cut", FAULT: {"duration": duration, "run": run, **options}}], hosts, arguments=["--limit", "n4"])
    assert ran.rc == 0, ran
    return ran.result("cut")["fault"]


def recover(run_playbook, hosts, run="partition"):
    ran = run_playbook([{"name": "recover", "gameday.chaos.recover": {"run": run}}], hosts, arguments=["--limit", "n4"])
    assert ran.rc == 0 and ran.result("recover")["recovery"]["restored"], ran


def test_it_ends_in_the_kernel_when_nobody_is_alive_to_end_it(run_playbook, pair):
    fault = inject(run_playbook, pair, duration=3, addresses=[pair.addresses["n5"], "fd00:9::5"])
    watcher = fault["way_back"].replace("/revert", "/watcher")
    pair.run("n4", f"kill -s KILL -- -$(cut -d' ' -f1 '{watcher}')")
    assert not answers(pair, pair.addresses["n5"]) and not answers(pair, "fd00:9::5")
    time.sleep(5.5)
    assert answers(pair, pair.addresses["n5"]) and answers(pair, "fd00:9::5")
    recover(run_playbook, pair)


def test_loss_is_as_large_as_asked_for(run_playbook, pair):
    inject(run_playbook, pair, addresses=["fd00:9::/64", pair.addresses["n5"]], action="loss", percent=30, direction="out")
    for address in (pair.addresses["n5"], "fd00:9::5"):
        assert 200 < answers(pair, address, 400) < 350  # 280 ± 9
    recover(run_playbook, pair)


def test_others_and_the_rules_of_others_are_left_alone(run_playbook, pair):
    pair.run("n4", "nft 'add table inet firewall; add chain inet firewall in { type filter hook input priority 0; }; add rule inet firewall in counter accept'")
    rules = pair.run("n4", "nft -s list table inet firewall").stdout
    inject(run_playbook, pair, addresses=[pair.addresses["n5"]])
    assert not answers(pair, pair.addresses["n5"]) and answers(pair, pair.addresses["n3"])
    recover(run_playbook, pair)
    assert answers(pair, pair.addresses["n5"]) and pair.run("n4", "nft -s list table inet firewall").stdout == rules
    pair.run("n4", "nft delete table inet firewall")


def test_one_port_only(run_playbook, pair):
    inject(run_playbook, pair, addresses=[pair.addresses["n5"]], ports=[22], protocol="tcp", action="reject")
    assert answers(pair, pair.addresses["n5"])
    assert "refused" in pair.run("n4", f"timeout 1 bash -c 'exec 3<>/dev/tcp/{pair.addresses['n5']}/22' 2>&1", check=False).stdout
    recover(run_playbook, pair)


def test_two_halves_that_do_not_see_each_other(run_playbook, pair):
    halves = {"left": ["n1", "n2"], "right": ["n3", "n4"]}
    variables = {"halves": halves}
    others = "{{ halves[(inventory_hostname in halves.left) | ternary('right', 'left')] | map('extract', hostvars, 'ansible_host') | list }}"
    ran = run_playbook([{"name": "cut", FAULT: {"addresses": others, "duration": 20, "run": "halves"}},
                        {"name": "look", "ansible.builtin.command": "ping -q -c 1 -W 1 {{ hostvars[item].ansible_host }}", "loop": ["n1", "n3"],
                         "failed_when": False, "changed_when": False},
                        {"name": "recover", "gameday.chaos.recover": {"run": "halves"}}],
                       pair, variables, arguments=["--limit", "n1:n2:n3:n4"])
    assert ran.rc == 0, ran
    seen = {host: [one["rc"] == 0 for one in ran.result("look", host)["results"]] for host in ("n2", "n4")}
    assert seen == {"n2": [True, False], "n4": [False, True]}
