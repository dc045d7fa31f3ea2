"""Text -> pieces of words: WordPiece, byte-pair encoding, byte-level byte-pair encoding.

`train_pieces` learns a vocabulary from text, `Pieces.read` takes one that is there, and both give the same kind of
value. A vocabulary that was learnt is the same to the byte in every process: see `firth.merges`.
"""

import hashlib
import heapq
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from firth.errors import FirthError, UsageError
from firth.files import printable, replacing
from firth.merges import Marks, learn
from firth.segmentation import Segmentation

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Kind = Literal["wordpiece", "bpe", "byte_bpe"]
Cleaning = Literal["none", "plain"]

MULTIPLE: Final = 64
"""The rows of a table of pieces are a multiple of this, which matrix products like."""
LONGEST_WORD: Final = 100
"""Characters of the longest word that WordPiece looks for entries in; a longer one is unknown as a whole."""
PARTED: Final = rf"[\s\S]{{1,{LONGEST_WORD}}}"
"""What parts longer words where a vocabulary is learnt from text that has many."""
MAX_CHARACTERS: Final = 50_000_000
"""So much of the text a vocabulary is learnt from, if there is more of it."""

_SPECIALS: Final[dict[Kind, tuple[str, ...]]] = {
    "wordpiece": ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"),
    "bpe": ("<unk>",),
    "byte_bpe": ("<|endoftext|>",),
}
_MARKS: Final[dict[Kind, Marks]] = {"wordpiece": "inside", "bpe": "end", "byte_bpe": "none"}
_CLASSES: Final[dict[Kind, str]] = {
    "wordpiece": "BertTokenizer",
    "bpe": "OpenAIGPTTokenizer",
    "byte_bpe": "GPT2Tokenizer",
}
_PLAIN: Final = (  # as `ftfy.fix_text` and GPT-1's `text_standardize` write them
    ("[\u2018\u2019\u201a\u201b\u00b4\u02bc]", "'"),
    ("[\u201c\u201d\u201e\u201f]", '"'),
    ("[\u2012-\u2015]", "-"),
    ("\u2026", "..."),
)
PLAIN_PATTERNS: Final = frozenset(pattern for pattern, _ in _PLAIN)
"""What the cleaning `plain` replaces: single characters."""
HAN: Final = "\u3400-\u4dbf\u4e00-\u9fff"
"""Characters that BERT sets apart by spaces, of those that normalising leaves as they are."""
_UNIT_CHARACTERS: Final = 1 << 16  # of text that is sampled or left out together
_LEAST_COUNT: Final = 2  # of a word that is added
_MOST_TYPES: Final = 1 << 19  # between white space, cut into words together
_UNSPACED: Final = re.compile(  # Han, kana, Thai, Lao, Burmese, Khmer
    "[\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\uaa60-\uaa7f\ua9e0-\ua9ff]"
)
_HAN_WORD: Final = re.compile(f"[{HAN}]+")
_FOUND_ANYWHERE: Final = {
    "single_word": False,
    "lstrip": False,
    "rstrip": False,
    "normalized": False,
    "special": False,
}
_LEAST_LONG: Final = 0.001  # of the characters, in words that are too long: from here on they are parted
_LEAST_MARKS: Final = 0.02  # of the characters: from here on they are no strays
_LOOKED_AT: Final = 1 << 14  # characters of each of some texts, for that
_LETTER: Final = re.compile(r"[^\W\d_]")
_LEAST_UNSPACED: Final = 0.05  # of the letters


