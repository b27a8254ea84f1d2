# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kills modules in the middle of their work, on whatever host they run."""
from __future__ import annotations

import subprocess
import sys

# Kills the module in the moment in which its record appears. A pipelined module is a Python without arguments; on a machine that has several
# (this one sees those of all containers), the one that was started with the marker in its environment.
KILL_THE_MODULE = r"""
import os, signal, sys, time
faults, wanted, marker = sys.argv[1], sys.argv[2], sys.argv[3].encode()
deadline = time.monotonic() + 60
def is_module(pid):
    try:
        with open("/proc/%s/cmdline" % pid, "rb") as source:
            words = source.read().rstrip(b"\0").split(b"\0")
        if len(words) != 1 or not os.path.basename(words[0]).startswith(b"python"):
            return False
        with open("/proc/%s/environ" % pid, "rb") as source:
            return marker in source.read()
    except OSError:
        return False
while time.monotonic() < deadline:
    if os.path.isdir(faults) and any(wanted in name for name in os.listdir(faults)):
        for pid in sorted(filter(str.isdigit, os.listdir("/proc")), key=int, reverse=True):
            if is_module(pid):
                os.kill(int(pid), signal.SIGKILL)
                print("killed", pid)
                sys.exit(0)
    time.sleep(0.0005)
sys.exit("no module came by")
"""


def killer(faults, wanted, marker=""):
    """The arguments of a Python that kills the module whose record, with this in its name, appears in the folder."""
    return "-c", KILL_THE_MODULE, faults, wanted, marker


def kill_the_module_here(faults, wanted, marker):
    ran = subprocess.run([sys.executable, *killer(faults, wanted, marker)], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout
