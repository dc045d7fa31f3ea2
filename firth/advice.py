"""What `firth check` advises: what to mend in a corpus or its reading, and the training to begin with."""

import codecs
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final

from firth.diagnosis import STANDARD_INPUT, UTF8
from firth.files import printable
from firth.findings import Finding, Inspection, Pace
from firth.preparation import Preparation, kinds_of_markup
from firth.progress import plural
from firth.reports import few
from firth.scripts import WITHOUT_SPACES
from firth.segmentation import Caution

LONG_WORD: Final = 40
"""Letters; a word that is longer is hardly one."""

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
_LEAST_UNSPACED: Final = 0.01  # of the letters
_MOST_UNTOLD: Final = 3  # files, each with a finding
_DROPPED_AS: Final = {  # what of `--drop` takes it out
    "HTML tags": "html",
    "HTML entities": "html",
    "wiki markup": "wiki",
    "Markdown": "markdown",
    "URLs": "urls",
}


def findings(
    found: Inspection, preparation: Preparation, cautions: Iterable[Caution], failures: Iterable[Finding]
) -> tuple[Finding, ...]:
    """What to mend in a corpus, or in how it is read.

    Args:
        found: What there is.
        preparation: How it was read.
        cautions: Of the segmentation.
        failures: What kept families from being trained.
    """
    mended = [*_reading_findings(found, preparation), *_script_findings(found, cautions)]
    is_garbled = found.encodings or found.undecodable
    are_words = not any(finding.option.startswith(("--encoding ", "--segment ", "--field ")) for finding in mended)
    if not is_garbled and are_words:
        mended += [*_word_findings(found, preparation), *failures]
    return tuple(mended)


def _reading_findings(found: Inspection, preparation: Preparation) -> Iterator[Finding]:
    yield from _encoding_findings(found, preparation)
    if found.recognised_layout == "wrapped" and found.layout != "wrapped":
        yield Finding("the lines look hard-wrapped: read as lines, windows end in mid-sentence", "--layout wrapped")
    if found.recognised_layout == "lines" and found.layout == "wrapped" and preparation.layout == "wrapped":
        yield Finding("the lines do not look hard-wrapped, and would be joined all the same", "--layout lines")
    if preparation.drop_duplicates == "no":
        yield from _duplicate_findings(found)
    for kind, share in found.markup.items():
        if kind == "JSON" and share >= _JSON:
            yield _json_finding(share, found.text_field)
        elif kind != "JSON" and share >= _MARKUP:
            yield _markup_finding(kind, share, is_left=_DROPPED_AS[kind] in preparation.drop)


def _encoding_findings(found: Inspection, preparation: Preparation) -> Iterator[Finding]:
    asked, n_invalid = preparation.encoding, sum(found.invalid.values())
    if found.encodings:
        kinds = list(dict.fromkeys(found.encodings.values()))
        files = "; ".join(
            f"{kind}: {few([name for name, other in found.encodings.items() if other == kind])}" for kind in kinds
        )
        others = [kind for kind in kinds if codecs.lookup(kind).name not in UTF8]
        message = f"the files are in different encodings ({files}); the figures here are of the garbled text"
        if len(others) == 1:  # what is in another is hardly ever valid UTF-8
            yield Finding(message, f"--encoding utf-8,{others[0]}")
        else:
            commands = " or ".join(f"`iconv -f {kind} -t utf-8 FILE > NEW`" for kind in others)
            yield Finding(
                f"{message}; --encoding cannot tell them apart: convert them to UTF-8, as {commands} does", ""
            )
    elif found.encoding is not None:
        invalid = f"{_stretches(n_invalid)} not valid {asked}, but {found.encoding} reads them"
        yield Finding(
            (invalid if found.invalid else f"the text is {found.encoding} by all appearance, not {asked}")
            + "; the figures here are of the garbled text",
            f"--encoding {found.encoding}",
        )
    for name, readings in islice(found.possible.items(), _MOST_UNTOLD):
        shown = " or ".join(f"{encoding} ({printable(text)})" for encoding, text in readings.items())
        yield Finding(
            f"{name} is in another encoding than {asked}, of one byte a character, most likely {shown}: --encoding "
            "takes the one in which it reads right (`iconv -l` names more); replacing what is invalid would leave "
            "garbage",
            "",
        )
    undecodable = {name: share for name, share in found.undecodable.items() if name not in found.possible}
    if undecodable:
        yield Finding(
            f"{max(undecodable.values()):.0%} of the characters are not valid {asked} in "
            f"{few(undecodable)}, and {_untold(undecodable)}: replacing what is invalid would leave garbage; "
            "--encoding names the one that they are in, if you know it; else leave them out",
            "",
        )
    is_told = found.undecodable or found.encodings or found.encoding is not None
    if found.invalid and not is_told and preparation.encoding_errors == "strict":
        yield Finding(
            f"{_stretches(n_invalid)} not valid {asked}, where training would stop",
            "--encoding-errors replace",
        )


def _stretches(number: int) -> str:
    return f"{plural(number, 'stretch', 'es')} of bytes {'is' if number == 1 else 'are'}"


def _untold(undecodable: Mapping[str, float]) -> str:
    """Why nothing is advised for what cannot be decoded."""
    if set(undecodable) == {STANDARD_INPUT}:
        return "no encoding can be told from its first bytes"
    return "no encoding known here fits"


