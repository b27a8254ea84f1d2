# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys that somebody reads, at each level of an experiment. Chaos Toolkit accepts all others, and does nothing with them."""

from __future__ import annotations

from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_rules import HYPOTHESIS, resembling

KNOWN = {
    "experiment": ("title", "description", "method", HYPOTHESIS, "rollbacks", "configuration", "secrets", "runtime", "controls", "tags", "contributions",
                   "extensions", "version", "dry"),
    "hypothesis": ("title", "probes", "controls"),
    "activity": ("type", "name", "provider", "tolerance", "background", "pauses", "timeout", "controls", "dry", "ref"),
    "http": ("type", "url", "method", "headers", "arguments", "timeout", "verify_tls", "max_retries"),
    "process": ("type", "path", "arguments", "timeout"),
    "python": ("type", "module", "func", "arguments", "secrets"),
    "pauses": ("before", "after"),
    "tolerance-regex": ("type", "pattern", "target"),
    "tolerance-jsonpath": ("type", "path", "target", "expect", "count"),
    "tolerance-range": ("type", "range", "target"),
    "tolerance-probe": ("type", "name", "provider", "tolerance", "pauses", "background", "timeout", "controls"),
    "tolerance-all": ("type", "tolerances"),
    "tolerance-compare": ("type", "target", "path", "measure", "operator", "value"),
    "runtime": ("hypothesis", "rollbacks"),
    "strategy": ("strategy",),
    "configuration-env": ("type", "key", "default", "env_var_type"),
    "secrets-env": ("type", "key"),
    "secrets-vault": ("type", "path", "key"),
    "control": ("name", "provider", "scope", "automatic", "ref"),
}
# Texts for people, wherever they stand.
HARMLESS = ("description", "comment", "comments", "note", "notes", "title", "tags", "documentation", "url")
# Keys that are seen where nobody reads them, with what to do instead.
HINTS = {
    "activity": {
        "retries": "Chaos Toolkit has no retries; give a recovery probe a longer pause, or convert the file: steady_state has within",
        "retry": "Chaos Toolkit has no retries; convert the file: steady_state has within",
        "repeat": "Write the activity several times", "loop": "Write the activity several times",
        "when": "Nothing is conditional in Chaos Toolkit; split the file",
        "until": "Convert the file: steady_state has within", "configuration": "Only the experiment has a configuration; move it there",
        "secrets": "Name the groups in the provider of a python activity", "arguments": "Move it into the provider", "url": "Move it into the provider",
        "module": "Move it into the provider", "func": "Move it into the provider", "path": "Move it into the provider",
    },
    "http": {
        "secrets": "Not needed: every secret can be written as ${name}", "auth": "Write a header Authorization with a secret: ${name}",
        "cert": "There is none; convert the file: probe_http has client_cert", "follow_redirects": "Redirects are always followed",
        "allow_redirects": "Redirects are always followed", "params": "Call it arguments", "query": "Call it arguments", "verify": "Call it verify_tls",
        "verify_ssl": "Call it verify_tls", "retries": "Call it max_retries, which counts for connections only",
    },
    "process": {
        "secrets": "Not needed: every secret can be written as ${name} in arguments", "cwd": "Write path: sh, arguments: [-c, 'cd DIRECTORY && ...']",
        "env": "Write path: env, arguments: [NAME=value, COMMAND]", "stdin": "Write path: sh, arguments: [-c, ...]",
        "shell": "arguments as a text are run by a shell", "user": "Write path: runuser, arguments: [-u, USER, --, COMMAND]",
        "encoding": "The output is read as UTF-8", "command": "Write path, and arguments as a list", "args": "Call it arguments",
    },
    "python": {"timeout": "A Python function has none; call it by a process provider", "function": "Call it func", "args": "Call it arguments"},
    "secrets-env": {"default": "A secret has no default; set the variable", "env_var_type": "A secret is a text; put it into configuration if it is no secret"},
    "strategy": {"frequency": "It cannot be set in the file", "fail_fast": "It cannot be set in the file", "fail-fast": "It cannot be set in the file"},
}


def check_keys(level, owner, path, report):
    known, hints = KNOWN[level], HINTS.get(level, {})
    for key in owner:
        if key in known:
            continue
        if not isinstance(key, str):
            report.add("unknown-key", (*path, key), "is no name; YAML reads yes, no, on and off as true and false", "Put it in quotes, or remove it")
        elif key in hints:
            report.add("ignored-key", (*path, key), "is not read", hints[key])
        elif key.startswith(("x-", "_")) or key in HARMLESS:
            continue
        else:
            meant = resembling(key, known)
            if meant:
                report.add("unknown-key", (*path, key), "is not known, and is not read", "Did you mean %s?%s" % (
                    meant, " That is there, too: put both together" if meant in owner else ""))
            else:
                report.add("ignored-key", (*path, key), "is not known, and is not read", "Remove it. Known are here: %s" % ", ".join(known))
