#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: clock_info
short_description: How far is the clock of a host from the controller's?
version_added: 0.1.0
description:
  - Asks the host for the time, a few times and as quickly as can be, and takes the quickest answer. Runs on the controller, and changes nothing.
  - The role P(gameday.chaos.experiment#role) measures it, so that the times of hosts with wrong clocks can be compared.
author: Gameday (@gameday)
extends_documentation_fragment: gameday.chaos.attributes.looks
options: {}
"""

EXAMPLES = r"""
- name: What time is it there?
  gameday.chaos.clock_info:
"""

RETURN = r"""
clock:
  description: >-
    C(offset), the seconds by which the clock of the host is ahead of that of the controller, and C(uncertainty), by how many seconds that may be
    wrong, which is half of the time that the answer took.
  returned: always
  type: dict
"""
