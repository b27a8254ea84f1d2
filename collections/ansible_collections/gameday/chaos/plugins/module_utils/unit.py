# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Units of systemd: what they are, and which go down with them."""

from __future__ import annotations

import re

from ansible_collections.gameday.chaos.plugins.module_utils.fault import Refused

SPARED = re.compile(r"(sshd?|sshd?@.*|systemd-.*|dbus.*|init|gameday-.*)\.(service|socket)")  # the host or the connection lives by them
FOLLOWERS = ("RequiredBy", "RequisiteOf", "BoundBy", "ConsistsOf", "PropagatesStopTo", "TriggeredBy")


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
            if name not in found and name != unit and not name.endswith(".target") \
                    and properties(look, name, "ActiveState").get("ActiveState") == "active":
                found.append(name)
                queue.append(name)
    return found
