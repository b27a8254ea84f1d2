# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
The ledger: what is broken on this host and how it is put back, one folder per fault.

    <root>/faults/<claim>/fault.json   the record
                          revert       the way back, an executable; also the lock: whoever injects or reverts holds a flock on it
                          reserve      a few blocks of disk, given back before the way back needs any
                          watcher      pid and start time of the detached watcher, where that is the timer
    <root>/ended/<id>/                 the same folder after the end, with the file "ended": uptime, who, and "over" where it was whole already
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import shutil
import stat
import time
import urllib.parse
from contextlib import contextmanager

from ansible_collections.gameday.chaos.plugins.module_utils import clock, timer, way_back

ROOTS = "/var/lib/gameday"
RESERVE_BYTES = 64 * 1024
KEEP_ENDED = 200
GRACE = 300  # hundredths of a second that the timer is given before a sweep does its work


class LedgerError(Exception):
    pass


class Held(LedgerError):
    """The claim is taken; .holder is the record of the fault that has it."""

    def __init__(self, holder):
        super().__init__("held by fault %s" % holder.get("id"))
        self.holder = holder


def default_root():
    if os.geteuid() == 0:
        return ROOTS
    return os.path.join(os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state"), "gameday")


def folder_name(claim):
    """A claim as a folder name: no two claims share one, none can leave the folder, and a person can read it."""
    name = urllib.parse.quote(claim, safe="=,@:", errors="surrogateescape")
    if name.startswith("."):
        name = "%2E" + name[1:]
    if len(name) > 200:
        name = "%s+%s" % (name[:160], hashlib.sha256(claim.encode("utf-8", "surrogateescape")).hexdigest()[:32])
    return name


def sync(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Ledger:
    def __init__(self, root=None):
        self.root = root or default_root()
        self.faults = os.path.join(self.root, "faults")
        self.ended = os.path.join(self.root, "ended")

    def folder(self, claim):
        return os.path.join(self.faults, folder_name(claim))

    def prepare(self):
        """Make the ledger's folders; refuse one that somebody else could write to, since the way back in it is run as this user."""
        try:
            os.makedirs(self.root, mode=0o700, exist_ok=True)
            for path in (self.root, self.faults, self.ended):
                if path != self.root:
                    os.makedirs(path, mode=0o700, exist_ok=True)
                found = os.lstat(path)
                if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
                    raise LedgerError("%s must be a folder that belongs to uid %s and that nobody else can write to; make it so, or remove it"
                                      % (path, os.geteuid()))
            probe = os.path.join(self.root, ".new-%s" % new_id())
            os.mkdir(probe)
            os.rmdir(probe)
        except OSError as error:
            raise LedgerError("the ledger %s cannot be written (%s): without a record of the way back nothing is broken. "
                              "Free space, remount the file system read-write, or run with become" % (self.root, error)) from error

    def write(self, record, plan):
        """
        Write the record and its way back aside, to disk; arm the timer and see it armed; move the record into place in one step.
        So there is never a record without a timer. Raises Held when the claim is taken, NotArmed when the timer is not to be had.
        """
        here = self.folder(record["claim"])
        aside = os.path.join(self.root, ".new-%s" % record["id"])
        try:
            os.mkdir(aside, 0o700)
            try:
                self.fill(aside, record, way_back.script(record, plan, self.root, here))
                timer.arm(record, aside, here)
                os.rename(aside, here)
            except (OSError, timer.NotArmed):
                timer.disarm(record, aside)
                shutil.rmtree(aside, ignore_errors=True)
                holder = self.read(here)
                if holder:
                    raise Held(holder) from None
                raise
            sync(self.faults)
        except OSError as error:
            raise LedgerError("the record of the way back cannot be written to %s: %s. Nothing was broken" % (self.faults, error)) from error
        return here

    @staticmethod
    def fill(folder, record, script):
        for name, text, mode in (("fault.json", as_json(record), 0o600), ("revert", script, 0o700), ("reserve", None, 0o600)):
            path = os.path.join(folder, name)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with os.fdopen(descriptor, "wb") as target:
                target.write(os.urandom(RESERVE_BYTES) if text is None else text.encode("utf-8", "surrogateescape"))
                target.flush()
                os.fsync(target.fileno())
        sync(folder)

    def update(self, record):
        """What is learned after the way back is safe (injected, verified). Losing it loses no safety, so it may fail."""
        here = self.folder(record["claim"])
        aside = os.path.join(here, "fault.json.new")
        try:
            with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as target:
                target.write(as_json(record).encode("utf-8", "surrogateescape"))
            os.rename(aside, os.path.join(here, "fault.json"))
        except OSError:
            return False
        return True

    @staticmethod
    def read(folder):
        """The record in a folder, with its end if it has one; None where there is none."""
        try:
            with open(os.path.join(folder, "fault.json"), encoding="utf-8", errors="surrogateescape") as source:
                record = json.load(source)
        except (OSError, ValueError):
            return None
        record["folder"] = folder
        try:
            with open(os.path.join(folder, "ended")) as source:
                at, by, *over = source.read().split()
            record.update(ended_uptime=int(at), ended_by=by, over_before=bool(over))
        except (OSError, ValueError):
            pass
        return record

    def records(self, where):
        try:
            names = sorted(os.listdir(where))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise LedgerError("the ledger %s cannot be read (%s); run with become" % (where, error)) from error
        return [record for record in (self.read(os.path.join(where, name)) for name in names if not name.startswith(".")) if record]

    def in_place(self):
        return self.records(self.faults)

    def history(self):
        return self.records(self.ended)

    def find(self, claim):
        return self.read(self.folder(claim))

    def mark_proved(self, record):
        """Remember that the end of this fault was proved; the next recover of hand-made faults need not look at it again."""
        try:
            with open(os.path.join(self.ended, record["id"], "proved"), "w"):
                pass
        except OSError:
            pass

    def is_proved(self, record):
        return os.path.exists(os.path.join(self.ended, record["id"], "proved"))

    def unreadable(self, put_back=False):
        """Folders without a readable record, as a failing disk leaves them; their way back needs none, and is run if asked for."""
        try:
            paths = [os.path.join(self.faults, name) for name in os.listdir(self.faults)]
            if put_back:
                for path in paths:
                    if self.read(path) is None:
                        way_back.run(os.path.join(path, "revert"), "recover", 600)
            return [path for path in paths if self.read(path) is None and os.path.isdir(path)]
        except OSError:
            return []

    @contextmanager
    def lock(self, folder, before=None):
        """
        Hold the fault's lock; yields the descriptor, which injecting commands inherit, so that it outlives this process with them.
        C(before), a function of the descriptor, is called when it is open and nothing is locked yet.
        """
        descriptor = os.open(os.path.join(folder, "revert"), os.O_RDONLY)
        try:
            if before:
                before(descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield descriptor
        finally:
            os.close(descriptor)

    def put_back(self, record, by, seconds=600):
        """Run the way back of a record; returns None when it is restored, else what is wrong."""
        code, said = way_back.run(os.path.join(record["folder"], "revert"), by, seconds)
        ended = self.read(os.path.join(self.ended, record["id"]))
        if ended:
            record.clear()
            record.update(ended)
        current = self.read(record["folder"]) if not ended else None
        if ended or not current or current["id"] != record["id"]:
            return None
        return said or "the way back ended with %s" % code

    def is_overdue(self, record):
        return record["boot_id"] != clock.boot_id() or clock.uptime() > record["ends_uptime"] + GRACE

    def sweep(self):
        """Revert what outlived its time or its boot; returns [(record, what is wrong or None)]."""
        return [(record, self.put_back(record, "sweep")) for record in self.in_place() if self.is_overdue(record)]

    def prune(self):
        """Keep the history short."""
        try:
            entries = [os.path.join(self.ended, name) for name in os.listdir(self.ended)]
            for path in sorted(entries, key=os.path.getmtime)[:-KEEP_ENDED]:
                shutil.rmtree(path, ignore_errors=True)
            for name in os.listdir(self.root):
                path = os.path.join(self.root, name)
                if name.startswith(".new-") and time.time() - os.path.getmtime(path) > 3600:
                    shutil.rmtree(path, ignore_errors=True)
        except OSError:
            pass


def new_id():
    return secrets.token_hex(6)


def as_json(record):
    """The id is the second line: the way back reads it there without help."""
    ordered = {"id": record["id"]}
    ordered.update((key, value) for key, value in record.items() if key not in ("folder",))
    return json.dumps(ordered, indent=2, ensure_ascii=True) + "\n"
