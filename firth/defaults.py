"""What a fine-tuning is where its user leaves it open: what the head stands on, the layers it reads, the rates.

Of networks that are trained the papers' settings, of all else what suits a table or features: docs/decisions/0015.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, get_args

import torch

from firth import devices
from firth.bodies import Blocks, Body, Spelt, Stored, Words, from_scratch, suited_segmentation
from firth.budget import Report
from firth.errors import UsageError
from firth.families.bert import BERTNetwork
from firth.files import printable
from firth.foreign import Foreign
from firth.model import Model
from firth.model import Words as WordTokens
from firth.parts import asked_of
from firth.progress import Progress
from firth.readers import WORDS
from firth.segmentation import Method, Segmentation
from firth.tasks import Examples
from firth.tuning import Tuning, layers_of
from firth.vectors import Vectors

Use = Literal["features", "finetune", "scratch"]
USES: Final = get_args(Use)

_BASE_RATES: Final = {"bert": 5e-5 * 768, "gpt": 6.25e-5 * 768, "elmo": 2e-4 * 1024}
"""Of fine-tuning, times the width: Devlin et al. 2019 (appendix A.3) and Radford et al. 2018 (section 4.1) at 768."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What `firth.finetune` is asked for, looked at and opened."""

    model: Model | Vectors | Foreign
    use: Use
    train: Examples
    dev: Examples | None
    test: Examples | None
    settings: Mapping[str, Any]  # of Tuning, those given
    segmentation: Segmentation | Method | None
    context_length: int | None
    precision: devices.Precision | None
    patience: int | None
    device: torch.device
    threads: int
    progress: Progress
    on_report: Callable[[Report], object] | None
    place: Path | None


def body_of(asked: Asked, seed: int) -> Body:
    """What the head is to stand on."""
    model, inputs = asked.model, [example.inputs for example in asked.train]
    method = asked.segmentation
    tags = asked.train.task == "tag"
    if isinstance(model, Foreign):
        if asked.use != "features":
            raise UsageError(
                f"{printable(str(model.path))} is of an architecture that transformers runs; firth reads it as it is, "
                "for a head on its features (--use features), and trains BERT, GPT, ELMo and tables"
            )
        own = WORDS
    elif isinstance(model, Vectors):
        own = model.segmentation or replace(WORDS)
        if model.segmentation is None and method is None and not tags:
            own = suited_segmentation(model, inputs)
            asked.progress.say(f"words: {own.method}{', with punctuation marks' if own.punctuation else ''}")
    elif isinstance(model.tokens, WordTokens):
        own = model.segmentation
    else:
        own = WORDS
    if method is not None and own is WORDS and asked.use != "features":
        raise UsageError("segmentation is given, and changes nothing: the model reads pieces of words")
    segmentation = _cut_by(method, own or WORDS)
    if asked.use == "scratch" and not isinstance(model, Foreign):
        return from_scratch(model, inputs, segmentation, seed)
    if isinstance(model, Vectors):
        return Words(model, segmentation)
    if asked.use == "features" or isinstance(model, Foreign):
        layers = asked.settings.get("layers", "mix")
        head = asked.settings.get("head", "linear")
        pool = asked.settings.get("pool", "mean")
        unit = "sentence" if not tags and head in ("linear", "mlp") and pool != "max" else "word"
        pool, place = pool if unit == "sentence" else "", str(asked.device)
        return stored(model, layers, unit, pool, segmentation, asked.context_length, device=place)
    if isinstance(model.tokens, WordTokens):
        return Spelt(model, segmentation)
    is_of_similarity = asked.train.task == "pair" and asked.train.is_regression
    orders = asked.settings.get("orders", "both" if is_of_similarity else "given")
    is_gpt = not isinstance(model.network, BERTNetwork)
    return Blocks(model, context_length=asked.context_length, seed=seed, orders=orders if is_gpt else "given")


