"""The page of a comparison: one file of HTML, the answer first, which needs no network and no other file."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from firth.comparison_report import charts, paper
from firth.comparison_report.answers import kind_of, measure_of, name_of, number, sentences, size_of
from firth.comparison_report.language import Say, retold
from firth.comparison_report.pictures import Picture, made_by, pictured, place_of
from firth.comparison_report.reading import Comparison, Neighbourhood, Run
from firth.comparison_report.standings import Contest, Standing, contests
from firth.files import printable
from firth.pages import Cell, page, table, text

_MOST_RANKS: Final = 15  # neighbours of a word that are shown


def to_html(found: Comparison, say: Say, lang: str, beside: Sequence[str] = ()) -> str:
    """The page.

    Args:
        found: What was compared.
        say: The language that it is written in, and
        lang: its name in HTML.
        beside: The names of the files that lie beside it.
    """
    drawn = {one.name: [_figure(one)] for one in pictured(found, say)}
    sections = [
        ("answer", say("The answer"), _answer(found, say)),
        ("scores", say("All scores"), [*drawn.get("scores", []), *_scores(found, say)]),
        ("budget", say("What the budget buys"), [*drawn.get("training", []), *drawn.get("losses", [])]),
        ("layers", say("Layer by layer"), drawn.get("layers", [])),
        ("neighbours", say("Neighbours side by side"), _neighbours(found, say)),
        ("cost", say("What it costs"), [*drawn.get("costs", []), *_costs(found, say)]),
        ("differences", say("Differences and ties"), _differences(found, say)),
        ("coverage", say("Coverage"), _coverage(found, say)),
        ("settings", say("Settings and runs"), _settings(found, say)),
        ("paper", say("For a paper"), _paper(found, say)),
    ]
    shown = [(name, title, [part for part in parts if part]) for name, title, parts in sections]
    links = "".join(f'<li><a href="#{name}">{text(title)}</a></li>' for name, title, parts in shown if parts)
    body = [
        *(f'<p class="note">{text(line)}</p>' for line in _head(found, say)),
        f'<nav aria-label="{text(say("Contents"))}"><ul>{links}</ul></nav>',
        _keys(found, say),
    ]
    for name, title, parts in shown:
        if parts:
            body += [
                f'<section id="{name}" aria-labelledby="{name}-title"><h2 id="{name}-title">{text(title)}</h2>',
                *parts,
                "</section>",
            ]
    if beside:
        names = ", ".join(f"<code>{text(name)}</code>" for name in beside)
        body.append(
            f'<p class="note">{text(say("Beside this page lie the same numbers and pictures as files:"))} {names}</p>'
        )
    return page(title_of(found, say), body, lang=lang)


def title_of(found: Comparison, say: Say) -> str:
    """What the page is called."""
    return printable(found.title) or say("Which family of word vectors for this corpus?")


def _head(found: Comparison, say: Say) -> list[str]:
    corpus = found.corpus
    facts = [", ".join(printable(str(name)) for name in corpus.get("names", ()))]
    if corpus.get("n_words"):
        facts.append(say("{n} words", n=f"{corpus['n_words']:,}"))
    facts += [printable(found.machine), printable(found.made)]
    return [" · ".join(fact for fact in facts if fact)]


def _keys(found: Comparison, say: Say) -> str:
    """The variants with their marks; each can be hidden in all pictures."""
    buttons = []
    for variant in found.variants:
        if variant.left_out:
            continue
        place = place_of(found, variant.name)
        note = say(" (other text)") if variant.published else ""
        buttons.append(
            f'<button type="button" aria-pressed="true" data-series="{"random" if place is None else place}">'
            f"{charts.key(place)}{text(variant.name)}{text(note)}</button>"
        )
    label = text(say("Models shown in the pictures"))
    return f'<div class="controls keys" role="group" aria-label="{label}">{"".join(buttons)}</div>'


# --- sections


def _answer(found: Comparison, say: Say) -> list[str]:
    told = "".join(f"<p>{text(sentence.strip())}</p>" for sentence in sentences(found, say))
    parts = [f'<div class="answer">{told}</div>']
    if found.differences:
        note = say(
            "Whatever stands above passed a test for the difference, corrected for the number of tests; what does not "
            "is called a tie."
        )
        parts.append(f'<p class="note">{text(note)}</p>')
    if found.missing:
        lines = "".join(f"<li>{text(retold(line, say))}</li>" for line in found.missing)
        parts.append(f'<div class="warning"><strong>{text(say("What is missing"))}</strong><ul>{lines}</ul></div>')
    every = contests(found)
    if every:
        parts.append(_glance(found, every, say))
    return parts


def _glance(found: Comparison, every: Sequence[Contest], say: Say) -> str:
    """A row for each model, a column for each set."""
    rows: list[dict[str, Any]] = []
    for variant in found.variants:
        row: dict[str, Any] = {say("model"): _name(found, variant.name)}
        for contest in every:
            standing = next((one for one in contest.standings if one.variant == variant.name), None)
            row[_column(contest, say)] = _scored(standing, contest) if standing else None
        if any(value is not None for name, value in row.items() if name != say("model")):
            rows.append(row)
    return table(
        rows,
        say(
            "Every model on every set. Green: the best of those trained here, and what no test tells from it. Small: "
            "the layer."
        ),
    )


def _column(contest: Contest, say: Say) -> str:
    return f"{kind_of(contest, say)}: {name_of(contest, say)}" + (" ↓" if contest.is_lower_better else "")


def _name(found: Comparison, name: str) -> Cell:
    variant = found.variant(name)
    mark = "" if variant.is_compared else "aside"
    return Cell(name, None, "", mark, is_number=False)


def _scored(standing: Standing, contest: Contest) -> Cell:
    note = "" if standing.layer is None else f"L{standing.layer}"
    mark = "best" if contest.is_ahead(standing.variant) else ""
    return Cell(number(standing.score), standing.score, note, mark)


def _scores(found: Comparison, say: Say) -> list[str]:
    rows = []
    for contest in contests(found):
        for one in contest.standings:
            known = "" if one.n_known is None or one.n_items is None else f"{one.n_known:,}/{one.n_items:,}"
            rows.append(
                {
                    say("for"): kind_of(contest, say),
                    say("set"): Cell(contest.key.set, None, contest.key.method or "", is_number=False),
                    say("measure"): measure_of(contest.key.measure, contest.is_lower_better, say),
                    say("model"): _name(found, one.variant),
                    say("layer"): one.layer,
                    say("score"): _scored(one._replace(layer=None), contest),
                    say("95% interval"): _interval(one.low, one.high),
                    say("seeds"): _spread(one),
                    say("items known"): Cell(known, one.n_known),
                    say("words"): say("common") if contest.words == "common" else say("own"),
                }
            )
    caption = say(
        "The mean over seeds. Common: over the words that all models know. A click on a column's name sorts by it."
    )
    return [table(rows, caption)] if rows else []


def _interval(low: float | None, high: float | None) -> Cell:
    return Cell("" if low is None or high is None else f"{number(low)} … {number(high)}", low)


def _spread(one: Standing) -> Cell:
    if one.spread is None:
        return Cell(f"{one.n_seeds}", 0.0)
    low, high = one.spread
    return Cell(f"{one.n_seeds}", high - low, f"{number(low)} … {number(high)}")


def _figure(picture: Picture) -> str:
    parts = [f"<h3>{text(picture.title)}</h3>"]
    if len(picture.groups) > 1:
        options = "".join(f'<option value="{text(one.name)}">{text(one.label)}</option>' for one in picture.groups)
        select = f'<select data-picks="{picture.name}">{options}</select>'
        parts.append(f'<p class="controls"><label>{text(picture.choice)} {select}</label></p>')
    for group in picture.groups:
        chosen = ""
        if len(picture.groups) > 1:
            label = text(group.label)
            chosen = f' data-of="{picture.name}" data-pick="{text(group.name)}" data-label="{label}"'
        parts.append(f'<div class="panels"{chosen}>' + "".join(charts.svg(panel) for panel in group.panels) + "</div>")
    caption = f'{text(picture.caption)} <span class="made">{text(picture.made)}</span>'
    return f'<figure id="figure-{picture.name}">' + "".join(parts) + f"<figcaption>{caption}</figcaption></figure>"


def _costs(found: Comparison, say: Say) -> list[str]:
    rows = [_cost_row(found, run, say) for run in found.runs]
    return [table(rows, say("What every run cost. Preparing: tokenisers, counting and compiling."))] if rows else []


def _cost_row(found: Comparison, run: Run, say: Say) -> dict[str, Any]:
    seconds = {
        say("prepare, s"): run.seconds.get("prepare"),
        say("train, s"): run.seconds.get("train"),
        say("matrices, s"): run.seconds.get("matrices"),
        say("measure, s"): run.seconds.get("measure"),
    }
    return {
        say("model"): _name(found, run.variant),
        say("seed"): run.seed,
        **{name: _rounded(value, 1) for name, value in seconds.items()},
        say("words read"): _rounded(run.words, 0),
        say("words/s"): _rounded(run.words_per_second, 0),
        say("operations"): Cell("" if run.flops is None else f"{run.flops:.2e}", run.flops),
        say("parameters"): _rounded(run.parameters, 0),
        say("peak MiB"): _rounded(run.peak_mib, 0),
        say("on disk"): _size(run.bytes),
        say("matrices on disk"): _size(run.matrices_bytes),
        say("ms/lookup"): _rounded(run.lookup_ms, 3),
        say("ms/sentence"): _rounded(run.sentence_ms, 2),
    }


def _size(n_bytes: float | None) -> Cell:
    return Cell("" if n_bytes is None else size_of(n_bytes), n_bytes)


def _rounded(value: float | None, digits: int) -> Cell:
    return Cell("" if value is None else f"{value:,.{digits}f}", value)


def _differences(found: Comparison, say: Say) -> list[str]:
    rows = []
    names = {contest.key[:4]: contest for contest in contests(found)}
    for one in found.differences:
        contest = names.get((one.kind, one.set, one.measure, one.method))
        name = name_of(contest, say) if contest else printable(one.set)
        rows.append(
            {
                say("for"): kind_of(contest, say) if contest else printable(one.kind),
                say("set"): name,
                say("one"): _at(one.a, one.layer_a),
                say("other"): _at(one.b, one.layer_b),
                say("difference"): Cell("" if one.difference is None else f"{one.difference:+.3f}", one.difference),
                say("95% interval"): _interval(one.low, one.high),
                say("p, corrected"): Cell("" if one.p_corrected is None else _chance(one.p_corrected), one.p_corrected),
                say("result"): say("tie") if one.tie else _ahead(one.a, one.b, one.difference, contest, say),
            }
        )
    if not rows:
        return []
    note = say(
        "One minus other, on the same items. A tie is what chance alone may make, after Holm's correction for {n} "
        "tests.",
        n=len(rows),
    )
    return [table(rows, note)]


def _at(name: str, layer: int | None) -> Cell:
    return Cell(name, None, "" if layer is None else f"L{layer}", is_number=False)


def _chance(p: float) -> str:
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def _ahead(one: str, other: str, difference: float | None, contest: Contest | None, say: Say) -> str:
    if not difference:
        return ""
    is_first = (difference > 0) != (contest is not None and contest.is_lower_better)
    return say("{name} is ahead", name=printable(one if is_first else other))


def _coverage(found: Comparison, say: Say) -> list[str]:
    rows = [
        {
            say("set"): one.set,
            say("model"): _name(found, one.variant),
            say("items"): one.n_items,
            say("known"): one.n_known,
            say("share"): Cell(
                f"{one.n_known / one.n_items:.1%}" if one.n_items else "", one.n_known / (one.n_items or 1)
            ),
        }
        for one in found.coverage
    ]
    return [table(rows, say("How many items of each set a model knows all words of."))] if rows else []


# --- neighbours


def _neighbours(found: Comparison, say: Say) -> list[str]:
    words = list(dict.fromkeys(one.word for one in found.neighbours))
    if not words:
        return []
    options = "".join(f'<option value="{place}">{text(word)}</option>' for place, word in enumerate(words))
    controls = f'<label>{text(say("Word"))} <select data-picks="words">{options}</select></label>'
    shown = _layers_shown(found)
    more = any((one.variant, one.layer) not in shown for one in found.neighbours)
    if more:
        controls += f' <label><input type="checkbox" data-widens="side-by-side"> {text(say("all layers"))}</label>'
    parts = [f'<p class="controls">{controls}</p>', '<div id="side-by-side">']
    for place, word in enumerate(words):
        columns = [one for one in found.neighbours if one.word == word]
        label = f"<h3>{text(word)}</h3>"
        of_word = [one for one in found.overlaps if one.word == word]
        overlap = (
            _overlap(of_word, shown, say("Overlap of the neighbours of {word}", word=printable(word)))
            if of_word
            else ""
        )
        parts.append(f'<div data-of="words" data-pick="{place}">{label}{_columns(columns, shown, say)}{overlap}</div>')
    mean = [one for one in found.overlaps if one.word is None]
    if mean:
        parts.append(_overlap(mean, shown, say("Overlap, the mean over all {n} words", n=len(words))))
    parts.append("</div>")
    note = say(
        "Underlined words are neighbours in more than one model. The overlap is the share of words that two lists have "
        "in common, of all words in either."
    )
    parts.append(f'<p class="note">{text(note)} {text(made_by(found, say))}</p>')
    return parts


def _layers_shown(found: Comparison) -> set[tuple[str, int]]:
    """The layer of each variant that is shown before one asks for more: what was chosen for similarity, or the last."""
    shown = set()
    for variant in found.variants:
        layers = {one.layer for one in found.neighbours if one.variant == variant.name}
        chosen = [
            one.layer
            for one in found.best_layers
            if one.variant == variant.name and one.kind == "similarity" and one.layer is not None
        ]
        if layers:
            shown.add((variant.name, chosen[0] if chosen and chosen[0] in layers else max(layers)))
    return shown


def _columns(columns: Sequence[Neighbourhood], shown: set[tuple[str, int]], say: Say) -> str:
    """A list of neighbours a column, with the words that several models have marked."""
    models: dict[str, set[str]] = {}
    for column in columns:
        for neighbour in column.neighbours:
            models.setdefault(str(neighbour[0]), set()).add(column.variant)
    shared = {word for word, found in models.items() if len(found) > 1}
    head = "".join(
        f'<th scope="col"{_more(column, shown)} aria-sort="none"><button type="button">{text(column.variant)} '
        f"<small>L{column.layer}</small></button></th>"
        for column in columns
    )
    n_ranks = min(_MOST_RANKS, max((len(column.neighbours) for column in columns), default=0))
    lines = []
    for rank in range(n_ranks):
        cells = "".join(_neighbour(column, rank, shared, _more(column, shown)) for column in columns)
        lines.append(f'<tr><th scope="row">{rank + 1}</th>{cells}</tr>')
    first = f'<th scope="col" class="number" aria-sort="none"><button type="button">{text(say("rank"))}</button></th>'
    body = f"<thead><tr>{first}{head}</tr></thead><tbody>{''.join(lines)}</tbody>"
    return f'<div class="scroll" tabindex="0"><table class="neighbours">{body}</table></div>'


def _more(column: Neighbourhood, shown: set[tuple[str, int]]) -> str:
    return "" if (column.variant, column.layer) in shown else ' class="more"'


def _neighbour(column: Neighbourhood, rank: int, shared: set[str], more: str) -> str:
    """A cell, which sorts by the word alone."""
    if rank >= len(column.neighbours):
        return f"<td{more}></td>"
    word, cosine = str(column.neighbours[rank][0]), column.neighbours[rank][1]
    near = "" if cosine is None else f"<small>{float(cosine):.2f}</small>"
    mark = ' class="shared"' if word in shared else ""
    return f'<td{more} data-value="{text(word)}"><span data-word="{text(word)}"{mark}>{text(word)}</span>{near}</td>'


def _overlap(overlaps: Sequence[Any], shown: set[tuple[str, int]], caption: str) -> str:
    places = list(dict.fromkeys(tuple(place) for one in overlaps for place in (one.a, one.b)))
    found = {(tuple(one.a), tuple(one.b)): one.jaccard for one in overlaps}
    head = "".join(_head_of(place, shown) for place in places)
    lines = []
    for row in places:
        cells = []
        for column in places:
            value = 1.0 if row == column else found.get((row, column), found.get((column, row)))
            cells.append(_heat(value, is_more=bool(_hidden(column, shown))))
        lines.append(f'<tr{_hidden(row, shown)}><th scope="row">{_place(row)}</th>{"".join(cells)}</tr>')
    title = f"<caption><span>{text(caption)}</span></caption>"
    body = f"{title}<thead><tr><td></td>{head}</tr></thead><tbody>{''.join(lines)}</tbody>"
    return f'<div class="scroll" tabindex="0"><table class="heat">{body}</table></div>'


def _head_of(place: tuple[Any, ...], shown: set[tuple[str, int]]) -> str:
    """A column's name, by which it sorts."""
    mark = "number" if place in shown else "number more"
    return f'<th scope="col" class="{mark}" aria-sort="none"><button type="button">{_place(place)}</button></th>'


