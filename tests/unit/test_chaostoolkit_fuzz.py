# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Malformed experiments of Chaos Toolkit: clear words with the path of the key, never a traceback, and nothing is executed."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import sys

import jinja2
import jinja2.meta
import pytest
import yaml
from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_convert import convert
from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_file import FileProblem, load, parse
from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_lint import examine
from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_rules import LEVELS, RULES
from chaostoolkit_clean import CLEAN
from chaostoolkit_spoiling import noise, places, spoilings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

settings.register_profile("unit", deadline=None)
settings.load_profile("unit")

CORPUS = pathlib.Path(__file__).parents[1] / "chaostoolkit"
SEEDS = [CLEAN, *(yaml.safe_load(path.read_text()) for path in sorted(CORPUS.glob("*.yaml")))]
experiments = st.one_of(noise, *(spoilings(seed, 5) for seed in SEEDS))
# More of them now and then: GAMEDAY_EXAMPLES=5000
slowly = settings(max_examples=int(os.environ.get("GAMEDAY_EXAMPLES", "60")), suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
DOING = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.kill", "socket.connect", "shutil.rmtree", "os.remove", "os.mkdir")
INSERTED = ["", "[", "{", ": ", "- ", "\n", "&a ", "*a ", "!!x ", '"', "'", "\t", "? ", "---\n", "<<: ", "#", "\x00", "%", "\ufeff"]
executed, watching = [], []


def watch(event, arguments):
    """Python's own audit tells of whatever a program does to the world; a hook cannot be taken away again."""
    if watching and (event in DOING or event == "open" and isinstance(arguments[1], str) and set("wax+") & set(arguments[1])):
        executed.append((event, arguments))


sys.addaudithook(watch)


@contextlib.contextmanager
def nothing_executed():
    executed.clear()
    watching.append(True)
    try:
        yield
    finally:
        watching.clear()
    assert executed == []


def test_the_audit_sees_what_is_executed():
    with pytest.raises(AssertionError), nothing_executed():
        import subprocess
        subprocess.run(["true"], check=True)


def as_read(experiment):
    """As it comes out of a file; what YAML cannot write is no experiment that anybody has."""
    return parse(yaml.safe_dump(experiment, sort_keys=False, allow_unicode=True), "yaml", "fuzz.yaml")


def check_findings(document, findings):
    known = set(places(document.experiment)) | {()}
    for one in findings:
        assert one.level in LEVELS and one.rule in RULES and one.message and one.fix, one
        assert one.path in known or one.path[:-1] in known, one  # the key itself, or the one that is missing
        assert isinstance(one.line, int) and "\n" not in one.message, one
        one.text("fuzz.yaml")


@slowly
@given(experiments)
def test_whatever_an_experiment_says_it_is_examined_without_a_traceback_and_without_being_run(experiment):
    document = as_read(experiment)
    with nothing_executed():
        meant, findings = examine(document)
    check_findings(document, findings)
    again, _findings = examine(parse(yaml.safe_dump(meant, sort_keys=False), "yaml", "fuzz.yaml"))
    assert repr(again) == repr(meant)  # what is meant means itself


@slowly
@given(st.one_of(st.text(max_size=200), st.sampled_from(sorted(CORPUS.glob("*.yaml"))).map(pathlib.Path.read_text)), st.data())
def test_whatever_is_in_a_file_it_is_read_or_refused_in_words(text, data):
    for _time in range(data.draw(st.integers(0, 4))):
        place = data.draw(st.integers(0, len(text)))
        text = text[:place] + data.draw(st.sampled_from(INSERTED))
        text += data.draw(st.sampled_from(["", text[place:], text[place + 1:]]))
    for kind in "yaml", "json", "either":
        try:
            with nothing_executed():
                document = parse(text, kind, "fuzz")
                _experiment, findings = examine(document)
            check_findings(document, findings)
        except FileProblem as problem:
            assert problem.message and "\n" not in problem.message and "Traceback" not in problem.message


@settings(max_examples=40)
@given(st.binary(max_size=60))
def test_bytes_that_are_no_text_are_refused_in_words(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "fuzz.yaml"
    path.write_bytes(content)
    with contextlib.suppress(FileProblem):
        examine(load(path))


@slowly
@given(experiments)
def test_json_and_yaml_say_the_same(experiment):
    try:
        text = json.dumps(experiment, allow_nan=False)
    except ValueError:
        return
    value = json.loads(text)
    of_json, of_yaml = (examine(parse(written, kind, "fuzz")) for written, kind in ((text, "json"), (yaml.safe_dump(value, sort_keys=False), "yaml")))
    assert of_json[0] == of_yaml[0]
    assert {(one.rule, one.path, one.message) for one in of_json[1]} == {(one.rule, one.path, one.message) for one in of_yaml[1]}


def texts(value):
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from texts(inner)


@slowly
@given(experiments)
def test_whatever_can_be_run_is_converted_into_yaml_whose_templates_are_only_ours(experiment):
    document = as_read(experiment)
    try:
        with nothing_executed():
            found = convert(document, compat=True)
    except FileProblem as problem:
        known = set(places(document.experiment)) | {()}
        assert problem.message and (problem.path in known or problem.path[:-1] in known), problem
        return
    own = yaml.safe_load(found.files["roles/%s/meta/argument_specs.yml" % found.name])["argument_specs"]["main"]["options"]
    known = {"lookup", "range", "chaos_hosts", "ansible_parent_role_paths", *own}
    for path, text in found.files.items():
        value = yaml.safe_load(text)
        assert value is not None, path
        assert max(map(len, text.splitlines())) < 4000
        for one in texts(value):
            template = jinja2.Environment().parse(one)  # raises where it is none
            named = jinja2.meta.find_undeclared_variables(template)
            assert all(name in known or name.startswith(found.name) for name in named), (path, one)
