"""Where a path of a container lies on the host: never beneath something else that the container has mounted there."""

from __future__ import annotations

import os

import pytest
from ansible_collections.gameday.chaos.plugins.module_utils import container
from ansible_collections.gameday.chaos.plugins.module_utils.fault import Refused

LAYERS = {"Data": {"MergedDir": "/layers/merged", "UpperDir": "/layers/upper"}}


@pytest.fixture(autouse=True)
def no_container(monkeypatch):
    monkeypatch.setattr(container, "require_local", lambda found: None)


def found(*mounts):
    """A container whose first process is this test: its /proc and /dev/shm are mounts."""
    return {"State": {"Pid": os.getpid()}, "Mounts": list(mounts), "GraphDriver": LAYERS}


def test_a_path_in_memory_is_refused_and_not_taken_from_the_disk_beneath_it():
    with pytest.raises(Refused, match="path: /dev/shm/cache is in /dev/shm of the container, which is in its memory"):
        container.host_paths(found({"Type": "tmpfs", "Destination": "/dev/shm", "Source": ""}), "/dev/shm/cache")


def test_a_path_in_a_volume_is_the_volumes_own():
    volume = {"Type": "volume", "Destination": "/dev/shm", "Source": "/volumes/one"}
    assert container.host_paths(found(volume), "/dev/shm/data") == ["/volumes/one/data"]


def test_a_path_in_the_root_is_in_the_layers():
    assert container.host_paths(found(), "/usr/local/no-mount") == ["/layers/merged/usr/local/no-mount", "/layers/upper/usr/local/no-mount"]
