"""What holds of every family through the public interface alone: a later one joins by a line in FAMILIES."""

import math
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, NamedTuple

import numpy as np
import pytest

import firth
from firth.families.family import from_settings, settings
from firth.model import FAMILIES as FAMILY_CLASSES
from firth.segmentation import Segmentation


class Case(NamedTuple):
    """A family, small enough for TEXT, and what is known of it beforehand."""

    family: Any
    n_matrices: int
    first_loss_nats: Callable[[firth.Vocabulary], float]  # of a network that has learnt nothing, for each prediction


WORD2VEC = {"dim": 8, "window": 3, "block": 8, "noise_pool": 4, "min_count": 1, "sample": 0.0}
TREE = {"objective": "hierarchical_softmax"}


def of_negative_sampling(vocabulary):
    """ln 2 for the target, and for each of 5 noise words that is another word."""
    target = vocabulary.counts / vocabulary.counts.sum()
    noise = vocabulary.counts**0.75 / (vocabulary.counts**0.75).sum()
    return (1 + 5 * (1 - target @ noise)) * math.log(2)


def of_a_tree(vocabulary):
    """ln 2 for each node on the way to the target."""
    target = vocabulary.counts / vocabulary.counts.sum()
    return target @ np.diff(vocabulary.huffman_tree().starts) * math.log(2)


FAMILIES = {
    "skipgram": Case(firth.Skipgram(**WORD2VEC), 1, of_negative_sampling),
    "skipgram-fixed": Case(firth.Skipgram(**WORD2VEC, window_widths="fixed"), 1, of_negative_sampling),
    "skipgram-tree": Case(firth.Skipgram(**WORD2VEC, **TREE), 1, of_a_tree),
    "cbow": Case(firth.CBOW(**WORD2VEC), 1, of_negative_sampling),
    "cbow-divided": Case(firth.CBOW(**WORD2VEC, context_gradient="divided"), 1, of_negative_sampling),
    "cbow-sum": Case(firth.CBOW(**WORD2VEC, combine="sum"), 1, of_negative_sampling),
    "cbow-tree": Case(firth.CBOW(**WORD2VEC, **TREE), 1, of_a_tree),
    "cbow-tree-divided": Case(firth.CBOW(**WORD2VEC, **TREE, context_gradient="divided"), 1, of_a_tree),
}
TEXT = ["the cat sat on the mat", "the dog sat on the log", "", "a cat and a dog", "on the mat a cat sat"] * 12


@pytest.fixture(params=FAMILIES.values(), ids=FAMILIES.keys())
def case(request):
    return request.param


@pytest.fixture
def family(case):
    return case.family


def trained(family, text=TEXT, **changes):
    arguments = {"epochs": 4, "threads": 1, "seed": 7} | changes
    return firth.train(family, text, **arguments)


