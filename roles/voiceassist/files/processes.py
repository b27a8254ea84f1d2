# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The processes of `voiceassist` and the directory they live in."""
from __future__ import annotations

import contextlib
import fcntl
import glob
import json
import os
import signal
import socket
import stat
import struct
import subprocess
import time

from servers import Failure, reachable

# The user that root starts the servers as. Empty when we are an ordinary user ourselves.
ORDINARY = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
PORTS = {"api": 18080, "database": 15432, "cache": 16379, "proxy": 18474, "database_proxy": 15433, "cache_proxy": 16380}
FRAGILE = ("error", "reconnect", "cache", "leak", "timeout")  # what they mean: api.py
PID_FILES = {"api": "api.pid", "database": "postgres/postmaster.pid", "cache": "redis/redis.pid", "proxy": "proxy.pid"}
LOGS = {"api": "api.log", "database": "postgres.log", "cache": "redis.log", "proxy": "proxy.log"}
IN_PYTHON = {"api": "api.py", "proxy": "proxy.py"}
PROXIED = ("database", "cache")  # the API reaches these through the proxy
STATE = "voiceassist.json"
OURS = [STATE, STATE + ".new", "program", "postgres", "postgres.new", "redis", "api.pid", "proxy.pid", "servers.new", *LOGS.values()]
STARTUP = b"user\0voiceassist\0database\0postgres\0\0"
STARTUP = struct.pack("!ii", len(STARTUP) + 8, 3 << 16) + STARTUP + b"X\0\0\0\4"  # come in, and go again
READY = {  # what to ask each port, and how the answer begins when all is well
    "api": (b"GET /health HTTP/1.0\r\n\r\n", b"HTTP/1.1 200"),
    "database": (STARTUP, b"R"),
    "cache": (b"PING\r\n", b"+PONG"),
    "proxy": (b"GET /version HTTP/1.0\r\n\r\n", b"HTTP/1.1 200"),
}


def wait_until(true, seconds):
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


