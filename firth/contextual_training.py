"""The training of a contextual family: pieces or words of a corpus -> a network -> model, with its static matrices."""

import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from firth.bases import beginner, like_base
from firth.budget import DEFAULT_MINUTES, Budget
from firth.characters import MARKS
from firth.errors import FirthError, UsageError
from firth.files import appearing, printable, uninterrupted, without_folders
from firth.formats.directory import MATRICES
from firth.model import TRAINED_BEFORE, Model, Words, load, untrained, versions
from firth.progress import Silent, plural
from firth.sizes import suited
from firth.terms import Asked, Cleaning, Compile, PieceKind, check_begun, check_corpus, differences, unfinished
from firth.texts import (
    check_learnt_alike,
    check_prepared_for_pieces,
    encoded_pieces,
    is_standard_input,
    lines_again,
    lines_of_words,
    prepared,
)
from firth.tokens import EncodedCorpus, described

if TYPE_CHECKING:
    from firth import runs
    from firth.parts import Given
    from firth.pieces import Pieces

MOST_NATS: Final = 700.0  # whose perplexity is a number
MATRICES_SHARE: Final = 0.1  # of the budget, that reading contexts for static vectors may take
CONTEXTS: Final = 20  # of a word, for these


def train_pieces(
    asked: Asked,
    tokenizer: "str | os.PathLike[str] | Pieces | None",
    kind: PieceKind,
    cleaning: Cleaning,
    add_words: int,
    device: str | None,
    compile: Compile,
) -> Model:
    """A model of a contextual family that reads pieces of words."""
    from firth import devices, runs
    from firth.pieces import Pieces

    processes = devices.world()
    told = {"pieces": kind, "cleaning": cleaning, "add_words": add_words}
    asked, run, base, sizes = _begun_or_based(asked)
    progress = asked.progress
    if run is not None and (changed := differences(told, run.model.record.get("asked", told))):
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
        check_learnt_alike(given, kind, cleaning, asked.preparation)
    chosen = _device(asked, device)
    with ExitStack() as stack:
        stack.enter_context(devices.joined(processes, chosen))
        stack.enter_context(devices.on_threads(max(1, asked.threads // processes.size)))
        began = time.monotonic()
        with devices.in_turn(processes):
            encoded, pieces = stack.enter_context(
                encoded_pieces(asked, sizes[0], given, kind, cleaning, 0 if run is not None else add_words)
            )
        encode_seconds = round(time.monotonic() - began, 3)
        text = sizes[0].stream(encoded)
        progress.say(f"device: {devices.said(chosen)}; {devices.chosen_precision(chosen)}")
        if run is None:
            budget = asked.budget or Budget(minutes=DEFAULT_MINUTES)
            family = suited(sizes, text, pieces, asked.sized_for or budget, chosen, progress)
            model = beginner(family, pieces, base, asked.seed)
            model.record = {
                "finished": False,
                "corpus": encoded.described(),
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
            run = runs.Run(model, budget, asked.seed)
        else:
            check_corpus(run, encoded.fingerprint)
        return _descended(
            asked, run, text, chosen, compile, run.model.family.baselines(encoded), encode_seconds, "tokenizers",
            lambda: lines_again(asked, sizes[0], encoded, pieces),
        )  # fmt: skip


def train_words_in_context(asked: Asked, device: str | None, compile: Compile) -> Model:
    """A model of a contextual family that reads whole words."""
    from firth import devices, runs

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
            text = sizes[0].stream(encoded, words.vocabulary)
            family = suited(sizes, text, words, asked.sized_for or budget, chosen, progress)
            model = beginner(family, words, base, asked.seed)
            model.record = {
                "finished": False,
                "corpus": described(encoded),
                "preparation": without_folders(encoded.preparation.settings()),
                "budget": budget.settings(),
                "seed": asked.seed,
            }
            if base is not None:
                model.record["base"] = base.origin()
            run = runs.Run(model, budget, asked.seed)
        else:
            check_corpus(run, encoded.fingerprint)
        model, source, base = run.model, None, None
        text = model.family.stream(encoded, model.vocabulary)
        model.record["words"] = _words_found(model.family, text)
        for line in _words_account(model.record["words"]):
            progress.say(line)
        _descended(
            asked, run, text, chosen, compile, model.family.baselines(text), encode_seconds, "h5py",
            lambda: lines_of_words(encoded),
        )  # fmt: skip
    for line in _perplexities_account(model.record):
        progress.say(line)
    return model


def _begun_or_based(asked: Asked) -> "tuple[Asked, runs.Run | None, Model | None, list[Any]]":
    """What a contextual family is asked for in this process; the run to resume, or the model to go on from; sizes."""
    from firth import devices, runs

    processes = devices.world()
    if processes.size > 1 and is_standard_input(asked.corpus):
        raise UsageError(
            f"{processes.size} processes cannot share standard input; write it to a file first, and name that"
        )
    if processes.rank:
        asked = replace(asked, progress=Silent())
    if asked.resume:
        run = runs.Run.read(unfinished(asked.place))
        if "base" in run.model.record:
            asked = replace(asked, sizes=[like_base(asked.sizes, run.model, Silent())])
        check_begun(run, asked)
        return asked, run, None, [run.model.family]
    if asked.base is not None:
        base = asked.base if isinstance(asked.base, Model) else load(asked.base)
        return asked, None, base, [like_base(asked.sizes, base, asked.progress)]
    return asked, None, None, asked.sizes


def _device(asked: Asked, device: str | None) -> Any:
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
    asked: Asked,
    run: "runs.Run",
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


def _add_matrices(asked: Asked, model: Model, budget: Budget, device: Any, lines: "Iterable[Given]") -> None:
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
            f"{plural(found['cut_types'], 'word')} of more than {found['most_bytes']} bytes, met "
            f"{plural(found['cut_words'], 'time')}, cut to their first {found['most_bytes']}; --max-characters holds "
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


def _weights_of(model: Model) -> int:
    return sum(parameter.numel() for parameter in model.network.parameters())
