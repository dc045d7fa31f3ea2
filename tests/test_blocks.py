"""The Transformer block and the softmax over a vocabulary, by hand and beside plain torch."""

import math
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from firth import blocks  # noqa: E402
from firth.blocks import TransformerBlock, Visible, attend, summed_cross_entropy, visible  # noqa: E402

PARTS = {"activation": "gelu", "norm_epsilon": 1e-5, "dropout": 0.0, "attention_dropout": 0.0}


def block_of(norm="post", dim=8, n_heads=2, inner_dim=12, **changes):
    block = TransformerBlock(dim, n_heads, inner_dim, norm=norm, **(PARTS | changes)).double()
    generator = torch.Generator().manual_seed(0)
    for parameter in block.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
    return block


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("norm", ["post", "pre"])
@pytest.mark.parametrize("causal", [False, True])
def test_a_block_is_torchs_encoder_layer(norm, causal):
    block = block_of(norm)
    layer = nn.TransformerEncoderLayer(
        8, 2, 12, dropout=0.0, activation="gelu", batch_first=True, norm_first=norm == "pre", dtype=torch.float64
    )
    theirs = {
        "self_attn.in_proj_weight": block.qkv.weight,
        "self_attn.in_proj_bias": block.qkv.bias,
        "self_attn.out_proj.weight": block.out.weight,
        "self_attn.out_proj.bias": block.out.bias,
        "linear1.weight": block.up.weight,
        "linear1.bias": block.up.bias,
        "linear2.weight": block.down.weight,
        "linear2.bias": block.down.bias,
        "norm1.weight": block.norm_1.weight,
        "norm1.bias": block.norm_1.bias,
        "norm2.weight": block.norm_2.weight,
        "norm2.bias": block.norm_2.bias,
    }
    layer.load_state_dict(theirs)
    x = random(3, 5, 8)
    hidden_from = torch.ones(5, 5, dtype=torch.bool).triu(1) if causal else None
    torch.testing.assert_close(block(x, visible(5, causal=causal)), layer(x, src_mask=hidden_from))


def test_attention_by_hand():
    """Two positions, one head of one dimension: scores 0 and log 3 weigh the values 1/4 and 3/4."""
    query = torch.tensor([[[[1.0]], [[0.0]]]])  # (1, 2, 1, 1)
    key = torch.tensor([[[[0.0]], [[math.log(3)]]]])
    value = torch.tensor([[[[4.0]], [[8.0]]]])
    whole = attend(query, key, value, Visible(), 0.0)
    torch.testing.assert_close(whole, torch.tensor([[[7.0], [6.0]]]))
    before = attend(query, key, value, Visible(causal=True), 0.0)
    torch.testing.assert_close(before, torch.tensor([[[4.0], [6.0]]]))


def test_padding_is_not_seen():
    block, x = block_of(), random(2, 6, 8)
    seen = visible(6, causal=False, lengths=torch.tensor([6, 4]))
    together = block(x, seen)
    torch.testing.assert_close(together[:1], block(x[:1], visible(6, causal=False)))
    torch.testing.assert_close(together[1:, :4], block(x[1:, :4], visible(4, causal=False)))
    x[1, 4:] = 1e3
    torch.testing.assert_close(block(x, seen)[1, :4], together[1, :4])


@pytest.mark.parametrize("causal", [False, True])
def test_texts_that_share_a_row_do_not_see_each_other(causal):
    block, x = block_of(), random(1, 7, 8)
    documents = torch.tensor([[0, 0, 0, 1, 1, -1, -1]])
    packed = block(x, visible(7, causal=causal, documents=documents))
    apart = torch.cat([block(x[:, a:b], visible(b - a, causal=causal)) for a, b in ((0, 3), (3, 5), (5, 7))], 1)
    torch.testing.assert_close(packed, apart)


@pytest.mark.parametrize("norm", ["post", "pre"])
def test_chosen_positions_alone_are_computed_equal(norm):
    block, x = block_of(norm), random(2, 5, 8)
    chosen = torch.tensor([0, 7, 7, 3])
    seen = visible(5, causal=False)
    whole = block(x, seen).flatten(0, 1)[chosen]
    assert block(x, seen, chosen).shape == (4, 8)
    torch.testing.assert_close(block(x, seen, chosen), whole)


