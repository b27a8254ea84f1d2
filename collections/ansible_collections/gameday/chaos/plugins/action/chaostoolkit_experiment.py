# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads an experiment of Chaos Toolkit on the controller and decides all that can be decided before anything is done."""

from __future__ import annotations

import os

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.vars import load_extra_vars
from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_configuration import Problem
from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_file import FileProblem, load, path_text
from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_prepare import prepare

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
        document = load(arguments["source"], arguments["token"])
        extra = {str(key): self.templated(value) for key, value in load_extra_vars(self._loader).items()}
        return dict(prepare(document, arguments, extra, os.environ, self._play_context.check_mode or self._task.check_mode), directory=os.getcwd())

    def templated(self, value):
        try:
            return self._templar.template(value)
        except AnsibleError:
            return value  # a variable that is for something else, and cannot be read here
