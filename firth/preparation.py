"""How text is prepared for training: everything between the files and the words' ids, in one value."""

import codecs
import re
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_type_hints

from firth.errors import FirthError, UsageError
from firth.files import printable

MARKUP: Final = ("html", "wiki", "markdown", "urls", "codes")
"""Kinds of markup, in the order in which they are taken out: what an entity stands for may be a tag's sign."""

_FILES: Final = ("user_words", "phrases")  # fields that name one
_DUE: Final[Mapping[Any, str]] = {bool: "True or False", bool | None: "True, False or None", int: "a whole number"}


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """How files or strings become documents, lines and words.

    Attributes:
        field: Of JSON lines and Parquet: the column that holds the text (None: `text`). Naming it makes JSON lines of
            standard input, and of files under any name that begin with a brace.
        keep: Of JSON lines and Parquet: columns kept with every document, as year and source.
        keep_from_name: A regular expression with named groups, searched in a file's name, and if that does not match,
            in its path; what the groups match is kept with every document of the file.
        encoding: Of text files: the name of any text codec of Python's. Of several, as utf-8,gb18030, each file is read
            by the first one that all of its bytes are valid in, or else by the one with the fewest that are not;
            standard input by what its first megabyte is in.
        encoding_errors: Bytes that are not valid: `strict` stops at them, `replace` puts U+FFFD in their place, `skip`
            leaves them out; both are counted.
        layout: `lines` takes a line as a paragraph or sentence, and an empty line as a document's end; `wrapped` joins
            the lines of a paragraph, which an empty line ends, and takes a file as a document; `file` takes a file as a
            document, whatever empty lines it has; `auto` looks at the text.
        sentences: `split` makes every sentence a line of its own; `lines` leaves lines as they are; `auto` splits where
            the family needs sentences.
        lang: The language whose rules end sentences, as en or zh; by default found by looking at the text.
        segment: How lines become words: `words`, `space`, `chinese`, `characters`, or `auto`, which looks at the text.
        cased: Keep capital letters apart from small ones. None is as the family has it: ELMo keeps them apart, all
            others do not.
        punctuation: Take punctuation marks and symbols as words, like ones in a row as one; else they part words and
            are none. None is as the family has it: words to ELMo, to all others not. Text that is cut at white space
            keeps what it has.
        unicode_form: `NFC` composes what is one character; `NFKC` also makes wide, small and ligature forms plain.
        digits: `keep` leaves digits as they are; `zero` makes each of them 0, so that numbers of a shape are one word.
        simplified: Make traditional Chinese simplified (needs the extra `opencc`).
        inner: Characters that belong to a word where they stand between two letters of it: "'-" keeps don't whole.
        user_words: A file of words that Chinese text is cut by beside the dictionary's: a word a line, and a frequency
            and a tag behind it, if known.
        phrases: A file of phrases, as `firth phrases` writes it: where their words stand together they become one.
        drop: Markup to leave out, of each line: `html` tags, comments and entities (which become what they stand for);
            `wiki` links, templates, tables and signs; `markdown` links and signs, of links the text stays; `urls` and
            e-mail addresses; `codes`, more than 40 Latin letters, digits, + / and _ in a row,
            with a digit or a capital behind a small letter among them, or of capitals alone.
        drop_duplicates: Leave out `lines` or `documents` whose words have all been met before in the same order.
        max_types: At most so many different words are counted at a time: beyond, the rarest so far are dropped.
    """

    field: str | None = None
    keep: tuple[str, ...] = ()
    keep_from_name: str | None = None
    encoding: str = "utf-8"
    encoding_errors: Literal["strict", "replace", "skip"] = "strict"
    layout: Literal["auto", "lines", "wrapped", "file"] = "auto"
    sentences: Literal["auto", "lines", "split"] = "auto"
    lang: str | None = None
    segment: Literal["auto", "words", "space", "chinese", "characters"] = "auto"
    cased: bool | None = None
    punctuation: bool | None = None
    unicode_form: Literal["NFC", "NFKC"] = "NFC"
    digits: Literal["keep", "zero"] = "keep"
    simplified: bool = False
    inner: str = ""
    user_words: Path | None = None
    phrases: Path | None = None
    drop: tuple[str, ...] = ()
    drop_duplicates: Literal["no", "lines", "documents"] = "no"
    max_types: int = 20_000_000

    def __post_init__(self) -> None:
        """Refuses what lies outside a field's range (UsageError)."""
        names: Any = self.keep
        for name in _FILES:
            if isinstance(path := getattr(self, name), str):
                object.__setattr__(self, name, Path(path))
        if isinstance(names, str) or not all(isinstance(name, str) for name in names):
            asked = printable(repr(names))
            raise UsageError(f"keep is {asked}; it must be a tuple of names, as ('year', 'source')")
        object.__setattr__(self, "keep", tuple(names))
        for name, hint in get_type_hints(type(self)).items():
            due = _DUE.get(hint)
            if due is not None and type(getattr(self, name)) not in (get_args(hint) or (hint,)):
                raise UsageError(f"{name} is {printable(repr(getattr(self, name)))}; it must be {due}")
            choices = get_args(hint)
            if choices and all(isinstance(choice, str) for choice in choices) and getattr(self, name) not in choices:
                asked = printable(str(getattr(self, name)))
                raise UsageError(f"{name} is {asked!r}; there are {', '.join(choices)}")
        object.__setattr__(self, "drop", kinds_of_markup(self.drop))
        for encoding in self.encodings:
            try:
                "a".encode(encoding)
                codecs.getincrementaldecoder(encoding)
            except (LookupError, ValueError):
                asked = printable(encoding)
                raise UsageError(f"no encoding is called '{asked}'; utf-8, gb18030, big5, latin-1 are some") from None
        if self.keep_from_name is not None:
            try:
                groups = re.compile(self.keep_from_name).groupindex
            except re.error as error:
                raise UsageError(f"keep_from_name is no regular expression: {error}") from None
            if not groups:
                raise UsageError(
                    "keep_from_name names nothing to keep: give its groups names, as (?P<year>[0-9]{4}) for a year"
                )
            if twice := sorted(set(groups) & set(self.keep)):
                raise UsageError(f"{', '.join(twice)} is kept twice: from the columns and from the names of files")
        if self.max_types < 2:
            raise UsageError(f"max_types is {self.max_types}; it must be at least 2")
        if any(character.isspace() or character.isalnum() for character in self.inner):
            raise UsageError(f"inner is {printable(self.inner)!r}; letters, digits and white space need not be named")

    @property
    def encodings(self) -> tuple[str, ...]:
        """The encodings that a file may be in, the likeliest first."""
        return tuple(name.strip() for name in self.encoding.split(","))

    @property
    def column(self) -> str:
        """The column that holds the text of records."""
        return "text" if self.field is None else self.field

    def completed(self, *, cased: bool, punctuation: bool) -> "Preparation":
        """The same, with these where it leaves open what becomes of capital letters and punctuation marks."""
        return replace(
            self,
            cased=cased if self.cased is None else self.cased,
            punctuation=punctuation if self.punctuation is None else self.punctuation,
        )

    def settings(self) -> dict[str, Any]:
        """Plain values for a JSON file, from which `from_settings` makes an equal preparation."""
        paths = {name: getattr(self, name) for name in _FILES}
        files = {name: None if path is None else str(path) for name, path in paths.items()}
        settings = asdict(self) | {"keep": list(self.keep)} | files
        if self.drop:
            return settings | {"drop": list(self.drop)}
        del settings["drop"]  # as before there was such a thing
        return settings

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> "Preparation":
        """The preparation that `settings` were taken from.

        Raises:
            FirthError: settings that this version of firth does not know.
        """
        try:
            files = {name: Path(path) for name in _FILES if (path := settings.get(name)) is not None}
            lists = {"keep": tuple(settings["keep"]), "drop": tuple(settings.get("drop", ()))}
            return cls(**{**settings, **lists, **files})
        except (TypeError, KeyError, UsageError) as error:
            raise FirthError(f"no preparation is described there; a newer firth may have written it: {error}") from None


def kinds_of_markup(asked: Collection[str]) -> tuple[str, ...]:
    """Those of `MARKUP` that are asked for, in its order; several may be named together, as "html,urls".

    Raises:
        UsageError: there is no such kind.
    """
    named = {kind.strip() for part in ([asked] if isinstance(asked, str) else asked) for kind in str(part).split(",")}
    if unknown := sorted(named - {*MARKUP, ""}):
        raise UsageError(f"drop is {printable(', '.join(unknown))!r}; there are {', '.join(MARKUP)}")
    return tuple(kind for kind in MARKUP if kind in named)
