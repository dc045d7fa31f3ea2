"""Static matrices from every layer: the means of what words are in their contexts, and the table below them."""

import importlib.util
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import firth
from firth import FirthError, UsageError, reduction
from firth.progress import Lines, Silent
from firth.reduction import Moments, _compacted, matrices, words_in, write
from firth.segmentation import Segmentation

TEXT = ["The cat sat on the mat.", "A dog, and the cat!", "the mat of a DOG", "On a mat the dog sat"] * 6
WORDS = {"the", "cat", "sat", "on", "mat", "a", "dog", "and", "of"}
needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed")


class Said(Silent):
    """A progress that remembers what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


def family_of(kind: str, **changes: Any) -> Any:
    if kind == "elmo":
        sizes = {"dim": 16, "cell_dim": 32, "character_dim": 4, "filters": ((1, 4), (2, 8)), "n_highway": 1}
        return firth.ELMo(**sizes, max_characters=12, min_count=1, **changes)
    sizes = {"dim": 16, "n_layers": 2, "n_heads": 2, "n_positions": 24, "context_length": 24} | changes
    if kind == "bert":
        return firth.BERT(**sizes)
    return firth.GPT(**sizes, norm="pre" if kind == "gpt2" else "post")


def made(kind: str, **changes: Any) -> Any:
    """A model that has learnt nothing, whose weights are large enough for every part to matter."""
    import torch

    from firth.model import Model, Words
    from firth.pieces import train_pieces
    from firth.vocabulary import Vocabulary

    family = family_of(kind, **changes)
    tokens: Any
    if kind == "elmo":
        vocabulary = Vocabulary(["<S>", "</S>", "<UNK>", *sorted(WORDS)], np.ones(3 + len(WORDS)))
        tokens = Words(vocabulary, Segmentation(method="words"))
        network = family.network(len(vocabulary), 1)
    else:
        names: Any = {"bert": "wordpiece", "gpt": "bpe", "gpt2": "byte_bpe"}
        tokens = train_pieces(TEXT, names[kind], size=300, cased=kind == "gpt2", seed=1)
        network = family.network(tokens.n_entries, 1)
    generator = torch.Generator().manual_seed(1)
    for parameter in network.parameters():
        parameter.data = 0.3 * torch.randn(parameter.shape, generator=generator)
    return Model(family, tokens, network.eval(), {})


@pytest.fixture(scope="module")
def models() -> dict[str, Any]:
    pytest.importorskip("torch")
    return {kind: made(kind) for kind in ("bert", "gpt", "gpt2", "elmo")}


@pytest.fixture(params=["bert", "gpt", "gpt2", "elmo"])
def model(request: pytest.FixtureRequest, models: dict[str, Any]) -> Any:
    return models[request.param]


# --- means and spreads


@settings(deadline=None, max_examples=50)
@given(st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=9), min_size=1, max_size=6), st.integers(0, 9))
def test_moments_are_those_of_all_vectors_at_once(batches: list[list[int]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    moments = Moments(2, 5, 3)
    rows = np.concatenate([np.array(batch) for batch in batches])
    vectors = (rng.normal(size=(2, len(rows), 3)) + 100).astype(np.float32)  # far from zero
    first = 0
    for batch in batches:
        moments.add(vectors[:, first : first + len(batch)], np.array(batch))
        first += len(batch)
    variance = moments.variance()
    for row in range(5):
        of_row = vectors[:, rows == row].astype(np.float64)
        n = of_row.shape[1]
        assert moments.n[row] == n
        if n:
            np.testing.assert_allclose(moments.mean[:, row], of_row.mean(1), rtol=1e-5)
        if n > 1:
            np.testing.assert_allclose(variance[:, row], of_row.var(1, ddof=1).sum(1), rtol=1e-3)
        else:
            assert np.isnan(variance[:, row]).all()


# --- matrices


def in_contexts(model: Any, text: list[str], word: str) -> Any:
    """(contexts, layer, dim): every vector that `extract` gives a word, in whatever case it stands."""
    found = [
        sentence.array[:, place]
        for sentence in firth.extract(model, text, threads=1)
        for place, other in enumerate(sentence.words)
        if other == word or (word == other.lower() and model.family.name != "gpt2" and not is_cased(model))
    ]
    return np.stack(found)


def is_cased(model: Any) -> bool:
    return model.family.name == "gpt" and model.family.norm == "pre"


def test_layers_are_means_over_contexts_and_the_table_below(model: Any) -> None:
    vectors = matrices(model, TEXT, threads=1)
    n_layers = model.family.n_layers + 1
    assert vectors.array.shape == (n_layers, len(vectors), 16)
    assert vectors.array.dtype == np.float32
    assert {word.lower() for word in vectors.words} == WORDS
    for word in ("the", "mat", "sat"):
        row = vectors.row(word)
        contexts = in_contexts(model, TEXT, word)
        assert vectors.contexts is not None
        assert vectors.variance is not None
        assert vectors.counts is not None
        assert vectors.contexts[row] == vectors.counts[row] == len(contexts)
        np.testing.assert_allclose(vectors.array[1:, row], contexts.mean(0)[1:], rtol=0, atol=1e-5)
        spread = contexts.var(0, ddof=1).sum(1)
        np.testing.assert_allclose(vectors.variance[1:, row], spread[1:], rtol=1e-3)
        assert vectors.variance[0, row] == 0
        np.testing.assert_allclose(vectors.array[0, row], of_table(model, word), rtol=0, atol=1e-6)


def of_table(model: Any, word: str) -> Any:
    if model.family.name == "elmo":
        return model.table()[model.vocabulary.row(word)]
    return model.table()[model.pieces.encode([f" {word}"])[0]].mean(0)


def test_case_is_folded_where_the_model_reads_it_so(models: dict[str, Any]) -> None:
    assert "The" not in matrices(models["bert"], TEXT, threads=1).words
    assert {"The", "the", "DOG"} < set(matrices(models["gpt2"], TEXT, threads=1).words)
    vectors = matrices(models["bert"], TEXT, threads=1)
    np.testing.assert_array_equal(vectors["The"], vectors["the"])


@needs_torch
@pytest.mark.parametrize(("kind", "n_layers", "n_matrices"), [("bert", 12, 13), ("gpt", 12, 13), ("elmo", 2, 3)])
def test_a_model_of_the_papers_shape_gives_the_papers_number(kind: str, n_layers: int, n_matrices: int) -> None:
    """BERT-Base and GPT-1 have 12 layers, ELMo has 2; matrices 0 to n."""
    vectors = matrices(made(kind, n_layers=n_layers), TEXT, top=3, max_contexts=2, threads=1)
    assert vectors.n_layers == n_matrices
    assert vectors.provenance["layers"] == list(range(n_matrices))


def test_static_vectors_give_what_they_have() -> None:
    static = firth.Vectors(["a", "b", "c"], [[1, 0], [0, 1], [1, 1]], segmentation=Segmentation(method="space"))
    said = Said()
    vectors = matrices(static, ["c b", "b d"], progress=said)
    assert vectors.words == ["b", "c"]
    assert vectors.array.tolist() == [[[0, 1], [1, 1]]]
    assert vectors.counts is not None
    assert vectors.counts.tolist() == [2, 1]
    assert vectors.contexts is None
    assert said.lines == ["1 of 3 words are left out, since no context was read that the model knows them in: d"]


def test_at_most_so_many_contexts_decided_by_the_seed(models: dict[str, Any]) -> None:
    first, again, other = (matrices(models["bert"], TEXT, max_contexts=3, seed=seed, threads=1) for seed in (1, 1, 2))
    assert first.contexts is not None
    assert first.contexts.max() == 3
    np.testing.assert_array_equal(first.array, again.array)
    np.testing.assert_array_equal(first.array[0], other.array[0])
    assert not np.allclose(first.array[1:], other.array[1:])


def test_the_most_frequent_or_the_words_that_are_named(models: dict[str, Any]) -> None:
    top = matrices(models["bert"], TEXT, top=2, threads=1)
    assert top.words[0] == "the"
    assert len(top) == 2
    said = Said()
    named = matrices(models["bert"], TEXT, words=["Dog", "dog", "never", "mat"], threads=1, progress=said)
    assert sorted(named.words) == ["dog", "mat"]
    assert any("1 of 3 words are left out" in line and "never" in line for line in said.lines)
    with pytest.raises(FirthError, match="none of the words that were named is in the text"):
        matrices(models["bert"], TEXT, words=["never"], threads=1)
    with pytest.raises(FirthError, match="no words in the text"):
        matrices(models["bert"], ["", "..."], threads=1)


def test_layers_may_be_chosen(models: dict[str, Any]) -> None:
    every = matrices(models["bert"], TEXT, threads=1)
    some = matrices(models["bert"], TEXT, layers="2,0", threads=1)
    np.testing.assert_array_equal(some.array, every.array[[2, 0]])
    assert some.provenance["layers"] == [2, 0]
    last = matrices(models["bert"], TEXT, layers="last", threads=1)
    np.testing.assert_allclose(last.array, every.array[2:], rtol=0, atol=1e-6)
    table = matrices(models["bert"], TEXT, layers=0, threads=1)
    np.testing.assert_array_equal(table.array, every.array[:1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"layers": "3"}, r"layer 3 asked of a bert model, which has 3 \(layers 0 to 2\)"),
        ({"layers": "mean:all"}, "a matrix is made of each"),
        ({"top": 0}, "top is 0"),
        ({"max_contexts": 0}, "max_contexts is 0"),
        ({"minutes": 0}, "minutes is 0"),
        ({"words": []}, "it is empty"),
        ({"words": [" "]}, "holds nothing to make a vector of"),
        ({"pool": "cls"}, "pool is 'cls'"),
    ],
)
def test_what_cannot_be_asked_is_told(models: dict[str, Any], arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        matrices(models["bert"], TEXT, **arguments)


def test_time_that_does_not_suffice_gives_what_there_is(models: dict[str, Any], monkeypatch: Any) -> None:
    vectors = matrices(models["bert"], TEXT * 50, minutes=1e-9, threads=1)
    assert vectors.contexts is not None
    assert 0 < vectors.contexts.sum() < 5 * len(WORDS)


def test_a_word_that_the_model_does_not_know_is_left_out(models: dict[str, Any]) -> None:
    said = Said()
    vectors = matrices(models["bert"], [*TEXT, "the ☃ cat", "猫 the"], segmentation="space", threads=1, progress=said)
    assert "☃" not in vectors
    assert "cat" in vectors
    assert not np.isnan(vectors.array).any()
    assert any("left out" in line and "☃" in line for line in said.lines)


def test_long_lines_are_read_in_windows_around_the_words(models: dict[str, Any]) -> None:
    """A line of many windows gives every occurrence what `extract` gives it."""
    line = " ".join(["the cat sat on a mat of the dog and"] * 30)
    vectors = matrices(models["bert"], [line], threads=1)
    contexts = in_contexts(models["bert"], [line], "cat")
    np.testing.assert_allclose(vectors.array[1:, vectors.row("cat")], contexts.mean(0)[1:], rtol=0, atol=1e-5)
    few = matrices(models["bert"], [line], words=["cat"], max_contexts=1, threads=1)
    distances = np.abs(contexts[:, 1:] - few.array[1:, 0]).max((1, 2))
    assert distances.min() < 1e-5


# --- files


def test_a_directory_holds_them_and_a_file_for_each_layer(models: dict[str, Any], tmp_path: Path) -> None:
    vectors = matrices(models["bert"], TEXT, layers="0,2", output=tmp_path / "out", threads=1)
    loaded = firth.Vectors.load(tmp_path / "out")
    assert loaded.words == vectors.words
    for name in ("array", "contexts", "variance", "counts"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(vectors, name))
    assert loaded.segmentation == vectors.segmentation
    assert loaded.provenance["matrices"] == vectors.provenance["matrices"]
    assert loaded.layer_numbers == [0, 2]
    assert loaded.layer(2).variance.tolist() == vectors.variance[1:].tolist()
    with pytest.raises(UsageError, match=r"layer 1 asked of a BERT model, which has 2 \(layers 0 and 2\)"):
        loaded.layer(1)
    assert sorted(path.name for path in (tmp_path / "out" / "layers").iterdir()) == ["0.bin", "2.bin"]
    for place, name in enumerate(("0.bin", "2.bin")):
        one = firth.Vectors.load(tmp_path / "out" / "layers" / name)
        assert one.words == vectors.words
        np.testing.assert_array_equal(one.matrix, vectors.array[place])
    with pytest.raises(UsageError, match="exists"):
        matrices(models["bert"], TEXT, output=tmp_path / "out")
    matrices(models["bert"], TEXT, layers=1, output=tmp_path / "out", overwrite=True, threads=1)
    assert [path.name for path in (tmp_path / "out" / "layers").iterdir()] == ["1.bin"]


def test_gensim_opens_a_layers_file(models: dict[str, Any], tmp_path: Path) -> None:
    models_of_gensim = pytest.importorskip("gensim.models")
    vectors = matrices(models["gpt"], TEXT, output=tmp_path / "out", threads=1)
    theirs = models_of_gensim.KeyedVectors.load_word2vec_format(tmp_path / "out" / "layers" / "1.bin", binary=True)
    np.testing.assert_array_equal(theirs["cat"], vectors.layer(1)["cat"])


def test_a_model_keeps_its_matrices(models: dict[str, Any], tmp_path: Path) -> None:
    model = models["bert"]
    model.save(tmp_path / "model")
    for without in (lambda: firth.load(tmp_path / "model").vectors, lambda: firth.Vectors.load(tmp_path / "model")):
        with pytest.raises(FirthError, match=r"firth matrices .* --corpus CORPUS"):
            without()
    model = firth.load(tmp_path / "model")
    model.matrices = matrices(model, TEXT, threads=1)
    model.save(tmp_path / "model", overwrite=True)
    for vectors in (firth.load(tmp_path / "model").vectors, firth.Vectors.load(tmp_path / "model")):
        np.testing.assert_array_equal(vectors.array, model.vectors.array)


def test_words_are_read_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("\ufeffcat\t17\n\n dog \ncat\nNew York\n", encoding="utf-8")
    assert words_in(tmp_path / "words.txt") == ["cat", "dog", "New York"]
    (tmp_path / "empty.txt").write_text("\n\t\n", encoding="utf-8")
    with pytest.raises(FirthError, match="holds no words"):
        words_in(tmp_path / "empty.txt")
    with pytest.raises(FirthError, match="cannot be read"):
        words_in(tmp_path / "missing.txt")


# --- at the end of a training


@pytest.fixture(params=["bert", "gpt2", "elmo"])
def family(request: pytest.FixtureRequest) -> Any:
    pytest.importorskip("torch")
    made = family_of(request.param, batch_size=4)
    return made if request.param == "elmo" else replace(made, vocabulary_size=300)


def trained(family: Any, corpus: Any = TEXT, **changes: Any) -> Any:
    return firth.train(family, corpus, **({"tokens": 2_000, "threads": 1} | changes))


def test_training_ends_with_them(family: Any, tmp_path: Path) -> None:
    said = Said()
    model = trained(family, output=tmp_path / "model", progress=said)
    assert model.vectors.n_layers == family.n_layers + 1
    assert {word.lower() for word in model.vectors.words if word.isalpha()} == WORDS  # ELMo has marks, too
    assert model.vectors.contexts.max() == 20
    assert any(f"a matrix for each of {family.n_layers + 1} layers" in line for line in said.lines)
    told = json.loads((tmp_path / "model" / "firth.json").read_bytes())
    assert told["prepared"]["matrices_seconds"] == model.record["prepared"]["matrices_seconds"]


def test_they_may_be_left_out(family: Any, tmp_path: Path) -> None:
    model = trained(family, output=tmp_path / "model", matrices=False)
    assert not (tmp_path / "model" / "matrices").exists()
    assert "matrices_seconds" not in model.record["prepared"]
    with pytest.raises(FirthError, match="firth matrices MODEL --corpus CORPUS"):
        _ = model.vectors


@pytest.mark.parametrize(
    "trouble", [KeyboardInterrupt(), FirthError("the disk is full"), RuntimeError("CUDA out of memory")]
)
def test_the_model_is_whole_without_them(family: Any, tmp_path: Path, monkeypatch: Any, trouble: Any) -> None:
    def broken(*arguments: Any, **keywords: Any) -> None:
        raise trouble

    monkeypatch.setattr(reduction, "reduced", broken)
    said = Said()
    model = trained(family, output=tmp_path / "model", progress=said)
    assert model.record["finished"]
    assert any("the model is whole, but for" in line for line in said.lines)
    loaded = firth.load(tmp_path / "model")
    assert loaded.matrices is None
    assert next(firth.extract(loaded, ["the cat"], threads=1)).array.shape[0] == family.n_layers + 1


def test_a_corpus_that_is_read_once_has_them_too(family: Any) -> None:
    model = trained(family, (line for line in TEXT))
    assert {word.lower() for word in model.vectors.words if word.isalpha()} == WORDS  # ELMo has marks, too


def test_a_tenth_of_the_budget_is_not_exceeded(family: Any, monkeypatch: Any) -> None:
    """Of 300 tokens read in training, contexts of 90 words at most, but for the last line."""
    model = trained(family, TEXT * 20, tokens=300)
    told = model.vectors.provenance["matrices"]
    assert told["n_words_read"] <= 0.3 * model.record["spent"]["epochs"] * told["n_words_of_text"] + 6
    limits: dict[str, Any] = {}

    def remembered(asked: Any, lines: Any, **keywords: Any) -> Any:
        limits.update(keywords)
        raise FirthError("enough")

    monkeypatch.setattr(reduction, "reduced", remembered)
    began = time.monotonic()
    trained(family, tokens=None, minutes=0.02)
    assert began < limits["deadline"] < time.monotonic() + 0.1 * 60 * 0.02


def test_progress_is_shown(models: dict[str, Any], capsys: Any) -> None:
    import sys

    matrices(models["bert"], TEXT, threads=1, progress=Lines(sys.stderr, seconds=0.0))
    err = capsys.readouterr().err
    assert "looking for words" in err
    assert "reading contexts: 100%" in err


def test_words_that_files_would_write_alike_are_told_apart(tmp_path: Path) -> None:
    names = ["new york", "new_york", "new\tyork", "cat", "new_york_"]
    write(firth.Vectors(names, np.ones((1, 5, 2))), tmp_path / "out")
    written = firth.Vectors.load(tmp_path / "out" / "layers" / "0.bin").words
    assert written == ["new_york__", "new_york", "new_york___", "cat", "new_york_"]
    assert firth.Vectors.load(tmp_path / "out").words == names


def test_rows_that_are_kept_are_moved_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reduction, "_WORDS_TOGETHER", 2)
    rng = np.random.default_rng(3)
    for kept in ([0, 1, 2, 3, 4, 5, 6], [1, 4, 6], [0], [6], [0, 2, 3, 4, 5, 6]):
        array = rng.standard_normal((3, 7, 2)).astype(np.float32)
        due = array[:, kept].copy()
        found = _compacted(array, np.array(kept))
        np.testing.assert_array_equal(found, due)
        assert np.shares_memory(found, array)
        assert found.flags.c_contiguous
