"""Raw text made into lines that are paragraphs or sentences: hard-wrapped lines joined, sentences told apart.

Everything streams: text comes in pieces of any size, and what goes out does not depend on where they were cut.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain, pairwise
from typing import Final, Literal

from firth.errors import FirthError, UsageError
from firth.files import printable
from firth.scripts import LETTERS, character_class, letters_by_script

Layout = Literal["lines", "wrapped"]
Joined = Literal["lines", "wrapped", "file"]

# How wrapped text is recognised.
_LEAST_BROKEN: Final = 20  # lines that end in mid-sentence: from fewer, nothing can be told
_BROKEN_SHARE: Final = 0.5  # of the lines that another one follows
_NARROWEST: Final = 32  # columns; narrower lines are verse, subtitles, words
_WIDEST: Final = 200
_NEAR: Final = 0.15  # how far from the usual width a line may stay, as a part of it
_NEAR_SHARE: Final = 0.8
_MOST_INDENTED: Final = 0.7  # of the lines: if more are, that marks no paragraphs
_LETTER_SHARE: Final = 0.6  # of the next lines: those that begin with a letter
_SMALL_SHARE: Final = 0.4  # of the next lines that begin with a cased letter: those that begin with a small one
_FITTING_SHARE: Final = 0.25  # lines whose end had room for the next one's first word, where no letters have case
_SAME_START_SHARE: Final = 0.2  # logs and tables begin every line alike
BEGINNING_CHARACTERS: Final = 1 << 16  # of a file among others, by which it is told whether it is wrapped
_SHORTEST_BEGINNING: Final = 1 << 12  # of a shorter one, nothing can be told
_WIDE_SHARE: Final = 0.5  # of the characters: if more stand in lines wider than any column, they were not wrapped

# How it is unwrapped.
_FULL: Final = 0.95  # of the width: a line that had room below this for the next one's first word is short
_HALF: Final = 0.5  # the same: this one was not broken by wrapping at all
_WIDTH_KEPT: Final = 0.99  # a line: the width follows where later pages are narrower
_LINE_CHARACTERS: Final = 1 << 16  # a longer line passes in parts
_HYPHENS: Final = "-\u2010"
_SOFT_HYPHEN: Final = "\u00ad"
_LINE_END_HYPHENS: Final = _SOFT_HYPHEN + "\u00ac"  # the second as some OCR writes it
_AHEAD_CHARACTERS: Final = 1 << 20  # whose words are known before the lines of them are joined
_BLOCKS_READ: Final = 4  # for their words, which takes longer than all else; of those behind them one in
_BLOCKS_PASSED: Final = 8
_WORDS_REMEMBERED: Final = 200_000  # and at most those of one more block
_WORD_BYTES: Final = 40  # a longer one is not remembered
_LEAST_OF_COMPOUND: Final = 4  # bytes; shorter words are as often syllables: in-, -man, -ing
_SMALL_OR_SPACE: Final = bytes(
    byte if byte >= 128 or chr(byte).isalnum() or byte in b"-_\0" else 32 for byte in bytes(range(256)).lower()
)
_TYPOGRAPHIC: Final = re.compile(rb"\xe2\x80[\x80-\xbf]")  # U+2000 to U+203F: quotation marks, dashes, spaces

# How sentences are found.
_WINDOW_CHARACTERS: Final = 1 << 13  # sentencex takes time that grows with the square of a line's length
_NEVER_CUT_BEHIND: Final = "'’-‐.·_．："  # they may stand inside a word
_WIDE_SPACE: Final = re.compile(r"[^\S ]")

_CODE: Final = re.compile("[a-z]{2,3}(-[a-z0-9]{2,8})*")  # of a language: ISO 639, and a script or country behind it
_WITH_RULES: Final = "am ar bg bn ca da de el en es fi fr gu hi hy it ja kk kn ml mr my nl pa pl pt ru sk ta te uk"
"""Languages whose sentences end by rules of their own in sentencex 1.0 (its src/lib.rs)."""

_CLOSING: Final = "\"'”’)]}»›）」』】》〉〕"
_TERMINAL: Final = ".!?:…。！？：．｡।॥؟۔։።။"
_BLANK_LINES: Final = re.compile(r"\n\s*\n")
_EDGE_PUNCTUATION: Final = "‘’“”—…·"  # it counts as Chinese beside Chinese characters

_LANGUAGE_OF_SCRIPT: Final = {
    "Han": "zh",
    "Hangul": "ko",
    "Greek": "el",
    "Hebrew": "he",
    "Devanagari": "hi",
    "Bengali": "bn",
    "Gurmukhi": "pa",
    "Gujarati": "gu",
    "Tamil": "ta",
    "Telugu": "te",
    "Kannada": "kn",
    "Malayalam": "ml",
    "Sinhala": "si",
    "Thai": "th",
    "Lao": "lo",
    "Tibetan": "bo",
    "Burmese": "my",
    "Khmer": "km",
    "Georgian": "ka",
    "Armenian": "hy",
    "Ethiopic": "am",
}
_CHINESE: Final = re.compile(f"[{character_class(LETTERS['Han'] + LETTERS['kana'])}\u3001-\u303f\u30fb\uff01-\uff65]")
_WIDE: Final = re.compile(
    "[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60]"
)

_FREQUENT_WORDS: Final = {
    "Latin": {
        "en": "the of and to in is was that for it with as his on be at by from are this",
        "de": "der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als",
        "fr": "de la le et les des en du une est dans que qui il au sur par pour pas plus",
        "es": "de la que el en y los se del las un por con una su para es al como más",
        "pt": "de que e o a do da em um para com não uma os no se na por mais dos",
        "it": "di che e la il un a per in una è non sono del della con si le dei anche",
        "nl": "de van het een en in is dat op te zijn met voor niet aan er om door ook werd",
        "sv": "och i att det som en på är av för med till den har de inte om ett han var",
        "da": "og i at det en den til er som på de med for af ikke der var et har hun",
        "no": "og i det er på til som en å for av at med de ikke den har han ble fra",
        "fi": "ja on ei se että oli hän mutta ovat kun niin myös joka tai sen jotka ole mukaan kuin vuonna",
        "pl": "w i na z się do nie że jest o to jak za od po przez był oraz dla roku",
        "cs": "a v se na je že s z do o i to jako za by ve pro který byl jsou",
        "hu": "a az és hogy nem is egy volt meg ez csak de még mint ki már el azt amely vagy",
        "ro": "de și în a la cu pe care din un o este nu mai fost pentru că prin ale sau",
        "tr": "ve bir bu da de için ile çok olarak daha olan gibi var ne o kadar sonra en ama olduğu",
        "id": "yang dan di dengan untuk dari dalam ini pada adalah itu tidak sebagai ke oleh juga akan atau ada karena",
        "vi": "của và là có các được trong cho một người không đã với những này để từ khi đến như",
        "ca": "de la i el en que a les del per un amb una els és al no com més va",
    },
    "Cyrillic": {
        "ru": "и в не на что он с как это по но из у к за то его для был от",
        "uk": "і в не на що з він як та це до у за його але від є для й про",
        "bg": "и на да в се от за е с не че си по са като го му към през но",
        "sr": "и у је да се на за од са не као су који то из а би што је после",
    },
    "Arabic": {
        "ar": "في من على إلى أن التي عن مع هذا كان ما لا هذه الذي أو بين بعد كما قد وقد",
        "fa": "و در به از که این را با است برای آن یک خود تا بر شد بود هم نیز کرد",
        "ur": "کے میں کی ہے اور سے کا کو اس نے پر کہ یہ ہیں بھی ایک تھا جو نہیں تھے",
    },
}


def recognised(samples: list[str]) -> tuple[Layout, str]:
    """How the text that `samples` are taken from is laid out, and a sentence that says why; "" for the ordinary.

    Wrapped are lines that end in mid-sentence and are nearly equally long while they do, as in books and OCR.

    Args:
        samples: stretches of whole lines.
    """
    broken: list[str] = []  # lines that end in mid-sentence and that another one of the paragraph follows
    following: list[str] = []
    n_followed = 0
    for line, next_line in _neighbouring(samples):
        n_followed += 1
        if not _ends_sentence(line):
            broken.append(line)
            following.append(next_line)
    if len(broken) < max(_LEAST_BROKEN, _BROKEN_SHARE * n_followed):
        return "lines", ""
    # Some Chinese is wrapped at a number of characters, some at a number of columns, of which they take two.
    near_share, width, widths = max(_evenness(broken, len), _evenness(broken, _columns))
    same_starts = Counter(line.split(maxsplit=1)[0] for line in following).most_common(1)[0][1]
    if (
        not _NARROWEST <= sum(map(_columns, broken)) / len(broken) <= _WIDEST
        or near_share < _NEAR_SHARE
        or same_starts > _SAME_START_SHARE * len(following)
        or not _go_on(following, widths)
    ):
        return "lines", ""
    share = len(broken) / n_followed
    return (
        "wrapped",
        f"{share:.0%} of the lines end in mid-sentence, {near_share:.0%} of these after about {width} characters",
    )


def of_file(beginning: str, others: Layout) -> Layout:
    """How a file is laid out that begins so; as its neighbours are, where the beginning does not tell.

    Certainly not wrapped are wide lines, and lines most of which end a sentence. What else is not recognised as wrapped
    may be a title page and a table of contents.

    Args:
        beginning: whole lines, as many as `BEGINNING_CHARACTERS` hold.
        others: how most of the corpus is laid out.
    """
    if len(beginning) < _SHORTEST_BEGINNING:
        return others
    n_wide = sum(len(line) for line in beginning.split("\n") if _columns(line) > _WIDEST)
    if n_wide > _WIDE_SHARE * len(beginning):
        return "lines"
    if recognised([beginning])[0] == "wrapped":
        return "wrapped"
    followed = [line for line, _ in _neighbouring([beginning])]
    n_broken = sum(not _ends_sentence(line) for line in followed)
    is_certain = len(followed) >= 2 * _LEAST_BROKEN and n_broken < _BROKEN_SHARE * len(followed)
    return "lines" if is_certain else others


def _neighbouring(samples: list[str]) -> Iterator[tuple[str, str]]:
    """Every line that another one follows, and that one, where they may belong to the same paragraph."""
    pairs = [pair for sample in samples for pair in pairwise(sample.split("\n")) if pair[0].strip() and pair[1].strip()]
    n_indented = sum(following[0].isspace() for _, following in pairs)
    marks_paragraphs = n_indented < _MOST_INDENTED * len(pairs)
    for line, following in pairs:
        if not (marks_paragraphs and following[0].isspace()):
            yield line.strip(), following.strip()


def _evenness(lines: list[str], measure: Callable[[str], int]) -> tuple[float, int, list[int]]:
    """The share of lines near the usual width, that width, and all widths."""
    widths = [measure(line) for line in lines]
    width = sorted(widths)[len(widths) // 2]
    return sum(abs(columns - width) <= _NEAR * width for columns in widths) / len(widths), width, widths


def _go_on(following: list[str], widths: list[int]) -> bool:
    """Whether the lines in `following` look like continuations of others, which have `widths`."""
    n_letters = sum(line[0].isalpha() for line in following)
    if n_letters < _LETTER_SHARE * len(following):
        return False
    cased = [line[0] for line in following if line[0].lower() != line[0].upper()]
    if len(cased) >= 0.5 * n_letters:
        return sum(char.islower() for char in cased) >= _SMALL_SHARE * len(cased)
    # Letters without case: what was wrapped had no room for the next line's first word (in Chinese, character).
    margin = sorted(widths)[int(0.9 * len(widths))] - 2
    n_fitting = sum(columns + _first_unit(line) < margin for columns, line in zip(widths, following, strict=True))
    return n_fitting <= _FITTING_SHARE * len(following)


def _first_unit(line: str) -> int:
    """How many columns another line would need to take what wrapping keeps together at the beginning of this one."""
    if not line[0].isascii() and _CHINESE.match(line):
        return 2
    end = line.find(" ")
    return 1 + (end if end > 0 else len(line))


def _columns(line: str) -> int:
    """The width of `line` on a terminal, where a Chinese character takes two columns."""
    return len(line) if line.isascii() else len(line) + len(_WIDE.findall(line))


def _ends_sentence(line: str) -> bool:
    if line[-1] in _TERMINAL:
        return True
    return line[-1] in _CLOSING and line.rstrip(_CLOSING + " ")[-1:] in tuple(_TERMINAL)


def lines(texts: Iterator[str], *, layout: Joined, is_record: bool) -> Iterator[str]:
    """The text of a file or record, in pieces, in which a line is a paragraph or a sentence.

    Args:
        texts: the pieces of one unit; line ends are `\\n`.
        layout: `lines` gives what came in, in which an empty line ends a document. `wrapped` joins the lines of
            a paragraph. An empty line ends one; so do two of these three: a line ends a sentence, had room for
            the next one's first word, the next is indented; so does a line under half the width. A hyphen at a
            line's end goes where the words of the text say that it parts one, and stays before a capital or a
            digit. `file` leaves empty lines out. The last two make one document, closed by an empty line.
        is_record: whether the unit is one document whatever its layout.
    """
    if layout == "wrapped":
        return _unwrapped(texts)
    return _without_empty_lines(texts) if layout == "file" or is_record else texts


def _without_empty_lines(texts: Iterator[str]) -> Iterator[str]:
    space = "\n"  # white space at the end of what was given so far: held back till something follows it
    is_empty = True
    for piece in texts:
        visible_end = len(piece.rstrip())
        if visible_end:
            text = _BLANK_LINES.sub("\n", space + piece[:visible_end])
            yield text.removeprefix("\n") if is_empty else text
            is_empty = False
            space = ""
        space += piece[visible_end:]
        if "\n" in space:
            space = "\n" + space[space.rindex("\n") + 1 :][-_LINE_CHARACTERS:]
    if not is_empty:
        yield "\n\n"


def _unwrapped(texts: Iterator[str]) -> Iterator[str]:
    held = ""  # the last line, not given before it is known what follows it
    held_columns = 0
    width = 0.0  # of the widest lines of late
    is_after_blank = False
    hyphens = _LineEndHyphens()
    for block in _blocks(texts):
        hyphens.learn([held, *block])
        given: list[str] = []
        for line in block:
            text = line.strip()
            if not text or (text[0] == _SOFT_HYPHEN and not text.replace(_SOFT_HYPHEN, "").strip()):
                is_after_blank = True
                continue
            if held:
                is_end = is_after_blank
                if not is_end:
                    needed = held_columns + _first_unit(text) if held_columns < _FULL * width else held_columns
                    signs = (needed < _FULL * width) + line[0].isspace()
                    is_end = signs == 2 or (signs == 1 and _ends_sentence(held)) or needed < _HALF * width
                given.append(held + "\n" if is_end else _joinable(held, text, hyphens))
            held = text
            held_columns = _columns(text)
            width = max(_WIDTH_KEPT * width, min(held_columns, _WIDEST))
            is_after_blank = False
        if given:
            yield "".join(given).replace(_SOFT_HYPHEN, "")
    if held:
        yield held.replace(_SOFT_HYPHEN, "") + "\n\n"


def _blocks(texts: Iterator[str]) -> Iterator[list[str]]:
    """The lines in blocks whose ends do not depend on where the pieces were cut."""
    block: list[str] = []
    n_characters = 0
    for lines_of_piece in _split(texts):
        for line in lines_of_piece:
            block.append(line)
            n_characters += len(line) + 1
            if n_characters >= _AHEAD_CHARACTERS:
                yield block
                block = []
                n_characters = 0
    yield block


def _split(texts: Iterator[str]) -> Iterator[list[str]]:
    """The lines that end in each piece; a very long one as several, which are joined again as others are."""
    rest = ""
    for piece in texts:
        lines_of_piece = (rest + piece).split("\n")
        if max(map(len, lines_of_piece)) > _LINE_CHARACTERS:
            lines_of_piece = [part for line in lines_of_piece for part in _parts(line)]
        rest = lines_of_piece.pop()
        yield lines_of_piece
    yield [rest]


def _parts(line: str) -> Iterator[str]:
    start = 0
    while len(line) - start > _LINE_CHARACTERS:
        end = start + _LINE_CHARACTERS
        end = line.rfind(" ", start, end) + 1 or end
        yield line[start:end]
        start = end
    yield line[start:]


class _LineEndHyphens:
    """Tells hyphens that part a word at a line's end from those of compounds, by the words of the text so far."""

    def __init__(self) -> None:
        self._words: set[bytes] = set()  # and compounds
        self._n_blocks = 0
        self._n_parting = 0  # hyphens that the words showed to be the one or the other
        self._n_own = 0

    def learn(self, block: list[str]) -> None:
        """Remembers the words of these lines, save those that a line's end parts, and of some blocks none."""
        self._n_blocks += 1
        is_read = self._n_blocks <= _BLOCKS_READ or self._n_blocks % _BLOCKS_PASSED == 0
        if not is_read or len(self._words) >= _WORDS_REMEMBERED:
            return
        text = "\n".join(map(str.strip, block)).replace("\u2010\n", "-\n").replace("\u00ac\n", "-\n")
        text = text.replace(_SOFT_HYPHEN + "\n", "-\n")
        parted = text.replace("-\n", "-\0")  # neither a word nor a compound
        words = set(_folded(parted).split())
        self._words.update([word for word in words if len(word) <= _WORD_BYTES])

    def parts(self, line: str, following: str) -> bool:
        """Whether the hyphen at the end of `line` is there for the line's end alone."""
        before = _folded(line[-1 - _WORD_BYTES : -1]).split()[-1]
        behind = _folded(following[:_WORD_BYTES]).split()[0]
        left, right = before.rpartition(b"-")[2], behind.partition(b"-")[0]
        is_word = left + right in self._words
        is_compound = before + b"-" + behind in self._words
        if is_word != is_compound:
            self._n_parting += is_word
            self._n_own += is_compound
            return is_word
        if not is_word and min(len(left), len(right)) >= _LEAST_OF_COMPOUND and {left, right} <= self._words:
            return False
        return self._n_own <= self._n_parting


