import gc
import json

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from firth.errors import FirthError
from firth.formats import safetensors as ours

ARRAYS = st.dictionaries(
    st.text(min_size=1, max_size=8).filter(lambda name: name != "__metadata__"),
    hnp.arrays(
        st.sampled_from([np.float32, np.float64, np.float16, np.int64, np.int32, np.uint8, np.bool_]),
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
    ),
    max_size=4,
)


def encodable(arrays):
    try:
        "".join(arrays).encode()
    except UnicodeEncodeError:
        return False
    return True


@given(ARRAYS.filter(encodable))
def test_what_is_written_is_read(tmp_path_factory, arrays):
    path = tmp_path_factory.mktemp("safetensors") / "x.safetensors"
    ours.write(path, arrays)
    read = ours.read(path)
    assert read.keys() == arrays.keys()
    for name, array in arrays.items():
        assert read[name].dtype == array.dtype
        np.testing.assert_array_equal(read[name], array)


def test_the_package_reads_ours_and_we_read_the_packages(tmp_path):
    tensors = {
        "input": np.arange(12, dtype=np.float32).reshape(3, 4),
        "signs": np.array([1, -1], np.int8),
        "empty": np.empty((0, 4), np.float32),
    }
    ours.write(tmp_path / "ours", tensors)
    safetensors.numpy.save_file(tensors, tmp_path / "theirs", {"family": "skipgram"})
    for read in (safetensors.numpy.load_file(tmp_path / "ours"), ours.read(tmp_path / "theirs")):
        assert read.keys() == tensors.keys()
        for name, array in tensors.items():
            np.testing.assert_array_equal(read[name], array)


def test_arrays_are_mapped_and_read_only(tmp_path):
    ours.write(tmp_path / "x", {"a": np.ones((4, 2), np.float32)})
    array = ours.read(tmp_path / "x")["a"]
    assert isinstance(array.base, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        array[0, 0] = 2


def test_a_file_is_free_once_its_arrays_are_gone(tmp_path):
    ours.write(tmp_path / "x", {"a": np.ones(4, np.float32)})
    array = ours.read(tmp_path / "x")["a"]
    assert array.sum() == 4
    del array
    gc.collect()
    (tmp_path / "x").replace(tmp_path / "y")  # fails on Windows while the file is mapped


def test_an_unaligned_tensor_is_copied(tmp_path):
    header = json.dumps({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    header += b" " * (1 - len(header) % 4)
    data = len(header).to_bytes(8, "little") + header + np.array([1, 2], "<f4").tobytes()
    (tmp_path / "x").write_bytes(data)
    array = ours.read(tmp_path / "x")["a"]
    assert array.flags.aligned
    assert array.tolist() == [1, 2]


def file_of(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x02\0\0",
        b"\xff" * 16,
        file_of(b"{]"),
        file_of(b"[1]"),
        file_of(b"[" * 100_000),
        file_of({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}, b"\0" * 7),
        file_of({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}, b"\0" * 9),
        file_of({"a": {"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}}, b"\0" * 8),
        file_of({"a": {"dtype": "F32", "shape": [-1, -2], "data_offsets": [0, 8]}}, b"\0" * 8),
        file_of({"a": {"dtype": "F32", "shape": [2.0], "data_offsets": [0, 8]}}, b"\0" * 8),
        file_of({"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}, b"\0" * 8),
        file_of({"a": {"dtype": "F32", "shape": [1]}}, b"\0" * 4),
    ],
)
def test_a_damaged_file_is_refused(tmp_path, content):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(FirthError, match="not a whole safetensors file"):
        ours.read(tmp_path / "x")


def test_an_unknown_type_is_named(tmp_path):
    header = {"a": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}
    (tmp_path / "x").write_bytes(file_of(header, b"\0" * 4))
    with pytest.raises(FirthError, match="tensor 'a' has the type BF16; known are F64"):
        ours.read(tmp_path / "x")
    with pytest.raises(FirthError, match="complex64"):
        ours.write(tmp_path / "y", {"a": np.ones(1, np.complex64)})
    assert not (tmp_path / "y").exists()


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FirthError, match=r"none\.safetensors cannot be read"):
        ours.read(tmp_path / "none.safetensors")


@pytest.mark.parametrize("n_at_most", [4, 5, 1000, 10**9])
def test_rows_are_written_as_they_come(tmp_path, n_at_most):
    array = np.arange(12, dtype=np.float32).reshape(4, 3)
    assert ours.write_rows(tmp_path / "x", "vectors", n_at_most, 3, iter([array[:3], array[3:]])) == 4
    for read in (safetensors.numpy.load_file(tmp_path / "x"), ours.read(tmp_path / "x")):
        np.testing.assert_array_equal(read["vectors"], array[np.newaxis])


def test_more_rows_than_there_is_room_for(tmp_path):
    with pytest.raises(FirthError, match="4 rows came, 3 at most were due"):
        ours.write_rows(tmp_path / "x", "vectors", 3, 1, iter([np.ones((4, 1), np.float32)]))
    assert list(tmp_path.iterdir()) == []


def test_arrays_in_any_order_of_memory_and_bytes(tmp_path):
    array = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    tensors = {"c": array, "f": np.asfortranarray(array), "part": array[:, 1:, ::2], "big": array.astype(">f4")}
    ours.write(tmp_path / "x", tensors | {"bytes": np.arange(3, dtype=np.int8), "one": np.float64(2).reshape(())})
    read = ours.read(tmp_path / "x")
    theirs = safetensors.numpy.load_file(tmp_path / "x")
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(read[name], tensor)
        np.testing.assert_array_equal(theirs[name], tensor)
    assert read["one"].shape == () == theirs["one"].shape
