import json
import re

import numpy as np
import pytest

from firth import cli, postprocessing
from firth.errors import FirthError, UsageError
from firth.postprocessing import centre, normalise, postprocess, reduce_dim, remove_components, whiten
from firth.segmentation import Segmentation
from firth.vectors import Vectors

RNG = np.random.default_rng(5)
WORDS = [f"word{row}" for row in range(400)]
LAYERS = (RNG.standard_normal((2, 400, 6)) @ RNG.standard_normal((6, 6)) + RNG.standard_normal(6)).astype(np.float32)

CROSS = np.array([[5, 1], [-3, 1], [1, 3], [1, -1]], np.float32)
"""Mean (1, 1); about it the rows are (4, 0), (-4, 0), (0, 2), (0, -2): variances 8 and 2 along the axes."""


@pytest.fixture
def vectors():
    return Vectors(
        WORDS,
        LAYERS,
        counts=np.arange(400, 0, -1),
        segmentation=Segmentation(method="words"),
        provenance={"family": "gpt"},
    )


@pytest.fixture
def cross():
    return Vectors(["east", "west", "north", "south"], CROSS)


def covariance(matrix):
    return np.cov(matrix.astype(np.float64), rowvar=False, bias=True)


# --- by hand


def test_centre_by_hand(cross):
    assert centre(cross).matrix.tolist() == [[4, 0], [-4, 0], [0, 2], [0, -2]]


def test_remove_components_by_hand(cross):
    removed = remove_components(cross, 1)
    np.testing.assert_allclose(removed.matrix, [[0, 0], [0, 0], [0, 2], [0, -2]], atol=1e-6)
    assert removed.provenance["postprocessing"] == [{"step": "remove-components", "n": 1, "variance_removed": [0.8]}]


def test_whiten_by_hand(cross):
    root = np.sqrt(2)
    whitened = whiten(cross)
    np.testing.assert_allclose(whitened.matrix, [[root, 0], [-root, 0], [0, root], [0, -root]], atol=1e-6)
    assert whitened.provenance["postprocessing"] == [{"step": "whiten", "directions": [2]}]


def test_reduce_by_hand(cross):
    reduced = reduce_dim(cross, 1)
    np.testing.assert_allclose(reduced.matrix, [[4], [-4], [0], [0]], atol=1e-6)
    assert reduced.provenance["postprocessing"] == [{"step": "reduce-dim", "dim": 1, "variance_kept": [0.8]}]


def test_normalise_by_hand():
    vectors = Vectors(["a", "b"], [[3, 4], [0, 0]])
    np.testing.assert_allclose(normalise(vectors).matrix, [[0.6, 0.8], [0, 0]])


# --- what holds of any vectors


def test_each_layer_is_treated_by_itself(vectors):
    for step in (centre, remove_components, whiten, normalise, lambda v: reduce_dim(v, 3)):
        together = step(vectors)
        for layer in range(2):
            np.testing.assert_array_equal(together.array[layer], step(vectors.layer(layer)).matrix)


def test_components_are_those_of_the_singular_value_decomposition(vectors):
    reduced = reduce_dim(vectors, 2)
    for layer in range(2):
        centred = LAYERS[layer].astype(np.float64) - LAYERS[layer].astype(np.float64).mean(axis=0)
        _, strengths, components = np.linalg.svd(centred, full_matrices=False)
        np.testing.assert_allclose(np.abs(reduced.array[layer]), np.abs(centred @ components[:2].T), atol=1e-4)
        share = (strengths[:2] ** 2).sum() / (strengths**2).sum()
        assert reduced.provenance["postprocessing"][0]["variance_kept"][layer] == pytest.approx(share, abs=1e-6)


def test_whitened_vectors_have_the_identity_as_covariance(vectors):
    whitened = whiten(vectors)
    for layer in range(2):
        np.testing.assert_allclose(covariance(whitened.array[layer]), np.eye(6), atol=1e-5)
        assert np.trace(whitened.array[layer].T @ centre(vectors).array[layer]) > 0  # turned no more than it must


def test_whitening_leaves_directions_without_variance(vectors):
    whitened = whiten(remove_components(vectors, 2))
    assert whitened.provenance["postprocessing"][1]["directions"] == [4, 4]
    np.testing.assert_allclose(np.linalg.eigvalsh(covariance(whitened.matrix)), [0, 0, 1, 1, 1, 1], atol=1e-5)


def test_reducing_to_all_dimensions_keeps_what_is_between_the_words(vectors):
    before, after = centre(vectors).matrix, reduce_dim(vectors, 6).matrix
    np.testing.assert_allclose(after @ after.T, before @ before.T, atol=1e-3)


def test_components_removed_are_gone(vectors):
    removed = remove_components(vectors, 2)
    for layer in range(2):
        strengths = np.linalg.eigvalsh(covariance(LAYERS[layer]))
        np.testing.assert_allclose(
            np.linalg.eigvalsh(covariance(removed.array[layer])), [0, 0, *strengths[:4]], atol=1e-4
        )
    assert removed.dim == 6


def test_by_default_a_hundredth_of_the_dim_is_removed():
    wide = Vectors(WORDS, RNG.standard_normal((400, 210)))
    for vectors, n in ((wide, 2), (Vectors(WORDS, LAYERS), 1)):
        assert remove_components(vectors).provenance["postprocessing"][0]["n"] == n


