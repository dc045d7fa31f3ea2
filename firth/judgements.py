"""Words in sentences as people judged them: how alike two are (SCWS), whether a word means the same twice (WiC).

K layers, D dim; P pairs
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from firth.errors import FirthError, UsageError
from firth.evaluation import folded_rows, lines_of, malformed
from firth.extraction import Opened, opened, prepare
from firth.files import printable
from firth.measures import Measured
from firth.model import Model
from firth.neighbours import unit
from firth.parts import Extraction, Wanted, parts
from firth.senses import sense_of
from firth.significance import value
from firth.vectors import Vectors

SenseVectors = Mapping[str, Sequence[NDArray[np.float32]]]
"""Of each word and layer the centres (k, D) of its senses, as `senses.learnt` gives them."""

Method = Literal["globalsim", "avgsim", "avgsimc", "localsim"]
METHODS: Final[tuple[Method, ...]] = ("globalsim", "avgsim", "avgsimc", "localsim")

_BEGIN, _END = "<b>", "</b>"
_COLUMNS: Final = 18  # of SCWS


class Use(NamedTuple):
    """A word in a sentence.

    Attributes:
        words: Those of the sentence, as they stand there between white space.
        position: Of the word among them.
    """

    words: tuple[str, ...]
    position: int


class UsedPair(NamedTuple):
    """Two words in sentences, and how alike people found them.

    Attributes:
        first: A word, as a vocabulary has it.
        second: The other.
        first_use: The sentence of the first.
        second_use: Of the second.
        score: The mean of people's ratings, from 0 to 10.
    """

    first: str
    second: str
    first_use: Use
    second_use: Use
    score: float


class SameWord(NamedTuple):
    """A word in two sentences, and whether it means the same in both.

    Attributes:
        word: It, as a dictionary has it.
        part_of_speech: N or V.
        first_use: A sentence with a form of it.
        second_use: Another.
        is_same: What people say; None where it is not told.
    """

    word: str
    part_of_speech: str
    first_use: Use
    second_use: Use
    is_same: bool | None


# --- files


def read_scws(path: str | Path) -> list[UsedPair]:
    """The pairs of SCWS as it was published (Huang et al. 2012): `ratings.txt`, or the folder that has it.

    A line has 18 columns parted by tabs: number, word and part of speech twice, two sentences with the words between
    `<b>` and `</b>`, the mean rating, and ten ratings.

    Raises:
        FirthError: the file is missing, holds no pair, or a line is malformed; it is named by its number.
    """
    path = Path(path)
    path = path / "ratings.txt" if path.is_dir() else path
    pairs = []
    for line_number, line in lines_of(path):
        if not line.strip():
            continue
        fields = line.rstrip("\r").split("\t")
        if len(fields) != _COLUMNS:
            raise malformed(path, line_number, f"{len(fields)} columns where {_COLUMNS} are due, parted by tabs")
        first, second = (_marked(path, line_number, sentence) for sentence in fields[5:7])
        pairs.append(UsedPair(fields[1], fields[3], first, second, _number(path, line_number, fields[7])))
    if not pairs:
        raise FirthError(f"{printable(str(path))} holds no pair of words in sentences")
    return pairs


def read_wic(path: str | Path, part: str | None = None) -> list[SameWord]:
    """The pairs of a part of WiC as it was published (Pilehvar & Camacho-Collados 2019).

    A line of `PART.data.txt` has 5 columns parted by tabs: the word, its part of speech, its positions in the two
    sentences as `2-5`, and these. `PART.gold.txt` beside it has T or F in the same line; where it is missing, nothing
    is told.

    Args:
        path: The folder of the set, or a file `PART.data.txt`.
        part: Of a folder: train, dev or test.

    Raises:
        FirthError: a file is missing, holds no pair, or a line is malformed; it is named by its number.
    """
    path = Path(path)
    if path.is_dir():
        if part is None:
            raise UsageError(f"{printable(str(path))} is a folder; name a part: train, dev or test")
        inside = path / part / f"{part}.data.txt"
        path = inside if inside.is_file() else path / f"{part}.data.txt"
    gold_path = path.with_name(path.name.replace(".data.", ".gold."))
    gold: list[bool | None] = []
    if gold_path != path and gold_path.is_file():
        for line_number, line in lines_of(gold_path):
            if line.strip():
                if line.strip() not in ("T", "F"):
                    raise malformed(gold_path, line_number, f"'{line.strip()}' where T or F is due")
                gold.append(line.strip() == "T")
    pairs: list[SameWord] = []
    for line_number, line in lines_of(path):
        if not line.strip():
            continue
        fields = line.rstrip("\r").split("\t")
        if len(fields) != 5:
            raise malformed(path, line_number, f"{len(fields)} columns where 5 are due, parted by tabs")
        positions = fields[2].split("-")
        if len(positions) != 2 or not all(position.isdecimal() for position in positions):
            raise malformed(path, line_number, f"positions '{fields[2]}' where two numbers are due, as 2-5")
        first, second = (
            _placed(path, line_number, sentence.split(), int(position))
            for sentence, position in zip(fields[3:], positions, strict=True)
        )
        is_same = gold[len(pairs)] if len(pairs) < len(gold) else None
        pairs.append(SameWord(fields[0], fields[1], first, second, is_same))
    if not pairs:
        raise FirthError(f"{printable(str(path))} holds no pair of uses")
    if gold and len(gold) != len(pairs):
        raise FirthError(f"{printable(str(gold_path))} has {len(gold):,} answers to {len(pairs):,} pairs")
    return pairs


def wic_parts(path: str | Path) -> tuple[str, str]:
    """The part of a folder of WiC that the threshold is chosen on, and the one that is scored.

    They are dev and test where the answers of test are there; else train and dev.
    """
    folder = Path(path)
    has_test = any((folder / name).is_file() for name in ("test/test.gold.txt", "test.gold.txt"))
    return ("dev", "test") if has_test else ("train", "dev")


# --- measures


def evaluate_scws(
    model: Opened,
    pairs: Sequence[UsedPair],
    *,
    layers: str | int | Sequence[int] = "all",
    vectors: Vectors | None = None,
    senses: SenseVectors | None = None,
    threads: int | None = None,
    device: str | None = None,
) -> list[Measured]:
    """How the cosines of words in sentences follow people's ratings, by four measures and layer: Spearman's rho.

    With sense vectors s of a word (Reisinger & Mooney 2010, section 3.2; Huang et al. 2012, section 4; the names are
    those of Neelakantan et al. 2014, section 6.2):

        globalsim   the cosine of the two words' single vectors, whatever the sentences
        avgsim      the mean cosine of all senses of the one with all of the other
        avgsimc     the same, each sense weighted by how likely the word is of it in its sentence (`senses.sense_of`)
        localsim    the cosine of the senses that are the most likely there

    What they are here: of static vectors a word has one sense, and all four are the same number. Of ELMo, GPT and BERT
    `globalsim` is of the static matrix of the layer, the mean over contexts; `avgsim` and `avgsimc` are of `senses`,
    and left out where there are none; `localsim` is, without `senses`, the cosine of the two vectors in context: each
    occurrence is a sense of its own.

    Args:
        model: As `firth.extract` takes it.
        pairs: From `read_scws`.
        layers: As of `firth.extract`.
        vectors: Static ones, for `globalsim`, with the layers' numbers; None is the model's own, where it has any.
        senses: See `senses.learnt`, of these layers.
        threads: As of `firth.extract`.
        device: The same.

    Returns:
        Layer by layer, in the order of METHODS.
    """
    asked = prepare(model, layers=layers, threads=threads, device=device)
    gold = np.array([pair.score for pair in pairs], np.float64)
    unknown = tuple[str, ...]()
    found = []
    uses = [use for pair in pairs for use in (pair.first_use, pair.second_use)]
    in_context = _in_context(model, asked, uses)  # (K, 2P, D)
    names = [word for pair in pairs for word in (pair.first, pair.second)]
    is_known = ~np.isnan(in_context[0, :, 0])
    unknown = tuple(dict.fromkeys(name for name, known in zip(names, is_known.tolist(), strict=True) if not known))
    static = vectors if vectors is not None else _static(model)
    for place, layer in enumerate(asked.layers.numbers):
        here = in_context[place]
        scored: dict[Method, NDArray[np.float64]] = {}
        local = _cosines(here[0::2], here[1::2])
        if not asked.reader.has_context:
            scored = dict.fromkeys(METHODS, local)
        else:
            if static is not None and layer in static.layer_numbers:
                of_words = _looked_up(static.layer(layer), names)
                scored["globalsim"] = _cosines(of_words[0::2], of_words[1::2])
            if senses is not None:
                by_sense = [
                    _by_sense(senses, place, pair, here[2 * row : 2 * row + 2]) for row, pair in enumerate(pairs)
                ]
                table = np.array(by_sense, np.float64).reshape(-1, 3)
                scored |= {"avgsim": table[:, 0], "avgsimc": table[:, 1], "localsim": table[:, 2]}
            else:
                scored["localsim"] = local
        for method in METHODS:
            if method in scored:
                items = np.stack([gold, scored[method]], axis=1)
                score = value("spearman", items)
                found.append(Measured("scws", "spearman", method, score, items, unknown, layer))
    return found


def evaluate_wic(
    model: Opened,
    tune: Sequence[SameWord],
    test: Sequence[SameWord],
    *,
    layers: str | int | Sequence[int] = "all",
    threads: int | None = None,
    device: str | None = None,
) -> list[Measured]:
    """How often it is told rightly whether a word means the same in two sentences, layer by layer: accuracy.

    Pilehvar & Camacho-Collados 2019, "WiC: the Word-in-Context Dataset for Evaluating Context-Sensitive Meaning
    Representations", section 4: the two uses are taken for the same where the cosine of the word's vectors in context
    is above a threshold, chosen on other pairs. A static model has little to go by: the form of the word alone.

    Args:
        model: As `firth.extract` takes it.
        tune: Pairs that the threshold is chosen on, for accuracy; see `read_wic`. Of equal ones the lowest is taken.
        test: Pairs that are scored.
        layers: As of `firth.extract`.
        threads: The same.
        device: The same.

    Raises:
        UsageError: there is no pair to choose by, or what is right is not told.
    """
    for name, pairs in (("chosen on", tune), ("scored on", test)):
        if not pairs or any(pair.is_same is None for pair in pairs):
            raise UsageError(f"the pairs that a threshold is {name} are missing, or it is not told what is right")
    asked = prepare(model, layers=layers, threads=threads, device=device)
    uses = [use for pair in (*tune, *test) for use in (pair.first_use, pair.second_use)]
    in_context = _in_context(model, asked, uses)
    names = [pair.word for pair in test]
    of_tune, of_test = (np.array([bool(pair.is_same) for pair in pairs]) for pairs in (tune, test))
    found = []
    for place, layer in enumerate(asked.layers.numbers):
        cosines = _cosines(in_context[place, 0::2], in_context[place, 1::2])
        threshold = best_threshold(cosines[: len(tune)], of_tune)
        scored = cosines[len(tune) :]
        items = np.where(np.isnan(scored), np.nan, (scored > threshold) == of_test)
        unknown = tuple(
            dict.fromkeys(name for name, cosine in zip(names, scored.tolist(), strict=True) if cosine != cosine)
        )
        score = value("accuracy", items)
        found.append(Measured("wic", "accuracy", None, score, items, unknown, layer, threshold))
    return found


def best_threshold(cosines: NDArray[np.float64], is_same: NDArray[np.bool_]) -> float:
    """The number that cosines (P,) are most often rightly above or not, halfway between two of them; NaN do not count.

    Of equally good ones it is the lowest; it may lie below all cosines, or above them.
    """
    defined = ~np.isnan(cosines)
    order = np.argsort(cosines[defined], kind="stable")
    values, right = cosines[defined][order], is_same[defined][order]
    if not len(values):
        return float("nan")
    below_wrong = np.append(0, np.cumsum(right))  # those that are the same, and not above
    above_right = right.sum() - below_wrong
    n_right = above_right + (np.arange(len(values) + 1) - below_wrong)
    is_place = np.append(True, np.append(np.diff(values) > 0, True))  # between equal cosines there is none
    best = int(np.where(is_place, n_right, -1).argmax())
    if best == 0:
        return float(values[0] - 1e-6)
    if best == len(values):
        return float(values[-1])
    return float((values[best - 1] + values[best]) / 2)


# --- vectors in context


def _in_context(model: Opened, asked: Extraction, uses: Sequence[Use]) -> NDArray[np.float32]:
    """(K, n, D) the vector of each word in its sentence; NaN where the model does not know it.

    The same use is read once. Static vectors are looked up, with other capitals where they do not know the word.
    """
    static = None if asked.reader.has_context else _static(model)
    if static is not None:
        words = [use.words[use.position] for use in uses]
        return np.stack([_looked_up(static.layer(number), words) for number in asked.layers.numbers])
    different = {use: number for number, use in enumerate(dict.fromkeys(uses))}
    array = np.full((asked.n_layers, len(different), asked.dim), np.nan, np.float32)
    ordered = list(different)

    def sentences() -> Iterator[Wanted]:
        for use in ordered:
            yield Wanted(list(use.words), np.array([use.position]))

    for part in parts(asked, sentences()):
        position = ordered[part.sentence].position - part.position
        if 0 <= position < len(part.words):
            array[:, part.sentence] = part.array[:, position]
    return array[:, [different[use] for use in uses]]


def _static(model: Opened) -> Vectors | None:
    """A model's static vectors; None where it has none."""
    try:
        found = opened(model)
        return found.vectors if isinstance(found, Model) else found
    except FirthError:
        return None


