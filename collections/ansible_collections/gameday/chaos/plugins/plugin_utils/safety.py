# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When and on how many hosts an experiment may run."""

from __future__ import annotations

import math
from datetime import datetime, time, timezone
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Unsafe(Exception):
    """Why the experiment must not run here and now; names the variable and the cure."""


def check_hosts(count, limit):
    """C(limit) is a number of hosts, or a share of those in the play such as 25% (rounded down, but never to none)."""
    if limit in (None, ""):
        return
    number, known = str(limit).strip(), count["inventory"]
    try:
        allowed = max(1, math.floor(known * float(number[:-1]) / 100)) if number.endswith("%") else int(number)
    except ValueError:
        raise Unsafe("experiment_maximum_hosts: %r is neither a number nor a percentage such as 25%%" % limit) from None
    if count["play"] > allowed:
        raise Unsafe("experiment_maximum_hosts: the play has %s hosts, and at most %s (%s) may take part. Narrow it with --limit, or raise the limit"
                     % (count["play"], allowed, limit))


def check_window(windows, now=None):
    """Each window is {days: [mon, ...], from: "09:00", until: "17:00", timezone: Europe/Oslo}; one that applies now is enough."""
    if not windows:
        return
    now = now or datetime.now(timezone.utc)
    if not any(is_open(window, now) for window in windows):
        raise Unsafe("experiment_windows: it is %s, outside of every window in which experiments are allowed: %s"
                     % (now.isoformat(timespec="minutes"), "; ".join(words(window) for window in windows)))


def is_open(window, now):
    try:
        local = now.astimezone(ZoneInfo(window.get("timezone", "UTC")))
        begin, end = time.fromisoformat(str(window.get("from", "00:00"))), time.fromisoformat(str(window.get("until", "23:59:59")))
        days = [str(day).lower()[:3] for day in window.get("days", DAYS)]
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise Unsafe("experiment_windows: %s cannot be read: %s. Give days (mon..sun), from and until (HH:MM, in quotes), timezone (Europe/Oslo)"
                     % (window, error)) from None
    unknown = sorted(set(days) - set(DAYS))
    if unknown:
        raise Unsafe("experiment_windows: %s is no day; give mon, tue, wed, thu, fri, sat, sun" % ", ".join(unknown))
    today, yesterday = DAYS[local.weekday()] in days, DAYS[local.weekday() - 1] in days
    if begin <= end:
        return today and begin <= local.time() <= end
    return today and local.time() >= begin or yesterday and local.time() <= end


def words(window):
    return "%s %s-%s %s" % (",".join(window.get("days", ["every day"])), window.get("from", "00:00"), window.get("until", "24:00"),
                            window.get("timezone", "UTC"))
