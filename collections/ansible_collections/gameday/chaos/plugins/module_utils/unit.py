# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Units of systemd: what they are, and which go down with them."""

from __future__ import annotations

import re

from ansible_collections.gameday.chaos.plugins.module_utils.fault import Refused

SPARED = re.compile(r"(sshd?|sshd?@.*|systemd-.*|dbus.*|init|gameday-.*)\.(service|socket)")  # the host or the connection lives by them
TRANSIENT = "/run/systemd/transient/"  # units of systemd-run, which systemd forgets when they stop
FOLLOWERS = ("RequiredBy", "RequisiteOf", "BoundBy", "ConsistsOf", "PropagatesStopTo", "TriggeredBy")


class Vital(Refused):
    """The host or the connection lives by it."""


def properties(look, unit, *names):
    answer = look(["systemctl", "show", "--property", ",".join(names), unit])
    if answer.code:
        raise Refused("systemd cannot be asked on this host (is it PID 1? are you root?): %s" % answer.words)
    return dict(line.split("=", 1) for line in answer.out.splitlines() if "=" in line)


def followers(look, unit):
    """Units that go down with this one, or trigger it, and are active now, in the order in which they are found."""
    found, queue = [], [unit]
    while queue:
        related = properties(look, queue.pop(0), *FOLLOWERS)
        for name in sorted({one for names in related.values() for one in names.split()}):
            if name not in found and name != unit and not name.endswith(".target"):
                state = properties(look, name, "ActiveState", "FragmentPath")
                if state.get("ActiveState") == "active":
                    refuse(unit, name, state)
                    found.append(name)
                    queue.append(name)
    return found


def refuse(unit, name, state):
    """A unit that must not, or could not, be put back."""
    with_it = "" if name == unit else ", which goes down with %s," % unit
    if SPARED.fullmatch(name):
        raise Vital("name: %s%s is never stopped, because the host or the connection lives by it" % (name, with_it))
    if (state.get("FragmentPath") or "").startswith(TRANSIENT):
        raise Refused("name: %s%s was made by systemd-run, and systemd forgets it when it stops: there is no way back" % (name, with_it))


def uninstalled(whole):
    """What systemctl show says in place of C(whole) where the first of the units, or one other, is no more."""
    gone, units = "LoadState=not-found*", whole.split("\n\n")
    return [gone] + ["\n\n".join([*units[:place], gone, *units[place + 1:]]) for place in range(1, len(units))]
