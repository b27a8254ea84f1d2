# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What no program offers: questions and acts that a plan uses like programs, as the first word of a vector."""

from __future__ import annotations

import sys

# A process is known by its pid and start time, which a reused pid cannot fake.
# They leave their answer in $seen and, but for start_process, need no new process, so that they work when none can be had.
VERBS = r"""
stat_of() {
    # What /proc tells of a process behind its name, which may be of several lines.
    line= stat=
    while read -r line || [ -n "$line" ]; do stat="$stat $line"; line=; done 2>/dev/null <"/proc/$1/stat" || return 1
    stat=${stat##*) }
    [ -n "$stat" ]
}

look_at() {
    state= start=
    stat_of "$1" || return 1
    set -- $stat
    state=${1:-} start=${20:-}
    case $state in ''|Z|X|x) return 1 ;; esac
}

stop_pending() {
    # A process that waits for a disk stops only when that answers.
    while read -r word line _; do
        case $word/$line in SigPnd:/*[4-7c-f]????|ShdPnd:/*[4-7c-f]????) return 0 ;; esac
    done 2>/dev/null <"/proc/$1/status"
    return 1
}

process_states() {
    stopped=0 running=0 gone=0
    while [ $# -gt 1 ]; do
        if ! look_at "$1" || [ "$start" != "$2" ]; then gone=$((gone + 1))
        elif [ "$state" = T ] || [ "$state" = t ] || stop_pending "$1"; then stopped=$((stopped + 1))
        else running=$((running + 1)); fi
        shift 2
    done
    seen="stopped=$stopped running=$running gone=$gone"
}

signal_processes() {
    signal=$1 failed=0
    shift
    while [ $# -gt 1 ]; do
        if look_at "$1" && [ "$start" = "$2" ]; then kill -s "$signal" "$1" || failed=1; fi
        shift 2
    done
    return $failed
}

gone_or_killed() {
    # One that is asked to end, and takes its time, would still end when it has been taken for put back: gone_or_killed SECONDS PID START...
    turns=$(($1 * 10))
    shift
    while process_states "$@"; [ "$gone" -lt $(($# / 2)) ]; do
        [ $turns -gt 0 ] || { signal_processes KILL "$@"; return; }
        turns=$((turns - 1))
        sleep 0.1
    done
}

processes_like() {
    wanted=$1 user=$2 name=$3 found=0
    shift 3
    set +f
    for folder in /proc/[0-9]*; do
        { IFS= read -r line <"$folder/comm"; } 2>/dev/null || continue
        [ "$line" = "$name" ] && look_at "${folder#/proc/}" || continue
        text= line=
        while IFS= read -r line || [ -n "$line" ]; do text="$text$line"; line=; done 2>/dev/null <"$folder/cmdline"
        known=
        for command; do [ "$text" != "$command" ] || known=1; done
        [ -n "$known" ] || continue
        while read -r word line _; do [ "$word" != Uid: ] || break; done 2>/dev/null <"$folder/status"
        [ "$line" = "$user" ] && found=$((found + 1))
    done
    set -f
    seen=missing
    [ $found -lt "$wanted" ] || seen=back
}

process_in_pid_file() {
    seen=missing pid=
    { read -r pid _ <"$1"; } 2>/dev/null
    case $pid in ''|*[!0-9]*) return 0 ;; esac
    { IFS= read -r line <"/proc/$pid/comm"; } 2>/dev/null || return 0
    if [ "$line" = "$2" ] && look_at "$pid"; then seen=back; fi
}

listening_port() {
    seen=missing
    for table in /proc/net/tcp /proc/net/tcp6; do
        while read -r _ address _ state _; do
            case $state/$address in 0A/*:"$1") seen=back ;; esac
        done 2>/dev/null <"$table"
    done
    return 0  # a host without IPv6 has only one of them
}

ask_local_server() {
    # What curl gets from a server on this host; "no server" where nothing listens, and so nothing keeps anything in its memory.
    seen=$($limit curl "$@" 2>/dev/null </dev/null 9<&-) && return 0
    [ $? = 7 ] || return 1
    seen='no server'
}

inside() {
    # A command in the namespaces of a process, as long as it is that process: inside PID START NSENTER-OPTION... -- COMMAND...
    if ! look_at "$1" || [ "$start" != "$2" ]; then seen=gone; return 0; fi
    target=$1
    shift 2
    seen=$($limit nsenter -t "$target" "$@" 2>&1 </dev/null 9<&-)
}

of_session() {
    # The living processes of the load in this file, in $members, the pages of memory and the hundredths of CPU time that they have.
    members= leader= began= boot_then= line= pages=0 ticks=0
    { read -r leader began boot_then <"$1" && read -r line </proc/sys/kernel/random/boot_id; } 2>/dev/null
    [ -n "$began" ] && [ "$boot_then" = "$line" ] || return 0  # a session of before a reboot has nobody in it
    if look_at "$leader" && [ "$start" != "$began" ]; then return 0; fi  # a pid is used again only when its session is empty
    set +f
    for folder in /proc/[0-9]*; do
        stat_of "${folder#/proc/}" || continue
        set -- $stat
        case $1 in Z|X|x) continue ;; esac
        [ "$4" = "$leader" ] || continue
        members="$members ${folder#/proc/}" ticks=$((ticks + ${12} + ${13})) pages=$((pages + ${22}))
    done
    set -f
}

answer_of() {
    # What a command says, in $seen; it may be one inside a container.
    if [ "$1" = inside ]; then "$@"; else seen=$($limit "$@" 2>&1 </dev/null 9<&-); fi
}

lines_with() {
    # Of what a command says only the lines with these words in them: lines_with WORDS COMMAND...
    words=$1
    shift
    answer_of "$@" || return 1
    text=$seen seen=
    set -f
    IFS='
'
    for line in $text; do
        case $line in *"$words"*) seen="$seen${seen:+
}$line" ;; esac
    done
    unset IFS
}

mounted_over() {
    # Is this file mounted over that one, as a process sees it: mounted_over PID START FILE PLACE. START is 0 for "self", which is everybody.
    seen=gone
    if [ "$1" != self ]; then look_at "$1" && [ "$start" = "$2" ] || return 0; fi
    while read -r _ _ _ line place _; do
        case "$place $line" in
        "$4 "*"$3"|"$4 "*"$3//deleted") seen=mounted ;;
        "$4 "*) [ $seen = gone ] || seen=hidden ;;
        esac
    done 2>/dev/null <"/proc/$1/mountinfo"
    [ $seen != gone ] || [ "$1" = self ] || [ ! -e "/proc/$1/root/dev$3" ] || seen=left
}

while_mounted() {
    # A command for as long as a file of ours is the uppermost there: while_mounted PID START FILE PLACE COMMAND...
    mounted_over "$1" "$2" "$3" "$4"
    shift 4
    [ "$seen" != mounted ] || answer_of "$@"
}

resolved() {
    # What a name means, as long as something of ours is there: resolved LOAD GETENT... -- VERB..., where LOAD and GETENT may be missing.
    load=$1 asked=0
    shift
    for word; do [ "$word" != -- ] || break; asked=$((asked + 1)); done
    but_first $((asked + 1)) "$@" || return 1
    if [ "$seen" = gone ]; then
        [ -z "$load" ] || load_state "$load"
        [ "$seen" != ended ] || seen=gone
    elif [ $asked -gt 0 ]; then
        place=$seen left=$(($# - asked))
        while [ $asked -gt 0 ]; do set -- "$@" "$1" && shift && asked=$((asked - 1)); done
        shift $left
        seen=$($limit "$@" 2>&1 </dev/null 9<&-) || seen="no answer"
        seen="$seen; $place"
    fi
}

but_first() {
    # Run what is left without so many words.
    shift $(($1 + 1))
    "$@"
}

nft_table() {
    # A table that the kernel empties when its time is over: nft_table NAME NFT..., which may be inside a container.
    table=$1
    shift
    answer_of "$@" list tables || return 1
    case "$seen " in *"table inet $table"[!0-9a-z_]*) ;; *) seen=gone; return 0 ;; esac
    answer_of "$@" list set inet "$table" alive || return 1
    case $seen in *expires*) ;; *) seen=expired; return 0 ;; esac
    seen=${seen##*elements = }
    seen="in force: ${seen%%\}*}}"
}

load_state() {
    # load_state FILE [MEBIBYTES HUNDREDTHS]: it runs when it has taken so much memory and CPU time; before that it begins.
    of_session "$1"
    seen=ended
    [ -n "$members" ] || return 0
    mebibytes=$((pages * ${PAGE:=$(getconf PAGESIZE)} / 1048576)) state=running
    [ $mebibytes -ge ${2:-0} ] && [ $ticks -ge ${3:-0} ] || state=begins
    set -- $members
    seen="$state: $# processes, $mebibytes MiB, $((ticks / 100)) s of CPU time"
}

nothing_left() {
    # What another verb says, but "ended" only when none of these files is there any more: nothing_left FILE... -- VERB...
    remains=
    while [ "$1" != -- ]; do [ ! -e "$1" ] || remains=$1; shift; done
    shift
    "$@" || return 1
    [ -z "$remains" ] || [ "$seen" != ended ] || seen="ended, but for $remains"
}

end_load() {
    # TERM to all, a second of patience, then KILL until none is left, since they may have started others meanwhile.
    of_session "$1"
    [ -z "$members" ] || kill -s TERM $members 2>/dev/null
    for turn in 1 2 3 4 5 6 7 8 9 10; do
        of_session "$1"
        [ -n "$members" ] || return 0
        [ $turn -lt 5 ] || kill -s KILL $members 2>/dev/null
        sleep 0.2
    done
}

content() {
    # The first line of each file, or "gone".
    seen=
    for file; do
        line=gone
        { read -r line <"$file"; } 2>/dev/null
        seen="${seen:+$seen, }$line"
    done
}

write() {
    printf '%s\n' "$2" >"$1"
}

exists() {
    seen=missing
    [ ! -e "$1" ] || seen=there
}

fill_inodes() {
    # COUNT empty files in FOLDER, a hundred at a time, so that it can be stopped and undone at any moment: fill_inodes FOLDER COUNT
    made=0
    while [ $made -lt "$2" ]; do
        batch=$(($2 - made < 100 ? $2 - made : 100))
        part="$1/$made"
        mkdir "$part" && made=$((made + 1)) || return 1
        number=1
        while [ $number -lt $batch ]; do
            true >"$part/$number" || return 1
            number=$((number + 1)) made=$((made + 1))
        done
    done
}

start_process() {
    # start_process UMASK FOLDER COMMAND... One that comes up as something else than what was killed would be started again and again.
    starts=$((${starts:-0} + 1))
    [ $starts -le $((3 * ${wanted:-1})) ] || return 0
    # Of several alike only those are started that are missing, as processes_like has counted them just now.
    if [ -n "${found:-}" ]; then
        [ "$found" -lt "$wanted" ] || return 0
        found=$((found + 1))
    fi
    # Not with "&" where it can be had otherwise: sh starts background commands with INT and QUIT ignored, and they would stay so.
    if setsid -f true 2>/dev/null; then (umask "$1" && cd "$2" && shift 2 && exec setsid -f "$@") </dev/null >/dev/null 2>&1 9<&-
    else (umask "$1" && cd "$2" && shift 2 && exec setsid "$@") </dev/null >/dev/null 2>&1 9<&- & fi
}
"""