def _script_findings(found: Inspection, cautions: Iterable[Caution]) -> Iterator[Finding]:
    """The cautions of a segmentation; their options are advised where the text is in a script that they are for."""
    unspaced = sum(found.scripts.get(script, 0.0) for script in WITHOUT_SPACES)
    for caution in cautions:
        yield Finding(caution.message, caution.option if unspaced >= _LEAST_UNSPACED else "")


def _word_findings(found: Inspection, preparation: Preparation) -> Iterator[Finding]:
    if found.layout != "wrapped" and found.words_per_line < _LEAST_WORDS_A_LINE:
        can_be_joined = found.n_lines >= _LEAST_LINES_A_DOCUMENT * found.n_documents  # no document is joined to another
        yield Finding(
            f"a line has {found.words_per_line:.1f} words on average, and windows end where it ends"
            + ("" if can_be_joined else "; each is a document of its own, which no flag joins to another"),
            "--layout wrapped" if can_be_joined else "",
        )
    if found.long >= _LONG_WORDS:
        are_codes = found.codes >= found.long / 2  # encoded data has digits in nearly all of its long runs
        option = "--drop codes" if are_codes and "codes" not in preparation.drop else ""
        yield Finding(
            f"{found.long:.0%} of the types are longer than {LONG_WORD} letters: encoded data, addresses, or words "
            "that nothing parted",
            "--segment words" if found.segment == "space" else option,
        )
    if found.numbers + found.codes >= _NUMBERS and preparation.digits == "keep":
        yield Finding(
            f"{found.numbers:.0%} of the types are numbers, and {found.codes:.0%} mix letters and digits",
            "--digits zero",
        )
    if found.once >= _ONCE and found.n_types >= _TYPES_FOR_ONCE:
        yield Finding(
            f"{found.once:.0%} of the types occur once, as in text with many misspellings, names or codes; a word "
            "that occurs fewer than 5 times gets no vector in any case (--min-count sets how many)",
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
            f"{plural(found.n_duplicate_documents, 'document')} ({document_words:.1%} of the words) came before",
            "--drop-duplicates documents",
        )
        line_words -= document_words  # whose lines go with them
    if line_words >= _DUPLICATE_LINES:
        yield Finding(
            f"{plural(found.n_duplicate_lines, 'line')} ({found.duplicate_line_words:.1%} of the words) came before",
            "--drop-duplicates lines",
        )


def _markup_finding(kind: str, share: float, *, is_left: bool) -> Finding:
    """Of markup; `is_left` where some was left out, and this remained."""
    if is_left:
        dropped = f"--drop {_DROPPED_AS[kind]} leaves out what it knows, within one line"
        return Finding(f"{share:.0%} of the lines still hold {kind}, whose words would be trained on: {dropped}", "")
    message = f"{share:.0%} of the lines hold {kind}, whose words would be trained on"
    return Finding(message, f"--drop {_DROPPED_AS[kind]}")


def _json_finding(share: float, field: str) -> Finding:
    message = f"{share:.0%} of the lines look like JSON, whose keys would be trained on: --field names the text's"
    return Finding(message, f"--field {field}" if field and printable(field) == field else "")


def as_advised(preparation: Preparation, mended: Iterable[Finding]) -> tuple[Preparation, dict[str, int]]:
    """The preparation with the options of what was found; and those that are the families', as `min_count`."""
    changes: dict[str, Any] = {}
    others: dict[str, int] = {}
    kinds = {field.name: type(field.default) for field in fields(Preparation)}
    for finding in mended:
        name, _, value = finding.option.removeprefix("--").partition(" ")
        name = name.replace("-", "_")
        if name == "drop":
            changes[name] = (*changes.get(name, preparation.drop), value)
        elif name in kinds:
            changes[name] = int(value) if kinds[name] is int else value
        elif name:
            others[name] = int(value)
    return replace(preparation, **changes), others


def command(
    names: list[str] | None,
    preparation: Preparation,
    mended: Iterable[Finding],
    paces: Mapping[str, Pace],
    others: Mapping[str, Any],
) -> str:
    """The training that is advised.

    Args:
        names: The paths of the corpus as they were given; None for what Python made.
        preparation: What was asked for, which is repeated.
        mended: What was found, whose options come in.
        paces: By family.
        others: Further options that were given; those that are None are left out.
    """
    family = advised_family(paces)
    options: dict[str, str] = {}
    default = Preparation()
    for field in fields(Preparation):
        value = getattr(preparation, field.name)
        if value != getattr(default, field.name):
            shown = ",".join(value) if isinstance(value, tuple) else str(value)
            no = "no-" if value is False else ""
            options[f"--{no}{field.name.replace('_', '-')}"] = "" if isinstance(value, bool) else shown
    options |= {name: str(value) for name, value in others.items() if value is not None}
    for finding in mended:
        if finding.option:
            name, _, value = finding.option.partition(" ")
            if name == "--drop":
                value = ",".join(kinds_of_markup([value, options.get(name, "")]))
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
    """The first of the families, in their order, that takes an hour at most; where none does, the quickest.

    That is Skip-gram, which learns most from a word; then CBOW, with the same flags. GloVe comes last: it takes room on
    disk for its counts, too, and its time is the least certain.
    """
    patient = [name for name, pace in paces.items() if pace.seconds <= _PATIENCE_SECONDS]
    return patient[0] if patient else min(paces, key=lambda name: paces[name].seconds, default="skipgram")
