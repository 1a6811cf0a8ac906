"""Pre-trained parts of models: which files a run starts from, what tells them, and when they are refused."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict

import pytest
import torch
from hub import put, safetensors
from records import record

from baselines._zoo import LANGUAGE_MODELS
from bench.catalog import pretrained, registry
from bench.catalog.pretrained import (
    check_weights,
    digest_of,
    fetch_unknown,
    is_from_unknown,
    known_among,
    known_as,
    sha256_of,
    sources_of,
    weights_digest,
)
from bench.errors import WeightsError
from bench.known_weights import published_digest
from bench.settings import FROM_FILE
from bench.weights import Source
from stvfm.zoo import BACKBONES

pytestmark = pytest.mark.usefixtures("no_weights")
WHOLE, OTHER = safetensors({"a": torch.zeros(3)}), safetensors({"a": torch.ones(3)})
UNPINNED = "dino_small"  # neither its revision nor a digest is known


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def settings(model: str, **changed: object) -> dict[str, object]:
    return asdict(registry.config_class(model)(**changed))


def stvfm(backbone: str = UNPINNED, weights: str = "pretrained") -> dict[str, object]:
    return settings("stvfm", backbone=backbone, weights=weights)


# Which files


def test_a_run_reads_files_only_if_its_weights_come_from_one():
    assert frozenset({"pretrained"}) <= FROM_FILE
    assert sources_of("stvfm", stvfm()) == BACKBONES[UNPINNED].sources
    assert sources_of("stvfm", stvfm(weights="random")) == ()
    assert sources_of("stvfm", settings("stvfm", control="identity", weights="pretrained")) == ()
    assert sources_of("stid", settings("stid")) == ()
    assert sources_of("somebody_elses", {"weights": "pretrained"}) == ()


def test_a_language_models_words_are_a_file_of_the_models_that_read_them():
    gpt2 = LANGUAGE_MODELS["gpt2"].sources
    assert [source.file for source in gpt2] == ["model.safetensors", "tokenizer.json"]
    assert sources_of("time_llm", settings("time_llm", llm="gpt2", weights="pretrained")) == gpt2
    assert sources_of("st_llm", settings("st_llm", llm="gpt2", weights="pretrained")) == gpt2[:1]


def test_another_language_model_has_one_file_of_weights_or_the_parts_that_its_index_names(folder):
    config = settings("time_llm", llm="someone/gpt", weights="pretrained")
    assert [source.file for source in sources_of("time_llm", config)] == (
        ["config.json", "model.safetensors", "tokenizer.json"]
    )
    index = {"weight_map": {"a": "part-2.safetensors", "b": "part-1.safetensors", "c": "part-2.safetensors"}}
    put(folder / "someone/gpt/model.safetensors.index.json", json.dumps(index).encode())
    assert [source.file for source in sources_of("time_llm", config)] == (
        ["config.json", "model.safetensors.index.json", "part-1.safetensors", "part-2.safetensors", "tokenizer.json"]
    )
    put(folder / "someone/gpt/model.safetensors", WHOLE)
    assert "model.safetensors" in {source.file for source in sources_of("time_llm", config)}


# What tells them


def test_the_digest_of_one_file_is_its_sha256_and_another_file_has_another(folder):
    path = put(BACKBONES[UNPINNED].source.within(folder), WHOLE)
    assert weights_digest("stvfm", stvfm()) == sha256(WHOLE)
    put(path, OTHER)
    assert weights_digest("stvfm", stvfm()) == sha256(OTHER)


def test_a_file_that_was_put_back_with_its_old_date_is_read_again(folder):
    path = put(BACKBONES[UNPINNED].source.within(folder), WHOLE)
    about = path.stat()
    assert sha256_of(path) == sha256(WHOLE)
    put(path, OTHER)
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert sha256_of(path) == sha256(OTHER)


def test_a_file_that_looks_the_same_is_hashed_once(folder, monkeypatch):
    path = put(BACKBONES[UNPINNED].source.within(folder), WHOLE)
    sha256_of(path)
    monkeypatch.setattr(pretrained.hashlib, "file_digest", lambda *_: pytest.fail("it was hashed again"))
    assert sha256_of(path) == sha256(WHOLE)


def test_the_digest_of_several_files_is_that_of_what_sha256sum_prints_of_them(folder):
    sources = [Source(repository="someone/gpt", file=file) for file in ("tokenizer.json", "model.safetensors")]
    put(sources[0].within(folder), b"words")
    put(sources[1].within(folder), WHOLE)
    printed = f"{sha256(WHOLE)}  model.safetensors\n{sha256(b'words')}  tokenizer.json\n"
    assert digest_of(sources) == digest_of(sources[::-1]) == sha256(printed.encode())
    assert digest_of(()) is None


def test_weights_that_are_not_here_have_their_published_digest_or_none(hub):
    source = BACKBONES["vit_tiny"].source
    published = published_digest(source.repository, source.file, source.revision)
    assert weights_digest("stvfm", stvfm("vit_tiny")) == published
    assert published
    assert weights_digest("stvfm", stvfm()) is None
    assert not hub.requests, "a plan asked the hub"


def test_a_pointer_of_git_lfs_has_no_digest(folder):
    put(BACKBONES["vit_tiny"].source.within(folder), b"version https://git-lfs.github.com/spec/v1\n")
    assert weights_digest("stvfm", stvfm("vit_tiny")) is None


# What is known of them


def test_files_are_known_by_all_their_digests_together():
    (backbone,) = BACKBONES["dinov2_small"].sources
    hub = published_digest(backbone.repository, backbone.file, backbone.revision)
    assert known_among([backbone])[hub] == "the hub's"
    gpt2 = LANGUAGE_MODELS["gpt2"].sources
    digests = {source.file: published_digest(source.repository, source.file, source.revision) for source in gpt2}
    listed = "".join(f"{digest}  {file}\n" for file, digest in sorted(digests.items()))
    assert known_among(gpt2) == {sha256(listed.encode()): "the hub's"}
    assert known_among(BACKBONES[UNPINNED].sources) == {}
    assert known_among(()) == {}


def test_a_record_is_of_known_weights_of_unknown_ones_or_of_none():
    def spec(weights: str, sha256: str | None, backbone: str = "dinov2_small") -> object:
        made = record(model="stvfm", weights=weights, weights_sha256=sha256)
        made.spec.config.update(weights=weights, backbone=backbone)
        return made.spec

    (hub,) = (digest for digest, what in known_among(BACKBONES["dinov2_small"].sources).items() if what == "the hub's")
    assert known_as(spec("pretrained", hub)) == "the hub's"
    assert not is_from_unknown(spec("pretrained", hub))
    for unknown in (
        spec("pretrained", "f" * 64),
        spec("pretrained", None),
        spec("pretrained", hub, backbone="vit_tiny"),
    ):
        assert known_as(unknown) == ""
        assert is_from_unknown(unknown)
    assert not is_from_unknown(spec("random", None))


# When a run is refused


def test_weights_are_checked_against_the_plan(folder):
    path = put(BACKBONES[UNPINNED].source.within(folder), WHOLE)
    check_weights("stvfm", stvfm(), sha256(WHOLE))
    check_weights("stvfm", stvfm(weights="random"), None)
    put(path, OTHER)
    for planned in (sha256(WHOLE), None):
        with pytest.raises(WeightsError, match="are not those of the plan") as caught:
            check_weights("stvfm", stvfm(), planned)
        assert f"(wanted sha256 {planned or 'unknown'}, found {sha256(OTHER)})" in str(caught.value)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_what_the_hub_has_is_checked_against_the_published_digest(hub):
    source = BACKBONES["vit_tiny"].source
    hub.files[str(source)] = WHOLE
    planned = weights_digest("stvfm", stvfm("vit_tiny"))
    with pytest.raises(WeightsError, match=f"wanted sha256 {planned}, found {sha256(WHOLE)}"):
        check_weights("stvfm", stvfm("vit_tiny"), planned)


def test_what_cannot_be_had_is_told_by_the_run(hub):
    with pytest.raises(WeightsError, match="the hub answers with status 404"):
        check_weights("stvfm", stvfm(), None)


def test_only_weights_of_unknown_digest_are_fetched_before_a_plan(hub):
    hub.files[str(BACKBONES[UNPINNED].source)] = WHOLE
    hub.files[str(BACKBONES["vit_tiny"].source)] = WHOLE
    assert fetch_unknown([("stvfm", stvfm("vit_tiny")), ("stid", settings("stid"))]) is False
    assert not hub.requests
    assert fetch_unknown([("stvfm", stvfm()), ("stvfm", stvfm("dino_base"))]) is True
    assert weights_digest("stvfm", stvfm()) == sha256(WHOLE)
    assert weights_digest("stvfm", stvfm("dino_base")) is None
    assert fetch_unknown([("stvfm", stvfm())]) is False


def test_the_parts_of_a_language_model_are_fetched_by_its_index(hub):
    index = {"weight_map": {"a": "part-1.safetensors"}}
    contents = {
        "config.json": b"{}",
        "tokenizer.json": b"{}",
        "part-1.safetensors": WHOLE,
        "model.safetensors.index.json": json.dumps(index).encode(),
    }
    hub.files |= {f"someone/gpt/{file}": content for file, content in contents.items()}
    config = settings("time_llm", llm="someone/gpt", weights="pretrained")
    assert fetch_unknown([("time_llm", config)]) is True
    listed = "".join(f"{sha256(content)}  {file}\n" for file, content in sorted(contents.items()))
    assert weights_digest("time_llm", config) == sha256(listed.encode())
