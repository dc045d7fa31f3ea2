"""BERT: what its network sees, what its loss asks, how it is trained."""

import copy
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from firth.blocks import TransformerBlock  # noqa: E402
from firth.errors import UsageError  # noqa: E402
from firth.families.bert import BERT, Batch, _begins  # noqa: E402
from firth.optimizers import UncorrectedAdam  # noqa: E402

SMALL = BERT(dim=16, n_layers=2, n_heads=2, n_positions=12, context_length=8, deviation=0.5)
BOTH = replace(SMALL, objective="masked_token_and_next_sentence")
V, B, T = 70, 3, 8


def network_of(family, seed=0):
    return family.network(V, seed).double()


def batch_of(family, **changes):
    generator = torch.Generator().manual_seed(2)
    ids = torch.randint(5, V, (B, T), generator=generator)
    given = {
        "ids": ids,
        "segments": (torch.arange(T) > 3).long().expand(B, T),
        "lengths": torch.tensor([8, 6, 7]),
        "positions": None,
        "documents": None,
        "masked": torch.tensor([2, 9, 12, 18, 0]),
        "targets": torch.tensor([7, 69, 5, 40, 3]),
        "weights": torch.tensor([1.0, 1, 1, 1, 0], dtype=torch.float64),
        "next_sentence": torch.tensor([1, 0, 0]) if family.predicts_next_sentence else None,
        "n_tokens": 21,
    }
    return Batch(**(given | changes))


def gradients(family, network, batch):
    family.loss(network, batch).mean.backward()
    found = {name: x.grad for name, x in network.named_parameters() if x.grad is not None}
    network.zero_grad(set_to_none=True)
    return found


def test_the_network_makes_a_matrix_for_each_layer():
    layers = network_of(SMALL)(batch_of(SMALL).ids)
    assert [tuple(layer.shape) for layer in layers] == [(B, T, 16)] * 3
    for layer in layers:  # each normalised
        torch.testing.assert_close(layer.mean(-1), torch.zeros(B, T, dtype=torch.float64))


def test_every_position_sees_all_of_its_text():
    network, ids = network_of(SMALL), batch_of(SMALL).ids
    changed = ids.clone()
    changed[:, -1] = 5
    assert (network(ids)[1][:, 0] != network(changed)[1][:, 0]).any()
    lengths = torch.full((B,), T - 1)
    first, second = network(ids, lengths=lengths)[-1], network(changed, lengths=lengths)[-1]
    torch.testing.assert_close(first[:, :-1], second[:, :-1], rtol=0, atol=0)


def test_segments_and_positions_take_part():
    network, ids = network_of(SMALL), batch_of(SMALL).ids
    zeros = torch.zeros_like(ids)
    torch.testing.assert_close(network(ids)[-1], network(ids, zeros)[-1])
    assert not torch.equal(network(ids)[0], network(ids, zeros + 1)[0])
    columns = torch.arange(T).expand(B, T)
    torch.testing.assert_close(network(ids)[-1], network(ids, positions=columns)[-1])
    assert not torch.equal(network(ids)[0], network(ids, positions=columns + 1)[0])


def test_a_packed_row_is_what_its_texts_are_apart():
    """Loss and gradients of texts that share a row, and of the same texts a row each."""
    network = network_of(SMALL)
    generator = torch.Generator().manual_seed(3)
    texts = [torch.randint(5, V, (n,), generator=generator) for n in (5, 3, 6)]
    masked = [torch.tensor([1, 3]), torch.tensor([1]), torch.tensor([4, 1, 2])]
    targets = torch.tensor([6, 7, 8, 9, 10, 11])
    weights = torch.tensor([1, 1, 1, 1, 1, 0.0], dtype=torch.float64)
    apart = torch.zeros(3, T, dtype=torch.int64)
    for row, text in enumerate(texts):
        apart[row, : len(text)] = text
    unpacked = batch_of(
        SMALL,
        ids=apart,
        segments=None,
        lengths=torch.tensor([5, 3, 6]),
        masked=torch.cat([masked[0], masked[1] + T, masked[2] + 2 * T]),
        targets=targets,
        weights=weights,
    )
    packed = batch_of(
        SMALL,
        ids=torch.stack([torch.cat(texts[:2]), torch.cat([texts[2], torch.zeros(2, dtype=torch.int64)])]),
        segments=None,
        lengths=None,
        positions=torch.tensor([[0, 1, 2, 3, 4, 0, 1, 2], [0, 1, 2, 3, 4, 5, 0, 0]]),
        documents=torch.tensor([[0, 0, 0, 0, 0, 1, 1, 1], [0, 0, 0, 0, 0, 0, -1, -1]]),
        masked=torch.cat([masked[0], masked[1] + 5, masked[2] + T]),
        targets=targets,
        weights=weights,
    )
    torch.testing.assert_close(SMALL.loss(network, packed).mean, SMALL.loss(network, unpacked).mean)
    ours, due = gradients(SMALL, network, packed), gradients(SMALL, network, unpacked)
    assert ours.keys() == due.keys()
    for name, gradient in due.items():
        torch.testing.assert_close(ours[name], gradient)


