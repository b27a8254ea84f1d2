# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An experiment of Chaos Toolkit becomes a role with fault modules where one fits, whose tasks the modules take."""

from __future__ import annotations

import importlib
import pathlib
import subprocess
import sys
from types import SimpleNamespace

import pytest
import yaml
from ansible_collections.gameday.chaos.plugins.filter.chaostoolkit_convert import converted
from ansible_collections.gameday.chaos.plugins.module_utils import probes
from ansible_collections.gameday.chaos.plugins.module_utils.fault import FAULT_OPTIONS
from ansible_collections.gameday.chaos.plugins.plugin_utils import chaostoolkit_faults as faults
from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_convert import convert
from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_convert_role import Role
from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_file import FileProblem, load
from chaostoolkit_clean import ACT, BACK, CLEAN, GONE, HYPOTHESIS, PROBE, document, spoiled

ROOT = pathlib.Path(__file__).parents[2]
CORPUS = ROOT / "tests/chaostoolkit"
PACKAGE = "ansible_collections.gameday.chaos.plugins.modules."
POST = {"type": "http", "method": "POST", "headers": {"Content-Type": "application/json"}}


def run(*words):
    return {"type": "process", "path": words[0], "arguments": list(words[1:])}


def shell(text):
    return {"type": "process", "path": "sh", "arguments": ["-c", text]}


# what is run, the fault module and its arguments, and what puts it back
FAULTS = [
    (run("docker", "stop", "db"), "fault_container", {"name": "db", "action": "stop"}, run("docker", "start", "db")),
    (run("docker", "kill", "--signal=TERM", "db"), "fault_container", {"name": "db", "action": "kill", "signal": "TERM"}, run("docker", "restart", "db")),
    (run("docker", "container", "pause", "db"), "fault_container", {"name": "db", "action": "pause"}, run("docker", "unpause", "db")),
    (run("docker", "-H", "tcp://x", "stop", "-t", "3", "db"), "fault_container",
     {"name": "db", "action": "stop", "stop_timeout": 3, "docker_host": "tcp://x"}, run("docker", "start", "db")),
    (run("docker", "compose", "-f", "a.yml", "stop", "db"), "fault_container", {"action": "stop"}, run("docker", "compose", "-f", "a.yml", "up", "-d", "db")),
    (run("docker-compose", "kill", "db"), "fault_container", {"action": "kill"}, run("docker", "compose", "start", "db")),
    ({"type": "process", "path": "docker", "arguments": "stop db"}, "fault_container", {"name": "db", "action": "stop"}, shell("docker start db")),
    (run("systemctl", "stop", "nginx.service"), "fault_service", {"name": "nginx"}, run("sudo", "systemctl", "restart", "nginx")),
    (run("service", "nginx", "stop"), "fault_service", {"name": "nginx"}, run("service", "nginx", "start")),
    (shell("kill -STOP $(cat /run/x.pid)"), "fault_process", {"pid_file": "/run/x.pid", "action": "stop"}, shell("kill -CONT $(cat /run/x.pid)")),
    (shell("kill -9 `pidof redis-server`"), "fault_process", {"name": "redis-server", "action": "kill", "signal": "KILL"}, None),
    (run("pkill", "-9", "-f", "celery worker"), "fault_process", {"pattern": "celery worker", "action": "kill", "signal": "KILL"}, None),
    (run("killall", "-s", "STOP", "redis-server"), "fault_process", {"name": "redis-server", "action": "stop"}, run("killall", "-CONT", "redis-server")),
    (run("tc", "qdisc", "add", "dev", "eth0", "root", "netem", "delay", "0.1s", "20ms", "25%", "distribution", "normal"), "fault_network",
     {"interface": "eth0", "delay": 100, "jitter": 20, "correlation": 25, "distribution": "normal"}, run("tc", "qdisc", "del", "dev", "eth0", "root")),
    (run("sudo", "tc", "qdisc", "replace", "dev", "eth0", "root", "netem", "loss", "random", "5%", "rate", "1mbit"), "fault_network",
     {"interface": "eth0", "loss": 5, "rate": 1000}, run("sudo", "tc", "qdisc", "delete", "dev", "eth0", "root", "netem")),
    (run("stress-ng", "--cpu", "2", "--cpu-load", "80", "--timeout", "1m"), "fault_cpu", {"workers": 2, "load": 80}, run("pkill", "stress-ng")),
    (run("stress-ng", "--vm", "1", "--vm-bytes", "256M"), "fault_memory", {"bytes": "256MiB"}, run("killall", "stress-ng")),
    (run("stress-ng", "--hdd", "2", "--hdd-bytes", "1g"), "fault_io", {"path": "/var/tmp", "workers": 2, "bytes": "1GiB"}, None),
    (run("docker", "exec", "api", "stress-ng", "--cpu", "0"), "fault_cpu", {"container": "api"}, run("docker", "exec", "api", "pkill", "stress-ng")),
    ({**POST, "url": "${p}/proxies/db/toxics", "arguments": {"type": "latency", "attributes": {"latency": 500}}}, "fault_proxy",
     {"api": "${p}", "name": "db", "type": "latency", "latency": 500},
     {"type": "http", "method": "DELETE", "url": "${p}/proxies/db/toxics/latency_downstream"}),
    ({**POST, "url": "http://p/proxies/db", "arguments": {"enabled": False}}, "fault_proxy", {"api": "http://p", "name": "db", "type": "down"},
     {**POST, "url": "http://p/proxies/db", "arguments": {"enabled": True}}),
    ({**POST, "url": "http://p/proxies/db", "arguments": {"enabled": False}}, "fault_proxy", {"api": "http://p", "name": "db", "type": "down"},
     {"type": "http", "method": "POST", "url": "http://p/reset"}),
]

