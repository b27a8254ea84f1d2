# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
A probe measures once and says what it saw; its expectations say whether that was what is expected.

A kind of probe is a module_utils file named like its module, with OPTIONS (an argument spec), measure(arguments) -> what was seen,
judge(arguments, seen) -> the reasons why it is not what was expected, and optionally validate(arguments), CONSTRAINTS, NO_CHECK_MODE.
"""

from __future__ import annotations

import re
import time

from ansible_collections.gameday.chaos.plugins.module_utils import clock, lease
from ansible_collections.gameday.chaos.plugins.module_utils.arguments import ansible_module
from ansible_collections.gameday.chaos.plugins.module_utils.text import no_text, printable

EXCERPT = 500
LONGEST = 24 * 3600
COMMON_OPTIONS = {"measure_in_check_mode": {"type": "bool", "default": True}, "run": {"type": "str", "default": "manual"}}
NOT_IN_CHECK_MODE = "not measured in check mode, in which nothing is broken, and in which no program is run that might change something"


class BadArgument(Exception):
    """An option that cannot be used; the text names it and the cure."""


class NoData(Exception):
    """The thing could not be measured at all: neither met nor not met."""


def run_probe(kind):
    """The whole of a probe module: measure once, judge, and fail when it is not met."""
    module = ansible_module(argument_spec=dict(kind.OPTIONS, **COMMON_OPTIONS), **getattr(kind, "CONSTRAINTS", {}))
    arguments = {name: module.params[name] for name in kind.OPTIONS}
    module.no_log_values.update(secrets_in(arguments))
    try:
        checked = {**arguments, "run": module.params["run"]}
        validate(kind, checked)
    except BadArgument as error:
        module.fail_json(msg=str(error))
    arguments = {name: checked[name] for name in kind.OPTIONS}  # as they are understood
    if module.check_mode and (getattr(kind, "NO_CHECK_MODE", False) or not module.params["measure_in_check_mode"]):
        module.exit_json(changed=False, skipped=True, msg=NOT_IN_CHECK_MODE)
    with lease.kept(module.params["run"], module.check_mode):
        observation = observe(kind, arguments)
    if observation["met"] is not True:
        module.fail_json(msg="%s: %s" % (observation["kind"], "; ".join(observation["reasons"])), observation=observation)
    module.exit_json(changed=False, observation=observation)


def validate(kind, arguments):
    problem = no_text({name: value for name, value in arguments.items() if name != "body"})
    if problem:
        raise BadArgument(problem)
    if hasattr(kind, "validate"):
        kind.validate(arguments)


def kind_name(kind):
    return kind.__name__.rpartition(".")[2]


def observe(kind, arguments):
    """One measurement with its judgement. Whatever goes wrong in measuring is no data, never an exception."""
    at, start = clock.iso(), time.monotonic()
    seen, reasons, met = {"value": None}, [], None
    try:
        seen.update(kind.measure(arguments))
        seconds = seen.pop("seconds", None) or time.monotonic() - start
        reasons = kind.judge(arguments, seen) + too_slow(arguments, seconds)
        met = not reasons
    except NoData as error:
        seconds, reasons = time.monotonic() - start, ["no data: %s" % error]
    except Exception as error:
        seconds, reasons = time.monotonic() - start, ["no data: %s: %s" % (type(error).__name__, error)]
    observation = {"kind": kind_name(kind), "name": None, "at": at, "seconds": round(seconds, 6), "met": met, "reasons": reasons}
    observation.update(seen)
    return printable(observation)


def too_slow(arguments, seconds):
    limit = arguments.get("max_seconds")
    return ["took %.3f s, more than max_seconds %s" % (seconds, limit)] if limit is not None and seconds > limit else []


def expression(option, pattern):
    try:
        return re.compile(pattern, re.MULTILINE)
    except re.error as error:
        raise BadArgument("%s: %r is no regular expression: %s" % (option, pattern, error)) from None


def positive(arguments, *options):
    for option in options:
        value = arguments.get(option)
        if value is not None and not 0 < value <= LONGEST:
            raise BadArgument("%s: %s must be more than 0, and at most %s seconds" % (option, value, LONGEST))


def instant(option, text):
    """The instant that an option names; None for none."""
    try:
        return clock.parse(text) if text else None
    except ValueError:
        raise BadArgument("%s: %r is no instant; give ISO 8601 with an offset, for example 2030-01-31T12:00:00+00:00" % (option, text)) from None


def text_reasons(label, text, contains=None, pattern=None):
    """Reasons why a text is not the expected one."""
    reasons = ["%s does not contain %r" % (label, word) for word in contains or () if word not in text]
    if pattern and not re.search(pattern, text, re.MULTILINE):
        reasons.append("%s does not match %r" % (label, pattern))
    return reasons


def excerpt(text):
    return text if len(text) <= EXCERPT else text[:EXCERPT] + "…"


SECRET_HEADERS = re.compile(r"authorization|cookie|token|secret|password|api-?key", re.IGNORECASE)


def secrets_in(arguments):
    """Values that must never be shown, wherever in the arguments they are: credentials in headers and in URLs."""
    found = {str(value) for name, value in (arguments.get("headers") or {}).items() if SECRET_HEADERS.search(str(name))}
    found.update(re.findall(r"^(?:\w+:/*)?[^/?#:\s]*:([^/?#\s]+)@", str(arguments.get("url") or "")))
    found.update(str(arguments[name]) for name in ("url_password",) if arguments.get(name))
    return {value for value in found if value}
