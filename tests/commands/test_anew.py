"""Runs of data and modules that are in no model folder: evaluated and predicted once they are built anew."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars
import pytest
import torch
from safetensors.torch import load_file

import rosenblatt
from conftest import ROOT, Outcome, make_project, run_program
from rosenblatt.commands.predict import frame_of
from rosenblatt.errors import UserError

EVALUATE, PREDICT = "scripts/evaluate.py", "scripts/predict.py"
YAML = {
    "data/pictures": "_target_: foreign.Pictures\n",
    "data/drawn": "_target_: foreign.Drawn\n",
    "data/line": "_target_: foreign.Line\n",
    "data/stream": "_target_: foreign.Stream\n",
    "data/numbered": "_target_: brought.Numbered\nseed: ${seed}\n",
    "model/net": "_target_: foreign.Net\nchannels: 2\n",
    "model/straight": "_target_: foreign.Straight\n",
    "module/squeeze": "_target_: foreign.Squeeze\nsize: 6\n",
    "module/by_hand": "_target_: foreign.ByHand\n",
    "module/several": "_target_: brought.Several\n",
    "module/mute": "_target_: brought.Mute\n",
    "module/called": "_target_: brought.Called\n",
    "loss/soft": "_target_: foreign.Soft\npower: 1.0\n",
    "metrics/mcc": "mcc:\n  _target_: torchmetrics.MatthewsCorrCoef\n",
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that has copied train.py, scripts/ and configs/, and brings its own code and YAML."""
    code = ROOT / "tests" / "outside" / "foreign.py", ROOT / "tests" / "commands" / "brought.py"
    return make_project(tmp_path_factory.mktemp("project"), code, YAML)


