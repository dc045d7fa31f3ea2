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
from contextlib import ExitStack, contextmanager, suppress
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
from firth.errors import EncodingError, FirthError, UsageError
from firth.families.family import Family
from firth.files import printable
from firth.model import FAMILIES
from firth.preparation import Preparation
from firth.progress import Progress, Silent
from firth.sources import Faults, Sources, find
from firth.tokens import EncodedCorpus
from firth.training import default_epochs, words_per_second

MEASURED_WORDS: Final = 300_000
"""How many words of the corpus are trained on, at most, to measure the pace of a family."""

_MOST_PLACES: Final = 3  # of faults, that are told
_FEW: Final = 5  # a word as rare as training's default leaves out
_SAMPLED_TYPES: Final = 200_000
_TOKENS_AT_ONCE: Final = 1 << 22
_SHOWN_WORDS: Final = 8
_PRUNED: Final = "\N{HORIZONTAL ELLIPSIS}"  # shown for a word whose type was dropped
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

_ENCODINGS: Final = ("gb18030", "big5", "shift_jis", "euc-jp", "euc-kr", "cp1251", "cp1252")
_FREQUENT_CHARACTERS: Final = frozenset(
    "的一是不了在人有我他这個们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事成方多经么去"
    "這们們來為國說時會對於著過發後裡種經麼開學現當無還進樣從點長問沒見動話給讓，。、“”：；！？「」（）《》"
    "のにはをたがでてとしれさあるいなもられらからこくまっすりんアイスルンート"
    "이다는에을를의가고하은로한지도기사서리나인시어아자있대그해"
    "абвгдежзийклмнопрстуфхцчшщыьэюяё"
    "àáâãäåæçèéêëìíîïñòóôõöøùúûüßœ‘’–—…«»°§"
)
_LEAST_ORDINARY: Final = 0.25  # of the characters beyond ASCII: those that are frequent in some language
_LEAST_INVALID: Final = 10  # stretches: from fewer, no encoding can be told
_BROKEN: Final = 0.05  # of them: with fewer invalid ones, the encoding is right, and some bytes are broken
_MOST_BROKEN: Final = 0.01  # of the text: with more, replacing what is invalid leaves garbage
_LEAST_BEYOND_ASCII: Final = 3  # characters: fewer may be valid UTF-8 by chance
_UTF8: Final = ("utf-8", "utf-8-sig")
_READ_ANYTHING: Final = ("iso8859-1", "iso8859-15", "cp1252")
_PROBED_CHARACTERS: Final = 1 << 20  # in all files together, and at most so many in each and so few:
_PROBED_OF_A_FILE: Final = (1 << 12, 1 << 17)
_SEARCHED_CHARACTERS: Final = 1 << 26
_LEAST_SEARCHED: Final = 1 << 20
_PROBED_FILES: Final = 64  # with invalid bytes
_PROBED_OTHER_FILES: Final = 1000
_UNSPACED: Final = ("Han", "kana", "Thai", "Lao", "Burmese", "Khmer")
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
        longest_line: Its words.
        longest_line_number: Which it is of the lines with words, from 1 on.
        longest_line_begins: Its first words.
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
    longest_line_number: int
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
    with _encoded(sources, names, preparation, cache_dir, progress) as (corpus, encoded, first_fault):
        invalid = dict(encoded.faults.invalid)
        with progress.stage("measuring") as advance:
            paces, failures = _paces([family() for family in FAMILIES.values()], encoded, n_threads)
            advance(1.0, encoded.n_tokens)
        inspection = Inspection(
            **_counted(corpus, encoded),
            **_seen(corpus.samples(), encoded),
            **_found_encodings(corpus, names or [], invalid, preparation),
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
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="firth-check-"))
            encoded = stack.enter_context(cache.encoded(corpus, None, lenient, cache_dir=folder, progress=progress))
        yield corpus, encoded, first_fault


# --- what was read ----------------------------------------------------------------------------------------


def _counted(corpus: Corpus, encoded: EncodedCorpus) -> dict[str, Any]:
    """What the encoded corpus tells, by the fields of an `Inspection`."""
    lengths = _lengths(encoded.line_ends)
    longest = int(lengths.argmax())
    start = int(encoded.line_ends[longest]) - int(lengths[longest])
    begins = encoded.type_ids[start : start + min(_SHOWN_WORDS, int(lengths[longest]))]
    words = [encoded.types[type_id] for type_id in begins.tolist()]
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
        "longest_line": int(lengths[longest]),
        "longest_line_number": longest + 1,
        "longest_line_begins": printable(" ".join(word or _PRUNED for word in words)),
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
    scripts = layouts.scripts(text)
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
            fault = _failure(lambda path=Path(name): sum(map(len, _texts(path, strict))))  # type: ignore[misc]
        if fault:
            yield fault.partition("; ")[0]


def _failure(work: Callable[[], object]) -> str:
    try:
        work()
    except FirthError as error:
        return str(error)
    return ""


