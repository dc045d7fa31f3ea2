"""Models fetched from the Hub and sent there, against a server on this machine."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fake_hub import TOKEN, running

import firth
from firth import hub, publishing
from firth.cli import main

pytest.importorskip("huggingface_hub")

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # of the library's own

TEXT = ["the cat sat on the mat", "the dog sat on the log", "a cat and a dog"] * 10


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The directory of a Skip-gram model, with what training and users may leave beside it."""
    folder = tmp_path_factory.mktemp("trained") / "model"
    firth.train(firth.Skipgram(dim=8, min_count=1), TEXT, epochs=2, threads=1, output=folder)
    (folder / "checkpoint").mkdir()
    (folder / "checkpoint" / "latest").write_text("1\n")
    (folder / "contexts.safetensors").write_bytes(b"secret")
    (folder / "notes.txt").write_text("mine")
    return folder


@pytest.fixture
def place(monkeypatch, tmp_path):
    """A Hub, which the library is led to by HF_ENDPOINT, and an empty cache."""
    from huggingface_hub import constants

    with running() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.address)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "0")
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_PROGRESS_BARS", True)
        yield server


@pytest.fixture
def published(place, trained):
    """The same with the model there, as jane/cats."""
    firth.push(trained, "jane/cats", licence="apache-2.0")
    place.asked.clear()
    return place


def test_a_model_comes_back_as_it_was_sent(place, trained):
    assert firth.push(trained, "jane/cats", licence="apache-2.0") == f"{place.address}/jane/cats"
    model, sent = firth.load("hf:jane/cats"), firth.load(trained)
    assert model.record == sent.record
    assert model.vocabulary.words == sent.vocabulary.words
    np.testing.assert_array_equal(model.table(), sent.table())
    np.testing.assert_array_equal(model.output_table(), sent.output_table())
    vectors = firth.Vectors.load("hf:jane/cats")
    np.testing.assert_array_equal(vectors["cat"], sent.vectors["cat"])


def test_only_what_the_model_is_made_of_is_sent(published, trained):
    files = published.repositories["jane/cats"]
    assert sorted(files) == [".gitattributes", "README.md", "firth.json", "vectors.safetensors", "vocabulary.tsv"]
    sent = publishing.parcel(trained, "jane/cats", licence="apache-2.0")
    assert sorted(sent.files) == sorted(set(files) - {".gitattributes"})
    assert sent.left_out == ["checkpoint/", "contexts.safetensors", "log.jsonl", "notes.txt"]
    assert sent.sizes() == {name: len(files[name]) for name in sent.files}


def test_a_model_in_memory_is_sent_too(place):
    model = firth.train(firth.CBOW(dim=8, min_count=1), TEXT, epochs=1, threads=1)
    firth.push(model, "hf:jane/cats", licence="mit", private=True)
    assert place.private == {"jane/cats"}
    np.testing.assert_array_equal(firth.load("hf:jane/cats").table(), model.table())


def test_a_contextual_model_goes_both_ways(place, tmp_path):
    pytest.importorskip("torch")
    family = firth.BERT(dim=16, n_layers=2, n_heads=2, context_length=16, n_positions=16)
    texts = tmp_path / "home of jane"
    texts.mkdir()
    (texts / "a.txt").write_text("\n".join(TEXT))
    (texts / "b.md").write_text("passed over")
    model = firth.train(family, str(texts), tokens=200, threads=1, output=tmp_path / "bert")
    firth.push(tmp_path / "bert", "jane/bert", licence="cc-by-sa-4.0", languages=["en"])
    files = place.repositories["jane/bert"]
    assert {"config.json", "model.safetensors", "tokenizer.json", "matrices/vectors.safetensors"} <= set(files)
    assert not any(b"home of jane" in content or str(tmp_path).encode() in content for content in files.values())
    assert 'AutoModel.from_pretrained("jane/bert")' in files["README.md"].decode()
    assert "3 matrices" in files["README.md"].decode()
    again = firth.load("hf:jane/bert")
    assert again.matrices is not None
    np.testing.assert_array_equal(again.matrices.array, model.matrices.array)
    ours = next(firth.extract(model, ["the cat sat"]))
    theirs = next(firth.extract("hf:jane/bert", ["the cat sat"]))
    np.testing.assert_allclose(ours.array, theirs.array, atol=1e-6)
    assert again.pieces.digest == model.pieces.digest


