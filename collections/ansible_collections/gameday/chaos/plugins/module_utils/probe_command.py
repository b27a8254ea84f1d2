# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of a program, measured."""

from __future__ import annotations

import os
import shlex
import time

from ansible_collections.gameday.chaos.plugins.module_utils.command import ask, find_tool
from ansible_collections.gameday.chaos.plugins.module_utils.probe import BadArgument, NoData, excerpt, expression, positive, text_reasons

NO_CHECK_MODE = True
OPTIONS = {
    "command": {"type": "raw", "required": True},
    "chdir": {"type": "path"},
    "timeout": {"type": "float", "default": 10.0},
    "rc": {"type": "list", "elements": "int", "default": [0]},
    "stdout_contains": {"type": "list", "elements": "str", "default": []},
    "stdout_matches": {"type": "str"},
    "max_seconds": {"type": "float"},
}


def validate(arguments):
    command = arguments["command"]
    if isinstance(command, str):
        try:
            command = shlex.split(command)
        except ValueError as error:
            raise BadArgument("command: %r cannot be split into words: %s" % (command, error)) from None
    if not isinstance(command, list) or not command:
        raise BadArgument("command: give the program and its arguments, as one string or as a list of words")
    arguments["command"] = [str(word) for word in command]
    if "\0" in "".join(arguments["command"]):
        raise BadArgument("command: a word holds a NUL character, which no program can be given")
    if arguments["chdir"] and not os.path.isdir(arguments["chdir"]):
        raise BadArgument("chdir: %s is no folder on this host" % arguments["chdir"])
    if arguments["stdout_matches"] is not None:
        expression("stdout_matches", arguments["stdout_matches"])
    positive(arguments, "timeout", "max_seconds")


def measure(arguments):
    """value is the exit code. A program that is not there, or does not end in time, gives no data, or an unmet expectation."""
    argv = arguments["command"]
    program = find_tool(argv[0] if "/" not in argv[0] else os.path.join(arguments["chdir"] or "", argv[0]))
    if not program:
        raise NoData("the program %s is not on this host" % argv[0])
    start = time.monotonic()
    answer = ask([program, *argv[1:]], arguments["timeout"], cwd=arguments["chdir"])
    in_time = answer.code != 124 or "no answer within" not in answer.err[-100:]
    return {"value": answer.code, "rc": answer.code, "in_time": in_time, "stdout": answer.out, "stderr": excerpt(answer.err),
            "seconds": time.monotonic() - start}


def judge(arguments, seen):
    stdout = seen["stdout"]
    seen["stdout"] = excerpt(stdout)
    if not seen["in_time"]:
        return ["did not end within timeout %s s" % arguments["timeout"]]
    reasons = []
    if seen["rc"] not in arguments["rc"]:
        reasons.append("exit code %s, expected %s%s" % (seen["rc"], " or ".join(str(code) for code in arguments["rc"]),
                                                        ": " + seen["stderr"].strip() if seen["stderr"].strip() else ""))
    return reasons + text_reasons("stdout", stdout, arguments["stdout_contains"], arguments["stdout_matches"])
