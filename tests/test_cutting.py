import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firth import cutting
from firth.cutting import Cutters
from firth.errors import FirthError
from firth.segmentation import Segmentation, Split
from firth.userwords import UserWord, UserWords

CHINESE = Segmentation(method="chinese")
WITH_WORDS = Segmentation(
    method="chinese",
    lower=False,
    unicode_form="NFKC",
    digits="zero",
    inner="'-",
    user_words=UserWords((UserWord("创新办"), UserWord("卡拉OK", 9, "n"), UserWord("北京大学", 0))),
)
LARGE = 1 << 30  # bytes, for which workers start at once
BLOCKS = [
    f"第{number}行：他在创新办唱卡拉OK，Don't re-do it。\n\n我 今天 好 开心\n{'北京大学' * number}𠮷e\u0301"
    for number in range(30)
] + ["", "\n", "no Chinese"]


@pytest.fixture(autouse=True, params=[True, False] if cutting._MAKES_COPIES else [False], ids=["copies", "apart"])
def makes_copies(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has workers be copies of the first one, and started one by one, as on other systems."""
    monkeypatch.setattr(cutting, "_MAKES_COPIES", request.param)


@pytest.fixture(autouse=True)
def processors(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Sets how many processors there seem to be: two, if it is not called."""

    def set_number(number: int) -> None:
        monkeypatch.setattr(cutting, "available_processors", lambda: number)

    set_number(2)
    return set_number


@pytest.fixture
def without_help(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Has this process cut nothing more by itself."""

    def refuse(*_: Any) -> Split:
        raise AssertionError("cut in the parent")

    return lambda: monkeypatch.setattr(Segmentation, "split", refuse)


def shown(split: Split) -> list[Any]:
    return [(part.dtype, part.tolist()) if isinstance(part, np.ndarray) else part for part in split]


def expected(segmentation: Segmentation = CHINESE) -> list[Any]:
    return [shown(segmentation.split(block)) for block in BLOCKS]


def wait_until_ready(cutters: Cutters) -> None:
    assert cutters._served.wait(100)


def process_ids(cutters: Cutters) -> list[int]:
    """Of all workers."""
    first_ids = [process.process.pid for process in cutters._processes]
    if not cutting._MAKES_COPIES:
        return first_ids
    (first_id,) = first_ids
    return [first_id, *map(int, Path(f"/proc/{first_id}/task/{first_id}/children").read_text().split())]


def all_have_ended(cutters: Cutters) -> bool:
    return all(process.process.returncode is not None for process in cutters._processes) and not any(
        thread.is_alive() for thread in cutters._threads
    )


class TestSplits:
    @pytest.mark.parametrize("segmentation", [CHINESE, WITH_WORDS])
    @pytest.mark.parametrize("n_processors", [2, 3])
    def test_workers_cut_as_the_segmentation_does(
        self,
        processors: Callable[[int], None],
        without_help: Callable[[], None],
        segmentation: Segmentation,
        n_processors: int,
    ) -> None:
        processors(n_processors)
        right = expected(segmentation)
        with Cutters(segmentation, LARGE) as cutters:
            assert len(cutters._workers) == n_processors
            wait_until_ready(cutters)
            without_help()
            for _ in range(2):
                assert list(map(shown, cutters.splits(BLOCKS))) == right
        assert all_have_ended(cutters)

    def test_nothing_waits_for_them_to_be_ready(self) -> None:
        with Cutters(CHINESE, LARGE) as cutters:
            assert list(map(shown, cutters.splits(BLOCKS))) == expected()
        assert all_have_ended(cutters)

    @pytest.mark.parametrize(
        ("method", "n_processors", "n_bytes"), [("chinese", 1, LARGE), ("words", 2, LARGE), ("chinese", 2, 9000)]
    )
    def test_there_are_none_where_they_do_not_pay(
        self, processors: Callable[[int], None], method: Any, n_processors: int, n_bytes: int
    ) -> None:
        processors(n_processors)
        segmentation = Segmentation(method=method)
        with Cutters(segmentation, n_bytes) as cutters:
            assert list(map(shown, cutters.splits(BLOCKS[-9:]))) == [
                shown(segmentation.split(block)) for block in BLOCKS[-9:]
            ]
            assert not cutters._workers

    @pytest.mark.parametrize("n_bytes", [None, 9000])
    def test_they_start_when_there_was_more_than_expected(
        self, without_help: Callable[[], None], n_bytes: int | None
    ) -> None:
        def blocks() -> Iterator[str]:
            for number, block in enumerate(BLOCKS):
                assert bool(cutters._workers) == (number > 16)
                if number == 17:
                    wait_until_ready(cutters)
                    without_help()
                yield block

        right = expected()
        with Cutters(CHINESE, n_bytes) as cutters:
            assert list(map(shown, cutters.splits(blocks()))) == right

    def test_only_a_few_blocks_are_asked_for_ahead(self) -> None:
        asked = 0

        def blocks() -> Iterator[str]:
            nonlocal asked
            for block in BLOCKS:
                asked += 1
                yield block

        with Cutters(CHINESE, LARGE) as cutters:
            for number, _ in enumerate(cutters.splits(blocks()), start=1):
                assert asked <= number + 4

    def test_text_that_is_not_valid(self) -> None:
        with Cutters(CHINESE, LARGE) as cutters:
            wait_until_ready(cutters)
            with pytest.raises(FirthError, match="no valid text"):
                list(cutters.splits([*BLOCKS, "a\udcff", *BLOCKS]))
        assert all_have_ended(cutters)


class TestFailures:
    @pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="processes are not killed by a signal here")
    @pytest.mark.parametrize("killed", [slice(0, 1), slice(1, 2), slice(0, 2)], ids=["first", "second", "both"])
    def test_a_worker_is_killed(self, killed: slice) -> None:
        def blocks() -> Iterator[str]:
            for number, block in enumerate(BLOCKS):
                if number == 12:
                    assert len(ids) == 2
                    for process_id in ids[killed]:
                        os.kill(process_id, signal.SIGKILL)
                yield block

        with Cutters(CHINESE, LARGE) as cutters:
            wait_until_ready(cutters)
            ids = process_ids(cutters)
            assert list(map(shown, cutters.splits(blocks()))) == expected()
        assert all_have_ended(cutters)

    @pytest.mark.parametrize("start", ["raise SystemExit", "print('hello ' * 9)", "import time\ntime.sleep(1000)"])
    def test_none_becomes_ready(self, monkeypatch: pytest.MonkeyPatch, start: str) -> None:
        monkeypatch.setattr(cutting, "_START", start)
        monkeypatch.setattr(cutting, "_SECONDS_TO_START", 0)
        with Cutters(CHINESE, LARGE) as cutters:
            assert list(map(shown, cutters.splits(BLOCKS))) == expected()
        assert all_have_ended(cutters)

    @pytest.mark.parametrize("executable", ["", "/nowhere/python"])
    def test_none_can_be_started(self, monkeypatch: pytest.MonkeyPatch, executable: str) -> None:
        monkeypatch.setattr(sys, "executable", executable)
        with Cutters(CHINESE, LARGE) as cutters:
            assert not cutters._workers
            assert list(map(shown, cutters.splits(BLOCKS))) == expected()

    def test_files_in_the_working_directory_are_not_imported(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("json", "signal", "numpy", "firth", "rjieba"):
            (tmp_path / f"{name}.py").write_text("raise SystemExit")
        monkeypatch.chdir(tmp_path)
        with Cutters(CHINESE, LARGE) as cutters:
            wait_until_ready(cutters)

    @pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
    def test_an_error_in_the_source_leaves_no_process(self, error: type[BaseException]) -> None:
        def blocks() -> Iterator[str]:
            yield from BLOCKS
            raise error

        with pytest.raises(error), Cutters(CHINESE, LARGE) as cutters:  # noqa: PT012 - the error must leave the block
            wait_until_ready(cutters)
            list(cutters.splits(blocks()))
        assert all_have_ended(cutters)

    def test_a_worker_ends_with_its_pipe(self) -> None:
        """As when the parent was killed: then the system closes it."""
        with Cutters(CHINESE, LARGE) as cutters:
            wait_until_ready(cutters)
            for worker in cutters._workers:  # one by one: no worker holds another one's pipe open
                worker._texts.close()
                assert worker._splits.read() == b""
            assert [process.process.wait(100) for process in cutters._processes] == [0] * len(cutters._processes)

    def test_copies_that_cannot_be_made(self, monkeypatch: pytest.MonkeyPatch) -> None:
        start = "import os\ndef refuse():\n    raise OSError\nos.fork = refuse\n"
        monkeypatch.setattr(cutting, "_START", start + cutting._START)
        with Cutters(CHINESE, LARGE) as cutters:
            assert list(map(shown, cutters.splits(BLOCKS))) == expected()
            assert len(cutters._workers) == 2
        assert all_have_ended(cutters)

    @pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="processes are not stopped by a signal here")
    def test_what_hangs_is_ended(self) -> None:
        def blocks() -> Iterator[str]:
            yield from BLOCKS[:2]
            for process_id in process_ids(cutters):
                os.kill(process_id, signal.SIGSTOP)
            yield from BLOCKS[2:4]  # wait for ever
            raise RuntimeError

        with pytest.raises(RuntimeError), Cutters(CHINESE, LARGE) as cutters:  # noqa: PT012 - it must leave the block
            wait_until_ready(cutters)
            list(cutters.splits(blocks()))
        assert all_have_ended(cutters)


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="no signal can be sent to a group of processes here")
def test_ctrl_c_in_a_script(tmp_path: Path) -> None:
    """Without `if __name__ == "__main__"`; the terminal sends the signal to the workers too."""
    script = tmp_path / "script.py"
    script.write_text(
        """
import os, signal, sys
from pathlib import Path
from firth import corpus, cutting, tokens

signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell's background takes away

class Seen(cutting.Cutters):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        seen.append(self)

def lines():
    while True:
        yield "今天我好开心" * 20
        if seen and seen[0]._served.is_set() and not pressed:
            pressed.append(True)
            os.killpg(0, signal.SIGINT)

seen, pressed = [], []
tokens.Cutters = Seen
cutting.available_processors = lambda: 2
cutting._MAKES_COPIES = sys.argv[2] == "True"
try:
    tokens.encode(corpus.read(lines(), block_characters=1000), None, Path(sys.argv[1]) / "encoded")
except KeyboardInterrupt:
    print([process.process.returncode for process in seen[0]._processes], os.listdir(sys.argv[1]))
""",
        encoding="utf-8",
    )
    folder = tmp_path / "out"
    folder.mkdir()
    run = subprocess.run(
        [sys.executable, str(script), str(folder), str(cutting._MAKES_COPIES)],
        capture_output=True,
        text=True,
        timeout=200,
        start_new_session=True,
    )
    ended = "-9" if cutting._MAKES_COPIES else "-9, -9"
    assert (run.stdout, run.stderr) == (f"[{ended}] []\n", "")


class TestWork:
    def test_texts_become_splits(self) -> None:
        texts = [BLOCKS[3].encode(), b"", BLOCKS[5].encode()]
        splits = BytesIO()
        asked = b"".join(cutting._LENGTH.pack(len(text)) + text for text in texts)
        cutting.work(CHINESE.settings(), BytesIO(asked), splits)
        answer = splits.getvalue()
        assert answer.startswith(cutting._READY)
        place = len(cutting._READY)
        for text in texts:
            split = CHINESE.split(text.decode())
            lengths = cutting._LENGTHS.unpack_from(answer, place)
            assert lengths == (len(split.starts), len(split.line_ends), len(split.codes), split.n_visible)
            place += cutting._LENGTHS.size
            for array in (split.starts, split.ends, split.line_ends, split.visible_ends, split.codes):
                assert answer[place : place + array.nbytes] == array.tobytes()
                place += array.nbytes
        assert place == len(answer)

    def test_no_texts(self) -> None:
        splits = BytesIO()
        cutting.work(WITH_WORDS.settings(), BytesIO(b"\0\0"), splits)
        assert splits.getvalue() == cutting._READY
