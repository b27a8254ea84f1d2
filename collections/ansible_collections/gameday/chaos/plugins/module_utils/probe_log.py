# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a log says since a position in it that was remembered earlier, usually when the experiment began."""

from __future__ import annotations

import os
import re

from ansible_collections.gameday.chaos.plugins.module_utils import clock
from ansible_collections.gameday.chaos.plugins.module_utils.command import ask
from ansible_collections.gameday.chaos.plugins.module_utils.probe import BadArgument, NoData, excerpt, expression

MAXIMUM_BYTES = 64 * 1024 * 1024
SHOWN = 5
CONSTRAINTS = {"required_one_of": [("path", "container", "unit")], "mutually_exclusive": [("path", "container", "unit")]}
OPTIONS = {
    "path": {"type": "path"},
    "container": {"type": "str"},
    "unit": {"type": "str"},
    "pattern": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "minimum": {"type": "int", "default": 1},
    "since": {"type": "dict"},
    "tail": {"type": "int", "default": 0},
}


def source(arguments):
    return arguments["path"] or ("container/" + arguments["container"] if arguments["container"] else "unit/" + arguments["unit"])


def validate(arguments):
    if arguments["pattern"] is not None:
        expression("pattern", arguments["pattern"])
    if arguments["minimum"] < 1:
        raise BadArgument("minimum: %s is less than 1; for a line that must not be there use state: absent" % arguments["minimum"])
    for option in ("container", "unit"):
        if (arguments[option] or "").startswith("-"):
            raise BadArgument("%s: %r is no name" % (option, arguments[option]))
    since = arguments["since"]
    if since is not None and source(arguments) not in since:
        raise BadArgument("since: no position of %s is known; known are: %s. List the log in experiment_logs of the role, or give the position "
                          "from an earlier probe_log" % (source(arguments), ", ".join(sorted(since)) or "none"))


def measure(arguments):
    """value is the number of matching lines since the position (all of the log without one); position is where the log ends now."""
    since = (arguments["since"] or {}).get(source(arguments))
    text, position = file_since(arguments["path"], since) if arguments["path"] else command_since(arguments, since)
    seen = {"source": source(arguments), "position": {source(arguments): position}, "lines": text.count("\n"), "value": None, "matches": []}
    if arguments["tail"] > 0:
        seen["tail"] = [excerpt(line) for line in text.splitlines()[-arguments["tail"]:]]
    if arguments["pattern"] is not None:
        expected = re.compile(arguments["pattern"])
        found = [line for line in text.splitlines() if expected.search(line)]
        seen.update(value=len(found), matches=[excerpt(line) for line in found[:SHOWN]])
    return seen


def file_since(path, since):
    """Text from the remembered offset on; a log that was rotated meanwhile is read from the old file's rest on, where that is still there."""
    try:
        with open(path, "rb") as log:
            found = os.fstat(log.fileno())
            same = since is None or (since["inode"] == found.st_ino and since["offset"] <= found.st_size)
            before = b"" if same else rotated_rest(path, since)
            log.seek(since["offset"] if since and same else 0)
            data = before + log.read(MAXIMUM_BYTES)
    except FileNotFoundError:
        if since and since["inode"] is None:
            return "", since
        raise NoData("there is no log %s" % path) from None
    except OSError as error:
        raise NoData("%s cannot be read: %s; use become" % (path, error.strerror)) from None
    return data.decode("utf-8", "replace"), {"inode": found.st_ino, "offset": found.st_size}


def rotated_rest(path, since):
    for name in (path + ".1", path + ".0"):
        try:
            with open(name, "rb") as log:
                if os.fstat(log.fileno()).st_ino == since["inode"]:
                    log.seek(since["offset"])
                    return log.read(MAXIMUM_BYTES)
        except OSError:
            continue
    return b""


def command_since(arguments, since):
    position = {"time": clock.iso()}
    if arguments["container"]:
        argv = ["docker", "logs", *(["--since", since["time"]] if since else []), arguments["container"]]
    else:
        epoch = ["--since", "@%.6f" % clock.parse(since["time"]).timestamp()] if since else []
        argv = ["journalctl", "--quiet", "--no-pager", "--output", "cat", "--unit", arguments["unit"], *epoch]
    answer = ask(argv)
    if answer.code:
        raise NoData("%s: %s" % (argv[0], answer.words))
    return answer.out + answer.err, position


def judge(arguments, seen):
    if seen["value"] is None:
        return []
    if arguments["state"] == "present" and seen["value"] < arguments["minimum"]:
        return ["%s: %s lines match %r, at least %s expected (of %s lines)" % (seen["source"], seen["value"], arguments["pattern"],
                                                                              arguments["minimum"], seen["lines"])]
    if arguments["state"] == "absent" and seen["value"]:
        return ["%s: %s lines match %r, none expected; the first: %s" % (seen["source"], seen["value"], arguments["pattern"], seen["matches"][0])]
    return []
