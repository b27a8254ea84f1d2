# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts have clocks of their own: how far they are from the controller's, and what they told, on the controller's."""

from __future__ import annotations

import datetime

INSTANTS = {"begin", "end", "armed", "ends", "at", "start", "first_bad", "first_good", "started_at"}
WORTH_A_WARNING = 1.0


def measured(exchanges):
    """
    The offset of a clock, host minus controller, and how uncertain it is, from exchanges (sent, what the host's clock said, how exact that is,
    received). The host looked at its clock at some instant between the two of ours, so half of the time between is what we cannot know.
    """
    sent, said, exact, received = min(exchanges, key=lambda one: one[3] - one[0] + one[2])
    return {"offset": round(said - (sent + received) / 2, 6), "uncertainty": round((received - sent) / 2 + exact, 6)}


def offset_of(clock):
    """The offset, where it is more than the measurement may be wrong; correcting by less would make nothing better."""
    if not clock or clock.get("offset") is None:
        return 0.0
    return clock["offset"] if abs(clock["offset"]) > clock["uncertainty"] else 0.0


def shifted(text, seconds):
    try:
        moment = datetime.datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError:
        return text
    return (moment + datetime.timedelta(seconds=seconds)).isoformat(timespec="microseconds")


def corrected(told, offset):
    """What a host told, with its instants as the controller's clock would have shown them."""
    if not offset:
        return told
    if isinstance(told, dict):
        return {key: shifted(value, -offset) if key in INSTANTS and isinstance(value, str) else corrected(value, offset)
                for key, value in told.items()}
    return [corrected(one, offset) for one in told] if isinstance(told, list) else told
