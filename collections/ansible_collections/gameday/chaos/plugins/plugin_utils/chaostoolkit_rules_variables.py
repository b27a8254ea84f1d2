# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables that nobody fills in, because they are not defined, oddly spelled, or stand where Chaos Toolkit does not look; and secrets in the file."""

from __future__ import annotations

import re

from ansible_collections.gameday.chaos.plugins.plugin_utils import chaostoolkit_words as words_of
from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_rules import activities, is_map, resembling
from ansible_collections.gameday.chaos.plugins.plugin_utils.masking import SECRET_KEY, SECRET_OPTION

BRACED = re.compile(r"(?<!\$)(?:\$\$)*\$\{([^}]*)\}")
NAME = re.compile(r"[_a-zA-Z][_a-zA-Z0-9]*", re.ASCII)
# Where an unknown variable stops the activity; elsewhere it is only left as it is.
STOPPING = ("url", "timeout", "before", "after")
NOT_FILLED = ("path", "method", "verify_tls", "max_retries", "module", "func", "name", "type")
CREDENTIALS_IN_URL = re.compile(r"https?://[^/@\s:]+:(?!\$)[^/@\s]+@", re.IGNORECASE)


def look(experiment, report):
    known, groups = names_of(experiment)
    scan(experiment.get("title"), ("title",), known, groups, report)
    for path, item, _place in activities(experiment):
        of_activity(path, item, known, groups, report)
    unread(experiment.get("description"), ("description",), report)
    secrets_in_file(experiment, report)


def names_of(experiment):
    configuration, secrets = experiment.get("configuration"), experiment.get("secrets")
    known = {name for name in configuration if isinstance(name, str)} if is_map(configuration) else set()
    groups = {name for name in secrets if isinstance(name, str)} if is_map(secrets) else set()
    for group in secrets.values() if is_map(secrets) else ():
        known |= {name for name in group if isinstance(name, str)} if is_map(group) else set()
    return known, groups


def of_activity(path, item, known, groups, report):
    tolerance = item.get("tolerance")
    for where, owner in ((path, item), ((*path, "tolerance"), tolerance if is_map(tolerance) else {})):
        provider = owner.get("provider")
        if is_map(provider):
            of_provider((*where, "provider"), provider, known, groups, report)
    pauses = item.get("pauses")
    for name, value in pauses.items() if is_map(pauses) else ():
        scan(value, (*path, "pauses", name), known, groups, report)
    of_tolerance((*path, "tolerance"), item.get("tolerance"), known, groups, report)
    unread(item.get("name"), (*path, "name"), report)


def of_provider(path, provider, known, groups, report):
    shell = words_of.shell_text(provider) if provider.get("type") == "process" else None
    for key, value in provider.items():
        at = (*path, key)
        if key in NOT_FILLED:
            unread(value, at, report)
        elif key == "timeout" and provider.get("type") == "process" and isinstance(value, str):
            report.add("not-substituted", at, "is not filled in by Chaos Toolkit, which aborts the run there; here it is", "Write a number")
        elif key == "arguments" and shell is not None:
            scan(value, at, known | {name for name in BRACED.findall(shell) if name not in groups}, groups, report)  # the shell has variables of its own
        else:
            scan(value, at, known, groups, report)


def of_tolerance(path, value, known, groups, report):
    if isinstance(value, str):
        scan(value, path, known, groups, report)
    elif is_map(value):
        for key in ("pattern", "path", "expect", "value"):
            scan(value.get(key), (*path, key), known, groups, report)
        for index, one in enumerate(value["tolerances"] if isinstance(value.get("tolerances"), list) else ()):
            of_tolerance((*path, "tolerances", index), one, known, groups, report)


def scan(value, path, known, groups, report):
    """All texts of a value, as deep as they are."""
    if is_map(value):
        for key, one in value.items():
            scan(one, (*path, key), known, groups, report)
    elif isinstance(value, list):
        for index, one in enumerate(value):
            scan(one, (*path, index), known, groups, report)
    elif isinstance(value, str):
        for name in BRACED.findall(value):
            of_name(name, path, known, groups, report)


def of_name(name, path, known, groups, report):
    if name in known:
        return
    if not NAME.fullmatch(name):
        report.add("odd-variable", path, "${%.40s} is no name of a variable, and stays as it is written" % name,
                   "A name has letters, digits and _; what is inside of a value cannot be asked for")
        return
    meant = resembling(name, sorted(known))
    fix = "It is a group of secrets; name one of its keys" if name in groups else "Did you mean ${%s}?" % meant if meant else "Add %s to configuration" % name
    level = "error" if any(step in STOPPING for step in path[-1:]) else "warning"
    report.add("undefined-variable", path, "${%s} is not defined in configuration or secrets, and stays as it is written" % name, fix, level)


def unread(value, path, report):
    if isinstance(value, str) and any(NAME.fullmatch(name) for name in BRACED.findall(value)):
        report.add("not-substituted", path, "has a variable where none is filled in", "Write the value itself")


def secrets_in_file(experiment, report):
    fix = "Take it from the environment: secrets: {GROUP: {NAME: {type: env, key: VARIABLE}}}"
    secrets, configuration = experiment.get("secrets"), experiment.get("configuration")
    for group, keys in secrets.items() if is_map(secrets) else ():
        for name, value in keys.items() if is_map(keys) else ():
            if isinstance(value, (str, int)) and value != "" and not is_map(value):
                report.add("inline-secret", ("secrets", group, name), "is a secret that stands in the file", fix)
    literal("configuration", configuration, (), report, fix)
    for path, item, _place in activities(experiment):
        provider = item.get("provider")
        if not is_map(provider):
            continue
        at = (*path, "provider")
        literal("headers", provider.get("headers"), at, report, fix)
        literal("arguments", provider.get("arguments"), at, report, fix)
        if isinstance(provider.get("url"), str) and CREDENTIALS_IN_URL.search(provider["url"]):
            report.add("inline-secret", (*at, "url"), "has a password in it", "Send a header Authorization, with a secret: ${name}")
        words = provider.get("arguments") if isinstance(provider.get("arguments"), list) else []
        for index, (option, value) in enumerate(zip(words, words[1:], strict=False), 1):
            if isinstance(option, str) and SECRET_OPTION.match(option) and isinstance(value, str) and "$" not in value and value[:1] != "-":
                report.add("inline-secret", (*at, "arguments", index), "is a secret that stands in the file", fix)


def literal(key, owner, path, report, fix):
    for name, value in owner.items() if is_map(owner) else ():
        if SECRET_KEY.search(str(name)) and isinstance(value, str) and value and "${" not in value:
            report.add("inline-secret", (*path, key, name), "looks like a secret that stands in the file", fix)
