# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Prometheus and a real Alertmanager, quick ones, and an exporter whose numbers are known."""
from __future__ import annotations

import datetime
import http.server
import threading
import time

import requests
import yaml

from lab.hosts import LabError
from lab.local import free_ports

IMAGE = "lab-gameday-monitoring"
INTERVAL = "250ms"
RULES = [
    {"alert": "LabSwitch", "expr": "lab_switch == 1", "labels": {"severity": "page"}},
    {"alert": "LabOther", "expr": "lab_other == 1"},
    {"alert": "LabInhibited", "expr": "lab_inhibited == 1"},
    {"alert": "LabSlow", "expr": "lab_switch == 1", "for": "1h"},
    {"alert": "LabBroken", "expr": "lab_temperature * on () lab_temperature"},  # which Prometheus can only refuse to calculate
    {"alert": "LabDown", "expr": 'up{job="victim"} == 0', "labels": {"severity": "page"}},
]


class Exporter(http.server.ThreadingHTTPServer):
    """At each scrape ten requests more, of which one failed, five took 0.1 s at most, nine half a second and all a second."""

    daemon_threads = True

    def __init__(self, port):
        super().__init__(("127.0.0.1", port), Answer)
        self.scrapes = 0
        self.gauges = {"lab_switch": 0, "lab_other": 0, "lab_inhibited": 0, "lab_ends": 1}

    def text(self):
        self.scrapes += 1
        n = self.scrapes
        lines = {
            'lab_requests_total{status="200"}': 9 * n, 'lab_requests_total{status="500"}': n, 'lab_quiet_total{status="200"}': n,
            'lab_idle_total{status="200"}': 5, "lab_wave": n % 2,
            'lab_seconds_bucket{le="0.1"}': 5 * n, 'lab_seconds_bucket{le="0.5"}': 9 * n, 'lab_seconds_bucket{le="1"}': 10 * n,
            'lab_seconds_bucket{le="+Inf"}': 10 * n, "lab_seconds_count": 10 * n, "lab_seconds_sum": 3 * n,
            'lab_temperature{room="a"}': 20, 'lab_temperature{room="b"}': 30, **self.gauges,
        }
        now = int(time.time() * 1000)
        late = f"lab_late 7 {now - 5000}\n"  # measured five seconds ago, as a pushed metric is
        # With an instant of its own a series does not end when a single scrape is too slow; lab_ends is there to end.
        return "".join(f"{name} {value}\n" if name == "lab_ends" else f"{name} {value} {now}\n" for name, value in lines.items()) + late


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = self.server.text().encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass


class Monitoring:
    """`prometheus` and `alertmanager` are URLs; `gauges` what the exporter tells; `victim` a port, scraped as a job of that name."""

    def __init__(self, engine, folder, prefix):
        prometheus, alertmanager, exporter, self.victim = free_ports(4)
        self.prometheus, self.alertmanager = f"http://127.0.0.1:{prometheus}", f"http://127.0.0.1:{alertmanager}"
        self.exporter = Exporter(exporter)
        threading.Thread(target=self.exporter.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self.gauges = self.exporter.gauges
        self.write(folder, alertmanager, exporter)
        options = {"network_mode": "host", "user": "0", "volumes": {str(folder): {"bind": "/lab", "mode": "ro"}}}
        self.containers = []
        try:
            for name, command in (
                ("alertmanager", ["prometheus-alertmanager", "--config.file=/lab/alertmanager.yml", "--storage.path=/tmp/alertmanager",
                                  f"--web.listen-address=127.0.0.1:{alertmanager}", "--cluster.listen-address="]),
                ("prometheus", ["prometheus", "--config.file=/lab/prometheus.yml", "--storage.tsdb.path=/tmp/prometheus",
                                f"--web.listen-address=127.0.0.1:{prometheus}", "--query.lookback-delta=10s"]),
            ):
                self.containers.append(engine.containers.run(
                    IMAGE, command[1:], entrypoint=command[0], name=f"{prefix}-{name}", detach=True, **options))
            self.until(lambda: self.exporter.scrapes > 12, 30, "the exporter is not scraped")
            self.until(lambda: requests.get(f"{self.alertmanager}/-/ready", timeout=2).ok, 10, "Alertmanager is not ready")
        except BaseException:
            self.end()
            raise

    def write(self, folder, alertmanager, exporter):
        jobs = {"lab": exporter, "victim": self.victim}
        (folder / "prometheus.yml").write_text(yaml.safe_dump({
            "global": {"scrape_interval": INTERVAL, "scrape_timeout": INTERVAL, "evaluation_interval": INTERVAL},
            "rule_files": ["rules.yml"],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{alertmanager}"]}]}]},
            "scrape_configs": [{"job_name": job, "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]} for job, port in jobs.items()],
        }))
        (folder / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "lab", "rules": RULES}]}))
        (folder / "alertmanager.yml").write_text(yaml.safe_dump({
            "route": {"receiver": "pager", "group_wait": "0s", "group_interval": "1s"}, "receivers": [{"name": "pager"}],
            "inhibit_rules": [{"source_matchers": ["alertname=LabOther"], "target_matchers": ["alertname=LabInhibited"]}],
        }))

    def silence(self, name):
        """Silence an alert; its end is the answer."""
        now = datetime.datetime.now(datetime.UTC)
        answer = requests.post(f"{self.alertmanager}/api/v2/silences", timeout=5, json={
            "matchers": [{"name": "alertname", "value": name, "isRegex": False, "isEqual": True}], "startsAt": now.isoformat(),
            "endsAt": (now + datetime.timedelta(hours=1)).isoformat(), "createdBy": "the tests", "comment": "a game day"})
        identity = answer.json()["silenceID"]
        return identity, lambda: requests.delete(f"{self.alertmanager}/api/v2/silence/{identity}", timeout=5)

    def until(self, question, seconds, words):
        deadline = time.monotonic() + seconds
        while True:
            try:
                if question():
                    return
            except requests.RequestException:
                pass
            if time.monotonic() > deadline:
                said = "".join(one.logs(tail=5).decode("utf-8", "replace") for one in self.containers)
                raise LabError(f"{words} after {seconds} s: {said}")
            time.sleep(0.05)

    def end(self):
        for container in self.containers:
            container.remove(force=True, v=True)
        self.exporter.shutdown()
        self.exporter.server_close()
