# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every molecule scenario of every role."""
from __future__ import annotations

import os
import subprocess
import sys

import pytest

from lab.playbook import ROOT

SCENARIOS = sorted(path.parent for path in ROOT.glob("**/roles/*/molecule/*/molecule.yml") if ".cache" not in path.parts)
ALONE = "network_latency", "resource_exhaustion"


def case(path):
    role = path.parents[1].name
    return pytest.param(path, id=f"{role}-{path.name}", marks=[pytest.mark.alone] if role in ALONE else [])


@pytest.mark.parametrize("scenario", [case(path) for path in SCENARIOS])
def test_scenario(scenario, docker_engine, tmp_path):
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
    ran = subprocess.run(
        [sys.executable, "-m", "molecule", "test", "--scenario-name", scenario.name],
        cwd=scenario.parents[1],
        env={
            **inherited,
            "LC_ALL": "C.UTF-8",
            "NO_COLOR": "1",
            "PATH": f"{sys.prefix}/bin:{os.environ['PATH']}",
            "GAMEDAY_REPORTS": str(tmp_path),
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert ran.returncode == 0, ran.stdout[-20000:]