def _folded(text: str) -> bytes:
    """The text with small letters and without punctuation, as far as it is ASCII."""
    folded = text.encode(errors="replace").translate(_SMALL_OR_SPACE)
    if text.isascii():
        return folded
    folded = folded.replace("\u2010".encode(), b"-").replace(_SOFT_HYPHEN.encode(), b"")
    return _TYPOGRAPHIC.sub(b" ", folded)


def _joinable(line: str, following: str, hyphens: _LineEndHyphens) -> str:
    """`line` such that `following`, the next one, can be put right behind it."""
    last, first = line[-1], following[0]
    if last.isascii() and last != "-":
        return line + " "
    if last in _LINE_END_HYPHENS and first.isalnum():
        return line[:-1]
    if last in _HYPHENS and line[-2:-1].isalnum() and first.isalnum():
        is_break = line[-2].isalpha() and first.isalpha() and not first.isupper()
        return line[:-1] if is_break and hyphens.parts(line, following) else line
    if _CHINESE.match(last) and (_CHINESE.match(first) or first in _EDGE_PUNCTUATION):
        return line
    if last in _EDGE_PUNCTUATION and _CHINESE.match(first):
        return line
    return line + " "


def sentences(pieces: Iterator[str], lang: str) -> Iterator[str]:
    """The same text with every sentence on a line of its own; empty lines stay.

    No character is lost, and none but line ends comes in: where a sentence ends without white space behind it, that
    is behind a mark that stands in no word, so that runs of letters stay whole (what stands between white space
    need not).

    Args:
        pieces: of text; a line may go on in the next piece.
        lang: the language whose rules end sentences, as "en"; sentencex takes an unknown one for English.
    """
    rest = ""  # of the last line
    between = ""  # what goes before `rest`, if there is something to see in it
    for piece in pieces:
        *ended, rest = (rest + piece).split("\n")
        given: list[str] = []
        for line in ended:
            between, line = _long_line(line, lang, between, given)
            given += _end_of_line(line, lang, between), "\n"
            between = ""
        between, rest = _long_line(rest, lang, between, given)
        if given:
            yield "".join(given)
    if rest:
        yield _end_of_line(rest, lang, between)


