"""Heads behind models of every family: what they learn, that they are saved, what is read, what is refused."""

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("tokenizers")


from invented_tasks import (  # noqa: E402, F401
    BAD,
    GOOD,
    INPUTS,
    PIECES,
    ROWS,
    SLOWLY,
    SPLIT,
    WORDS,
    Recorder,
    model_of,
    one_thread,
    static,
    tagged,
    texts,
    tuned,
)

import firth  # noqa: E402
from firth import descent  # noqa: E402
from firth.bodies import Words  # noqa: E402
from firth.errors import FirthError, UsageError  # noqa: E402
from firth.finetuned import load_finetuned  # noqa: E402
from firth.finetuning import finetune  # noqa: E402
from firth.model import Model  # noqa: E402
from firth.segmentation import Segmentation  # noqa: E402
from firth.vectors import Vectors  # noqa: E402

# --- what is learnt


def test_numbers_of_numpy_are_taken_and_written(tmp_path):
    counts = {"patience": np.int64(2), "batch_size": np.int64(16), "seed": np.int64(3), "seeds": np.int64(2)}
    others = {"learning_rate": np.float32(0.5), "weight_decay": np.float32(0.25), "limit": np.int64(32)}
    made = tuned("static", head="linear", epochs=np.int64(2), output=tmp_path / "out", **counts, **others)
    assert [run.seed for run in made.runs] == [3, 4]
    asked = {"epochs": 2, "patience": 2, "batch_size": 16, "learning_rate": 0.5, "weight_decay": 0.25}
    assert load_finetuned(tmp_path / "out").record["asked"].items() >= asked.items()


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
    # An ELMo drawn at random puts out numbers of deviation .02, a fiftieth of the other models' here: any head, linear
    # too, needs large weights, and so high rates and more steps.
    rate = 5e-2 if name == "static" else 2e-2 if name == "elmo" else 5e-3
    made = tuned(
        name,
        "tag",
        n=128 if name == "elmo" else 64,
        head=head,
        epochs=8,
        learning_rate=rate,
        head_dim=16,
        head_rate=1 if name == "static" else 10,
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
