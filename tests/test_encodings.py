import pytest
from test_layout import chinese, english

from firth.encodings import likeliest, most_ordinary, n_beyond_ascii, ordinariness, wide

CHINESE = "\n".join(chinese(20))
RUSSIAN = "Молоко стоит на столе, а хлеб лежит рядом с ним, и никто его не ест.\n" * 5
FRENCH = "Le père a été très étonné de voir où l'élève avait déjà posé la clé.\n" * 5
JAPANESE = "これは私の本ですが、あなたのものでもあります。そこにおいてください。\n" * 5


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (CHINESE, "gb18030"),
        ("這是我們的學校，我們在這裡學習國語。\n" * 5, "big5"),
        (JAPANESE, "shift_jis"),
        (RUSSIAN, "cp1251"),
        (FRENCH, "cp1252"),
        (CHINESE, "utf-16"),
    ],
)
def test_the_likeliest_encoding_of_what_is_no_utf8(text: str, encoding: str) -> None:
    data = text.encode(encoding)
    assert likeliest(data, "utf-8") == encoding
    assert likeliest(data[: len(data) // 2 + 1], "utf-8") == encoding  # it may end within a character


@pytest.mark.parametrize("asked", ["gb18030", "big5", "shift_jis", "ascii"])
def test_utf8_is_told_from_what_does_not_fit(asked: str) -> None:
    assert likeliest((CHINESE + RUSSIAN + FRENCH).encode(), asked) == "utf-8"


@pytest.mark.parametrize("data", [b"", b"\xff", CHINESE.encode() + b"\xff\xfe" * 5, bytes(range(128, 256)) * 9])
def test_broken_bytes_are_no_other_encoding(data: bytes) -> None:
    assert likeliest(data, "utf-8") is None


def test_two_bytes_a_character() -> None:
    text = "\n".join(english(3))
    assert wide(text.encode("utf-16")) == "utf-16"
    assert wide(text.encode("utf-16-le")) == "utf-16-le"
    assert wide(text.encode("utf-16-be")) == "utf-16-be"
    assert wide(text.encode()) is wide(b"a\0b and other text of one byte each") is wide(b"") is None


def test_text_in_its_own_encoding_is_ordinary() -> None:
    for text in (CHINESE, RUSSIAN, FRENCH, JAPANESE):
        assert ordinariness(text) > 0.5
        assert n_beyond_ascii(text) > 20
    assert ordinariness(RUSSIAN.encode("cp1251").decode("cp1252")) < ordinariness(RUSSIAN)
    assert ordinariness(FRENCH.encode().decode("cp1252")) < ordinariness(FRENCH)
    assert ordinariness("") == ordinariness("plain") == 0.0


def test_the_most_ordinary_reading() -> None:
    data = RUSSIAN.encode("cp1251")
    texts = {encoding: data.decode(encoding) for encoding in ("cp1252", "cp1251", "latin-1")}
    assert most_ordinary(texts) == "cp1251"
    assert most_ordinary({}) is most_ordinary({"cp1252": "plain"}) is None
