"""The commands of weights: what is listed, fetched and verified."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hub import Hub, put, safetensors
from stvfm_models import published
from typer.testing import CliRunner

from bench import known_weights
from bench.cli.weights import app
from bench.errors import BenchError, UnknownNameError
from bench.weights import fetch
from stvfm import backbones
from stvfm.backbones import BACKBONES, LIBRARIES

ROOT = Path(__file__).resolve().parents[2]


def answer(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, list(map(str, arguments)), env={"COLUMNS": "300"})
    if isinstance(result.exception, BenchError):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.output


def row(text: str, name: str) -> str:
    (found,) = (line.rstrip() for line in text.splitlines() if line.split()[:1] == [name])
    return found


@pytest.mark.usefixtures("small_backbones")
def test_list_says_what_is_here_and_where(hub: Hub, folder: Path) -> None:
    for name in ("deit_tiny", "clip_base"):
        hub.files[str(BACKBONES[name].source)] = safetensors({"a": torch.zeros(1)})
    fetch(BACKBONES["deit_tiny"].source, folder)
    fetch(BACKBONES["clip_base"].source)
    (folder / "owner" / "llm").mkdir(parents=True)
    text = answer("list")
    assert "not of this list: owner/llm in" in text
    assert row(text, "deit_tiny").endswith("folder")
    assert row(text, "clip_base").endswith("cache")
    assert row(text, "mae_base").split() == (
        ["mae_base", "model.backbone", "timm/vit_base_patch16_224.mae", "cc-by-nc-4.0", "768", "x", "12", "absent"]
    )
    assert row(text, "gpt2").split()[1:3] == ["model.llm", "openai-community/gpt2"]
    assert row(text, "vit_mae_base").split()[1:3] == ["model.mae", "facebook/vit-mae-base"]
    assert f"weights folder: {folder}" in text


@pytest.mark.usefixtures("small_backbones")
def test_fetch_fills_the_folder_once_and_verify_finds_what_changed_since(hub: Hub, folder: Path) -> None:
    source = BACKBONES["dino_small"].source
    content = safetensors(published("dino_small").state_dict())
    hub.files[str(source)] = content
    path = source.within(folder)
    assert f"dino_small: {path}" in answer("fetch", "dino_small")
    hub.requests.clear()
    assert "already in" in answer("fetch", "dino_small")
    assert not hub.requests
    assert row(answer("verify"), "dino_small").endswith("unknown to us")
    assert f"model.safetensors is unknown to us, sha256 {hashlib.sha256(content).hexdigest()}" in answer("verify")

    path.write_bytes(content[:-4] + b"\0\0\0\1")
    assert row(answer("verify", code=1), "dino_small").endswith("changed")
    text = answer("fetch", "dino_small", code=1)
    assert f"✗ dino_small: {path} is not the file that was fetched; delete it and fetch it again" in text
    assert "✓" not in text
    path.write_bytes(content[:-4])
    assert "is not a complete safetensors file" in answer("verify", code=1)
    (path.parent / ".cache/huggingface/download/model.safetensors.metadata").unlink()
    path.write_bytes(content[:-4] + b"\0\0\0\1")
    assert row(answer("verify", "dino_small"), "dino_small").endswith("unknown to us")


@pytest.mark.usefixtures("small_backbones")
def test_verify_says_known_or_not_these_where_digests_of_a_file_are_known(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = safetensors(published("dino_small").state_dict())
    put(BACKBONES["dino_small"].source.within(folder), content)
    known = {"a" * 64: "the hub's", hashlib.sha256(content).hexdigest(): "as a package carries it"}
    monkeypatch.setattr(known_weights, "known_digests", lambda repository, file: known)
    text = answer("verify", "dino_small")
    assert row(text, "dino_small").endswith("known")
    assert "✓ dino_small: model.safetensors is known (as a package carries it), sha256 " in text

    known.popitem()
    assert "✗ dino_small: " in answer("fetch", "dino_small", code=1)
    text = answer("verify", "dino_small", code=1)
    assert row(text, "dino_small").endswith("not these")
    assert (
        f"is not these weights (wanted sha256 {'a' * 64} (the hub's), found {hashlib.sha256(content).hexdigest()})"
        in text
    )


@pytest.mark.usefixtures("small_backbones")
def test_verify_says_that_weights_as_they_are_initialised_look_untrained(folder: Path) -> None:
    facts = backbones.BACKBONES["dino_small"]
    fresh = LIBRARIES["timm"].make(facts, facts.depth)
    put(facts.source.within(folder), safetensors(fresh.state_dict()))
    assert row(answer("verify", "dino_small"), "dino_small").endswith("unknown to us, looks untrained")
    put(facts.source.within(folder), safetensors(published("dino_small").state_dict()))
    assert "untrained" not in answer("verify", "dino_small")


@pytest.mark.usefixtures("small_backbones")
def test_a_pointer_of_git_lfs_is_named_by_list_and_verify_and_replaced_by_fetch(hub: Hub, folder: Path) -> None:
    source = BACKBONES["dino_small"].source
    path = put(source.within(folder), b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 22883348\n")
    assert row(answer("list"), "dino_small").endswith("a Git LFS pointer, not the weights")
    text = answer("verify", "dino_small", code=1)
    assert row(text, "dino_small").endswith("a Git LFS pointer")
    assert "is a Git LFS pointer, not the weights; run 'git lfs pull' there" in text

    text = answer("fetch", "dino_small", code=1)
    assert "✓" not in text
    assert "is a Git LFS pointer, not the weights" in text
    assert "fetching it again failed: the pre-trained weights" in text
    hub.files[str(source)] = content = safetensors(published("dino_small").state_dict())
    assert f"✓ dino_small: {path}" in answer("fetch", "dino_small")
    assert path.read_bytes() == content


@pytest.mark.usefixtures("small_backbones")
def test_fetch_replaces_what_verify_calls_broken_and_takes_nothing_broken_from_the_hub(hub: Hub, folder: Path) -> None:
    source = BACKBONES["dino_small"].source
    content = safetensors(published("dino_small").state_dict())
    path = put(source.within(folder), content[:-4])
    hub.files[str(source)] = content
    assert f"✓ dino_small: {path}" in answer("fetch", "dino_small")
    assert path.read_bytes() == content
    hub.files[str(BACKBONES["dino_base"].source)] = content[:-4]
    assert "✗ dino_base: " in answer("fetch", "dino_base", code=1)


@pytest.mark.usefixtures("small_backbones")
def test_fetch_refuses_other_files_than_the_published_one(hub: Hub, folder: Path) -> None:
    hub.files[str(BACKBONES["deit_tiny"].source)] = safetensors(published("deit_tiny").state_dict())
    text = answer("fetch", "deit_tiny", code=1)
    assert "✗ deit_tiny: " in text
    assert "is not these weights (wanted sha256 " in text


@pytest.mark.usefixtures("small_backbones")
def test_fetch_goes_on_after_what_cannot_be_had_and_says_so_at_the_end(hub: Hub, folder: Path) -> None:
    hub.files[str(BACKBONES["dino_base"].source)] = content = safetensors(published("dino_base").state_dict())
    lines = answer("fetch", "vit_tiny", "dino_base", "mae_base", code=1).splitlines()
    assert [line.partition(":")[0] for line in lines] == ["✓ dino_base", "✗ vit_tiny", "✗ mae_base"]
    assert all("the hub answers with status 404" in line for line in lines[1:])
    assert BACKBONES["dino_base"].source.within(folder).read_bytes() == content


def test_verify_of_absent_weights_fails_only_when_they_were_named() -> None:
    assert row(answer("verify"), "fracast_0").endswith("known")  # whose weights its package carries
    assert "absent" in row(answer("verify", "mae_base", code=1), "mae_base")


@pytest.mark.parametrize("command", ["fetch", "verify"])
def test_an_unknown_name_is_answered_with_the_nearest(command: str) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'clip_base'"):
        answer(command, "clip_bas")


@pytest.mark.usefixtures("small_backbones")
def test_fetch_is_content_with_nothing_that_verify_calls_broken(hub: Hub, folder: Path) -> None:
    path = put(BACKBONES["mae_base"].source.within(folder), safetensors({"a": torch.zeros(1)}))
    assert row(answer("verify", code=1), "mae_base").endswith("broken")
    text = answer("fetch", "mae_base", code=1)
    assert "✓" not in text
    assert f"✗ mae_base: {path} is not what its name says" in text


@pytest.mark.usefixtures("small_backbones")
def test_a_weights_folder_that_is_not_there_is_an_error_unless_it_is_to_be_filled(hub: Hub, tmp_path: Path) -> None:
    absent = tmp_path / "absent"
    with pytest.raises(BenchError, match="is not a folder"):
        answer("list", "--weights-dir", absent)
    hub.files[str(BACKBONES["dino_base"].source)] = content = safetensors(published("dino_base").state_dict())
    answer("fetch", "dino_base", "--weights-dir", absent)
    assert BACKBONES["dino_base"].source.within(absent).read_bytes() == content


def test_listing_weights_imports_nothing_heavy(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom bench.__main__ import main\nsys.argv = ['stbench', 'weights', 'list']\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    assert not stop.code, stop.code\n"
        "print('HEAVY', [name for name in ('torch', 'timm', 'open_clip', 'transformers') if name in sys.modules])\n"
    )
    environment = {**os.environ, "HF_HOME": str(tmp_path), "COLUMNS": "200"}
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "dinov2_reg_large" in done.stdout
    assert done.stdout.rstrip().endswith("HEAVY []")
