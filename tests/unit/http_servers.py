"""Local servers that answer as a system under test might, or do not."""

from __future__ import annotations

import base64
import http.server
import json
import threading
import time
from contextlib import contextmanager

SECRET = "Basic " + base64.b64encode(b"operator:sword fish").decode()


class Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def respond(self):
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        name, _, detail = self.path.strip("/").partition("/")
        getattr(self, "answer_" + name)(detail)

    do_GET = do_POST = do_HEAD = do_PUT = respond

    def send(self, status, body=b"", length=None, **headers):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Length": length or len(body), **headers}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
            self.wfile.flush()

    def answer_health(self, detail):
        self.send(200, {"status": "healthy", "checks": [{"database": "up", "depth": 3}], "odd key": {"a.b": None}})

    def answer_text(self, detail):
        self.send(200, "first line\nsecond line: grüße\n".encode())

    def answer_bytes(self, detail):
        self.send(200, b"\xff\xfe\x00 is no UTF-8")

    def answer_status(self, detail):
        self.send(int(detail), {"status": "degraded"})

    def answer_echo(self, detail):
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.send(200, {"method": self.command, "path": self.path, "body": self.body.decode(), "headers": headers})

    def answer_private(self, detail):
        good = self.headers.get("Authorization") == SECRET
        self.send(200 if good else 401, {}, **({} if good else {"WWW_Authenticate": "Basic"}))

    def answer_redirect(self, detail):
        self.send(302, Location="/" + detail)

    def answer_away(self, detail):
        self.send(302, Location="http://127.0.0.1:%s/echo" % detail)

    def answer_slow(self, detail):
        time.sleep(float(detail))
        self.send(200, {})

    def answer_trickle(self, detail):
        """A body of which a little comes now and then, so that no single wait is long."""
        self.send(200, b".", length=100)
        for _ in range(99):
            time.sleep(0.05)
            self.wfile.write(b".")

    def answer_stalled(self, detail):
        self.send(200, b"the first half", length=100)
        time.sleep(3)

    def answer_broken(self, detail):
        self.send(200, b"the first half", length=100)
        self.close_connection = True

    def answer_chunks(self, detail):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"5\r\nhello\r\n" + (b"" if detail == "broken" else b"0\r\n\r\n"))
        self.close_connection = detail == "broken"

    def answer_endless(self, detail):
        self.send(200, b"x" * 2 * 1024 * 1024)

    def answer_nothing(self, detail):
        self.close_connection = True

    def log_message(self, *words):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A client that has gone away is what some of the tests are about."""


@contextmanager
def serving(tls=None):
    """The server's port."""
    with Server(("127.0.0.1", 0), Answers) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()
