"""The static vectors of a comparison's models, marked as soon as all models of a seed are there, and written down.

    know        which of the words a model has a vector for; how much of each set
    grade       what it answered, by the words that all models of its seed know
    neighbours  of the words that are shown, of the first seed

Each is written down with a hash of what it depends on. What fits is not done again, and needs no model: a comparison
survives the loss of its models, on another machine too.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firth import grades, ledger
from firth.errors import FirthError
from firth.files import printable
from firth.grades import Answered, Grades, Questions
from firth.ledger import Records
from firth.variants import RANDOM, Variant
from firth.vectors import Vectors


class Marking:
    """The marks of a comparison."""

    def __init__(
        self,
        folder: Path,
        records: Records,
        variants: Sequence[Variant],
        questions: Sequence[Questions],
        frequent: Sequence[str],
        shown: Sequence[str],
        first_seed: int,
    ) -> None:
        """Of these variants and the random table, on these sets, by these words; neighbours of `shown`."""
        self.folder, self.records = folder, records
        self.seeds_of: dict[str, int | None] = {RANDOM: None}  # of a published model the first; None is every seed
        self.seeds_of |= {variant.name: first_seed if variant.published else None for variant in variants}
        self.questions, self.frequent, self.asked_for = questions, list(frequent), list(shown)
        self.first_seed = first_seed
        self.digest_of_sets = ledger.digest([[one.name, one.kind, list(one.questions)] for one in questions])
        self.digest_of_words = ledger.digest(self.frequent, self.digest_of_sets)

    def of_seed(self, seed: int) -> list[str]:
        """Whose vectors there are of a seed."""
        return [name for name, only in self.seeds_of.items() if only in (None, seed)]

    # --- the work

    def know(self, name: str, seed: int, vectors_of: Callable[[], Vectors]) -> None:
        """Writes down which words a model knows, unless that stands there."""
        if self._known(name, seed) is not None:
            return
        vectors = vectors_of()
        unknown = [rank for rank, word in enumerate(self.frequent) if word not in vectors]
        told = {"digest": self.digest_of_words, "unknown": unknown}
        self.records.add("know", name, seed, "", {"ok": {**told, "coverage": grades.coverage(vectors, self.questions)}})

    def mark(self, seed: int, vectors_of: Callable[[str], Vectors | None]) -> None:
        """Grades the models of a seed, and finds the neighbours; of a model that is gone, what stands there stays."""
        words, names, _ = self._in_common(seed)
        shown = self.shown(words) if seed == self.first_seed else []
        for name in names:
            if name not in self.of_seed(seed):
                continue
            is_graded, is_shown = self._answers(name, seed, words) is not None, not shown
            is_shown = is_shown or self._neighbours(name, words, shown) is not None
            if (is_graded and is_shown) or (vectors := vectors_of(name)) is None:
                continue
            if not is_graded:
                found = grades.answers(vectors, words, self.questions)
                ledger.write_items(
                    ledger.items_path(self.folder, "grade", name, seed),
                    {(*key, layer): items for (key, layer), items in found.items()},
                )
                self.records.add("grade", name, seed, "", {"ok": {"digest": self._digest(words)}})
            if not is_shown:
                told = grades.nearest(vectors, words, shown)
                self.records.add(
                    "neighbours", name, seed, "", {"ok": {"digest": self._digest(words, shown), "neighbours": told}}
                )

    # --- what stands written

    def graded(self, seeds: Sequence[int]) -> Grades:
        """What was found of these seeds."""
        missing: list[str] = []
        answered: list[Answered] = []
        in_common = {seed: self._in_common(seed) for seed in seeds}
        for name in self.seeds_of:
            for seed in seeds:
                words, names, _ = in_common[seed]
                if name not in self.of_seed(seed):
                    continue
                found = self._answers(name, seed, words) if name in names else None
                if found is not None:
                    answered.append(Answered(name, seed, found))
                elif name in names or self._is_out_of_date(name, seed):
                    missing.append(
                        f"{name}, seed {seed}: the model is gone, and its grades are missing, damaged or of other "
                        "sets: it is not scored by words"
                    )
        graded = grades.grade(answered, self.questions, seed=self.first_seed)
        graded.n_words = [len(words) for words, _, _ in in_common.values()]
        missing = [sentence for _, _, left_out in in_common.values() for sentence in left_out] + missing
        graded.coverage = [*self._coverage(seeds)]
        if self.first_seed in in_common:
            missing += self._show(graded, *in_common[self.first_seed][:2])
        graded.missing = [*missing, *graded.missing]
        return graded

    def shown(self, words: Sequence[str]) -> list[str]:
        """The words whose neighbours are shown, of those that all know."""
        known = {*words}
        return [word for word in self.asked_for or grades.chosen_words(self.questions, words) if word in known]

    def _show(self, graded: Grades, words: Sequence[str], names: Sequence[str]) -> Iterator[str]:
        """Adds the neighbours; what is not there is told."""
        known = {*words}
        if absent := [word for word in self.asked_for if word not in known]:
            yield f"not all models know {', '.join(map(printable, absent))}: their neighbours are not shown"
        shown = self.shown(words)
        told = {}
        for name in names if shown else ():
            if (found := self._neighbours(name, words, shown)) is not None:
                told[name] = found
            else:
                yield (
                    f"{name}, seed {self.first_seed}: the model is gone, and other neighbours are asked for than it "
                    "was asked for: they are not shown"
                )
        grades.take_neighbours(graded, told)

    def _in_common(self, seed: int) -> tuple[list[str], list[str], list[str]]:
        """As `grades.in_common`, of the models of a seed and the published ones."""
        known: dict[str, NDArray[np.bool_]] = {}
        for name, only in self.seeds_of.items():
            if (told := self._known(name, seed if only is None else only)) is not None:
                known[name] = np.ones(len(self.frequent), np.bool_)
                known[name][told["unknown"]] = False
        return grades.in_common(known, self.frequent, seed)

    def _known(self, name: str, seed: int) -> dict[str, Any] | None:
        found = self.records.ok("know", name, seed)
        return found if found is not None and found["digest"] == self.digest_of_words else None

    def _is_out_of_date(self, name: str, seed: int) -> bool:
        """Whether vectors were made of a model, and which words they are of is written down of other sets or words."""
        return self.records.ok("matrices", name, seed) is not None and self._known(name, seed) is None

    def _coverage(self, seeds: Sequence[int]) -> Iterator[dict[str, Any]]:
        for name in self.seeds_of:
            found = next((told for seed in seeds if (told := self._known(name, seed)) is not None), None)
            for one in found["coverage"] if found is not None else ():
                yield {"variant": name, **one}

    def _digest(self, words: Sequence[str], shown: Sequence[str] | None = None) -> str:
        return ledger.digest(list(words), self.digest_of_sets if shown is None else list(shown))

    def _answers(self, name: str, seed: int, words: Sequence[str]) -> grades.Answers | None:
        """What a model answered by these words; None where that is not written down."""
        path = ledger.items_path(self.folder, "grade", name, seed)
        found = self.records.ok("grade", name, seed)
        if found is None or found["digest"] != self._digest(words) or not path.is_file():
            return None
        try:
            stored = ledger.read_items(path)
        except FirthError:  # damaged: as good as none
            return None
        answers: dict[Any, NDArray[np.float64]] = {
            (tuple(key), layer): items for (*key, layer), items in stored.items()
        }
        return answers

    def _neighbours(self, name: str, words: Sequence[str], shown: Sequence[str]) -> Sequence[Mapping[str, Any]] | None:
        found = self.records.ok("neighbours", name, self.first_seed)
        is_fit = found is not None and found["digest"] == self._digest(words, shown)
        return found["neighbours"] if found is not None and is_fit else None
