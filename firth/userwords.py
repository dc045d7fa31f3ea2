"""Words of the user's own that Chinese text is cut by: a file of them read, and what a model keeps of them."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from firth.errors import FirthError
from firth.files import printable

_GREATEST_FREQUENCY: Final = 10**12  # a million of these still fit what rjieba adds them up in


class UserWord(NamedTuple):
    """A line of a file of words: frequency and tag are None and "" where the line names none."""

    word: str
    frequency: int | None = None
    tag: str = ""


@dataclass(frozen=True)
class UserWords:
    """Words that Chinese text is cut by beside the dictionary's; equal where they have the same hash.

    Attributes:
        entries: in the file's order.
        hash: SHA-256 of the entries, in hexadecimal.
    """

    entries: tuple[UserWord, ...] = field(repr=False, compare=False)
    hash: str = field(init=False)

    def __post_init__(self) -> None:
        """Adds the hash."""
        lines = "".join(f"{word}\t{'' if count is None else count}\t{tag}\n" for word, count, tag in self.entries)
        object.__setattr__(self, "hash", hashlib.sha256(lines.encode("utf-8", "surrogatepass")).hexdigest())

    def settings(self) -> dict[str, Any]:
        """Plain values for a JSON file, the words themselves among them."""
        return {"hash": self.hash, "words": [list(entry) for entry in self.entries]}

    def write(self, path: Path) -> None:
        """Writes the file that `read_user_words` reads."""
        lines = (f"{word} {'' if count is None else count} {tag}".rstrip() + "\n" for word, count, tag in self.entries)
        path.write_text("".join(lines), encoding="utf-8-sig", newline="\n")  # a word may begin with the mark itself

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> "UserWords":
        """The words that `settings` were taken from.

        Raises:
            FirthError: these are no such settings, or the words are not those that the hash was taken of.
        """
        try:
            words = cls(tuple(UserWord(*entry) for entry in settings["words"]))
            is_whole = words.hash == settings["hash"]
        except (TypeError, KeyError, ValueError):
            raise FirthError("no user words are described there; a newer firth may have written them") from None
        if not is_whole:
            raise FirthError("the user words are not those that the corpus was cut by: their hash differs")
        return words


def read_user_words(path: Path | str) -> UserWords:
    """The words in a file of jieba's format: a word a line, then its frequency and its tag, where it has them.

    Without a frequency a word gets one that keeps it whole.

    Raises:
        FirthError: the file cannot be read, is not UTF-8, has lines of another form, or no words.
    """
    shown = printable(str(path))
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise FirthError(f"cannot read the user words in {shown}: {error.strerror}") from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise FirthError(f"{shown}, line {line}: no UTF-8 ({error.reason}); turn the user words into UTF-8") from None
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    entries = {number: _user_word(line) for number, line in enumerate(lines, start=1) if line.strip()}
    if malformed := [number for number, entry in entries.items() if entry is None]:
        first = printable(lines[malformed[0] - 1])
        others = ", ".join(map(str, malformed[1:11])) + (" ..." if len(malformed) > 11 else "")
        raise FirthError(
            f"{shown}, line {malformed[0]}: '{first}' is no word with a frequency and a tag behind it, as in "
            f"'云计算 300 n'" + (f"; nor are lines {others}" if others else "")
        )
    if not entries:
        raise FirthError(f"{shown}: no words in it; write a word a line")
    return UserWords(tuple(entry for entry in entries.values() if entry is not None))


def _user_word(line: str) -> UserWord | None:
    """What `line` describes; None if it is malformed."""
    found = re.fullmatch(r"\s*(\S+)(?:\s+([0-9]{1,13}))?(?:\s+([A-Za-z]+))?\s*", line)
    if found is None:
        return None
    word, frequency, tag = found.groups()
    if "\0" in word or int(frequency or 0) > _GREATEST_FREQUENCY:
        return None
    return UserWord(word, None if frequency is None else int(frequency), tag or "")
