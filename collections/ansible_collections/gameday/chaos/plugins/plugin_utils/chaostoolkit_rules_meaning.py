# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts what the author of an experiment meant where it is read. Whatever is of another shape than expected stays as it is, for the rules of structure."""

from __future__ import annotations

from ansible_collections.gameday.chaos.plugins.plugin_utils import chaostoolkit_expect as expectations
from ansible_collections.gameday.chaos.plugins.plugin_utils import chaostoolkit_rules_python as python
from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_rules import HYPOTHESIS, activities, is_map, is_number

JSON_TYPE = "application/json"
STRATEGIES = {"continously": "continuously", "continuous": "continuously"}
SECRET_SOURCES = ("env", "vault")


def apply(experiment, report):
    top_level(experiment, report)
    for path, activity, place in list(activities(experiment)):
        one_activity(path, activity, place, report)
    refs_of_hypothesis(experiment, report)
    hypothesis_under_fault(experiment, report)


def top_level(experiment, report):
    if isinstance(experiment.get("tags"), str):
        report.add("tags", ("tags",), "is a text, which Chaos Toolkit reads as a list of letters", "Write a list: tags: [%s]" % experiment["tags"])
        experiment["tags"] = [experiment["tags"]]
    if experiment.get("dry"):
        report.add("dry", ("dry",), "Chaos Toolkit overwrites it by its command line, and would break things for real; here it is honoured",
                   "Remove it, and use ansible-playbook --check")
        if experiment["dry"] is True:
            experiment["dry"] = "activities"
    if not experiment.get("dry"):
        experiment.pop("dry", None)
    runtime = experiment.get("runtime")
    hypothesis = runtime.get("hypothesis") if is_map(runtime) else None
    if is_map(hypothesis) and isinstance(hypothesis.get("strategy"), str) and hypothesis["strategy"] in STRATEGIES:
        report.add("strategy-typo", ("runtime", "hypothesis", "strategy"), "%s is taken as continuously" % hypothesis["strategy"], "Write continuously")
        hypothesis["strategy"] = STRATEGIES[hypothesis["strategy"]]
    flat_secrets(experiment, report)


def flat_secrets(experiment, report):
    secrets = experiment.get("secrets")
    flat = [name for name, value in secrets.items() if not is_map(value) or value.get("type") in SECRET_SOURCES] if is_map(secrets) else []
    if not flat:
        return
    for name in flat:
        report.add("flat-secrets", ("secrets", name), "is a secret without a group, upon which Chaos Toolkit ends with a traceback",
                   "Put it into a group: secrets: {default: {%s: ...}}" % name)
    group = secrets.setdefault("default", {})
    if is_map(group) and "default" not in flat:
        for name in flat:
            group[name] = secrets.pop(name)
            report.moved(("secrets", "default", name), ("secrets", name))


def one_activity(path, activity, place, report):
    python.unwrap(path, activity, report)
    provider_in_tolerance(path, activity, report)
    dry_of_activity(path, activity, report)
    provider = activity.get("provider")
    if is_map(provider):
        python.unwrap(path, activity, report)
        python.translate(path, activity, report)
        provider = activity["provider"]
        if provider.get("type") == "http":
            http((*path, "provider"), activity, provider, report)
        activity_timeout(path, activity, provider, report)
        secrets_of_provider((*path, "provider"), provider, report)
    expectations.apply(path, activity, place, report)


def dry_of_activity(path, activity, report):
    if "dry" in activity:
        if activity["dry"]:
            report.add("dry", (*path, "dry"), "is ignored by Chaos Toolkit, which runs the activity for real; here the activity is not run",
                       "Remove it, and use ansible-playbook --check")
            activity["dry"] = True
        else:
            del activity["dry"]


def provider_in_tolerance(path, activity, report):
    """A probe whose provider stands inside of its tolerance: what is there is the probe, and what it expects is the tolerance."""
    tolerance = activity.get("tolerance")
    if not is_map(tolerance) or not is_map(tolerance.get("provider")) or "provider" in activity or "ref" in activity:
        return
    report.add("provider-in-tolerance", (*path, "tolerance", "provider"),
               "the provider stands inside of the tolerance, so that the probe has none and Chaos Toolkit refuses it; it is taken for the probe's own",
               "Move provider up to the level of name, and write what is expected as tolerance")
    activity["provider"] = tolerance["provider"]
    report.moved((*path, "provider"), (*path, "tolerance", "provider"))
    rest = {key: value for key, value in tolerance.items() if key not in ("type", "provider", "name")}
    if rest.get("tolerance") is not None:
        activity["tolerance"] = rest["tolerance"]
    else:
        del activity["tolerance"]
    for key in ("expect", "timeout"):
        if key in rest:
            activity.setdefault(key, rest[key])


