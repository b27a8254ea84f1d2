#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: probe_log
short_description: Measure what a log says since the experiment began
version_added: 0.1.0
description:
  - Counts the lines of a log that match a pattern, from a remembered position on, and says whether it is as expected.
  - In an experiment of the role P(gameday.chaos.experiment#role) the positions of the logs in C(experiment_logs) are taken at its begin and
    are the default of O(since) in the method.
  - Without O(pattern) it only tells where the log ends now.
extends_documentation_fragment:
  - gameday.chaos.probe
  - gameday.chaos.attributes.looks
author: Gameday (@gameday)
options:
  path:
    description:
      - The log file. One that was rotated meanwhile is read on from the rest of the old file, if that is called C(.1) or C(.0).
      - Where that rest is gone, nothing is said of lines that may have been in it. Of a log longer than 64 MiB only the end is read.
    type: path
  container:
    description: The container whose log it is.
    type: str
  unit:
    description: The systemd unit whose journal it is.
    type: str
  pattern:
    description: A Python regular expression that is searched in each line.
    type: str
  state:
    description: Whether such lines must be there or must not.
    type: str
    choices: [present, absent]
    default: present
  minimum:
    description: How many there must be, with O(state=present).
    type: int
    default: 1
  since:
    description:
      - Positions by log, as earlier calls of this module returned them in C(observation.position), merged into one dictionary.
      - Without it the whole log counts.
    type: dict
  tail:
    description: Return this many of the last lines, too, as evidence.
    type: int
    default: 0
"""

EXAMPLES = r"""
- name: Remember where the log ends
  gameday.chaos.probe_log:
    path: /var/log/voiceassist/api.log
  register: log

- name: Errors carry a correlation id
  gameday.chaos.probe_log:
    path: /var/log/voiceassist/api.log
    pattern: '"level": "ERROR".*"correlation_id": "[^"]+"'
    since: "{{ log.observation.position }}"
"""

RETURN = r"""
observation:
  description:
    - What was seen. C(met) is true, false, or null where nothing could be measured; C(reasons) say why; C(seconds) is how long it took.
    - C(value) is the number of matching lines, null without a pattern.
  returned: when it was measured
  type: dict
"""

from ansible_collections.gameday.chaos.plugins.module_utils import probe_log
from ansible_collections.gameday.chaos.plugins.module_utils.probe import run_probe


def main():
    run_probe(probe_log)


if __name__ == "__main__":
    main()
