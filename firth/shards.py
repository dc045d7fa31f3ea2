"""Co-occurrences counted apart from training: of a corpus, or of its parts, whose counts are then added up."""

import json
import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from firth import cooccurrences
from firth.cooccurrences import Context, Cooccurrences, DistanceWeights, Nearness
from firth.cutting import available_processors
from firth.errors import FirthError, UsageError
from firth.families.family import answers_gensim_names
from firth.families.glove import GloVe
from firth.files import printable, replacing
from firth.preparation import Preparation
from firth.progress import Progress, Silent
from firth.segmentation import Segmentation
from firth.texts import prepared
from firth.vocabulary import Vocabulary


@answers_gensim_names
def count(
    corpus: Any,
    output: str | os.PathLike[str],
    *,
    window: int = GloVe.window,
    context: Context = GloVe.context,
    distance_weights: DistanceWeights = GloVe.distance_weights,
    min_count: int = GloVe.min_count,
    max_size: int | None = GloVe.max_size,
    vocabulary: str | os.PathLike[str] | None = None,
    preparation: Preparation | None = None,
    memory: float = cooccurrences.MEMORY,
    threads: int | None = None,
    overwrite: bool = False,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Cooccurrences:
    """How often the words of `corpus` stand near each other, in a file that `train` takes as `counts`.

    Parts of a corpus that are counted with one vocabulary add up to the bytes that all of it gives.

    Args:
        corpus: As of `train`; or files of counts, whose sums are written.
        output: The file.
        window: How far apart two words are at most.
        context: `symmetric`, or `left`: see `GloVe`.
        distance_weights: `harmonic` or `equal`.
        min_count: Rarer words are left out.
        max_size: At most so many words, the most frequent ones, are counted.
        vocabulary: A model, a vocabulary.tsv or a file of counts, whose words are counted, however often they occur;
            of a model and of counts the text is cut into words as theirs was.
        preparation: How text becomes words.
        memory: GiB to be used.
        threads: To count with; by default all processors.
        overwrite: Whether a file of counts in `output` may be replaced.
        cache_dir: Where the encoded corpus is kept for later runs.
        progress: Shows how far the work is.

    Raises:
        FirthError: the corpus cannot be read, or has no two words near each other.
        UsageError: arguments that contradict each other.
    """
    place = Path(output).absolute()
    progress, threads = progress or Silent(), available_processors() if threads is None else threads
    shown = printable(str(place))
    if threads < 1:
        raise UsageError(f"threads is {threads}; it must be at least 1")
    cooccurrences.check_memory(memory)
    if place.exists() and not overwrite:
        raise UsageError(f"{shown} exists; choose another place, or overwrite it")
    if place.exists() and not cooccurrences.is_counts(place):
        raise UsageError(f"{shown} exists and is no file of counts; it is not overwritten")
    parts = _counts_among(corpus)
    if parts:
        if vocabulary is not None:
            raise UsageError("a vocabulary is given, and so are counts, which have theirs already")
        with ExitStack() as stack:
            counts = stack.enter_context(cooccurrences.all_opened(parts))
            file = stack.enter_context(replacing(place, "wb"))
            advance = stack.enter_context(progress.stage("adding up counts"))
            cooccurrences.merge(counts, file, threads=threads, advance=advance)
        return Cooccurrences(place)
    nearness = Nearness(window=window, context=context, distance_weights=distance_weights)
    given, like = (None, None) if vocabulary is None else _vocabulary(Path(vocabulary))
    told: dict[str, Any] = {"like": like, "cache_dir": cache_dir, "progress": progress}
    with prepared(corpus, preparation or Preparation(), GloVe(), **told) as encoded:
        words = given
        if words is None:
            words = Vocabulary.from_counts(encoded.types, encoded.counts, min_count=min_count, max_size=max_size)
        progress.say(f"{len(words):,} words in the vocabulary")
        with cooccurrences.counted(
            encoded, words, nearness, place, memory=memory, threads=threads, cache_dir=cache_dir, progress=progress
        ):
            pass
    return Cooccurrences(place)


def _counts_among(corpus: Any) -> list[Path]:
    """The paths of a corpus, if they are files of counts; nothing if none is.

    Raises:
        UsageError: some are, and some are not.
    """
    several: Sequence[Any] = ()
    if isinstance(corpus, str | os.PathLike):
        several = [Path(corpus)]
    elif isinstance(corpus, Sequence):
        several = corpus  # of which strings are text
    counts = [one for one in several if isinstance(one, os.PathLike) and cooccurrences.is_counts(Path(one))]
    if counts and len(counts) < len(several):
        other = next(one for one in several if one not in counts)
        raise UsageError(
            f"{printable(str(other)[:100])} is text, and {printable(str(counts[0]))} holds counts: count it first"
        )
    return [Path(one) for one in counts]


def _vocabulary(path: Path) -> tuple[Vocabulary, Segmentation | None]:
    """The words of a model, of a vocabulary.tsv or of counts, by falling count; and how text became them, if known."""
    if cooccurrences.is_counts(path):
        with Cooccurrences(path) as counts:
            return counts.vocabulary, counts.segmentation
    if not path.exists():
        raise FirthError(f"{printable(str(path))} is not there: a vocabulary is a model, its vocabulary.tsv, or counts")
    read = Vocabulary.read(path / "vocabulary.tsv" if path.is_dir() else path)
    ordered = Vocabulary.from_counts(read.words, read.counts, min_count=1)  # as training orders them
    return ordered, _segmentation(path) if path.is_dir() else None


def _segmentation(folder: Path) -> Segmentation | None:
    """How the text of a model became words."""
    try:
        settings = json.loads((folder / "firth.json").read_bytes()).get("segmentation")
    except (OSError, ValueError, AttributeError):
        return None
    return None if settings is None else Segmentation.from_settings(settings)
