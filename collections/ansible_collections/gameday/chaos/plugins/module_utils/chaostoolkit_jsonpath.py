# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
JSONPath as Chaos Toolkit's tolerances have it: $.a.b, $['a'], $[0], $[-1], $[1:3], $[0,2], $.*, $..b, $.a[*][?(@.k)], $.a[*][?(@.n > 1 and @.k)].
A filter keeps or drops the value that it stands behind, as there; it does not look at the items of a list, for which it needs [*] before it.
"""

from __future__ import annotations

import json
import re

TOKEN = re.compile(r"""
    (?P<deep>\.\.) | \.(?P<name>[A-Za-z_][A-Za-z0-9_-]*) | (?P<any>\.\*|\[\*\])
    | \[(?P<filter>\?\()                                  # its end is looked for by hand, since it may hold brackets
    | \[(?P<places>[^\]'"?]+)\]
    | \[(?P<names>(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")(?:\s*,\s*(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"))*)\]
""", re.VERBOSE)
QUOTED = re.compile(r"""'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)\"""")
COMPARISON = re.compile(r"""^\s*(not\s+)?(@[^\s=<>!]*)\s*(?:(==|=|!=|<=|>=|<|>)\s*(.+?))?\s*$""")


class BadPath(ValueError):
    pass


def parse(path):
    """The steps of a path, each a function of one value to the values that it leads to; raises BadPath with words."""
    text = path.strip() if isinstance(path, str) else ""
    if not text.startswith("$"):
        raise BadPath("%r must begin with $" % (path,))
    return steps(text, 1, path)


def steps(text, place, path):
    found = []
    while place < len(text):
        token = TOKEN.match(text, place)
        if not token:
            raise BadPath("%r cannot be read from %r on" % (path, text[place:]))
        place = token.end()
        kind = token.lastgroup
        if kind == "filter":
            condition, place = until_closed(text, place, path)
            found.append(filtered(condition, path))
        elif kind == "deep":
            found.append(everything_below)
            if place < len(text) and text[place] not in ".[":
                text = text[:place] + "." + text[place:]  # $..name is .. and then .name
            elif place < len(text) and text[place] == ".":
                raise BadPath("%r cannot be read from %r on" % (path, text[place:]))
            elif place >= len(text):
                raise BadPath("%r ends with .." % path)
        else:
            found.append(selector(kind, token.group(kind), path))
    return found


def until_closed(text, place, path):
    depth, quote, start = 1, None, place
    while place < len(text):
        sign = text[place]
        if quote:
            quote = None if sign == quote else quote
        elif sign in "'\"":
            quote = sign
        else:
            depth += (sign == "(") - (sign == ")")
            if depth == 0:
                if text[place + 1:place + 2] != "]":
                    break
                return text[start:place], place + 2
        place += 1
    raise BadPath("%r has a filter that does not end" % path)


def selector(kind, text, path):
    if kind == "any":
        return children
    if kind == "name":
        return named([text])
    if kind == "names":
        return named([one.group(1) if one.group(1) is not None else one.group(2) for one in QUOTED.finditer(text)])
    parts = [part.strip() for part in text.split(",")]
    if all(re.fullmatch(r"-?[0-9]+", part) for part in parts):
        return placed([int(part) for part in parts])
    if len(parts) == 1 and re.fullmatch(r"(-?[0-9]+)?\s*:\s*(-?[0-9]+)?(\s*:\s*(-?[0-9]+)?)?", parts[0]):
        limits = [int(part) if part.strip() else None for part in parts[0].split(":")]
        if limits[2:] != [0]:
            return lambda value: value[slice(*limits)] if isinstance(value, list) else []
    raise BadPath("%r has no place, name or filter in [%s]" % (path, text))


def children(value):
    return list(value.values()) if isinstance(value, dict) else list(value) if isinstance(value, list) else []


def everything_below(value):
    found = [value]
    for one in children(value):
        found += everything_below(one)
    return found


def named(names):
    return lambda value: [value[name] for name in names if isinstance(value, dict) and name in value]


def placed(places):
    return lambda value: [value[place] for place in places if isinstance(value, list) and -len(value) <= place < len(value)]


def filtered(text, path):
    alternatives = [[comparison(part, path) for part in split(one, "and", "&&")] for one in split(text, "or", "||")]

    def step(value):
        return [value] if any(all(test(value) for test in tests) for tests in alternatives) else []

    return step


def split(text, word, sign):
    """At the word or sign, but not within quotes."""
    parts, quote, start, place = [], None, 0, 0
    while place < len(text):
        if quote:
            quote = None if text[place] == quote else quote
        elif text[place] in "'\"":
            quote = text[place]
        else:
            found = re.compile(r"\s+%s\s+|\s*%s\s*" % (word, re.escape(sign))).match(text, place)
            if found:
                parts.append(text[start:place])
                start = place = found.end()
                continue
        place += 1
    return [*parts, text[start:]]


def comparison(text, path):
    found = COMPARISON.match(text)
    if not found:
        raise BadPath("%r has a filter that is no comparison: %s" % (path, text))
    negated, left, sign, right = found.groups()
    inner = steps(left, 1, path)
    if sign is None:
        return lambda value: bool(walk(inner, value)) != bool(negated)
    try:
        wanted = json.loads(right) if not right.startswith("'") else right[1:-1]
    except ValueError:
        raise BadPath("%r compares with %s, which is no value" % (path, right)) from None
    return lambda value: any(compare(one, sign, wanted) for one in walk(inner, value)) != bool(negated)


def compare(one, sign, wanted):
    if sign in ("=", "=="):
        return one == wanted
    if sign == "!=":
        return one != wanted
    try:
        return {"<": one < wanted, "<=": one <= wanted, ">": one > wanted, ">=": one >= wanted}[sign]
    except TypeError:
        return False


def walk(path_steps, value):
    values = [value]
    for step in path_steps:
        values = [found for one in values for found in step(one)]
    return values


def matches(path, value):
    """All the values that the path leads to."""
    return walk(parse(path), value)
