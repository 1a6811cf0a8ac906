"""'stbench data list', 'show', 'verify' and 'import', and the pictures that 'show' draws."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from builders import make_months
from commands import ROOT, Shell

from bench.analysis.figures._dataset import draw_dataset, sample_slots
from bench.catalog import registry
from bench.cli.data import _facts, _split
from bench.clock import MONTH, WEEK
from bench.errors import ConfigError, DataError, UnknownNameError
from bench.types import DataIdentity, DatasetCard, RawFile, SpatioTemporalData

DATA = Path(os.environ.get("STBENCH_DATA") or ROOT.parent / "shared" / "data")
needs_data = pytest.mark.skipif(not (DATA / "bikenyc").is_dir(), reason="the raw data are not there; set STBENCH_DATA")
PNG = b"\x89PNG\r\n\x1a\n"


def bus(shell: Shell) -> None:
    """A user's own array and card in the working folder."""
    Path("bus.toml").write_text(
        'name = "citybus"\ninterval = 60\ngrid = [3, 4]\ntitle = "City [bus]"\nstart = "2024-01-01"\n'
    )
    np.save("bus.npy", np.random.default_rng(0).poisson(5, (24 * 9, 1, 3, 4)))


def test_list_names_every_data_set_and_says_that_it_is_a_synthetic(shell: Shell) -> None:
    text = shell.prints("list")
    assert all(name in text for name in registry.dataset_names())
    assert text.count("synthetic") >= len(registry.dataset_names())
    assert "real" not in text
    assert "2 x 32 x 32" in text


def test_an_imported_array_is_listed_shown_and_verified(shell: Shell) -> None:
    bus(shell)
    text = shell.prints("import", "bus.npy", "--card", "bus.toml")
    assert "citybus: 216 slots (9 days) from 2024-01-01, 3 x 4, value" in text
    assert "stbench data show citybus --data-dir data" in text
    assert "citybus City [bus] 1 x 3 x 4 60 9 2024-01-01 real" in shell.prints("list")
    shown = shell.prints("show", "citybus")
    assert "City [bus]" in shown
    assert "synthetic" not in shown.lower()
    assert Path("results/figures/data/citybus.png").read_bytes().startswith(PNG)
    assert "readable, import-1" in shell.prints("verify", "citybus")


@pytest.mark.parametrize(("slots", "told"), [(1, "1 slot (0.0417 days)"), (24, "24 slots (1 day)")])
def test_one_slot_and_one_day_are_told_in_the_singular(shell: Shell, slots: int, told: str) -> None:
    bus(shell)
    np.save("bus.npy", np.ones((slots, 1, 3, 4)))
    text = shell.prints("import", "bus.npy", "--card", "bus.toml")
    assert told in text
    assert text.endswith(
        "next: stbench data show citybus --data-dir data, and stbench run --dataset citybus --data-dir data"
    )


def test_an_import_that_fails_says_why_and_is_not_listed(shell: Shell) -> None:
    bus(shell)
    np.save("bus.npy", np.zeros((5, 4, 3)))
    assert "has shape (5, 4, 3)" in shell.refuses("import", "bus.npy", "--card", "bus.toml", error=DataError)
    assert "citybus" not in shell.prints("list")


def test_show_says_loudly_that_a_synthetic_is_one(shell: Shell) -> None:
    text = shell.prints("show", "bikenyc2", "--out", "pictures/bikes.png")
    assert "(synthetic)" in text
    assert "SYNTHETIC" in text
    assert "to get it" in text
    assert Path("pictures/bikes.png").read_bytes().startswith(PNG)
    assert [path.name for path in Path("pictures").iterdir()] == ["bikes.png"]


@pytest.mark.parametrize("command", ["show", "verify", "fetch"])
def test_an_unknown_name_is_answered_with_the_nearest_one(command: str, shell: Shell) -> None:
    assert "did you mean 'taxibj'" in shell.refuses(command, "taxibij", error=UnknownNameError)


def test_verify_without_data_says_that_there_is_nothing(shell: Shell) -> None:
    assert "nothing to verify" in shell.prints("verify")
    assert "absent: synthetic data are used" in shell.prints("verify", "taxibj")


def test_a_data_folder_that_does_not_exist_is_refused(shell: Shell) -> None:
    assert "nowhere" in shell.refuses("list", "--data-dir", "nowhere", error=ConfigError)


@needs_data
def test_verify_finds_the_official_file_right(shell: Shell) -> None:
    text = shell.prints("verify", "bikenyc", "--data-dir", str(DATA))
    assert "NYCBike2.npz" in text
    assert "readable, npz-1" in text


@needs_data
def test_verify_finds_a_changed_file_and_exits_with_1(shell: Shell) -> None:
    folder = shell.folder / "data" / "bikenyc"
    shutil.copytree(DATA / "bikenyc", folder)
    file = folder / "NYCBike2.npz"
    file.chmod(0o644)
    file.write_bytes(file.read_bytes()[:-100])
    text = shell.prints("verify", code=1)
    assert "changed" in text
    assert "not readable" in text


