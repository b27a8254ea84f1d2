# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pressure by stress-ng, on the host or in the cgroups of a container: what there is to take, and the plan that takes it."""

from __future__ import annotations

import os

from ansible_collections.gameday.chaos.plugins.module_utils import amount, container
from ansible_collections.gameday.chaos.plugins.module_utils.command import find_tool
from ansible_collections.gameday.chaos.plugins.module_utils.fault import Check, Plan, Refused, kept

GRACE = 3  # seconds that stress-ng ends by itself after the timer should have ended it
UNLIMITED = 1 << 60


def tools(params):
    return ("stress-ng", *(container.TOOLS if params["container"] else ()))


def place(params, look):
    """The end of the claim: whose resource it is."""
    return "container/" + container.name_of(params, look) if params["container"] is not None else "host"


def size(option, text):
    """Bytes, from 256MiB, 256M or 268435456."""
    try:
        value = amount.size(text)
    except ValueError as error:
        raise Refused("%s: %s" % (option, error)) from None
    if value < 1:
        raise Refused("%s: %r is nothing; give a size such as 256MiB or 2GiB" % (option, text))
    return value


class Target:
    """The host, or a container on it: its cgroups, and the resources that it may use."""

    def __init__(self, params, look):
        self.found = container.running(params, look) if params["container"] is not None else None
        if self.found:
            container.require_local(self.found)
        self.cgroups = container.cgroups_of(self.found["State"]["Pid"]) if self.found else {}
        if self.found and not self.cgroups:
            raise Refused("container: the cgroups of %s cannot be seen from here (is the engine on another host?)" % params["container"])
        self.words = "container " + self.found["Name"].lstrip("/") if self.found else "this host"

    def number(self, controller, *names):
        """The first of these files of a cgroup that there is, as its words."""
        for name in names:
            try:
                with open(os.path.join(self.cgroups[controller], name)) as source:
                    return source.read().split()
            except (KeyError, OSError):
                continue
        return None

    def cpus(self):
        """How many CPUs it may keep busy, by its quota and its set, rounded up."""
        count = len(os.sched_getaffinity(0))
        quota, period = self.number("cpu", "cpu.cfs_quota_us"), self.number("cpu", "cpu.cfs_period_us")
        limit = (quota and period and quota + period) or self.number("cpu", "cpu.max")
        if limit and limit[0].isdigit() and int(limit[0]) > 0:
            count = min(count, -(-int(limit[0]) // int(limit[1])))
        return max(1, count)

    def memory(self):
        """(bytes that it may still take, bytes that it may have in all), by its own limit or the host's memory, whichever is less."""
        host = host_memory()
        limit = self.number("memory", "memory.limit_in_bytes", "memory.max")
        used = self.number("memory", "memory.usage_in_bytes", "memory.current")
        if not limit or not used or not limit[0].isdigit() or int(limit[0]) >= min(UNLIMITED, host["MemTotal"]):
            return host["MemAvailable"], host["MemTotal"]
        stat = self.number("memory", "memory.stat") or []
        cache = dict(zip(stat[0::2], stat[1::2]))
        free = int(limit[0]) - int(used[0]) + int(cache.get("total_inactive_file", cache.get("inactive_file", 0)))
        return min(free, host["MemAvailable"]), int(limit[0])


def host_memory():
    with open("/proc/meminfo") as source:
        return {line.split(":")[0]: int(line.split()[1]) * 1024 for line in source}


def plan(claim, target, stressors, params, details, minimum=(0, 0), before=(), after=(), ramp=0):
    """
    The plan of a load. C(minimum): MiB of memory and hundredths of CPU time from which on it counts; C(before), C(after): steps of its own.
    """
    file = kept(claim, "load")
    # Whole seconds only: stress-ng reads 0.5s as for ever, and 500ms as 500 s.
    argv = [find_tool("stress-ng") or "stress-ng", "--timeout", "%ss" % (params["duration"] + GRACE), "--quiet", "--oomable", *stressors]
    if target.found:  # in its process namespace, too, so that it dies with it
        argv = [find_tool("nsenter") or "nsenter", "--target", str(target.found["State"]["Pid"]), "--pid", "--", *argv]
    folders = sorted(set(target.cgroups.values()))
    return Plan(
        claim=claim,
        target=details[0],
        details=details,
        inject=[*before, ["start_load", file, *folders, "--", *argv]],
        revert=[["end_load", file], *after],
        check=Check(["load_state", file, *map(str, minimum)], broken=["running*"], whole=["ended"], gone_after_reboot=True),
        effect_within=10 + ramp,
        areas={"processes": []},
    )
