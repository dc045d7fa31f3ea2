"""Parts that several families share: the block of Vaswani et al. 2017 (arXiv 1706.03762), a softmax over a vocabulary,
and a mix of the layers that any of them leaves.

B batch, T tokens, D dim, H heads, I inner dim, L layers, V rows of the table; S stretches, K chosen positions
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from firth.devices import multiplies_bf16
from firth.errors import UsageError

try:  # with a window since torch 2.11; it runs on CUDA alone
    from torch.nn.attention.varlen import varlen_attn

    if "window_size" not in inspect.signature(varlen_attn).parameters:
        varlen_attn = None  # type: ignore[assignment]
except ImportError:
    varlen_attn = None  # type: ignore[assignment]

Activation = Literal["gelu", "gelu_tanh", "relu"]
Norm = Literal["post", "pre"]

ACTIVATIONS: Final[Mapping[str, Callable[[Tensor], Tensor]]] = {
    "gelu": F.gelu,
    "gelu_tanh": partial(F.gelu, approximate="tanh"),
    "relu": F.relu,
}
"""Hendrycks & Gimpel 2016 (arXiv 1606.08415): `gelu` by the error function, `gelu_tanh` their approximation."""

ROWS_MULTIPLE: Final = 64
"""Tables are padded to a multiple of so many rows: CUDA's fast products ask for it."""

CHUNK_BYTES: Final[Mapping[str, int]] = {"cpu": 1 << 24}
"""Most bytes of fp32 scores at a time, on a processor what stays in its cache."""
MOST_CHUNK_BYTES: Final = 1 << 31
"""The same on any other device."""


class Visible(NamedTuple):
    """Which positions each position sees: without `mask` and `ends`, its whole row."""

    causal: bool = False  # itself and those before it alone
    mask: Tensor | None = None  # (B, 1, 1 or T, T), True where a column is seen
    ends: Tensor | None = None  # (S + 1,) int32: stretch s of all B * T tokens is [ends[s], ends[s + 1])
    longest: int = 0  # tokens that a stretch may have


def visible(
    n_columns: int,
    *,
    causal: bool,
    lengths: Tensor | None = None,
    documents: Tensor | None = None,
    begins: Tensor | None = None,
) -> Visible:
    """What is seen where rows end in padding, or where several texts share a row.

    Args:
        n_columns: T.
        causal: Whether later positions are hidden.
        lengths: (B,) tokens of each row before its padding, at least 1; None where no row has any.
        documents: (B, T) a number for each text of a row, and another for its padding; a text sees itself alone.
        begins: (B, P) the columns where `documents` changes, the first one too, and T for what is left of P: what
            CUDA's fast kernel needs beside it.
    """
    if documents is not None:
        given = documents
        mask = (documents[:, :, None] == documents[:, None, :])[:, None]  # (B, 1, T, T)
        if causal:
            mask = mask & torch.ones(n_columns, n_columns, dtype=torch.bool, device=given.device).tril()
    elif lengths is not None and not causal:
        given = lengths
        mask = (torch.arange(n_columns, device=given.device) < lengths[:, None])[:, None, None]  # (B, 1, 1, T)
        begins = torch.stack([torch.zeros_like(lengths), lengths], 1)
    else:
        return Visible(causal)  # padding comes after the text, where a causal network does not look
    if begins is None or not has_varlen(given.device):
        return Visible(causal, mask)
    first_of_row = torch.arange(0, len(given) * n_columns, n_columns, device=given.device)[:, None]
    ends = F.pad((first_of_row + begins).flatten(), (0, 1), value=len(given) * n_columns).int()
    return Visible(causal, mask, ends, n_columns)


def has_varlen(device: torch.device) -> bool:
    """Whether CUDA's kernel for stretches runs there: FlashAttention asks for what multiplies bf16 too."""
    return varlen_attn is not None and device.type == "cuda" and multiplies_bf16(device)


