"""st-vfm-bench: a referee for spatio-temporal grid forecasting."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__version__ = "0.1.0"


def load_frame(results: str | Path = "results") -> pd.DataFrame:
    """All result records below ``results`` as one frame, one row per run (see ``bench.records.frame``)."""
    from bench.records.frame import load_frame as load

    return load(Path(results))
