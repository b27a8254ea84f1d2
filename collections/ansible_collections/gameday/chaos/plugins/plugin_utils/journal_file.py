# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
The journal on disk. Whenever the controller is killed, a whole journal is there: events are appended as they come, and the journal
that they make so far replaces the one before atomically.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import threading
import time

from ansible_collections.gameday.chaos.plugins.plugin_utils import journal

# Of the time that goes by, a twentieth may go into snapshots, however large the journal is; a third where something was broken or put back.
REST = 20
HASTE = 2

# Where the journal of a run is, for whoever wants to tell.
PATHS = {}

NUMBERS = re.compile(r"\[\n\s+((?:-?[\d.e+-]+|null)(?:,\n\s+(?:-?[\d.e+-]+|null))*)\n\s+\]")


def dump(document):
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False, default=str)
    return NUMBERS.sub(lambda match: "[" + re.sub(r"\s+", " ", match.group(1)) + "]", text) + "\n"


class JournalFile:
    def __init__(self, directory, experiment):
        """Raises OSError where the directory cannot be written to."""
        os.makedirs(directory, exist_ok=True)
        self.experiment = experiment
        self.path, self.events = reserve(directory, experiment)
        self.written = 0
        self.lock = threading.RLock()
        self.timer = None
        self.rested_from, self.cost = 0.0, 0.0
        PATHS[experiment.run] = self.path

    def append(self):
        """Write the events that are new; returns them."""
        with self.lock:
            new = self.experiment.events[self.written:]
            for event in new:
                self.events.write(json.dumps(event, ensure_ascii=False, default=str) + "\n")
            self.events.flush()
            self.written += len(new)
            return new

    def snapshot(self, urgent=False):
        """Replace the journal now, or as soon as enough time has gone by since the last time."""
        with self.lock:
            wait = self.rested_from + (HASTE if urgent else REST) * self.cost - time.monotonic()
            if wait <= 0:
                self.replace()
            elif self.timer is None or urgent:
                if self.timer:
                    self.timer.cancel()
                self.timer = threading.Timer(wait, self.late_snapshot)
                self.timer.daemon = True
                self.timer.start()

    def late_snapshot(self):
        with self.lock:
            self.timer = None
            if not self.events.closed:
                with contextlib.suppress(Exception):  # the next snapshot fails likewise, where it can be told
                    self.replace()

    def replace(self):
        start = time.monotonic()
        aside = self.path + ".new"
        with open(aside, "w", encoding="utf-8", errors="replace") as file:
            file.write(dump(journal.build(list(self.experiment.events))))
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, self.path)
        self.rested_from = time.monotonic()
        self.cost = self.rested_from - start

    def close(self):
        """The last journal, which needs its events no longer."""
        with self.lock:
            if self.timer:
                self.timer.cancel()
            self.replace()
            with contextlib.suppress(OSError):
                self.events.close()
                os.unlink(self.events.name)


def reserve(directory, experiment):
    """A name that nobody else has in this directory, and the file of its events; the journal itself is never there in part."""
    stamp = re.sub(r"\D", "", experiment.events[0]["at"])[:14]
    base = os.path.join(directory, f"{experiment.name}-{stamp[:8]}-{stamp[8:]}")
    for number in range(1, 10000):
        name = base if number == 1 else f"{base}-{number}"
        if os.path.lexists(f"{name}.json"):
            continue
        try:
            return f"{name}.json", open(f"{name}.events.jsonl", "x", encoding="utf-8", errors="replace")
        except FileExistsError:
            continue
    raise FileExistsError(f"{base}.json and its numbered neighbours")
