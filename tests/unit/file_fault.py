"""The smallest real fault, a file that should not be there, run as a module runs one but in this process and with a ledger of its own."""

from __future__ import annotations

import os
import subprocess
import time
from types import SimpleNamespace

from ansible_collections.gameday.chaos.plugins.module_utils import clock
from ansible_collections.gameday.chaos.plugins.module_utils.fault import FAULT_OPTIONS, Check, FaultRun, Plan
from ansible_collections.gameday.chaos.plugins.module_utils.ledger import Ledger

file_fault_warnings = []  # what the modules warned of


def claim(params, look):
    return "file/" + params["path"]


def plan(params, look):
    path = params["path"]
    return Plan(
        claim=claim(params, look),
        inject=params.get("inject") or [["touch", path]],
        revert=params.get("revert") or [["rm", "-f", path]],
        check=Check(params.get("question") or ["find", path.rpartition("/")[0], "-name", path.rpartition("/")[2], "-printf", "broken"],
                    broken=["broken"], whole=[""], absent=params.get("absent", []), left=params.get("left", [])),
        target="the file %s" % path,
        settle=params.get("settle", 1),
        effect_within=1,
        holds=params.get("holds", []),
    )


def record_of(claim, run):
    """A record such as the text of a way back is made for, of a fault that lasts for a while."""
    return {"id": "0123456789ab", "kind": "fault_text", "claim": claim, "run": run, "ends": "2030-01-31T12:00:00+00:00", "ends_uptime": clock.uptime() + 9000,
            "boot_id": clock.boot_id(), "timer": "watcher", "after_reboot": "contact"}


def fault_run(root, path, check_mode=False, **params):
    defaults = {"path": str(path), "state": "present", "duration": 30, "starts_at": None, "lease": 0, "run": "run-1", "secret": "hunter2"}
    spec = dict(FAULT_OPTIONS, path={"type": "path"}, secret={"type": "str", "no_log": True})
    for name in params:
        spec.setdefault(name, {})
    module = SimpleNamespace(params={**defaults, **params}, check_mode=check_mode, argument_spec=spec, _name="fault_file", warn=file_fault_warnings.append)
    run = FaultRun(module, claim, plan, ())
    run.ledger = Ledger(str(root))
    return run


def inject(root, path, **params):
    return fault_run(root, path, **params).present()


def end(root, path, **params):
    return fault_run(root, path, state="absent", **params).absent()


def in_place(root):
    return Ledger(str(root)).in_place()


def ended(root):
    return Ledger(str(root)).history()


def watcher_of(fault):
    with open(os.path.join(os.path.dirname(fault["way_back"]), "watcher")) as source:
        return int(source.read().split()[0])


def alive(pid):
    try:
        with open("/proc/%s/stat" % pid) as source:
            return source.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def by_hand(*words):
    return subprocess.run(["sh", *words], capture_output=True, text=True, check=False)


def wait_until(condition, seconds=5.0):
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "it did not happen within %s s" % seconds
        time.sleep(0.02)
