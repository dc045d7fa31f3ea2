"""GPT: what its network sees, what its loss asks, how it is trained."""

import math
from dataclasses import replace
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")

from firth.errors import UsageError  # noqa: E402
from firth.families.family import scheduled_rate  # noqa: E402
from firth.families.gpt import GPT  # noqa: E402

SMALL = GPT(dim=16, n_layers=2, n_heads=2, n_positions=12, context_length=8, deviation=0.5)
LAYOUTS = {"gpt": SMALL, "gpt2": replace(SMALL, norm="pre", inner_dim=24, activation="gelu")}
V, B, T = 70, 3, 8


@pytest.fixture(params=LAYOUTS)
def family(request):
    return LAYOUTS[request.param]


@pytest.fixture
def network(family):
    return family.network(V, 0).double()


def batch_of(lengths=None):
    ids = torch.randint(0, V, (B, T), generator=torch.Generator().manual_seed(2))
    return SimpleNamespace(ids=ids, lengths=lengths)


def test_the_network_makes_a_matrix_for_each_layer(family, network):
    layers = network(batch_of().ids)
    assert [tuple(layer.shape) for layer in layers] == [(B, T, 16)] * 3
    torch.testing.assert_close(layers[-1].mean(-1), torch.zeros(B, T, dtype=torch.float64))  # normalised
    assert (layers[0].mean(-1).abs() > 1e-3).any()  # as the tables have it


def test_no_position_sees_a_later_one(network):
    ids = batch_of().ids
    changed = ids.clone()
    changed[:, 5] = (changed[:, 5] + 1) % V
    for first, second in zip(network(ids), network(changed), strict=True):
        torch.testing.assert_close(first[:, :5], second[:, :5], rtol=0, atol=0)
        assert (first[:, 5:] != second[:, 5:]).any()


def test_texts_that_share_a_row_are_what_they_are_apart(network):
    ids = batch_of().ids[:1]
    documents, positions = torch.tensor([[0, 0, 0, 1, 1, 1, 1, 1]]), torch.tensor([[0, 1, 2, 0, 1, 2, 3, 4]])
    together = network(ids, documents=documents, positions=positions)
    for layer, first, second in zip(together, network(ids[:, :3]), network(ids[:, 3:]), strict=True):
        torch.testing.assert_close(layer, torch.cat([first, second], 1))


def test_the_loss_is_each_tokens_after_those_before_it(family, network):
    batch = batch_of()
    loss = family.loss(network, batch)
    hidden = network(batch.ids)[-1]
    scores = hidden @ network.table[:V].T
    due = -scores.log_softmax(-1)[:, :-1].gather(2, batch.ids[:, 1:, None]).mean()
    torch.testing.assert_close(loss.mean, due)
    assert list(loss.parts) == ["next_token"]
    assert loss.n_predictions == B * (T - 1)


def test_padding_neither_predicts_nor_is_predicted(family, network):
    batch = batch_of(torch.tensor([8, 3, 2]))
    loss = family.loss(network, batch)
    apart = [family.loss(network, SimpleNamespace(ids=batch.ids[row : row + 1, :n], lengths=None)) for row, n in
             enumerate((8, 3, 2))]  # fmt: skip
    torch.testing.assert_close(loss.mean, sum(one.mean * one.n_predictions for one in apart) / 10)
    assert loss.n_predictions == 10


def test_every_weight_has_the_derivative_as_gradient(family, network):
    batch = batch_of(torch.tensor([8, 3, 5]))
    family.loss(network, batch).mean.backward()
    step = 1e-6
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            direction = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
            parameter += step * direction
            above = family.loss(network, batch).mean
            parameter -= 2 * step * direction
            below = family.loss(network, batch).mean
            parameter += step * direction
            along = (parameter.grad * direction).sum().item()
            assert ((above - below) / (2 * step)).item() == pytest.approx(along, rel=1e-4, abs=1e-7), name


