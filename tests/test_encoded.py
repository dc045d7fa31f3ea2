"""Encoded pieces: the tokenizer's own ids of every line, whatever is looked up; sentences, documents, words."""

import errno
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_pieces import LINES, trained

from firth import FirthError, Preparation, UsageError, corpus, encoded, lookup, stretches
from firth.encoded import EncodedPieces, encode_pieces
from firth.pieces import Pieces, train_pieces
from firth.segmentation import Segmentation

KINDS = ["wordpiece", "bpe", "byte_bpe"]
PIECES = {}


def pieces_of(kind, cased=None):
    key = kind, cased
    if key not in PIECES:
        PIECES[key] = trained(kind) if cased is None else trained(kind, cased=cased)
    return PIECES[key]


def encode(lines, pieces, folder, **arguments):
    return encode_pieces(corpus.read(lines), pieces, folder / "encoded", **arguments)


def sentences_of(store):
    return [ids.tolist() for ids in np.split(store.ids, store.sentence_ends[:-1])]


def documents_of(store):
    sentences = sentences_of(store)
    return [sentences[first:stop] for first, stop in zip([0, *store.document_ends], store.document_ends, strict=False)]


def encoded_plainly(lines, pieces):
    """The documents of lines, each line given to the tokenizer whole."""
    documents, sentences = [], []
    for line in [*lines, ""]:
        if line.strip():
            before = "\n" if sentences and pieces.kind == "byte_bpe" else ""
            if ids := pieces.encode([before + line.rstrip()])[0]:
                sentences.append(ids)
        elif sentences:
            if pieces.end is not None:
                sentences[-1].append(pieces.end)
            documents.append(sentences)
            sentences = []
    return documents


TRICKY = [
    "The cats sat on the mat, and the dogs didn't.",
    "cats,dogs;CATS--Dogs 's 'S'll x's",
    "",
    "two  spaces\tand a tab ",
    " begins with one",
    "我今天很开心，cats猫cats 今 天",
    "Zürich,\u0301 naïve\u0301 e\u0301a ,\u0301",
    "a\u200bb \x07bell\x1cnext \ufeff",
    "",
    "",
    "[MASK] the [mask] <unk> x<|endoftext|>y <|endoftext|> [SEP]",
    "İstanbul ΣΑΣ ﬁne “quoted” …",
    "12345 3.14 1,000 ٣",
    "a" * 250 + " b",
    "\u3000 \u00a0 \u2028x",
    "한국어 ไทย 日本語 ㄅㄆ 豈",
    "\u200b",
    "日本",
    "!",
    "a\u00a0b c\u00a0 d",
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cased", [True, False])
def test_tricky_lines_are_encoded_as_the_tokenizer_does_it(tmp_path, kind, cased):
    pieces = pieces_of(kind, cased)
    with encode(TRICKY, pieces, tmp_path) as store:
        assert documents_of(store) == encoded_plainly(TRICKY, pieces)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40)
@given(
    lines=st.lists(
        st.text(
            st.one_of(
                st.sampled_from("  abtheTHEcs',.-[]<|>19é猫今天\u0301\u200b\u00a0\t\x07"),
                st.characters(codec="utf-8", exclude_characters="\0\r\n"),
            ),
            max_size=30,
        ).filter(lambda line: len(line.splitlines()) <= 1),
        max_size=12,
    )
)
def test_any_lines_are_encoded_as_the_tokenizer_does_it(tmp_path_factory, kind, lines):
    pieces = pieces_of(kind)
    expected = encoded_plainly(lines, pieces)
    folder = tmp_path_factory.mktemp("any")
    if not expected:
        with pytest.raises(FirthError):
            encode(lines, pieces, folder)
        return
    with encode(lines, pieces, folder) as store:
        assert documents_of(store) == expected
        assert store.n_tokens == sum(len(ids) for document in expected for ids in document)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("block_characters", [1, 7, 64])
