"""Models and data sets in files of the user's own, in runs: in other processes, and when the file is gone later."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hostile import model_text
from typer.testing import CliRunner

import bench
from bench.analysis.formats.files import table_files
from bench.catalog import own_files
from bench.catalog.data import Catalog
from bench.cli.data import app as data_app
from bench.cli.missing import missing
from bench.errors import ConfigError, UnknownNameError
from bench.records.record import DoneRun, FailedRun, Failure
from bench.records.store import ResultStore
from bench.runs.executors.ray_task import made as made_on_ray
from bench.runs.executors.slurm_job import Job
from bench.runs.own_code import card_of, keep, kept_code
from bench.runs.plan import Selection, plan
from bench.runs.suite import load_suite, load_suites
from bench.runs.wanted import wanted_by
from bench.runs.worker import Work

SMALL = {"train.epochs": 1, "train.steps_per_epoch": 2, "train.batch_size": 8}
GOOD = '"""Mine."""\n' + model_text(
    "return parts.kept(repeated(window.history[:, -1:], window)) + self.level", top="import parts"
)
BAD = model_text("raise ValueError('odd ' + str(self.level.item()))")
DATA = """
from builders import make_card, make_data
from bench.types import RawSeries

CARD = make_card(name="harbour", slots=400)
VERSION = 1

def read(folder): ...

def make():
    data = make_data(slots=400)
    return RawSeries(values=data.values, clock=data.clock, layout="made")
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with files of the user's own; the variable lists nothing."""
    monkeypatch.setenv(own_files.VARIABLE, "")  # so that it is put back as it was, whatever a test lists
    monkeypatch.delenv(own_files.VARIABLE)
    home = tmp_path / "home"
    home.mkdir()
    for name, text in {"mine": GOOD, "parts": "def kept(x): return x\n", "bad": BAD, "harbour": DATA}.items():
        (home / f"{name}.py").write_text(text, encoding="utf-8")
    monkeypatch.chdir(home)
    return home


def test_files_are_run_in_processes_of_their_own_and_shown_when_they_are_gone(folder: Path) -> None:
    with pytest.warns(UserWarning, match="harbour / bad / seed 0 failed: ValueError: odd 0.0"):
        made = bench.run(
            models=["./mine.py", Path("./bad.py"), "last_value"],
            datasets=["./harbour.py"],
            seeds=[0],
            settings=SMALL,
            results="results",
            jobs=2,
            on_line=None,
        )
    assert own_files.VARIABLE not in os.environ
    records = {record.model: record for record in ResultStore(folder / "results").records()}
    mine, bad = records["mine"], records["bad"]
    assert isinstance(mine, DoneRun)
    assert mine.audit.forecasts is not None
    assert mine.audit.forecasts.fresh_in == "process"
    assert isinstance(bad, FailedRun)
    assert bad.error.message == "odd 0.0"
    assert f'{folder}/bad.py", line' in ResultStore(folder / "results").log(bad).read_text(encoding="utf-8")
    kept = kept_code(folder / "results", mine.code)
    assert {name: [path for path, _ in code.files] for name, code in kept.items()} == {
        "harbour": ["harbour.py"],
        "mine": ["mine.py", "parts.py"],
    }
    before = table_files(made, ["short_term", "ranks"])
    for path in folder.glob("*.py"):
        path.unlink()
    again = bench.load_results("results")
    assert table_files(again, ["short_term", "ranks"]) == before
    assert not [run for run in again.runs if run.stale]


def test_a_file_is_scored_in_this_process_as_by_its_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    by_path = bench.evaluate("./mine.py", "./harbour.py", settings=SMALL)
    monkeypatch.setenv(own_files.VARIABLE, ".")
    by_name = bench.evaluate("mine", "harbour", settings=SMALL)
    assert by_path.model == "mine"
    assert (by_path.run_id, by_path.scores) == (by_name.run_id, by_name.scores)


