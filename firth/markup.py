"""Markup taken out of text: tags and entities of HTML, signs of wikis and Markdown, addresses, encoded data.

Everything is found within a line, and only the kinds that `Preparation.drop` names. Where something goes, word joiners
(U+2060) fill its place, which no segmentation counts, so that a text keeps its length and its places: such text,
`blanked`, is what a query is cut from. A corpus is rid of them too, and of lines that held nothing else: `cleaned`.
"""

import html.entities
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Final, NamedTuple

FILL: Final = "\u2060"
"""Stands where markup was; it parts no word."""

_INLINE: Final = (  # tags that stand inside words too, as <b>b</b>old
    *("a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "del", "dfn", "em", "font", "i", "ins", "kbd"),
    *("mark", "q", "s", "samp", "small", "span", "strike", "strong", "tt", "u", "var", "wbr"),
)
_WITH_BARE: Final = (  # tags of which an attribute may stand without a value; "<hidden door>" is none
    "details|dialog|video|audio|track|input|option|optgroup|select|textarea|button|form|fieldset|iframe|img|script|"
    "ol|ul|li|td|th|tr|table|div|span|hr"
)
_BARE: Final = (
    "open|controls|autoplay|loop|muted|playsinline|default|required|readonly|multiple|autofocus|selected|checked|"
    "disabled|hidden|inert|novalidate|formnovalidate|value|reversed|allowfullscreen|ismap|async|defer|nomodule|nowrap|"
    "noshade|compact|declare|download|itemscope|contenteditable|draggable|alt|crossorigin"
)
_NESTED: Final = ("templates", "links")  # may stand in one another
_MOST_NESTED: Final = 8
_FILLED: Final = re.compile(f"[ \t]*{FILL}[ \t{FILL}]*")

Left = Callable[[re.Match[str]], str]
"""From a match to what stands in its place, which is as long."""


class _Rule(NamedTuple):
    """What is found, and what is left of it.

    Attributes:
        name: What it is called where it is counted.
        signs: A text that has none of these has nothing of the kind; with no signs it must be searched.
        pattern: What it is found by.
        left: What stands in its place.
    """

    name: str
    signs: tuple[str, ...]
    pattern: re.Pattern[str]
    left: Left


class _Begun(NamedTuple):
    """What there is so far of a line that goes on in the next block: anything that stays, anything that goes."""

    has_text: bool
    has_markup: bool

    @property
    def is_markup_alone(self) -> bool:
        """Whether nothing was kept of what there was."""
        return self.has_markup and not self.has_text


_NOTHING_BEGUN: Final = _Begun(has_text=False, has_markup=False)


def blanked(text: str, kinds: Collection[str], counts: Counter[str] | None = None) -> str:
    """`text` without markup of these kinds, and as long as it was; the same object where there is none.

    >>> blanked("caf&eacute;s", ["html"]).replace(FILL, "")
    'cafés'

    Args:
        text: Lines.
        kinds: As of `Preparation.drop`.
        counts: Counts what was found, by name.
    """
    for kind, rules in _RULES.items():
        if kind not in kinds:
            continue
        for rule in rules:
            for _ in range(_MOST_NESTED if rule.name in _NESTED else 1):
                if rule.signs and not any(sign in text for sign in rule.signs):
                    break
                new, n_found = rule.pattern.subn(rule.left, text)
                if new == text:
                    break
                if counts is not None and rule.left is _entity:  # unknown ones stay
                    n_found = sum(found[0] != _entity(found) for found in rule.pattern.finditer(text))
                if counts is not None:
                    counts[rule.name] += n_found
                text = new
    return text


def cleaned(blocks: Iterable[str], kinds: Collection[str], counts: Counter[str]) -> Iterator[str]:
    """Blocks of lines without markup of these kinds, which is counted by name.

    A line without markup stays as it is; one of markup alone goes, since an empty one would end a document.

    Args:
        blocks: Of whole lines, or of stretches of one.
        kinds: As of `Preparation.drop`.
        counts: Grows.
    """
    begun = _NOTHING_BEGUN
    for block in blocks:
        new = blanked(block, kinds, counts)
        if new == block and not begun.is_markup_alone:
            yield block
        else:
            yield _closed_up(block.split("\n"), new.split("\n"), begun)
        begun = _begun(block, new, begun)


def _begun(before: str, after: str, begun: _Begun) -> _Begun:
    """What there is of the last line of a block, which is not closed; `begun` is what came before the block."""
    first = before.rfind("\n") + 1
    old, new = before[first:], after[first:]
    has_text, has_markup = new.strip(f" \t{FILL}") != "", new != old
    return _Begun(has_text, has_markup) if first else _Begun(begun.has_text or has_text, begun.has_markup or has_markup)


def _closed_up(before: list[str], after: list[str], begun: _Begun) -> str:
    """Lines without what fills them up.

    Args:
        before: The lines as they were; the last one is not closed, and may be empty.
        after: The same, blanked.
        begun: The line that the first one goes on with.
    """
    lines: list[str] = []
    last = len(after) - 1
    for number, (old, new) in enumerate(zip(before, after, strict=True)):
        if new != old or (begun.is_markup_alone and not number):
            goes_on, is_left_open = begun.has_text and not number, number == last
            new = _FILLED.sub(lambda found: " " if " " in found[0] or "\t" in found[0] else "", new)
            new = new if goes_on else new.lstrip(" \t")
            new = new if is_left_open else new.rstrip(" \t")
            if not (new or goes_on or is_left_open):
                continue
        lines.append(new)
    return "\n".join(lines)


def _nothing(found: re.Match[str]) -> str:
    return FILL * len(found[0])


def _space(found: re.Match[str]) -> str:
    return " " + FILL * (len(found[0]) - 1)


def _inside(found: re.Match[str]) -> str:
    """What the match is around of, its last group, in its place."""
    start, stop = found.span(found.lastindex or 0)
    return FILL * (start - found.start()) + found.string[start:stop] + FILL * (found.end() - stop)


def _tag(found: re.Match[str]) -> str:
    return _nothing(found) if found[1] is not None and found[1].lower() in _INLINE else _space(found)


def _entity(found: re.Match[str]) -> str:
    """The character that an entity stands for; an unknown one stays."""
    name = found[1]
    if name[0] == "#":
        code = int(name[2:], 16) if name[1] in "xX" else int(name[1:])
        character = chr(code) if 0 < code < 0xD800 or 0xE000 <= code <= 0x10FFFF else "\ufffd"
    else:
        character = html.entities.html5.get(f"{name};", found[0])
    if not character.isprintable() and character not in "\u00ad\u200c\u200d":
        character = " "  # of some other width, or the end of a line
    return character + FILL * (len(found[0]) - len(character))


def _rule(name: str, signs: str, pattern: str, left: Left = _space, flags: int = 0) -> _Rule:
    return _Rule(name, tuple(signs.split()), re.compile(pattern, re.MULTILINE | flags), left)


# Quantifiers are bounded or possessive, so that no text takes long.
_RULES: Final[dict[str, tuple[_Rule, ...]]] = {
    "html": (
        _rule(
            "HTML entities",
            "&",
            r"&(?:amp;|\#38;|\#x26;){0,9}([a-zA-Z][a-zA-Z0-9]{1,31}|\#[0-9]{1,7}|\#[xX][0-9a-fA-F]{1,6});",
            _entity,
        ),
        _rule("HTML comments", "<!--", r"<!--.{0,20000}?-->"),
        _rule(
            "scripts and styles", "</", r"<(script|style)\b[^<>\n]{0,2000}+>.{0,9999}?</\1[ \t]*>", flags=re.IGNORECASE
        ),
        _rule(
            "HTML tags",
            "<",
            rf"<{FILL}{{0,60}}+"
            r"(?:/?([a-zA-Z][\w:.-]{0,60}+)(?:[ \t][^<>=\n]{0,500}+=[^<>\n]{0,4000}+|[ \t]{1,9}+(?:selected|checked|"
            r"disabled|hidden|nowrap|noshade|async|defer|compact|itemscope))?[ \t]{0,9}/?|"
            rf"(?i:{_WITH_BARE})(?:[ \t]{{1,9}}+(?i:{_BARE})(?![\w-])){{1,9}}+[ \t]{{0,9}}/?|[!?][^<>\n]{{0,4000}}+)>",
            _tag,
        ),
    ),
    "wiki": (
        _rule("references", "<ref", r"<ref\b[^<>\n/]{0,1000}+/>|<ref\b[^<>\n]{0,1000}+>.{0,5000}?</ref[ \t]*>"),
        _rule("templates", "{{", r"\{\{[^{}\n]{0,5000}+\}\}"),
        _rule("templates", "{{ }}", r"^[ \t]*(?:\{\{[^{}|\n]{0,200}+\|?|\}\})[ \t]*$"),  # of several lines
        _rule("tables", "{| |- |}", r"^[ \t]*(?:\{\||\|-|\|\}).*"),
        _rule("tables", "|", r"^[ \t]*\|[ \t]*+[\w -]{1,40}+="),
        _rule(
            "files and categories",
            "[[",
            r"\[\[(?:File|Image|Category|Datei|Bild|Kategorie|Fichier|Catégorie|Archivo|Categoría|文件|档案|檔案|图像|圖像|"
            r"分类|分類):(?:[^\[\]\n]|\[\[[^\[\]\n]{0,500}+\]\]|\[[^\[\]\n]{0,500}+\]){0,3000}+\]\]",
            flags=re.IGNORECASE,
        ),
        _rule("links", "[[", r"\[\[(?:[^\[\]|\n]{0,500}+\|){0,8}([^\[\]|\n]{0,500}+)\]\]", _inside),
        _rule("links", "[http [//", r"\[(?:https?:)?//[^\s\[\]]{1,2000}+[ \t]*+([^\[\]\n]{0,500}+)\]", _inside),
        _rule("signs of a wiki", "''", r"'{2,5}", _nothing),
        _rule("signs of a wiki", "==", r"^={2,6}+[ \t]*|[ \t]{0,9}={2,6}[ \t]*$", _nothing),
        _rule("signs of a wiki", "__", r"__[A-Z]{3,30}__"),
    ),
    "markdown": (
        _rule("fences", "``` ~~~", r"^[ \t]*(?:```|~~~).*"),
        _rule(
            "links",
            "](",
            r"!?\[([^\[\]\n]{0,1000}+)\]\([^()\n]{0,2000}(?:\([^()\n]{0,500}+\)[^()\n]{0,500})?\)",
            _inside,
        ),
        _rule("links", "][", r"!?\[([^\[\]\n]{1,1000}+)\]\[[^\[\]\n]{0,200}+\]", _inside),
        _rule("links", "]:", r"^[ \t]{0,3}\[[^\[\]\n]{1,200}+\]:[ \t].*"),
        _rule("signs of Markdown", "#", r"^[ \t]{0,3}#{1,6}[ \t]+"),
        _rule("signs of Markdown", "* + -", r"^[ \t]*[*+-][ \t]+(?=\S)"),
        _rule(
            "signs of Markdown",
            "* _",
            r"(?<![\w*])(\*{1,3}|_{1,3})(?=[^\s*_])([^\n]{0,500}?[^\s*_])\1(?![\w*])",
            _inside,
        ),
        _rule("signs of Markdown", "`", r"`{1,2}", _nothing),
    ),
    "urls": (
        _rule(
            "URLs",
            ":// www. WWW. Www.",
            r"(?=[fghirsw])(?<![a-z0-9])(?:(?:https?|ftps?|file|git|ssh|rtsp|irc)://|www\.)[!#-;=?-~]{0,2000}[a-z0-9/#&=_~$%+-]",
            flags=re.IGNORECASE,
        ),
        _rule(
            "e-mail addresses",
            "@",
            r"(?<![\w.%+-])[a-zA-Z0-9._%+-]{1,64}+@[a-zA-Z0-9-]{1,63}+(?:\.[a-zA-Z0-9-]{1,63}+){1,8}+",
        ),
    ),
    "codes": (
        _rule(  # letters of one case may be a word or a path: they need a digit or such a change, as base64 has
            "encoded data",
            "",
            r"(?<![a-zA-Z0-9+/_])(?=[a-zA-Z0-9])"
            r"(?=[a-zA-Z+/_]*+[0-9]|[a-zA-Z+/_]*?[a-z][A-Z]|[A-Z]{41,}+(?![a-z+/_]))[a-zA-Z0-9+/_]{41,}+={0,2}",
        ),
    ),
}
