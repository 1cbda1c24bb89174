"""Numbers, dates and categories to features: columns with their scales, bins and codes, fitted on training rows."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from rosenblatt.arguments import fits
from rosenblatt.data.columns import Columns, as_strings
from rosenblatt.data.encoder import Encoder
from rosenblatt.data.features import Bags, Features, Plane, offsets_of
from rosenblatt.data.numbers import BETWEEN, Reading, numbers_of, reading_of, truths_of
from rosenblatt.errors import UserError, listed
from rosenblatt.table.dates import ORDERS, Floats, date_order_of, date_parts_of
from rosenblatt.tasks.inference import MAX_NUMBER

log = logging.getLogger(__name__)

# Words that mean missing where other cells are numbers or dates, in any case of letters.
MISSING = (
    "?", "na", "n/a", "n.a.", "n.d.", "k.a.", "#n/a", "<na>", "nan", "nat", "null", "none", "nil", "missing", "unknown",
    "-", "--", "\u2013", "\u2014", ".", "..", "#div/0!", "#value!", "#ref!", "#num!", "#name?", "#null!",
)  # fmt: skip
# Those of models that do not say, whatever the column.
MISSING_THEN = ["?", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None"]
MAX_DENSE = 1024  # columns up to which a row is kept dense
SCALE = 3.0  # of all features: with 1, Adam at its own lr of 0.001 takes twice as many epochs (docs/log.md)
FARTHEST = 10.0  # standard deviations; of a value that is farther off, in training or later, the bin says the rest
CLIP = 3.0  # scaled values come near it and never reach it
ROWS_PER_BIN = 100  # at least; fewer say little of the next row
FEW_VALUES = 31  # of a part of a date, such as the month, up to which each has a bin
MANY_NEW = 0.2  # share of words that training never had, from which on it is told
MIN_ROWS = 20  # from which on a column that counts them, or has another word in each, is left out
DIFFERENT = 0.99  # share of rows with a word of their own that counts as each
# Numbers of features and their weights, (N,) each: one of either for each feature that a row may have at a time.
Parts = tuple[list[NDArray[np.int64]], list[NDArray[np.float32]]]


class NumberColumn(NamedTuple):
    """A column of numbers: ``(x - center) / scale`` (at most `FARTHEST`), 0 where it is missing, and one feature a bin.

    Those of models of before have mean and standard deviation; those of today are `RobustColumn`. Bin ``i`` holds the
    values above ``edges[i - 1]`` up to ``edges[i]``; with no edges there are no bins. ``form`` is how numbers or dates
    are written (`rosenblatt.data.numbers.Reading`); ``part`` is what is taken of a date.
    """

    name: str
    center: float
    scale: float
    edges: tuple[float, ...]
    form: str = ""
    part: str = ""

    @property
    def size(self) -> int:
        """The number of features, which are the value, whether it is missing, and the bins."""
        return 3 + len(self.edges) if self.edges else 2

    @property
    def suffixes(self) -> list[str]:
        """What follows the name of the column, for each feature."""
        found = ["", " is missing"]
        if self.edges:
            between = [f" from above {low:g} to {high:g}" for low, high in pairwise(self.edges)]
            found += [f" up to {self.edges[0]:g}", *between, f" above {self.edges[-1]:g}"]
        return [f": {self.part}{one}" if self.part else one for one in found]

    def read(self, words: pl.Series, where: str, absent: Sequence[str]) -> dict[str, Floats]:
        """Return what `read_by` does of (N,) strings, and tell of those that are neither read nor ``absent``."""
        found = read_by(words, self.form)
        wrong = words.filter(pl.Series(~np.isfinite([*found.values()][-1]))).drop_nulls()
        wrong = wrong.filter(~wrong.str.to_lowercase().is_in(absent))
        if len(wrong) == words.count() >= MIN_ROWS:
            kind = f"{kind_of(self.form)}, as training had them" + (f" ({self.form})" if self.part else "")
            raise UserError(
                f"{where}: expected {kind} in column {self.name!r}; none of {words.count():,} values is one (such as "
                f"{wrong[0]!r}). Write them as in the training data, or leave the cells empty."
            )
        if len(wrong):
            log.warning(
                "%s: %s of %s values in column %r are no %s (such as %r); they count as missing.", where,
                f"{len(wrong):,}", f"{words.count():,}", self.name, kind_of(self.form), wrong[0],
            )  # fmt: skip
        return found

    def features_of_numbers(self, numbers: Floats) -> Parts:
        """Return the features of (N,) numbers, of which NaN and infinity are missing; the bin comes last."""
        missing = ~np.isfinite(numbers)
        scaled = (numbers.clip(-MAX_NUMBER, MAX_NUMBER) - self.center) / self.scale
        value = np.where(missing, 0.0, scaled.clip(-1e6, 1e6)).astype(np.float32)  # in float32, no infinity
        ids = [np.zeros(len(value), dtype=np.int64), np.ones(len(value), dtype=np.int64)]
        weights = [self.clipped(value), missing.astype(np.float32)]
        if self.edges:
            # Compared as scaled, in the same rounding, so that a value that is an edge stays below it.
            edges = ((np.array(self.edges) - self.center) / self.scale).astype(np.float32)
            ids.append(2 + np.searchsorted(edges, value))
            weights.append((~missing).astype(np.float32))
        return ids, weights

    def clipped(self, scaled: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the feature of a scaled number."""
        return scaled.clip(-FARTHEST, FARTHEST)

    def unclipped(self, value: Tensor) -> Tensor:
        """Return the scaled number that has this feature."""
        return value


