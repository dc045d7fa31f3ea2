"""The compiled half of the static families: random draws, windows, and one step of each objective.

Every kernel here has a plain float64 twin in `objectives.py`, and a test takes a step with each and compares.
The kernels release the GIL; threads call them on shared tables without locks (Niu et al. 2011, "Hogwild!").

The design, for negative sampling. Word2vec trains pair by pair: three passes over a few hundred bytes, bound by
latency. Here a *block* of consecutive centre words is one step. Its rows are gathered once, one pool of noise words
serves all of its pairs, each weighted so that the expected objective is Mikolov's (`objectives.noise_weights`), the
scores against the pool and both gradients become products of small matrices, and every row's sum is added back once.

    H (T, D) hidden vectors: Skip-gram's centre rows, CBOW's window means
    C (M, D) output rows of the words to be predicted
    Z (N, D) output rows of the pool of noise words

Randomness is a hash of (key, position), not a sequence: a token is kept or dropped, and its window is as wide,
whichever batch, thread or resumed run meets it.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numba import njit

# "reassoc" and its kin let sums be vectorised; NaN and infinity keep their meaning, so that a diverged run is seen.
compiled: Callable[..., Any] = njit(
    cache=True,
    nogil=True,
    boundscheck=False,
    error_model="numpy",
    fastmath={"reassoc", "contract", "nsz", "arcp", "afn"},
)

float32 = np.float32
int32 = np.int32
uint64 = np.uint64
UNIT = float32(2.0**-24)  # 24 random bits to a float32 in [0, 1)


@compiled
def mix(key: Any, position: int) -> Any:
    """64 random bits for (key, position): SplitMix64 (Steele, Lea & Flood 2014), which passes BigCrush."""
    x = key + (uint64(position) + uint64(1)) * uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> uint64(30))) * uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> uint64(27))) * uint64(0x94D049BB133111EB)
    return x ^ (x >> uint64(31))


@compiled
def draw_noise(probability: Any, alias: Any, key: Any, n_draws: int) -> Any:
    """(n_draws,) int32 rows from Walker's alias table: one hash, one comparison a draw."""
    rows = np.empty(n_draws, int32)
    size = uint64(len(probability))
    for i in range(n_draws):
        bits = mix(key, i)
        slot = ((bits >> uint64(32)) * size) >> uint64(32)
        stays = float32(bits & uint64(0xFFFFFF)) * UNIT < probability[slot]
        rows[i] = int32(slot) if stays else alias[slot]
    return rows


@compiled
def row_if_kept(type_ids: Any, row_of_type: Any, keep_probability: Any, token: int, key: Any) -> Any:
    """The row of the word at position `token`, or -1 if it has none or sub-sampling drops it."""
    row = row_of_type[type_ids[token]]
    if row < 0 or float32(mix(key, token) >> uint64(40)) * UNIT >= keep_probability[row]:
        return int32(-1)
    return row


