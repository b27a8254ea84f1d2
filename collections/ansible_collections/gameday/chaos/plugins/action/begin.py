# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One number for a run, on every host and in every batch, whatever the strategy."""

from __future__ import annotations

import datetime
import secrets

from ansible.plugins.action import ActionBase
from ansible_collections.gameday.chaos.plugins.plugin_utils.safety import is_free
from ansible_collections.gameday.chaos.plugins.plugin_utils.together import Together


class ActionModule(ActionBase):
    TRANSFERS_FILES = False

    def run(self, tmp=None, task_vars=None):
        super().run(tmp, task_vars)
        arguments = self.validate_argument_spec(argument_spec={"name": {"type": "str", "required": True}})[1]
        together, which = Together(), [self._task.play._uuid, arguments["name"]]
        number = together.times([*which, task_vars["inventory_hostname"]])  # a play may run the same experiment several times
        begun = together.once([*which, number], lambda: new_run(arguments["name"]))
        return {"changed": False, **begun, "free": is_free(self._task.play.strategy)}


def new_run(name):
    now = datetime.datetime.now(datetime.UTC)
    return {"run": "%s-%s-%s" % (name, now.strftime("%Y%m%d-%H%M%S"), secrets.token_hex(2)), "begin": now.isoformat(timespec="microseconds")}