def test_a_published_elmo_is_fetched(place):
    pytest.importorskip("torch")
    folder = Path(__file__).parent / "formats" / "elmo"
    names = {"options.json": "small_options.json", "weights.hdf5": "small_weights.hdf5"}
    place.repositories["ai/elmo"] = {there: (folder / name).read_bytes() for name, there in names.items()}
    model = firth.load("hf:ai/elmo")
    assert model.family.name == "elmo"
    assert model.record == {"source": f"hf:ai/elmo@{place.commit('ai/elmo')}"}


def test_files_of_the_model_before_are_taken_away_and_others_stay(published, trained, tmp_path):
    published.repositories["jane/cats"] |= {"vocab.json": b"{}", "pictures/cat.png": b"png", "config.json": b"{}"}
    firth.push(trained, "jane/cats", licence="apache-2.0")
    assert {"vocab.json", "config.json"}.isdisjoint(published.repositories["jane/cats"])
    assert "pictures/cat.png" in published.repositories["jane/cats"]


def test_sending_again_what_was_fetched(published):
    firth.push(hub.found("hf:jane/cats").path, "jane/twin", licence="apache-2.0")
    np.testing.assert_array_equal(firth.load("hf:jane/twin").table(), firth.load("hf:jane/cats").table())


# --- the card, and what is in the files


def test_the_card_says_what_the_model_is(place, trained, tmp_path):
    (tmp_path / "pairs.tsv").write_text("cat\tdog\t9\nmat\tlog\t7\ncat\tthe\t1\n")
    (tmp_path / "questions.txt").write_text(": all\ncat mat dog log\n")
    firth.push(
        trained,
        "jane/cats",
        licence="apache-2.0",
        languages=["en"],
        pairs=[tmp_path / "pairs.tsv"],
        analogies=[tmp_path / "questions.txt"],
    )
    card = place.repositories["jane/cats"]["README.md"].decode()
    metadata = card.split("---\n")[1]
    assert "license: apache-2.0\n" in metadata
    assert 'language: ["en"]\n' in metadata
    record = firth.load(trained).record
    for told in (record["corpus"]["fingerprint"], "2 epochs", "Skip-gram", "pairs.tsv", "questions.txt", "3 of 3"):
        assert told in card
    assert 'firth.Vectors.load("hf:jane/cats")' in card
    assert str(tmp_path) not in card


def test_the_blocks_of_the_card_run(published):
    card = published.repositories["jane/cats"]["README.md"].decode()
    block = re.findall(r"^```python\n(.*?)^```$", card, re.MULTILINE | re.DOTALL)
    names: dict[str, object] = {}
    exec(block[0], names)
    assert isinstance(names["vectors"], firth.Vectors)


def test_a_card_of_ones_own_is_kept(place, trained, tmp_path):
    shutil.copytree(trained, tmp_path / "model", ignore=shutil.ignore_patterns("checkpoint"))
    card = tmp_path / "model" / "README.md"
    card.write_text("# Cats\n")
    with pytest.raises(firth.UsageError, match="names no licence"):
        firth.push(tmp_path / "model", "jane/cats", licence="mit")
    card.write_text("---\ntags: [cats]\nlicense: mit\n---\n# Cats\n")
    with pytest.raises(firth.UsageError, match="says another one"):
        firth.push(tmp_path / "model", "jane/cats", licence="apache-2.0")
    assert not place.repositories
    firth.push(tmp_path / "model", "jane/cats")
    assert place.repositories["jane/cats"]["README.md"] == card.read_bytes()


def test_nothing_tells_of_the_machine(tmp_path, monkeypatch):
    """What training writes with every path that a user can give, all of them absolute."""
    texts = tmp_path / "home of jane" / "texts"
    texts.mkdir(parents=True)
    (texts / "a.txt").write_text("我今天好开心\n" * 30, encoding="utf-8")
    (texts / "b.md").write_text("passed over")
    (texts.parent / "words.txt").write_text("好开心\n", encoding="utf-8")
    (texts.parent / "phrases.txt").write_text("我 今天\n", encoding="utf-8")
    monkeypatch.setenv("HOME", str(tmp_path))
    preparation = firth.Preparation(
        segment="chinese",
        user_words=texts.parent / "words.txt",
        phrases=texts.parent / "phrases.txt",
        keep_from_name="(?P<letter>[ab])",
    )
    base, again = tmp_path / "base", tmp_path / "again"
    family = firth.Skipgram(dim=8, min_count=1, sample=0)
    firth.train(family, str(texts), epochs=1, threads=1, preparation=preparation, output=base)
    firth.train(family, str(texts), epochs=1, threads=1, preparation=preparation, base=base, output=again)
    for folder in (base, again):
        text = (folder / "firth.json").read_text(encoding="utf-8")
        assert "b.md" in text
        assert "words.txt" in text
        for private in (str(tmp_path), "/home", "home of jane/"):
            assert private not in text


