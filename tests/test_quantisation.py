"""Tables of one byte a number."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import firth
from firth import neighbours, quantisation
from firth.evaluation import WordPair
from firth.formats import safetensors
from firth.stack import Stack

FLOATS = st.floats(-1e6, 1e6, width=32)


@given(arrays.arrays(np.float32, arrays.array_shapes(min_dims=2, max_dims=3, min_side=1), elements=FLOATS))
def test_no_number_is_off_by_more_than_half_a_step(array):
    codes, scales = found = quantisation.quantised(array)
    assert (codes.dtype, codes.shape, scales.dtype, scales.shape) == (
        np.int8,
        array.shape,
        np.float32,
        array.shape[:-1],
    )
    error = np.abs(quantisation.restored(found) - array).max(axis=-1)
    assert (error <= 0.5001 * scales + 1e-6 * np.abs(array).max(axis=-1) + 1e-37).all()


def test_by_hand():
    codes, scales = quantisation.quantised(np.array([[1.27, -0.634, 0.0], [0.0, 0.0, 0.0]], np.float32))
    assert codes.tolist() == [[127, -63, 0], [0, 0, 0]]
    assert scales.tolist() == pytest.approx([0.01, 0.0])


def test_numbers_that_are_not_finite_are_refused():
    with pytest.raises(firth.FirthError, match="not finite"):
        quantisation.quantised(np.array([[1.0, np.nan]], np.float32))


def test_scales_that_do_not_fit_are_refused():
    codes = np.zeros((3, 2), np.int8)
    with pytest.raises(firth.FirthError, match="'a' is int8"):
        quantisation.unpacked({"a": codes, "a.scales": np.zeros(2, np.float32)})


def test_what_has_no_rows_stays_as_it_is():
    tensors = {"a": np.ones(3, np.float32), "b": np.ones((2, 2), np.int64)}
    assert quantisation.packed(tensors, "int8").keys() == tensors.keys()
    assert quantisation.unpacked(tensors).keys() == tensors.keys()


@pytest.mark.parametrize("subwords", [None, "3-4"])
def test_vectors_are_saved_in_a_quarter_and_asked_as_before(tmp_path, subwords):
    family = firth.Skipgram(dim=8, min_count=1, sample=0.0, subwords=subwords, buckets=3000)
    text = ["the walker walked home", "the talker talked here"] * 20
    vectors = firth.train(family, text, epochs=20, threads=1).vectors
    vectors.save(tmp_path / "whole")
    firth.convert(tmp_path / "whole", tmp_path / "small", precision="int8")
    n_bytes = [(tmp_path / name / "vectors.safetensors").stat().st_size for name in ("whole", "small")]
    assert n_bytes[1] < (0.4 if subwords else 1.0) * n_bytes[0]  # a header, and 4 bytes a row of 8
    small = firth.Vectors.load(tmp_path / "small")
    assert safetensors.read(tmp_path / "small" / "vectors.safetensors")["vectors"].dtype == np.int8
    np.testing.assert_allclose(small.matrix, vectors.matrix, atol=np.abs(vectors.matrix).max() / 250)
    asked = ["walker", "walkers"] if subwords else ["walker"]
    for word in asked:
        assert [found for found, _ in small.most_similar(word, topn=2)] == [
            found for found, _ in vectors.most_similar(word, topn=2)
        ]


def test_a_large_table_takes_a_quarter_and_its_cosines_stay(tmp_path):
    array = np.random.default_rng(0).normal(size=(500, 100)).astype(np.float32)
    vectors = firth.Vectors([f"word{row}" for row in range(500)], array)
    for precision in ("float32", "int8"):
        vectors.save(tmp_path / precision, precision=precision)
    sizes = {path.name: (path / "vectors.safetensors").stat().st_size for path in tmp_path.iterdir()}
    assert 0.25 < sizes["int8"] / sizes["float32"] < 0.27
    small = firth.Vectors.load(tmp_path / "int8")
    assert (small.words, small.subwords) == (vectors.words, None)
    np.testing.assert_allclose(small.distances("word3"), vectors.distances("word3"), atol=0.01)


def random_vectors(n=3000, dim=20, n_layers=1):
    array = np.random.default_rng(0).normal(size=(n_layers, n, dim)).astype(np.float32)
    return firth.Vectors([f"word{row}" for row in range(n)], array)


def test_neighbours_are_looked_for_in_bytes_and_ranked_by_numbers(tmp_path, monkeypatch):
    """What is found is what float32 finds, though the table is never read but for some rows."""
    vectors = random_vectors()
    vectors.save(tmp_path / "both", precision="int8+float32")
    both = firth.Vectors.load(tmp_path / "both")
    np.testing.assert_array_equal(both.array, vectors.array)
    assert "postprocessing" not in both.provenance  # the numbers are as they were
    assert isinstance(both.array.base.base if both.array.base is not None else None, np.memmap)
    words = ["word7", "word1200", "word2999"]
    for word, near in zip(words, both.similar_by_words(words, topn=10), strict=True):
        due = vectors.most_similar(word, topn=10)
        assert [found for found, _ in near] == [found for found, _ in due]
        assert dict(near) == pytest.approx(dict(due), abs=1e-6)
        assert dict(both.most_similar(word, topn=10)) == pytest.approx(dict(due), abs=1e-6)
    some, due = (one.most_similar("word3", topn=4, restrict=range(50, 90)) for one in (both, vectors))
    assert dict(some) == pytest.approx(dict(due), abs=1e-6)
    assert both.most_similar("word3", topn=0) == []
    assert len(both.most_similar("word3", topn=9999)) == len(vectors) - 1
    touched = []
    exact = np.ndarray.__getitem__

    class Watched(np.ndarray):
        def __getitem__(self, rows):
            touched.append(np.size(rows))
            return exact(self, rows)

    both = firth.Vectors.load(tmp_path / "both")
    monkeypatch.setattr(Stack, "array", property(lambda self: vars(self)["array"].view(Watched)))
    assert both.similar_by_vector(vectors["word5"], topn=10)[0][0] == "word5"
    assert max(size for size in touched if size > 1) == quantisation.LEAST_LOOKED_AT


def test_queries_of_bytes_alone_restore_no_table(tmp_path):
    vectors = random_vectors(n_layers=2)
    vectors.save(tmp_path / "small", precision="int8")
    small = firth.Vectors.load(tmp_path / "small")
    assert (small.n_layers, len(small), small.dim) == (2, 3000, 20)
    np.testing.assert_allclose(small[["word3", "word5"]], vectors[["word3", "word5"]], atol=0.02)
    near = dict(small.most_similar("word3", topn=20))
    assert len(near.keys() & dict(vectors.most_similar("word3", topn=20))) >= 17
    np.testing.assert_allclose(small.distances("word3"), vectors.distances("word3"), atol=0.03)
    pairs = [WordPair("word1", "word2", 1.0), WordPair("word3", "word4", 2.0), WordPair("word5", "word6", 0.5)]
    assert small.evaluate_word_pairs(pairs).n_answered == 3
    first = small.layer(0)
    np.testing.assert_allclose(first["word3"], vectors.layer(0)["word3"], atol=0.02)
    for some in (small, first):
        assert "array" not in vars(some._stack)  # what makes it float32 has not been asked for
    np.testing.assert_allclose(small.array, vectors.array, atol=0.02)
    few = firth.Vectors.load(tmp_path / "small", limit=5)
    assert (len(few), few.array.shape) == (5, (2, 5, 20))
    few.save(tmp_path / "again", precision="int8")
    np.testing.assert_allclose(firth.Vectors.load(tmp_path / "again").array, few.array, rtol=1e-5)
    assert few.unit_normalized().codes is None  # other vectors have no codes


def test_queries_of_bytes_are_answered_alike_whatever_was_asked_before(tmp_path, monkeypatch):
    """The table, once it was restored, is not looked into."""
    random_vectors(n_layers=2).save(tmp_path / "small", precision="int8")
    small, touched = firth.Vectors.load(tmp_path / "small"), firth.Vectors.load(tmp_path / "small")
    assert touched.matrix.shape == (3000, 20)

    def ranked_anew(*_):
        raise AssertionError("a restored table was looked into")

    monkeypatch.setattr(quantisation, "_ranked_anew", ranked_anew)
    monkeypatch.setattr(neighbours, "norms", ranked_anew)
    for layer in (0, 1):
        one, other = small.layer(layer), touched.layer(layer)
        assert "array" not in vars(other._stack)
        assert one.most_similar("word3", topn=20) == other.most_similar("word3", topn=20)
    assert small.most_similar(["word3"], ["word5"], topn=20) == touched.most_similar(["word3"], ["word5"], topn=20)
    assert small.similar_by_words(["word3", "word4"]) == touched.similar_by_words(["word3", "word4"])
    np.testing.assert_array_equal(small.distances("word3"), touched.distances("word3"))
    np.testing.assert_array_equal(small[["word3"]], touched[["word3"]])
    assert small.most_similar_cosmul("word3", "word9") == touched.most_similar_cosmul("word3", "word9")


def test_products_are_looked_for_in_bytes(tmp_path):
    random_vectors().save(tmp_path / "small", precision="int8")
    small = firth.Vectors.load(tmp_path / "small")
    restored = firth.Vectors(small.words, quantisation.restored(small.codes))
    for asked in ((["word1", "word2"], ["word3"]), (["word1"], None)):
        for restrict in (None, range(2, 1500)):
            found = small.most_similar_cosmul(*asked, topn=20, restrict=restrict)
            due = restored.most_similar_cosmul(*asked, topn=20, restrict=restrict)
            assert [word for word, _ in found] == [word for word, _ in due]
            assert dict(found) == pytest.approx(dict(due), rel=1e-3)
    assert "array" not in vars(small._stack)
    assert small.unit_normalized().most_similar("word1")[0][0] == restored.most_similar("word1")[0][0]


@given(st.integers(1, 40), st.integers(1, 12), st.integers(0, 45), st.booleans())
def test_the_search_is_that_of_what_the_codes_stand_for(n_rows, dim, n, is_ranked):
    rng = np.random.default_rng(n_rows * dim)
    array = rng.normal(size=(n_rows, dim)).astype(np.float32)
    array[rng.random(n_rows) < 0.2] = 0
    table = quantisation.quantised(array)
    due, queries = quantisation.restored(table), rng.normal(size=(3, dim)).astype(np.float32)
    exact = due.__getitem__ if is_ranked else None
    excluded = [[0], [], [n_rows - 1, 99]]
    found = quantisation.nearest_to_each(table, quantisation.norms(table), queries, n, excluded, exact)
    expected = neighbours.nearest_to_each(due, neighbours.norms(due), queries, n, excluded)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.scores, other.scores, atol=1e-5)


def test_tables_without_scales_are_no_numbers(tmp_path):
    with pytest.raises(firth.FirthError, match="'ngrams' holds int8, and no scales"):
        quantisation.unpacked({"ngrams": np.zeros((3, 2), np.int8)})


def test_n_grams_in_bytes_are_restored_by_rows(tmp_path):
    family = firth.Skipgram(dim=8, min_count=1, sample=0.0, subwords="3-4", buckets=3000)
    vectors = firth.train(
        family, ["the walker walked home", "the talker talked here"] * 20, epochs=5, threads=1
    ).vectors
    vectors.save(tmp_path / "small", precision="int8")
    small = firth.Vectors.load(tmp_path / "small")
    np.testing.assert_allclose(small["walkers"], vectors["walkers"], atol=np.abs(vectors["walkers"]).max() / 20)
    assert "table" not in vars(small.subwords)
    np.testing.assert_allclose(
        small.subwords.table, vectors.subwords.table, atol=np.abs(vectors.subwords.table).max() / 250
    )


def test_precision_is_of_directories(tmp_path):
    random_vectors(n=5).save(tmp_path / "v")
    with pytest.raises(firth.UsageError, match="precision int8 asked, which directories have; binary is float32"):
        firth.convert(tmp_path / "v", tmp_path / "v.bin", precision="int8")


def test_variances_and_counts_stay_as_they_are(tmp_path):
    array = np.array([[[1.0, 2.0], [3.0, 4.0]]], np.float32)
    vectors = firth.Vectors(["a", "b"], array)
    vectors.variance, vectors.contexts = np.array([[np.nan, 0.5]], np.float32), np.array([1, 2], np.int64)
    vectors.save(tmp_path / "small", precision="int8")
    read = firth.Vectors.load(tmp_path / "small")
    np.testing.assert_array_equal(read.variance, vectors.variance)
    np.testing.assert_array_equal(read.contexts, vectors.contexts)
    np.testing.assert_allclose(read.array, array, atol=0.02)


def test_rounding_is_a_step_that_the_provenance_tells(tmp_path):
    array = np.random.default_rng(5).normal(size=(2, 9, 6)).astype(np.float32)
    vectors = firth.Vectors([f"word{row}" for row in range(9)], array, provenance={"family": "bert"})
    rounded = firth.quantise(vectors)
    told = [{"step": "quantise", "precision": "int8"}]
    assert rounded.provenance == {"family": "bert", "postprocessing": told}
    assert firth.postprocess(vectors, ["normalise", "quantise"]).provenance["postprocessing"] == [
        {"step": "normalise"},
        *told,
    ]
    assert 0 < np.abs(rounded.array - array).max() <= np.abs(array).max() / 250
    rounded.save(tmp_path / "rounded", precision="int8")
    vectors.save(tmp_path / "saved", precision="int8")
    for name in ("rounded", "saved"):
        small = firth.Vectors.load(tmp_path / name)
        assert small.provenance["postprocessing"] == told
        np.testing.assert_allclose(small.array, rounded.array, rtol=1e-6)
    firth.convert(tmp_path / "saved", tmp_path / "whole")  # numbers that were rounded once say so ever after
    assert firth.Vectors.load(tmp_path / "whole").provenance["postprocessing"] == told
    array[1, 2, 3] = np.inf
    with pytest.raises(firth.FirthError, match="not finite"):
        firth.quantise(firth.Vectors(vectors.words, array))


@pytest.mark.parametrize(
    ("codes", "scales", "message"),
    [
        ((3, 4), (3,), r"codes of shape \(1, 3, 4\) were given for an array of shape \(1, 2, 4\)"),
        ((2, 2, 4), (2, 2), r"codes of shape \(2, 2, 4\) were given for an array"),
        ((1, 2, 5), (1, 2), r"codes of shape \(1, 2, 5\) were given for an array"),
        ((2, 4), (4,), r"codes of shape \(1, 2, 4\) with scales of \(1, 4\)"),
        ((4,), (), r"codes of shape \(4,\) with scales of \(\)"),
    ],
)
def test_codes_fit_the_words_and_the_array(codes, scales, message):
    given = quantisation.Quantised(np.ones(codes, np.int8), np.ones(scales, np.float32))
    with pytest.raises(firth.UsageError, match=message):
        firth.Vectors(["a", "b"], np.ones((2, 4), np.float32), codes=given)


def test_codes_alone_fit_the_words():
    given = quantisation.quantised(np.ones((3, 4), np.float32))
    with pytest.raises(firth.UsageError, match="2 words were given for 3 rows of codes"):
        firth.Vectors(["a", "b"], given)


@pytest.mark.parametrize("precision", ["int8", "int8+float32"])
def test_what_is_kept_in_bytes_is_saved_in_the_same_bytes(tmp_path, precision):
    vectors = random_vectors(n=50, n_layers=2)
    vectors.save(tmp_path / "first", precision=precision)
    read = firth.Vectors.load(tmp_path / "first")
    read.save(tmp_path / "again")
    assert ("array" in vars(read._stack)) == (precision != "int8")  # nothing is restored for it
    for name in ("vectors.safetensors", "vocabulary.tsv"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "first" / name).read_bytes()
    told = [json.loads((tmp_path / name / "firth.json").read_bytes()) for name in ("first", "again")]
    assert told[0] == told[1]
    read.save(tmp_path / "whole", precision="float32")
    whole = firth.Vectors.load(tmp_path / "whole")
    assert whole.codes is None
    np.testing.assert_array_equal(whole.array, read.array)
    read.layer(1).save(tmp_path / "one")
    one = firth.Vectors.load(tmp_path / "one")
    np.testing.assert_array_equal(one.codes.codes[0], read.codes.codes[1])


def test_n_grams_in_bytes_are_saved_in_the_same_bytes(tmp_path):
    family = firth.Skipgram(dim=8, min_count=1, sample=0.0, subwords="3-4", buckets=300)
    vectors = firth.train(family, ["the walker walked home"] * 20, epochs=1, threads=1).vectors
    vectors.save(tmp_path / "first", precision="int8")
    small = firth.Vectors.load(tmp_path / "first")
    small.save(tmp_path / "again")
    assert not {"words", "table"} & vars(small.subwords).keys()
    tensors = [safetensors.read(tmp_path / name / "vectors.safetensors") for name in ("first", "again")]
    for name, tensor in tensors[0].items():
        np.testing.assert_array_equal(tensors[1][name], tensor)


def test_codes_with_a_scale_that_is_not_finite_are_not_saved(tmp_path):
    codes = quantisation.Quantised(np.ones((2, 3), np.int8), np.array([1.0, np.nan], np.float32))
    with pytest.raises(firth.FirthError, match="the vector of 'b' holds a number that is not finite"):
        firth.Vectors(["a", "b"], codes).save(tmp_path / "v")
