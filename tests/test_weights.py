"""Pre-trained weights: where they are looked for, how they are fetched and read; nothing else stands in for them."""

from __future__ import annotations

import hashlib
import os
import re
import socket
import threading
from pathlib import Path

import pytest
import torch
from hub import Hub, point_at, put, safetensors

from bench import connection, download, patience, weights
from bench import hub as hub_of_weights
from bench.errors import WeightsError
from bench.weights import (
    FOLDER_VARIABLE,
    Source,
    check_complete,
    fetch,
    find,
    is_pointer,
    locate,
    looks_untrained,
    read,
    recorded_sha256,
)
from stvfm.backbones import BACKBONES, build

SOURCE = Source(repository="someone/model", file="model.safetensors")
WHOLE = safetensors({"a": torch.zeros(100)})
NEWER = safetensors({"a": torch.ones(100)})
pytestmark = pytest.mark.usefixtures("no_weights")


# Where a file is looked for


def test_the_folder_comes_before_the_cache_and_the_cache_before_the_hub(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hub.files[str(SOURCE)] = WHOLE
    assert find(SOURCE) is None
    assert locate(SOURCE).read_bytes() == WHOLE
    assert hub.requests

    hub.requests.clear()
    hub.files[str(SOURCE)] = NEWER
    assert locate(SOURCE).read_bytes() == WHOLE
    assert find(SOURCE)[1] == "cache"

    put(tmp_path / "weights" / "someone" / "model" / "model.safetensors", b"of the folder")
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "weights"))
    assert locate(SOURCE).read_bytes() == b"of the folder"
    assert find(SOURCE)[1] == "folder"
    assert not hub.requests


def test_a_file_fetched_into_a_folder_is_found_there_and_nowhere_else(hub: Hub, folder: Path) -> None:
    hub.files[str(SOURCE)] = WHOLE
    path = fetch(SOURCE, folder)
    assert path == folder / "someone" / "model" / "model.safetensors"
    assert (find(SOURCE)[0], path.read_bytes()) == (path, WHOLE)
    os.environ.pop(FOLDER_VARIABLE)
    assert find(SOURCE) is None


@pytest.mark.parametrize("where", ["cache", "folder"])
def test_the_hubs_digest_is_known_of_a_file_that_its_client_fetched(hub: Hub, folder: Path, where: str) -> None:
    hub.files[str(SOURCE)] = WHOLE
    path = fetch(SOURCE, folder if where == "folder" else None)
    assert recorded_sha256(SOURCE, path) == hashlib.sha256(WHOLE).hexdigest()
    assert recorded_sha256(SOURCE, put(folder / "other" / "model.safetensors", b"by hand")) is None


@pytest.mark.parametrize(
    ("repository", "file"),
    [
        ("../outside", "model.safetensors"),
        ("someone/..", "model.safetensors"),
        ("/someone/model", "model.safetensors"),
        ("a/b/c", "model.safetensors"),
        ("", "model.safetensors"),
        ("someone/model", "../../outside"),
        ("someone/model", "/etc/passwd"),
        ("someone/model", "a//b"),
        ("someone/model", "a\\..\\b"),
        ("someone/model", ""),
    ],
)
def test_a_name_that_could_leave_the_folder_is_no_source(repository: str, file: str) -> None:
    with pytest.raises(WeightsError, match="do not name a file on the hub"):
        Source(repository=repository, file=file)


# What cannot be had is one sentence, soon


def assert_refused(reason: str) -> None:
    with pytest.raises(WeightsError, match=reason) as caught:
        build("vit_tiny", "pretrained", (2, 2), depth=1)
    text, source = str(caught.value), BACKBONES["vit_tiny"].source
    assert str(source) in text
    assert hub_of_weights.url_of(source) in text
    assert f"to {source.within(weights.weights_folder() or Path('DIR'))}" in text
    assert "\n" not in text
    assert ". " not in text


@pytest.mark.timeout(30)
def test_a_hub_that_swallows_packets_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_of_weights, "ANSWER_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        point_at(monkeypatch, f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert_refused(r"the hub does not answer \(ReadTimeout\)")


@pytest.mark.timeout(30)
def test_a_hub_whose_storage_swallows_packets_is_one_sentence(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_of_weights, "ANSWER_S", 0.3)
    hub.files[str(BACKBONES["vit_tiny"].source)] = b"behind a redirect"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hub.storage = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert_refused(r"the hub does not answer \(ReadTimeout\)")
    assert len(hub.requests) == 1


