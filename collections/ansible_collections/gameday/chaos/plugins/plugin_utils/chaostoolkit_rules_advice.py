# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an experiment that can be run would silently not do, and what makes it dangerous: looked at as its author meant it."""

from __future__ import annotations

import re

from ansible_collections.gameday.chaos.plugins.plugin_utils import chaostoolkit_faults as faults
from ansible_collections.gameday.chaos.plugins.plugin_utils import chaostoolkit_words as words_of
from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_rules import HYPOTHESIS, activities, is_map

# Python functions whose result is no JSON, so that Chaos Toolkit's journal ends in the middle of it.
NOT_JSON = ("requests", "urllib.request", "httpx", "socket")
CONTRIBUTIONS = ("high", "medium", "low", "none")
LOSSY = re.compile(r"loss|drop|corrupt|duplicate|reorder", re.IGNORECASE)


def advise(experiment, report):
    sound = [(path, item, place) for path, item, place in activities(experiment) if not report.broken(path)]
    of_hypothesis(experiment, report)
    for path, item, place in sound:
        if is_map(item.get("provider")):
            one_activity(path, item, place, report)
    ways_back(sound, report)
    names(experiment, report)
    of_top_level(experiment, report)


def of_hypothesis(experiment, report):
    hypothesis = experiment.get(HYPOTHESIS)
    judged = any(place == "rollbacks" and item.get("tolerance") is not None for _path, item, place in activities(experiment))
    if not is_map(hypothesis) or not hypothesis.get("probes"):
        report.add("no-hypothesis", (HYPOTHESIS,), "has no probes, so that Chaos Toolkit finds the experiment completed whatever happens",
                   "Say what steady means: title, and probes with a tolerance")
        if not judged:
            report.add("no-recovery-probe", (HYPOTHESIS,), "nothing looks whether the system recovers",
                       "Add a %s, or a probe with a tolerance at the end of rollbacks" % HYPOTHESIS)
    elif strategy_of(report.document.experiment, "hypothesis") == "before-method-only" and not judged:
        report.add("no-recovery-probe", ("runtime", "hypothesis", "strategy"), "looks only before the method, so that Chaos Toolkit never looks whether the "
                   "system recovers; here the hypothesis is looked at once everything is put back", "Add a probe with a tolerance at the end of rollbacks")


def strategy_of(experiment, name):
    runtime = experiment.get("runtime")
    part = runtime.get(name) if is_map(runtime) else None
    return part.get("strategy") if is_map(part) else None


def one_activity(path, item, place, report):
    provider, kind = item["provider"], item["provider"].get("type")
    at = (*path, "provider")
    if place in ("method", "rollbacks") and item.get("type") == "probe" and item.get("tolerance") is None:
        report.add("never-judged", path, "is a probe without a tolerance, so that any answer is taken for good", "Add a tolerance")
    if place == "hypothesis" and item.get("type") == "action":
        report.add("action-in-hypothesis", (*path, "type"), "is an action, and is run each time the hypothesis is looked at", "Move it into the method")
    if place == "hypothesis" and item.get("background"):
        report.add("background", (*path, "background"), "is ignored in the %s" % HYPOTHESIS, "Remove it")
    if kind in ("http", "process") and provider.get("timeout") is None and not faults.waits(item):
        report.add("no-timeout", at, "has no timeout, so that Chaos Toolkit waits forever; here a default ends it", "Add timeout: SECONDS")
    if kind == "http":
        http(at, item, provider, report)
    elif kind == "process":
        process(at, provider, report)
    elif provider.get("module") in NOT_JSON:
        report.add("python-pitfall", (*at, "module"), "%s.%s returns no JSON, which leaves Chaos Toolkit's journal cut off"
                   % (provider["module"], provider["func"]), "Use a process or http provider")
    elif is_map(provider.get("arguments")) and isinstance(provider["arguments"].get("toxic_type"), str):
        toxic(provider["arguments"]["toxic_type"], None, (*at, "arguments"), "toxic_type", report)


def http(at, item, provider, report):
    method, body = str(provider.get("method") or "GET").upper(), provider.get("arguments")
    if item.get("type") == "action" and method in ("GET", "HEAD", "OPTIONS"):
        report.add("action-get", at, "is an action that asks with %s, which changes nothing; Chaos Toolkit calls it succeeded%s"
                   % (method, "" if "method" in provider else ". There is no method"), "Write the method that changes something, or make it a probe")
    found = faults.TOXIC_URL.fullmatch(provider["url"])
    if found and found["toxics"] and method in ("POST", "PATCH") and is_map(body) and isinstance(body.get("type"), str):
        toxic(body["type"], body.get("attributes"), (*at, "arguments"), "type", report)


