"""Names that resolve wrongly: who else still resolves, what is left, and ends that need nobody of ours."""

from __future__ import annotations

import datetime
import time

import pytest
from ansible_collections.gameday.chaos.plugins.modules.fault_dns import GROUP

from things.fault_dns import NAME, REAL, WRONG, Names, containers_with_names, meaning

pytestmark = pytest.mark.long
# Asks a server for the name from that port, as a process of that group, and tells the code of the answer.
FROM_A_PORT = """
import os, socket, sys
os.setresgid(*[int(sys.argv[3])] * 3)
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    sock.settimeout(3)
    sock.bind(("", int(sys.argv[2])))
    sock.connect((sys.argv[1], 53))
    try:
        sock.send(b"\\0\\1\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0\\2db\\7example\\3com\\0\\0\\1\\0\\1")
        print(sock.recv(512)[3] & 15)
    except (ConnectionRefusedError, PermissionError):  # the kernel says it at once
        print("refused")
"""


def fault(**options):
    return {"name": "inject", "gameday.chaos.fault_dns": {"duration": 60, **options}}


@pytest.fixture
def host(request, netns_hosts, run_playbook):
    """A host that asks another for names."""
    yield Names(request, "no_such_name")
    run = run_playbook([{"name": "recover", "gameday.chaos.recover": {"all": True}}], netns_hosts, arguments=["--limit", "n1"])
    assert run.rc == 0, run
    assert "gameday" not in netns_hosts.run("n1", "nft list ruleset; cat /proc/mounts").stdout


def asked(hosts, name):
    return meaning(hosts.run("n1", "timeout 4 getent ahosts " + name, check=False).stdout)


def test_other_names_go_on_and_the_kernel_ends_it_when_everything_else_is_dead(host, run_playbook):
    hosts = host.hosts
    run = run_playbook([fault(action="no_such_name", names=["db"], duration=20)], hosts, arguments=host.limit)
    assert run.rc == 0, run
    armed = datetime.datetime.fromisoformat(run.result("inject")["fault"]["armed"]).timestamp()
    assert [asked(hosts, name) for name in ("db", NAME + ".", "other.example.com")] == ["nothing", "nothing", REAL], "by its search domain"
    killed = "cd /var/lib/gameday/faults/*host; for file in watcher load; do read pid _ <$file && kill -KILL -$pid && echo dead; done"
    assert hosts.run("n1", killed).stdout == "dead\n" * 2
    while asked(hosts, NAME + ".") != REAL:
        assert time.time() - armed < 40
    assert time.time() - armed > 18, "its timer was dead, and so was its name server"
    assert hosts.run("n1", "sh /var/lib/gameday/faults/*host/revert").stdout.startswith("put back")


def test_who_asks_from_a_port_that_the_real_server_knows_is_not_led_past_it(host, run_playbook):
    """The kernel leads a known flow where it went before, and each question that our own server passes on is one."""
    server, port = host.hosts.addresses["n2"], 40404
    run = run_playbook([fault(action="no_such_name", names=[NAME])], host.hosts, arguments=host.limit)
    assert run.rc == 0, run

    def answer(number, group):
        return host.hosts.run("n1", "python3", "-c", FROM_A_PORT, server, str(number), str(group)).stdout.strip()

    assert [answer(port, GROUP), answer(port, 0), answer(port + 1, 0)] == ["0", "refused", "3"]
    assert [asked(host.hosts, name) for name in (NAME, "other.example.com")] == ["nothing", REAL]


