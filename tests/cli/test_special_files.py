"""Pipes and devices where files are expected stop nobody for longer than a sentence, and are never passed over."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from commands import Shell

from bench.catalog.raw_files import digest_of, files_below
from bench.errors import BenchError, ConfigError, DataError
from bench.runs.suite import load_suite
from bench.runs.tuned import Tuned, _parsed
from bench.weights import parts_of

pytestmark = pytest.mark.timeout(60)


@pytest.mark.parametrize(("make", "says"), [(os.mkfifo, "it is a pipe"), (None, "it is a device")])
def test_a_card_that_is_no_file_breaks_its_own_data_set_alone(shell: Shell, make: object, says: str) -> None:
    card = Path("data/city/card.toml")
    card.parent.mkdir(parents=True)
    if make:
        os.mkfifo(card)
    else:
        card.symlink_to("/dev/zero")
    listed = shell.prints("list", "--data-dir", "data")
    assert f"{says}, and no file" in listed
    assert "bikenyc" in listed
    text = shell.prints("verify", "city", "--data-dir", "data", code=1)
    assert "not readable" in text
    assert f"{says}, and no file" in text
    assert "synthetic" not in text
    assert f"{says}, and no file" in shell.refuses("show", "city", "--data-dir", "data", error=BenchError)


def test_a_raw_file_that_is_none_is_named_and_no_reason_for_synthetic_data(shell: Shell) -> None:
    folder = Path("data/bikenyc")
    folder.mkdir(parents=True)
    os.mkfifo(folder / "data.zip")
    for words in (("verify", "bikenyc"), ("show", "bikenyc")):
        result = shell.run(*words, "--data-dir", "data")
        text = " ".join(result.output.split()) + str(result.exception)
        assert "it is a pipe, and no file" in text
        assert result.exit_code == 1
    with pytest.raises(DataError, match=r"data\.zip cannot be read: it is a pipe, and no file; mend its permissions"):
        files_below(folder)
    with pytest.raises(DataError, match="it is a pipe, and no file"):
        digest_of(folder / "data.zip")


@pytest.mark.parametrize("read", [load_suite, lambda name: _parsed(Path(name)), lambda name: parts_of(Path(name))])
def test_suites_tuned_settings_and_indices_are_files(tmp_path: Path, read: object) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "zero.toml").symlink_to("/dev/zero")
    (tmp_path / "folder.toml").mkdir()
    for name in ("pipe", "zero", "folder"):
        with pytest.raises(BenchError) as caught:
            read(str(tmp_path / f"{name}.toml"))  # type: ignore[operator]
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["[" * 5000, ".".join(["a"] * 20_000) + " = 1", 'name = "\\u001b[31m"', "\x1b"])
def test_a_suite_of_any_text_is_one_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="is not valid TOML") as caught:
        load_suite(str(path))
    assert str(caught.value).isprintable()
    assert Tuned.model_fields
    with pytest.raises(ConfigError, match="cannot be read as TOML"):
        _parsed(path)
