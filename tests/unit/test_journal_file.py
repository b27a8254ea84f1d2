# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal on disk, and real playbooks that end well or are killed."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
from ansible_collections.gameday.chaos.plugins.plugin_utils import journal_file
from ansible_collections.gameday.chaos.plugins.plugin_utils.chronicle import slug
from experiment_events import Script, chronicle_of, passed, valid_for_the_toolkit

ROOT = pathlib.Path(__file__).parents[2]


# The file


def experiment_of(script):
    return chronicle_of(script).experiments[0]


def test_the_name_is_free_and_safe(tmp_path):
    script = passed()
    paths = [journal_file.JournalFile(str(tmp_path), experiment_of(script)).path for number in range(3)]
    assert [os.path.basename(path) for path in paths] == [f"database_failure-20261124-031502{more}.json" for more in ("", "-2", "-3")]
    assert slug("../../etc/passwd") == "etc_passwd" and slug("///") == "experiment"


def test_snapshots_rest_and_the_last_one_is_whole(tmp_path, monkeypatch):
    file = journal_file.JournalFile(str(tmp_path / "new" / "reports"), experiment_of(passed()))
    written = []
    replace = file.replace
    monkeypatch.setattr(file, "replace", lambda: (written.append(time.monotonic()), replace()))
    file.append()
    until = time.monotonic() + 0.5
    while time.monotonic() < until:
        file.snapshot()
    taken = len(written)
    assert 1 <= taken < 200
    file.close()
    assert json.loads(pathlib.Path(file.path).read_text())["verdict"] == "passed"
    assert os.listdir(tmp_path / "new" / "reports") == [os.path.basename(file.path)]


def test_numbers_of_a_series_are_on_one_line(tmp_path):
    text = journal_file.dump({"a": [1.5, None, -2, 3e-05], "b": ["[\n 1,\n 2 ]"], "c": []})
    assert "[1.5, null, -2, 3e-05]" in text and json.loads(text) == {"a": [1.5, None, -2, 3e-05], "b": ["[\n 1,\n 2 ]"], "c": []}


# The real thing


MODULE = """
import json, time
from ansible.module_utils.basic import AnsibleModule
options = {"result": {"type": "str"}, "seconds": {"type": "float", "default": 0}, "password": {"no_log": True}, "failed": {"type": "bool"}}
module = AnsibleModule(options, supports_check_mode=True)
time.sleep(module.params["seconds"])
result = json.loads(module.params["result"] or "{}")
if module.params["failed"]:
    module.fail_json(msg="it failed", **result)
module.exit_json(**result)
"""

PLAYBOOK = """
- name: By hand
  hosts: localhost
  gather_facts: false
  tasks:
    - block:
        - name: Break
          told: {result: '{{ {"fault": fault} | to_json }}', password: hunter2}
        - name: Watch
          told: {result: '{{ {"observation": observation} | to_json }}', seconds: '{{ seconds | default(0) }}'}
          loop: [1, 2]
        - name: Ordinary
          told: {failed: true}
      rescue:
        - ansible.builtin.include_tasks: evidence.yml
      always:
        - block:
            - name: Put back
              told: {result: '{{ {"recovery": recovery} | to_json }}'}
              no_log: '{{ hidden | default(false) }}'
"""


@pytest.fixture
def project(tmp_path):
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "told.py").write_text(MODULE)
    (tmp_path / "play.yml").write_text(PLAYBOOK)
    (tmp_path / "evidence.yml").write_text("- name: See the log\n  ansible.builtin.command: echo password=hunter2\n")
    script = Script("localhost")
    variables = {"fault": script.fault_dict("localhost"), "recovery": script.recovery(), "observation": script.observation()}
    (tmp_path / "variables.json").write_text(json.dumps(variables))
    (tmp_path / "ansible.cfg").write_text(
        f"[defaults]\ncollections_path = {ROOT / 'collections'}\ncallbacks_enabled = gameday.chaos.journal\n"
        f"stdout_callback = gameday.chaos.story\ninterpreter_python = {sys.executable}\nlibrary = library\nlocalhost_warning = False\n")
    return tmp_path


def start(project, *arguments, **environment):
    command = [os.path.join(os.path.dirname(sys.executable), "ansible-playbook"), "play.yml", "-e", "@variables.json", *arguments]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "GAMEDAY_"))}
    inherited.update(ANSIBLE_CONFIG=str(project / "ansible.cfg"), LC_ALL="C.UTF-8", **environment)
    return subprocess.Popen(command, cwd=project, env=inherited, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def written(project):
    return [json.loads(path.read_text()) for path in sorted((project / "reports").glob("*.json"))]


def test_a_real_play(project):
    output = start(project).communicate()[0]
    (document,) = written(project)
    valid_for_the_toolkit(document)
    assert document["verdict"] == "errored" and document["restored"] is True, output
    ran = [(entry["task"], entry.get("item")) for entry in document["run"]]
    assert ran == [("Break", None), ("Watch", "1"), ("Watch", "2"), ("Ordinary", None)]
    assert [entry["task"] for entry in document["rollbacks"]] == ["Put back"]
    assert [one["name"] for one in document["evidence"]] == ["See the log"]
    assert document["run"][0]["activity"]["provider"]["arguments"]["password"] == "***"
    assert "hunter2" not in json.dumps(document) and "hunter2" not in output
    assert [path.suffix for path in (project / "reports").iterdir()] == [".json"]
    assert "DEPRECATION" not in output and "Traceback" not in output


def test_no_log_keeps_name_and_status_only(project):
    start(project, "-e", "hidden=true").communicate()
    (document,) = written(project)
    entry = document["rollbacks"][0]
    assert entry["task"] == "Put back" and entry["status"] == "succeeded" and entry["output"] is None
    assert document["verdict"] == "not_restored"  # what nobody was shown is not proved


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_killed(project, number):
    process = start(project, "-e", "seconds=5")
    limit = time.monotonic() + 30
    while not any(document["verdict"] == "not_restored" for document in written(project)):
        assert time.monotonic() < limit
        time.sleep(0.05)
    process.send_signal(number)
    output = process.communicate()[0] if number == signal.SIGINT else process.wait()
    (document,) = written(project)
    valid_for_the_toolkit(document)
    assert (document["status"], document["verdict"], document["restored"]) == ("interrupted", "not_restored", False)
    assert "the controller did not finish" in document["reason"] and document["faults"][0]["way_back"] in journal_file.dump(document)
    events = list((project / "reports").glob("*.events.jsonl"))
    assert len(events) == (0 if number == signal.SIGINT else 1)
    for line in events[0].read_text().splitlines() if events else ():
        json.loads(line)
    if number == signal.SIGINT:
        assert "NOT RESTORED" in output and document["faults"][0]["way_back"] in output


def test_a_directory_that_cannot_be_written_to(project):
    (project / "file").touch()
    output = start(project, GAMEDAY_REPORTS="file/reports").communicate()[0]
    assert output.count("No journal of this experiment is written") == 1 and "Traceback" not in output
    assert "ERRORED" in output and not list(project.rglob("*.json*"))[1:]


def test_check_mode_writes_nothing_unless_asked(project):
    start(project, "--check").communicate()
    assert not (project / "reports").exists()
    start(project, "--check", GAMEDAY_JOURNAL_PREVIEW="true").communicate()
    assert written(project)[0]["experiment"]["dry"] == "activities"
