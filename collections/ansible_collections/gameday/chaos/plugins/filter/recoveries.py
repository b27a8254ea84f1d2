# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: recoveries
short_description: What was put back, on several hosts, in a few lines
version_added: 0.1.0
author: Gameday (@gameday)
description:
  - Puts together what M(gameday.chaos.recover) or M(gameday.chaos.halt) returned on each host. A host that was not reached is not clean, for nobody knows.
options:
  _input:
    description: The registered result of each host, by its name.
    type: dict
    required: true
  in_place:
    description: The faults that were in place on each host before, by its name, from M(gameday.chaos.ledger_info). Those of the results, if not given.
    type: dict
"""

EXAMPLES = r"""
report: "{{ dict(ansible_play_hosts_all | zip(ansible_play_hosts_all | map('extract', hostvars, 'recovered'))) | gameday.chaos.recoveries }}"
"""

RETURN = r"""
_value:
  description: C(lines), the whole for people; C(unclean), for each host that is not known to be clean, why.
  type: dict
"""

from ansible.errors import AnsibleFilterError
from ansible_collections.gameday.chaos.plugins.plugin_utils.wording import count


def why_unclean(result):
    """Why a host is not known to be clean; None when it is."""
    recovery = result.get("recovery")
    if result.get("unreachable"):
        return f"not reached: {result.get('msg')}"
    if recovery and not recovery.get("restored"):
        return "still broken: " + "; ".join(recovery.get("residue") or ["it does not say what"])
    if result.get("failed") or (not recovery and not result.get("halt")):
        return f"failed: {result.get('msg') or 'it did not say why'}"
    return None


def of_host(host, result, faults):
    ended = {fault.get("id") for fault in (result.get("recovery") or {}).get("faults") or () if fault.get("state") == "absent"}
    return [f"{'✓' if fault['id'] in ended else '·'} {host}: was under {fault['claim']} of run {fault['run']}"
            f"{', which is put back' if fault['id'] in ended else ''}" for fault in faults]


def recoveries(results, in_place=None):
    if not isinstance(results, dict):
        raise AnsibleFilterError("gameday.chaos.recoveries: needs the results of the hosts by their names")
    lines, hit, unclean = [], 0, {}
    for host, result in results.items():
        result = result if isinstance(result, dict) else {}
        faults = (in_place or {}).get(host) if in_place is not None else (result.get("recovery") or {}).get("faults")
        lines += of_host(host, result, faults or [])
        hit += 1 if faults else 0
        reason = why_unclean(result)
        if reason:
            unclean[host] = reason.strip()
            lines.append(f"✗ {host}: {unclean[host]}")
    lines.append(f"{count(len(results), 'host')}, {hit} of them under a fault when we came, {len(unclean)} not known to be clean")
    return {"lines": lines, "unclean": unclean}


class FilterModule:
    def filters(self):
        return {"recoveries": recoveries}