def _cut_by(asked: Segmentation | Method | None, own: Segmentation) -> Segmentation:
    """How text is cut: as asked for, else as the model's own was."""
    if isinstance(asked, Segmentation):
        return asked
    return own if asked is None else replace(own, method=asked, segmenter=None, user_words=None)


def stored(
    model: Model | Foreign,
    layers: str,
    unit: str,
    pool: str,
    segmentation: Segmentation,
    context_length: int | None,
    *,
    device: str = "cpu",
) -> Stored:
    """The features of a model, of sentences or of words, of which the first piece stands for a word."""
    how: dict[str, Any] = {} if context_length is None else {"context_length": context_length}
    reader = model.reader(device=device, **how)
    named: Any = layers_of(layers, reader)  # type: ignore[arg-type]
    of_word = "mean" if reader.reads_words else "last" if reader.is_causal else "first"
    chosen: Any = pool if unit == "sentence" else of_word
    asked = asked_of(
        reader,
        layers=list(named.numbers),
        unit=unit,  # type: ignore[arg-type]
        pool=chosen,
        unknown="context",
        segmentation=segmentation,
        dtype="float16",
    )
    return Stored(replace(asked, layers=named), device)


def tuning_of(asked: Asked, body: Body) -> Tuning:
    """How it is trained: as asked for, else as suits what is trained."""
    train, given = asked.train, dict(asked.settings)
    task = train.task
    known = set(Tuning.__dataclass_fields__) - {"task", "n_outputs", "is_regression", "n_steps"}
    if unknown := sorted(set(given) - known):
        raise UsageError(f"there is no setting {printable(', '.join(unknown))}; there are {', '.join(sorted(known))}")
    default: dict[str, Any] = {}
    if isinstance(body, Blocks | Spelt):
        name = body.family.name
        default = {
            "layers": "last" if isinstance(body, Blocks) else "mix",
            "pool": "mean" if isinstance(body, Spelt) else "cls" if body.is_bert else "last",
            "learning_rate": _BASE_RATES[name] / body.dim,
            "language_model": 0.5 if name == "gpt" and task != "tag" else 0.0,
            "mix_penalty": 0.001 if isinstance(body, Spelt) else 0.0,
            "batch_size": 32,
            "epochs": 3.0,
            "head_dropout": 0.1,
            "orders": body.orders if isinstance(body, Blocks) else "given",
        }
    else:
        is_of_words = not isinstance(body, Stored) or body.asked.unit == "word"
        head = given.get("head", "linear" if not is_of_words else "bilstm")
        default = {
            "head": head,
            "layers": "mix" if isinstance(body, Stored) else "last",
            "learning_rate": 1e-3,
            "weight_decay": 0.0,
            "batch_size": 32,
            "epochs": 10.0,
            "head_dropout": 0.5 if head in ("cnn", "bilstm", "bilstm-crf") else 0.1,
        }
    if given.get("head", default.get("head")) == "cnn":
        default["head_dim"] = 100
    if not isinstance(body, Blocks) or body.is_bert:
        _refuse(given, "language_model", f"it is GPT's own loss, and {body.name} has none")
    if not isinstance(body, Blocks) or body.is_bert or task != "pair":
        _refuse(given, "orders", "it is of the two texts that GPT reads as one")
    if not isinstance(body, Blocks | Spelt):
        for setting in ("layer_decay", "unfreezing", "body_dropout"):
            _refuse(given, setting, "it is of the layers of a network that is trained")
    if isinstance(body, Stored):
        _refuse_pool(given, body)
    shape: dict[str, Any] = {"task": task, "n_outputs": len(train.labels) or 1, "is_regression": train.is_regression}
    return Tuning(**shape, **(default | given))


def _refuse(given: Mapping[str, Any], name: str, reason: str) -> None:
    if name in given:
        raise UsageError(f"{name} is given, and changes nothing: {reason}")


def _refuse_pool(given: Mapping[str, Any], body: Stored) -> None:
    if given.get("pool") in ("cls", "last") and body.asked.unit == "word" and body.asked.reader.reads_words:
        raise UsageError(f"pool {given['pool']} asked of {body.name}; mean and max serve it")
