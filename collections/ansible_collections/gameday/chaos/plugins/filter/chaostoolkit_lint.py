# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: chaostoolkit_lint
short_description: What would silently not work in experiments of Chaos Toolkit
version_added: 0.1.0
author: Gameday (@gameday)
description:
  - Reads experiments and says what in them would silently not work under Chaos Toolkit, or differs here, with line numbers and the fix. Nothing is run.
options:
  _input:
    description: A path or http(s) URL, or several.
    type: raw
    required: true
  compat:
    description: Unknown keys are warnings and no errors, as Chaos Toolkit accepts them.
    type: bool
    default: false
"""

EXAMPLES = r"""
told: "{{ ['experiments/database.yaml'] | gameday.chaos.chaostoolkit_lint }}"
"""

RETURN = r"""
_value:
  description:
    - C(files), one for each source with C(source), C(problem) (why it cannot be read, or null) and C(findings), each with C(level), C(rule), C(path),
      C(line), C(message) and C(fix); C(count), how many there are of each level; C(lines), the same for people.
  type: dict
"""

from ansible_collections.gameday.chaos.plugins.plugin_utils import chaostoolkit_told as told


def lint(sources, compat=False):
    looks = [told.look_at(str(source), bool(compat)) for source in (sources if isinstance(sources, (list, tuple)) else [sources])]
    return {"files": looks, "count": told.count(looks), "lines": list(told.lines(looks))}


class FilterModule:
    def filters(self):
        return {"chaostoolkit_lint": lint}
