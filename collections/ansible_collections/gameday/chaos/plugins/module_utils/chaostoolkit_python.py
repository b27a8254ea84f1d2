# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The python provider of Chaos Toolkit: a function, run by a Python of its own, so that it can neither end us nor outstay its time."""

from __future__ import annotations

import json
import os
import sys
import tempfile

from ansible_collections.gameday.chaos.plugins.module_utils.chaostoolkit_process import Failed, Process, seconds_of
from ansible_collections.gameday.chaos.plugins.module_utils.chaostoolkit_substitution import substitute

# Reads what to call from one file and writes what came of it into another; what the function prints is only that.
CALLER = r"""
import json, sys, traceback
asked, answer = sys.argv[1:3]
with open(asked, encoding="utf-8") as file:
    task = json.load(file)
sys.path[:] = [entry for entry in sys.path if entry not in ("", ".")] + ([task["directory"]] if task["directory"] else [])

def plain(value):
    import datetime, decimal, uuid
    if isinstance(value, (datetime.datetime, datetime.date)):
        return value.isoformat()
    if isinstance(value, (uuid.UUID, decimal.Decimal)):
        return str(value)
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).decode("utf-8", "backslashreplace")
    if isinstance(value, (set, frozenset, tuple)):
        return sorted(value, key=repr)
    if isinstance(value, BaseException):
        return "An exception was raised: %s('%s')" % (type(value).__name__, value)
    return repr(value)

def tell(said):
    with open(answer, "w", encoding="utf-8", errors="backslashreplace") as file:
        try:
            text = json.dumps(said, default=plain, allow_nan=True)
        except (TypeError, ValueError, RecursionError):
            text = json.dumps(dict(said, output=repr(said.get("output"))[:10000]))
        file.write(text)

def called():
    import importlib, inspect
    try:
        module = importlib.import_module(task["module"])
    except ImportError as error:
        return {"missing": "%s: %s" % (type(error).__name__, error)}
    function = getattr(module, task["func"], None)
    if not callable(function):
        return {"missing": "it has no function %s" % task["func"]}
    arguments = task["arguments"]
    try:
        known = inspect.signature(function).parameters
    except (TypeError, ValueError):
        known = {}
    if "secrets" in known and task["secrets"] is not None:
        arguments["secrets"] = task["secrets"]
    if "configuration" in known:
        arguments["configuration"] = task["configuration"]
    return {"output": function(**arguments)}

try:
    said = called()
except BaseException as error:
    said = {"failed": traceback.format_exception_only(type(error), error)[-1].strip()}
tell(said)
"""


def secrets_for(provider, secrets):
    """The groups that the file names, one over the other; None where it names none. A single name as a text gives nothing, as there."""
    if "secrets" not in provider:
        return None
    chosen = {}
    for group in provider["secrets"] if isinstance(provider["secrets"], list) else []:
        found = secrets.get(group)
        chosen.update(found if isinstance(found, dict) else {})
    return chosen


def run(provider, configuration, secrets, limits):
    python = limits.python or sys.executable
    arguments = substitute(provider.get("arguments") or {}, configuration, secrets)
    if not isinstance(arguments, dict):
        raise Failed("arguments: %r is no map of the function's arguments" % (arguments,))
    task = {"module": str(provider.get("module")), "func": str(provider.get("func")), "arguments": arguments, "configuration": configuration,
            "secrets": secrets_for(provider, secrets), "directory": limits.directory}
    with tempfile.TemporaryDirectory(prefix="gameday-") as folder:  # nobody else can read it; the secrets are in it
        asked, answer = os.path.join(folder, "asked"), os.path.join(folder, "answer")
        with open(asked, "w", encoding="utf-8") as file:
            json.dump(task, file)
        process = Process([python, "-c", CALLER, asked, answer], limits.directory)
        said = process.wait(seconds_of(provider, limits.seconds))
        try:
            with open(answer, encoding="utf-8") as file:
                told = json.load(file)
        except (OSError, ValueError):
            raise Failed("the function %s.%s ended its Python without an answer (status %s): %s"
                         % (task["module"], task["func"], said["status"], said["stderr"].strip()[-600:] or "it said nothing")) from None
    if "missing" in told:
        raise Failed("the module %s cannot be used by %s on this host: %s. Install it there, or name a Python that has it (chaostoolkit_python)"
                     % (task["module"], python, told["missing"]))
    if "failed" in told:
        raise Failed(told["failed"])
    return told["output"]
