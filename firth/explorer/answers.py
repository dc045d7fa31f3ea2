"""What is asked of matrices of words, as the API answers it: neighbours, similarities, analogies, cosines, movers.

All of it is found in the space of the vectors, never in a picture of it.
"""

from collections.abc import Sequence
from itertools import combinations, islice
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from firth import neighbours
from firth.errors import FirthError, UnknownWordError, UsageError
from firth.explanations import known_parts, nearest_spellings
from firth.explorer.concordance import Concordance
from firth.explorer.faults import NoSuchWordError, ToldError
from firth.explorer.pictures import principal
from firth.explorer.shelf import Matrix, Shelf, Shown
from firth.files import without_folders
from firth.movement import Moved, change
from firth.parts import asked_of, cuts_of, extracted
from firth.readers import of_words
from firth.vectors import Vectors

Answer = dict[str, Any]

DIGITS: Final = 6
COMPLETIONS_LOOKED_AT: Final = 1_000_000
MOST_NUMBERS: Final = 2_000_000
"""Of the vectors that one answer may hold."""


def number(value: float | np.floating[Any]) -> float | None:
    """A number as JSON has it: rounded, and None where it is none."""
    return round(float(value), DIGITS) if np.isfinite(value) else None


def spellings(vectors: Vectors, word: str) -> list[str]:
    """The known words spelt most like `word`."""
    return nearest_spellings(word[:50], vectors.words)


def count_of(vectors: Vectors, row: int | None) -> int | None:
    """How often the word of a row occurred, where that is known."""
    return None if row is None or vectors.counts is None else int(vectors.counts[row])


def _column(matrix: Matrix, word: str) -> Answer:
    """What stands at the head of a column: the matrix, and what it knows of a word."""
    vectors = matrix.vectors
    told: Answer = {
        "of": matrix.name,
        "model": matrix.model.name,
        "family": matrix.model.family,
        "layer": matrix.layer,
        "known": vectors.has_vector(word),
    }
    if not told["known"]:
        return told | {"word": word} | _unknown(vectors, word)
    row = vectors.row(word) if word in vectors else None
    return told | {
        "word": word if row is None else vectors.words[row],
        "count": count_of(vectors, row),
        "rank": None if row is None else row + 1,
        "from_ngrams": row is None,
    }


def _unknown(vectors: Vectors, word: str) -> Answer:
    try:
        vectors[word]
    except UnknownWordError as error:
        told = without_folders(str(error))
        return {"error": told, "spellings": spellings(vectors, word), "parts": known_parts(word, vectors)}
    return {}


def refuse_unknown(columns: Sequence[Answer]) -> None:
    """Raises NoSuchWordError where no column knows what it was asked."""
    if columns and not any(column["known"] for column in columns):
        first = columns[0]
        word: str = first["word"]
        raise NoSuchWordError(first.get("error", word), word, first.get("spellings", []), first.get("parts", []))


# --- the questions


def near(shelf: Shelf, words: Sequence[str], of: Sequence[str], topn: int) -> list[Answer]:
    """The neighbours of each word in each matrix, and how many two matrices share; many words to one product.

    Raises:
        NoSuchWordError: no matrix knows one of the words.
    """
    found = near_each(shelf, words, of, topn)
    for one in found:
        if isinstance(one, NoSuchWordError):
            raise one
    return [one for one in found if not isinstance(one, NoSuchWordError)]


def near_each(shelf: Shelf, words: Sequence[str], of: Sequence[str], topn: int) -> list[Answer | NoSuchWordError]:
    """The same; in the place of the answer to a word that no matrix knows, the error that says so."""
    matrices = shelf.matrices(of)
    by_matrix = [_near_in(matrix, words, topn) for matrix in matrices]
    answers: list[Answer | NoSuchWordError] = []
    for place, word in enumerate(words):
        columns = [found[place] for found in by_matrix]
        try:
            refuse_unknown(columns)
        except NoSuchWordError as error:
            answers.append(error)
            continue
        known = [column for column in columns if column["known"]]
        overlaps = [_overlap(a, b) for a, b in combinations(known, 2)]
        python = "\n".join(column["python"] for column in known)
        answers.append({"word": word, "topn": topn, "columns": columns, "overlaps": overlaps, "python": python})
    return answers