# What a load does before it is one: it says in a file who it is, as of_session reads it, and only then becomes its command, so that there is never one that
# nobody knows. The lock is given up by becoming the command, and not before. Only for injecting, so it may need Python.
BECOME = r"""
import os, sys

def become(file, command):
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        try:
            os.set_inheritable(descriptor, descriptor < 3)
        except OSError:
            pass
    with open("/proc/self/stat", "rb") as stat, open("/proc/sys/kernel/random/boot_id") as boot, open(file + ".new", "w") as kept:
        start = stat.read().rpartition(b")")[2].split()[19].decode()
        kept.write("%s %s %s\n" % (os.getpid(), start, boot.read().strip()))
    os.rename(file + ".new", file)
    os.execvp(command[0], command)

"""
BECOME_LOAD = BECOME + "become(sys.argv[1], sys.argv[2:])"

# start_load FILE CGROUP... -- COMMAND...: a command that runs until it is ended, known by its session. It enters the cgroups first.
START_LOAD = BECOME + r"""
file, *rest = sys.argv[1:]
place = rest.index("--")
groups, command = rest[:place], rest[place + 1:]
ours, theirs = os.pipe()
if os.fork() == 0:
    try:
        os.setsid()
        os.chdir("/")
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        os.dup2(theirs, 3, inheritable=False)
        for group in groups:
            with open(group + "/cgroup.procs", "w") as members:
                members.write(str(os.getpid()))
        become(file, command)
    except OSError as error:
        os.write(3, ("%s: %s" % (error.filename or command[0], error.strerror)).encode())
    os._exit(127)
os.close(theirs)
said = os.read(ours, 4096)
sys.exit(said.decode() or 0)
"""

