"""The unsupervised tasks as equations: pure functions, one for each.

Those of the static families take float64 arrays and give the gradients too: they are the reference that the compiled
kernels are tested against, and are written to be read, not to be fast. Those of the contextual families take tensors.

    D dim; H hidden vectors; M words that may be predicted; N noise words; P predicted pairs
    B batch; T tokens; V rows of the table
"""

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from firth.vocabulary import HuffmanTree

if TYPE_CHECKING:
    from torch import Tensor

Floats = NDArray[np.float64]
Integers = NDArray[np.integer]

_COUNTED = 1 << 22  # ids at a time: they may be on disk


class Loss(NamedTuple):
    """A loss in nats, summed over pairs, and its gradients."""

    nats: float
    hidden: Floats  # (H, D)
    output: Floats  # (rows of the output table that took part, D)


def sigmoid(x: ArrayLike) -> Floats:
    """1 / (1 + exp(-x)), without overflow at either end."""
    return np.exp(-np.logaddexp(0.0, -np.asarray(x, np.float64)))


def softplus(x: ArrayLike) -> Floats:
    """log(1 + exp(x)) = -log sigmoid(-x), in nats."""
    return np.logaddexp(0.0, np.asarray(x, np.float64))


def noise_weights(
    n_hidden: int, pair_hidden: Integers, pair_targets: Integers, noise: Integers, negatives: int
) -> Floats:
    """(H, N): how often each noise word counts against each hidden vector.

    Mikolov et al. 2013b draw `negatives` noise words for every pair and skip a draw that equals the pair's target.
    Here one pool of N words, drawn from the same distribution, serves every pair: each of its words that is not the
    pair's target counts negatives / N times. The expected objective is the same, and the pairs share its products.

    Args:
        n_hidden: H.
        pair_hidden: (P,) the hidden vector of each pair.
        pair_targets: (P,) the row of each pair's target.
        noise: (N,) rows of the pool.
        negatives: Noise words for a pair.
    """
    weights = np.zeros((n_hidden, len(noise)))
    counts = np.asarray(pair_targets)[:, None] != np.asarray(noise)[None, :]  # (P, N)
    np.add.at(weights, np.asarray(pair_hidden), counts * (negatives / len(noise)))
    return weights


def negative_sampling(
    hidden: Floats,
    targets: Floats,
    pair_hidden: Integers,
    pair_target: Integers,
    noise: Floats,
    weights: Floats,
) -> Loss:
    """Mikolov et al. 2013b, equation 4, over P pairs that share a pool of noise words.

        sum over pairs (h, t)    -log sigmoid(h . t)
      + sum over h and noise m   weights[h, m] * -log sigmoid(-h . m)

    Args:
        hidden: (H, D).
        targets: (M, D) output rows.
        pair_hidden: (P,) index into hidden.
        pair_target: (P,) index into targets.
        noise: (N, D) output rows.
        weights: (H, N), see `noise_weights`.

    Returns:
        The loss; its `output` gradient is (M + N, D), targets first.
    """
    scores = np.einsum("pd,pd->p", hidden[pair_hidden], targets[pair_target])
    noise_scores = hidden @ noise.T
    nats = softplus(-scores).sum() + (weights * softplus(noise_scores)).sum()
    slopes = -sigmoid(-scores)[:, None]  # d nats / d score
    noise_slopes = weights * sigmoid(noise_scores)
    d_hidden = noise_slopes @ noise
    np.add.at(d_hidden, pair_hidden, slopes * targets[pair_target])
    d_targets = np.zeros_like(targets)
    np.add.at(d_targets, pair_target, slopes * hidden[pair_hidden])
    return Loss(float(nats), d_hidden, np.concatenate([d_targets, noise_slopes.T @ hidden]))


def hierarchical_softmax(hidden: Floats, nodes: Floats, node_hidden: Integers, signs: Floats) -> Loss:
    """Mikolov et al. 2013a, section 2 (Morin & Bengio 2005): the words' path through a Huffman tree.

        sum over the nodes n on the path of each pair (h, t)    -log sigmoid(sign * h . n)

    Args:
        hidden: (H, D).
        nodes: (P, D) the output row of each node passed, path after path.
        node_hidden: (P,) the hidden vector that passes it.
        signs: (P,) +1 where the path takes the 0-branch, -1 where it takes the 1-branch.

    Returns:
        The loss; its `output` gradient is (P, D).
    """
    scores = signs * np.einsum("pd,pd->p", hidden[node_hidden], nodes)
    slopes = (-signs * sigmoid(-scores))[:, None]
    d_hidden = np.zeros_like(hidden)
    np.add.at(d_hidden, node_hidden, slopes * nodes)
    return Loss(float(softplus(-scores).sum()), d_hidden, slopes * hidden[node_hidden])


