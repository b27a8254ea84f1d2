# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps what came of each kill, and makes of it the table in docs/guarantees.md. The rest of that page is written by hand and left alone."""
from __future__ import annotations

import collections
import dataclasses
import datetime
import json
import re

from guarantee.cases import ROOT
from guarantee.crashes import CRASHES
from guarantee.fire import WITHIN, Kill

KEPT = ROOT / ".cache/guarantee/kills.jsonl"
PAGE = ROOT / "docs/guarantees.md"
BEGIN, END = "<!-- written by make guarantee, from here -->", "<!-- to here -->"


def keep(kill):
    KEPT.parent.mkdir(parents=True, exist_ok=True)
    with open(KEPT, "a") as file:
        file.write(json.dumps({"date": f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}", **dataclasses.asdict(kill)}) + "\n")


def kept():
    """[(date, Kill)] of those that hit; a crash that came after the end was none."""
    rows = [json.loads(line) for line in KEPT.read_text().splitlines()] if KEPT.exists() else []
    found = [(row.pop("date"), Kill(**row)) for row in rows]
    return [(date, kill) for date, kill in found if kill.happened]


def write():
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(before + BEGIN + "\n" + text(kept()) + END + after)


def text(rows):
    kills = [kill for _, kill in rows]
    left, late = [kill for kill in kills if kill.left], [kill for kill in kills if not kill.left and kill.late > WITHIN]
    dates, seeds = sorted({date for date, _ in rows}), sorted({kill.seed for kill in kills})
    lines = [f"**{len(kills)} kills, {len(left)} left behind.** {' to '.join([dates[0], *dates[1:][-1:]])}, seeds {', '.join(map(str, seeds))}.",
             f"{len(kills) - len(left) - len(late)} were as before within {WITHIN} s of their time" +
             (f", {len(late)} later: the slowest after {max(kill.late for kill in late):.1f} s." if late else ".") +
             " " + " ".join(f"Of {total} steps of {what} {tried} were tried." for what, tried, total in steps(kills)), ""]
    faults = sorted({kill.fault for kill in kills})
    lines += ["| crash | " + " | ".join(fault.removeprefix("fault_") for fault in faults) + " | all |", "|---" * (len(faults) + 2) + "|"]
    lines += [row(crash.name, crash.places, kills, faults) for crash in CRASHES]
    lines += [row("all", None, kills, faults), ""]
    lines += ["| where | " + " | ".join(fault.removeprefix("fault_") for fault in faults) + " |", "|---" * (len(faults) + 1) + "|"]
    for place, words in PLACES.items():
        lines.append(f"| {words} | " + " | ".join(cell([kill for kill in kills if (kill.place, kill.fault) == (place, fault)]) for fault in faults) + " |")
    return "\n".join([*lines, *map("\n- left behind: {}".format, left), ""]) + "\n"


PLACES = {"netns": "light hosts over ssh, without systemd", "systemd": "systemd hosts over ssh", "own kernel": "hosts with a kernel of their own, over ssh",
          "here": "this machine and its containers"}


def row(name, places, kills, faults):
    of_it = [kill for kill in kills if places is None or kill.crash == name]
    cells = [cell([kill for kill in of_it if kill.fault == fault]) for fault in faults]
    return f"| {name} | {' | '.join(cells)} | {cell(of_it)} |"


def cell(kills):
    left = sum(1 for kill in kills if kill.left)
    return f"{len(kills)}, **{left} left**" if left else str(len(kills) or "")


def steps(kills):
    """Of the injection and of the way back: how many different steps were tried, of how many there are in all things together."""
    for what, word in (("the injections", "module"), ("the ways back", "way back")):
        tried, totals = collections.defaultdict(set), {}
        for kill in kills:
            found = re.search(r"step (\d+) of (\d+)", kill.instant)
            if found and kill.crash.startswith(word):
                tried[kill.thing, kill.place].add(int(found[1]))
                totals[kill.thing, kill.place] = int(found[2])
        if totals:
            yield what, sum(map(len, tried.values())), sum(totals.values())
