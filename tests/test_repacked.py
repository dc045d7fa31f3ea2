"""The same text in every container and encoding that is read, trained on from the command line: the same vectors."""

import bz2
import functools
import gzip
import io
import json
import lzma
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from test_containers import zstd

import firth
from firth import cli

pytestmark = pytest.mark.slow

SHARED = Path(os.environ.get("FIRTH_SHARED", Path(__file__).parents[2] / "shared"))
CORPORA = {"english": "en-wiki.txt.xz", "chinese": "zh-mixed.txt.xz"}
N_BYTES = 300_000
SETTINGS = {"dim": 12, "epochs": 1, "seed": 3, "threads": 1}
FAMILIES = {"skipgram": firth.Skipgram, "cbow": firth.CBOW}

Trained = dict[str, tuple[bytes, bytes]]  # by family: the vocabulary with its counts, and the vectors


@functools.cache
def text_of(language: str) -> str:
    """The beginning of a corpus, up to the end of a line."""
    path = SHARED / "data" / "corpora" / CORPORA[language]
    if not path.is_file():
        pytest.skip(f"there is no {path}; FIRTH_SHARED names the folder that holds data/corpora")
    with lzma.open(path) as file:
        text = file.read(N_BYTES).decode(errors="ignore")
    return text[: text.rindex("\n") + 1]


def documents_of(text: str) -> list[str]:
    return [document.strip("\n") for document in text.split("\n\n") if document.strip()]


def parts_of(text: str) -> list[str]:
    """The text in three files, each of whole lines."""
    lines = text.splitlines(keepends=True)
    third = len(lines) // 3
    return ["".join(part) for part in (lines[:third], lines[third : 2 * third], lines[2 * third :])]


# --- each writes the text into a folder, and returns what is given to `firth train` -----------------------


def one_file(name: str, packed: Callable[[bytes], bytes], *options: str) -> Callable[[str, Path], list[str]]:
    def pack(text: str, folder: Path) -> list[str]:
        (folder / name).write_bytes(packed(text.encode()))
        return [str(folder / name), *options]

    return pack


def in_encoding(encoding: str, *options: str) -> Callable[[str, Path], list[str]]:
    return one_file("text.txt", lambda utf8: utf8.decode().encode(encoding), *options)


def json_lines(text: str, folder: Path) -> list[str]:
    records = (json.dumps({"year": 1900, "body": document}) for document in documents_of(text))
    (folder / "text.jsonl").write_text("\n".join(records), encoding="utf-8")
    return [str(folder / "text.jsonl"), "--field", "body"]


def compressed_json_lines(text: str, folder: Path) -> list[str]:
    records = (json.dumps({"body": document}, ensure_ascii=False) + "\n" for document in documents_of(text))
    (folder / "text.jsonl.gz").write_bytes(gzip.compress("".join(records).encode()))
    return [str(folder / "text.jsonl.gz"), "--field", "body"]


def parquet(text: str, folder: Path) -> list[str]:
    documents = documents_of(text)
    table = pa.table({"year": [1900] * len(documents), "body": documents})
    pq.write_table(table, folder / "text.parquet", row_group_size=100)
    return [str(folder / "text.parquet"), "--field", "body"]


def in_folder(text: str, folder: Path) -> list[str]:
    for place, part in zip(("a/1.txt", "a/2.txt.gz", "b/3"), parts_of(text), strict=True):
        (folder / place).parent.mkdir(exist_ok=True)
        (folder / place).write_bytes(gzip.compress(part.encode()) if place.endswith(".gz") else part.encode())
    return [str(folder)]


def by_pattern(text: str, folder: Path) -> list[str]:
    for number, part in enumerate(parts_of(text)):
        (folder / f"part-{number}.md").write_text(part, encoding="utf-8", newline="")
    (folder / "other.txt").write_text("nothing of this is read", encoding="utf-8")
    return [str(folder / "part-*.md")]


def several(text: str, folder: Path) -> list[str]:
    first, second, third = parts_of(text)
    (folder / "first.txt").write_bytes(first.encode())
    (folder / "second.txt.bz2").write_bytes(bz2.compress(second.encode()))
    pq.write_table(pa.table({"text": documents_of(third)}), folder / "third.parquet")
    return [str(folder / name) for name in ("first.txt", "second.txt.bz2", "third.parquet")]


