"""Bytes made into text: any encoding, byte-order marks and line ends taken away, what is invalid refused or counted."""

import codecs
import io
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, Final

from firth import encodings
from firth.errors import EncodingError, FirthError
from firth.faults import Faults
from firth.files import printable
from firth.preparation import Preparation

_GUESSED_BYTES: Final = 1 << 14


def decoded(
    chunks: Iterable[bytes], name: str, preparation: Preparation, faults: Faults, *, is_part: bool = False
) -> Iterator[str]:
    """The text of `chunks`, without a byte-order mark; its line ends are `\\n`, and it has no NUL characters.

    What a chunk cuts in two (a character, \\r\\n) is kept for the next one.

    Args:
        chunks: the bytes of a file, in pieces of any size.
        name: what messages call the file.
        preparation: its encoding, and what becomes of bytes that are not valid in it.
        faults: counts these.
        is_part: whether `chunks` may end within a character.

    Raises:
        EncodingError: a byte is not valid, or NUL, and the preparation is strict; it names line, offset, options.
        FirthError: the whole file is in another encoding.
    """
    encoding = preparation.encoding
    decoder = codecs.getincrementaldecoder(encoding)(errors="strict")
    newlines = io.IncrementalNewlineDecoder(None, translate=True)
    file_bytes = n_lines = 0
    is_start = True
    for chunk in chain(chunks, () if is_part else (b"",)):
        is_end = not chunk
        state = decoder.getstate()
        try:
            text = decoder.decode(chunk, final=is_end)
        except UnicodeError as error:
            if not isinstance(error, UnicodeDecodeError) or "BOM" in error.reason:  # the latter from 3.13 on
                raise FirthError(
                    f"{name} does not begin with {encoding}'s byte-order mark; --encoding utf-16-le, perhaps"
                ) from None
            if preparation.encoding_errors == "strict":
                n_valid = len(chunk) - len(error.object) + error.start  # negative where the chunk before holds the byte
                decoder = codecs.getincrementaldecoder(encoding)(errors="ignore")
                decoder.setstate(state)  # which of UTF-16's two orders it is, say
                valid = newlines.decode(decoder.decode(chunk[: max(0, n_valid)]), final=True)
                line = n_lines + valid.count("\n") + 1
                raise _undecodable(name, encoding, error, line, file_bytes + n_valid) from None
            texts = []
            for errors in ("ignore", "replace"):
                decoder = codecs.getincrementaldecoder(encoding)(errors=errors)
                decoder.setstate(state)
                texts.append(decoder.decode(chunk, final=is_end))
            faults.invalid[name] += len(texts[1]) - len(texts[0])  # each became one U+FFFD
            text = texts[preparation.encoding_errors == "replace"]
            decoder.errors = "strict"
        text = newlines.decode(text, final=is_end)
        if is_start and text:
            text = text.removeprefix("\ufeff")
            is_start = False
        if "\0" in text:
            wide = None if file_bytes or _nul_bytes(encoding) > 1 else encodings.wide(chunk)
            if wide is not None or preparation.encoding_errors == "strict":
                line = n_lines + text.count("\n", 0, text.index("\0")) + 1
                offset = file_bytes + _nul_offset(chunk, encoding, state)
                raise _with_nul(name, encoding, line, offset, wide)
            faults.invalid[name] += text.count("\0")
            text = text.replace("\0", "\ufffd" if preparation.encoding_errors == "replace" else "")
        n_lines += text.count("\n")
        file_bytes += len(chunk)
        if text:
            yield text


def fitting(chunks: Callable[[], Iterable[bytes]], asked: Sequence[str], *, is_part: bool = False) -> tuple[str, bool]:
    """The first of some encodings that bytes are valid in, else the one with the fewest faults; and whether it fits.

    Args:
        chunks: The bytes, in pieces of any size; asked for once for each encoding, and twice if none fits.
        asked: The encodings, the likeliest first.
        is_part: Whether the bytes may end within a character.
    """
    for encoding in asked:
        if _is_valid(chunks(), encoding, is_part=is_part):
            return encoding, True
    return min(asked, key=lambda encoding: _n_invalid(chunks(), encoding)), False


