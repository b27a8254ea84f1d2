"""Every task that this repository has gives its module options that the module has, also where no test plays it."""

from __future__ import annotations

import importlib
import pathlib

import pytest
import yaml
from ansible_collections.gameday.chaos.plugins.module_utils.chaostoolkit_activity import OPTIONS as CHAOSTOOLKIT_OPTIONS
from ansible_collections.gameday.chaos.plugins.module_utils.fault import FAULT_OPTIONS
from ansible_collections.gameday.chaos.plugins.module_utils.probe import COMMON_OPTIONS
from ansible_collections.gameday.chaos.plugins.module_utils.probes import NAMES, load

ROOT = pathlib.Path(__file__).parents[2]
COLLECTION = ROOT / "collections/ansible_collections/gameday/chaos"
OURS = "gameday.chaos."
FOLDERS = [ROOT / "roles", ROOT / "playbooks", ROOT / "docs", COLLECTION / "roles"]
FILES = sorted(path for folder in FOLDERS for path in folder.rglob("*.yml") if "meta" not in path.parts)


def maps_in(value):
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    for one in value if isinstance(value, list) else ():
        yield from maps_in(one)


def options_of(name):
    if name in NAMES:
        return {*load(name).OPTIONS, *COMMON_OPTIONS}
    module = importlib.import_module("ansible_collections.gameday.chaos.plugins.modules." + name)
    common = FAULT_OPTIONS if name.startswith("fault_") or name == "background_load" else CHAOSTOOLKIT_OPTIONS if name.startswith("chaostoolkit") else ()
    own = yaml.safe_load(module.DOCUMENTATION).get("options") or {}
    return {*own, *getattr(module, "OPTIONS", ()), *common, *(COMMON_OPTIONS if name == "steady_state" else ())}


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(ROOT)) for path in FILES])
def test_the_options_of_every_task_and_probe_are_those_of_its_module(path):
    for found in maps_in(yaml.safe_load(path.read_text())):
        for key, arguments in found.items():
            name = str(key).removeprefix(OURS)
            if isinstance(arguments, dict) and (str(key).startswith(OURS) or name in NAMES) and (COLLECTION / "plugins/modules" / f"{name}.py").exists():
                assert set(arguments) <= options_of(name), (key, set(arguments) - options_of(name))


def test_a_task_with_an_option_that_there_is_not_would_be_seen():
    assert "destinations" not in options_of("fault_network") and "destination" in options_of("fault_network")
    assert sum(OURS in path.read_text() for path in FILES) > 20
