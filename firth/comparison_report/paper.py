"""What a paper needs of a comparison: a paragraph on the methods, tables in LaTeX, and the papers to cite."""

import re
from collections.abc import Sequence
from typing import Any, Final

from firth.comparison_report.answers import listed, name_of, number, size_of
from firth.comparison_report.language import Say, retold
from firth.comparison_report.reading import Comparison, Run, Variant
from firth.comparison_report.references import ALWAYS, BY_FAMILY, BY_MEASURE, BY_SET, ENTRIES
from firth.comparison_report.standings import Contest, Standing, contests
from firth.files import printable

_LATEX: Final = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"{\char34}",  # \textquotedbl is not in LaTeX's default encoding
}
_SPECIAL: Final = re.compile("[" + re.escape("".join(_LATEX)) + "]")


def methods(found: Comparison, say: Say) -> str:
    """A paragraph on how the numbers came about, from what the run itself has written down."""
    corpus = found.corpus
    names = listed([printable(str(name)) for name in corpus.get("names", ())], say) or say("one corpus")
    parts = [
        say(
            "We compared {models} on {corpus}.",
            models=listed([_model(one, say) for one in found.variants if one.is_compared], say),
            corpus=names,
        )
    ]
    if corpus.get("n_words"):
        parts.append(
            say(
                "The corpus has {n_documents} documents and {n_words} words (fingerprint {fingerprint}), segmented by "
                "{segmentation}; the same {n_held_out} documents were held out of every model's training.",
                n_documents=_count(corpus.get("n_documents")),
                n_words=_count(corpus.get("n_words")),
                fingerprint=printable(str(corpus.get("fingerprint", "-"))),
                segmentation=printable(str(corpus.get("segmentation", "-"))),
                n_held_out=_count(corpus.get("n_held_out_documents")),
            )
        )
    minutes, words = found.budget.get("minutes"), found.budget.get("words")
    if minutes is not None:
        counted = say("preparing included") if found.counts == "all" else say("preparing not counted")
        parts.append(
            say(
                "Each was trained for {n} minutes of wall-clock time ({counted}), one after another on the whole "
                "machine.",
                n=f"{minutes:g}",
                counted=counted,
            )
        )
    elif words is not None:
        parts.append(say("Each was trained on {n} words, one after another on the whole machine.", n=f"{words:,}"))
    if found.seeds:
        parts.append(say("Seeds: {seeds}.", seeds=", ".join(map(str, found.seeds))))
    trials = max((len(variant.trials) for variant in found.variants), default=0)
    if trials > 1:
        parts.append(
            say(
                "Of each, {n} settings were tried; the one to report was chosen on held-out loss or a dev file, never "
                "on the sets reported.",
                n=trials,
            )
        )
    parts += [printable(retold(note, say)) for note in found.notes]
    sets = list(dict.fromkeys(printable(contest.key.set) for contest in contests(found)))
    if sets:
        parts.append(say("Measured on {sets}.", sets=listed(sets, say)))
    if any(contest.words == "common" for contest in contests(found)):
        parts.append(say("Scores are over the words that all models know, so that a small vocabulary gains nothing."))
    chosen = list(dict.fromkeys(one.chosen_by for one in found.best_layers if one.chosen_by))
    if chosen:
        parts.append(
            say(
                "Of models with several layers the one reported was chosen by {how}.",
                how=printable(retold(chosen[0], say)),
            )
        )
    if any(one.low is not None for one in found.scores):
        parts.append(say("Intervals hold 95% of bootstrap samples of the items (Efron 1979)."))
    if found.differences:
        parts.append(
            say(
                "Differences are paired, on the same items; their p-values are corrected for the number of tests "
                "(Holm 1979), and what is not significant at 5% is called a tie."
            )
        )
    if any(variant.published for variant in found.variants):
        published = [printable(one.name) for one in found.variants if one.published]
        parts.append(say("{names} saw other text and take no part in the comparison.", names=listed(published, say)))
    versions = ", ".join(f"{printable(name)} {printable(str(version))}" for name, version in found.versions.items())
    parts.append(
        say(
            "Made with {versions} on {machine} by: {command}",
            versions=versions or "firth",
            machine=printable(found.machine) or "-",
            command=printable(found.command or found.python),
        )
    )
    return say(" ").join(parts)


def _model(variant: Variant, say: Say) -> str:
    details = ", ".join(
        f"{printable(str(name))} {printable(str(value))}"
        for name, value in variant.hyperparameters.items()
        if name in ("dim", "n_layers", "window")
    )
    name = printable(variant.name)
    return say("{name} ({details})", name=name, details=details) if details else name


