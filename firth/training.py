"""One loop for every family: batches -> step -> log -> checkpoint, within a budget, interruptible, resumable."""

import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from firth import cache
from firth import corpus as corpora
from firth.budget import DEFAULT_MINUTES, Budget, Report
from firth.characters import MARKS
from firth.cutting import available_processors
from firth.errors import FirthError, UsageError, needing_torch
from firth.families.family import ContextualFamily, Family, answers_gensim_names, completed, settings
from firth.files import appearing, check_output, latest_checkpoint, printable, uninterrupted, without_folders
from firth.formats.directory import MATRICES
from firth.hogwild import Loop, Run
from firth.model import (
    CONTEXTUAL,
    COUNTING,
    NETWORK,
    OF_PIECES,
    TRAINED_BEFORE,
    Model,
    Words,
    load,
    untrained,
    versions,
)
from firth.phrases import Phrases
from firth.preparation import Preparation
from firth.progress import Progress, Silent
from firth.segmentation import Segmentation, choose
from firth.sizes import suited
from firth.tokens import EncodedCorpus
from firth.userwords import read_user_words

if TYPE_CHECKING:
    from firth import descent
    from firth.cooccurrences import Cooccurrences
    from firth.encoded import EncodedPieces
    from firth.parts import Given
    from firth.pieces import Kind, Pieces

Compile = Literal["auto", "always", "never"]
PieceKind = Literal["auto", "wordpiece", "bpe", "byte_bpe"]
Cleaning = Literal["none", "plain"]

LEAST_EPOCHS: Final = 5
MOST_EPOCHS: Final = 20  # of a corpus of a million words or fewer
MOST_NATS: Final = 700.0  # whose perplexity is a number
MATRICES_SHARE: Final = 0.1  # of the budget, that reading contexts for static vectors may take
CONTEXTS: Final = 20  # of a word, for these


def default_epochs(n_tokens: int) -> int:
    """Passes over a corpus of n_tokens words when no budget is given: 5 from 20 M words up, at most 20 below.

    They fall with the root of the size: where more of them stopped helping (docs/decisions/0007).
    """
    return max(LEAST_EPOCHS, min(MOST_EPOCHS, round(MOST_EPOCHS * math.sqrt(1_000_000 / max(1, n_tokens)))))


