# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
What Chaos Toolkit's own validator refuses is refused, or understood as meant and told; what it accepts can be run, or is refused for a reason that has
a name. Held against the real validator.
"""

from __future__ import annotations

import copy
import logging
import os
import warnings

import pytest
from chaoslib.experiment import ensure_experiment_is_valid
from chaoslib.hypothesis import HAS_JSONPATH
from chaostoolkit_clean import ACT, BACK, CLEAN, GONE, HYPOTHESIS, PROBE, SSH0, look, spoiled
from chaostoolkit_spoiling import spoilings
from hypothesis import HealthCheck, given, settings

settings.register_profile("unit", deadline=None)
settings.load_profile("unit")

PYTHON = {"type": "python", "module": "os.path", "func": "exists", "arguments": {"path": "/"}}
SLEEP = {"type": "python", "module": "time", "func": "sleep", "arguments": {"seconds": 0}}

# what is changed, whether Chaos Toolkit takes it, whether it is run here, and why that differs
TABLE = [
    ({}, True, True, ""),
    ({("title",): ""}, False, False, ""),
    ({("title",): False}, False, False, ""),
    ({("title",): 3}, True, False, "a number as title is a slip of YAML"),
    ({("description",): GONE}, False, False, ""),
    ({("method",): GONE}, False, False, ""),
    ({("method",): []}, True, True, ""),
    ({("method",): {"a": 1}}, False, False, ""),
    ({("method", 2): {}}, False, False, ""),
    ({("rollbacks",): GONE}, True, True, ""),
    ({("rollbacks",): None}, False, True, "an empty rollbacks: is no rollbacks"),
    ({(HYPOTHESIS,): GONE}, True, True, ""),
    ({(HYPOTHESIS, "title"): GONE}, False, False, ""),
    ({(HYPOTHESIS, "probes"): GONE}, True, True, ""),
    ({(HYPOTHESIS, "probes"): []}, True, True, ""),
    ({(*SSH0, "tolerance"): GONE}, False, False, ""),
    ({(*SSH0, "tolerance"): None}, False, False, ""),
    ({(*SSH0, "tolerance"): 200.5}, False, True, "tolerance-number"),
    ({(*SSH0, "tolerance"): GONE, (*SSH0, "provider", "expect"): [{"status": 200}]}, False, True, "expect"),
    ({(*SSH0, "tolerance"): "200"}, True, True, ""),
    ({(*SSH0, "tolerance"): True}, True, True, ""),
    ({(*SSH0, "tolerance"): [1, 2, 3]}, True, True, ""),
    ({(*SSH0, "tolerance"): {"type": "nothing"}}, False, False, ""),
    ({(*SSH0, "tolerance"): {"status": 200}}, False, True, "expect"),
    ({(*SSH0, "tolerance"): {"type": "regex", "pattern": "ok", "target": "body"}}, True, True, ""),
    ({(*SSH0, "tolerance"): {"type": "regex", "pattern": "("}}, False, False, ""),
    ({(*SSH0, "tolerance"): {"type": "regex"}}, False, False, ""),
    ({(*SSH0, "tolerance"): {"type": "jsonpath", "path": "$.a"}}, HAS_JSONPATH, True, "" if HAS_JSONPATH else "JSON paths need no package here"),
    ({(*SSH0, "tolerance"): {"type": "jsonpath", "path": ""}}, False, False, ""),
    ({(*SSH0, "tolerance"): {"type": "range", "range": [1, 2], "target": "status"}}, True, True, ""),
    ({(*SSH0, "tolerance"): {"type": "range", "range": [1]}}, False, False, ""),
    ({(*SSH0, "tolerance"): {"type": "range", "range": ["1", 2], "target": "status"}}, False, True, "numbers in quotes are numbers"),
    ({(*SSH0, "tolerance"): {"type": "probe", "name": "t", "provider": {**PYTHON}}}, True, True, ""),
    ({(*SSH0, "tolerance"): {"type": "probe", "provider": {**PYTHON}}}, False, True, "a probe that is a tolerance needs no name"),
    ({(*SSH0, "provider"): GONE}, False, False, ""),
    ({(*SSH0,): {"ref": "still-answers"}}, False, True, "hypothesis-ref"),
    ({(*SSH0,): {"ref": "still-answers", "tolerance": 200}}, True, True, ""),
    ({(*ACT, "type"): GONE}, False, False, ""),
    ({(*ACT, "type"): "deed"}, False, False, ""),
    ({(*ACT, "name"): GONE}, False, False, ""),
    ({(*ACT, "name"): ""}, False, False, ""),
    ({(*ACT, "provider", "type"): GONE}, False, False, ""),
    ({(*ACT, "provider", "type"): "ansible"}, False, False, ""),
    ({(*ACT, "provider", "path"): GONE}, False, False, ""),
    ({(*ACT, "provider", "path"): "true stop"}, False, False, ""),
    ({(*ACT, "provider", "arguments"): "stop cache"}, True, True, ""),
    ({(*ACT, "provider", "arguments"): {"a": 1}}, True, True, ""),
    ({(*ACT, "provider", "arguments"): 3}, True, False, "Chaos Toolkit ends with a traceback when it runs it"),
    ({(*ACT, "timeout"): "5"}, False, False, ""),
    ({(*ACT, "timeout"): 5}, True, True, ""),
    ({(*ACT, "background"): "yes"}, False, False, ""),
    ({(*ACT, "background"): True}, True, True, ""),
    ({(*ACT, "pauses"): {"after": "3"}}, False, False, ""),
    ({(*ACT, "pauses"): {"after": "${shop}"}}, True, True, ""),
    ({(*ACT, "pauses"): {"after": -1}}, True, False, "Chaos Toolkit aborts the run there"),
    ({(*PROBE, "provider", "url"): GONE}, False, False, ""),
    ({(*PROBE, "provider", "headers"): "x"}, False, False, ""),
    ({(*PROBE, "provider", "url"): "/health"}, True, False, "Chaos Toolkit aborts the run there"),
    ({(*PROBE, "provider", "url"): "${shpo}/health"}, True, False, "undefined-variable"),
    ({(*PROBE, "tolerence"): 200}, True, False, "unknown-key"),
    ({(*PROBE, "provider"): PYTHON}, True, True, ""),
    ({(*PROBE, "provider"): {**PYTHON, "func": ""}}, False, False, ""),
    ({(*PROBE, "provider"): {**PYTHON, "module": GONE}}, False, False, ""),
    ({(*PROBE, "provider"): {**PYTHON, "module": "no.such.module"}}, False, True, "the runner looks whether a module is there, where it is to be run"),
    ({(*ACT, "provider"): SLEEP}, False, True, "python-sleep"),
    ({(*ACT, "provider", "path"): "no-such-program"}, False, True, "the runner looks whether a program is there, where it is to be run"),
    ({("method", 2): {"ref": "answers"}}, True, True, ""),
    ({("method", 2): {"ref": "nobody"}}, False, False, ""),
    ({("method", 2): {"ref": ""}}, False, False, ""),
    ({("rollbacks", 1): {"ref": "nobody"}}, True, False, "Chaos Toolkit ends without a journal when it gets there"),
    ({(*BACK, "name"): GONE}, False, False, ""),
    ({("tags",): "cache"}, True, True, ""),
    ({("tags",): [""]}, False, False, ""),
    ({("tags",): [3]}, False, False, ""),
    ({("extensions",): [{"name": ""}]}, False, False, ""),
    ({("controls",): [{"name": "x"}]}, False, False, ""),
    ({("controls",): [{"provider": {"type": "python", "module": "m"}}]}, False, False, ""),
    ({("controls",): [{"name": "x", "provider": {"type": "python", "module": "m"}, "scope": "later"}]}, False, False, ""),
    ({("configuration", "x"): {"type": "env", "key": "GAMEDAY_NO_SUCH"}}, False, True, "the runner looks whether a variable is set, where it is to be run"),
    ({("configuration", "x"): {"type": "env", "key": "GAMEDAY_NO_SUCH", "default": 1}}, True, True, ""),
    ({("configuration", "x"): {"type": "env"}}, False, False, ""),
    ({("secrets",): {"k": "v"}}, False, True, "flat-secrets"),
    ({("secrets",): {"g": {"k": "v"}}}, True, True, ""),
    ({("runtime",): {"rollbacks": {"strategy": "allways"}}}, True, False, "unknown-strategy"),
    ({("dry",): "actions"}, True, True, ""),
    ({("surprise",): 3}, True, True, ""),
]


def taken(experiment):
    """Whether the real validator takes it; a traceback is a refusal, too."""
    logging.getLogger("chaostoolkit").setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ensure_experiment_is_valid(copy.deepcopy(experiment))
        except Exception:  # tracebacks of all kinds
            return False
    return True


def row_name(row):
    return ", ".join("%s=%s" % (".".join(map(str, path)), "GONE" if value is GONE else value) for path, value in row[0].items())[:100] or "clean"


def without_gone(value):
    if isinstance(value, dict):
        return {key: without_gone(one) for key, one in value.items() if one is not GONE}
    return value


@pytest.mark.parametrize("row", TABLE, ids=map(row_name, TABLE))
def test_the_real_validator_and_ours_agree_or_differ_for_a_reason(row):
    changes, theirs, ours, reason = row
    experiment = spoiled({path: without_gone(value) for path, value in changes.items()})
    _meant, findings = look(experiment)
    errors = [one for one in findings if one.level == "error"]
    assert (taken(experiment), not errors) == (theirs, ours), errors
    assert bool(reason) == (theirs != ours)
    if reason and " " not in reason:
        assert reason in {one.rule for one in findings}


# Rules that tell of something that the validator refuses and that is understood here.
UNDERSTOOD = {"expect", "expected-status", "provider-in-tolerance", "wrapped-activity", "python-process", "python-sleep", "tolerance-number", "flat-secrets",
              "hypothesis-ref", "tolerance-process", "tags", "dry"}
# What it looks for on this machine, what it needs an optional package for, and what is as good as left out.
ONLY_THERE = "jsonpath", "module", "path", "env", "None"


@settings(max_examples=int(os.environ.get("GAMEDAY_EXAMPLES", "60")), suppress_health_check=[HealthCheck.too_slow])
@given(spoilings(CLEAN))
def test_however_an_experiment_is_spoiled_what_the_real_validator_refuses_is_refused_or_told(experiment):
    if not any(word in str(experiment).replace("'path': 'true'", "") for word in ONLY_THERE) and not taken(experiment):
        findings = look(experiment)[1]
        assert any(one.level == "error" for one in findings) or UNDERSTOOD & {one.rule for one in findings}, experiment
