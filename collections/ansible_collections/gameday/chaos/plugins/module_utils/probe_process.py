# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many processes of a sort are there, and how they are."""

from __future__ import annotations

from ansible_collections.gameday.chaos.plugins.module_utils import process
from ansible_collections.gameday.chaos.plugins.module_utils.probe import BadArgument, NoData, expression

SELECTORS = ("pid_file", "name", "pattern", "port", "user")
CONSTRAINTS = {"required_one_of": [SELECTORS]}
OPTIONS = {
    "pid_file": {"type": "path"},
    "name": {"type": "str"},
    "pattern": {"type": "str"},
    "port": {"type": "int"},
    "user": {"type": "str"},
    "minimum": {"type": "int", "default": 1},
    "maximum": {"type": "int"},
    "frozen": {"type": "bool", "default": False},
}


def validate(arguments):
    if not any(arguments[name] for name in SELECTORS):  # given, but as null or as nothing: that would be every process
        raise BadArgument("%s: give a value for at least one of them" % ", ".join(SELECTORS))
    if arguments["pattern"] is not None:
        expression("pattern", arguments["pattern"])
    if arguments["maximum"] is not None and arguments["maximum"] < arguments["minimum"]:
        raise BadArgument("maximum: %s is less than minimum %s; for no process at all set minimum: 0, too"
                          % (arguments["maximum"], arguments["minimum"]))
    if arguments["port"] is not None and not 1 <= arguments["port"] <= 65535:
        raise BadArgument("port: %s is not between 1 and 65535" % arguments["port"])
    try:
        if arguments["user"] is not None:
            process.uid_of(arguments["user"])
    except KeyError:
        raise BadArgument("user: there is no user %r on this host" % arguments["user"]) from None


def measure(arguments):
    """value is the number of living processes that match."""
    try:
        found = process.matching(**{name: arguments[name] for name in SELECTORS if arguments[name] is not None})
    except (FileNotFoundError, ValueError):
        found = []
    except OSError as error:
        raise NoData("pid_file: %s cannot be read: %s; use become" % (arguments["pid_file"], error.strerror)) from None
    if not found and arguments["port"] is not None:
        pids, listening = process.listeners(arguments["port"])
        if listening and not pids:
            raise NoData("port: something listens on %s, and this user may not see which process it is; use become" % arguments["port"])
    return {"value": len(found), "processes": [str(one) for one in found[:10]], "frozen": [one.pid for one in found if one.state in "Tt"]}


def judge(arguments, seen):
    reasons = []
    if seen["value"] < arguments["minimum"]:
        reasons.append("%s such processes, at least %s expected" % (seen["value"], arguments["minimum"]))
    if arguments["maximum"] is not None and seen["value"] > arguments["maximum"]:
        reasons.append("%s such processes, at most %s expected: %s" % (seen["value"], arguments["maximum"], "; ".join(seen["processes"])))
    if seen["value"] and bool(seen["frozen"]) != arguments["frozen"]:
        reasons.append("%s of them frozen, %s expected" % (len(seen["frozen"]), "some" if arguments["frozen"] else "none"))
    return reasons
