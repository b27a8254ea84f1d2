#!/usr/bin/env python3
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says what in experiments of Chaos Toolkit would silently not work, or differs here: with line numbers, and with the fix. Runs nothing, needs no hosts."""
from __future__ import annotations

import argparse
import json
import os
import pathlib
import sys
import types

ROOT = pathlib.Path(__file__).resolve().parents[1]
OWN_PYTHON = ROOT / ".venv/bin/python"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, epilog="Exit code: 0 all can be run, 1 at least one cannot, 2 wrong options.")
    parser.add_argument("sources", nargs="+", metavar="FILE", help="a .yaml, .yml or .json file, an http(s) URL, or - for standard input")
    parser.add_argument("--format", choices=["text", "json"], default="text", help="for people (the default), or for programs")
    parser.add_argument("--strict", action="store_true", help="warnings make the exit code 1, too")
    parser.add_argument("--compat", action="store_true", help="unknown keys are warnings and no errors, as Chaos Toolkit accepts them")
    return parser.parse_args()


def main():
    options = arguments()
    # By the path of this checkout, whatever other collections are installed.
    package = types.ModuleType("ansible_collections")
    package.__path__ = [str(ROOT / "collections/ansible_collections")]
    sys.modules["ansible_collections"] = package
    try:
        from ansible_collections.gameday.chaos.plugins.plugin_utils import chaostoolkit_told as told
    except ModuleNotFoundError as missing:
        if missing.name == "yaml" and OWN_PYTHON.exists() and os.path.realpath(sys.prefix) != os.path.realpath(ROOT / ".venv"):
            os.execv(OWN_PYTHON, [str(OWN_PYTHON), *sys.argv])
        sys.exit("%s: %s; `make demo` installs what is needed in .venv" % (sys.argv[0], missing))
    looks = [told.look_at("standard input", options.compat, sys.stdin.buffer.read()) if source == "-"
             else told.look_at(source, options.compat) for source in options.sources]
    counted = told.count(looks)
    if options.format == "json":
        print(json.dumps({"files": looks, "count": counted}, indent=2))
    else:
        print("\n".join(told.lines(looks)))
    return 1 if counted["error"] or options.strict and counted["warning"] else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:  # somebody read only the first lines
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
