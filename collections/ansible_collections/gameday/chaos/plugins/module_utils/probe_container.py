# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of a container, as the engine tells it."""

from __future__ import annotations

import functools
import json
import os

from ansible_collections.gameday.chaos.plugins.module_utils.command import ask, find_tool
from ansible_collections.gameday.chaos.plugins.module_utils.probe import BadArgument, NoData

try:
    import docker
except ImportError:
    docker = None  # the command-line client answers the same, only slower

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


@functools.lru_cache(maxsize=None)
def client(host):
    return docker.APIClient(base_url=host, version="auto", timeout=10)


def inspect(name, host):
    """What the engine knows of a container; None when it knows none of that name."""
    if docker is not None:
        try:
            return client(host or "unix:///var/run/docker.sock").inspect_container(name)
        except docker.errors.NotFound:
            return None
        except Exception as error:
            raise NoData("the Docker engine cannot be asked (is it running? may this user use its socket?): %s" % error) from None
    if not find_tool("docker"):
        raise NoData("neither the docker client nor the Python package docker is on this host; install one of them")
    answer = ask(["docker", *(["--host", host] if host else []), "container", "inspect", name])
    if answer.code == 0:
        return json.loads(answer.out)[0]
    if "no such container" in answer.words.lower():
        return None
    raise NoData("the Docker engine cannot be asked (is it running? may this user use its socket?): %s" % answer.words)


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
