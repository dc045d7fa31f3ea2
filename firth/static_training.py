"""The training of a static family: the encoded corpus, or counts of its pairs of words -> tables -> model."""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final

from firth import cache
from firth.bases import check_base
from firth.budget import Budget
from firth.errors import UsageError
from firth.families.family import Family
from firth.files import appearing, printable, uninterrupted
from firth.hogwild import Loop, Run
from firth.model import COUNTING, Model, load
from firth.progress import Progress, Silent, plural
from firth.terms import Asked, check_begun, check_corpus, unfinished
from firth.texts import prepared
from firth.tokens import EncodedCorpus

if TYPE_CHECKING:
    from firth.cooccurrences import Cooccurrences

LEAST_EPOCHS: Final = 5
MOST_EPOCHS: Final = 20  # of a corpus of a million words or fewer


def default_epochs(n_tokens: int) -> int:
    """Passes over a corpus of n_tokens words when no budget is given: 5 from 20 M words up, at most 20 below.

    They fall with the root of the size: where more of them stopped helping (docs/decisions/0007).
    """
    return max(LEAST_EPOCHS, min(MOST_EPOCHS, round(MOST_EPOCHS * math.sqrt(1_000_000 / max(1, n_tokens)))))


def train_words(asked: Asked) -> Model:
    """A model of a static family."""
    if len(asked.sizes) > 1:
        raise UsageError(f"{len(asked.sizes)} families were given; of {asked.sizes[0].name} one is trained at a time")
    family: Family = asked.sizes[0]
    progress, place = asked.progress, asked.place
    run = None
    if asked.resume:
        run = Run.read(unfinished(place))
        check_begun(run, asked)
    start = None
    if run is None and asked.base is not None:
        start = asked.base if isinstance(asked.base, Model) else load(asked.base)
        check_base(start, family)
    source = start if run is None else run.model

    began = time.monotonic()
    with _matter(asked, family, source) as encoded:
        encode_seconds = round(time.monotonic() - began, 3)
        if run is None:
            budget = asked.budget or _default_budget(family, encoded, progress)
            run = Run.begin(family, encoded, budget, asked.seed, asked.threads, start, say=progress.say)
        else:
            check_corpus(run, encoded.fingerprint)
        start = source = None  # of a base in `output`, the mapped files are let go, so that they can be replaced
        model = run.model
        model.record["threads"] = asked.threads
        budget_and_threads = f"{run.budget} on {plural(asked.threads, 'thread')}"
        progress.say(f"{len(model.vocabulary):,} words in the vocabulary; {budget_and_threads}")
        was = asked.reproducible if asked.resume is False else model.record.get("reproducible", False)
        model.record["reproducible"] = asked.reproducible and was
        model.record["prepared"] = {"encode_seconds": encode_seconds}
        with _counted(asked, model, encoded) as matter:
            loop = Loop(run, matter, asked.threads, progress, asked.on_report, place, reproducible=asked.reproducible)
            model.record["prepared"]["compile_seconds"] = loop.compile()
            if asked.on_begin is not None:
                asked.on_begin(model)
            loop.run()
            del loop, matter  # lets the counts' file go
        model.network = model.family.kept(model.network, model.vocabulary)
        if place is not None:
            with uninterrupted(), appearing(place) as folder:
                model.write(folder)
    return model


@contextmanager
def _matter(asked: Asked, family: Family, source: Model | None) -> "Iterator[EncodedCorpus | Cooccurrences]":
    """What a run is made of: the encoded corpus, or counts that are given in its place."""
    if asked.counts and not _is_given(asked.corpus):
        from firth import cooccurrences

        with cooccurrences.opened(
            asked.counts, threads=asked.threads, cache_dir=asked.cache_dir, progress=asked.progress
        ) as counts:
            yield counts
        return
    with prepared(
        asked.corpus,
        asked.preparation,
        family,
        like=source.segmentation if source else None,
        cache_dir=asked.cache_dir,
        progress=asked.progress,
    ) as encoded:
        yield encoded


