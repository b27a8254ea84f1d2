#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: chaostoolkit_document
short_description: Tell the journal which Chaos Toolkit experiment is run
version_added: 0.1.0
description:
  - Runs on the controller and changes nothing. The journal takes from here the experiment as it stands in the file, what was said of it, and the values of
    its configuration, without secrets.
  - Used by the role P(gameday.chaos.chaostoolkit#role).
author: Gameday (@gameday)
extends_documentation_fragment: gameday.chaos.attributes.looks
options:
  document:
    description: What M(gameday.chaos.chaostoolkit_experiment) returned as C(document).
    type: dict
    required: true
  configuration:
    description: The values of the configuration with which it runs on this host.
    type: dict
    default: {}
  secrets:
    description: The values of the secrets, which are left out.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Tell the journal
  gameday.chaos.chaostoolkit_document:
    document: "{{ found.document }}"
    configuration: "{{ found.configuration }}"
    secrets: "{{ found.secrets }}"
"""

RETURN = r"""
document:
  description: The experiment as it stands in the file, C(findings), C(notes), C(controls), C(strategies) and C(configuration).
  returned: always
  type: dict
"""
