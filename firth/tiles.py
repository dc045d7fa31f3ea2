"""Products of small matrices, a tile at a time in registers: the inner loops of negative sampling, and of GloVe.

A tile of the result stays in the processor's registers while the loop runs over what it is summed from, so that a
number once loaded serves several sums. LLVM's vectoriser finds that form for none of the products here; so each tile
is written in LLVM's own vectors, with its size known when it is compiled. The loops over tiles are in `kernels.py`.

All arrays are contiguous float32. How many vectors a row has is told by the length of a tuple, `vectors`: it is part of
the tuple's type, so that Numba compiles for it, and unlike compiled functions a step may hold it and still be found in
Numba's cache.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from llvmlite import binding, ir
from numba.core import cgutils, types
from numba.extending import intrinsic

LANES: Final = 16 if binding.get_host_cpu_features().get("avx512f") else 8
"""Numbers in a vector. A processor with narrower registers takes two or four of them for one."""

CODE: Final = f"{hashlib.blake2b(Path(__file__).read_bytes(), digest_size=8).hexdigest()} {LANES}"
"""What the compiled steps hold, since Numba's cache looks at no other file than theirs for changes."""

written: Callable[[Any], Any] = intrinsic  # whose own type wants `typing` given in every call
_FLAGS: Final = ("reassoc", "contract", "nsz")  # a sum may be taken in any order, and by fused multiply-adds
_FLOAT: Final = ir.FloatType()
_VECTOR: Final = ir.VectorType(_FLOAT, LANES)
_HALF: Final = ir.VectorType(_FLOAT, 4)
_EIGHT: Final = ir.VectorType(_FLOAT, 8)
_INT32: Final = ir.IntType(32)
_PLACE: Final = ir.IntType(64)


@written
def score_tile(
    typing: Any, a: Any, row_a: Any, b: Any, row_b: Any, into: Any, at: Any, stride: Any, vectors: Any
) -> tuple[Any, Any]:
    """into = a b': 2 rows of a from row_a on by 4 of b from row_b on; those of `into` lie `stride` apart, from `at`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        a, row_a, b, row_b, into, at, stride, _ = _given(context, builder, signature, arguments)
        width = ir.Constant(_PLACE, len(vectors) * LANES)
        rows_a = [_row(builder, a, builder.mul(row_a, width), width, i) for i in range(2)]
        rows_b = [_row(builder, b, builder.mul(row_b, width), width, j) for j in range(4)]
        sums = [_variable(builder, ir.Constant(_VECTOR, None)) for _ in range(8)]
        with _every(builder, width, LANES) as k:
            vectors_b = [_load(builder, row, k) for row in rows_b]
            for i, row in enumerate(rows_a):
                vector_a = _load(builder, row, k)
                for j, vector_b in enumerate(vectors_b):
                    _add_product(builder, sums[4 * i + j], vector_a, vector_b)
        total = _sums_of_lanes(builder, [builder.load(one) for one in sums])
        for i in range(2):
            four = builder.shuffle_vector(total, total, _lanes(range(4 * i, 4 * i + 4)))
            _store(builder, four, _row(builder, into, at, stride, i), _HALF)
        return context.get_dummy_value()

    return types.void(a, row_a, b, row_b, into, at, stride, vectors), generate


def _sums_of_rows(n_rows: int, *, adds: bool) -> Any:
    """The code for n_rows rows of into = weights b, or with `adds` of into += weights b, in tiles of some vectors.

    weights (n_rows, count), from number `at` on, may be transposed: its rows lie row_stride apart, its columns
    column_stride. b and `into` are taken from the rows row_b and row_into on.
    """
    most = (12 if n_rows == 4 else 13) // n_rows  # of 16 registers: what is multiplied needs three or four

    @written
    def sums_of_rows(
        typing: Any,
        weights: Any,
        at: Any,
        row_stride: Any,
        column_stride: Any,
        b: Any,
        row_b: Any,
        count: Any,
        into: Any,
        row_into: Any,
        vectors: Any,
    ) -> tuple[Any, Any]:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            weights, at, row_stride, column_stride, b, row_b, count, into, row_into, _ = _given(
                context, builder, signature, arguments
            )
            n_vectors = len(vectors)
            width = ir.Constant(_PLACE, n_vectors * LANES)
            weight_rows = [_row(builder, weights, at, row_stride, i) for i in range(n_rows)]
            rows_into = [_row(builder, into, builder.mul(row_into, width), width, i) for i in range(n_rows)]
            n_tiles = -(-n_vectors // most)
            borders = [tile * n_vectors // n_tiles for tile in range(n_tiles + 1)]
            for first, stop in pairwise(borders):
                places = [ir.Constant(_PLACE, v * LANES) for v in range(first, stop)]
                sums = [[_variable(builder, ir.Constant(_VECTOR, None)) for _ in places] for _ in range(n_rows)]
                with _every(builder, count, 1) as j:
                    line = builder.gep(b, [builder.mul(builder.add(row_b, j), width)])
                    vectors_b = [_load(builder, line, place) for place in places]
                    for weight_row, sums_of_row in zip(weight_rows, sums, strict=True):
                        weight = builder.load(builder.gep(weight_row, [builder.mul(j, column_stride)]))
                        in_all_lanes = _spread(builder, weight)
                        for one, vector_b in zip(sums_of_row, vectors_b, strict=True):
                            _add_product(builder, one, in_all_lanes, vector_b)
                for row, sums_of_row in zip(rows_into, sums, strict=True):
                    for one, place in zip(sums_of_row, places, strict=True):
                        total = builder.load(one)
                        if adds:
                            total = builder.fadd(total, _load(builder, row, place), flags=_FLAGS)
                        _store(builder, total, builder.gep(row, [place]), _VECTOR)
            return context.get_dummy_value()

        signature = types.void(weights, at, row_stride, column_stride, b, row_b, count, into, row_into, vectors)
        return signature, generate

    return sums_of_rows


combine_2, combine_4 = _sums_of_rows(2, adds=False), _sums_of_rows(4, adds=False)
add_2, add_4 = _sums_of_rows(2, adds=True), _sums_of_rows(4, adds=True)


@written
def score_rows(
    typing: Any, a: Any, row_a: Any, b: Any, rows_b: Any, first: Any, into: Any, vectors: Any
) -> tuple[Any, Any]:
    """into[:8] = a' b: one row of a by the 8 of b that rows_b (int32) names from number `first` on."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        a, row_a, b, rows_b, first, into, _ = _given(context, builder, signature, arguments)
        width = ir.Constant(_PLACE, len(vectors) * LANES)
        line = builder.gep(a, [builder.mul(row_a, width)])
        lines = _named_rows(builder, b, rows_b, first, width)
        sums = [_variable(builder, ir.Constant(_VECTOR, None)) for _ in lines]
        with _every(builder, width, LANES) as k:
            vector_a = _load(builder, line, k)
            for one, line_b in zip(sums, lines, strict=True):
                _add_product(builder, one, vector_a, _load(builder, line_b, k))
        _store(builder, _sums_of_lanes(builder, [builder.load(one) for one in sums]), into, _EIGHT)
        return context.get_dummy_value()

    return types.void(a, row_a, b, rows_b, first, into, vectors), generate


