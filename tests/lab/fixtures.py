# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures: what a test needs, made when it is first asked for and taken away at the end.

Where something cannot be had, the test is skipped and says what is missing; under CI=true it fails, for there it has to be.
"""
from __future__ import annotations

import itertools
import os

import docker
import pytest

from lab.containers import Containers
from lab.hosts import LabError, NetnsHosts, SystemdHosts, UmlHosts, script
from lab.monitoring import Monitoring
from lab.playbook import ROOT, Runner
from lab.voiceassist import AsProcesses, InCompose, InContainers, wait_until_healthy

numbers = itertools.count(1)


def unique_name():
    """Several runs may share the machine and its engine."""
    return f"lab-{os.getpid()}-{next(numbers)}"


def missing(what, why):
    text = f"needs {what}: {why}"
    if os.environ.get("CI", "").lower() in ("1", "true"):
        pytest.fail(text, pytrace=False)
    pytest.skip(text)


@pytest.fixture
def run_playbook(tmp_path):
    """run_playbook(playbook, inventory, extra_vars, env, arguments, background) -> lab.playbook.Run"""
    runner = Runner(tmp_path)
    yield runner
    runner.end()


@pytest.fixture(scope="session")
def docker_engine():
    """A client of a Docker engine that answers; started when there is none."""
    try:
        script("docker-up")
        return docker.from_env()
    except (LabError, docker.errors.DockerException) as error:
        missing("a Docker engine", error)


@pytest.fixture(scope="session")
def base_image(docker_engine):
    """Name of a bare Debian image."""
    try:
        script("base-image")
    except LabError as error:
        missing("a base image", error)
    return "lab-debian:bookworm-slim"


@pytest.fixture(scope="session")
def voiceassist_image(base_image):
    """Name of the demo system's image: its role is its command."""
    try:
        script("voiceassist-image")
    except LabError as error:
        missing("the image of VoiceAssist", error)
    return "lab-gameday-voiceassist"


@pytest.fixture
def containers(docker_engine):
    """Factory of containers on a network of their own: see lab.containers.Containers."""
    factory = Containers(docker_engine, unique_name())
    yield factory
    factory.remove()


@pytest.fixture
def voiceassist_containers(containers, voiceassist_image):
    """The demo system in containers, healthy: see lab.voiceassist.InContainers."""
    return InContainers(containers, voiceassist_image)


@pytest.fixture(scope="session")
def compose_lab(base_image):
    """The lab of `make lab`, healthy: see lab.voiceassist.InCompose. Shared: leave it as it was."""
    lab = InCompose(unique_name())
    try:
        lab.call("up")
    except LabError as error:
        lab.call("down")
        missing("Docker Compose", error)
    yield lab
    lab.call("down")


@pytest.fixture(scope="session")
def monitoring(docker_engine, tmp_path_factory):
    """A quick Prometheus and Alertmanager with an exporter whose numbers are known: see lab.monitoring.Monitoring. Shared: leave its gauges as they were."""
    try:
        script("voiceassist-image", "--monitoring")
        found = Monitoring(docker_engine, tmp_path_factory.mktemp("monitoring"), unique_name())
    except LabError as error:
        missing("Prometheus and Alertmanager", error)
    yield found
    found.end()


@pytest.fixture(scope="session")
def make_ssh_hosts(docker_engine, tmp_path_factory):
    """make_ssh_hosts(count, image=None) -> SystemdHosts; for a test that wants hosts of its own."""
    made = []

    def make(count, image=""):
        state, prefix = tmp_path_factory.mktemp("hosts"), unique_name()
        made.append(state)
        try:
            script("systemd-host", "up", count, state, LAB_PREFIX=prefix, **({"LAB_IMAGE": image} if image else {}))
        except LabError as error:
            missing("containers with systemd", error)
        return SystemdHosts(state, prefix)

    yield make
    for state in made:
        script("systemd-host", "down", state)


@pytest.fixture(scope="session")
def ssh_hosts(make_ssh_hosts):
    """Three hosts with systemd, h1 to h3, over ssh. Shared: leave them as they were."""
    return make_ssh_hosts(3)


@pytest.fixture(scope="session")
def voiceassist_hosts(make_ssh_hosts):
    """Three such hosts, each with the demo system as services; `url(host)` is its API. Shared: leave them as they were."""
    hosts = make_ssh_hosts(3, "lab-gameday-voiceassist-host")
    for host in hosts.names:
        wait_until_healthy(hosts.url(host))
    return hosts


@pytest.fixture(scope="session")
def rootfs(docker_engine):
    """The folder with the files of light hosts, and of those with a kernel of their own."""
    folder = ROOT / ".cache/lab/rootfs"
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        script("netns-hosts", "rootfs", folder)
    except LabError as error:
        missing("the files of a host", error)
    return folder


@pytest.fixture(scope="session")
def make_netns_hosts(rootfs, tmp_path_factory):
    """make_netns_hosts(count) -> NetnsHosts; Ansible must run with their `command_prefix`, as run_playbook does."""
    made = []

    def make(count):
        state, prefix = tmp_path_factory.mktemp("netns"), unique_name()
        made.append(state)
        try:
            script("netns-hosts", "up", count, rootfs, state, LAB_PREFIX=prefix)
        except LabError as error:
            missing("network namespaces with sshd", error)
        return NetnsHosts(state, prefix)

    yield make
    for state in made:
        if (state / "hub").exists():
            script("netns-hosts", "down", state)


@pytest.fixture(scope="session")
def netns_hosts(make_netns_hosts):
    """Five light hosts without systemd, n1 to n5, over ssh. Shared: leave them as they were."""
    return make_netns_hosts(5)


@pytest.fixture(scope="session")
def make_uml_hosts(rootfs, tmp_path_factory):
    """
    make_uml_hosts(count) -> UmlHosts; each with a kernel of its own.

    The one capability that continuous integration may lack, too: a kernel as a process needs ptrace of its parts, which a sandbox may forbid.
    """
    made = []

    def make(count):
        state, prefix = tmp_path_factory.mktemp("uml"), unique_name()
        made.append(state)
        try:
            script("uml-host", "up", count, rootfs, state, LAB_PREFIX=prefix)
        except LabError as error:
            if "has ended" not in str(error):
                missing("hosts in User-mode Linux", error)
            pytest.skip(f"needs a kernel with netem, and User-mode Linux does not start here: {error}")
        return UmlHosts(state, prefix)

    yield make
    for state in made:
        script("uml-host", "down", state)


@pytest.fixture(scope="session")
def uml_host(make_uml_hosts):
    """A host with a kernel of its own, u1, which has netem: see lab.hosts.UmlHosts. Shared: leave it as it was."""
    return make_uml_hosts(1)


@pytest.fixture(scope="session")
def voiceassist_processes():
    """The demo system as processes, on ports of its own, healthy: see lab.voiceassist.AsProcesses. Shared: leave it as it was."""
    system = AsProcesses(f"/var/tmp/{unique_name()}")
    try:
        system.up()
    except LabError as error:
        system.call("down", "--purge")
        missing("the demo system's servers", error)
    yield system
    system.call("down", "--purge")
