# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same experiment run by the real Chaos Toolkit and by us: the same outcome, or ours is stricter for a reason that is named."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import chaosreport
import pytest
from chaostoolkit_table import parameters, written
from unit.http_servers import serving

ROOT = pathlib.Path(__file__).parents[2]
PLAYBOOK = ROOT / "playbooks/chaostoolkit.yml"


@pytest.fixture(scope="module")
def url():
    with serving() as port:
        yield f"http://127.0.0.1:{port}"


def chaos(file, case):
    """Their journal, or None where there is none, and the exit code."""
    folder = file.parent
    command = [
        f"{sys.prefix}/bin/chaos",
        "--no-version-check",
        "--log-file",
        str(folder / "log"),
        "run",
        "--journal-path",
        str(folder / "journal.json"),
        *case.options,
        str(file),
    ]
    ran = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **case.environment, "PYTHONPATH": str(folder), "HOME": str(folder), "NO_PROXY": "127.0.0.1"},
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )
    journal = folder / "journal.json"
    try:
        return json.loads(journal.read_text()), ran
    except (OSError, ValueError):
        return None, ran


def ours(run_playbook, file, case, **more):
    variables = {
        "experiment": str(file),
        "experiment_recovery": 1,
        "chaostoolkit_directory": str(file.parent),
        "chaostoolkit_python": sys.executable,
        **case.variables,
    }
    return run_playbook(PLAYBOOK, extra_vars=variables, env=case.environment, **more)


def outcome(journal):
    return (journal["status"], journal["deviated"]) if journal else None


@pytest.mark.parametrize("case", parameters())
def test_the_same_file_ends_the_same_way(case, run_playbook, tmp_path, url):
    file = written(case, tmp_path / "theirs", url)
    theirs, ran = chaos(file, case)
    assert outcome(theirs) == case.theirs, f"{ran.stdout}\n{ran.stderr}"
    assert (file.parent / "rolled").exists() == case.rolled_back[0]
    mine = written(case, tmp_path / "ours", url)
    run = ours(run_playbook, mine, case)
    (journal,) = run.journals()
    assert journal["verdict"] == case.verdict, run
    assert (run.rc == 0) == (case.verdict == "passed"), run
    assert outcome(journal) == (case.ours or case.theirs), run
    assert (mine.parent / "rolled").exists() == case.rolled_back[1], run
    agree = (case.verdict == "passed") == (case.theirs == ("completed", False))
    assert agree or case.why, "where we judge differently there must be a reason"
    if theirs and case.verdict not in ("errored",):
        compare(theirs, journal, {str(tmp_path / "theirs"): str(tmp_path / "ours")})
    renders(journal)
    assert not [secret for secret in case.environment.values() if len(secret) > 4 and secret in json.dumps(journal)], journal


def compare(theirs, journal, folders):
    """Activity by activity: what was done, what it gave, and whether it was in its tolerance."""

    def plain(entries):
        text = json.dumps(
            [{"activity": one["activity"], "output": one["output"], "status": one.get("status"), "met": one.get("tolerance_met")} for one in entries]
        )
        for there, here in folders.items():
            text = text.replace(there, here)
        return [without_what_differs(one) for one in json.loads(text)]

    assert (
        [one["activity"]["name"] for one in theirs["rollbacks"]] == [one["activity"]["name"] for one in journal["rollbacks"]]
        or not theirs["rollbacks"]
        or not journal["rollbacks"]
    )
    for section in ("run", "rollbacks"):
        if theirs[section] and journal[section]:
            judged = {"met": None}
            mine = [{**one, **judged} for one in plain(journal[section])]
            assert by_name(mine) == by_name(plain(theirs[section]))
    for look in ("before", "after"):
        if theirs["steady_states"][look]:
            assert plain(journal["steady_states"][look]["probes"]) == plain(theirs["steady_states"][look]["probes"])
            assert journal["steady_states"][look]["steady_state_met"] == theirs["steady_states"][look]["steady_state_met"]
        else:
            assert journal["steady_states"][look] is None
    assert bool(theirs["steady_states"]["during"]) == bool(journal["steady_states"]["during"])


def by_name(entries):
    return sorted(entries, key=lambda one: json.dumps(one["activity"]["name"]))


def without_what_differs(entry):
    """Dates and the client's own headers, the timing of a process that was ended, and secrets, which they have."""
    output = entry["output"]
    if isinstance(output, dict) and "headers" in output:
        output["headers"] = sorted(name for name in output["headers"] if name not in ("Date", "Content-Length"))
        output["body"] = None if isinstance(output.get("body"), str) else output.get("body")
    if entry["status"] == "failed":
        entry["output"] = None
    tolerance = entry["activity"].get("tolerance")
    if isinstance(tolerance, dict) and tolerance["type"] == "probe":
        tolerance["provider"]["arguments"] = {}  # they write the value that was judged into the experiment itself
    text = json.dumps(entry)
    return json.loads(text.replace("sesame-open", "********"))


def renders(journal):
    """As the plugin of Chaos Toolkit makes a report of it."""
    text = chaosreport.generate_report(journal)
    assert journal["experiment"]["title"] in text
