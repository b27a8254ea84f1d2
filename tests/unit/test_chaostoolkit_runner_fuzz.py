# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the runner makes of malformed experiments: words with the path of the key, never another exception, and nothing is executed before all is well."""

from __future__ import annotations

import json
import pathlib
import re

import yaml
from ansible_collections.gameday.chaos.plugins.module_utils import chaostoolkit_http, chaostoolkit_process
from ansible_collections.gameday.chaos.plugins.module_utils.chaostoolkit_activity import finding, pauses, perform, plain
from ansible_collections.gameday.chaos.plugins.module_utils.chaostoolkit_process import Failed
from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_configuration import Problem
from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_file import parse
from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_prepare import prepare
from chaostoolkit_clean import CLEAN
from chaostoolkit_spoiling import noise, spoilings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from unit.test_chaostoolkit_fuzz import nothing_executed

CORPUS = pathlib.Path(__file__).parents[1] / "chaostoolkit"
SEEDS = [CLEAN, *(yaml.safe_load(path.read_text()) for path in sorted(CORPUS.glob("*.yaml")))]
slowly = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
OPTIONS = {
    "compat": False,
    "duration": 600,
    "dry": "",
    "hypothesis_strategy": "",
    "rollback_strategy": "",
    "ignore_controls": False,
    "configuration": {},
    "secrets": {},
}
anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-2, 10**6), st.floats(), st.text("a${}:/ \0é", max_size=6)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text("abtype", max_size=5), inner, max_size=3)),
    max_leaves=6,
)


@slowly
@given(
    st.one_of(*(spoilings(seed, 4) for seed in SEEDS), noise),
    st.booleans(),
    st.booleans(),
    st.dictionaries(st.sampled_from(["configuration", "secrets", "a"]), anything),
)
def test_it_is_refused_in_words_or_it_can_be_run(experiment, compat, check_mode, extra):
    document = parse(yaml.safe_dump(experiment, sort_keys=False, allow_unicode=True), "yaml", "fuzz.yaml")
    with nothing_executed():
        try:
            found = prepare(document, {**OPTIONS, "compat": compat}, extra, {}, check_mode)
        except Problem as problem:
            assert re.match(r"(configuration|secrets|runtime|controls|method|rollbacks|steady-state-hypothesis|chaostoolkit_)\S*: ", str(problem)), problem
            return
    if found["problem"]:
        assert re.match(r"fuzz\.yaml(:[0-9]+)?: error: ", found["problem"])
        return
    json.dumps(plain(found["document"]))
    for item in [*found["method"], *found["rollbacks"], *({"activity": probe} for probe in found["hypothesis"])]:
        assert item["activity"]["provider"]["type"] in ("http", "process", "python") and item["activity"]["type"] in ("probe", "action")


@slowly
@given(
    st.fixed_dictionaries({}, optional=dict.fromkeys(("url", "method", "headers", "arguments", "timeout", "verify_tls"), anything)),
    st.fixed_dictionaries({}, optional=dict.fromkeys(("path", "arguments", "timeout"), anything)),
    anything,
    st.dictionaries(st.text("ab", max_size=2), anything),
)
def test_an_odd_provider_or_pause_is_a_failed_activity_and_no_more(http, process, pause, configuration):
    secrets = {"g": configuration}
    for attempt in (
        lambda: chaostoolkit_http.request_of(http, configuration, secrets),
        lambda: chaostoolkit_http.limit(http, configuration, secrets, 1),
        lambda: chaostoolkit_process.vector(process, configuration, secrets),
        lambda: chaostoolkit_process.seconds_of(process, 1),
        lambda: pauses({"pauses": {"before": pause}}, configuration, secrets),
    ):
        try:
            attempt()
        except Failed as failed:
            assert str(failed)


@slowly
@given(anything, anything)
def test_whatever_an_activity_gives_its_entry_can_be_kept_and_judged(output, tolerance):
    entry = perform({"type": "action", "name": "x", "provider": {"type": "python"}}, lambda: output)
    json.dumps(entry, allow_nan=False)
    found = finding({**entry, "met": None, "reasons": ["x"], "tolerance_met": False} if tolerance else entry, "method")
    assert found is None or found["reasons"]
