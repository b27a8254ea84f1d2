# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of a container, as the engine tells it."""

from __future__ import annotations

import http.client
import json
import os
import socket
import urllib.parse

from ansible_collections.gameday.chaos.plugins.module_utils.command import ask, find_tool
from ansible_collections.gameday.chaos.plugins.module_utils.probe import BadArgument, NoData

SOCKET = "/var/run/docker.sock"
NONE_SUCH = "no such container"  # an engine says 404 of a path that it does not serve, too
OPTIONS = {
    "name": {"type": "str", "required": True},
    "docker_host": {"type": "str"},
    "state": {"type": "list", "elements": "str", "default": ["running"],
              "choices": ["created", "running", "paused", "restarting", "removing", "exited", "dead", "absent"]},
    "health": {"type": "str", "choices": ["healthy", "unhealthy", "starting", "none"]},
    "max_restarts": {"type": "int"},
    "oom_killed": {"type": "bool"},
}


def validate(arguments):
    if not arguments["name"] or arguments["name"].startswith("-"):
        raise BadArgument("name: %r is no container's name" % arguments["name"])


class Engine(http.client.HTTPConnection):
    """The engine behind a socket. One answer of it costs a tenth of a run of its client, so it can be asked many times a second."""

    def __init__(self, path):
        super().__init__("localhost", timeout=10)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def inspect(name, host):
    """What the engine knows of a container; None when it knows none of that name."""
    if host is None and os.access(SOCKET, os.W_OK) and not has_context():
        host = "unix://" + SOCKET
    return by_socket(name, host[len("unix://"):]) if host and host.startswith("unix://") else by_client(name, host)


def has_context():
    """Whether the client was told, once and for all, to use another engine than the one behind the usual socket."""
    folder = os.environ.get("DOCKER_CONFIG") or os.path.expanduser("~/.docker")
    try:
        with open(os.path.join(folder, "config.json")) as source:
            return "DOCKER_CONTEXT" in os.environ or "currentContext" in json.load(source)
    except (OSError, ValueError):
        return "DOCKER_CONTEXT" in os.environ


def by_socket(name, path):
    engine = Engine(path)
    try:
        engine.request("GET", "/containers/%s/json" % urllib.parse.quote(name, safe=""))
        answer = engine.getresponse()
        document = json.loads(answer.read())
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise cannot_ask(error) from None
    finally:
        engine.close()
    if answer.status == 200:
        return document
    if answer.status == 404 and NONE_SUCH in str(document.get("message")).lower():
        return None
    raise cannot_ask(document.get("message"))


def by_client(name, host):
    if not find_tool("docker"):
        raise NoData("there is no engine behind %s that this user may ask, and no docker client on this host; install it, or use become" % SOCKET)
    answer = ask(["docker", *(["--host", host] if host else []), "container", "inspect", name])
    if answer.code == 0:
        return json.loads(answer.out)[0]
    if NONE_SUCH in answer.words.lower():
        return None
    raise cannot_ask(answer.words)


def cannot_ask(why):
    return NoData("the Docker engine cannot be asked (is it running? may this user use its socket?): %s" % why)


def measure(arguments):
    """value is the state: running, exited, ..., or absent."""
    found = inspect(arguments["name"], arguments["docker_host"] or os.environ.get("DOCKER_HOST"))
    if found is None:
        return {"value": "absent", "state": "absent", "health": "none", "restarts": 0, "oom_killed": False, "exit_code": None}
    state = found["State"]
    return {"value": state["Status"], "state": state["Status"], "health": (state.get("Health") or {}).get("Status", "none"),
            "restarts": found.get("RestartCount", 0), "oom_killed": state.get("OOMKilled", False), "exit_code": state.get("ExitCode"),
            "started_at": state.get("StartedAt")}


def judge(arguments, seen):
    reasons = []
    if seen["state"] not in arguments["state"]:
        reasons.append("%s is %s, expected %s" % (arguments["name"], seen["state"], " or ".join(arguments["state"])))
    if arguments["health"] and seen["health"] != arguments["health"]:
        reasons.append("%s has health %s, expected %s" % (arguments["name"], seen["health"], arguments["health"]))
    if arguments["max_restarts"] is not None and seen["restarts"] > arguments["max_restarts"]:
        reasons.append("%s was restarted %s times, at most %s expected" % (arguments["name"], seen["restarts"], arguments["max_restarts"]))
    if arguments["oom_killed"] is not None and seen["oom_killed"] != arguments["oom_killed"]:
        reasons.append("%s was %skilled for lack of memory" % (arguments["name"], "" if seen["oom_killed"] else "not "))
    return reasons
