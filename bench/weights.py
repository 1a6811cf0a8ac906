"""Pre-trained weights: where a file is, how to get it, and how to read it.

A file is looked for in the weights folder (``--weights-dir``, which sets ``$STBENCH_WEIGHTS``), then in the cache of
the Hugging Face hub (``$HF_HOME``), and then fetched from the hub or its mirror (``$HF_ENDPOINT``), unless
``$HF_HUB_OFFLINE`` forbids it. The weights folder is laid out as the hub is: ``<folder>/<owner>/<name>/<file>``.

Only safetensors are read. Nothing here imports torch or the hub's client before it is needed.
"""

from __future__ import annotations

import json
import os
import queue
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final, Literal

from bench.errors import HubUnreachableError, WeightsError, is_installed, require
from bench.known_weights import revision_of

if TYPE_CHECKING:
    from torch import Tensor

FOLDER_VARIABLE: Final = "STBENCH_WEIGHTS"
ANSWER_S: Final = 3.0  # the hub's time to answer, per connection
SILENCE: Final = "the hub does not answer"
REACH_S: Final = 7.0  # and altogether, redirects and name servers included
NAME: Final = re.compile(r"[A-Za-z0-9_][\w.-]*")
SHA256: Final = re.compile(r"[0-9a-f]{64}")
NORM: Final = re.compile(r"(^|[._])(norm|ln_|layer_?norm)", re.IGNORECASE)  # in the name of a tensor
POINTER: Final = b"version https://git-lfs.github.com/spec/"  # begins the text that Git LFS keeps in place of a file


@dataclass(frozen=True, kw_only=True)
class Source:
    """One file of a repository on the hub.

    Attributes:
        repository: ``owner/name``, or ``name`` alone.
        file: Path within it, with forward slashes.
        revision: Branch, tag or commit; if it is left out, the commit that ``known_weights.toml`` pins, else "main".

    Raises:
        WeightsError: If the repository or the file is not a plain name or path.
    """

    repository: str
    file: str
    revision: str = ""

    def __post_init__(self) -> None:
        parts = self.repository.split("/")
        if len(parts) > 2 or not all(map(NAME.fullmatch, [*parts, *self.file.split("/")])):
            raise WeightsError(
                f"'{self.repository}' and '{self.file}' do not name a file on the hub as owner/name, path"
            )
        object.__setattr__(self, "revision", self.revision or revision_of(self.repository))

    def __str__(self) -> str:
        return f"{self.repository}/{self.file}"

    def within(self, folder: Path) -> Path:
        """Its path in a weights folder."""
        return folder / PurePosixPath(self.repository) / PurePosixPath(self.file)


def weights_folder() -> Path | None:
    """The weights folder, if one is set."""
    text = os.environ.get(FOLDER_VARIABLE)
    return Path(text).expanduser() if text else None


def find(source: Source) -> tuple[Path, Literal["folder", "cache"]] | None:
    """A file on this machine, in the weights folder or, if its client is installed, in the hub's cache."""
    folder = weights_folder()
    if folder is not None and (path := source.within(folder)).is_file():
        return path, "folder"
    if not is_installed("huggingface_hub"):
        return None
    from huggingface_hub import try_to_load_from_cache

    cached = try_to_load_from_cache(source.repository, source.file, revision=source.revision)
    return (Path(cached), "cache") if isinstance(cached, str) else None


def locate(source: Source) -> Path:
    """The file on this machine, fetched into the hub's cache when it is not here yet.

    Raises:
        WeightsError: Within seconds, if it is neither here nor reachable; or if a pointer of Git LFS is in its place.
    """
    local = find(source)
    if local:
        refuse_pointer(local[0])
    return local[0] if local else fetch(source)


def fetch(source: Source, folder: Path | None = None) -> Path:
    """Download a file into a weights folder, or into the hub's cache; a broken download is continued.

    Raises:
        WeightsError: Within seconds if the hub does not answer (``HubUnreachableError``) or has no such file, or if the
            download breaks off.
    """
    require("huggingface_hub", "vision", f"the download of {source}")
    from huggingface_hub import hf_hub_download

    _check_reachable(source)
    target = None if folder is None else folder / PurePosixPath(source.repository)
    try:
        path = hf_hub_download(
            source.repository, source.file, revision=source.revision, local_dir=target, etag_timeout=ANSWER_S
        )
    except Exception as error:  # the client, its transports and the disk have no error in common
        reason = f"the download failed ({type(error).__name__}: {str(error).partition(chr(10))[0]})"
        raise WeightsError(_absence(source, reason)) from error
    refuse_pointer(Path(path))
    return Path(path)


