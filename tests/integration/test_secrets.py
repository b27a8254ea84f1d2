"""A secret that a module is given is seen by nobody else: not in results, journal, terminal or ledger, and not among the processes of the host."""

from __future__ import annotations

import base64
import http.server
import pathlib
import threading
import uuid

import pytest
import yaml

WORD = "swordfish-" + uuid.uuid4().hex  # in no other test that runs meanwhile
SECRETS = {name: "%s-%s" % (WORD, name) for name in ("url", "password", "header", "cookie", "listed")}


@pytest.fixture
def server():
    """Wants a password, and takes its time, so that whoever asks is seen among the processes."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(dict(self.headers))
            threading.Event().wait(0.3)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *words):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1], asked
        server.shutdown()
        thread.join()


class ProcessList(threading.Thread):
    """Looks at every process of the machine, again and again, for what its arguments and its environment show."""

    def __init__(self):
        super().__init__()
        self.over, self.turns, self.found = threading.Event(), 0, set()

    def run(self):
        while not self.over.wait(0.02):
            self.turns += 1
            for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self.found.update(word.decode() for word in (WORD.encode(), b"AnsiballZ_probe_http.py") if word in path.read_bytes())
                    self.found.update(["environment"] if WORD.encode() in path.with_name("environ").read_bytes() else [])
                except OSError:
                    continue


def test_no_secret_is_shown(run_playbook, server, tmp_path):
    port, asked = server
    here = "127.0.0.1:%s/" % port
    with_header = {"url": "http://" + here, "headers": {"Authorization": "Bearer " + SECRETS["header"], "Cookie": "id=" + SECRETS["cookie"]}}
    tasks = [
        {"name": "in the URL", "gameday.chaos.probe_http": {"url": "http://me:%s@%s" % (SECRETS["url"], here)}},
        {"name": "as an option", "gameday.chaos.probe_http": {"url": "http://" + here, "url_username": "me", "url_password": SECRETS["password"]}},
        {"name": "in headers, and refused", "gameday.chaos.probe_http": {**with_header, "status": [204]}, "ignore_errors": True},
        {"name": "in a list", "gameday.chaos.steady_state": {"probes": [
            {"probe_http": {"url": "http://me:%s@%s" % (SECRETS["listed"], here), "status": [204]}}, {"probe_http": with_header}]}, "ignore_errors": True},
        {"name": "break", "gameday.chaos.fault_process": {"pid_file": "/no/such", "duration": 5}, "ignore_errors": True},
    ]
    playbook = tmp_path / "play.yml"
    playbook.write_text(yaml.safe_dump([{"name": "Secrets", "hosts": "all", "gather_facts": False, "tasks": tasks}]))
    watching = ProcessList()
    watching.start()
    try:
        run = run_playbook(playbook, arguments=["-vvv"])
    finally:
        watching.over.set()
        watching.join()
    assert run.rc == 0, run
    expected = [*(base64.b64encode(("me:" + SECRETS[name]).encode()).decode() for name in ("url", "password", "listed")), SECRETS["header"], SECRETS["cookie"]]
    assert all(any(one in str(headers) for headers in asked) for one in expected), "the server was given each of them"
    assert watching.found == set() and watching.turns > 10
    written = [path for path in [*run.reports.glob("*"), run.folder / "stdout", run.folder / "stderr", *pathlib.Path("/var/lib/gameday").rglob("*")]
               if path.is_file()]
    assert any(path.suffix == ".json" for path in written)
    assert [str(path) for path in written if WORD.encode() in path.read_bytes()] == []
