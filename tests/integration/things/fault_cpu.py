from __future__ import annotations

from things import stress


class OnHost(stress.OnHost):
    fault = "fault_cpu"


class InContainer(stress.InContainer):
    fault = "fault_cpu"


CASES = [(OnHost, {"load": 30}), (InContainer, {"load": 30})]
