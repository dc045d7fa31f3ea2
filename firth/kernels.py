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

The products go by tiles that stay in registers (`tiles.py`). Two neighbouring centres at a time are scored against the
few rows of C between the ends of their windows, and what is not in the window of one of them has the weight 0. While a
block is worked on, the rows of the next are on their way from memory.

Randomness is a hash of (key, position), not a sequence: a token is kept or dropped, and its window is as wide,
whichever batch, thread or resumed run meets it.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from firth.tiles import (
    CODE,
    LANES,
    adapt_row,
    add_2,
    add_4,
    combine_2,
    combine_4,
    prefetch,
    prefetch_to_read,
    score_rows,
    score_tile,
)

# "reassoc" and its kin let sums be vectorised; NaN and infinity keep their meaning, so that a diverged run is seen.
compiled: Callable[..., Any] = njit(
    cache=True,
    nogil=True,
    boundscheck=False,
    error_model="numpy",
    fastmath={"reassoc", "contract", "nsz", "arcp", "afn"},
)

# Of functions that are made of tiles only the steps are kept: they hold CODE, and so are found while it is the same.
compiled_anew: Callable[..., Any] = njit(
    nogil=True, boundscheck=False, error_model="numpy", fastmath={"reassoc", "contract", "nsz", "arcp", "afn"}
)

float32 = np.float32
int32 = np.int32
int64 = np.int64
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
    """Sum of weight * softplus(sign * score) over n entries, in nats; slopes become its derivatives, negated.

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
        slopes[k] = -sign * weights[k] * (larger if score > float32(0.0) else t * larger)
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


@compiled_anew
def fetch(table: Any, rows: Any, dim: int) -> None:
    """Has the rows on their way from memory: every 16th number, a cache line, and the last."""
    for i in range(len(rows)):
        for k in range(0, dim, 16):
            prefetch(table, rows[i] * dim + k)
        prefetch(table, rows[i] * dim + dim - 1)


def vectors_of(dim: int) -> tuple[int, ...]:
    """A tuple as long as a row of `dim` numbers has vectors: see `tiles.py`."""
    return (0,) * -(-dim // LANES)


@compiled_anew
def score(
    a: Any, row_a: int, n_a: int, b: Any, row_b: int, n_b: int, into: Any, at: int, stride: int, vectors: Any
) -> None:
    """into = a b': of n_a rows, a multiple of 2, from row_a on, and n_b, to be rounded up to 4, from row_b on."""
    for j in range(0, n_b, 4):
        for i in range(0, n_a, 2):
            score_tile(a, row_a + i, b, row_b + j, into, at + i * stride + j, stride, vectors)


class Block(NamedTuple):
    """Working memory for one block of T centres whose targets are M words, with a pool of N noise words.

    The targets of the two centres of one pair lie among at most S rows of C, from `pair_first[h]` on; those of
    centre h have the weight of a pair in row h of `pair_weights`, and the other entries none.
    """

    hidden: Any  # H (T, D)
    hidden_step: Any  # (T, D), what the step adds to H
    targets: Any  # C (M + 4, D): a tile may reach over the end
    targets_step: Any  # (M + 4, D)
    noise: Any  # Z (N, D)
    noise_step: Any  # (N, D)
    noise_scores: Any  # (T * N,)
    noise_weights: Any  # (T * N,)
    noise_slopes: Any  # (T * N,)
    pair_first: Any  # (T,) int32, a row of C; the same for both of a pair
    pair_count: Any  # (T,) int32, rows of C from there; the same for both of a pair
    pair_scores: Any  # (T * S,)
    pair_weights: Any  # (T * S,)
    pair_slopes: Any  # (T * S,)
    n_predicted: Any  # (T,) int32, the targets of centre h
    marks: Any  # (1024,) int32: in which block a noise row with these last bits was met
    power: Any  # float32 view of bits
    bits: Any  # int32


