"""One loop for every family: batches -> step -> log -> checkpoint, within a budget, interruptible, resumable."""

import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from firth import cache
from firth import corpus as corpora
from firth.budget import DEFAULT_MINUTES, Budget, Report, chosen_size
from firth.cutting import available_processors
from firth.errors import FirthError, UsageError
from firth.families.family import ContextualFamily, Family, answers_gensim_names, settings
from firth.files import appearing, check_output, latest_checkpoint, printable, uninterrupted
from firth.hogwild import Loop, Run
from firth.model import CONTEXTUAL, NETWORK, Model, load, needing_torch, versions
from firth.preparation import Preparation
from firth.progress import Progress, Silent
from firth.segmentation import Segmentation, choose
from firth.tokens import EncodedCorpus
from firth.userwords import read_user_words

if TYPE_CHECKING:
    from firth.encoded import EncodedPieces
    from firth.pieces import Kind, Pieces

Compile = Literal["auto", "always", "never"]
PieceKind = Literal["auto", "wordpiece", "bpe", "byte_bpe"]
Cleaning = Literal["none", "plain"]

LEAST_EPOCHS: Final = 5
MOST_EPOCHS: Final = 20  # of a corpus of a million words or fewer
SECONDS_MEASURED: Final = 2.0  # of each size's speed


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
    tokenizer: "str | os.PathLike[str] | Pieces | None" = None,
    pieces: PieceKind = "auto",
    cleaning: Cleaning = "none",
    add_words: int = 0,
    device: str | None = None,
    compile: Compile = "auto",
) -> Model:
    """A model of `family`, trained on `corpus`.

    The result repeats to the bit for one seed and a budget of epochs or tokens: of a static family on one thread or if
    it is to be `reproducible`, of GPT and BERT on a processor. Otherwise several threads of a static family write to
    the tables without locks, so that their order, and with it the last digits, differs from run to run.

    Args:
        family: The hyperparameters, as `firth.Skipgram(dim=100)` or `firth.BERT.mini()`. Several sizes of GPT or BERT,
            from small to large: the largest that the budget suffices for is trained; see `budget.chosen_size`.
        corpus: A path, a folder, a pattern as "books/*.txt", several of them as `pathlib.Path`, or an iterable of
            strings or of lists of words; see `firth.corpus.read`.
        epochs: Budget: passes over the corpus; fractions are allowed.
        tokens: Budget: raw words; of GPT and BERT, pieces.
        minutes: Budget: of training alone; counting and compiling do not count. Without any of the three:
            `default_epochs`; for GPT and BERT `DEFAULT_MINUTES`.
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
            get rows of their own. Text is cut into words as the base's was. Of GPT and BERT also a published
            directory: its network and its tokenizer are gone on with.
        cache_dir: Where the encoded corpus is kept for later runs; see `firth.cache.place`.
        progress: Shows how far the work is; by default nothing is shown.
        on_report: Called about once a second, and at the end, from the calling thread.
        tokenizer: Of GPT and BERT: pieces to be used, or the tokenizer.json, vocab.txt or directory of some; by default
            they are learnt from the corpus.
        pieces: Of GPT and BERT: the kind that is learnt; `auto` is `wordpiece` for BERT, and for GPT `bpe`, or
            `byte_bpe` where the script sets no spaces between words.
        cleaning: Of pieces that are learnt: `plain` makes curly quotes, dashes and ellipses plain.
        add_words: Of GPT and BERT with a base: so many of the corpus' frequent words that the base's tokenizer parts
            become pieces; the row of each begins as the mean of its parts'.
        device: Of GPT and BERT: `cuda`, `cuda:1`, `mps` or `cpu`; by default the fastest there is.
        compile: Of GPT and BERT: whether torch.compile is used; `auto` where it pays.

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
    )
    if asked.threads < 1:
        raise UsageError(f"threads is {threads}; it must be at least 1")
    if seed < 0:
        raise UsageError(f"seed is {seed}; it must not be negative")
    if reproducible and minutes is not None:
        raise UsageError("a run of so many minutes is not reproducible, since the clock decides; give epochs or tokens")
    if asked.place is not None and not resume:
        check_output(asked.place, overwrite=overwrite)
    if sizes[0].name in CONTEXTUAL:
        with needing_torch(sizes[0].name):
            return _train_pieces(asked, tokenizer, pieces, cleaning, add_words, device, compile)
    for name, value in (("tokenizer", tokenizer), ("add_words", add_words or None), ("device", device)):
        if value is not None:
            raise UsageError(f"{name} is given, and {sizes[0].name} has none: it reads whole words, on the processor")
    return _train_words(asked)


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
    with prepared(
        asked.corpus,
        asked.preparation,
        family,
        like=source.segmentation if source else None,
        cache_dir=asked.cache_dir,
        progress=progress,
    ) as encoded:
        encode_seconds = round(time.monotonic() - began, 3)
        if run is None:
            budget = asked.budget or _default_budget(encoded, progress)
            run = Run.begin(family, encoded, budget, asked.seed, asked.threads, start)
        else:
            _check_corpus(run, encoded.fingerprint)
        start = source = None  # of a base in `output`, the mapped files are let go, so that they can be replaced
        model = run.model
        model.record["threads"] = asked.threads
        budget_and_threads = f"{run.budget} on {_plural(asked.threads, 'thread')}"
        progress.say(f"{len(model.vocabulary):,} words in the vocabulary; {budget_and_threads}")
        was = asked.reproducible if asked.resume is False else model.record.get("reproducible", False)
        model.record["reproducible"] = asked.reproducible and was
        loop = Loop(run, encoded, asked.threads, progress, asked.on_report, place, reproducible=asked.reproducible)
        model.record["prepared"] = {"encode_seconds": encode_seconds, "compile_seconds": loop.compile()}
        loop.run()
        if place is not None:
            with uninterrupted(), appearing(place) as folder:
                model.write(folder)
    return model


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
    if processes.rank:
        asked = replace(asked, progress=Silent())
    progress = asked.progress
    run = None
    told = {"pieces": kind, "cleaning": cleaning, "add_words": add_words}
    base, sizes = None, asked.sizes
    if asked.resume:
        run = descent.Run.read(_unfinished(asked.place))
        if "base" in run.model.record:
            asked = replace(asked, sizes=[_like_base(asked.sizes, run.model, Silent())])
        _check_begun(run, asked)
        if changed := _differing(told, run.model.record.get("asked", told)):
            raise UsageError(f"a resumed run keeps its settings; asked for were {', '.join(changed)}")
        sizes = [run.model.family]
    if run is None and asked.base is not None:
        base = asked.base if isinstance(asked.base, Model) else load(asked.base)
        sizes = [_like_base(asked.sizes, base, progress)]
    given = run.model.pieces if run is not None else base.pieces if base is not None else None
    if tokenizer is not None:
        read = tokenizer if isinstance(tokenizer, Pieces) else Pieces.read(Path(tokenizer))
        if given is not None and given != read:
            raise UsageError("a tokenizer is given, but a model that is gone on with has its own; leave it out")
        given = read
    if add_words and base is None and run is None:
        raise UsageError("words are added to the tokenizer of a model to go on from; give one, or leave add_words out")
    if processes.size > 1 and _is_standard_input(asked.corpus):
        raise UsageError(
            f"{processes.size} processes cannot share standard input; write it to a file first, and name that"
        )
    check_prepared_for_pieces(asked.preparation, sizes[0], add_words)
    if given is not None and run is None:
        _check_learnt_alike(given, kind, cleaning, asked.preparation)
    chosen = devices.chosen_device(device)
    if asked.reproducible and chosen.type != "cpu":
        raise UsageError(
            f"on {devices.said(chosen)} sums are added up in no fixed order, so that no run repeats to the bit; on the "
            "processor every one does: --device cpu, or leave reproducible out"
        )
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
            family = _suited(sizes, text, pieces, budget, chosen, progress)
            model = _beginner(family, pieces, base, asked.seed)
            model.record = {
                "finished": False,
                "corpus": _described(encoded),
                "preparation": asked.preparation.settings(),
                "budget": budget.settings(),
                "seed": asked.seed,
                "asked": told,
            }
            if base is not None:
                model.record["base"] = base.record
            run = descent.Run(model, budget, asked.seed)
        else:
            _check_corpus(run, encoded.fingerprint)
        model = run.model
        model.record |= {
            "threads": asked.threads,
            "device": devices.said(chosen),
            "versions": versions("torch", "tokenizers"),
        }
        loop = descent.Loop(
            run,
            text,
            chosen,
            progress,
            asked.on_report,
            asked.place,
            compiles=compile,
            baselines=model.family.baselines(encoded),
        )
        progress.say(f"{_weights_of(model):,} weights; {run.budget} on {devices.said(chosen)}")
        loop.run()
        model.record["prepared"] = {"encode_seconds": encode_seconds} | loop.apart()
        if asked.place is not None and processes.rank == 0:
            with uninterrupted(), appearing(asked.place) as folder:
                model.write(folder)
    return model


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
        pieces = PieceSettings(
            kind=kind,
            size=family.vocabulary_size,
            cased=preparation.cased,
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
            f"{_plural(encoded.n_sentences, 'sentence')}, {_plural(encoded.n_documents, 'document')}"
        )
        for remark in (*pieces.remarks, *encoded.remarks):
            progress.say(remark)
        yield encoded, pieces


def suited_pieces(family: Any, sample: str) -> "tuple[Kind, str]":
    """The kind of pieces that a family learns of text like `sample`, and why, where that depends on it."""
    from firth.pieces import suited_kind

    return ("wordpiece", "") if family.name == "bert" else suited_kind(sample)


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
        "inner": "the tokenizer parts words at punctuation",
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


def _described(encoded: "EncodedPieces") -> dict[str, Any]:
    return {
        "fingerprint": encoded.fingerprint,
        "n_tokens": encoded.n_tokens,
        "n_sentences": encoded.n_sentences,
        "n_documents": encoded.n_documents,
        "unknown_share": encoded.unknown_share,
        "remarks": list(encoded.remarks),
    }


def _suited(sizes: Sequence[Any], text: Any, pieces: "Pieces", budget: Budget, device: Any, progress: Progress) -> Any:
    """The largest of the sizes that the budget suffices for."""
    if len(sizes) == 1:
        return sizes[0]
    from firth import descent, devices

    processes = devices.world()
    speeds: dict[int, float] = {}

    def tokens_of(size: int) -> float:
        if budget.minutes is None:
            return budget.tokens_in(text.n_tokens)
        speeds[size] = descent.measured_speed(sizes[size], text, pieces, device, SECONDS_MEASURED) * processes.size
        return speeds[size] * 60 * budget.minutes

    chosen, tokens = chosen_size([block_weights(size) for size in sizes], text.n_tokens, tokens_of)
    if processes.size > 1:
        chosen = devices.told_by_first(chosen, device)
    family = sizes[chosen]
    seen = [f"{size_name(sizes[size])} would see {_rounded(n)}" for size, n in enumerate(tokens) if size > chosen]
    progress.say(
        f"size {size_name(family)}: {_rounded(tokens[chosen])} tokens fit in {budget} here, of a corpus of "
        f"{_rounded(text.n_tokens)}{'; ' if seen else ''}{', '.join(seen)} (--preset chooses another)"
    )
    return family


def block_weights(family: Any) -> int:
    """The weights of a network's blocks, by which a size is chosen: 4 matrices of attention, 2 four times as wide."""
    return int(12 * family.n_layers * family.dim**2)


