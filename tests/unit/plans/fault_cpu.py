from __future__ import annotations

from plans.row import Row

FILE = "{state}/gameday/faults/cpu%2Fhost/load"

ROWS = [
    Row("two CPUs are half busy", "fault_cpu", {"workers": 2, "load": 50}, {},
        claim="cpu/host",
        inject=["start_load %s -- {stress} --timeout 33s --quiet --oomable --cpu 2 --cpu-load 50" % FILE],
        revert=["end_load " + FILE],
        check="load_state %s 0 10" % FILE, broken=["running*"], whole=["ended"]),
    Row("four CPUs become busy, one after the other", "fault_cpu", {"workers": 4, "ramp": 8}, {},
        claim="cpu/host",
        inject=["start_load %s -- {stress} --timeout 33s --quiet --oomable --cpu 4 --cpu-load 100 --backoff 2000000" % FILE],
        revert=["end_load " + FILE],
        check="load_state %s 0 10" % FILE, broken=["running*"], whole=["ended"]),
]

REFUSED = [
    ("no load", "fault_cpu", {"load": 0}, {}, "load: 0 is not between 1 and 100 percent"),
    ("more than all", "fault_cpu", {"load": 101}, {}, "load: 101 is not between"),
    ("no worker", "fault_cpu", {"workers": 0}, {}, "workers: 0 is not between 1 and"),
    ("a ramp that is longer than the fault", "fault_cpu", {"ramp": 30}, {}, "ramp: 30 s must be less than duration (30 s)"),
]
