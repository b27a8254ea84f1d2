# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
A name server that denies some names and passes everything else on to the real ones. Also a program of its own, for it must live in a container's
network: it is read by Python from the command line, and so imports nothing of ours.

    name_server keep FILE                           writes this program there, for what runs longer should be short in a list of processes
    name_server serve PORT GROUP SECONDS SERVERS NAME...    on loopback; lies for so long, then tells the truth, then ends
    name_server ask ADDRESS PORT NAME                       ends well as soon as the answer is that there is no such name
    name_server silent ADDRESS                              ends well when nothing answers
"""

from __future__ import annotations

import os
import random
import socket
import struct
import sys
import threading
import time

NO_SUCH_NAME = 3
PATIENCE = 2.5  # seconds for a real server's answer, less than any resolver's own
AFTERWARDS = 30  # seconds of truth, as long as the kernel still leads known clients to us
WITHIN = 5  # seconds that we may need to be there


def source():
    """This file as text, wherever it was imported from."""
    return __loader__.get_source(__name__)


def name_in(message):
    """The name that is asked for, in lower case, and where the question ends; compressed names are none of a question's."""
    labels, at = [], 12
    while message[at]:
        labels.append(message[at + 1:at + 1 + message[at]])
        at += 1 + message[at]
    return b".".join(labels).lower().decode("ascii", "replace"), at + 5


def denial(message):
    """No such name. Without an authority's record, so that nobody remembers it."""
    identity, flags = struct.unpack("!HH", message[:4])
    return struct.pack("!HHHHHH", identity, 0x8080 | flags & 0x0100 | NO_SUCH_NAME, 1, 0, 0, 0) + message[12:name_in(message)[1]]


def question(name, kind=1, identity=None):
    """A question for addresses of this kind (1: IPv4, 28: IPv6)."""
    labels = b"".join(bytes([len(label)]) + label for label in name.encode("ascii").split(b"."))
    identity = os.getpid() & 0xffff if identity is None else identity
    return struct.pack("!HHHHHH", identity, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", kind, 1)


def received(sock, count):
    data = b""
    while len(data) < count:
        more = sock.recv(count - len(data))
        if not more:
            raise OSError("the connection was ended")
        data += more
    return data


def message_of(sock):
    return received(sock, struct.unpack("!H", received(sock, 2))[0])


def from_aside(sock):
    """From a port below those that the kernel hands out: who is given ours a moment later would be led where we were, past the fault."""
    with open("/proc/sys/net/ipv4/ip_local_port_range") as source:
        lowest = int(source.read().split()[0])
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    for _attempt in range(8 if lowest > 4096 else 0):
        try:
            return sock.bind(("", random.randrange(max(1024, lowest - 20000), lowest)))
        except OSError:
            continue


def asked(server, message, kind):
    """The answer of a real server, by UDP or TCP."""
    try:
        return asked_from(from_aside, server, message, kind)
    except OSError:  # a packet filter on the way may know only the usual ports
        return asked_from(lambda sock: None, server, message, kind)


def asked_from(port, server, message, kind):
    with socket.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, kind) as sock:
        port(sock)
        sock.settimeout(PATIENCE / 2)
        sock.connect((server, 53))
        if kind == socket.SOCK_DGRAM:
            sock.send(message)
            return sock.recv(65535)
        sock.sendall(struct.pack("!H", len(message)) + message)
        return message_of(sock)


def begun(work, *arguments):
    """Whether there was room for a thread that does it: a host under chaos may be out of processes, and must have its names all the same."""
    try:
        threading.Thread(target=work, args=arguments, daemon=True).start()
    except RuntimeError:
        return False
    return True


class Server:
    def __init__(self, port, seconds, servers, names):
        self.port, self.servers, self.names = port, servers, set(names)
        self.until = time.monotonic() + seconds

    def answer(self, message, kind):
        """What to say, or None for silence."""
        try:
            if time.monotonic() < self.until and name_in(message)[0] in self.names:
                return denial(message)
        except (IndexError, struct.error):
            return None
        for server in self.servers:
            try:
                return asked(server, message, kind)
            except OSError:
                continue
        return None

    def datagrams(self, sock):
        def reply(message, client):
            said = self.answer(message, socket.SOCK_DGRAM)
            try:
                if said:
                    sock.sendto(said, client)
            except OSError:
                pass

        while True:
            asker = sock.recvfrom(65535)
            if not begun(reply, *asker):
                reply(*asker)

    def connections(self, sock):
        def reply(client):
            try:
                with client:
                    client.settimeout(AFTERWARDS)
                    while True:
                        said = self.answer(message_of(client), socket.SOCK_STREAM)
                        if not said:
                            return
                        client.sendall(struct.pack("!H", len(said)) + said)
            except OSError:
                pass

        while True:
            try:
                client = sock.accept()[0]
            except OSError:  # no descriptors left
                time.sleep(0.1)
                continue
            if not begun(reply, client):
                client.close()

    def serve(self):
        for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            for kind, work in ((socket.SOCK_DGRAM, self.datagrams), (socket.SOCK_STREAM, self.connections)):
                try:
                    sock = socket.socket(family, kind)
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    sock.bind((address, self.port))
                except OSError:
                    if family == socket.AF_INET:
                        raise
                    continue  # a host without IPv6
                if kind == socket.SOCK_STREAM:
                    sock.listen(64)
                threading.Thread(target=work, args=(sock,), daemon=True).start()
        time.sleep(max(self.until - time.monotonic(), 0) + AFTERWARDS)


def heard(address, port, name, seconds):
    """The code of the answer."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(seconds)
        sock.connect((address, port))
        sock.send(question(name))
        return sock.recv(512)[3] & 15


def answers(address):
    try:
        heard(address, 53, "localhost", 1)
    except OSError:
        return False
    return True


def ask(address, port, name):
    limit, said = time.monotonic() + WITHIN, None
    while time.monotonic() < limit:
        try:
            code = heard(address, port, name, 1)
            if code == NO_SUCH_NAME:
                return
            said = "answer code %s" % code
        except OSError as error:
            said = error.strerror or "no answer"
        time.sleep(0.05)
    raise SystemExit("%s port %s does not deny %s (%s)" % (address, port, name, said))


def keep(path):
    with open("/proc/self/cmdline", "rb") as source:
        words = source.read().split(b"\0")
    with open(path, "wb") as target:
        target.write(words[words.index(b"-c") + 1])


def main(action, *words):
    if action == "keep":
        keep(words[0])
    elif action == "serve":
        os.setresgid(*[int(words[1])] * 3)  # by which the kernel tells our questions from those of others
        Server(int(words[0]), float(words[2]), words[3].split(","), words[4:]).serve()
    elif action == "ask":
        ask(words[0], int(words[1]), words[2])
    elif answers(words[0]):
        raise SystemExit("the name server %s still answers" % words[0])


if __name__ == "__main__":
    main(*sys.argv[1:])
