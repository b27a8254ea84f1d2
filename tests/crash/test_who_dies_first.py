"""Whoever dies first in the middle of database_failure: after its duration the host is as it was, by looking at the host."""

from __future__ import annotations

import os
import pathlib
import signal
import threading
import time

import pytest
import requests

from lab.crashes import kill_the_module_here, killer

ROOT = pathlib.Path(__file__).parents[2]
PLAYBOOK = ROOT / "playbooks/database_failure.yml"
DURATION = 9
WATCHING = "keeps answering honestly"
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL]
SOON_LOST = {"ANSIBLE_TIMEOUT": 5, "ANSIBLE_SSH_ARGS": "-o ControlMaster=auto -o ControlPersist=60s -o ServerAliveInterval=1 -o ServerAliveCountMax=4"}
VARIABLES = {
    "experiment_reconnect": 3,
    "database_failure_duration": DURATION,
    "database_failure_watch": 6,
    "database_failure_url": "http://127.0.0.1:8080",
    "database_failure_read_path": "/api/sessions/1",
}


def healthy(url):
    try:
        return requests.get(url + "/health", timeout=2).status_code == 200
    except requests.RequestException:
        return False


def becomes(condition, seconds):
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if condition():
            return True
        time.sleep(0.05)
    return False


class Service:
    """PostgreSQL as a systemd service on a host that is reached over ssh; the timer is systemd's."""

    def __init__(self, hosts, name):
        self.hosts, self.name, self.inventory = hosts, name, hosts
        self.url = hosts.url(name)
        self.variables = {**VARIABLES, "database_failure_kind": "service", "database_failure_service": "voiceassist-postgres"}
        self.arguments = ["--limit", name]
        self.faults = "/var/lib/gameday/faults"

    def run(self, text, check=True):
        return self.hosts.run(self.name, text, check=check)

    def in_place(self):
        return self.run("ls /var/lib/gameday/faults 2>/dev/null || true").stdout.split()

    def leftovers(self):
        left = self.in_place()
        left += self.run("systemctl is-active voiceassist-postgres | grep -v '^active$' || true").stdout.split()
        left += self.run("systemctl list-units --all --plain --no-legend 'gameday-*' || true").stdout.split()
        left += self.run("ls /run/systemd/system.control 2>/dev/null || true").stdout.split()
        return left

    def kill_timer(self):
        self.run("systemctl stop 'gameday-*.timer'")

    def kill_the_module(self, run_playbook):
        return self.hosts.run(self.name, "python3", *killer(self.faults, "voiceassist-postgres")).stdout


class Process:
    """PostgreSQL as a process on this machine; the timer is the detached watcher."""

    def __init__(self, system):
        self.system, self.inventory, self.arguments = system, ROOT / "inventories/demo", []
        self.url = system.url
        self.variables = {**VARIABLES, "database_failure_url": system.url, "database_failure_signal": "KILL",
                          "voiceassist_directory": system.directory}
        self.faults = "/var/lib/gameday/faults" if os.geteuid() == 0 else os.path.expanduser("~/.local/state/gameday/faults")
        self.claim = pathlib.Path(system.directory).name

    def in_place(self):
        return [name for name in os.listdir(self.faults) if self.claim in name] if os.path.isdir(self.faults) else []

    def leftovers(self):
        left = self.in_place()
        try:
            pid = pathlib.Path(self.system.pid_files["database"]).read_text().split()[0]
        except (FileNotFoundError, IndexError):  # it is just being started, or is not
            pid = "unknown"
        left += [] if os.path.exists(f"/proc/{pid}") else [f"no postgres with pid {pid}"]
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                command = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            left += [f"watcher {folder.name}"] if b"/revert" in command and self.claim.encode() in command else []
        return left

    def kill_timer(self):
        watcher = pathlib.Path(self.faults, self.in_place()[0], "watcher").read_text().split()[0]
        os.killpg(int(watcher), signal.SIGKILL)

    def kill_the_module(self, run_playbook):
        return kill_the_module_here(self.faults, self.claim, str(run_playbook.folder))


TARGETS = {"voiceassist_hosts": "service over ssh", "voiceassist_processes": "process on this machine"}


@pytest.fixture
def target(request):
    """The demo system, well before, and well after whatever the test did to it."""
    system = request.getfixturevalue(request.param)
    found = Service(system, "h1") if request.param == "voiceassist_hosts" else Process(system)
    assert becomes(lambda: healthy(found.url), 20)
    yield found


def briefly(wanted):
    """On every target; in `make test` on this one only."""
    marked = [pytest.param(name, id=words, marks=[] if words == wanted else [pytest.mark.long]) for name, words in TARGETS.items()]
    return pytest.mark.parametrize("target", marked, indirect=True)


