"""`firth finetune`: a head behind a model, trained for a task; `firth predict`: what it answers."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from firth.cli.printing import Row, say, show
from firth.cli.settings import AsJson, Flag, progress_of
from firth.cli.tasks import COLUMNS, Named
from firth.errors import FirthError, UsageError
from firth.files import latest_checkpoint, printable

if TYPE_CHECKING:
    from firth.answering import Prediction
    from firth.finetuned import Finetuned
    from firth.scoring import Scores

Natural = Annotated[int | None, Parameter(validator=Number(gte=1))]


@dataclass(frozen=True, kw_only=True)
class Training:
    """How head and model are trained; what is not given is as suits the model.

    Attributes:
        epochs: How often to go through the examples.
        batch_size: Rows in a batch.
        learning_rate: The highest.
        head_rate: That of the head, as a multiple of it.
        layer_decay: That of each layer of a network, as a multiple of the next one's above it.
        unfreezing: Train all layers at once, or from the last one down, one after the other.
        language_model: How much GPT's own loss counts beside the task's; .5 by default.
        orders: In which GPT reads two texts: as given, or both ways, as it does by default where a number is due.
        mix_penalty: What the squares of a mix's weights cost; of ELMo .001 by default.
        head_dim: Of mlp the width of its hidden layer, of cnn the filters of each width, of bilstm its cells.
        head_dropout: Share of what the head reads that is set to 0.
        body_dropout: The same everywhere in a network that is trained.
        weight_decay: Decoupled, of matrices alone.
        warmup: Share of the budget in which the rate rises from 0.
        schedule: How it falls then.
    """

    epochs: float | None = None
    batch_size: Natural = None
    learning_rate: float | None = None
    head_rate: float | None = None
    layer_decay: float | None = None
    unfreezing: Literal["at_once", "gradual"] | None = None
    language_model: float | None = None
    orders: Literal["given", "both"] | None = None
    mix_penalty: float | None = None
    head_dim: Natural = None
    head_dropout: float | None = None
    body_dropout: float | None = None
    weight_decay: float | None = None
    warmup: float | None = None
    schedule: Literal["linear", "cosine", "hold"] | None = None


TRAINING = Training()


def finetune(
    model: Path,
    /,
    *,
    task: Literal["classify", "pair", "tag"],
    train: Path,
    dev: Path | None = None,
    test: Path | None = None,
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    use: Literal["features", "finetune"] = "finetune",
    from_scratch: Flag = False,
    head: Literal["linear", "mlp", "cnn", "bilstm", "crf", "bilstm-crf"] | None = None,
    layers: str | None = None,
    pool: Literal["cls", "last", "mean", "max"] | None = None,
    mix_at_output: Flag = False,
    limit: Natural = None,
    patience: Natural = None,
    seed: int = 1,
    seeds: Annotated[int, Parameter(validator=Number(gte=1))] = 1,
    segment: Literal["words", "space", "chinese", "characters"] | None = None,
    context_length: Natural = None,
    device: str | None = None,
    precision: Literal["auto", "fp32", "bf16"] = "auto",
    threads: Natural = None,
    report: Flag = False,
    resume: Flag = False,
    overwrite: Flag = False,
    quiet: Flag = False,
    as_json: AsJson = False,
    training: Annotated[Training, Parameter(name="*", group="Training", negative=())] = TRAINING,
    columns: Named = COLUMNS,
) -> None:
    """Train a head behind a model for a task: classes of texts, pairs of texts, tags of words.

    Args:
        model: A model of any family, vectors, or a published directory of BERT, GPT, GPT-2 or ELMo.
        task: classify a text, a pair of texts (a label, or a number as for similarity), or tag each word.
        train: The examples: CSV, TSV, JSON lines, Parquet, lines of a label and a text; of tags CoNLL columns, CoNLL-U.
        dev: Examples that choose the best epoch.
        test: Examples that are scored at the end.
        output: The directory to write the result to.
        use: Leave the model as it is (`features`), or train all its weights with the head.
        from_scratch: In place of the model, a table of its vocabulary and width drawn from a uniform distribution.
        head: What stands behind the model; by default linear on a network, bilstm on a table of words.
        layers: Which layers are read: mix (all, with weights that are learnt), last, second-to-last, sum-last-four,
            concat-last-four, or as `firth extract` has it.
        pool: What a text has its one vector from; by default as the papers have it.
        mix_at_output: Set a second mix of the layers beside what cnn or bilstm makes of the first.
        limit: Use so many of the training examples alone.
        patience: End after so many epochs without a better score on dev.
        seed: What the random numbers begin with.
        seeds: How many runs, each with another seed; the best on dev is kept, mean and spread are told.
        segment: How text becomes words, where whole words are read; by default as the model's own.
        context_length: Pieces that GPT and BERT read at once; longer texts are cut.
        device: cuda, cuda:1, mps or cpu; by default the fastest there is.
        precision: What is computed in; auto takes bf16 where it is fast.
        threads: How many threads compute; all cores by default.
        report: Write report.html and report.json into the output directory too: the scores on test (without it, on
            dev) by label, what is taken for what, the worst mistakes; see `firth report`.
        resume: Go on with the unfinished run in the output directory.
        overwrite: Replace the model in the output directory; other files there stay.
        quiet: Show no progress.
        as_json: Print JSON, for machines.
    """
    from firth import reporting
    from firth.finetuning import finetune as finetuned
    from firth.tasks import limited, read_examples

    if from_scratch and use == "features":
        raise UsageError("--from-scratch trains a table, and --use features would leave it as it is drawn")
    scored = test or dev
    if report:
        if scored is None:
            raise UsageError("--report is on labelled examples that were not trained with: give --test or --dev")
        reporting.check()
    settings = {name: value for name, value in _given(training).items() if value is not None}
    if mix_at_output:
        settings["mix_at_output"] = True
    try:
        made = finetuned(
            model,
            train,
            task=task,
            dev=dev,
            test=test,
            use="scratch" if from_scratch else use,
            head=head,
            layers=layers,
            pool=pool,
            patience=patience,
            seed=seed,
            seeds=seeds,
            limit=limit,
            columns=columns.reading(),
            segmentation=segment,
            context_length=context_length,
            output=output,
            overwrite=overwrite,
            resume=resume,
            device=device,
            precision=precision,
            threads=threads,
            progress=progress_of(quiet),
            **settings,
        )
    except KeyboardInterrupt:
        if latest_checkpoint(output) is None and not (output / "seeds").is_dir():
            raise
        raise FirthError("interrupted; the same command with --resume goes on from here") from None
    if report and scored is not None:
        how = columns.reading()
        learnt = read_examples(train, task, **how)
        examples = read_examples(scored, task, like=learnt, **how)
        learnt = learnt if limit is None else limited(learnt, limit, seed)
        title = f"{output.name} on {scored.name}"
        reporting.write(made.report(examples, title=title, train=learnt, device=device, threads=threads), output)
    rows: list[Row] = []
    for run in made.runs:
        row: Row = {"seed": run.seed, "epochs": round(run.epochs, 2), "best_epoch": round(run.best_epoch, 2)}
        row = {**row, "seconds": round(run.seconds, 1)}
        rows.append({**row, **_values("dev", run.dev), **_values("test", run.test)})
    show(rows, as_json=as_json)


def _given(training: Training) -> dict[str, Any]:
    return {field.name: getattr(training, field.name) for field in fields(training)}


def _values(name: str, scores: "Scores | None") -> Row:
    """Scores as columns, the main one first."""
    if scores is None:
        return {}
    names = [scores.main, *(other for other in scores.values if other != scores.main)]
    return {f"{name}_{value}": scores.values[value] for value in names}


def predict(
    model: Path,
    file: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    /,
    *,
    text: str | None = None,
    second: str | None = None,
    encoding: str | None = None,
    device: str | None = None,
    threads: Natural = None,
    as_json: AsJson = False,
) -> None:
    """Print what a model with a head answers: a label and its probability, a number, or a tag for each word.

    Args:
        model: What `firth finetune` has written.
        file: Texts, one a line, of tags with spaces between the words, of pairs two with a tab between them; or a file
            as it was trained from; or `-` for standard input; or, where there is no such file and it is not named as
            one, the text itself.
        text: The text itself; of tags, words with spaces between them.
        second: Of pairs, the second text.
        encoding: Of the file.
        device: cuda, cuda:1, mps or cpu; by default the fastest there is.
        threads: How many threads compute; all cores by default.
        as_json: Print JSON, for machines.
    """
    from firth.finetuned import load_finetuned

    if (file is None) == (text is None):
        raise UsageError('name a file of texts, or give one by --text "..."; one of them')
    made = load_finetuned(model)
    task = made.tuning.task
    if second is not None and (task != "pair" or text is None):
        raise UsageError("--second is of pairs, beside --text")
    if file is not None and file != "-" and task != "pair" and not _exists(file):
        if _looks_like_a_file(file):
            raise FirthError(f"there is no file {printable(file)}; a text that looks like one is given by --text")
        if len(file.split()) == 1:
            say(f"there is no file {printable(file)}: it is read as the text itself")
        text = file
    if text is not None and encoding is not None:
        raise UsageError("--encoding is of a file, and none is read here")
    inputs = _inputs(made, file, text, second, encoding)
    found = made.predict(inputs, device=device, threads=threads)
    rows: list[Row] = []
    for number, (given, one) in enumerate(zip(inputs, found, strict=True)):
        rows += _rows(task, number, given, one)
    if not rows:
        raise FirthError("there is no text to answer to")
    show(rows, as_json=as_json)


def _exists(name: str) -> bool:
    """Whether there is such a file or folder; a text may be longer than any file's name."""
    try:
        return bool(name) and Path(name).exists()
    except (OSError, ValueError):
        return False


