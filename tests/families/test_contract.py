"""What holds of every family through the public interface alone: a later one joins by a line in FAMILIES."""

import importlib.util
import itertools
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, NamedTuple

import numpy as np
import pytest

import firth
from firth.families.family import from_settings, settings
from firth.model import CONTEXTUAL as CONTEXTUAL_FAMILIES
from firth.model import FAMILIES as FAMILY_CLASSES
from firth.segmentation import Segmentation


class Case(NamedTuple):
    """A family, small enough for TEXT, and what is known of it beforehand."""

    family: Any
    n_matrices: int
    first_loss_nats: Callable[[firth.Model], float]  # of a network that has learnt nothing, for each prediction


WORD2VEC = {"dim": 8, "window": 3, "block": 8, "noise_pool": 4, "min_count": 1, "sample": 0.0}
TREE = {"objective": "hierarchical_softmax"}
SUBWORDS = {"subwords": "2-4", "buckets": 500}
GLOVE = {"dim": 8, "window": 3, "min_count": 1, "x_max": 5.0}


def of_negative_sampling(model):
    """ln 2 for the target, and for each of 5 noise words that is another word."""
    vocabulary = model.vocabulary
    target = vocabulary.counts / vocabulary.counts.sum()
    noise = vocabulary.counts**0.75 / (vocabulary.counts**0.75).sum()
    return (1 + 5 * (1 - target @ noise)) * math.log(2)


def of_a_tree(model):
    """ln 2 for each node on the way to the target."""
    vocabulary = model.vocabulary
    target = vocabulary.counts / vocabulary.counts.sum()
    return target @ np.diff(vocabulary.huffman_tree().starts) * math.log(2)


def of_a_piece(model):
    """ln V: the real entries alone, not the rows that pad the table."""
    return math.log(model.pieces.n_entries)


def of_a_piece_and_a_pair(model):
    """ln V + ln 2."""
    return of_a_piece(model) + math.log(2)


def of_a_word(model):
    """ln V, each way."""
    return math.log(len(model.vocabulary))


def of_a_sampled_word(model):
    """-ln of the share that the target has among itself and the sample, each weighed by how seldom it is drawn."""
    from firth.objectives import log_uniform_sample

    rng, n_words = np.random.default_rng(0), len(model.vocabulary)
    counts = model.vocabulary.counts * (np.arange(n_words) > 0)  # of the targets of one direction: no <S>
    ranks = np.arange(n_words)
    chance = np.log((ranks + 2) / (ranks + 1)) / np.log(n_words + 1)
    nats = 0.0
    for _ in range(500):
        sample, n_draws = log_uniform_sample(rng, model.family.negatives, n_words)
        seldom = -1 / np.expm1(n_draws * np.log1p(-chance))
        rivals = seldom[sample].sum() - seldom * np.isin(ranks, sample)
        nats += (counts / counts.sum()) @ np.log1p(rivals / seldom) / 500
    return nats


def of_pairs_counted(model):
    """Half of f(x) (log x)^2: vectors and biases are all but 0."""
    counts = Counter()
    for words in map(str.split, TEXT):
        for place, word in enumerate(words):
            for d in range(1, min(4, len(words) - place)):
                counts[word, words[place + d]] += 1 / d
                counts[words[place + d], word] += (model.family.context == "symmetric") / d
    x = np.array([count for count in counts.values() if count])
    return (np.minimum(1, (x / 5) ** 0.75) * np.log(x) ** 2 / 2).mean()


