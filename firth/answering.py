"""What a body with a head answers to rows: labels with their probabilities, chains of tags, numbers.

N rows, W words of a row, C labels
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from firth.alignment import Positions
from firth.batches import moved, tensors
from firth.bodies import Rows
from firth.tuning import Batch, TaskNetwork, batch_of, lengths_of

_TOKENS_AT_ONCE: Final = 1 << 12  # that are answered to together


class Prediction(NamedTuple):
    """What is answered.

    Attributes:
        label: A label; in regression a number; of a sentence a tag for each word.
        probability: Of the label, or of each tag; None in regression.
    """

    label: Any
    probability: Any


class Answer(NamedTuple):
    """What is answered to one input, by numbers.

    Attributes:
        chosen: The label's number; in regression the number, as it is trained; of a sentence (W,) numbers of tags.
        chances: (C,) the probability of each label; of a sentence (W, C); None in regression.
    """

    chosen: Any
    chances: Any


def answers(network: TaskNetwork, rows: Rows, examples: range, device: torch.device) -> list[Answer]:
    """What a network answers to some of the examples that rows are of, in their order.

    Args:
        network: In the state that it is to answer in, on `device`.
        rows: As its body encoded them.
        examples: Which of the texts that the rows are of.
        device: Where it computes.
    """
    which = np.flatnonzero((rows.owners >= examples.start) & (rows.owners < examples.stop))
    lengths = lengths_of(rows)
    found: dict[int, Answer] = {}
    with torch.inference_mode():
        for some in _together(which[np.argsort(lengths[which], kind="stable")], lengths):
            batch = moved(tensors(batch_of(rows, some, None)), device)
            scores, _ = network(batch)
            for row, answer in zip(some, _answered(network, scores.float(), batch), strict=True):
                found[int(row)] = answer
    if network.given.task != "tag":
        return [found[int(row)] for row in which]
    parts: dict[int, list[Answer]] = {owner: [] for owner in examples}
    for row in which:
        parts[int(rows.owners[row])].append(found[int(row)])
    return [Answer(*(np.concatenate(joined) for joined in zip(*some, strict=True))) for some in parts.values()]


def predictions(
    found: Iterable[Answer], labels: Sequence[str], centre: float = 0.0, spread: float = 1.0
) -> list[Prediction]:
    """Answers by the names of their labels.

    Args:
        found: By numbers.
        labels: What they number; none in regression.
        centre: In regression, what 0 stands for.
        spread: In regression, what 1 stands for beyond that.
    """
    if not labels:
        return [Prediction(answer.chosen * spread + centre, None) for answer in found]
    return [_prediction(answer, labels) for answer in found]


def _prediction(answer: Answer, labels: Sequence[str]) -> Prediction:
    if np.ndim(answer.chosen) == 0:
        return Prediction(labels[answer.chosen], float(answer.chances[answer.chosen]))
    chances: list[float] = answer.chances[np.arange(len(answer.chosen)), answer.chosen].tolist()
    return Prediction(tuple(labels[number] for number in answer.chosen), tuple(chances))


def _together(order: NDArray[np.int64], lengths: Positions) -> Iterable[NDArray[np.int64]]:
    """Rows by rising length, so many at a time as come to some thousand tokens with their padding."""
    first = 0
    while first < len(order):
        stop = first + 1
        while stop < len(order) and (stop + 1 - first) * max(1, int(lengths[order[stop]])) <= _TOKENS_AT_ONCE:
            stop += 1
        yield order[first:stop]
        first = stop


def _answered(network: TaskNetwork, scores: torch.Tensor, batch: Batch) -> list[Answer]:
    """What is answered to each row."""
    if network.given.is_regression:
        return [Answer(number, None) for number in scores[:, 0].tolist()]
    if network.given.task != "tag":
        chances = scores.softmax(1).cpu().numpy()
        return [Answer(int(number), chance) for number, chance in zip(chances.argmax(1), chances, strict=True)]
    if network.crf is not None:
        is_real = torch.arange(scores.shape[1], device=scores.device) < batch.n_words[:, None]
        labels = network.crf.best(scores, is_real)
        of_all = network.crf.marginals(scores, is_real)
    else:
        of_all = scores.softmax(2)
        labels = of_all.argmax(2)
    rows: Iterable[tuple[NDArray[np.int64], NDArray[np.float32], int]]
    rows = zip(labels.cpu().numpy(), of_all.cpu().numpy(), batch.n_words.tolist(), strict=True)
    return [Answer(row[:length], chance[:length]) for row, chance, length in rows]
