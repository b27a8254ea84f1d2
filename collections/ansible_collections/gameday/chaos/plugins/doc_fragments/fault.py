# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  state:
    description:
      - V(present) breaks the thing for at most O(duration) seconds. Doing so again in the same run and within that time changes nothing
        and does not extend it.
      - V(absent) puts it back now; needs only the options that name the thing.
    type: str
    choices: [present, absent]
    default: present
  duration:
    description:
      - Seconds after which the host itself puts the thing back, counted from the moment the way back is armed, so that the fault
        never lasts longer than asked. From 1 to 14400.
      - Required when O(state=present). There is no endless fault.
    type: int
  starts_at:
    description:
      - Inject at this instant instead of now, so that many hosts break together. ISO 8601 with an offset, at most ten minutes ahead.
      - O(duration) then counts from this instant.
    type: str
  lease:
    description:
      - Seconds after which the host puts the thing back before its time, unless the run has shown meanwhile that it is still there. So a controller
        that died costs this many seconds, and not the whole O(duration).
      - Renewed by every task of the run with a fault, a probe or M(gameday.chaos.steady_state) on this host, as long as it lasts, and by
        M(gameday.chaos.renew_lease). Choose it longer than the longest pause between two of them.
      - V(0) is no lease.
    type: int
    default: 0
  run:
    description:
      - The run that this fault belongs to. M(gameday.chaos.recover) ends the faults of one run.
      - The role P(gameday.chaos.experiment#role) sets it for the tasks of the method.
    type: str
    default: manual
notes:
  - Before the first step the way back is on the host's disk and the timer that runs it is armed and seen armed. It needs neither the controller,
    nor the network, nor this collection. See M(gameday.chaos.recover) for putting things back by hand.
  - Run by an ordinary user the ledger is below that user's state folder instead of C(/var/lib/gameday).
"""
