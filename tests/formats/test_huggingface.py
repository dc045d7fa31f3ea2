"""Beside transformers: hidden states, losses and gradients, files read and written both ways."""

import json
from contextlib import suppress
from dataclasses import replace
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from safetensors.torch import load_file, save_file  # noqa: E402

from firth.errors import FirthError  # noqa: E402
from firth.families.bert import BERT, Batch  # noqa: E402
from firth.families.gpt import GPT  # noqa: E402
from firth.formats import huggingface  # noqa: E402
from firth.pieces import train_pieces  # noqa: E402

V, T = 130, 24  # entries, which are no multiple of 64; tokens
BERT_SIZES = {
    "vocab_size": V,
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 40,
}
GPT_SIZES = {"vocab_size": V, "n_positions": 40, "n_embd": 32, "n_layer": 3, "n_head": 4}
ENDS = {"bos_token_id": 1, "eos_token_id": 1}
PUBLISHED = {
    "pretraining": ("BertForPreTraining", "BertConfig", BERT_SIZES),
    "masked": ("BertForMaskedLM", "BertConfig", BERT_SIZES | {"hidden_act": "gelu_new"}),
    "gpt": ("OpenAIGPTLMHeadModel", "OpenAIGPTConfig", GPT_SIZES),
    "gpt2": ("GPT2LMHeadModel", "GPT2Config", GPT_SIZES | ENDS | {"n_inner": 48, "activation_function": "gelu"}),
}


@pytest.fixture(autouse=True)
def silent():
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()


def their_model(kind, seed=0):
    """A model of transformers whose weights are large enough for every part to matter."""
    name, config, sizes = PUBLISHED[kind]
    model = getattr(transformers, name)(getattr(transformers, config)(**sizes)).eval()
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        parameter.data = 0.2 * torch.randn(parameter.shape, generator=generator)
    return model


@pytest.fixture(params=PUBLISHED)
def kind(request):
    return request.param


@pytest.fixture
def pair(kind, tmp_path):
    """Their model and ours, read from the files of theirs."""
    model = their_model(kind)
    model.save_pretrained(tmp_path / "theirs")
    published = huggingface.read(tmp_path / "theirs")
    return model, published.family, published.network(published.family, 0).eval()


def example(family):
    """A batch with padding, as tensors, and what transformers asks of the same."""
    generator = torch.Generator().manual_seed(1)
    lengths = torch.tensor([T, 7, 15, 2])
    columns = torch.arange(T)
    is_there = columns < lengths[:, None]
    ids = torch.randint(5, V, (4, T), generator=generator) * is_there
    if isinstance(family, GPT):
        labels = torch.where(is_there, ids, -100)
        return SimpleNamespace(ids=ids, lengths=lengths), {"input_ids": ids, "labels": labels}
    segments = ((columns > 4) & is_there).long()
    masked = torch.tensor([1, 5, T + 3, 2 * T + 9, 3 * T, 0])  # the last one only fills up
    weights = torch.tensor([1.0, 1, 1, 1, 1, 0])
    targets = torch.tensor([7, 129, 12, 13, 5, 77])
    labels = torch.full((4 * T,), -100).index_copy(0, masked[:-1], targets[:-1]).view(4, T)
    batch = Batch(
        ids=ids,
        segments=segments,
        lengths=lengths,
        positions=None,
        documents=None,
        masked=masked,
        targets=targets,
        weights=weights,
        next_sentence=None,
        n_tokens=48,
    )
    asked = {"input_ids": ids, "token_type_ids": segments, "attention_mask": is_there.long(), "labels": labels}
    if family.predicts_next_sentence:
        asked["next_sentence_label"] = torch.tensor([0, 1, 1, 0])
        batch = batch._replace(next_sentence=asked["next_sentence_label"])
    return batch, asked


def layers_of(family, network, batch):
    if isinstance(family, GPT):
        return network(batch.ids)
    return network(batch.ids, batch.segments, lengths=batch.lengths)


