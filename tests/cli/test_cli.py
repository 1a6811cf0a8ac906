"""The command line as a user meets it: whole processes, exit codes, what is printed, what is imported."""

from __future__ import annotations

import subprocess
import sys

import pytest
from commands import ROOT, environment, stbench
from typer.testing import CliRunner

from bench.analysis.figures import maps, seeds, suite
from bench.analysis.results import figure_needs
from bench.cli.app import app
from bench.cli.options import nothing
from bench.errors import StoreError

HEAVY = ("torch", "mlflow", "timm")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["run", "--help"],
        ["tune", "--help"],
        ["list"],
        ["status", "--all"],
        ["tables"],
        ["report"],
        ["report", "--help"],
        ["export", "--help"],
        ["show", "stid"],
        ["data", "list"],
    ],
)
def test_planning_and_tables_import_nothing_heavy(arguments, tmp_path):
    where = [] if "--help" in arguments or arguments == ["list"] else ["--results", str(tmp_path)]
    program = (
        "import sys\nfrom bench.__main__ import main\n"
        f"sys.argv = ['stbench', *{[*arguments, *where]!r}]\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    assert not stop.code, stop.code\n"
        f"print('HEAVY', [name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment(), capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.rstrip().endswith("HEAVY []")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run"], "nothing was asked for"),
        (["run", "--all", "--suite", "short_term"], "either --all or --suite"),
        (["run", "--model", "stit"], "did you mean 'stid'?"),
        (["run", "--dataset", "bikenyk"], "did you mean 'bikenyc"),
        (["run", "--suite", "short_trem"], "did you mean 'short_term'?"),
        (["run", "--all", "--profile", "papr"], "did you mean 'paper'?"),
        (["run", "--all", "--set", "model.widht=2"], "did you mean 'width'?"),
        (["run", "--all", "--data-dir", "/nowhere/at/all"], "/nowhere/at/all"),
        (["show", "stidd"], "did you mean 'stid'?"),
        (["tables", "--from", "wandb:x"], "write mlflow:URI"),
        (["tables", "short_trem"], "did you mean 'short_term'?"),
        (["plots", "contrls"], "did you mean 'controls'?"),
        (["plots", "lerning"], "did you mean 'learning'?"),
        (["tables", "maps"], "there is no table named 'maps'"),
        (["export"], "holds no run to export"),
        (["export", "contrls"], "did you mean 'controls'?"),
        (["report", "--out", "/"], "is a folder"),
        (["report", "--from", "wandb:x"], "write mlflow:URI"),
        (["run", "--suite", "controls", "--variant", "no backbon"], "did you mean 'no backbone'?"),
        (["tune", "--all", "--suite", "short_term"], "either --all or --suite"),
        (
            ["run", "--suite", "everyone_tuned", "--dataset", "bikenyc", "--model", "stid"],
            "'python -m bench tune --model stid",
        ),
    ],
)
def test_a_mistake_gets_one_sentence_and_exit_code_2(arguments, message, tmp_path):
    answer = stbench(*arguments, *([] if arguments[0] == "nothing" else ["--results", tmp_path]))
    assert answer.returncode == 2
    assert answer.stderr.startswith("error: ")
    assert message in answer.stderr
    assert answer.stderr.count("\n") == 1
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize("words", [["report"], ["tables"], ["plots"], ["export"], ["sync"], ["tables", "--check"]])
def test_a_results_folder_that_is_not_there_is_told_and_not_made(words, tmp_path):
    answer = CliRunner().invoke(app, [*words, "--results", str(tmp_path / "mistyped")])
    assert isinstance(answer.exception, StoreError), answer.output
    assert f"there is no results folder {tmp_path / 'mistyped'}; " in str(answer.exception)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [["run"], ["status"], ["run", "--dry-run"]])
@pytest.mark.parametrize("below", [".", "results"])
def test_a_results_folder_that_is_a_file_or_below_one_is_told(words, below, tmp_path):
    (file := tmp_path / "file").touch()
    answer = CliRunner().invoke(app, [*words, "--model", "last_value", "--results", str(file / below)])
    assert isinstance(answer.exception, StoreError), answer.output
    assert f"the results folder {file / below} cannot be a folder, since {file} is a file; " in str(answer.exception)


def test_a_part_of_a_plan_that_is_empty_says_so(tmp_path):
    words = ["run", "--dataset", "bikenyc", "--model", "last_value", "--results", str(tmp_path)]
    whole, empty = (CliRunner().invoke(app, [*words, "--dry-run", f"--shard={part}/2"]) for part in (1, 2))
    assert "1 run = 1 data set" in whole.output
    assert (empty.exit_code, empty.output) == (0, "part 2/2 is empty: the plan has 1 run\n")


def test_an_unknown_option_is_exit_code_2():
    assert stbench("run", "--al").returncode == 2


