"""The unsupervised tasks as equations: pure functions of float64 arrays, each with its gradient.

They are the reference that the compiled kernels are tested against, and are written to be read, not to be fast.

    D dim; H hidden vectors; M words that may be predicted; N noise words; P predicted pairs
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from firth.vocabulary import HuffmanTree

Floats = NDArray[np.float64]
Integers = NDArray[np.integer]


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


def paths(tree: HuffmanTree, rows: Integers) -> tuple[Integers, Floats, Integers]:
    """The tree nodes on the way to each word of `rows`, one after another.

    Returns:
        nodes (P,), signs (P,), and (P,) which of `rows` the node belongs to.
    """
    ways = [np.arange(tree.starts[row], tree.starts[row + 1]) for row in rows]
    steps = np.concatenate([np.empty(0, np.int64), *ways])
    owners = np.repeat(np.arange(len(rows)), [len(way) for way in ways])
    return tree.nodes[steps], tree.signs[steps].astype(np.float64), owners
