"""Test accuracy on real data sets, defaults and file paths only, beside what else people would use."""

from __future__ import annotations

import math
from collections.abc import Iterator

from benchmarks import contestants, sets
from benchmarks.contest import Case
from benchmarks.report import BLANK, Summaries, Summary, accuracy, outcome, paragraph, seconds, table
from benchmarks.suites import Options, Skipped, Suite

SVM, CHARACTERS, LOGISTIC = "LinearSVC", "LinearSVC, characters", "logistic regression"
TUNED = f"{contestants.FASTTEXT}, tuned"
COLUMNS = (contestants.OURS, contestants.FASTTEXT, TUNED, SVM, CHARACTERS, LOGISTIC)
NOTE = f"""\
{contestants.OURS}: defaults, paths and names of columns; a ninth of the training rows, or the set's own validation
part, is for choosing the epoch. Peers train on all rows but the set's own validation and test parts.
{contestants.FASTTEXT}: its defaults; tuned: `wordNgrams=2 lr=0.5 epoch=25` (surnames: `minn=1 maxn=5` in place of
bigrams; cooking: `lr=1`); on words in lower case. LinearSVC and logistic regression: scikit-learn's, on tf-idf of words
and bigrams (`min_df=2`), or of characters (`char_wb`, 1 to 5), sublinear; Adult: on one-hot categories and scaled
numbers; cooking: one classifier a label (logistic: liblinear), and P@1 in place of accuracy."""


def cases(options: Options) -> Iterator[Case]:
    """Compare on each set."""
    if options.data is None:
        raise Skipped("it needs --data FOLDER")
    for one in sets.TEXT_SETS:
        if one.name in options.sets and _is_there(options, one.name):
            files = one.prepare(options.data, options.work)
            yield Case(
                one.title,
                (
                    contestants.ours(one.settings(options.data, files), one.metric),
                    contestants.fasttext(contestants.FASTTEXT, files, contestants.DEFAULTS),
                    contestants.fasttext(TUNED, files, {**contestants.DEFAULTS, **one.tuned}),
                    contestants.tfidf(SVM, files, "words", "svm"),
                    contestants.tfidf(CHARACTERS, files, "characters", "svm"),
                    contestants.tfidf(LOGISTIC, files, "words", "logistic"),
                ),
            )
    if sets.ADULT in options.sets and _is_there(options, sets.ADULT):
        folder = options.data / sets.ADULT
        paths = [contestants.setting(f"data.{split}", folder / f"{split}.csv") for split in ("train", "test")]
        yield Case(
            "Adult",
            (
                contestants.ours(["data=table", *paths, "data.label_column=income"]),
                contestants.one_hot(SVM, folder, "income", "svm"),
                contestants.one_hot(LOGISTIC, folder, "income", "logistic"),
            ),
        )


def _is_there(options: Options, name: str) -> bool:
    try:
        options.folder(name)
    except Skipped as reason:
        options.warn(f"accuracy: {reason}: left out")
        return False
    return True


def tables(found: Summaries) -> str:
    """Return a table of accuracies and one of wall times, a row for each set."""
    titles = [*(one.title for one in sets.TEXT_SETS), "Adult"]
    found = dict(sorted(found.items(), key=lambda item: titles.index(item[0])))
    accuracies = [
        [case, *(outcome(ones.get(name), _accuracy(ones.get(name))) for name in COLUMNS), _lead(ones)]
        for case, ones in found.items()
    ]
    times = [[case, *(_wall(ones.get(name)) for name in COLUMNS)] for case, ones in found.items()]
    return "\n\n".join(
        [
            table(["test accuracy", *COLUMNS, f"{contestants.OURS} - best peer"], accuracies),
            table(["wall time", *COLUMNS], times),
            paragraph(NOTE),
        ]
    )


def _accuracy(one: Summary | None) -> str:
    return BLANK if one is None else accuracy(one["accuracy"])


def _wall(one: Summary | None) -> str:
    return BLANK if one is None else seconds(one.wall)


def _lead(ones: dict[str, Summary]) -> str:
    """Return our accuracy less that of the best peer."""
    own = ones[contestants.OURS]["accuracy"] if contestants.OURS in ones else math.nan
    peers = [one["accuracy"] for name, one in ones.items() if name != contestants.OURS and not one.failed]
    return f"{own - max(peers):+.4f}" if peers and math.isfinite(own) else BLANK


SUITE = Suite("test accuracy on the real data sets, beside five peers", cases, tables)
