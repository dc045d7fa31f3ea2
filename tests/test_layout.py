import importlib.metadata
import random
import re
import textwrap
from collections.abc import Iterator
from itertools import pairwise
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firth import demonstration, layout
from firth.segmentation import Segmentation

ENGLISH = """
    the of and to in was that his with for her from which their were have been this they river house garden winter
    morning letter window captain station evening mountain question something nothing between children
    remembered understood afternoon conversation government particular circumstances considerable
    """.split()  # noqa: SIM905 - a list of words is read as such
CHINESE = "我们今天在学校里看见一个老人他说话很慢可是每句话都有意思后来大家才知道那年冬天河水没有结冰船还能走到对岸去"
SONNET = """\
Shall I compare thee to a summer's day?
Thou art more lovely and more temperate:
Rough winds do shake the darling buds of May,
And summer's lease hath all too short a date:
Sometime too hot the eye of heaven shines,
And often is his gold complexion dimm'd;
And every fair from fair sometime declines,
By chance or nature's changing course untrimm'd;
But thy eternal summer shall not fade
Nor lose possession of that fair thou ow'st;
Nor shall death brag thou wander'st in his shade,
When in eternal lines to time thou grow'st:
So long as men can breathe or eyes can see,
So long lives this and this gives life to thee.

Let me not to the marriage of true minds
Admit impediments. Love is not love
Which alters when it alteration finds,
Or bends with the remover to remove:
O no! it is an ever-fixed mark
That looks on tempests and is never shaken;
It is the star to every wandering bark,
Whose worth's unknown, although his height be taken.
Love's not Time's fool, though rosy lips and cheeks
Within his bending sickle's compass come:
Love alters not with his brief hours and weeks,
But bears it out even to the edge of doom.
If this be error and upon me proved,
I never writ, nor no man ever loved.
"""


def english_sentence(rng: random.Random) -> str:
    words = rng.choices(ENGLISH, k=rng.randrange(4, 25))
    return " ".join(word + rng.choice(["", "", "", "", ","]) for word in words).rstrip(",").capitalize() + "."


def english(n_paragraphs: int = 60) -> list[str]:
    rng = random.Random(1)
    return [" ".join(english_sentence(rng) for _ in range(rng.randrange(2, 9))) for _ in range(n_paragraphs)]


def chinese_sentence(rng: random.Random) -> str:
    clauses = ["".join(rng.choices(CHINESE, k=rng.randrange(4, 15))) for _ in range(rng.randrange(1, 4))]
    return "，".join(clauses) + rng.choice("。。。？！")


def chinese(n_paragraphs: int = 60) -> list[str]:
    rng = random.Random(2)
    return ["".join(chinese_sentence(rng) for _ in range(rng.randrange(2, 9))) for _ in range(n_paragraphs)]


def wrapped_chinese(paragraph: str, width: int, indent: str = "") -> str:
    return "\n".join(re.findall(f".{{1,{width}}}", indent + paragraph))


def hyphenated(paragraph: str, width: int) -> str:
    """As a printer breaks lines: a long word is parted where it no longer fits."""
    lines, line = [], ""
    for word in paragraph.split():
        room = width - len(line) - 2
        if len(line) + 1 + len(word) <= width:
            line = f"{line} {word}".strip()
        elif len(word) > 7 and room > 3:
            place = min(room, len(word) - 3)
            lines.append(f"{line} {word[:place]}-")
            line = word[place:]
        else:
            lines.append(line)
            line = word
    return "\n".join([*lines, line])


def cut(text: str, places: list[int]) -> list[str]:
    edges = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    return [text[start:end] for start, end in pairwise(edges)]


def lines_of(
    text: str | list[str], kind: Literal["lines", "wrapped", "file"] = "wrapped", *, is_record: bool = False
) -> str:
    pieces = [text] if isinstance(text, str) else text
    return "".join(layout.lines(iter(pieces), layout=kind, is_record=is_record))


def sentences_of(text: str | list[str], lang: str = "en") -> str:
    return "".join(layout.sentences(iter([text] if isinstance(text, str) else text), lang))


def words(text: str) -> list[str]:
    return Segmentation(method="words", lower=False).words(text)


TEXTS = st.text(
    st.one_of(st.sampled_from("aB é.。!?“”」\n\n \t\u3000-\u00ad'0\u0301今天\U0001f600"), st.characters(codec="utf-8"))
)
PLACES = st.lists(st.integers(0, 1000), max_size=5)