class Processes:
    def __init__(self, directory):
        above, last = os.path.split(os.path.abspath(directory))
        self.directory = os.path.join(os.path.realpath(above), last)
        self.state = {}

    def path(self, *names):
        return os.path.join(self.directory, *names)

    def load(self):
        """Read the state, after a look at whose directory this is. Returns whether there is anything."""
        try:
            about = os.lstat(self.directory)
        except FileNotFoundError:
            return False
        if not stat.S_ISDIR(about.st_mode):
            raise Failure(f"--directory: {self.directory} is a link or a file: name a directory")
        if about.st_uid != os.geteuid() or about.st_mode & stat.S_IWOTH:
            raise Failure(f"--directory: {self.directory} belongs to another user, or everyone may write there: name another one")
        if os.path.exists(self.path(STATE)):
            with open(self.path(STATE), encoding="utf-8") as file:
                self.state = json.load(file)
        elif set(os.listdir(self.directory)) - {"servers"}:
            raise Failure(f"--directory: {self.directory} holds files of something else: name an empty or a new one")
        return bool(self.state)

    def save(self, **changes):
        self.state.update(changes)
        with open(self.path(STATE + ".new"), "w", encoding="utf-8") as file:
            json.dump(self.state, file, indent=2)
        os.replace(self.path(STATE + ".new"), self.path(STATE))

    @contextlib.contextmanager
    def lock(self):
        """One command at a time. The directory itself is locked, so that no lock file stays behind."""
        handle = os.open(self.directory, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY)
        try:
            if not wait_until(lambda: self._locked(handle), 60):
                raise Failure(f"another voiceassist command has been busy in {self.directory} for 60 s")
            yield
        finally:
            os.close(handle)

    @staticmethod
    def _locked(handle):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    # processes

    def pid(self, name):
        """The first process of a component, or None. (The command line of a zombie is empty.)"""
        try:
            with open(self.path(PID_FILES[name]), encoding="utf-8") as file:
                pid = int(file.readline())
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read().decode(errors="replace").split("\0")
        except (OSError, ValueError):
            return None
        if name == "cache" and "redis-server" in words[0]:  # which rewrites its command line
            words += [self.path("redis")] if words[0].endswith(f":{self.state['ports'][name]}") else []
        place = {"database": "postgres", "cache": "redis"}.get(name) or f"program/{IN_PYTHON[name]}"
        return pid if self.path(place) in words else None

    def processes(self, name):
        """All of them: frozen children of PostgreSQL outlive their parent. Their titles carry our name."""
        found = [self.pid(name)] if self.pid(name) else []
        for path in glob.glob("/proc/[0-9]*/cmdline") if name == "database" else []:
            with contextlib.suppress(OSError), open(path, "rb") as file:
                if file.read().startswith(f"postgres: {self.state.get('name')}:".encode()):
                    found.append(int(path.split("/")[2]))
        return found

    def signal(self, pids, number):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def ready(self, name, seconds=3):
        """Whether it answers; an open port says little: a frozen server's port is open, too."""
        question, answer = READY[name]
        try:
            with socket.create_connection(("127.0.0.1", self.state["ports"][name]), seconds) as line:
                line.sendall(question)
                return line.recv(64).startswith(answer) and self.pid(name) is not None
        except OSError:
            return False

    def command(self, name):
        port, servers = str(self.state["ports"][name]), self.state["servers"]
        if name == "api":
            return [servers["python"], self.path("program/api.py")]
        if name == "proxy":
            ports = self.state["ports"]
            proxies = [["--proxy", one, f"127.0.0.1:{ports[f'{one}_proxy']}", f"127.0.0.1:{ports[one]}"] for one in PROXIED]
            return [servers["python"], self.path("program/proxy.py"), "--api", f"127.0.0.1:{port}", *proxies[0], *proxies[1]]
        if name == "cache":
            where = ["--dir", self.path("redis"), "--pidfile", self.path(PID_FILES["cache"])]
            return [servers["redis"], "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", *where]
        # No Unix socket: its lock file names the pid of a killed one, and a zombie is alive to PostgreSQL.
        # Shared memory in the directory, so that none is left in /dev/shm by a killed one.
        settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "dynamic_shared_memory_type": "mmap"}
        settings.update(fsync="off", shared_buffers="16MB", cluster_name=self.state["name"])
        settings = [word for setting in settings.items() for word in ("-c", "=".join(setting))]
        return [os.path.join(servers["postgres"], "postgres"), "-D", self.path("postgres"), "-p", port, *settings]

    def spawn(self, name):
        user, environment = ORDINARY, {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"}
        if name in IN_PYTHON:
            user = ORDINARY if reachable(self.state["servers"]["python"]) else {}  # a Python below /root is for root only
            ports, libraries = self.state["ports"], self.state["servers"]["libraries"]
            environment.update({"PYTHONPATH": libraries, "PYTHONDONTWRITEBYTECODE": "1"} if libraries else {})
            environment.update(
                VOICEASSIST_PORT=str(ports["api"]),
                VOICEASSIST_DATABASE=f"postgresql://voiceassist@127.0.0.1:{ports['database_proxy']}/postgres?sslmode=disable",
                VOICEASSIST_REDIS=f"redis://127.0.0.1:{ports['cache_proxy']}/0",
                VOICEASSIST_FRAGILE=self.state["fragile"],
            )
        elif name == "database":
            with contextlib.suppress(FileNotFoundError):
                os.remove(self.path(PID_FILES[name]))  # of a dead one: a zombie, or another process with its pid, would be in the way
        with open(self.path(LOGS[name]), "ab") as log:
            process = subprocess.Popen(
                self.command(name), cwd=self.directory, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, **user,
            )
        if name in IN_PYTHON:
            with open(self.path(PID_FILES[name]), "w", encoding="utf-8") as file:
                file.write(f"{process.pid}\n")
        return process

    def start(self, name, seconds=20):
        """Returns when it answers, and whether it had to be started."""
        deadline, process = time.monotonic() + seconds, None
        self.signal(self.processes(name), signal.SIGCONT)
        while not self.ready(name):
            if self.pid(name) is None and (process is None or process.poll() is not None):
                # PostgreSQL refuses while children of a killed one still hold its shared memory: once more, then.
                if process and not (name == "database" and "still in use" in self.tail(name)):
                    raise Failure(f"{name} ended at once. The end of {self.path(LOGS[name])}:\n{self.tail(name)}")
                self.need_port(name)
                process = self.spawn(name)
            if time.monotonic() > deadline:
                raise Failure(f"{name} does not answer after {seconds} s. The end of {self.path(LOGS[name])}:\n{self.tail(name)}")
            time.sleep(0.02)
        return process is not None

    def need_port(self, name):
        for each in [name] + [f"{one}_proxy" for one in PROXIED] * (name == "proxy"):
            port, option = self.state["ports"][each], f"--{each.replace('_', '-')}-port"
            try:
                if not wait_until(lambda port=port: self._free(port), 1):  # a killed one may not be all gone
                    raise Failure(f"port {port} is in use by another program: name another one with {option}")
            except PermissionError:
                raise Failure(f"port {port} is for root only: name another one with {option}") from None

    @staticmethod
    def _free(port):
        with socket.socket() as line:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                line.bind(("127.0.0.1", port))
            except PermissionError:
                raise
            except OSError:
                return False
        return True

    def tail(self, name):
        with open(self.path(LOGS[name]), encoding="utf-8", errors="replace") as log:
            return "".join(log.readlines()[-6:]).rstrip()

    def stop(self, *names):
        for name in names:
            self.signal(self.processes(name), signal.SIGCONT)  # a frozen one does not hear
            self.signal(self.processes(name)[:1], signal.SIGINT if name == "database" else signal.SIGTERM)
        if not wait_until(lambda: not any(map(self.processes, names)), 5):
            for name in names:
                self.signal(self.processes(name), signal.SIGKILL)
        if not wait_until(lambda: not any(map(self.processes, names)), 2):
            raise Failure(f"could not end {', '.join(names)}: look at ps")

    def release_memory(self):
        """Give back the few bytes of shared memory that a killed PostgreSQL leaves to the kernel."""
        with contextlib.suppress(OSError, IndexError):
            with open(self.path(PID_FILES["database"]), encoding="utf-8") as file:
                lines = file.read().splitlines()
            creator, segment = lines[0], lines[6].split()[1]
            with open("/proc/sysvipc/shm", encoding="ascii") as file:
                rows = [row.split() for row in file]
            if [row for row in rows if (row[1], row[4], row[6]) == (segment, creator, "0")]:  # identifier, creator, attached
                subprocess.run(["ipcrm", "-m", segment], stdin=subprocess.DEVNULL, capture_output=True)
