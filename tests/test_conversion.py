"""`firth.convert` and its command: every format to every other, what is refused, and what is never whole in memory."""

import json
import re

import numpy as np
import pytest
from pyarrow import parquet as pq

import firth
from firth import conversion
from firth.cli import main
from firth.errors import FirthError, UsageError
from firth.formats import lines, projector, rows, word2vec
from firth.segmentation import Segmentation
from firth.vectors import Vectors

RNG = np.random.default_rng(5)
WORDS = ["the", "开心", "naïve", "1", "king", "queen", "[/b]"]
ARRAY = RNG.standard_normal((7, 4)).astype(np.float32)
LAYERS = RNG.standard_normal((3, 7, 4)).astype(np.float32)
NAMES = ["v.txt", "v.vec", "v.bin", "v.npy", "v.tsv", "v.parquet", "v"]


@pytest.fixture
def layered(tmp_path):
    vectors = Vectors(
        WORDS,
        LAYERS,
        counts=np.arange(7, 0, -1),
        segmentation=Segmentation(method="words"),
        provenance={"family": "elmo", "corpus": "x"},
    )
    vectors.save(tmp_path / "layered")
    return tmp_path / "layered"


@pytest.mark.parametrize("first", NAMES)
@pytest.mark.parametrize("second", NAMES)
def test_from_every_format_to_every_other(tmp_path, first, second):
    Vectors(WORDS, ARRAY).save(tmp_path / "source")
    there, back = tmp_path / "there" / first, tmp_path / "back" / second
    firth.convert(tmp_path / "source", there)
    converted = firth.convert(there, back)
    assert converted == conversion.Converted([back], [[0]] if second == "v" else [0], 1, 7, 4)
    vectors = Vectors.load(back)
    assert vectors.words == WORDS
    assert vectors.matrix.tobytes() == ARRAY.tobytes()


@pytest.mark.parametrize("target", NAMES)
def test_a_limit_takes_rows_from_the_top(tmp_path, target):
    word2vec.write(tmp_path / "s.txt", WORDS, ARRAY)
    assert firth.convert(tmp_path / "s.txt", tmp_path / target, limit=3).n_words == 3
    assert Vectors.load(tmp_path / target).words == WORDS[:3]


def test_a_directory_keeps_what_is_known_of_the_vectors(tmp_path, layered):
    firth.convert(layered, tmp_path / "copy")
    source, copy = Vectors.load(layered), Vectors.load(tmp_path / "copy")
    np.testing.assert_array_equal(copy.array, LAYERS)
    assert copy.counts.tolist() == source.counts.tolist()
    assert (copy.segmentation, copy.provenance) == (source.segmentation, source.provenance)


# --- layers


@pytest.mark.parametrize("name", NAMES)
def test_a_file_gets_the_layer_that_is_asked_for(tmp_path, layered, name):
    for layer, due in ((None, 2), (0, 0), (1, 1)):
        converted = firth.convert(layered, tmp_path / name, layer=layer, overwrite=True)
        np.testing.assert_array_equal(Vectors.load(tmp_path / name).array[-1], LAYERS[due])
        assert (converted.paths, converted.n_layers) == ([tmp_path / name], 3)
        held = [0, 1, 2] if layer is None else [layer]
        assert converted.layers == ([held] if name == "v" else [due])


@pytest.mark.parametrize("suffix", [".txt", ".bin", ".npy", ".tsv", ".parquet"])
def test_a_file_for_each_layer(tmp_path, layered, suffix):
    converted = firth.convert(layered, tmp_path / f"v{suffix}", layer="all")
    assert [path.name for path in converted.paths] == [f"v.layer{layer}{suffix}" for layer in range(3)]
    for layer, path in enumerate(converted.paths):
        np.testing.assert_array_equal(Vectors.load(path).matrix, LAYERS[layer])


