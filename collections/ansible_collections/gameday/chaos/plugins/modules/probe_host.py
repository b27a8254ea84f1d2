#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: probe_host
short_description: Measure what a host has left
version_added: 0.1.0
description:
  - Looks at load, memory, a file system and open files of the host, and says whether they are within the given limits. Without any limit it only measures.
  - An amount is a number of bytes such as V(512MiB), or for inodes and files a plain number, or a share such as V(10%).
extends_documentation_fragment:
  - gameday.chaos.probe
  - gameday.chaos.attributes.looks
author: Gameday (@gameday)
options:
  maximum_load:
    description: How many processes may have run or waited to run in the last minute, on average, for each CPU.
    type: float
  minimum_memory_available:
    description: How much memory must be available to processes, without swapping.
    type: str
  path:
    description: The file system that this path is on is the one that is looked at.
    type: path
    default: /
  minimum_disk_available:
    description: How much of the file system must be available to an ordinary user.
    type: str
  maximum_disk_used:
    description: How much of the file system may be used. A share is that of C(df), which leaves out what is reserved for root.
    type: str
  minimum_inodes_available:
    description: How many inodes must be available, and so how many files can be made.
    type: str
  maximum_inodes_used:
    description: How many inodes may be used.
    type: str
  maximum_open_files:
    description: How many files may be open on the host. A share is that of what the kernel allows.
    type: str
  maximum_process_open_files:
    description:
      - How many files a process may have open. A share is that of its own limit, as C(ulimit -n) shows it.
      - At least one of the selectors says which processes. Where several match, the one nearest to its limit counts.
    type: str
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
    description: Processes that listen on this TCP port.
    type: int
  user:
    description: The user that they run as, by name or number.
    type: str
"""

EXAMPLES = r"""
- name: The database's host is not at its limits
  gameday.chaos.probe_host:
    path: /var/lib/postgresql
    minimum_disk_available: 2GiB
    maximum_inodes_used: 90%
    minimum_memory_available: 10%
    maximum_load: 4

- name: The API does not leak connections
  gameday.chaos.probe_host:
    port: 8080
    maximum_process_open_files: 50%
"""

RETURN = r"""
observation:
  description:
    - What was seen. C(met) is true, false, or null where nothing could be measured; C(reasons) say why; C(seconds) is how long it took.
    - C(value) is the number that the only limit is about, null where there are several or none.
    - C(load) (for each CPU), C(cpus), C(memory), C(memory_available), C(disk), C(disk_used), C(disk_available), C(inodes), C(inodes_used),
      C(inodes_available), C(open_files), C(open_files_limit), C(process), C(process_open_files) and C(process_open_files_limit) are what was measured, in
      bytes or plain numbers.
  returned: when it was measured
  type: dict
"""

from ansible_collections.gameday.chaos.plugins.module_utils import probe_host
from ansible_collections.gameday.chaos.plugins.module_utils.probe import run_probe


def main():
    run_probe(probe_host)


if __name__ == "__main__":
    main()
