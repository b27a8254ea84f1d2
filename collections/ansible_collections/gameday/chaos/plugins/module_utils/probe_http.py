# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One HTTP request, measured. Standard library only, and cheap enough to be made many times a second."""

from __future__ import annotations

import json
import re

from ansible_collections.gameday.chaos.plugins.module_utils import http_request, json_path
from ansible_collections.gameday.chaos.plugins.module_utils.probe import BadArgument, excerpt, expression, positive, text_reasons

OPTIONS = {
    **http_request.CONNECTION_OPTIONS,
    "method": {"type": "str", "default": "GET"},
    "body": {"type": "raw"},
    "follow_redirects": {"type": "bool", "default": False},
    "status": {"type": "list", "elements": "int", "default": [200]},
    "headers_match": {"type": "dict", "default": {}},
    "body_contains": {"type": "list", "elements": "str", "default": []},
    "body_matches": {"type": "str"},
    "json": {"type": "dict", "default": {}},
    "metrics_minimum": {"type": "dict", "default": {}},
    "metrics_maximum": {"type": "dict", "default": {}},
    "max_seconds": {"type": "float"},
}


def validate(arguments):
    http_request.validate_connection(arguments)
    positive(arguments, "max_seconds")
    if not arguments["status"]:
        raise BadArgument("status: the list is empty; give the expected status, or leave it out for 200")
    for code in arguments["status"]:
        if not 100 <= code <= 599:
            raise BadArgument("status: %s is no HTTP status" % code)
    if arguments["body_matches"] is not None:
        expression("body_matches", arguments["body_matches"])
    for name, pattern in arguments["headers_match"].items():
        expression("headers_match: %s" % name, str(pattern))
    for option in ("metrics_minimum", "metrics_maximum"):
        for name, value in arguments[option].items():
            try:
                float(value)
            except (TypeError, ValueError):
                raise BadArgument("%s: %s: %r is no number" % (option, name, value)) from None
    for path in arguments["json"]:
        try:
            json_path.parse(path)
        except ValueError as error:
            raise BadArgument("json: the path %r %s; write it as status, items[0].name or $.a['b c']" % (path, error)) from None
    if not re.fullmatch(r"[A-Za-z]+", arguments["method"]):
        raise BadArgument("method: %r is no HTTP method; give one such as GET or POST" % arguments["method"])


def measure(arguments):
    """status is None and error says why where no answer came; value is the status."""
    seen, headers, body = http_request.ask(arguments)
    return dict(seen, value=seen["status"], body=body, headers={name: headers.get(name) for name in arguments["headers_match"]})


def judge(arguments, seen):
    body = seen["body"]
    reasons = reasons_of(arguments, seen, body)
    seen["body"] = excerpt(body) if reasons else None  # evidence of what was not expected; noise otherwise
    return reasons


def reasons_of(arguments, seen, body):
    if seen["status"] is None:
        return ["%s: %s" % (seen["url"], seen["error"])]
    reasons = []
    if seen["status"] not in arguments["status"]:
        reasons.append("status %s, expected %s" % (seen["status"], " or ".join(str(code) for code in arguments["status"])))
    for name, pattern in arguments["headers_match"].items():
        found = seen["headers"][name]
        if found is None or not re.search(str(pattern), found):
            reasons.append("header %s is %s, expected to match %r" % (name, "missing" if found is None else repr(found), str(pattern)))
    reasons += text_reasons("body", body, arguments["body_contains"], arguments["body_matches"])
    reasons += metrics_reasons(arguments, body)
    if arguments["json"]:
        try:
            document = json.loads(body)
        except ValueError:
            return reasons + ["body is not JSON%s" % (", as far as it was read" if seen["bytes"] >= http_request.MAXIMUM_BODY else "")]
        for path, expected in arguments["json"].items():
            try:
                value = json_path.get(document, path)
            except LookupError as error:
                reasons.append("json: %s" % error)
            else:
                if value != expected:
                    reasons.append("json: %s is %r, expected %r" % (path, value, expected))
    return reasons


def metrics_reasons(arguments, body):
    reasons = []
    for option, word, beyond in (("metrics_minimum", "at least", float.__lt__), ("metrics_maximum", "at most", float.__gt__)):
        for name, limit in arguments[option].items():
            value = metric(body, name)
            if value is None:
                reasons.append("metric %s is not in the answer" % name)
            elif beyond(value, float(limit)):
                reasons.append("metric %s is %g, expected %s %g" % (name, value, word, float(limit)))
    return reasons


def metric(body, name):
    """The value of a metric in Prometheus' text format: of one series, written with its labels, or the sum of all that have the name."""
    found = [float(line[len(name):].rpartition("}")[2].split()[0]) for line in body.splitlines() if re.match(re.escape(name) + r"[{ ]", line)]
    return sum(found) if found else None
