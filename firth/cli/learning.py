"""`firth phrases`: words that stand together often, learnt from a corpus and written to a file."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from firth.cli.printing import show
from firth.cli.settings import PREPARATION, AsJson, Flag, Prepared, progress_of, with_lists
from firth.errors import UsageError
from firth.files import printable

Corpus = Annotated[Path, Parameter(allow_leading_hyphen=True)]


def phrases(
    *corpus: Corpus,
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    scoring: Literal["original", "npmi"] = "original",
    min_count: Annotated[int, Parameter(validator=Number(gte=1))] = 5,
    threshold: float | None = None,
    connector_words: str = "auto",
    passes: Annotated[int, Parameter(validator=Number(gte=1))] = 1,
    delimiter: str = "_",
    max_pairs: Annotated[int, Parameter(validator=Number(gte=2))] = 20_000_000,
    overwrite: Flag = False,
    cache_dir: Path | None = None,
    quiet: Flag = False,
    as_json: AsJson = False,
    preparation: Prepared = PREPARATION,
) -> None:
    """Learn phrases, as `new york`, which `firth train --phrases` takes as one word.

    They are words that stand together more often than chance has it.

    Args:
        corpus: Files (text, .jsonl, .parquet, compressed or not), folders, patterns, or `-` for standard input.
        output: The file to write the phrases to, a line each, the most frequent first; it may be edited.
        scoring: original, Mikolov's score, which falls the more frequent the words are; or npmi, normalised pointwise
            mutual information, from -1 to 1.
        min_count: Words that stand together no more often are hardly a phrase.
        threshold: A phrase's score is above; a lower one gives more phrases. By default 10, of npmi 0.5.
        connector_words: Words that may stand inside a phrase, as `of` in `bank of america`: auto (those of the text's
            language), none, those of a language as en or zh, or a list with commas, as of,the.
        passes: How often to go through the corpus; 2 find phrases of up to four words.
        delimiter: What is put between a phrase's words.
        max_pairs: At most so many pairs of words are counted at a time: beyond, the rarest so far are dropped.
        overwrite: Replace the file of phrases in the output.
        cache_dir: Where encoded corpora are kept for later runs; `firth cache` lists and clears them.
        quiet: Show no progress.
        as_json: Print JSON, for machines.
    """
    from firth.collocations import learn_phrases

    if not corpus:
        raise UsageError("no corpus was given: name files, or - for standard input")
    if output.exists() and not overwrite:
        raise UsageError(f"{printable(str(output))} exists; choose another place, or overwrite it (--overwrite)")
    found = learn_phrases(
        corpus,
        scoring=scoring,
        min_count=min_count,
        threshold=threshold,
        connector_words=connector_words,
        passes=passes,
        delimiter=delimiter,
        max_pairs=max_pairs,
        preparation=with_lists(preparation),
        cache_dir=cache_dir,
        progress=progress_of(quiet),
    )
    found.write(output)
    pairs = sum(map(int, found.about["pairs"].split()))
    show([{"file": str(output), "phrases": len(found), "pairs": pairs, "hash": found.hash[:12]}], as_json=as_json)
