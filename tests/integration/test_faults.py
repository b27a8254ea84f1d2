"""The life of each fault on real things: foretold, injected, again, refused to another, ended, ended again, and ending by itself."""

from __future__ import annotations

import datetime
import time
import uuid

import pytest

from things import CASES, name_of

DURATION = 5


def one_case_for_each_fault():
    """In `make test`; the others take their turn in `make soak`, and in the guarantee. test_network.py is patient with the slow host."""
    seen = set()
    for pair in CASES:
        if getattr(pair[0], "place", None) == "uml_host":
            continue
        module = pair[0].__module__
        yield pytest.param(pair, id=name_of(pair), marks=[pytest.mark.long] if module in seen else [])
        seen.add(module)


@pytest.fixture(params=one_case_for_each_fault())
def thing(request):
    return request.param[0](request, request.param[1])


def becomes(thing, state, seconds):
    limit = time.monotonic() + seconds
    while thing.look() != state and time.monotonic() < limit:
        time.sleep(0.05)
    return thing.look() == state


def test_the_life_of_a_fault(run_playbook, thing):
    first, second = (f"{word}-{uuid.uuid4().hex[:8]}" for word in ("first", "second"))

    def fault(name, duration=60, run=first, **more):
        return {"name": name, thing.module: {**thing.options, "duration": duration, "run": run}, **more}

    def ended(name, **more):
        return {"name": name, thing.module: {**thing.options, "state": "absent", "run": first}, **more}

    assert thing.look() == thing.whole
    foretold = run_playbook([fault("foretell")], thing.inventory, arguments=[*thing.limit, "--check", "--diff"])
    assert foretold.rc == 0 and foretold.result("foretell")["fault"]["state"] == "planned", foretold
    assert thing.words.split()[-1] in foretold.result("foretell")["diff"]["after"]
    assert thing.look() == thing.whole

    life = run_playbook(
        [
            fault("inject"),
            fault("again"),
            fault("another run", run=second, ignore_errors=True),
            {"name": "what is broken", "gameday.chaos.ledger_info": {"run": first}},
        ],
        thing.inventory, arguments=thing.limit,
    )
    assert life.rc == 0, life
    injected = life.result("inject")
    assert injected["changed"] and injected["fault"]["verified"] and injected["fault"]["claim"] == thing.claim
    assert thing.look() == thing.broken
    assert life.result("again")["changed"] is False and life.result("again")["fault"]["ends"] == injected["fault"]["ends"]
    assert "held by" in life.result("another run")["msg"] and f"of run {first}" in life.result("another run")["msg"]
    assert [one["claim"] for one in life.result("what is broken")["faults"]] == [thing.claim]

    end = run_playbook([ended("end it"), ended("once more"), {"name": "prove", "gameday.chaos.recover": {"run": first}}], thing.inventory,
                       arguments=thing.limit)
    assert end.rc == 0, end
    assert end.result("end it")["changed"] and end.result("end it")["fault"]["ended_by"] == "state=absent"
    assert end.result("once more")["changed"] is False
    recovery = end.result("prove")["recovery"]
    assert recovery["restored"] and recovery["residue"] == [] and [one["claim"] for one in recovery["faults"]] == [thing.claim]
    assert becomes(thing, thing.whole, 5)

    for duration in (DURATION, 4 * DURATION):  # on a busy machine the first may be over before anybody looks
        third = f"third-{uuid.uuid4().hex[:8]}"
        alone = run_playbook([fault("inject", duration=duration, run=third)], thing.inventory, arguments=thing.limit)
        seen = thing.look()
        if seen == thing.broken:
            break
        assert becomes(thing, thing.whole, duration + 2)
    assert alone.rc == 0 and seen == thing.broken, alone
    assert becomes(thing, thing.whole, duration + 2)
    after = run_playbook([fault("the same run again", duration=duration, run=third)], thing.inventory, arguments=thing.limit)
    assert after.rc != 0 and "never breaks it again behind your back" in after.result("the same run again")["msg"]
    assert thing.look() == thing.whole


