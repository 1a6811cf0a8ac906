"""Suites and commands that make runs again: just these, with their ids and labels."""

from __future__ import annotations

import re
import shlex

import msgspec
import pytest
from records import record
from studies import tuned

from bench.analysis.report.facts import commits_text
from bench.analysis.reproduction import folders_text, reproduction
from bench.analysis.results import Results
from bench.analysis.supplement import supplement, write_zip
from bench.catalog import registry
from bench.records.store import ResultStore
from bench.runs.plan import Selection, plan
from bench.runs.suite import load_suite
from bench.runs.tuned import TunedFolder


def without_suite(label):
    return msgspec.structs.replace(label, suite="")


def replanned(commands, folder, catalog, results):
    """The runs of these commands, which are read as the command line does; the suite is another one."""
    runs = {}
    for command in commands:
        words = shlex.split(command)
        options: dict[str, list[str]] = {}
        for name, value in zip(words, [*words[1:], ""], strict=True):
            if name.startswith("--"):
                options.setdefault(name, []).append(value)
        chosen = Selection(
            variants=tuple(options["--variant"]),
            datasets=tuple(options["--dataset"]),
            seeds=tuple(map(int, options["--seed"])),
            profile=options["--profile"][0],
            task=options.get("--task", [None])[0],
            overrides=tuple(options.get("--set", ())),
        )
        folder_of_tuned = TunedFolder(results) if "--tuned" in options else None
        suite, device = load_suite(str(folder / options["--suite"][0])), options.get("--device", ["auto"])[0]
        made = plan(suite, chosen, catalog, folder_of_tuned, device)
        runs |= {run.run_id: without_suite(run.label) for run in made}
    return runs


def planned_record(run):
    """A finished record of a planned run that nobody ran."""
    shell = record(run.dataset)
    role = registry.role(run.model)
    return msgspec.structs.replace(shell, run_id=run.run_id, code=run.code, spec=run.spec, label=run.label, role=role)


def test_the_commands_make_just_the_runs_that_were_made_with_their_labels(catalog, tmp_path):
    suites = [
        ("short_term", Selection(models=("last_value", "stid"), datasets=("tiny", "tiny2"), seeds=(0, 1))),
        ("short_term", Selection(models=("stid",), datasets=("tiny",), overrides=("train.epochs=2", "model.width=64"))),
        ("short_term", Selection(models=("stid",), datasets=("tiny",), overrides=("task.history=8",))),
        ("short_term", Selection(models=("stid",), datasets=("tiny",), overrides=("task.scored=0",))),
        ("short_term", Selection(models=("stid", "last_value"), datasets=("tiny",), overrides=("task.scored=7",))),
        ("few_shot", Selection(models=("dlinear",), datasets=("tiny2",))),
        ("controls", Selection(variants=("no backbone", "random, frozen"), datasets=("tiny",))),
        ("few_shot", Selection(models=("stid",), datasets=("tiny",), task="few5", protocol="unist")),
        ("few_shot", Selection(models=("stid",), datasets=("tiny",), overrides=("task.windows=first",))),
        ("same_information", Selection(models=("stid",), datasets=("tiny",), overrides=("task.calendar=false",))),
        ("controls", Selection(variants=("shuffled tokens",), datasets=("tiny",), overrides=("model.depth=2",))),
    ]
    planned = {run.run_id: run for name, chosen in suites for run in plan(load_suite(name), chosen, catalog)}
    records = [planned_record(run) for run in planned.values()]
    made = reproduction(records)
    for suite in made:
        (tmp_path / suite.path).write_text(suite.text, encoding="utf-8")
    commands = [command for suite in made for command in suite.commands]
    wanted = {run_id: without_suite(run.label) for run_id, run in planned.items()}
    assert replanned(commands, tmp_path, catalog, tmp_path) == wanted
    assert reproduction(records[::-1]) == made


def test_runs_of_a_cpu_are_made_on_one_where_a_gpu_has_another_precision():
    on_cpu, on_gpu = record(), record(seed=1, device="NVIDIA H100")
    train = msgspec.structs.replace(on_gpu.spec, train=type(on_gpu.spec.train)(epochs=2, precision="bf16"))
    first, second = reproduction([on_cpu, msgspec.structs.replace(on_gpu, spec=train)])
    assert [suite.path for suite in reproduction([on_cpu, on_gpu], "suites/")] == [
        "suites/reproduce_1.toml",
        "suites/reproduce_2.toml",
    ]
    assert "--device" not in first.commands[0]
    assert "--device cpu" in second.commands[0]


def test_a_command_names_a_folder_of_weights_where_they_are_read_and_a_new_one_for_results():
    (without,), (reading,) = (reproduction([record(weights=weights)]) for weights in ("random", "pretrained"))
    assert all("--results DIR2" in suite.commands[0] for suite in (without, reading))
    assert ["--weights-dir DIR3" in suite.commands[0] for suite in (without, reading)] == [False, True]
    assert ["DIR3" in folders_text([suite]) for suite in (without, reading)] == [False, True]
    assert folders_text([without]) == "DIR is the folder of the data, DIR2 a new one for the results."


def test_the_title_of_a_suite_does_not_name_the_profile_which_the_command_gives():
    (suite,) = reproduction([record(profile="reference")])
    assert "reference" not in suite.text
    assert "--profile reference" in suite.commands[0]


def test_commits_are_named_with_their_models_where_there_are_several():
    def at(commit, model):
        run = record(model=model)
        return msgspec.structs.replace(run, environment=msgspec.structs.replace(run.environment, commit=commit))

    assert commits_text([at("a1", "stid"), at("a1", "unet"), at("b2", "unet")]) == "a1 (stid, unet); b2 (unet)"
    assert commits_text([at("a1", "stid"), at("a1", "dlinear")]) == "a1"


@pytest.mark.slow
def test_tuned_runs_are_made_again_from_their_files(catalog, tmp_path):
    TunedFolder(tmp_path).write("tiny", "stid", "short", tuned(profile="quick"))
    chosen = Selection(models=("stid", "last_value"), datasets=("tiny",))
    runs = plan(load_suite("short_term"), chosen, catalog, TunedFolder(tmp_path))
    import torch

    from bench.runs.runner import Runner

    Runner(catalog, tmp_path, torch.device("cpu")).run(runs)
    files = supplement(Results(ResultStore(tmp_path).records()), tmp_path, (), lambda _: None)
    write_zip(files, tmp_path / "s.zip")
    home = tmp_path / "there"
    for name, content in files.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_bytes(content)
    commands = re.findall(r"stbench run(?:.*\\\n)*.*", (home / "README.txt").read_text(encoding="utf-8"))
    assert set(replanned(commands, home, catalog, home / "results")) == {run.run_id for run in runs}
