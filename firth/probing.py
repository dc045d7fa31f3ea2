"""What each layer of a model knows of a task: a linear probe on every layer, and beside it a control task.

Hewitt & Liang 2019, "Designing and Interpreting Probes with Control Tasks" (arXiv 1909.03368): a probe may learn a task
by heart, whatever it reads. So it also learns a control task: each word type has a tag drawn at random, with the odds
that tags have in the training text. What the probe finds beyond that (its selectivity, the difference of the two
accuracies) is what stands in the vectors. Differs: a control task is of tags alone, since it is defined by word types;
for texts, the share of the most frequent label is what a score is to be held against.

The probe is multinomial logistic regression on standardised vectors, found by Adam (Kingma & Ba 2015) with a step that
goes down to zero; of numbers, ridge regression. The probes of a layer's task and control task see the same batches. Of
pairs it reads both texts' vectors u and v as [u; v; |u - v|; u * v] (Conneau et al. 2017,
"Supervised Learning of Universal Sentence Representations").

N rows (words, or texts), K layers, D dim, F features, C classes
"""

import hashlib
import json
import math
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from firth import cache, pages, reporting
from firth.errors import FirthError, UsageError
from firth.extraction import Opened, prepare
from firth.files import printable, replacing
from firth.parts import Extraction, extracted
from firth.progress import Progress, Silent
from firth.readers import Precision, heeding_length
from firth.scoring import Scores, score
from firth.tasks import Examples, Task, account, are_seen, limited, read_examples

Matrix = NDArray[np.float32]

PENALTIES: Final = (1.0, 10.0, 100.0, 1000.0)
"""Of the squared weights, over the number of rows, what scikit-learn calls 1 / C: one of them is chosen."""
EPOCHS: Final = 8
"""Passes over the rows; more where these are so few that they make less than LEAST_STEPS steps."""
LEAST_STEPS: Final = 2_000

_FOLDS: Final = 5  # that a penalty is chosen by where there is no dev
_MOST_FOLDED: Final = 2_000  # examples; of more, one of the parts tells enough
_BATCH: Final = 256  # rows of a step
_LEARNING_RATE: Final = 2e-3
_MOMENTS: Final = (0.9, 0.999)
_ROWS_TOGETHER: Final = 1 << 13
_IN_MEMORY_BYTES: Final = 1 << 30  # of a layer's vectors; more are read from the disk in every pass
_LEAST_SPREAD: Final = 2.0**-10  # of a number's size: with less, it is constant but for the rounding of float16
_ARRAY: Final = "vectors.npy"
_LONG: Final = "long"


class LayerProbe(NamedTuple):
    """What a probe found in a layer.

    Attributes:
        layer: Counted from 0.
        dev: The scores on the examples that layers are chosen by; None where there are none.
        test: Those on the test examples; None where there are none.
        control: The accuracy on the control task, of the same examples as `selectivity`; None of texts.
        selectivity: The accuracy on the task less that on the control task, on dev, or else on test.
        penalty: Of the probe's squared weights.
        answers: What the probe takes the examples of test for, or where there are none, of dev; as their targets are.
    """

    layer: int
    dev: Scores | None
    test: Scores | None
    control: float | None
    selectivity: float | None
    penalty: float
    answers: Sequence[Any]


@dataclass(frozen=True)
class Probing:
    """What probes found in every layer of a model.

    Attributes:
        task: Of what kind it is.
        model: What messages call the model.
        main: The score that layers are compared by.
        layers: What was found in each.
        baseline: That score, for the most frequent label everywhere (of numbers: their mean), on dev, or else on test.
        n_train: How many rows the probes learnt from.
        unknown: Of all rows, the share that the model has no vector for; they were read as zeros.
        overlap: By the name of a file, the share of its examples that stand verbatim in train.
    """

    task: Task
    model: str
    main: str
    layers: tuple[LayerProbe, ...]
    baseline: float
    n_train: int
    unknown: float
    overlap: dict[str, float]

    @property
    def best(self) -> LayerProbe:
        """The layer with the highest score on dev, or where there is none, on test; the lowest of equals."""
        return max(self.layers, key=lambda one: (_either(one).value, -one.layer))

    def settings(self) -> dict[str, Any]:
        """All of it as JSON."""
        return {
            "task": self.task,
            "model": self.model,
            "main": self.main,
            "baseline": self.baseline,
            "n_train": self.n_train,
            "unknown": self.unknown,
            "overlap": dict(self.overlap),
            "best": self.best.layer,
            "layers": [
                {
                    "layer": one.layer,
                    "dev": None if one.dev is None else one.dev.settings(),
                    "test": None if one.test is None else one.test.settings(),
                    "control": one.control,
                    "selectivity": one.selectivity,
                    "penalty": one.penalty,
                }
                for one in self.layers
            ],
        }


