"""Heads behind models of every family: what they learn, that they repeat, go on, are saved, and what is refused."""

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("tokenizers")

from comparing import files  # noqa: E402

import firth  # noqa: E402
from firth import descent, devices, tuning  # noqa: E402
from firth.bodies import Blocks, Stored, Words, from_scratch  # noqa: E402
from firth.errors import FirthError, UsageError  # noqa: E402
from firth.files import latest_checkpoint  # noqa: E402
from firth.finetuned import load_finetuned  # noqa: E402
from firth.finetuning import finetune  # noqa: E402
from firth.model import Model  # noqa: E402
from firth.model import Words as WordTokens  # noqa: E402
from firth.pieces import train_pieces  # noqa: E402
from firth.progress import Lines  # noqa: E402
from firth.segmentation import Segmentation  # noqa: E402
from firth.tasks import read_examples  # noqa: E402
from firth.tuning import Stream, TaskNetwork, Tuning, batch_of  # noqa: E402
from firth.vectors import Vectors  # noqa: E402
from firth.vocabulary import Vocabulary  # noqa: E402

GOOD, BAD = ["good", "great"], ["bad", "sad"]
OTHERS = ["the", "film", "was", "a", "play", "role", "so", "very"]
WORDS = [*GOOD, *BAD, *OTHERS]
SPLIT = Segmentation(method="words", lower=True)


@pytest.fixture(autouse=True)
def one_thread():
    with devices.on_threads(1):
        yield


