"""A path points at one value of a JSON document, or says in words that it does not."""

from __future__ import annotations

import pytest
from ansible_collections.gameday.chaos.plugins.module_utils import json_path
from hypothesis import given, settings
from hypothesis import strategies as st

settings.register_profile("unit", deadline=None)  # a machine that is busy is no failure
settings.load_profile("unit")

names = st.text(st.characters(exclude_characters="'\"", exclude_categories=["Cs"]))
documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=20,
)


def places(document, path="$"):
    """Every value of a document with a path to it, in the notation that can write any name."""
    yield path, document
    if isinstance(document, dict):
        for name, value in document.items():
            yield from places(value, "%s['%s']" % (path, name))
    elif isinstance(document, list):
        for index, value in enumerate(document):
            yield from places(value, "%s[%s]" % (path, index))
            yield path + "[%s]" % (index - len(document)), value


@given(documents)
def test_every_value_of_every_document_can_be_pointed_at(document):
    for path, value in places(document):
        assert json_path.get(document, path) is value


@given(documents, st.text(st.sampled_from("$.[]'\"ab-01 "), max_size=8))
def test_any_text_is_a_path_to_a_value_or_refused_in_words(document, path):
    try:
        json_path.parse(path)
    except ValueError as error:
        assert "cannot be read from" in str(error)
        return
    try:
        json_path.get(document, path)
    except LookupError as error:
        assert str(error) == "there is no %s" % path


@pytest.mark.parametrize(("path", "steps"), [
    ("", []),
    ("$", []),
    ("status", ["status"]),
    ("$.status", ["status"]),
    ("a.b-c.d_e", ["a", "b-c", "d_e"]),
    ("items[0].name", ["items", 0, "name"]),
    ("[0][-1]", [0, -1]),
    ("$['odd key'][\"it's\"]", ["odd key", "it's"]),
    ("codes.200", ["codes", "200"]),
])
def test_a_path_is_read_step_by_step(path, steps):
    assert json_path.parse(path) == steps


@pytest.mark.parametrize("path", ["a..b", "a.", "a b", "a[", "a[x]", "a['b]", "a[1.5]", "$$", "[]", "a[0]b", "$a"])
def test_what_is_no_path_is_refused(path):
    with pytest.raises(ValueError, match="cannot be read from"):
        json_path.parse(path)


@pytest.mark.parametrize("path", ["other", "list[2]", "list[-3]", "list.0", "text[0]", "text.a", "number.a", "nothing.a", "map[0]"])
def test_where_there_is_nothing_that_is_said(path):
    document = {"list": [1, 2], "text": "abc", "number": 5, "nothing": None, "map": {"a": 1}}
    with pytest.raises(LookupError, match="there is no"):
        json_path.get(document, path)
