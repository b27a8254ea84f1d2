# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: steady
short_description: Does a registered result say that the system is steady?
version_added: 0.1.0
author: Gameday (@gameday)
description:
  - True for a result of M(gameday.chaos.steady_state) that is met, and for one that was skipped, because a host without probes has
    nothing to say.
options:
  _input:
    description: A registered result.
    type: dict
    required: true
"""

EXAMPLES = r"""
go: "{{ result is gameday.chaos.steady }}"
"""

RETURN = r"""
_value:
  description: Whether it is.
  type: bool
"""

from ansible_collections.gameday.chaos.plugins.plugin_utils.verdict import is_ready


def steady(result):
    return is_ready(result)


class TestModule:
    def tests(self):
        return {"steady": steady}
