"""A word in its contexts: its occurrences as points, layer by layer, and the senses that they fall into.

Of a contextual model an occurrence has the word's vector there, in each layer. A static model has one vector for a
word, whatever it means; of it an occurrence has the mean of what stands around the word, which tells senses apart by
their company: Schütze 1998, "Automatic Word Sense Discrimination". There a word w counts a / (a + p(w)), by its share
p(w) of the corpus (Arora et al. 2017, "A Simple but Tough-to-Beat Baseline for Sentence Embeddings", equation 1).

K layers, n occurrences, D dim
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from firth.alignment import Cut, cut_texts
from firth.clusters import Clusters, clustered
from firth.errors import UsageError
from firth.explorer.answers import Answer, distinct, number
from firth.explorer.concordance import Concordance, Occurrence, columns_by_frequency, settings_of
from firth.explorer.faults import ToldError
from firth.explorer.pictures import aligned, trustworthiness
from firth.explorer.shelf import Shown
from firth.neighbours import unit
from firth.parts import Wanted, asked_of, cuts_of, parts
from firth.progress import Progress
from firth.segmentation import Segmentation
from firth.vectors import Vectors

MOST: Final = 1_000
"""Occurrences that are shown, at most."""
AROUND: Final = 10
"""Words on either side of a word by which its senses are told."""
SENSES: Final = 5
"""The most senses that are tried where their number is not given."""
LEAST: Final = 10
"""Occurrences below which a word is taken to have one sense."""

_COMPONENTS: Final = 32  # of the vectors, by which senses are told: the rest is noise, and takes time
_STARTS: Final = 4
_TELLING: Final = 8  # words named of each sense
_FREQUENT: Final = 1e-3  # a of Arora et al.; words of a larger share of the corpus tell no sense
_FEW: Final = 50  # occurrences that are not many in the smallest corpus
_MIDDLE: Final = 10_000  # words whose mean is taken away


class Usages(NamedTuple):
    """The occurrences of a word and their vectors.

    Attributes:
        occurrences: n of them, in the order of the corpus.
        total: How many there are in all of it.
        kind: Whether the vectors are those of the word in `layers`, or of what stands `around` it.
        layers: The numbers of the layers, K.
        vectors: (K, n, D) float32.
    """

    occurrences: list[Occurrence]
    total: int
    kind: Literal["layers", "around"]
    layers: list[int]
    vectors: NDArray[np.float32]

    @property
    def n_bytes(self) -> int:
        """What they take in memory."""
        return self.vectors.nbytes + sum(400 + 2 * len(one.text) for one in self.occurrences)


def gathered(model: Shown, concordance: Concordance, word: str, most: int, seed: int, progress: Progress) -> Usages:
    """At most `most` occurrences of a word, drawn by the seed, with their vectors.

    Raises:
        NoSuchWordError: the corpus has it not.
        ToldError: the model knows it in none of them.
    """
    written = concordance.word(word)
    found = concordance.sample(written, most, seed)
    total = concordance.count(written)
    if model.is_contextual:
        numbers, vectors, is_there = _in_context(model, concordance.segmentation, found, progress)
        kind: Literal["layers", "around"] = "layers"
    else:
        numbers, kind = [model.vectors_or_error().layer_numbers[-1]], "around"
        vectors, is_there = _around(model.vectors_or_error(), concordance, written, found)
    places = np.flatnonzero(is_there)
    if not len(places):
        raise ToldError("fault-nowhere-known", name=model.name, word=written, n=len(found))
    return Usages([found[place] for place in places], total, kind, numbers, vectors[:, places])


def _in_context(
    model: Shown, segmentation: Segmentation, found: Sequence[Occurrence], progress: Progress
) -> tuple[list[int], NDArray[np.float32], NDArray[np.bool_]]:
    """The layers, the vectors (K, n, D) of words where they stand, and whether the model has them (n,).

    A model that reads words is given the sentences as its own text was cut, and the word of its that stands there.
    """
    with progress.stage("opening the model"):
        reader = model.reader()
    asked = asked_of(reader, segmentation=None if reader.reads_words or reader.family == "elmo" else segmentation)
    cuts = cuts_of(asked, [one.text for one in found])
    wanted = [_place(cut, one) for cut, one in zip(cuts, found, strict=True)]
    sentences = [
        Wanted(one.text, np.array([] if place is None else [place], np.int64))
        for one, place in zip(found, wanted, strict=True)
    ]
    vectors = np.full((asked.n_layers, len(found), asked.dim), np.nan, np.float32)
    with progress.stage("reading contexts") as advance:
        for part in parts(asked, sentences, block_pieces=1 << 13):
            place = wanted[part.sentence]
            if place is not None and 0 <= place - part.position < len(part.words):
                vectors[:, part.sentence] = part.array[:, place - part.position]
            advance((part.sentence + 1) / len(found), part.sentence + 1)
    return list(asked.layers.numbers), vectors, ~np.isnan(vectors[0, :, 0])


def _place(cut: Cut, occurrence: Occurrence) -> int | None:
    """Which word of a sentence stands where the occurrence is; None where none does."""
    if cut.text != occurrence.text or not len(cut.words):
        return None
    place = int(np.searchsorted(cut.ends, occurrence.start, side="right"))
    return place if place < len(cut.words) and cut.starts[place] < occurrence.end else None


def _around(
    vectors: Vectors, concordance: Concordance, word: str, found: Sequence[Occurrence]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """(1, n, D) the weighted mean directions of the words around each occurrence, and whether there is any (n,)."""
    means = np.zeros((1, len(found), vectors.dim), np.float32)
    middle = unit(vectors.matrix[:_MIDDLE]).mean(axis=0)  # which all vectors share, and which tells nothing
    is_there = np.zeros(len(found), np.bool_)
    for place, near in enumerate(_company(found, concordance.segmentation, word)):
        known = [other for other in near if other in vectors]
        if not known:
            continue
        shares = np.array([concordance.count(other) for other in known]) / concordance.n_words
        weights = (_FREQUENT / (_FREQUENT + shares)).astype(np.float32)
        means[0, place] = weights @ unit(unit(vectors[known]) - middle) / weights.sum()
        is_there[place] = True
    return means, is_there


def _company(found: Sequence[Occurrence], segmentation: Segmentation, word: str) -> Iterator[list[str]]:
    """The words around each occurrence, without the word itself."""
    for cut, one in zip(cut_texts([one.text for one in found], segmentation), found, strict=True):
        place = _place(cut, one)
        if place is None:
            yield []
            continue
        near = cut.words[max(0, place - AROUND) : place] + cut.words[place + 1 : place + 1 + AROUND]
        yield [other for other in near if other != word]


def shown(
    usages: Usages,
    model: Shown,
    concordance: Concordance,
    word: str,
    *,
    most: int,
    seed: int,
    n_senses: int | None,
    sense_layer: int | None,
    progress: Progress,
) -> Answer:
    """The answer of the API: points of each layer, senses, and what tells these apart."""
    with progress.stage("drawing the layers"):
        pictures = aligned(usages.vectors)
        trusted = [
            trustworthiness(vectors, picture.points, seed=seed)
            for vectors, picture in zip(usages.vectors, pictures, strict=True)
        ]
    with progress.stage("telling senses apart"):
        layer, groups = _senses(usages, n_senses, sense_layer, seed)
    written = concordance.word(word)
    most_frequent = max(_FREQUENT * concordance.n_words, _FEW)
    company = [
        [other for other in near if concordance.count(other) <= most_frequent]
        for near in _company(usages.occurrences, concordance.segmentation, written)
    ]
    return {
        "word": written,
        "model": model.name,
        "kind": usages.kind,
        "seed": seed,
        "total": usages.total,
        "shown": len(usages.occurrences),
        "layers": usages.layers,
        "occurrences": [
            {"id": place, **settings_of(one), "sense": int(sense)}
            for place, (one, sense) in enumerate(zip(usages.occurrences, groups.labels, strict=True))
        ],
        "points": [[[number(x), number(y)] for x, y in picture.points] for picture in pictures],
        "explained": [number(sum(picture.explained)) for picture in pictures],
        "trustworthiness": [None if value is None else number(value) for value in trusted],
        "self_similarity": [_self_similarity(vectors) for vectors in usages.vectors],
        "senses": {
            "n": groups.k,
            "layer": layer,
            "silhouette": number(groups.silhouette),
            "chosen": f"the number with the highest silhouette, 2 to {SENSES}, or 1"
            if n_senses is None
            else "as it was asked for",
            "of": [
                {"sense": sense, "size": int(size), "words": words}
                for sense, (size, words) in enumerate(
                    zip(groups.sizes, telling(company, groups.labels, groups.k), strict=True)
                )
            ],
        },
        "columns": columns_by_frequency(usages.occurrences, concordance.columns),
        "python": _python(model, concordance, written, most, seed),
    }


def _python(model: Shown, concordance: Concordance, word: str, most: int, seed: int) -> str:
    return (
        "from firth.explorer import pictures, shelf, usages\nfrom firth.explorer.concordance import indexed\n"
        "from firth.progress import Silent\n"
        f"index = {concordance.python}\nmodel = shelf.Shelf([{model.name!r}]).models[0]\n"
        f"found = usages.gathered(model, index, {word!r}, {most}, {seed}, Silent())\n"
        "points = [picture.points for picture in pictures.aligned(found.vectors)]"
    )


def _senses(usages: Usages, n_senses: int | None, sense_layer: int | None, seed: int) -> tuple[int, Clusters]:
    """The layer by which senses are told, and the groups: where no layer is named, that of the highest silhouette.

    Layer 0 of a network is what stands before any context was read: it takes part only where it is the one there is.
    """
    if sense_layer is not None:
        if sense_layer not in usages.layers:
            raise UsageError(f"layer {sense_layer} was asked for; there are {usages.layers}")
        places = [usages.layers.index(sense_layer)]
    else:
        places = [place for place, layer in enumerate(usages.layers) if layer] or [len(usages.layers) - 1]
    n = usages.vectors.shape[1]
    wanted = 1 if n < LEAST and n_senses is None else n_senses
    best = (
        places[-1],
        clustered(_components(usages.vectors[places[-1]]), wanted, most=SENSES, starts=_STARTS, seed=seed),
    )
    for place in places[:-1]:
        found = clustered(_components(usages.vectors[place]), wanted, most=SENSES, starts=_STARTS, seed=seed)
        if np.nan_to_num(found.silhouette, nan=-1) > np.nan_to_num(best[1].silhouette, nan=-1):
            best = place, found
    return usages.layers[best[0]], best[1]


def _components(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Directions seen from their mean, in their first principal components."""
    units = unit(vectors)
    centred: NDArray[np.float64] = (units - units.mean(axis=0)).astype(np.float64)
    if centred.shape[1] <= _COMPONENTS or len(centred) < 2:
        return np.asarray(centred, np.float32)
    _, directions = np.linalg.eigh(centred.T @ centred)
    components: NDArray[np.float32] = (centred @ directions[:, ::-1][:, :_COMPONENTS]).astype(np.float32)
    return components