@written
def adapt_row(
    typing: Any, a: Any, squares: Any, row_a: Any, b: Any, rows_b: Any, first: Any, weights: Any, vectors: Any
) -> tuple[Any, Any]:
    """One step of AdaGrad by 8 gradients, weights[i] * b[rows_b[first + i]]: their squares are added to a row of
    `squares`, then their sum, divided by its root, is taken from the row of a.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        a, squares, row_a, b, rows_b, first, weights, _ = _given(context, builder, signature, arguments)
        width = ir.Constant(_PLACE, len(vectors) * LANES)
        line, line_of_squares = (builder.gep(table, [builder.mul(row_a, width)]) for table in (a, squares))
        lines = _named_rows(builder, b, rows_b, first, width)
        in_lanes = [_spread(builder, builder.load(builder.gep(weights, [ir.Constant(_PLACE, i)]))) for i in range(8)]
        kind = ir.FunctionType(_VECTOR, [_VECTOR])
        root = cgutils.get_or_insert_function(builder.module, kind, f"llvm.sqrt.v{LANES}f32")  # type: ignore[no-untyped-call]
        with _every(builder, width, LANES) as k:
            total, square = None, _load(builder, line_of_squares, k)
            for weight, line_b in zip(in_lanes, lines, strict=True):
                part = builder.fmul(weight, _load(builder, line_b, k), flags=_FLAGS)
                total = part if total is None else builder.fadd(total, part, flags=_FLAGS)
                square = builder.fadd(square, builder.fmul(part, part, flags=_FLAGS), flags=_FLAGS)
            _store(builder, square, builder.gep(line_of_squares, [k]), _VECTOR)
            step = builder.fdiv(total, builder.call(root, [square]), flags=_FLAGS)
            _store(builder, builder.fsub(_load(builder, line, k), step, flags=_FLAGS), builder.gep(line, [k]), _VECTOR)
        return context.get_dummy_value()

    return types.void(a, squares, row_a, b, rows_b, first, weights, vectors), generate


def _prefetch(*, for_writing: bool) -> Any:
    """The code that asks for the cache line of number `at`: other work goes on until it is there."""

    @written
    def prefetch(typing: Any, array: Any, at: Any) -> tuple[Any, Any]:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            array, at = _given(context, builder, signature, arguments)
            address = ir.IntType(8).as_pointer()
            kind = ir.FunctionType(ir.VoidType(), [address, _INT32, _INT32, _INT32])
            function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")  # type: ignore[no-untyped-call]
            writing, keep, data = (ir.Constant(_INT32, number) for number in (int(for_writing), 3, 1))
            builder.call(function, [builder.bitcast(builder.gep(array, [at]), address), writing, keep, data])
            return context.get_dummy_value()

        return types.void(array, at), generate

    return prefetch


prefetch, prefetch_to_read = _prefetch(for_writing=True), _prefetch(for_writing=False)


def _given(context: Any, builder: Any, signature: Any, arguments: Any) -> list[Any]:
    """The arguments: of an array the address of its first number, of an integer 64 bits, of a tuple nothing."""
    given: list[Any] = []
    for kind, value in zip(signature.args, arguments, strict=True):
        if isinstance(kind, types.Array):
            given.append(context.make_array(kind)(context, builder, value).data)
        elif isinstance(kind, types.BaseTuple):
            given.append(None)
        else:
            given.append(context.cast(builder, value, kind, types.int64))
    return given


def _variable(builder: Any, value: Any) -> Any:
    return cgutils.alloca_once_value(builder, value)  # type: ignore[no-untyped-call]


def _row(builder: Any, base: Any, at: Any, stride: Any, number: int) -> Any:
    """The address of a row's first number."""
    return builder.gep(base, [builder.add(at, builder.mul(stride, ir.Constant(_PLACE, number)))])


