"""ELMo: Peters et al. 2018, "Deep contextualized word representations", sections 3.1 to 3.3.

Network: each word's characters through filters of several widths, their maxima, highway layers (Srivastava et al. 2015)
and a projection; on it LSTM layers in either direction, apart from each other. Task: each direction predicts the next
word in which it reads, with one output table for both.

A vector is both directions side by side, so that `dim` is twice the width of either; layer 0 is the word's own, twice.

Words may be any: the vocabulary limits what is predicted alone. Each distinct word of a batch is encoded once for all
its places in both directions, and no character behind its end is looked at twice; neither changes a value.

The recipe `paper` is that of the authors' program, bilm-tf: 384 rows of 20 steps, rows always full, each direction with
its own order of the sentences, sampled softmax with 8,192 words, Adagrad. It descends the sum over the 20 steps with
accumulators that begin at 1 and gradients of at most 10: here it is their mean, with 1 / 20^2 and 10 / 20, which makes
the same steps. It differs in that one sample serves all 384 rows, not one each 128, and in `streams`.

As the published models do, it keeps capital letters apart and reads punctuation marks as words, unless the corpus is
prepared otherwise. Theirs was text that was split before, with don't as do n't: of such text, `--segment space`.

The recipe `fast`, the default, trains the same network otherwise: both directions read the same sentences, so that they
share what is encoded; the softmax is sampled; a batch has 32 rows; AdamW takes the steps, at 8e-3 * 256 / max(dim, 64)
after a fifth of the budget and at least 20 batches. Without these 20, runs of 5 and 12 batches diverged; from 30 on
they change nothing, and a run of 100 or more has them anyway (docs/log.md). The choices by single runs of 40,000
positions, before:
    tiny, at 4e-3: perplexity 2,681 with 128 rows, 863 with 32; the full softmax 813, which takes 3.4 times as long for
        mini and 46,865 words; Muon 878, in steps that take a third longer; Adagrad, at .2, 927
    tiny, at 8e-3: AdamW 814, Muon 779; after 80,000 positions 666, and 644 at 1.6e-2
    mini, at 4e-3 and 8e-3: 798 and 750
"""

import math
from dataclasses import replace
from typing import Any, ClassVar, Final, Literal, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from firth import objectives, streams
from firth.blocks import check_steps, decayed_and_not, dropped, padded_rows, padding_bias
from firth.characters import N_CHARACTERS, NO_CHARACTER, Characters, trimmed
from firth.errors import UsageError
from firth.families.family import Loss, Schedule, family, in_short_steps, scheduled_rate
from firth.fused import FusedRecurrence
from firth.optimizers import Muon
from firth.recurrence import library_recurrence, recurrence

# Shapes: B rows, T steps, W distinct words, L characters, E character dim, N filters, P = dim / 2, H cell dim, V words

Objective = Literal["full", "sampled"]

FILTERS: Final = ((1, 32), (2, 32), (3, 64), (4, 128), (5, 256), (6, 512), (7, 1024))
"""Width and number of the filters of all published models."""
DIRECTIONS: Final = ("forward", "backward")
DISTINCT_SHARE: Final = 0.4
"""Distinct words to a position, as batches of some thousand positions of English have them."""
_MOST_PLACES: Final = 256  # numbers up to here are exact in bf16
_MOST_READ: Final = 1 << 25  # gates at a time, where no gradient is asked for


class Batch(NamedTuple):
    """T steps of B rows, both ways: `streams.BothWays` with its words' characters, and a sample of the vocabulary."""

    characters: Any  # (W, L) of the distinct words
    forward: Any  # (B, T) rows of `characters`
    backward: Any  # (B, T) the same, in the order in which this direction reads
    forward_targets: Any  # (B, T) rows of the output table
    backward_targets: Any  # (B, T)
    weights: Any  # (B, T) 1, and 0 behind a row's end; None where the text fills them all
    candidates: Any  # (2, K) rows of the output table drawn for each direction; None for all of them
    n_draws: Any  # (2,) how often was drawn until there were K different ones
    n_tokens: int

    @property
    def ids(self) -> Any:
        """(B, T): as other families' batches call what is read."""
        return self.forward


class State(NamedTuple):
    """What the network remembers of the steps before, rows first, so that it is cut as a batch is."""

    h: Tensor  # (B, n_layers, 2, P) before any residual
    c: Tensor  # (B, n_layers, 2, H)


