"""ST-VFM without embeddings of places and cells: no trained weight depends on the grid."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from models import task_shape
from stvfm_models import BASE, forecast, make_model

from stvfm.model import Config, Model

PARTS = [{}, {"tata": False}, {"head": "linear"}, {"tuning": "lora"}, {"control": "identity"}, {"tokens": "image"}]
PARTS += [{"days": True, "base": "mixed"}, {"series": True}, {"joined": True}, {"depths": "all"}, {"motion": True}]


def made(grid: tuple[int, int], **changes: object) -> Model:
    return make_model(Config(**BASE | changes), replace(task_shape(), grid=grid))


def other_shapes(**changes: object) -> set[str]:
    small, large = (dict(made(grid, **changes).named_parameters()) for grid in ((6, 8), (10, 4)))
    assert small.keys() == large.keys()
    return {name for name in small if small[name].requires_grad and small[name].shape != large[name].shape}


@pytest.mark.parametrize("part", PARTS, ids=str)
def test_no_trained_weight_depends_on_the_grid(part: dict[str, object]):
    assert other_shapes(places=False, identity=False, **part) == set()


def test_with_them_the_embeddings_of_places_and_cells_do_and_no_others():
    assert other_shapes() == {"raw.space", "flow.space", "head.cell"}


def test_everything_else_starts_as_it_does_with_places():
    plain, without = (made((6, 8), places=places).state_dict() for places in (True, False))
    assert plain.keys() - without.keys() == {"raw.space", "flow.space"}
    alike = [name for name in without if name.startswith(("head.", "rounds."))]
    assert all(torch.equal(plain[name], without[name]) for name in alike)
    assert forecast(made(task_shape().grid, places=False)).isfinite().all()
