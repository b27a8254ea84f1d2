# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All kinds of probes, by the name of their module. The one list of them: a module can only bring along what it imports."""

from __future__ import annotations

from ansible_collections.gameday.chaos.plugins.module_utils import (
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

KINDS = {kind.__name__.rpartition(".")[2]: kind
         for kind in (probe_alert, probe_command, probe_container, probe_dns, probe_host, probe_http, probe_log, probe_process,
                      probe_prometheus, probe_service, probe_tcp)}
