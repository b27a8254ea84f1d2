# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tolerances that are ours: what an author meant by expect is judged, and what cannot be judged is never met."""

from __future__ import annotations

import pytest
from ansible_collections.gameday.chaos.plugins.module_utils.chaostoolkit_tolerance import judge
from chaostoolkit_clean import PROBE, look, spoiled

ALERTS = {"status": 200, "headers": {}, "body": [{"labels": {"alertname": "DatabaseDown"}}]}
TEXT = {"status": 200, "headers": {}, "body": '{"state": "up", "checks": [{"n": 1}, {"n": 3}], "length": 7}'}
RAN = {"status": 0, "stdout": "3 replicas\n", "stderr": ""}


def met(tolerance, value, **configuration):
    return judge(tolerance, value, configuration, {}, None)[0]


def compare(operator, value, target="body", **more):
    return {"type": "compare", "target": target, "operator": operator, "value": value, **more}


@pytest.mark.parametrize(("tolerance", "value", "expected"), [
    (compare("gt", 0, path="$", measure="length"), ALERTS, True),
    (compare("gt", 1, path="$", measure="length"), ALERTS, False),
    (compare("gt", 0, path="$", measure="length"), {"status": 200, "body": []}, False),
    (compare("gt", 0, path="$", measure="length"), {"status": 200, "body": "[1]"}, True),
    (compare("eq", 7, path="$", measure="length"), TEXT, True),
    (compare("eq", "up", path="$.state"), TEXT, True),
    (compare("ne", "up", path="$.state"), TEXT, False),
    (compare("ge", 1, path="$.checks[*].n"), TEXT, True),
    (compare("ge", 2, path="$.checks[*].n"), TEXT, False),
    (compare("in", ["up", "down"], path="$.state"), TEXT, True),
    (compare("eq", None, path="$.nothing"), TEXT, False),
    (compare("contains", "DatabaseDown"), ALERTS, True),
    (compare("contains", "replicas", "stdout"), RAN, True),
    (compare("matches", r"^\d+ replicas$", "stdout"), RAN, True),
    (compare("eq", [], "body"), {"status": 200, "body": []}, True),
    (compare("lt", "${most}", "body", path="$.n"), {"body": {"n": "4"}}, True),
    (compare("gt", 1, "body", path="$.n"), {"body": {"n": "many"}}, None),
    (compare("gt", 1, "body", path="$.n"), {"body": "no JSON"}, None),
    (compare("gt", 1, "body", path="$.n", measure="length"), {"body": {"n": 5}}, None),
    (compare("matches", "(", "stdout"), RAN, None),
    ({"type": "all", "tolerances": [[200, 503], compare("eq", "up", path="$.state")]}, TEXT, True),
    ({"type": "all", "tolerances": [503, compare("eq", "up", path="$.state")]}, TEXT, False),
    ({"type": "all", "tolerances": ["${code}", 200]}, TEXT, True),
    ({"type": "all", "tolerances": [503, compare("gt", 1, path="$.state")]}, TEXT, None),
    ({"type": "all", "tolerances": []}, TEXT, None),
])
def test_what_is_compared_is_met_or_not_or_nothing_can_be_told(tolerance, value, expected):
    assert met(tolerance, value, most=5, code=200) is expected


def test_a_probe_that_judges_may_have_a_tolerance_of_its_own():
    tolerance = {"type": "probe", "name": "t", "provider": {"type": "process", "path": "x"}, "tolerance": 3}
    for status, expected in (3, True), (0, False):
        assert judge(tolerance, RAN, {}, {}, lambda probe, status=status: {"status": status, "stdout": "", "stderr": ""})[0] is expected


@pytest.mark.parametrize(("expect", "answer", "expected"), [
    ({"json": "$.length", "operator": "gt", "value": 0}, ALERTS, True), ({"status": [503, 500]}, ALERTS, False), ({"pattern": "Database"}, ALERTS, True),
    ({"status": 200, "json": "$.state", "value": "up"}, TEXT, True), ({"body": '"state"'}, TEXT, True),
])
def test_what_an_author_expects_is_judged_as_it_is_meant(expect, answer, expected):
    meant, findings = look(spoiled({(*PROBE, "tolerance"): None, (*PROBE, "provider", "expect"): [expect]}))
    assert [one for one in findings if one.level == "error"] == []
    assert met(meant["method"][1]["tolerance"], answer) is expected