def toxic(kind, attributes, at, key, report):
    if "${" in kind:
        return
    if kind not in faults.TOXICS:
        hint = "Toxiproxy sees connections and no packets. Use fault_network (tc netem)" if LOSSY.search(kind) else "There are %s" % ", ".join(faults.TOXICS)
        report.add("toxic", (*at, key), "is %.40s, which Toxiproxy does not have: it answers 400, and Chaos Toolkit calls that succeeded" % kind, hint)
    elif is_map(attributes):
        for name in attributes:
            if name not in faults.TOXICS[kind]:
                report.add("toxic", (*at, "attributes", name), "is no attribute of %s" % kind, "There are %s" % ", ".join(faults.TOXICS[kind]))


def process(at, provider, report):
    arguments = provider.get("arguments")
    if isinstance(arguments, str) and arguments.strip():
        report.add("shell", (*at, "arguments"), "is a text, which is run by /bin/sh: globs, pipes and $VARIABLES work, and Chaos Toolkit's timeout leaves "
                   "behind what the shell started", "Write a list of words, or path: sh and arguments: [-c, ...] where a shell is meant")
    elif is_map(arguments):
        report.add("map-arguments", (*at, "arguments"), "is a map, which is deprecated: it is flattened to key value key value", "Write a list of words")
    try:
        words, _become = words_of.unwrapped(words_of.vector(provider))
    except (words_of.NotRecognised, ValueError):
        text = words_of.shell_text(provider) or ""
        words = re.findall(r"(?:^|[;&|(`]|\bsudo)\s*(pkill|killall)\b", text)[:1]
    if words and words[0].rpartition("/")[2] in ("pkill", "killall") and not {"stress-ng", "stress"} & set(words[1:]):
        report.add("broad-kill", at, "hits every process that matches, and that may be the one that runs the experiment, or the connection to the host",
                   "Name the process: by its pid file, its port or its exact name. fault_process refuses more than one, and itself")


def ways_back(sound, report):
    """An action of the method that nothing undoes: neither a rollback, nor a fault module that is known for it."""
    actions = [(path, item) for path, item, place in sound if place == "method" and item.get("type") == "action" and is_map(item.get("provider"))]
    undoing = [item for _path, item, place in sound if place in ("method", "rollbacks") and item.get("type") == "action" and is_map(item.get("provider"))]
    known = [(path, fault) for path, item in actions for fault in faults.recognise(item)]
    spare = [item for _path, item, place in sound if place == "rollbacks" and (item.get("type") == "action" or "ref" in item)
             and not any(faults.undone_by(fault, item) for _path, fault in known)]
    for path, item in actions:
        found = faults.recognise(item)
        provider = item["provider"]
        looks = provider.get("type") == "http" and str(provider.get("method") or "GET").upper() in ("GET", "HEAD", "OPTIONS")
        if not found and not faults.puts_back(item) and faults.waits(item) is None and not looks and not spare:
            report.add("no-way-back", path, "is an action that no rollback undoes, and that is not known here either, so that nothing puts it back",
                       "Add a rollback, or use a fault module, which has its own way back")
        for fault in found:
            if not any(faults.undone_by(fault, one) for one in undoing) and not fault.seconds:
                report.add("own-way-back", path, "has no rollback, so that Chaos Toolkit leaves it broken; here it is known as %s, which puts it back"
                           % fault.module, "Add a rollback, or convert the file")


def names(experiment, report):
    seen = [item.get("name") for _path, item, place in activities(experiment) if place in ("method", "hypothesis") and "ref" not in item]
    for path, item, _place in activities(experiment):
        if isinstance(item.get("ref"), str) and seen.count(item["ref"]) > 1:
            report.add("duplicate-name", (*path, "ref"), "names %.60r, and there are several; Chaos Toolkit takes a probe of the hypothesis, else the last"
                       % item["ref"], "Give each its own name")


def of_top_level(experiment, report):
    for name, value in experiment["contributions"].items() if is_map(experiment.get("contributions")) else ():
        if value not in CONTRIBUTIONS:
            report.add("contributions", ("contributions", name), "is %.40r, which no report counts" % (value,), "Write %s" % ", ".join(CONTRIBUTIONS))
    if strategy_of(experiment, "rollbacks") in ("never", "deviated"):
        report.add("rollback-strategy", ("runtime", "rollbacks", "strategy"), "leaves the system broken%s" % (
            "" if strategy_of(experiment, "rollbacks") == "never" else " unless the experiment deviated"), "Leave it out, or write always")
    if strategy_of(experiment, "hypothesis") in ("during-method-only", "continuously"):
        report.add("strategy-during", ("runtime", "hypothesis", "strategy"), "what deviates during the method and recovers is not told by Chaos Toolkit; here "
                   "it counts", "Nothing needs to be changed")
    for path, owner in [((), experiment), ((HYPOTHESIS,), experiment.get(HYPOTHESIS)), *((path, item) for path, item, _place in activities(experiment))]:
        controls = owner.get("controls") if is_map(owner) else None
        for index, one in enumerate(controls if isinstance(controls, list) else ()):
            report.add("control", (*path, "controls", index), "the control %.60r is code for Chaos Toolkit's own process, and nothing of it is done here"
                       % (one.get("name") if is_map(one) else one,), "See whether the experiment needs it; what it watches can be a probe")
