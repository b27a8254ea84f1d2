#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: background_load
short_description: Keep a load on a system while an experiment runs
version_added: 0.1.0
description:
  - Starts a load, which ends by itself as a fault does, is in the ledger, and is ended by M(gameday.chaos.recover) with O(run) or C(all).
    It is no fault, though, and no verdict counts it as one.
  - Built in are GET requests at a steady rate, sent on time whether or not earlier ones were answered. Or give O(command), a generator of your own.
  - With O(state=absent) it ends the load, returns what was measured, and fails when that is more than O(maximum_error_rate) or O(maximum_p95) allow.
extends_documentation_fragment:
  - gameday.chaos.fault
  - gameday.chaos.attributes.changes
author: Gameday (@gameday)
options:
  name:
    description: What tells several loads on one host apart.
    type: str
    default: load
  url:
    description: Where to send the built-in load. Without credentials, which every user of the host could read.
    type: str
  rate:
    description: Requests per second of the built-in load, more than 0 and at most 200; O(rate) times O(duration) at most 200000.
    type: float
    default: 10.0
  timeout:
    description: Seconds that the built-in load waits for an answer.
    type: float
    default: 5.0
  command:
    description:
      - A generator of your own, as a list of words. It is ended with SIGTERM, and killed when that does not end it within a second.
      - What it measures is its own affair. Judge its report with M(gameday.chaos.probe_command).
    type: list
    elements: str
  maximum_error_rate:
    description: The share of requests, from 0 to 1, that may get no answer or one of status 500 and above.
    type: float
  maximum_p95:
    description: Seconds within which 95 % of the requests must be answered, counted from when they were due.
    type: float
"""

EXAMPLES = r"""
- name: Twenty requests a second, for two minutes at the most
  gameday.chaos.background_load:
    url: http://127.0.0.1:8080/api/voices
    rate: 20
    duration: 120

- name: It ends, and not more than one in a hundred failed
  gameday.chaos.background_load:
    state: absent
    maximum_error_rate: 0.01
    maximum_p95: 0.5
"""

RETURN = r"""
load:
  description: The load as the ledger has it, with the keys of a fault.
  returned: always
  type: dict
observation:
  description:
    - What was measured. C(requests), C(failures), C(error_rate), and C(p50), C(p95) and C(p99) in seconds; C(value) is the number of requests.
    - C(met) is null when there was nothing to measure, or when the load was over before it was ended.
  returned: with O(state=absent), when there was a load and not in check mode
  type: dict
