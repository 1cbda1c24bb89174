"""What makes small steps quick: of a model that takes microseconds, most of a step is Lightning's preparation of hooks.

One call before ``fit``; it changes no result. The figures beside the parts are what a step of the toy takes longer
without them, in processor time; without all of them it takes 1.5 times as long. Like `rosenblatt.loop.internals`, and
nothing else, it touches private names of Lightning's, on 2.6.6: where one changes, ``tests/loop/test_lean.py`` fails.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.loops.optimization.automatic import Closure, ClosureResult
from lightning.pytorch.plugins.precision import Precision
from lightning.pytorch.profilers import PassThroughProfiler
from lightning.pytorch.strategies import SingleDeviceStrategy
from lightning.pytorch.utilities.signature_utils import is_param_in_hook_signature
from torch import Tensor
from torch.optim import Optimizer

from rosenblatt.loop.internals import before_train_end, own_hook

STEP_HOOKS = (
    "on_train_batch_start", "on_before_zero_grad", "on_before_backward", "on_after_backward",
    "on_before_optimizer_step", "on_train_batch_end",
)  # fmt: skip
TRANSFER_HOOKS = ("on_before_batch_transfer", "transfer_batch_to_device", "on_after_batch_transfer")
STEP_METHODS = ("optimizer_step", "optimizer_zero_grad", "backward", "configure_gradient_clipping")


def make_lean(trainer: pl.Trainer, module: pl.LightningModule) -> None:
    """Take out of a training that is about to begin what costs a small step time and does nothing."""
    undo: list[Callable[[], None]] = []

    def put(owner: Any, name: str, value: Any) -> None:
        setattr(owner, name, value)
        undo.append(lambda: vars(owner).pop(name, None))

    callbacks: list[pl.Callback] = trainer.callbacks  # type: ignore[attr-defined]
    plain = (
        type(trainer.strategy) is SingleDeviceStrategy
        and type(trainer.precision_plugin) is Precision
        and type(getattr(trainer, "profiler", None)) is PassThroughProfiler
    )
    loop = trainer.fit_loop.epoch_loop
    for part in (module, *callbacks):
        for name in STEP_HOOKS:
            if not own_hook(part, name):  # Lightning prepares the call of what is callable: 2 %, 7 without `_Step`
                put(part, name, None)
    put(loop, "_build_kwargs", _arguments(module))  # 7 %
    if plain and trainer.strategy.root_device.type == "cpu":
        _without_transfer(trainer, module, put)  # 7 %
    if module.automatic_optimization and not own_hook(module, "on_validation_model_zero_grad"):
        # The gradients of the epoch's last step stay, for histograms; the next step forgets them.
        put(module, "on_validation_model_zero_grad", None)
    if plain and not any(own_hook(module, name) for name in STEP_METHODS):
        put(loop.automatic_optimization, "run", _Step(trainer, module))  # 24 %
    if trainer.gradient_clip_val or own_hook(module, "configure_gradient_clipping"):
        put(module, "configure_gradient_clipping", _of_dense(module.configure_gradient_clipping))
    before_train_end(trainer, lambda: [one() for one in undo])  # type: ignore[arg-type]


def _of_dense(clip: Callable[..., None]) -> Callable[..., None]:
    """Return a clipping of gradients that makes sparse ones dense before, since torch has no norm of those."""

    def clip_dense(optimizer: Optimizer, *args: Any, **kwargs: Any) -> None:
        for parameter in [one for group in optimizer.param_groups for one in group["params"]]:
            if parameter.grad is not None and parameter.grad.is_sparse:
                parameter.grad = parameter.grad.to_dense()
        clip(optimizer, *args, **kwargs)

    return clip_dense


def _arguments(module: pl.LightningModule) -> Callable[..., Any]:
    """Return what names the arguments of ``training_step``, whose signature Lightning works out anew for each step."""
    numbered = is_param_in_hook_signature(module.training_step, "batch_idx", min_args=2)

    def build_kwargs(kwargs: Any, batch: Any, batch_idx: int) -> Any:
        kwargs["batch"] = batch
        if numbered:
            kwargs["batch_idx"] = batch_idx
        return kwargs

    return build_kwargs


def _without_transfer(trainer: pl.Trainer, module: pl.LightningModule, put: Callable[[Any, str, Any], None]) -> None:
    """Leave tensors where they are: on the CPU, in a tuple or list, where no hook is to see them."""
    strategy = trainer.strategy
    original = strategy.batch_to_device

    @cache  # once the Trainer knows the data module
    def has_hooks() -> bool:
        parts = [part for part in (module, getattr(trainer, "datamodule", None)) if part is not None]
        return any(own_hook(part, name) for part in parts for name in TRANSFER_HOOKS)

    def batch_to_device(batch: Any, device: torch.device | None = None, dataloader_idx: int = 0) -> Any:
        stays = type(batch) in (tuple, list) and all(type(one) is Tensor and one.device.type == "cpu" for one in batch)
        if stays and not has_hooks():
            return type(batch)(batch)
        return original(batch, device=device, dataloader_idx=dataloader_idx)

    put(strategy, "batch_to_device", batch_to_device)
    put(strategy, "on_train_batch_start", None)


class _Step:
    """The five steps of the book's loop, with those hooks that somebody has written."""

    def __init__(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.trainer, self.module = trainer, module
        self.loop = trainer.fit_loop.epoch_loop.automatic_optimization
        self.original = self.loop.run
        self.hooks: dict[str, list[Callable[..., Any]]] = {}

    def __call__(self, optimizer: Optimizer, batch_idx: int, kwargs: Any) -> Any:
        trainer = self.trainer
        if trainer.accumulate_grad_batches != 1 or trainer.gradient_clip_val or self.loop._skip_backward:
            return self.original(optimizer, batch_idx, kwargs)
        if not self.hooks:
            self._find_hooks()
        progress = self.loop.optim_progress.optimizer
        result = ClosureResult(None)

        def closure() -> Tensor | None:
            nonlocal result
            before = self._name("training_step")
            output = self.module.training_step(*kwargs.values())
            self._name(before)
            if type(output) is Tensor:
                result = ClosureResult(output)
            else:  # a dict, None, or refused
                result = ClosureResult.from_training_step_output(output)
            progress.zero_grad.increment_ready()
            self._call("on_before_zero_grad", optimizer)
            progress.zero_grad.increment_started()
            _zero_grad(optimizer)
            progress.zero_grad.increment_completed()
            if result.closure_loss is None:
                Closure.warning_cache.warn(
                    "`training_step` returned `None`. If this was on purpose, ignore this warning"
                )
            else:
                self._call("on_before_backward", result.closure_loss)
                result.closure_loss.backward()  # type: ignore[no-untyped-call]
                self._call("on_after_backward")
            self._call("on_before_optimizer_step", optimizer)
            return result.loss

        progress.step.increment_ready()
        optimizer.step(closure)  # type: ignore[arg-type]
        progress.step.increment_completed()
        return {} if result.loss is None else result.asdict()

    def _find_hooks(self) -> None:
        callbacks: list[pl.Callback] = self.trainer.callbacks  # type: ignore[attr-defined]
        for name in STEP_HOOKS:
            of_callbacks = [getattr(one, name) for one in callbacks if own_hook(one, name)]
            self.hooks[name] = [partial(hook, self.trainer, self.module) for hook in of_callbacks]
            if own_hook(self.module, name):
                self.hooks[name].append(getattr(self.module, name))

    def _call(self, name: str, *args: Any) -> None:
        if self.hooks[name]:
            before = self._name(name)
            for hook in self.hooks[name]:
                hook(*args)
            self._name(before)

    def _name(self, hook: str | None) -> str | None:
        """Note the current hook, which ``self.log`` asks for, without torch's look at it."""
        attributes = vars(self.module)
        before: str | None = attributes["_current_fx_name"]
        attributes["_current_fx_name"] = hook
        return before


def _zero_grad(optimizer: Optimizer) -> None:
    """Forget the gradients, without the look for a compiler that torch's own `zero_grad` takes."""
    if type(optimizer).zero_grad is not Optimizer.zero_grad:
        optimizer.zero_grad()
        return
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = None
