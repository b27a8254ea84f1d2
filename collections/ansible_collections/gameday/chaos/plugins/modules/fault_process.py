#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: fault_process
short_description: Freeze or kill a process
version_added: 0.1.0
description:
  - Freezes a process (it goes on when the fault ends), or kills it and has it started again when the fault ends.
  - A process is known by its pid and its start time, so a pid that is used again is never touched.
  - Never hit are init, sshd, the container engine, Ansible itself and everything it runs in.
  - All selectors that are given must apply. At least one is needed.
extends_documentation_fragment:
  - gameday.chaos.fault
  - gameday.chaos.attributes.changes
author: Gameday (@gameday)
options:
  pid_file:
    description: The process whose pid this file holds in its first line.
    type: path
  name:
    description: Exact name of the process, as C(ps -o comm) shows it, or of the program it was started from.
    type: str
  pattern:
    description: A Python regular expression that is found somewhere in the command line.
    type: str
  port:
    description: The process that listens on this TCP port.
    type: int
  user:
    description: The user that the process runs as, by name or number.
    type: str
  count:
    description:
      - How many processes the fault may hit.
      - Where more match, nothing is touched and the error lists them.
    type: int
    default: 1
  action:
    description:
      - V(stop) freezes the process (SIGSTOP). It is still there, and does not answer.
      - V(kill) sends O(signal), upon which the process must end.
    type: str
    choices: [stop, kill]
    default: stop
  signal:
    description:
      - Signal of O(action=kill), by name or number, one that ends a process. V(INT) or V(TERM) let many servers end in good order.
      - A process that is still there after ten seconds is ended with V(KILL).
    type: str
    default: KILL
  restart:
    description:
      - The command that starts the process again, as a list of words (no shell). It is run detached, with the umask of
        what was killed, and an empty environment but for E(PATH).
      - What it starts must be recognisable as what was killed, by O(pid_file) or O(port) where these were given, else by the same
        command line. After three starts without success the way back only waits.
      - To start it as another user, put C(setpriv) or C(runuser) in front.
      - Kept in the ledger, which only the executing user can read.
    type: list
    elements: str
  restart_directory:
    description: Where O(restart) is run.
    type: path
    default: /
  restart_within:
    description: Seconds that the process may need to be there again after O(restart), before it is started once more.
    type: int
    default: 20
  supervised:
    description:
      - Something else (systemd, a supervisor) starts the process again. The way back only waits and makes sure that it did.
      - One of O(restart) and O(supervised) is needed for O(action=kill).
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: PostgreSQL hangs for twenty seconds
  gameday.chaos.fault_process:
    pid_file: /var/lib/postgresql/15/main/postmaster.pid
    duration: 20

- name: The worker is gone until it is started again
  gameday.chaos.fault_process:
    pattern: 'celery .* worker$'
    action: kill
    restart: [runuser, -u, celery, --, /srv/app/bin/celery, -A, app, worker]
    duration: 30

- name: Does the supervisor bring the cache back?
  gameday.chaos.fault_process:
    port: 6379
    action: kill
    supervised: true
    duration: 30
"""

RETURN = r"""
fault:
  description: The fault as the ledger has it. See the documentation page C(docs/results.md) for its keys.
  returned: when the fault is, was or would be in place
  type: dict
