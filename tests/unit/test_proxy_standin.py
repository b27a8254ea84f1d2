"""
The contract: what Toxiproxy's API was seen to answer. The stand-in of the demo is held to it always; a real server, too, when
TOXIPROXY_URL says where one is (on this machine, since its proxies lead to a server here). Names of proxies begin with lab-.
"""

from __future__ import annotations

import os
import re
import socket
import time

import pytest
import requests

from lab.local import free_ports
from lab.standin import Echo, Standin

SERVERS = ["stand-in", *(["real"] if os.environ.get("TOXIPROXY_URL") else [])]
NAME = "lab-contract"


@pytest.fixture(scope="module")
def echo():
    with Echo() as server:
        yield server
        server.shutdown()


@pytest.fixture(scope="module", params=SERVERS)
def server(request):
    if request.param == "real":
        yield os.environ["TOXIPROXY_URL"].rstrip("/")
        return
    standin = Standin()
    yield standin.url
    standin.stop()


@pytest.fixture
def call(server):
    """call(method, path, JSON or text) -> the answer"""
    def call(method, path, body=None, **headers):
        given = {"data": body} if isinstance(body, str) else {"json": body}
        return requests.request(method, server + path, headers={"User-Agent": "gameday.chaos", **headers}, timeout=5, **given)

    yield call
    for name in call("GET", "/proxies").json():
        if name.startswith("lab-"):
            call("DELETE", f"/proxies/{name}")


@pytest.fixture
def proxy(call, echo):
    """A proxy to the server that says everything back; its port."""
    made = call("POST", "/proxies", {"name": NAME, "listen": "127.0.0.1:0", "upstream": echo.address})
    assert made.status_code == 201
    return int(made.json()["listen"].rpartition(":")[2])


def is_error(answer, status, words):
    assert answer.status_code == status and answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.json()["status"] == status and answer.json()["error"].startswith(words), answer.text
    return True


def without_noise(text):
    return re.sub(r'"Logger":\{\},?', "", text.strip())


def test_the_version_is_json_and_says_what_it_is(call, server):
    answer = call("GET", "/version")
    assert answer.status_code == 200 and answer.headers["Content-Type"] == "application/json;charset=utf-8"
    assert answer.text.strip().startswith('{"version": "2.')
    if server != os.environ.get("TOXIPROXY_URL", "").rstrip("/"):
        assert answer.json() == {"version": "2.12.0-standin"}


def test_the_life_of_a_proxy(call, echo):
    made = call("POST", "/proxies", {"name": NAME, "listen": "127.0.0.1:0", "upstream": echo.address})
    port = made.json()["listen"].rpartition(":")[2]
    whole = '{"name":"%s","listen":"127.0.0.1:%s","upstream":"%s","enabled":true,"toxics":[]}' % (NAME, port, echo.address)
    assert made.status_code == 201 and port != "0" and without_noise(made.text) == whole
    assert without_noise(call("GET", f"/proxies/{NAME}").text) == whole
    assert call("GET", "/proxies").json()[NAME] == made.json()
    off = call("POST", f"/proxies/{NAME}", {"enabled": False})
    assert off.status_code == 200 and off.json()["enabled"] is False and off.json()["listen"] == made.json()["listen"]
    on = call("PATCH", f"/proxies/{NAME}", {"enabled": True})
    assert on.status_code == 200 and on.json() == made.json()
    gone = call("DELETE", f"/proxies/{NAME}")
    assert gone.status_code == 204 and gone.content == b"" and "Content-Type" not in gone.headers


def test_any_address_comes_back_as_both_families(call, echo):
    made = call("POST", "/proxies", {"name": NAME, "listen": "0.0.0.0:0", "upstream": echo.address})
    if made.json()["listen"].startswith("0.0.0.0"):
        pytest.skip("this machine has no IPv6")
    assert made.json()["listen"].startswith("[::]:")
    with socket.create_connection(("127.0.0.1", int(made.json()["listen"].rpartition(":")[2])), 2) as line:
        line.sendall(b"x")
        assert line.recv(1) == b"x"


