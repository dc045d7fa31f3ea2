"""Stretches of text -> the ids of their pieces: each different stretch goes to the tokenizer once, on all cores.

Text is cut at spaces, where no tokenizer of these kinds looks across. Most of what stands between them has been met
before, and costs no more than a look-up.
"""

import json
import re
from array import array
from collections.abc import Callable
from itertools import repeat
from operator import ne
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from firth.errors import FirthError
from firth.files import printable
from firth.pieces import HAN, LONGEST_WORD, PARTED, PLAIN_PATTERNS, Pieces
from firth.segmentation import Segmentation

_MOST_TYPES: Final = 1 << 20
_MOST_TYPE_CHARACTERS: Final = 1 << 25
_HAN_RUN: Final = re.compile(f"[{HAN}]+")


class Found(NamedTuple):
    """The pieces of some stretches of text."""

    ids: npt.NDArray[np.uint32]
    are_starts: npt.NDArray[np.bool_]  # of words
    lengths: npt.NDArray[np.int64]  # of each stretch, in pieces


class Lookup:
    """The pieces of the stretches met so far.

    Attributes:
        cut: From a line to its stretches.
    """

    def __init__(self, pieces: Pieces, words: Segmentation | None) -> None:
        """None has been met; where words begin is told if `words` says how text becomes them."""
        self._pieces = pieces
        self._needs_words = words is not None
        self.cut, self._plain, are_characters = _cut_for(pieces)
        self._segmentation = None
        if words is not None and words.method == "chinese" and are_characters:
            self._segmentation = words
        self._clear()

    def find(self, stretches: list[str], lines: list[str]) -> Found:
        """The pieces of the stretches that lines were cut into; the tokenizer is asked for those it has not met."""
        if len(self._numbers) > _MOST_TYPES or self._n_characters > _MOST_TYPE_CHARACTERS:
            self._clear()
        numbers = np.fromiter(map(self._numbers.get, stretches, repeat(-1)), np.int64, len(stretches))
        if len(missing := np.flatnonzero(numbers < 0)):
            self._learn(list(dict.fromkeys([stretches[place] for place in missing.tolist()])))
            again = map(self._numbers.__getitem__, [stretches[place] for place in missing.tolist()])
            numbers[missing] = np.fromiter(again, np.int64, len(missing))
        ends = np.frombuffer(self._ends, np.int64)
        starts = ends[numbers]  # the first end is 0
        lengths = ends[numbers + 1] - starts
        behind = np.cumsum(lengths)
        places = np.arange(behind[-1] if len(behind) else 0) + np.repeat(starts - behind + lengths, lengths)
        ids = np.frombuffer(self._ids, np.uint32)[places] if len(places) else np.empty(0, np.uint32)
        are_starts = np.empty(0, np.bool_)
        if self._needs_words and len(places):
            are_starts = np.frombuffer(self._are_starts, np.bool_)[places]
        if self._segmentation is not None:
            n_han = np.frombuffer(self._n_han, np.uint32)[numbers].astype(np.int64)
            are_han = n_han > 0
            if (lengths[are_han] == 1).all():
                of_letters = _han_starts("\n".join(lines), self._segmentation)
                are_starts[behind[are_han] - 1] = of_letters[(np.cumsum(n_han) - n_han)[are_han]]
        return Found(ids, are_starts, lengths)

    def _clear(self) -> None:
        self._numbers: dict[str, int] = {}
        self._n_characters = 0
        self._ids = array("I")
        self._are_starts = bytearray()
        self._n_han = array("I")  # of each stretch: the Han characters that it is, or 0
        self._ends = array("q", [0])

    def _learn(self, stretches: list[str]) -> None:
        model = self._pieces.backend.model
        plain = self._plain
        others = [stretch for stretch in stretches if plain(stretch) is None]
        try:
            backend = self._pieces.backend
            encode = backend.encode_batch if self._needs_words else backend.encode_batch_fast  # this tells no words
            encodings = iter(encode(others, add_special_tokens=False))
        except UnicodeEncodeError as error:
            raise FirthError(f"no valid text: {error.reason} in '{printable(str(error.object)[:100])}'") from None
        for stretch in stretches:
            self._numbers[stretch] = len(self._numbers)
            self._n_characters += len(stretch)
            word = plain(stretch)
            word_ids: list[int | None]
            if word is None:
                encoding = next(encodings)
                self._ids.extend(encoding.ids)
                word_ids = encoding.word_ids if self._needs_words else []
            else:
                ids = [token.id for token in model.tokenize(word)]
                self._ids.extend(ids)
                word_ids = [0] * len(ids)
            self._ends.append(len(self._ids))
            if self._needs_words:
                self._are_starts.extend(map(ne, word_ids, [-1, *word_ids[:-1]]))
        if self._segmentation is not None:
            self._n_han.extend(len(stretch) if _HAN_RUN.fullmatch(stretch) else 0 for stretch in stretches)


