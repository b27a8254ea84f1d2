# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of an experiment of Chaos Toolkit as values of a role: variables as Jinja, everything else so that Jinja leaves it alone, written as YAML."""

from __future__ import annotations

import json
import re
import textwrap

import yaml

VARIABLE = re.compile(r"\$(?:(\$)|([_a-z][_a-z0-9]*)|\{([_a-z][_a-z0-9]*)\})", re.IGNORECASE | re.ASCII)
JINJA = re.compile(r"\{\{|\{%|\{#")
WIDTH = 150


class Unconvertible(Exception):
    """Why something has no counterpart in a role; the text goes on after the path of the key."""


class Variables:
    """What each name of configuration and secrets is called in the role."""

    def __init__(self, names):
        self.names = names

    def value(self, value):
        if isinstance(value, dict):
            return {str(key): self.value(one) for key, one in value.items()}
        if isinstance(value, list):
            return [self.value(one) for one in value]
        return self.text(value) if isinstance(value, str) else value

    def text(self, text, filters=""):
        """A text in which Chaos Toolkit fills in variables. One that is the whole text keeps its type, there as here."""
        if not self.names:
            return literal(text)
        parts, end, filled = [], 0, False
        for found in VARIABLE.finditer(text):
            name = found[2] or found[3]
            if not found[1] and name not in self.names:
                continue
            parts.append(guarded(text[end:found.start()]))
            parts.append("$" if found[1] else "{{ %s%s }}" % (self.names[name], filters))
            filled, end = filled or not found[1], found.end()
        parts.append(guarded(text[end:]))
        if not filled:
            return literal(VARIABLE.sub(lambda found: "$" if found[1] else found[0], text))
        return "".join(parts)

    def uses(self, value):
        return any(found[2] in self.names or found[3] in self.names for found in VARIABLE.finditer(json.dumps(value, default=str)))


def literal(value):
    """A value that means itself."""
    if isinstance(value, str):
        return as_expression(value) if JINJA.search(value) else value
    if isinstance(value, dict):
        return {str(key): literal(one) for key, one in value.items()}
    return [literal(one) for one in value] if isinstance(value, list) else value


def guarded(text):
    """A part of a text beside a template, with which its braces must not join."""
    return as_expression(text) if re.search(r"[{}]", text) else text


def as_expression(text):
    return "{{ '%s' }}" % text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")


class Dumper(yaml.SafeDumper):
    def increase_indent(self, flow=False, indentless=False):
        return super().increase_indent(flow, False)

    def ignore_aliases(self, data):
        return True


def write_text(dumper, text):
    style = None
    if "\n" in text.strip() and not re.search(r"[ \t]\n|^\s|[^\x20-\x7e\n\xa0-\ufefe]", text):
        style = "|"
    elif text.startswith("{{") and '"' not in text and "\\" not in text:
        style = '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def write_list(dumper, values):
    short = all(not isinstance(one, (list, dict)) and "\n" not in str(one) and len(str(one)) < 40 for one in values) and sum(map(len, map(str, values))) < 90
    return dumper.represent_sequence("tag:yaml.org,2002:seq", values, flow_style=short)


Dumper.add_representer(str, write_text)
Dumper.add_representer(list, write_list)


def dump(value):
    return yaml.dump(value, Dumper=Dumper, sort_keys=False, width=WIDTH, allow_unicode=True, default_flow_style=False)


def comment(*sentences):
    """Lines of a comment."""
    return "".join("# %s\n" % line for sentence in sentences for line in textwrap.wrap(" ".join(sentence.split()), WIDTH - 2))


def quoted(value):
    """Something of the original as lines of a comment, as it is."""
    return "".join(("# %s" % line).rstrip() + "\n" for line in dump(value).splitlines())


def slug(text, longest=40):
    """Letters, digits and _, for the name of a variable."""
    return re.sub(r"[^a-z0-9]+", "_", str(text).lower()).strip("_")[:longest].strip("_")


def role_name(text):
    name = slug(text)
    return name if re.match(r"[a-z][a-z0-9_]", name) else "experiment_of_%s" % name if name else "converted"


def sentence(name):
    """The name of an activity as that of a task: some-slug becomes Some slug."""
    text = " ".join(str(name).split())
    if re.fullmatch(r"[\w-]+", text):
        text = re.sub(r"[-_]+", " ", text).strip() or text
    text = re.sub(r"[{}]", "", text).strip() or "Activity"
    return text[:1].upper() + text[1:]
