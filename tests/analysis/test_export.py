"""The supplement: unpacked elsewhere it is a results folder with the same tables."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from pathlib import Path

import msgspec
import pandas as pd
import pytest
from records import record, suite
from reports import failing
from studies import tuned
from typer.testing import CliRunner

from bench.analysis.formats.files import differences, table_files
from bench.analysis.own_parts import OwnParts, personal
from bench.analysis.report.page import shown
from bench.analysis.results import Results, artefacts
from bench.analysis.supplement import supplement, write_zip
from bench.catalog import own_files
from bench.catalog.data import Catalog
from bench.cli.app import app
from bench.errors import ConfigError, DataError
from bench.records.frame import to_frame
from bench.records.store import ResultStore
from bench.runs.suite import load_suite, load_suites
from bench.runs.tuned import TunedFolder

OLD = "0" * 12


def packed(records, folder, *names, suites=None):
    results = Results(records, suites=suites or load_suites(), tuned=list(TunedFolder(folder).files()))
    return supplement(results, folder, names, lambda _: None)


def unpacked(files, folder, path):
    write_zip(files, path)
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture
def made():
    return [*suite(seeds=2, models=2), record(profile="quick", epochs=1), record(task="long", synthetic=True)]


@pytest.fixture
def no_figures(monkeypatch):
    """Figures take seconds, and most tests are not about them."""
    monkeypatch.setattr("bench.analysis.figures._files.pictures", lambda *_, **__: [])


@pytest.mark.slow
def test_an_unpacked_supplement_gives_the_same_frame_and_tables(made, tmp_path):
    TunedFolder(tmp_path).write("bikenyc", "model_00", "short", tuned())
    (tmp_path / "runs" / "bikenyc" / "model_00").mkdir(parents=True)
    home = unpacked(packed(made, tmp_path), tmp_path / "there", tmp_path / "s.zip")
    for line in (home / "SHA256SUMS").read_text(encoding="utf-8").splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((home / name).read_bytes()).hexdigest() == digest
    listed = {line.split("  ")[1] for line in (home / "SHA256SUMS").read_text(encoding="utf-8").splitlines()}
    there = {path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file()}
    assert listed == there - {"SHA256SUMS"}
    results = Results.load(home / "results")
    pd.testing.assert_frame_equal(results.frame.drop(columns="stale"), to_frame(made), check_like=True)
    assert differences(home / "results" / "tables", table_files(results, shown(results, "tables"))) == {}
    assert (home / "results" / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert (home / "results" / "tuned" / "bikenyc" / "model_00.toml").exists()
    assert list((home / "results" / "figures").glob("efficiency-*.pdf"))
    for path in (home / "suites").glob("*.toml"):
        assert load_suite(str(path)).datasets


@pytest.mark.slow
def test_equal_results_give_equal_bytes(made, tmp_path, no_figures):
    for name, records in (("a", made), ("b", made[::-1])):
        write_zip(packed(records, tmp_path), tmp_path / f"{name}.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_no_path_of_the_machine_is_inside(tmp_path, no_figures):
    files = packed([record(seed=1), failing(f"cannot read {tmp_path}/data/x.npz")], tmp_path)
    assert not [name for name, content in files.items() if str(tmp_path).encode() in content]
    kept = files[next(name for name in files if name.endswith(".failed.json"))]
    assert "cannot read …/x.npz" in kept.decode()


def test_a_failure_that_other_code_has_mended_is_packed_and_not_counted(tmp_path, no_figures):
    files = packed([record(code=OLD, failed=True), record(), record(seed=1, failed=True)], tmp_path)
    assert len([name for name in files if name.endswith(".failed.json")]) == 2
    assert b"\nRuns: 1 finished, 1 failed." in files["README.txt"]


def test_named_suites_alone_are_packed(tmp_path, no_figures):
    made = [record(), record(task="long"), record(model="stvfm", overrides={"model.control": "identity"}, base={})]
    files = packed(made, tmp_path, "long_term")
    assert [name for name in files if name.startswith("results/runs/")] == [
        f"results/runs/bikenyc/stid/{made[1].run_id}.json"
    ]
    assert "results/tables/long_term.md" in files
    assert "results/tables/short_term.md" not in files
    check = f"stbench tables --check --results results long_term {' '.join(artefacts('tables'))}\n"
    assert check.encode() in files["README.txt"]


def test_a_suite_of_the_users_own_is_packed_with_its_file(tmp_path, no_figures):
    path = tmp_path / "mine.toml"
    lines = ('name = "own"', 'title = "Mine"', 'tasks = ["short"]', 'protocol = "strict"', 'datasets = ["bikenyc"]')
    path.write_text("\n".join([*lines, 'models = ["stid"]']), encoding="utf-8")
    suites = [*load_suites(), load_suite(str(path))]
    files = packed([record(), record(model="dlinear")], tmp_path, str(path), suites=suites)
    assert files["suites/mine.toml"] == path.read_bytes()
    assert [name.split("/")[3] for name in files if name.startswith("results/runs/")] == ["stid"]
    assert "results/tables/own.md" in files
    assert b"--results results suites/mine.toml efficiency" in files["README.txt"]


def test_an_export_of_all_runs_says_how_tables_of_suites_of_ones_own_come_along(tmp_path, no_figures):
    for seed, name in enumerate(("mine", "short_term", "")):
        made = record(seed=seed)
        ResultStore(tmp_path).write(
            msgspec.structs.replace(made, label=msgspec.structs.replace(made.label, suite=name))
        )
    command = ["export", "--results", str(tmp_path), "--force"]
    answer = CliRunner().invoke(app, command)
    assert (
        "the runs alone; 'stbench export mine.toml', with the paths of their files, packs these and their tables"
        in (" ".join(answer.stdout.split()))
    )
    assert "stbench export" not in CliRunner().invoke(app, [*command, "short_term"]).stdout


def test_tuned_settings_and_trials_of_what_is_packed_come_along(tmp_path, no_figures):
    for dataset in ("bikenyc", "taxibj"):
        TunedFolder(tmp_path).write(dataset, "stid", "short", tuned())
    (tmp_path / "tuned" / "bikenyc" / "stid.trials.json").write_text("{}", encoding="utf-8")
    files = packed([record()], tmp_path)
    kept = [name for name in files if name.startswith("results/tuned/")]
    assert kept == ["results/tuned/bikenyc/stid.toml", "results/tuned/bikenyc/stid.trials.json"]
    assert b"taxibj" not in files["results/tables/tuning_ledger.csv"]


def test_nothing_to_pack_and_a_zip_that_is_there_are_one_sentence(tmp_path):
    with pytest.raises(ConfigError, match="holds no run to export"):
        packed([], tmp_path)
    with pytest.raises(ConfigError, match="no run of long_term"):
        packed([record()], tmp_path, "long_term")
    write_zip({"a": b"1"}, tmp_path / "a.zip")
    with pytest.raises(ConfigError, match="--force replaces it"):
        write_zip({"a": b"2"}, tmp_path / "a.zip")
    write_zip({"a": b"2"}, tmp_path / "a.zip", force=True)
    with zipfile.ZipFile(io.BytesIO((tmp_path / "a.zip").read_bytes())) as archive:
        assert archive.read("a") == b"2"


def test_the_records_are_those_of_the_store_byte_for_byte(tmp_path, no_figures):
    made = record()
    ResultStore(tmp_path).write(made)
    name = f"runs/bikenyc/stid/{made.run_id}.json"
    assert packed([made], tmp_path)[f"results/{name}"] == (tmp_path / name).read_bytes()


# ---------------------------------------------------------------- what is the user's own


def kept_copy(folder, code, name, files, source="mine.py"):
    """A copy of own code, as a run leaves it."""
    home = folder / "plugins" / code
    for path, text in files.items():
        (home / name / path).parent.mkdir(parents=True, exist_ok=True)
        (home / name / path).write_text(text, encoding="utf-8")
    (home / f"{name}.source").write_text(source, encoding="utf-8")


def own(code="a" * 12, **facts):
    return msgspec.structs.replace(record(model="mine", **facts), code=code)


def test_own_code_and_cards_travel_and_are_named(tmp_path, no_figures):
    made = [own(), own(seed=1), record(model="lost"), record("taxibj")]
    kept_copy(tmp_path, "a" * 12, "mine", {"nets/mine.py": "import parts", "parts.py": ""}, "nets/mine.py")
    sha256 = made[0].spec.data.sha256
    (tmp_path / "cards" / "bikenyc").mkdir(parents=True)
    (tmp_path / "cards" / "bikenyc" / f"{sha256[:16]}.toml").write_text("name = 'bikenyc'", encoding="utf-8")
    files = packed(made, tmp_path)
    text = files["README.txt"].decode()
    assert files["plugins/mine/nets/mine.py"] == b"import parts"
    assert files["plugins/mine/parts.py"] == b""
    assert files["data/bikenyc/card.toml"] == b"name = 'bikenyc'"
    assert "export STBENCH_PLUGINS=plugins/mine/nets/mine.py\n" in text
    assert "Not in here, since no copy was kept: the code or card of lost.\n" in text
    assert "\n'stbench data fetch bikenyc taxibj --data-dir DIR' fetches the data, or says where" in text
    assert not [name for name in files if name.endswith(".log")]


def test_the_code_of_most_runs_is_what_is_made_again_and_that_of_each_run_lies_with_the_results(tmp_path, no_figures):
    made = [own("a" * 12), own("b" * 12, seed=1), own("b" * 12, seed=2)]
    kept_copy(tmp_path, "a" * 12, "mine", {"mine.py": "old"})
    kept_copy(tmp_path, "b" * 12, "mine", {"mine.py": "new"})
    files = packed(made, tmp_path)
    assert files["plugins/mine/mine.py"] == b"new"
    assert files[f"results/plugins/{'a' * 12}/mine/mine.py"] == b"old"
    assert files[f"results/plugins/{'b' * 12}/mine/mine.py"] == b"new"
    assert b"results/plugins/ " in files["README.txt"]


def test_code_that_was_asked_for_last_is_what_is_made_again(tmp_path, no_figures):
    made = [own("a" * 12), own("b" * 12, seed=1), own("b" * 12, seed=2)]
    for code, text, asked in (("a" * 12, "back again", 30), ("b" * 12, "a try", 20)):
        kept_copy(tmp_path, code, "mine", {"mine.py": text})
        (tmp_path / "plugins" / code / f"mine.{asked}.asked").touch()
    files = packed(made, tmp_path)
    assert files["plugins/mine/mine.py"] == b"back again"
    noted = sorted(name for name in files if name.endswith(".asked"))
    assert noted == [f"results/plugins/{code * 12}/mine.{place}.asked" for code, place in ("a2", "b1")]  # and no times
    assert b"asked" not in files["SHA256SUMS"]


MODEL = """
from dataclasses import dataclass
from torch import nn
@dataclass(frozen=True, kw_only=True)
class Config:
    width: int = 32
