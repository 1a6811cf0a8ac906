"""Floating-point operations of a forward pass, by torch's own formulas."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from bench.files import atomic_write


class FlopCounter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts in ``total`` what ``FlopCounterMode`` would, without modules, and without importing torch's compiler."""

    supports_higher_order_operators = True

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """With True, which is the default of later versions of torch, the first operation imports the compiler."""
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = dict(kwargs or {})
        if hasattr(func, "decompose"):
            with self:
                parts = func.decompose(*args, **given)
            if parts is not NotImplemented:
                return parts
        out = func(*args, **given)
        formula: Callable[..., int] | None = flop_registry.get(getattr(func, "_overloadpacket", func))
        self.total += formula(*args, **given, out_val=out) if formula else 0
        return out


def counted_once(file: Path | None, count: Callable[[], int]) -> int:
    """What ``count`` gives, kept in a file for the runs that differ in no more than their seeds or training.

    A file that is broken is written anew, and one that cannot be written is done without.
    """
    with suppress(OSError, ValueError):
        if file is not None:
            return int(file.read_bytes())
    total = count()
    with suppress(OSError):
        if file is not None:
            with atomic_write(file) as part:
                part.write_bytes(b"%d" % total)
    return total
