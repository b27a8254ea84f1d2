# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The numbers that a window of samples is judged by. They admit ignorance."""

from __future__ import annotations

import math

Z = 1.96
# When one window is slower than another: all three, since each alone is mistaken too often (docs/concepts.md).
SIGNIFICANCE, SUPERIORITY, RATIO = 0.02, 0.64, 1.25
ENOUGH, ENOUGH_OF_CORRELATED, CORRELATED = 30, 60, 0.3


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


def mann_whitney(before, now):
    """
    (p, share): whether two samples differ, two-sided, by the normal approximation with corrections for ties and continuity; and the
    share of pairs in which the second is the greater one, a tie counting half.
    """
    total = len(before) + len(now)
    ordered = sorted([(value, False) for value in before] + [(value, True) for value in now])
    ranks, ties, place = 0.0, 0, 0
    while place < total:
        end = place
        while end < total and ordered[end][0] == ordered[place][0]:
            end += 1
        alike = end - place
        ranks += sum(1 for _value, second in ordered[place:end] if second) * (place + end + 1) / 2
        ties += alike ** 3 - alike
        place = end
    pairs = len(before) * len(now)
    greater = ranks - len(now) * (len(now) + 1) / 2
    variance = pairs / 12 * (total + 1 - ties / (total * (total - 1)))
    if variance <= 0:
        return 1.0, 0.5  # all alike
    distance = max(abs(greater - pairs / 2) - 0.5, 0) / math.sqrt(variance)
    return math.erfc(distance / math.sqrt(2)), greater / pairs


def correlation(values):
    """How much a value tells of the next one: of their ranks, so that a single slow answer does not decide it. None of too few."""
    if len(values) < 3:
        return None
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0] * len(values)
    for rank, place in enumerate(order):
        ranks[place] = rank
    middle = (len(values) - 1) / 2
    spread = sum((rank - middle) ** 2 for rank in ranks)
    return sum((one - middle) * (other - middle) for one, other in zip(ranks, ranks[1:])) / spread


def compare(before, now, tolerance=0.0):
    """
    Whether the answers of now are slower than those of before: C(slower) is None with too few samples to tell. More are needed where
    neighbours are alike, because they then say less. A difference of the medians up to C(tolerance) seconds is none.
    """
    found = {"samples": [len(before), len(now)], "median": [percentile(before, 0.5), percentile(now, 0.5)], "ratio": None, "superiority": None,
             "p": None, "needed": ENOUGH, "slower": None}
    if any((correlation(values) or 0) > CORRELATED for values in (before, now)):
        found["needed"] = ENOUGH_OF_CORRELATED
    if min(found["samples"]) < found["needed"]:
        return found
    p, share = mann_whitney(before, now)
    first, second = found["median"]
    ratio = second / first if first > 0 else None
    slower = p < SIGNIFICANCE and share >= SUPERIORITY and (ratio is None or ratio >= RATIO) and second - first > tolerance
    found.update(p=float("%.3g" % p), superiority=round(share, 4), ratio=None if ratio is None else round(ratio, 4), slower=slower)
    return found
