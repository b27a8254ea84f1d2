# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A probe of Chaos Toolkit with its tolerance as one of ours with its expectation."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from urllib.parse import quote

from ansible_collections.gameday.chaos.plugins.module_utils import json_path
from ansible_collections.gameday.chaos.plugins.plugin_utils import chaostoolkit_words as words_of
from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_convert_values import Unconvertible, literal
from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_rules import is_map, is_number, is_variable

HTTP_TIMEOUT, PROCESS_TIMEOUT = 30, 60  # where the file has none, and Chaos Toolkit would wait forever
CALL = """import importlib, json, sys
module, func, arguments = sys.argv[1:]
json.dump(getattr(importlib.import_module(module), func)(**json.loads(arguments)), sys.stdout)
"""
OF_HTTP = """import json, sys, urllib.request
text = urllib.request.build_opener().open(sys.argv[1], timeout={timeout}).read().decode()
"""
OF_PROCESS = """import json, subprocess, sys
text = subprocess.run(sys.argv[1:], capture_output=True, text=True).stdout
"""
OPERATORS = {"eq": "value == {0}", "ne": "value != {0}", "gt": "value > {0}", "ge": "value >= {0}", "lt": "value < {0}", "le": "value <= {0}",
             "in": "value in {0}", "contains": "{0} in value"}


@dataclass
class Probe:
    kind: str
    options: dict
    comments: list = field(default_factory=list)
    judged: bool = True


def convert(activity, variables):
    provider, tolerance = activity["provider"], activity.get("tolerance")
    makers = {"http": http, "process": process, "python": python}
    return makers[provider["type"]](provider, tolerance, variables)


def number_or_variable(value, variables):
    return variables.text(value) if is_variable(value) else value


def seconds_of(provider, default):
    timeout = provider.get("timeout")
    return max(timeout) if isinstance(timeout, list) and all(map(is_number, timeout)) else timeout if timeout is not None else default


def http(provider, tolerance, variables):
    method = str(provider.get("method") or "GET").upper()
    options, comments = {"url": variables.text(provider["url"])}, []
    options.update(request(provider, method, options, variables))
    options["timeout"] = number_or_variable(seconds_of(provider, HTTP_TIMEOUT), variables)
    if provider.get("verify_tls") is False:
        options["validate_certs"] = False
    if method in ("GET", "HEAD"):
        options["follow_redirects"] = True
    if provider.get("max_retries"):
        comments.append("max_retries is not converted: what is watched is asked again anyway.")
    if tolerance is None:
        return Probe("probe_http", options, comments, judged=False)
    try:
        return Probe("probe_http", {**options, **merged(http_expectations(tolerance, variables))}, comments)
    except NeedsProgram as needs:
        if set(provider) - {"type", "url", "timeout", "method"} or method != "GET":
            raise Unconvertible("no option of probe_http judges %s" % needs) from None
        program = OF_HTTP.format(timeout=options["timeout"]) + needs.program
        return Probe("probe_command", {"command": ["python3", "-c", literal(program), options["url"]], "timeout": options["timeout"]}, comments)


def request(provider, method, options, variables):
    """method, headers and body; what a GET has as arguments goes into the URL."""
    found = {} if method == "GET" else {"method": method}
    headers, arguments = dict(provider.get("headers") or {}), provider.get("arguments")
    as_json = headers.get("Content-Type") == "application/json"
    if arguments and method == "GET":
        if not is_map(arguments):
            raise Unconvertible("the arguments of a GET are no map")
        options["url"] += "?" + form(arguments, variables)
    elif is_map(arguments) and as_json:
        found["body"] = variables.value(arguments)
        del headers["Content-Type"]  # is sent with anything but a text
    elif is_map(arguments):
        found["body"] = form(arguments, variables)
        headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
    elif arguments not in (None, ""):
        if not isinstance(arguments, str):
            raise Unconvertible("arguments are neither a map nor a text")
        found["body"] = variables.text(arguments)
    if headers:
        found["headers"] = variables.value(headers)
    return found