def _texts(path: Path, preparation: Preparation) -> Iterator[str]:
    """The pieces of a file's text."""
    preparation = replace(preparation, keep_from_name=None)
    try:
        found = find(path, preparation)
    except UsageError:  # other files have the columns that were asked for
        found = find(path, replace(preparation, field=Preparation.field, keep=()))
    if isinstance(found, Sources):
        for unit in found.units():
            yield from unit.texts


def _found_encodings(
    corpus: Corpus, names: list[str], invalid: Mapping[str, int], preparation: Preparation
) -> dict[str, Any]:
    """What the files seem to be in, by the fields of an `Inspection`."""
    undecodable = {
        name: n_invalid / max(1, corpus.done_bytes)  # of standard input, which cannot be looked at again
        for name, n_invalid in invalid.items()
        if not Path(name).is_file()
    }
    others: dict[str, str] = {}
    right: list[str] = []
    if invalid or not _is_utf8(preparation):
        shown, faulty = _files(corpus, names, invalid)
        clean = [path for path in shown if path not in faulty]
        faulty, clean = _spread(faulty, _PROBED_FILES), _spread(clean, _PROBED_OTHER_FILES)
        n_files = max(1, len(faulty) + len(clean))
        for path in faulty:
            encoding, share, is_beyond_ascii = _fitting_encoding(path, preparation, n_files)
            if encoding is not None:
                others[shown[path]] = encoding
            elif share > _MOST_BROKEN:
                undecodable[shown[path]] = share
            elif is_beyond_ascii:
                right.append(shown[path])
        for path in clean:
            encoding = _other_encoding(path, preparation, n_files)
            if encoding is not None:
                others[shown[path]] = encoding
            elif _probe(path, preparation, n_files):
                right.append(shown[path])
    undecodable = {name: share for name, share in undecodable.items() if share > _MOST_BROKEN}
    is_one = len(set(others.values())) == 1 and not right and not undecodable
    return {
        "encoding": next(iter(others.values())) if is_one else None,
        "encodings": others | dict.fromkeys(right, preparation.encoding) if others and not is_one else {},
        "undecodable": undecodable,
    }


def _is_utf8(preparation: Preparation) -> bool:
    return codecs.lookup(preparation.encoding).name in _UTF8


def _files(corpus: Corpus, names: list[str], invalid: Mapping[str, int]) -> tuple[dict[Path, str], list[Path]]:
    """The files that an encoding is for, with the names that messages call them; and those that have invalid bytes."""
    faulty = {Path(name).resolve(): name for name in invalid if Path(name).is_file()}
    given = {Path(name).resolve(): Path(name) for name in names}
    shown = dict(faulty)
    for identity in corpus.identity() or []:
        path = Path(identity[0])
        if ".parquet" not in path.name.lower() and path not in shown:
            place = next((place for place in (path, *path.parents) if place in given), None)
            shown[path] = printable(str(path if place is None else given[place] / path.relative_to(place)))
    return shown, list(faulty)


