"""Hosts with clocks of their own, and workers of one controller that agree on something."""

from __future__ import annotations

import subprocess
import sys

import pytest
from ansible_collections.gameday.chaos.plugins.plugin_utils import clocks
from ansible_collections.gameday.chaos.plugins.plugin_utils.together import Together

FAR = {"offset": 100.0, "uncertainty": 0.01}


def test_the_quickest_answer_says_how_far_a_clock_is_off_and_how_uncertain_that_is():
    slow, quick = (1000.0, 1100.4, 0.0, 1001.0), (2000.0, 2100.01, 0.0, 2000.02)
    assert clocks.measured([slow, quick]) == {"offset": 100.0, "uncertainty": 0.01}
    assert clocks.measured([slow]) == {"offset": 99.9, "uncertainty": 0.5}


def test_a_clock_that_tells_whole_seconds_is_as_uncertain():
    assert clocks.measured([(1000.0, 1000.5, 0.5, 1000.02)]) == {"offset": 0.49, "uncertainty": 0.51}


@pytest.mark.parametrize(("clock", "offset"), [
    (FAR, 100.0), ({"offset": -3.0, "uncertainty": 0.2}, -3.0), ({"offset": 0.01, "uncertainty": 0.02}, 0.0), ({}, 0.0), (None, 0.0),
])
def test_what_the_measurement_cannot_tell_from_nothing_is_not_corrected(clock, offset):
    assert clocks.offset_of(clock) == offset


def test_what_a_host_told_is_put_on_the_controllers_clock():
    told = {"claim": "begin", "begin": "2030-01-31T12:01:50.500000+00:00", "end": None, "seconds": 3.0,
            "probes": [{"window": {"first_bad": "2030-01-31T12:01:51+00:00", "series": {"start": "2030-01-31T13:01:50+01:00", "met": "11"}}}]}
    assert clocks.corrected(told, 100.0) == {
        "claim": "begin", "begin": "2030-01-31T12:00:10.500000+00:00", "end": None, "seconds": 3.0,
        "probes": [{"window": {"first_bad": "2030-01-31T12:00:11.000000+00:00", "series": {"start": "2030-01-31T13:00:10.000000+01:00", "met": "11"}}}]}
    assert clocks.corrected(told, 0.0) is told
    assert clocks.corrected({"end": "never"}, 1.0) == {"end": "never"}


def test_workers_agree_on_what_the_first_of_them_said(tmp_path):
    program = ("import sys; from ansible.plugins.loader import init_plugin_loader; init_plugin_loader(sys.argv[2:3]); "
               "from ansible_collections.gameday.chaos.plugins.plugin_utils.together import Together; import os; "
               "print(Together(sys.argv[1]).once(['run', 1], os.getpid), Together(sys.argv[1]).times(['run']))")
    folder = str(__file__).partition("/tests/")[0] + "/collections"
    workers = [subprocess.Popen([sys.executable, "-c", program, str(tmp_path), folder], stdout=subprocess.PIPE, text=True) for _number in range(4)]
    answers = [worker.communicate()[0].split() for worker in workers]
    assert len({said for said, count in answers}) == 1 and sorted(count for said, count in answers) == ["1", "2", "3", "4"]


def test_each_question_has_its_own_answer(tmp_path):
    together = Together(str(tmp_path))
    assert [together.once(["a"], lambda: 1), together.once(["a"], lambda: 2), together.once(["a", "b"], lambda: 3)] == [1, 1, 3]
    assert [together.times(["a"]), together.times(["a"]), together.times(["b"])] == [1, 2, 1]