"""

import os
import re
import shutil

from ansible_collections.gameday.chaos.plugins.module_utils import process, way_back
from ansible_collections.gameday.chaos.plugins.module_utils.command import find_tool
from ansible_collections.gameday.chaos.plugins.module_utils.fault import Check, Plan, Refused, refuse_options_of_others, run_fault

SELECTORS = ("pid_file", "name", "pattern", "port", "user")
MAXIMUM_RESTART = 3600
OF_ACTION = dict.fromkeys(("signal", "restart", "restart_directory", "restart_within", "supervised"), "kill")
OPTIONS = {
    "pid_file": {"type": "path"},
    "name": {"type": "str"},
    "pattern": {"type": "str"},
    "port": {"type": "int"},
    "user": {"type": "str"},
    "count": {"type": "int", "default": 1},
    "action": {"type": "str", "choices": ["stop", "kill"], "default": "stop"},
    "signal": {"type": "str", "default": "KILL"},
    "restart": {"type": "list", "elements": "str"},
    "restart_directory": {"type": "path", "default": "/"},
    "restart_within": {"type": "int", "default": 20},
    "supervised": {"type": "bool", "default": False},
}


def claim(params, look):
    empty = [name for name in SELECTORS if params[name] == ""]
    if empty or all(params[name] is None for name in SELECTORS):
        raise Refused("%s: give a value for at least one of them, and leave out those that have none" % ", ".join(SELECTORS))
    return "process/" + ",".join("%s=%s" % (name, params[name]) for name in SELECTORS if params[name] is not None)


def selected(params):
    """The processes to hit: at least one, at most count, none of them spared."""
    chosen = {name: params[name] for name in SELECTORS if params[name] is not None}
    words = ", ".join("%s: %s" % item for item in chosen.items())
    try:
        found = process.matching(**chosen)
    except re.error as error:
        raise Refused("pattern: %r is no regular expression: %s" % (params["pattern"], error)) from None
    except (OSError, ValueError) as error:
        raise Refused("pid_file: %s cannot be used: %s. Is the process running?" % (params["pid_file"], getattr(error, "strerror", None) or error)) \
            from None
    except KeyError:
        raise Refused("user: there is no user %r on this host" % params["user"]) from None
    chain = process.ancestors(os.getpid())
    reasons = {one.pid: process.spared(one, chain) for one in found}
    if found and all(reasons.values()):
        raise Refused("%s: only processes that are never hit match: %s"
                      % (words, "; ".join("%s %s" % (one, reasons[one.pid]) for one in found[:5])))
    found = [one for one in found if not reasons[one.pid]]
    if not found and params["port"] is not None and process.listeners(params["port"])[1]:
        raise Refused("%s: something listens on that port, but this user may not see which process it is, or the other selectors exclude it: "
                      "use become, or point at the process otherwise" % words)
    if not found:
        raise Refused("%s: no such process is running on this host (a dead one, or a zombie, does not count)" % words)
    if len(found) > params["count"]:
        raise Refused("%s: %s processes match, and count is %s: narrow the choice, or raise count. They are: %s"
                      % (words, len(found), params["count"], "; ".join(str(one) for one in found[:12])))
    for one in found:
        try:
            os.kill(one.pid, 0)
        except PermissionError:
            raise Refused("%s may not be signalled by this user: use become" % one) from None
        except ProcessLookupError:
            raise Refused("%s has just ended; look at what it is doing, and try again" % one) from None
    return found


def back(params, found):
    """The question whether a killed process is there again, asked the way it was pointed at."""
    if params["port"] is not None:
        return ["listening_port", "%04X" % params["port"]]
    first = found[0]
    if params["pid_file"] is not None:
        return ["process_in_pid_file", params["pid_file"], first.name]
    commands = [process.as_sh_reads(first.command.decode("utf-8", "surrogateescape"))]
    if params["restart"]:  # the same program, perhaps by its full path now
        commands.append(process.as_sh_reads("".join(restarting(params, first)[3:])))
    return ["processes_like", str(len(found)), str(first.user), first.name, *dict.fromkeys(commands)]


def restarting(params, first):
    """The command as it was given, but with its path spelled out where the way back's own search path would not find it."""
    name = params["restart"][0]
    program = find_tool(name)
    if not program or not os.path.isabs(program):
        raise Refused("restart: %r is no program on this host; give its absolute path" % params["restart"][0])
    if not os.path.isabs(params["restart_directory"]):
        raise Refused("restart_directory: %r is not absolute; the way back runs in / and would look elsewhere" % params["restart_directory"])
    if not os.path.isdir(params["restart_directory"]):
        raise Refused("restart_directory: %s is no folder on this host" % params["restart_directory"])
    known = shutil.which(name, path=way_back.PATH) is not None
    return ["start_process", process.umask(first.pid), params["restart_directory"], name if known else program, *params["restart"][1:]]


def killing(params, found, identities):
    try:
        signal = process.ending_signal(params["signal"], "action: stop")
    except ValueError as error:
        raise Refused(str(error)) from None
    if not params["restart"] and not params["supervised"]:
        raise Refused("restart: a killed process does not come back by itself; give the command that starts it again (restart), "
                      "or say that something else does (supervised: true)")
    if len({(one.name, one.command, one.user) for one in found}) > 1 and params["port"] is None:
        raise Refused("count: the %s processes are not alike, and one restart command could not bring them all back; break them one by one" % len(found))
    pids, holders = {one.pid for one in found}, process.listeners(params["port"])[0] if params["port"] is not None else set()
    others = [pid for pid in sorted(holders - pids) if signal == "KILL" or not pids & set(process.ancestors(pid))]  # one that may end takes its workers along
    if others:
        raise Refused("port: %s is held open by %s, too, and may stay open without %s: it could not be told whether that is back. Point at it without port%s"
                      % (params["port"], ", ".join("pid %s" % pid for pid in others[:5]), found[0], ", or use signal: TERM" if signal == "KILL" else ""))
    if params["port"] is not None and len(found) > 1:
        raise Refused("count: of %s processes that listen on one port it could not be told whether all are back; break them one by one" % len(found))
    return dict(
        inject=[["signal_processes", signal, *identities], *([["gone_or_killed", "10", *identities]] if signal != "KILL" else [])],
        revert=[restarting(params, found[0])] * len(found) if params["restart"] else [],
        check=Check(back(params, found), broken=["missing"], whole=["back"]),
        settle=params["restart_within"],
        lasting=not params["supervised"],
    )


def plan(params, look):
    if params["count"] < 1:
        raise Refused("count: %s is less than 1" % params["count"])
    if not 1 <= params["restart_within"] <= MAXIMUM_RESTART:
        raise Refused("restart_within: %s is not between 1 and %s seconds" % (params["restart_within"], MAXIMUM_RESTART))
    if params["pid_file"] is not None and not os.path.isabs(params["pid_file"]):
        raise Refused("pid_file: %r is not absolute; the way back runs in / and would look elsewhere" % params["pid_file"])
    refuse_options_of_others(params, OPTIONS, OF_ACTION)
    found = selected(params)
    identities = [str(part) for one in found for part in (one.pid, one.start)]
    if params["action"] == "kill":
        act = killing(params, found, identities)
    elif any(one.state in "Tt" for one in found):
        raise Refused("%s is frozen already, not by us: a fault on it would show nothing, and ending it would wake it" % found[0])
    else:
        act = dict(
            inject=[["signal_processes", "STOP", *identities]],
            revert=[["signal_processes", "CONT", *identities]],
            check=Check(["process_states", *identities], broken=["stopped=%s *" % len(found)], whole=["stopped=0 *"], gone_after_reboot=True),
        )
    return Plan(
        claim=claim(params, look),
        target=", ".join(one.short for one in found),
        details=[str(one) for one in found],
        holds=["pid %s" % one.pid for one in found],
        areas={"processes": [one.short for one in found]},
        **act,
    )


def main():
    run_fault(claim, plan, OPTIONS, required_one_of=[SELECTORS])


if __name__ == "__main__":
    main()
