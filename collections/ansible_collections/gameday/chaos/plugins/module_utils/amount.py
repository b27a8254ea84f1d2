# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Amounts as people write them: 256MiB, 10%."""

from __future__ import annotations

import re

UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
MOST = 1 << 63
SIZE = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([KMGT]?)(?:i?B)?\s*", re.IGNORECASE | re.ASCII)
SHARE = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*%\s*")


def size(text):
    """Bytes, from 256MiB, 256M or 268435456; raises ValueError."""
    found = SIZE.fullmatch(str(text))
    value = float(found.group(1)) * UNITS[found.group(2).upper()] if found else MOST
    if value >= MOST:
        raise ValueError("%r is no size; give one such as 256MiB or 2GiB" % text)
    return int(value)


def share(text):
    """Percent, from 10%; None for what is no share; raises ValueError for more than all."""
    found = SHARE.fullmatch(str(text))
    if found and float(found.group(1)) > 100:
        raise ValueError("%r is more than all of it" % text)
    return float(found.group(1)) if found else None


def in_words(value):
    """1610612736 -> 1.5 GiB"""
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        whole = UNITS[unit[0]]
        if value >= whole:
            return "%.4g %s" % (value / whole, unit)
    return "%d bytes" % value
