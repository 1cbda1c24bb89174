"""The page of a run: what was run, what it has reached, what it looks like, and how to repeat it."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from rosenblatt.data.features import SPLITS, DataSpec, class_counts
from rosenblatt.show.influence import Influence
from rosenblatt.show.report.page import Picture, page
from rosenblatt.show.scenes.view import short_name
from rosenblatt.show.tables import cut, words
from rosenblatt.tasks.titles import SPLIT_TITLES, TITLES, interval, shown

TEMPLATE = "run.html"
MAX_CLASSES = 40  # in the table of data
LONGEST = 400  # characters of a row
NAME = 60  # letters of a name
MAIN = ("acc", "p_at_1", "f1", "auroc", "loss")  # what the page begins with

CAPTIONS = {
    "learning_curves": "Loss and accuracy after each epoch. Where validation turns, it begins to learn by heart.",
    "boundary": "Each marker is a class, filled ones are wrong. The thick line is the threshold; thin ones are where "
    "the second class has a probability of 0.3, 0.4, 0.5.",
    "hidden_layer": "The same rows as the last hidden layer sees them: here a straight line has to part the classes.",
    "confusion": "Rows are true classes, columns predicted ones; darker is a larger share of the true class.",
    "roc": "Share of the rows of a class that are found, against the share of others that are taken for it.",
    "precision_recall": "Share of the found rows that are right, against the share of right rows that are found.",
    "reliability": "On the dotted line, of ten predictions with probability 0.8 eight are true.",
    "influence": "To the right (blue): more of it speaks for the class; to the left (orange): against it. Size: its "
    "part in the logit, in the mean of the first 2,000 rows.",
}
OF_LABELS = {
    "confusion": "Rows that have a label and were not given it, and rows that were given it and do not have it.",
}


def run_page(
    *,
    name: str,
    lead: str,
    spec: DataSpec,
    targets: Mapping[str, Tensor],
    metrics: Mapping[str, Any],
    notes: Sequence[str],
    pictures: Sequence[Picture],
    influences: Sequence[Influence],
    mistakes: Sequence[Mapping[str, Any]],
    no_mistakes: str,
    settings: Mapping[str, Any],
    environment: Mapping[str, Any],
    overrides: Sequence[str],
) -> str:
    """Return ``report.html`` of a run.

    Args:
        name: of the run.
        lead: what it is, in a sentence.
        spec: task and classes.
        targets: of each split, (N,) or (N, num_labels).
        metrics: flat, as in ``metrics.json``.
        notes: what else there is to say of the metrics.
        pictures: of the run.
        influences: of each class.
        mistakes: see `rosenblatt.saved.mistakes.shown_mistakes`.
        no_mistakes: what to say where there are none.
        settings: flat.
        environment: as in ``environment.json``.
        overrides: the words of the command.
    """
    splits = [split for split in SPLITS if f"{split}/loss" in metrics]
    last = splits[-1]
    facts = [
        (f"{shown(metrics[f'{last}/{one}'])}", f"{TITLES[one]} on {last}")
        for one in MAIN
        if math.isfinite(metrics.get(f"{last}/{one}", math.nan))
    ]
    facts += [
        (f"{metrics['best_epoch']} of {metrics['epochs']}", "best epoch"),
        (f"{metrics['seconds_training']:.1f} s", "training"),
    ]
    rows = [["rows", *(f"{len(targets[split]):,}" for split in splits), "", f"on {last}"]]
    for one, title in TITLES.items():
        if f"{last}/{one}" in metrics:
            figures = [shown(metrics.get(f"{split}/{one}")) for split in splits]
            baseline = shown(metrics.get(f"{last}/baseline_{one}"))
            rows.append([title, *figures, interval(metrics, f"{last}/{one}"), baseline])
    commit = environment.get("git_commit")
    dirty = "  # and what was changed since: it was not committed" if environment.get("git_dirty") else ""
    commands = [*([f"git checkout {commit}{dirty}"] if commit else []), shlex.join(["python", "train.py", *overrides])]
    return page(
        TEMPLATE,
        title=f"Run {name}",
        lead=lead,
        when=f"Started {environment.get('started', 'at an unknown time')}.",
        interrupted=bool(metrics.get("interrupted")),
        facts=facts,
        metrics={
            "header": ["", *(SPLIT_TITLES[split] for split in splits), "95 %", "majority"],
            "rows": rows,
            "note": f"95 %: where the figure would be on other rows like those of {last}, with the same model "
            "(accuracy: Wilson's interval; others: bootstrap). Majority: always saying the most frequent class.",
        },
        notes=notes,
        data=_counts(spec, targets),
        figures=pictures,
        influences=[{"name": _asked(one, spec), "rows": _side_by_side(one)} for one in influences],
        influence_note="Part in the logit"
        + (" (in how far it is above the mean of all classes)" if spec.task == "multiclass" else "")
        + f", in the mean of the first 2,000 rows of {last}: how much it weighs where it is, and how often "
        "it is there.",
        split=last,
        mistakes=[
            {key: short_name(words(one[key]), NAME) for key in ("row", "true", "prediction", "probability")}
            | {"content": cut(str(one["content"]), LONGEST) or "(empty)"}
            for one in mistakes
        ],
        no_mistakes=no_mistakes,
        commands=commands,
        settings=list(settings.items()),
        environment=_surroundings(environment),
    )


def _surroundings(environment: Mapping[str, Any]) -> list[tuple[str, Any]]:
    found = {key: value for key, value in environment.items() if key != "packages"} | environment.get("packages", {})
    if isinstance(found.get("command"), list):
        found["command"] = shlex.join(map(str, found["command"]))
    return [(key, "unknown" if value is None else value) for key, value in found.items()]


def _counts(spec: DataSpec, targets: Mapping[str, Tensor]) -> dict[str, Any]:
    counts = {split: class_counts(target, len(spec.classes)).tolist() for split, target in targets.items()}
    order = sorted(range(len(spec.classes)), key=lambda k: -spec.class_counts[k])
    rows = [
        [short_name(spec.classes[k], NAME), *(f"{one[k]:,}" for one in counts.values())] for k in order[:MAX_CLASSES]
    ]
    if len(order) > MAX_CLASSES:
        rest = [sum(one[k] for k in order[MAX_CLASSES:]) for one in counts.values()]
        rows.append([f"{len(order) - MAX_CLASSES:,} more", *(f"{number:,}" for number in rest)])
    rows.append(["rows", *(f"{len(target):,}" for target in targets.values())])
    note = "A row may have several labels, or none." if spec.task == "multilabel" else ""
    return {"header": ["class", *(SPLIT_TITLES[split] for split in targets)], "rows": rows, "note": note}


def _asked(one: Influence, spec: DataSpec) -> str:
    name = short_name(one.name, NAME)
    return f"{name} (against: {short_name(spec.classes[0], NAME)})" if spec.task == "binary" else name


def _side_by_side(one: Influence) -> list[list[str]]:
    num = max(len(one.in_favour), len(one.against))
    ends = [[(short_name(name, NAME), f"{part:+.4f}") for name, part in end] for end in (one.in_favour, one.against)]
    padded = [end + [("", "")] * (num - len(end)) for end in ends]
    return [[*left, *right] for left, right in zip(*padded, strict=True)]
