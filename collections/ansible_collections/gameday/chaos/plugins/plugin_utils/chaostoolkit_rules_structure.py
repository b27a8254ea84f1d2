# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an experiment must have to be run, with the path of each key that is missing, of another type, or unknown."""

from __future__ import annotations

import math
import re

from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_expect import OPERATORS
from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_rules import HYPOTHESIS, activities, is_map, is_number, is_variable, kind_of
from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_rules_keys import check_keys

TYPES = {str: "a text", dict: "a map", list: "a list", bool: "true or false"}
PROVIDERS = {"http": ("url",), "process": ("path",), "python": ("module", "func")}
HYPOTHESIS_STRATEGIES = ("default", "before-method-only", "after-method-only", "during-method-only", "continuously", "skip")
ROLLBACK_STRATEGIES = ("default", "always", "never", "deviated")
DRY = ("probes", "actions", "activities", "pause")
ENVIRONMENT_TYPES = ("str", "string", "int", "integer", "float", "number", "bytes", "bool", "json")
IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")


def check(experiment, report):
    check_keys("experiment", experiment, (), report)
    for name in ("title", "description"):
        required(experiment, (), name, str, report)
    method = experiment.get("method")
    if method is None:
        report.add("missing", ("method",), "is missing", "Write method: [] if only the %s is to be looked at" % HYPOTHESIS)
    for name in ("method", "rollbacks", "controls", "extensions", "tags"):
        optional(experiment, (), name, list, report)
    for name in (HYPOTHESIS, "configuration", "secrets", "runtime", "contributions"):
        optional(experiment, (), name, dict, report)
    hypothesis(experiment.get(HYPOTHESIS), report)
    for name in ("method", "rollbacks"):
        items(experiment.get(name), (name,), report)
    for path, item, place in activities(experiment):
        activity(item, path, place, report)
    refs(experiment, report)
    details(experiment, report)


def required(owner, path, name, kind, report, known=""):
    value, at = owner.get(name), (*path, name)
    if name not in owner or value is None or value == "":
        report.add("missing", at, "is %s" % ("missing" if name not in owner else "empty"), "Add %s%s" % (name, known or ", %s" % TYPES[kind]))
    elif not isinstance(value, kind):
        wrong(at, value, kind, report)
    elif not value:
        report.add("missing", at, "is empty", "Add %s" % name)
    else:
        return True
    return False


def optional(owner, path, name, kind, report):
    value = owner.get(name)
    if value is not None and not isinstance(value, kind):
        wrong((*path, name), value, kind, report)
        return False
    return value is not None


def wrong(path, value, kind, report):
    hint = ". YAML reads yes, no, on and off as true and false: put the text in quotes" if isinstance(value, bool) and kind is str else ""
    report.add("type", path, "is %s, and must be %s" % (name_of(value), TYPES[kind]), "Write %s%s" % (TYPES[kind], hint))


def name_of(value):
    if value is None:
        return "empty"
    if is_number(value):
        return "the number %s" % str(value)[:40]
    return next((words for kind, words in TYPES.items() if isinstance(value, kind)), "a %s" % type(value).__name__)


def items(value, path, report):
    for index, item in enumerate(value if isinstance(value, list) else ()):
        if not is_map(item) or not item:
            report.add("type", (*path, index), "is %s, and must be an activity" % (name_of(item) if item or item is None else "empty"),
                       "Write a map with type, name and provider")


def hypothesis(value, report):
    path = (HYPOTHESIS,)
    if not is_map(value):
        return
    check_keys("hypothesis", value, path, report)
    required(value, path, "title", str, report)
    if optional(value, path, "probes", list, report):
        items(value["probes"], (*path, "probes"), report)
    optional(value, path, "controls", list, report)


