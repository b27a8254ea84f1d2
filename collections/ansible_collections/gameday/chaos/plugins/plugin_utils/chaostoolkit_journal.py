# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of the journal that a foreign experiment fills: its own activities instead of our tasks, and its status as Chaos Toolkit would have it."""

from __future__ import annotations

from ansible_collections.gameday.chaos.plugins.plugin_utils.chronicle import place

OURS = ("tolerance_met", "met", "reasons", "covered", "uncovered_because", "dry", "finding")


def document_of(record):
    """What was told of the foreign experiment, or None where this is none."""
    return next((event["data"] for event in record.shape("document")), None)


def parts(record, ending, journal):
    """The keys of the journal that are different for a foreign experiment."""
    told = document_of(record)
    states = steady_states(record)
    entries = [entry(event) for event in record.shape("entry")]
    run = sorted((one for one in entries if one["section"] == "method"), key=lambda one: one["start"])
    rollbacks = sorted((one for one in entries if one["section"] == "rollbacks"), key=lambda one: one["start"])
    deviated = states["after"] is not None and states["after"]["steady_state_met"] is not True
    return {
        "experiment": experiment(told, journal["experiment"]), "status": status(record, ending, states, deviated), "deviated": deviated,
        "steady_states": states, "run": [without_section(one) for one in run], "rollbacks": [without_section(one) for one in rollbacks],
        "toolkit": {
            **{key: told.get(key) for key in ("source", "strategies", "configuration", "findings", "notes", "controls", "duration")},
            "covered": sorted({one["activity"]["name"] for one in run if one["covered"]}),
            "uncovered": {one["activity"]["name"]: one["uncovered_because"] for one in run if one["covered"] is False},
        },
    }


def experiment(told, ours):
    """As its author meant it. The environment is read where it was run and not where a report is made, so its values stand here."""
    shown = {key: value for key, value in told["experiment"].items() if value is not None}
    declared, values = shown.get("configuration"), told.get("configuration") or {}
    if isinstance(declared, dict):
        shown["configuration"] = {key: values.get(key) if isinstance(value, dict) and value.get("type") == "env" else value
                                  for key, value in declared.items()}
    return {**shown, "dry": told.get("dry"), "recovery": ours.get("recovery")}


def entry(event):
    told = event["data"]
    done = {key: told[key] for key in ("activity", "output", "start", "status", "exception", "end", "duration") if key in told}
    done.update(host=event["host"], section=told["section"], **{key: told[key] for key in OURS if key in told})
    done["fault"] = (told.get("fault") or {}).get("claim")
    if place(event) != event["host"]:
        done["on"] = place(event)
    return done


def without_section(one):
    return {key: value for key, value in one.items() if key != "section"}


def steady_states(record):
    looks = {"before": [], "after": [], "during": [], "recovery": []}
    for event in record.shape("steady_state"):
        if event["data"].get("look") in looks:
            looks[event["data"]["look"]].append(event)
    during = [{**probed(one["probes"], event["host"], one["steady_state_met"]), "host": event["host"]}
              for event in looks["during"] for one in event["data"].get("states") or []]
    return {"before": merged(looks["before"]), "after": merged(looks["after"]), "during": during, "recovery": merged(looks["recovery"])}


def probed(entries, host, met):
    return {"steady_state_met": met, "probes": [{**{key: value for key, value in one.items() if key not in ("met", "tolerance_met")}, "host": host,
                                                 "tolerance_met": one.get("tolerance_met", False)} for one in entries]}


def merged(events):
    """One state of all hosts: met where all of them are."""
    if not events:
        return None
    met = [event["data"]["met"] for event in events]
    probes = [one for event in events for one in probed([probe["entry"] for probe in event["data"]["probes"]], event["host"], None)["probes"]]
    hosts = [{"host": event["host"], "met": event["data"]["met"], "begin": event["data"]["begin"], "seconds": event["data"]["seconds"],
              "recovery_seconds": event["data"].get("recovery_seconds")} for event in events]
    return {"steady_state_met": all(one is True for one in met), "probes": probes, "hosts": hosts}


def failed_probe(state):
    return state is not None and any(probe["status"] == "failed" for probe in state["probes"])


def status(record, ending, states, deviated):
    """
    As Chaos Toolkit says it: completed is also a hypothesis that is not met, and an action that failed; failed is a probe of the hypothesis that failed, or
    a method that was left for a look during it.
    """
    if not ending.finished:
        return "interrupted"
    if failed_probe(states["before"]) or failed_probe(states["after"]):
        return "failed"
    left = any(event["status"] == "skipped" and event["section"] == "method" and event["module"].endswith("chaostoolkit_activity") for event in record.results)
    if left and not deviated:
        return "failed"
    gate = states["before"] is None or states["before"]["steady_state_met"] is True
    lost = any(event["status"] == "unreachable" and not event["ignored"] for event in record.results)
    return "aborted" if lost or (gate and not record.shape("entry") and ending.verdict == "errored") else "completed"
