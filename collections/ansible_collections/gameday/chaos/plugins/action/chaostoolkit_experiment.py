# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads an experiment of Chaos Toolkit on the controller and decides all that can be decided before anything is done."""

from __future__ import annotations

import os
import re

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.vars import load_extra_vars
from ansible_collections.gameday.chaos.plugins.module_utils.chaostoolkit_substitution import substitute
from ansible_collections.gameday.chaos.plugins.module_utils.fault import MAXIMUM_DURATION
from ansible_collections.gameday.chaos.plugins.plugin_utils import chaostoolkit_configuration as values
from ansible_collections.gameday.chaos.plugins.plugin_utils import chaostoolkit_run as run
from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_configuration import Problem
from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_file import FileProblem, load, path_text
from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_lint import examine

SPEC = {
    "source": {"type": "str", "required": True},
    "token": {"type": "str", "no_log": True},
    "configuration": {"type": "dict", "default": {}},
    "secrets": {"type": "dict", "default": {}, "no_log": True},
    "hypothesis_strategy": {"type": "str", "default": ""},
    "rollback_strategy": {"type": "str", "default": ""},
    "dry": {"type": "str", "default": ""},
    "duration": {"type": "int", "default": 600},
    "ignore_controls": {"type": "bool", "default": False},
    "compat": {"type": "bool", "default": False},
}


class ActionModule(ActionBase):
    TRANSFERS_FILES = False

    def run(self, tmp=None, task_vars=None):
        super().run(tmp, task_vars)
        arguments = self.validate_argument_spec(argument_spec=SPEC)[1]
        try:
            return dict(self.read(arguments), changed=False)
        except FileProblem as problem:
            where = ":%s" % problem.line if problem.line else ""
            at = "%s: " % path_text(problem.path) if problem.path else ""
            return {"changed": False, "problem": "%s%s: %s%s" % (arguments["source"], where, at, problem.message)}
        except Problem as problem:
            return {"changed": False, "problem": "%s: %s" % (arguments["source"], problem)}
        except Exception as error:  # its task is no_log, so a traceback would tell nobody anything
            return {"changed": False, "problem": "%s: %s: %s. This is a defect of gameday.chaos: please report it, with the experiment"
                    % (arguments["source"], type(error).__name__, error)}

    def read(self, arguments):
        source = arguments["source"]
        document = load(source, arguments["token"])
        experiment, findings = examine(document, arguments["compat"])
        errors = [one for one in findings if one.level == "error"]
        if errors:
            return {"problem": "\n".join(one.text(source) for one in errors)}
        if not 0 < arguments["duration"] <= MAXIMUM_DURATION:
            raise Problem("chaostoolkit_duration", "%s is not between 1 and %s seconds" % (arguments["duration"], MAXIMUM_DURATION))
        dry = run.check_dry(arguments["dry"], self._play_context.check_mode or self._task.check_mode)
        chosen = run.strategies(experiment, arguments["hypothesis_strategy"], arguments["rollback_strategy"])
        controls = run.controls(experiment)
        run.check_controls(controls, arguments["ignore_controls"])
        configuration, secrets, notes = self.values(experiment, arguments)
        hidden = values.texts(secrets)
        hypothesis = run.hypothesis_of(experiment)
        notes += ["controls: %s (%s) is not run: no control is" % (one["name"], one["level"]) for one in controls]
        title = values.redacted(str(substitute(str(experiment["title"]), configuration, secrets)), hidden)
        document_shown = {
            "source": re.sub(r"://[^/@\s]+@", "://***@", source),
            "experiment": values.redacted(values.without_inline(dict(document.experiment, title=title)), hidden),
            "findings": [{"level": one.level, "path": path_text(one.path), "line": one.line, "message": one.message, "fix": one.fix}
                         for one in findings],
            "notes": notes, "controls": controls, "strategies": chosen, "dry": dry or None, "duration": arguments["duration"],
            "hypothesis": values.redacted([item["activity"] for item in run.resolved(experiment, "hypothesis")], hidden),
            "background": [item["activity"].get("name") for item in run.resolved(experiment, "method") if item["background"]],
        }
        return {
            "problem": None, "document": document_shown, "title": title, "description": str(experiment.get("description") or ""),
            "tags": [str(tag) for tag in experiment.get("tags") or []] if isinstance(experiment.get("tags"), list) else [],
            "name": re.sub(r"[^A-Za-z0-9]+", "_", os.path.splitext(os.path.basename(source.partition("?")[0]))[0]).strip("_").lower() or "chaostoolkit",
            "hypothesis_title": str(hypothesis.get("title") or title),
            "hypothesis": [] if chosen["hypothesis"] == "skip" else [item["activity"] for item in run.resolved(experiment, "hypothesis")],
            "method": run.resolved(experiment, "method"), "rollbacks": run.resolved(experiment, "rollbacks"),
            "strategies": chosen, "dry": dry, "configuration": configuration, "secrets": secrets,
            "directory": os.getcwd(), "dynamic": any(values.is_dynamic(value) for value in configuration.values()),
            "notes": notes + ["%s%s: %s" % (path_text(one.path), " (line %s)" % one.line if one.line else "", one.message)
                              for one in findings if one.level == "warning"],
        }

    def values(self, experiment, arguments):
        """Configuration, secrets, and what is to be said of them. -e name=value stands for --var, -e @file.yaml for --var-file."""
        extra = {str(key): self.templated(value) for key, value in load_extra_vars(self._loader).items()}
        declared = experiment.get("configuration") or {}
        given, notes = dict(arguments["configuration"]), []
        given.update(extra["configuration"] if isinstance(extra.get("configuration"), dict) else {})
        notes += ["configuration.%s is given, and the experiment has no such key" % key for key in given if key not in declared]
        given.update((key, value) for key, value in extra.items() if key in declared)
        given_secrets = merged(extra.get("secrets") if isinstance(extra.get("secrets"), dict) else {}, arguments["secrets"])
        notes += ["%s stands in the file itself; have it come from the environment or from Vault" % path for path in values.inline(experiment.get("secrets"))]
        configuration = values.configuration(declared, given, os.environ)
        return configuration, values.secrets(experiment.get("secrets"), given_secrets, os.environ), notes

    def templated(self, value):
        try:
            return self._templar.template(value)
        except AnsibleError:
            return value  # a variable that is for something else, and cannot be read here


def merged(first, second):
    """Two maps of secrets as one; the second comes before the first."""
    if not isinstance(first, dict) or not isinstance(second, dict):
        return second
    return {**first, **{key: merged(first.get(key), value) for key, value in second.items()}}
