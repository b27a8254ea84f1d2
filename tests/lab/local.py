"""What tests take from this machine: ports and processes, each certain to be what it is taken for."""

from __future__ import annotations

import contextlib
import itertools
import os
import pathlib
import socket
import subprocess

# Below what the kernel gives to whoever connects or binds port 0, and below the ports of fault_dns: nobody else takes one between its being chosen and
# its being used. Each worker has its own.
FIRST, EACH, WORKERS = 10000, 300, 8
worker = int(os.environ.get("PYTEST_XDIST_WORKER", f"gw{WORKERS - 1}")[2:]) % WORKERS
candidates = itertools.cycle(range(FIRST + worker * EACH, FIRST + (worker + 1) * EACH))


def free_ports(count):
    """Ports on which nobody listens, by TCP and UDP; none again soon."""
    return list(itertools.islice(filter(is_free, candidates), count))


def is_free(port):
    with contextlib.ExitStack() as sockets:
        try:
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                sockets.enter_context(socket.socket(socket.AF_INET, kind)).bind(("", port))
        except OSError:
            return False
        return True


def begun(*argv, **options):
    """A process of this command. Popen alone returns while the kernel is still making it so, and then its command line is empty for a moment."""
    child = subprocess.Popen(argv, **options)
    dead = os.WEXITED | os.WNOHANG | os.WNOWAIT  # a zombie stays one
    while os.waitid(os.P_PID, child.pid, dead) is None and not pathlib.Path("/proc", str(child.pid), "cmdline").read_bytes():
        pass
    return child
