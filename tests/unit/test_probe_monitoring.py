"""
The probes of Prometheus and of alerts, where the server is none or answers what it should not: with a stand-in, since no real one can be made to.
The real ones are asked in tests/integration/test_monitoring.py.
"""

from __future__ import annotations

import http.server
import json
import threading
import urllib.parse

import pytest
from ansible_collections.gameday.chaos.plugins.module_utils import clock, probe_alert, probe_prometheus, prometheus
from ansible_collections.gameday.chaos.plugins.module_utils.probe import BadArgument
from real_module import Host

from lab.probing import arguments_of, measured, said

RULE = {"name": "Down", "health": "ok", "lastEvaluation": "2090-01-01T00:00:00.123456789Z"}


class Answers(http.server.BaseHTTPRequestHandler):
    """Answers to each path what the test has put there: (status, document or bytes)."""

    answers = {}

    def do_GET(self):
        path, _, query = self.path.partition("?")
        self.server.asked.append((path, urllib.parse.parse_qs(query), self.headers))
        status, document = self.answers.get(path, (404, b"404 page not found\n"))
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass


@pytest.fixture(scope="module")
def serving():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        server.asked = []
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def server(serving, monkeypatch):
    """server(path=answer, ...) -> the server's URL."""

    def server(**answers):
        paths = {"query": "/api/v1/query", "query_range": "/api/v1/query_range", "rules": "/api/v1/rules", "alerts": "/api/v2/alerts"}
        monkeypatch.setattr(Answers, "answers", {paths[name]: answer for name, answer in answers.items()})
        serving.asked.clear()
        return "http://127.0.0.1:%s" % serving.server_address[1]

    server.asked = serving.asked
    return server


def vector(*values, **more):
    result = [{"metric": {"__name__": "m", "i": str(place)}, "value": [1.0, value]} for place, value in enumerate(values)]
    return 200, {"status": "success", "data": {"resultType": "vector", "result": result}, **more}


NOT_PROMETHEUS = [
    ((404, b"404 page not found\n"), "is not Prometheus, or http://"),
    ((200, b"<!DOCTYPE html>\n<title>Grafana</title>"), "status 200 of /api/v1/query: <!DOCTYPE html> <title>Grafana</title>)"),
    ((200, b""), "status 200 of /api/v1/query: nothing)"),
    ((200, {"status": "UP"}), "answers status 200, and not as Prometheus does; give the address of Prometheus, without /api/v1"),
    ((200, []), "not as Prometheus does"),
    ((200, {"status": "success", "data": "x"}), "not as Prometheus does"),
    ((410, {"status": "deprecated", "error": "use v2"}), "answers status 410"),
    ((401, b"Unauthorized"), "refuses us with status 401; give url_username and url_password, or headers"),
    ((503, {"status": "error", "errorType": "timeout", "error": "query timed out"}), "Prometheus says: timeout: query timed out"),
    ((200, b"x" * (prometheus.LONGEST_ANSWER + 1)), "longer than 16 MiB"),
]


@pytest.mark.parametrize(("answer", "words"), NOT_PROMETHEUS, ids=[row[1][:40] for row in NOT_PROMETHEUS])
def test_what_is_no_prometheus_is_no_data_and_told_by_its_words(server, answer, words):
    observation = measured(probe_prometheus, url=server(query=answer), query="m", minimum=0)
    assert observation["met"] is None and words in said(observation)[1], observation


def test_nothing_that_listens_is_no_data():
    for kind, options in ((probe_prometheus, {"query": "m"}), (probe_alert, {"name": "x"}), (probe_alert, {"name": "x", "state": "absent"})):
        observation = measured(kind, url="http://127.0.0.1:9", **options)
        assert observation["met"] is None and said(observation)[1] == "no data: url: http://127.0.0.1:9: connection refused: nothing listens there"


def test_no_number_is_no_data_unless_another_series_decides(server):
    url = server(query=vector("NaN", "3"))
    nan = measured(probe_prometheus, url=url, query="m", maximum=5)
    assert nan["met"] is None and said(nan)[1] == 'no data: m{i="0"} is no number (NaN), as of nothing divided by nothing'
    assert measured(probe_prometheus, url=url, query="m", maximum=2)["met"] is False, "one that is beyond its limit is enough"
    assert measured(probe_prometheus, url=url, query="m", maximum=5, series="any")["met"] is True
    assert measured(probe_prometheus, url=url, query="m", maximum=2, series="any")["met"] is None, "the other one might have been met"
    assert measured(probe_prometheus, url=server(query=vector("-Inf")), query="m")["value"] == "-Inf"


