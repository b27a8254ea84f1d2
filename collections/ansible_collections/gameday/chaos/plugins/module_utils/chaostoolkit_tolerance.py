# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
Whether what an activity gave is within its tolerance, as Chaos Toolkit judges it. Where it would crash, nothing can be told: met is None.
"""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal, InvalidOperation

from ansible_collections.gameday.chaos.plugins.module_utils import chaostoolkit_compare, chaostoolkit_jsonpath
from ansible_collections.gameday.chaos.plugins.module_utils.chaostoolkit_substitution import substitute

SHOWN = 300


class Unjudged(Exception):
    """The tolerance cannot be applied to this value; the text says why."""


def judge(tolerance, value, configuration, secrets, run_probe):
    """(met, reasons): met is True, False, or None where it cannot be told. C(run_probe) runs a probe that judges, and gives its output."""
    try:
        if isinstance(tolerance, str):
            tolerance = substitute(tolerance, configuration, secrets)
        if within(tolerance, value, configuration, secrets, run_probe):
            return True, []
        return False, ["%s, expected %s" % (shown(told(tolerance, value)), shown(wanted(tolerance)))]
    except Unjudged as error:
        return None, ["the tolerance %s cannot judge %s: %s" % (shown(tolerance), shown(value), error)]


def within(tolerance, value, configuration, secrets, run_probe):
    if isinstance(tolerance, bool):
        return value == tolerance
    if isinstance(tolerance, int):
        return (value["status"] if has_status(value) else value) == tolerance
    if isinstance(tolerance, str):
        return value == tolerance
    if isinstance(tolerance, list):
        return in_list(tolerance, value)
    if not isinstance(tolerance, dict):
        raise Unjudged("a tolerance is true or false, a whole number, a text, a list or a map")
    kinds = {"regex": regex, "jsonpath": jsonpath, "range": in_range, "probe": by_probe, "all": by_all, "compare": compared}
    kind = kinds.get(tolerance.get("type"))
    if kind is None:
        raise Unjudged("its type is %r, and there are %s" % (tolerance.get("type"), ", ".join(sorted(kinds))))
    return kind(tolerance, value, configuration, secrets, run_probe)


def has_status(value):
    return isinstance(value, dict) and "status" in value


def in_list(tolerance, value):
    if has_status(value):
        return value["status"] in tolerance
    if len(tolerance) != 2:
        return value in tolerance
    try:
        return tolerance[0] <= value <= tolerance[1]
    except TypeError:
        raise Unjudged("a list of two is a range, and this cannot be compared with its ends") from None


def targeted(tolerance, value):
    """The part of the output that the tolerance is of, or all of it where there is no such part."""
    target = tolerance.get("target")
    if not target:
        return value
    if not isinstance(value, dict):
        raise Unjudged("target is %r, and this has no parts" % target)
    return value.get(target, value)


def regex(tolerance, value, configuration, secrets, run_probe):
    pattern = substitute(tolerance.get("pattern"), configuration, secrets)
    value = targeted(tolerance, value)
    if not isinstance(value, str):
        raise Unjudged("a regular expression judges a text; give target, such as stdout or body, to name the part that is one")
    try:
        return re.search(pattern, value) is not None
    except (re.error, TypeError) as error:
        raise Unjudged("%r is no regular expression: %s" % (pattern, error)) from None


def jsonpath(tolerance, value, configuration, secrets, run_probe):
    value = targeted(tolerance, value)
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            pass
    try:
        found = chaostoolkit_jsonpath.matches(substitute(tolerance.get("path"), configuration, secrets), value)
    except chaostoolkit_jsonpath.BadPath as error:
        raise Unjudged("path: %s" % error) from None
    if "expect" in tolerance:
        expected = substitute(tolerance["expect"], configuration, secrets)
        return found == (expected if isinstance(expected, list) else [expected])
    count = tolerance.get("count")
    return bool(found) if count is None else len(found) == count


def in_range(tolerance, value, configuration, secrets, run_probe):
    value, ends = targeted(tolerance, value), tolerance.get("range")
    if not isinstance(ends, list) or len(ends) != 2 or not all(isinstance(end, (int, float)) and math.isfinite(end) for end in ends):
        raise Unjudged("range must be two numbers")
    if not isinstance(value, (str, int, float)):
        raise Unjudged("a range judges a number")
    try:
        number = Decimal(value)
    except InvalidOperation:
        return False
    if number.is_nan():
        raise Unjudged("it is not a number")
    return Decimal(ends[0]) <= number <= Decimal(ends[1])


def by_probe(tolerance, value, configuration, secrets, run_probe):
    provider = tolerance.get("provider")
    if not isinstance(provider, dict):
        raise Unjudged("a tolerance of type probe needs a provider")
    arguments = provider.get("arguments") or {}
    if not isinstance(arguments, dict):
        raise Unjudged("provider.arguments must be a map, which is given the value besides")
    probe = dict(tolerance, provider=dict(provider, arguments=dict(arguments, value=value)))
    output = run_probe(probe)
    if tolerance.get("tolerance") is not None:
        return within(tolerance["tolerance"], output, configuration, secrets, run_probe)
    # A process and a request always give a map, which counts as true; what they say is in it.
    if provider.get("type") in ("process", "http") and has_status(output):
        return output["status"] == 0 if provider["type"] == "process" else output["status"] < 400
    return bool(output)


def by_all(tolerance, value, configuration, secrets, run_probe):
    """Ours: every one of several tolerances."""
    several = tolerance.get("tolerances")
    if not isinstance(several, list) or not several:
        raise Unjudged("tolerances must be a list")
    filled = [substitute(one, configuration, secrets) if isinstance(one, str) else one for one in several]
    verdicts = [within(one, value, configuration, secrets, run_probe) for one in filled]  # each of them, so that one that cannot judge is told
    return all(verdicts)


def compared(tolerance, value, configuration, secrets, run_probe):
    """Ours: see chaostoolkit_compare."""
    filled = dict(tolerance, path=substitute(tolerance["path"], configuration, secrets)) if isinstance(tolerance.get("path"), str) else tolerance
    try:
        return chaostoolkit_compare.compare(filled, targeted(tolerance, value), substitute(tolerance.get("value"), configuration, secrets))
    except chaostoolkit_compare.Incomparable as error:
        raise Unjudged(str(error)) from None


def told(tolerance, value):
    """The part of the value that was judged."""
    if has_status(value) and isinstance(tolerance, (int, list)) and not isinstance(tolerance, bool):
        return value["status"]
    if isinstance(tolerance, dict) and isinstance(value, dict):
        return value.get(tolerance.get("target"), value)
    return value


def wanted(tolerance):
    if not isinstance(tolerance, dict):
        return tolerance
    told_keys = ("type", "pattern", "path", "expect", "count", "range", "target", "name", "tolerances", "measure", "operator", "value")
    return {key: one for key, one in tolerance.items() if key in told_keys}


def shown(value):
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except (TypeError, ValueError):
        text = repr(value)
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"