def test_a_layer_that_does_not_exist(tmp_path, layered):
    for target in ("v.txt", "v"):
        with pytest.raises(UsageError, match=re.escape("layer 3 asked of an ELMo model, which has 3 (layers 0 to 2)")):
            firth.convert(layered, tmp_path / target, layer=3)
    word2vec.write(tmp_path / "s.txt", WORDS, ARRAY)
    with pytest.raises(UsageError, match=r"layer 1 asked of .*s\.txt, which has 1 \(layer 0\)"):
        firth.convert(tmp_path / "s.txt", tmp_path / "v.bin", layer=1)
    assert not (tmp_path / "v.txt").exists()
    assert firth.convert(tmp_path / "s.txt", tmp_path / "v.bin", layer="all").paths == [tmp_path / "v.layer0.bin"]


# --- Parquet


def test_a_table_has_places_and_neighbours(tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "BLOCK_ROWS", 3)
    vectors = Vectors(WORDS, ARRAY, counts=np.arange(7, 0, -1))
    vectors.save(tmp_path / "source")
    firth.convert(tmp_path / "source", tmp_path / "v.parquet", neighbours=2)
    table = pq.read_table(tmp_path / "v.parquet")
    assert table.schema.names == ["word", "vector", "count", "x", "y", "neighbors"]
    places = np.stack([table["x"].to_numpy(), table["y"].to_numpy()], axis=1)
    centred = ARRAY - ARRAY.mean(axis=0)
    strengths = np.linalg.svd(centred, compute_uv=False)
    np.testing.assert_allclose(np.linalg.norm(places, axis=0), strengths[:2], rtol=1e-4)
    for word, near in zip(WORDS, table["neighbors"].to_pylist(), strict=True):
        due = vectors.most_similar(word, topn=2)
        assert [WORDS[row] for row in near["ids"]] == [name for name, _ in due]
        np.testing.assert_allclose(near["distances"], [1 - cosine for _, cosine in due], atol=1e-6)


def test_a_table_from_a_text_file_waits_on_disk_and_leaves_nothing(tmp_path):
    word2vec.write(tmp_path / "s.txt", WORDS, ARRAY)
    firth.convert(tmp_path / "s.txt", tmp_path / "v.parquet", neighbours=99)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s.txt", "v.parquet"]
    assert [len(near["ids"]) for near in pq.read_table(tmp_path / "v.parquet")["neighbors"].to_pylist()] == [6] * 7


def test_neighbours_are_for_tables_alone(tmp_path):
    word2vec.write(tmp_path / "s.txt", WORDS, ARRAY)
    with pytest.raises(UsageError, match=r"written into a \.parquet alone"):
        firth.convert(tmp_path / "s.txt", tmp_path / "v.bin", neighbours=3)


def test_two_words_or_one_dimension_have_no_map(tmp_path):
    Vectors(["a", "b"], ARRAY[:2]).save(tmp_path / "two")
    firth.convert(tmp_path / "two", tmp_path / "two.parquet")
    assert pq.read_table(tmp_path / "two.parquet").schema.names == ["word", "vector"]


# --- what is wrong


@pytest.mark.parametrize("compiled_bytes", [0, 1_000_000])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"3 2\naaaaa 1 2\nbbbbb 3 4\n", "the header promises 3 rows, and the file ends after 2"),
        (b"1 2\na 1 2\nb 3 4\n", "line 3: a row more than the 1"),
        (b"2 2\na 1 2\nb nan 4\n", "line 3: a number that is not finite"),
        (b"2 2\naaaa 1 2\nbbbb 3", "line 3: 1 number where 2 are due"),
        (b"2 2\na 1 2\nb 3 4 5\n", "line 3: 3 numbers where 2 are due"),
        (b"a 1 2 3\nb 1 2 3\nc 1 2\n", "line 3: 2 numbers where 3 are due"),
        (b"0 2\n", "no word"),
        (b"", "is empty"),
    ],
)
@pytest.mark.parametrize("target", ["v.bin", "v", "v.parquet", "v.npy", "v.tsv"])
def test_a_malformed_file_leaves_nothing_behind(tmp_path, monkeypatch, compiled_bytes, content, message, target):
    monkeypatch.setattr(lines, "COMPILED_BYTES", compiled_bytes)
    (tmp_path / "s.txt").write_bytes(content)
    with pytest.raises(FirthError, match=message):
        firth.convert(tmp_path / "s.txt", tmp_path / target)
    assert [path.name for path in tmp_path.iterdir()] == ["s.txt"]


