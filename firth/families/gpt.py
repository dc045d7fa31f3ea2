"""GPT: Radford et al. 2018, "Improving language understanding by generative pre-training", section 3.1.

Network: the token table and a table of positions, blocks in which no position sees a later one, normalised after each
sum. Task: each token predicts the next (their equation 1), the output's table being the input's (equation 2).

`norm="pre"` is the layout of GPT-2 (Radford et al. 2019, section 2.3): normalised before each part and once at the end,
the matrices that write into the sum drawn sqrt(2 L) times smaller.

The recipe `paper` is section 4.1's. It differs from it in that warm-up is a share of the budget, whose length is the
user's, and in that 40,478 entries become 40,512, a multiple of 64. Rows are stretches of the running text, as theirs:
what stands before a document in its row is seen from it.

The recipe `fast`, the default, trains the same network otherwise. By the runs in results/recipes.md:
    Muon takes the steps of the blocks' matrices: mini comes to 5.13 nats within 4 M tokens, small to 4.28 within 30 M,
        where AdamW at its best comes to 5.78 and 4.62
    the rate is 4e-3 * 256 / dim, the best of 2.8e-3 to 5.6e-3 for mini, of 2e-3 and 4e-3 for small
    beta2 .999, a warm-up of a fifth, a last rate of a twentieth: .12 nats of mini, most of it by beta2
    no dropout: .10 nats of tiny (one seed)
    a line instead of a cosine: .06 nats of mini within 1.5 M tokens
    32 rows instead of 64: .16 nats of mini within 1.5 M tokens; 16 rows were .01 worse within 4 M
    decay .1 as Brown et al. 2020 (arXiv 2005.14165, appendix B), which .01 and .3 equal
Left as published, though others did a little better: beta1 .9 (.85: .01 nats of mini within 4 M tokens), epsilon 1e-8
(1e-6: .01 within 1.5 M). Not decided by runs: rows of 128 tokens instead of 512 and 16,384 entries, so that a small
corpus fills them.
"""

