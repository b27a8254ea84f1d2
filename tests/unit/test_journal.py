# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal: from recorded events, for every way an experiment can end or break off."""

from __future__ import annotations

import json

import pytest
from ansible_collections.gameday.chaos.plugins.plugin_utils import journal_file
from ansible_collections.gameday.chaos.plugins.plugin_utils.journal import build
from ansible_collections.gameday.chaos.plugins.plugin_utils.judging import after
from ansible_collections.gameday.chaos.plugins.plugin_utils.masking import clean
from experiment_events import CLAIM, RUN, Script, chronicle_of, journal_of, passed, valid_for_the_toolkit

# How an experiment can end


def test_passed():
    document = journal_of(passed("api1", "api2", "db1"))
    assert (document["verdict"], document["status"], document["deviated"], document["restored"]) == ("passed", "completed", False, True)
    assert document["findings"] == [] and document["errors"] == [] and document["run_id"] == RUN
    assert {host: one["verdict"] for host, one in document["hosts"].items()} == {"api1": "passed", "api2": "passed", "db1": "passed"}
    fault = document["faults"][0]
    assert (fault["host"], fault["claim"], fault["state"], fault["ended_by"]) == ("db1", CLAIM, "absent", "recover")
    assert fault["begin"] < fault["end"] < fault["ends"] and fault["seconds"] > 10
    assert document["timings"]["outage"] == 11.6 and document["timings"]["duration"] == document["duration"]
    assert [entry["activity"]["name"] for entry in document["run"]] == ["PostgreSQL is killed", "The API keeps answering 503"]
    assert document["run"][0]["activity"]["provider"]["module"] == "gameday.chaos.fault_process"
    assert [entry["host"] for entry in document["rollbacks"]] == ["api1", "api2", "db1"]
    assert document["steady_states"]["during"][0]["probes"][0]["window"]["series"]["milliseconds"] == [8.0, None, 12.5]
    assert len(document["steady_states"]["before"]["probes"]) == 3


@pytest.mark.parametrize("by_role", [True, False])
def test_an_alert_that_the_method_saw_is_the_detection_though_nobody_told_the_verdict(by_role):
    script = Script("api", "db", by_role=by_role)
    script.preflight()
    script.before()
    script.fault()
    script.task("Somebody is told", "method")
    for seconds in (3.5, 2.5, -1):  # the last one fired before the fault had its effect
        alert = dict(script.observation(), kind="probe_alert", fired_at=after(script.broken["begin"], seconds))
        script.result("api", "steady_state", dict(script.state("within"), probes=[{"name": "alert", "met": True, "observation": alert}]))
    script.result("api", "observation", dict(alert, fired_at=after(script.broken["begin"], 2.75)))
    script.recover()
    script.after()
    script.verdict()
    document = journal_of(script.stats())
    assert document["timings"]["detection"] == document["hosts"]["api"]["timings"]["detection"] == 2.5
    assert document["hosts"]["db"]["timings"]["detection"] is None, "nobody looked from there"


def test_deviated():
    script = Script("api1", "db1")
    script.preflight()
    script.before()
    script.fault()
    script.watch(met=False, bad=3, reason="status 500, expected 503")
    script.recover()
    script.after()
    script.verdict("deviated", "The API keeps answering 503: status 500, expected 503", api1="deviated")
    document = journal_of(script.stats(failures=1))
    assert (document["verdict"], document["status"], document["deviated"], document["restored"]) == ("deviated", "completed", True, True)
    assert document["reason"] == "api1: The API keeps answering 503: status 500, expected 503"
    assert document["hosts"]["api1"]["verdict"] == "deviated" and document["hosts"]["db1"]["verdict"] == "passed"
    assert document["findings"][0]["reasons"] == ["API is healthy: status 500, expected 503"]
    assert document["run"][1]["status"] == "failed"


def test_not_steady_before_is_an_error_and_nothing_was_broken():
    script = Script()
    script.preflight()
    script.before(met=False, reason="status 503, expected 200")
    script.verdict("errored", "not steady before, nothing was injected")
    document = journal_of(script.stats(failures=1))
    assert (document["verdict"], document["status"], document["deviated"], document["restored"]) == ("errored", "failed", False, True)
    assert document["steady_states"]["before"]["steady_state_met"] is False and document["steady_states"]["after"] is None
    assert document["faults"] == [] and document["run"] == []


