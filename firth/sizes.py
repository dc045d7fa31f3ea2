"""Which size of a network a budget suffices for, where nobody has asked for one: a rule, and the speeds it needs."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from firth.budget import Budget
from firth.model import Words
from firth.progress import Progress

if TYPE_CHECKING:
    from firth.pieces import Pieces

TOKENS_PER_WEIGHT: Final = 1.0
MOST_USEFUL_EPOCHS: Final = 16
SECONDS_MEASURED: Final = 2.0  # of each size's speed
MOST_HOURS: Final = 12  # that a size may take which nobody asked for, where the budget is not one of time
OPERATIONS_UNMEASURED: Final = 1e14  # of a run: no need to know the speed, half an hour on two cores


def chosen_size(n_weights: Sequence[int], n_corpus: int, tokens_of: Callable[[int], float]) -> tuple[int, list[float]]:
    """Which of several sizes a budget suffices for, and the tokens that those it looked at would see.

    The largest that sees TOKENS_PER_WEIGHT tokens for each weight of its blocks; the smallest, if none does. Tokens are
    those of the budget, but at most MOST_USEFUL_EPOCHS times those of the corpus: Muennighoff et al. 2023
    (arXiv 2305.16264) find that beyond, another pass over the same text adds next to nothing.

    Args:
        n_weights: Of each size, from small to large.
        n_corpus: Tokens of the corpus.
        tokens_of: The tokens that a size, by its place, would see in the budget. Asked of one size after the other, up
            to the first that is too large.
    """
    chosen, tokens = 0, []
    for size, weights in enumerate(n_weights):
        tokens.append(tokens_of(size))
        if min(tokens[-1], MOST_USEFUL_EPOCHS * n_corpus) < TOKENS_PER_WEIGHT * weights:
            break
        chosen = size
    return chosen, tokens


def suited(
    sizes: Sequence[Any], text: Any, pieces: "Pieces | Words", budget: Budget, device: Any, progress: Progress
) -> Any:
    """The largest of the sizes that the budget suffices for."""
    if len(sizes) == 1:
        return sizes[0]
    from firth import devices
    from firth.speeds import measured_speed

    processes = devices.world()
    speeds: dict[int, float] = {}

    def tokens_of(size: int) -> float:
        asked = math.inf if budget.minutes is not None else budget.tokens_in(text.n_tokens)
        if 6 * asked * block_weights(sizes[size]) < OPERATIONS_UNMEASURED:
            return asked
        speeds[size] = measured_speed(sizes[size], text, pieces, device, SECONDS_MEASURED) * processes.size
        return min(asked, speeds[size] * 60 * (60 * MOST_HOURS if budget.minutes is None else budget.minutes))

    chosen, tokens = chosen_size([block_weights(size) for size in sizes], text.n_tokens, tokens_of)
    if processes.size > 1:
        chosen = devices.told_by_first(chosen, device)
    family = sizes[chosen]
    if processes.rank:
        return family  # which may have measured otherwise
    within = "" if budget.minutes is not None else f" in {MOST_HOURS} hours"
    seen = [
        f"{size_name(sizes[size])} would see {_rounded(n)}{within if size in speeds else ''}"
        for size, n in enumerate(tokens)
        if size > chosen
    ]
    hours = ""
    if budget.minutes is None and chosen in speeds:
        hours = f", about {tokens[chosen] / speeds[chosen] / 3600:.1f} hours"
    progress.say(
        f"size {size_name(family)}: {_rounded(tokens[chosen])} tokens fit in {budget} here{hours}, of a corpus of "
        f"{_rounded(text.n_tokens)}{'; ' if seen else ''}{', '.join(seen)} (--preset chooses another)"
    )
    return family


def block_weights(family: Any) -> int:
    """The weights by which a size is chosen: of blocks, 4 matrices of attention, 2 four times as wide; ELMo's own."""
    return int(getattr(family, "n_weights", 12 * family.n_layers * family.dim**2))


def size_name(family: Any) -> str:
    """The preset that a family is of, or its layers."""
    for name in ("tiny", "mini", "small", "medium", "original", "base"):
        preset = getattr(type(family), name, None)
        if preset is not None and _size(preset()) == _size(family):
            return name
    return f"{family.n_layers} layers of {family.dim}"


def _size(family: Any) -> tuple[int, ...]:
    return family.n_layers, family.dim, getattr(family, "cell_dim", 0)


def _rounded(n_tokens: float) -> str:
    return f"{n_tokens / 1e6:,.1f} M" if n_tokens >= 1e5 else f"{n_tokens:,.0f}"