STATIC = {
    "skipgram": Case(firth.Skipgram(**WORD2VEC), 1, of_negative_sampling),
    "skipgram-fixed": Case(firth.Skipgram(**WORD2VEC, window_widths="fixed"), 1, of_negative_sampling),
    "skipgram-tree": Case(firth.Skipgram(**WORD2VEC, **TREE), 1, of_a_tree),
    "cbow": Case(firth.CBOW(**WORD2VEC), 1, of_negative_sampling),
    "cbow-divided": Case(firth.CBOW(**WORD2VEC, context_gradient="divided"), 1, of_negative_sampling),
    "cbow-sum": Case(firth.CBOW(**WORD2VEC, combine="sum"), 1, of_negative_sampling),
    "cbow-tree": Case(firth.CBOW(**WORD2VEC, **TREE), 1, of_a_tree),
    "cbow-tree-divided": Case(firth.CBOW(**WORD2VEC, **TREE, context_gradient="divided"), 1, of_a_tree),
    "skipgram-subwords": Case(firth.Skipgram(**WORD2VEC, **SUBWORDS), 1, of_negative_sampling),
    "skipgram-subwords-hashes": Case(firth.Skipgram(**WORD2VEC, **SUBWORDS, hashes=2), 1, of_negative_sampling),
    "cbow-subwords": Case(firth.CBOW(**WORD2VEC, **SUBWORDS), 1, of_negative_sampling),
    "cbow-subwords-tree": Case(firth.CBOW(**WORD2VEC, **SUBWORDS, **TREE), 1, of_a_tree),
    "glove": Case(firth.GloVe(**GLOVE), 1, of_pairs_counted),
    "glove-left": Case(firth.GloVe(**GLOVE, context="left"), 1, of_pairs_counted),
    "glove-words": Case(firth.GloVe(**GLOVE, result="words"), 1, of_pairs_counted),
}
CONTEXTUAL = {}
if importlib.util.find_spec("torch") is not None:
    TRANSFORMER = {"dim": 16, "n_layers": 2, "n_heads": 2, "n_positions": 16, "context_length": 16, "batch_size": 4}
    TRANSFORMER |= {"vocabulary_size": 256, "learning_rate": 0.02}
    BOTH = {"objective": "masked_token_and_next_sentence"}
    ELMO = {"dim": 32, "cell_dim": 32, "n_layers": 2, "character_dim": 4, "filters": ((1, 4), (2, 8), (3, 8))}
    ELMO |= {"n_highway": 1, "max_characters": 12, "min_count": 1, "context_length": 8, "batch_size": 4}
    ELMO |= {"learning_rate": 0.02}
    PAPER = ELMO | {"directions": "independent", "block_optimizer": "adagrad", "learning_rate": 0.2, "clip": 0.5}
    UNCLIPPED = {"cell_clip": None, "projection_clip": None}
    CONTEXTUAL = {
        "elmo": Case(firth.ELMo(**ELMO), 3, of_a_word),
        "elmo-paper": Case(firth.ELMo(**PAPER, dropout=0.1), 3, of_a_word),
        "elmo-sampled": Case(
            firth.ELMo(**ELMO, objective="sampled", negatives=4, block_optimizer="muon"), 3, of_a_sampled_word
        ),
        "elmo-library": Case(firth.ELMo(**ELMO, **UNCLIPPED, lstm="library"), 3, of_a_word),
        "gpt": Case(firth.GPT(**TRANSFORMER), 3, of_a_piece),
        "gpt2": Case(firth.GPT(**TRANSFORMER, norm="pre"), 3, of_a_piece),
        "gpt-dropout": Case(firth.GPT(**TRANSFORMER, dropout=0.1, attention_dropout=0.1), 3, of_a_piece),
        "gpt-adam": Case(firth.GPT(**TRANSFORMER, block_optimizer="adam"), 3, of_a_piece),
        "bert": Case(firth.BERT(**TRANSFORMER), 3, of_a_piece),
        "bert-both": Case(firth.BERT(**TRANSFORMER, **BOTH), 3, of_a_piece_and_a_pair),
        "bert-uncorrected": Case(
            firth.BERT(**TRANSFORMER, adam="uncorrected", block_optimizer="adam", beta2=0.98), 3, of_a_piece
        ),
    }
FAMILIES = STATIC | CONTEXTUAL
VARIANTS = (  # of which a sibling is there
    *("skipgram-subwords-hashes", "cbow-subwords-tree"),
    *("elmo-paper", "elmo-library", "gpt-dropout", "gpt-adam", "bert-uncorrected"),
)


