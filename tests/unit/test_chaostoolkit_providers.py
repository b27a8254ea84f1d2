# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The providers of Chaos Toolkit and ours, given the same activities: the same output, or a reason why not."""

from __future__ import annotations

import copy
import json
import sys
import tempfile
import time

import pytest
from ansible_collections.gameday.chaos.plugins.module_utils import chaostoolkit_http, chaostoolkit_process, chaostoolkit_python
from ansible_collections.gameday.chaos.plugins.module_utils.chaostoolkit_activity import Limits, finding, judge, perform, refusal
from ansible_collections.gameday.chaos.plugins.module_utils.chaostoolkit_process import Failed
from chaoslib.provider.http import run_http_activity
from chaoslib.provider.process import run_process_activity
from chaoslib.provider.python import run_python_activity
from unit.http_servers import serving

CONFIGURATION = {"word": "hello world", "n": 3, "list": ["a", "b"], "seconds": 5}
SECRETS = {"g": {"token": "s3cret"}, "h": {"token": "other", "more": 1}}
LIMITS = Limits(seconds=20, http_seconds=5)


@pytest.fixture(scope="module")
def base():
    with serving() as port:
        yield "http://127.0.0.1:%s" % port


def same(run, theirs, provider):
    activity = {"type": "probe", "name": "one", "provider": provider}
    found = run(copy.deepcopy(provider), CONFIGURATION, SECRETS, LIMITS)
    assert found == theirs(copy.deepcopy(activity), CONFIGURATION, SECRETS)
    return found


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["a", "${word}", "${n}", None, "", 0, False, 1.5],
        ["${list}", "${undefined}", "$n", "$$"],
        "a 'b  c' | tr a-z A-Z",
        "${word} $HOME *",
        {"--opt": "${word}", "-x": None, "": 3},
        ["grüße ✓"],
    ],
    ids=str,
)
def test_the_words_of_a_process_are_those_that_they_are_there(arguments):
    same(chaostoolkit_process.run, run_process_activity, {"type": "process", "path": "echo", "arguments": arguments})


@pytest.mark.parametrize("script", ["exit 3", "echo out; echo err >&2; exit 1", "kill -9 $$", "printf 'no newline'", "cat", "printf '\\n\\n'"])
def test_what_a_process_says_and_how_it_ends(script):
    same(chaostoolkit_process.run, run_process_activity, {"type": "process", "path": "/bin/sh", "arguments": ["-c", script.replace("$$", "$$$$")]})


def process(script, **more):
    return chaostoolkit_process.run({"type": "process", "path": "sh", "arguments": ["-c", script], **more}, {}, {}, LIMITS)


def test_text_is_utf_8_and_what_is_none_is_escaped():
    assert process(r"printf '\342\224\214\377\000'")["stdout"] == "┌\\xff\0"  # guessed there, and wrongly


def test_its_time_is_limited_its_group_dies_with_it_and_what_it_said_is_kept(tmp_path):
    mark = tmp_path / "alive"
    with pytest.raises(Failed, match=r"did not end within 2 s") as failed:
        process("echo said; (sleep 4; touch %s) & wait" % mark, timeout=2)
    assert failed.value.output == {"status": None, "stdout": "said\n", "stderr": ""}
    time.sleep(2.5)
    assert not mark.exists()


def test_what_it_leaves_behind_keeps_nobody_waiting():
    begin = time.monotonic()
    assert process("sleep 4 & echo done")["stdout"] == "done\n"
    assert time.monotonic() - begin < 3


def test_the_limit_where_the_file_says_none():
    with pytest.raises(Failed, match=r"0\.3 s"):
        chaostoolkit_process.run({"path": "sleep", "arguments": ["5"]}, {}, {}, Limits(0.3, 1))


