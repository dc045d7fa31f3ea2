"""Word similarity and word analogies: pure functions of words, arrays and files.

Figures are those of gensim's `evaluate_word_pairs` and `evaluate_word_analogies` on the same vectors, but for
its rounding of cosines to float32, which may swap two pairs that are next to one another in rank. Both look
at the `restrict` most frequent words and compare words folded, where the first (most frequent) of those that
fold alike stands for them.
"""

from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from firth import neighbours
from firth.errors import FirthError, UsageError
from firth.files import printable

Fold = Callable[[str], str]
Method = Literal["3cosadd", "3cosmul"]

RESTRICT = 30_000


class WordPair(NamedTuple):
    """Two words and how alike people found them."""

    first: str
    second: str
    score: float


class Analogy(NamedTuple):
    """a is to b as c is to d, in a section of a question file."""

    section: str
    a: str
    b: str
    c: str
    d: str


class PairsResult(NamedTuple):
    """How cosines follow people's scores: correlations and two-sided p.

    They are nan where fewer than 2 pairs, or scores that are all the same, leave them undefined.
    """

    spearman: float
    spearman_p: float
    pearson: float
    pearson_p: float
    n_asked: int
    n_answered: int
    unknown: tuple[str, ...]  # in the order met, each once
    n_composed: int = 0  # of the words answered, those that are not in the vocabulary: their n-grams answer for them
    gold: tuple[float, ...] = ()  # people's scores, of each pair asked
    cosines: tuple[float | None, ...] = ()  # of each pair asked; None where a word is unknown

    def items(self) -> NDArray[np.float64]:
        """(N, 2) people's score and the cosine of each pair asked, the latter NaN where a word is unknown."""
        return np.stack([np.array(self.gold, np.float64), np.array(self.cosines, np.float64)], axis=1)

    def __repr__(self) -> str:
        """Without what it is of each pair."""
        return shown_without(self, "gold", "cosines")


class SectionResult(NamedTuple):
    """Right answers in one section of an analogy file, or in all."""

    name: str
    n_asked: int
    n_answered: int  # those with all four words known
    n_correct: int

    @property
    def accuracy(self) -> float:
        """The share of answered questions that were answered rightly; nan where none was answered."""
        return self.n_correct / self.n_answered if self.n_answered else float("nan")

    @property
    def accuracy_of_asked(self) -> float:
        """The share of all questions (gensim's `dummy4unknown`); nan where none was asked."""
        return self.n_correct / self.n_asked if self.n_asked else float("nan")


class AnalogiesResult(NamedTuple):
    """Accuracy by section, in the file's order, and over all questions."""

    sections: tuple[SectionResult, ...]
    total: SectionResult
    unknown: tuple[str, ...]  # in the order met, each once
    answers: tuple[bool | None, ...] = ()  # of each question asked, whether it is answered rightly; None unanswered

    @property
    def accuracy(self) -> float:
        """The total's."""
        return self.total.accuracy

    def items(self) -> NDArray[np.float64]:
        """(N,) of each question asked: 1 where it is answered rightly, 0 where wrongly, NaN where a word is unknown."""
        return np.array(self.answers, np.float64)

    def __repr__(self) -> str:
        """Without what it is of each question."""
        return shown_without(self, "answers")


class Common(NamedTuple):
    """Words that several vocabularies share.

    Attributes:
        words: As the first spells them, those first that are frequent in all.
        rows: (n,) of each vocabulary: where it has them.
    """

    words: list[str]
    rows: list[NDArray[np.intp]]


def read_word_pairs(path: str | Path) -> list[WordPair]:
    """The word pairs of a file: two words and a score a line, parted by tabs, commas or white space.

    Lines that begin with "#", empty lines and one header line are passed over. The first line of data tells
    where the score stands: the first number behind the words (SimLex-999 has the part of speech between).

    Raises:
        FirthError: the file is missing, holds no pair, or a line is malformed; it is named by its number.
    """
    path = Path(path)
    rows = fields_of(path)
    if rows and _score_column(rows[0][1]) is None:
        del rows[0]  # a header
    if not rows:
        raise FirthError(f"{printable(str(path))} holds no word pair: two words and a score a line are due")
    column = _score_column(rows[0][1])
    return [_word_pair(path, line_number, fields, column) for line_number, fields in rows]


