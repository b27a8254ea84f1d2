# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's own timer: it runs the way back at the deadline, whatever became of the controller, the connection and the module."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess

from ansible_collections.gameday.chaos.plugins.module_utils import clock, reboot, way_back

ARMING_SECONDS = 10


class NotArmed(Exception):
    pass


def kind():
    """A transient systemd timer where systemd is PID 1 and we may ask it; a detached watcher elsewhere."""
    return "systemd" if os.geteuid() == 0 and os.path.isdir("/run/systemd/system") else "watcher"


def arm(record, aside, here):
    """
    Arm the timer of a record that lies aside and will be moved here, and see it armed; raises NotArmed, so that nothing is broken without it.
    A timer whose record never came does nothing.
    """
    if record["timer"] == "systemd":
        unit = timer_unit(record)
        arm_unit(unit, units(record, here)[unit])
    else:
        arm_watcher(record, aside)


def arm_more(record, ledger, here):
    """
    What can be armed only when the record is in its place, since the way back takes it away: the unit for a reboot; and where the timer does not look
    at the lease itself a unit that does, and starts again when it is killed.
    """
    if record["after_reboot"] == "unit":
        try:
            reboot.enable(record, ledger, here)
        except reboot.NotEnabled as error:
            reboot.disable(record)
            raise NotArmed(str(error)) from error
    if record["timer"] == "systemd" and record.get("lease"):
        unit = lease_unit(record)
        arm_unit(unit, units(record, here)[unit])


def disarm(record, aside):
    """End the timer of a record that was not moved into place."""
    if record["timer"] == "systemd":
        subprocess.run(["systemctl", "stop", timer_unit(record)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, timeout=ARMING_SECONDS, check=False)
        return
    watcher = watcher_of(aside)
    if watcher:
        os.killpg(watcher, signal.SIGTERM)


def lost(records):
    """Those of these records whose timer is gone although their time is not over."""
    waiting = [record for record in records if clock.uptime() < record["ends_uptime"]]
    gone = [record for record in waiting if record["timer"] != "systemd" and not watcher_of(record["folder"])]
    by_systemd = {record["id"]: list(units(record, record["folder"])) for record in waiting if record["timer"] == "systemd"}
    inactive = inactive_units([unit for names in by_systemd.values() for unit in names])
    return gone + [record for record in waiting if set(by_systemd.get(record["id"], ())) & inactive]


def arm_again(record):
    """Arm what is gone of the timer of a record in place; raises NotArmed."""
    if record["timer"] == "systemd":
        wanted = units(record, record["folder"])
        for unit in sorted(inactive_units(list(wanted))):
            arm_unit(unit, wanted[unit])
    elif not watcher_of(record["folder"]):
        arm_watcher(record, record["folder"])


# systemd

def timer_unit(record):
    return "gameday-%s.timer" % record["id"]


def lease_unit(record):
    return "gameday-%s-lease.service" % record["id"]


def units(record, here):
    """The transient units that end a fault, by name, and how each is started."""
    script = os.path.join(here, "revert")
    left = max(record["ends_uptime"] - clock.uptime(), 0) / 100
    # KillMode: what the way back starts again must outlive the unit. Without a limit of starts, a host that has no process to spare is tried for ever;
    # one whose record never came, or was removed, has nothing to do: 2 and 127 are what shells say of a script that is not there.
    start = ["systemd-run", "--quiet", "--collect", "--description", "Way back of fault %s" % record["id"], "--property", "KillMode=process",
             "--property", "Restart=on-failure", "--property", "RestartSec=2", "--property", "StartLimitIntervalSec=0",
             "--property", "SuccessExitStatus=2 127"]
    found = {
        # The default accuracy of a timer is a minute.
        timer_unit(record): [*start, "--unit", "gameday-%s" % record["id"], "--on-active", "%.2fs" % left, "--timer-property", "AccuracySec=100ms",
                             "/bin/sh", script, "timer", record["id"]],
    }
    if record.get("lease"):
        found[lease_unit(record)] = [*start, "--unit", lease_unit(record), "/bin/sh", script, "wait", record["id"]]
    return found


def arm_unit(unit, argv):
    try:
        for question in (argv, ["systemctl", "is-active", "--quiet", unit]):
            done = subprocess.run(question, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  timeout=ARMING_SECONDS, check=False)
            if done.returncode:
                said = done.stdout.decode("utf-8", "replace").strip()
                raise NotArmed("%s answered %s: %s" % (question[0], done.returncode, said or "%s is not active" % unit))
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotArmed(str(error)) from error


def inactive_units(names):
    """Those that do not run; none where systemd gives no answer, since then nothing is known."""
    if not names:
        return set()
    try:
        done = subprocess.run(["systemctl", "is-active", *names], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              timeout=ARMING_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return set()
    said = done.stdout.decode("utf-8", "replace").split()
    return {name for name, state in zip(names, said) if state in ("inactive", "failed", "unknown")} if len(said) == len(names) else set()


# The watcher

def watcher_of(folder):
    """The pid of the living watcher of a record; None when there is none."""
    try:
        with open(os.path.join(folder, "watcher")) as source:
            pid, start = source.read().split()
        with open("/proc/%s/stat" % pid) as source:
            stat = source.read().rpartition(")")[2].split()
    except (OSError, ValueError):
        return None
    return int(pid) if stat[19] == start and stat[0] not in "ZXx" else None


def arm_watcher(record, folder):
    """
    Start the way back in its waiting mode as a process of its own: no pipe, no terminal, no session, no module file in common with us
    but the handshake, so that it outlives all of them and nobody waits for it.
    """
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        become_watcher(record, folder, theirs)
    os.close(theirs)
    os.waitpid(child, 0)
    try:
        if not select.select([ours], [], [], ARMING_SECONDS)[0] or os.read(ours, 16).strip() != b"armed":
            raise NotArmed("the watcher did not report that it is armed")
    finally:
        os.close(ours)


def become_watcher(record, folder, handshake):
    try:
        os.setsid()
        if os.fork():
            os._exit(0)
        os.setsid()
        os.chdir("/")
        handshake = os.dup2(handshake, 20)
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        os.dup2(handshake, 3)
        os.closerange(4, os.sysconf("SC_OPEN_MAX") if os.sysconf("SC_OPEN_MAX") < 65536 else 65536)
        for number in range(1, signal.NSIG):
            try:
                signal.signal(number, signal.SIG_DFL)
            except (OSError, ValueError):
                pass
        set_clock(record)
        os.execve("/bin/sh", ["sh", os.path.join(folder, "revert"), "wait", record["id"], folder], {"PATH": way_back.PATH})
    finally:
        os._exit(127)


def set_clock(record):
    """
    What wakes the watcher, so that it needs no sleeping child and forks nothing until its time has come, when there may be no process to be had:
    signals, the first at the deadline and then one a second (with a lease, five a second from now on), and a socket to read from that never says anything.
    They outlive exec, and no step of the clock moves them.
    """
    silent = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    os.dup2(silent.fileno(), 7)
    left = (record["ends_uptime"] - clock.uptime()) / 100 + 0.02
    signal.setitimer(signal.ITIMER_REAL, *((1, 0.2) if record.get("lease") else (max(left, 1), 1)))
