"""The probe of what a host has left, against this machine and what its own tools say of it; and the probe of units, where there is no systemd."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time

import pytest
from ansible_collections.gameday.chaos.plugins.module_utils import amount, probe_host, probe_service
from ansible_collections.gameday.chaos.plugins.module_utils.probe import BadArgument
from real_module import NOBODY, USER, Host

from lab.fixtures import missing
from lab.probing import arguments_of, measured, said


def words_of(*argv):
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()


def near(value, expected, share=0.02):
    """Others use this machine, too."""
    return abs(value - expected) <= share * max(abs(expected), 1)


def test_it_counts_as_the_hosts_own_tools_do(tmp_path):
    seen = measured(probe_host, path=str(tmp_path))
    assert seen["met"] is True and seen["value"] is None
    used, available, share = words_of("df", "--block-size=1", "--output=used,avail,pcent", str(tmp_path))[-3:]
    assert near(seen["disk_used"], int(used)) and near(seen["disk_available"], int(available))
    assert abs(100 * seen["disk_used"] / seen["disk"] - int(share.rstrip("%"))) <= 1.1, "df rounds up"
    inodes_used, inodes_left = words_of("df", "--output=iused,iavail", str(tmp_path))[-2:]
    assert near(seen["inodes_used"], int(inodes_used)) and near(seen["inodes_available"], int(inodes_left))
    free = words_of("free", "--bytes")
    assert seen["memory"] == int(free[free.index("Mem:") + 1]) and near(seen["memory_available"], int(free[free.index("Mem:") + 6]), 0.1)
    assert seen["cpus"] == os.cpu_count() and abs(seen["load"] * seen["cpus"] - os.getloadavg()[0]) < 2
    assert 0 < seen["open_files"] < seen["open_files_limit"]


@pytest.mark.parametrize(("options", "key"), [
    ({"maximum_load": 100000}, "load"), ({"minimum_memory_available": "1MiB"}, "memory_available"), ({"minimum_memory_available": "0.01%"}, "memory_available"),
    ({"minimum_disk_available": "1k"}, "disk_available"), ({"maximum_disk_used": "100%"}, "disk_used"), ({"minimum_inodes_available": "1"}, "inodes_available"),
    ({"maximum_inodes_used": "100%"}, "inodes_used"), ({"maximum_open_files": "100%"}, "open_files"),
])
def test_what_is_within_its_limit_is_met_and_its_number_is_the_value(tmp_path, options, key):
    seen = measured(probe_host, path=str(tmp_path), **options)
    assert seen["met"] is True and seen["value"] == seen[key]


@pytest.mark.parametrize(("options", "words"), [
    ({"minimum_memory_available": "1000TiB"}, "memory available: "),
    ({"minimum_memory_available": "100%"}, "%), at least 100% expected"),
    ({"minimum_disk_available": "1000TiB"}, "at least 1000TiB expected"),
    ({"maximum_disk_used": "1"}, "disk used on "),
    ({"minimum_inodes_available": str(10 ** 15)}, "inodes available on "),
    ({"maximum_inodes_used": "0"}, "at most 0 expected"),
    ({"maximum_open_files": "0.000001%"}, "open files of the host: "),
    ({"maximum_open_files": "1", "minimum_memory_available": "1000TiB"}, "at least 1000TiB expected; open files of the host: "),
])
def test_what_is_beyond_its_limit_is_not_met_and_says_how_much_there_is(tmp_path, options, words):
    seen = measured(probe_host, path=str(tmp_path), **options)
    assert seen["met"] is False and words in said(seen)[1], seen


def test_a_load_beyond_its_limit_is_not_met():
    # Made by hand: a real one takes a minute to come and longer to go.
    assert probe_host.judge(arguments_of(probe_host, maximum_load=2.5), {"load": 3.25}) == ["the load per CPU: 3.25, at most 2.5 expected"]


def test_a_disk_of_its_own_is_looked_at_and_not_the_one_around_it(tmp_path):
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,nr_inodes=20", "tmpfs", str(tmp_path)], capture_output=True).returncode:
        missing("root", "only root can mount")
    try:
        (tmp_path / "file").write_bytes(b"x" * (3 << 20))
        full = measured(probe_host, path=str(tmp_path / "file"), maximum_disk_used="50%", minimum_inodes_available="95%")
        assert said(full) == (False, "disk used on {0}: 3 MiB (75.0 %), at most 50% expected; inodes available on {0}: 18 (90.0 %), at least 95% expected"
                              .format(tmp_path / "file"))
        assert measured(probe_host, path=str(tmp_path), minimum_disk_available="1MiB", maximum_inodes_used="2")["met"] is True
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_file_system_without_a_number_of_inodes_has_no_share_of_them():
    assert os.statvfs("/proc").f_files == 0
    seen = measured(probe_host, path="/proc", maximum_inodes_used="90%")
    assert seen["met"] is None and "no share; give a number" in said(seen)[1]


@contextlib.contextmanager
def sleeper(descriptors, user=None):
    """A process with so many more files open, of which it may have 64."""
    script = "ulimit -n 64; exec sleep 500.51"
    opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(descriptors)]
    with subprocess.Popen(["bash", "-c", script], pass_fds=opened, user=user) as process:
        for one in opened:
            os.close(one)
        try:
            while open("/proc/%s/stat" % process.pid).read().split()[1:3] != ["(sleep)", "S"]:  # before it sleeps it has its libraries open
                time.sleep(0.001)
            yield process.pid
        finally:
            process.kill()


def test_the_process_nearest_to_its_own_limit_counts():
    with sleeper(1), sleeper(29) as pid:
        base = len(os.listdir("/proc/%s/fd" % pid))
        many = measured(probe_host, pattern="^sleep 500.51$", maximum_process_open_files="50%")
        assert many["value"] == base == 32 and many["process_open_files_limit"] == 64 and many["met"] is True
        few = measured(probe_host, pattern="^sleep 500.51$", maximum_process_open_files="31")
        assert said(few) == (False, "open files of sleep (pid %s): 32, at most 31 expected" % pid)
        share = measured(probe_host, pattern="^sleep 500.51$", maximum_process_open_files="10%")
        assert said(share) == (False, "open files of sleep (pid %s): 32 (50.0 %%), at most 10%% expected" % pid)


def test_processes_that_are_not_there_or_not_to_be_seen_are_no_data():
    absent = measured(probe_host, pattern="^no such process$", maximum_process_open_files="10")
    assert absent["met"] is None and "no such process on this host" in said(absent)[1]
    if USER != NOBODY:
        missing("root", "only root has something that this user may not see")
    host = Host()
    try:
        with sleeper(1):
            hidden = host.run("probe_host", pattern="^sleep 500.51$", maximum_process_open_files="10")
        assert hidden["failed"] and hidden["observation"]["met"] is None and "use become" in hidden["msg"], hidden
    finally:
        host.clean()


@pytest.mark.parametrize(("options", "words"), [
    ({"minimum_memory_available": "much"}, "minimum_memory_available: 'much' is no size; give one such as 256MiB or 2GiB; a share is written as 10%"),
    ({"maximum_disk_used": "110%"}, "maximum_disk_used: '110%' is more than all of it"),
    ({"maximum_inodes_used": "1GiB"}, "maximum_inodes_used: '1GiB' is no whole number"),
    ({"maximum_open_files": "many"}, "'many' is no whole number"),
    ({"maximum_load": -1}, "maximum_load: -1.0 is less than 0"),
    ({"maximum_process_open_files": "10"}, "pid_file, name, pattern, port, user: give a value for at least one of them"),
    ({"maximum_process_open_files": "10", "pattern": "("}, "pattern: '(' is no regular expression"),
    ({"port": 8080}, "port: says which processes' files are counted; give maximum_process_open_files, too"),
    ({"path": "/no/such/folder"}, "path: there is no /no/such/folder on this host"),
])
def test_bad_options_are_refused(options, words):
    with pytest.raises(BadArgument) as refusal:
        arguments_of(probe_host, **options)
    assert words in str(refusal.value)


@pytest.mark.parametrize(("text", "value"), [("256MiB", 256 << 20), ("1.5 G", 3 << 29), ("2kB", 2048), ("17", 17), ("0", 0)])
def test_sizes(text, value):
    assert amount.size(text) == value


def test_shares_and_words():
    assert amount.share("10%") == 10 and amount.share(" 0.5 % ") == 0.5 and amount.share("10") is None
    assert [amount.in_words(value) for value in (3 << 29, 3 << 20, 2048, 17)] == ["1.5 GiB", "3 MiB", "2 KiB", "17 bytes"]


# service: what systemd says is asked in tests/integration


@pytest.mark.parametrize(("options", "words"), [
    ({"name": "-x"}, "name: '-x' is no name of a unit"),
    ({"name": "a b"}, "name: 'a b' is no name of a unit"),
    ({"name": "x", "max_restarts": -1}, "max_restarts: -1 is less than 0"),
    ({"name": "x", "restarted": False}, "restarted: needs since"),
    ({"name": "x", "restarted": False, "since": "yesterday"}, "since: 'yesterday' is no instant; give ISO 8601 with an offset"),
])
def test_bad_options_of_a_service_are_refused(options, words):
    with pytest.raises(BadArgument) as refusal:
        arguments_of(probe_service, **options)
    assert words in str(refusal.value)


def test_a_host_without_systemd_has_no_data():
    if os.path.isdir("/run/systemd/system"):
        missing("a machine without systemd", "this one has it")
    observation = measured(probe_service, name="cron", state=["inactive", "absent"])
    assert observation["met"] is None and "systemd cannot be asked on this host" in said(observation)[1], observation


def test_a_module_measures_what_was_understood_of_its_options():
    """Not what was written: a command may be one string."""
    host = Host()
    try:
        for command in ("echo 'one two'", ["echo", "one two"]):
            seen = host.run("probe_command", command=command, stdout_contains=["one two"])
            assert not seen.get("failed") and seen["observation"]["met"] is True, seen
    finally:
        host.clean()
