"""
A host that cannot be harmed, for arguments that nobody has thought of: the real modules with the real AnsibleModule, many in one process.

The process is nobody's, and root only in namespaces of its own (user, mount, network, IPC): it sees no network, and its /var/lib is its own. Its
PATH has stand-ins for the tools, which answer questions as a healthy host would and can do nothing else. An audit hook of Python hears whatever a
module does (programs, signals, files, folders); it ends the module where input was accepted, which is where the way back begins to be written,
and before any act that is none of the questions below, which the outcome then names.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import fcntl
import fnmatch
import importlib
import io
import json
import os
import pathlib
import select
import shutil
import signal
import socket
import struct
import sys
import tempfile
import threading
import time
import traceback

from ansible.module_utils import _internal
from ansible.module_utils.testing import patch_module_args
from ansible_collections.gameday.chaos.plugins.module_utils import ledger, way_back
from real_module import NOBODY, PREFIX

CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWNET = 0x20000, 0x8000000, 0x10000000, 0x40000000
LEDGER = "/var/lib/gameday"
SECONDS = 20
CONTAINER = [{
    "Name": "/database", "Id": "0123456789abcdef" * 4, "State": {"Status": "running", "Pid": 1}, "NetworkSettings": {"Networks": {"web": {}}},
    "HostConfig": {"AutoRemove": False, "NetworkMode": "web"},
}]
PROXIES = {"postgres": {"name": "postgres", "listen": "127.0.0.1:5433", "upstream": "127.0.0.1:5432", "enabled": True, "toxics": []}}
ANSWERS = {
    "docker": "case \"$*\" in\n*'container inspect database') cat %(state)s/container ;;\n*inspect*) echo 'No such container' >&2; exit 1 ;;\n"
              "*ps*) echo database ;;\nesac",
    "systemctl": "printf 'Id=cron.service\\nLoadState=loaded\\nActiveState=active\\nFragmentPath=/lib/x\\n'",
    "ip": "case $* in *link*) echo '[{\"ifname\":\"eth0\",\"ifindex\":2,\"flags\":[\"UP\"]}]' ;; *) echo '[{\"dev\":\"eth0\"}]' ;; esac",
    "curl": "printf '%%s 200' \"$(cat %(state)s/proxies)\"",
    "tc": "echo '[]'", "unshare": "echo netem prio flower u32", "getent": "echo 192.0.2.1 STREAM", "umount": "echo --namespace",
}
SILENT = ("cp", "dd", "fallocate", "flock", "journalctl", "mount", "mv", "nft", "nsenter", "setpriv", "setsid", "sleep", "stress-ng")
REAL = ("sh", "cat", "readlink", "rm", "mkdir")
# What may be asked before anything is touched. What * stands for between words is the place: an engine, for one.
QUESTIONS = (
    "docker * container inspect *", "docker container inspect *", "docker *ps --*", "docker logs *", "journalctl --quiet *", "systemctl show *",
    "systemctl list-units *", "nft list tables", "nft --check *", "nft -j list *", "umount --help", "getent ahosts *", "ip -j *",
    "tc -j qdisc show*", "unshare --net sh -c *", "curl --disable *", "cat *", "readlink *",
)


class Ended(BaseException):
    """Not an Exception, so that no module can think it an error of its own."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    said: str  # all that the module printed
    accepted: bool  # it began to write the way back, or to wait
    touched: list  # acts that are no questions; each was prevented
    asked: list

    @property
    def result(self):
        return json.loads(self.said)


class SealedHost:
    def __init__(self):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="gameday-sealed-"))
        self.home.chmod(0o777)
        self.tools = self.home / "tools"
        self.tools.mkdir()
        (self.home / "container").write_text(json.dumps(CONTAINER))
        (self.home / "proxies").write_text(json.dumps(PROXIES))
        for name, text in {**ANSWERS, **dict.fromkeys(SILENT, "")}.items():
            (self.tools / name).write_text("#!/bin/sh\nPATH=/usr/bin:/bin\n" + text % {"state": self.home} + "\n")
            (self.tools / name).chmod(0o755)
        for name in REAL:
            (self.tools / name).symlink_to(shutil.which(name))
        self.child = None

    def sleeper(self):
        """The pid file of a process that this host may signal."""
        return str(self.home / "sleeper.pid")

    def start(self):
        """Raises OSError where there are no namespaces for ordinary users."""
        reading, self.questions = os.pipe()
        self.answers, writing = os.pipe()
        self.child = os.fork()
        if self.child == 0:
            os.close(self.questions)
            os.close(self.answers)
            try:
                seal(self.home, self.tools)
                sleep(self.home / "sleeper.pid")
                serve(reading, writing)
            except OSError as error:
                send(writing, {"unable": str(error)})
            except BaseException:
                send(writing, {"unable": traceback.format_exc()})
            finally:
                os._exit(0)
        os.close(reading)
        os.close(writing)
        ready = self.receive("starting")
        if "unable" in ready:
            self.stop()
            raise OSError(ready["unable"])

    def run(self, name, arguments, check_mode=False):
        if self.child is None:
            self.start()
        send(self.questions, {"module": name, "arguments": arguments, "check_mode": check_mode})
        return Outcome(**self.receive("%s with %r" % (name, arguments)))

    def receive(self, words):
        if not select.select([self.answers], [], [], SECONDS)[0]:
            self.stop()
            raise AssertionError("%s: no end within %s s" % (words, SECONDS))
        answer = receive(self.answers)
        if answer is None:
            self.stop()
            raise AssertionError("%s: it took the process with it" % words)
        return answer

    def stop(self):
        if self.child is not None:
            os.kill(self.child, signal.SIGKILL)
            os.waitpid(self.child, 0)
            os.close(self.questions)
            os.close(self.answers)
            self.child = None

    def clean(self):
        self.stop()
        shutil.rmtree(self.home)


