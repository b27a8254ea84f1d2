# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
What the workers of one ansible-playbook agree on, whatever its strategy: a file in the temporary folder of that process, which goes with it.
A fact cannot do that: with the strategy free there is no run_once, and no host knows the facts of another in time.
"""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import contextmanager

from ansible import constants as C


class Together:
    def __init__(self, folder=None):
        self.path = os.path.join(folder or C.DEFAULT_LOCAL_TMP, "gameday-together.json")

    def once(self, key, make):
        """What the first who asked for this key made of it, for all who ask."""
        with self.opened() as known:
            name = json.dumps(["once", *key])
            if name not in known:
                known[name] = make()
            return known[name]

    def times(self, key):
        """How often this was asked, this time included."""
        with self.opened() as known:
            name = json.dumps(["times", *key])
            known[name] = known.get(name, 0) + 1
            return known[name]

    @contextmanager
    def opened(self):
        with open(self.path, "a+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            known = json.loads(file.read() or "{}")
            yield known
            file.seek(0)
            file.truncate()
            json.dump(known, file)
            file.flush()
