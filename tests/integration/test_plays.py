"""The role in every kind of play, and with hosts that are lost on the way: a verdict for each host, all hosts in the journal, and nothing left behind."""

from __future__ import annotations

import datetime
import functools
import json
import signal
import tempfile
import uuid

import pytest

VICTIM = "sleep 9393"
NAMES = ["n1", "n2", "n3"]
STEADY = [{"name": "the sleeper is there", "probe_process": {"pattern": f"^{VICTIM}$"}}]
LOOK = {"name": "It is frozen", "gameday.chaos.probe_process": {"pattern": f"^{VICTIM}$", "frozen": True}}
QUICK = {"ANSIBLE_TIMEOUT": 5, "ANSIBLE_SSH_ARGS": "-o ControlMaster=auto -o ControlPersist=60s -o ServerAliveInterval=1 -o ServerAliveCountMax=4"}


def rather_long(*values, **more):
    return pytest.param(*values, marks=pytest.mark.long, **more)


def fault(**more):
    return {"name": "Break", "gameday.chaos.fault_process": {"pattern": f"^{VICTIM}$", "action": "stop", "duration": 120, **more}}


def on(host, task):
    return {**task, "when": f"inventory_hostname == '{host}'"}


@pytest.fixture
def hosts(netns_hosts):
    """Each with the victim, and without a fault or a reservation, before and after."""
    for name in NAMES:
        netns_hosts.run(name, f"pkill -KILL -f '^{VICTIM}$'; while pgrep -f '^{VICTIM}$'; do sleep 0.05; done >/dev/null; "
                              f"setsid -f {VICTIM} </dev/null >/dev/null 2>&1; until pgrep -f '^{VICTIM}$' >/dev/null; do sleep 0.05; done")
    yield netns_hosts
    left = ""
    for name in NAMES:
        netns_hosts.mend(name)
        left += netns_hosts.run(name, "cd /var/lib/gameday 2>/dev/null && find faults -mindepth 1 -maxdepth 1 && ls reservation.json; true").stdout
        netns_hosts.run(name, f"pkill -KILL -f '^{VICTIM}$'; rm -rf /var/lib/gameday/faults/* /var/lib/gameday/reservation.json")
    assert not left, left


@pytest.fixture
def experiment(start, hosts):
    """experiment(method, play, **variables) runs the role with this method, and these keywords of the play, on three hosts."""
    return functools.partial(start, hosts, arguments=("--limit", "n1:n2:n3"))


@pytest.fixture
def start(run_playbook, tmp_path):
    def run(hosts, method, play=None, steady=STEADY, arguments=(), background=False, env=None, **variables):
        file = tmp_path / f"method-{uuid.uuid4().hex[:6]}.yml"
        file.write_text(json.dumps(method))
        role = {"name": "Experiment", "ansible.builtin.include_role": {"name": "gameday.chaos.experiment"}, "vars": {
            "experiment_title": "Something happens", "experiment_name": "something", "experiment_method": str(file),
            "experiment_steady_state": steady, "experiment_recovery": 3, **variables}}
        plays = [{"name": "Test", "hosts": "all", "gather_facts": False, "tasks": [role], **(play or {})}]
        # Connections that an earlier test has left would not notice as quickly that a host is lost.
        own = ["-e", f"ansible_control_path_dir={tempfile.mkdtemp(prefix='cp')}"] if env is QUICK else []
        return run_playbook(plays, hosts, arguments=[*arguments, *own], background=background, env=env or {})

    return run


def ended(run, rc=None):
    """The only journal, of all three hosts; and the verdict of each."""
    assert len(run.journals()) == 1 and (rc is None or run.rc == rc), run
    journal, = run.journals()
    assert sorted(journal["hosts"]) == NAMES, run
    return journal, {name: host["verdict"] for name, host in journal["hosts"].items()}


def awake(hosts, *names):
    return [name for name in names or NAMES
            if "S" in hosts.run(name, f"for p in $(pgrep -f '^{VICTIM}$'); do cut -d' ' -f3 /proc/$p/stat; done").stdout.split()]