def test_a_seed_repeats_and_draws_nothing_else(family):
    state = torch.get_rng_state()
    first, second, other = (family.network(V, seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    for name, parameter in first.state_dict().items():
        assert torch.equal(parameter, second.state_dict()[name])
    assert not torch.equal(first.table, other.table)


def test_gpt_2_begins_with_small_steps():
    wide = replace(SMALL, dim=128, n_layers=8, deviation=0.02)
    first, second = (replace(wide, norm=norm).network(V, 0) for norm in ("post", "pre"))
    block, other = first.blocks[3], second.blocks[3]
    for name in ("qkv", "up"):
        assert torch.equal(getattr(block, name).weight, getattr(other, name).weight)
    for name in ("out", "down"):  # 2 L = 16 of them write into the sum
        torch.testing.assert_close(getattr(block, name).weight / 4, getattr(other, name).weight)


def test_the_files_of_gpt_1_have_no_place_for_other_blocks():
    for changes in ({"activation": "gelu"}, {"inner_dim": 24}):
        with pytest.raises(UsageError, match=r"the files of GPT-1.*those of GPT-2"):
            replace(SMALL, **changes)
        assert replace(SMALL, norm="pre", **changes).norm == "pre"
    assert replace(SMALL, inner_dim=64).inner_dim == 64
    with pytest.raises(UsageError, match="norm is 'none'; there are 'post', 'pre'"):
        replace(SMALL, norm="none")


def test_the_paper_is_as_published():
    paper = GPT.paper()
    assert (paper.dim, paper.n_layers, paper.n_heads, paper.norm) == (768, 12, 12, "post")
    assert (paper.batch_size, paper.context_length, paper.vocabulary_size) == (64, 512, 40478)
    assert (paper.dropout, paper.attention_dropout) == (0.1, 0.1)
    assert (paper.learning_rate, paper.schedule, paper.weight_decay) == (2.5e-4, "cosine", 0.01)
    # as many weights as the model that OpenAI published: 116,534,784
    small = replace(paper, n_layers=1).network(64, 0)
    block = sum(x.numel() for x in small.blocks.parameters())
    n_weights = sum(x.numel() for x in small.parameters())
    assert n_weights + (40478 - 64) * 768 + 11 * block == 116_534_784


def test_the_recipe_changes_how_it_is_trained_alone():
    mini = GPT.mini()
    paper = mini.by_recipe("paper")
    for name in ("dim", "n_layers", "n_heads", "inner_dim", "n_positions", "norm", "activation", "norm_epsilon"):
        assert getattr(paper, name) == getattr(mini, name)
    assert paper != mini
    assert paper.by_recipe("fast") == mini
    with pytest.raises(UsageError, match="recipe 'slow' asked for"):
        mini.by_recipe("slow")


def test_flops_are_counted_as_they_are_made():
    base = GPT.base()
    weights = 12 * 12 * 768**2 + 40512 * 768  # with the rows that pad the table
    assert base.flops_per_token(40478) == pytest.approx(6 * weights + 6 * 12 * 768 * base.context_length)


def test_decay_is_decoupled_and_of_matrices_alone():
    network = SMALL.network(V, 0)
    before = {name: x.detach().clone() for name, x in network.named_parameters()}
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    SMALL.optimizer(network).step()
    for name, parameter in network.named_parameters():
        share = 1 - SMALL.highest_rate * SMALL.weight_decay if parameter.ndim > 1 else 1.0
        torch.testing.assert_close(parameter.detach(), share * before[name])


@pytest.mark.parametrize(
    ("schedule", "due"),
    [
        ("linear", {0.0: 0.0, 0.05: 0.5, 0.1: 1.0, 0.55: 0.55, 1.0: 0.1, 1.2: 0.1}),
        ("cosine", {0.05: 0.5, 0.1: 1.0, 0.325: 0.1 + 0.9 * (1 + math.sqrt(0.5)) / 2, 0.55: 0.55, 1.0: 0.1}),
        ("hold", {0.05: 0.5, 0.1: 1.0, 0.5: 1.0, 0.8: 1.0, 0.9: 0.55, 1.0: 0.1}),
    ],
)
def test_the_rate_follows_the_budget(schedule, due):
    family = replace(SMALL, learning_rate=1.0, final_learning_rate=0.1, warmup=0.1, schedule=schedule)
    for fraction, rate in due.items():
        assert family.rate(fraction) == scheduled_rate(family, fraction) == pytest.approx(rate)
    assert replace(family, warmup=0.0).rate(0.0) == 1.0


def test_rows_that_pad_the_table_stay_0():
    family = replace(SMALL, weight_decay=0.5)
    network = family.network(V, 0)
    optimizer = family.optimizer(network)
    for _ in range(3):
        family.loss(network, batch_of()).mean.backward()
        optimizer.step()
    assert network.table.shape == (128, 16)
    assert network.table[V:].eq(0).all()
    assert network.table[:V].ne(0).any(1).all()