def _looked_up(vectors: Vectors, words: Sequence[str]) -> NDArray[np.float32]:
    """(n, D) NaN where a word is not known, not even with other capitals."""
    array = np.full((len(words), vectors.dim), np.nan, np.float32)
    row_of = folded_rows(vectors.words, None, str.upper)
    for row, word in enumerate(words):
        if vectors.has_vector(word):
            array[row] = vectors[word]
        elif word.upper() in row_of:
            array[row] = vectors.matrix[row_of[word.upper()]]
    return array


def _by_sense(
    senses: SenseVectors, place: int, pair: UsedPair, in_context: NDArray[np.float32]
) -> tuple[float, float, float]:
    """AvgSim, AvgSimC and LocalSim of a pair; NaN where a word has no senses."""
    if pair.first not in senses or pair.second not in senses or np.isnan(in_context[:, 0]).any():
        return (float("nan"),) * 3
    first, second = (senses[word][place] for word in (pair.first, pair.second))
    cosines = (unit(first) @ unit(second).T).astype(np.float64)  # (k, D) x (D, k')
    of_first, of_second = sense_of(in_context[0], first), sense_of(in_context[1], second)
    local = cosines[of_first.argmax(), of_second.argmax()]
    return float(cosines.mean()), float(of_first @ cosines @ of_second), float(local)


