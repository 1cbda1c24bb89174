"""Numbers as people write them, read a column at a time: ``1,234.50``, ``1.234,50 €``, ``1’234``, ``(12%)``, ``5−``."""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

CODES = "usd|eur|gbp|chf|jpy|cny|inr|cad|aud|nzd|sek|nok|dkk|pln|czk|huf|ron|try|rub|brl|mxn|zar|krw|sgd|hkd|kr|fr|rs"
UNIT = rf"(?:[A-Z]{{0,3}}\p{{Sc}}|(?i:{CODES}|zł|kč|ft)\.?|[%‰])?\s*"
SIGN = "([+\u2212\u2013-])?\\s*"  # a minus sign and an en dash too
WRITTEN = (
    rf"^{UNIT}(\()?\s*{SIGN}{UNIT}{SIGN}(\d[\d.,'’\s]*|[.,]\d+)([eE][+-]?\d+)?\s*{UNIT}{SIGN}{UNIT}(\))?\s*{UNIT}$"
)
BETWEEN = {".": r"[,\s'’]", ",": r"[.\s'’]"}  # groups of digits, by what stands before decimals
DOTTED = r"^[+-]?[1-9]\d{0,2}\.\d{3}$"
FEW = 3  # distinct numbers, of either kind, from which on `thousands_in` is sure


class Reading(NamedTuple):
    """How a column is read.

    Attributes:
        form: of numbers what stands before decimals, ``.`` or ``,``; or empty, where they are as programs write them.
        share: of its values that are read so.
        told: an example, and what it is; empty where nothing has to be told.
    """

    form: str
    share: float
    told: str = ""


def numbers_of(words: pl.Series, form: str) -> pl.Series:
    """Return (N,) numbers, null where a string is none; see `Reading` for the form.

    Where programs wrote them all, a person may write ``1,234.50`` later: the point stands before decimals there too.
    """
    if not form:
        plain = words.cast(pl.Float64, strict=False)
        if plain.null_count() == words.null_count():
            return plain
        return plain.fill_null(truths_of(words)).fill_null(numbers_of(words, "."))
    bare = words.str.replace(r"(\d)[.,](?:-|\u2013|\u2014)+(\D|$)", "${1}${2}")  # 12,-
    opens, *signs, body, exponent, last, closes = bare.str.extract_groups(WRITTEN).struct.unnest()
    sign = pl.select(pl.concat_str(*signs, last, ignore_nulls=True)).to_series()
    between, negative = BETWEEN[form], opens.is_not_null()
    grouped = rf"[1-9]\d{{0,2}}(?:{between}\d{{2,3}})*{between}\d{{3}}"  # 12,34,567 in India
    good = body.str.strip_chars().str.contains(rf"^(?:(?:\d+|{grouped})(?:[{form}]\d*)?|[{form}]\d+)$")
    good &= (negative == closes.is_not_null()) & (sign.str.len_chars() + negative <= 1)
    plain = body.str.replace_all(between, "").str.replace(form, ".", literal=True) + exponent.fill_null("")
    number = plain.cast(pl.Float64, strict=False)
    return pl.select(pl.when(good).then(pl.when(negative | ~sign.is_in(["", "+"])).then(-number).otherwise(number)))[
        :, 0
    ]


def truths_of(words: pl.Series) -> pl.Series:
    """Return 1 for ``true`` and 0 for ``false``, in any case of letters: (N,), null elsewhere."""
    truths = {"true": 1.0, "false": 0.0}
    return words.str.to_lowercase().replace_strict(truths, default=None, return_dtype=pl.Float64)


def reading_of(words: pl.Series, numbers: pl.Series) -> Reading:
    """Return how (N,) strings, null where one is missing, write numbers; ``numbers`` are what programs read in them.

    Where all fit two ways, separators are for thousands; but ``1.234`` is what programs write, unless it stands beside
    ``999``: decimals end in a zero at times, so that where some numbers have none, others have fewer than three.
    """
    plain = Reading("", numbers.count() / max(1, words.count()))
    if plain.share == 1:
        odd = words.filter((numbers % 1 != 0) & numbers.is_finite())
        if len(odd) == 0 or not (odd.head(1).str.contains(DOTTED).any() and odd.str.contains(DOTTED).all()):
            return plain
        short = words.filter(numbers % 1 == 0).unique()
        if len(short) and not short.str.contains(rf"^[+-]?\d{{1,3}}$|{DOTTED}").all():
            return plain
        forms = [",", ""] if min(len(short), odd.n_unique()) >= FEW else ["", ","]
        words = odd
    else:
        words = words.drop_nulls()
        if not words.head(1000).str.contains(WRITTEN).any():
            return plain
        forms = [".", ","]
    words = words.unique(maintain_order=True)
    read = {form: numbers_of(words, form) for form in forms}
    if plain.share < 1:  # of two readings of as many values the one with thousands has the larger numbers
        forms.sort(key=lambda form: (-read[form].count(), -(read[form].abs().sum())))
    first, second = (read[form] for form in forms)
    differ = first != second
    row = next(iter((differ if differ.any() else first.is_not_null()).arg_true()), 0)
    told = f"{words[row]!r} is {first[row]}"
    if differ.any() and first.count() == second.count():
        told += f", though {second[row]} fits all values too"
    return max(plain, Reading(forms[0], first.count() / len(words), told), key=lambda one: (one.share, one.told))