@pytest.fixture
def command(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Outcome]:
    """A program of that project, in an empty folder, in this process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(root))

    def run(file: str, *words: str) -> Outcome:
        return run_program(root / file, words, tmp_path / "run", capsys)

    return run


@pytest.fixture
def trained(root: Path, command: Callable[..., Outcome]) -> Callable[..., dict[str, Any]]:
    """Train in the folder ``run``, once for all tests that ask for the same, and return ``metrics.json``."""

    def copied(*words: str) -> dict[str, Any]:
        kept = root / "kept" / " ".join(words)
        if not kept.exists():
            epochs = [] if any("max_epochs" in word for word in words) else ["trainer.max_epochs=1"]
            done = command("train.py", "figures=none", "logger=none", "hydra.run.dir=run", *epochs, *words)
            assert done.status == 0, done.err
            shutil.copytree("run", kept)
        shutil.copytree(kept, "run", dirs_exist_ok=True)
        return json.loads(Path("run/metrics.json").read_text())

    return copied


KINDS = {
    "a network": ("data=pictures", "model=net", "lr=0.01", "loss=soft", "loss.power=2", "metrics=mcc"),
    "numbers": ("data=line", "model=straight", "model.num_in=2", "model.num_outputs=1", "lr=0.05"),
    "splits drawn at random": ("data=drawn", "model=straight", "lr=0.05", "threshold=f1", "calibration=temperature"),
    "a module of its own": ("data=pictures", "module=squeeze", "module.size=5"),
    "names without a slash": ("data=stream", "module=by_hand", "early_stopping.monitor=val_loss"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_figures_are_those_of_training_to_the_last_digit(
    kind: str, command: Callable[..., Outcome], trained: Callable[..., dict[str, Any]]
) -> None:
    metrics = trained(*KINDS[kind])
    done = command(EVALUATE, "run=run")
    assert done.status == 0, done.err
    found = json.loads(Path("run/evaluation.json").read_text())
    expected = {name: value for name, value in metrics.items() if name.startswith("test")}
    assert len(expected) >= 1 if "module" in kind or "names" in kind else len(expected) > 8
    assert {name: found.get(name) for name in expected} == expected
    if kind == "a network":
        assert "test/mcc" in expected
        assert len(found["confusion"]) == 3
        assert "Confusions" in done.out


def test_rows_are_predicted_in_the_order_of_the_loader(
    command: Callable[..., Outcome], trained: Callable[..., dict[str, Any]]
) -> None:
    metrics = trained(*KINDS["a network"], "trainer.max_epochs=4")
    done = command(PREDICT, "run=run", "split=test", "output=rows.parquet", "probabilities=true", "prefix=my_")
    assert done.status == 0, done.err
    rows = polars.read_parquet("rows.parquet")
    names = ["prediction", "probability", *(f"probability of {k}" for k in range(3))]
    assert rows.columns == [f"my_{name}" for name in names]
    right = rows["my_prediction"].cast(int) == polars.Series([row % 3 for row in range(101)])
    assert right.mean() == pytest.approx(metrics["test/acc"])
    assert "101 rows predicted" in done.err
    printed = command(PREDICT, "run=run", "split=val")
    assert len(printed.out.splitlines()) == 91
    for words, told in {
        ("split=test", "explain=true"): "without an encoder",
        ("split=tset",): "Did you mean 'test'?",
        ("split=train",): "any order",
        ("input=rows.parquet",): "has no encoder",
        ("text=x",): "has no encoder",
        ("split=test", "input=rows.parquet"): "one of them",
        ("split=test", "output=rows.parquet"): "overwrite=true",
    }.items():
        done = command(PREDICT, "run=run", *words)
        assert (done.status, told in done.err, "Traceback" in done.err) == (1, True, False), done.err


def test_numbers_come_with_their_intervals(
    command: Callable[..., Outcome], trained: Callable[..., dict[str, Any]]
) -> None:
    metrics = trained(*KINDS["numbers"], "trainer.max_epochs=10")
    done = command(PREDICT, "run=run", "split=test", "output=rows.parquet")
    assert done.status == 0, done.err
    rows = polars.read_parquet("rows.parquet")
    assert rows.columns == ["prediction", "low", "high"]
    assert (rows["high"] - rows["low"]).to_numpy() == pytest.approx(2 * metrics["radius"])
    assert 0.75 < metrics["test/inside"] <= 1
    done = command(PREDICT, "run=run", "split=test", "probabilities=true")
    assert "predicts numbers, which have none" in done.err


def test_what_a_module_predicts_is_written_as_it_is(
    command: Callable[..., Outcome], trained: Callable[..., dict[str, Any]]
) -> None:
    trained("data=pictures", "module=several")
    done = command(PREDICT, "run=run", "split=test", "output=rows.jsonl")
    assert done.status == 0, done.err
    rows = polars.read_ndjson("rows.jsonl")
    assert rows.columns == ["output_0", "output_1", "output_2", "output_3"]
    assert rows["output_0"].to_list() == rows["output_1"].to_list()
    assert rows.height == 101
    assert [len(row) for row in rows["output_3"][0]] == [6] * 6
    state = load_file("run/model/weights.safetensors")
    assert set(state) == {"down.weight", "down.bias", "up.weight", "up.bias"}
    import brought

    module = rosenblatt.load("run", classes=[brought.Several]).model
    assert torch.equal(module.down.weight, state["down.weight"])


@pytest.mark.parametrize(
    ("module", "told"),
    [("mute", "Mute has neither predict_step nor forward"), ("called", "Called has no predict_step, and its forward")],
)
def test_a_module_that_does_not_predict_says_what_to_write(
    module: str, told: str, command: Callable[..., Outcome], trained: Callable[..., dict[str, Any]]
) -> None:
    trained("data=pictures", f"module={module}")
    done = command(PREDICT, "run=run", "split=test", "output=rows.parquet")
    assert done.status == 1
    assert told in done.err
    assert done.err.count("error: ") == 1
    assert not Path("rows.parquet").exists()
    assert not [*Path().glob(".rows*")]
    assert command(EVALUATE, "run=run").status == 0


def test_data_that_are_others_now_are_refused(
    command: Callable[..., Outcome], trained: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    trained("data=numbered", "model=straight", "model.num_in=2", "model.num_outputs=1", "seed=3")
    assert command(EVALUATE, "run=run").status == 0
    import brought

    monkeypatch.setattr(brought.Numbered, "shift", 1.0)
    for words in ((EVALUATE, "run=run"), (PREDICT, "run=run", "split=test")):
        done = command(*words)
        assert done.status == 1
        assert "the data are not those that the run was started with: test had 150 rows, and has others now" in done.err


ATTACKS = {
    "a target": ('["data._target_=os.system"]', "could run other code"),
    "a folder": ('["data=../../evil"]', "could run other code"),
    "hydra": ('["hydra.job.name=x"]', "could run other code"),
    "another's role": ('["+model@data=net", "model=net"]', "would call 'foreign.Net', which no file of configs/ names"),
    "no list": ("data: pictures", "expected a list of settings"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_words_of_a_folder_name_no_code(
    attack: str, command: Callable[..., Outcome], trained: Callable[..., dict[str, Any]]
) -> None:
    trained("data=pictures", "model=net")
    words, told = ATTACKS[attack]
    Path("run/overrides.yaml").write_text(words)
    done = command(EVALUATE, "run=run")
    assert done.status == 1
    assert told in done.err
    assert "Traceback" not in done.err
    assert not Path("run/evaluation.json").exists()


def test_a_model_folder_alone_says_what_is_missing(
    command: Callable[..., Outcome], trained: Callable[..., dict[str, Any]]
) -> None:
    trained("data=pictures", "model=net")
    Path("run/overrides.yaml").unlink()
    for words in ((EVALUATE, "run=run"), (PREDICT, "run=run", "split=test")):
        done = command(*words)
        assert done.status == 1
        assert "there is no overrides.yaml" in done.err
    done = command(EVALUATE, "run=run", "data.test=rows.csv")
    assert "has no encoder" in done.err


def test_a_model_of_a_class_that_this_project_does_not_have_is_refused(
    root: Path, command: Callable[..., Outcome], trained: Callable[..., dict[str, Any]]
) -> None:
    trained("data=pictures", "model=net")
    yaml = root / "configs" / "model" / "net.yaml"
    content = yaml.read_text()
    yaml.unlink()
    try:
        done = command(PREDICT, "run=run", "split=test")
    finally:
        yaml.write_text(content)
    assert done.status == 1
    assert "'foreign.Net' is no model that is known here" in done.err
    assert "classes=[Net]" in done.err
    assert done.err.count("error: ") == 1


def test_outputs_become_columns_in_order() -> None:
    pairs, single = torch.arange(6.0).view(3, 2), torch.tensor([7, 8, 9])
    found = frame_of((pairs, {"a": [single]}, torch.zeros(3, 1, 2)), "Own")
    assert found.rows() == [(0.0, 1.0, 7, [[0.0, 0.0]]), (2.0, 3.0, 8, [[0.0, 0.0]]), (4.0, 5.0, 9, [[0.0, 0.0]])]
    assert frame_of(pairs.to(torch.bfloat16), "Own")["output_1"].to_list() == [1, 3, 5]
    for wrong in (None, "x", torch.tensor(1.0), (pairs, single[:2]), []):
        with pytest.raises(UserError, match="expected predict_step of Own to return a tensor with a row for each row"):
            frame_of(wrong, "Own")
