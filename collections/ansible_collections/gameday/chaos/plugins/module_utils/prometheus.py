# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prometheus' HTTP API, and PromQL that is made from plain options."""

from __future__ import annotations

import json
import re
import urllib.parse

from ansible_collections.gameday.chaos.plugins.module_utils import http_request
from ansible_collections.gameday.chaos.plugins.module_utils.probe import BadArgument, NoData, excerpt

LONGEST_ANSWER = 16 * 1024 * 1024
QUOTED = r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\''
LABELS = r"\{(?:[^{}\"']|%s)*\}" % QUOTED
SELECTOR = re.compile(r"\s*([A-Za-z_:][A-Za-z0-9_:]*)\s*(%s)?\s*" % LABELS)


def url_of(arguments, path, parameters):
    """Below the server's address, which may have a path of its own."""
    parts = urllib.parse.urlsplit(arguments["url"])
    query = urllib.parse.urlencode(parameters, doseq=True)
    return urllib.parse.urlunsplit(parts._replace(path=parts.path.rstrip("/") + path, query=query, fragment=""))


def document_of(arguments, server, path, parameters):
    """(status, the answer read as JSON) of an API; C(server) is what should answer there."""
    seen, dummy, body = http_request.ask({**arguments, "url": url_of(arguments, path, parameters)}, LONGEST_ANSWER)
    where = http_request.masked(arguments["url"])
    if seen["status"] is None:
        raise NoData("url: %s: %s" % (where, seen["error"]))
    if seen["bytes"] >= LONGEST_ANSWER:
        raise NoData("url: the answer of %s is longer than %s MiB; ask for less" % (where, LONGEST_ANSWER // 1024 ** 2))
    if seen["status"] in (401, 403):
        raise NoData("url: %s refuses us with status %s; give url_username and url_password, or headers" % (where, seen["status"]))
    try:
        return seen["status"], json.loads(body)
    except ValueError:
        raise NoData("url: %s is not %s, or %s is not its address (status %s of %s: %s)"
                     % (where, server, where, seen["status"], path, excerpt(" ".join(body.split())[:80]) or "nothing")) from None


def api(arguments, path, parameters):
    """The data of an answer, and the server's warnings."""
    status, document = document_of(arguments, "Prometheus", path, parameters)
    if isinstance(document, dict) and document.get("status") == "error":
        said = "Prometheus says: %s: %s" % (document.get("errorType"), document.get("error"))
        raise NoData("query: %s" % said if document.get("errorType") in ("bad_data", "execution") else said)
    if status != 200 or not isinstance(document, dict) or document.get("status") != "success" or not isinstance(document.get("data"), (dict, list)):
        where = http_request.masked(arguments["url"])
        raise NoData("url: %s answers status %s, and not as Prometheus does; give the address of Prometheus, without /api/v1" % (where, status))
    return document["data"], document.get("warnings") or []


def name_of(labels):
    """A series as Prometheus writes it; nothing for one without labels, such as a sum."""
    others = ", ".join("%s=%s" % (name, json.dumps(value, ensure_ascii=False)) for name, value in sorted(labels.items()) if name != "__name__")
    return "%s%s" % (labels.get("__name__", ""), "{%s}" % others if others else "")


def selector(option, text):
    """(name, labels) of a selector: http_requests_total{job="api"}"""
    found = SELECTOR.fullmatch(text)
    if not found:
        raise BadArgument("%s: %r is no selector; give a metric with labels, such as http_requests_total{job=\"api\", status=~\"5..\"}, and no function: "
                          "for anything else there is query" % (option, text))
    return found.group(1), found.group(2) or ""


def error_rate(bad, total, seconds):
    """
    The share of what counts as bad. Without one bad event there may be no series of bad ones at all, which then is a rate of 0; but only
    when there is a metric of that name, since it would be 0 for ever with a misspelt one.
    """
    name = selector("bad", bad)[0]
    return "(sum(rate({bad}[{w}])) or 0 * sum(rate({name}[{w}]))) / sum(rate({total}[{w}]))".format(
        bad=bad.strip(), name=name, total=total.strip(), w=duration(seconds))


def latency(histogram, quantile, seconds):
    name, labels = selector("histogram", histogram)
    bucket = name if name.endswith("_bucket") else name + "_bucket"
    return "histogram_quantile(%s, sum by (le) (rate(%s%s[%s])))" % (repr(quantile), bucket, labels, duration(seconds))


def duration(seconds):
    return "%dms" % round(seconds * 1000)
