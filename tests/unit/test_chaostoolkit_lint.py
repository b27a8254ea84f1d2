# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every rule about experiments of Chaos Toolkit says what it should, where it should, and says nothing about a sound one."""

from __future__ import annotations

import json
import pathlib
import re
import subprocess
import sys

import pytest
import yaml
from ansible_collections.gameday.chaos.plugins.plugin_utils import chaostoolkit_file as file
from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_lint import examine
from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_rules import LEVELS, RULES, activities
from chaostoolkit_clean import ACT, CLEAN, GONE, HYPOTHESIS, PROBE, SSH0, document, look, spoiled

ROOT = pathlib.Path(__file__).parents[2]
CORPUS = ROOT / "tests/chaostoolkit"
HTTP, RUN = (*ACT, "provider"), {"type": "python", "module": "subprocess", "func": "run"}
POST = {"type": "http", "url": "http://127.0.0.1/x", "method": "POST", "timeout": 5}
TOXIC = {**POST, "url": "http://127.0.0.1:8474/proxies/db/toxics", "headers": {"Content-Type": "application/json"}}
WRAPPED = {"type": "python", "module": "chaoslib.types", "func": "run_activity", "arguments": {
    "activity": {"type": "action", "provider": {"type": "process", "path": "true", "timeout": 5}}}}

