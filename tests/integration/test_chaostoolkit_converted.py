# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An experiment of Chaos Toolkit and the role it is converted into, both run on the same system: the same verdict, and journals that say the same."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest
import yaml
from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_convert import convert
from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_file import load

ROOT = pathlib.Path(__file__).parents[2]
CORPUS = ROOT / "tests/chaostoolkit"
DEMO = ROOT / "inventories/demo"


@pytest.fixture
def converted(run_playbook, tmp_path):
    """The path of the playbook that a file is converted into; its role lies where Ansible looks for it, beside."""
    def written(path, name):
        run = run_playbook(ROOT / "playbooks/chaostoolkit_convert.yml", DEMO, {"experiment": str(path), "new_name": name, "destination": str(tmp_path / name)})
        assert run.rc == 0, run
        return tmp_path / name / "playbooks" / (name + ".yml")
    return written


def met(state):
    """None where nobody looked."""
    return state and state["steady_state_met"]


def told(journal):
    """
    What a journal says, whichever way it came about. Not C(after): with Chaos Toolkit that is the look at the end of the method, while it is broken,
    and here the one once everything is put back. Not C(deviated) either: with Chaos Toolkit no probe of the method can make it so.
    """
    states = journal["steady_states"]
    return {
        "title": journal["experiment"]["title"], "verdict": journal["verdict"], "status": journal["status"],
        "restored": journal["restored"], "before": met(states["before"]),
        "probes": [probe["activity"]["name"] for probe in (states["before"] or {}).get("probes") or []],
    }


def judged(journal, *names):
    """
    How each activity of the method ended, by its name without what the two ways of writing it make of it. With Chaos Toolkit a probe whose tolerance is
    not met has succeeded.
    """
    found = {}
    for entry in journal["run"]:
        name, ended = entry["activity"]["name"].lower().replace("-", " "), "failed" if entry.get("tolerance_met") is False else entry["status"]
        found.update({one: ended for one in names if one in name})
    return found


CASES = [
    pytest.param("demo_database_hangs.yaml", lambda system: {"api_url": system.url, "pid_file": system.pid_files["database"]}, "",
                 "passed", ["freeze postgres", "says so honestly"], id="passed"),
    pytest.param("demo_database_hangs.yaml", lambda system: {"api_url": system.url, "pid_file": system.pid_files["database"]}, "error",
                 "deviated", ["freeze postgres", "says so honestly"], id="deviated", marks=pytest.mark.long),
    pytest.param("demo_slow_network.json", lambda system: {"api_url": system.url, "proxy_url": system.proxy_api}, "",
                 "passed", ["add latency", "still serves"], id="slow", marks=pytest.mark.long),
]


@pytest.mark.parametrize(("file", "variables", "fragile", "verdict", "names"), CASES)
def test_the_original_and_what_it_is_converted_into_say_the_same(file, variables, fragile, verdict, names, run_playbook, converted, voiceassist_processes):
    system, name = voiceassist_processes, "converted_experiment"
    system.up(fragile=fragile)
    try:
        given = variables(system)
        original = run_playbook(ROOT / "playbooks/chaostoolkit.yml", None, {"experiment": str(CORPUS / file), **given})
        playbook = converted(CORPUS / file, name)
        other = run_playbook(playbook, None, {"%s_%s" % (name, key): value for key, value in given.items()},
                             {"ANSIBLE_ROLES_PATH": str(playbook.parents[1] / "roles")})
        assert_alike(original, other, verdict, names)
    finally:
        system.up()


def assert_alike(original, other, verdict, names):
    (first,), (second,) = original.journals(), other.journals()
    assert first["verdict"] == verdict, original
    assert told(second) == told(first), other
    assert judged(second, *names) == judged(first, *names), other
    assert set(judged(first, *names)) == set(names)
    assert second["faults"], "the converted experiment uses a fault module"


@pytest.mark.long
@pytest.mark.parametrize(("file", "names"), [
    ("database_failure.yaml", ["stop postgres", "degrades gracefully", "an alert fires", "keep the log"]),
    ("network_latency.yaml", ["add latency", "answers all the same"]),
])
def test_the_same_on_the_lab_in_docker_compose(file, names, run_playbook, converted, compose_lab, tmp_path):
    path, values, environment = compose_lab.foreign(CORPUS / file, tmp_path)
    original = run_playbook(ROOT / "playbooks/chaostoolkit.yml", None, {"experiment": str(path), "chaostoolkit_directory": str(ROOT / "lab"), **values},
                            environment)
    playbook = converted(path, "converted_experiment")
    given = {"compose_directory": str(ROOT / "lab"), **values}
    other = run_playbook(playbook, None, {"converted_experiment_%s" % key: value for key, value in given.items()},
                         {**environment, "ANSIBLE_ROLES_PATH": str(playbook.parents[1] / "roles")})
    assert_alike(original, other, "passed", names)


@pytest.mark.long
def test_what_is_converted_passes_the_linter(tmp_path):
    """As strict as this repository's own roles are linted, with its own settings. yamllint: the unit tests."""
    for path in sorted(CORPUS.iterdir()):
        for place, text in convert(load(path), path.stem).files.items():
            (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / place).write_text(text)
    settings = yaml.safe_load((ROOT / ".ansible-lint").read_text())
    (tmp_path / ".ansible-lint").write_text(yaml.safe_dump({**settings, "exclude_paths": []}))
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"), "PATH": "%s/bin:%s" % (sys.prefix, os.environ["PATH"])}
    ran = subprocess.run(["ansible-lint", "--strict", "--nocolor", "-p", "playbooks", "roles"], cwd=tmp_path, env=environment, capture_output=True, text=True,
                         check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_nothing_is_overwritten_unless_it_is_asked_for(run_playbook, tmp_path):
    arguments = {"experiment": str(CORPUS / "redis_unavailable.yaml"), "new_name": "kept", "destination": str(tmp_path / "there")}
    method = tmp_path / "there/roles/kept/tasks/method.yml"
    method.parent.mkdir(parents=True)
    method.write_text("mine")
    run = run_playbook(ROOT / "playbooks/chaostoolkit_convert.yml", DEMO, arguments)
    assert run.rc == 2 and "-e force=true" in run.stdout and method.read_text() == "mine", run
