#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: fault_io
short_description: Keep a disk busy with writing
version_added: 0.1.0
description:
  - Runs stress-ng, which writes, reads and removes files again and again in a folder of its own below O(path). The way back removes the folder.
  - stress-ng also ends by itself, a few seconds after O(duration).
extends_documentation_fragment:
  - gameday.chaos.fault
  - gameday.chaos.container
  - gameday.chaos.attributes.changes
author: Gameday (@gameday)
options:
  path:
    description: A folder on the disk; with O(container) one in the container, in a volume of it or not.
    type: path
    required: true
  workers:
    description: How many write at the same time.
    type: int
    default: 1
  bytes:
    description: How large the file of each may become, such as V(64MiB). All of them must fit into half of the free space.
    type: str
    default: 64MiB
requirements:
  - stress-ng on the host. With O(container) also the docker command-line client, nsenter, and root.
"""

EXAMPLES = r"""
- name: The database's disk is busy for a minute
  gameday.chaos.fault_io:
    path: /var/lib/postgresql
    workers: 4
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
from ansible_collections.gameday.chaos.plugins.module_utils.fault import Refused, run_fault
from ansible_collections.gameday.chaos.plugins.module_utils.ledger import new_id

OPTIONS = {
    **container.OPTIONS,
    "path": {"type": "path", "required": True},
    "workers": {"type": "int", "default": 1},
    "bytes": {"type": "str", "default": "64MiB"},
}
MOST = 64


def claim(params, look):
    return "io/%s%s" % (load.place(params, look), os.path.normpath("/" + params["path"].lstrip("/")))


def plan(params, look):
    if not 1 <= params["workers"] <= MOST:
        raise Refused("workers: %s is not between 1 and %s" % (params["workers"], MOST))
    if not os.path.isabs(params["path"]) or "\0" in params["path"]:
        raise Refused("path: %r is not absolute" % params["path"])
    wanted = load.size("bytes", params["bytes"])
    target = load.Target(params, look)
    paths = container.host_paths(target.found, os.path.normpath(params["path"])) if target.found else [params["path"]]
    if not os.path.isdir(paths[0]):
        raise Refused("path: %s is no folder of %s" % (params["path"], target.words))
    if not os.access(paths[0], os.W_OK):
        raise Refused("path: %s cannot be written to by this user: use become, or another folder" % params["path"])
    found = os.statvfs(paths[0])
    if wanted * params["workers"] > found.f_bavail * found.f_frsize / 2:
        raise Refused("bytes: %s files of %s are more than half of what is free at %s" % (params["workers"], params["bytes"], params["path"]))
    named = claim(params, look)
    name = ".gameday-" + new_id()  # nobody else's, not even another host's on a shared file system
    own = ["%s/%s" % (path.rstrip("/"), name) for path in paths]
    stressors = ["--hdd", str(params["workers"]), "--hdd-bytes", "%sb" % (wanted * params["workers"]), "--temp-path", own[0]]
    words = "the disk of %s in %s, %s at a time" % (params["path"], target.words, params["workers"])
    return load.plan(named, target, stressors, params, [words], minimum=(0, 1),
                     before=[["mkdir", "-m", "0700", own[0]]], after=[["rm", "-rf", one] for one in own], leaves=own)


def main():
    run_fault(claim, plan, OPTIONS, tools=load.tools)


if __name__ == "__main__":
    main()