def test_what_a_container_cannot_come_back_from_is_refused(run_playbook, containers, voiceassist_image):
    doomed = containers("doomed", voiceassist_image, "redis", auto_remove=True)
    stopped = containers("stopped", voiceassist_image, "redis")
    stopped.stop(timeout=1)
    run = run_playbook([
        {"name": "doomed", "gameday.chaos.fault_container": {"name": doomed.name, "duration": 20}, "ignore_errors": True},
        {"name": "stopped", "gameday.chaos.fault_container": {"name": stopped.name, "duration": 20}, "ignore_errors": True},
        {"name": "unknown", "gameday.chaos.fault_container": {"name": "no-such-container", "duration": 20}, "ignore_errors": True},
        {"name": "what is broken", "gameday.chaos.ledger_info": {"run": "manual"}},
    ])
    assert "--rm" in run.result("doomed")["msg"] and "not running" in run.result("stopped")["msg"]
    assert "no container 'no-such-container'" in run.result("unknown")["msg"] and doomed.name in run.result("unknown")["msg"]
    doomed.reload()
    assert doomed.status == "running"
    assert not [one for one in run.result("what is broken")["faults"] if containers.prefix in one["claim"]]


def test_a_container_replaced_meanwhile_is_left_alone(run_playbook, containers, voiceassist_image, docker_engine):
    """The fault holds the container's id: its successor of the same name is not started, stopped or counted."""
    first = containers("replaced", voiceassist_image, "redis")
    run = run_playbook([{"name": "inject", "gameday.chaos.fault_container": {"name": first.name, "duration": 60, "run": "replaced"}}])
    assert run.rc == 0, run
    first.remove(force=True)
    second = docker_engine.containers.create(voiceassist_image, "redis", name=first.name, network="none")
    containers.started.append(second)
    run = run_playbook([{"name": "recover", "gameday.chaos.recover": {"run": "replaced"}}])
    assert run.rc == 0 and run.result("recover")["recovery"]["restored"], run
    second.reload()
    assert second.status == "created"


def test_what_others_do_to_a_container_meanwhile_does_not_keep_it_from_coming_back(run_playbook, containers, voiceassist_image, docker_engine):
    frozen, apart = containers("frozen", voiceassist_image, "redis"), containers("apart", voiceassist_image, "redis")
    known = set(apart.attrs["NetworkSettings"]["Networks"])
    another = docker_engine.networks.create(f"{apart.name}-another")
    try:
        run = run_playbook([{"name": "inject", "gameday.chaos.fault_container": {"name": "{{ item.name }}", "action": "{{ item.action }}", "duration": 60,
                                                                                 "run": "meanwhile"},
                             "loop": [{"name": frozen.name, "action": "pause"}, {"name": apart.name, "action": "disconnect"}]}])
        assert run.rc == 0, run
        frozen.kill()
        another.connect(apart)
        run = run_playbook([{"name": "recover", "gameday.chaos.recover": {"run": "meanwhile"}, "ignore_errors": True},
                            {"name": "left", "gameday.chaos.ledger_info": {"run": "meanwhile"}}])
        frozen.reload()
        apart.reload()
        assert frozen.status == "running" and set(apart.attrs["NetworkSettings"]["Networks"]) == known | {another.name}
        assert run.result("left")["faults"] == [], run
        # The picture shows the network that nobody was on before: it is told, for a person to judge.
        assert f"{apart.name}-another" in run.result("recover")["msg"] and frozen.name not in run.result("recover")["msg"]
    finally:
        another.disconnect(apart, force=True)
        another.remove()


