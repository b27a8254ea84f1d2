# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
Faults that a foreign experiment injects and that are known here, each as a plan: C(inject) is what the file says, the way back and the question are ours.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import shlex
import shutil
import urllib.parse

from ansible_collections.gameday.chaos.plugins.module_utils import interfaces, process, toxiproxy, way_back
from ansible_collections.gameday.chaos.plugins.module_utils.command import find_tool
from ansible_collections.gameday.chaos.plugins.module_utils.container import from_environment, starting
from ansible_collections.gameday.chaos.plugins.module_utils.fault import Check, Plan, Refused, kept
from ansible_collections.gameday.chaos.plugins.module_utils.unit import Vital, followers, properties, refuse

MOST_THINGS = 12
DOCKER_ACTS = {"stop": "exited", "kill": "exited", "pause": "paused"}
COMPOSE_OPTIONS = ("-f", "--file", "-p", "--project-name", "--project-directory", "--profile", "--env-file", "--ansi", "--parallel", "--progress")
DOCKER_OPTIONS = ("-H", "--host", "-c", "--context", "--config", "-l", "--log-level")
SHELL = re.compile(r"[|&;<>()$`\\*?\[\]{}~#\n]")


class Never(Exception):
    """What no experiment may do here, whoever wrote it."""


class Load:
    """A plan of a program that is the fault itself, as long as it runs."""

    def __init__(self, plan, file):
        self.plan, self.file = plan, file


def of_process(argv, look, name):
    """
    The plan for a command that breaks something known, a Load for a load, or None where nothing is known. Refused: it is known, and cannot be covered.
    """
    words = argv
    if argv[:2] == ["/bin/sh", "-c"]:
        if SHELL.search(argv[2]):
            return None
        words = shlex.split(argv[2])
    while words and os.path.basename(words[0]) == "sudo":
        words = words[1:]
        while words and words[0].startswith("-"):
            words = words[2 if words[0] in ("-u", "--user", "-g", "--group") else 1:]
    known = {"docker": docker, "docker-compose": compose, "systemctl": systemctl, "tc": tc, "stress-ng": stress, "stress": stress,
             "kill": kill, "pkill": kill_by_name, "killall": kill_by_name}
    recognise = known.get(os.path.basename(words[0])) if words else None
    if recognise is stress:
        return stress(words, name)
    return recognise(words, look) if recognise else None


def options_and_rest(words, with_value):
    """The words that are options, with their values, and what comes behind them."""
    place = 0
    while place < len(words) and words[place].startswith("-"):
        place += 2 if words[place] in with_value else 1
    return words[:place], words[place:]


# Containers

def docker(words, look):
    globals_, rest = options_and_rest(words[1:], DOCKER_OPTIONS)
    client = [find_tool("docker") or "docker", *from_environment(given=globals_), *globals_]
    if rest[:1] == ["compose"]:
        return of_compose([*client, "compose"], rest[1:], client, look)
    rest = rest[1:] if rest[:1] == ["container"] else rest
    if not rest or rest[0] not in DOCKER_ACTS:
        return None
    options, names = options_and_rest(rest[1:], ("-t", "--time", "--timeout", "-s", "--signal"))
    return containers(client, rest[0], options, names, look)


def compose(words, look):
    client = [find_tool("docker") or "docker", *from_environment()]
    return of_compose([words[0]], words[1:], client, look)


def of_compose(command, rest, client, look):
    globals_, rest = options_and_rest(rest, COMPOSE_OPTIONS)
    if not rest or rest[0] not in DOCKER_ACTS:
        return None
    options, services = options_and_rest(rest[1:], ("-t", "--timeout", "-s", "--signal"))
    answer = look([*command, *globals_, "ps", "--quiet", *services])
    if answer.code:
        raise Refused("the containers of these services cannot be listed: %s" % answer.words)
    return containers(client, rest[0], options, answer.out.split(), look)


def signal_in(options):
    for place, word in enumerate(options):
        if word in ("-s", "--signal") and place + 1 < len(options):
            return options[place + 1]
        if word.startswith("--signal="):
            return word.partition("=")[2]
    return "KILL"