def test_ids_do_not_depend_on_blocks(tmp_path, kind, block_characters):
    text = corpus.read([*LINES[:9], "", *TRICKY], block_characters=block_characters)
    whole = encode([*LINES[:9], "", *TRICKY], pieces_of(kind), tmp_path / "whole")
    store = encode_pieces(text, pieces_of(kind), tmp_path / "encoded")
    assert documents_of(store) == documents_of(whole)
    assert store.fingerprint == whole.fingerprint
    assert store.n_unknown == whole.n_unknown


@pytest.mark.parametrize("kind", KINDS)
def test_ids_do_not_depend_on_what_is_remembered(tmp_path, kind, monkeypatch):
    whole = encode(LINES, pieces_of(kind), tmp_path / "whole")
    monkeypatch.setattr(lookup, "_MOST_TYPES", 1)
    text = corpus.read(LINES, block_characters=100)
    assert encode_pieces(text, pieces_of(kind), tmp_path / "encoded").fingerprint == whole.fingerprint


def test_a_line_without_end_is_cut(tmp_path, monkeypatch):
    monkeypatch.setattr(encoded, "_LONGEST_LINE", 50)
    monkeypatch.setattr(stretches, "LONGEST", 20)
    text = corpus.read(["cats " * 100], block_characters=20)
    store = encode_pieces(text, pieces_of("wordpiece"), tmp_path / "encoded")
    assert store.n_tokens == 100
    assert store.n_sentences > 3
    assert store.n_documents == 1


def test_split_sentences_are_joined_by_a_space(tmp_path):
    pieces = pieces_of("byte_bpe")
    text = corpus.read(["The cats sat. The dogs sat."], Preparation(sentences="split", lang="en"))
    store = encode_pieces(text, pieces, tmp_path / "encoded")
    assert store.n_sentences == 2
    assert pieces.decode(store.ids.tolist()) == "The cats sat. The dogs sat."


def test_ready_words_are_joined_by_spaces(tmp_path):
    store = encode([["The", "cats"], [], ["the", "dogs"]], pieces_of("wordpiece"), tmp_path)
    assert documents_of(store) == encoded_plainly(["The cats", "", "the dogs"], pieces_of("wordpiece"))


def words_of(store, pieces):
    words = []
    for piece_id, begins in zip(store.ids.tolist(), store.word_starts, strict=True):
        if begins:
            words.append("")
        words[-1] += pieces.piece(piece_id).removeprefix("##")
    return words


def test_english_words_stand_apart_from_punctuation(tmp_path):
    entries = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "cat", "dog", "##s", ",", "."]
    (tmp_path / "vocab.txt").write_text("\n".join(entries), encoding="utf-8")
    pieces = Pieces.read(tmp_path / "vocab.txt")
    store = encode(["Cats,dogs cat. ☃s"], pieces, tmp_path, words=Segmentation(method="words"))
    assert [entries[piece_id] for piece_id in store.ids] == ["cat", "##s", ",", "dog", "##s", "cat", ".", "[UNK]"]
    assert words_of(store, pieces) == ["cats", ",", "dogs", "cat", ".", "[UNK]"]


def test_chinese_words_are_the_segmenters(tmp_path):
    pieces = pieces_of("wordpiece")
    line = "我今天很开心，cats今天 天气很好"
    chinese = Segmentation(method="chinese")
    store = encode([line], pieces, tmp_path, words=chinese)
    assert "".join(words_of(store, pieces)) == line.replace(" ", "")
    assert words_of(store, pieces) == ["我", "今天", "很", "开心", "，", "cats", "今天", "天气", "很", "好"]
    alone = encode([line], pieces, tmp_path / "characters", words=Segmentation(method="words"))
    assert words_of(alone, pieces)[:3] == ["我", "今", "天"]
    assert encode([line], pieces, tmp_path / "none").word_starts is None