def test_an_injection_that_failed_is_an_error():
    script = Script()
    script.preflight()
    script.before()
    script.fault(status="failed", msg="pid_file: no such file", state="absent", begin=None, end=script.now(), ended_by="undo")
    script.recover()
    document = journal_of(script.stats(failures=1))
    assert (document["verdict"], document["status"]) == ("errored", "aborted")
    assert "pid_file: no such file" in document["reason"] and document["run"][0]["exception"] == ["pid_file: no such file\n"]
    assert document["errors"][0]["msg"] == "pid_file: no such file"


def test_no_data_is_inconclusive():
    script = Script()
    script.preflight()
    script.before()
    script.fault()
    script.recover()
    script.after(met=None, reason="no data: timed out")
    script.verdict("inconclusive", "whether it is steady again cannot be told")
    document = journal_of(script.stats())
    assert (document["verdict"], document["status"], document["deviated"]) == ("inconclusive", "failed", False)
    assert document["steady_states"]["after"]["steady_state_met"] is None


def test_an_experiment_without_its_verdict_did_not_pass():
    script = Script()
    script.preflight()
    script.before()
    assert journal_of(script.stats())["verdict"] == "errored"


def test_a_fault_without_effect_is_inconclusive():
    script = Script(by_role=False)
    script.before()
    script.fault(verified=False, effect=None)
    script.recover()
    document = journal_of(script.stats())
    assert (document["verdict"], document["status"]) == ("inconclusive", "failed")


def test_not_restored():
    script = Script("api1", "db1")
    script.preflight()
    script.before()
    script.fault()
    script.watch()
    script.recover(restored=False, residue=[f"{CLAIM}: the process is still gone"])
    script.after(met=False, reason="status 503, expected 200")
    script.verdict("not_restored", f"{CLAIM}: the process is still gone", db1="not_restored")
    document = journal_of(script.stats(failures=1))
    assert (document["verdict"], document["status"], document["restored"]) == ("not_restored", "failed", False)
    assert document["hosts"]["db1"]["restored"] is False and document["hosts"]["api1"]["restored"] is True
    assert document["faults"][0]["end"] is None and document["faults"][0]["way_back"]


def test_a_verdict_is_never_better_than_the_events():
    script = Script()
    script.preflight()
    script.before()
    script.fault()
    script.recover(restored=False, residue=["still gone"])
    script.verdict("passed")
    assert journal_of(script.stats())["verdict"] == "not_restored"


@pytest.mark.parametrize("last", range(1, 60))
def test_killed_at_any_moment(last):
    """Whatever came last, the journal can be read, and says what it cannot know."""
    script = passed("api1", "db1")
    script.events = script.events[:last]
    experiments = chronicle_of(script).experiments
    if not experiments:
        return
    document = json.loads(journal_file.dump(build(experiments[0].events)))
    valid_for_the_toolkit(document)
    broken = any(fault["state"] == "present" for fault in document["faults"])
    if document["status"] == "interrupted":
        assert document["verdict"] == ("not_restored" if broken else "errored")
        assert "the controller did not finish" in document["reason"]
        assert document["restored"] is not True or not broken
    else:
        assert any(event["shape"] == "verdict" for event in script.events if event["what"] == "result")


def test_killed_while_a_fault_was_injected():
    script = Script("db1")
    script.preflight()
    script.before()
    script.task("PostgreSQL is killed", "method")
    document = journal_of(script)
    assert document["verdict"] == "errored" and document["restored"] is None
    assert "'PostgreSQL is killed' was under way" in document["reason"]


# Without the role


def test_sections_of_a_play_without_the_role():
    script = Script("db1", by_role=False, file="playbooks/My own play.yml", play="By hand")
    script.task("Steady?", "method")
    script.result("db1", "steady_state", script.state())
    script.fault(run="manual")
    script.watch("db1")
    script.recover()
    script.task("Steady again?", "recover")
    script.result("db1", "steady_state", script.state("within", recovery_seconds=2.0))
    document = journal_of(script.stats())
    assert document["verdict"] == "passed" and document["experiment"]["title"] == "By hand"
    assert document["run_id"].startswith("my_own_play-2026")
    assert document["steady_states"]["before"]["steady_state_met"] and document["steady_states"]["after"]["steady_state_met"]
    assert len(document["steady_states"]["during"]) == 1
    assert document["timings"]["outage"] > 12


