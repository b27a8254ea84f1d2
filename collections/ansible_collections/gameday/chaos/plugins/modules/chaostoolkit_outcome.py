#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: chaostoolkit_outcome
short_description: Judge the activities of a Chaos Toolkit experiment
version_added: 0.1.0
description:
  - Runs on the controller and changes nothing. Fails when an activity of the method failed or was not met, or the hypothesis was not, as the worst of them
    demands, so that the verdict is that.
  - Used by the role P(gameday.chaos.chaostoolkit#role).
author: Gameday (@gameday)
extends_documentation_fragment: gameday.chaos.attributes.looks
options:
  results:
    description: What M(gameday.chaos.chaostoolkit_activity) returned.
    type: list
    elements: dict
    default: []
  looks:
    description: What M(gameday.chaos.chaostoolkit_hypothesis) returned during the method and after it.
    type: list
    elements: dict
    default: []
  dry:
    description: What was not really done.
    type: str
    default: ''
  expected:
    description: How many activities there are.
    type: int
"""

EXAMPLES = r"""
- name: What came of it
  gameday.chaos.chaostoolkit_outcome:
    results: "{{ done }}"
"""

RETURN = r"""
outcome:
  description: C(verdict) (null when nothing speaks against it) and C(reasons), and what was C(acted) and C(observed).
  returned: always
  type: dict
"""
