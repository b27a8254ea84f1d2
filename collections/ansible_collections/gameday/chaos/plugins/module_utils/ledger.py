# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
The ledger: what is broken on this host and how it is put back, one folder per fault.

    <root>/faults/<claim>/fault.json   the record
                          revert       the way back, an executable; also the lock: whoever injects or reverts holds a flock on it
                          reserve      a few blocks of disk, given back before the way back needs any
                          watcher      pid and start time of the detached watcher, where that is the timer
                          lease        until when somebody has renewed it, where it has one (see lease.py)
    <root>/ended/<id>/                 the same folder after the end, with the file "ended": uptime, who, boot id, and "over" where it was whole already
    <root>/halted                      while nothing may be injected here: who wants that, since when, why
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import time
import urllib.parse
from contextlib import contextmanager

from ansible_collections.gameday.chaos.plugins.module_utils import clock, lease, reboot, timer, way_back
from ansible_collections.gameday.chaos.plugins.module_utils.root import default_root, foreign

RESERVE_BYTES = 64 * 1024
KEEP_ENDED = 200
GRACE = 300  # hundredths of a second that the timer is given before a sweep does its work
SWEEP_SECONDS = 90  # that a way back may take which is run on the way to something else
UNASKED = ("timer", "sweep", "boot", "lease", "halt")  # who may end a fault without being asked by its run


class LedgerError(Exception):
    pass


