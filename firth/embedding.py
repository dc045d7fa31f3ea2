"""A matrix of word vectors as a layer of PyTorch, with rows for padding and for words that are not known.

V words, D dim; B sentences, T words of the longest
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from firth.errors import FirthError, UsageError
from firth.files import printable

if TYPE_CHECKING:
    from torch import Tensor, nn

Unknown = Literal["mean", "zeros"]
PADDING: Final = 0
"""The row of padding, as `torch.nn.utils.rnn.pad_sequence` has it too."""


class Rows(dict[str, int]):
    """The row of each word in a layer that `to_embedding` made.

    `rows[word]` is found for a word as it is written in a text, too (`King` for `king`); of a word that is not known it
    is the row of unknown words, and an UnknownWordError where there is none.

    Attributes:
        padding: The row of zeros that stands for no word; None where there is none.
        unknown: The row of words that are not known; None where there is none.
    """

    def __init__(
        self,
        words: Sequence[str],
        *,
        padding: int | None,
        unknown: int | None,
        known_row: Callable[[str], int | None],
        row: Callable[[str], int],
    ) -> None:
        """The words in order, behind the rows that stand for none.

        Args:
            words: Those of the matrix.
            padding: See the class.
            unknown: See the class.
            known_row: A word's row in the matrix, or None.
            row: The same, with the error that explains.
        """
        self._n_before = sum(special is not None for special in (padding, unknown))
        super().__init__((word, number) for number, word in enumerate(words, start=self._n_before))
        self.padding = padding
        self.unknown = unknown
        self._known_row = known_row
        self._row = row

    def __missing__(self, word: str) -> int:
        """The row of a word that does not stand in the matrix as it is written."""
        row = self._known_row(word) if isinstance(word, str) else None
        if row is None and (self.unknown is None or not isinstance(word, str)):
            row = self._row(word)  # raises, and explains
        if row is None:
            assert self.unknown is not None
            return self.unknown
        return row + self._n_before

    def ids(self, sentences: Sequence[Sequence[str]]) -> "Tensor":
        """(B, T) int64: the rows of sentences' words, what is shorter than the longest filled up with padding.

        >>> rows.ids([["the", "king"], ["queen"]])  # doctest: +SKIP
        tensor([[ 5, 17],
                [42,  0]])

        Raises:
            UnknownWordError: a word that is not known, where there is no row for such.
            UsageError: sentences of several lengths, where there is no padding; a string in the place of a list.
        """
        import torch

        if isinstance(sentences, str) or any(isinstance(sentence, str) for sentence in sentences):
            raise UsageError("lists of words are due, one for each sentence, as [['the', 'king'], ['queen']]")
        longest = max(map(len, sentences), default=0)
        if self.padding is None and any(len(sentence) < longest for sentence in sentences):
            raise UsageError("the sentences are of several lengths, and there is no row for padding (padding=True)")
        filled = np.full((len(sentences), longest), self.padding or 0, np.int64)
        for row, sentence in zip(filled, sentences, strict=True):
            row[: len(sentence)] = [self[word] for word in sentence]
        return torch.from_numpy(filled)


def layer_of(
    matrix: NDArray[np.float32], *, padding: bool, unknown: Unknown | None, freeze: bool
) -> "tuple[nn.Embedding, int | None, int | None]":
    """The layer, and its rows for padding and unknown words.

    Args:
        matrix: (V, D), which is copied.
        padding: Whether row 0 stands for padding.
        unknown: What the row behind it holds; None makes none.
        freeze: Whether training leaves the layer as it is.
    """
    try:
        import torch
        from torch import nn
    except ImportError:
        raise FirthError(
            "an embedding layer needs torch, which is not installed: pip install 'firth[contextual]'"
        ) from None
    if unknown is not None and unknown not in get_args(Unknown):
        raise UsageError(
            f"unknown is {printable(repr(unknown))}; there are {', '.join(map(repr, get_args(Unknown)))} and None"
        )
    before: list[NDArray[np.float32]] = []
    padding_row = unknown_row = None
    if padding:
        padding_row = PADDING
        before.append(np.zeros(matrix.shape[1], np.float32))
    if unknown is not None:
        unknown_row = len(before)
        mean = matrix.mean(axis=0, dtype=np.float64).astype(np.float32)
        before.append(mean if unknown == "mean" else np.zeros_like(mean))
    weight = torch.from_numpy(np.concatenate([np.stack(before), matrix]) if before else matrix.copy())
    layer: nn.Embedding = nn.Embedding.from_pretrained(  # type: ignore[no-untyped-call]
        weight, freeze=freeze, padding_idx=padding_row
    )
    return layer, padding_row, unknown_row
