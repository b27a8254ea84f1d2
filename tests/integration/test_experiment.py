"""The role: every verdict, and what must not be touched, on light hosts over ssh."""

from __future__ import annotations

import datetime
import json
import uuid

import pytest

VICTIM = "sleep 9292"
STEADY = [{"name": "the sleeper is there", "probe_process": {"pattern": f"^{VICTIM}$"}}]


def fault(**more):
    options = {"pattern": f"^{VICTIM}$", "action": "stop", "duration": 30, **more}
    return {"name": "Break", "gameday.chaos.fault_process": {key: value for key, value in options.items() if value is not None}}


LOOK = {"name": "It is frozen", "gameday.chaos.probe_process": {"pattern": f"^{VICTIM}$", "frozen": True}}
DEVIATE = {"name": "It still works", "gameday.chaos.probe_process": {"pattern": f"^{VICTIM}$"}}


@pytest.fixture
def hosts(netns_hosts):
    """Each with the victim, and without a fault, before and after."""
    for name in netns_hosts.names[:3]:
        netns_hosts.run(name, f"pkill -KILL -f '^{VICTIM}$'; while pgrep -f '^{VICTIM}$'; do sleep 0.05; done >/dev/null; "
                              f"setsid -f {VICTIM} </dev/null >/dev/null 2>&1; "
                              f"until pgrep -f '^{VICTIM}$' >/dev/null; do sleep 0.05; done")
    yield netns_hosts
    for name in netns_hosts.names[:3]:
        left = netns_hosts.run(name, "ls /var/lib/gameday/faults 2>/dev/null || true").stdout
        netns_hosts.run(name, f"pkill -KILL -f '^{VICTIM}$' || true; rm -rf /var/lib/gameday/faults/*")
        assert not left, left


@pytest.fixture
def experiment(run_playbook, hosts, tmp_path):
    """experiment(method, **variables) runs the role with this method on three hosts."""

    def run(method, arguments=("--limit", "n1:n2:n3"), steady=STEADY, env=None, **variables):
        file = tmp_path / f"method-{uuid.uuid4().hex[:6]}.yml"
        file.write_text(json.dumps(method))
        role = {"name": "Experiment", "ansible.builtin.include_role": {"name": "gameday.chaos.experiment"}, "vars": {
            "experiment_title": "Something happens", "experiment_name": "something", "experiment_method": str(file),
            "experiment_steady_state": steady, "experiment_recovery": 3, "experiment_reconnect": 3, **variables}}
        return run_playbook([role], hosts, env=env, arguments=list(arguments))

    return run


def journal_of(run):
    journals = run.journals()
    assert len(journals) == 1, run
    return journals[0]


def states(hosts, name):
    return hosts.run(name, f"for p in $(pgrep -f '^{VICTIM}$'); do cut -d' ' -f3 /proc/$p/stat; done").stdout.split()


def test_passed(experiment, hosts):
    run = experiment([fault(), LOOK])
    journal = journal_of(run)
    assert run.rc == 0 and journal["verdict"] == "passed" and len(journal["faults"]) == 3, run
    assert all(states(hosts, name) == ["S"] for name in ("n1", "n2", "n3"))


def test_deviated_on_one_host_fails_the_play_and_the_others_are_put_back_too(experiment, hosts):
    run = experiment([fault(), {**DEVIATE, "when": "inventory_hostname == 'n2'"}])
    journal = journal_of(run)
    assert run.rc != 0 and journal["verdict"] == "deviated", run
    assert {name: host["verdict"] for name, host in journal["hosts"].items()} == {"n1": "passed", "n2": "deviated", "n3": "passed"}
    assert all(states(hosts, name) == ["S"] for name in ("n1", "n2", "n3"))


def test_inconclusive_without_a_fault(experiment):
    run = experiment([DEVIATE])
    assert run.rc != 0 and journal_of(run)["verdict"] == "inconclusive" and "no fault was injected" in journal_of(run)["reason"], run


def test_inconclusive_when_the_fault_was_over_before_the_method(experiment):
    run = experiment([fault(duration=4), {"name": "Dawdle", "ansible.builtin.pause": {"seconds": 6}}])
    assert run.rc != 0 and journal_of(run)["verdict"] == "inconclusive" and "longer duration" in journal_of(run)["reason"], run


def test_inconclusive_when_nobody_watches(experiment):
    run = experiment([fault()], steady=[])
    assert run.rc != 0 and journal_of(run)["verdict"] == "inconclusive" and "nobody watched" in journal_of(run)["reason"], run


def test_errored_when_a_task_of_the_method_fails(experiment, hosts):
    run = experiment([fault(), {"name": "Stumble", "ansible.builtin.command": "false"}])
    assert run.rc != 0 and journal_of(run)["verdict"] == "errored" and "Stumble" in journal_of(run)["reason"], run
    assert states(hosts, "n1") == ["S"]


def test_not_restored_when_the_way_back_does_not_lead_back(experiment, hosts):
    run = experiment([fault(action="kill", restart=["true"], restart_within=1)], arguments=("--limit", "n1"))
    journal = journal_of(run)
    assert run.rc != 0 and journal["verdict"] == "not_restored" and journal["restored"] is False, run
    assert "still in place" in journal["reason"]
    assert "revert" in run.stdout
    hosts.run("n1", f"setsid -f {VICTIM} </dev/null >/dev/null 2>&1; sh /var/lib/gameday/faults/*/revert")


