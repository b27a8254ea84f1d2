# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture of what faults touch on a host, as area -> thing -> state, to be compared before and after."""

from __future__ import annotations

import hashlib
import json
import os

from ansible_collections.gameday.chaos.plugins.module_utils import clock, process
from ansible_collections.gameday.chaos.plugins.module_utils.command import CURL, ask, find_tool

ALWAYS = ("processes", "mounts", "files", "clock")  # these cost nothing
FILES = ("/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf")
CLOCK_TOLERANCE = 1.0  # seconds; NTP may slew meanwhile, and none of our faults is smaller


def containers(command=("docker",)):
    """By name and id: a container that was replaced by one of the same name is gone."""
    answer = ask([*command, "ps", "--all", "--format", "{{.Names}} ({{.ID}})\t{{.State}} {{.Networks}}"])
    pictures = {}
    for line in answer.out.splitlines():
        name, dummy, words = line.partition("\t")
        state, dummy, networks = words.partition(" ")
        pictures[name] = "%s %s" % (state, ",".join(sorted(networks.split(","))))  # the engine does not sort them
    return pictures


def services():
    answer = ask(["systemctl", "list-units", "--all", "--plain", "--no-legend", "--full", "--type", "service,socket"])
    rows = (line.split(None, 4) for line in answer.out.splitlines())
    return {row[0]: " ".join(row[1:3]) for row in rows if len(row) >= 4 and row[0] and not row[0].startswith("gameday-")}


def processes():
    """Only the frozen ones: that is what a fault leaves behind in a process that lives."""
    return {found.short: "frozen" for found in process.every(state="T")}


def mounts():
    with open("/proc/self/mountinfo") as source:
        rows = [line.split() for line in source]
    pictures = {row[4]: "%s %s" % (row[row.index("-") + 1], row[row.index("-") + 2]) for row in rows}
    # Namespaces come and go with processes, and the layers of containers with these, which have a picture of their own.
    return {place: words for place, words in pictures.items() if not words.startswith("nsfs ") and not place.endswith("/merged")}


def files():
    pictures = {}
    for path in FILES:
        try:
            with open(path, "rb") as source:
                pictures[path] = hashlib.sha256(source.read()).hexdigest()
        except OSError as error:
            pictures[path] = error.strerror
    return pictures


def clock_offset():
    return {"wall clock": "%.2f" % (clock.now().timestamp() - clock.uptime() / 100)}


def qdiscs():
    if not find_tool("tc"):
        return {}
    rows = json.loads(ask(["tc", "-j", "qdisc", "show"]).out or "[]")
    return {"%s %s %s" % (row.get("dev"), row.get("parent", "root"), row.get("handle")): json.dumps(row, sort_keys=True) for row in rows}


def nftables():
    if not find_tool("nft") or os.geteuid() != 0:
        return {}
    rows = json.loads(ask(["nft", "-j", "list", "tables"]).out or "{}").get("nftables", [])
    return {"%s %s" % (row["table"]["family"], row["table"]["name"]): "table" for row in rows if "table" in row}


def proxies(urls):
    """Toxiproxy's proxies and toxics, each by its URL. A proxy is its addresses and whether it is enabled: its toxics are for themselves."""
    pictures = {}
    for url in urls:
        try:
            found = json.loads(ask([*CURL, "--fail", url]).out)
        except ValueError:
            continue  # it is not there
        pictures[url] = json.dumps({key: value for key, value in found.items() if key not in ("toxics", "Logger")}, sort_keys=True)
    return pictures


AREAS = {"containers": containers, "services": services, "processes": processes, "mounts": mounts, "files": files, "clock": clock_offset,
         "qdiscs": qdiscs, "nftables": nftables}


def is_no_more(area, thing):
    """Whether a thing that the picture does not show any more is not on this host any more, so that nothing of it can be left."""
    if area == "qdiscs":
        return not os.path.exists("/sys/class/net/" + thing.split()[0])
    if area == "services":  # systemd does not list one that nobody needs while it is stopped
        return ask(["systemctl", "show", "--property", "LoadState", thing]).out.strip() == "LoadState=not-found"
    return area in ("containers", "proxies")


def take(areas, containers_command=("docker",)):
    """A picture of these areas and of those that cost nothing."""
    picture = {}
    for area in sorted(set(areas) | set(ALWAYS)):
        if area == "proxies":
            picture[area] = proxies(areas[area])
        else:
            picture[area] = containers(containers_command) if area == "containers" else AREAS[area]()
    return picture


def differences(before, after):
    """[(area, thing, before, after)] for what changed; None stands for "was not there"."""
    found = []
    for area, old in before.items():
        new = after.get(area)
        if new is None:
            continue
        for thing in sorted(set(old) | set(new)):
            was, now = old.get(thing), new.get(thing)
            if was != now and not (area == "clock" and abs(float(was) - float(now)) <= CLOCK_TOLERANCE):
                found.append((area, thing, was, now))
    return found