def _near_in(matrix: Matrix, words: Sequence[str], topn: int) -> list[Answer]:
    vectors = matrix.vectors
    columns = [_column(matrix, word) for word in words]
    known = [column["word"] for column in columns if column["known"]]
    found = iter(vectors.similar_by_words(known, topn) if len(known) > 1 else _one(vectors, known, topn))
    for column in columns:
        column["neighbours"] = []
        column["python"] = None
        if column["known"]:
            column["neighbours"] = [_neighbour(vectors, other, cosine) for other, cosine in next(found)]
            column["python"] = f"{matrix.python}.most_similar({column['word']!r}, topn={topn})"
    return columns


def _one(vectors: Vectors, known: Sequence[str], topn: int) -> list[list[tuple[str, float]]]:
    return [vectors.most_similar(word, topn=topn) for word in known]


def _neighbour(vectors: Vectors, word: str, cosine: float) -> Answer:
    row = vectors.row(word)
    return {"word": word, "cosine": number(cosine), "count": count_of(vectors, row), "row": row}


def _overlap(a: Answer, b: Answer) -> Answer:
    first, second = ({one["word"] for one in column["neighbours"]} for column in (a, b))
    shared, either = len(first & second), len(first | second)
    return {"a": a["of"], "b": b["of"], "shared": shared, "jaccard": number(shared / either) if either else None}


def alike(shelf: Shelf, pairs: Sequence[tuple[str, str]], of: Sequence[str]) -> list[Answer]:
    """The cosine of the two words of each pair in each matrix."""
    answers = []
    for word1, word2 in pairs:
        columns = []
        for matrix in shelf.matrices(of):
            first, second = _column(matrix, word1), _column(matrix, word2)
            unknown = next((column for column in (first, second) if not column["known"]), None)
            if unknown is None:
                python = f"{matrix.python}.similarity({first['word']!r}, {second['word']!r})"
                cosine = number(matrix.vectors.similarity(first["word"], second["word"]))
                columns.append(_head(first) | {"known": True, "cosine": cosine, "python": python})
            else:
                columns.append(unknown | {"cosine": None, "python": None})
        refuse_unknown(columns)
        answers.append({"word1": word1, "word2": word2, "columns": columns})
    return answers


def _head(column: Answer) -> Answer:
    return {name: column[name] for name in ("of", "model", "family", "layer")}


def analogies(shelf: Shelf, a: str, b: str, c: str, expected: str | None, of: Sequence[str], topn: int) -> Answer:
    """What is to c as b is to a (3CosAdd, as `most_similar`), and the true rank of the word that was expected."""
    columns = []
    asked = [a, b, c, *([expected] if expected else [])]
    for matrix in shelf.matrices(of):
        heads = [_column(matrix, word) for word in asked]
        unknown = next((head for head in heads if not head["known"]), None)
        if unknown is not None:
            nothing: Answer = {"answers": [], "rank": None, "of_words": None, "picture": None, "python": None}
            columns.append(unknown | nothing)
            continue
        vectors = matrix.vectors
        first, second, third = (head["word"] for head in heads[:3])
        python = f"{matrix.python}.most_similar(positive=[{second!r}, {third!r}], negative=[{first!r}], topn={topn})"
        found = vectors.most_similar(positive=[second, third], negative=[first], topn=topn)
        rank = None
        if expected:
            direction = vectors.mean_vector([second, third, first], [1, 1, -1])
            rank = _rank(vectors, direction, heads[3]["word"], [first, second, third])
        shown = [first, second, third, heads[3]["word"] if expected else found[0][0] if found else third]
        picture = principal(neighbours.unit(vectors[shown]))
        columns.append(
            _head(heads[0])
            | {
                "known": True,
                "answers": [_neighbour(vectors, word, cosine) for word, cosine in found],
                "rank": rank,
                "of_words": len(vectors) - len({word for word in (first, second, third) if word in vectors}),
                "picture": {
                    "words": shown,
                    "points": [[number(x), number(y)] for x, y in picture.points],
                    "explained": number(sum(picture.explained)),
                },
                "python": python,
            }
        )
    refuse_unknown(columns)
    return {"a": a, "b": b, "c": c, "expected": expected or None, "topn": topn, "columns": columns}


