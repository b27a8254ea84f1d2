"""The HTTP probe against real local servers: what is met, what is not, and in which words."""

from __future__ import annotations

import ssl
import subprocess

import pytest
from ansible_collections.gameday.chaos.plugins.module_utils import probe_http
from ansible_collections.gameday.chaos.plugins.module_utils.probe import BadArgument
from http_servers import serving

from lab.local import free_ports
from lab.probing import arguments_of, measured, said


@pytest.fixture(scope="module")
def port():
    with serving() as port:
        yield port


@pytest.fixture
def ask(port):
    return lambda path, **options: measured(probe_http, url="http://127.0.0.1:%s/%s" % (port, path), **options)


EXPECTATIONS = [
    ("health", {}, True, ""),
    ("health", {"max_seconds": 2}, True, ""),
    ("health", {"status": [200, 204], "body_contains": ["healthy", "up"]}, True, ""),
    ("health", {"json": {"status": "healthy", "checks[0].database": "up", "$.checks[-1].depth": 3, "$['odd key']['a.b']": None}}, True, ""),
    ("health", {"json": {"status": "down"}}, False, "json: status is 'healthy', expected 'down'"),
    ("health", {"json": {"checks[1].database": "up"}}, False, "json: there is no checks[1].database"),
    ("health", {"json": {"status[0]": "h"}}, False, "json: there is no status[0]"),
    ("health", {"status": 503}, False, "status 200, expected 503"),
    ("status/503", {}, False, "status 503, expected 200"),
    ("status/503", {"status": 503, "json": {"status": "degraded"}}, True, ""),
    ("status/500", {"status": [200, 503]}, False, "status 500, expected 200 or 503"),
    ("text", {"body_matches": "^second line: grüße$"}, True, ""),
    ("text", {"body_matches": "^third"}, False, "body does not match '^third'"),
    ("text", {"body_contains": ["first", "third"]}, False, "body does not contain 'third'"),
    ("text", {"json": {"a": 1}}, False, "body is not JSON"),
    ("bytes", {"body_contains": "no UTF-8"}, True, ""),
    ("endless", {"json": {"a": 1}}, False, "body is not JSON, as far as it was read"),
    ("chunks/whole", {"body_matches": "^hello$"}, True, ""),
    ("redirect/health", {}, False, "status 302, expected 200"),
    ("redirect/health", {"status": 302}, True, ""),
    ("redirect/health", {"follow_redirects": True, "json": {"status": "healthy"}}, True, ""),
    ("redirect/redirect/health", {"follow_redirects": True}, True, ""),
    ("private", {}, False, "status 401, expected 200"),
    ("private", {"url_username": "operator", "url_password": "sword fish"}, True, ""),
    ("private", {"url_username": "operator", "url_password": "wrong"}, False, "status 401"),
    ("echo/a%20b?q=1%2B1#part", {"json": {"path": "/echo/a%20b?q=1%2B1"}}, True, ""),
    ("echo/grüße?q=ä", {"json": {"path": "/echo/gr%C3%BC%C3%9Fe?q=%C3%A4"}}, True, ""),
    ("health", {"method": "head", "body_contains": "x"}, False, "body does not contain 'x'"),
    ("slow/0.2", {"max_seconds": 0.1}, False, "more than max_seconds 0.1"),
    ("slow/0.5", {"timeout": 0.1}, False, "no complete answer within timeout 0.1 s"),
    ("stalled", {"timeout": 0.2}, False, "no complete answer within timeout 0.2 s"),
    ("trickle", {"timeout": 0.2}, False, "no complete answer within timeout 0.2 s"),
    ("broken", {}, False, "the answer broke off after 14 of 100 bytes"),
    ("chunks/broken", {}, False, "IncompleteRead"),
    ("nothing", {}, False, "Remote end closed connection"),
]


@pytest.mark.parametrize(("path", "options", "met", "reason"), EXPECTATIONS, ids=["%s %s" % row[:2] for row in EXPECTATIONS])
def test_an_answer_is_judged_by_what_is_expected_of_it(ask, path, options, met, reason):
    observation = ask(path, **options)
    assert observation["met"] is met and reason in said(observation)[1], observation["reasons"]
    assert 0 < observation["seconds"] < 2.5


def test_all_that_is_wrong_is_told_at_once_and_the_body_is_the_evidence(ask):
    observation = ask("status/500", body_contains="healthy", json={"status": "healthy"}, max_seconds=0.000001)
    assert [reason.split(" ")[0] for reason in observation["reasons"]] == ["status", "body", "json:", "took"]
    assert observation["body"] == '{"status": "degraded"}' and observation["value"] == observation["status"] == 500
    assert ask("health")["body"] is None


def test_a_request_is_made_as_it_was_asked_for(ask):
    seen = {"method": "POST", "body": "a=1", "headers.x-trace": "7", "headers.content-type": "text/plain"}
    assert said(ask("echo", method="post", body="a=1", headers={"X-Trace": 7, "Content-Type": "text/plain"}, json=seen)) == (True, "")
    seen = {"method": "PUT", "body": '{"a": [1, "\\u00e4"]}', "headers.content-type": "application/json"}
    assert said(ask("echo", method="PUT", body={"a": [1, "ä"]}, json=seen)) == (True, "")
    assert said(ask("echo", json={"method": "GET", "headers.user-agent": "gameday.chaos"})) == (True, "")