@pytest.mark.timeout(30)
def test_a_name_server_that_swallows_packets_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    monkeypatch.setattr(hub_of_weights, "REACH_S", 0.3)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: release.wait(20) and [])
    point_at(monkeypatch, "http://hub.invalid")
    assert_refused("because the hub does not answer;")
    release.set()


def test_a_hub_that_refuses_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:  # bound but not listening, so nobody else gets the port
        unused.bind(("127.0.0.1", 0))
        point_at(monkeypatch, f"http://127.0.0.1:{unused.getsockname()[1]}")
        assert_refused(r"the hub does not answer \(ConnectionError\)")


def test_a_hub_that_does_not_know_the_file_is_one_sentence(hub: Hub) -> None:
    assert_refused("the hub answers with status 404")


def test_a_hub_that_fails_in_the_middle_is_one_sentence(
    hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "BACKOFF", 0.0)
    hub.files[str(BACKBONES["vit_tiny"].source)] = b"begun"
    hub.broken = True
    assert_refused("because the hub's copy answered 500 Internal Server Error, not the file;")
    assert len(hub.requests) > 1


def test_the_offline_switch_is_one_sentence_and_asks_nobody(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    hub.files[str(BACKBONES["vit_tiny"].source)] = b"there"
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert_refused("HF_HUB_OFFLINE is set")
    assert not hub.requests


# What was had is read with care


def test_tensors_are_read_as_they_were_written_and_headers_without_their_values(tmp_path: Path) -> None:
    state = {"a": torch.randn(2, 3), "b.c": torch.arange(4.0).half()}
    path = put(tmp_path / "x.safetensors", safetensors(state))
    found, headers = read(path), read(path, headers=True)
    assert found.keys() == headers.keys() == state.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in state.items())
    assert all(headers[name].shape == tensor.shape for name, tensor in state.items())
    assert all(tensor.is_meta for tensor in headers.values())


BROKEN = {
    "empty": b"",
    "cut in the header": WHOLE[:20],
    "cut in the data": WHOLE[:-1],
    "a web page": b"<!DOCTYPE html><html>please log in</html>",
}


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 400\n"


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_a_pointer_of_git_lfs_is_called_that_by_whatever_meets_it(folder: Path, name: str) -> None:
    source = Source(repository="someone/model", file=name)
    path = put(source.within(folder), POINTER)
    assert is_pointer(path)
    for meet in (
        lambda: locate(source),
        lambda: read(path),
        lambda: read(path, headers=True),
        lambda: check_complete(path),
    ):
        with pytest.raises(
            WeightsError, match=r"is a Git LFS pointer, not the weights; run 'git lfs pull' there"
        ) as caught:
            meet()
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
    assert not is_pointer(
        put(folder / "other.txt", b"a text about Git LFS, version https://git-lfs.github.com/spec/v1")
    )


# What the hub gives is kept only if it is what the hub says of it


def kept(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and ".cache" not in path.parts)


HEADER_THAT_LIES = (2**62).to_bytes(8, "little") + b"{}"
TENSOR_THAT_LIES = WHOLE.replace(b"[0,400]", b"[0,900]")
FALSE = {
    "a Git LFS pointer": POINTER,
    "a web page": b"<!DOCTYPE html><html>please log in</html>",
    "nothing": b"",
    "not a complete safetensors file": HEADER_THAT_LIES,
    "not a complete safetensors": TENSOR_THAT_LIES,
    "not a complete": WHOLE[:-1],
}


@pytest.mark.parametrize("where", ["cache", "folder"])
@pytest.mark.parametrize(("says", "content"), FALSE.items())
def test_what_is_no_whole_file_is_refused_before_it_is_kept(
    hub: Hub, folder: Path, tmp_path: Path, says: str, content: bytes, where: str
) -> None:
    hub.files[str(SOURCE)] = content
    with pytest.raises(WeightsError, match=f"because what the hub gave is {says}.*, and was not kept;") as caught:
        fetch(SOURCE, folder if where == "folder" else None)
    assert "\n" not in str(caught.value)
    assert kept(tmp_path) == []
    assert find(SOURCE) is None
    hub.files[str(SOURCE)] = WHOLE
    assert fetch(SOURCE, folder if where == "folder" else None).read_bytes() == WHOLE


@pytest.mark.parametrize("where", ["cache", "folder"])
def test_a_digest_that_the_hub_states_is_compared(hub: Hub, folder: Path, tmp_path: Path, where: str) -> None:
    hub.files[str(SOURCE)] = WHOLE
    hub.digests[str(SOURCE)] = "a" * 64
    with pytest.raises(WeightsError, match=r"is not what the hub says of it \(sha256 .* where aaaaaaaaaaaa… is"):
        fetch(SOURCE, folder if where == "folder" else None)
    assert kept(tmp_path) == []


