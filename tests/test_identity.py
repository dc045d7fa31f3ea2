"""A word's vector is the row that its one-hot picks from a weight matrix: by hand, and in every family."""

import numpy as np
import pytest

import firth

torch = pytest.importorskip("torch")

VOCABULARY = ["他", "我", "今天", "好", "开心"]
SENTENCE = ["我", "今天", "好", "开心"]
Q = np.eye(5, dtype=np.float32)[1:]
M = np.random.default_rng(1).standard_normal((5, 3)).astype(np.float32)

TEXT = ["我 今天 好 开心", "他 今天 好 开心", "我 开心", "他 开心", "今天 好", "他 好"] * 20
WORDS = {"dim": 8, "window": 3, "min_count": 1}
SMALL = {"block": 8, "noise_pool": 4, "sample": 0.0}
BLOCKS = {"dim": 16, "n_layers": 4, "n_heads": 2, "n_positions": 16, "context_length": 16, "batch_size": 4}
ELMO = {"dim": 16, "cell_dim": 16, "character_dim": 4, "filters": ((1, 8), (2, 8)), "n_highway": 1}
FAMILIES = {
    "cbow": firth.CBOW(**WORDS, **SMALL),
    "skipgram": firth.Skipgram(**WORDS, **SMALL),
    "glove": firth.GloVe(**WORDS),
    "elmo": firth.ELMo(**ELMO, min_count=1, batch_size=4),
    "gpt": firth.GPT(**BLOCKS),
    "bert": firth.BERT(**BLOCKS),
}
N_MATRICES = {"cbow": 1, "skipgram": 1, "glove": 1, "elmo": 3, "gpt": 5, "bert": 5}


@pytest.fixture(scope="module")
def models():
    return {name: firth.train(family, TEXT, tokens=3000, threads=1, seed=1) for name, family in FAMILIES.items()}


@pytest.fixture(params=FAMILIES)
def model(request, models):
    return models[request.param]


def rows_of(model, words):
    """The rows that a sentence picks: of words, or of the pieces that they are parted into."""
    if model.family.name in ("gpt", "bert"):
        return model.pieces.encode([" ".join(words)])[0]
    return [model.vocabulary.row(word) for word in words]


# --- the classic example


def test_the_product_is_rows_2_to_5_counted_from_1():
    assert [VOCABULARY[row] for row in Q.argmax(axis=1)] == SENTENCE
    assert Q.shape == (4, 5)
    np.testing.assert_array_equal(Q @ M, M[1:5])


def test_linear_on_one_hot_rows_is_the_lookup_and_learns_alike():
    linear = torch.nn.Linear(5, 3, bias=False)
    linear.weight.data = torch.from_numpy(M.T.copy())
    embedding = torch.nn.Embedding.from_pretrained(torch.from_numpy(M.copy()), freeze=False)
    product = linear(torch.from_numpy(Q))
    lookup = embedding(torch.tensor([VOCABULARY.index(word) for word in SENTENCE]))
    assert product.shape == (4, 3)
    assert torch.equal(product, lookup)
    assert torch.equal(product, torch.from_numpy(M[1:]))
    outer = torch.arange(12.0).reshape(4, 3)  # what comes back from the layers behind
    product.backward(outer)
    lookup.backward(outer)
    assert torch.equal(linear.weight.grad.T, embedding.weight.grad)
    np.testing.assert_array_equal(embedding.weight.grad, Q.T @ outer.numpy())
    assert not embedding.weight.grad[0].any()  # 他 was not met


# --- on the table of every family


def test_one_hot_times_the_table_is_the_lookup(model):
    table, rows = model.table(), rows_of(model, SENTENCE)
    one_hot = np.eye(len(table), dtype=np.float32)[rows]
    np.testing.assert_array_equal(one_hot @ table, table[rows])
    assert len(rows) >= 4
    assert table.shape[1] == model.family.dim


def test_a_static_model_gives_the_rows_of_its_table(models):
    for name in ("cbow", "skipgram", "glove"):
        model = models[name]
        (found,) = firth.extract(model, [SENTENCE])
        product = np.eye(5, dtype=np.float32)[rows_of(model, SENTENCE)] @ model.table()
        np.testing.assert_array_equal(found.array[0], product)
        np.testing.assert_array_equal(model.vectors[SENTENCE], product)


def test_layer_0_of_elmo_is_its_table_wherever_a_word_stands(models):
    model = models["elmo"]
    (found,) = firth.extract(model, [SENTENCE])
    product = np.eye(len(model.table()), dtype=np.float32)[rows_of(model, SENTENCE)] @ model.table()
    np.testing.assert_allclose(found.array[0], product, atol=1e-5)


@pytest.mark.parametrize("name", ["gpt", "bert"])
def test_layer_0_of_blocks_is_made_of_the_product_and_is_not_it(models, name):
    model = models[name]
    network, rows = model.network.eval(), rows_of(model, SENTENCE)
    one_hot = torch.eye(len(network.table))[rows]
    with torch.inference_mode():
        layer_0 = network(torch.tensor([rows]))[0][0]
        product = one_hot @ network.table
        made = product + network.positions[: len(rows)]
        if name == "bert":
            made = network.norm(made + network.segments[0])
    torch.testing.assert_close(layer_0, made)
    assert (layer_0 - product).abs().max() > 1e-3


# --- how many


def test_how_many_matrices_each_family_leaves(model):
    n_matrices = N_MATRICES[model.family.name]
    (found,) = firth.extract(model, [SENTENCE])
    assert found.words == SENTENCE
    assert found.array.shape == (n_matrices, 4, model.family.dim)
    assert model.vectors.n_layers == n_matrices
    assert set(SENTENCE) <= set(model.vectors.words)


def test_matrix_0_is_the_table_with_pieces_pooled_to_words(model):
    for word in SENTENCE:
        lookup = model.table()[rows_of(model, [word])]
        np.testing.assert_allclose(model.vectors.layer(0)[word], lookup.mean(axis=0), atol=1e-6)


def test_base_leaves_13():
    model = firth.train(firth.BERT(**BLOCKS | {"n_layers": 12}), TEXT, tokens=3000, threads=1, seed=1)
    (found,) = firth.extract(model, [SENTENCE])
    assert firth.BERT.base().n_layers == 12
    assert len(found.array) == model.vectors.n_layers == 13


def test_from_layer_1_on_a_vector_depends_on_its_company(models):
    for name in ("elmo", "gpt", "bert"):
        me, him = firth.extract(models[name], [["我", "开心"], ["他", "开心"]])
        np.testing.assert_allclose(me.array[0][1], him.array[0][1], atol=1e-5)  # the same word in the same place
        for layer in range(1, N_MATRICES[name]):
            assert np.abs(me.array[layer][1] - him.array[layer][1]).max() > 1e-5
