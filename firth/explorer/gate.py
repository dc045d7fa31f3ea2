"""How many questions are answered at once: as many as there are cores; the others wait their turn."""

import asyncio
import os
import threading
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, TypeVar

from firth.explorer.faults import BusyError, TooSlowError

Q = TypeVar("Q")
T = TypeVar("T")

MOST_WAITING: Final = 128
"""Questions that wait for their turn."""
MOST_TOGETHER: Final = 32
"""Questions of a kind that are answered by one call."""
SECONDS: Final = 60.0
"""In which an answer is due, its wait included."""


class Gate:
    """Threads that answer questions, and the queue before them."""

    def __init__(
        self, at_once: int | None = None, *, most_waiting: int = MOST_WAITING, seconds: float = SECONDS
    ) -> None:
        """As many threads as cores, or `at_once`."""
        self.at_once = at_once or min(4, os.cpu_count() or 1)
        self._most = self.at_once + most_waiting
        self._seconds = seconds
        self._n = self._n_together = 0
        self._gathering: dict[Hashable, list[tuple[Any, Future[Any]]]] = {}
        self._lock = threading.Lock()
        self._workers = ThreadPoolExecutor(self.at_once, "firth-answer")

    async def run(self, answer: Callable[[], T]) -> T:
        """What `answer` returns, computed by one of the threads.

        Raises:
            BusyError: too many wait already.
            TooSlowError: it takes too long. Its thread goes on to the end, and is not free before.
        """
        with self._lock:
            if self._n >= self._most:
                raise BusyError
            self._n += 1
        future = self._workers.submit(answer)
        future.add_done_callback(self._left)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), self._seconds)
        except TimeoutError:
            raise TooSlowError from None

    async def run_together(self, kind: Hashable, question: Q, answer: Callable[[list[Q]], Sequence[T]]) -> T:
        """The answer to one of several questions of a kind, which are answered together where they wait anyway.

        While all threads are busy, questions of a kind gather; the next free thread answers them in one call.

        Args:
            kind: Equal where one call of `answer` may take them.
            question: The one.
            answer: The answers to several, in their order.

        Raises:
            BusyError: as of `run`.
            TooSlowError: the same.
        """
        with self._lock:
            if self._n_together >= self._most:
                raise BusyError
            gathering = self._gathering.get(kind)
            if gathering is None or len(gathering) >= MOST_TOGETHER:
                gathering = self._gathering[kind] = []
                self._workers.submit(self._answer_together, kind, gathering, answer)
            future: Future[T] = Future()
            gathering.append((question, future))
            self._n_together += 1
        future.add_done_callback(self._left_together)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), self._seconds)
        except TimeoutError:
            raise TooSlowError from None

    def _answer_together(
        self, kind: Hashable, gathering: list[tuple[Any, Future[Any]]], answer: Callable[[list[Any]], Sequence[Any]]
    ) -> None:
        with self._lock:
            if self._gathering.get(kind) is gathering:
                del self._gathering[kind]
        waiting = [(question, future) for question, future in gathering if future.set_running_or_notify_cancel()]
        try:
            found = answer([question for question, _ in waiting]) if waiting else []
        except BaseException as error:
            for _, future in waiting:
                future.set_exception(error)
            return
        for (_, future), one in zip(waiting, found, strict=True):
            future.set_result(one)

    def close(self) -> None:
        """Waits for what is being answered, and drops what waits."""
        self._workers.shutdown(wait=True, cancel_futures=True)

    def _left_together(self, future: Future[Any]) -> None:
        with self._lock:
            self._n_together -= 1

    def _left(self, future: Future[Any]) -> None:
        with self._lock:
            self._n -= 1