def http(path, activity, provider, report):
    for key in ("json", "body", "data"):
        if key not in provider:
            continue
        if provider.get("arguments"):
            report.add("ignored-key", (*path, key), "is not read; arguments is, and is there, too", "Keep one of them, as arguments")
            del provider[key]
            continue
        as_json = key == "json" or not isinstance(provider[key], str) and key == "body"
        report.add("http-body", (*path, key), "is not read by Chaos Toolkit, which sends an empty body; it is taken for arguments",
                   "Call it arguments%s" % (", with the header Content-Type: application/json" if as_json else ""))
        provider["arguments"] = provider.pop(key)
        report.moved((*path, "arguments"), (*path, key))
        if as_json:
            set_json(provider)
        if "method" not in provider and activity.get("type") == "action":
            report.add("action-body-get", path, "has a body and no method, so that Chaos Toolkit sends a GET, which injects nothing; it is taken for POST",
                       "Write method: POST")
            provider["method"] = "POST"
    header = next((name for name in provider.get("headers") or {} if str(name).lower() == "content-type"), None) if is_map(provider.get("headers")) else None
    value = provider["headers"][header] if header is not None else None
    arguments, getting = provider.get("arguments"), str(provider.get("method") or "GET").upper() == "GET"
    if is_map(arguments) and not getting:
        if isinstance(value, str) and value.split(";")[0].strip().lower() == JSON_TYPE and (header, value) != ("Content-Type", JSON_TYPE):
            report.add("json-header", (*path, "headers", header), "Chaos Toolkit sends JSON only for a header spelled exactly Content-Type: application/json, "
                       "and a form otherwise; JSON is sent", "Spell it Content-Type: application/json")
            set_json(provider)
        elif value is None and any(isinstance(one, (dict, list)) for one in arguments.values()):
            report.add("nested-form", (*path, "arguments"), "is sent by Chaos Toolkit as a form, which mangles what is nested in it; JSON is sent",
                       "Add the header Content-Type: application/json")
            set_json(provider)


def set_json(provider):
    headers = provider.get("headers") if is_map(provider.get("headers")) else {}
    provider["headers"] = {**{name: value for name, value in headers.items() if str(name).lower() != "content-type"}, "Content-Type": JSON_TYPE}


def activity_timeout(path, activity, provider, report):
    timeout = activity.get("timeout")
    if not is_number(timeout) or provider.get("type") not in ("http", "process"):
        return
    report.add("activity-timeout", (*path, "timeout"), "is checked and never used by Chaos Toolkit%s"
               % ("; the provider's counts" if "timeout" in provider else "; it is taken for the provider's"), "Move timeout into the provider")
    del activity["timeout"]
    if "timeout" not in provider:
        provider["timeout"] = timeout
        report.moved((*path, "provider", "timeout"), (*path, "timeout"))


def secrets_of_provider(path, provider, report):
    if isinstance(provider.get("secrets"), str) and provider.get("type") == "python":
        report.add("secrets-not-a-list", (*path, "secrets"), "is a text, for which Chaos Toolkit hands over no secrets at all",
                   "Write a list: secrets: [%s]" % provider["secrets"])
        provider["secrets"] = [provider["secrets"]]


def refs_of_hypothesis(experiment, report):
    """In the hypothesis a ref needs a tolerance beside it; where the activity it names has one, that is meant."""
    named = {activity["name"]: activity for _path, activity, place in activities(experiment)
             if place in ("method", "hypothesis") and isinstance(activity.get("name"), str) and "ref" not in activity}
    for path, activity, place in activities(experiment):
        ref = activity.get("ref")
        if place == "hypothesis" and "tolerance" not in activity and isinstance(ref, str) and "tolerance" in named.get(ref, {}):
            report.add("hypothesis-ref", path, "a ref in the %s needs a tolerance of its own; that of %s is taken" % (HYPOTHESIS, ref),
                       "Write the tolerance beside ref")
            activity["tolerance"] = named[ref]["tolerance"]


def hypothesis_under_fault(experiment, report):
    """A probe of the method that expects of the same request what the hypothesis rules out: the hypothesis is not meant to hold while it is broken."""
    runtime = experiment.get("runtime")
    part = runtime.get("hypothesis") if is_map(runtime) else None
    if runtime is not None and not is_map(runtime) or part is not None and not is_map(part) or part and part.get("strategy"):
        return
    healthy = [(item.get("provider"), codes(item.get("tolerance"))) for _path, item, place in activities(experiment) if place == "hypothesis"]
    for path, item, place in activities(experiment):
        broken = codes(item.get("tolerance"))
        if place == "method" and broken and any(expected and not expected & broken and same_request(provider, item.get("provider"))
                                                for provider, expected in healthy):
            report.add("hypothesis-under-fault", path, "expects what the hypothesis rules out, and Chaos Toolkit looks at the hypothesis after the method, "
                       "before the rollbacks: it would always deviate. It is looked at before the method, and once everything is put back",
                       "Write runtime: {hypothesis: {strategy: before-method-only}}")
            experiment["runtime"] = {**(runtime or {}), "hypothesis": {**(part or {}), "strategy": "before-method-only"}}
            return


def codes(tolerance):
    """The statuses that are expected, where it is that simple."""
    values = tolerance if isinstance(tolerance, list) else [tolerance]
    return {one for one in values if isinstance(one, int) and not isinstance(one, bool)} if not isinstance(tolerance, bool) else set()


def same_request(one, other):
    return request_of(one) is not None and request_of(one) == request_of(other)


def request_of(provider):
    if not is_map(provider) or provider.get("type") not in ("http", "process"):
        return None
    return {key: value for key, value in provider.items() if key not in ("timeout", "headers", "verify_tls", "max_retries")}
