# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configuration and secrets, asked of Chaos Toolkit's own functions and of ours; and that no secret is shown."""

from __future__ import annotations

import copy
import itertools

import pytest
from ansible_collections.gameday.chaos.plugins.plugin_utils import chaostoolkit_configuration as values
from chaoslib.configuration import load_configuration
from chaoslib.exceptions import InvalidExperiment
from chaoslib.secret import load_secrets

DECLARED = [
    {"a": "text"},
    {"a": 3},
    {"a": {"any": ["map"]}},
    {"a": {"type": "other", "key": "K"}},
    {"a": None},
    {},
    *(
        {"a": {"type": "env", "key": "K", **more}}
        for more in (
            {},
            {"default": "7"},
            {"default": None},
            {"default": 3},
            *(
                {"env_var_type": kind, **default}
                for kind in ("str", "string", "int", "integer", "float", "number", "bool", "json", "nonsense")
                for default in ({}, {"default": "1"}, {"default": None})
            ),
        )
    ),
]


@pytest.mark.parametrize(
    ("declared", "environment", "given"),
    list(
        itertools.product(DECLARED, [{}, {"K": "5"}, {"K": "no"}, {"K": "FALSE"}, {"K": ""}, {"K": '{"x": [1]}'}, {"K": "1.5"}], [{}, {"a": "given"}, {"b": 1}])
    ),
)
def test_the_configuration_is_that_which_it_is_there(declared, environment, given, monkeypatch):
    monkeypatch.delenv("K", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    try:
        expected = load_configuration(copy.deepcopy(declared), copy.deepcopy(given))
    except (InvalidExperiment, ValueError, TypeError, AttributeError):
        with pytest.raises(values.Problem, match=r"^configuration\.a: "):
            values.configuration(declared, given, environment)
    else:
        assert values.configuration(declared, given, environment) == expected


@pytest.mark.parametrize(
    "declared",
    [
        {"g": {"k": "v"}},
        {"g": {"k": {"type": "env", "key": "K"}}, "h": {"k": {"deep": {"type": "env", "key": "K"}}}},
        {"g": {}},
        {"g": {"k": {"type": "env", "key": "ABSENT"}}},
        {},
    ],
)
def test_secrets_are_those_that_they_are_there(declared, monkeypatch):
    monkeypatch.setenv("K", "from the environment")
    monkeypatch.delenv("ABSENT", raising=False)
    try:
        expected = load_secrets(declared, {})
    except InvalidExperiment:
        with pytest.raises(values.Problem, match=r"^secrets\.g\.k: the environment variable ABSENT is not set"):
            values.secrets(declared, {}, {"K": "from the environment"})
    else:
        assert values.secrets(declared, {}, {"K": "from the environment"}) == expected


def test_what_is_in_vault_is_given_or_the_error_says_how():
    declared = {"shop": {"key": {"type": "vault", "path": "shop/api", "key": "password"}, "other": "x"}}
    with pytest.raises(values.Problem, match=r"secrets\.shop\.key: is in Vault, at shop/api.*chaostoolkit_secrets.*lookup"):
        values.secrets(declared, {}, {})
    assert values.secrets(declared, {"shop": {"key": "given"}}, {}) == {"shop": {"key": "given", "other": "x"}}


def test_no_secret_is_left_in_what_is_shown():
    hidden = values.texts({"g": {"long": "s3cretvalue", "short": "7", "number": 12345, "deep": {"k": ["listed-one"]}, "nothing": None, "truth": True}})
    shown = values.redacted({"s3cretvalue": ["Bearer s3cretvalue", 12345, "7", "17", "a listed-one"], "n": 7, "b": True, "none": None}, hidden)
    assert shown == {"***": ["Bearer ***", "***", "***", "17", "a ***"], "n": "***", "b": True, "none": None}
    experiment = {"secrets": {"g": {"k": "inline", "e": {"type": "env", "key": "K"}, "deep": {"x": 1}}, "flat": "y"}, "title": "t"}
    assert values.without_inline(experiment)["secrets"] == {"g": {"k": "***", "e": {"type": "env", "key": "K"}, "deep": {"x": "***"}}, "flat": "***"}
    assert values.inline(experiment["secrets"]) == ["secrets.g.k", "secrets.g.deep.x", "secrets.flat"]
