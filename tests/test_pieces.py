"""Pieces: learnt alike everywhere, cut as the papers' tokenizers do, in files that others open."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firth import FirthError, UsageError
from firth.pieces import Pieces, PieceSettings, suited_kind, train_pieces, with_words
from firth.segmentation import Segmentation

LINES = [
    "The cats sat on the mat, and the dogs didn't.",
    "Naïve cafés in Zürich sell 12 cakes (or 13).",
    "the cats and the dogs sat in cafés; the cats slept.",
    "我今天很开心，今天的天气很好。",
    "今天我们去看猫。The cat's name is 开心.",
] * 20
KINDS = ["wordpiece", "bpe", "byte_bpe"]
CASED = {"wordpiece": False, "bpe": False, "byte_bpe": True}


def trained(kind, lines=LINES, **changes):
    arguments = {"size": 512, "cased": CASED[kind], "seed": 1} | changes
    return train_pieces(lines, kind, **arguments)


@pytest.fixture(scope="module", params=KINDS)
def pieces(request):
    return trained(request.param)


def entries(pieces, text):
    return [pieces.piece(piece_id) for piece_id in pieces.encode([text])[0]]


def test_word_pieces_are_cut_as_berts():
    pieces = trained("wordpiece")
    assert entries(pieces, "The CATS, cafés") == ["the", "cats", ",", "cafes"]
    assert entries(pieces, "今天cats") == ["今", "天", "cats"]
    assert "".join(entries(pieces, "doghouse")).replace("##", "") == "doghouse"
    assert entries(pieces, "☃") == ["[UNK]"]
    special = [pieces.pad, pieces.unk, pieces.cls, pieces.sep, pieces.mask]
    assert special == list(pieces.special_ids) == [0, 1, 2, 3, 4]
    assert pieces.end is None


def test_cased_word_pieces_keep_capitals_and_accents():
    pieces = trained("wordpiece", cased=True)
    assert entries(pieces, "The cafés") == ["The", "cafés"]


THAI = "แม่น้ำสูงขึ้นในเวลากลางคืนและสะพานหายไปในตอนเช้า"


def test_runs_of_letters_without_spaces_are_not_unknown_for_their_length():
    lines = [THAI * n for n in range(1, 9)]
    assert max(map(len, lines)) > 300
    pieces = trained("wordpiece", lines)
    assert any("without a space, which are parted every 100 letters" in remark for remark in pieces.remarks)
    assert any("marks on letters are kept" in remark for remark in pieces.remarks)
    assert pieces.decode(pieces.encode([THAI])[0]) == THAI
    for line in lines:
        assert pieces.unk not in pieces.encode([line])[0]
        assert "".join(entries(pieces, line)).replace("##", "") == pieces.backend.normalizer.normalize_str(line)


def test_few_long_words_change_nothing():
    pieces = trained("wordpiece", [*LINES * 60, "a" * 101])
    assert pieces.unk in pieces.encode(["a" * 101])[0]
    assert pieces.backend.pre_tokenizer.pre_tokenize_str("a" * 101)[0][0] == "a" * 101


def test_gpt_1s_pieces_end_words():
    pieces = trained("bpe")
    assert entries(pieces, "The cats, ") == ["the</w>", "cats</w>", ",</w>"]
    assert pieces.decode(pieces.encode(["The cats sat"])[0]) == "the cats sat"
    assert pieces.unk == 0
    assert pieces.pad is pieces.cls is pieces.end is None


@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_byte_pieces_lose_nothing(text):
    pieces = byte_pieces()
    assert pieces.decode(pieces.encode([text])[0]) == text.replace("<|endoftext|>", "")


def byte_pieces(made=[]):  # noqa: B006 - made once
    if not made:
        made.append(trained("byte_bpe"))
    return made[0]


def test_byte_pieces_end_with_the_end_of_text():
    assert byte_pieces().end == byte_pieces().n_entries - 1
    assert byte_pieces().piece(0) == "!"  # as in GPT-2's vocabulary


def test_plain_cleaning_writes_quotes_dashes_and_ellipses_plainly():
    pieces = trained("bpe", cleaning="plain")
    assert pieces.encode(["“the cat’s” – mat…"]) == pieces.encode(['"the cat\'s" - mat...'])
    assert trained("bpe").encode(["‘"]) != trained("bpe").encode(["'"])


def test_the_table_is_padded_and_no_piece_is_in_the_padding(pieces):
    assert pieces.size % 64 == 0
    assert pieces.n_entries <= pieces.size <= 512
    assert pieces.size - pieces.n_entries < 64
    assert max(max(ids) for ids in pieces.encode(LINES)) < pieces.n_entries
    assert pieces.piece(pieces.n_entries) == ""
    assert pieces.decode([pieces.n_entries]) == ""


def test_a_size_is_taken_up_to_a_multiple():
    assert trained("wordpiece", size=100).size == 128


def test_a_text_that_cannot_fill_the_vocabulary_says_so():
    pieces = trained("wordpiece", ["ab ab"], size=1024)
    assert pieces.n_entries < 64
    assert pieces.size == 64
    assert pieces.remarks == (f"a vocabulary of 1,024 was asked for; the text fills {pieces.n_entries} entries of it",)


@pytest.mark.parametrize("kind", KINDS)
def test_a_size_without_room_is_refused(kind):
    with pytest.raises(UsageError, match="a vocabulary of 64 was asked for"):
        trained(kind, size=64)


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_text_is_refused(kind):
    with pytest.raises(FirthError, match="no words"):
        trained(kind, [" ", ""])


TRAINING = """
import json, sys
from firth.pieces import train_pieces
kind, cased, lines = json.loads(sys.stdin.read())
print(train_pieces(lines, kind, size=512, cased=cased, seed=1).digest)
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_two_trainings_are_equal_to_the_byte_in_other_processes(kind):
    digests = {trained(kind).digest}
    for seed, threads in (("0", "1"), ("77", "4")):
        environment = os.environ | {"PYTHONHASHSEED": seed, "RAYON_NUM_THREADS": threads}
        done = subprocess.run(
            [sys.executable, "-c", TRAINING], input=json.dumps([kind, CASED[kind], LINES]), env=environment,
            check=True, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        digests.add(done.stdout.strip())
    assert len(digests) == 1


def test_equal_words_in_another_order_give_equal_pieces():
    assert trained("wordpiece") == trained("wordpiece", LINES[::-1])


def test_a_long_text_is_sampled_by_the_seed():
    lines = [f"word{number % 97} other{number % 89} third{number % 83}" for number in range(4000)]
    first, again, other = (trained("wordpiece", lines, seed=seed, max_characters=2000) for seed in (1, 1, 2))
    assert first == again != other
    remark = first.remarks[0]
    assert remark.startswith("the vocabulary was learnt from a sample, by seed 1: ")
    n_sampled, n_characters = (int(number.replace(",", "")) for number in remark.split(": ")[1].split()[::2])
    assert n_sampled <= 2000
    assert n_characters >= sum(map(len, lines))
    assert not any("sample" in remark for remark in trained("wordpiece", lines).remarks)


def test_files_are_read_as_they_were_written(pieces, tmp_path):
    pieces.write(tmp_path)
    digest = hashlib.sha256((tmp_path / "tokenizer.json").read_bytes()).hexdigest()
    assert Pieces.read(tmp_path) == Pieces.read(tmp_path / "tokenizer.json") == pieces
    assert pieces.digest == digest
    (tmp_path / "tokenizer.json").unlink()
    again = Pieces.read(tmp_path)
    assert again.kind == pieces.kind
    assert again.encode(LINES) == pieces.encode(LINES)


def test_padding_and_cutting_in_a_given_file_are_undone(tmp_path):
    pieces = trained("wordpiece")
    pieces.write(tmp_path)
    told = json.loads((tmp_path / "tokenizer.json").read_text(encoding="utf-8"))
    told["truncation"] = {"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0}
    told["padding"] = {
        "strategy": {"Fixed": 8}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0, "pad_type_id": 0,
        "pad_token": "[PAD]",
    }  # fmt: skip
    (tmp_path / "tokenizer.json").write_text(json.dumps(told), encoding="utf-8")
    assert Pieces.read(tmp_path).encode(["the cats sat on the mat"]) == pieces.encode(["the cats sat on the mat"])


def test_a_vocab_txt_is_enough_and_its_config_decides_on_case(tmp_path):
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "The", "cat", "##s"]
    (tmp_path / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    assert entries(Pieces.read(tmp_path / "vocab.txt"), "The cats") == ["the", "cat", "##s"]
    (tmp_path / "tokenizer_config.json").write_text('{"do_lower_case": false}', encoding="utf-8")
    assert entries(Pieces.read(tmp_path), "The cats") == ["The", "cat", "##s"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("tokenizer.json", "{", "holds no tokenizer"),
        (
            "tokenizer.json",
            '{"version": "1.0", "model": {"type": "Unigram", "unk_id": null, "vocab": []}}',
            "tokenizer",
        ),
        ("vocab.txt", "a\nb\n", r"\[PAD\], \[UNK\], \[CLS\], \[SEP\], \[MASK\] is not in it"),
        ("vocab.json", "[]", "cannot read .*merges.txt"),
        ("other.bin", "\x80", "holds no tokenizer"),
    ],
)
def test_damaged_or_foreign_files_are_named(tmp_path, name, text, message):
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(FirthError, match=message) as caught:
        Pieces.read(tmp_path / name)
    assert str(tmp_path) in str(caught.value)


def test_a_directory_without_pieces_is_refused(tmp_path):
    with pytest.raises(FirthError, match=r"holds no tokenizer\.json"):
        Pieces.read(tmp_path)
    with pytest.raises(FirthError, match="cannot read"):
        Pieces.read(tmp_path / "tokenizer.json")


@settings(max_examples=30)
@given(st.binary(max_size=200))
def test_no_file_brings_the_reader_down(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("any") / "tokenizer.json"
    path.write_bytes(data)
    with pytest.raises(FirthError):
        Pieces.read(path)


@pytest.mark.parametrize(
    ("sample", "kind"),
    [
        ("The cat sat on the mat. " * 9, "bpe"),
        ("Кошка сидела на ковре. " * 9, "bpe"),
        ("我今天很开心。" * 9, "byte_bpe"),
        ("今日はとても嬉しい。" * 9, "byte_bpe"),
        ("แมวนั่งบนเสื่อ" * 9, "byte_bpe"),
        ("The word 猫 means cat, as everyone knows who reads books. " * 9, "bpe"),
        ("", "bpe"),
    ],
)
def test_scripts_without_spaces_take_bytes(sample, kind):
    chosen, reason = suited_kind(sample)
    assert chosen == kind
    assert ("no spaces" in reason) == (kind == "byte_bpe")


def test_frequent_words_are_added_behind_the_others():
    pieces = trained("wordpiece", ["abc abd"] * 9)
    assert entries(pieces, "zebra") == ["[UNK]"]
    assert entries(with_words(pieces, ["zebra crossing zebra ab once", "ab abc"], 5), "zebra") == ["zebra"]
    more = with_words(pieces, ["cab dab cab bad dab cab once"], 5)
    assert entries(more, "cab dab bad") == ["cab", "dab", *entries(pieces, "bad")]
    assert more.encode(["abc abd"]) == pieces.encode(["abc abd"])
    assert [more.piece(piece_id) for piece_id in range(pieces.n_entries, more.n_entries)] == ["cab", "dab"]
    assert "2 words were added to the vocabulary, as cab, dab" in more.remarks


def test_frequent_words_are_added_to_byte_level_pieces():
    pieces = trained("byte_bpe", ["the cat sat on the mat"] * 9)
    more = with_words(pieces, ["the zebra saw a zebra 2003 2003", "zebra zebra"], 5)
    assert [more.piece(piece_id) for piece_id in range(pieces.n_entries, more.n_entries)] == ["Ġzebra"]
    assert more.encode(["a zebra"])[0][-1] == pieces.n_entries
    assert more.decode(more.encode(["the zebra sat"])[0]) == "the zebra sat"
    for text in (*LINES[:9], "zebras", "the cat sat on the mat"):
        assert more.encode([text]) == pieces.encode([text])


@pytest.mark.parametrize(
    ("kind", "lines", "words"),
    [
        ("wordpiece", ["我今天很开心。今天天气很好", "今天开心"], ["今天", "开心"]),
        ("byte_bpe", ["他去银行看电影。", "银行旁边有电影"], ["电影", "银行"]),
    ],
)
def test_chinese_words_are_the_segmenters(kind, lines, words):
    pieces = trained(kind)
    assert with_words(pieces, lines, 2) == pieces  # nobody says what a word is
    more = with_words(pieces, lines, 2, segmentation=Segmentation(method="chinese"))
    assert [more.piece(piece_id) for piece_id in range(pieces.n_entries, more.n_entries)] == words
    assert more.encode([words[1]]) == [[pieces.n_entries + 1]]
    assert more.decode(more.encode(["".join(words)])[0]).replace(" ", "") == "".join(words)


@pytest.mark.parametrize("kind", ["wordpiece", "byte_bpe"])
def test_added_words_are_read_and_opened_as_they_were_written(kind, tmp_path):
    lines = ["他去银行看电影 zebra 银行旁边有电影 zebra", "今天开心 zebra zebra"]
    pieces = with_words(trained(kind), lines, 4, segmentation=Segmentation(method="chinese"))
    pieces.write(tmp_path)
    assert Pieces.read(tmp_path) == pieces
    transformers = pytest.importorskip("transformers")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}), encoding="utf-8")
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert len(theirs) == pieces.n_entries
    for text in (*lines, *ANY_TEXT, "好开心果", "zebras Zebra"):
        assert theirs(text, add_special_tokens=False)["input_ids"] == pieces.encode([text])[0]


