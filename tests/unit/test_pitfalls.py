"""The page of pitfalls names tests that there are; and the pitfalls that no other test shows."""

from __future__ import annotations

import ast
import os
import pathlib
import re
import subprocess
import time

from ansible_collections.gameday.chaos.plugins.module_utils import connection, ledger, name_server, process, root, timer, way_back
from ansible_collections.gameday.chaos.plugins.module_utils.command import ask
from ansible_collections.gameday.chaos.plugins.module_utils.recovery import recover
from file_fault import inject
from real_module import Host

from lab.local import begun, free_ports

ROOT = pathlib.Path(__file__).parents[2]
PAGE = (ROOT / "docs/pitfalls.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (\d+) \| (.+) \| (.+) \| (.+) \|$", PAGE, re.MULTILINE)


def test_all_sixty_are_told():
    assert [int(number) for number, *_words in ROWS] == list(range(1, 61))


def test_every_test_that_the_page_names_is_there():
    known = {}
    for number, _what, _here, shown in ROWS:
        names = re.findall(r"`([^`]+)`", shown)
        assert names or shown in ("does not apply", "only documented"), number
        for path, name in (one.split("::") for one in names):
            if path not in known:
                nodes = ast.walk(ast.parse((ROOT / "tests" / path).read_text(encoding="utf-8")))
                known[path] = {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
            assert name in known[path], f"{number}: {path} has no {name}"


def test_a_step_that_fails_keeps_no_other_from_running(tmp_path):
    root, thing = tmp_path / "ledger", tmp_path / "thing"
    inject(root, thing, revert=[["no-such-program"], ["false"], ["rm", "-f", str(thing)], ["false"]])
    assert thing.exists()
    assert recover(ledger.Ledger(str(root)), run="run-1")[1]["restored"] and not thing.exists()


def test_an_ordinary_user_is_told_that_faults_of_root_are_out_of_sight(monkeypatch):
    host = Host()
    try:
        monkeypatch.setattr(root, "ROOTS", str(host.home / "roots"))
        assert not host.run("recover", all=True).get("warnings")
        (host.home / "roots").mkdir(mode=0o700)
        told = host.run("recover", all=True)
        assert "use become" in str(told["warnings"]) and told["recovery"]["restored"]
    finally:
        host.clean()


def test_no_deadline_is_on_the_wall_clock():
    """In all three places: the way back reads the uptime and asks no clock, and systemd counts seconds from now."""
    assert "/proc/uptime" in way_back.SCRIPT and not re.search(r"\bdate\b|EPOCH", way_back.SCRIPT)
    words = timer.units({"id": "x", "ends_uptime": timer.clock.uptime() + 500}, "/no/such")["gameday-x.timer"]
    assert float(words[words.index("--on-active") + 1].rstrip("s")) <= 5 and "--on-calendar" not in words and "AccuracySec=100ms" in words


def test_a_process_that_got_the_pid_of_another_is_left_alone():
    with begun("sleep", "700.42") as running:
        start = process.look_at(running.pid).start
        assert ask(["signal_processes", "KILL", str(running.pid), str(start - 1)]).code == 0
        assert ask(["process_states", str(running.pid), str(start - 1)]).out == "stopped=0 running=0 gone=1"
        assert ask(["process_states", str(running.pid), str(start)]).out == "stopped=0 running=1 gone=0"
        running.kill()


def test_the_controllers_next_connection_is_spared_too(monkeypatch):
    monkeypatch.setenv("SSH_CONNECTION", "2001:db8::7 51515 2001:db8::1 2222")
    assert ("2001:db8::7", 2222) in connection.controllers()
    assert not any(port == 51515 for _address, port in connection.controllers())


def test_ending_a_load_ends_no_other_of_the_same_name(tmp_path):
    files = [str(tmp_path / name) for name in ("ours", "theirs")]
    for file in files:
        assert ask(["start_load", file, "--", "sleep", "700.43"]).code == 0
    assert ask(["end_load", files[0]]).code == 0
    assert ask(["load_state", files[0]]).out == "ended"
    assert ask(["load_state", files[1]]).out.startswith("running: 1 processes")
    assert ask(["end_load", files[1]]).code == 0


def test_what_listens_listens_on_loopback(tmp_path):
    """Of all sources only one has a socket that is bound to wait for others; it is looked at while it runs."""
    plugins = ROOT / "collections/ansible_collections/gameday/chaos/plugins"
    listening = [path.name for path in sorted(plugins.rglob("*.py")) if re.search(r"\.listen\(|create_server\(|HTTPServer\(", path.read_text())]
    assert listening == ["name_server.py"]
    program = tmp_path / "name_server.py"
    program.write_bytes(name_server.source())
    [port] = free_ports(1)
    with subprocess.Popen(["python3", "-I", "-S", str(program), "serve", str(port), str(os.getegid()), "30", "127.0.0.1", "x.invalid"]) as server:
        try:
            limit = time.monotonic() + 10
            while not (found := addresses_of(port)) and time.monotonic() < limit:
                time.sleep(0.05)
            assert found and found <= {"0100007F", "00000000000000000000000001000000"}, found
        finally:
            server.kill()


def addresses_of(port):
    found = set()
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in pathlib.Path("/proc/net", table).read_text().splitlines()[1:]:
            address, _colon, number = line.split()[1].rpartition(":")
            found.update([address] if int(number, 16) == port else [])
    return found
