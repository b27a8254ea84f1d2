# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads an experiment of Chaos Toolkit, from a file or a URL, and remembers on which line each key stands."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

import yaml

LARGEST = 4 * 2**20  # bytes; the largest public experiment has some 20 KiB
DEEPEST = 60  # levels; a list that contains itself by a YAML anchor has no end
MOST = 200_000  # values, with every alias expanded
TOKEN_VARIABLE = "CHAOSTOOLKIT_LOADER_AUTH_BEARER_TOKEN"  # as Chaos Toolkit calls it
URL_TIMEOUT = 30
CONTENT_TYPES = (("application/json", "json"), ("application/x-yaml", "yaml"), ("application/yaml", "yaml"), ("text/yaml", "yaml"), ("text/plain", "either"))
SOURCES = "Give a file that ends in .yaml, .yml or .json, or an http(s) URL"
JSON_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}:,]|\n|[^\s\[\]{}:,"]+', re.DOTALL)


class FileProblem(Exception):
    """Why a source is no experiment; C(path) is that of the key, where one is known."""

    def __init__(self, message, path=(), line=None):
        super().__init__(message)
        self.message, self.path, self.line = message, tuple(path), line


@dataclass
class Document:
    """C(lines) has the line of every key and list item, by its path, such as ("method", 0, "provider", "url")."""
    source: str
    experiment: dict
    lines: dict = field(default_factory=dict)
    duplicates: list = field(default_factory=list)  # (path, line of the one that is not read)

    def line(self, path):
        """The line of a key, or of the nearest thing around it that is in the file."""
        return next((self.lines[path[:length]] for length in range(len(path), -1, -1) if path[:length] in self.lines), None)


def path_text(path):
    """("method", 0, "provider", "url") as method[0].provider.url"""
    text = ""
    for step in path:
        text += "[%d]" % step if isinstance(step, int) and not isinstance(step, bool) else ("." if text else "") + str(step)
    return text or "the file"


def load(source, token=None, verify_tls=True):
    source = os.fspath(source)
    if re.match(r"https?://", source, re.IGNORECASE):
        text, kind = fetch(source, token, verify_tls)
    else:
        text, kind = read(source)
    return parse(text, kind, source)


def parse(text, kind, source):
    """C(kind) is C(json), C(yaml), or C(either) where the server does not say."""
    if kind == "either":
        try:
            json.loads(text)
            kind = "json"
        except (ValueError, RecursionError):
            kind = "yaml"
    try:
        value, lines, duplicates = from_json(text) if kind == "json" else from_yaml(text)
    except RecursionError:
        raise FileProblem("is nested too deeply; an experiment has at most %d levels" % DEEPEST) from None
    if not isinstance(value, dict):
        what = "empty" if value is None else "a list" if isinstance(value, list) else "only the value %.60r" % (value,)
        raise FileProblem("is %s. An experiment is a map, with title, description and method" % what, (), 1)
    return Document(source, value, lines, duplicates)


def read(source):
    path = Path(source[len("file://"):] if source.startswith("file://") else source).expanduser()
    kind = {".yaml": "yaml", ".yml": "yaml", ".json": "json"}.get(path.suffix)
    if not kind:
        raise FileProblem("cannot be read: its name ends in %s. %s" % (path.suffix or "nothing that is known", SOURCES))
    try:
        with path.open("rb") as stream:
            content = stream.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        raise FileProblem("cannot be read: %s. %s" % (getattr(error, "strerror", None) or error, SOURCES)) from None
    return decode(content), kind


def fetch(url, token, verify_tls):
    import requests  # a file needs it not
    token = token or os.environ.get(TOKEN_VARIABLE)
    headers = {"Accept": "application/json, application/x-yaml"}
    if token:
        headers["Authorization"] = "bearer %s" % token.strip()
    try:
        with requests.get(url, headers=headers, verify=verify_tls, timeout=URL_TIMEOUT, stream=True) as response:
            if response.status_code != 200:
                raise FileProblem("the server answered %s; an experiment comes with 200%s" % (
                    response.status_code, ". Set %s if it needs a token" % TOKEN_VARIABLE if response.status_code in (401, 403) else ""))
            content_type = response.headers.get("Content-Type", "")
            kind = next((kind for name, kind in CONTENT_TYPES if name in content_type), None)
            if not kind:
                raise FileProblem("the server calls it %s; an experiment comes as application/json, application/x-yaml, text/yaml or text/plain"
                                  % (content_type or "nothing (there is no Content-Type)"))
            content = response.raw.read(LARGEST + 1, decode_content=True)
    except (requests.RequestException, OSError, ValueError) as error:
        raise FileProblem("cannot be fetched: %s" % without_credentials(str(error))) from None
    return decode(content), kind


def without_credentials(text):
    return re.sub(r"://[^/@\s]+@", "://***@", text)


def decode(content):
    if len(content) > LARGEST:
        raise FileProblem("is larger than %d MiB, which no experiment is" % (LARGEST // 2**20))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileProblem("is not UTF-8: byte %d cannot be read" % error.start, (), content[:error.start].count(b"\n") + 1) from None


def from_yaml(text):
    try:
        loader = yaml.SafeLoader(text)
    except yaml.YAMLError as error:
        raise FileProblem("is no YAML: %s" % " ".join(str(error).split())) from None
    lines, duplicates = {}, []
    try:
        root = loader.get_single_node()
        if root is None:
            return None, lines, duplicates
        locate_yaml(loader, root, lines, duplicates)
        return loader.construct_document(root), lines, duplicates
    except yaml.composer.ComposerError as error:
        if "single document" in str(error):
            raise FileProblem("has several documents (---); an experiment is one document", (), error.problem_mark.line + 1) from None
        raise FileProblem(*yaml_words(error)) from None
    except yaml.MarkedYAMLError as error:
        raise FileProblem(*yaml_words(error)) from None
    except (yaml.YAMLError, ValueError, OverflowError, TypeError, AttributeError, KeyError) as error:  # such as the date 2030-99-99
        raise FileProblem("has a value that YAML cannot read: %s" % " ".join(str(error).split())) from None
    finally:
        loader.dispose()


def yaml_words(error):
    mark = error.problem_mark or error.context_mark
    return "is no YAML: %s" % ", ".join(part for part in (error.context, error.problem) if part), (), mark.line + 1 if mark else None


def locate_yaml(loader, root, lines, duplicates):
    """The positions of all keys, before the values are made; merged keys (<<) keep the line on which they really are."""
    waiting, seen = [((), root)], 0
    lines[()] = root.start_mark.line + 1
    while waiting:
        path, node = waiting.pop()
        seen += 1
        if len(path) > DEEPEST:
            raise FileProblem("is nested too deeply; an experiment has at most %d levels" % DEEPEST, path[:3], node.start_mark.line + 1)
        if seen > MOST:
            raise FileProblem("has more than %d values, with its YAML aliases expanded" % MOST, path[:3], node.start_mark.line + 1)
        if isinstance(node, yaml.SequenceNode):
            inner = [(index, item, item.start_mark) for index, item in enumerate(node.value)]
        elif isinstance(node, yaml.MappingNode):
            note_duplicates(loader, path, node, duplicates)
            loader.flatten_mapping(node)
            inner = [(key_of(loader, key), value, key.start_mark) for key, value in node.value]
        else:
            continue
        for step, value, mark in inner:
            lines[(*path, step)] = mark.line + 1
            waiting.append(((*path, step), value))


def note_duplicates(loader, path, node, duplicates):
    known = {}
    for key, _value in node.value:
        if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
            name = key_of(loader, key)
            if name in known:
                duplicates.append(((*path, name), known[name]))
            known[name] = key.start_mark.line + 1


def key_of(loader, node):
    if not isinstance(node, yaml.ScalarNode):
        raise FileProblem("has a key that is no plain value", (), node.start_mark.line + 1)
    return loader.construct_object(node, deep=True)


def from_json(text):
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise FileProblem("is no JSON: %s" % error.msg, (), error.lineno) from None
    except ValueError as error:  # a number with thousands of digits
        raise FileProblem("has a value that cannot be read: %s" % error) from None
    lines, duplicates = {(): 1}, []
    locate_json(text, lines, duplicates)
    return value, lines, duplicates


def locate_json(text, lines, duplicates):
    """The positions in a text that is known to be JSON. Each level of C(stack) is [is it a list, the step it is at, its keys so far]."""
    line, stack, is_key = 1, [], False
    for found in JSON_TOKEN.finditer(text):
        token = found.group()
        if token == "\n":
            line += 1
            continue
        if token == "," and stack:
            is_key = not stack[-1][0]
            if stack[-1][0]:
                stack[-1][1] += 1
        elif token == ":":
            is_key = False
        elif token in "]}":
            stack.pop()
        elif is_key:
            name, (_list, _step, keys) = json.loads(token), stack[-1]
            path = (*(level[1] for level in stack[:-1]), name)
            if name in keys:
                duplicates.append((path, keys[name]))
            stack[-1][1], keys[name], lines[path] = name, line, line
        else:
            if stack and stack[-1][0]:
                lines[tuple(level[1] for level in stack)] = line
            if token in "[{":
                stack.append([token == "[", 0 if token == "[" else None, {}])
                is_key = token == "{"
                if len(stack) > DEEPEST:
                    raise FileProblem("is nested too deeply; an experiment has at most %d levels" % DEEPEST, (), line)
