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
    if not any(arguments[name] for name in ("path", "container", "unit")):
        raise BadArgument("path, container, unit: give a value for one of them")
    if arguments["pattern"] is not None:
        expression("pattern", arguments["pattern"])
    if arguments["minimum"] < 1:
        raise BadArgument("minimum: %s is less than 1; for a line that must not be there use state: absent" % arguments["minimum"])
    for option in ("container", "unit"):
        if (arguments[option] or "").startswith("-"):
            raise BadArgument("%s: %r is no name" % (option, arguments[option]))
    path = arguments["path"]
    if path and os.path.exists(path) and not os.path.isfile(path):
        raise BadArgument("path: %s is no file; give the log itself" % path)
    since = arguments["since"]
    if since is None:
        return
    if source(arguments) not in since:
        raise BadArgument("since: no position of %s is known; known are: %s. List the log in experiment_logs of the role, "
                          "or give the position from an earlier probe_log" % (source(arguments), ", ".join(sorted(since)) or "none"))
    position = since[source(arguments)]
    if not isinstance(position, dict) or not {"inode", "offset"} <= set(position) and "time" not in position:
        raise BadArgument("since: %r is no position; give observation.position of an earlier probe_log as it is" % position)


def measure(arguments):
    """value is the number of matching lines since the position (all of the log without one); position is where the log ends now."""
    since = (arguments["since"] or {}).get(source(arguments))
    wanted = arguments["pattern"] is not None or arguments["tail"] > 0
    text, position, complete = file_since(arguments["path"], since, wanted) if arguments["path"] else command_since(arguments, since)
    lines = [line.rstrip("\r") for line in text.split("\n")]
    if not lines[-1]:
        lines.pop()
    seen = {"source": source(arguments), "position": {source(arguments): position}, "complete": complete,
            "lines": len(lines) if wanted else None, "value": None, "matches": []}
    if arguments["tail"] > 0:
        seen["tail"] = [excerpt(line) for line in lines[-arguments["tail"]:]]
    if arguments["pattern"] is not None:
        expected = re.compile(arguments["pattern"])
        found = [line for line in lines if expected.search(line)]
        seen.update(value=len(found), matches=[excerpt(line) for line in found[:SHOWN]])
    return seen


def file_since(path, since, wanted):
    """
    (Text from the remembered offset on, the position after it, whether that is all that was written since.) Of a log that was rotated
    meanwhile the old file's rest comes first, where that is still there; of a very long one only the end is read.
    """
    try:
        with open(path, "rb") as log:
            found = os.fstat(log.fileno())
            same = since is None or (since["inode"] == found.st_ino and since["offset"] <= found.st_size)
            begin = since["offset"] if since and same else 0
            log.seek(max(begin, found.st_size - MAXIMUM_BYTES))
            data = log.read(found.st_size - log.tell()) if wanted else b""
    except FileNotFoundError:
        rest = rotated_rest(path, since) if since else None
        if rest is None:
            raise NoData("there is no log %s" % path) from None
        return rest.decode("utf-8", "replace"), since, True
    except OSError as error:
        raise NoData("%s cannot be read: %s; use become" % (path, error.strerror)) from None
    rest = b"" if same or not wanted else rotated_rest(path, since)
    complete = rest is not None and found.st_size - begin <= MAXIMUM_BYTES
    return ((rest or b"") + data).decode("utf-8", "replace"), {"inode": found.st_ino, "offset": found.st_size}, complete


def rotated_rest(path, since):
    """What was written to the file that the log was then, after the position; None where that file is not to be found."""
    for name in (path + ".1", path + ".0"):
        try:
            with open(name, "rb") as log:
                if os.fstat(log.fileno()).st_ino == since["inode"]:
                    log.seek(since["offset"])
                    return log.read(MAXIMUM_BYTES)
        except OSError:
            continue
    return None


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
    return answer.out + answer.err, position, True


def judge(arguments, seen):
    if seen["value"] is None:
        return []
    found = "%s: %s lines match %r" % (seen["source"], seen["value"], arguments["pattern"])
    if arguments["state"] == "absent" and seen["value"]:
        return ["%s, none expected; the first: %s" % (found, seen["matches"][0])]
    if seen["complete"] is False and (arguments["state"] == "absent" or seen["value"] < arguments["minimum"]):
        raise NoData("%s, but not all of the log could be read: it was rotated and the old file is gone, or it is longer than %s MiB"
                     % (found, MAXIMUM_BYTES // 1024 ** 2))
    if arguments["state"] == "present" and seen["value"] < arguments["minimum"]:
        return ["%s, at least %s expected (of %s lines)" % (found, arguments["minimum"], seen["lines"])]
    return []