@compiled
def working_memory(size: int, span: int, pool: int, columns: int, width: int) -> Block:
    """A `Block` for T = size, M = span, N = pool, S = columns, its rows zero from `dim` to `width`."""
    bits = np.empty(size * max(pool, columns), int32)
    return Block(
        np.zeros((size, width), float32),
        np.zeros((size, width), float32),
        np.zeros((span + 4, width), float32),
        np.zeros((span + 4, width), float32),
        np.zeros((pool, width), float32),
        np.zeros((pool, width), float32),
        np.zeros(size * pool, float32),
        np.zeros(size * pool, float32),
        np.zeros(size * pool, float32),
        np.zeros(size, int32),
        np.zeros(size, int32),
        np.zeros(size * columns, float32),
        np.zeros(size * columns, float32),
        np.zeros(size * columns, float32),
        np.zeros(size, int32),
        np.full(1024, int32(-1)),
        bits.view(float32),
        bits,
    )


@compiled
def weigh_noise(block: Block, target_rows: Any, noise_rows: Any, weight: Any, number: int) -> None:
    """noise_weights[h, m] = weight * (the pairs of h whose target is not noise word m): `objectives.noise_weights`."""
    pool = len(noise_rows)
    size = len(block.n_predicted)
    columns = len(block.pair_weights) // size
    for h in range(size):
        all_pairs = weight * float32(block.n_predicted[h])
        for m in range(pool):
            block.noise_weights[h * pool + m] = all_pairs
    # few targets are noise words too: those with the last ten bits of one are looked at
    for m in range(pool):
        block.marks[noise_rows[m] & 1023] = number
    for t in range(len(target_rows)):
        if block.marks[target_rows[t] & 1023] == number:
            for m in range(pool):
                if noise_rows[m] == target_rows[t]:
                    for h in range(size):
                        column = t - block.pair_first[h]
                        if column >= 0 and column < columns and block.pair_weights[h * columns + column] > float32(0.0):
                            block.noise_weights[h * pool + m] -= weight


@compiled_anew
def descend(block: Block, vectors: Any) -> float:
    """What Skip-gram and CBOW share: fills the three steps of a block whose rows and weights stand in it.

    It returns the loss in nats, times the learning rate, which is the weight of a pair.
    """
    size, pool = block.hidden.shape[0], block.noise.shape[0]
    columns = len(block.pair_weights) // size
    hidden, targets, noise = block.hidden, block.targets, block.noise
    power, bits = block.power, block.bits

    score(hidden, 0, size, noise, 0, pool, block.noise_scores, 0, pool, vectors)
    loss = logistic_losses(
        float32(1.0), block.noise_scores, block.noise_weights, block.noise_slopes, power, bits, size * pool
    )
    for h in range(0, size, 4):
        combine_4(block.noise_slopes, h * pool, pool, 1, noise, 0, pool, block.hidden_step, h, vectors)
    for m in range(0, pool, 4):
        combine_4(block.noise_slopes, m, 1, pool, hidden, 0, size, block.noise_step, m, vectors)

    for h in range(0, size, 2):
        first, count = block.pair_first[h], block.pair_count[h]
        score(hidden, h, 2, targets, first, count, block.pair_scores, h * columns, columns, vectors)
    loss += logistic_losses(
        float32(-1.0), block.pair_scores, block.pair_weights, block.pair_slopes, power, bits, size * columns
    )
    block.targets_step[:] = float32(0.0)
    for h in range(0, size, 2):
        first, count = block.pair_first[h], block.pair_count[h]
        add_2(block.pair_slopes, h * columns, columns, 1, targets, first, count, block.hidden_step, h, vectors)
        for t in range(0, count, 4):
            add_4(block.pair_slopes, h * columns + t, 1, columns, hidden, h, 2, block.targets_step, first + t, vectors)
    return float(loss)