def size_name(family: Any) -> str:
    """The preset that a family is of, or its layers."""
    for name in ("tiny", "mini", "small", "medium", "base"):
        preset = getattr(type(family), name)()
        if (preset.n_layers, preset.dim) == (family.n_layers, family.dim):
            return name
    return f"{family.n_layers} layers of {family.dim}"


def _rounded(n_tokens: float) -> str:
    return f"{n_tokens / 1e6:,.1f} M" if n_tokens >= 1e5 else f"{n_tokens:,.0f}"


def _like_base(sizes: Sequence[Any], base: Model, progress: Progress) -> Any:
    """The family that goes on with `base`: its network, trained as is asked for."""
    family = sizes[0]
    if base.family.name != family.name:
        raise UsageError(f"{family.name} cannot go on from a model of {base.family.name}")
    if len(sizes) == 1:
        for name in ("dim", "n_layers", "n_heads"):
            if getattr(family, name) != getattr(base.family, name):
                raise UsageError(
                    f"{name} is {getattr(family, name)}, but the model to go on from has {getattr(base.family, name)}; "
                    "its size cannot be chosen"
                )
    network = {
        name: getattr(base.family, name)
        for name in (*NETWORK, "inner_dim", "deviation", "dim", "n_layers", "n_heads")
        if hasattr(family, name)
    }
    if getattr(family, "predicts_next_sentence", False) and base.network.next is None:
        progress.say("the model to go on from has no head for next sentences: masked tokens alone are trained")
        network["objective"] = "masked_token"
    made: Any = replace(family, **network).going_on()
    if made.learning_rate != family.learning_rate:
        progress.say(f"a trained model is gone on with: AdamW, at {made.learning_rate:.2g} (--learning-rate: your own)")
    return made