def test_credentials_in_the_url_are_used_and_never_shown(port):
    observation = measured(probe_http, url="http://operator:sword%%20fish@127.0.0.1:%s/private" % port)
    assert observation["met"] is True and observation["url"] == "http://***@127.0.0.1:%s/private" % port
    assert "fish" not in str(observation)
    assert "fish" not in str(measured(probe_http, url="http://me:sword@fish@127.0.0.1:1/"))


def test_credentials_do_not_follow_a_redirect_to_another_server(port, ask):
    with serving() as other:
        secrets = {"url_username": "operator", "url_password": "x", "headers": {"X-Api-Key": "y", "X-Trace": "7"}, "follow_redirects": True}
        away = ask("away/%s" % other, **secrets, json={"headers.x-trace": "7", "headers.authorization": 0, "headers.x-api-key": 0})
        assert away["reasons"] == ["json: there is no headers.authorization", "json: there is no headers.x-api-key"]
    at_home = ask("redirect/echo", **secrets, json={"headers.authorization": "Basic b3BlcmF0b3I6eA==", "headers.x-api-key": "y"})
    assert said(at_home) == (True, "")


@pytest.mark.parametrize("path", ["stalled", "trickle"])
def test_a_body_that_does_not_come_is_not_waited_for_much_longer_than_timeout(ask, path):
    assert ask(path, timeout=0.3)["seconds"] < 2.5


def test_nothing_that_listens_is_said(ask):
    observation = measured(probe_http, url="http://127.0.0.1:%s/" % free_ports(1)[0])
    assert observation["met"] is False and observation["value"] is None
    assert "connection refused: nothing listens there" in said(observation)[1]


def test_a_proxy_from_the_environment_is_not_used(ask, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert ask("health")["met"] is True


# TLS, with certificates that the openssl command makes


def openssl(*words):
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """A folder with an authority, a certificate for 127.0.0.1 and one for a client, each with its key; and a key with a passphrase."""
    folder = tmp_path_factory.mktemp("tls")
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    openssl("req", "-x509", *key, "-keyout", folder / "authority.key", "-out", folder / "authority.pem", "-subj", "/CN=authority")
    for name, alternative in (("server", "IP:127.0.0.1"), ("client", "DNS:client")):
        openssl("req", "-x509", *key, "-keyout", folder / (name + ".key"), "-out", folder / (name + ".pem"), "-subj", "/CN=" + name,
                "-CA", folder / "authority.pem", "-CAkey", folder / "authority.key", "-addext", "subjectAltName=" + alternative)
    openssl("ec", "-in", folder / "client.key", "-aes128", "-passout", "pass:swordfish", "-out", folder / "locked.key")
    return folder


def server_context(folder, **options):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    for name, value in options.items():
        setattr(context, name, value)
    context.load_verify_locations(folder / "authority.pem")
    return context


def test_a_certificate_is_trusted_only_with_its_authority(certificates):
    with serving(server_context(certificates)) as port:
        url = "https://127.0.0.1:%s/health" % port
        assert said(measured(probe_http, url=url, ca_path=str(certificates / "authority.pem"))) == (True, "")
        assert said(measured(probe_http, url=url, validate_certs=False)) == (True, "")
        distrusted = measured(probe_http, url=url)
        assert distrusted["met"] is False and "certificate verify failed" in said(distrusted)[1]
        of_another_name = measured(probe_http, url=url.replace("127.0.0.1", "localhost"), ca_path=str(certificates / "authority.pem"))
        assert of_another_name["met"] is False and "localhost" in said(of_another_name)[1]
        not_tls = measured(probe_http, url=url.replace("https", "http"), timeout=1)
        assert not_tls["met"] is False and not_tls["status"] is None


def test_a_client_certificate_is_shown_to_a_server_that_asks_for_it(certificates):
    with serving(server_context(certificates, verify_mode=ssl.CERT_REQUIRED)) as port:
        options = {"url": "https://127.0.0.1:%s/health" % port, "ca_path": str(certificates / "authority.pem")}
        pair = {"client_cert": str(certificates / "client.pem"), "client_key": str(certificates / "client.key")}
        assert said(measured(probe_http, **options, **pair)) == (True, "")
        assert measured(probe_http, **options)["met"] is False


@pytest.mark.parametrize(("client", "key", "words"), [
    ("client.pem", "server.key", "client_cert, client_key: cannot be used"),
    ("client.pem", "locked.key", "the key without a passphrase"),
    ("client.key", None, "client_cert: cannot be used"),
    ("none.pem", None, "client_cert: there is no file"),
])
def test_a_certificate_that_cannot_be_used_is_refused_before_anything_is_asked(certificates, client, key, words):
    with pytest.raises(BadArgument, match=words):
        files = {"client_cert": str(certificates / client), "client_key": key and str(certificates / key)}
        arguments_of(probe_http, url="https://127.0.0.1/", **files)
