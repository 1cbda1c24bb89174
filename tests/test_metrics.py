from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk
from sklearn.dummy import DummyClassifier
from torch import Tensor

from rosenblatt import metrics as under_test
from rosenblatt.losses import ClassificationLoss
from rosenblatt.metrics import EpochMetrics, Result, majority_baseline, to_probs
from rosenblatt.spec import DataSpec, Task, class_counts

# torchmetrics says so wherever a class has no row or all rows; EpochMetrics leaves these classes out of the mean.
pytestmark = pytest.mark.filterwarnings(
    "ignore:No (positive|negative) samples (in targets|found in target):UserWarning"
)
TASKS: tuple[Task, ...] = ("binary", "multiclass", "multilabel")


@pytest.fixture(autouse=True)
def _small_splits_reach_the_metrics_in_several_portions(monkeypatch):
    monkeypatch.setattr(under_test, "FLUSH_AT", 40)


def spec_of(task: Task, target: Tensor, num_classes: int) -> DataSpec:
    counts = class_counts(target, num_classes)
    names = tuple(f"class {i}" for i in range(num_classes))
    return DataSpec(3, False, task, names, tuple(counts.tolist()), target.shape[0])


def split(task: Task, seed: int, num_rows: int, num_classes: int = 4) -> tuple[DataSpec, Tensor, Tensor]:
    """Random logits and target; of a few rows, some classes are absent. Coarse logits have ties."""
    generator = torch.Generator().manual_seed(seed)
    num_classes = 2 if task == "binary" else num_classes
    if task == "multilabel":
        target = (torch.rand(num_rows, num_classes, generator=generator) < 0.4).to(torch.uint8)
    else:
        target = torch.randint(num_classes, (num_rows,), generator=generator)
    logits = torch.randn(num_rows, 1 if task == "binary" else num_classes, generator=generator) * 3
    return spec_of(task, target, num_classes), (logits * 2).round() / 2 + 0.1 if seed % 2 else logits, target


def measured(
    spec: DataSpec, logits: Tensor, target: Tensor, sizes: Sequence[int], threshold: float = 0.5, **kwargs: bool
) -> Result:
    metrics, loss = EpochMetrics(spec, threshold, **kwargs), ClassificationLoss(spec)
    start = 0
    for size in itertools.cycle(sizes):
        batch = slice(start, start + size)
        metrics.update(logits[batch], target[batch], loss(logits[batch], target[batch]))
        start += size
        if start >= target.shape[0]:
            return metrics.compute()


def expected(spec: DataSpec, logits: Tensor, target: Tensor, threshold: float = 0.5) -> Result:
    """The same by scikit-learn, in float64 from the probabilities."""
    probs, truth = to_probs(logits, spec.task).numpy(), target.numpy()
    num = len(spec.classes)
    values = {"loss": float(ClassificationLoss(spec)(logits, target))}
    per_class = {}
    preds = probs.argmax(axis=1) if spec.task == "multiclass" else (probs > threshold).astype(int)
    values["acc"] = sk.accuracy_score(truth, preds)
    for name, score in {"f1": sk.f1_score, "precision": sk.precision_score, "recall": sk.recall_score}.items():
        if spec.task == "binary":
            values[name] = score(truth, preds, zero_division=0)
        else:
            values[name] = score(truth, preds, average="macro", zero_division=0)
            per_class[name] = score(truth, preds, labels=range(num), average=None, zero_division=0).tolist()
    if spec.task == "multilabel":
        values["f1_micro"] = sk.f1_score(truth, preds, average="micro", zero_division=0)
        hits = truth[np.arange(len(truth)), probs.argmax(axis=1)].sum()
        values |= {"p_at_1": hits / len(truth), "r_at_1": hits / max(truth.sum(), 1)}
    for name, ranking in {"auroc": sk.roc_auc_score, "ap": sk.average_precision_score}.items():
        one_hot = truth if spec.task == "multilabel" else np.eye(num, dtype=int)[truth]
        columns = [(one_hot[:, 1], probs)] if spec.task == "binary" else list(zip(one_hot.T, probs.T, strict=True))
        numbers = [ranking(t, p) if 0 < t.sum() < len(t) else math.nan for t, p in columns]
        decided = [number for number in numbers if not math.isnan(number)]
        values[name] = float(np.mean(decided)) if decided else math.nan
        if spec.task != "binary":
            per_class[name] = numbers
    return Result(values, per_class)


