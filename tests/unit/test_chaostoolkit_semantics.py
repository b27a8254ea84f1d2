# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Substitution and tolerances, asked of Chaos Toolkit's own functions and of ours: the same answers, or a reason why not."""

from __future__ import annotations

import copy
import json

import pytest
from ansible_collections.gameday.chaos.plugins.module_utils import chaostoolkit_jsonpath
from ansible_collections.gameday.chaos.plugins.module_utils.chaostoolkit_substitution import substitute
from ansible_collections.gameday.chaos.plugins.module_utils.chaostoolkit_tolerance import judge
from chaoslib import substitute as their_substitute
from chaoslib.hypothesis import within_tolerance
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonpath2.path import Path

CONFIGURATION = {
    "n": 3,
    "t": "text",
    "b": True,
    "none": None,
    "map": {"k": 1, "in": "${t}"},
    "list": [1, "${t}"],
    "float": 1.5,
    "again": "${t}",
    "_u": "u",
    "both": "configuration",
    "x1": "",
}
SECRETS = {"first": {"both": "secret", "token": "s3cret", "shared": 1}, "second": {"shared": 2, "deep": {"k": "v"}}}

FORMS = [
    "${n}",
    "${t}",
    "${b}",
    "${none}",
    "${map}",
    "${list}",
    "${float}",
    "${again}",
    "${_u}",
    "${x1}",
    "${both}",
    "${token}",
    "${shared}",
    "${deep}",
    "${undefined}",
    "${a-b}",
    "${map.k}",
    "${ n }",
    "${1a}",
    "${N}",
    "${first}",
    "${ü}",
    "$n",
    "$t",
    "$undefined",
    "$$",
    "$$n",
    "$${n}",
    "${n",
    "$",
    "${}",
    "x ${n}",
    "${n}${t}",
    "x ${map} y",
    "b=${b}",
    "${n}\n",
    "\n${n}",
    "$n$n",
    "a$b",
    "100%",
    "${n} ${undefined}",
    "",
]
names = st.sampled_from(["n", "t", "b", "none", "map", "undefined", "token", "a-b", "_u", "x1", "1a", "N"])
pieces = st.one_of(names.map(lambda name: "${%s}" % name), names.map(lambda name: "$%s" % name), st.text("$ {}abcnt_\n", max_size=4))
texts = st.lists(pieces, max_size=4).map("".join)
documents = st.recursive(
    st.one_of(texts, st.integers(-2, 2), st.booleans(), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=8,
)


@pytest.mark.parametrize("form", FORMS)
def test_a_name_means_what_it_means_there(form):
    assert substitute(form, CONFIGURATION, SECRETS) == their_substitute(form, CONFIGURATION, SECRETS)
    assert type(substitute(form, CONFIGURATION, SECRETS)) is type(their_substitute(form, CONFIGURATION, SECRETS))


@settings(max_examples=400, deadline=None)
@given(documents)
def test_so_it_does_anywhere_within_a_document(document):
    before = copy.deepcopy(document)
    assert substitute(document, CONFIGURATION, SECRETS) == their_substitute(document, CONFIGURATION, SECRETS)
    assert document == before


OUTPUTS = [
    True,
    False,
    None,
    0,
    1,
    2,
    3,
    200,
    2.0,
    2.5,
    "",
    "2",
    "2\n",
    "hello",
    "hello\nworld",
    [],
    [1, 2],
    ["a"],
    {},
    {"status": 200},
    {"status": 0},
    {"status": 503, "body": "down"},
    {"status": 200, "body": {"a": [{"n": 1}, {"n": 2}], "ok": True}},
    {"status": 200, "body": '{"a": [{"n": 5}]}'},
    {"status": 0, "stdout": "hello\n", "stderr": ""},
    {"a": [1, 2, 3], "x": {"p": {"k": 1}}},
    '{"a": [1, 2]}',
    "abc",
    "nan",
    True,
    10**20,
]
TOLERANCES = [
    True,
    False,
    0,
    1,
    2,
    200,
    "hello",
    "2",
    "${n}",
    "${t}",
    "${float}",
    "${b}",
    "${list}",
    "${undefined}",
    "${none}",
    [200, 503],
    [1, 3],
    [3, 1],
    [],
    [0],
    ["a", "z"],
    [2, 2, 2],
    ["hello"],
    [True, False],
    *(
        {"type": "regex", "pattern": pattern, **target}
        for pattern in ("hello", "^hello$", "[0-9]+", "${t}", "(?i)HELLO", "", ".*")
        for target in ({}, {"target": "stdout"}, {"target": "body"}, {"target": "missing"})
    ),
    *(
        {"type": "jsonpath", "path": path, **more}
        for path in ("$.a", "$.a[*]", "$.a[*].n", "$..n", "$.x.*[?(@.k)].k", "$.missing", "$.a[?(@.n > 1)]", "$")
        for more in (
            {},
            {"target": "body"},
            {"count": 2},
            {"count": 0},
            {"expect": [1, 2]},
            {"expect": 1},
            {"expect": []},
            {"expect": "${n}"},
            {"target": "body", "expect": [1, 2]},
            {"target": "body", "expect": [5], "count": 7},
        )
    ),
    *(
        {"type": "range", "range": bounds, **target}
        for bounds in ([1, 3], [2, 2], [3, 1], [0.1, 0.3], [-5, 500])
        for target in ({}, {"target": "status"}, {"target": "body"})
    ),
]
CRASHED = object()


def theirs(tolerance, value):
    tolerance = copy.deepcopy(tolerance)
    if isinstance(tolerance, str):
        tolerance = their_substitute(tolerance, CONFIGURATION, SECRETS)
    try:
        return bool(within_tolerance(tolerance, copy.deepcopy(value), configuration=CONFIGURATION, secrets=SECRETS))
    except Exception:
        return CRASHED


def ours(tolerance, value):
    return judge(copy.deepcopy(tolerance), copy.deepcopy(value), CONFIGURATION, SECRETS, None)[0]


@pytest.mark.parametrize("tolerance", TOLERANCES, ids=lambda tolerance: json.dumps(tolerance))
def test_a_tolerance_is_judged_as_it_is_there_and_never_crashes(tolerance):
    for value in OUTPUTS:
        expected, found = theirs(tolerance, value), ours(tolerance, value)
        if isinstance(substitute(tolerance, CONFIGURATION, SECRETS), float) or substitute(tolerance, CONFIGURATION, SECRETS) is None:
            assert (expected, found) == (False, None), value  # never met there; that is no judgement
        else:
            assert found is (None if expected is CRASHED else expected), value


outputs = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-3, 300), st.floats(), st.text("ab1.\n", max_size=4)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["status", "body", "a", "n"]), inner, max_size=3)),
    max_leaves=6,
)
maps = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["regex", "jsonpath", "range"]),
        "pattern": st.sampled_from(["a", "^b$", "[0-9]", "a.b"]),
        "path": st.sampled_from(["$.a", "$..n", "$.a[0]", "$.*", "$.a[*].n"]),
        "range": st.sampled_from([[0, 1], [1, 200], [0.5, 2.5]]),
    },
    optional={"target": st.sampled_from(["status", "body", "a"]), "count": st.integers(0, 2), "expect": outputs},
)
tolerances = st.one_of(
    st.booleans(), st.integers(-1, 201), st.text("ab", max_size=2), st.lists(st.one_of(st.integers(-1, 201), st.text("ab", max_size=1)), max_size=3), maps
)


