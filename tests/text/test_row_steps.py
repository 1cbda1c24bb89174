from __future__ import annotations

import copy
import io
from functools import partial

import lightning.pytorch as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.utils.tensorboard import SummaryWriter

from fitting import QUIET
from perceptron.classifier import Classifier
from perceptron.models import MLP, Perceptron
from rosenblatt.data.batches import Batches
from rosenblatt.data.features import Bags
from rosenblatt.loop.lean import make_lean
from rosenblatt.show.tensorboard import log_histograms
from rosenblatt.tasks.multiclass import Multiclass
from rosenblatt.text import row_steps
from rosenblatt.text.row_steps import SGD, Adagrad, LazyAdam
from rosenblatt.text.sparse import BagLinear

NUM_FEATURES = 60
pytestmark = QUIET
# Ours, and whose numbers they are.
PAIRS = {
    "sgd": (partial(SGD, lr=0.3), partial(torch.optim.SGD, lr=0.3)),
    "sgd, up": (partial(SGD, lr=0.3, maximize=True), partial(torch.optim.SGD, lr=0.3, maximize=True)),
    "sgd, fused": (partial(SGD, lr=0.3, fused=True), partial(torch.optim.SGD, lr=0.3)),
    "adagrad": (partial(Adagrad, lr=0.3), partial(torch.optim.Adagrad, lr=0.3)),
    "adagrad, all set": (
        partial(Adagrad, lr=0.3, lr_decay=0.1, eps=1e-3, initial_accumulator_value=0.5, maximize=True),
        partial(torch.optim.Adagrad, lr=0.3, lr_decay=0.1, eps=1e-3, initial_accumulator_value=0.5, maximize=True),
    ),
}
every_pair = pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS.keys())


@pytest.fixture(autouse=True)
def _rows_of_small_weights(monkeypatch):
    for one in (SGD, Adagrad):
        monkeypatch.setattr(one, "fewest", 0)
    monkeypatch.setattr(row_steps, "PART", 40)  # several parts


def bags_of(lengths: list[int], seed: int) -> Bags:
    generator = torch.Generator().manual_seed(seed)
    rows = [torch.randperm(NUM_FEATURES, generator=generator)[:length].sort().values for length in lengths]
    ids = torch.cat([torch.zeros(0, dtype=torch.int64), *rows]).to(torch.int32)
    return Bags(ids, torch.randn(ids.numel(), generator=generator), torch.tensor([0, *lengths]).cumsum(0))


def layer_of(num_outputs: int) -> BagLinear:
    torch.manual_seed(0)
    return BagLinear(NUM_FEATURES, num_outputs)


def loss_of(layer: nn.Module, bags: Bags) -> torch.Tensor:
    return (layer(bags) - torch.arange(bags.num_rows).unsqueeze(1).sin()).square().sum()


def step(layer: nn.Module, optimizer: torch.optim.Optimizer, *batches: Bags) -> None:
    optimizer.zero_grad()
    for bags in batches:
        loss_of(layer, bags).backward()
    optimizer.step()


def is_row_stepped(layer: BagLinear) -> bool:
    loss_of(layer, bags_of([2], 0)).backward()
    found = layer.weight.grad.is_sparse
    layer.weight.grad = None
    return found


shapes = given(
    steps=st.lists(st.lists(st.integers(0, 25), max_size=6), min_size=1, max_size=20),
    num_outputs=st.sampled_from([1, 2, 3, 7, 16, 33]),
)