@compiled
def lay_windows(
    weights: Any, first: Any, count: Any, left: Any, right: Any, start: int, stop: int, lowest: int, weight: Any
) -> None:
    """The windows of the centres [start, stop) as rows of weights (T * S,), in pairs that begin at one column.

    Column s of centre h stands for position lowest + first[h] + s; its weight is `weight` if that is in h's window.
    """
    size = len(first)
    columns = len(weights) // size
    weights[:] = float32(0.0)
    for h in range(0, size, 2):
        centre = start + h
        first[h] = first[h + 1] = count[h] = count[h + 1] = int32(0)
        if centre < stop:
            beside = min(centre + 1, stop - 1)
            from_, to = min(left[centre], left[beside]), max(right[centre], right[beside])
            first[h] = first[h + 1] = from_ - lowest
            count[h] = count[h + 1] = to - from_
            for i in range(h, h + 1 + beside - centre):
                for position in range(left[start + i], right[start + i]):
                    weights[i * columns + position - from_] = weight
                weights[i * columns + start + i - from_] = float32(0.0)


@compiled
def columns_for(window: int) -> int:
    """Columns that the windows of two neighbouring centres may take together, rounded up to a multiple of 4."""
    return (2 * window + 5) // 4 * 4


@cache
def skipgram_negative_sampling(dim: int) -> Callable[..., tuple[float, int]]:
    """The step of Skip-gram with negative sampling, compiled for this `dim`.

    The length of its loops is known at compile time, and rounded up to whole vectors.
    The step changes both tables in place; it returns the loss in nats, summed over the pairs, and their number.
    rows (n,) are the words' rows of `output`, inputs (n,) those of `table`: the same, unless it is one of a stretch of
    text alone (`composition.py`).
    """
    vectors, code = vectors_of(dim), CODE

    @compiled
    def step(  # type: ignore[no-untyped-def]
        table, output, inputs, rows, left, right, first, last, noise, negatives, learning_rate, size, window
    ):
        _ = code
        pool = noise.shape[1]
        block = working_memory(size, size + 2 * window, pool, columns_for(window), len(vectors) * LANES)
        rate = float32(learning_rate)
        loss = 0.0
        total_pairs = 0
        for number in range(noise.shape[0]):
            start = first + number * size
            stop = min(last, start + size)
            lowest = np.min(left[start:stop])
            target_rows = rows[lowest : np.max(right[start:stop])]
            gather(table, inputs[start:stop], block.hidden, dim)
            gather(output, target_rows, block.targets, dim)
            gather(output, noise[number], block.noise, dim)
            if stop < last:
                fetch(table, inputs[stop : min(stop + size, last)], dim)
                fetch(output, rows[stop + window : min(stop + size, last) + window], dim)
                fetch(output, noise[number + 1], dim)
            lay_windows(block.pair_weights, block.pair_first, block.pair_count, left, right, start, stop, lowest, rate)
            for h in range(size):
                centre = start + h
                block.n_predicted[h] = right[centre] - left[centre] - 1 if centre < stop else 0
                total_pairs += block.n_predicted[h]
            weigh_noise(block, target_rows, noise[number], rate * float32(negatives / pool), number)
            loss += descend(block, vectors)
            scatter_add(table, inputs[start:stop], block.hidden_step, dim)
            scatter_add(output, target_rows, block.targets_step, dim)
            scatter_add(output, noise[number], block.noise_step, dim)
        return loss / learning_rate, total_pairs

    return step  # type: ignore[no-any-return]