def _self_similarity(vectors: NDArray[np.float32]) -> float | None:
    """The mean cosine of the occurrences with each other: Ethayarajh 2019; see `firth.contextuality`."""
    n = len(vectors)
    if n < 2:
        return None
    total = unit(vectors).sum(axis=0, dtype=np.float64)
    return number((float(total @ total) - n) / (n * n - n))


def telling(company: Sequence[Sequence[str]], labels: NDArray[np.int64], k: int) -> list[list[str]]:
    """The words that tell each group from the others, the most telling first.

    Monroe et al. 2008, "Fightin' Words", equation 22: the difference of the log odds of a word in the group and in the
    others, with all occurrences as the prior, in units of its standard deviation. A sentence counts a word once.
    """
    counts = [Counter[str]() for _ in range(k)]
    for words, label in zip(company, labels.tolist(), strict=True):
        counts[label].update(set(words))
    everything = sum(counts, Counter[str]())
    told = []
    n_all = everything.total()
    for own in counts:
        n_own = own.total()
        scores = {}
        for word, count in own.items():
            prior = everything[word] / n_all * 10
            here, there = count + prior, everything[word] - count + prior
            others = n_all - n_own + 10
            odds = np.log(here / max(n_own + 10 - here, 1e-9)) - np.log(there / max(others - there, 1e-9))
            if count > 1:
                scores[word] = odds / np.sqrt(1 / here + 1 / there)
        if k == 1:  # there is nothing to tell it from
            told.append([word for word, count in own.most_common(_TELLING) if count > 1])
            continue
        best = sorted(scores, key=lambda word: (-scores[word], word))
        told.append([word for word in best[:_TELLING] if scores[word] > 0])
    return told


