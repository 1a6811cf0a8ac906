"""The script that makes the runs of the reference results: what it asks for exists, and it ends as it says."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
from typer.main import get_command

from bench.cli.app import app
from bench.runs.suite import load_suite
from bench.settings import TASKS

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "examples" / "reference.sh"
DOCUMENT = ROOT / "docs" / "reference-results.md"


@pytest.fixture
def drive(tmp_path):
    """Run the script with a program in place of ``stbench`` that notes its words and ends with a code."""

    def run(code="0", *words, **variables):
        program, log = tmp_path / "program", tmp_path / "log"
        program.write_text(f'#!/bin/bash\nprintf "%q " "$@" >> {log}\necho >> {log}\n{code}\n', encoding="utf-8")
        program.chmod(0o755)
        log.write_text("", encoding="utf-8")
        environment = {**os.environ, "STBENCH": str(program), **variables}
        answer = subprocess.run(
            ["bash", SCRIPT, *words], env=environment, capture_output=True, text=True, check=False, cwd=tmp_path
        )
        return answer, [shlex.split(line) for line in log.read_text(encoding="utf-8").splitlines()]

    return run


def values(words, option):
    return tuple(value for word, value in pairwise(words) if word == option)


def test_every_step_asks_for_what_exists(drive):
    answer, commands = drive("exit 0", "--data-dir", "DIR")
    assert (answer.returncode, answer.stderr) == (0, "")
    known = {name for parameter in get_command(app).commands["run"].params for name in parameter.opts}
    known |= {"--no-track"}
    for words in commands:
        assert words[0] == "run"
        assert words[-2:] == ["--data-dir", "DIR"]
        assert {word for word in words if word.startswith("--")} <= known
        (name,) = values(words, "--suite")
        suite = load_suite(name)
        assert set(values(words, "--variant")) <= {variant.name for variant in suite.variants}
        assert set(values(words, "--dataset")) <= set(suite.datasets)
        assert set(values(words, "--task")) <= {*TASKS} & {*suite.tasks}
        assert values(words, "--profile") == ("reference",)
        assert values(words, "--model") or values(words, "--variant") or suite.models != "all"


def test_the_suites_that_ask_the_question_are_among_the_steps(drive):
    _, commands = drive("exit 0")
    suites = [values(words, "--suite")[0] for words in commands]
    wanted = {"short_term", "controls", "controls_bare", "published", "data_efficiency", "long_term", "st_llm_controls"}
    wanted |= {"transfer", "planted", "controls_pictures", "ablation"}
    assert set(suites) == wanted
    assert suites[:2] == ["short_term", "controls"]
    asked = next(words for words in commands if values(words, "--suite") == ("controls",))
    assert set(values(asked, "--dataset")) == {"bikenyc", "bikenyc2", "taxinyc", "taxinyc2"}


def test_steps_that_belong_together_ask_for_the_same_rows(drive):
    def commands(*steps):
        return drive("exit 0", STEPS=" ".join(steps))[1]

    shares = commands("few1", "few10", "few100")
    assert [values(words, "--task") for words in shares] == [("few1",), ("few10",), ("short",)]
    assert len({values(words, "--model") for words in shares}) == 1
    assert {values(words, "--variant") for words in shares} == {
        ("pre-trained, frozen", "matched random, frozen", "random, frozen", "no backbone")
    }
    four, rest = commands("controls_bare", "more_controls_bare")
    assert values(four, "--variant") == values(commands("controls")[0], "--variant")
    assert values(rest, "--variant") == ()
    for words in (four, rest):
        assert (values(words, "--suite"), values(words, "--set")) == (("controls_bare",), ())
    longer, ablation, transfer = commands("more_epochs", "ablation", "transfer")
    assert values(longer, "--set") == ("train.precision=bf16", "train.epochs=40")
    assert values(longer, "--dataset") == ("bikenyc", "taxinyc2")
    assert (values(ablation, "--set"), values(ablation, "--dataset")) == ((), ("bikenyc2",))
    assert values(transfer, "--set") == ("train.epochs=3",)


def test_the_document_has_a_row_for_each_step_and_for_no_other():
    steps = re.findall(r"^run (\w+) ", SCRIPT.read_text(encoding="utf-8"), flags=re.MULTILINE)
    rows = re.findall(r"^\| (`.*?`) \| .* \| \S.*\|$", DOCUMENT.read_text(encoding="utf-8"), flags=re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert sorted(named) == sorted(steps)


def test_a_failed_run_stops_no_other_step_and_a_wrong_use_stops_all(drive):
    every = len(drive("exit 0")[1])
    answer, commands = drive("exit 1")
    assert (answer.returncode, len(commands)) == (0, every)
    answer, commands = drive("exit 2")
    assert (answer.returncode, len(commands)) == (2, 1)
    answer, commands = drive("exit 130")
    assert (answer.returncode, len(commands)) == (130, 1)


def test_steps_can_be_chosen(drive):
    answer, commands = drive("exit 0", STEPS="published few1")
    assert answer.stdout == "== published\n== few1\n"
    assert [values(words, "--suite")[0] for words in commands] == ["published", "data_efficiency"]


@pytest.mark.parametrize("steps", ["light\ncontrols", "\tlight  controls\n"])
def test_steps_may_stand_between_blanks_of_any_kind(drive, steps):
    answer, commands = drive("exit 0", STEPS=steps)
    assert (answer.returncode, answer.stdout) == (0, "== light\n== controls\n")
    assert [values(words, "--suite")[0] for words in commands] == ["short_term", "controls"]


def test_no_steps_are_all_steps(drive):
    assert len(drive("exit 0", STEPS=" \n")[1]) == len(drive("exit 0")[1]) > 10


def test_it_ends_when_the_time_is_over_and_says_where_it_goes_on(drive):
    answer, commands = drive("exit 0", HOURS="0")
    assert (answer.returncode, commands) == (0, [])
    assert "the time is over before 'light'; the same command goes on there" in answer.stderr
    answer, commands = drive("exec sleep 60", HOURS="0.0006", STEPS="light controls")
    assert (answer.returncode, len(commands)) == (0, 1)
    assert "the time is over in 'light'; the same command goes on there" in answer.stderr


@pytest.mark.parametrize("step", ["c.ntrols", "l*", "*"])
def test_a_step_is_a_name_and_no_pattern(drive, step):
    answer, commands = drive("exit 0", STEPS=step)
    assert (answer.returncode, commands) == (2, [])
    assert f"there is no step '{step}'; known: light controls planted published" in answer.stderr


def test_an_unknown_step_is_refused_before_anything_is_run(drive):
    answer, commands = drive("exit 0", STEPS="light control")
    assert (answer.returncode, commands) == (2, [])
    assert "there is no step 'control'; known: light controls planted published" in answer.stderr
