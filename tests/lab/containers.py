# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers for one test, on a network of their own."""
from __future__ import annotations

import docker


class Containers:
    """containers("postgres", image, command, ...) starts one; further options are those of the Docker SDK's `create`.

    Its real name has a prefix, for tests may share the engine: `container.name`. On the network it is found by the short one.
    """

    def __init__(self, engine, prefix):
        self.engine = engine
        self.prefix = prefix
        self.network = engine.networks.create(prefix)
        self.started = []

    def __call__(self, name, image, command=None, **options):
        container = self.engine.containers.create(image, command, name=f"{self.prefix}-{name}", network="none", **options)
        self.started.append(container)
        self.engine.networks.get("none").disconnect(container)
        self.network.connect(container, aliases=[name])
        container.start()
        container.reload()
        return container

    def address(self, container):
        container.reload()
        return container.attrs["NetworkSettings"]["Networks"][self.network.name]["IPAddress"]

    def remove(self):
        for container in self.started:
            try:
                container.remove(force=True, v=True)
            except docker.errors.NotFound:
                pass
        self.network.remove()
