"""`firth change`: the words that moved most between two models, beside what chance moves."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from firth.cli.printing import Row, print_json, print_rows, say
from firth.cli.settings import AsJson, Count, Files, Flag, progress_of
from firth.cli.use import load_vectors
from firth.errors import UsageError
from firth.files import printable

if TYPE_CHECKING:
    from firth.movement import Moved
    from firth.queries import Similar
    from firth.vectors import Vectors


def change(
    old: Path,
    new: Path,
    /,
    *words: str,
    chance: Annotated[tuple[Path, Path] | None, Parameter(negative=())] = None,
    halves: Annotated[Files, Parameter(allow_leading_hyphen=True)] = (),
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    layer: int | None = None,
    n: Count = 20,
    neighbours: Annotated[int, Parameter(validator=Number(gte=1))] = 5,
    restrict: Annotated[int, Parameter(validator=Number(gte=1))] = 30_000,
    seed: int = 1,
    threads: Annotated[int | None, Parameter(validator=Number(gte=1))] = None,
    cache_dir: Path | None = None,
    overwrite: Flag = False,
    quiet: Flag = False,
    as_json: AsJson = False,
) -> None:
    """Print the words that moved most between two models, with their neighbours before and after.

    The old vectors are turned onto the new ones as near as the shared words come; what still parts a word's two vectors
    (1 less their cosine) is how far it moved. Two models of one period say what moves by chance alone; then the words
    come first that moved furthest in comparison with that.

    Args:
        old: A model, or a file of vectors.
        new: The same of another text.
        words: The words to show, or text that is split into words; those that moved most by default.
        chance: Two models of one period, of random halves of its text; two seeds on one text part far less than chance.
        halves: The corpus of NEW, or another one of its period: two models are trained on random halves of its lines,
            as NEW was, and say what chance moves; that takes as long as training NEW did.
        output: Where the two are kept, for `--chance OUTPUT/first OUTPUT/second` later.
        layer: The layer whose vectors are compared; the last one by default.
        n: How many words to print, where none is named.
        neighbours: How many neighbours to print for each.
        restrict: How many of the most frequent shared words take part.
        seed: Of --halves: decides on the lines.
        threads: Of --halves: how many threads train; all cores by default.
        cache_dir: Of --halves: where encoded corpora are kept.
        overwrite: Of --halves: replace the two models in the output.
        quiet: Of --halves: show no progress.
        as_json: Print JSON, for machines.
    """
    from firth import hub
    from firth.movement import change as changed

    if chance is not None and halves:
        raise UsageError("--chance and --halves both say what chance moves: give one of them")
    if output is not None and not halves:
        raise UsageError("--output is of --halves, whose models it keeps")
    before, after = load_vectors(old), load_vectors(new)
    asked = before.words_of(*words) if words else ()
    known: tuple[Path | Vectors, Path | Vectors] | None = chance
    if halves:
        if not hub.found(new).path.is_dir():
            raise UsageError(f"--halves trains as NEW was trained, and {printable(str(new))} is no model")
        changed(before, after, asked, layer=layer, topn=0, n_neighbours=1, restrict=restrict)  # refuses before the work
        from firth.halves import train_halves

        found = train_halves(
            new,
            list(halves),
            output=output,
            overwrite=overwrite,
            seed=seed,
            threads=threads,
            cache_dir=cache_dir,
            progress=progress_of(quiet),
        )
        known = (found.first.vectors, found.second.vectors)
    moved = changed(
        before,
        after,
        asked,
        chance=known,
        layer=layer,
        topn=n,
        n_neighbours=neighbours,
        restrict=restrict,
    )
    if as_json:
        print_json([_everything(each) for each in moved])
    else:
        print_rows([_row(each, with_chance=known is not None) for each in moved])
    if known is None:
        say(
            "how far chance alone moves words is not known: --halves CORPUS trains two models on random halves of one "
            "period's text, or --chance A B names two such"
        )


def _everything(moved: "Moved") -> dict[str, Any]:
    return moved._asdict() | {
        "within_chance": moved.within_chance,
        "old_neighbours": dict(moved.old_neighbours),
        "new_neighbours": dict(moved.new_neighbours),
    }


def _row(moved: "Moved", *, with_chance: bool) -> Row:
    row: dict[str, str | int | float] = {"word": moved.word, "moved": moved.movement}
    if with_chance:
        verdict = {True: "within chance", False: "moved", None: "not known"}[moved.within_chance]
        row |= {"by chance": _number(moved.by_chance), "chance limit": _number(moved.limit), "verdict": verdict}
    if moved.old_count is not None and moved.new_count is not None:
        row |= {"old count": moved.old_count, "new count": moved.new_count}
    return row | {"old neighbours": _named(moved.old_neighbours), "new neighbours": _named(moved.new_neighbours)}


def _number(known: float | None) -> str:
    return "" if known is None else f"{known:.4f}"


def _named(neighbours: "Similar") -> str:
    return ", ".join(word for word, _ in neighbours)
