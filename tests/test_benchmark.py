"""scripts/benchmark.py, on a small set of the right name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from conftest import ROOT


def benchmark(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / "benchmark.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def test_a_set_gets_a_row_and_one_that_is_not_there_says_so(tmp_path: Path) -> None:
    (tmp_path / "trec").mkdir()
    for name in ("train", "test"):
        lines = [f"{'ab'[i % 2]},{['who', 'what'][i % 2]} is it\n" for i in range(60)]
        (tmp_path / "trec" / f"{name}.csv").write_text("label,text\n" + "".join(lines))
    done = benchmark(str(tmp_path), "trec", "sst2")
    assert done.returncode == 0, done.stderr
    rows = done.stdout.splitlines()
    assert rows[2].startswith("| trec | acc | 1.0000 | 0.5000 |")
    assert "sst2 is not there" in rows[3]


def test_an_unknown_set_is_told_with_those_there_are(tmp_path: Path) -> None:
    done = benchmark(str(tmp_path), "imbd")
    assert done.returncode == 2
    assert "no such set: imbd; there are imdb, sst2" in done.stderr