def _end_of_line(line: str, lang: str, between: str) -> str:
    """The sentences of a line, or of what is left of it, a line each."""
    return line if not line or line.isspace() else between + "\n".join(_sentences_of(line, lang))


def _long_line(line: str, lang: str, between: str, given: list[str]) -> tuple[str, str]:
    """Gives the sentences of a line that is too long to be seen whole, a window at a time.

    The last sentence of a window begins the next one: it may not have ended. One that fills a window is given
    as it is, and goes on.

    Returns:
        What goes before the rest of the line, and the rest, which is shorter than a window.
    """
    start = 0
    while len(line) - start >= _WINDOW_CHARACTERS:
        window = line[start : start + _WINDOW_CHARACTERS]
        *whole, last = _sentences_of(window, lang)
        if whole:
            given.append(between + "\n".join(whole))
            between = "\n"
            start += len(window) - len(last)
        elif window.isspace():
            given.append(window)  # before a line end that is due: a line must not be empty
            start += len(window)
        else:
            given.append(between + window)
            between = ""
            start += len(window)
    return between, line[start:]


def _sentences_of(line: str, lang: str) -> list[str]:
    """The sentences of `line`, with the white space behind them; together they are the line."""
    found: list[str] = []
    start = end = 0
    for sentence in _segmented(line, lang):
        if end > start and not line[start:end].isspace() and _may_cut(line, end):
            found.append(line[start:end])
            start = end
        end += len(sentence)
    if line[start:].isspace() and found:
        found[-1] += line[start:]
    else:
        found.append(line[start:])
    return found


