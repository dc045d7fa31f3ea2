"""BERT: Devlin et al. 2019, "BERT: pre-training of deep bidirectional transformers", sections 3 and 3.1, appendix A.

Network: tables of tokens, positions and segments, a layer norm, blocks in which every position sees all of its text,
normalised after each sum. Tasks: a share of the tokens is hidden and predicted, the output's table being the input's;
and from the first position, whether sentence B follows sentence A.

Everywhere: only the positions that are predicted go through the last block's second half and to the vocabulary, which
changes no loss. `activation` is `gelu_tanh` as the authors' code has it; published files often say `gelu`.

The recipe `paper` is appendix A.2's, and Adam without its correction of the first steps as their code has it. It
differs from it in that warm-up is a share of the budget, in that a run has one context length (for theirs, train with
128 first, then go on from that model with 512), and in that 30,522 entries become 30,528, a multiple of 64.

The recipe `fast`, the default, trains the same network otherwise. By the runs in results/recipes.md:
    30% of the tokens are hidden instead of 15% (Wettig et al. 2023, arXiv 2202.08005): .11 nats of mini. 40% gained .02
        more there, and was not tried on wider networks
    Muon takes the steps of the blocks' matrices, three times as long as its steps are elsewhere: with 30% hidden, small
        comes to 4.14 nats within 30 M tokens; with 15% it is no better than AdamW at its best (6.27 and 6.23)
    the rate is 1.4e-3 * 256 / dim, of 7e-4 and 1.4e-3 the better for small, of 7e-4 to 2.8e-3 the best for mini
    a last rate of a twentieth: .01 nats of mini. A warm-up of a fifth and beta2 .999 as well would gain .01 more there;
        the run of small that left the plateau early had .06 and .98, another with .2, .999 and twice the rate did not
As MosaicBERT (Portes et al. 2023, arXiv 2312.17482), and by runs of tiny:
    no dropout: .06 nats (two seeds)
    the first task alone: .02 nats beside both tasks on the same pairs of sentences; parts of documents packed into full
        rows instead of pairs: .02 more (two seeds each)
Not decided by runs: 32 rows instead of 256 (64 gained .03 nats of mini with 15% hidden, and were not tried with 30%);
rows of 128 tokens and 16,384 entries, so that a small corpus fills them; Adam with its correction.
"""

import math
from dataclasses import replace
from typing import Any, ClassVar, Literal, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from firth import objectives, sequences
from firth.blocks import (
    ACTIVATIONS,
    Activation,
    LayerNorm,
    TransformerBlock,
    check_sizes,
    dropped,
    initialise,
    padded_rows,
    padding_bias,
    visible,
)
from firth.encoded import EncodedPieces
from firth.errors import UsageError
from firth.families.family import RECIPE, Loss, Schedule, family, in_short_steps, scheduled_rate
from firth.optimizers import optimizer_of
from firth.sequences import Masking, Text

Objective = Literal["masked_token", "masked_token_and_next_sentence"]


class Batch(NamedTuple):
    """Rows in which tokens are hidden: `sequences.MaskedBatch`, and where the texts of packed rows begin."""

    ids: Any  # (B, T) with what hides them
    segments: Any  # (B, T) or None
    lengths: Any  # (B,) or None
    positions: Any  # (B, T) or None
    documents: Any  # (B, T) or None
    masked: Any  # (M,) places b * T + t
    targets: Any  # (M,)
    weights: Any  # (M,)
    next_sentence: Any  # (B,) or None
    n_tokens: int
    begins: Any = None  # (B, P) columns where `documents` changes, T for what is left of P; None as `documents` is


