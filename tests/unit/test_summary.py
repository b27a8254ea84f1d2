"""Several experiments on several hosts in one table."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.gameday.chaos.plugins.filter.summary import summary


def outcome(name, verdict, seconds=1.0):
    return {"name": name, "verdict": verdict, "seconds": seconds}


def test_the_verdict_of_an_experiment_is_the_worst_of_its_hosts():
    found = summary([[outcome("a", "passed", 61), outcome("b", "passed")], [outcome("a", "deviated", 62.5), outcome("b", "passed")]])
    assert [(one["name"], one["verdict"], one["seconds"]) for one in found["experiments"]] == [("a", "deviated", 62.5), ("b", "passed", 1.0)]
    assert (found["passed"], found["failed"], found["verdict"]) == (1, 1, "deviated")
    assert found["lines"] == ["✗ a  deviated      62.5 s", "✓ b  passed        1.0 s", "Passed: 1 Failed: 1"]


def test_nothing_is_not_passed():
    assert summary([])["verdict"] == "errored"


def test_previews_are_no_verdicts():
    found = summary([[outcome("a", "previewed"), outcome("b", "previewed")]])
    assert (found["verdict"], found["lines"][-1]) == ("previewed", "Passed: 0 Failed: 0 Previewed: 2") and found["lines"][0].startswith("· a  previewed")
    found = summary([[outcome("a", "previewed"), outcome("b", "errored")]])
    assert (found["verdict"], found["failed"]) == ("errored", 1)


def test_what_is_no_list_is_told():
    with pytest.raises(AnsibleFilterError, match="a list of outcomes for each host"):
        summary(["a"])
