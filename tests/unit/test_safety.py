"""When and on how many hosts an experiment may run; and that what cannot be read as an answer is never taken for a yes."""

from __future__ import annotations

import datetime

import pytest
from ansible_collections.gameday.chaos.plugins.plugin_utils.safety import Unsafe, check_barrier, check_hosts, check_strategy, check_times, check_window, is_free


@pytest.mark.parametrize(("limit", "hosts", "inventory", "allowed"), [
    ("", 1000, 1000, True),
    (None, 1000, 1000, True),
    (3, 3, 10, True),
    ("3", 4, 10, False),
    ("0", 1, 10, False),
    ("25%", 2, 10, True),
    ("25%", 3, 10, False),
    ("25 %", 2, 10, True),
    ("33.4%", 1, 3, True),
    ("1%", 1, 3, True),  # a share of few hosts is never none
    ("1%", 2, 3, False),
    ("100%", 3, 3, True),
])
def test_no_more_hosts_take_part_than_the_limit_says(limit, hosts, inventory, allowed):
    if allowed:
        check_hosts({"play": hosts, "inventory": inventory}, limit)
    else:
        with pytest.raises(Unsafe, match="experiment_maximum_hosts: the play has %s hosts.*--limit" % hosts):
            check_hosts({"play": hosts, "inventory": inventory}, limit)


@pytest.mark.parametrize("limit", ["many", "%", "inf%", "nan%", "2.5", "1e3", "25%%"])
def test_a_limit_that_cannot_be_read_is_refused(limit):
    with pytest.raises(Unsafe, match="experiment_maximum_hosts: .* is neither a number nor a percentage"):
        check_hosts({"play": 1, "inventory": 10}, limit)


WORKDAYS = {"days": ["mon", "tue", "wed", "thu", "fri"], "from": "09:00", "until": "17:00", "timezone": "Europe/Oslo"}
NIGHT = {"days": ["fri"], "from": "22:00", "until": "02:00"}


def at(text):
    return datetime.datetime.fromisoformat(text)


@pytest.mark.parametrize(("windows", "now", "is_open"), [
    ([], "2030-01-01T03:00:00+00:00", True),
    ([WORKDAYS], "2030-01-02T08:00:00+00:00", True),  # a Wednesday, 09:00 in Oslo
    ([WORKDAYS], "2030-01-02T07:59:59+00:00", False),
    ([WORKDAYS], "2030-01-02T16:00:00+00:00", True),
    ([WORKDAYS], "2030-01-02T16:00:01+00:00", False),
    ([WORKDAYS], "2030-07-03T07:00:00+00:00", True),  # summer time
    ([WORKDAYS], "2030-01-05T10:00:00+00:00", False),  # a Saturday
    ([WORKDAYS, {"days": ["Saturday"]}], "2030-01-05T10:00:00+00:00", True),
    ([NIGHT], "2030-01-04T21:59:00+00:00", False),
    ([NIGHT], "2030-01-04T23:00:00+00:00", True),
    ([NIGHT], "2030-01-05T01:59:00+00:00", True),  # the night of Friday ends on Saturday
    ([NIGHT], "2030-01-05T02:01:00+00:00", False),
    ([NIGHT], "2030-01-05T23:00:00+00:00", False),
    ([NIGHT], "2030-01-04T01:00:00+00:00", False),  # the night of Thursday is none of it
    ([{"from": "9:30"}], "2030-01-05T09:30:00+00:00", True),
    ([{"days": None}], "2030-01-05T09:30:00+00:00", True),
    ([{"days": "Sat"}], "2030-01-05T23:59:59.900000+00:00", True),
])
def test_an_experiment_runs_only_in_an_open_window(windows, now, is_open):
    if is_open:
        check_window(windows, at(now))
    else:
        with pytest.raises(Unsafe, match="experiment_windows: it is .*, outside of every window"):
            check_window(windows, at(now))


@pytest.mark.parametrize(("window", "words"), [
    ({"days": ["caturday"]}, "caturday is no day; give a list of mon"),
    ({"days": ["mon-fri"]}, "mon-fri is no day"),
    ({"days": "mon, tue"}, "mon, tue is no day; give a list"),
    ({"days": [1]}, "1 is no day"),
    ({"from": "nine"}, "'nine' is no time of day.*HH:MM, in quotes"),
    ({"from": 1020}, "1020 is no time of day.*HH:MM, in quotes"),  # what YAML makes of 17:00 without quotes
    ({"from": "1020"}, "'1020' is no time of day"),
    ({"until": "24:30"}, "hour must be"),
    ({"until": "17:00+02:00"}, "no time of day"),
    ({"until": None}, "None is no time of day"),
    ({"timezone": "Mars/Olympus"}, "timezone .Europe/Oslo."),
    ({"timezone": "Europe"}, "timezone .Europe/Oslo."),
    ({"timezone": "../../etc/passwd"}, "timezone .Europe/Oslo."),
    ({"timezone": 5}, "timezone .Europe/Oslo."),
])
def test_a_window_that_cannot_be_read_is_refused_at_any_hour(window, words):
    for now in ("2030-01-02T08:00:00+00:00", "2030-01-05T23:00:00+00:00"):
        with pytest.raises(Unsafe, match="experiment_windows: .*" + words):
            check_window([{}, window], at(now))


@pytest.mark.parametrize(("strategy", "free"), [
    ("linear", False), ("free", True), ("ansible.builtin.free", True), ("host_pinned", True), ("ansible.builtin.host_pinned", True), ("debug", False)])
def test_the_strategies_in_which_hosts_do_not_wait_for_each_other(strategy, free):
    assert is_free(strategy) is free
    check_strategy(strategy, [{"name": "own"}], 0)
    if free:
        for steady_state, barrier, words in (([], 0, "experiment_steady_state"), ([{"name": "own"}], 2.0, "experiment_barrier")):
            with pytest.raises(Unsafe, match="strategy %s: .*%s.*linear" % (strategy, words)):
                check_strategy(strategy, steady_state, barrier)
    else:
        check_strategy(strategy, [], 2.0)


@pytest.mark.parametrize(("barrier", "hosts", "forks", "words"), [
    (0, 100, 5, None), (3, 5, 5, None), (3, 6, 5, "--forks 6"), (-1, 1, 5, "is not between"), (301, 1, 5, "is not between")])
def test_hosts_are_hit_together_only_where_ansible_can_reach_them_at_once(barrier, hosts, forks, words):
    if words is None:
        check_barrier(barrier, hosts, forks)
    else:
        with pytest.raises(Unsafe, match="experiment_barrier: .*%s" % words):
            check_barrier(barrier, hosts, forks)


@pytest.mark.parametrize("window", [{"day": ["mon"]}, {**WORKDAYS, "to": "17:00"}])
def test_a_word_that_says_nothing_of_a_window_is_refused_and_does_not_open_it(window):
    with pytest.raises(Unsafe, match="experiment_windows: .* has (day|to), which says nothing"):
        check_window([window], at("2030-01-02T08:00:00+00:00"))


@pytest.mark.parametrize(("recovery", "interval", "words"), [(0.0, 0.1, "experiment_recovery: 0.0"), (60.0, -1.0, "experiment_interval: -1.0"),
                                                             (float("nan"), 0.1, "experiment_recovery: nan")])
def test_a_look_afterwards_that_would_be_refused_is_refused_before(recovery, interval, words):
    check_times([{"probe_tcp": {}}], 60.0, 0.1)
    check_times([], recovery, interval)  # where nobody looks
    with pytest.raises(Unsafe, match=words):
        check_times([{"probe_tcp": {}}], recovery, interval)
