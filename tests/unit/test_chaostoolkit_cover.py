# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which commands and requests of a foreign experiment are known to break something, and what their way back is."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess

import pytest
from ansible_collections.gameday.chaos.plugins.module_utils import chaostoolkit_cover as cover
from ansible_collections.gameday.chaos.plugins.module_utils import process
from ansible_collections.gameday.chaos.plugins.module_utils.command import Answer
from ansible_collections.gameday.chaos.plugins.module_utils.fault import Refused
from ansible_collections.gameday.chaos.plugins.module_utils.way_back import matches
from unit.real_module import Host

from lab.local import begun

IDENTITY = {"web": "aa" * 32, "db": "bb" * 32}


def look(argv):
    """A host with two running containers, a service and an interface. None of them could be had by an ordinary user in a unit test."""
    words = " ".join(argv[1:])
    if "container inspect" in words:
        names = words.partition("inspect ")[2].split()
        found = [
            {"Id": IDENTITY[name], "Name": "/" + name, "State": {"Status": "exited" if name == "old" else "running"}, "HostConfig": {"AutoRemove": False}}
            for name in ({value: key for key, value in IDENTITY.items()}.get(one, one) for one in names)
            if name in IDENTITY
        ]
        return Answer(0, json.dumps(found), "") if len(found) == len(names) else Answer(1, "", "No such container")
    if " ps --quiet" in words or words.startswith("ps --quiet"):
        return Answer(0, IDENTITY["db"] + "\n", "")
    if argv[0] == "systemctl" and "RequiredBy" in words:
        return Answer(0, "RequiredBy=%s\nBoundBy=\n" % ("api.service" if argv[-1] == "redis.service" else ""), "")
    if argv[0] == "systemctl" and "FragmentPath" in words:
        return Answer(0, "ActiveState=active\nFragmentPath=%s\n" % ("/run/systemd/transient/" + argv[-1] if argv[-1] == "job.service" else ""), "")
    if argv[0] == "systemctl":
        return Answer(0, "\n\n".join(["ActiveState=active"] * (len(argv) - 4)) + "\n", "")
    if "link show" in words:
        return Answer(0, json.dumps([{"ifname": "eth0", "ifindex": 2, "flags": ["UP"]}]), "")
    if "qdisc show" in words:
        return Answer(0, json.dumps([{"kind": "fq_codel", "handle": "0:", "root": True}]), "")
    if argv[0] == "pgrep":
        done = subprocess.run(argv, capture_output=True, text=True)
        return Answer(done.returncode, done.stdout, done.stderr)
    raise AssertionError(argv)


def plan(*argv):
    return cover.of_process(list(argv), look, "the activity")


@pytest.mark.parametrize(
    ("argv", "claim", "back", "broken", "whole"),
    [
        (["docker", "stop", "web"], "container/web", [["start", IDENTITY["web"]]], "exited", ["running"]),
        (["/usr/bin/docker", "container", "stop", "-t", "1", "web"], "container/web", [["start", IDENTITY["web"]]], "exited", ["running"]),
        (["sudo", "-n", "docker", "kill", "--signal=TERM", "web"], "container/web", [["start", IDENTITY["web"]]], "exited", ["running"]),
        (
            ["docker", "pause", "web", "db"],
            "container/db,web",
            [[step, IDENTITY[name]] for step in ("unpause", "start") for name in ("db", "web")],
            "paused\npaused",
            ["running\nrunning"],
        ),
        (["/bin/sh", "-c", "/usr/bin/docker stop web"], "container/web", [["start", IDENTITY["web"]]], "exited", ["running"]),
        (["docker", "compose", "-f", "a.yml", "-p", "x", "stop", "db"], "container/db", [["start", IDENTITY["db"]]], "exited", ["running"]),
        (["docker-compose", "kill", "-s", "KILL", "db"], "container/db", [["start", IDENTITY["db"]]], "exited", ["running"]),
    ],
)
def test_containers(argv, claim, back, broken, whole, monkeypatch):
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    found = plan(*argv)
    assert found.claim == claim and [words[-2:] for words in found.revert] == back
    assert matches(broken, found.check.broken) and not matches("running", found.check.broken) and found.check.whole == whole
    assert found.lasting is False