@pytest.mark.parametrize("norm", ["post", "pre"])
def test_a_blocks_gradient_is_the_derivative(norm):
    block = block_of(norm)
    documents = torch.tensor([[0, 0, 1, 1], [0, 0, 0, -1]])
    x = random(2, 4, 8).requires_grad_()
    for seen in (visible(4, causal=True), visible(4, causal=False, documents=documents)):
        assert torch.autograd.gradcheck(lambda x, seen=seen: block(x, seen, torch.tensor([1, 6])), x)


@pytest.mark.parametrize(("capability", "runs"), [((7, 0), False), ((7, 5), False), ((8, 0), True), ((9, 0), True)])
def test_stretches_are_left_to_gpus_that_flash_attention_runs_on(monkeypatch, capability, runs):
    asked = []

    def properties(device):
        asked.append(device)
        return SimpleNamespace(major=capability[0], minor=capability[1])

    monkeypatch.setattr(blocks, "varlen_attn", varlen_by_hand)
    monkeypatch.setattr(torch.cuda, "get_device_properties", properties)
    second = torch.device("cuda", 1)
    assert blocks.has_varlen(second) is runs
    assert asked == [second]
    assert not blocks.has_varlen(torch.device("cpu"))


def varlen_by_hand(query, key, value, ends, other_ends, longest, other_longest, *, window_size):
    """What torch's varlen_attn does on CUDA: stretch by stretch, the tokens in one row."""
    assert torch.equal(ends, other_ends)
    assert ends.dtype == torch.int32
    assert ends[0] == 0
    assert ends[-1] == len(query)
    rows = torch.zeros_like(query)
    for start, stop in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True):
        assert 0 <= stop - start <= longest == other_longest
        if stop > start:
            parts = (x[start:stop].transpose(0, 1) for x in (query, key, value))
            rows[start:stop] = F.scaled_dot_product_attention(*parts, is_causal=window_size == (-1, 0)).transpose(0, 1)
    return rows


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("causal", [False, True])
def test_stretches_are_attended_as_cuda_does(monkeypatch, packed, causal):
    """The rows that the kernel for CUDA is given, on the CPU."""
    monkeypatch.setattr(blocks, "varlen_attn", varlen_by_hand)
    monkeypatch.setattr(blocks, "has_varlen", lambda device: True)
    lengths = torch.tensor([9, 5, 2])
    documents = torch.tensor([[0, 0, 0, 1, 1, 1, 2, 2, 2], [0, 0, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 1, 1, 1, 1, -1, -1]])
    begins = torch.tensor([[0, 3, 6, 9], [0, 9, 9, 9], [0, 3, 7, 9]])
    given_texts = {"documents": documents, "begins": begins} if packed else {"lengths": lengths}
    seen = visible(9, causal=causal, **given_texts)
    qkv = random(3, 9, 3, 2, 4).bfloat16().requires_grad_()
    query, key, value = qkv.unbind(2)
    if not packed and causal:
        assert seen == Visible(causal=True)  # padding comes last
        return
    assert seen.ends is not None
    ours = attend(query, key, value, seen, 0.0)
    by_mask = attend(query, key, value, seen._replace(ends=None), 0.0)
    is_text = documents >= 0 if packed else torch.arange(9) < lengths[:, None]
    torch.testing.assert_close(ours[is_text].float(), by_mask[is_text].float(), rtol=0.02, atol=0.02)
    slopes = [torch.autograd.grad(out[is_text].float().square().sum(), qkv)[0].float() for out in (ours, by_mask)]
    torch.testing.assert_close(*slopes, rtol=0.1, atol=0.1)


def test_without_where_texts_begin_a_mask_tells(monkeypatch):
    monkeypatch.setattr(blocks, "has_varlen", lambda device: True)
    documents = torch.zeros(2, 12, dtype=torch.int64)
    assert visible(12, causal=False, documents=documents).ends is None
    begins = torch.tensor([[0, 12], [0, 12]])
    assert visible(12, causal=False, documents=documents, begins=begins).ends.tolist() == [0, 12, 12, 24, 24]
    lengths = torch.tensor([12, 5])
    assert visible(12, causal=False, lengths=lengths).ends.tolist() == [0, 12, 12, 17, 24]


def test_dropout_is_there_in_training_alone():
    block = block_of(dropout=0.5, attention_dropout=0.5)
    x, seen = random(2, 5, 8), visible(5, causal=False)
    assert not torch.equal(block(x, seen), block(x, seen))
    block.eval()
    assert torch.equal(block(x, seen), block(x, seen))


