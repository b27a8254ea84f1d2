# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The addresses of a name, as a given name server tells them, or as programs on this host get them."""

from __future__ import annotations

import ipaddress
import queue
import random
import re
import socket
import struct
import threading
import time

from ansible_collections.gameday.chaos.plugins.module_utils import name_server
from ansible_collections.gameday.chaos.plugins.module_utils.probe import BadArgument, NoData, positive

TYPES = {"A": (1, socket.AF_INET, 4), "AAAA": (28, socket.AF_INET6, 16)}
CODES = {1: "FORMERR", 2: "SERVFAIL", 4: "NOTIMP", 5: "REFUSED"}
AGAIN = 1.0  # seconds after which a question that may have been lost is asked once more
LINGERING = threading.BoundedSemaphore(64)  # questions to the system's resolver that it is still at work on, long after we have given up
OPTIONS = {
    "name": {"type": "str", "required": True},
    "type": {"type": "str", "choices": ["A", "AAAA"], "default": "A"},
    "server": {"type": "str"},
    "port": {"type": "int", "default": 53},
    "timeout": {"type": "float", "default": 3.0},
    "state": {"type": "list", "elements": "str", "choices": ["resolved", "no_such_name", "no_address", "failed", "no_answer"], "default": ["resolved"]},
    "addresses": {"type": "list", "elements": "str", "default": []},
    "minimum": {"type": "int", "default": 1},
    "max_seconds": {"type": "float"},
}