@compiled
def cut_windows(
    type_ids: Any,
    line_ends: Any,
    row_of_type: Any,
    keep_probability: Any,
    start: int,
    stop: int,
    narrowest: int,
    window: int,
    key: Any,
) -> tuple[Any, Any, Any, int, int]:
    """The kept words around tokens [start, stop) and each one's window, which never crosses a line.

    Tokens without a row (below `min_count`) and tokens that sub-sampling drops go before windows are laid, as in
    word2vec.c, so that windows reach over them. The width of each is uniform on narrowest..window.

    Returns:
        rows (n,) int32, with the kept words before `start` and behind `stop` that windows reach;
        left, right (n,) int32: the window of position i is [left[i], right[i]) without i itself;
        first, last: the centres are the positions [first, last).
    """
    line = np.searchsorted(line_ends, start, side="right")  # the line that token `start` lies in
    line_start = line_ends[line - 1] if line > 0 else 0
    begin = start
    first = 0
    while begin > line_start and first < window:
        begin -= 1
        if row_if_kept(type_ids, row_of_type, keep_probability, begin, key) >= 0:
            first += 1
    line_end = line_ends[np.searchsorted(line_ends, stop - 1, side="right")]
    end = stop
    reached = 0
    while end < line_end and reached < window:
        if row_if_kept(type_ids, row_of_type, keep_probability, end, key) >= 0:
            reached += 1
        end += 1

    rows = np.empty(end - begin, int32)
    line_of = np.empty(end - begin, int32)
    width = np.empty(end - begin, int32)
    spread = uint64(window - narrowest + 1)
    first_line = line
    n = 0
    for token in range(begin, end):
        while token >= line_ends[line]:
            line += 1
        row = row_if_kept(type_ids, row_of_type, keep_probability, token, key)
        if row >= 0:
            low_bits = mix(key, token) & uint64(0xFFFFFFFF)
            rows[n] = row
            line_of[n] = line - first_line
            width[n] = narrowest + int32((low_bits * spread) >> uint64(32))
            n += 1

    left = np.empty(n, int32)
    right = np.empty(n, int32)
    line_first = 0
    for i in range(n):
        if line_of[i] != line_of[line_first]:
            line_first = i
        left[i] = max(line_first, i - width[i])
    line_last = n
    for i in range(n - 1, -1, -1):
        if i + 1 < n and line_of[i] != line_of[i + 1]:
            line_last = i + 1
        right[i] = min(line_last, i + 1 + width[i])
    return rows[:n].copy(), left, right, first, n - reached


# Negative sampling


@compiled
def logistic_losses(sign: Any, scores: Any, weights: Any, slopes: Any, power: Any, bits: Any, n: int) -> Any:
    """Sum of weight * softplus(sign * score) over n entries, in nats; slopes become weight * sigmoid(sign * score).

    exp is Cephes' expf (range reduction to 2^m * p(r)), log(1 + t) on [0, 1] a minimax polynomial of degree 9:
    both within float32's rounding (2e-7), and free of branches, so that LLVM vectorises them, as it does not calls
    of libm. `power` and `bits` are one piece of memory seen as float32 and as int32: 2^m is made by its exponent.
    """
    reduced = slopes  # holds p(r) between the two loops
    for k in range(n):
        x = max(-abs(scores[k]), float32(-80.0))  # exp(-80) is lost beside 1 in float32
        m = int32(x * float32(1.44269504) - float32(0.5))
        r = x - float32(m) * float32(0.693359375) + float32(m) * float32(2.12194440e-4)
        p = float32(1.9875691500e-4)
        p = p * r + float32(1.3981999507e-3)
        p = p * r + float32(8.3334519073e-3)
        p = p * r + float32(4.1665795894e-2)
        p = p * r + float32(1.6666665459e-1)
        p = p * r + float32(5.0000001201e-1)
        reduced[k] = p * r * r + r + float32(1.0)
        bits[k] = (m + int32(127)) << int32(23)
    total = float32(0.0)
    for k in range(n):
        t = reduced[k] * power[k]  # exp(-|score|)
        score = sign * scores[k]
        larger = float32(1.0) / (float32(1.0) + t)  # sigmoid(|score|)
        slopes[k] = weights[k] * (larger if score > float32(0.0) else t * larger)
        p = float32(0.005384054966270924)
        p = p * t + float32(-0.030110938474535942)
        p = p * t + float32(0.07921069860458374)
        p = p * t + float32(-0.1374661922454834)
        p = p * t + float32(0.19145114719867706)
        p = p * t + float32(-0.24852944910526276)
        p = p * t + float32(0.33320343494415283)
        p = p * t + float32(-0.49999552965164185)
        p = p * t + float32(1.0)
        total += weights[k] * (p * t + max(score, float32(0.0)))
    return total


@compiled
def gather(table: Any, rows: Any, into: Any, dim: int) -> None:
    """into[i] = table[rows[i]]."""
    for i in range(len(rows)):
        row = rows[i]
        for k in range(dim):
            into[i, k] = table[row, k]


@compiled
def scatter_add(table: Any, rows: Any, steps: Any, dim: int) -> None:
    """table[rows[i]] += steps[i]; a row that occurs twice gets both."""
    for i in range(len(rows)):
        row = rows[i]
        for k in range(dim):
            table[row, k] += steps[i, k]