def _looks_like_a_file(name: str) -> bool:
    """Whether what is not there was meant as a file: its name ends as theirs do, or it leads into a folder."""
    from firth.tables import has_suffix_of_examples

    if has_suffix_of_examples(Path(name)):
        return True
    if name.startswith(("./", "../", "~/")) or _exists(name.rpartition("/")[0]):
        return True
    return name.startswith("/") and len(name.split()) == 1


def _inputs(
    made: "Finetuned", file: str | None, text: str | None, second: str | None, encoding: str | None
) -> list[tuple[str, ...]]:
    """What is to be answered to."""
    task = made.tuning.task
    if text is not None:
        if task == "pair" and second is None:
            raise UsageError("of pairs, the second text is given by --second")
        if not text.split() or (second is not None and not second.split()):
            raise UsageError("there are no words in the text")
        if task == "tag":
            return [tuple(text.split())]
        return [(text,) if second is None else (text, second)]
    from firth.tasks import account, read_inputs

    assert file is not None
    with _as_file(file, ".tsv" if task == "pair" else ".txt") as path:
        read = read_inputs(path, task, encoding=encoding, like=made.learnt)
    for line in account(read):
        say(line)
    return [example.inputs for example in read]


@contextmanager
def _as_file(file: str, suffix: str) -> Iterator[Path]:
    """The file; of `-` one of what standard input holds, until the block ends."""
    if file != "-":
        yield Path(file)
        return
    with TemporaryDirectory() as folder:
        path = Path(folder, f"standard input{suffix}")
        path.write_bytes(sys.stdin.buffer.read())
        yield path


def _rows(task: str, number: int, inputs: Sequence[str], found: "Prediction") -> list[Row]:
    """What is printed of one input."""
    if task == "tag":
        return [
            {"sentence": number, "word": word, "tag": tag, "probability": probability}
            for word, tag, probability in zip(inputs, found.label, found.probability, strict=True)
        ]
    names = ("text",) if task == "classify" else ("first", "second")
    texts: Row = dict(zip(names, map(printable, inputs), strict=True))
    if found.probability is None:
        return [{"number": found.label, **texts}]
    return [{"label": found.label, "probability": found.probability, **texts}]
