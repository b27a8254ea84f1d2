#!/usr/bin/env python3
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for Toxiproxy in demo and tests: it answers the same HTTP API, and really delays, throttles, holds and cuts what passes.

It is not Toxiproxy and does not say so: /version ends in "-standin". All kinds of toxics work. `timeout` and `reset_peer` count from the
first data that they hold. It keeps no metrics.
"""
from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import signal
import socket
import struct
import sys
import time

sys.dont_write_bytecode = True  # nothing left beside these files
from proxy_api import Api, Wrong  # noqa: E402

PIECE = 32 * 1024


class Proxy:
    """A listening port whose connections are passed on, through the toxics."""

    def __init__(self, name, listen, upstream):
        self.name, self.listen, self.upstream = name, listen, upstream
        self.toxics, self.links, self.server = [], set(), None

    @property
    def enabled(self):
        return self.server is not None

    async def enable(self):
        """Listen; the address then says which port it is."""
        if self.enabled:
            return
        host, _, port = self.listen.rpartition(":")
        try:
            listener = listening(host.strip("[]"), int(port))
        except (OSError, ValueError, OverflowError) as error:
            words = f"bind: {os.strerror(error.errno).lower()}" if getattr(error, "errno", None) else str(error)
            raise Wrong(500, f"listen tcp {self.listen}: {words}") from None
        host, port = listener.getsockname()[:2]
        self.listen = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self.server = await asyncio.start_server(self.connected, sock=listener)

    def disable(self):
        """Refuse new connections and cut those there are."""
        if self.server:
            self.server.close()
            self.server = None
        for link in list(self.links):
            link.cut()

    async def connected(self, reader, writer):
        link = Link(self, reader, writer)
        self.links.add(link)
        try:
            await link.run()
        finally:
            self.links.discard(link)


def listening(host, port):
    """Any address is both families where there are two, and comes back as [::]."""
    if host in ("", "0.0.0.0", "::"):
        if socket.has_dualstack_ipv6():
            return socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
        return socket.create_server(("0.0.0.0", port))
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    return socket.create_server(address[:2], family=family)


class Link:
    """One connection and the one it is passed on to."""

    def __init__(self, proxy, reader, writer):
        self.proxy, self.reader, self.writer = proxy, reader, writer
        self.writers, self.struck, self.passed = [writer], {}, {}
        self.pumps = None

    async def run(self):
        host, _, port = self.proxy.upstream.rpartition(":")
        try:
            reader, writer = await asyncio.open_connection(host.strip("[]"), int(port))
        except (OSError, ValueError):
            return self.cut()
        self.writers.append(writer)
        if not self.proxy.enabled:  # it was disabled while we connected
            return self.cut()
        self.pumps = asyncio.gather(self.pump("upstream", self.reader, writer), self.pump("downstream", reader, self.writer))
        try:
            await self.pumps
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self.cut()

    def cut(self, reset=False):
        """End it at once; with a reset, the other side is told that it was no orderly end."""
        for writer in self.writers:
            if reset:
                with contextlib.suppress(OSError):
                    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
            else:
                writer.close()
        if self.pumps:
            self.pumps.cancel()

    async def pump(self, stream, reader, writer):
        """Data of one direction. It is read as it comes, so that a delay does not become a lower rate."""
        pieces = asyncio.Queue(64)

        async def read():
            data = None
            while data != b"":
                try:
                    data = await reader.read(PIECE)
                except OSError:
                    data = b""
                await pieces.put((time.monotonic(), data))

        reading = asyncio.ensure_future(read())
        try:
            while True:
                came, data = await pieces.get()
                toxics = [one for one in self.proxy.toxics if one.stream == stream]
                if not data:
                    for toxic in toxics:
                        if toxic.type == "slow_close" and self.strikes(toxic):
                            await toxic.pause(toxic.attributes["delay"] / 1000)
                    with contextlib.suppress(OSError):
                        writer.write_eof()
                    return
                await self.send(data, came, toxics, writer)
        finally:
            reading.cancel()

    def strikes(self, toxic):
        """Whether this connection is one of the share that the toxic applies to: decided once."""
        if toxic not in self.struck:
            self.struck[toxic] = random.random() < toxic.toxicity
        return self.struck[toxic]

    async def send(self, data, came, toxics, writer):
        """Through the first toxic, and so on through the others."""
        if not toxics:
            writer.write(data)
            return await writer.drain()
        toxic, others = toxics[0], toxics[1:]
        if toxic.gone.is_set() or not self.strikes(toxic):
            return await self.send(data, came, others, writer)
        values = toxic.attributes
        if toxic.type == "latency":
            jitter = max(values["jitter"], 0)
            came += (values["latency"] + random.uniform(-jitter, jitter)) / 1000
            await toxic.pause(came - time.monotonic())
        elif toxic.type in ("timeout", "reset_peer"):
            endless = toxic.type == "timeout" and values["timeout"] <= 0
            await toxic.pause(None if endless else values["timeout"] / 1000)
            if endless or not toxic.gone.is_set():
                self.cut(reset=toxic.type == "reset_peer")
                raise asyncio.CancelledError
        elif toxic.type == "limit_data":
            left = values["bytes"] - self.passed.get(toxic, 0)
            self.passed[toxic] = self.passed.get(toxic, 0) + len(data)
            if len(data) >= left:
                await self.send(data[:max(left, 0)], came, others, writer)
                self.cut()
                raise asyncio.CancelledError
        elif toxic.type == "bandwidth" and values["rate"] > 0:
            for part in sliced(data, values["rate"] * 100, 0):
                await toxic.pause(len(part) / (values["rate"] * 1000))
                await self.send(part, time.monotonic(), others, writer)
            return None
        elif toxic.type == "slicer" and values["average_size"] > 0:
            for part in sliced(data, values["average_size"], values["size_variation"]):
                await self.send(part, time.monotonic(), others, writer)
                await toxic.pause(values["delay"] / 1000000)
            return None
        return await self.send(data, came, others, writer)


def sliced(data, size, variation):
    while data:
        length = max(1, size + random.randint(-abs(variation), abs(variation)))
        yield data[:length]
        data = data[length:]


async def serve(options):
    api = Api(Proxy)
    for name, listen, upstream in options.proxy:
        await api.create({"name": name, "listen": listen, "upstream": upstream})
    host, _, port = options.api.rpartition(":")
    server = await asyncio.start_server(api.converse, sock=listening(host.strip("[]"), int(port)))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, os._exit, 0)  # nothing here must be put away
    print("stand-in for Toxiproxy: API on %s:%s, proxies %s" % (*server.sockets[0].getsockname()[:2], ", ".join(api.proxies) or "none"), flush=True)
    await asyncio.Event().wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--api", default="127.0.0.1:8474", metavar="HOST:PORT", help="where the API listens (%(default)s)")
    parser.add_argument("--proxy", nargs=3, action="append", default=[], metavar=("NAME", "LISTEN", "UPSTREAM"), help="a proxy that is there from the start")
    try:
        asyncio.run(serve(parser.parse_args()))
    except (OSError, ValueError, Wrong) as error:
        sys.exit(f"proxy: {error}")


if __name__ == "__main__":
    main()