def learnt(folder):
    """The files of a model's directory, byte for byte, but for those that say when and how fast it came about."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name not in ("firth.json", "log.jsonl")}


def test_the_first_loss_is_known(case):
    still = replace(case.family, learning_rate=1e-12, final_learning_rate=1e-12)  # every step is a first step
    model = trained(still)
    assert model.record["mean_loss_nats"] == pytest.approx(case.first_loss_nats(model.vocabulary), rel=0.05)


def test_training_learns(family):
    model, beginner = trained(family, epochs=60), trained(family, epochs=0.5)
    assert model.record["loss_nats"] < model.record["mean_loss_nats"] < 0.9 * beginner.record["mean_loss_nats"]
    assert np.isfinite(model.vectors.array).all()


def test_a_seed_repeats_to_the_bit(family, tmp_path):
    first, second = trained(family, output=tmp_path / "first"), trained(family, output=tmp_path / "second")
    other = trained(family, output=tmp_path / "other", seed=8)
    assert learnt(tmp_path / "first") == learnt(tmp_path / "second")
    np.testing.assert_array_equal(first.vectors.array, second.vectors.array)
    assert first.record["loss_nats"] == second.record["loss_nats"]
    assert not np.array_equal(first.table(), other.table())


def test_a_saved_model_is_loaded_equal(family, tmp_path):
    model = trained(family)
    model.save(tmp_path / "model")
    loaded = firth.load(tmp_path / "model")
    assert loaded.family == model.family
    assert loaded.vocabulary.words == model.vocabulary.words
    assert loaded.segmentation == model.segmentation
    assert loaded.record == model.record
    assert loaded.log == model.log
    np.testing.assert_array_equal(loaded.table(), model.table())
    np.testing.assert_array_equal(loaded.vectors.array, model.vectors.array)
    np.testing.assert_array_equal(loaded.vocabulary.counts, model.vocabulary.counts)
    loaded.save(tmp_path / "again")
    assert learnt(tmp_path / "again") == learnt(tmp_path / "model")


def test_an_interrupted_run_goes_on_as_if_unbroken(family, tmp_path, monkeypatch, ctrl_c_in_step):
    monkeypatch.setattr("firth.windows.BATCH_TOKENS", 50)  # so that the static families are broken off within a pass
    unbroken = trained(family, output=tmp_path / "unbroken")
    with ctrl_c_in_step(family, 8), pytest.raises(KeyboardInterrupt):
        trained(family, output=tmp_path / "model")
    unfinished = firth.load(tmp_path / "model")
    assert unfinished.record["finished"] is False
    assert 0 < unfinished.record["spent"]["tokens"] < unbroken.record["spent"]["tokens"]
    assert unfinished.vectors["cat"].shape == (family.dim,)
    resumed = trained(family, output=tmp_path / "model", resume=True)
    np.testing.assert_array_equal(resumed.vectors.array, unbroken.vectors.array)
    assert not (tmp_path / "model" / "checkpoint").exists()
    assert learnt(tmp_path / "model") == learnt(tmp_path / "unbroken")
    for result in ("loss_nats", "mean_loss_nats"):
        assert resumed.record[result] == unbroken.record[result]
    for spent in ("tokens", "n_pairs"):
        assert resumed.record["spent"][spent] == unbroken.record["spent"][spent]
    assert resumed.record["finished"] is True


def test_its_first_matrix_is_behind_the_one_hot_input(case):
    model = trained(case.family)
    one_hot = np.zeros(len(model.vocabulary), np.float32)
    one_hot[model.vocabulary.row("cat")] = 1
    np.testing.assert_array_equal(one_hot @ model.table(), model.vectors.layer(0)["cat"])
    assert model.vectors.array.shape == (case.n_matrices, len(model.vocabulary), case.family.dim)


def test_a_model_serves_queries_as_its_corpus_was_treated(family):
    model = trained(family, ["我 今天 好 开心", "你 今天 好 忙"] * 20, epochs=1)
    assert model.segmentation == Segmentation(method="space")
    assert model.segmentation.words("我 今天 好 开心") == ["我", "今天", "好", "开心"]
    assert all(word in model.vectors for word in model.segmentation.words("我 今天 好 开心"))


def test_it_is_a_value(family):
    assert replace(family, min_count=9) != family
    assert replace(replace(family, min_count=9), min_count=family.min_count) == family
    assert from_settings(FAMILY_CLASSES, settings(family)) == family
    assert {field.name for field in fields(family)} >= {"dim", "min_count", "learning_rate"}


def test_it_answers_gensims_names(family):
    with pytest.raises(firth.UsageError, match="vector_size is called dim here"):
        type(family)(vector_size=100)
    with pytest.raises(TypeError, match="no_such_thing"):
        type(family)(no_such_thing=1)


@pytest.mark.parametrize("preset", ["tiny", "mini", "small", "medium", "base", "paper"])
def test_it_comes_in_sizes(family, preset):
    assert isinstance(getattr(type(family), preset)(), type(family))