def weighted_squares(scores: Floats, counts: Floats, x_max: float, exponent: float) -> tuple[float, Floats]:
    """Pennington, Socher & Manning 2014, equations 8 and 9, over P entries that are not 0; half of it, as GloVe has it.

        sum over entries    f(x) (score - log x)^2 / 2,    f(x) = min(1, (x / x_max) ** exponent)

    Args:
        scores: (P,) w_i . c_j + b_i + b_j.
        counts: (P,) x, above 0.
        x_max: From here on an entry weighs 1.
        exponent: Of x / x_max, below.

    Returns:
        The loss, and (P,) its derivative by each score.
    """
    weights = np.minimum(1.0, (counts / x_max) ** exponent)
    residuals = scores - np.log(counts)
    return float((weights * residuals**2).sum() / 2), weights * residuals


def paths(tree: HuffmanTree, rows: Integers) -> tuple[Integers, Floats, Integers]:
    """The tree nodes on the way to each word of `rows`, one after another.

    Returns:
        nodes (P,), signs (P,), and (P,) which of `rows` the node belongs to.
    """
    ways = [np.arange(tree.starts[row], tree.starts[row + 1]) for row in rows]
    steps = np.concatenate([np.empty(0, np.int64), *ways])
    owners = np.repeat(np.arange(len(rows)), [len(way) for way in ways])
    return tree.nodes[steps], tree.signs[steps].astype(np.float64), owners


def unigram_entropy(ids: Integers, n_entries: int) -> float:
    """-sum of p log p over the shares p of the entries among `ids`, in nats: what guessing by frequency alone costs."""
    counts = np.zeros(n_entries, np.int64)
    for start in range(0, len(ids), _COUNTED):
        counts += np.bincount(ids[start : start + _COUNTED], minlength=n_entries)
    shares = counts[counts > 0] / len(ids)
    return float(-(shares * np.log(shares)).sum())


def next_token(
    hidden: "Tensor", table: "Tensor", bias: "Tensor | None", ids: "Tensor", weights: "Tensor | None" = None
) -> "Tensor":
    """Radford et al. 2018, equation 1: the mean of -log P(token | those before it), in nats.

        P = softmax(hidden . table + bias)

    Args:
        hidden: (B, T, D) the last layer of a network in which no position sees a later one.
        table: (V, D) the token table, which is the output's too (their equation 2).
        bias: (V,) or None.
        ids: (B, T) the tokens; position t predicts token t + 1, the last one nothing.
        weights: (B, T) how much each token counts as a target; None counts all alike.
    """
    from firth.blocks import summed_cross_entropy

    counts = ids.new_ones(ids.shape, dtype=hidden.dtype) if weights is None else weights
    counts = _shifted(counts)  # (B, T), 0 at the end of each row
    targets = _shifted(ids)
    nats = summed_cross_entropy(hidden.flatten(0, 1), table, bias, targets.flatten(), counts.flatten())
    return nats / counts.sum()


def _shifted(row: "Tensor") -> "Tensor":
    """(B, T): what follows each position in its row, and 0 at the end."""
    from torch.nn import functional

    return functional.pad(row[:, 1:], (0, 1))


def masked_token(
    hidden: "Tensor", table: "Tensor", bias: "Tensor | None", targets: "Tensor", weights: "Tensor | None" = None
) -> "Tensor":
    """Devlin et al. 2019, section 3.1, task 1: the mean of -log P(token that was hidden | the others), in nats.

        P = softmax(hidden . table + bias)

    Args:
        hidden: (M, D) the transformed last layer at the hidden positions alone: no other one is projected.
        table: (V, D) the token table, which is the output's too.
        bias: (V,) or None.
        targets: (M,) the tokens.
        weights: (M,) how much each counts, 0 for what fills a batch up; None counts all alike.
    """
    from firth.blocks import summed_cross_entropy

    weights = hidden.new_ones(len(hidden)) if weights is None else weights
    return summed_cross_entropy(hidden, table, bias, targets, weights) / weights.sum()


