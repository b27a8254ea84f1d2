# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ${name} means in a file of Chaos Toolkit: the value with its type where it is the whole string, its text where it is a part of one."""

from __future__ import annotations

from collections import ChainMap
from string import Template


def scope(configuration, secrets):
    """Where names are looked up: the configuration first, then each group of secrets in its order."""
    return ChainMap(configuration or {}, *[group for group in (secrets or {}).values() if isinstance(group, dict)])


def substitute(value, configuration, secrets):
    """A copy of the value, names replaced in strings, in lists and in the values (not the keys) of maps. What is not known stays as it is."""
    names = scope(configuration, secrets)
    return replaced(value, names)


def replaced(value, names):
    if isinstance(value, str):
        return in_text(value, names)
    if isinstance(value, dict):
        return {key: replaced(one, names) for key, one in value.items()}
    return [replaced(one, names) for one in value] if isinstance(value, list) else value


def in_text(text, names):
    template = Template(text)
    whole = template.pattern.fullmatch(text)
    if whole and whole.group("braced") in names:
        return names[whole.group("braced")]
    return template.safe_substitute(names)