def _rank(vectors: Vectors, direction: NDArray[np.float32], expected: str, left_out: Sequence[str]) -> int | None:
    """The place of a word among all by their cosine with a direction; None of one that is left out."""
    if expected in left_out or expected not in vectors:
        return None
    distances = vectors.distances(direction)
    row = vectors.row(expected)
    nearer = distances < distances[row]
    nearer[[vectors.row(word) for word in left_out if word in vectors]] = False
    return int(nearer.sum()) + 1


def vector(shelf: Shelf, word: str, of: Sequence[str]) -> Answer:
    """The vector of a word in each matrix."""
    columns = []
    for matrix in shelf.matrices(of):
        column = _column(matrix, word)
        column["vector"] = column["python"] = None
        if column["known"]:
            column["vector"] = [number(x) for x in matrix.vectors[column["word"]]]
            column["python"] = f"{matrix.python}[{column['word']!r}]"
        columns.append(column)
    refuse_unknown(columns)
    return {"word": word, "columns": columns}


def completions(model: Shown, prefix: str, limit: int) -> Answer:
    """The words of a model that begin so, the first rows first, which are the most frequent ones."""
    vectors = model.vectors_or_error()
    folded = vectors.segmentation is not None and vectors.segmentation.lower
    rows = _beginning(vectors.words, prefix.lower() if folded else prefix, limit)
    found = [{"word": vectors.words[row], "count": count_of(vectors, row), "row": row} for row in rows]
    return {"model": model.name, "prefix": prefix, "words": found}


def completions_in(concordance: Concordance, prefix: str, limit: int) -> Answer:
    """The words of a corpus that begin so, the most frequent first; their row is the place by frequency."""
    words = concordance.by_frequency
    rows = _beginning(words, concordance.segmentation.normalize(prefix.strip()), limit)
    found = [{"word": words[row], "count": concordance.count(words[row]), "row": row} for row in rows]
    return {"model": None, "prefix": prefix, "words": found}


def _beginning(words: Sequence[str], prefix: str, limit: int) -> list[int]:
    """The rows of the first words that begin so."""
    rows = (row for row, word in enumerate(islice(words, COMPLETIONS_LOOKED_AT)) if word.startswith(prefix))
    return list(islice(rows, limit))


def cosines_of_words(shelf: Shelf, of: str, words: Sequence[str]) -> Answer:
    """The cosine of each of some words with each other; those not known are left out, and named."""
    matrix = shelf.matrix(of)
    vectors = matrix.vectors
    known = list(dict.fromkeys(_column(matrix, word)["word"] for word in words if vectors.has_vector(word)))
    unknown = [{"word": word, "spellings": spellings(vectors, word)} for word in words if not vectors.has_vector(word)]
    if not known:
        refuse_unknown([_column(matrix, words[0])])
    python = (
        f"vectors = {matrix.python}\n[[vectors.similarity(a, b) for b in words] for a in words]  # words = {known!r}"
    )
    return _heat(matrix, known, vectors[known]) | {"unknown": unknown, "python": python}


def cosines_of_sentences(shelf: Shelf, of: str, sentences: Sequence[str]) -> Answer:
    """The cosine of each of some sentences with each other: of their vectors in one layer."""
    name, layer = of.rpartition(":")[0], of.rpartition(":")[2]
    named = name and layer.isdecimal() and not any(model.name == of for model in shelf.models)
    model = shelf.model(name if named else of)
    if model.is_contextual:
        wanted: str | list[int] = [int(layer)] if named else "last"
        asked = asked_of(model.reader(), layers=wanted, unit="sentence", pool="mean")
        number_of_layer = asked.layers.numbers[0]
        found = extracted(asked, list(sentences))
    else:
        number_of_layer = shelf.matrix(of).layer
        found = extracted(asked_of(of_words(shelf.matrix(of).vectors), unit="sentence"), list(sentences))
    read = list(found)
    if (nowhere := next((text for text, one in zip(sentences, read, strict=True) if one.unknown), None)) is not None:
        raise ToldError("fault-sentence", name=model.name, sentence=nowhere[:80])
    rows = np.stack([sentence.array[0, 0] for sentence in read])
    python = (
        f"found = firth.extract({model.name!r}, sentences, layers={number_of_layer}, unit='sentence')\n"
        "rows = firth.neighbours.unit(numpy.stack([sentence.array[0, 0] for sentence in found]))\nrows @ rows.T"
    )
    return _heat(Matrix(model, number_of_layer), list(sentences), rows) | {"unknown": [], "python": python}