def test_where_texts_begin():
    documents = np.array([[0, 0, 1, 1, 1, 2], [0, 0, 0, 0, 0, 0], [0, 0, 0, -1, -1, -1]])
    assert _begins(documents).tolist() == [[0, 2, 5, 6], [0, 6, 6, 6], [0, 3, 6, 6]]
    assert _begins(np.arange(5)[None]).tolist() == [[0, 1, 2, 3, 4, 5, 5, 5]]
    assert _begins(None) is None


@pytest.mark.parametrize("family", [SMALL, BOTH], ids=["masked", "both"])
def test_the_loss_is_that_of_all_positions_projected(family, monkeypatch):
    """The last block at the chosen positions alone changes neither the loss nor its gradients."""
    network, batch = network_of(family), batch_of(family)
    loss, found = family.loss(network, batch), gradients(family, network, batch)
    assert list(loss.parts) == ["masked_token", "next_sentence"][: len(loss.parts)]
    torch.testing.assert_close(loss.mean, sum(loss.parts.values()))
    assert loss.n_predictions == 4

    forward = TransformerBlock.forward

    def whole(self, x, seen, chosen=None):
        made = forward(self, x, seen)
        return made if chosen is None else made.flatten(0, 1)[chosen]

    monkeypatch.setattr(TransformerBlock, "forward", whole)
    torch.testing.assert_close(family.loss(network, batch).mean, loss.mean)
    for name, gradient in gradients(family, network, batch).items():
        torch.testing.assert_close(found[name], gradient)


def test_the_fillers_do_not_count():
    network = network_of(SMALL)
    loss = SMALL.loss(network, batch_of(SMALL)).mean
    other = batch_of(SMALL, targets=torch.tensor([7, 69, 5, 40, 11]), masked=torch.tensor([2, 9, 12, 18, 1]))
    torch.testing.assert_close(SMALL.loss(network, other).mean, loss)


@pytest.mark.slow
@pytest.mark.parametrize("family", [SMALL, BOTH], ids=["masked", "both"])
def test_every_weight_that_is_trained_has_the_derivative_as_gradient(family):
    network, batch = network_of(family), batch_of(family)
    found = gradients(family, network, batch)
    assert {name for name, x in network.named_parameters() if x.requires_grad} == set(found)
    assert ("pooler.weight" in found) == family.predicts_next_sentence
    step = 1e-6
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name not in found:
                continue
            direction = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
            parameter += step * direction
            above = family.loss(network, batch).mean
            parameter -= 2 * step * direction
            below = family.loss(network, batch).mean
            parameter += step * direction
            along = (found[name] * direction).sum().item()
            assert ((above - below) / (2 * step)).item() == pytest.approx(along, rel=1e-4, abs=1e-7), name