def send(descriptor, message):
    data = json.dumps(message).encode()
    data = struct.pack("!I", len(data)) + data
    while data:
        data = data[os.write(descriptor, data):]


def receive(descriptor):
    size = os.read(descriptor, 4)
    if not size:
        return None
    left, pieces = struct.unpack("!I", size)[0], []
    while left:
        pieces.append(os.read(descriptor, left))
        left -= len(pieces[-1])
    return json.loads(b"".join(pieces))


def seal(home, tools):
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    user, group, libc = os.geteuid(), os.getegid(), ctypes.CDLL(None, use_errno=True)

    def call(function, *arguments):
        if function(*arguments):
            raise OSError(ctypes.get_errno(), "%s: %s" % (function.__name__, os.strerror(ctypes.get_errno())))

    call(libc.prctl, 4, 1, 0, 0, 0)  # PR_SET_DUMPABLE, or /proc/self would be root's
    call(libc.unshare, CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWNET)
    for name, text in (("setgroups", "deny"), ("uid_map", "0 %d 1" % user), ("gid_map", "0 %d 1" % group)):
        pathlib.Path("/proc/self/" + name).write_text(text)
    call(libc.mount, b"tmpfs", b"/var/lib", b"tmpfs", 0, None)
    ledger.foreign = lambda path: None  # the folders above belong to root, who is nobody here
    with socket.socket() as lo:  # up, since a host without any address takes every address for its own
        fcntl.ioctl(lo, 0x8914, struct.pack("16sh14x", b"lo", 1))
    os.makedirs(LEDGER)
    os.chdir("/var/lib")
    os.environ.clear()
    os.environ.update(HOME="/var/lib", PATH=str(tools), LC_ALL="C.UTF-8")
    way_back.PATH = str(tools)
    with open(os.devnull, "r+") as nothing:
        for descriptor in (0, 1, 2):
            os.dup2(nothing.fileno(), descriptor)


def sleep(pid_file):
    """A process to aim at, which ends with us."""
    pid = os.fork()
    if pid == 0:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)
        os.execv("/bin/sleep", ["sleep", "3600"])
    pid_file.write_text("%d\n" % pid)


class Ears:
    """Hears what a module does; deaf between two of them."""

    ACTS = {"os.kill", "os.killpg", "os.chmod", "os.chown", "os.link", "os.symlink", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate",
            "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "shutil.rmtree", "os.putenv", "os.unsetenv"}

    def __init__(self):
        self.listening = False
        sys.addaudithook(self.hear)
        self.sleep, time.sleep = time.sleep, self.slept  # of which Python tells its hooks from 3.13 on

    def reset(self):
        self.accepted, self.touched, self.asked = False, [], []

    def hear(self, event, arguments):
        if not self.listening:
            return
        if event == "subprocess.Popen":
            self.program([os.fsdecode(word) for word in arguments[1]])
        elif event == "open":
            self.file(*arguments)
        elif event in self.ACTS:
            self.act(event, arguments)

    def program(self, argv):
        words = " ".join([os.path.basename(argv[0]), *argv[1:]])
        self.asked.append(words)
        if not any(fnmatch.fnmatchcase(words, pattern) for pattern in QUESTIONS) or "--request" in argv:
            self.prevent(words)

    def file(self, path, mode, flags):
        writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
        if not writes or path == os.devnull or isinstance(path, int):
            return
        if os.fsdecode(path).startswith(LEDGER + "/.new-"):
            self.accept()
        self.prevent("open %s" % os.fsdecode(path))

    def act(self, event, arguments):
        if event in ("os.kill", "os.killpg") and arguments[1] == 0:
            return  # a question, too: may it be signalled?
        if event in ("os.mkdir", "os.rmdir") and os.fsdecode(arguments[0]).startswith(LEDGER):
            return  # whether the ledger can be written; what it left there would be found by `left`
        self.prevent("%s %r" % (event, arguments))

    def slept(self, seconds):
        ours = sys._getframe(1).f_globals["__name__"] != "subprocess"  # which waits for a program
        if self.listening and ours and threading.current_thread() is threading.main_thread():
            self.accept()  # it measures, and does it again
        self.sleep(seconds)

    def accept(self):
        self.accepted, self.listening = True, False
        raise Ended

    def prevent(self, words):
        self.touched.append(words)
        self.listening = False
        raise Ended


def serve(reading, writing):
    _internal.is_controller = False
    ears = Ears()
    send(writing, {})
    while (asked := receive(reading)) is not None:
        module = importlib.import_module(PREFIX + asked["module"])
        before = contents()
        ears.reset()
        internal = {"_ansible_module_name": "gameday.chaos." + asked["module"], "_ansible_check_mode": asked["check_mode"]}
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said), contextlib.suppress(SystemExit, Ended), \
                patch_module_args({**asked["arguments"], **internal}):
            ears.listening = True
            try:
                module.main()
            except (SystemExit, Ended):
                raise
            except BaseException:
                traceback.print_exc()
            finally:
                ears.listening = False
        left = contents() - before
        if ears.accepted:
            for name in left:
                shutil.rmtree(os.path.join(LEDGER, name), ignore_errors=True)
        elif left - {"faults", "ended"}:
            ears.touched.append("left in the ledger: %s" % sorted(left))
        send(writing, {"said": said.getvalue().encode("utf-8", "replace").decode(), "accepted": ears.accepted, "touched": ears.touched,
                       "asked": ears.asked})


def contents():
    """Whatever is in the ledger."""
    return {os.path.relpath(os.path.join(folder, name), LEDGER) for folder, folders, files in os.walk(LEDGER) for name in folders + files}
