"""How fast each family trains here, measured on some of a corpus, and how long it would take with all of it."""

import math
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from firth import corpus as corpora
from firth.budget import DEFAULT_MINUTES
from firth.errors import FirthError, needing_torch
from firth.families.family import Family
from firth.findings import Finding, Pace, PiecesPace
from firth.model import CONTEXTUAL, COUNTING, FAMILIES, OF_PIECES, Words
from firth.preparation import Preparation
from firth.sizes import MOST_USEFUL_EPOCHS, TOKENS_PER_WEIGHT, block_weights, chosen_size, size_name
from firth.static_training import default_epochs, pass_seconds, words_per_second
from firth.texts import check_prepared_for_pieces, suited_pieces
from firth.tokens import EncodedCorpus
from firth.vocabulary import Vocabulary

if TYPE_CHECKING:
    from firth.encoded import EncodedPieces
    from firth.pieces import Pieces

MEASURED_WORDS: Final = 300_000
"""How many words of the corpus are trained on, at most, to measure the pace of a family of whole words."""

COUNTED_WORDS: Final = 3_000_000
"""In how many words of the corpus, at most, pairs are counted and trained on, to measure the pace of GloVe."""

MEASURED_CHARACTERS: Final = 400_000
"""How much of the corpus becomes pieces, at most, to measure the pace of the others."""

_SECONDS_MEASURED: Final = 1.0  # of each size
_SIZES: Final = ("tiny", "mini", "small", "medium", "base")


def words_paces(encoded: EncodedCorpus, threads: int) -> tuple[dict[str, Pace], list[Finding]]:
    """How fast each family of whole words trains on some of the corpus, with all its vocabulary; and why one cannot."""
    epochs = default_epochs(encoded.n_tokens)
    n_words = min(MEASURED_WORDS, epochs * encoded.n_tokens)
    paces: dict[str, Pace] = {}
    for name in FAMILIES:
        if name in CONTEXTUAL:
            continue
        family: Family = FAMILIES[name]()
        try:
            if name in COUNTING:
                paces[name] = _counting_pace(family, encoded, threads)
                continue
            pace = words_per_second(family, encoded, n_words, threads)
        except FirthError as error:
            return paces, [Finding(str(error), error.option)]
        paces[name] = Pace(pace, epochs, epochs * encoded.n_tokens / pace)
    return paces, []


