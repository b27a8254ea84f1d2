# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Experiments that the real Chaos Toolkit and we are given, and what each of us should make of them."""

from __future__ import annotations

import dataclasses
import json

import pytest

COMPLETED, DEVIATED, FAILED = ("completed", False), ("completed", True), ("failed", False)


@dataclasses.dataclass
class Case:
    """C(theirs) is Chaos Toolkit's status and deviated, None where it leaves no journal; C(why) is needed where our verdict is another than its."""

    name: str
    experiment: dict
    theirs: tuple
    verdict: str
    why: str = ""
    ours: tuple = ()  # status and deviated of our journal, where they are not Chaos Toolkit's
    options: tuple = ()  # of chaos run
    variables: dict = dataclasses.field(default_factory=dict)
    environment: dict = dataclasses.field(default_factory=dict)
    short: bool = False
    rolled_back: tuple = (True, True)  # whether Chaos Toolkit and we played the rollbacks


def process(name, path, *arguments, type="probe", timeout=10, **more):
    return {"type": type, "name": name, "provider": {"type": "process", "path": path, "arguments": list(arguments), "timeout": timeout}, **more}


def act(name, path, *arguments, **more):
    return process(name, path, *arguments, type="action", **more)


def http(name, url, type="probe", **more):
    provider = {key: more.pop(key) for key in ("method", "headers", "arguments") if key in more}
    return {"type": type, "name": name, "provider": {"type": "http", "url": url, "timeout": 3, **provider}, **more}


def expecting(name, url, status):
    return {"type": "probe", "name": name, "provider": {"type": "http", "url": url, "timeout": 3, "expect": [{"status": status}]}}


def steady(*probes, title="it is steady"):
    return {"title": title, "probes": list(probes)}


WHOLE = process("nothing is broken", "test", "!", "-e", "${folder}/broken", tolerance=0)
BREAK, MEND = act("break", "touch", "${folder}/broken"), act("mend", "rm", "-f", "${folder}/broken")
NOTE = act("note", "touch", "${folder}/acted")
ROLLED = act("roll back", "sh", "-c", "rm -f ${folder}/broken; touch ${folder}/rolled")


def experiment(method, probes=(WHOLE,), rollbacks=(ROLLED,), **more):
    hypothesis = {"steady-state-hypothesis": steady(*probes)} if probes else {}
    return {
        "title": "An experiment",
        "description": "of the table",
        "configuration": {"folder": "@FOLDER@", **more.pop("configuration", {})},
        **hypothesis,
        "method": list(method),
        "rollbacks": list(rollbacks),
        **more,
    }


TOLERANCES = [
    process("a whole number of a map", "true", tolerance=0),
    process("a set", "sh", "-c", "exit 3", tolerance=[0, 3]),
    http("of a server", "@URL@/status/503", tolerance=[200, 503]),
    process("an expression", "echo", "hello world", tolerance={"type": "regex", "target": "stdout", "pattern": "^hello ${word}"}),
    http("a path", "@URL@/health", tolerance={"type": "jsonpath", "target": "body", "path": "$.checks[*].depth", "expect": [3]}),
    http("a count", "@URL@/health", tolerance={"type": "jsonpath", "target": "body", "path": "$.checks[*]", "count": 1}),
    process("a range", "echo", "42", tolerance={"type": "range", "target": "stdout", "range": [40, 43.5]}),
    {
        "type": "probe",
        "name": "a truth",
        "tolerance": True,
        "provider": {"type": "python", "module": "os.path", "func": "exists", "arguments": {"path": "/etc/passwd"}},
    },
    {
        "type": "probe",
        "name": "a text",
        "tolerance": "${word}",
        "provider": {"type": "python", "module": "os.path", "func": "basename", "arguments": {"p": "/a/${word}"}},
    },
    process(
        "a probe",
        "echo",
        "1",
        tolerance={
            "type": "probe",
            "name": "judge",
            "provider": {"type": "python", "module": "gameday_table_functions", "func": "said_one", "arguments": {"value": ""}},
        },
    ),
]
FORMS = {
    "word": "world",
    "number": 3,
    "truth": True,
    "map": {"k": [1, 2]},
    "list": ["a", "b"],
    "env": {"type": "env", "key": "GAMEDAY_TABLE", "env_var_type": "int"},
    "fallback": {"type": "env", "key": "GAMEDAY_TABLE_ABSENT", "default": "fallback"},
    "again": "${word}",
}


def echoes(name, argument, expected):
    return process(name, "echo", argument, tolerance={"type": "regex", "target": "stdout", "pattern": "^%s\n$" % expected})


