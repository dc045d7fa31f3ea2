"""What was found in a corpus, as lines of text for a terminal."""

from collections.abc import Collection, Iterator, Mapping
from itertools import groupby, islice
from typing import Final

from firth.findings import Inspection
from firth.progress import plural

RARE: Final = 5
"""A word that occurs fewer times is as rare as training's default leaves out."""

_MOST_NAMED: Final = 3


def report(found: Inspection) -> list[str]:
    """Lines of text that tell all of it, the command last."""
    lines = [f"{label:<14} {text}" for label, text in _rows(found)]
    lines += [f"{'':<14} {place}" for place in found.first_invalid]
    if found.remarks:
        lines += ["", "Of the reading:", *(f"- {remark}" for remark in found.remarks)]
    if found.findings:
        lines += ["", "To mend:"]
        for finding in found.findings:
            is_named = not finding.option or finding.option in finding.message
            lines.append(f"- {finding.message}" + ("" if is_named else f": {finding.option}"))
    if times := list(_times(found)):
        lines += ["", f"Training here, on {plural(found.threads, 'thread')}:", *(f"- {time}" for time in times)]
    if found.encodings and found.command and "--encoding utf-8," not in found.command:
        return [*lines, "", "With the files converted:", found.command]
    return [
        *lines,
        "",
        found.command or "No training is advised: as it is, this text can be trained by none (see above).",
    ]


def _rows(found: Inspection) -> Iterator[tuple[str, str]]:
    """What there is, each with its name."""
    size = "" if found.n_bytes is None else f" ({found.n_bytes / 1e6:,.1f} MB)"
    layout = f" ({found.layout_reason})" if found.layout_reason else ""
    segment = f" ({found.segment_reason})" if found.segment_reason else ""
    yield "corpus", f"{found.name}{size}"
    yield "documents", f"{found.n_documents:,}"
    yield "lines", f"{found.n_lines:,} of {found.words_per_line:.1f} words on average"
    yield (
        "longest line",
        f"{plural(found.longest_line, 'character')}, in {found.longest_line_place}"
        + (f": {found.longest_line_begins}" if found.longest_line_begins else "")
        + (" ..." if found.longest_line > len(found.longest_line_begins) else ""),
    )
    yield (
        "sentences",
        f"about {found.n_sentences:,} of {found.words_per_sentence:.1f} words (estimated from a sample, by the rules "
        f"of {found.lang})"
        if found.lang
        else "taken to be the lines",
    )
    yield "words", f"{found.n_tokens:,}, found by {found.segment}{segment}"
    yield (
        "types",
        f"{found.n_types:,}, {found.once:.0%} of which occur once; {found.rare:.1%} of the words are of types that "
        f"occur fewer than {RARE} times",
    )
    yield "layout", f"{found.layout}{layout}"
    yield "scripts", _shares(found.scripts, "the letters")
    yield "markup", _shares(found.markup, "the lines")
    yield "duplicates", _duplicates(found)
    yield "invalid bytes", _invalid(found)


def _times(found: Inspection) -> Iterator[str]:
    """How long each family trains."""
    for name, pace in found.paces.items():
        yield (
            f"{name}: {pace.words_per_second:,.0f} words/s, so {plural(pace.epochs, 'epoch')} in about "
            f"{duration(pace.seconds)}"
        )
    for name, pieces in found.pieces_paces.items():
        passes = f"{pieces.epochs:.1f} passes" if pieces.epochs >= 1 else f"{pieces.epochs:.0%} of it"
        yield (
            f"{name}: size {pieces.size}, {pieces.tokens_per_second:,.0f} {pieces.unit}/s; one pass over about "
            f"{_rounded(pieces.n_tokens)} {pieces.unit} in about {duration(pieces.seconds)}; {passes} in the "
            f"{pieces.minutes:g} minutes that are the default"
        )
    for reason, names in groupby(found.unmeasured, key=lambda name: found.unmeasured[name]):
        yield f"{', '.join(names)}: not measured: {reason}"


def duration(seconds: float) -> str:
    """Seconds in the units that people use."""
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    if seconds < 3600:
        return f"{round(seconds / 60)} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:,.0f} days"


def _rounded(number: int) -> str:
    """A number of which two digits are known."""
    if number < 1_000_000:
        return f"{round(number, -max(0, len(str(number)) - 2)):,}"
    return f"{number / 1e6:,.1f} M" if number < 10_000_000 else f"{number / 1e6:,.0f} M"


def _duplicates(found: Inspection) -> str:
    if found.n_duplicate_lines is None or found.n_duplicate_documents is None:
        return "cannot be told, since the rarest types were dropped (--max-types)"
    about = "" if found.are_duplicates_exact else "about "
    return about + (
        f"{plural(found.n_duplicate_lines, 'line')} ({found.duplicate_line_words:.1%} of the words), "
        f"{plural(found.n_duplicate_documents, 'document')} ({found.duplicate_document_words:.1%})"
    )


def _invalid(found: Inspection) -> str:
    if not found.invalid:
        return "none"
    where = f"{plural(sum(found.invalid.values()), 'stretch', 'es')} in {plural(len(found.invalid), 'file')}"
    return where + (", the first here:" if found.first_invalid else "")


def _shares(shares: Mapping[str, float], whole: str) -> str:
    shown = [f"{name} {share:.1%}" for name, share in shares.items() if share >= 0.0005]
    return f"{', '.join(shown)} of {whole}" if shown else "none"


def few(names: Collection[str]) -> str:
    """The first names."""
    return ", ".join(islice(names, _MOST_NAMED)) + (", ..." if len(names) > _MOST_NAMED else "")