@answers_gensim_names
def train(
    family: Family | ContextualFamily | Sequence[ContextualFamily],
    corpus: Any,
    *,
    epochs: float | None = None,
    tokens: float | None = None,
    minutes: float | None = None,
    threads: int | None = None,
    seed: int = 1,
    reproducible: bool = False,
    preparation: Preparation | None = None,
    output: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    resume: bool = False,
    base: str | os.PathLike[str] | Model | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    on_report: Callable[[Report], object] | None = None,
    on_begin: Callable[[Model], object] | None = None,
    tokenizer: "str | os.PathLike[str] | Pieces | None" = None,
    pieces: PieceKind = "auto",
    cleaning: Cleaning = "none",
    add_words: int = 0,
    device: str | None = None,
    compile: Compile = "auto",
    counts: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None = None,
    memory: float | None = None,
    matrices: bool = True,
) -> Model:
    """A model of `family`, trained on `corpus`.

    The result repeats to the bit for one seed and a budget of epochs or tokens: of a static family on one thread or if
    it is to be `reproducible`, of ELMo, GPT and BERT on a processor. Otherwise several threads of a static family write
    to the tables without locks, so that their order, and with it the last digits, differs from run to run.

    Args:
        family: The hyperparameters, as `firth.Skipgram(dim=100)` or `firth.BERT.mini()`. Several sizes of GPT or BERT,
            from small to large: the largest that the budget suffices for is trained; see `sizes.chosen_size`.
        corpus: A path, a folder, a pattern as "books/*.txt", several of them as `pathlib.Path`, or an iterable of
            strings or of lists of words; see `firth.corpus.read`.
        epochs: Budget: passes over the corpus; fractions are allowed.
        tokens: Budget: raw words; of ELMo words and ends of sentences; of GPT and BERT, pieces.
        minutes: Budget: of training alone; counting and compiling do not count. Without any of the three:
            `default_epochs`; for ELMo, GPT and BERT `DEFAULT_MINUTES`.
        threads: Trained on; by default all processors that the process may use.
        seed: Of all that is random.
        reproducible: The same seed gives the same bits. Of a static family, whatever the number of threads: one of
            them trains at a time, while the others prepare; on two cores that takes about twice the time. GPT and BERT
            repeat anyway on a processor, with one number of threads, and nowhere else.
        preparation: How text becomes words; by default plain UTF-8 text, the rest chosen by looking at it.
        output: A directory for the model, and for checkpoints while the run is unfinished.
        overwrite: Whether a model in `output` may be replaced (when the run has ended well).
        resume: Go on with the unfinished run in `output`; family and seed must be those it began with, and so must
            the budget, or be left out.
        base: A model, or its directory, to go on from: its words keep their vectors, words that are new in `corpus`
            get rows of their own. Text is cut into words as the base's was. Of ELMo, GPT and BERT also a published
            directory: its network and, if it has one, its tokenizer are gone on with.
        cache_dir: Where the encoded corpus is kept for later runs; see `firth.cache.place`.
        progress: Shows how far the work is; by default nothing is shown.
        on_report: Called about once a second, and at the end, from the calling thread; what it takes is no part of a
            budget of minutes.
        on_begin: Called once, before the first step, with the model as it stands: its network changes in place as it is
            trained, and `on_report` may look at it.
        tokenizer: Of GPT and BERT: pieces to be used, or the tokenizer.json, vocab.txt or directory of some; by default
            they are learnt from the corpus.
        pieces: Of GPT and BERT: the kind that is learnt; `auto` is `wordpiece` for BERT, and for GPT `bpe`, or
            `byte_bpe` where the script sets no spaces between words.
        cleaning: Of pieces that are learnt: `plain` makes curly quotes, dashes and ellipses plain.
        add_words: Of GPT and BERT with a base: so many of the corpus' frequent words that the base's tokenizer parts
            become pieces; the row of each begins as the mean of its parts'.
        device: Of ELMo, GPT and BERT: `cuda`, `cuda:1`, `mps` or `cpu`; by default the fastest there is.
        compile: Of ELMo, GPT and BERT: whether torch.compile is used; `auto` where it pays. Of ELMo its LSTM layers are
            compiled, which `always` launches as CUDA graphs on a GPU (graphs: not yet run on a GPU).
        counts: Of GloVe: a file of co-occurrence counts, or several, which are added up. What is not there is counted
            and written there to stay; where no corpus is given (None), the counts stand for it.
        memory: Of GloVe: GiB that counting may take; 2 unless told otherwise.
        matrices: Of ELMo, GPT and BERT: whether the training ends by making the static vectors of the corpus' 20,000
            most frequent words, a matrix for each layer, each word read in 20 contexts at most. That takes at most a
            tenth of the budget, beside it; see `firth.matrices`, which makes others. Ctrl-C leaves them out.

    Raises:
        FirthError: the corpus cannot be read or has no words.
        UsageError: arguments that contradict each other.
        KeyboardInterrupt: Ctrl-C; a checkpoint has been written to `output` then.
    """
    sizes: list[Any] = list(family) if isinstance(family, Sequence) else [family]
    if not sizes:
        raise UsageError("no family was given")
    asked = _Asked(
        sizes=sizes,
        corpus=corpus,
        budget=_budget(epochs, tokens, minutes),
        threads=available_processors() if threads is None else threads,
        seed=seed,
        reproducible=reproducible,
        preparation=preparation or Preparation(),
        place=Path(output).absolute() if output is not None else None,
        resume=resume,
        base=base,
        cache_dir=cache_dir,
        progress=progress or Silent(),
        on_report=on_report,
        on_begin=on_begin,
        matrices=matrices,
    )
    if asked.threads < 1:
        raise UsageError(f"threads is {threads}; it must be at least 1")
    if seed < 0:
        raise UsageError(f"seed is {seed}; it must not be negative")
    if reproducible and minutes is not None:
        raise UsageError("a run of so many minutes is not reproducible, since the clock decides; give epochs or tokens")
    if sizes[0].name not in COUNTING and (counts is not None or memory is not None):
        raise UsageError(f"counts and memory are of GloVe, which counts pairs of words first; {sizes[0].name} does not")
    if memory is not None:
        from firth.cooccurrences import check_memory

        check_memory(memory)
    if asked.place is not None and not resume:
        check_output(asked.place, overwrite=overwrite)
    if sizes[0].name in CONTEXTUAL:
        with needing_torch(sizes[0].name):
            if sizes[0].name in OF_PIECES:
                return _train_pieces(asked, tokenizer, pieces, cleaning, add_words, device, compile)
            _check_whole_words(sizes[0], tokenizer=tokenizer, add_words=add_words or None)
            return _train_words_in_context(asked, device, compile)
    _check_whole_words(sizes[0], tokenizer=tokenizer, add_words=add_words or None)
    if sizes[0].name in COUNTING:
        if memory is not None:
            from firth.cooccurrences import check_memory

            check_memory(memory)
        paths = [counts] if isinstance(counts, str | os.PathLike) else counts or ()
        asked = replace(asked, counts=[Path(path).absolute() for path in paths], memory=memory)
    if device is not None:
        raise UsageError(f"device is given, and {sizes[0].name} is trained on the processor")
    return _train_words(asked)


def _check_whole_words(family: Any, **given: Any) -> None:
    """Raises UsageError where something of pieces is given to a family of whole words."""
    for name, value in given.items():
        if value is not None:
            raise UsageError(f"{name} is given, and {family.name} has none: it reads whole words")


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """What `train` was asked for, as both kinds of family take it."""

    sizes: list[Any]
    corpus: Any
    budget: Budget | None
    threads: int
    seed: int
    reproducible: bool
    preparation: Preparation
    place: Path | None
    resume: bool
    base: str | os.PathLike[str] | Model | None
    cache_dir: str | os.PathLike[str] | None
    progress: Progress
    on_report: Callable[[Report], object] | None
    on_begin: Callable[[Model], object] | None = None
    counts: Sequence[Path] = ()
    memory: float | None = None
    matrices: bool = True


