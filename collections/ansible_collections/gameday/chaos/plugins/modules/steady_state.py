#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: steady_state
short_description: Judge the steady state by many probes
version_added: 0.1.0
description:
  - Measures a list of probes on the host, all at once, and says whether the system is steady.
  - Without O(within) and O(during) they are measured once, now.
  - With O(within) they are measured again and again until all are met; the time it took is the recovery time.
  - With O(during) they are sampled at a fixed pace for a while, many times a second if need be, and the whole window is judged.
    Samples are taken on time whether or not the last answer has come, so that a system that stalls cannot hide it.
extends_documentation_fragment:
  - gameday.chaos.probe
  - gameday.chaos.attributes.looks
author: Gameday (@gameday)
options:
  title:
    description: What is claimed, in words, for the journal.
    type: str
    default: steady state
  probes:
    description:
      - The probes. Each is a dictionary with C(name) and one more key, the name of a probe module, that holds the
        module's options.
      - See M(gameday.chaos.probe_http), M(gameday.chaos.probe_tcp), M(gameday.chaos.probe_dns), M(gameday.chaos.probe_command),
        M(gameday.chaos.probe_container), M(gameday.chaos.probe_service), M(gameday.chaos.probe_process), M(gameday.chaos.probe_host),
        M(gameday.chaos.probe_log), M(gameday.chaos.probe_prometheus), M(gameday.chaos.probe_alert).
    type: list
    elements: dict
    required: true
  within:
    description: Seconds within which all probes must become met.
    type: float
  hold:
    description: Seconds for which they must then stay met, with O(within).
    type: float
    default: 0
  during:
    description: Seconds to watch.
    type: float
  interval:
    description: Seconds from one sample to the next, for O(within) and O(during).
    type: float
    default: 0.25
  minimum_availability:
    description:
      - The share of samples that must be met during the window, from 0 to 1.
      - At V(1) a single unmet sample is too many. Below, the share is judged by its 95 % Wilson interval, and with too few samples
        the answer is neither yes nor no.
    type: float
    default: 1
  minimum_coverage:
    description:
      - The share of samples of the window that must have been taken and judged, from 0 to 1. With less nothing is proved, and the answer is neither yes nor no.
      - A host that is too busy to sample in time misses some. Take less for one that always is.
    type: float
    default: 0.95
  maximum_outage:
    description: Seconds that the longest outage in the window may last. An outage lasts from its first unmet sample to the next met one.
    type: float
  maximum_p95:
    description: Seconds that 95 % of the answers in the window may take.
    type: float
  baseline:
    description:
      - The registered result of an earlier task of this module with O(during). The response times of each probe in this window are compared
        with those of the probe of the same name there. Only samples that were met count.
      - One window is slower than another when a Mann-Whitney test says so (p below 0.02, with correction for ties), and its answers are the
        slower ones in at least 64 % of all pairs, and its median is at least a quarter greater.
      - With fewer than 30 samples on a side the answer is neither yes nor no; with fewer than 60, where neighbouring samples are alike.
    type: dict
  slower:
    description:
      - What to expect of the comparison with O(baseline).
      - V(true), to be slower; the proof of effect of a fault. If it is not, the answer is neither yes nor no, because then the fault has shown no effect.
      - V(false), not to be slower; back to the baseline. If it is, the answer is no.
    type: bool
    default: false
  baseline_tolerance:
    description: Seconds by which the median may be greater than that of O(baseline) and still count as not slower.
    type: float
    default: 0
  stop_after_outage:
    description:
      - A stop condition for O(during). When an outage lasts longer than these seconds, the watch ends and the faults of O(run) on
        this host are put back at once, without the controller; then the module fails.
    type: float
  run:
    description: The run whose faults O(stop_after_outage) puts back, and whose leases are renewed as long as this lasts.
    type: str
    default: manual
"""

EXAMPLES = r"""
- name: The service is healthy
  gameday.chaos.steady_state:
    probes:
      - name: API is healthy
        probe_http:
          url: http://127.0.0.1:8080/health
          json:
            status: healthy
      - name: The database listens
        probe_tcp:
          port: 5432

- name: It is healthy again within a minute
  gameday.chaos.steady_state:
    probes: "{{ steady_state_probes }}"
    within: 60

- name: It answers for ten seconds, ten times a second, and never with an error of its own
  gameday.chaos.steady_state:
    during: 10
    interval: 0.1
    probes:
      - name: API answers 503, never 500
        probe_http:
          url: http://127.0.0.1:8080/api/voices
          status: [200, 503]

- name: How fast it is before anything is broken
  gameday.chaos.steady_state:
    during: 10
    interval: 0.1
    probes: "{{ steady_state_probes }}"
  register: before

- name: It is as fast as it was before
  gameday.chaos.steady_state:
    during: 10
    interval: 0.1
    probes: "{{ steady_state_probes }}"
    baseline: "{{ before }}"
