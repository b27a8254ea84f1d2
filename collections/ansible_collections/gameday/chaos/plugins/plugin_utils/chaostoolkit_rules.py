# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said about experiments of Chaos Toolkit: the names of all rules, with their levels, and the report in which findings are gathered."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_file import Document, path_text

LEVELS = ("error", "warning", "notice")  # an error: it cannot be run
HYPOTHESIS = "steady-state-hypothesis"

RULES = {
    # what an experiment must have
    "missing": "error", "type": "error", "value": "error", "unknown-key": "error", "unknown-strategy": "error", "ref": "error",
    "hypothesis-tolerance": "error", "tolerance": "error", "toxic": "error", "expect-unknown": "error", "undefined-variable": "error",
    # what Chaos Toolkit would do otherwise, understood as meant
    "expect": "notice", "expected-status": "notice", "provider-in-tolerance": "notice", "tolerance-judged": "notice", "wrapped-activity": "notice",
    "python-process": "notice", "python-sleep": "notice", "http-body": "notice", "tolerance-number": "notice", "strategy-typo": "notice",
    "action-body-get": "warning", "json-header": "warning", "nested-form": "warning", "tolerance-process": "warning", "tolerance-target": "warning",
    "activity-timeout": "warning", "flat-secrets": "warning", "secrets-not-a-list": "warning", "dry": "warning", "tags": "warning",
    "hypothesis-ref": "notice", "hypothesis-under-fault": "warning",
    # what would silently not work
    "ignored-key": "warning", "duplicate-key": "warning", "never-judged": "warning", "no-hypothesis": "warning", "never-met": "warning",
    "action-get": "warning", "shell": "warning", "map-arguments": "warning", "not-substituted": "warning", "odd-variable": "warning",
    "background": "warning", "duplicate-name": "warning", "action-in-hypothesis": "warning", "python-pitfall": "warning", "control": "warning",
    # what makes it dangerous, or hard to trust
    "no-way-back": "warning", "own-way-back": "notice", "no-timeout": "notice", "broad-kill": "warning", "inline-secret": "warning",
    "no-recovery-probe": "warning", "rollback-strategy": "warning", "strategy-during": "notice", "contributions": "warning",
}


@dataclass(frozen=True)
class Finding:
    level: str
    path: tuple
    line: int | None
    message: str
    fix: str
    rule: str = ""

    def text(self, source):
        place = "%s:%s" % (source, self.line) if self.line else source
        return "%s: %s: %s: %s\n    %s [%s]" % (place, self.level, path_text(self.path), self.message, self.fix, self.rule)


class Report:
    """Findings about one document, in the order of its lines."""

    def __init__(self, document: Document, compat=False):
        self.document, self.compat, self.found, self.moves = document, compat, [], []

    def moved(self, path, origin):
        """What is now at C(path) stands in the file at C(origin)."""
        self.moves.insert(0, (tuple(path), self.origin(origin)))

    def origin(self, path):
        for new, old in self.moves:
            if path[:len(new)] == new:
                return (*old, *path[len(new):])
        return tuple(path)

    def add(self, rule, path, message, fix, level=None):
        level = level or RULES[rule]
        if self.compat and level == "error" and rule in ("unknown-key", "unknown-strategy"):
            level = "warning"
        path = self.origin(tuple(path))
        finding = Finding(level, path, self.document.line(path), message, fix, rule)
        if finding not in self.found:
            self.found.append(finding)

    def broken(self, path):
        """Whether something in this part cannot be run, so that the finer rules need not look at it."""
        path = self.origin(tuple(path))
        return any(one.level == "error" and (one.path[:len(path)] == path or path[:len(one.path)] == one.path and one.rule == "type") for one in self.found)

    def findings(self):
        return sorted(self.found, key=lambda one: (one.line or 0, LEVELS.index(one.level), [str(step) for step in one.path]))


def is_map(value):
    return isinstance(value, dict)


def kind_of(provider):
    """http, process, python, or whatever other text stands there as type."""
    kind = provider.get("type") if is_map(provider) else None
    return kind if isinstance(kind, str) else None


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_variable(value):
    """The whole text is one ${name}, whose value keeps its type."""
    return isinstance(value, str) and value.startswith("${") and value.endswith("}")


def resembling(name, known):
    """What was probably meant, for a key that nobody reads."""
    same = str(name).lower().replace("_", "-").strip()
    for one in known:
        if one.lower().replace("_", "-") == same:
            return one
    return next(iter(difflib.get_close_matches(str(name).lower(), known, 1, 0.75)), None)


def activities(experiment):
    """(path, activity, place) of all that can be run; place is hypothesis, method, rollbacks or configuration."""
    hypothesis = experiment.get(HYPOTHESIS)
    probes = hypothesis.get("probes") if is_map(hypothesis) else None
    for path, place, items in (((HYPOTHESIS, "probes"), "hypothesis", probes), (("method",), "method", experiment.get("method")),
                               (("rollbacks",), "rollbacks", experiment.get("rollbacks"))):
        for index, item in enumerate(items if isinstance(items, list) else ()):
            if is_map(item):
                yield (*path, index), item, place
    configuration = experiment.get("configuration")
    for name, item in configuration.items() if is_map(configuration) else ():
        if is_map(item) and item.get("type") == "probe":
            yield ("configuration", name), item, "configuration"


def plain(value):
    """A copy in which nothing is shared, as YAML's anchors share it."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return value
