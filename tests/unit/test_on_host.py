"""What the plugin does that runs modules on hosts: one that died there is said to have died, and a unit is asked by the clock of its host."""

from __future__ import annotations

import copy
from types import SimpleNamespace

import pytest
from ansible_collections.gameday.chaos.plugins.action.on_host import ActionModule, answered

UNREADABLE = "Module result deserialization failed: No start of json char found"
ENDED = "the module ended on the host without an answer, with exit code "


@pytest.mark.parametrize(("rc", "stderr", "stdout", "words"), [
    (137, "", "", "137 (killed)"),
    (-9, "", "", "-9 (killed)"),
    (137, "Killed\n", "", "137 (killed)"),
    (137, "Shared connection to 192.0.2.7 closed.\r\n", "Killed\r\n", "137 (killed)"),
    (1, "Traceback (most recent call last):\n  ...\nMemoryError\n", "", "1: MemoryError"),
    (1, "Connection to 192.0.2.7 closed.\r\n", "Traceback ...\r\nOSError: No space left on device\r\n", "1: OSError: No space left on device"),
])
def test_who_died_is_said_to_have_died_and_of_what(rc, stderr, stdout, words):
    result = answered({"failed": True, "msg": UNREADABLE, "rc": rc, "module_stderr": stderr, "module_stdout": stdout})
    assert result["msg"] == ENDED + words and result["failed"]


@pytest.mark.parametrize("result", [
    {"changed": False, "fault": {}},
    {"failed": True, "msg": "duration: is required"},
    {"failed": True, "msg": "The module interpreter '/no/python' was not found.", "module_stdout": "", "module_stderr": "/no/python: not found", "rc": 127},
])
def test_what_an_answer_says_stays_as_it_is(result):
    assert answered(dict(result)) == result


@pytest.mark.parametrize(("action", "arguments", "place"), [
    ("gameday.chaos.probe_service", {"name": "x", "since": "2030-01-31T12:00:00+00:00"}, lambda told: told),
    ("gameday.chaos.steady_state", {"probes": [{"name": "p", "probe_tcp": {"port": 1}},
                                               {"probe_service": {"name": "x", "since": "2030-01-31T12:00:00+00:00"}}]},
     lambda told: told["probes"][1]["probe_service"]),
])
def test_a_unit_is_asked_by_the_clock_of_its_host(action, arguments, place):
    asked = SimpleNamespace(_task=SimpleNamespace(action=action, args=copy.deepcopy(arguments)), offset=lambda task_vars: 3600.0,
                            asked_by_its_clock=False)
    ActionModule.ask_by_its_clock(asked, {})
    assert asked._task.args == arguments, "outside of the role times are the author's"
    for _attempt in range(2):  # as with until
        ActionModule.ask_by_its_clock(asked, {"experiment_phase": "before"})
        assert place(asked._task.args)["since"].startswith("2030-01-31T13:00:00")