def _counting_pace(family: Any, encoded: EncodedCorpus, threads: int) -> Pace:
    """The pace of a family that counts pairs first: a pass takes time by the pairs that differ, not by the words.

    From half of the words that are counted to all of them, the pairs grow by a power of their number; by that power
    they are taken to grow up to the whole corpus, which is somewhat too many, since the power falls.

    Raises:
        FirthError: it cannot be trained on that corpus.
    """
    from firth import cooccurrences

    vocabulary = Vocabulary.from_counts(
        encoded.types, encoded.counts, min_count=family.min_count, max_size=family.max_size
    )
    n_counted = min(COUNTED_WORDS, encoded.n_tokens)
    n_pairs: list[int] = []
    with tempfile.TemporaryDirectory(prefix="firth-check-") as folder:
        for part in [n_counted] if n_counted == encoded.n_tokens else [n_counted // 2, n_counted]:
            path = Path(folder) / f"{part}"
            began = time.monotonic()
            with path.open("wb") as file:
                cooccurrences.count(
                    encoded, vocabulary, family.nearness, file, Path(folder), n_tokens=part, threads=threads
                )
            counting = time.monotonic() - began
            with cooccurrences.Cooccurrences(path) as counts:
                n_pairs.append(len(counts.entries))
                if part == n_counted:
                    training = pass_seconds(family, encoded, counts, threads)
    power = min(1.0, math.log2(n_pairs[-1] / n_pairs[0]))
    passes, growth = family.default_epochs, encoded.n_tokens / n_counted
    seconds = counting * growth + passes * training * growth**power
    return Pace(passes * encoded.n_tokens / max(seconds, 1e-3), passes, seconds)


def pieces_paces(
    texts: Sequence[str], encoded: EncodedCorpus, threads: int
) -> tuple[dict[str, PiecesPace], dict[str, str]]:
    """How fast each contextual family trains, in the size that the default budget suffices for.

    The pieces are learnt from these texts alone, and counted in them. Those of the whole corpus know more words, and
    meet more that they do not know: the number of pieces in a word comes to about the same.

    Args:
        texts: Some of the corpus, from all over it; a line is a paragraph or a sentence.
        encoded: All of it.
        threads: To measure with.

    Returns:
        The paces by family; and for each other one why there is none.
    """
    names = [name for name in FAMILIES if name in CONTEXTUAL]
    paces: dict[str, PiecesPace] = {}
    unmeasured: dict[str, str] = {}
    try:
        with needing_torch("training"):
            import tokenizers  # noqa: F401
            import torch  # noqa: F401
    except FirthError as error:
        return {}, dict.fromkeys(names, str(error))
    for name in names:
        try:
            if name in OF_PIECES:
                paces[name] = _pieces_pace(FAMILIES[name], texts, encoded, threads)
            else:
                paces[name] = _words_pace_in_context(FAMILIES[name], encoded, threads)
        except FirthError as error:
            unmeasured[name] = str(error)
    return paces, unmeasured


@dataclass(frozen=True)
class _Sample:
    """Some of the corpus as pieces, and how many there are in a word."""

    pieces: "Pieces"
    encoded: "EncodedPieces"
    pieces_per_word: float


def _pieces_pace(family: Any, texts: Sequence[str], encoded: EncodedCorpus, threads: int) -> PiecesPace:
    """The pace of a family in the size that suits the corpus.

    Raises:
        FirthError: it cannot be trained on that corpus.
    """
    from firth import devices

    sizes = [getattr(family, name)() for name in _SIZES]
    asked = encoded.preparation
    check_prepared_for_pieces(replace(asked, punctuation=asked.punctuation or None), sizes[0])
    with devices.on_threads(threads), _sampled(sizes[0], texts, encoded) as sample:
        n_tokens = round(sample.pieces_per_word * encoded.n_tokens)
        return _pace(sizes, sizes[0].stream(sample.encoded), sample.pieces, n_tokens, "pieces")


def _words_pace_in_context(family: Any, encoded: EncodedCorpus, threads: int) -> PiecesPace:
    """The same of a family that reads whole words.

    Raises:
        FirthError: it cannot be trained on that corpus.
    """
    from firth import devices, streams

    sizes = [getattr(family, name)() for name in _SIZES]
    vocabulary = streams.vocabulary(encoded, min_count=sizes[0].min_count, max_size=sizes[0].max_size)
    text = sizes[0].stream(encoded, vocabulary)
    with devices.on_threads(threads):
        return _pace(sizes, text, Words(vocabulary, encoded.segmentation), text.n_tokens, "words")


def _pace(sizes: Sequence[Any], text: Any, tokens: "Pieces | Words", n_tokens: int, unit: str) -> PiecesPace:
    """The pace in the largest of the sizes that the default budget suffices for."""
    from firth import devices
    from firth.speeds import measured_speed

    device = devices.chosen_device()
    seconds = DEFAULT_MINUTES * 60
    weights = [block_weights(size) for size in sizes]
    speeds: list[float] = []

    def tokens_of(size: int) -> float:
        enough = TOKENS_PER_WEIGHT * weights[size]
        is_hopeless = MOST_USEFUL_EPOCHS * n_tokens < enough or (speeds and speeds[-1] * seconds < enough)
        if size and is_hopeless:  # since a larger network is no faster
            return 0.0
        speeds.append(measured_speed(sizes[size], text, tokens, device, _SECONDS_MEASURED))
        return speeds[-1] * seconds

    chosen, _ = chosen_size(weights, n_tokens, tokens_of)
    speed = speeds[chosen]
    if not speed:
        raise FirthError(f"the memory of {devices.said(device)} does not hold the smallest size")
    return PiecesPace(
        size=size_name(sizes[chosen]),
        tokens_per_second=speed,
        n_tokens=n_tokens,
        seconds=n_tokens / speed,
        minutes=DEFAULT_MINUTES,
        epochs=speed * seconds / max(1, n_tokens),
        unit=unit,
    )


@contextmanager
def _sampled(family: Any, texts: Sequence[str], encoded: EncodedCorpus) -> Iterator[_Sample]:
    """The texts as pieces of the family's kind, for as long as the block lasts."""
    from firth.encoded import encode_pieces
    from firth.pieces import train_pieces

    asked = encoded.preparation
    most = MEASURED_CHARACTERS // max(1, len(texts))
    texts = [_whole_lines(text, most) for text in texts]
    pieces = train_pieces(
        texts,
        suited_pieces(family, "\n".join(texts))[0],
        size=family.vocabulary_size,
        cased=bool(asked.cased),
        seed=0,
    )
    corpus = corpora.read(iter(texts), Preparation(lang=asked.lang), splits_sentences=family.needs_sentences)
    with tempfile.TemporaryDirectory(prefix="firth-check-") as folder, ExitStack() as stack:
        found = stack.enter_context(encode_pieces(corpus, pieces, Path(folder) / "pieces"))
        n_words = sum(len(encoded.segmentation.split(text).starts) for text in texts)
        # The corpus fills the vocabulary where the sample does not, and a larger one takes longer to score.
        whole = replace(pieces, n_entries=max(pieces.n_entries, family.vocabulary_size))
        yield _Sample(whole, found, found.n_tokens / max(1, n_words))


def _whole_lines(text: str, most: int) -> str:
    """The first so many characters of a text, up to the end of a line if there is one."""
    if len(text) <= most:
        return text
    return text[: text.rfind("\n", 0, most) + 1 or most]