def texts(n, seed):
    """Texts of some words with one that tells the label."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(n):
        words = list(rng.choice(OTHERS, rng.integers(2, 6)))
        words.insert(int(rng.integers(0, len(words))), str(rng.choice(GOOD if number % 2 else BAD)))
        rows.append((" ".join(words), "yes" if number % 2 else "no"))
    return rows


def pairs(n, seed):
    """Whether the second text says what the first does."""
    firsts, seconds = texts(n, seed), texts(n, seed + 1)
    seconds = seconds[: n // 2] + [seconds[number ^ 1] for number in range(n // 2, n)]
    return [(one[0], other[0], str(one[1] == other[1])) for one, other in zip(firsts, seconds, strict=True)]


def tagged(n, seed):
    kinds = {**dict.fromkeys(GOOD, "B-GOOD"), **dict.fromkeys(BAD, "B-BAD")}
    rows = [text.split() for text, _ in texts(n, seed)]
    return [(words, [kinds.get(word, "O") for word in words]) for words in rows]


def pieces_of(kind):
    lines = [text for text, _ in texts(300, 9)]
    return train_pieces(lines, kind, size=128 if kind != "byte_bpe" else 320, cased=False, seed=1)


SMALL = {"n_layers": 2, "dim": 16, "n_heads": 2, "n_positions": 32, "context_length": 32}
PIECES = {kind: pieces_of(kind) for kind in ("wordpiece", "bpe", "byte_bpe")}


def static(segmentation=SPLIT, words=WORDS, **changes):
    rng = np.random.default_rng(0)
    return Vectors(words, rng.normal(0, 1.0, (len(words), 16)), segmentation=segmentation, **changes)


def model_of(name):
    if name == "static":
        return static()
    if name == "elmo":
        given = firth.ELMo(dim=16, cell_dim=16, filters=((1, 8), (2, 8)), n_highway=1, character_dim=8, max_size=30)
        words = WordTokens(Vocabulary(["<S>", "</S>", "<UNK>", *WORDS], np.ones(len(WORDS) + 3)), SPLIT)
        return Model(given, words, given.network(len(words.vocabulary), 1).eval(), {})
    if name == "bert":
        given, pieces = firth.BERT(**SMALL), PIECES["wordpiece"]
    elif name == "gpt":
        given, pieces = firth.GPT(**SMALL), PIECES["bpe"]
    else:
        given, pieces = firth.GPT(**SMALL, norm="pre"), PIECES["byte_bpe"]
    network = given.network(pieces.n_entries, 1).eval()
    with torch.no_grad():  # as if it were trained: words tell themselves apart
        network.table[: pieces.n_entries] *= 20
        network.positions *= 0.1
    return Model(given, pieces, network, {})


FAMILIES = ("static", "elmo", "gpt", "gpt2", "bert")
SLOWLY = ("static", "bert", *(pytest.param(name, marks=pytest.mark.slow) for name in ("elmo", "gpt", "gpt2")))
ROWS = {"classify": texts, "pair": pairs, "tag": tagged}


def tuned(model, task="classify", n=64, **changes):
    given = model_of(model) if isinstance(model, str) else model
    train, dev = ROWS[task](n, 1), ROWS[task](24, 5)
    settings = {"epochs": 4, "learning_rate": 3e-3, "batch_size": 8, "head_dropout": 0.0, "patience": 50}
    return finetune(given, train, task=task, dev=dev, **(settings | changes))


INPUTS = ["the film was great", "a sad play", "", "so good a role and so very good"]


# --- what is learnt


@pytest.mark.parametrize("use", ["features", "finetune", "scratch"])
@pytest.mark.parametrize("name", SLOWLY)
def test_every_family_learns_classes_and_is_saved_whole(name, use, tmp_path):
    is_deep = use == "finetune" and name != "static"
    rates = {"learning_rate": 5e-3, "head_rate": 10, "pool": "mean"} if is_deep else {"learning_rate": 5e-2}
    made = tuned(name, use=use, epochs=10, head="linear", **rates)
    assert made.runs[0].dev.value > (0.6 if name == "elmo" else 0.9)  # whose random LSTMs keep little
    found = made.predict(INPUTS)
    assert all(0.5 <= one.probability <= 1 for one in found)
    made.save(tmp_path / "out")
    again = load_finetuned(tmp_path / "out")
    assert [one.label for one in again.predict(INPUTS)] == [one.label for one in found]
    for one, other in zip(again.predict(INPUTS), found, strict=True):
        assert one.probability == pytest.approx(other.probability, abs=1e-5)
    assert again.evaluate(texts(24, 5)).value == made.runs[0].dev.value
    if use != "features" or name == "static":  # the table is a result too
        vectors = Vectors.load(tmp_path / "out")
        assert len(vectors.most_similar("great", topn=2)) == 2
        np.testing.assert_allclose(vectors["great"], made.vectors["great"], atol=1e-6)


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("static", "crf"), ("bert", "crf"), ("static", "bilstm"), ("static", "bilstm-crf"),
        *(pytest.param(name, "crf", marks=pytest.mark.slow) for name in ("elmo", "gpt", "gpt2")),
    ],
)  # fmt: skip
def test_every_family_learns_tags(name, head, tmp_path):
    rate = 5e-2 if name == "static" else 2e-2 if name == "elmo" else 5e-3
    made = tuned(
        name, "tag", head=head, epochs=8, learning_rate=rate, head_dim=16, head_rate=1 if name == "static" else 10
    )
    assert made.runs[0].dev.main == "f1"
    assert made.runs[0].dev.value > 0.9
    sentences = [["a", "great", "film"], ["so", "sad"]]
    found = made.predict(sentences)
    assert [one.label for one in found] == [("O", "B-GOOD", "O"), ("O", "B-BAD")]
    assert [len(one.probability) for one in found] == [3, 2]
    made.save(tmp_path / "out")
    assert [one.label for one in load_finetuned(tmp_path / "out").predict(sentences)] == [one.label for one in found]


def test_pairs_are_told_apart():
    made = tuned("static", "pair", n=96, head="mlp", head_dim=64, epochs=15, learning_rate=2e-2, pool="max")
    assert made.runs[0].dev.value > 0.75


@pytest.mark.parametrize(("name", "use"), [("static", "finetune"), ("bert", "features"), ("bert", "finetune"),
                                           ("elmo", "finetune"), ("gpt", "finetune"), ("bert", "scratch")])  # fmt: skip
def test_pairs_are_saved_whole(name, use, tmp_path):
    made = tuned(name, "pair", n=16, use=use, epochs=1)
    given = [("a good film", "great play"), ("a good film", "sad play")]
    found = made.predict(given)
    made.save(tmp_path / "out")
    again = load_finetuned(tmp_path / "out").predict(given)
    assert [one.label for one in again] == [one.label for one in found]


def test_numbers_are_met(tmp_path):
    rows = [
        (one, other, 0.5 + 4 * (label == "yes"))
        for (one, label), (other, _) in zip(texts(64, 1), texts(64, 2), strict=True)
    ]
    settings = {"epochs": 8, "learning_rate": 5e-2, "head": "linear", "batch_size": 8, "head_dropout": 0.0}
    made = finetune(static(), rows, task="pair", dev=rows[:40], **settings)
    assert made.runs[0].dev.main in ("pearson", "spearman")
    assert made.runs[0].dev.value > 0.7
    numbers = [one.label for one in made.predict([row[:2] for row in rows[:20]])]
    assert all(-1 < number < 6 for number in numbers)
    made.save(tmp_path / "out")
    again = load_finetuned(tmp_path / "out").predict([row[:2] for row in rows[:20]])
    np.testing.assert_allclose([one.label for one in again], numbers, rtol=1e-4)


@pytest.mark.parametrize("head", ["linear", "mlp", "cnn", "bilstm"])
def test_every_head_learns_on_static_vectors(head):
    assert tuned("static", head=head, epochs=10, learning_rate=5e-2, head_dim=16).runs[0].dev.value > 0.9


@pytest.mark.parametrize("layers", ["mix", "last", "second-to-last", "0,2", "sum:-2:", "concat:-2:", "mean:all"])
def test_layers(layers, tmp_path):
    for use in ("features", "finetune"):
        made = tuned("bert", n=8, use=use, layers=layers, pool="mean", epochs=1)
        found = made.predict(INPUTS)
        made.save(tmp_path / use)
        again = load_finetuned(tmp_path / use).predict(INPUTS)
        assert [one.probability for one in again] == pytest.approx([one.probability for one in found], abs=1e-5)


def test_elmos_mix_stands_before_and_behind_the_lstms():
    made = tuned("elmo", use="features", head="bilstm", head_dim=8, mix_at_output=True, mix_penalty=0.01, epochs=2)
    network = made.network
    assert network.scores.output.in_features == 16 + 16  # both directions of 8 cells, and the mix
    for mix in (network.mix, network.mix_at_output):
        assert mix.weights.abs().sum() > 0
        assert mix.gamma != 1
    penalty = 0.01 * (network.mix.weights.square().sum() + network.mix_at_output.weights.square().sum())
    torch.testing.assert_close(network.penalty(0.01), penalty)


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


# --- the loop


@pytest.mark.parametrize("name", ["static", pytest.param("bert", marks=pytest.mark.slow)])
def test_a_seed_repeats_to_the_bit(name):
    def state(seed):
        made = tuned(name, n=24, seed=seed, epochs=2, head="bilstm", head_dim=8, head_dropout=0.3)
        return torch.cat([weight.detach().flatten() for weight in made.network.parameters()])

    first = state(3)
    assert torch.equal(first, state(3))
    assert not torch.equal(first, state(4))


def test_several_seeds_are_told_with_mean_and_spread(tmp_path):
    said = Recorder()
    made = tuned("static", seeds=3, epochs=2, head="linear", output=tmp_path / "out", progress=said, test=texts(24, 7))
    assert [run.seed for run in made.runs] == [1, 2, 3]
    values = [run.test.value for run in made.runs]
    assert made.record["test"]["mean"] == pytest.approx(np.mean(values))
    assert made.record["test"]["deviation"] == pytest.approx(np.std(values, ddof=1))
    best = max(made.runs, key=lambda run: run.dev.value)
    assert made.record["seed"] == best.seed
    assert any("in the mean of 3 seeds (standard deviation" in line for line in said.lines)
    assert load_finetuned(tmp_path / "out").evaluate(texts(24, 7)).value == best.test.value
    assert not (tmp_path / "out" / "seeds").exists()


class Recorder(Lines):
    """Keeps the lines that are said."""

    def __init__(self):
        self.lines = []
        super().__init__(None)

    def say(self, line):
        self.lines.append(line)


@pytest.mark.parametrize("name", ["static", pytest.param("bert", marks=pytest.mark.slow)])
def test_an_interrupted_run_goes_on_as_if_it_had_not_been(name, tmp_path, monkeypatch):
    settings = {"epochs": 4, "head": "linear", "head_dropout": 0.2, "patience": 10}
    unbroken = tuned(name, **settings, output=tmp_path / "unbroken")
    step, numbers = descent.Loop.step, itertools.count()

    def interrupted(self, *arguments):
        if next(numbers) == 19:
            raise KeyboardInterrupt
        return step(self, *arguments)

    monkeypatch.setattr(descent.Loop, "step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tuned(name, **settings, output=tmp_path / "out")
    monkeypatch.undo()
    assert latest_checkpoint(tmp_path / "out") is not None
    with pytest.raises(UsageError, match="begun with others"):
        tuned(name, **(settings | {"head_dropout": 0.3}), output=tmp_path / "out", resume=True)
    with pytest.raises(UsageError, match="begun with others"):
        tuned(name, **settings, seed=2, output=tmp_path / "out", resume=True)
    with pytest.raises(UsageError, match="keeps its examples"):
        tuned(name, n=63, **settings, output=tmp_path / "out", resume=True)
    resumed = tuned(name, **settings, output=tmp_path / "out", resume=True)
    for one, other in zip(resumed.network.parameters(), unbroken.network.parameters(), strict=True):
        assert torch.equal(one, other)
    assert resumed.runs[0].dev.values == unbroken.runs[0].dev.values
    left_out = {"firth.json", "log.jsonl"}
    assert {k: v for k, v in files(tmp_path / "out").items() if k not in left_out} == {
        k: v for k, v in files(tmp_path / "unbroken").items() if k not in left_out
    }


def test_seeds_that_are_through_are_not_run_again(tmp_path, monkeypatch):
    settings = {"epochs": 1, "head": "linear", "seeds": 3, "output": tmp_path / "out"}
    run, numbers = descent.Loop.run, itertools.count()

    def interrupted(self):
        if next(numbers) == 1:
            raise KeyboardInterrupt
        return run(self)

    monkeypatch.setattr(descent.Loop, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tuned("static", **settings)
    for changes in ({"learning_rate": 1e-2}, {"head": "mlp"}, {"n": 63}, {"test": texts(8, 3)}):
        with pytest.raises(UsageError, match="begun with others"):
            tuned("static", **(settings | changes), resume=True)
    with pytest.raises(UsageError, match="keeps its examples and its model"):
        tuned(from_scratch(static(), [], SPLIT, 3).vectors, **settings, resume=True)
    numbers = itertools.count(2)
    made = tuned("static", **settings, resume=True)
    assert next(numbers) == 4  # two runs were left
    monkeypatch.undo()
    whole = tuned("static", **(settings | {"output": None}))
    assert [one.dev.values for one in made.runs] == [one.dev.values for one in whole.runs]


def test_the_best_epoch_is_kept_and_waiting_ends(monkeypatch):
    scores = iter([0.3, 0.8, 0.5, 0.7, 0.6, 0.9])
    states = []

    def judged(score):
        def scored():
            found = next(scores)
            states.append(found)
            return found

        return scored

    judge = descent.Judge
    monkeypatch.setattr(descent, "Judge", lambda score, *rest: judge(judged(score), *rest))
    made = tuned("static", epochs=6, patience=3, head="linear", learning_rate=1e-2)
    assert states == [0.3, 0.8, 0.5, 0.7, 0.6]
    assert (made.runs[0].best_epoch, made.runs[0].epochs) == (2, 5)
    monkeypatch.setattr(descent, "Judge", judge)
    two = tuned("static", epochs=6, head="linear", learning_rate=1e-2, patience=10)
    assert two.runs[0].epochs == 6


def test_without_dev_the_last_epoch_is_kept():
    made = finetune(static(), texts(32, 1), task="classify", epochs=2, head="linear", test=texts(8, 2))
    assert made.runs[0].dev is None
    assert made.runs[0].test is not None
    assert made.runs[0].best_epoch == made.runs[0].epochs == 2


def test_gradual_unfreezing_begins_at_the_top():
    model = model_of("bert")
    given = Tuning(task="classify", n_outputs=2, pool="cls", unfreezing="gradual")
    network = TaskNetwork(given, Blocks(model, context_length=None, seed=1), 1)

    def moving(fraction):
        given.thaw(network, fraction)
        return {network.depth(name) for name, weight in network.named_parameters() if weight.requires_grad}

    assert moving(0.0) == {2, 3}  # the last block and the head
    assert moving(0.2) == {1, 2, 3}
    assert moving(0.5) == {0, 1, 2, 3}
    assert moving(1.0) == {0, 1, 2, 3}
    made = tuned("bert", unfreezing="gradual", epochs=0.1, warmup=0.0)
    old, new = model_of("bert").network, made.network.body.network
    assert torch.equal(old.table, new.table)
    assert not torch.equal(old.blocks[1].up.weight, new.blocks[1].up.weight)


def test_no_step_is_at_rate_0():
    rates, step = [], descent.Loop.step

    def seen(self, number, batch, fraction):
        step(self, number, batch, fraction)
        rates.append(self.optimizer.param_groups[0]["lr"])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(descent.Loop, "step", seen)
        tuned("static", n=40, epochs=2, head="linear", learning_rate=1.0, warmup=0.2, patience=9)
    assert rates[0] == pytest.approx(0.25)  # two of ten steps rise
    assert max(rates) <= 1
    assert 0 < rates[-1] < 0.2


def test_each_layer_has_its_rate():
    model = model_of("bert")
    given = Tuning(task="classify", n_outputs=2, pool="cls", layer_decay=0.5, head_rate=10.0)
    network = TaskNetwork(given, Blocks(model, context_length=None, seed=1), 1)
    shares = {}
    names = {id(weight): name for name, weight in network.named_parameters()}
    for group in given.optimizer(network).param_groups:
        for weight in group["params"]:
            shares[names[id(weight)]] = group["rate_share"]
            assert group["weight_decay"] == (0.01 if weight.ndim > 1 else 0.0)
    assert shares["body.network.table"] == 0.25
    assert shares["body.network.blocks.0.up.weight"] == 0.5
    assert shares["body.network.blocks.1.up.weight"] == shares["body.network.pooler.weight"] == 1.0
    assert shares["scores.output.weight"] == 10.0
    assert not any(name.startswith("body.network.transform") for name in shares)


@pytest.mark.parametrize(("name", "task", "head"), [("gpt", "classify", "linear"), ("bert", "tag", "linear"),
                                                    ("bert", "tag", "crf"), ("static", "pair", "cnn")])  # fmt: skip
def test_micro_batches_give_the_gradients_of_the_whole_one(name, task, head):
    model = model_of(name)
    body = Words(model, SPLIT) if name == "static" else Blocks(model, context_length=None, seed=1)
    read = read_examples(ROWS[task](12, 1), task)
    rows = body.encode([example.inputs for example in read], tags=task == "tag")
    if task == "tag":
        targets = [np.array([read.labels.index(tag) for tag in example.target]) for example in read]
    else:
        targets = [read.labels.index(example.target) for example in read]
    still = {"head_dropout": 0.0, "body_dropout": 0.0, "batch_size": 12}
    of_family = {"pool": "last", "language_model": 0.5} if name == "gpt" else {"pool": "cls"}
    given = Tuning(task=task, n_outputs=len(read.labels), head=head, **of_family, **still)

    def gradients(n_rows):
        network = TaskNetwork(given, body, 1).double()
        network.zero_grad()
        stream = Stream(rows, targets, 12, 1, np.arange(12))
        job = type("Job", (), {"network": network, "family": given, "record": {}, "log": []})()
        run = firth.runs.Run(job, firth.budget.Budget(epochs=1), 1, rows=n_rows)
        loop = descent.Loop(run, stream, torch.device("cpu"), firth.progress.Silent(), None, None)
        loop.gradients(0, loop.prepared(0))
        return {key: weight.grad.clone() for key, weight in network.named_parameters() if weight.grad is not None}

    whole, parts = gradients(12), gradients(5)
    assert whole.keys() == parts.keys()
    for key, gradient in whole.items():
        torch.testing.assert_close(parts[key], gradient, rtol=1e-6, atol=1e-9)


def test_batches_are_of_alike_lengths_and_every_row_comes_once_a_pass():
    rng = np.random.default_rng(0)
    ids = [np.zeros(int(n), np.int64) for n in rng.integers(1, 60, 103)]
    rows = tuning.Rows(ids, np.arange(103), np.zeros(103, np.int64))
    stream = Stream(rows, list(range(103)), 8, 1, np.arange(103))
    assert stream.n_batches == 13
    for number in (0, 1):
        batches = [stream.batch(13 * number + place) for place in range(13)]
        met = [int(target) for batch in batches for target in batch.targets]
        assert sorted(met) == list(range(103))
        n_read = sum(batch.ids.size for batch in batches)
        assert n_read < 1.2 * stream.n_tokens
        before = [stream.tokens_before(13 * number + place) for place in range(14)]
        assert np.diff(before).tolist() == [batch.n_tokens for batch in batches]
    assert stream.tokens_before(26) == 2 * stream.n_tokens
    first, second = ([int(t) for place in range(13) for t in stream.batch(place + skip).targets] for skip in (0, 13))
    assert first != second


# --- words outside the vocabulary, long texts


def test_words_that_are_not_known_share_a_vector_that_is_trained():
    known = [word for word in WORDS if word not in BAD]
    made = tuned(static(words=known), epochs=10, learning_rate=5e-2, head="linear")
    unknown = made.network.body.unknown
    assert unknown.abs().sum() > 0
    assert made.predict(["the wretched"])[0].label == made.predict(["the unheard"])[0].label
    assert made.runs[0].dev.value > 0.9  # what is not known is bad


def test_words_of_foreign_vectors_are_found_in_lower_case():
    vectors = static(segmentation=None)
    body = Words(vectors, Segmentation(method="space", lower=False))
    rows = body.encode([("Good GOOD good unheard",)], tags=False)
    assert rows.ids[0].tolist() == [1, 1, 1, 0]
    assert body.unknown_share == 0.25


def test_unseen_words_of_sub_words_are_composed_and_become_words(tmp_path):
    text = [text for text, _ in texts(200, 4)]
    family = firth.Skipgram(dim=16, min_count=1, subwords="2-4", buckets=2000)
    model = firth.train(family, text, epochs=1, threads=1, seed=1)
    rows = [(f"{one} goodish", label) for one, label in texts(32, 1)]
    made = finetune(model, rows, task="classify", epochs=1, head="linear", output=tmp_path / "out")
    assert "goodish" in made.vectors
    assert "goodish" not in model.vectors.words
    again = load_finetuned(tmp_path / "out")
    assert again.vectors.subwords is not None
    given = ["goodness me", "goodish"]
    for one, other in zip(again.predict(given), made.predict(given), strict=True):
        assert one.probability == pytest.approx(other.probability, abs=1e-5)


def test_only_words_that_were_met_move():
    vectors = static(words=[*WORDS, "unmet"])
    made = tuned(vectors, head="linear", epochs=2)
    assert np.array_equal(made.vectors["unmet"], vectors["unmet"])
    assert not np.array_equal(made.vectors["good"], vectors["good"])
    frozen = tuned(vectors, use="features", head="linear", epochs=2)
    assert np.array_equal(frozen.vectors.matrix, vectors.matrix)


def test_long_texts_are_cut_and_said_and_every_word_is_tagged():
    said = Recorder()
    long = "a film " * 40
    rows = [*texts(30, 1), (long, "yes"), (long, "no")]
    tuned_on = finetune(model_of("bert"), rows, task="classify", epochs=0.2, progress=said)
    assert any("6.2% of the texts are longer than the 32 pieces" in line for line in said.lines)
    body = tuned_on.network.body
    assert max(map(len, body.encode([(long,), (long, long)[:1]], tags=False).ids)) == 32
    assert [len(ids) for ids in body.encode([(long, long), (long, "sad")], tags=False).ids] == [32, 32]
    made = tuned("bert", "tag", epochs=6, learning_rate=5e-3, head_rate=10)
    words = ["film", "good", "a", "sad"] * 20
    (found,) = made.predict([words])
    assert len(found.label) == len(words)
    assert sum(one == two for one, two in zip(found.label, ["O", "B-GOOD", "O", "B-BAD"] * 20, strict=True)) > 75
    (found,) = made.predict([["goodfilm" * 30, "good"]])  # one word is longer than all that is read
    assert len(found.label) == 2
    (found,) = made.predict([["\u200b", "good"]])  # one has no piece
    assert len(found.label) == 2


def test_long_texts_are_read_in_windows_for_features_and_that_is_said():
    said = Recorder()
    rows = [*texts(30, 1), ("a film " * 40, "yes"), ("a film " * 40, "no")]
    finetune(model_of("bert"), rows, task="classify", use="features", epochs=1, progress=said)
    assert any("6.2% of the texts are longer than the 32 pieces" in line and "windows" in line for line in said.lines)


def test_features_are_made_on_the_device_that_is_asked_for(monkeypatch):
    met = []
    reader = Model.reader

    def recorded(self, **how):
        met.append(how.pop("device"))
        return reader(self, **how, device="cpu")

    monkeypatch.setattr(Model, "reader", recorded)
    from firth.defaults import stored

    body = stored(model_of("bert"), "last", "sentence", "mean", SPLIT, None, device="cuda")
    assert (met, body.device) == (["cuda"], "cuda")


def test_an_unfinished_run_on_features_keeps_its_texts(tmp_path, monkeypatch):
    step, numbers = descent.Loop.step, itertools.count()

    def interrupted(self, *arguments):
        if next(numbers) == 9:
            raise KeyboardInterrupt
        return step(self, *arguments)

    how = {"task": "classify", "use": "features", "epochs": 4, "batch_size": 8, "output": tmp_path / "out"}
    rows = texts(32, 1)
    monkeypatch.setattr(descent.Loop, "step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        finetune(model_of("bert"), rows, **how)
    monkeypatch.undo()
    with pytest.raises(UsageError, match="keeps its examples"):
        finetune(model_of("bert"), [(text + " so", label) for text, label in rows], **how, resume=True)
    assert finetune(model_of("bert"), rows, **how, resume=True).runs[0].epochs == 4


def test_examples_are_evaluated_like_those_trained_with(tmp_path):
    made = tuned("static", epochs=1, head="linear")
    assert made.evaluate([("good", "yes"), ("great", "yes")]).n == 2
    (tmp_path / "a.tsv").write_text("yes\tgood film\nno\tbad film\n", encoding="utf-8")
    made.save(tmp_path / "out")
    assert load_finetuned(tmp_path / "out").evaluate(tmp_path / "a.tsv").labels == ("no", "yes")
    rows = [(text, "0.5" if label == "no" else "1.5") for text, label in texts(32, 1)]
    of_numbers = finetune(static(), rows, task="classify", columns={"target": "labels"}, epochs=1, head="linear")
    assert of_numbers.evaluate(rows).labels == ("0.5", "1.5")


# --- what is refused


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"layers": "7"}, "layer 7 asked of a bert model, which has 3 \\(layers 0 to 2\\)"),
        ({"layers": "sum-last-four"}, "the last 4 layers asked of a bert model, which has 3"),
        ({"layers": "highest"}, "layers 'highest' asked for"),
        ({"use": "frozen"}, "use is 'frozen'; there are features, finetune, scratch"),
        ({"head": "crf"}, "head crf is of tag"),
        ({"head": "tree"}, "head is 'tree'; there are linear"),
        ({"pool": "sum"}, "pool is 'sum'"),
        ({"epochs": 0}, "epochs is 0"),
        ({"head_dropout": 1.0}, "head_dropout is 1.0"),
        ({"language_model": 0.5}, "language_model is given, and changes nothing"),
        ({"use": "features", "layer_decay": 0.5}, "layer_decay is given, and changes nothing"),
        ({"wings": 2}, "there is no setting wings; there are batch_size"),
        ({"seeds": 0}, "seeds 0"),
        ({"limit": 0}, "limit is 0"),
        ({"patience": 0}, "patience is 0"),
        ({"resume": True}, "there is no unfinished run to resume"),
        ({"segmentation": "space"}, "segmentation is given, and changes nothing"),
        ({"context_length": 3}, "context_length is 3, which leaves no room for text"),
        ({"precision": "int8"}, "precision is 'int8'"),
        ({"mix_at_output": True}, "mix_at_output is of heads cnn and bilstm"),
    ],
)
def test_what_cannot_be(changes, said):
    with pytest.raises(UsageError, match=said):
        tuned("bert", **changes)


def test_a_static_model_has_one_layer():
    with pytest.raises(UsageError, match=r"layer -2 asked of a static model of 12 words, which has 1 \(layer 0\)"):
        tuned("static", layers="second-to-last")


@pytest.mark.parametrize(("task", "given"), [("classify", ["a", ["b", "c"]]), ("pair", [("a",)]), ("tag", ["a b"])])
def test_inputs_of_another_kind(task, given):
    made = tuned("static", task, epochs=0.2, head="linear")
    with pytest.raises(UsageError, match=f"for {task}, a"):
        made.predict(given)


@pytest.mark.parametrize(
    ("task", "kind"), [("classify", "roberta"), pytest.param("tag", "gpt_neox", marks=pytest.mark.slow)]
)
def test_other_architectures_serve_as_features(task, kind, tmp_path):
    pytest.importorskip("transformers")
    from formats.test_automodel import saved

    folder = saved(tmp_path / kind, kind)
    made = tuned(folder, task, n=24, use="features", head="linear", epochs=1)
    made.save(tmp_path / "out")
    folder.rename(tmp_path / "gone")
    again = load_finetuned(tmp_path / "out")
    dev = ROWS[task](24, 5)
    assert again.evaluate(dev).values == made.runs[0].dev.values
    with pytest.raises(FirthError, match="a head on a network that transformers runs"):
        firth.load(tmp_path / "out")
    with pytest.raises(UsageError, match="firth reads it as it is"):
        tuned(tmp_path / "gone", task, n=24, use="finetune")


def test_what_has_no_head_is_told_apart(tmp_path):
    static().save(tmp_path / "vectors")
    with pytest.raises(FirthError, match="has no head"):
        load_finetuned(tmp_path / "vectors")
    with pytest.raises(FirthError, match="is no model with a head"):
        load_finetuned(tmp_path / "none")
    made = tuned("static", epochs=0.2, head="linear", output=tmp_path / "out")
    with pytest.raises(UsageError, match="exists"):
        made.save(tmp_path / "out")
    told = json.loads((tmp_path / "out" / "firth.json").read_text(encoding="utf-8"))
    told["finetuned"]["tuning"]["n_outputs"] = 5
    (tmp_path / "out" / "firth.json").write_text(json.dumps(told), encoding="utf-8")
    with pytest.raises(FirthError, match=r"head.safetensors does not fit in scores.output"):
        load_finetuned(tmp_path / "out")


def test_an_overlap_of_dev_and_train_is_said():
    said = Recorder()
    rows = texts(16, 1)
    finetune(static(), rows, task="classify", dev=rows[:4] + texts(4, 8), epochs=0.2, head="linear", progress=said)
    assert any("50.0% of the dev examples stand verbatim" in line for line in said.lines)


def test_a_limit_keeps_every_label():
    rows = [*[(f"the film {number}", "usual") for number in range(50)], ("a role", "rare")]
    made = finetune(static(), rows, task="classify", limit=5, epochs=1, head="linear")
    assert made.labels == ("rare", "usual")
    assert made.record["train"]["n"] == 5


def test_a_model_that_was_tuned_is_tuned_again(tmp_path):
    tuned("bert", epochs=0.5, output=tmp_path / "one")
    made = finetune(tmp_path / "one", tagged(16, 1), task="tag", epochs=0.5, output=tmp_path / "two")
    assert load_finetuned(tmp_path / "two").labels == made.labels == ("B-BAD", "B-GOOD", "O")
    assert str(tmp_path) not in (tmp_path / "two" / "firth.json").read_text(encoding="utf-8")
    tuned("gpt2", epochs=0.5, output=tmp_path / "three")
    again = finetune(tmp_path / "three", texts(16, 1), task="classify", epochs=0.5)
    assert again.network.body.pieces.n_entries == PIECES["byte_bpe"].n_entries + 3


@pytest.mark.parametrize(("name", "task", "head"), [("bert", "tag", "bilstm-crf"), ("gpt", "classify", "linear"),
                                                    ("elmo", "classify", "cnn")])  # fmt: skip
def test_bf16_changes_little(name, task, head):
    """Networks compute in bf16, heads in fp32."""
    exact, rounded = (
        tuned(name, task, n=16, epochs=2, warmup=0.0, head=head, head_dim=8, precision=precision, body_dropout=0.0)
        for precision in ("fp32", "bf16")
    )
    one, other = (
        torch.cat([weight.detach().flatten() for weight in made.network.scores.parameters()])
        for made in (exact, rounded)
    )
    assert other.isfinite().all()
    assert not torch.equal(one, other)
    assert float((one - other).norm() / one.norm()) < 0.3


def test_the_given_model_stays_as_it_was():
    model = model_of("bert")
    before = {name: weight.clone() for name, weight in model.network.named_parameters()}
    tuned(replaced := model, epochs=0.5)
    assert "finetuned" not in model.record
    for name, weight in replaced.network.named_parameters():
        assert torch.equal(weight, before[name])
    assert replace(model.family).dropout == 0.0