# What looks like one, and is not understood in every word.
UNKNOWN = [
    run("docker", "stop"), run("docker", "rm", "-f", "db"), run("docker", "compose", "stop"), run("docker", "compose", "down"),
    run("docker", "--unknown", "stop", "db"), run("docker", "stop", "--time", "soon", "db"), run("docker", "exec", "api", "rm", "-rf", "/"),
    shell("docker stop db && touch /x"), shell("docker stop $(docker ps -q)"), shell("docker stop db | cat"),
    run("systemctl", "stop", "x.socket"), run("systemctl"), run("kill", "-9", "4711"), run("kill", "-HUP", "4711"), run("pkill", "red.*"),
    run("pkill", "-HUP", "nginx"), run("stress-ng", "--cpu", "many"), run("stress-ng"),
    run("tc", "qdisc", "add", "dev", "eth0", "ingress"), run("tc", "qdisc", "add", "dev", "eth0", "root", "tbf", "rate", "1mbit"),
    run("tc", "qdisc", "add", "dev", "eth0", "root", "netem", "delay", "${d}ms"),
    {**POST, "url": "http://p/proxies/db/toxics", "arguments": {"type": "loss"}}, {"type": "http", "url": "http://p/proxies/db/toxics"},
    {**POST, "url": "http://shop/orders", "arguments": {}}, {"type": "python", "module": "m", "func": "f"},
]


@pytest.mark.parametrize(("provider", "module", "arguments", "back"), FAULTS, ids=[str(row[0].get("arguments", row[0].get("url"))) for row in FAULTS])
def test_what_a_fault_module_does_as_well_is_recognised_and_so_is_its_undoing(provider, module, arguments, back):
    fault, = faults.recognise({"provider": provider})
    assert (fault.module, fault.arguments) == (module, arguments)
    options = importlib.import_module(PACKAGE + module).OPTIONS
    assert set(arguments) <= set(options)
    if back:
        assert faults.undone_by(fault, {"provider": back}) and not faults.undone_by(fault, {"provider": run("docker", "start", "another")})


@pytest.mark.parametrize("provider", UNKNOWN, ids=str)
def test_what_is_not_understood_in_every_word_is_not_recognised(provider):
    assert faults.recognise({"provider": provider}) == []


def tasks_of(text):
    found = []
    for task in yaml.safe_load(text) or []:
        assert task["name"][0].isupper() or not task["name"][0].isalpha()
        module = next(key for key in task if "." in key)
        found.append((module.rpartition(".")[2] if module.startswith("gameday") else module, task[module] or {}, task))
    return found


def converted_tasks(changes, part="method"):
    found = convert(document(spoiled(changes)), "test_it")
    return tasks_of(found.files.get("roles/test_it/tasks/%s.yml" % part, "[]")), found


def check_options(kind, arguments):
    if kind.startswith("fault_"):
        assert set(arguments) <= {*importlib.import_module(PACKAGE + kind).OPTIONS, *FAULT_OPTIONS}, kind
    elif kind.startswith("probe_"):
        assert set(arguments) <= set(probes.load(kind).OPTIONS), kind
    elif kind == "steady_state":
        for probe in arguments["probes"] if isinstance(arguments["probes"], list) else ():
            check_options(*next((key, value) for key, value in probe.items() if key != "name"))


