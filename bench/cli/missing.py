"""What a plan lacks on this machine, data and weights, and how to get it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.catalog.data import Catalog
    from bench.records.planned import PlannedRun


def missing(plan: Sequence[PlannedRun], catalog: Catalog) -> Iterator[str]:
    """A sentence for the data and one for the weights that are not here; none where nothing is missing."""
    from bench.catalog.pretrained import instead

    synthetic = dict.fromkeys(data.name for run in plan for data in run.spec.datasets if data.synthetic)
    if absent := [name for name in synthetic if not catalog.is_never_real(name)]:
        where = f"in {catalog.data_dir}" if catalog.data_dir else "here, since there is no data folder (--data-dir DIR)"
        yield (
            f"no files of {', '.join(absent)} are {where}: synthetic data take their place; 'stbench data fetch "
            f"{' '.join(absent)}' downloads what has an address, and 'stbench show NAME' says how to get the rest"
        )
    if weights := _absent_weights(plan):
        others = "".join(dict.fromkeys(instead(model) for model in weights.values()))
        yield (
            f"the pre-trained weights {', '.join(weights)} are not on this machine; 'stbench weights fetch "
            f"{' '.join(weights)}' downloads them, and --weights-dir DIR names a folder that has them{others}"
        )


def _absent_weights(plan: Sequence[PlannedRun]) -> dict[str, str]:
    """Their names, each once, as 'weights list' has them, with a model that reads them."""
    from bench.catalog.pretrained import PARTS, is_here, sources_of

    wanted = {
        str(run.spec.config[PARTS[run.model].setting]): (run.model, sources)
        for run in plan
        if (sources := sources_of(run.model, run.spec.config))
    }
    return {name: model for name, (model, sources) in wanted.items() if not all(map(is_here, sources))}