def test_hidden_states_of_every_layer_are_theirs(pair):
    model, family, network = pair
    batch, asked = example(family)
    with torch.no_grad():
        theirs = model(**asked, output_hidden_states=True).hidden_states
        ours = layers_of(family, network, batch)
    assert len(ours) == len(theirs) == family.n_layers + 1
    is_there = torch.arange(T) < batch.lengths[:, None]
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one[is_there], other[is_there], rtol=0, atol=1e-5)


def test_losses_are_theirs(pair):
    model, family, network = pair
    batch, asked = example(family)
    with torch.no_grad():
        torch.testing.assert_close(family.loss(network, batch).mean, model(**asked).loss, rtol=0, atol=1e-5)


def test_gradients_are_theirs(pair):
    model, family, network = pair
    model, network = model.double(), network.double()
    batch, asked = example(family)
    if isinstance(family, GPT):  # whose loss the library computes in float32
        logits = model(**asked).logits[:, :-1].flatten(0, 1)
        torch.nn.functional.cross_entropy(logits, asked["labels"][:, 1:].flatten()).backward()
    else:
        model(**asked).loss.backward()
    family.loss(network, batch).mean.backward()
    theirs = {name: parameter.grad for name, parameter in model.named_parameters()}
    ours = dict(network.named_parameters())
    compared = 0
    for entry in huggingface._entries(family, V):
        if entry.ours not in ours or entry.theirs[0] not in theirs:
            continue  # a head that one of them does not have
        parts = [theirs[name].T if entry.is_transposed else theirs[name] for name in entry.theirs]
        torch.testing.assert_close(ours[entry.ours].grad[: len(torch.cat(parts))], torch.cat(parts), rtol=0, atol=1e-10)
        compared += len(parts)
    assert compared == len(theirs)


def trained(kind):
    """A family and a network of ours."""
    family = {
        "pretraining": BERT(dim=32, n_layers=2, n_heads=2, objective="masked_token_and_next_sentence"),
        "masked": BERT(dim=32, n_layers=2, n_heads=2, activation="gelu"),
        "gpt": GPT(dim=32, n_layers=2, n_heads=2),
        "gpt2": GPT(dim=32, n_layers=2, n_heads=2, norm="pre", inner_dim=48),
    }[kind]
    return family, family.network(V, seed=3)