def each_signal():
    """Every signal on every target; each of them at least once in `make test`."""
    for name, briefly in (("voiceassist_hosts", (signal.SIGTERM, signal.SIGHUP)), ("voiceassist_processes", (signal.SIGINT, signal.SIGKILL))):
        for number in SIGNALS:
            yield pytest.param(name, number, id=f"{TARGETS[name]}-{number.name}", marks=[] if number in briefly else [pytest.mark.long])


def start(run_playbook, target, env=None):
    return run_playbook(PLAYBOOK, target.inventory, target.variables, env, arguments=target.arguments, background=True)


def assert_clean_after(target, since):
    """After the duration and a moment, or some more on a busy machine, nothing is left, and the system is well."""
    time.sleep(max(0.0, since + DURATION + 2 - time.monotonic()))
    assert becomes(lambda: target.leftovers() == [], 20), target.leftovers()
    assert becomes(lambda: healthy(target.url), 10)


@pytest.mark.parametrize(("target", "number"), list(each_signal()), indirect=["target"])
def test_the_controller_is_ended(run_playbook, target, number):
    run = start(run_playbook, target)
    run.wait_for(WATCHING)
    since = time.monotonic()
    assert target.in_place() != [] and not healthy(target.url)
    run.send_group(number)
    run.wait(20)
    assert_clean_after(target, since)
    journal, = run.journals()
    assert journal["status"] == "interrupted" and journal["verdict"] == "not_restored" and journal["faults"]


@briefly("process on this machine")
def test_the_module_is_killed_in_the_middle_of_the_injection(run_playbook, target):
    said = []
    killer = threading.Thread(target=lambda: said.append(target.kill_the_module(run_playbook)))
    killer.start()
    run = start(run_playbook, target)
    killer.join(60)
    since = time.monotonic()
    assert said and said[0].startswith("killed"), run
    run.wait(90)
    assert run.rc != 0 and "the module ended on the host without an answer, with exit code 137 (killed)" in run.stdout, run
    assert_clean_after(target, since)


@briefly("service over ssh")
def test_the_module_and_the_controller_are_killed_in_the_middle_of_the_injection(run_playbook, target):
    said = []
    killer = threading.Thread(target=lambda: said.append(target.kill_the_module(run_playbook)))
    killer.start()
    run = start(run_playbook, target)
    killer.join(60)
    since = time.monotonic()
    run.send_group(signal.SIGKILL)
    run.wait(20)
    assert said and said[0].startswith("killed"), run
    assert_clean_after(target, since)


@pytest.mark.long
@briefly("service over ssh")
def test_the_timer_is_killed_and_the_experiment_itself_puts_back(run_playbook, target):
    run = start(run_playbook, target)
    run.wait_for(WATCHING)
    since = time.monotonic()
    target.kill_timer()
    run.wait(90)
    assert run.rc == 0, run
    assert_clean_after(target, since)


@briefly("process on this machine")
def test_the_timer_and_the_controller_are_killed_and_the_next_contact_puts_back(run_playbook, target):
    """Two lines of defence lost: the third is the sweep, which any next fault or recover on the host does."""
    run = start(run_playbook, target)
    run.wait_for(WATCHING)
    since = time.monotonic()
    target.kill_timer()
    run.send_group(signal.SIGKILL)
    run.wait(20)
    time.sleep(max(0.0, since + DURATION + 4 - time.monotonic()))
    swept = run_playbook([{"name": "Sweep", "gameday.chaos.recover": {"run": "another"}}], target.inventory, arguments=target.arguments)
    assert swept.rc == 0, swept
    assert_clean_after(target, since)


def test_ssh_is_cut(run_playbook, voiceassist_hosts):
    """The host is unreachable, so neither rescue nor always runs for it; it heals by itself, and the play does not pass."""
    target = Service(voiceassist_hosts, "h2")
    assert becomes(lambda: healthy(target.url), 20)
    run = start(run_playbook, target, SOON_LOST)
    run.wait_for(WATCHING)
    since = time.monotonic()
    voiceassist_hosts.cut("h2")
    try:
        time.sleep(max(0.0, since + DURATION + 2 - time.monotonic()))
        assert becomes(lambda: target.leftovers() == [], 20), target.leftovers()
        run.wait(120)
    finally:
        voiceassist_hosts.mend("h2")
    assert run.rc != 0, run
    assert becomes(lambda: healthy(target.url), 20)
    journal, = run.journals()
    assert journal["verdict"] == "not_restored"
