# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows an experiment in the terminal as a story, one line for a fact."""

from __future__ import annotations

DOCUMENTATION = r"""
name: story
type: stdout
short_description: Show a chaos experiment as a story
version_added: 0.1.0
author: Gameday (@gameday)
description:
  - Tells an experiment as it happens, one line for a fact, and ends with the verdict, the timings and the place of the journal.
    Where something is still broken, it ends with the command that puts it back.
  - Tasks that are no faults or probes are shown only when they fail. With C(-v) and more, Ansible's ordinary output is shown, too.
  - In check mode it names what would be hit on each host, and the exact commands there and back.
  - Needs no terminal. Set E(ANSIBLE_STDOUT_CALLBACK) to V(default) to have Ansible's ordinary output instead.
extends_documentation_fragment:
  - default_callback
  - result_format_callback
options:
  progress_interval:
    description:
      - Seconds of silence after which a line says what is under way. V(0) never says it.
      - AWX ends jobs that are silent for too long.
    type: float
    default: 10
    env:
      - name: GAMEDAY_PROGRESS_INTERVAL
    ini:
      - section: gameday
        key: progress_interval
"""

EXAMPLES = r"""
ansible.cfg: |
  [defaults]
  stdout_callback = gameday.chaos.story
"""

import atexit
import functools
import os
import sys
import threading

from ansible import constants as C
from ansible import context
from ansible.plugins.callback.default import CallbackModule as DefaultCallback
from ansible_collections.gameday.chaos.plugins.plugin_utils.journal_file import PATHS
from ansible_collections.gameday.chaos.plugins.plugin_utils.narrator import Narrator, short_path
from ansible_collections.gameday.chaos.plugins.plugin_utils.observer import Observer, find_shape

COLORS = {"ok": C.COLOR_OK, "bad": C.COLOR_ERROR, "warn": C.COLOR_WARN, "fault": C.COLOR_CHANGED, "dim": C.COLOR_SKIP,
          "head": C.COLOR_HIGHLIGHT, "plain": None}


def never_raises(method):
    """The story may fail, the play may not: from then on Ansible's ordinary output tells what happens."""

    @functools.wraps(method)
    def guarded(self, *args, **kwargs):
        try:
            return method(self, *args, **kwargs)
        except Exception as error:
            if not self.broken:
                self.broken = True
                problem = f"{type(error).__name__}: {error}"
                self._display.warning(f"The story cannot go on ({problem}); what follows is Ansible's ordinary output.")

    return guarded


