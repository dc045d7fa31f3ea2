"""What the commands' flags are, and what fills those that were not given: a TOML file, a preset, a recipe."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from cyclopts import App, ArgumentCollection, CoercionError, Parameter, Token, UnknownOptionError
from cyclopts.config import Dict
from cyclopts.validators import Number

from firth.errors import UsageError
from firth.preparation import Preparation

if TYPE_CHECKING:
    from firth.progress import Progress

FAMILIES = {
    "skipgram": "Train Skip-gram: a word predicts its neighbours.",
    "cbow": "Train CBOW: the mean of the neighbours predicts the word.",
    "glove": "Train GloVe: two words' vectors predict how often the words stand near each other.",
    "elmo": "Train ELMo: words, read letter by letter, predict the next one and the one before.",
    "gpt": "Train GPT: each piece of a word predicts the next.",
    "bert": "Train BERT: hidden pieces of words are predicted from both sides.",
}
"""The families by their names on the command line, and what the help says of them."""

Preset = Literal["tiny", "mini", "small", "medium", "base", "original"]
Recipe = Literal["fast", "paper"]
VARIANTS = {"preset": get_args(Preset), "recipe": get_args(Recipe)}
"""Names of a family's methods that give a variant of it; `fast` is the family as it is.

In this order: a preset is the size, and wins over the size that a recipe comes with.
"""

BUDGETS = ("epochs", "tokens", "minutes")
SIZE = frozenset(
    name
    for field in ("dim", "n_layers", "n_heads", "inner_dim", "cell_dim", "character_dim", "filters", "n_highway")
    for name in (field, field.replace("_", "-"))
)
"""Where none of these is given, and no preset, the size of a contextual family follows from the budget."""


def _names(_: object, tokens: Sequence[Token]) -> list[str]:
    """What stands between the commas of flags; the items of a file's list stay as they are."""
    parted = (token.value.split(",") if token.source == "cli" else [token.value] for token in tokens)
    return [name.strip() for names in parted for name in names if name.strip()]


def _files(hint: object, tokens: Sequence[Token]) -> list[Path]:
    return [Path(name) for name in _names(hint, tokens)]


Flag = Annotated[bool, Parameter(negative=(), show_default=False)]
AsJson = Annotated[bool, Parameter(name="--json", negative=(), show_default=False)]
Layer = int | Literal["all"] | None
Count = Annotated[int, Parameter(name="-n", validator=Number(gte=1))]
Corpus = Annotated[Path, Parameter(allow_leading_hyphen=True)]
Files = Annotated[Sequence[Path], Parameter(negative=(), converter=_files, n_tokens=1)]
Names = Annotated[Sequence[str], Parameter(negative=(), converter=_names, n_tokens=1)]
MaybeNames = Annotated[Sequence[str] | None, Parameter(negative=(), converter=_names, n_tokens=1)]

PREPARATION = Preparation()
Prepared = Annotated[Preparation, Parameter(name="*", group="Preparation of the text", negative_iterable=())]


