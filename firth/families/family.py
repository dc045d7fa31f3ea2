"""The contract of a family: a value that holds its hyperparameters, and knows its network and its task.

Every family file has the same parts in the same order: docstring (paper, network, task, what differs), the family,
and in it the presets, `network`, `batch` (what is hidden), `loss` (what is predicted), and what takes the steps: `step`
of a static family, `optimizer` of a contextual one.
"""

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, NamedTuple, Protocol, TypeVar, dataclass_transform

from firth.errors import UsageError
from firth.preparation import Preparation
from firth.vocabulary import Vocabulary

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

Schedule = Literal["linear", "cosine", "hold"]

GENSIM_NAMES: Mapping[str, str] = {
    "vector_size": "dim",
    "size": "dim",
    "sg": "Skipgram or CBOW, a family each,",
    "hs": "objective='hierarchical_softmax'",
    "negative": "negatives",
    "ns_exponent": "noise_exponent",
    "cbow_mean": "combine ('mean' or 'sum')",
    "alpha": "learning_rate",
    "min_alpha": "final_learning_rate",
    "shrink_windows": "window_widths ('dynamic' or 'fixed')",
    "max_final_vocab": "max_size",
    "max_vocab_size": "max_types",
    "iter": "epochs",
    "workers": "threads",
    "sentences": "corpus",
    "corpus_file": "corpus",
    "corpus_iterable": "corpus",
    "callbacks": "on_report",
    "compute_loss": "loss_nats, in every report,",
}
"""What gensim calls a hyperparameter or an argument, and what stands for it here."""

_PREPARATION: Final = frozenset(field.name for field in fields(Preparation))

Class = TypeVar("Class", bound=type)
Value = TypeVar("Value")
Function = TypeVar("Function", bound=Callable[..., Any])


def answers_gensim_names(function: Function) -> Function:
    """`function`, which meets a keyword of gensim's, or of a preparation, with what to write instead."""

    @functools.wraps(function)
    def answering(*arguments: Any, **keywords: Any) -> Any:
        try:
            return function(*arguments, **keywords)
        except TypeError as error:
            for name in keywords:
                if name in GENSIM_NAMES and f"'{name}'" in str(error):
                    raise UsageError(f"{name} is called {GENSIM_NAMES[name]} here") from None
                if name in _PREPARATION and f"'{name}'" in str(error):
                    raise UsageError(
                        f"{name} belongs to how text is prepared: preparation=firth.Preparation({name}=...)"
                    ) from None
            raise

    return answering  # type: ignore[return-value]


@dataclass_transform(frozen_default=True, kw_only_default=True)
def family(cls: Class) -> Class:
    """`cls` as a frozen dataclass of keywords that answers gensim's names."""
    made: Any = dataclass(frozen=True, kw_only=True)(cls)
    made.__init__ = answers_gensim_names(made.__init__)
    return made  # type: ignore[no-any-return]


class Step(NamedTuple):
    """What a step reports."""

    loss_nats: float  # summed over the predicted pairs
    n_pairs: int


class Family(Protocol):
    """What `training.train` asks of a family; see `families/skipgram.py` for one."""

    name: ClassVar[str]
    needs_sentences: ClassVar[bool]  # whether a line of its corpus must be one sentence
    loss_unit: ClassVar[str]  # of what reports call its loss
    default_epochs: ClassVar[int | None]  # where no budget is given; None: as many as suit the corpus

    @property
    def tables(self) -> type:
        """A NamedTuple: what a model keeps, by the names of `shapes`."""

    @property
    def dim(self) -> int:
        """Length of a word's vector."""

    @property
    def min_count(self) -> int:
        """Rarer words get no vector."""

    @property
    def max_size(self) -> int | None:
        """The most words that get one."""

    def shapes(self, vocabulary: Vocabulary) -> Mapping[str, tuple[int, ...]]:
        """The tensors that a model's directory holds by name, with their shapes."""

    def rate(self, fraction: float) -> float:
        """The learning rate when `fraction` of the budget is spent."""

    def network(self, vocabulary: Vocabulary, seed: int) -> Any:
        """What is trained, at its beginning: a NamedTuple of tensors whose first axis are rows."""

    def kept(self, network: Any, vocabulary: Vocabulary) -> Any:
        """What a model keeps of what is trained: `tables`."""

    def go_on(self, network: Any, vocabulary: Vocabulary, rows: Any, base: Any, base_family: Any) -> None:
        """Gives these rows of a network at its beginning what a model of `base_family` has kept of its own."""

    def stream(self, corpus: Any, vocabulary: Vocabulary, threads: int = 1) -> Any:
        """What batches are cut from: `n_tokens`, `n_batches`, `tokens_before(number)`, `tree`.

        `threads` is how many batches are trained on at a time.
        """

    def batch(self, text: Any, number: int, seed: int) -> Any:
        """Batch `number` of a run, a pure function of its arguments: what is hidden."""

    def loss(self, network: Any, batch: Any, tree: Any = None) -> Any:
        """The reference: what is predicted, in float64."""

    def step(self, network: Any, batch: Any, learning_rate: float, tree: Any = None) -> Step:
        """One compiled step; changes the network in place."""


class Loss(NamedTuple):
    """What a batch of a contextual family says of its network."""

    mean: "Tensor"  # nats for a prediction, what is descended: the sum of the parts; of two directions, their mean
    parts: "dict[str, Tensor]"  # the mean of each of its tasks, by the name of its equation in `objectives`
    n_predictions: "Tensor"  # of its first task
    state: Any = None  # what the network remembers after it, a NamedTuple of tensors, the rows of a batch first


