from __future__ import annotations

from plans.row import Row

FILE = "{state}/gameday/faults/memory%2Fhost/load"
VM = "start_load %s -- {stress} --timeout 33s --quiet --oomable --vm %s --vm-bytes %sb --vm-keep --vm-hang 0 --vm-method zero-one"

ROWS = [
    Row("memory is taken", "fault_memory", {"bytes": "64MiB"}, {},
        claim="memory/host",
        inject=[VM % (FILE, 1, 64 << 20)],
        revert=["end_load " + FILE],
        check="load_state %s 51 0" % FILE, broken=["running*"], whole=["ended"]),
    Row("memory is taken step by step", "fault_memory", {"bytes": "80M", "ramp": 4}, {},
        claim="memory/host",
        inject=[VM % (FILE, 8, 80 << 20) + " --backoff 500000"],
        revert=["end_load " + FILE],
        check="load_state %s 64 0" % FILE, broken=["running*"], whole=["ended"]),
]

REFUSED = [
    ("nothing", "fault_memory", {}, {}, "bytes, percent: give one of them"),
    ("two sizes", "fault_memory", {"bytes": "1G", "percent": 5.0}, {}, "bytes, percent: give one of them"),
    ("no size", "fault_memory", {"bytes": "much"}, {}, "bytes: 'much' is no size; give one such as 256MiB"),
    ("too little", "fault_memory", {"bytes": "1k"}, {}, "bytes: that is 0 MiB, and less than 4 MiB would show nothing"),
    ("more than there is", "fault_memory", {"bytes": "100T"}, {}, "the kernel might end innocent processes. Take less, or say allow_oom: true"),
    ("nearly all", "fault_memory", {"percent": 100.0}, {}, "would leave less than a twentieth"),
    ("a share of nothing", "fault_memory", {"percent": 0.0}, {}, "percent: 0.0 is not more than 0"),
    ("a ramp that is longer than the fault", "fault_memory", {"bytes": "64M", "ramp": 31}, {}, "ramp: 31 s must be less than duration"),
]