@dataclass(frozen=True, kw_only=True)
class Pieces:
    """What turns text into pieces, and their ids into text; equal where its file is.

    Attributes:
        kind: `wordpiece` as BERT's, `bpe` as GPT-1's, `byte_bpe` as GPT-2's.
        backend: The tokenizer itself, which neither pads nor truncates.
        n_entries: How many ids there are.
        size: The rows of a table for them: `n_entries` and padding up to a multiple of 64. No text has the ids of the
            padding.
        pad: The id of [PAD], of `wordpiece`; None where there is none, as below.
        unk: Of [UNK] or <unk>.
        cls: Of [CLS].
        sep: Of [SEP].
        mask: Of [MASK].
        end: Of <|endoftext|>, which ends a document, of `byte_bpe`.
        special_ids: All ids that stand for no text, in order.
        digest: SHA-256 of tokenizer.json, in hexadecimal.
        remarks: What the user should hear of how it was made, a sentence each.
    """

    kind: Kind = field(compare=False)
    backend: "Tokenizer" = field(compare=False, repr=False)
    n_entries: int = field(compare=False)
    size: int = field(compare=False)
    pad: int | None = field(compare=False)
    unk: int | None = field(compare=False)
    cls: int | None = field(compare=False)
    sep: int | None = field(compare=False)
    mask: int | None = field(compare=False)
    end: int | None = field(compare=False)
    special_ids: tuple[int, ...] = field(compare=False)
    digest: str
    remarks: tuple[str, ...] = field(default=(), compare=False)

    def encode(self, texts: list[str]) -> list[list[int]]:
        """The ids of the pieces of each text, without special pieces at its ends; on all cores."""
        return [encoding.ids for encoding in self.backend.encode_batch_fast(texts, add_special_tokens=False)]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of pieces, as near to what was encoded as they tell; special ones are left out."""
        return self.backend.decode([piece for piece in ids if piece < self.n_entries], skip_special_tokens=True)

    @property
    def folds_case(self) -> bool:
        """Whether capital letters are made small."""
        normalizer = self.backend.normalizer
        return normalizer is not None and bool(normalizer.normalize_str("A") == "a")

    def piece(self, piece_id: int) -> str:
        """The entry of an id as it is written in the vocabulary, as ##ing; of padding, the empty string."""
        return self.backend.id_to_token(piece_id) or ""

    def write(self, folder: Path | str, *, context_length: int | None = None) -> None:
        """Writes what `transformers.AutoTokenizer` opens, and gives the same ids by, into `folder`.

        That is tokenizer.json, tokenizer_config.json, and vocab.txt or vocab.json with merges.txt.

        Args:
            folder: A directory.
            context_length: The most pieces that the model takes; longer texts are warned of where they are encoded.
        """
        folder = Path(folder)
        told = _told(self.backend)
        config: dict[str, Any] = {"tokenizer_class": _tokenizer_class(self.kind, told)}
        if context_length is not None:
            config["model_max_length"] = context_length
        names = {"pad_token": self.pad, "unk_token": self.unk, "cls_token": self.cls, "sep_token": self.sep}
        names |= {"mask_token": self.mask, "bos_token": self.end, "eos_token": self.end}
        if self.end is not None and self.unk is None:
            names["unk_token"] = self.end
        config |= {name: self.piece(piece_id) for name, piece_id in names.items() if piece_id is not None}
        if self.kind == "wordpiece" and told["normalizer"]["type"] == "BertNormalizer":
            config["do_lower_case"] = told["normalizer"]["lowercase"]
            config["strip_accents"] = told["normalizer"]["strip_accents"]
            config["tokenize_chinese_chars"] = told["normalizer"]["handle_chinese_chars"]
        if self.kind == "wordpiece":  # which its class adds by itself, and the one that takes any file does not
            config["model_input_names"] = ["input_ids", "token_type_ids", "attention_mask"]
        if self.kind == "byte_bpe":
            config["add_prefix_space"] = False
        vocabulary = sorted(self.backend.get_vocab(with_added_tokens=True).items(), key=lambda entry: entry[1])
        files = {
            "tokenizer.json": _json_of(self.backend),
            "tokenizer_config.json": json.dumps(config, indent=2, ensure_ascii=False) + "\n",
        }
        if self.kind == "wordpiece":
            files["vocab.txt"] = "".join(f"{entry}\n" for entry, _ in vocabulary)
        else:
            files["vocab.json"] = json.dumps(dict(vocabulary), ensure_ascii=False) + "\n"
            merges = "".join(f"{' '.join(_pair(merge))}\n" for merge in told["model"]["merges"])
            files["merges.txt"] = "#version: 0.2\n" + merges
        for name, text in files.items():
            with replacing(folder / name) as file:
                file.write(text)

    @classmethod
    def read(cls, path: Path | str) -> "Pieces":
        """The pieces of a file, or of a directory that holds one: ours or published. Nothing in it is executed.

        Args:
            path: tokenizer.json; vocab.txt, with tokenizer_config.json beside it where it is cased; vocab.json, with
                merges.txt beside it; or the directory of one of these, which are tried in this order.

        Raises:
            FirthError: there is no such file, it is damaged, or it holds pieces of another kind.
        """
        _require()
        path = Path(path)
        folder = path if path.is_dir() else path.parent
        names = [name for name in ("tokenizer.json", "vocab.txt", "vocab.json") if (path / name).is_file()]
        name = names[0] if names else path.name
        shown = printable(str(folder / name))
        if path.is_dir() and not names:
            raise FirthError(
                f"{printable(str(path))} holds no tokenizer.json, vocab.txt, or vocab.json with merges.txt"
            )
        try:
            if name.endswith(".txt"):
                return _from_word_pieces(folder / name)
            if name == "vocab.json":
                return _from_merges(folder)
            return _finished(_backend_of((folder / name).read_text(encoding="utf-8")))
        except OSError as error:
            wanted = printable(str(error.filename or shown))
            raise FirthError(f"cannot read {wanted}: {error.strerror}") from error
        except FirthError as error:
            raise FirthError(f"{shown}: {error}") from None
        except Exception as error:  # the library raises plain ones
            raise FirthError(f"{shown} holds no tokenizer: {printable(str(error))}") from None


