# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of the way back: one small sh script per fault, which needs neither Ansible, nor Python, nor this collection."""

from __future__ import annotations

import json
import re
import shlex
import subprocess

from ansible_collections.gameday.chaos.plugins.module_utils.verbs import VERB_NAMES, VERBS

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
STEP_SECONDS = 60

SCRIPT = r"""#!/bin/sh
# The way back of @TITLE@
# Safe by hand, safe twice. Run it as it is to put things back now; with the word "state" it only tells.
# injected by run @RUN@; ends by itself at @UNTIL@
set -uf
PATH=@PATH@
export PATH
umask 077
ledger=@LEDGER@
here=@HERE@
id=@ID@
ends=@ENDS@
boot=@BOOT@
settle=@SETTLE@
by=${1:-hand}
limit= tried= lasted= seen=
command -v timeout >/dev/null && limit='timeout -k 5 @STEP_SECONDS@'
@VERBS@
uptime() {
    read -r now _ </proc/uptime
    now=$((${now%.*} * 100 + 1${now#*.} - 100))
}

same_boot() {
    read -r current </proc/sys/kernel/random/boot_id
    [ "$current" = "$boot" ]
}

ours() {
    # A record that cannot be read is no reason to leave something broken; one that names another fault is.
    [ -e "$here/revert" ] || return 1
    line=
    { read -r _ && read -r line; } 2>/dev/null <"$here/fault.json"
    case $line in '"id": "'*) [ "$line" = "\"id\": \"$id\"," ] ;; esac
}

step() {
    said=$("$@" 2>&1 </dev/null 9<&-) || echo "step failed ($?): $*: $said" >&2
}

restored() {
@CHECK@
}

put_back() {
    if restored; then
        [ -n "$tried" ] || lasted=over
        return 0
    fi
    tried=1
@REVERT@
    turns=0
    until restored; do
        [ $turns -lt $((settle * 4)) ] || return 1
        turns=$((turns + 1))
        sleep 0.25
    done
}

one_attempt() {
    { command exec 9<"$here/revert"; } 2>/dev/null || { ended_before; exit 0; }
    flock -w 15 9 || echo "the injection still holds the lock; going ahead without it" >&2
    ours || { ended_before; exit 0; }
    put_back || { exec 9<&-; return 1; }
    { true >"$here/reserve"; } 2>/dev/null
    uptime
    if ! { printf '%s %s %s\n' "$now" "$by" "$lasted" >"$here/ended" && mv "$here" "$ledger/ended/$id"; } 2>/dev/null; then
        echo "put back, but the record $here cannot be moved away: is the disk writable?" >&2
        exit 3
    fi
    stop_timer
    [ "$by" != hand ] || echo "put back: "@CLAIM@
    exit 0
}

ended_before() {
    [ "$by" != hand ] || echo "nothing in place: this fault has ended"
}

stop_timer() {
@STOP_TIMER@
}

wait_until_due() {
    look_at_self
    printf '%s %s\n' "$$" "$self" >"$1/watcher" || exit 4
    trap '' HUP INT PIPE TTIN TTOU TSTP
    { read -r oom <"/proc/$$/oom_score_adj" && echo -900 >"/proc/$$/oom_score_adj"; } 2>/dev/null
    armed=
    while uptime; left=$((ends - now)); [ $left -gt 0 ]; do
        part=$((left % 100 + 100))
        sleep "$((left / 100)).${part#1}" 3>&- &
        if [ -z "$armed" ]; then armed=1; echo armed >&3; exec 3>&-; fi
        wait $! || sleep 1
    done
    { echo "$oom" >"/proc/$$/oom_score_adj"; } 2>/dev/null
    trap - HUP INT PIPE TTIN TTOU TSTP
}

look_at_self() {
    read -r line <"/proc/$$/stat"
    set -- ${line##*) }
    self=${20}
}

case $by in
state)
    if ! ours; then echo "nothing in place: this fault has ended"; exit 1
    elif restored; then echo "back as before (the record is still here): $seen"; exit 1
    else echo "still in place: "@CLAIM@": $seen"; exit 0; fi ;;
timer|wait)
    if [ "$by" = wait ]; then wait_until_due "$2"
    elif [ "${2:-$id}" != "$id" ]; then exit 0; fi  # armed for an earlier fault on the same claim
    by=timer pause=1
    ours || exit 0
    # A way back that fails is tried again for an hour; after that the next contact with the host does it.
    while [ $pause -lt 60 ] || [ $((now - ends)) -lt 360000 ]; do
        one_attempt
        sleep $pause
        pause=$((pause < 60 ? pause * 2 : 60))
        uptime
    done
    exit 1 ;;
*)
    one_attempt
    echo "still in place: "@CLAIM@": $seen" >&2
    exit 1 ;;
esac
"""

