#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight
short_description: May this experiment run, here and now?
version_added: 0.1.0
description:
  - The first task of an experiment. Runs on the controller, once for each host, and changes nothing.
  - Makes sure that every module of the method can be found, that the method does not end the play behind its own back and breaks only hosts of the
    play, that the time, the number of hosts and the strategy of the play are such that it can work, and that no fault of another run is in place on the host.
  - Used by the role P(gameday.chaos.experiment#role); the journal takes what the experiment is from here.
author: Gameday (@gameday)
extends_documentation_fragment: gameday.chaos.attributes.looks
options:
  title:
    description: The experiment in one line.
    type: str
    required: true
  name:
    description: A short name that the journal's file is named by.
    type: str
    required: true
  run:
    description: The id of this run.
    type: str
    required: true
  method:
    description: Absolute path of the file with the tasks of the method.
    type: str
    required: true
  description:
    description: The experiment in more than one line.
    type: str
    default: ''
  tags:
    description: Words to find it by.
    type: list
    elements: str
    default: []
  steady_state:
    description: The probes of the steady state, as M(gameday.chaos.steady_state) takes them.
    type: list
    elements: dict
    default: []
  recovery:
    description: Seconds that the system may need to be steady again.
    type: float
    default: 60
  maximum_hosts:
    description: How many hosts may take part, a number, or a share of the inventory such as V(25%).
    type: str
    default: ''
  windows:
    description: When experiments are allowed, a list of dictionaries with C(days), C(from), C(until), C(timezone). None is always.
    type: list
    elements: dict
    default: []
  barrier:
    description: Seconds that the hosts may need to come to a fault of the method which hits them together.
    type: float
    default: 0
  interval:
    description: Seconds between two looks at whether the steady state is back.
    type: float
    default: 0.1
  held_by:
    description: The faults in place on the host, from M(gameday.chaos.ledger_info).
    type: list
    elements: dict
    default: []
  unreadable:
    description: The entries of the host's ledger that cannot be read, from M(gameday.chaos.ledger_info).
    type: list
    elements: str
    default: []
  halted:
    description: Who halted the faults on the host, from M(gameday.chaos.ledger_info).
    type: dict
"""

EXAMPLES = r"""
- name: May it run?
  gameday.chaos.preflight:
    title: PostgreSQL becomes unavailable
    name: database_failure
    run: database_failure-20300131-120000-4f2a
    method: "{{ role_path }}/tasks/method.yml"
"""

RETURN = r"""
experiment:
  description: What the experiment is, for the journal.
  returned: when it may run
  type: dict
"""
