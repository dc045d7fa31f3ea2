"""A model with a head as estimators of scikit-learn: texts, pairs of texts or words go in, labels come out.

`FirthClassifier` answers to texts or pairs, `FirthTagger` to words. Both train by `firth.finetune`, whose arguments are
their parameters, and stand in a `Pipeline` and in a grid search; a copy that `sklearn.base.clone` makes shares the
model. Where several processes fit, give the model's path, which is opened in each.

`save` writes the directory of `firth.Finetuned.save`, and `load` opens one. A pickle of what is fitted holds the files
of that directory; whoever opens it trusts it as any pickle, whereas the directory is read without running anything.

    N inputs, W words of one, C classes
"""

import os
import shutil
import weakref
from collections.abc import Iterable, Sequence
from functools import partial
from inspect import signature
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from firth.errors import FirthError
from firth.files import printable
from firth.foreign import Foreign
from firth.segmentation import Method, Segmentation
from firth.vectorizers import InputError, check_choices, texts_of, twin_of

if TYPE_CHECKING:
    from firth.extraction import Opened
    from firth.finetuned import Finetuned

try:
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d
except ImportError:
    raise FirthError("firth.sklearn needs scikit-learn, which is not installed: pip install 'firth[sklearn]'") from None

TextTask = Literal["classify", "pair"]

_OWN: Final = ("model", "task")  # parameters that are no settings of `finetune`
_OF_MACHINE: Final = ("device", "threads")  # which another machine need not have
_MOST_SHOWN: Final = 60  # characters of an input, in a message


class FirthClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc] # untyped
    """Texts, or pairs of texts, to their classes: a head behind a model.

    Args:
        model: As of `firth.finetune`: a model of any family, vectors, or where they are.
        task: `classify` texts, or `pair`: then each of X is two texts, as (first, second).
        use: As of `firth.finetune`, as is all that follows: `features`, `finetune` or `scratch`.
        head: What stands behind the model; None is as suits it, and so below.
        layers: Which are read.
        pool: What a text has its one vector from.
        epochs: Passes over the examples.
        batch_size: Rows in a batch.
        learning_rate: The highest.
        head_rate: That of the head, as a multiple of it.
        layer_decay: That of each layer, as a multiple of the next one's above it.
        unfreezing: `at_once` or `gradual`.
        language_model: How much GPT's own loss counts.
        orders: In which GPT reads two texts: `given` or `both`.
        mix_penalty: What the squares of a mix's weights cost.
        mix_at_output: Whether a second mix stands beside the head's output.
        head_dim: Its width.
        head_dropout: Share of what the head reads that is set to 0.
        body_dropout: The same everywhere in a network that is trained.
        weight_decay: Decoupled, of matrices alone.
        warmup: Share of the budget in which the rate rises.
        schedule: How it falls then.
        patience: So many passes without a better score on `dev` end the training.
        segmentation: How text becomes words.
        context_length: Pieces that GPT and BERT read at once.
        seed: Of all that is random.
        device: cuda, cuda:1, mps or cpu.
        precision: `auto`, `fp32` or `bf16`.
        threads: How many compute.

    Attributes:
        classes_: (C,) the labels, sorted.
        finetuned_: The `firth.Finetuned` that answers.
    """

    def __init__(
        self,
        model: "Opened",
        *,
        task: TextTask = "classify",
        use: str = "finetune",
        head: str | None = None,
        layers: str | None = None,
        pool: str | None = None,
        epochs: float | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        head_rate: float | None = None,
        layer_decay: float | None = None,
        unfreezing: str | None = None,
        language_model: float | None = None,
        orders: str | None = None,
        mix_penalty: float | None = None,
        mix_at_output: bool | None = None,
        head_dim: int | None = None,
        head_dropout: float | None = None,
        body_dropout: float | None = None,
        weight_decay: float | None = None,
        warmup: float | None = None,
        schedule: str | None = None,
        patience: int | None = None,
        segmentation: Segmentation | Method | None = None,
        context_length: int | None = None,
        seed: int = 1,
        device: str | None = None,
        precision: str = "auto",
        threads: int | None = None,
    ) -> None:
        """An estimator that is not fitted; nothing is opened or looked at yet."""
        self.model = model
        self.task = task
        self.use = use
        self.head = head
        self.layers = layers
        self.pool = pool
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.head_rate = head_rate
        self.layer_decay = layer_decay
        self.unfreezing = unfreezing
        self.language_model = language_model
        self.orders = orders
        self.mix_penalty = mix_penalty
        self.mix_at_output = mix_at_output
        self.head_dim = head_dim
        self.head_dropout = head_dropout
        self.body_dropout = body_dropout
        self.weight_decay = weight_decay
        self.warmup = warmup
        self.schedule = schedule
        self.patience = patience
        self.segmentation = segmentation
        self.context_length = context_length
        self.seed = seed
        self.device = device
        self.precision = precision
        self.threads = threads

    def fit(self, X: Iterable[Any], y: Any, *, dev: tuple[Any, Any] | None = None) -> "FirthClassifier":
        """Trains the head, and the model as `use` says.

        Args:
            X: (N,) texts, or pairs of them.
            y: (N,) labels: strings, numbers, booleans.
            dev: X and y that choose the best epoch.

        Raises:
            InputError: X is no texts, y no labels, or a parameter is out of its range.
            FirthError: the model cannot be read, an example is empty, or there is one label alone.
        """
        check_choices(self, task=TextTask)
        inputs = _texts(X, self.task)
        labels = _labels(y, inputs)
        self.classes_, numbers = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise InputError(f"y has one class alone, {printable(repr(labels[0].item()))}; there is nothing to learn")
        names = _names(self.classes_)
        rows = _rows(inputs, [names[number] for number in numbers])
        dev_rows = None
        if dev is not None:
            dev_inputs = _texts(dev[0], self.task)
            of_class = dict(zip(self.classes_.tolist(), names, strict=True))
            due = _labels(dev[1], dev_inputs).tolist()
            dev_rows = _rows(dev_inputs, [of_class.get(label, str(label)) for label in due])
        self.finetuned_ = _trained(self, self.task, rows, dev_rows)
        self.finetuned_.record["classes"] = [names, self.classes_.tolist()]
        return self

    def predict(self, X: Iterable[Any]) -> NDArray[Any]:
        """(N,) the most probable class of each.

        Raises:
            InputError: X is no texts.
        """
        chances = self.predict_proba(X)
        return np.asarray(self.classes_[chances.argmax(1)])

    def predict_proba(self, X: Iterable[Any]) -> NDArray[np.float32]:
        """(N, C) the probability of each class, in the order of `classes_`.

        Raises:
            InputError: X is no texts.
        """
        check_is_fitted(self, "finetuned_")
        made = self.finetuned_
        found = made.probabilities(_texts(X, made.tuning.task), device=self.device, threads=self.threads)
        order = [made.labels.index(name) for name in _names(self.classes_)]
        return np.stack(found)[:, order]

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Writes a directory that `load` and `firth.load_finetuned` read; see `firth.Finetuned.save`."""
        check_is_fitted(self, "finetuned_")
        self.finetuned_.save(path, overwrite=overwrite)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "FirthClassifier":
        """What `save`, `firth.Finetuned.save` or `firth finetune` has written, of texts or pairs and their classes.

        Its parameters are those that it was trained with, as far as the class has them, without `device` and
        `threads`; its model is the directory. Fitted again with `use="finetune"`, it goes on from the weights that
        were trained with the task: to cross-validate, give the pretrained model, not what was loaded.

        Raises:
            FirthError: there is no such directory, or it is of another task.
        """
        made = _loaded(path)
        if made.tuning.task == "tag" or made.tuning.is_regression:
            what = "numbers" if made.tuning.is_regression else "tags of words"
            raise FirthError(f"{printable(str(path))} answers by {what}, and a FirthClassifier by classes of texts")
        found = cls(path, **_as_trained(made, FirthClassifier), task=made.tuning.task)
        names, classes = made.record.get("classes", [made.labels, made.labels])
        found.classes_ = np.asarray(classes)
        if _names(found.classes_) != list(names):
            raise FirthError(f"{printable(str(path))} is not a whole model: its classes are not those of its labels")
        found.finetuned_ = made
        return found

    def __getstate__(self) -> dict[str, Any]:
        """What a pickle holds: of what is fitted the files of its directory."""
        return _packed(dict(super().__getstate__()))

    def __setstate__(self, state: dict[str, Any]) -> None:
        """What is read of it."""
        super().__setstate__(_unpacked(state))

    def __sklearn_clone__(self) -> "FirthClassifier":
        """The same, not fitted; the model is shared."""
        twin: FirthClassifier = twin_of(self)
        return twin

    def __sklearn_tags__(self) -> Any:
        """That it takes texts."""
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        return tags


class FirthTagger(BaseEstimator):  # type: ignore[misc] # untyped
    """Words to their tags: a head behind a model.

    Args:
        model: As of `firth.finetune`, as are all parameters; see `FirthClassifier`.
        use: See there.
        head: See there; `crf` and `bilstm-crf` too.
        layers: See there.
        epochs: See there.
        batch_size: See there.
        learning_rate: See there.
        head_rate: See there.
        layer_decay: See there.
        unfreezing: See there.
        mix_penalty: See there.
        mix_at_output: See there.
        head_dim: See there.
        head_dropout: See there.
        body_dropout: See there.
        weight_decay: See there.
        warmup: See there.
        schedule: See there.
        patience: See there.
        context_length: See there.
        seed: See there.
        device: See there.
        precision: See there.
        threads: See there.

    Attributes:
        classes_: (C,) the tags, sorted.
        finetuned_: The `firth.Finetuned` that answers.
    """

    def __init__(
        self,
        model: "Opened",
        *,
        use: str = "finetune",
        head: str | None = None,
        layers: str | None = None,
        epochs: float | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        head_rate: float | None = None,
        layer_decay: float | None = None,
        unfreezing: str | None = None,
        mix_penalty: float | None = None,
        mix_at_output: bool | None = None,
        head_dim: int | None = None,
        head_dropout: float | None = None,
        body_dropout: float | None = None,
        weight_decay: float | None = None,
        warmup: float | None = None,
        schedule: str | None = None,
        patience: int | None = None,
        context_length: int | None = None,
        seed: int = 1,
        device: str | None = None,
        precision: str = "auto",
        threads: int | None = None,
    ) -> None:
        """An estimator that is not fitted; nothing is opened or looked at yet."""
        self.model = model
        self.use = use
        self.head = head
        self.layers = layers
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.head_rate = head_rate
        self.layer_decay = layer_decay
        self.unfreezing = unfreezing
        self.mix_penalty = mix_penalty
        self.mix_at_output = mix_at_output
        self.head_dim = head_dim
        self.head_dropout = head_dropout
        self.body_dropout = body_dropout
        self.weight_decay = weight_decay
        self.warmup = warmup
        self.schedule = schedule
        self.patience = patience
        self.context_length = context_length
        self.seed = seed
        self.device = device
        self.precision = precision
        self.threads = threads

    def fit(self, X: Iterable[Any], y: Iterable[Any], *, dev: tuple[Any, Any] | None = None) -> "FirthTagger":
        """Trains the head, and the model as `use` says.

        Args:
            X: (N,) sequences of words.
            y: (N,) sequences of tags, one for each word.
            dev: X and y that choose the best epoch.

        Raises:
            InputError: X is no sequences of words, y none of tags, or they are of different number.
            FirthError: the model cannot be read, a sentence is empty, or there is one tag alone.
        """
        rows = _tagged(X, y)
        self.finetuned_ = _trained(self, "tag", rows, None if dev is None else _tagged(*dev))
        self.classes_ = np.asarray(self.finetuned_.labels)
        return self

    def predict(self, X: Iterable[Any]) -> list[list[str]]:
        """A tag for each word of each sentence.

        Raises:
            InputError: X is no sequences of words.
        """
        check_is_fitted(self, "finetuned_")
        found = self.finetuned_.predict(_sentences(X), device=self.device, threads=self.threads)
        return [list(one.label) for one in found]

    def predict_proba(self, X: Iterable[Any]) -> list[NDArray[np.float32]]:
        """(W, C) for each sentence the probability of each tag, in the order of `classes_`.

        Raises:
            InputError: X is no sequences of words.
        """
        check_is_fitted(self, "finetuned_")
        return self.finetuned_.probabilities(_sentences(X), device=self.device, threads=self.threads)

    def score(self, X: Iterable[Any], y: Iterable[Any]) -> float:
        """The main score of `firth.score`: of entities F1 by exact span, of other tags accuracy.

        Raises:
            InputError: as of `fit`.
        """
        from firth.scoring import score

        rows = _tagged(X, y)
        found = self.predict([words for words, _ in rows])
        return float(score("tag", [tags for _, tags in rows], found, labels=self.finetuned_.labels).value)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Writes a directory that `load` and `firth.load_finetuned` read; see `firth.Finetuned.save`."""
        check_is_fitted(self, "finetuned_")
        self.finetuned_.save(path, overwrite=overwrite)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "FirthTagger":
        """What `save`, `firth.Finetuned.save` or `firth finetune` has written, of words and their tags.

        Its parameters are as of `FirthClassifier.load`.

        Raises:
            FirthError: there is no such directory, or it is of another task.
        """
        made = _loaded(path)
        if made.tuning.task != "tag":
            raise FirthError(f"{printable(str(path))} is of task {made.tuning.task}, and a FirthTagger of tag")
        found = cls(path, **_as_trained(made, FirthTagger))
        found.finetuned_ = made
        found.classes_ = np.asarray(made.labels)
        return found

    def __getstate__(self) -> dict[str, Any]:
        """What a pickle holds: of what is fitted the files of its directory."""
        return _packed(dict(super().__getstate__()))

    def __setstate__(self, state: dict[str, Any]) -> None:
        """What is read of it."""
        super().__setstate__(_unpacked(state))

    def __sklearn_clone__(self) -> "FirthTagger":
        """The same, not fitted; the model is shared."""
        twin: FirthTagger = twin_of(self)
        return twin

    def __sklearn_tags__(self) -> Any:
        """That it takes words, and needs their tags."""
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        tags.target_tags.required = True
        return tags