def test_a_seed_repeats_and_draws_nothing_else():
    state = torch.get_rng_state()
    first, second, other = (BOTH.network(V, seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    for name, parameter in first.state_dict().items():
        assert torch.equal(parameter, second.state_dict()[name])
    assert not torch.equal(first.table, other.table)
    assert first.table.abs().max() <= 2 * BOTH.deviation


def test_the_heads_that_are_not_trained_are_drawn():
    network = SMALL.network(V, 0)
    assert SMALL.untrained == ("pooler", "next")
    assert BOTH.untrained == ()
    both = BOTH.network(V, 0).state_dict()
    for name in ("pooler.weight", "next.weight"):
        weight = network.get_parameter(name)
        assert not weight.requires_grad
        assert weight.std() > 0.1
    for name, weight in network.state_dict().items():  # the seed draws the same whatever is trained
        assert torch.equal(weight, both[name])


def test_an_optimisers_state_is_kept():
    family = replace(SMALL, adam="uncorrected", block_optimizer="adam")
    network, batch = network_of(family), batch_of(family)
    adam = family.optimizer(network)

    def step(adam):
        family.loss(network, batch).mean.backward()
        adam.step()
        adam.zero_grad()

    step(adam)
    state, weights = copy.deepcopy(adam.state_dict()), copy.deepcopy(network.state_dict())
    step(adam)
    due = network.table.detach().clone()
    network.load_state_dict(weights)
    resumed = family.optimizer(network)
    resumed.load_state_dict(state)
    step(resumed)
    assert torch.equal(network.table, due)


def test_the_paper_is_as_published():
    paper = BERT.paper()
    assert (paper.dim, paper.n_layers, paper.n_heads) == (768, 12, 12)
    assert (paper.batch_size, paper.context_length, paper.vocabulary_size) == (256, 512, 30522)
    assert (paper.dropout, paper.attention_dropout, paper.masking_share) == (0.1, 0.1, 0.15)
    assert (paper.learning_rate, paper.warmup, paper.schedule) == (1e-4, 0.01, "linear")
    assert (paper.beta1, paper.beta2, paper.epsilon, paper.weight_decay) == (0.9, 0.999, 1e-6, 0.01)
    assert paper.predicts_next_sentence
    assert isinstance(paper.optimizer(replace(paper, dim=12, n_layers=1).network(9, 0)), UncorrectedAdam)
    # Devlin et al. 2019, section 3: 110 M weights, which count the pooler and no heads
    small = replace(paper, n_layers=1).network(64, 0)
    heads = ("transform", "output_bias", "next")
    n_weights = sum(x.numel() for name, x in small.named_parameters() if not name.startswith(heads))
    block = sum(x.numel() for x in small.blocks.parameters())
    assert n_weights + (30522 - 64) * 768 + 11 * block == 109_482_240


def test_the_recipe_changes_how_it_is_trained_alone():
    mini = BERT.mini()
    paper = mini.by_recipe("paper")
    for name in ("dim", "n_layers", "n_heads", "inner_dim", "n_positions", "activation", "norm_epsilon"):
        assert getattr(paper, name) == getattr(mini, name)
    assert paper != mini
    assert paper.by_recipe("fast") == mini
    with pytest.raises(UsageError, match="recipe 'slow' asked for; there are 'fast' and 'paper'"):
        mini.by_recipe("slow")


def test_flops_are_counted_as_they_are_made():
    """BERT-Base at 128: 85 M weights in the blocks, of whose last one 9/12 count for the hidden tokens alone."""
    base = replace(BERT.base(), n_layers=1, masking_share=0.15)
    block = 12 * 768**2
    head = 768 * (768 + 30528)
    due = 6 * (0.25 * block + 0.15 * (0.75 * block + head)) + 12 * 768 * 128
    assert base.flops_per_token(30522) == pytest.approx(due)
    twelve = replace(base, n_layers=12).flops_per_token(30522)
    assert twelve == pytest.approx(due + 11 * (6 * block + 12 * 768 * 128))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"dim": 15}, "dim is 15, which 2 heads cannot share"),
        ({"context_length": 13}, "context_length is 13, and the network has 12 positions"),
        ({"masking_share": 0.0}, "masking_share 0.0"),
        ({"objective": "next"}, "objective is 'next'; there are 'masked_token' and"),
        ({"masking_units": "letters"}, "masking_units is 'letters'"),
        ({"adam": "eve"}, "adam is 'eve'"),
        ({"activation": "swish"}, "activation is 'swish'; there are 'gelu', 'gelu_tanh', 'relu'"),
        ({"schedule": "step"}, "schedule is 'step'"),
        ({"dropout": 1.0}, "dropout is 1.0; it must be a share"),
        ({"warmup": -0.1}, "warmup is -0.1"),
        ({"learning_rate": 0.0}, "learning_rate 0.0"),
        ({"beta2": 1.0}, "beta2 1.0"),
        ({"clip": -1.0}, "clip is -1.0"),
        ({"block_optimizer": "sgd"}, "block_optimizer is 'sgd'; there are 'adam' and 'muon'"),
        ({"adam": "uncorrected"}, "adam 'uncorrected' is for all weights: it goes with block_optimizer 'adam'"),
        ({"muon_rate": 0.0}, "muon_rate is 0.0; it must be positive"),
        ({"muon_rate": float("inf")}, "muon_rate is inf"),
        ({"learning_rate": float("nan")}, "learning_rate nan"),
        ({"learning_rate": float("inf")}, "learning_rate inf"),
        ({"learning_rate": -0.1}, "learning_rate -0.1"),
        ({"final_learning_rate": -0.1}, "final_learning_rate -0.1"),
        ({"n_layers": 0}, "n_layers is 0; it must be at least 1"),
        ({"inner_dim": 0}, "inner_dim is 0"),
        ({"n_segments": 1, "objective": "masked_token_and_next_sentence"}, "n_segments is 1"),
        ({"n_positions": 8, "context_length": 8, "final_learning_rate": 1.0}, "final_learning_rate 1.0"),
    ],
)
def test_what_lies_outside_its_range_is_refused(changes, told):
    with pytest.raises(UsageError, match=told):
        replace(SMALL, **changes)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the compiler's own
def test_the_loss_compiles_into_one_graph():
    network, batch = BOTH.network(V, 0), batch_of(BOTH)
    batch = batch._replace(weights=batch.weights.float())

    def loss(network, batch):
        return BOTH.loss(network, batch).mean

    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(network, batch), loss(network, batch))
