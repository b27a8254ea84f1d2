#!/usr/bin/env python3
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""VoiceAssist in small: the system that the demo experiments break.

It reads voices and sessions from PostgreSQL, voices through a Redis cache, and is honest about what is gone:
no database is 503 with a JSON body, no cache is only slower. Everything is set by environment variables:

VOICEASSIST_HOST, VOICEASSIST_PORT   where to listen (127.0.0.1, 18080)
VOICEASSIST_DATABASE                 libpq URL or keywords
VOICEASSIST_REDIS                    Redis URL
VOICEASSIST_LOG                      file to append to; empty: stderr
VOICEASSIST_CACHE_SECONDS            how long voices stay cached (5; 0: no cache)
VOICEASSIST_FRAGILE                  how it fails badly, any of these words, with commas:
                                     "error": 500 and a traceback when the database is gone
                                     "reconnect": a database once lost is never connected to again
                                     "cache": 500 when the cache is gone
                                     "leak": every request leaves a quarter of a megabyte behind
                                     "timeout": a database that is a little slow is given up
"""
from __future__ import annotations

import collections
import http.server
import json
import os
import queue
import re
import signal
import socket
import sys
import threading
import time
import traceback
from datetime import datetime, timezone
from urllib.parse import urlsplit

import psycopg
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

DATABASE_SECONDS = 3.0  # a whole database call: name look-up, connection and statement
IMPATIENT_SECONDS = 0.3
CACHE_SECONDS = 0.5
FRAGILE = {"error", "reconnect", "cache", "leak", "timeout"}
CONNECTION_AGE = 0.5  # a connection is used again for so long: a server that takes no new ones is soon noticed

TABLES = """
CREATE TABLE IF NOT EXISTS voices (id text PRIMARY KEY, name text NOT NULL, language text NOT NULL);
CREATE TABLE IF NOT EXISTS sessions (id integer PRIMARY KEY, speaker text NOT NULL, voice text NOT NULL, turns integer NOT NULL);
INSERT INTO voices VALUES
  ('aria', 'Aria', 'en'), ('bruno', 'Bruno', 'de'), ('camille', 'Camille', 'fr'), ('emi', 'Emi', 'ja') ON CONFLICT DO NOTHING;
INSERT INTO sessions SELECT n, 'speaker-' || n, (ARRAY['aria', 'bruno', 'camille', 'emi'])[1 + n % 4], n * 3 % 17
  FROM generate_series(1, 100) AS n ON CONFLICT DO NOTHING;
