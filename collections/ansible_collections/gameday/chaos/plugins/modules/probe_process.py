#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: probe_process
short_description: Measure the processes of a host
version_added: 0.1.0
description:
  - Counts the living processes that match all given selectors and says whether it is as expected. At least one selector is needed.
  - A zombie is not alive.
extends_documentation_fragment:
  - gameday.chaos.probe
  - gameday.chaos.attributes.looks
author: Gameday (@gameday)
options:
  pid_file:
    description: The process whose pid this file holds in its first line. A missing file is no process.
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
  minimum:
    description: How many there must be at least.
    type: int
    default: 1
  maximum:
    description: How many there may be at most.
    type: int
  frozen:
    description: Whether they are expected to be frozen (SIGSTOP).
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Four workers are at work
  gameday.chaos.probe_process:
    pattern: 'celery .* worker'
    user: celery
    minimum: 4
    maximum: 4
"""

RETURN = r"""
observation:
  description:
    - What was seen. C(met) is true, false, or null where nothing could be measured; C(reasons) say why; C(seconds) is how long it took.
    - C(value) is the number of processes.
  returned: when it was measured
  type: dict
"""

from ansible_collections.gameday.chaos.plugins.module_utils import probe_process
from ansible_collections.gameday.chaos.plugins.module_utils.probe import run_probe


def main():
    run_probe(probe_process)


if __name__ == "__main__":
    main()
