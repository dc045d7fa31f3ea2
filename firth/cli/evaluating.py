"""`firth evaluate`: how models score on word pairs, analogies, groups, categories, and words in sentences."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from cyclopts import Parameter, Token
from cyclopts.validators import Number

from firth.cli.printing import Row, print_json, print_rows, say, show
from firth.cli.settings import AsJson, Files, Flag, Layer
from firth.cli.use import load_vectors, matrices
from firth.errors import UsageError

if TYPE_CHECKING:
    from firth.evaluation import AnalogiesResult, PairsResult, SectionResult
    from firth.groups import CategoriesResult, OutliersResult
    from firth.measures import Measured
    from firth.sets import Found, Kind
    from firth.vectors import Vectors

    Result = PairsResult | AnalogiesResult | OutliersResult | CategoriesResult


def _comma_separated(_: object, tokens: Sequence[Token]) -> list[str]:
    return [name.strip() for token in tokens for name in token.value.split(",") if name.strip()]


Names = Annotated[Sequence[str], Parameter(negative=(), converter=_comma_separated, n_tokens=1)]

_IN_SENTENCES = ("scws", "wic")


def evaluate(
    *models: Path,
    pairs: Files = (),
    analogies: Files = (),
    outliers: Files = (),
    categories: Files = (),
    scws: Files = (),
    wic: Files = (),
    corpus: Annotated[Files, Parameter(allow_leading_hyphen=True)] = (),
    sets: Names = (),
    sets_from: Path | None = None,
    method: Literal["3cosadd", "3cosmul"] = "3cosadd",
    restrict: Annotated[int, Parameter(validator=Number(gte=1))] = 30_000,
    common: Flag = False,
    confidence: Flag = False,
    layer: Layer = "all",
    seed: int = 1,
    threads: Annotated[int | None, Parameter(validator=Number(gte=1))] = None,
    cache_dir: Path | None = None,
    as_json: AsJson = False,
) -> None:
    """Print how models score on word pairs, analogies, groups, categories, and words in sentences.

    One row for each model and layer, then a table for each kind of set.

    Args:
        models: Models, or files of vectors.
        pairs: Files of two words and a score a line, parted by tabs, commas or spaces.
        analogies: Files of four words a line, in sections that begin with `: name`.
        outliers: Files of words that belong together, an empty line, and words that do not; or folders of them.
        categories: Files of a word and its category a line.
        scws: Files of SCWS, pairs of words in sentences, as it was published; for models, not for vectors alone.
        wic: Folders of WiC, a word in two sentences, as it was published.
        corpus: A text that SCWS's words are looked for in: their senses there, for avgsim, avgsimc and localsim of
            models of ELMo, GPT and BERT.
        sets: Sets by name, as wordsim353,simlex999,google; `firth sets` lists them. What is not on this machine is
            fetched.
        sets_from: A folder where sets are looked for first.
        method: How analogies are answered.
        restrict: How many of the most frequent words take part in pairs and analogies.
        common: Score all models over the words that all of them know.
        confidence: Print intervals too, and which differences of models are more than chance.
        layer: The layer whose vectors are evaluated; all by default.
        seed: Of the clusters of categories, and of the samples of intervals.
        threads: That read sentences; all cores by default.
        cache_dir: Where sets that are fetched are kept, and the corpus meanwhile; by default the user's own.
        as_json: Print JSON, for machines.
    """
    if not models or not (pairs or analogies or outliers or categories or scws or wic or sets):
        raise UsageError(
            "evaluate takes a model, and --pairs FILE, --analogies FILE, --outliers FILE, --categories FILE, --scws "
            "FILE, --wic FOLDER or --sets NAMES"
        )
    files: dict[Kind, Sequence[Path]] = {
        "similarity": pairs,
        "analogy": analogies,
        "outliers": outliers,
        "categories": categories,
        "scws": scws,
        "wic": wic,
    }
    asked = [_read(path, path.stem, kind) for kind, paths in files.items() for path in paths]
    asked += [_named(name, sets_from, cache_dir) for name in sets]
    asked = _labelled(asked)
    _check_corpus(corpus, asked, models)
    of_words = [one for one in asked if one.kind not in _IN_SENTENCES]
    in_sentences = [one for one in asked if one.kind in _IN_SENTENCES]
    results = []
    if of_words:
        for model, number, vectors in _rows_of(models, layer, common=common):
            scored = [_Scored(one, _result(vectors, one, method, restrict, seed)) for one in of_words]
            results.append(_Evaluated(model, number, scored))
    used = [
        _InSentences(model, one, measured)
        for model in models
        for one in in_sentences
        for measured in _in_sentences(model, one, layer, corpus, seed, threads, cache_dir)
    ]
    compared = _compared(results, used, method, seed) if confidence else []
    if as_json:
        print_json(_everything(models, results, used, compared, seed if confidence else None))
        return
    _print(results, used, compared, seed if confidence else None)
    for result in results:
        _tell_composed(result)
        _name_unknown(result)


class _Asked(NamedTuple):
    """A set.

    Attributes:
        label: What tables call it.
        path: Where it is.
        kind: What it asks.
        questions: As the reader of its kind gives them.
        name: That it was asked for by; None of a file.
    """

    label: str
    path: Path
    kind: "Kind"
    questions: Any
    name: str | None = None


class _Scored(NamedTuple):
    """What a layer scored on a set."""

    asked: _Asked
    result: "Result"


class _Evaluated(NamedTuple):
    """What one layer of a model scored on each set."""

    model: Path
    layer: int
    scored: list[_Scored]

    def of_kind(self, kind: str) -> list[_Scored]:
        """Those of one kind."""
        return [one for one in self.scored if one.asked.kind == kind]


class _InSentences(NamedTuple):
    """What one layer of a model scored on words in sentences."""

    model: Path
    asked: _Asked
    measured: "Measured"


# --- sets


def _read(path: Path, label: str, kind: "Kind", name: str | None = None) -> _Asked:
    from firth.sets import READERS

    if kind in READERS:
        return _Asked(label, path, kind, READERS[kind](path), name)
    from firth import judgements

    return _Asked(label, path, kind, judgements.read(path, "scws" if kind == "scws" else "wic"), name)


def _named(name: str, folder: Path | None, cache_dir: Path | None) -> _Asked:
    from firth.sets import find

    found = find(name, folder=folder, cache_dir=cache_dir)
    for remark in found.remarks:
        say(remark)
    return _read(found.path, found.known.name, found.known.kind, found.known.name)


def _check_corpus(corpus: Sequence[Path], asked: Sequence[_Asked], models: Sequence[Path]) -> None:
    n_uses = sum(one.kind == "scws" for one in asked) * len(models)
    if corpus and not n_uses:
        raise UsageError("--corpus is for the senses of SCWS's words: give --scws FILE or --sets scws as well")
    if n_uses > 1 and any(str(path) == "-" for path in corpus):
        raise UsageError("standard input can be read once: --corpus - is for one model and one set")


def _labelled(asked: Sequence[_Asked]) -> list[_Asked]:
    """The sets with labels that differ: the path, where two files have the same name."""
    labels = [(one.kind, one.label) for one in asked]
    return [one if labels.count((one.kind, one.label)) == 1 else one._replace(label=str(one.path)) for one in asked]


# --- scores


def _rows_of(models: Sequence[Path], layer: Layer, *, common: bool) -> "Iterator[tuple[Path, int, Vectors]]":
    """Each model and layer with its vectors."""
    if not common:
        for model in models:
            for number, matrix in matrices(load_vectors(model), layer):
                yield model, number, matrix
        return
    from firth.measures import in_common

    shared = in_common([load_vectors(model) for model in models])
    say(f"{len(shared[0]):,} words are known to all {len(models)} models; scores are over these")
    for model, vectors in zip(models, shared, strict=True):
        for number, matrix in matrices(vectors, layer):
            yield model, number, matrix


def _result(vectors: "Vectors", asked: _Asked, method: Any, restrict: int, seed: int) -> "Result":
    if asked.kind == "similarity":
        return vectors.evaluate_word_pairs(asked.questions, restrict=restrict)
    if asked.kind == "analogy":
        return vectors.evaluate_word_analogies(asked.questions, restrict=restrict, method=method)
    if asked.kind == "outliers":
        return vectors.evaluate_outliers(asked.questions)
    return vectors.evaluate_categories(asked.questions, seed=seed)


def _in_sentences(
    model: Path,
    asked: _Asked,
    layer: Layer,
    corpus: Sequence[Path],
    seed: int,
    threads: int | None,
    cache_dir: Path | None,
) -> "list[Measured]":
    from firth import judgements
    from firth.extraction import prepare
    from firth.senses import learnt

    layers: Any = "last" if layer is None else layer
    if asked.kind == "scws":
        senses = None
        if corpus and prepare(model, layers=layers, threads=threads).reader.has_context:
            words = list(dict.fromkeys(word for pair in asked.questions for word in (pair.first, pair.second)))
            senses = learnt(model, list(corpus), words, layers=layers, seed=seed, threads=threads, cache_dir=cache_dir)
        return judgements.evaluate_scws(model, asked.questions, layers=layers, senses=senses, threads=threads)
    return judgements.evaluate_wic(model, *asked.questions, layers=layers, threads=threads)


_MEASURE: dict[str, Any] = {
    "similarity": "spearman",
    "analogy": "accuracy",
    "outliers": "accuracy",
    "categories": "purity",
}


def _items(one: _Scored) -> Any:
    """What the main score of a set is made of."""
    found: Any = one.result
    return found.found() if one.asked.kind == "outliers" else found.items()


def _compared(results: Sequence[_Evaluated], used: Sequence[_InSentences], method: str, seed: int) -> list[Row]:
    """The differences of each two models on each set, at the last layer evaluated; p is corrected for all of them."""
    from firth.significance import LEVEL, differences, holm

    last = {result.model: result for result in results}
    last_used: dict[tuple[str, str], dict[Path, Any]] = {}
    for one in used:
        of_set = last_used.setdefault((one.asked.label, one.measured.method or one.measured.measure), {})
        of_set[one.model] = one.measured
    found: list[dict[str, Any]] = []

    def add(label: str, measure: str, how: str, items: dict[str, Any], layers: dict[str, int]) -> None:
        for (a, b), told in differences(measure, items, seed=seed).items():  # type: ignore[arg-type]
            row = {"set": label, "measure": measure, "method": how, "model a": a, "layer a": layers[a], "model b": b}
            row |= {"layer b": layers[b], "a - b": told.difference, "low": told.low, "high": told.high, "p": told.p}
            found.append(row)

    for place, scored in enumerate(results[0].scored if len(last) > 1 else ()):
        items = {str(model): [_items(result.scored[place])] for model, result in last.items()}
        how = method if scored.asked.kind == "analogy" else ""
        add(scored.asked.label, _MEASURE[scored.asked.kind], how, items, {str(m): r.layer for m, r in last.items()})
    for (label, _), of_models in last_used.items():
        if len(of_models) > 1:
            items = {str(model): [measured.items] for model, measured in of_models.items()}
            first = next(iter(of_models.values()))
            add(
                label,
                first.measure,
                first.method or "",
                items,
                {str(m): measured.layer for m, measured in of_models.items()},
            )
    corrected = holm([row["p"] for row in found])
    return [
        row | {"p corrected": p, "more than chance": _verdict(row["p"], is_sure=p < LEVEL)}
        for row, p in zip(found, corrected, strict=True)
    ]


def _verdict(p: float, *, is_sure: bool) -> str:
    if math.isnan(p):
        return "not tested"
    return "yes" if is_sure else "no: a tie"


def _interval(measure: Any, items: Any, seed: int | None) -> dict[str, float]:
    """Between what a score lies, where that is asked for."""
    if seed is None:
        return {}
    from firth.significance import interval

    found = interval(measure, items, seed=seed)
    return {"low": found.low, "high": found.high}


# --- JSON


def _everything(
    models: Sequence[Path],
    results: Sequence[_Evaluated],
    used: Sequence[_InSentences],
    compared: Sequence[Row],
    seed: int | None,
) -> Any:
    """All figures and all unknown words, a part for each model and layer."""
    parts: dict[tuple[str, int | None], dict[str, Any]] = {}
    for result in results:
        parts[str(result.model), result.layer] = {
            "model": str(result.model),
            "layer": result.layer,
            "pairs": [_pairs_told(one, seed) for one in result.of_kind("similarity")],
            "analogies": [_analogies_told(one, seed) for one in result.of_kind("analogy")],
            "outliers": [_without(one, seed, "positions") for one in result.of_kind("outliers")],
            "categories": [_without(one, seed, "categories", "clusters") for one in result.of_kind("categories")],
        }
    for one in used:
        layer = one.measured.layer
        part = parts.setdefault((str(one.model), layer), {"model": str(one.model), "layer": layer})
        told = _source(one.asked) | {
            "measure": one.measured.measure,
            "method": one.measured.method,
            "score": one.measured.score,
            "threshold": one.measured.threshold,
            "n_asked": one.measured.n_items,
            "n_answered": one.measured.n_known,
            "unknown": one.measured.unknown,
        }
        part.setdefault("in_sentences", []).append(told | _interval(one.measured.measure, one.measured.items, seed))
    order = {str(model): place for place, model in enumerate(models)}
    told_all = sorted(parts.values(), key=lambda part: order[part["model"]])
    return told_all if seed is None else {"models": told_all, "differences": list(compared)}


def _source(asked: _Asked) -> dict[str, Any]:
    return {"file": str(asked.path)} | ({} if asked.name is None else {"set": asked.name})


def _without(one: _Scored, seed: int | None, *hidden: str) -> dict[str, Any]:
    """A result's figures, but for those of each question."""
    figures = {name: value for name, value in one.result._asdict().items() if name not in hidden}
    return _source(one.asked) | figures | _interval(_MEASURE[one.asked.kind], _items(one), seed)


