# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A path into JSON, as C(database.state), C(items[0].name) or C($.items[-1]['odd key']): enough to point at one value."""

from __future__ import annotations

import re

STEP = re.compile(r"""\.([A-Za-z0-9_-]+)|\[(-?[0-9]+)\]|\[(?:'([^']*)'|"([^"]*)")\]""")


def parse(path):
    """The steps of a path; raises ValueError where it is none."""
    rest, steps = path, []
    if path.startswith("$"):
        rest = path[1:]
    elif path and path[0] not in ".[":
        rest = "." + path
    while rest:
        found = STEP.match(rest)
        if not found:
            raise ValueError("cannot be read from %r on" % rest)
        name, index, single, double = found.groups()
        steps.append(int(index) if index is not None else next(one for one in (name, single, double) if one is not None))
        rest = rest[found.end():]
    return steps


def get(document, path):
    """The value at a path; raises LookupError with words where there is none."""
    for step in parse(path):
        if not isinstance(document, list if isinstance(step, int) else dict):  # a text has places, too, but nobody means them
            raise LookupError("there is no %s" % path)
        try:
            document = document[step]
        except (KeyError, IndexError):
            raise LookupError("there is no %s" % path) from None
    return document
