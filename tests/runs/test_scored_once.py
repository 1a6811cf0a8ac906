"""Every split is forecast once: what training scored after its best epoch is what a run tells and audits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from audited import CPU, LAST, TRAIN, Run, runs_of_models
from builders import make_data
from hostile import model_text, written
from torch import Tensor

from bench.context import RunContext
from bench.errors import AuditError
from bench.forecast import Sampling
from bench.runs import evaluator
from bench.runs.evaluator import RunOutcome
from bench.scoring import EVALUATION_BATCH, Scored, score
from bench.settings import TaskSettings, TrainSettings
from bench.task import Task
from bench.train import Trainer, make_model, train_model
from bench.windows import WindowSet


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    return runs_of_models(tmp_path, monkeypatch)


FAST = TrainSettings(epochs=5, steps_per_epoch=2, batch_size=8, precision="fp32", lr=0.3, patience=9)
FAR = "self.level.data.fill_(0.6)"
LEARNS = model_text(f"return {LAST}", made=FAR)
RANDOM = model_text(f"return nn.functional.dropout({LAST}, 0.2, training=True)", made=FAR) + "\nSTOCHASTIC = True\n"


class Killed(Exception):  # noqa: N818 - stands for kill -9
    pass


def toy() -> Task:
    return Task(make_data(slots=900), TaskSettings(name="short"), CPU)


def trainer(folder: Path, name: str, sampling: Sampling | None = None) -> Trainer:
    """A model that learns so fast that its best epoch is not its last."""
    task, plugin, context = toy(), written(folder, name, RANDOM if sampling else LEARNS), RunContext(seed=0, device=CPU)
    context.begin()
    return Trainer(make_model(plugin, {}, task.shape, CPU), task, FAST, context, sampling)  # type: ignore[arg-type]


def equal(first: Scored, second: Scored) -> bool:
    same = zip(first.tensors().values(), second.tensors().values(), strict=True)
    return all(torch.equal(one, other) for one, other in same)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("sampling", [None, Sampling(seed=0)], ids=["plain", "random on purpose"])
def test_training_keeps_validation_as_the_restored_weights_forecast_it(folder: Path, sampling: Sampling | None) -> None:
    one = trainer(folder, f"kept_{sampling is None}", sampling)
    training = one.run()
    assert 1 < training.best_epoch < training.epoch
    again = score(one.model, one.task.val, one.task, precision="fp32", sampling=sampling)
    assert training.val is not None
    assert equal(training.val, again)
    assert training.val.sums.scores()["mae"].overall == training.best_mae


@pytest.mark.parametrize("after", [1, 3, 5])
def test_a_killed_run_goes_on_with_the_validation_of_its_best_epoch_to_the_last_bit(folder: Path, after: int) -> None:
    def kill(row: dict[str, float]) -> None:
        if row["epoch"] == after:
            raise Killed

    wanted = trainer(folder, f"whole_{after}").run()
    with pytest.raises(Killed):
        trainer(folder, f"killed_{after}").run(folder / "run.pt", kill)
    training = trainer(folder, f"resumed_{after}").run(folder / "run.pt")
    assert training.curve == wanted.curve
    assert wanted.val is not None
    assert training.val is not None
    assert equal(training.val, wanted.val)


def passes(monkeypatch: pytest.MonkeyPatch, carry_out: Callable[[], RunOutcome]) -> Counter[int]:
    """How often each slot is the origin of a window that is scored."""
    seen: Counter[int] = Counter()
    target = WindowSet.target

    def note(windows: WindowSet, chosen: Tensor) -> tuple[Tensor, Tensor]:
        if torch.is_inference_mode_enabled():
            seen.update(windows.origins[chosen].tolist())
        return target(windows, chosen)

    with monkeypatch.context() as patch:
        patch.setattr(WindowSet, "target", note)
        carry_out()
    return seen


@pytest.mark.parametrize(
    ("text", "times"),
    [
        (LEARNS, TRAIN.epochs),
        (model_text("return repeated(window.history[:, -1:], window)", learns=False), 1),
        (model_text(f"return {LAST}") + "    def fit(self, series):\n        pass\n", 1),
    ],
    ids=["trained", "with nothing to train", "fitted"],
)
def test_validation_is_forecast_once_an_epoch_or_once(
    run: Run, monkeypatch: pytest.MonkeyPatch, text: str, times: int
) -> None:
    seen = passes(monkeypatch, lambda: run(text))
    assert {seen[int(origin)] for origin in toy().val.origins} == {times}


def test_the_record_is_the_same_as_if_validation_were_forecast_again(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def forgetful(*known: object, **choices: object) -> object:
        training = train_model(*known, **choices)  # type: ignore[arg-type]
        training.val = None
        return training

    for text in (LEARNS, RANDOM):
        once = run(text).evaluation
        with monkeypatch.context() as patch:
            patch.setattr(evaluator, "train_model", forgetful)
            twice = run(text).evaluation
        assert once.scores == twice.scores
        assert (once.checkpoint_sha256, once.windows) == (twice.checkpoint_sha256, twice.windows)
        assert once.audit == twice.audit


OUTSIDE = {
    "a number that training moves": model_text(
        f"""
        if self.training:
            self.steps += 0.01
        return {LAST} + self.steps
        """,
        made="self.steps = 0.0",
    ),
    "a buffer that is not stored": model_text(
        f"""
        if self.training:
            self.steps += 0.01
        return {LAST} + self.steps
        """,
        made="self.register_buffer('steps', torch.zeros(()), persistent=False)",
    ),
}


@pytest.mark.parametrize("text", OUTSIDE.values(), ids=OUTSIDE)
def test_a_model_whose_stored_weights_are_not_all_of_it_fails(run: Run, text: str) -> None:
    with pytest.raises(AuditError, match="differs by"):
        run(text)


def test_weights_that_are_restored_wrongly_fail_the_audit(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(*known: object, **choices: object) -> object:
        training = train_model(*known, **choices)  # type: ignore[arg-type]
        with torch.no_grad():
            for weight in known[0].parameters():  # type: ignore[attr-defined]
                weight += 0.01
        return training

    monkeypatch.setattr(evaluator, "train_model", careless)
    with pytest.raises(AuditError, match="the audit found memory"):
        run(LEARNS)


# What is kept -------------------------------------------------------------------------------------------------------


def test_probes_are_single_windows_of_the_first_the_middle_and_the_last_batch() -> None:
    task = toy()

    def model(window: object) -> Tensor:
        return window.history[:, -1:].expand(-1, 6, -1, -1, -1)  # type: ignore[attr-defined,no-any-return]

    scored = score(model, task.val, task, precision="fp32", batch_size=10, keep_batches=True)
    batches = list(range(0, len(task.val), 10))
    first = [batches[0], batches[round((len(batches) - 1) / 2)], batches[-1]]
    assert [chosen[0].item() for chosen, _ in scored.batches] == first
    kept = torch.cat([chosen for chosen, _ in scored.batches])
    assert scored.positions.tolist() == kept[torch.linspace(0, len(kept) - 1, 8).round().long()].tolist()
    torch.testing.assert_close(scored.forecasts, model(task.val.window(scored.positions)), rtol=0, atol=0)
    for chosen, forecast in scored.batches:
        wanted = model(task.val.window(chosen))
        torch.testing.assert_close(forecast, wanted.flatten(3), rtol=0, atol=0)
        torch.testing.assert_close(forecast, scored.at_cells(wanted), rtol=0, atol=0)


def test_of_a_large_batch_some_cells_are_kept_and_of_a_split_that_nobody_compares_no_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = toy()

    def model(window: object) -> Tensor:
        return window.history[:, -1:].expand(-1, 6, -1, -1, -1)  # type: ignore[attr-defined,no-any-return]

    monkeypatch.setattr("bench.scoring.KEPT", 64 * 6 * 2 * 5)
    scored = score(model, task.val, task, precision="fp32", keep_batches=True)
    assert scored.cells is not None
    assert len(np.unique(scored.cells)) == 5
    for chosen, forecast in scored.batches:
        wanted = model(task.val.window(chosen)).flatten(3)[..., scored.cells]
        torch.testing.assert_close(forecast, wanted, rtol=0, atol=0)
    assert all(chosen.numel() <= EVALUATION_BATCH for chosen, _ in scored.batches)
    assert score(model, task.val, task, precision="fp32").batches == ()
