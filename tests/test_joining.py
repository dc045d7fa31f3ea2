"""An encoded corpus with its phrases joined is the corpus that the joined text would be."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firth import corpus as corpora
from firth import joining
from firth.errors import FirthError
from firth.phrases import MOST_BETWEEN, Phrase, Phrases
from firth.preparation import Preparation
from firth.tokens import EncodedCorpus, JoinedPhrases, encode

Line = list[str]

CONNECTORS = ("o", "t")
letters = st.sampled_from("abcot")
lines = st.lists(st.lists(letters, max_size=8), max_size=8).filter(any)  # an empty one ends a document
ends = st.sampled_from("abc")
phrases_of_pass = st.builds(
    lambda first, between, last, number: Phrase((first, *between, last), pass_number=number),
    ends | st.sampled_from(["a_b", "b_o_a"]),
    st.lists(st.sampled_from(CONNECTORS), max_size=2),
    ends | st.sampled_from(["a_b", "c_c", "d"]),
    st.integers(1, 3),
)
phrases = st.builds(
    lambda entries: Phrases(entries=tuple(entries), connector_words=CONNECTORS), st.lists(phrases_of_pass, max_size=12)
)


def encoded(folder: Path, text: list[Line], **options: int) -> EncodedCorpus:
    preparation = Preparation(**options)  # type: ignore[arg-type]
    return encode(corpora.read(iter(text), preparation), None, folder, preparation=preparation)


def words(store: EncodedCorpus) -> list[Line]:
    starts = [0, *store.line_ends.tolist()]
    return [
        [store.types[type_id] for type_id in store.type_ids[start:end]]
        for start, end in zip(starts, store.line_ends, strict=False)
    ]


@settings(max_examples=50)
@given(at_once=st.sampled_from([1, 2, 3, 1 << 20]), text=lines, value=phrases)
def test_as_if_the_text_were_joined(
    tmp_path_factory: pytest.TempPathFactory, at_once: int, text: list[Line], value: Phrases
) -> None:
    folder = tmp_path_factory.mktemp("joined")
    preparation = Preparation(phrases=Path("phrases.tsv"))
    with pytest.MonkeyPatch.context() as patch, encoded(folder / "plain", text) as plain:
        patch.setattr(joining, "TOKENS_AT_ONCE", at_once)
        patch.setattr(joining, "_IDS_AT_ONCE", at_once)
        found = joining.join(plain, value, folder / "found", preparation=preparation)
    with found, encoded(folder / "due", [value.join(line) for line in text]) as due:
        assert words(found) == words(due)
        assert found.fingerprint == due.fingerprint
        assert found.counts.tolist() == due.counts.tolist()
        assert (found.n_lines, found.n_documents) == (due.n_lines, due.n_documents)
        assert (found.segmentation.phrases, found.preparation) == (value, preparation)
        assert found.segmentation.words(" ".join(text[0])) == value.join(text[0])


def test_what_was_joined_is_told(tmp_path: Path) -> None:
    value = Phrases(entries=(Phrase(("a", "b")), Phrase(("b", "a")), Phrase(("a_b", "c"), pass_number=2)))
    with encoded(tmp_path / "plain", [["a", "b", "c", "b"], ["a", "b"]]) as plain:
        with joining.join(plain, value, tmp_path / "found", preparation=Preparation()) as found:
            assert words(found) == [["a_b_c", "b"], ["a_b"]]
            assert found.joined == JoinedPhrases(3, 2, 2)
            assert "phrases: 2 of 3 were met, 2 times (66.67% of the words that there are now)" in found.remarks
        with joining.join(
            plain, Phrases(entries=(Phrase(("A", "B")),)), tmp_path / "none", preparation=Preparation()
        ) as found:
            assert (found.fingerprint, found.joined) == (plain.fingerprint, JoinedPhrases(1, 0, 0))
            assert found.remarks[-1].startswith("none of the 1 phrases was met: their words must be those of the text")


def test_a_phrase_that_is_spelt_like_a_word_is_that_word(tmp_path: Path) -> None:
    value = Phrases(entries=(Phrase(("a", "b")),))
    with (
        encoded(tmp_path / "plain", [["a_b", "a", "b"]]) as plain,
        joining.join(plain, value, tmp_path / "found", preparation=Preparation()) as found,
    ):
        assert (list(found.types), found.counts.tolist()) == (["a_b"], [2])


def test_pruned_types_stay_the_last_one(tmp_path: Path) -> None:
    text = [["a", "b", "a", "b"], *([f"x{number}"] for number in range(9)), ["a", "b"], ["a", "b", "x0", "a"]]
    value = Phrases(entries=(Phrase(("a", "b")),))
    with (
        encoded(tmp_path / "plain", text, max_types=4) as plain,
        joining.join(plain, value, tmp_path / "found", preparation=plain.preparation) as found,
    ):
        assert found.types[-1] == plain.types[-1] == ""
        assert found.n_pruned_tokens == plain.n_pruned_tokens == found.counts[-1]
        assert words(found) == [value.join(line) for line in words(plain)]


@pytest.mark.parametrize("n_between", [MOST_BETWEEN, MOST_BETWEEN + 1])
def test_so_many_connector_words_and_no_more(tmp_path: Path, n_between: int) -> None:
    longest = Phrases(entries=(Phrase(("a", *["o"] * MOST_BETWEEN, "b")),), connector_words=CONNECTORS)
    text = [["a", *["o"] * n_between, "b"]]
    with (
        encoded(tmp_path / "plain", text) as plain,
        joining.join(plain, longest, tmp_path / "found", preparation=Preparation()) as found,
    ):
        assert words(found) == [longest.join(text[0])]
        assert found.n_tokens == (1 if n_between == MOST_BETWEEN else n_between + 2)


def test_documents_keep_what_is_kept_with_them(tmp_path: Path) -> None:
    path = tmp_path / "text.jsonl"
    path.write_text('{"text": "a b c", "year": 1900}\n{"text": "b a b", "year": 1950}\n', encoding="utf-8")
    preparation = Preparation(keep=("year",))
    value = Phrases(entries=(Phrase(("a", "b")),))
    with (
        encode(corpora.read(path, preparation), None, tmp_path / "plain", preparation=preparation) as plain,
        joining.join(plain, value, tmp_path / "found", preparation=preparation) as found,
    ):
        assert list(found.kept()) == list(plain.kept()) == [("1900",), ("1950",)]
        assert found.document_ends.tolist() == [1, 2]


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        encoded(tmp_path / "plain", [["a", "b"]]) as plain,
        pytest.raises(FirthError, match="cannot write the encoded"),
    ):
        joining.join(plain, Phrases(entries=()), tmp_path / "file" / "found", preparation=Preparation())


def test_slots_are_found_however_many_share_a_place() -> None:
    keys = np.array([[number + 1, number] for number in range(1000)], np.uint64)
    slots = joining.slots_for(len(keys))
    joining._enter(keys, slots)
    places = [joining.place_of(slots, np.uint64(key), np.uint64(0)) for key in range(1, 1101)]
    assert [int(slots[place, 1]) for place in places[:1000]] == list(range(1000))
    assert all(slots[place, 0] == joining.EMPTY for place in places[1000:])