def _is_valid(chunks: Iterable[bytes], encoding: str, *, is_part: bool) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)(errors="strict")
    try:
        for chunk in chunks:
            decoder.decode(chunk)
        decoder.decode(b"", final=not is_part)
    except UnicodeError:
        return False
    return True


def _n_invalid(chunks: Iterable[bytes], encoding: str) -> float:
    """How many stretches are not valid; infinitely many of what has no byte-order mark and needs one."""
    replacing, ignoring = (codecs.getincrementaldecoder(encoding)(errors=errors) for errors in ("replace", "ignore"))
    try:
        return sum(len(replacing.decode(chunk)) - len(ignoring.decode(chunk)) for chunk in chunks)
    except UnicodeError:
        return math.inf


def _undecodable(name: str, encoding: str, error: UnicodeDecodeError, line: int, offset: int) -> FirthError:
    return EncodingError(
        f"{name}, line {line}: byte 0x{error.object[error.start]:02x} at offset {offset} is "
        f"not valid {printable(encoding)}; {_other_encoding(encoding, error, offset)}; if some bytes of it are broken, "
        "--encoding-errors replace or skip passes them; and if it is no text, turn it into plain text first"
    )


def _other_encoding(encoding: str, error: UnicodeDecodeError, offset: int) -> str:
    """What to do if the file has another encoding than `encoding`, which is not that of the byte at `offset`."""
    line_start = error.object.rfind(b"\n", 0, error.start) + 1
    likeliest = encodings.likeliest(error.object[line_start : line_start + _GUESSED_BYTES], encoding)
    wide = encodings.wide(error.object) if offset == error.start else None  # there `error` has the file's beginning
    if wide is not None:
        likeliest = {wide: ""}
    if len(likeliest) == 1:
        (only,) = likeliest
        return f"by all appearance this is {only} (--encoding {only})"
    if likeliest:
        readings = " or ".join(f"{other} ({printable(text)})" for other, text in likeliest.items())
        return (
            f"this is another encoding, of one byte a character, most likely {readings}: --encoding takes the one in "
            "which it reads right (`iconv -l` names more)"
        )
    other = "latin-1" if encoding.lower() == "gb18030" else "gb18030"
    return f"if the file has another encoding, name it (--encoding {other}, say; `iconv -l` names all)"


def _with_nul(name: str, encoding: str, line: int, offset: int, wide: str | None) -> FirthError:
    where = f"{name}, line {line}: a NUL byte at offset {offset}"
    if wide is not None:
        return FirthError(
            f"{where}, so this is no text in {printable(encoding)}; it looks like UTF-16 (--encoding {wide}), "
            "or turn it into plain text"
        )
    return EncodingError(
        f"{where}, which no text has; --encoding-errors skip leaves it out (replace puts U+FFFD in its place); and if "
        "the file is no text, turn it into plain text first"
    )


def _nul_offset(chunk: bytes, encoding: str, state: Any) -> int:
    """Where in `chunk` the first NUL character begins, for a decoder that was in `state` before it."""
    decoder = codecs.getincrementaldecoder(encoding)(errors="ignore")
    decoder.setstate(state)
    n_bytes = next((n for n in range(1, len(chunk) + 1) if "\0" in decoder.decode(chunk[n - 1 : n])), 0)
    return n_bytes - _nul_bytes(encoding)


def _nul_bytes(encoding: str) -> int:
    """How many bytes a NUL character takes (behind another one: the first may take a byte-order mark too)."""
    return len("a\0".encode(encoding)) - len("a".encode(encoding))


def unix_lines(text: str) -> str:
    """`text` with `\\n` for every kind of line end."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
