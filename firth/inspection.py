"""`firth check`: what a corpus holds, what is wrong with it, and how long training on it takes here.

The text is read once, by the encoder that training uses; what it wrote and a sample of the text tell the rest.
"""

import codecs
import os
import re
import shlex
import tempfile
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, fields, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from firth import cache
from firth import corpus as corpora
from firth import layout as layouts
from firth.corpus import Corpus
from firth.counting import HashedSequences, HashSet
from firth.cutting import available_processors
from firth.diagnosis import STANDARD_INPUT, UTF8, beginning_of_standard_input, guess, texts_of
from firth.errors import EncodingError, FirthError
from firth.families.family import Family
from firth.faults import Faults
from firth.files import printable
from firth.model import CONTEXTUAL, FAMILIES
from firth.preparation import Preparation
from firth.progress import Progress, Silent
from firth.scripts import WITHOUT_SPACES, letters_by_script
from firth.tokens import EncodedCorpus
from firth.training import default_epochs, words_per_second

MEASURED_WORDS: Final = 300_000
"""How many words of the corpus are trained on, at most, to measure the pace of a family."""

_MOST_PLACES: Final = 3  # of faults, that are told
_FEW: Final = 5  # a word as rare as training's default leaves out
_SAMPLED_TYPES: Final = 200_000
_TOKENS_AT_ONCE: Final = 1 << 22
_LONG_WORD: Final = 40

# From which share on there is a warning.
_MARKUP: Final = 0.05  # of the lines
_JSON: Final = 0.5
_DUPLICATE_LINES: Final = 0.05  # of the words
_DUPLICATE_DOCUMENTS: Final = 0.01
_LONG_WORDS: Final = 0.02  # of the types
_NUMBERS: Final = 0.3  # with codes
_ONCE: Final = 0.75
_TYPES_FOR_ONCE: Final = 10_000
_MOST_TYPES: Final = 10_000_000
_LEAST_WORDS_A_LINE: Final = 3.0
_LEAST_LINES_A_DOCUMENT: Final = 1.5  # for joining them to change much; a record is a document
_PATIENCE_SECONDS: Final = 3600.0

_MARKUP_PATTERNS: Final = {
    "HTML tags": re.compile(r"</?[a-zA-Z][^<>]{0,200}>"),
    "HTML entities": re.compile(r"&(?:[a-zA-Z]{2,8}|#\d{1,6}|#x[0-9a-fA-F]{1,5});"),
    "wiki markup": re.compile(r"\[\[|\{\{|'''|^==.*==\s*$|^\{\|"),
    "Markdown": re.compile(r"^#{1,6} |\]\(\S+\)|\*\*\S|^```|^[*+-] "),
    "URLs": re.compile(r"https?://|\bwww\.\w"),
    "JSON": re.compile(r'^\s*\{\s*".*\}\s*$'),
}
_NUMBER: Final = re.compile(r"\d+")
_CODE: Final = re.compile(r"(?=.*\d)(?=.*[^\W\d_])\w+")  # a2f9, 3d0, abc123

_LEAST_UNSPACED: Final = 0.01  # of the letters


class Finding(NamedTuple):
    """Something to mend.

    Attributes:
        message: What there is and what it costs, in a sentence.
        option: What mends it, as "--layout wrapped"; empty where that is for another program.
    """

    message: str
    option: str


