"""What `firth check` finds in a corpus: plain values."""

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple


class Finding(NamedTuple):
    """Something to mend.

    Attributes:
        message: What there is and what it costs, in a sentence.
        option: What mends it, as "--layout wrapped"; empty where that is for another program.
    """

    message: str
    option: str


class Pace(NamedTuple):
    """How fast a family of whole words trains here.

    Attributes:
        words_per_second: On a sample of the corpus, without compiling; of GloVe, what is to be expected of all of it.
        epochs: Those of a training that is told no budget.
        seconds: What they take.
    """

    words_per_second: float
    epochs: int
    seconds: float


class PiecesPace(NamedTuple):
    """How fast a contextual family trains here, in the size that the default budget suffices for.

    Attributes:
        size: The preset; see `sizes.chosen_size`.
        tokens_per_second: On a sample of the corpus.
        n_tokens: Of the corpus; pieces are told from the sample.
        seconds: What one pass over the corpus takes.
        minutes: The default budget.
        epochs: Passes over the corpus in it.
        unit: What a token is.
    """

    size: str
    tokens_per_second: float
    n_tokens: int
    seconds: float
    minutes: float
    epochs: float
    unit: str = "pieces"


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What was found in a corpus; plain values.

    Attributes:
        name: What messages call the corpus.
        n_bytes: Of its files, compressed ones as they are; None for a stream.
        n_documents: Documents with words.
        n_lines: Lines with words.
        n_sentences: Estimated from a sample.
        n_tokens: Words.
        n_types: Different words.
        words_per_line: On average.
        words_per_sentence: On average, in the sample.
        longest_line: The characters of the longest line, one without words too.
        longest_line_place: Its file and number, or its record.
        longest_line_begins: Its first characters.
        layout: What lines were taken for.
        layout_reason: Why.
        recognised_layout: What looking at the text alone would take them for.
        lang: The language whose rules end sentences.
        segment: How words were found.
        segment_reason: Why.
        scripts: Shares of the sample's letters.
        markup: Shares of the sample's lines.
        text_field: Of the lines that look like JSON: the field that holds most text; empty where there is none.
        invalid: By file, how many stretches of bytes are not valid in the encoding.
        first_invalid: Where the first of them are: file, line, byte offset.
        encoding: What all of the text is in, where that is not what was asked for; None where it is, where the files
            differ, and where nothing can be told.
        encodings: By file, what it is in, where the files differ.
        undecodable: By file, the share of the characters that are not valid, where that is much and no encoding fits,
            or several do.
        possible: By file of these, some words as they read in the two likeliest encodings, where neither is clearly
            ahead.
        n_duplicate_lines: Lines whose words are those of one before; None where types were pruned, since words that
            differ are one then.
        duplicate_line_words: The share of all words that stand in them.
        n_duplicate_documents: Documents whose lines are those of one before.
        duplicate_document_words: The share of all words that stand in them.
        are_duplicates_exact: Whether all lines and documents were counted, or, of very many, told from a share of them.
        once: The share of types that occur once.
        rare: The share of words whose types occur fewer than five times.
        long: The share of types longer than 40 letters.
        numbers: The share of types made of digits.
        codes: The share of types that mix letters and digits.
        n_pruned_types: Dropped because there were too many at a time.
        n_pruned_tokens: The words that were of these types.
        remarks: What else training says of the reading: files passed over, named twice, records without text.
        paces: By family of whole words.
        pieces_paces: By contextual family.
        unmeasured: By family, why its pace is in neither.
        threads: That the paces were measured with.
        findings: What to mend.
        command: The training that is advised; empty where none would succeed, which a finding explains.
    """

    name: str
    n_bytes: int | None
    n_documents: int
    n_lines: int
    n_sentences: int
    n_tokens: int
    n_types: int
    words_per_line: float
    words_per_sentence: float
    longest_line: int
    longest_line_place: str
    longest_line_begins: str
    layout: str
    layout_reason: str
    recognised_layout: str
    lang: str
    segment: str
    segment_reason: str
    scripts: dict[str, float]
    markup: dict[str, float]
    text_field: str
    invalid: dict[str, int]
    first_invalid: tuple[str, ...]
    encoding: str | None
    encodings: dict[str, str]
    undecodable: dict[str, float]
    possible: dict[str, dict[str, str]]
    n_duplicate_lines: int | None
    duplicate_line_words: float | None
    n_duplicate_documents: int | None
    duplicate_document_words: float | None
    are_duplicates_exact: bool
    once: float
    rare: float
    long: float
    numbers: float
    codes: float
    n_pruned_types: int
    n_pruned_tokens: int
    remarks: tuple[str, ...]
    paces: dict[str, Pace]
    pieces_paces: dict[str, PiecesPace]
    unmeasured: dict[str, str]
    threads: int
    findings: tuple[Finding, ...] = ()
    command: str = ""

    def settings(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        named: dict[str, Any] = {
            "paces": {name: pace._asdict() for name, pace in self.paces.items()},
            "pieces_paces": {name: pace._asdict() for name, pace in self.pieces_paces.items()},
            "findings": [finding._asdict() for finding in self.findings],
        }
        return asdict(self) | named
