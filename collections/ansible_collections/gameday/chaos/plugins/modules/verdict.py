#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: verdict
short_description: Judge an experiment, and fail unless it passed
version_added: 0.1.0
description:
  - The last task of an experiment. Runs on the controller, once for each host, and changes nothing.
  - Judges what all hosts registered of their phases. The verdict is C(passed), C(deviated) (a weakness was found), C(inconclusive) (it cannot
    be told), C(errored) (the experiment itself failed) or C(not_restored) (something is still broken).
  - Fails on every host whose own verdict is not C(passed), and so gives the play a failing exit code.
  - Used by the role P(gameday.chaos.experiment#role).
author: Gameday (@gameday)
extends_documentation_fragment: gameday.chaos.attributes.looks
options:
  run:
    description: The id of this run.
    type: str
    required: true
  variable:
    description: The name of the host variable that holds the results of the phases.
    type: str
    required: true
  barrier:
    description: Seconds ahead at which all hosts were to be hit together; C(0) where they were not, and then no skew is told.
    type: float
    default: 0.0
  maximum_skew:
    description: With O(barrier), seconds that may lie between the first host that was hit and the last; with C(0) any will do.
    type: float
    default: 0.0
"""

EXAMPLES = r"""
- name: Judge
  gameday.chaos.verdict:
    run: "{{ experiment_run }}"
    variable: experiment_phases
"""

RETURN = r"""
verdict:
  description:
    - C(verdict) over all hosts, C(host) of this one, C(hosts) of each, with the C(reason) in one line.
    - C(timings) in seconds, C(impact), C(detection), C(recovery), C(outage), C(skew); null where it cannot be told.
  returned: always
  type: dict
"""
