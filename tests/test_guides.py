"""Each guide is followed to the letter: its files are written, its commands typed, its figures reached.

How a page is read, from top to bottom:

- a block that begins with ``# src/my_project/NAME.py`` or ``# configs/GROUP/NAME.yaml`` is written to that file;
- any other ``python`` block is run as a program, and each line of a ``bash`` block is typed;
- a ``text`` block is what the block before it prints, among other lines;
- "`test/acc` is at least 0.95" holds of the run that was trained last;
- "the files of [data.md](data.md)" have been written before;
- a ``bash`` block that begins with ``pip install NAME`` is typed only where that package is installed.
"""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import ROOT, Outcome, make_project, run_program
from rosenblatt.cli import project

GUIDES = ROOT / "docs" / "guides"
PAGES = {path.stem: path.read_text(encoding="utf-8") for path in sorted(GUIDES.glob("*.md"))}
BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<code>.*?)^```$", re.S | re.M)
FIGURE = re.compile(r"`(?P<metric>[\w/]+)`\s+is\s+at\s+(?P<side>least|most)\s+(?P<bound>\d[\d.]*\d|\d)")
FILE = re.compile(r"(?:# @package _global_\n)?# ((?:src|configs)/[\w/]+\.(?:py|yaml))\n")
NEEDS = re.compile(r"pip install (\w+)\n")
STEP = re.compile(f"{BLOCK.pattern}|{FIGURE.pattern}", re.S | re.M)


@pytest.fixture
def follow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[re.Match[str]], None]:
    """Do what one place of a page says, in a project of which it is the first day."""
    make_project(tmp_path, [], {})
    (tmp_path / "src" / "my_project").mkdir(parents=True)
    (tmp_path / "src" / "my_project" / "__init__.py").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "src"), *sys.path])  # as in a project that is installed
    for name in [one for one in sys.modules if one.partition(".")[0] == "my_project"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(project, "_root", [])
    printed: list[str] = []

    def run(program: str, *words: str) -> None:
        drawn = program != "train.py" or any(word.startswith("figures") for word in words)
        quick = () if drawn else ("figures=none",)  # figures have tests of their own
        done: Outcome = run_program(Path(program).absolute(), (*words[:1], *quick, *words[1:]), tmp_path, capsys)
        assert done.status == 0, (program, words, done.err)
        printed.append(done.out)

    def one(step: re.Match[str]) -> None:
        code = step["code"]
        if code is None:
            newest = max(tmp_path.rglob("metrics.json"), key=lambda path: path.stat().st_mtime_ns)
            value = json.loads(newest.read_text())[step["metric"]]
            assert value >= float(step["bound"]) if step["side"] == "least" else value <= float(step["bound"]), step[0]
        elif found := FILE.match(code):
            path = tmp_path / found[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(code, encoding="utf-8")
        elif step["language"] == "python":
            Path("program.py").write_text(code, encoding="utf-8")
            run("program.py")
        elif step["language"] == "bash":
            printed.clear()
            for line in code.splitlines():
                if not NEEDS.match(f"{line}\n"):
                    _, program, *words = shlex.split(line)
                    run(program, *words)
        else:
            assert step["language"] == "text"
            assert set(code.splitlines()) <= {line.rstrip() for one in printed for line in one.splitlines()}, printed

    return one


def earlier(page: str) -> list[re.Match[str]]:
    """Files of other pages that a page goes on with."""
    names = re.search(r"the\s+files\s+of\s+((?:\[[\w.]+\]\([\w.]+\)(?:,| and)?\s*)+)", PAGES[page])
    pages = re.findall(r"\]\((\w+)\.md\)", names[1]) if names else []
    return [block for name in pages for block in BLOCK.finditer(PAGES[name]) if FILE.match(block["code"])]


@pytest.mark.parametrize("page", [name for name in PAGES if name != "README"])
def test_what_a_guide_says_is_so(follow: Callable[[re.Match[str]], None], page: str) -> None:
    for step in [*earlier(page), *STEP.finditer(PAGES[page])]:
        if step["code"] is None or not NEEDS.match(step["code"]):
            follow(step)
    assert FIGURE.search(PAGES[page]), "a guide promises a figure"


@pytest.mark.filterwarnings("ignore")  # of packages that are not ours
@pytest.mark.parametrize(
    ("page", "package"), [(name, found) for name, text in PAGES.items() for found in NEEDS.findall(text)]
)
def test_what_needs_a_package_runs_where_that_is_installed(
    follow: Callable[[re.Match[str]], None], page: str, package: str
) -> None:
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"needs {package}")
    blocks = list(BLOCK.finditer(PAGES[page]))
    own = [block for block in blocks if f"pip install {package}\n" in block["code"]]
    for step in [*earlier(page), *(block for block in blocks if FILE.match(block["code"])), *own]:
        follow(step)


def test_the_index_has_every_guide() -> None:
    assert set(re.findall(r"\]\((\w+)\.md\)", PAGES["README"])) == PAGES.keys() - {"README"}