@compiled
def products_of_rows(a: Any, b: Any, into: Any, dim: int) -> None:
    """into = a b', (I, D) x (J, D) -> (I, J); I a multiple of 4, J of 2: eight sums in registers."""
    for i in range(0, a.shape[0], 4):
        for j in range(0, b.shape[0], 2):
            s00 = s01 = s10 = s11 = s20 = s21 = s30 = s31 = float32(0.0)
            for k in range(dim):
                b0, b1 = b[j, k], b[j + 1, k]
                a0, a1, a2, a3 = a[i, k], a[i + 1, k], a[i + 2, k], a[i + 3, k]
                s00 += a0 * b0
                s01 += a0 * b1
                s10 += a1 * b0
                s11 += a1 * b1
                s20 += a2 * b0
                s21 += a2 * b1
                s30 += a3 * b0
                s31 += a3 * b1
            into[i, j], into[i, j + 1] = s00, s01
            into[i + 1, j], into[i + 1, j + 1] = s10, s11
            into[i + 2, j], into[i + 2, j + 1] = s20, s21
            into[i + 3, j], into[i + 3, j + 1] = s30, s31


@compiled
def subtract_product(weights: Any, b: Any, from_: Any, dim: int) -> None:
    """from_ -= weights b, (I, J) x (J, D) -> (I, D); I a multiple of 2, J of 4: each pass adds four rows to two."""
    for i in range(0, weights.shape[0], 2):
        for j in range(0, weights.shape[1], 4):
            w00, w01, w02, w03 = weights[i, j], weights[i, j + 1], weights[i, j + 2], weights[i, j + 3]
            w10, w11 = weights[i + 1, j], weights[i + 1, j + 1]
            w12, w13 = weights[i + 1, j + 2], weights[i + 1, j + 3]
            for k in range(dim):
                b0, b1, b2, b3 = b[j, k], b[j + 1, k], b[j + 2, k], b[j + 3, k]
                from_[i, k] -= w00 * b0 + w01 * b1 + w02 * b2 + w03 * b3
                from_[i + 1, k] -= w10 * b0 + w11 * b1 + w12 * b2 + w13 * b3


class Block(NamedTuple):
    """Working memory for one block of T centres whose windows span M words, with a pool of N noise words."""

    hidden: Any  # H (T, D)
    hidden_step: Any  # (T, D), what the step adds to H
    targets: Any  # C (M, D)
    targets_step: Any  # (M, D)
    noise: Any  # Z (N, D)
    noise_step: Any  # (N, D)
    noise_scores: Any  # (T, N)
    noise_weights: Any  # (T, N)
    noise_slopes: Any  # (T, N)
    pair_hidden: Any  # (P,) int32, which row of H
    pair_target: Any  # (P,) int32, which row of C it predicts
    pair_scores: Any  # (P,)
    pair_weights: Any  # (P,)
    pair_slopes: Any  # (P,)
    power: Any  # float32 view of bits
    bits: Any  # int32


@compiled
def working_memory(size: int, span: int, pool: int, n_pairs: int, width: int) -> Block:
    """A `Block` for T = size, M = span, N = pool and at most n_pairs pairs, its rows zero from `dim` to `width`."""
    n_entries = max(size * pool, n_pairs)
    bits = np.empty(n_entries, int32)
    return Block(
        np.zeros((size, width), float32),
        np.zeros((size, width), float32),
        np.zeros((span, width), float32),
        np.zeros((span, width), float32),
        np.zeros((pool, width), float32),
        np.zeros((pool, width), float32),
        np.empty((size, pool), float32),
        np.empty((size, pool), float32),
        np.empty((size, pool), float32),
        np.empty(n_pairs, int32),
        np.empty(n_pairs, int32),
        np.empty(n_pairs, float32),
        np.empty(n_pairs, float32),
        np.empty(n_pairs, float32),
        bits.view(float32),
        bits,
    )