def read_analogies(path: str | Path) -> list[Analogy]:
    """The questions of an analogy file: four words a line, under lines `: section`.

    Raises:
        FirthError: the file is missing, holds no question, or a line is malformed; it is named by its number.
    """
    path = Path(path)
    section = None
    questions = []
    for line_number, line in lines_of(path):
        fields = line.split()
        if line.startswith(":"):
            section = line.removeprefix(":").strip()
        elif fields and section is None:
            raise malformed(path, line_number, "a line ': section' is due before the first question")
        elif fields and section is not None:
            if len(fields) != 4:
                raise malformed(path, line_number, f"{len(fields)} words where 4 are due")
            questions.append(Analogy(section, *fields))
    if not questions:
        raise FirthError(f"{printable(str(path))} holds no question: four words a line are due")
    return questions


def evaluate_pairs(
    words: Sequence[str],
    array: NDArray[np.float32],
    pairs: Iterable[WordPair],
    *,
    restrict: int | None = RESTRICT,
    fold: Fold = str.upper,
    unknown_similarity: float | None = None,
    others: Mapping[str, NDArray[np.float32]] | None = None,
) -> PairsResult:
    """How the cosines of word pairs correlate with their scores, by rank (Spearman) and linearly (Pearson).

    Args:
        words: The vocabulary, the most frequent first.
        array: Their vectors, float32 (word, dim).
        pairs: From `read_word_pairs`.
        restrict: Words looked at, from the top; None takes all.
        fold: Words are equal when their folds are; `str` compares them as they stand.
        unknown_similarity: The cosine given to a pair with an unknown word (0 in gensim's `dummy4unknown`);
            None leaves such pairs out.
        others: Vectors (dim,) of words that are not among those looked at, as the pairs spell them.
    """
    pairs = list(pairs)
    row_of = folded_rows(words, restrict, fold)
    asked = {fold(word) for pair in pairs for word in pair[:2]}
    vector_of = {fold(word): vector for word, vector in (others or {}).items()}
    vector_of |= {word: array[row_of[word]] for word in asked & row_of.keys()}
    is_known = np.array([{fold(pair.first), fold(pair.second)} <= vector_of.keys() for pair in pairs], np.bool_)
    answered = [pair for pair, known in zip(pairs, is_known, strict=True) if known]
    first, second = (
        np.array([vector_of[fold(word)] for word in asked_of], np.float32).reshape(-1, array.shape[1])
        for asked_of in ([pair.first for pair in answered], [pair.second for pair in answered])
    )
    cosines = np.full(len(pairs), np.nan if unknown_similarity is None else unknown_similarity, np.float64)
    cosines[is_known] = _cosines(first, second)
    scores = np.array([pair.score for pair in pairs], np.float64)
    counts = is_known | (unknown_similarity is not None)
    return PairsResult(
        *_correlations(scores[counts], cosines[counts]),
        n_asked=len(pairs),
        n_answered=len(answered),
        unknown=_unknown((word for pair in pairs for word in pair[:2]), vector_of, fold),
        gold=tuple(scores.tolist()),
        cosines=tuple(
            cosine if known else None for cosine, known in zip(cosines.tolist(), counts.tolist(), strict=True)
        ),
    )