@contextmanager
def _counted(asked: Asked, model: Model, matter: Any) -> Iterator[Any]:
    """What batches are cut from: of GloVe the counts, found or made now; of the others the corpus itself."""
    if model.family.name not in COUNTING:
        yield matter
        return
    from firth import cooccurrences

    began = time.monotonic()
    found: dict[str, Any] = {"threads": asked.threads, "cache_dir": asked.cache_dir, "progress": asked.progress}
    with ExitStack() as stack:
        n_tokens = min(matter.n_tokens, asked.count_tokens or matter.n_tokens)
        if isinstance(matter, cooccurrences.Cooccurrences):
            if asked.count_tokens is not None:
                raise UsageError("count_tokens is of a corpus that is counted here, and counts alone are given")
            counts = matter
        elif asked.counts and all(path.exists() for path in asked.counts):
            counts = stack.enter_context(cooccurrences.opened(asked.counts, **found))
            if counts.n_tokens != n_tokens:
                due = f"the corpus has {n_tokens:,}"
                if asked.count_tokens is not None:
                    due = f"{n_tokens:,} of the corpus are to be counted"
                raise UsageError(
                    f"the counts that are given are of {counts.n_tokens:,} words, and {due}; give one of the two, or "
                    "another place for counts"
                )
            if counts.segmentation != matter.segmentation:
                raise UsageError(
                    "the words of the counts that are given were found otherwise than those of the corpus: prepare it "
                    "as it was when they were made, or give the counts alone"
                )
        elif len(asked.counts) > 1:
            missing = next(path for path in asked.counts if not path.exists())
            raise UsageError(
                f"{printable(str(missing))} is not there; counts are written to one file, and added of many"
            )
        else:
            counts = stack.enter_context(
                cooccurrences.counted(
                    matter,
                    model.vocabulary,
                    model.family.nearness,
                    *asked.counts,
                    n_tokens=n_tokens,
                    memory=cooccurrences.MEMORY if asked.memory is None else asked.memory,
                    **found,
                )
            )
        _check_counts(counts, model)
        if model.family.context == "left":
            folder = stack.enter_context(cache.scratch("co-occurrence counts", cache_dir=asked.cache_dir))
            stack.callback(counts.close)
            counts.turn(folder, memory=cooccurrences.MEMORY if asked.memory is None else asked.memory)
        if asked.count_tokens is not None:
            model.record["prepared"]["count_tokens"] = counts.n_tokens
        model.record["prepared"]["count_seconds"] = round(time.monotonic() - began, 3)
        n_entries = plural(len(counts.entries), "pair")
        asked.progress.say(f"{n_entries} of words within {plural(model.family.window, 'word')}: those are trained on")
        yield counts


def _check_counts(counts: "Cooccurrences", model: Model) -> None:
    """Raises UsageError where counts are not those that the family would have made."""
    family = model.family
    differing = [
        f"--{name.replace('_', '-')} {getattr(counts.nearness, name)}"
        for name in ("window", "context", "distance_weights")
        if getattr(counts.nearness, name) != getattr(family, name)
    ]
    if differing:
        raise UsageError(f"the counts that are given were made otherwise: {' '.join(differing)}")
    if counts.vocabulary.words != model.vocabulary.words and "base" in model.record:
        raise UsageError(
            "the words of the model to go on from are added to those of the counts, so that the rows differ: name the "
            "corpus, which is counted anew, and leave counts out"
        )
    if counts.vocabulary.words != model.vocabulary.words:
        least = int(counts.vocabulary.counts.min())
        raise UsageError(
            f"the counts that are given have a vocabulary of {len(counts.vocabulary):,} words, the rarest of which "
            f"occurs {least:,} times, and the model has one of {len(model.vocabulary):,}: give --min-count {least}, "
            "and --max-size as when they were made"
        )


def _is_given(corpus: Any) -> bool:
    return corpus is not None and not (isinstance(corpus, Sequence) and len(corpus) == 0)


def _default_budget(family: Family, encoded: Any, progress: Progress) -> Budget:
    budget = Budget(epochs=family.default_epochs or default_epochs(encoded.n_tokens))
    progress.say(f"no budget was given: {budget}, which suits {encoded.n_tokens:,} words")
    return budget


def pass_seconds(family: Family, encoded: EncodedCorpus, counts: "Cooccurrences", threads: int) -> float:
    """How long a pass of `family` over the counts of some of a corpus takes; compiling does not count."""
    run = Run.begin(family, encoded, Budget(epochs=1), 1, threads, None)
    loop = Loop(run, counts, threads, Silent(), None, None)
    loop.compile()
    loop.run()
    return float(max(run.model.record["spent"]["seconds"], 1e-3))


def words_per_second(family: Family, encoded: EncodedCorpus, tokens: float, threads: int) -> float:
    """How fast `family` trains on the first `tokens` words of a corpus; neither compiling nor the vocabulary counts.

    Raises:
        FirthError: it cannot be trained on that corpus.
    """
    run = Run.begin(family, encoded, Budget(tokens=tokens), 1, threads, None)
    loop = Loop(run, encoded, threads, Silent(), None, None)
    loop.compile()
    loop.run()
    spent = run.model.record["spent"]
    return float(spent["tokens"] / max(spent["seconds"], 1e-3))
