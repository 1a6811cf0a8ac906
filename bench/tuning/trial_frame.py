"""Trials of tuning as one pandas frame, for people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from bench.tuning.study import Study

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("dataset", "model", "task", "profile", "trial", "state", "val_mae", "seconds", "default", "reason")


def trial_frame(studies: Iterable[Study]) -> pd.DataFrame:
    """One row per trial, by study and number.

    Returns:
        The columns of ``COLUMNS``, ``val_mae`` in physical units and NaN unless a trial is complete, then one for each
        setting that was searched, such as ``train.lr``. A model's variant is part of its name.
    """
    import pandas as pd

    rows = [
        {
            "dataset": study.dataset,
            "model": study.name,
            "task": study.task,
            "profile": study.profile,
            "trial": trial.number,
            "state": trial.state,
            "val_mae": trial.value,
            "seconds": trial.seconds,
            "default": trial.default,
            "reason": trial.reason,
            **trial.params,
        }
        for study in studies
        for trial in study.trials
    ]
    settings = sorted({name for row in rows for name in row} - set(COLUMNS))
    return pd.DataFrame(rows, columns=[*COLUMNS, *settings]).astype({"val_mae": "float64", "seconds": "float64"})
