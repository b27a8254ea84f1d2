from __future__ import annotations

import shutil

from plans.row import Row

SLEEP = shutil.which("sleep")


ROWS = [
    Row("a process freezes", "fault_process", {"pid_file": "{pid_file}"}, {},
        claim="process/pid_file={pid_file}",
        inject=["signal_processes STOP {pid} {start}"],
        revert=["signal_processes CONT {pid} {start}"],
        check="process_states {pid} {start}", broken=["stopped=1 *"], whole=["stopped=0 *"], holds=["pid {pid}"]),
    Row("a process that is known by its pid file is killed", "fault_process",
        {"pid_file": "{pid_file}", "action": "kill", "restart": [SLEEP, "500.61"], "restart_directory": "/tmp"}, {},
        claim="process/pid_file={pid_file}",
        inject=["signal_processes KILL {pid} {start}"],
        revert=["start_process {umask} /tmp %s 500.61" % SLEEP],
        check="process_in_pid_file {pid_file} sleep", broken=["missing"], whole=["back"], holds=["pid {pid}"]),
    Row("a process that listens is killed, and its supervisor starts it again", "fault_process",
        {"port": "{port}", "action": "kill", "signal": "int", "supervised": True}, {},
        claim="process/port={port}",
        inject=["signal_processes INT {pid} {start}", "gone_or_killed 10 {pid} {start}"],
        revert=[],
        check="listening_port {hexadecimal}", broken=["missing"], whole=["back"], holds=["pid {pid}"]),
    Row("a process that is known by its command is killed", "fault_process",
        {"pattern": r"^sleep 500\.61$", "user": "{user}", "action": "kill", "restart": [SLEEP, "500.61"]}, {},
        claim=r"process/pattern=^sleep 500\.61$,user={user}",
        inject=["signal_processes KILL {pid} {start}"],
        revert=["start_process {umask} / %s 500.61" % SLEEP],
        check="processes_like 1 {user} sleep sleep500.61 %s500.61" % SLEEP, broken=["missing"], whole=["back"], holds=["pid {pid}"]),
]

KILL = {"pid_file": "{pid_file}", "action": "kill"}
REFUSED = [
    ("signal that there is not", "fault_process", {**KILL, "signal": "BANG"}, {}, "signal: 'BANG' is no signal; give a name such as KILL"),
    ("name in Python that is no signal", "fault_process", {**KILL, "signal": "_DFL", "supervised": True}, {}, "signal: '_DFL' is no signal"),
    ("signal that freezes", "fault_process", {**KILL, "signal": "TSTP", "supervised": True}, {}, "signal: TSTP does not end it"),
    ("kill that was forgotten to say", "fault_process", {"port": "{port}", "signal": "TERM", "supervised": True}, {}, "signal: is only for action: kill"),
    ("restart of what freezes", "fault_process", {"pid_file": "{pid_file}", "restart": [SLEEP, "500.61"]}, {}, "restart: is only for action: kill"),
    ("pid file from where we happen to be", "fault_process", {"pid_file": "a.pid"}, {}, "pid_file: 'a.pid' is not absolute"),
    ("kill without a way back", "fault_process", KILL, {}, "restart: a killed process does not come back by itself"),
    ("restart that is not there", "fault_process", {**KILL, "restart": ["no-such-program"]}, {}, "restart: 'no-such-program' is no program"),
    ("restart of a folder that is not there", "fault_process", {**KILL, "restart": [SLEEP], "restart_directory": "/no/such"}, {},
     "restart_directory: /no/such is no folder"),
    ("restart in a folder from where we happen to be", "fault_process", {**KILL, "restart": [SLEEP], "restart_directory": "-"}, {},
     "restart_directory: '-' is not absolute"),
    ("restart that takes for ever", "fault_process", {**KILL, "restart": [SLEEP], "restart_within": 99999}, {}, "restart_within: 99999 is not between 1"),
    ("restart from where we happen to be", "fault_process", {**KILL, "restart": ["./sleep"]}, {}, "restart: './sleep'"),
    ("count exceeded", "fault_process", {"user": "{user}"}, {}, "processes match, and count is 1: narrow the choice, or raise count. They are: "),
    ("processes that are not alike", "fault_process", {"pattern": r"^sleep 500\.6[13]$", "count": 99, "action": "kill", "restart": [SLEEP]}, {},
     "are not alike"),
    ("init", "fault_process", {"pid_file": "{init}"}, {}, "is init"),
    ("Ansible itself", "fault_process", {"pid_file": "{myself}"}, {}, "is Ansible's own process or one that it runs in"),
]