@dataclass(frozen=True, kw_only=True)
class PieceSettings:
    """How pieces are learnt: the arguments of `train_pieces`."""

    kind: Kind
    size: int
    cased: bool
    seed: int
    cleaning: Cleaning = "none"
    max_characters: int = MAX_CHARACTERS


def suited_kind(sample: str) -> tuple[Kind, str]:
    """The kind of pieces that GPT takes for text like `sample`, and a sentence that says why.

    GPT-1's byte-pair encoding begins with words that white space and punctuation set apart. In scripts without spaces
    these would be clauses, so that such text takes the byte-level kind.
    """
    n_letters = len(_LETTER.findall(sample))
    share = len(_UNSPACED.findall(sample)) / max(1, n_letters)
    if share >= _LEAST_UNSPACED:
        written = f"{min(share, 1):.0%} of the letters are of scripts that set no spaces between words"
        return "byte_bpe", f"byte-level byte-pair encoding: {written}"
    return "bpe", "byte-pair encoding of words, as GPT-1's: white space separates words"


def train_pieces(
    lines: Iterable[str],
    kind: Kind,
    *,
    size: int,
    cased: bool,
    seed: int,
    cleaning: Cleaning = "none",
    max_characters: int = MAX_CHARACTERS,
) -> Pieces:
    """Pieces learnt from text; of the same text, equal to the byte.

    WordPiece's own learner was never published; entries are learnt by byte-pair encoding instead, as everyone does, and
    looked up as BERT does: the longest that fits, from the left; a word of more than 100 characters is [UNK], as in the
    tokenizers library (200 in the original). Of text that has many such, as scripts without spaces have, they are
    parted every 100 characters instead. `byte_bpe` takes no account of what merges could join across a space.

    Args:
        lines: The text, each string a line or several.
        kind: `wordpiece` (Devlin et al. 2019), `bpe` (Sennrich et al. 2016 as in Radford et al. 2018), or `byte_bpe`
            (Radford et al. 2019).
        size: The rows of the table, a multiple of 64 or taken up to one: at most so many entries, special ones among
            them. A text that cannot fill them gets fewer.
        cased: Keeps capital letters apart from small ones, and accents. Marks that spell vowels, as in Thai or Hindi,
            are kept anyway.
        seed: Decides on the sample where the text is longer than `max_characters`.
        cleaning: `plain` makes curly quotes, dashes and ellipses plain, as ftfy and GPT-1 did.
        max_characters: The most that is learnt from.

    Raises:
        FirthError: the text has no words, or tokenizers is not installed.
        UsageError: a size too small for special pieces, characters, and a merge.
    """
    size = -(-size // MULTIPLE) * MULTIPLE
    specials = _SPECIALS[kind]
    least = 2 * MULTIPLE if kind != "byte_bpe" else 256 + MULTIPLE
    if size < least:
        raise UsageError(f"a vocabulary of {size} was asked for; {kind} needs {least} or more")
    sample = _sampled(lines, seed, max_characters)
    keeps_marks = kind != "byte_bpe" and not cased and _has_marks(sample.texts)
    pipeline = _pipeline(kind, cased=cased, cleaning=cleaning, strip_accents=False if keeps_marks else None)
    counts = _counted(sample.texts, kind, pipeline)
    if not any(map(str.strip, sample.texts)):
        raise FirthError("there are no words in the text, so that no pieces can be learnt")
    remarks = []
    if keeps_marks:
        remarks.append("marks on letters are kept, since they spell vowels here; else small letters lose their accents")
    long_share = _long_share(counts) if kind == "wordpiece" else 0.0
    if long_share >= _LEAST_LONG:
        counts = _parted(counts)
        _part_long_words(pipeline)
        remarks.append(
            f"{long_share:.1%} of the text stands in runs of more than {LONGEST_WORD} letters without a space, which "
            f"are parted every {LONGEST_WORD} letters"
        )
    alphabet = _byte_alphabet() if kind == "byte_bpe" else []
    merges = learn(counts, size - len(specials), _MARKS[kind], alphabet=alphabet)
    entries = [*merges.symbols, *specials] if kind == "byte_bpe" else [*specials, *merges.symbols]
    _set_model(pipeline, kind, entries, merges.pairs)
    if sample.n_characters > sample.n_sampled:
        remarks.append(
            f"the vocabulary was learnt from a sample, by seed {seed}: {sample.n_sampled:,} of "
            f"{sample.n_characters:,} characters"
        )
    if merges.n_dropped:
        remarks.append(f"the {merges.n_dropped:,} rarest of {len(counts):,} words taught the vocabulary nothing")
    if size - len(entries) >= MULTIPLE:
        remarks.append(f"a vocabulary of {size:,} was asked for; the text fills {len(entries):,} entries of it")
    return _finished(pipeline, tuple(remarks))


def with_words(
    pieces: Pieces,
    lines: Iterable[str],
    n_words: int,
    *,
    segmentation: Segmentation | None = None,
    max_characters: int = MAX_CHARACTERS,
) -> Pieces:
    """The pieces, and at the end the most frequent words of the text that they cut into several or do not know.

    Words are those of the tokenizer: runs between white space and punctuation. Han characters it sets apart, or takes
    whole clauses of; there, words are those of the segmentation. Such a word is found wherever its characters stand in
    a text, the longest from the left, since a tokenizer cannot segment.

    Args:
        pieces: WordPiece, which looks for the longest entry, or byte-level BPE.
        lines: The text.
        n_words: How many are added; fewer where there are not so many that occur twice.
        segmentation: Whose words Chinese text is made of; None adds none of two characters or more.
        max_characters: The most that is counted; of more, a sample.

    Raises:
        UsageError: BPE as GPT-1's, which finds whole words by merges alone.
    """
    if pieces.kind == "bpe":
        raise UsageError(
            "no words can be added to byte-pair encoding as GPT-1's: it makes a word by merging its parts, and new "
            "merges would change how other words are cut; go on without --add-words, or train with --pieces byte_bpe"
        )
    texts = _sampled(lines, 0, max_characters).texts
    counts = {_text_of(word, pieces): count for word, count in _counted(texts, pieces.kind, pieces.backend).items()}
    if pieces.kind == "byte_bpe":  # numbers, signs and clauses are no words
        counts = {word: n for word, n in counts.items() if word.strip().isalpha() and not _UNSPACED.search(word)}
    han: Counter[str] = Counter()
    if segmentation is not None:
        counts = {word: n for word, n in counts.items() if not _HAN_WORD.fullmatch(word)}
        for text in texts:
            han.update(word for word in segmentation.words(text) if _HAN_WORD.fullmatch(word))
    frequent = [word for word, count in (*counts.items(), *han.items()) if count >= _LEAST_COUNT]
    frequent.sort(key=lambda word: (-(han[word] or counts[word]), word))
    encoded = zip(frequent, pieces.encode(frequent), strict=True)
    added = [word for word, ids in encoded if len(ids) > 1 or pieces.unk in ids][:n_words]
    if not added:
        return pieces
    told = _told(pieces.backend)
    for number, word in enumerate(added, pieces.n_entries):
        if word in han and (len(word) > 1 or pieces.kind == "byte_bpe"):
            told["model"]["vocab"][word] = number
            told["added_tokens"].append({"id": number, "content": word, **_FOUND_ANYWHERE})
        else:
            told["model"]["vocab"][_entry_of(word, pieces)] = number
    if pieces.kind == "byte_bpe":
        told["model"]["ignore_merges"] = True  # a word that is an entry is not made of parts
    shown = ", ".join(printable(word.strip()) for word in added[:5])
    remark = f"{len(added):,} words were added to the vocabulary, as {shown}"
    return _finished(_backend_of(json.dumps(told)), (*pieces.remarks, remark))


def with_symbols(pieces: Pieces, symbols: Sequence[str], *, single: str, pair: str) -> Pieces:
    """The pieces, and behind them symbols that stand for no text and are found as they are written.

    Args:
        pieces: Whose ids stay what they are.
        symbols: As "<|start|>".
        single: What a text becomes where special pieces are asked for, as "<|start|> $A <|end|>".
        pair: The same of two texts, $A and $B.
    """
    from tokenizers import processors

    backend = _backend_of(_json_of(pieces.backend))
    backend.add_special_tokens(list(symbols))
    ids = [(symbol, backend.token_to_id(symbol)) for symbol in symbols]
    backend.post_processor = processors.TemplateProcessing(single=single, pair=pair, special_tokens=ids)
    return _finished(backend, pieces.remarks)


def _text_of(word: str, pieces: Pieces) -> str:
    """A word as it stands in a text, from how the model of the pieces spells it."""
    return str(pieces.backend.decoder.decode([word])) if pieces.kind == "byte_bpe" else word


def _entry_of(word: str, pieces: Pieces) -> str:
    """The contrary."""
    if pieces.kind != "byte_bpe":
        return word
    cut = pieces.backend.pre_tokenizer
    assert cut is not None
    return str(cut.pre_tokenize_str(word)[0][0])


class _Sample(NamedTuple):
    texts: list[str]
    n_characters: int  # of all of the text
    n_sampled: int


def _sampled(texts: Iterable[str], seed: int, most: int) -> _Sample:
    """All of the text; where it is longer than `most` characters, units of it chosen by hashes of their numbers."""
    chosen: list[tuple[int, int, str]] = []  # a heap: the unit of the greatest hash goes first
    n_characters = n_chosen = 0
    for number, unit in enumerate(_units(texts, min(_UNIT_CHARACTERS, max(1, most // 64)))):
        n_characters += len(unit)
        n_chosen += len(unit)
        digest = hashlib.blake2b(f"{seed} {number}".encode(), digest_size=8).digest()
        heapq.heappush(chosen, (-int.from_bytes(digest, "little"), number, unit))
        while n_chosen > most and len(chosen) > 1:
            n_chosen -= len(heapq.heappop(chosen)[2])
    in_order = sorted((number, unit) for _, number, unit in chosen)
    return _Sample([unit for _, unit in in_order], n_characters, n_chosen)


def _units(texts: Iterable[str], n_characters: int) -> Iterator[str]:
    pending: list[str] = []
    n_pending = 0
    for text in texts:
        pending.append(text)
        n_pending += len(text)
        if n_pending >= n_characters:
            yield "\n".join(pending)
            pending, n_pending = [], 0
    if pending:
        yield "\n".join(pending)


def _counted(texts: Iterable[str], kind: Kind, pipeline: "Tokenizer") -> Counter[str]:
    """How often each word occurs that the pipeline makes of the text."""
    stretches = r"\n| ?[^ \n]+" if kind == "byte_bpe" else rf"[{HAN}]|[^\s{HAN}]+"
    find = re.compile(stretches).findall
    counts: Counter[str] = Counter()
    types: Counter[str] = Counter()
    for text in texts:
        types.update(text.split() if kind != "byte_bpe" and text.isascii() else find(text))
        if len(types) > _MOST_TYPES:
            _count_words(counts, types, pipeline)
            types.clear()
    _count_words(counts, types, pipeline)
    return counts


def _count_words(counts: Counter[str], types: Counter[str], pipeline: "Tokenizer") -> None:
    normalize, cut = pipeline.normalizer, pipeline.pre_tokenizer
    assert cut is not None
    for text, count in types.items():
        for word, _ in cut.pre_tokenize_str(text if normalize is None else normalize.normalize_str(text)):
            counts[word] += count


def _long_share(counts: Counter[str]) -> float:
    """The share of the characters in words that are too long for WordPiece."""
    n_long = sum(len(word) * count for word, count in counts.items() if len(word) > LONGEST_WORD)
    return n_long / max(1, sum(len(word) * count for word, count in counts.items()))


def _parted(counts: Counter[str]) -> Counter[str]:
    """The same where longer words are parted."""
    parted: Counter[str] = Counter()
    for word, count in counts.items():
        for start in range(0, len(word), LONGEST_WORD):
            parted[word[start : start + LONGEST_WORD]] += count
    return parted


def _part_long_words(pipeline: "Tokenizer") -> None:
    """Has a pipeline of words part the longer ones, so that none is unknown for its length."""
    from tokenizers import Regex, pre_tokenizers

    words, parts = pre_tokenizers.BertPreTokenizer(), pre_tokenizers.Split(Regex(PARTED), "isolated")
    pipeline.pre_tokenizer = pre_tokenizers.Sequence([words, parts])


def _byte_alphabet() -> list[str]:
    from tokenizers import pre_tokenizers

    return sorted(pre_tokenizers.ByteLevel.alphabet())  # in this order the entries of GPT-2 begin


def _has_marks(texts: list[str]) -> bool:
    """Whether the script has marks that do not compose with their letters, as those for vowels in Thai or Hindi."""
    looked_at: Counter[str] = Counter()
    for text in texts[:: max(1, len(texts) // 32)]:
        looked_at.update(unicodedata.normalize("NFC", text[:_LOOKED_AT]))
    n_marks = sum(count for char, count in looked_at.items() if unicodedata.category(char) == "Mn")
    return n_marks >= _LEAST_MARKS * max(1, looked_at.total())


def _pipeline(kind: Kind, *, cased: bool, cleaning: Cleaning, strip_accents: bool | None = None) -> "Tokenizer":
    """A tokenizer of this kind without a vocabulary; None strips accents where capital letters become small."""
    _require()
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    steps: list[Any] = []
    if cleaning == "plain":
        steps += [normalizers.NFC(), *(normalizers.Replace(Regex(found), plain) for found, plain in _PLAIN)]
    if kind == "byte_bpe":
        backend = Tokenizer(models.BPE())
        if not cased:
            steps.append(normalizers.Lowercase())
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        backend.decoder = decoders.ByteLevel()
        backend.post_processor = processors.ByteLevel(trim_offsets=False)
    else:
        backend = Tokenizer(models.WordPiece() if kind == "wordpiece" else models.BPE())
        steps.append(normalizers.BertNormalizer(lowercase=not cased, strip_accents=strip_accents))
        backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        backend.decoder = decoders.WordPiece() if kind == "wordpiece" else decoders.BPEDecoder(suffix="</w>")
    if steps:
        backend.normalizer = normalizers.Sequence(steps) if len(steps) > 1 else steps[0]
    return backend


def _set_model(backend: "Tokenizer", kind: Kind, entries: list[str], merges: list[tuple[str, str]]) -> None:
    from tokenizers import models, processors

    ids = {entry: number for number, entry in enumerate(entries)}
    if kind == "wordpiece":
        backend.model = models.WordPiece(ids, unk_token="[UNK]")
        special_tokens = [("[CLS]", ids["[CLS]"]), ("[SEP]", ids["[SEP]"])]
        backend.post_processor = processors.TemplateProcessing(
            single="[CLS]:0 $A:0 [SEP]:0", pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1", special_tokens=special_tokens
        )
    elif kind == "bpe":
        backend.model = models.BPE(
            ids, merges, unk_token="<unk>", end_of_word_suffix="</w>", continuing_subword_prefix="", fuse_unk=False
        )
    else:
        backend.model = models.BPE(ids, merges, continuing_subword_prefix="", end_of_word_suffix="", fuse_unk=False)
    backend.add_special_tokens([entry for entry in _SPECIALS[kind] if entry in ids])


def _from_word_pieces(path: Path) -> Pieces:
    """The pieces of vocab.txt, an entry a line, which are uncased where no tokenizer_config.json says otherwise."""
    entries = path.read_text(encoding="utf-8").split("\n")
    while entries and not entries[-1]:
        entries.pop()
    if missing := [entry for entry in _SPECIALS["wordpiece"] if entry not in entries]:
        raise FirthError(f"no vocabulary of word pieces: {', '.join(missing)} is not in it")
    config: dict[str, Any] = {}
    if (path.parent / "tokenizer_config.json").is_file():
        config = json.loads((path.parent / "tokenizer_config.json").read_text(encoding="utf-8"))
    pipeline = _pipeline("wordpiece", cased=not config.get("do_lower_case", True), cleaning="none")
    from tokenizers import normalizers

    pipeline.normalizer = normalizers.BertNormalizer(
        lowercase=bool(config.get("do_lower_case", True)),
        strip_accents=config.get("strip_accents"),
        handle_chinese_chars=bool(config.get("tokenize_chinese_chars", True)),
    )
    _set_model(pipeline, "wordpiece", [entry.rstrip("\r") for entry in entries], [])
    return _finished(pipeline)


def _from_merges(folder: Path) -> Pieces:
    """The pieces of vocab.json and merges.txt: GPT-1's where words end in `</w>`, else GPT-2's."""
    ids: dict[str, int] = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
    lines = (folder / "merges.txt").read_text(encoding="utf-8").split("\n")
    merges = [tuple(line.split()) for line in lines if line.strip() and not line.startswith("#version")]
    if wrong := [merge for merge in merges if len(merge) != 2]:
        raise FirthError(f"merges.txt has a line that is no pair: {printable(' '.join(wrong[0]))!r}")
    entries = sorted(ids, key=lambda entry: ids[entry])
    if [ids[entry] for entry in entries] != list(range(len(entries))):
        raise FirthError("the ids of vocab.json do not count from 0 without gaps")
    kind: Kind = "bpe" if any(entry.endswith("</w>") for entry in entries) else "byte_bpe"
    pipeline = _pipeline(kind, cased=kind == "byte_bpe", cleaning="none")
    _set_model(pipeline, kind, entries, [(left, right) for left, right in merges])
    return _finished(pipeline)


def _backend_of(text: str) -> "Tokenizer":
    from tokenizers import Tokenizer

    return Tokenizer.from_str(text)


def _finished(backend: "Tokenizer", remarks: tuple[str, ...] = ()) -> Pieces:
    """`backend` with all that is to be known of it; published ones may come with lengths to cut or fill up to."""
    backend.no_truncation()
    backend.no_padding()
    told = _told(backend)
    model = told["model"]["type"]
    if model == "WordPiece":
        kind: Kind = "wordpiece"
    elif model == "BPE" and _is_byte_level(told):
        kind = "byte_bpe"
    elif model == "BPE":
        kind = "bpe"
    else:
        raise FirthError(f"a tokenizer of kind {printable(str(model))}; WordPiece and BPE are known here")
    ids = backend.get_vocab(with_added_tokens=True)
    n_entries = max(ids.values(), default=-1) + 1
    known = {name: ids.get(entry) for name, entry in _names(kind).items()}
    if kind == "wordpiece" and (missing := [_names(kind)[name] for name in known if known[name] is None]):
        raise FirthError(f"a tokenizer of word pieces without {', '.join(missing)}")
    added = backend.get_added_tokens_decoder()
    specials = {piece_id for piece_id, token in added.items() if token.special}
    specials |= {piece_id for piece_id in known.values() if piece_id is not None}
    return Pieces(
        kind=kind,
        backend=backend,
        n_entries=n_entries,
        size=-(-n_entries // MULTIPLE) * MULTIPLE,
        **{name: known.get(name) for name in ("pad", "unk", "cls", "sep", "mask", "end")},
        special_ids=tuple(sorted(specials)),
        digest=hashlib.sha256(_json_of(backend).encode()).hexdigest(),
        remarks=remarks,
    )


def _names(kind: Kind) -> dict[str, str]:
    """What the fields of `Pieces` are called in a vocabulary."""
    names = {"wordpiece": ("pad", "unk", "cls", "sep", "mask"), "bpe": ("unk",), "byte_bpe": ("end",)}
    return dict(zip(names[kind], _SPECIALS[kind], strict=True))


def _json_of(backend: "Tokenizer") -> str:
    return backend.to_str(pretty=True) + "\n"


def _told(backend: "Tokenizer") -> dict[str, Any]:
    told: dict[str, Any] = json.loads(backend.to_str())
    return told


def _is_byte_level(told: dict[str, Any]) -> bool:
    return any('"ByteLevel"' in json.dumps(told[part]) for part in ("pre_tokenizer", "decoder"))


def _pair(merge: Any) -> list[str]:
    """A merge, which older files give as one string."""
    return merge.split(" ") if isinstance(merge, str) else list(merge)


def _tokenizer_class(kind: Kind, told: dict[str, Any]) -> str:
    """The class of transformers' that makes the same of the vocabulary; else the one that takes the file as it is."""
    if not all(entry["special"] for entry in told["added_tokens"]) or told["model"].get("ignore_merges"):
        return "PreTrainedTokenizerFast"  # words were added
    if kind != "wordpiece" and (told["post_processor"] or {}).get("type") == "TemplateProcessing":
        return "PreTrainedTokenizerFast"  # symbols were
    normalizer = told["normalizer"]
    usual: dict[str, Any] = {"type": "BertNormalizer", "clean_text": True}
    if kind == "byte_bpe":
        is_usual = normalizer is None and _is_plain_byte_level(told)
    else:
        if kind == "bpe":
            usual |= {"handle_chinese_chars": True, "strip_accents": None, "lowercase": True}
        is_usual = normalizer is not None and normalizer.items() >= usual.items()
        is_usual = is_usual and told["pre_tokenizer"] == {"type": "BertPreTokenizer"}
    if kind == "wordpiece":
        is_usual = is_usual and told["model"]["max_input_chars_per_word"] == 100
    return _CLASSES[kind] if is_usual else "PreTrainedTokenizerFast"


def _is_plain_byte_level(told: dict[str, Any]) -> bool:
    cut = told["pre_tokenizer"]
    return bool(cut["type"] == "ByteLevel" and not cut["add_prefix_space"] and cut.get("use_regex", True))


def _require() -> None:
    try:
        import tokenizers  # noqa: F401
    except ImportError:
        raise FirthError("pieces need tokenizers, which is not installed: pip install 'firth[contextual]'") from None
