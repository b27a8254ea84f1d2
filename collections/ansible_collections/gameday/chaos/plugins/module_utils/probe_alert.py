# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether an alert fires, as Alertmanager knows it, or whether it has fired, as Prometheus does."""

from __future__ import annotations

import json
import math
import re
import time
from datetime import datetime, timezone

from ansible_collections.gameday.chaos.plugins.module_utils import clock, http_request, prometheus
from ansible_collections.gameday.chaos.plugins.module_utils.probe import BadArgument, NoData, instant, positive

SHOWN = 5
PAUSE = 0.25  # seconds from one look to the next while waiting
MOST_POINTS = 1200  # of the past of an alert, which is looked at four times a second, or less often where it is long
OPTIONS = {
    **http_request.CONNECTION_OPTIONS,
    "source": {"type": "str", "choices": ["alertmanager", "prometheus"], "default": "alertmanager"},
    "name": {"type": "str", "required": True},
    "labels": {"type": "dict", "default": {}},
    "state": {"type": "str", "choices": ["firing", "absent"], "default": "firing"},
    "since": {"type": "str"},
    "within": {"type": "float"},
    "suppressed": {"type": "bool", "default": False},
}


def validate(arguments):
    http_request.validate_connection(arguments)
    if not arguments["name"]:
        raise BadArgument("name: give the name of the alert, its label alertname")
    for label in arguments["labels"]:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", str(label)):
            raise BadArgument("labels: %r is no name of a label" % label)
    positive(arguments, "within")
    since = instant("since", arguments["since"])
    if since and since > clock.now():
        raise BadArgument("since: %s is yet to come on this host; check the clocks of controller and host" % arguments["since"])
    if arguments["suppressed"] and arguments["source"] == "prometheus":
        raise BadArgument("suppressed: only Alertmanager knows what is silenced or inhibited; Prometheus tells of alerts whether or not anybody hears of them")


def measure(arguments):
    """value is firing or absent; fired_at when the first of the alerts that count began to fire; alerts are all that were found."""
    deadline = time.monotonic() + (arguments["within"] or 0)
    look = in_alertmanager if arguments["source"] == "alertmanager" else in_prometheus
    while True:
        over = time.monotonic() + PAUSE > deadline
        try:
            seen = look(arguments)
            if seen["value"] == arguments["state"] or over:
                return seen
        except NoData:
            if over:
                raise
        time.sleep(PAUSE)


def matchers(arguments):
    labels = {"alertname": arguments["name"], **{str(name): str(value) for name, value in arguments["labels"].items()}}
    return ["%s=%s" % (name, quoted(value)) for name, value in labels.items()]


def quoted(value):
    return '"%s"' % value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


class Alert:
    """One alert that was found. C(told) is shown; C(why) says why it is not one that is asked for, C(early) that it fired before since."""

    def __init__(self, fired, told, why=None, early=False):
        self.fired, self.told, self.why, self.early = fired, dict(told, fired_at=clock.iso(fired) if fired else None), why, early


def summed_up(alerts):
    counting = [alert for alert in alerts if not alert.why]
    fired = min((alert.fired for alert in counting if alert.fired), default=None)
    return {"value": "firing" if counting else "absent", "fired_at": clock.iso(fired) if fired else None, "alerts": [alert.told for alert in alerts[:SHOWN]],
            "number_of_alerts": len(alerts), "others": [alert.why for alert in alerts if alert.why and not alert.early][:SHOWN],
            "early": [alert.why for alert in alerts if alert.early][:SHOWN]}


# Alertmanager: what fires now, and whether anybody is told


def in_alertmanager(arguments):
    status, found = prometheus.document_of(arguments, "Alertmanager", "/api/v2/alerts", {
        "active": "true", "silenced": "true", "inhibited": "true", "unprocessed": "true", "filter": matchers(arguments)})
    if status == 400 and isinstance(found, (str, dict)):
        raise NoData("Alertmanager says: %s" % (found if isinstance(found, str) else found.get("message") or found))
    if status != 200 or not isinstance(found, list) or not all(isinstance(one, dict) and "startsAt" in one and "status" in one for one in found):
        where = http_request.masked(arguments["url"])
        raise NoData("url: %s answers status %s, and not as Alertmanager does; give the address of Alertmanager, without /api/v2, or source: prometheus"
                     % (where, status))
    return summed_up([alert_of(arguments, one) for one in found])


def alert_of(arguments, found):
    status, fired = found["status"], read_instant(found["startsAt"])
    silenced, inhibited = status.get("silencedBy") or [], status.get("inhibitedBy") or []
    name = prometheus.name_of(found.get("labels") or {})
    told = {"name": name, "silenced_by": silenced, "inhibited_by": inhibited, "receivers": [one.get("name") for one in found.get("receivers") or []]}
    if arguments["state"] == "firing" and arguments["since"] and fired < clock.parse(arguments["since"]):
        return Alert(fired, told, "%s fires since %s, before since (%s), and so would have fired anyway" % (name, clock.iso(fired), arguments["since"]), True)
    if arguments["state"] == "firing" and (silenced or inhibited) and not arguments["suppressed"]:
        how = "silenced by %s" % ", ".join(silenced) if silenced else "inhibited by %s" % ", ".join(inhibited)
        return Alert(fired, told, "%s fires, but is %s, so nobody is told; end that, or set suppressed: true" % (name, how))
    return Alert(fired, told)