def distinct(labels: Sequence[str]) -> list[str]:
    """Labels as the names of columns: one that stands there again has its number behind it."""
    names: dict[str, None] = {}
    for label in labels:
        name, number_of = label, 1
        while name in names:
            number_of += 1
            name = f"{label} ({number_of})"
        names[name] = None
    return list(names)


def _heat(matrix: Matrix, labels: list[str], rows: NDArray[np.floating[Any]]) -> Answer:
    units = neighbours.unit(np.asarray(rows, np.float32))
    return {
        "of": matrix.name,
        "model": matrix.model.name,
        "layer": matrix.layer,
        "labels": labels,
        "cosines": [[number(x) for x in row] for row in (units @ units.T).clip(-1, 1)],
    }


def movers(old: Shown, new: Shown, layer: int | None, topn: int) -> Answer:
    """The words that moved most between two models, one turned onto the other, with their neighbours in both."""
    found = _moved(old, new, layer, topn)
    at = "" if layer is None else f", layer={layer}"
    return {
        "old": old.name,
        "new": new.name,
        "layer": layer,
        "movers": [
            {
                "word": one.word,
                "movement": number(one.movement),
                "old_count": one.old_count,
                "new_count": one.new_count,
                "old_neighbours": [[word, number(cosine)] for word, cosine in one.old_neighbours],
                "new_neighbours": [[word, number(cosine)] for word, cosine in one.new_neighbours],
            }
            for one in found
        ],
        "python": f"firth.change({old.name!r}, {new.name!r}{at}, topn={topn})",
    }


def _moved(old: Shown, new: Shown, layer: int | None, topn: int) -> list[Moved]:
    before, now = old.vectors_or_error(), new.vectors_or_error()
    if before.dim != now.dim:
        raise ToldError("fault-dims", old=old.name, new=new.name, old_dim=before.dim, new_dim=now.dim)
    lasts = [vectors.layer_numbers[-1] for vectors in (before, now) if vectors.n_layers > 1]
    if layer is None and len(set(lasts)) > 1:
        raise ToldError("fault-last-layers", old=old.name, new=new.name)
    try:
        return change(before, now, layer=layer, topn=topn)
    except FirthError:
        if (n := len(set(before.words) & set(now.words))) < before.dim:
            raise ToldError("fault-few-shared", old=old.name, new=new.name, n=n, dim=before.dim) from None
        raise


def contexts(model: Shown, sentences: Sequence[str], layers: Sequence[int] | None, *, with_vectors: bool) -> Answer:
    """The words of sentences with their vectors in context.

    Raises:
        UsageError: there is no such layer, or nothing to read in a sentence, or more than MOST_NUMBERS are asked for.
    """
    if not model.is_contextual and model.vectors is None:
        raise FirthError(f"'{model.name}' has neither a network nor vectors: nothing reads sentences by it")
    asked = asked_of(model.reader(), layers="all" if layers is None else list(layers))
    if with_vectors:
        n_words = sum(len(cut.words) for cut in cuts_of(asked, list(sentences)))
        if (n := n_words * asked.n_layers * asked.dim) > MOST_NUMBERS:
            raise UsageError(
                f"{n_words:,} words in {asked.n_layers} layers of {asked.dim} dimensions are {n:,} numbers, and at "
                f"most {MOST_NUMBERS:,} are answered at once; send fewer sentences at a time, or name fewer layers"
            )
    told = []
    for sentence in extracted(asked, list(sentences)):
        answer: Answer = {"words": sentence.words, "unknown": sentence.unknown}
        if with_vectors:
            answer["vectors"] = [[[number(x) for x in row] for row in rows] for rows in sentence.array]
        told.append(answer)
    if not told:
        raise UsageError("there is no word in what was given")
    python = f"list(firth.extract({model.name!r}, sentences, layers={list(asked.layers.numbers)}))"
    return {"model": model.name, "layers": list(asked.layers.numbers), "sentences": told, "python": python}
