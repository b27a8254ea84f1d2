"""What the host does alone, with systemd and over ssh: after a reboot, when its timer is stopped, when nobody renews a lease; and the red button."""

from __future__ import annotations

import json
import pathlib
import subprocess
import time
import uuid

import pytest

ROOT = pathlib.Path(__file__).parents[2]
HALT, RECOVER = ROOT / "playbooks/halt.yml", ROOT / "playbooks/recover.yml"
UNITS = "systemctl list-units --all --plain --no-legend 'gameday-*'; ls /etc/systemd/system /etc/systemd/system/multi-user.target.wants | grep gameday || true"


class Host:
    def __init__(self, hosts, run_playbook):
        self.hosts, self.run_playbook = hosts, run_playbook

    def sh(self, text, check=True):
        return self.hosts.run("h1", text, check=check).stdout.split()

    def play(self, *tasks, **more):
        return self.run_playbook([{"name": "step %s" % number, **task} for number, task in enumerate(tasks)], self.hosts, **more)

    def in_place(self):
        return self.sh("ls /var/lib/gameday/faults")

    def ended_by(self):
        """Who ended each fault of this test, by its claim."""
        found = {}
        for path in self.sh("ls -d /var/lib/gameday/ended/*"):
            record = json.loads(self.hosts.run("h1", "cat", f"{path}/fault.json").stdout)
            found[record["claim"]] = self.sh(f"cat {path}/ended")[1]
        return found

    def late(self, claim):
        """Seconds by which the end of a fault came after its time, or after its lease was over, by the host's own clock."""
        for path in self.sh("ls -d /var/lib/gameday/ended/*"):
            record = json.loads(self.hosts.run("h1", "cat", f"{path}/fault.json").stdout)
            if record["claim"] == claim:
                due = self.sh(f"cat {path}/lease")[0] if record["lease"] else record["ends_uptime"]
                return (int(self.sh(f"cat {path}/ended")[0]) - int(due)) / 100
        raise AssertionError(f"{claim} has not ended")

    def until(self, condition, seconds):
        limit = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < limit, f"not within {seconds} s: {self.in_place()} {self.sh(UNITS)}"
            time.sleep(0.1)


def disk(path, **more):
    return {"gameday.chaos.fault_disk": {"path": path, "bytes": "1MiB", "duration": 600, "run": "run-1", **more}}


def service(**more):
    return {"gameday.chaos.fault_service": {"name": "demo", "duration": 600, "run": "run-1", **more}}


def ballast(path):
    return f"test -n \"$(find {path} -maxdepth 1 -name '.gameday-*')\""


@pytest.fixture(scope="module")
def own_hosts(make_ssh_hosts):
    return make_ssh_hosts(1)


@pytest.fixture
def host(own_hosts, run_playbook):
    """A host of one's own, without a fault before and without a trace of one afterwards."""
    host = Host(own_hosts, run_playbook)
    host.sh("rm -rf /var/lib/gameday")
    yield host
    host.sh("systemctl reset-failed; rm -f /var/lib/gameday/halted; for f in /var/lib/gameday/faults/*/revert; do [ ! -e $f ] || sh $f; done")
    assert host.in_place() == [] and host.sh(UNITS) == [] and host.sh("systemctl is-active demo") == ["active"]


def test_after_a_reboot_the_host_puts_back_what_outlived_it_and_the_next_contact_the_rest(host):
    """The container is started again: its boot id stays, its first process does not."""
    load = {"gameday.chaos.fault_cpu": {"workers": 1, "load": 5, "duration": 600, "run": "run-1"}}
    injected = host.play(disk("/srv"), service(), load)
    assert injected.rc == 0, injected
    assert [injected.result(f"step {number}")["fault"]["after_reboot"] for number in range(3)] == ["unit", "unit", "gone"]
    assert len(host.in_place()) == 3 and len({line for line in host.sh(UNITS) if line.endswith("-boot.service")}) == 2
    subprocess.run(["docker", "restart", "-t", "5", host.hosts.container("h1")], check=True, stdout=subprocess.DEVNULL)
    host.until(lambda: host.in_place() == ["cpu%2Fhost"], 15)
    assert host.hosts.run("h1", ballast("/srv"), check=False).returncode != 0
    host.until(lambda: host.sh("systemctl is-active demo", check=False) == ["active"], 5)
    again = host.play({"gameday.chaos.ledger_info": {}}, disk("/opt", run="run-2"))
    assert [fault["overdue"] for fault in again.result("step 0")["faults"]] == [True]
    assert again.rc == 0 and "cpu/host of run run-1 was over its time, and is put back now" in again.result("step 1")["warnings"], again
    assert host.ended_by() == {"disk/host/srv": "boot", "service/demo.service": "boot", "cpu/host": "sweep"}