@pytest.mark.parametrize(
    ("provider", "words"),
    [
        ({"path": "no-such-program"}, "not on this host"),
        ({"path": "true", "timeout": "${seconds}"}, "timeout: .* no number"),
        ({}, "not on this host"),
        ({"path": "true", "arguments": ["a\0b"]}, "NUL"),
        ({"path": "/etc/passwd"}, "not on this host, or may not be run"),
    ],
)
def test_what_cannot_be_run_says_why(provider, words):
    with pytest.raises(Failed, match=words):
        chaostoolkit_process.run(provider, CONFIGURATION, {}, LIMITS)


@pytest.mark.parametrize(
    "provider",
    [
        {"url": "/health"},
        {"url": "/status/503"},
        {"url": "/text"},
        {"url": "/redirect/health"},
        {"url": "/status/404", "method": "post"},
        {"url": "/health", "method": "HEAD"},
    ],
    ids=str,
)
def test_what_a_server_answers(base, provider):
    found = chaostoolkit_http.run({**provider, "url": base + provider["url"]}, {}, {}, LIMITS)
    expected = run_http_activity({"provider": {**provider, "url": base + provider["url"]}}, {}, {})
    if provider["url"] == "/text":  # without a charset it is guessed there, and wrongly
        expected["body"] = "first line\nsecond line: grüße\n"
    for answer in (found, expected):
        answer["headers"].pop("Date")
    assert found == expected


ECHOED = [
    {"url": "/echo"},
    {"url": "/echo/?a=1", "arguments": {"b": 2, "word": "${word}"}},
    {"url": "/echo/", "arguments": "raw=1"},
    {"url": "/echo/", "arguments": {"many": ["a", "b"], "map": {"k": 1}, "none": None, "n": "${n}"}},
    *(
        {"url": "/echo", "method": "POST", **more}
        for more in (
            {},
            {"arguments": {"a": 1, "word": "${word}", "none": None}},
            {"arguments": {"a": {"b": 1}, "c": [1, 2]}},
            {"arguments": "raw ${word}"},
            {"arguments": {"a": 1}, "headers": {"Content-Type": "application/json"}},
            {"arguments": {"a": 1}, "headers": {"content-type": "application/json"}},
            {"arguments": {"a": 1}, "headers": {"Content-Type": "application/json; charset=utf-8"}},
            {"arguments": ["${n}", {"x": "${list}"}], "headers": {"Content-Type": "application/json"}},
            {"arguments": "text", "headers": {"Content-Type": "application/json"}},
        )
    ),
    {"url": "/echo", "method": "PUT", "arguments": {"a": 1}},
    {"url": "/echo", "headers": {"X-Token": "${token}", "X-N": "${n}"}},
    {"url": "/echo", "timeout": "${seconds}"},
    {"url": "/echo/${undefined}"},
    {"url": "/echo/${word}"},
    {"url": "/echo", "timeout": [1, 5]},
]


@pytest.mark.parametrize("provider", ECHOED, ids=str)
def test_what_is_asked_of_a_server(base, provider):
    asked = {**provider, "url": base + provider["url"]}
    if isinstance(asked.get("headers"), dict) and "X-N" in asked["headers"]:
        asked["headers"] = {"X-Token": "${token}"}  # a number as the value of a header crashes there
    found = json.loads(chaostoolkit_http.run(asked, CONFIGURATION, SECRETS, LIMITS)["body"])
    expected = json.loads(run_http_activity({"provider": asked}, CONFIGURATION, SECRETS)["body"])
    for answer in (found, expected):
        for name in ("user-agent", "accept-encoding", "connection", "accept"):
            answer["headers"].pop(name, None)
        answer["headers"] = {name: value for name, value in answer["headers"].items() if (name, value) != ("content-length", "0")}
    if asked.get("arguments") in ("raw ${word}", "text") and "content-type" not in expected["headers"]:
        found["headers"].pop("content-type")
    assert {**found, "body": None} == {**expected, "body": None}
    assert found["body"] == expected["body"] or json.loads(found["body"]) == json.loads(expected["body"])


