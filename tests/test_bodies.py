"""What heads stand on, as the papers define it and as transformers reads it."""

import itertools

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("tokenizers")


from invented_tasks import ROWS, SPLIT, model_of, one_thread, pairs, static, texts, tuned  # noqa: E402, F401

import firth  # noqa: E402
from firth import descent  # noqa: E402
from firth.bodies import Blocks, Stored, from_scratch  # noqa: E402
from firth.errors import UsageError  # noqa: E402
from firth.finetuned import load_finetuned  # noqa: E402
from firth.finetuning import finetune  # noqa: E402
from firth.tasks import read_examples  # noqa: E402
from firth.tuning import TaskNetwork, Tuning, batch_of  # noqa: E402

# --- as the papers define it


def rows_of(body, given, *, tags=False):
    return body.encode(given, tags=tags)


def test_bert_reads_cls_and_segments_and_first_pieces():
    model = model_of("bert")
    body, pieces = Blocks(model, context_length=None, seed=1), model.pieces
    one, two = pieces.encode(["good film", "sad"])
    rows = rows_of(body, [("good film", "sad")])
    assert rows.ids[0].tolist() == [pieces.cls, *one, pieces.sep, *two, pieces.sep]
    assert rows.segments[0].tolist() == [0] * (len(one) + 2) + [1] * (len(two) + 1)
    words = ["good", "filmsad", "sad"]
    rows = rows_of(body, [tuple(words)], tags=True)
    parts = pieces.encode(words)
    assert len(parts[1]) > 1
    assert rows.ids[0].tolist() == [pieces.cls, *itertools.chain(*parts), pieces.sep]
    assert rows.places[0].tolist() == [1, 1 + len(parts[0]), 1 + len(parts[0]) + len(parts[1])]


@pytest.mark.parametrize("name", ["gpt", "gpt2"])
def test_gpts_symbols(name):
    model = model_of(name)
    body = Blocks(model, context_length=None, seed=1)
    start, delimiter, extract = (body.pieces.backend.token_to_id(f"<|{s}|>") for s in ("start", "delimiter", "extract"))
    assert {start, delimiter, extract} == set(range(model.pieces.n_entries, model.pieces.n_entries + 3))
    one, two = model.pieces.encode(["good film", "sad"])
    assert rows_of(body, [("good film",)]).ids[0].tolist() == [start, *one, extract]
    assert rows_of(body, [("good film", "sad")]).ids[0].tolist() == [start, *one, delimiter, *two, extract]
    assert body.pieces.backend.encode("good film").ids == [start, *one, extract]  # by the tokenizer itself
    table = body.network.table
    assert torch.equal(table[: model.network.n_entries], model.network.table[: model.network.n_entries])
    assert table[start].abs().sum() > 0


def test_gpt_reads_texts_without_an_order_both_ways(tmp_path):
    rows = [(one, other, 0.5 + len(one) + len(other)) for one, other, _ in pairs(16, 1)]
    made = finetune(model_of("gpt"), rows, task="pair", epochs=1)
    assert made.tuning.orders == "both"
    answers = [made.predict([two])[0].label for two in (("a good film", "sad"), ("sad", "a good film"))]
    assert answers[0] == pytest.approx(answers[1], rel=1e-5)
    made.save(tmp_path / "out")
    assert load_finetuned(tmp_path / "out").predict([("sad", "a good film")])[0].label == pytest.approx(answers[0])
    assert "score.weight" not in (tmp_path / "out" / "model.safetensors").read_bytes().decode("latin-1")
    body, start = made.network.body, made.network.body.before[0]
    row = rows_of(body, [("good film", "sad")])
    delimiter, extract = body.between[0], body.behind[0]
    one, two = body.pieces.encode(["good film", "sad"])
    assert row.ids[0].tolist() == [start, *one, delimiter, *two, extract]
    assert row.second[0].tolist() == [start, *two, delimiter, *one, extract]
    assert finetune(model_of("gpt"), pairs(16, 1), task="pair", epochs=1).tuning.orders == "given"
    with pytest.raises(UsageError, match="orders is given, and changes nothing"):
        finetune(model_of("bert"), pairs(16, 1), task="pair", orders="both")


