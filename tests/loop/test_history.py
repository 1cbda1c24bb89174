"""The files of loggers, taken back to a checkpoint."""

from __future__ import annotations

from pathlib import Path

from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.loggers.logger import DummyLogger

from rosenblatt.loop.history import cut_history, history_sizes


def written(folder: Path, **contents: bytes) -> dict[str, bytes]:
    """Files in tensorboard/, written and read back."""
    (folder / "tensorboard").mkdir(exist_ok=True)
    for name, content in contents.items():
        (folder / "tensorboard" / name.replace("_", ".")).write_bytes(content)
    return {path.name: path.read_bytes() for path in (folder / "tensorboard").iterdir()}


def test_events_are_taken_back_to_what_they_were(tmp_path):
    loggers = [TensorBoardLogger(tmp_path, "", "tensorboard")]
    before = written(tmp_path, events_1=b"first", events_2=b"second", hparams_yaml=b"lr: 0.1")
    sizes = {"tensorboard/events.1": 5, "tensorboard/events.2": 6}
    written(tmp_path, events_2=b"second, and on", events_3=b"new", hparams_yaml=b"lr: 0.2")
    cut_history(loggers, tmp_path, sizes)
    assert written(tmp_path) == before | {"hparams.yaml": b"lr: 0.2"}
    cut_history(loggers, tmp_path, {})
    assert written(tmp_path).keys() == {"hparams.yaml"}


def test_events_that_are_shorter_than_they_were_stay_as_they_are(tmp_path):
    before = written(tmp_path, events_1=b"fir")
    cut_history([TensorBoardLogger(tmp_path, "", "tensorboard")], tmp_path, {"tensorboard/events.1": 5})
    assert written(tmp_path) == before


def test_sizes_are_those_of_what_was_logged_so_far_also_outside_of_the_run(tmp_path):
    run = tmp_path / "run"
    logger = TensorBoardLogger(tmp_path / "elsewhere", "", "here")
    logger.log_metrics({"loss": 0.5}, 1)
    sizes = history_sizes([logger, DummyLogger()], run)
    ((name, size),) = sizes.items()
    assert name.startswith("../elsewhere/here/events.")
    logger.log_metrics({"loss": 0.25}, 2)
    logger.finalize("success")
    path = tmp_path / name.removeprefix("../")
    assert path.stat().st_size > size > 0
    cut_history([TensorBoardLogger(tmp_path / "elsewhere", "", "here")], run, sizes)
    assert path.stat().st_size == size


def table(folder: Path) -> str:
    return (folder / "csv" / "metrics.csv").read_text()


def test_a_csv_logger_goes_on_in_its_table_row_by_row_whatever_columns_have_joined_it(tmp_path):
    def log(logger: CSVLogger, *steps: int) -> None:
        for step in steps:
            logger.log_metrics({"a": step} | ({"b": -step} if step > 1 else {}), step)

    whole = CSVLogger(tmp_path / "whole", "", "csv")
    log(whole, 0, 1, 2, 3)
    whole.finalize("success")
    logger = CSVLogger(tmp_path / "cut", "", "csv")
    log(logger, 0, 1)
    sizes = history_sizes([logger], tmp_path / "cut")
    assert sizes == {"csv/metrics.csv": 3}  # the header and two rows
    log(logger, 2)  # a column joins, so that the whole table is written anew
    logger.finalize("failed")
    again = CSVLogger(tmp_path / "cut", "", "csv")
    cut_history([again], tmp_path / "cut", sizes)
    log(again, 2, 3)
    again.finalize("success")
    assert table(tmp_path / "cut") == table(tmp_path / "whole")


def test_without_a_history_there_is_nothing_to_take_back(tmp_path):
    loggers = [TensorBoardLogger(tmp_path, "", "tensorboard"), CSVLogger(tmp_path, "", "csv"), DummyLogger()]
    cut_history(loggers, tmp_path, {"tensorboard/events.1": 5})
    assert list(tmp_path.iterdir()) == []
