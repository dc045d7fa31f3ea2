"""What is taken from a corpus before training: `firth phrases`, and `firth count` for GloVe."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from firth.cli.printing import Row, show
from firth.cli.settings import PREPARATION, AsJson, Corpus, Flag, Prepared, check_given, progress_of, with_lists


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
        overwrite: Replace the file of phrases in the output; no other file.
        cache_dir: Where encoded corpora are kept for later runs; `firth cache` lists and clears them.
        quiet: Show no progress.
        as_json: Print JSON, for machines.
    """
    from firth.collocations import learn_phrases
    from firth.phrases import check_output

    check_given(corpus)
    check_output(output, overwrite=overwrite)
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


def count(
    *corpus: Corpus,
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    window: int = 10,
    context: Literal["symmetric", "left"] = "symmetric",
    distance_weights: Literal["harmonic", "equal"] = "harmonic",
    min_count: int = 5,
    max_size: int | None = None,
    vocabulary: Path | None = None,
    memory: float = 2.0,
    threads: int | None = None,
    overwrite: Flag = False,
    cache_dir: Path | None = None,
    quiet: Flag = False,
    as_json: AsJson = False,
    preparation: Prepared = PREPARATION,
) -> None:
    """Count how often words stand near each other, for `firth train glove --counts`.

    Parts of a corpus that are counted apart, with one --vocabulary, add up: name their files of counts as the corpus.

    Args:
        corpus: Files (text, .jsonl, .parquet, compressed or not), folders, patterns, or `-` for standard input; or
            files of counts, which are added up.
        output: The file to write the counts to.
        window: How far apart two words are at most.
        context: symmetric, or left: a pair counts once, for the word on the left.
        distance_weights: Two words that stand d apart count 1/d (harmonic) or 1 (equal).
        min_count: Rarer words are left out.
        max_size: At most so many words, the most frequent ones, are counted.
        vocabulary: A model, a vocabulary.tsv or a file of counts, whose words are counted, however often they occur.
        memory: GiB that counting may take.
        threads: How many threads count; all cores by default.
        overwrite: Replace the file of counts in the output.
        cache_dir: Where encoded corpora are kept for later runs; `firth cache` lists and clears them.
        quiet: Show no progress.
        as_json: Print JSON, for machines.
    """
    from firth.shards import count as counted

    check_given(corpus)
    with counted(
        corpus,
        output,
        window=window,
        context=context,
        distance_weights=distance_weights,
        min_count=min_count,
        max_size=max_size,
        vocabulary=vocabulary,
        preparation=with_lists(preparation),
        memory=memory,
        threads=threads,
        overwrite=overwrite,
        cache_dir=cache_dir,
        progress=progress_of(quiet),
    ) as found:
        row: Row = {"counts": str(output), "words": len(found.vocabulary), "pairs": len(found.entries)}
        show([{**row, "tokens": found.n_tokens}], as_json=as_json)
