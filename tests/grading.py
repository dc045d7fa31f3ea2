"""Models that are graded in memory, as a comparison has them graded piece by piece."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from firth import grades
from firth.grades import Answered, Grades, Questions
from firth.vectors import Vectors


class Candidate(NamedTuple):
    """A model: its variant's name, its seed, its static vectors."""

    variant: str
    seed: int
    vectors: Vectors


def graded(
    candidates: Sequence[Candidate],
    sets: Sequence[Questions],
    frequent: Sequence[str],
    *,
    shown: Sequence[str] = (),
    n_samples: int = 200,
) -> Grades:
    """What is found of candidates."""
    answered, missing, n_words = [], [], []
    told: dict[str, list[dict[str, Any]]] = {}
    for seed in dict.fromkeys(one.seed for one in candidates):
        of_seed = {one.variant: one.vectors for one in candidates if one.seed == seed}
        known = {name: np.array([word in vectors for word in frequent]) for name, vectors in of_seed.items()}
        words, names, left_out = grades.in_common(known, frequent, seed)
        answered += [Answered(name, seed, grades.answers(of_seed[name], words, sets)) for name in names]
        told |= {name: grades.nearest(of_seed[name], words, shown) for name in names if name not in told}
        missing += left_out
        n_words.append(len(words))
    found = grades.grade(answered, sets, n_samples=n_samples)
    grades.take_neighbours(found, told)
    found.missing = missing + found.missing
    found.n_words = n_words
    return found