def attend(query: Tensor, key: Tensor, value: Tensor, seen: Visible, dropout: float) -> Tensor:
    """softmax(Q K^T / sqrt(D / H)) V for each head: Vaswani et al. 2017, equation 1.

    Args:
        query: (B, T, H, D / H), as are key and value.
        key: What each position is found by.
        value: What is taken from it.
        seen: Which positions see which.
        dropout: Share of the attention weights set to 0.

    Returns:
        (B, T, D), the heads side by side.
    """
    if seen.ends is not None and not dropout and query.dtype in (torch.bfloat16, torch.float16):
        window = (-1, 0) if seen.causal else (-1, -1)
        ends, longest = seen.ends, seen.longest
        q, k, v = query.flatten(0, 1), key.flatten(0, 1), value.flatten(0, 1)  # (B T, H, D / H)
        rows: Any = varlen_attn(q, k, v, ends, ends, longest, longest, window_size=window)
        together: Tensor = rows.view(query.shape).flatten(2)
        return together
    q, k, v = query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2)  # (B, H, T, D / H)
    is_causal = seen.causal and seen.mask is None
    heads = F.scaled_dot_product_attention(q, k, v, attn_mask=seen.mask, dropout_p=dropout, is_causal=is_causal)
    return heads.transpose(1, 2).flatten(2)


class LayerNorm(nn.LayerNorm):
    """Ba et al. 2016 (arXiv 1607.06450), whose result has the type of the products around it.

    Autocast would leave it in fp32, and the next product round it: twice the memory traffic for nothing.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) -> (..., D)."""
        normalised = super().forward(x)
        device = x.device.type
        return normalised.to(torch.get_autocast_dtype(device)) if torch.is_autocast_enabled(device) else normalised


class TransformerBlock(nn.Module):
    """Self-attention and a network of one hidden layer, each added to its input: Vaswani et al. 2017, section 3.1.

        post  y = norm(x + attention(x))    z = norm(y + inner(y))      Vaswani, GPT-1, BERT
        pre   y = x + attention(norm(x))    z = y + inner(norm(y))      GPT-2

    Query, key and value are one product (D -> 3 D), in this order.
    """

    def __init__(
        self,
        dim: int,
        n_heads: int,
        inner_dim: int,
        *,
        norm: Norm,
        activation: Activation,
        norm_epsilon: float,
        dropout: float,
        attention_dropout: float,
    ) -> None:
        """A block whose parameters are not set yet.

        Args:
            dim: D, a multiple of n_heads.
            n_heads: H.
            inner_dim: I.
            norm: Where the layer norms stand.
            activation: Between the two products of the inner network.
            norm_epsilon: Added to the variance.
            dropout: Share of what either part adds that is set to 0.
            attention_dropout: Share of the attention weights that is.
        """
        super().__init__()
        self.n_heads, self.norm = n_heads, norm
        self.dropout, self.attention_dropout = dropout, attention_dropout
        self.activation = ACTIVATIONS[activation]
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)
        self.norm_1 = LayerNorm(dim, norm_epsilon)
        self.up = nn.Linear(dim, inner_dim)
        self.down = nn.Linear(inner_dim, dim)
        self.norm_2 = LayerNorm(dim, norm_epsilon)

    def forward(self, x: Tensor, seen: Visible, chosen: Tensor | None = None) -> Tensor:
        """(B, T, D) -> (B, T, D).

        Args:
            x: The layer below.
            seen: Which positions see which.
            chosen: (K,) numbers of positions, b * T + t. Then the result is (K, D), theirs alone, and all that
                follows attention is computed for them alone.
        """
        qkv = self.qkv(x if self.norm == "post" else self.norm_1(x))
        query, key, value = qkv.unflatten(-1, (3, self.n_heads, -1)).unbind(2)  # (B, T, H, D / H)
        heads = attend(query, key, value, seen, self.attention_dropout if self.training else 0.0)
        if chosen is not None:
            heads, x = heads.flatten(0, 1).index_select(0, chosen), x.flatten(0, 1).index_select(0, chosen)  # (K, D)
        x = x + self.dropped(self.out(heads))
        if self.norm == "post":
            x = self.norm_1(x)
            normalised: Tensor = self.norm_2(x + self.dropped(self.inner(x)))
            return normalised
        return x + self.dropped(self.inner(self.norm_2(x)))

    def inner(self, x: Tensor) -> Tensor:
        """(..., D) -> (..., I) -> (..., D)."""
        projected: Tensor = self.down(self.activation(self.up(x)))
        return projected

    def dropped(self, x: Tensor) -> Tensor:
        """`x`, in training with a share of it set to 0."""
        return dropped(x, self.dropout if self.training else 0.0)


