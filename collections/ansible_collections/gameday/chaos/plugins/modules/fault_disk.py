#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: fault_disk
short_description: Fill a file system
version_added: 0.1.0
description:
  - Takes space, or inodes, in a folder of its own below O(path). The way back removes the folder, also when it is only half filled.
  - What a file system keeps for root is left alone, also by root, so that sshd, logs and the way back can still write. On one that keeps nothing,
    and on the file system of the ledger, at least 16 MiB and 64 inodes stay free; there a full disk is full but for these.
  - On one that is in memory, no more is taken than nine tenths of the memory that is available.
  - Do not unmount the file system meanwhile. The way back could not see then that its folder is still there.
extends_documentation_fragment:
  - gameday.chaos.fault
  - gameday.chaos.container
  - gameday.chaos.attributes.changes
author: Gameday (@gameday)
options:
  path:
    description: A folder on the file system to fill; with O(container) one in the container, in a volume of it or not.
    type: path
    required: true
  action:
    description: V(fill) takes space, V(inodes) takes inodes, so that no file can be made although there is space.
    type: str
    choices: [fill, inodes]
    default: fill
  bytes:
    description: How much space to take, such as V(2GiB).
    type: str
  percent:
    description: How full it is to become, in percent of what users may use, of space or of inodes.
    type: float
  leave_free:
    description: How much space is to stay free, such as V(10MiB), or V(0) for as little as is allowed.
    type: str
requirements:
  - fallocate, or dd where the file system cannot allocate at once. With O(container) also the docker command-line client.
"""

EXAMPLES = r"""
- name: The database's disk is full but for ten megabytes, for a minute
  gameday.chaos.fault_disk:
    path: /var/lib/postgresql
    leave_free: 10MiB
    duration: 60

- name: No file can be made in a volume of the container
  gameday.chaos.fault_disk:
    container: voiceassist-postgres
    path: /var/lib/postgresql/data
    action: inodes
    percent: 100
    duration: 60
"""

RETURN = r"""
fault:
  description: The fault as the ledger has it. See the documentation page C(docs/results.md) for its keys.
  returned: when the fault is, was or would be in place
  type: dict