@pytest.mark.alone
@pytest.mark.long
def test_a_stopped_timer_is_told_and_armed_again_and_reexecution_of_systemd_changes_nothing(host):
    assert host.play(disk("/srv"), service(duration=12)).rc == 0
    host.sh("systemctl daemon-reexec; systemctl daemon-reload")
    identity = json.loads(host.hosts.run("h1", "cat", "/var/lib/gameday/faults/disk%2Fhost%2Fsrv/fault.json").stdout)["id"]
    host.sh(f"systemctl stop gameday-{identity}.timer")
    found = host.play({"gameday.chaos.ledger_info": {}}, {"gameday.chaos.recover": {"run": "run-2"}}, {"gameday.chaos.ledger_info": {}})
    assert {fault["claim"]: fault["timer_lost"] for fault in found.result("step 0")["faults"]}["disk/host/srv"] is True, found
    assert found.result("step 1")["recovery"]["notes"] == ["disk/host/srv of run run-1 had lost its timer, which is armed again"]
    assert not any(fault["timer_lost"] for fault in found.result("step 2")["faults"])
    assert host.sh(f"systemctl is-active gameday-{identity}.timer") == ["active"]
    host.until(lambda: "service%2Fdemo.service" not in host.in_place(), 20)
    assert host.ended_by() == {"service/demo.service": "timer"} and host.late("service/demo.service") < 3
    # Whoever removes a record does away with the way back; its timer does nothing then, and not for ever.
    host.sh("sh '/var/lib/gameday/faults/disk%2Fhost%2Fsrv/revert'; systemctl daemon-reload")
    assert host.play(disk("/srv", duration=5, run="run-3")).rc == 0
    host.sh("mv /var/lib/gameday/faults/disk%2Fhost%2Fsrv /var/lib/gameday/elsewhere; sleep 8")
    assert [line for line in host.sh("systemctl list-units --all --plain --no-legend 'gameday-*'") if line.endswith((".timer", ".service"))] == []
    host.sh("mv /var/lib/gameday/elsewhere /var/lib/gameday/faults/disk%2Fhost%2Fsrv")


@pytest.mark.alone
@pytest.mark.long
def test_a_lease_that_nobody_renews_ends_the_fault_although_its_clock_was_killed(host):
    kill = {"ansible.builtin.command": "systemctl kill -s KILL gameday-*-lease.service"}
    renew = {"gameday.chaos.renew_lease": {"run": "run-1"}}
    last = {"gameday.chaos.probe_command": {"command": ["sleep", "13"], "timeout": 30, "run": "run-1"}}
    run = host.play(disk("/srv", lease=10), kill, renew, last)
    assert run.rc == 0 and run.result("step 2")["changed"] and host.in_place() != [], run
    host.until(lambda: host.in_place() == [], 10 + 10)
    assert host.late("disk/host/srv") < 3
    assert host.hosts.run("h1", ballast("/srv"), check=False).returncode != 0 and host.ended_by() == {"disk/host/srv": "lease"}