def stop_seconds(words):
    """How long a docker stop in these words may take; -1 where that cannot be told."""
    value = next((value for word, value in zip(words, [*words[1:], ""]) if word in ("-t", "--time", "--timeout")), None)
    value = next((word.partition("=")[2] for word in words if re.match("--time(out)?=", word)), value)
    return 10 if value is None else int(value) if value.isdigit() else -1


def containers(client, act, options, names, look):
    if not 0 < len(names) <= MOST_THINGS:
        raise Refused("it names %s containers" % (len(names) or "no running"))
    if act == "kill" and process.signal_name(signal_in(options)) not in process.ENDING_SIGNALS:
        raise Refused("the signal %s does not end a container" % signal_in(options))
    if act == "stop" and not 0 <= stop_seconds(options) <= way_back.LONGEST_STOP:
        raise Refused("docker may take longer than %s s to stop it, and would go on behind the way back" % way_back.LONGEST_STOP)
    answer = look([*client, "container", "inspect", *names])
    if answer.code:
        raise Refused("docker says: %s" % answer.words)
    found = json.loads(answer.out)
    for one in found:
        if one["State"]["Status"] != "running":
            raise Refused("the container %s is %s, not running" % (one["Name"].lstrip("/"), one["State"]["Status"]))
        if act != "pause" and one["HostConfig"]["AutoRemove"]:
            raise Refused("the container %s was started with --rm, and is deleted when it ends" % one["Name"].lstrip("/"))
    known = sorted({one["Id"]: one["Name"].lstrip("/") for one in found}.items(), key=lambda pair: pair[1])
    filters = [word for identity, _name in known for word in ("--filter", "id=" + identity)]
    return Plan(
        claim="container/" + ",".join(name for _identity, name in known),
        target="container " + ", ".join("%s (%s)" % (name, identity[:12]) for identity, name in known),
        inject=[],
        revert=[[*client, step, identity] for step in starting(act) for identity, _name in known],
        check=Check([*client, "ps", "--all", "--no-trunc", *filters, "--format", "{{.State}}"], broken=["\n".join([DOCKER_ACTS[act]] * len(known))],
                    whole=["\n".join(["running"] * len(known))], gone=["\n".join(["running"] * number) for number in range(len(known))]),
        areas={"containers": ["%s (%s)" % (name, identity[:12]) for identity, name in known]},
        containers_command=tuple(client),
        logs=[{"container": name} for _identity, name in known],
        lasting=False,
    )


# Services, packets, loads

def systemctl(words, look):
    _options, rest = options_and_rest(words[1:], ("-H", "--host", "-M", "--machine", "-s", "--signal", "-p", "--property", "-t", "--type"))
    if rest[:1] != ["stop"] or "--user" in words:
        return None
    units = [name if re.search(r"\.[a-z]+$", name) else name + ".service" for name in rest[1:] if not name.startswith("-")]
    if not 0 < len(units) <= 4 or any(not re.fullmatch(r"[A-Za-z0-9:_.\\@-]+", unit) for unit in units):
        raise Refused("it names %s units" % len(units))
    try:
        for unit in units:
            refuse(unit, unit, properties(look, unit, "FragmentPath"))
        together = [name for name in dict.fromkeys(one for unit in units for one in followers(look, unit)) if name not in units]
    except Refused as error:
        raise (Never if isinstance(error, Vital) else Refused)(str(error).replace("name: ", "", 1)) from None
    question = ["systemctl", "show", "--property", "ActiveState", *units, *together]
    answer = look(question)
    before = answer.out.strip()
    if answer.code or before != "\n\n".join(["ActiveState=active"] * len(units + together)):
        raise Refused("not all of %s are active: %s" % (", ".join(units), " ".join(before.split()) or answer.words))
    broken = ["\n\n".join("ActiveState=" + state for state in states) + ("\n\n*" if together else "")
              for states in itertools.product(("inactive", "failed"), repeat=len(units))]
    return Plan(claim="service/" + ",".join(units), target="service " + ", ".join(units + together), inject=[],
                revert=[["systemctl", "start", *units, *together]], check=Check(question, broken=broken, whole=[before]),
                holds=["unit " + unit for unit in units + together], settle=10, areas={"services": units + together},
                logs=[{"unit": unit} for unit in units], lasting=False)


