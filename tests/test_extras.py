"""What a missing package of an extra comes to: one sentence that names the extra, and nothing else breaks."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.cli.app import app
from bench.errors import MissingPackageError, is_installed, require
from bench.records.record import FailedRun
from bench.records.store import ResultStore
from bench.runs.executors import processes
from bench.runs.executors.direct import Direct

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DISTRIBUTIONS = {  # others are named as they are imported
    "open_clip": "open_clip_torch",
    "sklearn": "scikit-learn",
    "chronos": "chronos-forecasting",
}
EXTRAS = {"vision", "llm", "tsfm", "tuning", "tracking", "ray", "slurm", "formats"}
TUNING = ("tune", "--model", "stid", "--dataset", "tiny", "--no-track")


@pytest.fixture
def without(monkeypatch):
    """Makes packages absent."""

    def hide(*packages):
        for package in packages:
            monkeypatch.setitem(sys.modules, package, None)

    return hide


@pytest.fixture
def stbench(tmp_path, tiny):
    """The command line in this process, on a results folder of its own."""

    def call(*words):
        data = ("--data-dir", str(tiny)) if words[0] in ("run", "tune") else ()
        return CliRunner().invoke(app, [*words, *data, "--results", str(tmp_path / "results")], env={"COLUMNS": "200"})

    return call


def sentence(result):
    assert isinstance(result.exception, MissingPackageError), result.output + repr(result.exception)
    return str(result.exception)


def named(requirements):
    return {re.split(r"[\[<>=]", requirement)[0] for requirement in requirements}


def test_a_missing_package_is_one_sentence(without):
    without("timm")
    assert not is_installed("timm")
    with pytest.raises(MissingPackageError) as error:
        require("timm", "vision", "the model 'stvfm'")
    assert str(error.value) == (
        "the model 'stvfm' needs timm, which is not installed; pip install 'st-vfm-bench[vision]'"
    )


def test_every_extra_that_a_sentence_names_brings_the_package():
    folders = ("bench", "baselines", "stvfm", "datasets")
    texts = [path.read_text(encoding="utf-8") for folder in folders for path in (ROOT / folder).rglob("*.py")]
    asked = {pair for text in texts for pair in re.findall(r'require\("(\w+)", "(\w+)"', text)}
    assert {extra for _, extra in asked} == EXTRAS
    for package, extra in asked:
        assert DISTRIBUTIONS.get(package, package) in named(PROJECT["optional-dependencies"][extra])


def test_the_core_lists_no_package_of_an_extra():
    extras = PROJECT["optional-dependencies"]
    heavy = set().union(*(named(extras[name]) for name in EXTRAS))
    assert not heavy & named(PROJECT["dependencies"])


@pytest.mark.parametrize(("backbone", "package"), [("vit_tiny", "timm"), ("clip_base", "open_clip")])
def test_a_backbone_names_its_extra(without, backbone, package):
    from stvfm.backbones import build

    without(package)
    with pytest.raises(MissingPackageError, match=rf"'{backbone}' needs {package}, .*\[vision\]"):
        build(backbone, "random", (2, 2), 1)


def test_a_language_model_names_its_extra(without):
    from baselines._language import Vocabulary, load

    without("transformers", "tokenizers")
    with pytest.raises(MissingPackageError, match=r"'gpt2_tiny' needs transformers, .*\[llm\]"):
        load("gpt2_tiny", "random", 1)
    with pytest.raises(MissingPackageError, match=r"'gpt2' needs tokenizers, .*\[llm\]"):
        Vocabulary("gpt2", "pretrained", 9)


def test_visionts_names_its_extra(without):
    from baselines._zoo import AUTOENCODERS
    from baselines.visionts import _build

    without("transformers")
    with pytest.raises(MissingPackageError, match=r"'visionts' needs transformers, .*\[vision\]"):
        _build(AUTOENCODERS["vit_mae_tiny"], 1, pretrained=False)


def test_a_download_names_its_extra_and_a_folder_of_weights_needs_none(without, folder):
    from bench.weights import Source, find, locate

    without("huggingface_hub")
    source = Source(repository="owner/name", file="model.safetensors")
    assert find(source) is None
    with pytest.raises(MissingPackageError, match=r"owner/name/model.safetensors needs huggingface_hub, .*\[vision\]"):
        locate(source)
    source.within(folder).parent.mkdir(parents=True)
    source.within(folder).touch()
    assert locate(source) == source.within(folder)


def test_a_model_that_lacks_its_package_is_a_failed_run_and_the_others_go_on(without, stbench, tmp_path, monkeypatch):
    without("timm")  # in this process, so that runs must be made here, too
    monkeypatch.setattr(processes, "make", lambda places: Direct("cpu"))
    result = stbench("run", "--model", "stvfm", "--model", "last_value", "--dataset", "tiny", "--no-track")
    assert result.exit_code == 1
    records = ResultStore(tmp_path / "results").records()
    messages = [record.error.message for record in records if isinstance(record, FailedRun)]
    assert len(messages) == 1
    assert messages[0].endswith("needs timm, which is not installed; pip install 'st-vfm-bench[vision]'")
    assert "1 done, 0 already there, 1 failed" in result.output


def test_tuning_names_its_extra(without, stbench):
    without("optuna")
    assert sentence(stbench(*TUNING)) == (
        "stbench tune needs optuna, which is not installed; pip install 'st-vfm-bench[tuning]'"
    )


@pytest.mark.parametrize("package", ["optuna", "sklearn"])
def test_where_the_importance_of_settings_should_stand_the_figure_names_the_extra(without, package):
    from studies import study, trial

    from bench.analysis.stats.importance import importance

    without(package)
    made = study(trials=tuple(trial(number, 4.0 + number) for number in range(20)))
    assert re.search(rf"needs {package},.*\[tuning\]", importance(made), re.DOTALL)


def test_without_mlflow_a_run_is_not_tracked_and_one_line_says_so(without, stbench, tmp_path):
    without("mlflow")
    result = stbench("run", "--model", "last_value", "--dataset", "tiny")
    assert result.exit_code == 0, result.output
    assert result.output.count("MLflow") == 1
    assert "not tracked: MLflow is not installed (pip install 'st-vfm-bench[tracking]')" in result.output
    assert not (tmp_path / "results" / "mlflow.db").exists()
    assert "MLflow" not in stbench("run", "--model", "last_value", "--dataset", "tiny", "--dry-run").output


@pytest.mark.parametrize(
    ("words", "user"),
    [
        (("run", "--model", "last_value", "--dataset", "tiny", "--tracking-uri", "sqlite:///x.db"), "--tracking-uri"),
        ((*TUNING[:-1], "--tracking-uri", "sqlite:///x.db"), "--tracking-uri"),
        (("sync", "--tracking-uri", "http://user:secret@localhost:9"), "stbench sync"),
        (("ui",), "stbench ui"),
        (("tables", "--from", "mlflow:http://localhost:9"), "MLflow at http://localhost:9"),
        (("report", "--from", "mlflow:http://localhost:9"), "MLflow at http://localhost:9"),
    ],
)
def test_what_was_asked_of_mlflow_names_its_extra(without, stbench, words, user):
    without("mlflow")
    assert sentence(stbench(*words)) == (
        f"{user} needs mlflow, which is not installed; pip install 'st-vfm-bench[tracking]'"
    )
