# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host has left: CPU, memory, disk, inodes, open files."""

from __future__ import annotations

import os
from collections import namedtuple

from ansible_collections.gameday.chaos.plugins.module_utils import amount, probe_process, process
from ansible_collections.gameday.chaos.plugins.module_utils.probe import BadArgument, NoData

PROCESSES = probe_process.SELECTORS
OPTIONS = {
    "maximum_load": {"type": "float"},
    "minimum_memory_available": {"type": "str"},
    "path": {"type": "path", "default": "/"},
    "minimum_disk_available": {"type": "str"},
    "maximum_disk_used": {"type": "str"},
    "minimum_inodes_available": {"type": "str"},
    "maximum_inodes_used": {"type": "str"},
    "maximum_open_files": {"type": "str"},
    "maximum_process_open_files": {"type": "str"},
    **{name: probe_process.OPTIONS[name] for name in PROCESSES},
}

# An expectation: which number is limited, of which whole it may be a share (none: it is no amount), whether it is bytes, and what it is called.
Limit = namedtuple("Limit", "key whole bytes words")
LIMITS = {
    "maximum_load": Limit("load", None, False, "the load per CPU"),
    "minimum_memory_available": Limit("memory_available", "memory", True, "memory available"),
    "minimum_disk_available": Limit("disk_available", "disk", True, "disk available"),
    "maximum_disk_used": Limit("disk_used", "disk", True, "disk used"),
    "minimum_inodes_available": Limit("inodes_available", "inodes", False, "inodes available"),
    "maximum_inodes_used": Limit("inodes_used", "inodes", False, "inodes used"),
    "maximum_open_files": Limit("open_files", "open_files_limit", False, "open files of the host"),
    "maximum_process_open_files": Limit("process_open_files", "process_open_files_limit", False, "open files of"),
}


def validate(arguments):
    for option, limit in LIMITS.items():
        if limit.whole and arguments[option] is not None:
            read(option, arguments[option], limit)
    if arguments["maximum_load"] is not None and arguments["maximum_load"] < 0:
        raise BadArgument("maximum_load: %s is less than 0" % arguments["maximum_load"])
    selected = [name for name in PROCESSES if arguments[name] is not None]
    if arguments["maximum_process_open_files"] is not None:
        probe_process.validate({**arguments, "minimum": 1, "maximum": None})
    elif selected:
        raise BadArgument("%s: says which processes' files are counted; give maximum_process_open_files, too" % ", ".join(selected))
    if not os.path.exists(arguments["path"]):
        raise BadArgument("path: there is no %s on this host" % arguments["path"])


def read(option, text, limit):
    """(number, whether it is percent) of 512MiB, 10%, 4000."""
    try:
        percent = amount.share(text)
        if percent is not None:
            return percent, True
        return amount.size(text) if limit.bytes else int(text), False
    except ValueError as error:
        words = error if limit.bytes or "%" in str(text) else "%r is no whole number" % text
        raise BadArgument("%s: %s; a share is written as 10%%" % (option, words)) from None


def measure(arguments):
    """value is the number that the only expectation is about, null where there are several or none."""
    expected = [option for option in LIMITS if arguments[option] is not None]
    seen = {**load(), **memory(), **file_system(arguments["path"]), **open_files()}
    if arguments["maximum_process_open_files"] is not None:
        seen.update(open_files_of(arguments))
    seen["value"] = seen[LIMITS[expected[0]].key] if len(expected) == 1 else None
    return seen


def load():
    with open("/proc/loadavg") as source:
        minute = float(source.read().split()[0])
    cpus = os.sysconf("SC_NPROCESSORS_ONLN")
    return {"load": round(minute / cpus, 3), "cpus": cpus}


def memory():
    with open("/proc/meminfo") as source:
        found = dict(line.split(":", 1) for line in source)
    return {"memory": kibibytes(found["MemTotal"]), "memory_available": kibibytes(found["MemAvailable"])}


def kibibytes(text):
    return int(text.split()[0]) * 1024


def file_system(path):
    """As df counts: what root alone may still use is neither used nor available."""
    try:
        found = os.statvfs(path)
    except OSError as error:
        raise NoData("path: %s cannot be looked at: %s" % (path, error.strerror)) from None
    used, files = (found.f_blocks - found.f_bfree) * found.f_frsize, found.f_files - found.f_ffree
    available = found.f_bavail * found.f_frsize
    return {"path": path, "disk": used + available, "disk_used": used, "disk_available": available,
            "inodes": files + found.f_favail, "inodes_used": files, "inodes_available": found.f_favail}


def open_files():
    with open("/proc/sys/fs/file-nr") as source:
        opened, unused, limit = (int(word) for word in source.read().split())
    return {"open_files": opened - unused, "open_files_limit": limit}


def open_files_of(arguments):
    """Of the process that is nearest to its limit, among those that match."""
    try:
        found = process.matching(**{name: arguments[name] for name in PROCESSES if arguments[name] is not None})
    except (OSError, ValueError):
        found = []
    counted = [one for one in map(files_of, found) if one]
    if not found:
        raise NoData("there is no such process on this host that this user may see")
    if not counted:
        raise NoData("this user may not see the open files of %s; use become" % found[0].short)
    opened, limit, one = max(counted, key=lambda row: row[0] / row[1])
    return {"process": one.short, "process_open_files": opened, "process_open_files_limit": limit}


def files_of(one):
    try:
        with open("/proc/%s/limits" % one.pid) as source:
            soft = next(line for line in source if line.startswith("Max open files")).split()[3]
        return len(os.listdir("/proc/%s/fd" % one.pid)), int(soft), one
    except (OSError, StopIteration, ValueError):
        return None


def judge(arguments, seen):
    reasons = []
    for option, limit in LIMITS.items():
        if arguments[option] is None:
            continue
        value = seen[limit.key]
        bound, percent = read(option, arguments[option], limit) if limit.whole else (arguments[option], False)
        whole = seen[limit.whole] if percent else None
        if percent and not whole:
            raise NoData("%s: %s has no fixed number of them, so there is no share; give a number" % (option, arguments["path"]))
        compared = 100.0 * value / whole if percent else value
        if compared < bound if option.startswith("minimum") else compared > bound:
            bound = "%s %s" % ("least" if option.startswith("minimum") else "most", arguments[option])
            reasons.append("%s: %s, at %s expected" % (called(limit, seen), shown(limit, value, compared if percent else None), bound))
    return reasons


def called(limit, seen):
    if limit.key == "process_open_files":
        return "%s %s" % (limit.words, seen["process"])
    return "%s on %s" % (limit.words, seen["path"]) if limit.key.startswith(("disk", "inodes")) else limit.words


def shown(limit, value, percent):
    text = amount.in_words(value) if limit.bytes else "%g" % value if isinstance(value, float) else str(value)
    return text if percent is None else "%s (%.1f %%)" % (text, percent)
