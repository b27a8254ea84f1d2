"""
Bad arguments by the thousand: whatever a module is given, it answers with a clear error that names the option, touches nothing, and never ends in a
traceback or in what it calls a defect of its own. Real modules, on a host that cannot be harmed (see sealed_host.py, and what it hears).

Two kinds: good arguments of which one is spoiled, where the answer has to name that one; and any garbage at all, in check mode or not. What is
good is tried, too: were it refused, what is said of its spoiled sisters would say nothing. Chosen by GAMEDAY_SEED, in `make test` a fifth of them.
"""

from __future__ import annotations

import importlib
import os
from types import SimpleNamespace

import hypothesis.strategies as st
import pytest
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible_collections.gameday.chaos.plugins.module_utils.fault import FAULT_OPTIONS
from ansible_collections.gameday.chaos.plugins.module_utils.probe import COMMON_OPTIONS
from ansible_collections.gameday.chaos.plugins.module_utils.probes import NAMES, load
from bad_values import GARBAGE, letters, wrong
from hypothesis import HealthCheck, assume, given, seed, settings
from real_module import PREFIX
from sealed_host import SealedHost

from lab.fixtures import missing

SHORT, LONG = 2000, 10000
HERE = "/var/lib"
GOOD = {
    "background_load": {"url": "http://127.0.0.1:1/", "duration": 30},
    "fault_container": {"name": "database", "action": "pause", "duration": 30},
    "fault_cpu": {"duration": 30},
    "fault_disk": {"path": HERE, "bytes": "1MiB", "duration": 30},
    "fault_dns": {"names": ["database.example.com"], "address": "192.0.2.7", "duration": 30},
    "fault_io": {"path": HERE, "bytes": "1MiB", "duration": 30},
    "fault_memory": {"bytes": "8MiB", "duration": 30},
    "fault_network": {"interface": "eth0", "delay": 100, "jitter": 10, "destination": ["192.0.2.7"], "duration": 30},
    "fault_partition": {"addresses": ["192.0.2.7"], "ports": ["5432"], "duration": 30},
    "fault_process": {"pid_file": "{pid_file}", "duration": 30},
    "fault_proxy": {"name": "postgres", "type": "latency", "latency": 100, "duration": 30},
    "fault_service": {"name": "cron", "duration": 30},
    "probe_alert": {"url": "http://127.0.0.1:1", "name": "NoSuchAlert"},
    "probe_dns": {"name": "no-such-name.invalid"},
    "probe_host": {},
    "probe_prometheus": {"url": "http://127.0.0.1:1", "query": "up"},
    "probe_service": {"name": "cron"},
    "probe_command": {"command": "no-such-program"},
    "probe_container": {"name": "database"},
    "probe_http": {"url": "http://127.0.0.1:1/"},
    "probe_log": {"path": "/no/such.log"},
    "probe_process": {"name": "no-such-process"},
    "probe_tcp": {"port": 1},
    "steady_state": {"probes": [{"name": "port", "probe_tcp": {"port": 1}}], "within": 5},
    "recover": {},
    "ledger_info": {},
}


def spec(module):
    """The options of a module, as its own argument spec has them."""
    if module in NAMES:
        return {**load(module).OPTIONS, **COMMON_OPTIONS}
    if module in ("recover", "ledger_info"):
        return {"run": {"type": "str"}, **({"claim": {"type": "str"}, "all": {"type": "bool"}} if module == "recover" else {})}
    if module == "steady_state":
        kinds = {"probes": "list", "within": "float", "during": "float", "interval": "float", "hold": "float", "slower": "bool", "baseline": "dict"}
        return {name: {"type": kind} for name, kind in kinds.items()}
    return {**FAULT_OPTIONS, **importlib.import_module(PREFIX + module).OPTIONS}


def spoiled(module):
    """(arguments, the name of the option that is bad)"""
    options = {name: wrong(module, name, option) for name, option in spec(module).items()}
    cases = [st.tuples(st.just(name), st.one_of(found)) for name, found in options.items() if found]
    unknown = st.tuples(letters.map("no_such_".__add__), GARBAGE)
    left_out = [st.tuples(st.just(name), st.just(...)) for name, option in spec(module).items() if option.get("required")]
    return st.one_of(*cases, unknown, *left_out)


@pytest.fixture(scope="module")
def host():
    host = SealedHost()
    try:
        host.start()
    except OSError as error:
        host.clean()
        missing("user namespaces", error)
    yield host
    host.clean()


def good(module, host):
    return {name: host.sleeper() if value == "{pid_file}" else value for name, value in GOOD[module].items()}