def test_figures_without_variants_say_what_makes_some(tmp_path):
    answer = stbench("plots", "--results", tmp_path)
    assert answer.returncode == 0
    assert "python -m bench run --suite controls" in answer.stdout


def test_a_named_figure_that_is_not_drawn_says_what_it_needs_and_no_word_of_suites(tmp_path):
    named = ("seeds", "maps", "daily")
    answer = stbench("plots", *named, "--results", tmp_path)
    told = (seeds.NEEDS, maps.NEEDS, "a finished run")
    lines = [f"{name}: no figure; it needs {needs}" for name, needs in zip(named, told, strict=True)]
    assert answer.stdout.splitlines()[1:] == lines
    assert figure_needs("controls") == suite.NEEDS
    assert "--suite controls" not in answer.stdout


def test_a_suite_s_file_without_a_figure_says_what_it_needs_too(tmp_path):
    mine = tmp_path / "study.toml"
    facts = 'name = "mine"\ntitle = "Mine"\ntasks = ["short"]\nprotocol = "strict"\ndatasets = ["bikenyc"]\n'
    mine.write_text(f'{facts}models = ["stid"]\n', encoding="utf-8")
    answer = stbench("plots", mine, "--results", tmp_path)
    assert answer.stdout.splitlines()[1:] == [f"{mine}: no figure; it needs {suite.NEEDS}"]


def test_an_empty_answer_says_of_what_and_shows_no_password(tmp_path):
    asked = "no or too few finished runs of long_term, few_shot"
    assert asked in stbench("tables", "long_term", "few_shot", "--results", tmp_path).stdout
    assert (
        "holds no study; 'python -m bench tune' makes one" in stbench("plots", "tuning", "--results", tmp_path).stdout
    )
    assert (
        nothing(tmp_path, "mlflow:postgresql://me:secret@host/db")
        == "mlflow:postgresql://***@host/db holds no finished run"
    )


def test_status_names_every_data_set_on_a_narrow_terminal(tmp_path):
    answer = stbench("status", "--all", "--results", tmp_path, columns=80)
    assert answer.returncode == 0
    assert {"trafficjn", "trafficsh", "bikenyc2", "historical_average"} <= set(answer.stdout.split())
    assert "…" not in answer.stdout


def test_brackets_in_a_path_or_title_are_printed_as_they_are(tmp_path, tiny):
    suite = tmp_path / "mine.toml"
    suite.write_text(
        'name = "mine"\ntitle = "[/x] my"\ntasks = ["short"]\nprotocol = "strict"\n'
        'datasets = ["tiny"]\nmodels = ["last_value"]\n',
        encoding="utf-8",
    )
    results = tmp_path / "res[/bold]"
    answer = stbench("run", "--suite", suite, "--data-dir", tiny, "--results", results, "--no-track")
    assert answer.returncode == 0, answer.stderr
    assert "[/x] my: 1 run = 1 data set (0 synthetic) x 1 model x 1 seed;" in answer.stdout
    assert "res[/bold]/tables/short_term.md" in answer.stdout


def test_a_broken_record_is_told_and_stops_no_run(tmp_path, tiny):
    folder = tmp_path / "results" / "runs" / "tiny" / "stid"
    folder.mkdir(parents=True)
    (folder / "notes.json").write_text("{}", encoding="utf-8")
    answer = stbench(
        "run", "--dataset", "tiny", "--model", "last_value", "--data-dir", tiny, "--results", tmp_path / "results"
    )
    assert answer.returncode == 0
    assert "notes.json" in answer.stderr
    assert "✓" in answer.stdout


def test_list_and_doctor_answer(tmp_path):
    models = stbench("list", "models").stdout
    assert "convlstm" in models
    assert "on the same day of the last week. (days=7)" in next(x for x in models.splitlines() if "naive_week" in x)
    assert "none" not in stbench("list", "datasets").stdout  # the controls are of no city
    doctor = stbench("doctor", "--results", tmp_path, "--weights-dir", tmp_path)
    assert doctor.returncode == 0, doctor.stderr
    assert "torch" in doctor.stdout
    assert f"│ {tmp_path}" in next(line for line in doctor.stdout.splitlines() if "weights folder" in line)


def test_a_misspelt_model_of_a_suite_s_file_is_named_where_its_table_is_made(tmp_path):
    mine = tmp_path / "study.toml"
    facts = 'name = "mine"\ntitle = "Mine"\ntasks = ["short"]\nprotocol = "strict"\ndatasets = ["bikenyc"]\n'
    mine.write_text(f'{facts}models = ["stid", "rigde"]\n', encoding="utf-8")
    told = stbench("tables", mine, "--results", tmp_path).stderr
    assert "the suite 'mine': there is no model named 'rigde'; did you mean 'ridge'?" in " ".join(told.split())
