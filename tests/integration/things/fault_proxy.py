from __future__ import annotations

import requests

from lab.standin import Echo, Standin


class Proxy:
    """A proxy of a stand-in for Toxiproxy on this machine, with somebody else's toxic on it."""

    def __init__(self, request, case):
        self.inventory, self.limit = None, []
        echo, self.server = Echo(), Standin()
        request.addfinalizer(echo.server_close)
        request.addfinalizer(self.server.stop)
        requests.post(self.server.url + "/proxies", json={"name": "db", "listen": "127.0.0.1:0", "upstream": echo.address}, timeout=5)
        other = {"type": "latency", "stream": "upstream", "attributes": {"latency": 1}}
        requests.post(self.server.url + "/proxies/db/toxics", json=other, timeout=5)
        self.name = "made" if case == "create" else "db"
        self.module = "gameday.chaos.fault_proxy"
        self.options = {"api": self.server.url, "name": self.name, "type": "latency", "latency": 200, "jitter": 20}
        self.claim = "proxy/%s/%s/latency_downstream" % (self.server.url[7:], self.name)
        mine, others = "latency_downstream 200 20", "latency_upstream 1 0"
        self.whole, self.broken, self.words = f"up: {others}", f"up: {others}, {mine}", "/proxies/db/toxics"
        if case == "down":
            self.options.update(type="down", latency=None, jitter=None)
            self.claim = self.claim.replace("latency_downstream", "down")
            self.broken, self.words = f"down: {others}", "/proxies/db"
        elif case == "create":
            self.options.update(create=True, listen="127.0.0.1:0", upstream=echo.address)
            self.whole, self.broken, self.words = "none", f"up: {mine}", "/proxies/made"
        elif case == "there before":
            requests.post(self.server.url + "/proxies/db/toxics", json={"type": "latency", "attributes": {"latency": 7}}, timeout=5)
            self.whole, self.words = f"up: {others}, latency_downstream 7 0", "/proxies/db/toxics/latency_downstream"

    def look(self):
        answer = requests.get(f"{self.server.url}/proxies/{self.name}", timeout=5)
        if answer.status_code == 404:
            return "none"
        proxy = answer.json()
        toxics = [" ".join(map(str, [one["name"], *one["attributes"].values()])) for one in proxy["toxics"]]
        return f"{'up' if proxy['enabled'] else 'down'}: {', '.join(toxics)}"


CASES = [(Proxy, case) for case in ("toxic", "there before", "create", "down")]