def test_the_hosts_file_itself_is_never_written_and_somebody_elses_mount_is_not_taken_away(host, run_playbook):
    hosts = host.hosts
    before = hosts.run("n1", "ls -li --time-style=full-iso /etc/hosts; cat /etc/hosts").stdout
    run = run_playbook([fault(names=[NAME], address=WRONG, run="mounts")], hosts, arguments=host.limit)
    assert run.rc == 0 and asked(hosts, NAME) == WRONG, run
    hosts.run("n1", "echo 127.0.0.1 x >/run/over && mount --bind /run/over /etc/hosts")
    said = hosts.run("n1", "sh /var/lib/gameday/faults/*host/revert", check=False)
    assert said.returncode == 1 and "hidden" in said.stderr
    assert "127.0.0.1 x" in hosts.run("n1", "cat /etc/hosts").stdout
    hosts.run("n1", "umount /etc/hosts; rm /run/over")
    assert asked(hosts, NAME) == WRONG
    run = run_playbook([{"name": "recover", "gameday.chaos.recover": {"run": "mounts"}}], hosts, arguments=host.limit)
    assert run.rc == 0 and run.result("recover")["recovery"]["residue"] == [], run
    assert hosts.run("n1", "ls -li --time-style=full-iso /etc/hosts; cat /etc/hosts").stdout == before


def test_one_fault_at_a_time_and_not_by_an_ordinary_user(host, run_playbook):
    host.hosts.run("n1", "usermod -p '*' ops")
    run = run_playbook([fault(action="unreachable")], host.hosts, arguments=host.limit, extra_vars={"ansible_user": "ops"})
    assert "use become" in run.result("inject")["msg"], run
    run = run_playbook([fault(names=[NAME], address=WRONG, run="one"), {**fault(action="unreachable", run="two"), "name": "another"}],
                       host.hosts, arguments=host.limit)
    assert "dns/host is held by fault_dns of run one" in run.result("another")["msg"], run


@pytest.fixture
def container(request):
    return containers_with_names(request, extra_hosts={"cache.example.com": "198.51.100.9"})


def mounts(container):
    with open("/proc/%s/mountinfo" % container.attrs["State"]["Pid"]) as source:
        return sorted(line.split(" - ")[0].split()[3:5] for line in source)


def inside(container, name):
    return meaning(container.exec_run(["timeout", "4", "getent", "ahosts", name]).output.decode())


def test_a_container_is_left_as_it_was_even_by_a_way_back_that_is_run_twice(container, run_playbook):
    """Under our mount is Docker's own, which may not be taken away."""
    container.reload()
    before, changed = mounts(container), container.diff()
    assert inside(container, "cache.example.com") == "198.51.100.9"
    run = run_playbook([fault(container=container.name, names=["cache.example.com", NAME], address=WRONG, run=container.name)])
    assert run.rc == 0, run
    assert [inside(container, name) for name in ("cache.example.com", NAME, "other.example.com")] == [WRONG, WRONG, REAL]
    again = run_playbook([
        {"name": "keep it", "ansible.builtin.copy": {"src": run.result("inject")["fault"]["way_back"], "dest": f"/tmp/{container.name}", "mode": "0700",
                                                     "remote_src": True}},
        {"name": "recover", "gameday.chaos.recover": {"run": container.name}},
        {"name": "twice", "ansible.builtin.command": f"sh /tmp/{container.name}"},
        {"name": "rid of it", "ansible.builtin.file": {"path": f"/tmp/{container.name}", "state": "absent"}},
    ])
    assert again.rc == 0 and "nothing in place" in again.result("twice")["stdout"], again
    assert (mounts(container), container.diff()) == (before, changed)
    assert container.exec_run(["sh", "-c", "ls -A /dev | grep gameday"]).output == b""
    assert inside(container, "cache.example.com") == "198.51.100.9"


@pytest.mark.parametrize("options", [{"names": [NAME], "address": WRONG}, {"action": "no_such_name", "names": [NAME]}],
                         ids=lambda options: options.get("action", "wrong_address"))
def test_a_container_that_is_restarted_resolves_again(options, container, run_playbook):
    run = run_playbook([fault(container=container.name, run=container.name, **options)])
    assert run.rc == 0 and inside(container, NAME) != REAL, run
    container.restart(timeout=0)
    limit = time.monotonic() + 10
    while inside(container, NAME) != REAL:
        assert time.monotonic() < limit
    run = run_playbook([{"name": "recover", "gameday.chaos.recover": {"run": container.name}}])
    assert run.rc == 0 and run.result("recover")["recovery"]["restored"], run