def test_rows_go_by_blocks(vectors, monkeypatch):
    whole = [whiten(vectors).array, reduce_dim(vectors, 2).array, centre(vectors).array, normalise(vectors).array]
    monkeypatch.setattr(postprocessing, "ROWS_AT_ONCE", 7)
    parts = [whiten(vectors).array, reduce_dim(vectors, 2).array, centre(vectors).array, normalise(vectors).array]
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_the_vectors_given_stay_as_they_were(vectors):
    before = vectors.array.copy()
    for step in (centre, remove_components, whiten, normalise, lambda v: reduce_dim(v, 3)):
        step(vectors)
    np.testing.assert_array_equal(vectors.array, before)
    assert "postprocessing" not in vectors.provenance


# --- steps as they are written


def test_steps_are_taken_in_order_and_told(vectors, tmp_path):
    steps = ["remove-components=2", "reduce-dim=4", "remove-components=1", "normalise"]
    found = postprocess(vectors, steps)
    expected = normalise(remove_components(reduce_dim(remove_components(vectors, 2), 4), 1))
    np.testing.assert_array_equal(found.array, expected.array)
    assert (found.words, found.segmentation) == (vectors.words, vectors.segmentation)
    assert found.counts.tolist() == vectors.counts.tolist()
    found.save(tmp_path / "found")
    told = json.loads((tmp_path / "found" / "firth.json").read_text())
    assert told["family"] == "gpt"
    assert [step["step"] for step in told["postprocessing"]] == [step.partition("=")[0] for step in steps]
    assert Vectors.load(tmp_path / "found").provenance["postprocessing"] == found.provenance["postprocessing"]


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([], "no step was given; there are centre, "),
        (["center"], "'center' is no step; there are centre, remove-components[=N], whiten, reduce-dim=DIM, normalise"),
        (["centre", "reduce-dim"], "'reduce-dim' is no step"),
        (["centre=2"], "'centre=2' is no step"),
        (["reduce-dim=two"], "step 'reduce-dim=two': 'two' is no whole number"),
        (["reduce-dim=²"], "'²' is no whole number"),
        (["reduce-dim=-1"], "'-1' is no whole number"),
        (["reduce-dim=7"], "dim 7 asked of vectors of dim 6: 1 to 6 can be"),
        (["reduce-dim=0"], "dim 0 asked"),
        (["remove-components=6"], "6 components to remove, of vectors of dim 6: 1 to 5 can be"),
        (["remove-components=0"], "0 components to remove"),
    ],
)
def test_steps_that_cannot_be_taken(vectors, steps, message):
    with pytest.raises(UsageError, match=re.escape(message)):
        postprocess(vectors, steps)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("step", ["centre", "whiten", "reduce-dim=2", "remove-components"])
def test_a_number_that_is_not_finite_is_named(step, bad):
    array = LAYERS.copy()
    array[1, 7, 3] = bad
    with pytest.raises(FirthError, match="the vector of 'word7' in layer 1 holds a number that is not finite"):
        postprocess(Vectors(WORDS, array), [step])


@pytest.mark.parametrize("step", ["whiten", "reduce-dim=1", "remove-components"])
@pytest.mark.parametrize("n_words", [1, 3])
def test_vectors_that_are_all_the_same_have_no_components(step, n_words):
    vectors = Vectors(["a", "b", "c"][:n_words], np.tile(np.float32([0.1, 0.7]), (n_words, 1)))
    with pytest.raises(FirthError, match="the vectors of layer 0 are all the same"):
        postprocess(vectors, [step])
    np.testing.assert_allclose(centre(vectors).matrix, 0, atol=1e-7)


# --- the command


@pytest.fixture
def run(vectors, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    vectors.save("model")

    def run(*arguments):
        status = cli.main(["convert", "model", *arguments])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


def test_convert_takes_steps_into_a_directory(run, vectors):
    status, out, _ = run("better", "--steps", "remove-components=2,reduce-dim=3", "--json")
    assert (status, json.loads(out)) == (0, [{"target": "better", "words": 400, "dim": 3}])
    expected = postprocess(vectors, ["remove-components=2", "reduce-dim=3"])
    found = Vectors.load("better")
    np.testing.assert_array_equal(found.array, expected.array)
    assert found.provenance["postprocessing"] == expected.provenance["postprocessing"]


def test_convert_takes_steps_into_a_file(run, vectors):
    status, _, err = run("better.txt", "--steps", "normalise", "--layer", "0", "--limit", "50")
    assert (status, err) == (0, "")
    found = Vectors.load("better.txt")
    assert found.words == WORDS[:50]
    np.testing.assert_allclose(found.matrix, normalise(vectors.layer(0)).matrix[:50], atol=1e-6)


@pytest.mark.parametrize("steps", ["", "center", "centre,", "reduce-dim=7", "centre centre"])
def test_convert_refuses_other_steps(run, tmp_path, steps):
    status, out, err = run("better", f"--steps={steps}")
    assert (status, out) == (2, "")
    assert err.startswith("firth: ")
    assert not (tmp_path / "better").exists()
