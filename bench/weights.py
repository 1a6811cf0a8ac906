"""Pre-trained weights: where a file is, how to get it, and how to read it.

A file is looked for in the weights folder (``--weights-dir``, which sets ``$STBENCH_WEIGHTS``), then in the cache of
the Hugging Face hub (``$HF_HOME``), and then fetched from the hub or its mirror (``$HF_ENDPOINT``), unless
``$HF_HUB_OFFLINE`` forbids it. The weights folder is laid out as the hub is: ``<folder>/<owner>/<name>/<file>``.

Only safetensors are read. Nothing here imports torch or the hub's client before it is needed.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final, Literal

from bench.disguise import POINTER
from bench.errors import HubUnreachableError, WeightsError, is_installed, require
from bench.hub import SHA256
from bench.hub import Source as Source
from bench.plain_files import read_plain

if TYPE_CHECKING:
    from torch import Tensor

    from bench.download import Progress

FOLDER_VARIABLE: Final = "STBENCH_WEIGHTS"
NORM: Final = re.compile(r"(^|[._])(norm|ln_|layer_?norm)", re.IGNORECASE)  # in the name of a tensor


def weights_folder() -> Path | None:
    """The weights folder, if one is set."""
    text = os.environ.get(FOLDER_VARIABLE)
    return Path(text).expanduser() if text else None


def find(source: Source) -> tuple[Path, Literal["folder", "package", "cache"]] | None:
    """A file on this machine: in the weights folder, a package, or, if its client is installed, the hub's cache."""
    folder = weights_folder()
    if folder is not None and (path := source.within(folder)).is_file():
        return path, "folder"
    if (carried := _carried(source)) is not None:
        return carried, "package"
    if not is_installed("huggingface_hub"):
        return None
    from huggingface_hub import try_to_load_from_cache

    cached = try_to_load_from_cache(source.repository, source.file, revision=source.revision)
    return (Path(cached), "cache") if isinstance(cached, str) else None


def _carried(source: Source) -> Path | None:
    """The file in its package, which is not imported."""
    package = find_spec(source.package) if source.package else None
    folders = package.submodule_search_locations or [] if package else []
    return next((file for folder in folders if (file := Path(folder) / "weights" / source.file).is_file()), None)


def locate(source: Source) -> Path:
    """The file on this machine, fetched into the hub's cache when it is not here yet.

    Raises:
        WeightsError: Within seconds, if it is neither here nor reachable; or if a pointer of Git LFS is in its place.
    """
    local = find(source)
    if local:
        refuse_pointer(local[0])
    return local[0] if local else fetch(source)


def fetch(source: Source, folder: Path | None = None, progress: Progress | None = None) -> Path:
    """Download a file into a weights folder, or into the hub's cache; a broken download is continued.

    A file is kept only if it is what the hub says of it, and whole.

    Args:
        source: The file.
        folder: The weights folder; the hub's cache if it is None.
        progress: Told how many bytes of how many are here; a bar on the terminal if it is None.

    Raises:
        WeightsError: Within seconds if the hub does not answer (``HubUnreachableError``) or has no such file; if the
            download breaks off, or what came is not the file.
    """
    require("huggingface_hub", "vision", f"the download of {source}")
    from bench.hub import HubError, download_from_hub, url_of

    try:
        return download_from_hub(source, folder, check_complete, progress)
    except HubError as error:
        kind = HubUnreachableError if error.unreachable else WeightsError
        raise kind(_absence(source, str(error), url_of(source))) from error


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


def check_complete(path: Path, name: str = "") -> None:
    """Refuse a file that is not all there, by its headers alone; of other files than safetensors only pointers.

    Args:
        path: The file.
        name: What it is called on the hub, if it has another name here.

    Raises:
        WeightsError: If it is a pointer of Git LFS, or no complete safetensors file.
    """
    refuse_pointer(path)
    if PurePosixPath(name or path.name).suffix == ".safetensors":
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
        files = json.loads(read_plain(index))["weight_map"]
        return sorted({str(file) for file in files.values()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
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


def _absence(source: Source, reason: str, url: str) -> str:
    folder = weights_folder()
    target = source.within(folder or Path("DIR"))
    return (
        f"the pre-trained weights {source} are neither in the weights folder ({folder or 'none is set'}) nor in the "
        f"hub's cache and cannot be fetched, because {reason}; download {url} to {target}"
        f"{'' if folder else ' and say --weights-dir DIR'}, or choose weights=random where a control is meant"
    )