@settings(max_examples=600, deadline=None)
@given(tolerances, outputs)
def test_whatever_the_tolerance_and_whatever_the_output(tolerance, value):
    expected = theirs(tolerance, value)
    assert ours(tolerance, value) is (None if expected is CRASHED else expected)


@settings(max_examples=300, deadline=None)
@given(st.one_of(outputs, maps), outputs)
def test_no_tolerance_however_odd_ends_in_a_crash(tolerance, value):
    met, reasons = judge(tolerance, value, {}, {}, None)
    assert met is True or reasons


DOCUMENT = {"a": [{"n": 1, "b": 1}, {"n": 2, "b": 2, "c": {"b": 9}}], "x": {"p": {"k": 1}, "q": {"z": 2}}, "s": "text", "e": [], "m": {"k v": 3}}


@pytest.mark.parametrize(
    "path",
    [
        "$",
        "$.a",
        "$.a[0]",
        "$.a[-1]",
        "$.a[5]",
        "$.a[0,1].n",
        "$.a[0:1]",
        "$.a[1:]",
        "$.a[::2]",
        "$.a[*].b",
        "$..b",
        "$.x.*",
        "$.x[*]",
        "$..*",
        "$..[0]",
        "$.s[0]",
        "$.x.*[?(@.k)].k",
        "$.x.*[?(not @.k)]",
        "$.a[?(@.n > 1)]",
        "$.a[*][?(@.n > 1)]",
        "$.a[*][?(@.n = 2)].b",
        "$.a[*][?(@.n >= 1 and @.b < 2)]",
        '$["a"]',
        "$.a[*][?(@.n = 1 or @.b = 2)]",
        '$.x.*[?(@.k != "a")]',
        "$.a[*].n[?(@ > 1)]",
        "$..[?(@.b)]",
        "$.x[?(@.p.k)]",
        "$.a.length",
        "$.*.*",
        "$.x..k",
        "$.a[ 0 ]",
    ],
)
def test_a_path_leads_where_it_leads_there(path):
    assert chaostoolkit_jsonpath.matches(path, DOCUMENT) == [match.current_value for match in Path.parse_str(path).match(DOCUMENT)]