def share(examples):
    """Of so many examples those that one of the two kinds has for one module."""
    return -(-examples // (2 * len(GOOD)))


BUDGETS = [pytest.param(share(SHORT), id="short"), pytest.param(share(LONG - SHORT), id="long", marks=pytest.mark.long)]


def chosen(examples):
    def decorate(test):
        quiet = settings(max_examples=examples, database=None, deadline=None, suppress_health_check=list(HealthCheck))
        return seed("%s %s" % (os.environ["GAMEDAY_SEED"], examples))(quiet(test))

    return decorate


@pytest.mark.parametrize("module", GOOD)
def test_good_arguments_are_accepted(host, module):
    outcome = host.run(module, good(module, host))
    assert outcome.touched == []
    assert outcome.accepted or not outcome.result.get("failed") or "observation" in outcome.result or "steady_state" in outcome.result, outcome


@pytest.mark.parametrize("module", GOOD)
@pytest.mark.parametrize("examples", BUDGETS)
def test_a_spoiled_argument_is_refused_by_its_name(host, module, examples):
    @chosen(examples)
    @given(spoiled(module))
    def refused(case):
        name, value = case
        arguments = dict(good(module, host), **{name: value})
        if value is ...:
            del arguments[name]
        outcome = host.run(module, arguments)
        assert not outcome.accepted and outcome.touched == []
        answer = clear(outcome, module)
        assert answer.get("failed") and "observation" not in answer, answer
        assert name in answer["msg"], answer["msg"]

    refused()


@pytest.mark.parametrize("module", GOOD)
@pytest.mark.parametrize("examples", BUDGETS)
def test_garbage_is_answered_in_words(host, module, examples):
    options = spec(module)

    @chosen(examples)
    @given(st.dictionaries(st.sampled_from(sorted(options)), GARBAGE, max_size=6), st.booleans(), st.booleans())
    def answered(arguments, on_top, check_mode):
        outcome = host.run(module, {**(good(module, host) if on_top else {}), **arguments}, check_mode)
        assert outcome.touched == []
        assert not (outcome.accepted and check_mode and module.startswith(("fault", "background")))
        assume(not outcome.accepted)
        answer = clear(outcome, module)
        if answer.get("failed") and "observation" not in answer and "steady_state" not in answer:
            assert any(name in answer["msg"] for name in options) or answer["msg"].startswith(UNNAMED), answer["msg"]

    answered()


# What Ansible itself says of a dictionary with options of its own that is none; it does not name it.
UNNAMED = ("dictionary requested, could not parse JSON or key=value", "unable to evaluate string as dictionary")


def clear(outcome, module):
    assert "Traceback" not in outcome.said and "defect of the module" not in outcome.said, outcome.said
    answer = outcome.result
    assert not answer.get("changed") or module == "recover" or answer.get("fault", answer.get("load", {})).get("state") == "planned"
    return answer


ACTIONS = {
    "preflight": ({"title": "T", "name": "n", "run": "r", "method": str(__file__)}, {
        "description": "str", "tags": "list", "steady_state": "list", "recovery": "float", "maximum_hosts": "str", "windows": "list", "held_by": "list",
        "unreadable": "list", "no_such_option": "str"}),
    "verdict": ({"run": "r", "variable": "phases"}, {"no_such_option": "str"}),
}
window = st.dictionaries(st.sampled_from(["days", "from", "until", "timezone", "form"]), GARBAGE | st.sampled_from(["mon", "25:00", "9:00", "Europe/Oslo"]))


@pytest.mark.parametrize("name", ACTIONS)
@pytest.mark.parametrize("examples", [pytest.param(100, id="short"), pytest.param(1000, id="long", marks=pytest.mark.long)])
def test_what_runs_on_the_controller_answers_garbage_in_words(name, examples):
    """The two that ask no host: they refuse by AnsibleError or by a failed result."""
    required, options = ACTIONS[name]
    action = importlib.import_module("ansible_collections.gameday.chaos.plugins.action." + name).ActionModule

    @chosen(examples)
    @given(st.dictionaries(st.sampled_from(sorted({*required, *options})), GARBAGE, max_size=4), st.lists(window, max_size=2))
    def answered(arguments, windows):
        arguments = {**required, **({"windows": windows} if name == "preflight" and windows else {}), **arguments}
        task = SimpleNamespace(args=arguments, async_val=0, check_mode=False, diff=False, action=name, delegate_to=None)
        host_variables = {"ansible_play_hosts_all": ["h"], "ansible_play_hosts": ["h"], "groups": {"all": ["h"]}, "inventory_hostname": "h",
                          "hostvars": {"h": {"phases": {"run": "r"}}}}
        connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir="/no/such"))
        try:
            result = action(task, connection, None, DataLoader(), None, None).run(task_vars=host_variables)
        except AnsibleError as error:
            assert any(option in str(error) for option in {*required, *options})
            return
        assert result["failed"] and result["msg"]

    answered()
