"""Models from text: what is asked for is looked at here, and one of two loops takes it, by the kind of family."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firth.budget import Budget, Report
from firth.contextual_training import train_pieces, train_words_in_context
from firth.cutting import available_processors
from firth.errors import UsageError, needing_torch
from firth.families.family import ContextualFamily, Family, answers_gensim_names
from firth.files import check_output
from firth.model import CONTEXTUAL, COUNTING, OF_PIECES, Model
from firth.preparation import Preparation
from firth.progress import Progress, Silent
from firth.static_training import train_words
from firth.terms import Asked, Cleaning, Compile, PieceKind

if TYPE_CHECKING:
    from firth.pieces import Pieces


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
    count_tokens: int | None = None,
    memory: float | None = None,
    matrices: bool = True,
    sized_for: Budget | None = None,
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
        count_tokens: Of GloVe: so many words of the corpus are counted, the first ones; all unless told otherwise.
        memory: Of GloVe: GiB that counting may take; 2 unless told otherwise.
        matrices: Of ELMo, GPT and BERT: whether the training ends by making the static vectors of the corpus' 20,000
            most frequent words, a matrix for each layer, each word read in 20 contexts at most. That takes at most a
            tenth of the budget, beside it; see `firth.matrices`, which makes others. Ctrl-C leaves them out.
        sized_for: Of several sizes: the budget by which one is chosen, if it is another than that of this run.

    Raises:
        FirthError: the corpus cannot be read or has no words.
        UsageError: arguments that contradict each other.
        KeyboardInterrupt: Ctrl-C; a checkpoint has been written to `output` then.
    """
    sizes: list[Any] = list(family) if isinstance(family, Sequence) else [family]
    if not sizes:
        raise UsageError("no family was given")
    asked = Asked(
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
        sized_for=sized_for,
    )
    if asked.threads < 1:
        raise UsageError(f"threads is {threads}; it must be at least 1")
    if seed < 0:
        raise UsageError(f"seed is {seed}; it must not be negative")
    if reproducible and minutes is not None:
        raise UsageError("a run of so many minutes is not reproducible, since the clock decides; give epochs or tokens")
    if sizes[0].name not in COUNTING and any(one is not None for one in (counts, count_tokens, memory)):
        raise UsageError(
            f"counts, count_tokens and memory are of GloVe, which counts pairs of words first; {sizes[0].name} does not"
        )
    if count_tokens is not None and count_tokens < 1:
        raise UsageError(f"count_tokens is {count_tokens}; it must be at least 1")
    if memory is not None:
        from firth.cooccurrences import check_memory

        check_memory(memory)
    if asked.place is not None and not resume:
        check_output(asked.place, overwrite=overwrite)
    if sizes[0].name in CONTEXTUAL:
        with needing_torch(sizes[0].name):
            if sizes[0].name in OF_PIECES:
                return train_pieces(asked, tokenizer, pieces, cleaning, add_words, device, compile)
            _check_whole_words(sizes[0], tokenizer=tokenizer, add_words=add_words or None)
            return train_words_in_context(asked, device, compile)
    _check_whole_words(sizes[0], tokenizer=tokenizer, add_words=add_words or None)
    if sizes[0].name in COUNTING:
        if memory is not None:
            from firth.cooccurrences import check_memory

            check_memory(memory)
        paths = [counts] if isinstance(counts, str | os.PathLike) else counts or ()
        asked = replace(
            asked, counts=[Path(path).absolute() for path in paths], memory=memory, count_tokens=count_tokens
        )
    if device is not None:
        raise UsageError(f"device is given, and {sizes[0].name} is trained on the processor")
    return train_words(asked)


def _check_whole_words(family: Any, **given: Any) -> None:
    """Raises UsageError where something of pieces is given to a family of whole words."""
    for name, value in given.items():
        if value is not None:
            raise UsageError(f"{name} is given, and {family.name} has none: it reads whole words")


def _budget(epochs: float | None, tokens: float | None, minutes: float | None) -> Budget | None:
    if epochs is None and tokens is None and minutes is None:
        return None
    return Budget(epochs=epochs, tokens=tokens, minutes=minutes)