def read_instant(text):
    """With as many digits of the second as any server likes to write; the oldest Python of a host can only read three or six."""
    return clock.parse(re.sub(r"\.(\d+)", lambda found: "." + found.group(1)[:6].ljust(6, "0"), str(text)))


# Prometheus: what fired since, for it keeps the past of its alerts


def in_prometheus(arguments):
    end = time.time()
    since = clock.parse(arguments["since"]).timestamp() if arguments["since"] else end
    step = max(PAUSE, math.ceil(1000 * (end - since) / MOST_POINTS) / 1000)
    start = end - step * int((end - since) / step)  # so that the last look is at now
    alerts = "ALERTS{%s}" % ", ".join(matchers(arguments))
    data, dummy = prometheus.api(arguments, "/api/v1/query_range", {
        "query": "timestamp(%s)" % alerts, "start": "%.3f" % start, "end": "%.3f" % (end + 0.001), "step": "%.3f" % step})
    series = data.get("result") or []
    firing = [one for one in series if one["metric"].get("alertstate") == "firing"]
    if not firing:
        require_rule(arguments)
    already = firing_at(arguments, alerts, since) if firing and arguments["since"] else None
    seen = summed_up([past_of(arguments, one, already, end - float(one["values"][-1][0]) <= 1.5 * step) for one in firing])
    pending = ["%s does not fire yet" % name_of(one) for one in series if one not in firing]
    return dict(seen, others=seen["others"] + pending[:SHOWN])


def name_of(one):
    return prometheus.name_of({name: value for name, value in one["metric"].items() if name not in ("__name__", "alertstate")})


def firing_at(arguments, alerts, instant_then):
    data, dummy = prometheus.api(arguments, "/api/v1/query", {"query": alerts, "time": "%.3f" % instant_then})
    return {name_of(one) for one in data.get("result") or [] if one["metric"].get("alertstate") == "firing"}


def past_of(arguments, one, already, still):
    """Of an alert that fired already at since, or of which nobody asked since when, it is not known when it began."""
    told = {"name": name_of(one), "still": still}
    if already is None:
        return Alert(None, told)
    if told["name"] not in already:
        return Alert(datetime.fromtimestamp(float(one["values"][0][1]), timezone.utc), told)
    if arguments["state"] == "absent":
        return Alert(None, told)
    return Alert(None, told, "%s fired already at since (%s), and so would have fired anyway" % (told["name"], arguments["since"]), True)


def require_rule(arguments):
    """An alert that there is no rule for is absent for ever, and one whose rule is not evaluated, too."""
    data, dummy = prometheus.api(arguments, "/api/v1/rules", {"type": "alert"})
    rules = [rule for group in data.get("groups") or [] for rule in group.get("rules") or [] if rule.get("name")]
    mine = [rule for rule in rules if rule["name"] == arguments["name"]]
    if not mine:
        names = sorted({rule["name"] for rule in rules})
        raise NoData("name: Prometheus has no alerting rule %s; it has %s" % (json.dumps(arguments["name"]), ", ".join(names[:20]) or "none"))
    broken = [rule for rule in mine if rule.get("health") == "err"]
    if broken:
        raise NoData("Prometheus cannot evaluate the rule of %s: %s" % (arguments["name"], broken[0].get("lastError")))
    since = clock.parse(arguments["since"] or "1970-01-01T00:00:00Z")
    if not any(read_instant(rule["lastEvaluation"]) >= since for rule in mine):
        raise NoData("Prometheus has not evaluated the rule of %s%s" % (arguments["name"], " since %s" % arguments["since"] if arguments["since"] else " yet"))


def judge(arguments, seen):
    others, early = seen.pop("others"), seen.pop("early")
    if seen["value"] == arguments["state"]:
        return []
    waited = " within %g s" % arguments["within"] if arguments["within"] else ""
    if arguments["state"] == "absent":
        return ["%s, expected absent%s" % (", ".join(map(in_words, seen["alerts"])), waited)]
    if early:  # neither did the fault make it fire, nor can it be told whether it would have
        raise NoData("; ".join(early))
    return ["%s does not fire%s%s" % (" ".join(matchers(arguments)), waited, ": " + "; ".join(others) if others else "")]


def in_words(alert):
    when = " since %s" % alert["fired_at"] if alert["fired_at"] else ""
    if not alert.get("still", True):
        return "%s fired%s and has ended" % (alert["name"], when)
    quiet = "silenced" if alert.get("silenced_by") else "inhibited" if alert.get("inhibited_by") else ""
    return "%s fires%s%s" % (alert["name"], when, " (%s)" % quiet if quiet else "")
