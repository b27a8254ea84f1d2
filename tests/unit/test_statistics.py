"""The numbers that windows are judged by, against values that were worked out elsewhere."""

from __future__ import annotations

import itertools
import math
import random
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


# Slower than before


def test_mann_whitney_with_values_that_were_worked_out_elsewhere():
    p, share = statistics.mann_whitney([1, 2, 3, 4, 5], [6, 7, 8, 9, 10])
    assert p == pytest.approx(0.01219, abs=0.00001) and share == 1
    assert statistics.mann_whitney([1, 2, 3], [1, 2, 3]) == (1, 0.5)
    assert statistics.mann_whitney([7] * 40, [7] * 40) == (1.0, 0.5)


@given(st.lists(st.integers(0, 9), min_size=2, max_size=30), st.lists(st.integers(0, 9), min_size=2, max_size=30))
def test_the_share_counts_pairs_and_the_test_knows_no_side(before, now):
    p, share = statistics.mann_whitney(before, now)
    pairs = [1 if later > earlier else 0.5 if later == earlier else 0 for earlier in before for later in now]
    assert share == pytest.approx(sum(pairs) / len(pairs)) and 0 <= p <= 1
    other_p, other_share = statistics.mann_whitney(now, before)
    assert (other_p, other_share) == (pytest.approx(p), pytest.approx(1 - share))


def test_with_many_ties_it_is_as_sure_as_all_the_ways_to_deal_the_samples_are():
    before, now = [1, 1, 2, 2, 2, 3], [2, 3, 3, 3, 4, 4]
    p, share = statistics.mann_whitney(before, now)
    dealt = []
    for places in itertools.combinations(range(12), 6):
        one = [value for place, value in enumerate(before + now) if place in places]
        other = [value for place, value in enumerate(before + now) if place not in places]
        dealt.append(abs(statistics.mann_whitney(one, other)[1] - 0.5) >= abs(share - 0.5) - 1e-9)
    assert p == pytest.approx(sum(dealt) / len(dealt), abs=0.015)


def test_neighbours_that_are_alike_are_found():
    source = random.Random(1)
    assert abs(statistics.correlation([source.random() for _ in range(500)])) < 0.1
    assert statistics.correlation(list(range(50))) > 0.8
    assert statistics.correlation([1, 2]) is None


def window(source, count, correlation, factor=1.0):
    """Response times around 50 ms with a spread of 30 %, of which each tells something of the next."""
    state, times = source.gauss(0, 1), []
    for _ in range(count):
        times.append(round(factor * 0.05 * math.exp(0.3 * state), 4))
        state = correlation * state + math.sqrt(1 - correlation ** 2) * source.gauss(0, 1)
    return times


def share_of(answer, count, correlation, factor=1.0, pairs=600):
    source = random.Random(4711)
    found = [statistics.compare(window(source, count, correlation), window(source, count, correlation, factor))["slower"] for _ in range(pairs)]
    return found.count(answer) / pairs


@pytest.mark.parametrize(("count", "correlation", "at_most"), [(30, 0, 0.01), (60, 0, 0.01), (60, 0.6, 0.05), (100, 0.6, 0.01), (30, 0.6, 0.01)])
def test_two_windows_of_the_same_system_are_rarely_called_different(count, correlation, at_most):
    """The false alarms of docs/concepts.md."""
    assert share_of(True, count, correlation) <= at_most


def test_with_neighbours_alike_thirty_samples_are_too_few_to_tell():
    assert share_of(None, 30, 0.6) > 0.9 and share_of(None, 60, 0.6) == 0


@pytest.mark.parametrize(("correlation", "factor", "at_least"), [(0, 1.5, 0.97), (0.6, 1.5, 0.9), (0.6, 20, 1)])
def test_what_is_really_slower_is_found(correlation, factor, at_least):
    assert share_of(True, 60, correlation, factor, 300) >= at_least
    assert share_of(True, 60, correlation, 1 / factor, 300) == 0, "faster is not slower"


def test_a_comparison_in_numbers():
    before, now = [0.010, 0.012] * 20, [0.510, 0.520] * 20
    found = statistics.compare(before, now)
    assert found.pop("p") < 1e-10
    assert found == {"samples": [40, 40], "median": [0.01, 0.51], "ratio": 51.0, "superiority": 1.0, "needed": 30, "slower": True}
    assert statistics.compare(before, now, tolerance=0.6)["slower"] is False
    assert statistics.compare(before[:29], now)["slower"] is None


def test_each_of_the_three_conditions_can_say_no():
    steady = [0.100, 0.101] * 50
    assert statistics.compare(steady, [value * 1.2 for value in steady])["slower"] is False  # surely slower, but by too little
    assert statistics.compare(steady, [0.09] * 45 + [0.2] * 55)["slower"] is False  # half of them slower: too few pairs
    assert statistics.compare([0.1, 0.5] * 15, [0.12, 0.7] * 15)["slower"] is False  # of too wide a spread to be sure
