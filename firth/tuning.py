"""A task as `descent.Loop` takes a family: what is read, what is answered, how steps are taken.

The network is a body (see `firth.bodies`) and a head (see `firth.heads`); the loss is the task's:

    classify, pair  -log P(label), of numbers the squared error
    tag             -log P(tag) of each word, or of the chain of them

The layers of a body are one of them, several made one, or a mix with weights that are learnt (Peters et al. 2018,
equation 1). Of GPT the loss of its language model is added, times `language_model` (Radford et al. 2018, equation 5).

Steps are AdamW's. `layer_decay` and `unfreezing` are of Howard & Ruder 2018 (arXiv 1801.06146, sections 3.2 and 3.3):
the deeper a layer, the lower its rate, and the later it moves at all. Differs: their rates fall by 2.6 a layer and rise
and fall by a triangle, and they unfreeze a layer an epoch; here all layers move from the middle of the budget on.

    B rows, T positions, W words of a row, N outputs
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar, Final, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from firth import objectives
from firth.alignment import Positions
from firth.blocks import ScalarMix, dropped
from firth.bodies import Blocks, Body, Orders, Rows, Spelt
from firth.errors import UsageError
from firth.families.family import Loss, Schedule, scheduled_rate
from firth.files import printable
from firth.heads import CNN, CRF, HEADS, TEXT_POOLS, BiLSTM, Head, Scores, TextPool, compared, drawn, pooled
from firth.parts import Layers, chosen_layers
from firth.tasks import Task

Unfreezing = Literal["at_once", "gradual"]

LAYERS: Final = {
    "mix": "all",
    "second-to-last": "-2",
    "sum-last-four": "sum:-4:",
    "concat-last-four": "concat:-4:",
}
"""Names for which layers are read, beside those that `firth.extract` knows."""
POOL_BATCHES: Final = 50  # whose rows are sorted by length together


class Batch(NamedTuple):
    """Rows of a task, padded to the longest.

    Attributes:
        ids: (B, T) as a body reads them.
        lengths: (B,).
        segments: (B, T) or None.
        second: (B, T) the second texts of pairs that are read apart, or pairs in their other order; None of others.
        second_lengths: (B,) or None.
        places: (B, W) where words' vectors stand; None where at each position, or where words do not matter.
        n_words: (B,) of rows to be tagged, else None.
        targets: (B,) or (B, W) labels by their numbers, or (B,) numbers; None where they are asked for.
        counts: (B, 3) of each row, how many labels it has, how many tokens its language model predicts, and 1.
        totals: Their sums over the whole batch.
        n_tokens: Without padding.
    """

    ids: Any
    lengths: Any
    segments: Any
    second: Any
    second_lengths: Any
    places: Any
    n_words: Any
    targets: Any
    counts: Any
    totals: tuple[int, int, int]
    n_tokens: int

    def share(self, part: str) -> float:
        """The part of the whole batch's mean that the mean of these rows is."""
        column = {"next_token": 1, "penalty": 2}.get(part, 0)
        return float(self.counts[:, column].sum()) / max(1, self.totals[column])


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """How a head, and what it stands on, is trained for a task.

    Attributes:
        task: `classify`, `pair` or `tag`.
        n_outputs: How many labels there are; of numbers 1.
        is_regression: Whether numbers are answered.
        head: `linear`, `mlp`, `cnn`, `bilstm`, `crf`, `bilstm-crf`.
        layers: Which are read: as of `firth.extract`, or a name of LAYERS; several are mixed, by weights that are
            learnt.
        pool: What a text has its one vector from.
        head_dim: Of `mlp` the width of its hidden layer, of `cnn` the filters of each width, of `bilstm` the cells of
            each direction.
        head_dropout: Share of what the head reads that is set to 0.
        body_dropout: The same everywhere in GPT, BERT and ELMo.
        mix_penalty: Of the squares of the mix's weights, what is added to the loss.
        mix_at_output: Whether a second mix of the layers stands beside what `cnn` or `bilstm` makes of the first.
        language_model: How much GPT's own loss counts beside the task's.
        orders: In which GPT reads two texts: as `given`, or `both` ways.
        epochs: How often the examples are gone through.
        batch_size: Rows in a batch.
        learning_rate: The highest.
        head_rate: That of the head, as a multiple of it.
        layer_decay: That of each layer, as a multiple of the next one's above it.
        unfreezing: Whether all layers are trained `at_once`, or from the last one down, one after the other.
        final_learning_rate: At the end.
        warmup: Share of the budget in which the rate rises from 0.
        schedule: How it falls then.
        weight_decay: Decoupled, of matrices alone, but for tables of words.
        clip: Longest gradient; 0 is any.
        beta1: Decay of Adam's mean of gradients.
        beta2: Decay of its mean of squares.
        epsilon: Added to its root.
        n_steps: How many there are, as far as that is known; 0 where it is not.
    """

    name: ClassVar[str] = "finetuning"
    holds_out: ClassVar[bool] = False  # text of its own: dev is given, or there is none

    task: Task
    n_outputs: int
    is_regression: bool = False
    head: Head = "linear"
    layers: str = "last"
    pool: TextPool = "mean"
    head_dim: int = 128
    head_dropout: float = 0.1
    body_dropout: float = 0.1
    mix_penalty: float = 0.0
    mix_at_output: bool = False
    language_model: float = 0.0
    orders: Orders = "given"
    epochs: float = 3.0
    batch_size: int = 32
    learning_rate: float = 1e-3
    head_rate: float = 1.0
    layer_decay: float = 1.0
    unfreezing: Unfreezing = "at_once"
    final_learning_rate: float | None = 0.0
    warmup: float = 0.1
    schedule: Schedule = "linear"
    weight_decay: float = 0.01
    clip: float = 1.0
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    n_steps: int = 0

    def __post_init__(self) -> None:
        """Refuses what lies outside a setting's range (UsageError)."""
        for name, known in (
            ("head", HEADS),
            ("pool", TEXT_POOLS),
            ("unfreezing", ("at_once", "gradual")),
            ("schedule", ("linear", "cosine", "hold")),
            ("orders", ("given", "both")),
        ):
            if getattr(self, name) not in known:
                raise UsageError(f"{name} is {printable(repr(getattr(self, name)))}; there are {', '.join(known)}")
        if self.head in ("crf", "bilstm-crf") and self.task != "tag":
            raise UsageError(f"head {self.head} is of tag, whose labels follow each other; {self.task} has one")
        if self.mix_at_output and self.head not in ("cnn", "bilstm", "bilstm-crf"):
            raise UsageError(f"mix_at_output is of heads cnn and bilstm; {self.head} makes nothing to set it beside")
        for name in ("head_dropout", "body_dropout", "warmup"):
            if not 0 <= getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}; it must be a share, at least 0 and below 1")
        for name in ("epochs", "batch_size", "head_dim", "learning_rate", "head_rate", "layer_decay", "epsilon"):
            if not 0 < getattr(self, name) < math.inf:
                raise UsageError(f"{name} is {getattr(self, name)}; it must be positive, and finite")
        for name in ("mix_penalty", "language_model", "weight_decay", "clip"):
            if not 0 <= getattr(self, name) < math.inf:
                raise UsageError(f"{name} is {getattr(self, name)}; it must be at least 0, and finite")

    @property
    def longest_gradient(self) -> float:
        """What gradients are shortened to; 0 is any length."""
        return self.clip

    @property
    def highest_rate(self) -> float:
        """The learning rate after the warm-up."""
        return self.learning_rate

    def rate(self, fraction: float) -> float:
        """The learning rate of the step that begins when `fraction` of the budget is spent: that of its middle.

        A first step at its begin would be at rate 0, and of few steps one lost.
        """
        return scheduled_rate(self, min(1.0, fraction + 0.5 / self.n_steps) if self.n_steps else fraction)

    def batch(self, text: "Stream", number: int, seed: int) -> Batch:
        """Batch `number` of a run."""
        return text.batch(number)

    def held_out(self, text: "Stream") -> list[Batch]:
        """Nothing: a judge reads what is held out."""
        return []

    def loss(self, network: "TaskNetwork", batch: Batch) -> Loss:
        """What is answered to a batch of tensors, beside what is due."""
        scores, last = network(batch)
        n_answers = batch.counts[:, 0].sum()
        if self.task == "tag":
            is_real = _real(batch.n_words, scores.shape[1])
            if network.crf is not None:
                parts = {"chain": network.crf.nats(scores, batch.targets, is_real).sum() / n_answers}
            else:
                parts = {"cross_entropy": F.cross_entropy(scores[is_real], batch.targets[is_real])}
        elif self.is_regression:
            parts = {"squared_error": F.mse_loss(scores[:, 0], batch.targets.to(scores.dtype))}
        else:
            parts = {"cross_entropy": F.cross_entropy(scores, batch.targets)}
        if self.language_model:
            body: Any = network.body
            weights = _real(batch.lengths, batch.ids.shape[1]).to(last.dtype)
            nats = objectives.next_token(last, body.network.table, body.network.bias, batch.ids, weights)
            parts["next_token"] = self.language_model * nats
        if self.mix_penalty:
            parts["penalty"] = network.penalty(self.mix_penalty)
        return Loss(torch.stack(list(parts.values())).sum(), parts, n_answers)

    def optimizer(self, network: "TaskNetwork") -> torch.optim.Optimizer:
        """AdamW; matrices decay, but for tables of words, and each depth has its rate."""
        groups: dict[tuple[int, bool], list[nn.Parameter]] = {}
        for name, weight in network.named_parameters():
            if weight.requires_grad:
                decays = weight.ndim > 1 and name != "body.table"
                groups.setdefault((network.depth(name), decays), []).append(weight)
        top = network.n_depths
        found = [
            {
                "params": weights,
                "weight_decay": self.weight_decay if decays else 0.0,
                "rate_share": self.head_rate if depth == top else self.layer_decay ** (top - 1 - depth),
            }
            for (depth, decays), weights in sorted(groups.items(), key=lambda group: group[0])
        ]
        is_fused = all(weight.device.type in ("cpu", "cuda") for weight in network.parameters())
        betas = (self.beta1, self.beta2)
        return torch.optim.AdamW(found, lr=self.learning_rate, betas=betas, eps=self.epsilon, fused=is_fused)

    def thaw(self, network: "TaskNetwork", fraction: float) -> None:
        """Lets those layers be trained whose turn has come, the last one first; the head is always."""
        if self.unfreezing == "gradual":
            network.open(min(network.n_depths, 1 + int(2 * fraction * network.n_depths)))


