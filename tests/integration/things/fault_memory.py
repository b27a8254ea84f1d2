from __future__ import annotations

from things import stress


class OnHost(stress.OnHost):
    fault = "fault_memory"


class InContainer(stress.InContainer):
    fault = "fault_memory"


CASES = [(OnHost, {"bytes": "64MiB"}), (InContainer, {"bytes": "64MiB", "ramp": 1})]