def test_warnings_of_the_server_are_kept(server):
    assert measured(probe_prometheus, url=server(query=vector("1", warnings=["a store was not asked"])), query="m")["warnings"] == ["a store was not asked"]


def test_the_address_may_have_a_path_and_credentials_are_sent_and_not_shown(server):
    url = server().replace("http://", "http://me:swordfish@")
    observation = measured(probe_prometheus, url=url + "/prometheus/?x=1", query="up == 1 and {a='ö'}", headers={"X-Scope-OrgID": "7"})
    path, query, headers = server.asked[-1]
    assert path == "/prometheus/api/v1/query" and query == {"query": ["up == 1 and {a='ö'}"]}
    assert headers["X-Scope-OrgID"] == "7" and headers["Authorization"].startswith("Basic ")
    assert "swordfish" not in str(observation) and "***@" in said(observation)[1]


def test_a_proxy_from_the_environment_is_not_used(server, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert measured(probe_prometheus, url=server(query=vector("1")), query="m", equals=1)["met"] is True


# The PromQL that is made


def test_the_error_rate_and_the_latency_in_promql():
    assert prometheus.error_rate('e{a="}"}', "t", 60) == '(sum(rate(e{a="}"}[60000ms])) or 0 * sum(rate(e[60000ms]))) / sum(rate(t[60000ms]))'
    assert prometheus.latency('h{a="b"}', 0.99, 0.5) == 'histogram_quantile(0.99, sum by (le) (rate(h_bucket{a="b"}[500ms])))'


def test_a_burn_rate_must_be_high_in_both_windows(server, monkeypatch):
    rates = {60000: "0.5", 5000: "0.001"}
    monkeypatch.setattr(prometheus, "api", lambda arguments, path, parameters: (
        {"resultType": "vector", "result": [{"metric": {}, "value": [1, rates[60000 if "60000ms" in parameters["query"] else 5000]]}]}, []))
    slo = {"url": "http://x", "bad": "e", "total": "t", "objective": 0.99, "short_window": 5, "maximum": 14.4}
    over = measured(probe_prometheus, **slo)
    assert over["met"] is True and over["value"] == pytest.approx(0.1) and over["burn_rates"] == [50, 0.1], "it is over"
    rates[5000] = "0.2"
    assert said(measured(probe_prometheus, **slo)) == (
        False, "burn rate with objective 0.99 (50 % of t were bad in 60 s: 50; in 5 s 20): 20, at most 14.4 expected")


# Alerts


def told(name="Down", status=None, **more):
    return {"labels": {"alertname": name, "i": "1"}, "startsAt": "2030-01-31T12:00:00.123Z", "receivers": [{"name": "pager"}],
            "status": status or {"state": "active", "silencedBy": [], "inhibitedBy": []}, **more}


@pytest.mark.parametrize(("answer", "words"), [
    ((404, b"no"), "is not Alertmanager, or"),
    ((200, {"data": []}), "answers status 200, and not as Alertmanager does; give the address of Alertmanager, without /api/v2, or source: prometheus"),
    ((200, [{"name": "x"}]), "not as Alertmanager does"),
    ((400, "bad matcher format: x"), "Alertmanager says: bad matcher format: x"),
    ((400, {"code": 600, "message": "active in query must be of type boolean"}), "Alertmanager says: active in query must be of type boolean"),
])
def test_what_is_no_alertmanager_is_no_data(server, answer, words):
    for state in ("firing", "absent"):
        observation = measured(probe_alert, url=server(alerts=answer), name="Down", state=state)
        assert observation["met"] is None and words in said(observation)[1], observation


def test_the_labels_of_an_alert_are_quoted(server):
    measured(probe_alert, url=server(alerts=(200, [])), name='a "b" \\', labels={"severity": "page\n", "shard": 7})
    assert server.asked[-1][1]["filter"] == ['alertname="a \\"b\\" \\\\"', 'severity="page\\n"', 'shard="7"']


def test_the_first_of_several_alerts_says_when(server):
    later = told(startsAt="2030-01-31T12:00:05Z")
    observation = measured(probe_alert, url=server(alerts=(200, [later, told()])), name="Down")
    assert observation["met"] is True and observation["fired_at"] == "2030-01-31T12:00:00.123000+00:00" and observation["number_of_alerts"] == 2
    assert "others" not in observation and "early" not in observation


def test_waiting_outlasts_a_server_that_is_not_there_yet(server, monkeypatch):
    url = server()
    threading.Timer(0.4, monkeypatch.setattr, (Answers, "answers", {"/api/v2/alerts": (200, [told()])})).start()
    observation = measured(probe_alert, url=url, name="Down", within=5)
    assert observation["met"] is True and 0.4 <= observation["seconds"] < 2
    assert measured(probe_alert, url=server(), name="Down", within=0.3)["met"] is None


@pytest.mark.parametrize(("rules", "words"), [
    ([], 'Prometheus has no alerting rule "Down"; it has none'),
    ([dict(RULE, health="err", lastError="it broke")], "Prometheus cannot evaluate the rule of Down: it broke"),
    ([dict(RULE, lastEvaluation="0001-01-01T00:00:00Z")], "Prometheus has not evaluated the rule of Down yet"),
])
def test_a_rule_that_cannot_fire_is_neither_firing_nor_absent(server, rules, words):
    url = server(query_range=vector(), rules=(200, {"status": "success", "data": {"groups": [{"rules": rules}]}}))
    for state in ("firing", "absent"):
        observation = measured(probe_alert, url=url, source="prometheus", name="Down", state=state)
        assert observation["met"] is None and said(observation)[1].endswith(words), observation


def test_a_rule_that_is_evaluated_and_does_not_fire_is_absent(server):
    url = server(query_range=vector(), rules=(200, {"status": "success", "data": {"groups": [{"rules": [RULE]}]}}))
    assert measured(probe_alert, url=url, source="prometheus", name="Down", state="absent", since=clock.iso())["met"] is True


# Options


LEVEL = {"bad": "e", "total": "t"}


@pytest.mark.parametrize(("options", "words"), [
    ({"url": "localhost:9090", "query": "up"}, "url: 'localhost:9090' is no URL"),
    ({"query": ""}, "query, total, histogram: give a value"),
    ({"query": "up", "reduce": "mean"}, "reduce: needs range"),
    ({"query": "up", "range": 10, "step": 11}, "step: 11.0 is longer than range"),
    ({"query": "up", "range": 86400, "step": 1}, "gives more than 11000 values"),
    ({"query": "sum(up)", "maximum_age": 5}, "maximum_age: only a query that is one metric"),
    ({"query": "up", "window": 5}, "window: is for total and histogram"),
    ({"query": "up", "minimum": 2, "maximum": 1}, "minimum: 2 is more than maximum 1"),
    ({"query": "up", "equals": 2, "maximum": 1}, "equals: excludes minimum and maximum"),
    ({"query": "up", "maximum": "nan"}, "minimum, maximum, equals: give numbers"),
    ({**LEVEL, "total": "sum(t)"}, "total: 'sum(t)' is no selector"),
    ({**LEVEL, "bad": '{job="x"}'}, "bad: '{job=\"x\"}' is no selector"),
    ({**LEVEL, "objective": 99.9}, "objective: 99.9 is not between 0 and 1; three nines are 0.999"),
    ({**LEVEL, "objective": 0.9, "short_window": 60}, "short_window: 60.0 is not shorter than window (60.0)"),
    ({"histogram": "h", "quantile": 95}, "quantile: 95 is not between 0 and 1; 95 % are 0.95"),
])
def test_bad_options_of_a_query_are_refused(options, words):
    with pytest.raises(BadArgument) as refusal:
        arguments_of(probe_prometheus, **{"url": "http://127.0.0.1:9090", **options})
    assert words in str(refusal.value)


@pytest.mark.parametrize(("options", "words"), [
    ({"name": ""}, "name: give the name of the alert"),
    ({"labels": {"a-b": 1}}, "labels: 'a-b' is no name of a label"),
    ({"since": "yesterday"}, "since: 'yesterday' is no instant"),
    ({"since": "2090-01-01T00:00:00Z"}, "since: 2090-01-01T00:00:00Z is yet to come"),
    ({"within": 0}, "within: 0.0 must be more than 0"),
    ({"source": "prometheus", "suppressed": True}, "suppressed: only Alertmanager knows"),
])
def test_bad_options_of_an_alert_are_refused(options, words):
    with pytest.raises(BadArgument) as refusal:
        arguments_of(probe_alert, **{"url": "http://127.0.0.1:9093", "name": "x", **options})
    assert words in str(refusal.value)


@pytest.mark.parametrize("options", [{}, {"query": "up", "total": "t", "bad": "e"}, {"total": "t"}, {"query": "up", "objective": 0.9},
                                     {"query": "up", "range": 5, "quantile": 0.9}], ids=str)
def test_options_that_do_not_belong_together_are_refused_by_module_and_steady_state(options):
    host = Host()
    try:
        options = {"url": "http://127.0.0.1:9", **options}
        for result in (host.run("probe_prometheus", **options), host.run("steady_state", probes=[{"name": "x", "probe_prometheus": options}])):
            assert result["failed"] and "observation" not in result and "steady_state" not in result, result
    finally:
        host.clean()