def next_word(
    hidden: "Tensor", table: "Tensor", bias: "Tensor | None", targets: "Tensor", weights: "Tensor | None" = None
) -> "Tensor":
    """Peters et al. 2018, section 3.1, of one direction: the mean of -log P(word | those read before it), in nats.

        P = softmax(hidden . table + bias)

    Args:
        hidden: (M, D) the last layer of a direction, which has not read the words to predict.
        table: (V, D) of the output, which both directions share.
        bias: (V,) or None.
        targets: (M,) the words.
        weights: (M,) how much each counts; None counts all alike.
    """
    return masked_token(hidden, table, bias, targets, weights)  # the same equation


def log_uniform_sample(rng: np.random.Generator, n_candidates: int, n_entries: int) -> tuple[NDArray[np.int64], int]:
    """(K,) different rows, rising, and how often was drawn until there were so many.

        P(row k) = ln((k + 2) / (k + 1)) / ln(V + 1),  about Zipf's law where rows stand by falling count

    Args:
        rng: What draws.
        n_candidates: K, well below V, or the drawing takes long.
        n_entries: V.
    """
    drawn = np.empty(0, np.int64)
    while True:
        more = np.exp(rng.random(2 * n_candidates) * np.log(n_entries + 1)) - 1
        drawn = np.concatenate([drawn, np.minimum(more.astype(np.int64), n_entries - 1)])  # 1.0 may be the rounded end
        rows, firsts = np.unique(drawn, return_index=True)
        if len(rows) >= n_candidates:
            n_draws = int(np.sort(firsts)[n_candidates - 1]) + 1
            return rows[firsts < n_draws], n_draws


def log_expected_counts(rows: "Tensor", n_draws: "Tensor | int", n_entries: int) -> "Tensor":
    """ln Q for each row, Q = 1 - (1 - P)^n_draws the chance to be in a sample of `log_uniform_sample`.

    Args:
        rows: Of any floating type, which the result has too.
        n_draws: How often was drawn.
        n_entries: V.
    """
    shares = (1 / (rows + 1)).log1p() / math.log(n_entries + 1)
    return (-(n_draws * (-shares).log1p()).expm1()).log()


def sampled_next_word(
    hidden: "Tensor",
    table: "Tensor",
    bias: "Tensor",
    targets: "Tensor",
    candidates: "Tensor",
    n_draws: "Tensor | int",
    n_entries: int,
    weights: "Tensor | None" = None,
) -> "Tensor":
    """`next_word` over each target and a sample of the words alone: Jean et al. 2015 (arXiv 1412.2007), section 3.

        score(k) = hidden . table[k] + bias[k] - ln Q(k),  Q(k) the chance of k to be sampled

    A sampled word that is a position's target counts once, as its target.

    Args:
        hidden: (M, D) the last layer of a direction.
        table: (V, D).
        bias: (V,).
        targets: (M,) the words.
        candidates: (K,) different rows, rising, the same for all positions.
        n_draws: How often was drawn until there were K.
        n_entries: Of the vocabulary that was drawn from.
        weights: (M,) how much each counts; None counts all alike.
    """
    import torch
    from torch.nn import functional

    exact = torch.promote_types(hidden.dtype, torch.float32)
    n = len(candidates)
    taken = torch.cat([candidates, targets])  # at once, since the gradient of each taking is as large as the table
    rows = functional.embedding(taken, table)
    offsets = bias[taken] - log_expected_counts(taken.to(exact), n_draws, n_entries)
    scores = functional.linear(hidden, rows[:n]).to(exact) + offsets[:n]  # (M, K)
    of_target = (hidden * rows[n:]).to(exact).sum(1) + offsets[n:]  # (M,)
    places = torch.searchsorted(candidates, targets).clamp(max=len(candidates) - 1)[:, None]
    is_target = candidates[places] == targets[:, None]
    met = scores.gather(1, places).masked_fill(is_target, -math.inf)
    others = scores.scatter(1, places, met).logsumexp(1)
    nats = functional.softplus(others - of_target)
    if weights is None:
        return nats.mean()
    return (nats * weights).sum() / weights.sum()


def next_sentence(scores: "Tensor", is_random: "Tensor") -> "Tensor":
    """Devlin et al. 2019, section 3.1, task 2: the mean of -log P(whether B follows A), in nats.

    Args:
        scores: (B, 2) for "follows" and "comes from elsewhere".
        is_random: (B,) 0 where B follows A, 1 where it comes from another document.
    """
    from torch.nn import functional

    return functional.cross_entropy(scores.float() if scores.dtype.itemsize < 4 else scores, is_random)
