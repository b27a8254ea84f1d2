# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several things at once. What that takes is read only where there are several: it takes as long as a short probe."""

from __future__ import annotations


def pool(workers):
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(max_workers=workers)


def at_once(function, things, most):
    """[function(thing)], of so many at once at the most."""
    if len(things) < 2:
        return [function(thing) for thing in things]
    with pool(min(len(things), most)) as workers:
        return list(workers.map(function, things))