def _pairs_told(one: _Scored, seed: int | None) -> dict[str, Any]:
    return _without(one, seed, "gold", "cosines")


def _analogies_told(one: _Scored, seed: int | None) -> dict[str, Any]:
    answers: Any = one.result
    return (
        _source(one.asked)
        | shares(answers.total)
        | _interval("accuracy", _items(one), seed)
        | {"unknown": answers.unknown, "sections": [shares(section) for section in answers.sections]}
    )


def shares(section: "SectionResult") -> dict[str, Any]:
    """A section's figures by name."""
    return section._asdict() | {"accuracy": section.accuracy}


# --- tables


def _print(
    results: Sequence[_Evaluated], used: Sequence[_InSentences], compared: Sequence[Row], seed: int | None
) -> None:
    """The summary, and a table for each kind that was asked for."""
    blocks: list[list[Row]] = [[_summary(result) for result in results]] if results else []
    for kind in _MEASURE:
        blocks.append(
            [
                {"model": str(result.model), "layer": result.layer, **row}
                for result in results
                for one in result.of_kind(kind)
                for row in _scores(one, seed)
            ]
        )
    for kind in _IN_SENTENCES:
        blocks.append([_in_sentences_row(one, seed) for one in used if one.asked.kind == kind])
    blocks.append(list(compared))
    for place, block in enumerate([block for block in blocks if block]):
        if place:
            print()
        print_rows(block)


