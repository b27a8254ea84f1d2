#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: probe_command
short_description: Measure with a program of your own
version_added: 0.1.0
description:
  - Runs a program on the host, without a shell and never longer than O(timeout), and says whether it ended as expected.
  - The program must only look. It is not run in check mode, where it is skipped.
extends_documentation_fragment:
  - gameday.chaos.probe
  - gameday.chaos.attributes.looks
author: Gameday (@gameday)
attributes:
  check_mode:
    support: partial
    description: Is skipped in check mode, since nobody knows what the program changes.
    details: The program is not run, and the result says so.
  diff_mode:
    support: none
    description: There is nothing to compare.
options:
  command:
    description:
      - The program and its arguments, as a list of words, or as one string that is split into words as a shell would, but for variables
        and globs.
    type: raw
    required: true
  chdir:
    description: The folder to run it in.
    type: path
  timeout:
    description: Seconds after which it, and all that it started, is killed.
    type: float
    default: 10.0
  rc:
    description: The expected exit code, or several of which any will do.
    type: list
    elements: int
    default: [0]
  stdout_contains:
    description: Texts that must all be in its standard output.
    type: list
    elements: str
    default: []
  stdout_matches:
    description: A Python regular expression that must be found in its standard output (C(^) and C($) match at lines).
    type: str
  max_seconds:
    description: Seconds that it may take.
    type: float
"""

EXAMPLES = r"""
- name: The replica is streaming
  gameday.chaos.probe_command:
    command: [psql, -XAtc, "select state from pg_stat_replication"]
    stdout_contains: [streaming]
"""

RETURN = r"""
observation:
  description:
    - What was seen. C(met) is true, false, or null where nothing could be measured; C(reasons) say why; C(seconds) is how long it took.
    - C(value) is the exit code.
  returned: when it was measured
  type: dict
"""

from ansible_collections.gameday.chaos.plugins.module_utils import probe_command
from ansible_collections.gameday.chaos.plugins.module_utils.probe import run_probe


def main():
    run_probe(probe_command)


if __name__ == "__main__":
    main()