def activity(item, path, place, report):
    if "ref" in item and place != "configuration":
        if not isinstance(item["ref"], str) or not item["ref"]:
            report.add("type", (*path, "ref"), "is %s, and must be the name of an activity" % name_of(item["ref"]), "Write the name of an activity")
    else:
        check_keys("activity", item, path, report)
        if required(item, path, "type", str, report, ": probe or action") and item["type"] not in ("probe", "action"):
            report.add("value", (*path, "type"), "is %.60r, and there are only probe and action" % item["type"], "Write probe, or action")
        required(item, path, "name", str, report)
        if required(item, path, "provider", dict, report):
            provider(item["provider"], (*path, "provider"), report)
        pauses(item.get("pauses"), (*path, "pauses"), report)
        if item.get("background") is not None:
            optional(item, path, "background", bool, report)
        timeout(item, path, report)
        optional(item, path, "controls", list, report)
    if place == "hypothesis" and item.get("tolerance") is None:
        report.add("hypothesis-tolerance", path, "is a probe of the %s without a tolerance, upon which Chaos Toolkit refuses the experiment" % HYPOTHESIS,
                   "Say what is expected, for instance %s" % example(item))
    elif item.get("tolerance") is not None and place != "configuration":
        tolerance(item["tolerance"], (*path, "tolerance"), report)


def example(item):
    return {"http": "tolerance: 200", "process": "tolerance: 0", "python": "tolerance: true"}.get(kind_of(item.get("provider")), "tolerance: 200 beside ref")


def provider(value, path, report):
    if not required(value, path, "type", str, report, ": http, process or python"):
        return
    kind = value["type"]
    if kind not in PROVIDERS:
        report.add("value", (*path, "type"), "is %.60r, and there are only http, process and python" % kind, "Write one of them")
        return
    check_keys(kind, value, path, report)
    for name in PROVIDERS[kind]:
        if required(value, path, name, str, report) and kind == "python" and not IDENTIFIER.fullmatch(value[name]):
            report.add("value", (*path, name), "is %.60r, which is no name of a Python %s" % (value[name], "module" if name == "module" else "function"),
                       "Write a name such as %s" % ("package.probes" if name == "module" else "is_healthy"))
    if kind == "http":
        http(value, path, report)
    if kind == "python":
        optional(value, path, "arguments", dict, report)
        optional(value, path, "secrets", list, report)
    if kind == "process":
        arguments = value.get("arguments")
        if arguments is not None and not isinstance(arguments, (str, list, dict)):
            report.add("type", (*path, "arguments"), "is %s, and must be a list of words" % name_of(arguments), "Write a list")
        if isinstance(value.get("path"), str) and re.search(r"\s", value["path"].strip()) and "/" not in value["path"]:
            report.add("value", (*path, "path"), "is %.60r; arguments do not belong into the path, where no shell splits them" % value["path"],
                       "Write path: %s and the rest as a list of arguments" % value["path"].split()[0])
    if kind != "python":
        timeout(value, path, report)


def http(value, path, report):
    optional(value, path, "headers", dict, report)
    optional(value, path, "method", str, report)
    optional(value, path, "verify_tls", bool, report)
    url = value.get("url")
    if isinstance(url, str) and url and not url.startswith("${") and not re.match(r"https?://[^/?#]", url, re.IGNORECASE):
        report.add("value", (*path, "url"), "is %.80r, which no http request can be made to; Chaos Toolkit aborts the run there" % url,
                   "Begin it with http:// or https:// and a host")
    retries = value.get("max_retries")
    if retries is not None and (not isinstance(retries, int) or isinstance(retries, bool) or retries < 0):
        report.add("type", (*path, "max_retries"), "is %.40r, and must be a number of times" % (retries,), "Write 0 or more")


def timeout(owner, path, report):
    value = owner.get("timeout")
    pair = isinstance(value, list) and len(value) == 2 and owner.get("type") == "http"
    for one in value if pair else [value]:
        if one is not None and not is_variable(one) and not (is_number(one) and 0 < one < float("inf")):
            report.add("type", (*path, "timeout"), "is %.40r, and must be a number of seconds above 0" % (value,), "Write seconds, such as 5")


