# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
After a reboot: timers are gone, and so are the faults that live in the kernel only. Each of the others has a unit of its own that runs its way back
at boot. It is enabled before anything is broken and removed by the way back itself, so that nobody has to count how many still need it.
"""

from __future__ import annotations

import os
import subprocess

UNITS = "/etc/systemd/system"
WANTED_BY = UNITS + "/multi-user.target.wants"
SECONDS = 10

# Type=simple: whatever the way back starts may wait for the target that wants this unit. KillMode: what it starts must outlive the unit.
UNIT = """[Unit]
Description=Way back of fault {id}, which outlived a reboot
Documentation=file:{ledger}
ConditionPathExists={way_back}
RequiresMountsFor={ledger}
StartLimitIntervalSec=0

[Service]
Type=simple
ExecStart=/bin/sh {way_back} boot {id}
KillMode=process
Restart=on-failure
RestartSec=2

[Install]
WantedBy=multi-user.target
"""


class NotEnabled(Exception):
    pass


def kind(plan, timer):
    """Who puts a fault back after a reboot: nobody needs to (gone), a unit at boot (unit), or the next contact with the host (contact)."""
    if plan.check.gone_after_reboot:
        return "gone"
    return "unit" if timer == "systemd" else "contact"


def name(record):
    return "gameday-%s-boot.service" % record["id"]


def paths(record):
    return [os.path.join(WANTED_BY, name(record)), os.path.join(UNITS, name(record))]


def enable(record, ledger, here):
    """Write the unit, to disk, enable it and see it enabled; raises NotEnabled."""
    link, unit = paths(record)
    escaped = {"id": record["id"], "ledger": ledger.replace("%", "%%"), "way_back": os.path.join(here, "revert").replace("%", "%%")}
    try:
        os.makedirs(WANTED_BY, exist_ok=True)
        descriptor = os.open(unit, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
        with os.fdopen(descriptor, "w") as target:
            target.write(UNIT.format(**escaped))
            target.flush()
            os.fsync(target.fileno())
        os.symlink(unit, link)
        for folder in (UNITS, WANTED_BY):
            descriptor = os.open(folder, os.O_RDONLY)
            os.fsync(descriptor)
            os.close(descriptor)
        done = subprocess.run(["systemctl", "is-enabled", name(record)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotEnabled("the unit that would put it back after a reboot cannot be installed: %s" % error) from error
    if done.returncode:
        raise NotEnabled("the unit that would put it back after a reboot is %s" % done.stdout.decode("utf-8", "replace").strip())


def disable(record):
    for path in paths(record):
        try:
            os.unlink(path)
        except OSError:
            pass


def known():
    """The ids of the faults that have such a unit."""
    names = os.listdir(UNITS) if os.path.isdir(UNITS) else ()
    return {name[len("gameday-"):-len("-boot.service")] for name in names if name.startswith("gameday-") and name.endswith("-boot.service")}


def forget(ids):
    """Remove units whose fault has ended, as a way back leaves them that was killed in its last moment."""
    for identity in ids:
        disable({"id": identity})
