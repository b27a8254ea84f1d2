# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One activity of a Chaos Toolkit experiment: done on this host, told as its journal tells it, and judged as it is not judged there."""

from __future__ import annotations

import math
import time
import traceback
import urllib.parse
from dataclasses import dataclass

from ansible_collections.gameday.chaos.plugins.module_utils import chaostoolkit_http, chaostoolkit_process, chaostoolkit_python, chaostoolkit_tolerance, clock
from ansible_collections.gameday.chaos.plugins.module_utils.chaostoolkit_process import Failed
from ansible_collections.gameday.chaos.plugins.module_utils.chaostoolkit_substitution import substitute
from ansible_collections.gameday.chaos.plugins.module_utils.probe import LONGEST
from ansible_collections.gameday.chaos.plugins.module_utils.text import printable

PROVIDERS = {"http": chaostoolkit_http.run, "process": chaostoolkit_process.run, "python": chaostoolkit_python.run}
DRY = ("", "actions", "probes", "activities", "pause")
OPTIONS = {
    "configuration": {"type": "dict", "default": {}},
    "secrets": {"type": "dict", "default": {}, "no_log": True},
    "timeout": {"type": "float", "default": 600},
    "http_timeout": {"type": "float", "default": 30},
    "directory": {"type": "path"},
    "python": {"type": "path"},
    "dry": {"type": "str", "choices": list(DRY), "default": ""},
}
SHORTEST_SECRET = 4  # one that is shorter is hidden where it stands alone, since replacing it everywhere would spoil every text


@dataclass
class Limits:
    seconds: float
    http_seconds: float
    directory: str = None
    python: str = None


def limits_of(params):
    return Limits(params["timeout"], params["http_timeout"], params["directory"], params["python"])


def is_dry(activity, dry):
    return dry == "activities" or (dry == "actions" and activity.get("type") == "action") or (dry == "probes" and activity.get("type") == "probe")


def pauses(activity, configuration, secrets):
    """(seconds before, seconds after)."""
    found = []
    for when in ("before", "after"):
        given = substitute((activity.get("pauses") or {}).get(when) or 0, configuration, secrets)
        if isinstance(given, bool) or not isinstance(given, (int, float)) or not 0 <= given <= LONGEST:
            raise Failed("pauses.%s: %r is no number of seconds, from 0 to %s" % (when, given, LONGEST))
        found.append(given)
    return found


def run_provider(activity, configuration, secrets, limits):
    provider = activity.get("provider") or {}
    run = PROVIDERS.get(provider.get("type"))
    if run is None:
        raise Failed("provider.type: %r is none; there are %s" % (provider.get("type"), ", ".join(sorted(PROVIDERS))))
    return run(provider, configuration, secrets, limits)


def perform(activity, act):
    """The entry of an activity, as Chaos Toolkit's journal has it. C(act) does it and returns its output."""
    begin, start = clock.now(), time.monotonic()
    entry = {"activity": activity, "output": None, "start": clock.iso(begin), "status": "succeeded"}
    try:
        entry["output"] = plain(act())
    except Failed as error:
        entry.update(status="failed", output=plain(error.output), exception=["%s\n" % error])
    except Exception as error:  # whatever it is, the experiment goes on to put things back
        entry.update(status="failed", exception=traceback.format_exception_only(type(error), error))
    entry["end"] = clock.iso()
    entry["duration"] = round(time.monotonic() - start, 6)
    return entry


def dry_entry(activity, dry):
    entry = perform(activity, lambda: None)
    return dict(entry, dry=dry)


def judge(entry, configuration, secrets, limits):
    """(met, reasons) of an activity with a tolerance."""
    if entry["status"] == "failed":
        return False, [words_of(entry)]

    def run_probe(probe):
        try:
            return run_provider(probe, configuration, secrets, limits)
        except Failed:
            return False

    try:
        return chaostoolkit_tolerance.judge(entry["activity"].get("tolerance"), entry["output"], configuration, secrets, run_probe)
    except Exception as error:
        return None, ["the tolerance cannot be judged: %s: %s" % (type(error).__name__, error)]


def words_of(entry):
    return "; ".join(line.strip() for line in entry.get("exception") or []) or "it failed"


def refusal(entry, section):
    """Why an action without a tolerance did not do what it is for: its program or server says so, which Chaos Toolkit takes for success."""
    activity, output = entry["activity"], entry["output"]
    if entry["status"] == "failed":
        return words_of(entry)
    if not isinstance(output, dict) or "tolerance" in activity:
        return None
    provider, status = activity["provider"], output.get("status")
    if provider["type"] == "process" and status:
        return "exit code %s: %s" % (status, (output["stderr"].strip() or output["stdout"].strip() or "it said nothing")[-300:])
    if provider["type"] == "http" and status and status >= 400:
        gone = section == "rollbacks" and status in (404, 410) and str(provider.get("method")).upper() == "DELETE"
        return None if gone else "the server answered %s: %s" % (status, str(output.get("body"))[:300])
    return None


def finding(entry, section):
    """What the activity amounts to for the verdict, or None: a probe that finds a weakness, an action that did not act, a rollback that failed."""
    is_action = entry["activity"].get("type") == "action"
    failed = "errored" if section == "method" else "not_restored"
    if "tolerance_met" in entry:
        if entry["met"] is True:
            return None
        verdict = "inconclusive" if entry["met"] is None else failed if is_action else "deviated"
        return {"verdict": verdict, "reasons": entry["reasons"]}
    if is_action:
        why = refusal(entry, section)
        return {"verdict": failed, "reasons": [why]} if why else None
    return {"verdict": "inconclusive", "reasons": ["no data: %s" % words_of(entry)]} if entry["status"] == "failed" else None


def plain(value):
    """What JSON can hold, and Ansible can carry."""
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    if isinstance(value, dict):
        return {printable(str(key)): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return printable(value) if isinstance(value, str) or value is None or isinstance(value, (bool, int, float)) else printable(repr(value))


def hide_secrets(module):
    """Ansible removes the values of secrets from whatever the module says; those in a URL are written differently."""
    long = {value for value in module.no_log_values if len(value) >= SHORTEST_SECRET}
    quoted = {one for value in long for one in (urllib.parse.quote(value), urllib.parse.quote(value, safe=""), urllib.parse.quote_plus(value))}
    short = {value for value in module.no_log_values if len(value) < SHORTEST_SECRET}
    module.no_log_values = long | quoted
    return short


def without(short, value):
    """The value with the secrets that are too short to be looked for within texts hidden where they stand alone."""
    if isinstance(value, dict):
        return {key: without(short, one) for key, one in value.items()}
    if isinstance(value, list):
        return [without(short, one) for one in value]
    return "********" if not isinstance(value, bool) and value is not None and str(value).strip() in short else value


def shown_arguments(module):
    return {"module_args": {key: value for key, value in module.params.items() if key != "secrets"}}
