"""BERT and GPT with a head as graphs: their answers are those of the model, for rows of any number and length."""

import json
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("tokenizers")
pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
onnxruntime = pytest.importorskip("onnxruntime")

from invented_tasks import model_of, pairs, static, tagged, texts  # noqa: E402

import firth  # noqa: E402
from firth import devices  # noqa: E402
from firth.cli import main  # noqa: E402
from firth.finetuning import finetune  # noqa: E402

ROWS = {"classify": texts, "pair": pairs, "tag": tagged}


@pytest.fixture(autouse=True)
def one_thread():
    with devices.on_threads(1):
        yield


def made_of(name, task="classify", **changes):
    settings = {"epochs": 1, "batch_size": 8, "learning_rate": 3e-3, "head": "linear"}
    return finetune(model_of(name), ROWS[task](24, 1), task=task, **(settings | changes))


def run(path, made, inputs):
    """The logits of the graph for inputs as the saved tokenizer cuts them."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    rows = made.network.body.encode(inputs, tags=made.tuning.task == "tag")
    longest = max(map(len, rows.ids))

    def padded(some):
        return np.stack([np.pad(row, (0, longest - len(row))) for row in some])

    given = {"input_ids": padded(rows.ids), "attention_mask": padded([np.ones_like(row) for row in rows.ids])}
    if rows.segments is not None:
        given["token_type_ids"] = padded(rows.segments)
    if rows.second is not None:
        given |= {"other_ids": padded(rows.second), "other_mask": given["attention_mask"]}
    return session.run(None, given)[0], rows


def chances_of(logits):
    shares = np.exp(logits - logits.max(-1, keepdims=True))
    return shares / shares.sum(-1, keepdims=True)


HEADS = [
    ("bert", "classify", {"head": "linear"}),
    ("gpt", "classify", {"head": "linear"}),
    *(
        pytest.param(*given, marks=pytest.mark.slow)
        for given in (
            ("gpt2", "classify", {"head": "mlp"}),
            ("bert", "pair", {"head": "linear"}),
            ("gpt", "pair", {"head": "linear", "orders": "both"}),
            ("bert", "classify", {"head": "cnn", "layers": "mix"}),
            ("bert", "classify", {"head": "mlp", "pool": "mean", "layers": "sum:-2:"}),
        )
    ),
]


@pytest.mark.parametrize(("name", "task", "changes"), HEADS)
def test_the_graph_answers_as_the_model_does(name, task, changes, tmp_path):
    made = made_of(name, task, **changes)
    path = firth.to_onnx(made, tmp_path / "out.onnx")
    given = [row[0] if task == "classify" else row[:2] for row in ROWS[task](10, 3)]
    for some in (given, given[:1], given[4:6]):
        logits, _ = run(path, made, [(one,) if isinstance(one, str) else one for one in some])
        np.testing.assert_allclose(chances_of(logits), np.stack(made.probabilities(some)), atol=1e-5)


@pytest.mark.parametrize(
    ("name", "head"), [("bert", "linear"), ("bert", "mlp"), pytest.param("gpt", "linear", marks=pytest.mark.slow)]
)
def test_tags_are_of_pieces(name, head, tmp_path):
    made = made_of(name, "tag", head=head)
    path = firth.to_onnx(made, tmp_path / "out.onnx")
    given = [words for words, _ in tagged(6, 3)]
    logits, rows = run(path, made, given)
    for row, places, due in zip(chances_of(logits), rows.places, made.probabilities(given), strict=True):
        np.testing.assert_allclose(row[places], due, atol=1e-5)


@pytest.mark.slow
def test_a_number_has_its_scale(tmp_path):
    rows = [(text, 10 + 1.5 * len(text.split())) for text, _ in texts(24, 1)]
    made = finetune(model_of("bert"), rows, task="classify", epochs=1, columns={"target": "numbers"})
    path = firth.to_onnx(made, tmp_path / "out.onnx")
    logits, _ = run(path, made, [("a good film",), ("sad",)])
    np.testing.assert_allclose(logits[:, 0], [one.label for one in made.predict(["a good film", "sad"])], rtol=1e-4)


def test_by_the_command_with_labels_and_without_overwriting(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    made_of("bert").save("out")
    assert main(["convert", "out", "out.onnx", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"target": "out.onnx"}]
    told = onnxruntime.InferenceSession("out.onnx", providers=["CPUExecutionProvider"]).get_modelmeta()
    assert json.loads(told.custom_metadata_map["labels"]) == ["no", "yes"]
    assert (told.custom_metadata_map["pad_id"], told.custom_metadata_map["longest"]) == ("0", "32")
    assert main(["convert", "out", "out.onnx"]) == 2
    assert main(["convert", "out", "other.onnx", "--layer", "1"]) == 2
    err = capsys.readouterr().err
    assert "out.onnx exists" in err
    assert "layer asked, of files of vectors" in err


@pytest.mark.parametrize(
    ("name", "task", "changes", "said"),
    [
        ("static", "classify", {}, "this head stands on a static model"),
        ("bert", "classify", {"use": "features"}, "as features"),
        ("bert", "classify", {"head": "bilstm"}, "a bilstm has no graph"),
        ("bert", "tag", {"head": "crf"}, "linear and mlp; crf looks at several words"),
        ("bert", "tag", {"head": "cnn"}, "linear and mlp; cnn looks at several words"),
        ("bert", "tag", {"head": "bilstm-crf"}, "linear and mlp; bilstm-crf looks at several words"),
    ],
)
def test_what_has_no_graph_is_told(name, task, changes, said, tmp_path):
    made = made_of(name, task, **changes)
    with pytest.raises(firth.UsageError, match=said):
        firth.to_onnx(made, tmp_path / "out.onnx")
    assert not list(tmp_path.iterdir())


def test_without_the_extra(monkeypatch, tmp_path):
    made = made_of("bert")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(firth.FirthError, match=r"pip install 'firth\[onnx\]'"):
        firth.to_onnx(made, tmp_path / "out.onnx")


def test_a_graph_that_answers_otherwise_is_not_written(monkeypatch, tmp_path):
    from firth import onnx

    made = made_of("bert")
    monkeypatch.setattr(onnx, "TOLERANCE", -1.0)
    with pytest.raises(firth.FirthError, match="answers otherwise than the model does"):
        firth.to_onnx(made, tmp_path / "out.onnx")
    assert not list(tmp_path.iterdir())


def test_static_vectors_are_no_network(tmp_path):
    static().save(tmp_path / "vectors")
    with pytest.raises(firth.FirthError, match="has no head"):
        firth.to_onnx(tmp_path / "vectors", tmp_path / "out.onnx")
