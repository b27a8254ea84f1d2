# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP API of the stand-in: Toxiproxy's answers as they were seen, with their oddities, since what is tested here must work there."""
from __future__ import annotations

import asyncio
import json
import re
from urllib.parse import unquote, urlsplit

VERSION = "2.12.0-standin"
ATTRIBUTES = {
    "latency": ("latency", "jitter"),
    "bandwidth": ("rate",),
    "slow_close": ("delay",),
    "timeout": ("timeout",),
    "reset_peer": ("timeout",),
    "slicer": ("average_size", "size_variation", "delay"),
    "limit_data": ("bytes",),
    "noop": (),
}
PHRASES = {200: "OK", 201: "Created", 204: "No Content", 400: "Bad Request", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
           409: "Conflict", 500: "Internal Server Error"}
JSON, TEXT = "application/json", "text/plain; charset=utf-8"
KINDS = {str: "string", bool: "bool", int: "number", float: "number", list: "array", dict: "object"}
LONGEST_BODY = 1024 * 1024


class Wrong(Exception):
    """An answer that is an error; `more` is what its body has besides."""

    def __init__(self, status, error, **more):
        super().__init__(error)
        self.status, self.body, self.is_json = status, {"error": error, "status": status, **more}, bool(more)


class Toxic:
    """`gone` is set when it is removed, which ends every pause that it made."""

    def __init__(self, name, kind, stream, toxicity):
        self.name, self.type, self.stream, self.toxicity = name, kind, stream, toxicity
        self.attributes = dict.fromkeys(ATTRIBUTES[kind], 0)
        self.gone = asyncio.Event()

    def change(self, attributes):
        """Unknown ones are accepted without a word, and so are senseless values; only the type is looked at."""
        typed(attributes, dict, "attributes")
        for name in self.attributes:
            value = attributes.get(name)
            if value is not None:
                field = f"{self.type.title().replace('_', '')}Toxic.attributes.{name} of type int64"
                self.attributes[name] = typed(value, int, field)

    async def pause(self, seconds):
        if seconds is None or seconds > 0:
            try:
                await asyncio.wait_for(self.gone.wait(), seconds)
            except asyncio.TimeoutError:
                pass

    def shown(self):
        return {"attributes": self.attributes, "name": self.name, "type": self.type, "stream": self.stream, "toxicity": plain(self.toxicity)}


def plain(number):
    return int(number) if number == int(number) else number


def typed(value, kind, field):
    good = isinstance(value, (int, float) if kind is float else kind) and (kind is bool or not isinstance(value, bool))
    if not good:
        raise Wrong(400, f"bad request body: json: cannot unmarshal {KINDS.get(type(value), 'null')} into Go struct field {field}")
    return value


def shown(proxy):
    return {"name": proxy.name, "listen": proxy.listen, "upstream": proxy.upstream, "enabled": proxy.enabled, "Logger": {},
            "toxics": [toxic.shown() for toxic in proxy.toxics]}


def fields(given):
    """What a body may say of a proxy."""
    typed(given, dict, "Proxy")
    kinds = {"name": str, "listen": str, "upstream": str, "enabled": bool}
    return {name: typed(given[name], kind, f"Proxy.{name}") for name, kind in kinds.items() if given.get(name) is not None}