def test_the_engine_is_the_one_that_the_file_means(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.1:2375")
    assert plan("docker", "stop", "web").revert[0][1:3] == ["--host", "tcp://192.0.2.1:2375"]
    assert plan("docker", "-H", "unix:///x", "stop", "web").revert[0][1:3] == ["-H", "unix:///x"]


def test_a_service():
    found = plan("systemctl", "stop", "nginx", "redis.service")
    assert found.revert == [["systemctl", "start", "nginx.service", "redis.service", "api.service"]], "api.service needs Redis, and goes down with it"
    assert found.holds == ["unit nginx.service", "unit redis.service", "unit api.service"]
    down = "ActiveState=inactive\n\nActiveState=failed\n\nActiveState=inactive"
    assert matches(down, found.check.broken) and not matches(down.replace("inactive", "active", 1), found.check.broken)
    assert plan("systemctl", "stop", "nginx").revert == [["systemctl", "start", "nginx.service"]]


@pytest.mark.parametrize(
    "argv",
    [
        ["tc", "qdisc", "add", "dev", "eth0", "root", "netem", "delay", "100ms"],
        ["sudo", "tc", "qdisc", "replace", "dev", "eth0", "root", "handle", "1:", "netem", "loss", "5%"],
    ],
)
def test_packets(argv):
    found = plan(*argv)
    assert found.claim == "qdisc/eth0" and found.revert == [["tc", "qdisc", "del", "dev", "eth0", "root"]]
    assert matches("qdisc netem 1: root refcnt 2 limit 1000", found.check.broken) and matches("qdisc fq_codel 0: root refcnt 2", found.check.whole)
    assert not matches("qdisc netem 1: root", found.check.whole)


def test_a_load_is_ended_as_a_session():
    found = plan("stress-ng", "--cpu", "2", "--timeout", "60s")
    assert isinstance(found, cover.Load) and found.plan.revert == [["end_load", found.file]] and "the activity" in found.plan.claim


@pytest.mark.parametrize(
    "argv",
    [
        ["echo", "docker stop web"],
        ["docker", "ps"],
        ["docker", "start", "web"],
        ["systemctl", "restart", "x"],
        ["tc", "qdisc", "del", "dev", "eth0", "root"],
        ["/bin/sh", "-c", "docker stop $(docker ps -q)"],
        ["/bin/sh", "-c", "docker stop web; docker stop db"],
        ["true"],
        ["docker"],
        ["systemctl"],
        ["tc"],
        ["docker", "compose", "up"],
        ["tc", "qdisc", "add", "dev", "eth0", "parent", "1:1", "netem"],
        ["sudo"],
        ["sudo", "-u"],
    ],
)
def test_what_is_not_known_is_nobodys(argv):
    assert plan(*argv) is None


@pytest.mark.parametrize(
    "argv",
    [
        ["docker", "stop", "nobody"],
        ["docker", "stop"],
        ["docker", "kill", "-s", "USR1", "web"],
        ["docker", "stop", "--time=300", "web"],
        ["systemctl", "stop"],
        ["kill"],
        ["kill", "-9", "x"],
        ["pkill", "no-such-process-at-all"],
    ],
)
def test_what_is_known_and_cannot_be_covered_says_why(argv):
    with pytest.raises(Refused):
        plan(*argv)


@pytest.fixture
def victim():
    """A process of this test's own, started as a person would start it."""
    child = begun("sleep", "7213", cwd="/tmp")
    yield child
    child.kill()
    child.wait()


@pytest.mark.parametrize("by", ["kill", "pkill", "shell"])
@pytest.mark.parametrize(("signal", "back"), [("KILL", "start_process"), ("15", "start_process"), ("STOP", "signal_processes")])
def test_one_process(victim, by, signal, back):
    argv = {
        "kill": ["kill", "-%s" % signal, str(victim.pid)],
        "pkill": ["pkill", "-%s" % signal, "-f", "^sleep 7213$"],
        "shell": ["/bin/sh", "-c", "/usr/bin/kill -s %s %s" % (signal, victim.pid)],
    }[by]
    found = plan(*argv)
    assert found.claim == "process/pid=%s" % victim.pid and found.revert[0][0] == back
    if back == "start_process":
        assert found.revert[0][1:3] == [process.umask(victim.pid), "/tmp"] and found.revert[0][-2:] == ["sleep", "7213"]


@pytest.mark.parametrize("argv", [["kill", "-9", "1"], ["kill", str(os.getpid())], ["kill", str(os.getppid())], ["pkill", "-9", "-f", "."],
                                  ["systemctl", "stop", "sshd"], ["systemctl", "stop", "cron", "systemd-logind.service"]])
def test_what_carries_us_is_never_hit(argv):
    with pytest.raises(cover.Never, match="it would hit|is never stopped"):
        plan(*argv)


def test_asking_whether_a_process_is_there_is_no_fault(victim):
    assert plan("kill", "-0", str(victim.pid)) is None


# Toxiproxy

PROXY = {"db": {"name": "db", "enabled": True, "listen": "127.0.0.1:1", "upstream": "127.0.0.1:2", "toxics": [{"name": "old", "type": "latency"}]}}


def proxies(argv):
    return Answer(0, json.dumps(PROXY) + " 200", "")


def request(method, path, body):
    return cover.of_request(method, "http://127.0.0.1:8474" + path, None if body is None else json.dumps(body).encode(), proxies)


@pytest.mark.skipif(not shutil.which("curl"), reason="the way back of a toxic needs curl")
def test_toxics():
    found = request("POST", "/proxies/db/toxics", {"type": "latency", "attributes": {"latency": 100}})
    assert found.claim == "proxy/127.0.0.1:8474/db/latency_downstream" and "DELETE" in found.revert[0]
    assert matches('{"name":"latency_downstream"} 200', found.check.broken) and matches('{"error":"x"} 404', found.check.whole)
    down = request("POST", "/proxies/db", {"enabled": False})
    assert "DELETE" not in down.revert[0] and '{"enabled":true}' in down.revert[0]
    for method, path, body in (
        ("GET", "/proxies/db/toxics", None),
        ("DELETE", "/proxies/db/toxics/x", None),
        ("POST", "/proxies/db", {"enabled": True}),
        ("POST", "/proxies", {"name": "x"}),
        ("POST", "/other", {"enabled": False}),
    ):
        assert request(method, path, body) is None
    for path, body in (("/proxies/absent/toxics", {"type": "latency"}), ("/proxies/db/toxics", {"type": "latency", "name": "old"})):
        with pytest.raises(Refused):
            request("POST", path, body)


# The module itself, as an ordinary user


@pytest.fixture
def host():
    host = Host()
    yield host
    host.clean()


def activity(*argv, **more):
    return {"type": "action", "name": "break it", "provider": {"type": "process", "path": argv[0], "arguments": list(argv[1:]), "timeout": 10}, **more}


@pytest.fixture
def theirs(host):
    """A process of the ordinary user that the module is run as."""
    from unit.real_module import USER

    child = begun("sleep", "7214", cwd="/", user=USER if os.geteuid() == 0 else None)
    yield child
    child.kill()
    child.wait()


def test_the_way_back_is_armed_and_is_the_only_thing_that_is_needed(host, theirs):
    result = host.run("chaostoolkit_activity", activity=activity("kill", "-STOP", str(theirs.pid)), run="r1", duration=60)
    entry = result["entry"]
    assert entry["covered"] is True and entry["fault"]["verified"] and entry["fault"]["effect"].startswith("stopped=1"), entry
    assert entry["fault"]["inject"] == ["kill -STOP %s" % theirs.pid] and entry["output"]["status"] == 0
    assert process.look_at(theirs.pid).state == "T"
    subprocess.run(["/bin/sh", entry["fault"]["way_back"], "hand"], check=True)
    assert process.look_at(theirs.pid).state != "T" and host.ledger.in_place() == []


def test_its_own_timer_ends_it(host, theirs):
    host.run("chaostoolkit_activity", activity=activity("kill", "-STOP", str(theirs.pid)), run="r1", duration=2)
    for _turn in range(400):
        if process.look_at(theirs.pid).state != "T" and not host.ledger.in_place():
            break
        subprocess.run(["sleep", "0.02"])
    assert process.look_at(theirs.pid).state != "T"
    assert [one["ended_by"] for one in host.ledger.history()] == ["timer"]


def test_in_check_mode_it_names_what_would_be_hit_and_touches_nothing(host, theirs):
    entry = host.run("chaostoolkit_activity", check_mode=True, activity=activity("kill", "-STOP", str(theirs.pid)), run="r1")["entry"]
    assert entry["fault"]["state"] == "planned" and entry["fault"]["target"] == "sleep (pid %s)" % theirs.pid and entry["dry"] == "activities"
    assert process.look_at(theirs.pid).state != "T" and host.entries() == []


def test_an_action_that_fails_is_undone_and_says_so(host, theirs):
    result = host.run("chaostoolkit_activity", activity=activity("sudo-is-not-here-kill"), run="r1")
    assert result["failed"] and result["entry"]["finding"]["verdict"] == "errored" and host.entries() == []


def test_a_secret_is_nowhere_in_what_is_said_or_kept(host, theirs):
    result = host.run(
        "chaostoolkit_activity",
        activity=activity("kill", "-${signal}", "${pid}"),
        run="r1",
        duration=60,
        secrets={"g": {"signal": "STOP", "pid": str(theirs.pid), "unused": "sesame-open"}},
    )
    assert result["entry"]["covered"] is True, result
    kept = "".join(path.read_text(errors="replace") for folder in host.entries() for path in pathlib.Path(folder).iterdir() if path.name != "reserve")
    assert "sesame-open" not in json.dumps(result) + kept
    said = host.run(
        "chaostoolkit_activity",
        activity=activity("echo", "sesame-open%2F and ${unused} ${quoted}"),
        configuration={},
        secrets={"g": {"unused": "sesame-open", "quoted": "a/b c"}},
    )
    assert "sesame-open" not in json.dumps(said) and "a/b c" not in json.dumps(said)
