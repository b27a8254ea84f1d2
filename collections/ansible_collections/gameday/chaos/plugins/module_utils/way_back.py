# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of the way back: one small sh script per fault, which needs neither Ansible, nor Python, nor this collection."""

from __future__ import annotations

import fnmatch
import json
import re
import shlex
import subprocess

from ansible_collections.gameday.chaos.plugins.module_utils import reboot
from ansible_collections.gameday.chaos.plugins.module_utils.verbs import VERB_NAMES, VERBS

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
STEP_SECONDS = 60
LONGEST_STOP = 50  # that a container may take to end when it is asked to: the engine goes on with a stop whose client was ended, behind the way back
LOCK_SECONDS = 15  # that a running injection is waited for, before the way back begins beside it

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
lease=@LEASE@
unit=@UNIT@
by=${1:-hand}
limit= tried= lasted= seen= whole= pulse=
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
    said=$("$@" 2>&1 </dev/null 7<&- 9<&-) || echo "step failed ($?): $*: $said" >&2
}

restored() {
@CHECK@
}

put_back() {
    lasted=
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
    # 0: ended, 1: still in place, 3: put back, but the record stays.
    { command exec 9<"$here/revert"; } 2>/dev/null || { ended_before; return 0; }
    alone=1
    command eval flock -w @LOCK_SECONDS@ 9 || alone=
    ours || { exec 9<&-; ended_before; return 0; }
    if [ -z "$whole" ]; then
        [ -n "$alone" ] || echo "the injection still holds the lock; going ahead without it" >&2
        put_back || { exec 9<&-; return 1; }
        if [ -z "$alone" ]; then  # a step that is still at work may break it once more, so it is not over before that is
            command eval flock -w @STEP_SECONDS@ 9 || echo "the lock was never given back" >&2
            put_back || { exec 9<&-; return 1; }
        fi
        whole=1
        uptime
        over=$now
    fi
    close_record
    set -- $?
    exec 9<&-
    return "$1"
}

close_record() {
    { true >"$here/reserve"; } 2>/dev/null
    [ -z "$unit" ] || rm -f @UNIT_FILES@
    read -r current </proc/sys/kernel/random/boot_id
    if ! { printf '%s %s %s %s\n' "$over" "$by" "$current" "$lasted" >"$here/ended" && mv "$here" "$ledger/ended/$id"; } 2>/dev/null; then
        echo "put back, but the record $here cannot be moved away: is the disk writable?" >&2
        return 3
    fi
    stop_timer
    [ -z "$unit" ] || forget_unit
    [ "$by" != hand ] || echo "put back: "@CLAIM@
}

forget_unit() {
    # Whoever made systemd read its files meanwhile has made it read this one, too, and it keeps it in mind until it is told.
    known=$($limit systemctl list-units --all --plain --no-legend "$unit" 2>/dev/null 9<&-)
    [ -z "$known" ] || $limit systemctl daemon-reload 9<&-
}

ended_before() {
    [ "$by" != hand ] || echo "nothing in place: this fault has ended"
}

stop_timer() {
@STOP_TIMER@
}

look_ahead() {
    uptime
    left=$((ends - now)) why=timer
    [ -n "$lease" ] || return 0
    until= whose=
    { read -r until whose _ <"$here/lease"; } 2>/dev/null
    case $until in ''|*[!0-9]*) whose= ;; esac
    if [ "$whose" != "$id" ]; then [ $left -lt 100 ] || left=100  # not there yet: look again soon
    elif [ $((until - now)) -lt $left ]; then left=$((until - now)) why=lease; fi
}

wait_until_due() {
    # Whoever started us as a watcher has given us a clock that goes on ticking, so that nothing need be forked from now on.
    trap '' HUP INT PIPE TTIN TTOU TSTP
    trap 'leave 143' TERM
    trap : ALRM
    if [ -n "${1:-}" ]; then
        pulse=1
        if [ "$1" != again ]; then
            look_at_self
            printf '%s %s\n' "$$" "$self" >"$1/watcher" || exit 4
        fi
    fi
    oom=
    { read -r oom <"/proc/$$/oom_score_adj" && echo -900 >"/proc/$$/oom_score_adj"; } 2>/dev/null
    { echo armed >&3; } 2>/dev/null
    exec 3>&-
    while look_ahead; [ $left -gt 0 ]; do doze $left; done
    { echo "$oom" >"/proc/$$/oom_score_adj"; } 2>/dev/null
    trap - HUP INT PIPE TTIN TTOU TSTP
}

doze() {
    # For some hundredths of a second, or a little less.
    if [ -n "$pulse" ]; then read -r _ <&7; return; fi
    part=$(($1 % 100 + 100))
    sleep "$(($1 / 100)).${part#1}"
}