def parameters(cases):
    """The cases, those of VARIANTS for `make test-all` alone."""
    return [
        pytest.param(case, id=name, marks=[pytest.mark.slow] if name in VARIANTS else [])
        for name, case in cases.items()
    ]


TEXT = ["the cat sat on the mat", "the dog sat on the log", "", "a cat and a dog", "on the mat a cat sat"] * 12


@pytest.fixture(params=parameters(FAMILIES))
def case(request):
    return request.param


@pytest.fixture
def family(case):
    return case.family


@pytest.fixture(params=STATIC.values(), ids=STATIC.keys())
def static(request):
    return request.param.family


@pytest.fixture(params=parameters(CONTEXTUAL))
def contextual(request):
    return request.param.family


def trained(family, text=TEXT, **changes):
    arguments = {"epochs": 4, "threads": 1, "seed": 7} | changes
    return firth.train(family, text, **arguments)


def learnt(folder):
    """The files of a model's directory, byte for byte, but for those that say when and how fast it came about."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name not in ("firth.json", "log.jsonl")]
    return {path.relative_to(folder): path.read_bytes() for path in files}


def test_the_first_loss_is_known(case):
    still = replace(case.family, learning_rate=1e-12, final_learning_rate=1e-12)  # every step is a first step
    model = trained(still)
    assert model.record["mean_loss_nats"] == pytest.approx(case.first_loss_nats(model), rel=0.05)


def test_training_learns(family):
    epochs = 20 if family.name in ("elmo", "gpt", "bert") else 60
    model, beginner = trained(family, epochs=epochs), trained(family, epochs=0.5)
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
    assert loaded.vectors.words == model.vectors.words
    assert loaded.vectors.segmentation == model.vectors.segmentation
    assert loaded.record == model.record
    assert loaded.log == model.log
    np.testing.assert_array_equal(loaded.table(), model.table())
    np.testing.assert_array_equal(loaded.vectors.array, model.vectors.array)
    np.testing.assert_array_equal(loaded.vectors.counts, model.vectors.counts)
    loaded.save(tmp_path / "again")
    assert learnt(tmp_path / "again") == learnt(tmp_path / "model")


def test_an_interrupted_run_goes_on_as_if_unbroken(static, tmp_path, monkeypatch, ctrl_c_in_step):
    monkeypatch.setattr("firth.windows.BATCH_TOKENS", 50)  # so that they are broken off within a pass
    unbroken = trained(static, output=tmp_path / "unbroken")
    with ctrl_c_in_step(static, 8), pytest.raises(KeyboardInterrupt):
        trained(static, output=tmp_path / "model")
    check_going_on(static, unbroken, tmp_path)


def test_an_interrupted_contextual_run_goes_on_as_if_unbroken(contextual, tmp_path, monkeypatch):
    unbroken = trained(contextual, output=tmp_path / "unbroken")
    loss, calls = type(contextual).loss, itertools.count()

    def interrupted_loss(*arguments):
        if next(calls) == 9:
            raise KeyboardInterrupt
        return loss(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(type(contextual), "loss", interrupted_loss)
        with pytest.raises(KeyboardInterrupt):
            trained(contextual, output=tmp_path / "model")
    check_going_on(contextual, unbroken, tmp_path)


def check_going_on(family, unbroken, tmp_path):
    """That the run broken off in `model` ends as the one in `unbroken` did."""
    unfinished = firth.load(tmp_path / "model")
    assert unfinished.record["finished"] is False
    assert 0 < unfinished.record["spent"]["tokens"] < unbroken.record["spent"]["tokens"]
    assert unfinished.table()[5].shape == (family.dim,)
    if family.name in CONTEXTUAL_FAMILIES:
        with pytest.raises(firth.FirthError, match="firth matrices MODEL --corpus CORPUS"):
            _ = unfinished.vectors
        with pytest.raises(firth.FirthError, match=r"firth matrices .* --corpus CORPUS"):
            firth.Vectors.load(tmp_path / "model")
    else:
        assert unfinished.vectors[unfinished.vectors.words[5]].shape == (family.dim,)
    resumed = trained(family, output=tmp_path / "model", resume=True)
    np.testing.assert_array_equal(resumed.vectors.array, unbroken.vectors.array)
    assert not (tmp_path / "model" / "checkpoint").exists()
    assert learnt(tmp_path / "model") == learnt(tmp_path / "unbroken")
    for result in ("loss_nats", "mean_loss_nats"):
        assert resumed.record[result] == unbroken.record[result]
    for spent in ("tokens", "n_pairs"):
        assert resumed.record["spent"][spent] == unbroken.record["spent"][spent]
    assert resumed.record["finished"] is True


def rows_of(model, word):
    """Of its table: that of the word, or those of its pieces behind a space."""
    if model.family.name in ("gpt", "bert"):
        return model.pieces.encode([f" {word}"])[0]
    return [model.vocabulary.row(word)]


def test_its_first_matrix_is_behind_the_one_hot_input(case):
    model = trained(case.family)
    one_hot = np.zeros(len(model.table()), np.float32)
    one_hot[5] = 1
    word = model.vectors.words[5]
    of_word = model.table()[rows_of(model, word)].mean(0)
    np.testing.assert_allclose(model.vectors.layer(0)[word], of_word, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(one_hot @ model.table(), model.table()[5])
    assert model.vectors.array.shape == (case.n_matrices, len(model.vectors.words), case.family.dim)


def test_a_model_serves_queries_as_its_corpus_was_treated(static):
    model = trained(static, ["我 今天 好 开心", "你 今天 好 忙"] * 20, epochs=1)
    assert model.segmentation == Segmentation(method="space")
    assert model.segmentation.words("我 今天 好 开心") == ["我", "今天", "好", "开心"]
    assert all(word in model.vectors for word in model.segmentation.words("我 今天 好 开心"))


def test_it_is_a_value(family):
    assert replace(family, learning_rate=0.5) != family
    assert replace(replace(family, learning_rate=0.5), learning_rate=family.learning_rate) == family
    assert from_settings(FAMILY_CLASSES, settings(family)) == family
    assert {field.name for field in fields(family)} >= {"dim", "learning_rate", "final_learning_rate"}


def test_it_answers_gensims_names(family):
    with pytest.raises(firth.UsageError, match="vector_size is called dim here"):
        type(family)(vector_size=100)
    with pytest.raises(TypeError, match="no_such_thing"):
        type(family)(no_such_thing=1)


@pytest.mark.parametrize("preset", ["tiny", "mini", "small", "medium", "base", "paper"])
def test_it_comes_in_sizes(family, preset):
    assert isinstance(getattr(type(family), preset)(), type(family))


def test_the_wider_the_network_the_lower_its_rate(contextual):
    family = type(contextual)
    sizes = [getattr(family, size)() for size in ("tiny", "mini", "small", "medium", "base")]
    assert [size.dim for size in sizes] == sorted(size.dim for size in sizes)
    rates = [size.highest_rate for size in sizes]
    assert rates == [rates[1] * 256 / size.dim for size in sizes]
    mini = family.mini()
    assert mini.rate(mini.warmup) == mini.highest_rate == {"bert": 1.4e-3, "elmo": 8e-3, "gpt": 4e-3}[mini.name]
    assert mini.rate(1.0) == pytest.approx(0.05 * mini.highest_rate)
    assert {group["lr"] for group in mini.optimizer(mini.network(64, 0)).param_groups} == {mini.highest_rate}
    told = replace(mini, learning_rate=0.5)
    assert (told.highest_rate, told.rate(1.0)) == (0.5, pytest.approx(0.025))
    assert replace(mini, dim=128).by_recipe("fast").highest_rate == 2 * mini.highest_rate
    assert mini.by_recipe("paper").highest_rate == family.paper().learning_rate
    of_paper = (0.2, "adagrad") if mini.name == "elmo" else (0.0, "adam")
    assert (family.paper().rate(1.0), family.paper().block_optimizer) == of_paper


def test_a_trained_network_is_gone_on_with_in_short_steps(contextual):
    family = type(contextual).small()
    more = family.going_on()
    assert (more.block_optimizer, more.highest_rate) == ("adam", pytest.approx(1e-4 * 768 / family.dim))
    assert more.going_on() == more
    told = replace(family, learning_rate=1e-3)
    assert told.going_on() == told


def example(family):
    """A batch, as tensors: pairs, or texts that fill their rows; every third token is hidden."""
    import torch

    from firth.families.bert import Batch
    from firth.sequences import TokenBatch

    if family.name == "elmo":
        return spelt_example()
    ids = torch.randint(5, 70, (4, 16), generator=torch.Generator().manual_seed(0))
    if family.name == "gpt":
        return TokenBatch(ids, torch.tensor([16, 9, 12, 16]), 53)
    masked = torch.arange(1, 64, 3)
    targets, weights = ids.flatten()[masked], torch.ones(len(masked))
    ids = ids.flatten().index_fill(0, masked, 4).view(4, 16)
    if not family.predicts_next_sentence:
        return Batch(ids, None, None, None, None, masked, targets, weights, None, 64)
    segments, follows = (torch.arange(16) > 7).long().expand(4, 16), torch.tensor([0, 1, 1, 0])
    return Batch(ids, segments, torch.full((4,), 16), None, None, masked, targets, weights, follows, 64)


def spelt_example():
    """20 words of 3 to 10 bytes, read and predicted in any order; what comes after a row's end counts nothing."""
    import torch

    from firth.characters import Characters
    from firth.families.elmo import Batch

    generator = torch.Generator().manual_seed(0)
    characters = torch.from_numpy(Characters(12).table([f"word{number**4}"[: 3 + number % 8] for number in range(20)]))
    read = torch.randint(0, 20, (2, 4, 8), generator=generator)
    targets = torch.randint(0, 70, (2, 4, 8), generator=generator)
    weights = (torch.arange(8) < torch.tensor([8, 5, 6, 8])[:, None]).float()
    return Batch(characters, *read, *targets, weights, None, None, 27)