# rule, path of the finding, what is changed, and what must then be at a path of the experiment as meant
ROWS = [
    ("missing", ("title",), {("title",): GONE}),
    ("missing", ("method",), {("method",): GONE}),
    ("missing", (HYPOTHESIS, "title"), {(HYPOTHESIS, "title"): GONE}),
    ("missing", (*PROBE, "provider", "url"), {(*PROBE, "provider", "url"): GONE}),
    ("missing", ("configuration", "x", "key"), {("configuration", "x"): {"type": "env"}}),
    ("missing", ("controls", 0, "provider"), {("controls",): [{"name": "x"}]}),
    ("missing", ("extensions", 0, "name"), {("extensions",): [{"name": " "}]}),
    ("type", ("title",), {("title",): False}),
    ("type", ("method",), {("method",): {"a": 1}}),
    ("type", ("method", 2), {("method", 2): "stop"}),
    ("type", (*ACT, "background"), {(*ACT, "background"): "yes"}),
    ("type", (*ACT, "pauses", "after"), {(*ACT, "pauses", "after"): "3"}),
    ("type", (*ACT, "pauses", "after"), {(*ACT, "pauses", "after"): -3}),
    ("type", (*PROBE, "provider", "timeout"), {(*PROBE, "provider", "timeout"): "5"}),
    ("type", (*PROBE, "provider", "headers"), {(*PROBE, "provider", "headers"): ["a"]}),
    ("value", (*ACT, "type"), {(*ACT, "type"): "probing"}),
    ("value", (*ACT, "provider", "type"), {(*ACT, "provider", "type"): "shell"}),
    ("value", (*ACT, "provider", "path"), {(*ACT, "provider", "path"): "docker stop cache"}),
    ("value", (*PROBE, "provider", "url"), {(*PROBE, "provider", "url"): "127.0.0.1/health"}),
    ("unknown-key", (*PROBE, "tolerence"), {(*PROBE, "tolerence"): 200}),
    ("unknown-key", ("steady_state_hypothesis",), {("steady_state_hypothesis",): {}}),
    ("unknown-key", (*ACT, "pauses", "afer"), {(*ACT, "pauses", "afer"): 1}),
    ("unknown-strategy", ("runtime", "rollbacks", "strategy"), {("runtime",): {"rollbacks": {"strategy": "allways"}}}),
    ("unknown-strategy", ("runtime", "hypothesis", "strategy"), {("runtime",): {"hypothesis": {"strategy": "after"}}}),
    ("ref", ("method", 2, "ref"), {("method", 2): {"ref": "nobody"}}),
    ("ref", ("rollbacks", 1, "ref"), {("rollbacks", 1): {"ref": "start-cache"}}),
    ("hypothesis-tolerance", SSH0, {(*SSH0, "tolerance"): GONE}),
    ("hypothesis-tolerance", SSH0, {(*SSH0, "tolerance"): None}),
    ("tolerance", (*SSH0, "tolerance", "type"), {(*SSH0, "tolerance"): {"type": "regexp", "value": 1}}),
    ("tolerance", (*SSH0, "tolerance", "pattern"), {(*SSH0, "tolerance"): {"type": "regex", "pattern": "("}}),
    ("tolerance", (*SSH0, "tolerance", "range"), {(*SSH0, "tolerance"): {"type": "range", "range": [1, "${x}"]}}),
    ("tolerance", (*SSH0, "tolerance", "path"), {(*SSH0, "tolerance"): {"type": "jsonpath", "path": "a.b"}}),
    ("toxic", (*ACT, "provider", "arguments", "type"), {HTTP: {**TOXIC, "arguments": {"type": "loss_downstream", "attributes": {"probability": 0.3}}}}),
    ("toxic", (*ACT, "provider", "arguments", "attributes", "delay"), {HTTP: {**TOXIC, "arguments": {"type": "latency", "attributes": {"delay": 3}}}}),
    ("expect-unknown", (*PROBE, "provider", "expect"), {(*PROBE, "provider", "expect"): [{"mood": "good"}]}),
    ("expect-unknown", (*PROBE, "provider", "expect"), {(*PROBE, "provider", "expect"): [{"json": "$.a", "operator": "near", "value": 1}]}),
    ("undefined-variable", (*PROBE, "provider", "url"), {(*PROBE, "provider", "url"): "${shpo}/health"}),
    ("odd-variable", (*PROBE, "provider", "url"), {(*PROBE, "provider", "url"): "${shop}/${shop.path}"}),
    ("not-substituted", (*ACT, "provider", "path"), {(*ACT, "provider", "path"): "${shop}"}),
    ("not-substituted", (*ACT, "provider", "timeout"), {("configuration", "t"): 5, (*ACT, "provider", "timeout"): "${t}"}),
    ("ignored-key", (*ACT, "retries"), {(*ACT, "retries"): 3}),
    ("ignored-key", (*ACT, "provider", "cwd"), {(*ACT, "provider", "cwd"): "/tmp"}),
    ("ignored-key", ("secrets", "g", "k", "default"), {("secrets",): {"g": {"k": {"type": "env", "key": "K", "default": "x"}}}}),
    ("never-judged", PROBE, {(*PROBE, "tolerance"): GONE}),
    ("never-judged", ("rollbacks", 1), {("rollbacks", 1): {"type": "probe", "name": "p", "provider": CLEAN["method"][1]["provider"]}}),
    ("no-hypothesis", (HYPOTHESIS,), {(HYPOTHESIS,): GONE}),
    ("no-recovery-probe", ("runtime", "hypothesis", "strategy"), {("runtime",): {"hypothesis": {"strategy": "before-method-only"}}}),
    ("never-met", (*SSH0, "tolerance"), {(*SSH0, "tolerance"): "ok"}),
    ("action-get", (*ACT, "provider"), {HTTP: {"type": "http", "url": "http://127.0.0.1/x", "timeout": 5}}),
    ("shell", (*ACT, "provider", "arguments"), {(*ACT, "provider", "arguments"): "stop cache"}),
    ("map-arguments", (*ACT, "provider", "arguments"), {(*ACT, "provider", "arguments"): {"stop": "cache"}}),
    ("background", (*SSH0, "background"), {(*SSH0, "background"): True}),
    ("duplicate-name", ("method", 2, "ref"), {("method", 2): {"ref": "answers"}, (*PROBE, "name"): "answers"}),
    ("action-in-hypothesis", (*SSH0, "type"), {(*SSH0, "type"): "action", (*SSH0, "provider", "method"): "POST"}),
    ("python-pitfall", (*PROBE, "provider", "module"), {(*PROBE, "provider"): {"type": "python", "module": "requests", "func": "get", "arguments": {}}}),
    ("python-pitfall", (*PROBE, "provider", "func"), {(*PROBE, "provider"): {**RUN, "arguments": {"args": ["x"], "cwd": "/"}}}),
    ("control", ("controls", 0), {("controls",): [{"name": "x", "provider": {"type": "python", "module": "m"}}]}),
    ("no-way-back", ACT, {("rollbacks",): []}),
    ("own-way-back", ACT, {("rollbacks",): [], HTTP: {"type": "process", "path": "docker", "arguments": ["stop", "cache"], "timeout": 9}}),
    ("no-timeout", (*ACT, "provider"), {(*ACT, "provider", "timeout"): GONE}),
    ("broad-kill", (*ACT, "provider"), {HTTP: {"type": "process", "path": "pkill", "arguments": ["-9", "python"], "timeout": 9}}),
    ("inline-secret", ("secrets", "g", "k"), {("secrets",): {"g": {"k": "hunter2"}}}),
    ("inline-secret", ("configuration", "api_token"), {("configuration", "api_token"): "hunter2"}),
    ("inline-secret", (*PROBE, "provider", "headers", "Authorization"), {(*PROBE, "provider", "headers"): {"Authorization": "Bearer hunter2"}}),
    ("inline-secret", (*PROBE, "provider", "url"), {(*PROBE, "provider", "url"): "http://me:hunter2@127.0.0.1/"}),
    ("inline-secret", (*ACT, "provider", "arguments", 1), {(*ACT, "provider", "arguments"): ["--password", "hunter2"]}),
    ("rollback-strategy", ("runtime", "rollbacks", "strategy"), {("runtime",): {"rollbacks": {"strategy": "never"}}}),
    ("strategy-during", ("runtime", "hypothesis", "strategy"), {("runtime",): {"hypothesis": {"strategy": "continuously"}}}),
    ("contributions", ("contributions", "reliability"), {("contributions",): {"reliability": "much"}}),
    ("tolerance-judged", (*PROBE, "tolerance"), {}),
    ("expect", (*SSH0, "provider", "expect"), {(*SSH0, "tolerance"): GONE, (*SSH0, "provider", "expect"): [{"status": [200, 503]}]},
     (*SSH0, "tolerance"), [200, 503]),
    ("expect", (*SSH0, "provider", "expect"), {(*SSH0, "tolerance"): GONE, (*SSH0, "provider", "expect"): [{"json": "$.length", "operator": "gt", "value": 0}]},
     (*SSH0, "tolerance"), {"type": "compare", "target": "body", "path": "$", "measure": "length", "operator": "gt", "value": 0}),
    ("expect", (*PROBE, "expect"), {(*PROBE, "expect"): {"json": "$.a", "value": 3}}, (*PROBE, "tolerance"),
     {"type": "all", "tolerances": [[200, 503], {"type": "compare", "target": "body", "path": "$.a", "measure": "value", "operator": "eq", "value": 3}]}),
    ("expected-status", (*PROBE, "provider", "expected_status"), {(*PROBE, "tolerance"): GONE, (*PROBE, "provider", "expected_status"): 503},
     (*PROBE, "tolerance"), 503),
    ("provider-in-tolerance", (*PROBE, "tolerance", "provider"), {PROBE: {"type": "probe", "name": "p", "tolerance": {
        "type": "probe", "provider": {**CLEAN["method"][1]["provider"], "expect": [{"status": 503}]}}}}, (*PROBE, "tolerance"), 503),
    ("wrapped-activity", (*ACT, "provider", "func"), {HTTP: WRAPPED}, (*ACT, "provider", "path"), "true"),
    ("python-process", (*PROBE, "provider", "func"), {
        (*PROBE, "tolerance"): GONE, (*PROBE, "provider"): {**RUN, "arguments": {"args": ["ls", "-l"], "check": True}}}, (*PROBE, "tolerance"), 0),
    ("python-process", (*PROBE, "provider", "func"), {(*PROBE, "provider"): {**RUN, "arguments": {"args": "ls | wc", "shell": True}}},
     (*PROBE, "provider", "arguments"), ["-c", "ls | wc"]),
    ("python-sleep", (*ACT, "provider", "func"), {HTTP: {"type": "python", "module": "time", "func": "sleep", "arguments": {"seconds": 30}}},
     HTTP, {"type": "process", "path": "sleep", "arguments": ["30"], "timeout": 40}),
    ("http-body", (*ACT, "provider", "body"), {HTTP: {**POST, "body": {"a": 1}}}, (*ACT, "provider"),
     {**POST, "arguments": {"a": 1}, "headers": {"Content-Type": "application/json"}}),
    ("action-body-get", (*ACT, "provider"), {HTTP: {"type": "http", "url": "http://127.0.0.1/x", "timeout": 5, "body": {"a": 1}}},
     (*ACT, "provider", "method"), "POST"),
    ("json-header", (*ACT, "provider", "headers", "content-type"), {HTTP: {**POST, "arguments": {"a": 1}, "headers": {"content-type": "application/json"}}},
     (*ACT, "provider", "headers"), {"Content-Type": "application/json"}),
    ("nested-form", (*ACT, "provider", "arguments"), {HTTP: {**POST, "arguments": {"a": {"b": 1}}}},
     (*ACT, "provider", "headers"), {"Content-Type": "application/json"}),
    ("tolerance-number", (*SSH0, "tolerance"), {(*SSH0, "tolerance"): 200.0}, (*SSH0, "tolerance"), 200),
    ("tolerance-number", (*SSH0, "tolerance"), {(*SSH0, "tolerance"): 0.5}, (*SSH0, "tolerance"), {"type": "range", "range": [0.5, 0.5]}),
    ("tolerance-target", (*SSH0, "tolerance"), {(*SSH0, "tolerance"): {"type": "regex", "pattern": "ok"}}, (*SSH0, "tolerance", "target"), "body"),
    ("tolerance-process", (*SSH0, "tolerance"), {(*SSH0, "tolerance"): {"type": "probe", "name": "t", "provider": {"type": "process", "path": "true"}}},
     (*SSH0, "tolerance", "tolerance"), 0),
    ("strategy-typo", ("runtime", "hypothesis", "strategy"), {("runtime",): {"hypothesis": {"strategy": "continously"}}},
     ("runtime", "hypothesis", "strategy"), "continuously"),
    ("activity-timeout", (*ACT, "timeout"), {(*ACT, "provider", "timeout"): GONE, (*ACT, "timeout"): 7}, (*ACT, "provider", "timeout"), 7),
    ("flat-secrets", ("secrets", "k"), {("secrets",): {"k": {"type": "env", "key": "K"}}}, ("secrets",), {"default": {"k": {"type": "env", "key": "K"}}}),
    ("secrets-not-a-list", (*PROBE, "provider", "secrets"), {(*PROBE, "provider"): {"type": "python", "module": "m", "func": "f", "secrets": "g"}},
     (*PROBE, "provider", "secrets"), ["g"]),
    ("dry", ("dry",), {("dry",): True}, ("dry",), "activities"),
    ("dry", (*ACT, "dry"), {(*ACT, "dry"): "actions"}, (*ACT, "dry"), True),
    ("tags", ("tags",), {("tags",): "cache"}, ("tags",), ["cache"]),
    ("hypothesis-under-fault", PROBE, {(*PROBE, "tolerance"): [503, 500]}, ("runtime", "hypothesis", "strategy"), "before-method-only"),
    ("hypothesis-ref", (HYPOTHESIS, "probes", 1), {(HYPOTHESIS, "probes", 1): {"ref": "still-answers"}}, (HYPOTHESIS, "probes", 1, "tolerance"), [200, 503]),
]


