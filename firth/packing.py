"""GPT and BERT over many texts at once without padding: all pieces one behind the other, attention text by text.

Every product but attention's is of all N pieces of W windows; texts of one length share a call of attention. The layers
are those of the networks' own `forward`, to rounding.

W windows, N pieces of them, D dim, H heads, R rows that get a vector
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final, Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from firth.blocks import TransformerBlock, Visible, attend, has_varlen
from firth.families.bert import BERTNetwork
from firth.families.gpt import GPTNetwork

Pool = Literal["mean", "first", "last", "max"]

_HALF: Final = (torch.bfloat16, torch.float16)


class Packed(NamedTuple):
    """Windows one behind the other, those of one length side by side.

    Attributes:
        ids: (N,) rows of the table.
        positions: (N,) counted from 0 in each window.
        runs: How many windows of what length follow each other.
        ends: (W + 1,) int32, where each window ends and the next begins.
    """

    ids: Tensor
    positions: Tensor
    runs: list[tuple[int, int]]
    ends: Tensor


def packed(windows: Sequence[Tensor], device: torch.device) -> Packed:
    """Windows of ids, sorted by length, as one text of pieces."""
    lengths = [len(window) for window in windows]
    ends = F.pad(torch.tensor(lengths).cumsum(0), (1, 0))
    ids = torch.cat(list(windows))
    positions = torch.arange(len(ids)) - ends[:-1].repeat_interleave(torch.tensor(lengths))
    runs = [(len(list(same)), length) for length, same in groupby(lengths)]
    return Packed(ids.to(device), positions.to(device), runs, ends.int().to(device))


def bert_layers(network: BERTNetwork, texts: Packed, last: int) -> Iterator[Tensor]:
    """(N, D) of each layer, from 0 to `last`; all pieces are of sentence A."""
    x = F.embedding(texts.ids, network.table) + network.segments[0] + F.embedding(texts.positions, network.positions)
    yield from _layers(network.norm(x), _blocks(network)[:last], texts, is_causal=False)


def gpt_layers(network: GPTNetwork, texts: Packed, last: int) -> Iterator[Tensor]:
    """(N, D) of each layer, from 0 to `last`."""
    x = F.embedding(texts.ids, network.table) + F.embedding(texts.positions, network.positions)
    for number, layer in enumerate(_layers(x, _blocks(network)[:last], texts, is_causal=True)):
        is_last = number == len(network.blocks)
        yield network.norm(layer) if is_last and network.norm is not None else layer


def _blocks(network: BERTNetwork | GPTNetwork) -> list[TransformerBlock]:
    return [block for block in network.blocks if isinstance(block, TransformerBlock)]


def _layers(x: Tensor, blocks: Sequence[TransformerBlock], texts: Packed, *, is_causal: bool) -> Iterator[Tensor]:
    """`x` and what each block makes of the one before: `TransformerBlock.forward`, with attention within texts."""
    yield x
    for block in blocks:
        heads = _attended(block.qkv(x if block.norm == "post" else block.norm_1(x)), block.n_heads, texts, is_causal)
        x = x + block.out(heads)
        if block.norm == "post":
            x = block.norm_1(x)
            x = block.norm_2(x + block.inner(x))
        else:
            x = x + block.inner(block.norm_2(x))
        yield x


def _attended(qkv: Tensor, n_heads: int, texts: Packed, is_causal: bool) -> Tensor:
    """(N, 3 D) -> (N, D)."""
    if qkv.dtype in _HALF and has_varlen(qkv.device):
        query, key, value = qkv.view(1, len(qkv), 3, n_heads, -1).unbind(2)
        longest = max(length for _, length in texts.runs)
        return attend(query, key, value, Visible(is_causal, None, texts.ends, longest), 0.0)[0]
    parts = []
    done = 0
    for n_windows, length in texts.runs:
        of_run = qkv[done : done + n_windows * length].view(n_windows, length, 3, n_heads, -1)
        query, key, value = of_run.unbind(2)
        parts.append(attend(query, key, value, Visible(is_causal), 0.0).flatten(0, 1))
        done += n_windows * length
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def pooled(layer: Tensor, firsts: Tensor, stops: Tensor, pool: Pool) -> Tensor:
    """(N, D) -> (R, D) float32: one vector for the pieces [firsts[r], stops[r]) of each row.

    Args:
        layer: What a layer makes of each piece.
        firsts: (R,).
        stops: (R,), beyond `firsts`.
        pool: `first` or `last` takes that piece's vector, `mean` their mean, `max` the greatest of each number.
    """
    if pool == "last":
        return layer.index_select(0, stops - 1).float()
    vectors = layer.index_select(0, firsts).float()
    if pool == "first":
        return vectors
    lengths = stops - firsts
    rows = torch.nonzero(lengths > 1)[:, 0]
    for number in range(1, int(lengths.max())):
        rows = rows[lengths[rows] > number]
        others = layer.index_select(0, firsts[rows] + number)
        vectors[rows] = vectors[rows] + others if pool == "mean" else torch.maximum(vectors[rows], others)
    if pool == "mean":
        rows = torch.nonzero(lengths > 1)[:, 0]
        vectors[rows] /= lengths[rows, None]
    return vectors