def lose(hosts, name, back_after=None):
    """A task of the method, on the controller, that takes the network of a host away, and gives it back after some seconds."""
    link = f"v{hosts.number(name)}"
    back = f"; setsid -f sh -c 'sleep {back_after}; ip link set {link} up' </dev/null >/dev/null 2>&1" if back_after is not None else ""
    return on(name, {"name": f"{name} is lost", "ansible.builtin.command": {"argv": ["sh", "-c", f"ip link set {link} down{back}"]},
                     "delegate_to": "localhost", "vars": {"ansible_connection": "local", "ansible_become": False}})


# Kinds of plays

@pytest.mark.parametrize("play", [
    {"serial": 2}, {"strategy": "free"}, rather_long({"strategy": "host_pinned"}), rather_long({"serial": [1, 2], "any_errors_fatal": True}),
], ids=str)
def test_it_passes_in_every_kind_of_play(experiment, hosts, play):
    run = experiment([fault(), LOOK], play)
    journal, verdicts = ended(run, rc=0)
    assert set(verdicts.values()) == {"passed"} and journal["verdict"] == "passed" and journal["restored"] is True, run
    assert sorted(one["host"] for one in journal["faults"]) == NAMES and len({one["run"] for one in journal["faults"]}) == 1
    assert awake(hosts) == NAMES


def test_a_batch_that_fails_is_judged_and_the_next_ones_are_told_to_have_had_no_part(experiment, hosts):
    deviate = {"name": "It still works", "gameday.chaos.probe_process": {"pattern": f"^{VICTIM}$"}}
    run = experiment([fault(), deviate], {"serial": 1})
    journal, verdicts = ended(run)
    assert run.rc != 0 and verdicts == {"n1": "deviated", "n2": "inconclusive", "n3": "inconclusive"} and journal["verdict"] == "deviated", run
    assert "no part" in journal["hosts"]["n3"]["reason"] and awake(hosts) == NAMES


@pytest.mark.parametrize("play", [{"any_errors_fatal": True}, rather_long({"max_fail_percentage": 0}), rather_long({"strategy": "free"})], ids=str)
def test_a_weakness_on_one_host(experiment, hosts, play):
    run = experiment([fault(), on("n2", {"name": "It still works", "gameday.chaos.probe_process": {"pattern": f"^{VICTIM}$"}})], play)
    journal, verdicts = ended(run)
    others = "inconclusive" if play.get("any_errors_fatal") else "passed"
    assert run.rc != 0 and verdicts == {"n1": others, "n2": "deviated", "n3": others} and journal["verdict"] == "deviated", run
    assert awake(hosts) == NAMES and journal["restored"] is True


@pytest.mark.parametrize("play", [rather_long({"any_errors_fatal": True}), {"max_fail_percentage": 0}], ids=str)
def test_a_host_that_is_refused_keeps_the_others_whole(experiment, hosts, play):
    run = experiment([fault(), LOOK], play, experiment_logs="{{ {'n2': [{'path': 'x', 'unit': 'y'}]}[inventory_hostname] | default([]) }}")
    journal, verdicts = ended(run)
    assert run.rc != 0 and set(verdicts.values()) == {"errored"} and journal["faults"] == [], run


def test_another_user_by_become(experiment, hosts):
    for name in NAMES:
        hosts.run(name, f"id player >/dev/null 2>&1 || useradd --create-home player; pkill -KILL -f '^{VICTIM}$'; "
                        f"setsid -f su player -c 'exec {VICTIM}' </dev/null >/dev/null 2>&1")
    play = {"become": True, "become_user": "player"}
    run = experiment([fault(), LOOK], play, env={"ANSIBLE_PIPELINING": "true"})
    verdicts = ended(run, rc=0)[1]
    assert set(verdicts.values()) == {"passed"} and awake(hosts) == NAMES, run
    kept = hosts.run("n1", "ls ~player/.local/state/gameday").stdout.split()
    assert "reservation.lock" in kept and "reservation.json" not in kept


def test_a_fault_on_another_host_of_the_play(experiment, hosts):
    run = experiment([on("n1", {**fault(), "delegate_to": "n2"}), on("n2", LOOK)])
    journal, verdicts = ended(run, rc=0)
    assert [one["host"] for one in journal["faults"]] == ["n2"] and set(verdicts.values()) == {"passed"} and awake(hosts) == NAMES, run


