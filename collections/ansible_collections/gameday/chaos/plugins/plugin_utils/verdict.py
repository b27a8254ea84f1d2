# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict of an experiment: for one host from its phases, for all of them together as the worst of theirs. Pure functions."""

from __future__ import annotations

from datetime import datetime

ORDER = ("passed", "inconclusive", "deviated", "errored", "not_restored")  # from best to worst


def of_host(phases, unsteady, injected_anywhere, observed_anywhere):
    """
    (verdict, reason) of a host. C(phases) has before, after, recover (module results or None), failure ({task, result} or None);
    C(unsteady) says in words why nothing was injected, if so; the last two tell whether any host had a fault with a measured effect,
    and whether any had probes of the steady state.
    """
    before = phases.get("before") or {}
    own = steady(before)
    if own is not None and own.get("met") is not True:
        return "errored", "not steady before, nothing was injected: %s" % reasons(own)
    if own is None and before and not before.get("skipped"):
        return "errored", "the steady state before could not be measured, nothing was injected: %s" % (before.get("msg") or "it failed")
    if unsteady or phases.get("injected") is False:
        return "errored", "nothing was injected, since %s" % (unsteady or "another host was not ready")
    recovery = (phases.get("recover") or {}).get("recovery")
    if not recovery or not recovery["restored"]:
        left = recovery["residue"] if recovery else [(phases.get("recover") or {}).get("msg") or "recover did not run"]
        return "not_restored", "; ".join(left)
    undone = of_rollbacks(phases)
    if undone and undone[0] == "not_restored":
        return undone
    failed = of_failure(phases.get("failure"))
    if failed and failed[0] == "errored":
        return failed
    after = steady(phases.get("after"))
    if after is not None and after.get("met") is False:
        return "deviated", "not steady again: %s" % reasons(after)
    if failed and not injected_anywhere:
        return "inconclusive", "no fault was injected on any host, so this says nothing: %s" % failed[1]
    if failed:
        return failed
    if undone:
        return undone
    load = of_load(phases.get("load"))
    if load and load[0] == "deviated" and injected_anywhere:
        return load
    if after is not None and after.get("met") is None:
        return "inconclusive", "whether it is steady again cannot be told: %s" % reasons(after)
    if after is None and own is not None:
        why = (phases.get("after") or {}).get("msg") or "it was skipped"
        return "inconclusive", "whether it is steady again was not measured: %s" % why
    return load or of_faults(recovery["faults"], injected_anywhere, observed_anywhere)


def of_rollbacks(phases):
    """What the experiment's own rollbacks amount to, where it has any: one that failed has put nothing back, as far as anybody knows."""
    if phases.get("rollback_failure"):
        return "not_restored", "the rollbacks could not be played: %s" % phases["rollback_failure"]
    said = (phases.get("account") or {}).get("rollbacks") or {}
    return (said["verdict"], "rollbacks: %s" % reasons(said)) if said.get("verdict") else None


def of_load(result):
    """What those who used the system meanwhile say of it."""
    if not result or result.get("skipped"):
        return None
    seen = result.get("observation")
    if not seen:
        return "inconclusive", "the background load was not measured: %s" % (result.get("msg") or "there was none")
    return None if seen["met"] else ("deviated" if seen["met"] is False else "inconclusive", "background load: %s" % reasons(seen))


def of_faults(faults, injected_anywhere, observed_anywhere):
    """A fault without measured effect, one that ended before the method did, and one that nobody watched, prove nothing."""
    if not observed_anywhere:
        return "inconclusive", "no host has probes of the steady state (experiment_steady_state), so nobody watched"
    if not injected_anywhere:
        return "inconclusive", "no fault was injected on any host, so nothing was tried"
    idle = sorted({fault["claim"] for fault in faults} - {fault["claim"] for fault in faults if fault.get("verified")})
    if idle:
        return "inconclusive", "%s had no measured effect" % ", ".join(idle)
    early = [fault["claim"] for fault in faults if fault.get("ended_by") in ("timer", "sweep")]
    if early:
        return "inconclusive", "%s was over before the method was; give it a longer duration" % ", ".join(early)
    undone = [fault["claim"] for fault in faults if fault.get("lasted") is False]
    if undone:
        return "inconclusive", "%s was whole again before it was put back: somebody or something else repaired it" % ", ".join(undone)
    return "passed", "steady before, in between as expected, and after"


