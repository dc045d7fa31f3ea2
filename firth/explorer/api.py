"""The JSON API: what the page asks, and whoever else wants to.

Work of a while answers 202 with how far it is: the same request, repeated, is answered as soon as it is done.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple

import numpy as np
from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from firth.errors import FirthError, UnknownWordError, UsageError
from firth.explorer import answers, layers, maps, runs, schemas, spreadsheet, usages
from firth.explorer.answers import Answer
from firth.explorer.caches import MISSING
from firth.explorer.exploration import Exploration
from firth.explorer.faults import BusyError, NoSuchWordError, NotThereError, NotYetError, ToldError, TooSlowError
from firth.explorer.pictures import NEIGHBOURS, SAMPLE
from firth.explorer.shelf import Matrix, layer_fault
from firth.explorer.work import Made, Told, Working
from firth.files import printable, without_folders

Rows = list[dict[str, Any]]
Format = Annotated[Literal["json", "csv"], Query(description="csv gives a flat table")]
Word = Annotated[str, Query(min_length=1, max_length=200)]
Of = Annotated[
    list[schemas.Of], Query(max_length=32, description="MODEL, its last matrix, or MODEL:LAYER; none is every model")
]
Name = Annotated[str, Query(min_length=1, max_length=300)]
Topn = Annotated[int, Query(ge=1, le=200)]

FAULTS: Final = (400, 401, 403, 404, 408, 413, 415, 422, 503, 504)
WORKING: Final[dict[int | str, dict[str, Any]]] = {
    202: {"model": schemas.Progressing, "description": "The work is under way: repeat the request"}
}


class MapAsked(NamedTuple):
    """Which map is meant, of how many words, and the one that it is turned onto."""

    model: str
    layer: int | None
    method: maps.Method
    limit: int
    onto: str | None

    @property
    def of(self) -> str:
        """The matrix, as the shelf names it."""
        return self.model if self.layer is None else f"{self.model}:{self.layer}"


async def _map_asked(
    model: Name,
    layer: Annotated[int | None, Query(ge=0, le=999)] = None,
    method: maps.Method = "pca",
    limit: Annotated[int, Query(ge=3, le=maps.MOST)] = maps.MOST,
    onto: Annotated[str | None, Query(max_length=320)] = None,
) -> MapAsked:
    return MapAsked(model, layer, method, limit, onto)


OfMap = Annotated[MapAsked, Depends(_map_asked)]

# --- answers and faults


def _finite(value: Any) -> Any:
    """A value without numbers that JSON cannot say."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def as_json(answer: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer as JSON; half a surrogate pair, which UTF-8 cannot say, becomes a question mark."""
    body = json.dumps(answer, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8", "replace")
    told = {"Cache-Control": "no-store", **(headers or {})}
    return Response(body, status, media_type="application/json", headers=told)


def as_csv(rows: Rows, name: str) -> Response:
    """Rows as a CSV file to be saved."""
    headers = {"Content-Disposition": f'attachment; filename="firth-{name}.csv"', "Cache-Control": "no-store"}
    body = spreadsheet.written(rows).encode("utf-8", "replace")
    return Response(b"\xef\xbb\xbf" + body, media_type="text/csv; charset=utf-8", headers=headers)


def _fault(status: int, message: str, what_to_do: str, **more: Any) -> Response:
    told: Answer = {"error": printable(message)[:1_000], "what_to_do": printable(what_to_do)[:1_000], **more}
    return as_json(told, status, {"Retry-After": "1"} if status == 503 else None)


def fault_of(error: Exception) -> Response:
    """What is told of an error; no folder of this machine stands in it."""
    message = without_folders(str(error))
    if isinstance(error, NoSuchWordError):
        advice = "ask for one of the spellings, or a word of the corpus"
        known = {"word": error.word, "spellings": error.spellings, "parts": error.parts}
        return _fault(404, message, advice, code="fault-word", values={"word": error.word}, **known)
    if isinstance(error, UnknownWordError):
        return _fault(404, message, "ask for a word that the model knows", spellings=[])
    if isinstance(error, BusyError):
        return _told_fault(503, ToldError("fault-busy"))
    if isinstance(error, TooSlowError):
        return _told_fault(504, ToldError("fault-slow"))
    if isinstance(error, ToldError):
        return _told_fault(error.status, error)
    fault, mark, what_to_do = message.rpartition("; ")
    if not mark:
        fault, what_to_do = message, "GET /api/models says what there is"
    return _fault(400, fault, what_to_do)


def _told_fault(status: int, error: ToldError) -> Response:
    return _fault(status, error.told, error.advice, code=error.code, values=error.values)


_BOUNDS: Final = {
    "too_long": ("fault-too-many", "max_length"),
    "string_too_long": ("fault-too-long", "max_length"),
    "too_short": ("fault-too-few", "min_length"),
    "string_too_short": ("fault-too-short", "min_length"),
    "less_than_equal": ("fault-too-large", "le"),
    "greater_than_equal": ("fault-too-small", "ge"),
}
"""For the kinds of fault of a field that bounds break, the name of the text, and of the bound."""


def _field_fault(found: Mapping[str, Any]) -> Response:
    """What is told of a field that is not as it must be; `found` is pydantic's account of it."""
    place = [str(part) for part in found["loc"][1:]] or [str(found["loc"][0])]
    code, bound = _BOUNDS.get(found["type"], ("fault-field", ""))
    values = {"field": ".".join(place)[:80]}
    if bound:
        values["bound"] = found["ctx"][bound]
    what_to_do = "/api/openapi.json says what is asked for"
    return _fault(422, f"{values['field']}: {found['msg']}", what_to_do, code=code, values=values)


def install(app: FastAPI, exploration: Exploration) -> None:
    """Adds the routes and the answers to faults."""

    async def known(request: Request, error: Exception) -> Response:
        return fault_of(error)

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return _field_fault(error.errors()[0])

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        what_to_do = "/api/openapi.json lists what there is" if error.status_code == 404 else "send another request"
        answer = _fault(error.status_code, str(error.detail), what_to_do)
        for name, value in (error.headers or {}).items():
            answer.headers[name] = value
        return answer

    async def not_yet(request: Request, error: Exception) -> Response:
        assert isinstance(error, NotYetError)
        return _working(Working(error.what, error.done))

    app.add_exception_handler(NotYetError, not_yet)
    for kind in (FirthError, BusyError, TooSlowError):
        app.add_exception_handler(kind, known)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, refused)
    app.include_router(_router(exploration))