def pauses(value, path, report):
    if value is None:
        return
    if not is_map(value):
        wrong(path, value, dict, report)
        return
    check_keys("pauses", value, path, report)
    for name in ("before", "after"):
        seconds = value.get(name)
        if seconds is not None and not is_variable(seconds) and not (is_number(seconds) and 0 <= seconds < float("inf")):
            report.add("type", (*path, name), "is %.40r, and must be a number of seconds, 0 or more" % (seconds,), "Write seconds without quotes, or ${name}")


def tolerance(value, path, report):
    """Whatever its type allows; what cannot be judged is an error before anything is run."""
    if isinstance(value, (bool, int, str, list)):
        return
    if not is_map(value):
        report.add("tolerance", path, "is %s, which no answer can be compared with" % name_of(value), "Write a number, a text, true, a list or a map with type")
        return
    kind = kind_of(value)
    checks = {"regex": of_regex, "jsonpath": of_jsonpath, "range": of_range, "probe": of_probe, "all": of_all, "compare": of_compare}
    if kind not in checks:
        report.add("tolerance", (*path, "type"), "is %.60r; there are regex, jsonpath, range and probe" % (value.get("type"),), "Write one of them")
        return
    check_keys("tolerance-%s" % kind, value, path, report)
    checks[kind](value, path, report)


def of_regex(value, path, report):
    if required(value, path, "pattern", str, report) and "${" not in value["pattern"]:
        try:
            re.compile(value["pattern"])
        except (re.error, RecursionError, OverflowError) as error:
            report.add("tolerance", (*path, "pattern"), "is no regular expression: %s" % error, "Correct it")


def of_jsonpath(value, path, report):
    if required(value, path, "path", str, report) and not value["path"].strip().startswith(("$", "${")):
        report.add("tolerance", (*path, "path"), "is %.60r, and a JSON path begins with $" % value["path"], "Write $.%s" % value["path"].lstrip(".")[:60])
    count = value.get("count")
    if count is not None and (not isinstance(count, int) or isinstance(count, bool)):
        report.add("tolerance", (*path, "count"), "is %.40r, and must be how many matches there are" % (count,), "Write a number")


def of_range(value, path, report):
    bounds = value.get("range")
    if not isinstance(bounds, list) or len(bounds) != 2 or not all(is_number(one) and not math.isnan(one) for one in bounds):
        report.add("tolerance", (*path, "range"), "is %.60r, and must be a list of two numbers, the least and the most" % (bounds,),
                   "Write range: [LEAST, MOST]; a ${variable} is not filled in there")


def of_probe(value, path, report):
    if required(value, path, "provider", dict, report):
        provider(value["provider"], (*path, "provider"), report)
    if value.get("tolerance") is not None:
        tolerance(value["tolerance"], (*path, "tolerance"), report)


def of_all(value, path, report):
    if required(value, path, "tolerances", list, report):
        for index, one in enumerate(value["tolerances"]):
            tolerance(one, (*path, "tolerances", index), report)


def of_compare(value, path, report):
    if required(value, path, "operator", str, report) and value["operator"] not in OPERATORS:
        report.add("tolerance", (*path, "operator"), "is %.40r; there are %s" % (value["operator"], ", ".join(OPERATORS)), "Write one of them")
    if "value" not in value:
        report.add("missing", (*path, "value"), "is missing", "Write what it is compared with")
    elif value.get("operator") == "matches" and "${" not in str(value["value"]):
        of_regex({"pattern": value["value"]}, path, report)


def refs(experiment, report):
    found = list(activities(experiment))
    names = {item["name"] for _path, item, place in found if place in ("method", "hypothesis") and isinstance(item.get("name"), str) and "ref" not in item}
    for path, item, _place in found:
        ref = item.get("ref")
        if isinstance(ref, str) and ref and ref not in names:
            report.add("ref", (*path, "ref"), "names %.60r, which is no activity of the method or the %s" % (ref, HYPOTHESIS),
                       "Write one of: %s" % (", ".join(sorted(names)) or "(there is none)"))


