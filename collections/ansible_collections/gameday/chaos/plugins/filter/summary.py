# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: summary
short_description: Several experiments in one table
version_added: 0.1.0
author: Gameday (@gameday)
description:
  - Puts together how several experiments ended on several hosts. The verdict of an experiment is the worst of its hosts.
  - In check mode there is no verdict, and C(previewed) stands in its place.
options:
  _input:
    description: For each host a list of dictionaries with C(name), C(verdict) and C(seconds), in the order in which they were run.
    type: list
    elements: list
    required: true
"""

EXAMPLES = r"""
summary: "{{ ansible_play_hosts_all | map('extract', hostvars, 'experiment_outcomes') | gameday.chaos.summary }}"
"""

RETURN = r"""
_value:
  description:
    - C(experiments), a list with C(name), C(verdict) and C(seconds) of each; C(passed) and C(failed), how many did and did not pass;
      C(verdict), the worst; C(lines), the same as a table for people.
  type: dict
"""

from ansible.errors import AnsibleFilterError
from ansible_collections.gameday.chaos.plugins.plugin_utils.verdict import worst
from ansible_collections.gameday.chaos.plugins.plugin_utils.wording import duration

PREVIEWED = "previewed"  # in check mode there is no verdict
SIGNS = {"passed": "✓", PREVIEWED: "·"}


def together(verdicts):
    """The worst of them; a preview is none."""
    verdicts = list(verdicts)
    return PREVIEWED if verdicts and set(verdicts) == {PREVIEWED} else worst((one for one in verdicts if one != PREVIEWED), "errored")


def summary(outcomes):
    found = {}
    for of_host in outcomes:
        if not isinstance(of_host, (list, tuple)):
            raise AnsibleFilterError("gameday.chaos.summary: needs a list of outcomes for each host")
        for one in of_host:
            found.setdefault(one["name"], []).append(one)
    experiments = [{"name": name, "verdict": together(one["verdict"] for one in told), "seconds": max(float(one["seconds"]) for one in told)}
                   for name, told in found.items()]
    passed, previewed = (sum(1 for one in experiments if one["verdict"] == verdict) for verdict in ("passed", PREVIEWED))
    width = max((len(one["name"]) for one in experiments), default=0)
    lines = [f"{SIGNS.get(one['verdict'], '✗')} {one['name']:<{width}}  {one['verdict']:<12}  {duration(one['seconds'])}" for one in experiments]
    return {
        "experiments": experiments, "passed": passed, "failed": len(experiments) - passed - previewed,
        "verdict": together(one["verdict"] for one in experiments),
        "lines": [*lines, f"Passed: {passed} Failed: {len(experiments) - passed - previewed}{f' Previewed: {previewed}' if previewed else ''}"],
    }


class FilterModule:
    def filters(self):
        return {"summary": summary}