def probe(
    model: Opened,
    *,
    task: Task,
    train: Any,
    dev: Any = None,
    test: Any = None,
    layers: str | int | Sequence[int] = "all",
    pool: str | None = None,
    penalty: float | None = None,
    epochs: int = EPOCHS,
    seed: int = 1,
    limit: int | None = None,
    context_length: int | None = None,
    precision: Precision = "fp32",
    device: str | None = None,
    threads: int | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Probing:
    """What a linear probe finds of a task in every layer of a model, which stays as it is.

    The vectors are made once, and kept in the cache in half precision for later probes of the same examples.

    Args:
        model: As `firth.extract` takes it.
        task: `classify`, `pair` or `tag`.
        train: What the probes learn from: `Examples`, or what `firth.read_examples` takes.
        dev: What layers are chosen by.
        test: What they are tested on; one of the two is needed.
        layers: `all`, `last`, a number, several as `0,5,12`, a slice as `-4:`.
        pool: How a word's vector comes from its pieces (`mean`, `first`, `last`, `max`), or a text's (`mean`, `cls`,
            `last`); None is `mean`.
        penalty: Of the squared weights; 1 / C in scikit-learn. None takes for each layer that of PENALTIES with the
            highest score on dev; without dev, on fifths of train that are not learnt from meanwhile (of many
            examples on one of them).
        epochs: Passes of the probe over what it learns from; see EPOCHS.
        seed: Decides the control task, and the order of the rows.
        limit: So many of the examples of `train` are used, drawn by the seed as `firth.finetune` draws them.
        context_length: As of `firth.extract`.
        precision: The same.
        device: The same.
        threads: The same; the probes themselves use the threads of NumPy's BLAS.
        cache_dir: Where the vectors are kept; see `firth.cache.place`.
        progress: Shows how far the work is, and what was found in the examples.

    Raises:
        UsageError: neither dev nor test; layers that the model does not have, or made one; a number that is too small.
        FirthError: examples that cannot be read, see `firth.read_examples`.
    """
    if dev is None and test is None:
        raise UsageError("a probe is scored on examples that it has not learnt: give dev, test, or both")
    if (penalty is not None and not penalty > 0) or epochs < 1:
        raise UsageError(f"penalty is {penalty}, epochs {epochs}; both must be positive")
    progress = progress or Silent()
    learnt = _examples(train, task, None)
    if limit is not None:
        learnt = limited(learnt, limit, seed)
    sets = {"train": learnt}
    for name, given in (("dev", dev), ("test", test)):
        if given is not None:
            sets[name] = _examples(given, task, learnt)
    for examples in sets.values():
        for line in account(examples):
            progress.say(line)
    overlap = _overlap(sets, progress)
    asked = prepare(
        model,
        layers=layers,
        unit="word" if task == "tag" else "sentence",
        pool=pool or "mean",  # type: ignore[arg-type] # looked at there
        dtype="float16",
        context_length=context_length,
        precision=precision,
        device=device,
        threads=threads,
    )
    if asked.reader.has_context:
        asked = replace(asked, unknown="context")
    if asked.layers.combined != "each":
        raise UsageError("a probe reads each layer by itself; mean:, sum: and concat: make one of several")
    features = {name: _Features.of(asked, examples, precision, cache_dir, progress) for name, examples in sets.items()}
    rows = {name: _Rows.of(examples, learnt.labels) for name, examples in sets.items()}
    controls = _controls(rows, len(learnt.labels), seed) if task == "tag" else None
    found = []
    with progress.stage("probing") as advance:
        for number, layer in enumerate(asked.layers.numbers):
            penalties = PENALTIES if penalty is None else (penalty,)
            one = _probed(layer, number, features, rows, sets, controls, penalties, epochs, seed)
            found.append(one)
            told = f"layer {layer}: {_either(one).main} {_either(one).value:.4f}"
            advance((number + 1) / asked.n_layers, 0, told)
    n_rows = sum(len(one.is_known) for one in features.values())
    scored = "dev" if "dev" in sets else "test"
    return Probing(
        task=task,
        model=asked.reader.name,
        main=_either(found[0]).main,
        layers=tuple(found),
        baseline=_baseline(rows["train"], sets[scored], rows[scored], learnt),
        n_train=len(rows["train"].targets),
        unknown=sum(int((~one.is_known).sum()) for one in features.values()) / n_rows,
        overlap=overlap,
    )


def _examples(given: Any, task: Task, like: Examples | None) -> Examples:
    if isinstance(given, Examples):
        if given.task != task:
            raise UsageError(f"task is {task}, but {printable(given.source)} was read for {given.task}")
        return given
    return read_examples(given, task, like=like)


def _overlap(sets: dict[str, Examples], progress: Progress) -> dict[str, float]:
    """By name, the share of dev and test that train has too."""
    shares = {}
    for name, examples in sets.items():
        if name != "train":
            n_seen = sum(are_seen(sets["train"], examples))
            shares[name] = n_seen / len(examples)
            if n_seen:
                progress.say(
                    f"{printable(examples.source)}: {n_seen:,} of {len(examples):,} examples ({shares[name]:.1%}) "
                    f"stand verbatim in {printable(sets['train'].source)}"
                )
    return shares


def _either(one: LayerProbe) -> Scores:
    """The scores that layers are compared by."""
    found = one.dev if one.dev is not None else one.test
    assert found is not None
    return found


# --- the vectors


class _Features(NamedTuple):
    """The vectors of a set of examples.

    Attributes:
        array: (K, N, D) float16, mapped from the disk; of pairs both texts' rows, the first ones first.
        is_known: (N,) whether there is a vector.
        is_pair: Whether two rows make an example.
    """

    array: NDArray[np.float16]
    is_known: NDArray[np.bool_]
    is_pair: bool

    @classmethod
    def of(
        cls,
        asked: Extraction,
        examples: Examples,
        precision: Precision,
        cache_dir: str | os.PathLike[str] | None,
        progress: Progress,
    ) -> "_Features":
        """From the cache, or made now."""
        given: list[Any] = [example.inputs for example in examples]
        if examples.task != "tag":
            given = [inputs[0] for inputs in given] + [inputs[1] for inputs in given if len(inputs) > 1]
        n_rows = sum(map(len, given)) if examples.task == "tag" else len(given)
        shape = (asked.n_layers, n_rows, asked.dim)
        digest = hashlib.sha256(json.dumps(given, ensure_ascii=False).encode()).hexdigest()
        told = {"features": asked.settings(), "precision": precision, "texts": digest}

        def make(folder: Path) -> None:
            n_bytes = 2 * math.prod(shape)
            progress.say(f"{n_rows:,} vectors of {shape[0]} layers take {n_bytes / 1e6:,.0f} MB of the cache")
            free = shutil.disk_usage(folder).free
            if free < n_bytes:  # what is mapped would end the program there
                raise FirthError(
                    f"there is no room for {n_bytes / 1e6:,.0f} MB of vectors where the cache is, which has "
                    f"{free / 1e6:,.0f} MB left; --cache-dir names another place, and --layers takes fewer layers"
                )
            vectors = np.lib.format.open_memmap(folder / _ARRAY, mode="w+", dtype=np.float16, shape=shape)
            row = 0
            reader, n_long = heeding_length(asked.reader)
            with progress.stage(f"vectors of {printable(examples.source)}") as advance:
                for sentence in extracted(replace(asked, reader=reader), given):
                    n_words = sentence.array.shape[1]
                    vectors[:, row : row + n_words] = sentence.array
                    row += n_words
                    advance(row / n_rows, row if examples.task == "tag" else 0)
            if row != n_rows:
                raise FirthError(f"{printable(examples.source)}: {n_rows:,} vectors were due, and {row:,} came")
            vectors.flush()
            (folder / _LONG).write_text(str(n_long()), encoding="ascii")

        def opened(folder: Path) -> tuple[NDArray[np.float16], int]:
            try:
                n_long = int((folder / _LONG).read_text(encoding="ascii"))
                found: NDArray[np.float16] = np.load(folder / _ARRAY, mmap_mode="r", allow_pickle=False)
            except (OSError, ValueError, EOFError) as error:
                raise FirthError(f"{folder / _ARRAY} cannot be read: {error}") from error
            if found.shape != shape or found.dtype != np.float16:
                raise FirthError(f"{folder / _ARRAY} is of shape {found.shape}, and {shape} is due")
            return found, n_long

        sources = f"vectors of {examples.source}"
        array, n_long = cache.features(told, sources, n_rows, make, opened, cache_dir=cache_dir)
        if n_long:
            reader = asked.reader
            capacity = (reader.capacity or 0) + len(reader.before) + len(reader.behind)
            progress.say(
                f"{printable(examples.source)}: {n_long / len(given):.1%} of the texts are longer than the {capacity} "
                f"pieces that {reader.name} reads at once, and are read in overlapping windows"
            )
        return cls(array, _are_known(array), examples.task == "pair")

    @property
    def n_rows(self) -> int:
        """N: of pairs, how many there are."""
        return len(self.is_known) // (2 if self.is_pair else 1)

    def layer(self, number: int) -> "_Layer":
        """Those of one layer, by its place among those asked for; in memory where they are few."""
        vectors = self.array[number]
        if vectors.nbytes <= _IN_MEMORY_BYTES:
            vectors = np.array(vectors)
        return _Layer(vectors, self.n_rows, self.is_pair)


def _are_known(array: NDArray[np.float16]) -> NDArray[np.bool_]:
    """(N,) which rows have numbers: in one layer, so in all."""
    return ~np.isnan(array[0, :, 0])


class _Rows(NamedTuple):
    """What is due for each row.

    Attributes:
        words: Of `tag`, the words; of others empty.
        targets: (N,) labels by their numbers, -1 of those never trained with; or numbers.
        lengths: Of `tag`, how many words each sentence has.
    """

    words: list[str]
    targets: NDArray[Any]
    lengths: list[int]

    @classmethod
    def of(cls, examples: Examples, labels: Sequence[str]) -> "_Rows":
        """From examples, with the labels of training."""
        if examples.is_regression:
            return cls([], np.array(examples.targets, np.float64), [])
        number_of = {label: number for number, label in enumerate(labels)}
        if examples.task != "tag":
            return cls([], np.array([number_of.get(target, -1) for target in examples.targets]), [])
        words = [word for example in examples for word in example.inputs]
        targets = [number_of.get(tag, -1) for tags in examples.targets for tag in tags]
        return cls(words, np.array(targets), [len(example.inputs) for example in examples])


def _controls(rows: dict[str, _Rows], n_labels: int, seed: int) -> dict[str, NDArray[np.int64]]:
    """(N,) for each set a tag for each word, drawn for its type with the odds that tags have in train."""
    types = sorted({word for one in rows.values() for word in one.words})
    counts = np.bincount(rows["train"].targets, minlength=n_labels)
    drawn = np.random.default_rng(seed).choice(n_labels, len(types), p=counts / counts.sum())
    tag_of = dict(zip(types, drawn.tolist(), strict=True))
    return {name: np.array([tag_of[word] for word in one.words], np.int64) for name, one in rows.items()}


def _baseline(train: _Rows, scored: Examples, rows: _Rows, learnt: Examples) -> float:
    """The main score of whoever always gives the most frequent label, or the mean number."""
    if learnt.is_regression:
        return 0.0  # the correlation with a constant
    most = learnt.labels[int(np.bincount(train.targets).argmax())]
    predicted: Sequence[Any] = [most] * len(scored)
    if learnt.task == "tag":
        predicted = [[most] * length for length in rows.lengths]
    return score(learnt.task, scored.targets, predicted, labels=learnt.labels).value


# --- the probe


class _Layer(NamedTuple):
    """The vectors of a layer.

    Attributes:
        vectors: (N, D), of pairs (2N, D) with all first texts first; float16.
        n_rows: N.
        is_pair: Whether two of them make a row.
    """

    vectors: NDArray[np.float16]
    n_rows: int
    is_pair: bool

    def rows(self, places: NDArray[np.int64]) -> Matrix:
        """(n, F) the features of some rows; zeros where no vector is known."""
        one = np.nan_to_num(self.vectors[places].astype(np.float32))
        if not self.is_pair:
            return one
        other = np.nan_to_num(self.vectors[self.n_rows + places].astype(np.float32))
        return np.concatenate([one, other, np.abs(one - other), one * other], axis=1)

    def chunks(self, which: NDArray[np.int64] | None = None) -> Iterator[Matrix]:
        """All rows in order, or those at some places, some at a time."""
        places = np.arange(self.n_rows) if which is None else which
        for first in range(0, len(places), _ROWS_TOGETHER):
            yield self.rows(places[first : first + _ROWS_TOGETHER])


def _probed(
    layer: int,
    number: int,
    features: dict[str, _Features],
    rows: dict[str, _Rows],
    sets: dict[str, Examples],
    controls: dict[str, NDArray[np.int64]] | None,
    penalties: Sequence[float],
    epochs: int,
    seed: int,
) -> LayerProbe:
    """What a probe finds in one layer."""
    learnt = sets["train"]
    train = features["train"].layer(number)
    scale = _Scale.of(train.chunks())
    due = [rows["train"].targets] if controls is None else [rows["train"].targets, controls["train"]]

    def weighed(tried: Sequence[float], which: NDArray[np.int64], tasks: Sequence[NDArray[Any]]) -> list[list[Matrix]]:
        """For each task the weights of each penalty."""
        if learnt.is_regression:
            return [[_ridge(train, scale, tasks[0], penalty, which) for penalty in tried]]
        every = [task for task in tasks for _ in tried]
        found = _logistic(train, scale, every, [*tried] * len(tasks), which, len(learnt.labels), epochs, seed)
        return [found[first : first + len(tried)] for first in range(0, len(found), len(tried))]

    def answered(name: str, weights: Matrix) -> Sequence[Any]:
        return _predicted(_answers(features[name].layer(number), scale, weights), rows[name], learnt)

    def scored(name: str, came: Sequence[Any]) -> Scores:
        return _scored(came, sets[name], learnt)

    everywhere = np.arange(train.n_rows)
    if len(penalties) > 1 and "dev" not in sets:
        came = np.zeros((len(penalties), train.n_rows, max(1, len(learnt.labels))), np.float32)
        parts = _parts(learnt, rows["train"], seed)
        for held in parts:
            (tried,) = weighed(penalties, np.flatnonzero(~held), due[:1])
            for place, of_penalty in enumerate(tried):
                came[place, held] = _answers(train, scale, of_penalty)[held]
        is_held = np.logical_or.reduce(parts)
        examples = _of_rows(learnt, rows["train"], is_held)
        of_held = _Rows.of(examples, learnt.labels)
        values = [_scored(_predicted(one[is_held], of_held, learnt), examples, learnt).value for one in came]
        penalties = (penalties[_best(values)],)
    weights = weighed(penalties, everywhere, due)
    best = 0
    if len(penalties) > 1:
        best = _best([scored("dev", answered("dev", one)).value for one in weights[0]])
    names: tuple[Literal["dev", "test"], ...] = ("dev", "test")
    answers = {name: answered(name, weights[0][best]) for name in names if name in sets}
    scores = {name: scored(name, came) for name, came in answers.items()}
    control = selectivity = None
    if controls is not None:
        on: Literal["dev", "test"] = "dev" if "dev" in sets else "test"
        of_control = _answers(features[on].layer(number), scale, weights[1][best]).argmax(1)
        control = float((of_control == controls[on]).mean())
        selectivity = scores[on].values["accuracy"] - control
    told = answers["test" if "test" in answers else "dev"]
    return LayerProbe(layer, scores.get("dev"), scores.get("test"), control, selectivity, penalties[best], told)


def _scored(came: Sequence[Any], examples: Examples, learnt: Examples) -> Scores:
    """How well answers meet the targets of examples."""
    how: dict[str, Any] = {"labels": learnt.labels, "is_regression": learnt.is_regression}
    return score(learnt.task, examples.targets, came, **how)


def _best(values: Sequence[float]) -> int:
    """Where the highest stands; of equals the last, which is penalised most."""
    return max(range(len(values)), key=lambda place: (values[place], place))


def _parts(learnt: Examples, rows: _Rows, seed: int) -> list[NDArray[np.bool_]]:
    """(N,) for each fifth of the examples which rows are of it, drawn by a seed; of many examples one fifth alone."""
    parts = np.array_split(np.random.default_rng(seed).permutation(len(learnt)), min(_FOLDS, len(learnt)))
    found = []
    for part in parts[: _FOLDS if len(learnt) <= _MOST_FOLDED else 1]:
        is_held = np.zeros(len(learnt), bool)
        is_held[part] = True
        found.append(np.repeat(is_held, rows.lengths) if learnt.task == "tag" else is_held)
    return found


def _of_rows(learnt: Examples, rows: _Rows, which: NDArray[np.bool_]) -> Examples:
    """The examples that some rows are of."""
    firsts = np.cumsum([0, *rows.lengths])[:-1] if learnt.task == "tag" else np.arange(len(learnt))
    kept = zip(learnt, which[firsts].tolist(), strict=True)
    return replace(learnt, examples=tuple(example for example, is_kept in kept if is_kept))


def _predicted(came: Matrix, rows: _Rows, learnt: Examples) -> Sequence[Any]:
    """The answers (N, C), or numbers (N, 1), as targets are."""
    if learnt.is_regression:
        numbers: list[float] = came[:, 0].tolist()
        return numbers
    labels = [learnt.labels[place] for place in came.argmax(1).tolist()]
    if learnt.task != "tag":
        return labels
    ends = np.cumsum([0, *rows.lengths]).tolist()
    return [labels[first:stop] for first, stop in pairwise(ends)]


class _Scale(NamedTuple):
    """What makes each feature's mean 0 and its deviation 1, (F,) each; one that does not vary becomes 0."""

    mean: Matrix
    factor: Matrix

    @classmethod
    def of(cls, chunks: Iterable[Matrix]) -> "_Scale":
        """Of the rows trained with."""
        n, mean, squares = 0, np.zeros(1), np.zeros(1)
        for chunk in chunks:  # Chan, Golub & LeVeque 1983: sums of squares of parts, joined without cancellation
            of_chunk = chunk.mean(0, dtype=np.float64)
            within = ((chunk - of_chunk.astype(np.float32)) ** 2).sum(0, dtype=np.float64)
            gap = of_chunk - mean
            squares = squares + within + gap**2 * (n * len(chunk) / (n + len(chunk)))
            mean = mean + gap * (len(chunk) / (n + len(chunk)))
            n += len(chunk)
        deviation = np.sqrt(squares / n)
        varies = deviation > _LEAST_SPREAD * np.maximum(np.abs(mean), 1e-6)
        factor = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=varies)
        return cls(mean.astype(np.float32), factor.astype(np.float32))

    def applied(self, rows: Matrix) -> Matrix:
        """(n, F) the rows, standardised."""
        rows -= self.mean
        rows *= self.factor
        return rows


