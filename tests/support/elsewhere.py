"""What the tests of forecasts that were made elsewhere share."""

from __future__ import annotations

import pytest

from bench.errors import ForecastError

SQUARE = 'name = "square"\ninterval = 30\ngrid = [4, 4]\nchannels = ["in", "out"]\nstart = "2020-01-06T00:00"\n'
MODELS = ("last_value", "ridge", "stid", "seasonal_naive_day")


def refused(evaluate, *arguments, error=ForecastError, **choices):
    with pytest.raises(error) as caught:
        evaluate(*arguments, **choices)
    text = str(caught.value)
    assert "\n" not in text
    assert not text.endswith(".")
    return text