def test_duplicates_are_left_out(tmp_path):
    lines = ["the cats", "the dogs", "", "the cats", "", "the cats", "the dogs", "", "the mat"]
    pieces = pieces_of("wordpiece")
    for block_characters in (1, 1000):
        text = corpus.read(lines, block_characters=block_characters)
        store = encode_pieces(text, pieces, tmp_path / f"documents{block_characters}", drop_duplicates="documents")
        assert documents_of(store) == encoded_plainly([*lines[:5], "the mat"], pieces)
        assert store.n_duplicates == 1
        assert store.remarks == ["1 document left out: they had been met before"]
        text = corpus.read(lines, block_characters=block_characters)
        store = encode_pieces(text, pieces, tmp_path / f"lines{block_characters}", drop_duplicates="lines")
        assert documents_of(store) == encoded_plainly([*lines[:3], "the mat"], pieces)
        assert store.n_duplicates == 3


def test_ends_of_documents_go_with_duplicates(tmp_path):
    pieces = pieces_of("byte_bpe")
    text = corpus.read(["the cats", "sat", "", "the cats", "sat", "", "mat"], block_characters=1)
    store = encode_pieces(text, pieces, tmp_path / "encoded", drop_duplicates="documents")
    assert documents_of(store) == encoded_plainly(["the cats", "sat", "", "mat"], pieces)


def test_unknown_pieces_are_counted_and_told(tmp_path):
    store = encode(["the cats ☃ the ☃", "", "the"], pieces_of("wordpiece"), tmp_path)
    assert store.n_unknown == 2
    assert store.unknown_share == 2 / 6
    assert store.remarks == [
        "33.3% of the pieces are [UNK]: text that the vocabulary does not have, of another script or in words "
        "of more than 100 characters"
    ]
    assert encode(["the cats"], pieces_of("wordpiece"), tmp_path / "known").remarks == []


def test_the_ids_take_two_bytes_where_these_suffice(tmp_path):
    store = encode(["the cats"], pieces_of("wordpiece"), tmp_path)
    assert store.ids.dtype == np.uint16
    assert (tmp_path / "encoded" / "ids").stat().st_size == 2 * store.n_tokens
    words = [f"w{number}x" for number in range(66_000)]
    folder = tmp_path / "many"
    folder.mkdir()
    entries = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    (folder / "vocab.txt").write_text("\n".join(entries), encoding="utf-8")
    store = encode([" ".join(words[-3:])], Pieces.read(folder), folder)
    assert store.ids.dtype == np.uint32
    assert store.ids.tolist() == [66_002, 66_003, 66_004]


def test_what_the_pieces_are_is_told(tmp_path):
    pieces = pieces_of("wordpiece")
    store = encode(LINES, pieces, tmp_path)
    for name in ("n_entries", "pad", "unk", "cls", "sep", "mask", "end", "special_ids", "digest"):
        assert getattr(store, name) == getattr(pieces, name)


def test_progress_is_told(tmp_path):
    told = []
    path = tmp_path / "text.txt"
    path.write_text("\n".join(LINES), encoding="utf-8")
    store = encode_pieces(
        corpus.read(path, block_characters=500), pieces_of("bpe"), tmp_path / "encoded",
        progress=lambda *told_: told.append(told_),
    )  # fmt: skip
    assert len(told) > 5
    assert told[-1][0] == told[-1][1] == path.stat().st_size
    assert told == sorted(told)
    assert told[-1][2] <= store.n_tokens


@pytest.mark.parametrize("lines", [[], ["", " "], ["\u200b"]])
def test_a_corpus_without_text_is_refused(tmp_path, lines):
    with pytest.raises(FirthError, match="no text in it"):
        encode(lines, pieces_of("wordpiece"), tmp_path)
    assert not (tmp_path / "encoded").exists()


def test_a_used_place_is_refused(tmp_path):
    encode(LINES, pieces_of("bpe"), tmp_path)
    with pytest.raises(UsageError, match="exists already"):
        encode(LINES, pieces_of("bpe"), tmp_path)


