from __future__ import annotations

from things import stress


class OnHost(stress.OnHost):
    fault = "fault_io"


class InContainer(stress.InContainer):
    fault = "fault_io"


CASES = [(OnHost, {"path": "/srv/data", "bytes": "4MiB"}), (InContainer, {"path": "/tmp", "bytes": "4MiB"})]
