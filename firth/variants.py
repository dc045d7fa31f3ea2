"""What `firth compare` trains: families and variants of them, as `skipgram:window=10`, `bert:preset=tiny`.

A name is one of the families, and behind a colon what differs from it: hyperparameters by their names, `preset`, which
is a size, and `recipe`. Of ELMo, GPT and BERT without a size the largest is trained that the budget suffices for, by
the rule of `firth.sizes`; of the others 100 dimensions, unless told.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Final, get_args, get_origin, get_type_hints

import numpy as np

from firth.errors import UsageError
from firth.families.family import settings
from firth.files import printable
from firth.model import CONTEXTUAL, FAMILIES

RANDOM: Final = "random"
"""The variant that every comparison has: vectors drawn from a uniform distribution."""
PRESETS: Final = ("tiny", "mini", "small", "medium", "original", "base")
_SIZE: Final = frozenset(
    {"dim", "n_layers", "n_heads", "inner_dim", "cell_dim", "character_dim", "filters", "n_highway"}
)
_TRUTHS: Final = {"true": True, "false": False}
_PART: Final = re.compile(r"[:,]")

TRIED: Final[Mapping[str, Mapping[str, tuple[float, ...]]]] = {
    "skipgram": {"learning_rate": (0.5, 1, 2), "window": (0.4, 1, 2), "negatives": (1, 2)},
    "cbow": {"learning_rate": (0.5, 1, 2), "window": (0.4, 1, 2), "negatives": (1, 2)},
    "glove": {"learning_rate": (0.5, 1, 2), "window": (0.5, 1), "x_max": (0.1, 1)},
    "elmo": {"highest_rate": (0.5, 1, 2), "batch_size": (0.5, 1, 2)},
    "gpt": {"highest_rate": (0.5, 1, 2), "batch_size": (0.5, 1, 2)},
    "bert": {"highest_rate": (0.5, 1, 2), "batch_size": (0.5, 1, 2)},
}
"""What `--trials` changes: multiples of each family's own settings, the same number of draws for every variant."""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One of the things that are compared.

    Attributes:
        name: What the report calls it: as it was asked for.
        sizes: The family's value; of ELMo, GPT and BERT several, from small to large, where the budget decides. Empty
            of published models.
        published: Where a published model lies; None of what is trained here.
    """

    name: str
    sizes: tuple[Any, ...] = ()
    published: str | None = None

    @property
    def family(self) -> str | None:
        """The name of its family; None where that is told by its files."""
        return self.sizes[0].name if self.sizes else None

    @property
    def is_contextual(self) -> bool:
        """Whether it is one of the families that PyTorch trains."""
        return self.family in CONTEXTUAL

    @property
    def preset(self) -> str | None:
        """The size that was asked for; None where the budget decides, or where there is none."""
        if len(self.sizes) != 1:
            return None
        family = self.sizes[0]
        for name in PRESETS:
            preset = getattr(type(family), name, None)
            if preset is not None and all(_of(preset(), field) == _of(family, field) for field in _SIZE):
                return name
        return None

    @property
    def folder(self) -> str:
        """The name made safe for files; others than letters, digits, dots and signs are left out."""
        return re.sub(r"[^\w.=+-]+", "_", self.name.replace(":", "_"))[:80]

    def settings(self) -> dict[str, Any]:
        """The variant as JSON."""
        told: dict[str, Any] = {"name": self.name, "published": self.published}
        return told | {"sizes": [settings(size) for size in self.sizes]}


def _of(family: Any, field: str) -> Any:
    return getattr(family, field, None)


def read(asked: str) -> Variant:
    """The variant that a name asks for.

    >>> read("skipgram:window=10").sizes[0].window
    10

    Raises:
        UsageError: no such family, hyperparameter or preset, or a value that is none.
    """
    name, *parts = (part.strip() for part in _PART.split(asked.strip()))
    given: dict[str, Any] = {}
    for part in parts:
        key, sign, value = part.partition("=")
        if not sign:
            raise UsageError(
                f"{printable(asked)}: {printable(part)!r} stands where a setting is due, as skipgram:window=10"
            )
        given[key.strip().replace("-", "_")] = value.strip()
    return of_settings(asked.strip(), name, given)


def of_settings(name: str, family: str, given: Mapping[str, Any]) -> Variant:
    """The variant of a family with these settings, whose values may be text.

    Raises:
        UsageError: as of `read`.
    """
    if family not in FAMILIES:
        raise UsageError(
            f"{printable(name)}: no family is called {printable(family)!r}; there are {', '.join(FAMILIES)}"
        )
    cls: Any = FAMILIES[family]
    asked = dict(given)
    value = cls()
    for kind in ("recipe", "preset"):  # a preset is the size, and wins over the size that a recipe comes with
        variant = asked.pop(kind, None)
        if variant in (None, "fast"):
            continue
        there = PRESETS if kind == "preset" else ("paper",)
        if variant not in there or not hasattr(cls, str(variant)):
            has = ", ".join(preset for preset in there if hasattr(cls, preset))
            raise UsageError(
                f"{printable(name)}: no {kind} of {family} is called {printable(str(variant))!r}; there are {has}"
            )
        made = getattr(cls, str(variant))()
        if kind == "preset" and given.get("recipe") == "paper":
            made = replace(value, **{field: getattr(made, field) for field in _SIZE if hasattr(made, field)})
        value = made
    known = {field.name for field in fields(cls)}
    if unknown := [key for key in asked if key not in known]:
        raise UsageError(
            f"{printable(name)}: {family} has no setting {', '.join(map(printable, unknown))}; there are "
            f"{', '.join(sorted(known))}, preset, recipe"
        )
    changed = {key: _typed(name, cls, key, text) for key, text in asked.items()}
    is_sized = "preset" in given or given.get("recipe") == "paper" or bool(_SIZE & changed.keys())
    sizes = [value]
    if family in CONTEXTUAL and not is_sized:
        sizes = [getattr(cls, preset)() for preset in PRESETS if hasattr(cls, preset)]
    try:
        return Variant(name=name, sizes=tuple(replace(size, **changed) for size in sizes))
    except UsageError as error:  # a family tells of its settings, and knows nothing of variants
        raise UsageError(f"{printable(name)}: {error}") from None


def _typed(name: str, cls: type, key: str, value: Any) -> Any:
    """A value of the type that a field has."""
    if not isinstance(value, str):
        return tuple(map(tuple, value)) if isinstance(value, list) else value
    hint = get_type_hints(cls)[key]
    kinds = get_args(hint) if get_origin(hint) is not None else (hint,)
    if type(None) in kinds and value.lower() in ("none", ""):
        return None
    for kind, made in ((bool, _TRUTHS.__getitem__), (int, int), (float, float)):
        if kind in kinds:
            try:
                return made(value.lower())
            except (KeyError, ValueError):
                continue
    if str in kinds or all(isinstance(kind, str) for kind in kinds) or any(get_args(kind) for kind in kinds):
        return value
    raise UsageError(f"{printable(name)}: {key} is {printable(value)!r}, which is no {' or '.join(map(_said, kinds))}")


def _said(kind: Any) -> str:
    return {int: "whole number", float: "number", bool: "true or false"}.get(kind, str(kind))


def read_all(asked: Sequence[str], published: Sequence[str] = ()) -> list[Variant]:
    """The variants that names ask for, in their order, and published models behind them.

    A comma parts families, and also the settings of one: `skipgram:window=10,dim=50,bert` are two variants.

    Raises:
        UsageError: as of `read`; none, or one of them twice.
    """
    names: list[str] = []
    for part in (part.strip() for given in asked for part in given.split(",") if part.strip()):
        if names and "=" in part and ":" not in part:
            names[-1] += f",{part}"
        else:
            names.append(part)
    found = [read(name) for name in names]
    found += [Variant(name=_published_name(path), published=path) for path in published]
    check_different(found)
    return found


def of_toml(settings: Sequence[Mapping[str, Any]]) -> list[Variant]:
    """The variants of a TOML file's tables `[[variant]]`: family, name, and settings by their names.

    Raises:
        UsageError: as of `read`.
    """
    found = []
    for number, table in enumerate(settings, start=1):
        if not isinstance(table, Mapping) or not isinstance(table.get("family"), str):
            raise UsageError(f'variant {number} of the file names no family, as family = "skipgram"')
        given = {key.replace("-", "_"): value for key, value in table.items() if key not in ("family", "name")}
        parts = ",".join(f"{key}={value}" for key, value in given.items())
        name = str(table.get("name") or f"{table['family']}{':' if parts else ''}{parts}")
        found.append(of_settings(name, table["family"], given))
    check_different(found)
    return found


def _published_name(path: str) -> str:
    return path if path.startswith("hf:") else Path(path).name or path


def check_different(found: Sequence[Variant]) -> None:
    """Raises UsageError where two variants have one name, or one has that of the random table."""
    names = [variant.folder for variant in found]
    twice = sorted({variant.name for variant in found if names.count(variant.folder) > 1})
    if twice:
        raise UsageError(f"{', '.join(map(printable, twice))}: each variant needs a name of its own")
    if any(variant.name == RANDOM for variant in found):
        raise UsageError(f"{RANDOM} is in every comparison, and needs no naming")


def trials(variant: Variant, number: int, seed: int) -> list[dict[str, float]]:
    """So many settings of a variant, as multiples of its own: these first, then others drawn from `TRIED` by the seed.

    Args:
        variant: Its name is part of what is drawn from, so that two variants of a family draw different ones.
        number: Of settings; fewer where there are not so many different ones.
        seed: The comparison's.
    """
    space = TRIED[str(variant.family)]
    rng = np.random.default_rng([seed, *variant.name.encode()])
    n_all = math.prod(len({*choices, 1}) for choices in space.values())
    drawn = [dict.fromkeys(space, 1.0)]
    while len(drawn) < min(number, n_all):
        factors = {name: float(rng.choice([*dict.fromkeys([*choices, 1])])) for name, choices in space.items()}
        if factors not in drawn:
            drawn.append(factors)
    return drawn


def changed(family: Any, factors: Mapping[str, float]) -> Any:
    """A family with some of its settings multiplied; `highest_rate` is its learning rate, whatever sets it."""
    given: dict[str, Any] = {}
    for name, factor in factors.items():
        if factor == 1:
            continue
        field = "learning_rate" if name == "highest_rate" else name
        number = getattr(family, name) * factor
        given[field] = max(1, round(number)) if isinstance(asdict(family)[field], int) else float(number)
    return replace(family, **given)