PACKINGS: dict[str, Callable[[str, Path], list[str]]] = {
    "gzip": one_file("text.txt.gz", gzip.compress),
    "gzip of two members": one_file("t.gz", lambda utf8: gzip.compress(utf8[:70_001]) + gzip.compress(utf8[70_001:])),
    "bzip2": one_file("text.txt.bz2", bz2.compress),
    "xz": one_file("text.txt.xz", lzma.compress),
    "zstd": one_file("text.txt.zst", zstd),
    "compressed, and not named so": one_file("text.txt", gzip.compress),
    "Windows line ends": one_file("text.txt", lambda utf8: utf8.replace(b"\n", b"\r\n")),
    "a byte-order mark": one_file("text.txt", lambda utf8: b"\xef\xbb\xbf" + utf8),
    "no line end at the end": one_file("text.txt", lambda utf8: utf8.rstrip(b"\n")),
    "utf-16": in_encoding("utf-16", "--encoding", "utf-16"),
    "utf-16-le": in_encoding("utf-16-le", "--encoding", "utf-16-le"),
    "utf-32": in_encoding("utf-32", "--encoding", "utf-32"),
    "gb18030": in_encoding("gb18030", "--encoding", "gb18030"),
    "gb18030, compressed": one_file(
        "text.txt.xz", lambda utf8: lzma.compress(utf8.decode().encode("gb18030")), "--encoding", "gb18030"
    ),
    "JSON lines": json_lines,
    "compressed JSON lines": compressed_json_lines,
    "Parquet": parquet,
    "a folder": in_folder,
    "a pattern": by_pattern,
    "several files": several,
}


@pytest.fixture(params=CORPORA)
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Trained]:
    """What a language's plain file gives."""

    @functools.cache
    def trained(language: str) -> Trained:
        folder = tmp_path_factory.mktemp(language)
        (folder / "plain.txt").write_bytes(text_of(language).encode())
        return trained_on([str(folder / "plain.txt")], folder)

    return trained


def trained_on(corpus: list[str], folder: Path) -> Trained:
    """What `firth train` makes of a corpus, and its options."""
    settings = [word for name, value in SETTINGS.items() for word in (f"--{name}", str(value))]
    results = {}
    for family in FAMILIES:
        output = folder / f"model-{family}"
        assert cli.main(["train", family, *corpus, "-o", str(output), *settings, "--quiet"]) == 0
        results[family] = files_of(output)
    return results


def files_of(model: Path) -> tuple[bytes, bytes]:
    return (model / "vocabulary.tsv").read_bytes(), (model / "vectors.safetensors").read_bytes()


def test_there_is_something_to_compare(plain: Callable[[str], Trained], language: str) -> None:
    vocabulary, vectors = plain(language)["skipgram"]
    assert vocabulary.count(b"\n") > 500
    assert vectors != plain(language)["cbow"][1]
    assert vocabulary == plain(language)["cbow"][0]


@pytest.mark.parametrize("packing", PACKINGS)
def test_a_packing_changes_nothing(
    plain: Callable[[str], Trained], tmp_path: Path, language: str, packing: str
) -> None:
    (tmp_path / "corpus").mkdir()
    corpus = PACKINGS[packing](text_of(language), tmp_path / "corpus")
    assert trained_on(corpus, tmp_path) == plain(language)


@pytest.mark.parametrize("packed", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_standard_input(
    plain: Callable[[str], Trained],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    language: str,
    packed: Callable[[bytes], bytes],
) -> None:
    settings = [word for name, value in SETTINGS.items() for word in (f"--{name}", str(value))]
    for family in FAMILIES:
        contents = io.BytesIO(packed(text_of(language).encode()))
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(contents, encoding="ascii"))
        assert cli.main(["train", family, "-", "-o", str(tmp_path / family), *settings, "--quiet"]) == 0
        assert files_of(tmp_path / family) == plain(language)[family]


def test_what_python_gives(plain: Callable[[str], Trained], tmp_path: Path, language: str) -> None:
    settings: dict[str, Any] = {name: value for name, value in SETTINGS.items() if name != "dim"}
    for name, family in FAMILIES.items():
        lines = (line + "\n" for line in text_of(language).split("\n"))
        firth.train(family(dim=SETTINGS["dim"]), lines, output=tmp_path / name, **settings)
        assert files_of(tmp_path / name) == plain(language)[name]
