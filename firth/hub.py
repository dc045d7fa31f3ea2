"""Models on the Hugging Face Hub: fetched by name, and sent there.

Only a name with `hf:` in front touches the network: `hf:org/name`, or `hf:org/name@revision`. huggingface_hub does the
work, and keeps what it fetches in its cache; so HF_ENDPOINT (a mirror), HF_TOKEN, HF_HOME and HF_HUB_OFFLINE mean what
they mean everywhere. Nothing but files of the names below goes either way: no pickle, no program, no context vectors,
caches or logs.
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fnmatch import fnmatchcase
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, NamedTuple

from firth.errors import FirthError, UsageError
from firth.files import printable

PREFIX: Final = "hf:"

FILES_OF_MODELS: Final = (
    "firth.json",
    *("vectors.safetensors", "vocabulary.tsv"),
    *("matrices/firth.json", "matrices/vectors.safetensors", "matrices/vocabulary.tsv"),
    *("config.json", "model.safetensors", "model.safetensors.index.json", "model-*-of-*.safetensors"),
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
    *("vocab.txt", "vocab.json", "merges.txt"),
    *("options.json", "weights.hdf5"),
)
"""The names, or patterns of them, of what a model is."""

_FETCHED: Final = (*FILES_OF_MODELS, "*options.json", "*weights.hdf5", "vocab*.txt")  # as ELMos were published
_SENT: Final = (
    *FILES_OF_MODELS,
    "README.md",
    *("modules.json", "sentence_bert_config.json", "config_sentence_transformers.json", "1_Pooling/config.json"),
)
_PICKLES: Final = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".h5", ".msgpack", ".npz")
_NAME: Final = re.compile(r"(?:[A-Za-z0-9][\w.-]*/)?[A-Za-z0-9][\w.-]*")


class Found(NamedTuple):
    """Where a model is.

    Attributes:
        path: On this machine.
        name: What the record of a model that is not firth's says of where it is from.
    """

    path: Path
    name: str


def found(path: str | os.PathLike[str]) -> Found:
    """Where the model is that a path names; of a name with `hf:` in front, the snapshot fetched for it.

    What is in the cache already is not fetched again; where the network cannot be reached it does without, if all that
    is wanted of the model is there.

    Args:
        path: A path, which is left as it is; or `hf:org/name`, and behind an @ a branch, a tag or a commit.

    Raises:
        UsageError: such a name is none.
        FirthError: there is no such model, or none without pickles; the network or the disk failed. What was fetched
            till then is kept, to go on with, and is not taken for a whole model.
    """
    given = os.fspath(path)
    if not given.startswith(PREFIX):
        return Found(Path(given), Path(given).name)
    name, revision = _parted(given)
    hub = _library(f"{PREFIX}{name}")
    with _explained(f"{PREFIX}{name}", revision):
        folder = Path(
            hub.snapshot_download(
                name,
                revision=revision,
                allow_patterns=list(_FETCHED),
                local_files_only=_is_offline(),
                endpoint=_endpoint(),
                library_name="firth",
                library_version=version("firth"),
            )
        )
    if not any(file.suffix in (".safetensors", ".hdf5") for file in folder.glob("*")):
        raise FirthError(f"{PREFIX}{printable(name)} {_without_weights(hub, name, folder.name)}")
    return Found(folder, f"{PREFIX}{name}@{folder.name}")


def checked_name(name: str) -> str:
    """The name of a place on the Hub, as `org/name`; `hf:` may stand before it.

    Raises:
        UsageError: it is no such name.
    """
    parted, revision = _parted(PREFIX + name.removeprefix(PREFIX))
    if revision is not None or "/" not in parted:
        raise UsageError(f"'{printable(name)}' is no place to send a model to; org/name is due, as jane/skipgram-zh")
    return parted


def is_sent(name: str) -> bool:
    """Whether a file of this name, seen from a model's directory, goes to the Hub."""
    return any(fnmatchcase(name, pattern) and name.count("/") == pattern.count("/") for pattern in _SENT)


def send(name: str, files: Mapping[str, Path | bytes], *, message: str, private: bool | None = None) -> str:
    """The address of a model on the Hub whose files these are, all of them or, where that fails, none.

    It is made where it is not there yet. Files of a model that it had and that are not among these are deleted; others
    stay.

    Args:
        name: As `org/name`.
        files: By their names there: where they are, or what is in them.
        message: What the change is called.
        private: Of a model that is not there yet; None is as its owner's models are by default.

    Raises:
        FirthError: the network failed, or the Hub refused.
    """
    hub = _library(f"sending a model to {PREFIX}{name}")
    if _is_offline():
        raise FirthError(f"{PREFIX}{printable(name)}: HF_HUB_OFFLINE keeps from the network; unset it to send a model")
    api = hub.HfApi(endpoint=_endpoint(), library_name="firth", library_version=version("firth"))
    with _explained(f"{PREFIX}{name}", None):
        api.create_repo(name, private=private, exist_ok=True)
        there = api.list_repo_files(name)
        changes: list[Any] = [
            hub.CommitOperationAdd(path, str(content) if isinstance(content, Path) else content)
            for path, content in files.items()
        ]
        changes += [hub.CommitOperationDelete(path) for path in there if path not in files and is_sent(path)]
        api.create_commit(name, changes, commit_message=message)
    return f"{_endpoint()}/{name}"


