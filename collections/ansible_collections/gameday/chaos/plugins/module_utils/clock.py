# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Time as faults need it: deadlines on the clock that nobody can step, and instants that people and journals can read."""

from __future__ import annotations

from datetime import datetime, timezone


def uptime():
    """Hundredths of a second since boot, read where the way back reads it too, so that the two can never disagree."""
    with open("/proc/uptime") as source:
        seconds, hundredths = source.read().split()[0].split(".")
    return int(seconds) * 100 + int(hundredths)


def boot_id():
    with open("/proc/sys/kernel/random/boot_id") as source:
        return source.read().strip()


def first_process():
    """
    When the first process began, in ticks since boot: a container that was started again has a new one and the boot id of before. Empty where it
    may not be looked at.
    """
    try:
        with open("/proc/1/stat") as source:
            return source.read().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def now():
    return datetime.now(timezone.utc)


def iso(instant=None):
    return (instant or now()).isoformat(timespec="microseconds")


def at_uptime(hundredths):
    """The wall-clock instant that belongs to an uptime of this boot."""
    return datetime.fromtimestamp(now().timestamp() + (hundredths - uptime()) / 100, timezone.utc)


def parse(text):
    """An ISO 8601 instant with an offset (or Z); raises ValueError for anything else."""
    text = text.strip()
    instant = datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith(("Z", "z")) else text)
    if instant.tzinfo is None:
        raise ValueError("no UTC offset")
    return instant