@cache
def cbow_negative_sampling(dim: int) -> Callable[..., tuple[float, int]]:
    """The step of CBOW with negative sampling, compiled for this `dim`; see `skipgram_negative_sampling`.

    shares (2,) holds, for a window of n words, what n is raised to: its words count n^shares[0] each in the hidden
    vector (-1 the mean, 0 the sum), and each gets n^shares[1] of the hidden vector's gradient.
    """
    vectors, code = vectors_of(dim), CODE

    @compiled
    def step(  # type: ignore[no-untyped-def]
        table, output, inputs, rows, left, right, first, last, noise, negatives, learning_rate, size, window, shares
    ):
        _ = code
        pool = noise.shape[1]
        columns, width = columns_for(window), len(vectors) * LANES
        block = working_memory(size, size, pool, 4, width)
        words = np.zeros((size + 2 * window + 4, width), float32)
        words_step = np.zeros((size + 2 * window + 4, width), float32)
        in_window = np.zeros(size * columns, float32)
        from_ = np.zeros(size, int32)
        count = np.zeros(size, int32)
        rate = float32(learning_rate)
        loss = 0.0
        total_pairs = 0
        for number in range(noise.shape[0]):
            start = first + number * size
            stop = min(last, start + size)
            lowest = np.min(left[start:stop])
            word_rows = inputs[lowest : np.max(right[start:stop])]
            gather(table, word_rows, words, dim)
            gather(output, rows[start:stop], block.targets, dim)
            gather(output, noise[number], block.noise, dim)
            if stop < last:
                fetch(table, inputs[stop + window : min(stop + size, last) + window], dim)
                fetch(output, rows[stop : min(stop + size, last)], dim)
                fetch(output, noise[number + 1], dim)
            lay_windows(in_window, from_, count, left, right, start, stop, lowest, float32(1.0))
            block.pair_weights[:] = float32(0.0)
            for h in range(size):
                centre = start + h
                n_words = right[centre] - left[centre] - 1 if centre < stop else 0
                block.n_predicted[h] = min(n_words, 1)
                total_pairs += block.n_predicted[h]
                block.pair_first[h] = h - h % 2
                block.pair_count[h] = 2
                block.pair_weights[h * 4 + h % 2] = rate * float32(block.n_predicted[h])
            for h in range(0, size, 2):
                combine_2(in_window, h * columns, columns, 1, words, from_[h], count[h], block.hidden, h, vectors)
            for h in range(size):
                if block.n_predicted[h]:
                    share = float32((right[start + h] - left[start + h] - 1) ** shares[0])
                    for k in range(width):
                        block.hidden[h, k] *= share
            weigh_noise(block, rows[start:stop], noise[number], rate * float32(negatives / pool), number)
            loss += descend(block, vectors)
            for h in range(size):
                if block.n_predicted[h]:
                    share = float32((right[start + h] - left[start + h] - 1) ** shares[1])
                    for k in range(width):
                        block.hidden_step[h, k] *= share
            words_step[:] = float32(0.0)
            for h in range(0, size, 2):
                for t in range(0, count[h], 4):
                    add_4(
                        in_window,
                        h * columns + t,
                        1,
                        columns,
                        block.hidden_step,
                        h,
                        2,
                        words_step,
                        from_[h] + t,
                        vectors,
                    )
            scatter_add(table, word_rows, words_step, dim)
            scatter_add(output, rows[start:stop], block.targets_step, dim)
            scatter_add(output, noise[number], block.noise_step, dim)
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
        table, output, inputs, rows, left, right, first, last, starts, nodes, signs, learning_rate, window
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
            hidden[:] = table[inputs[centre], :dim]
            loss += hierarchical_softmax_step(hidden, hidden_step, output, path, n, rate, dim)
            for k in range(dim):
                table[inputs[centre], k] += hidden_step[k]
        return loss / learning_rate, total_pairs

    return step  # type: ignore[no-any-return]