class Model(nn.Module):
    def __init__(self, shape, config): ...
"""
OWN_SUITE = """
name = "widths"
title = "Narrow and wide"
tasks = ["short"]
protocol = "strict"
datasets = ["bikenyc"]
models = ["last_value"]
references = ["narrow"]

[[variants]]
name = "narrow"
model = "./{file}"

[[variants]]
name = "wide"
model = "./{file}"
settings = {{ width = 64 }}
"""


def test_a_suite_s_file_with_a_mark_of_its_byte_order_is_read_as_any_other():
    own = OwnParts(files={}, sources={"net": "plugins/net/net.py"}, cards=(), missing=())
    assert own.found_by(b'\xef\xbb\xbfmodels = ["./net.py"]\n') == b'models = [\n    "net=../plugins/net/net.py",\n]\n'
    assert own.found_by(b"models = []  # none\n") == b"models = []  # none\n"


def test_a_suite_s_file_finds_the_copy_of_the_model_that_it_names_by_a_path(tmp_path, no_figures, monkeypatch):
    monkeypatch.setenv(own_files.VARIABLE, "")
    (tmp_path / "own_net.py").write_text(MODEL, encoding="utf-8")
    suite = tmp_path / "widths.toml"
    suite.write_text(OWN_SUITE.format(file="own_net.py"), encoding="utf-8")
    wide = {"model.width": 64}
    made = [record(model="own_net"), record(model="own_net", overrides=wide, base={})]
    made = [msgspec.structs.replace(one, code="a" * 12) for one in made]
    stray = record(model="last_value", synthetic=True, sha256="e" * 64, profile="quick")
    results = tmp_path / "results"
    kept_copy(results, "a" * 12, "own_net", {"own_net.py": MODEL}, "own_net.py")
    files = packed([*made, stray], results, str(suite), suites=[*load_suites(), load_suite(str(suite))])
    assert len([name for name in files if name.startswith("results/runs/")]) == 2
    monkeypatch.setenv(own_files.VARIABLE, "")
    (tmp_path / "own_net.py").unlink()
    folder = unpacked(files, tmp_path / "there", tmp_path / "there.zip")
    again = load_suite(str(folder / "suites" / "widths.toml"))
    assert [variant.model for variant in again.variants] == ["own_net", "own_net"]
    assert (folder / "suites" / "../plugins/own_net/own_net.py").read_text(encoding="utf-8") == MODEL


def test_a_name_that_is_not_the_files_is_said_where_it_is_listed(tmp_path, no_figures):
    kept_copy(tmp_path, "a" * 12, "mine", {"package/model.py": ""}, "package/model.py")
    assert b"STBENCH_PLUGINS=mine=plugins/mine/package/model.py\n" in packed([own()], tmp_path)["README.txt"]


def test_files_that_name_a_home_are_told(tmp_path, no_figures):
    kept_copy(tmp_path, "a" * 12, "mine", {"mine.py": "open('/home/me/data')", "parts.py": "open('/home/other')"})
    named = personal(packed([own()], tmp_path), Path("/home/me"))
    assert named == ["plugins/mine/mine.py", f"results/plugins/{'a' * 12}/mine/mine.py"]


def test_a_supplement_without_an_array_says_the_command_that_makes_it_of_the_raw_file(
    catalog, tmp_path, no_figures, monkeypatch
):
    identity, raw = catalog.identity("tiny"), catalog.data_dir / "tiny"
    made = record("tiny")
    made = msgspec.structs.replace(made, spec=msgspec.structs.replace(made.spec, data=identity))
    copy = tmp_path / "results" / "cards" / "tiny" / f"{identity.sha256[:16]}.toml"
    copy.parent.mkdir(parents=True)
    copy.write_bytes((raw / "card.toml").read_bytes())
    home = unpacked(packed([made], tmp_path / "results"), tmp_path / "there", tmp_path / "s.zip")
    text = (home / "README.txt").read_text(encoding="utf-8")
    (command,) = re.findall("'stbench (data import FILE .*)'", text)
    assert "For data of the authors' own DIR is data." in text
    monkeypatch.chdir(home)
    words = command.replace("FILE", str(raw / "data.npy")).replace("NAME", "tiny").split()
    assert CliRunner().invoke(app, words).exit_code == 0
    assert Catalog(data_dir=home / "data", cache=tmp_path / "other").identity("tiny") == identity
    assert "data of the authors' own" not in packed([record()], tmp_path)["README.txt"].decode()


def test_arrays_travel_only_if_asked_and_only_those_of_the_runs(catalog, tmp_path, no_figures):
    data, folder = catalog.data_dir, tmp_path / "results"
    identity = catalog.identity("tiny")
    made = record("tiny")
    made = msgspec.structs.replace(made, spec=msgspec.structs.replace(made.spec, data=identity))
    (folder / "cards" / "tiny").mkdir(parents=True)
    card = data / "tiny" / "card.toml"
    (folder / "cards" / "tiny" / f"{identity.sha256[:16]}.toml").write_bytes(card.read_bytes())
    results = Results([made], suites=load_suites())
    assert "data/tiny/data.npy" not in supplement(results, folder, (), lambda _: None)
    files = supplement(results, folder, (), lambda _: None, data)
    home = unpacked(files, tmp_path / "there", tmp_path / "s.zip")
    assert Catalog(data_dir=home / "data", cache=tmp_path / "other").identity("tiny") == identity
    assert f"{sha256_of(home / 'data' / 'tiny' / 'data.npy')}  data/tiny/data.npy\n" in files["SHA256SUMS"].decode()
    (data / "tiny" / "data.npy").write_bytes((data / "tiny2" / "data.npy").read_bytes())
    with pytest.raises(ConfigError, match=r"the files of 'tiny' in .* are not those of its runs"):
        supplement(results, folder, (), lambda _: None, data)


def sha256_of(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_card_without_its_array_is_one_sentence(catalog):
    (catalog.data_dir / "tiny" / "data.npy").unlink()
    with pytest.raises(DataError, match=r"holds a card and no data.npy; put the array there"):
        catalog.card("tiny")
    assert catalog.card("tiny2")


def test_arrays_that_are_wanted_without_a_folder_of_data_are_refused(tmp_path, monkeypatch):
    monkeypatch.delenv("STBENCH_DATA", raising=False)
    ResultStore(tmp_path).write(record())
    with pytest.raises(ConfigError, match="--with-data packs the arrays of your own data sets; say with --data-dir"):
        CliRunner().invoke(app, ["export", "--results", str(tmp_path), "--with-data"], catch_exceptions=False)
    assert not (tmp_path / "supplement.zip").exists()