def test_nothing_stays_of_what_fails(tmp_path, monkeypatch):
    def full(self, *_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(encoded._Store, "_append", full)
    with pytest.raises(FirthError, match=r"cannot write the encoded pieces to .*: No space left on device"):
        encode(LINES, pieces_of("bpe"), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["pieces.json", "ids", "sentence_ends.i64", "document_ends.i64", "word_starts.u1"])
def test_a_damaged_store_is_refused(tmp_path, name):
    encode(LINES, pieces_of("wordpiece"), tmp_path, words=Segmentation(method="words")).close()
    path = tmp_path / "encoded" / name
    path.write_bytes(path.read_bytes()[:-1])
    if name == "pieces.json":
        path.write_text("{}", encoding="utf-8")
    with pytest.raises(FirthError, match="holds no whole encoded pieces"):
        EncodedPieces(tmp_path / "encoded")


def test_a_store_of_another_version_is_refused(tmp_path):
    encode(LINES, pieces_of("bpe"), tmp_path).close()
    path = tmp_path / "encoded" / "pieces.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | {"format": 99}), encoding="utf-8")
    with pytest.raises(FirthError, match="another version"):
        EncodedPieces(tmp_path / "encoded")


@pytest.mark.parametrize(
    "changes",
    [
        {"normalizer": {"type": "NFKC"}},
        {"pre_tokenizer": {"type": "Whitespace"}},
        {"normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Replace", "pattern": {"String": "cats sat"}, "content": "dogs"},
            {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None,
             "lowercase": True},
        ]}},
        {"added_tokens": [{"id": 9, "content": "cats sat", "single_word": False, "lstrip": False, "rstrip": False,
                           "normalized": False, "special": False}]},
        {"added_tokens": [{"id": 9, "content": "at", "single_word": False, "lstrip": False, "rstrip": False,
                           "normalized": False, "special": False}]},
    ],
)  # fmt: skip
def test_other_tokenizers_get_whole_lines(tmp_path, changes):
    pieces_of("wordpiece").write(tmp_path)
    path = tmp_path / "tokenizer.json"
    told = json.loads(path.read_text(encoding="utf-8"))
    if "added_tokens" in changes:
        changes = {"added_tokens": told["added_tokens"] + changes["added_tokens"]}
        told["model"]["vocab"] = {
            changes["added_tokens"][-1]["content"] if place == 9 else entry: place
            for entry, place in told["model"]["vocab"].items()
        }
    path.write_text(json.dumps(told | changes), encoding="utf-8")
    pieces = Pieces.read(path)
    with encode(TRICKY, pieces, tmp_path / "one") as store:
        assert documents_of(store) == encoded_plainly(TRICKY, pieces)


def test_a_tokenizer_that_parts_long_words_is_followed(tmp_path):
    thai = ["แม่น้ำสูงขึ้นในเวลากลางคืน" * n for n in range(1, 12)]
    pieces = train_pieces(thai, "wordpiece", size=256, cased=False, seed=1)
    lines = [*TRICKY, *thai, "a" * 101 + thai[-1], "1" * 100]
    with encode(lines, pieces, tmp_path) as store:
        assert documents_of(store) == encoded_plainly(lines, pieces)


# --- an encoding that is broken off

BROKEN_OFF = """
import json, os, sys
from pathlib import Path
from firth import Preparation, corpus, encoded
from firth.pieces import Pieces
from firth.segmentation import Segmentation
encoded._PART_TOKENS = 100
text, pieces, folder, drops, words, n_parts = json.loads(sys.argv[1])
add = encoded._Manifest.add
def counted(*arguments):
    add(*arguments)
    counted.n += 1
counted.n = 0
encoded._Manifest.add = counted
append = encoded._Store._append
def killed(*arguments):
    append(*arguments)
    if counted.n == n_parts:
        os.kill(os.getpid(), 9)
encoded._Store._append = killed
encoded.encode_pieces(
    corpus.read(Path(text), block_characters=300), Pieces.read(pieces), folder, drop_duplicates=drops,
    words=Segmentation(method=words) if words else None, parts=Path(folder + ".parts"),
)
"""


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def long_text(tmp_path):
    lines = [line.replace("cats", f"cats {number % 7}") for number in range(15) for line in [*LINES[:12], ""]]
    path = tmp_path / "text.txt"
    path.write_text("\n".join([*TRICKY, *lines, "我今天很开心，cats猫", *TRICKY]), encoding="utf-8")
    return path


