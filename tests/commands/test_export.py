"""``python scripts/export.py``: written, compared with the source, and refused where it differs."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import rosenblatt
from conftest import SMALL, Outcome
from rosenblatt.commands import export as under_test

pytest.importorskip("onnxscript")
onnxruntime = pytest.importorskip("onnxruntime")

Program = Callable[..., Outcome]
EXPORT = "scripts/export.py"


@pytest.mark.parametrize(("format", "name"), [("onnx", "model.onnx"), ("torch_export", "model.pt2")])
def test_a_run_is_exported_and_compared_on_its_own_rows(
    format: str, name: str, trained: Program, program: Program, reviews: Path, tmp_path: Path
) -> None:
    trained("data=text", "data.train=reviews.csv", "trainer.max_epochs=2", "calibration=temperature")
    done = program(EXPORT, "run=run", f"format={format}")
    assert done.status == 0, done.err
    assert float(re.search(r"the largest difference on 1\d rows of .* is (\S+)\.\n", done.err)[1]) <= 1e-5  # type: ignore[index]
    assert [path.name for path in (tmp_path / "run" / "export").iterdir()] == [name]
    assert "Warning" not in done.err


def test_the_lines_of_the_docs_give_the_same_probabilities(trained: Program, program: Program, tmp_path: Path) -> None:
    run = trained(*SMALL, "model=mlp").run
    assert program(EXPORT, "run=run", "output=mine/points.onnx").status == 0
    session = onnxruntime.InferenceSession(str(tmp_path / "mine" / "points.onnx"))
    features = np.array([[3.0, 2.0], [3.0, -2.0]], dtype=np.float32)
    _, probabilities = session.run(["logits", "probabilities"], {"features": features})
    assert probabilities == pytest.approx(rosenblatt.load(run).predict_proba(features)[:, 1], abs=1e-6)


def test_a_model_that_differs_is_not_kept(
    trained: Program, program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained(*SMALL)
    monkeypatch.setattr(
        under_test.Exported, "forward", lambda self, *some: (self.model(*some), self.model(*some).sigmoid()[:, 0] * 0.9)
    )
    done = program(EXPORT, "run=run")
    assert done.status == 1
    assert "more than 1e-05, so it is not kept" in done.err
    assert not list((tmp_path / "run" / "export").iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("format=onxx",), "format: expected one of 'onnx', 'torch_export'; got 'onxx'. Did you mean 'onnx'?"),
        (("run=nowhere",), "run=nowhere: expected the folder of a run"),
        (("input=none.csv",), "none.csv: no such file"),
    ],
)
def test_what_is_wrong_is_told_in_one_message(
    arguments: tuple[str, ...], message: str, trained: Program, program: Program
) -> None:
    trained(*SMALL)
    done = program(EXPORT, "run=run", *arguments)
    assert done.status == 1
    assert message in done.err
    assert "Traceback" not in done.err


def test_without_rows_to_compare_on_some_are_asked_for(trained: Program, program: Program, tmp_path: Path) -> None:
    run = trained(*SMALL).run
    (run / "test.parquet").unlink()
    done = program(EXPORT, "run=run")
    assert (done.status, "input=FILE" in done.err) == (1, True)
    (tmp_path / "rows.csv").write_text("x1,x2\n1,2\n")
    assert program(EXPORT, "run=run", "input=rows.csv").status == 0