def _summary(result: _Evaluated) -> Row:
    """One row: each set's main figures in columns of their own."""
    row: dict[str, str | int | float] = {"model": str(result.model), "layer": result.layer}
    for one in result.scored:
        found: Any = one.result
        names = {"similarity": ("spearman",), "outliers": ("accuracy", "opp"), "categories": ("purity",)}
        for name in names.get(one.asked.kind, ("accuracy",)):
            row[f"{one.asked.label} {name}"] = getattr(found, name)
    return row


_FIGURES: dict[str, dict[str, str]] = {
    "similarity": {"spearman p": "spearman_p", "pearson": "pearson", "pearson p": "pearson_p"},
    "outliers": {"opp": "opp"},
    "categories": {"clusters": "n_clusters"},
}
"""What stands behind the main score of a set, by the titles of the columns."""


def _scores(one: _Scored, seed: int | None) -> Iterator[Row]:
    """The rows of a set in the table of its kind."""
    kind, found = one.asked.kind, one.result
    if kind == "analogy":
        yield from _accuracies(one, seed)
        return
    measure = _MEASURE[kind]
    yield {
        "pairs" if kind == "similarity" else kind: one.asked.label,
        measure: getattr(found, measure),
        **_interval(measure, _items(one), seed),
        **{title: getattr(found, name) for title, name in _FIGURES[kind].items()},
        "answered": _answered(found),
    }