"""

import os

from ansible_collections.gameday.chaos.plugins.module_utils import container, load
from ansible_collections.gameday.chaos.plugins.module_utils.fault import Check, Plan, Refused, run_fault
from ansible_collections.gameday.chaos.plugins.module_utils.ledger import default_root, new_id

OPTIONS = {
    **container.OPTIONS,
    "path": {"type": "path", "required": True},
    "action": {"type": "str", "choices": ["fill", "inodes"], "default": "fill"},
    "bytes": {"type": "str"},
    "percent": {"type": "float"},
    "leave_free": {"type": "str"},
}
FLOOR = 16 << 20
FLOOR_INODES = 64
MOST_INODES = 500000
MEMORY = ("tmpfs", "ramfs")
NO_ALLOCATION = ("ext2", "ext3", "nfs", "nfs4", "vfat", "fuseblk", "9p", "overlay")


def tools(params):
    return (*(("docker",) if params["container"] is not None else ()), "fallocate", "dd", "setpriv")


def claim(params, look):
    return "disk/%s%s" % (load.place(params, look), os.path.normpath("/" + params["path"].lstrip("/")))


def goal(params):
    """The one option that says how much."""
    given = [name for name in ("bytes", "percent", "leave_free") if params[name] is not None]
    if len(given) != 1:
        raise Refused("bytes, percent, leave_free: give one of them, to say how full it is to become")
    if params["action"] == "inodes" and given != ["percent"]:
        raise Refused("%s: is for action: fill only; inodes are counted in percent" % given[0])
    if params["percent"] is not None and not 0 < params["percent"] <= 100:
        raise Refused("percent: %s is not more than 0 and at most 100" % params["percent"])
    return given[0]


def same_device(one, other):
    while not os.path.exists(other):
        other = os.path.dirname(other)
    return os.stat(one).st_dev == os.stat(other).st_dev


def space(params, option, found, ours, kind):
    """Bytes to take. What users may use is what is free for them and what is used."""
    free, users = found.f_bavail * found.f_frsize, (found.f_blocks - found.f_bfree + found.f_bavail) * found.f_frsize
    kept = (found.f_bfree - found.f_bavail) * found.f_frsize
    floor = FLOOR if ours or kept < FLOOR else 0
    most = free - floor
    if kind in MEMORY:
        most = min(most, int(0.9 * load.host_memory()["MemAvailable"]))
    if option == "bytes":
        wanted = load.size("bytes", params["bytes"])
        if wanted > most:
            raise Refused("bytes: %s are more than the %d MiB that may be taken at %s; take less, or say leave_free: 0"
                          % (params["bytes"], most >> 20, params["path"]))
    elif option == "leave_free":
        wanted = min(most, free - max(0 if params["leave_free"].strip() == "0" else load.size("leave_free", params["leave_free"]), floor))
    else:
        wanted = min(int(users * params["percent"] / 100) - (users - free), most)
    if wanted < 4096:
        raise Refused("%s: %s is as full as that already (%d MiB are free): a fault would show nothing" % (option, params["path"], free >> 20))
    return wanted


def inodes(params, found, ours):
    if not found.f_files:
        raise Refused("action: the file system of %s has no fixed number of inodes; use action: fill" % params["path"])
    used = found.f_files - found.f_ffree
    wanted = min(int(found.f_files * params["percent"] / 100) - used, found.f_favail - (FLOOR_INODES if ours else 0)) - 1
    if wanted < 1:
        raise Refused("percent: %s has used %d of %d inodes already: a fault would show nothing" % (params["path"], used, found.f_files))
    if wanted > MOST_INODES:
        raise Refused("percent: that would be %d files, and more than %d take too long to make and remove; choose a smaller file system"
                      % (wanted, MOST_INODES))
    return wanted


def kind_of(path):
    """The kind of the file system that a path is on."""
    best = ("", "")
    with open("/proc/self/mountinfo") as source:
        for line in source:
            words = line.split()
            if (path + "/").startswith(words[4].rstrip("/") + "/") and len(words[4]) >= len(best[0]):
                best = (words[4], words[words.index("-") + 1])
    return best[1]


def plan(params, look):
    option = goal(params)
    if not os.path.isabs(params["path"]) or "\0" in params["path"]:
        raise Refused("path: %r is not absolute" % params["path"])
    found = container.running(params, look) if params["container"] is not None else None
    inside = os.path.normpath(params["path"])
    paths = container.host_paths(found, inside) if found else [os.path.realpath(inside)]
    if not os.path.isdir(paths[0]):
        raise Refused("path: %s is no folder of %s" % (params["path"], "the container" if found else "this host"))
    if not os.access(paths[0], os.W_OK):
        raise Refused("path: %s cannot be written to by this user, or is mounted read-only: use become, or another folder" % params["path"])
    named = claim(params, look)
    name = ".gameday-" + new_id()  # nobody else's, not even another host's on a shared file system
    own = ["%s/%s" % (path.rstrip("/"), name) for path in paths]
    state, ours = os.statvfs(paths[0]), same_device(paths[0], default_root())
    if params["action"] == "inodes":
        amount = inodes(params, state, ours)
        steps = [["fill_inodes", own[0], str(amount)]]
        words = "%d inodes of the file system of %s" % (amount, params["path"])
    else:
        amount = space(params, option, state, ours, kind_of(paths[0]))
        ballast = own[0] + "/ballast"
        if kind_of(paths[0]) in NO_ALLOCATION:
            # It dies with the module, or it would go on writing into a file that has been removed.
            steps = [["setpriv", "--pdeathsig", "KILL",
                      "dd", "if=/dev/zero", "of=" + ballast, "bs=1M", "iflag=count_bytes", "count=%d" % amount, "status=none"]]
        else:
            steps = [["fallocate", "--length", str(amount), ballast]]
        words = "%.1f MiB of the file system of %s" % (amount / (1 << 20), params["path"])
    return Plan(
        claim=named,
        target=words,
        details=[words + (" in container " + params["container"] if found else "")],
        inject=[["mkdir", "-m", "0700", own[0]], *steps],
        revert=[["rm", "-rf", one] for one in own],
        check=Check(["exists", own[-1]], broken=["there"], whole=["missing"]),
        holds=["file system %s" % os.stat(paths[0]).st_dev],
        areas={"mounts": []},
    )


def main():
    run_fault(claim, plan, OPTIONS, tools=tools)


if __name__ == "__main__":
    main()
