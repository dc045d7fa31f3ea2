"""A file of phrases, what is kept of them, and how words are joined by them."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from firth.errors import FirthError, UsageError
from firth.phrases import CONNECTOR_WORDS, MOST_BETWEEN, Phrase, Phrases, check_output

OF_THE = ("of", "the")

words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=6)


@st.composite
def phrases(draw: st.DrawFn, spelling: st.SearchStrategy[str] = words) -> Phrases:
    connectors = draw(st.lists(spelling, max_size=3, unique=True))
    ends = spelling.filter(lambda word: word not in connectors)
    between = st.lists(st.sampled_from(connectors), max_size=3) if connectors else st.just([])
    spelt = st.builds(lambda first, inner, last: (first, *inner, last), ends, between, ends)
    scores = st.none() | st.floats(allow_nan=False)
    phrase = st.builds(Phrase, spelt, st.none() | st.integers(0, 2**70), scores, st.integers(1, 4))
    return Phrases(
        entries=tuple(draw(st.lists(phrase, min_size=1, max_size=6))),
        connector_words=tuple(connectors),
        delimiter=draw(st.sampled_from(["_", "", "-", "__", "·"])),
        about=draw(st.dictionaries(st.sampled_from(["scoring", "pruned_pairs"]), st.sampled_from(["", "5", "a b"]))),
    )


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "phrases.tsv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


class TestFiles:
    @pytest.mark.parametrize("mark", ["", "\ufeff"])
    @pytest.mark.parametrize("newline", ["\n", "\r\n"])
    def test_a_file(self, tmp_path: Path, mark: str, newline: str) -> None:
        lines = [
            *("#firth-phrases\t1", "#connector_words\tof the", "#delimiter\t-", "# a remark", "#another", ""),
            *(
                "new york\t12\t3.5\t1",
                "bank of the america",
                "new-york times\t\t\t2",
                "los angeles\t7",
                "\\#1 hit",
                "  ",
            ),
        ]
        read = Phrases.read(written(tmp_path, mark + newline.join(lines)))
        assert read.entries == (
            Phrase(("new", "york"), 12, 3.5, 1),
            Phrase(("bank", "of", "the", "america")),
            Phrase(("new-york", "times"), pass_number=2),
            Phrase(("los", "angeles"), 7),
            Phrase(("#1", "hit")),
        )
        assert (read.delimiter, read.connector_words, read.n_passes, len(read)) == ("-", OF_THE, 2, 5)

    def test_two_words_a_line_are_enough(self, tmp_path: Path) -> None:
        read = Phrases.read(written(tmp_path, "new york\nmachine learning"))
        assert read.join(["new", "york", "machine", "learning"]) == ["new_york", "machine_learning"]

    @given(phrases())
    @example(
        Phrases(entries=(Phrase(("#a", "b\\"), 3, 0.1), Phrase(("\\#", "\\s \t\n\r")), Phrase(("\x85", "\u2028"))))
    )
    def test_what_is_written_is_read(self, tmp_path_factory: pytest.TempPathFactory, value: Phrases) -> None:
        path = tmp_path_factory.mktemp("phrases") / "phrases.tsv"
        value.write(path)
        read = Phrases.read(path)
        assert read == value
        assert (read.entries, read.connector_words, read.about) == (value.entries, value.connector_words, value.about)

    @given(st.binary(max_size=60) | st.text(st.sampled_from("ab# \t\\0123456789.\n\r"), max_size=60).map(str.encode))
    def test_any_file_is_read_or_refused_with_its_name(
        self, tmp_path_factory: pytest.TempPathFactory, data: bytes
    ) -> None:
        path = written(tmp_path_factory.mktemp("phrases"), data)
        try:
            found = Phrases.read(path)
        except FirthError as refused:
            found, message = None, str(refused)
        assert "phrases.tsv" in message if found is None else len(found) > 0

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("new york\nyork\n\na  b", "line 2: 'york' is no phrase: it takes two words or more.*; nor are lines 4"),
            ("a  b", "line 1: 'a  b' is no phrase: a word of it is empty"),
            ("new york city", "line 1: .*'york' stands between its words and is none of the #connector_words; longer"),
            ("#connector_words\tof\nof york", "line 2: .* begins or ends with a connector word"),
            ("#connector_words\tof\nbank of", "line 2: .* begins or ends with a connector word"),
            ("new york\tmany", "line 1: .* frequency, score and pass are numbers"),
            ("new york\t-5", "line 1"),
            ("new york\t5\tnan", "line 1"),
            ("new york\t5\t1\t0", "line 1: .* its pass is none of 1 to 100"),
            ("new york\t5\t1\t101", "line 1: .* its pass is none of 1 to 100"),
            ("new york\t5\t1\t1\tmore", "line 1"),
            ("#connector_words\t" + "of\nbank" + MOST_BETWEEN * " of" + " of a", "line 2: .* more than 16 words"),
            ("#Names\t1\nnew york", r"line 1: '#Names\\u\{9\}1' is no setting"),
            ("#delimiter\t_ _\nnew york", "delimiter is '_ _'; white space"),
            ("#firth-phrases\t2\nnew york", "was written by a newer firth"),
            ("# nothing\n", "no phrases in it; write one a line"),
            (b"new york\n\xff", r"line 2: no UTF-8 \(invalid start byte\)"),
        ],
    )
    def test_files_that_are_no_such(self, tmp_path: Path, text: str | bytes, message: str) -> None:
        with pytest.raises(FirthError, match=f"phrases.tsv.*{message}"):
            Phrases.read(written(tmp_path, text))

    def test_a_file_that_is_missing(self, tmp_path: Path) -> None:
        with pytest.raises(FirthError, match=r"cannot read the phrases in .*nowhere\.tsv: No such file"):
            Phrases.read(tmp_path / "nowhere.tsv")

    def test_nothing_is_left_of_a_file_that_cannot_be_written(self, tmp_path: Path) -> None:
        before = written(tmp_path, "new york\n")
        with pytest.raises(FirthError, match="no valid text"):
            Phrases(entries=(Phrase(("\ud800", "a")),)).write(before)
        assert [path.read_text() for path in tmp_path.iterdir()] == ["new york\n"]
        with pytest.raises(FirthError, match="cannot be written to"):
            Phrases(entries=(Phrase(("a", "b")),)).write(before / "phrases.tsv")


class TestOutput:
    @pytest.mark.parametrize(
        "text", ["", "new york\n", "#firth-phrases\t1\n# a remark\nnew york\t5\n", "new york\n" * 9000]
    )
    def test_phrases_are_replaced_where_told(self, tmp_path: Path, text: str) -> None:
        path = written(tmp_path, text)
        check_output(path, overwrite=True)
        with pytest.raises(UsageError, match=r"exists; choose another place, or overwrite it"):
            check_output(path, overwrite=False)

    @pytest.mark.parametrize(
        "text", ["all my words\n", b"\x80\x03", "word\n" * 20000, "new york " * 9000, "#\n", "new york\n\nnew\n"]
    )
    def test_other_files_are_not(self, tmp_path: Path, text: str | bytes) -> None:
        with pytest.raises(UsageError, match="is no file of phrases; it is not overwritten"):
            check_output(written(tmp_path, text), overwrite=True)

    def test_a_place_that_cannot_be_written_is_told_before(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(FirthError, match="cannot be written"):
            check_output(tmp_path / "file" / "phrases.tsv", overwrite=False)
        check_output(tmp_path / "folder" / "phrases.tsv", overwrite=False)
        with pytest.raises(UsageError, match="is no file of phrases"):
            check_output(tmp_path / "folder", overwrite=True)


class TestSettings:
    @given(phrases())
    def test_they_come_back(self, value: Phrases) -> None:
        again = Phrases.from_settings(json.loads(json.dumps(value.settings())))
        assert again == value
        assert hash(again) == hash(value)
        assert {(entry.words, entry.pass_number) for entry in again.entries} == {
            (entry.words, entry.pass_number) for entry in value.entries
        }

    def test_what_joins_otherwise_is_another_value(self) -> None:
        entries = (Phrase(("a", "b"), 1, 2.0),)
        values = [
            Phrases(entries=entries),
            Phrases(entries=entries, delimiter="-"),
            Phrases(entries=entries, connector_words=("of",)),
            Phrases(entries=(Phrase(("a", "b"), 1, 2.0, 2),)),
            Phrases(entries=(*entries, Phrase(("b", "a")))),
        ]
        assert len({value.hash for value in values}) == len(set(values)) == len(values)

    def test_counts_scores_and_order_change_nothing(self) -> None:
        one = Phrases(entries=(Phrase(("a", "b"), 1, 2.0), Phrase(("c", "d"))), connector_words=("of", "the"))
        other = Phrases(entries=(Phrase(("c", "d"), 7), Phrase(("a", "b"))), connector_words=("the", "of", "of"))
        assert one == other

    def test_phrases_that_were_changed(self) -> None:
        settings = Phrases(entries=(Phrase(("a", "b")),)).settings()
        settings["passes"] = ["a c"]
        with pytest.raises(FirthError, match="their hash differs"):
            Phrases.from_settings(settings)

    @pytest.mark.parametrize(
        "settings",
        [{}, {"hash": "", "delimiter": "_", "connector_words": [], "passes": [1]}, "x", {"passes": ["a"]},
         {"hash": "", "delimiter": " ", "connector_words": [], "passes": ["a b"]}],
    )  # fmt: skip
    def test_settings_of_no_phrases(self, settings: Any) -> None:
        with pytest.raises(FirthError, match="no phrases are described"):
            Phrases.from_settings(settings)


class TestJoin:
    @pytest.mark.parametrize(
        ("line", "joined"),
        [
            ("in new york", "in new_york"),
            ("new york new york times", "new_york new_york_times"),
            ("new new york", "new new_york"),
            ("york new", "york new"),
            ("a b c", "a_b c"),
            ("bank of the america", "bank_of_the_america"),
            ("bank of america", "bank of america"),
            ("bank the of america", "bank the of america"),
            ("of bank of the america of", "of bank_of_the_america of"),
            ("", ""),
        ],
    )
    def test_from_left_to_right(self, line: str, joined: str) -> None:
        value = Phrases(
            entries=(
                Phrase(("new", "york")),
                Phrase(("a", "b")),
                Phrase(("b", "c")),
                Phrase(("bank", "of", "the", "america")),
                Phrase(("new_york", "times"), pass_number=2),
            ),
            connector_words=OF_THE,
        )
        assert value.join(line.split()) == joined.split()

    def test_where_each_word_ends(self) -> None:
        value = Phrases(
            entries=(Phrase(("a", "b")), Phrase(("a_b", "of", "c"), pass_number=2)), connector_words=("of",)
        )
        assert value.joined(["x", "a", "b", "of", "c", "a", "b"]) == (["x", "a_b_of_c", "a_b"], [1, 5, 7])

    def test_so_many_connector_words_and_no_more(self) -> None:
        of = ("of",) * MOST_BETWEEN
        value = Phrases(
            entries=(Phrase(("a", *of, "b")), Phrase(("of", "b"), pass_number=2))[:1], connector_words=("of",)
        )
        assert value.join(["a", *of, "b"]) == ["_".join(("a", *of, "b"))]
        assert value.join(["a", *of, "of", "b"]) == ["a", *of, "of", "b"]

    def test_words_become_as_they_are_written_in_the_text(self) -> None:
        value = Phrases(
            entries=(
                Phrase(("New", "York"), 5),
                Phrase(("new", "york")),
                Phrase(("Bank", "OF", "A\nB")),
                Phrase(("-", "A")),
            ),
            connector_words=("OF",),
        )
        found = value.normalized(lambda text: text.lower().replace("-", ""))
        assert found.entries == (Phrase(("new", "york"), 5), Phrase(("bank", "of", "A\nB")))
        assert found.connector_words == ("of",)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (Phrase(("a",)), "two words or more"),
        (Phrase(("a", "")), "empty"),
        (Phrase(("of", "a")), "begins or ends"),
        (Phrase(("a", "b"), pass_number=0), "pass"),
    ],
)
def test_what_is_no_phrase_is_refused(entry: Phrase, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Phrases(entries=(entry,), connector_words=("of",))


def test_the_english_connector_words_are_gensims() -> None:
    theirs = pytest.importorskip("gensim.models.phrases").ENGLISH_CONNECTOR_WORDS
    assert set(CONNECTOR_WORDS["en"].split()) == set(theirs)
    assert all(listed.split() == sorted(set(listed.split())) for listed in CONNECTOR_WORDS.values())
