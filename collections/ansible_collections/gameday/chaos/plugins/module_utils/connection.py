# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The branch that we sit on: the ssh connections by which a controller reaches this host."""

from __future__ import annotations

import ipaddress
import os

from ansible_collections.gameday.chaos.plugins.module_utils import process


def controllers():
    """
    [(address of the controller, port on this host)], without duplicates; empty where nothing came by ssh. Not the controller's own port, for the
    next connection has another one. What sudo took out of our environment is still in that of a process we were started by.
    """
    found = []
    for connection in map(ssh_connection, [os.environ, *map(environment_of, process.ancestors(os.getppid()))]):
        if connection and connection not in found:
            found.append(connection)
    return found


def ssh_connection(environment):
    """SSH_CONNECTION: the client's address and port, then the server's."""
    words = environment.get("SSH_CONNECTION", "").split()
    try:
        address = ipaddress.ip_address(words[0].partition("%")[0])
        return str(getattr(address, "ipv4_mapped", None) or address), int(words[3])
    except (IndexError, ValueError):
        return None


def environment_of(pid):
    try:
        with open("/proc/%s/environ" % pid, "rb") as source:
            words = source.read().decode("utf-8", "surrogateescape").split("\0")
    except OSError:
        return {}
    return dict(word.partition("=")[::2] for word in words)
