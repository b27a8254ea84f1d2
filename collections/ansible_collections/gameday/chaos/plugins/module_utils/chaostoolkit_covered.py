# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs an activity of a foreign experiment, with our own way back armed before it where what it breaks is known."""

from __future__ import annotations

import os
import signal
import sys
import time

from ansible_collections.gameday.chaos.plugins.module_utils import chaostoolkit_cover as cover
from ansible_collections.gameday.chaos.plugins.module_utils import chaostoolkit_http, chaostoolkit_process, process, verbs, way_back
from ansible_collections.gameday.chaos.plugins.module_utils.chaostoolkit_activity import perform, refusal, run_provider
from ansible_collections.gameday.chaos.plugins.module_utils.chaostoolkit_process import Failed
from ansible_collections.gameday.chaos.plugins.module_utils.command import ask
from ansible_collections.gameday.chaos.plugins.module_utils.fault import FaultRun, Refused, halted_words, held_by, public
from ansible_collections.gameday.chaos.plugins.module_utils.ledger import Ledger, LedgerError

EFFECT_SECONDS = 10


class CoveredRun(FaultRun):
    """A fault whose injection is what the file says, done by C(begin)."""

    def __init__(self, module, name, begin):
        super().__init__(module, None, None, ())
        self.name, self.begin = name, begin

    def arguments(self):
        return {"activity": self.name}

    def run(self, plan, planned=False):
        self.validate_duration()
        self.require_tools()
        self.refuse_halted()
        if not planned:
            self.ledger.prepare()
            self.tend(plan.claim)
        holder = self.current(plan.claim)
        if holder and holder["run"] != self.params["run"]:
            raise Refused(held_by(holder))
        if holder:  # the same thing, broken further: the way back is armed, if it is the same one
            if (holder["revert"], holder["check"]) != ([way_back.quote(argv) for argv in plan.revert], way_back.quote(plan.check.argv)):
                raise Refused("%s is broken by this run already, and its way back is another one than this activity needs" % plan.claim)
            self.record = holder
            return None if planned else self.begin(None)
        self.refuse_conflict(plan)
        self.record = self.new_record(plan, None)
        if not planned:
            self.inject(plan, None)
        return None

    def steps(self, plan, descriptor, held):
        if not self.ours():
            return "it was ended by someone else before it began"
        return self.begin(descriptor)

    def effect(self, plan, pause=0):
        return None if self.record["verified"] else super().effect(plan, pause)


