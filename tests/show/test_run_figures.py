"""Figures of epochs, of any module: which epochs, and that a checkpoint finds them all in the history."""

from __future__ import annotations

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn
from torch.utils.data import DataLoader

from rosenblatt.loop.epochs import Measures
from rosenblatt.show.figures.kinds import Drawing
from rosenblatt.show.pool import FigurePool
from rosenblatt.show.run_figures import Examined, LiveFigures
from rosenblatt.tasks.arrays import PredictedNumbers

pytestmark = pytest.mark.filterwarnings("ignore:.*does not have many workers")
QUIET = {
    "enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False, "accelerator": "cpu",
    "log_every_n_steps": 1,
}  # fmt: skip


class Autoencoder(pl.LightningModule):
    """Somebody's: no task, no ``model``, names of its own."""

    def __init__(self):
        super().__init__()
        self.net = nn.Linear(3, 3)

    def training_step(self, batch, batch_idx):
        loss = (self.net(batch) - batch).square().mean()
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch, batch_idx):
        outputs = self.net(batch)
        self.log("val_loss", (outputs - batch).square().mean())
        return {"outputs": outputs}

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def loader():
    return DataLoader(torch.arange(24.0).view(8, 3) / 24, batch_size=4)


@pytest.fixture(scope="module")
def pool():
    made = FigurePool()
    yield made
    made.close()


def history(folder):
    events = EventAccumulator(str(folder), size_guidance={"images": 0, "histograms": 0})
    events.Reload()
    return events


def fitted(tmp_path, live, epochs=5, **settings):
    logger = TensorBoardLogger(tmp_path, name=None, version="history")
    trainer = pl.Trainer(max_epochs=epochs, **{"logger": logger, "callbacks": [live]} | QUIET | settings)
    trainer.fit(Autoencoder(), loader(), loader())
    return trainer, history(tmp_path / "history")


def pair(returned, batch):
    return returned["outputs"], batch[:, 0]


def examine(outputs, target, moment):
    numbers = outputs[:, 0].numpy()
    return Examined({"predicted": Drawing(PredictedNumbers(numbers, numbers), moment), "odd": "no reason"})


@pytest.mark.parametrize(("every", "due"), [("auto", [1, 2, 4, 8, 16]), (1, [*range(1, 21)]), (6, [1, 7, 13, 19])])
def test_which_epochs_are_shown_their_number_alone_decides(every, due):
    live = LiveFigures(None, {}, every)
    assert [epoch for epoch in range(1, 21) if live.is_due(epoch)] == due


def test_a_module_without_a_task_has_histograms_and_charts(tmp_path, pool):
    measures = Measures("val_loss", "min")
    live = LiveFigures(pool, measures.epochs)
    _, events = fitted(tmp_path, live, callbacks=[live, measures], enable_checkpointing=True)
    tags = events.Tags()
    assert tags["images"] == []
    assert [event.step for event in events.Histograms("weights/net/weight")] == [1, 3, 7]
    assert "custom_scalars__config__" in tags["tensors"]


def test_what_validation_gives_is_examined_whatever_it_is_wrapped_in(tmp_path, pool):
    seen = []

    def noted(outputs, target, moment):
        assert len(target) == len(outputs)
        seen.append((outputs.shape, moment))
        return examine(outputs, target, moment)

    live = LiveFigures(pool, {}, 2, noted, pair_of=pair)
    _, events = fitted(tmp_path, live)
    assert seen == [((8, 3), f"epoch {epoch}") for epoch in (1, 3, 5)]
    assert [event.step for event in events.Images("val/predicted")] == [1, 5, 9]


def test_a_checkpoint_finds_all_figures_before_it_in_the_history(tmp_path, pool):
    found = []

    class Looks(pl.Callback):
        def on_train_epoch_end(self, trainer, module):
            trainer.save_checkpoint(tmp_path / "last.ckpt")

        def state_dict(self):
            events = history(tmp_path / "history")
            found.append(len(events.Images("val/predicted")) if events.Tags()["images"] else 0)
            return {}

    live = LiveFigures(pool, {}, 1, examine, pair_of=pair)
    fitted(tmp_path, live, epochs=4, callbacks=[live, Looks()])
    assert found == [1, 2, 3, 4]


def test_an_examination_that_fails_costs_no_run(tmp_path, pool, caplog):
    def broken(outputs, target, moment):
        raise RuntimeError("not today\nnor tomorrow")

    live = LiveFigures(pool, {}, 1, broken, pair_of=pair)
    trainer, _ = fitted(tmp_path, live, epochs=2)
    assert trainer.current_epoch == 2
    assert "figures: not shown (RuntimeError: not today)" in caplog.text


def test_a_trial_run_and_another_logger_show_nothing(tmp_path, pool):
    for settings in ({"fast_dev_run": True}, {"logger": False}):
        live = LiveFigures(pool, {}, 1, examine, pair_of=pair)
        trainer = pl.Trainer(max_epochs=2, callbacks=[live], default_root_dir=tmp_path, **QUIET | settings)
        trainer.fit(Autoencoder(), loader(), loader())
        assert live._waiting == []