@pytest.mark.parametrize("path", sorted(CORPUS.iterdir()), ids=lambda path: path.stem)
def test_every_task_and_probe_has_only_options_that_its_module_has(path):
    found = convert(load(path))
    assert set(found.files) >= {"playbooks/%s.yml" % found.name, *("roles/%s/%s.yml" % (found.name, part) for part in (
        "tasks/main", "tasks/method", "defaults/main", "meta/argument_specs", "meta/main"))}
    for file, text in found.files.items():
        if "/tasks/" in file:
            for kind, arguments, _task in tasks_of(text):
                check_options(kind, arguments)
    defaults = yaml.safe_load(found.files["roles/%s/defaults/main.yml" % found.name])
    check_options("steady_state", {"probes": defaults[found.name + "_steady_state"]})
    described = yaml.safe_load(found.files["roles/%s/meta/argument_specs.yml" % found.name])["argument_specs"]["main"]["options"]
    assert set(defaults) == {name for name, option in described.items() if not option.get("required")}
    assert not any(word in str(found.files) for word in ("hunter", "!unsafe"))


def test_what_many_write_becomes_what_one_would_write_here():
    found = convert(load(CORPUS / "database_failure.yaml"), "database_gone")
    method = found.files["roles/database_gone/tasks/method.yml"]
    kinds = [kind for kind, _arguments, _task in tasks_of(method)]
    assert kinds == ["ansible.builtin.command", "fault_container", "ansible.builtin.wait_for", "probe_http", "probe_command", "probe_command"]
    assert tasks_of(method)[3][1]["status"] == [503, 500]
    assert method.count('chdir: "{{ database_gone_compose_directory }}"') == method.count("[docker, compose, ") == 2
    assert "# rollbacks[0], start-postgres, is left out: fault_container puts it back by itself." in method
    assert "rollbacks.yml" not in str(list(found.files)) and found.notes == []


@pytest.mark.parametrize(("argv", "its"), [
    (["docker", "compose", "stop", "db"], True), (["/usr/bin/docker-compose", "stop", "db"], True), (["sudo", "docker", "compose", "ps"], True),
    (["sh", "-c", "docker compose ps | grep -c Up"], True), (["docker", "compose", "-f", "lab.yml", "ps"], True),
    (["docker", "compose", "-f", "/opt/app/compose.yml", "ps"], False), (["docker-compose", "--file=/opt/app/compose.yml", "ps"], False),
    (["docker", "compose", "--project-directory", "/opt/app", "ps"], False), (["sh", "-c", "cd /opt/app && docker compose ps"], False),
    (["grep", "x", "/opt/app/docker-compose.yml"], False), (["docker", "ps"], False), ([], False),
])
def test_docker_compose_is_run_where_its_project_is_unless_it_says_itself(argv, its):
    assert bool(Role.folder_for(SimpleNamespace(compose_directory=lambda: "there"), argv)) is its


def test_a_killed_process_is_started_again_by_what_the_original_has_for_it():
    kill = {"type": "action", "name": "kill", "provider": shell("kill -9 $(cat /run/x.pid)")}
    tasks, _found = converted_tasks({ACT: kill, BACK: {"type": "action", "name": "start", "provider": run("/srv/start", "x y")}})
    assert tasks[0][0] == "fault_process" and tasks[0][1]["restart"] == ["/srv/start", "x y"]
    tasks, found = converted_tasks({ACT: kill, ("rollbacks",): []})
    assert tasks[0][1]["supervised"] is True and "Nothing in the original starts it again" in found.files["roles/test_it/tasks/method.yml"]


def test_what_nobody_knows_is_done_as_it_is_and_undone_whatever_happens():
    tasks, found = converted_tasks({})
    assert tasks[0][0] == "ansible.builtin.command" and tasks[0][1]["argv"] == ["true", "stop", "cache"]
    main = yaml.safe_load(found.files["roles/test_it/tasks/main.yml"])[0]["vars"]
    assert main["experiment_rollbacks"].endswith("/tasks/rollbacks.yml")
    assert main["experiment_account"] == {"acted": "{{ (['Stop cache'] if test_it_done is defined else []) }}"}
    assert [kind for kind, _arguments, _task in tasks_of(found.files["roles/test_it/tasks/rollbacks.yml"])] == ["ansible.builtin.command"]


