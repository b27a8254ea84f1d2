# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the collection importable, and the lab's fixtures known to every test."""
from __future__ import annotations

import contextlib
import fcntl
import os
import pathlib

import pytest
from ansible.plugins.loader import init_plugin_loader

# pytest's own `pythonpath` would break as soon as some package named ansible_collections is installed.
init_plugin_loader([str(pathlib.Path(__file__).parents[1] / "collections")])

os.environ.setdefault("GAMEDAY_SEED", "20261124")  # what is chosen by chance, and can be chosen again

pytest_plugins = ["lab.fixtures"]

LOCKS = pathlib.Path(__file__).parents[1] / ".cache/locks"


def place(item):
    """Where a test breaks something: hosts of the lab, by their fixture, or this machine, which can have only one experiment at a time."""
    if item.path.parent.name == "unit":
        return item.path.name  # they have processes in common
    if item.path.name == "test_molecule.py":
        return item.name
    marker = item.get_closest_marker("place")
    if marker:
        return marker.args[0]
    values = getattr(getattr(item, "callspec", None), "params", {}).values()
    told = [getattr(one, "place", one) for value in values for one in (value if isinstance(value, tuple) else (value,))]
    names = {name for name in [*item.fixturenames, *told] if isinstance(name, str)}
    return next((name for name in sorted(names) if name.endswith(("_hosts", "_host"))), "this machine")


@pytest.hookimpl(tryfirst=True)  # before xdist looks
def pytest_collection_modifyitems(items):
    """With several workers (pytest -n 2) the tests of one place are run one after the other, and those of different places at once."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(place(item)))


@contextlib.contextmanager
def locked(name, kind):
    LOCKS.mkdir(parents=True, exist_ok=True)
    with open(LOCKS / name, "a") as file:
        fcntl.flock(file, kind)
        yield


@contextlib.contextmanager
def machine(alone):
    """All of this machine's processors, or a share of them. Who waits to be alone holds the gate, so that nobody overtakes."""
    kind = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
    with contextlib.ExitStack() as stack:
        with locked("gate", kind):
            stack.enter_context(locked("machine", kind))
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """With several workers a test that is marked `alone` runs while no other does."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return (yield)
    with machine(alone=item.get_closest_marker("alone") is not None):
        return (yield)


def pytest_report_header():
    return f"GAMEDAY_SEED={os.environ['GAMEDAY_SEED']}"