class TaskNetwork(nn.Module):
    """A body and what stands on it.

    Attributes:
        body: See `firth.bodies`.
        mix: Of the layers; None where one vector is read.
        mix_at_output: A second one; None where it is not asked for.
        encoder: CNN or LSTMs; None with other heads.
        scores: Of labels.
        crf: Of chains; None with other heads.
        n_depths: Layers that can be frozen, from 0, the lowest; the head is above them.
    """

    def __init__(self, given: Tuning, body: Body, seed: int) -> None:
        """The head at its beginning.

        Raises:
            UsageError: layers that the body does not have.
        """
        super().__init__()
        self.given, self.body = given, body
        self.layers = layers_of(given.layers, body) if not hasattr(body, "asked") else _all_of(body)
        numbers, combined = self.layers
        is_mixed = combined == "each" and len(numbers) > 1
        dim = body.dim * (len(numbers) if combined == "concat" else 1)
        self.reads_apart = given.task == "pair" and not isinstance(body, Blocks)
        with torch.random.fork_rng([]):  # what is drawn here is drawn again below
            self.mix = ScalarMix(len(numbers)) if is_mixed else None
            self.mix_at_output = ScalarMix(len(numbers)) if given.mix_at_output else None
            self.encoder: CNN | BiLSTM | None = None
            if given.head == "cnn":
                self.encoder = CNN(dim, given.head_dim)
            elif given.head in ("bilstm", "bilstm-crf"):
                self.encoder = BiLSTM(dim, given.head_dim)
            width = dim if self.encoder is None else self.encoder.width
            width += body.dim if given.mix_at_output else 0
            is_gpt = isinstance(body, Blocks) and not body.is_bert
            self.scores = Scores(
                width * (4 if self.reads_apart else 1),
                given.n_outputs,
                hidden_dim=given.head_dim if given.head == "mlp" else None,
                dropout=given.head_dropout,
                bias=not (is_gpt and given.task != "tag" and given.head == "linear"),  # Radford et al., equation 3
            )
            self.crf = CRF(given.n_outputs) if given.head in ("crf", "bilstm-crf") else None
        for part in (self.encoder, self.scores):
            if part is not None:
                drawn(part, seed)
        self.uses_pooler = isinstance(body, Blocks) and body.is_bert and given.pool == "cls" and self.encoder is None
        self.uses_pooler = self.uses_pooler and given.task != "tag"
        self.reads_first = self.uses_pooler and numbers == (body.n_layers - 1,)
        self.n_depths = body.n_layers if isinstance(body, Blocks | Spelt) else 1
        self.n_open = self.n_depths
        self._prepare_body()

    def _prepare_body(self) -> None:
        """Sets dropout, and leaves out of training what no task has a use for."""
        if not isinstance(self.body, Blocks | Spelt):
            return
        for module in self.body.network.modules():
            for name in ("dropout", "attention_dropout"):
                if isinstance(getattr(module, name, None), float):
                    setattr(module, name, self.given.body_dropout)
        unused = ["transform", "transform_norm", "output_bias", "next"]
        if isinstance(self.body, Spelt):
            unused.append("table")
        elif not self.uses_pooler:
            unused.append("pooler")
        for name, weight in self.body.network.named_parameters():
            weight.requires_grad_(name.partition(".")[0] not in unused)
        self.trained = {name for name, weight in self.named_parameters() if weight.requires_grad}

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """(B, N) or (B, W, N) scores, and (B, T, D) the last layer of the body."""
        states, is_real, last = self.states(batch.ids, batch.lengths, batch.segments, batch.places, batch.n_words)
        with torch.autocast(states.device.type, enabled=False):
            if self.given.task == "tag":
                scores: Tensor = self.scores(states)
                return scores, last
            text = self.text(states, is_real)
            if batch.second is not None:
                second, second_is_real, _ = self.states(batch.second, batch.second_lengths, None, None, None)
                other = self.text(second, second_is_real)
                text = compared(text, other) if self.reads_apart else text + other
            return self.scores(text), last

    def states(
        self, ids: Tensor, lengths: Tensor, segments: Tensor | None, places: Tensor | None, n_words: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """(B, T or W, E) what the head makes of each position or word, which are real, and the last layer.

        T is 1 in all three where a text's first position is all that is read of it.
        """
        is_real = _real(lengths, ids.shape[1])
        if self.reads_first:
            assert isinstance(self.body, Blocks)
            firsts = torch.arange(0, ids.numel(), ids.shape[1], device=ids.device)
            layers = self.body.layers(ids, lengths, segments, firsts)
            layers[-1], is_real = layers[-1][:, None], is_real[:, :1]
        else:
            layers = self.body.layers(ids, lengths, segments)
        numbers, combined = self.layers
        chosen = [layers[number] for number in numbers]
        hidden = self._one(chosen, combined)
        beside = None if self.mix_at_output is None else self.mix_at_output(chosen)
        if places is not None and n_words is not None:
            hidden, is_real = _at(hidden, places), _real(n_words, places.shape[1])
            beside = None if beside is None else _at(beside, places)
        with torch.autocast(hidden.device.type, enabled=False):
            states = hidden.to(torch.promote_types(hidden.dtype, torch.float32))
            if self.encoder is not None:
                share = self.given.head_dropout if self.training and isinstance(self.encoder, BiLSTM) else 0.0
                states = self.encoder(dropped(states, share), is_real)
            if beside is not None:
                states = torch.cat([states, beside.to(states.dtype)], -1)
        return states, is_real, layers[-1]

    def _one(self, chosen: Sequence[Tensor], combined: str) -> Tensor:
        """(B, T, D) the layers made one."""
        if self.mix is not None:
            mixed: Tensor = self.mix(chosen)
            return mixed
        if combined == "concat":
            return torch.cat(list(chosen), -1)
        total = torch.stack(list(chosen)).sum(0) if len(chosen) > 1 else chosen[0]
        return total / len(chosen) if combined == "mean" else total

    def text(self, states: Tensor, is_real: Tensor) -> Tensor:
        """(B, T, E) -> (B, E): a text's one vector; of BERT's first piece, what its pooler makes of it."""
        pool = "max" if self.encoder is not None else self.given.pool
        found = pooled(states, is_real, pool)
        if self.uses_pooler:
            body: Any = self.body
            found = body.network.pooled(found)
        return found

    def penalty(self, strength: float) -> Tensor:
        """Of the mixes' weights; see `ScalarMix.penalty`."""
        mixes = [mix for mix in (self.mix, self.mix_at_output) if mix is not None]
        parts = [mix.penalty(strength) for mix in mixes] or [self.scores.output.weight.new_zeros(())]
        return torch.stack(parts).sum()

    def depth(self, name: str) -> int:
        """How high a weight stands: 0 is of the tables, and `n_depths` of the head."""
        if not name.startswith("body.") or name == "body.unknown":
            return self.n_depths
        parts = name.split(".")[2:]
        if parts and parts[0] in ("blocks", "lstms"):
            return int(parts[1]) + 1
        is_gpt = isinstance(self.body, Blocks) and not self.body.is_bert
        is_last = parts[:1] == ["pooler"] or (is_gpt and parts[:1] == ["norm"])
        return self.n_depths - 1 if is_last else 0

    def open(self, n_open: int) -> None:
        """Lets the last `n_open` layers of the body be trained, and no other one."""
        if n_open == self.n_open:
            return
        self.n_open = n_open
        for name, weight in self.named_parameters():
            if name in self.trained:
                weight.requires_grad_(self.depth(name) >= self.n_depths - n_open)


def layers_of(asked: str, body: Body) -> Layers:
    """The layers that are asked of a body.

    Raises:
        UsageError: it does not have them, in a slice too.
    """
    named = LAYERS.get(asked, asked)
    begin = named.rpartition(":")[0].rpartition(":")[2] if ":" in named else ""
    if begin.startswith("-") and begin[1:].isdecimal() and int(begin[1:]) > body.n_layers:
        which = "layer 0" if body.n_layers == 1 else f"layers 0 to {body.n_layers - 1}"
        raise UsageError(f"the last {begin[1:]} layers asked of {body.name}, which has {body.n_layers} ({which})")
    told: Any = SimpleNamespace(name=body.name, n_layers=body.n_layers, layer_numbers=None)
    return chosen_layers(named, told)


def _all_of(body: Any) -> Layers:
    """All that a body has stored."""
    return Layers(tuple(range(body.n_layers)), "each")


def _real(lengths: Tensor, n_columns: int) -> Tensor:
    """(B, n_columns) whether a row goes so far."""
    return torch.arange(n_columns, device=lengths.device) < lengths[:, None]


def _at(hidden: Tensor, places: Tensor) -> Tensor:
    """(B, T, D) -> (B, W, D)."""
    return hidden.gather(1, places[..., None].expand(-1, -1, hidden.shape[2]))


# --- batches


class Stream:
    """Rows with their targets, in batches of alike lengths; each pass in an order of its own.

    Rows are shuffled, sorted by length among the rows of some batches, cut, and the batches shuffled.

    Attributes:
        n_tokens: Of a pass.
        n_batches: Of a pass.
        batch_size: Rows in a batch.
    """

    def __init__(self, rows: Rows, targets: Sequence[Any], batch_size: int, seed: int, which: Positions) -> None:
        """The rows `which`, with a target each."""
        self.rows, self.targets, self.which, self.seed = rows, targets, which, seed
        self.lengths = lengths_of(rows)
        self.batch_size = min(batch_size, max(1, len(which)))
        self.n_tokens = max(1, int(self.lengths[which].sum()))
        self.n_batches = -(-len(which) // self.batch_size)
        self._plans: dict[int, tuple[list[Positions], Positions]] = {}

    def tokens_before(self, number: int) -> int:
        """Of the batches before this one."""
        done, place = divmod(number, self.n_batches)
        return done * self.n_tokens + (int(self._plan(done)[1][place]) if place else 0)

    def batch(self, number: int) -> Batch:
        """Batch `number`, counted through all passes."""
        done, place = divmod(number, self.n_batches)
        return batch_of(self.rows, self._plan(done)[0][place], self.targets)

    def _plan(self, number: int) -> tuple[list[Positions], Positions]:
        """The rows of each batch of a pass, and the tokens before each."""
        found = self._plans.get(number)
        if found is None:
            rng = np.random.default_rng([self.seed, number])
            order = rng.permutation(self.which)
            n_sorted = POOL_BATCHES * self.batch_size
            for first in range(0, len(order), n_sorted):
                some = order[first : first + n_sorted]
                order[first : first + n_sorted] = some[np.argsort(self.lengths[some], kind="stable")]
            batches = [order[first : first + self.batch_size] for first in range(0, len(order), self.batch_size)]
            batches = [batches[place] for place in rng.permutation(len(batches))]
            sums = np.cumsum([0, *(int(self.lengths[batch].sum()) for batch in batches)])
            found = batches, sums
            kept = {key: plan for key, plan in self._plans.items() if key >= number - 1}
            self._plans = kept | {number: found}  # replaced whole: another thread may be looking
        return found


def lengths_of(rows: Rows) -> Positions:
    """(R,) tokens of each row, of both texts where they are read apart."""
    lengths = np.array([len(ids) for ids in rows.ids], np.int64)
    return lengths if rows.second is None else lengths + np.array([len(ids) for ids in rows.second], np.int64)


def batch_of(rows: Rows, which: Sequence[int] | Positions, targets: Sequence[Any] | None) -> Batch:
    """Some rows as a batch.

    Args:
        rows: All of them.
        which: Their numbers.
        targets: Of all rows: numbers of labels, numbers, or arrays of numbers of tags; None where they are asked for.
    """
    ids = [rows.ids[row] for row in which]
    lengths = np.array([len(row) for row in ids], np.int64)
    second = None if rows.second is None else [rows.second[row] for row in which]
    places = None if rows.places is None else [rows.places[row] for row in which]
    of_rows = None if targets is None else [targets[row] for row in which]
    is_tagged = of_rows is not None and isinstance(of_rows[0], np.ndarray)
    n_words = np.array([len(row) for row in places], np.int64) if places is not None else lengths
    n_answers = n_words if is_tagged else np.ones(len(ids), np.int64)
    counts = np.stack([n_answers, np.maximum(lengths - 1, 0), np.ones(len(ids), np.int64)], 1)
    given: Any = None
    if of_rows is not None:
        given = _padded(of_rows) if is_tagged else np.array(of_rows)
    return Batch(
        ids=_padded(ids),
        lengths=lengths,
        segments=None if rows.segments is None else _padded([rows.segments[row] for row in which]),
        second=None if second is None else _padded(second),
        second_lengths=None if second is None else np.array([len(row) for row in second], np.int64),
        places=None if places is None else _padded(places),
        n_words=n_words,
        targets=given,
        counts=counts,
        totals=(int(counts[:, 0].sum()), int(counts[:, 1].sum()), len(ids)),
        n_tokens=int(lengths.sum()),
    )


def _padded(rows: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """(B, T), 0 behind each row's end; T is at least 1."""
    padded = np.zeros((len(rows), max(1, *map(len, rows))), np.int64)
    for place, row in enumerate(rows):
        padded[place, : len(row)] = row
    return padded
