# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes an experiment of Chaos Toolkit as a role and a playbook of this project. Nothing is run, and nothing is written to disk here."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.gameday.chaos.plugins.plugin_utils import chaostoolkit_faults as faults
from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_convert_actions import Task, of_action, of_probe, tasks
from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_convert_role import Role
from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_convert_values import (
    Unconvertible,
    comment,
    dump,
    quoted,
    role_name,
    sentence,
)
from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_file import FileProblem
from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_lint import examine
from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_rules import HYPOTHESIS, is_map

UNDER_FAULT = ("default", "after-method-only", "continuously", None)
RESERVED = ("experiment", "outage", "chaostoolkit", "ansible")


@dataclass
class Conversion:
    """C(files) has the text of each, by its path; C(notes) says what is left to do by hand."""
    name: str
    files: dict
    notes: list


def convert(document, name=None, compat=False):
    experiment, findings = examine(document, compat)
    for one in findings:
        if one.level == "error":
            raise FileProblem("%s. %s" % (one.message, one.fix), one.path, one.line)
    name = name or role_name(experiment["title"])
    if role_name(name) != name:
        raise FileProblem("%r is no name for a role; it has small letters, digits and _, and begins with a letter" % name)
    role = Role("%s_experiment" % name if name in RESERVED or name.startswith("experiment_") else name, experiment)
    for index, key in enumerate(experiment.get("controls") or []):
        role.note("controls[%d], %s, is code for Chaos Toolkit's own process and is left out" % (index, key.get("name")))
    method = method_text(role)
    rollbacks, put_back = rollbacks_text(role)
    method += put_back
    steady = steady_state(role)
    role.declare("duration", role.duration(), "Seconds after which the host itself puts back what is broken, whatever became of the experiment.")
    role.declare("recovery", role.recovery(), "Seconds that the system may need to be steady again.")
    if steady:
        role.declare("steady_state", steady, "The probes of the steady state. By default those of the original: %s." % experiment[HYPOTHESIS]["title"])
    base = "roles/%s/" % role.name
    files = {
        "playbooks/%s.yml" % role.name: playbook(role),
        base + "tasks/main.yml": main_text(role, bool(rollbacks)),
        base + "tasks/method.yml": "---\n" + (method or comment("The original has an empty method: nothing is broken.") + "[]\n"),
        base + "defaults/main.yml": defaults_text(role),
        base + "meta/argument_specs.yml": specs_text(role),
        base + "meta/main.yml": meta_text(role),
    }
    if rollbacks:
        files[base + "tasks/rollbacks.yml"] = "---\n" + rollbacks
    return Conversion(role.name, files, role.notes)


def joined(found):
    return "\n".join(task.text() if isinstance(task, Task) else task for task in found)


def method_text(role):
    found = []
    for index, item in enumerate(role.experiment["method"]):
        found += tasks("method[%d]" % index, item, role)
    hypothesis = role.experiment.get(HYPOTHESIS) or {}
    if hypothesis.get("probes") and strategy(role) in UNDER_FAULT:
        found.append(Task("Steady all the same", "gameday.chaos.steady_state",
                          {"title": sentence(hypothesis["title"]), "probes": "{{ %s_steady_state }}" % role.name},
                          comments=["As in the original, where the hypothesis must hold after the method and before the rollbacks."]))
    if strategy(role) in ("continuously", "during-method-only"):
        role.note("the hypothesis is watched during the method in the original; see `during` of steady_state")
    return joined(found)


def strategy(role):
    runtime = role.experiment.get("runtime") or {}
    return (runtime.get("hypothesis") or {}).get("strategy")


def rollbacks_text(role):
    """(tasks that must be run whatever becomes of the method, tasks at the end of the method, once everything is put back)."""
    always, after, gone = [], [], []
    known = hypothesis_probes(role)
    for index, activity in enumerate(role.rollbacks()):
        path = "rollbacks[%d]" % index
        undone = [fault.module for fault in role.faults if faults.undone_by(fault, activity)]
        if undone:
            gone.append("%s, %s, is left out: %s puts it back by itself." % (path, activity["name"], undone[0]))
        elif index in role.used_up:
            gone.append("%s, %s, is left out: it is what restart of the fault does." % (path, activity["name"]))
        elif faults.waits(activity) is not None:
            gone.append("%s, %s, is left out: %s is the budget in place of waiting." % (path, activity["name"], role.name_of("recovery")))
        elif activity["type"] == "probe" and any(same(activity, one) for one in known):
            gone.append("%s, %s, is left out: the steady state is looked at afterwards, and has the same probe." % (path, activity["name"]))
        elif activity["type"] == "probe":
            after.append((path, activity))
        else:
            always.append(of_rollback(path, activity, role))
    told = [comment(*gone)] if gone else []
    if not any(isinstance(one, Task) for one in always):
        told, always = [*told, *always], []
    text = joined(told)
    if after:
        recovered = [Task("Everything is put back", "gameday.chaos.recover", {})]
        for path, activity in after:
            recovered.append(recovery_probe(path, activity, role))
        text = "\n" + joined([text, *recovered] if text else recovered)
    elif text:
        text = "\n" + text
    return joined(always), text


