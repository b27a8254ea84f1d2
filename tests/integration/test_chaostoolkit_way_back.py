# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A foreign experiment is covered by the promise, too: what it breaks is put back, whoever dies first. And no secret of it is told."""

from __future__ import annotations

import json
import pathlib
import signal
import subprocess
import time

import chaosreport
import pytest
from chaostoolkit_table import act, experiment, process

ROOT = pathlib.Path(__file__).parents[2]
PLAYBOOK = ROOT / "playbooks/chaostoolkit.yml"
VICTIM = "sleep 7391"
INLINE, FROM_ENVIRONMENT = "opensesame-inline", "opensesame environment"


@pytest.fixture
def victim():
    subprocess.Popen(["setsid", "-f", *VICTIM.split()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).wait()
    yield lambda: subprocess.run(["pgrep", "-f", f"^{VICTIM}$"], capture_output=True, text=True).stdout.split()
    subprocess.run(["pkill", "-KILL", "-f", f"^{VICTIM}$"], check=False)


def written(folder, document):
    file = folder / "experiment.json"
    file.write_text(json.dumps(document).replace("@FOLDER@", str(folder)))
    return file


def becomes(condition, seconds):
    limit = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > limit:
            return False
        time.sleep(0.1)
    return True


def ledger():
    """What the host knows of its faults, for a person."""
    return subprocess.run("cd /var/lib/gameday && date && grep -r . faults ended --include=ended --include=lease | tail; ls -l faults; ps -ef | grep -w revert",
                          shell=True, capture_output=True, text=True).stdout


RUNS = process("it runs", "pgrep", "-f", f"^{VICTIM}$", tolerance=0)
KILL = act("kill it", "pkill", "-KILL", "-f", f"^{VICTIM}$")


@pytest.mark.parametrize("ends", [
    pytest.param({"chaostoolkit_duration": 8}, id="by its timer"),
    pytest.param({"chaostoolkit_duration": 300, "experiment_lease": 8}, id="by its lease", marks=pytest.mark.long)])
def test_whoever_kills_the_controller_it_comes_back_and_nothing_is_told(run_playbook, tmp_path, victim, ends):
    assert becomes(victim, 5)
    before = victim()
    document = experiment(
        [
            {**act("tells", "echo", "${inline} and ${environment}"), "tolerance": {"type": "regex", "target": "stdout", "pattern": "${environment}"}},
            KILL,
            {**act("later", "touch", "${folder}/later"), "pauses": {"before": 6}},
        ],
        probes=[RUNS],
        rollbacks=[],
        secrets={"shop": {"inline": INLINE, "environment": {"type": "env", "key": "GAMEDAY_TEST_SECRET"}}},
    )
    run = run_playbook(
        PLAYBOOK,
        extra_vars={"experiment": str(written(tmp_path, document)), **ends},
        env={"GAMEDAY_TEST_SECRET": FROM_ENVIRONMENT},
        background=True,
    )
    run.wait_for("Activity: later")
    assert victim() == []
    run.send(signal.SIGKILL)
    run.wait()
    assert becomes(victim, 30), f"the host did not put it back: {ledger()}"
    assert victim() != before
    assert not (tmp_path / "later").exists(), "an action was done although its controller had died in the pause before"
    (journal,) = run.journals()
    assert (journal["status"], journal["verdict"]) == ("interrupted", "not_restored")
    assert [entry["activity"]["name"] for entry in journal["run"]] == ["tells", "kill it"]
    assert journal["toolkit"]["covered"] == ["kill it"] and journal["run"][1]["fault"].startswith("process/")
    assert journal["experiment"]["title"] in chaosreport.generate_report(journal)
    everything = run.stdout + run.stderr + "".join(file.read_text() for file in run.reports.iterdir())
    assert "tells" in everything and INLINE not in everything and FROM_ENVIRONMENT not in everything
    assert not journal["run"][0]["finding"], "it was judged by the secret that is hidden now"


@pytest.mark.long
def test_the_preview_names_the_process_and_the_way_back_and_touches_nothing(run_playbook, tmp_path, victim):
    assert becomes(victim, 5)
    before = victim()
    file = written(tmp_path, experiment([KILL], probes=[RUNS]))
    run = run_playbook(PLAYBOOK, extra_vars={"experiment": str(file)}, arguments=["--check"])
    assert run.rc == 0, run
    assert f"sleep (pid {before[0]})" in run.stdout and "start_process" in run.stdout and "PREVIEW" in run.stdout
    assert victim() == before and not (tmp_path / "rolled").exists()
    refused = run_playbook(PLAYBOOK, extra_vars={"experiment": str(file), "chaostoolkit_dry": "pause"}, arguments=["--check"])
    assert refused.rc != 0 and "does all the actions, and --check does none" in refused.stdout


@pytest.mark.long
def test_a_container_comes_back_by_recover_by_its_rollbacks_and_by_its_timer(run_playbook, tmp_path, containers, base_image):
    made = containers("cache", base_image, ["sleep", "7392"])
    name = made.name

    def state():
        made.reload()
        return made.status

    up = process("it runs", "docker", "inspect", "--format", "{{.State.Status}}", name, tolerance={"type": "regex", "target": "stdout", "pattern": "running"})
    stop = act("stop it", "docker", "stop", "--time", "0", name, timeout=30)
    start = act("start it", "docker", "start", name, timeout=30)
    for number, (rollbacks, ended_by) in enumerate((([], "recover"), ([start], "recover"))):
        folder = tmp_path / str(number)
        folder.mkdir()
        run = run_playbook(
            PLAYBOOK,
            extra_vars={
                "experiment": str(written(folder, experiment([stop], probes=[up], rollbacks=rollbacks))),
                "chaostoolkit_hypothesis_strategy": "before-method-only",
                "experiment_recovery": 10,
            },
        )
        (journal,) = run.journals()
        assert run.rc == 0 and journal["verdict"] == "passed" and state() == "running", run
        assert journal["faults"][0]["claim"] == f"container/{name}" and journal["faults"][0]["ended_by"] == ended_by
        assert journal["faults"][0]["inject"] == [f"docker stop --time 0 {name}"]
    killed = run_playbook(
        PLAYBOOK,
        extra_vars={"experiment": str(written(tmp_path, experiment([stop, act("wait", "sleep", "60", timeout=70)], probes=[up]))), "chaostoolkit_duration": 10},
        background=True,
    )
    killed.wait_for("Activity: wait")
    assert state() == "exited"
    killed.send(signal.SIGKILL)
    assert becomes(lambda: state() == "running", 25)


def test_a_load_is_watched_while_it_runs_and_ended_by_the_host(run_playbook, tmp_path):
    load = act("burn", "stress-ng", "--cpu", "1", "--timeout", "61", "--quiet", timeout=70)
    always = process("always", "true", tolerance=0)
    run = run_playbook(
        PLAYBOOK,
        extra_vars={"experiment": str(written(tmp_path, experiment([load], probes=[always], rollbacks=[]))), "chaostoolkit_duration": 7},
        background=True,
    )
    assert becomes(lambda: subprocess.run(["pgrep", "-f", "stress-ng --cpu 1 --timeout 61"], capture_output=True).returncode == 0, 40)
    run.send(signal.SIGKILL)
    assert becomes(lambda: subprocess.run(["pgrep", "-f", "stress-ng --cpu 1 --timeout 61"], capture_output=True).returncode == 1, 25)


@pytest.mark.long
def test_on_several_hosts_each_does_it_and_each_is_named(run_playbook, tmp_path, netns_hosts):
    names = netns_hosts.names[:2]
    # The hosts have their own network and ledger, and the files of this machine.
    document = experiment(
        [act("note", "sh", "-c", "echo $(hostname) > /tmp/noted-@HOST@"), process("noted", "cat", "/tmp/noted-@HOST@")],
        probes=[process("up", "true", tolerance=0)],
        rollbacks=[act("forget", "rm", "-f", "/tmp/noted-@HOST@")],
    )
    file = tmp_path / "experiment.json"
    file.write_text(json.dumps(document).replace("@FOLDER@", "/tmp").replace("@HOST@", tmp_path.name))
    run = run_playbook(PLAYBOOK, netns_hosts, extra_vars={"experiment": str(file), "chaos_hosts": ":".join(names)})
    (journal,) = run.journals()
    assert run.rc == 0 and journal["verdict"] == "passed", run
    assert sorted((entry["host"], entry["activity"]["name"]) for entry in journal["run"]) == sorted(
        (name, what) for name in names for what in ("note", "noted")
    )


@pytest.mark.long
@pytest.mark.parametrize(
    "document",
    [
        experiment([{"type": "action", "name": "x"}]),
        {"title": "t"},
        experiment([act("x", "true")], probes=[process("no tolerance", "true")]),
        experiment([{"ref": "nobody"}]),
        {**experiment([act("x", "true")]), "runtime": {"rollbacks": {"strategy": "sometimes"}}},
        experiment([act("x", "true")], configuration={"k": {"type": "env", "key": "GAMEDAY_NOT_SET"}}),
        experiment([act("x", "true")], secrets={"g": {"k": {"type": "vault", "path": "a/b"}}}),
        experiment(
            [act("touch", "touch", "${folder}/done")],
            configuration={"k": {"type": "probe", "name": "p", "provider": {"type": "process", "path": "false", "timeout": 3}}},
        ),
    ],
    ids=["no provider", "no method", "no tolerance", "no such activity", "no such strategy", "not set", "vault", "not told"],
)
def test_what_cannot_be_run_is_said_with_its_key_and_nothing_is_done(document, run_playbook, tmp_path):
    run = run_playbook(PLAYBOOK, extra_vars={"experiment": str(written(tmp_path, document))})
    assert run.rc != 0 and "Traceback" not in run.stdout + run.stderr and "Nothing was touched" in run.stdout, run
    assert any(key in run.stdout for key in ("provider", "method", "tolerance", "ref", "strategy", "configuration.k", "secrets.g.k")), run
    assert not (tmp_path / "done").exists() and not (tmp_path / "rolled").exists()
