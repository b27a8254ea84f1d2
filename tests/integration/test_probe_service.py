"""The probe of units against a real systemd."""

from __future__ import annotations

import pytest


def look(task, probes, **options):
    probes = [{"name": name, "probe_service": {**arguments, "since": "{{ begin }}"}} for name, arguments in probes.items()]
    return {"name": task, "gameday.chaos.steady_state": {"probes": probes, **options}, "failed_when": False}


def seen_in(run, task):
    """Probe -> (met, reasons, observation)."""
    return {one["name"]: (one["met"], one["reasons"], one["observation"]) for one in run.result(task)["steady_state"]["probes"]}


CRASH = "kill -KILL $(systemctl show --property MainPID --value demo)"
UNTIL_STARTED = "until [ $(systemctl show --property NRestarts --value demo) = 1 ] && systemctl is-active --quiet demo; do sleep 0.05; done"


@pytest.fixture
def host(ssh_hosts):
    yield ssh_hosts
    ssh_hosts.run("h1", "systemctl reset-failed; systemctl restart demo; rm -f /run/systemd/system/lab-*; systemctl daemon-reload")


def test_a_unit_is_judged_by_what_systemd_says(run_playbook, host):
    host.run("h1", "systemctl restart demo; printf '[Service]\\nExecStart=/bin/false\\n' >/run/systemd/system/lab-fails.service; systemctl daemon-reload;"
                   "systemctl start lab-fails; true")
    run = run_playbook([
        {"name": "now", "ansible.builtin.set_fact": {"begin": "{{ now(utc=true, fmt='%Y-%m-%dT%H:%M:%S.%f+00:00') }}"}},
        look("watch", {"active": {"name": "demo", "sub_state": "running", "max_restarts": 0, "restarted": False}}, during=3, interval=0.1),
        {"name": "crash", "ansible.builtin.shell": "%s; %s" % (CRASH, UNTIL_STARTED)},
        look("look", {
            "restarted": {"name": "demo.service", "max_restarts": 0, "restarted": False},
            "may be restarted": {"name": "demo", "max_restarts": 1, "restarted": True},
            "failed": {"name": "lab-fails"}, "expected to fail": {"name": "lab-fails", "state": ["failed", "inactive"]},
            "absent": {"name": "lab-no-such"}, "expected absent": {"name": "lab-no-such", "state": "absent"},
            "never restarted": {"name": "dbus.socket", "max_restarts": 0}, "in another sub state": {"name": "demo", "sub_state": ["exited"]},
        }),
    ], host, arguments=["--limit", "h1"])
    assert run.rc == 0, run
    window = run.result("watch")["steady_state"]["probes"][0]["window"]
    assert window["met"] == window["samples"] - window["missed"] >= 5, window
    before, seen = seen_in(run, "watch")["active"][2], seen_in(run, "look")
    assert {name: met for name, (met, dummy, dummy) in seen.items()} == {
        "restarted": False, "may be restarted": True, "failed": False, "expected to fail": True, "absent": False, "expected absent": True,
        "never restarted": None, "in another sub state": False}, seen
    dummy, (was, again), now = seen["restarted"]
    assert was == "demo.service was restarted 1 times, at most 0 expected" and again.startswith("demo.service was started since ")
    assert before["value"] == "active" and before["pid"] != now["pid"] and before["started_at"] < now["started_at"] < now["at"]
    assert seen["failed"][1] == ["lab-fails.service is failed (failed, result exit-code), expected active"]
    assert seen["absent"][1] == ["lab-no-such.service is absent (dead), expected active"]
    assert seen["in another sub state"][1] == ["demo.service is in sub state running, expected exited"]
    assert "systemd does not count the restarts of dbus.socket" in seen["never restarted"][1][0]


@pytest.mark.long
def test_a_start_since_the_begin_of_the_experiment_counts_by_itself(run_playbook, host, tmp_path):
    (tmp_path / "method.yml").write_text("""
- name: It stops
  gameday.chaos.fault_service: {name: demo, duration: 60}

- name: It has stopped
  gameday.chaos.probe_service: {name: demo, state: inactive, restarted: false}

- name: Somebody puts it back
  gameday.chaos.recover:

- name: It was started since
  gameday.chaos.probe_service: {name: demo, restarted: true}
""")
    run = run_playbook([{"name": "Units", "hosts": "all", "gather_facts": False, "roles": [{"role": "gameday.chaos.experiment", "vars": {
        "experiment_title": "A unit stops", "experiment_method": str(tmp_path / "method.yml"),
        "experiment_steady_state": [{"name": "demo runs", "probe_service": {"name": "demo"}}]}}]}], host, arguments=["--limit", "h1"], seconds=250)
    assert run.rc == 0, run
    assert run.result("It was started since")["observation"]["met"] is True