def test_several_experiments_in_one_playbook():
    script = passed("db1")
    script.events.pop()
    script.play("Another")
    script.preflight(run="second", title="Redis")
    script.before()
    script.play("Something else")
    script.task("Fails", "method")
    script.result("db1", status="failed", msg="no")
    script.stats()
    first, second = chronicle_of(script).experiments
    assert (first.run, second.run) == (RUN, "second")
    assert build(first.events)["verdict"] == "passed" and build(second.events)["verdict"] == "errored"
    assert all(event.get("task") != "Fails" for event in first.events)


def test_put_back_in_a_play_of_its_own():
    script = Script("db1", by_role=False)
    script.before()
    script.fault()
    script.play("Put back")
    script.recover()
    assert journal_of(script.stats())["verdict"] == "passed"


def test_delegated_faults_are_where_they_are():
    script = Script("api1", by_role=False)
    script.before()
    script.task("Break the database", "method")
    script.result("api1", "fault", script.fault_dict("db1"), delegate="db1")
    script.task("Put back", "recover")
    script.result("api1", "recovery", script.recovery(), delegate="db1")
    document = journal_of(script.stats())
    assert document["faults"][0]["host"] == "db1" and document["faults"][0]["end"] and document["run"][0]["on"] == "db1"
    assert list(document["hosts"]) == ["api1"]


def test_ignored_failures_do_not_count():
    script = Script("db1", by_role=False)
    script.before()
    script.task("Try", "method")
    script.result("db1", status="failed", msg="no", ignored=True)
    document = journal_of(script.stats())
    assert document["verdict"] == "passed" and document["errors"][0]["ignored"] is True


def test_an_unreachable_host():
    script = Script("api1", "db1")
    script.preflight()
    script.before()
    script.fault("db1")
    script.task("Look", "method")
    script.result("db1", status="unreachable", msg="ssh: timed out")
    document = journal_of(script.stats())
    assert document["hosts"]["db1"]["unreachable"] is True and document["verdict"] == "not_restored"


# Secrets


@pytest.mark.parametrize("value", [
    {"headers": {"Authorization": "Bearer hunter2", "X-Api-Key": "hunter2", "cookie": "a=hunter2", "Set-Cookie": "hunter2"}},
    {"url": "https://me:hunter2@host/x?api_key=hunter2&b=1"},
    {"db_password": "hunter2", "nested": [{"client_secret": ["hunter2"], "access_token": {"a": "hunter2"}}]},
    {"headers": [{"name": "Proxy-Authorization", "value": "Basic hunter2"}]},
    ["curl", "--password", "hunter2", "-H", "Authorization: Bearer hunter2"],
    "env PGPASSWORD=hunter2 psql --token hunter2 postgres://me:hunter2@db/x",
    'log: "token": "hunter2", Cookie: session=hunter2; other=hunter2',
])
def test_secrets_are_masked(value):
    cleaned = json.dumps(clean(value))
    assert "hunter2" not in cleaned and "***" in cleaned


def test_what_is_no_secret_stays():
    value = {"name": "The password page answers", "value": 200, "met": True, "url": "http://host/a@b", "cookies_seen": 3, "text": "me@host"}
    assert clean(value) == value


def test_anything_becomes_json():
    odd = {1: b"\xff", "set": {1}, "nan": float("nan"), "surrogate": "\udcff", "object": object(), "none": None}
    assert json.loads(json.dumps(clean(odd), allow_nan=False))["nan"] is None


# The real thing


@pytest.mark.parametrize("make", [passed, lambda: Script(), lambda: passed("a", "b", check=True)])
def test_chaos_toolkit_renders_it(make):
    report = pytest.importorskip("chaosreport")
    script = make()
    if len(script.events) < 5:
        script.preflight()
    text = report.generate_report(journal_of(script))
    assert "PostgreSQL becomes unavailable" in text
