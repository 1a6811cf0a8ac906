"""Small things of the command line: its version, completion, hints, JSON, counts, widths and what a dry run lacks."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from bench import __version__
from bench.catalog.data import Catalog
from bench.cli.app import app
from bench.cli.missing import missing
from bench.cli.run import _next_step
from bench.cli.terminal import WIDE, Console, as_started
from bench.disguise import POINTER
from bench.plain_text import counted
from bench.runs.plan import Selection, plan
from bench.runs.suite import load_suite
from tests.support.commands import ROOT, environment, stbench

PROGRAM = "import sys; sys.argv[0] = 'stbench'; from bench.__main__ import main; main()"


def test_the_version_is_that_of_the_package():
    answer = stbench("--version")
    assert (answer.returncode, answer.stdout) == (0, f"st-vfm-bench {__version__}\n")


@pytest.mark.parametrize(
    ("option", "setting"),
    [("--epochs=3", "train.epochs"), ("--lr=1", "train.lr"), ("--batch_size=8", "train.batch_size")],
)
def test_an_option_that_is_a_setting_is_answered_with_how_to_set_it(option, setting):
    answer = stbench("run", "--dataset", "bikenyc", option)
    assert answer.returncode == 2
    assert f"it is a setting: --set {setting}=" in " ".join(answer.stderr.split())


def on_tab(words):
    place = str(len(words.split()) - 1)
    return {"_STBENCH_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": place}


@pytest.mark.parametrize(
    ("words", "last", "known"),
    [("--model", "sti", "stid"), ("--dataset", "bikenyc2", "bikenyc2"), ("--suite", "short", "short_term")],
)
def test_the_shell_completes_names(words, last, known):
    answer = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env={**environment(), **on_tab(f"stbench run {words} {last}")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.stdout.split() == [known], answer.stderr


@pytest.mark.parametrize(
    ("words", "known"),
    [
        ("tune --suite short", "short_term"),
        ("score --dataset tdr", "tdrive"),
        ("show sti", "stid"),
        ("show tdr", "tdrive"),
        ("data show tdr", "tdrive"),
        ("data verify tdr", "tdrive"),
        ("data fetch taxibj tdr", "tdrive"),
        ("tables abl", "ablation"),
        ("plots abl", "ablation"),
        ("export abl", "ablation"),
        ("run --task transfer1", "transfer1"),
        ("run --profile lap", "laptop"),
        ("score --task lon", "long"),
        ("score --profile lap", "laptop"),
        ("weights fetch vit_mae_b", "vit_mae_base"),
        ("weights verify gpt2 vit_mae_b", "vit_mae_base"),
        ("tables tuning_", "tuning_ledger"),
        ("plots dai", "daily"),
        ("data verif", "verify"),
    ],
)
def test_the_shell_completes_names_wherever_a_command_takes_them(words, known):
    answer = CliRunner().invoke(app, env=on_tab(f"stbench {words}"), prog_name="stbench")
    assert answer.stdout.split() == [known], answer.stderr


@pytest.mark.parametrize("words", ["run --dataset", "data show", "show"])
def test_data_sets_of_the_data_folder_are_completed(words, tiny, monkeypatch, tmp_path):
    def known(*more):
        tab = on_tab(" ".join(["stbench", *words.split()[:1], *more, *words.split()[1:], "tin"]))
        return CliRunner().invoke(app, env=tab, prog_name="stbench").output.split()

    desk = tmp_path / "desk"
    desk.mkdir()
    monkeypatch.chdir(desk)
    assert known() == []
    (desk / "data").symlink_to(tiny)
    assert "tiny" in known()
    (desk / "data").unlink()
    if words.startswith("run"):
        assert "tiny" in known("--data-dir", str(tiny))
        assert known("--data-dir", str(desk / "nowhere")) == []
    monkeypatch.setenv("STBENCH_DATA", str(tiny))
    assert "tiny" in known()


@pytest.mark.parametrize(
    ("typed", "known"),
    [
        ("pre", r"pre-trained,\ frozen"),
        ("'pre", "pre-trained, frozen"),
        ('"pre-trained, f', "pre-trained, frozen"),
        ("window", "window_mean"),
    ],
)
def test_names_of_variants_are_completed_with_the_quotes_that_bash_wants(typed, known):
    words = ["stbench", "run", "--suite", "controls", "--variant", typed]  # bash joins them so
    tab = {"_STBENCH_COMPLETE": "complete_bash", "COMP_WORDS": "\n".join(words), "COMP_CWORD": "5"}
    assert CliRunner().invoke(app, env=tab, prog_name="stbench").stdout == f"{known}\n"


def test_variants_are_those_of_the_suite_or_of_all_and_none_of_a_suite_that_is_none():
    def known(*words):
        tab = {"_STBENCH_COMPLETE": "complete_bash", "COMP_CWORD": str(len(words) + 1)}
        typed = "\n".join(["stbench", *words, "no"])
        return CliRunner().invoke(app, env={**tab, "COMP_WORDS": typed}, prog_name="stbench").output.splitlines()

    of_one, of_all = known("run", "--suite", "controls", "--variant"), known("run", "--variant")
    assert of_one == [r"no\ backbone"]
    assert set(of_one) < set(of_all)
    assert not any(known("run", "--suite", "contrls", "--variant"))


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_completion_is_installed_for_the_command_whichever_way_it_is_started(tmp_path):
    home = {**environment(), "HOME": str(tmp_path), "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    program = tmp_path / "stbench"
    program.write_text(f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(ROOT)!r})\n{PROGRAM}")
    program.chmod(0o755)

    def bash(script):
        command = ["bash", "--norc", "-c", script]
        return subprocess.run(command, cwd=ROOT, env=home, capture_output=True, text=True, check=False)

    installed = bash(f'"{sys.executable}" -m bench --install-completion; true')
    assert "completion installed in" in installed.stdout, installed.stderr
    pressed = "COMP_WORDS=(stbench run --model sti); COMP_CWORD=3; _stbench_completion stbench; echo ${COMPREPLY[*]}"
    answer = bash(f"source ~/.bashrc; complete -p stbench > /dev/null && {pressed}")
    assert (answer.stdout, answer.stderr) == ("stid\n", "")


def test_list_and_show_print_one_json_object():
    listed = json.loads(stbench("list", "--json").stdout)
    assert list(listed) == ["models", "datasets", "suites", "backbones"]
    assert {"name", "what", "problem"} == set(listed["models"][0])
    assert list(json.loads(stbench("list", "suites", "--json").stdout)) == ["suites"]
    shown = json.loads(stbench("show", "stid", "--json").stdout)
    assert {"name": "layers", "default": 3, "search_space": "1, 2, 3, 4"} in shown["settings"]
    assert json.loads(stbench("show", "bikenyc", "--json").stdout)["grid"] == [10, 20]


def test_status_counts_runs_of_other_settings_and_prints_json(tmp_path, tiny):
    common = ("--dataset", "tiny", "--model", "last_value", "--data-dir", tiny, "--results", tmp_path / "results")
    made = stbench("run", *common, "--no-track").stdout
    assert "quick profile, not to be quoted" in next(line for line in made.splitlines() if "✓" in line)
    assert "test MAE, quick profile" in made
    same = json.loads(stbench("status", *common, "--json").stdout)
    assert (same["runs"], same["done"], same["to_do"], same["other_settings"]) == (1, 1, 0, 0)
    other = stbench("status", *common, "--set", "task.horizon=3").stdout
    assert "1 run: 1 to do" in other
    assert "1 finished run of these data sets and models has other settings (task.horizon" in other
    assert json.loads(stbench("status", *common, "--set", "task.horizon=3", "--json").stdout)["other_settings"] == 1


def test_tables_in_a_pipe_are_not_cut():
    answer = subprocess.run(
        [sys.executable, "-m", "bench", "list", "models"],
        cwd=ROOT,
        env={name: value for name, value in environment().items() if name != "COLUMNS"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "stacked LSTMs of convolutions with a second memory that runs up the stack and on to the next step" in (
        answer.stdout
    )


def test_a_console_of_a_pipe_is_wide_and_one_that_was_told_a_width_is_not(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    with Path(os.devnull).open("w") as file:
        assert (Console(file=file).width, Console(file=file, width=60).width) == (WIDE, 60)


@pytest.mark.parametrize(
    ("started", "text"),
    [
        ("/x/bench/__main__.py", "say 'python -m bench tune'"),
        ("/x/pytest/__main__.py", "say 'stbench tune'"),
        ("/usr/bin/stbench", "say 'stbench tune'"),
    ],
)
def test_messages_name_the_command_that_was_started(monkeypatch, started, text):
    monkeypatch.setattr(sys, "argv", [started])
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    assert as_started("say 'stbench tune'") == text
    assert (
        as_started("/home/stbench tune st-stbench run stbench.sif") == "/home/stbench tune st-stbench run stbench.sif"
    )


@pytest.mark.parametrize(
    ("started", "activated", "text"),
    [
        ("{venv}/bin/stbench", True, "say 'stbench report'"),
        ("{venv}/bin/stbench", False, "say '.venv/bin/stbench report'"),
        ("bench/__main__.py", True, "say 'python -m bench report'"),
        ("bench/__main__.py", False, "say '.venv/bin/python -m bench report'"),
        ("/elsewhere/stbench", False, "say 'stbench report'"),
    ],
)
def test_outside_an_activated_environment_messages_name_the_program_with_its_path(
    tmp_path, monkeypatch, started, activated, text
):
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("python", "stbench"):
        (programs / name).touch(mode=0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [started.format(venv=tmp_path / ".venv")])
    monkeypatch.setattr(sys, "executable", str(programs / "python"))
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    monkeypatch.setattr(sys, "base_prefix", "/usr")
    monkeypatch.setenv("PATH", str(programs) if activated else "/usr/bin")
    assert as_started("say 'stbench report'") == text


def test_a_package_that_is_not_there_is_one_sentence():
    bare = [sys.executable, "-S", "-m", "bench", "report"]  # without what is installed
    answer = subprocess.run(
        bare, cwd=ROOT, capture_output=True, text=True, check=False, env={"PATH": os.environ["PATH"]}
    )
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.startswith(f"error: {sys.executable} has no package ")
    assert answer.stderr.count("\n") == 1


def test_things_are_counted_in_right_english():
    assert [counted(n, "data set") for n in (0, 1, 2)] == ["0 data sets", "1 data set", "2 data sets"]
    assert [counted(n, "study", "studies") for n in (1, 2)] == ["1 study", "2 studies"]


def test_a_dry_run_says_which_data_and_weights_are_missing_and_how_to_get_them(tmp_path, monkeypatch):
    monkeypatch.setattr("bench.catalog.pretrained.is_here", lambda source: False)
    chosen = Selection(
        models=("chronos_bolt",),
        datasets=("bikenyc", "control_noise"),
        seeds=(0,),
        overrides=("model.weights=pretrained", "model.checkpoint=chronos_bolt_tiny"),
    )
    catalog = Catalog(data_dir=None, cache=tmp_path)
    runs = plan(load_suite("zero_shot"), chosen, catalog)
    data, weights = missing(runs, catalog)
    assert data.startswith("no files of bikenyc are here")
    assert "'stbench data fetch bikenyc' downloads" in data
    assert "the pre-trained weights chronos_bolt_tiny are not on" in weights
    assert "'stbench weights fetch chronos_bolt_tiny' downloads them" in weights
    monkeypatch.setattr("bench.catalog.pretrained.is_here", lambda source: "bolt-base" in str(source))
    _, with_another = missing(runs, catalog)
    assert (
        with_another == f"{weights}; chronos_bolt_base is here: --set model.checkpoint=chronos_bolt_base, or settings="
    )
    monkeypatch.setattr("bench.catalog.pretrained.is_here", lambda source: True)
    assert list(missing(runs, catalog)) == [data]
    (pointer := tmp_path / "model.safetensors").write_bytes(POINTER)
    monkeypatch.setattr("bench.weights.find", lambda source: (pointer, "folder"))
    assert len(list(missing(runs, catalog))) == 2


@pytest.mark.parametrize("models", [("st_llm", "time_llm"), ("time_llm", "st_llm")])
def test_a_file_that_one_model_alone_reads_is_missed_whatever_the_order_of_models(tmp_path, monkeypatch, models):
    monkeypatch.setattr("bench.catalog.pretrained.is_here", lambda source: "tokenizer" not in str(source))
    settings = ("model.weights=pretrained", "model.llm=gpt2")
    chosen = Selection(models=models, datasets=("control_noise",), seeds=(0,), overrides=settings)
    runs = plan(load_suite("short_term"), chosen, Catalog(data_dir=None, cache=tmp_path))
    assert (
        len(
            list(missing(sorted(runs, key=lambda run: models.index(run.model)), Catalog(data_dir=None, cache=tmp_path)))
        )
        == 1
    )


def test_nothing_is_missing_where_the_data_are_there_and_no_weights_are_read(tmp_path, tiny):
    catalog = Catalog(data_dir=tiny, cache=tmp_path)
    runs = plan(load_suite("short_term"), Selection(models=("last_value",), datasets=("tiny",)), catalog)
    assert list(missing(runs, catalog)) == []


@pytest.mark.slow
def test_the_backend_of_a_notebook_draws_no_figures_of_a_command(tmp_path, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "module://absent_package.backend")
    done = stbench("plots", "short_term", "--results", "results/reference", "--out", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "short_term-1.png").is_file()


def test_after_tuned_settings_the_next_step_is_to_tune_again(catalog):
    (run,) = plan(load_suite("short_term"), Selection(models=("stid",), datasets=("tiny",)), catalog)
    tuned = replace(run, spec=msgspec.structs.replace(run.spec, tuned=True))
    assert _next_step([run]).startswith("For real numbers: the same command with --profile laptop")
    assert _next_step([run, tuned]).startswith("For real numbers: tuning, then the same command with --profile laptop")


@pytest.mark.parametrize(
    "words",
    [
        ("status", "--dataset", "tiny", "--model", "last_value"),
        ("run", "--dry-run", "--dataset", "tiny", "--model", "last_value"),
        ("data", "verify", "tiny"),
        ("data", "list"),
        ("show", "tiny"),
        ("doctor",),
    ],
)
def test_what_only_looks_makes_no_results_folder(words, tiny, tmp_path):
    results = tmp_path / "nix"
    looked = CliRunner().invoke(app, [*words, "--data-dir", str(tiny), "--results", str(results)])
    assert (looked.exit_code, results.exists()) == (0, False), looked.output
    results.mkdir()
    CliRunner().invoke(app, [*words, "--data-dir", str(tiny), "--results", str(results)])
    keeps = words[0] in ("status", "run") or words == ("data", "verify", "tiny")
    assert (results / "cache").exists() == keeps  # for the runs that follow
