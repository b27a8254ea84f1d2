"""
Free text (names, paths, URLs, whatever a user writes) stays data: as words of a plan it comes to the programs of the way back as it was planned,
and where text of ours and of users meet in one script or one word, that word is never read by a shell.
"""

from __future__ import annotations

import ast
import os
import pathlib
import shutil
import subprocess

import hypothesis.strategies as st
import pytest
from ansible_collections.gameday.chaos.plugins.module_utils import way_back
from ansible_collections.gameday.chaos.plugins.module_utils.command import ask
from ansible_collections.gameday.chaos.plugins.module_utils.fault import Check, Plan
from ansible_collections.gameday.chaos.plugins.module_utils.ledger import Ledger
from file_fault import record_of
from hypothesis import HealthCheck, example, given, seed, settings

PLUGINS = pathlib.Path(__file__).parents[2] / "collections/ansible_collections/gameday/chaos/plugins"
# Parsed once, and before any test: CPython 3.11 answers "AST constructor recursion depth mismatch" to who parses in the depth of a test after others.
SOURCES = [(path, ast.parse(path.read_text(encoding="utf-8"))) for path in sorted(PLUGINS.rglob("*.py"))]
BUDGETS = [pytest.param(25, id="short"), pytest.param(1000, id="long", marks=pytest.mark.long)]
# What a fault may be called or given: all but NUL, which is refused, and bytes that are no UTF-8, which Python carries as these surrogates.
texts = st.one_of(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30),
    st.binary(max_size=10).map(lambda data: data.replace(b"\0", b"").decode("utf-8", "surrogateescape")),
    st.sampled_from(["-x", "--", "", "'", '"', "\\", "$(touch pwned)", "`touch pwned`", "; touch pwned", "&& touch pwned #", "\n", "a\nb", "*", "[a-z]*", "?",
                     "~", "$HOME", "${by}", "{{ 7 * 7 }}", "{% raw %}", "@ID@", "@REVERT@", "%s", "!!", "\r\n", "\u202eabc", "é", "x" * 9000,
                     "esac", "EOF", ") touch pwned;;", "9>&-"]))
WITNESS = "#!/bin/sh\n{ printf '%s\\0' \"${0##*/}\" \"$#\" \"$@\"; } >>'{log}'\n{then}\n"


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """The only programs there are: two that write down what they are given, one that is asked, and what every way back needs."""
    folder, log = tmp_path / "tools", tmp_path / "log"
    folder.mkdir()
    for name in ("sh", "flock", "mv", "sleep", "timeout", "rm", "cat"):
        (folder / name).symlink_to(shutil.which(name))
    for name, then in (("first", ""), ("second", ""), ("question", f"[ ! -s '{log}' ] || cat '{tmp_path}/answer'")):
        witness = WITNESS.replace("{log}", str(log) if name != "question" else "/dev/null").replace("{then}", then)
        (folder / name).write_text(witness)
        (folder / name).chmod(0o755)
    monkeypatch.setattr(way_back, "PATH", str(folder))
    monkeypatch.setenv("PATH", str(folder))
    return folder


def logged(log):
    """The argument vectors that the witnesses were given."""
    words, found = log.read_bytes().decode("utf-8", "surrogateescape").split("\0")[:-1], []
    while words:
        name, count = words[0], int(words[1])
        found.append([name, *words[2:2 + count]])
        words = words[2 + count:]
    return found


