# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers as faults need them: found by the client that the way back will use, and entered by the process that they are."""

from __future__ import annotations

import json
import os
import pwd

from ansible_collections.gameday.chaos.plugins.module_utils import process
from ansible_collections.gameday.chaos.plugins.module_utils.command import find_tool
from ansible_collections.gameday.chaos.plugins.module_utils.fault import Refused

# Of the faults that hit the host, or a container on it (doc fragment gameday.chaos.container).
OPTIONS = {"container": {"type": "str"}, "docker_host": {"type": "str"}}
TOOLS = ("docker", "nsenter")


def client(params):
    """The client with the engine it talks to spelled out, so that the way back, with no environment, talks to the same one."""
    return [find_tool("docker") or "docker", *from_environment(params["docker_host"])]


def from_environment(host=None, given=()):
    """What docker's client reads in its environment, as options; but for what the options that are C(given) say already."""
    env, given = os.environ, {word.partition("=")[0] for word in given}
    words, host = [], host or env.get("DOCKER_HOST")
    folder = env.get("DOCKER_CONFIG") or other_home()
    if folder and "--config" not in given:
        words += ["--config", folder]
    if not given & {"-H", "--host", "-c", "--context"}:
        words += ["--host", host] if host else ["--context", env["DOCKER_CONTEXT"]] if env.get("DOCKER_CONTEXT") else []
    if env.get("DOCKER_TLS_VERIFY") and not any(word.startswith("--tls") for word in given):
        words.append("--tlsverify")
        for option, name in (("--tlscacert", "ca.pem"), ("--tlscert", "cert.pem"), ("--tlskey", "key.pem")):
            path = os.path.join(env.get("DOCKER_CERT_PATH", ""), name)
            words += [option, path] if env.get("DOCKER_CERT_PATH") and os.path.exists(path) else []
    return words


def other_home():
    """The client's folder, where it is not the one in which it looks without HOME."""
    folder = os.path.join(os.environ.get("HOME", ""), ".docker")
    try:
        usual = os.path.join(pwd.getpwuid(os.geteuid()).pw_dir, ".docker")
    except KeyError:  # a user that nobody knows, as in containers
        usual = ""
    return folder if os.path.isdir(folder) and os.path.realpath(folder) != os.path.realpath(usual) else None


def starting(action):
    """The steps back to a container that runs; one that is frozen may have ended, too, by the time."""
    return ["unpause", "start"] if action == "pause" else ["start"]


def inspect(params, look, option):
    """The engine's answer about the container that the option names."""
    name = params[option]
    if not name or name.startswith("-"):
        raise Refused("%s: %r is no container's name" % (option, name))
    return look([*client(params), "container", "inspect", name])


def name_of(params, look, option="container"):
    """Its name, however it was pointed at, so that name and id of one container are one claim."""
    answer = inspect(params, look, option)
    return json.loads(answer.out)[0]["Name"].lstrip("/") if answer.code == 0 else params[option]


def running(params, look, option="container"):
    """What the engine knows of a container that runs; Refused when it does not, or cannot be found."""
    answer = inspect(params, look, option)
    if answer.code == 0:
        found = json.loads(answer.out)[0]
        if found["State"]["Status"] != "running":
            raise Refused("%s: the container %s is %s, not running: a fault on it would show nothing. Start it first"
                          % (option, found["Name"].lstrip("/"), found["State"]["Status"]))
        return found
    said = answer.words.lower()
    if "no such container" in said:
        known = look([*client(params), "ps", "--format", "{{.Names}}"]).out.split()
        raise Refused("%s: there is no container %r on this engine; running are: %s" % (option, params[option], ", ".join(known) or "none"))
    if "permission denied" in said:
        raise Refused("no permission on the Docker engine's socket: use become, or a user in the group docker. docker said: %s" % answer.words)
    raise Refused("the Docker engine cannot be asked; is it running, and is docker_host right? docker said: %s" % answer.words)


def cgroups_of(pid):
    """Controller -> folder, of a process. With the unified hierarchy all controllers have the same folder."""
    mounts, found = [], {}
    with open("/proc/self/mountinfo") as source:
        for line in source:
            head, dummy, tail = line.partition(" - ")
            if tail.split()[0] in ("cgroup", "cgroup2"):
                mounts.append((head.split()[3], head.split()[4], tail.split()[0], set(tail.split()[2].split(","))))
    try:
        with open("/proc/%s/cgroup" % pid) as source:
            rows = [line.rstrip("\n").split(":", 2) for line in source]
    except OSError:
        return {}
    for _number, controllers, path in rows:
        for root, where, kind, options in mounts:
            names = [name for name in controllers.split(",") if name]
            fits = kind == "cgroup2" and path != "/" if not names else kind == "cgroup" and set(names) <= options and not controllers.startswith("name=")
            if fits and path.startswith(root.rstrip("/")):
                folder = where + path[len(root.rstrip("/")):]
                for name in names or ("cpu", "memory", "pids", "io"):
                    found.setdefault(name, folder)
    return found


def require_local(found):
    """Processes and paths that an engine tells are those of its own host."""
    try:
        with open("/proc/%s/cgroup" % found["State"]["Pid"]) as source:
            here = found["Id"] in source.read()
    except OSError:
        here = False
    if not here:
        raise Refused("container: the processes of %s cannot be seen from here: is the engine on another host? Then run this there"
                      % found["Name"].lstrip("/"))


def host_paths(found, path):
    """
    Where a path of the container lies on this host: the one to use, and, for its root file system, the one that is left when it has ended.
    """
    require_local(found)
    paths = paths_of(found, path)
    if os.path.realpath(paths[0]) != os.path.normpath(paths[0]):  # which would lead out of the container here
        raise Refused("path: %s leads through a symbolic link; give the path that it leads to" % path)
    return paths


def paths_of(found, path):
    mounts = [(one["Destination"].rstrip("/"), one["Source"]) for one in found.get("Mounts") or [] if one.get("Type") in ("bind", "volume")]
    covering = mounted_at(found["State"]["Pid"], path)
    if covering != "/" and covering not in [place for place, source in mounts]:
        raise Refused("path: %s is in %s of the container, which is in its memory and not on a disk that this host sees; give a path in a volume of it"
                      % (path, covering))
    for place, source in sorted(mounts, key=lambda pair: -len(pair[0])):
        if path == place or path.startswith(place + "/"):
            return [source + path[len(place):]]
    layers = (found.get("GraphDriver") or {}).get("Data") or {}
    if not layers.get("MergedDir") or not layers.get("UpperDir"):
        raise Refused("path: %s is in the root of a container whose storage driver %s is not known here; give a path in a volume of it"
                      % (path, (found.get("GraphDriver") or {}).get("Name")))
    return [layers["MergedDir"] + path, layers["UpperDir"] + path]


def mounted_at(pid, path):
    """Where, as a process sees it, the file system begins that a path is on. What lies beneath it on this host is another, perhaps the host's own."""
    with open("/proc/%d/mountinfo" % pid) as source:
        places = [line.split()[4].replace("\\040", " ") for line in source]
    return max((place for place in places if (path + "/").startswith(place.rstrip("/") + "/")), key=len, default="/")


def inside(found, *namespaces):
    """The first words of a vector that runs a command in the namespaces of a running container, and in no other's that gets its pid."""
    require_local(found)
    first = process.look_at(found["State"]["Pid"])
    return ["inside", str(first.pid), str(first.start), *namespaces, "--"]