@pytest.mark.parametrize("row", ROWS, ids=["%s at %s" % (row[0], file.path_text(row[1])) for row in ROWS])
def test_a_rule_says_what_is_wrong_and_where(row):
    rule, path, changes, *meant = row
    experiment, findings = look(spoiled(changes))
    found = [one for one in findings if one.rule == rule]
    assert [one.path for one in found] == [path], findings
    assert found[0].level in LEVELS and found[0].message and found[0].fix and found[0].line
    assert "hunter2" not in str(findings)
    if meant:
        value = experiment
        for step in meant[0]:
            value = value[step]
        assert value == meant[1]


def test_every_rule_has_a_row():
    assert {row[0] for row in ROWS} | {"duplicate-key"} == set(RULES)


def test_nothing_is_said_of_a_sound_experiment_but_that_more_is_judged_here():
    experiment, findings = look(CLEAN)
    assert experiment == CLEAN
    assert [(one.rule, one.level) for one in findings] == [("tolerance-judged", "notice")]


def test_what_is_looked_at_is_not_changed():
    before = document(spoiled({(*SSH0, "provider", "expect"): [{"status": 200}]}))
    examine(before)
    assert "expect" in before.experiment[HYPOTHESIS]["probes"][0]["provider"]


def test_an_activity_that_is_there_twice_by_an_anchor_is_understood_twice():
    text = "a: &health {type: http, url: 'http://127.0.0.1/', timeout: 5, expect: [{status: 200}]}\n" + yaml.safe_dump(
        spoiled({(*SSH0, "tolerance"): GONE, (*SSH0, "provider"): "@", (*PROBE, "tolerance"): GONE, (*PROBE, "provider"): "@"})).replace("'@'", "*health")
    experiment, findings = examine(file.parse(text, "yaml", "test"))
    assert [one for one in findings if one.level == "error"] == []
    assert experiment[HYPOTHESIS]["probes"][0]["tolerance"] == 200 == experiment["method"][1]["tolerance"]