def is_pointer(path: Path) -> bool:
    """Whether a file is the short text that Git LFS keeps in place of a large one.

    Raises:
        WeightsError: If it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(len(POINTER)) == POINTER
    except OSError as error:
        raise WeightsError(f"{path} cannot be read ({error.strerror}); check its rights, or fetch it again") from error


def refuse_pointer(path: Path) -> None:
    """Refuse a pointer of Git LFS by its name.

    Raises:
        WeightsError: If the file is one, or cannot be read.
    """
    if is_pointer(path):
        raise WeightsError(
            f"{path} is a Git LFS pointer, not the weights; run 'git lfs pull' there, or fetch it again with "
            "'stbench weights fetch'"
        )


def check_complete(path: Path) -> None:
    """Refuse a file that is not all there, by its headers alone; of other files than safetensors only pointers.

    Raises:
        WeightsError: If it is a pointer of Git LFS, or no complete safetensors file.
    """
    refuse_pointer(path)
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="numpy"):
                pass
        except (OSError, SafetensorError) as error:
            raise WeightsError(_incomplete(path, error)) from error


def read(path: Path, *, headers: bool = False) -> dict[str, Tensor]:
    """The tensors of a safetensors file by name, on the CPU.

    Args:
        path: The file.
        headers: Whether to read names and shapes alone; the tensors are then float32 on the meta device.

    Raises:
        WeightsError: If it cannot be read, is no complete safetensors file, or a pointer of Git LFS is in its place.
    """
    import torch
    from safetensors import SafetensorError, safe_open

    if path.is_file():
        refuse_pointer(path)
    try:
        with safe_open(path, framework="pt") as file:
            if headers:
                shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118 - no mapping
                return {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    except (OSError, SafetensorError) as error:
        raise WeightsError(_incomplete(path, error)) from error


def looks_untrained(path: Path) -> bool:
    """Whether all norms in a safetensors file are as before any training, each weight 1 and each bias 0.

    Raises:
        WeightsError: If it cannot be read.
    """
    from safetensors import SafetensorError, safe_open

    norms = 0
    try:
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 - no mapping
                shape = file.get_slice(name).get_shape()
                if NORM.search(name) and len(shape) == 1:
                    norms += 1
                    if bool((file.get_tensor(name) != (0 if name.endswith("bias") else 1)).any()):
                        return False
    except (OSError, SafetensorError) as error:
        raise WeightsError(_incomplete(path, error)) from error
    return norms > 0


def parts_of(index: Path) -> list[str]:
    """The files that an index of weights in several parts names, sorted.

    Raises:
        WeightsError: If it is no such index.
    """
    try:
        files = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        return sorted({str(file) for file in files.values()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(f"{index} is no index of weights; delete it and fetch it again") from error


def fitting(origin: object, tensors: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a file that a model wants, every one of them and of the right shape; the others are left.

    Args:
        origin: Where they were read, for the message.
        tensors: Under the model's own names.
        wanted: The model's state.

    Raises:
        WeightsError: If one is absent, of another shape, or quantised.
    """
    import torch

    plain = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
    for name, tensor in wanted.items():
        given = tensors.get(name)
        if given is None or given.shape != tensor.shape or given.dtype not in plain:
            what = "no such tensor" if given is None else f"shape {list(given.shape)} of {given.dtype}"
            raise WeightsError(
                f"{origin} is not what its name says: {name} should have the shape {list(tensor.shape)} and there is "
                f"{what}; delete it and fetch it again"
            )
    return {name: tensors[name] for name in wanted}


def recorded_sha256(source: Source, path: Path) -> str | None:
    """The hub's digest of a file, where its client kept it: as the cache's name for it, or in a note."""
    root = path.parents[source.file.count("/")]
    note = root / ".cache" / "huggingface" / "download" / f"{source.file}.metadata"
    lines = note.read_text(encoding="utf-8").splitlines() if note.is_file() else []
    etag = lines[1] if len(lines) > 1 else path.resolve().name
    return etag if SHA256.fullmatch(etag) else None


def _incomplete(path: Path, error: Exception) -> str:
    return f"{path} is not a complete safetensors file ({error}); delete it and fetch it again"


def _check_reachable(source: Source) -> None:
    """Ask the hub for one byte, since its client asks again for minutes where nobody answers.

    The question has a thread of its own: no time limit of a library covers a name server that is silent.
    """
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        raise HubUnreachableError(_absence(source, "HF_HUB_OFFLINE is set"))
    answers: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    threading.Thread(target=lambda: answers.put(_refusal(_url(source))), daemon=True).start()
    try:
        reason = answers.get(timeout=REACH_S)
    except queue.Empty:
        reason = SILENCE
    if reason:
        raise (HubUnreachableError if reason.startswith(SILENCE) else WeightsError)(_absence(source, reason))


def _refusal(url: str) -> str | None:
    """Why the hub does not give this file, or None if it does."""
    import requests
    from huggingface_hub import get_token

    token = get_token()
    question = {"Range": "bytes=0-0", **({"Authorization": f"Bearer {token}"} if token else {})}
    try:
        with requests.get(url, headers=question, timeout=ANSWER_S, stream=True) as answer:
            return None if answer.ok else f"the hub answers with status {answer.status_code}"
    except requests.RequestException as error:
        return f"{SILENCE} ({type(error).__name__})"


def _url(source: Source) -> str:
    from huggingface_hub import hf_hub_url

    return hf_hub_url(source.repository, source.file, revision=source.revision)


def _absence(source: Source, reason: str) -> str:
    folder = weights_folder()
    target = source.within(folder or Path("DIR"))
    return (
        f"the pre-trained weights {source} are neither in the weights folder ({folder or 'none is set'}) nor in the "
        f"hub's cache and cannot be fetched, because {reason}; download {_url(source)} to {target}"
        f"{'' if folder else ' and say --weights-dir DIR'}, or choose weights=random where a control is meant"
    )