def form(arguments, variables):
    parts = []
    for key, value in arguments.items():
        if isinstance(value, (list, dict)):
            raise Unconvertible("the argument %s is nested, which a form cannot hold" % key)
        text = variables.text(str(value), " | string | urlencode")
        parts.append("%s=%s" % (quote(str(key)), text if variables.uses(value) else quote(str(value))))
    return "&".join(parts)


class NeedsProgram(Exception):
    """There is no option for it, but a few lines of Python judge it: C(program), which has the text of the answer in C(text)."""

    def __init__(self, what, program):
        super().__init__(what)
        self.program = program


def merged(options):
    together = {}
    for one in options:
        for key, value in one.items():
            if key in together and together[key] != value:
                if key == "status":
                    value = [code for code in together[key] if code in value]
                elif is_map(value):
                    value = {**together[key], **value}
                elif key.endswith("contains"):
                    value = together[key] + value
                else:
                    raise Unconvertible("two expectations need the same option %s" % key)
            together[key] = value
    return together


def http_expectations(tolerance, variables):
    """A list of options of probe_http."""
    if isinstance(tolerance, bool) or isinstance(tolerance, str) and not is_variable(tolerance):
        raise Unconvertible("the tolerance %r is never met by the answer to a request" % (tolerance,))
    if isinstance(tolerance, int):
        return [{"status": [tolerance]}]
    if is_variable(tolerance):
        return [{"status": "{{ [%s] | flatten }}" % variables.text(tolerance)[2:-2].strip()}]
    if isinstance(tolerance, list):
        codes = [one for one in tolerance if isinstance(one, int) and not isinstance(one, bool)]
        if not codes:
            raise Unconvertible("no status can be in %r" % (tolerance,))
        return [{"status": codes}]
    kind, target = tolerance.get("type"), tolerance.get("target")
    if kind == "all":
        return [options for one in tolerance["tolerances"] for options in http_expectations(one, variables)]
    if kind == "range" and target == "status":
        return [{"status": list(range(int(tolerance["range"][0]), int(tolerance["range"][1]) + 1))[:500]}]
    return [of_text(tolerance, kind, target, "body", variables)]


def of_text(tolerance, kind, target, name, variables):
    """What is expected of the body, or of the standard output."""
    if kind == "probe":
        raise Unconvertible("the tolerance is a probe of its own; write what it expects")
    path = tolerance.get("path")
    if kind in ("jsonpath", "compare") and path is not None and not target and name == "body":
        found = re.match(r"\$\.(body)(?=[.\[]|$)", str(path))
        target, path = (found[1], "$" + path[found.end():]) if found else (target, path)
    if target != name:
        raise Unconvertible("a tolerance of %s is not converted" % (target or "the whole output"))
    if kind == "regex":
        return {"%s_matches" % name: variables.text(tolerance["pattern"])}
    if kind == "jsonpath" and "expect" not in tolerance and "count" not in tolerance:
        raise NeedsProgram("that there is %s" % path, program_for(path, "value", "", None, "True"))
    if kind == "jsonpath" and "expect" in tolerance:
        expected = tolerance["expect"]
        if isinstance(expected, list):
            if len(expected) != 1:
                raise Unconvertible("several matches of a JSON path are not converted")
            expected = expected[0]
        return equal(path, expected, name, variables)
    if kind == "range":
        low, high = tolerance["range"]
        raise NeedsProgram("a range", "value = float(text)\nsys.exit(0 if %r <= value <= %r else 'is %%s' %% value)\n" % (low, high))
    if kind == "compare":
        return of_compare(tolerance, path, name, variables)
    raise Unconvertible("a tolerance of type %s is not converted" % kind)


def of_compare(tolerance, path, name, variables):
    operator, value, measure = tolerance["operator"], tolerance["value"], tolerance.get("measure", "value")
    if measure == "value" and path is None and isinstance(value, str):
        if operator == "contains":
            return {"%s_contains" % name: [variables.text(value)]}
        if operator == "matches":
            return {"%s_matches" % name: variables.text(value)}
    if measure == "value" and operator == "eq" and path not in (None, "$"):
        return equal(path, value, name, variables)
    if variables.uses(value) or operator not in OPERATORS:
        raise Unconvertible("the comparison %s with %r is not converted" % (operator, value))
    raise NeedsProgram("%s %s %s" % (path or name, operator, value), program_for(path, measure, operator, value))


