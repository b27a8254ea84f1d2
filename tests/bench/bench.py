# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What faults, probes and timers cost: ratios within one run where times depend on the machine, printed as a table."""
from __future__ import annotations

import argparse
import dataclasses
import json
import os
import pathlib
import shlex
import statistics
import subprocess
import sys
import time
import urllib.parse

from ansible.release import __version__ as ansible_version
from experiments import costs
from stage import SERVER, Stage, ratio  # which makes the lab known

from lab import fleet

TASK_LIMIT = 1.3
PROBES_LIMIT = 1.3
WATCH_SECONDS, WATCH_INTERVAL, WATCH_SHARE, WATCH_MISSED = 10, 0.1, 0.03, 0.01
LATE_LIMIT, LATE_FAULTS, LATE_DURATION = 0.5, 14, 10
HISTORY = 200
LOG = "".join("2030-01-31 12:00:00 INFO request %d answered\n" % number for number in range(1000))
MEMORY_LIMIT = 2 * 1024
FLEETS, TOGETHER, AHEAD, SKEW_LIMIT = (10, 50, 100), 50, 60, 0.05


@dataclasses.dataclass(frozen=True)
class Row:
    measure: str
    value: str
    target: str
    met: bool | None = None  # None: not measured


def at_most(measure, value, limit, text="%.2f"):
    return Row(measure, text % value, "≤ " + text % limit, value <= limit)


def less_than(measure, value, limit, text):
    return Row(measure, text % value, "< " + text % limit, value < limit)


def measure_tasks(stage, rounds):
    """Every kind of task next to ansible.builtin.ping on the same connection: over ssh, and on this machine."""
    hosts = stage.hosts(1)
    if hosts is None:
        yield Row("tasks over ssh", "not measured: needs root, and the lab's light hosts", "≤ %.2f" % TASK_LIMIT)
    else:
        yield from ratios(stage, ", over ssh", cases_of_tasks(*things_on(hosts)), rounds, hosts)
    pid_file, log, container = stage.sleeper("sleeper"), stage.folder / "application.log", stage.container()
    log.write_text(LOG)
    fill_ledger(stage)
    yield from ratios(stage, "", {**cases_of_tasks(stage.url, pid_file, log), **(cases_of_containers(container) if container else {})}, rounds)
    if container:
        yield for_comparison("one run of docker's client", (stage.seconds("docker", "container", "inspect", container) for _ in range(10)))
    else:
        yield Row("probe_container, fault_container : ping", "not measured: no Docker engine", "≤ %.2f" % TASK_LIMIT)


def ratios(stage, where, cases, rounds, hosts=None):
    tasks = stage.play(list(alternating(cases, rounds)), hosts=hosts)
    yield for_comparison("ansible.builtin.ping%s" % where, (task.seconds for task in tasks if task.name == "ping"))
    for name in cases:
        yield at_most("%s : ping%s" % (name, where), ratio(tasks, name, "ping"), TASK_LIMIT)


def things_on(hosts):
    """What there is to probe and to break on the first of these hosts: a URL, a pid file, a log."""
    start = "setsid %s </dev/null >/dev/null 2>&1 &"
    hosts.run("n1", start % "sleep 3600" + " echo $! >/run/sleeper.pid")
    hosts.run("n1", start % shlex.join(["python3", "-c", SERVER, "8000"]))
    hosts.run("n1", "cat >/var/log/application.log <<'END'\n%sEND" % LOG)
    return "http://127.0.0.1:8000/health", "/run/sleeper.pid", "/var/log/application.log"


def fill_ledger(stage):
    """Make the history of the ledger as long as it gets, as on a host that has seen many experiments."""
    pid_file = stage.sleeper("history")
    stage.play([{"name": "fault", "gameday.chaos.fault_process": {"pid_file": pid_file, "duration": 600, "run": "history"}},
                {"name": "recover", "gameday.chaos.recover": {"run": "history"}}])
    ended = next((stage.state / "gameday/ended").iterdir())
    for number in range(HISTORY):
        subprocess.run(["cp", "--archive", str(ended), str(ended.with_name("copy%s" % number))], check=True)


def for_comparison(what, seconds):
    return Row("(%s, for comparison)" % what, "%.0f ms" % (1000 * statistics.median(seconds)), "")


def cases_of_tasks(url, pid_file, log):
    fault = {"gameday.chaos.fault_process": {"pid_file": pid_file, "duration": 600, "run": "round-{{ round }}"}}
    http = {"url": url, "json": {"status": "healthy"}}
    return {
        "probe_http": {"gameday.chaos.probe_http": http},
        "probe_tcp": {"gameday.chaos.probe_tcp": {"port": urllib.parse.urlsplit(url).port}},
        "probe_command": {"gameday.chaos.probe_command": {"command": "true"}},
        "probe_process": {"gameday.chaos.probe_process": {"pid_file": pid_file}},
        "probe_log": {"gameday.chaos.probe_log": {"path": str(log), "pattern": "ERROR", "state": "absent"}},
        "steady_state, 1 probe": {"gameday.chaos.steady_state": {"probes": [{"name": "health", "probe_http": http}]}},
        "fault_process": fault,
        "fault_process, already in place": fault,
        "recover": {"gameday.chaos.recover": {"run": "round-{{ round }}"}},
    }


