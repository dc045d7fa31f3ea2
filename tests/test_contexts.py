"""Vectors in context on disk: each format read back, what was interrupted gone on with, nothing half-written read."""

import errno
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firth import FirthError, UsageError, Vectors, contexts, parts
from firth.contexts import extract_to, read_extracted
from firth.extraction import extract
from firth.files import lock
from firth.segmentation import Segmentation

WORDS = ["the", "cat", "sat", "今天", "new york", "-"]
VECTORS = Vectors(
    WORDS,
    np.random.default_rng(1).standard_normal((2, len(WORDS), 5), dtype=np.float32),
    segmentation=Segmentation(method="space"),
)
SENTENCES = ["the cat", "sat", "", ["new york", "今天"], "", "", "- the cat sat", "cat"]
KINDS = ["safetensors", "npy", "parquet"]


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def small_shards(monkeypatch):
    monkeypatch.setattr(contexts, "SHARD_BYTES", 1)
    monkeypatch.setattr(parts, "BLOCK_BYTES", 1)


def expected(sentences=SENTENCES, **how):
    return list(extract(VECTORS, [sentence for sentence in sentences if sentence], **how))


def assert_same(found, due):
    found = list(found)
    assert [(sentence.words, sentence.unknown) for sentence in found] == [
        (sentence.words, sentence.unknown) for sentence in due
    ]
    for sentence, other in zip(found, due, strict=True):
        assert sentence.array.dtype == other.array.dtype
        np.testing.assert_array_equal(sentence.array, other.array)


def test_what_was_written_is_read_back(kind, tmp_path):
    written = extract_to(tmp_path / "out", VECTORS, SENTENCES, kind=kind)
    assert (written.n_sentences, written.n_words, written.n_unknown) == (5, 10, 0)
    assert_same(read_extracted(tmp_path / "out"), expected())
    assert not (tmp_path / "out.part").exists()


@pytest.mark.usefixtures("small_shards")
def test_shards_are_small_and_all_are_read(kind, tmp_path):
    extract_to(tmp_path / "out", VECTORS, SENTENCES, kind=kind, layers="1,0", dtype="float16")
    assert len(list((tmp_path / "out").glob(f"*.{kind}"))) == 5
    assert_same(read_extracted(tmp_path / "out"), expected(layers="1,0", dtype="float16"))


@given(
    st.lists(st.lists(st.sampled_from(WORDS), max_size=4), min_size=1, max_size=12).filter(any),
    st.sampled_from(KINDS),
    st.integers(1, 200),
)
@settings(max_examples=60)
def test_any_sentences_are_read_back(tmp_path_factory, sentences, kind, shard_bytes):
    path = tmp_path_factory.mktemp("contexts") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(contexts, "SHARD_BYTES", shard_bytes)
        patch.setattr(parts, "BLOCK_BYTES", 1)
        extract_to(path, VECTORS, sentences, kind=kind)
    assert_same(read_extracted(path), expected(sentences))


def test_the_files_are_those_of_their_kind(tmp_path):
    extract_to(tmp_path / "npy", VECTORS, SENTENCES, kind="npy")
    array = np.load(tmp_path / "npy" / "00000.npy", allow_pickle=False)
    assert array.shape == (2, 10, 5)
    lines = [json.loads(line) for line in (tmp_path / "npy" / "00000.words.jsonl").read_text("utf-8").splitlines()]
    assert [(line["document"], line["sentence"], line["position"]) for line in lines] == [
        *((0, 0, 0), (0, 1, 0), (1, 2, 0), (2, 3, 0), (2, 4, 0))
    ]
    assert lines[2]["words"] == ["new york", "今天"]
    extract_to(tmp_path / "st", VECTORS, SENTENCES)
    from safetensors.numpy import load_file

    np.testing.assert_array_equal(load_file(tmp_path / "st" / "00000.safetensors")["vectors"], array)


