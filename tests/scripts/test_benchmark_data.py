"""The data of scripts/benchmark.py: made-up corpora, and real sets as files for the peers."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from conftest import ROOT
from rosenblatt.text.data import TextData

sys.path.insert(0, str(ROOT / "scripts"))

from benchmarks import sets
from benchmarks.contest import Failure
from benchmarks.contestants import OURS, metrics_of
from benchmarks.corpora import Zipf
from benchmarks.sets import TEXT_SETS, TextSet
from benchmarks.suites import Options, accuracy


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Zipf(1500).write(tmp_path_factory.mktemp("corpora"))


def read(path: Path) -> pl.DataFrame:
    return pl.read_parquet(path)


# corpora


def test_a_corpus_is_the_same_each_time_and_another_with_another_seed(tmp_path: Path) -> None:
    first, second, other = Zipf(300), Zipf(300), Zipf(300, seed=1)
    for number, one in enumerate((first, second, other)):
        one.write(tmp_path / str(number))
    texts = [read(tmp_path / str(i) / one.name / "train.parquet") for i, one in enumerate((first, second, other))]
    assert texts[0].equals(texts[1])
    assert not texts[0].equals(texts[2])
    assert first.name != other.name


def test_a_corpus_is_made_once(tmp_path: Path) -> None:
    folder = Zipf(100).write(tmp_path)
    (folder / "train.ft").write_text("mine")
    assert Zipf(100).write(tmp_path) == folder
    assert (folder / "train.ft").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]


def test_a_corpus_has_its_size_its_length_and_both_classes(corpus: Path) -> None:
    train, test = read(corpus / "train.parquet"), read(corpus / "test.parquet")
    assert (train.height, test.height) == (1500, 150)
    assert set(train["text"]).isdisjoint(test["text"])
    words = train["text"].str.split(" ")
    assert 120 < words.list.len().mean() < 140  # type: ignore[operator]
    assert words.explode().str.contains(r"^w\d+$").all()
    assert 0.4 < (train["label"] == "pos").mean() < 0.6  # type: ignore[operator]


def test_words_of_a_corpus_have_frequencies_after_zipf(corpus: Path) -> None:
    words = read(corpus / "train.parquet")["text"].str.split(" ").explode()
    counts = np.sort(words.value_counts()["count"].to_numpy())[::-1][:100]
    ranks = np.arange(1, 101)
    assert -1.25 < np.polyfit(np.log(ranks), np.log(counts), 1)[0] < -0.95
    assert 4_000 < words.n_unique() <= Zipf(1500).num_words


def test_all_files_of_a_corpus_hold_the_same_rows(corpus: Path) -> None:
    train = read(corpus / "train.parquet")
    lines = [f"__label__{label} {text}" for text, label in train.select("text", "label").iter_rows()]
    assert (corpus / "train.ft").read_text().splitlines() == lines
    signs = {"pos": "1", "neg": "-1"}
    lines = [f"{signs[label]} |w {text}" for text, label in train.select("text", "label").iter_rows()]
    assert (corpus / "train.vw").read_text().splitlines() == lines


def test_our_own_reader_takes_a_corpus(corpus: Path) -> None:
    data = TextData(train=str(corpus / "train.parquet"), test=str(corpus / "test.parquet"))
    data.setup()
    assert data.task.classes == ("neg", "pos")
    assert data.splits["test"][1].shape[0] == 150


def test_a_linear_model_can_tell_the_classes(corpus: Path) -> None:
    pytest.importorskip("sklearn")
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.naive_bayes import MultinomialNB

    train, test = read(corpus / "train.parquet"), read(corpus / "test.parquet")
    vectorizer = CountVectorizer(ngram_range=(1, 2))
    model = MultinomialNB().fit(vectorizer.fit_transform(train["text"].to_list()), train["label"].to_list())
    assert 0.7 < model.score(vectorizer.transform(test["text"].to_list()), test["label"].to_list()) < 0.99


# real sets


def named(name: str) -> TextSet:
    return next(one for one in TEXT_SETS if one.name == name)


def test_a_set_becomes_files_for_the_peers(tmp_path: Path) -> None:
    (tmp_path / "sst2").mkdir()
    for split in ("train", "test"):
        (tmp_path / "sst2" / f"{split}.csv").write_text('label,text\n1,"Good: it\'s <br /> fine"\n0,Bad|worse\n')
    made = named("sst2").prepare(tmp_path, tmp_path / "work")
    assert (made / "test.ft").read_text() == "__label__1 good : it's <br /> fine\n__label__0 bad | worse\n"
    assert (made / "test.vw").read_text() == "1 |w good COLON it's <br /> fine\n-1 |w bad PIPE worse\n"
    assert read(made / "test.parquet")["labels"].to_list() == [["1"], ["0"]]
    assert named("sst2").settings(tmp_path, made)[1] == f"data.train='{tmp_path}/sst2/train.csv'"


def test_sets_with_files_of_their_own_form_are_divided(tmp_path: Path) -> None:
    for name in ("surnames", "cooking", "sentiment_sentences"):
        (tmp_path / name).mkdir()
    lines = [f"__label__a __label__b{i % 3} how much {i}" for i in range(15_404)]
    (tmp_path / "cooking" / "cooking.stackexchange.txt").write_text("\n".join(lines) + "\n")
    rows = [f"{'Dutch' if i % 2 else 'Old French'},{['train', 'test', 'val'][i % 3]},name{i}" for i in range(12)]
    (tmp_path / "surnames" / "surnames_with_splits.csv").write_text("\n".join(["nationality,split,surname", *rows]))
    for source in ("amazon", "yelp"):
        sentences = [f'{source} "quoted" number\x85 {i}\t{i % 2}\n' for i in range(20)]
        (tmp_path / "sentiment_sentences" / f"{source}_labelled.txt").write_text("".join(sentences), encoding="utf-8")
    made = named("cooking").prepare(tmp_path, tmp_path / "work")
    assert len((made / "train.txt").read_text().splitlines()) == 12_404
    assert (made / "test.ft").read_text().startswith("__label__a __label__b")
    assert not (made / "test.vw").exists()
    made = named("surnames").prepare(tmp_path, tmp_path / "work")
    assert "__label__Old_French name4\n" in (made / "test.ft").read_text()
    made = named("sentiment_sentences").prepare(tmp_path, tmp_path / "work")
    train = pl.read_csv(made / "train.csv")
    assert (train.height, pl.read_csv(made / "test.csv").height) == (32, 8)
    assert train["text"].str.contains("amazon").sum() == 16
    before = (made / "test.csv").read_bytes()
    assert (named("sentiment_sentences").prepare(tmp_path, tmp_path / "again") / "test.csv").read_bytes() == before


@pytest.mark.parametrize("name", ["imdb", "20ng", "banking", "yelp10k", "zh_titles", "mpqa"])
def test_sets_in_parquet_are_read_as_they_are(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    frame = pl.DataFrame({"label": ["comp.os", "two words", "comp.os"], "text": ["Good:\nfine", "体验2D巅峰!", "bad"]})
    for split in ("train", "test"):
        frame.write_parquet(tmp_path / name / f"{split}.parquet")
    made = named(name).prepare(tmp_path, tmp_path / "work")
    lines = ["__label__comp.os good : fine", "__label__two_words 体验2d巅峰 !", "__label__comp.os bad"]
    assert (made / "test.ft").read_text(encoding="utf-8").splitlines() == lines
    paths = [f"data.{split}='{tmp_path}/{name}/{split}.parquet'" for split in ("train", "test")]
    assert named(name).settings(tmp_path, made) == ["data=text", *paths]


def test_peers_of_words_take_no_part_where_words_have_no_spaces_between(tmp_path: Path) -> None:
    for name in ("banking", "zh_titles"):
        (tmp_path / name).mkdir()
        for split in ("train", "test"):
            pl.DataFrame({"label": ["a", "b"], "text": ["c d", "e"]}).write_parquet(
                tmp_path / name / f"{split}.parquet"
            )
    options = Options(tmp_path, tmp_path / "work", ("banking", "zh_titles"), None, print)
    words, characters = accuracy.cases(options)
    assert [one.name for one in words.contestants] == list(accuracy.COLUMNS)
    assert [one.name for one in characters.contestants] == [OURS, accuracy.TUNED, accuracy.CHARACTERS]
    assert '"minn": 1' in " ".join(characters.contestants[1].command)


def test_every_set_has_a_name_for_the_command_line() -> None:
    texts = ("imdb", "sst2", "trec", "surnames", "cooking", "sentiment_sentences")
    texts += ("20ng", "banking", "yelp10k", "zh_titles", "mpqa")
    assert list(sets.NAMES) == [*texts, "adult", "letter", "covertype6k", "wine_white", "car"]


def test_each_turn_of_a_table_has_a_seed_of_its_own(tmp_path: Path) -> None:
    wine = next(one for one in sets.TABLE_SETS if one.numbers)
    paths = [f"data.{split}='{tmp_path}/wine_white/{split}.csv'" for split in ("train", "test")]
    expected = ["data=table", *paths, "data.label_column=quality", "task=regression", "seed={turn}"]
    assert (wine.settings(tmp_path), wine.seeds) == (expected, 3)


def test_figures_come_from_the_run_folder(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    with pytest.raises(Failure, match="it left no metrics"):
        metrics_of(path, "acc")
    path.write_text(json.dumps({"test/acc": 0.9, "test/auroc": None, "seconds": 3.5, "epochs": 4, "val/loss": 1}))
    assert metrics_of(path, "acc") == {"accuracy": 0.9, "seconds": 3.5, "seconds_own": 3.5, "epochs": 4}
    with pytest.raises(Failure, match=r"metrics\.json has no seconds_encoding"):
        metrics_of(path, "acc", ["seconds_encoding"])