def without_dropout(family, **changes):
    dropouts = {name: 0.0 for name in ("dropout", "attention_dropout") if hasattr(family, name)}
    return replace(family, **dropouts, **{name: value for name, value in changes.items() if hasattr(family, name)})


def test_one_batch_is_learnt_by_heart(contextual):
    import torch

    family = without_dropout(contextual)
    network, batch = family.network(70, seed=0), example(family)
    optimizer = family.optimizer(network)
    first = family.loss(network, batch).mean.item()
    due = math.log(70) + (math.log(2) if getattr(family, "predicts_next_sentence", False) else 0)
    assert first == pytest.approx(due, rel=0.05)
    for _ in range(500 if family.block_optimizer == "adagrad" else 150):
        family.loss(network, batch).mean.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), family.longest_gradient)
        optimizer.step()
        optimizer.zero_grad()
    assert family.loss(network, batch).mean.item() < 0.05 * first


def test_its_gradient_is_the_derivative(contextual):
    """In float64, along a random direction of all weights that are trained."""
    import torch

    family = without_dropout(contextual, deviation=0.5)
    network, batch = family.network(70, seed=0).double(), example(family)
    family.loss(network, batch).mean.backward()
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    generator = torch.Generator().manual_seed(1)
    directions = [torch.randn(weight.shape, generator=generator, dtype=torch.float64) for weight in weights]
    along = sum((weight.grad * way).sum() for weight, way in zip(weights, directions, strict=True))
    losses = []
    with torch.no_grad():
        for step in (1e-6, -2e-6):
            for weight, way in zip(weights, directions, strict=True):
                weight += step * way
            losses.append(family.loss(network, batch).mean)
    assert ((losses[0] - losses[1]) / 2e-6).item() == pytest.approx(along.item(), rel=1e-5)


def test_the_state_of_a_network_has_short_names(contextual):
    names = list(contextual.network(70, seed=0).state_dict())
    assert names[:2] == (["table", "output_bias"] if contextual.name == "elmo" else ["table", "positions"])
    assert all(len(name) <= len("encoder.highways.0.weight") for name in names)