def test_their_classes_open_what_we_write(kind, tmp_path):
    family, network = trained(kind)
    huggingface.write(tmp_path, family, network, None)
    their_class = getattr(transformers, PUBLISHED[kind][0])
    model, report = their_class.from_pretrained(tmp_path, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["mismatched_keys"]
    assert {name.split(".")[1] for name in report["unexpected_keys"]} <= {"pooler", "seq_relationship"}
    bare, report = transformers.AutoModel.from_pretrained(tmp_path, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["mismatched_keys"]
    assert {name.split(".")[0] for name in report["unexpected_keys"]} <= {"cls"}
    batch, asked = example(family)
    mask = {"attention_mask": asked["attention_mask"]} if "attention_mask" in asked else {}
    types = {"token_type_ids": asked["token_type_ids"]} if "token_type_ids" in asked else {}
    with torch.no_grad():
        ours = layers_of(family, network.eval(), batch)
        theirs = bare(input_ids=batch.ids, **mask, **types, output_hidden_states=True).hidden_states
        torch.testing.assert_close(family.loss(network, batch).mean, model.eval()(**asked).loss, rtol=0, atol=1e-5)
    is_there = torch.arange(T) < batch.lengths[:, None]
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one[is_there], other[is_there], rtol=0, atol=1e-5)


def test_loading_never_invents_a_head(tmp_path):
    family, network = trained("masked")
    huggingface.write(tmp_path, family, network, None)
    model, report = transformers.BertForPreTraining.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(report.values())  # nothing is missing, unexpected, or of another shape
    torch.testing.assert_close(model.bert.pooler.dense.weight, network.pooler.weight, rtol=0, atol=0)
    torch.testing.assert_close(model.cls.seq_relationship.weight, network.next.weight, rtol=0, atol=0)
    assert network.pooler.weight.std() > 0.01
    assert network.next.weight.std() > 0.01
    again = trained("masked")[1]
    assert torch.equal(again.next.weight, network.next.weight)  # drawn by the seed


SIZES = st.fixed_dictionaries(
    {
        "n_heads": st.integers(1, 3),
        "n_layers": st.integers(1, 3),
        "inner_dim": st.one_of(st.none(), st.integers(1, 9)),
        "n_positions": st.integers(1, 9),
        "norm_epsilon": st.sampled_from([1e-12, 1e-5]),
        "deviation": st.floats(0.01, 1),
        "activation": st.sampled_from(["gelu", "gelu_tanh", "relu"]),
    }
)


@given(SIZES, st.sampled_from([GPT, BERT]), st.integers(1, 4), st.integers(1, 140))
@settings(max_examples=30)
def test_what_is_written_is_read(tmp_path_factory, sizes, cls, head_dim, n_entries):
    path = tmp_path_factory.mktemp("written")
    sizes["dim"] = head_dim * sizes["n_heads"]
    more = {"norm": "pre"} if cls is GPT else {"objective": "masked_token_and_next_sentence"}
    family = cls(**sizes, **more, context_length=1)
    network = family.network(n_entries, seed=4)
    huggingface.write(path, family, network, None)
    published = huggingface.read(path)
    if sizes["inner_dim"] is None:
        sizes["inner_dim"] = published.family.inner_dim
        assert sizes["inner_dim"] in (None, 4 * family.dim)
    for name, size in sizes.items():
        assert getattr(published.family, name) == size
    assert published.n_entries == n_entries
    assert published.absent == published.unused == ()
    again = published.network(published.family, seed=5)
    for name, parameter in network.named_parameters():
        n = n_entries if name in ("table", "output_bias") else len(parameter)
        torch.testing.assert_close(again.get_parameter(name)[:n], parameter[:n], rtol=0, atol=0)


def test_gpt_1_comes_back(tmp_path):
    family, network = trained("gpt")
    huggingface.write(tmp_path, family, network, None)
    assert huggingface.read(tmp_path).family == replace(family, inner_dim=None)


def test_heads_that_are_not_there_are_told_and_drawn(tmp_path):
    their_model("pretraining").bert.save_pretrained(tmp_path)  # as sentence encoders are published
    published = huggingface.read(tmp_path)
    assert "table" in published.tensors
    assert {name.split(".")[0] for name in published.absent} == {"transform", "transform_norm", "output_bias", "next"}
    assert published.family.objective == "masked_token"
    first, second = (published.network(published.family, seed) for seed in (1, 2))
    assert torch.equal(first.pooler.weight, second.pooler.weight)
    assert not torch.equal(first.transform.weight, second.transform.weight)
    assert torch.equal(first.transform.weight, published.network(published.family, 1).transform.weight)


def test_old_names_and_buffers_are_known(tmp_path):
    model = their_model("pretraining")
    model.save_pretrained(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    old = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): tensor
        for name, tensor in tensors.items()
    }
    old |= {"bert.embeddings.position_ids": torch.arange(40)[None], "classifier.weight": torch.ones(2)}
    save_file(old, tmp_path / "model.safetensors")
    published = huggingface.read(tmp_path)
    assert published.unused == ("classifier.weight",)
    torch.testing.assert_close(
        published.tensors["blocks.1.norm_2.bias"], tensors["bert.encoder.layer.1.output.LayerNorm.bias"]
    )


