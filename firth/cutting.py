"""Blocks of text cut into words by several processes at once: what cuts Chinese lets no other thread run beside it.

A worker is this Python started anew, with a pipe to it and one from it. It is told once, in a line of JSON, where
modules are found and how text becomes words. Then it gets blocks, each a length and UTF-8, and answers with four
lengths and the bytes of a `Split`'s arrays. On Linux it loads what it needs once, and the other workers are copies of
it, which share the dictionary's memory. `multiprocessing` would not do: every worker of it runs the user's script
once more, or is a copy of a process whose threads may hold any lock.
"""

import json
import os
import signal
import struct
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Generator, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from itertools import chain
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import IO, Any, Final, Self

import numpy as np

from firth.segmentation import Segmentation, Split

_BYTES_WORTH_WORKERS: Final = 3_000_000  # below, they are hardly started when all is done
_BLOCKS_WORTH_WORKERS: Final = 16
_MOST_WORKERS: Final = 6  # so many cut as much as one process reads and counts
_BLOCKS_PER_WORKER: Final = 2  # one that is being cut, and one that lies ready
_SECONDS_TO_START: Final = 5.0  # it takes half a second
_LENGTH: Final = struct.Struct("<q")
_LENGTHS: Final = struct.Struct("<qqqq")
_MAKES_COPIES: Final = sys.platform == "linux"  # elsewhere system libraries forbid it, or there is no fork
_READY: Final = b"firth is ready\n"
_START: Final = (  # nothing is imported from where the parent does not
    "import json, signal, sys\n"
    "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"  # Ctrl-C is for the parent to answer
    "told = json.loads(sys.stdin.buffer.readline())\n"
    "sys.path[:] = told['path']\n"
    "from firth.cutting import work\n"
    "work(told['segmentation'], sys.stdin.buffer, sys.stdout.buffer, told['copies'])\n"
)


def available_processors() -> int:
    """The processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Cutters:
    """Cuts blocks, by workers where that is quicker; they end with the `with` block.

    What a worker does not do, because it could not be started or has died, is done in this process.
    """

    def __init__(self, segmentation: Segmentation, n_bytes: int | None) -> None:
        """No worker yet.

        Args:
            segmentation: How text becomes words.
            n_bytes: The size of what will be cut: with a large one, workers start when the `with` block is entered.
                None: not known; then they start when some blocks are done.
        """
        self._segmentation = segmentation
        self._blocks_before_workers = 0 if (n_bytes or 0) >= _BYTES_WORTH_WORKERS else _BLOCKS_WORTH_WORKERS
        self._processes: list[_Process] = []
        self._workers: list[_Worker] = []
        self._threads: list[threading.Thread] = []
        self._waiting: SimpleQueue[_Task | None] = SimpleQueue()
        self._served = threading.Event()  # a worker is ready: it, or its thread, takes what waits
        self._is_closed = False

    def splits(self, blocks: Iterable[str]) -> Generator[Split]:
        """The blocks in their order, cut. They are asked for in the caller's thread, a few ahead."""
        coming: deque[_Task] = deque()
        for number, block in enumerate(blocks):
            if number == self._blocks_before_workers:
                self._start_workers()
            coming.append(_Task(block))
            self._waiting.put(coming[-1])
            if len(coming) > _BLOCKS_PER_WORKER * len(self._workers):
                yield self._awaited(coming.popleft())
        while coming:
            yield self._awaited(coming.popleft())

    def __enter__(self) -> Self:
        """Starts workers for a large text."""
        if self._blocks_before_workers == 0:
            self._start_workers()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends the workers, whatever they are doing."""
        self._is_closed = True
        for process in self._processes:
            process.kill()
        for _ in self._threads:
            self._waiting.put(None)
        for thread in self._threads:
            thread.join()
        for worker in self._workers:
            worker.close()

    def _start_workers(self) -> None:
        """Starts as many as pay, if there are none yet."""
        n_processors = available_processors()
        is_python = bool(sys.executable) and not getattr(sys, "frozen", False)  # else a program that holds one
        if self._workers or self._segmentation.method != "chinese" or n_processors == 1 or not is_python:
            return
        n_workers = min(n_processors, _MOST_WORKERS)
        for n_together in [n_workers] if _MAKES_COPIES else [1] * n_workers:
            try:
                process = _Process(self._segmentation, n_together)
            except OSError:  # no memory, too many processes
                return
            self._processes.append(process)
            for worker in process.workers:
                self._workers.append(worker)
                thread = threading.Thread(target=self._serve, args=(worker,), name="firth-cutting", daemon=True)
                thread.start()
                self._threads.append(thread)

    def _serve(self, worker: "_Worker") -> None:
        """Has a worker cut what waits, or this thread where the worker has died."""
        worker.wait_until_ready()
        self._served.set()
        while (task := self._waiting.get()) is not None and not self._is_closed:
            split = worker.split(task.text)
            if split is not None:
                task.split.set_result(split)
            elif not self._is_closed:
                task.cut(self._segmentation)

    def _awaited(self, task: "_Task") -> Split:
        """What the task comes to. If no worker becomes ready, the work is done here."""
        if self._workers and self._blocks_before_workers == 0:  # else this process has its dictionary already
            self._served.wait(_SECONDS_TO_START)
        while not self._served.is_set() and not task.split.done():
            with suppress(Empty):  # where a worker has become ready just now
                if waiting := self._waiting.get_nowait():
                    waiting.cut(self._segmentation)
        return task.split.result()


def work(
    settings: Mapping[str, Any], texts: IO[bytes], splits: IO[bytes], copies: Sequence[tuple[int, int]] = ()
) -> None:
    """What a worker does until its texts end: the parent has closed the pipe, or is no more.

    Args:
        settings: Of a segmentation.
        texts: From the parent.
        splits: To it.
        copies: Two pipes like these, as file descriptors, for each copy of this process that is to work beside it.
    """
    segmentation = Segmentation.from_settings(settings)
    segmentation.words("\u6211")  # loads tables and dictionary
    _make_copies(texts, splits, copies)
    splits.write(_READY)
    splits.flush()
    while len(length := texts.read(_LENGTH.size)) == _LENGTH.size:
        text = texts.read(*_LENGTH.unpack(length)).decode("utf-8", "surrogatepass")
        split = segmentation.split(text)
        splits.write(_LENGTHS.pack(len(split.starts), len(split.line_ends), len(split.codes), split.n_visible))
        for array in (split.starts, split.ends, split.line_ends, split.visible_ends, split.codes):
            splits.write(np.ascontiguousarray(array).data)
        splits.flush()


def _make_copies(texts: IO[bytes], splits: IO[bytes], copies: Sequence[tuple[int, int]]) -> None:
    """Makes copies of this process; in each, its own pipes take the place of the two given.

    Each closes those of all others: a pipe that ends tells the parent that a worker has died, or a worker that the
    parent has.
    """
    for number, (texts_end, splits_end) in enumerate(copies):
        try:
            is_copy = os.fork() == 0
        except OSError:  # no memory, too many processes: its pipes end
            is_copy = False
        if is_copy:
            os.dup2(texts_end, texts.fileno())
            os.dup2(splits_end, splits.fileno())
            for end in chain.from_iterable(copies[number:]):
                os.close(end)
            return
        os.close(texts_end)
        os.close(splits_end)


class _Task:
    """A block to be cut, and what it comes to."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.split: Future[Split] = Future()

    def cut(self, segmentation: Segmentation) -> None:
        """Cuts it here."""
        try:
            self.split.set_result(segmentation.split(self.text))
        except Exception as error:
            self.split.set_exception(error)


