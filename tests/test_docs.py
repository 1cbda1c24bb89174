"""The documents say what is so: files and names that they mention exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from conftest import ROOT

BOOK = (ROOT / "docs" / "book.md").read_text(encoding="utf-8")
PLACES = re.findall(r"`((?:src|configs)/[\w/.]+)`(?:: `([\w.]+)`)?", BOOK)


def names_in(path: Path) -> set[str]:
    """Functions, classes and methods of a file, as ``Class.method``."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{inner.name}" for inner in node.body if isinstance(inner, ast.FunctionDef)}
    return found


def test_the_book_page_leads_to_the_code() -> None:
    assert len(PLACES) >= 15


@pytest.mark.parametrize(("file", "name"), PLACES)
def test_every_place_in_the_book_page_exists(file: str, name: str) -> None:
    assert (ROOT / file).exists()
    if name:
        assert name in names_in(ROOT / file)
