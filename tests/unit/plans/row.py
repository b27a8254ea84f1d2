"""
What a row says. Processes are real ones: {pid}, {start}, {pid_file}, {port} stand for those of a sleeping one. What containers, units and
so on are like, the row says: C(look) has an answer for each question that the plan puts to the host.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ansible_collections.gameday.chaos.plugins.module_utils.command import Answer


@dataclass
class Row:
    what: str
    fault: str
    params: dict
    look: dict
    claim: str
    inject: list
    revert: list
    check: str
    broken: list
    whole: list
    holds: list = field(default_factory=list)
    absent: list = field(default_factory=list)
    gone: list = field(default_factory=list)


ID = "0123456789abcdef" * 4


def failing(words, code=1):
    """An answer of a program that fails."""
    return Answer(code, "", words)
