"""A fault or a probe is added in few places; here is the list of them, and what they say must agree."""

from __future__ import annotations

import importlib
import pathlib

import pytest
import yaml
from ansible_collections.gameday.chaos.plugins.doc_fragments.chaostoolkit import ModuleDocFragment as ChaosToolkitFragment
from ansible_collections.gameday.chaos.plugins.doc_fragments.container import ModuleDocFragment as ContainerFragment
from ansible_collections.gameday.chaos.plugins.doc_fragments.fault import ModuleDocFragment as FaultFragment
from ansible_collections.gameday.chaos.plugins.doc_fragments.http_request import ModuleDocFragment as HttpFragment
from ansible_collections.gameday.chaos.plugins.doc_fragments.probe import ModuleDocFragment as ProbeFragment
from ansible_collections.gameday.chaos.plugins.module_utils.chaostoolkit_activity import OPTIONS as CHAOSTOOLKIT_OPTIONS
from ansible_collections.gameday.chaos.plugins.module_utils.fault import FAULT_OPTIONS
from ansible_collections.gameday.chaos.plugins.module_utils.probe import COMMON_OPTIONS
from ansible_collections.gameday.chaos.plugins.module_utils.probes import NAMES, load

from plans import TABLE

COLLECTION = pathlib.Path(__file__).parents[2] / "collections" / "ansible_collections" / "gameday" / "chaos"
PACKAGE = "ansible_collections.gameday.chaos.plugins."
GROUPS = yaml.safe_load((COLLECTION / "meta" / "runtime.yml").read_text())["action_groups"]
DEFAULTS = {"type": "str", "required": False, "default": None, "choices": None, "elements": None}


def modules(prefix):
    return sorted(path.stem for path in (COLLECTION / "plugins" / "modules").glob(prefix + "*.py"))


def documentation(name):
    """With the options of the fragments that some modules share. What a module says itself of such an option counts."""
    documented = yaml.safe_load(importlib.import_module(PACKAGE + "modules." + name).DOCUMENTATION)
    for fragment, options in (("container", ContainerFragment), ("http_request", HttpFragment)):
        if "gameday.chaos." + fragment in documented["extends_documentation_fragment"]:
            for option, said in yaml.safe_load(options.DOCUMENTATION)["options"].items():
                documented["options"][option] = {**said, **documented["options"].get(option, {})}
    return documented


def as_written(options):
    """What documentation and argument spec both say of an option."""
    return {name: {key: option.get(key, default) for key, default in DEFAULTS.items()} for name, option in options.items()}


def test_every_fault_is_in_the_action_group_and_in_the_table_of_plans():
    assert modules("fault_") == sorted(GROUPS["faults"]) == sorted({row.fault for row in TABLE})


def test_every_action_of_every_fault_is_in_the_table_of_plans():
    for name in modules("fault_"):
        options = importlib.import_module(PACKAGE + "modules." + name).OPTIONS
        action = options.get("action", {"choices": [None], "default": None})
        assert {row.params.get("action", action["default"]) for row in TABLE if row.fault == name} == set(action["choices"]), name


def test_every_probe_is_in_the_action_group_and_in_the_list_of_kinds():
    assert modules("probe_") == sorted(GROUPS["probes"]) == sorted(NAMES)


@pytest.mark.parametrize("name", modules("probe_"))
def test_the_options_of_a_probe_are_those_of_its_library(name):
    library = importlib.import_module(PACKAGE + "module_utils." + name)
    assert load(name) is library and callable(library.measure) and callable(library.judge)
    documented = documentation(name)
    assert as_written(documented["options"]) == as_written(library.OPTIONS)
    assert "gameday.chaos.probe" in documented["extends_documentation_fragment"]
    never_in_check_mode = documented.get("attributes", {}).get("check_mode", {}).get("support") == "partial"
    assert never_in_check_mode == getattr(library, "NO_CHECK_MODE", False)


@pytest.mark.parametrize("name", modules("fault_"))
def test_the_options_of_a_fault_are_those_that_it_documents(name):
    module, documented = importlib.import_module(PACKAGE + "modules." + name), documentation(name)
    assert as_written(documented["options"]) == as_written(module.OPTIONS)
    assert "gameday.chaos.fault" in documented["extends_documentation_fragment"]
    assert set(module.OPTIONS).isdisjoint(FAULT_OPTIONS), "an option of all faults may not mean something else in one"


@pytest.mark.parametrize(("fragment", "options"), [
    (FaultFragment, FAULT_OPTIONS), (ProbeFragment, COMMON_OPTIONS), (ChaosToolkitFragment, CHAOSTOOLKIT_OPTIONS)])
def test_the_options_that_they_have_in_common_are_documented_once(fragment, options):
    assert as_written(yaml.safe_load(fragment.DOCUMENTATION)["options"]) == as_written(options)


def test_the_documentation_of_steady_state_names_every_probe():
    text = str(documentation("steady_state"))
    assert [name for name in NAMES if "M(gameday.chaos.%s)" % name not in text] == []


@pytest.mark.parametrize("name", [*modules("fault_"), *modules("probe_"), "steady_state"])
def test_the_first_example_of_a_module_has_options_that_there_are(name):
    module = importlib.import_module(PACKAGE + "modules." + name)
    known = {*documentation(name)["options"], *getattr(module, "OPTIONS", ()), *(FAULT_OPTIONS if name.startswith("fault_") else COMMON_OPTIONS)}
    tasks = yaml.safe_load(module.EXAMPLES)
    used = [task["gameday.chaos." + name] for task in tasks if "gameday.chaos." + name in task]
    assert used and {option for options in used for option in options} <= known


def test_an_option_that_holds_a_secret_is_never_logged():
    for name in NAMES:
        for option, spec in load(name).OPTIONS.items():
            assert ("password" not in option and "token" not in option) or spec.get("no_log"), (name, option)


def test_every_fault_and_probe_is_run_on_a_host_in_the_way_of_an_experiment():
    """Else a host that is lost would be unreachable for Ansible, and neither rescue nor always would be run."""
    routed = yaml.safe_load((COLLECTION / "meta/runtime.yml").read_text())["plugin_routing"]["modules"]
    wanted = {*modules("fault_"), *modules("probe_"), "steady_state", "recover", "ledger_info", "background_load"}
    assert {name for name, route in routed.items() if route["action_plugin"] == "gameday.chaos.on_host"} >= wanted