def test_gpt_2_as_its_authors_directory_names_it(tmp_path):
    model = their_model("gpt2")
    model.save_pretrained(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    bare = {name.removeprefix("transformer."): tensor for name, tensor in tensors.items()}
    save_file(bare | {"h.0.attn.bias": torch.ones(1, 1, 40, 40)}, tmp_path / "model.safetensors")
    published = huggingface.read(tmp_path)
    assert published.unused == published.absent == ()
    torch.testing.assert_close(published.tensors["table"], tensors["transformer.wte.weight"])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_other_types_become_float32(tmp_path, dtype):
    model = their_model("gpt").to(getattr(torch, dtype))
    model.save_pretrained(tmp_path)
    tensors = huggingface.read(tmp_path).tensors
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float32}
    torch.testing.assert_close(tensors["table"], model.transformer.tokens_embed.weight.float(), rtol=0, atol=0)


def test_weights_in_several_files_are_read(tmp_path):
    model = their_model("gpt2")
    model.save_pretrained(tmp_path / "one")
    model.save_pretrained(tmp_path / "several", max_shard_size="20KB")
    assert (tmp_path / "several" / "model.safetensors.index.json").is_file()
    one, several = huggingface.read(tmp_path / "one"), huggingface.read(tmp_path / "several")
    assert one.tensors.keys() == several.tensors.keys()
    for name, tensor in one.tensors.items():
        assert torch.equal(tensor, several.tensors[name])


# --- what is refused


@pytest.fixture
def folder(tmp_path):
    huggingface.write(tmp_path, *trained("pretraining"), None)
    return tmp_path


def changed(folder, **changes):
    config = json.loads((folder / "config.json").read_text()) | changes
    (folder / "config.json").write_text(json.dumps(config))


def test_pickles_are_refused_with_the_reason(folder):
    (folder / "model.safetensors").unlink()
    with pytest.raises(FirthError, match=r"has no model\.safetensors"):
        huggingface.read(folder)
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04")
    with pytest.raises(FirthError, match=r"pytorch_model\.bin alone.*runs what its author put in it.*save_pretrained"):
        huggingface.read(folder)


def test_a_file_that_was_cut_off_says_where(folder):
    path = folder / "model.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[:-40])
    with pytest.raises(FirthError, match=r"not a whole safetensors file: it ends within cls\.\S+, which should be \("):
        huggingface.read(folder)
    path.write_bytes(content[:30])
    with pytest.raises(FirthError, match="not a whole safetensors file"):
        huggingface.read(folder)
    path.write_bytes(b"")
    with pytest.raises(FirthError, match="not a whole safetensors file"):
        huggingface.read(folder)


def test_a_foreign_file_says_which_tensor_and_shape(folder):
    path = folder / "model.safetensors"
    tensors = load_file(path)
    name = "bert.encoder.layer.1.attention.self.key.weight"
    save_file({key: tensor for key, tensor in tensors.items() if key != name}, path)
    with pytest.raises(FirthError, match=rf"{name} should be \(32, 32\), and there is no such tensor"):
        huggingface.read(folder)
    save_file(tensors | {name: torch.ones(32, 8)}, path)
    with pytest.raises(FirthError, match=rf"{name} should be \(32, 32\), and there is \(32, 8\)"):
        huggingface.read(folder)
    save_file({"x": torch.ones(2)}, path)
    with pytest.raises(FirthError, match=r"word_embeddings\.weight should be \(130, 32\), and there is no such tensor"):
        huggingface.read(folder)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"model_type": None}, "names no model_type; known are 'bert'"),
        ({"model_type": "roberta"}, r"'roberta'; known are 'bert'.*gpt2'. `firth extract` .*firth\[hf\]"),
        ({"hidden_act": "swish"}, "hidden_act is 'swish'; known are gelu"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type is relative_key"),
        ({"is_decoder": True}, "is_decoder is True"),
        ({"tie_word_embeddings": False}, "tie_word_embeddings is False"),
        ({"num_attention_heads": 5}, "dim is 32, which 5 heads cannot share"),
        ({"hidden_size": "32"}, "hidden_size is 32; it must be a whole number"),
        ({"vocab_size": 131}, r"word_embeddings.weight should be \(131, 32\), and there is \(130, 32\)"),
        ({"layer_norm_eps": None}, "layer_norm_eps and initializer_range must be numbers"),
        ({"model_type": "\x1b[31m"}, r"model of type '\\\\u\{1b\}\[31m'"),
    ],
)
def test_what_our_networks_do_not_do_is_named(folder, changes, told):
    changed(folder, **changes)
    with pytest.raises(FirthError, match=told):
        huggingface.read(folder)