class Attempt:
    """One activity, and what came of it: entry, covered (true, false, or None where nothing known is broken), why not, and the fault."""

    def __init__(self, module, activity, section, configuration, secrets, limits):
        self.module, self.activity, self.section = module, activity, section
        self.configuration, self.secrets, self.limits = configuration, secrets, limits
        self.entry, self.covered, self.uncovered_because, self.fault = None, None, None, None
        self.process, self.load = None, None

    def recognised(self):
        provider = self.activity["provider"]
        if provider["type"] == "process":
            return cover.of_process(chaostoolkit_process.vector(provider, self.configuration, self.secrets, self.limits.directory), ask,
                                    self.activity.get("name"))
        if provider["type"] == "http":
            request = chaostoolkit_http.request_of(provider, self.configuration, self.secrets)
            return cover.of_request(request.get_method(), request.full_url, request.data, ask)
        return None

    def plan(self):
        """The plan that covers it, or None. Never says what may not be run at all."""
        try:
            found = self.recognised()
        except Refused as error:
            self.covered, self.uncovered_because = False, str(error)
            return None
        except Failed:
            return None  # it cannot be run, which it will say itself
        self.load = found.file if isinstance(found, cover.Load) else None
        plan = found.plan if isinstance(found, cover.Load) else found
        if plan:
            provider = self.activity["provider"]
            told = [provider.get("method", "GET"), provider["url"]] if provider["type"] == "http" else [provider["path"], *listed(provider.get("arguments"))]
            plan.inject = [told]  # as the file has it: what is written there by name may be a secret
        return plan

    def run(self, dry=""):
        self.entry = perform(self.activity, lambda: self.act(bool(dry)))
        if dry:
            self.entry["dry"] = dry
        return self

    def act(self, planned):
        try:
            plan = self.plan()
        except cover.Never as error:
            raise Failed("not run: %s" % error) from None
        if plan is None:
            return None if planned else self.uncovered()
        output = {}
        covered = CoveredRun(self.module, self.activity.get("name"), lambda descriptor: self.begin(plan, covered, output, descriptor))
        try:
            problem = covered.run(plan, planned)
            self.covered = True
            if problem:
                if self.process:
                    self.process.kill()
                raise Failed(problem, output.get("said"))
            if self.process:
                output["said"] = self.process.wait(chaostoolkit_process.seconds_of(self.activity["provider"], self.limits.seconds))
        except (Refused, LedgerError) as error:
            self.covered = True
            raise Failed(str(error), output.get("said")) from None
        finally:
            if covered.record and (planned or covered.record.get("folder")):
                self.fault = dict(public(covered.record), state="planned") if planned else public(covered.record)
        return output.get("said")

    def uncovered(self):
        halted = Ledger().halted() if self.activity["type"] == "action" and self.section == "method" else None
        if halted:
            raise Failed(halted_words(halted))
        return run_provider(self.activity, self.configuration, self.secrets, self.limits)

    def begin(self, plan, covered, output, descriptor):
        """Does it. Returns what is wrong with it, upon which it is undone."""
        fds = () if descriptor is None else (descriptor,)
        provider = self.activity["provider"]
        if self.load:
            return self.begin_load(plan, covered, fds)
        victims = [process.look_at(hold.split()[1]) for hold in plan.holds if hold.startswith("pid ")]
        try:
            if provider["type"] == "process":
                argv = chaostoolkit_process.vector(provider, self.configuration, self.secrets, self.limits.directory)
                seconds = chaostoolkit_process.seconds_of(provider, self.limits.seconds)
                output["said"] = chaostoolkit_process.Process(argv, self.limits.directory, fds).wait(seconds)
            else:
                output["said"] = run_provider(self.activity, self.configuration, self.secrets, self.limits)
        except Failed as error:
            output["said"] = error.output
            return str(error)
        why = refusal({"activity": self.activity, "output": output["said"], "status": "succeeded"}, self.section)
        return why or (still_alive(victims) if plan.check.whole == ["back"] else None)

    def begin_load(self, plan, covered, fds):
        """It is the fault as long as it runs, so its effect is measured meanwhile, and it is waited for without the lock that its way back needs."""
        provider = self.activity["provider"]
        if not fds and ask(plan.check.argv).out.startswith("running"):
            return "the load before it, of the same name, still runs"
        argv = chaostoolkit_process.vector(provider, self.configuration, self.secrets, self.limits.directory)
        self.process = chaostoolkit_process.Process([sys.executable, "-I", "-S", "-c", verbs.BECOME_LOAD, self.load, *argv], self.limits.directory, fds)
        return FaultRun.effect(covered, plan) if covered.record and not covered.record["verified"] else None


def listed(arguments):
    if isinstance(arguments, dict):
        return [word for pair in arguments.items() for word in pair]
    return arguments if isinstance(arguments, list) else [arguments] if arguments else []


def still_alive(victims):
    """
    A process that was killed may be back at once; what counts is that this one is gone. One that takes its time is ended: it would still go when it has
    been taken for put back.
    """
    give_up = time.monotonic() + EFFECT_SECONDS
    while time.monotonic() < give_up:
        left = living(victims)
        if not left:
            return None
        time.sleep(0.02)
    for one in left:
        os.kill(one.pid, signal.SIGKILL)
    while living(left) and time.monotonic() < give_up + 1:
        time.sleep(0.02)
    return "%s was still there after %s s, and was ended with KILL" % (left[0], EFFECT_SECONDS)


def living(victims):
    return [one for one in victims if one and getattr(process.look_at(one.pid), "start", None) == one.start]
