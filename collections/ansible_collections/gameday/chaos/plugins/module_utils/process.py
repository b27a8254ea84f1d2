# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes as /proc tells them: found by what a person knows of them, and known by pid and start time."""

from __future__ import annotations

import os
import pwd
import re
import signal
from dataclasses import dataclass

# What no fault may ever hit, wherever it was found: what carries the connection, and what runs us.
SPARED_NAMES = ("sshd", "sshd-session", "sshd-auth", "systemd", "systemd-logind", "dbus-daemon", "dockerd", "containerd", "ssh-agent")
ENDING_SIGNALS = ("KILL", "TERM", "INT", "QUIT", "ABRT", "HUP")
KERNEL_THREAD = 0x00200000  # PF_KTHREAD in the flags of /proc/PID/stat; an empty command line may also be a process that is just being started
SPARED_COMMANDS = re.compile(rb"ansible-tmp-|AnsiballZ_|ansible-playbook|ansible-runner|/gameday/faults/|ansible/cli/")


@dataclass
class Process:
    pid: int
    parent: int
    start: int
    state: str
    name: str
    command: bytes
    user: int
    flags: int

    @property
    def words(self):
        """argv as text, as a person would type it, shortened."""
        text = " ".join(part.decode("utf-8", "replace") for part in self.command.rstrip(b"\0").split(b"\0"))
        return text if len(text) <= 120 else text[:117] + "..."

    @property
    def short(self):
        return "%s (pid %s)" % (self.name, self.pid)

    def __str__(self):
        return "%s (pid %s: %s)" % (self.name, self.pid, self.words)


def look_at(pid, wanted=None):
    """The process of this pid, or None when there is none that lives (a zombie does not), or it is in another state than the wanted one."""
    folder = "/proc/%s" % pid
    try:
        with open(folder + "/stat", "rb") as source:
            head, dummy, tail = source.read().rpartition(b")")
        fields = tail.split()
        state = fields[0].decode()
        if state in "ZXx" or wanted not in (None, state):
            return None
        with open(folder + "/cmdline", "rb") as source:
            command = source.read()
        user = os.stat(folder).st_uid
    except (OSError, ValueError):
        return None
    name = head.partition(b"(")[2].decode("utf-8", "surrogateescape")
    return Process(pid=int(pid), parent=int(fields[1]), start=int(fields[19]), state=state, name=name, command=command, user=user,
                   flags=int(fields[6]))


def umask(pid):
    """As it is shown, such as 0022: what a process makes without it may be more, or less, than others may use."""
    try:
        with open("/proc/%s/status" % pid) as source:
            return next((line.split()[1] for line in source if line.startswith("Umask:")), "0022")
    except OSError:
        return "0022"


def every(state=None):
    found = (look_at(entry, state) for entry in os.listdir("/proc") if entry.isdigit())
    return [one for one in found if one]


def ancestors(pid):
    """The pid and its chain of parents: for a module, Ansible's own processes, the shell, sudo and the connection's sshd."""
    chain = []
    while pid and pid not in chain:
        chain.append(pid)
        found = look_at(pid)
        pid = found.parent if found else 0
    return chain


def spared(found, chain):
    """Why this process may not be hit, or None."""
    if found.pid == 1:
        return "is init"
    if found.pid in chain:
        return "is Ansible's own process or one that it runs in"
    if found.name in SPARED_NAMES:
        return "is %s, which the host or the connection lives by" % found.name
    if SPARED_COMMANDS.search(found.command):
        return "belongs to Ansible or to the way back"
    if found.flags & KERNEL_THREAD:
        return "is a kernel thread"
    return None


def pid_in(path):
    """The pid in a pid file; raises ValueError or OSError with words for a person."""
    with open(path) as source:
        first = source.readline().strip()
    if not re.fullmatch("[0-9]{1,10}", first):
        raise ValueError("holds no pid but %r" % first[:40])
    return int(first)


def signal_name(text):
    """A signal as everything names it, KILL for 9, SIGKILL and kill; None where there is no such signal."""
    name = str(text).upper()
    if name.isdigit():
        return next((one.name[3:] for one in signal.Signals if one.value == int(name)), None)
    name = name if name.startswith("SIG") else "SIG" + name
    return name[3:] if name in signal.Signals.__members__ else None


def ending_signal(text, instead):
    """The name of a signal that ends what it is sent to; raises ValueError with words for a person. Others are never seen to have had an effect."""
    name = signal_name(text)
    if name is None:
        raise ValueError("signal: %r is no signal; give a name such as KILL, TERM or INT" % text)
    if name not in ENDING_SIGNALS:
        raise ValueError("signal: %s does not end it; give one of %s, or use %s" % (name, ", ".join(ENDING_SIGNALS), instead))
    return name


def uid_of(user):
    """Raises KeyError where there is no such user."""
    try:
        return int(user) if user.isascii() and user.isdigit() else pwd.getpwnam(user).pw_uid
    except ValueError as error:
        raise KeyError(user) from error


def listeners(port):
    """Pids that hold a socket listening on this TCP port."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table) as source:
                rows = [line.split() for line in source][1:]
        except OSError:
            continue
        inodes.update(row[9] for row in rows if row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == port)
    wanted = {"socket:[%s]" % inode for inode in inodes}
    pids = set()
    for entry in os.listdir("/proc"):
        if entry.isdigit() and wanted:
            try:
                descriptors = os.listdir("/proc/%s/fd" % entry)
            except OSError:
                continue
            for descriptor in descriptors:
                try:
                    if os.readlink("/proc/%s/fd/%s" % (entry, descriptor)) in wanted:
                        pids.add(int(entry))
                        break
                except OSError:
                    continue
    return pids, bool(inodes)


def matching(pid_file=None, name=None, pattern=None, port=None, user=None):
    """The living processes to which all of the given selectors apply."""
    found = every() if pid_file is None else [one for one in [look_at(pid_in(pid_file))] if one]
    if name is not None:
        found = [one for one in found if name in (one.name, os.path.basename(one.command.split(b"\0")[0].decode("utf-8", "surrogateescape")))]
    if pattern is not None:
        expression = re.compile(pattern)
        found = [one for one in found if expression.search(one.command.replace(b"\0", b" ").decode("utf-8", "surrogateescape").strip())]
    if user is not None:
        uid = uid_of(user)
        found = [one for one in found if one.user == uid]
    if port is not None:
        pids = listeners(port)[0]
        found = [one for one in found if one.pid in pids]
    return found


def as_sh_reads(command):
    """A command line as the way back can read it from /proc: without what is between the words, and on one line."""
    return command.replace("\0", "").replace("\n", "")