@pytest.mark.parametrize("target", NAMES)
def test_a_repeated_word_is_left_out_and_said(tmp_path, target):
    (tmp_path / "s.txt").write_bytes(b"4 2\na 1 2\nb 3 4\na 5 6\nc 7 8\n")
    with pytest.warns(UserWarning, match=r"s\.txt: 1 left out, as their words stood before: a"):
        converted = firth.convert(tmp_path / "s.txt", tmp_path / "out" / target)
    assert converted.n_words == 3
    vectors = Vectors.load(tmp_path / "out" / target)
    assert vectors.words == ["a", "b", "c"]
    assert vectors.matrix.tolist() == [[1, 2], [3, 4], [7, 8]]


def test_words_with_spaces(tmp_path):
    Vectors(["New York", "a"], ARRAY[:2]).save(tmp_path / "source")
    for name in ("v.txt", "v.bin"):
        with pytest.raises(FirthError, match="'New York' contains white space"):
            firth.convert(tmp_path / "source", tmp_path / name)
        firth.convert(tmp_path / "source", tmp_path / name, space="_")
        assert Vectors.load(tmp_path / name).words == ["New_York", "a"]
    for name in ("v.npy", "v.tsv", "v.parquet", "v"):  # which hold them
        firth.convert(tmp_path / "source", tmp_path / name)
        assert Vectors.load(tmp_path / name).words == ["New York", "a"]


def test_nothing_is_replaced_unless_told(tmp_path, layered):
    for name in NAMES:
        firth.convert(layered, tmp_path / name)
        with pytest.raises(UsageError, match="exists"):
            firth.convert(layered, tmp_path / name)
        firth.convert(layered, tmp_path / name, overwrite=True)
    (tmp_path / "w-metadata.tsv").touch()
    assert projector.metadata_path(tmp_path / "w-vectors.tsv") == tmp_path / "w-metadata.tsv"
    with pytest.raises(UsageError, match=r"w-metadata\.tsv exists"):
        firth.convert(layered, tmp_path / "w-vectors.tsv")
    with pytest.raises(UsageError, match=r"is a directory; a file is to be written"):
        firth.convert(layered, layered, format="text", overwrite=True)


