# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation names what is there, links to what is there, and its examples can be read."""
from __future__ import annotations

import ast
import pathlib
import re

import pytest
import yaml
from ansible_collections.gameday.chaos.plugins.plugin_utils.chaostoolkit_rules import RULES

ROOT = pathlib.Path(__file__).parents[2]
COLLECTION = ROOT / "collections/ansible_collections/gameday/chaos"
PAGES = [ROOT / "README.md", COLLECTION / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

page = pytest.mark.parametrize("path", PAGES, ids=[str(path.relative_to(ROOT)) for path in PAGES])


def blocks(text, *languages):
    return [body for language, body in re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL) if language in languages]


def anchors(text):
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def documented():
    """Module -> its one line, from the modules themselves."""
    found = {}
    for path in (COLLECTION / "plugins/modules").glob("*.py"):
        assigned = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.Assign)]
        values = [node.value for node in assigned if getattr(node.targets[0], "id", "") == "DOCUMENTATION"]
        found[path.stem] = yaml.safe_load(ast.literal_eval(values[0]))["short_description"]
    return found


def test_the_table_of_modules_is_complete_and_says_what_the_modules_say():
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \|$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert dict(rows) == documented() and len(rows) == len(dict(rows))


def test_the_tables_of_rules_about_experiments_of_chaos_toolkit_are_complete_and_have_their_levels():
    rows = re.findall(r"^\| `([a-z-]+)` \| (\w+) \| .+ \|$", (ROOT / "docs/chaostoolkit_lint.md").read_text(), re.MULTILINE)
    assert dict(rows) == RULES and len(rows) == len(RULES)


@page
def test_every_relative_link_leads_somewhere(path):
    for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
        if not re.match(r"\w+:", link):
            file, _, anchor = link.partition("#")
            target = path.parent / file if file else path
            assert target.exists(), link
            assert not anchor or anchor in anchors(target.read_text()), link


@page
def test_every_yaml_example_can_be_read(path):
    for text in blocks(path.read_text(), "yaml"):
        yaml.safe_load(text)


@page
def test_every_python_example_can_be_read(path):
    for text in blocks(path.read_text(), "python"):
        ast.parse(text)


@page
def test_every_module_in_an_example_exists(path):
    known = set(documented()) | {one.stem for kind in ("callback", "test") for one in (COLLECTION / "plugins" / kind).glob("*.py")} | {"experiment"}
    found = {name for text in blocks(path.read_text(), "yaml", "sh", "ini") for name in re.findall(r"gameday\.chaos\.(\w+)", text)}
    assert found - {"fault_sysctl"} <= known  # the one that is written in docs/writing_a_fault.md


def test_the_first_experiment_has_fifteen_lines():
    text = (ROOT / "README.md").read_text().partition("An experiment in 15 lines")[2]
    assert len(blocks(text, "yaml")[0].splitlines()) == 15


EXPERIMENTS = sorted(path.stem for path in (ROOT / "playbooks").glob("*.yml") if (ROOT / "roles" / path.stem).is_dir())


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_an_experiment_says_what_it_tests_what_happens_and_what_success_is_and_what_each_variable_means(experiment):
    role = ROOT / "roles" / experiment
    documented = yaml.safe_load((role / "meta/argument_specs.yml").read_text())["argument_specs"]["main"]
    defaults = yaml.safe_load((role / "defaults/main.yml").read_text())
    assert [line.partition(":")[0] for line in documented["description"]][:3] == ["What is tested", "What happens", "Success"]
    assert set(documented["options"]) == set(defaults) and all(option["description"] for option in documented["options"].values())
    plain = {name: value for name, value in defaults.items() if "{{" not in str(value)}  # what is calculated is told in words
    assert {name: documented["options"][name].get("default") for name in plain} == plain
    named = set(re.findall(experiment + r"_\w+", " ".join(documented["description"])))
    assert named and named <= set(defaults), "success is told in terms of variables that there are"


def test_every_experiment_is_documented():
    assert len(EXPERIMENTS) >= 4 and all("(playbooks/%s.yml)" % name in (ROOT / "README.md").read_text() for name in EXPERIMENTS)
