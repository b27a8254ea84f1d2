"""A ledger of its own for each test, empty afterwards, and a thing that can be broken."""

from __future__ import annotations

import os
import pathlib
import subprocess
import tempfile

import pytest
from ansible_collections.gameday.chaos.plugins.module_utils.ledger import Ledger
from ansible_collections.gameday.chaos.plugins.module_utils.recovery import recover


@pytest.fixture
def root():
    # In memory: the time of a fault counts while its record is written to disk, which may take long where others write, too.
    with tempfile.TemporaryDirectory(prefix="gameday-unit-", dir="/dev/shm", ignore_cleanup_errors=True) as folder:
        path = pathlib.Path(folder, "ledger")
        yield path
        book = Ledger(str(path))
        recover(book, all=True)
        assert book.in_place() == []


@pytest.fixture
def thing(tmp_path):
    (tmp_path / "things").mkdir()
    return tmp_path / "things" / "file"


@pytest.fixture
def small_disk(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a small file system")
    path = tmp_path / "small"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k,mode=700", "tmpfs", str(path)], check=True)
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)