import math
from dataclasses import replace
from typing import Any, ClassVar, Literal, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from firth import objectives, sequences
from firth.blocks import (
    Activation,
    LayerNorm,
    Norm,
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
from firth.sequences import Text, TokenBatch


class GPTNetwork(nn.Module):
    """Token and position tables, L blocks.

    Attributes:
        table: (V, D) the weight matrix behind the one-hot input, and the output's; V is a multiple of 64.
        positions: (P, D).
        blocks: L of them.
        norm: The last layer norm of GPT-2; None in GPT-1.
        n_entries: Rows of `table` that stand for pieces; the others are never predicted.
    """

    padding: Tensor | None

    def __init__(self, given: "GPT", n_entries: int, seed: int) -> None:
        """The network at its beginning."""
        super().__init__()
        self.n_entries, self.dropout = n_entries, given.dropout
        with torch.device("meta"):  # what torch would draw here is not asked for
            self.table = nn.Parameter(torch.empty(padded_rows(n_entries), given.dim))
            self.positions = nn.Parameter(torch.empty(given.n_positions, given.dim))
            self.blocks = nn.ModuleList(
                TransformerBlock(
                    given.dim,
                    given.n_heads,
                    given.inner_dim or 4 * given.dim,
                    norm=given.norm,
                    activation=given.activation,
                    norm_epsilon=given.norm_epsilon,
                    dropout=given.dropout,
                    attention_dropout=given.attention_dropout,
                )
                for _ in range(given.n_layers)
            )
            self.norm = LayerNorm(given.dim, given.norm_epsilon) if given.norm == "pre" else None
        self.to_empty(device="cpu")
        self.register_buffer("padding", padding_bias(n_entries), persistent=False)
        initialise(self, seed, deviation=given.deviation, cut=math.inf)
        self.table.data[n_entries:] = 0.0
        if given.norm == "pre":
            for name, parameter in self.named_parameters():
                if name.endswith(("out.weight", "down.weight")):
                    parameter.data /= math.sqrt(2 * given.n_layers)

    def forward(self, ids: Tensor, *, positions: Tensor | None = None, documents: Tensor | None = None) -> list[Tensor]:
        """What each layer makes of each position: L + 1 tensors (B, T, D).

        Args:
            ids: (B, T) rows of the table.
            positions: (B, T) or (T,), counted from 0; None counts the columns.
            documents: (B, T) a number for each text that shares a row; None where a row is one text.
        """
        n_columns = ids.shape[1]
        where = self.positions[:n_columns] if positions is None else F.embedding(positions, self.positions)
        x = dropped(F.embedding(ids, self.table) + where, self.dropout if self.training else 0.0)
        seen = visible(n_columns, causal=True, documents=documents)
        layers = [x]
        for block in self.blocks:
            layers.append(block(layers[-1], seen))
        if self.norm is not None:
            layers[-1] = self.norm(layers[-1])
        return layers

    @property
    def bias(self) -> Tensor | None:
        """(V,) what is added to the scores: GPT has no bias, only the rows that pad its table are ruled out."""
        return self.padding


@family
class GPT:
    """GPT's hyperparameters.

    Attributes:
        dim: Length of a vector.
        n_layers: Blocks.
        n_heads: Heads of attention in each.
        inner_dim: Width between a block's last two products; None is 4 * dim.
        n_positions: Tokens of the longest text that the network can ever read.
        norm: `post` as GPT-1, `pre` as GPT-2.
        activation: `gelu_tanh` as both papers' code, or `gelu`, `relu`.
        norm_epsilon: Added to the variance in layer norms.
        deviation: Of the normal distribution that matrices are drawn from.
        dropout: Share of what is set to 0 after the tables and each part of a block.
        attention_dropout: The same of the attention weights.
        vocabulary_size: Entries of a tokenizer that is trained with the model, at most; taken up to a multiple of 64.
        context_length: Tokens in a row of a batch.
        batch_size: Rows in a batch.
        learning_rate: The highest; None is 4e-3 * 256 / dim.
        final_learning_rate: At the end of the budget; None is a twentieth of the highest.
        warmup: Share of the budget in which the rate rises from 0.
        schedule: How it falls then: `linear`, `cosine`, or `hold`, which keeps it until the last fifth.
        beta1: Decay of Adam's mean of gradients.
        beta2: Decay of its mean of squares.
        epsilon: Added to its root.
        weight_decay: Decoupled, of matrices alone.
        clip: Longest gradient; 0 is any.
        block_optimizer: What takes the steps of the blocks' matrices: `adam` as of the others, or `muon`.
        muon_rate: The length of Muon's updates, as a multiple of `learning_rate`.
    """

    name: ClassVar[str] = "gpt"
    needs_sentences: ClassVar[bool] = False

    dim: int = 768
    n_layers: int = 12
    n_heads: int = 12
    inner_dim: int | None = None
    n_positions: int = 512
    norm: Norm = "post"
    activation: Activation = "gelu_tanh"
    norm_epsilon: float = 1e-5
    deviation: float = 0.02
    dropout: float = 0.0
    attention_dropout: float = 0.0
    vocabulary_size: int = 16384
    context_length: int = 128
    batch_size: int = 32
    learning_rate: float | None = None
    final_learning_rate: float | None = None
    warmup: float = 0.2
    schedule: Schedule = "linear"
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.1
    clip: float = 1.0
    block_optimizer: Literal["adam", "muon"] = "muon"
    muon_rate: float = 1.0

    def __post_init__(self) -> None:
        """Refuses what lies outside a hyperparameter's range (UsageError)."""
        check_sizes(self)
        if self.block_optimizer not in ("adam", "muon"):
            raise UsageError(f"block_optimizer is {self.block_optimizer!r}; there are 'adam' and 'muon'")
        if self.norm == "post" and (self.activation == "gelu" or self.inner_dim not in (None, 4 * self.dim)):
            raise UsageError(
                f"activation {self.activation!r}, inner_dim {self.inner_dim}: the files of GPT-1 have a place for "
                "'gelu_tanh' or 'relu' and for 4 * dim alone; those of GPT-2, norm='pre', for others too"
            )

    @classmethod
    def tiny(cls) -> Self:
        """2 layers of 128."""
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
        """`base` by the recipe `paper`: section 4.1, every hyperparameter as published."""
        return cls.base().by_recipe("paper")

    def by_recipe(self, recipe: Literal["fast", "paper"]) -> Self:
        """The same network, trained as the paper trained it, or fast.

        The paper: 64 rows of 512 tokens, a vocabulary of 40,478, dropout .1 everywhere, Adam with betas .9 and .999 and
        decoupled decay .01 on matrices, 2.5e-4 after 2,000 updates of about 3 million, then a cosine to 0.
        """
        if recipe == "fast":
            default = type(self)()
            return replace(self, **{name: getattr(default, name) for name in RECIPE})
        if recipe != "paper":
            raise UsageError(f"recipe {recipe!r} asked for; there are 'fast' and 'paper'")
        return replace(
            self,
            n_positions=max(self.n_positions, 512),
            dropout=0.1,
            attention_dropout=0.1,
            vocabulary_size=40478,
            context_length=512,
            batch_size=64,
            learning_rate=2.5e-4,
            final_learning_rate=0.0,
            warmup=0.0007,
            schedule="cosine",
            beta1=0.9,
            beta2=0.999,
            epsilon=1e-8,
            weight_decay=0.01,
            clip=1.0,
            block_optimizer="adam",
        )

    def going_on(self) -> Self:
        """The same for a network that is trained already: see `in_short_steps`."""
        return in_short_steps(self)

    def network(self, n_entries: int, seed: int) -> GPTNetwork:
        """The network at its beginning, over `n_entries` pieces."""
        return GPTNetwork(self, n_entries, seed)

    def stream(self, encoded: EncodedPieces) -> Text:
        """The corpus as this family's batches are cut from it."""
        return sequences.stream(
            encoded, layout="contiguous", context_length=self.context_length, batch_size=self.batch_size
        )

    def batch(self, text: Text, number: int, seed: int) -> TokenBatch:
        """Stretches of the text."""
        return sequences.contiguous(text, number, seed)

    def held_out(self, text: Text) -> list[TokenBatch]:
        """The same of the text that is held out, if any."""
        out = text.held_out
        return [] if out is None else [sequences.contiguous(out, number, 0) for number in range(out.n_batches)]

    def baselines(self, encoded: EncodedPieces) -> dict[str, float]:
        """Nats that a prediction costs who knows nothing, and who knows the pieces' frequencies."""
        entropy = objectives.unigram_entropy(encoded.ids, encoded.n_entries)
        return {"ln V": math.log(encoded.n_entries), "unigram": entropy}

    def loss(self, network: GPTNetwork, batch: Any) -> Loss:
        """Every token but a row's first is predicted from those before it.

        Args:
            network: Of this family.
            batch: Tensors `ids` (B, T) and `lengths` (B,) or None.
        """
        layers = network(batch.ids)
        weights = None
        n_predictions = batch.ids[:, 1:].numel()
        if batch.lengths is not None:
            columns = torch.arange(batch.ids.shape[1], device=batch.ids.device)
            weights = (columns < batch.lengths[:, None]).to(layers[-1].dtype)  # (B, T)
            n_predictions = (batch.lengths - 1).sum()
        mean = objectives.next_token(layers[-1], network.table, network.bias, batch.ids, weights)
        return Loss(mean, {"next_token": mean}, torch.as_tensor(n_predictions))

    def optimizer(self, network: GPTNetwork) -> torch.optim.Optimizer:
        """AdamW: Adam with decoupled decay, of matrices alone; or with Muon."""
        return optimizer_of(self, network)

    @property
    def longest_gradient(self) -> float:
        """What gradients are shortened to; 0 is any length."""
        return self.clip

    @property
    def highest_rate(self) -> float:
        """The learning rate after the warm-up: the wider the network, the lower, unless one is told."""
        return 4e-3 * 256 / self.dim if self.learning_rate is None else self.learning_rate

    def rate(self, fraction: float) -> float:
        """The learning rate when `fraction` of the budget is spent."""
        return scheduled_rate(self, fraction)

    def flops_per_token(self, n_entries: int) -> float:
        """Floating-point operations of one training step for each token: 6 for every weight, 6 L D T for attention."""
        block = self.dim * (4 * self.dim + 2 * (self.inner_dim or 4 * self.dim))
        weights = self.n_layers * block + padded_rows(n_entries) * self.dim
        return 6 * weights + 6 * self.n_layers * self.dim * self.context_length
