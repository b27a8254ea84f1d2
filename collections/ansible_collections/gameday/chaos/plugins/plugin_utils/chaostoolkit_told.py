# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said about several experiments of Chaos Toolkit, for people and for programs."""

from __future__ import annotations

from collections import Counter

from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_file import FileProblem, decode, load, parse, path_text
from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_lint import examine
from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_rules import LEVELS


def look_at(source, compat=False, content=None):
    """{source, problem, findings} of one file; C(problem) says why it cannot be read, if so. C(content) is what came by standard input."""
    try:
        document = load(source) if content is None else parse(decode(content), "either", source)
    except FileProblem as problem:
        return {"source": source, "problem": {"message": problem.message, "path": path_text(problem.path), "line": problem.line}, "findings": []}
    _experiment, findings = examine(document, compat)
    return {"source": source, "problem": None, "findings": [told(one, source) for one in findings]}


def told(finding, source):
    return {"level": finding.level, "rule": finding.rule, "path": path_text(finding.path), "line": finding.line, "message": finding.message,
            "fix": finding.fix, "text": finding.text(source)}


def count(looks):
    """How many findings there are of each level; a file that cannot be read is an error."""
    found = Counter(finding["level"] for look in looks for finding in look["findings"])
    found["error"] += sum(1 for look in looks if look["problem"])
    return {level: found[level] for level in LEVELS}


def lines(looks):
    for look in looks:
        if look["problem"]:
            place = ":%s" % look["problem"]["line"] if look["problem"]["line"] else ""
            yield "%s%s: error: %s" % (look["source"], place, look["problem"]["message"])
        for finding in look["findings"]:
            yield from finding["text"].splitlines()
    counted = count(looks)
    yield "%s: %s" % (plural(len(looks), "file"), ", ".join(plural(number, level) for level, number in counted.items()))


def plural(number, word):
    return "%d %s%s" % (number, word, "" if number == 1 else "s")
