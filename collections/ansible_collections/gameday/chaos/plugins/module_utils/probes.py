# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All kinds of probes, by the name of their module. The one list of them."""

from __future__ import annotations

import importlib

NAMES = ("probe_alert", "probe_command", "probe_container", "probe_dns", "probe_host", "probe_http", "probe_log", "probe_process", "probe_prometheus",
         "probe_service", "probe_tcp")


def load(name):
    """What measures and judges for a probe module. Read when it is asked for: to read all of them takes longer than most probes."""
    return importlib.import_module(__name__.rpartition(".")[0] + "." + name)


def bring_along():
    """Never called: a module brings to its host what it imports, as far as that stands in its text."""
    from ansible_collections.gameday.chaos.plugins.module_utils import (  # noqa: F401
        probe_alert,
        probe_command,
        probe_container,
        probe_dns,
        probe_host,
        probe_http,
        probe_log,
        probe_process,
        probe_prometheus,
        probe_service,
        probe_tcp,
    )
