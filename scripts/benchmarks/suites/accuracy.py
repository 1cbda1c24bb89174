"""Test accuracy on real data sets, defaults and file paths only, beside what else people would use."""

from __future__ import annotations

import math
from collections.abc import Iterator

from benchmarks import contestants, sets
from benchmarks.contest import Case
from benchmarks.report import BLANK, Summaries, Summary, mean, outcome, paragraph, seconds, table
from benchmarks.suites import Options, Skipped, Suite

SVM, CHARACTERS, LOGISTIC = "LinearSVC", "LinearSVC, characters", "logistic regression"
TUNED = f"{contestants.FASTTEXT}, tuned"
OF_WORDS = (contestants.FASTTEXT, SVM, LOGISTIC)  # alone, which texts without spaces have none of
BOOSTING, REALMLP, TABM = "HistGradientBoosting", "RealMLP (pytabkit)", "TabM (pytabkit)"
TABLE_MODELS = ((BOOSTING, "boosting"), (REALMLP, "realmlp"), (TABM, "tabm"))
TABLE_COLUMNS = (contestants.OURS, BOOSTING, REALMLP, TABM, SVM, LOGISTIC)
COLUMNS = (contestants.OURS, contestants.FASTTEXT, TUNED, SVM, CHARACTERS, LOGISTIC)
NOTE = f"""\
{contestants.OURS}: defaults, paths and names of columns; a ninth of the training rows, which are learnt in the end, or
the set's own validation part, is for choosing the epoch. Peers train on all rows but the set's own validation and test
parts. {contestants.FASTTEXT}: its defaults; tuned: `wordNgrams=2 lr=0.5 epoch=25` (surnames and Chinese titles:
`minn=1 maxn=5` in place of bigrams; cooking: `lr=1`); on words in lower case. LinearSVC and logistic regression:
scikit-learn's, on tf-idf of words and bigrams (`min_df=2`), or of characters (`char_wb`, 1 to 5), sublinear; cooking:
one classifier a label (logistic: liblinear), and P@1 in place of accuracy."""
TABLE_NOTE = f"""\
Defaults of all. Where there are several turns, each has a seed of its own: mean and standard deviation. {BOOSTING} is
scikit-learn's, with categories told; RealMLP and TabM choose their epoch on a fifth of the training rows; LinearSVC and
logistic regression are on one-hot categories and scaled numbers. In rows of RMSE lower is better."""


def cases(options: Options) -> Iterator[Case]:
    """Compare on each set."""
    if options.data is None:
        raise Skipped("it needs --data FOLDER")
    for one in sets.TEXT_SETS:
        if one.name in options.sets and _is_there(options, one.name):
            files = one.prepare(options.data, options.work)
            every = (
                contestants.ours(one.settings(options.data, files), one.metric),
                contestants.fasttext(contestants.FASTTEXT, files, contestants.DEFAULTS),
                contestants.fasttext(TUNED, files, {**contestants.DEFAULTS, **one.tuned}),
                contestants.tfidf(SVM, files, "words", "svm"),
                contestants.tfidf(CHARACTERS, files, "characters", "svm"),
                contestants.tfidf(LOGISTIC, files, "words", "logistic"),
            )
            yield Case(one.title, tuple(each for each in every if one.spaced or each.name not in OF_WORDS))
    for table_set in sets.TABLE_SETS:
        if table_set.folder in options.sets and _is_there(options, table_set.folder):
            folder, label, numbers = options.data / table_set.folder, table_set.label, table_set.numbers
            linear = () if numbers else ((SVM, "svm"), (LOGISTIC, "logistic"))
            yield Case(
                table_set.title,
                (
                    contestants.ours(table_set.settings(options.data), "rmse" if numbers else "acc"),
                    *(contestants.table_model(name, folder, label, model, numbers) for name, model in TABLE_MODELS),
                    *(contestants.one_hot(name, folder, label, kind) for name, kind in linear),
                ),
                least=table_set.seeds,
            )


def _is_there(options: Options, name: str) -> bool:
    try:
        options.folder(name)
    except Skipped as reason:
        options.warn(f"accuracy: {reason}: left out")
        return False
    return True


def tables(found: Summaries) -> str:
    """Return a table of accuracies and one of wall times, a row for each set: first those of texts, then tables."""
    kinds = ((sets.TEXT_SETS, COLUMNS, NOTE), (sets.TABLE_SETS, TABLE_COLUMNS, TABLE_NOTE))
    every = [(_of(found, [one.title for one in some]), columns, note) for some, columns, note in kinds]
    return "\n\n".join(f"{_tables(ones, columns)}\n\n{paragraph(note)}" for ones, columns, note in every if ones)


def _of(found: Summaries, titles: list[str]) -> Summaries:
    return {title: found[title] for title in titles if title in found}


def _tables(every: Summaries, columns: tuple[str, ...]) -> str:
    accuracies = [
        [case, *(outcome(ones.get(name), _accuracy(ones.get(name))) for name in columns), _lead(case, ones)]
        for case, ones in every.items()
    ]
    times = [[case, *(_wall(ones.get(name)) for name in columns)] for case, ones in every.items()]
    header = ["test accuracy", *columns, f"{contestants.OURS} - best peer"]
    return "\n\n".join([table(header, accuracies), table(["wall time", *columns], times)])


def _accuracy(one: Summary | None) -> str:
    return BLANK if one is None else mean(one)


def _wall(one: Summary | None) -> str:
    return BLANK if one is None else seconds(one.wall)


def _lead(case: str, ones: dict[str, Summary]) -> str:
    """Return our accuracy less that of the best peer, of numbers our RMSE less the lowest one."""
    best = min if case.endswith("RMSE") else max
    own = ones[contestants.OURS].mean if contestants.OURS in ones else math.nan
    peers = [one.mean for name, one in ones.items() if name != contestants.OURS and not one.failed]
    return f"{own - best(peers):+.4f}" if peers and math.isfinite(own) else BLANK


SUITE = Suite("test accuracy on the real data sets, beside the peers of each", cases, tables)
