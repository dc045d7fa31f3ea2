"""The contract of a family: a value that holds its hyperparameters, and knows its network and its task.

Every family file has the same parts in the same order: docstring (paper, network, task, what differs), the family,
and in it the presets, `network`, `batch` (what is hidden), `loss` (what is predicted), `step`.
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar, dataclass_transform

import numpy as np
from numpy.typing import NDArray

from firth.errors import UsageError
from firth.vocabulary import Vocabulary
from firth.windows import Batch, Stream

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
    "max_vocab_size": "max_size",
    "iter": "epochs",
    "workers": "threads",
    "sentences": "corpus",
    "corpus_file": "corpus",
    "corpus_iterable": "corpus",
    "callbacks": "on_report",
    "compute_loss": "loss_nats, in every report,",
}
"""What gensim calls a hyperparameter or an argument, and what stands for it here."""

Class = TypeVar("Class", bound=type)
Function = TypeVar("Function", bound=Callable[..., Any])


def answers_gensim_names(function: Function) -> Function:
    """`function`, which meets a keyword of gensim's with our name for it instead of a TypeError alone."""

    @functools.wraps(function)
    def answering(*arguments: Any, **keywords: Any) -> Any:
        try:
            return function(*arguments, **keywords)
        except TypeError as error:
            for name in keywords:
                if name in GENSIM_NAMES and f"'{name}'" in str(error):
                    raise UsageError(f"{name} is called {GENSIM_NAMES[name]} here") from None
            raise

    return answering  # type: ignore[return-value]


@dataclass_transform(frozen_default=True, kw_only_default=True)
def family(cls: Class) -> Class:
    """`cls` as a frozen dataclass of keywords that answers gensim's names."""
    made: Any = dataclass(frozen=True, kw_only=True)(cls)
    made.__init__ = answers_gensim_names(made.__init__)
    return made  # type: ignore[no-any-return]


class Tables(NamedTuple):
    """The network of the static families: two tables of vectors."""

    input: NDArray[np.float32]  # (V, D), the weight matrix behind the one-hot input: the word vectors
    output: NDArray[np.float32]  # (V, D) a vector for each predicted word, or (V - 1, D) for each tree node


class Step(NamedTuple):
    """What a step reports."""

    loss_nats: float  # summed over the predicted pairs
    n_pairs: int


class TableLoss(NamedTuple):
    """A loss in nats, summed over the pairs of a batch, and what its gradient is in either table."""

    nats: float
    n_pairs: int
    input: NDArray[np.float64]  # (V, D)
    output: NDArray[np.float64]  # as Tables.output


class Family(Protocol):
    """What `training.train` asks of a family; see `families/skipgram.py` for one."""

    name: ClassVar[str]

    @property
    def dim(self) -> int:
        """Length of a word's vector."""

    @property
    def min_count(self) -> int:
        """Rarer words get no vector."""

    @property
    def max_size(self) -> int | None:
        """The most words that get one."""

    @property
    def learning_rate(self) -> float:
        """At the beginning of the budget."""

    @property
    def final_learning_rate(self) -> float:
        """At its end."""

    def network(self, vocabulary: Vocabulary, seed: int) -> Tables:
        """A network at its beginning."""

    def stream(self, corpus: Any, vocabulary: Vocabulary) -> Stream:
        """What batches are cut from."""

    def batch(self, text: Stream, number: int, seed: int) -> Batch:
        """Batch `number` of a run, a pure function of its arguments: what is hidden."""

    def loss(self, network: Tables, batch: Batch, tree: Any = None) -> TableLoss:
        """The reference: what is predicted, in float64."""

    def step(self, network: Tables, batch: Batch, learning_rate: float, tree: Any = None) -> Step:
        """One compiled step; changes the network in place."""


def initial_tables(n_rows: int, n_outputs: int, dim: int, seed: int) -> Tables:
    """Tables as word2vec.c begins: input uniform on [-1/2D, 1/2D), output zero, so that every score is 0."""
    uniform = np.random.default_rng(seed).random((n_rows, dim), dtype=np.float32)
    return Tables((uniform - np.float32(0.5)) / np.float32(dim), np.zeros((n_outputs, dim), np.float32))


def reference_step(family: Family, network: Tables, batch: Batch, learning_rate: float, tree: Any = None) -> Step:
    """Gradient descent block by block through `family.loss`, in place: what `family.step` must equal.

    Args:
        family: Whose loss is descended.
        network: Tables of float64.
        batch: Any number of blocks.
        learning_rate: As of `step`.
        tree: For hierarchical softmax.
    """
    total = n_pairs = 0.0
    for block in batch.blocks():
        loss = family.loss(network, block, tree)
        np.subtract(network.input, learning_rate * loss.input, out=network.input)
        np.subtract(network.output, learning_rate * loss.output, out=network.output)
        total += loss.nats
        n_pairs += loss.n_pairs
    return Step(total, int(n_pairs))


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
    return classes[name](**{key: value for key, value in given.items() if key != "name"})


def check_word2vec(given: Any) -> None:
    """Raises UsageError for a hyperparameter of Skip-gram or CBOW that lies outside its range."""
    for name in ("dim", "window", "min_count", "block", "noise_pool"):
        if getattr(given, name) < 1:
            raise UsageError(f"{name} is {getattr(given, name)}; it must be at least 1")
    if given.objective not in ("negative_sampling", "hierarchical_softmax"):
        raise UsageError(f"objective is {given.objective!r}; there are 'negative_sampling' and 'hierarchical_softmax'")
    if given.objective == "negative_sampling" and given.negatives < 1:
        raise UsageError(f"negatives is {given.negatives}; negative sampling needs at least 1")
    if given.block % 4 or given.noise_pool % 4:
        raise UsageError(f"block is {given.block}, noise_pool {given.noise_pool}; both must be multiples of 4")
    if given.window_widths not in ("dynamic", "fixed"):
        raise UsageError(f"window_widths is {given.window_widths!r}; there are 'dynamic' and 'fixed'")
    if given.sample < 0:
        raise UsageError(f"sample is {given.sample}; it must be 0 (off) or a share of the corpus, as 1e-3")
    if not 0 <= given.final_learning_rate <= given.learning_rate:
        raise UsageError(
            f"learning_rate {given.learning_rate} and final_learning_rate {given.final_learning_rate}: "
            "the second must lie between 0 and the first"
        )