def _place(place: tuple[Any, ...]) -> str:
    return (
        f"{text(str(place[0]))} <small>L{place[1]:d}</small>"
        if len(place) > 1 and place[1] is not None
        else text(str(place[0]))
    )


def _hidden(place: tuple[Any, ...], shown: set[tuple[str, int]]) -> str:
    return "" if place in shown else ' class="more"'


def _heat(value: float | None, *, is_more: bool) -> str:
    if value is None:
        return '<td class="more"></td>' if is_more else "<td></td>"
    level = min(9, max(0, int(value * 10)))
    more = " more" if is_more else ""
    return f'<td class="h{level}{more}">{value:.2f}</td>'


# --- settings, and what a paper needs


def _settings(found: Comparison, say: Say) -> list[str]:
    rows = []
    for variant in found.variants:
        runs = [run for run in found.runs if run.variant == variant.name]
        failed = [run.failed for run in runs if run.failed]
        state = "; ".join(retold(why, say) for why in dict.fromkeys([variant.left_out] if variant.left_out else failed))
        rows.append(
            {
                say("model"): _name(found, variant.name),
                say("family"): variant.family,
                say("preset"): variant.preset or "",
                say("matrices"): variant.n_layers,
                say("settings"): _hyperparameters(variant.hyperparameters),
                say("state"): state
                or (say("saw other text") if variant.published else say("done") if runs or variant.random else ""),
                say("directories"): ", ".join(run.model for run in runs if run.model),
            }
        )
    parts = [table(rows, say("The models"))]
    trials = [
        {
            say("model"): _name(found, variant.name),
            say("settings"): _hyperparameters(trial.get("hyperparameters") or {}),
            say("held-out"): Cell(*_trial(trial)),
            say("chosen"): say("yes") if trial.get("chosen") else "",
        }
        for variant in found.variants
        for trial in variant.trials
    ]
    parts.append(table(trials, say("The settings that were tried")))
    facts = list(_facts(found, say))
    parts.append(table([{say("what"): name, say("value"): value} for name, value in facts], say("The comparison")))
    return parts


