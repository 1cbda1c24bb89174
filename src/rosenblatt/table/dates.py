"""Dates and times as people write them, read a column at a time, and the numbers that are made of them."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from rosenblatt.data.numbers import Reading

Floats = NDArray[np.float64]
ORDERS = {"year first": (0, 1, 2), "day first": (2, 1, 0), "month first": (2, 0, 1), "time": ()}  # where y, m, d stand
WRITTEN = (
    r"(?i)^(?:(\d{1,4})[-/.](\d{1,2})[-/.](\d{4}|\d{1,2}))?"
    r"(?:(?:^|[T ,]\s*)(\d{1,2}):(\d{2})(?::(\d{2}(?:[.,]\d+)?))?\s*(?:([AP])\.?M\.?)?)?"
    r"\s*(?:Z|[A-Z]{3,4}|[+-]\d{2}(?::?\d{2})?)?$"
)


MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
NAMED = rf"(?i)^(?:\d{{1,2}}[-/ .]+)?(?:{'|'.join(MONTHS)})[a-z]*[-/ .,]+\d"


def _in_figures(words: pl.Series) -> pl.Series:
    """Return dates with English names of months with the year first: ``12-May-2023`` and ``May 12, 2023``."""
    if not words.head(1000).str.contains(NAMED).any():
        return words
    for number, month in enumerate(MONTHS, 1):
        named = rf"{month}[a-z]*[-/ .,]+"
        words = words.str.replace(rf"(?i)^(\d{{1,2}})[-/ .]+{named}(\d{{4}})\b", f"${{2}}-{number}-${{1}}")
        words = words.str.replace(rf"(?i)^(\d{{1,2}})[-/ .]+{named}(\d{{2}})\b", f"20${{2}}-{number}-${{1}}")
        words = words.str.replace(rf"(?i)^{named}(\d{{1,2}})[ ,-]+(\d{{4}})\b", f"${{2}}-{number}-${{1}}")
    return words


def date_order_of(words: pl.Series) -> Reading:
    """Return how a column of (N,) strings writes dates; the form is a key of `ORDERS`.

    Where day and month can be read both ways in each value, the month is first before a slash, and the day otherwise.
    """
    words = _in_figures(words.drop_nulls())
    if not words.head(1000).str.contains(r"\d[-/.:]\d").any():
        return Reading("", 0.0)
    words = words.unique(maintain_order=True)
    read = {order: date_parts_of(words, order) for order in ORDERS}
    known = {order: int(np.isfinite(parts["hour"]).sum()) for order, parts in read.items()}
    best = max(known, key=lambda order: (known[order], order == "month first" and "/" in words[0]))
    told = f"{best}, as in {words[0]!r}"
    other = {"day first": "month first", "month first": "day first"}.get(best, best)
    if known[best] == known[other] and best != other and (read[best]["month"] != read[other]["month"]).any():
        told += f", though {other} fits all values too"
    return Reading(best, known[best] / len(words), told)


def date_parts_of(words: pl.Series, order: str) -> dict[str, Floats]:
    """Return (N,) numbers by name, NaN where a string is no date so; offsets from UTC are ignored."""
    words = _in_figures(words)
    found = words.str.extract_groups(WRITTEN).struct.unnest()
    every = found.select(pl.all().str.replace(",", ".").cast(pl.Float64, strict=False).fill_null(np.nan)).to_numpy()
    half, (hour, minute, second) = found.to_series(6).str.to_lowercase().to_numpy(), every[:, 3:6].T
    hour = np.where(half == "p", hour % 12 + 12, np.where(half == "a", hour % 12, hour))
    time = np.where((hour < 24) & (minute < 60), hour + minute / 60 + np.nan_to_num(second) / 3600, np.nan)
    if order == "time":
        alone = np.isnan(every[:, 0]) & ~words.str.contains("[+-]").fill_null(True).to_numpy()  # 10:30-11:30 is none
        return {"hour": np.where(alone, time, np.nan)}
    year, month, day = every[:, ORDERS[order]].T
    if order != "year first":
        short = found.to_series(2).str.len_chars().to_numpy() == 2
        year = np.where(short, year + np.where(year < 69, 2000, 1900), year)
    good = (year >= 1000) & (month >= 1) & (month <= 12) & (day >= 1) & (np.isnan(hour) | ~np.isnan(time))
    months = np.where(good, (year - 1970) * 12 + month - 1, 0).astype("datetime64[M]")
    days = months.astype("datetime64[D]") + np.where(good, day - 1, 0).astype("timedelta64[D]")
    good &= days.astype("datetime64[M]") == months  # no 31st of February
    age, time = days.astype(np.int64), np.nan_to_num(time)
    parts = {
        "days since 1970": age + time / 24,
        "year": year,
        "month": month,
        "weekday": (age + 3) % 7 + 1,
        "hour": time,
    }
    return {name: np.where(good, one, np.nan) for name, one in parts.items()}