def _trained(estimator: Any, task: Any, rows: Sequence[Any], dev: Sequence[Any] | None) -> "Finetuned":
    """What `firth.finetune` makes of the parameters."""
    from firth.finetuning import finetune

    given = {name: value for name, value in estimator.get_params(deep=False).items() if name not in _OWN}
    chosen = {name: value for name, value in given.items() if value is not None}
    return finetune(estimator.model, rows, task=task, dev=dev, columns={"target": "labels"}, **chosen)


def _loaded(path: str | os.PathLike[str]) -> "Finetuned":
    from firth.finetuned import load_finetuned

    return load_finetuned(path)


def _as_trained(made: "Finetuned", kind: type) -> dict[str, Any]:
    """The parameters that what was loaded was trained with, of those that an estimator has; none of its machine."""
    asked = dict(made.record.get("asked", {})) | {"use": made.use, "seed": made.record["seed"]}
    if isinstance(cut := asked.get("segmentation"), dict):
        asked["segmentation"] = Segmentation.from_settings(cut)
    return {name: asked[name] for name in signature(kind).parameters if name in asked and name not in _OF_MACHINE}


def _packed(state: dict[str, Any]) -> dict[str, Any]:
    """The state with the files of a directory in the place of what is fitted."""
    made = state.pop("finetuned_", None)
    if made is not None:
        with TemporaryDirectory() as folder:
            made.write(Path(folder))
            files = [path for path in Path(folder).rglob("*") if path.is_file()]
            state["_files"] = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
    return state


