# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be run of a Chaos Toolkit experiment, decided before anything is: references resolved, strategies chosen, controls named."""

from __future__ import annotations

from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_configuration import Problem

HYPOTHESIS = ("default", "before-method-only", "after-method-only", "during-method-only", "continuously", "skip")
ROLLBACKS = ("always", "default", "never", "deviated")
DRY = ("", "actions", "probes", "activities", "pause")
SAFEGUARDS = "safeguards"  # the control of chaostoolkit-addons that ends an experiment; to leave it out silently would be dangerous


def hypothesis_of(experiment):
    return experiment.get("steady-state-hypothesis") or {}


def by_name(experiment):
    """What a reference finds: of several of one name the last, and of the hypothesis before the method."""
    found = {}
    for activity in [*(experiment.get("method") or []), *(hypothesis_of(experiment).get("probes") or [])]:
        if isinstance(activity, dict) and "ref" not in activity and activity.get("name"):
            found[activity["name"]] = activity
    return found


def resolved(experiment, section):
    """
    [{activity, background, judged}]: judged where a tolerance stands with the item itself. A reference takes over nothing of the item but
    C(background), and in the hypothesis its tolerance.
    """
    known, items = by_name(experiment), []
    listed = hypothesis_of(experiment).get("probes") if section == "hypothesis" else experiment.get(section)
    for place, item in enumerate(listed or []):
        activity = item
        if item.get("ref"):
            if item["ref"] not in known:
                path = "steady-state-hypothesis.probes" if section == "hypothesis" else section
                raise Problem("%s[%s].ref" % (path, place), "there is no activity %r in the method or the hypothesis" % item["ref"])
            activity = dict(known[item["ref"]])
            if section == "hypothesis" and "tolerance" in item:
                activity["tolerance"] = item["tolerance"]
        items.append({"activity": activity, "background": item.get("background") is True and section != "hypothesis", "judged": "tolerance" in item})
    return items


def strategy(kind, asked, experiment, choices, default):
    """What was asked for, else what the file says, else ours."""
    runtime = experiment.get("runtime") or {}
    said = (runtime.get(kind) or {}).get("strategy") if isinstance(runtime, dict) and isinstance(runtime.get(kind) or {}, dict) else None
    value = asked or said or default
    value = "continuously" if value == "continously" else value
    if value not in choices:
        where = "chaostoolkit_%s_strategy" % kind.rstrip("s") if asked else "runtime.%s.strategy" % kind
        raise Problem(where, "%r is none; there are %s" % (value, ", ".join(choices)))
    return value


def strategies(experiment, hypothesis, rollbacks):
    return {"hypothesis": strategy("hypothesis", hypothesis, experiment, HYPOTHESIS, "default"),
            "rollbacks": strategy("rollbacks", rollbacks, experiment, ROLLBACKS, "always")}


def check_dry(dry, check_mode):
    if dry not in DRY:
        raise Problem("chaostoolkit_dry", "%r is none; there are %s" % (dry, ", ".join(filter(None, DRY))))
    if check_mode and dry in ("probes", "pause"):
        raise Problem("chaostoolkit_dry", "%s does all the actions, and --check does none. Leave out --check if that is what you want" % dry)
    return dry or ("activities" if check_mode else "")


def controls(experiment):
    """[{name, module, level}] of all controls; none of them is run."""
    found = []

    def take(owner, level):
        for control in (owner or {}).get("controls") or [] if isinstance(owner, dict) else []:
            if isinstance(control, dict):
                provider = control.get("provider") if isinstance(control.get("provider"), dict) else {}
                found.append({"name": str(control.get("name") or control.get("ref")), "module": str(provider.get("module") or ""), "level": level})

    take(experiment, "experiment")
    take(hypothesis_of(experiment), "steady-state-hypothesis")
    for section, activities in (("steady-state-hypothesis", hypothesis_of(experiment).get("probes")), ("method", experiment.get("method")),
                                ("rollbacks", experiment.get("rollbacks"))):
        for activity in activities or []:
            take(activity, "%s, %s" % (section, activity.get("name") if isinstance(activity, dict) else ""))
    return found


def check_controls(found, ignored):
    dangerous = next((control for control in found if SAFEGUARDS in control["module"]), None)
    if dangerous and not ignored:
        raise Problem("controls", "%s (%s) is there to end the experiment, and no control is run here. Say the same with experiment_windows and with a stop "
                      "condition of steady_state, or give chaostoolkit_ignore_controls: true" % (dangerous["name"], dangerous["module"]))
