# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options as Ansible reads them, but for its own falling over some: an infinite number, or a huge one in a list, where it wants a whole one."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

READING = (ArithmeticError, LookupError, TypeError, ValueError)


def ansible_module(argument_spec, **more):
    """AnsibleModule, which here answers in words whatever it is given."""
    try:
        return AnsibleModule(argument_spec=argument_spec, supports_check_mode=True, **more)
    except READING as error:
        raw = {name: {"type": "raw", "no_log": option.get("no_log", False)} for name, option in argument_spec.items()}
        module = AnsibleModule(argument_spec=raw, supports_check_mode=True)
        module.fail_json(msg=unreadable(argument_spec, module.params) or "the options cannot be read: %s" % error)


def unreadable(argument_spec, given):
    """Which option cannot be read, in words; None when each of them can."""
    for name, value in given.items():
        try:
            if value is not None and name in argument_spec:
                ArgumentSpecValidator({name: argument_spec[name]}).validate({name: value})
        except READING as error:
            return "%s: cannot be read: %s" % (name, error)
    return None