def test_a_row_of_parquet_is_a_word(tmp_path):
    from pyarrow import dataset, parquet

    extract_to(tmp_path / "all.parquet", VECTORS, SENTENCES)
    table = dataset.dataset(tmp_path / "all.parquet", format="parquet").to_table()
    assert table.column_names == ["document", "sentence", "position", "word", "layer_0", "layer_1"]
    assert table["word"].to_pylist() == ["the", "cat", "sat", "new york", "今天", "-", "the", "cat", "sat", "cat"]
    assert table["document"].to_pylist() == [0, 0, 0, 1, 1, 2, 2, 2, 2, 2]
    assert table["sentence"].to_pylist() == [0, 0, 1, 2, 2, 3, 3, 3, 3, 4]
    assert table["position"].to_pylist() == [0, 1, 0, 0, 1, 0, 1, 2, 3, 0]
    np.testing.assert_array_equal(np.array(table["layer_1"].to_pylist()), VECTORS[table["word"].to_pylist()])
    extract_to(tmp_path / "last.parquet", VECTORS, SENTENCES, layers="last")
    assert parquet.read_table(tmp_path / "last.parquet" / "00000.parquet").column_names[-1] == "vector"


def test_hdf5_has_the_layout_of_bilm_tf_and_allennlp(tmp_path):
    h5py = pytest.importorskip("h5py")
    extract_to(tmp_path / "out.hdf5", VECTORS, SENTENCES)
    assert not (tmp_path / "out.hdf5.part").exists()
    with h5py.File(tmp_path / "out.hdf5") as file:
        numbers = json.loads(file["sentence_to_index"][0])
        assert numbers == {"the cat": "0", "sat": "1", "new york 今天": "2", "- the cat sat": "3", "cat": "4"}
        assert set(file) == {*numbers.values(), "sentence_to_index"}
        for sentence, number in zip(expected(), numbers.values(), strict=True):
            assert file[number].dtype == np.float32
            np.testing.assert_array_equal(file[number][...], sentence.array)


def test_unknown_words_are_counted_and_named(kind, tmp_path):
    written = extract_to(tmp_path / "out", VECTORS, ["the dog", "a dog sat"], kind=kind)
    assert (written.n_words, written.n_unknown, written.unknown) == (5, 3, ("dog", "a"))
    first, second = read_extracted(tmp_path / "out")
    assert (first.unknown, second.unknown) == ([1], [0, 1])
    assert np.isnan(first.array[:, 1]).all()


# --- interrupted


class Interrupted(Exception):
    pass


def broken_off(sentences, after):
    """The sentences up to one, then an interruption."""
    for number, sentence in enumerate(sentences):
        if number == after:
            raise Interrupted
        yield sentence


@pytest.fixture
def one_by_one(small_shards, monkeypatch):
    monkeypatch.setattr(parts, "_SENTENCES_TOGETHER", 1)