# Programs of ours, by the word that stands for them in a vector: first, or after "--". Only for injecting, so they may need Python.
PROGRAMS = {}

ASK = 'seen= limit=; "$@"; code=$?; printf %s "$seen"; exit $code'

VERB_NAMES = ("start_load",) + tuple(line.split("()")[0] for line in VERBS.splitlines() if line.endswith("() {"))


HOLD = "read -r go || exit 125; exec </dev/null; "
HELD = HOLD + 'exec "$@"'


def argv_to_run(argv, held=False):
    """
    The vector that does argv outside the way back: a verb needs the shell that knows it; its arguments stay arguments.
    C(held): one that is ready and waits for a line of input, so that what remains to be done then is done at once.
    """
    words = []
    for word in map(str, argv):
        ours = word in PROGRAMS and (not words or words[-1] == "--")
        words += [sys.executable, "-I", "-S", "-c", PROGRAMS[word]] if ours else [word]
    if words[0] == "start_load":
        words = [sys.executable, "-I", "-S", "-c", START_LOAD, *words[1:]]
    elif words[0] in VERB_NAMES:
        return ["/bin/sh", "-c", VERBS + HOLD + ASK if held else VERBS + ASK, "gameday", *words]
    return ["/bin/sh", "-c", HELD, "gameday", *words] if held else words
