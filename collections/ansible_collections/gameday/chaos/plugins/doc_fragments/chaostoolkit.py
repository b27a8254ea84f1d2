# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  configuration:
    description: The values of the experiment's configuration, by their names.
    type: dict
    default: {}
  secrets:
    description: The values of its secrets, by group and name. They are removed from whatever is returned.
    type: dict
    default: {}
  timeout:
    description: Seconds that a process or a function may take where the file does not say. Then it is ended with its whole process group.
    type: float
    default: 600
  http_timeout:
    description: Seconds that a server may take to answer where the file does not say.
    type: float
    default: 30
  directory:
    description: Where programs are run on the host, and where functions may find modules besides.
    type: path
  python:
    description: The Python on the host that runs functions. Without it, the one that runs this module.
    type: path
  dry:
    description:
      - What is not really done, as C(chaos run --dry) has it.
      - V(actions), V(probes) or both (V(activities)); or only no V(pause) is made.
    type: str
    choices: ['', actions, probes, activities, pause]
    default: ''
"""
