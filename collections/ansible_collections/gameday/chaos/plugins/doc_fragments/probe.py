# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  measure_in_check_mode:
    description:
      - Whether to measure in check mode, too. The role P(gameday.chaos.experiment#role) switches it off for the method, where probes
        expect the effect of a fault that check mode does not inject.
    type: bool
    default: true
  run:
    description:
      - The run that this belongs to. While it lasts, the leases of the run's faults on this host are renewed.
      - The role P(gameday.chaos.experiment#role) sets it for the tasks of the method.
    type: str
    default: manual
"""
