"""`firth senses`: what words mean here and there in a text."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from firth.cli.extracting import Computing, Natural, Reading
from firth.cli.printing import Row, print_json, print_rows
from firth.cli.reducing import Corpora, Positive, Segment
from firth.cli.settings import AsJson, Flag, progress_of
from firth.errors import UsageError
from firth.preparation import Preparation

_READING = Reading()
_COMPUTING = Computing()


def senses(
    model: Path,
    /,
    *words: str,
    corpus: Corpora,
    layer: int = -1,
    senses_per_word: Annotated[Natural, Parameter(name=["--senses", "-k"])] = None,
    most: Positive = 6,
    n: Annotated[Positive, Parameter(name="-n")] = 8,
    examples: Positive = 2,
    max_contexts: Positive = 200,
    seed: int = 1,
    segment: Segment = None,
    cache_dir: Path | None = None,
    quiet: Flag = False,
    as_json: AsJson = False,
    reading: Annotated[Reading, Parameter(name="*", group="Reading of the text", negative=())] = _READING,
    computing: Annotated[Computing, Parameter(name="*", group="Computing", negative=())] = _COMPUTING,
) -> None:
    """Print the senses of words in a text: their occurrences grouped by their vectors in context.

    Each sense has its share of the occurrences, its nearest words, and occurrences that are typical of it.

    Args:
        model: A model of ELMo, GPT or BERT, or a published directory.
        words: Whose senses are asked for.
        corpus: The text: files (text, .jsonl, .parquet, compressed or not), folders, patterns, or `-` for standard
            input.
        layer: Whose vectors are grouped; those below 0 count from the last.
        senses_per_word: How many senses a word has; by default as many as its occurrences fall into, or one.
        most: How many senses are tried at most.
        n: How many neighbours to print for each.
        examples: How many occurrences to print for each.
        max_contexts: At most so many occurrences of each word are read, evenly from all of the corpus.
        seed: Decides which, and on the groups.
        segment: How the text becomes words; by default as the model's own.
        cache_dir: Where the text is kept meanwhile.
        quiet: Show no progress.
        as_json: Print JSON, for machines.
    """
    from firth import senses as found_by

    if not words:
        raise UsageError("senses takes words, whose senses are asked for")
    found = found_by.find_senses(
        model,
        list(corpus),
        words,
        layer=layer,
        k=senses_per_word,
        most=most,
        topn=n,
        examples=examples,
        max_contexts=max_contexts,
        seed=seed,
        segmentation=segment,
        preparation=Preparation(**vars(reading)),
        **vars(computing),
        cache_dir=cache_dir,
        progress=progress_of(quiet),
    )
    if as_json:
        print_json([_told(word) for word in found])
        return
    rows: list[Row] = [
        {
            "word": word.word,
            "sense": number,
            "share": sense.share,
            "neighbours": ", ".join(name for name, _ in sense.neighbours),
            "example": " | ".join(f"{one.before[-40:]}[{one.word}]{one.behind[:40]}" for one in sense.examples),
        }
        for word in found
        for number, sense in enumerate(word.senses, start=1)
    ]
    print_rows(rows)


def _told(word: Any) -> dict[str, Any]:
    return {
        "word": word.word,
        "layer": word.layer,
        "n_occurrences": len(word.occurrences),
        "silhouette": word.clusters.silhouette,
        "senses": [
            {
                "share": sense.share,
                "neighbours": sense.neighbours,
                "examples": [one._asdict() for one in sense.examples],
            }
            for sense in word.senses
        ],
    }