@needs_data
def test_show_draws_the_real_data_and_does_not_call_them_a_synthetic(shell: Shell) -> None:
    text = shell.prints("show", "bikenyc", "--data-dir", str(DATA))
    assert "real" in text
    assert "synthetic" not in text.lower()


# --- what is broken, and what looks like markup


def test_one_broken_data_set_does_not_hide_the_others(shell: Shell) -> None:
    bus(shell)
    shell.prints("import", "bus.npy", "--card", "bus.toml")
    Path("data/broken").mkdir()
    Path("data/broken/card.toml").write_text("name = [")
    Path("data/taxibj").symlink_to("gone")
    listed = shell.prints("list")
    assert "citybus City [bus]" in listed
    assert "broken the card data/broken/card.toml is not TOML" in listed
    assert "taxibj data/taxibj cannot be read" in listed
    verified = shell.prints("verify", code=1)
    assert "readable, import-1" in verified
    assert "not readable: the card data/broken/card.toml is not TOML" in verified
    assert "not readable: data/taxibj cannot be read: No such file" in verified
    assert "✗ broken: the card" in shell.prints("fetch", "broken", code=1)


def test_a_results_folder_that_cannot_be_written_is_no_fault_of_the_data(shell: Shell) -> None:
    bus(shell)
    shell.prints("import", "bus.npy", "--card", "bus.toml")
    Path("results").write_text("")
    assert "readable, import-1" in shell.prints("verify", "citybus")
    assert "not readable" not in shell.prints("verify")


def test_names_that_look_like_markup_are_printed_as_they_are(shell: Shell) -> None:
    bus(shell)
    card = Path("bus.toml")
    card.write_text(card.read_text().replace("City [bus]", "[/x] my") + 'channels = ["[/in]"]\nunit = "[/u]"\n')
    where = ("--data-dir", "br [old]/data", "--results", "[/r]")
    text = shell.prints("import", "bus.npy", "--card", "bus.toml", "--data-dir", "br [old]/data")
    assert "[/in] → br [old]/data/citybus" in text
    assert "--data-dir 'br [old]/data', and stbench run --dataset citybus --data-dir 'br [old]/data'" in text
    listed = shell.prints("list", *where)
    assert "[/x] my" in listed
    assert "data folder: br [old]/data" in listed
    shown = shell.prints("show", "citybus", *where)
    assert "[/in]" in shown
    assert "picture: [/r]/figures/data/citybus.png" in shown
    assert "readable, import-1" in shell.prints("verify", *where)
    assert "files are in br [old]/data/citybus already" in shell.prints("fetch", "citybus", *where)
    assert "folder: br [old]/data/taxibj" in shell.prints("fetch", "taxibj", *where, code=1)
    Path("no [/data]").mkdir(parents=True)
    assert "nothing to verify in no [/data]" in shell.prints("verify", "--data-dir", "no [/data]")


def test_an_import_that_fails_leaves_no_folder(shell: Shell) -> None:
    bus(shell)
    assert "there is no file absent.npy" in shell.refuses("import", "absent.npy", "--card", "bus.toml", error=DataError)
    assert not Path("data").exists()


# --- pictures


