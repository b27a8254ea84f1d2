# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Activities of a method as tasks: a fault module where one is known, else what Chaos Toolkit would do, in Ansible's words."""

from __future__ import annotations

from dataclasses import dataclass, field

from ansible_collections.gameday.chaos.plugins.plugin_utils import chaostoolkit_convert_probes as probes
from ansible_collections.gameday.chaos.plugins.plugin_utils import chaostoolkit_faults as faults
from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_convert_values import Unconvertible, comment, dump, literal, quoted, sentence
from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_rules import is_map, is_number, is_variable

# The option of a fault that says what is hit, and what its variable is called.
TARGETS = {"fault_container": ("name", "container"), "fault_service": ("name", "service"), "fault_network": ("interface", "interface"),
           "fault_proxy": ("name", "proxy"), "fault_process": (None, "process"), "fault_cpu": ("container", "container"),
           "fault_memory": ("container", "container"), "fault_io": ("container", "container")}
SELECTORS = ("pid_file", "name", "pattern")
SAID = {"container": "Name or id of the container that is hit.", "service": "The systemd unit that is hit.", "interface": "The network interface that is hit.",
        "proxy": "Name of the proxy in Toxiproxy.", "pid_file": "Pid file of the process that is hit.", "process": "Name of the process that is hit.",
        "pattern": "A regular expression for the command line of the process that is hit.", "proxy_api": "Where Toxiproxy's HTTP API listens."}


@dataclass
class Task:
    name: str
    module: str
    arguments: dict
    keywords: dict = field(default_factory=dict)
    comments: list = field(default_factory=list)
    original: dict | None = None

    def text(self):
        written = dump([{"name": self.name, self.module: self.arguments, **self.keywords}])
        return comment(*self.comments) + (quoted(self.original) if self.original else "") + written.replace("  %s: {}\n" % self.module, "  %s:\n" % self.module)


def wait(seconds, variables, name=None):
    return Task(name or ("Wait" if is_variable(seconds) else "Wait %s s" % seconds), "ansible.builtin.wait_for",
                {"timeout": variables.text(seconds) if is_variable(seconds) else seconds})


def tasks(path, item, role):
    """The tasks of one activity of the method; C(role) collects variables and notes."""
    activity = role.resolve(item)
    found = []
    pauses = activity.get("pauses") or {}
    if pauses.get("before"):
        found.append(wait(pauses["before"], role.variables))
    try:
        found += of_activity(path, activity, role)
    except Unconvertible as reason:
        found.append(failing(path, activity, reason, role))
    if pauses.get("after"):
        found.append(wait(pauses["after"], role.variables))
    return found


def failing(path, activity, reason, role):
    text = "%s: %s" % (path, reason)
    role.note("%s. The task fails until you write it" % text)
    return Task(sentence(activity["name"]), "ansible.builtin.fail", {"msg": literal("Not converted: %s" % text)},
                comments=["Not converted: %s. In the original:" % text], original=activity)


def of_activity(path, activity, role):
    seconds = faults.waits(activity)
    if seconds is not None:
        whole = is_number(seconds) and float(seconds).is_integer()
        return [wait(int(seconds) if whole else seconds, role.variables, sentence(activity["name"]))]
    if activity["type"] == "probe":
        return [of_probe(activity, role)]
    known = faults.recognise(activity)
    if known:
        names = [sentence(activity["name"]) + (", %s" % fault.thing[-1] if len({one.thing for one in known}) > 1 else "") for fault in known]
        return [task for name, fault in zip(names, known, strict=True) for task in of_fault(name, fault, role)]
    undone = faults.puts_back(activity)
    if undone and all(any(fault.thing[:len(thing)] == thing for fault in role.faults) for thing in undone):
        return [Task(sentence(activity["name"]), "gameday.chaos.recover", {}, comments=["Every fault of this run, and it is proved that they ended."])]
    return [of_action(path, activity, role)]


def of_probe(activity, role):
    probe = role.probe(activity)
    keywords, comments = {}, list(probe.comments)
    if not probe.judged:
        keywords["failed_when"] = False
        comments.append("Only looks, as in the original. Say what is expected, and remove failed_when, to have it judged.")
    return Task(sentence(activity["name"]), "gameday.chaos.%s" % probe.kind, probe.options, keywords, comments)