def _answered(found: Any) -> str:
    return f"{found.n_answered}/{found.n_asked}"


def _accuracies(one: _Scored, seed: int | None) -> Iterator[Row]:
    answers: Any = one.result
    for section in (*answers.sections, answers.total):
        of_section = [
            item
            for question, item in zip(one.asked.questions, _items(one).tolist(), strict=True)
            if section is answers.total or question.section == section.name
        ]
        yield {"analogies": one.asked.label, **accuracy(section), **_interval("accuracy", of_section, seed)}


def accuracy(section: "SectionResult") -> Row:
    """A section's accuracy as a row has it."""
    return {"section": section.name, "accuracy": section.accuracy, "answered": _answered(section)}


def _in_sentences_row(one: _InSentences, seed: int | None) -> Row:
    measured = one.measured
    row: dict[str, Any] = {"model": str(one.model), "layer": measured.layer, "in sentences": one.asked.label}
    if measured.method is not None:
        row["method"] = measured.method
    row[measured.measure] = measured.score
    row |= _interval(measured.measure, measured.items, seed)
    if measured.threshold is not None:
        row["threshold"] = measured.threshold
    return row | {"answered": f"{measured.n_known}/{measured.n_items}"}


# --- what standard error tells


def _tell_composed(result: _Evaluated) -> None:
    """Says on standard error how many words of each file n-grams answered for."""
    for one in result.of_kind("similarity"):
        n_composed = getattr(one.result, "n_composed", 0)
        if n_composed:
            place = f"{result.model}, layer {result.layer}"
            words = "1 word" if n_composed == 1 else f"{n_composed:,} words"
            say(f"{place}: n-grams answered for {words} of {one.asked.path.name} that are not in the vocabulary")


