"""Channels in a record: their units, and scores that are told channel by channel where these differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from bench.metrics import Score


class Channel(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One channel of a data set.

    Attributes:
        unit: Of its values, its MAE and its RMSE.
    """

    name: str
    unit: str

    def __str__(self) -> str:
        return ", ".join(part for part in (self.name, self.unit) if part)


def cuts(channels: Sequence[Channel]) -> dict[str, int | None]:
    """What a score is of: all channels together, called "", or each alone by its name where their units differ."""
    if len({channel.unit for channel in channels}) < 2:
        return {"": None}
    return {str(channel): number for number, channel in enumerate(channels)}


def value(score: Score | None, channel: int | None) -> float | None:
    """A metric overall, or of one channel; None where it is not known."""
    if score is None:
        return None
    return score.overall if channel is None else score.per_channel[channel]


def scores_line(scores: Mapping[str, Score], channels: Sequence[Channel]) -> str:
    """MAE and RMSE in a line, of every cut."""
    return "; ".join(
        (f"{name}: " if name else "")
        + ", ".join(f"{metric.upper()} {_digits(value(scores.get(metric), channel))}" for metric in ("mae", "rmse"))
        for name, channel in cuts(channels).items()
    )


def _digits(number: float | None) -> str:
    return "—" if number is None else f"{number:.4g}"