def of_fault(name, fault, role):
    """The fault, and before it the look for a container that only docker compose knows."""
    arguments, found, keywords = {}, [], {}
    given = {key: role.variables.value(value) for key, value in fault.arguments.items()}
    if fault.lookup:
        register = role.unique("found_%s" % fault.lookup[-1])
        found.append(Task("Find the container of %s" % fault.lookup[-1], "ansible.builtin.command",
                          {"argv": [*role.variables.value(fault.lookup)], "chdir": role.compose_directory()},
                          {"register": register, "changed_when": False, "check_mode": False, "failed_when": "%s.stdout_lines | length != 1" % register}))
        arguments[fault.lookup_argument] = "{{ %s.stdout }}" % register
    selector = next((name for name in SELECTORS if name in given), None) if fault.module == "fault_process" else TARGETS[fault.module][0]
    if selector in given:
        called = {"name": "process", "pid_file": "pid_file", "pattern": "pattern"}[selector] if fault.module == "fault_process" else TARGETS[fault.module][1]
        arguments[selector] = role.variable(called, given.pop(selector), SAID[called])
    if "api" in given:
        given = {"api": role.variable("proxy_api", given.pop("api"), SAID["proxy_api"]), **given}
    comments = []
    if given.get("action") == "stop":
        del given["action"]  # the default
    if given.get("action") == "kill" and given.get("signal") == "KILL":
        del given["signal"]
    if fault.module == "fault_process" and given.get("action") == "kill":
        given.update(role.restart(fault, comments))
    if "percent" in given:
        comments.append("percent is of what may still be taken, and not of all memory.")
    if fault.become:
        keywords["become"] = True
    # In the order in which one reads it: what, how, for how long.
    return [*found, Task(name, "gameday.chaos.%s" % fault.module,
                         {**arguments, **given, "duration": "{{ %s }}" % role.name_of("duration")}, keywords, comments)]


def of_action(path, activity, role):
    """An action that is no known fault: nothing of ours puts it back."""
    provider, kind = activity["provider"], activity["provider"]["type"]
    keywords, comments = {}, []
    if kind == "http":
        task = of_request(activity, provider, role.variables)
    else:
        argv = probes.vector(provider, role.variables) if kind == "process" else probes.call(provider, role.variables)
        task = Task(sentence(activity["name"]), "ansible.builtin.command", {"argv": argv, **role.folder_for(argv)}, {"changed_when": True})
        tolerance = activity.get("tolerance")
        if isinstance(tolerance, int) and not isinstance(tolerance, bool) and tolerance:
            keywords["register"] = role.unique("done")
            keywords["failed_when"] = "%s.rc != %d" % (keywords["register"], tolerance)
    if activity.get("background"):
        keywords.update({"async": 3600, "poll": 0})
    timeout = probes.seconds_of(provider, None)
    if is_number(timeout) and kind == "process" and not activity.get("background"):
        keywords["timeout"] = max(1, int(timeout))
    if path.startswith("method"):
        role.acted(activity, keywords.setdefault("register", role.unique("done")))
        comments.append("No fault module is known for this, so that no host puts it back by itself.")
    task.keywords.update(keywords)
    task.comments += comments
    return task


def of_request(activity, provider, variables):
    method = str(provider.get("method") or "GET").upper()
    arguments = {"url": variables.text(provider["url"])}
    sent = probes.request(provider, method, arguments, variables)
    body = sent.pop("body", None)
    arguments["method"] = method
    if "headers" in sent:
        arguments["headers"] = sent["headers"]
    if body is not None:
        arguments.update({"body": body, **({"body_format": "json"} if is_map(body) else {})})
    status = probes.merged(probes.http_expectations(activity["tolerance"], variables)) if activity.get("tolerance") is not None else {}
    if set(status) - {"status"}:
        raise Unconvertible("an action is judged only by its status")
    arguments["status_code"] = status.get("status", "{{ range(200, 400) | list }}")
    arguments["timeout"] = probes.number_or_variable(probes.seconds_of(provider, probes.HTTP_TIMEOUT), variables)
    if provider.get("verify_tls") is False:
        arguments["validate_certs"] = False
    return Task(sentence(activity["name"]), "ansible.builtin.uri", arguments, {"changed_when": True})
