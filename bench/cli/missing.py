"""What a plan lacks on this machine, data and weights, and how to get it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from bench.catalog import registry

if TYPE_CHECKING:
    from bench.catalog.data import Catalog
    from bench.records.planned import PlannedRun
    from bench.weights import Source


def missing(plan: Sequence[PlannedRun], catalog: Catalog) -> Iterator[str]:
    """A sentence for the data and one for the weights that are not here; none where nothing is missing."""
    yield from _missing_data(plan, catalog)
    yield from missing_weights(plan)


def _missing_data(plan: Sequence[PlannedRun], catalog: Catalog) -> Iterator[str]:
    synthetic = dict.fromkeys(data.name for run in plan for data in run.spec.datasets if data.synthetic)
    if absent := [name for name in synthetic if not catalog.is_never_real(name)]:
        where = f"in {catalog.data_dir}" if catalog.data_dir else "here, since there is no data folder (--data-dir DIR)"
        typed = " ".join(shlex.quote(registry.typed("dataset", name)) for name in absent)
        yield (
            f"no files of {', '.join(absent)} are {where}: synthetic data take their place; 'stbench data fetch "
            f"{typed}' downloads what has an address, and 'stbench show NAME' says how to get the rest"
        )


def missing_weights(plan: Sequence[PlannedRun]) -> Iterator[str]:
    """A sentence for the weights that are not here, if any are not."""
    from bench.catalog.pretrained import PARTS, instead, sources_of

    absent = {  # one of each name of weights, as 'weights list' has it, of which models may read different files
        str(run.spec.config[PARTS[run.model].setting]): run
        for run in plan
        if any(map(_is_absent, sources_of(run.model, run.spec.config)))
    }
    nameless = [name for name, run in absent.items() if run.spec.weights_sha256 is None]
    if absent:
        others = "".join(dict.fromkeys(instead(run.model) for run in absent.values()))
        ids = f"; the ids of runs with {', '.join(nameless)} will be others when these are here" if nameless else ""
        yield (
            f"the pre-trained weights {', '.join(absent)} are not on this machine; 'stbench weights fetch "
            f"{' '.join(absent)}' downloads them, and --weights-dir DIR names a folder that has them{ids}{others}"
        )


def _is_absent(source: Source) -> bool:
    """Whether a file is not here, or a pointer of Git LFS is in its place."""
    from bench.catalog.pretrained import is_here
    from bench.weights import find, is_pointer

    found = find(source)
    return not is_here(source) or (found is not None and is_pointer(found[0]))
