"""The programs of fault_dns: the changed copy of the hosts file, and the name server's answers."""

from __future__ import annotations

import os
import pathlib
import socket
import struct
import sys
import threading
import time

import pytest
from ansible_collections.gameday.chaos.plugins.module_utils import name_server
from ansible_collections.gameday.chaos.plugins.module_utils.command import ask
from ansible_collections.gameday.chaos.plugins.modules import fault_dns  # noqa: F401 - it makes its programs known

from lab.local import free_ports


@pytest.mark.parametrize(("before", "after"), [
    ("", "192.0.2.1 db db.example.com\n"),
    ("127.0.0.1 localhost # as ever\n", "192.0.2.1 db db.example.com\n127.0.0.1 localhost # as ever\n"),
    ("10.0.0.1 a db\tb # one\n10.0.0.2 DB\n10.0.0.3 dbx xdb\n#10.0.0.4 db\nno end",
     "192.0.2.1 db db.example.com\n10.0.0.1 a b\n10.0.0.3 dbx xdb\n#10.0.0.4 db\nno end\n"),
    ("10.0.0.1 db db.example.com db\n::1 db.example.com.\n", "192.0.2.1 db db.example.com\n::1 db.example.com.\n"),
])
def test_a_name_has_one_meaning_in_the_changed_copy(before, after, tmp_path):
    path = tmp_path / "hosts"
    path.write_text(before)
    path.chmod(0o644)
    assert ask(["lead_names", str(path), "192.0.2.1", "db", "db.example.com"]).code == 0
    assert path.read_text() == after and path.stat().st_mode & 0o777 == 0o644


@pytest.fixture
def free_port():
    return str(free_ports(1)[0])


@pytest.fixture
def served(tmp_path, free_port):
    """A name server on loopback that denies db.example.com; no real one is behind it. Its port."""
    load, program = str(tmp_path / "load"), str(tmp_path / "name_server")
    assert ask(["name_server", "keep", program]).code == 0
    answer = ask(["start_load", load, "--", sys.executable, "-I", "-S", program, "serve", free_port, str(os.getgid()), "30", "127.0.0.99", "db.example.com"])
    assert answer.code == 0, answer
    yield int(free_port)
    ask(["end_load", load])
    assert ask(["load_state", load]).out == "ended"


def by_tcp(port, message):
    with socket.create_connection(("127.0.0.1", port), 2) as sock:
        sock.sendall(struct.pack("!H", len(message)) + message)
        return name_server.message_of(sock)


def test_it_denies_its_names_and_no_others_by_udp_and_tcp(served):
    assert ask(["name_server", "ask", "127.0.0.1", str(served), "db.example.com"]).code == 0
    assert name_server.heard("127.0.0.1", served, "DB.Example.com", 2) == name_server.NO_SUCH_NAME
    question = name_server.question("db.example.com")
    denied = by_tcp(served, question)
    assert denied[:2] == question[:2] and denied[3] & 15 == name_server.NO_SUCH_NAME and denied[12:] == question[12:]
    with pytest.raises(TimeoutError):  # nobody is behind it to ask
        name_server.heard("127.0.0.1", served, "www.db.example.com", 0.5)


def test_it_survives_nonsense(served):
    assert ask(["name_server", "ask", "127.0.0.1", str(served), "db.example.com"]).code == 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for nonsense in (b"", b"x", b"\xff" * 13, b"\0" * 12 + b"\x3f"):
            sock.sendto(nonsense, ("127.0.0.1", served))
    assert name_server.heard("127.0.0.1", served, "db.example.com", 2) == name_server.NO_SUCH_NAME


def test_it_denies_on_a_host_that_has_no_room_for_a_thread(monkeypatch):
    """A mock, for this machine is not to run out of processes."""
    [port] = free_ports(1)
    server = name_server.Server(port, 5, [], ["db"])
    begin = threading.Thread.start

    def start(thread):
        if thread._target.__name__ == "reply":
            raise RuntimeError("can't start new thread")
        begin(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    threading.Thread(target=server.serve, daemon=True).start()
    name_server.ask("127.0.0.1", port, "db")
    assert name_server.heard("127.0.0.1", port, "db", 1) == name_server.NO_SUCH_NAME
    for _again in range(2):
        with pytest.raises(OSError, match="ended|reset"):
            by_tcp(port, name_server.question("db"))


def test_it_lies_only_as_long_as_it_was_told():
    server = name_server.Server(0, 0.1, [], ["db"])
    assert server.answer(name_server.question("db"), socket.SOCK_DGRAM)[3] & 15 == name_server.NO_SUCH_NAME
    time.sleep(0.15)
    assert server.answer(name_server.question("db"), socket.SOCK_DGRAM) is None


def test_it_asks_the_real_ones_from_a_port_that_the_kernel_gives_nobody():
    lowest = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    for family in (socket.AF_INET, socket.AF_INET6):
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            name_server.from_aside(sock)
            assert 1024 <= sock.getsockname()[1] < lowest


def test_who_does_not_deny_is_found_out(free_port):
    before, name_server.WITHIN = name_server.WITHIN, 0.3
    try:
        with pytest.raises(SystemExit, match="does not deny db.example.com .Connection refused."):
            name_server.ask("127.0.0.1", int(free_port), "db.example.com")
    finally:
        name_server.WITHIN = before
