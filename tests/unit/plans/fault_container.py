from __future__ import annotations

import json

from ansible_collections.gameday.chaos.plugins.module_utils.command import Answer

from plans.row import ID, Row


def container(name="db", status="running", **host_config):
    """The host's answers about a container; a text is what the engine says on failure."""
    found = [{"Name": "/db", "Id": ID, "State": {"Status": status}, "HostConfig": {"AutoRemove": False, **host_config}}]
    return {"/usr/bin/docker container inspect " + name: json.dumps(found)}


def no_container(words):
    return {"/usr/bin/docker container inspect db": Answer(1, "", words), "/usr/bin/docker ps --format '{{.Names}}'": "cache\napi\n"}


DOCKER_CHECK = "/usr/bin/docker ps --all --no-trunc --filter id=%s --format '{{{{.State}}}}'" % ID


ROWS = [
    Row("a container stops", "fault_container", {"name": "db"}, container(),
        claim="container/db",
        inject=["/usr/bin/docker stop --time 10 " + ID],
        revert=["/usr/bin/docker start " + ID],
        check=DOCKER_CHECK, broken=["exited"], whole=["running", ""]),
    Row("a container is killed", "fault_container", {"name": "db", "action": "kill", "signal": "SIGTERM"}, container(),
        claim="container/db",
        inject=["/usr/bin/docker kill --signal TERM " + ID],
        revert=["/usr/bin/docker start " + ID],
        check=DOCKER_CHECK, broken=["exited"], whole=["running", ""]),
    Row("a container freezes, even one that is removed when it ends", "fault_container", {"name": "db", "action": "pause"},
        container(AutoRemove=True),
        claim="container/db",
        inject=["/usr/bin/docker pause " + ID],
        revert=["/usr/bin/docker unpause " + ID],
        check=DOCKER_CHECK, broken=["paused"], whole=["running", ""]),
    Row("a container that is pointed at by its id has the same claim", "fault_container", {"name": ID[:12]}, container(ID[:12]),
        claim="container/db",
        inject=["/usr/bin/docker stop --time 10 " + ID],
        revert=["/usr/bin/docker start " + ID],
        check=DOCKER_CHECK, broken=["exited"], whole=["running", ""]),
]

REFUSED = [
    ("unknown container", "fault_container", {"name": "db"}, no_container("Error: No such container: db"),
     "name: there is no container 'db' on this engine; running are: cache, api"),
    ("no permission on the socket", "fault_container", {"name": "db"}, no_container("permission denied while trying to connect"),
     "no permission on the Docker engine's socket: use become"),
    ("engine that is down", "fault_container", {"name": "db"}, no_container("Cannot connect to the Docker daemon. Is it running?"),
     "the Docker engine cannot be asked; is it running, and is docker_host right?"),
    ("container started with --rm", "fault_container", {"name": "db"}, container(AutoRemove=True),
     "started with --rm and would be deleted when it ends: there is no way back. Start it without --rm, or use action: pause"),
    ("container that is paused", "fault_container", {"name": "db"}, container(status="paused"), "db is paused, not running"),
    ("container that has ended", "fault_container", {"name": "db", "action": "pause"}, container(status="exited"), "db is exited, not running"),
    ("stop that takes longer than the fault", "fault_container", {"name": "db", "stop_timeout": 30}, container(),
     "stop_timeout: 30 s must be less than duration (30 s)"),
    ("negative patience", "fault_container", {"name": "db", "stop_timeout": -1}, container(), "stop_timeout: -1 s"),
    ("signal with blanks", "fault_container", {"name": "db", "action": "kill", "signal": "KILL 1"}, container(), "signal: 'KILL 1' is no signal"),
    ("signal that there is not", "fault_container", {"name": "db", "action": "kill", "signal": "BANG"}, container(), "signal: 'BANG' is no signal"),
]
