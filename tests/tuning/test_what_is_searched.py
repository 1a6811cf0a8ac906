"""What a study searches: declared spaces without what is set, by model and variant, and the edges of a range."""

from __future__ import annotations

from dataclasses import replace

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from studies import BUDGET, tune

from bench.cli.tune import jobs_of
from bench.config import Space
from bench.runs.datasets import refuse
from bench.runs.plan import Selection, plan
from bench.runs.suite import load_suite
from bench.runs.tuned import TunedFolder
from bench.tuning.search import winner
from bench.tuning.studies import scales
from bench.tuning.study import Scale, distribution, edges
from bench.tuning.trials import studies, study_of, write_trials


def test_declared_spaces_become_distributions_and_a_default_always_belongs():
    spaces = {
        "a": Space(choices=(1, 2)),
        "b": Space(low=0.1, high=0.5),
        "c": Space(low=1e-4, high=1e-2, log=True),
        "d": Space(low=1, high=8),
    }
    searched = scales(spaces, {"a": 4, "b": 0.6, "c": 1e-3, "d": 3})
    assert {name: distribution(scale) for name, scale in searched.items()} == {
        "a": CategoricalDistribution((1, 2, 4)),
        "b": FloatDistribution(0.1, 0.6),
        "c": FloatDistribution(1e-4, 1e-2, log=True),
        "d": IntDistribution(1, 8),
    }


def test_what_is_set_by_hand_is_not_searched(make_job):
    job = make_job(overrides=(*BUDGET, "model.width=16", "train.lr=0.001"))
    assert sorted(job.space) == ["model.dropout", "model.layers"]
    assert job.run.spec.config["width"] == 16
    assert make_job("last_value") is None


def test_a_study_is_named_after_what_it_tunes_and_other_settings_start_another(make_job):
    first, again, other = make_job(), make_job(), make_job(overrides=(*BUDGET, "train.loss=mse"))
    assert first.study.startswith("tiny/stid/short/strict/quick/")
    assert first.study == again.study
    assert first.study != other.study


def test_what_is_searched_and_on_what_decides_the_draws(make_job):
    job = make_job()
    others = [
        make_job("dlinear"),
        replace(job, run=replace(job.run, variant=("model.width=16",))),
        replace(job, space={name: space for name, space in job.space.items() if name != "model.width"}),
    ]
    assert len({job.draws, *(other.draws for other in others)}) == 1 + len(others)


def test_every_control_is_a_study_by_itself_around_its_own_settings(catalog):
    jobs, _ = jobs_of(load_suite("controls"), Selection(datasets=("tiny",), overrides=BUDGET), catalog, "cpu", refuse)
    assert [job.name for job in jobs] == [
        "stvfm",
        "stvfm@control-shuffled",
        "stvfm@control-identity+weights-none",
        "stvfm@control-attention+weights-none",
        "stvfm@control-scratch+weights-none",
    ]
    assert len({job.study for job in jobs}) == len({job.draws for job in jobs}) == len(jobs)
    assert {job.run.spec.config["control"] for job in jobs} == {"none", "shuffled", "identity", "attention", "scratch"}
    assert all("train.lr" in job.space for job in jobs)
    assert jobs[1].title == "tiny / shuffled tokens"


def test_what_a_variant_sets_is_not_searched(catalog):
    jobs, _ = jobs_of(load_suite("ablation"), Selection(datasets=("tiny",)), catalog, "cpu", refuse)
    held = {job.run.method: {text.partition("=")[0] for text in job.run.variant} for job in jobs}
    assert any(held.values())
    assert not any(held[job.run.method] & job.space.keys() for job in jobs)


@pytest.mark.parametrize(
    ("scale", "edge", "inside"),
    [
        (Scale(low=-1.0, high=1.0), (-1.0, -0.9, 0.9, 1.0), (-0.88, 0.0, 0.88)),
        (Scale(low=0.0, high=1.0), (0.95, 1.0), (0.0, 0.05, 0.5, 0.94)),  # a rate has nothing below 0
        (Scale(choices=(0.0, 0.1, 0.2)), (0.2,), (0.0, 0.1)),
        (Scale(low=1e-5, high=1e-2, log=True), (1e-5, 1.3e-5, 8e-3, 1e-2), (1.5e-5, 5e-4, 7e-3)),
        (Scale(low=1, high=8, whole=True), (1, 8), (2, 7)),
        (Scale(choices=(16, 64, 32)), (16, 64), (32,)),
        (Scale(choices=(1, 2)), (), (1, 2)),
        (Scale(choices=("a", "b", "c")), (), ("a", "b", "c")),
        (Scale(choices=(True, False, 2)), (), (True, False, 2)),
        (Scale(low=3.0, high=3.0), (), (3.0,)),
    ],
)
def test_a_value_within_five_percent_of_an_end_is_at_the_edge(scale, edge, inside):
    assert [value for value in edge if not scale.at_edge(value)] == []
    assert [value for value in inside if scale.at_edge(value)] == []


def test_the_files_of_a_variant_lie_beside_those_of_its_model_and_are_what_its_run_takes(catalog, workplace, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        'name = "mine"\ntitle = "Mine"\ntasks = ["short"]\nprotocol = "strict"\ndatasets = ["tiny"]\nmodels = []\n'
        '[[variants]]\nname = "narrow"\nmodel = "stid"\nsettings = { width = 8 }\n'
        '[[variants]]\nname = "as it is"\nmodel = "stid"\n',
        encoding="utf-8",
    )
    suite, selection = load_suite(str(path)), Selection(datasets=("tiny",), overrides=BUDGET)
    folder, lr = TunedFolder(tmp_path), {}
    for job in jobs_of(suite, selection, catalog, "cpu", refuse)[0]:
        study = tune(workplace, job, trials=3)
        best = winner(study)
        folder.write("tiny", "stid", "short", best, job.slug)
        write_trials(tmp_path, study_of(study))
        lr[job.run.method] = best.train["lr"]
        assert best.found.variant == job.run.variant
        assert all(trial.params.get("model.width") is None for trial in study.trials()) == (job.slug == "width-8")
    names = {path.name for path in (tmp_path / "tuned" / "tiny").iterdir()}
    assert names == {"stid.toml", "stid.trials.json", "stid@width-8.toml", "stid@width-8.trials.json"}
    assert [study.name for study in studies(tmp_path)] == ["stid", "stid@width-8"]
    equal = suite.model_copy(update={"tuned": True})
    runs = {run.method: run for run in plan(equal, selection, catalog, folder)}
    assert {method: run.spec.train.lr for method, run in runs.items()} == lr
    assert (runs["narrow"].spec.config["width"], runs["narrow"].spec.tuned_with) == (8, "3 trials")


def test_the_edge_of_the_best_trial_is_found_with_it(make_job, workplace):
    study = tune(workplace, make_job(), trials=2)
    best = study.best()
    found = winner(study).found
    assert found.edges == tuple(
        name for name in sorted(best.params) if make_job().scales[name].at_edge(best.params[name])
    )
    assert edges(make_job().scales, {"train.lr": 1e-5, "model.layers": 2, "model.dropout": 0.2}) == ("train.lr",)
