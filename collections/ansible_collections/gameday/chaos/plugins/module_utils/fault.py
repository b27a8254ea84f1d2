# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fault is a plan, and a plan is data: what is taken, how it is broken, how it is put back, how one sees it. Everything else is here, once."""

from __future__ import annotations

import os
import shutil
import signal
import time
import traceback
from dataclasses import dataclass, field

from ansible_collections.gameday.chaos.plugins.module_utils import clock, fingerprint, lease, reboot, timer, way_back
from ansible_collections.gameday.chaos.plugins.module_utils.arguments import ansible_module
from ansible_collections.gameday.chaos.plugins.module_utils.command import Looks, ask, find_tool, start
from ansible_collections.gameday.chaos.plugins.module_utils.ledger import UNASKED, Held, Ledger, LedgerError, new_id
from ansible_collections.gameday.chaos.plugins.module_utils.text import no_text, printable

MAXIMUM_DURATION = 4 * 3600
MANUAL = "manual"
STARTS_WITHIN = 600
OTHERS_FIRST = 0.1  # seconds
WAY_BACK_TOOLS = ("sh", "flock", "mv", "sleep", "setsid")

FAULT_OPTIONS = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "duration": {"type": "int"},
    "starts_at": {"type": "str"},
    "lease": {"type": "int", "default": 0},
    "run": {"type": "str", "default": MANUAL},
}


class Refused(Exception):
    """What the user must change; nothing was touched."""


class Interrupted(Exception):
    pass


@dataclass
class Check:
    """A question whose answer, one line of patterns with *, tells a broken thing from a whole one. Neither: unknown, so not restored."""

    argv: list
    broken: list
    whole: list
    gone: list = field(default_factory=list)  # answers that tell of a thing which is no more: there is nothing to put back
    left: list = field(default_factory=list)  # answers before the injection that tell of what a fault has left whose record was lost; it is replaced
    gone_after_reboot: bool = False
    absent: list = field(default_factory=list)  # files of ours that the answer does not tell of; while one is there, it is not whole


@dataclass
class Plan:
    """What a fault would do. Vectors only: never a shell string, never a parameter inside one."""

    claim: str  # the thing taken: container/postgres
    inject: list
    revert: list
    check: Check
    target: str = ""  # the thing in a few words, as a person would point at it
    details: list = field(default_factory=list)  # the same exactly, for the preview, a line each
    holds: list = field(default_factory=list)  # what else this fault has alone: a second fault on it is refused
    longest_step: int = 0  # seconds that a step may take which goes on by itself when its client is ended; it is not begun with less time left
    settle: int = 5  # seconds that the thing may need to be whole again after the last step
    effect_within: int = 10  # seconds that the fault may need to show
    lasting: bool = True  # it stays broken until it is put back; one that something else is to repair does not
    areas: dict = field(default_factory=dict)  # what the fingerprint must show equal afterwards: area -> things
    containers_command: tuple = ("docker",)
    logs: list = field(default_factory=list)  # where the thing says what happened to it: {container: name} or {unit: name}


def run_fault(claim, plan, options, tools=(), **constraints):
    """
    The whole of a fault module: claim(params, look) names the thing, plan(params, look) says what to do with it.
    C(options) and C(constraints) are those of AnsibleModule; C(tools) are the programs that the plan calls, or a function of params that tells.
    """
    module = ansible_module(argument_spec=dict(FAULT_OPTIONS, **options), **constraints)
    run = FaultRun(module, claim, plan, tools)
    try:
        with lease.kept(module.params["run"], module.check_mode):
            result = run.present() if module.params["state"] == "present" else run.absent()
    except (Refused, LedgerError) as error:
        module.fail_json(msg=printable(str(error)), **run.so_far())
    except Exception as error:
        module.fail_json(msg="%s: %s. This is a defect of the module %s: please report it, with the output of -vvv"
                         % (type(error).__name__, error, run.kind), exception=traceback.format_exc(), **run.so_far())
    module.exit_json(**printable(result))