class _Maxima(torch.autograd.Function):
    """See `maxima`."""

    @staticmethod
    def forward(ctx: Any, embedded: Tensor, weight: Tensor, counts: list[int]) -> Tensor:
        dim, width = embedded.shape[2], weight.shape[1]  # E, w E
        rows = embedded.flatten(1)  # (W, L E)
        most = torch.mm(rows[:, :width], weight.mT)
        places = torch.zeros_like(most)  # where each was found; of the same type, since comparing others is slow
        scores, more = torch.empty_like(most), torch.empty_like(most)
        for place, n in enumerate(counts[1:], 1):
            first = place * dim
            of_place = torch.mm(rows[:n, first : first + width], weight.mT, out=scores[:n])
            is_more = torch.gt(of_place, most[:n], out=more[:n])
            torch.maximum(places[:n], is_more.mul_(place), out=places[:n])
            torch.maximum(most[:n], of_place, out=most[:n])
        ctx.save_for_backward(embedded, weight, places)
        ctx.counts = counts
        return most

    @staticmethod
    def backward(ctx: Any, *above: Tensor) -> tuple[Tensor | None, ...]:
        embedded, weight, places = ctx.saved_tensors
        dim, width = embedded.shape[2], weight.shape[1]
        rows = embedded.flatten(1)
        d_rows, d_weight = torch.zeros_like(rows), torch.zeros_like(weight)
        slopes = torch.empty_like(places)
        for place, n in enumerate(ctx.counts):
            first = place * dim
            of_place = torch.eq(places[:n], place, out=slopes[:n]).mul_(above[0][:n])
            d_weight.addmm_(of_place.mT, rows[:n, first : first + width])
            d_rows[:n, first : first + width].addmm_(of_place, weight)
        return d_rows.view(embedded.shape), d_weight, None


def maxima(embedded: Tensor, weight: Tensor, lengths: Tensor) -> Tensor:
    """(W, K) the largest response of each filter to any stretch of each word.

    Only stretches that begin within the word, or right behind it, are looked at: those beyond are alike.

    Args:
        embedded: (W, L, E) the words' characters, longer words first.
        weight: (K, w E).
        lengths: (W,) characters of each word, falling.
    """
    if embedded.device.type != "cpu":  # where a few large products are faster than many small ones
        return maxima_at_once(embedded, weight)
    n_places = embedded.shape[1] - weight.shape[1] // embedded.shape[2] + 1
    at_place = torch.bincount(lengths.clamp(max=n_places - 1), minlength=n_places)
    counts = at_place.flip(0).cumsum(0).flip(0).tolist()  # words that have a stretch at each place
    device = embedded.device.type
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else embedded.dtype
    if n_places <= _MOST_PLACES:
        embedded, weight = embedded.to(dtype), weight.to(dtype)
    apply: Any = _Maxima.apply
    with torch.autocast(device, enabled=False):
        most: Tensor = apply(embedded, weight, [count for count in counts if count])
    return most.to(dtype)


def maxima_at_once(embedded: Tensor, weight: Tensor) -> Tensor:
    """`maxima` over all stretches of all words: a product, which is exact on GPUs where convolutions are rounded."""
    stretches = embedded.flatten(1).unfold(1, weight.shape[1], embedded.shape[2])  # (W, L - w + 1, w E)
    return F.linear(stretches, weight).amax(1)


