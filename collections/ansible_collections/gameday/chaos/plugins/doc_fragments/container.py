# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  container:
    description:
      - Hit this container, by name or id, instead of the host. It must be running, on an engine of this host. Nothing needs to be installed in it.
      - A container that is restarted or replaced meanwhile comes back without the fault.
    type: str
  docker_host:
    description:
      - Where the engine listens, as C(docker --host) takes it, for example V(unix:///run/user/1000/docker.sock).
      - Without it, what the client reads in the environment of the task (E(DOCKER_HOST), E(DOCKER_CONTEXT), E(DOCKER_CONFIG), E(DOCKER_TLS_VERIFY),
        E(DOCKER_CERT_PATH)), else its default. The way back gets that as options.
    type: str
"""