def test_a_path_of_no_file_is_one_sentence(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone.py is not there"):
        bench.run(models=["./gone.py"], datasets=["bikenyc"], results=folder / "results")
    with pytest.raises(ConfigError, match=r"harbour.py defines no Config and no Model, so it is no model's file"):
        bench.evaluate("./harbour.py", "bikenyc")
    with pytest.raises(ConfigError, match=r"mine.py defines no CARD and no read, so it is no data set's file"):
        bench.evaluate("./mine.py", "./mine.py")


def test_of_code_that_was_run_the_first_copy_stays_and_the_projects_own_is_not_copied(
    folder: Path, monkeypatch: pytest.MonkeyPatch, catalog: Catalog
) -> None:
    monkeypatch.setenv(own_files.VARIABLE, str(folder / "mine.py"))
    selection = Selection(models=("mine", "last_value"), datasets=("tiny",), seeds=(0, 1))
    runs, results = plan(load_suite("short_term"), selection, catalog), folder / "results"
    keep(runs, catalog, results)
    (folder / "parts.py").write_text("def kept(x): return 2 * x\n", encoding="utf-8")
    keep(runs, catalog, results)
    (own,) = (path.name for path in (results / "plugins").iterdir())
    assert own == next(run.code for run in runs if run.model == "mine")
    assert dict(kept_code(results, own)["mine"].files)["parts.py"] == b"def kept(x): return x\n"
    assert catalog.data_dir is not None
    card = card_of(results, "tiny", runs[0].spec.data.sha256)
    assert card.read_bytes() == (catalog.data_dir / "tiny" / "card.toml").read_bytes()


def test_machines_that_do_not_see_a_file_say_so(
    folder: Path, monkeypatch: pytest.MonkeyPatch, catalog: Catalog
) -> None:
    monkeypatch.setenv(own_files.VARIABLE, str(folder / "mine.py"))
    selection = Selection(models=("mine",), datasets=("tiny",), seeds=(0,))
    (run,) = plan(load_suite("short_term"), selection, catalog)
    (folder / "mine.py").rename(folder / "moved.py")
    work = Work(run=run, catalog=catalog, results=folder / "results", checkpoint=None)
    (end,) = made_on_ray(work, [], 1, {})
    assert not isinstance(end, str | dict)
    assert isinstance(end.value, Failure)
    assert "the file of 'mine' cannot be used on" in end.value.message
    assert "into a folder that all machines of the cluster see" in end.value.message
    Job(work, 1)()
    failed = ResultStore(folder / "results").read("tiny", "mine", run.run_id)
    assert isinstance(failed, FailedRun)
    assert "mine.py, which is not there" in failed.error.message


def test_the_command_that_finds_tuned_settings_names_files_of_ones_own_by_their_paths(folder: Path, tmp_path) -> None:
    files = [own_files.names_the_file(text) for text in ("mine.py", "same=mine.py", "harbour.py")]
    elsewhere = tmp_path / "my folder" / "its.py"
    elsewhere.parent.mkdir()
    elsewhere.write_text(GOOD, encoding="utf-8")
    with own_files.listed([*files[1:], own_files.names_the_file(f"far={elsewhere}")]):
        suite, catalog = load_suite("short_term"), Catalog(data_dir=None, cache=tmp_path)
        runs = plan(suite, Selection(models=("same", "far"), datasets=("harbour",)), catalog)
        finders = {one.model: one.finder for one in wanted_by(runs, suite, ())}
    assert finders["same"].startswith("'stbench tune --model same=./mine.py --dataset ./harbour.py', or bench.tune(")
    assert "models=['same=./mine.py'], datasets=['./harbour.py']" in finders["same"]
    assert finders["far"].startswith(f"'stbench tune --model 'far={elsewhere}' --dataset ./harbour.py', or")


def test_commands_on_data_take_the_path_of_a_file_and_what_lacks_data_names_it(folder: Path, tmp_path) -> None:
    text = DATA.partition("VERSION")[0].replace("harbour", "quay") + "def read(folder): ...\n"
    (folder / "quay.py").write_text(text, encoding="utf-8")
    with pytest.raises(UnknownNameError, match=r"no data set named 'quay'; .* by its path: ./quay.py; "):
        bench.load_dataset("quay", cache=tmp_path)
    assert bench.load_dataset("./quay.py", cache=tmp_path).card.name == "quay"
    for words, code in ((("verify", "./quay.py"), 0), (("show", "./quay.py"), 0), (("fetch", "./quay.py"), 1)):
        answer = CliRunner().invoke(data_app, [*words])
        assert (answer.exit_code, "quay" in answer.output) == (code, True), answer.output
    catalog = Catalog(data_dir=None, cache=tmp_path)
    runs = plan(load_suite("short_term"), Selection(models=("last_value",), datasets=("quay",)), catalog)
    assert "'stbench data fetch ./quay.py' downloads what has an address" in next(missing(runs, catalog))


def test_a_suite_names_files_of_ones_own_by_their_paths_from_its_folder_on(folder: Path, tmp_path, monkeypatch) -> None:
    (folder / "compare.toml").write_text(
        'name = "compare"\ntitle = "Mine and level"\ntasks = ["short"]\nprotocol = "strict"\n'
        'datasets = ["./harbour.py"]\nmodels = ["last_value", "./mine.py"]\nreferences = ["again"]\n'
        '[[variants]]\nname = "again"\nmodel = "same=./mine.py"\n[[variants]]\nname = "stid"\nmodel = "stid"\n',
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)
    suite = load_suite("home/compare.toml")
    assert (suite.datasets, suite.models) == (("harbour",), ("last_value", "mine"))
    assert [(variant.name, variant.model) for variant in suite.variants] == [("again", "same"), ("stid", "stid")]
    assert {file.path.name for file in own_files.own_files()} == {"mine.py", "harbour.py"}
    made = bench.run(suite="home/compare.toml", models=["mine"], variants=["again"], settings=SMALL, results=tmp_path)
    assert {run.record.model: run.record.status for run in made.runs} == {"mine": "done", "same": "done"}


@pytest.mark.parametrize("reference", ["./mine.py", "mine"])
def test_a_model_in_a_file_of_ones_own_may_be_the_reference_of_a_suite(folder: Path, reference: str) -> None:
    text = (
        'name = "compare"\ntitle = "T"\ntasks = ["short"]\nprotocol = "strict"\ndatasets = ["bikenyc"]\n'
        f'models = ["last_value", "./mine.py"]\nreferences = ["{reference}"]\n'
    )
    (folder / "compare.toml").write_text(text, encoding="utf-8")
    (suite,) = load_suites([str(folder / "compare.toml")])
    assert (suite.models, suite.references) == (("last_value", "mine"), ("mine",))
    (folder / "compare.toml").write_text(text.replace(f'["{reference}"]', '["mime"]'), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"compare.toml is not valid: the reference 'mime' is none of the models"):
        load_suites([str(folder / "compare.toml")])


def test_a_path_in_a_suite_where_no_model_lies_is_one_sentence(folder: Path) -> None:
    (folder / "compare.toml").write_text(
        'name = "compare"\ntitle = "T"\ntasks = ["short"]\nprotocol = "strict"\ndatasets = ["bikenyc"]\n'
        'models = ["./gone.py"]\n',
        encoding="utf-8",
    )
    with pytest.raises(ConfigError, match=r"gone.py is not there; give the path of a Python file"):
        load_suite("compare.toml")
    assert own_files.own_files() == []
