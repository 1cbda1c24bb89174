"""What ``resume=RUN`` refuses, how it says so, and that the run stays as it was."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import rosenblatt
from conftest import SMALL, Outcome
from rosenblatt.run.folder import RunFolder

Train = Callable[..., Outcome]


def files_of(run: Path) -> dict[str, bytes]:
    """All files but the log, which says what was refused."""
    paths = [path for path in run.rglob("*") if path.is_file() and path.name != "train.log"]
    return {str(path.relative_to(run)): path.read_bytes() for path in paths}


@pytest.fixture
def run(trained: Train) -> Path:
    """A run of two epochs that was killed after the first."""
    found = trained(*SMALL, "checkpoint.min_seconds=0").run
    (found / "metrics.json").unlink()
    (found / "checkpoints" / "previous.ckpt").rename(found / "checkpoints" / "last.ckpt")
    return found


def assert_refused(done: Outcome, run: Path, before: dict[str, bytes], *says: str) -> None:
    message = done.err.strip()
    assert done.status == 1, (done.out, message)
    assert message.startswith("error: "), message
    for words in says:
        assert words in message, message
    assert "Traceback" not in message
    assert files_of(run) == before


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("lr=0.5", "lr was 0.001, and is 0.5 now; optimizer.lr was 0.001, and is 0.5 now. Go on with what it was"),
        ("trainer.max_epochs=3", "trainer.max_epochs was 2, and is 3 now. Go on"),
        ("trainer.gradient_clip_val=1", "trainer.gradient_clip_val was not there, and is 1 now"),
        ("scheduler=cosine", "scheduler.T_max was not there, and is 2 now"),
        ("model=mlp", "model.hidden was not there, and is [64] now"),
        ("seed=1", "data.seed was 0, and is 1 now"),
        ("lr=0.5 resume_anyway=false", "or say resume_anyway=true; the result is then one of both."),
        ("lr=0.5 resume_anyway=maybe", "resume_anyway: expected true or false; got 'maybe'"),
        # Also with resume_anyway, there is nothing to take these from.
        ("model=mlp resume_anyway=true", "its weights are those of another model than the settings make"),
        ("optimizer=sgd resume_anyway=true", "its optimizer or schedule is another than the settings make"),
        ("lrr=0.5", "Did you mean 'lr'?"),
        ("-m", "resume=... goes on with one run; a sweep (-m) is another thing."),
        ("--multirun lr=0.1,0.2", "Leave one of them out."),
    ],
)
def test_other_settings_than_the_run_was_started_with_are_refused(
    train: Train, run: Path, arguments: str, says: str
) -> None:
    before = files_of(run)
    assert_refused(train("resume=run", *arguments.split()), run, before, says)


def test_many_changes_are_counted(train: Train, run: Path) -> None:
    before = files_of(run)
    done = train("resume=run", "experiment=book_xor", *SMALL)
    assert_refused(done, run, before, "resume=run: the settings are not those that the run was started with: ", "more")
    assert done.err.count(" was ") <= 7


def test_what_was_refused_goes_on_without_the_change_or_anyway(train: Train, run: Path) -> None:
    assert train("resume=run", "lr=0.5").status == 1
    shutil.copytree(run, "other")
    assert train("resume=run").status == 0
    anyway = train("resume=other", "lr=0.5", "resume_anyway=true", run="other")
    assert anyway.status == 0, anyway.err
    assert "the settings are not those that the run was started with: lr was 0.001, and is 0.5 now" in anyway.out
    assert yaml.safe_load((anyway.run / "config.yaml").read_text())["optimizer"]["lr"] == 0.5
    assert anyway.metrics["train/acc"] != train("resume=run").metrics["train/acc"]


@pytest.fixture
def text_run(trained: Train, reviews: Path) -> Path:
    """A run on a file with a column that names the splits."""
    lines = reviews.read_text().splitlines()
    splits = ["split", *("val" if i % 5 == 0 else "test" if i % 5 == 1 else "train" for i in range(120))]
    reviews.write_text("".join(f"{line},{split}\n" for line, split in zip(lines, splits, strict=True)))
    done = trained("data=text", "data.train=reviews.csv", "data.cache=null", "trainer.max_epochs=1")
    (done.run / "metrics.json").unlink()
    return done.run


def test_a_data_file_that_has_changed_is_refused_by_the_split(train: Train, text_run: Path) -> None:
    file, before = Path("reviews.csv"), files_of(text_run)
    lines = file.read_text().splitlines()
    vals = [i for i, line in enumerate(lines) if line.endswith(",val")]
    # Words that the vocabulary has, in another order and another row.
    lines[vals[0]], lines[vals[1]] = lines[vals[1]], lines[vals[0]]
    file.write_text("\n".join(lines) + "\n")
    says = "the data are not those that the run was started with: val had 24 rows, and has others now."
    assert_refused(train("resume=run"), text_run, before, says)
    del lines[vals[0]]
    file.write_text("\n".join(lines) + "\n")
    assert_refused(train("resume=run"), text_run, before, "val had 24 rows, and has 23 rows now. Go on with what it")
    anyway = train("resume=run", "resume_anyway=true")
    assert anyway.status == 0, anyway.err
    assert "val had 24 rows, and has 23 rows now" in anyway.out
    assert '"rows": 23' in (text_run / "data.json").read_text()


def test_training_rows_that_make_another_vocabulary_are_refused_in_any_case(train: Train, text_run: Path) -> None:
    with Path("reviews.csv").open("a") as file:
        file.writelines("wholly new words,positive,train\n" for _ in range(3))
    before = files_of(text_run)
    assert_refused(train("resume=run"), text_run, before, "train had 72 rows, and has 75 rows now")
    says = "its weights are those of another model than the settings make. Start a new run."
    assert_refused(train("resume=run", "resume_anyway=true"), text_run, before, says)


def test_data_that_have_only_moved_are_the_same(train: Train, text_run: Path) -> None:
    Path("data").mkdir()
    Path("reviews.csv").rename("data/moved.csv")
    assert "reviews.csv: no such file" in train("resume=run").err
    assert "data.train was reviews.csv, and is data/moved.csv" in train("resume=run", "data.train=data/moved.csv").err
    moved = train("resume=run", "data.train=data/moved.csv", "resume_anyway=true")
    assert moved.status == 0, moved.err
    assert "the data are not those" not in moved.out


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("logs/runs/frist", "it holds no overrides.yaml. Did you mean 'logs/runs/first'?"),
        ("nowhere", "resume=nowhere: expected the folder of a run; it holds no overrides.yaml. The newest is "),
        ("empty", "resume=empty: expected the folder of a run"),
        ("run/checkpoints/last.ckpt", "expected the folder of a run"),
    ],
)  # fmt: skip
def test_a_folder_that_is_no_run_is_told_with_the_nearest_that_is(
    train: Train, run: Path, typed: str, says: str
) -> None:
    for name in ("first", "other"):
        shutil.copytree(run, Path("logs/runs", name))
    Path("empty").mkdir()
    assert_refused(train(f"resume={typed}"), run, files_of(run), says)
    assert not Path("nowhere").exists()


def test_another_folder_beside_resume_is_refused(train: Train, run: Path) -> None:
    assert_refused(train("resume=run", "hydra.run.dir=other"), run, files_of(run), "Leave hydra.run.dir=... out")
    assert not Path("other").exists()


@pytest.mark.skipif(os.name == "nt", reason="folders have no locks there")
def test_a_run_that_another_process_trains_is_left_to_it(train: Train, run: Path) -> None:
    before, other = files_of(run), RunFolder(run)
    other.lock()
    assert_refused(train("resume=run"), run, before, "another process is training in this folder")
    other.unlock()
    assert train("resume=run").status == 0


def test_without_any_run_there_is_no_hint(train: Train) -> None:
    assert train("resume=nowhere").err.endswith("it holds no overrides.yaml.\n")


EVIL = "_target_: os.system\ncommand: touch done\n"
OVERRIDES = {
    "- lr=0.1\n- [": "it can't be read", "lr=0.1": "expected a list of settings", "lr: 0.1": "expected a list of",
    "- 3": "expected a list of settings, such as - lr=0.1", "- lr: 0.1": "expected a list of settings",
    "- model._target_=os.system": "'model._target_=os.system' could run other code",
    "- 'data={_target_: os.system, command: touch done}'": "could run other code",
    "- ++trainer.callbacks._target_=os.system": "could run other code",
    "- hydra.run.dir=elsewhere": "'hydra.run.dir=elsewhere' could run other code",
    "- hydra/launcher=x": "could run other code", "- +hydra/launcher=x": "could run other code",
    "- data@hydra.launcher=toy": "could run other code", "- ++hydra.callbacks.x=1": "could run other code",
    "- --config-dir=run": "'--config-dir=run' could run other code", "- -m": "could run other code",
    "- data=../run/evil": "could run other code", "- '+data=[/evil]'": "could run other code",
    "- data='../evil'": "could run other code", "- \"=x\"": "could run other code",
}  # fmt: skip


@pytest.mark.parametrize(("content", "says"), OVERRIDES.items(), ids=OVERRIDES.keys())
def test_settings_in_the_folder_that_could_run_other_code_are_refused_and_nothing_is_run(
    train: Train, run: Path, monkeypatch: pytest.MonkeyPatch, content: str, says: str
) -> None:
    (run / "overrides.yaml").write_text(content)
    (run / "evil.yaml").write_text(EVIL)
    monkeypatch.setattr(os, "system", lambda _: pytest.fail("code was run"))
    assert_refused(train("resume=run", "resume_anyway=true"), run, files_of(run), "overrides.yaml", says)
    assert not Path("done").exists()
    assert not Path("elsewhere").exists()


def test_the_configuration_in_the_folder_is_only_compared_with(
    train: Train, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "system", lambda _: pytest.fail("code was run"))
    (run / "config.yaml").write_text(f"data:\n  {EVIL}".replace("\ncommand", "\n  command"))
    before = files_of(run)
    assert_refused(train("resume=run"), run, before, "data._target_ was os.system, and is perceptron.toy.")
    for content in ("a: [", "\xff"):
        (run / "config.yaml").write_bytes(content.encode("latin-1"))
        assert_refused(train("resume=run"), run, files_of(run), "config.yaml: it can't be read")


def damage(path: Path, how: str) -> None:
    content: Any = path.read_bytes()
    path.write_bytes(b"text" if how == "text" else content[: len(content) // 3])


def test_where_both_checkpoints_are_damaged_it_is_told_and_the_folder_stays(train: Train, run: Path) -> None:
    folder = run / "checkpoints"
    shutil.copy(folder / "last.ckpt", folder / "previous.ckpt")
    damage(folder / "last.ckpt", "cut off")
    resumed = train("resume=run")
    assert (resumed.status, "The last checkpoint can't be used" in resumed.out) == (0, True)
    for name in ("last.ckpt", "previous.ckpt"):
        damage(folder / name, "text")
    before = files_of(run)
    done = train("resume=run", "resume_anyway=true")
    assert_refused(done, run, before, "No checkpoint of this run can be used", "last.ckpt", "previous.ckpt", "Remove ")


@pytest.mark.parametrize(("begun", "said"), [(None, "0.1"), ("0.9.1", "0.9.1")])
def test_a_run_that_another_version_has_begun_says_which(train: Train, run: Path, begun: str | None, said: str) -> None:
    environment = json.loads((run / "environment.json").read_text())
    del environment["rosenblatt"]  # the first version did not say it
    if begun is not None:
        environment["rosenblatt"] = begun
    (run / "environment.json").write_text(json.dumps(environment))
    done = train("resume=run")
    assert done.status == 1
    assert f"resume=run: it was begun by version {said}, and this is {rosenblatt.__version__}" in done.err
