from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firth.errors import FirthError
from firth.userwords import UserWord, UserWords, read_user_words


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "words.txt"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


class TestFiles:
    @pytest.mark.parametrize("mark", ["", "\ufeff"])
    @pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
    def test_a_file(self, tmp_path: Path, mark: str, newline: str) -> None:
        lines = ["创新办 3 i", "云计算 5", "凱特琳 nz", "台中", "", "  八一双鹿\t9  "]
        words = read_user_words(written(tmp_path, mark + newline.join(lines)))
        assert words.entries == (
            ("创新办", 3, "i"),
            ("云计算", 5, ""),
            ("凱特琳", None, "nz"),
            ("台中", None, ""),
            ("八一双鹿", 9, ""),
        )

    @given(
        entries=st.lists(
            st.tuples(
                st.text(st.characters(codec="utf-8", exclude_categories=["Z", "C"]), min_size=1),
                st.none() | st.integers(0, 10**12),
                st.text("abcxyz", max_size=3),
            ),
            min_size=1,
        )
    )
    def test_what_is_written_is_read(self, tmp_path_factory: pytest.TempPathFactory, entries: list[Any]) -> None:
        path = tmp_path_factory.mktemp("words") / "words.txt"
        UserWords(tuple(UserWord(*entry) for entry in entries)).write(path)
        assert list(read_user_words(path).entries) == entries

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("台中\n云 计 算\n\n创新办 -3\n", "line 2: '云 计 算' is no word with .*; nor are lines 4"),
            ("台中 3 n x", "line 1"),
            ("台中 3.5", "line 1"),
            ("台中 9999999999999", "line 1"),
            ("\n \n", "no words in it"),
            (b"\xe5\x8f\xb0\n\xff", r"line 2: no UTF-8 \(invalid start byte\)"),
        ],
    )
    def test_files_that_are_no_such(self, tmp_path: Path, text: str | bytes, message: str) -> None:
        with pytest.raises(FirthError, match=f"words.txt.*{message}"):
            read_user_words(written(tmp_path, text))

    def test_a_file_that_is_missing(self, tmp_path: Path) -> None:
        with pytest.raises(FirthError, match=r"cannot read the user words in .*nowhere\.txt: No such file"):
            read_user_words(tmp_path / "nowhere.txt")


class TestSettings:
    def test_they_come_back(self) -> None:
        words = UserWords((UserWord("创新办"), UserWord("云计算", 5, "n")))
        settings = words.settings()
        assert settings["words"] == [["创新办", None, ""], ["云计算", 5, "n"]]
        again = UserWords.from_settings(settings)
        assert again == words
        assert again.entries == words.entries

    def test_words_that_differ_in_anything_are_others(self) -> None:
        words = [(UserWord("创新办"),), (UserWord("创新办", 5),), (UserWord("创新办", 5, "n"),), (UserWord("台中"),)]
        assert len({UserWords(entries).hash for entries in words}) == len(words)

    def test_words_that_were_changed(self) -> None:
        settings = UserWords((UserWord("创新办"),)).settings()
        settings["words"][0][1] = 7
        with pytest.raises(FirthError, match="their hash differs"):
            UserWords.from_settings(settings)

    @pytest.mark.parametrize("settings", [{}, {"words": 1, "hash": ""}, {"words": [["a", 1, "", ""]], "hash": ""}, "x"])
    def test_settings_of_no_words(self, settings: Any) -> None:
        with pytest.raises(FirthError, match="no user words are described"):
            UserWords.from_settings(settings)
