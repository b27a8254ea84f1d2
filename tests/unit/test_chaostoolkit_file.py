# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Experiments of Chaos Toolkit are read as it reads them, with the line of every key; what is none is told in words."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import yaml
from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_file import FileProblem, load, parse, path_text
from chaostoolkit_clean import CLEAN
from hypothesis import given, settings
from hypothesis import strategies as st

settings.register_profile("unit", deadline=None)  # a machine that is busy is no failure
settings.load_profile("unit")

NESTED = "a: &x\n  b: 1\nc:\n  <<: *x\n  d: [1,\n   2]\n"


def test_every_key_of_yaml_has_its_line_where_it_really_stands():
    document = parse(NESTED, "yaml", "test")
    assert document.experiment == {"a": {"b": 1}, "c": {"b": 1, "d": [1, 2]}}
    assert [document.lines[path] for path in [("a",), ("c", "b"), ("c", "d"), ("c", "d", 1)]] == [1, 2, 5, 6]
    assert document.line(("c", "d", 7, "nowhere")) == 5


def test_yaml_is_that_of_chaos_toolkit():
    assert parse("a: no\nb: 0o7\nc: 010\non: 1\nd: 1e5", "yaml", "test").experiment == {"a": False, "b": "0o7", "c": 8, True: 1, "d": "1e5"}


def test_json_is_json_and_no_yaml():
    document = parse('{"a":\t1e5,\n "b": ["x", {"c\\u0022":\n "y,[{"}], "n": NaN}', "json", "test")
    assert document.experiment["a"] == 100000.0 and document.experiment["b"][1] == {'c"': "y,[{"}
    assert [document.lines[path] for path in [("a",), ("b", 0), ("b", 1, 'c"'), ("n",)]] == [1, 2, 2, 3]


values = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=8),
                      lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4), max_leaves=20)


def places(value, path=()):
    yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(inner, (*path, key))


@settings(max_examples=40)
@given(st.dictionaries(st.text(max_size=8), values, max_size=5), st.booleans())
def test_whatever_json_is_read_every_place_in_it_has_a_line(value, ascii_only):
    text = json.dumps(value, indent=1, ensure_ascii=ascii_only)
    document = parse(text, "json", "test")
    assert document.experiment == value and set(document.lines) == set(places(value))
    lines = text.split("\n")
    for path in document.lines:
        if path and isinstance(path[-1], str):
            assert lines[document.lines[path] - 1].strip().startswith(json.dumps(path[-1], ensure_ascii=ascii_only)), (path, text)


@settings(max_examples=40)
@given(st.dictionaries(st.text(max_size=8), values, max_size=5))
def test_whatever_yaml_is_read_every_place_in_it_has_a_line(value):
    document = parse(yaml.safe_dump(value), "yaml", "test")
    assert document.experiment == value and set(document.lines) == set(places(value))


@pytest.mark.parametrize(("kind", "text"), [("yaml", "a: 1\nb:\n  c: 1\n  c: 2\n"), ("json", '{"a": 1,\n"b": {\n"c": 1,\n"c": 2}}')])
def test_a_key_that_is_there_twice_is_told_and_the_last_one_counts(kind, text):
    document = parse(text, kind, "test")
    assert document.experiment["b"] == {"c": 2} and document.duplicates == [(("b", "c"), 3)]


