"""What a long piece of work tells whoever waits for it: the stage it is in, its pace, the time left.

Three siblings of one shape: `Bar` for a terminal, `Lines` for a log file, `Silent`. `to_stderr` takes the
one that fits. Results never come this way; they are the caller's, on standard output.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from typing import Protocol, TextIO

from firth.files import printable

SECONDS_BETWEEN_LINES = 5.0


class Advance(Protocol):
    """Tells how far a stage is."""

    def __call__(self, fraction: float | None, words: int, facts: str = "") -> None:
        """Shows the stage as done to `fraction` (0 to 1; None where the end is not known).

        Args:
            fraction: The part of the stage that is done.
            words: How many raw words the stage has read so far.
            facts: A few words to set beside the bar, as "loss 2.345 nats".
        """


class Progress(Protocol):
    """Shows lines of text and the stages of a piece of work."""

    def say(self, line: str) -> None:
        """Shows one line of text, its control characters as codes."""

    def stage(self, name: str, *, fraction: float = 0.0, words: int = 0) -> AbstractContextManager[Advance]:
        """A function that advances the stage `name` for as long as the block lasts.

        Args:
            name: What is being done, as "training".
            fraction: How far the stage already was when it began again (a resumed run).
            words: How many words it had read by then; they do not count for the pace.
        """


class Silent:
    """A `Progress` that shows nothing."""

    def say(self, line: str) -> None:
        """Shows nothing."""

    @contextmanager
    def stage(self, name: str, *, fraction: float = 0.0, words: int = 0) -> Iterator[Advance]:
        """A function that shows nothing."""

        def advance(fraction: float | None, words: int, facts: str = "") -> None:
            pass

        yield advance


class Lines:
    """A `Progress` of plain lines, one every few seconds, for a log file or a pipe."""

    def __init__(
        self,
        stream: TextIO,
        *,
        seconds: float = SECONDS_BETWEEN_LINES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Lines on `stream`, at least `seconds` apart by `clock`."""
        self._stream = stream
        self._seconds = seconds
        self._clock = clock

    def say(self, line: str) -> None:
        """Writes `line` at once."""
        print(printable(line), file=self._stream, flush=True)

    @contextmanager
    def stage(self, name: str, *, fraction: float = 0.0, words: int = 0) -> Iterator[Advance]:
        """A function that writes a line when the last one is some seconds old, and at the stage's end."""
        pace = _Pace(fraction, words, self._clock)
        due = self._clock() + self._seconds
        latest = ""

        def advance(fraction: float | None, words: int, facts: str = "") -> None:
            nonlocal due, latest
            latest = _joined(_percent(fraction), pace.read(fraction, words), facts)
            if self._clock() >= due:
                self.say(f"{name}: {latest}")
                due, latest = self._clock() + self._seconds, ""

        try:
            yield advance
        finally:
            if latest:
                self.say(f"{name}: {latest}")


class Bar:
    """A `Progress` with a bar that moves, for a terminal."""

    def __init__(self, stream: TextIO, *, clock: Callable[[], float] = time.monotonic) -> None:
        """A bar on `stream`, its pace measured by `clock`."""
        from rich.console import Console

        # Words of a corpus pass through here: none of them is markup, an emoji's name, a number to colour.
        self._console = Console(file=stream, markup=False, emoji=False, highlight=False)
        self._clock = clock

    def say(self, line: str) -> None:
        """Writes `line` above the bar."""
        self._console.print(printable(line), soft_wrap=True)

    @contextmanager
    def stage(self, name: str, *, fraction: float = 0.0, words: int = 0) -> Iterator[Advance]:
        """A function that moves the bar; the finished bar stays on the screen."""
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as RichProgress

        pace = _Pace(fraction, words, self._clock)
        bar = RichProgress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[state]}", markup=False),
            console=self._console,
            refresh_per_second=5,
        )
        task = bar.add_task(printable(name), total=1.0, state="")
        bar.update(task, completed=fraction)

        def advance(fraction: float | None, words: int, facts: str = "") -> None:
            bar.update(
                task,
                total=None if fraction is None else 1.0,
                completed=fraction,
                state=_joined(_percent(fraction), pace.read(fraction, words), printable(facts)),
            )

        with bar:
            yield advance


def to_stderr() -> Progress:
    """The `Progress` that suits standard error: `Bar` on a terminal, else `Lines`; `Silent` without one."""
    stream = sys.stderr
    if stream is None:  # pythonw on Windows
        return Silent()
    return Bar(stream) if stream.isatty() else Lines(stream)


def plural(number: int, noun: str, ending: str = "s") -> str:
    """So many of something."""
    return f"{number:,} {noun}{'' if number == 1 else ending}"


class _Pace:
    """Words a second and time left, measured from where the stage began."""

    def __init__(self, fraction: float, words: int, clock: Callable[[], float]) -> None:
        self._fraction, self._words, self._clock = fraction, words, clock
        self._began = clock()

    def read(self, fraction: float | None, words: int) -> str:
        """The pace as text, as "812,345 words/s, 0:01:23 left"; empty before there is one."""
        seconds = self._clock() - self._began
        if seconds <= 0:
            return ""
        pace = f"{(words - self._words) / seconds:,.0f} words/s" if words > self._words else ""
        if fraction is None or not self._fraction < fraction < 1:
            return pace
        left = seconds * (1 - fraction) / (fraction - self._fraction)
        return _joined(pace, f"{timedelta(seconds=round(left))} left")


def _percent(fraction: float | None) -> str:
    return "" if fraction is None else f"{int(100 * fraction)}%"  # 100% is said when all is done, not before


def _joined(*parts: str) -> str:
    return ", ".join(part for part in parts if part)