def test_a_directory_that_is_no_model(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").touch()
    with pytest.raises(FirthError, match=r"photos holds no firth\.json.*Looked for: .*there is: cat\.jpg"):
        firth.convert(tmp_path / "photos", tmp_path / "v.txt")


def test_a_pickle_is_refused_with_the_way_to_export_it(tmp_path):
    (tmp_path / "v.kv").write_bytes(b"\x80\x04\x95gensim.models.keyedvectors")
    with pytest.raises(FirthError, match=r"(?s)is a pickle .*KeyedVectors\.load"):
        firth.convert(tmp_path / "v.kv", tmp_path / "v.txt")


def test_a_large_file_is_never_whole_in_memory(tmp_path, monkeypatch):
    """Of 40 blocks no more than some are alive at a time."""
    import weakref

    alive, most = weakref.WeakSet(), 0
    block_of = lines._parse

    def watched(*arguments):
        nonlocal most
        parsed = block_of(*arguments)
        owner = Tracked(parsed.array)
        alive.add(owner)
        most = max(most, len(alive))
        return parsed._replace(array=owner)

    monkeypatch.setattr(lines, "COMPILED_BYTES", 0)
    monkeypatch.setattr(lines, "READ_BYTES", 1000)
    monkeypatch.setattr(lines, "_parse", watched)
    words = [f"w{row}" for row in range(4000)]
    array = RNG.standard_normal((4000, 2)).astype(np.float32)
    word2vec.write(tmp_path / "s.txt", words, array)
    for target in ("v", "v.bin", "v.npy", "v.tsv", "t.txt"):
        firth.convert(tmp_path / "s.txt", tmp_path / target)
        assert Vectors.load(tmp_path / target).matrix.tobytes() == array.tobytes()
    assert 1 < most < 40


class Tracked(np.ndarray):
    """An array that a weak reference can be kept of."""

    def __new__(cls, array):
        own = super().__new__(cls, array.shape, array.dtype)
        own[...] = array
        return own

    __hash__ = object.__hash__


# --- the command


def test_the_command_prints_what_it_wrote(tmp_path, layered, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["convert", "layered", "v.txt", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == [{"target": "v.txt", "words": 7, "dim": 4}]
    assert "has 3 layers; v.txt holds layer 2 alone" in err
    assert main(["convert", "layered", "w.npy", "--layer", "all", "--json"]) == 0
    out, err = capsys.readouterr()
    assert [row["target"] for row in json.loads(out)] == ["w.layer0.npy", "w.layer1.npy", "w.layer2.npy"]
    assert err == ""
    assert main(["convert", "layered", "m.parquet", "--layer", "0", "--neighbours", "3"]) == 0
    assert "neighbors" in pq.read_table("m.parquet").schema.names
    assert main(["convert", "layered", "v.txt", "--layer", "7", "--overwrite"]) == 2
    assert "layer 7 asked of" in capsys.readouterr().err
    assert main(["convert", "v.txt", "g.txt", "--format", "glove"]) == 0
    assert (tmp_path / "g.txt").read_bytes().startswith(b"the ")
    (tmp_path / "bad.txt").write_bytes(b"1 2\n\xff 1 2\n")
    assert main(["convert", "bad.txt", "good.txt"]) == 1
    assert main(["convert", "bad.txt", "good.txt", "--encoding-errors", "replace"]) == 0


def test_matrices_of_some_layers_keep_their_numbers(tmp_path):
    array = np.random.default_rng(1).normal(size=(3, 4, 2)).astype(np.float32)
    Vectors(list("abcd"), array, provenance={"layers": [0, 5, 12]}).save(tmp_path / "some")
    written = firth.convert(tmp_path / "some", tmp_path / "v.txt", layer="all")
    assert [path.name for path in written.paths] == ["v.layer0.txt", "v.layer5.txt", "v.layer12.txt"]
    assert written.layers == [0, 5, 12]
    assert firth.convert(tmp_path / "some", tmp_path / "last.txt").layers == [12]
    assert firth.convert(tmp_path / "some", tmp_path / "again").layers == [[0, 5, 12]]
    assert Vectors.load(tmp_path / "again").layer_numbers == [0, 5, 12]
    firth.convert(tmp_path / "some", tmp_path / "one", layer=5)
    np.testing.assert_array_equal(Vectors.load(tmp_path / "one").layer(5).matrix, array[1])
    with pytest.raises(UsageError, match=r"layer 1 asked of .* \(layers 0, 5 and 12\)"):
        firth.convert(tmp_path / "some", tmp_path / "none.txt", layer=1)


def test_vectors_that_are_all_alike_have_no_place_on_a_map(tmp_path):
    Vectors(list("abcd"), np.ones((4, 3))).save(tmp_path / "alike")
    firth.convert(tmp_path / "alike", tmp_path / "alike.parquet")
    assert "x" not in pq.read_table(tmp_path / "alike.parquet").schema.names
    np.testing.assert_array_equal(Vectors.load(tmp_path / "alike.parquet").matrix, np.ones((4, 3)))


def test_a_directory_keeps_what_its_source_is_kept_in(tmp_path):
    Vectors(["king", "queen"], np.eye(2, dtype=np.float32)).save(tmp_path / "bytes", precision="int8")
    firth.convert(tmp_path / "bytes", tmp_path / "fewer", limit=1)
    assert Vectors.load(tmp_path / "fewer").codes is not None
    firth.convert(tmp_path / "bytes", tmp_path / "numbers", precision="float32")
    assert Vectors.load(tmp_path / "numbers").codes is None