def test_files_of_older_models_are_sent_without_folders(trained, tmp_path):
    shutil.copytree(trained, tmp_path / "model", ignore=shutil.ignore_patterns("checkpoint"))
    settings = json.loads((tmp_path / "model" / "firth.json").read_bytes())
    settings["corpus"]["remarks"] = ["1 file in folders passed over (/home/jane/texts/b.md)"]
    (tmp_path / "model" / "firth.json").write_text(json.dumps(settings))
    (tmp_path / "model" / "config.json").write_text('{"_name_or_path": "/home/jane/bert"}')
    sent = publishing.parcel(tmp_path / "model", "jane/cats", licence="mit")
    for name in ("firth.json", "config.json"):
        assert b"jane" not in bytes(sent.files[name])
    assert json.loads(bytes(sent.files["firth.json"]))["corpus"]["remarks"] == ["1 file in folders passed over (b.md)"]


@pytest.mark.parametrize("licence", [None, "", "Apache 2", "all rights reserved"])
def test_a_licence_is_asked_for(place, trained, licence):
    with pytest.raises(firth.UsageError, match="licence"):
        firth.push(trained, "jane/cats", licence=licence)
    assert not place.asked


@pytest.mark.parametrize("name", ["cats", "", "jane/cats/more", "../cats", "jane/ca ts", "jane/cats@main", "/cats"])
def test_no_place(trained, name):
    with pytest.raises(firth.UsageError, match=r"org/name|hf:"):
        firth.push(trained, name, licence="mit")


def test_only_finished_models_are_sent(tmp_path):
    with pytest.raises(firth.FirthError, match="no such directory"):
        firth.push(tmp_path / "none", "jane/cats", licence="mit")
    (tmp_path / "checkpoint" / "7").mkdir(parents=True)
    (tmp_path / "checkpoint" / "latest").write_text("7\n")
    with pytest.raises(firth.FirthError, match="unfinished run"):
        firth.push(tmp_path, "jane/cats", licence="mit")


# --- the network


def test_pickles_and_programs_are_not_fetched(published, tmp_path):
    published.repositories["jane/cats"] |= {
        "pytorch_model.bin": b"\x80\x04",
        "model.py": b"import os",
        "training_args.bin": b"\x80",
        "onnx/model.safetensors": b"",
    }
    found = hub.found("hf:jane/cats")
    assert published.fetched() == {"firth.json", "vectors.safetensors", "vocabulary.tsv"}
    assert sorted(path.name for path in found.path.rglob("*")) == [
        "firth.json",
        "vectors.safetensors",
        "vocabulary.tsv",
    ]
    assert found.name == f"hf:jane/cats@{published.commit('jane/cats')}"


def test_a_model_of_pickles_alone_says_so(place):
    place.repositories["jane/old"] = {"config.json": b"{}", "pytorch_model.bin": b"\x80\x04"}
    with pytest.raises(firth.FirthError, match=r"pytorch_model\.bin alone, which is not fetched"):
        firth.load("hf:jane/old")
    place.repositories["jane/data"] = {"data.csv": b"1"}
    with pytest.raises(firth.FirthError, match="is no model"):
        firth.load("hf:jane/data")


def test_what_is_in_the_cache_is_not_fetched_again_and_serves_offline(published, monkeypatch):
    table = firth.load("hf:jane/cats").table()
    published.asked.clear()
    firth.load("hf:jane/cats")
    assert not published.fetched()
    published.asked.clear()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    np.testing.assert_array_equal(firth.load("hf:jane/cats").table(), table)
    with pytest.raises(firth.FirthError, match=r"not whole in the cache .* HF_HUB_OFFLINE"):
        firth.load("hf:jane/other")
    with pytest.raises(firth.FirthError, match="HF_HUB_OFFLINE"):
        firth.push(hub.found("hf:jane/cats").path, "jane/cats", licence="mit")
    assert not published.asked