leave() {
    trap - EXIT
    exit "$1"
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
rehearse)
    # Before anything is broken: with what this host has, would it be known to be whole?
    { command exec 9<"$0" && command eval flock -w 1 9; } || { echo "flock cannot wait for a lock: the one of util-linux can"; exit 3; }
    $limit true || { echo "timeout cannot kill what does not end: the one of coreutils can"; exit 3; }
    restored || { echo "$seen"; exit 1; }
    printf '%s\n' "$seen" ;;
timer|wait|boot)
    [ "${2:-$id}" = "$id" ] || exit 0  # armed for an earlier fault on the same claim
    case $by in
    wait)
        wait_until_due "${3:-}"
        by=$why
        # Where no process can be had at all some shells end. What takes their place needs none to be there.
        [ -z "$pulse" ] || trap 'exec /bin/sh "$here/revert" wait "$id" again' EXIT ;;
    boot) ! systemctl is-active --quiet "gameday-$id.timer" || exit 0 ;;  # of this boot, and guarded
    esac
    uptime
    # A way back that fails is tried again for an hour; after that the next contact with the host does it.
    pause=1 last=$((now + 360000))
    while :; do
        command eval one_attempt && leave 0
        uptime
        [ $now -lt $last ] || leave 1
        again=$((now + pause * 100))
        while [ $now -lt $again ]; do command eval 'doze $((again - now))'; uptime; done
        pause=$((pause < 60 ? pause * 2 : 60))
    done ;;
*)
    one_attempt
    code=$?
    [ $code != 1 ] || echo "still in place: "@CLAIM@": $seen" >&2
    exit $code ;;
esac
"""

STOP_WATCHER = r"""    read -r pid self 2>/dev/null <"$ledger/ended/$id/watcher" || return 0
    [ "$pid" != "$$" ] || return 0
    { read -r line <"/proc/$pid/stat"; } 2>/dev/null || return 0
    set -- ${line##*) }
    [ "${20}" != "$self" ] || kill -s TERM -- "-$pid" 2>/dev/null"""

STOP_SYSTEMD = r"""    [ "$by" = timer ] || systemctl stop "gameday-$id.timer" >/dev/null 2>&1
    [ -z "$lease" ] || [ "$by" = lease ] || systemctl stop "gameday-$id-lease.service" >/dev/null 2>&1"""


def quote(words):
    return " ".join(shlex.quote(str(word)) for word in words)


def pattern(text):
    """A sh case pattern in which only * is special."""
    return "*".join(shlex.quote(part) if part else "" for part in text.split("*")) or "''"


def matches(seen, patterns):
    """As the script sees it."""
    return any(fnmatch.fnmatchcase(seen, pattern.replace("[", "[[]").replace("?", "[?]")) for pattern in patterns)


def call(argv):
    return quote(argv) if argv[0] in VERB_NAMES else "$limit " + quote(argv)


def check_text(check):
    """restored(): success only when the question could be asked and its answer is one that belongs to a whole system."""
    if check.argv[0] in VERB_NAMES:
        ask = "    seen=\n    %s || return 1" % quote(check.argv)
    else:
        ask = "    seen=$({0} 2>/dev/null 9<&-) || {{ [ $? = 124 ] || seen=$({0} 2>&1 9<&-); return 1; }}".format(call(check.argv))
    guard = "" if not check.gone_after_reboot else "    same_boot || { seen='rebooted since'; return 0; }\n"
    for path in map(shlex.quote, check.absent):
        guard += "    [ ! -e %s ] && [ ! -L %s ] || { seen=%s' is there'; return 1; }\n" % (path, path, path)
    return "%s%s\n    case $seen in %s) return 0 ;; esac\n    return 1" % (guard, ask, "|".join(pattern(p) for p in check.whole + check.gone))


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
        "LEASE": str(record.get("lease") or ""),
        "UNIT": reboot.name(record) if record["after_reboot"] == "unit" else "",
        "UNIT_FILES": quote(reboot.paths(record)),
        "LOCK_SECONDS": str(LOCK_SECONDS),
        "STEP_SECONDS": str(STEP_SECONDS),
        "VERBS": VERBS if uses_verbs else "",
        "CHECK": check_text(plan.check),
        "REVERT": revert_text(plan.revert),
        "CLAIM": shlex.quote(json.dumps(record["claim"])),
        "STOP_TIMER": STOP_SYSTEMD if record["timer"] == "systemd" else STOP_WATCHER,
    }
    return re.sub("@([A-Z_]+)@", lambda name: values[name.group(1)], SCRIPT)


def begin(path, by):
    return subprocess.Popen(["/bin/sh", path, by], env={"PATH": PATH}, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, start_new_session=True)


def end(process, seconds):
    """(exit code, what it said)"""
    try:
        said = process.communicate(timeout=seconds)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        process.stdout.close()  # what it has started may hold on to it
        return 124, "the way back did not finish within %s s" % seconds
    return process.returncode, said.decode("utf-8", "replace").strip()


def run(path, by, seconds):
    """Run a way back now; returns (exit code, what it said)."""
    return end(begin(path, by), seconds)