PROBLEMS = [
    ("yaml", "a: [", "no YAML"), ("yaml", "a: 1\n---\nb: 2", "several documents"), ("yaml", "", "empty"), ("yaml", "- 1", "a list"),
    ("yaml", "only", "only the value"),
    ("yaml", "a: &a [*a]", "nested too deeply"), ("yaml", "[" * 500, "nested too deeply"), ("json", "[" * 20000, "nested too deeply"),
    ("json", "[" * 100 + "]" * 100, "nested too deeply"), ("yaml", "a: *b", "undefined alias"), ("yaml", "{[1]: 2}", "no plain value"),
    ("yaml", "a: !!python/object/apply:os.system [id]", "could not determine a constructor"), ("yaml", "a: 2030-99-99", "cannot read"),
    ("yaml", "a: \x00", "no YAML"),
    ("json", '{"a" 1}', "no JSON"), ("json", '{"a": %s}' % ("1" * 5000), "cannot be read"), ("yaml", "a: 0x_", "cannot read"),
    ("yaml", "".join("%s: &%s [%s]\n" % (name, name, ", ".join(["*" + before if before else "x"] * 20)) for before, name in ["_a", "ab", "bc", "cd", "de"]
                     ).replace("*_", "x"), "more than 200000 values"),
]


@pytest.mark.parametrize(("kind", "text", "words"), PROBLEMS, ids=[words for _kind, _text, words in PROBLEMS])
def test_what_is_no_experiment_is_told_in_words(kind, text, words):
    with pytest.raises(FileProblem, match=words) as told:
        parse(text, kind, "test")
    assert "\n" not in told.value.message


def test_a_path_in_words():
    assert path_text(("method", 0, "provider", "url")) == "method[0].provider.url"
    assert path_text(()) == "the file"


def test_only_the_names_of_files_that_chaos_toolkit_takes_are_read(tmp_path):
    for name in "x.yaml", "x.yml", "x.json":
        (tmp_path / name).write_text("{}")
        assert load(tmp_path / name).experiment == {}
    for name, words in [("x.txt", "ends in .txt"), ("x", "ends in nothing"), ("y.yaml", "No such file"), ("\0.yaml", "cannot be read")]:
        with pytest.raises(FileProblem, match=words):
            load(str(tmp_path / name))
    (tmp_path / "z.yaml").write_bytes(b"a: 1\nb: \xff")
    with pytest.raises(FileProblem, match="not UTF-8") as told:
        load(tmp_path / "z.yaml")
    assert told.value.line == 2


@pytest.fixture
def served():
    """A server that answers each path with what is put there: (status, content type, body); `asked` has the headers of the requests."""
    class Answers(BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.asked.append(dict(self.headers))
            status, kind, body = self.server.answers[self.path]
            self.send_response(status)
            if kind:
                self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        server.asked, server.answers = [], {}
        server.url = "http://127.0.0.1:%d" % server.server_port
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.parametrize(("kind", "as_json"), [("application/json", True), ("application/x-yaml", False), ("text/yaml; charset=utf-8", False),
                                               ("text/plain", True), ("text/plain", False)])
def test_an_experiment_comes_from_a_url_by_its_content_type(served, kind, as_json):
    served.answers["/x"] = 200, kind, (json.dumps(CLEAN) if as_json else yaml.safe_dump(CLEAN)).encode()
    assert load(served.url + "/x", token="t0k").experiment == CLEAN
    assert served.asked[0]["Authorization"] == "bearer t0k"


def test_what_a_server_answers_instead_is_told(served, monkeypatch):
    served.answers = {"/no": (401, "text/plain", b"no"), "/html": (200, "text/html", b"<p>"), "/none": (200, None, b"a: 1")}
    for path, words in [("/no", "answered 401.*CHAOSTOOLKIT_LOADER_AUTH_BEARER_TOKEN"), ("/html", "calls it text/html"), ("/none", "no Content-Type")]:
        with pytest.raises(FileProblem, match=words):
            load(served.url + path)
    assert "Authorization" not in served.asked[0]
    monkeypatch.setenv("CHAOSTOOLKIT_LOADER_AUTH_BEARER_TOKEN", "from-the-environment")
    with pytest.raises(FileProblem):
        load(served.url + "/no")
    assert served.asked[-1]["Authorization"] == "bearer from-the-environment"
    with pytest.raises(FileProblem, match="cannot be fetched") as told:
        load("http://me:hunter2@127.0.0.1:1/x")
    assert "hunter2" not in told.value.message