"""


class Unavailable(Exception):
    """The database cannot answer now."""


def within(seconds, work):
    """The result of work(), or TimeoutError.

    In a thread of its own: no driver's timeout covers the name look-up, the connection and a frozen server alike.
    """
    answer = queue.SimpleQueue()

    def run():
        try:
            answer.put((work(), None))
        except Exception as error:  # handed to the caller, whatever it is
            answer.put((None, error))

    threading.Thread(target=run, daemon=True).start()
    try:
        result, error = answer.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"no answer within {seconds:g} s") from None
    if error:
        raise error
    return result


class Database:
    """A few connections, each used for one statement at a time, and never for long."""

    def __init__(self, conninfo, reconnects=True, patience=DATABASE_SECONDS):
        self.conninfo = conninfo
        self.reconnects = reconnects
        self.patience = patience
        self.seen = self.lost = False
        self.idle = collections.deque()  # (connection, when it was opened)

    def query(self, statement, values=None):
        """All rows, or Unavailable when its patience is over."""
        if self.lost:
            raise Unavailable("the connection was lost, and this system never connects again (VOICEASSIST_FRAGILE=reconnect)")
        in_use = []
        try:
            rows = within(self.patience, lambda: self._query(statement, values, in_use))
        except (psycopg.Error, OSError) as error:  # TimeoutError is an OSError
            for connection in in_use:
                cut_off(connection)
            self.lost = self.seen and not self.reconnects
            if isinstance(error, psycopg.errors.UndefinedTable):  # another, empty database came in its place
                threading.Thread(target=self.prepare, daemon=True).start()
            raise Unavailable(" ".join(str(error).split())) from error
        self.seen = True
        return rows

    def _query(self, statement, values, in_use):
        while self.idle:
            try:
                connection, opened = self.idle.pop()
                if time.monotonic() - opened < CONNECTION_AGE:
                    return self._execute(connection, opened, statement, values, in_use)
                connection.close()
            except IndexError:
                break  # another thread was faster
            except psycopg.OperationalError:
                if not self.reconnects:
                    raise
                # It died unnoticed, perhaps of a restart of the server: a new connection will tell.
        connection = psycopg.connect(self.conninfo, autocommit=True, connect_timeout=1, options="-c statement_timeout=2000")
        return self._execute(connection, time.monotonic(), statement, values, in_use)

    def _execute(self, connection, opened, statement, values, in_use):
        in_use.append(connection)
        try:
            cursor = connection.execute(statement, values)
            rows = cursor.fetchall() if cursor.description else []
            self.idle.append((connection, opened))
            return rows
        except BaseException:
            connection.close()
            raise
        finally:
            in_use.remove(connection)

    def prepare(self):
        """Create what the API reads, as soon as there is a database. For a thread of its own."""
        while True:
            try:
                return self.query(TABLES)
            except Unavailable:
                time.sleep(0.1)


def cut_off(connection):
    """Wake the thread that waits for this connection: its server is frozen and will not."""
    try:
        with socket.socket(fileno=os.dup(connection.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)
    except (psycopg.Error, OSError):
        pass  # it ended by itself meanwhile


class Cache:
    """Redis as something nice to have: every failure is a miss, and counted."""

    def __init__(self, url, seconds, metrics, fragile):
        self.seconds = seconds
        self.metrics = metrics
        self.fragile = fragile
        self.client = redis.Redis.from_url(
            url, socket_connect_timeout=CACHE_SECONDS, socket_timeout=CACHE_SECONDS, retry=Retry(NoBackoff(), 0)
        )

    def ask(self, *command):
        """Whether there was an answer, and the answer."""
        try:
            return True, within(CACHE_SECONDS, lambda: self.client.execute_command(*command))
        except (redis.RedisError, OSError):
            if self.fragile:
                raise
            self.metrics.count("voiceassist_cache_errors_total")
            return False, None

    def get(self, key):
        """The value and how it was had: hit, miss or bypass."""
        answered, value = self.ask("GET", key) if self.seconds else (False, None)
        if not answered:
            return None, "bypass"
        self.metrics.count("voiceassist_cache_misses_total" if value is None else "voiceassist_cache_hits_total")
        return value, "miss" if value is None else "hit"

    def put(self, key, value):
        self.ask("SET", key, value, "PX", int(self.seconds * 1000))


class Metrics:
    def __init__(self):
        self.lock = threading.Lock()
        names = "database_errors", "cache_errors", "cache_hits", "cache_misses"
        self.values = collections.Counter({f"voiceassist_{name}_total": 0 for name in names}, process_start_time_seconds=time.time())

    def count(self, name, by=1):
        with self.lock:
            self.values[name] += by

    def request(self, route, status, seconds):
        self.count(f'voiceassist_requests_total{{route="{route}",status="{status}"}}')
        self.count(f'voiceassist_request_seconds_sum{{route="{route}"}}', seconds)
        self.count(f'voiceassist_request_seconds_count{{route="{route}"}}')

    def text(self):
        """Prometheus' text format."""
        with open("/proc/self/statm", encoding="ascii") as statm:
            memory = int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        with self.lock:
            values = {**self.values, "process_resident_memory_bytes": memory}
        lines = []
        for name in sorted(values):
            family = re.sub(r"(_sum|_count)?({.*)?$", "", name)
            kind = "counter" if family.endswith("_total") else "summary" if family.endswith("_request_seconds") else "gauge"
            lines += [f"# TYPE {family} {kind}", f"{name} {values[name]}"]
        return "".join(f"{line}\n" for line in dict.fromkeys(lines)).encode()  # each type once


class Log:
    def __init__(self, path):
        self.file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644) if path else 2

    def write(self, level, message, **more):
        now = datetime.now(timezone.utc).isoformat(timespec="microseconds")
        line = json.dumps({"time": now, "level": level, "message": message, **more}) + "\n"
        try:
            os.write(self.file, line.encode())  # one write: lines of two requests never mix
        except OSError:
            pass  # a full disk must not stop the answers


class Api:
    """What each route answers: (status, body, headers)."""

    def __init__(self, database, cache, metrics):
        self.database, self.cache = database, cache
        text = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        self.routes = {"/health": self.health, "/api/voices": self.voices, "/metrics": lambda: (200, metrics.text(), text)}

    def find(self, path):
        """The route's name without what varies, for the metrics, and what answers."""
        session = re.fullmatch(r"/api/sessions/([0-9]{1,9})", path)
        if session:
            return "/api/sessions/{id}", lambda: self.session(int(session.group(1)))
        return (path, self.routes[path]) if path in self.routes else ("none", lambda: (404, {"error": "not found", "path": path}, {}))

    def health(self):
        cache = "up" if self.cache.ask("PING")[0] else "down"
        self.database.query("SELECT count(*) FROM voices")
        return 200, {"status": "healthy", "database": "up", "cache": cache}, {}

    def voices(self):
        cached, how = self.cache.get("voices")
        if cached is None:
            rows = self.database.query("SELECT id, name, language FROM voices ORDER BY id")
            cached = json.dumps({"voices": [dict(zip(("id", "name", "language"), row)) for row in rows]}).encode()
            if how == "miss":
                self.cache.put("voices", cached)
        return 200, cached, {"X-Cache": how}

    def session(self, number):
        rows = self.database.query("SELECT id, speaker, voice, turns FROM sessions WHERE id = %s", (number,))
        if not rows:
            return 404, {"error": "no such session", "id": number}, {}
        return 200, dict(zip(("id", "speaker", "voice", "turns"), rows[0])), {}