def evaluate_analogies(
    words: Sequence[str],
    array: NDArray[np.float32],
    questions: Iterable[Analogy],
    *,
    restrict: int | None = RESTRICT,
    fold: Fold = str.upper,
    method: Method = "3cosadd",
) -> AnalogiesResult:
    """How many questions "a is to b as c is to ?" are answered rightly.

    By `3cosadd` the answer is the word nearest to b - a + c: Mikolov, Yih and Zweig 2013, "Linguistic Regularities in
    Continuous Space Word Representations", section 4. By `3cosmul` it is the one near to b and to c and far from a, by
    the product of cosines: Levy and Goldberg 2014, "Linguistic Regularities in Sparse and Explicit Word
    Representations", equation 4, as `neighbours.nearest_by_product` has it. a, b and c are no answers, and vectors
    count with length 1.

    Args:
        words: The vocabulary, the most frequent first.
        array: Their vectors, float32 (word, dim).
        questions: From `read_analogies`. One with an unknown word is not answered.
        restrict: Words looked at, in questions and as answers, from the top; None takes all.
        fold: Words are equal when their folds are; `str` compares them as they stand.
        method: How the answer is found.

    Raises:
        UsageError: there is no such method.
    """
    if method not in get_args(Method):
        raise UsageError(f"method is {printable(repr(method))}; there are {', '.join(get_args(Method))}")
    questions = list(questions)
    row_of = folded_rows(words, restrict, fold)
    rows_of_answered, answered, are_answered = [], [], []
    for question in questions:
        rows = [row_of.get(fold(word), -1) for word in question[1:]]
        are_answered.append(min(rows) >= 0)
        if min(rows) >= 0:
            rows_of_answered.append(rows)
            answered.append(question)
    matrix = neighbours.unit(array[:restrict])
    standing_for = np.array([row_of[fold(word)] for word in words[:restrict]], np.intp)
    correct = _answered_rightly(matrix, standing_for, np.array(rows_of_answered, np.intp).reshape(-1, 4), method)
    n_asked = Counter(question.section for question in questions)  # keeps the sections' order
    n_answered = Counter(question.section for question in answered)
    n_correct = Counter(question.section for question, right in zip(answered, correct, strict=True) if right)
    in_order = iter(correct.tolist())
    sections = tuple(
        SectionResult(section, n_asked[section], n_answered[section], n_correct[section]) for section in n_asked
    )
    return AnalogiesResult(
        sections=sections,
        total=SectionResult("total", len(questions), len(answered), int(correct.sum())),
        unknown=_unknown((word for question in questions for word in question[1:]), row_of, fold),
        answers=tuple(next(in_order) if is_answered else None for is_answered in are_answered),
    )


def common_words(
    vocabularies: Sequence[Sequence[str]], *, restrict: int | None = None, fold: Fold = str.upper
) -> Common:
    """The words that all vocabularies have, and where: scores over these favour no small one.

    The words that are frequent in every one come first: they are ordered by the row that is furthest down.

    Args:
        vocabularies: Words, the most frequent first.
        restrict: Words of each that are looked at, from the top; None takes all.
        fold: Words are equal when their folds are; `str` compares them as they stand.

    Raises:
        FirthError: there is no such word.
        UsageError: no vocabulary is given.
    """
    rows_of = [folded_rows(words, restrict, fold) for words in vocabularies]
    if not rows_of:
        raise UsageError("the words of one vocabulary at least are due")
    shared = [word for word in rows_of[0] if all(word in rows for rows in rows_of)]
    if not shared:
        raise FirthError(
            f"there is no word that all {len(rows_of)} vocabularies have; compare models of the same language"
        )
    rows = np.array([[of_one[word] for word in shared] for of_one in rows_of], np.intp)
    order = np.lexsort((rows[0], rows.max(axis=0)))
    return Common([vocabularies[0][row] for row in rows[0][order].tolist()], list(rows[:, order]))


def shown_without(result: Any, *hidden: str) -> str:
    """The repr of a NamedTuple without some of its fields, which are long."""
    fields = [f"{name}={getattr(result, name)!r}" for name in result._fields if name not in hidden]
    return f"{type(result).__name__}({', '.join(fields)})"


def folded_rows(words: Sequence[str], restrict: int | None, fold: Fold) -> dict[str, int]:
    """Row of each folded word among the first `restrict`: of several that fold alike the first."""
    n_words = len(words) if restrict is None else min(restrict, len(words))
    return {fold(words[row]): row for row in reversed(range(n_words))}


def spelt_alike(asked: Iterable[str], words: Sequence[str], fold: Fold) -> dict[str, str]:
    """Each word asked for as n-grams of `words` should have it: in small letters where these are, if `fold` allows."""
    low = {word: word.lower() if fold(word.lower()) == fold(word) else word for word in asked}
    is_low = all(word == spelt for word, spelt in low.items()) or all(word == word.lower() for word in words)
    return low if is_low else {word: word for word in low}