@every_pair
@shapes
def test_steps_by_rows_are_those_of_torch_to_the_bit(pair, steps, num_outputs):
    layers = [layer_of(num_outputs) for _ in pair]
    optimizers = [make(layer.parameters()) for make, layer in zip(pair, layers, strict=True)]
    for number, lengths in enumerate(steps):
        for layer, optimizer in zip(layers, optimizers, strict=True):
            step(layer, optimizer, bags_of(lengths, number // 2))  # each batch twice
        assert [layer.weight.grad.is_sparse for layer in layers] == [True, False]
        assert torch.equal(layers[0].weight.grad.to_dense(), layers[1].weight.grad)
        assert torch.equal(layers[0].weight, layers[1].weight)
        assert torch.equal(layers[0].bias, layers[1].bias)
    ours, theirs = (optimizer.state_dict()["state"] for optimizer in optimizers)
    assert ours.keys() == theirs.keys()
    for number, state in theirs.items():
        assert ours[number].keys() == state.keys()
        assert all(
            value is ours[number][name] or torch.equal(value, ours[number][name]) for name, value in state.items()
        )


@shapes
def test_lazy_adam_steps_the_rows_of_the_batch_and_leaves_the_others_alone(steps, num_outputs):
    layer = layer_of(num_outputs)
    optimizer = LazyAdam(layer.parameters(), lr=0.1, betas=(0.8, 0.95))
    weight = layer.weight.detach().double().clone()
    first, second = torch.zeros_like(weight), torch.zeros_like(weight)
    for number, lengths in enumerate(steps, 1):
        bags = bags_of(lengths, number)
        step(layer, optimizer, bags)
        grad = layer.weight.grad.to_dense().double()
        for row in set(bags.ids.tolist()):
            first[row] = 0.8 * first[row] + 0.2 * grad[row]
            second[row] = 0.95 * second[row] + 0.05 * grad[row] ** 2
            slope = (first[row] / (1 - 0.8**number)) / ((second[row] / (1 - 0.95**number)).sqrt() + 1e-8)
            weight[row] -= 0.1 * slope
        # Where a moment is tiny the ratio of the two is not exact.
        torch.testing.assert_close(layer.weight.double(), weight, rtol=1e-3, atol=1e-3)
        weight = layer.weight.detach().double().clone()
    assert optimizer.state[layer.weight].keys() == {"step", "exp_avg", "exp_avg_sq"}


@pytest.mark.parametrize("num_outputs", [1, 5])
def test_lazy_adam_is_sparse_adam_of_torch(num_outputs):
    layer = layer_of(num_outputs)
    plain = nn.EmbeddingBag.from_pretrained(
        layer.weight.detach().clone(), freeze=False, mode="sum", sparse=True, include_last_offset=True
    )
    ours, theirs = LazyAdam([layer.weight], lr=0.1), torch.optim.SparseAdam([plain.weight], lr=0.1)
    for number in range(30):
        bags = bags_of([4, 0, 9, 2], number)
        for optimizer, outputs in (
            (ours, layer(bags)),
            (theirs, plain(bags.ids.long(), bags.offsets, per_sample_weights=bags.weights)),
        ):
            optimizer.zero_grad()
            (outputs - 1).square().sum().backward()
            optimizer.step()
    torch.testing.assert_close(layer.weight, plain.weight)


@every_pair
def test_gradients_of_several_batches_and_uses_add_up(pair):
    layers = [layer_of(3) for _ in pair]
    optimizers = [make(layer.parameters()) for make, layer in zip(pair, layers, strict=True)]
    for number in range(10):
        for layer, optimizer in zip(layers, optimizers, strict=True):
            step(layer, optimizer, bags_of([5, 0, 8], number), bags_of([9], number + 1), bags_of([5, 0, 8], number))
    # Torch adds the gradients up in another order.
    torch.testing.assert_close(layers[0].weight, layers[1].weight)


@every_pair
def test_with_a_closure_the_steps_are_the_same(pair):
    layers = [layer_of(3) for _ in pair]
    for make, layer in zip(pair, layers, strict=True):
        optimizer = make(layer.parameters())
        for number in range(10):

            def closure(layer=layer, optimizer=optimizer, number=number):
                optimizer.zero_grad()
                loss = loss_of(layer, bags_of([5, 0, 8], number))
                loss.backward()
                return loss

            before = loss_of(layer, bags_of([5, 0, 8], number))
            assert torch.equal(optimizer.step(closure), before)
    assert torch.equal(layers[0].weight, layers[1].weight)


@pytest.mark.parametrize("make", [partial(Adagrad, lr=0.1), partial(LazyAdam, lr=0.1)], ids=["adagrad", "lazy adam"])
def test_steps_go_on_from_a_saved_state(make):
    whole, first = layer_of(4), layer_of(4)
    of_whole, of_first = make(whole.parameters()), make(first.parameters())
    for number in range(10):
        step(whole, of_whole, bags_of([5, 0, 8], number))
        if number < 5:
            step(first, of_first, bags_of([5, 0, 8], number))
    file = io.BytesIO()
    torch.save({"layer": first.state_dict(), "optimizer": of_first.state_dict()}, file)
    file.seek(0)
    kept = torch.load(file, weights_only=True)
    second = layer_of(4)
    second.load_state_dict(kept["layer"])
    of_second = make(second.parameters())
    of_second.load_state_dict(kept["optimizer"])
    for number in range(5, 10):
        step(second, of_second, bags_of([5, 0, 8], number))
    assert torch.equal(second.weight, whole.weight)


def test_a_state_of_torchs_own_is_taken_over():
    layers = [layer_of(4) for _ in range(2)]
    theirs = [torch.optim.Adagrad(layer.parameters(), lr=0.1) for layer in layers]
    for layer, optimizer in zip(layers, theirs, strict=True):
        step(layer, optimizer, bags_of([5, 0, 8], 1))
    ours = Adagrad(layers[0].parameters(), lr=0.1)
    ours.load_state_dict(theirs[0].state_dict())
    for layer, optimizer in zip(layers, (ours, theirs[1]), strict=True):
        step(layer, optimizer, bags_of([5, 0, 8], 2))
    assert layers[0].weight.grad.is_sparse
    assert torch.equal(layers[0].weight, layers[1].weight)


SETTINGS = {
    "momentum": (SGD, torch.optim.SGD, {"momentum": 0.9}),
    "weight decay of sgd": (SGD, torch.optim.SGD, {"weight_decay": 0.1}),
    "weight decay of adagrad": (Adagrad, torch.optim.Adagrad, {"weight_decay": 0.1}),
}


@pytest.mark.parametrize("case", SETTINGS.values(), ids=SETTINGS.keys())
def test_where_rows_without_a_gradient_move_all_rows_are_stepped(case):
    ours, theirs, settings = case
    layers = [layer_of(3) for _ in range(2)]
    for make, layer in zip((ours, theirs), layers, strict=True):
        optimizer = make(layer.parameters(), lr=0.1, **settings)
        for number in range(5):
            step(layer, optimizer, bags_of([4, 2], number))
    assert not is_row_stepped(layers[0])
    assert torch.equal(layers[0].weight, layers[1].weight)


def test_settings_that_change_between_gradient_and_step_count():
    layers = [layer_of(3) for _ in range(2)]
    for make, layer in zip((SGD, torch.optim.SGD), layers, strict=True):
        optimizer = make(layer.parameters(), lr=0.1)
        loss_of(layer, bags_of([4, 2], 1)).backward()
        optimizer.param_groups[0]["weight_decay"] = 0.5
        optimizer.step()
    assert torch.equal(layers[0].weight, layers[1].weight)


def test_small_weights_are_stepped_whole(monkeypatch):
    monkeypatch.setattr(SGD, "fewest", NUM_FEATURES * 3)
    small, large = layer_of(2), layer_of(3)
    optimizer = SGD([*small.parameters(), *large.parameters()], lr=0.1)
    assert [is_row_stepped(small), is_row_stepped(large)] == [False, True]
    del optimizer


def test_without_an_optimizer_of_ours_gradients_are_dense():
    layer = layer_of(3)
    assert not is_row_stepped(layer)
    optimizer = SGD(layer.parameters(), lr=0.1)
    assert is_row_stepped(layer)
    copies = [copy.deepcopy(layer), torch.load(_saved(layer), weights_only=False)]
    assert [is_row_stepped(one) for one in copies] == [False, False]
    del optimizer
    assert not is_row_stepped(layer)


def test_copies_have_rows_for_an_optimizer_of_their_own():
    layer = layer_of(3)
    for one in (copy.deepcopy(layer), torch.load(_saved(layer), weights_only=False)):
        before = one.weight.detach().clone()
        optimizer = LazyAdam(one.parameters(), lr=0.1)
        assert is_row_stepped(one)
        step(one, optimizer, bags_of([3], 1))
        step(one, optimizer, bags_of([3], 2))
        named = {*bags_of([3], 1).ids.tolist(), *bags_of([3], 2).ids.tolist()}
        moved = (one.weight != before).any(dim=1).nonzero().flatten().tolist()
        assert {*moved} == named
    assert not is_row_stepped(layer)


def _saved(layer: nn.Module) -> io.BytesIO:
    file = io.BytesIO()
    torch.save(layer, file)
    file.seek(0)
    return file


def test_beside_other_processes_gradients_are_dense(tmp_path):
    layer = layer_of(3)
    optimizer = SGD(layer.parameters(), lr=0.1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        assert not is_row_stepped(layer)
    finally:
        torch.distributed.destroy_process_group()
    assert is_row_stepped(layer)
    del optimizer


def test_hooks_of_others_run_once_a_step():
    layer = layer_of(3)
    torch.optim.SGD(layer.parameters(), lr=0.1).step()
    optimizer, seen = SGD(layer.parameters(), lr=0.1), []
    optimizer.register_step_pre_hook(lambda *_: seen.append("before"))
    optimizer.register_step_post_hook(lambda *_: seen.append("after"))
    step(layer, optimizer, bags_of([3], 1))
    assert seen == ["before", "after"]


@pytest.mark.parametrize("precision", ["bf16-mixed", "bf16-true", "64-true"])
@pytest.mark.parametrize("ours", [SGD, Adagrad, LazyAdam])
def test_each_precision_trains(precision, ours):
    classifier = fitted(partial(ours, lr=0.1), precision=precision)
    weight = classifier.model.layers[0].weight
    assert weight.isfinite().all()
    assert (weight.grad is not None and weight.grad.is_sparse) == (precision == "64-true")


def fitted(optimizer, lean: bool = True, **settings) -> Classifier:
    """An MLP, after two epochs of seven batches."""
    torch.manual_seed(0)
    task = Multiclass(("a", "b", "c"), num_rows=50, class_counts=(17, 17, 16))
    classifier = Classifier(MLP(NUM_FEATURES, 3, bags=True, hidden=[8]), task, task.loss(), optimizer)
    data = Batches(bags_of([7, 0, 12, 3, 9] * 10, 3), torch.arange(50) % 3, batch_size=8)
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = pl.Trainer(
        accelerator="cpu", max_epochs=2, enable_checkpointing=False, num_sanity_val_steps=0, **quiet, **settings
    )
    if lean:
        make_lean(trainer, classifier)
    trainer.fit(classifier, data)
    return classifier


AROUND = {
    "nothing": {},
    "clipped by norm": {"gradient_clip_val": 0.1},
    "clipped by value": {"gradient_clip_val": 0.01, "gradient_clip_algorithm": "value"},
    "accumulated": {"accumulate_grad_batches": 3},
    "anomalies": {"detect_anomaly": True},
}


@pytest.mark.filterwarnings("ignore:Anomaly Detection")
@pytest.mark.parametrize("settings", AROUND.values(), ids=AROUND.keys())
@pytest.mark.parametrize("ours", [SGD, Adagrad, LazyAdam])
def test_trainings_by_rows_and_whole_end_with_the_same_weights(monkeypatch, settings, ours):
    by_rows = fitted(partial(ours, lr=0.1), **settings)
    monkeypatch.setattr(ours, "fewest", 10**9)
    whole = fitted(partial(ours, lr=0.1), **settings)
    for name, parameter in whole.named_parameters():
        if settings == AROUND["accumulated"]:  # gradients are added up in another order
            torch.testing.assert_close(by_rows.get_parameter(name), parameter)
        else:
            assert torch.equal(by_rows.get_parameter(name), parameter)
    assert whole.model.layers[0].weight.abs().sum() > 0


def test_the_histogram_of_a_gradient_is_that_of_its_rows(tmp_path):
    model = Perceptron(NUM_FEATURES, 1, bags=True)
    optimizer = SGD(model.parameters(), lr=0.1)
    loss_of(model, bags_of([4], 1)).backward()

    class Noted(SummaryWriter):
        def add_histogram(self, tag, values, *_, **__):
            seen[tag] = len(values)

    seen: dict[str, int] = {}
    with Noted(str(tmp_path)) as writer:
        log_histograms(writer, model, 0)
    assert seen["weights_gradient/linear/weight"] == 4
    del optimizer


def test_a_run_on_texts_by_rows_is_the_run_on_all_of_them(train, reviews, monkeypatch):
    words = ["data=text", f"data.train={reviews}", "optimizer=adagrad", "lr=0.5", "trainer.max_epochs=3"]
    by_rows = train(*words, run="rows").metrics
    monkeypatch.setattr(Adagrad, "fewest", 10**9)
    whole = train(*words, run="whole").metrics
    figures = [name for name in whole if not name.startswith("seconds")]
    assert {name: by_rows[name] for name in figures} == {name: whole[name] for name in figures}
    assert whole["val/acc"] > 0.9
