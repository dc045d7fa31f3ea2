"""fastText's models: a file of its own, gensim's, and those that are no whole model of words.

`fasttext/skipgram.bin` was written by fastText 0.9.2 (fasttext-numpy2-wheel) over some kilobytes of English and a
little Chinese: train_unsupervised(text, model="skipgram", dim=4, minn=3, maxn=5, bucket=2000, minCount=25);
`skipgram.json` is what get_word_vector says there of its words and of others.
"""

import contextlib
import json
import math
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import firth
from firth.formats import fasttext
from firth.formats.fasttext import Settings
from firth.subwords import Ngrams

FOLDER = Path(__file__).parent / "fasttext"
MODEL = FOLDER / "skipgram.bin"
SAID = json.loads((FOLDER / "skipgram.json").read_text(encoding="utf-8"))
DIM_AT, MODEL_AT, SAMPLE_AT, LABELS_AT, PRUNED_AT = 8, 36, 56, 72, 84  # bytes
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


@pytest.mark.parametrize("word", ["walke\u0301d", "walk\u00ading", "  walked", "Walked"])
def test_words_stand_as_they_were_written(tmp_path, word):
    """fastText normalises nothing, and neither do we for its models; firth's own words are normalised."""
    model, vectors = firth.load(MODEL), firth.Vectors.load(MODEL)
    published = fasttext.read(MODEL)
    rows = Ngrams(shortest=3, longest=5, buckets=2000).parts([word]).rows + len(published.words)
    due = np.zeros(4, np.float32)
    for row in rows:
        due += published.input[row]
    due *= np.float32(1 / len(rows))
    np.testing.assert_array_equal(vectors[word], due)
    np.testing.assert_array_equal(model.vectors[word], due)
    model.save(tmp_path / "model")
    np.testing.assert_array_equal(firth.Vectors.load(tmp_path / "model")[word], due)


def test_few_words_are_composed_where_few_are_asked_for():
    vectors, few = firth.Vectors.load(MODEL), firth.Vectors.load(MODEL, limit=3)
    assert few.words == vectors.words[:3]
    np.testing.assert_array_equal(few.array, vectors.array[:, :3])
    other = f"{few.words[2]}s"
    np.testing.assert_array_equal(few[other], vectors[other])
    for limit in (0, -1):
        with pytest.raises(firth.UsageError, match="at least 1"):
            firth.Vectors.load(MODEL, limit=limit)


def test_n_grams_of_all_words_are_known_where_few_words_are_asked_for(changed, tmp_path):
    """The whole table of n-grams is there; a word that is not UTF-8 has the n-grams of its bytes."""
    path = changed(MODEL.read_bytes().index(b"walked\0"), b"\xffalked")
    family = firth.Skipgram(dim=4, min_count=1, sample=0.0, subwords="3-4", buckets=99)
    firth.train(family, ["a walked talks walkers"], epochs=1, threads=1).save(tmp_path / "model")
    for source in (path, MODEL, tmp_path / "model"):
        vectors, few = firth.Vectors.load(source), firth.Vectors.load(source, limit=1)
        assert len(few) == 1
        asked = [word for word in (*SAID, "alked", "walkers") if word != "</s>"]  # which has no n-grams
        refused = [word for word in asked if not vectors.has_vector(word)]
        assert [word for word in asked if not few.has_vector(word)] == refused
        for word in ("alked", "walkers"):
            assert few.from_ngrams(word).known_share == vectors.from_ngrams(word).known_share
            np.testing.assert_array_equal(few.from_ngrams(word).vector, vectors.from_ngrams(word).vector)
    assert firth.Vectors.load(path, limit=1).from_ngrams("alked").known_share < 1
    assert firth.Vectors.load(MODEL, limit=1).from_ngrams("walked").known_share == 1


def test_a_word_that_is_not_utf8_is_known_by_its_bytes(changed):
    """Its codes are how it is shown: nothing of them was ever an n-gram."""
    vectors = firth.Vectors.load(changed(MODEL.read_bytes().index(b"walked\0"), b"\xffalked"))
    assert "\\xffalked" in vectors
    assert not vectors.has_vector("\\xff")
    assert vectors.from_ngrams("alked").known_share > 0


def test_tables_stay_on_disk():
    """Nothing of a table is in memory until it is asked for: a published one has gigabytes."""
    published = fasttext.read(MODEL)
    for table in (published.input, published.output):
        assert isinstance(table.base, np.memmap)
        assert not table.flags.writeable


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


def test_lengths_of_n_grams_are_compared_as_lengths(tmp_path):
    """As of the published cc.*.bin, which have 5 to 5 characters."""
    family = firth.Skipgram(dim=4, min_count=1, sample=0.0, subwords="3", buckets=99)
    firth.train(family, ["the walkers walked"] * 9, epochs=1, threads=1, output=tmp_path / "model")
    firth.convert(tmp_path / "model", tmp_path / "model.bin", format="fasttext")
    assert firth.load(tmp_path / "model.bin").family.subwords == "3-3"
    more = firth.train(family, ["the talkers talked"] * 9, base=tmp_path / "model.bin", epochs=1, threads=1)
    assert "talkers" in more.vocabulary


