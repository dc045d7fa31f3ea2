"""What a comparison is going to do: which models, how large, for how long, with how much of the disk.

The plan is written down before anything is trained; a comparison that is gone on with must have the same.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, cast

from firth import corpus as corpora
from firth.errors import FirthError, UsageError
from firth.files import json_object, printable, replacing, without_folders
from firth.preparation import Preparation
from firth.sizes import block_weights
from firth.variants import Variant

Counts = Literal["training", "all"]
PLAN: Final = "plan.json"
TRIAL_SHARE: Final = 0.25
"""Of the budget, that each of several settings is tried with."""
MATRICES_SHARE: Final = 0.1
"""Of a budget of time, that making a network's static vectors may take beside it."""
OVERHEAD_SECONDS: Final = 25.0
"""Of a run beside its training: starting a process, loading the compiler, measuring. About, on two cores."""
TASK_MINUTES: Final[Mapping[bool, float]] = {False: 1.0, True: 4.0}
"""About, of a static model and of a network (True): probes, a head on features, and fine-tuning, on 2,000 examples."""
JUDGED_MINUTES: Final = 2.0
"""An estimate, of a network's run and a set of words in sentences: contexts are looked for in the whole text."""
SCORED_WORDS: Final = 20_000
"""The most frequent words of the training text, which all models are scored by; with those that the sets ask for."""
_BYTES_OF_NETWORK: Final = 60 << 20
"""About, of ELMo, GPT or BERT of the size `mini` and its checkpoint: what ten minutes on two cores suffice for."""
_MATRICES_OF_NETWORK: Final = 5
_ENTRIES_OF_NETWORK: Final = 10_000
_DIM_OF_NETWORK: Final = 256


