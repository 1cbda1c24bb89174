"""What there is to draw, of ordinary runs and of degenerate ones."""

from __future__ import annotations

import torch

from perceptron.models import Perceptron
from rosenblatt.data.points import PointEncoder
from rosenblatt.show.influence import Influence
from rosenblatt.show.scenes.classes import confusions_of, influence_bars
from rosenblatt.show.scenes.curves import learning_curves
from rosenblatt.show.scenes.every import scenes_of
from rosenblatt.show.scenes.view import View, short_name
from views import line, spec_of, view_of


def test_one_row_and_one_class_have_no_ranking_and_say_so():
    scenes = dict(scenes_of(view_of(line(), spec_of("binary", 2), torch.ones(1, 2), torch.tensor([1]))))
    assert scenes["roc"] == scenes["precision_recall"] == "no class has both rows that are of it and rows that are not"
    assert scenes["confusion"].counts.tolist() == [[0, 0], [0, 1]]
    assert scenes["reliability"].num_rows.sum() == 1
    assert scenes["boundary"].points.tolist() == [[1, 1]]


def test_probabilities_that_are_no_numbers_are_told():
    view = View(line(), spec_of("binary", 2), "test", "epoch 1", torch.ones(2, 2), torch.tensor([0, 1]),
                torch.tensor([[float("nan")], [1.0]]))  # fmt: skip
    scenes = dict(scenes_of(view))
    assert scenes["roc"] == scenes["reliability"] == "some probabilities are no numbers"
    assert scenes["confusion"].counts.sum() == 2


def of_counts(counts, spec):
    target = torch.arange(len(counts)).repeat_interleave(counts.sum(dim=1))
    return View(
        line(), spec, "val", "epoch 3", torch.zeros(len(target), 2), target, torch.zeros(len(target), len(counts))
    )


def preds_of(counts):
    return torch.arange(len(counts)).repeat(len(counts)).repeat_interleave(counts.flatten())


def test_thousands_of_classes_have_no_matrix_and_say_so():
    spec = spec_of("multiclass", 4000)
    view = View(line(), spec, "val", "epoch 3", torch.zeros(1, 2), torch.zeros(1).long(), torch.zeros(1, 4000))
    assert confusions_of(view, view.target) == "a matrix of 4,000 classes would fill the memory"


def test_a_model_that_can_not_be_asked_costs_no_other_picture():
    class Odd(torch.nn.Module):
        def forward(self, features):
            raise RuntimeError("only whole batches\nof mine")

    points = torch.randn(4, 2)
    view = View(Odd(), spec_of("binary", 2), "val", "epoch 3", points, torch.tensor([0, 1, 0, 1]), points[:, :1],
                plane=PointEncoder(2).plane)  # fmt: skip
    scenes = dict(scenes_of(view))
    assert scenes["boundary"] == "it can't be made (StopIteration: )"
    assert scenes["confusion"].counts.sum() == 4


def test_many_classes_are_cut_to_the_most_confused_without_losing_a_row():
    torch.manual_seed(0)
    spec, counts = spec_of("multiclass", 40), torch.randint(0, 9, (40, 40))
    scene = confusions_of(of_counts(counts, spec), preds_of(counts))
    assert scene.counts.shape == (20, 20)
    assert scene.counts.sum() == counts.sum()
    assert scene.names[-1] == "(others)"
    assert "the 19 of 40 classes" in scene.title
    for k, name in enumerate(scene.names[:-1]):
        number = spec.classes.index(name)
        assert scene.counts[k, k] == counts[number, number]
        assert scene.counts[k].sum() == counts[number].sum()


def test_hundreds_of_labels_show_those_that_are_most_often_wrong():
    spec = spec_of("multilabel", 736)
    target, preds = torch.zeros(2, 20, 736, dtype=torch.uint8)
    target[:4, 5], preds[:7, 9] = 1, 1
    view = View(Perceptron(3, 736), spec, "val", "epoch 3", torch.zeros(20, 3), target, torch.zeros(20, 736))
    scene = confusions_of(view, preds)
    assert scene.names[-2:] == ["class 5", "class 9"]
    assert (scene.missed[-2:].tolist(), scene.invented[-2:].tolist()) == ([4, 0], [0, 7])
    assert len(scene.names) == 20
    torch.manual_seed(0)
    target = (torch.rand(30, 736) < 0.01).byte()
    view = view_of(Perceptron(3, 736), spec_of("multilabel", 736, 3), torch.randn(30, 3), target)
    scenes = dict(scenes_of(view))
    assert scenes["roc"].lines[0].label.startswith("all together (micro): 0.")
    assert len(scenes["roc"].lines) <= 7


def test_temperature_shows_both_curves_this_model_last():
    torch.manual_seed(0)
    points, target = torch.randn(200, 2), torch.randint(2, (200,))
    view = view_of(line(), spec_of("binary", 2), points, target, temperature=3.0)
    assert [one.label for one in dict(scenes_of(view))["reliability"].lines] == [
        "without temperature",
        "with temperature",
    ]


def test_learning_curves_of_one_epoch_and_of_none():
    one = learning_curves({1: {"train/loss": 0.5, "val/loss": 0.6, "val/p_at_1": 0.2}}, 1, "Learning curves")
    assert [(name, [part.label for part in lines]) for name, lines in one.panels] == [
        ("loss", ["training", "validation"]), ("precision at 1", ["validation"]),
    ]  # fmt: skip
    assert learning_curves({}, None, "Learning curves") == "no epoch was completed"


def test_influences_of_nothing_say_so_and_of_many_classes_are_cut():
    assert influence_bars([Influence("a", [], [])], "Influence", 1) == "no feature has a part in any logit"
    many = [Influence(f"class {k}", [("x" * 99, 1.0)], []) for k in range(12)]
    scene = influence_bars(many, "Influence", 30)
    assert scene.title == "Influence\nthe 6 most frequent of 30 classes"
    assert scene.panels[0] == ("logit of class 0", [("x" * 17 + "…" + "x" * 8, 1.0)])


def test_names_are_one_printable_line():
    assert short_name("a\nb\x1b[31m") == "a\\nb\\x1b[31m"
    assert short_name("") == "(empty)"
    assert short_name("abcdefghijklmnop", 10) == "abcdef…nop"
    assert short_name("\ud800\ufffe") == "\\ud800\\ufffe"