def toy(*, slots: int, start: str | None = "2024-01-01", channels: int = 1, **changes: object) -> SpatioTemporalData:
    names = tuple(f"c{n}" for n in range(channels))
    facts = {field.name: "" for field in dataclasses.fields(DatasetCard)} | {
        "grid": (4, 5),
        "interval": 60,
        "start": start,
        "slots": slots,
        "channels": names,
        "title": "Toy",
    }
    minutes = np.arange(slots) * 60
    values = np.random.default_rng(0).poisson(3, (slots, channels, 4, 5)).astype(np.float32)
    data = SpatioTemporalData(
        card=DatasetCard(**facts),  # type: ignore[arg-type]
        identity=DataIdentity(name="toy", version="synthetic-1", sha256="", synthetic=True),
        values=values,
        mask=None,
        cell_mask=np.ones((4, 5), dtype=bool),
        clock=np.stack([minutes % 1440 // 60, minutes // 1440 % 7], axis=1),
        segments=((0, slots),),
    )
    return dataclasses.replace(data, **changes)  # type: ignore[arg-type]


def test_the_sample_frames_are_three_hours_of_one_whole_workday() -> None:
    data = toy(slots=24 * 14, segments=((0, 100), (100, 24 * 14)))
    clock = data.clock[sample_slots(data)]
    assert clock[:, 0].tolist() == [8, 13, 19]
    assert len(set(clock[:, 1].tolist())) == 1
    assert clock[0, 1] < 5
    assert sample_slots(toy(slots=11)) == [0, 5, 10]


@pytest.mark.parametrize(
    "data",
    [
        toy(slots=1),
        toy(slots=30, start=None, channels=6),
        toy(slots=24 * 6, channels=2, segments=((0, 50), (50, 144))),
        toy(slots=24, values=np.zeros((24, 1, 4, 5), np.float32), cell_mask=np.eye(4, 5, dtype=bool)),
        toy(slots=24, mask=np.zeros((24, 1, 4, 5), dtype=bool) | (np.arange(24) < 9)[:, None, None, None]),
    ],
    ids=["one slot", "six channels without calendar", "two pieces", "silent canvas", "an outage over noon"],
)
def test_odd_data_are_drawn_without_a_warning(data: SpatioTemporalData, tmp_path: Path) -> None:
    assert draw_dataset(data, tmp_path / "toy.png").read_bytes().startswith(PNG)


rare = pytest.mark.filterwarnings("ignore::bench.analysis.figures._fonts.MissingLettersWarning")  # few fonts have it


@pytest.mark.parametrize(
    "text", ["$\\frac{$", "a $x^ b$", pytest.param("bike \U0001f6b2", marks=rare), pytest.param("\u0995", marks=rare)]
)
def test_any_text_is_drawn_as_it_is_and_no_warning_is_a_librarys(text: str, tmp_path: Path) -> None:
    data = toy(slots=48)
    card = dataclasses.replace(data.card, title=text, channels=(text,), unit=text)
    assert draw_dataset(dataclasses.replace(data, card=card), tmp_path / "toy.png").read_bytes().startswith(PNG)


@pytest.mark.parametrize("interval", [MONTH, WEEK])
def test_frames_of_weeks_and_months_are_thirds_of_one_year(interval: int, tmp_path: Path) -> None:
    data = make_months(years=5, interval=interval)
    places = data.clock[sample_slots(data), 0].tolist()
    assert places == ([0, 4, 8] if interval == MONTH else [0, 17, 34])
    for start, segments in ((data.card.start, data.segments), (None, ((0, 30), (30, len(data.values))))):
        known = dataclasses.replace(data, card=dataclasses.replace(data.card, start=start), segments=segments)
        assert draw_dataset(known, tmp_path / "toy.png").read_bytes().startswith(PNG)


def test_the_same_data_give_the_same_picture(tmp_path: Path) -> None:
    first, second = (draw_dataset(toy(slots=48), tmp_path / name).read_bytes() for name in ("a.png", "b.png"))
    assert first == second


# --- start


def test_help_and_list_import_no_heavy_library(tmp_path: Path) -> None:
    code = (
        "import sys, bench.cli.data as c; from typer.testing import CliRunner;"
        "r = [CliRunner().invoke(c.app, w).exit_code for w in (['--help'], ['list'])]; assert r == [0, 0], r;"
        "heavy = {'torch', 'pandas', 'matplotlib', 'scipy', 'mlflow', 'timm', 'requests'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    environment = {key: value for key, value in os.environ.items() if key != "STBENCH_DATA"}
    environment["PYTHONPATH"] = str(ROOT)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_mistake_is_one_sentence_on_stderr_and_exit_code_2(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench", "data", "show", "taxibij"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("STBENCH_DATA", None)
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: there is no data set named 'taxibij'")
    assert done.stderr.count("\n") == 1


def test_months_are_listed_and_shown_with_their_length(shell: Shell) -> None:
    np.save(shell.folder / "rain.npy", np.ones((30, 1, 2, 3)))
    (shell.folder / "rain.toml").write_text(
        'name = "rain"\ninterval = "month"\ngrid = [2, 3]\nstart = "2020-01-31T00:00"\n', encoding="utf-8"
    )
    assert "rain: 30 slots (2.5 years) from 2020-01-31, 2 x 3, value" in shell.prints(
        "import", "rain.npy", "--card", "rain.toml"
    )
    assert "rain rain 1 x 2 x 3 1 month 2.5 years 2020-01-31 real" in shell.prints("list")
    shown = shell.prints("show", "rain")
    assert "1 month" in shown
    assert "30 slots (2.5 years)" in shown


def test_the_dates_of_the_three_parts_are_told_where_they_are_known() -> None:
    (text,) = _split(toy(slots=200)).values()
    assert text.splitlines() == [
        "train 2024-01-01 00:00 to 2024-01-06 19:00",
        "validation 2024-01-06 20:00 to 2024-01-08 01:00",
        "test 2024-01-08 02:00 to 2024-01-09 07:00",
    ]
    assert _split(toy(slots=200, start=None)) == _split(toy(slots=200, segments=((0, 50), (50, 200)))) == {}


def test_the_digest_of_the_array_and_those_of_the_files_are_told_apart() -> None:
    known = RawFile(name="a.npz", sha256="f" * 64)
    identity = DataIdentity(name="toy", version="npz-1", sha256="a" * 64, synthetic=False)
    data = toy(slots=24, identity=identity)
    facts = _facts(dataclasses.replace(data, card=dataclasses.replace(data.card, files=(known, RawFile(name="b")))))
    assert facts["sha256 of the array as read"] == "a" * 64
    assert facts["sha256 of files"] == f"a.npz: {'f' * 64}"
    assert "sha256 of files" not in _facts(toy(slots=24)), "synthetic data are of no file"
