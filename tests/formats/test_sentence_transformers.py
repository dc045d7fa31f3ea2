"""Directories for sentence-transformers, read by the tokenizers library; tests/consumers has the program itself."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import firth
from firth.formats import safetensors, sentence_transformers
from firth.phrases import Phrase
from firth.scripts import LETTERS
from firth.segmentation import Segmentation

tokenizers = pytest.importorskip("tokenizers")

WORDS = [
    "the",
    "cat",
    "don't",
    "t",
    "don",
    "2",
    "00",
    "开心",
    "今天",
    "我",
    "ไทย",
    "ด",
    "über",
    "a",
    "new_york",
    "状态",
    ".",
    "!!",
    "-",
    "_",
]
MATRIX = np.random.default_rng(1).normal(size=(len(WORDS), 4)).astype(np.float32)
TEXTS = st.text(
    st.sampled_from("the cat dont'T2 0開开心今天我ไทยด\u0308u\u00fcA\u00ad\u2019_new york.,!\n\t状态-é\u0301"),
    max_size=30,
)
SEGMENTATIONS = [
    Segmentation(method="words"),
    Segmentation(method="words", lower=False),
    Segmentation(method="words", inner="'-"),
    Segmentation(method="words", digits="zero", unicode_form="NFKC"),
    Segmentation(method="space"),
    Segmentation(method="space", lower=False),
    Segmentation(method="characters"),
    Segmentation(method="characters", inner="'"),
    Segmentation(method="words", inner="-", punctuation=True),
    Segmentation(method="characters", punctuation=True),
]


def written(folder, words, segmentation):
    folder.mkdir()
    sentence_transformers.write_static(folder, words, MATRIX[: len(words)], segmentation)
    return tokenizers.Tokenizer.from_file(str(folder / "0_StaticEmbedding" / "tokenizer.json"))


def found(tokenizer, text):
    return tokenizer.encode(text, add_special_tokens=False).ids


@pytest.fixture(
    scope="module",
    params=SEGMENTATIONS,
    ids=lambda value: f"{value.method}-{value.lower}-{value.inner}-{value.punctuation}",
)
def both(request, tmp_path_factory):
    """A segmentation and the tokenizer written for it."""
    return request.param, written(tmp_path_factory.mktemp("static") / "model", WORDS, request.param)


@given(text=TEXTS)
def test_words_are_found_as_we_find_them(both, text):
    segmentation, tokenizer = both
    expected = [WORDS.index(word) for word in segmentation.words(text) if word in WORDS]
    assert found(tokenizer, text) == expected


def test_scripts_without_spaces_are_cut_into_characters(tmp_path):
    words = [chr(ranges[0][0]) for script, ranges in LETTERS.items() if script in ("Han", "Thai", "Lao", "Khmer")]
    segmentation = Segmentation(method="characters")
    tokenizer = written(tmp_path / "model", words, segmentation)
    text = "".join(words) + " abc" + words[0]
    assert found(tokenizer, text) == [words.index(word) for word in segmentation.words(text) if word in words]


@pytest.mark.parametrize(
    ("segmentation", "named"),
    [
        (Segmentation(method="words", simplified=True), "without making traditional Chinese simplified,"),
        (Segmentation(method="words", drop=("html", "urls")), r"without dropping markup \(html, urls\),"),
        (Segmentation(method="chinese"), "without the segmenter of Chinese,"),
        (
            Segmentation(method="chinese", phrases=firth.Phrases(entries=(Phrase(("the", "cat")),))),
            "without the segmenter of Chinese, joining phrases,",
        ),
    ],
)
def test_what_the_tokenizer_does_not_do_is_told(tmp_path, segmentation, named):
    vectors = firth.Vectors(WORDS, MATRIX, segmentation=segmentation)
    with pytest.warns(UserWarning, match=named) as told:
        firth.to_sentence_transformers(vectors, tmp_path / "model")
    assert len(told) == 1


def test_text_of_unknown_origin_is_cut_at_white_space(tmp_path):
    tokenizer = written(tmp_path / "model", WORDS, None)
    assert found(tokenizer, "the cat, don't The\n2") == [0, 2, 5]


def test_unknown_words_are_left_out_whatever_their_letters_are(tmp_path):
    tokenizer = written(tmp_path / "model", ["a", "b", "\ue000c", "▁"], Segmentation(method="space"))
    assert found(tokenizer, "ab ba a abc ▁a \ue000c c b") == [0, 2, 1]


def test_what_is_written(tmp_path):
    written(tmp_path / "model", WORDS, None)
    modules = json.loads((tmp_path / "model" / "modules.json").read_bytes())
    assert [module["path"] for module in modules] == ["0_StaticEmbedding"]
    tensors = safetensors.read(tmp_path / "model" / "0_StaticEmbedding" / "model.safetensors")
    np.testing.assert_array_equal(tensors["embedding.weight"], MATRIX)


def test_a_network_is_copied_with_its_window(tmp_path):
    pytest.importorskip("torch")
    family = firth.GPT(dim=16, n_layers=1, n_heads=2, context_length=8, n_positions=32)
    firth.train(family, ["the cat sat on the mat"] * 9, tokens=100, threads=1, output=tmp_path / "gpt")
    (tmp_path / "out").mkdir()
    assert sentence_transformers.is_network(tmp_path / "gpt")
    sentence_transformers.write_network(tmp_path / "out", tmp_path / "gpt")
    config = json.loads((tmp_path / "out" / "1_Pooling" / "config.json").read_bytes())
    assert config["word_embedding_dimension"] == 16
    assert json.loads((tmp_path / "out" / "sentence_bert_config.json").read_bytes()) == {"max_seq_length": 8}
    assert json.loads((tmp_path / "out" / "tokenizer_config.json").read_bytes())["pad_token"]
    assert (tmp_path / "out" / "model.safetensors").read_bytes() == (
        tmp_path / "gpt" / "model.safetensors"
    ).read_bytes()
    assert not (tmp_path / "out" / "firth.json").exists()


def exported_padding(folder, out, vocabulary, config, **files):
    """What is written as the token that fills batches up, of a network with these files."""
    folder.mkdir()
    out.mkdir()
    (folder / "model.safetensors").write_bytes(b"")
    (folder / "config.json").write_text(json.dumps({"hidden_size": 4} | config))
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"vocab": vocabulary}, "added_tokens": []}))
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    sentence_transformers.write_network(out, folder)
    return json.loads((out / "tokenizer_config.json").read_bytes()).get("pad_token")


GPT2 = {"a": 0, "b": 1, "<|endoftext|>": 2}
ROBERTA = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "a": 4}


@pytest.mark.parametrize(
    ("vocabulary", "config", "settings", "due"),
    [
        (GPT2, {"eos_token_id": 2, "vocab_size": 3}, {"model_max_length": 1024}, "<|endoftext|>"),
        (GPT2, {"vocab_size": 3}, {}, "<|endoftext|>"),
        (ROBERTA, {"pad_token_id": 1, "vocab_size": 5}, {"model_max_length": 512}, "<pad>"),
        (ROBERTA, {}, {"pad_token": {"content": "</s>", "lstrip": True}}, {"content": "</s>", "lstrip": True}),
        (ROBERTA, {}, {"pad_token": "[PAD]", "eos_token": "</s>"}, "<pad>"),  # [PAD] has no row
        (ROBERTA | {"[PAD]": 5}, {"vocab_size": 5}, {"pad_token": "[PAD]"}, "<pad>"),  # nor here
        ({"a": 0, "</s>": 1}, {}, {"eos_token": "</s>"}, "</s>"),
        ({"a": 0, "<unk>": 1}, {}, {}, "<unk>"),  # GPT-1
        ([["<pad>", 0.0], ["a", -1.5]], {}, {}, "<pad>"),  # with scores
        ({"a": 0}, {}, {"added_tokens_decoder": {"1": {"content": "[PAD]"}}}, "[PAD]"),
        ({"a": 0}, {}, {}, None),
    ],
)
def test_batches_are_filled_up_with_a_piece_that_has_a_row(tmp_path, vocabulary, config, settings, due):
    found = exported_padding(tmp_path / "in", tmp_path / "out", vocabulary, config, tokenizer_config=settings)
    assert found == due


def test_the_piece_that_fills_up_may_be_named_elsewhere(tmp_path):
    told = {"special_tokens_map": {"pad_token": "</s>"}}
    assert exported_padding(tmp_path / "in", tmp_path / "out", ROBERTA, {}, **told) == "</s>"
    (tmp_path / "in" / "tokenizer.json").write_text("{}")
    with pytest.raises(firth.FirthError, match="does not hold the pieces of a tokenizer"):
        sentence_transformers.write_network(tmp_path / "out", tmp_path / "in")


def test_the_window_is_that_of_the_network(tmp_path):
    for number, (config, due) in enumerate(
        [
            ({"model_type": "roberta", "max_position_embeddings": 514, "pad_token_id": 1}, 512),
            ({"model_type": "xlm-roberta", "max_position_embeddings": 514}, 512),
            ({"model_type": "bert", "max_position_embeddings": 512, "pad_token_id": 0}, 512),
            ({"model_type": "gpt2", "n_positions": 1024}, 1024),
        ]
    ):
        exported_padding(tmp_path / f"in{number}", tmp_path / f"out{number}", ROBERTA, config)
        written = json.loads((tmp_path / f"out{number}" / "sentence_bert_config.json").read_bytes())
        assert written == {"max_seq_length": due}


def test_no_network(tmp_path):
    (tmp_path / "out").mkdir()
    assert not sentence_transformers.is_network(tmp_path)
    with pytest.raises(firth.FirthError, match=r"config\.json cannot be read"):
        sentence_transformers.write_network(tmp_path / "out", tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(firth.FirthError, match=r"has no tokenizer\.json and no model\.safetensors"):
        sentence_transformers.write_network(tmp_path / "out", tmp_path)