def _parted(given: str) -> tuple[str, str | None]:
    """The name, and the revision if one is named, of `hf:org/name@revision`."""
    name, at, revision = given.removeprefix(PREFIX).replace(os.sep, "/").partition("@")
    if not _NAME.fullmatch(name) or (at and not revision):
        raise UsageError(
            f"'{printable(given)}' is no name on the Hub; {PREFIX}org/name is one, and {PREFIX}org/name@revision. "
            f"A file whose own name begins so is ./{printable(given)}"
        )
    return name, revision or None


def _library(asked: str) -> Any:
    try:
        import huggingface_hub
        from huggingface_hub import constants, errors  # noqa: F401 # `huggingface_hub.constants` is there then
    except ImportError:
        raise FirthError(
            f"{printable(asked)} needs huggingface_hub, which is not installed: pip install 'firth[hub]'"
        ) from None
    return huggingface_hub


def _endpoint() -> str:
    """HF_ENDPOINT as it is now: the library looks at it but once, when it is imported."""
    from huggingface_hub import constants

    return (os.environ.get("HF_ENDPOINT") or constants.ENDPOINT).rstrip("/")


def _is_offline() -> bool:
    """HF_HUB_OFFLINE as it is now."""
    from huggingface_hub import constants

    return constants.HF_HUB_OFFLINE or os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")


@contextmanager
def _explained(shown: str, revision: str | None) -> Iterator[None]:
    """A block that talks to the Hub; what fails in it is told as a FirthError."""
    from huggingface_hub import constants, errors

    shown = printable(shown)
    place = printable(_endpoint())
    log_in = "set HF_TOKEN, or log in (hf auth login)"
    try:
        yield
    except errors.GatedRepoError:
        raise FirthError(f"{shown} is given to those alone who asked for it on {place}, and who {log_in}") from None
    except errors.RepositoryNotFoundError:
        raise FirthError(
            f"{shown} is not at {place}, or not for everyone: look at its spelling; if it is private, {log_in}"
        ) from None
    except errors.RevisionNotFoundError:
        raise FirthError(f"{shown} has no revision '{printable(str(revision))}'") from None
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled) as error:
        if _is_offline():
            raise FirthError(
                f"{shown} is not whole in the cache ({printable(str(constants.HF_HUB_CACHE))}), and HF_HUB_OFFLINE "
                "keeps from the network: unset it once, to fetch it"
            ) from None
        raise FirthError(
            f"{place} cannot be reached for {shown}, which is not whole in the cache either: {_first_line(error)}. "
            "HF_ENDPOINT names a mirror"
        ) from None
    except errors.HfHubHTTPError as error:
        status = getattr(error.response, "status_code", None)
        if status in (401, 403):
            raise FirthError(f"{place} does not let you do this with {shown}: {log_in}") from None
        raise FirthError(f"{place} answered {status} for {shown}: {_first_line(error)}") from None
    except Exception as error:  # of many kinds: those of the network, of the disk, of files that are not as announced
        raise FirthError(
            f"the work with {shown} at {place} broke off: {_first_line(error)}; the same call goes on with it"
        ) from None


def _without_weights(hub: Any, name: str, commit: str) -> str:
    """What to say of a model of which no weights were fetched."""
    try:
        files = sorted(hub.HfApi(endpoint=_endpoint()).list_repo_files(name, revision=commit))
    except Exception:  # the list is for the message alone
        files = []
    pickles = [file for file in files if file.endswith(_PICKLES)]
    if pickles:
        return (
            f"has its weights in {printable(pickles[0])} alone, which is not fetched: reading a pickle runs what its "
            "author put in it. Where you trust the author, let the program that wrote it save it as safetensors"
        )
    return "is no model: there are neither safetensors nor weights of ELMo (.hdf5) in it"


def _first_line(error: BaseException) -> str:
    """What an error says, and what the one behind it says."""
    line = (str(error).strip().splitlines() or [type(error).__name__])[0][:300].removesuffix(".")
    return printable(line) if error.__cause__ is None else f"{printable(line)} ({_first_line(error.__cause__)})"
