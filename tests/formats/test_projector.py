import re
from pathlib import Path

import numpy as np
import pytest
from drawing import words_and_arrays
from hypothesis import given

from firth.errors import FirthError, UsageError
from firth.formats import lines, projector
from firth.formats.rows import Rows

WORDS = ["the", "开心", "two words", "\u3000"]
ARRAY = np.random.default_rng(2).standard_normal((4, 3)).astype(np.float32)


@pytest.mark.parametrize("compiled_bytes", [0, 1_000_000])
@pytest.mark.parametrize("counted", [False, True])
@given(words_and_arrays("\t\r\n"))
def test_what_is_written_is_read(tmp_path_factory, compiled_bytes, counted, words_and_array):
    words, array = words_and_array
    path = tmp_path_factory.mktemp("projector") / "vectors.tsv"
    counts = np.arange(len(words), 0, -1) if counted else None
    assert projector.write_rows(path, Rows.of(words, array), counts=counts) == len(words)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "COMPILED_BYTES", compiled_bytes)
        read = projector.rows(path).collected()
    assert (read.words, read.repeated) == (words, [])
    assert read.array.tobytes() == array.tobytes()


def test_the_files_are_as_the_projector_wants_them(tmp_path):
    projector.write_rows(tmp_path / "vectors.tsv", Rows.of(["a", "b"], np.float32([[1, 2.5], [-3, 0]])))
    assert (tmp_path / "vectors.tsv").read_bytes() == b"1\t2.5\n-3\t0\n"
    assert (tmp_path / "metadata.tsv").read_bytes() == b"a\nb\n"  # of one column: without a name
    counts = np.array([9, 8])
    projector.write_rows(tmp_path / "vectors.tsv", Rows.of(["a", "b"], ARRAY[:2]), counts=counts)
    assert (tmp_path / "metadata.tsv").read_bytes() == b"word\tcount\na\t9\nb\t8\n"


@pytest.mark.parametrize(
    ("name", "metadata"),
    [
        ("vectors.tsv", "metadata.tsv"),
        ("bert-vectors.layer3.tsv", "bert-metadata.layer3.tsv"),
        ("w2v_tensor.tsv", "w2v_metadata.tsv"),
        ("tensors.tsv", "metadata.tsv"),
        ("words.tsv", "words.metadata.tsv"),
    ],
)
def test_the_words_stand_beside(name, metadata):
    assert projector.metadata_path(Path("folder") / name) == Path("folder") / metadata


def test_a_column_of_several_is_the_words(tmp_path):
    (tmp_path / "vectors.tsv").write_bytes(b"1\t2\n3\t4\n")
    (tmp_path / "metadata.tsv").write_bytes(b"count\tLabel\r\n7\ta\r\n6\tb\r\n")
    assert projector.rows(tmp_path / "vectors.tsv").collected().words == ["a", "b"]
    assert projector.rows(tmp_path / "vectors.tsv", limit=1).collected().array.tolist() == [[1, 2]]


@pytest.mark.parametrize("compiled_bytes", [0, 1_000_000])
@pytest.mark.parametrize(
    ("vectors", "metadata", "message"),
    [
        (b"1\t2\n3\n", b"a\nb\n", "vectors.tsv, line 2: 2 numbers parted by tabs are due"),
        (b"1\t2\n3\t4\t5\n", b"a\nb\n", "vectors.tsv, line 2: 2 numbers"),
        (b"1\t2\n3 4\n", b"a\nb\n", "vectors.tsv, line 2: 2 numbers"),
        (b"1\t2\n3\tx\n", b"a\nb\n", "vectors.tsv, line 2: 2 numbers"),
        (b"1\t2\n3\tnan\n", b"a\nb\n", "vectors.tsv, line 2: a number that is not finite"),
        (b"1\t2\n", b"a\nb\nc\n", "metadata.tsv has 3 lines, and the file of vectors 1"),
        (b"1\t2\n3\t4\n", b"a\n", "metadata.tsv has 1 lines, and the file of vectors 2"),
        (b"1\t2\n3\t4\n", b"a\n\n", "metadata.tsv, row 2: no word"),
        (b"", b"a\n", "vectors.tsv, line 1: numbers parted by tabs are due"),
        (b"1\t2\n", b"\xff\n", "metadata.tsv is not UTF-8"),
        (b"1\t2\n", None, "the words of the vectors are looked for in"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, monkeypatch, compiled_bytes, vectors, metadata, message):
    monkeypatch.setattr(lines, "COMPILED_BYTES", compiled_bytes)
    (tmp_path / "vectors.tsv").write_bytes(vectors)
    if metadata is not None:
        (tmp_path / "metadata.tsv").write_bytes(metadata)
    with pytest.raises(FirthError, match=re.escape(message)):
        projector.rows(tmp_path / "vectors.tsv").collected()


def test_wrong_calls(tmp_path):
    with pytest.raises(FirthError, match="cannot be read"):
        projector.rows(tmp_path / "vectors.tsv")
    with pytest.raises(UsageError, match="limit 0"):
        projector.rows(tmp_path / "vectors.tsv", limit=0)
    with pytest.raises(FirthError, match="holds a tab or a line end"):
        projector.write_rows(tmp_path / "vectors.tsv", Rows.of(["a\tb"], ARRAY[:1]))
    assert list(tmp_path.iterdir()) == []
    projector.write_rows(tmp_path / "vectors.tsv", Rows.of(["a\tb"], ARRAY[:1]), space="_")
    assert projector.rows(tmp_path / "vectors.tsv").collected().words == ["a_b"]