def test_the_red_button_in_the_middle_of_an_experiment(host, tmp_path):
    """The faults end, the run ends with a truthful verdict and breaks nothing more, and nothing is broken until the host is released."""
    method, name = tmp_path / "method.yml", f"halted-{uuid.uuid4().hex[:6]}"
    closed = [{"name": "nobody listens", "probe_tcp": {"host": "127.0.0.1", "port": 8000, "state": "closed"}}]
    method.write_text(json.dumps([
        {"name": "Break", "gameday.chaos.fault_service": {"name": "demo", "duration": 60}},
        {"name": "Watch", "gameday.chaos.steady_state": {"probes": closed, "during": 20}, "failed_when": False},
        {"name": "Break more", "gameday.chaos.fault_disk": {"path": "/srv", "bytes": "1MiB", "duration": 60}},
    ]))
    role = {"name": "Experiment", "ansible.builtin.include_role": {"name": "gameday.chaos.experiment"}, "vars": {
        "experiment_title": "Halted", "experiment_name": name, "experiment_method": str(method), "experiment_recovery": 5,
        "experiment_steady_state": [{"name": "served", "probe_tcp": {"host": "127.0.0.1", "port": 8000}}]}}
    run = host.run_playbook([role], host.hosts, background=True)
    run.wait_for("Watch")
    pressed = time.monotonic()
    halted = host.run_playbook(HALT, host.hosts, extra_vars={"reason": "an incident", "who": "Ada"}, arguments=["--limit", "h1"])
    clean = time.monotonic() - pressed
    assert halted.rc == 0 and "was under service/demo.service of run" in halted.stdout and host.sh("systemctl is-active demo") == ["active"], halted
    run.wait(60)
    journal, = run.journals()
    assert run.rc == 2 and journal["verdict"] == "errored" and "halted on this host by Ada" in journal["reason"], run
    assert host.in_place() == [] and host.ended_by() == {"service/demo.service": "halt"}
    again = host.run_playbook([role], host.hosts)
    assert again.rc != 0 and "halted on this host by Ada" in again.stdout and "release=true" in again.stdout, again
    released = host.run_playbook(HALT, host.hosts, extra_vars={"release": True})
    assert released.rc == 0 and host.play(disk("/srv")).rc == 0, released
    print(f"halt to clean: {clean:.1f} s")


def test_recover_says_who_was_under_a_fault_and_names_whom_it_cannot_reach(host, tmp_path):
    assert host.play(disk("/srv")).rc == 0
    inventory = tmp_path / "inventory.ini"
    inventory.write_text(host.hosts.inventory.read_text() + "\n[lost]\nh9 ansible_host=127.0.0.1 ansible_port=1\n")
    for environment in ({}, {"ANSIBLE_STDOUT_CALLBACK": "default"}):
        run = host.run_playbook(RECOVER, inventory, env=environment)
        assert run.rc == 2 and "h9: not reached" in run.stdout and host.in_place() == [], run
        assert environment or "h1: was under disk/host/srv of run run-1, which is put back" in run.stdout, run
        assert f"2 hosts, {0 if environment else 1} of them under a fault when we came, 1 not known to be clean" in run.stdout, run
        assert run.journals() == []


@pytest.mark.alone
@pytest.mark.long
@pytest.mark.parametrize("step", ["1 day", "1 day ago"])
def test_a_clock_that_is_stepped_by_a_day_moves_no_deadline(run_playbook, uml_host, step):
    """On a host with a kernel of its own, and a watcher for a timer."""
    play = run_playbook([{"name": "inject", **disk("/srv", duration=20, run=f"clock {step}")}], uml_host)
    assert play.rc == 0, play
    folder = "/var/lib/gameday/faults/disk%2Fhost%2Fsrv"
    ends = json.loads(uml_host.run("u1", "cat", f"{folder}/fault.json").stdout)["ends_uptime"]
    uml_host.run("u1", "date", "-s", step)
    try:
        assert uml_host.run("u1", f"test -d '{folder}' && {ballast('/srv')}").returncode == 0
        ended = uml_host.run("u1", f"until ! test -d '{folder}'; do sleep 0.1; done; cat /proc/uptime; ! {ballast('/srv')}").stdout.split()
    finally:
        uml_host.run("u1", "date", "-s", "@%d" % time.time())
    assert 0 <= float(ended[0]) * 100 - ends < 500