@pytest.mark.parametrize("where", ["cache", "folder"])
def test_a_small_file_without_a_digest_of_ours_is_not_kept_either_if_it_is_a_pointer(
    hub: Hub, folder: Path, tmp_path: Path, where: str
) -> None:
    hub.files[str(SOURCE)] = POINTER
    hub.digests[str(SOURCE)] = "b" * 40  # of Git, as of a file that lies in the repository itself
    with pytest.raises(WeightsError, match="is a Git LFS pointer"):
        fetch(SOURCE, folder if where == "folder" else None)
    assert not {"model.safetensors", "b" * 40} & {*kept(tmp_path)}
    assert find(SOURCE) is None


@pytest.mark.parametrize("where", ["cache", "folder"])
def test_a_download_that_broke_off_goes_on_in_a_later_command(
    hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.setattr(download, "PAUSE_S", 0.0)
    hub.files[str(SOURCE)] = WHOLE
    hub.cuts = [100, 50, 0, 0, 0, 0]
    with pytest.raises(WeightsError, match="the hub's copy broke off 6 times; run the same command again to go on;"):
        fetch(SOURCE, folder if where == "folder" else None)
    hub.cuts, hub.ranges = [], []
    path = fetch(SOURCE, folder if where == "folder" else None)
    assert path.read_bytes() == WHOLE
    assert "bytes=150-" in hub.ranges
    assert recorded_sha256(SOURCE, path) == hashlib.sha256(WHOLE).hexdigest()
    assert not [name for name in kept(folder) if name.startswith(".")]


def test_a_hub_that_sends_too_slowly_is_given_up(hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "SLOW", (0.0, 10**9))
    hub.files[str(SOURCE)] = WHOLE
    with pytest.raises(WeightsError, match="the hub's copy sends fewer than 1000000000 bytes in 0 seconds; run"):
        fetch(SOURCE, folder)


def test_a_bar_or_a_listener_is_told_how_much_is_here(hub: Hub, folder: Path) -> None:
    hub.files[str(SOURCE)] = WHOLE
    steps: list[tuple[int, int | None]] = []
    fetch(SOURCE, folder, lambda done, total: steps.append((done, total)))
    assert (steps[0], steps[-1]) == ((0, len(WHOLE)), (len(WHOLE), len(WHOLE)))


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_file_that_is_not_whole_is_found_by_its_headers(tmp_path: Path, content: bytes) -> None:
    check_complete(put(tmp_path / "whole.safetensors", WHOLE))
    check_complete(put(tmp_path / "tokenizer.json", b"{}"))
    with pytest.raises(WeightsError, match="is not a complete safetensors file"):
        check_complete(put(tmp_path / "x.safetensors", content))


def test_weights_look_untrained_if_every_norm_is_one_and_zero(tmp_path: Path) -> None:
    def looks(**state: torch.Tensor) -> bool:
        return looks_untrained(put(tmp_path / "x.safetensors", safetensors(state)))

    fresh = {"norm1.weight": torch.ones(4), "norm1.bias": torch.zeros(4), "mlp.fc1.weight": torch.randn(4, 4)}
    assert looks(**fresh)
    assert looks(**{"h.0.ln_1.weight": torch.ones(4), "h.0.ln_1.bias": torch.zeros(4)})
    assert looks(**{"layers.0.input_layernorm.weight": torch.ones(4)})
    assert not looks(**{**fresh, "blocks.3.norm2.weight": torch.tensor([1, 1, 1, 0.99])})
    assert not looks(**{**fresh, "blocks.3.norm2.bias": torch.tensor([0, 0, 0, 0.01])})
    assert not looks(**{"mlp.fc1.bias": torch.zeros(4)}), "without a norm nothing can be said"


def test_a_revision_is_the_pinned_one_unless_it_is_given() -> None:
    source = BACKBONES["vit_tiny"].source
    assert re.fullmatch("[0-9a-f]{40}", source.revision)
    assert Source(repository=source.repository, file=source.file, revision="main").revision == "main"
    assert SOURCE.revision == "main"


@pytest.mark.parametrize("headers", [True, False])
@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_one_sentence(tmp_path: Path, content: bytes, headers: bool) -> None:
    path = put(tmp_path / "x.safetensors", content)
    with pytest.raises(WeightsError, match="is not a complete safetensors file") as caught:
        read(path, headers=headers)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="is not a complete safetensors file"):
        read(tmp_path / "absent.safetensors")
