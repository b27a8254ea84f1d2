# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

DOCUMENTATION = r"""
name: hosts
short_description: The hosts of a play, of which there must be at least one
version_added: 0.1.0
author: Gameday (@gameday)
description:
  - Returns the pattern that it is given, as it is, when it matches at least one host of the inventory, and fails otherwise.
  - A play whose hosts match nothing ends well in Ansible, so that a red button with a typing error would look like one that was pressed.
options:
  _terms:
    description: A pattern of hosts, as a play takes it; a list is several of them.
    required: true
"""

EXAMPLES = r"""
- name: The red button
  hosts: "{{ query('gameday.chaos.hosts', chaos_hosts | default('all')) }}"
"""

RETURN = r"""
_raw:
  description: The patterns.
  type: list
  elements: str
"""

from ansible.errors import AnsibleLookupError
from ansible.plugins.loader import lookup_loader
from ansible.plugins.lookup import LookupBase


class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        patterns = [str(term) for term in self._flatten(terms)]
        known = lookup_loader.get("ansible.builtin.inventory_hostnames", loader=self._loader, templar=self._templar)
        if not known.run(patterns, variables=variables):
            raise AnsibleLookupError("chaos_hosts: %s matches no host of the inventory; see ansible-inventory --graph" % ", ".join(patterns))
        return patterns
