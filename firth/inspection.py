"""`firth check`: what a corpus holds, what is wrong with it, and how long training on it takes here.

The text is read once, by the encoder that training uses; what it wrote and a sample of the text tell the rest.
"""

import json
import os
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np

from firth import advice, cache
from firth import corpus as corpora
from firth import layout as layouts
from firth.corpus import Corpus
from firth.cutting import available_processors
from firth.diagnosis import beginning_of_standard_input, guess, texts_of
from firth.duplicates import count_duplicates
from firth.errors import EncodingError, FirthError
from firth.faults import Faults
from firth.files import printable
from firth.findings import Finding, Inspection
from firth.model import FAMILIES
from firth.paces import pieces_paces, words_paces
from firth.preparation import Preparation
from firth.progress import Advance, Progress, Silent
from firth.reports import RARE
from firth.scripts import letters_by_script
from firth.static_training import default_epochs, words_per_second
from firth.tokens import EncodedCorpus

_MOST_PLACES: Final = 3  # of faults, that are told
_TRIED_WORDS: Final = 200_000  # left of a corpus: with more, training succeeds
_TRIED_OF_LARGE: Final = 10  # times as many are read again for it
_TRIED_TOKENS: Final = 20_000
_MOST_BYTES_AGAIN: Final = 1 << 27  # of a corpus that is read again to try what is advised, up to three times
_MOST_TOKENS_AGAIN: Final = 20_000_000  # of the same, which may be compressed
_MOST_TRIALS: Final = 3
_SAMPLED_TYPES: Final = 200_000
_WORDS_SHOWN: Final = 100_000  # of a corpus of ready words, that pieces are learnt from

_MARKUP_PATTERNS: Final = {
    "HTML tags": re.compile(  # programs write <none> and <module> too: a tag ends, has attributes, or a name of HTML's
        r"</[a-z][^<>]{0,200}>|<[a-z][\w:-]*\s[^<>]{0,200}=[^<>]{0,200}>|<(?:p|br|hr|[abiu]|em|strong|div|span|h[1-6]|"
        r"[uod]l|li|d[td]|table|t[rdh]|tbody|thead|body|head|html|title|pre|code|blockquote|center|su[bp]|font)\s*/?>",
        re.IGNORECASE,
    ),
    "HTML entities": re.compile(r"&(?:[a-zA-Z]{2,8}|#\d{1,6}|#x[0-9a-fA-F]{1,5});"),
    "wiki markup": re.compile(r"\[\[|\{\{|'''|^==.*==\s*$|^\{\|"),
    "Markdown": re.compile(r"^#{1,6} |\]\(\S+\)|\*\*\S|^```|^[*+-] "),
    "URLs": re.compile(r"https?://|\bwww\.\w"),
    "JSON": re.compile(r'^\s*\{\s*".*\}\s*$'),
}
_NUMBER: Final = re.compile(r"\d+")
_CODE: Final = re.compile(r"(?=.*\d)(?=.*[^\W\d_])\w+")  # a2f9, 3d0, abc123


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
                    advance(corpus.done_share, 0)
        texts = _laid_out(corpus.samples(), encoded)
        with progress.stage("measuring") as advance:
            paces, failures = words_paces(encoded, n_threads)
            advance(0.5, 0)
            of_pieces, unmeasured = pieces_paces(texts or _words_as_text(encoded), encoded, n_threads)
            advance(1.0, encoded.n_tokens)
        inspection = Inspection(
            **_counted(corpus, encoded),
            **_seen(corpus.samples(), texts, encoded),
            **guess(corpus, names or [], invalid, preparation, beginning)._asdict(),
            invalid=invalid,
            first_invalid=tuple(_places(invalid, preparation, first_fault)),
            remarks=tuple(_remarks(encoded, preparation)),
            paces=paces,
            pieces_paces=of_pieces,
            unmeasured=unmeasured,
            threads=n_threads,
        )
        findings = advice.findings(inspection, preparation, encoded.cautions, failures)
    if inspection.encodings and preparation.encoding_errors == "strict":
        with progress.stage("trying what is advised"):
            findings += tuple(_still_invalid(inspection, preparation, findings))
    can_be_trained = not (inspection.undecodable and preparation.encoding_errors == "strict")
    if can_be_trained and names is not None and _is_to_be_tried(inspection, names, findings):
        with progress.stage("trying what is advised"):
            findings, can_be_trained = _tried(sources, preparation, findings, cache_dir)
    elif failures:
        can_be_trained = can_be_trained and all(failure.option for failure in failures)
    findings = tuple(dict.fromkeys(findings))
    if not can_be_trained:
        return replace(inspection, findings=findings)
    if inspection.encodings and not any(finding.option.startswith("--encoding ") for finding in findings):  # converted
        preparation = replace(preparation, encoding="utf-8", encoding_errors="strict")
    others = {"--threads": threads, "--cache-dir": cache_dir}
    return replace(inspection, findings=findings, command=advice.command(names, preparation, findings, paces, others))


def _still_invalid(found: Inspection, preparation: Preparation, findings: tuple[Finding, ...]) -> Iterator[Finding]:
    """What stops reading files by the encodings that are advised, which were told from parts of them."""
    advised, _ = advice.as_advised(preparation, findings)
    if len(advised.encodings) < 2 or not _is_read_again_soon(found):
        return
    for name in found.encodings:
        try:
            for _ in texts_of(Path(name), advised):
                pass
        except EncodingError as error:
            yield Finding(f"read as is advised: {error}", "--encoding-errors replace")
            return
        except FirthError:  # which training says
            continue


def _is_read_again_soon(found: Inspection) -> bool:
    return (found.n_bytes or 0) <= _MOST_BYTES_AGAIN and found.n_tokens <= _MOST_TOKENS_AGAIN


