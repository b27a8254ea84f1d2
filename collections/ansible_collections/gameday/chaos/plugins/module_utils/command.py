# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions to the host: argument vectors, bounded in time, with their words kept; and the tools they need."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from dataclasses import dataclass

from ansible_collections.gameday.chaos.plugins.module_utils import verbs, way_back

# Neither the user's settings nor proxies of the environment, which a way back has not; brackets in a URL are an address.
CURL = ["curl", "--disable", "--silent", "--globoff", "--noproxy", "*", "--max-time", "5"]


@dataclass
class Answer:
    code: int
    out: str
    err: str

    @property
    def words(self):
        return (self.err.strip() or self.out.strip() or "exit code %s" % self.code)[-600:]


def start(argv, held=False, **options):
    """Start argv; C(held) lets it wait for a word on its standard input, and end when that is closed without one. Raises OSError."""
    environment = dict(os.environ, LC_ALL="C", PATH="%s:%s" % (os.environ.get("PATH", ""), way_back.PATH))
    return subprocess.Popen(verbs.argv_to_run(argv, held), stdin=subprocess.PIPE if held else subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, env=environment, start_new_session=True, **options)


def ask(argv, seconds=30, held=None, **options):
    """
    Run argv and wait, at most this long; everything it started in its process group dies with it when the time is up.
    Its environment is ours with the language of messages fixed. Code 127: not there; 124: took too long.
    C(held) is a process of this argv that was started before, and has waited for this moment.
    """
    try:
        process = held or start(argv, **options)
    except OSError as error:
        return Answer(127, "", "%s: %s" % (argv[0], error.strerror))
    try:
        out, err = process.communicate(b"go\n" if held else None, timeout=seconds)
        code = process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = last_words(process)
        code, err = 124, err + b"\nno answer within %d s" % seconds
    return Answer(code, out.decode("utf-8", "surrogateescape"), err.decode("utf-8", "surrogateescape"))


class Looks:
    """Asks the host what a claim and a plan must know, each question once."""

    def __init__(self):
        self.answers = {}

    def __call__(self, argv, seconds=30):
        question = tuple(argv)
        if question not in self.answers:
            self.answers[question] = ask(argv, seconds)
        return self.answers[question]

    def again(self):
        self.answers.clear()


def last_words(process):
    """What a killed program said; not waited for, where something that it left behind holds on to its output."""
    try:
        return process.communicate(timeout=0.5)
    except subprocess.TimeoutExpired as error:
        for pipe in (process.stdout, process.stderr):
            pipe.close()
        return error.stdout or b"", error.stderr or b""


def find_tool(name):
    """The absolute path of a program, so that the way back needs no search path; None when it is not there."""
    return shutil.which(name, path="%s:%s" % (os.environ.get("PATH", ""), way_back.PATH))