def encode_in_parts(text, pieces, folder, **arguments):
    said = []
    read = corpus.read(text, block_characters=300)
    return encode_pieces(read, pieces, folder, parts=folder.with_name("one.parts"), say=said.append, **arguments), said


@pytest.mark.skipif(os.name == "nt", reason="no kill there")
@pytest.mark.parametrize(
    ("kind", "drops", "words"),
    [
        ("wordpiece", "no", "chinese"), ("byte_bpe", "no", None), ("bpe", "lines", None),
        ("byte_bpe", "documents", None), ("wordpiece", "documents", "words"),
    ],
)  # fmt: skip
def test_what_a_killed_process_encoded_is_gone_on_with(tmp_path, long_text, kind, drops, words, monkeypatch):
    monkeypatch.setattr(encoded, "_PART_TOKENS", 100)
    pieces_of(kind).write(tmp_path / "pieces")
    pieces = Pieces.read(tmp_path / "pieces")
    rest = {"drop_duplicates": drops, "words": Segmentation(method=words) if words else None}
    unbroken = encode_pieces(corpus.read(long_text, block_characters=300), pieces, tmp_path / "unbroken", **rest)
    folder = tmp_path / "one"
    for n_parts in (1, 2, 1):  # killed three times, each time further on
        told = json.dumps([str(long_text), str(tmp_path / "pieces"), str(folder), drops, words, n_parts])
        assert subprocess.run([sys.executable, "-c", BROKEN_OFF, told], check=False).returncode == -9
        assert not folder.exists()
    store, said = encode_in_parts(long_text, pieces, folder, **rest)
    assert len(said) == 1
    assert int(said[0].split(": ")[1].split()[0].replace(",", "")) >= 300
    assert store.fingerprint == unbroken.fingerprint
    assert contents(folder) == contents(tmp_path / "unbroken")
    assert not (tmp_path / "one.parts").exists()


def broken_off(text, pieces, folder, monkeypatch, after=3):
    """An encoding that Ctrl-C ends some parts in."""
    add, calls = encoded._Manifest.add, []

    def stop(*arguments):
        add(*arguments)
        calls.append(arguments)
        if len(calls) == after:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(encoded._Manifest, "add", stop)
        with pytest.raises(KeyboardInterrupt):
            encode_in_parts(text, pieces, folder)
    return folder.with_name("one.parts")


@pytest.fixture
def in_small_parts(monkeypatch):
    monkeypatch.setattr(encoded, "_PART_TOKENS", 100)