class ContextualFamily(Protocol):
    """What `training.train` asks of a family whose vectors depend on the context; see `families/gpt.py` for one."""

    name: ClassVar[str]
    needs_sentences: ClassVar[bool]  # whether a line of its corpus must be one sentence

    @property
    def dim(self) -> int:
        """Length of a vector."""

    @property
    def n_layers(self) -> int:
        """Blocks; the network makes one matrix more."""

    @property
    def context_length(self) -> int:
        """Tokens in a row of a batch."""

    @property
    def batch_size(self) -> int:
        """Rows in a batch."""

    @property
    def longest_gradient(self) -> float:
        """What gradients are shortened to; 0 is any length."""

    @property
    def highest_rate(self) -> float:
        """The learning rate after the warm-up."""

    def going_on(self) -> "ContextualFamily":
        """The same for a network that is trained already."""

    def network(self, n_entries: int, seed: int) -> "nn.Module":
        """A network at its beginning, over a tokenizer of so many entries."""

    @property
    def stream(self) -> Callable[..., Any]:
        """Of an encoded corpus, and the words to predict where these are whole, what batches are cut from.

        It has `n_tokens`, `n_batches`, `tokens_before(number)`.
        """

    def batch(self, text: Any, number: int, seed: int) -> Any:
        """Batch `number` of a run, NumPy arrays, a pure function of its arguments: what is hidden."""

    @property
    def loss(self) -> Callable[..., Loss]:
        """Of a network, a batch as tensors, and what the network remembers, if it does: what is predicted."""

    def optimizer(self, network: Any) -> "torch.optim.Optimizer":
        """What takes the steps."""

    def rate(self, fraction: float) -> float:
        """The learning rate when `fraction` of the budget is spent."""

    def flops_per_token(self, n_entries: int) -> float:
        """Floating-point operations of one training step for each token."""


RECIPE: Final = (
    *("dropout", "attention_dropout", "vocabulary_size", "context_length", "batch_size"),
    *("learning_rate", "final_learning_rate", "warmup", "schedule", "weight_decay", "clip"),
    *("beta1", "beta2", "epsilon", "block_optimizer", "muon_rate"),
)
"""The hyperparameters of GPT and BERT that say how a network is trained, and that a recipe decides."""
HELD_SHARE: Final = 0.8
"""Share of the budget after which the schedule `hold` lets the rate fall."""
FINAL_SHARE: Final = 0.05
"""The last learning rate as a share of the highest, unless one is told: results/recipes.md."""


def scheduled_rate(family: Any, fraction: float) -> float:
    """The learning rate when `fraction` of the budget is spent: up in a line, then down as `family.schedule` says.

        linear  in a line from the highest rate to the last
        cosine  as half a period of the cosine does: Loshchilov & Hutter 2017 (arXiv 1608.03983), equation 5
        hold    at the highest rate until HELD_SHARE of the budget, then linear: Hu et al. 2024 (arXiv 2404.06395)

    Args:
        family: Its `highest_rate`, `final_learning_rate` (None is FINAL_SHARE of it), `warmup`, `schedule`.
        fraction: Of the budget, from 0 to 1.
    """
    highest, warmup = family.highest_rate, family.warmup
    last = FINAL_SHARE * highest if family.final_learning_rate is None else family.final_learning_rate
    if fraction < warmup:
        return float(highest * fraction / warmup)
    begin = max(warmup, HELD_SHARE) if family.schedule == "hold" else warmup
    fallen = min(max(0.0, (fraction - begin) / (1 - begin)), 1.0)
    share = (1 + math.cos(math.pi * fallen)) / 2 if family.schedule == "cosine" else 1 - fallen
    return float(last + (highest - last) * share)


def in_short_steps(family: Value) -> Value:
    """The family for a network that is trained already: unless a rate is told, AdamW takes all steps, and short ones.

    The rate of the recipe `fast` would undo what was learnt.
    """
    given: Any = family
    if given.learning_rate is not None:
        return family
    short: Value = replace(given, block_optimizer="adam", learning_rate=1e-4 * 768 / given.dim)
    return short


def completed(preparation: Preparation, family: Any) -> Preparation:
    """`preparation` as it is for a family, where it leaves that open: see `Preparation.cased` and `punctuation`."""
    reads_text_whole = getattr(family, "reads_text_whole", False)
    return preparation.completed(cased=reads_text_whole, punctuation=reads_text_whole)


_BEFORE: Final[Mapping[str, Mapping[str, Any]]] = {"elmo": {"warmup_steps": 0}}
"""What hyperparameters were in effect before there were any by these names: models of then do not tell."""


def settings(family: Any) -> dict[str, Any]:
    """The family as JSON: its name and its hyperparameters."""
    return {"name": family.name, **asdict(family)}


def from_settings(classes: Mapping[str, type], given: Mapping[str, Any]) -> Any:
    """The family that `settings` described.

    Raises:
        UsageError: a family or a hyperparameter that this version does not know.
    """
    name = str(given.get("name"))
    if name not in classes:
        raise UsageError(f"family {name!r} asked for; there are {', '.join(sorted(classes))}")
    known = {field.name for field in fields(classes[name])}
    unknown = sorted(set(given) - known - {"name"})
    if unknown:
        raise UsageError(f"{name} has no hyperparameter {', '.join(unknown)}; the model is of another version")
    before = {key: value for key, value in _BEFORE.get(name, {}).items() if key in known}
    return classes[name](**before | {key: value for key, value in given.items() if key != "name"})
