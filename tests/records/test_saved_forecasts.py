"""Files of forecasts: plain arrays that numpy opens, whole or not there."""

from __future__ import annotations

import errno
import os
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.errors import NoSpaceError, StoreError
from bench.records.saved import Saving, saved_path
from bench.records.saved_forecasts import About, forecasts_file, write_template

SHAPE = (5, 2, 1, 3, 4)
ABOUT = About(
    origins=np.arange(100, 105),
    times=np.datetime64("2024-03-01T00:00", "s") + np.arange(5) * np.timedelta64(30, "m"),
    shape=np.array(SHAPE),
    channels=np.array(["in"]),
    units=np.array(["trips"]),
    dataset="tiny",
    data_sha256="d" * 64,
    task="{}",
    seed=3,
)
FORECASTS = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)


def written(path: Path, *pieces: np.ndarray) -> None:
    with forecasts_file(path, ABOUT) as add:
        for piece in pieces:
            add(piece)


def test_numpy_opens_what_is_written_piece_by_piece_without_unpickling(tmp_path):
    written(tmp_path / "made" / "f.npz", FORECASTS[:2], FORECASTS[2:])
    with np.load(tmp_path / "made" / "f.npz", allow_pickle=False) as file:
        found = dict(file)
    np.testing.assert_array_equal(found["forecasts"], FORECASTS)
    assert found["forecasts"].dtype == np.float32
    assert found.keys() == {*ABOUT.arrays(), "forecasts"}
    np.testing.assert_array_equal(found["times"], ABOUT.times)
    assert (str(found["dataset"]), int(found["seed"]), list(found["channels"])) == ("tiny", 3, ["in"])


def test_the_file_is_compressed_and_equal_forecasts_are_equal_bytes(tmp_path):
    for name in ("a.npz", "b.npz"):
        written(tmp_path / name, np.zeros(SHAPE, np.float32))
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        info = archive.getinfo("forecasts.npy")
    assert info.compress_size < info.file_size / 2
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_times_that_are_not_known_are_left_out(tmp_path):
    write_template(tmp_path / "t.npz", replace(ABOUT, times=None))
    assert "times" not in np.load(tmp_path / "t.npz")


@pytest.mark.parametrize("pieces", [(FORECASTS[:3],), (FORECASTS, FORECASTS)], ids=["too few", "too many"])
def test_forecasts_of_too_few_or_too_many_windows_leave_no_file(tmp_path, pieces):
    with pytest.raises(ValueError, match="wanted 5"):
        written(tmp_path / "f.npz", *pieces)
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_the_model_passes_as_it_is_and_leaves_the_earlier_file(tmp_path):
    (tmp_path / "f.npz").write_text("earlier")

    def forecast():
        with forecasts_file(tmp_path / "f.npz", ABOUT) as add:
            add(FORECASTS[:1])
            raise FileNotFoundError("the model's own")

    with pytest.raises(FileNotFoundError, match="the model's own"):
        forecast()
    assert [path.name for path in tmp_path.iterdir()] == ["f.npz"]
    assert (tmp_path / "f.npz").read_text() == "earlier"


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"f\.npz cannot be written \(.*\); check the folder's rights"):
        written(tmp_path / "file" / "f.npz", FORECASTS)


def test_a_full_disk_is_told_as_everywhere_and_leaves_no_file(tmp_path, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(NoSpaceError, match=r"f\.npz cannot be written: space on the disk may be out"):
        written(tmp_path / "f.npz", FORECASTS)
    assert list(tmp_path.iterdir()) == []


class Run:
    dataset, model, run_id = "tiny", "stid", "0" * 16 + "." + "1" * 12


def test_what_is_not_there_is_named_by_kind(tmp_path):
    path = saved_path(tmp_path, Run(), "forecasts")
    assert path == tmp_path / "forecasts" / "tiny" / "stid" / f"{Run.run_id}.npz"
    path.parent.mkdir(parents=True)
    path.touch()
    both = Saving(forecasts=True, weights=True).lacking(tmp_path, [Run()])
    assert both.keys() == {"weights"}
    assert Saving().lacking(tmp_path, [Run()]) == {}
