#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: begin
short_description: Number a run
version_added: 0.1.0
description:
  - The first task of an experiment. Runs on the controller, once for each host, and changes nothing.
  - Gives every host of a play, in all of its batches and whatever its strategy, the same number for the same run.
author: Gameday (@gameday)
extends_documentation_fragment: gameday.chaos.attributes.looks
options:
  name:
    description: A short name of the experiment.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Number the run
  gameday.chaos.begin:
    name: database_failure
  register: begun
"""

RETURN = r"""
run:
  description: The id of the run, such as C(database_failure-20300131-120000-4f2a).
  returned: always
  type: str
begin:
  description: When it began, the same for all hosts.
  returned: always
  type: str
free:
  description: Whether hosts do not wait for each other, as the strategies C(free) and C(host_pinned) have it.
  returned: always
  type: bool
"""
