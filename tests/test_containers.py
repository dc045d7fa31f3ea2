import bz2
import gzip
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from firth.errors import FirthError
from firth.preparation import Preparation
from firth.sources import Sources, find


def found(sources: Any, **options: Any) -> Sources:
    result = find(sources, Preparation(**options))
    assert isinstance(result, Sources)
    return result


def texts_of(sources: Any, **options: Any) -> list[str]:
    return ["".join(unit.texts) for unit in found(sources, **options).units()]


def kept_of(sources: Any, **options: Any) -> list[tuple[str, tuple[str | None, ...]]]:
    return [("".join(unit.texts), unit.kept) for unit in found(sources, **options).units()]


def written(folder: Path, contents: bytes | bytearray | str, name: str = "corpus.txt") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(contents.encode() if isinstance(contents, str) else contents)
    return path


def zstd(contents: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(contents)
    result: bytes = sink.getvalue().to_pybytes()
    return result


COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstd,
}


class TestCompression:
    @pytest.mark.parametrize("suffix", COMPRESSIONS)
    def test_it_is_known_by_the_first_bytes(self, tmp_path: Path, suffix: str) -> None:
        text = "今天好\n" * 100_000
        packed = COMPRESSIONS[suffix](text.encode())
        for name in (f"a.txt.{suffix}", "misnamed.txt"):
            sources = found(written(tmp_path, packed, name))
            assert ["".join(unit.texts) for unit in sources.units()] == [text]
            assert sources.done_bytes == sources.total_bytes == len(packed)

    @pytest.mark.parametrize("suffix", COMPRESSIONS)
    def test_members_one_behind_the_other(self, tmp_path: Path, suffix: str) -> None:
        pack = COMPRESSIONS[suffix]
        packed = b"".join(pack(part) for part in (b"one\n" * 50_000, b"", b"two\n"))
        assert texts_of(written(tmp_path, packed)) == ["one\n" * 50_000 + "two\n"]

    def test_streams_padded_with_zeros(self, tmp_path: Path) -> None:
        packed = lzma.compress(b"one\n") + bytes(8) + lzma.compress(b"two\n") + bytes(4)
        assert texts_of(written(tmp_path, packed)) == ["one\ntwo\n"]

    @pytest.mark.parametrize("suffix", COMPRESSIONS)
    def test_one_that_is_cut_short_or_goes_on_otherwise(self, tmp_path: Path, suffix: str) -> None:
        text = bytes(np.random.default_rng(0).integers(97, 122, 300_000, dtype=np.uint8))
        packed = COMPRESSIONS[suffix](text)
        for contents in (packed[:150_000], packed[:-3], packed[:20], packed + b"rubbish", packed + packed[:40]):
            path = written(tmp_path, contents, "a.txt." + suffix)
            with pytest.raises(FirthError, match=rf"a\.txt\.{suffix} is compressed by \w+, but damaged or cut short"):
                texts_of(path)

    @pytest.mark.parametrize("suffix", ["gz", "bz2", "xz"])  # zstd's checksum is optional
    def test_one_that_is_damaged(self, tmp_path: Path, suffix: str) -> None:
        packed = bytearray(COMPRESSIONS[suffix](b"".join(b"%d\n" % number for number in range(100_000))))
        packed[len(packed) // 2] ^= 0xFF
        with pytest.raises(FirthError, match=r"damaged or cut short|not valid utf-8|NUL byte"):
            texts_of(written(tmp_path, packed))

    def test_a_damaged_file_is_met_while_sampling(self, tmp_path: Path) -> None:
        path = written(tmp_path, gzip.compress(b"text\n" * 1000)[:30])
        with pytest.raises(FirthError, match="cut short"):
            found(path).samples()

    def test_twice(self, tmp_path: Path) -> None:
        with pytest.raises(FirthError, match="is bzip2 inside gzip"):
            texts_of(written(tmp_path, gzip.compress(bz2.compress(b"a"))))

    def test_one_with_too_large_a_window(self, tmp_path: Path) -> None:
        frame = b"\x28\xb5\x2f\xfd" + bytes([0, 21 << 3]) + b"\x19\0\0abc"  # 2 GiB, as by zstd --long=31
        assert texts_of(written(tmp_path, frame.replace(bytes([21 << 3]), b"\0"))) == ["abc"]
        with pytest.raises(FirthError, match=r"a\.zst is compressed by zstd with a larger window.*zstd -d --long=31"):
            texts_of(written(tmp_path, frame, "a.zst"))

    def test_an_archive_in_it(self, tmp_path: Path) -> None:
        path = tmp_path / "books.tar.gz"
        with tarfile.open(path, "w:gz") as archive:
            archive.add(written(tmp_path, "text", "a.txt"), "a.txt")
        with pytest.raises(FirthError, match=r"books\.tar\.gz is a tar archive, not text; unpack it"):
            texts_of(path)


class TestBinaryFiles:
    @pytest.mark.parametrize(
        ("contents", "kind"),
        [
            (b"%PDF-1.7\n%\xe2\xe3", "a PDF document.*pdftotext"),
            (b"SQLite format 3\0" + bytes(80), "an SQLite database"),
            (b"\x89PNG\r\n\x1a\n" + bytes(80), "a picture"),
            (b"\xff\xd8\xff\xe0\x00\x10JFIF", "a picture"),
            (b"7z\xbc\xaf\x27\x1c" + bytes(80), "a 7-Zip archive.*unpack"),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(80), "an Office document"),
            (b"\x04\x22\x4d\x18" + bytes(80), "compressed by lz4"),
        ],
    )
    def test_they_are_told_by_their_kind_before_anything_is_read(
        self, tmp_path: Path, contents: bytes, kind: str
    ) -> None:
        with pytest.raises(FirthError, match=rf"corpus\.txt is {kind}"):
            found(written(tmp_path, contents))

    @pytest.mark.parametrize(
        ("entry", "contents", "kind"),
        [
            ("a.txt", "text", "a zip archive"),
            ("[Content_Types].xml", "<xml>", "an Office document"),
            ("mimetype", "application/epub+zip", "an EPUB book"),
            ("mimetype", "application/vnd.oasis.opendocument.text", "an OpenDocument file"),
        ],
    )
    def test_what_lies_in_a_zip_archive(self, tmp_path: Path, entry: str, contents: str, kind: str) -> None:
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            archive.writestr(entry, contents)
        with pytest.raises(FirthError, match=rf"a\.zip is {kind}"):
            found(tmp_path / "a.zip")

    def test_a_tar_archive(self, tmp_path: Path) -> None:
        with tarfile.open(tmp_path / "a.tar", "w") as archive:
            archive.add(written(tmp_path, "text", "a.txt"), "a.txt")
        with pytest.raises(FirthError, match=r"a\.tar is a tar archive"):
            found(tmp_path / "a.tar")

    def test_one_of_no_known_kind(self, tmp_path: Path) -> None:
        with pytest.raises(FirthError, match=r"NUL byte|not valid utf-8"):
            texts_of(written(tmp_path, np.random.default_rng(0).bytes(5000)))