class ScalarMix(nn.Module):
    """gamma * sum over k of softmax(w)_k * layer_k: Peters et al. 2018, equation 1; a task has a mix of its own.

    Attributes:
        weights: (n_layers,) w, at first 0.
        gamma: (), at first 1.
    """

    def __init__(self, n_layers: int, *, norm_epsilon: float | None = None) -> None:
        """The plain mean.

        Args:
            n_layers: That are mixed.
            norm_epsilon: Layers are normalised first, each by one mean and one variance, of all real positions of the
                batch and all elements; this is added to the variance, by bilm-tf 1e-12, by AllenNLP 1e-13. None mixes
                them as they are.
        """
        super().__init__()
        self.norm_epsilon = norm_epsilon
        self.weights = nn.Parameter(torch.zeros(n_layers))
        self.gamma = nn.Parameter(torch.ones(()))

    def forward(self, layers: Sequence[Tensor], is_real: Tensor | None = None) -> Tensor:
        """(B, T, D) of so many of them.

        Args:
            layers: n_layers of (B, T, D).
            is_real: (B, T) the positions that mean and variance are of; None is all. bilm-tf leaves the two words out
                that bound a sentence, AllenNLP does not, which gives other results.
        """
        shares = self.weights.softmax(0)
        if self.norm_epsilon is not None:
            layers = [_normalised(layer, is_real, self.norm_epsilon) for layer in layers]
        return self.gamma * sum(
            (share * layer for share, layer in zip(shares, layers, strict=True)), torch.zeros_like(layers[0])
        )

    def penalty(self, strength: float) -> Tensor:
        """strength * sum of w^2: near 1 it keeps the plain mean, near 0.001 the weights are free (section 3.4)."""
        return strength * self.weights.square().sum()


def _normalised(layer: Tensor, is_real: Tensor | None, epsilon: float) -> Tensor:
    """(B, T, D), of which the real positions have mean 0 and variance 1 together."""
    real = layer.flatten(0, 1) if is_real is None else layer[is_real]
    mean = real.mean()
    variance = (real - mean).square().mean()
    return (layer - mean) * (variance + epsilon).rsqrt()


def dropped(x: Tensor, share: float) -> Tensor:
    """`x` with a share of its elements set to 0 and the others scaled up: Srivastava et al. 2014."""
    return F.dropout(x, share) if share else x