@pytest.mark.parametrize(("task", "words"), [
    ({**fault(), "delegate_to": "{{ item }}", "loop": ["n2", "n4"]}, "n4 is none of the hosts that take part"),
    rather_long({"block": [fault()], "delegate_to": "{{ groups.hosts[3] }}"}, "n4 is none of the hosts that take part"),
    rather_long({**fault(), "delegate_to": "{{ seen.stdout }}"}, "cannot be told before the method"),
], ids=["in a loop", "in a block", "not to be told"])
def test_a_fault_on_a_host_that_nobody_would_put_back_is_refused(experiment, hosts, task, words):
    run = experiment([task])
    assert run.rc != 0 and words in run.stdout and "Nothing was touched" in run.stdout and ended(run)[0]["faults"] == [], run


@pytest.mark.parametrize(("play", "variables", "words"), [
    ({"strategy": "free"}, {"steady": []}, "strategy free"),
    rather_long({"strategy": "free"}, {"experiment_barrier": 3}, "strategy free"),
    rather_long({}, {"experiment_barrier": 3, "arguments": ["--limit", "n1:n2:n3", "--forks", "2"]}, "--forks 3"),
], ids=["nobody watches", "together", "forks"])
def test_what_cannot_work_is_refused(experiment, play, variables, words):
    run = experiment([fault()], play, **variables)
    assert run.rc != 0 and words in run.stdout and ended(run)[0]["faults"] == [], run


# Hosts that are lost

def test_hosts_that_are_lost_and_come_back_are_put_back_and_proved(experiment, hosts):
    """One to a module of ours, and looks for itself; one to somebody else's, so that Ansible runs nothing more on it, and others look for it."""
    theirs = on("n3", {"name": "Somebody else's", "ansible.builtin.ping": {}})
    run = experiment([fault(), lose(hosts, "n3", back_after=22), theirs, lose(hosts, "n2", back_after=18), LOOK], env=QUICK, experiment_reconnect=30)
    journal, verdicts = ended(run)
    assert run.rc != 0 and verdicts == {"n1": "passed", "n2": "errored", "n3": "errored"}, run
    for name in ("n2", "n3"):
        assert "proved to be whole" in journal["hosts"][name]["reason"] and journal["hosts"][name]["unreachable"] is True, run
    assert journal["restored"] is True and [one["ended_by"] for one in journal["faults"]] == ["recover"] * 3 and awake(hosts) == NAMES, run


@pytest.mark.long
def test_a_host_that_stays_lost_is_not_restored_and_the_others_are(experiment, hosts):
    run = experiment([fault(), lose(hosts, "n2"), LOOK], env=QUICK, experiment_reconnect=1)
    journal, verdicts = ended(run)
    assert run.rc != 0 and verdicts == {"n1": "passed", "n2": "not_restored", "n3": "passed"}, run
    assert journal["restored"] is False and journal["verdict"] == "not_restored" and awake(hosts) == ["n1", "n3"]
    hosts.mend("n2")
    hosts.run("n2", "sh /var/lib/gameday/faults/*/revert; rm /var/lib/gameday/reservation.json")


@pytest.mark.long
def test_all_hosts_are_lost(experiment, hosts):
    run = experiment([fault(), *(lose(hosts, name, back_after=20) for name in NAMES), LOOK], env=QUICK, experiment_reconnect=30)
    journal, verdicts = ended(run)
    assert run.rc != 0 and set(verdicts.values()) == {"errored"} and journal["restored"] is True and awake(hosts) == NAMES, run


@pytest.mark.long
def test_all_hosts_are_lost_to_a_module_that_is_not_ours(experiment, hosts):
    """Then Ansible runs nothing at all any more; the journal knows that nobody knows."""
    run = experiment([fault(), *(lose(hosts, name) for name in NAMES), {"name": "Somebody else's", "ansible.builtin.ping": {}}], env=QUICK)
    journal, verdicts = ended(run)
    assert run.rc != 0 and set(verdicts.values()) == {"not_restored"} and journal["verdict"] == "not_restored", run
    assert "own timer ends it" in journal["reason"]
    for name in NAMES:
        hosts.mend(name)
        hosts.run(name, "sh /var/lib/gameday/faults/*/revert; rm /var/lib/gameday/reservation.json")