@pytest.mark.parametrize(
    ("provider", "words"),
    [
        ({"url": "http://127.0.0.1:9/"}, "connection refused"),
        ({"url": "${undefined}/x"}, "cannot be asked"),
        ({"url": "http://${host}/x"}, "cannot be asked"),
        ({"url": 7}, "cannot be asked"),
        ({"url": "http://127.0.0.1:9/", "timeout": "soon"}, "timeout: "),
        ({"url": "http://127.0.0.1:99999/"}, "cannot be asked"),
        ({"url": "ftp://x/"}, "cannot be asked"),
        ({"url": "http://[::1/"}, "cannot be asked"),
        ({"url": "http://no-such-host.invalid/"}, "failed to ask"),
        ({"url": "http://127.0.0.1:9/", "headers": ["a"]}, "cannot be asked"),
    ],
)
def test_what_cannot_be_asked_says_why(provider, words):
    with pytest.raises(Failed, match=words):
        chaostoolkit_http.run(provider, {}, {}, LIMITS)


def test_a_server_that_does_not_answer_in_time(base):
    with pytest.raises(Failed, match=r"no complete answer .* within 0\.3 s"):
        chaostoolkit_http.run({"url": base + "/slow/3", "timeout": 0.3}, {}, {}, LIMITS)
    with pytest.raises(Failed, match=r"within 0\.2 s"):
        chaostoolkit_http.run({"url": base + "/slow/3"}, {}, {}, Limits(1, 0.2))


FUNCTIONS = """
import datetime, decimal, os, sys, uuid, subprocess
def add(a, b=2): return a + b
def told(configuration=None, secrets=None): return {"configuration": configuration, "secrets": secrets}
def fails(): raise ValueError("it is down")
def leaves(): sys.exit(3)
def dies(): os._exit(9)
def hangs(): import time; time.sleep(30)
def odd(): return {"when": datetime.date(2030, 1, 31), "money": decimal.Decimal("1.50"), "id": uuid.UUID(int=7), "set": {1, 2}, "object": object,
                  "bytes": b"x\\xff"}
def prints(): print("noise"); return 7
def nan(): return float("nan")
"""


@pytest.fixture(scope="module")
def functions(tmp_path_factory):
    folder = tmp_path_factory.mktemp("functions")
    (folder / "gameday_test_functions.py").write_text(FUNCTIONS)
    sys.path.append(str(folder))
    yield str(folder)
    sys.path.remove(str(folder))


def python(func, functions, **more):
    provider = {"type": "python", "module": "gameday_test_functions", "func": func, **more}
    return provider, lambda: chaostoolkit_python.run(provider, CONFIGURATION, SECRETS, Limits(2 if func == "hangs" else 20, 1, directory=functions))


@pytest.mark.parametrize(
    ("func", "more"),
    [
        ("add", {"arguments": {"a": "${n}"}}),
        ("add", {"arguments": {"a": "${list}", "b": ["c"]}}),
        ("told", {}),
        ("told", {"secrets": ["g"]}),
        ("told", {"secrets": ["g", "h"]}),
        ("told", {"secrets": ["nobody"]}),
        ("told", {"arguments": {}}),
        ("prints", {}),
    ],
    ids=str,
)
def test_a_function_gives_what_it_gives_there(functions, func, more):
    provider, run = python(func, functions, **more)
    assert run() == run_python_activity({"name": "one", "provider": copy.deepcopy(provider)}, CONFIGURATION, SECRETS)


@pytest.mark.parametrize(
    ("func", "words"),
    [
        ("fails", "ValueError: it is down"),
        ("leaves", "SystemExit: 3"),
        ("dies", "without an answer"),
        ("hangs", "did not end within"),
        ("absent", "has no function absent"),
        ("add", "TypeError: .*missing.*'a'"),
    ],
)
def test_a_function_that_gives_nothing_says_why(functions, func, words):
    with pytest.raises(Failed, match=words):
        python(func, functions)[1]()


