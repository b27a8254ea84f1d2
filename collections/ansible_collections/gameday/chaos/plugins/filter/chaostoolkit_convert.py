# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: chaostoolkit_convert
short_description: An experiment of Chaos Toolkit as a role and a playbook
version_added: 0.1.0
author: Gameday (@gameday)
description:
  - Writes the role and the playbook that do what an experiment of Chaos Toolkit is meant to do, with fault modules where one fits. Nothing is run, and
    nothing is written to disk.
options:
  _input:
    description: A path or http(s) URL.
    type: str
    required: true
  name:
    description: Name of the role. By default it is made from the title.
    type: str
  compat:
    description: Convert it in spite of unknown keys, which Chaos Toolkit accepts.
    type: bool
    default: false
"""

EXAMPLES = r"""
converted: "{{ 'experiments/database.yaml' | gameday.chaos.chaostoolkit_convert(name='database_gone') }}"
"""

RETURN = r"""
_value:
  description:
    - C(problem), why it cannot be converted, or null; C(name) of the role; C(files), the text of each by its path; C(notes), what is left to do by hand.
  type: dict
"""

from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_convert import convert
from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_file import FileProblem, load, path_text


def converted(source, name=None, compat=False):
    try:
        found = convert(load(str(source)), str(name) if name else None, bool(compat))
    except FileProblem as problem:
        place = "%s:%s" % (source, problem.line) if problem.line else source
        return {"problem": "%s: %s: %s" % (place, path_text(problem.path), problem.message), "name": "", "files": {}, "notes": []}
    return {"problem": None, "name": found.name, "files": found.files, "notes": found.notes}


class FilterModule:
    def filters(self):
        return {"chaostoolkit_convert": converted}