class BERTNetwork(nn.Module):
    """Token, position and segment tables, L blocks, and the heads of both tasks.

    Attributes:
        table: (V, D) the weight matrix behind the one-hot input, and the output's; V is a multiple of 64.
        positions: (P, D).
        segments: (S, D), S being n_segments.
        norm: Of the sum of the three.
        blocks: L of them.
        transform: (D, D), before the vocabulary.
        transform_norm: After it.
        output_bias: (V,).
        pooler: (D, D), before the second task's head; as it began where that is not trained.
        next: (2, D), the second task's head; as it began where that is not trained.
        n_entries: Rows of `table` that stand for pieces; the others are never predicted.
    """

    padding: Tensor | None

    def __init__(self, given: "BERT", n_entries: int, seed: int) -> None:
        """The network at its beginning."""
        super().__init__()
        self.n_entries, self.dropout = n_entries, given.dropout
        self.activation = ACTIVATIONS[given.activation]
        with torch.device("meta"):  # what torch would draw here is not asked for
            self.table = nn.Parameter(torch.empty(padded_rows(n_entries), given.dim))
            self.positions = nn.Parameter(torch.empty(given.n_positions, given.dim))
            self.segments = nn.Parameter(torch.empty(given.n_segments, given.dim))
            self.norm = LayerNorm(given.dim, given.norm_epsilon)
            self.blocks = nn.ModuleList(
                TransformerBlock(
                    given.dim,
                    given.n_heads,
                    given.inner_dim or 4 * given.dim,
                    norm="post",
                    activation=given.activation,
                    norm_epsilon=given.norm_epsilon,
                    dropout=given.dropout,
                    attention_dropout=given.attention_dropout,
                )
                for _ in range(given.n_layers)
            )
            self.transform = nn.Linear(given.dim, given.dim)
            self.transform_norm = LayerNorm(given.dim, given.norm_epsilon)
            self.output_bias = nn.Parameter(torch.empty(padded_rows(n_entries)))
            self.pooler = nn.Linear(given.dim, given.dim)
            self.next = nn.Linear(given.dim, 2)
        self.to_empty(device="cpu")
        self.register_buffer("padding", padding_bias(n_entries), persistent=False)
        initialise(self, seed, deviation=given.deviation, cut=2.0)
        self.table.data[n_entries:] = 0.0
        for name in given.untrained:
            self.get_submodule(name).requires_grad_(False)

    def forward(
        self,
        ids: Tensor,
        segments: Tensor | None = None,
        *,
        lengths: Tensor | None = None,
        positions: Tensor | None = None,
        documents: Tensor | None = None,
        begins: Tensor | None = None,
        chosen: Tensor | None = None,
    ) -> list[Tensor]:
        """What each layer makes of each position: L + 1 tensors (B, T, D).

        Args:
            ids: (B, T) rows of the table.
            segments: (B, T) 0 for sentence A, 1 for B; None is 0.
            lengths: (B,) tokens before the padding; None where there is none.
            positions: (B, T) or (T,), counted from 0; None counts the columns.
            documents: (B, T) a number for each text that shares a row; None where a row is one text.
            begins: (B, P) where they begin, see `blocks.visible`; needed for speed on CUDA alone.
            chosen: (K,) numbers b * T + t of the positions that the last layer is asked for; its tensor is (K, D) then.
        """
        n_columns = ids.shape[1]
        where = self.positions[:n_columns] if positions is None else F.embedding(positions, self.positions)
        which = self.segments[0] if segments is None else F.embedding(segments, self.segments)
        x = self.norm(F.embedding(ids, self.table) + which + where)
        x = dropped(x, self.dropout if self.training else 0.0)
        seen = visible(n_columns, causal=False, lengths=lengths, documents=documents, begins=begins)
        layers = [x]
        for number, block in enumerate(self.blocks, 1):
            layers.append(block(layers[-1], seen, chosen if number == len(self.blocks) else None))
        return layers

    def transformed(self, hidden: Tensor) -> Tensor:
        """(M, D) -> (M, D): what is compared with the table."""
        transformed: Tensor = self.transform_norm(self.activation(self.transform(hidden)))
        return transformed

    def pooled(self, first: Tensor) -> Tensor:
        """(B, D) the last layer at [CLS] -> (B, D)."""
        return torch.tanh(self.pooler(first))

    @property
    def bias(self) -> Tensor:
        """(V,) what is added to the scores; the rows that pad the table are ruled out."""
        return self.output_bias if self.padding is None else self.output_bias + self.padding