SUBSTITUTION = [
    echoes("typed", "${number}", "3"),
    echoes("within a text", "x ${map}", "x {'k': \\[1, 2\\]}"),
    echoes("a truth", "b=${truth}", "b=True"),
    echoes("without braces", "$word", "world"),
    echoes("a dollar", "a dollar sign is $$", "a dollar sign is [$]"),
    echoes("once only", "${again}", "[$]{word}"),
    echoes("from the environment", "${env}", "7"),
    echoes("the default", "${fallback}", "fallback"),
    echoes("a secret", "${token}", "sesame-open"),
    http("in a url", "@URL@/echo/${word}", headers={"X-Word": "${word}"}, tolerance={"type": "regex", "target": "body", "pattern": "/echo/${word}"}),
    {
        "type": "probe",
        "name": "a map, typed",
        "tolerance": {"type": "jsonpath", "path": "$.k", "expect": [[1, 2]]},
        "provider": {"type": "python", "module": "gameday_table_functions", "func": "same", "arguments": {"what": "${map}"}},
    },
]


def spoiled(**more):
    return experiment([BREAK], **more)


CASES = [
    Case("pass", experiment([NOTE]), COMPLETED, "passed", short=True),
    Case("deviation", spoiled(), DEVIATED, "deviated", short=True),
    Case(
        "not steady before",
        experiment([NOTE], probes=[process("never", "false", tolerance=0)]),
        COMPLETED,
        "errored",
        why="§11: a gate that is not met is no success, and what was never done is not undone",
        rolled_back=(True, False),
    ),
    Case("no answer before", experiment([NOTE], probes=[http("nobody", "http://127.0.0.1:9/", tolerance=200)]), FAILED, "errored", rolled_back=(False, False)),
    Case(
        "no answer after",
        experiment([BREAK], probes=[process("too slow once broken", "sh", "-c", "test ! -e ${folder}/broken || sleep 5", timeout=1, tolerance=0)]),
        ("failed", True),
        "deviated",
        rolled_back=(False, True),
    ),
    Case(
        "a probe of the method fails",
        experiment([NOTE, http("nobody", "http://127.0.0.1:9/")]),
        COMPLETED,
        "inconclusive",
        why="§11: a probe without data is never passed",
    ),
    Case(
        "an action fails",
        experiment([NOTE, act("fails", "sh", "-c", "exit 3")]),
        COMPLETED,
        "errored",
        why="§11: an activity that failed is judged",
        short=True,
    ),
    Case(
        "an action of a server fails",
        experiment([http("refused", "@URL@/status/400", type="action", method="POST")]),
        COMPLETED,
        "errored",
        why="§12: a refused injection is none",
    ),
    Case(
        "an action takes too long",
        experiment([NOTE, act("hangs", "sleep", "30", timeout=1)]),
        COMPLETED,
        "errored",
        why="§11: an activity that failed is judged",
    ),
    Case(
        "a tolerance in the method",
        experiment([NOTE, process("judged", "sh", "-c", "exit 1", tolerance=0)]),
        COMPLETED,
        "deviated",
        why="§11: a tolerance is judged wherever it is written",
    ),
    Case(
        "a rollback fails",
        experiment([NOTE], rollbacks=[act("cannot", "false")]),
        COMPLETED,
        "not_restored",
        why="§11: a failed rollback is a verdict of its own",
        rolled_back=(False, False),
    ),
    Case(
        "a tolerance that crashes",
        experiment(
            [BREAK],
            probes=[
                {
                    "type": "probe",
                    "name": "a number, or nothing",
                    "tolerance": [1, 3],
                    "provider": {"type": "python", "module": "gameday_table_functions", "func": "two_unless", "arguments": {"path": "${folder}/broken"}},
                }
            ],
        ),
        None,
        "inconclusive",
        why="§11: what cannot be judged is inconclusive, and never skips the undoing",
        ours=DEVIATED,
        rolled_back=(False, True),
    ),
    Case("every tolerance", experiment([NOTE], probes=TOLERANCES, configuration={"word": "world"}), COMPLETED, "passed", short=True),
    Case(
        "every substitution",
        experiment([NOTE], probes=SUBSTITUTION, configuration=FORMS, secrets={"shop": {"token": {"type": "env", "key": "GAMEDAY_TABLE_TOKEN"}}}),
        COMPLETED,
        "passed",
        environment={"GAMEDAY_TABLE": "7", "GAMEDAY_TABLE_TOKEN": "sesame-open"},
    ),
    Case(
        "overridden",
        experiment([NOTE], probes=[echoes("as given", "${word}", "given")], configuration={"word": "declared"}),
        COMPLETED,
        "passed",
        options=("--var", "word=given"),
        variables={"word": "given"},
    ),
    Case(
        "told by a probe",
        experiment(
            [NOTE],
            probes=[echoes("as told", "${told}", "hello")],
            configuration={"told": {"type": "probe", "name": "tells", "provider": {"type": "process", "path": "echo", "arguments": "hello", "timeout": 5}}},
        ),
        COMPLETED,
        "passed",
    ),
    Case(
        "references",
        experiment([{"ref": "nothing is broken"}, {**NOTE, "pauses": {"before": 0.1, "after": 0.1}}, {"ref": "note"}], rollbacks=[{"ref": "note"}, ROLLED]),
        COMPLETED,
        "passed",
    ),
    Case(
        "in the background",
        experiment([{**act("slow", "sh", "-c", "sleep 1; touch ${folder}/slow"), "background": True}, NOTE], probes=[WHOLE]),
        COMPLETED,
        "passed",
    ),
    Case("exploring only", experiment([NOTE], probes=()), COMPLETED, "inconclusive", why="concepts: nobody watched, so nothing is proved"),
    Case("nothing done", experiment([process("look", "true")]), COMPLETED, "inconclusive", why="concepts: nothing was tried"),
    # Strategies of the hypothesis
    Case(
        "before only",
        spoiled(),
        COMPLETED,
        "passed",
        options=("--hypothesis-strategy", "before-method-only"),
        variables={"chaostoolkit_hypothesis_strategy": "before-method-only"},
    ),
    Case(
        "after only",
        spoiled(),
        DEVIATED,
        "deviated",
        options=("--hypothesis-strategy", "after-method-only"),
        variables={"chaostoolkit_hypothesis_strategy": "after-method-only"},
    ),
    Case("in the file", experiment([BREAK], runtime={"hypothesis": {"strategy": "before-method-only"}}), COMPLETED, "passed"),
    Case(
        "during only",
        experiment([NOTE, act("wait", "sleep", "1.5")]),
        COMPLETED,
        "passed",
        options=("--hypothesis-strategy", "during-method-only", "--hypothesis-frequency", "0.2"),
        variables={"chaostoolkit_hypothesis_strategy": "during-method-only", "chaostoolkit_hypothesis_frequency": 0.2},
    ),
    Case(
        "a deviation that goes by",
        experiment([BREAK, act("wait", "sleep", "2"), MEND]),
        COMPLETED,
        "deviated",
        why="§11: a deviation during the method counts",
        options=("--hypothesis-strategy", "continuously", "--hypothesis-frequency", "0.2"),
        variables={"chaostoolkit_hypothesis_strategy": "continuously", "chaostoolkit_hypothesis_frequency": 0.2},
    ),
    Case(
        "fail fast",
        experiment([act("break", "sh", "-c", "touch ${folder}/broken; sleep 2"), act("never", "touch", "${folder}/never")]),
        DEVIATED,
        "deviated",
        options=("--hypothesis-strategy", "continuously", "--hypothesis-frequency", "0.2", "--fail-fast"),
        variables={"chaostoolkit_hypothesis_strategy": "continuously", "chaostoolkit_hypothesis_frequency": 0.2, "chaostoolkit_fail_fast": True},
    ),
    # Strategies of the rollbacks
    *(
        Case(
            "rollbacks %s, %s" % (strategy, "deviated" if method is BREAK else "steady"),
            experiment([method]),
            DEVIATED if method is BREAK else COMPLETED,
            "deviated" if method is BREAK else "passed",
            options=("--rollback-strategy", strategy),
            variables={"chaostoolkit_rollback_strategy": strategy},
            rolled_back=(played, played),
        )
        for strategy, method, played in (
            ("default", BREAK, True),
            ("never", BREAK, False),
            ("always", NOTE, True),
            ("never", NOTE, False),
            ("deviated", BREAK, True),
            ("deviated", NOTE, False),
        )
    ),
    # What its author wrote for a reader that does not exist
    *(
        Case(
            "as it was meant, %s" % verdict,
            experiment([NOTE, expecting("degrades gracefully", "@URL@/status/%s" % answer, [200, 503])], probes=[expecting("healthy", "@URL@/health", 200)]),
            None,
            verdict,
            why="§12: invalid there, since nothing judges the hypothesis; here it is judged as its author meant it",
            ours=COMPLETED,
            rolled_back=(False, True),
        )
        for answer, verdict in ((503, "passed"), (500, "deviated"))
    ),
    # Dry
    *(
        Case(
            "dry, %s" % dry,
            experiment([NOTE]),
            COMPLETED,
            verdict,
            why="a dry run proves nothing, and says so" if verdict != "passed" else "",
            options=("--dry", dry),
            variables={"chaostoolkit_dry": dry},
            rolled_back=(rolled, rolled),
        )
        for dry, verdict, rolled in (
            ("actions", "inconclusive", False),
            ("probes", "inconclusive", True),
            ("activities", "inconclusive", False),
            ("pause", "passed", True),
        )
    ),
]

FUNCTIONS = """
import os
def said_one(value): return value["stdout"].strip() == "1"
def same(what): return what
def two_unless(path): return None if os.path.exists(path) else 2
"""


def written(case, folder, url):
    """The experiment as a file in the folder, which is also where it breaks things."""
    folder.mkdir()
    (folder / "gameday_table_functions.py").write_text(FUNCTIONS)
    file = folder / "experiment.json"
    file.write_text(json.dumps(case.experiment, indent=2).replace("@FOLDER@", str(folder)).replace("@URL@", url))
    return file


def parameters():
    return [pytest.param(case, id=case.name, marks=[] if case.short else [pytest.mark.long]) for case in CASES]