def details(experiment, report):
    runtime = experiment.get("runtime")
    if is_map(runtime):
        check_keys("runtime", runtime, ("runtime",), report)
        for name, known in (("hypothesis", HYPOTHESIS_STRATEGIES), ("rollbacks", ROLLBACK_STRATEGIES)):
            strategy(runtime, name, known, report)
    dry = experiment.get("dry")
    if dry is not None and dry not in DRY:
        report.add("value", ("dry",), "is %.40r; there are %s" % (dry, ", ".join(DRY)), "Remove it, and use ansible-playbook --check")
    configuration(experiment.get("configuration"), report)
    secrets(experiment.get("secrets"), ("secrets",), report)
    tags = experiment.get("tags")
    for index, tag in enumerate(tags if isinstance(tags, list) else ()):
        if not isinstance(tag, str) or not tag:
            report.add("type", ("tags", index), "is %s, and must be a text" % name_of(tag), "Put it in quotes")
    extensions = experiment.get("extensions")
    for index, one in enumerate(extensions if isinstance(extensions, list) else ()):
        if not is_map(one) or not isinstance(one.get("name"), str) or not one["name"].strip():
            report.add("missing", ("extensions", index, "name"), "is missing", "Give the extension a name")
    controls(experiment, report)


def strategy(runtime, name, known, report):
    path = ("runtime", name)
    if not optional(runtime, ("runtime",), name, dict, report):
        return
    check_keys("strategy", runtime[name], path, report)
    value = runtime[name].get("strategy")
    if value is not None and value not in known:
        report.add("unknown-strategy", (*path, "strategy"), "is %.40r, %s; there are %s" % (
            value, "which Chaos Toolkit takes for never" if name == "rollbacks" else "upon which Chaos Toolkit ends with a traceback", ", ".join(known)),
            "Write one of them")


def configuration(value, report):
    for name, one in value.items() if is_map(value) else ():
        if is_map(one) and one.get("type") == "env":
            path = ("configuration", name)
            check_keys("configuration-env", one, path, report)
            required(one, path, "key", str, report)
            kind = one.get("env_var_type")
            if kind is not None and kind not in ENVIRONMENT_TYPES:
                report.add("value", (*path, "env_var_type"), "is %.40r; there are %s" % (kind, ", ".join(ENVIRONMENT_TYPES)), "Write one of them")


def secrets(value, path, report):
    for name, one in value.items() if is_map(value) else ():
        at = (*path, name)
        if not is_map(one):
            if len(path) == 1:
                wrong(at, one, dict, report)
        elif one.get("type") in ("env", "vault"):
            check_keys("secrets-%s" % one["type"], one, at, report)
            if one["type"] == "env" or "key" not in one:
                required(one, at, "key" if one["type"] == "env" else "path", str, report)
        else:
            secrets(one, at, report)


def controls(experiment, report):
    hypo = experiment.get(HYPOTHESIS)
    owners = [((), experiment), *([((HYPOTHESIS,), hypo)] if is_map(hypo) else []), *((path, item) for path, item, _place in activities(experiment))]
    for path, owner in owners:
        for index, one in enumerate(owner["controls"] if isinstance(owner.get("controls"), list) else ()):
            control(one, (*path, "controls", index), report)


def control(value, path, report):
    if not is_map(value):
        wrong(path, value, dict, report)
        return
    check_keys("control", value, path, report)
    required(value, path, "name", str, report)
    if "ref" not in value and required(value, path, "provider", dict, report):
        required(value["provider"], (*path, "provider"), "type", str, report)
    if value.get("scope") not in (None, "", "before", "after"):
        report.add("value", (*path, "scope"), "is %.40r, and there are only before and after" % (value["scope"],), "Write before, or after")
