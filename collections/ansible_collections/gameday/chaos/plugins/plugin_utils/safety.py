# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When and on how many hosts an experiment may run."""

from __future__ import annotations

import datetime
import math
import re
import zoneinfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
FREE = ("free", "host_pinned")
DAY_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
LONGEST_BARRIER = 300
SHORTEST_INTERVAL = 0.01  # as steady_state has it


class Unsafe(Exception):
    """Why the experiment must not run here and now; names the variable and the cure."""


def is_free(strategy):
    """Whether hosts do not wait for each other."""
    return str(strategy).rpartition(".")[2] in FREE


def check_strategy(strategy, steady_state, barrier):
    """Where hosts do not wait for each other, each is an experiment of its own; what needs the others cannot work."""
    if not is_free(strategy):
        return
    if not steady_state:
        raise Unsafe("strategy %s: hosts do not wait for each other, so none can watch for another, and this one has no experiment_steady_state of "
                     "its own. Give it one, or use the strategy linear" % strategy)
    if barrier > 0:
        raise Unsafe("strategy %s: hosts do not wait for each other, so they cannot be hit together (experiment_barrier). Use the strategy linear" % strategy)


def check_barrier(barrier, hosts, forks):
    if not 0 <= barrier <= LONGEST_BARRIER:
        raise Unsafe("experiment_barrier: %s is not between 0 and %s seconds" % (barrier, LONGEST_BARRIER))
    if barrier > 0 and hosts > forks:
        raise Unsafe("experiment_barrier: %s hosts are to be hit together, and Ansible works on %s at once. Run with --forks %s" % (hosts, forks, hosts))


def check_times(steady_state, recovery, interval):
    """What the look after would refuse when everything is broken already."""
    if steady_state and not recovery > 0:
        raise Unsafe("experiment_recovery: %s is not more than 0 seconds" % recovery)
    if steady_state and not interval >= SHORTEST_INTERVAL:
        raise Unsafe("experiment_interval: %s is less than %s seconds" % (interval, SHORTEST_INTERVAL))


def check_hosts(count, limit):
    """C(limit) is a number of hosts, or a share of those in the play such as 25% (rounded down, but never to none)."""
    if limit in (None, ""):
        return
    number, known = str(limit).strip(), count["inventory"]
    try:
        allowed = max(1, math.floor(known * float(number[:-1]) / 100)) if number.endswith("%") else int(number)
    except (ValueError, OverflowError):
        raise Unsafe("experiment_maximum_hosts: %r is neither a number nor a percentage such as 25%%" % limit) from None
    if count["play"] > allowed:
        raise Unsafe("experiment_maximum_hosts: the play has %s hosts, and at most %s (%s) may take part. "
                     "Narrow it with --limit, or raise the limit" % (count["play"], allowed, limit))


def check_window(windows, now=None):
    """Each window is {days: [mon, ...], from: "09:00", until: "17:00", timezone: Europe/Oslo}; one that applies now is enough."""
    if not windows:
        return
    now = now or datetime.datetime.now(datetime.UTC)
    states = [is_open(window, now) for window in windows]  # all of them: one that cannot be read is an error even while another is open
    if not any(states):
        raise Unsafe("experiment_windows: it is %s, outside of every window in which experiments are allowed: %s"
                     % (now.isoformat(timespec="minutes"), "; ".join(words(window) for window in windows)))


def is_open(window, now):
    unknown = sorted(set(map(str, window)) - {"days", "from", "until", "timezone"})
    if unknown:
        raise Unsafe("experiment_windows: %s has %s, which says nothing; a window has days, from, until and timezone" % (window, ", ".join(unknown)))
    try:
        local = now.astimezone(zoneinfo.ZoneInfo(window.get("timezone", "UTC")))
        begin, end = time_of_day(window.get("from", "00:00")), time_of_day(window.get("until", "23:59:59"))
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, TypeError, OSError) as error:
        raise Unsafe("experiment_windows: %s cannot be read: %s. Give days (mon..sun), from and until (HH:MM, in quotes), "
                     "timezone (Europe/Oslo)" % (window, error)) from None
    days = days_of(window)
    today, yesterday = DAYS[local.weekday()] in days, DAYS[local.weekday() - 1] in days
    moment = local.time().replace(microsecond=0)
    if begin <= end:
        return today and begin <= moment <= end
    return today and moment >= begin or yesterday and moment <= end


def time_of_day(text):
    """YAML reads 17:00 without quotes as the number 1020, which must not become 10:20."""
    if not re.fullmatch(r"\d\d?:\d\d(:\d\d)?", str(text)):
        raise ValueError("%r is no time of day" % (text,))
    return datetime.time(*(int(part) for part in text.split(":")))


def days_of(window):
    days = window.get("days") or DAYS
    days = [str(day).strip().lower() for day in (days if isinstance(days, (list, tuple)) else [days])]
    unknown = sorted(set(days) - set(DAYS) - set(DAY_NAMES))
    if unknown:
        raise Unsafe("experiment_windows: %s is no day; give a list of mon, tue, wed, thu, fri, sat, sun" % ", ".join(unknown))
    return [day[:3] for day in days]


def words(window):
    days = ",".join(days_of(window)) if window.get("days") else "every day"
    return "%s %s-%s %s" % (days, window.get("from", "00:00"), window.get("until", "24:00"), window.get("timezone", "UTC"))
