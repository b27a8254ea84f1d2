# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Before an experiment touches anything: may it run here and now, on these hosts, and can everything it calls be found?"""

from __future__ import annotations

import os

from ansible.errors import AnsibleError
from ansible.parsing.mod_args import ModuleArgsParser
from ansible.plugins.action import ActionBase
from ansible_collections.gameday.chaos.plugins.module_utils.fault import halted_words
from ansible_collections.gameday.chaos.plugins.plugin_utils import safety

BLOCKS = ("block", "rescue", "always")
INCLUDES = tuple(prefix + name for prefix in ("", "ansible.builtin.") for name in ("include_tasks", "import_tasks"))


class ActionModule(ActionBase):
    TRANSFERS_FILES = False

    def run(self, tmp=None, task_vars=None):
        super().run(tmp, task_vars)
        spec = {
            "title": {"type": "str", "required": True},
            "name": {"type": "str", "required": True},
            "run": {"type": "str", "required": True},
            "method": {"type": "str", "required": True},
            "description": {"type": "str", "default": ""},
            "tags": {"type": "list", "elements": "str", "default": []},
            "steady_state": {"type": "list", "elements": "dict", "default": []},
            "recovery": {"type": "float", "default": 60},
            "maximum_hosts": {"type": "str", "default": ""},
            "windows": {"type": "list", "elements": "dict", "default": []},
            "held_by": {"type": "list", "elements": "dict", "default": []},
            "unreadable": {"type": "list", "elements": "str", "default": []},
            "halted": {"type": "dict"},
        }
        arguments = self.validate_argument_spec(argument_spec=spec)[1]
        hosts = list(task_vars["ansible_play_hosts_all"])
        held = [fault for fault in arguments["held_by"] if fault.get("run") != arguments["run"]]
        problem = (
            self.method_problem(arguments["method"])
            or self.safety_problem(arguments, hosts, task_vars)
            or (arguments["halted"] and halted_words(arguments["halted"]))
            or (held and self.held_problem(held[0]))
            or (arguments["unreadable"] and "%s on this host has no readable record, so something may be broken there: run sh %s/revert there first"
                % (arguments["unreadable"][0], arguments["unreadable"][0]))
        )
        experiment = {key: arguments[key] for key in ("title", "description", "name", "run", "steady_state", "method", "recovery", "tags")}
        experiment["hosts"] = hosts
        experiment["method"] = os.path.relpath(arguments["method"]) if os.path.isabs(arguments["method"]) else arguments["method"]
        if problem:
            return {"failed": True, "msg": "%s. Nothing was touched" % problem, "experiment": experiment}
        return {"changed": False, "experiment": experiment}

    @staticmethod
    def held_problem(fault):
        if fault.get("overdue"):
            return ("the fault %s of run %s is still in place on this host although its time was over at %s, and could not be put back; "
                    "run %s there to see why" % (fault["claim"], fault["run"], fault["ends"], fault.get("way_back")))
        return ("the fault %s of run %s is still in place on this host until %s at the latest: one experiment at a time. "
                "End it with the module recover (claim: %s), or wait" % (fault["claim"], fault["run"], fault["ends"], fault["claim"]))

    @staticmethod
    def safety_problem(arguments, hosts, task_vars):
        try:
            safety.check_hosts({"play": len(hosts), "inventory": len(task_vars["groups"]["all"])}, arguments["maximum_hosts"])
            safety.check_window(arguments["windows"])
        except safety.Unsafe as error:
            return str(error)
        return None

    def method_problem(self, path):
        """A task whose module cannot be found ends the play without any always; so every one is looked for before the first is run."""
        if not os.path.isfile(path):
            return ("experiment_method: there is no file %s. Give an absolute path, or leave it out for tasks/method.yml of the including role "
                    "(role_path is of no use here: it means the role gameday.chaos.experiment)" % path)
        try:
            tasks = self._loader.load_from_file(path) or []
        except AnsibleError as error:
            return "experiment_method: %s cannot be read: %s" % (path, error.message)
        if not isinstance(tasks, list):
            return "experiment_method: %s is not a list of tasks" % path
        return self.tasks_problem(tasks, path)

    def tasks_problem(self, tasks, path):
        for task in tasks:
            if not isinstance(task, dict):
                return "%s: %r is no task" % (path, task)
            for name in BLOCKS:
                problem = self.tasks_problem(task.get(name) or [], path)
                if problem:
                    return problem
            problem = None if "block" in task else self.task_problem(task, path)
            if problem:
                return problem
        return None

    def task_problem(self, task, path):
        include = next((task[name] for name in INCLUDES if name in task), None)
        if include is not None:
            name = include.get("file") if isinstance(include, dict) else include
            name = os.path.join(os.path.dirname(path), str(name))
            return None if "{{" in name else self.method_problem(name)
        meta = task.get("meta") or task.get("ansible.builtin.meta") or ""
        if str(meta).startswith("end_"):
            return "%s: %r ends the play without putting anything back; use when instead" % (path, "meta: %s" % meta)
        try:
            ModuleArgsParser(task_ds=dict(task)).parse()
        except AnsibleError as error:
            return "%s: task %r: %s" % (path, task.get("name", "without a name"), error.message)
        return None