def validate(arguments):
    name = in_ascii(arguments["name"])
    if len(name) > 253 or not all(re.fullmatch(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?", label) for label in name.split(".")):
        raise BadArgument("name: %r is no host name" % arguments["name"])
    positive(arguments, "timeout", "max_seconds")
    if not 1 <= arguments["port"] <= 65535:
        raise BadArgument("port: %s is not between 1 and 65535" % arguments["port"])
    if arguments["server"] is not None:
        address_of("server", arguments["server"], ipaddress.ip_address, "an address, not a name")
    for network in arguments["addresses"]:
        address_of("addresses", network, ipaddress.ip_network, "an address or a network such as 10.1.0.0/16")
    if not arguments["state"]:
        raise BadArgument("state: the list is empty; give what is expected, or leave it out for resolved")
    if arguments["addresses"] and "resolved" not in arguments["state"]:
        raise BadArgument("addresses: have no meaning with state: %s" % ", ".join(arguments["state"]))
    if arguments["minimum"] < 1:
        raise BadArgument("minimum: %s is less than 1; for a name that has no address use state: no_such_name or no_address" % arguments["minimum"])


def address_of(option, text, read, wanted):
    try:
        return read(text)
    except ValueError:
        raise BadArgument("%s: %r is no address; give %s" % (option, text, wanted)) from None


def in_ascii(name):
    try:
        return name.rstrip(".").encode("idna").decode("ascii")
    except UnicodeError:
        return "?"


def measure(arguments):
    """value is resolved, no_such_name, no_address (there is the name, but no address of this type), failed or no_answer; error says why."""
    start = time.monotonic()
    ask = ask_server if arguments["server"] else ask_system
    value, addresses, error = ask(arguments)
    return {"value": value, "addresses": sorted(set(addresses)), "error": error, "server": arguments["server"] or "the system's resolver",
            "seconds": time.monotonic() - start}


def judge(arguments, seen):
    if seen["value"] not in arguments["state"]:
        found = seen["value"].replace("_", " ")
        found += " as %s" % ", ".join(seen["addresses"]) if seen["addresses"] else " (%s)" % seen["error"] if seen["error"] else ""
        return ["%s %s: %s, expected %s" % (arguments["name"], arguments["type"], found, " or ".join(arguments["state"]).replace("_", " "))]
    if seen["value"] != "resolved":
        return []
    reasons = []
    networks = [ipaddress.ip_network(network) for network in arguments["addresses"]]
    wrong = [address for address in seen["addresses"] if networks and not any(ipaddress.ip_address(address) in network for network in networks)]
    if wrong:
        reasons.append("%s resolves to %s, expected %s" % (arguments["name"], ", ".join(wrong), " or ".join(arguments["addresses"])))
    if len(seen["addresses"]) < arguments["minimum"]:
        reasons.append("%s has %s addresses (%s), at least %s expected"
                       % (arguments["name"], len(seen["addresses"]), ", ".join(seen["addresses"]), arguments["minimum"]))
    return reasons


# By the system's resolver: with /etc/hosts and whatever else programs get their addresses from


def ask_system(arguments):
    """It cannot be told how long it may take, so it is asked beside us."""
    if not LINGERING.acquire(blocking=False):
        raise NoData("the system's resolver has not come back from 64 earlier questions")
    answers = queue.Queue()
    threading.Thread(target=look_up, args=(arguments, answers), daemon=True).start()
    try:
        return answers.get(timeout=arguments["timeout"])
    except queue.Empty:
        return "no_answer", [], "no answer within timeout %s s" % arguments["timeout"]


def look_up(arguments, answers):
    # The codes that mean: the name, but no address of this family. Not every C library has all of them.
    none = {getattr(socket, name) for name in ("EAI_NODATA", "EAI_ADDRFAMILY") if hasattr(socket, name)}
    try:
        found = socket.getaddrinfo(arguments["name"], None, TYPES[arguments["type"]][1], socket.SOCK_STREAM)
        answers.put(("resolved", [row[4][0].partition("%")[0] for row in found], None))
    except socket.gaierror as problem:
        value = "no_such_name" if problem.errno == socket.EAI_NONAME else "no_address" if problem.errno in none else "failed"
        answers.put((value, [], problem.strerror))
    except (OSError, UnicodeError) as problem:
        answers.put(("failed", [], str(problem)))
    finally:
        LINGERING.release()


# By a server of one's choice, in DNS' own words


def ask_server(arguments):
    deadline = time.monotonic() + arguments["timeout"]
    number, dummy, size = TYPES[arguments["type"]]
    question = name_server.question(in_ascii(arguments["name"]), number, random.randrange(65536))
    server = (arguments["server"], arguments["port"])
    try:
        answer = by_udp(server, question, deadline)
        if answer[2] & 2:  # cut off, for it was too long for a packet
            answer = by_tcp(server, question, deadline)
        return meaning(answer, number, size)
    except socket.timeout:
        return "no_answer", [], "no answer within timeout %s s" % arguments["timeout"]
    except OSError as problem:
        return "no_answer", [], problem.strerror or str(problem)
    except (IndexError, struct.error):
        return "failed", [], "the answer cannot be read"


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def left(deadline, limit=None):
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise socket.timeout()
    return seconds if limit is None else min(seconds, limit)


def by_udp(server, question, deadline):
    with socket.socket(family_of(server[0]), socket.SOCK_DGRAM) as sock:
        sock.connect(server)
        while True:
            sock.settimeout(left(deadline, AGAIN))
            sock.send(question)
            again = time.monotonic() + AGAIN
            try:
                while True:
                    answer = sock.recv(65535)
                    if answers(question, answer):
                        return answer
                    sock.settimeout(left(min(deadline, again)))
            except socket.timeout:
                left(deadline)


def by_tcp(server, question, deadline):
    with socket.create_connection(server, left(deadline)) as sock:
        sock.settimeout(left(deadline))
        sock.sendall(struct.pack("!H", len(question)) + question)
        answer = name_server.message_of(sock)
    if not answers(question, answer):
        raise struct.error()
    return answer


def answers(question, answer):
    """Whether this is the answer to that, and no late one to another."""
    return len(answer) >= 12 and answer[:2] == question[:2] and bool(answer[2] & 0x80)


def meaning(answer, number, size):
    code, count = answer[3] & 15, struct.unpack("!H", answer[6:8])[0]
    if code == name_server.NO_SUCH_NAME:
        return "no_such_name", [], "NXDOMAIN"
    if code:
        return "failed", [], CODES.get(code, "code %s" % code)
    at, found = name_server.name_in(answer)[1] if struct.unpack("!H", answer[4:6])[0] else 12, []
    for _record in range(count):
        at = after_name(answer, at)
        kind, dummy, dummy, length = struct.unpack("!HHIH", answer[at:at + 10])
        data = answer[at + 10:at + 10 + length]
        if len(data) < length:
            raise IndexError()
        if kind == number and length == size:
            found.append(str(ipaddress.ip_address(data)))
        at += 10 + length
    return ("resolved", found, None) if found else ("no_address", [], "there is no record of this type")


def after_name(answer, at):
    while answer[at]:
        if answer[at] >= 0xc0:  # the rest stands elsewhere
            return at + 2
        at += 1 + answer[at]
    return at + 1