def test_the_life_of_a_toxic(call, proxy):
    made = call("POST", f"/proxies/{NAME}/toxics", {"type": "latency", "attributes": {"latency": 100, "jitter": 10}})
    text = '{"attributes":{"latency":100,"jitter":10},"name":"latency_downstream","type":"latency","stream":"downstream","toxicity":1}'
    assert made.status_code == 200 and made.text.strip() == text and made.headers["Content-Type"] == "application/json"
    path = f"/proxies/{NAME}/toxics/latency_downstream"
    assert call("GET", path).text.strip() == text and call("GET", f"/proxies/{NAME}/toxics").json() == [made.json()]
    assert call("POST", path, {"attributes": {"latency": 7}}).json()["attributes"] == {"latency": 7, "jitter": 10}
    changed = call("PATCH", path, {"toxicity": 0.25})
    assert changed.status_code == 200 and changed.json()["toxicity"] == 0.25 and changed.json()["attributes"]["latency"] == 7
    assert call("GET", f"/proxies/{NAME}").json()["toxics"] == [changed.json()]
    assert call("DELETE", path).status_code == 204 and call("GET", f"/proxies/{NAME}/toxics").json() == []


@pytest.mark.parametrize(("kind", "attributes"), [
    ("latency", {"latency": 0, "jitter": 0}), ("bandwidth", {"rate": 0}), ("slow_close", {"delay": 0}), ("timeout", {"timeout": 0}),
    ("reset_peer", {"timeout": 0}), ("slicer", {"average_size": 0, "size_variation": 0, "delay": 0}), ("limit_data", {"bytes": 0}), ("noop", {}),
])
def test_every_type_has_these_attributes_and_defaults(call, proxy, kind, attributes):
    made = call("POST", f"/proxies/{NAME}/toxics", {"type": kind, "stream": "upstream", "toxicity": 0.5})
    assert made.status_code == 200 and made.json() == {"attributes": attributes, "name": f"{kind}_upstream", "type": kind, "stream": "upstream",
                                                       "toxicity": 0.5}
    assert list(made.json()["attributes"]) == list(attributes)


@pytest.mark.parametrize("toxic", [{"attributes": {"bogus": 5}}, {"attributes": {"latency": -5}}, {"toxicity": 7}])
def test_nonsense_is_accepted_without_a_word(call, proxy, toxic):
    assert call("POST", f"/proxies/{NAME}/toxics", {"type": "latency", **toxic}).status_code == 200


def test_errors(call, proxy, echo):
    assert is_error(call("POST", "/proxies", {"name": NAME, "upstream": echo.address}), 409, "proxy already exists")
    busy = {"name": "lab-busy", "listen": f"127.0.0.1:{proxy}", "upstream": echo.address}
    assert is_error(call("POST", "/proxies", busy), 500, f"listen tcp 127.0.0.1:{proxy}: bind: address already in use")
    assert is_error(call("POST", "/proxies", {"upstream": echo.address}), 400, "missing required field: name")
    assert is_error(call("POST", "/proxies", {"name": "lab-x"}), 400, "missing required field: upstream")
    assert is_error(call("POST", "/proxies", "blah"), 400, "bad request body: ")
    for method in ("GET", "POST", "DELETE"):
        assert is_error(call(method, "/proxies/lab-none", {} if method == "POST" else None), 404, "proxy not found")
        assert is_error(call(method, f"/proxies/{NAME}/toxics/none", {} if method == "POST" else None), 404, "toxic not found")
    toxics = f"/proxies/{NAME}/toxics"
    assert call("POST", toxics, {"type": "noop"}).status_code == 200
    assert is_error(call("POST", toxics, {"type": "noop"}), 409, "toxic already exists")
    assert is_error(call("POST", toxics, {"type": "loss"}), 400, "invalid toxic type")
    assert is_error(call("POST", toxics, {"type": "latency", "stream": "sideways"}), 400, "stream was invalid, can be either upstream or downstream")
    wrong = call("POST", toxics, {"type": "latency", "attributes": {"latency": "5"}})
    assert is_error(wrong, 400, "bad request body: json: cannot unmarshal string into Go struct field LatencyToxic.attributes.latency")


def test_populate_adds_and_keeps(call, proxy, echo):
    mine = {"name": NAME, "listen": f"127.0.0.1:{proxy}", "upstream": echo.address}
    other = {"name": "lab-other", "listen": "127.0.0.1:0", "upstream": echo.address}
    made = call("POST", "/populate", [mine, other])
    assert made.status_code == 201 and [one["name"] for one in made.json()["proxies"]] == [NAME, "lab-other"]
    no_list, no_upstream = "bad request body: json: cannot unmarshal object into Go value of type", "missing required field: upstream at proxy 1"
    for body, words in (({}, no_list), ([{"name": "lab-x"}], no_upstream)):
        wrong = call("POST", "/populate", body)
        assert wrong.status_code == 400 and wrong.headers["Content-Type"] == "application/json"
        assert wrong.json()["proxies"] is None and wrong.json()["error"].startswith(words)


