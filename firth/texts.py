"""The text of a training: a corpus as words or as pieces, as the family reads it, and its lines once more."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from firth import cache
from firth import corpus as corpora
from firth.errors import FirthError, UsageError
from firth.families.family import Family, completed
from firth.files import printable
from firth.phrases import Phrases
from firth.preparation import Preparation
from firth.progress import Progress, Silent, plural
from firth.segmentation import Segmentation, choose
from firth.terms import Asked, Cleaning, PieceKind
from firth.tokens import EncodedCorpus
from firth.userwords import read_user_words

if TYPE_CHECKING:
    from firth.encoded import EncodedPieces
    from firth.parts import Given
    from firth.pieces import Kind, Pieces

# --- words


@contextmanager
def prepared(
    sources: Any,
    preparation: Preparation,
    family: Family,
    *,
    like: Segmentation | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Iterator[EncodedCorpus]:
    """The corpus as `family` is trained on it, encoded, for as long as the block lasts; says what was found.

    Args:
        sources: As of `train`.
        preparation: How text becomes words.
        family: Decides whether sentences are needed.
        like: The segmentation of a model to go on from: words are found alike.
        cache_dir: As of `train`.
        progress: Shows the reading and what came of it.

    Raises:
        FirthError: the corpus cannot be read or has no words.
        UsageError: the preparation asks for another segmentation than `like`.
    """
    progress = progress or Silent()
    if like is None:
        preparation = completed(preparation, family)
    read_as = preparation if like is None else replace(preparation, inner=like.inner, drop=like.drop)
    corpus = corpora.read(sources, read_as, splits_sentences=family.needs_sentences)
    if like is not None and corpus.has_ready_words:
        _check_phrases(preparation, like)
    elif like is not None:
        _check_alike(preparation, like)
        preparation = read_as.completed(cased=not like.lower, punctuation=like.punctuation)
        if warning := like.warning():
            progress.say(warning)
    with cache.encoded(corpus, like, preparation, cache_dir=cache_dir, progress=progress) as encoded:
        for line in _account(encoded):
            progress.say(line)
        yield encoded


def _account(encoded: EncodedCorpus) -> Iterator[str]:
    """What was read and how, a line of text each."""
    yield (
        f"read {plural(encoded.n_tokens, 'word')}, {plural(len(encoded.types), 'type')}, "
        f"{plural(encoded.n_lines, 'line')} of {encoded.n_tokens / encoded.n_lines:.1f} words, "
        f"{plural(encoded.n_documents, 'document')}"
    )
    reason = f" ({encoded.segmentation_reason})" if encoded.segmentation_reason else ""
    yield f"words: {encoded.segmentation.method}{reason}"
    if encoded.lang:
        yield f"every sentence is a line, by the rules of '{printable(encoded.lang)}'"
    yield from encoded.remarks


def _check_alike(preparation: Preparation, like: Segmentation) -> None:
    """Raises UsageError where the preparation asks for words to be found otherwise than `like` finds them."""
    default = Preparation()
    there = {
        "segment": like.method,
        "cased": not like.lower,
        "punctuation": like.punctuation,
        "unicode_form": like.unicode_form,
        "digits": like.digits,
        "simplified": like.simplified,
        "inner": like.inner,
        "drop": like.drop,
    }
    asked = [name for name in there if getattr(preparation, name) not in (getattr(default, name), there[name])]
    if preparation.user_words is not None and read_user_words(preparation.user_words) != like.user_words:
        asked.append("user_words")
    if asked:
        found = ", ".join(f"{name} {value!r}" for name, value in there.items())
        raise UsageError(
            f"the model's words were found by {found}, and so must new text's: leave out {', '.join(asked)}"
        )
    _check_phrases(preparation, like)


def _check_phrases(preparation: Preparation, like: Segmentation) -> None:
    """Raises UsageError where the preparation asks for other phrases than those of `like`."""
    if preparation.phrases is None:
        return
    asked = Phrases.read(preparation.phrases)
    if like.phrases not in (asked, asked.normalized(like.normalize)):
        there = "has none" if like.phrases is None else f"has {len(like.phrases):,} others"
        raise UsageError(
            f"the phrases in {printable(str(preparation.phrases))} were asked for, but the model {there}, and new text "
            "is read as the model's was: leave out phrases"
        )


def lines_of_words(encoded: EncodedCorpus) -> "Iterator[Given]":
    """The lines of an encoded corpus, without words that were pruned."""
    types = list(encoded.types)
    first = 0
    for stop in encoded.line_ends.tolist():
        yield [word for type_id in encoded.type_ids[first:stop].tolist() if (word := types[type_id])]
        first = stop


# --- pieces


@contextmanager
def encoded_pieces(
    asked: Asked, family: Any, given: "Pieces | None", kind: PieceKind, cleaning: Cleaning, add_words: int
) -> "Iterator[tuple[EncodedPieces, Pieces]]":
    """The corpus as pieces, those given or learnt from it, for as long as the block lasts; says what was found."""
    from firth.pieces import PieceSettings

    preparation, progress = asked.preparation, asked.progress
    corpus = corpora.read(asked.corpus, preparation, splits_sentences=family.needs_sentences)
    pieces: Pieces | PieceSettings
    if given is not None:
        pieces = given
    else:
        if kind == "auto":
            kind, reason = suited_pieces(family, corpus.sample())
            if reason:
                progress.say(f"pieces: {reason}")
        elif kind == "bpe":
            _check_has_spaces(corpus.sample())
        pieces = PieceSettings(
            kind=kind,
            size=family.vocabulary_size,
            cased=bool(preparation.cased),
            seed=asked.seed,
            cleaning=cleaning,
        )
    words = None
    if getattr(family, "masking_units", "pieces") == "words":
        words, reason, _ = choose(corpus.sample(), preparation)
        progress.say(f"words to be masked whole: {words.method}{f' ({reason})' if reason else ''}")
    with cache.encoded_pieces(
        corpus,
        pieces,
        preparation,
        words=words,
        add_words=add_words,
        added_words=choose(corpus.sample(), preparation)[0] if add_words and words is None else words,
        cache_dir=asked.cache_dir,
        progress=progress,
    ) as (encoded, pieces):
        progress.say(
            f"read {plural(encoded.n_tokens, 'piece')} of {pieces.n_entries:,}, "
            f"{plural(encoded.n_sentences, 'sentence')} (in the mean of "
            f"{encoded.n_tokens / max(1, encoded.n_sentences):.1f} pieces), {plural(encoded.n_documents, 'document')}"
        )
        for remark in (*pieces.remarks, *encoded.remarks):
            progress.say(remark)
        if encoded.unknown_share == 1:
            what_to_do = (
                "its vocabulary has no room for the characters there are: raise --vocabulary-size, or train gpt on "
                "bytes (--pieces byte_bpe)"
                if given is None
                else "take one of this script, or leave it out, and one is learnt from the text"
            )
            raise FirthError(
                f"the tokenizer knows nothing of this text: all of its {plural(encoded.n_tokens, 'piece')} stand for "
                f"what it does not know; {what_to_do}"
            )
        yield encoded, pieces


def suited_pieces(family: Any, sample: str) -> "tuple[Kind, str]":
    """The kind of pieces that a family learns of text like `sample`, and why, where that depends on it."""
    from firth.pieces import suited_kind

    return ("wordpiece", "") if family.name == "bert" else suited_kind(sample)


def _check_has_spaces(sample: str) -> None:
    """Raises UsageError where text like `sample` is no text for pieces of words that white space parts."""
    from firth.pieces import suited_kind

    kind, reason = suited_kind(sample)
    if kind != "bpe":
        raise UsageError(f"pieces 'bpe' were asked for, which begin with words that white space parts; {reason}")


def is_standard_input(corpus: Any) -> bool:
    """Whether a corpus, or one of several, is `-`."""
    several = isinstance(corpus, Sequence) and not isinstance(corpus, str)
    return any(isinstance(path, str | os.PathLike) and str(path) == "-" for path in (corpus if several else [corpus]))


def check_prepared_for_pieces(preparation: Preparation, family: Any, add_words: int = 0) -> None:
    """Raises UsageError where the preparation asks for what a family that reads pieces makes nothing of."""
    finds_words = add_words or getattr(family, "masking_units", "pieces") == "words"
    ignored = {
        "keep": "what documents are kept with is for families of whole words",
        "keep_from_name": "what documents are kept with is for families of whole words",
        "unicode_form": "a tokenizer brings its own; bring the text into that form before",
        "digits": "pieces keep digits; write zeros into the text before",
        "simplified": "pieces keep characters as they are; convert the text before",
        "punctuation": "the tokenizer keeps punctuation marks",
        "inner": "the tokenizer parts words at punctuation",
        "phrases": "pieces are parts of words, and their context tells what stands together",
        "max_types": "a vocabulary of pieces is learnt from a sample of bounded size",
    }
    if not finds_words:
        only = "words are looked for with bert's --masking-units words, and with --add-words"
        ignored |= {"segment": f"pieces know no words; {only}", "user_words": f"pieces know no dictionary; {only}"}
    default = Preparation()
    asked = [name for name in ignored if getattr(preparation, name) != getattr(default, name)]
    if asked:
        reasons = "; ".join(f"{name} changes nothing: {ignored[name]}" for name in asked)
        raise UsageError(f"{family.name} reads pieces of words, and leaves aside how words are found: {reasons}")


def check_learnt_alike(given: "Pieces", kind: PieceKind, cleaning: Cleaning, preparation: Preparation) -> None:
    """Raises UsageError where pieces are given, and others were to be learnt."""
    asked = [f"pieces {kind}"] if kind not in ("auto", given.kind) else []
    asked += [f"cleaning {cleaning}"] if cleaning != "none" else []
    asked += ["cased"] if preparation.cased and given.folds_case else []
    if asked:
        raise UsageError(
            f"the tokenizer is given, which is {given.kind}{' and folds case' if given.folds_case else ''}; "
            f"{', '.join(asked)} would only change one that is learnt: leave it out"
        )


def lines_again(asked: Asked, family: Any, encoded: "EncodedPieces", pieces: "Pieces") -> "Iterator[Given]":
    """The lines of the corpus once more; of one that is read only once, what its pieces tell of them."""
    from firth import occurrences

    corpus = asked.corpus
    if isinstance(corpus, list | tuple) or not isinstance(corpus, Iterator):
        again = corpora.read(corpus, asked.preparation, splits_sentences=family.needs_sentences)
        if isinstance(corpus, list | tuple) or again.identity() is not None:
            yield from occurrences.lines_of(again)
            return
    first = 0
    for stop in encoded.sentence_ends.tolist():
        yield pieces.decode(encoded.ids[first:stop].tolist()).strip()
        first = stop
