# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
What an activity is expected to answer, in the forms that Chaos Toolkit does not read (C(expect), C(expected_status)), as a tolerance.

Two forms of tolerance are ours, because Chaos Toolkit has none for them:
{type: all, tolerances: [...]}, and {type: compare, target, path, measure, operator, value}, see docs/chaostoolkit_lint.md.
"""

from __future__ import annotations

import re

from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_rules import is_map, is_number, kind_of

OPERATORS = {
    "eq": ("eq", "==", "=", "equals", "equal", "is"), "ne": ("ne", "!=", "<>", "not_equals", "not_equal"),
    "gt": ("gt", ">", "greater_than", "greater"), "ge": ("ge", "gte", ">=", "at_least", "min"),
    "lt": ("lt", "<", "less_than", "less"), "le": ("le", "lte", "<=", "at_most", "max"),
    "in": ("in", "one_of"), "contains": ("contains", "include", "includes"), "matches": ("matches", "match", "regex", "=~"),
}
OPERATOR = {spelling: name for name, spellings in OPERATORS.items() for spelling in spellings}
TEXT_OF = {"http": "body", "process": "stdout"}
STATUS_KEYS = ("status", "status_code", "code", "exit_code", "exit_status", "returncode", "return_code", "rc", "expected_status")
PATH_KEYS = ("json", "jsonpath", "json_path", "path")
LENGTH = re.compile(r"\.(length|size|count)(\(\))?$")


class NotUnderstood(Exception):
    """Says what in an expectation cannot be judged."""


def apply(path, activity, place, report):
    """Moves what is expected into the tolerance, and mends the tolerance itself."""
    provider = activity.get("provider")
    kind, found, origin = kind_of(provider), [], None
    for owner, place_of in ((activity, path), (provider, (*path, "provider"))):
        for key in ("expect", "expected_status") if is_map(owner) else ():
            if key in owner:
                origin = (*place_of, key)
                found += understood(owner.pop(key), key, origin, kind, report)
    mend(path, activity, kind, report)
    if found:
        own = [activity["tolerance"]] if activity.get("tolerance") is not None else []
        together = [one for index, one in enumerate(own + found) if one not in (own + found)[:index]]
        activity["tolerance"] = together[0] if len(together) == 1 else {"type": "all", "tolerances": together}
        at = (*path, "tolerance")
        moves = [((*at, "tolerances", index), at if index < len(own) else origin) for index in range(len(together))] if own else [(at, origin)]
        for new, old in moves:
            report.moved(new, old)
    elif place in ("method", "rollbacks") and activity.get("tolerance") is not None:
        report.add("tolerance-judged", (*path, "tolerance"), "is not read by Chaos Toolkit, which judges only what stands in the hypothesis; here it is judged",
                   "Nothing needs to be changed")


def understood(value, key, path, kind, report):
    try:
        found = [one for entry in (value if isinstance(value, list) and key == "expect" else [value]) for one in tolerances(entry, kind)]
    except NotUnderstood as error:
        report.add("expect-unknown", path, "is not read by Chaos Toolkit, and %s, so that it would not be judged here either" % error,
                   "Write what is expected as tolerance, or as status, json, body, stdout or pattern")
        return []
    report.add("expect" if key == "expect" else "expected-status", path, "is not read by Chaos Toolkit, which takes any answer for good; it is judged here",
               "Write it beside provider as tolerance: %s" % shown(found))
    return found


def shown(found):
    return shown_one(found[0]) if len(found) == 1 else "{type: all, tolerances: [%s]}" % ", ".join(shown_one(one) for one in found)


def shown_one(value):
    if is_map(value):
        return "{%s}" % ", ".join("%s: %s" % (key, shown_one(one)) for key, one in value.items())
    if isinstance(value, list):
        return "[%s]" % ", ".join(shown_one(one) for one in value)
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else repr(value) if isinstance(value, str) else str(value)


def tolerances(entry, kind):
    """All tolerances of one entry of expect, such as {status: [200, 503]}."""
    if isinstance(entry, int):
        return [entry]
    if not is_map(entry) or not entry:
        raise NotUnderstood("%.60r says nothing that could be expected" % (entry,))
    rest, found = dict(entry), []
    for key in STATUS_KEYS:
        if key in rest:
            found.append(status(rest.pop(key)))
    target = rest.pop("target", None) or TEXT_OF.get(kind)
    at = next((rest.pop(key) for key in PATH_KEYS if key in rest), None)
    if at is not None:
        found.append(compared(at, rest.pop("operator", rest.pop("op", None)), rest, target))
    for key in ("pattern", "regex", "matches"):
        if key in rest:
            found.append(regex(rest.pop(key), target))
            rest.pop("type", None)
    for key, where in (("body", "body"), ("stdout", "stdout"), ("stderr", "stderr"), ("output", target), ("contains", target)):
        if key in rest:
            found.append(text(rest.pop(key), where, key))
    if rest:
        raise NotUnderstood("%s is no expectation that is known" % ", ".join(map(str, rest)))
    return found


def status(value):
    values = value if isinstance(value, list) else [value]
    numbers = [int(one) if isinstance(one, str) and one.strip().lstrip("-").isdecimal() else one for one in values]
    if not numbers or not all(isinstance(one, int) and not isinstance(one, bool) for one in numbers):
        raise NotUnderstood("%.60r is no status" % (value,))
    return numbers if isinstance(value, list) else numbers[0]


def regex(pattern, target):
    try:
        re.compile(pattern)
    except (re.error, TypeError, RecursionError, OverflowError) as error:
        raise NotUnderstood("%.60r is no regular expression (%s)" % (pattern, error)) from None
    if target == "body":  # which may have been read as JSON, and then is no text that a regex of Chaos Toolkit could judge
        return {"type": "compare", "target": target, "operator": "matches", "value": pattern}
    return {"type": "regex", "pattern": pattern, **({"target": target} if target else {})}


def text(value, target, key):
    if isinstance(value, str):
        return {"type": "compare", **({"target": target} if target else {}), "operator": "contains", "value": value}
    if is_map(value) and set(value) == {"contains"}:
        return text(value["contains"], target, key)
    return {"type": "compare", **({"target": target} if target else {}), "operator": "eq", "value": value}


def compared(at, operator, rest, target):
    """{json: $.a, operator: gt, value: 0}. A path that ends in .length asks for how many there are."""
    if not isinstance(at, str) or not at.strip():
        raise NotUnderstood("%.60r is no JSON path" % (at,))
    at = at.strip()
    at = at if at.startswith("$") else "$." + at
    measure = "length" if LENGTH.search(at) else "value"
    at = LENGTH.sub("", at) or "$"
    where = {"target": target} if target else {}
    keys = [key for key in ("value", "expected", "equals", *OPERATOR) if key in rest]
    if not keys:
        if operator not in (None, "exists", "present"):
            raise NotUnderstood("operator %s has no value" % operator)
        return {"type": "jsonpath", "path": at, **where} if measure == "value" else comparison(at, where, measure, "gt", 0)
    if len(keys) > 1:
        raise NotUnderstood("%s contradict each other" % " and ".join(keys))
    name = OPERATOR.get(str(operator).lower() if operator is not None else keys[0] if keys[0] in OPERATOR else "eq")
    if not name:
        raise NotUnderstood("operator %s is not known (there are %s)" % (operator, ", ".join(OPERATORS)))
    value = rest.pop(keys[0])
    if name in ("gt", "ge", "lt", "le") and not is_number(value) and not isinstance(value, str):
        raise NotUnderstood("%s needs a number, not %.40r" % (name, value))
    if name == "in" and not isinstance(value, list):
        raise NotUnderstood("in needs a list, not %.40r" % (value,))
    return comparison(at, where, measure, name, value)


def comparison(at, where, measure, operator, value):
    return {"type": "compare", **where, "path": at, "measure": measure, "operator": operator, "value": value}


def mend(path, activity, kind, report):
    """Tolerances that Chaos Toolkit refuses, can never find met, or cannot judge without a crash."""
    tolerance, at = activity.get("tolerance"), (*path, "tolerance")
    if isinstance(tolerance, float):
        whole = tolerance.is_integer()
        activity["tolerance"] = int(tolerance) if whole else {"type": "range", "range": [tolerance, tolerance]}
        report.add("tolerance-number", at, "is a number with a fraction, which Chaos Toolkit refuses; exactly this number is expected",
                   "Write tolerance: %s" % (int(tolerance) if whole else "{type: range, range: [LEAST, MOST]}"))
    elif is_map(tolerance) and tolerance.get("type") is None and tolerance and "provider" not in tolerance:
        try:
            found = tolerances(tolerance, kind)
        except NotUnderstood:
            return
        report.add("expect", at, "has no type, and is refused by Chaos Toolkit; it is taken for what is expected", "Write tolerance: %s" % shown(found))
        activity["tolerance"] = found[0] if len(found) == 1 else {"type": "all", "tolerances": found}
    elif is_map(tolerance) and tolerance.get("type") == "probe" and is_map(tolerance.get("provider")):
        of_probe(at, activity, tolerance, report)
    elif is_map(tolerance) and tolerance.get("type") == "range" and isinstance(tolerance.get("range"), list):
        tolerance["range"] = [number(one) for one in tolerance["range"]]
    elif is_map(tolerance) and tolerance.get("type") in ("regex", "range") and "target" not in tolerance and kind in TEXT_OF:
        report.add("tolerance-target", at, "what a%s probe returns is a map, and judging it by a %s ends Chaos Toolkit with a traceback; its %s is taken"
                   % ("n http" if kind == "http" else " process", tolerance["type"], TEXT_OF[kind]), "Add target: %s" % TEXT_OF[kind])
        tolerance["target"] = TEXT_OF[kind]
        if kind == "http" and tolerance["type"] == "regex" and isinstance(tolerance.get("pattern"), str):
            activity["tolerance"] = {"type": "compare", "target": "body", "operator": "matches", "value": tolerance["pattern"]}
            report.moved((*at, "value"), (*at, "pattern"))
    elif isinstance(tolerance, (str, bool)) and kind in TEXT_OF and "${" not in str(tolerance):
        report.add("never-met", at, "what a%s probe returns is a map with a status, which never equals %s, so that it is never met"
                   % ("n http" if kind == "http" else " process", shown_one(tolerance)),
                   "Write the status as a number, or {type: regex, pattern: ..., target: %s}" % TEXT_OF[kind])


def number(value):
    try:
        return (float(value) if "." in value or "e" in value.lower() else int(value)) if isinstance(value, str) else value
    except ValueError:
        return value


def of_probe(at, activity, tolerance, report):
    """A probe that judges another. Chaos Toolkit asks only whether it returned something, which a process or an http request always does."""
    kind = kind_of(tolerance["provider"])
    if kind == "python":
        tolerance["provider"].setdefault("arguments", {})
    tolerance.setdefault("name", "%s, judged" % activity.get("name"))
    found = []
    for owner, place in ((tolerance, at), (tolerance["provider"], (*at, "provider"))):
        for key in ("expect", "expected_status"):
            if key in owner:
                found += understood(owner.pop(key), key, (*place, key), kind, report)
    if found:
        tolerance["tolerance"] = found[0] if len(found) == 1 else {"type": "all", "tolerances": found}
    elif kind in TEXT_OF and tolerance.get("tolerance") is None:
        tolerance["tolerance"] = 200 if kind == "http" else 0
        report.add("tolerance-process", at, "Chaos Toolkit finds a%s probe as tolerance always met, whatever it returns; status %s is expected"
                   % ("n http" if kind == "http" else " process", tolerance["tolerance"]), "Judge the probe itself, by a tolerance that is no probe")