def _unpacked(state: dict[str, Any]) -> dict[str, Any]:
    """The contrary."""
    files = state.pop("_files", None)
    if files is not None:
        folder = mkdtemp(prefix="firth-")
        remove = partial(shutil.rmtree, folder, ignore_errors=True)
        try:
            for name, data in files.items():
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
            made = state["finetuned_"] = _loaded(folder)
        except BaseException:
            remove()
            raise
        if isinstance(made.model, Foreign):  # which is read from there when it is saved, or moved to another device
            weakref.finalize(made, remove)
        else:
            remove()
    return state


# --- what is given


def _texts(X: Any, task: Any) -> list[Any]:
    """Texts, or pairs of them, all of them looked at."""
    if task != "pair":
        found = texts_of(X)
        for number, text in enumerate(found):
            if not isinstance(text, str):
                raise InputError(f"text {number} is {_shown(text)}; a string is due (task='pair' takes two)")
        return found
    found = [tuple(pair) if isinstance(pair, list | tuple | np.ndarray) else pair for pair in _items(X)]
    for number, pair in enumerate(found):
        if not isinstance(pair, tuple) or len(pair) != 2 or not all(isinstance(text, str) for text in pair):
            raise InputError(f"pair {number} is {_shown(pair)}; two strings are due")
    return found


