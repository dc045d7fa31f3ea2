import io
import subprocess
import sys
from collections.abc import Callable

import pytest

from firth.progress import Bar, Lines, Progress, Silent, to_stderr


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "120")
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    return Terminal()


SIBLINGS: list[Callable[[], Progress]] = [Silent, lambda: Lines(io.StringIO()), lambda: Bar(Terminal())]


@pytest.mark.parametrize("make", SIBLINGS)
def test_every_progress_takes_the_same_calls(make: Callable[[], Progress]) -> None:
    progress = make()
    progress.say("5 epochs")
    with progress.stage("counting") as advance:
        advance(None, 10)
    with progress.stage("training", fraction=0.5, words=100) as advance:
        advance(0.75, 150, "loss 2.3 nats")
        advance(1.0, 200)


@pytest.mark.parametrize("make", SIBLINGS)
def test_an_error_in_a_stage_passes_through(make: Callable[[], Progress]) -> None:
    with pytest.raises(KeyboardInterrupt), make().stage("training"):
        raise KeyboardInterrupt


def test_lines_come_every_few_seconds_and_at_the_end() -> None:
    stream, clock = io.StringIO(), Clock()
    with Lines(stream, seconds=5, clock=clock).stage("training") as advance:
        for fraction in (0.1, 0.2, 0.3, 0.4):
            clock.now += 2
            advance(fraction, int(10_000 * fraction), "loss 2.5 nats")
    assert stream.getvalue().splitlines() == [
        "training: 30%, 500 words/s, 0:00:14 left, loss 2.5 nats",
        "training: 40%, 500 words/s, 0:00:12 left, loss 2.5 nats",
    ]


def test_the_pace_of_a_resumed_stage_counts_from_where_it_began_again() -> None:
    stream, clock = io.StringIO(), Clock()
    with Lines(stream, clock=clock).stage("training", fraction=0.5, words=1_000_000) as advance:
        clock.now += 10
        advance(0.75, 1_000_500)
    assert stream.getvalue() == "training: 75%, 50 words/s, 0:00:10 left\n"


def test_a_stage_whose_end_is_not_known_has_a_pace_and_no_time_left() -> None:
    stream, clock = io.StringIO(), Clock()
    with Lines(stream, clock=clock).stage("counting") as advance:
        clock.now += 2
        advance(None, 3_000)
    assert stream.getvalue() == "counting: 1,500 words/s\n"


def test_lines_have_no_escapes() -> None:
    stream = io.StringIO()
    Lines(stream).say("unknown word [/b] \x1b[31m")
    assert stream.getvalue() == "unknown word [/b] \\u{1b}[31m\n"


def test_the_bar_shows_stage_percentage_pace_and_facts(terminal: Terminal) -> None:
    clock = Clock()
    with Bar(terminal, clock=clock).stage("training [/b]") as advance:
        clock.now += 10
        advance(0.25, 5_000, "loss [b] 2.5")
    shown = terminal.getvalue()
    assert "training [/b]" in shown
    assert "25%, 500 words/s, 0:00:30 left, loss [b] 2.5" in shown


def test_what_is_said_beside_a_bar_is_neither_markup_nor_an_escape(terminal: Terminal) -> None:
    Bar(terminal).say("[/b] :smile: \x1b[31m")
    assert terminal.getvalue() == "[/b] :smile: \\u{1b}[31m\n"


def test_a_terminal_gets_a_bar_and_a_file_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert isinstance(to_stderr(), Bar)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert isinstance(to_stderr(), Lines)
    monkeypatch.setattr(sys, "stderr", None)
    assert isinstance(to_stderr(), Silent)


def test_rich_is_imported_only_where_a_bar_is_shown() -> None:
    code = "import sys, firth.progress as p; p.to_stderr(); sys.exit('rich' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE, check=False).returncode == 0