@pytest.mark.parametrize(("provider", "tolerance", "kind", "options"), [
    ({"type": "http"}, 503, "probe_http", {"status": [503]}),
    ({"type": "http"}, {"type": "regex", "pattern": "^ok$", "target": "body"}, "probe_http", {"body_matches": "^ok$"}),
    ({"type": "http"}, {"type": "jsonpath", "path": "$.a.b", "expect": "up", "target": "body"}, "probe_http", {"json": {"$.a.b": "up"}}),
    ({"type": "http"}, {"type": "jsonpath", "path": "$.body.a", "expect": ["up"]}, "probe_http", {"json": {"$.a": "up"}}),
    ({"type": "http"}, {"type": "all", "tolerances": [[200, 503], 503]}, "probe_http", {"status": [503]}),
    ({"type": "http"}, {"type": "range", "range": [200, 202], "target": "status"}, "probe_http", {"status": [200, 201, 202]}),
    (run("true"), 0, "probe_command", {"command": ["true"]}),
    (run("true"), [1, 2], "probe_command", {"rc": [1, 2]}),
    (run("true"), {"type": "regex", "pattern": "x", "target": "stdout"}, "probe_command", {"stdout_matches": "x"}),
    (shell("a | b"), 0, "probe_command", {"command": ["sh", "-c", "a | b"]}),
    ({"type": "process", "path": "a", "arguments": "b | c $HOME"}, 0, "probe_command", {"command": ["sh", "-c", "a b | c $HOME"]}),
    ({"type": "python", "module": "m.n", "func": "f"}, "up", "probe_command", {"stdout_matches": '^"up"$'}),
])
def test_a_tolerance_becomes_an_expectation(provider, tolerance, kind, options):
    provider = {"url": "http://127.0.0.1/", **provider} if provider["type"] == "http" else provider
    tasks, _found = converted_tasks({(*PROBE, "provider"): provider, (*PROBE, "tolerance"): tolerance})
    found = next((name, arguments) for name, arguments, _task in tasks if name.startswith("probe_"))
    assert found[0] == kind and options.items() <= found[1].items()


@pytest.mark.parametrize(("text", "expected", "met"), [("[1, 2]", {"operator": "gt", "value": 0}, True), ("[]", {"operator": "gt", "value": 0}, False),
                                                        ("[1]", {"operator": "le", "value": 1}, True)])
def test_an_expectation_that_no_option_has_is_judged_by_a_few_lines_that_work(text, expected, met):
    expect = [{"json": "$.length", **expected}]
    tasks, _found = converted_tasks({(*PROBE, "provider"): {**run("echo", text), "expect": expect}, (*PROBE, "tolerance"): GONE})
    command = next(arguments["command"] for name, arguments, _task in tasks if name == "probe_command")
    assert (subprocess.run([sys.executable, *command[1:]], check=False, capture_output=True).returncode == 0) is met


def test_what_cannot_be_converted_fails_and_is_never_passed_over():
    tasks, found = converted_tasks({(*PROBE, "tolerance"): {"type": "probe", "name": "t", "provider": {"type": "python", "module": "m", "func": "f"}}})
    assert "ansible.builtin.fail" in [name for name, _arguments, _task in tasks]
    assert len(found.notes) == 1 and found.notes[0].startswith("method[1]: ")
    changed = {(HYPOTHESIS, "probes", 0, "tolerance"): {"type": "jsonpath", "path": "$..a", "target": "body"}}
    found = convert(document(spoiled(changed)), "test_it")
    assert yaml.safe_load(found.files["roles/test_it/defaults/main.yml"])["test_it_steady_state"][0]["probe_command"] == {"command": ["false"]}


def test_what_cannot_be_run_is_not_converted(tmp_path):
    with pytest.raises(FileProblem, match="is missing") as told:
        convert(document(spoiled({("title",): GONE})))
    assert told.value.path == ("title",)
    with pytest.raises(FileProblem, match="no name for a role"):
        convert(document(CLEAN), "Not a name")
    path = tmp_path / "x.yaml"
    path.write_text("title: x\nmethod: 3\n")
    assert converted(str(path))["problem"].startswith("%s:" % path)


def test_what_is_written_passes_yamllint(tmp_path):
    for path in sorted(CORPUS.iterdir()):
        for place, text in convert(load(path), path.stem).files.items():
            (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / place).write_text(text)
    command = [sys.executable, "-m", "yamllint", "--strict", "-c", ROOT / ".yamllint", "."]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
