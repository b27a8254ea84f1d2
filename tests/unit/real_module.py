"""
Runs a module as Ansible does on a host: its main() with arguments as JSON, in a process of its own, with what it prints.

The process is an ordinary user's (nobody's, when the tests are run by root), so that nothing that a module might do by mistake can hit
this machine, and so that its ledger is where an ordinary user's is: below XDG_STATE_HOME.
"""

from __future__ import annotations

import importlib
import json
import os
import pathlib
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback

from ansible.module_utils import _internal
from ansible.module_utils.testing import patch_module_args
from ansible_collections.gameday.chaos.plugins.module_utils import way_back
from ansible_collections.gameday.chaos.plugins.module_utils.ledger import Ledger

NOBODY = 65534
USER = NOBODY if os.geteuid() == 0 else os.geteuid()
PREFIX = "ansible_collections.gameday.chaos.plugins.modules."
SECONDS = 30


class Host:
    """A folder that stands for what an ordinary user of a host has: a home with the ledger in it."""

    def __init__(self):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="gameday-unit-"))
        # In memory, as the ledger of conftest.py. Only this, since there may be no programs.
        self.state = pathlib.Path(tempfile.mkdtemp(prefix="gameday-unit-", dir="/dev/shm"))
        self.path = None  # where programs are looked for, if not where they are on this machine
        self.environment = {}
        self.give(self.home)
        self.give(self.state)

    @staticmethod
    def give(path, mode=0o755):
        os.chown(path, USER, USER if USER == NOBODY else -1)
        os.chmod(path, mode)

    @property
    def ledger(self):
        return Ledger(str(self.state / "gameday"))

    def entries(self):
        """Everything that was ever written to the ledger."""
        folders = [pathlib.Path(self.ledger.faults), pathlib.Path(self.ledger.ended)]
        return [path for folder in folders if folder.is_dir() for path in folder.iterdir()]

    def file(self, name, text, mode=0o644):
        path = self.home / name
        path.write_text(text)
        self.give(path, mode)
        return str(path)

    def run(self, name, /, check_mode=False, **arguments):
        """The result of a module as a dict."""
        module = importlib.import_module(PREFIX + name)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            internal = {"_ansible_module_name": "gameday.chaos." + name, "_ansible_check_mode": check_mode}
            self.become_module(module, writing, {**arguments, **internal})
        os.close(writing)
        said = read_all(reading, child)
        os.waitpid(child, 0)
        assert "Traceback" not in said, said
        return json.loads(said)

    def become_module(self, module, writing, arguments):
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(USER)
                os.setuid(USER)
            _internal.is_controller = False  # as which the tests count, and warnings of a controller are no part of a result
            os.chdir(self.home)
            os.environ.update({"HOME": str(self.home), "XDG_STATE_HOME": str(self.state), **self.environment})
            if self.path is not None:
                os.environ["PATH"] = way_back.PATH = str(self.path)
            for descriptor in (1, 2):
                os.dup2(writing, descriptor)
            with open(os.devnull) as nothing:
                os.dup2(nothing.fileno(), 0)
            os.closerange(3, 1024)  # a listening port of the test's, for instance, must not be the module's
            self.main(module, arguments)
        finally:
            os._exit(70)

    @staticmethod
    def main(module, arguments):
        with open(1, "w", closefd=False) as output:
            sys.stdout = sys.stderr = output
            try:
                with patch_module_args(arguments):
                    module.main()
            except SystemExit:
                pass
            except BaseException:
                traceback.print_exc()

    def clean(self):
        if self.ledger.in_place():
            assert self.run("recover", all=True)["recovery"]["restored"]
        shutil.rmtree(self.home)
        shutil.rmtree(self.state)


def read_all(descriptor, child):
    """All that the module prints. Its watchers must not hold on to its output, or the task would wait for them; neither may a hung one."""
    deadline, pieces = time.monotonic() + SECONDS, []
    with open(descriptor, "rb", buffering=0) as source:
        while select.select([source], [], [], max(0, deadline - time.monotonic()))[0]:
            piece = source.read(65536)
            if not piece:
                return b"".join(pieces).decode()
            pieces.append(piece)
    os.kill(child, signal.SIGKILL)
    raise AssertionError("the module did not end within %s s" % SECONDS)