def test_with_compat_a_key_that_nobody_reads_is_a_warning():
    changed = spoiled({(*PROBE, "tolerence"): 200})
    assert [one.level for one in look(changed)[1] if one.rule == "unknown-key"] == ["error"]
    assert [one.level for one in look(changed, compat=True)[1] if one.rule == "unknown-key"] == ["warning"]


@pytest.mark.parametrize("path", sorted(CORPUS.iterdir()), ids=lambda path: path.stem)
def test_what_many_write_can_be_run_as_it_is_meant(path):
    experiment, findings = examine(file.load(path))
    assert [one for one in findings if one.level == "error"] == []
    assert all("tolerance" in probe for probe in experiment[HYPOTHESIS]["probes"])
    assert not [activity for _path, activity, _place in activities(experiment) if "expect" in activity or "expect" in activity.get("provider", {})]
    lines = path.read_text().splitlines()
    for one in findings:
        last = [step for step in one.path if isinstance(step, str)][-1]
        assert one.path[-1] != last or re.search(r"\b%s\b['\"]?:" % last, lines[one.line - 1]), one


def run_script(*arguments, given=None):
    return subprocess.run([sys.executable, ROOT / "scripts/chaostoolkit-lint.py", *arguments], input=given, capture_output=True, text=True, check=False)


def test_the_script_takes_several_files_and_standard_input_and_its_exit_code_says_whether_all_can_be_run(tmp_path):
    broken = tmp_path / "broken.json"
    broken.write_text('{"title": "x",\n "method": 3}')
    good = CORPUS / "database_failure.yaml"
    ran = run_script(good, "-", given=yaml.safe_dump(CLEAN))
    assert ran.returncode == 0 and "database_failure.yaml:18: notice: " in ran.stdout and "standard input:" in ran.stdout, ran
    assert ran.stdout.splitlines()[-1].startswith("2 files: 0 errors, ")
    assert run_script("--strict", good).returncode == 1
    ran = run_script(good, broken, tmp_path / "none.yaml", tmp_path / "none.txt", "--format", "json")
    told = json.loads(ran.stdout)
    assert ran.returncode == 1 and [bool(one["problem"]) for one in told["files"]] == [False, False, True, True]
    assert {"level": "error", "path": "method", "line": 2}.items() <= next(one for one in told["files"][1]["findings"] if one["path"] == "method").items()
    assert run_script().returncode == 2
