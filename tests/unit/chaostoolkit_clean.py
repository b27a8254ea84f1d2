# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An experiment of Chaos Toolkit with nothing to say about, and how to spoil it."""

from __future__ import annotations

import copy

import yaml
from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_file import parse
from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_lint import examine

HYPOTHESIS = "steady-state-hypothesis"
GONE = type("Gone", (), {"__repr__": lambda self: "GONE"})()  # by one name in every process, since tests are named by it

CLEAN = {
    "title": "The shop survives a stopped cache", "description": "The cache is down for a while",
    "configuration": {"shop": "http://127.0.0.1:8000"},
    HYPOTHESIS: {"title": "The shop answers", "probes": [
        {"type": "probe", "name": "answers", "tolerance": 200, "provider": {"type": "http", "url": "${shop}/health", "timeout": 5}}]},
    "method": [
        {"type": "action", "name": "stop-cache", "provider": {"type": "process", "path": "true", "arguments": ["stop", "cache"], "timeout": 10},
         "pauses": {"after": 1}},
        {"type": "probe", "name": "still-answers", "tolerance": [200, 503], "provider": {"type": "http", "url": "${shop}/health", "timeout": 5}}],
    "rollbacks": [
        {"type": "action", "name": "start-cache", "provider": {"type": "process", "path": "true", "arguments": ["start", "cache"], "timeout": 10}}],
}
SSH0 = (HYPOTHESIS, "probes", 0)
ACT, PROBE, BACK = ("method", 0), ("method", 1), ("rollbacks", 0)


def spoiled(changes, experiment=CLEAN):
    """The clean experiment with values set, or removed, by path."""
    spoiled = copy.deepcopy(experiment)
    for path, value in changes.items():
        owner = spoiled
        for step in path[:-1]:
            owner = owner[step]
        if value is GONE:
            del owner[path[-1]]
        elif isinstance(owner, list) and path[-1] == len(owner):
            owner.append(copy.deepcopy(value))
        else:
            owner[path[-1]] = copy.deepcopy(value)
    return spoiled


def document(experiment):
    return parse(yaml.safe_dump(experiment, sort_keys=False), "yaml", "test.yaml")


def look(experiment, compat=False):
    return examine(document(experiment), compat)
