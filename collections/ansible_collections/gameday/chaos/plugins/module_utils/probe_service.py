# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of a systemd unit, and whether it was started again meanwhile."""

from __future__ import annotations

import re
import time
from datetime import timedelta

from ansible_collections.gameday.chaos.plugins.module_utils import clock
from ansible_collections.gameday.chaos.plugins.module_utils.command import ask
from ansible_collections.gameday.chaos.plugins.module_utils.probe import BadArgument, NoData, instant

ASKED = ("Id", "LoadState", "ActiveState", "SubState", "Result", "NRestarts", "MainPID", "ExecMainStartTimestampMonotonic",
         "ActiveEnterTimestampMonotonic")
OPTIONS = {
    "name": {"type": "str", "required": True},
    "state": {"type": "list", "elements": "str", "default": ["active"],
              "choices": ["active", "reloading", "inactive", "failed", "activating", "deactivating", "absent"]},
    "sub_state": {"type": "list", "elements": "str", "default": []},
    "max_restarts": {"type": "int"},
    "restarted": {"type": "bool"},
    "since": {"type": "str"},
}


def validate(arguments):
    if not re.fullmatch(r"[A-Za-z0-9:_.\\@][A-Za-z0-9:_.\\@-]*", arguments["name"]):
        raise BadArgument("name: %r is no name of a unit" % arguments["name"])
    if arguments["max_restarts"] is not None and arguments["max_restarts"] < 0:
        raise BadArgument("max_restarts: %s is less than 0" % arguments["max_restarts"])
    if arguments["restarted"] is not None and not arguments["since"]:
        raise BadArgument("restarted: needs since, the instant from which on a start counts; in an experiment of the role it is there by itself, and in "
                          "the probes of a steady_state it is \"{{ experiment_begin }}\"")
    instant("since", arguments["since"])


def unit_of(name):
    return name if re.search(r"\.(service|socket|timer|path|mount|automount|swap|target|slice|scope|device)$", name) else name + ".service"


def measure(arguments):
    """value is the unit's active state, or absent; started_at is when its main process was started (a unit without one: when it became active)."""
    unit = unit_of(arguments["name"])
    answer = ask(["systemctl", "show", "--property", ",".join(ASKED), unit])
    found = dict(line.split("=", 1) for line in answer.out.splitlines() if "=" in line)
    if answer.code or "ActiveState" not in found:
        raise NoData("systemd cannot be asked on this host (is it PID 1?): %s" % answer.words)
    absent = found["LoadState"] == "not-found"
    began = int(found.get("ExecMainStartTimestampMonotonic") or 0) or int(found.get("ActiveEnterTimestampMonotonic") or 0)
    started = clock.iso(clock.now() - timedelta(seconds=time.monotonic() - began / 1e6)) if began else None
    return {"value": "absent" if absent else found["ActiveState"], "unit": found["Id"], "sub_state": found["SubState"], "result": found.get("Result"),
            "restarts": int(found["NRestarts"]) if found.get("NRestarts", "").isdigit() else None, "pid": int(found.get("MainPID") or 0) or None,
            "started_at": started}


def judge(arguments, seen):
    reasons = []
    if seen["value"] not in arguments["state"]:
        failure = ", result %s" % seen["result"] if seen["value"] == "failed" else ""
        reasons.append("%s is %s (%s%s), expected %s" % (seen["unit"], seen["value"], seen["sub_state"], failure, " or ".join(arguments["state"])))
    if arguments["sub_state"] and seen["sub_state"] not in arguments["sub_state"]:
        reasons.append("%s is in sub state %s, expected %s" % (seen["unit"], seen["sub_state"], " or ".join(arguments["sub_state"])))
    if arguments["max_restarts"] is not None:
        if seen["restarts"] is None:
            raise NoData("systemd does not count the restarts of %s" % seen["unit"])
        if seen["restarts"] > arguments["max_restarts"]:
            reasons.append("%s was restarted %s times, at most %s expected" % (seen["unit"], seen["restarts"], arguments["max_restarts"]))
    if arguments["restarted"] is not None:
        again = seen["started_at"] is not None and clock.parse(seen["started_at"]) > clock.parse(arguments["since"])
        if again != arguments["restarted"]:
            when = "at %s" % seen["started_at"] if seen["started_at"] else "never"
            reasons.append("%s was %sstarted since %s (last: %s)" % (seen["unit"], "" if again else "not ", arguments["since"], when))
    return reasons