class Held(LedgerError):
    """The claim is taken; .holder is the record of the fault that has it."""

    def __init__(self, holder):
        super().__init__("held by fault %s" % holder.get("id"))
        self.holder = holder


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
        """Make the ledger's folders, and see that they can be written to."""
        self.require_own()
        try:
            for path in (self.root, self.faults, self.ended):
                os.makedirs(path, mode=0o700, exist_ok=True)
            probe = os.path.join(self.root, ".new-%s" % new_id())
            os.mkdir(probe)
            os.rmdir(probe)
        except OSError as error:
            raise LedgerError("the ledger %s cannot be written (%s): without a record of the way back nothing is broken. "
                              "Free space, remount the file system read-write, or run with become" % (self.root, error)) from error
        self.require_own()

    def require_own(self):
        """Refuse a ledger that somebody else could write to, since what lies in it is run as this user."""
        for path in (self.root, self.faults, self.ended):
            problem = foreign(path)
            if problem:
                raise LedgerError(problem)

    def write(self, record, plan):
        """
        Write the record and its way back aside, to disk; arm the timer and see it armed; move the record into place in one step.
        So there is never a record without a timer. Raises Held when the claim is taken, NotArmed when the timer is not to be had; and LedgerError when
        the way back, rehearsed meanwhile, would not know from what this host answers that the thing is as before.
        """
        here = self.folder(record["claim"])
        aside = os.path.join(self.root, ".new-%s" % record["id"])
        try:
            os.mkdir(aside, 0o700)
            try:
                self.fill(aside, record, way_back.script(record, plan, self.root, here))
                with rehearsal(aside, record, plan):
                    timer.arm(record, aside, here)
                self.refuse_late(record)
                os.rename(aside, here)
            except (OSError, timer.NotArmed, LedgerError):
                timer.disarm(record, aside)
                shutil.rmtree(aside, ignore_errors=True)
                holder = self.read(here)
                if holder:
                    raise Held(holder) from None
                raise
            sync(self.faults)
            self.guard(record, here)
            try:
                self.refuse_late(record)  # a timer that ran before there was a record has found nothing to do, and does not come again
            except LedgerError:
                self.put_back(dict(record, folder=here), "undo")
                raise
        except OSError as error:
            raise LedgerError("the record of the way back cannot be written to %s: %s. Nothing was broken" % (self.faults, error)) from error
        return here

    @staticmethod
    def refuse_late(record):
        if clock.uptime() >= record["ends_uptime"]:
            raise LedgerError("%s: its time was over before its record was in place: this host is slow, give a longer duration. Nothing was broken"
                              % record["claim"])

    def guard(self, record, here):
        """What can be armed only when the record is in its place; without it, the record is taken back."""
        try:
            timer.arm_more(record, self.root, here)
        except timer.NotArmed:
            self.put_back(dict(record, folder=here), "undo")
            raise
        if (self.read(here) or {}).get("id") != record["id"]:  # its time was so short that it is over: what was armed just now is nobody's
            reboot.forget([record["id"]])

    @staticmethod
    def fill(folder, record, script):
        files = [("fault.json", as_json(record), 0o600), ("revert", script, 0o700), ("reserve", None, 0o600)]
        if record.get("lease"):
            files.append(("lease", lease.line(record, record["leased_uptime"]), 0o600))
        for name, text, mode in files:
            descriptor = os.open(os.path.join(folder, name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with os.fdopen(descriptor, "wb") as target:
                target.write(os.urandom(RESERVE_BYTES) if text is None else text.encode("utf-8", "surrogateescape"))
        for path in [os.path.join(folder, name) for name, _text, _mode in files] + [folder]:  # all at last, so that the file system has one turn to do
            sync(path)

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
    def read(folder, only_with=()):
        """The record in a folder, with its end if it has one; None where there is none, or where it has not these lines."""
        try:
            with open(os.path.join(folder, "fault.json"), "rb") as source:
                text = source.read()
            record = json.loads(text.decode("utf-8", "surrogateescape")) if all(line in text for line in only_with) else None
        except (OSError, ValueError):
            return None
        if record is None:
            return None
        record["folder"] = folder
        try:
            with open(os.path.join(folder, "ended")) as source:
                at, by, *more = source.read().split()
            boot = [word for word in more if word != "over"] or [record["boot_id"]]
            record.update(ended_uptime=int(at), ended_by=by, over_before="over" in more, ended_boot=boot[0])
        except (OSError, ValueError):
            pass
        return record

    def records(self, where, **wanted):
        lines = [as_line(name, value) for name, value in wanted.items()]
        try:
            names = sorted(os.listdir(where))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise LedgerError("the ledger %s cannot be read (%s); run with become" % (where, error)) from error
        return [record for record in (self.read(os.path.join(where, name), lines) for name in names if not name.startswith(".")) if record]

    def in_place(self):
        return self.records(self.faults)

    def is_empty(self):
        """Whether surely nothing is in place."""
        try:
            return not os.listdir(self.faults)
        except FileNotFoundError:
            return True
        except OSError:
            return False

    def history(self, **wanted):
        """What has ended here; of all that there was, it reads only what it may want: claim=..., run=..."""
        return self.records(self.ended, **wanted)

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
                self.require_own()
                for path in paths:
                    if self.read(path) is None:
                        way_back.run(os.path.join(path, "revert"), "recover", 600)
            return [path for path in paths if self.read(path) is None and os.path.isdir(path)]
        except OSError:
            return []

    @contextmanager
    def lock(self, folder, how=fcntl.LOCK_EX, before=None):
        """
        Hold the fault's lock; yields the descriptor, which injecting commands inherit, so that it outlives this process with them.
        C(before), a function of the descriptor, is called when it is open and nothing is locked yet.
        """
        descriptor = os.open(os.path.join(folder, "revert"), os.O_RDONLY)
        try:
            if before:
                before(descriptor)
            fcntl.flock(descriptor, how)
            yield descriptor
        finally:
            os.close(descriptor)

    def put_back(self, record, by, seconds=600):
        """Run the way back of a record; returns None when it is restored, else what is wrong."""
        self.require_own()
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
        same_boot = record["boot_id"] == clock.boot_id() and record.get("first_process", clock.first_process()) == clock.first_process()
        return not same_boot or clock.uptime() > record["ends_uptime"] + GRACE

    def tend(self, but=None):
        """
        What every contact with the host does besides: put back what outlived its time or its boot (but for this claim, which the caller knows more
        of), and arm the timers again that are gone. Returns what there was to do, in words.
        """
        told, in_place = [], self.in_place()
        for record in in_place:
            if record["claim"] != but and self.is_overdue(record):
                problem = self.put_back(record, "sweep", SWEEP_SECONDS)
                told.append("%s of run %s was over its time, and %s" % (record["claim"], record["run"], "is still not put back: %s" % problem
                                                                        if problem else "is put back now"))
        return told + self.arm_lost(in_place)

    def arm_lost(self, records):
        """Arm the timers again that are gone; returns what there was to do, in words."""
        self.require_own()
        told = []
        for record in self.lost(records):
            try:
                with self.lock(record["folder"], fcntl.LOCK_EX | fcntl.LOCK_NB):
                    timer.arm_again(record)
                told.append("%s of run %s had lost its timer, which is armed again" % (record["claim"], record["run"]))
            except (timer.NotArmed, OSError) as error:
                if self.find(record["claim"]) and not isinstance(error, BlockingIOError):  # it has not ended, and nobody is at work on it
                    told.append("%s of run %s has lost its timer, which cannot be armed: %s" % (record["claim"], record["run"], error))
        return told

    def lost(self, records):
        """Those whose timer is gone although their time is not over."""
        return timer.lost([record for record in records if not record.get("ended_by") and not self.is_overdue(record)])

    def halted(self):
        """Who wants nothing to be injected on this host, since when and why; None when nobody does."""
        try:
            with open(os.path.join(self.root, "halted"), encoding="utf-8") as source:
                told = json.load(source)
        except (FileNotFoundError, NotADirectoryError, PermissionError):  # no such ledger, or one that is refused anyway
            return None
        except (OSError, ValueError) as error:
            told = {"reason": "%s cannot be read (%s)" % (os.path.join(self.root, "halted"), error)}
        return {name: told.get(name) for name in ("who", "since", "reason")}

    def halt(self, who, reason):
        """From now on nothing is injected here; returns whether that is new."""
        if self.halted():
            return False
        self.prepare()
        aside = os.path.join(self.root, ".halted-%s" % new_id())
        try:
            with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as target:
                json.dump({"who": who, "since": clock.iso(), "reason": reason}, target)
                target.flush()
                os.fsync(target.fileno())
            os.rename(aside, os.path.join(self.root, "halted"))
            sync(self.root)
        except OSError as error:
            raise LedgerError("new faults cannot be kept away: %s" % error) from error
        return True

    def release(self):
        try:
            os.unlink(os.path.join(self.root, "halted"))
        except FileNotFoundError:
            return False
        except OSError as error:
            raise LedgerError("%s cannot be removed: %s" % (os.path.join(self.root, "halted"), error)) from error
        return True

    def is_abandoned(self, aside):
        """Whether a record that never came into its place will not come any more: its time is over, or its boot; without a record, it is old."""
        record = self.read(aside)
        return self.is_overdue(record) if record else time.time() - os.path.getmtime(aside) > 3600

    def prune(self):
        """Keep the history short, and nothing of what was interrupted in the middle."""
        try:
            entries = [os.path.join(self.ended, name) for name in os.listdir(self.ended)]
            for path in sorted(entries, key=os.path.getmtime)[:-KEEP_ENDED]:
                shutil.rmtree(path, ignore_errors=True)
            for name in os.listdir(self.root):
                path = os.path.join(self.root, name)
                if name.startswith(".new-") and self.is_abandoned(path):
                    shutil.rmtree(path, ignore_errors=True)
            if timer.kind() == "systemd":
                units = reboot.known()  # before the records are read, so that a fault which begins meanwhile keeps its own
                reboot.forget(units - {record["id"] for record in self.in_place()})
        except OSError:
            pass


@contextmanager
def rehearsal(aside, record, plan):
    """Ask the way back for what it would take for whole, while something else is done."""
    process = way_back.begin(os.path.join(aside, "revert"), "rehearse")
    try:
        yield
    finally:
        code, said = way_back.end(process, SWEEP_SECONDS)
    if not way_back.matches(said, {0: plan.check.whole, 1: plan.check.left}.get(code, [])):
        raise LedgerError("%s: the way back would not know when it is done. As a script with nothing but PATH=%s in its environment it asks: %s -- and is "
                          "told %r, which should be %s before anything is broken. See what that command needs on this host; nothing was touched"
                          % (record["claim"], way_back.PATH, record["check"], said, " or ".join(map(repr, plan.check.whole[:3]))))


def new_id():
    return os.urandom(6).hex()


def as_json(record):
    """The id is the second line: the way back reads it there without help."""
    ordered = {"id": record["id"]}
    ordered.update((key, value) for key, value in record.items() if key not in ("folder",))
    return json.dumps(ordered, indent=2, ensure_ascii=True) + "\n"


def as_line(name, value):
    """How a value of a record stands in it, in a line of its own."""
    return ("\n  %s: %s,\n" % (json.dumps(name), json.dumps(value, ensure_ascii=True))).encode()