def assert_same(result: Result, reference: Result) -> None:
    assert result.values == pytest.approx(reference.values, abs=1e-6, rel=1e-6, nan_ok=True)
    assert result.per_class.keys() == reference.per_class.keys()
    for name, numbers in reference.per_class.items():
        assert result.per_class[name] == pytest.approx(numbers, abs=1e-6, nan_ok=True), name


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("seed", range(4))
def test_every_metric_agrees_with_scikit_learn(task, seed):
    spec, logits, target = split(task, seed, num_rows=301)
    assert_same(measured(spec, logits, target, [32], per_class=True), expected(spec, logits, target))


@settings(max_examples=40, deadline=None)
@given(
    task=st.sampled_from(TASKS),
    seed=st.integers(0, 2**31),
    num_rows=st.integers(1, 30),
    num_classes=st.integers(3, 6),
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    threshold=st.sampled_from([0.2, 0.5, 0.9]),
)
def test_no_batch_size_or_threshold_changes_the_agreement(task, seed, num_rows, num_classes, sizes, threshold):
    spec, logits, target = split(task, seed, num_rows, num_classes)
    result = measured(spec, logits, target, sizes, threshold, per_class=True)
    assert_same(result, expected(spec, logits, target, threshold))


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("size", [1, 7, 32, 100, 101, 1000])
def test_the_last_partial_batch_counts_by_its_rows(task, size):
    spec, logits, target = split(task, 5, num_rows=101)
    logits[-1] = 9.0  # a loss unlike that of the others, in a batch of its own where size is 100
    assert_same(measured(spec, logits, target, [size]), measured(spec, logits, target, [101]))


def test_many_batches_do_not_blur_the_mean_loss(monkeypatch):
    monkeypatch.setattr(under_test, "FLUSH_AT", 1 << 16)
    metrics = EpochMetrics(DataSpec(1, False, "binary", ("no", "yes"), (1, 1), 2), ranking=False)
    loss = torch.tensor(0.1)
    logits, target = torch.zeros(3, 1), torch.zeros(3, dtype=torch.int64)
    for _ in range(30_000):
        metrics.update(logits, target, loss)
    assert metrics.compute().values["loss"] == pytest.approx(0.1, abs=1e-6)


@pytest.mark.parametrize("task", TASKS)
def test_compute_forgets_all_rows(task):
    spec, logits, target = split(task, 6, num_rows=50)
    metrics = EpochMetrics(spec, per_class=True)
    metrics.update(logits, target, torch.tensor(123.0))
    metrics.compute()
    metrics.update(logits[:20], target[:20], ClassificationLoss(spec)(logits[:20], target[:20]))
    assert_same(metrics.compute(), expected(spec, logits[:20], target[:20]))


@pytest.mark.parametrize("task", TASKS)
def test_reset_forgets_batches_that_no_metric_has_seen_yet(task):
    spec, logits, target = split(task, 7, num_rows=40)
    metrics = EpochMetrics(spec, per_class=True)
    metrics.update(logits[:3], target[:3], torch.tensor(9.0))
    metrics.reset()
    metrics.update(logits[3:], target[3:], ClassificationLoss(spec)(logits[3:], target[3:]))
    assert_same(metrics.compute(), expected(spec, logits[3:], target[3:]))


def test_recall_at_1_divides_by_labels_also_after_an_epoch_of_single_labels():
    # torchmetrics lets metrics whose first states are equal share one state from then on.
    spec = DataSpec(1, False, "multilabel", ("a", "b", "c"), (1, 1, 1), 3)
    metrics = EpochMetrics(spec)
    loss = torch.tensor(0.0)
    metrics.update(torch.eye(3), torch.eye(3, dtype=torch.uint8), loss)
    assert metrics.compute().values["r_at_1"] == 1.0
    metrics.update(torch.eye(3), torch.ones(3, 3, dtype=torch.uint8), loss)
    values = metrics.compute().values
    assert values["p_at_1"] == 1.0
    assert values["r_at_1"] == pytest.approx(1 / 3)