"""

import os
import re
import sys
from urllib.parse import urlsplit

from ansible_collections.gameday.chaos.plugins.module_utils import clock, load_generator
from ansible_collections.gameday.chaos.plugins.module_utils.arguments import ansible_module
from ansible_collections.gameday.chaos.plugins.module_utils.fault import FAULT_OPTIONS, Check, FaultRun, Plan, Refused, kept
from ansible_collections.gameday.chaos.plugins.module_utils.ledger import UNASKED, Ledger, LedgerError
from ansible_collections.gameday.chaos.plugins.module_utils.statistics import percentile
from ansible_collections.gameday.chaos.plugins.module_utils.text import printable

OPTIONS = {
    "name": {"type": "str", "default": "load"},
    "url": {"type": "str"},
    "rate": {"type": "float", "default": 10.0},
    "timeout": {"type": "float", "default": 5.0},
    "command": {"type": "list", "elements": "str"},
    "maximum_error_rate": {"type": "float"},
    "maximum_p95": {"type": "float"},
}
MOST = 200000


def claim(params, look):
    return "load/" + params["name"]


def generator(params, report):
    if bool(params["url"]) == bool(params["command"]):
        raise Refused("url, command: give one of them: where to send requests, or a generator of your own")
    if params["command"]:
        return params["command"]
    try:
        parts = urlsplit(params["url"])
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        good = False
    if not good or not re.fullmatch(r"[\x21-\x7e]+", params["url"]):
        raise Refused("url: give one such as http://127.0.0.1:8080/, without user and password")
    if not 0 < params["rate"] <= 200 or params["rate"] * params["duration"] > MOST:
        raise Refused("rate: %s a second for %s s is not within 200 a second and %d in all" % (params["rate"], params["duration"], MOST))
    if not 0 < params["timeout"] <= 60:
        raise Refused("timeout: %s is not more than 0 and at most 60 seconds" % params["timeout"])
    source = load_generator.__loader__.get_source(load_generator.__name__)
    words = [params["url"], params["rate"], params["timeout"], params["duration"] + 5, report]
    return [sys.executable, "-I", "-c", source, *map(str, words)]


def plan(params, look):
    taken = claim(params, look)
    file = kept(taken, "load")
    what = params["command"][0] if params["command"] else "%g requests a second to %s" % (params["rate"], params["url"])
    return Plan(
        claim=taken,
        target=what,
        details=[what],
        inject=[["start_load", file, "--", *generator(params, kept(taken, "report"))]],
        revert=[["end_load", file]],
        check=Check(["load_state", file], broken=["running*"], whole=["ended"], gone_after_reboot=True),
    )


def measured(folder):
    """(seconds, status) of every request; a last line that was cut off does not count."""
    try:
        with open(os.path.join(folder, "report")) as source:
            lines = [line.split() for line in source if line.endswith("\n")]
    except OSError:
        return []
    return [(float(seconds), int(status)) for due, seconds, status in lines]


def observation(params, record):
    requests = measured(record["folder"])
    times, failures = [seconds for seconds, status in requests], sum(not 0 < status < 500 for seconds, status in requests)
    seen = {"kind": "background_load", "name": params["name"], "at": clock.iso(), "seconds": 0, "value": len(requests), "requests": len(requests),
            "failures": failures, "error_rate": failures / len(requests) if requests else None}
    seen.update((name, percentile(times, share)) for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)))
    built_in, early = bool(record["arguments"].get("url")), record.get("over_before") or record.get("ended_by") in UNASKED
    unknown = []
    if built_in and early:
        unknown.append("the load was over before it was ended; give it a longer duration")
    if (built_in or params["maximum_error_rate"] is not None or params["maximum_p95"] is not None) and not requests:
        unknown.append("no request was measured")
    reasons = []
    if requests and params["maximum_error_rate"] is not None and seen["error_rate"] > params["maximum_error_rate"]:
        reasons.append("%d of %d requests failed, more than maximum_error_rate %s" % (failures, len(requests), params["maximum_error_rate"]))
    if requests and params["maximum_p95"] is not None and seen["p95"] > params["maximum_p95"]:
        reasons.append("95 %% of the requests took up to %.3f s, more than maximum_p95 %s" % (seen["p95"], params["maximum_p95"]))
    return dict(seen, met=False if reasons else None if unknown else True, reasons=reasons + unknown)


def last_of(params, taken):
    """The record of the load that this run had here, which may have ended meanwhile."""
    mine = Ledger().history(claim=taken, run=params["run"])
    return mine[-1] if mine else None


def main():
    module = ansible_module(argument_spec=dict(FAULT_OPTIONS, **OPTIONS))
    run, result = FaultRun(module, claim, plan, ()), {}
    absent = module.params["state"] == "absent"
    try:
        result = run.absent() if absent else run.present()
    except (Refused, LedgerError) as error:
        module.fail_json(msg=printable(str(error)))
    result["load"] = dict(result.pop("fault"), inject=[])  # a program as long as a page, which target says in few words
    result.pop("diff", None)
    record = last_of(module.params, claim(module.params, None)) if absent and not module.check_mode else None
    if record:
        result["observation"] = observation(module.params, record)
        if result["observation"]["met"] is not True:
            module.fail_json(msg="background_load: " + "; ".join(result["observation"]["reasons"]), **printable(result))
    module.exit_json(**printable(result))


if __name__ == "__main__":
    main()
