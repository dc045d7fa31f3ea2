"""Models that a training goes on from: whether a family can, and the network that it then begins with."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from firth.errors import UsageError
from firth.families.family import Family, settings
from firth.model import COUNTING, NETWORK, Model, Words, untrained
from firth.progress import Progress

if TYPE_CHECKING:
    from firth.pieces import Pieces


def check_base(base: Model, family: Family) -> None:
    """Raises UsageError where `family` cannot go on from `base`."""
    if (base.family.name in COUNTING or family.name in COUNTING) and base.family.name != family.name:
        raise UsageError(f"{family.name} cannot go on from a model of {base.family.name}")
    if base.family.dim != family.dim:
        raise UsageError(f"dim is {family.dim}, but the model to go on from has {base.family.dim}")
    if "hierarchical_softmax" in (settings(family).get("objective"), settings(base.family).get("objective")):
        raise UsageError(
            "going on from a model needs negative sampling: new words change the whole tree of hierarchical softmax"
        )


def like_base(sizes: Sequence[Any], base: Model, progress: Progress) -> Any:
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


def beginner(family: Any, pieces: "Pieces | Words", base: Model | None, seed: int) -> Model:
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