@pytest.mark.parametrize(
    "path", ["a", "", "$.", "$..", "$...b", "$.1", "$.a[", "$.a[?(", "$.a[?(@.n in [1])]", "$.a[x]", "$.a[?(@.n > )]", 7, None, "$.a[::0]"]
)
def test_a_path_that_is_none_says_so(path):
    with pytest.raises(chaostoolkit_jsonpath.BadPath):
        chaostoolkit_jsonpath.parse(path)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$['a'][0]['n']", [1]),
        ("$.m['k v']", [3]),
        ("$.a[*][?(@.n == 2)].b", [2]),
        ("$.a[*][?(@.n >= 1 && @.b < 2)].n", [1]),
        ("$['x','s']", [{"p": {"k": 1}, "q": {"z": 2}}, "text"]),
    ],
)
def test_what_others_write_in_a_path_is_understood_too(path, found):
    assert chaostoolkit_jsonpath.matches(path, DOCUMENT) == found


def probe(kind):
    return {"type": "probe", "name": "judge", "provider": {"type": kind, "arguments": {}}}


@pytest.mark.parametrize(
    ("tolerance", "output", "met"),
    [
        (probe("python"), True, True),
        (probe("python"), 0, False),
        (probe("python"), {"status": 1}, True),
        # A map is always true there; here the program and the server are asked what they say.
        (probe("process"), {"status": 0}, True),
        (probe("process"), {"status": 1}, False),
        (probe("http"), {"status": 204}, True),
        (probe("http"), {"status": 500}, False),
        ({"type": "probe", "name": "no provider"}, True, None),
    ],
)
def test_a_probe_judges(tolerance, output, met):
    asked = []
    assert judge(tolerance, {"status": 7}, {}, {}, lambda one: (asked.append(one), output)[1])[0] is met
    assert met is None or asked[0]["provider"]["arguments"] == {"value": {"status": 7}} and tolerance["provider"]["arguments"] == {}