class Pace(NamedTuple):
    """How fast a family trains here.

    Attributes:
        words_per_second: On a sample of the corpus, without compiling.
        epochs: What `training.default_epochs` says of the corpus.
        seconds: What they take.
    """

    words_per_second: float
    epochs: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What was found in a corpus; plain values.

    Attributes:
        name: What messages call the corpus.
        n_bytes: Of its files, compressed ones as they are; None for a stream.
        n_documents: Documents with words.
        n_lines: Lines with words.
        n_sentences: Estimated from a sample.
        n_tokens: Words.
        n_types: Different words.
        words_per_line: On average.
        words_per_sentence: On average, in the sample.
        longest_line: The characters of the longest line, one without words too.
        longest_line_place: Its file and number, or its record.
        longest_line_begins: Its first characters.
        layout: What lines were taken for.
        layout_reason: Why.
        recognised_layout: What looking at the text alone would take them for.
        lang: The language whose rules end sentences.
        segment: How words were found.
        segment_reason: Why.
        scripts: Shares of the sample's letters.
        markup: Shares of the sample's lines.
        invalid: By file, how many stretches of bytes are not valid in the encoding.
        first_invalid: Where the first of them are: file, line, byte offset.
        encoding: What all of the text is in, where that is not what was asked for; None where it is, where the files
            differ, and where nothing can be told.
        encodings: By file, what it is in, where the files differ.
        undecodable: By file, the share of the characters that are not valid, where that is much and no encoding fits.
        n_duplicate_lines: Lines whose words are those of one before; None where types were pruned, since words that
            differ are one then.
        duplicate_line_words: The share of all words that stand in them.
        n_duplicate_documents: Documents whose lines are those of one before.
        duplicate_document_words: The share of all words that stand in them.
        once: The share of types that occur once.
        rare: The share of words whose types occur fewer than five times.
        long: The share of types longer than 40 letters.
        numbers: The share of types made of digits.
        codes: The share of types that mix letters and digits.
        n_pruned_types: Dropped because there were too many at a time.
        n_pruned_tokens: The words that were of these types.
        remarks: What else training says of the reading: files passed over, named twice, records without text.
        paces: By family.
        threads: That the paces were measured with.
        findings: What to mend.
        command: The training that is advised.
    """

    name: str
    n_bytes: int | None
    n_documents: int
    n_lines: int
    n_sentences: int
    n_tokens: int
    n_types: int
    words_per_line: float
    words_per_sentence: float
    longest_line: int
    longest_line_place: str
    longest_line_begins: str
    layout: str
    layout_reason: str
    recognised_layout: str
    lang: str
    segment: str
    segment_reason: str
    scripts: dict[str, float]
    markup: dict[str, float]
    invalid: dict[str, int]
    first_invalid: tuple[str, ...]
    encoding: str | None
    encodings: dict[str, str]
    undecodable: dict[str, float]
    n_duplicate_lines: int | None
    duplicate_line_words: float | None
    n_duplicate_documents: int | None
    duplicate_document_words: float | None
    once: float
    rare: float
    long: float
    numbers: float
    codes: float
    n_pruned_types: int
    n_pruned_tokens: int
    remarks: tuple[str, ...]
    paces: dict[str, Pace]
    threads: int
    findings: tuple[Finding, ...] = ()
    command: str = ""

    def settings(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        paces = {name: pace._asdict() for name, pace in self.paces.items()}
        return asdict(self) | {"paces": paces, "findings": [finding._asdict() for finding in self.findings]}


def check(
    sources: Any,
    preparation: Preparation | None = None,
    *,
    threads: int | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Inspection:
    """What a corpus holds, what is wrong with it, and how long training on it takes here.

    Bytes that are not valid do not stop it; all else does that would stop training. A corpus without them stays in the
    cache, so that training on it need not read it again.

    Args:
        sources: As of `firth.train`.
        preparation: How it is to be read.
        threads: To measure with; by default all processors that the process may use.
        cache_dir: The cache's place.
        progress: Shows how far the work is.

    Raises:
        FirthError: the corpus cannot be read or has no words.
    """
    preparation = preparation or Preparation()
    progress = progress or Silent()
    n_threads = threads or available_processors()
    names = _names(sources)
    beginning = beginning_of_standard_input() if names is not None and "-" in names else b""
    with _encoded(sources, names, preparation, cache_dir, progress) as (corpus, encoded, first_fault):
        invalid = dict(encoded.faults.invalid)
        if not corpus.longest_line.n_characters:  # it was read before, and lies in the cache
            with progress.stage("looking") as advance:
                for _ in corpus.blocks():
                    advance(corpus.done_bytes / corpus.total_bytes if corpus.total_bytes else None, 0)
        with progress.stage("measuring") as advance:
            families = [FAMILIES[name]() for name in FAMILIES if name not in CONTEXTUAL]
            paces, failures = _paces(families, encoded, n_threads)
            advance(1.0, encoded.n_tokens)
        inspection = Inspection(
            **_counted(corpus, encoded),
            **_seen(corpus.samples(), encoded),
            **guess(corpus, names or [], invalid, preparation, beginning)._asdict(),
            invalid=invalid,
            first_invalid=tuple(_places(invalid, preparation, first_fault)),
            remarks=tuple(_remarks(encoded, preparation)),
            paces=paces,
            threads=n_threads,
        )
        findings = [*_findings(inspection, preparation), *_warnings(inspection, encoded.warnings)]
        is_garbled = inspection.encodings or inspection.undecodable
        if not is_garbled and not any(finding.option.startswith(("--encoding ", "--segment ")) for finding in findings):
            findings += [*_word_findings(inspection, preparation), *failures]  # else these are no words yet
    if inspection.encodings:  # the files will be UTF-8
        preparation = replace(preparation, encoding="utf-8", encoding_errors="strict")
    command = _command(names, preparation, findings, paces, {"--threads": threads, "--cache-dir": cache_dir})
    return replace(inspection, findings=tuple(findings), command=command)


def _names(sources: Any) -> list[str] | None:
    """The paths of a corpus as they were given; None for what Python made."""
    if isinstance(sources, str | os.PathLike):
        return [os.fspath(sources)]
    if isinstance(sources, list | tuple) and sources and all(isinstance(item, os.PathLike) for item in sources):
        return [os.fspath(item) for item in sources]
    return None


@contextmanager
def _encoded(
    sources: Any,
    names: list[str] | None,
    preparation: Preparation,
    cache_dir: str | os.PathLike[str] | None,
    progress: Progress,
) -> Iterator[tuple[Corpus, EncodedCorpus, str]]:
    """The corpus, the same encoded, and what stopped reading it strictly, if that did."""
    preparation = replace(preparation, drop_duplicates="no")  # they are counted here
    lenient = preparation
    if preparation.encoding_errors == "strict" and names is not None:
        lenient = replace(preparation, encoding_errors="replace")
    if names is not None and "-" in names:
        preparation = lenient  # a stream cannot be read again
    first_fault = ""
    with ExitStack() as stack:
        try:
            corpus = corpora.read(sources, preparation)
            corpus.samples()  # of a stream, now is the moment to look at its beginning
            entered = cache.encoded(corpus, None, preparation, cache_dir=cache_dir, progress=progress)
            encoded = stack.enter_context(entered)
        except EncodingError as error:
            if preparation == lenient:
                raise
            first_fault = str(error)
            corpus = corpora.read(sources, lenient)
            folder = stack.enter_context(_passing_folder(cache_dir))
            encoded = stack.enter_context(cache.encoded(corpus, None, lenient, cache_dir=folder, progress=progress))
        yield corpus, encoded, first_fault


def _passing_folder(cache_dir: str | os.PathLike[str] | None) -> tempfile.TemporaryDirectory[str]:
    """A place for what is read with bytes replaced: in the cache's place if one is given."""
    if cache_dir is None:
        return tempfile.TemporaryDirectory(prefix="firth-check-")
    folder = cache.place(cache_dir)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # By this name `firth cache clear` knows what a process left that was killed.
        return tempfile.TemporaryDirectory(prefix=".unfinished-check-", dir=folder)
    except OSError as error:
        shown = printable(str(folder))
        raise FirthError(f"cannot write to the cache {shown}: {error.strerror}; --cache-dir names another") from error