def test_gpts_own_loss_counts_a_half():
    model = model_of("gpt")
    body = Blocks(model, context_length=None, seed=1)
    given = Tuning(task="classify", n_outputs=2, pool="last", language_model=0.5, head_dropout=0.0, body_dropout=0.0)
    network = TaskNetwork(given, body, 1)
    rows = rows_of(body, [("good film",), ("a",)])
    batch = descent.tensors(batch_of(rows, [0, 1], [0, 1]))
    loss = given.loss(network, batch)
    nats = []
    for ids in rows.ids:
        last = network.body.network(torch.from_numpy(ids)[None])[-1]
        scores = (last[0] @ body.network.table.T).detach()[:, : body.network.n_entries]
        nats += [float(-scores[t].log_softmax(0)[ids[t + 1]]) for t in range(len(ids) - 1)]
    assert float(loss.parts["next_token"].detach()) == pytest.approx(0.5 * np.mean(nats), rel=1e-4)
    assert float(loss.mean.detach()) == pytest.approx(sum(float(part.detach()) for part in loss.parts.values()))


def test_elmo_reads_each_text_alone():
    """Layers of a batch are those that the reader of `firth.extract` gives of each sentence."""
    model = model_of("elmo")
    made = tuned(model, epochs=0.2)
    body = type(made.network.body)(model, SPLIT)
    rows = rows_of(body, [("good film and a role",), ("sad",)])
    batch = descent.tensors(batch_of(rows, [0, 1], None))
    with torch.no_grad():
        layers = body.layers(batch.ids, batch.lengths)
    for row, sentence in enumerate(firth.extract(model, ["good film and a role", "sad"], device="cpu")):
        for layer in range(3):
            found = layers[layer][row, : len(sentence.words)].numpy()
            np.testing.assert_allclose(found, sentence.array[layer], atol=1e-5)


def test_stored_features_are_those_of_extract():
    model = model_of("bert")
    made = tuned(model, use="features", layers="0,2", head="cnn", head_dim=4, epochs=1)
    body = made.network.body
    assert isinstance(body, Stored)
    rows = body.encode([("a good film",), ("sad",)], tags=False)
    (first, second) = firth.extract(model, ["a good film", "sad"], layers="0,2", pool="first", device="cpu")
    with torch.no_grad():
        layers = body.layers(torch.from_numpy(rows.ids[0])[None], torch.tensor([3]))
    for layer in range(2):
        due = (first.array[layer] - body.centre[layer].numpy()) * body.scale[layer].numpy()
        np.testing.assert_allclose(layers[layer][0].numpy(), due, atol=2e-2)
    assert len(rows.ids[1]) == len(second.words)


def test_a_constant_number_of_a_layer_becomes_zero():
    made = tuned("bert", use="features", epochs=1)
    body = made.network.body
    body.array = np.ones((6, body.n_layers, body.dim), np.float16)
    body.array[:, 0, 0] = np.arange(6)
    body.standardise([np.arange(6)])
    found = body.layers(torch.arange(6)[None], torch.tensor([6]))
    assert torch.isfinite(torch.stack(found)).all()
    assert float(found[0][0, :, 0].std(correction=0)) == pytest.approx(1, abs=1e-3)
    assert all(float(layer[..., 1:].abs().max()) == 0 for layer in found)


def test_scratch_is_uniform_with_the_deviation_of_the_models_table():
    model = static()
    drawn = from_scratch(model, [], SPLIT, 1).vectors
    assert drawn.words == model.words
    bound = 3**0.5 * model.matrix.std()
    assert np.abs(drawn.matrix).max() <= bound
    assert drawn.matrix.std() == pytest.approx(model.matrix.std(), rel=0.1)
    assert np.abs(np.corrcoef(drawn.matrix.ravel(), model.matrix.ravel())[0, 1]) < 0.2
    again, other = (from_scratch(model, [], SPLIT, seed).vectors for seed in (1, 2))
    assert np.array_equal(drawn.matrix, again.matrix)
    assert not np.array_equal(drawn.matrix, other.matrix)


