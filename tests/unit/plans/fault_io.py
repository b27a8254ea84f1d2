from __future__ import annotations

from plans.row import Row

FILE = "{state}/gameday/faults/io%2Fhost%2Fvar%2Ftmp/load"
OWN = "/var/tmp/.gameday-0123456789ab"

ROWS = [
    Row("a disk is busy", "fault_io", {"path": "/var/tmp", "workers": 2, "bytes": "1MiB"}, {},
        claim="io/host/var/tmp",
        inject=["mkdir -m 0700 " + OWN, "start_load %s -- {stress} --timeout 33s --quiet --oomable --hdd 2 --hdd-bytes 2097152b --temp-path %s" % (FILE, OWN)],
        revert=["end_load " + FILE, "rm -rf " + OWN],
        check="nothing_left %s -- load_state %s 0 1" % (OWN, FILE), broken=["running*"], whole=["ended"]),
]

REFUSED = [
    ("a folder that is not there", "fault_io", {"path": "/no/such"}, {}, "path: /no/such is no folder of this host"),
    ("a path from where we happen to be", "fault_io", {"path": "tmp"}, {}, "path: 'tmp' is not absolute"),
    ("more than fits", "fault_io", {"path": "/var/tmp", "bytes": "900T"}, {}, "bytes: 1 files of 900T are more than half of what is free"),
    ("nobody who writes", "fault_io", {"path": "/var/tmp", "workers": 0}, {}, "workers: 0 is not between 1 and 64"),
]
