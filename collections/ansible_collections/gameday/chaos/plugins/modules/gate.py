#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: gate
short_description: Is every host there, and steady?
version_added: 0.1.0
description:
  - The last question of an experiment before anything is broken. Runs on the controller, once for each host, and changes nothing.
  - Holds all hosts of the play (with C(serial), of the batch) back while one of them was not steady, was lost or was refused.
  - With the strategy C(free) hosts do not wait for each other, and each is asked for itself.
  - A host of an earlier batch holds back the later ones only when it is not restored.
author: Gameday (@gameday)
extends_documentation_fragment: gameday.chaos.attributes.looks
options:
  run:
    description: The id of this run.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Nothing is broken unless every host is there and steady
  gameday.chaos.gate:
    run: "{{ experiment_run }}"
"""

RETURN = r"""
go:
  description: Whether it may begin.
  returned: always
  type: bool
why:
  description: Why not, in words.
  returned: always
  type: str
batch:
  description: The hosts that are broken and watched together.
  returned: always
  type: list
  elements: str
run:
  description: The id of this run.
  returned: always
  type: str
"""
