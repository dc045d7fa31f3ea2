"""What is left of the model that a head was trained behind: its own kind, with vectors of the words that were met."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from firth.alignment import cut_texts
from firth.bodies import Blocks, Body, PieceTable, Stored, Words, table_of
from firth.files import without_folders
from firth.foreign import Foreign
from firth.model import TRAINED_BEFORE, Model
from firth.readers import WORDS, alone, of_table, pieced_by
from firth.tasks import Examples
from firth.vectors import Vectors

MOST_WORDS: Final = 50_000
"""Of the texts trained on, whose vectors stand beside a network that reads pieces or letters."""


def settled(body: Body, old: Model | Vectors | Foreign, train: Examples) -> Model | Vectors | Foreign:
    """What was trained, in the place of the model that was given.

    Args:
        body: As it was trained.
        old: What it was made of.
        train: The examples, whose words get vectors of the table behind the one-hot input.
    """
    if isinstance(body, Words):
        body.settle()
        return body.vectors
    if isinstance(body, PieceTable):
        return _vectors_of(_of_piece_table(body), *_words_of_texts(train))
    if isinstance(old, Foreign):
        return old
    assert isinstance(old, Model)
    if isinstance(body, Stored):
        return Model(old.family, old.tokens, old.network, without_folders(dict(old.record)), old.log, old.matrices)
    family = old.family
    if getattr(family, "predicts_next_sentence", False):
        family = replace(family, objective="masked_token")
    tokens: Any = body.pieces if isinstance(body, Blocks) else old.tokens
    record = {name: value for name, value in old.record.items() if name != TRAINED_BEFORE}  # its heads fit no more
    made = Model(family, tokens, body.network.eval(), without_folders(record))
    made.matrices = _vectors_of(made.reader(device="cpu"), *_words_of_texts(train))
    return made


def _words_of_texts(train: Examples) -> tuple[list[str], list[int]]:
    """The words of the texts that were trained on, the most frequent first, and how often each occurs."""
    counts: dict[str, int] = {}
    for example in train:
        if train.task == "tag":
            words: Iterable[str] = example.inputs
        else:
            words = (word for cut in cut_texts(list(example.inputs), WORDS) for word in cut.words)
        for word in words:
            counts[word] = counts.get(word, 0) + 1
    order = sorted(counts, key=lambda word: -counts[word])[:MOST_WORDS]
    return order, [counts[word] for word in order]


def _vectors_of(reader: Any, words: Sequence[str], counts: Sequence[int]) -> Vectors:
    """What stands behind the one-hot input for these words, folded as the model folds them."""
    together: dict[str, int] = {}
    for word, count in zip(words, counts, strict=True):
        key = word.lower() if reader.folds_case else word
        together[key] = together.get(key, 0) + count
    names = list(together)
    array = table_of(reader, names)
    known = np.flatnonzero(np.isfinite(array).all(1))
    if not len(known):
        names, known, array = ["-"], np.zeros(1, np.int64), np.zeros((1, reader.dim), np.float32)
        together = {"-": 1}
    kept = [names[row] for row in known]
    segmentation = replace(WORDS, lower=bool(reader.folds_case))
    provenance = {"family": reader.family, "source": "the table behind the one-hot input, trained with a task"}
    array = np.ascontiguousarray(array[known])[np.newaxis]
    return Vectors(kept, array, counts=[together[w] for w in kept], segmentation=segmentation, provenance=provenance)


class _OfPieces(NamedTuple):
    """A table of pieces, as `_vectors_of` asks for it."""

    family: str
    dim: int
    folds_case: bool
    table: Callable[[Sequence[str], Any], NDArray[np.float32]]


def _of_piece_table(body: PieceTable) -> _OfPieces:
    def table(words: Sequence[str], pool: Any) -> NDArray[np.float32]:
        return of_table(body.table, pieced_by(body.pieces.backend, body.pieces.unk, alone(words)), pool)

    return _OfPieces("scratch", body.dim, body.pieces.folds_case, table)