def _cosines(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float64]:
    """The cosine of each row with its fellow, (P, D) and (P, D) -> (P,); NaN where one is."""
    wide = [vectors.astype(np.float64) for vectors in (first, second)]
    lengths = np.linalg.norm(wide[0], axis=1) * np.linalg.norm(wide[1], axis=1)
    found: NDArray[np.float64] = np.einsum("pd,pd->p", *wide) / np.where(lengths == 0, 1, lengths)
    return found


# --- lines


def _marked(path: Path, line_number: int, sentence: str) -> Use:
    """A sentence whose word stands between `<b>` and `</b>`."""
    tokens = sentence.split()
    if tokens.count(_BEGIN) != 1 or tokens.count(_END) != 1:
        raise malformed(path, line_number, "a word between <b> and </b> is due in each sentence, with spaces around")
    begin, end = tokens.index(_BEGIN), tokens.index(_END)
    if end != begin + 2:
        raise malformed(
            path, line_number, f"one word is due between <b> and </b>, and {max(0, end - begin - 1)} are there"
        )
    return Use((*tokens[:begin], tokens[begin + 1], *tokens[end + 1 :]), begin)


def _placed(path: Path, line_number: int, words: Sequence[str], position: int) -> Use:
    if position >= len(words):
        raise malformed(path, line_number, f"position {position} in a sentence of {len(words)} words, counted from 0")
    return Use(tuple(words), position)


def _number(path: Path, line_number: int, field: str) -> float:
    try:
        number = float(field)
    except ValueError:
        number = float("nan")
    if not np.isfinite(number):
        raise malformed(path, line_number, f"the rating '{field}' is not a number")
    return number


def read(path: str | os.PathLike[str], kind: Literal["scws", "wic"]) -> Any:
    """The pairs of SCWS; of WiC those that a threshold is chosen on, and those that are scored."""
    path = Path(path)
    if kind == "scws":
        return read_scws(path)
    chosen_on, scored_on = wic_parts(path)
    return read_wic(path, chosen_on), read_wic(path, scored_on)