class _Process:
    """A process that runs `work`, and the copies of it."""

    def __init__(self, segmentation: Segmentation, n_workers: int) -> None:
        """Starts it.

        Args:
            segmentation: How text becomes words.
            n_workers: The process and its copies.

        Raises:
            OSError: it cannot be started.
        """
        with ExitStack() as theirs, ExitStack() as ours:
            ends = []
            self.workers: list[_Worker] = []
            for _ in range(n_workers - 1):
                (their_texts, texts), (splits, their_splits) = _pipe(), _pipe()
                for end in (their_texts, their_splits):
                    theirs.enter_context(end)
                for end in (texts, splits):
                    ours.enter_context(end)
                ends.append((their_texts.fileno(), their_splits.fileno()))
                self.workers.append(_Worker(texts, splits))
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-c", _START],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # if it fails, the parent does the work and says what is wrong
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # NumPy would start a thread for each processor
                pass_fds=tuple(chain.from_iterable(ends)),
                process_group=0 if _MAKES_COPIES else None,  # for all of them to be killed at once
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
            ours.pop_all()
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        path = [place for place in sys.path if isinstance(place, str)]
        start = json.dumps({"path": path, "segmentation": segmentation.settings(), "copies": ends})
        self.workers.append(_Worker(self.process.stdin, self.process.stdout, start.encode("ascii") + b"\n"))

    def kill(self) -> None:
        """Ends it and its copies at once; whoever waits for them hears of that."""
        if _MAKES_COPIES and self.process.returncode is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait()


def _pipe() -> tuple[IO[bytes], IO[bytes]]:
    """Its end to read from, and the one to write to."""
    reading, writing = os.pipe()
    return os.fdopen(reading, "rb"), os.fdopen(writing, "wb")


class _Worker:
    """What the parent knows of a process that cuts, or of its copy."""

    def __init__(self, texts: IO[bytes], splits: IO[bytes], start: bytes = b"") -> None:
        """Nothing is sent yet.

        Args:
            texts: To it.
            splits: From it.
            start: The line that it reads first; a copy has read it.
        """
        self._texts = texts
        self._splits = splits
        self._start = start
        self._is_alive = False

    def wait_until_ready(self) -> None:
        """Waits until it can cut, or has died."""
        with suppress(OSError):
            self._texts.write(self._start)
            self._texts.flush()
            self._is_alive = self._splits.read(len(_READY)) == _READY

    def split(self, text: str) -> Split | None:
        """`text` cut; None if the process has died."""
        if not self._is_alive:
            return None
        utf8 = text.encode("utf-8", "surrogatepass")
        try:
            self._texts.write(_LENGTH.pack(len(utf8)))
            self._texts.write(utf8)
            self._texts.flush()
            n_words, n_lines, n_codes, n_visible = _LENGTHS.unpack(self._received(_LENGTHS.size))
            places = np.frombuffer(self._received(8 * (2 * n_words + 2 * n_lines)), np.int64)
            codes = np.frombuffer(self._received(4 * n_codes), np.uint32)
        except (OSError, EOFError, MemoryError):
            self._is_alive = False
            return None
        starts, ends, line_ends, visible_ends = np.split(places, np.cumsum([n_words, n_words, n_lines]))
        return Split(codes, starts, ends, line_ends, visible_ends, n_visible)

    def _received(self, n_bytes: int) -> bytearray:
        received = bytearray(n_bytes)
        if self._splits.readinto(received) < n_bytes:  # type: ignore[attr-defined]
            raise EOFError
        return received

    def close(self) -> None:
        """Lets go of its pipes, which no thread may be using."""
        for pipe in (self._texts, self._splits):
            with suppress(OSError):  # what could not be written any more
                pipe.close()