@pytest.mark.usefixtures("in_small_parts")
@pytest.mark.parametrize(
    "damage", ["none", "ids", "sentence_ends.i64", "parts.jsonl", "a line", "another text", "other"]
)
def test_parts_that_are_not_as_they_were_written_are_encoded_again(tmp_path, long_text, monkeypatch, damage):
    pieces = pieces_of("byte_bpe")
    parts = broken_off(long_text, pieces, tmp_path / "one", monkeypatch)
    if damage == "another text":
        long_text.write_text("mat " + long_text.read_text(encoding="utf-8"), encoding="utf-8")
    elif damage == "a line":
        lines = (parts / "parts.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
        (parts / "parts.jsonl").write_text("".join([*lines[:-1], lines[-1][:20]]), encoding="utf-8")
    elif damage == "other":
        pieces = pieces_of("byte_bpe", False)
    elif damage != "none":
        content = bytearray((parts / damage).read_bytes())
        content[10] ^= 0xFF
        (parts / damage).write_bytes(content)
    store, said = encode_in_parts(long_text, pieces, tmp_path / "one")
    assert len(said) == (damage in ("none", "a line"))
    unbroken = encode_pieces(corpus.read(long_text, block_characters=300), pieces, tmp_path / "unbroken")
    assert store.fingerprint == unbroken.fingerprint
    assert contents(tmp_path / "one") == contents(tmp_path / "unbroken")


@pytest.mark.usefixtures("in_small_parts")
def test_two_processes_do_not_write_to_the_same_parts(tmp_path, long_text):
    pieces = pieces_of("bpe")
    held = encoded._Manifest.claimed(tmp_path / "one.parts")
    store, said = encode_in_parts(long_text, pieces, tmp_path / "one")
    assert store.n_tokens > 0
    assert said == []
    assert [path.name for path in (tmp_path / "one.parts").iterdir()] == ["parts.jsonl"]
    held.close()


@pytest.mark.usefixtures("in_small_parts")
def test_no_parts_stay_of_an_encoding_that_fails(tmp_path, long_text, monkeypatch):
    broken_off(long_text, pieces_of("bpe"), tmp_path / "one", monkeypatch)

    def full(self, *_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(encoded._Store, "_append", full)
    with pytest.raises(FirthError, match="No space left on device"):
        encode_in_parts(long_text, pieces_of("bpe"), tmp_path / "one")
    assert {path.name for path in tmp_path.iterdir()} == {"text.txt"}


def test_the_cache_goes_on_with_what_was_broken_off(tmp_path, long_text, monkeypatch):
    """As a user meets it: Ctrl-C while a corpus is encoded, and the same command once more."""
    from firth import cache

    monkeypatch.setattr(encoded, "_PART_TOKENS", 2000)
    long_text.write_text(long_text.read_text(encoding="utf-8") * 40, encoding="utf-8")
    said = []

    class Said:
        def say(self, line):
            said.append(line)

        def stage(self, name, **_):
            from firth.progress import Silent

            return Silent().stage(name)

    def encode_it(folder):
        read = corpus.read(long_text)
        with cache.encoded_pieces(read, pieces_of("bpe"), Preparation(), cache_dir=folder, progress=Said()) as (
            store,
            _,
        ):
            return store.fingerprint

    unbroken = encode_it(tmp_path / "unbroken")
    add = encoded._Manifest.add

    def stop(*arguments):
        add(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(encoded._Manifest, "add", stop)
        with pytest.raises(KeyboardInterrupt):
            encode_it(tmp_path / "cache")
    said.clear()
    assert encode_it(tmp_path / "cache") == unbroken
    assert said[0].startswith("an encoding that was broken off is gone on with")
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_added_chinese_words_are_pieces_and_do_not_hide_the_segmenters_words(tmp_path):
    from firth.pieces import with_words

    chinese = Segmentation(method="chinese")
    lines = ["我今天很开心，cats今天 天气很好", "今天开心的天气", "他们今天很开心"]
    pieces = with_words(pieces_of("wordpiece"), lines, 2, segmentation=chinese)
    with encode([*lines, *TRICKY], pieces, tmp_path, words=chinese) as store:
        assert documents_of(store) == encoded_plainly([*lines, *TRICKY], pieces)
        first = [pieces.piece(piece_id) for piece_id in sentences_of(store)[0]]
        assert "今天" in first
        assert "开心" in first
        words = words_of(store, pieces)
    assert words[:10] == ["我", "今天", "很", "开心", "，", "cats", "今天", "天气", "很", "好"]


@pytest.mark.parametrize("kind", ["wordpiece", "byte_bpe"])
def test_tricky_lines_with_added_words_are_encoded_as_the_tokenizer_does_it(tmp_path, kind):
    from firth.pieces import with_words

    lines = ["银行电影银行电影 zebra zebra Zürich Zürich"] * 3
    pieces = with_words(pieces_of(kind), lines, 5, segmentation=Segmentation(method="chinese"))
    assert pieces.n_entries > pieces_of(kind).n_entries
    with encode([*lines, *TRICKY], pieces, tmp_path) as store:
        assert documents_of(store) == encoded_plainly([*lines, *TRICKY], pieces)
