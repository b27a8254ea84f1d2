"""The table of faults, a file for each: what it would do, and what it refuses, from its options and from what the host answers."""

from __future__ import annotations

import importlib
import pathlib

FILES = [importlib.import_module("plans." + path.stem) for path in sorted(pathlib.Path(__file__).parent.glob("fault_*.py"))]
TABLE = [row for file in FILES for row in file.ROWS]
REFUSED = [row for file in FILES for row in file.REFUSED]
