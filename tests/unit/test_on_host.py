"""What Ansible makes of a module that died on its host, in words that tell what happened."""

from __future__ import annotations

import pytest
from ansible_collections.gameday.chaos.plugins.action.on_host import answered

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
