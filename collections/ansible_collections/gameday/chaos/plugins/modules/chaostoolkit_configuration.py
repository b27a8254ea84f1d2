#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: chaostoolkit_configuration
short_description: Find out the configuration of a Chaos Toolkit experiment that a probe tells
version_added: 0.1.0
description:
  - Replaces each entry of the configuration of C(type) C(probe) by what that probe gives on the host (of a process what it writes, of a request the
    body of the answer, of a function what it returns). All others stay as they are.
  - One that cannot be found out fails the task, before anything is broken. Chaos Toolkit would go on with C(${name}) where the value should be.
  - Used by the role P(gameday.chaos.chaostoolkit#role).
extends_documentation_fragment:
  - gameday.chaos.chaostoolkit
  - gameday.chaos.attributes.looks
author: Gameday (@gameday)
"""

EXAMPLES = r"""
- name: Where does the shop run?
  gameday.chaos.chaostoolkit_configuration:
    configuration:
      shop:
        type: probe
        name: where
        provider:
          type: process
          path: cat
          arguments: [/etc/shop/url]
"""

RETURN = r"""
configuration:
  description: All of the configuration, with the values that the probes told.
  returned: success
  type: dict
"""

from ansible_collections.gameday.chaos.plugins.module_utils.arguments import ansible_module
from ansible_collections.gameday.chaos.plugins.module_utils.chaostoolkit_activity import (
    OPTIONS,
    hide_secrets,
    limits_of,
    perform,
    run_provider,
    shown_arguments,
    without,
    words_of,
)


class Unknown(Exception):
    pass


def told_by(probe, name, known, secrets, limits):
    entry = perform(probe, lambda: run_provider(probe, known, secrets, limits))
    kind, output = probe["provider"].get("type"), entry["output"]
    if entry["status"] == "failed":
        raise Unknown("configuration.%s: its probe failed: %s" % (name, words_of(entry)))
    if kind == "process" and output["status"] != 0:
        raise Unknown("configuration.%s: its probe ended with exit code %s: %s" % (name, output["status"], output["stderr"].strip()[-300:]))
    return output["stdout"].strip() if kind == "process" else output["body"] if kind == "http" else output


def main():
    module = ansible_module(argument_spec=dict(OPTIONS))
    params, short = module.params, hide_secrets(module)
    shown, known = shown_arguments(module), {}
    try:
        for name, value in params["configuration"].items():
            dynamic = isinstance(value, dict) and value.get("type") == "probe"
            if dynamic and module.check_mode:
                raise Unknown("configuration.%s: is told by a probe, and in check mode none is run; give it by -e %s=..." % (name, name))
            known[name] = told_by(value, name, known, params["secrets"], limits_of(params)) if dynamic else value
    except Unknown as error:
        module.fail_json(msg="%s. Nothing was touched" % error, invocation=shown)
    module.exit_json(changed=False, configuration=without(short, known), invocation=shown)


if __name__ == "__main__":
    main()