class RobustColumn(NumberColumn):
    """A column of numbers whose center is the median, and whose scale the range of the middle half of them.

    The scaled number is clipped smoothly, so that few that are far off move nothing, and yet differ (Holzmueller,
    Grinsztajn and Steinwart 2024, section 3).
    """

    def clipped(self, scaled: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return ``x / sqrt(1 + (x / 3)^2)``."""
        return np.asarray(scaled / np.sqrt(1 + (scaled / CLIP) ** 2), dtype=np.float32)

    def unclipped(self, value: Tensor) -> Tensor:
        """Return the scaled number that has this feature."""
        return value / (1 - (value / CLIP) ** 2).clamp(min=1e-9).sqrt()


class PeakedColumn(RobustColumn):
    """One whose middle half is one number, such as no capital gain; its scale is half the whole range.

    The others lie close together then, and bins tell them apart.
    """


class CategoryColumn(NamedTuple):
    """A column of words: one feature a category; all 0 for a category that training never had."""

    name: str
    categories: tuple[str, ...]

    @property
    def size(self) -> int:
        """The number of features, which are the categories, and whether it is missing."""
        return len(self.categories) + 1

    @property
    def suffixes(self) -> list[str]:
        """What follows the name of the column, for each feature."""
        return [*(f" = {category}" for category in self.categories), " is missing"]

    def features_of(self, words: pl.Series, where: str, absent: Sequence[str]) -> Parts:
        """Return the features of (N,) strings, null where one is missing, as is a new one of ``absent``."""
        code = words.cast(pl.Enum(self.categories), strict=False).to_physical().cast(pl.Int64)
        if code.null_count() > words.null_count():
            new = code.is_null() & words.str.to_lowercase().is_in(absent)
            words = pl.select(pl.when(~new).then(words))[:, 0]
            others = words.filter(code.is_null()).drop_nulls()
            if len(others) > MANY_NEW * words.count():
                log.warning(
                    "%s: %s of %s words in column %r were never in training (such as %r; there %r); they say nothing.",
                    where, f"{len(others):,}", f"{words.count():,}", self.name, others[0], self.categories[0],
                )  # fmt: skip
        code = pl.select(pl.when(words.is_null()).then(len(self.categories)).otherwise(code)).to_series()
        return [code.fill_null(0).to_numpy()], [code.is_not_null().to_numpy().astype(np.float32)]


Column: TypeAlias = NumberColumn | CategoryColumn


def kind_of(form: str) -> str:
    """Return what a column of this form holds, in a word."""
    return "dates" if form in ORDERS else "numbers"


def read_by(words: pl.Series, form: str) -> dict[str, Floats]:
    """Return (N,) numbers, or each part of dates by name, NaN where a string is none of that form.

    A date with the year first can be read one way only, and so is read beside those of another order.
    """
    if form not in ORDERS:
        return {"": numbers_of(words, form).fill_null(np.nan).to_numpy()}
    found = date_parts_of(words, form)
    if form in ("day first", "month first") and np.isnan(found["year"]).sum() > words.null_count():
        plain = date_parts_of(words, "year first")
        found = {name: np.where(np.isnan(one), plain[name], one) for name, one in found.items()}
    return found


def edges_of(values: Floats, bins: int) -> tuple[float, ...]:
    """Return where the bins of a column of numbers end, ascending; the last one has no end.

    There are as many of equal numbers of rows as of equal numbers of distinct values, of (n,) values that are there.
    """
    distinct = np.unique(values)
    shares = np.linspace(0, 1, min(bins, len(values) // ROWS_PER_BIN) + 1)[1:-1]
    edges = {float(edge) for part in (values, distinct) for edge in np.quantile(part, shares, method="lower")}
    return tuple(sorted(edges - {float(distinct[-1])}))  # nothing is above the largest


def column_from(kind: str, *values: Any) -> Column:
    """Return a column from its parts, as JSON holds them; a `ValueError` tells that they are none."""
    numbers = {one.__name__: one for one in (NumberColumn, RobustColumn, PeakedColumn)}.get(kind)
    if numbers is not None and fits((*values, "", "")[:6], tuple[str, float, float, Sequence[float], str, str]):
        name, center, scale, edges, form, part = (*values, "", "")[:6]
        known = form in ("", *BETWEEN)
        if part:
            known = form in ORDERS and part in date_parts_of(pl.Series(dtype=pl.String), form)
        if known and np.isfinite([center, scale, *edges]).all() and scale > 0 and (np.diff(edges) > 0).all():
            return numbers(name, float(center), float(scale), tuple(map(float, edges)), form, part)
    if kind == "CategoryColumn" and fits(values, tuple[str, Sequence[str]]):
        name, categories = values
        if len(set(categories)) == len(categories):
            return CategoryColumn(name, tuple(categories))
    raise ValueError(f"column {str(values)[:50]} is neither one of numbers nor one of categories")


def _counts_rows(values: pl.Series, num_rows: int) -> bool:
    """Return whether (N,) values are whole numbers that go up, or down, in the order of the file, with few gaps."""
    for some in (values.head(MIN_ROWS), values):  # of most columns the first rows tell that they are not
        numbers = some.cast(pl.String).str.strip_chars().cast(pl.Int64, strict=False).to_numpy()
        steps = np.diff(numbers)  # NaN beside one that is missing
        if not ((steps > 0).all() or (steps < 0).all()):
            return False
    return bool(abs(float(numbers[-1]) - float(numbers[0])) / np.gcd.reduce(np.abs(steps)) < 2 * num_rows)


class TableEncoder(Encoder):
    """Turns rows of numbers and categories into features.

    A column is one of numbers if each of its training values that is not missing is a number, as programs write it or
    as people do, all in one way; one of dates likewise, of which age, year, month, weekday and hour are numbers.
    Missing are empty cells, and beside numbers and dates words such as ``NA``, which are categories elsewhere. What is
    missing is kept as such: a category of its own, or, in a column of numbers, the median and a feature that says so.

    A number is a feature as it is, scaled, and has one feature a bin beside it: what goes up with age and down again is
    no straight line, and a perceptron knows no other.

    Features are dense up to 1,024 of them, and bags where columns have many categories.

    Args:
        categorical: columns of numbers that are to be categories (codes, post codes).
        min_count: how often a category has to occur in training to have a feature.
        bins: bins of equal numbers of rows, and again as many of equal numbers of distinct values (half of all people
            may have a capital gain of 0), for each column of numbers; fewer where there are few rows; 0 for none.

    Raises:
        UserError: bins below 0.
    """

    def __init__(self, categorical: Sequence[str | int] = (), min_count: int = 1, bins: int = 32) -> None:
        if bins < 0:
            raise UserError(f"data.bins: expected a whole number of at least 0; got {bins}.")
        self.bins = bins
        self.categorical = tuple(str(name) for name in categorical)
        self.min_count = min_count
        self.columns: list[Column] = []
        # Words that mean missing in all columns; and those that do where other cells are numbers or dates.
        self._absent: list[list[str]] = [[], [*MISSING]]

    @property
    def num_features(self) -> int:
        """Number of features."""
        return sum(column.size for column in self.columns)

    def facts(self) -> dict[str, Any]:
        """Return the columns, and then words that mean missing (not so before 0.3.0), as JSON takes them."""
        columns = [[type(column).__name__, *column] for column in self.columns]
        columns = [one if one[0] == "CategoryColumn" else one[: 5 + bool(one[5]) + bool(one[6])] for one in columns]
        return {"columns": columns if self._absent == [MISSING_THEN, []] else [*columns, ["missing", *self._absent]]}

    def learn(self, facts: dict[str, Any], vocabulary: pl.DataFrame | None) -> None:
        """Take back what `facts` returned."""
        columns, self._absent = facts["columns"], [MISSING_THEN, []]
        if columns[-1][0] == "missing" and fits(columns[-1][1:], tuple[Sequence[str], Sequence[str]]):
            *columns, (_, *self._absent) = columns
        self.columns = [column_from(*values) for values in columns]

    def encode(self, frame: pl.DataFrame, columns: Columns, where: str) -> Features:
        """Encode N rows; the columns that were fitted are known by their names, in any order."""
        return self.features_from(self.parts(frame, where))

    def names(self, numbers: NDArray[np.int64] | None = None) -> list[str]:
        """Return what features are, in words, by number; all of them by default."""
        names = [f"{column.name}{suffix}" for column in self.columns for suffix in column.suffixes]
        return names if numbers is None else [names[number] for number in numbers.tolist()]

    @property
    def column_of(self) -> pl.Series:
        """The column of each feature."""
        return pl.Series([column.name for column in self.columns for _ in range(column.size)], dtype=pl.String)

    @property
    def plane(self) -> Plane | None:
        """How rows of two columns of numbers are points; one beyond `FARTHEST`, whose place features lack, is none."""
        columns = [column for column in self.columns if isinstance(column, NumberColumn) and not column.part]
        if len(columns) != 2 or len(self.columns) != 2 or self.num_features > MAX_DENSE:
            return None
        x, y = columns

        def points(features: Tensor) -> Tensor:
            numbers = []
            for column, start in ((x, 0), (y, x.size)):
                value, missing = column.unclipped(features[:, start].double() / SCALE), features[:, start + 1]
                known = (missing == 0) & (value.abs() < FARTHEST)
                numbers.append((value * column.scale + column.center).where(known, float("nan")))
            return torch.stack(numbers, dim=1)

        def features(points: Tensor) -> Tensor:
            parts = [column.features_of_numbers(points[:, k].numpy()) for k, column in enumerate(columns)]
            found = self.features_from(parts)
            assert isinstance(found, Tensor)
            return found

        return Plane((x.name, y.name), points, features)

    def fit(
        self, frame: pl.DataFrame, num_rows: int = 0, keep: Sequence[str] = (), missing: Sequence[Any] | None = None
    ) -> None:
        """Choose scales and categories.

        Args:
            frame: the training rows, in the order of their file.
            num_rows: of that file, to leave out a column that counts them or has another word in each; 0: none is.
            keep: columns that are not left out.
            missing: words that mean missing in all columns; ``None``: those that do beside numbers and dates.

        Raises:
            UserError: ``categorical`` names no column, or all columns are empty.
        """
        unknown = [name for name in self.categorical if name not in frame.columns]
        if unknown:
            raise UserError(f"data.categorical: no such column: {listed(unknown)}. There are {listed(frame.columns)}.")
        if missing is not None:
            given = ["null" if one is None else str(one) for one in missing]
            self._absent = [[spelling for one in given for spelling in (one, f"{one}.0")], []]  # -999 is -999.0 too
        self.columns, left = [], {}
        for name in frame.columns:
            found, why = self._columns_of(frame[name]), ""
            if num_rows and frame.height >= MIN_ROWS and name not in (*keep, *self.categorical):
                first = found[0] if found else None
                if found and _counts_rows(frame[name], num_rows):
                    why = "counts the rows"
                elif isinstance(first, CategoryColumn) and len(first.categories) > DIFFERENT * frame.height:
                    why = "has another word in each row"
            if why:
                left[name] = found
                log.info('Column %r is left out, since it %s. To learn from it: "data.keep=[%r]"', name, why, name)
            else:
                self.columns += found
        if not self.columns and left:
            self.columns = [column for some in left.values() for column in some]
            log.warning("%s: learnt from all the same, since there is no other column.", listed(left))
        if not self.columns:
            raise UserError("There is no column to learn from: all are empty.")

    def _columns_of(self, values: pl.Series) -> list[Column]:
        """Return what a column of the training rows is: a column, none where it is empty, or several parts of dates."""
        name, words = values.name, self._words(values)
        if name not in self.categorical:
            known, numbers, absent = words, words.cast(pl.Float64, strict=False), []
            if is_word := numbers.count() == 0:  # Excel's TRUE, pandas' True and JSON's true are one
                numbers = truths_of(words)
            is_truth = is_word and numbers.count() > 0
            numbers = numbers.fill_nan(None) if numbers.is_nan().any() else numbers
            if numbers.null_count() > words.null_count():
                odd = words.filter(numbers.is_null()).unique().drop_nulls()
                absent = sorted(odd.filter(odd.str.to_lowercase().is_in(self._absent[1])))
                if absent:
                    known, numbers = (one.filter(~words.is_in(absent)) for one in (known, numbers))
            if known.count() == 0:
                return []
            read = Reading("", numbers.count() / known.count())
            if (
                values.dtype == pl.String and known.filter(known.str.starts_with("0")).str.contains(r"^0\d+$").any()
            ):  # post codes, telephone numbers
                read = Reading("", 0.0)
                log.info("Column %r: codes, since some begin with 0; each is a category.", name)
            elif values.dtype == pl.String and not is_truth:
                read = reading_of(known, numbers)
            if read.share < 1:
                read = max(read, date_order_of(known), key=lambda one: one.share)
            if read.share == 1:
                told = [f"are read as they are written: {read.told}"] if read.told else []
                told += [f"may be missing, which is written {listed(absent)}"] if absent else []
                if told:
                    log.info("Column %r: %s %s.", name, kind_of(read.form), "; they ".join(told))
                return self._numbers(name, known if read.form else numbers, read.form)
            if read.share > 0.5:
                odd = known.filter(pl.Series(np.isnan([*read_by(known, read.form).values()][-1]))).drop_nulls()
                log.warning(
                    "Column %r is taken for categories: %s of its %s training values are no %s (such as %r). "
                    "If it is one of %s, correct them or leave them empty.", name,
                    f"{len(odd):,}", f"{words.count():,}", kind_of(read.form), odd[0], kind_of(read.form),
                )  # fmt: skip
        counts = words.drop_nulls().value_counts(name="count").filter(pl.col("count") >= self.min_count)
        categories = tuple(sorted(counts["word"]))
        if kept := [one for one in categories if one.lower() in self._absent[1]]:
            log.info("Column %r: %s counts as a category; if it means missing: data.missing=[...]", name, listed(kept))
        if 2 * len(categories) > words.count() >= MIN_ROWS and name not in self.categorical:
            log.info(
                "Column %r: %s different words in %s rows, such as %r; each is a category. Are these numbers or dates "
                'that are not read, correct them; to leave it out: "data.ignore=[%r]"',
                name, f"{len(categories):,}", f"{words.count():,}", words.drop_nulls()[0], name,
            )  # fmt: skip
        return [CategoryColumn(name, categories)] if words.count() else []

    def _numbers(self, name: str, values: pl.Series, form: str) -> list[Column]:
        """Return the column of training values that all are read, or one for each part of dates that differs."""
        found: list[Column] = []
        for part, numbers in read_by(values, form).items():
            numbers = numbers[np.isfinite(numbers)].clip(-MAX_NUMBER, MAX_NUMBER)
            is_alike = bool(part) and len(numbers) > 0 and bool((numbers == numbers[0]).all())
            if len(numbers) and (not is_alike or (not found and part == "days since 1970" and values.null_count() > 0)):
                whole = np.unique(np.ceil(numbers)) if part else ()  # hours of 12:30 too
                few = 0 < len(whole) <= FEW_VALUES and self.bins > 0
                edges = tuple(map(float, whole[:-1])) if few else edges_of(numbers, self.bins)
                low, center, high = map(float, np.quantile(numbers, (0.25, 0.5, 0.75)))
                kind = RobustColumn if low < high else PeakedColumn
                # No number is so many scales off that it could not be divided.
                scale = max(high - low or float(np.ptp(numbers)) / 2 or 1.0, 1e-200)
                found.append(kind(name, center, scale, edges, form, part))
        return found

    def parts(self, frame: pl.DataFrame, where: str) -> list[Parts]:
        """Return the features of each of the columns; a `UserError` tells of one that is missing."""
        absent = [column.name for column in self.columns if column.name not in frame.columns]
        if absent:
            raise UserError(
                f"{where}: no column {listed(absent)}, which training had. There are {listed(frame.columns)}."
            )
        found: list[Parts] = []
        read: dict[str, dict[str, Floats]] = {}  # of the last column, which may be dates with several parts
        for column in self.columns:
            values = frame[column.name]
            if isinstance(column, CategoryColumn):
                found.append(column.features_of(self._words(values), where, self._absent[1]))
                continue
            if column.name not in read:
                typed = values.dtype.is_numeric() and not column.part  # as programs write them
                own = column._replace(form="") if typed else column
                read = {column.name: own.read(self._words(values), where, self._absent[1])}
            found.append(column.features_of_numbers(read[column.name][column.part]))
        return found

    def _words(self, values: pl.Series) -> pl.Series:
        """Return a column as strings, null where it is missing whatever the column is."""
        if values.dtype == pl.Boolean:
            values = values.cast(pl.Int8)
        values = values.fill_nan(None) if values.dtype.is_float() else values
        words = as_strings(values, f"data.ignore=[{values.name}] leaves it out").rename("word").str.strip_chars()
        there = ~words.is_in(["", *self._absent[0]]) if self._absent[0] else words != ""
        return pl.select(pl.when(there).then(words))[:, 0]

    def features_from(self, parts: list[Parts]) -> Features:
        """Return dense features or bags from those of each column."""
        starts = np.cumsum([0, *(column.size for column in self.columns)])
        ids = np.stack([start + one for start, (some, _) in zip(starts, parts, strict=False) for one in some], axis=1)
        weights = SCALE * np.stack([one for _, some in parts for one in some], axis=1)
        if self.num_features <= MAX_DENSE:
            dense = np.zeros((len(ids), self.num_features), dtype=np.float32)
            np.put_along_axis(dense, ids, weights, axis=1)
            return torch.from_numpy(dense)
        used = weights != 0
        offsets = torch.from_numpy(offsets_of(used.sum(axis=1)))
        return Bags(torch.from_numpy(ids[used].astype(np.int32)), torch.from_numpy(weights[used]), offsets)
