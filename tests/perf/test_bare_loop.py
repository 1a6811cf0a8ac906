"""The bare loop does all that the trainer does: else it would be no measure of it."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from builders import make_data
from training import gappy
from typer.testing import CliRunner

from bench.errors import TrainingError
from bench.perf import bare_loop
from bench.settings import TrainSettings

SHORT = TrainSettings(epochs=2, batch_size=32, patience=9, precision="fp32")


def compared(model, data):
    return bare_loop.compared(model, data, SHORT, threads=1)


@pytest.mark.parametrize("model", ["stid", "convlstm", "stvfm"])
def test_the_curve_of_the_bare_loop_is_that_of_the_trainer(model):
    ours, bare = compared(model, make_data(slots=160))
    assert bare.losses == pytest.approx(ours.losses, rel=1e-5)
    assert bare.maes == pytest.approx(ours.maes, rel=1e-5)
    assert len(ours.seconds) == len(bare.seconds) == SHORT.epochs
    assert ours.losses[0] > ours.losses[-1]


def test_so_it_is_with_days_before_where_values_are_missing_and_time_has_gaps():
    gaps = make_data(slots=600, segments=((0, 350), (370, 600)))
    for data in (gappy(), gaps):
        ours, bare = compared("stresnet", data)
        assert bare.losses == pytest.approx(ours.losses, rel=1e-5)
        assert bare.maes == pytest.approx(ours.maes, rel=1e-5)


@pytest.mark.parametrize(
    ("holder", "name", "instead"),
    [
        (bare_loop, "nn", SimpleNamespace(utils=SimpleNamespace(clip_grad_norm_=lambda *_: None))),
        (bare_loop.BareLoop, "_validate", lambda self: 1.0),
        (bare_loop.torch.optim, "AdamW", bare_loop.torch.optim.Adam),
    ],
    ids=["clipping", "validation", "optimizer"],
)
def test_a_bare_loop_that_does_less_is_no_comparison(holder, name, instead, monkeypatch):
    monkeypatch.setattr(holder, name, instead)
    with pytest.raises(TrainingError, match="stid learns otherwise in the bare loop"):
        bare_loop.compared("stid", make_data(slots=200), replace(SHORT, clip=0.1), threads=1)


def test_fewer_slots_keep_whole_pieces_without_gaps():
    data = make_data(slots=400, segments=((0, 100), (120, 400)), mask=np.ones((400, 2, 3, 4), dtype=bool))
    few = bare_loop.first_slots(data, 110)
    assert (len(few.values), len(few.clock), len(few.mask), few.segments) == (110, 110, 110, ((0, 100),))
    assert bare_loop.first_slots(data, 130).segments == ((0, 100), (120, 130))
    assert bare_loop.first_slots(data, 400) is data


def test_fewer_slots_of_a_mapped_file_are_its_first(tmp_path):
    data = make_data(slots=400)
    np.save(tmp_path / "values.npy", data.values)
    few = bare_loop.first_slots(replace(data, values=np.load(tmp_path / "values.npy", mmap_mode="r")), 110)
    assert (few.values == data.values[:110]).all()
    assert few.segments == ((0, 110),)


def test_the_command_has_a_row_for_each_model_and_number_of_threads(tmp_path):
    import typer

    app = typer.Typer()
    app.command()(bare_loop.main)
    result = CliRunner().invoke(app, ["stid", "--slots", "120", "--rounds", "1", "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    rows = [line.split(" | ")[:2] for line in (tmp_path / "bare_loop.md").read_text().splitlines() if "stid" in line]
    assert rows == [["| stid", "1"], ["| stid", "2"]]
