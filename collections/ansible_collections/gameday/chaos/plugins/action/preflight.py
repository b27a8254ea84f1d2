# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Before an experiment touches anything: may it run here and now, on these hosts, and can everything it calls be found?"""

from __future__ import annotations

import os

from ansible import context
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
            "barrier": {"type": "float", "default": 0},
            "interval": {"type": "float", "default": 0.1},
            "windows": {"type": "list", "elements": "dict", "default": []},
            "held_by": {"type": "list", "elements": "dict", "default": []},
            "unreadable": {"type": "list", "elements": "str", "default": []},
            "halted": {"type": "dict"},
        }
        arguments = self.validate_argument_spec(argument_spec=spec)[1]
        hosts = list(task_vars["ansible_play_hosts_all"])
        held = [fault for fault in arguments["held_by"] if fault.get("run") != arguments["run"]]
        problem = (
            self.method_problem(arguments["method"], task_vars)
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

    def safety_problem(self, arguments, hosts, task_vars):
        try:
            safety.check_hosts({"play": len(hosts), "inventory": len(task_vars["groups"]["all"])}, arguments["maximum_hosts"])
            safety.check_window(arguments["windows"])
            safety.check_strategy(self._task.play.strategy, arguments["steady_state"], arguments["barrier"])
            safety.check_times(arguments["steady_state"], arguments["recovery"], arguments["interval"])
            safety.check_barrier(arguments["barrier"], len(task_vars["ansible_play_batch"]), context.CLIARGS.get("forks") or 1)
        except safety.Unsafe as error:
            return str(error)
        return None

    def method_problem(self, path, task_vars, within=()):
        """A task whose module cannot be found ends the play without any always; so every one is looked for before the first is run."""
        path = os.path.normpath(path)
        if path in within:
            return None  # it includes itself, as long as something says so
        if not os.path.isfile(path):
            return ("experiment_method: there is no file %s. Give an absolute path, or leave it out for tasks/method.yml of the including role "
                    "(role_path is of no use here: it means the role gameday.chaos.experiment)" % path)
        try:
            tasks = self._loader.load_from_file(path, trusted_as_template=True) or []
        except AnsibleError as error:
            return "experiment_method: %s cannot be read: %s" % (path, error.message)
        if not isinstance(tasks, list):
            return "experiment_method: %s is not a list of tasks" % path
        return self.tasks_problem(tasks, (*within, path), task_vars)

    def tasks_problem(self, tasks, within, task_vars, above=None):
        path = within[-1]
        for task in tasks:
            if not isinstance(task, dict):
                return "%s: %r is no task" % (path, task)
            task = dict({"delegate_to": above} if above else {}, **task)
            if task.get("rescue"):
                return ("%s: %r: a rescue would hide from the verdict what failed in the block. Say what is expected by the options of the probe, or by "
                        "failed_when; what must be done in any case belongs into always" % (path, task.get("name", "a block")))
            for name in BLOCKS:
                problem = self.tasks_problem(task.get(name) or [], within, task_vars, task.get("delegate_to"))
                if problem:
                    return problem
            problem = None if "block" in task else self.task_problem(task, within, task_vars)
            if problem:
                return problem
        return None

    def task_problem(self, task, within, task_vars):
        path = within[-1]
        include = next((task[name] for name in INCLUDES if name in task), None)
        if include is not None:
            name = include.get("file") if isinstance(include, dict) else include
            name = os.path.join(os.path.dirname(path), str(name))
            return None if "{{" in name else self.method_problem(name, task_vars, within)
        meta = task.get("meta") or task.get("ansible.builtin.meta") or ""
        if str(meta).startswith("end_"):
            return "%s: %r ends the play without putting anything back; use when instead" % (path, "meta: %s" % meta)
        try:
            action, _arguments, delegate = ModuleArgsParser(task_ds=dict(task)).parse()
            if isinstance(delegate, str):  # local_action
                task = dict(task, delegate_to=delegate)
        except AnsibleError as error:
            return "%s: task %r: %s" % (path, task.get("name", "without a name"), error.message)
        outside = self.broken_outside(action, task, task_vars)
        return outside and "%s: task %r: delegate_to: %s" % (path, task.get("name", "without a name"), outside)

    def broken_outside(self, action, task, task_vars):
        """A fault on a host that is not in the play would be put back by its own timer alone, and nobody would judge that host."""
        if not action.rpartition(".")[2].startswith(("fault_", "background_load")) or not task.get("delegate_to"):
            return None
        try:
            hosts = [str(host) for host in self.delegates(task, task_vars)]
        except AnsibleError as error:
            return "on which host that breaks something cannot be told before the method (%s); take hosts of the play, and when" % error.message
        strangers = [host for host in hosts if host not in task_vars["ansible_play_batch"]]
        return ("%s is none of the hosts that take part here, so nobody would put it back and judge it; take it into the play (hosts, --limit, serial)"
                % strangers[0]) if strangers else None

    def delegates(self, task, task_vars):
        """What delegate_to amounts to, for every item of a loop."""
        templar, loop = self._templar, task.get("loop", task.get("with_items"))
        if loop is None:
            return [templar.template(task["delegate_to"])]
        name = (task.get("loop_control") or {}).get("loop_var", "item")
        items = templar.template(loop)
        return [templar.copy_with_new_env(available_variables={**task_vars, name: item}).template(task["delegate_to"]) for item in items]
