"""How long a run is, how it stands, and what is reported of it: the same for every loop."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from firth.errors import UsageError
from firth.files import JOURNAL, appearing, replacing

SECONDS_BETWEEN_REPORTS: Final = 1.0
SECONDS_BETWEEN_CHECKPOINTS: Final = 300.0
DEFAULT_MINUTES: Final = 10.0  # of a contextual family
LATE: Final = 0.9  # of the budget: from here on counts for the final loss


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How long a run is: exactly one of the three is given."""

    epochs: float | None = None
    tokens: float | None = None
    minutes: float | None = None

    def __post_init__(self) -> None:
        """Refuses none, several, and what is not positive (UsageError)."""
        given = {name: value for name, value in asdict(self).items() if value is not None}
        if len(given) != 1:
            raise UsageError(f"a budget is one of epochs, tokens and minutes; given: {', '.join(given) or 'none'}")
        for name, value in given.items():
            if not 0 < value < float("inf"):
                raise UsageError(f"{name} is {value}; a budget is a positive number")

    def __str__(self) -> str:
        """The budget in words."""
        name, value = next((name, value) for name, value in asdict(self).items() if value is not None)
        return f"{value:,g} {name if value != 1 else name[:-1]}"

    def settings(self) -> dict[str, float]:
        """The one that is given, by its name, from which `Budget(**...)` is made again."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def tokens_in(self, n_tokens: int) -> float:
        """Raw tokens of the run over a corpus of n_tokens; infinite where the clock decides."""
        if self.tokens is not None:
            return self.tokens
        return float("inf") if self.epochs is None else self.epochs * n_tokens


@dataclass(frozen=True, kw_only=True)
class Report:
    """How a run stands.

    Attributes:
        seconds: Of training, those before a resumption too.
        fraction: Of the budget, 0 to 1.
        tokens: Raw tokens read.
        epochs: The same in passes over the corpus.
        loss_nats: Mean over the predicted pairs since the last report, of all tasks together.
        n_pairs: Pairs predicted since the last report; of a contextual family, tokens predicted.
        learning_rate: Of the next step.
        tokens_per_second: Raw tokens a second since the last report.
        parts_nats: Of a family with several tasks, the mean loss of each since the last report.
    """

    seconds: float
    fraction: float
    tokens: int
    epochs: float
    loss_nats: float
    n_pairs: int
    learning_rate: float
    tokens_per_second: float
    parts_nats: Mapping[str, float] | None = None

    def entry(self) -> dict[str, Any]:
        """The report as a line of the log has it."""
        return {name: value for name, value in asdict(self).items() if value is not None}


class State(NamedTuple):
    """Where a run stands between two batches: what a resumed run needs beside the model."""

    next_batch: int = 0
    seconds: float = 0.0
    loss_nats: float = 0.0  # summed over all pairs so far
    n_pairs: int = 0
    late_loss_nats: float = 0.0  # the same over the last tenth of the budget
    late_pairs: int = 0


def account(state: State, tokens: int, n_corpus: int, *, finished: bool) -> dict[str, Any]:
    """What a model's record says of its run: what was spent, and the mean loss of the last tenth and of all.

    Args:
        state: Where the run stands.
        tokens: Raw tokens read so far.
        n_corpus: Tokens of the corpus.
        finished: Whether the budget is spent.
    """
    mean_loss_nats = state.loss_nats / max(1, state.n_pairs)
    return {
        "finished": finished,
        "spent": {
            "seconds": round(state.seconds, 3),
            "tokens": tokens,
            "epochs": tokens / n_corpus,
            "n_pairs": state.n_pairs,
        },
        "loss_nats": state.late_loss_nats / state.late_pairs if state.late_pairs else mean_loss_nats,
        "mean_loss_nats": mean_loss_nats,
    }


class Journal:
    """The log of a run, which whoever watches the run can read while it goes on: `checkpoint/log.jsonl`, line by line.

    It goes with the checkpoints when the model takes the place of the run. Where a model stands that the run will
    replace there is none, so that one killed leaves that model as it was. That a line cannot be written (a full disk)
    ends no training.
    """

    def __init__(self, log: list[dict[str, Any]], place: Path | None) -> None:
        """Adds to `log`, and to the file in `place`, if there is one; what the log has already comes before."""
        self._log = log
        self._file = None if place is None or (place / "firth.json").is_file() else place / "checkpoint" / JOURNAL
        self._is_begun = False

    def add(self, entry: dict[str, Any]) -> None:
        """One more entry."""
        self._log.append(entry)
        if self._file is None:
            return
        entries = [entry] if self._is_begun else self._log
        with suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("a" if self._is_begun else "w", encoding="utf-8") as file:
                file.writelines(json.dumps(one) + "\n" for one in entries)
            self._is_begun = True

    def __enter__(self) -> Self:
        """The journal, for as long as the run goes on."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Deletes the file of a run that failed before its first checkpoint, and the folders that it alone is in."""
        if kind is None or self._file is None or (self._file.parent / "latest").exists():
            return
        with suppress(OSError):
            if self._is_begun:
                self._file.unlink()
            self._file.parent.rmdir()
            self._file.parent.parent.rmdir()


@contextmanager
def checkpoint(place: Path, state: State) -> Iterator[Path]:
    """checkpoint/<batch>/ in a model's directory, empty: when the block ends, checkpoint/latest is switched to it.

    Until then the one before stays what it was, one of the same batch too (the new one's name has a zero before it);
    afterwards it goes.
    """
    checkpoints = place / "checkpoint"
    checkpoints.mkdir(parents=True, exist_ok=True)
    name = str(state.next_batch)
    while (checkpoints / name).exists():
        name = f"0{name}"
    with appearing(checkpoints / name) as folder:
        yield folder
    with replacing(checkpoints / "latest") as file:
        file.write(name + "\n")
    for other in checkpoints.iterdir():
        if other.is_dir() and other.name != name:
            shutil.rmtree(other, ignore_errors=True)