@family
class BERT:
    """BERT's hyperparameters.

    Attributes:
        dim: Length of a vector.
        n_layers: Blocks.
        n_heads: Heads of attention in each.
        inner_dim: Width between a block's last two products; None is 4 * dim.
        n_positions: Tokens of the longest text that the network can ever read.
        n_segments: Rows of the table of segments.
        activation: `gelu_tanh` as the authors' code, or `gelu`, `relu`.
        norm_epsilon: Added to the variance in layer norms.
        deviation: Of the normal distribution, cut at twice that, which matrices are drawn from.
        dropout: Share of what is set to 0 after the tables and each part of a block.
        attention_dropout: The same of the attention weights.
        vocabulary_size: Entries of a tokenizer that is trained with the model, at most; taken up to a multiple of 64.
        objective: `masked_token`, or with the second task `masked_token_and_next_sentence`.
        masking_share: Of the tokens; of these 80% become [MASK], 10% another piece, 10% stay.
        masking_units: `pieces`, or `words`, all pieces of a word at once.
        short_share: Share of the documents that are cut into pairs of a random shorter length.
        context_length: Tokens in a row of a batch.
        batch_size: Rows in a batch.
        learning_rate: The highest; None is 1.4e-3 * 256 / dim.
        final_learning_rate: At the end of the budget; None is a twentieth of the highest.
        warmup: Share of the budget in which the rate rises from 0.
        schedule: How it falls then: `linear`, `cosine`, or `hold`, which keeps it until the last fifth.
        adam: `corrected` (AdamW), or `uncorrected` as the authors' code.
        beta1: Decay of Adam's mean of gradients.
        beta2: Decay of its mean of squares.
        epsilon: Added to its root.
        weight_decay: Decoupled, of matrices alone.
        clip: Longest gradient; 0 is any.
        block_optimizer: What takes the steps of the blocks' matrices: `adam` as of the others, or `muon`.
        muon_rate: The length of Muon's updates, as a multiple of `learning_rate`.
    """

    name: ClassVar[str] = "bert"
    needs_sentences: ClassVar[bool] = True

    dim: int = 768
    n_layers: int = 12
    n_heads: int = 12
    inner_dim: int | None = None
    n_positions: int = 512
    n_segments: int = 2
    activation: Activation = "gelu_tanh"
    norm_epsilon: float = 1e-12
    deviation: float = 0.02
    dropout: float = 0.0
    attention_dropout: float = 0.0
    vocabulary_size: int = 16384
    objective: Objective = "masked_token"
    masking_share: float = 0.3
    masking_units: Literal["pieces", "words"] = "pieces"
    short_share: float = 0.1
    context_length: int = 128
    batch_size: int = 32
    learning_rate: float | None = None
    final_learning_rate: float | None = None
    warmup: float = 0.06
    schedule: Schedule = "linear"
    adam: Literal["corrected", "uncorrected"] = "corrected"
    beta1: float = 0.9
    beta2: float = 0.98
    epsilon: float = 1e-6
    weight_decay: float = 0.01
    clip: float = 1.0
    block_optimizer: Literal["adam", "muon"] = "muon"
    muon_rate: float = 3.0

    def __post_init__(self) -> None:
        """Refuses what lies outside a hyperparameter's range (UsageError)."""
        check_sizes(self)
        for name, known in (
            ("objective", ("masked_token", "masked_token_and_next_sentence")),
            ("masking_units", ("pieces", "words")),
            ("adam", ("corrected", "uncorrected")),
            ("block_optimizer", ("adam", "muon")),
        ):
            if getattr(self, name) not in known:
                raise UsageError(f"{name} is {getattr(self, name)!r}; there are {' and '.join(map(repr, known))}")
        if self.block_optimizer == "muon" and self.adam == "uncorrected":
            raise UsageError("adam 'uncorrected' is for all weights: it goes with block_optimizer 'adam'")
        if not 0 < self.masking_share < 1 or not 0 <= self.short_share <= 1:
            raise UsageError(
                f"masking_share {self.masking_share}, short_share {self.short_share}: both are shares between 0 and 1"
            )
        if self.n_segments < 1 or (self.predicts_next_sentence and self.n_segments < 2):
            raise UsageError(f"n_segments is {self.n_segments}; sentences A and B need 2")

    @property
    def predicts_next_sentence(self) -> bool:
        """Whether the second task is trained too."""
        return self.objective == "masked_token_and_next_sentence"

    @property
    def untrained(self) -> tuple[str, ...]:
        """Parts of the network that stay as they began, by the seed or by the model that training goes on from."""
        return () if self.predicts_next_sentence else ("pooler", "next")

    @classmethod
    def tiny(cls) -> Self:
        """2 layers of 128, as Turc et al. 2019 (arXiv 1908.08962), who named the sizes."""
        return cls(n_layers=2, dim=128, n_heads=2)

    @classmethod
    def mini(cls) -> Self:
        """4 layers of 256."""
        return cls(n_layers=4, dim=256, n_heads=4)

    @classmethod
    def small(cls) -> Self:
        """4 layers of 512."""
        return cls(n_layers=4, dim=512, n_heads=8)

    @classmethod
    def medium(cls) -> Self:
        """8 layers of 512."""
        return cls(n_layers=8, dim=512, n_heads=8)

    @classmethod
    def base(cls) -> Self:
        """12 layers of 768, as the paper."""
        return cls()

    @classmethod
    def paper(cls) -> Self:
        """`base` by the recipe `paper`: appendix A.2, every hyperparameter as published."""
        return cls.base().by_recipe("paper")

    def by_recipe(self, recipe: Literal["fast", "paper"]) -> Self:
        """The same network, trained as the paper trained it, or fast.

        The paper: both tasks, 256 rows of 512 tokens, a vocabulary of 30,522, dropout .1 everywhere, Adam with betas
        .9 and .999 without correction and decoupled decay .01, 1e-4 after 10,000 updates of a million, then linear to
        0.
        """
        if recipe == "fast":
            default = type(self)()
            names = (*RECIPE, "objective", "masking_share", "masking_units", "short_share", "adam")
            return replace(self, **{name: getattr(default, name) for name in names})
        if recipe != "paper":
            raise UsageError(f"recipe {recipe!r} asked for; there are 'fast' and 'paper'")
        return replace(
            self,
            n_positions=max(self.n_positions, 512),
            dropout=0.1,
            attention_dropout=0.1,
            vocabulary_size=30522,
            objective="masked_token_and_next_sentence",
            masking_share=0.15,
            masking_units="pieces",
            short_share=0.1,
            context_length=512,
            batch_size=256,
            learning_rate=1e-4,
            final_learning_rate=0.0,
            warmup=0.01,
            schedule="linear",
            adam="uncorrected",
            beta1=0.9,
            beta2=0.999,
            epsilon=1e-6,
            weight_decay=0.01,
            clip=1.0,
            block_optimizer="adam",
        )

    def going_on(self) -> Self:
        """The same for a network that is trained already: see `in_short_steps`."""
        return in_short_steps(self)

    def network(self, n_entries: int, seed: int) -> BERTNetwork:
        """The network at its beginning, over `n_entries` pieces."""
        return BERTNetwork(self, n_entries, seed)

    def stream(self, encoded: EncodedPieces) -> Text:
        """The corpus as this family's batches are cut from it."""
        return sequences.stream(
            encoded,
            layout="pairs" if self.predicts_next_sentence else "packed",
            context_length=self.context_length,
            batch_size=self.batch_size,
            short_share=self.short_share,
        )

    def batch(self, text: Text, number: int, seed: int) -> Batch:
        """Pairs of sentences, or rows filled with parts of documents, and what is hidden in them."""
        return self._masked(text, number, seed, Masking(share=self.masking_share, units=self.masking_units))

    def held_out(self, text: Text) -> list[Batch]:
        """The same of the text that is held out, if any, 15% of the pieces hidden whatever training hides."""
        out = text.held_out
        return [] if out is None else [self._masked(out, number, 0, Masking()) for number in range(out.n_batches)]

    def _masked(self, text: Text, number: int, seed: int, masking: Masking) -> Batch:
        if self.predicts_next_sentence:
            return Batch(*sequences.pairs(text, number, seed, masking))
        packed = sequences.packed(text, number, seed, masking)
        return Batch(*packed, begins=_begins(packed.documents))

    def baselines(self, encoded: EncodedPieces) -> dict[str, float]:
        """Nats that a prediction costs who knows nothing, and who knows the pieces' frequencies; ln 2 for a pair."""
        entropy = objectives.unigram_entropy(encoded.ids, encoded.n_entries)
        known = {"ln V": math.log(encoded.n_entries), "unigram": entropy}
        return known | ({"ln 2": math.log(2)} if self.predicts_next_sentence else {})

    def loss(self, network: BERTNetwork, batch: Batch) -> Loss:
        """The hidden tokens are predicted, and whether B follows A.

        Args:
            network: Of this family.
            batch: A `Batch` of tensors.
        """
        chosen = batch.masked
        if batch.next_sentence is not None:
            firsts = torch.arange(0, batch.ids.numel(), batch.ids.shape[1], device=batch.ids.device)
            chosen = torch.cat([chosen, firsts])
        layers = network(
            batch.ids,
            batch.segments,
            lengths=batch.lengths,
            positions=batch.positions,
            documents=batch.documents,
            begins=batch.begins if batch.ids.is_cuda else None,  # whose shape varies: a step would be compiled anew
            chosen=chosen,
        )
        n_masked = len(batch.masked)
        hidden = network.transformed(layers[-1][:n_masked])  # (M, D)
        masked = objectives.masked_token(hidden, network.table, network.bias, batch.targets, batch.weights)
        parts = {"masked_token": masked}
        if batch.next_sentence is not None:
            scores = network.next(network.pooled(layers[-1][n_masked:]))  # (B, 2)
            parts["next_sentence"] = objectives.next_sentence(scores, batch.next_sentence)
        return Loss(sum(parts.values(), torch.zeros_like(masked)), parts, batch.weights.sum())

    def optimizer(self, network: BERTNetwork) -> torch.optim.Optimizer:
        """Adam with decoupled decay of matrices alone, with or without correction of its first steps; or with Muon."""
        return optimizer_of(self, network)

    @property
    def longest_gradient(self) -> float:
        """What gradients are shortened to; 0 is any length."""
        return self.clip

    @property
    def highest_rate(self) -> float:
        """The learning rate after the warm-up: the wider the network, the lower, unless one is told."""
        return 1.4e-3 * 256 / self.dim if self.learning_rate is None else self.learning_rate

    def rate(self, fraction: float) -> float:
        """The learning rate when `fraction` of the budget is spent."""
        return scheduled_rate(self, fraction)

    def flops_per_token(self, n_entries: int) -> float:
        """Floating-point operations of one training step for each token: 6 for every weight, 12 L D T for attention.

        The last block's second half and the heads count for the positions that they are computed at.
        """
        inner_dim = self.inner_dim or 4 * self.dim
        before, after = 3 * self.dim**2, self.dim * (self.dim + 2 * inner_dim)
        first = self.predicts_next_sentence / self.context_length
        head = self.dim * (self.dim + padded_rows(n_entries))
        weights = self.n_layers * before + (self.n_layers - 1 + self.masking_share + first) * after
        weights += self.masking_share * head + first * self.dim * (self.dim + 2)
        return 6 * weights + 12 * self.n_layers * self.dim * self.context_length


def _begins(documents: NDArray[np.int64] | None) -> NDArray[np.int64] | None:
    """(B, P): see `Batch`. P is a power of two, so that there are few shapes, and at least 4."""
    if documents is None:
        return None
    n_rows, n_columns = documents.shape
    is_begin = np.ones(documents.shape, np.bool_)
    is_begin[:, 1:] = documents[:, 1:] != documents[:, :-1]
    rows, columns = np.nonzero(is_begin)
    counts = is_begin.sum(1)
    ranks = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    begins = np.full((n_rows, 1 << max(2, int(counts.max() - 1).bit_length())), n_columns)
    begins[rows, ranks] = columns
    return begins