@compiled
def weigh_noise(block: Block, target_rows: Any, noise_rows: Any, n_pairs: int, weight: Any) -> None:
    """noise_weights[h, m] = weight * (the pairs of h whose target is not noise word m): `objectives.noise_weights`."""
    block.noise_weights[:] = float32(0.0)
    for p in range(n_pairs):
        block.noise_weights[block.pair_hidden[p], 0] += weight
    for h in range(block.noise_weights.shape[0]):
        block.noise_weights[h, 1:] = block.noise_weights[h, 0]
    for t in range(len(target_rows)):
        collides = 0
        for m in range(len(noise_rows)):
            collides |= target_rows[t] == noise_rows[m]
        if collides:
            for p in range(n_pairs):
                if block.pair_target[p] == t:
                    for m in range(len(noise_rows)):
                        if noise_rows[m] == target_rows[t]:
                            block.noise_weights[block.pair_hidden[p], m] -= weight


@compiled
def negative_sampling_block(block: Block, n_pairs: int, rate: Any, dim: int) -> float:
    """Fills the three steps for rows that stand in `block`, noise weights included; returns the loss times `rate`."""
    hidden, targets, noise = block.hidden, block.targets, block.noise
    hidden_step, targets_step, noise_step = block.hidden_step, block.targets_step, block.noise_step
    pair_scores, pair_slopes = block.pair_scores, block.pair_slopes
    hidden_step[:] = float32(0.0)
    targets_step[:] = float32(0.0)
    noise_step[:] = float32(0.0)
    for p in range(n_pairs):
        h, t = block.pair_hidden[p], block.pair_target[p]
        score = float32(0.0)
        for k in range(dim):
            score += hidden[h, k] * targets[t, k]
        pair_scores[p] = score
        block.pair_weights[p] = rate
    loss = float(
        logistic_losses(float32(-1.0), pair_scores, block.pair_weights, pair_slopes, block.power, block.bits, n_pairs)
    )
    for p in range(n_pairs):
        h, t = block.pair_hidden[p], block.pair_target[p]
        slope = pair_slopes[p]
        for k in range(dim):
            hidden_step[h, k] += slope * targets[t, k]
            targets_step[t, k] += slope * hidden[h, k]

    size, pool = block.noise_scores.shape
    products_of_rows(hidden, noise, block.noise_scores, dim)
    loss += float(
        logistic_losses(
            float32(1.0),
            block.noise_scores.reshape(size * pool),
            block.noise_weights.reshape(size * pool),
            block.noise_slopes.reshape(size * pool),
            block.power,
            block.bits,
            size * pool,
        )
    )
    subtract_product(block.noise_slopes, noise, hidden_step, dim)
    subtract_product(block.noise_slopes.T, hidden, noise_step, dim)
    return loss