def cases_of_containers(name):
    run = "containers-{{ round }}"
    return {
        "probe_container": {"gameday.chaos.probe_container": {"name": name}},
        "fault_container": {"gameday.chaos.fault_container": {"name": name, "action": "pause", "duration": 600, "run": run}},
        "recover, a container": {"gameday.chaos.recover": {"run": run}},
    }


def alternating(cases, rounds):
    """Ping, task, ping, task: every task has pings for neighbours."""
    ping = {"name": "ping", "ansible.builtin.ping": {}}
    for number in range(rounds):
        for name, task in cases.items():
            yield ping
            yield {"name": name, "vars": {"round": number}, **task}
    yield ping


def measure_probes(stage, rounds):
    """steady_state with ten probes next to the same with one."""
    def steady_state(count):
        probes = [{"name": "probe %s" % number, "probe_http": {"url": stage.url}} for number in range(count)]
        return {"name": "%s probes" % count, "gameday.chaos.steady_state": {"probes": probes}}

    tasks = stage.play([steady_state(1), steady_state(10)] * rounds + [steady_state(1)])
    yield at_most("steady_state, 10 probes : 1 probe", ratio(tasks, "10 probes", "1 probes"), PROBES_LIMIT)


def measure_watching(stage, rounds):
    """CPU time of the module on top of what it costs to start it, and the ticks that it missed."""
    def watch(seconds):
        probes = [{"name": "health", "probe_http": {"url": stage.url, "json": {"status": "healthy"}}}]
        return {"name": "watch", "gameday.chaos.steady_state": {"during": seconds, "interval": WATCH_INTERVAL, "probes": probes}}

    interpreter, used = stage.meter()
    tasks = stage.play([watch(WATCH_INTERVAL), watch(WATCH_SECONDS)] * max(2, rounds // 5), interpreter)
    shorts, longs = used()[0::2], used()[1::2]
    share = (statistics.median(longs) - statistics.median(shorts)) / (WATCH_SECONDS - WATCH_INTERVAL)
    windows = [task.result["steady_state"]["probes"][0]["window"] for task in tasks[1::2]]
    missed = sum(window["missed"] for window in windows) / sum(window["samples"] for window in windows)
    yield less_than("during, 10 samples a second: share of a core", 100 * share, 100 * WATCH_SHARE, "%.1f %%")
    yield less_than("during, 10 samples a second: missed ticks", 100 * missed, 100 * WATCH_MISSED, "%.1f %%")


def measure_timer(stage, rounds):
    """What the timer costs while it waits, and how late it is, on an idle and on a busy machine."""
    yield less_than("timer: memory while it waits", memory_of_a_timer(stage), MEMORY_LIMIT, "%d KiB")
    sleepers = [stage.sleeper("late%s" % number) for number in range(LATE_FAULTS)]
    for words, busy in (("", False), (", all cores busy", True)):
        late = lateness(stage, sleepers, busy)
        yield at_most("timer: seconds late%s, the worst of %d" % (words, len(late)), max(late), LATE_LIMIT)
        yield at_most("timer: seconds late%s, median" % words, statistics.median(late), LATE_LIMIT)


def memory_of_a_timer(stage):
    """KiB of all processes in the watcher's group, with its fair share of what it has in common with others."""
    stage.play([{"name": "fault", "gameday.chaos.fault_process": {"pid_file": stage.sleeper("waiting"), "duration": 600}}])
    watcher = next(stage.state.glob("gameday/faults/*/watcher")).read_text().split()[0]
    group = [folder for folder in pathlib.Path("/proc").glob("[0-9]*") if process_group(folder) == watcher]
    lines = [line for folder in group for line in (folder / "smaps_rollup").read_text().splitlines()]
    stage.play([{"name": "recover", "gameday.chaos.recover": {}}])
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def process_group(folder):
    try:
        return (folder / "stat").read_text().rpartition(")")[2].split()[2]
    except OSError:
        return None


def lateness(stage, sleepers, busy):
    """Seconds from each deadline to the instant at which the way back had seen the process whole again."""
    tasks = stage.play([{"name": "fault", "gameday.chaos.fault_process": {"pid_file": path, "duration": LATE_DURATION}} for path in sleepers])
    places = [stage.state / "gameday/ended" / task.result["fault"]["id"] for task in tasks]
    deadlines = [json.loads((path / "fault.json").read_text())["ends_uptime"] for path in stage.state.glob("gameday/faults/*")]
    time.sleep(max(0.0, min(deadlines) / 100 - uptime() - 0.5))
    if busy:
        burn(max(deadlines) / 100 - uptime() + 0.5)
    give_up = max(deadlines) / 100 + 30
    while not all((place / "ended").exists() for place in places) and uptime() < give_up:
        time.sleep(0.2)
    return [seconds_late(place) for place in places]


def seconds_late(place):
    at, by = (place / "ended").read_text().split()[:2]
    if by != "timer":
        raise SystemExit("A fault of the benchmark was ended by %s, not by its timer." % by)
    return (int(at) - json.loads((place / "fault.json").read_text())["ends_uptime"]) / 100


def uptime():
    return float(pathlib.Path("/proc/uptime").read_text().split()[0])


def burn(seconds):
    """Keep all cores busy for so long, and no longer."""
    program = "import sys, time; end = time.monotonic() + float(sys.argv[1])\nwhile time.monotonic() < end: pass"
    burners = [subprocess.Popen([sys.executable, "-c", program, str(seconds)]) for _ in range(os.cpu_count())]
    for burner in burners:
        burner.wait()


def measure_experiments(stage, rounds):
    """Each experiment on the demo system, without the time for which it watches on purpose."""
    for name, seconds, multiple in costs(stage):
        if seconds is None:
            yield Row("%s: beyond its watching" % name, "not measured: %s" % multiple, "")
        else:
            yield Row("%s: beyond its watching" % name, "%.1f s, %.1f × as many pings" % (seconds, multiple), "")


def measure_fleet(stage, rounds):
    """One experiment on 10, 50 and 100 hosts: network namespaces with their own sshd, on this machine's cores."""
    hosts = stage.hosts(max(FLEETS))
    if hosts is None:
        yield Row("fleet", "not measured: needs root, and the lab's light hosts", "")
        return
    costs = {count: fleet.experiment(hosts, stage.folder / f"fleet-{count}", count) for count in FLEETS}
    for count, cost in costs.items():
        if cost.code or len(cost.journal["hosts"]) != count:
            raise SystemExit(f"The experiment on {count} hosts failed:\n{cost.output[-3000:]}")
        words = "%.0f s, controller %d MiB, journal %d KiB" % (cost.seconds, cost.memory / 1024, cost.bytes / 1024)
        yield Row("fleet, %d hosts" % count, words, "")
    least, most = costs[min(FLEETS)], costs[max(FLEETS)]
    times = max(FLEETS) / min(FLEETS)
    for what, value in (("time", most.seconds / least.seconds), ("journal", most.bytes / least.bytes)):
        yield at_most("fleet, %s: %d hosts : %d hosts" % (what, max(FLEETS), min(FLEETS)), value, times * 1.1)
    yield at_most("fleet, memory of the controller: %d hosts : %d hosts" % (max(FLEETS), min(FLEETS)), most.memory / least.memory, 2)


def measure_halt(stage, rounds):
    """The red button on 50 hosts; and 50 hosts that are hit at one instant."""
    hosts = stage.hosts(TOGETHER)
    if hosts is None:
        yield Row("halt, skew", "not measured: needs root, and the lab's light hosts", "")
        return
    yield Row("halt: %d hosts clean after" % TOGETHER, "%.0f s" % fleet.halt(hosts, stage.folder / "halt", TOGETHER), "")
    cost = fleet.experiment(hosts, stage.folder / "together", TOGETHER, forks=TOGETHER, ahead=AHEAD)
    if cost.code:
        raise SystemExit(f"The experiment on {TOGETHER} hosts failed:\n{cost.output[-3000:]}")
    yield at_most("starts_at: seconds between the first and the last of %d hosts" % TOGETHER, fleet.skew(cost.journal), SKEW_LIMIT, "%.3f")


MEASURES = {"tasks": measure_tasks, "probes": measure_probes, "watching": measure_watching, "timer": measure_timer,
            "experiments": measure_experiments, "fleet": measure_fleet, "halt": measure_halt}
HEADING = Row("measure", "value", "target", None)


def cells(row):
    met = {True: "yes", False: "no", None: ""}[row.met]
    return row.measure, row.value, row.target, "met" if row is HEADING else met


def table(rows):
    lines = [cells(row) for row in (HEADING, *rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(4)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines)


def markdown(rows, words):
    lines = ["| %s |" % " | ".join(cells(row)) for row in (HEADING, *rows)]
    return "\n".join([lines[0], "|---|---|---|---|", *lines[1:], "", words]) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=MEASURES, action="append", help="measure only this; may be given several times")
    parser.add_argument("--rounds", type=int, default=15, help="how often each task is run (15)")
    parser.add_argument("--python", default="/usr/bin/python3", help="the Python that the modules run on (/usr/bin/python3)")
    parser.add_argument("--markdown", metavar="FILE", help="write the table to this file, too")
    parser.add_argument("--strict", action="store_true", help="fail when a target is missed")
    asked = parser.parse_args()
    rows = []
    with Stage(asked.python) as stage:
        for name in asked.only or MEASURES:
            print("measuring: %s" % name, file=sys.stderr)
            rows += MEASURES[name](stage, asked.rounds)
    version = subprocess.run([asked.python, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    words = "%d cores, ansible-core %s, %s on the host, with pipelining, %d rounds" % (
        os.cpu_count(), ansible_version, version, asked.rounds)
    print(table(rows), words, sep="\n\n")
    if asked.markdown:
        pathlib.Path(asked.markdown).write_text(markdown(rows, words), encoding="utf-8")
    return int(asked.strict and any(row.met is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
