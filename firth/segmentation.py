"""Lines of text cut into words: Unicode words, white space, Chinese, or characters.

Text is normalised first, and rid of what nobody sees in it (soft hyphens, word joiners, byte-order marks); then
everything is decided character by character from one table of classes, a block of lines at a time, so that a corpus and
a query are cut by the same code.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final, Literal, NamedTuple, get_args

import numpy as np

from firth import markup, stretches
from firth.codepoints import (
    DIGIT,
    HAN,
    LETTER,
    NEWLINE,
    SPACE,
    UNSPACED,
    UPPER,
    Classes,
    Codes,
    Mask,
    Positions,
    UnicodeForm,
    bearers_of,
    characters_of,
    classified,
    composed,
    in_ranges,
    joined_by_newlines,
    like_ones,
    merged,
    n_invisible,
    runs_of,
    text_of,
    without_invisible,
)
from firth.errors import FirthError, UsageError
from firth.files import printable
from firth.phrases import Phrases
from firth.preparation import Preparation, kinds_of_markup
from firth.scripts import LETTERS, WITHOUT_SEGMENTER
from firth.userwords import UserWords, read_user_words

Method = Literal["words", "space", "chinese", "characters"]
Digits = Literal["keep", "zero"]
_ZERO: Final = 0x30
_SAME_INNER: Final = (("\u2019", "'"), ("\u2010", "-"), ("\u2011", "-"))  # how inner characters are written too

_MOST_HAN_PER_WORD: Final = 3.0
_HAN_SHARE_OF_CHINESE: Final = 0.2  # of the letters: from here on it is Chinese, with words of others in it
_LEAST_HAN_SHARE: Final = 0.001  # below, they are a trace, for which no English corpus need be cut by rjieba
_LEAST_HAN: Final = 32
_KANA_SHARE_OF_JAPANESE: Final = 0.1  # of Han characters and kana
_LEAST_SHARE_TO_WARN: Final = 0.05
_MOST_KANA_PER_WORD: Final = 5.0  # with the Han characters between them
_MOST_LETTERS_PER_WORD: Final = 12.0  # of Thai and its like, with marks; in phrases there are twice as many
_STRETCHES: Final = 32  # of a sample, by which a method is chosen
_STRETCH_CHARACTERS: Final = 1 << 12


class Caution(NamedTuple):
    """What the user should know of a segmentation.

    Attributes:
        message: A sentence.
        option: The option that mends it, as "--segment chinese"; empty where none does.
    """

    message: str
    option: str


class Split(NamedTuple):
    """The words of some lines, and where its lines end; no word is a string before it is asked for.

    Attributes:
        codes: (n_characters,) the code points of the normalised text.
        starts: (n_words,) where each word begins in `codes`, in order.
        ends: (n_words,) where it ends: word i is codes[starts[i]:ends[i]].
        line_ends: (n_lines,) how many words stand before each line's end.
        visible_ends: (n_lines,) how many characters other than white space stand before it; a line that
            adds none is empty.
        n_visible: how many such characters there are in all, those behind the last line's end too.
        names: what the phrases among the words are called, by their number: `codes` has them as they stand in the text.
    """

    codes: Codes
    starts: Positions
    ends: Positions
    line_ends: Positions
    visible_ends: Positions
    n_visible: int
    names: Mapping[int, str] | None = None

    def words(self) -> list[str]:
        """The words in order, as strings."""
        text = text_of(self.codes)
        words = [text[start:end] for start, end in zip(self.starts.tolist(), self.ends.tolist(), strict=True)]
        for number, name in (self.names or {}).items():
            words[number] = name
        return words


@dataclass(frozen=True, kw_only=True)
class Segmentation:
    """How text becomes words: the same for a corpus and for the queries of what was trained on it.

    Attributes:
        method: `words` takes runs of letters, marks, digits and underscores (don't becomes don and t, but for `inner`);
            `space` takes what stands between white space; `chinese` has rjieba cut runs of Han characters,
            but for lines whose words are set apart already (a line of more than 65,536 characters is judged stretch
            by stretch, see `firth.stretches`), and takes other scripts as `words` does; `characters` takes every letter
            of a script without spaces (Han, kana, Thai, Lao, Burmese, Khmer) with its marks as a word, and other
            scripts as `words` does.
        lower: whether words are lower-cased.
        segmenter: name and version of what cuts Chinese; by default, what is installed.
        unicode_form: `NFC` composes what is one character; `NFKC` also makes wide, small and ligature forms plain.
        digits: `zero` makes each decimal digit of any script 0.
        simplified: whether traditional Chinese becomes simplified, by opencc's t2s.
        inner: characters that belong to a word where they stand between two letters or digits of it. With ' among
            them U+2019 is read as ', with - U+2010 and U+2011 as -. Between characters that are words alone
            (Han by method `chinese`, see `characters`) they part, and method `space` needs none.
        drop: kinds of markup that queries are rid of, as the corpus was: see `Preparation.drop`.
        user_words: words that Chinese is cut by beside rjieba's own, normalised as the text is.
        phrases: words that become one where they stand together in a line, written as they are in the text.
        punctuation: whether punctuation marks and symbols are words, like ones in a row as one; else they part words
            and are none. Method `space` keeps what it finds.
    """

    method: Method
    lower: bool = True
    segmenter: str | None = None
    unicode_form: UnicodeForm = "NFC"
    digits: Digits = "keep"
    simplified: bool = False
    inner: str = ""
    drop: tuple[str, ...] = ()
    user_words: UserWords | None = None
    phrases: Phrases | None = None
    punctuation: bool = False

    def __post_init__(self) -> None:
        """Refuses unknown methods, forms and characters; fills in the segmenter."""
        if self.method not in get_args(Method):
            asked = printable(str(self.method))
            raise UsageError(f"segmentation {asked!r} was asked for; there are {', '.join(get_args(Method))}")
        for name, value, choices in (
            ("unicode_form", self.unicode_form, get_args(UnicodeForm)),
            ("digits", self.digits, get_args(Digits)),
        ):
            if value not in choices:
                raise UsageError(f"{name} is {printable(str(value))!r}; there are {', '.join(choices)}")
        if any(character.isalnum() or character.isspace() for character in self.inner):
            raise UsageError(f"inner is {printable(self.inner)!r}; letters, digits and white space need not be named")
        object.__setattr__(self, "drop", kinds_of_markup(self.drop))
        if self.user_words is not None and self.method != "chinese":
            raise UsageError(f"user words serve segmentation chinese alone, but {self.method} was asked for")
        if self.method == "chinese" and self.segmenter is None:
            object.__setattr__(self, "segmenter", _installed_segmenter())

    def normalize(self, text: str) -> str:
        """`text` as the words in it are written: composed, lower-cased if words are, without soft hyphens, and so on.

        Raises:
            FirthError: `text` holds surrogates, or is to be simplified and opencc is not installed.
        """
        return text_of(self._normalized(text)[0])

    def words(self, text: str) -> list[str]:
        """The normalised words of a query, a line, or several.

        >>> Segmentation(method="chinese").words("我 今天 好 开心")
        ['我', '今天', '好', '开心']
        """
        return self.split(self.blanked(text)).words()

    def blanked(self, text: str) -> str:
        """`text` without the markup that is dropped, and as long: what fills its place is no part of a word."""
        return markup.blanked(text, self.drop) if self.drop else text

    def split(self, text: str) -> Split:
        """The normalised words of `text`, and where its lines end; a line is closed by `\\n`.

        The text is that of a corpus, or `blanked`: of markup there is nothing left to drop.

        Raises:
            FirthError: `text` holds surrogates, as from bytes that were decoded in another encoding; or it is to be
                simplified and opencc is not installed.
        """
        if len(text) <= stretches.LONGEST:
            split = self._split(text)
        else:
            split = _together([self._split(block) for block in stretches.blocks([text], stretches.LONGEST, self.inner)])
        return split if self.phrases is None else _joined_words(split, self.phrases)

    def _split(self, text: str) -> Split:
        """The same of a text that is no longer than a stretch, without phrases."""
        codes, classes = self._normalized(text)
        newlines = np.flatnonzero(codes == NEWLINE)
        n_dropped = n_invisible(text, len(newlines) + 1)  # a line of these alone is not empty: it ends no document
        in_space = (classes & SPACE) != 0
        spaces = np.flatnonzero(in_space)
        if self.method == "space":
            starts, ends = runs_of(~in_space)
        else:
            in_word = self._in_words(codes, classes)
            starts, ends = runs_of(in_word)
            cuts = self._cuts(codes, classes, spaces, newlines)
            cuts = cuts[in_word[cuts - 1] & (cuts > 0)]  # other cuts lie where a word begins anyway
            if len(cuts):
                starts, ends = merged(starts, cuts), merged(ends, cuts)
            if self.punctuation:
                firsts, stops = like_ones(codes, characters_of(self.unicode_form).are_marks.take(codes) & ~in_word)
                starts, ends = merged(starts, firsts), merged(ends, stops)
        return Split(
            codes=codes,
            starts=starts,
            ends=ends,
            line_ends=np.searchsorted(starts, newlines),
            visible_ends=newlines - np.searchsorted(spaces, newlines) + n_dropped[:-1],
            n_visible=len(codes) - len(spaces) + int(n_dropped[-1]),
        )

    def _normalized(self, text: str) -> tuple[Codes, Classes]:
        """The code points of `text` when normalised, and their classes; it has as many newlines as before."""
        form = self.unicode_form
        codes, classes = composed(*classified(without_invisible(text), form), form)
        if self.simplified:
            codes, classes = composed(*classified(_simplifier()(text_of(codes)), form), form)
        if self.lower:
            uppers = np.flatnonzero((classes & UPPER) != 0)
            if len(uppers):
                lowered = characters_of(form).lower.take(codes[uppers])
                if lowered.all():
                    codes[uppers] = lowered
                    classes[uppers] = characters_of(form).classes.take(lowered)
                else:
                    codes, classes = classified(text_of(codes).lower(), form)
                codes, classes = composed(codes, classes, form)
        if self.digits == "zero":
            is_digit = (classes & DIGIT) != 0
            codes[is_digit] = _ZERO
            classes[is_digit] = characters_of(form).classes[_ZERO]
        for variant, plain in _SAME_INNER:
            if plain in self.inner:
                codes[codes == ord(variant)] = ord(plain)
        return codes, classes

    def _in_words(self, codes: Codes, classes: Classes) -> Mask:
        """Which characters belong to a word: letters, the marks behind them, inner characters between them."""
        bearers = bearers_of(classes)
        in_word: Mask = (bearers & LETTER) != 0
        if not self.inner:
            return in_word
        is_inner = np.zeros(len(codes), dtype=np.bool_)
        for character in self.inner:
            is_inner |= codes == ord(character)
        # A script without spaces has words beside each other, so that what stands between is no part of one.
        apart = {"chinese": HAN, "characters": UNSPACED}.get(self.method, 0)
        joins_behind = (bearers & (LETTER | apart)) == LETTER
        joins_ahead = (classes & (LETTER | apart)) == LETTER
        is_inner[:1] = is_inner[-1:] = False
        is_inner[1:-1] &= joins_behind[:-2] & joins_ahead[2:]
        in_word |= is_inner
        return in_word

    def _cuts(self, codes: Codes, classes: Classes, spaces: Positions, newlines: Positions) -> Positions:
        """Where words begin inside or behind runs of letters, in order; where one begins anyway may be named."""
        if self.method == "chinese":
            plain = self if self.phrases is None else replace(self, phrases=None)
            return _chinese_cuts(codes, classes, spaces, newlines, _chinese_cutter(plain))
        if self.method == "characters":
            bearers = bearers_of(classes)
            stands_alone = (bearers & UNSPACED) != 0
            stands_alone[1:] |= stands_alone[:-1]
            return np.flatnonzero(stands_alone & ((classes & LETTER) != 0))
        return np.empty(0, dtype=np.int64)

    def settings(self) -> dict[str, Any]:
        """What `from_settings` needs to cut alike: plain values for a JSON file."""
        settings: dict[str, Any] = {
            "method": self.method,
            "lower": self.lower,
            "unicode_form": self.unicode_form,
            "digits": self.digits,
            "simplified": self.simplified,
            "inner": self.inner,
        }
        if self.punctuation:
            settings["punctuation"] = True
        if self.segmenter is not None:
            settings["segmenter"] = self.segmenter
        if self.drop:
            settings["drop"] = list(self.drop)
        if self.user_words is not None:
            settings["user_words"] = self.user_words.settings()
        if self.phrases is not None:
            settings["phrases"] = self.phrases.settings()
        return settings

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> "Segmentation":
        """The segmentation that `settings` were taken from; see `warning` where the segmenter differs now.

        Raises:
            FirthError: settings that this version of firth does not know, or user words or phrases that were changed.
        """
        values = dict(settings)
        user_words, phrases = values.pop("user_words", None), values.pop("phrases", None)
        drop = values.pop("drop", [])
        kinds = {
            "method": str,
            "lower": bool,
            "unicode_form": str,
            "digits": str,
            "simplified": bool,
            "inner": str,
            "segmenter": str,
            "punctuation": bool,
        }
        is_known = all(isinstance(value, kinds.get(name, ())) for name, value in values.items())
        is_known = is_known and isinstance(drop, list) and all(isinstance(kind, str) for kind in drop)
        if is_known and "method" in values and "lower" in values:
            try:
                return cls(
                    **values,
                    drop=tuple(drop),
                    user_words=None if user_words is None else UserWords.from_settings(user_words),
                    phrases=None if phrases is None else Phrases.from_settings(phrases),
                )
            except UsageError:
                pass
        shown = printable(str(values))
        raise FirthError(f"no segmentation is described by {shown}; a newer firth may have written it")

    def warning(self) -> str | None:
        """Why queries may be cut otherwise than the corpus was, in a sentence; None if they are not."""
        if self.method != "chinese" or self.segmenter == _installed_segmenter():
            return None
        return (
            f"the Chinese words were cut by {printable(str(self.segmenter))}, but {_installed_segmenter()} "
            "is installed, which may cut some queries otherwise"
        )


_DEFAULT_PREPARATION: Final = Preparation()


def choose(sample: str, preparation: Preparation = _DEFAULT_PREPARATION) -> tuple[Segmentation, str, list[Caution]]:
    """The segmentation that was asked for or suits `sample`, a sentence that says why, and cautions.

    Args:
        sample: some of the text, as from `Corpus.sample`.
        preparation: how the words are to be normalised, and the method, if one is asked for: then there is no
            reason to give, and the sentence is empty.

    Raises:
        FirthError: the user words cannot be read, or opencc is needed and not installed.
        UsageError: user words for a method that was asked for and cannot use them.
    """
    sample = _thinned(sample)
    method, reason = _suited(sample) if preparation.segment == "auto" else (preparation.segment, "")
    cautions: list[Caution] = []
    user_words = None if preparation.user_words is None else read_user_words(preparation.user_words)
    if user_words is not None and method != "chinese" and preparation.segment == "auto":
        cautions.append(
            Caution(
                f"the user words serve Chinese alone, and the text was not taken for it ({reason}): they change "
                "nothing; --segment chinese cuts it as Chinese",
                "--segment chinese",
            )
        )
        user_words = None
    segmentation = Segmentation(
        method=method,
        lower=not preparation.cased,
        punctuation=bool(preparation.punctuation),
        unicode_form=preparation.unicode_form,
        digits=preparation.digits,
        simplified=preparation.simplified,
        inner=preparation.inner,
        drop=preparation.drop,
        user_words=user_words,
    )
    if user_words is not None and (unused := _never_found(segmentation)):
        shown = ", ".join(printable(word) for word in unused[:5]) + (", ..." if len(unused) > 5 else "")
        cautions.append(
            Caution(
                f"{len(unused):,} of {len(user_words.entries):,} user words change nothing, since they have no Han "
                f"character, or something that is no letter: {shown}",
                "",
            )
        )
    return segmentation, reason, cautions


def unsegmented(sample: str, segmentation: Segmentation) -> list[Caution]:
    """A caution for each script without spaces of which `segmentation` makes phrases instead of words.

    Args:
        sample: some of the text, or words of it with spaces between.
        segmentation: how the text becomes words.
    """
    is_chinese = segmentation.method == "chinese"
    if is_chinese:  # what rjieba finds are words; only the rest is looked at
        segmentation = replace(segmentation, method="words", segmenter=None, user_words=None)
    split = replace(segmentation, phrases=None).split(sample)
    letters = (characters_of(segmentation.unicode_form).classes.take(split.codes) & LETTER) != 0
    han = in_ranges(split.codes, LETTERS["Han"])
    kana = in_ranges(split.codes, LETTERS["kana"])
    is_japanese = _share(kana, han | kana) >= _KANA_SHARE_OF_JAPANESE
    cautions: list[Caution] = []
    for script in WITHOUT_SEGMENTER:
        written = in_ranges(split.codes, LETTERS[script])
        share, length = _share(written & letters, letters), _mean_length(split, written)
        if share >= _LEAST_SHARE_TO_WARN and length > _MOST_LETTERS_PER_WORD:
            cautions.append(_no_segmenter(f"{script} letters", share, f"{length:.0f} of them on average"))
    share, length = _share((han | kana) & letters, letters), _mean_length(split, han | kana)
    if share >= _LEAST_SHARE_TO_WARN and is_japanese and (is_chinese or length > _MOST_KANA_PER_WORD):
        pieces = "pieces that rjieba guesses" if is_chinese else f"{length:.0f} of them on average"
        cautions.append(_no_segmenter("Japanese kana and Han characters", share, pieces))
    elif (
        not is_japanese
        and not is_chinese
        and length > _MOST_HAN_PER_WORD
        and (share >= _LEAST_SHARE_TO_WARN or _is_no_trace(int(np.count_nonzero(han & letters)), letters))
    ):
        cautions.append(
            Caution(
                f"{_percent(share)} of the letters are Han characters without spaces between words, so that whole "
                f"phrases, {length:.0f} of them on average, would be words: --segment chinese cuts them, --segment "
                "characters takes each alone",
                "--segment chinese",
            )
        )
    return cautions


def _together(splits: Sequence[Split]) -> Split:
    """The words of the blocks of a text, where a line may go on in the next one."""
    n_codes = np.cumsum([0, *(len(split.codes) for split in splits)]).tolist()
    n_words = np.cumsum([0, *(len(split.starts) for split in splits)]).tolist()
    n_visible = np.cumsum([0, *(split.n_visible for split in splits)]).tolist()
    return Split(
        codes=np.concatenate([split.codes for split in splits]),
        starts=np.concatenate([split.starts + before for split, before in zip(splits, n_codes, strict=False)]),
        ends=np.concatenate([split.ends + before for split, before in zip(splits, n_codes, strict=False)]),
        line_ends=np.concatenate([split.line_ends + before for split, before in zip(splits, n_words, strict=False)]),
        visible_ends=np.concatenate(
            [split.visible_ends + before for split, before in zip(splits, n_visible, strict=False)]
        ),
        n_visible=n_visible[-1],
    )


def _joined_words(split: Split, phrases: Phrases) -> Split:
    """The same with the phrases of each line as one word, from the beginning of its first to the end of its last."""
    words = split.words()
    firsts: list[int] = []
    lasts: list[int] = []
    line_ends: list[int] = []
    names: dict[int, str] = {}
    for start, stop in pairwise([0, *split.line_ends.tolist(), len(words)]):
        found, ends = phrases.joined(words[start:stop])
        first = start
        for name, end in zip(found, ends, strict=True):
            if start + end - first > 1:
                names[len(firsts)] = name
            firsts.append(first)
            first = start + end
            lasts.append(first - 1)
        line_ends.append(len(firsts))
    if not names:
        return split
    return split._replace(
        starts=split.starts[firsts], ends=split.ends[lasts], line_ends=np.array(line_ends[:-1], np.int64), names=names
    )


def is_written_without_spaces(word: str) -> bool:
    """Whether `word` is made of Han characters and kana alone, in which several words stand together."""
    ranges = (*LETTERS["Han"], *LETTERS["kana"])
    return bool(word) and all(any(first <= ord(char) <= last for first, last in ranges) for char in word)


@functools.cache
def _simplifier() -> Callable[[str], str]:
    """What makes traditional Chinese simplified; it neither adds nor takes away newlines."""
    try:
        import opencc
    except ImportError:
        raise FirthError(
            "traditional Chinese becomes simplified by opencc, which is not installed: pip install 'firth[opencc]'"
        ) from None
    convert: Callable[[str], str] = opencc.OpenCC("t2s").convert
    return convert


class _ChineseCutter(NamedTuple):
    """What cuts Chinese text.

    Attributes:
        cut: from text to its words; it never joins characters across a newline.
        knows_mixed_words: whether it has user words of Han characters and others, as 卡拉ok.
    """

    cut: Callable[[str], list[str]]
    knows_mixed_words: bool


@functools.lru_cache(maxsize=4)
def _chinese_cutter(segmentation: Segmentation) -> _ChineseCutter:
    import rjieba  # loading its dictionary takes a while that other texts need not spend

    if segmentation.user_words is None:
        return _ChineseCutter(rjieba.cut, knows_mixed_words=False)
    jieba = rjieba.Jieba()  # of its own: the module's serves all others
    words, has_han, is_all_han = _analysed(segmentation)
    for word, entry, serves in zip(words, segmentation.user_words.entries, has_han, strict=True):
        if serves:
            jieba.add_word(word, entry.frequency, entry.tag)
    return _ChineseCutter(jieba.cut, knows_mixed_words=bool((has_han & ~is_all_han).any()))


def _analysed(segmentation: Segmentation) -> tuple[list[str], Mask, Mask]:
    """The user words, normalised; which of them are letters and have Han characters; which have these alone."""
    assert segmentation.user_words is not None
    text = "".join(entry.word + "\n" for entry in segmentation.user_words.entries)
    codes, classes = segmentation._normalized(text)
    newlines = np.flatnonzero(codes == NEWLINE)
    first_characters = np.concatenate(([0], newlines[:-1] + 1))
    is_end = codes == NEWLINE
    is_han = (classes & HAN) != 0
    in_word = (bearers_of(classes) & LETTER) != 0
    is_word = np.logical_and.reduceat(in_word | is_end, first_characters)
    has_han = is_word & np.logical_or.reduceat(is_han, first_characters)
    is_all_han = is_word & np.logical_and.reduceat(is_han | is_end, first_characters)
    return text_of(codes).split("\n")[:-1], has_han, is_all_han


def _never_found(segmentation: Segmentation) -> list[str]:
    """The user words that cannot stand in text as it is handed to rjieba."""
    assert segmentation.user_words is not None
    _, has_han, _ = _analysed(segmentation)
    return [entry.word for entry, serves in zip(segmentation.user_words.entries, has_han, strict=True) if not serves]


class _HanRuns(NamedTuple):
    """The maximal runs of Han characters in a text."""

    starts: Positions
    ends: Positions
    lines: Positions  # the number of the line that each stands in
    are_segmented: Mask  # whether that line has spaces between its words


def _han_runs(classes: Classes, spaces: Positions, newlines: Positions) -> _HanRuns:
    starts, ends = runs_of((classes & (HAN | LETTER)) == (HAN | LETTER))
    lines = np.searchsorted(newlines, starts)
    # Between two runs there is nothing but white space, and in their line.
    n_spaces = np.searchsorted(spaces, starts[1:]) - np.searchsorted(spaces, ends[:-1])
    spaced = (n_spaces == starts[1:] - ends[:-1]) & (lines[1:] == lines[:-1])
    n_lines = len(newlines) + 1
    boundaries = np.bincount(lines[1:][spaced], minlength=n_lines)
    characters = np.bincount(lines, weights=ends - starts, minlength=n_lines)
    segmented = (boundaries >= 1) & (characters <= _MOST_HAN_PER_WORD * (boundaries + 1))
    return _HanRuns(starts, ends, lines, segmented[lines])


def _chinese_cuts(
    codes: Codes, classes: Classes, spaces: Positions, newlines: Positions, cutter: _ChineseCutter
) -> Positions:
    """Where words begin in and behind runs of Han characters, in lines that are not segmented yet."""
    runs = _han_runs(classes, spaces, newlines)
    starts, ends = runs.starts[~runs.are_segmented], runs.ends[~runs.are_segmented]
    if not len(starts):
        return np.empty(0, dtype=np.int64)
    if cutter.knows_mixed_words:  # then what is cut are the runs of letters that the runs of Han characters are in
        word_starts, word_ends = runs_of((bearers_of(classes) & LETTER) != 0)
        words = np.unique(np.searchsorted(word_starts, starts, side="right") - 1)
        starts, ends = word_starts[words], word_ends[words]
    # All runs go to rjieba in one call.
    positions, joined = joined_by_newlines(codes, starts, ends)
    tokens = cutter.cut(text_of(joined))
    token_lengths = np.fromiter(map(len, tokens), dtype=np.int64, count=len(tokens))
    cuts = positions[np.cumsum(token_lengths) - token_lengths]
    # A newline of the joined text lies on the character behind the run. Where that is a letter of another
    # script, a word begins there; a mark goes on with the word before it.
    cuts = cuts[cuts < len(codes)]
    begin_words = (classes[cuts] & LETTER) != 0
    if cutter.knows_mixed_words:  # other scripts' words are not rjieba's to cut
        borders_han = (classes[cuts] & HAN) != 0
        borders_han |= (cuts > 0) & ((bearers_of(classes)[cuts - 1] & HAN) != 0)
        begin_words &= borders_han
    chosen: Positions = cuts[begin_words]
    return chosen


@functools.cache
def _installed_segmenter() -> str:
    from importlib.metadata import version  # takes as long to load as all else here

    return f"rjieba {version('rjieba')}"


def _thinned(sample: str) -> str:
    """Of a long sample stretches spread over it: shares are told well enough by a hundred thousand characters."""
    if len(sample) <= _STRETCHES * _STRETCH_CHARACTERS:
        return sample
    starts = (len(sample) * number // _STRETCHES for number in range(_STRETCHES))
    return "\n".join(sample[start : start + _STRETCH_CHARACTERS] for start in starts)


def _suited(sample: str) -> tuple[Method, str]:
    """The method that suits `sample`, and a sentence that says why."""
    codes, classes = classified(sample, "NFC")
    letters = (classes & LETTER) != 0
    han = (classes & HAN) != 0
    kana = in_ranges(codes, LETTERS["kana"])
    han_share = _share(han & letters, letters)
    kana_share = _share(kana, han | kana)
    is_japanese = kana_share >= _KANA_SHARE_OF_JAPANESE
    if han_share >= _HAN_SHARE_OF_CHINESE and not is_japanese:
        segmented_share = _segmented_share(codes, classes)
        if segmented_share >= 0.9:
            reason = f"{segmented_share:.0%} of the Chinese lines have spaces between their words already"
            return "space", f"white space separates words: {reason}"
        return "chinese", f"Chinese words, cut by rjieba: {han_share:.0%} of the letters are Han characters"
    if _stands_apart(sample):
        return "space", "white space separates words: punctuation stands apart, so the text is split already"
    if not is_japanese and _has_phrases(codes, classes, letters):
        share = _percent(han_share)
        return "chinese", f"Chinese words, cut by rjieba, in other text: {share} of the letters are Han characters"
    return "words", "Unicode words: runs of letters, marks and digits"


def _has_phrases(codes: Codes, classes: Classes, letters: Mask) -> bool:
    """Whether more than a trace of the text are runs of Han characters, longer than words, in lines not segmented."""
    runs = _han_runs(classes, np.flatnonzero((classes & SPACE) != 0), np.flatnonzero(codes == NEWLINE))
    lengths = (runs.ends - runs.starts)[~runs.are_segmented]
    n_han = int(lengths.sum())
    return n_han > _MOST_HAN_PER_WORD * len(lengths) and _is_no_trace(n_han, letters)


def _is_no_trace(n_han: int, letters: Mask) -> bool:
    return n_han >= max(_LEAST_HAN, _LEAST_HAN_SHARE * int(np.count_nonzero(letters)))


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.01 else f"{share:.1%}"


def _no_segmenter(script: str, share: float, words: str) -> Caution:
    return Caution(
        f"{share:.0%} of the letters are {script}, written without spaces between words, and nothing here finds the "
        f"words: those trained on would be whole phrases ({words}). --segment characters takes each letter as a "
        "word; or split the text by a program of its own and use --segment space",
        "--segment characters",
    )


def _mean_length(split: Split, written: Mask) -> float:
    """How many characters of a script the words have that have any."""
    before = np.concatenate(([0], np.cumsum(written)))
    lengths = before[split.ends] - before[split.starts]
    return float(lengths.sum() / max(1, np.count_nonzero(lengths)))


def _share(part: Mask, whole: Mask) -> float:
    return int(np.count_nonzero(part)) / max(1, int(np.count_nonzero(whole)))


def _segmented_share(codes: Codes, classes: Classes) -> float:
    """The share of Chinese lines with spaces between their words; lines that may be one word do not count."""
    newlines = np.flatnonzero(codes == NEWLINE)
    runs = _han_runs(classes, np.flatnonzero((classes & SPACE) != 0), newlines)
    characters = np.bincount(runs.lines, weights=runs.ends - runs.starts)
    segmented = np.zeros(len(characters), dtype=np.bool_)
    segmented[runs.lines] = runs.are_segmented
    return _share(segmented & (characters > _MOST_HAN_PER_WORD), characters > _MOST_HAN_PER_WORD)


def _stands_apart(sample: str) -> bool:
    """Whether commas, full stops and the like stand alone between white space, nearly all of them."""
    marks = ",.;:!?，。；：！？、"
    n_marks = sum(map(sample.count, marks))
    n_alone = sum(word in marks for word in sample.split())
    return n_marks >= 20 and n_alone >= 0.9 * n_marks
