# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers, times and lists in words; and the columns of the terminal view."""

from __future__ import annotations

import datetime
from collections import namedtuple

from ansible_collections.gameday.chaos.plugins.plugin_utils.judging import instant

# A line of the story. Its tone is one of ok, bad, warn, fault, dim, head, plain.
Line = namedtuple("Line", "text tone")

LABEL_WIDTH = 13
INDENT = " " * (2 + 2 + LABEL_WIDTH + 2)
TEXT_WIDTH = 46
PAST = {"stop": "stopped", "kill": "killed", "pause": "paused"}


def row(mark, label, text, tone):
    """  ✓ steady state   API is healthy"""
    return Line(f"  {mark} {label:<{LABEL_WIDTH}}  {text}".rstrip(), tone)


def more(text, tone):
    return Line(f"{INDENT}{text}".rstrip(), tone)


def with_aside(text, aside):
    return f"{text:<{TEXT_WIDTH}}  ({aside})" if aside else text


def duration(seconds):
    if seconds is None:
        return "?"
    if seconds < 1:
        return f"{seconds:.2f} s"
    if seconds < 100:
        return f"{seconds:.1f} s"
    if seconds < 600:
        return f"{seconds:.0f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"


def latency(seconds):
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else duration(seconds)


def budget(seconds):
    return f"{float(seconds):g} s"


def clock(text):
    """The time of day. In UTC, as in journals and logs, and saying so."""
    moment = instant(text)
    return moment.astimezone(datetime.UTC).strftime("%H:%M:%S UTC") if moment else str(text)


def share(part, whole):
    if not whole:
        return "no"
    percent = 100.0 * part / whole
    return f"{percent:.0f} %" if percent in (0.0, 100.0) else f"{min(percent, 99.99):.4g} %"


def count(number, noun):
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def names(hosts, limit=6):
    hosts = list(dict.fromkeys(hosts))
    if len(hosts) <= limit:
        return ", ".join(hosts)
    return f"{', '.join(hosts[:limit - 1])} and {len(hosts) - limit + 1} more"


def lines_of(text, limit=8):
    """The last lines are those that matter."""
    lines = [line.rstrip() for line in str(text or "").splitlines() if line.strip()]
    return lines if len(lines) <= limit else ["…"] + lines[-limit:]
