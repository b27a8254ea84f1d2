"""
Real things to break, a file for each fault. A thing is made from (request, case) and has `whole` and `broken`, two answers of its `look()`;
`module`, `options` and `claim` of the fault; `words`, a part of the preview; `inventory` and `limit`, where it is. `place` is the fixture of the
hosts that it is on, if it is not on this machine: tests of different places run at the same time.
"""

from __future__ import annotations

import importlib
import pathlib

FILES = [importlib.import_module("things." + path.stem) for path in sorted(pathlib.Path(__file__).parent.glob("fault_*.py"))]
CASES = [pair for file in FILES for pair in file.CASES]


def name_of(pair):
    """fault_cpu OnHost, fault_container Container stop"""
    kind, case = pair
    return " ".join([kind.__module__.rpartition(".")[2], kind.__name__, *([case] if isinstance(case, str) else [])])