STOP_WATCHER = r"""    read -r pid self 2>/dev/null <"$ledger/ended/$id/watcher" || return 0
    [ "$pid" != "$$" ] || return 0
    { read -r line <"/proc/$pid/stat"; } 2>/dev/null || return 0
    set -- ${line##*) }
    [ "${20}" != "$self" ] || kill -s TERM -- "-$pid" 2>/dev/null"""

STOP_SYSTEMD = r"""    [ "$by" = timer ] || systemctl stop "gameday-$id.timer" >/dev/null 2>&1"""


def quote(words):
    return " ".join(shlex.quote(str(word)) for word in words)


def pattern(text):
    """A sh case pattern in which only * is special."""
    return "*".join(shlex.quote(part) if part else "" for part in text.split("*")) or "''"


def call(argv):
    return quote(argv) if argv[0] in VERB_NAMES else "$limit " + quote(argv)


def check_text(check):
    """restored(): success only when the question could be asked and its answer is one that belongs to a whole system."""
    if check.argv[0] in VERB_NAMES:
        ask = "    seen=\n    %s || return 1" % quote(check.argv)
    else:
        ask = "    seen=$(%s 2>&1 9<&-) || return 1" % call(check.argv)
    guard = "" if not check.gone_after_reboot else "    same_boot || { seen='rebooted since'; return 0; }\n"
    return "%s%s\n    case $seen in %s) return 0 ;; esac\n    return 1" % (guard, ask, "|".join(pattern(p) for p in check.whole))


def revert_text(steps):
    """Every step runs, whatever became of the one before: the check says whether it was enough."""
    def line(argv):
        if argv[0] not in VERB_NAMES:
            return "    step " + call(argv)
        return "    %s%s" % (call(argv), ' || echo "step failed: $seen" >&2' if argv[0] in ("inside", "while_mounted") else "")

    return "\n".join(map(line, steps)) or "    :"


def script(record, plan, ledger, here):
    """The way back of a fault as text. Free text (names, paths) enters quoted, and in comments as JSON, which has no line breaks."""
    uses_verbs = any(argv[0] in VERB_NAMES for argv in list(plan.revert) + [plan.check.argv])
    values = {
        "TITLE": json.dumps("%s on %s" % (record["kind"], record["claim"])),
        "RUN": json.dumps(record["run"]),
        "UNTIL": record["ends"],
        "PATH": shlex.quote(PATH),
        "LEDGER": shlex.quote(ledger),
        "HERE": shlex.quote(here),
        "ID": shlex.quote(record["id"]),
        "ENDS": str(record["ends_uptime"]),
        "BOOT": shlex.quote(record["boot_id"]),
        "SETTLE": str(plan.settle),
        "STEP_SECONDS": str(STEP_SECONDS),
        "VERBS": VERBS if uses_verbs else "",
        "CHECK": check_text(plan.check),
        "REVERT": revert_text(plan.revert),
        "CLAIM": shlex.quote(json.dumps(record["claim"])),
        "STOP_TIMER": STOP_SYSTEMD if record["timer"] == "systemd" else STOP_WATCHER,
    }
    return re.sub("@([A-Z_]+)@", lambda name: values[name.group(1)], SCRIPT)


def run(path, by, seconds):
    """Run a way back now; returns (exit code, what it said)."""
    environment = {"PATH": PATH}
    try:
        done = subprocess.run(["/bin/sh", path, by], env=environment, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=seconds, start_new_session=True, check=False)
    except subprocess.TimeoutExpired:
        return 124, "the way back did not finish within %s s" % seconds
    return done.returncode, done.stdout.decode("utf-8", "replace").strip()
