from __future__ import annotations

from plans.row import Row

OWN = "/dev/shm/.gameday-0123456789ab"
TAKEN = dict(claim="disk/host/dev/shm", revert=["rm -rf " + OWN], check="exists " + OWN, broken=["there"], whole=["missing"], holds=["file system {shm}"])


def taken(what, step, **params):
    return Row(what, "fault_disk", {"path": "/dev/shm/", **params}, {}, inject=["mkdir -m 0700 " + OWN, step], **TAKEN)


ROWS = [
    taken("space is taken", "fallocate --length 1048576 %s/ballast" % OWN, bytes="1MiB"),
    taken("space is taken but for a rest", "fallocate --length 472842240 %s/ballast" % OWN, leave_free="10M"),
    taken("space is taken up to a share", "fallocate --length 381308108 %s/ballast" % OWN, percent=90.0),
    taken("inodes are taken", "fill_inodes %s 499" % OWN, action="inodes", percent=90.0),
    taken("nearly all inodes are taken", "fill_inodes %s 599" % OWN, action="inodes", percent=100.0),
]

REFUSED = [
    ("nothing", "fault_disk", {"path": "/dev/shm"}, {}, "bytes, percent, leave_free: give one of them"),
    ("two goals", "fault_disk", {"path": "/dev/shm", "bytes": "1M", "percent": 5.0}, {}, "bytes, percent, leave_free: give one of them"),
    ("inodes by size", "fault_disk", {"path": "/dev/shm", "bytes": "1M", "action": "inodes"}, {}, "bytes: is for action: fill only"),
    ("more than there is", "fault_disk", {"path": "/dev/shm", "bytes": "900T"}, {}, "bytes: 900T are more than the"),
    ("fuller than full", "fault_disk", {"path": "/dev/shm", "percent": 101.0}, {}, "percent: 101.0 is not more than 0 and at most 100"),
    ("as full as it is", "fault_disk", {"path": "/dev/shm", "leave_free": "900T"}, {}, "leave_free: /dev/shm is as full as that already"),
    ("a folder that is not there", "fault_disk", {"path": "/no/such", "bytes": "1M"}, {}, "path: /no/such is no folder of this host"),
    ("a path from where we happen to be", "fault_disk", {"path": "tmp", "bytes": "1M"}, {}, "path: 'tmp' is not absolute"),
]
