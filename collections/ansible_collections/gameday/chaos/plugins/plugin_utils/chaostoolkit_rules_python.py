# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Python providers that only wrap something that Chaos Toolkit has itself, or that it cannot run: subprocess.run, time.sleep, run_activity."""

from __future__ import annotations

import shlex

from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_rules import is_map, is_number, is_variable

RUNNERS = ("run", "call", "check_call", "check_output", "Popen", "getoutput", "getstatusoutput")
CHECKING = ("check_call", "check_output")
SHELL_ALWAYS = ("getoutput", "getstatusoutput")
# What only says how the output is handed over, which a process provider does in its own way.
OUTPUT_OPTIONS = ("capture_output", "text", "universal_newlines", "encoding", "errors", "stdout", "stderr", "bufsize", "close_fds", "start_new_session")
PATIENCE = 10  # seconds that a sleep may take longer than it was asked to


def unwrap(path, activity, report):
    """func: run_activity with the real activity among its arguments."""
    provider = activity.get("provider")
    arguments = provider.get("arguments") if is_map(provider) and provider.get("func") == "run_activity" else None
    inner = arguments.get("activity") if is_map(arguments) else None
    if not is_map(inner) or not is_map(inner.get("provider")):
        return
    report.add("wrapped-activity", (*path, "provider", "func"), "the activity is wrapped into run_activity of %s, which an experiment cannot call; "
               "what is inside is taken for it" % provider.get("module"), "Write the inner provider in place of this one")
    activity["provider"] = inner["provider"]
    report.moved((*path, "provider"), (*path, "provider", "arguments", "activity", "provider"))
    for key in ("tolerance", "pauses", "expect"):
        if key in inner:
            activity.setdefault(key, inner[key])


def translate(path, activity, report):
    provider = activity["provider"]
    if provider.get("type") != "python" or not isinstance(provider.get("module"), str) or not isinstance(provider.get("func"), str):
        return
    arguments = provider.get("arguments", {})
    if not is_map(arguments):
        return
    name = (provider["module"], provider["func"])
    if name == ("time", "sleep") and len(arguments) == 1:
        sleep(path, activity, next(iter(arguments.values())), report)
    elif name == ("os", "system") and set(arguments) == {"command"} and isinstance(arguments["command"], str):
        process(path, activity, ["sh", "-c", arguments["command"]], {}, report)
    elif name[0] == "subprocess" and name[1] in RUNNERS:
        subprocess_call(path, activity, name[1], arguments, report)


def sleep(path, activity, seconds, report):
    if not (is_number(seconds) and seconds >= 0 or is_variable(seconds)):
        return
    report.add("python-sleep", (*path, "provider", "func"), "time.sleep has no signature that Chaos Toolkit can read, upon which its validation ends with a "
               "traceback; it is taken for a process that sleeps", "Use pauses: {after: %s} in the activity before" % seconds)
    activity["provider"] = {"type": "process", "path": "sleep", "arguments": [str(seconds)]}
    if is_number(seconds):
        activity["provider"]["timeout"] = seconds + PATIENCE


def subprocess_call(path, activity, func, arguments, report):
    options = {key: value for key, value in arguments.items() if key not in OUTPUT_OPTIONS}
    command = options.pop("cmd" if func in SHELL_ALWAYS else "args", None)
    shell = options.pop("shell", False) or func in SHELL_ALWAYS
    extra = {"timeout": options.pop("timeout")} if is_number(options.get("timeout")) else {}
    check = options.pop("check", False) or func in CHECKING
    if isinstance(command, str) and command.strip():
        vector = ["sh", "-c", command] if shell else words(command)
    elif isinstance(command, list) and command and all(isinstance(one, (str, int, float)) for one in command) and not shell:
        vector = [str(one) for one in command]
    else:
        vector = None
    if vector is None or options:
        why = "%s has no counterpart in a process" % ", ".join(map(str, options)) if options else "its arguments cannot be read as a command"
        report.add("python-pitfall", (*path, "provider", "func"), "what subprocess.%s returns is no JSON, which leaves Chaos Toolkit's journal cut off; and %s"
                   % (func, why), "Use a process provider: path and a list of arguments")
        return
    process(path, activity, vector, extra, report)
    if check and "tolerance" not in activity:
        activity["tolerance"] = 0


def words(command):
    try:
        return shlex.split(command) or None
    except ValueError:
        return None


def process(path, activity, vector, extra, report):
    report.add("python-process", (*path, "provider", "func"), "what %s.%s returns is no JSON, which leaves Chaos Toolkit's journal cut off; it is taken for a "
               "process" % (activity["provider"]["module"], activity["provider"]["func"]),
               "Use a process provider: path: %s, arguments: [%s]" % (vector[0], ", ".join(shlex.quote(one) for one in vector[1:])))
    expect = {"expect": activity["provider"]["expect"]} if "expect" in activity["provider"] else {}
    activity["provider"] = {"type": "process", "path": vector[0], "arguments": vector[1:], **extra, **expect}