def whole_registers(dim: int) -> int:
    """`dim` rounded up to a multiple of 8 floats, a register of AVX2."""
    return -(-dim // 8) * 8


@cache
def skipgram_negative_sampling(dim: int) -> Callable[..., tuple[float, int]]:
    """The step of Skip-gram with negative sampling, compiled for this `dim`.

    Knowing the length of its loops at compile time, and rounding it up to whole registers, is worth a third of the
    time. The step changes both tables in place and
    returns the loss in nats, summed over the predicted pairs, and their number.
    """
    width = whole_registers(dim)

    @compiled
    def step(  # type: ignore[no-untyped-def]
        table, output, rows, left, right, first, last, noise, negatives, learning_rate, size, window
    ):
        pool = noise.shape[1]
        block = working_memory(size, size + 2 * window, pool, 2 * window * size, width)
        rate = float32(learning_rate)
        loss = 0.0
        total_pairs = 0
        for number in range(noise.shape[0]):
            start = first + number * size
            stop = min(last, start + size)
            lowest = np.min(left[start:stop])
            target_rows = rows[lowest : np.max(right[start:stop])]
            n_pairs = 0
            for centre in range(start, stop):
                for position in range(left[centre], right[centre]):
                    if position != centre:
                        block.pair_hidden[n_pairs] = centre - start
                        block.pair_target[n_pairs] = position - lowest
                        n_pairs += 1
            weigh_noise(block, target_rows, noise[number], n_pairs, rate * float32(negatives / pool))
            gather(table, rows[start:stop], block.hidden, dim)
            gather(output, target_rows, block.targets, dim)
            gather(output, noise[number], block.noise, dim)
            loss += negative_sampling_block(block, n_pairs, rate, width)
            scatter_add(table, rows[start:stop], block.hidden_step, dim)
            scatter_add(output, target_rows, block.targets_step, dim)
            scatter_add(output, noise[number], block.noise_step, dim)
            total_pairs += n_pairs
        return loss / learning_rate, total_pairs

    return step  # type: ignore[no-any-return]


@cache
def cbow_negative_sampling(dim: int) -> Callable[..., tuple[float, int]]:
    """The step of CBOW with negative sampling, compiled for this `dim`; see `skipgram_negative_sampling`.

    shares (2,) holds, for a window of n words, what n is raised to: its words count n^shares[0] each in the hidden
    vector (-1 the mean, 0 the sum), and each gets n^shares[1] of the hidden vector's gradient.
    """
    width = whole_registers(dim)

    @compiled
    def step(  # type: ignore[no-untyped-def]
        table, output, rows, left, right, first, last, noise, negatives, learning_rate, size, window, shares
    ):
        pool = noise.shape[1]
        block = working_memory(size, size, pool, size, width)
        words = np.zeros((size + 2 * window, width), float32)
        words_step = np.zeros((size + 2 * window, width), float32)
        rate = float32(learning_rate)
        loss = 0.0
        total_pairs = 0
        for number in range(noise.shape[0]):
            start = first + number * size
            stop = min(last, start + size)
            lowest = np.min(left[start:stop])
            word_rows = rows[lowest : np.max(right[start:stop])]
            gather(table, word_rows, words, dim)
            block.hidden[:] = float32(0.0)
            n_pairs = 0
            for centre in range(start, stop):
                n_words = right[centre] - left[centre] - 1
                if n_words > 0:
                    h = centre - start
                    for position in range(left[centre], right[centre]):
                        if position != centre:
                            for k in range(width):
                                block.hidden[h, k] += words[position - lowest, k]
                    share = float32(n_words ** shares[0])
                    for k in range(width):
                        block.hidden[h, k] *= share
                    block.pair_hidden[n_pairs] = h
                    block.pair_target[n_pairs] = h
                    n_pairs += 1
            weigh_noise(block, rows[start:stop], noise[number], n_pairs, rate * float32(negatives / pool))
            gather(output, rows[start:stop], block.targets, dim)
            gather(output, noise[number], block.noise, dim)
            loss += negative_sampling_block(block, n_pairs, rate, width)
            words_step[:] = float32(0.0)
            for centre in range(start, stop):
                share = float32(max(1, right[centre] - left[centre] - 1) ** shares[1])
                for position in range(left[centre], right[centre]):
                    if position != centre:
                        for k in range(width):
                            words_step[position - lowest, k] += share * block.hidden_step[centre - start, k]
            scatter_add(table, word_rows, words_step, dim)
            scatter_add(output, rows[start:stop], block.targets_step, dim)
            scatter_add(output, noise[number], block.noise_step, dim)
            total_pairs += n_pairs
        return loss / learning_rate, total_pairs

    return step  # type: ignore[no-any-return]


# Hierarchical softmax


class Path(NamedTuple):
    """Working memory for the tree nodes that one centre's predictions pass."""

    nodes: Any  # (P,) int32 rows of the output table
    signs: Any  # (P,) +1 where the path goes to the 0-branch, else -1
    scores: Any  # (P,), signed
    weights: Any  # (P,)
    slopes: Any  # (P,)
    power: Any  # float32 view of bits
    bits: Any  # int32


@compiled
def path_memory(n_nodes: int) -> Path:
    """A `Path` for at most n_nodes nodes."""
    bits = np.empty(n_nodes, int32)
    return Path(
        np.empty(n_nodes, int32),
        np.empty(n_nodes, float32),
        np.empty(n_nodes, float32),
        np.empty(n_nodes, float32),
        np.empty(n_nodes, float32),
        bits.view(float32),
        bits,
    )


@compiled
def add_path(path: Path, n: int, starts: Any, nodes: Any, signs: Any, row: int) -> int:
    """Appends the nodes on the way to word `row` behind the first n; returns how many there are now."""
    for i in range(starts[row], starts[row + 1]):
        path.nodes[n] = nodes[i]
        path.signs[n] = signs[i]
        n += 1
    return n


@compiled
def hierarchical_softmax_step(
    hidden: Any, hidden_step: Any, output: Any, path: Path, n: int, rate: Any, dim: int
) -> float:
    """Moves the n nodes of `path` in `output`, fills hidden_step (D,); returns the loss times `rate`.

    All scores and the step of `hidden` are taken before a node moves, so a node that stands on several
    paths gets the sum of their gradients.
    """
    hidden_step[:] = float32(0.0)
    for i in range(n):
        node = path.nodes[i]
        score = float32(0.0)
        for k in range(dim):
            score += hidden[k] * output[node, k]
        path.scores[i] = path.signs[i] * score
        path.weights[i] = rate
    loss = logistic_losses(float32(-1.0), path.scores, path.weights, path.slopes, path.power, path.bits, n)
    for i in range(n):
        node = path.nodes[i]
        slope = path.signs[i] * path.slopes[i]
        for k in range(dim):
            hidden_step[k] += slope * output[node, k]
    for i in range(n):
        node = path.nodes[i]
        slope = path.signs[i] * path.slopes[i]
        for k in range(dim):
            output[node, k] += slope * hidden[k]
    return float(loss)


@cache
def skipgram_hierarchical_softmax(dim: int) -> Callable[..., tuple[float, int]]:
    """The step of Skip-gram with hierarchical softmax, compiled for this `dim`; one centre word is one block."""

    @compiled
    def step(  # type: ignore[no-untyped-def]
        table, output, rows, left, right, first, last, starts, nodes, signs, learning_rate, window
    ):
        path = path_memory(2 * window * np.max(starts[1:] - starts[:-1]))
        hidden = np.empty(dim, float32)
        hidden_step = np.empty(dim, float32)
        rate = float32(learning_rate)
        loss = 0.0
        total_pairs = 0
        for centre in range(first, last):
            n = 0
            for position in range(left[centre], right[centre]):
                if position != centre:
                    n = add_path(path, n, starts, nodes, signs, rows[position])
                    total_pairs += 1
            hidden[:] = table[rows[centre], :dim]
            loss += hierarchical_softmax_step(hidden, hidden_step, output, path, n, rate, dim)
            for k in range(dim):
                table[rows[centre], k] += hidden_step[k]
        return loss / learning_rate, total_pairs

    return step  # type: ignore[no-any-return]


@cache
def cbow_hierarchical_softmax(dim: int) -> Callable[..., tuple[float, int]]:
    """The step of CBOW with hierarchical softmax, compiled for this `dim`; one centre word is one block."""

    @compiled
    def step(  # type: ignore[no-untyped-def]
        table, output, rows, left, right, first, last, starts, nodes, signs, learning_rate, shares
    ):
        path = path_memory(np.max(starts[1:] - starts[:-1]))
        hidden = np.empty(dim, float32)
        hidden_step = np.empty(dim, float32)
        rate = float32(learning_rate)
        loss = 0.0
        total_pairs = 0
        for centre in range(first, last):
            n_words = right[centre] - left[centre] - 1
            if n_words > 0:
                hidden[:] = float32(0.0)
                share = float32(n_words ** shares[0])
                for position in range(left[centre], right[centre]):
                    if position != centre:
                        for k in range(dim):
                            hidden[k] += share * table[rows[position], k]
                n = add_path(path, 0, starts, nodes, signs, rows[centre])
                loss += hierarchical_softmax_step(hidden, hidden_step, output, path, n, rate, dim)
                share = float32(n_words ** shares[1])
                for position in range(left[centre], right[centre]):
                    if position != centre:
                        for k in range(dim):
                            table[rows[position], k] += share * hidden_step[k]
                total_pairs += 1
        return loss / learning_rate, total_pairs

    return step  # type: ignore[no-any-return]
