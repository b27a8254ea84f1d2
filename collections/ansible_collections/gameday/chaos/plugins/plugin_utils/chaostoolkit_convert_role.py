# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a converted experiment collects: the variables of its role, where each comes from, its faults, and what is left to say."""

from __future__ import annotations

import re

from ansible_collections.gameday.chaos.plugins.plugin_utils import chaostoolkit_convert_probes as probes
from ansible_collections.gameday.chaos.plugins.plugin_utils import chaostoolkit_faults as faults
from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_convert_values import Unconvertible, Variables, literal, slug
from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_rules import HYPOTHESIS, activities, is_map
from ansible_collections.gameday.chaos.plugins.plugin_utils.masking import SECRET_KEY

FILTERS = {"int": " | int", "integer": " | int", "float": " | float", "number": " | float", "json": " | from_json",
           "bool": " | lower not in ['false', '0', 'no']"}
TYPES = ((bool, "bool"), (int, "int"), (float, "float"), (str, "str"), (list, "list"), (dict, "dict"))


class Role:
    def __init__(self, name, experiment):
        self.name, self.experiment = name, experiment
        self.defaults, self.described, self.notes, self.taken = {}, {}, [], set()
        self.variables = Variables({})
        self.faults = [fault for _path, item, place in activities(experiment) if place == "method" for fault in faults.recognise(self.resolve(item))]
        self.actions = {}
        self.used_up = set()  # rollbacks that became the restart of a killed process
        self.take_configuration()
        self.take_secrets()

    def resolve(self, item):
        """What a ref stands for, by Chaos Toolkit's rules."""
        if "ref" not in item:
            return item
        named = {}
        for _path, one, place in activities(self.experiment):
            if "ref" not in one and (place == "method" or place == "hypothesis"):
                named.setdefault((place, one.get("name")), one)
                if place == "method":
                    named[place, one.get("name")] = one
        found = named.get(("hypothesis", item["ref"])) or named[("method", item["ref"])]
        return {**found, **{key: item[key] for key in ("tolerance", "background") if key in item}}

    def acted(self, activity, register):
        """An action that is no fault of ours, for the verdict: that it was done shows in what its task registered."""
        self.actions[register] = activity["name"]

    def note(self, text):
        self.notes.append(text)

    def name_of(self, key):
        return "%s_%s" % (self.name, key)

    def unique(self, key):
        """A name for a variable that nothing has yet."""
        base = self.name_of(slug(key) or "value")
        name, number = base, 1
        while name in self.taken:
            number += 1
            name = "%s_%d" % (base, number)
        self.taken.add(name)
        return name

    def declare(self, key, value, description, kind=None):
        """A variable of the role; C(value) Ellipsis is one that has no default."""
        name = self.unique(key)
        if value is not ...:
            self.defaults[name] = value
        kind = kind or next((words for type_, words in TYPES if isinstance(value, type_)), "raw")
        self.described[name] = {"description": description, "type": kind}
        if value is ...:
            self.described[name]["required"] = True
        elif not (isinstance(value, str) and "{{" in value) and kind != "raw":
            self.described[name]["default"] = value
        return name

    def variable(self, key, value, description):
        """The value as one of the role's variables, unless it is one already."""
        if isinstance(value, str) and re.fullmatch(r"\{\{ \w+ \}\}", value):
            return value
        same = next((name for name, known in self.defaults.items() if known == value and name.startswith(self.name_of(key))), None)
        return "{{ %s }}" % (same or self.declare(key, value, description))

    def take_configuration(self):
        configuration = self.experiment.get("configuration") or {}
        for key, value in configuration.items():
            if is_map(value) and value.get("type") == "env":
                self.from_environment(key, value, "Taken from the environment variable %s." % value["key"])
            elif is_map(value) and value.get("type") == "probe":
                variable = self.variables.names[key] = self.declare(key, ..., "In the original the answer of the probe %s." % value.get("name"), "raw")
                self.note("configuration.%s is asked for by a probe in the original; give %s" % (key, variable))
            elif SECRET_KEY.search(str(key)) and isinstance(value, str):
                self.secret(key, value)
            else:
                self.variables.names[key] = self.declare(key, literal(value), "As in the configuration of the original.")

    def take_secrets(self):
        for group in (self.experiment.get("secrets") or {}).values():
            for key, value in group.items() if is_map(group) else ():
                if key not in self.variables.names:
                    self.secret(key, value)

    def secret(self, key, value):
        """A secret that stands in the file is not copied."""
        if is_map(value) and value.get("type") == "env":
            self.from_environment(key, value, "A secret, taken from the environment variable %s." % value["key"])
        elif is_map(value):
            variable = self.variables.names[key] = self.declare(key, ..., "A secret. Give it by a lookup, or from Ansible Vault.", "raw")
            self.note("secret %s comes from elsewhere (%s) in the original; give %s, by a lookup for instance" % (key, value.get("type"), variable))
        else:
            variable = slug(key, 60).upper()
            self.note("secret %s stands in the original and is not copied; set the environment variable %s, or use Ansible Vault" % (key, variable))
            self.from_environment(key, {"key": variable}, "A secret, taken from the environment variable %s." % variable)

    def from_environment(self, key, source, description):
        default = ", default=%s" % repr(str(source["default"])) if source.get("default") is not None else ""
        name = re.sub(r"[^\w]", "", source["key"])
        filters = FILTERS.get(source.get("env_var_type"), "")
        kind = {" | int": "int", " | float": "float", "": "str"}.get(filters, "raw")
        self.variables.names[key] = self.declare(key, "{{ lookup('ansible.builtin.env', '%s'%s)%s }}" % (name, default, filters), description, kind)

    def probe(self, activity):
        found = probes.convert(activity, self.variables)
        found.options.update(self.folder_for(found.options.get("command") or ()))
        return found

    def folder_for(self, argv):
        """The folder that docker compose must be run in, since it finds its project there; {} for what is none, or says itself where it is."""
        words = " ".join(map(str, argv[2:] if argv and argv[0] == "sh" else argv))
        ours = re.match(r"(sudo )?(\S*/)?docker[- ]compose\b", words) and not re.search(r" (--project-directory|(-f|--file)[ =]/)", words)
        return {"chdir": self.compose_directory()} if ours else {}

    def compose_directory(self):
        name = self.name_of("compose_directory")
        if name not in self.taken:
            self.declare("compose_directory", "{{ lookup('ansible.builtin.env', 'PWD') }}",
                         "The folder of the docker compose project, on the host. By default the one that ansible-playbook is started in.", "path")
        return "{{ %s }}" % name

    def restart(self, fault, comments):
        """How a killed process is started again: by the one rollback that nothing else explains, or by whoever supervises it."""
        spare = [(index, item) for index, item in enumerate(self.rollbacks())
                 if item.get("type") == "action" and item["provider"]["type"] == "process" and not any(faults.undone_by(one, item) for one in self.faults)
                 and faults.waits(item) is None]
        kills = [one for one in self.faults if one.module == "fault_process" and one.arguments.get("action") == "kill"]
        if len(spare) == 1 and len(kills) == 1:
            index, item = spare[0]
            self.used_up.add(index)
            try:
                return {"restart": probes.vector(item["provider"], self.variables)}
            except Unconvertible:
                pass
        comments.append("Nothing in the original starts it again, so it must be somebody who supervises it. Else give restart, the command that does.")
        return {"supervised": True}

    def rollbacks(self):
        return [self.resolve(item) for item in self.experiment.get("rollbacks") or []]

    def duration(self):
        """What the method needs, and half as much again."""
        need = max([fault.seconds or 0 for fault in self.faults], default=0)
        method = 0
        for item in self.experiment["method"]:
            activity = self.resolve(item)
            pauses = activity.get("pauses") or {}
            waited = faults.waits(activity)
            waits = (pauses.get("before") or 0, pauses.get("after") or 0, waited or 0)
            method += sum(seconds if isinstance(seconds, (int, float)) else 60 for seconds in waits)
            timeout = probes.seconds_of(activity["provider"], 10)
            method += min(timeout if isinstance(timeout, (int, float)) else 10, 30) if waited is None else 0
        probes_of_hypothesis = len((self.experiment.get(HYPOTHESIS) or {}).get("probes") or [])
        return min(14400, max(60, int(max(need, method + 5 * probes_of_hypothesis) * 1.5 / 10 + 1) * 10))

    def recovery(self):
        """What the rollbacks wait and ask, as a budget."""
        pauses = [item.get("pauses") or {} for item in self.rollbacks()]
        waited = sum(seconds for one in pauses for seconds in one.values() if isinstance(seconds, (int, float)))
        return max(60, int(waited / 10 + 1) * 10)