"""

RETURN = r"""
steady_state:
  description:
    - C(met) is true, false, or null when it cannot be told; C(reasons) say why.
    - C(probes) has the last observation of each probe and, with O(during), its window with the series of samples.
    - See the documentation page C(docs/results.md) for its keys.
  returned: always
  type: dict
"""

import time

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.gameday.chaos.plugins.module_utils import clock, lease, window
from ansible_collections.gameday.chaos.plugins.module_utils.arguments import READING, ansible_module, unreadable
from ansible_collections.gameday.chaos.plugins.module_utils.probe import (
    COMMON_OPTIONS,
    LONGEST,
    NOT_IN_CHECK_MODE,
    BadArgument,
    kind_name,
    positive,
    secrets_in,
    validate,
)
from ansible_collections.gameday.chaos.plugins.module_utils.probes import NAMES, load


def read_probes(module):
    """The probes with their options checked as their own modules would check them."""
    if not module.params["probes"]:
        raise BadArgument("probes: the list is empty; a steady state without a probe says nothing")
    return [read_probe(module, place, dict(entry)) for place, entry in enumerate(module.params["probes"])]


def read_probe(module, place, entry):
    name = str(entry.pop("name", "") or "")
    where = "probes[%s]%s" % (place, " (%s)" % name if name else "")
    if len(entry) != 1:
        raise BadArgument("%s: give name and the options of exactly one probe module, one of %s; found %s"
                          % (where, ", ".join(NAMES), ", ".join(sorted(map(str, entry))) or "none"))
    key, options = next(iter(entry.items()))
    probe = str(key).replace("gameday.chaos.", "", 1)
    if probe not in NAMES:
        raise BadArgument("%s: there is no probe module %r; there are %s" % (where, key, ", ".join(NAMES)))
    if not isinstance(options, dict):
        raise BadArgument("%s: the options of %s must be a dictionary" % (where, key))
    kind = load(probe)
    try:
        checked = ArgumentSpecValidator(kind.OPTIONS, **getattr(kind, "CONSTRAINTS", {})).validate(options)
    except READING:
        raise BadArgument("%s: %s" % (where, unreadable(kind.OPTIONS, options))) from None
    if checked.error_messages:
        raise BadArgument("%s: %s" % (where, "; ".join(checked.error_messages)))
    arguments = checked.validated_parameters
    module.no_log_values.update(checked._no_log_values | secrets_in(arguments))
    try:
        validate(kind, arguments)
    except BadArgument as error:
        raise BadArgument("%s: %s" % (where, error)) from None
    return window.Watched(name or "%s %s" % (kind_name(kind), place + 1), kind, arguments)


def check_numbers(params):
    if params["within"] is not None and params["during"] is not None:
        raise BadArgument("within and during exclude each other: wait until it is steady, or watch for a while")
    positive(params, "within", "during", "interval", "maximum_outage", "maximum_p95", "stop_after_outage")
    if params["interval"] < 0.01:
        raise BadArgument("interval: %s is shorter than 0.01 s" % params["interval"])
    if params["during"] is not None and params["interval"] > params["during"]:
        raise BadArgument("interval: %s is longer than during (%s)" % (params["interval"], params["during"]))
    for option in ("minimum_availability", "minimum_coverage"):
        if not 0 <= params[option] <= 1:
            raise BadArgument("%s: %s is not between 0 and 1" % (option, params[option]))
    for option in ("stop_after_outage", "baseline"):
        if params[option] is not None and params["during"] is None:
            raise BadArgument("%s: needs during" % option)
    if params["baseline"] is None and (params["slower"] or params["baseline_tolerance"]):
        raise BadArgument("slower and baseline_tolerance: need baseline")
    if not 0 <= params["baseline_tolerance"] <= LONGEST:
        raise BadArgument("baseline_tolerance: %s is not between 0 and %s seconds" % (params["baseline_tolerance"], LONGEST))
    if not 0 <= params["hold"] <= LONGEST:
        raise BadArgument("hold: %s is not between 0 and %s seconds" % (params["hold"], LONGEST))


def read_baseline(params, probes):
    """The window that each probe is compared with, by the name of the probe."""
    if params["baseline"] is None:
        return {}
    state = params["baseline"].get("steady_state", params["baseline"])
    found = {one.get("name"): one.get("window") for one in state.get("probes") or ()} if isinstance(state, dict) else {}
    for probe in probes:
        if not (found.get(probe.name) or {}).get("series"):
            raise BadArgument("baseline: it has no window of the probe %r; give the registered result of a steady_state with during and a probe of "
                              "this name" % probe.name)
    return found


def overall(verdicts):
    return False if False in verdicts else None if None in verdicts else True


def now_or_within(params, probes):
    if params["within"] is None:
        met, took, observations = None, None, window.observe_all(probes)
    else:
        met, took, observations = window.until_met(probes, params["within"], params["interval"], params["hold"])
    found = [describe(probe, one["met"], one["reasons"], one) for probe, one in zip(probes, observations)]
    extra = {"recovery_seconds": round(took, 6)} if took is not None else {}
    return found, extra


def stop_condition(params, extra):
    # Imported here, since reading this code takes longer than most probes; and not later, since the host may be broken then.
    from ansible_collections.gameday.chaos.plugins.module_utils.ledger import Ledger, LedgerError
    from ansible_collections.gameday.chaos.plugins.module_utils.recovery import recover

    breached = window.outage_longer_than(params["stop_after_outage"])

    def put_back(run):
        try:
            return recover(Ledger(), run=run, by="stop_condition")[1]
        except LedgerError as error:
            return {"restored": False, "run": run, "at": clock.iso(), "faults": [], "residue": [str(error)], "notes": []}

    def stop(probes, interval):
        reason = breached(probes, interval)
        if reason:  # put back before the answers that are still due are waited for: a stalled system takes its time with them
            extra.update(stopped=reason, recovery=put_back(params["run"]))
        return reason

    return stop


def watching(params, probes, baseline):
    extra = {}
    stop = stop_condition(params, extra) if params["stop_after_outage"] else None
    first = window.watch(probes, params["during"], params["interval"], stop)[0]
    expected = window.Expectations(params["minimum_availability"], params["maximum_outage"], params["maximum_p95"], params["minimum_coverage"])
    if params["maximum_outage"] is not None and expected.minimum_availability >= 1:
        expected.minimum_availability = None
    found = []
    for probe in probes:
        numbers = window.summary(probe, first, params["interval"])
        met, reasons = window.judge(numbers, expected)
        taken = [one for one in probe.ticks if one is not None]
        bad = next((one for one in taken if one["met"] is not True), None)
        if met is not True and bad:
            reasons = reasons + ["the first of them: " + "; ".join(bad["reasons"])]
        if baseline:
            compared, why, numbers["comparison"] = window.judge_against(baseline[probe.name], numbers, params["slower"], params["baseline_tolerance"])
            met, reasons = overall([met, compared]), reasons + why
        found.append(describe(probe, met, reasons, bad or (taken[-1] if taken else None), window=numbers))
    return found, extra


def describe(probe, met, reasons, observation, **more):
    return dict({"name": probe.name, "kind": kind_name(probe.kind), "met": met, "reasons": reasons, "observation": observation,
                 "arguments": {name: value for name, value in probe.arguments.items()
                               if value not in (None, [], {}) and not probe.kind.OPTIONS.get(name, {}).get("no_log")}}, **more)


def main():
    module = ansible_module(
        argument_spec={
            "title": {"type": "str", "default": "steady state"},
            "probes": {"type": "list", "elements": "dict", "required": True},
            "within": {"type": "float"},
            "hold": {"type": "float", "default": 0},
            "during": {"type": "float"},
            "interval": {"type": "float", "default": 0.25},
            "minimum_availability": {"type": "float", "default": 1},
            "minimum_coverage": {"type": "float", "default": 0.95},
            "maximum_outage": {"type": "float"},
            "maximum_p95": {"type": "float"},
            "baseline": {"type": "dict"},
            "slower": {"type": "bool", "default": False},
            "baseline_tolerance": {"type": "float", "default": 0},
            "stop_after_outage": {"type": "float"},
            **COMMON_OPTIONS,
        },
    )
    params = module.params
    try:
        check_numbers(params)
        probes = read_probes(module)
    except BadArgument as error:
        module.fail_json(msg=str(error))
    if module.check_mode:
        probes = [probe for probe in probes if not getattr(probe.kind, "NO_CHECK_MODE", False)]
        if not probes or not params["measure_in_check_mode"]:
            module.exit_json(changed=False, skipped=True, msg=NOT_IN_CHECK_MODE)
    try:
        baseline = read_baseline(params, probes)
    except BadArgument as error:
        module.fail_json(msg=str(error))
    use = "within" if params["within"] is not None else "during" if params["during"] is not None else "now"
    begin, start = clock.iso(), time.monotonic()
    with lease.kept(params["run"], module.check_mode):
        found, extra = watching(params, probes, baseline) if use == "during" else now_or_within(params, probes)
    result = {"title": params["title"], "use": use, "met": overall([one["met"] for one in found]), "begin": begin, "end": clock.iso(),
              "seconds": round(time.monotonic() - start, 6), "stopped": None, "probes": found,
              "reasons": ["%s: %s" % (one["name"], "; ".join(one["reasons"])) for one in found if one["met"] is not True]}
    result.update(extra)
    if result["stopped"]:
        left = "".join("; not put back: %s" % one for one in result["recovery"]["residue"])
        result.update(met=False, reasons=["stopped: %s%s" % (result["stopped"], left), *result["reasons"]])
    if result["met"] is not True:
        module.fail_json(msg="%s: %s" % ("not met" if result["met"] is False else "cannot be told", " | ".join(result["reasons"])),
                         steady_state=result)
    module.exit_json(changed=False, steady_state=result)


if __name__ == "__main__":
    main()