class CharacterEncoder(nn.Module):
    """A word's vector from its characters, whatever stands around it: section 3.2, after Kim et al. 2016.

    Attributes:
        characters: (261, E).
        filters: For each width a matrix (K, w E) and a bias.
        highways: For each layer a matrix (2 N, N) and a bias: what N elements become, then how much of that is taken.
        projection: (P, N) and a bias.
    """

    def __init__(self, given: "ELMo") -> None:
        """An encoder whose parameters are not set yet."""
        super().__init__()
        n_filters = given.n_filters
        self.activation = {"relu": torch.relu, "tanh": torch.tanh}[given.activation]
        self.characters = nn.Parameter(torch.empty(N_CHARACTERS, given.character_dim))
        self.filters = nn.ModuleList(nn.Linear(width * given.character_dim, count) for width, count in given.filters)
        self.highways = nn.ModuleList(nn.Linear(n_filters, 2 * n_filters) for _ in range(given.n_highway))
        self.projection = nn.Linear(n_filters, given.dim // 2)

    def forward(self, characters: Tensor) -> Tensor:
        """(W, L) -> (W, P): one vector for each word."""
        lengths = (characters != NO_CHARACTER).sum(1)
        lengths, order = lengths.sort(descending=True, stable=True)
        embedded = F.embedding(characters[order], self.characters)  # (W, L, E)
        filters: Any = self.filters
        found = [maxima(embedded, of_width.weight, lengths) for of_width in filters]
        offsets = torch.cat([of_width.bias for of_width in filters])
        most = torch.cat(found, 1)  # (W, N)
        x = self.activation(most + offsets.to(most.dtype))
        for highway in self.highways:
            transformed, gate = highway(x).chunk(2, -1)
            x = torch.lerp(x, transformed.relu(), gate.sigmoid())
        vectors: Tensor = self.projection(x)
        return vectors.new_empty(vectors.shape).index_copy(0, order, vectors)


class LSTMLayer(nn.Module):
    """An LSTM layer in either direction: see `recurrence`.

    Attributes:
        weight: (4 P, 4 H).
        bias: (8 H,) without the 1 that is added to the forget gate.
        projection: (2 H, P); where P is H nothing is projected or clipped, and it is the identity of either direction.
        fused: What takes the steps of training, if anything, in the place of `recurrence`.
    """

    projection: Tensor

    def __init__(self, given: "ELMo") -> None:
        """A layer whose parameters are not set yet."""
        super().__init__()
        dim = given.dim // 2
        self.cell_clip, self.projection_clip, self.lstm = given.cell_clip, given.projection_clip, given.lstm
        self.fused: FusedRecurrence | None = None
        self.weight = nn.Parameter(torch.empty(4 * dim, 4 * given.cell_dim))
        self.bias = nn.Parameter(torch.empty(8 * given.cell_dim))
        projection = torch.empty(2 * given.cell_dim, dim)
        if given.projects:
            self.projection = nn.Parameter(projection)
        else:
            self.projection_clip = None
            self.register_buffer("projection", projection, persistent=False)

    def forward(
        self, x: Tensor, h: Tensor, c: Tensor, ends: Tensor | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """(2, T, B, P) -> (2, T, B, P), and what is remembered.

        Args:
            x: Of each direction in the order in which it reads.
            h: (2, B, P) the output of the step before.
            c: (2, B, H) its cell.
            ends: (B,) after how many steps of each row the state is taken; None is after all.
        """
        weights = (self.weight, self.bias, self.projection)
        if self.lstm == "library" and ends is None:
            outputs, cell = library_recurrence(x, *weights, h, c)
            return outputs, (outputs[:, -1], cell)
        if self.fused is not None and ends is None and torch.is_grad_enabled():
            outputs, cell = self.fused(x, *weights, h, c)
            return outputs, (outputs[:, -1], cell)
        outputs, cells = recurrence(x, *weights, h, c, cell_clip=self.cell_clip, projection_clip=self.projection_clip)
        if ends is None:
            return outputs, (outputs[:, -1], cells[:, -1])
        return outputs, (_at(outputs, ends, h), _at(cells, ends, c))


def _at(of_steps: Tensor, ends: Tensor, before: Tensor) -> Tensor:
    """(2, B, X) of (2, T, B, X): what stands at step ends - 1 of each row, or `before` where that is none."""
    steps = (ends - 1).clamp(min=0)[None, None, :, None].expand(2, 1, -1, of_steps.shape[-1])
    found = of_steps.gather(1, steps)[:, 0]
    return torch.where((ends > 0)[:, None], found, before.to(found.dtype))


class ELMoNetwork(nn.Module):
    """The encoder of words, the LSTM layers, and the output layer of both directions.

    Attributes:
        encoder: Of words; None where a model was published without: then its words' vectors come from a file.
        lstms: D of them.
        table: (V, P) of the output layer, which is not the input's; V is a multiple of 64.
        output_bias: (V,).
        n_entries: Rows of `table` that stand for words; the others are never predicted. 0 where there is none.
        word_vectors: (V, P) what stands in the encoder's place where that is None: a row for each word; else None.
    """

    padding: Tensor | None
    word_vectors: Tensor | None
    encoder: CharacterEncoder | None

    def __init__(self, given: "ELMo", n_entries: int, seed: int) -> None:
        """The network at its beginning."""
        super().__init__()
        self.n_entries, self.dropout, self.residual = n_entries, given.dropout, given.residual
        self.dim, self.cell_dim = given.dim // 2, given.cell_dim
        with torch.device("meta"):  # what torch would draw here is not asked for
            self.encoder = CharacterEncoder(given)
            self.lstms = nn.ModuleList(LSTMLayer(given) for _ in range(given.n_layers))
            self.table = nn.Parameter(torch.empty(padded_rows(n_entries), self.dim))
            self.output_bias = nn.Parameter(torch.empty(padded_rows(n_entries)))
        self.to_empty(device="cpu")
        self.register_buffer("padding", padding_bias(n_entries), persistent=False)
        self.register_buffer("word_vectors", None, persistent=False)
        _initialise(self, given, seed)

    def forward(self, characters: Tensor, ids: Tensor, state: State | None = None) -> tuple[list[Tensor], State]:
        """What each layer makes of each position: D + 1 tensors (2, T, B, P), and what is remembered.

        Args:
            characters: (W, L) of the distinct words.
            ids: (2, B, T) rows of `characters`: of each direction in the order in which it reads.
            state: Of the steps before; None is nothing.
        """
        vectors = self.encoded(characters)
        x = F.embedding(ids.permute(0, 2, 1), vectors)  # (2, T, B, P)
        return self.layers(x, self.begin(ids.shape[1]) if state is None else state)

    def fuse(self, *, launches_graphs: bool) -> bool:
        """Has LSTM layers trained by `fused` from now on, in kernels that torch.compile makes; whether there are any.

        Of the network that is what is worth it; batches differ in their words' number and length, for each of which the
        encoder would be compiled anew. It is for a GPU, where `launches_graphs` has batches launched as graphs.
        """
        lstms: Any = self.lstms
        exact = [lstm for lstm in lstms if lstm.lstm == "exact"]
        for lstm in exact:
            lstm.fused = FusedRecurrence(
                lstm.cell_clip, lstm.projection_clip, compiles=True, launches_graphs=launches_graphs
            )
        return bool(exact)

    def unfuse(self) -> bool:
        """Undoes `fuse`, and frees the memory that it takes; whether there was anything to undo."""
        lstms: Any = self.lstms
        fused = [lstm for lstm in lstms if lstm.fused is not None]
        for lstm in fused:
            lstm.fused = None
        return bool(fused)

    def encoded(self, characters: Tensor) -> Tensor:
        """(W, L) -> (W, P)."""
        if self.encoder is None:
            raise UsageError(
                "this ELMo reads words by their rows in a file of vectors; it has no encoder of characters"
            )
        vectors: Tensor = self.encoder(characters)
        return vectors

    def begin(self, n_rows: int) -> State:
        """What is remembered of nothing: zeros."""
        shape = (n_rows, len(self.lstms), 2)
        return State(self.table.new_zeros(*shape, self.dim), self.table.new_zeros(*shape, self.cell_dim))

    def layers(self, x: Tensor, state: State, ends: Tensor | None = None) -> tuple[list[Tensor], State]:
        """(2, T, B, P) -> D + 1 of them, and what is remembered after step `ends` (B,) of each row, or after the last.

        In training a share of what each LSTM layer reads is set to 0, which the residual then adds.
        """
        share = self.dropout if self.training else 0.0
        layers, remembered = [x], []
        for number, lstm in enumerate(self.lstms):
            read = dropped(layers[-1], share)
            h, c = state.h[:, number].transpose(0, 1), state.c[:, number].transpose(0, 1)  # (2, B, P), (2, B, H)
            outputs, after = lstm(read, h, c, ends)
            remembered.append(after)
            layers.append(outputs + read if self.residual and number else outputs)
        after_h, after_c = (
            torch.stack(of_layers).permute(2, 0, 1, 3).detach().to(self.table.dtype)  # (B, D, 2, P)
            for of_layers in zip(*remembered, strict=True)
        )
        return layers, State(after_h, after_c)

    def read(
        self, vectors: Tensor, ids: Tensor, lengths: Tensor, state: State | None = None
    ) -> tuple[list[Tensor], State]:
        """What each layer makes of texts: D + 1 tensors (B, T, 2 P) in reading order, and what is remembered.

        Each direction runs over a row's own words, from its first or its last; what lies behind a row's end is 0.

        Args:
            vectors: (W, P) of the distinct words, by `encoder` or from a file.
            ids: (B, T) their rows.
            lengths: (B,) words of each row; a row of none remembers what it did.
            state: After each row's last word in the reading before, as the published programs carry it from text to
                text; None is nothing.
        """
        n_rows, n_columns = ids.shape
        columns = torch.arange(n_columns, device=ids.device)
        is_there = columns < lengths[:, None]  # (B, T)
        turned = torch.where(is_there, lengths[:, None] - 1 - columns, columns)
        both = torch.stack([ids, ids.gather(1, turned)]).permute(0, 2, 1)  # (2, T, B)
        state = self.begin(n_rows) if state is None else state
        n_steps = max(1, _MOST_READ // (8 * self.cell_dim * max(1, n_rows)))
        parts = []
        for first in range(0, n_columns, n_steps):
            x = F.embedding(both[:, first : first + n_steps], vectors)
            found, state = self.layers(x, state, (lengths - first).clamp(0, x.shape[1]))
            parts.append(found)
        layers = []
        for of_layer in zip(*parts, strict=True):
            forward, backward = torch.cat(of_layer, 1).transpose(1, 2)  # (B, T, P)
            backward = backward.gather(1, turned[..., None].expand_as(backward))
            layers.append(torch.cat([forward, backward], -1) * is_there[..., None])
        return layers, state

    @property
    def bias(self) -> Tensor:
        """(V,) what is added to the scores; the rows that pad the table are ruled out."""
        return self.output_bias if self.padding is None else self.output_bias + self.padding


@family
class ELMo:
    """ELMo's hyperparameters.

    Attributes:
        dim: Length of a vector: each direction has half of it.
        cell_dim: Length of an LSTM's cell, which is projected to half of `dim`; not if it has that length.
        n_layers: LSTM layers.
        character_dim: Length of a character's vector.
        filters: Width, in characters, and number of the encoder's filters.
        n_highway: Highway layers behind them.
        activation: Of the filters, `relu` as the published models, or `tanh`.
        max_characters: Of a word, its begin and end counted; what is longer is cut.
        cell_clip: Largest size of a cell's elements; None is any.
        projection_clip: The same of what an LSTM layer puts out.
        residual: Whether an LSTM layer's input, but the first one's, is added to its output.
        lstm: `exact`, or `library`: PyTorch's own, which clips nothing.
        max_size: Most words that are predicted, three special ones among them; others are <UNK> as targets.
        min_count: Rarer words are not predicted.
        objective: `full` softmax, or `sampled` in training, where the vocabulary is at least twice `negatives`.
        negatives: Different words in a sample.
        directions: Whether both read the `same` sentences, or each its own, `independent`.
        dropout: Share of what LSTM layers and the output layer read that is set to 0.
        context_length: Steps of a row in a batch.
        batch_size: Rows in a batch.
        learning_rate: The highest; None is 8e-3 * 256 / max(dim, 64), and of Adagrad .2.
        final_learning_rate: At the end of the budget; None is a twentieth of the highest.
        warmup: Share of the budget in which the rate rises from 0.
        warmup_steps: Batches that this takes at least, however short the run.
        schedule: How it falls then: `linear`, `cosine`, or `hold`, which keeps it until the last fifth.
        beta1: Decay of Adam's mean of gradients.
        beta2: Decay of its mean of squares.
        epsilon: Added to its root.
        weight_decay: Decoupled, of matrices alone; Adagrad has none.
        clip: Longest gradient; 0 is any. None is 1, and of Adagrad 10 / T: as if the sum over T steps had at most 10.
        block_optimizer: What takes the steps: `adagrad`, `adam`, or `muon` of LSTMs, highways and projection, with Adam
            of all else.
        muon_rate: The length of Muon's updates, as a multiple of `learning_rate`.
    """

    name: ClassVar[str] = "elmo"
    needs_sentences: ClassVar[bool] = True
    reads_text_whole: ClassVar[bool] = True  # with its capital letters and punctuation marks, unless told otherwise

    dim: int = 1024
    cell_dim: int = 4096
    n_layers: int = 2
    character_dim: int = 16
    filters: tuple[tuple[int, int], ...] = FILTERS
    n_highway: int = 2
    activation: Literal["relu", "tanh"] = "relu"
    max_characters: int = 50
    cell_clip: float | None = 3.0
    projection_clip: float | None = 3.0
    residual: bool = True
    lstm: Literal["exact", "library"] = "exact"
    max_size: int = 50_000
    min_count: int = 3
    objective: Objective = "sampled"
    negatives: int = 8192
    directions: Literal["same", "independent"] = "same"
    dropout: float = 0.0
    context_length: int = 20
    batch_size: int = 32
    learning_rate: float | None = None
    final_learning_rate: float | None = None
    warmup: float = 0.2
    warmup_steps: int = 20
    schedule: Schedule = "linear"
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.01
    clip: float | None = None
    block_optimizer: Literal["adagrad", "adam", "muon"] = "adam"
    muon_rate: float = 1.0

    def __post_init__(self) -> None:
        """Refuses what lies outside a hyperparameter's range (UsageError)."""
        filters: Any = self.filters  # lists of lists, as JSON has them, are welcome
        try:
            object.__setattr__(self, "filters", tuple((width, count) for width, count in filters))
        except (TypeError, ValueError):
            raise UsageError(f"filters is {filters!r}; it must be pairs of a width and a number") from None
        _check(self)

    @classmethod
    def tiny(cls) -> Self:
        """128 wide, cells of 256, 496 filters, 1 highway layer."""
        return cls(dim=128, cell_dim=256, filters=(*FILTERS[:4], (5, 240)), n_highway=1)

    @classmethod
    def mini(cls) -> Self:
        """256 wide, cells of 512, 512 filters, 1 highway layer."""
        return cls(dim=256, cell_dim=512, filters=FILTERS[:5], n_highway=1)

    @classmethod
    def small(cls) -> Self:
        """256 wide, cells of 1024, 1 highway layer: 13.6 million weights, as published."""
        return cls(dim=256, cell_dim=1024, n_highway=1)

    @classmethod
    def medium(cls) -> Self:
        """512 wide, cells of 2048, 1 highway layer: 28.0 million weights, as published."""
        return cls(dim=512, cell_dim=2048, n_highway=1)

    @classmethod
    def original(cls) -> Self:
        """1024 wide, cells of 4096, 2 highway layers: 93.6 million weights, as the paper."""
        return cls()

    @classmethod
    def base(cls) -> Self:
        """`original`."""
        return cls.original()

    @classmethod
    def paper(cls) -> Self:
        """`original` by the recipe `paper`."""
        return cls.original().by_recipe("paper")

    def by_recipe(self, recipe: Literal["fast", "paper"]) -> Self:
        """The same network, trained as the authors' program trained it, or fast.

        The paper: 384 rows of 20 steps, two orders of the sentences, a vocabulary of 793,471, sampled softmax with
        8,192 words, dropout .1, Adagrad at .2 throughout, gradients of at most 10 for the sum over the steps.
        """
        if recipe == "fast":
            default = type(self)()
            return replace(self, **{name: getattr(default, name) for name in _RECIPE})
        if recipe != "paper":
            raise UsageError(f"recipe {recipe!r} asked for; there are 'fast' and 'paper'")
        return replace(
            self,
            max_size=793_471,
            min_count=3,
            objective="sampled",
            negatives=8192,
            directions="independent",
            dropout=0.1,
            context_length=20,
            batch_size=384,
            learning_rate=0.2,
            final_learning_rate=0.2,
            warmup=0.0,
            warmup_steps=0,
            schedule="linear",
            weight_decay=0.0,
            clip=None,
            block_optimizer="adagrad",
        )

    def going_on(self) -> Self:
        """The same for a network that is trained already: see `in_short_steps`."""
        return in_short_steps(self)

    def network(self, n_entries: int, seed: int) -> ELMoNetwork:
        """The network at its beginning, over a vocabulary of `n_entries`; with 0 of them it has no output layer."""
        return ELMoNetwork(self, n_entries, seed)

    def stream(self, corpus: Any, vocabulary: Any) -> Any:
        """The corpus as this family's batches are cut from it."""
        return streams.stream(
            corpus,
            vocabulary,
            batch_size=self.batch_size,
            context_length=self.context_length,
            directions=self.directions,
        )

    def samples(self, n_entries: int) -> bool:
        """Whether training takes a sample of so many words, whose loss is lower than that of all of them."""
        return self.objective == "sampled" and 2 * self.negatives <= n_entries

    def batch(self, text: Any, number: int, seed: int) -> Batch:
        """T steps of all rows, and a sample of the vocabulary for each direction."""
        both = streams.batch(text, number, seed)
        n_entries = len(text.vocabulary)
        if not self.samples(n_entries):
            return self._spelt(both, None, None)
        rng = np.random.default_rng((seed, number, _SAMPLE))
        drawn = [objectives.log_uniform_sample(rng, self.negatives, n_entries) for _ in DIRECTIONS]
        return self._spelt(both, np.stack([ids for ids, _ in drawn]), np.array([n_draws for _, n_draws in drawn]))

    def held_out(self, text: Any) -> list[Batch]:
        """The text that is held out, if any, in its order; with the full softmax, whatever training does."""
        return [self._spelt(both, None, None) for both in streams.held_out(text)]

    def _spelt(self, both: Any, candidates: NDArray[np.int64] | None, n_draws: NDArray[np.int64] | None) -> Batch:
        """A batch of the stream with its words' characters."""
        words, forward, backward, forward_targets, backward_targets, weights, n_tokens = both
        characters = trimmed(Characters(self.max_characters).table(words), self.widest)
        return Batch(
            characters,
            forward,
            backward,
            forward_targets,
            backward_targets,
            weights,
            candidates,
            n_draws,
            n_tokens,
        )

    def baselines(self, text: Any) -> dict[str, float]:
        """Nats that a prediction costs who knows nothing, and who knows the words' frequencies."""
        return {"ln V": math.log(len(text.vocabulary)), "unigram": text.unigram_entropy}

    def loss(self, network: ELMoNetwork, batch: Any, state: State | None = None) -> Loss:
        """Each direction predicts the next word in which it reads; the mean of both.

        Args:
            network: Of this family.
            batch: A `Batch` of tensors.
            state: What the network remembers of these rows' steps before; None is nothing.

        Returns:
            Its `state` is what the network remembers after these.
        """
        if not network.n_entries:
            raise UsageError("this ELMo has no output layer; published files have none: go on from it with --from")
        ids = torch.stack([batch.forward, batch.backward])  # (2, B, T)
        layers, after = network(batch.characters, ids, state)
        top = dropped(layers[-1], self.dropout if network.training else 0.0).flatten(1, 2)  # (2, T B, P)
        weights = None if batch.weights is None else batch.weights.mT.flatten()
        parts: dict[str, Tensor] = {}
        for way, name in enumerate(DIRECTIONS):
            targets = (batch.forward_targets, batch.backward_targets)[way].mT.flatten()  # (T B,)
            output = (top[way], network.table, network.bias, targets)
            if batch.candidates is None:
                parts[name] = objectives.next_word(*output, weights)
            else:
                sample = (batch.candidates[way], batch.n_draws[way], network.n_entries)
                parts[name] = objectives.sampled_next_word(*output, *sample, weights)
        n_predictions = torch.as_tensor(batch.forward.numel()) if weights is None else weights.sum()
        return Loss(sum(parts.values(), torch.zeros_like(parts["forward"])) / 2, parts, n_predictions, after)

    def optimizer(self, network: ELMoNetwork) -> torch.optim.Optimizer:
        """Adagrad; AdamW, with decay of matrices alone; or that with Muon."""
        betas = (self.beta1, self.beta2)
        if self.block_optimizer == "adagrad":
            begin = 1 / self.context_length**2  # of the sum over the steps it would be 1
            return torch.optim.Adagrad(
                network.parameters(), lr=self.highest_rate, initial_accumulator_value=begin, eps=0.0
            )
        if self.block_optimizer == "muon":
            groups = _muon_groups(network, self.weight_decay)
            return Muon(groups, lr=self.highest_rate, betas=betas, eps=self.epsilon, muon_rate=self.muon_rate)
        return torch.optim.AdamW(
            decayed_and_not(network, self.weight_decay),
            lr=self.highest_rate,
            betas=betas,
            eps=self.epsilon,
            fused=network.table.device.type in ("cpu", "cuda"),
        )

    @property
    def longest_gradient(self) -> float:
        """What longer gradients are cut to; 0 is any."""
        if self.clip is not None:
            return self.clip
        return 10 / self.context_length if self.block_optimizer == "adagrad" else 1.0

    @property
    def highest_rate(self) -> float:
        """The learning rate after the warm-up, unless one is told: Adagrad's .2; the wider, the lower, from 64 on."""
        if self.learning_rate is None and self.block_optimizer == "adagrad":
            return 0.2
        return 8e-3 * 256 / max(self.dim, 64) if self.learning_rate is None else self.learning_rate

    def rate(self, fraction: float) -> float:
        """The learning rate when `fraction` of the budget is spent."""
        return scheduled_rate(self, fraction)

    @property
    def projects(self) -> bool:
        """Whether a cell is projected to what its layer puts out: where it is longer, as in the published programs."""
        return self.cell_dim > self.dim // 2

    @property
    def n_filters(self) -> int:
        """Of all widths."""
        return sum(count for _, count in self.filters)

    @property
    def widest(self) -> int:
        """Characters that the widest filter sees."""
        return max(width for width, _ in self.filters)

    @property
    def n_weights(self) -> int:
        """Numbers in encoder and LSTMs, which are all that is published; the output layer has (dim / 2 + 1) V."""
        n_filters, dim = self.n_filters, self.dim // 2
        seen = sum(width * count for width, count in self.filters)
        encoder = N_CHARACTERS * self.character_dim + self.character_dim * seen + n_filters
        encoder += self.n_highway * 2 * n_filters * (n_filters + 1) + (n_filters + 1) * dim
        lstm = 2 * dim * 4 * self.cell_dim + 4 * self.cell_dim + (self.cell_dim * dim if self.projects else 0)
        return encoder + 2 * self.n_layers * lstm

    def flops_per_token(self, n_entries: int) -> float:
        """Floating-point operations of one training step for each position, both ways.

        6 for every weight: of LSTMs and output layer, each way; of the encoder for each of the distinct words, of which
        DISTINCT_SHARE is supposed, and of its filters for some 10 stretches of each.
        """
        n_filters, dim = self.n_filters, self.dim // 2
        seen = 10 * self.character_dim * sum(width * count for width, count in self.filters)
        encoder = seen + self.n_highway * 2 * n_filters**2 + n_filters * dim
        lstms = 2 * self.n_layers * 9 * dim * self.cell_dim
        output = 2 * dim * (self.negatives + 1 if self.samples(n_entries) else padded_rows(n_entries))
        return 6 * (DISTINCT_SHARE * encoder + lstms + output)


def _check(given: ELMo) -> None:
    """Raises UsageError for a hyperparameter that lies outside its range."""
    for name in ("cell_dim", "n_layers", "character_dim", "negatives", "context_length", "batch_size", "min_count"):
        if getattr(given, name) < 1:
            raise UsageError(f"{name} is {getattr(given, name)}; it must be at least 1")
    if given.dim < 2 or given.dim % 2:
        raise UsageError(f"dim is {given.dim}, of which each direction has half; it must be even, at least 2")
    if given.cell_dim < given.dim // 2:
        raise UsageError(
            f"cell_dim is {given.cell_dim}, and dim {given.dim}: what an LSTM layer puts out is half of dim, and a "
            "cell must not be shorter"
        )
    if given.max_size < 5:
        raise UsageError(f"max_size is {given.max_size}; it must be at least 5: two words and three special ones")
    Characters(given.max_characters)
    if not given.filters or any(width < 1 or count < 1 for width, count in given.filters):
        raise UsageError(f"filters is {given.filters!r}; it must have pairs of a width and a number, both at least 1")
    if given.widest > given.max_characters:
        raise UsageError(
            f"a filter sees {given.widest} characters, and a word has {given.max_characters} (max_characters)"
        )
    for name in ("n_highway", "warmup_steps"):
        if getattr(given, name) < 0:
            raise UsageError(f"{name} is {getattr(given, name)}; it must be at least 0")
    for name in ("cell_clip", "projection_clip"):
        clip = getattr(given, name)
        if clip is not None and not 0 < clip < math.inf:
            raise UsageError(f"{name} is {clip}; it must be positive, or None for no clip")
    if given.lstm == "library" and (given.cell_clip is not None or given.projection_clip is not None):
        raise UsageError("lstm 'library' clips nothing: it goes with cell_clip and projection_clip None")
    check_steps(
        given,
        shares=("dropout", "warmup"),
        not_negative={"weight_decay": given.weight_decay, "clip": given.longest_gradient},
        known={
            "activation": ("relu", "tanh"),
            "lstm": ("exact", "library"),
            "objective": ("full", "sampled"),
            "directions": ("same", "independent"),
            "schedule": ("linear", "cosine", "hold"),
            "block_optimizer": ("adagrad", "adam", "muon"),
        },
    )


def _initialise(network: ELMoNetwork, given: ELMo, seed: int) -> None:
    """Sets the parameters as the authors' program draws them."""
    generator = torch.Generator().manual_seed(seed)

    def normal(weight: Tensor, n_inputs: int) -> None:
        nn.init.normal_(weight, std=math.sqrt(1 / n_inputs), generator=generator)

    def uniform(weight: Tensor, most: float) -> None:
        nn.init.uniform_(weight, -most, most, generator=generator)

    encoder: Any = network.encoder
    lstms: Any = network.lstms
    uniform(encoder.characters, 1.0)
    for of_width in encoder.filters:
        if given.activation == "relu":
            uniform(of_width.weight, 0.05)
        else:
            normal(of_width.weight, of_width.in_features)
        nn.init.zeros_(of_width.bias)
    for highway in encoder.highways:
        normal(highway.weight, highway.in_features)
        nn.init.zeros_(highway.bias[: highway.in_features])
        nn.init.constant_(highway.bias[highway.in_features :], -2.0)
    normal(encoder.projection.weight, encoder.projection.in_features)
    nn.init.zeros_(encoder.projection.bias)
    dim, cell_dim = network.dim, network.cell_dim
    for lstm in lstms:  # Glorot & Bengio 2010, of the matrix of x and h in one
        uniform(lstm.weight, math.sqrt(6 / (2 * dim + 4 * cell_dim)))
        nn.init.zeros_(lstm.bias)
        if given.projects:
            uniform(lstm.projection, math.sqrt(6 / (cell_dim + dim)))
        else:
            lstm.projection.copy_(torch.eye(dim).repeat(2, 1))
    normal(network.table, dim)
    network.table.data[network.n_entries :] = 0.0
    nn.init.zeros_(network.output_bias)


def _muon_groups(network: ELMoNetwork, weight_decay: float) -> list[dict[str, Any]]:
    """The parameters as groups for `Muon`: matrices of LSTMs, highways and projection by it, all else by AdamW."""
    n_parts = {"lstms.weight": 4, "lstms.projection": 2, "encoder.highways.weight": 2, "encoder.projection.weight": 1}
    groups: dict[tuple[int, float], list[Tensor]] = {}
    for name, weight in network.named_parameters():
        kind = ".".join(part for part in name.split(".") if not part.isdecimal())
        decay = weight_decay if weight.ndim > 1 else 0.0
        groups.setdefault((n_parts.get(kind, 0), decay), []).append(weight)
    return [{"params": weights, "n_parts": n, "weight_decay": decay} for (n, decay), weights in groups.items()]


_SAMPLE: Final = 7  # among the numbers that a batch's draws are seeded by
_RECIPE: Final = (
    "max_size",
    "min_count",
    "objective",
    "negatives",
    "directions",
    "dropout",
    "context_length",
    "batch_size",
    "learning_rate",
    "final_learning_rate",
    "warmup",
    "warmup_steps",
    "schedule",
    "beta1",
    "beta2",
    "epsilon",
    "weight_decay",
    "clip",
    "block_optimizer",
    "muon_rate",
)