def test_a_scaling_that_gpt_2_may_have_is_refused(tmp_path):
    huggingface.write(tmp_path, *trained("gpt2"), None)
    changed(tmp_path, scale_attn_by_inverse_layer_idx=True)
    with pytest.raises(FirthError, match="scale_attn_by_inverse_layer_idx is True"):
        huggingface.read(tmp_path)


def test_a_config_that_is_none(folder):
    (folder / "config.json").write_text("[1]")
    with pytest.raises(FirthError, match="not a JSON object"):
        huggingface.read(folder)
    (folder / "config.json").write_text("{")
    with pytest.raises(FirthError, match="not JSON"):
        huggingface.read(folder)
    (folder / "config.json").unlink()
    with pytest.raises(FirthError, match="cannot be read"):
        huggingface.read(folder)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=3,
)


@given(st.data())
@settings(max_examples=60)
def test_any_config_is_read_or_refused(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("config")
    kind = data.draw(st.sampled_from(["pretraining", "gpt", "gpt2"]))
    huggingface.write(path, *trained(kind), None)
    names = sorted(json.loads((path / "config.json").read_text()))
    changed(path, **data.draw(st.dictionaries(st.sampled_from(names), JSON, min_size=1, max_size=3)))
    with suppress(FirthError):
        assert huggingface.read(path).tensors


@given(st.binary(max_size=300), st.integers(0, 400))
@settings(max_examples=60)
def test_any_weights_are_read_or_refused(tmp_path_factory, damage, place):
    path = tmp_path_factory.mktemp("weights")
    huggingface.write(path, *trained("gpt"), None)
    content = bytearray((path / "model.safetensors").read_bytes())
    content[place : place + len(damage)] = damage
    (path / "model.safetensors").write_bytes(content)
    with suppress(FirthError):
        assert huggingface.read(path).tensors


# --- with a tokenizer

TOKENIZERS = {"wordpiece": "pretraining", "bpe": "gpt", "byte_bpe": "gpt2"}
LINES = ["the cat sat on the mat", "the dog sat on the log", "a cat and a dog on the mat"] * 4


@pytest.mark.parametrize("pieces_kind", TOKENIZERS)
def test_a_directory_opens_with_its_tokenizer(pieces_kind, tmp_path):
    pieces = train_pieces(LINES, pieces_kind, size=300, cased=False, seed=0)
    family, _ = trained(TOKENIZERS[pieces_kind])
    network = family.network(pieces.n_entries, 0)
    huggingface.write(tmp_path, family, network, pieces)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    model = transformers.AutoModel.from_pretrained(tmp_path).eval()
    assert tokenizer.model_max_length == family.n_positions
    assert len(tokenizer) == model.config.vocab_size == pieces.n_entries
    assert model.config.pad_token_id == pieces.pad
    assert model.config.eos_token_id == pieces.end
    encoded = tokenizer(LINES[0], add_special_tokens=False, return_tensors="pt")
    assert encoded.input_ids[0].tolist() == pieces.encode([LINES[0]])[0]
    with torch.no_grad():
        theirs = model(encoded.input_ids).last_hidden_state
        torch.testing.assert_close(network.eval()(encoded.input_ids)[-1], theirs, rtol=0, atol=1e-5)