def _named_rows(builder: Any, base: Any, rows: Any, first: Any, width: Any) -> list[Any]:
    """The addresses of the 8 rows that the numbers from `first` on name."""
    found = []
    for i in range(8):
        row = builder.load(builder.gep(rows, [builder.add(first, ir.Constant(_PLACE, i))]))
        found.append(builder.gep(base, [builder.mul(builder.zext(row, _PLACE), width)]))
    return found


@contextmanager
def _every(builder: Any, stop: Any, step: int) -> Iterator[Any]:
    """A loop: what is built within runs for 0, step, ... below `stop`."""
    first, step = ir.Constant(_PLACE, 0), ir.Constant(_PLACE, step)
    with cgutils.for_range_slice(builder, first, stop, step, _PLACE) as (place, _):
        yield place


def _load(builder: Any, row: Any, place: Any) -> Any:
    return builder.load(builder.bitcast(builder.gep(row, [place]), _VECTOR.as_pointer()), align=4)


def _store(builder: Any, value: Any, address: Any, kind: Any) -> None:
    builder.store(value, builder.bitcast(address, kind.as_pointer()), align=4)


def _spread(builder: Any, number: Any) -> Any:
    """A vector with the number in every lane."""
    first = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), number, ir.Constant(_INT32, 0))
    return builder.shuffle_vector(first, first, _lanes([0] * LANES))


def _add_product(builder: Any, total: Any, a: Any, b: Any) -> None:
    builder.store(builder.fadd(builder.load(total), builder.fmul(a, b, flags=_FLAGS), flags=_FLAGS), total)


def _lanes(numbers: Sequence[int]) -> Any:
    return ir.Constant(ir.VectorType(_INT32, len(numbers)), list(numbers))


def _sums_of_lanes(builder: Any, vectors: list[Any]) -> Any:
    """A vector of 8: the sums over the lanes of 8 vectors. Lanes are added in pairs until one is left of each."""

    def pairs_added(a: Any, b: Any, one: Sequence[int], other: Sequence[int]) -> Any:
        return builder.fadd(
            builder.shuffle_vector(a, b, _lanes(one)), builder.shuffle_vector(a, b, _lanes(other)), flags=_FLAGS
        )

    n_lanes = LANES
    while n_lanes > 8:
        n_lanes //= 2
        lower, upper = range(n_lanes), range(n_lanes, 2 * n_lanes)
        vectors = [pairs_added(vector, vector, lower, upper) for vector in vectors]
    even, odd = (0, 2, 8, 10, 4, 6, 12, 14), (1, 3, 9, 11, 5, 7, 13, 15)  # within the halves of a register
    while len(vectors) > 2:
        vectors = [pairs_added(a, b, even, odd) for a, b in zip(vectors[::2], vectors[1::2], strict=True)]
    # now the lower half of each has sums over lanes 0 to 3 of four vectors, the upper half those over 4 to 7
    return pairs_added(vectors[0], vectors[1], (0, 1, 2, 3, 8, 9, 10, 11), (4, 5, 6, 7, 12, 13, 14, 15))