def test_converted_to_itself_it_is_the_same_file(tmp_path):
    for number, flags in enumerate(({}, {"source_format": "fasttext"})):
        target = tmp_path / f"{number}.bin"
        firth.convert(MODEL, target, format="fasttext", **flags)
        assert target.read_bytes() == MODEL.read_bytes()
    firth.load(MODEL).save(tmp_path / "model")
    firth.convert(tmp_path / "model", tmp_path / "again.bin", format="fasttext")
    assert (tmp_path / "again.bin").read_bytes() == MODEL.read_bytes()


@pytest.mark.parametrize("limit", [None, 5])
def test_an_output_table_of_zeros_is_said(tmp_path, limit):
    source = MODEL if limit else tmp_path / "vectors"
    if limit is None:
        firth.Vectors.load(MODEL).save(source)
    with pytest.warns(UserWarning, match="zeros for its output table"):
        firth.convert(source, tmp_path / "model.bin", format="fasttext", limit=limit)
    read = fasttext.read(tmp_path / "model.bin")
    assert not read.output.any()
    assert len(read.words) == (limit or len(fasttext.read(MODEL).words))


def test_how_a_model_was_trained_is_written(tmp_path):
    family = firth.CBOW(dim=4, window=3, negatives=7, min_count=2, sample=1e-2, subwords="2-4", buckets=50)
    firth.train(family, ["the walkers walked", "rare"] * 9, epochs=3, threads=1, output=tmp_path / "model")
    firth.convert(tmp_path / "model", tmp_path / "model.bin", format="fasttext")
    told = fasttext.read(tmp_path / "model.bin").settings
    assert (told.model, told.window, told.epochs, told.negatives, told.min_count) == ("cbow", 3, 3, 7, 2)
    assert (told.sample, told.n_tokens, told.shortest, told.longest, told.buckets) == (1e-2, 36, 2, 4, 50)


@pytest.mark.filterwarnings("ignore:.* zeros for its output table")
@pytest.mark.parametrize("subwords", ["2-3", None])
def test_vectors_that_a_model_has_saved_tell_how_it_was_trained(tmp_path, subwords):
    cbow = firth.CBOW(dim=4, min_count=2, negatives=3, window=2, sample=1e-2, subwords=subwords, buckets=60)
    model = firth.train(cbow, ["a cat sat on a mat"] * 9, epochs=3, threads=1, output=tmp_path / "model")
    model.vectors.save(tmp_path / "vectors")
    for name in ("model", "vectors"):
        firth.convert(tmp_path / name, tmp_path / f"{name}.bin", format="fasttext")
    whole, saved = (fasttext.read(tmp_path / f"{name}.bin") for name in ("model", "vectors"))
    assert saved.settings == whole.settings
    told = (saved.settings.model, saved.settings.window, saved.settings.min_count, saved.settings.negatives)
    assert told == ("cbow", 2, 2, 3)
    np.testing.assert_array_equal(saved.input, whole.input)
    again = firth.Vectors.load(tmp_path / "vectors")
    assert (again.subwords is None) == (subwords is None)


@pytest.mark.filterwarnings("ignore:.* zeros for its output table")
def test_vectors_may_name_their_family_alone(tmp_path):
    firth.Vectors(["a", "b"], np.eye(2), provenance={"family": "cbow"}).save(tmp_path / "vectors")
    firth.convert(tmp_path / "vectors", tmp_path / "vectors.bin", format="fasttext")
    assert fasttext.read(tmp_path / "vectors.bin").settings.model == "cbow"


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


def test_words_that_are_no_utf8_are_shown_as_codes_and_keep_their_vectors(changed, tmp_path):
    data = MODEL.read_bytes()
    path = changed(data.index(b"walked\0"), b"\xffalked")
    model, shown = firth.load(path), "\\xffalked"
    assert shown in model.vocabulary
    due = model.vectors[shown]
    np.testing.assert_array_equal(due, firth.Vectors.load(path)[shown])  # composed of its bytes
    model.save(tmp_path / "model")
    firth.convert(tmp_path / "model", tmp_path / "shown.bin", format="fasttext")
    np.testing.assert_allclose(firth.load(tmp_path / "shown.bin").vectors[shown], due, atol=1e-6)
    still = replace(model.family, learning_rate=1e-12, final_learning_rate=1e-12, min_count=1)
    more = firth.train(still, ["the walkers walked"] * 9, base=path, epochs=1, threads=1)
    np.testing.assert_allclose(more.vectors[shown], due, atol=1e-6)


@pytest.mark.parametrize(
    ("at", "new", "why"),
    [
        (4, struct.pack("<i", 13), "byte 64: it is of version 13"),
        (DIM_AT, struct.pack("<i", 0), "dim 0"),
        (DIM_AT, struct.pack("<i", 5), "the input table has .* rows of 4; .* of 5 are due"),
        (MODEL_AT, struct.pack("<i", 3), "classifier"),
        (MODEL_AT, struct.pack("<i", 9), "model 9"),
        (DIM_AT + 4, struct.pack("<i", 0), "window 0"),
        (SAMPLE_AT, struct.pack("<d", math.nan), "sample nan"),
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
        try:
            firth.load(path)
        except firth.UsageError:
            pytest.fail("what is wrong is the file, not the call")


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
