"""The load in the background: what it refuses, what it sends, and what is made of its report."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest
from ansible_collections.gameday.chaos.plugins.module_utils import load_generator
from ansible_collections.gameday.chaos.plugins.module_utils.fault import Refused
from ansible_collections.gameday.chaos.plugins.modules import background_load
from http_servers import serving

GIVEN = {"name": "load", "url": "http://127.0.0.1:1/", "rate": 10.0, "timeout": 1.0, "command": None, "duration": 60,
         "maximum_error_rate": None, "maximum_p95": None}


@pytest.mark.parametrize(("options", "words"), [
    ({"url": None}, "url, command: give one of them"),
    ({"command": ["k6"]}, "url, command: give one of them"),
    ({"url": "ftp://somewhere/"}, "url: give one such as"),
    ({"url": "http://me:secret@somewhere/"}, "without user and password"),
    ({"rate": 0.0}, "rate: 0.0 a second"),
    ({"rate": 200.0, "duration": 3600}, "rate: 200.0 a second for 3600 s is not within"),
    ({"timeout": 0.0}, "timeout: 0.0 is not"),
])
def test_what_cannot_be_is_refused(options, words):
    with pytest.raises(Refused, match=words):
        background_load.plan({**GIVEN, **options}, None)


def test_an_error_message_never_shows_a_password():
    with pytest.raises(Refused) as refused:
        background_load.plan({**GIVEN, "url": "http://me:secret@somewhere/"}, None)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(("path", "failures"), [("health", 0), ("status/404", 0), ("status/500", 20), ("slow/1", 20)])
def test_requests_are_sent_at_the_rate_whatever_becomes_of_them(tmp_path, path, failures):
    report = tmp_path / "report"
    with serving() as port:
        url = "http://127.0.0.1:%s/%s" % (port, path)
        sender = subprocess.Popen([sys.executable, load_generator.__file__, url, "20", "0.3" if path == "slow/1" else "5", "1", str(report)])
        sender.wait(20)
        time.sleep(0.5)
    seen = background_load.measured(str(tmp_path))
    assert (6 if path == "slow/1" else 12) <= len(seen) <= 20
    assert sum(not 0 < status < 500 for seconds, status in seen) == (len(seen) if failures else 0)


@pytest.mark.parametrize(("options", "more", "met", "words"), [
    ({}, {}, True, ""),
    ({"maximum_error_rate": 0.5}, {}, True, ""),
    ({"maximum_error_rate": 0.2}, {}, False, "1 of 4 requests failed, more than maximum_error_rate 0.2"),
    ({"maximum_p95": 0.5}, {}, False, "95 % of the requests took up to 2.000 s"),
    ({}, {"ended_by": "timer"}, None, "over before it was ended"),
    ({}, {"over_before": True}, None, "over before it was ended"),
])
def test_a_report_is_judged(tmp_path, options, more, met, words):
    (tmp_path / "report").write_text("0.0 0.1 200\n0.1 0.1 200\n0.2 0.1 404\n0.3 2.0 0\n0.4 0.")
    seen = background_load.observation({**GIVEN, **options}, {"folder": str(tmp_path), "arguments": {"url": "x"}, **more})
    assert seen["met"] is met and words in "".join(seen["reasons"]) and (seen["requests"], seen["failures"]) == (4, 1)


def test_without_a_request_nothing_can_be_said(tmp_path):
    seen = background_load.observation(GIVEN, {"folder": str(tmp_path), "arguments": {"url": "x"}})
    assert seen["met"] is None and seen["reasons"] == ["no request was measured"]
