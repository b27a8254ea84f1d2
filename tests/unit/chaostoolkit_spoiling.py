# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Strategies of Hypothesis: experiments of Chaos Toolkit that are spoiled in a few places, or nothing but noise."""

from __future__ import annotations

import copy

from hypothesis import strategies as st

WORDS = [
    "", "x", "probe", "action", "http", "process", "python", "env", "vault", "${shop}", "${", "${a-b}", "$", "{{ x }}", "regex", "jsonpath", "range", "all",
    "compare", "docker", "stop", "sleep", "pkill -9 x", "sh", "-c", "tc", "qdisc", "stress-ng", "--cpu", "http://127.0.0.1/", "http://[", "title", "\n", "é",
    "'\"", "subprocess", "run", "time", "run_activity", "200", "$.length", "gt", "no such thing", "a: b", "# x", "!unsafe", "%s%d",
]
KEYS = [
    "title", "name", "type", "provider", "tolerance", "expect", "status", "json", "operator", "value", "ref", "pauses", "before", "after", "timeout",
    "background", "arguments", "url", "method", "path", "module", "func", "headers", "body", "Content-Type", "key", "default", "env_var_type", "strategy",
    "hypothesis",
    "rollbacks", "probes", "range", "pattern", "target", "activity", "args", "seconds", "attributes", "tolerances", "controls", "secrets", "dry", "x y", "{{",
]
scalars = st.none() | st.booleans() | st.integers(-3, 600) | st.integers() | st.floats() | st.sampled_from(WORDS) | st.text(max_size=6)
keys = st.sampled_from(KEYS) | st.integers(0, 2) | st.none()
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4), max_leaves=10)
noise = st.dictionaries(st.sampled_from(["title", "description", "method", "rollbacks", "configuration", "secrets", "runtime", "controls", "tags", "dry",
                                         "contributions", "extensions", "steady-state-hypothesis"]) | st.text(max_size=5), values, max_size=8)


def places(value, path=()):
    if path:
        yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(inner, (*path, key))


@st.composite
def spoilings(draw, experiment, most=3):
    """The experiment with up to C(most) places replaced, removed, renamed, or put somewhere else."""
    spoiled = copy.deepcopy(experiment)
    for _time in range(draw(st.integers(1, most))):
        known = list(places(spoiled))
        if not known:
            break
        path = draw(st.sampled_from(known))
        owner = spoiled
        for step in path[:-1]:
            owner = owner[step]
        how = draw(st.sampled_from(["replace", "remove", "rename", "add", "move"]))
        if how == "replace":
            owner[path[-1]] = draw(values)
        elif how == "remove":
            del owner[path[-1]]
        elif how == "add" and isinstance(owner, dict):
            owner[draw(st.sampled_from(KEYS))] = draw(values)
        elif how == "rename" and isinstance(owner, dict):
            owner[draw(st.sampled_from(KEYS))] = owner.pop(path[-1])
        elif how == "move":
            other = spoiled
            for step in draw(st.sampled_from(known)):
                if isinstance(other, dict) and step in other or isinstance(other, list) and isinstance(step, int) and step < len(other):
                    other = other[step]
            owner[path[-1]] = copy.deepcopy(other)
    return spoiled