def _sentences(X: Any) -> list[tuple[str, ...]]:
    """Sequences of words, all of them looked at."""
    found = []
    for number, words in enumerate(_items(X)):
        if not isinstance(words, list | tuple | np.ndarray) or not all(isinstance(word, str) for word in words):
            raise InputError(f"sentence {number} is {_shown(words)}; a list of words is due")
        found.append(tuple(map(str, words)))
    return found


def _items(X: Any) -> list[Any]:
    if isinstance(X, str | bytes):
        raise InputError("X is one string; a list is due, of one thing for each answer")
    try:
        found = list(X)
    except TypeError:
        raise InputError(f"X is a {type(X).__name__}; a list is due") from None
    if not found:
        raise InputError("X is empty; at least one input is due")
    return found


def _tagged(X: Any, y: Any) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Sentences with a tag for each word."""
    sentences = _sentences(X)
    try:
        tags = [tuple(map(str, one)) for one in y]
    except TypeError:
        raise InputError("y is no list of lists of tags, one for each word") from None
    if len(tags) != len(sentences):
        raise InputError(f"X has {len(sentences)} sentences and y {len(tags)}")
    for number, (words, of_words) in enumerate(zip(sentences, tags, strict=True)):
        if len(words) != len(of_words):
            raise InputError(f"sentence {number} has {len(words)} words and {len(of_words)} tags")
    return list(zip(sentences, tags, strict=True))


def _labels(y: Any, inputs: Sequence[Any]) -> NDArray[Any]:
    """(N,) labels as they are given."""
    if y is None:
        raise InputError("requires y to be passed, but the target y is None: a label for each text")
    labels = np.asarray(column_or_1d(y, warn=True))
    check_consistent_length(inputs, labels)
    check_classification_targets(labels)
    return labels


def _names(classes: NDArray[Any]) -> list[str]:
    """What the classes are called on disk: as they are written, or numbered where that does not tell them apart."""
    names = [str(label).strip() for label in classes.tolist()]
    if len(set(names)) < len(names) or not all(name and name.lower() not in ("nan", "none") for name in names):
        return [f"class {number}" for number in range(len(names))]
    return names


def _rows(inputs: Sequence[Any], labels: Sequence[str]) -> list[tuple[str, ...]]:
    """Examples as `firth.finetune` takes them."""
    parts = [(given,) if isinstance(given, str) else given for given in inputs]
    return [(*given, label) for given, label in zip(parts, labels, strict=True)]


def _shown(value: Any) -> str:
    return printable(repr(value))[:_MOST_SHOWN]