def test_units_that_go_down_with_a_service_come_back_with_it_and_one_that_is_uninstalled_does_not(run_playbook, voiceassist_hosts):
    unit = "[Unit]\nRequires=voiceassist-redis.service\nAfter=voiceassist-redis.service\n[Service]\nExecStart=/bin/sleep 1000\n"
    folder = "/run/systemd/system"
    voiceassist_hosts.run("h3", f"printf '{unit}' >{folder}/follower.service && printf '[Service]\\nExecStart=/bin/sleep 1000\\n' >{folder}/passing.service && "
                                "systemctl daemon-reload && systemctl start follower passing")
    try:
        run = run_playbook([
            {"name": "inject", "gameday.chaos.fault_service": {"name": "voiceassist-redis", "duration": 60, "run": "follow"}},
            {"name": "look", "ansible.builtin.command": "systemctl is-active follower", "failed_when": False, "changed_when": False},
            {"name": "recover", "gameday.chaos.recover": {"run": "follow"}},
            {"name": "another", "gameday.chaos.fault_service": {"name": "passing", "duration": 60, "run": "passing"}},
            {"name": "uninstall", "ansible.builtin.file": {"path": f"{folder}/passing.service", "state": "absent"}},
            {"name": "recover", "gameday.chaos.recover": {"run": "passing"}},
        ], voiceassist_hosts, arguments=["--limit", "h3"])
        assert run.rc == 0 and run.result("look")["stdout"] == "inactive", run
        assert voiceassist_hosts.run("h3", "systemctl is-active follower voiceassist-redis").stdout.split() == ["active", "active"]
    finally:
        voiceassist_hosts.run("h3", "systemctl stop follower; cd /run/systemd/system && rm -f follower.service passing.service; systemctl daemon-reload")


def test_the_connection_and_init_are_never_hit(run_playbook, voiceassist_hosts):
    run = run_playbook([
        {"name": "sshd by name", "gameday.chaos.fault_process": {"name": "sshd", "count": 9, "duration": 5}, "ignore_errors": True},
        {"name": "sshd by port", "gameday.chaos.fault_process": {"port": 22, "count": 9, "duration": 5}, "ignore_errors": True},
        {"name": "init", "gameday.chaos.fault_process": {"pattern": "^/sbin/init", "duration": 5}, "ignore_errors": True},
        {"name": "the module itself", "gameday.chaos.fault_process": {"pattern": "python", "count": 1, "user": "root", "duration": 5}, "ignore_errors": True},
        {"name": "the unit", "gameday.chaos.fault_service": {"name": "ssh", "duration": 5}, "ignore_errors": True},
    ], voiceassist_hosts, arguments=["--limit", "h3"])
    for name in ("sshd by name", "sshd by port", "init"):
        assert "never hit" in run.result(name)["msg"], run
    assert "never stopped" in run.result("the unit")["msg"], run
    assert voiceassist_hosts.run("h3", "ls /var/lib/gameday/faults 2>/dev/null | wc -l").stdout.strip() == "0"


@pytest.mark.alone
@pytest.mark.long  # those of test_plays.py are hit together, too
def test_three_hosts_break_together(run_playbook, voiceassist_hosts):
    """starts_at: the injections of three hosts are not further apart than their own work takes."""
    instant = "{{ '%Y-%m-%dT%H:%M:%S+00:00' | strftime((now(utc=true).timestamp() | int) + 10, utc=true) }}"
    run = run_playbook([
        {"name": "agree", "ansible.builtin.set_fact": {"instant": instant}, "run_once": True},
        {"name": "inject", "gameday.chaos.fault_service": {"name": "voiceassist-redis", "duration": 30, "starts_at": "{{ instant }}", "run": "together"}},
        {"name": "recover", "gameday.chaos.recover": {"run": "together"}},
    ], voiceassist_hosts)
    assert run.rc == 0, run
    begins = sorted(run.result("inject", host)["fault"]["begin"] for host in voiceassist_hosts.names)
    first, last = (datetime.datetime.fromisoformat(one) for one in (begins[0], begins[-1]))
    assert (last - first).total_seconds() < 1, begins