def test_what_is_no_json_at_all(call):
    unknown, method, browser = call("GET", "/nonsense"), call("PUT", "/proxies"), call("GET", "/proxies", None, **{"User-Agent": "Mozilla/5.0"})
    assert (unknown.status_code, unknown.text.strip()) == (404, "404 page not found") and unknown.headers["Content-Type"].startswith("text/plain")
    assert (method.status_code, method.content) == (405, b"")
    assert (browser.status_code, browser.text.strip()) == (403, "User agent not allowed")
    assert call("GET", "/metrics").headers["Content-Type"].startswith("text/plain; version=0.0.4")


# What passes is really hit


@pytest.fixture
def line(proxy):
    with socket.create_connection(("127.0.0.1", proxy), 5) as line:
        line.settimeout(5)
        yield line


def said_back(line, data=b"x"):
    """Seconds until all of it came back; None when the connection ended."""
    begin = time.monotonic()
    try:
        line.sendall(data)
        left = len(data)
        while left:
            got = line.recv(65536)
            if not got:
                return None
            left -= len(got)
    except ConnectionError:
        return None
    return time.monotonic() - begin


def toxic(call, kind, **attributes):
    return call("POST", f"/proxies/{NAME}/toxics", {"type": kind, "attributes": attributes})


def remove(call, name):
    assert call("DELETE", f"/proxies/{NAME}/toxics/{name}").status_code == 204


def test_latency_delays_and_goes_on_an_open_connection(call, line):
    assert said_back(line) < 1.5
    toxic(call, "latency", latency=2000)
    assert 1.99 < said_back(line) < 4.5
    remove(call, "latency_downstream")
    assert said_back(line) < 1.5


def test_latency_delays_each_direction_for_itself(call, line):
    toxic(call, "latency", latency=200)
    call("POST", f"/proxies/{NAME}/toxics", {"type": "latency", "stream": "upstream", "attributes": {"latency": 200}})
    assert 0.39 < said_back(line) < 4


def test_latency_is_no_lower_rate(call, line):
    toxic(call, "latency", latency=200)
    assert said_back(line, b"x" * 1000000) < 4  # one piece after the other would take six seconds


def test_bandwidth_throttles(call, line):
    toxic(call, "bandwidth", rate=100)
    assert 0.4 < said_back(line, b"x" * 50000) < 4


def test_timeout_ends_the_connection(call, line):
    toxic(call, "timeout", timeout=200)
    begin = time.monotonic()
    assert said_back(line) is None and 0.15 < time.monotonic() - begin < 4


def test_reset_peer_resets(call, line):
    toxic(call, "reset_peer", timeout=0)
    with pytest.raises(ConnectionResetError):
        line.sendall(b"x")
        line.recv(1)


def test_limit_data_ends_the_connection_after_so_many_bytes(call, line):
    toxic(call, "limit_data", bytes=10)
    line.sendall(b"x" * 30)
    got = b""
    while data := line.recv(100):
        got += data
    assert len(got) == 10


def test_slicer_cuts_into_pieces(call, line):
    toxic(call, "slicer", average_size=100, size_variation=0, delay=20000)
    assert 0.15 < said_back(line, b"x" * 1000) < 4


def test_a_toxic_of_toxicity_0_hits_no_connection(call, line):
    call("POST", f"/proxies/{NAME}/toxics", {"type": "latency", "toxicity": 0, "attributes": {"latency": 3000}})
    assert said_back(line) < 1.5


def test_a_disabled_proxy_refuses_and_cuts(call, line, proxy):
    assert said_back(line) is not None
    call("POST", f"/proxies/{NAME}", {"enabled": False})
    assert said_back(line) is None
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", proxy), 1)


def test_a_client_of_a_dead_server_is_let_go(call):
    dead = "127.0.0.1:%d" % free_ports(1)[0]
    made = call("POST", "/proxies", {"name": NAME, "listen": "127.0.0.1:0", "upstream": dead})
    with socket.create_connection(("127.0.0.1", int(made.json()["listen"].rpartition(":")[2])), 2) as line:
        assert said_back(line) is None
