"""
Runs a command and kills it at one of its steps: die_at.py STEP MILLISECONDS alone|children COMMAND...

A step is a system call of the process itself with which it would change something, start a program, or wait for one. It is killed before the
step, and so in the gap after the one before; or so many milliseconds into it. "children" kills what it started, too. With step 0 it lives.
What happened is the last line on stderr: "die_at: 17 steps, killed before openat". The code under test is not touched: this is ptrace.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import signal
import sys
import time

TRACE_ME, REGISTERS, TO_NEXT_CALL, DETACH, SET_OPTIONS, CALL_INFO = 0, 12, 24, 17, 0x4200, 0x420E
MARK_CALLS = 1
ENTRY, NOT_YET = 1, 2 ** 64 - errno.ENOSYS  # what is in the place of the result when a call is about to be done
# Of x86-64; those with an index are counted only if the argument there says that something is written.
CALLS = {
    1: "write", 2: "open", 18: "pwrite64", 56: "clone", 57: "fork", 58: "vfork", 59: "execve", 61: "wait4", 62: "kill", 73: "flock", 74: "fsync",
    75: "fdatasync", 76: "truncate", 77: "ftruncate", 82: "rename", 83: "mkdir", 84: "rmdir", 85: "creat", 86: "link", 87: "unlink", 88: "symlink",
    90: "chmod", 91: "fchmod", 112: "setsid", 165: "mount", 166: "umount2", 200: "tkill", 231: "exit_group", 234: "tgkill", 257: "openat",
    258: "mkdirat", 263: "unlinkat", 264: "renameat", 265: "linkat", 266: "symlinkat", 268: "fchmodat", 316: "renameat2", 435: "clone3",
}
FLAGS = {2: 1, 257: 2}  # where open and openat have their flags; their path is the argument before
NOTHING = b"/dev/null\0"
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


class CallInfo(ctypes.Structure):
    _fields_ = [("op", ctypes.c_uint8), ("padding", ctypes.c_uint8 * 3), ("arch", ctypes.c_uint32), ("pointers", ctypes.c_uint64 * 2),
                ("number", ctypes.c_uint64), ("arguments", ctypes.c_uint64 * 6), ("more", ctypes.c_uint64 * 2)]


libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


def ptrace(request, pid, address=None, data=None):
    if libc.ptrace(request, pid, address, data) < 0:
        raise OSError(ctypes.get_errno(), "ptrace %s" % request)


def step_of(pid, info):
    """The name of the step that the process is about to do; None when it is none."""
    number, arguments = call_of(pid, info)
    if number not in CALLS:
        return None
    flags = FLAGS.get(number)
    if flags is not None and (not arguments[flags] & WRITES or starts_with(pid, arguments[flags - 1], NOTHING)):
        return None
    return CALLS[number]


def call_of(pid, info):
    """(number, its first arguments) of the system call that the process is about to do; number None where it comes back from one."""
    try:
        ptrace(CALL_INFO, pid, ctypes.sizeof(info), ctypes.addressof(info))
        return (info.number, info.arguments) if info.op == ENTRY else (None, ())
    except OSError:  # User-mode Linux does not know this request
        registers = (ctypes.c_uint64 * 27)()
        ptrace(REGISTERS, pid, None, ctypes.addressof(registers))
        result, rdx, rsi, rdi, number = (registers[at] for at in (10, 12, 13, 14, 15))
        return (number, (rdi, rsi, rdx)) if result == NOT_YET else (None, ())


def starts_with(pid, address, words):
    """What is in the memory of the process there."""
    with open("/proc/%d/mem" % pid, "rb", buffering=0) as memory:
        memory.seek(address)
        return memory.read(len(words)) == words


def descendants(pid):
    parents = {}
    for folder in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % folder) as source:
                parents.setdefault(int(source.read().rpartition(")")[2].split()[1]), []).append(int(folder))
        except OSError:
            continue
    found, new = [], [pid]
    while new:
        new = [child for one in new for child in parents.get(one, [])]
        found += new
    return found


def kill(pid, children):
    for one in [pid, *(descendants(pid) if children else [])]:
        try:
            os.kill(one, signal.SIGKILL)
        except ProcessLookupError:
            pass


def run(wanted, milliseconds, children, command):
    pid = os.fork()
    if pid == 0:
        ptrace(TRACE_ME, 0)
        os.execvp(command[0], command)
    os.waitpid(pid, 0)
    ptrace(SET_OPTIONS, pid, None, MARK_CALLS)
    steps, deliver, info = 0, 0, CallInfo()
    while True:
        ptrace(TO_NEXT_CALL, pid, None, deliver)
        status = os.waitpid(pid, 0)[1]
        if os.WIFEXITED(status) or os.WIFSIGNALED(status):
            return steps, None, os.waitstatus_to_exitcode(status)
        stopped_by = os.WSTOPSIG(status)
        deliver = 0 if stopped_by & ~0x80 == signal.SIGTRAP else stopped_by
        step = step_of(pid, info) if stopped_by == signal.SIGTRAP | 0x80 else None
        steps += step is not None
        if step and steps == wanted:
            break
    if milliseconds:
        ptrace(DETACH, pid)
        time.sleep(milliseconds / 1000)
        if os.waitpid(pid, os.WNOHANG)[0]:
            return steps, None, 0
    kill(pid, children)
    os.waitpid(pid, 0)
    return steps, "%s %s" % ("%d ms into" % milliseconds if milliseconds else "before", step), -9


def main():
    wanted, milliseconds, whom, *command = sys.argv[1:]
    if platform.machine() != "x86_64":
        sys.exit("die_at: only x86-64 is known")
    steps, killed, code = run(int(wanted), int(milliseconds), whom == "children", command)
    sys.stdout.flush()
    print("die_at: %d steps, %s" % (steps, "killed " + killed if killed else "ended with %s" % code), file=sys.stderr)


main()
