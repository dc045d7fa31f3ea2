"""What took a while to make, kept in memory up to a number of bytes; what was not asked for the longest goes first."""

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Any, Final

MISSING: Final = object()
"""What `Cache.get` returns where nothing is kept under a key: None may be kept."""


class Cache:
    """Values by their keys, of so many bytes in all; safe to share among threads."""

    def __init__(self, most_bytes: int) -> None:
        """An empty cache that never holds more than `most_bytes`, as its callers count them."""
        self.most_bytes = most_bytes
        self.n_bytes = 0
        self._kept: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """How many values are kept."""
        return len(self._kept)

    def get(self, key: Hashable) -> Any:
        """The value under `key`, which counts as used now; MISSING where there is none."""
        with self._lock:
            if key not in self._kept:
                return MISSING
            self._kept.move_to_end(key)
            return self._kept[key][0]

    def put(self, key: Hashable, value: Any, n_bytes: int) -> None:
        """Keeps a value of `n_bytes`, unless it alone is too large; others go to make room."""
        with self._lock:
            if key in self._kept:
                self.n_bytes -= self._kept.pop(key)[1]
            if n_bytes > self.most_bytes:
                return
            self._kept[key] = value, n_bytes
            self.n_bytes += n_bytes
            while self.n_bytes > self.most_bytes:
                _, (_, freed) = self._kept.popitem(last=False)
                self.n_bytes -= freed