class FaultRun:
    def __init__(self, module, claim, plan, tools):
        self.module, self.params = module, module.params
        for name, option in module.argument_spec.items():
            if module.params[name] is None:  # given, but as nothing: {{ variable }} of a null
                module.params[name] = option.get("default")
        self.claim, self.plan, self.tools = claim, plan, tools
        self.kind = module._name.split(".")[-1]
        self.ledger = Ledger()
        self.look = Looks()
        self.record = None

    def so_far(self):
        return {"fault": public(self.record)} if self.record and self.record.get("folder") else {}  # without one it was never in place

    def refuse_what_is_no_text(self):
        problem = no_text(self.params)
        if problem:
            raise Refused(problem)

    def present(self):
        self.refuse_what_is_no_text()
        starts_at = self.validated_start()
        self.validate_duration()
        self.require_tools()
        self.refuse_halted()
        quiet = self.ledger.is_empty()
        claim = self.claim(self.params, self.look)
        if not self.module.check_mode:
            self.ledger.prepare()
            self.tend(claim)
        holder = self.current(claim)
        if holder:
            return self.already(holder)
        if not quiet:  # something was put back meanwhile, by us or by somebody else
            self.look.again()
        self.refuse_second_time(claim)
        plan = self.plan(self.params, self.look)
        self.refuse_conflict(plan)
        self.record = self.new_record(plan, starts_at)
        if self.module.check_mode:
            return self.result(True, plan, dict(public(self.record), state="planned"))
        self.inject(plan, starts_at)
        return self.result(True, plan, public(self.record))

    def absent(self):
        self.refuse_what_is_no_text()
        claim = self.claim(self.params, ask)
        record = self.ledger.find(claim)
        if not record:
            mine = self.ledger.history(claim=claim, run=self.params["run"])
            return {"changed": False, "fault": public(mine[-1]) if mine else {"claim": claim, "kind": self.kind, "state": "absent"}}
        self.record = record
        before = text(record)
        if not self.module.check_mode:
            problem = self.ledger.put_back(record, "state=absent")
            self.tend(claim)
            if problem:
                raise Refused("%s is not restored: %s. The way back stays in %s and is tried again" % (claim, problem, record["folder"]))
        return {"changed": True, "fault": public(record), "diff": {"before": before, "after": ""}}

    def tend(self, claim):
        """What the other faults on this host need; a timer that this one has lost is armed again, too, if it stays."""
        for words in self.ledger.tend(but=claim):
            self.module.warn(words)

    # Before anything is touched

    def refuse_halted(self):
        halted = self.ledger.halted()
        if halted:
            raise Refused(halted_words(halted))

    def validate_duration(self):
        duration = self.params["duration"]
        if not 0 <= self.params["lease"] <= MAXIMUM_DURATION:
            raise Refused("lease: %s is not between 1 and %s seconds; leave it out, or give 0, for a fault that lasts for its duration"
                          % (self.params["lease"], MAXIMUM_DURATION))
        if duration is None:
            raise Refused("duration: is required with state: present; a fault always ends, so give the seconds that it may last at the most")
        if not 0 < duration <= MAXIMUM_DURATION:
            raise Refused("duration: %s is not between 1 and %s seconds; a fault always ends, so give the time it may last at the most"
                          % (duration, MAXIMUM_DURATION))

    def validated_start(self):
        asked = self.params["starts_at"]
        if not asked:
            return None
        try:
            instant = clock.parse(asked)
        except ValueError:
            raise Refused("starts_at: %r is no instant; give ISO 8601 with an offset, for example 2030-01-31T12:00:00+00:00" % asked) from None
        ahead = (instant - clock.now()).total_seconds()
        if not -1 < ahead <= STARTS_WITHIN:
            raise Refused("starts_at: %s is %.0f s %s; give an instant within the next %s s, and check the clocks of controller and host"
                          % (asked, abs(ahead), "ago" if ahead < 0 else "ahead", STARTS_WITHIN))
        return instant

    def require_tools(self):
        tools = self.tools(self.params) if callable(self.tools) else self.tools
        missing = [name for name in tools if not find_tool(name)] + [name for name in WAY_BACK_TOOLS if not shutil.which(name, path=way_back.PATH)]
        if missing:
            raise Refused("%s not found on this host: %s needs %s. Install it, or choose another fault; nothing was touched"
                          % (", ".join(missing), self.kind, "them" if len(missing) > 1 else "it"))

    def current(self, claim):
        """The fault that has the claim now; one past its time is put back first."""
        holder = self.ledger.find(claim)
        if not holder or not self.ledger.is_overdue(holder):
            return holder
        if self.module.check_mode:
            return None
        problem = self.ledger.put_back(holder, "sweep")
        if problem:
            raise Refused("%s is still broken by an earlier fault (run %s) that could not be put back: %s. Look at %s"
                          % (claim, holder["run"], problem, holder["folder"]))
        return None

    def already(self, holder):
        if holder["run"] != self.params["run"] or holder["arguments"] != self.arguments() or holder["kind"] != self.kind:
            raise Refused(held_by(holder))
        self.record = holder
        if not holder.get("begin"):
            raise Refused("%s: an injection of this run began at %s and was never finished; end it with recover before you try again"
                          % (holder["claim"], holder["armed"]))
        return {"changed": False, "fault": public(holder)}

    def refuse_second_time(self, claim):
        run = self.params["run"]
        for ended in self.ledger.history(claim=claim, run=run) if run != MANUAL else ():
            if ended.get("ended_by") in UNASKED:
                raise Refused("%s: its time in this run ended at %s (by: %s); the same run never breaks it again behind your back. "
                              "Give a longer duration, or end it with state: absent before you inject it again"
                              % (claim, public(ended)["end"], ended["ended_by"]))

    def refuse_conflict(self, plan):
        for other in self.ledger.in_place():
            common = set(other.get("holds", [])) & set(plan.holds)
            if common and not (self.module.check_mode and self.ledger.is_overdue(other)):
                raise Refused("%s is held: %s" % (", ".join(sorted(common)), held_by(other)))

    def arguments(self):
        spec = self.module.argument_spec
        return {name: value for name, value in sorted(self.params.items())
                if value is not None and name not in ("state", "run", "lease") and not spec[name].get("no_log")}

    def new_record(self, plan, starts_at):
        now = clock.now()
        wait = max((starts_at - now).total_seconds(), 0) if starts_at else 0
        ends = clock.uptime() + int((wait + self.params["duration"]) * 100)
        kind = timer.kind()
        return {
            "id": new_id(), "kind": self.kind, "claim": plan.claim, "target": plan.target or plan.claim, "action": self.params.get("action"),
            "run": self.params["run"], "arguments": self.arguments(), "duration": self.params["duration"], "holds": plan.holds,
            "who": "uid %s" % os.geteuid(), "armed": clock.iso(now), "begin": None, "verified": False, "effect": None,
            "ends": clock.iso(clock.at_uptime(ends)), "ends_uptime": ends, "boot_id": clock.boot_id(), "timer": kind,
            "first_process": clock.first_process(), "after_reboot": reboot.kind(plan, kind),
            "lease": self.params["lease"], "leased_uptime": clock.uptime() + int((wait + self.params["lease"]) * 100),
            "inject": [way_back.quote(argv) for argv in plan.inject], "revert": [way_back.quote(argv) for argv in plan.revert],
            "check": way_back.quote(plan.check.argv), "areas": plan.areas, "containers_command": list(plan.containers_command),
            "logs": plan.logs, "lasting": plan.lasting,
        }

    # From here on the host is changed, and the way back comes first

    def inject(self, plan, starts_at):
        record = self.record
        record["before"] = fingerprint.take(plan.areas, plan.containers_command)
        try:
            record["folder"] = self.ledger.write(record, plan)
        except Held as held:
            raise Refused(held_by(held.holder)) from None
        except timer.NotArmed as error:
            raise Refused("the timer that ends the fault could not be armed (%s). Nothing was touched" % error) from None
        with_signals = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
        try:
            problem = self.injected(plan, starts_at)
        except Interrupted as error:
            problem = str(error)
        except Exception as error:
            problem = "%s: %s" % (type(error).__name__, error)
        finally:
            for number in with_signals:
                signal.signal(number, lambda *_ignored: None)  # not SIG_IGN, which what the way back starts would inherit
        if problem:
            self.undo(plan, problem)
        self.ledger.prune()
        for number, handler in with_signals.items():
            signal.signal(number, handler)

    def injected(self, plan, starts_at):
        held = []

        def wait(descriptor):
            """Until the instant, with the first step started and held, so that many hosts do not have to start it all at once."""
            if starts_at:
                held.append(start(plan.inject[0], held=True, pass_fds=(descriptor,)))
                time.sleep(max((starts_at - clock.now()).total_seconds(), 0))

        try:
            with self.ledger.lock(self.record["folder"], before=wait) as descriptor:
                return self.steps(plan, descriptor, held) or self.effect(plan, OTHERS_FIRST if starts_at and plan.lasting else 0)
        except FileNotFoundError:
            return "it was ended by someone else before it began"
        finally:
            for process in held:  # it was not let go
                process.communicate()

    def steps(self, plan, descriptor, held):
        for argv in plan.inject:
            left = (self.record["ends_uptime"] - clock.uptime()) / 100
            if left <= 0 or not self.ours():
                return "its time was over, or it was ended, before the injection was complete"
            if plan.longest_step and left < plan.longest_step + 1:
                return "only %.1f s of its time were left, and a step may take %s s: this host is slow, give a longer duration" % (left, plan.longest_step)
            halted = self.ledger.halted()  # looked at once more when the record is in place: whoever halts the host sees that, or we see them
            if halted:
                return halted_words(halted)
            answer = ask(argv, min(left, way_back.STEP_SECONDS), held.pop() if held else None, pass_fds=(descriptor,))
            if answer.code:
                return "%s: %s" % (way_back.quote(argv), answer.words)
        return None

    def effect(self, plan, pause=0):
        """
        A fault without a measured effect is none. Before it is measured, those that are hit at the same instant, perhaps on the same processors, come
        first: the measuring costs more than the injecting. What does not last is measured at once.
        """
        record, give_up, at = self.record, clock.uptime() + plan.effect_within * 100, clock.iso()
        time.sleep(pause)
        while True:
            seen = ask(plan.check.argv).out.strip()
            if way_back.matches(seen, plan.check.broken):
                break
            if clock.uptime() > min(give_up, record["ends_uptime"]):
                return "it was injected but shows no effect: %s says %r" % (record["check"], seen)
            time.sleep(0.02)
            at = clock.iso()
        record.update(begin=at, verified=True, effect=", ".join(seen.splitlines()))
        self.ledger.update(record)
        return None

    def ours(self):
        current = self.ledger.find(self.record["claim"])
        return current is not None and current["id"] == self.record["id"]

    def undo(self, plan, problem):
        left = self.ledger.put_back(self.record, "undo")
        if left:
            raise Refused("%s was not injected properly, and is not put back yet: %s. The injection: %s. The way back stays armed in %s"
                          % (plan.claim, left, problem, self.record["folder"]))
        raise Refused("%s was not injected: %s. What was done of it is undone" % (plan.claim, problem))

    def result(self, changed, plan, fault):
        lines = ["%s  (%s), for %s s" % (plan.claim, plan.target, self.params["duration"])] + ["  hits:     " + line for line in plan.details]
        lines += ["  inject:   " + line for line in fault["inject"]] + ["  way back: " + line for line in fault["revert"]]
        return {"changed": changed, "fault": fault, "diff": {"before": "", "after": "\n".join(lines) + "\n"}}


