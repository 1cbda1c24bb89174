"""Words of the command line, as Hydra wants them."""

from __future__ import annotations

import re

OPEN_GROUPS = ("trainer.", "optimizer.", "scheduler.")


def opened(word: str) -> str:
    """Let ``trainer.x=`` and the like set any argument of their class, not only those that the YAML file names.

    Hydra wants ``+trainer.x=`` for the others. A misspelt one is found when the class is called.
    """
    return f"++{word}" if word.startswith(OPEN_GROUPS) and "=" in word else word


def quoted(word: str) -> str:
    """Put ``text=...`` into quotes: in a sentence commas and apostrophes mean nothing to Hydra."""
    text = word.removeprefix("text=")
    if text == word or re.fullmatch(r"\[.*\]|'.*'|\".*\"|null", text, re.S):
        return word
    return f"text={in_quotes(text)}"


def in_quotes(value: object) -> str:
    """Return a value so that Hydra takes it as it is."""
    return "'" + str(value).replace("'", r"\'") + "'"
