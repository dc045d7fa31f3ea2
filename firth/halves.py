"""Two models of one text that nothing but chance parts: each trained on a random half of it, as a model was.

What moves between these moves by chance; `firth.change` compares with it what moved between two periods. Half a text
teaches less than all of it, so that words move further between its halves than chance would move them between two whole
texts: what is told to have moved in spite of that has.
"""

import os
import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from firth import corpus as corpora
from firth.errors import UsageError
from firth.files import check_output
from firth.model import OF_PIECES, Model, load
from firth.occurrences import lines_of
from firth.parts import Given
from firth.preparation import Preparation
from firth.progress import Progress, Silent
from firth.training import train

NAMES = ("first", "second")
"""The directories of the two."""


class Halves(NamedTuple):
    """The two models, for `firth.change(old, new, chance=(halves.first.vectors, halves.second.vectors))`."""

    first: Model
    second: Model


def train_halves(
    model: Model | str | os.PathLike[str],
    corpus: Any,
    *,
    output: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    seed: int = 1,
    preparation: Preparation | None = None,
    threads: int | None = None,
    device: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Halves:
    """Two models, each trained on half of a corpus' lines as `model` was: its family, as many epochs, its tokenizer.

    Each line goes to the one or the other at random. The corpus is read twice.

    Args:
        model: A model of firth's, or its directory; the new one of the two that are compared, as a rule.
        corpus: The text that it was trained on, or another one of the same period, as `firth.train` takes it, but for
            standard input and what can be gone through only once.
        output: A directory for the two, which are `first` and `second` in it; None keeps them in memory.
        overwrite: Whether two that stand there may be replaced.
        seed: Decides on the lines, and seeds the two trainings.
        preparation: How the text is read and becomes words; None is as the model's was.
        threads: As of `firth.train`, as are `device`, `cache_dir` and `progress`.
        device: The same.
        cache_dir: The same.
        progress: The same.

    Raises:
        UsageError: the model does not tell how it was trained, or went on from another one; the text can be read only
            once; the output exists.
        FirthError: the corpus cannot be read, or half of it is too small.
    """
    model = model if isinstance(model, Model) else load(model)
    if not {"preparation", "spent"} <= model.record.keys():
        raise UsageError(
            "the model does not tell how it was trained (it was published elsewhere, or goes on in time): train two "
            "models alike on random halves of a period's text"
        )
    if "base" in model.record:
        raise UsageError(
            "the model went on from another one, and its halves would begin without that: train two models on random "
            "halves of the text, each from that one (--from), and name them as what says what chance moves (--chance)"
        )
    places = [None if output is None else Path(output, name) for name in NAMES]
    progress = progress or Silent()
    models = []
    with _asked(model, preparation) as preparation:
        if not isinstance(corpus, list | tuple) and corpora.read(corpus, preparation).identity() is None:
            raise UsageError("the corpus can be read only once, and is needed for either half: give a file, or a list")
        for place in places:
            if place is not None:
                check_output(place, overwrite=overwrite)
        for number, place in enumerate(places):
            progress.say(f"training on the {NAMES[number]} half of the lines")
            models.append(
                train(
                    model.family,
                    _dealt(corpus, preparation, number, seed),
                    epochs=model.record["spent"]["epochs"],
                    seed=seed + number,
                    threads=threads,
                    preparation=_of_lines(preparation, model),
                    output=place,
                    overwrite=overwrite,
                    cache_dir=cache_dir,
                    progress=progress,
                    **_of_networks(model, device),
                )
            )
    return Halves(*models)


@contextmanager
def _asked(model: Model, preparation: Preparation | None) -> Iterator[Preparation]:
    """What was asked for, or how the model's text was read; a record names its lists, which the model itself holds."""
    if preparation is not None:
        yield preparation
        return
    preparation = Preparation.from_settings(model.record["preparation"])
    if model.family.name in OF_PIECES:
        yield preparation
        return
    segmentation = model.segmentation
    preparation = preparation.completed(cased=not segmentation.lower, punctuation=segmentation.punctuation)
    with tempfile.TemporaryDirectory(prefix="firth-", ignore_cleanup_errors=True) as folder:
        user_words = phrases = None
        if segmentation.user_words is not None:
            user_words = Path(folder, "user-words.txt")
            segmentation.user_words.write(user_words)
        if segmentation.phrases:  # all of them may have vanished as the text was normalised
            phrases = Path(folder, "phrases.txt")
            segmentation.phrases.write(phrases)
        yield replace(preparation, user_words=user_words, phrases=phrases)


def _dealt(corpus: Any, preparation: Preparation, number: int, seed: int) -> Iterator[Given]:
    """The lines of a half, as they stand: training cleans them. Those without anything end documents, in both."""
    rng = random.Random(seed)
    for line in lines_of(corpora.read(corpus, replace(preparation, drop=(), sentences="lines"))):
        if not line or rng.randrange(2) == number:
            yield line


def _of_lines(preparation: Preparation, model: Model) -> Preparation:
    """How lines that were read become words; what looking at the text decided is as it was for all of it."""
    found = replace(preparation, field=None, keep=(), keep_from_name=None, encoding="utf-8", layout="lines")
    if model.family.name in OF_PIECES:
        return found
    return replace(found, segment=model.segmentation.method)


def _of_networks(model: Model, device: str | None) -> dict[str, Any]:
    """What training takes of GPT and BERT alone."""
    settings: dict[str, Any] = {} if device is None else {"device": device}
    return settings | {"tokenizer": model.pieces} if model.family.name in OF_PIECES else settings