@cache
def cbow_hierarchical_softmax(dim: int) -> Callable[..., tuple[float, int]]:
    """The step of CBOW with hierarchical softmax, compiled for this `dim`; one centre word is one block."""

    @compiled
    def step(  # type: ignore[no-untyped-def]
        table, output, inputs, rows, left, right, first, last, starts, nodes, signs, learning_rate, shares
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
                            hidden[k] += share * table[inputs[position], k]
                n = add_path(path, 0, starts, nodes, signs, rows[centre])
                loss += hierarchical_softmax_step(hidden, hidden_step, output, path, n, rate, dim)
                share = float32(n_words ** shares[1])
                for position in range(left[centre], right[centre]):
                    if position != centre:
                        for k in range(dim):
                            table[inputs[position], k] += share * hidden_step[k]
                total_pairs += 1
        return loss / learning_rate, total_pairs

    return step  # type: ignore[no-any-return]


# GloVe

TOGETHER = 8  # entries of a word whose gradients make one step
SEVEN_TENTHS = int32(0x3F3504F3)  # the bits of sqrt(1/2)
LOWER_HALF = 4294967296.0


@compiled
def stride_of(n: int) -> int:
    """A step that leads over all of n places before it comes back to the first: n's golden section, or soon after."""
    stride = max(1, int(n * 0.618))
    while True:
        a, b = stride, n
        while b:
            a, b = b, a % b
        if a == 1:
            return stride
        stride += 1


class Entries(NamedTuple):
    """Working memory for the entries of one word, in the order of training, filled up to a multiple of TOGETHER."""

    columns: Any  # int32
    logs: Any  # of the counts
    weights: Any  # f(count); 0 of what fills up
    scratch: Any  # float32
    bits: Any  # int32
    power: Any  # float32 view of bits


@compiled
def entries_memory(n: int) -> Entries:
    """`Entries` for at most n."""
    n += TOGETHER
    bits = np.empty(n, int32)
    return Entries(
        np.empty(n, int32),
        np.empty(n, float32),
        np.empty(n, float32),
        np.empty(n, float32),
        bits,
        bits.view(float32),
    )


@compiled
def lay_entries(
    into: Entries, counts: Any, begin: int, n: int, key: Any, share: Any, log_x_max: Any, power: Any
) -> int:
    """Lays out n entries from `begin` on: from one that `key` decides, in steps of `stride_of`. Returns the length.

    f(x) = min(1, (x / x_max) ** power). log is Cephes' logf, exp its expf, in the form of `logistic_losses`.
    """
    place = int64(((key >> uint64(32)) * uint64(n)) >> uint64(32))
    stride = stride_of(n)
    for e in range(n):
        entry = begin + place
        into.columns[e] = int32(counts[entry, 0])
        into.power[e] = float32((counts[entry, 1] + LOWER_HALF * counts[entry, 2]) * share)
        place += stride
        if place >= n:
            place -= n
    filled = (n + TOGETHER - 1) // TOGETHER * TOGETHER
    for e in range(n, filled):
        into.columns[e] = into.columns[n - 1]
        into.power[e] = float32(1.0)
    for e in range(filled):  # x = m 2^doublings, m from sqrt(1/2) to sqrt(2)
        doublings = (into.bits[e] - SEVEN_TENTHS) >> int32(23)
        into.bits[e] -= doublings << int32(23)
        into.scratch[e] = float32(doublings)
    for e in range(filled):
        z = into.power[e] - float32(1.0)
        p = float32(7.0376836292e-2)
        p = p * z + float32(-1.1514610310e-1)
        p = p * z + float32(1.1676998740e-1)
        p = p * z + float32(-1.2420140846e-1)
        p = p * z + float32(1.4249322787e-1)
        p = p * z + float32(-1.6668057665e-1)
        p = p * z + float32(2.0000714765e-1)
        p = p * z + float32(-2.4999993993e-1)
        p = p * z + float32(3.3333331174e-1)
        p = p * z * z * z - into.scratch[e] * float32(2.12194440e-4) - float32(0.5) * z * z
        into.logs[e] = z + p + into.scratch[e] * float32(0.693359375)
    for e in range(filled):
        x = max(min(power * (into.logs[e] - log_x_max), float32(0.0)), float32(-80.0))
        k = int32(x * float32(1.44269504) - float32(0.5))
        r = x - float32(k) * float32(0.693359375) + float32(k) * float32(2.12194440e-4)
        p = float32(1.9875691500e-4)
        p = p * r + float32(1.3981999507e-3)
        p = p * r + float32(8.3334519073e-3)
        p = p * r + float32(4.1665795894e-2)
        p = p * r + float32(1.6666665459e-1)
        p = p * r + float32(5.0000001201e-1)
        into.scratch[e] = p * r * r + r + float32(1.0)
        into.bits[e] = (k + int32(127)) << int32(23)
    for e in range(filled):
        into.weights[e] = into.scratch[e] * into.power[e]
    for e in range(n, filled):
        into.weights[e] = float32(0.0)
    return filled


@compiled_anew
def descend_row(
    own: Any,
    other: Any,
    squares: Any,
    row: int,
    one_at: int,
    by: Entries,
    filled: int,
    clip: Any,
    rate: Any,
    vectors: Any,
) -> float:
    """Moves one row by its entries, TOGETHER at a time, the rows of `other` being as they are; returns the loss.

    A row holds the vector, its bias, and a 1 that meets the other bias: the score is their product. `one_at` is where
    the 1 of `own` stands, which does not move.
    """
    width = len(vectors) * LANES
    scores = np.empty(TOGETHER, float32)
    slopes = np.empty(TOGETHER, float32)
    loss = 0.0
    for start in range(0, filled, TOGETHER):
        if start + TOGETHER < filled:
            for e in range(start + TOGETHER, start + 2 * TOGETHER):
                for k in range(0, width, 16):
                    prefetch_to_read(other, int(by.columns[e]) * width + k)
        score_rows(own, row, other, by.columns, start, scores, vectors)
        for i in range(TOGETHER):
            residual = scores[i] - by.logs[start + i]
            slope = by.weights[start + i] * residual
            loss += slope * residual
            slopes[i] = rate * min(max(slope, -clip), clip)
        adapt_row(own, squares, row, other, by.columns, start, slopes, vectors)
        own[row, one_at] = float32(1.0)
    return 0.5 * loss


@cache
def weighted_squares(dim: int) -> Callable[..., tuple[float, int]]:
    """The step of GloVe, compiled for this `dim`: every word of a batch, in both tables, by all of its entries.

    It changes the four tables in place; it returns the loss, summed over the entries as either table meets them, and
    their number. A row of `counts` is (column, lower half, upper half); `ends` are those of the rows. Where they are
    symmetric, a word meets the same entries in either table, in the same order.
    """
    vectors, code = vectors_of(dim + 2), CODE

    @compiled
    def step(  # type: ignore[no-untyped-def]
        words, contexts, word_squares, context_squares, rows, key,
        counts, ends, counts_of_contexts, ends_of_contexts, is_symmetric, share, x_max, exponent, clip, rate,
    ):  # fmt: skip
        _ = code
        longest = 0
        for row in rows:
            longest = max(longest, ends[row] - (ends[row - 1] if row else 0))
            longest = max(longest, ends_of_contexts[row] - (ends_of_contexts[row - 1] if row else 0))
        by = entries_memory(longest)
        log_x_max, power = float32(np.log(x_max)), float32(exponent)
        limit, speed = float32(clip), float32(rate)
        loss = 0.0
        total_pairs = 0
        for row in rows:
            begin = ends[row - 1] if row else 0
            n = ends[row] - begin
            filled = 0
            if n:
                filled = lay_entries(by, counts, begin, n, mix(key, row), share, log_x_max, power)
                loss += descend_row(words, contexts, word_squares, row, dim + 1, by, filled, limit, speed, vectors)
                total_pairs += n
            if not is_symmetric:
                begin = ends_of_contexts[row - 1] if row else 0
                n = ends_of_contexts[row] - begin
                if n:
                    filled = lay_entries(by, counts_of_contexts, begin, n, mix(~key, row), share, log_x_max, power)
            if n:
                loss += descend_row(contexts, words, context_squares, row, dim, by, filled, limit, speed, vectors)
                total_pairs += n
        return loss, total_pairs

    return step  # type: ignore[no-any-return]
