# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells the journal which foreign experiment this is, and with which values it runs."""

from __future__ import annotations

from ansible.plugins.action import ActionBase
from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_configuration import redacted, texts


class ActionModule(ActionBase):
    TRANSFERS_FILES = False

    def run(self, tmp=None, task_vars=None):
        super().run(tmp, task_vars)
        spec = {"document": {"type": "dict", "required": True}, "configuration": {"type": "dict", "default": {}},
                "secrets": {"type": "dict", "default": {}, "no_log": True}}
        arguments = self.validate_argument_spec(argument_spec=spec)[1]
        shown = redacted(arguments["configuration"], texts(arguments["secrets"]))
        return {"changed": False, "document": dict(arguments["document"], configuration=shown)}
