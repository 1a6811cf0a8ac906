"""What a model reads beside the history, as a record holds it."""

from __future__ import annotations

from msgspec import Struct

from bench.records.plain import Whole


class Inputs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What moved the forecasts of a trained model when it was changed.

    Attributes:
        calendar: Slot of day and day of week, or slot of year.
        days_back: Which of the days before; of the years before, where a step is a week or a month.
        place: Whether cells are told apart: by an identity of each, or by the border of the grid.
    """

    calendar: bool
    days_back: tuple[Whole, ...]
    place: bool

    def __str__(self) -> str:
        return self.in_words()

    def in_words(self, season: str = "day") -> str:
        """Such as "calendar, days before (1, 7)"; the season is what days before are of."""
        days = [f"{season}s before ({', '.join(map(str, sorted(self.days_back)))})"] if self.days_back else []
        return ", ".join([*["calendar"] * self.calendar, *days, *["place"] * self.place]) or "nothing"