def _name_unknown(result: _Evaluated) -> None:
    """Says on standard error which words of each file were unknown, the first few of them."""
    for one in result.scored:
        words = one.result.unknown
        if words:
            more = f" and {len(words) - 10:,} more (--json names all)" if len(words) > 10 else ""
            place = f"{result.model}, layer {result.layer}"
            say(f"{place}: unknown words of {one.asked.path.name}: {', '.join(words[:10])}{more}")


# --- sets by name


def list_sets(
    *names: str, sets_from: Path | None = None, cache_dir: Path | None = None, as_json: AsJson = False
) -> None:
    """List the evaluation sets that are known by name, and where they are; with names, fetch those that are nowhere.

    None of them is part of firth: each has its authors' terms.

    Args:
        names: Sets to fetch where they are not on this machine, as men,wic.
        sets_from: A folder where sets are looked for first; by default the one that FIRTH_SETS names.
        cache_dir: Where what is fetched is kept; by default the user's own.
        as_json: Print JSON, for machines.
    """
    from firth.sets import checked, find, look

    asked = [name for given in names for name in given.split(",") if name]
    if asked:
        found: list[tuple[Any, Found | None]] = []
        for name in asked:
            one = find(name, folder=sets_from, cache_dir=cache_dir)
            for remark in one.remarks:
                say(remark)
            found.append((one.known, one))
    else:
        found = list(look(folder=sets_from, cache_dir=cache_dir))
    rows: list[Row] = [
        {
            "set": known.name,
            "kind": known.kind,
            "language": known.language,
            "where": "not here" if one is None else "cache" if one.where == "fetched" else one.where,
            "checksum": "" if one is None else checked(one),
            "place": (known.address or known.page) if one is None else str(one.path),
            "title": known.title,
        }
        for known, one in found
    ]
    show(rows, as_json=as_json)
