"""The probe of names against name servers that answer as real ones do, or do not; and against the system's own resolver."""

from __future__ import annotations

import socket
import socketserver
import struct
import threading
import time

import pytest
from ansible_collections.gameday.chaos.plugins.module_utils import name_server, probe_dns
from ansible_collections.gameday.chaos.plugins.module_utils.probe import BadArgument

from lab.local import free_ports
from lab.probing import arguments_of, measured, said

LOST = {}  # names of which the first question gets lost


def record(kind, data, owner=b"\xc0\x0c"):
    return owner + struct.pack("!HHIH", kind, 1, 60, len(data)) + data


def address(text):
    return record(1, socket.inet_aton(text))


def records_for(name, kind):
    """(code, records) of what this server knows."""
    if name == "six.example.com" and kind == 28:
        return 0, [record(28, socket.inet_pton(socket.AF_INET6, "2001:db8::7"))]
    if kind == 28:
        return (0, []) if name == "db.example.com" else (3, [])
    if name == "long.example.com":
        return 0, [address("10.0.%s.%s" % divmod(number, 256)) for number in range(60)]
    if name == "alias.example.com":  # to db.example.com, whose own record follows, its name written as a pointer into the question
        return 0, [record(5, b"\x02db\xc0\x12"), record(1, socket.inet_aton("10.1.0.5"), b"\x02db\xc0\x12")]
    return {
        "db.example.com": (0, [address("10.1.0.5")]), "two.example.com": (0, [address("10.1.0.5"), address("10.2.0.5")]),
        "lost.example.com": (0, [address("10.1.0.5")]), "xn--grn-ioa.example.com": (0, [address("10.1.0.9")]),
        "trouble.example.com": (2, []), "refused.example.com": (5, []), "empty.example.com": (0, []),
    }.get(name, (3, []))


def answer(message, by_udp):
    name, end = name_server.name_in(message)
    if name == "silent.example.com" or (name == "lost.example.com" and not LOST.setdefault(name, [])):
        LOST.setdefault(name, []).append(time.monotonic())
        return None
    if name == "garbage.example.com":
        return message[:2] + b"\x81\x80" + b"\0\1\0\1\0\0\0\0" + message[12:end] + b"\xc0"
    code, records = records_for(name, struct.unpack("!H", message[end - 4:end - 2])[0])
    cut = by_udp and len(records) > 20
    flags = 0x8180 | code | (0x0200 if cut else 0)
    header = message[:2] + struct.pack("!HHHHH", flags, 1, 0 if cut else len(records), 0, 0)
    return header + message[12:end] + b"".join([] if cut else records)


class ByUdp(socketserver.BaseRequestHandler):
    def handle(self):
        message, sock = self.request
        stranger = bytes([message[0] ^ 1]) + message[1:2] + b"\x81\x83" + message[4:]  # an answer to another question, which says that there is no such name
        sock.sendto(stranger, self.client_address)
        said = answer(message, True)
        if said:
            sock.sendto(said, self.client_address)


class ByTcp(socketserver.BaseRequestHandler):
    def handle(self):
        said = answer(name_server.message_of(self.request), False)
        self.request.sendall(struct.pack("!H", len(said)) + said)


@pytest.fixture(scope="module")
def server():
    """The port of a name server, by UDP and TCP."""
    with socketserver.ThreadingUDPServer(("127.0.0.1", free_ports(1)[0]), ByUdp) as by_udp:
        socketserver.ThreadingTCPServer.allow_reuse_address = True
        with socketserver.ThreadingTCPServer(by_udp.server_address, ByTcp) as by_tcp:
            for one in (by_udp, by_tcp):
                threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
            yield by_udp.server_address[1]
            by_udp.shutdown()
            by_tcp.shutdown()


ANSWERS = [
    ({"name": "db.example.com"}, True, ""),
    ({"name": "DB.example.com."}, True, ""),
    ({"name": "db.example.com", "addresses": ["10.1.0.0/24"]}, True, ""),
    ({"name": "db.example.com", "addresses": ["10.1.0.6", "10.2.0.0/16"]}, False, "db.example.com resolves to 10.1.0.5, expected 10.1.0.6 or 10.2.0.0/16"),
    ({"name": "two.example.com", "addresses": ["10.1.0.5"]}, False, "resolves to 10.2.0.5, expected 10.1.0.5"),
    ({"name": "two.example.com", "minimum": 2}, True, ""),
    ({"name": "db.example.com", "minimum": 2}, False, "db.example.com has 1 addresses (10.1.0.5), at least 2 expected"),
    ({"name": "alias.example.com", "addresses": ["10.1.0.5"]}, True, ""),
    ({"name": "grün.example.com", "addresses": ["10.1.0.9"]}, True, ""),
    ({"name": "long.example.com", "minimum": 60}, True, ""),
    ({"name": "six.example.com", "type": "AAAA", "addresses": ["2001:db8::/32"]}, True, ""),
    ({"name": "db.example.com", "type": "AAAA"}, False, "db.example.com AAAA: no address (there is no record of this type), expected resolved"),
    ({"name": "db.example.com", "type": "AAAA", "state": "no_address"}, True, ""),
    ({"name": "gone.example.com"}, False, "gone.example.com A: no such name (NXDOMAIN), expected resolved"),
    ({"name": "gone.example.com", "state": "no_such_name"}, True, ""),
    ({"name": "db.example.com", "state": "no_such_name"}, False, "db.example.com A: resolved as 10.1.0.5, expected no such name"),
    ({"name": "trouble.example.com"}, False, "failed (SERVFAIL), expected resolved"),
    ({"name": "refused.example.com", "state": ["failed", "no_answer"]}, True, ""),
    ({"name": "garbage.example.com"}, False, "failed (the answer cannot be read)"),
    ({"name": "silent.example.com", "timeout": 0.2}, False, "no answer (no answer within timeout 0.2 s), expected resolved"),
    ({"name": "silent.example.com", "timeout": 0.2, "state": ["failed", "no_answer"]}, True, ""),
    ({"name": "lost.example.com", "max_seconds": 0.5}, False, "more than max_seconds 0.5"),  # it is asked for again after a second
]