def test_a_layer_norm_has_the_type_of_the_products_around_it():
    norm = blocks.LayerNorm(8)
    x = torch.randn(2, 8)
    assert norm(x).dtype == torch.float32
    with torch.autocast("cpu", torch.bfloat16):
        assert norm(x).dtype == torch.bfloat16
        assert block_of().float()(x[None], Visible()).dtype == torch.bfloat16


# --- the softmax


def plain(hidden, table, bias, targets, weights):
    return (F.cross_entropy(F.linear(hidden, table, bias), targets, reduction="none") * weights).sum()


@given(
    n=st.integers(1, 7),
    n_rows=st.integers(1, 9),
    dim=st.integers(1, 4),
    bytes_at_once=st.sampled_from([1, 64, 1 << 20]),
    has_bias=st.booleans(),
    compiling=st.booleans(),
)
@settings(max_examples=50)
def test_the_softmax_is_the_plain_one_in_any_chunks(n, n_rows, dim, bytes_at_once, has_bias, compiling):
    hidden, table = random(n, dim, seed=1), random(n_rows, dim, seed=2)
    bias = random(n_rows, seed=3) if has_bias else None
    targets, weights = torch.arange(n) % n_rows, random(n, seed=4)
    inputs = [x.requires_grad_() for x in (hidden, table, bias) if x is not None]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "CHUNK_BYTES", {"cpu": bytes_at_once})
        patch.setattr(torch.compiler, "is_compiling", lambda: compiling)
        ours = summed_cross_entropy(hidden, table, bias, targets, weights)
        slopes = torch.autograd.grad(3 * ours, inputs)
    theirs = plain(hidden, table, bias, targets, weights)
    torch.testing.assert_close(ours, theirs)
    for slope, due in zip(slopes, torch.autograd.grad(3 * theirs, inputs), strict=True):
        torch.testing.assert_close(slope, due)


def test_the_softmax_without_gradients_is_the_same():
    hidden, table = random(5, 4).requires_grad_(), random(7, 4, seed=1)
    arguments = (None, torch.arange(5), torch.ones(5, dtype=torch.float64))
    with torch.no_grad():
        without = summed_cross_entropy(hidden, table, *arguments)
    assert not without.requires_grad
    torch.testing.assert_close(without, summed_cross_entropy(hidden, table, *arguments))


def test_the_softmax_in_half_precision_is_near():
    hidden, table = random(64, 16).float().requires_grad_(), random(50, 16, seed=1).float().requires_grad_()
    bias = torch.zeros(50, requires_grad=True)
    targets, weights = torch.arange(64) % 50, torch.ones(64)
    with torch.autocast("cpu", torch.bfloat16):
        ours = summed_cross_entropy(hidden, table, bias, targets, weights)
    theirs = plain(hidden, table, bias, targets, weights)
    assert ours.dtype == torch.float32
    torch.testing.assert_close(ours, theirs, rtol=0.01, atol=0)
    slopes = torch.autograd.grad(ours, (hidden, table, bias))
    for slope, due in zip(slopes, torch.autograd.grad(theirs, (hidden, table, bias)), strict=True):
        assert slope.dtype == torch.float32
        assert (slope - due).norm() < 0.02 * due.norm()


def test_rows_that_pad_a_table_are_never_predicted():
    assert blocks.padding_bias(64) is None
    assert blocks.padded_rows(64) == 64
    bias = blocks.padding_bias(65)
    assert bias.shape == (128,)
    assert bias[:65].eq(0).all()
    hidden, table = random(3, 4).requires_grad_(), random(128, 4, seed=1).requires_grad_()
    targets, weights = torch.tensor([0, 64, 3]), torch.ones(3, dtype=torch.float64)
    ours = summed_cross_entropy(hidden, table, bias.double(), targets, weights)
    torch.testing.assert_close(ours, plain(hidden, table[:65], None, targets, weights))
    ours.backward()
    assert table.grad[65:].eq(0).all()
    assert hidden.grad.isfinite().all()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the compiler's own
def test_the_softmax_compiles_into_one_graph():
    hidden, table = random(6, 4).requires_grad_(), random(9, 4, seed=1).requires_grad_()
    arguments = (None, torch.arange(6), torch.ones(6, dtype=torch.float64))
    compiled = torch.compile(summed_cross_entropy, fullgraph=True)
    ours, theirs = compiled(hidden, table, *arguments), plain(hidden, table, *arguments)
    torch.testing.assert_close(ours, theirs)
    for slope, due in zip(*(torch.autograd.grad(x, (hidden, table)) for x in (ours, theirs)), strict=True):
        torch.testing.assert_close(slope, due)


