"""Optimizers that step those rows of a `rosenblatt.text.sparse.BagLinear`'s weight that a batch names, and no others.

A batch of texts names some ten thousand of a million features; the gradient of all others is zero. To plain SGD and to
Adagrad that means no change, so they leave them alone, and end with the very numbers that torch's own end with.
"""

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch import Tensor, distributed
from torch.optim.adagrad import adagrad
from torch.optim.adam import adam

from rosenblatt.errors import UserError
from rosenblatt.text.sparse import ROWS_WANTED, untouched_zeros

EPS = 1e-10  # beside the root of a sum, as of torch's Adagrad
PART = 2**17  # weights to step at a time: they and their state stay in the cache of a core


class RowSteps(torch.optim.Optimizer):
    """Adds steps by rows to one of torch's optimizers, which comes after it among the bases of a class.

    Whatever has a dense gradient is stepped by torch, and state is kept as torch keeps it. Dense are those of small
    weights, and all of them in training by several processes and in any precision but 32 and 64 bits.
    """

    lazy = False  # rows whose gradient is zero are left alone where it is dense, too
    fewest = 0  # weights of a layer from which on rows are quicker than all of them (docs/log.md)
    state_names: tuple[str, ...] = ()  # of state with the shape of the weight

    def leaves_zeros(self, group: dict[str, Any]) -> bool:
        """Return whether, with the settings of a group, rows without a gradient are left alone."""
        return not (group["weight_decay"] or group["differentiable"])

    def step_rows(self, group: dict[str, Any], weight: Tensor, grad: Tensor, *state: Tensor) -> None:
        """Step rows in place: weight, gradient, each of ``state_names`` (num_rows, num_outputs), and ``step``."""
        raise NotImplementedError

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters; weights of bags among them ask this optimizer from now on whether it wants rows."""
        super().add_param_group(param_group)
        mine = [weight for weight in self.param_groups[-1]["params"] if weight in ROWS_WANTED]
        there = weakref.ref(self)  # one that is gone wants no rows
        wants = lambda weight, num_pairs: (one := there()) is not None and one.wants_rows(weight, num_pairs)  # noqa: E731
        ROWS_WANTED.update(dict.fromkeys(mine, wants))
        if mine and not hasattr(self, "held"):
            self.register_step_pre_hook(_after_gradients)
            self.register_step_post_hook(type(self).step_held)
            self.held: list[tuple[dict[str, Any], Tensor, Tensor]] = []

    def is_worth_it(self, weight: Tensor, num_pairs: int) -> bool:
        """Return whether rows are quicker than all of a weight, for bags of so many pairs."""
        return weight.numel() >= self.fewest

    def wants_rows(self, weight: Tensor, num_pairs: int) -> bool:
        """Return whether a weight of bags should give its gradient as rows."""
        alone = not (distributed.is_available() and distributed.is_initialized())
        plain = weight.dtype in (torch.float32, torch.float64) and not torch.is_autocast_enabled(weight.device.type)
        if not (alone and plain and self.is_worth_it(weight, num_pairs)):
            return False
        return any(self.leaves_zeros(group) for group in self.param_groups for one in group["params"] if one is weight)

    def hold(self) -> None:
        """Keep gradients of rows from torch's own step, which passes over parameters without any."""
        self.held = []
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None or weight not in ROWS_WANTED or not (weight.grad.is_sparse or self.lazy):
                    continue
                if self.leaves_zeros(group):
                    self.held.append((group, weight, weight.grad))
                    weight.grad = None
                else:  # the settings were changed since
                    weight.grad = weight.grad.to_dense()

    @torch.no_grad()
    def step_held(self, *_: Any) -> None:
        """Step the rows whose gradients were kept."""
        for group, weight, grad in self.held:
            weight.grad = grad
            state = self.state[weight] if self.state_names else {}
            if self.state_names and not state:
                state["step"] = torch.tensor(0.0)
                state |= {name: untouched_zeros(weight.shape, weight) for name in self.state_names}
            grad = grad if grad.is_sparse else grad.to_sparse(1)
            if not bool((grad._indices().diff() > 0).all()):  # of several uses or batches, added up
                grad = grad.coalesce()
            rows, values = grad._indices()[0], grad._values()
            whole = [weight, *(state[name] for name in self.state_names)]
            counted = [state["step"]] if self.state_names else []  # once for all parts
            size = -(-PART // weight.shape[1]) if weight.device.type == "cpu" else max(1, rows.numel())
            for first in range(0, rows.numel(), size):
                some = rows[first : first + size]
                parts = [one.index_select(0, some) for one in whole]
                once = [one.clone() for one in counted]
                self.step_rows(group, parts[0], values[first : first + size], *parts[1:], *once)
                for one, part in zip(whole, parts, strict=True):
                    one.index_copy_(0, some, part)
            for one in counted:
                one += 1
        self.held = []


# Hooks, rather than a `step` of its own around torch's: that would run the hooks of others twice.
def _after_gradients(optimizer: Any, args: Any, kwargs: Any) -> Any:
    closure = args[1] if len(args) > 1 else kwargs.get("closure")

    def then_hold() -> Any:
        loss = None if closure is None else closure()
        optimizer.hold()
        return loss

    return (optimizer, then_hold), {}


class SGD(RowSteps, torch.optim.SGD):
    """`torch.optim.SGD`; without momentum and weight decay a step touches only the rows that the batch names."""

    fewest = 4_000_000

    def leaves_zeros(self, group: dict[str, Any]) -> bool:
        """Momentum moves rows without a gradient, too."""
        return super().leaves_zeros(group) and not group["momentum"]

    def step_rows(self, group: dict[str, Any], weight: Tensor, grad: Tensor, *state: Tensor) -> None:
        """Take a step of plain SGD."""
        weight.add_(grad, alpha=float(group["lr"]) * (1 if group["maximize"] else -1))


class Adagrad(RowSteps, torch.optim.Adagrad):
    """`torch.optim.Adagrad`; without weight decay a step touches only the rows that the batch names."""

    fewest = 1_000_000
    state_names = ("sum",)

    def step_rows(self, group: dict[str, Any], weight: Tensor, grad: Tensor, *state: Tensor) -> None:
        """Take torch's own step."""
        settings = {name: group[name] for name in ("lr", "weight_decay", "lr_decay", "eps", "maximize")}
        adagrad([weight], [grad], [state[0]], [state[1]], foreach=False, **settings)


class LazyAdam(RowSteps, torch.optim.Adam):
    """Adam for rows that come and go: one that the batch does not name keeps its weights and its two moments.

    Another algorithm than Adam, which goes on moving every row by what is left of its moments. It is that of
    `torch.optim.SparseAdam` for weights of bags of any size, and that of `torch.optim.Adam` for all other parameters.

    Args:
        params: parameters, or groups of them.
        lr: learning rate.
        betas: how much of the two moments each step leaves.
        eps: added to the root of the second moment.
    """

    lazy = True
    state_names = ("exp_avg", "exp_avg_sq")

    def __init__(
        self, params: Any, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8
    ) -> None:
        super().__init__(params, lr, betas, eps)

    def step_rows(self, group: dict[str, Any], weight: Tensor, grad: Tensor, *state: Tensor) -> None:
        """Take torch's own step."""
        first, second, step = ([one] for one in state)
        beta1, beta2 = group["betas"]
        settings = {name: group[name] for name in ("lr", "weight_decay", "eps", "amsgrad", "maximize")}
        adam([weight], [grad], first, second, [], step, foreach=False, beta1=beta1, beta2=beta2, **settings)


class RowwiseAdagrad(RowSteps):
    """Adagrad with one sum of squares for each row of a weight: for each word, whatever the number of classes.

    A rare word is then not learnt by heart for each class alone. (TorchRec's name; Adagrad is Duchi et al. 2011.)
    Vectors, such as a bias, are one row.

    Args:
        params: parameters, or groups of them.
        lr: learning rate, in units of ``spread``.
        damping: where each sum starts, in units of the squared gradient of a single row of data; below it a step is
            that of plain SGD with a rate of ``lr * spread * batch_size / sqrt(damping)``.
        batch_size: rows of data that the mean gradient of a step is over.
        spread: of outputs that are sure; see `rosenblatt.tasks.task.Task`.
    """

    def __init__(
        self, params: Any, lr: float = 0.1, damping: float = 1.0, batch_size: int = 1, spread: float = 1.0
    ) -> None:
        settings = {"lr": lr, "damping": damping, "batch_size": batch_size, "spread": spread}
        for name, value in settings.items():
            if value < 0:
                raise UserError(f"optimizer.{name}={value}: expected a number of at least 0.")
        super().__init__(params, settings)

    def leaves_zeros(self, group: dict[str, Any]) -> bool:
        """A row without a gradient keeps its weights and its sum."""
        return True

    def is_worth_it(self, weight: Tensor, num_pairs: int) -> bool:
        """Return whether it is; of one output, rows have to be sorted for it, and otherwise are in any case."""
        return weight.shape[1] > 1 or len(weight) > 40 * num_pairs

    def hold(self) -> None:
        """Leave gradients of rows where they are: its own step takes them."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Take a step; of weights with a gradient of rows, only those rows."""
        with torch.enable_grad():
            loss = None if closure is None else closure()
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._step(group, weight, weight.grad)
        return loss

    def _step(self, group: dict[str, Any], weight: Tensor, grad: Tensor) -> None:
        rows = weight.view(len(weight), -1) if weight.ndim > 1 else weight.view(1, -1)
        lr = float(group["lr"]) * group["spread"]
        state = self.state[weight]
        if not state:
            state["sum"] = torch.full_like(rows[:, :1], group["damping"] / group["batch_size"] ** 2)
        if not grad.is_sparse:
            values = grad.reshape(rows.shape)
            one = rows.shape[1] == 1  # in as few passes over memory as there can be
            total = state["sum"]
            total = total.addcmul_(values, values) if one else total.add_(values.square().sum(dim=1, keepdim=True))
            rows.addcdiv_(values, total.sqrt().add_(EPS), value=-lr)
            return
        grad = grad if bool((grad._indices().diff() > 0).all()) else grad.coalesce()
        numbers, values = grad._indices()[0], grad._values()
        squares = torch.linalg.vector_norm(values, dim=1, keepdim=True).square_()
        total = state["sum"].index_select(0, numbers).add_(squares)
        state["sum"].index_copy_(0, numbers, total)
        # Select and copy: index_add_ takes half as long again.
        some = rows.index_select(0, numbers)
        some.addcmul_(values, total.sqrt_().add_(EPS).reciprocal_(), value=-lr)
        rows.index_copy_(0, numbers, some)
