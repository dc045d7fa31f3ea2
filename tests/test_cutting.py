import os
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
from firth.segmentation import Segmentation, Split, UserWord, UserWords

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


def all_have_ended(cutters: Cutters) -> bool:
    return all(worker.process.returncode is not None for worker in cutters._workers) and not any(
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
    @pytest.mark.parametrize("n_killed", [1, 2])
    def test_a_worker_is_killed(self, n_killed: int) -> None:
        def blocks() -> Iterator[str]:
            for number, block in enumerate(BLOCKS):
                if number == 12:
                    for worker in cutters._workers[:n_killed]:
                        worker.process.kill()
                yield block

        with Cutters(CHINESE, LARGE) as cutters:
            wait_until_ready(cutters)
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
                assert worker.process.wait(100) == 0


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="no signal can be sent to a group of processes here")
def test_ctrl_c_in_a_script(tmp_path: Path) -> None:
    """Without `if __name__ == "__main__"`; the terminal sends the signal to the workers too."""
    script = tmp_path / "script.py"
    script.write_text(
        """
import os, signal, sys
from pathlib import Path
from firth import corpus, cutting, tokens

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
try:
    tokens.encode(corpus.read(lines(), block_characters=1000), None, Path(sys.argv[1]) / "encoded")
except KeyboardInterrupt:
    print([worker.process.returncode for worker in seen[0]._workers], os.listdir(sys.argv[1]))
""",
        encoding="utf-8",
    )
    folder = tmp_path / "out"
    folder.mkdir()
    run = subprocess.run(
        [sys.executable, str(script), str(folder)], capture_output=True, text=True, timeout=200, start_new_session=True
    )
    assert (run.stdout, run.stderr) == ("[-9, -9] []\n", "")


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