def same(activity, probe):
    """Whether it asks and expects the same; how long it waits for the answer is another matter."""
    first, second = ({**one["provider"], "timeout": None} for one in (activity, probe))
    return first == second and activity.get("tolerance") == probe.get("tolerance")


def hypothesis_probes(role):
    return [role.resolve(one) for one in (role.experiment.get(HYPOTHESIS) or {}).get("probes") or []]


def of_rollback(path, activity, role):
    try:
        return of_action(path, activity, role)
    except Unconvertible as reason:
        role.note("%s: %s. It is left out; write it into tasks/rollbacks.yml" % (path, reason))
        return comment("Not converted: %s: %s. In the original:" % (path, reason)) + quoted(activity)


def recovery_probe(path, activity, role):
    """A probe among the rollbacks, judged with the budget for the recovery."""
    try:
        if activity.get("tolerance") is None:
            return of_probe(activity, role)
        probe = role.probe(activity)
        return Task(sentence(activity["name"]), "gameday.chaos.steady_state",
                    {"title": sentence(activity["name"]), "within": "{{ %s }}" % role.name_of("recovery"),
                     "probes": [{"name": sentence(activity["name"]), probe.kind: probe.options}]}, comments=probe.comments)
    except Unconvertible as reason:
        role.note("%s: %s. It is left out" % (path, reason))
        return comment("Not converted: %s: %s. In the original:" % (path, reason)) + quoted(activity)


def steady_state(role):
    found = []
    for index, activity in enumerate(hypothesis_probes(role)):
        try:
            probe = role.probe(activity)
            found.append({"name": " ".join(str(activity["name"]).split()), probe.kind: probe.options})
        except Unconvertible as reason:
            path = "%s.probes[%d]" % (HYPOTHESIS, index)
            role.note("%s: %s. It fails until you write it, so that nothing is broken" % (path, reason))
            found.append({"name": "%s, not converted" % activity["name"], "probe_command": {"command": ["false"]}})
    return found


def playbook(role):
    return "---\n" + dump([{"name": title(role), "hosts": "{{ chaos_hosts | default('all') }}", "gather_facts": False, "roles": [{"role": role.name}]}])


def title(role):
    return sentence(role.experiment["title"])


def main_text(role, rollbacks):
    experiment = role.experiment
    variables = {"experiment_title": role.variables.text(" ".join(experiment["title"].split())), "experiment_description": description(role)}
    if isinstance(experiment.get("tags"), list) and experiment["tags"]:
        variables["experiment_tags"] = list(experiment["tags"])
    if role.name_of("steady_state") in role.taken:
        variables["experiment_steady_state"] = "{{ %s }}" % role.name_of("steady_state")
    variables["experiment_recovery"] = "{{ %s }}" % role.name_of("recovery")
    if role.actions and not role.faults:
        done = ["['%s'] if %s is defined else []" % (sentence(name).replace("'", ""), register) for register, name in role.actions.items()]
        variables["experiment_account"] = {"acted": "{{ %s }}" % " + ".join("(%s)" % one for one in done)}
    if rollbacks:
        variables["experiment_rollbacks"] = "{{ ansible_parent_role_paths | first }}/tasks/rollbacks.yml"
    return "---\n" + dump([{"name": "Run the experiment", "ansible.builtin.include_role": {"name": "gameday.chaos.experiment"}, "vars": variables}])


def description(role):
    return " ".join(sentence(role.experiment["description"]).split())


def defaults_text(role):
    told = comment("What the options mean: meta/argument_specs.yml, or `ansible-doc -t role -r roles %s`." % role.name,
                   *("To do by hand: %s." % note for note in role.notes))
    return "---\n" + told + dump(role.defaults)


def specs_text(role):
    options = {}
    for name, described in role.described.items():
        options[name] = dict(described)
        if described["type"] == "list":
            options[name]["elements"] = "dict" if all(map(is_map, described.get("default") or [{}])) else "raw"
        if name == role.name_of("steady_state") or described["type"] == "dict":
            options[name].pop("default", None)
    spec = {"short_description": title(role), "description": [description(role), "Converted from an experiment of Chaos Toolkit."], "options": options}
    return "---\n" + dump({"argument_specs": {"main": spec}})


def meta_text(role):
    return "---\n" + dump({"galaxy_info": {
        "author": "converted", "description": title(role), "license": "GPL-3.0-or-later", "min_ansible_version": "2.19",
        "platforms": [{"name": "GenericLinux", "versions": ["all"]}], "galaxy_tags": ["chaos"]}, "dependencies": []})
