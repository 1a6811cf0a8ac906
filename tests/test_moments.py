"""Statistics of values read in parts are those of all of them at once, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import moments
from bench.moments import Seen


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**32), slots=st.integers(1, 300), share=st.sampled_from([0.0, 0.02, 0.5, 1.0]))
@pytest.mark.parametrize("part", [128, 200, 2**19])
def test_they_are_those_of_numpy(part: int, seed: int, slots: int, share: float) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(moments, "PART", part)
        draw = np.random.default_rng(seed)
        values = (1000 * draw.random((slots, 5, 7))).astype(np.float32)
        valid = draw.random(values.shape) < share
        known = values[valid].astype(np.float64) if valid.any() else np.zeros(1)
        seen = Seen(values, valid)
        assert seen.extremes() == (known.min(), known.max())
        assert seen.mean_and_deviation() == (known.mean(), known.std())


def test_what_is_valid_may_be_said_once_for_all_slots() -> None:
    values = np.random.default_rng(0).random((50, 3, 4)).astype(np.float32)
    cells = np.array([[True, False, True, True]] * 3)
    known = values[:, cells].astype(np.float64)
    assert Seen(values, np.broadcast_to(cells, values.shape)).mean_and_deviation() == (known.mean(), known.std())