class Handler(http.server.BaseHTTPRequestHandler):
    server_version = "VoiceAssist"
    protocol_version = "HTTP/1.1"
    error_content_type = "application/json"
    error_message_format = '{"error": "%(message)s"}'
    timeout = 30  # seconds a kept connection may be silent
    wbufsize = -1  # head and body leave in one piece

    def do_GET(self):
        begin = time.monotonic()
        given = self.headers.get("X-Correlation-ID", "")
        correlation = given if re.fullmatch(r"[\w.:-]{1,128}", given, re.ASCII) else os.urandom(16).hex()
        path = urlsplit(self.path).path
        route, answer = self.server.api.find(path)
        level, message, details = "INFO", f"{self.command} {path}", {}
        try:
            status, body, headers = answer()
        except Unavailable as error:
            self.server.metrics.count("voiceassist_database_errors_total")
            level, message = "ERROR", f"database unavailable: {error}"
            if "error" in self.server.fragile:
                details = {"traceback": traceback.format_exc()}
                status, body, headers = 500, details["traceback"].encode(), {"Content-Type": "text/plain; charset=utf-8"}
            else:
                health = {"status": "unhealthy", "database": "down"} if route == "/health" else {}
                body = {**health, "error": "database unavailable", "correlation_id": correlation}
                status, headers = 503, {"Retry-After": "1"}
        except Exception as error:  # a mistake in this file: still an answer, and the log says where
            level, message, details = "ERROR", f"internal error: {error!r}", {"traceback": traceback.format_exc()}
            status, body, headers = 500, {"error": "internal error", "correlation_id": correlation}, {}
        if "leak" in self.server.fragile:
            self.server.leaked.append(os.urandom(1 << 18))
        seconds = time.monotonic() - begin
        self.server.metrics.request(route, status, seconds)
        context = {"correlation_id": correlation, "path": path, "status": status, "milliseconds": round(seconds * 1000, 1)}
        self.server.log.write(level, message, **context, **details)
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "X-Correlation-ID": correlation, **headers, "Content-Length": str(len(body))}
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        """The log has one line a request already."""


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
    leaked = []

    def server_bind(self):
        # Not HTTPServer's, which looks its own name up and waits for a resolver that may not answer.
        super(http.server.HTTPServer, self).server_bind()
        self.server_name, self.server_port = self.server_address[:2]

    def handle_error(self, request, client_address):
        self.log.write("WARNING", f"a client went away: {sys.exc_info()[1]!r}")


def main():
    setting = os.environ.get
    fragile = set(filter(None, setting("VOICEASSIST_FRAGILE", "").split(",")))
    metrics = Metrics()
    try:
        if not fragile <= FRAGILE:
            raise ValueError(f"VOICEASSIST_FRAGILE: {', '.join(sorted(fragile - FRAGILE))}; there are {', '.join(sorted(FRAGILE))}")
        address = setting("VOICEASSIST_HOST", "127.0.0.1"), int(setting("VOICEASSIST_PORT", "18080"))
        seconds = float(setting("VOICEASSIST_CACHE_SECONDS", "5"))
        cache = Cache(setting("VOICEASSIST_REDIS", "redis://127.0.0.1:16379/0"), seconds, metrics, "cache" in fragile)
        log = Log(setting("VOICEASSIST_LOG"))
        server = Server(address, Handler)
    except (ValueError, OSError) as error:
        sys.exit(f"a VOICEASSIST_ setting cannot be used: {error}")
    conninfo = setting("VOICEASSIST_DATABASE", "postgresql://voiceassist@127.0.0.1:15432/postgres")
    database = Database(conninfo, "reconnect" not in fragile, IMPATIENT_SECONDS if "timeout" in fragile else DATABASE_SECONDS)
    server.api, server.metrics, server.log, server.fragile = Api(database, cache, metrics), metrics, log, fragile

    def stop(number, frame):
        log.write("INFO", f"stopped by {signal.Signals(number).name}")
        os._exit(0)  # at once: no thread here holds anything that must be put away

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    threading.Thread(target=database.prepare, daemon=True).start()
    log.write("INFO", "listening on http://{}:{}".format(*address), fragile=sorted(fragile))
    server.serve_forever()


if __name__ == "__main__":
    main()
