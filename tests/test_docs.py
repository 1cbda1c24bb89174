"""The documents say what is so: files, names and places that they lead to exist, and the site is built of them."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

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


def pages() -> list[Path]:
    """The pages that git knows, and those that are new; none in a copy without its history."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return []
    return sorted(ROOT / name for name in done.stdout.decode().split("\0") if name and (ROOT / name).exists())


PAGES = pages()


def parsed(page: Path) -> list[Token]:
    return MarkdownIt().enable("table").parse(page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """The names that GitHub gives to the headings of a page."""
    found: list[str] = []
    tokens, seen = parsed(page), Counter[str]()
    for opening, inside in pairwise(tokens):
        if opening.type == "heading_open":
            words = "".join(one.content for one in inside.children or ())
            name = re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")
            found.append(f"{name}-{seen[name]}" if seen[name] else name)
            seen[name] += 1
    return set(found)


def broken(page: Path) -> list[str]:
    """The links and images of a page that lead nowhere in this repository."""
    tokens = parsed(page)
    tokens += [one for token in tokens for one in token.children or ()]
    links = [one.attrs.get("href") or one.attrs.get("src") for one in tokens if one.type in ("link_open", "image")]
    for one in tokens:
        if one.type.startswith("html"):
            links += re.findall(r"""(?:href|src)=["']([^"']+)""", one.content)
    found = []
    for link in map(str, links):
        place, _, anchor = unquote(link).partition("#")
        path = page.parent / place if place else page
        leads = path.exists() and (not anchor or path.suffix != ".md" or anchor in anchors(path))
        if not leads and not re.match(r"[a-z]+:", link):  # which begins a URL
            found.append(link)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    assert broken(page) == []


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# One & two\n\n## `a_b`: *c*\n\n## One & two\n\n"
        "[a](#one--two) [b](#one--two-1) [c](#a_b-c) [d](https://e.org/x#y) `[e](code.md)`\n"
        "[f](#one) [g](gone.md) ![h](gone.png) [i][i] <img src='k.png'>\n\n"
        "[i]: other.md#there\n\n| a |\n|---|\n| [j](cell.md) |\n"
    )
    assert broken(page) == ["#one", "gone.md", "gone.png", "other.md#there", "cell.md", "k.png"]


@pytest.mark.soak
def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    missing = [name for name in ("furo", "myst_parser", "sphinx") if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"no {' and no '.join(missing)}: `make docs` installs them")
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet", "-c", "docs", "."]
    done = subprocess.run([*command, str(tmp_path)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for page in [one for one in PAGES if one.parent == ROOT or one.is_relative_to(ROOT / "docs")]:
        assert (tmp_path / page.relative_to(ROOT)).with_suffix(".html").exists()
    reference = (tmp_path / "docs/reference/model.html").read_text(encoding="utf-8")
    assert all(f'id="rosenblatt.{name}"' in reference for name in ("load", "saved.model.SavedModel.predict"))
