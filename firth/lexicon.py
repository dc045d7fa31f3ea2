"""The words that have vectors, and which of them someone means: as a word stands, as it is normalised, as a phrase."""

from collections.abc import Iterable, Mapping
from functools import cached_property

from firth.errors import UnknownWordError, UsageError
from firth.explanations import explained
from firth.files import printable
from firth.segmentation import Segmentation
from firth.vocabulary import Vocabulary


class Lexicon:
    """Words, each with its row."""

    def __init__(
        self, words: list[str] | Vocabulary, segmentation: Segmentation | None, *, keeps_spelling: bool
    ) -> None:
        """The words in the order of their rows; of a `Vocabulary` nothing is looked at before it must be.

        Args:
            words: Each once.
            segmentation: How text is cut into these words; None where that is not known.
            keeps_spelling: Whether they stand as the text had them, not normalised: fastText's do.

        Raises:
            UsageError: a word stands twice.
        """
        self._vocabulary = words if isinstance(words, Vocabulary) else None
        self._segmentation = segmentation
        self._keeps_spelling = keeps_spelling
        if not isinstance(words, Vocabulary):
            self.words = words
            self.rows = dict(zip(self.words, range(len(words)), strict=True))
            if len(self.rows) < len(self.words):
                word = next(word for row, word in enumerate(self.words) if self.rows[word] != row)
                raise UsageError(f"the word '{printable(word)}' stands twice among the words")

    @cached_property
    def words(self) -> list[str]:
        """In the order of the rows."""
        assert self._vocabulary is not None
        return self._vocabulary.words

    @cached_property
    def rows(self) -> Mapping[str, int]:
        """The row of each word."""
        assert self._vocabulary is not None
        return self._vocabulary.table

    def __contains__(self, word: object) -> bool:
        """Whether `word` is known, as it stands or normalised."""
        return isinstance(word, str) and self.find(word) is not None

    def word(self, row: int) -> str:
        """The word of a row, for which those of other rows are not needed."""
        return self.words[row] if self._vocabulary is None else self._vocabulary.word(row)

    def row(self, word: str) -> int:
        """The row of `word`.

        Raises:
            UnknownWordError: it has none; the message names what is spelt alike, or a Chinese word's known parts.
        """
        row = self.find(word)
        if row is None:
            raise UnknownWordError(explained(word, self.words, self.rows))
        return row

    def find(self, word: str) -> int | None:
        """The row of `word`, or None."""
        row = self._find_as_it_stands(word)
        if row is None and self._segmentation is not None:
            row = self._find_as_it_stands(self.as_written(word))
            if row is None and self._segmentation.phrases is not None:
                split = self._segmentation.split(word)
                if split.names and len(split.starts) == 1:  # all of it is one phrase
                    row = self._find_as_it_stands(split.names[0])
        return row

    def found(self, queries: Iterable[object]) -> list[int]:
        """The rows of those words among the queries that have one."""
        rows = (self.find(word) for word in queries if isinstance(word, str))
        return [row for row in rows if row is not None]

    def words_of(self, texts: Iterable[str]) -> list[str]:
        """The words of what someone typed, cut as the training text was; see `Vectors.words_of`."""
        found = []
        phrases = self._segmentation.phrases if self._segmentation else None
        for text in texts:
            words = []
            for piece in [text] if text in self else text.split() or [text]:
                if piece in self:
                    words.append(self.word(self.row(piece)))
                else:
                    words += (self._segmentation.words(piece) if self._segmentation else []) or [piece]
            found += phrases.join(words) if phrases else words
        return found

    def as_written(self, word: str) -> str:
        """A word as the text's were written: normalised, unless these stand as they stood."""
        if self._segmentation is None or self._keeps_spelling:
            return word
        return self._segmentation.normalize(word)

    def _find_as_it_stands(self, word: str) -> int | None:
        return self.rows.get(word) if self._vocabulary is None else self._vocabulary.find(word)
