# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in for Toxiproxy as a process of its own, and a server behind it that says back what it hears."""
from __future__ import annotations

import socketserver
import subprocess
import sys
import threading

from lab.local import free_ports
from lab.playbook import ROOT


class Standin:
    """`url` is its API. `stop` and `start` are a server's restart: what it knew is gone, its address stays."""

    def __init__(self):
        [self.port] = free_ports(1)
        self.url = f"http://127.0.0.1:{self.port}"
        self.proxies = []
        self.start()

    def start(self):
        proxies = [word for proxy in self.proxies for word in ("--proxy", *proxy)]
        command = [sys.executable, str(ROOT / "roles/voiceassist/files/proxy.py"), "--api", f"127.0.0.1:{self.port}", *proxies]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline().startswith("stand-in for Toxiproxy")

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class Echo(socketserver.ThreadingTCPServer):
    """`address` is where it listens."""

    daemon_threads = allow_reuse_address = True

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            try:
                while data := self.request.recv(65536):
                    self.request.sendall(data)
            except OSError:
                pass

    def __init__(self):
        super().__init__(("127.0.0.1", 0), self.Handler)
        self.address = "127.0.0.1:%d" % self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()
