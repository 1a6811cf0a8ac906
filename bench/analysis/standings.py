"""What of a group can be ranked over data sets."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.analysis.channels import pooled
from bench.analysis.groups import DataKey, Group, Summary
from bench.analysis.headers import decimals, method_headers, told_apart
from bench.analysis.stats.ranking import FEWEST_DATASETS, FEWEST_MODELS
from bench.analysis.table import Header
from bench.analysis.witnesses import Witnesses, witnesses

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True)
class Standing:
    """The largest complete part of a group: current runs, on real data without naive baselines unless all take part.

    Attributes:
        scores: MAE at printed precision, data sets x methods; no gaps. May be too small to rank.
        exact: The same at full precision.
        rmse: RMSE at printed precision, of the same methods and data sets.
        naive: The best naive baseline's MAE by data set; NaN without one.
        witnesses: The data sets, and which of them are related.
        headers: By method, in the scores' order.
        titles: What readers see in place of the names of data sets, by these.
        left_out: Who and what does not take part, each with its reason.
        quick: Whether it is of the quick profile.
    """

    scores: pd.DataFrame
    exact: pd.DataFrame
    rmse: pd.DataFrame
    naive: pd.Series[float]
    witnesses: Witnesses
    headers: Mapping[str, Header]
    titles: Mapping[str, str]
    left_out: tuple[str, ...]
    quick: bool

    @property
    def enough(self) -> bool:
        datasets, models = self.scores.shape
        return not self.quick and datasets >= FEWEST_DATASETS and models >= FEWEST_MODELS


def standing(group: Group, *, everyone: bool = False) -> Standing:
    """What of a group can be ranked; with ``everyone`` whatever is there takes part.

    That is naive baselines, synthetic data sets and forecasts made elsewhere, too.
    """
    import pandas as pd

    methods = sorted(
        {method for (_, method), cell in group.cells.items() if everyone or not (cell.naive or method.external)}
    )
    whole = pooled(group)
    real = _one_version([data for data in whole.datasets if everyone or not data.synthetic], group)
    headers = {header.plain: header for header in method_headers(methods, group.naive).values()}
    titles = told_apart({data.dataset: data.title for data in group.datasets})
    table, rmse = (
        pd.DataFrame(
            [[_score(group.cells.get((data, method)), metric, everyone) for method in methods] for data in real],
            index=pd.Index([data.dataset for data in real], dtype=str),
            columns=[*headers],
            dtype=float,
        )
        for metric in ("mae", "rmse")
    )
    synthetic = 0 if everyone else sum(data.synthetic for data in group.datasets)
    left_out = [f"{synthetic} of {len(group.datasets)} data sets (synthetic)"] if synthetic else []
    units = (data for data in group.datasets if data not in whole.datasets)
    left_out += [f"{titles[data.dataset]} (channels differ in unit)" for data in units]
    elsewhere = () if everyone else sorted({method.name for method in group.methods if method.external})
    left_out += [f"{name} (made elsewhere)" for name in elsewhere]
    table, dropped = _complete(table, {name: header.name for name, header in headers.items()} | titles)
    beside = rmse.loc[table.index, table.columns]
    naive = {data.dataset: _best_naive(group, data) for data in real}
    return Standing(
        scores=_printed(table) if len(table.columns) else table,
        exact=table,
        rmse=_printed(beside) if len(table.columns) and not beside.isna().to_numpy().any() else beside,
        naive=pd.Series(naive, dtype=float).reindex(table.index),
        witnesses=witnesses(run for cell in group.cells.values() for run in cell.runs if run.dataset in table.index),
        headers={name: headers[name] for name in table.columns},
        titles={name: titles[name] for name in table.index},
        left_out=(*left_out, *dropped),
        quick=group.key.quick,
    )


def _printed(table: pd.DataFrame) -> pd.DataFrame:
    """Errors at the precision that tables show, so that what prints alike is a tie."""
    import pandas as pd

    return pd.DataFrame([row.round(decimals(float(row.min()))) for _, row in table.iterrows()], columns=table.columns)


def _complete(table: pd.DataFrame, named: Mapping[str, str]) -> tuple[pd.DataFrame, list[str]]:
    """Leave out the method or the data set with the largest share of gaps, a method if alike, until there are none.

    Who was left out, and why, is said with the names that readers see, ``named`` by those of machines.
    """
    dropped = []
    while table.isna().to_numpy().any():
        methods, data = table.isna().mean(), table.isna().mean(axis=1)
        if methods.max() >= data.max():
            name = str(methods.idxmax())
            dropped.append(f"{named[name]} (current runs on {int(table[name].count())} of {len(table)} data sets)")
            table = table.drop(columns=[name])
        else:
            where = int(data.to_numpy().argmax())
            known = int(table.iloc[where].count())
            dropped.append(f"{named[str(table.index[where])]} (current runs of {known} of {table.shape[1]} models)")
            table = table.iloc[[row for row in range(len(table)) if row != where]]
    return table, dropped


def _one_version(data: Sequence[DataKey], group: Group) -> list[DataKey]:
    """No data set counts twice: of several versions the one with the most runs."""
    runs = {key: sum(cell.seeds for cell in group.of(key).values()) for key in data}
    chosen = {key.dataset: key for key in sorted(data, key=lambda key: (runs[key], key))}
    return sorted(chosen.values())


def _score(cell: Summary | None, metric: str, everyone: bool) -> float:
    counts = cell is not None and (cell.current if everyone else cell.ranked)
    return cell.mean(metric) if cell is not None and counts else math.nan


def _best_naive(group: Group, data: DataKey) -> float:
    means = (cell.mean("mae") for cell in group.of(data).values() if cell.naive and cell.ranked)
    return min((mean for mean in means if math.isfinite(mean)), default=math.nan)
