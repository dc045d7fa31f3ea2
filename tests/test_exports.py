"""Directories for sentence-transformers, of every kind of model; tests/consumers opens them with the library."""

import json

import numpy as np
import pytest

import firth
from firth.cli import main
from firth.formats import safetensors

TEXT = ["the cat sat on the mat", "the dog ran"] * 10


def steps(folder):
    return [module["type"].rpartition(".")[2] for module in json.loads((folder / "modules.json").read_bytes())]


def test_static_vectors(tmp_path):
    model = firth.train(firth.Skipgram(dim=8, min_count=1), TEXT, epochs=1, threads=1, output=tmp_path / "model")
    for name, source in (("model", model), ("path", tmp_path / "model"), ("vectors", model.vectors)):
        firth.to_sentence_transformers(source, tmp_path / name / "out")
        assert steps(tmp_path / name / "out") == ["StaticEmbedding"]
        tensors = safetensors.read(tmp_path / name / "out" / "0_StaticEmbedding" / "model.safetensors")
        np.testing.assert_array_equal(tensors["embedding.weight"], model.table())


def test_one_layer_of_several(tmp_path):
    vectors = firth.Vectors(["a", "b"], np.arange(12, dtype=np.float32).reshape(3, 2, 2))
    for layer, expected in ((None, 2), (0, 0), (1, 1)):
        firth.to_sentence_transformers(vectors, tmp_path / str(layer), layer=layer)
        tensors = safetensors.read(tmp_path / str(layer) / "0_StaticEmbedding" / "model.safetensors")
        np.testing.assert_array_equal(tensors["embedding.weight"], vectors.array[expected])
    with pytest.raises(firth.UsageError, match="layer 3 asked of"):
        firth.to_sentence_transformers(vectors, tmp_path / "3", layer=3)
    assert not (tmp_path / "3").exists()


def test_a_network(tmp_path):
    pytest.importorskip("torch")
    family = firth.BERT(dim=16, n_layers=1, n_heads=2, context_length=16, n_positions=16)
    model = firth.train(family, TEXT, tokens=100, threads=1, output=tmp_path / "bert")
    firth.to_sentence_transformers(tmp_path / "bert", tmp_path / "of-path")
    firth.to_sentence_transformers(model, tmp_path / "of-model")
    for name in ("of-path", "of-model"):
        assert steps(tmp_path / name) == ["Transformer", "Pooling"]
        assert (tmp_path / name / "model.safetensors").read_bytes() == (
            tmp_path / "bert" / "model.safetensors"
        ).read_bytes()


def test_a_published_network_with_vocab_txt_alone(tmp_path):
    pytest.importorskip("torch")
    family = firth.BERT(dim=16, n_layers=1, n_heads=2, context_length=16, n_positions=16)
    firth.train(family, TEXT, tokens=100, threads=1, output=tmp_path / "bert", matrices=False)
    for name in ("firth.json", "tokenizer.json", "tokenizer_config.json"):
        (tmp_path / "bert" / name).unlink()
    firth.to_sentence_transformers(tmp_path / "bert", tmp_path / "out")
    assert steps(tmp_path / "out") == ["Transformer", "Pooling"]
    assert (tmp_path / "out" / "tokenizer.json").is_file()
    assert json.loads((tmp_path / "out" / "tokenizer_config.json").read_bytes())["pad_token"] == "[PAD]"
    config = json.loads((tmp_path / "bert" / "config.json").read_bytes()) | {"model_type": "xlm-roberta"}
    (tmp_path / "bert" / "config.json").write_text(json.dumps(config))
    with pytest.raises(firth.FirthError, match=r"bert has no tokenizer\.json"):
        firth.to_sentence_transformers(tmp_path / "bert", tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_the_command_takes_every_flag_or_refuses_it(tmp_path, capsys):
    lines = "".join(f"word{row} {row} 1 2\n" for row in range(6))
    (tmp_path / "v.txt").write_text(f"6 3\n{lines}", encoding="utf-8")
    command = ["convert", str(tmp_path / "v.txt"), "--format", "sentence-transformers"]
    assert main([*command, str(tmp_path / "out"), "--limit", "2"]) == 0
    written = safetensors.read(tmp_path / "out" / "0_StaticEmbedding" / "model.safetensors")
    assert written["embedding.weight"].shape == (2, 3)
    (tmp_path / "g.txt").write_bytes(b"7 1 2\n\xff 3 4\n")  # a header by its looks
    command[1] = str(tmp_path / "g.txt")
    assert main([*command, str(tmp_path / "g"), "--source-format", "glove", "--encoding-errors", "replace"]) == 0
    capsys.readouterr()
    for flag in (["--neighbours", "3"], ["--space", "_"]):
        assert main([*command, str(tmp_path / "other"), *flag]) == 2
        assert f"{flag[0].removeprefix('--')} asked, of files of vectors" in capsys.readouterr().err


def test_the_command(tmp_path, capsys):
    firth.train(firth.Skipgram(dim=8, min_count=1), TEXT, epochs=1, threads=1, output=tmp_path / "model")
    command = ["convert", str(tmp_path / "model"), str(tmp_path / "out"), "--format", "sentence-transformers"]
    assert main(command) == 0
    words = len(firth.load(tmp_path / "model").vocabulary)
    assert capsys.readouterr().out.splitlines() == ["target\twords\tdim", f"{tmp_path / 'out'}\t{words}\t8"]
    assert steps(tmp_path / "out") == ["StaticEmbedding"]
    assert main(command) == 2
    assert "exists" in capsys.readouterr().err


def test_convert_writes_it_too(tmp_path):
    firth.train(firth.Skipgram(dim=8, min_count=1), TEXT, epochs=1, threads=1, output=tmp_path / "model")
    whole = firth.convert(tmp_path / "model", tmp_path / "out", format="sentence-transformers")
    assert (whole.paths, whole.layers, whole.dim) == ([tmp_path / "out"], [0], 8)
    assert steps(tmp_path / "out") == ["StaticEmbedding"]
    few = firth.convert(tmp_path / "model", tmp_path / "few", format="sentence-transformers", limit=3, steps=["centre"])
    assert few.n_words == 3
    for refused in ({"layer": "all"}, {"space": "_"}, {"precision": "int8"}):
        with pytest.raises(firth.UsageError, match="asked"):
            firth.convert(tmp_path / "model", tmp_path / "other", format="sentence-transformers", **refused)
    assert not (tmp_path / "other").exists()
