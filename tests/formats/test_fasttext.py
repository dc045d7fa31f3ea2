"""fastText's models: a file of its own, gensim's, and those that are no whole model of words.

`fasttext/skipgram.bin` was written by fastText 0.9.2 (fasttext-numpy2-wheel) over some kilobytes of English and a
little Chinese: train_unsupervised(text, model="skipgram", dim=4, minn=3, maxn=5, bucket=2000, minCount=25);
`skipgram.json` is what get_word_vector says there of its words and of others.
"""

import contextlib
import json
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import firth
from firth.formats import fasttext
from firth.formats.fasttext import Settings

FOLDER = Path(__file__).parent / "fasttext"
MODEL = FOLDER / "skipgram.bin"
SAID = json.loads((FOLDER / "skipgram.json").read_text(encoding="utf-8"))
DIM_AT, MODEL_AT, LABELS_AT, PRUNED_AT = 8, 36, 72, 84  # bytes
UNKNOWN = ("开", "x")  # of which no n-gram stands in any word: fastText gives what stands in the rows by chance


@pytest.fixture
def changed(tmp_path):
    """A copy of the model with other bytes."""

    def change(at, new, *, length=None):
        data = bytearray(MODEL.read_bytes())
        data[at : at + len(new)] = new
        path = tmp_path / "changed.bin"
        path.write_bytes(data[:length])
        return path

    return change


def test_fasttexts_vectors_to_the_bit_known_words_and_others():
    model, vectors = firth.load(MODEL), firth.Vectors.load(MODEL)
    assert set(model.vocabulary.words) < set(SAID)
    assert "</s>" in model.vocabulary
    for word, numbers in SAID.items():
        if word in UNKNOWN:
            with pytest.raises(firth.UnknownWordError, match="none of its n-grams"):
                vectors[word]
            continue
        np.testing.assert_array_equal(vectors[word], np.array(numbers, np.float32), err_msg=word)
        np.testing.assert_array_equal(model.vectors[word], vectors[word])
    assert vectors.from_ngrams("walking").known_share < 1


def test_its_settings_are_the_familys():
    model = firth.load(MODEL)
    assert isinstance(model.family, firth.Skipgram)
    told = model.family
    assert (told.dim, told.subwords, told.buckets, told.min_count, told.noise_exponent) == (4, "3-5", 2000, 25, 0.5)
    assert model.output_table().shape == model.table().shape == (len(model.vocabulary), 4)
    assert model.output_table().any()
    counts = model.vocabulary.counts.tolist()
    assert counts == sorted(counts, reverse=True)


def test_it_is_gone_on_with(tmp_path):
    base = firth.load(MODEL)
    family = firth.Skipgram(dim=4, min_count=1, subwords="3-5", buckets=2000)
    model = firth.train(family, ["the walkers walked and talked"] * 30, base=MODEL, epochs=0.1, threads=1)
    assert {"walkers", "after"} <= set(model.vocabulary.words)
    np.testing.assert_array_equal(model.vectors["after"].shape, base.vectors["after"].shape)
    model.save(tmp_path / "model")
    np.testing.assert_array_equal(firth.load(tmp_path / "model").vectors["xwalkersx"], model.vectors["xwalkersx"])


def test_a_model_is_written_as_it_was_read(tmp_path):
    read = fasttext.read(MODEL)
    written = tmp_path / "again.bin"
    fasttext.write(written, read.settings, read.texts(), read.counts, [read.input[:7], read.input[7:]], read.output)
    again = fasttext.read(written)
    for name in ("input", "output", "counts"):
        np.testing.assert_array_equal(getattr(again, name), getattr(read, name))
    assert (again.words, again.settings) == (read.words, read.settings)
    assert len(written.read_bytes()) == len(MODEL.read_bytes())


@pytest.mark.parametrize("subwords", [None, "2-4"])
def test_gensim_opens_what_is_written(tmp_path, subwords):
    theirs = pytest.importorskip("gensim.models.fasttext", reason="gensim has no wheel for this Python")
    family = firth.CBOW(dim=8, min_count=1, sample=0.0, subwords=subwords, buckets=500)
    text = ["the walker walked 开心", "the talker talked 今天"] * 20
    model = firth.train(family, text, epochs=3, threads=1, output=tmp_path / "model")
    firth.convert(tmp_path / "model", tmp_path / "model.bin", format="fasttext")
    loaded = theirs.load_facebook_model(str(tmp_path / "model.bin"))
    assert loaded.wv.index_to_key == model.vocabulary.words
    assert (loaded.sg, loaded.wv.min_n, loaded.wv.max_n) == (0, *((2, 4) if subwords else (0, 0)))
    words = [*model.vocabulary.words, "walking"] if subwords else model.vocabulary.words
    for word in words:
        np.testing.assert_allclose(loaded.wv[word], model.vectors[word], rtol=1e-6, atol=1e-9)
    np.testing.assert_array_equal(loaded.syn1neg, model.output_table())
    again = firth.load(tmp_path / "model.bin")
    np.testing.assert_array_equal(again.table(), model.table())
    assert again.family.subwords == subwords