def of_failure(failure):
    """What a failed task of the method says: a probe that was not met is a weakness found, anything else is an error."""
    if not failure:
        return None
    result = failure.get("result") or {}
    seen = result.get("steady_state") or result.get("observation")
    for item in [] if seen else result.get("results") or []:
        seen = seen or (item.get("failed") and (item.get("steady_state") or item.get("observation")))
    if not seen:
        return "errored", "%s: %s" % (failure.get("task"), result.get("msg") or "failed")
    why = reasons(seen) if seen.get("reasons") else result.get("msg") or "it failed by what the author demands of it"
    return "inconclusive" if seen.get("met") is None else "deviated", "%s: %s" % (failure.get("task"), why)


def steady(result):
    return (result or {}).get("steady_state")


def reasons(seen):
    return " | ".join(seen.get("reasons") or ["no reason given"])


def worst(verdicts, default="errored"):
    return max((verdict for verdict in verdicts if verdict in ORDER), key=ORDER.index, default=default)


def has_effect(phases):
    recovery = (phases.get("recover") or {}).get("recovery") or {}
    return any(fault.get("verified") for fault in recovery.get("faults") or ()) or bool((phases.get("account") or {}).get("acted"))


def timings(phases_by_host):
    """
    Over all hosts, in seconds, null where it cannot be told: impact (the effect of the fault to the sign of it that the method registered),
    detection (the effect to the alert that the method registered), outage (the effect to steady again), recovery (everything put back to steady
    again). Clocks of the hosts are taken as they are.
    """
    faults = [fault for phases in phases_by_host for fault in ((phases.get("recover") or {}).get("recovery") or {}).get("faults") or ()]
    begin = min((instant(fault["begin"]) for fault in faults if fault.get("begin")), default=None)
    end = last(instant(fault["end"]) if fault.get("end") else None for fault in faults)
    stable = last(moment_met(steady(phases.get("after"))) for phases in phases_by_host
                  if steady(phases.get("before")) or steady(phases.get("after")))
    signs = [sign for sign in (first_sign(phases.get("impact")) for phases in phases_by_host) if sign is not None]
    alerts = [instant(fired) for phases in phases_by_host for fired in fired_at(phases.get("detection"))]
    return {
        "impact": apart(begin, first_from(begin, signs)),
        "detection": apart(begin, first_from(begin, alerts)),
        "recovery": apart(end, stable),
        "outage": apart(begin, stable),
    }


def first_from(begin, moments):
    """The first of them that is not before the begin; None where there is none."""
    return min((moment for moment in moments if begin is not None and moment >= begin), default=None)


def fired_at(result):
    """When the alerts fired that a probe saw, alone or in a steady state: what is met without alerts firing tells none."""
    seen = [(result or {}).get("observation")] + [probe.get("observation") for probe in (steady(result) or {}).get("probes") or ()]
    return [one["fired_at"] for one in seen if one and one.get("fired_at")]


def last(moments):
    """The last of them; None where there is none, or where one has not come."""
    known = list(moments)
    return max(known) if known and None not in known else None


def instant(text):
    return datetime.fromisoformat(text).timestamp()


def moment_met(state):
    if not state or state.get("met") is not True or state.get("recovery_seconds") is None:
        return None
    return instant(state["begin"]) + state["recovery_seconds"]


def first_sign(result):
    """When the method saw what it took for the effect: the result that its author registered as experiment_impact."""
    state, observation = steady(result), (result or {}).get("observation")
    return moment_met(state) or (instant(observation["at"]) if observation and observation.get("met") else None)


def apart(begin, end):
    return None if begin is None or end is None else round(max(0.0, end - begin), 3)
