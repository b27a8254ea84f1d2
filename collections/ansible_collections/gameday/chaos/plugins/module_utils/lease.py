# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
The lease of a fault: unless somebody renews it, the fault ends before its time. It is a file beside the record, of one line: the uptime until which it
holds, the fault's id, the seconds of a renewal, and the run. The way back's own clock looks at it; the modules of the run renew it.
"""

from __future__ import annotations

import glob
import json
import os
import select
import threading
from contextlib import contextmanager

from ansible_collections.gameday.chaos.plugins.module_utils import clock
from ansible_collections.gameday.chaos.plugins.module_utils.root import default_root

WIDTH = 20
EVERY = 0.5


def line(record, until):
    return "%*d %s %d %s\n" % (WIDTH, until, record["id"], record["lease"], json.dumps(record["run"]))


def renew(run, root=None):
    """Renew the leases of a run on this host; returns the ids of its faults that have one."""
    renewed = []
    for path in glob.glob(os.path.join(glob.escape(root or default_root()), "faults", "*", "lease")):
        try:
            with open(path, "rb+", buffering=0) as file:
                until, identity, seconds, whose = file.read().decode().split(None, 3)
                if json.loads(whose) == run:
                    # In place and in one piece: who reads meanwhile sees the old or the new, and a full disk is no obstacle.
                    os.pwrite(file.fileno(), b"%*d" % (WIDTH, max(int(until), clock.uptime() + int(seconds) * 100)), 0)
                    renewed.append(identity)
        except (OSError, ValueError):
            continue
    return renewed


@contextmanager
def kept(run, check_mode=False):
    """Renewed now, and again and again for as long as this lasts and somebody waits for what we have to say."""
    over = threading.Event()
    if not check_mode and renew(run):
        threading.Thread(target=keep, args=(run, over), daemon=True).start()
    try:
        yield
    finally:
        over.set()


def keep(run, over):
    while not over.wait(EVERY) and not abandoned():
        renew(run)


def abandoned():
    """Whether the other end of our output is gone: the controller, or the connection to it."""
    poll = select.poll()
    poll.register(1, 0)
    return bool(poll.poll(0))