def _beginner(family: Any, pieces: "Pieces", base: Model | None, seed: int) -> Model:
    """A model at its beginning: random weights, or those of `base` and, for each new piece, the mean of its parts."""
    if base is None:
        return Model(family, pieces, family.network(pieces.n_entries, seed), {})
    old = base.network
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


def _default_budget(encoded: EncodedCorpus, progress: Progress) -> Budget:
    budget = Budget(epochs=default_epochs(encoded.n_tokens))
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
    there = record.get("preparation", {}) | settings(run.model.family)
    of_sizes = [_differing(asked.preparation.settings() | settings(size), there) for size in asked.sizes]
    differing = min(of_sizes, key=len)
    if asked.budget is not None and asked.budget != run.budget:
        differing.append(f"a budget of {asked.budget} (begun with {run.budget})")
    if asked.base is not None and "base" not in record:
        differing.append("a model to go on from (begun without one)")
    if asked.seed != run.seed:
        differing.append(f"seed {asked.seed} (begun with {run.seed})")
    if differing:
        raise UsageError(f"a resumed run keeps its settings; asked for were {', '.join(differing)}")


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
    corpus = corpora.read(sources, preparation, splits_sentences=family.needs_sentences)
    if like is not None and not corpus.has_ready_words:
        _check_alike(preparation, like)
        if warning := like.warning():
            progress.say(warning)
    segmentation = None if corpus.has_ready_words else like
    with cache.encoded(corpus, segmentation, preparation, cache_dir=cache_dir, progress=progress) as encoded:
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
        "unicode_form": like.unicode_form,
        "digits": like.digits,
        "simplified": like.simplified,
        "inner": like.inner,
    }
    asked = [name for name in there if getattr(preparation, name) not in (getattr(default, name), there[name])]
    if preparation.user_words is not None and read_user_words(preparation.user_words) != like.user_words:
        asked.append("user_words")
    if asked:
        found = ", ".join(f"{name} {value!r}" for name, value in there.items())
        raise UsageError(
            f"the model's words were found by {found}, and so must new text's: leave out {', '.join(asked)}"
        )


def _plural(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
