"""The probes of Prometheus and of alerts against the real ones; and an experiment whose alert fires."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
from ansible_collections.gameday.chaos.plugins.module_utils import clock, probe_alert, probe_prometheus, window

from lab.probing import arguments_of, measured, said

SECONDS = 3  # of counting: a dozen scrapes


pytestmark = pytest.mark.place("monitoring")  # it breaks nothing, so it is in nobody's way


@pytest.fixture
def ask(monitoring):
    return lambda **options: measured(probe_prometheus, url=monitoring.prometheus, **options)


@pytest.fixture
def alert(monitoring):
    """By Alertmanager, unless Prometheus is asked."""

    def alert(name, source="alertmanager", **options):
        return measured(probe_alert, url=getattr(monitoring, source), source=source, name=name, **options)

    return alert


@contextmanager
def switched(monitoring, *names):
    """These gauges are 1 for a while, and what follows from it has ended afterwards."""
    monitoring.gauges.update(dict.fromkeys(names, 1))
    try:
        yield
    finally:
        monitoring.gauges.update(dict.fromkeys(names, 0))
        for url in (monitoring.prometheus, monitoring.alertmanager):
            source = "prometheus" if url == monitoring.prometheus else "alertmanager"
            for name in ("LabSwitch", "LabOther", "LabInhibited"):
                gone = measured(probe_alert, url=url, source=source, name=name, state="absent", within=10)
                assert gone["met"] is True, gone


# Queries


QUERIES = [
    ({"query": "lab_temperature", "minimum": 20, "maximum": 30}, True, ""),
    ({"query": "lab_temperature", "maximum": 25}, False, 'lab_temperature{instance="127.0.0.1:PORT", job="lab", room="b"}: 30, at most 25 expected'),
    ({"query": "lab_temperature", "maximum": 25, "series": "any"}, True, ""),
    ({"query": "lab_temperature", "minimum": 31, "series": "any"}, False, "20, at least 31 expected; lab_temperature"),
    ({"query": "sum(lab_temperature)", "equals": 50}, True, ""),
    ({"query": "scalar(sum(lab_temperature)) / 2", "equals": 26}, False, "the scalar: 25, expected 26"),
    ({"query": 'count(lab_temperature{room=~"."}) == bool 2', "equals": 1}, True, ""),
    ({"query": "1 / (lab_switch * 0 + 0)", "maximum": 5}, None, ""),
    ({"query": "lab_wave", "range": 2, "step": 0.1, "reduce": "maximum", "equals": 1}, True, ""),
    ({"query": "lab_wave", "range": 2, "step": 0.1, "reduce": "minimum", "equals": 0}, True, ""),
    ({"query": "lab_wave", "range": 2, "step": 0.05, "reduce": "mean", "minimum": 0.3, "maximum": 0.7}, True, ""),
    ({"query": "sum(lab_temperature)", "range": 2, "equals": 50}, True, ""),
    ({"query": "lab_temperature", "range": 2, "reduce": "last", "maximum": 20}, False, "30, at most 20 expected"),
    ({"query": "lab_late", "maximum_age": 9, "equals": 7}, True, ""),
    ({"query": "lab_late", "maximum_age": 4, "equals": 7}, None, "was last measured"),
    ({"query": "lab_temperature", "maximum_age": 4}, True, ""),
    ({"query": "no_such_metric", "minimum": 0}, None, "no data: query: Prometheus has no series for no_such_metric: is the metric right"),
    ({"query": "no_such_metric", "range": 5}, None, "no series for no_such_metric in the last 5 s"),
    ({"query": "sum(("}, None, "query: Prometheus says: bad_data: invalid parameter \"query\": 1:6: parse error: unclosed left parenthesis"),
    ({"query": "lab_temperature * on () lab_temperature"}, None, "Prometheus says: execution: found duplicate series for the match group"),
    ({"query": "lab_temperature[5s]"}, None, "query: gives a range of values, not a number for each series; leave out the brackets"),
    ({"query": '"text"'}, None, "query: gives a text"),
    ({"query": "lab_idle_total / 0 * 0"}, None, "no number (NaN)"),
    ({"query": "lab_wave / 0", "range": 2, "reduce": "maximum"}, True, ""),
]


@pytest.mark.parametrize(("options", "met", "reason"), QUERIES, ids=[" ".join(map(str, row[0].values())) for row in QUERIES])
def test_a_query_is_judged_series_by_series(ask, monitoring, options, met, reason):
    observation = ask(**options)
    if "lab_switch" in options["query"]:
        met, reason = False, "inf, at most 5 expected"
        assert observation["value"] == "+Inf", "JSON has no infinity"
    reason = reason.replace("PORT", str(monitoring.exporter.server_address[1]))
    assert observation["met"] is met and reason in said(observation)[1], observation
    assert observation["seconds"] < 2


def test_the_first_series_that_decides_gives_the_value_and_only_some_are_shown(ask):
    assert ask(query="lab_temperature", maximum=25)["value"] == 30 and ask(query="lab_temperature", maximum=25, series="any")["value"] == 20
    many = ask(query="lab_seconds_bucket or lab_temperature or lab_requests_total or lab_wave", minimum=1e9)
    assert many["number_of_series"] == 9 and len(many["series"]) == 5
    assert many["met"] is False and many["reasons"][-1] == "and 4 more series" and len(many["reasons"]) == 6


def test_a_series_that_has_ended_has_no_last_value_and_no_least_one_that_can_be_trusted(ask, monitoring):
    del monitoring.gauges["lab_ends"]
    deadline = time.monotonic() + 5
    while ask(query="lab_ends")["met"]:
        assert time.monotonic() < deadline
    time.sleep(0.6)
    last, least = ask(query="lab_ends", range=10, step=0.25, equals=1), ask(query="lab_ends", range=10, step=0.25, reduce="minimum", minimum=1)
    assert last["met"] is None and least["met"] is None and "ended" in said(last)[1] and "ended" in said(least)[1]
    assert ask(query="lab_ends", range=10, step=0.25, reduce="maximum", maximum=0)["met"] is False, "what was seen is enough to refute"


# Service levels


FAILED, ALL = 'lab_requests_total{status="500"}', "lab_requests_total"
LEVELS = [
    ({"bad": FAILED, "total": ALL, "maximum": 0.11, "minimum": 0.09}, True, ""),
    ({"bad": FAILED, "total": ALL, "maximum": 0.05}, False, "error rate (10 % of lab_requests_total were bad in 3 s): 0.1, at most 0.05 expected"),
    ({"bad": FAILED, "total": ALL, "objective": 0.99, "maximum": 14.4}, True, ""),
    ({"bad": FAILED, "total": ALL, "objective": 0.999, "maximum": 14.4}, False,
     "burn rate with objective 0.999 (10 % of lab_requests_total were bad in 3 s: 100): 100, at most 14.4 expected"),
    ({"bad": FAILED, "total": ALL, "objective": 0.999, "short_window": 1.5, "maximum": 14.4}, False, "in 1.5 s 100): 100, at most 14.4 expected"),
    ({"bad": 'lab_quiet_total{status="500"}', "total": ALL, "maximum": 0}, True, ""),
    ({"bad": "lab_quite_total", "total": ALL, "maximum": 0.5}, None, "Prometheus has nothing of it in the last 3 s"),
    ({"bad": FAILED, "total": "lab_request_total", "maximum": 0.5}, None, "is each metric right"),
    ({"bad": FAILED.replace("500", "501"), "total": "lab_idle_total", "maximum": 0.5}, None, "nothing was counted in the last 3 s"),
    ({"histogram": "lab_seconds", "minimum": 0.1, "maximum": 1}, True, ""),
    ({"histogram": 'lab_seconds_bucket{job="lab"}', "quantile": 0.5, "maximum": 0.1}, True, ""),
    ({"histogram": "lab_seconds", "quantile": 0.9, "maximum": 0.3}, False, "90 % of what lab_seconds counted in 3 s (in seconds): 0.5, at most 0.3 expected"),
    ({"histogram": "lab_secs", "maximum": 1}, None, "histogram: Prometheus has nothing of it"),
]


@pytest.mark.parametrize(("options", "met", "reason"), LEVELS, ids=[" ".join(map(str, row[0].values())) for row in LEVELS])
def test_a_service_level_is_asked_for_in_plain_words(ask, options, met, reason):
    observation = ask(window=SECONDS, **options)
    assert observation["met"] is met and reason in said(observation)[1], observation


def test_it_can_be_asked_many_times_a_second(monitoring):
    """As a steady_state does during a watch: every tick that is not missed gets its answer."""
    probes = [window.Watched("up", probe_prometheus, arguments_of(probe_prometheus, url=monitoring.prometheus, query="up", minimum=0)),
              window.Watched("alert", probe_alert, arguments_of(probe_alert, url=monitoring.alertmanager, name="LabSwitch", state="absent"))]
    first = window.watch(probes, 4, 0.05)[0]
    for probe in probes:
        numbers = window.summary(probe, first, 0.05)
        assert numbers["met"] + numbers["missed"] == numbers["samples"] == 80 and numbers["met"] >= 20, numbers


# Alerts


def test_an_alert_fires_is_told_since_when_and_ends(alert, monitoring):
    begin = clock.iso()
    assert said(alert("LabSwitch", state="absent", since=begin)) == (True, "")

    def too_early():
        fresh = alert("LabSwitch", "prometheus", state="absent", since=clock.iso())
        return fresh["met"] is None and "not evaluated the rule of LabSwitch since" in said(fresh)[1]

    monitoring.until(too_early, 10, "a rule counts that was not evaluated since")
    assert said(alert("LabSwitch", "prometheus", state="absent", since=begin, within=2)) == (True, "")
    with switched(monitoring, "lab_switch"):
        told = alert("LabSwitch", labels={"severity": "page"}, since=begin, within=10)
        assert told["met"] is True and told["value"] == "firing" and begin < told["fired_at"] < clock.iso(), told
        assert told["alerts"][0]["receivers"] == ["pager"]
        known = alert("LabSwitch", "prometheus", since=begin)
        apart = clock.parse(known["fired_at"]) - clock.parse(told["fired_at"])
        assert known["met"] is True and abs(apart.total_seconds()) < 0.6, (known, told)
        assert said(alert("LabSwitch", "prometheus", state="absent", since=begin))[0] is False
        absent = alert("LabSwitch", state="absent")
        assert absent["met"] is False and 'LabSwitch"' in said(absent)[1] and "fires since %s, expected absent" % told["fired_at"] in said(absent)[1]
        assert alert("LabSwitch", labels={"severity": "ticket"})["met"] is False
        late = clock.iso()
        for source in ("alertmanager", "prometheus"):
            early = alert("LabSwitch", source, since=late)
            assert early["met"] is None and "would have fired anyway" in said(early)[1] and early["fired_at"] is None, early
    past = alert("LabSwitch", "prometheus", since=begin)
    assert past["met"] is True and past["fired_at"] == known["fired_at"] and past["alerts"][0]["still"] is False, "it has fired, though it no longer does"
    assert said(alert("LabSwitch", since=begin)) == (False, 'alertname="LabSwitch" does not fire')
    ended = alert("LabSwitch", "prometheus", state="absent", since=begin)
    assert ended["met"] is False and "and has ended, expected absent" in said(ended)[1]


def test_an_alert_of_which_nobody_is_told_does_not_count(alert, monitoring):
    with switched(monitoring, "lab_switch", "lab_other", "lab_inhibited"):
        identity, end = monitoring.silence("LabSwitch")
        try:
            for name, words in (("LabSwitch", "is silenced by %s" % identity), ("LabInhibited", "is inhibited by ")):
                assert alert(name, suppressed=True, within=10)["met"] is True
                monitoring.until(lambda name=name, words=words: words in said(alert(name))[1], 5, words)
                quiet = alert(name, within=0.3)
                assert quiet["met"] is False and "so nobody is told" in said(quiet)[1] and quiet["fired_at"] is None, quiet
                there = alert(name, state="absent")
                assert there["met"] is False and ("(silenced)" if name == "LabSwitch" else "(inhibited)") in said(there)[1]
        finally:
            end()


def test_an_alert_that_waits_is_told_and_one_that_cannot_fire_is_no_data(alert, monitoring):
    with switched(monitoring, "lab_switch"):
        monitoring.until(lambda: alert("LabSwitch", "prometheus")["met"], 10, "it does not fire")
        waits = alert("LabSlow", "prometheus")
        assert waits["met"] is False and "does not fire yet" in said(waits)[1], waits
    for state in ("firing", "absent"):
        misspelt = alert("LabSwich", "prometheus", state=state)
        assert misspelt["met"] is None and 'no alerting rule "LabSwich"; it has LabBroken, LabDown, ' in said(misspelt)[1]
        broken = alert("LabBroken", "prometheus", state=state)
        assert broken["met"] is None and "cannot evaluate the rule of LabBroken: found duplicate series" in said(broken)[1]
    assert alert("LabSwich", state="absent")["met"] is True, "Alertmanager knows no rules: it is documented"


def test_the_wrong_server_is_told_from_the_right_one(monitoring):
    for kind, options in ((probe_prometheus, {"query": "up"}), (probe_alert, {"source": "prometheus", "name": "LabSwitch"})):
        observation = measured(kind, url=monitoring.alertmanager, **options)
        assert observation["met"] is None and "Prometheus" in said(observation)[1], observation
    observation = measured(probe_alert, url=monitoring.prometheus, name="LabSwitch")
    assert observation["met"] is None and "Alertmanager" in said(observation)[1], observation


# An experiment


@pytest.fixture
def victim(monitoring, tmp_path):
    """A process that answers Prometheus, until it is frozen."""
    (tmp_path / "metrics").write_text("victim 1\n")
    argv = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "--directory", str(tmp_path), str(monitoring.victim)]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            up = {"url": monitoring.prometheus, "query": 'up{job="victim"}', "equals": 1}
            monitoring.until(lambda: measured(probe_prometheus, **up)["met"], 10, "the victim is not scraped")
            monitoring.until(lambda: measured(probe_alert, url=monitoring.alertmanager, name="LabDown", state="absent")["met"], 10, "the alert does not end")
            yield process, up
        finally:
            os.kill(process.pid, signal.SIGKILL)


METHOD = """
- name: The victim freezes
  gameday.chaos.fault_process: {{port: {port}, duration: 60}}