def tc(words, look):
    _options, rest = options_and_rest(words[1:], ("-n", "-netns"))
    if rest[:2] not in (["qdisc", "add"], ["qdisc", "replace"]) or "dev" not in rest[:-1] or "root" not in rest:
        return None
    if "-n" in words or "-netns" in words:
        raise Refused("it is in another network namespace")
    name = rest[rest.index("dev") + 1]
    kinds = iter(rest[rest.index("root") + 1:])
    kind = next((word for word in kinds if word not in ("handle", "dev", name) and not word.endswith(":")), None)
    _index, rows = interfaces.usable(name, look, [], lambda index: None)
    before = next((row["kind"] for row in rows if row.get("root")), None)
    if kind is None or before is None:
        raise Refused("the queueing discipline of %s before and after cannot be told" % name)
    return Plan(claim="qdisc/" + name, target="%s: %s" % (name, kind), inject=[], revert=[["tc", "qdisc", "del", "dev", name, "root"]],
                check=Check(["tc", "qdisc", "show", "dev", name], broken=["qdisc %s *" % kind], whole=["qdisc %s 0: *" % before]),
                effect_within=2, lasting=False)


def stress(words, name):
    claim = "load/%s/%s" % (os.path.basename(words[0]), name)
    return Load(Plan(claim=claim, target="%s of %s" % (os.path.basename(words[0]), name), inject=[], revert=[["end_load", kept(claim, "load")]],
                     check=Check(["load_state", kept(claim, "load")], broken=["running*"], whole=["ended"], gone_after_reboot=True), lasting=False),
                kept(claim, "load"))


# Processes

def kill(words, look):
    signal, pids = "TERM", []
    rest = words[1:]
    while rest:
        word = rest.pop(0)
        if word in ("-s", "-n", "--signal") and rest:
            signal = rest.pop(0)
        elif word.startswith("-") and len(word) > 1 and not pids:
            signal = word[1:]
        else:
            pids.append(word)
    return of_pids(signal, pids)


def kill_by_name(words, look):
    """What it would hit is asked of pgrep, with the same words but for the signal."""
    signal, asked, rest = "TERM", [], words[1:]
    while rest:
        word = rest.pop(0)
        if word in ("-s", "--signal") and rest:
            signal = rest.pop(0)
        elif word.startswith("--signal="):
            signal = word.partition("=")[2]
        elif re.fullmatch(r"-([A-Z]{3,}[0-9+]*|SIG[A-Z]+|[0-9]+)", word):
            signal = word[1:]
        elif word not in ("-e", "--echo", "-q", "--quiet", "-w", "--wait"):
            asked.append(word)
    answer = look(["pgrep", *(["-x"] if os.path.basename(words[0]) == "killall" and "-x" not in asked else []), *asked])
    if answer.code > 1:
        raise Refused("what it would hit cannot be asked: %s" % answer.words)
    return of_pids(signal, answer.out.split())


def of_pids(signal, pids):
    signal = process.signal_name(signal)
    found = [process.look_at(pid) for pid in pids if pid.isdigit()]
    found = [one for one in found if one]
    chain = process.ancestors(os.getpid())
    for one in found:
        why = process.spared(one, chain)
        if why and signal not in (None, "0"):
            raise Never("it would hit %s, which %s" % (one, why))
    if len(found) != 1 or len(pids) != 1:
        raise Refused("it hits %s processes, and only one can be brought back" % len(found))
    one = found[0]
    identity = [str(one.pid), str(one.start)]
    common = dict(claim="process/pid=%s" % one.pid, target=one.short, inject=[], holds=["pid %s" % one.pid], areas={}, lasting=False)
    if signal in ("STOP", "TSTP"):
        return Plan(revert=[["signal_processes", "CONT", *identity]], **common,
                    check=Check(["process_states", *identity], broken=["stopped=1 *"], whole=["stopped=0 *"], gone_after_reboot=True))
    if signal not in process.ENDING_SIGNALS:
        return None
    return Plan(revert=[starting_again(one)], settle=20, **common, check=Check(like(one), broken=["missing", "back"], whole=["back"]))


