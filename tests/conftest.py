# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the collection importable, and the lab's fixtures known to every test."""
from __future__ import annotations

import pathlib

from ansible.plugins.loader import init_plugin_loader

# pytest's own `pythonpath` would break as soon as some package named ansible_collections is installed.
init_plugin_loader([str(pathlib.Path(__file__).parents[1] / "collections")])

pytest_plugins = ["lab.fixtures"]