def _may_cut(line: str, place: int) -> bool:
    """Whether no word spans `place`."""
    last, first = line[place - 1], line[place]
    if last.isspace() or first.isspace():
        return True
    if last.isalnum() or last in _NEVER_CUT_BEHIND or (last.isascii() and first.isascii()):
        return False
    return unicodedata.category(first) not in ("Mn", "Mc", "Me", "Cf")


def _segmented(line: str, lang: str) -> list[str]:
    import sentencex  # its rules for 300 languages are loaded where they are needed alone

    # sentencex slices between bytes, and fails where white space of several bytes stands before a full stop.
    safe = line if line.isascii() else _WIDE_SPACE.sub(" ", line)
    try:
        found: list[str] = sentencex.segment(lang, safe)
    except BaseException as error:
        if type(error).__name__ == "PanicException":  # a bug in it costs a line its sentences, not the run
            return [line]
        raise
    if sum(map(len, found)) != len(line):
        raise FirthError(f"sentencex lost characters of a line ({lang}); read with sentences='lines'")
    return found


def remark_on_language(lang: str) -> str:
    """What the user should hear of a language that was asked for, in a sentence; empty where its rules are known.

    Raises:
        UsageError: this is no language's code.
    """
    rules = f"there are rules of their own for {_WITH_RULES}"
    if not _CODE.fullmatch(lang):
        raise UsageError(
            f"lang is '{printable(lang)}'; a language is named by its code in small letters, as en, zh or pt-br "
            f"(ISO 639); {rules}"
        )
    known = {*_WITH_RULES.split(), *_LANGUAGE_OF_SCRIPT.values(), *chain(*_FREQUENT_WORDS.values())}
    if lang.partition("-")[0] in known:
        return ""
    return f"sentences in {lang} end by the rules of a related language, if one is known, else by those of en; {rules}"


def language(samples: list[str]) -> str:
    """The language that most of `samples` are in, as "en" or "zh": by script, then by frequent words."""
    text = "\n".join(samples)
    counts = letters_by_script(text)
    if not counts:
        return "en"
    script = next(iter(counts))
    if script in ("Han", "kana") and counts["kana"] > 0.1 * (counts["kana"] + counts["Han"]):
        return "ja"
    if script in _LANGUAGE_OF_SCRIPT:
        return _LANGUAGE_OF_SCRIPT[script]
    return _by_frequent_words(text, _FREQUENT_WORDS.get(script, _FREQUENT_WORDS["Latin"]))


def _by_frequent_words(text: str, table: dict[str, str]) -> str:
    counts = Counter(re.findall(r"\w+", text.lower()))
    shares = {lang: sum(counts[word] for word in set(words.split())) for lang, words in table.items()}
    best = max(shares, key=lambda lang: shares[lang])
    return best if shares[best] else next(iter(table))
