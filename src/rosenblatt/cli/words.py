"""Words of the command line, as Hydra wants them."""

from __future__ import annotations

import re

from hydra.core.override_parser.types import Quote, QuotedString

OPEN_GROUPS = ("trainer.", "optimizer.", "scheduler.")
LITERAL = ("text", "run", "input", "output")  # whose values are taken as they stand, whatever signs are in them
QUOTED = re.compile(r"(['\"])((?:\\.|(?!\1).)*)\1", re.S)
LIST = re.compile(rf"\[\s*{QUOTED.pattern}(\s*,\s*(['\"])(?:\\.|(?!\4).)*\4)*\s*\]", re.S)


def opened(word: str) -> str:
    """Let ``trainer.x=`` and the like set any argument of their class, not only those that the YAML file names.

    Hydra wants ``+trainer.x=`` for the others. A misspelt one is found when the class is called.
    """
    return f"++{word}" if word.startswith(OPEN_GROUPS) and "=" in word else word


def quoted(word: str) -> str:
    """Put the values of ``text=``, ``run=`` and their like into quotes: commas and brackets in them mean nothing.

    Several texts are a list of words in quotes: ``text=["one","two"]``.
    """
    key, sign, value = word.partition("=")
    if key not in LITERAL or not sign or (key == "text" and LIST.fullmatch(value)):
        return word
    return word if value == "null" and key != "text" else f"{key}={in_quotes(bare(value))}"


def bare(value: str) -> str:
    """Return a value without the quotes around it, which somebody has put there for Hydra."""
    quotes = QUOTED.fullmatch(value)
    return value if quotes is None else re.sub(rf"\\(?={quotes[1]})", "", quotes[2])


def in_quotes(value: object) -> str:
    """Return a value so that Hydra takes it as it is, and OmegaConf looks for no other setting in it."""
    text = re.sub(r"(\\*)\$\{", lambda found: f"{found[1]}{found[1]}\\${{", str(value))
    return QuotedString(text, Quote.single).with_quotes()