def test_a_module_that_is_not_there_names_the_python_and_the_cure():
    with pytest.raises(Failed, match=r"no_such_module cannot be used by .*python.* on this host: ModuleNotFoundError.*chaostoolkit_python"):
        chaostoolkit_python.run({"module": "no_such_module", "func": "f"}, {}, {}, LIMITS)


def test_whatever_a_function_returns_a_journal_can_hold(functions):
    assert python("odd", functions)[1]() == {
        "when": "2030-01-31",
        "money": "1.50",
        "id": "00000000-0000-0000-0000-000000000007",
        "set": [1, 2],
        "object": "<class 'object'>",
        "bytes": "x\\xff",
    }
    entry = perform({"name": "nan"}, python("nan", functions)[1])
    assert entry["output"] == "nan" and entry["status"] == "succeeded"


def test_secrets_of_a_function_are_on_no_command_line(functions, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    started = []
    real = chaostoolkit_process.Process
    monkeypatch.setattr(chaostoolkit_python, "Process", lambda argv, *more: (started.append(argv), real(argv, *more))[1])
    python("told", functions, secrets=["g"])[1]()
    assert str(tmp_path) in str(started) and "s3cret" not in str(started)
    assert list(tmp_path.iterdir()) == []


def entry_of(kind, output, type_="action", status="succeeded", **more):
    return {
        "activity": {"type": type_, "name": "one", "provider": {"type": kind, **more.pop("provider", {})}, **more},
        "output": output,
        "status": status,
        **({"exception": ["it is down\n"]} if status == "failed" else {}),
    }


@pytest.mark.parametrize(
    ("entry", "section", "verdict"),
    [
        (entry_of("process", {"status": 0, "stdout": "", "stderr": ""}), "method", None),
        (entry_of("process", {"status": 1, "stdout": "", "stderr": "no"}), "method", "errored"),
        (entry_of("process", {"status": -9, "stdout": "", "stderr": ""}), "rollbacks", "not_restored"),
        (entry_of("process", {"status": 1, "stdout": "", "stderr": ""}, "probe"), "method", None),
        (entry_of("http", {"status": 400, "headers": {}, "body": "bad toxic"}), "method", "errored"),
        (entry_of("http", {"status": 404, "headers": {}, "body": ""}, provider={"method": "DELETE"}), "rollbacks", None),
        (entry_of("http", {"status": 404, "headers": {}, "body": ""}, provider={"method": "DELETE"}), "method", "errored"),
        (entry_of("python", {"status": 500}), "method", None),
        (entry_of("python", False), "method", None),
        (entry_of("python", None, status="failed"), "method", "errored"),
        (entry_of("python", None, status="failed"), "rollbacks", "not_restored"),
        (entry_of("http", None, "probe", status="failed"), "method", "inconclusive"),
    ],
)
def test_what_an_activity_without_a_tolerance_amounts_to(entry, section, verdict):
    found = finding(entry, section)
    assert (found and found["verdict"]) == verdict and (not found or found["reasons"][0])


@pytest.mark.parametrize(
    ("tolerance", "output", "type_", "status", "verdict"),
    [
        (200, {"status": 200}, "probe", "succeeded", None),
        (200, {"status": 500}, "probe", "succeeded", "deviated"),
        (200, None, "probe", "failed", "deviated"),
        ([1, 3], None, "probe", "succeeded", "inconclusive"),
        (0, {"status": 1, "stdout": "", "stderr": ""}, "action", "succeeded", "errored"),
        ([0, 1], {"status": 1, "stdout": "", "stderr": ""}, "action", "succeeded", None),
    ],
)
def test_a_tolerance_counts_wherever_it_is_written(tolerance, output, type_, status, verdict):
    entry = entry_of("process", output, type_, status, tolerance=tolerance)
    met, reasons = judge(entry, {}, {}, LIMITS)
    entry.update(met=met, reasons=reasons, tolerance_met=met is True)
    found = finding(entry, "method")
    assert (found and found["verdict"]) == verdict
    assert refusal({**entry, "status": "succeeded"}, "method") is None
