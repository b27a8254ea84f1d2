# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    """What modules promise of check mode and diff; CHANGES for those that change the host, LOOKS for those that only look."""

    CHANGES = r"""
attributes:
  check_mode:
    support: full
    description: Names what would be hit, and the commands there and back, and writes nothing.
  diff_mode:
    support: full
    description: Shows the commands that inject the fault and those of its way back.
"""

    LOOKS = r"""
attributes:
  check_mode:
    support: full
    description: Measures in check mode, too, since it changes nothing.
  diff_mode:
    support: none
    description: There is nothing to compare.
"""
