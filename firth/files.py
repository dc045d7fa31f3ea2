"""Files and directories replaced whole or not at all, and text from outside made safe to print."""

import json
import os
import re
import secrets
import shutil
import signal
import sys
import tempfile
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

from firth.errors import FirthError, UsageError

OURS = (
    "firth.json",
    "vectors.safetensors",
    "vocabulary.tsv",
    "log.jsonl",
    "checkpoint",
    "config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
    "options.json",
    "weights.hdf5",
    "vocab.json",
    "merges.txt",
    "matrices",
    "layers",
    "head.safetensors",
    "seeds",
    "maps",
    "report.html",
    "report.json",
    "network",
)
"""What a model's directory may hold; files of other names in it are the user's."""

_held: list[int] | None = None  # the signals that `uninterrupted` holds back, while it does

JOURNAL: Final = "log.jsonl"
"""Beside the checkpoints of a run: what it says, while it goes on."""

UNSHOWN = ("Cc", "Cf", "Cs", "Zl", "Zp")
JOINERS = "\u200c\u200d"  # of Persian and Indic words, which are spelt with them
_ABSOLUTE: Final = re.compile(  # the folders of an absolute path, in a text
    r"(?<![\w.:/\\-])(?:/|[A-Za-z]:[/\\]|\\\\|~[/\\])(?:[^/\\\s,;()'\"][^/\\,;()'\"]*[/\\])*(?=[^/\\\s,;()'\"])"
)


@contextmanager
def replacing(path: Path, mode: str = "w") -> Iterator[IO[Any]]:
    """An open file whose contents take the place of `path` when the block ends without an error.

    What was there stays untouched until then: the file is written beside it, synced, and renamed by
    `os.replace`. Text is UTF-8 with `\\n` line ends on every system.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    text = "b" not in mode
    try:
        with temporary.open(
            mode.replace("w", "x"), encoding="utf-8" if text else None, newline="\n" if text else None
        ) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """A directory that takes the place of `path` when the block ends without an error, and else vanishes.

    Of a directory that stood there, the entries whose names are not among OURS move into the new one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part"))
    try:
        new, old = temporary / "new", temporary / "old"
        new.mkdir()
        yield new
        _sync(new)
        with uninterrupted():
            try:
                if path.exists():
                    os.replace(path, old)
                os.replace(new, path)
            except BaseException:
                if old.exists() and not path.exists():
                    os.replace(old, path)
                raise
            if old.is_dir():
                for entry in old.iterdir():
                    if entry.name not in OURS and not (path / entry.name).exists():
                        os.replace(entry, path / entry.name)
        _sync(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def interrupt(number: int, frame: object) -> None:
    """Handles a signal as Python handles Ctrl-C."""
    raise KeyboardInterrupt


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Holds Ctrl-C back while the block runs, and SIGTERM where it is to do the same.

    They take effect at the end of the outermost such block.
    """
    global _held
    if _held is not None or threading.current_thread() is not threading.main_thread():
        yield  # signals come to the main thread alone
        return
    _held = held = []
    numbers = [signal.SIGINT]
    if signal.getsignal(signal.SIGTERM) is interrupt:
        numbers.append(signal.SIGTERM)
    before = {number: signal.signal(number, lambda number, _: held.append(number)) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)
        _held = None
    if held:
        raise KeyboardInterrupt


def _sync(folder: Path) -> None:
    """Makes the names in `folder` survive a power cut, where the system can do that for a directory."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def check_output(path: Path, *, overwrite: bool) -> None:
    """Finds out before the work whether a directory can appear at `path` after it.

    Raises:
        UsageError: something stands there that may not be replaced.
        FirthError: nothing can be written beside it.
    """
    shown = printable(str(path))
    if path.is_dir() and (path.resolve() == Path.cwd() or path.is_mount()):
        raise UsageError(f"{shown} is the current directory or a mount point; name a directory in it")
    is_empty = path.is_dir() and (not any(path.iterdir()) or _holds_journal_alone(path))
    if path.exists() and not is_empty:
        is_unfinished = latest_checkpoint(path) is not None or any((path / "seeds").glob("*/firth.json"))
        if not overwrite:
            unfinished = " and holds an unfinished run: resume it," if is_unfinished else ";"
            raise UsageError(f"{shown} exists{unfinished} choose another place, or overwrite it")
        if not (is_unfinished or (path / "firth.json").is_file()):
            raise UsageError(f"{shown} exists and is no model of firth's; it is not overwritten")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.").cleanup()
    except OSError as error:
        raise FirthError(f"{shown} cannot be written: {error.strerror}: {printable(str(error.filename))}") from None


def _holds_journal_alone(path: Path) -> bool:
    """Whether a directory is what a run leaves that was killed before its first checkpoint."""
    checkpoints = path / "checkpoint"
    if [entry.name for entry in path.iterdir()] != ["checkpoint"] or not checkpoints.is_dir():
        return False
    return all(entry.name == JOURNAL for entry in checkpoints.iterdir())


def latest_checkpoint(path: Path) -> Path | None:
    """The newest checkpoint of an unfinished run in a model's directory, or None."""
    try:
        name = (path / "checkpoint" / "latest").read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return None
    folder = path / "checkpoint" / name
    return folder if name.isdecimal() and folder.is_dir() else None


def printable(text: str) -> str:
    """`text` with control and formatting characters (a terminal's escapes, bidi overrides) shown as codes."""
    return "".join(
        f"\\u{{{ord(char):x}}}" if unicodedata.category(char) in UNSHOWN and char not in JOINERS else char
        for char in text
    )


def without_folders(value: Any) -> Any:
    """A value of JSON in which no text names a folder of this machine: of every absolute path the name alone is left.

    >>> without_folders({"remarks": ["2 files in folders passed over (/home/me/texts/a.md, notes/b.md)"]})
    {'remarks': ['2 files in folders passed over (a.md, notes/b.md)']}
    """
    if isinstance(value, str):
        return _ABSOLUTE.sub("", value.replace(str(Path.home()), "~"))
    if isinstance(value, dict):
        return {key: without_folders(item) for key, item in value.items()}
    return [without_folders(item) for item in value] if isinstance(value, list | tuple) else value


def json_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file.

    Raises:
        FirthError: it cannot be read, or holds something else.
    """
    shown = printable(str(path))
    try:
        value = json.loads(path.read_bytes())
    except OSError as error:
        raise FirthError(f"{shown} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise FirthError(f"{shown} is not JSON: {printable(str(error))}") from None
    if not isinstance(value, dict):
        raise FirthError(f"{shown} is not a JSON object")
    return value


def lock(file: IO[str]) -> None:
    """Holds the file until it is closed or the process ends; OSError where another one holds it."""
    if sys.platform == "win32":
        import msvcrt

        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
