#!/usr/bin/python
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: chaostoolkit_experiment
short_description: Read a Chaos Toolkit experiment, and decide what is to be run of it
version_added: 0.1.0
description:
  - Runs on the controller and changes nothing. Reads the file, understands it as it was meant, resolves references, chooses strategies, and gathers the
    values of configuration and secrets from the file, from the controller's environment and from extra variables.
  - What it returns holds the values of secrets, so its task needs C(no_log). It never fails for what is wrong with the file, but returns it as
    RV(problem), which another task can show.
  - Used by the role P(gameday.chaos.chaostoolkit#role), whose options say what each is for.
author: Gameday (@gameday)
extends_documentation_fragment: gameday.chaos.attributes.looks
options:
  source:
    description: Path or URL of the experiment.
    type: str
    required: true
  token:
    description: Bearer token for a URL.
    type: str
  configuration:
    description: Values for its configuration. An extra variable of the same name comes before.
    type: dict
    default: {}
  secrets:
    description: Values for its secrets, by group and name.
    type: dict
    default: {}
  hypothesis_strategy:
    description: When to look at the hypothesis.
    type: str
    default: ''
  rollback_strategy:
    description: When to play the rollbacks.
    type: str
    default: ''
  dry:
    description: What is not really done.
    type: str
    default: ''
  duration:
    description: Seconds after which the host itself puts back what is known.
    type: int
    default: 600
  ignore_controls:
    description: Run it even where a control that is to end it is not run.
    type: bool
    default: false
  compat:
    description: Keys that nobody reads are no error.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Read it
  gameday.chaos.chaostoolkit_experiment:
    source: experiment.yaml
  register: found
  no_log: true
"""

RETURN = r"""
problem:
  description: Why it cannot be run, or null.
  returned: always
  type: str
document:
  description: The experiment as it may be shown.
  returned: when there is no problem
  type: dict
"""
