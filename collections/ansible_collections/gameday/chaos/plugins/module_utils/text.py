# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be text in options and in results."""

from __future__ import annotations


def printable(value):
    """Without what is no UTF-8 (a program may print anything, a process may be called anything): Ansible refuses the whole result else."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {printable(name): printable(one) for name, one in value.items()}
    return [printable(one) for one in value] if isinstance(value, list) else value


def no_text(params):
    """Which option holds what no program can be given, in words; None when all are usable."""
    found = next((name for name, value in params.items() if any("\0" in word for word in words_in(value))), None)
    return found and "%s: holds a NUL character, which no name, path or argument on a host can hold; leave it out" % found


def words_in(value):
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        value = [*value, *value.values()]
    return [word for one in value for word in words_in(one)] if isinstance(value, (list, tuple)) else []