def _logistic(
    layer: _Layer,
    scale: _Scale,
    tasks: Sequence[NDArray[np.int64]],
    penalties: Sequence[float],
    which: NDArray[np.int64],
    n_classes: int,
    epochs: int,
    seed: int,
) -> list[Matrix]:
    """For each task (N,) of targets, weights (F + 1, C), the last row those of a constant.

    They make small, for each task by itself: the mean over the rows `which` of -ln p(target), plus its penalty / 2N *
    |weights|^2 without the constant's.
    """
    n, n_features = len(which), len(scale.mean)
    shrinking = np.repeat(np.array(penalties, np.float32) / np.float32(n), n_classes)
    due = np.stack(tasks, 1)  # (N, T)
    weights = np.zeros((n_features + 1, len(tasks) * n_classes), np.float32)
    moment, squares, gradient = (np.zeros_like(weights) for _ in range(3))
    rng = np.random.default_rng(seed)
    batches_of_pass = -(-n // _BATCH)
    n_steps = max(epochs * batches_of_pass, LEAST_STEPS)
    order = np.empty(0, np.int64)
    for step in range(n_steps):
        if not step % batches_of_pass:
            order = rng.permutation(which)
        first = step % batches_of_pass * _BATCH
        places = order[first : first + _BATCH]
        rows = scale.applied(layer.rows(places))
        errors = _errors(rows @ weights[:-1] + weights[-1], due[places], n_classes)
        np.matmul(rows.T, errors, out=gradient[:-1])
        gradient[:-1] += shrinking * weights[:-1]
        gradient[-1] = errors.sum(0)
        moment += np.float32(1 - _MOMENTS[0]) * (gradient - moment)
        squares += np.float32(1 - _MOMENTS[1]) * (gradient**2 - squares)
        unbiased = np.sqrt(1 - _MOMENTS[1] ** (step + 1)) / (1 - _MOMENTS[0] ** (step + 1))
        rate = np.float32(_LEARNING_RATE * (1 - step / n_steps) * unbiased)
        weights -= rate * moment / (np.sqrt(squares) + np.float32(1e-8))
    return [weights[:, first : first + n_classes] for first in range(0, weights.shape[1], n_classes)]


def _errors(logits: Matrix, due: NDArray[np.int64], n_classes: int) -> Matrix:
    """(n, T * C) the gradient of the mean loss by the logits of T tasks: probabilities, less 1 where one is due."""
    n, n_tasks = due.shape
    of_tasks = logits.reshape(n, n_tasks, n_classes)
    of_tasks -= of_tasks.max(2, keepdims=True)
    np.exp(of_tasks, out=of_tasks)
    of_tasks /= of_tasks.sum(2, keepdims=True)
    of_tasks[np.arange(n)[:, None], np.arange(n_tasks), due] -= 1
    return of_tasks.reshape(n, -1) / np.float32(n)


def _ridge(
    layer: _Layer, scale: _Scale, targets: NDArray[np.float64], penalty: float, which: NDArray[np.int64]
) -> Matrix:
    """Weights (F + 1, 1) of the least squared error on some rows plus penalty * |weights|^2, without the constant's."""
    targets = targets[which]
    n_features = len(scale.mean)
    squares, shared = np.zeros((n_features, n_features)), np.zeros(n_features)
    mean = targets.mean()
    first = 0
    for chunk in layer.chunks(which):
        wide = scale.applied(chunk).astype(np.float64)
        squares += wide.T @ wide
        shared += wide.T @ (targets[first : first + len(chunk)] - mean)
        first += len(chunk)
    weights = np.linalg.solve(squares + penalty * np.eye(n_features), shared)
    return np.append(weights, mean)[:, None].astype(np.float32)


def _answers(layer: _Layer, scale: _Scale, weights: Matrix) -> Matrix:
    """(N, C) what the weights make of the rows."""
    return np.concatenate([scale.applied(chunk) @ weights[:-1] + weights[-1] for chunk in layer.chunks()])


# --- what is shown


def write_page(found: Probing, path: str | os.PathLike[str]) -> None:
    """Writes one page of HTML with the curve of score by layer; see `firth.reporting`.

    Raises:
        FirthError: plotly is not installed.
    """
    numbers = [one.layer for one in found.layers]
    lines: dict[str, Sequence[float | None]] = {}
    for name in ("dev", "test"):
        scores = [getattr(one, name) for one in found.layers]
        if scores[0] is not None:
            lines[f"{name}: {found.main}"] = [one.value for one in scores]
    if found.layers[0].control is not None:
        lines["control task: accuracy"] = [one.control for one in found.layers]
        lines["selectivity"] = [one.selectivity for one in found.layers]
    lines["always the most frequent"] = [found.baseline] * len(numbers)
    rows = [
        {"layer": layer} | {name: values[place] for name, values in lines.items()}
        for place, layer in enumerate(numbers)
    ]
    parts = [
        f"<p>{found.n_train:,} {'words' if found.task == 'tag' else 'examples'} were learnt from; layer "
        f"{found.best.layer} has the highest score.</p>",
        reporting.curve(numbers, lines, "layer", found.main),
        pages.table(rows),
    ]
    page = reporting.page(f"{found.task}: what each layer of {found.model} knows", parts)
    with replacing(Path(path)) as file:
        file.write(page)
