"""Files and directories replaced whole or not at all, and text from outside made safe to print."""

import os
import shutil
import tempfile
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from firth.errors import UsageError


@contextmanager
def replacing(path: Path, mode: str = "w") -> Iterator[IO[Any]]:
    """An open file whose contents take the place of `path` when the block ends without an error.

    What was there stays untouched until then: the file is written beside it, synced, and renamed by
    `os.replace`. Text is UTF-8 with `\\n` line ends on every system.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    temporary = Path(name)
    text = "b" not in mode
    try:
        with os.fdopen(handle, mode, encoding="utf-8" if text else None, newline="\n" if text else None) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)  # mkstemp makes private files; a model is as readable as any other
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """A directory that takes the place of `path` when the block ends without an error, and else vanishes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part"))
    try:
        new = temporary / "new"
        new.mkdir()
        yield new
        old = temporary / "old"
        try:
            if path.exists():
                os.replace(path, old)
            os.replace(new, path)
        except BaseException:
            if old.exists() and not path.exists():
                os.replace(old, path)
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_output(path: Path, *, overwrite: bool) -> None:
    """Raises UsageError where something stands at `path` that may not be replaced."""
    if path.is_dir() and not any(path.iterdir()):
        return
    if path.exists() and not overwrite:
        unfinished = " and holds an unfinished run: resume it," if latest_checkpoint(path) is not None else ";"
        raise UsageError(f"{printable(str(path))} exists{unfinished} choose another place, or overwrite it")
    is_ours = (path / "firth.json").is_file() or (path / "checkpoint").is_dir()
    if path.exists() and not is_ours:
        raise UsageError(f"{printable(str(path))} exists and is no model of firth's; it is not overwritten")


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
        f"\\u{{{ord(char):x}}}" if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") else char
        for char in text
    )
