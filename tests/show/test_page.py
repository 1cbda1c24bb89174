"""The pages: whole, by themselves, and true."""

from __future__ import annotations

import json
import re
import shutil
import xml.etree.ElementTree as ET

import pytest

from rosenblatt.show.page import RunPage, inline
from rosenblatt.tasks.titles import TITLES, interval, shown
from shown_runs import trained

HTML = "{http://www.w3.org/1999/xhtml}"
SVG = "{http://www.w3.org/2000/svg}"


def page_of(name):
    content = (trained(name) / "report.html").read_text(encoding="utf-8")
    return content, ET.fromstring(content.removeprefix("<!DOCTYPE html>\n"))


def check_alone(content, tree):
    """Nothing is fetched, nothing is run, and no id is there twice."""
    tags = {element.tag.rpartition("}")[2] for element in tree.iter()}
    assert not tags & {"script", "link", "iframe", "object", "embed", "img", "base", "form"}
    for element in tree.iter():
        for key, value in element.attrib.items():
            assert not key.lower().startswith("on"), key
            if key.rpartition("}")[2] in ("href", "src"):
                assert value.startswith(("#", "data:image/png;base64,")), value
    assert not re.search(r"@import|url\((?!#)", content)
    ids = [element.get("id") for element in tree.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    assert set(re.findall(r"url\(#([^)]+)\)", content)) <= set(ids)


def rows_of(tree):
    return [["".join(cell.itertext()) for cell in row] for row in tree.iter(f"{HTML}tr")]


@pytest.mark.parametrize("name", ["points", "texts"])
def test_a_run_is_one_file_that_is_whole(name):
    content, tree = page_of(name)
    check_alone(content, tree)
    assert len(list(tree.iter(f"{SVG}svg"))) == len(list((trained(name) / "figures").glob("*.svg")))
    for svg in tree.iter(f"{SVG}svg"):
        assert svg.get("role") == "img"
        assert svg.get("aria-label")


@pytest.mark.parametrize("name", ["points", "texts"])
def test_all_numbers_are_those_of_the_run(name):
    run = trained(name)
    metrics = json.loads((run / "metrics.json").read_text())
    rows = {row[0]: row[1:] for row in rows_of(page_of(name)[1])}
    for key, title in TITLES.items():
        if f"test/{key}" in metrics:
            figures = [shown(metrics.get(f"{split}/{key}")) for split in ("train", "val", "test")]
            told = [*figures, interval(metrics, f"test/{key}"), shown(metrics.get(f"test/baseline_{key}"))]
            assert rows[title] == told
    counts = json.loads((run / "data.json").read_text())
    assert rows["rows"] == [f"{counts[split]['rows']:,}" for split in ("train", "val", "test")]
    known = {"points": ("0", "1"), "texts": ("good", "bad", "<i>so")}[name]
    of_train = [
        int(row[1]) for row in rows_of(page_of(name)[1]) if row[0] in known and len(row) == 4 and row[1].isdigit()
    ]
    assert sum(of_train) == counts["train"]["rows"]


def test_what_the_data_say_is_shown_and_not_run():
    content, tree = page_of("texts")
    assert "<script" not in content
    assert "<i>" not in content
    assert "&lt;i&gt;so" in content
    words = {row[0] for row in rows_of(tree)} | {row[2] for row in rows_of(tree) if len(row) == 4}
    assert {"хорошо", "非常差"} <= words


def test_what_is_not_drawn_says_why():
    content, _ = page_of("texts")
    assert "boundary: not drawn, because only rows of two numbers are points of a plane." in content


def test_the_command_repeats_the_run():
    content, tree = page_of("points")
    assert "python train.py data.num_train=300" in content
    (command,) = (row[1] for row in rows_of(tree) if row[0] == "command")
    assert command.endswith("figures.every_n_epochs=1 lr=0.1 hydra.run.dir=run")


def test_a_figure_takes_the_colours_of_the_page():
    svg = (trained("points") / "figures" / "boundary.svg").read_text()
    part = inline(svg, "boundary", 'a "label"')
    assert "#262626" not in part
    assert "currentColor" in part
    assert 'aria-label="a &#34;label&#34;"' in part
    ET.fromstring(part)


def test_a_module_without_classes_rows_and_figures_has_a_page_too():
    metrics = {"train_loss": 0.5, "val_loss": 0.6, "test/loss": 0.7, "test/<own>": float("nan"), "epochs": 3}
    content = RunPage("a", "somebody's autoencoder", metrics).html()
    tree = ET.fromstring(content.removeprefix("<!DOCTYPE html>\n"))
    check_alone(content, tree)
    rows = {row[0]: row[1:] for row in rows_of(tree)}
    assert rows["loss"] == ["0.5000", "0.6000", "0.7000", "", "-"]
    assert rows["<own>"] == ["-", "-", "nan", "", "-"]
    headings = [heading.text for heading in tree.iter(f"{HTML}h2")]
    assert headings == ["Metrics", "How to repeat it"]


def test_mistakes_in_numbers_are_shown_with_their_errors():
    mistakes = [{"row": 7, "true": 5.0, "prediction": 7.5, "error": 2.5, "content": "rooms=3"}]
    content = RunPage("a", "prices", {"test/loss": 0.7}, mistakes=mistakes).html()
    tree = ET.fromstring(content.removeprefix("<!DOCTYPE html>\n"))
    assert rows_of(tree)[2:4] == [
        ["row", "true", "predicted", "error", "content"],
        ["7", "5.0000", "7.5000", "2.5000", "rooms=3"],
    ]


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium")
@pytest.mark.parametrize("width", [1200, 400])
@pytest.mark.parametrize("name", ["points", "texts"])
def test_a_browser_shows_it_without_scrolling_sideways(name, width):
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": 800})
        told, asked = [], []
        page.on("console", lambda message: told.append(message.text))
        page.on("pageerror", lambda error: told.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto((trained(name) / "report.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        broken = page.evaluate("[...document.querySelectorAll('svg')].filter(s => !s.getBBox().width).length")
        browser.close()
    assert (told, broken) == ([], 0)
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