def _han_starts(text: str, segmentation: Segmentation) -> npt.NDArray[np.bool_]:
    """Of each Han character of `text`, whether a word begins there."""
    runs = "".join(run + "\n" for run in _HAN_RUN.findall(text))
    split = segmentation.split(runs)
    are_letters = np.frombuffer(runs.encode("utf-32-le"), "<u4") != ord("\n")
    starts = np.zeros(len(split.codes), np.bool_)
    starts[split.starts] = True
    if len(starts) != len(are_letters):  # normalising has put several characters in the place of one
        return np.ones(np.count_nonzero(are_letters), np.bool_)
    of_letters: npt.NDArray[np.bool_] = starts[are_letters]
    return of_letters


class _Cut(NamedTuple):
    """How a tokenizer's text is cut into stretches that it makes the same of alone.

    Attributes:
        line: From a line to its stretches.
        plain: What the tokenizer's model is asked for, for a stretch of which nothing but that would be made on the way
            to it; None for others. The way takes longer than the model.
        sets_han_apart: Whether each Han character is a stretch.
    """

    line: Callable[[str], list[str]]
    plain: Callable[[str], str | None]
    sets_han_apart: bool


def _cut_for(pieces: Pieces) -> _Cut:
    told = json.loads(pieces.backend.to_str())
    normalizer, cut = told["normalizer"] or {"type": None}, told["pre_tokenizer"] or {"type": None}
    steps = normalizer["normalizers"] if normalizer["type"] == "Sequence" else [normalizer]
    if cut["type"] == "Sequence" and len(cut["pretokenizers"]) == 2:
        cut, parts = cut["pretokenizers"]
        if parts["type"] != "Split" or parts["pattern"] != {"Regex": PARTED} or parts["invert"]:
            cut = {"type": None}
    added = [entry["content"] for entry in told["added_tokens"]]
    whole = _Cut(lambda line: [line], lambda stretch: None, False)
    if any(map(_looks_around, told["added_tokens"])) or not all(map(_is_harmless, steps)):
        return whole
    has_words = any(not entry.isascii() for entry in added)
    if cut["type"] == "ByteLevel" and not cut["add_prefix_space"] and cut.get("use_regex", True):
        return _cut_bytes(added, lower=any(step["type"] == "Lowercase" for step in steps))
    if cut["type"] == "BertPreTokenizer" and steps[-1]["type"] == "BertNormalizer" and steps[-1]["clean_text"]:
        if has_words and not steps[-1]["handle_chinese_chars"]:
            return whole
        return _cut_words(added, lower=steps[-1]["lowercase"], sets_han_apart=steps[-1]["handle_chinese_chars"])
    return whole


def _looks_around(added: dict[str, Any]) -> bool:
    """Whether an added entry is found by more than its letters, or stands where a word is taken for plain."""
    content = added["content"]
    is_plain = not (added["lstrip"] or added["rstrip"] or added["single_word"])
    if is_plain and not added["normalized"] and _HAN_RUN.fullmatch(content):
        return False  # a word that was added, of characters that stand apart from all others
    return not is_plain or not content.isascii() or content[:1].isalnum() or " " in content or not content


def _is_harmless(step: dict[str, Any]) -> bool:
    """Whether a normaliser looks at nothing across a space, and leaves ASCII letters and digits as they are."""
    if step["type"] == "Replace":
        return step["pattern"].get("Regex") in PLAIN_PATTERNS
    return step["type"] in (None, "Lowercase", "BertNormalizer", "NFC")


def _cut_words(added: list[str], *, lower: bool, sets_han_apart: bool) -> _Cut:
    """At spaces and ASCII punctuation, each mark a stretch, as BERT sets them apart."""
    han = HAN if sets_han_apart else ""
    marks = r"!-/:-@\[-`{-~"
    entries = [re.escape(entry) for entry in sorted(added, key=len, reverse=True)]
    find = re.compile("|".join([*entries, f"[{marks}{han}]", f"[^ {marks}{han}]+"])).findall
    begins = "".join({entry[0] for entry in added})

    def line(text: str) -> list[str]:
        if lower and text.isascii() and not any(begin in text for begin in begins):
            text = text.lower()
        return find(text)

    def plain(stretch: str) -> str | None:
        if not (stretch.isascii() and stretch.isalnum()) or len(stretch) > LONGEST_WORD:
            return None
        return stretch.lower() if lower else stretch

    return _Cut(line, plain, sets_han_apart)


def _cut_bytes(added: list[str], *, lower: bool) -> _Cut:
    """As GPT-2 cuts ASCII; else words with the space before them. Lines with runs of white space stay whole."""
    find = re.compile(r"'(?:[stmd]|re|ve|ll)| ?[A-Za-z]+| ?[0-9]+| ?[^\sA-Za-z0-9]+").findall

    def line(text: str) -> list[str]:
        before, rest = (text[:1], text[1:]) if text[:1] in ("\n", " ") else ("", text)
        if " ".join(rest.split()) != rest or "\0" in rest:
            return [text]
        if not rest.isascii() or any(entry in rest for entry in added):
            return (before + rest).replace(" ", "\0 ").removeprefix("\0").split("\0")
        if lower:
            rest = rest.lower()
        return ["\n", *find(rest)] if before == "\n" else find(before + rest)

    def plain(stretch: str) -> str | None:
        word = stretch.removeprefix(" ")
        if not (word.isascii() and (word.isalpha() or word.isdigit())):
            return None
        word = word.lower() if lower else word
        return "Ġ" + word if stretch[0] == " " else word  # so GPT-2 writes a space

    return _Cut(line, plain, False)
