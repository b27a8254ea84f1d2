from __future__ import annotations

import json

from ansible_collections.gameday.chaos.plugins.module_utils.command import Answer

from plans.row import ID, Row

NETWORKS = {
    "front": {"Aliases": ["db", ID[:12]], "IPAMConfig": {"IPv4Address": "192.0.2.7"}, "Links": None},
    "back": {"Aliases": None, "IPAMConfig": None, "Links": ["cache:c"]},
}


def container(name="db", status="running", networks=NETWORKS, **host_config):
    """The host's answers about a container; a text is what the engine says on failure. Its processes are nowhere."""
    found = [{"Name": "/db", "Id": ID, "State": {"Status": status, "Pid": 0}, "HostConfig": {"AutoRemove": False, **host_config},
              "NetworkSettings": {"Networks": networks}}]
    return {"/usr/bin/docker container inspect " + name: json.dumps(found)}


def no_container(words):
    return {"/usr/bin/docker container inspect db": Answer(1, "", words), "/usr/bin/docker ps --format '{{.Names}}'": "cache\napi\n"}


NETWORK_CHECK = "/usr/bin/docker ps --all --no-trunc --filter id=%s --format 'on ,{{{{join (split .Networks \",\") \",,\"}}}},'" % ID
DOCKER_CHECK = "/usr/bin/docker ps --all --no-trunc --filter id=%s --format '{{{{.State}}}}'" % ID


ROWS = [
    Row("a container stops", "fault_container", {"name": "db"}, container(),
        claim="container/db",
        inject=["/usr/bin/docker stop --time 10 " + ID],
        revert=["/usr/bin/docker start " + ID],
        check=DOCKER_CHECK, broken=["exited"], whole=["running"], gone=[""]),
    Row("a container is killed", "fault_container", {"name": "db", "action": "kill", "signal": "SIGTERM"}, container(),
        claim="container/db",
        inject=["/usr/bin/docker kill --signal TERM " + ID, "/usr/bin/docker stop --time 10 " + ID],
        revert=["/usr/bin/docker start " + ID],
        check=DOCKER_CHECK, broken=["exited"], whole=["running"], gone=[""]),
    Row("a container freezes, even one that is removed when it ends", "fault_container", {"name": "db", "action": "pause"},
        container(AutoRemove=True),
        claim="container/db",
        inject=["/usr/bin/docker pause " + ID],
        revert=["/usr/bin/docker unpause " + ID, "/usr/bin/docker start " + ID],
        check=DOCKER_CHECK, broken=["paused"], whole=["running"], gone=[""]),
    Row("a container that is pointed at by its id has the same claim", "fault_container", {"name": ID[:12]}, container(ID[:12]),
        claim="container/db",
        inject=["/usr/bin/docker stop --time 10 " + ID],
        revert=["/usr/bin/docker start " + ID],
        check=DOCKER_CHECK, broken=["exited"], whole=["running"], gone=[""]),
    Row("a container loses all its networks", "fault_container", {"name": "db", "action": "disconnect"}, container(),
        claim="container/db",
        inject=["/usr/bin/docker network disconnect back " + ID, "/usr/bin/docker network disconnect front " + ID],
        revert=["/usr/bin/docker network connect --link cache:c back " + ID,
                "/usr/bin/docker network connect --ip 192.0.2.7 --alias db front " + ID],
        check=NETWORK_CHECK, broken=["on ,,"], whole=["on *,back,*,front,*", "on *,front,*,back,*"], gone=[""]),
    Row("a container loses one of its networks", "fault_container", {"name": "db", "action": "disconnect", "networks": ["front"]}, container(),
        claim="container/db",
        inject=["/usr/bin/docker network disconnect front " + ID],
        revert=["/usr/bin/docker network connect --ip 192.0.2.7 --alias db front " + ID],
        check=NETWORK_CHECK, broken=["on ,back,"], whole=["on *,front,*"], gone=[""]),
    Row("a container gets less", "fault_container", {"name": "db", "action": "throttle", "cpus": 0.5, "pids": 9}, container(),
        claim="container/db",
        inject=["write {groups}/cpu.max '50000 100000'", "write {groups}/pids.max 9"],
        revert=["write {groups}/cpu.max 'max 100000'", "write {groups}/pids.max max"],
        check="content {groups}/cpu.max {groups}/pids.max", broken=["50000 100000, 9"], whole=["max 100000, max"], gone=["gone, gone"]),
]

REFUSED = [
    ("network that it is not on", "fault_container", {"name": "db", "action": "disconnect", "networks": ["x"]}, container(),
     "networks: the container is not on x; it is on back, front"),
    ("network of the host", "fault_container", {"name": "db", "action": "disconnect"}, container(networks={"host": {}}),
     "it is on none or the host's"),
    ("less of nothing", "fault_container", {"name": "db", "action": "throttle"}, container(), "cpus, memory, pids: give at least one of them"),
    ("a port that the engine chose", "fault_container", {"name": "db", "action": "disconnect"}, container(PortBindings={"80/tcp": [{"HostPort": ""}]}),
     "the engine chose the published port of 80/tcp"),
    ("less of it for one that stops", "fault_container", {"name": "db", "cpus": 0.5}, container(),
     "cpus: is only for action: throttle, and this is action: stop"),
    ("networks of one that stops", "fault_container", {"name": "db", "networks": ["front"]}, container(), "networks: is only for action: disconnect"),
    ("signal for one that freezes", "fault_container", {"name": "db", "action": "pause", "signal": "TERM"}, container(), "signal: is only for action: kill"),
    ("no CPU at all", "fault_container", {"name": "db", "action": "throttle", "cpus": 0.0}, container(), "cpus: 0.0 is not between 0.01 and 1024"),
    ("control groups out of sight", "fault_container", {"name": "db", "action": "throttle", "memory": "1G"}, container(), "cannot be seen from here"),
    ("memory that is no size", "fault_container", {"name": "db", "action": "throttle", "memory": "x"}, container(), "memory: 'x' is no size"),
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
     "stop_timeout: 30 s must be at most 50, and at least 2 s less than duration (30 s)"),
    ("negative patience", "fault_container", {"name": "db", "stop_timeout": -1}, container(), "stop_timeout: -1 s"),
    ("signal with blanks", "fault_container", {"name": "db", "action": "kill", "signal": "KILL 1"}, container(), "signal: 'KILL 1' is no signal"),
    ("signal that there is not", "fault_container", {"name": "db", "action": "kill", "signal": "BANG"}, container(), "signal: 'BANG' is no signal"),
    ("signal that freezes", "fault_container", {"name": "db", "action": "kill", "signal": "STOP"}, container(), "signal: STOP does not end it"),
]