class Api:
    def __init__(self, make):
        self.make, self.proxies = make, {}
        name, toxic = "/proxies/([^/]+)", "/proxies/([^/]+)/toxics/([^/]+)"
        self.routes = [
            ("/version", {"GET": lambda: (200, {"version": VERSION})}),
            ("/metrics", {"GET": lambda: (200, "# the stand-in keeps none\n")}),
            ("/reset", {"POST": self.reset}),
            ("/populate", {"POST": self.populate}),
            ("/proxies", {"GET": lambda: (200, {each.name: shown(each) for each in self.proxies.values()}), "POST": self.create}),
            (name, {"GET": lambda name: (200, shown(self.find(name))), "POST": self.change, "PATCH": self.change, "DELETE": self.remove}),
            (name + "/toxics", {"GET": lambda name: (200, shown(self.find(name))["toxics"]), "POST": self.create_toxic}),
            (toxic, {"GET": lambda *names: (200, self.find_toxic(*names)[1].shown()), "POST": self.change_toxic, "PATCH": self.change_toxic,
                     "DELETE": self.remove_toxic}),
        ]

    # HTTP

    async def converse(self, reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                method, target, version = head.split("\r\n", 1)[0].split(" ")
                headers = {name.lower(): value for name, value in re.findall(r"^([^:\r\n]+):[ \t]*(.*?)\r?$", head, re.MULTILINE)}
                body = await reader.readexactly(min(int(headers.get("content-length", 0)), LONGEST_BODY))
                status, kind, answer = await self.answer(method, urlsplit(target).path, headers, body)
                said = f"HTTP/1.1 {status} {PHRASES[status]}\r\n"
                if status != 204:
                    said += f"Content-Length: {len(answer)}\r\n" + (f"Content-Type: {kind}\r\n" if kind else "")
                writer.write(said.encode() + b"\r\n" + answer)
                await writer.drain()
                if version == "HTTP/1.0" or headers.get("connection", "").lower() == "close":
                    break
        except (OSError, ValueError, EOFError, asyncio.LimitOverrunError):
            pass  # it went away, or spoke no HTTP
        finally:
            writer.close()

    async def answer(self, method, path, headers, body):
        """(status, content type, body)"""
        if headers.get("user-agent", "").startswith("Mozilla/"):
            return 403, TEXT, b"User agent not allowed\n"
        found = next(((match, methods) for pattern, methods in self.routes for match in [re.fullmatch(pattern, path)] if match), None)
        if not found:
            return 404, TEXT, b"404 page not found\n"
        if method not in found[1]:
            return 405, None, b""
        names = [unquote(name) for name in found[0].groups()]
        try:
            work = found[1][method](*names, *([parsed(body)] if method in ("POST", "PATCH") and path != "/reset" else []))
            status, said = await work if asyncio.iscoroutine(work) else work
        except Wrong as wrong:
            return wrong.status, JSON if wrong.is_json else TEXT, json.dumps(wrong.body, separators=(",", ":")).encode() + b"\n"
        if path == "/version":
            return status, "application/json;charset=utf-8", json.dumps(said).encode()
        if isinstance(said, str):
            return status, "text/plain; version=0.0.4; charset=utf-8", said.encode()
        return status, JSON, b"" if status == 204 else json.dumps(said, separators=(",", ":")).encode()

    # Proxies

    def find(self, name):
        if name not in self.proxies:
            raise Wrong(404, "proxy not found")
        return self.proxies[name]

    async def create(self, given):
        wanted = fields(given)
        for field in ("name", "upstream"):
            if not wanted.get(field):
                raise Wrong(400, f"missing required field: {field}")
        if wanted["name"] in self.proxies:
            raise Wrong(409, "proxy already exists")
        proxy = self.make(wanted["name"], wanted.get("listen", ""), wanted["upstream"])
        if wanted.get("enabled", True):
            await proxy.enable()  # before the answer, so that a port that is taken is an error
        self.proxies[proxy.name] = proxy
        return 201, shown(proxy)

    async def change(self, name, given):
        proxy, wanted = self.find(name), fields(given)
        listen, upstream = wanted.get("listen") or proxy.listen, wanted.get("upstream") or proxy.upstream
        enabled = wanted.get("enabled", proxy.enabled)
        if (listen, upstream) != (proxy.listen, proxy.upstream) or not enabled:
            proxy.disable()
        proxy.listen, proxy.upstream = listen, upstream
        if enabled:
            await proxy.enable()
        return 200, shown(proxy)

    def remove(self, name):
        self.find(name).disable()
        del self.proxies[name]
        return 204, None

    async def populate(self, given):
        """Adds what is missing and replaces what differs; what is the same stays, with its toxics."""
        if not isinstance(given, list):
            raise Wrong(400, f"bad request body: json: cannot unmarshal {KINDS.get(type(given), 'null')} into Go value of type []Proxy", proxies=None)
        for place, wanted in enumerate(map(fields, given), 1):
            for field in ("name", "upstream"):
                if not wanted.get(field):
                    raise Wrong(400, f"missing required field: {field} at proxy {place}", proxies=None)
        found = []
        for wanted in map(fields, given):
            known = self.proxies.get(wanted["name"])
            if known and not (same(known.listen, wanted.get("listen", "")) and known.upstream == wanted["upstream"]):
                self.remove(known.name)
                known = None
            found.append(shown(known) if known else (await self.create(wanted))[1])
        return 201, {"proxies": found}

    async def reset(self):
        for proxy in self.proxies.values():
            for toxic in list(proxy.toxics):
                self.remove_toxic(proxy.name, toxic.name)
            await proxy.enable()
        return 204, None

    # Toxics

    def find_toxic(self, proxy, name):
        proxy = self.find(proxy)
        toxic = next((toxic for toxic in proxy.toxics if toxic.name == name), None)
        if toxic is None:
            raise Wrong(404, "toxic not found")
        return proxy, toxic

    def create_toxic(self, proxy, given):
        proxy = self.find(proxy)
        typed(given, dict, "Toxic")
        kind, stream = given.get("type"), given.get("stream") or "downstream"
        if kind not in ATTRIBUTES:
            raise Wrong(400, "invalid toxic type")
        if stream not in ("upstream", "downstream"):
            raise Wrong(400, "stream was invalid, can be either upstream or downstream")
        toxicity = given.get("toxicity")
        toxic = Toxic(given.get("name") or f"{kind}_{stream}", kind, stream, 1 if toxicity is None else typed(toxicity, float, "Toxic.toxicity"))
        if any(one.name == toxic.name for one in proxy.toxics):
            raise Wrong(409, "toxic already exists")
        toxic.change(given.get("attributes") or {})
        proxy.toxics.append(toxic)
        return 200, toxic.shown()

    def change_toxic(self, proxy, name, given):
        _, toxic = self.find_toxic(proxy, name)
        typed(given, dict, "Toxic")
        toxic.change(given.get("attributes") or {})
        if given.get("toxicity") is not None:
            toxic.toxicity = typed(given["toxicity"], float, "Toxic.toxicity")
        return 200, toxic.shown()

    def remove_toxic(self, proxy, name):
        proxy, toxic = self.find_toxic(proxy, name)
        proxy.toxics.remove(toxic)
        toxic.gone.set()
        return 204, None


def same(one, other):
    """Whether two addresses mean the same, however any address is written."""
    def meant(address):
        host, _, port = address.rpartition(":")
        return "" if host in ("0.0.0.0", "[::]", "") else host, port

    return meant(one) == meant(other)


def parsed(body):
    try:
        return json.loads(body)
    except ValueError:
        first = body[:1].decode("latin-1")
        raise Wrong(400, f"bad request body: invalid character '{first}' looking for beginning of value" if first else "bad request body: EOF") from None