def _spread(paths: list[Path], most: int) -> list[Path]:
    """At most so many, from everywhere in `paths`."""
    return paths[:: max(1, -(-len(paths) // most))]


def _fitting_encoding(path: Path, preparation: Preparation, n_files: int) -> tuple[str | None, float, bool]:
    """What a file with invalid bytes seems to be in; how much of it is invalid; whether the rest is beyond ASCII.

    The first is None where the encoding that was asked for is the right one, and some bytes are broken, or where none
    fits.
    """
    if not _is_utf8(preparation) and _reads_as_utf8(path, preparation, n_files):
        return "utf-8", 0.0, True
    probe, share = _faulty_probe(path, replace(preparation, encoding_errors="replace"), n_files)
    n_broken, n_beyond = probe.count("\ufffd"), _n_beyond_ascii(probe)
    if n_broken >= max(_LEAST_INVALID, _BROKEN * n_beyond):
        best = _most_ordinary(path, preparation, n_files)
        if best is not None:
            return best, share, True
    return None, share, n_beyond > n_broken


def _other_encoding(path: Path, preparation: Preparation, n_files: int) -> str | None:
    """What a file without invalid bytes seems to be in, if not in what was asked for."""
    if _is_utf8(preparation):
        return None
    if _reads_as_utf8(path, preparation, n_files):
        return "utf-8"
    if codecs.lookup(preparation.encoding).name not in _READ_ANYTHING:
        return None
    probe = _probe(path, preparation, n_files)
    is_told = _n_beyond_ascii(probe) >= _LEAST_INVALID and ordinariness(probe) < _LEAST_ORDINARY
    return _most_ordinary(path, preparation, n_files) if is_told else None


def _most_ordinary(path: Path, preparation: Preparation, n_files: int) -> str | None:
    """The encoding in which a file reads most like text in some language."""
    scores = {}
    for encoding in _ENCODINGS:
        with suppress(FirthError):
            strict = replace(preparation, encoding=encoding, encoding_errors="strict")
            scores[encoding] = ordinariness(_probe(path, strict, n_files))
    best = max(scores, key=lambda name: scores[name], default=None)
    return best if best is not None and scores[best] >= _LEAST_ORDINARY else None


def _reads_as_utf8(path: Path, preparation: Preparation, n_files: int) -> bool:
    """Whether a file has characters beyond ASCII that are valid UTF-8, as text in other encodings hardly ever is."""
    try:
        probe = _probe(path, replace(preparation, encoding="utf-8", encoding_errors="replace"), n_files)
    except FirthError:
        return False
    n_beyond = _n_beyond_ascii(probe)
    return n_beyond >= _LEAST_BEYOND_ASCII and probe.count("\ufffd") <= _MOST_BROKEN * n_beyond


def _n_beyond_ascii(text: str) -> int:
    return sum(char > "\x7f" for char in text)


def _sizes(n_files: int) -> tuple[int, int]:
    """How many characters of each of so many files are looked at, and among how many they are searched."""
    least, most = _PROBED_OF_A_FILE
    return min(most, max(least, _PROBED_CHARACTERS // n_files)), max(_LEAST_SEARCHED, _SEARCHED_CHARACTERS // n_files)


def _probe(path: Path, preparation: Preparation, n_files: int) -> str:
    """Some text of a file, from the first piece on that is not ASCII; empty where there is none."""
    n_wanted, n_searched = _sizes(n_files)
    probe: list[str] = []
    for text in _texts(path, preparation):
        n_searched -= len(text)
        if probe or not text.isascii():
            probe.append(text[:n_wanted])
            n_wanted -= len(text)
        if n_wanted <= 0 or n_searched <= 0:
            break
    return "".join(probe)


def _faulty_probe(path: Path, preparation: Preparation, n_files: int) -> tuple[str, float]:
    """Some text of a file, from the first piece with an invalid byte on; and how much of the file is invalid."""
    n_wanted, n_searched = _sizes(n_files)
    n_read = n_broken = 0
    probe: list[str] = []
    for text in _texts(path, preparation):
        n_read += len(text)
        n_broken += text.count("\ufffd")
        if n_broken and n_wanted > 0:
            probe.append(text[:n_wanted])
            n_wanted -= len(text)
        if n_read >= n_searched:
            break
    return "".join(probe), n_broken / max(1, n_read)


def ordinariness(text: str) -> float:
    """The share of the characters beyond ASCII that are frequent in some language, and not odd where they stand."""
    n_beyond = n_ordinary = 0
    for before, char, after in zip(" " + text, text, text[1:] + " ", strict=False):
        if char > "\x7f":
            n_beyond += 1
            is_beside_latin = (before + after).isascii() and (before + after).strip().isalpha()
            is_amid_others = before > "\x7f" and after > "\x7f"
            is_odd = is_beside_latin if "\u0400" <= char <= "\u04ff" else is_amid_others and char <= "\u0153"
            n_ordinary += char in _FREQUENT_CHARACTERS and not is_odd
    return n_ordinary / max(1, n_beyond)


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
    if found.recognised_layout == "wrapped" and found.layout == "lines":
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
            f"`iconv -f {kind} -t utf-8 FILE > NEW`" for kind in kinds if codecs.lookup(kind).name not in _UTF8
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
            f"{_few(found.undecodable)}, and no encoding known here fits: replacing them would leave garbage; name the "
            "encoding of these files, convert them, or leave them out",
            "",
        )
    elif found.invalid and found.encoding is None and not found.encodings and preparation.encoding_errors == "strict":
        yield Finding(
            f"{_n(n_invalid, 'stretch', 'es')} of bytes are not valid {asked}, where training would stop",
            "--encoding-errors replace",
        )


def _warnings(found: Inspection, warnings: Iterable[str]) -> Iterator[Finding]:
    """The warnings of a segmentation; what they name is advised where the text is in a script that it is for."""
    unspaced = sum(found.scripts.get(script, 0.0) for script in _UNSPACED)
    for warning in warnings:
        yield Finding(warning, _option_in(warning) if unspaced >= _LEAST_UNSPACED else "")


def _word_findings(found: Inspection, preparation: Preparation) -> Iterator[Finding]:
    if found.layout == "lines" and found.words_per_line < _LEAST_WORDS_A_LINE:
        yield Finding(
            f"a line has {found.words_per_line:.1f} words on average, and windows end where it ends", "--layout wrapped"
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
    if found.n_duplicate_documents and (found.duplicate_document_words or 0.0) >= _DUPLICATE_DOCUMENTS:
        yield Finding(
            f"{_n(found.n_duplicate_documents, 'document')} ({found.duplicate_document_words:.1%} of the words) "
            "came before",
            "--drop-duplicates documents",
        )
    elif found.duplicate_line_words >= _DUPLICATE_LINES:
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
    """The first option that a message names, with its value."""
    found = re.search(r"--[a-z][a-z-]*(?: [a-z0-9.]+)?", message)
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
            f"number {found.longest_line_number:,}, {_n(found.longest_line, 'word')}: {found.longest_line_begins}"
            + (" ..." if found.longest_line > _SHOWN_WORDS else ""),
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