# --- the beginning


def test_the_beginning_is_as_drawn():
    network = nn.ModuleDict({"norm": nn.LayerNorm(9), "up": nn.Linear(300, 300)})
    blocks.initialise(network, 1, deviation=0.02, cut=2.0)
    weight = network["up"].weight
    assert weight.abs().max() <= 0.04
    assert weight.std().item() == pytest.approx(
        0.02 * 0.8796, rel=0.02
    )  # of a normal distribution cut at two deviations
    assert network["norm"].weight.eq(1).all()
    assert network["up"].bias.eq(0).all()
    blocks.initialise(network, 1, deviation=0.02, cut=math.inf)
    assert network["up"].weight.std().item() == pytest.approx(0.02, rel=0.02)
    assert network["up"].weight.abs().max() > 0.06


def test_matrices_alone_decay():
    network = nn.ModuleDict({"norm": nn.LayerNorm(3), "up": nn.Linear(3, 4), "frozen": nn.Linear(3, 3)})
    network["frozen"].requires_grad_(False)
    decayed, others = blocks.decayed_and_not(network, 0.1)
    assert [id(parameter) for parameter in decayed["params"]] == [id(network["up"].weight)]
    assert decayed["weight_decay"] == 0.1
    assert {id(parameter) for parameter in others["params"]} == {
        id(parameter) for parameter in (network["norm"].weight, network["norm"].bias, network["up"].bias)
    }
    assert others["weight_decay"] == 0.0


def test_attention_over_stretches_without_windows_is_not_called() -> None:
    """Up to torch 2.10 it took other arguments: masks do its work there."""
    import subprocess
    import sys

    code = (
        "import sys, types; old = types.ModuleType('torch.nn.attention.varlen')\n"
        "def varlen_attn(query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, is_causal=False, return_aux=None): ...\n"
        "old.varlen_attn = varlen_attn; sys.modules['torch.nn.attention.varlen'] = old\n"
        "from firth import blocks; sys.exit(blocks.varlen_attn is not None)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- the mix of layers


def test_a_mix_begins_as_the_mean_of_the_layers():
    layers = [torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(n)) for n in range(3)]
    mix = blocks.ScalarMix(3)
    torch.testing.assert_close(mix(layers), sum(layers) / 3)
    assert {name: tuple(weight.shape) for name, weight in mix.named_parameters()} == {"weights": (3,), "gamma": ()}
    with pytest.raises(ValueError, match="zip"):
        mix(layers[:2])


def test_a_mix_by_hand():
    mix = blocks.ScalarMix(2)
    with torch.no_grad():
        mix.weights.copy_(torch.tensor([math.log(3.0), 0.0]))  # shares of 3/4 and 1/4
        mix.gamma.fill_(2.0)
    layers = [torch.tensor([[[1.0, 2.0]]]), torch.tensor([[[-3.0, 6.0]]])]
    torch.testing.assert_close(mix(layers), torch.tensor([[[0.0, 6.0]]]))
    assert mix.penalty(0.5).item() == pytest.approx(0.5 * math.log(3.0) ** 2)


def test_a_normalised_layer_has_one_mean_and_one_variance_over_all_that_is_real():
    layer = torch.tensor([[[1.0, 3.0], [5.0, 7.0], [100.0, 50.0]]])
    is_real = torch.tensor([[True, True, False]])
    mix = blocks.ScalarMix(1, norm_epsilon=0.0)
    # 1, 3, 5, 7 have the mean 4 and the variance 5; what is not real is treated alike and does not count
    torch.testing.assert_close(mix([layer], is_real), (layer - 4) / math.sqrt(5))
    torch.testing.assert_close(mix([layer[:, :2]]), (layer[:, :2] - 4) / math.sqrt(5))
    assert blocks.ScalarMix(1, norm_epsilon=1e-12)([torch.ones(1, 2, 2)]).eq(0).all()


def test_a_mix_is_learnt():
    layers = [torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(n), dtype=torch.float64) for n in range(3)]
    mix = blocks.ScalarMix(3, norm_epsilon=1e-12).double()
    assert torch.autograd.gradcheck(
        lambda w, g: torch.func.functional_call(mix, {"weights": w, "gamma": g}, (layers,)),
        (mix.weights.detach().requires_grad_(), mix.gamma.detach().requires_grad_()),
    )