# --- beside transformers


def in_double(made):
    return made.network.double().eval()


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("bert", "classify"), ("bert", "pair"), ("bert", "tag"), ("gpt", "classify"),
        *(pytest.param("gpt2", task, marks=pytest.mark.slow) for task in ("classify", "pair", "tag")),
    ],
)  # fmt: skip
def test_transformers_opens_what_is_written_with_equal_scores_loss_and_gradients(name, task, tmp_path):
    transformers = pytest.importorskip("transformers")
    made = (
        tuned(name, task, epochs=0.5, head="linear", language_model=0.0)
        if name != "bert"
        else tuned(name, task, epochs=0.5)
    )
    made.save(tmp_path / "out")
    kind = "TokenClassification" if task == "tag" else "SequenceClassification"
    theirs, told = getattr(transformers, f"AutoModelFor{kind}").from_pretrained(
        tmp_path / "out", output_loading_info=True
    )
    assert not told["missing_keys"]
    assert not told["unexpected_keys"]
    assert list(theirs.config.id2label.values()) == list(made.labels)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    rows = ROWS[task](8, 3)
    read = read_examples(rows, task)
    inputs = [example.inputs for example in read]
    theirs.double().eval()
    network = in_double(made)
    encoded = network.body.encode(inputs, tags=task == "tag")
    if task == "tag":
        targets = [np.array([made.labels.index(tag) for tag in example.target]) for example in read]
        batch_theirs = tokenizer([" ".join(words) for words in inputs], padding=True, return_tensors="pt")
    else:
        targets = [made.labels.index(example.target) for example in read]
        batch_theirs = tokenizer(*map(list, zip(*inputs, strict=True)), padding=True, return_tensors="pt")
    batch = descent.tensors(batch_of(encoded, range(len(inputs)), targets))
    assert torch.equal(
        batch.ids * (batch_theirs["attention_mask"] > 0), batch_theirs["input_ids"] * batch_theirs["attention_mask"]
    )
    loss = made.tuning.loss(network, batch).mean
    if task == "tag":
        labels = torch.full(batch.ids.shape, -100)
        for row, (places, due) in enumerate(zip(encoded.places, targets, strict=True)):
            labels[row, places] = torch.from_numpy(due)
    else:
        labels = torch.tensor(targets)
    found = theirs(**batch_theirs, labels=labels)
    torch.testing.assert_close(loss, found.loss)
    if task != "tag":
        torch.testing.assert_close(network(batch)[0], found.logits)
    loss.backward()
    found.loss.backward()
    head = {"bert": "classifier", "gpt": "score", "gpt2": "classifier" if task == "tag" else "score"}[name]
    torch.testing.assert_close(network.scores.output.weight.grad, getattr(theirs, head).weight.grad)
    table = theirs.get_input_embeddings().weight.grad
    torch.testing.assert_close(network.body.network.table.grad[: len(table)], table)
    if name == "bert":
        three = theirs.bert.encoder.layer[0].attention.self
        due = torch.cat([getattr(three, part).weight.grad for part in ("query", "key", "value")])
        torch.testing.assert_close(network.body.network.blocks[0].qkv.weight.grad, due)


def test_a_number_is_answered_alike_by_transformers(tmp_path):
    transformers = pytest.importorskip("transformers")
    rows = [(text, 1.5 * len(text.split())) for text, _ in texts(32, 1)]
    made = finetune(model_of("bert"), rows, task="classify", epochs=1, columns={"target": "numbers"})
    made.save(tmp_path / "out")
    theirs = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path / "out").eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    with torch.no_grad():
        found = theirs(**tokenizer(["a good film", "sad"], padding=True, return_tensors="pt")).logits[:, 0]
    assert [one.label for one in made.predict(["a good film", "sad"])] == pytest.approx(found.tolist(), rel=1e-4)