@pytest.mark.usefixtures("one_by_one")
@pytest.mark.parametrize("after", range(len(SENTENCES)))
def test_what_was_interrupted_is_gone_on_with(kind, after, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(Interrupted):
        extract_to(out, VECTORS, broken_off(SENTENCES, after), kind=kind)
    assert not out.exists()
    with pytest.raises(UsageError, match=r"unfinished.*resume"):
        extract_to(out, VECTORS, SENTENCES, kind=kind)
    shards = {path.name: path.read_bytes() for path in (tmp_path / "out.part").glob("0*")}
    assert (after > 3) <= bool(shards)
    written = extract_to(out, VECTORS, SENTENCES, kind=kind, resume=True)
    assert (written.n_sentences, written.n_words) == (5, 10)
    assert {name: (out / name).read_bytes() for name in shards} == shards
    extract_to(tmp_path / "unbroken", VECTORS, SENTENCES, kind=kind)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == {
        path.name: path.read_bytes() for path in (tmp_path / "unbroken").iterdir()
    }


@pytest.mark.usefixtures("one_by_one")
def test_another_text_or_other_arguments_are_not_gone_on_with(tmp_path):
    out = tmp_path / "out"
    with pytest.raises(Interrupted):
        extract_to(out, VECTORS, broken_off(SENTENCES, 6))
    for sentences in (["the cat", "cat", *SENTENCES[2:]], SENTENCES[:1]):
        with pytest.raises(UsageError, match="text"):
            extract_to(out, VECTORS, sentences, resume=True)
    with pytest.raises(UsageError, match="layers"):
        extract_to(out, VECTORS, SENTENCES, resume=True, layers="0")
    others = Vectors(WORDS, VECTORS.array + 1, segmentation=VECTORS.segmentation)
    with pytest.raises(UsageError, match="model"):
        extract_to(out, others, SENTENCES, resume=True)
    with pytest.raises(UsageError, match="kind"):
        extract_to(out, VECTORS, SENTENCES, kind="npy", resume=True)
    extract_to(out, VECTORS, SENTENCES, overwrite=True)
    assert_same(read_extracted(out), expected())


@pytest.mark.usefixtures("one_by_one")
def test_what_is_unfinished_is_not_read_as_whole(tmp_path):
    with pytest.raises(Interrupted):
        extract_to(tmp_path / "out", VECTORS, broken_off(SENTENCES, 6))
    with pytest.raises(FirthError, match="unfinished"):
        list(read_extracted(tmp_path / "out.part"))


def test_a_failure_on_disk_reaches_the_caller(tmp_path, monkeypatch):
    def full(*_):
        raise FirthError("No space left on device")

    monkeypatch.setattr("firth.formats.safetensors.write", full)
    with pytest.raises(FirthError, match="No space left"):
        extract_to(tmp_path / "out", VECTORS, SENTENCES)
    monkeypatch.undo()
    extract_to(tmp_path / "out", VECTORS, SENTENCES, resume=True)
    assert_same(read_extracted(tmp_path / "out"), expected())


# --- places


def test_what_exists_is_replaced_only_when_asked(tmp_path):
    out = tmp_path / "out"
    extract_to(out, VECTORS, ["the"])
    with pytest.raises(UsageError, match="exists"):
        extract_to(out, VECTORS, SENTENCES)
    extract_to(out, VECTORS, SENTENCES, overwrite=True)
    assert_same(read_extracted(out), expected())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


def test_what_is_not_ours_is_never_replaced(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine.hdf5").write_text("text")
    (tmp_path / "other.part").mkdir()
    for name in ("mine", "mine.hdf5", "other"):
        with pytest.raises(UsageError, match="not overwritten"):
            extract_to(tmp_path / name, VECTORS, SENTENCES, overwrite=True)
    assert (tmp_path / "mine.hdf5").read_text() == "text"


def test_one_process_writes_at_a_time(tmp_path):
    out = tmp_path / "out"

    def meanwhile():
        for how in ({"resume": True}, {"overwrite": True}):
            with pytest.raises(UsageError, match=r"out.part is being written by another process"):
                extract_to(out, VECTORS, SENTENCES, **how)
        yield from SENTENCES

    extract_to(out, VECTORS, meanwhile())
    assert_same(read_extracted(out), expected())
    assert not any(path.name.startswith(".") for path in out.iterdir())


@pytest.mark.usefixtures("one_by_one")
@pytest.mark.parametrize("how", ["resume", "overwrite"])
def test_what_another_process_left_is_taken(tmp_path, how):
    with pytest.raises(Interrupted):
        extract_to(tmp_path / "out", VECTORS, broken_off(SENTENCES, 6))
    with (tmp_path / "out.part" / ".lock").open("a") as file:
        lock(file)
        with pytest.raises(UsageError, match="another process"):
            extract_to(tmp_path / "out", VECTORS, SENTENCES, **{how: True})
    extract_to(tmp_path / "out", VECTORS, SENTENCES, **{how: True})
    assert_same(read_extracted(tmp_path / "out"), expected())


def test_a_directory_and_a_file_do_not_take_each_others_place(tmp_path):
    h5py = pytest.importorskip("h5py")
    extract_to(tmp_path / "out", VECTORS, SENTENCES)
    extract_to(tmp_path / "out.hdf5", VECTORS, SENTENCES)
    with h5py.File(tmp_path / "weights.hdf5", "w") as file:
        file["weights"] = np.zeros(3)
    for name, kind in (("out", "hdf5"), ("out.hdf5", "npy"), ("weights.hdf5", "hdf5")):
        with pytest.raises(
            UsageError, match=f"{name} exists and is not a .* vectors in context; it is not overwritten"
        ):
            extract_to(tmp_path / name, VECTORS, SENTENCES, kind=kind, overwrite=True)
    extract_to(tmp_path / "out.hdf5", VECTORS, SENTENCES, overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "out.hdf5", "weights.hdf5"]


def test_what_cannot_be_written_is_told(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(FirthError, match="cannot be written"):
        extract_to(tmp_path / "file" / "out", VECTORS, SENTENCES)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("firth.formats.safetensors.write", full)
    with pytest.raises(FirthError, match="cannot be written: No space left on device"):
        extract_to(tmp_path / "out", VECTORS, SENTENCES)


def test_the_current_directory_is_no_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for place in (".", "/"):
        with pytest.raises(UsageError, match="exists"):
            extract_to(place, VECTORS, SENTENCES)


@pytest.mark.parametrize("layers", ["0,0", "1,0,1"])
def test_a_column_of_parquet_has_a_name_of_its_own(layers, tmp_path):
    with pytest.raises(UsageError, match="each layer once"):
        extract_to(tmp_path / "out.parquet", VECTORS, SENTENCES, layers=layers)
    extract_to(tmp_path / "out", VECTORS, SENTENCES, layers=layers)
    assert_same(read_extracted(tmp_path / "out"), expected(layers=layers))


def test_sentences_are_any_sequences_of_words(tmp_path):
    extract_to(tmp_path / "out", VECTORS, [np.array(["the", "cat"]), ("sat",)])
    assert_same(read_extracted(tmp_path / "out"), expected(["the cat", "sat"]))
    with pytest.raises(UsageError, match="word 1 of a sentence is 7; words are strings"):
        extract_to(tmp_path / "other", VECTORS, [["the", 7]])


@pytest.mark.usefixtures("small_shards")
def test_a_long_sentence_of_static_vectors_comes_in_parts(tmp_path, monkeypatch):
    with pytest.warns(UserWarning, match="'dog'"):
        due = expected(["the cat - sat 今天 dog the dog dog"])
    monkeypatch.setattr("firth.readers.MOST_WORDS", 2)
    extract_to(tmp_path / "out", VECTORS, ["the cat - sat 今天 dog the dog dog"])
    assert len(list((tmp_path / "out").glob("0*.safetensors"))) > 3
    assert_same(read_extracted(tmp_path / "out"), due)


@pytest.mark.parametrize("most", [1, 2, 5])
def test_very_many_words_without_a_vector_come_in_parts(tmp_path, monkeypatch, most):
    text = "a b c d e the cat f g h i sat j - k l m n o p"
    with pytest.warns(UserWarning, match="'a'"):
        due = expected([text, "q r s t", "the"])
    monkeypatch.setattr("firth.readers.MOST_WORDS", 4)
    monkeypatch.setattr(parts, "_MOST_WITHOUT_ROWS", most)
    found = list(parts.parts(contexts.prepare(VECTORS), [text, "q r s t", "the"]))
    assert max(len(part.words) for part in found) <= 4 + 2 * most
    assert [part.sentence for part in found if part.is_last] == [0, 1, 2]
    extract_to(tmp_path / "out", VECTORS, [text, "q r s t", "the"])
    assert_same(read_extracted(tmp_path / "out"), due)


def test_there_must_be_something_to_resume(tmp_path):
    with pytest.raises(UsageError, match="nothing to resume"):
        extract_to(tmp_path / "out", VECTORS, SENTENCES, resume=True)


@pytest.mark.parametrize("sentences", [[], [""], ["!!!"], [[]]])
def test_an_empty_text_writes_nothing(sentences, tmp_path):
    vectors = Vectors(WORDS, VECTORS.array, segmentation=Segmentation(method="words"))
    with pytest.raises(FirthError, match="no words"):
        extract_to(tmp_path / "out", vectors, sentences)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_kind_is_named(tmp_path):
    with pytest.raises(UsageError, match="safetensors, npy, parquet, hdf5"):
        extract_to(tmp_path / "out", VECTORS, SENTENCES, kind="csv")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("_index.json", "{"),
        ("_index.json", '{"format": 1}'),
        ("_index.json", '{"format": 2}'),
        ("_index.json", "[]"),
        ("00000.words.jsonl", '{"words": ["a"]}\n'),
        ("00000.words.jsonl", "nothing\n"),
        ("00000.words.jsonl", ""),
        ("00000.safetensors", "text"),
    ],
)
def test_damaged_files_are_named(tmp_path, name, text):
    extract_to(tmp_path / "out", VECTORS, SENTENCES)
    (tmp_path / "out" / name).write_text(text)
    with pytest.raises(FirthError, match="out"):
        list(read_extracted(tmp_path / "out"))


def test_a_directory_without_an_index_holds_none(tmp_path):
    with pytest.raises(FirthError, match="no vectors in context"):
        list(read_extracted(tmp_path))


@pytest.mark.usefixtures("small_shards")
def test_a_sentence_of_several_shards_is_read_whole(kind, tmp_path):
    """Parts of a sentence, as a network's windows give them."""
    pytest.importorskip("torch")
    from firth.families.gpt import GPT
    from firth.model import Model
    from firth.pieces import train_pieces

    family = GPT(dim=8, n_layers=1, n_heads=2, n_positions=8, context_length=8)
    pieces = train_pieces(["the cats and the dogs sat in cafés"] * 3, "bpe", size=128, cased=False, seed=1)
    model = Model(family, pieces, family.network(pieces.n_entries, 1).eval(), {})
    sentences = ["the cats and the dogs sat in cafés " * 9, "the cats"]
    extract_to(tmp_path / "out", model, sentences, kind=kind)
    assert len(list((tmp_path / "out").glob(f"*.{kind}"))) > 3
    found = list(read_extracted(tmp_path / "out"))
    for sentence, other in zip(found, extract(model, sentences), strict=True):
        assert sentence.words == other.words
        np.testing.assert_allclose(sentence.array, other.array, rtol=0, atol=1e-5)


@pytest.mark.usefixtures("one_by_one")
def test_within_a_sentence_it_is_gone_on_with_too(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    from firth.families.gpt import GPT
    from firth.model import Model
    from firth.pieces import train_pieces

    family = GPT(dim=8, n_layers=1, n_heads=2, n_positions=8, context_length=8)
    pieces = train_pieces(["the cats and the dogs sat in cafés"] * 3, "bpe", size=128, cased=False, seed=1)
    model = Model(family, pieces, family.network(pieces.n_entries, 1).eval(), {})
    sentences = ["the dogs", "the cats and the dogs sat in cafés " * 9, "the cats"]
    write, count = contexts._Shards._write, iter(range(100))

    def failing(*arguments):
        if next(count) == 4:
            raise Interrupted
        write(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(contexts._Shards, "_write", failing)
        with pytest.raises(Interrupted):
            extract_to(tmp_path / "out", model, sentences)
    place = json.loads((tmp_path / "out.part" / "_index.json").read_bytes())["place"]
    assert place[0] == 1
    assert place[1] > 0
    extract_to(tmp_path / "out", model, sentences, resume=True)
    assert_same(read_extracted(tmp_path / "out"), list(extract(model, sentences)))