def program_and_words(one):
    words = one.command.decode("utf-8", "surrogateescape").rstrip("\0").split("\0")
    try:
        program = os.readlink("/proc/%s/exe" % one.pid)
    except OSError:
        program = find_tool(words[0])
    if not program or not os.path.isabs(program) or program.endswith(" (deleted)"):
        raise Refused("the program of %s cannot be told, so it could not be started again" % one)
    known = shutil.which(words[0], path=way_back.PATH)
    if known and os.path.realpath(known) == os.path.realpath(program):
        program = words[0]  # as it was called, which others may know it by
    return program, words


def like(one):
    """The question whether it is there again."""
    program, words = program_and_words(one)
    texts = ["".join(words), "".join([program, *words[1:]])]
    known = list(dict.fromkeys(map(process.as_sh_reads, texts)))
    alike = [other for other in process.every() if (other.user, other.name) == (one.user, one.name)
             and process.as_sh_reads(other.command.decode("utf-8", "surrogateescape")) in known]
    return ["processes_like", str(max(len(alike), 1)), str(one.user), one.name, *known]


def starting_again(one):
    """Its own command line, in its own folder, as its own user. Its environment is not kept: there may be secrets in it."""
    program, words = program_and_words(one)
    try:
        folder, group = os.readlink("/proc/%s/cwd" % one.pid), os.stat("/proc/%s" % one.pid).st_gid
    except OSError:
        raise Refused("%s may not be looked at by this user" % one) from None
    other = ["setpriv", "--reuid", str(one.user), "--regid", str(group), "--clear-groups"] if one.user != os.geteuid() else []
    return ["start_process", process.umask(one.pid), folder, *other, program, *words[1:]]


# Toxiproxy

def of_request(method, url, body, look):
    """The plan for a request that gives a proxy of Toxiproxy a toxic, or disables it; None for all others."""
    parts = urllib.parse.urlsplit(url)
    found = re.fullmatch(r"/proxies/([^/]+)(/toxics)?/?", parts.path)
    try:
        wanted = json.loads(body or b"null")
    except (ValueError, UnicodeDecodeError):
        wanted = None
    if not found or method not in ("POST", "PATCH") or not isinstance(wanted, dict):
        return None
    api, name = "%s://%s" % (parts.scheme, parts.netloc), urllib.parse.unquote(found.group(1))
    if not found.group(2) and wanted.get("enabled") is not False:
        return None
    if not find_tool("curl"):
        raise Refused("curl is not on this host, and the way back needs it")
    proxy = toxiproxy.proxies_of(look, api).get(name)
    if proxy is None:
        raise Refused("there is no proxy %s at %s" % (name, api))
    common = dict(inject=[], effect_within=5, settle=1, lasting=False)
    here = toxiproxy.address(api, name)
    if not found.group(2):
        if set(wanted) - {"enabled", "name"}:
            raise Refused("it changes more of the proxy %s than whether it is enabled" % name)
        if not proxy["enabled"]:
            raise Refused("the proxy %s is disabled already" % name)
        return Plan(claim="proxy/%s/%s/down" % (parts.netloc, name), target="proxy " + name, areas={"proxies": [here]}, **common,
                    revert=[toxiproxy.send("POST", here, {"enabled": True})],
                    check=toxiproxy.check(here, broken=['*"enabled":false,* 200'], whole=['*"enabled":true,* 200', "* 404"]))
    toxic = str(wanted.get("name") or "%s_%s" % (wanted.get("type"), wanted.get("stream") or "downstream"))
    if any(one["name"] == toxic for one in proxy["toxics"]):
        raise Refused("the toxic %s is there already" % toxic)
    there = toxiproxy.address(api, name, toxic)
    return Plan(claim="proxy/%s/%s/%s" % (parts.netloc, name, toxic), target="%s on proxy %s" % (wanted.get("type"), name), areas={"proxies": [there]},
                revert=[toxiproxy.send("DELETE", there)], check=toxiproxy.check(there, broken=["* 200"], whole=["* 404"]), **common)
