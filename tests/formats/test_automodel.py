"""What transformers opens, beside its own hidden states; only safetensors, and no code that comes with a model."""

import json
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from firth import FirthError, UsageError  # noqa: E402
from firth.extraction import extract  # noqa: E402
from firth.formats import automodel  # noqa: E402
from firth.pieces import train_pieces  # noqa: E402

LINES = ["The cats sat on the mat, and the dogs didn't.", "Naïve cafés in Zürich sell 12 cakes; 我今天很开心。"] * 10
WORDS = ["The", "cats", "didn't", "我", "今天", "Zürich", "cafe\u0301s", "👩🏽‍💻", "dogs"]
SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}


@pytest.fixture(autouse=True)
def silent():
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()


def saved(folder, kind):
    """A small network of an architecture, with a tokenizer, as save_pretrained writes them."""
    torch.manual_seed(1)
    if kind == "distilbert":
        pieces = train_pieces(LINES, "wordpiece", size=256, cased=False, seed=1)
        config = transformers.DistilBertConfig(
            vocab_size=pieces.n_entries, dim=32, n_layers=2, n_heads=4, hidden_dim=48, max_position_embeddings=40
        )
        model = transformers.DistilBertModel(config)
        pieces.write(folder, context_length=40)
        transformers.AutoTokenizer.from_pretrained(folder).save_pretrained(folder)
    else:
        pieces = train_pieces(LINES, "byte_bpe", size=384, cased=True, seed=1)
        backend = pieces.backend
        from tokenizers.processors import RobertaProcessing

        end = ("<|endoftext|>", pieces.end)
        backend.post_processor = RobertaProcessing(end, end, trim_offsets=True, add_prefix_space=False)
        tokenizer = transformers.PreTrainedTokenizerFast(
            tokenizer_object=backend, pad_token=end[0], eos_token=end[0], bos_token=end[0], unk_token=end[0]
        )
        config = {
            "roberta": lambda: transformers.RobertaConfig(
                vocab_size=pieces.size, pad_token_id=1, max_position_embeddings=42, **SIZES
            ),
            "gpt_neox": lambda: transformers.GPTNeoXConfig(vocab_size=pieces.size, max_position_embeddings=40, **SIZES),
        }[kind]()
        model = transformers.AutoModel.from_config(config)
        tokenizer.save_pretrained(folder)
    model.save_pretrained(folder)
    return folder


@pytest.fixture(params=["distilbert", "roberta", "gpt_neox"])
def folder(request, tmp_path):
    return saved(tmp_path / request.param, request.param)


def extracted(folder, sentences, **how):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return list(extract(folder, sentences, threads=2, **how))


def test_vectors_are_transformers_own(folder):
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    text = "The cats' cafés and the dogs, 12 Zürich"
    sentence, _ = extracted(folder, [text, "another one that is longer than the first, and its padding is not read"])
    inputs = tokenizer(text, return_offsets_mapping=True, return_tensors="pt")
    offsets = inputs.pop("offset_mapping")[0].tolist()
    inputs.pop("token_type_ids", None)
    with torch.inference_mode():
        layers = torch.stack(model(**inputs, output_hidden_states=True).hidden_states)[:, 0].numpy()
    assert sentence.words == ["The", "cats", "cafés", "and", "the", "dogs", "12", "Zürich"]
    start = 0
    for number, word in enumerate(sentence.words):
        start = text.index(word, start)
        rows = [t for t, (first, stop) in enumerate(offsets) if first < start + len(word) and stop > start]
        np.testing.assert_allclose(sentence.array[:, number], layers[:, rows].mean(1), rtol=0, atol=1e-5)
        start += len(word)


def test_long_texts_and_odd_words_are_read(folder):
    (sentence,) = extracted(folder, [WORDS * 30])
    assert sentence.words == WORDS * 30
    assert np.isfinite(sentence.array[:, [n for n in range(len(WORDS) * 30) if n not in sentence.unknown]]).all()
    assert sentence.array.shape == (3, len(WORDS) * 30, 32)


def test_what_is_known_of_a_network(tmp_path):
    roberta = automodel.read(saved(tmp_path / "roberta", "roberta"))
    assert (roberta.n_layers, roberta.dim, roberta.is_causal) == (3, 32, False)
    assert roberta.capacity == 42 - 2 - 2  # its first position is 2, and two special pieces stand around a text
    assert (len(roberta.before), len(roberta.behind)) == (1, 1)
    neox = automodel.read(saved(tmp_path / "neox", "gpt_neox"))
    assert neox.is_causal
    with pytest.raises(UsageError, match="positions"):
        automodel.read(tmp_path / "roberta", context_length=41)
    with pytest.raises(UsageError, match="no room"):
        automodel.read(tmp_path / "roberta", context_length=2)


def test_a_piece_beyond_the_networks_table_is_named(folder):
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    while len(tokenizer) <= transformers.AutoConfig.from_pretrained(folder).vocab_size:
        tokenizer.add_tokens([f"zz{len(tokenizer)}"])
    tokenizer.save_pretrained(folder)
    extracted(folder, [["the", "cats"]])
    with pytest.raises(FirthError, match=r"the piece 'zz\d+', number \d+, and the network's table has \d+ rows"):
        extracted(folder, [["the", f"zz{len(tokenizer) - 1}"]])


def test_pickles_are_not_opened(tmp_path):
    folder = saved(tmp_path / "roberta", "roberta")
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")
    with pytest.raises(FirthError, match="safetensors"):
        extract(folder, [])


def test_code_of_a_model_is_not_run(tmp_path):
    folder = saved(tmp_path / "roberta", "roberta")
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.Config", "AutoModel": "own.Model"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Config: pass\nclass Model: pass\n")
    with pytest.raises(FirthError, match="not opened by transformers"):
        extract(folder, [])
    assert not (tmp_path / "ran").exists()


def test_without_transformers_the_extra_is_named(tmp_path, monkeypatch):
    folder = saved(tmp_path / "roberta", "roberta")
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    with pytest.raises(FirthError, match=r"firth\[hf\]"):
        extract(folder, [])
