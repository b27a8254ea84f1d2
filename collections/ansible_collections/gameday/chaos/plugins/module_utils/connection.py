# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The connection that Ansible comes through, which no fault of the network may cut: by address and our port, since a new one has another port there."""

from __future__ import annotations

import ipaddress
import os

from ansible_collections.gameday.chaos.plugins.module_utils import process


def controllers():
    """[(address of the controller, our port)]: from our own environment, or, where sudo took that away, from the processes that we run in."""
    found = [os.environ.get("SSH_CONNECTION", "")]
    for pid in process.ancestors(os.getpid()):
        try:
            with open("/proc/%s/environ" % pid, "rb") as source:
                words = source.read().split(b"\0")
        except OSError:
            continue
        found += [word.partition(b"=")[2].decode("utf-8", "replace") for word in words if word.startswith(b"SSH_CONNECTION=")]
    return sorted({spared for spared in map(parsed, found) if spared}, key=str)


def parsed(text):
    """SSH_CONNECTION is: the client's address and port, ours."""
    words = text.split()
    try:
        address = ipaddress.ip_address(words[0].partition("%")[0])
        mapped = getattr(address, "ipv4_mapped", None)
        return (str(mapped or address), int(words[3])) if len(words) == 4 and not address.is_loopback else None
    except (ValueError, IndexError):
        return None
