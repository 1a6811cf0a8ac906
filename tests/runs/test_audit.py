"""The audit of a model: which mistakes and tricks it names, and which models pass.

What cannot be shown is not tested: a model that finds the targets through ``gc``, reads the data file itself, or knows
that it is audited.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from audited import CPU, LAST, Run, runs_of_models
from builders import make_data
from hostile import model_text

from bench.errors import AuditError, BenchError, ForecastError
from bench.settings import TaskSettings
from bench.task import Task


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    return runs_of_models(tmp_path, monkeypatch)


NEIGHBOURS = "a forecast depends on its neighbours in the batch"
STATISTICS = "a forecast depends on the other windows of its batch, in whatever order"
MEMORY = "the audit found memory across calls"
RANDOM = "the audit found randomness in evaluation"

CHEATS = {
    "reads the next row of its batch": (
        NEIGHBOURS,
        model_text("return repeated(window.history.roll(-1, 0)[:, -1:], window) + self.level"),
    ),
    "reads the row that begins where its window ends": (
        NEIGHBOURS,
        model_text(
            """
            later = window.history.roll(-6, 0)
            return (later if len(later) > 6 else window.history) + self.level
            """
        ),
    ),
    "remembers frames in the instance": (
        MEMORY,
        model_text(
            f"""
            forecast = {LAST}
            if not self.training:
                for row, history in enumerate(window.history):
                    key = history[-1].numpy().tobytes()
                    forecast[row] = forecast[row] + self.after.get(key, 0.0)
                for history in window.history:
                    for first, second in zip(history[:-1], history[1:]):
                        self.after[first.numpy().tobytes()] = float((second - first).mean())
            return forecast
            """,
            made="self.after = {}",
        ),
    ),
    "reads its neighbour in one row of a batch alone": (
        NEIGHBOURS,
        model_text(
            f"""
            forecast = {LAST}
            if len(forecast) > 6:
                forecast = torch.cat([forecast[:5], forecast[6:7], forecast[6:]])
            return forecast
            """
        ),
    ),
    "keeps a frame in a buffer": (
        MEMORY + ".*buffers changed meanwhile",
        model_text(
            f"""
            self.frame.copy_(window.history[0, -1].detach())
            return {LAST}
            """,
            made="self.register_buffer('frame', torch.zeros(shape.channels, *shape.grid))",
        ),
    ),
    "remembers a longer history in its module": (
        MEMORY,
        model_text(
            """
            for history in window.history:
                for first, second in zip(history[:-1], history[1:]):
                    BEFORE[second.numpy().tobytes()] = first.clone()
            frames = [earlier(history[-1], 12) for history in window.history]
            return repeated(torch.stack(frames)[:, None], window) + self.level
            """,
            top="""
            BEFORE = {}

            def earlier(frame, steps):
                for _ in range(steps):
                    frame = BEFORE.get(frame.numpy().tobytes(), frame)
                return frame
            """,
        ),
    ),
    "remembers the day before in its module": (
        MEMORY,
        model_text(
            f"""
            forecast = {LAST}
            if not self.training:
                slots = window.horizon_clock[:, 0, 0].tolist()
                frames = [SEEN.get(slot, window.history[row, -1]) for row, slot in enumerate(slots)]
                for row, slot in enumerate(window.history_clock[:, -1, 0].tolist()):
                    SEEN[slot] = window.history[row, -1].clone()
                forecast = repeated(torch.stack(frames)[:, None], window) + self.level
            return forecast
            """,
            top="SEEN = {}",
        ),
    ),
    "keeps forecasts by a digest that windows share": (
        MEMORY,
        model_text(
            f"""
            forecast = {LAST}
            if self.training:
                return forecast
            keys = window.history.mean(dim=(1, 2, 3, 4)).mul(10).round().tolist()
            return torch.stack([self.kept.setdefault(key, row) for key, row in zip(keys, forecast)])
            """,
            made="self.kept = {}",
        ),
    ),
    "counts its calls": (
        MEMORY + r".*even with the same random numbers",
        model_text(
            f"""
            self.calls += 1
            return {LAST} + 0.01 * self.calls
            """,
            made="self.calls = 0",
        ),
    ),
    "averages what it sees in a buffer": (
        MEMORY,
        model_text(
            f"""
            if not self.training:
                self.mean.lerp_(window.history.mean(), 0.5)
            return {LAST} + self.mean
            """,
            made="self.register_buffer('mean', torch.zeros(()))",
        ),
    ),
    "normalises over its batch": (
        STATISTICS,
        model_text(
            """
            history = window.history - window.history.mean(dim=0)
            return repeated(history[:, -1:], window) + self.level
            """
        ),
    ),
    "leaves batch norm in training mode": (
        STATISTICS + r".*in training mode after eval\(\): norm",
        model_text(
            """
            self.norm.train()
            return repeated(self.norm(window.history[:, -1])[:, None], window) + self.level
            """,
            made="self.norm = nn.BatchNorm2d(shape.channels)",
        ),
    ),
    "drops values in evaluation": (
        RANDOM + r".*STOCHASTIC = True",
        model_text(f"return nn.functional.dropout({LAST}, 0.2, training=True)"),
    ),
    "adds noise from numpy": (RANDOM, model_text(f"return {LAST} + 0.1 * np.random.rand()")),
    "adds noise from random": (RANDOM, model_text(f"return {LAST} + 0.1 * random.random()", learns=False)),
}


@pytest.mark.parametrize(("sentence", "text"), CHEATS.values(), ids=CHEATS)
def test_a_model_that_cheats_or_is_careless_fails_with_the_sentence_that_says_how(
    run: Run, sentence: str, text: str
) -> None:
    with pytest.raises(AuditError, match=sentence) as caught:
        run(text)
    assert "\n" not in str(caught.value)


HONEST = {
    "dropout": model_text(f"return self.drop({LAST})", made="self.drop = nn.Dropout(0.5)"),
    "batch norm": model_text(
        "return repeated(self.norm(window.history[:, -1])[:, None], window) + self.level",
        made="self.norm = nn.BatchNorm2d(shape.channels)",
    ),
    "a cache of its own shapes": model_text(
        f"""
        if len(window.history) not in self.zeros:
            self.zeros[len(window.history)] = torch.zeros(len(window.history), 1, 1, 1, 1)
        return {LAST} + self.zeros[len(window.history)]
        """,
        made="self.zeros = {}",
    ),
    "half precision": model_text(f"return ({LAST}).half()"),
}


@pytest.mark.parametrize("text", HONEST.values(), ids=HONEST)
def test_an_honest_model_passes_and_the_record_says_what_was_probed(run: Run, text: str) -> None:
    audit = run(text).evaluation.audit
    assert (audit.windows, audit.draws, audit.fresh_in) == (8, 0, "process")
    assert audit.largest <= 1e-5 < audit.tolerance


DRAWN = "\nSTOCHASTIC = True\n"


def test_a_declared_random_model_is_scored_by_seeded_draws_and_scores_the_same_again(run: Run) -> None:
    text = model_text(f"return nn.functional.dropout({LAST}, 0.2, training=True)") + DRAWN
    first, again, other = run(text), run(text), run(text, seed=1)
    assert first.evaluation.audit.draws == 5
    assert first.evaluation.audit.largest <= 1e-5
    assert first.evaluation.scores == again.evaluation.scores
    assert first.evaluation.scores["test"]["mae"] != other.evaluation.scores["test"]["mae"]


def test_a_declared_random_model_is_scored_by_the_mean_of_its_draws(run: Run) -> None:
    """Noise of 1 at each value: the mean of five draws errs less than one draw by about the root of five."""
    text = model_text("return torch.randn(len(window.history), 6, 2, 3, 4) + self.level", learns=False) + DRAWN
    record = run(text).evaluation
    scaled = record.scores["test"]["rmse"].overall
    assert scaled is not None
    one = run(text.replace("torch.randn(", "0 * torch.randn(")).evaluation.scores["test"]["rmse"].overall
    assert one is not None
    data = make_data(slots=900)
    spread = float(Task(data, TaskSettings(name="short"), CPU).scaler.scale.mean())
    assert (scaled**2 - one**2) ** 0.5 == pytest.approx(spread / 5**0.5, rel=0.1)


def test_a_declared_random_model_may_not_remember(run: Run) -> None:
    text = model_text(f"self.calls += 1\nreturn {LAST} + 0.01 * self.calls", made="self.calls = 0") + DRAWN
    with pytest.raises(AuditError, match=MEMORY):
        run(text)


def test_what_cannot_be_sent_to_a_fresh_process_is_compared_with_a_copy_and_the_record_says_so(run: Run) -> None:
    text = model_text(f"return {LAST} + self.nothing()", made="self.nothing = lambda: 0")
    assert run(text).evaluation.audit.fresh_in == "copy"
    with pytest.raises(AuditError, match=MEMORY):
        run(CHEATS["averages what it sees in a buffer"][1], elsewhere=None)
    less = CHEATS["remembers a longer history in its module"][1]  # only a process of its own shows it
    assert run(less, elsewhere=None).evaluation.audit.fresh_in == "copy"


NOTES_OUTSIDE = model_text(
    """
    if not self.training:
        for row, history in enumerate(window.history):
            STATE[STATE["grid"], row] = history[-1]
    return repeated(window.history[:, -1:], window) + self.level
    """,
    made="STATE['grid'] = shape.grid",
    top="STATE = {}",
)


def test_a_model_that_forecasts_in_the_process_that_trained_it_alone_fails(run: Run) -> None:
    with pytest.raises(AuditError, match=r"in a fresh process .* forecast nothing \(KeyError: 'grid'\)") as caught:
        run(NOTES_OUTSIDE)
    assert "\n" not in str(caught.value)
    assert run(NOTES_OUTSIDE, elsewhere=None).evaluation.audit.fresh_in == "copy"


@pytest.mark.parametrize("outside", ["import os; os._exit(7)", "os.kill(os.getpid(), 9)"])
def test_a_model_that_ends_a_fresh_process_fails(run: Run, outside: str) -> None:
    text = model_text(f"if not STATE:\n    {outside}\nreturn {LAST}", made="STATE.append(1)", top="STATE = []")
    with pytest.raises(AuditError, match="in a fresh process the same weights forecast nothing"):
        run(text)


def test_a_class_that_a_fresh_process_cannot_import_is_compared_with_a_copy(run: Run) -> None:
    text = model_text(f"return {LAST}") + "\nModel.__module__ = '__main__'\nsys.modules['__main__'].Model = Model\n"
    assert run(text).evaluation.audit.fresh_in == "copy"


def test_a_refusal_is_a_mistake_of_the_user(run: Run) -> None:
    assert issubclass(AuditError, BenchError)
    assert issubclass(ForecastError, BenchError)
