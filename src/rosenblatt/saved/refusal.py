"""What is read from a model folder is not believed: checks, and one kind of refusal for whatever is wrong."""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rosenblatt.errors import UserError, own_words
from rosenblatt.run.whole import sha256


class ModelRefused(UserError):
    """A model folder that is damaged, or was made to do harm."""


class Unknown(ValueError):
    """A class that nobody knows here; the folder may be as it should."""


@contextmanager
def refusing(path: Path) -> Iterator[None]:
    """Turn whatever goes wrong while a file is read into a `ModelRefused`; no list of kinds would be a whole one."""
    try:
        yield
        return
    except ModelRefused:
        raise
    except KeyError as error:
        reason = f"{error} is missing"
    except RecursionError:
        reason = "it is nested too deeply"
    except Unknown as error:
        raise ModelRefused(f"{path}: the model is refused: {_printable(str(error))}") from None
    except Exception as error:
        strerror = error.strerror if isinstance(error, OSError) else None
        reason = own_words(error, strerror or "it is damaged, or of another kind")[:300].rstrip(".")
    except BaseException as error:  # a panic in a library that is written in Rust
        if type(error).__name__ != "PanicException":
            raise
        reason = "it can't be read"
    raise ModelRefused(f"{path}: the model is refused: {_printable(reason)}. Ask for the folder again.")


def _printable(text: str) -> str:
    """Return a text that may quote a file without what terminals obey."""
    return "".join(one if one.isprintable() else "?" for one in text)


def check_file(path: Path, at_most: int) -> None:
    """Raise a ValueError unless this is a plain file of its own, of a size that one may have."""
    found = os.lstat(path)
    if not stat.S_ISREG(found.st_mode):
        kind = "a link, which may lead out of the folder" if stat.S_ISLNK(found.st_mode) else "no plain file"
        raise ValueError(f"it is {kind}")
    if found.st_size > at_most:
        raise ValueError(f"it has {found.st_size:,} bytes, more than the {at_most:,} that it may have")


def mapping(value: Any) -> dict[str, Any]:
    """Return a JSON object, or raise a ValueError."""
    if not isinstance(value, dict):
        raise ValueError(f"expected a JSON object; it says {str(value)[:50]!r}")
    return value


def whole(value: Any, least: int = 1) -> int:
    """Return a whole number, or raise a ValueError."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value < 2**53:
        raise ValueError(f"expected a whole number of at least {least}; it says {str(value)[:50]!r}")
    return value


def number(value: Any, least: float, most: float) -> float:
    """Return a number within bounds, or raise a ValueError."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not is_number or not least <= value <= most or float(value) != value:
        raise ValueError(f"expected a number from {least} to {most}; it says {str(value)[:50]!r}")
    return float(value)


def check_content(path: Path, facts: Any) -> None:
    """Raise a ValueError unless this is a plain file with the ``bytes`` and the ``sha256`` that ``model.json`` says."""
    size = whole(facts["bytes"])
    check_file(path, size)
    if path.stat().st_size != size:
        raise ValueError(f"it has {path.stat().st_size:,} bytes in place of {size:,}: it is cut off")
    if sha256(path) != facts["sha256"]:
        raise ValueError("its checksum is not the one in model.json: it is damaged, or another file")
