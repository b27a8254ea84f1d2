# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's own timer: it runs the way back at the deadline, whatever became of the controller, the connection and the module."""

from __future__ import annotations

import os
import select
import signal
import subprocess

from ansible_collections.gameday.chaos.plugins.module_utils import clock, way_back

ARMING_SECONDS = 10


class NotArmed(Exception):
    pass


def kind():
    """A transient systemd timer where systemd is PID 1 and we may ask it; a detached watcher elsewhere."""
    return "systemd" if os.geteuid() == 0 and os.path.isdir("/run/systemd/system") else "watcher"


def arm(record, aside, here):
    """
    Arm the timer of a record that lies aside and will be moved here, and see it armed; raises NotArmed, so that nothing is broken
    without it. A timer whose record never came does nothing.
    """
    if record["timer"] == "systemd":
        arm_systemd(record, here)
    else:
        arm_watcher(aside)


def disarm(record, aside):
    """End the timer of a record that was not moved into place."""
    if record["timer"] == "systemd":
        subprocess.run(["systemctl", "stop", "gameday-%s.timer" % record["id"]], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, timeout=ARMING_SECONDS, check=False)
        return
    try:
        with open(os.path.join(aside, "watcher")) as source:
            os.killpg(int(source.read().split()[0]), signal.SIGTERM)
    except (OSError, ValueError):
        pass


def arm_systemd(record, folder):
    unit = "gameday-%s" % record["id"]
    left = max(record["ends_uptime"] - clock.uptime(), 0) / 100
    # The default accuracy of a timer is a minute. KillMode: what the way back starts again must outlive the unit.
    argv = ["systemd-run", "--quiet", "--collect", "--unit", unit, "--description", "Way back of fault %s" % record["id"],
            "--on-active", "%.2fs" % left, "--timer-property", "AccuracySec=100ms", "--property", "KillMode=process",
            "--property", "Restart=on-failure", "--property", "RestartSec=2", "/bin/sh", os.path.join(folder, "revert"), "timer", record["id"]]
    try:
        for question in (argv, ["systemctl", "is-active", "--quiet", unit + ".timer"]):
            done = subprocess.run(question, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  timeout=ARMING_SECONDS, check=False)
            if done.returncode:
                said = done.stdout.decode("utf-8", "replace").strip()
                raise NotArmed("%s answered %s: %s" % (question[0], done.returncode, said or "the timer is not active"))
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotArmed(str(error)) from error


def arm_watcher(aside):
    """
    Start the way back in its waiting mode as a process of its own: no pipe, no terminal, no session, no module file in common with us
    but the handshake, so that it outlives all of them and nobody waits for it.
    """
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        become_watcher(aside, theirs)
    os.close(theirs)
    os.waitpid(child, 0)
    try:
        if not select.select([ours], [], [], ARMING_SECONDS)[0] or os.read(ours, 16).strip() != b"armed":
            raise NotArmed("the watcher did not report that it is armed")
    finally:
        os.close(ours)


def become_watcher(aside, handshake):
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
        os.execve("/bin/sh", ["sh", os.path.join(aside, "revert"), "wait", aside], {"PATH": way_back.PATH})
    finally:
        os._exit(127)