def test_a_tree_comes_back(tmp_path):
    family = firth.Skipgram(dim=8, min_count=1, subwords="3", buckets=99, objective="hierarchical_softmax")
    model = firth.train(family, ["the walker walked", "the talker talked"] * 20, epochs=3, threads=1)
    model.save(tmp_path / "model")
    firth.convert(tmp_path / "model", tmp_path / "model.bin", format="fasttext")
    again = firth.load(tmp_path / "model.bin")
    assert again.family.objective == "hierarchical_softmax"
    np.testing.assert_array_equal(again.output_table(), model.output_table())


def test_n_grams_of_several_rows_cannot_be_written(tmp_path):
    family = firth.Skipgram(dim=8, min_count=1, subwords="3", buckets=99, hashes=2, sample=0.0)
    firth.train(family, ["the walker walked"] * 20, epochs=1, threads=1, output=tmp_path / "model")
    with pytest.raises(firth.UsageError, match="--hashes 1"):
        firth.convert(tmp_path / "model", tmp_path / "model.bin", format="fasttext")


@settings(max_examples=30)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5), unique=True, min_size=1))
def test_any_word_comes_back(tmp_path_factory, words):
    path = tmp_path_factory.mktemp("words") / "model.bin"
    counts = np.arange(1, len(words) + 1)
    array = np.arange(2 * len(words), dtype=np.float32).reshape(-1, 2)
    if any("\0" in word for word in words):
        with pytest.raises(firth.FirthError, match="holds a zero"):
            fasttext.write(path, Settings(dim=2), words, counts, [array])
        return
    fasttext.write(path, Settings(dim=2), words, counts, [array])
    read = fasttext.read(path)
    assert read.texts() == words
    np.testing.assert_array_equal(read.counts, counts)
    np.testing.assert_array_equal(read.input, array)
    assert not read.output.any()


def test_words_that_are_no_utf8_are_shown_as_codes(changed):
    data = MODEL.read_bytes()
    path = changed(data.index(b"walked\0"), b"\xffalked")
    model = firth.load(path)
    assert "\\xffalked" in model.vocabulary


@pytest.mark.parametrize(
    ("at", "new", "why"),
    [
        (4, struct.pack("<i", 13), "byte 64: it is of version 13"),
        (DIM_AT, struct.pack("<i", 0), "dim 0"),
        (DIM_AT, struct.pack("<i", 5), "the input table has .* rows of 4; .* of 5 are due"),
        (MODEL_AT, struct.pack("<i", 3), "classifier"),
        (MODEL_AT, struct.pack("<i", 9), "model 9"),
        (LABELS_AT, struct.pack("<i", 2), "2 labels"),
        (PRUNED_AT, struct.pack("<q", 0), "pruned"),
    ],
    ids=str,
)
def test_what_is_no_model_of_words_is_refused_and_where(changed, at, new, why):
    with pytest.raises(firth.FirthError, match=why):
        fasttext.read(changed(at, new))


def test_a_quantised_table_is_refused(changed):
    data = MODEL.read_bytes()
    read = fasttext.read(MODEL)
    at = len(data) - 4 * read.output.size - 4 * read.input.size - 2 * 17
    with pytest.raises(firth.FirthError, match="quantised"):
        fasttext.read(changed(at, b"\1"))


@given(st.integers(0, MODEL.stat().st_size - 1))
def test_a_file_that_was_cut_off_is_refused_and_where(tmp_path_factory, length):
    path = tmp_path_factory.mktemp("cut") / "model.bin"
    path.write_bytes(MODEL.read_bytes()[:length])
    with pytest.raises(firth.FirthError, match=r"is empty|no fastText model|byte [0-9,]+: "):
        fasttext.read(path)


@settings(deadline=None)
@given(st.integers(0, 2200), st.binary(min_size=1, max_size=8))
def test_a_damaged_file_is_read_or_refused(tmp_path_factory, at, new):
    data = bytearray(MODEL.read_bytes())
    data[at : at + len(new)] = new
    path = tmp_path_factory.mktemp("damaged") / "model.bin"
    path.write_bytes(data)
    with contextlib.suppress(firth.FirthError):
        firth.load(path)


def test_what_stands_behind_the_tables_is_refused(tmp_path):
    path = tmp_path / "long.bin"
    path.write_bytes(MODEL.read_bytes() + b"more")
    with pytest.raises(firth.FirthError, match="4 bytes stand behind"):
        fasttext.read(path)


def test_a_file_that_is_not_there():
    with pytest.raises(firth.FirthError, match="cannot be read"):
        fasttext.read("no/such.bin")
    assert not fasttext.is_model("no/such.bin")
    assert fasttext.is_model(MODEL)
