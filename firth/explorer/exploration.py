"""All that the page and the API show: models, a corpus, what was made of them, and the threads that make it."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from firth.errors import FirthError
from firth.explorer import maps, usages
from firth.explorer.answers import MOST_NUMBERS, Answer
from firth.explorer.caches import Cache
from firth.explorer.concordance import Concordance, indexed
from firth.explorer.faults import NotThereError, NotYetError
from firth.explorer.gate import Gate
from firth.explorer.shelf import MOST_OF, Shelf
from firth.explorer.work import Background, StoppedError, Told
from firth.files import printable, without_folders
from firth.preparation import Preparation
from firth.progress import Progress

VECTOR_BYTES: Final = 256 << 20
"""Of vectors of occurrences that are kept in memory."""
ANSWER_BYTES: Final = 128 << 20
"""Of answers and maps that are kept in memory."""
LIMITS: Final = {
    "occurrences": usages.MOST,
    "words": 64,
    "columns": MOST_OF,
    "sentences": 32,
    "characters": 2_000,
    "numbers": MOST_NUMBERS,
    "map": maps.MOST,
}


class Tried(NamedTuple):
    """What a corpus offers to begin with.

    Attributes:
        words: Of two senses.
        models: Names of models that tell them apart, the best first.
    """

    words: tuple[str, ...] = ()
    models: tuple[str, ...] = ()


class Exploration:
    """What is shown.

    Attributes:
        shelf: The models.
        gate: Answers what is answered at once.
        background: Makes what takes longer, and keeps it.
        vectors: Keeps the vectors of occurrences.
        cache_dir: The cache's place; None is the user's own.
    """

    def __init__(
        self, models: Sequence[str | Path], *, at_once: int | None = None, cache_dir: Path | None = None
    ) -> None:
        """The models at some places; a corpus may come later.

        Raises:
            FirthError: there is no model at one of them.
        """
        self.cache_dir = cache_dir
        self.shelf = Shelf(models)
        self.gate = Gate(at_once)
        self.background = Background(Cache(ANSWER_BYTES))
        self.vectors = Cache(VECTOR_BYTES)
        self._corpus_name: str | None = None
        self._tried = Tried()
        self._concordance: Concordance | None = None
        self._fault: str | None = None
        self._stopping = threading.Event()
        self._told = Told(self._stopping)
        self._reader: threading.Thread | None = None

    def read(
        self,
        sources: Any,
        *,
        name: str,
        preparation: Preparation | None = None,
        told: Any = None,
        tried: Tried | None = None,
        cache_dir: Path | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Begins to read a corpus, in a thread of its own; the arguments are those of `concordance.indexed`.

        `tried` is what the page offers to begin with.
        """
        self._corpus_name = name
        self._tried = tried or Tried()

        def work() -> None:
            try:
                self._concordance = indexed(
                    sources, preparation, told=told, name=name, cache_dir=cache_dir, progress=self._told
                )
                self._concordance.by_frequency  # noqa: B018 - made here, so that no question waits for it
                if progress is not None:
                    progress.say(f"the corpus is read: {self._concordance.n_words:,} words")
            except StoppedError:
                return
            except (FirthError, OSError, MemoryError) as error:
                self._fault = without_folders(printable(str(error)))
                if progress is not None:
                    progress.say(f"the corpus cannot be shown: {error}")

        self._reader = threading.Thread(target=work, name="firth-corpus", daemon=True)
        self._reader.start()

    def wait(self) -> None:
        """Waits until the corpus is read."""
        if self._reader is not None:
            self._reader.join()

    def concordance(self) -> Concordance:
        """The index of the corpus.

        Raises:
            NotThereError: there is none.
            NotYetError: it is being read.
        """
        if self._concordance is not None:
            return self._concordance
        if self._fault is not None:
            raise NotThereError("fault-corpus", why=self._fault)
        if self._corpus_name is not None:
            raise NotYetError(*self._told.working)
        raise NotThereError("fault-no-corpus")

    def concordance_or_none(self) -> Concordance | None:
        """The index of the corpus, if there is one by now."""
        return self._concordance

    def corpus(self) -> Answer | None:
        """What the API says of the corpus."""
        if self._corpus_name is None:
            return None
        index = self._concordance
        is_ready = index is not None
        state = "ready" if is_ready else "failed" if self._fault is not None else "working"
        return {
            "name": printable(self._corpus_name),
            "state": state,
            "done": 1.0 if is_ready else self._told.working.done,
            "n_words": index.n_words if index else 0,
            "n_types": index.n_types if index else 0,
            "n_lines": index.n_lines if index else 0,
            "n_documents": index.n_documents if index else 0,
            "columns": list(index.columns) if index else [],
            "tried": {"words": list(self._tried.words), "models": list(self._tried.models)},
            "error": self._fault,
        }

    def models(self) -> Answer:
        """What is shown, as the API says it."""
        from importlib.metadata import version

        return {
            "version": version("firth"),
            "models": [model.settings() for model in self.shelf.fresh()],
            "corpus": self.corpus(),
            "limits": dict(LIMITS),
            "umap": maps.has_umap(),
        }

    def kept(self, key: Any, make: Callable[[], Any], size: Callable[[Any], int]) -> Any:
        """What `make` makes, kept with the answers."""
        from firth.explorer.caches import MISSING

        cache = self.background.cache
        found = cache.get(key)
        if found is MISSING:
            found = make()
            cache.put(key, found, size(found))
        return found

    def close(self) -> None:
        """Ends all that is under way."""
        self._stopping.set()
        self.background.close()
        self.gate.close()
        if self._reader is not None:
            self._reader.join(5)
        if self._concordance is not None:
            self._concordance.close()
