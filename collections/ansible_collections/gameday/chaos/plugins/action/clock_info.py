# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks a host for the time, as quickly as can be: by one command and not by a module, whose interpreter takes longer to start than the network."""

from __future__ import annotations

import re
import time

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible_collections.gameday.chaos.plugins.action.on_host import lost
from ansible_collections.gameday.chaos.plugins.plugin_utils import clocks

TRIES = 5
GOOD_ENOUGH = 0.005


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(self, tmp=None, task_vars=None):
        super().run(tmp, task_vars)
        self.validate_argument_spec(argument_spec={})
        exchanges, said = [], "nothing"
        try:
            for _number in range(TRIES):
                sent = time.time()
                said = self._low_level_execute_command("date +%s.%N", sudoable=False)["stdout"]
                received = time.time()
                found = re.search(r"(\d{9,})(?:\.(\d+))?", said)
                if found:
                    exact = bool(found.group(2))  # a small date knows no %N
                    exchanges.append((sent, float(found.group(0)) if exact else int(found.group(1)) + 0.5, 0.0 if exact else 0.5, received))
                if exchanges and clocks.measured(exchanges)["uncertainty"] <= GOOD_ENOUGH:
                    break
        except AnsibleConnectionFailure as error:
            if not task_vars.get("experiment_phase") or self._task.ignore_unreachable:
                raise
            return lost(error)
        if not exchanges:
            return {"failed": True, "msg": "the host does not tell the time: date +%%s.%%N says %r" % said.strip()[-200:]}
        clock = clocks.measured(exchanges)
        result = {"changed": False, "clock": clock}
        if abs(clocks.offset_of(clock)) > clocks.WORTH_A_WARNING:
            result["warnings"] = ["The clock of %s is %.1f s %s that of the controller. The times of this experiment are corrected by it; its logs are not"
                                  % (task_vars["inventory_hostname"], abs(clock["offset"]), "ahead of" if clock["offset"] > 0 else "behind")]
        return result
