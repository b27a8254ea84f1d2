# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who runs an experiment: a process of a machine, by which a later one on the same machine can tell that it is no more."""

from __future__ import annotations

import getpass
import os
import platform


def who():
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container may run as a number without a name
        user = "uid %s" % os.geteuid()
    return "%s@%s" % (user, platform.node())


def this_process(pid):
    """The machine (a container has processes of its own), and the process on it."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as source:
        machine = "%s/%s" % (source.read().strip(), os.stat("/proc/self/ns/pid").st_ino)
    return {"machine": machine, "pid": pid, "started": started(pid)}


def started(pid):
    """When a process began, in ticks since boot; None where there is none."""
    try:
        with open("/proc/%s/stat" % pid, encoding="utf-8", errors="replace") as source:
            return int(source.read().rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None


def nobody_runs(holder, own):
    """Whether a reservation is that of a controller which is dead, or of this one, which runs one experiment after the other on a host."""
    told = holder.get("controller") or {}
    if told.get("machine") != own["machine"] or not told.get("pid"):
        return False
    return told == own or started(int(told["pid"])) != told.get("started")
