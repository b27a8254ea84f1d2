"""
Nothing is ever left behind: every kind of crash, each fault, at instants chosen by GAMEDAY_SEED. In `make test` a few; `make guarantee KILLS=1000`
does as many as are asked for, and writes docs/guarantees.md from all that were done since the last `make clean`.
"""

from __future__ import annotations

import os
import pathlib
import threading

import pytest

from guarantee import controllers, report  # controllers: its crashes count, too
from guarantee.crashes import CRASHES
from guarantee.fire import fire
from guarantee.stages import Lab

KILLS = int(os.environ.get("GAMEDAY_KILLS", "0"))
SECONDS = int(os.environ.get("GAMEDAY_SECONDS", "3600"))
FEW = 10


@pytest.mark.alone
@pytest.mark.timeout(SECONDS + 300)
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: hosts in namespaces, and to look into containers")
def test_nothing_is_left_behind(request, tmp_path):
    seed, writing = int(os.environ["GAMEDAY_SEED"]), threading.Lock()
    assert controllers and len({crash.name for crash in CRASHES}) == len(CRASHES)
    only = os.environ.get("GAMEDAY_ONLY")

    def told(kill):
        with writing:
            print(f"{kill.late:5.1f} s  {kill}", flush=True)
            if KILLS:
                report.keep(kill)

    try:
        kills = fire(Lab(request, pathlib.Path(tmp_path)), seed, KILLS or FEW, int(os.environ.get("GAMEDAY_WORKERS", "10")), SECONDS, told, only)
    finally:
        if KILLS:
            report.write()
    left = [kill for kill in kills if kill.left]
    assert sum(kill.happened for kill in kills) > len(kills) / 2, "most of it never happened"
    assert not left, "left behind by %d of %d:\n%s" % (len(left), len(kills), "\n".join(map(str, left)))
