# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The numbers that a window of samples is judged by. They admit ignorance."""

from __future__ import annotations

import math

Z = 1.96


def wilson(good, total):
    """The 95 % interval of a share (Wilson's, two-sided); (0, 1) when nothing was counted."""
    if not total:
        return 0.0, 1.0
    share, square = good / total, Z * Z
    centre = (share + square / (2 * total)) / (1 + square / total)
    half = Z * math.sqrt(share * (1 - share) / total + square / (4 * total * total)) / (1 + square / total)
    return max(0.0, centre - half), min(1.0, centre + half)


def percentile(values, share):
    """The nearest-rank percentile; None of nothing."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None


def outages(samples):
    """
    Runs of unmet samples as (begin, end) on the samples' clock. An outage lasts from its first bad sample to the next good one;
    one that the window ends in lasts to the end of its last sample. Samples are (at, met, seconds), in order; unknown ones say nothing.
    """
    found, begin, last = [], None, None
    for at, met, seconds in samples:
        if met is False:
            begin = at if begin is None else begin
            last = at + (seconds or 0)
        elif met is True and begin is not None:
            found.append((begin, at))
            begin = None
    if begin is not None:
        found.append((begin, last))
    return found