def _answered_rightly(
    matrix: NDArray[np.float32], standing_for: NDArray[np.intp], questions: NDArray[np.intp], method: Method
) -> NDArray[np.bool_]:
    """Whether the best row for each question (Q, 4) folds to the word of its fourth row.

    `standing_for` (R,) is for each row of `matrix` (R, D) the first row that folds alike.
    """
    spellings: dict[int, list[int]] = {}
    for row, first_row in enumerate(standing_for.tolist()):
        spellings.setdefault(first_row, []).append(row)
    correct = np.zeros(len(questions), np.bool_)
    n_questions = max(1, neighbours.BLOCK_BYTES // (4 * max(1, len(matrix))))
    for start in range(0, len(questions), n_questions):
        block = questions[start : start + n_questions]
        a, b, c, d = block.T
        scores = _by_product(matrix, a, b, c) if method == "3cosmul" else (matrix[b] - matrix[a] + matrix[c]) @ matrix.T
        for question_scores, asked in zip(scores, block[:, :3].tolist(), strict=True):
            for first_row in asked:
                question_scores[spellings[first_row]] = -np.inf
        d_is_asked = (d == a) | (d == b) | (d == c)
        correct[start : start + len(block)] = (standing_for[scores.argmax(axis=1)] == d) & ~d_is_asked
    return correct


def _by_product(
    matrix: NDArray[np.float32], a: NDArray[np.intp], b: NDArray[np.intp], c: NDArray[np.intp]
) -> NDArray[np.float32]:
    """3CosMul of every row of length 1 for each question, (R, D), (Q,) -> (Q, R): cosines moved to [0, 1]."""
    scores: NDArray[np.float32] = matrix[b] @ matrix.T
    scores += 1
    for rows, divides in ((c, False), (a, True)):
        cosines = matrix[rows] @ matrix.T
        cosines += 1
        if divides:
            cosines /= 2
            cosines += np.float32(neighbours.COSMUL_EPSILON)
            scores /= cosines
        else:
            scores *= cosines
    scores /= 4
    return scores


def _cosines(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float64]:
    """The cosine of each row with its fellow, (P, D) and (P, D) -> (P,), in float64 so that few come out tied."""
    first_wide, second_wide = first.astype(np.float64), second.astype(np.float64)
    lengths = np.linalg.norm(first_wide, axis=1) * np.linalg.norm(second_wide, axis=1)
    cosines: NDArray[np.float64] = np.einsum("pd,pd->p", first_wide, second_wide)
    return cosines / np.where(lengths > 0, lengths, 1)


def _correlations(scores: NDArray[np.float64], cosines: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """Spearman's rho, its p, Pearson's r, its p."""
    if len(scores) < 2 or np.ptp(scores) == 0 or np.ptp(cosines) == 0:
        return (float("nan"),) * 4
    from scipy import stats  # most of a second; whoever asks for neighbours alone does not pay it

    spearman = stats.spearmanr(scores, cosines)
    pearson = stats.pearsonr(scores, cosines)
    return (
        float(spearman.statistic),
        float(spearman.pvalue),
        float(pearson.statistic),
        float(pearson.pvalue),
    )


def _unknown(words: Iterable[str], known: Container[str], fold: Fold) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word for word in words if fold(word) not in known))


def lines_of(path: Path) -> list[tuple[int, str]]:
    """Line numbers from 1 and lines without their ends.

    Raises:
        FirthError: the file cannot be read, or is not UTF-8.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise FirthError(f"{printable(str(path))} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise FirthError(f"{printable(str(path))} is not UTF-8 at byte {error.start:,}") from error
    return list(enumerate(text.split("\n"), start=1))


def fields_of(path: Path) -> list[tuple[int, list[str]]]:
    """Line numbers from 1 and the fields of lines: parted as the first one is, by tabs, commas or else white space.

    Empty lines, and lines that begin with "#", are passed over.
    """
    lines = [(n, line.strip()) for n, line in lines_of(path) if line.strip() and not line.startswith("#")]
    first = lines[0][1] if lines else ""
    delimiter = "\t" if "\t" in first else "," if "," in first else None
    return [(n, [field.strip() for field in line.split(delimiter)]) for n, line in lines]


def _score_column(fields: list[str]) -> int | None:
    return next((column for column in range(2, len(fields)) if _is_number(fields[column])), None)


def _word_pair(path: Path, line_number: int, fields: list[str], column: int | None) -> WordPair:
    if column is None or len(fields) <= column:
        raise malformed(path, line_number, "two words and a score are due")
    if not _is_number(fields[column]):
        raise malformed(path, line_number, f"the score '{fields[column]}' is not a number")
    return WordPair(fields[0], fields[1], float(fields[column]))


def _is_number(field: str) -> bool:
    try:
        return bool(np.isfinite(float(field)))
    except ValueError:
        return False


def malformed(path: Path, line_number: int, what: str) -> FirthError:
    """What to raise of a line."""
    return FirthError(printable(f"{path}, line {line_number}: {what}"))
