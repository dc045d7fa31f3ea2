"""The model's directory: what is refused, and that nothing is lost."""

import errno
import json
import os
import signal

import numpy as np
import pytest

import firth
from firth.files import appearing, interrupt, printable, replacing, uninterrupted

FAMILY = firth.Skipgram(dim=8, window=3, block=8, noise_pool=4, min_count=1, sample=0.0)


@pytest.fixture
def saved(tmp_path):
    model = firth.train(FAMILY, ["one two three", "two three one"] * 5, epochs=1, threads=1)
    model.save(tmp_path / "model")
    return tmp_path / "model"


def test_the_directory_holds_what_the_design_says(saved):
    assert sorted(path.name for path in saved.iterdir()) == [
        "firth.json",
        "log.jsonl",
        "vectors.safetensors",
        "vocabulary.tsv",
    ]
    description = json.loads((saved / "firth.json").read_text(encoding="utf-8"))
    assert description["family"]["name"] == "skipgram"
    assert description["family"]["dim"] == 8
    assert description["segmentation"]["method"] == "words"
    assert description["seed"] == 1
    assert len(description["corpus"]["fingerprint"]) == 32
    assert {"python", "firth", "numpy", "numba"} == set(description["versions"])
    assert (saved / "vocabulary.tsv").read_text(encoding="utf-8") == "one\t10\nthree\t10\ntwo\t10\n"


def test_tables_are_mapped_not_read(saved):
    table = firth.load(saved).table()
    assert not table.flags.writeable
    assert not table.flags.owndata


def test_vectors_of_a_model_and_of_its_directory_are_the_same(saved):
    np.testing.assert_array_equal(firth.Vectors.load(saved).array, firth.load(saved).vectors.array)


def test_a_missing_model_is_named(tmp_path):
    with pytest.raises(firth.FirthError, match="no such directory"):
        firth.load(tmp_path / "nothing")
    with pytest.raises(firth.FirthError, match=r"without firth\.json"):
        firth.load(tmp_path)


def test_what_is_no_model_is_told_apart(saved, tmp_path):
    firth.load(saved).vectors.save(tmp_path / "vectors")
    with pytest.raises(firth.FirthError, match="vectors alone"):
        firth.load(tmp_path / "vectors")
    firth.convert(saved, tmp_path / "vectors.txt")
    with pytest.raises(firth.FirthError, match="is a file"):
        firth.load(tmp_path / "vectors.txt")
    (tmp_path / "old.kv").write_bytes(b"\x80\x04\x95")
    with pytest.raises(firth.FirthError, match="save_word2vec_format"):
        firth.load(tmp_path / "old.kv")


def test_a_full_disk_is_an_error_of_ours(saved, monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("firth.formats.safetensors.replacing", full)
    with pytest.raises(firth.FirthError, match="No space left"):
        firth.load(saved).save(saved, overwrite=True)
    monkeypatch.undo()
    assert len(firth.load(saved).vocabulary) == 3


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("firth.json", "{", "not a whole model"),
        ("firth.json", "[]", "not a whole model"),
        ("firth.json", '{"format": 2}', "newer firth"),
        ("firth.json", '{"format": 1, "family": {"name": "fasttext"}}', "family 'fasttext'"),
        ("firth.json", '{"format": 1, "family": {"name": "cbow", "x": 1}}', "no hyperparameter x"),
        ("vocabulary.tsv", "one\t10\n", "not a whole model"),
        ("vectors.safetensors", "", "safetensors"),
        ("log.jsonl", "{", "not a whole model"),
    ],
)
def test_a_damaged_model_is_refused(saved, file, content, message):
    (saved / file).write_text(content, encoding="utf-8")
    with pytest.raises(firth.FirthError, match=message):
        firth.load(saved)


def test_saving_needs_a_free_place(saved):
    model = firth.load(saved)
    with pytest.raises(firth.UsageError, match="exists"):
        model.save(saved)
    model.save(saved, overwrite=True)
    assert firth.load(saved).family == FAMILY


def test_a_directory_appears_whole_or_not_at_all(tmp_path):
    (tmp_path / "place").mkdir()
    (tmp_path / "place" / "old").touch()

    def break_off():
        with appearing(tmp_path / "place") as folder:
            (folder / "new").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        break_off()
    assert [path.name for path in (tmp_path / "place").iterdir()] == ["old"]
    (tmp_path / "place" / "firth.json").touch()
    with appearing(tmp_path / "place") as folder:
        (folder / "new").touch()
    assert sorted(path.name for path in (tmp_path / "place").iterdir()) == ["new", "old"]  # old is not ours
    assert [path.name for path in tmp_path.iterdir()] == ["place"]


def test_a_rename_that_fails_brings_the_old_directory_back(tmp_path, monkeypatch):
    (tmp_path / "place").mkdir()
    (tmp_path / "place" / "old").touch()
    replace, calls = os.replace, []

    def fail_second(source, target):
        calls.append(target)
        if len(calls) == 2:
            raise OSError("disk trouble")
        replace(source, target)

    monkeypatch.setattr("os.replace", fail_second)
    with pytest.raises(OSError, match="disk trouble"), appearing(tmp_path / "place"):
        pass
    assert [path.name for path in (tmp_path / "place").iterdir()] == ["old"]


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="no signal can be sent to a thread here")
def test_signals_that_end_the_work_wait_for_what_must_not_be_interrupted():
    done = []

    def work(number):
        with uninterrupted(), uninterrupted():
            signal.raise_signal(number)
            done.append(number)

    with pytest.raises(KeyboardInterrupt):
        work(signal.SIGINT)
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            work(signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) is interrupt
    finally:
        signal.signal(signal.SIGTERM, lambda *_: done.append("theirs"))
    work(signal.SIGTERM)  # a handler that is not ours is left alone
    signal.signal(signal.SIGTERM, before)
    assert done == [signal.SIGINT, signal.SIGTERM, "theirs", signal.SIGTERM]


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    (tmp_path / "file").write_text("old")

    def break_off():
        with replacing(tmp_path / "file") as file:
            file.write("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        break_off()
    assert (tmp_path / "file").read_text() == "old"
    with replacing(tmp_path / "file") as file:
        file.write("new\n")
    assert (tmp_path / "file").read_bytes() == b"new\n"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_control_characters_are_shown_as_codes():
    assert printable("\x1b[31mred\u202e [/b] 开心 می\u200cروم") == "\\u{1b}[31mred\\u{202e} [/b] 开心 می\u200cروم"
