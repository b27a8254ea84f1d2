# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One TCP connection attempt, measured."""

from __future__ import annotations

import re
import socket
import time

from ansible_collections.gameday.chaos.plugins.module_utils.probe import BadArgument, NoData, positive

OPTIONS = {
    "host": {"type": "str", "default": "127.0.0.1"},
    "port": {"type": "int", "required": True},
    "timeout": {"type": "float", "default": 3.0},
    "state": {"type": "str", "choices": ["open", "closed"], "default": "open"},
    "max_seconds": {"type": "float"},
}


def validate(arguments):
    if not 1 <= arguments["port"] <= 65535:
        raise BadArgument("port: %s is not between 1 and 65535" % arguments["port"])
    if not re.fullmatch(r"[^\s/]+", arguments["host"]):
        raise BadArgument("host: %r is neither a name nor an address" % arguments["host"])
    positive(arguments, "timeout", "max_seconds")


def measure(arguments):
    """value is open or closed; error says why it is closed."""
    start = time.monotonic()
    error = None
    try:
        socket.create_connection((arguments["host"], arguments["port"]), arguments["timeout"]).close()
    except socket.timeout:
        error = "no answer within timeout %s s" % arguments["timeout"]
    except (socket.gaierror, UnicodeError) as problem:
        error = "the name cannot be resolved: %s" % (getattr(problem, "strerror", None) or problem)
        if arguments["state"] == "closed":  # a name with a typo must not look like a port that was closed
            raise NoData("host %s: %s" % (arguments["host"], error)) from None
    except OSError as problem:
        error = problem.strerror or str(problem)
    return {"value": "closed" if error else "open", "error": error, "host": arguments["host"], "port": arguments["port"],
            "seconds": time.monotonic() - start}


def judge(arguments, seen):
    if seen["value"] == arguments["state"]:
        return []
    why = " (%s)" % seen["error"] if seen["error"] else ": something listens there"
    return ["port: %s on %s is %s%s, expected %s" % (seen["port"], seen["host"], seen["value"], why, arguments["state"])]