def refuse_unknown_options(app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Raises UnknownOptionError for an option among the files, where `-` is let through."""
    for token in arguments.get("CORPUS").tokens:
        if token.value.startswith("-") and token.value != "-":
            raise UnknownOptionError(token=token, argument_collection=arguments)


def fill(app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Fills what no flag has set: from the TOML file of --config, then from --preset and --recipe.

    Cyclopts calls this when the flags stand; a source leaves alone what one before it has set.
    """
    flags = {argument.name.removeprefix("--"): argument.tokens[-1].value for argument in arguments if argument.tokens}
    settings: dict[str, Any] = {}
    if "config" in flags:
        settings = read_toml(Path(flags["config"]))
        if any(budget in flags for budget in BUDGETS):  # a budget by flag replaces another one of the file
            settings = {key: value for key, value in settings.items() if key not in BUDGETS}
        Dict(settings, source=flags["config"], use_commands_as_keys=False)(app, commands, arguments)
    if SIZE & (flags.keys() | settings.keys()) and not {"preset"} & (flags.keys() | settings.keys()):
        _fill_size(app, commands, arguments)
    for kind in VARIANTS:
        name = flags.get(kind, settings.get(kind))
        if name is not None:
            variant = variant_of(family_called(commands[-1]), kind, str(name))
            Dict(_flat(variant), source=f"--{kind}", use_commands_as_keys=False)(app, commands, arguments)


def python_name(flag: str) -> str:
    """What a flag is called in Python."""
    return flag.removeprefix("--").replace("-", "_")


def _fill_size(app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Names the preset that the defaults are of, so that no other size is chosen where a part of it was given."""
    from firth.model import CONTEXTUAL

    if commands[-1] in CONTEXTUAL:
        largest = preset_names(family_called(commands[-1]))[-1]
        Dict({"preset": largest}, source="the size", use_commands_as_keys=False)(app, commands, arguments)


def refuse_fractions(app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Raises CoercionError where a whole number is due; cyclopts would round without a word."""
    for argument in arguments:
        for token in argument.tokens:
            if int in (argument.hint, *get_args(argument.hint)) and "." in token.value:
                raise CoercionError(token=token, argument=argument, target_type=int)


def read_toml(path: Path) -> dict[str, Any]:
    """The settings of a TOML file, each a plain value."""
    import tomllib

    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"--config {path} cannot be read: {error}") from error
    for name in ("keep", "drop"):
        if isinstance(settings.get(name), list):
            settings[name] = ",".join(map(str, settings[name]))
    for name, value in settings.items():
        if isinstance(value, list) and not (value and all(isinstance(pair, list) for pair in value)):
            raise UsageError(f"--config {path}: {name} is a list, where one value is due")
    return _flat(settings)


def family_called(name: str) -> Any:
    """The class of the family that the command line calls `name`."""
    from firth.model import FAMILIES

    return FAMILIES[name]


def preset_names(family: Any) -> list[str]:
    """The presets that a family has, from small to large."""
    return [name for name in VARIANTS["preset"] if hasattr(family, name)]


def variant_of(family: Any, kind: str, name: str) -> dict[str, Any]:
    """The fields that a variant of a family, as `Skipgram.paper()`, decides.

    A recipe decides those in which it differs from the defaults; a preset the size, which is what differs among the
    presets, so that `small` asks for its size although the defaults are of the same.
    """
    if name not in VARIANTS[kind] or name == "fast":
        return {}  # a name that is no choice at all is refused by cyclopts, later
    if not hasattr(family, name):
        raise UsageError(f"--{kind} {name} asked of {family.__name__}, which has none of that name")
    variant = asdict(getattr(family, name)())
    presets = [asdict(getattr(family, preset)()) for preset in VARIANTS["preset"] if hasattr(family, preset)]
    others = presets if kind == "preset" else [asdict(family())]
    return {field: value for field, value in variant.items() if any(value != other[field] for other in others)}


def _flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings as a flag has them: pairs one behind the other."""
    pairs = {name: value for name, value in settings.items() if isinstance(value, list | tuple)}
    return {**settings, **{name: [x for pair in value for x in pair] for name, value in pairs.items()}}


def check_given(corpus: Sequence[Path]) -> None:
    """Raises UsageError where no corpus was named."""
    if not corpus:
        raise UsageError("no corpus was given: name files, or - for standard input")


def progress_of(quiet: bool) -> "Progress":
    """What shows how far the work is."""
    from firth.progress import Silent, to_stderr

    return Silent() if quiet else to_stderr()


def with_lists(preparation: Preparation) -> Preparation:
    """`preparation` with the columns to keep parted at their commas."""
    names = (name.strip() for part in preparation.keep for name in part.split(","))
    return replace(preparation, keep=tuple(name for name in names if name))