def listed(concordance: Concordance, word: str, most: int, seed: int) -> Answer:
    """The sentences of a word, as the API gives them before there are any points."""
    written = concordance.word(word)
    found = concordance.sample(written, most, seed)
    return {
        "word": written,
        "total": concordance.count(written),
        "shown": len(found),
        "seed": seed,
        "occurrences": [{"id": place, **settings_of(one)} for place, one in enumerate(found)],
        "columns": columns_by_frequency(found, concordance.columns),
        "python": "from firth.explorer.concordance import indexed\n"
        f"{concordance.python}.sample({written!r}, {most}, {seed})",
    }


def in_rows(answer: Answer) -> list[dict[str, Any]]:
    """Occurrences as a table: their sentences, their places in each layer, and what the corpus kept with them.

    A column of the corpus that is called as one of ours has a number behind its name.
    """
    drawn = list(zip(answer.get("layers", []), answer.get("points", []), strict=True))
    places = [f"{axis}_{layer}" for layer, _ in drawn for axis in "xy"]
    rows = []
    for one in answer["occurrences"]:
        own = {name: value for name, value in one.items() if name != "columns"}
        names = distinct([*own, *places, *one["columns"]])
        at = [coordinate for _, points in drawn for coordinate in points[one["id"]]]
        rows.append(dict(zip(names, [*own.values(), *at, *one["columns"].values()], strict=True)))
    return rows