@pytest.mark.parametrize("examples", BUDGETS)
def test_the_way_back_hands_on_the_words_of_the_plan(tools, tmp_path, examples):
    log, cwd = tmp_path / "log", tmp_path / "cwd"
    cwd.mkdir()

    @settings(max_examples=examples, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @seed("%s %s" % (os.environ["GAMEDAY_SEED"], examples))
    @given(st.lists(texts, max_size=4), st.lists(texts, max_size=3), texts, texts, texts)
    @example(["'; touch pwned; '"], ["\\"], "a\nb", "*) true ;; esac\ntouch pwned\ncase x in x", "\n")
    def as_planned(first, second, claim, run, whole):
        book = Ledger(str(tmp_path / "ledger"))
        shutil.rmtree(book.root, ignore_errors=True)
        log.write_bytes(b"")
        answer = whole.rstrip("\n")  # of which a shell takes what is at the end
        (tmp_path / "answer").write_bytes(answer.encode("utf-8", "surrogateescape"))
        plan = Plan(claim=claim, inject=[], revert=[["first", *first], ["second", *second]], settle=0,
                    check=Check(["question", *second], broken=["x"], whole=["never", answer] if answer else ["never", ""]))
        here = book.folder(claim or "none")
        os.makedirs(here)
        os.makedirs(book.ended)
        text = way_back.script(record_of(claim, run), plan, book.root, here)
        script = pathlib.Path(here, "revert")
        script.write_bytes(text.encode("utf-8", "surrogateescape"))
        pathlib.Path(here, "fault.json").write_text('{\n"id": "0123456789ab",\n')
        parsed = subprocess.run(["/bin/sh", "-n", str(script)], capture_output=True, cwd=cwd)
        assert parsed.returncode == 0, parsed.stderr
        code, said = way_back.run(str(script), "hand", 30)
        planned = [["first", *first], ["second", *second]]
        # An empty answer is that of a whole thing before anything is tried, and a pattern of nothing but * takes it; then there is nothing to do.
        assert logged(log) == (planned if answer.strip("*") else []), said
        assert code == 0 and pathlib.Path(book.ended, "0123456789ab").is_dir(), said
        assert list(cwd.iterdir()) == [] and not pathlib.Path("/pwned").exists()

    as_planned()


@pytest.mark.parametrize("examples", BUDGETS)
def test_the_injection_hands_on_the_words_of_the_plan(tools, tmp_path, examples):
    """Of a program, and of a verb, which needs a shell: its words stay words there, too."""
    log = tmp_path / "log"

    @settings(max_examples=examples, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @seed("%s %s" % (os.environ["GAMEDAY_SEED"], examples))
    @given(st.lists(texts, max_size=4), st.lists(texts.filter(lambda word: word != "--"), max_size=3))
    def as_planned(words, more):
        log.write_bytes(b"")
        assert ask(["first", *words]).code == 0
        assert ask(["answer_of", "second", *words]).code == 0
        # As fault_dns asks what a name means while something of ours is there: the name's question has words of the user's before it.
        ask(["resolved", "", "first", *more, "--", "content", "/proc/sys/kernel/ostype"])
        assert logged(log) == [["first", *words], ["second", *words], ["first", *more]]

    as_planned()


def constants(tree):
    """Names at the top of a file that are texts, made of nothing else than texts."""
    found = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and constant(node.value, found):
            found[node.targets[0].id] = True
    return found


def constant(node, known):
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return constant(node.left, known) and constant(node.right, known)
    return isinstance(node, ast.Constant) and isinstance(node.value, str) or isinstance(node, ast.Name) and node.id in known


OURS = ("PROGRAMS[word]", "verbs.BECOME_LOAD", "source", "VERBS + HOLD + ASK if held else VERBS + ASK")
# Experiments of Chaos Toolkit whose author wrote the arguments as one text, which there means: for a shell.
FOREIGN = ("'%s %s' % (found, arguments)", "command", "arguments['command']")


def test_no_program_is_started_by_a_shell():
    for path, tree in SOURCES:
        for node in ast.walk(tree):
            if isinstance(node, ast.keyword):
                assert node.arg not in ("shell", "use_unsafe_shell"), f"{path}:{node.value.lineno}"
            if isinstance(node, ast.Attribute):
                assert node.attr not in ("system", "popen", "getoutput", "getstatusoutput", "create_subprocess_shell"), f"{path}:{node.lineno}"
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("eval", "exec"), f"{path}:{node.lineno}"


def test_what_a_shell_or_an_interpreter_is_given_to_read_is_text_of_ours_alone():
    """`-c` is followed by a constant of that file, or by one of verbs.PROGRAMS, which are constants as well."""
    checked = 0
    for path, tree in SOURCES:
        if path.name.startswith("chaostoolkit_convert"):  # it runs nothing: what it writes is read by a person first
            continue
        known = constants(tree)
        for node in ast.walk(tree):
            if not isinstance(node, (ast.List, ast.Tuple)):
                continue
            for word, following in zip(node.elts, node.elts[1:], strict=False):
                if isinstance(word, ast.Constant) and word.value == "-c":
                    ours = constant(following, known) or ast.unparse(following) in (*OURS, *FOREIGN)
                    assert ours, f"{path}:{word.lineno}: {ast.unparse(following)}"
                    checked += 1
    assert checked >= 4