class _SummedCrossEntropy(torch.autograd.Function):
    """See `summed_cross_entropy`; its gradients are made beside the sum, chunk by chunk."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        table: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        weights: Tensor,
        n_chunks: int,
        needs_gradient: bool,
    ) -> Tensor:
        device = hidden.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else table.dtype
        rows, offsets = table.to(dtype), None if bias is None else bias.to(dtype)
        nats = []
        d_hidden = []
        d_table = torch.zeros_like(table) if needs_gradient else None
        d_bias = torch.zeros_like(bias) if needs_gradient and bias is not None else None
        for h, t, w in zip(
            hidden.to(dtype).chunk(n_chunks), targets.chunk(n_chunks), weights.chunk(n_chunks), strict=True
        ):
            scores = F.linear(h, rows, offsets)  # (n, V)
            chunk_nats, slopes = _cross_entropy(scores, t, w, needs_gradient)
            nats.append(chunk_nats)
            if d_table is not None:
                if d_bias is not None:
                    d_bias += slopes.sum(0)
                slopes = slopes.to(dtype)
                d_hidden.append(slopes @ rows)
                if dtype == d_table.dtype:
                    d_table.addmm_(slopes.T, h)
                else:
                    d_table += slopes.T @ h
        if d_table is not None:
            ctx.save_for_backward(torch.cat(d_hidden).to(hidden.dtype), d_table, d_bias)
        return torch.stack(nats).sum()

    @staticmethod
    def backward(ctx: Any, *above: Tensor) -> tuple[Tensor | None, ...]:
        d_hidden, d_table, d_bias = ctx.saved_tensors
        (slope,) = above
        d_bias = None if d_bias is None else d_bias * slope
        return d_hidden * slope, d_table * slope, d_bias, None, None, None, None


def _cross_entropy(scores: Tensor, targets: Tensor, weights: Tensor, needs_gradient: bool) -> tuple[Tensor, Tensor]:
    """The weighted sum of a chunk, and (n, V) its slope for each score: weight * (softmax - one-hot).

    The same in two forms. A compiler makes one pass over the scores of the first, for which nothing may be scattered;
    run one after another, the operations of the second take fewer passes.
    """
    exact = torch.promote_types(scores.dtype, torch.float32)
    if torch.compiler.is_compiling():
        sums = scores.to(exact).logsumexp(1)  # (n,)
        nats = ((sums - scores.gather(1, targets[:, None])[:, 0]) * weights).sum()
        one_hot = torch.arange(scores.shape[1], device=scores.device) == targets[:, None]
        return nats, ((scores.to(exact) - sums[:, None]).exp() - one_hot.to(exact)) * weights[:, None]
    logs = F.log_softmax(scores, 1, dtype=exact)
    nats = -(logs.gather(1, targets[:, None])[:, 0] * weights).sum()
    if needs_gradient:
        logs.exp_().scatter_add_(1, targets[:, None], -torch.ones_like(logs[:, :1])).mul_(weights[:, None])
    return nats, logs


def summed_cross_entropy(
    hidden: Tensor, table: Tensor, bias: Tensor | None, targets: Tensor, weights: Tensor
) -> Tensor:
    """sum over n of weights[n] * -log softmax(hidden[n] . table + bias)[targets[n]], in nats.

    The scores, (N, V), are the largest tensor of a language model. They are made a chunk of rows at a time, and
    since the sum is all that is asked for, the gradients of a chunk are made while its scores are there.

    Args:
        hidden: (N, D).
        table: (V, D).
        bias: (V,) or None; -inf for a row that is no word.
        targets: (N,) rows of the table.
        weights: (N,).
    """
    score_bytes = 4 * len(hidden) * len(table)
    n_chunks = -(-score_bytes // CHUNK_BYTES.get(hidden.device.type, MOST_CHUNK_BYTES))
    apply: Any = _SummedCrossEntropy.apply
    summed: Tensor = apply(hidden, table, bias, targets, weights, n_chunks, torch.is_grad_enabled())
    return summed


def padded_rows(n_entries: int) -> int:
    """`n_entries` rounded up to a multiple of ROWS_MULTIPLE."""
    return -(-n_entries // ROWS_MULTIPLE) * ROWS_MULTIPLE


def padding_bias(n_entries: int) -> Tensor | None:
    """(V,): 0 for an entry, -inf for a row that pads the table, so that it is never predicted; None without such."""
    n_rows = padded_rows(n_entries)
    if n_rows == n_entries:
        return None
    return torch.zeros(n_rows).index_fill_(0, torch.arange(n_entries, n_rows), -torch.inf)


def initialise(network: nn.Module, seed: int, *, deviation: float, cut: float) -> None:
    """Sets the parameters: matrices normal, biases 0, the scales of layer norms 1.

    Args:
        network: Whose parameters are set in the order of their names' definition.
        seed: Of the draws.
        deviation: Standard deviation of the normal distribution.
        cut: Draws beyond so many deviations are drawn again; inf keeps all.
    """
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in network.named_parameters():
        if parameter.ndim > 1 and cut < torch.inf:
            far = cut * deviation
            nn.init.trunc_normal_(parameter, std=deviation, a=-far, b=far, generator=generator)
        elif parameter.ndim > 1:
            nn.init.normal_(parameter, std=deviation, generator=generator)
        else:
            nn.init.constant_(parameter, 1.0 if "norm" in name and name.endswith("weight") else 0.0)


def decayed_and_not(network: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """The parameters as an optimiser's two groups: matrices decay, biases and layer norms do not."""
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    return [
        {"params": [parameter for parameter in parameters if parameter.ndim > 1], "weight_decay": weight_decay},
        {"params": [parameter for parameter in parameters if parameter.ndim <= 1], "weight_decay": 0.0},
    ]


