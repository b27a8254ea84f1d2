# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
What Ansible tells its callbacks, as events: small dicts of plain JSON without secrets, all that journal and story are made from.

    playbook  file, check                        play   play, uuid, free, check, become
    task      task, uuid, section                started  the same, and host
    result    the same, and play, delegate, item, module, start, at, status, ignored, changed, censored, msg, arguments,
              shape and data (what a module of ours returned) or output (of others), where (file and line), said (by debug)
    stats     hosts
"""

from __future__ import annotations

import datetime
import os

from ansible_collections.gameday.chaos.plugins.plugin_utils.masking import clean
from ansible_collections.gameday.chaos.plugins.plugin_utils.safety import is_free

# A result is ours when it has one of these keys with a dict that has this key in it.
SHAPES = {"fault": "claim", "observation": "met", "steady_state": "met", "recovery": "restored", "experiment": "run", "verdict": "verdict",
          "clock": "offset", "entry": "activity", "document": "source"}
PHASES = ("preflight", "before", "method", "evidence", "recover", "after", "verdict")
ECHOES = {"debug", "set_fact", "assert", "include_vars", "meta"}
BOOKKEEPING = {"setup", "gather_facts", "add_host", "group_by"}
INCLUDES = {"include_tasks", "include_role", "import_tasks", "import_role", "include"}
NOT_OUTPUT = {"invocation", "diff", "warnings", "deprecations", "exception", "ansible_facts", "results", "stdout_lines", "stderr_lines",
              "changed", "failed", "unreachable", "skipped", "ansible_loop_var", "attempts"}
LONGEST_TEXT = 8000


def iso_now():
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds")


def short(action):
    return str(action).rpartition(".")[2]


def section_of(task):
    """Where a task stands: the nearest phase of the experiment role, or the list of a block (rescue, always) that it is in."""
    child, parent = task, getattr(task, "_parent", None)
    while True:
        phase = (getattr(child, "vars", None) or {}).get("experiment_phase")
        if phase in PHASES:
            return str(phase), True
        if parent is None:
            return "method", False
        if is_in(child, getattr(parent, "always", None)):
            return "recover", False
        if is_in(child, getattr(parent, "rescue", None)):
            return "evidence", False
        child, parent = parent, getattr(parent, "_parent", None)


def is_in(child, tasks):
    return any(one._uuid == child._uuid for one in tasks or ())


def find_shape(action, result):
    if short(action) in ECHOES:
        return None, None
    for shape, key in SHAPES.items():
        if isinstance(result.get(shape), dict) and key in result[shape]:
            return shape, result[shape]
    return None, None


def tail(value):
    """Long texts end with what matters."""
    if isinstance(value, str) and len(value) > LONGEST_TEXT:
        return "…" + value[-LONGEST_TEXT:]
    if isinstance(value, dict):
        return {key: tail(one) for key, one in value.items()}
    if isinstance(value, list):
        return [tail(one) for one in value]
    return value


def presentable(mapping):
    return tail(clean({key: value for key, value in mapping.items() if not str(key).startswith("_ansible_")}))


def said(seen):
    """The text of debug, which has no other purpose than to be shown."""
    if "msg" in seen:
        return clean(seen["msg"])
    return {key: clean(value) for key, value in seen.items() if key not in NOT_OUTPUT and not str(key).startswith(("_", "ansible_"))}


class Observer:
    def __init__(self, check=False):
        self.check = check
        self.play_name = ""
        self.sections = {}
        self.starts = {}
        self.items = {}

    def playbook(self, playbook):
        return {"what": "playbook", "at": iso_now(), "file": str(getattr(playbook, "_file_name", "") or ""), "check": self.check}

    def play(self, play):
        self.play_name = clean(play.get_name().strip())
        return {"what": "play", "at": iso_now(), "play": self.play_name, "uuid": str(play._uuid), "free": is_free(play.strategy),
                "check": bool(self.check or play.check_mode), "become": play.become is True}

    def task(self, task):
        return {"what": "task", "at": iso_now(), **self.identity(task)}

    def started(self, host, task):
        if short(task.action) in INCLUDES:
            return None  # its end is never told
        at = iso_now()
        self.starts[host.get_name(), task._uuid] = at
        return {"what": "started", "at": at, "host": host.get_name(), **self.identity(task)}

    def identity(self, task):
        if task._uuid not in self.sections:
            self.sections[task._uuid] = section_of(task)
        section, by_role = self.sections[task._uuid]
        name = task.name or task.get_name()
        return {"task": clean(str(name).strip()), "uuid": task._uuid, "section": section, "by_role": by_role}

    def result(self, result, status, ignored=None):
        """The event of a result, or None where there is nothing to tell (the sum of a loop whose items were told)."""
        key = result.host.get_name(), result.task._uuid
        if self.items.pop(key, 0) and (status != "unreachable"):
            return None
        if status in ("ok", "skipped") and short(result.task.action) in INCLUDES:
            return None
        return self.one(result, status, ignored, self.starts.get(key))

    def item(self, result, status):
        """One item of a loop, told when it happens: the loop may never end."""
        key = result.host.get_name(), result.task._uuid
        if short(result.task.action) in INCLUDES:
            return None
        self.items[key] = self.items.get(key, 0) + 1
        event = self.one(result, status, None, self.starts.get(key))
        self.starts[key] = event["at"]
        return event

    def one(self, result, status, ignored, start):
        task, seen = result.task, result.result
        fields = result.task_fields or {}
        action = getattr(task, "resolved_action", None) or task.action
        at = iso_now()
        censored = "censored" in seen or bool(seen.get("_ansible_no_log"))
        event = {
            "what": "result", "at": at, "start": start or at, "host": result.host.get_name(), "play": self.play_name, **self.identity(task),
            "module": str(action), "status": status, "changed": bool(seen.get("changed")), "censored": censored,
            "ignored": bool(fields.get("ignore_errors")) if ignored is None else bool(ignored),
            "delegate": None, "item": None, "msg": None, "arguments": {}, "shape": None, "data": None, "output": None,
            "where": None, "said": None,
        }
        if result.task_name:
            event["task"] = clean(str(result.task_name).strip())
        if status == "failed" and task.get_path():
            event["where"] = os.path.relpath(task.get_path())
        if seen.get("lost") is True:  # within the role a host that cannot be reached has failed, so that the role can go on
            event.update(status="unreachable", ignored=False)
        elif status == "unreachable":
            event["ignored"] = bool(fields.get("ignore_unreachable"))
        delegated = seen.get("_ansible_delegated_vars")  # of an item of a loop, where it is not the same for all
        delegate = (delegated or {}).get("ansible_delegated_host") or fields.get("delegate_to") or task.delegate_to
        if delegate and "{{" not in str(delegate) and str(delegate) != event["host"]:
            event["delegate"] = str(delegate)
        if censored:
            return event
        self.add_content(event, action, seen)
        if event["status"] != "unreachable" and self.hides_a_failure(event, seen):
            event.update(status="failed", output=tail(clean({"msg": event["msg"]})))
        return event

    @staticmethod
    def hides_a_failure(event, seen):
        """The role's own phases go on after a failure (failed_when: false); what then comes without its shape did not do its work."""
        silenced = seen.get("failed_when_result") is False and event["status"] == "ok"
        own = event["by_role"] and event["section"] in ("before", "recover", "after")
        return silenced and own and not event["shape"] and bool(event["msg"])

    def add_content(self, event, action, seen):
        shape, data = find_shape(action, seen)
        event["msg"] = tail(clean(seen["msg"])) if seen.get("msg") is not None else None
        label = seen.get("_ansible_item_label", seen.get(seen.get("ansible_loop_var") or "item"))
        event["item"] = None if label is None else str(clean(label))
        if short(action) == "debug" and event["status"] == "ok":
            event["said"] = said(seen)
        if shape:
            event["shape"], event["data"] = shape, clean(data)
        elif self.keeps_output(event, action):
            event["output"] = presentable({key: value for key, value in seen.items() if key not in NOT_OUTPUT})
        if shape or event["output"] is not None:
            # Ansible has replaced what is no_log in these, which it has not in task.args.
            invocation = seen.get("invocation")
            arguments = invocation.get("module_args") if isinstance(invocation, dict) else None
            if isinstance(arguments, dict):
                event["arguments"] = presentable({key: value for key, value in arguments.items() if value is not None})

    @staticmethod
    def keeps_output(event, action):
        if event["status"] in ("failed", "unreachable") or event["section"] == "evidence":
            return True
        done = event["status"] == "ok" and event["section"] in ("method", "recover") and (event["changed"] or event["by_role"])
        return done and short(action) not in ECHOES | BOOKKEEPING

    @staticmethod
    def stats(stats):
        return {"what": "stats", "at": iso_now(), "hosts": {str(host): dict(stats.summarize(host)) for host in sorted(stats.processed)}}
