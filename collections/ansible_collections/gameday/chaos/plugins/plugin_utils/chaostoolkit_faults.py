# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
Recognises, in the activities of Chaos Toolkit, what a fault module does as well and with a way back; and what puts such a thing back.

What is not understood in every word is not recognised. Only words are looked at, nothing is run.
"""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass, field
from urllib.parse import unquote

from ansible_collections.gameday.chaos.plugins.plugin_utils import chaostoolkit_words as words_of
from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_rules import is_map
from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_words import NotRecognised, options

TOXICS = {
    "latency": ("latency", "jitter"), "bandwidth": ("rate",), "slow_close": ("delay",), "timeout": ("timeout",), "reset_peer": ("timeout",),
    "slicer": ("average_size", "size_variation", "delay"), "limit_data": ("bytes",),
}
TOXIC_URL = re.compile(r"(?P<api>.+?)/proxies/(?P<proxy>[^/?#]+)(?P<toxics>/toxics(?:/(?P<toxic>[^/?#]+))?)?/?")
PID_OF = re.compile(r"kill\s+(?P<signal>-\S+\s+|-s\s+\S+\s+)?(?:\$\(|`)\s*(?:(?:cat|head -n? ?1)\s+(?P<file>(?:\$\{\w+\}|[^\s|;&$`()])+)"
                    r"|(?:pidof|pgrep -x)\s+(?P<name>[\w.+-]+)|pgrep -f\s+(?P<quote>['\"]?)(?P<pattern>[^'\"`$()|;&]+)(?P=quote))\s*(?:\)|`)")


@dataclass
class Fault:
    """
    C(arguments) are those of the module, without C(duration). C(thing) is what is broken, and equal to what C(puts_back) gives for its undoing.
    Where only C(lookup), a command that prints it, knows the container, that argument (C(lookup_argument)) is missing.
    """
    module: str
    arguments: dict
    thing: tuple
    lookup: list | None = None
    lookup_argument: str = "name"
    seconds: float | None = None  # how long it would last by itself
    become: bool = False


@dataclass
class Reading:
    faults: list = field(default_factory=list)
    put_back: list = field(default_factory=list)


def recognise(activity):
    """The faults that an activity injects; none where it is not known to inject one."""
    return read(activity).faults


def puts_back(activity):
    """The things that an activity puts back."""
    return read(activity).put_back


def undone_by(fault, activity):
    return any(fault.thing[:len(thing)] == thing for thing in puts_back(activity))


def waits(activity):
    """The seconds, or the ${variable}, for which an activity does nothing but wait; else None."""
    provider = activity.get("provider")
    if is_map(provider) and provider.get("type") == "process" and provider.get("path") in ("sleep", "/bin/sleep", "/usr/bin/sleep"):
        arguments = provider.get("arguments")
        arguments = arguments if isinstance(arguments, list) else [arguments]
        if len(arguments) == 1 and re.fullmatch(r"\d+(\.\d+)?|\$\{\w+\}", str(arguments[0])):
            return arguments[0] if str(arguments[0]).startswith("$") else float(arguments[0])
    return None


def read(activity):
    provider = activity.get("provider")
    if not is_map(provider):
        return Reading()
    try:
        if provider.get("type") == "http":
            return toxiproxy(provider)
        if provider.get("type") == "process":
            return process(provider)
    except (NotRecognised, ValueError, IndexError, TypeError, OverflowError):
        pass
    return Reading()


def process(provider):
    text = words_of.shell_text(provider)
    found = PID_OF.fullmatch(text.strip()) if text else None
    if found:
        return kill_found(found)
    words, become = words_of.unwrapped(words_of.vector(provider))
    handler = HANDLERS.get(words[0].rpartition("/")[2])
    if not handler:
        raise NotRecognised
    reading = handler(words[1:])
    for fault in reading.faults:
        fault.become = become
    return reading


def docker(words):
    own, rest = options(words, ("-H", "--host", "-c", "--context", "--log-level"), ("-D", "--debug"), stop=True)
    if "-c" in own or "--context" in own:
        raise NotRecognised
    engine = own.get("-H", own.get("--host"))
    extra = {"docker_host": engine} if engine else {}
    verb, rest = rest[0], rest[1:]
    if verb == "compose":
        return compose(rest, ["docker", *(["--host", engine] if engine else []), "compose"], extra)
    if verb == "container":
        verb, rest = rest[0], rest[1:]
    if verb == "exec":
        _flags, rest = options(rest, ("-u", "--user", "-e", "--env", "-w", "--workdir"), ("-d", "--detach", "-i", "-t", "-it", "-ti", "--tty", "--interactive"),
                               stop=True)
        return inside(rest[0], rest[1:], extra)
    given, names = options(rest, ("-t", "--time", "--timeout", "-s", "--signal"), ())
    if not names:
        raise NotRecognised
    things = [("container", name) for name in names]
    if verb in ("start", "unpause", "restart"):
        return Reading(put_back=things)
    if verb not in ("stop", "kill", "pause"):
        raise NotRecognised
    return Reading([Fault("fault_container", {"name": name, **container_action(verb, given), **extra}, ("container", name)) for name in names])


def container_action(verb, given):
    seconds = given.get("-t", given.get("--time", given.get("--timeout")))
    name = given.get("-s", given.get("--signal"))
    return {"action": verb, **({"stop_timeout": int(seconds)} if seconds and verb == "stop" else {}),
            **({"signal": words_of.signal_name(name)} if name and verb == "kill" else {})}


def compose(words, command, extra):
    files = ("-f", "--file", "-p", "--project-name", "--project-directory", "--env-file", "--profile")
    _own, rest = options(words, (*files, "--ansi", "--progress"), (), stop=True)
    command = [*command, *words[:len(words) - len(rest)]]
    verb, rest = rest[0], rest[1:]
    if verb == "exec":
        _flags, rest = options(rest, ("-u", "--user", "-e", "--env", "-w", "--workdir", "--index"), ("-T", "--no-TTY", "-d", "--detach"), stop=True)
        reading = inside("", rest[1:], extra)
        for fault in reading.faults:
            fault.arguments.pop("container")
            fault.lookup, fault.lookup_argument, fault.thing = [*command, "ps", "--quiet", rest[0]], "container", ("stress", rest[0])
        return Reading(reading.faults, [("stress", rest[0]) if thing == ("stress", "") else thing for thing in reading.put_back])
    given, names = options(rest, ("-t", "--timeout", "-s", "--signal", "--scale"),
                           ("-d", "--detach", "--wait", "--no-deps", "--no-recreate", "--build", "--force-recreate", "--no-build"))
    if not names:
        raise NotRecognised
    things = [("compose", *command[1:], name) for name in names]
    if verb in ("start", "up", "unpause", "restart"):
        return Reading(put_back=things)
    if verb not in ("stop", "kill", "pause"):
        raise NotRecognised
    return Reading([Fault("fault_container", {**container_action(verb, given), **extra}, thing, [*command, "ps", "--quiet", thing[-1]]) for thing in things])


def inside(container, words, extra):
    """What is run in a container: only what burdens it is a fault on it."""
    words, _become = words_of.unwrapped(words)
    program = words[0].rpartition("/")[2]
    if program in ("stress-ng", "stress"):
        return stress(words[1:], container, extra)
    if program in ("pkill", "killall") and words[-1] in ("stress-ng", "stress"):
        return Reading(put_back=[("stress", container)])
    raise NotRecognised


def stress(words, container=None, extra=None):
    given, rest = options(words, ("-c", "--cpu", "-l", "--cpu-load", "--cpu-method", "-m", "--vm", "--vm-bytes", "--vm-method", "-d", "--hdd", "--hdd-bytes",
                                  "-i", "--io", "-t", "--timeout", "--temp-path"),
                          ("--vm-keep", "--metrics", "--metrics-brief", "-q", "--quiet", "-v", "--verbose", "--verify"))
    if rest:
        raise NotRecognised
    where = {**({} if container is None else {"container": container}), **(extra or {})}
    faults = []
    if "-c" in given or "--cpu" in given:
        workers, load = int(given.get("-c", given.get("--cpu"))), given.get("-l", given.get("--cpu-load"))
        faults.append(Fault("fault_cpu", {**where, **({"workers": workers} if workers else {}), **({"load": int(load)} if load else {})}, ()))
    if "-m" in given or "--vm" in given:
        size = given.get("--vm-bytes", "256M")
        amount = {"percent": words_of.percent(size)} if size.endswith("%") else {"bytes": words_of.size(size)}
        faults.append(Fault("fault_memory", {**where, **amount}, ()))
    if {"-d", "--hdd", "-i", "--io"} & set(given):
        workers = int(given.get("-d", given.get("--hdd", given.get("-i", given.get("--io")))))
        path = given.get("--temp-path", "/tmp" if container is not None else "/var/tmp")
        faults.append(Fault("fault_io", {**where, "path": path, **({"workers": workers} if workers > 1 else {}),
                                         **({"bytes": words_of.size(given["--hdd-bytes"])} if "--hdd-bytes" in given else {})}, ()))
    seconds = words_of.seconds(given.get("-t", given.get("--timeout")))
    for fault in faults:
        fault.thing, fault.seconds = ("stress", container or "host"), seconds
    if not faults:
        raise NotRecognised
    return Reading(faults)


def systemctl(words):
    _flags, (verb, *units) = options(words, (), ("-q", "--quiet", "--no-block", "--no-ask-password", "--system"))
    return service_verb(verb, units)


def service(words):
    name, verb = words
    return service_verb(verb, [name])


def service_verb(verb, units):
    things = [("service", unit.removesuffix(".service")) for unit in units]
    if verb in ("start", "restart", "reload-or-restart"):
        return Reading(put_back=things)
    if verb != "stop" or not units or any(re.search(r"\.(?!service$)[a-z]+$", unit) for unit in units):
        raise NotRecognised
    return Reading([Fault("fault_service", {"name": thing[1]}, thing) for thing in things])


def pkill(words):
    chosen, words = signal_of(words)
    given, rest = options(words, ("-s", "--signal", "-u", "--euid"), ("-f", "--full", "-x", "--exact", "-e", "--echo"))
    if len(rest) != 1:
        raise NotRecognised
    if rest[0] in ("stress-ng", "stress"):
        return Reading(put_back=[("stress", "host")])
    full = "-f" in given or "--full" in given
    if not full and not re.fullmatch(r"[\w.+-]+|\$\{\w+\}", rest[0]):
        raise NotRecognised  # a pattern for names, which fault_process does not have
    user = given.get("-u", given.get("--euid"))
    return killing({"pattern" if full else "name": rest[0], **({"user": user} if user else {})}, chosen or given.get("-s", given.get("--signal")))


def killall(words):
    chosen, words = signal_of(words)
    given, rest = options(words, ("-s", "--signal"), ("-q", "--quiet", "-e", "--exact", "-v", "-w"))
    if len(rest) != 1:
        raise NotRecognised
    if rest[0] in ("stress-ng", "stress"):
        return Reading(put_back=[("stress", "host")])
    return killing({"name": rest[0]}, chosen or given.get("-s", given.get("--signal")))


def signal_of(words):
    """The signal in the form -9 or -KILL, and the other words."""
    for index, word in enumerate(words):
        if re.fullmatch(r"-(\d+|(SIG)?[A-Z]{2,}\d*)", word) and (word[1:].isdecimal() or hasattr(signal, "SIG" + word[1:].removeprefix("SIG"))):
            return word[1:], words[:index] + words[index + 1:]
    return None, words


def killing(selector, name):
    name = words_of.signal_name(name or "TERM")
    thing = ("process", *sorted(map(str, selector.values())))
    if name == "CONT":
        return Reading(put_back=[thing])
    if name == "STOP":
        return Reading([Fault("fault_process", {**selector, "action": "stop"}, thing)])
    if name not in ("KILL", "TERM", "INT", "QUIT", "ABRT", "SEGV", "BUS"):
        raise NotRecognised  # HUP, USR1 and their like end nothing
    return Reading([Fault("fault_process", {**selector, "action": "kill", "signal": name}, thing)])


def kill_found(found):
    selector = {"pid_file": found["file"], "name": found["name"], "pattern": found["pattern"] and found["pattern"].strip()}
    name = (found["signal"] or "").replace("-s", "").strip().lstrip("-")
    return killing({key: value for key, value in selector.items() if value}, name)


def tc(words):
    if words[:1] != ["qdisc"] or words[1] not in ("add", "replace", "change", "del", "delete") or words[2] != "dev":
        raise NotRecognised
    verb, interface, rest = words[1], words[3], words[4:]
    if rest[:1] != ["root"]:
        raise NotRecognised
    thing, rest = ("qdisc", interface), rest[1:]
    if rest[:1] == ["handle"]:
        rest = rest[2:]
    if verb in ("del", "delete"):
        return Reading(put_back=[thing])
    if rest[:1] != ["netem"]:
        raise NotRecognised
    return Reading([Fault("fault_network", {"interface": interface, **words_of.netem(rest[1:])}, thing)])


def toxiproxy(provider):
    found = TOXIC_URL.fullmatch(provider["url"])
    if not found:
        if provider["url"].endswith("/reset") and str(provider.get("method")).upper() == "POST":
            return Reading(put_back=[("proxy", provider["url"].removesuffix("/reset"))])
        raise NotRecognised
    api, name, toxic = found["api"], unquote(found["proxy"]), found["toxic"] and unquote(found["toxic"])
    method, body = str(provider.get("method") or "GET").upper(), provider.get("arguments")
    if method == "DELETE" and toxic:
        return Reading(put_back=[("proxy", api, name, toxic)])
    if method not in ("POST", "PATCH") or not is_map(body):
        raise NotRecognised
    if not found["toxics"]:
        if body.get("enabled") is True:
            return Reading(put_back=[("proxy", api, name, "down")])
        if set(body) - {"name", "listen", "upstream"} != {"enabled"} or body["enabled"] is not False:
            raise NotRecognised
        return Reading([Fault("fault_proxy", {"api": api, "name": name, "type": "down"}, ("proxy", api, name, "down"))])
    if toxic or body.get("type") not in TOXICS or set(body) - {"name", "type", "stream", "toxicity", "attributes"}:
        raise NotRecognised
    attributes = body.get("attributes") or {}
    if set(attributes) - set(TOXICS[body["type"]]):
        raise NotRecognised
    chosen = {"toxic": body.get("name"), "stream": body.get("stream"), "toxicity": body.get("toxicity")}
    called = body.get("name") or "%s_%s" % (body["type"], body.get("stream") or "downstream")
    return Reading([Fault("fault_proxy", {"api": api, "name": name, "type": body["type"], **{key: value for key, value in chosen.items() if value is not None},
                                          **attributes}, ("proxy", api, name, called))])


HANDLERS = {
    "docker": docker, "docker-compose": lambda words: compose(words, ["docker", "compose"], {}), "systemctl": systemctl, "service": service,
    "pkill": pkill, "killall": killall, "stress-ng": stress, "stress": stress, "tc": tc,
}