def check_sizes(given: Any) -> None:
    """Raises UsageError for a hyperparameter of GPT or BERT that lies outside its range."""
    for name in ("dim", "n_layers", "n_heads", "context_length", "n_positions", "batch_size"):
        if getattr(given, name) < 1:
            raise UsageError(f"{name} is {getattr(given, name)}; it must be at least 1")
    if given.dim % given.n_heads:
        raise UsageError(f"dim is {given.dim}, which {given.n_heads} heads cannot share; it must be a multiple of them")
    if given.inner_dim is not None and given.inner_dim < 1:
        raise UsageError(f"inner_dim is {given.inner_dim}; it must be at least 1, or None for 4 * dim")
    if given.context_length > given.n_positions:
        raise UsageError(
            f"context_length is {given.context_length}, and the network has {given.n_positions} positions; "
            "give it a shorter context, or more positions (n_positions) if it is not trained yet"
        )
    check_steps(
        given,
        shares=("dropout", "attention_dropout", "warmup"),
        not_negative={name: getattr(given, name) for name in ("weight_decay", "clip", "deviation", "norm_epsilon")},
        known={
            "norm": ("post", "pre"),
            "activation": tuple(ACTIVATIONS),
            "schedule": ("linear", "cosine", "hold"),
        },
    )


def check_steps(
    given: Any,
    *,
    shares: Sequence[str],
    not_negative: Mapping[str, float],
    known: Mapping[str, Sequence[str]],
) -> None:
    """Refuses settings of a network's steps that lie outside their range (UsageError).

    Args:
        given: A family.
        shares: The names of those from 0 to below 1.
        not_negative: Those that are 0 or more.
        known: What each of these may be; one that the family does not have is passed over.
    """
    for name in shares:
        if not 0 <= getattr(given, name) < 1:
            raise UsageError(f"{name} is {getattr(given, name)}; it must be a share, at least 0 and below 1")
    highest, last = given.highest_rate, given.rate(1.0)
    if not 0 <= last <= highest < float("inf") or highest == 0:
        raise UsageError(
            f"learning_rate {highest} and final_learning_rate {last}: "
            "the first must be positive, and the second no larger"
        )
    for name, number in not_negative.items():
        if not 0 <= number < float("inf"):
            raise UsageError(f"{name} is {number}; it must be at least 0, and finite")
    if not 0 < given.muon_rate < float("inf"):
        raise UsageError(f"muon_rate is {given.muon_rate}; it must be positive, and finite")
    if not 0 <= given.beta1 < 1 or not 0 <= given.beta2 < 1 or not given.epsilon > 0:
        raise UsageError(
            f"beta1 {given.beta1}, beta2 {given.beta2}, epsilon {given.epsilon}: "
            "the betas must be at least 0 and below 1, epsilon positive"
        )
    for name, names in known.items():
        if getattr(given, name, names[0]) not in names:
            raise UsageError(f"{name} is {getattr(given, name)!r}; there are {', '.join(map(repr, names))}")