class CallbackModule(DefaultCallback):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "gameday.chaos.story"

    def __init__(self):
        super().__init__()
        # Held to think, never to speak: others have locks around speaking, ansible-runner for one.
        self.lock = threading.RLock()
        self.observer = Observer(check=bool(context.CLIARGS.get("check")))
        self.narrator = Narrator(path_of=PATHS.get, recover_options=inventory_options())
        self.broken = False
        self.over = None  # set when the playbook has ended
        self.pid = os.getpid()
        # After SIGINT nothing but this is called any more. Not in the workers, which are forks of this process.
        atexit.register(self.interrupted)

    @property
    def ordinary(self):
        """Whether Ansible's own output is shown, too."""
        return self.broken or self._display.verbosity >= 1

    @never_raises
    def tell(self, event):
        if event:
            with self.lock:
                lines = self.narrator.feed(event)
            self.say(lines)

    def say(self, lines):
        for line in lines:
            self._display.display(line.text, color=COLORS[line.tone])
        if lines:
            # Ansible leaves this to the end; who reads through a pipe wants to know now. The lock keeps forks out.
            with self._display._lock:
                sys.stdout.flush()

    @never_raises
    def interrupted(self):
        if os.getpid() == self.pid and self.over is not None and not self.over.is_set():
            self.over.set()
            with self.lock:
                lines = self.narrator.interrupted()
            self.say(lines)

    def start_ticking(self):
        self.over = threading.Event()
        interval = self.get_option("progress_interval")
        if interval > 0:
            threading.Thread(target=self.tick, args=(interval, self.over), name="gameday-story", daemon=True).start()

    def tick(self, interval, over):
        while not over.wait(min(interval, 1)):
            self.say_progress(interval)

    @never_raises
    def say_progress(self, interval):
        with self.lock:
            lines = [] if self.broken else self.narrator.progress(interval)
        self.say(lines)

    def result(self, event_of, result, status, *more):
        """The event first: the ordinary output takes results apart."""
        self.tell(self.event(event_of, result, status, *more))
        if not self.ordinary:
            self._handle_warnings(result.result)

    @never_raises
    def event(self, event_of, *args):
        return event_of(*args)

    # What Ansible calls

    def v2_playbook_on_start(self, playbook):
        self.tell(self.event(self.observer.playbook, playbook))
        self.start_ticking()
        if self.ordinary:
            super().v2_playbook_on_start(playbook)

    def v2_playbook_on_play_start(self, play):
        self._play = play
        self.narrator.recover_options = inventory_options(play)
        self.tell(self.event(self.observer.play, play))
        if self.ordinary:
            super().v2_playbook_on_play_start(play)

    def v2_playbook_on_task_start(self, task, is_conditional):
        self.tell(self.event(self.observer.task, task))
        if self.ordinary:
            super().v2_playbook_on_task_start(task, is_conditional)

    def v2_playbook_on_handler_task_start(self, task):
        self.tell(self.event(self.observer.task, task))
        if self.ordinary:
            super().v2_playbook_on_handler_task_start(task)

    def v2_runner_on_start(self, host, task):
        self.tell(self.event(self.observer.started, host, task))
        if self.ordinary:
            super().v2_runner_on_start(host, task)

    def v2_runner_on_ok(self, result):
        self.result(self.observer.result, result, "ok")
        if self.ordinary:
            super().v2_runner_on_ok(result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self.result(self.observer.result, result, "failed", ignore_errors)
        if self.ordinary:
            super().v2_runner_on_failed(result, ignore_errors)

    def v2_runner_on_unreachable(self, result):
        self.result(self.observer.result, result, "unreachable")
        if self.ordinary:
            super().v2_runner_on_unreachable(result)

    def v2_runner_on_skipped(self, result):
        self.result(self.observer.result, result, "skipped")
        if self.ordinary:
            super().v2_runner_on_skipped(result)

    def v2_runner_item_on_ok(self, result):
        self.result(self.observer.item, result, "ok")
        if self.ordinary:
            super().v2_runner_item_on_ok(result)

    def v2_runner_item_on_failed(self, result):
        self.result(self.observer.item, result, "failed")
        if self.ordinary:
            super().v2_runner_item_on_failed(result)

    def v2_runner_item_on_skipped(self, result):
        self.result(self.observer.item, result, "skipped")
        if self.ordinary:
            super().v2_runner_item_on_skipped(result)

    def v2_on_file_diff(self, result):
        # The commands of a fault are told in its own words.
        if self.ordinary or (context.CLIARGS.get("diff") and find_shape(result.task.action, result.result)[0] is None):
            super().v2_on_file_diff(result)

    def v2_playbook_on_include(self, included_file):
        if self.ordinary:
            super().v2_playbook_on_include(included_file)

    def v2_runner_retry(self, result):
        if self.ordinary:
            super().v2_runner_retry(result)

    def v2_runner_on_async_poll(self, result):
        if self.ordinary:
            super().v2_runner_on_async_poll(result)

    def v2_runner_on_async_ok(self, result):
        if self.ordinary:
            super().v2_runner_on_async_ok(result)

    def v2_runner_on_async_failed(self, result):
        if self.ordinary:
            super().v2_runner_on_async_failed(result)

    def v2_playbook_on_notify(self, handler, host):
        if self.ordinary:
            super().v2_playbook_on_notify(handler, host)

    def v2_playbook_on_stats(self, stats):
        if self.over:
            self.over.set()
        self.tell(self.event(self.observer.stats, stats))
        if self.ordinary:
            super().v2_playbook_on_stats(stats)


def inventory_options(play=None):
    """What of this command line the command that puts things back needs, too."""
    given = list(context.CLIARGS.get("inventory") or ())
    options = [f"-i {short_path(source) if os.path.exists(source) else source}" for source in given if given != list(C.DEFAULT_HOST_LIST)]
    become = context.CLIARGS.get("become") or (play is not None and play.become is True)
    return "".join(option + " " for option in options + (["-b"] if become else []))
