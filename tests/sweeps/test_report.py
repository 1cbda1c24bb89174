"""The picture and the page of a sweep."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from rosenblatt.show.figures import style
from rosenblatt.sweeps.dimensions import Trial
from rosenblatt.sweeps.jobs import Job
from rosenblatt.sweeps.leaderboard import Row, ranked
from rosenblatt.sweeps.report import _with_interval, write_page

HOSTILE = '<script>alert("x")</script>'
LOSS = {"val/loss": "min"}


def rows():
    found = [
        Row(Trial(0, {"lr": "0.1", "model": HOSTILE}), "done", {"val/loss": 0.5, "seconds": 1.0}, {}, 1, ["000"]),
        Row(Trial(1, {"lr": "0.01", "model": "mlp"}), "failed", {}, {}, 0, ["001"], reason=HOSTILE),
    ]
    ranked(found, LOSS)
    return found


def parsed(content):
    """The page as a tree; nothing in it is run or fetched."""
    assert "<script" not in content
    assert not re.search(r"@import|url\((?!#)|<(link|iframe|img|base)\b", content)
    return ET.fromstring(content.removeprefix("<!DOCTYPE html>\n"))


def test_a_sweep_is_one_file_that_is_whole(tmp_path):
    command = "python train.py -m lr=0.1,0.01"
    failed = Job(Trial(1, {"lr": "0.01"}), 0, tmp_path / "001", "failed", reason=HOSTILE)
    write_page(tmp_path, rows(), LOSS, {}, [failed], [("The whole sweep", command)])
    ET.fromstring((tmp_path / "overview.svg").read_text())
    assert (tmp_path / "overview.png").stat().st_size > 5000
    tree = parsed((tmp_path / "report.html").read_text())
    cells = [["".join(cell.itertext()) for cell in row] for row in tree.iter("{http://www.w3.org/1999/xhtml}tr")]
    assert cells[1][:4] == ["1", "0.1", HOSTILE, "0.5000"]
    assert any(command in text for text in tree.itertext())
    assert len(list(tree.iter("{http://www.w3.org/2000/svg}svg"))) == 1


def test_a_sweep_without_a_result_has_a_page_too(tmp_path):
    write_page(tmp_path, rows()[1:], LOSS, {}, [], [])
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    content = (tmp_path / "report.html").read_text()
    parsed(content)
    assert "No trial is done." in content


def test_a_sweep_says_what_it_is_judged_by_and_draws_what_decides_most_last(tmp_path, monkeypatch):
    drawn, draw = [], style.draw
    monkeypatch.setattr(style, "draw", lambda figure, **settings: drawn.append(figure) or draw(figure, **settings))
    write_page(tmp_path, rows(), LOSS, {"lr": 0.9, "model": 0.1}, [], [])
    assert drawn[0].title == f"{tmp_path.name}: val/loss of 1 trial (lower is better)"
    assert drawn[0].importances == [("model", 0.1), ("lr", 0.9)]
    assert drawn[0].spreads == [0.0]
    assert "Judged by val/loss (low is good), at the best epoch of each job" in (tmp_path / "report.html").read_text()


def test_a_figure_has_its_interval_or_its_spread_beside_it():
    test = {"test/acc": 0.5, "test/acc_low": 0.4, "test/acc_high": 0.6, "test/f1": 0.25, "test/f1 spread": 0.125}
    assert _with_interval("test/acc", test) == "acc 0.5000 (0.4000 to 0.6000)"
    assert _with_interval("test/f1", test) == "f1 0.2500 ± 0.1250"