def _working(working: Working) -> Response:
    told = {"state": "working", "what": working.what, "done": _finite(working.done)}
    return as_json(told, 202, {"Retry-After": "1"})


def _router(exploration: Exploration) -> APIRouter:
    shelf = exploration.shelf
    faults: dict[int | str, dict[str, Any]] = {status: {"model": schemas.Fault} for status in FAULTS}
    faults[200] = {"content": {"text/csv": {}}, "description": "The answer; with format=csv a table"}
    router = APIRouter(prefix="/api", responses=faults)

    async def told(answer: Callable[[], Answer], rows: Callable[[Answer], Rows], format: str, name: str) -> Response:
        """An answer that is computed at once, as JSON or as CSV, which are written by the same thread."""

        def written() -> Response:
            found = answer()
            return as_csv(rows(found), name) if format == "csv" else as_json(found)

        return await exploration.gate.run(written)

    async def made(
        begin: Callable[[], tuple[Any, Callable[[Told], Made]]], rows: Callable[[Answer], Rows], format: str, name: str
    ) -> Response:
        """An answer that is made in the background; `begin` says under which key, and how."""

        def written() -> Response:
            key, make = begin()
            found = exploration.background.ask(key, make)
            if isinstance(found, Working):
                return _working(found)
            return as_csv(rows(found), name) if format == "csv" else as_json(found)

        return await exploration.gate.run(written)

    # --- what there is

    @router.get("/models", response_model=schemas.ModelsTold)
    async def models(format: Format = "json") -> Response:
        """The models, their layers, the corpus, and the limits of questions."""

        def rows(found: Answer) -> Rows:
            return [
                {name: " ".join(map(str, value)) if isinstance(value, list) else value for name, value in model.items()}
                for model in found["models"]
            ]

        return await told(exploration.models, rows, format, "models")

    @router.get("/words", response_model=schemas.WordsTold, responses=WORKING)
    async def words(
        model: Annotated[str | None, Query(min_length=1, max_length=300)] = None,
        prefix: Annotated[str, Query(max_length=200)] = "",
        limit: Annotated[int, Query(ge=1, le=200)] = 20,
        format: Format = "json",
    ) -> Response:
        """The words of a model that begin so, the most frequent first; of the corpus, where no model is named."""

        def answer() -> Answer:
            if model is None:
                return answers.completions_in(exploration.concordance(), prefix, limit)
            return answers.completions(shelf.model(model), prefix, limit)

        return await told(answer, lambda found: found["words"], format, "words")

    @router.get("/spellings", response_model=schemas.SpellingsTold)
    async def spellings(model: Name, word: Word, format: Format = "json") -> Response:
        """Whether a model knows a word, and what is spelt like it."""

        def answer() -> Answer:
            vectors = shelf.model(model).vectors_or_error()
            found = answers.spellings(vectors, word)
            return {"model": model, "word": word, "known": vectors.has_vector(word), "spellings": found}

        def rows(found: Answer) -> Rows:
            return [{"word": word, "spelling": spelling} for spelling in found["spellings"]]

        return await told(answer, rows, format, "spellings")

    # --- in the space of the vectors

    @router.get("/neighbours", response_model=schemas.NeighboursTold)
    async def neighbours(word: Word, of: Of = [], topn: Topn = 10, format: Format = "json") -> Response:  # noqa: B006
        """The neighbours of a word in each matrix, in the space of the vectors, and how many they share."""
        kind = ("neighbours", tuple(of), topn)

        def together(words: list[str]) -> list[Answer | NoSuchWordError]:
            """Answers that are kept, and the others by one product of matrices."""
            cache = exploration.background.cache
            keys = (*kind, tuple(matrix.key for matrix in shelf.matrices(of)))
            answered = {one: cache.get((*keys, one)) for one in words}
            wanted = [one for one, answer in answered.items() if answer is MISSING]
            for one, answer in zip(wanted, answers.near_each(shelf, wanted, of, topn), strict=True):
                answered[one] = answer
                if not isinstance(answer, NoSuchWordError):
                    n_bytes = 1_000 + sum(500 + 400 * len(column["neighbours"]) for column in answer["columns"])
                    cache.put((*keys, one), answer, n_bytes)
            return [answered[one] for one in words]

        found = await exploration.gate.run_together(kind, word, together)
        if isinstance(found, NoSuchWordError):
            raise found
        return as_csv(_neighbour_rows(found), "neighbours") if format == "csv" else as_json(found)

    @router.post("/neighbours", response_model=schemas.NeighboursOfMany)
    async def neighbours_of_many(asked: schemas.NeighboursAsked, format: Format = "json") -> Response:
        """The neighbours of many words, by one product of matrices."""

        def rows(found: Answer) -> Rows:
            return [row for one in found["answers"] for row in _neighbour_rows(one)]

        return await told(
            lambda: {"answers": answers.near(shelf, asked.words, asked.of, asked.topn)}, rows, format, "neighbours"
        )

    @router.get("/similarity", response_model=schemas.SimilarityTold)
    async def similarity(word1: Word, word2: Word, of: Of = [], format: Format = "json") -> Response:  # noqa: B006
        """The cosine of two words in each matrix."""
        return await told(lambda: answers.alike(shelf, [(word1, word2)], of)[0], _similarity_rows, format, "similarity")

    @router.post("/similarity", response_model=schemas.SimilarityOfMany)
    async def similarity_of_many(asked: schemas.SimilarityAsked, format: Format = "json") -> Response:
        """The cosines of many pairs."""
        pairs = [(pair[0], pair[1]) for pair in asked.pairs]

        def rows(found: Answer) -> Rows:
            return [row for one in found["answers"] for row in _similarity_rows(one)]

        return await told(lambda: {"answers": answers.alike(shelf, pairs, asked.of)}, rows, format, "similarity")

    @router.get("/analogy", response_model=schemas.AnalogyTold)
    async def analogy(
        a: Word,
        b: Word,
        c: Word,
        expected: Annotated[str | None, Query(max_length=200)] = None,
        of: Of = [],  # noqa: B006
        topn: Topn = 10,
        format: Format = "json",
    ) -> Response:
        """What is to c as b is to a, and the true rank of the word that was expected among all words."""

        def rows(found: Answer) -> Rows:
            return [
                {"of": column["of"], "place": place, **answer, "rank_of_expected": column["rank"]}
                for column in found["columns"]
                for place, answer in enumerate(column["answers"], start=1)
            ]

        return await told(
            lambda: answers.analogies(shelf, a, b, c, expected or None, of, topn), rows, format, "analogy"
        )

    @router.get("/vector", response_model=schemas.VectorTold)
    async def vector(word: Word, of: Of = [], format: Format = "json") -> Response:  # noqa: B006
        """The vector of a word in each matrix."""

        def rows(found: Answer) -> Rows:
            return [
                {"of": column["of"], "word": word, **_numbered(column["vector"])}
                for column in found["columns"]
                if column["vector"] is not None
            ]

        return await told(lambda: answers.vector(shelf, word, of), rows, format, "vector")

    @router.post("/heatmap", response_model=schemas.HeatmapTold)
    async def heatmap(asked: schemas.HeatmapAsked, format: Format = "json") -> Response:
        """The cosines of words, or of sentences, with each other."""

        def answer() -> Answer:
            if (asked.words is None) == (asked.sentences is None):
                raise UsageError("a heat map is of words or of sentences; give one of the two")
            if asked.words is not None:
                return answers.cosines_of_words(shelf, asked.of, asked.words)
            return answers.cosines_of_sentences(shelf, asked.of, asked.sentences or [])

        def rows(found: Answer) -> Rows:
            names = answers.distinct(found["labels"])
            return [
                {"": label, **dict(zip(names, cosines, strict=True))}
                for label, cosines in zip(found["labels"], found["cosines"], strict=True)
            ]

        return await told(answer, rows, format, "heatmap")

    # --- in context

    @router.post("/contexts", response_model=schemas.ContextsTold)
    async def contexts(asked: schemas.ContextsAsked, format: Format = "json") -> Response:
        """The words of sentences with their vectors in context."""

        def rows(found: Answer) -> Rows:
            return [
                {"sentence": number, "position": position, "word": word, "layer": layer, **_numbered(row)}
                for number, sentence in enumerate(found["sentences"])
                for layer, matrix in zip(found["layers"], sentence.get("vectors", []), strict=False)
                for position, (word, row) in enumerate(zip(sentence["words"], matrix, strict=True))
            ]

        return await told(
            lambda: answers.contexts(
                shelf.model(asked.model), asked.sentences, asked.layers, with_vectors=asked.vectors
            ),
            rows,
            format,
            "contexts",
        )

    @router.post("/concordance", response_model=schemas.ConcordanceTold, responses=WORKING)
    async def concordance(asked: schemas.ConcordanceAsked, format: Format = "json") -> Response:
        """Sentences of the corpus with a word."""
        return await told(
            lambda: usages.listed(exploration.concordance(), asked.word, asked.most, asked.seed),
            usages.in_rows,
            format,
            "concordance",
        )

    @router.post("/occurrences", response_model=schemas.OccurrencesTold, responses=WORKING)
    async def occurrences(asked: schemas.OccurrencesAsked, format: Format = "json") -> Response:
        """The occurrences of a word as points of each layer, and the senses that they fall into."""

        def begin() -> tuple[Any, Callable[[Told], Made]]:
            model, index = shelf.model(asked.model), exploration.concordance()
            word = index.word(asked.word)
            there = model.network_layers if model.is_contextual else model.layers[-1:]
            if asked.sense_layer is not None and there and asked.sense_layer not in there:
                raise layer_fault(model.name, asked.sense_layer, there)
            of = (model.name, model.version, word, asked.most, asked.seed)

            def make(progress: Told) -> Made:
                found = exploration.vectors.get(of)
                if not isinstance(found, usages.Usages):
                    found = usages.gathered(model, index, word, asked.most, asked.seed, progress)
                    exploration.vectors.put(of, found, found.n_bytes)
                answer = usages.shown(
                    found,
                    model,
                    index,
                    word,
                    most=asked.most,
                    seed=asked.seed,
                    n_senses=asked.senses,
                    sense_layer=asked.sense_layer,
                    progress=progress,
                )
                n_bytes = len(found.occurrences) * (1_500 + 120 * len(found.layers))
                return Made(answer, n_bytes)

            return ("occurrences", *of, asked.senses, asked.sense_layer), make

        return await made(begin, usages.in_rows, format, "occurrences")

    # --- maps

    def drawn(of: str, method: maps.Method, limit: int) -> tuple[Matrix, Any]:
        """A matrix, and its map; `Working` where UMAP is at it; None where it was not asked to be."""
        matrix = shelf.matrix(of)
        n = min(limit, len(matrix.vectors))
        key = ("map", matrix.key, method, n)
        if method == "pca":
            return matrix, exploration.kept(
                key, lambda: maps.by_components(matrix.vectors, n), lambda found: found.n_bytes
            )
        is_begun = exploration.background.status(key) is not None
        kept: Any = exploration.background.cache.get(key)
        if isinstance(kept, maps.Map):
            return matrix, kept
        if not is_begun and not maps.is_kept(matrix, n, cache_dir=exploration.cache_dir):
            return matrix, None
        return matrix, exploration.background.ask(key, _umap(matrix, n, exploration.cache_dir))

    def other_map(onto: str | None, limit: int) -> tuple[Matrix, maps.Method, maps.Map] | None:
        """The map that is named as MODEL:LAYER:METHOD, its matrix and method; None where none is named."""
        if not onto:
            return None
        name, _, method = onto.rpartition(":")
        if method not in ("pca", "umap"):
            raise UsageError("onto is MODEL:LAYER:METHOD, and METHOD is pca or umap")
        chosen: maps.Method = "pca" if method == "pca" else "umap"
        matrix, other = drawn(name, chosen, limit)
        if not isinstance(other, maps.Map):
            raise ToldError("fault-onto-not-drawn")
        return matrix, chosen, other

    def ready(asked: MapAsked) -> maps.Map:
        _, found = drawn(asked.of, asked.method, asked.limit)
        if not isinstance(found, maps.Map):
            raise NotThereError("fault-not-drawn")
        other = other_map(asked.onto, asked.limit)
        return found if other is None else maps.onto(found, other[2])

    @router.get("/map", response_model=schemas.MapTold)
    async def map_told(request: Request, asked: OfMap, format: Format = "json") -> Response:
        """What is known of a map: how far it can be trusted, and where its points and words are."""

        def answer() -> Answer:
            matrix, found = drawn(asked.of, asked.method, asked.limit)
            told_of = {"model": matrix.model.name, "layer": matrix.layer, "method": asked.method, "seed": maps.SEED}
            if found is None:
                return told_of | {"state": "absent"}
            if isinstance(found, Working):
                return told_of | {"state": "working", "what": found.what, "done": _finite(found.done)}
            other = other_map(asked.onto, asked.limit)
            trust = exploration.background.ask(
                ("trust", matrix.key, asked.method, len(found.points)),
                lambda progress: Made(maps.judged(matrix.vectors, found), 64),
                patience=0.05,
            )
            query = request.url.query
            return told_of | {
                "n": len(found.points),
                "state": "ready",
                "points": f"/api/map/points?{query}",
                "words": f"/api/map/words?{query}",
                "trustworthiness": None if isinstance(trust, Working) or trust is None else answers.number(trust),
                "judging": isinstance(trust, Working),
                "k": NEIGHBOURS,
                "sample": min(SAMPLE, len(found.points)),
                "explained": None if found.explained is None else [answers.number(x) for x in found.explained],
                "python": maps.python(
                    matrix,
                    asked.method,
                    len(found.points),
                    None if other is None else (other[0], other[1], len(other[2].points)),
                ),
            }

        def rows(found: Answer) -> Rows:
            drawn_map = ready(asked)
            counts = drawn_map.counts
            return [
                {"word": word, "x": float(x), "y": float(y), "count": None if counts is None else int(counts[row])}
                for row, (word, (x, y)) in enumerate(zip(drawn_map.words, drawn_map.points, strict=True))
            ]

        return await told(answer, rows, format, "map")

    @router.get(
        "/map/points",
        response_class=Response,
        responses={200: {"content": {"application/octet-stream": {}}, "description": "float32, little-endian: x, y"}},
    )
    async def map_points(asked: OfMap) -> Response:
        """The points of a map: float32, little-endian, x and y of each word."""

        def answer() -> Response:
            points = ready(asked).points
            body = np.ascontiguousarray(points, "<f4").tobytes()
            return Response(body, media_type="application/octet-stream", headers={"Cache-Control": "no-store"})

        return await exploration.gate.run(answer)

    @router.get("/map/words", response_model=schemas.MapWordsTold)
    async def map_words(asked: OfMap, format: Format = "json") -> Response:
        """The words of a map, in the order of its points."""

        def answer() -> Answer:
            found = ready(asked._replace(onto=None))
            counts = None if found.counts is None else found.counts.tolist()
            return {"words": list(found.words), "counts": counts}

        def rows(found: Answer) -> Rows:
            counts = found["counts"] or [None] * len(found["words"])
            return [{"word": word, "count": n} for word, n in zip(found["words"], counts, strict=True)]

        return await told(answer, rows, format, "map-words")

    @router.post("/map", response_model=schemas.MapTold, responses=WORKING)
    async def draw(asked: schemas.MapAsked, request: Request) -> Response:
        """Begins to draw a map by UMAP, in the background; it is kept beside the model."""

        def answer() -> Response:
            if not maps.has_umap():
                raise NotThereError("fault-umap")
            name = asked.model if asked.layer is None else f"{asked.model}:{asked.layer}"
            matrix = shelf.matrix(name)
            n = min(asked.limit, len(matrix.vectors))
            found = exploration.background.ask(("map", matrix.key, "umap", n), _umap(matrix, n, exploration.cache_dir))
            if isinstance(found, Working):
                return _working(found)
            return as_json(
                {
                    "model": matrix.model.name,
                    "layer": matrix.layer,
                    "method": "umap",
                    "seed": maps.SEED,
                    "state": "ready",
                }
            )

        return await exploration.gate.run(answer)

    @router.post("/movers", response_model=schemas.MoversTold, responses=WORKING)
    async def movers(asked: schemas.MoversAsked, format: Format = "json") -> Response:
        """The words that moved most between two models, one turned onto the other."""

        def begin() -> tuple[Any, Callable[[Told], Made]]:
            old, new = shelf.model(asked.old), shelf.model(asked.new)

            def make(progress: Told) -> Made:
                with progress.stage("turning one model onto the other"):
                    return Made(answers.movers(old, new, asked.layer, asked.topn), 2_000 * asked.topn)

            return ("movers", old.name, old.version, new.name, new.version, asked.layer, asked.topn), make

        def rows(found: Answer) -> Rows:
            return [
                {
                    name: ", ".join(word for word, _ in value) if name.endswith("neighbours") else value
                    for name, value in one.items()
                }
                for one in found["movers"]
            ]

        return await made(begin, rows, format, "movers")

    # --- layers and trainings

    @router.post("/layers", response_model=schemas.LayersTold, responses=WORKING)
    async def of_layers(asked: schemas.LayersAsked, format: Format = "json") -> Response:
        """How much the layers of a model depend on context, and what probes have found in them."""

        def begin() -> tuple[Any, Callable[[Told], Made]]:
            model, index = shelf.model(asked.model), exploration.concordance_or_none()

            def make(progress: Told) -> Made:
                return Made(layers.told(model, index, progress, cache_dir=exploration.cache_dir), 8_192)

            return ("layers", model.name, model.version, index is None), make

        return await made(begin, lambda found: found["layers"], format, "layers")

    @router.get("/runs", response_model=schemas.RunsTold)
    async def of_runs(format: Format = "json") -> Response:
        """The models that have the log of a training."""
        return await told(lambda: runs.listed(shelf.models), lambda found: found["runs"], format, "runs")

    @router.get("/runs/{model}/log", response_model=schemas.LogTold)
    async def log(
        model: str, after: Annotated[int, Query(ge=0, le=10_000_000)] = 0, format: Format = "json"
    ) -> Response:
        """What a training has said from entry `after` on; ask again while it is not finished."""

        def rows(found: Answer) -> Rows:
            return [
                {name: value for name, value in entry.items() if not isinstance(value, dict | list)}
                for entry in found["entries"]
            ]

        return await told(lambda: runs.log(shelf.model(model), after, whole=format == "csv"), rows, format, "log")

    return router


def _umap(matrix: Matrix, n: int, cache_dir: Path | None) -> Callable[[Told], Made]:
    def make(progress: Told) -> Made:
        found = maps.by_umap(matrix, n, progress, cache_dir=cache_dir)
        return Made(found, found.n_bytes)

    return make


def _numbered(vector: Sequence[float | None]) -> dict[str, float | None]:
    """The numbers of a vector by the names of their columns."""
    return {str(place): value for place, value in enumerate(vector)}


def _neighbour_rows(found: Answer) -> Rows:
    return [
        {"word": found["word"], "of": column["of"], "place": place, "neighbour": one["word"]}
        | {name: one[name] for name in ("cosine", "count", "row")}
        for column in found["columns"]
        for place, one in enumerate(column["neighbours"], start=1)
    ]


def _similarity_rows(found: Answer) -> Rows:
    return [
        {"word1": found["word1"], "word2": found["word2"], "of": column["of"], "cosine": column["cosine"]}
        for column in found["columns"]
    ]