def _is_to_be_tried(found: Inspection, names: list[str], findings: Sequence[Finding]) -> bool:
    """Whether so little is there, or left by what is advised, that training may fail, and reading it again is cheap."""
    changing = [
        finding for finding in findings if finding.option and not finding.option.startswith("--encoding-errors")
    ]
    if "-" in names or found.encodings or not changing or not _is_read_again_soon(found):
        return False
    left = found.n_tokens * (1 - (found.duplicate_line_words or 0.0))
    return min(left, found.n_tokens / _TRIED_OF_LARGE) <= _TRIED_WORDS


def _tried(
    sources: Any,
    preparation: Preparation,
    findings: tuple[Finding, ...],
    cache_dir: str | os.PathLike[str] | None,
) -> tuple[tuple[Finding, ...], bool]:
    """What is to be mended, with what came of training Skip-gram as is advised; and whether it succeeds at last."""
    for _ in range(_MOST_TRIALS):
        advised, others = advice.as_advised(preparation, findings)
        try:
            corpus = corpora.read(sources, advised)
            with (
                _passing_folder(cache_dir) as folder,
                cache.encoded(corpus, None, advised, cache_dir=folder, progress=Silent()) as encoded,
            ):
                n_tokens = min(_TRIED_TOKENS, default_epochs(encoded.n_tokens) * encoded.n_tokens)
                words_per_second(FAMILIES["skipgram"](**others), encoded, n_tokens, 1)
            return findings, True
        except FirthError as error:
            why = Finding(f"read as is advised: {error}", error.option)
            if not why.option or any(finding.option == why.option for finding in findings):
                is_new = all(finding.message != str(error) for finding in findings)
                return (*findings, why._replace(option="")) if is_new else findings, False
            name = why.option.partition(" ")[0]
            findings = (*(finding for finding in findings if not finding.option.startswith(name)), why)
    return findings, False


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
    preparation = preparation.completed(cased=False, punctuation=False)  # as for the family that is advised
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
            passing = _Stages(progress)
            encoded = stack.enter_context(cache.encoded(corpus, None, lenient, cache_dir=folder, progress=passing))
        yield corpus, encoded, first_fault


class _Stages(Silent):
    """Shows the stages alone: nobody needs to be told of a cache that is gone at the end."""

    def __init__(self, progress: Progress) -> None:
        """The stages of `progress`."""
        self._progress = progress

    @contextmanager
    def stage(self, name: str, *, fraction: float = 0.0, words: int = 0) -> Iterator[Advance]:
        """A stage of `progress`."""
        with self._progress.stage(name, fraction=fraction, words=words) as advance:
            yield advance


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
        "are_duplicates_exact": duplicates is not None and duplicates.is_exact,
        "n_pruned_types": encoded.n_pruned_types,
        "n_pruned_tokens": encoded.n_pruned_tokens,
        "once": int(np.count_nonzero(counts == 1)) / max(1, n_types),
        "rare": int(counts[counts < RARE].sum()) / encoded.n_tokens,
        **shapes(encoded.types[place] for place in range(0, n_types, step)),
    }


def _remarks(encoded: EncodedCorpus, preparation: Preparation) -> list[str]:
    """What training says of the reading and an `Inspection` says nowhere else."""
    said = {encoded.layout_reason, *(caution.message for caution in encoded.cautions)}
    if preparation.encoding_errors == "strict":  # training will stop at what was replaced here
        said.update(Faults(invalid=encoded.faults.invalid).sentences())
    return [remark for remark in encoded.remarks if remark not in said]


def shapes(words: Iterable[str]) -> dict[str, float]:
    """The shares of words that are `long`, `numbers`, or `codes`, which mix letters and digits."""
    counts = dict.fromkeys(("long", "numbers", "codes"), 0)
    n_words = 0
    for word in words:
        n_words += 1
        counts["long"] += len(word) > advice.LONG_WORD
        if any(map(str.isdigit, word)):
            counts["numbers"] += _NUMBER.fullmatch(word) is not None
            counts["codes"] += _CODE.fullmatch(word) is not None
    return {name: count / max(1, n_words) for name, count in counts.items()}


# --- what the sample shows --------------------------------------------------------------------------------


def _laid_out(samples: list[str], encoded: EncodedCorpus) -> list[str]:
    """The samples, in which a line is a paragraph or a sentence as it is in training."""
    layout: Any = encoded.layout
    return ["".join(layouts.lines(iter([sample]), layout=layout, is_record=False)) for sample in samples]


def _words_as_text(encoded: EncodedCorpus) -> list[str]:
    """The first lines of a corpus of ready words, with spaces between."""
    n_lines = max(1, int(np.searchsorted(encoded.line_ends, _WORDS_SHOWN, side="right")))
    ends = encoded.line_ends[:n_lines].tolist()
    words = [encoded.types[type_id] for type_id in encoded.type_ids[: ends[-1]].tolist()]
    return ["".join(" ".join(words[start:end]) + "\n" for start, end in pairwise([0, *ends]))]


def _seen(samples: list[str], texts: list[str], encoded: EncodedCorpus) -> dict[str, Any]:
    """What some of the text tells, by the fields of an `Inspection`."""
    text = "\n".join(texts)
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
        "text_field": text_field(text.split("\n")),
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


def text_field(lines: Iterable[str]) -> str:
    """The field of the lines that are JSON objects which holds most text; empty where there is none."""
    n_characters: Counter[str] = Counter()
    for line in lines:
        if _MARKUP_PATTERNS["JSON"].search(line):
            with suppress(ValueError, RecursionError):
                record = json.loads(line)
                n_characters.update({name: len(text) for name, text in record.items() if isinstance(text, str)})
    return max(n_characters, key=lambda name: n_characters[name], default="")


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