def _train_words(asked: _Asked) -> Model:
    """A model of a static family."""
    if len(asked.sizes) > 1:
        raise UsageError(f"{len(asked.sizes)} families were given; of {asked.sizes[0].name} one is trained at a time")
    family: Family = asked.sizes[0]
    progress, place = asked.progress, asked.place
    run = None
    if asked.resume:
        run = Run.read(_unfinished(place))
        _check_begun(run, asked)
    start = None
    if run is None and asked.base is not None:
        start = asked.base if isinstance(asked.base, Model) else load(asked.base)
        _check_base(start, family)
    source = start if run is None else run.model

    began = time.monotonic()
    with _matter(asked, family, source) as encoded:
        encode_seconds = round(time.monotonic() - began, 3)
        if run is None:
            budget = asked.budget or _default_budget(family, encoded, progress)
            run = Run.begin(family, encoded, budget, asked.seed, asked.threads, start, say=progress.say)
        else:
            _check_corpus(run, encoded.fingerprint)
        start = source = None  # of a base in `output`, the mapped files are let go, so that they can be replaced
        model = run.model
        model.record["threads"] = asked.threads
        budget_and_threads = f"{run.budget} on {_plural(asked.threads, 'thread')}"
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
def _matter(asked: _Asked, family: Family, source: Model | None) -> "Iterator[EncodedCorpus | Cooccurrences]":
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
def _counted(asked: _Asked, model: Model, matter: Any) -> Iterator[Any]:
    """What batches are cut from: of GloVe the counts, found or made now; of the others the corpus itself."""
    if model.family.name not in COUNTING:
        yield matter
        return
    from firth import cooccurrences

    began = time.monotonic()
    found: dict[str, Any] = {"threads": asked.threads, "cache_dir": asked.cache_dir, "progress": asked.progress}
    with ExitStack() as stack:
        if isinstance(matter, cooccurrences.Cooccurrences):
            counts = matter
        elif asked.counts and all(path.exists() for path in asked.counts):
            counts = stack.enter_context(cooccurrences.opened(asked.counts, **found))
            if counts.n_tokens != matter.n_tokens:
                raise UsageError(
                    f"the counts that are given are of {counts.n_tokens:,} words, and the corpus has "
                    f"{matter.n_tokens:,}; give one of the two, or another place for counts"
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
                    memory=cooccurrences.MEMORY if asked.memory is None else asked.memory,
                    **found,
                )
            )
        _check_counts(counts, model)
        if model.family.context == "left":
            folder = stack.enter_context(cache.scratch("co-occurrence counts", cache_dir=asked.cache_dir))
            stack.callback(counts.close)
            counts.turn(folder, memory=cooccurrences.MEMORY if asked.memory is None else asked.memory)
        model.record["prepared"]["count_seconds"] = round(time.monotonic() - began, 3)
        n_entries = _plural(len(counts.entries), "pair")
        asked.progress.say(f"{n_entries} of words within {_plural(model.family.window, 'word')}: those are trained on")
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


