"""What a device that is no CPU would be asked, without one: torch's meta device stands in for it.

It calculates shapes and no values, so a step of training runs on it as on a GPU, and what a GPU would be sent or asked
for passes here. Torch makes ``torch.tensor(values, device=...)`` on it without a copy, so such calls are noted by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

DEVICE = torch.device("meta")
MAKERS = (torch.tensor, torch.as_tensor, torch.asarray, torch.from_numpy, Tensor.new_tensor)
INDEXERS = (Tensor.__getitem__, Tensor.__setitem__)


@dataclass
class Traffic:
    """What went between CPU and device.

    Attributes:
        copies: Operations that brought values from the CPU to the device.
        waits: Operations that brought values from the device to the CPU, for which the CPU waits.
    """

    copies: list[str] = field(default_factory=list)
    waits: list[str] = field(default_factory=list)


@contextmanager
def watched() -> Iterator[Traffic]:
    """The traffic of what is done inside. A number that the device is asked for is 1, and an array is 0."""
    traffic = Traffic()
    with Calls(traffic), Operations(traffic):
        yield traffic


class Calls(TorchFunctionMode):
    """Notes tensors that are made of Python's numbers, also those behind an index."""

    def __init__(self, traffic: Traffic) -> None:
        super().__init__()
        self.traffic = traffic

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        answer = func(*args, **(kwargs or {}))
        if func in MAKERS:
            source = args[1] if func is Tensor.new_tensor else args[0] if args else None
            if answer.device == DEVICE and answer.numel() and not isinstance(source, Tensor):
                self.traffic.copies.append(func.__name__)
        elif func in INDEXERS and args[0].device == DEVICE and _has_list(args[1]):
            self.traffic.copies.append(func.__name__)
        return answer


class Operations(TorchDispatchMode):
    """Notes operations with one foot on each side; a CPU's number without dimension is an argument, and no copy."""

    def __init__(self, traffic: Traffic) -> None:
        super().__init__()
        self.traffic = traffic

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        given = _tensors((args, kwargs))
        on_device = any(tensor.device == DEVICE for tensor in given)
        if func is torch.ops.aten._local_scalar_dense.default and on_device:
            self.traffic.waits.append(str(func))
            return True if given[0].dtype is torch.bool else 1
        copying = func is torch.ops.aten._to_copy.default
        if copying and on_device and kwargs.get("device", DEVICE) == torch.device("cpu"):
            self.traffic.waits.append(str(func))
            return torch.zeros(given[0].shape, dtype=kwargs.get("dtype") or given[0].dtype)
        answer = func(*args, **kwargs)
        from_cpu = any(tensor.device != DEVICE and (tensor.ndim or copying) for tensor in given)
        if from_cpu and any(tensor.device == DEVICE for tensor in [*given, *_tensors(answer)]):
            self.traffic.copies.append(str(func))
        return answer


def _tensors(values: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor)]


def _has_list(index: Any) -> bool:
    parts = index if isinstance(index, tuple) else (index,)
    return any(isinstance(part, list | np.ndarray) for part in parts)