@pytest.mark.parametrize("file", ["vectors.safetensors", "vocabulary.tsv", "firth.json"])
def test_what_breaks_off_is_never_taken_for_whole(published, monkeypatch, file):
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # between the library's tries
    published.cut.add(file)
    with pytest.raises(firth.FirthError, match="hf:jane/cats"):
        firth.load("hf:jane/cats")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(firth.FirthError, match="not whole in the cache"):
        firth.load("hf:jane/cats")
    monkeypatch.delenv("HF_HUB_OFFLINE")
    published.cut.clear()
    assert "cat" in firth.load("hf:jane/cats").vocabulary


def test_what_the_hub_answers_is_explained(published, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with pytest.raises(firth.FirthError, match=r"hf:jane/dogs is not at http.*spelling"):
        firth.load("hf:jane/dogs")
    with pytest.raises(firth.FirthError, match="has no revision 'v2'"):
        firth.load("hf:jane/cats@v2")
    published.refused["/preupload/"] = 403
    with pytest.raises(firth.FirthError, match="does not let you"):
        firth.push(hub.found("hf:jane/cats").path, "jane/cats", licence="mit")
    published.refused = {"/commit/": 500}
    before = dict(published.repositories["jane/cats"])
    with pytest.raises(firth.FirthError, match="answered 500"):
        firth.push(hub.found("hf:jane/cats").path, "jane/cats", licence="mit")
    assert published.repositories["jane/cats"] == before


def test_a_revision_is_one_state_of_a_model(published):
    first = published.commit("jane/cats")
    table = firth.load("hf:jane/cats").table().copy()
    model = firth.train(firth.Skipgram(dim=4, min_count=1), TEXT, epochs=1, threads=1)
    firth.push(model, "jane/cats", licence="mit")
    assert firth.load("hf:jane/cats").family.dim == 4
    np.testing.assert_array_equal(firth.load(f"hf:jane/cats@{first}").table(), table)


def test_where_the_network_is_not(tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # where nobody listens
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with pytest.raises(firth.FirthError, match=r"http://127.0.0.1:9 cannot be reached .* HF_ENDPOINT names a mirror"):
        firth.load("hf:jane/cats")


@pytest.mark.parametrize("name", ["hf:", "hf:/cats", "hf:jane/", "hf:jane/cats@", "hf:../cats", "hf:a/b/c"])
def test_names_that_are_none(name):
    with pytest.raises(firth.UsageError, match="no name on the Hub"):
        firth.load(name)


def test_a_path_is_no_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert hub.found("org/name") == (Path("org/name"), "name")
    assert hub.found(tmp_path) == (tmp_path, tmp_path.name)
    with pytest.raises(firth.FirthError, match="no such directory"):
        firth.load("org/name")
    assert hub.found(Path("./hf:model").absolute()).name == "hf:model"


def test_without_the_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(firth.FirthError, match=r"pip install 'firth\[hub\]'"):
        firth.load("hf:jane/cats")


def test_neither_torch_nor_the_library_is_needed_for_a_path(trained):
    code = "import sys; sys.modules['huggingface_hub'] = None; sys.modules['torch'] = None\nimport firth\n"
    code += "firth.load(sys.argv[1]).vectors.most_similar('cat')"
    subprocess.run([sys.executable, "-c", code, str(trained)], check=True, timeout=120)


# --- the command


def test_the_command_shows_what_goes_and_sends(place, trained, capsys):
    assert main(["push", str(trained), "jane/cats", "--licence", "mit", "--languages", "en,zh", "--yes"]) == 0
    out, shown = capsys.readouterr()
    assert "vectors.safetensors" in shown
    assert "stays here: checkpoint/, contexts.safetensors, log.jsonl, notes.txt" in shown
    assert out.splitlines()[1].startswith(f"{place.address}/jane/cats\t4\t")
    assert 'language: ["en", "zh"]' in place.repositories["jane/cats"]["README.md"].decode()
    assert main(["nearest", "hf:jane/cats", "cat", "-n", "2"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_nothing_is_sent_unasked(place, trained, capsys, monkeypatch):
    assert main(["push", str(trained), "jane/cats", "--licence", "mit"]) == 2  # nobody to ask
    assert "--yes" in capsys.readouterr().err
    assert main(["push", str(trained), "jane/cats", "--yes"]) == 2  # no licence
    answers = iter(["mit\n", "no\n", "mit\n", "y\n"])
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("sys.stdin.readline", lambda: next(answers))
    assert main(["push", str(trained), "jane/cats"]) == 1
    assert "nothing was sent" in capsys.readouterr().err
    assert not place.asked
    assert main(["push", str(trained), "jane/cats", "--private"]) == 0
    assert place.private == {"jane/cats"}
