"""The numbers that windows are judged by, against values that were worked out elsewhere."""

from __future__ import annotations

import math
import statistics as standard

import pytest
from ansible_collections.gameday.chaos.plugins.module_utils import statistics
from hypothesis import given, settings
from hypothesis import strategies as st

settings.register_profile("unit", deadline=None)  # a machine that is busy is no failure
settings.load_profile("unit")


@pytest.mark.parametrize(("good", "total", "low", "high"), [
    (10, 10, 0.7225, 1),  # 0 errors of 10: up to 28 %
    (60, 60, 0.9398, 1),  # of 60: up to 6.0 %
    (300, 300, 0.9874, 1),  # of 300: up to 1.3 %
    (0, 10, 0, 0.2775),
    (5, 10, 0.2366, 0.7634),
    (81, 263, 0.2553, 0.3662),  # Newcombe 1998, table I
    (15, 148, 0.0624, 0.1605),
    (1, 29, 0.0061, 0.1718),
    (0, 0, 0, 1),
])
def test_a_share_is_known_as_well_as_wilson_says(good, total, low, high):
    found = statistics.wilson(good, total)
    assert found == (pytest.approx(low, abs=0.0001), pytest.approx(high, abs=0.0001))


counts = st.integers(1, 100000).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total)))


@given(counts)
def test_the_interval_holds_the_share_and_stays_between_none_and_all(count):
    good, total = count
    low, high = statistics.wilson(good, total)
    assert 0 <= low <= good / total + 1e-12 and good / total - 1e-12 <= high <= 1
    bad_low, bad_high = statistics.wilson(total - good, total)
    assert (low, high) == (pytest.approx(1 - bad_high), pytest.approx(1 - bad_low))


@given(counts)
def test_more_samples_of_the_same_share_tell_more(count):
    good, total = count
    few, many = statistics.wilson(good, total), statistics.wilson(10 * good, 10 * total)
    assert many[1] - many[0] < few[1] - few[0]


@pytest.mark.parametrize(("limit", "needed"), [(0.99, 381), (0.95, 73), (0.90, 35)])
def test_as_many_samples_are_needed_as_the_reason_says(limit, needed):
    assert math.ceil(statistics.Z ** 2 * limit / (1 - limit)) == needed
    assert statistics.wilson(needed, needed)[0] >= limit > statistics.wilson(needed - 1, needed - 1)[0]


@given(st.lists(st.floats(0, 1000), min_size=1), st.sampled_from([0.5, 0.95, 0.99]))
def test_a_percentile_is_a_value_that_so_many_do_not_exceed(values, share):
    found = statistics.percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9
    assert sum(value < found for value in values) < share * len(values) + 1e-9


def test_percentiles_of_a_few_known_ones():
    values = list(range(1, 101))
    assert [statistics.percentile(values, share) for share in (0.5, 0.95, 0.99)] == [50, 95, 99]
    assert statistics.percentile([3, 1, 2], 0.5) == standard.median([3, 1, 2]) == 2
    assert statistics.percentile([], 0.5) is None


def samples(signs, seconds=0.25):
    """One sample a second: + met, - not met, ? unknown."""
    return [(at, {"+": True, "-": False, "?": None}[sign], seconds) for at, sign in enumerate(signs)]


@pytest.mark.parametrize(("signs", "outages"), [
    ("", []),
    ("+++", []),
    ("???", []),
    ("+--+", [(1, 3)]),
    ("-+-+", [(0, 1), (2, 3)]),
    ("+-?-+", [(1, 4)]),
    ("+-?+", [(1, 3)]),
    ("?-", [(1, 1.25)]),
    ("+--", [(1, 2.25)]),
    ("+--??", [(1, 2.25)]),
])
def test_an_outage_lasts_from_the_first_bad_sample_to_the_next_good_one(signs, outages):
    assert statistics.outages(samples(signs)) == outages