def refuse_options_of_others(params, options, of_action):
    """An option that says nothing of this action is a mistake, perhaps a forgotten action. C(of_action) has the action of each; unset is its default."""
    for name, action in of_action.items():
        if params[name] != options[name].get("default") and params["action"] != action:
            raise Refused("%s: is only for action: %s, and this is action: %s" % (name, action, params["action"]))


def kept(claim, name):
    """The path of a file that a fault keeps beside its record; it is there as long as the fault is."""
    return os.path.join(Ledger().folder(claim), name)


def interrupt(number, frame):
    raise Interrupted("the module was ended by signal %s" % number)


def halted_words(halted):
    return ("faults were halted on this host by %s at %s: %s. Release it with playbooks/halt.yml -e release=true, or the module halt (state: absent)"
            % (halted["who"], halted["since"], halted["reason"]))


def held_by(holder):
    return ("%s is held by %s of run %s until %s at the latest: one fault at a time. End it with recover (claim: %s), or wait"
            % (holder["claim"], holder["kind"], holder["run"], holder["ends"], holder["claim"]))


def text(record):
    return "%s  (%s), until %s\n" % (record["claim"], record["target"], record["ends"])


def public(record):
    """The fault as results and journals show it."""
    shown = ("id", "kind", "claim", "target", "action", "run", "duration", "armed", "begin", "ends", "verified", "effect", "timer", "lease",
             "after_reboot", "inject", "revert", "logs")
    fault = {name: record.get(name) for name in shown}
    ended = record.get("ended_uptime")
    fault["state"] = "present" if ended is None else "absent"
    fault["end"] = None
    if ended is not None:
        same_boot = record["ended_boot"] == clock.boot_id()
        fault["end"] = clock.iso(clock.at_uptime(ended)) if same_boot else record["ends"]
    fault["ended_by"] = record.get("ended_by")
    fault["lasted"] = None if ended is None else not (record.get("lasting") and record.get("over_before"))
    fault["way_back"] = "%s/revert" % record["folder"] if record.get("folder") and ended is None else None
    return printable(fault)