# --- what was read ----------------------------------------------------------------------------------------


def _counted(corpus: Corpus, encoded: EncodedCorpus) -> dict[str, Any]:
    """What the encoded corpus tells, by the fields of an `Inspection`."""
    duplicates = None if encoded.n_pruned_types else count_duplicates(encoded)
    n_types = len(encoded.types) - (encoded.n_pruned_types > 0)
    counts = encoded.counts[:n_types]
    step = -(-n_types // _SAMPLED_TYPES)
    return {
        "name": corpus.name,
        "n_bytes": corpus.total_bytes,
        "n_documents": encoded.n_documents,
        "n_lines": encoded.n_lines,
        "n_tokens": encoded.n_tokens,
        "n_types": n_types,
        "words_per_line": encoded.n_tokens / encoded.n_lines,
        "longest_line": corpus.longest_line.n_characters,
        "longest_line_place": corpus.longest_line.place,
        "longest_line_begins": printable(corpus.longest_line.begins.strip()),
        "layout": encoded.layout,
        "layout_reason": encoded.layout_reason,
        "segment": encoded.segmentation.method,
        "segment_reason": encoded.segmentation_reason,
        "n_duplicate_lines": duplicates and duplicates.n_lines,
        "duplicate_line_words": duplicates and duplicates.line_words / encoded.n_tokens,
        "n_duplicate_documents": duplicates and duplicates.n_documents,
        "duplicate_document_words": duplicates and duplicates.document_words / encoded.n_tokens,
        "n_pruned_types": encoded.n_pruned_types,
        "n_pruned_tokens": encoded.n_pruned_tokens,
        "once": int(np.count_nonzero(counts == 1)) / max(1, n_types),
        "rare": int(counts[counts < _FEW].sum()) / encoded.n_tokens,
        **shapes(encoded.types[place] for place in range(0, n_types, step)),
    }


def _remarks(encoded: EncodedCorpus, preparation: Preparation) -> list[str]:
    """What training says of the reading and an `Inspection` says nowhere else."""
    said = {encoded.layout_reason, *encoded.warnings}
    if preparation.encoding_errors == "strict":  # training will stop at what was replaced here
        said.update(Faults(invalid=encoded.faults.invalid).sentences())
    return [remark for remark in encoded.remarks if remark not in said]


class Duplicates(NamedTuple):
    """What a corpus has more than once, the first of each left out of the count.

    Attributes:
        n_lines: Lines.
        line_words: The words in them.
        n_documents: Documents.
        document_words: The words in them.
    """

    n_lines: int
    line_words: int
    n_documents: int
    document_words: int


def count_duplicates(encoded: EncodedCorpus) -> Duplicates:
    """How many lines and documents have the words of one before, by 64-bit hashes."""
    lines = HashedSequences()
    documents = HashedSequences()
    met_lines, met_documents = HashSet(), HashSet()
    n_lines = line_words = n_documents = document_words = done_lines = done_documents = 0
    for start in range(0, encoded.n_tokens, _TOKENS_AT_ONCE):
        stop = min(start + _TOKENS_AT_ONCE, encoded.n_tokens)
        until_line = int(np.searchsorted(encoded.line_ends, stop, side="right"))
        until_document = int(np.searchsorted(encoded.document_ends, until_line, side="right"))
        line_ends = np.array(encoded.line_ends[done_lines:until_line], dtype=np.int64)
        document_ends = np.array(encoded.document_ends[done_documents:until_document], dtype=np.int64)
        hashes = lines.add(encoded.type_ids[start:stop].astype(np.uint64), line_ends - start)
        again = ~met_lines.add(hashes)
        lengths = _lengths(encoded.line_ends, done_lines, until_line)
        n_lines += int(np.count_nonzero(again))
        line_words += int(lengths[again].sum())
        again = ~met_documents.add(documents.add(hashes, document_ends - done_lines))
        word_ends = encoded.line_ends[document_ends - 1]
        before = int(encoded.line_ends[encoded.document_ends[done_documents - 1] - 1]) if done_documents else 0
        n_documents += int(np.count_nonzero(again))
        document_words += int(np.diff(word_ends, prepend=before)[again].sum())
        done_lines, done_documents = until_line, until_document
    return Duplicates(n_lines, line_words, n_documents, document_words)


def _lengths(ends: npt.NDArray[np.int64], first: int = 0, stop: int | None = None) -> npt.NDArray[np.int64]:
    """How many words the lines from `first` on have."""
    before = int(ends[first - 1]) if first else 0
    return np.diff(ends[first:stop], prepend=before)


def shapes(words: Iterable[str]) -> dict[str, float]:
    """The shares of words that are `long`, `numbers`, or `codes`, which mix letters and digits."""
    counts = dict.fromkeys(("long", "numbers", "codes"), 0)
    n_words = 0
    for word in words:
        n_words += 1
        counts["long"] += len(word) > _LONG_WORD
        if any(map(str.isdigit, word)):
            counts["numbers"] += _NUMBER.fullmatch(word) is not None
            counts["codes"] += _CODE.fullmatch(word) is not None
    return {name: count / max(1, n_words) for name, count in counts.items()}


# --- what the sample shows --------------------------------------------------------------------------------


def _seen(samples: list[str], encoded: EncodedCorpus) -> dict[str, Any]:
    """What some of the text tells, by the fields of an `Inspection`."""
    layout: Any = encoded.layout
    pieces = (layouts.lines(iter([sample]), layout=layout, is_record=False) for sample in samples)
    text = "\n".join("".join(piece) for piece in pieces)
    lang = encoded.preparation.lang or (layouts.language(samples) if samples else "")
    n_words, n_sentences = count_sentences(text, lang, encoded)
    words_per_sentence = n_words / n_sentences if n_sentences else encoded.n_tokens / encoded.n_lines
    scripts = letters_by_script(text)
    return {
        "n_sentences": round(encoded.n_tokens / words_per_sentence),
        "words_per_sentence": words_per_sentence,
        "recognised_layout": layouts.recognised(samples)[0],
        "lang": lang,
        "scripts": {script: count / scripts.total() for script, count in scripts.items()},
        "markup": markup(text.split("\n")),
    }


def count_sentences(text: str, lang: str, encoded: EncodedCorpus) -> tuple[int, int]:
    """How many words `text` has, and how many sentences with words."""
    split = encoded.segmentation.split("".join(layouts.sentences(iter([text + "\n"]), lang)))
    return len(split.starts), int(np.count_nonzero(np.diff(split.line_ends, prepend=0)))


def markup(lines: Iterable[str]) -> dict[str, float]:
    """The shares of the lines with something to see that hold markup of some kind; only kinds that are there."""
    counts: Counter[str] = Counter()
    n_lines = 0
    for line in lines:
        if line and not line.isspace():
            n_lines += 1
            counts.update(name for name, pattern in _MARKUP_PATTERNS.items() if pattern.search(line))
    return {name: count / n_lines for name, count in counts.most_common()}


# --- encodings --------------------------------------------------------------------------------------------


def _places(invalid: Mapping[str, int], preparation: Preparation, first_fault: str) -> Iterator[str]:
    """Where the first invalid bytes of the first files are; `first_fault` is what stopped reading the very first."""
    strict = replace(preparation, encoding_errors="strict")
    for number, name in enumerate(islice(invalid, _MOST_PLACES)):
        fault = first_fault if number == 0 else ""
        if not fault and Path(name).is_file():
            fault = _failure(lambda path=Path(name): sum(map(len, texts_of(path, strict))))  # type: ignore[misc]
        if fault:
            yield fault.partition("; ")[0]


def _failure(work: Callable[[], object]) -> str:
    try:
        work()
    except FirthError as error:
        return str(error)
    return ""


# --- pace -------------------------------------------------------------------------------------------------


def _paces(families: Sequence[Family], encoded: EncodedCorpus, threads: int) -> tuple[dict[str, Pace], list[Finding]]:
    """How fast each family trains on some of the corpus, with the whole vocabulary; and why one cannot."""
    epochs = default_epochs(encoded.n_tokens)
    n_words = min(MEASURED_WORDS, epochs * encoded.n_tokens)
    paces: dict[str, Pace] = {}
    for family in families:
        try:
            pace = words_per_second(family, encoded, n_words, threads)
        except FirthError as error:
            return paces, [Finding(str(error), _option_in(str(error)))]
        paces[family.name] = Pace(pace, epochs, epochs * encoded.n_tokens / pace)
    return paces, []


# --- advice -----------------------------------------------------------------------------------------------


def _findings(found: Inspection, preparation: Preparation) -> Iterator[Finding]:
    """What to mend in how the text is read."""
    yield from _encoding_findings(found, preparation)
    if found.recognised_layout == "wrapped" and found.layout != "wrapped":
        yield Finding("the lines look hard-wrapped: read as lines, windows end in mid-sentence", "--layout wrapped")
    if found.recognised_layout == "lines" and found.layout == "wrapped" and preparation.layout == "wrapped":
        yield Finding("the lines do not look hard-wrapped, and would be joined all the same", "--layout lines")
    if preparation.drop_duplicates == "no":
        yield from _duplicate_findings(found)
    for kind, share in found.markup.items():
        if share >= (_JSON if kind == "JSON" else _MARKUP):
            yield _markup_finding(kind, share)


def _encoding_findings(found: Inspection, preparation: Preparation) -> Iterator[Finding]:
    asked, n_invalid = preparation.encoding, sum(found.invalid.values())
    if found.encodings:
        kinds = list(dict.fromkeys(found.encodings.values()))
        files = "; ".join(
            f"{kind}: {_few([name for name, other in found.encodings.items() if other == kind])}" for kind in kinds
        )
        commands = " or ".join(
            f"`iconv -f {kind} -t utf-8 FILE > NEW`" for kind in kinds if codecs.lookup(kind).name not in UTF8
        )
        yield Finding(
            f"the files are in different encodings ({files}), and no single one reads them all: convert them to UTF-8 "
            f"first, as {commands} does; the figures here are of the garbled text",
            "",
        )
    elif found.encoding is not None:
        invalid = f"{_n(n_invalid, 'stretch', 'es')} of bytes are not valid {asked}, but {found.encoding} reads them"
        yield Finding(
            (invalid if found.invalid else f"the text is {found.encoding} by all appearance, not {asked}")
            + "; the figures here are of the garbled text",
            f"--encoding {found.encoding}",
        )
    if found.undecodable:
        yield Finding(
            f"{max(found.undecodable.values()):.0%} of the characters are not valid {asked} in "
            f"{_few(found.undecodable)}, and {_untold(found)}: replacing what is invalid would leave garbage; name the "
            "encoding of these files, convert them, or leave them out",
            "",
        )
    elif found.invalid and found.encoding is None and not found.encodings and preparation.encoding_errors == "strict":
        yield Finding(
            f"{_n(n_invalid, 'stretch', 'es')} of bytes are not valid {asked}, where training would stop",
            "--encoding-errors replace",
        )


def _untold(found: Inspection) -> str:
    """Why nothing is advised for what cannot be decoded."""
    if set(found.undecodable) == {STANDARD_INPUT}:
        return "no encoding can be told from its first bytes"
    return "no encoding known here fits"


def _warnings(found: Inspection, warnings: Iterable[str]) -> Iterator[Finding]:
    """The warnings of a segmentation; what they name is advised where the text is in a script that it is for."""
    unspaced = sum(found.scripts.get(script, 0.0) for script in WITHOUT_SPACES)
    for warning in warnings:
        yield Finding(warning, _option_in(warning) if unspaced >= _LEAST_UNSPACED else "")


def _word_findings(found: Inspection, preparation: Preparation) -> Iterator[Finding]:
    if found.layout != "wrapped" and found.words_per_line < _LEAST_WORDS_A_LINE:
        can_be_joined = found.n_lines >= _LEAST_LINES_A_DOCUMENT * found.n_documents  # no document is joined to another
        yield Finding(
            f"a line has {found.words_per_line:.1f} words on average, and windows end where it ends",
            "--layout wrapped" if can_be_joined else "",
        )
    if found.long >= _LONG_WORDS:
        yield Finding(
            f"{found.long:.0%} of the types are longer than {_LONG_WORD} letters: encoded data, addresses, or words "
            "that nothing parted",
            "--segment words" if found.segment == "space" else "",
        )
    if found.numbers + found.codes >= _NUMBERS and preparation.digits == "keep":
        yield Finding(
            f"{found.numbers:.0%} of the types are numbers, and {found.codes:.0%} mix letters and digits",
            "--digits zero",
        )
    if found.once >= _ONCE and found.n_types >= _TYPES_FOR_ONCE:
        yield Finding(
            f"{found.once:.0%} of the types occur once, as in text with many misspellings, names or codes; a word "
            "that occurs fewer than 5 times gets no vector in any case",
            "",
        )
    if found.n_types > _MOST_TYPES:
        yield Finding(f"{found.n_types:,} types take a gigabyte or more to count", f"--max-types {_MOST_TYPES}")


def _duplicate_findings(found: Inspection) -> Iterator[Finding]:
    if found.n_duplicate_lines is None or found.duplicate_line_words is None:
        return
    line_words, document_words = found.duplicate_line_words, found.duplicate_document_words or 0.0
    if found.n_duplicate_documents and document_words >= _DUPLICATE_DOCUMENTS:
        yield Finding(
            f"{_n(found.n_duplicate_documents, 'document')} ({document_words:.1%} of the words) came before",
            "--drop-duplicates documents",
        )
        line_words -= document_words  # whose lines go with them
    if line_words >= _DUPLICATE_LINES:
        yield Finding(
            f"{_n(found.n_duplicate_lines, 'line')} ({found.duplicate_line_words:.1%} of the words) came before",
            "--drop-duplicates lines",
        )


def _markup_finding(kind: str, share: float) -> Finding:
    if kind == "JSON":
        return Finding(
            f"{share:.0%} of the lines look like JSON: in files named .jsonl, --field says which one holds the text", ""
        )
    return Finding(f"{share:.0%} of the lines hold {kind}, whose words would be trained on: take them out first", "")


def _option_in(message: str) -> str:
    """The first option that a message names with a value; empty where there is none."""
    found = re.search(r"--[a-z][a-z-]* [a-z0-9.]+", message)
    return found[0] if found else ""


def _command(
    names: list[str] | None,
    preparation: Preparation,
    findings: Iterable[Finding],
    paces: Mapping[str, Pace],
    others: Mapping[str, Any],
) -> str:
    """The training that is advised: what was asked for (of `others`: all but None), and what mends what was found."""
    family = advised_family(paces)
    options: dict[str, str] = {}
    default = Preparation()
    for field in fields(Preparation):
        value = getattr(preparation, field.name)
        if value != getattr(default, field.name):
            shown = ",".join(value) if isinstance(value, tuple) else str(value)
            options[f"--{field.name.replace('_', '-')}"] = "" if value is True else shown
    options |= {name: str(value) for name, value in others.items() if value is not None}
    for finding in findings:
        if finding.option:
            name, _, value = finding.option.partition(" ")
            options[name] = value
    stem = Path((names or ["corpus"])[0]).name.partition(".")[0]
    output = f"{stem if stem.isidentifier() else 'corpus'}-{family}"
    words = ["firth", "train", family, *(names or ["CORPUS"]), "-o", output]
    for name, value in options.items():
        if value.startswith("-"):  # it would be taken for an option
            words.append(f"{name}={value}")
        else:
            words += [name, value] if value else [name]
    return shlex.join(words)


def advised_family(paces: Mapping[str, Pace]) -> str:
    """Skip-gram, which learns most from a word, unless it takes more than an hour and another one less time."""
    slow = "skipgram" in paces and paces["skipgram"].seconds > _PATIENCE_SECONDS
    return min(paces, key=lambda name: paces[name].seconds) if slow else "skipgram"


# --- on a terminal ----------------------------------------------------------------------------------------


def report(found: Inspection) -> list[str]:
    """Lines of text that tell all of it, the command last."""
    size = "" if found.n_bytes is None else f" ({found.n_bytes / 1e6:,.1f} MB)"
    layout = f" ({found.layout_reason})" if found.layout_reason else ""
    segment = f" ({found.segment_reason})" if found.segment_reason else ""
    rows = [
        ("corpus", f"{found.name}{size}"),
        ("documents", f"{found.n_documents:,}"),
        ("lines", f"{found.n_lines:,} of {found.words_per_line:.1f} words on average"),
        (
            "longest line",
            f"{_n(found.longest_line, 'character')}, in {found.longest_line_place}"
            + (f": {found.longest_line_begins}" if found.longest_line_begins else "")
            + (" ..." if found.longest_line > len(found.longest_line_begins) else ""),
        ),
        (
            "sentences",
            f"about {found.n_sentences:,} of {found.words_per_sentence:.1f} words (estimated from a sample, by the "
            f"rules of {found.lang})"
            if found.lang
            else "taken to be the lines",
        ),
        ("words", f"{found.n_tokens:,}, found by {found.segment}{segment}"),
        (
            "types",
            f"{found.n_types:,}, {found.once:.0%} of which occur once; {found.rare:.1%} of the words are of types that "
            f"occur fewer than {_FEW} times",
        ),
        ("layout", f"{found.layout}{layout}"),
        ("scripts", _shares(found.scripts, "the letters")),
        ("markup", _shares(found.markup, "the lines")),
        ("duplicates", _duplicates(found)),
        ("invalid bytes", _invalid(found)),
    ]
    lines = [f"{label:<14} {text}" for label, text in rows]
    lines += [f"{'':<14} {place}" for place in found.first_invalid]
    if found.remarks:
        lines += ["", "Of the reading:", *(f"- {remark}" for remark in found.remarks)]
    if found.findings:
        lines += ["", "To mend:"]
        for finding in found.findings:
            is_named = not finding.option or finding.option in finding.message
            lines.append(f"- {finding.message}" + ("" if is_named else f": {finding.option}"))
    if found.paces:
        lines += ["", f"Training here, on {_n(found.threads, 'thread')}:"]
        for name, pace in found.paces.items():
            lines.append(
                f"- {name}: {pace.words_per_second:,.0f} words/s, so {_n(pace.epochs, 'epoch')} in about "
                f"{duration(pace.seconds)}"
            )
    return [*lines, "", found.command]


def duration(seconds: float) -> str:
    """Seconds in the units that people use."""
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    if seconds < 3600:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"


def _duplicates(found: Inspection) -> str:
    if found.n_duplicate_lines is None or found.n_duplicate_documents is None:
        return "cannot be told, since the rarest types were dropped (--max-types)"
    return (
        f"{_n(found.n_duplicate_lines, 'line')} ({found.duplicate_line_words:.1%} of the words), "
        f"{_n(found.n_duplicate_documents, 'document')} ({found.duplicate_document_words:.1%})"
    )


def _few(names: Collection[str]) -> str:
    return ", ".join(islice(names, _MOST_PLACES)) + (", ..." if len(names) > _MOST_PLACES else "")


def _invalid(found: Inspection) -> str:
    if not found.invalid:
        return "none"
    return f"{_n(sum(found.invalid.values()), 'stretch', 'es')} in {_n(len(found.invalid), 'file')}" + (
        ", the first here:" if found.first_invalid else ""
    )


def _shares(shares: Mapping[str, float], whole: str) -> str:
    shown = [f"{name} {share:.1%}" for name, share in shares.items() if share >= 0.0005]
    return f"{', '.join(shown)} of {whole}" if shown else "none"


def _n(number: int, noun: str, ending: str = "s") -> str:
    return f"{number:,} {noun}{'' if number == 1 else ending}"
