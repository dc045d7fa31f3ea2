"""Work that takes longer than a request should wait: done in the background, asked after until it is there.

Whoever asks for the same work while it is under way, or waits for its turn, shares it. Few pieces are done at a
time, so that a question that is answered at once finds the processor free.
"""

import threading
import traceback
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from firth.explorer.caches import MISSING, Cache
from firth.explorer.faults import BusyError, ToldError
from firth.progress import Advance

PATIENCE_SECONDS: Final = 0.2
"""What a request waits for work before it is told to ask again."""
AT_ONCE: Final = 2
"""Pieces of work that are done at a time."""
MOST_WAITING: Final = 8
"""Pieces of work under way or waiting for their turn."""
MOST_FAILED: Final = 64
"""Pieces of work that failed while nobody waited, whose failures are kept for who asks next."""


class Working(NamedTuple):
    """Work that is not done yet.

    Attributes:
        what: What is being done, as "reading contexts".
        done: How far, from 0 to 1; None where that is not known.
    """

    what: str
    done: float | None


class StoppedError(BaseException):
    """The server ends, and with it the work in the background."""


class Told:
    """A `Progress` that remembers how far the work is, and ends it when it is told to stop."""

    def __init__(self, stopping: threading.Event) -> None:
        """Nothing is done yet."""
        self._stopping = stopping
        self.working = Working("waiting", None)

    def say(self, line: str) -> None:
        """Lines are for a terminal; nobody reads them here."""

    @contextmanager
    def stage(self, name: str, *, fraction: float = 0.0, words: int = 0) -> Iterator[Advance]:
        """A function that advances the stage."""
        self.working = Working(name, fraction)

        def advance(fraction: float | None, words: int, facts: str = "") -> None:
            if self._stopping.is_set():
                raise StoppedError
            self.working = Working(name, fraction)

        yield advance


class Made(NamedTuple):
    """What a piece of work has made, and its size in memory."""

    value: Any
    n_bytes: int


class Background:
    """Pieces of work by their keys, a few at a time; what they made is kept in a cache, whether anyone asks or not."""

    def __init__(self, cache: Cache) -> None:
        """Threads that wait for work, and where results go."""
        self.cache = cache
        self._under_way: dict[Hashable, tuple[Future[Made], Told]] = {}
        self._failed: OrderedDict[Hashable, tuple[BaseException, Told]] = OrderedDict()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._workers = ThreadPoolExecutor(AT_ONCE, "firth-background")

    def ask(self, key: Hashable, make: Callable[[Told], Made], *, patience: float = PATIENCE_SECONDS) -> Any:
        """What `make` makes, or has made; `Working` while it is at it.

        Args:
            key: Equal where the same would be made.
            make: Makes it, and tells how far it is.
            patience: Seconds to wait for it.

        Raises:
            BusyError: MOST_WAITING pieces of work are under way.
            Exception: the one that the work has ended with; whoever asks again, begins it anew.
        """
        with self._lock:
            if (value := self.cache.get(key)) is not MISSING:
                return value
            if key in self._failed:
                raise self._failed.pop(key)[0]
            if key not in self._under_way:
                if len(self._under_way) >= MOST_WAITING:
                    raise BusyError
                told = Told(self._stopping)
                self._under_way[key] = self._workers.submit(self._make, key, make, told), told
            future, told = self._under_way[key]
        if not wait([future], patience).done:
            return told.working
        try:
            return future.result().value
        except BaseException as error:
            with self._lock:
                if key in self._failed and self._failed[key][0] is error:  # it is told now
                    del self._failed[key]
            raise

    def status(self, key: Hashable) -> Working | None:
        """How far a piece of work is, if it is under way, or has failed and nobody was told."""
        with self._lock:
            found = self._under_way.get(key) or self._failed.get(key)
        return found[1].working if found is not None else None

    def close(self) -> None:
        """Ends what is under way at its next step, and drops what waits."""
        self._stopping.set()
        self._workers.shutdown(wait=True, cancel_futures=True)

    def _make(self, key: Hashable, make: Callable[[Told], Made], told: Told) -> Made:
        """Makes it, and keeps what came of it before the future says that it is done."""
        try:
            made = make(told)
            if made.n_bytes > self.cache.most_bytes:  # whoever asks again would begin it anew, for ever
                raise ToldError("fault-large", n=made.n_bytes)
        except BaseException as error:
            traceback.clear_frames(error.__traceback__)  # of arrays
            with self._lock:
                del self._under_way[key]
                self._failed[key] = error, told
                while len(self._failed) > MOST_FAILED:
                    self._failed.popitem(last=False)
            raise
        with self._lock:
            self.cache.put(key, made.value, made.n_bytes)
            del self._under_way[key]
        return made