def test_one_host_that_is_not_steady_keeps_all_of_them_whole(experiment, hosts):
    hosts.run("n3", f"pkill -KILL -f '^{VICTIM}$'")
    run = experiment([fault(), LOOK])
    journal = journal_of(run)
    assert run.rc != 0 and journal["verdict"] == "errored" and journal["faults"] == [], run
    assert "n3 was not steady before" in json.dumps(journal) and states(hosts, "n1") == ["S"]


def test_a_module_that_cannot_be_found_is_told_before_anything_is_touched(experiment, hosts):
    run = experiment([fault(), {"block": [{"name": "Typo", "gameday.chaos.prob_http": {}}]}])
    assert run.rc != 0 and "Typo" in run.stdout and "prob_http" in run.stdout and "Nothing was touched" in run.stdout, run
    assert states(hosts, "n1") == ["S"]


@pytest.mark.parametrize("method, words", [
    ([fault(), {"meta": "end_play"}], "ends the play without putting anything back"),
    ({"not": "a list"}, "is not a list of tasks"),
    ([{"block": [fault()], "rescue": [{"ansible.builtin.debug": {}}]}], "a rescue would hide from the verdict what failed"),
    ([{"name": "Here", "local_action": {"module": "gameday.chaos.fault_process", "name": "x", "duration": 9}}], "is none of the hosts that take part here"),
])
def test_a_method_that_would_lose_the_way_back_is_refused(experiment, method, words):
    run = experiment(method)
    assert run.rc != 0 and words in run.stdout, run


@pytest.mark.parametrize("variables, words", [
    ({"experiment_maximum_hosts": "2"}, "experiment_maximum_hosts"),
    ({"experiment_maximum_hosts": "many"}, "experiment_maximum_hosts"),
    ({"experiment_windows": [{"days": ["mon"], "from": "00:00", "until": "00:00"}, {"days": ["tue"], "from": "00:00", "until": "00:00"}]},
     "outside of every window"),
    ({"experiment_windows": [{"timezone": "Mars/Olympus"}]}, "experiment_windows"),
    ({"experiment_method": "/nowhere.yml"}, "there is no file /nowhere.yml"),
    ({"experiment_interval": 0}, "experiment_interval: 0.0 is less than 0.01 seconds"),
    ({"experiment_load": {"url": "http://127.0.0.1:9/", "duration": 9, "max_p95": 1}}, "max_p95"),
])
def test_outside_of_what_is_allowed_nothing_begins(experiment, hosts, variables, words):
    run = experiment([fault()], **variables)
    assert run.rc != 0 and words in run.stdout and "Traceback" not in run.stdout + run.stderr, run
    assert states(hosts, "n1") == ["S"]


def test_a_host_under_another_run_is_refused(experiment, run_playbook, hosts):
    limit = ["--limit", "n1"]
    assert run_playbook([fault(run="theirs")], hosts, arguments=limit).rc == 0
    run = experiment([fault()], arguments=limit)
    assert run.rc != 0 and "of run theirs is still in place" in run.stdout, run
    assert run_playbook([{"name": "Recover", "gameday.chaos.recover": {"run": "theirs"}}], hosts, arguments=limit).rc == 0


def test_an_unreachable_host_is_not_taken_for_restored(experiment, hosts):
    hosts.cut("n2")
    try:
        run = experiment([fault(), LOOK], env={"ANSIBLE_TIMEOUT": 2})
    finally:
        hosts.mend("n2")
    assert run.rc != 0 and states(hosts, "n1") == ["S"] and states(hosts, "n2") == ["S"], run
    assert journal_of(run)["verdict"] != "passed" and journal_of(run)["faults"] == []


def test_a_stop_condition_reverts_on_the_host_at_once(experiment, hosts):
    watch = {"name": "Watch", "gameday.chaos.steady_state": {
        "during": 20, "interval": 0.1, "stop_after_outage": 1, "probes": [{"name": "awake", "probe_process": {"pattern": f"^{VICTIM}$"}}]}}
    run = experiment([fault(duration=60), watch], arguments=("--limit", "n1"))
    journal = journal_of(run)
    assert run.rc != 0 and journal["verdict"] == "deviated" and "stopped" in journal["reason"], run
    broken, = journal["faults"]
    begin, end = (datetime.datetime.fromisoformat(broken[name]) for name in ("begin", "end"))
    assert broken["ended_by"] == "stop_condition" and (end - begin).total_seconds() < 15, broken
    assert states(hosts, "n1") == ["S"]


def test_no_secret_reaches_the_journal_or_the_screen(experiment):
    secret = "hemlighet-4711"
    probe = {"name": "Ask", "gameday.chaos.probe_http": {
        "url": f"http://user:{secret}@127.0.0.1:9/", "headers": {"Authorization": f"Bearer {secret}", "X-Api-Key": secret},
        "url_username": "user", "url_password": secret}}
    run = experiment([fault(), probe], steady=[*STEADY, {"name": "closed", "probe_tcp": {"port": 9, "state": "closed"}}])
    assert run.rc != 0
    assert secret not in json.dumps(run.journals()) and secret not in run.stdout + run.stderr
