"""Times as people write them, read where they mean one thing."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import numpy as np
from numpy.typing import NDArray

from bench.catalog.import_card import ImportCard
from bench.catalog.importing.time_forms import ISO, ISO_WEEK, SPANS, advice
from bench.clock import MONTH
from bench.errors import DataError
from bench.types import MINUTES_PER_DAY

if TYPE_CHECKING:
    import pandas as pd

UTC: Final = ("Z", "UTC", "GMT", "+00:00", "+0000", "+00", "-00:00")
EACH_ONE: Final = "give each row a time, or remove one that is no slot, such as a total"
OTHER_ZONE: Final = 'say time_zone = "Europe/Paris" or the like in the card, and times are put into its standard time'

Times = NDArray[np.datetime64]


class Clock:
    """Reads times into local ones without a zone, a piece at a time."""

    def __init__(self, card: ImportCard, file: Path, *, one_row_each: bool = True, utc: bool = False) -> None:
        """``one_row_each`` is whether a row of the file is one time, so that a message can name it by its number.

        ``utc`` is whether times without a zone are those of UTC.
        """
        self._card, self._file, self._one_row_each, self._utc = card, file, one_row_each, utc
        self._rows = 0
        self._offset: str | None = None  # of all times so far, if they have one
        dated = card.interval >= MINUTES_PER_DAY  # and so the hour of a change of the clock does not matter
        self._zone = _Zone(card.time_zone, file, as_shown=dated) if card.time_zone else None

    def read(self, cells: pd.Series[Any] | NDArray[Any]) -> Times:
        """Local times ``[rows]``, or those of the card's ``time_zone``.

        Raises:
            DataError: If one is empty, can be read in no way or in two, or has a zone that the card must explain.
        """
        import pandas as pd

        column = pd.Series(cells).reset_index(drop=True)
        if isinstance(column.dtype, pd.DatetimeTZDtype):
            times = self._from_instants(column.dt.tz_convert("UTC").dt.tz_localize(None), str(column.dtype.tz))
        elif pd.api.types.is_datetime64_dtype(column.dtype):
            times = self._local(self._whole(column))
        else:
            times = self._from_texts(column.astype("string").str.strip().fillna(""))
        self._rows += len(column)
        return times

    def note(self) -> str:
        """A sentence on what was made of zones; empty if there were none."""
        if self._card.time_zone:
            kind = "" if self._card.interval >= MINUTES_PER_DAY else ", in standard time all year"
            return f"times are those of {self._card.time_zone}{kind}"
        return f"times are taken as written, at {self._offset} from UTC" if self._offset else ""

    def _from_texts(self, texts: pd.Series[Any]) -> Times:
        self._refuse(
            texts, texts == "", "is empty; give each row a time, or remove one that is no slot, such as a total"
        )
        if self._card.time_format:
            return self._of_format(texts)
        if texts.str.match(ISO_WEEK).all():
            return self._of_weeks(texts)
        parts = texts.str.extract(ISO)
        wrong = parts["year"].isna()
        if wrong.any():
            self._unreadable(texts, int(wrong.to_numpy().argmax()))
        self._refuse(texts, parts["hour"].str.zfill(2) == "24", "has an hour 24; write 00:00 of the next day")
        day = parts["year"] + "-" + parts["month"].str.zfill(2) + "-" + parts["day"].fillna("1").str.zfill(2)
        hour, minute, second = (parts[name].fillna("0").str.zfill(2) for name in ("hour", "minute", "second"))
        iso = day + "T" + hour + ":" + minute + ":" + second
        times = self._moments(texts, (iso + parts["fraction"].fillna("").str.replace(",", ".")).to_list())
        return self._zoned(texts, times, parts["zone"].str.upper())

    def _moments(self, texts: pd.Series[Any], iso: list[str]) -> Times:
        try:
            return np.array(iso, dtype="datetime64[us]")
        except ValueError:
            for row, text in enumerate(iso):
                try:
                    np.datetime64(text, "us")
                except ValueError:
                    self._fail(texts, row, "is no day and time of the calendar; correct it")
            raise

    def _zoned(self, texts: pd.Series[Any], times: Times, zones: pd.Series[Any]) -> Times:
        """Times with the zones written behind them, if there are any."""
        if zones.isna().all():
            if self._offset is not None:
                self._fail(texts, 0, "has no time zone, but times before it have one; write all alike")
            return self._local(times)
        self._refuse(texts, zones.isna(), "has no time zone, but others have one; write all alike")
        if self._zone is None:
            return self._as_written(texts, times, zones)
        self._offset = str(zones.iloc[-1])
        minutes = zones.map({zone: _minutes(zone) for zone in zones.unique()}).to_numpy("timedelta64[m]")
        return self._zone.from_utc(times - minutes)

    def _as_written(self, texts: pd.Series[Any], times: Times, zones: pd.Series[Any]) -> Times:
        first = str(zones.iloc[0]) if self._offset is None else self._offset
        others = zones != first
        if others.any() and self._are_ends(times, zones):
            self._fail(texts, 0, SPANS)
        self._refuse(texts, others, f"has another time zone than those before it, which have {first}; {OTHER_ZONE}")
        if first in UTC:
            self._fail(texts, 0, f'has the time zone of UTC, and local time is wanted; {OTHER_ZONE} ("UTC" keeps it)')
        self._offset = first
        return times

    def _are_ends(self, times: Times, zones: pd.Series[Any]) -> bool:
        """Whether what looks like zones is when each step ends, as in 08:00-09:00."""
        ends = np.array([-_minutes(zone) for zone in zones])
        begins = (times - times.astype("datetime64[D]")) // np.timedelta64(1, "m")
        return bool(((begins.astype(np.int64) + self._card.interval - ends) % MINUTES_PER_DAY == 0).all())

    def _of_weeks(self, texts: pd.Series[Any]) -> Times:
        """The Mondays of weeks of ISO 8601, such as 2024-W05."""
        import pandas as pd

        days = pd.to_datetime(texts.str.replace("-", "") + "1", format="%GW%V%u", errors="coerce")
        self._refuse(texts, days.isna(), "is no week of ISO 8601; correct it")
        return self._whole(days)

    def _of_format(self, texts: pd.Series[Any]) -> Times:
        import pandas as pd

        form = self._card.time_format
        try:
            column = pd.to_datetime(texts, format=form, errors="coerce", utc="%z" in form)
        except ValueError as error:
            raise DataError(
                f"time_format = '{form}' cannot be used ({error}); write it as %d/%m/%Y %H:%M is written"
            ) from error
        self._refuse(texts, column.isna(), f"is not of the time_format '{form}'; correct the card or the time")
        if isinstance(column.dtype, pd.DatetimeTZDtype):
            return self._from_instants(column.dt.tz_localize(None), "an offset")
        return self._local(self._whole(column))

    def _from_instants(self, column: pd.Series[Any], zone: str) -> Times:
        """From times in UTC, of a column that says so."""
        if self._zone is None:
            raise DataError(
                f"{self._file} has times with the time zone {zone}; say time_zone in the card, such as "
                '"Europe/Paris" or "UTC", and times are put into its standard time'
            )
        return self._zone.from_utc(self._whole(column))

    def _local(self, times: Times) -> Times:
        if not self._utc:
            return times if self._zone is None else self._zone.from_local(times)
        if self._zone is None:
            raise DataError(
                f"{self._file} has times of UTC, as their column is called, and local time is wanted; {OTHER_ZONE} "
                '("UTC" keeps it)'
            )
        return self._zone.from_utc(times)

    def _whole(self, column: pd.Series[Any]) -> Times:
        self._refuse(column, column.isna(), "is empty; give each row a time")
        return column.to_numpy("datetime64[us]")

    def _refuse(self, texts: pd.Series[Any], wrong: pd.Series[Any], why: str) -> None:
        if wrong.any():
            self._fail(texts, int(wrong.fillna(False).to_numpy(bool).argmax()), why)

    def _fail(self, texts: pd.Series[Any], row: int, why: str) -> NoReturn:
        import pandas as pd

        text = texts.iloc[row]
        shown = "no time" if pd.isna(text) or text == "" else f"the time '{text}'"
        at = f" in row {self._rows + row + 1}" if self._one_row_each else ""
        raise DataError(f"{self._file} has {shown}{at}, which {why}")

    def _unreadable(self, texts: pd.Series[Any], row: int) -> NoReturn:
        """Say what to do about a time that is not ISO."""
        months = self._card.interval == MONTH
        self._fail(texts, row, advice(str(texts.iloc[row]), texts.tolist(), months=months))


class _Zone:
    """A time zone whose standard time is used all year, or the time that its clocks show."""

    def __init__(self, name: str, file: Path, *, as_shown: bool) -> None:
        from zoneinfo import ZoneInfo

        self._as_shown = as_shown
        self._name, self._file = name, file
        self._last: np.datetime64 | None = None
        self._offset: np.timedelta64 | None = None
        if name[0] in "+-":
            self._zone: timezone | ZoneInfo = timezone(timedelta(minutes=_minutes(name)))
            return
        try:
            self._zone = ZoneInfo(name)
        except (OSError, ValueError, LookupError) as error:
            raise DataError(
                f"there is no time zone '{name}' on this machine; write one such as Europe/Paris, or +01:00, as "
                "time_zone in the card"
            ) from error

    def from_utc(self, times: Times) -> Times:
        import pandas as pd

        if not self._as_shown:
            return times + self._standard(times)
        shown = pd.DatetimeIndex(times).tz_localize("UTC").tz_convert(self._zone).tz_localize(None)
        return np.array(shown, "datetime64[us]")

    def from_local(self, times: Times) -> Times:
        """From local times, of which the hour that a change of the clock repeats is told by its order."""
        import pandas as pd

        if self._as_shown or isinstance(self._zone, timezone):
            return times
        index = pd.DatetimeIndex(times)
        early, late = (
            index.tz_localize(self._zone, ambiguous=np.full(len(index), summer), nonexistent="NaT").tz_convert("UTC")
            for summer in (True, False)
        )
        if early.hasnans:
            at = int(early.isna().argmax())
            raise DataError(
                f"{self._file} has the time {index[at]}, which a change of the clock leaves out in {self._name}; "
                "correct time_zone in the card or the time"
            )
        instants, later = (np.array(zoned.tz_localize(None), "datetime64[us]") for zoned in (early, late))
        for row in np.flatnonzero(instants != later):
            before = instants[row - 1] if row else self._last
            if before is not None and instants[row] <= before:
                instants[row] = later[row]
        self._last = instants[-1] if len(instants) else self._last
        return self.from_utc(instants)

    def _standard(self, times: Times) -> np.timedelta64:
        """How far its winter time is from UTC, in the year of the first time."""
        if self._offset is None:
            year = int(times[0].astype("datetime64[Y]").astype(int)) + 1970
            offsets = [datetime(year, month, 1, tzinfo=self._zone).utcoffset() for month in (1, 7)]
            self._offset = np.timedelta64(min(offset for offset in offsets if offset is not None), "m")
        return self._offset


def _minutes(zone: str) -> int:
    """How far a zone such as ``+01:00`` is ahead of UTC."""
    if zone in UTC:
        return 0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    return (-1 if zone[0] == "-" else 1) * (60 * int(digits[:2]) + int(digits[2:]))
