"""One part, in a process of its own: ``python -m bench.perf.gpu.part NAME DEVICE UNTIL FILE``."""

from __future__ import annotations

import sys
import time
import warnings
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Final

from bench.perf.gpu.rows import Bench

PARTS: Final = MappingProxyType(
    {
        "machine": ("machine", "What the device can do at most", 1),
        "harness": ("harness", "Harness over bare loop", 5),
        "vit": ("vit", "A plain ViT in bf16", 3),
        "packing": ("packing", "Small runs on one card", 6),
        "memory": ("memory", "Peak memory beside the arithmetic", 2),
        "precision": ("numbers", "bf16 against float32", 2),
        "seeds": ("numbers", "Equal seeds twice", 3),
        "graphs": ("graphs", "A captured step of training", 3),
        "scoring": ("graphs", "Larger batches in scoring", 2),
        "audit": ("numbers", "The audit of models", 4),
    }
)
"""Of each part the module that has a function of its name, its heading, and its share of the time."""


def main(name: str, device: str, until: str, file: str) -> None:
    """Measure one part until that moment, in seconds since 1970."""
    bench = Bench(device=device, seconds=float(until) - time.time(), file=Path(file))
    warnings.simplefilter("ignore")  # of kernels that are not deterministic; ``seeds`` says which
    module = import_module(f"bench.perf.gpu.{PARTS[name][0]}")
    getattr(module, name)(bench)


if __name__ == "__main__":
    main(*sys.argv[1:])