@pytest.mark.parametrize("play", [{"serial": 2}, {"any_errors_fatal": True}, {"strategy": "free"}], ids=str)
@pytest.mark.long
def test_a_host_is_lost_in_every_kind_of_play(experiment, hosts, play):
    run = experiment([fault(), lose(hosts, "n2", back_after=18), LOOK], play, env=QUICK, experiment_reconnect=30)
    journal, verdicts = ended(run)
    assert run.rc != 0 and verdicts["n2"] == "errored" and journal["restored"] is True and awake(hosts) == NAMES, run


# One experiment per host at a time

@pytest.mark.long
def test_a_second_run_is_refused_until_the_first_is_over(experiment, hosts):
    first = experiment([fault(), {"name": "Hold", "ansible.builtin.pause": {"seconds": 12}}], background=True)
    first.wait_for("Hold")
    preview = experiment([fault()], arguments=["--limit", "n1", "--check"])
    second = experiment([fault()], steady=[{"name": "anything", "probe_tcp": {"port": 22}}])
    first.wait()
    for run in (preview, second):
        assert run.rc != 0 and "of run something-" in run.stdout and "still in place" in run.stdout, run
    assert ended(first, rc=0)[1] == dict.fromkeys(NAMES, "passed") and awake(hosts) == NAMES


def test_a_host_is_reserved_before_it_is_broken_and_released_when_the_controller_is_known_to_be_dead(experiment, hosts):
    first = experiment([{"name": "Hold", "ansible.builtin.pause": {"seconds": 60}}, fault()], background=True)
    first.wait_for("Hold")
    second = experiment([fault(), LOOK])
    assert second.rc != 0 and "this host is reserved for the run something-" in second.stdout and ended(second)[0]["faults"] == [], second
    first.send_group(signal.SIGKILL)
    first.wait()
    ended(experiment([fault(), LOOK]), rc=0)


@pytest.mark.long
def test_a_preview_tells_who_has_the_host_and_takes_nothing(experiment, hosts):
    assert experiment([fault()], arguments=["--limit", "n1", "--check"]).rc == 0
    assert hosts.run("n1", "ls /var/lib/gameday/reservation.json", check=False).returncode != 0
    first = experiment([{"name": "Hold", "ansible.builtin.pause": {"seconds": 10}}, fault()], background=True)
    first.wait_for("Hold")
    preview = experiment([fault()], arguments=["--limit", "n1", "--check"])
    first.wait()
    assert preview.rc != 0 and "this host is reserved for the run something-" in preview.stdout, preview


# Together

@pytest.mark.alone
def test_all_hosts_are_hit_at_the_same_instant(experiment, hosts):
    run = experiment([fault(), LOOK], experiment_barrier=10, experiment_maximum_skew=0)
    journal = ended(run, rc=0)[0]
    assert journal["timings"]["skew"] < 0.5 and len({one["arguments"]["starts_at"] for one in (
        event["activity"]["provider"] for event in journal["run"]) if one["module"].endswith("fault_process")}) == 1, run
    assert all(abs(host["clock"]["offset"]) <= host["clock"]["uncertainty"] for host in journal["hosts"].values())


@pytest.mark.long
def test_a_host_with_a_wrong_clock_is_hit_at_the_right_instant_and_its_times_are_ours(start, uml_host):
    uml_host.run("u1", f"date -s '+1 hour'; setsid -f {VICTIM} </dev/null >/dev/null 2>&1")
    try:
        run = start(uml_host, [fault(), LOOK], experiment_barrier=20, experiment_recovery=20)
    finally:
        uml_host.run("u1", f"date -s '-1 hour'; pkill -KILL -f '^{VICTIM}$'", check=False)
    journal, = run.journals()
    clock, broken = journal["hosts"]["u1"]["clock"], journal["faults"][0]
    assert run.rc == 0 and abs(clock["offset"] - 3600) < 60 and "ahead of that of the controller" in run.stdout + run.stderr, run
    told = next(one["activity"]["provider"]["arguments"]["starts_at"] for one in journal["run"] if "starts_at" in one["activity"]["provider"]["arguments"])
    instant = datetime.datetime.fromisoformat(told) - datetime.timedelta(seconds=clock["offset"])
    late = (datetime.datetime.fromisoformat(broken["begin"]) - instant).total_seconds()
    assert journal["start"] < broken["begin"] < broken["end"] < journal["end"] and -clock["uncertainty"] <= late < 3, (late, clock)