@dataclass(frozen=True, kw_only=True)
class Task:
    """A use that vectors are put to.

    Attributes:
        task: `classify`, `pair` or `tag`.
        train: A file of examples.
        dev: The same, by which the best epoch is chosen.
        test: The same, which is scored.
    """

    task: Literal["classify", "pair", "tag"]
    train: str
    dev: str
    test: str

    @property
    def name(self) -> str:
        """What the report calls it: the folder that its training examples lie in."""
        path = Path(self.train)
        return path.absolute().parent.name or path.stem

    @classmethod
    def read(cls, asked: str) -> "Task":
        """The task that `classify=train.tsv,dev.tsv,test.tsv` asks for.

        Raises:
            UsageError: it is none of the three, or there are not three files.
        """
        kind, sign, files = asked.partition("=")
        names = [name.strip() for name in files.split(",") if name.strip()]
        if kind not in ("classify", "pair", "tag") or not sign or len(names) != 3:
            raise UsageError(
                f"task {printable(asked)!r}: a kind and three files are due, as classify=train.tsv,dev.tsv,test.tsv; "
                "there are classify, pair and tag"
            )
        for name in names:
            if not Path(name).is_file():
                raise UsageError(f"task {kind}: there is no file {printable(name)}")
        return cls(task=cast(Literal["classify", "pair", "tag"], kind), train=names[0], dev=names[1], test=names[2])


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is compared, and how.

    Attributes:
        variants: What is trained or joins, in order.
        minutes: The budget of each training; None where words are given.
        words: The same in words seen.
        counts: Whether preparing (tokenisers, counting, compiling) is part of a budget of minutes.
        seeds: Of the trainings.
        trials: Settings that each variant is tried with.
        top: The most frequent words, that all models are scored by.
        sets: Names of evaluation sets, by kind.
        tasks: Uses.
        n_words: Of the training text.
        n_bytes: Of the whole text.
        inputs: What else the result comes from: the corpus, as `identity` has it, hashes of files, other settings.
    """

    variants: tuple[Variant, ...]
    minutes: float | None
    words: float | None
    counts: Counts
    seeds: tuple[int, ...]
    trials: int
    top: int
    sets: Mapping[str, Sequence[str]]
    tasks: tuple[Task, ...]
    n_words: int
    n_bytes: int
    inputs: Mapping[str, Any] = field(default_factory=dict)

    def settings(self) -> dict[str, Any]:
        """What decides on the result, as JSON; folders are left out, so that a report can be moved."""
        told = asdict(self)
        told["variants"] = [variant.settings() for variant in self.variants]
        told["tasks"] = [{**asdict(task), "name": task.name} for task in self.tasks]
        return dict(without_folders(json.loads(json.dumps(told))))

    @property
    def minutes_in_all(self) -> float | None:
        """About how long it takes; None of a budget of words, whose speed nobody knows before."""
        if self.minutes is None:
            return None
        total = 0.0
        n_judged = sum(len(names) for kind, names in self.sets.items() if kind in ("scws", "wic"))
        for variant in self.variants:
            of_run = 0.0 if variant.published else self.minutes
            if variant.is_contextual or variant.published:
                of_run += self.minutes * MATRICES_SHARE + n_judged * JUDGED_MINUTES
            total += len(self.seeds if not variant.published else self.seeds[:1]) * (of_run + OVERHEAD_SECONDS / 60)
            if self.trials > 1 and not variant.published:
                total += self.trials * (TRIAL_SHARE * self.minutes + OVERHEAD_SECONDS / 60)
            total += len(self.tasks) * TASK_MINUTES[variant.is_contextual or variant.published is not None]
        return total

    @property
    def bytes_in_all(self) -> int:
        """About how much of the disk it takes, texts that are encoded in the cache with it."""
        total = 3 * self.n_bytes + 12 * self.n_words  # two copies and the whole meanwhile; ids of words and of pieces
        n_types = min(10 * self.n_words**0.6, self.n_words)  # Heaps' law, about
        scored = int(min(self.top, n_types))
        for variant in self.variants:
            for _ in self.seeds if not variant.published else self.seeds[:1]:
                if variant.is_contextual or variant.published:
                    total += _bytes_of_network(variant, scored)
                else:
                    total += int(8 * n_types * variant.sizes[0].dim)
                    total += 4 * (variant.sizes[0].buckets * variant.sizes[0].dim) if _has_ngrams(variant) else 0
        return int(total)

    def rows(self) -> list[dict[str, str | int | float]]:
        """The plan as a table: a row for each variant."""
        budget = f"{self.minutes:g} min" if self.minutes is not None else f"{self.words:,.0f} words"
        found: list[dict[str, str | int | float]] = []
        for variant in self.variants:
            size = variant.preset or ("" if len(variant.sizes) < 2 else "by the budget")
            if variant.sizes and len(variant.sizes) == 1 and not size:
                size = f"{variant.sizes[0].dim} dimensions"
            found.append(
                {
                    "variant": variant.name,
                    "family": variant.family or "published",
                    "size": size,
                    "budget": "" if variant.published else budget,
                    "seeds": len(self.seeds) if not variant.published else 1,
                    "trials": self.trials if not variant.published else 1,
                }
            )
        return found


def _bytes_of_network(variant: Variant, scored: int) -> int:
    """About, of the model, its checkpoint (weights and two moments) and its matrices of so many words."""
    if len(variant.sizes) != 1:
        return _BYTES_OF_NETWORK + 4 * scored * _DIM_OF_NETWORK * _MATRICES_OF_NETWORK
    family = variant.sizes[0]
    n_weights = block_weights(family) + family.dim * getattr(family, "vocabulary_size", _ENTRIES_OF_NETWORK)
    return int(4 * n_weights * (1 + 3) + 4 * scored * family.dim * (family.n_layers + 1))


def _has_ngrams(variant: Variant) -> bool:
    return getattr(variant.sizes[0], "subwords", None) is not None


def check_disk(plan: Plan, folder: Path) -> None:
    """Raises FirthError where the disk has no room for a comparison."""
    free = shutil.disk_usage(folder).free
    if free < plan.bytes_in_all:
        raise FirthError(
            f"{printable(str(folder))} has {free / 1e6:,.0f} MB free, and the comparison takes about "
            f"{plan.bytes_in_all / 1e6:,.0f} MB; make room, or compare fewer families or seeds"
        )


def begin(plan: Plan, folder: Path, *, resume: bool) -> None:
    """Writes the plan down; of a comparison that is gone on with, makes sure that it is the same.

    Raises:
        UsageError: it is another one.
    """
    told = plan.settings()
    path = folder / PLAN
    if resume and path.is_file():
        there = json_object(path)
        differing = _differing(told, there)
        if "inputs" in differing and isinstance(there.get("inputs"), dict):
            differing.remove("inputs")
            differing += _differing(told["inputs"], there["inputs"])
        if differing:
            raise UsageError(
                f"{printable(str(folder))} was begun with other settings ({', '.join(differing)}); go on with the "
                "same, or choose another place"
            )
        return
    with replacing(path) as file:
        json.dump(told, file, ensure_ascii=False, indent=1)
        file.write("\n")


def _differing(told: Mapping[str, Any], there: Mapping[str, Any]) -> list[str]:
    return [name for name in sorted(told.keys() | there.keys()) if told.get(name) != there.get(name)]


def identity(corpus: Any, preparation: Preparation) -> Any:
    """What tells one corpus from another without reading it: of files, names and sizes; of a list, a hash.

    None of standard input and of what can be read only once.
    """
    is_held = isinstance(corpus, list | tuple)
    if isinstance(corpus, str | os.PathLike) or (is_held and corpus and isinstance(corpus[0], os.PathLike)):
        files = corpora.read(corpus, preparation).identity()
        return None if files is None else [[Path(file[0]).name, file[1]] for file in files]
    if not is_held:
        return None
    found = hashlib.blake2b(digest_size=16)
    for line in corpus:
        found.update(repr(line).encode())
    return found.hexdigest()


def digest(path: str | os.PathLike[str]) -> str:
    """A hash of a file, or of the files in a folder with their names."""
    place = Path(path)
    found = hashlib.blake2b(digest_size=16)
    for file in sorted(one for one in place.rglob("*") if one.is_file()) if place.is_dir() else [place]:
        found.update(file.name.encode())
        with file.open("rb") as opened:
            while data := opened.read(1 << 20):
                found.update(data)
    return found.hexdigest()
