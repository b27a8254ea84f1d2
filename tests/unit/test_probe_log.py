"""The log probe: what was written since a position, whatever became of the file meanwhile."""

from __future__ import annotations

import pytest
from ansible_collections.gameday.chaos.plugins.module_utils import probe_log
from ansible_collections.gameday.chaos.plugins.module_utils.command import Answer
from real_module import NOBODY, USER, Host

from lab.fixtures import missing
from lab.probing import measured, said


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "api.log"
    path.write_text("")
    return path


def write(path, *lines):
    with open(path, "a") as target:
        target.write("".join(line + "\n" for line in lines))


def look(path, **options):
    return measured(probe_log, path=str(path), **options)


def position(path):
    observation = look(path)
    assert observation["met"] is True and observation["lines"] is None
    return observation["position"]


def test_lines_are_counted_and_either_their_presence_or_their_absence_can_be_expected(log):
    write(log, "INFO start", "ERROR one", "ERROR two")
    assert look(log, pattern="^ERROR")["value"] == 2
    assert said(look(log, pattern="^ERROR", minimum=3)) == (False, "%s: 2 lines match '^ERROR', at least 3 expected (of 3 lines)" % log)
    assert said(look(log, pattern="^WARN")) == (False, "%s: 0 lines match '^WARN', at least 1 expected (of 3 lines)" % log)
    assert said(look(log, pattern="^WARN", state="absent")) == (True, "")
    there = look(log, pattern="two$", state="absent")
    assert said(there) == (False, "%s: 1 lines match 'two$', none expected; the first: ERROR two" % log)


def test_only_what_was_written_since_the_position_counts_and_every_line_once(log):
    write(log, "ERROR before")
    since, counts = position(log), []
    for batch in (["ERROR a", "ERROR b"], [], ["ERROR c"]):
        write(log, *batch)
        seen = look(log, pattern="ERROR", since=since, minimum=1)
        counts.append(seen["value"])
        since = seen["position"]
    assert counts == [2, 0, 1]
    assert look(log, pattern="ERROR")["value"] == 4


def test_the_rest_of_a_rotated_log_counts_too(log):
    write(log, "ERROR before")
    since = position(log)
    write(log, "ERROR after")
    log.rename(str(log) + ".1")
    assert look(log, pattern="ERROR", since=since)["value"] == 1, "the new file is not there yet"
    write(log, "ERROR new")
    seen = look(log, pattern="ERROR", since=since)
    assert seen["matches"] == ["ERROR after", "ERROR new"]
    write(log, "ERROR newer")
    assert look(log, pattern="ERROR", since=seen["position"])["matches"] == ["ERROR newer"]


@pytest.mark.parametrize("rotate", ["removed", "truncated"])
def test_what_was_lost_in_a_rotation_is_neither_present_nor_absent(log, rotate):
    write(log, "ERROR before", "INFO and much more that makes the old one longer than the new one will be")
    since = position(log)
    if rotate == "removed":
        log.rename(str(log) + ".old")  # where it is not looked for; removed, its inode could be the new file's
    else:
        log.write_text("")
    write(log, "INFO new")
    for state in ("present", "absent"):
        seen = look(log, pattern="ERROR", since=since, state=state)
        assert seen["met"] is None and "not all of the log could be read: it was rotated" in said(seen)[1]
    assert look(log, pattern="INFO", since=since)["met"] is True
    assert look(log, pattern="INFO", since=since, state="absent")["met"] is False


def test_of_a_log_that_is_too_long_the_end_is_read_and_nothing_is_said_of_the_rest(log, monkeypatch):
    monkeypatch.setattr(probe_log, "MAXIMUM_BYTES", 100)
    write(log, "ERROR first", *["INFO"] * 50, "ERROR last")
    assert look(log, pattern="ERROR last")["met"] is True
    assert look(log, pattern="ERROR first")["met"] is None
    assert look(log, pattern="ERROR first", state="absent")["met"] is None
    assert look(log, tail=2)["tail"] == ["INFO", "ERROR last"]


def test_a_line_is_what_ends_with_a_line_feed(log):
    log.write_bytes("one\u2028still one\x0cand still\r\ntwo\r\nhalf".encode() + b"\xff")
    assert look(log, pattern="^one.*still$")["value"] == 1
    seen = look(log, pattern="^two$|^half")
    assert seen["value"] == 2 and seen["lines"] == 3
    assert look(log, tail=1)["tail"] == ["half\ufffd"]


def test_a_long_line_is_shown_in_part(log):
    write(log, "ERROR " + "x" * 10000)
    assert len(look(log, pattern="ERROR")["matches"][0]) < 600


def test_a_log_that_is_not_there_is_no_data(log, tmp_path):
    log.unlink()
    for options in ({}, {"pattern": "x"}, {"pattern": "x", "state": "absent"}):
        assert said(look(log, **options)) == (None, "no data: there is no log %s" % log)


def test_a_log_that_this_user_may_not_read_is_no_data():
    if USER != NOBODY:
        missing("root", "only root has a log that this user may not read")
    host = Host()
    hidden = host.home / "hidden.log"
    hidden.write_text("ERROR\n")
    hidden.chmod(0o600)
    result = host.run("probe_log", path=str(hidden), pattern="ERROR", state="absent")
    host.clean()
    assert result["observation"]["met"] is None and "Permission denied; use become" in result["msg"]


@pytest.mark.parametrize(("where", "since", "argv"), [
    ({"container": "api"}, None, "docker logs api"),
    ({"container": "api"}, "2030-01-31T12:00:00.500000+00:00", "docker logs --since 2030-01-31T12:00:00.500000+00:00 api"),
    ({"unit": "api.service"}, None, "journalctl --quiet --no-pager --output cat --unit api.service"),
    ({"unit": "api.service"}, "2030-01-31T12:00:00.500000+00:00",
     "journalctl --quiet --no-pager --output cat --unit api.service --since @1896091200.500000"),
])
def test_the_log_of_a_container_or_a_unit_is_asked_for_from_the_position_on(monkeypatch, where, since, argv):
    asked = []
    monkeypatch.setattr(probe_log, "ask", lambda words: asked.append(" ".join(words)) or Answer(0, "INFO out\n", "ERROR err\n"))
    source = "/".join(*where.items())
    options = {"since": {source: {"time": since}}} if since else {}
    seen = measured(probe_log, **where, **options, pattern="ERROR|INFO")
    assert asked == [argv] and seen["value"] == 2 and seen["source"] == source
    monkeypatch.setattr(probe_log, "ask", lambda words: Answer(1, "", "No such container: api"))
    unknown = measured(probe_log, **where, state="absent", pattern="ERROR")
    assert unknown["met"] is None and "No such container: api" in said(unknown)[1]