- name: Somebody is told
  {told}
{register}
"""
ALONE = "gameday.chaos.probe_alert: {url: %(url)s, name: LabDown, within: 20}"
LISTED = """gameday.chaos.steady_state:
    within: 20
    probes:
      - name: it is down
        probe_prometheus: {url: %(prometheus)s, query: 'up{job="victim"}', equals: 0}
      - name: the alert fires
        probe_alert: {url: %(url)s, name: LabDown, since: "{{ experiment_begin }}"}"""


@pytest.mark.place("this machine")
@pytest.mark.parametrize(("told", "register"), [
    pytest.param(ALONE, "  register: experiment_detection", id="registered"),
    pytest.param(LISTED, "", id="found by the journal", marks=pytest.mark.long),
])
def test_the_time_to_the_alert_is_in_the_verdict_and_in_the_journal(run_playbook, monitoring, victim, tmp_path, told, register):
    process, up = victim
    method = tmp_path / "method.yml"
    urls = {"url": monitoring.alertmanager, "prometheus": monitoring.prometheus}
    method.write_text(METHOD.format(port=monitoring.victim, told=told % urls, register=register))
    run = run_playbook([{"name": "An alert", "hosts": "all", "gather_facts": False, "roles": [{"role": "gameday.chaos.experiment", "vars": {
        "experiment_title": "Somebody is told", "experiment_method": str(method), "experiment_warm_up": 10, "experiment_recovery": 20,
        "experiment_steady_state": [{"name": "it is up", "probe_prometheus": up}]}}]}])
    assert run.rc == 0, run
    journal, = run.journals()
    detection = journal["timings"]["detection"]
    assert journal["verdict"] == "passed" and 0 < detection < 15 and journal["timings"]["impact"] is None, journal["timings"]
    verdict = run.result("Verdict")["verdict"]["timings"]["detection"]
    assert verdict == (pytest.approx(detection, abs=0.002) if register else None)
    assert "detected after" in run.stdout
