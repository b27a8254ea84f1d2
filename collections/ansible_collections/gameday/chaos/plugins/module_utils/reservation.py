# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
One experiment per host at a time: a small file in the ledger says whose the host is, and until when. It breaks nothing and guards no way back, so
losing it loses no safety.

Several users of a host have several ledgers. Root sees everybody's reservation, everybody sees root's; two ordinary users see each other's only
where the one may enter the other's home.
"""

from __future__ import annotations

import fcntl
import json
import os
import pwd
import stat
from contextlib import contextmanager

from ansible_collections.gameday.chaos.plugins.module_utils import clock
from ansible_collections.gameday.chaos.plugins.module_utils.ledger import LedgerError, new_id
from ansible_collections.gameday.chaos.plugins.module_utils.root import ROOTS

NAME = "reservation.json"
LARGEST = 16 * 1024


class Reserved(Exception):
    """Somebody else has the host; .holder is what the file says."""

    def __init__(self, holder):
        super().__init__("reserved for run %s" % holder.get("run"))
        self.holder = holder


class Reservation:
    def __init__(self, ledger, others=None):
        self.ledger = ledger
        self.path = os.path.join(ledger.root, NAME)
        self.others = other_ledgers if others is None else others

    def holder(self, run=None, instead_of=None):
        """Who has the host, unless it is this run, or the one that it takes over from."""
        for path, owner in [(self.path, os.geteuid()), *((os.path.join(folder, NAME), uid) for folder, uid in self.others())]:
            found = read(path, owner)
            if found and found["run"] not in (run, instead_of) and not is_over(found):
                return found
        return None

    def take(self, run, seconds, instead_of=None, **who):
        """Reserve the host, or again for longer; raises Reserved. Of two users who try at once, at most one gets it."""
        self.ledger.prepare()
        record = dict(who, run=run, uid=os.geteuid(), since=clock.iso(), boot_id=clock.boot_id(), until_uptime=clock.uptime() + int(seconds * 100))
        record["until"] = clock.iso(clock.at_uptime(record["until_uptime"]))
        with self.alone():
            before = self.holder(run, instead_of)
            if before:
                raise Reserved(before)
            self.write(record)
            after = self.holder(run, instead_of)
            if after:
                os.unlink(self.path)
                raise Reserved(after)
        return record

    def release(self, run):
        """Whether there was one of this run."""
        if not os.path.exists(self.path):
            return False
        with self.alone():
            found = read(self.path, os.geteuid())
            if not found or found["run"] != run:
                return False
            os.unlink(self.path)
        return True

    def write(self, record):
        aside = os.path.join(self.ledger.root, ".new-%s.json" % new_id())
        try:
            if os.geteuid() == 0:
                os.chmod(self.ledger.root, 0o711)  # others may look at this one file, by its name; what else is in there stays shut
            with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "w") as target:
                os.fchmod(target.fileno(), 0o644)
                json.dump(record, target)
            os.rename(aside, self.path)
        except OSError as error:
            raise LedgerError("the host cannot be reserved in %s: %s. Nothing was broken" % (self.path, error)) from error

    @contextmanager
    def alone(self):
        descriptor = os.open(os.path.join(self.ledger.root, "reservation.lock"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def other_ledgers():
    """(folder, uid of its owner) of the ledgers of other users that could be here."""
    if os.geteuid() != 0:
        return [(ROOTS, 0)]
    homes = {(entry.pw_dir, entry.pw_uid) for entry in pwd.getpwall() if entry.pw_uid != 0 and entry.pw_dir not in ("", "/", "/nonexistent")}
    return [(os.path.join(home, ".local/state/gameday"), uid) for home, uid in sorted(homes)]


def read(path, owner):
    """A reservation, or None; nothing that somebody else than the owner of that ledger could have put there."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as source:
            seen = os.fstat(source.fileno())
            if not stat.S_ISREG(seen.st_mode) or seen.st_uid != owner or seen.st_size > LARGEST:
                return None
            record = json.loads(source.read(LARGEST).decode("utf-8", "replace"))
        return record if isinstance(record["run"], str) and isinstance(record["until_uptime"], int) and isinstance(record["boot_id"], str) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def is_over(record):
    return record["boot_id"] != clock.boot_id() or clock.uptime() >= record["until_uptime"]
