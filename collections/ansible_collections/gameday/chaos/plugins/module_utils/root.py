# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the ledger of this user lies, and whether nobody else can put something there: what lies in it is run as this user."""

from __future__ import annotations

import os
import stat

ROOTS = "/var/lib/gameday"


def default_root():
    if os.geteuid() == 0:
        return ROOTS
    return os.path.join(os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state"), "gameday")


def foreign(path):
    """Why somebody else could change what lies in this folder, or put another in its place; None when nobody can."""
    found = look(path)
    if found and (not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022):
        return "%s must be a folder that belongs to uid %s and that nobody else can write to; make it so, or remove it" % (path, os.geteuid())
    parent = os.path.realpath(os.path.dirname(path))
    while True:
        found = look(parent)
        # In a sticky folder, such as /tmp, only the owner of a thing can replace it. A user's own group is the user.
        if found and (found.st_uid not in (0, os.geteuid()) or not found.st_mode & stat.S_ISVTX and (
                found.st_mode & 0o002 or found.st_mode & 0o020 and found.st_gid not in (0, os.getegid()))):
            return "%s belongs to or can be changed by somebody else, who could replace the ledger %s; choose another place, or mend it" % (parent, path)
        if parent == "/":
            return None
        parent = os.path.dirname(parent)


def look(path):
    """None where there is nothing, or nothing that we may see: who writes there finds that out."""
    try:
        return os.lstat(path)
    except OSError:
        return None