@pytest.mark.parametrize(("options", "met", "reason"), ANSWERS, ids=[" ".join(map(str, row[0].values())) for row in ANSWERS])
def test_a_name_servers_answer_is_judged(server, options, met, reason):
    LOST.clear()
    observation = measured(probe_dns, server="127.0.0.1", port=server, **options)
    assert observation["met"] is met and reason in said(observation)[1], observation
    assert observation["seconds"] < 2.9


def test_nothing_that_listens_is_no_answer():
    [port] = free_ports(1)
    observation = measured(probe_dns, server="127.0.0.1", port=port, name="db.example.com")
    assert said(observation) == (False, "db.example.com A: no answer (Connection refused), expected resolved") and observation["seconds"] < 1


def test_the_name_server_of_fault_dns_denies_what_it_should():
    [port] = free_ports(1)
    threading.Thread(target=name_server.Server(port, 5, [], ["db.example.com"]).serve, daemon=True).start()
    name_server.ask("127.0.0.1", port, "db.example.com")  # until it is there
    assert measured(probe_dns, server="127.0.0.1", port=port, name="db.example.com", state="no_such_name")["met"] is True


def test_the_systems_resolver_knows_what_programs_know():
    known = measured(probe_dns, name="localhost", addresses=["127.0.0.0/8"], max_seconds=2)
    assert known["met"] is True and known["addresses"] == ["127.0.0.1"] and known["server"] == "the system's resolver"
    assert measured(probe_dns, name="localhost", state="no_such_name")["met"] is False


def test_a_resolver_that_does_not_come_back_is_not_waited_for(monkeypatch):
    # Real resolvers that hang need a name server to be cut off, which integration tests do; how long they hang is not ours to say.
    release = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *words: release.wait(5) and [])
    hung = measured(probe_dns, name="db.example.com", timeout=0.05)
    assert said(hung)[1] == "db.example.com A: no answer (no answer within timeout 0.05 s), expected resolved"
    for _number in range(63):
        probe_dns.LINGERING.acquire(blocking=False)
    full = measured(probe_dns, name="db.example.com", timeout=0.05, state="no_answer")
    assert full["met"] is None and "has not come back from 64 earlier questions" in said(full)[1]
    release.set()
    for _number in range(63):
        probe_dns.LINGERING.release()


CODES = [(socket.EAI_NONAME, "no_such_name"), (socket.EAI_NODATA, "no_address"), (socket.EAI_AGAIN, "failed"), (socket.EAI_FAIL, "failed")]


@pytest.mark.parametrize(("code", "value"), CODES, ids=[value + str(code) for code, value in CODES])
def test_the_codes_of_the_c_library_are_told_apart(monkeypatch, code, value):
    def fail(*words):
        raise socket.gaierror(code, "words of the library")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    observation = measured(probe_dns, name="db.example.com")
    assert observation["value"] == value and "words of the library" in said(observation)[1]


@pytest.mark.parametrize(("options", "words"), [
    ({"name": "two..dots"}, "name: 'two..dots' is no host name"),
    ({"name": "-x"}, "name: '-x' is no host name"),
    ({"name": "db", "server": "ns.example.com"}, "server: 'ns.example.com' is no address; give an address, not a name"),
    ({"name": "db", "addresses": ["10.1.0.0/33"]}, "addresses: '10.1.0.0/33' is no address"),
    ({"name": "db", "addresses": ["10.1.0.1"], "state": "no_such_name"}, "addresses: have no meaning with state: no_such_name"),
    ({"name": "db", "port": 0}, "port: 0 is not between"),
    ({"name": "db", "timeout": 0}, "timeout: 0.0 must be more than 0"),
    ({"name": "db", "minimum": 0}, "minimum: 0 is less than 1; for a name that has no address use state"),
    ({"name": "db", "state": []}, "state: the list is empty"),
])
def test_bad_options_are_refused(options, words):
    with pytest.raises(BadArgument) as refusal:
        arguments_of(probe_dns, **options)
    assert words in str(refusal.value)