def _train_pieces(
    asked: _Asked,
    tokenizer: "str | os.PathLike[str] | Pieces | None",
    kind: PieceKind,
    cleaning: Cleaning,
    add_words: int,
    device: str | None,
    compile: Compile,
) -> Model:
    """A model of a contextual family."""
    from firth import descent, devices
    from firth.pieces import Pieces

    processes = devices.world()
    told = {"pieces": kind, "cleaning": cleaning, "add_words": add_words}
    asked, run, base, sizes = _begun_or_based(asked)
    progress = asked.progress
    if run is not None and (changed := _differing(told, run.model.record.get("asked", told))):
        raise UsageError(f"a resumed run keeps its settings; asked for were {', '.join(changed)}")
    given = run.model.pieces if run is not None else base.pieces if base is not None else None
    if tokenizer is not None:
        read = tokenizer if isinstance(tokenizer, Pieces) else Pieces.read(Path(tokenizer))
        if given is not None and given != read:
            raise UsageError("a tokenizer is given, but a model that is gone on with has its own; leave it out")
        given = read
        progress.say(f"the tokenizer that is given has {given.n_entries:,} entries, and vocabulary_size no effect")
    if add_words and base is None and run is None:
        raise UsageError("words are added to the tokenizer of a model to go on from; give one, or leave add_words out")
    check_prepared_for_pieces(asked.preparation, sizes[0], add_words)
    if given is not None and run is None:
        _check_learnt_alike(given, kind, cleaning, asked.preparation)
    chosen = _device(asked, device)
    with ExitStack() as stack:
        stack.enter_context(devices.joined(processes, chosen))
        stack.enter_context(devices.on_threads(max(1, asked.threads // processes.size)))
        began = time.monotonic()
        with devices.in_turn(processes):
            encoded, pieces = stack.enter_context(
                _encoded_pieces(asked, sizes[0], given, kind, cleaning, 0 if run is not None else add_words)
            )
        encode_seconds = round(time.monotonic() - began, 3)
        text = sizes[0].stream(encoded)
        progress.say(f"device: {devices.said(chosen)}; {devices.chosen_precision(chosen)}")
        if run is None:
            budget = asked.budget or Budget(minutes=DEFAULT_MINUTES)
            family = suited(sizes, text, pieces, budget, chosen, progress)
            model = _beginner(family, pieces, base, asked.seed)
            model.record = {
                "finished": False,
                "corpus": _described(encoded),
                "preparation": without_folders(asked.preparation.settings()) | {"cased": bool(asked.preparation.cased)},
                "budget": budget.settings(),
                "seed": asked.seed,
                "asked": told,
            }
            if base is not None:
                model.record["base"] = base.origin()
                drawn = untrained(base)
                if kept := [name for name in untrained(model) if name not in drawn]:
                    model.record[TRAINED_BEFORE] = kept
            run = descent.Run(model, budget, asked.seed)
        else:
            _check_corpus(run, encoded.fingerprint)
        return _descended(
            asked, run, text, chosen, compile, run.model.family.baselines(encoded), encode_seconds, "tokenizers",
            lambda: _lines_again(asked, sizes[0], encoded, pieces),
        )  # fmt: skip


def _begun_or_based(asked: _Asked) -> "tuple[_Asked, descent.Run | None, Model | None, list[Any]]":
    """What a contextual family is asked for in this process; the run to resume, or the model to go on from; sizes."""
    from firth import descent, devices

    processes = devices.world()
    if processes.size > 1 and _is_standard_input(asked.corpus):
        raise UsageError(
            f"{processes.size} processes cannot share standard input; write it to a file first, and name that"
        )
    if processes.rank:
        asked = replace(asked, progress=Silent())
    if asked.resume:
        run = descent.Run.read(_unfinished(asked.place))
        if "base" in run.model.record:
            asked = replace(asked, sizes=[_like_base(asked.sizes, run.model, Silent())])
        _check_begun(run, asked)
        return asked, run, None, [run.model.family]
    if asked.base is not None:
        base = asked.base if isinstance(asked.base, Model) else load(asked.base)
        return asked, None, base, [_like_base(asked.sizes, base, asked.progress)]
    return asked, None, None, asked.sizes


def _device(asked: _Asked, device: str | None) -> Any:
    """The device to train on.

    Raises:
        UsageError: it is not there, or does not repeat to the bit, which is asked for.
    """
    from firth import devices

    chosen = devices.chosen_device(device)
    if asked.reproducible and chosen.type != "cpu":
        raise UsageError(
            f"on {devices.said(chosen)} sums are added up in no fixed order, so that no run repeats to the bit; on the "
            "processor every one does: --device cpu, or leave reproducible out"
        )
    return chosen


def _descended(
    asked: _Asked,
    run: "descent.Run",
    text: Any,
    device: Any,
    compile: Compile,
    baselines: Mapping[str, float],
    encode_seconds: float,
    package: str,
    lines: "Callable[[], Iterable[Given]]",
) -> Model:
    """The model of a run that is taken to its end, and written where it is asked for."""
    from firth import descent, devices

    model = run.model
    model.record |= {
        "threads": asked.threads,
        "device": devices.said(device),
        "versions": versions("torch", package),
    }
    loop = descent.Loop(
        run, text, device, asked.progress, asked.on_report, asked.place, compiles=compile, baselines=baselines
    )
    asked.progress.say(f"{_weights_of(model):,} weights; {run.budget} on {devices.said(device)}")
    if asked.on_begin is not None and devices.world().rank == 0:
        asked.on_begin(model)
    loop.run()
    model.record["prepared"] = {"encode_seconds": encode_seconds} | loop.apart()
    if asked.place is not None and devices.world().rank == 0:
        with uninterrupted(), appearing(asked.place) as folder:
            model.write(folder)
    if asked.matrices and devices.world().rank == 0:
        _add_matrices(asked, model, run.budget, device, lines())
    return model


def _add_matrices(asked: _Asked, model: Model, budget: Budget, device: Any, lines: "Iterable[Given]") -> None:
    """Gives a model that is trained the static vectors of the corpus' frequent words, here and where it was written.

    It is whole without them, so that neither Ctrl-C nor an error is more than said. A budget of minutes gives them a
    tenth of its time; one of tokens or epochs, so that they repeat to the bit, three tenths of the tokens: reading
    takes a third of what a step of training does, which goes forth and back.
    """
    from firth import parts, reduction

    spent = model.record["spent"]
    limits: dict[str, Any] = {"most_counted": spent["tokens"], "passes": 3 * MATRICES_SHARE * spent["epochs"]}
    if budget.minutes is not None:
        limits = {"deadline": time.monotonic() + 60 * MATRICES_SHARE * budget.minutes}
    began = time.monotonic()
    try:
        model.matrices = reduction.reduced(
            parts.asked_of(model.reader(device=str(device), threads=asked.threads)),
            lines,
            max_contexts=CONTEXTS,
            seed=asked.seed,
            most_types=asked.preparation.max_types,
            cache_dir=asked.cache_dir,
            progress=asked.progress,
            **limits,
        )
        model.record["prepared"]["matrices_seconds"] = round(time.monotonic() - began, 3)
        if asked.place is not None:
            with uninterrupted():
                model.matrices.save(asked.place / MATRICES, overwrite=True)
                model.write_record(asked.place)
    except (FirthError, OSError, MemoryError, RuntimeError, KeyboardInterrupt) as error:
        # The training took hours, and what is to be made here can be made again: memory, of a GPU too (RuntimeError).
        why = str(error).partition("\n")[0] or ("interrupted" if isinstance(error, KeyboardInterrupt) else "memory")
        asked.progress.say(
            f"the model is whole, but for the static vectors of its words ({printable(why)}): `firth matrices` makes "
            "them"
        )
        return
    asked.progress.say(f"a matrix for each of {model.matrices.n_layers} layers, {len(model.matrices):,} words in each")


def _lines_again(asked: _Asked, family: Any, encoded: "EncodedPieces", pieces: "Pieces") -> "Iterator[Given]":
    """The lines of the corpus once more; of one that is read only once, what its pieces tell of them."""
    from firth import occurrences

    corpus = asked.corpus
    if isinstance(corpus, list | tuple) or not isinstance(corpus, Iterator):
        again = corpora.read(corpus, asked.preparation, splits_sentences=family.needs_sentences)
        if isinstance(corpus, list | tuple) or again.identity() is not None:
            yield from occurrences.lines_of(again)
            return
    first = 0
    for stop in encoded.sentence_ends.tolist():
        yield pieces.decode(encoded.ids[first:stop].tolist()).strip()
        first = stop


def _lines_of_words(encoded: EncodedCorpus) -> "Iterator[Given]":
    """The lines of an encoded corpus, without words that were pruned."""
    types = list(encoded.types)
    first = 0
    for stop in encoded.line_ends.tolist():
        yield [word for type_id in encoded.type_ids[first:stop].tolist() if (word := types[type_id])]
        first = stop


def _train_words_in_context(asked: _Asked, device: str | None, compile: Compile) -> Model:
    """A model of a contextual family that reads whole words."""
    from firth import descent, devices

    processes = devices.world()
    asked, run, base, sizes = _begun_or_based(asked)
    progress = asked.progress
    chosen = _device(asked, device)
    source = base if run is None else run.model
    like = source.segmentation if source is not None and source.network.n_entries else None
    if source is not None and like is None and False in (asked.preparation.cased, asked.preparation.punctuation):
        progress.say(
            "the model to go on from may have been trained on capital letters and punctuation marks, and the text "
            "loses them (--no-cased, --no-punctuation)"
        )
    with ExitStack() as stack:
        stack.enter_context(devices.joined(processes, chosen))
        stack.enter_context(devices.on_threads(max(1, asked.threads // processes.size)))
        began = time.monotonic()
        with devices.in_turn(processes):
            encoded = stack.enter_context(
                prepared(
                    asked.corpus, asked.preparation, sizes[0], like=like, cache_dir=asked.cache_dir, progress=progress
                )
            )
        encode_seconds = round(time.monotonic() - began, 3)
        progress.say(f"device: {devices.said(chosen)}; {devices.chosen_precision(chosen)}")
        if run is None:
            budget = asked.budget or Budget(minutes=DEFAULT_MINUTES)
            words = _words_to_predict(sizes[0], encoded, base)
            family = suited(sizes, sizes[0].stream(encoded, words.vocabulary), words, budget, chosen, progress)
            model = _beginner(family, words, base, asked.seed)
            model.record = {
                "finished": False,
                "corpus": _described_words(encoded),
                "preparation": without_folders(encoded.preparation.settings()),
                "budget": budget.settings(),
                "seed": asked.seed,
            }
            if base is not None:
                model.record["base"] = base.origin()
            run = descent.Run(model, budget, asked.seed)
        else:
            _check_corpus(run, encoded.fingerprint)
        model, source, base = run.model, None, None
        text = model.family.stream(encoded, model.vocabulary)
        model.record["words"] = _words_found(model.family, text)
        for line in _words_account(model.record["words"]):
            progress.say(line)
        _descended(
            asked, run, text, chosen, compile, model.family.baselines(text), encode_seconds, "h5py",
            lambda: _lines_of_words(encoded),
        )  # fmt: skip
    for line in _perplexities_account(model.record):
        progress.say(line)
    return model


def _words_to_predict(family: Any, encoded: EncodedCorpus, base: Model | None) -> Words:
    """The vocabulary of a new model, with that of a model to go on from, if it predicts one."""
    from firth import streams

    most: dict[str, Any] = {"min_count": family.min_count, "max_size": family.max_size}
    if base is None or not base.network.n_entries:
        return Words(streams.vocabulary(encoded, **most), encoded.segmentation)
    return Words(streams.extended(base.vocabulary, encoded, **most), base.segmentation)


def _words_found(family: Any, text: Any) -> dict[str, Any]:
    """What becomes of the corpus' words: how many have no row, are longer than a word may be, are in a sample."""
    n_cut, n_cut_words = text.longer_than(family.max_characters - MARKS)
    return {
        "vocabulary": len(text.vocabulary),
        "sampled_words": family.negatives if family.samples(len(text.vocabulary)) else None,
        "unknown_share": text.unknown_share,
        "held_out_unknown_share": None if text.held_out is None else text.held_out.unknown_share,
        "most_bytes": family.max_characters - MARKS,
        "cut_types": n_cut,
        "cut_words": n_cut_words,
    }


def _words_account(found: Mapping[str, Any]) -> Iterator[str]:
    """The same, a line of text each."""
    yield (
        f"{found['vocabulary']:,} words are predicted, <S>, </S> and <UNK> among them; {found['unknown_share']:.2%} of "
        "the words that are trained on count as <UNK> when they are to be predicted, and are read as they are"
    )
    if found["cut_types"]:
        yield (
            f"{_plural(found['cut_types'], 'word')} of more than {found['most_bytes']} bytes, met "
            f"{_plural(found['cut_words'], 'time')}, cut to their first {found['most_bytes']}; --max-characters holds "
            "more"
        )
    if found["sampled_words"]:
        yield (
            f"the loss in training is told by {found['sampled_words']:,} words drawn for each batch, and so is lower "
            "than the whole vocabulary's, by which held-out text is told (--objective full: both)"
        )


def perplexities(record: Mapping[str, Any]) -> dict[str, float]:
    """The held-out perplexities of a model that reads both ways, by its record; nothing of other models.

    Of `forward` and `backward`, and as `mean` their geometric mean: exp of the mean nats.
    """
    nats = dict(record.get("held_out_nats", {}).get("parts", {}))
    if "forward" not in nats:
        return {}
    nats["mean"] = (nats["forward"] + nats["backward"]) / 2
    return {name: math.exp(min(of_part, MOST_NATS)) for name, of_part in nats.items()}


def _perplexities_account(record: Mapping[str, Any]) -> Iterator[str]:
    """The same, a line of text."""
    if found := perplexities(record):
        yield (
            f"held-out perplexity: {found['forward']:,.2f} forward, {found['backward']:,.2f} backward, "
            f"{found['mean']:,.2f} in the mean, of {record['words']['vocabulary']:,} words; "
            f"{record['words']['held_out_unknown_share']:.2%} of the held-out words are <UNK>"
        )


@contextmanager
def _encoded_pieces(
    asked: _Asked, family: Any, given: "Pieces | None", kind: PieceKind, cleaning: Cleaning, add_words: int
) -> "Iterator[tuple[EncodedPieces, Pieces]]":
    """The corpus as pieces, those given or learnt from it, for as long as the block lasts; says what was found."""
    from firth.pieces import PieceSettings

    preparation, progress = asked.preparation, asked.progress
    corpus = corpora.read(asked.corpus, preparation, splits_sentences=family.needs_sentences)
    pieces: Pieces | PieceSettings
    if given is not None:
        pieces = given
    else:
        if kind == "auto":
            kind, reason = suited_pieces(family, corpus.sample())
            if reason:
                progress.say(f"pieces: {reason}")
        elif kind == "bpe":
            _check_has_spaces(corpus.sample())
        pieces = PieceSettings(
            kind=kind,
            size=family.vocabulary_size,
            cased=bool(preparation.cased),
            seed=asked.seed,
            cleaning=cleaning,
        )
    words = None
    if getattr(family, "masking_units", "pieces") == "words":
        words, reason, _ = choose(corpus.sample(), preparation)
        progress.say(f"words to be masked whole: {words.method}{f' ({reason})' if reason else ''}")
    with cache.encoded_pieces(
        corpus,
        pieces,
        preparation,
        words=words,
        add_words=add_words,
        added_words=choose(corpus.sample(), preparation)[0] if add_words and words is None else words,
        cache_dir=asked.cache_dir,
        progress=progress,
    ) as (encoded, pieces):
        progress.say(
            f"read {_plural(encoded.n_tokens, 'piece')} of {pieces.n_entries:,}, "
            f"{_plural(encoded.n_sentences, 'sentence')} (in the mean of "
            f"{encoded.n_tokens / max(1, encoded.n_sentences):.1f} pieces), {_plural(encoded.n_documents, 'document')}"
        )
        for remark in (*pieces.remarks, *encoded.remarks):
            progress.say(remark)
        if encoded.unknown_share == 1:
            what_to_do = (
                "its vocabulary has no room for the characters there are: raise --vocabulary-size, or train gpt on "
                "bytes (--pieces byte_bpe)"
                if given is None
                else "take one of this script, or leave it out, and one is learnt from the text"
            )
            raise FirthError(
                f"the tokenizer knows nothing of this text: all of its {_plural(encoded.n_tokens, 'piece')} stand for "
                f"what it does not know; {what_to_do}"
            )
        yield encoded, pieces


def suited_pieces(family: Any, sample: str) -> "tuple[Kind, str]":
    """The kind of pieces that a family learns of text like `sample`, and why, where that depends on it."""
    from firth.pieces import suited_kind

    return ("wordpiece", "") if family.name == "bert" else suited_kind(sample)


def _check_has_spaces(sample: str) -> None:
    """Raises UsageError where text like `sample` is no text for pieces of words that white space parts."""
    from firth.pieces import suited_kind

    kind, reason = suited_kind(sample)
    if kind != "bpe":
        raise UsageError(f"pieces 'bpe' were asked for, which begin with words that white space parts; {reason}")


def _is_standard_input(corpus: Any) -> bool:
    several = isinstance(corpus, Sequence) and not isinstance(corpus, str)
    return any(isinstance(path, str | os.PathLike) and str(path) == "-" for path in (corpus if several else [corpus]))


def check_prepared_for_pieces(preparation: Preparation, family: Any, add_words: int = 0) -> None:
    """Raises UsageError where the preparation asks for what a family that reads pieces makes nothing of."""
    finds_words = add_words or getattr(family, "masking_units", "pieces") == "words"
    ignored = {
        "keep": "what documents are kept with is for families of whole words",
        "keep_from_name": "what documents are kept with is for families of whole words",
        "unicode_form": "a tokenizer brings its own; bring the text into that form before",
        "digits": "pieces keep digits; write zeros into the text before",
        "simplified": "pieces keep characters as they are; convert the text before",
        "punctuation": "the tokenizer keeps punctuation marks",
        "inner": "the tokenizer parts words at punctuation",
        "phrases": "pieces are parts of words, and their context tells what stands together",
        "max_types": "a vocabulary of pieces is learnt from a sample of bounded size",
    }
    if not finds_words:
        only = "words are looked for with bert's --masking-units words, and with --add-words"
        ignored |= {"segment": f"pieces know no words; {only}", "user_words": f"pieces know no dictionary; {only}"}
    default = Preparation()
    asked = [name for name in ignored if getattr(preparation, name) != getattr(default, name)]
    if asked:
        reasons = "; ".join(f"{name} changes nothing: {ignored[name]}" for name in asked)
        raise UsageError(f"{family.name} reads pieces of words, and leaves aside how words are found: {reasons}")


def _check_learnt_alike(given: "Pieces", kind: PieceKind, cleaning: Cleaning, preparation: Preparation) -> None:
    """Raises UsageError where pieces are given, and others were to be learnt."""
    asked = [f"pieces {kind}"] if kind not in ("auto", given.kind) else []
    asked += [f"cleaning {cleaning}"] if cleaning != "none" else []
    asked += ["cased"] if preparation.cased and given.folds_case else []
    if asked:
        raise UsageError(
            f"the tokenizer is given, which is {given.kind}{' and folds case' if given.folds_case else ''}; "
            f"{', '.join(asked)} would only change one that is learnt: leave it out"
        )


def _described_words(encoded: EncodedCorpus) -> dict[str, Any]:
    """What the record of a model that reads words says of its corpus."""
    return {
        "fingerprint": encoded.fingerprint,
        "n_tokens": encoded.n_tokens,
        "n_lines": encoded.n_lines,
        "n_documents": encoded.n_documents,
        "layout": encoded.layout,
        "lang": encoded.lang,
        "remarks": without_folders(encoded.remarks),
    }


def _described(encoded: "EncodedPieces") -> dict[str, Any]:
    return {
        "fingerprint": encoded.fingerprint,
        "n_tokens": encoded.n_tokens,
        "n_sentences": encoded.n_sentences,
        "n_documents": encoded.n_documents,
        "unknown_share": encoded.unknown_share,
        "remarks": without_folders(encoded.remarks),
    }


def _like_base(sizes: Sequence[Any], base: Model, progress: Progress) -> Any:
    """The family that goes on with `base`: its network, trained as is asked for."""
    family = sizes[0]
    if base.family.name != family.name:
        raise UsageError(f"{family.name} cannot go on from a model of {base.family.name}")
    kept = [name for name in (*NETWORK, "inner_dim", "deviation") if hasattr(family, name)]
    _check_left_to_base(sizes, base, [*kept, "vocabulary_size"])
    network = {name: getattr(base.family, name) for name in kept}
    has_next = hasattr(base.family, "predicts_next_sentence") and "next" not in untrained(base)
    if getattr(family, "predicts_next_sentence", False) and not has_next:
        progress.say("the model to go on from has no trained head for next sentences: masked tokens alone are trained")
        network["objective"] = "masked_token"
    elif has_next and not family.predicts_next_sentence:
        progress.say(
            "the model to go on from has a head for next sentences, which stays as it is: masked tokens alone are "
            "trained (--objective masked_token_and_next_sentence trains it too)"
        )
    made: Any = replace(family, **network).going_on()
    if made.learning_rate != family.learning_rate:
        progress.say(
            f"a trained model is gone on with in short steps, all of AdamW, at {made.learning_rate:.2g} "
            "(--learning-rate: your own, and --block-optimizer as it is)"
        )
    return made


def _check_left_to_base(sizes: Sequence[Any], base: Model, names: Sequence[str]) -> None:
    """Raises UsageError for a hyperparameter that was asked for and that the model to go on from has another of.

    What is as in some preset or recipe need not have been asked for.
    """
    family = type(sizes[0])
    variants = [getattr(family, name)() for name in ("tiny", "mini", "small", "medium", "base", "paper")]
    for name in names:
        if not hasattr(sizes[0], name):
            continue
        asked, there = getattr(sizes[0], name), getattr(base.family, name)
        if name == "vocabulary_size" and asked == base.tokens.n_entries:
            continue
        is_size = name in ("dim", "n_layers", "n_heads", "cell_dim")
        if asked == there or (len(sizes) > 1 if is_size else asked in [getattr(given, name) for given in variants]):
            continue
        raise UsageError(
            f"{name} is {asked}, but the model to go on from has {there}; its network and its tokenizer are kept: "
            f"leave {name} out"
        )


def _beginner(family: Any, pieces: "Pieces | Words", base: Model | None, seed: int) -> Model:
    """A model at its beginning: random weights, or those of `base` and, for each new piece, the mean of its parts.

    Of whole words, a new one begins with a random row as it is predicted.
    """
    if base is None:
        return Model(family, pieces, family.network(pieces.n_entries, seed), {})
    old = base.network
    if isinstance(pieces, Words):
        network = family.network(pieces.n_entries, seed)
        weights = dict(old.named_parameters())
        rows = pieces.vocabulary.rows(base.vocabulary.words)
        for name, weight in network.named_parameters():
            if name not in ("table", "output_bias"):
                weight.data.copy_(weights[name].detach())
            elif old.n_entries:
                weight.data[rows] = weights[name].detach()[: old.n_entries]
        return Model(family, pieces, network, {})
    network = family.network(max(old.n_entries, pieces.n_entries), seed)
    weights = dict(old.named_parameters())
    for name, weight in network.named_parameters():
        if name in weights:
            n_old = old.n_entries if name in ("table", "output_bias") else len(weight)
            weight.data[:n_old] = weights[name].detach()[:n_old]
    for piece_id in range(base.pieces.n_entries, pieces.n_entries):  # words that were added
        parts = base.pieces.encode([pieces.decode([piece_id])])[0]
        network.table.data[piece_id] = old.table.detach()[parts].mean(0)
    return Model(family, pieces, network, {})


def _weights_of(model: Model) -> int:
    return sum(parameter.numel() for parameter in model.network.parameters())


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


def _budget(epochs: float | None, tokens: float | None, minutes: float | None) -> Budget | None:
    if epochs is None and tokens is None and minutes is None:
        return None
    return Budget(epochs=epochs, tokens=tokens, minutes=minutes)


def _default_budget(family: Family, encoded: Any, progress: Progress) -> Budget:
    budget = Budget(epochs=family.default_epochs or default_epochs(encoded.n_tokens))
    progress.say(f"no budget was given: {budget}, which suits {encoded.n_tokens:,} words")
    return budget


def _unfinished(place: Path | None) -> Path:
    """The checkpoint of the unfinished run in `place`."""
    if place is None:
        raise UsageError("a resumed run needs the output that it began with")
    folder = latest_checkpoint(place)
    if folder is None:
        raise UsageError(f"{printable(str(place))} has no unfinished run to resume; train without --resume")
    return folder


def _check_begun(run: Any, asked: _Asked) -> None:
    """Raises UsageError where a run was not begun with the settings that are asked for."""
    record = run.model.record
    there = without_folders(record.get("preparation", {})) | settings(run.model.family)
    if run.model.family.name in OF_PIECES:
        there["cased"] = bool(there.get("cased"))  # for a time left open where it was not asked for
    preparation = without_folders(asked.preparation.settings())
    preparation |= {name: there.get(name) for name in ("cased", "punctuation") if preparation[name] is None}
    of_sizes = [_differing(preparation | settings(size), there) for size in asked.sizes]
    differing = min(of_sizes, key=len)
    if asked.budget is not None and asked.budget != run.budget:
        differing.append(f"a budget of {asked.budget} (begun with {run.budget})")
    if asked.base is not None and "base" not in record:
        differing.append("a model to go on from (begun without one)")
    elif asked.base is not None and not _is_base(record["base"], asked):
        differing.append("another model to go on from than it was begun with")
    if asked.seed != run.seed:
        differing.append(f"seed {asked.seed} (begun with {run.seed})")
    if differing:
        raise UsageError(f"a resumed run keeps its settings; asked for were {', '.join(differing)}")


def _is_base(origin: Mapping[str, Any], asked: _Asked) -> bool:
    """Whether the model that is asked for is the one that a run went on from, as far as that can still be told.

    It cannot where the model is not there any more, or where the run itself stands in its place.
    """
    assert asked.base is not None
    base = asked.base
    if not isinstance(base, Model):
        if asked.place is not None and Path(base).resolve() == asked.place.resolve():
            return True
        try:
            base = load(base)
        except FirthError:
            return True
    table = base.origin()["table"]
    return bool(origin.get("table", table) == table)  # older runs tell none


def _differing(asked: Mapping[str, Any], there: Mapping[str, Any]) -> list[str]:
    return [
        f"{name} {asked.get(name)!r} (begun with {there.get(name)!r})"
        for name in sorted(asked.keys() | there.keys())
        if asked.get(name) != there.get(name)
    ]


def _check_corpus(run: Any, fingerprint: str) -> None:
    if fingerprint != run.model.record["corpus"]["fingerprint"]:
        raise FirthError("the corpus is not the one that the run began with; give the same text, or begin anew")


def _check_base(base: Model, family: Family) -> None:
    """Raises UsageError where `family` cannot go on from `base`."""
    if (base.family.name in COUNTING or family.name in COUNTING) and base.family.name != family.name:
        raise UsageError(f"{family.name} cannot go on from a model of {base.family.name}")
    if base.family.dim != family.dim:
        raise UsageError(f"dim is {family.dim}, but the model to go on from has {base.family.dim}")
    if "hierarchical_softmax" in (settings(family).get("objective"), settings(base.family).get("objective")):
        raise UsageError(
            "going on from a model needs negative sampling: new words change the whole tree of hierarchical softmax"
        )


@contextmanager
def prepared(
    sources: Any,
    preparation: Preparation,
    family: Family,
    *,
    like: Segmentation | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Iterator[EncodedCorpus]:
    """The corpus as `family` is trained on it, encoded, for as long as the block lasts; says what was found.

    Args:
        sources: As of `train`.
        preparation: How text becomes words.
        family: Decides whether sentences are needed.
        like: The segmentation of a model to go on from: words are found alike.
        cache_dir: As of `train`.
        progress: Shows the reading and what came of it.

    Raises:
        FirthError: the corpus cannot be read or has no words.
        UsageError: the preparation asks for another segmentation than `like`.
    """
    progress = progress or Silent()
    if like is None:
        preparation = completed(preparation, family)
    read_as = preparation if like is None else replace(preparation, inner=like.inner, drop=like.drop)
    corpus = corpora.read(sources, read_as, splits_sentences=family.needs_sentences)
    if like is not None and corpus.has_ready_words:
        _check_phrases(preparation, like)
    elif like is not None:
        _check_alike(preparation, like)
        preparation = read_as.completed(cased=not like.lower, punctuation=like.punctuation)
        if warning := like.warning():
            progress.say(warning)
    with cache.encoded(corpus, like, preparation, cache_dir=cache_dir, progress=progress) as encoded:
        for line in _account(encoded):
            progress.say(line)
        yield encoded


def _account(encoded: EncodedCorpus) -> Iterator[str]:
    """What was read and how, a line of text each."""
    yield (
        f"read {_plural(encoded.n_tokens, 'word')}, {_plural(len(encoded.types), 'type')}, "
        f"{_plural(encoded.n_lines, 'line')} of {encoded.n_tokens / encoded.n_lines:.1f} words, "
        f"{_plural(encoded.n_documents, 'document')}"
    )
    reason = f" ({encoded.segmentation_reason})" if encoded.segmentation_reason else ""
    yield f"words: {encoded.segmentation.method}{reason}"
    if encoded.lang:
        yield f"every sentence is a line, by the rules of '{printable(encoded.lang)}'"
    yield from encoded.remarks


def _check_alike(preparation: Preparation, like: Segmentation) -> None:
    """Raises UsageError where the preparation asks for words to be found otherwise than `like` finds them."""
    default = Preparation()
    there = {
        "segment": like.method,
        "cased": not like.lower,
        "punctuation": like.punctuation,
        "unicode_form": like.unicode_form,
        "digits": like.digits,
        "simplified": like.simplified,
        "inner": like.inner,
        "drop": like.drop,
    }
    asked = [name for name in there if getattr(preparation, name) not in (getattr(default, name), there[name])]
    if preparation.user_words is not None and read_user_words(preparation.user_words) != like.user_words:
        asked.append("user_words")
    if asked:
        found = ", ".join(f"{name} {value!r}" for name, value in there.items())
        raise UsageError(
            f"the model's words were found by {found}, and so must new text's: leave out {', '.join(asked)}"
        )
    _check_phrases(preparation, like)


def _check_phrases(preparation: Preparation, like: Segmentation) -> None:
    """Raises UsageError where the preparation asks for other phrases than those of `like`."""
    if preparation.phrases is None:
        return
    asked = Phrases.read(preparation.phrases)
    if like.phrases not in (asked, asked.normalized(like.normalize)):
        there = "has none" if like.phrases is None else f"has {len(like.phrases):,} others"
        raise UsageError(
            f"the phrases in {printable(str(preparation.phrases))} were asked for, but the model {there}, and new text "
            "is read as the model's was: leave out phrases"
        )


def _plural(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
