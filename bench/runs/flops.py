"""Floating-point operations of a forward pass, by torch's own formulas."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


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
