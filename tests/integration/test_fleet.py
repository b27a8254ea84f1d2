"""One experiment over many hosts: one journal with a verdict for each of them, everything put back, and costs that grow no faster than the hosts."""

from __future__ import annotations

import pytest

from lab import fleet

FROZEN = "cat /proc/[0-9]*/stat 2>/dev/null | grep -c '^[0-9]* (sleep) T'"


def run(make_netns_hosts, folder, count, **options):
    hosts = make_netns_hosts(count)
    fleet.start_sleepers(hosts)
    cost = fleet.experiment(hosts, folder / "fleet", count, **options)
    assert cost.code == 0, cost.output[-6000:]
    assert list(cost.journal["hosts"]) == hosts.names
    assert {one["verdict"] for one in cost.journal["hosts"].values()} == {"passed"}
    assert sorted(fault["host"] for fault in cost.journal["faults"]) == sorted(hosts.names)
    assert all(fault["verified"] and fault["state"] == "absent" for fault in cost.journal["faults"])
    assert [host for host in hosts.names if hosts.run(host, FROZEN, check=False).stdout.strip() != "0"] == []
    assert cost.memory < 250 * 1024 and cost.bytes < count * 15 * 1024, cost
    return cost


def test_ten_hosts(make_netns_hosts, tmp_path):
    run(make_netns_hosts, tmp_path, 10)


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_a_hundred_hosts(make_netns_hosts, tmp_path):
    run(make_netns_hosts, tmp_path, 100)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_fifty_hosts_are_hit_at_one_instant(make_netns_hosts, tmp_path):
    """They share the cores of this machine, where real hosts have their own: were it idle, 50 ms; three times that where others work on it, too."""
    assert fleet.skew(run(make_netns_hosts, tmp_path, 50, forks=50, ahead=60).journal) <= 0.15
