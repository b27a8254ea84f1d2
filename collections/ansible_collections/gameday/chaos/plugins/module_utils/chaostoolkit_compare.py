# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
The comparison that Chaos Toolkit has no tolerance for: {type: compare, target, path, measure, operator, value}, as docs/chaostoolkit_lint.md describes it.
"""

from __future__ import annotations

import json
import re

from ansible_collections.gameday.chaos.plugins.module_utils import chaostoolkit_jsonpath

ORDERED = {"gt": lambda a, b: a > b, "ge": lambda a, b: a >= b, "lt": lambda a, b: a < b, "le": lambda a, b: a <= b}


class Incomparable(Exception):
    """Why nothing can be told."""


def compare(tolerance, value, expected):
    """C(value) is the part that C(target) names, C(expected) what the comparison is with, its variables filled in."""
    operator, path, measure = tolerance.get("operator"), tolerance.get("path"), tolerance.get("measure", "value")
    if path is None:
        return holds(operator, length(value) if measure == "length" else value, expected)
    try:
        found = chaostoolkit_jsonpath.matches(path, as_json(value))
    except chaostoolkit_jsonpath.BadPath as error:
        raise Incomparable("path: %s" % error) from None
    return bool(found) and all(holds(operator, length(one) if measure == "length" else one, expected) for one in found)


def as_json(value):
    if isinstance(value, str):
        try:
            return json.loads(value)
        except ValueError:
            raise Incomparable("it is no JSON") from None
    return value


def length(value):
    if isinstance(value, dict) and "length" in value:
        return value["length"]
    if isinstance(value, (str, list, dict)):
        return len(value)
    raise Incomparable("%s has no length" % json.dumps(value, default=str))


def holds(operator, value, expected):
    if operator in ("eq", "ne"):
        return (value == expected) is (operator == "eq")
    if operator == "in":
        return value in expected if isinstance(expected, (list, str)) else value == expected
    if operator == "contains":
        if isinstance(expected, str):
            return expected in as_text(value)
        return isinstance(value, list) and expected in value
    if operator == "matches":
        try:
            return re.search(expected, as_text(value)) is not None
        except (re.error, TypeError) as error:
            raise Incomparable("%r is no regular expression: %s" % (expected, error)) from None
    if operator in ORDERED:
        return ORDERED[operator](number(value), number(expected))
    raise Incomparable("there is no operator %s" % operator)


def as_text(value):
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def number(value):
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    try:
        return float(value)
    except (TypeError, ValueError):
        raise Incomparable("%s is no number" % json.dumps(value, default=str)) from None
