# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process provider of Chaos Toolkit, with a limit of time, and with output that is always text."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile

from ansible_collections.gameday.chaos.plugins.module_utils.chaostoolkit_substitution import substitute

LONGEST_OUTPUT = 4 * 1024 * 1024


class Failed(Exception):
    """The activity gave no output, or only a part of it, which is kept."""

    def __init__(self, words, output=None):
        super().__init__(words)
        self.output = output


def vector(provider, configuration, secrets, directory=None):
    """
    The words to run. Arguments given as one string are for the shell, as there: a person wrote them so in the file. The program is looked for in the
    search path, and in the directory.
    """
    named = str(provider.get("path") or "")
    program = os.path.expanduser(named)
    if os.sep in program and not os.path.isabs(program) and directory:
        program = os.path.join(directory, program)
    found = shutil.which(program)
    if not found:
        raise Failed("the program %r is not on this host, or may not be run by this user" % named)
    arguments = substitute(provider.get("arguments") or [], configuration, secrets)
    if isinstance(arguments, str):
        return ["/bin/sh", "-c", "%s %s" % (found, arguments)]
    if isinstance(arguments, dict):
        arguments = [word for pair in arguments.items() for word in pair]
    if not isinstance(arguments, list):
        arguments = [arguments]
    words = [str(word) for word in arguments if word not in (None, "")]
    if any("\0" in word for word in words):
        raise Failed("an argument holds a NUL character, which no program can be given")
    return [found, *words]


def seconds_of(provider, default):
    given = provider.get("timeout")
    if given is None:
        return default
    if isinstance(given, bool) or not isinstance(given, (int, float)) or given < 0:
        raise Failed("timeout: %r is no number of seconds (nothing is replaced in it)" % (given,))
    return given


class Process:
    """A program under way, in a session of its own; what it says goes into files, so that nothing waits for what it leaves behind."""

    def __init__(self, argv, directory=None, pass_fds=()):
        self.files = [tempfile.TemporaryFile() for _stream in range(2)]
        try:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=self.files[0], stderr=self.files[1], cwd=directory,
                                            start_new_session=True, pass_fds=pass_fds)
        except (OSError, ValueError) as error:
            raise Failed("%s cannot be run: %s" % (argv[0], getattr(error, "strerror", None) or error)) from None

    @property
    def pid(self):
        return self.process.pid

    def wait(self, seconds):
        """Its output when it has ended; raises Failed, with what it said so far, when its time is up. Then all of its group is dead."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failed("it did not end within %g s, and was ended with all of its process group" % seconds, self.output(None)) from None
        return self.output(self.process.returncode)

    def running(self):
        return self.process.poll() is None

    def kill(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()

    def output(self, status):
        return {"status": status, "stdout": text_in(self.files[0]), "stderr": text_in(self.files[1])}


def text_in(file):
    """UTF-8; what is none is shown as \\xNN. Only the end of what is very long."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(size - LONGEST_OUTPUT, 0))
    return file.read().decode("utf-8", "backslashreplace")


def run(provider, configuration, secrets, limits):
    process = Process(vector(provider, configuration, secrets, limits.directory), limits.directory)
    return process.wait(seconds_of(provider, limits.seconds))