class TestRecognition:
    @pytest.mark.parametrize("width", [40, 60, 72, 80, 100])
    @pytest.mark.parametrize("between", ["\n\n", "\n"])
    @pytest.mark.parametrize("indent", ["", "   "])
    def test_wrapped_english(self, width: int, between: str, indent: str) -> None:
        text = between.join(textwrap.fill(paragraph, width, initial_indent=indent) for paragraph in english())
        kind, reason = layout.recognised([text])
        assert kind == "wrapped"
        assert re.fullmatch(r"\d+% of the lines end in mid-sentence, \d+% of these after about \d+ characters", reason)

    @pytest.mark.parametrize("width", [20, 30, 40])
    @pytest.mark.parametrize(("between", "indent"), [("\n\n", ""), ("\n", "　　"), ("\n", "")])
    def test_wrapped_chinese(self, width: int, between: str, indent: str) -> None:
        text = between.join(wrapped_chinese(paragraph, width, indent) for paragraph in chinese())
        assert layout.recognised([text])[0] == "wrapped"

    def test_chinese_wrapped_at_a_column_with_latin_words_in_it(self) -> None:
        rng = random.Random(3)
        lines, line, columns = [], "", 0
        for char in "".join(chinese()):
            unit = char + rng.choice(["", "", "", "", "", "", "", "EP", "AKB48"])
            if columns + len(unit) + 1 > 70:
                lines.append(line)
                line, columns = "", 0
            line += unit
            columns += len(unit) + 1
        assert layout.recognised(["\n".join(lines)])[0] == "wrapped"

    def test_pages_with_hyphens_at_line_ends(self) -> None:
        text = "\n\n".join(hyphenated(paragraph, 58) for paragraph in english())
        assert text.count("-\n") > 30
        assert layout.recognised([text])[0] == "wrapped"

    def test_a_page_that_is_indented_as_a_whole(self) -> None:
        text = "\n\n".join(
            textwrap.fill(paragraph, 72, initial_indent="    ", subsequent_indent="    ") for paragraph in english()
        )
        assert layout.recognised([text])[0] == "wrapped"

    def test_letters_without_case(self) -> None:
        rng = random.Random(4)
        arabic = ["".join(rng.choices("ابتثجحخدرسشصعفقكلمنهوي", k=rng.randrange(2, 9))) for _ in range(3000)]
        assert layout.recognised([textwrap.fill(" ".join(arabic), 70)])[0] == "wrapped"
        lines = [" ".join(rng.choices(arabic, k=rng.randrange(3, 14))) for _ in range(500)]
        assert layout.recognised(["\n".join(lines)])[0] == "lines"

    @pytest.mark.parametrize(
        "name",
        ["paragraphs", "sentences", "bare sentences", "words", "short posts", "logs", "csv", "8 words a line"],
    )
    def test_lines_that_are_no_wrapped_text(self, name: str) -> None:
        rng = random.Random(5)
        some = [english_sentence(rng) for _ in range(500)]
        lines = {
            "paragraphs": english(300),
            "sentences": some,
            "bare sentences": [re.sub(r"[.,]", "", sentence).lower() for sentence in some],
            "words": ENGLISH * 20,
            "short posts": [" ".join(rng.choices(ENGLISH, k=rng.randrange(2, 24))) for _ in range(500)],
            "logs": [
                f"2024-01-{n % 28 + 1:02} 12:{n % 60:02} INFO request {n:05} served from cache" for n in range(500)
            ],
            "csv": [",".join(rng.choices(ENGLISH, k=9)) for _ in range(500)],
            "8 words a line": [" ".join(rng.choices(ENGLISH, k=8)) for _ in range(500)],
        }[name]
        assert layout.recognised(["\n".join(lines)]) == ("lines", "")
        assert layout.recognised(["\n\n".join(lines)]) == ("lines", "")

    @pytest.mark.parametrize("others", ["lines", "wrapped"])
    def test_a_file_among_others(self, others: Literal["lines", "wrapped"]) -> None:
        rng = random.Random(7)
        contents = "".join(f"Chapter {number}: {rng.choice(ENGLISH)} ...... {9 * number}\n" for number in range(200))
        pages = "\n\n".join(textwrap.fill(paragraph, 70) for paragraph in english())
        for beginning, expected in (
            (pages, "wrapped"),
            ("\n".join(english()), "lines"),
            ("\n\n".join(english()), "lines"),
            ("x" * 5000, "lines"),
            ("\n".join(english_sentence(rng) for _ in range(200)), "lines"),
            ("\n\n".join(chinese()), "lines"),
            (contents, others),
            (pages[:2000], others),
            ("", others),
        ):
            assert layout.of_file(beginning, others) == expected

    def test_poems(self) -> None:
        assert layout.recognised([SONNET * 10]) == ("lines", "")
        couplets = [f"{CHINESE[n : n + 7]}，{CHINESE[n + 8 : n + 15]}" for n in range(30)]  # 15 characters each
        assert layout.recognised(["\n".join(couplets)]) == ("lines", "")

    def test_chinese_a_sentence_a_line(self) -> None:
        rng = random.Random(6)
        lines = [chinese_sentence(rng) for _ in range(500)]
        assert layout.recognised(["\n".join(lines)]) == ("lines", "")
        assert layout.recognised(["\n".join(line[:-1] for line in lines)]) == ("lines", "")

    @pytest.mark.parametrize("samples", [[], [""], ["\n\n"], ["one line"], ["a b\n" * 5], ["...\n" * 100]])
    def test_too_little_to_tell(self, samples: list[str]) -> None:
        assert layout.recognised(samples) == ("lines", "")

    @given(samples=st.lists(TEXTS, max_size=3))
    def test_any_text_has_a_layout(self, samples: list[str]) -> None:
        assert layout.recognised([sample * 30 for sample in samples])[0] in ("lines", "wrapped")


