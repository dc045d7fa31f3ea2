"""What a task's network leaves out changes nothing that it answers or learns."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("tokenizers")

import firth  # noqa: E402
from firth import descent, devices, tuning  # noqa: E402
from firth.bodies import Blocks  # noqa: E402
from firth.model import Model  # noqa: E402
from firth.pieces import train_pieces  # noqa: E402
from firth.tuning import Stream, TaskNetwork, Tuning, batch_of  # noqa: E402

LINES = ["the film was good", "a sad play", "so very great a role and so bad a film", "sad"]
PAIRS = [(one, other) for one, other in zip(LINES, LINES[::-1], strict=True)]
SIZES = {"n_layers": 3, "dim": 16, "n_heads": 2, "n_positions": 32, "context_length": 32}


@pytest.fixture(autouse=True)
def one_thread():
    with devices.on_threads(1):
        yield


@pytest.fixture(scope="module")
def model():
    pieces = train_pieces(LINES * 20, "wordpiece", size=96, cased=False, seed=1)
    given = firth.BERT(**SIZES)
    return Model(given, pieces, given.network(pieces.n_entries, 1).eval(), {})


def network_of(model, **settings):
    given = Tuning(**({"task": "classify", "n_outputs": 2, "pool": "cls", "layers": "last"} | settings))
    return TaskNetwork(given, Blocks(model, context_length=None, seed=1), 1)


def batch_for(network, inputs):
    rows = network.body.encode(inputs, tags=False)
    return descent.tensors(batch_of(rows, range(len(inputs)), [number % 2 for number in range(len(inputs))]))


@pytest.mark.parametrize("task", ["classify", "pair"])
def test_the_first_position_alone_gives_the_same_scores_and_gradients(task, model):
    network = network_of(model, task=task)
    batch = batch_for(network, PAIRS if task == "pair" else [(line,) for line in LINES])
    assert network.reads_first
    found = []
    for reads_first in (True, False):
        network.reads_first = reads_first
        network.zero_grad()
        network.eval()
        loss = network.given.loss(network, batch)
        loss.mean.backward()
        scores = network(batch)[0].detach()
        found.append((scores, {name: w.grad for name, w in network.named_parameters() if w.grad is not None}))
    (scores, gradients), (all_scores, all_gradients) = found
    torch.testing.assert_close(scores, all_scores, rtol=1e-5, atol=1e-6)
    assert gradients.keys() == all_gradients.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, all_gradients[name], rtol=1e-4, atol=1e-6, msg=name)


def test_the_last_layer_is_computed_where_it_is_read(model):
    """Of one text 5 positions wide: the inner product of the last block sees 1 of them, or all."""
    seen = []
    for settings in ({}, {"pool": "mean"}, {"layers": "0,3"}, {"head": "cnn"}):
        network = network_of(model, **settings)
        block = network.body.network.blocks[-1]
        block.up.register_forward_hook(lambda module, given, result: seen.append(given[0].shape[:-1].numel()))
        batch = batch_for(network, [(LINES[1],)])
        network(batch)
        assert batch.ids.numel() > 1
        seen[-1] = seen[-1] == batch.ids.numel()
    assert seen == [False, True, True, True]


@pytest.mark.parametrize("n_pooled", [1, 50])
def test_a_pass_has_every_row_once_and_batches_of_like_length_where_they_are_sorted(n_pooled, model, monkeypatch):
    monkeypatch.setattr(tuning, "POOL_BATCHES", n_pooled)
    network = network_of(model)
    rng = np.random.default_rng(3)
    inputs = [(" ".join(["film"] * int(n)),) for n in rng.integers(1, 20, 64)]
    rows = network.body.encode(inputs, tags=False)
    stream = Stream(rows, [0] * 64, 8, 1, np.arange(64))
    batches = [stream.batch(number) for number in range(stream.n_batches)]
    assert sorted(length for batch in batches for length in batch.lengths) == sorted(map(len, rows.ids))
    waste = 1 - sum(batch.n_tokens for batch in batches) / sum(batch.ids.size for batch in batches)
    assert waste < 0.12 if n_pooled == 50 else waste > 0.25