def test_words_are_not_added_where_merges_alone_make_them():
    with pytest.raises(UsageError, match=r"no words can be added to byte-pair encoding as GPT-1's"):
        with_words(trained("bpe"), ["a"], 1)


def test_settings_are_the_arguments_of_training():
    settings_ = PieceSettings(kind="bpe", size=512, cased=False, seed=1)
    assert train_pieces(LINES, **vars(settings_)) == trained("bpe")


ANY_TEXT = [
    "The cats, don't know Zürich! 我今天很开心。ﬁne “quoted” …",
    "İstanbul ΣΑΣ naïve\u0301 e\u0301a x\u200by \ufeff\x07b 😀",
    "tab\there  two   spaces ",
    "日本語のテキスト 한국어 ไทย",
    "",
    " ",
    "a" * 250 + " b",
    "\nnew line",
    "[MASK] <unk> 50%",
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "cased", "cleaning", "name"),
    [
        ("wordpiece", False, "none", "BertTokenizer"),
        ("wordpiece", True, "none", "BertTokenizer"),
        ("wordpiece", False, "plain", "TokenizersBackend"),
        ("bpe", False, "none", "OpenAIGPTTokenizer"),
        ("bpe", True, "none", "TokenizersBackend"),
        ("byte_bpe", True, "none", "GPT2Tokenizer"),
        ("byte_bpe", False, "plain", "TokenizersBackend"),
    ],
)
def test_transformers_gives_the_same_ids(tmp_path, kind, cased, cleaning, name):
    transformers = pytest.importorskip("transformers")
    pieces = trained(kind, cased=cased, cleaning=cleaning)
    pieces.write(tmp_path, context_length=128)
    model_type = {"wordpiece": "bert", "bpe": "openai-gpt", "byte_bpe": "gpt2"}[kind]
    (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type}), encoding="utf-8")
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert type(theirs).__name__ == name
    assert theirs.model_max_length == 128
    assert len(theirs) == pieces.n_entries
    for text in [*ANY_TEXT, *LINES[:5]]:
        assert theirs(text, add_special_tokens=False)["input_ids"] == pieces.encode([text])[0]
    if kind == "wordpiece":
        _check_thai(transformers, tmp_path / "thai")
        assert theirs("the", "cat")["input_ids"] == [
            pieces.cls, *pieces.encode(["the"])[0], pieces.sep, *pieces.encode(["cat"])[0], pieces.sep
        ]  # fmt: skip
        assert (theirs.pad_token_id, theirs.mask_token_id) == (pieces.pad, pieces.mask)


def _check_thai(transformers, folder):
    """What parts long words does so where others open it."""
    folder.mkdir()
    pieces = trained("wordpiece", [THAI * n for n in range(1, 9)])
    pieces.write(folder, context_length=128)
    (folder / "config.json").write_text(json.dumps({"model_type": "bert"}), encoding="utf-8")
    theirs = transformers.AutoTokenizer.from_pretrained(folder)
    for text in (THAI, THAI * 7, f"{THAI * 3} cat {'a' * 250}"):
        assert theirs(text, add_special_tokens=False)["input_ids"] == pieces.encode([text])[0]
    assert theirs(THAI * 7, THAI)["token_type_ids"].count(1) == len(pieces.encode([THAI])[0]) + 1


def test_without_tokenizers_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(FirthError, match="firth\\[contextual\\]"):
        trained("wordpiece")
    with pytest.raises(FirthError, match="firth\\[contextual\\]"):
        Pieces.read(Path(__file__).parent / "tokenizer.json")
