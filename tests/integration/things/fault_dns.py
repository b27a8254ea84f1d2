from __future__ import annotations

import time

# A name server to whom every name is 198.51.100.53, by UDP and TCP.
NAME_SERVER = """
import socket, struct, threading

def answer(question):
    at = 12
    while question[at]:
        at += 1 + question[at]
    address = struct.unpack("!H", question[at + 1:at + 3])[0] == 1
    record = struct.pack("!HHHIH4s", 0xc00c, 1, 1, 1, 4, bytes([198, 51, 100, 53])) if address else b""
    return question[:2] + struct.pack("!HHHHH", 0x8180, 1, address, 0, 0) + question[12:at + 5] + record

def by_tcp():
    listener = socket.create_server(("ADDRESS", 53))
    while True:
        client = listener.accept()[0]
        said = answer(client.recv(struct.unpack("!H", client.recv(2))[0]))
        client.sendall(struct.pack("!H", len(said)) + said)
        client.close()

threading.Thread(target=by_tcp, daemon=True).start()
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("ADDRESS", 53))
while True:
    question, client = sock.recvfrom(512)
    sock.sendto(answer(question), client)
"""
REAL, WRONG = "198.51.100.53", "192.0.2.1"
NAME = "db.example.com"


def options(action):
    more = {"unreachable": {}, "no_such_name": {"names": [NAME]}, "wrong_address": {"names": [NAME], "address": WRONG}}[action]
    return {"action": action, **more}


def meaning(answer):
    """What getent said."""
    return answer.split()[0] if answer.split() else "nothing"


class Names:
    """A host whose name server is another host."""

    module, claim, whole = "gameday.chaos.fault_dns", "dns/host", REAL
    place = "netns_hosts"

    def __init__(self, request, action):
        self.hosts = request.getfixturevalue("netns_hosts")
        self.inventory, self.limit = self.hosts, ["--limit", "n1"]
        self.options, self.broken = options(action), WRONG if action == "wrong_address" else "nothing"
        self.words = {"unreachable": "table inet gameday_", "no_such_name": "name_server ask", "wrong_address": "mount -n --bind"}[action]
        serve(request, self.hosts)

    def look(self):
        return meaning(self.hosts.run("n1", "timeout 3 getent ahosts " + NAME, check=False).stdout)


def serve(request, hosts):
    """n2 answers names, and n1 asks it; until the test ends."""
    server = hosts.addresses["n2"]
    hosts.run("n2", "sh", "-c", 'setsid -f python3 -c "$1" >/dev/null 2>&1; until ss -lun | grep -q :53; do sleep 0.05; done', "sh",
              NAME_SERVER.replace("ADDRESS", server))
    hosts.run("n1", f"mv /etc/resolv.conf /etc/resolv.conf.kept; printf 'search example.com\\nnameserver {server}\\n' >/etc/resolv.conf")
    request.addfinalizer(lambda: hosts.run("n1", "mv /etc/resolv.conf.kept /etc/resolv.conf"))
    request.addfinalizer(lambda: hosts.run("n2", "pkill -f '[1]98, 51'"))


class NamesOfContainer:
    """A container with a read-only root whose name server, behind Docker's own, runs in its network."""

    module, whole = "gameday.chaos.fault_dns", REAL

    def __init__(self, request, action):
        self.inventory, self.limit = None, []
        self.container = containers_with_names(request)
        self.options, self.broken = {"container": self.container.name, **options(action)}, WRONG if action == "wrong_address" else "nothing"
        self.claim = "dns/container/" + self.container.name
        self.words = {"unreachable": "name_server silent 127.0.0.11", "no_such_name": "name_server ask 127.0.0.11", "wrong_address": "umount -n"}[action]

    def look(self):
        return meaning(self.container.exec_run(["timeout", "3", "getent", "ahosts", NAME]).output.decode())


def containers_with_names(request, **more):
    containers, image = request.getfixturevalue("containers"), request.getfixturevalue("voiceassist_image")
    container = containers("names", image, ["python3", "-c", NAME_SERVER.replace("ADDRESS", "127.0.0.53")], read_only=True, dns=["127.0.0.53"], **more)
    limit = time.monotonic() + 10
    while REAL not in container.exec_run(["getent", "ahosts", NAME]).output.decode():
        assert time.monotonic() < limit, container.logs()
        time.sleep(0.1)
    return container


CASES = [(kind, action) for kind in (Names, NamesOfContainer) for action in ("wrong_address", "no_such_name", "unreachable")]
