"""What is taken out of a training for small steps changes nothing, and what somebody has written is called."""

from __future__ import annotations

from collections import Counter
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.callbacks import LambdaCallback

from fitting import QUIET, assert_same, batches, make_trainer, perceptron
from perceptron.classifier import Classifier
from rosenblatt.loop.lean import STEP_HOOKS, STEP_METHODS, TRANSFER_HOOKS, make_lean

pytestmark = QUIET
STRUCK = {*STEP_HOOKS, "on_validation_model_zero_grad"}


def fitted(
    lean: bool, module: pl.LightningModule, *callbacks: pl.Callback, **settings: Any
) -> tuple[pl.Trainer, dict[str, Any]]:
    """Train, with what is taken out or without, and return all that it leaves."""
    trainer = make_trainer(*callbacks, **{"enable_checkpointing": False} | settings)
    if lean:
        make_lean(trainer, module)
    trainer.fit(module, batches(1), batches(2, num_batches=2))
    left = {
        "weights": module.state_dict(),
        "optimizer": trainer.optimizers[0].state_dict(),
        "metrics": {name: float(value) for name, value in trainer.callback_metrics.items()},
        "loops": trainer.fit_loop.state_dict(),
    }
    return trainer, left


class Hooked(Classifier):
    """Counts the calls of a hook, and logs in it where that can be."""

    hook = ""
    calls: Counter[str]


def hooked(name: str) -> Hooked:
    module = perceptron()

    def hook(self: Hooked, *args: Any, **kwargs: Any) -> Any:
        self.calls[str(self._current_fx_name)] += 1
        return getattr(Classifier, name)(self, *args, **kwargs)

    module.__class__ = type("Own", (Hooked,), {name: hook})
    module.calls = Counter()
    return module


@pytest.mark.parametrize("name", [*STEP_HOOKS, *STEP_METHODS, *TRANSFER_HOOKS, "on_validation_model_zero_grad"])
def test_a_hook_that_a_module_has_is_called_as_often_under_its_name(name):
    bare, lean = hooked(name), hooked(name)
    expected, found = fitted(False, bare)[1], fitted(True, lean)[1]
    assert_same(found, expected)
    assert lean.calls == bare.calls
    assert sum(bare.calls.values()) > 0


@pytest.mark.parametrize("name", STEP_HOOKS)
@pytest.mark.parametrize("later", [False, True])
def test_a_hook_that_a_callback_has_is_called_as_often_and_may_log(name, later):
    def counting() -> tuple[Counter[str], pl.Callback]:
        calls: Counter[str] = Counter()

        def hook(*args: Any) -> None:
            module = next(one for one in args if isinstance(one, pl.LightningModule))
            calls[str(module._current_fx_name)] += 1
            module.log("calls", float(sum(calls.values())), on_step=False, on_epoch=True, batch_size=1)

        callback = LambdaCallback(**{name: hook}) if later else type("Own", (pl.Callback,), {name: hook})()
        return calls, callback

    (bare, one), (lean, other) = counting(), counting()
    expected, found = fitted(False, perceptron(), one)[1], fitted(True, perceptron(), other)[1]
    assert_same(found, expected)
    assert lean == bare
    assert "calls" in found["metrics"]


@pytest.mark.parametrize(
    "settings",
    [
        {}, {"accumulate_grad_batches": 2}, {"gradient_clip_val": 0.01}, {"profiler": "simple"},
        {"precision": "bf16-mixed"}, {"detect_anomaly": True}, {"max_epochs": -1, "max_steps": 7},
    ],
    ids=str,
)  # fmt: skip
def test_training_is_the_same_in_whatever_way(settings):
    expected, found = fitted(False, perceptron(), **settings)[1], fitted(True, perceptron(), **settings)[1]
    assert_same(found, expected)


class Odd(Classifier):
    """Returns a dict, or nothing at all now and then, and takes no number of the batch."""

    def training_step(self, batch: Any) -> Any:  # type: ignore[override]
        loss = super().training_step(batch, 0)
        self.last = (self.last + 1) % 4
        return None if self.last == 0 else {"loss": loss, "more": self.last} if self.last == 1 else loss

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.seen.append(sorted(outputs) if isinstance(outputs, dict) else float(outputs))


@pytest.mark.filterwarnings("ignore:`training_step` returned `None`")
def test_what_a_step_returns_reaches_the_hooks():
    left, seen = [], []
    for lean in (False, True):
        module = perceptron()
        module.__class__ = Odd
        module.last, module.seen = 0, []
        left.append(fitted(lean, module)[1])
        seen.append(module.seen)
    assert_same(left[1], left[0])
    assert seen[1] == seen[0]
    assert ["loss", "more"] in seen[0]


def test_after_training_all_is_as_it_was():
    module, callback = perceptron(), pl.Callback()
    parts = (module, callback)
    trainer, _ = fitted(True, module, callback)
    assert [STRUCK & vars(part).keys() for part in parts] == [set(), set()]
    assert "run" not in vars(trainer.fit_loop.epoch_loop.automatic_optimization)
    assert "batch_to_device" not in vars(trainer.strategy)


def test_the_gradients_of_the_last_step_are_there_while_an_epoch_is_validated():
    class Look(pl.Callback):
        def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
            self.gradients = [parameter.grad for parameter in pl_module.parameters()]

    look = Look()
    fitted(True, perceptron(), look)
    assert all(isinstance(gradient, torch.Tensor) for gradient in look.gradients)