@pytest.mark.parametrize("task", TASKS)
def test_a_split_of_one_row_has_metrics_and_no_ranking(task):
    # Of one row, each class is in all rows or in none.
    spec, logits, target = split(task, 8, num_rows=1)
    result = measured(spec, logits, target, [1], per_class=True)
    assert_same(result, expected(spec, logits, target))
    assert math.isnan(result.values["auroc"])
    assert math.isnan(result.values["ap"])


@pytest.mark.parametrize("only", [0, 1])
def test_a_binary_split_with_one_class_has_no_ranking(only):
    spec = DataSpec(1, False, "binary", ("no", "yes"), (5, 5), 10)
    logits, target = torch.randn(6, 1), torch.full((6,), only)
    assert_same(measured(spec, logits, target, [4]), expected(spec, logits, target))


def test_classes_absent_from_the_split_are_left_out_of_the_ranking_means():
    spec, logits, _ = split("multiclass", 10, num_rows=60, num_classes=5)
    target = torch.tensor([1, 3]).repeat(30)
    result = measured(spec, logits, target, [16], per_class=True)
    assert_same(result, expected(spec, logits, target))
    assert [math.isnan(number) for number in result.per_class["auroc"]] == [True, False, True, False, True]
    assert 0 < result.values["auroc"] < 1


@pytest.mark.parametrize("task", TASKS)
def test_training_metrics_leave_the_ranking_out(task):
    spec, logits, target = split(task, 12, num_rows=30)
    result = measured(spec, logits, target, [8], ranking=False)
    assert not {"auroc", "ap"} & (result.values.keys() | result.per_class.keys())
    assert {"loss", "acc", "f1", "precision", "recall"} <= result.values.keys()


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("settings", [{}, {"ranking": False}, {"per_class": True}])
def test_the_names_are_known_before_the_first_row(task, settings):
    spec, logits, target = split(task, 13, num_rows=30)
    assert sorted(EpochMetrics(spec, **settings).names) == sorted(
        measured(spec, logits, target, [8], **settings).values
    )


@pytest.mark.parametrize(("task", "num_classes"), [("binary", 2), ("multiclass", 4), ("multilabel", 3)])
@pytest.mark.parametrize("seed", range(3))
def test_the_majority_baseline_is_scikit_learns_prior(task, num_classes, seed):
    random = np.random.default_rng(seed)
    if task == "multilabel":
        shares = random.uniform(0.1, 0.9, num_classes)
        train, test = (random.random((num_rows, num_classes)) < shares for num_rows in (200, 90))
        train, test = train.astype(np.uint8), test.astype(np.uint8)
    else:
        shares = random.dirichlet(np.full(num_classes, 4.0))
        train, test = (random.choice(num_classes, num_rows, p=shares) for num_rows in (200, 90))
    dummy = DummyClassifier(strategy="prior").fit(np.zeros((200, 1)), train)
    preds, probs = dummy.predict(np.zeros((90, 1))), dummy.predict_proba(np.zeros((90, 1)))

    spec = spec_of(task, torch.from_numpy(train), num_classes)
    baseline = majority_baseline(spec, torch.from_numpy(test), ClassificationLoss(spec))
    average = "binary" if task == "binary" else "macro"
    assert baseline["acc"] == pytest.approx(sk.accuracy_score(test, preds), abs=1e-6)
    assert baseline["f1"] == pytest.approx(sk.f1_score(test, preds, average=average, zero_division=0), abs=1e-6)
    assert baseline["auroc"] == pytest.approx(0.5, abs=1e-6)
    if task == "multilabel":
        loss = np.mean([sk.log_loss(test[:, i], probs[i], labels=[0, 1]) for i in range(num_classes)])
    else:
        loss = sk.log_loss(test, probs, labels=range(num_classes))
    assert baseline["loss"] == pytest.approx(loss, abs=1e-6)


def test_the_majority_baseline_stays_finite_for_a_class_that_training_never_had():
    spec = DataSpec(1, False, "multiclass", ("a", "b", "c"), (4, 6, 0), 10)
    baseline = majority_baseline(spec, torch.tensor([0, 1, 2]), ClassificationLoss(spec))
    assert baseline["loss"] == pytest.approx(-(math.log(0.4) + math.log(0.6) + math.log(1e-7)) / 3, rel=1e-4)
    assert baseline["acc"] == pytest.approx(1 / 3)