def _count(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else "-"


# --- LaTeX


def latex(found: Comparison, say: Say) -> str:
    """Two tables, of the scores and of the costs: they need the package booktabs.

    The best, and what no test tells from it, is bold.
    """
    every = [contest for contest in contests(found) if contest.leaders]
    head = "% \\usepackage{booktabs}"
    if not (latex_of := "\n".join(_tables(found, every, say))).isascii():
        head += "; compile with XeLaTeX or LuaLaTeX, and \\usepackage{ctex} for Chinese"
    return f"{head}\n% {printable(found.command or found.python)}\n{latex_of}\n"


def escaped(shown: str) -> str:
    """Text as LaTeX sets it."""
    return _SPECIAL.sub(lambda match: _LATEX[match.group()], printable(shown))


def _tables(found: Comparison, every: Sequence[Contest], say: Say) -> list[str]:
    parts = []
    for first in range(0, len(every), 6):  # as many columns as a page is wide
        some = every[first : first + 6]
        rows = [[escaped(variant.name), *(_score(variant, contest) for contest in some)] for variant in found.variants]
        head = [say("Model"), *(escaped(name_of(contest, say)) for contest in some)]
        caption = say(
            "Scores, the mean over {n} seeds. Bold: the best, and what no test tells from it.",
            n=max(1, len(found.seeds)),
        )
        label = "tab:scores" if first == 0 else f"tab:scores-{first // 6 + 1}"
        parts.append(_table([row for row in rows if any(row[1:])], head, caption, label))
    rows = [_cost(variant, [run for run in found.runs if run.variant == variant.name]) for variant in found.variants]
    rows = [row for row in rows if any(row[1:])]
    if rows:
        head = [
            say("Model"),
            say("Seconds"),
            say("Words/s"),
            say("Parameters"),
            say("Peak MiB"),
            say("On disk"),
            say("ms/sentence"),
        ]
        parts.append(_table(rows, head, say("Costs, the mean over seeds."), "tab:costs"))
    return parts


def _table(rows: Sequence[Sequence[str]], head: Sequence[str], caption: str, label: str) -> str:
    lines = ["\\begin{table}", "\\centering", f"\\caption{{{caption}}}", f"\\label{{{label}}}"]
    lines += [f"\\begin{{tabular}}{{l{'r' * (len(head) - 1)}}}", "\\toprule", " & ".join(head) + r" \\", "\\midrule"]
    lines += [" & ".join(row) + r" \\" for row in rows]
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}", "\\end{table}"])


def _score(variant: Variant, contest: Contest) -> str:
    standing: Standing | None = next((one for one in contest.standings if one.variant == variant.name), None)
    if standing is None:
        return ""
    shown = number(standing.score)
    return f"\\textbf{{{shown}}}" if contest.is_ahead(variant.name) else shown


def _cost(variant: Variant, runs: Sequence[Run]) -> list[str]:
    def mean(values: Sequence[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return sum(known) / len(known) if known else None

    def shown(value: float | None, digits: int = 0) -> str:
        return "" if value is None else f"{value:,.{digits}f}"

    size = mean([run.bytes for run in runs])
    return [
        escaped(variant.name),
        shown(mean([run.seconds.get("train") for run in runs])),
        shown(mean([run.words_per_second for run in runs])),
        shown(mean([run.parameters for run in runs])),
        shown(mean([run.peak_mib for run in runs])),
        "" if size is None else size_of(size),
        shown(mean([run.sentence_ms for run in runs]), 2),
    ]


# --- BibTeX


def cited(found: Comparison) -> list[str]:
    """The keys of the papers that a comparison rests on."""
    keys: list[str] = []
    for variant in found.variants:
        keys += BY_FAMILY.get(variant.family, ())
        keys += [variant.paper] if variant.paper else []
        if variant.hyperparameters.get("subwords"):
            keys.append("bojanowski2017")
        if variant.n_layers > 1:
            keys.append("bommasani2020")
    for score in found.scores:
        keys.append(found.sources.get(score.set) or BY_SET.get(score.set.lower(), ""))
        keys += [BY_MEASURE.get(score.method or "", ""), BY_MEASURE.get(score.measure, "")]
    keys += ALWAYS
    return [key for key in dict.fromkeys(keys) if key in ENTRIES]


def bibtex(found: Comparison) -> str:
    """Their entries."""
    return "\n\n".join(ENTRIES[key] for key in cited(found)) + "\n"