def _trial(trial: Any) -> tuple[str, float | None]:
    value = trial.get("loss") if trial.get("loss") is not None else trial.get("score")
    return ("", None) if value is None else (number(value), value)


def _hyperparameters(found: Any) -> str:
    return ", ".join(
        f"{name}={value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for name, value in found.items()
    )


def _facts(found: Comparison, say: Say) -> Iterator[tuple[str, str]]:
    if found.command:
        yield say("command"), found.command
    if found.python:
        yield "Python", found.python
    names = {
        "fingerprint": "fingerprint",
        "n_documents": "documents",
        "n_words": "words",
        "n_held_out_documents": "held-out documents",
        "segmentation": "segmentation",
    }
    for name, shown in names.items():
        value = found.corpus.get(name)
        if value is not None:
            yield say(shown), f"{value:,}" if isinstance(value, int) else str(value)
    yield say("seeds"), ", ".join(map(str, found.seeds))
    yield (
        say("counted in the budget"),
        say("preparing and training") if found.counts == "all" else say("training alone"),
    )
    yield say("machine"), found.machine
    yield say("versions"), ", ".join(f"{name} {version}" for name, version in found.versions.items())
    yield say("made"), found.made


def _paper(found: Comparison, say: Say) -> list[str]:
    return [
        f'<h3>{text(say("Methods"))}</h3><p id="methods">{text(paper.methods(found, say))}</p>{_copy("methods", say)}',
        _listing("latex", say("Tables in LaTeX"), paper.latex(found, say), say),
        _listing("bibtex", say("Papers to cite, as BibTeX"), paper.bibtex(found), say),
    ]


def _listing(name: str, title: str, content: str, say: Say) -> str:
    lines = "\n".join(text(line) for line in content.splitlines())
    return (
        f"<details><summary>{text(title)}</summary>{_copy(name, say)}"
        f'<pre id="{name}" tabindex="0">{lines}</pre></details>'
    )


def _copy(name: str, say: Say) -> str:
    copied = text(say("Copied"))
    return (
        f'<button type="button" class="copy" data-copies="{name}" data-copied="{copied}">{text(say("Copy"))}</button>'
    )