def equal(path, value, name, variables):
    if name == "body":
        steps_of(path)
        return {"json": {path: variables.value(value)}}
    raise NeedsProgram("a value in JSON", program_for(path, "value", "eq", value))


def steps_of(path):
    try:
        return json_path.parse(path)
    except ValueError as error:
        raise Unconvertible("the JSON path %s %s" % (path, error)) from None


def program_for(path, measure, operator, value, condition=None):
    look = "text" if path is None else "json.loads(text)%s" % "".join("[%r]" % step for step in steps_of(path))
    look = "len(%s)" % look if measure == "length" else look
    return "value = %s\nsys.exit(0 if %s else 'is %%s' %% value)\n" % (look, condition or OPERATORS[operator].format(repr(value)))


def vector(provider, variables):
    """The program and its arguments; what a shell must read stays with one."""
    text = words_of.shell_text(provider)
    path, arguments = provider["path"], provider.get("arguments")
    if isinstance(arguments, str):
        return ["sh", "-c", variables.text(text)]
    if is_map(arguments):
        arguments = [word for pair in arguments.items() for word in pair]
    return [literal(path), *(variables.text(str(one)) for one in arguments or () if one not in (None, ""))]


def process(provider, tolerance, variables):
    command = vector(provider, variables)
    timeout = number_or_variable(seconds_of(provider, PROCESS_TIMEOUT), variables)
    options = {"command": command, "timeout": timeout}
    if tolerance is None:
        return Probe("probe_command", options, [], judged=False)
    try:
        return Probe("probe_command", {**options, **merged(process_expectations(tolerance, variables))})
    except NeedsProgram as needs:
        return Probe("probe_command", {"command": ["python3", "-c", literal(OF_PROCESS + needs.program), *command], "timeout": timeout})


def process_expectations(tolerance, variables):
    if isinstance(tolerance, bool) or isinstance(tolerance, str) and not is_variable(tolerance):
        raise Unconvertible("the tolerance %r is never met by a process" % (tolerance,))
    if isinstance(tolerance, int):
        return [{} if tolerance == 0 else {"rc": [tolerance]}]
    if is_variable(tolerance):
        return [{"rc": "{{ [%s] | flatten }}" % variables.text(tolerance)[2:-2].strip()}]
    if isinstance(tolerance, list):
        return [{"rc": [one for one in tolerance if isinstance(one, int) and not isinstance(one, bool)]}]
    kind = tolerance.get("type")
    if kind == "all":
        return [options for one in tolerance["tolerances"] for options in process_expectations(one, variables)]
    if kind == "range" and tolerance.get("target") == "status":
        return [{"rc": list(range(int(tolerance["range"][0]), int(tolerance["range"][1]) + 1))[:256]}]
    return [of_text(tolerance, kind, tolerance.get("target"), "stdout", variables)]


def call(provider, variables):
    """A Python function as a command; what it returns is printed as JSON."""
    arguments = provider.get("arguments") or {}
    if variables.uses(arguments):
        raise Unconvertible("variables as arguments of a Python function are not converted")
    return ["python3", "-c", CALL, provider["module"], provider["func"], literal(json.dumps(arguments, default=str))]


def python(provider, tolerance, variables):
    options = {"command": call(provider, variables), "timeout": PROCESS_TIMEOUT}
    comments = ["%s must be installed where this is run; a function that wants configuration or secrets needs them as arguments." % provider["module"]]
    if tolerance is None:
        return Probe("probe_command", options, comments, judged=False)
    if is_map(tolerance) or isinstance(tolerance, list) or variables.uses(tolerance):
        raise Unconvertible("this tolerance of a Python function is not converted")
    return Probe("probe_command", {**options, "stdout_matches": "^%s$" % re.escape(json.dumps(tolerance))}, comments)