class TestLines:
    def test_lines_stay_as_they_are(self) -> None:
        assert lines_of("a\n\n b-\nc", "lines") == "a\n\n b-\nc"

    def test_a_record_is_one_document(self) -> None:
        assert lines_of("\n\na\n \n\n b\nc\n", "lines", is_record=True) == "a\n b\nc\n\n"

    def test_a_file_is_one_document(self) -> None:
        assert lines_of(["\n", "a\n", "\n", " ", "\nb", " ", "c\n\n"], "file") == "a\nb c\n\n"

    @pytest.mark.parametrize("kind", ["wrapped", "file"])
    def test_nothing_to_see_is_no_document(self, kind: Literal["wrapped", "file"]) -> None:
        assert lines_of([], kind) == lines_of("", kind) == lines_of(["\n \n", "\t"], kind) == ""

    def test_an_empty_line_ends_a_paragraph(self) -> None:
        assert lines_of("The cat\nsat down.\n\n\nIt\nslept.\n") == "The cat sat down.\nIt slept.\n\n"

    @pytest.mark.parametrize(
        ("text", "joined"),
        [
            ("exam-\nple", "example"),
            ("exam\u2010\nple", "example"),
            ("exam\u00ad\nple", "example"),
            ("exam\u00ac\nple", "example"),
            ("ex\u00adample of\nit", "example of it"),
            ("Anglo-\nSaxon", "Anglo-Saxon"),
            ("in 1914-\n1918 or", "in 1914-1918 or"),
            ("a dash -\nthen more", "a dash - then more"),
            ("a dash --\nthen more", "a dash -- then more"),
            ("他今天\n走了。", "他今天走了。"),
            ("他说，\n“好”", "他说，“好”"),
            ("他用\nPython", "他用 Python"),
            ("東京の\nタワー", "東京のタワー"),
            ("한국어\n문장", "한국어 문장"),
        ],
    )
    def test_what_is_joined_how(self, text: str, joined: str) -> None:
        assert lines_of(text) == joined + "\n\n"

    @pytest.mark.parametrize(
        ("known", "text", "joined"),
        [
            ("a well-known man", "a well-\nknown one", "a well-known one"),
            ("a Well‐Known man", "a well-\nknown one", "a well-known one"),
            ("an example, then", "an “exam-\nple”", "an “example”"),
            ("the “example”", "an exam-\nple", "an example"),
            ("to an exam, in all", "an in-\nexam", "an inexam"),
            ("the second generation", "the (second-\ngeneration)", "the (second-generation)"),
            ("19th and century", "in 19th-\ncentury France", "in 19th-century France"),
            ("the generation", "second-gener-\nation", "second-generation"),
            ("a state of-the-art", "the state-\nof-the-art thing", "the stateof-the-art thing"),
            ("a state-of-the-art", "the state-\nof-the-art thing", "the state-of-the-art thing"),
            ("of an exam-\nple and exam-\nple", "of exam-\nple", "of example"),
        ],
    )
    def test_the_text_says_what_a_hyphen_is(self, known: str, text: str, joined: str) -> None:
        for whole in (f"{known}\n\n{text}", f"{text}\n\n{known}"):
            assert joined in lines_of(whole).split("\n")

    def test_hyphens_that_nothing_is_known_of_go_with_the_others(self) -> None:
        keeps = "well-known so-called\n\nwell-\nknown\n\nso-\ncalled\n\n"
        assert lines_of(keeps + "gun-\nhowitzer").endswith("\ngun-howitzer\n\n")
        parts = "example question\n\nexam-\nple\n\nques-\ntion\n\n"
        assert lines_of(parts + "gun-\nhowitzer").endswith("\ngunhowitzer\n\n")
        assert lines_of(keeps + parts + parts + "gun-\nhowitzer").endswith("\ngunhowitzer\n\n")

    def test_compounds_broken_at_their_own_hyphens_come_back(self) -> None:
        rng = random.Random(7)
        paragraphs = [
            " ".join(rng.choice(ENGLISH) + rng.choice(["", "", "-" + rng.choice(ENGLISH[20:])]) for _ in range(60))
            + "."
            for _ in range(200)
        ]
        text = "\n\n".join(textwrap.fill(paragraph, 60) for paragraph in paragraphs)
        assert text.count("-\n") > 100
        assert lines_of(text) == "\n".join(paragraphs) + "\n\n"

    def test_so_many_words_are_remembered(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(layout, "_AHEAD_CHARACTERS", 10)
        text = "one two three\n\na well-known man\n\nwell-\nknown"
        assert lines_of(text).endswith("well-known\n\n")
        monkeypatch.setattr(layout, "_WORDS_REMEMBERED", 3)
        assert lines_of(text).endswith("wellknown\n\n")

    @settings(max_examples=300)
    @given(
        text=st.lists(st.sampled_from(["well", "known", "wellknown", "a", "-", "-\n", "\n", " ", " \n "])).map("".join),
        places=PLACES,
        ahead=st.integers(1, 30),
    )
    def test_what_a_hyphen_is_does_not_hang_on_the_pieces(self, text: str, places: list[int], ahead: int) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(layout, "_AHEAD_CHARACTERS", ahead)
            assert lines_of(cut(text, places)) == lines_of(text)

    def test_an_indented_line_begins_a_paragraph(self) -> None:
        paragraphs = english()
        text = "\n".join(textwrap.fill(paragraph, 72, initial_indent="  ") for paragraph in paragraphs)
        assert lines_of(text) == "\n".join(paragraphs) + "\n\n"

    def test_indented_chinese_comes_back(self) -> None:
        paragraphs = chinese()
        text = "\n".join(wrapped_chinese(paragraph, 35, "　　") for paragraph in paragraphs)
        assert lines_of(text) == "\n".join(paragraphs) + "\n\n"

    def test_verse_among_prose_stays_verse(self) -> None:
        prose = textwrap.fill(english()[0], 72)
        assert f"\n{SONNET.splitlines()[0]}\n" in lines_of(f"{prose}\n\n{textwrap.indent(SONNET, '    ')}\n{prose}")

    @pytest.mark.parametrize("width", [45, 60, 72])
    def test_wrapped_paragraphs_come_back(self, width: int) -> None:
        paragraphs = english()
        assert lines_of("\n\n".join(textwrap.fill(p, width) for p in paragraphs)) == "\n".join(paragraphs) + "\n\n"
        assert lines_of("\n\n".join(hyphenated(p, width) for p in paragraphs)) == "\n".join(paragraphs) + "\n\n"

    def test_a_real_corpus_comes_back(self) -> None:
        try:
            importlib.metadata.distribution(demonstration.PACKAGE)
        except importlib.metadata.PackageNotFoundError:
            pytest.skip(f"{demonstration.PACKAGE} is not installed")
        texts = (" ".join(text.replace("\u00ad", "").split()) for text in list(demonstration.paragraphs())[:4000])
        paragraphs = [text for text in texts if text]
        text = "\n\n".join(textwrap.fill(p, 72, break_on_hyphens=False, break_long_words=False) for p in paragraphs)
        assert layout.recognised([text[:500_000]])[0] == "wrapped"
        assert layout.recognised(["\n".join(paragraphs)])[0] == "lines"
        found = set(lines_of(text).splitlines())
        assert sum(paragraph in found for paragraph in paragraphs) >= 0.995 * len(paragraphs)

    @settings(max_examples=300)
    @given(text=TEXTS, places=PLACES, kind=st.sampled_from(["lines", "wrapped", "file"]), is_record=st.booleans())
    def test_it_does_not_matter_where_pieces_were_cut(
        self, text: str, places: list[int], kind: Literal["lines", "wrapped", "file"], is_record: bool
    ) -> None:
        whole = lines_of(text, kind, is_record=is_record)
        assert lines_of(cut(text, places), kind, is_record=is_record) == whole
        if kind != "lines" or is_record:
            assert not any(line == "" or line.isspace() for line in whole.split("\n")[:-2])
            assert whole.endswith("\n\n") or not text.strip()

    def test_a_line_of_soft_hyphens_is_empty(self) -> None:
        assert lines_of("\u00ad") == ""
        assert lines_of("one\n\u00ad \u00ad\ntwo") == "one\ntwo\n\n"

    @settings(max_examples=300)
    @given(text=TEXTS)
    def test_words_stay(self, text: str) -> None:
        assert words(lines_of(text, "file")) == words(text)
        plain = re.sub("[-\u2010\u00ad\u00ac]", "", text)
        letters = "".join(words(plain))
        assert "".join(words(lines_of(plain))) == letters

    def test_a_very_long_line_streams(self) -> None:
        def texts() -> Iterator[str]:
            for _ in range(100):
                yield "wörd " * 10_000

        pieces = list(layout.lines(texts(), layout="wrapped", is_record=False))
        assert max(map(len, pieces)) < 1_200_000
        assert "".join(pieces).split() == ["wörd"] * 1_000_000
        assert "".join(pieces).count("\n") == 2

    def test_very_long_white_space_streams(self) -> None:
        pieces = list(layout.lines(iter(["a\n"] + [" " * 50_000] * 30 + ["b"]), layout="file", is_record=False))
        assert max(map(len, pieces)) < 200_000
        assert "".join(pieces).split() == ["a", "b"]


class TestSentences:
    @pytest.mark.parametrize(
        ("lang", "text", "found"),
        [
            ("en", "Mr. Smith is here. He sat.\nNext.", ["Mr. Smith is here.", "He sat.", "Next."]),
            ("de", "Am 3. Mai kam er. Dr. Müller ging.", ["Am 3. Mai kam er.", "Dr. Müller ging."]),
            ("zh", "今天好。明天呢？“好。”他说。", ["今天好。", "明天呢？", "“好。”", "他说。"]),
            ("hi", "मैं हूँ। तुम हो।", ["मैं हूँ।", "तुम हो।"]),
            ("ar", "مرحبا. كيف حالك؟ جيد.", ["مرحبا.", "كيف حالك؟", "جيد."]),
        ],
    )
    def test_sentences_become_lines(self, lang: str, text: str, found: list[str]) -> None:
        assert [line.strip() for line in sentences_of(text, lang).split("\n")] == found

    def test_empty_lines_stay(self) -> None:
        assert sentences_of("It rose. He ran.\n\n \nThen. \n\n") == "It rose. \nHe ran.\n\n \nThen. \n\n"

    @pytest.mark.parametrize("text", ["我用a.B好。", "3.14和2.5。", "l'été!a"])
    def test_no_sentence_ends_inside_a_word(self, text: str) -> None:
        for lang in ("zh", "en"):
            cut_words = Segmentation(method="words", inner=".'").words(sentences_of(text, lang))
            assert cut_words == Segmentation(method="words", inner=".'").words(text)

    @settings(max_examples=300)
    @given(text=TEXTS, places=PLACES, lang=st.sampled_from(["en", "zh", "de", "hi", "ja"]))
    def test_words_and_documents_stay_and_cuts_do_not_matter(self, text: str, places: list[int], lang: str) -> None:
        found = sentences_of(text, lang)
        assert sentences_of(cut(text, places), lang) == found
        assert found.replace("\n", "") == text.replace("\n", "")
        assert words(found) == words(text)
        assert [not line.strip() for line in found.split("\n")].count(True) == [
            not line.strip() for line in text.split("\n")
        ].count(True)

    @pytest.mark.parametrize(
        "text", ["a sentence here. " * 3000, "今天好。" * 9000, "x" * 50_000, " " * 50_000, "今" * 50_000]
    )
    def test_a_very_long_line(self, text: str) -> None:
        text = f"before.\n{text}\nafter. Then."
        found = sentences_of([text[start : start + 20_000] for start in range(0, len(text), 20_000)])
        assert found == sentences_of(text)
        assert found.replace("\n", "") == text.replace("\n", "")
        assert words(found) == words(text)
        empty = [line for line in found.split("\n") if not line.strip()]
        assert len(empty) == (not text[8:-13].strip())
        assert max(map(len, found.split("\n"))) < 40 or found.count("\n") == 3

    def test_a_sentence_of_many_windows_streams(self) -> None:
        pieces = list(layout.sentences(iter(["word " * 10_000] * 30), "en"))
        assert max(map(len, pieces)) < 200_000
        assert "".join(pieces) == "word " * 300_000

    @pytest.mark.parametrize("space", ["\u3000", "\u00a0", "\u2028", "\x85"])
    def test_wide_white_space_before_a_full_stop(self, space: str) -> None:
        assert sentences_of(f"A{space}. B c. D e.").replace("\n", "") == f"A{space}. B c. D e."

    def test_a_failure_of_the_splitter_costs_no_text(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class PanicException(BaseException):
            pass

        def segment(lang: str, line: str) -> list[str]:
            raise PanicException

        monkeypatch.setattr("sentencex.segment", segment)
        assert sentences_of("A b. C d.\nE.") == "A b. C d.\nE."


class TestLanguage:
    @pytest.mark.parametrize(
        ("lang", "text"),
        [
            ("en", "The river rose in the night and the bridge was gone by morning."),
            ("de", "Der Fluss stieg in der Nacht und die Brücke war am Morgen nicht mehr da."),
            ("fr", "La rivière est montée dans la nuit et le pont n'était plus là le matin."),
            ("es", "El río creció por la noche y el puente no estaba por la mañana, como los demás."),
            ("it", "Il fiume è cresciuto nella notte e il ponte non era più là, come gli altri della valle."),
            ("nl", "De rivier steeg in de nacht en de brug was er niet meer; dat werd ook het einde van het dorp."),
            ("pl", "Rzeka wezbrała w nocy i rano nie było już mostu, który stał tam od lat na tym samym miejscu."),
            ("tr", "Nehir gece yükseldi ve sabah bir köprü daha yoktu; bu çok kötü olarak anlatıldı."),
            ("fi", "Joki nousi yöllä ja silta oli poissa, mutta se ei ollut niin paha kuin luultiin."),
            ("vi", "Sông dâng lên trong đêm và cây cầu không còn là của những người đã được cứu."),
            ("ru", "Ночью река поднялась, и к утру моста уже не было на том месте, где он стоял."),
            ("uk", "Уночі річка піднялася, і до ранку мосту вже не було на тому місці, де він стояв."),
            ("zh", "夜里河水上涨，早上桥已经不见了。"),
            ("ja", "夜に川の水が増えて、朝には橋がなくなっていた。"),
            ("ko", "밤에 강물이 불어나 아침에는 다리가 없어졌다."),
            ("th", "แม่น้ำสูงขึ้นในเวลากลางคืน"),
            ("ar", "ارتفع النهر في الليل ولم يكن الجسر موجودا في الصباح من هذا العام."),
            ("fa", "رودخانه در شب بالا آمد و پل را برد که از سال پیش بود."),
            ("he", "הנהר עלה בלילה והגשר נעלם בבוקר."),
            ("hi", "रात में नदी बढ़ गई और सुबह पुल नहीं था।"),
            ("el", "Το ποτάμι ανέβηκε τη νύχτα."),
        ],
    )
    def test_languages(self, lang: str, text: str) -> None:
        assert layout.language([text]) == lang

    @pytest.mark.parametrize("samples", [[], [""], ["123 456"], ["xyzzy plugh"], ["ⵣⵣⵣ"]])
    def test_what_is_not_known_goes_by_english_rules(self, samples: list[str]) -> None:
        assert layout.language(samples) == "en"
