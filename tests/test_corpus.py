import json
import re
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_containers import COMPRESSIONS
from test_layout import chinese

from firth import corpus as corpora
from firth import stretches
from firth.errors import FirthError, UsageError
from firth.preparation import Preparation
from firth.segmentation import Segmentation, choose


def text_of(
    sources: Any,
    *,
    splits_sentences: bool = False,
    block_characters: int = corpora.BLOCK_CHARACTERS,
    layout: Any = "lines",
    **options: Any,
) -> str:
    corpus = corpora.read(
        sources,
        Preparation(layout=layout, **options),
        splits_sentences=splits_sentences,
        block_characters=block_characters,
    )
    return "".join(corpus.blocks())  # type: ignore[arg-type]


def written(folder: Path, contents: bytes | str, name: str = "corpus.txt") -> Path:
    path = folder / name
    path.write_bytes(contents.encode() if isinstance(contents, str) else contents)
    return path


@contextmanager
def stretches_of(n_characters: int) -> Iterator[None]:
    """A block in which lines are cut into stretches of so many characters."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stretches, "LONGEST", n_characters)
        yield


def json_lines(records: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def kept_documents(corpus: corpora.Corpus) -> list[tuple[str, tuple[str | None, ...]]]:
    """The documents of a corpus with what is kept of each."""
    text = "".join(corpus.blocks())  # type: ignore[arg-type]
    documents = []
    kept: tuple[str | None, ...] = ()
    lines: list[str] = []
    for number, line in enumerate(text.split("\n")):
        if not line:
            documents.append(("\n".join(lines), kept))
            lines = []
        while corpus.kept and corpus.kept[0][0] <= number + (not line):
            kept = corpus.kept.popleft()[1]
        if line:
            lines.append(line)
    return [document for document in documents if document[0]]


WORDS = re.findall(
    r"\w+", "When thou walkest through a wood where birds sing and rivers run, be not afraid of any shadow."
)


def wrapped(n_paragraphs: int) -> str:
    """Paragraphs of prose, hard-wrapped as in books."""
    rng = np.random.default_rng(0)
    paragraphs = (" ".join(rng.choice(WORDS, 60)).capitalize() + "." for _ in range(n_paragraphs))
    return "\n\n".join(textwrap.fill(paragraph, 70) for paragraph in paragraphs) + "\n"


class TestDocuments:
    def test_the_end_of_a_file_ends_a_line_and_a_document(self, tmp_path: Path) -> None:
        paths = [written(tmp_path, b"a b\nc", "1.txt"), written(tmp_path, b"d\n", "2.txt")]
        assert text_of(paths) == "a b\nc\n\nd\n\n"

    def test_an_empty_file_is_no_document(self, tmp_path: Path) -> None:
        paths = [written(tmp_path, b"", "1.txt"), written(tmp_path, b"d", "2.txt")]
        assert text_of(paths) == "\nd\n\n"

    def test_every_record_is_one_document_whatever_it_holds(self, tmp_path: Path) -> None:
        texts = ["a\nb", "c\n\n\nd\n", "\n\ne\r\n\r\nf", None, "g"]
        for path in (
            written(tmp_path, json_lines([{"text": text} for text in texts]), "a.jsonl"),
            tmp_path / "a.parquet",
        ):
            pq.write_table(pa.table({"text": texts}), tmp_path / "a.parquet")
            assert text_of(path) == text_of(path, layout="file") == "a\nb\n\nc\nd\n\ne\nf\n\ng\n\n"

    def test_a_file_may_be_one_document(self, tmp_path: Path) -> None:
        paths = [written(tmp_path, b"a\n\nb", "1.txt"), written(tmp_path, b"c\n\n\n", "2.txt")]
        assert text_of(paths, layout="file") == "a\nb\n\nc\n\n"

    def test_bytes_are_counted(self, tmp_path: Path) -> None:
        corpus = corpora.read(written(tmp_path, "北京\n".encode() * 100), block_characters=30)
        assert corpus.total_bytes == 700
        assert len(list(corpus.blocks())) > 5
        assert corpus.done_bytes == 700

    def test_identity_and_faults_are_those_of_the_files(self, tmp_path: Path) -> None:
        corpus = corpora.read(written(tmp_path, b"a\xffb"), Preparation(encoding_errors="skip"))
        identity = corpus.identity()
        assert identity is not None
        assert identity[0][:2] == [str((tmp_path / "corpus.txt").resolve()), 3]
        list(corpus.blocks())
        assert corpus.faults.invalid.total() == 1


class TestBlocks:
    def test_a_block_ends_behind_a_line(self) -> None:
        blocks = list(corpora.read(["ab", "cd", "ef"], block_characters=7).blocks())
        assert blocks == ["ab\ncd\n", "ef\n\n"]

    def test_a_line_up_to_a_stretch_is_whole(self) -> None:
        with stretches_of(10):
            blocks = list(corpora.read(["ab", "cdefghi", "j"], block_characters=3).blocks())
        assert blocks == ["ab\n", "cdefghi\n", "j\n\n"]

    def test_a_very_long_line_passes(self, tmp_path: Path) -> None:
        path = written(tmp_path, b"word " * 200_000)
        blocks = list(corpora.read(path).blocks())
        assert len(blocks) > 5
        assert all(str(block).endswith(("word ", "\n")) for block in blocks)
        assert "".join(map(str, blocks)) == "word " * 200_000 + "\n\n"

    @pytest.mark.parametrize("text", ["x", " ", "今", "今。", "हि", "-", "\u0301"])
    def test_a_very_long_line_of_anything_passes_in_pieces(self, text: str) -> None:
        blocks = list(corpora.read([text * 300_000], Preparation(layout="lines")).blocks())
        assert "".join(map(str, blocks)) == text * 300_000 + "\n\n"
        assert max(map(len, blocks)) <= stretches.LONGEST

    @given(lines=st.lists(st.text("ab \n", max_size=8)), block_characters=st.integers(1, 30))
    def test_blocks_together_are_the_text(self, lines: list[str], block_characters: int) -> None:
        assert text_of(iter(lines), block_characters=block_characters) == text_of(iter(lines))


class TestStreams:
    def test_an_empty_string_ends_a_document(self) -> None:
        assert text_of(["a", "", "b\n", "c\r\nd"]) == "a\n\nb\nc\nd\n\n"

    def test_an_open_file_is_a_stream_of_its_lines(self, tmp_path: Path) -> None:
        with written(tmp_path, b"a\n\nb").open() as file:
            assert text_of(file) == "a\n\nb\n\n"

    def test_a_generator_is_read_once_and_its_sample_not_lost(self) -> None:
        def lines() -> Iterator[str]:
            for number in range(100_000):
                yield f"line {number} of many"

        corpus = corpora.read(lines(), block_characters=1000)
        assert corpus.sample().startswith("line 0 of many\nline 1 of many\n")
        text = "".join(map(str, corpus.blocks()))
        assert text == "".join(f"line {number} of many\n" for number in range(100_000)) + "\n"
        assert corpus.total_bytes is None
        assert corpus.identity() is None

    def test_ready_words_stay_as_they_are(self) -> None:
        corpus = corpora.read([["New York", "Is"], (5, 6.5), np.array([7]), [], iter(["x"])])
        assert corpus.has_ready_words
        assert list(corpus.blocks()) == [[["New York", "Is"], ["5", "6.5"], ["7"], [], ["x"], []]]
        assert (corpus.layout, corpus.sample(), corpus.identity(), corpus.kept_names) == ("lines", "", None, ())

    def test_ready_words_come_in_blocks(self) -> None:
        blocks = list(corpora.read([["ab"]] * 10, block_characters=9).blocks())
        assert blocks == [[["ab"]] * 3] * 3 + [[["ab"], []]]

    def test_ready_words_have_no_lines_or_sentences_to_find(self) -> None:
        for options in ({"sentences": "split"}, {"layout": "wrapped"}, {"layout": "file"}):
            with pytest.raises(UsageError, match="ready words"):
                corpora.read([["a"]], Preparation(**options))  # type: ignore[arg-type]
        assert not corpora.read([["a"]], splits_sentences=True).splits_sentences

    def test_nothing_at_all(self) -> None:
        assert text_of([]) == text_of([], layout="auto") == "\n"


class TestLayout:
    def test_wrapped_text_is_recognised_said_and_unwrapped(self, tmp_path: Path) -> None:
        corpus = corpora.read(written(tmp_path, wrapped(200)))
        assert corpus.layout == "wrapped"
        assert corpus.layout_reason
        lines = "".join(map(str, corpus.blocks())).split("\n")
        assert [len(line.split()) for line in lines] == [60] * 200 + [0, 0]

    def test_a_line_a_paragraph_is_the_ordinary(self, tmp_path: Path) -> None:
        corpus = corpora.read(written(tmp_path, "A paragraph. It goes on.\nAnother one.\n" * 100))
        assert (corpus.layout, corpus.layout_reason) == ("lines", "")

    def test_what_is_asked_for_is_not_looked_at(self, tmp_path: Path) -> None:
        corpus = corpora.read(written(tmp_path, wrapped(200)), Preparation(layout="lines"))
        assert (corpus.layout, corpus.layout_reason) == ("lines", "")
        assert "".join(map(str, corpus.blocks())) == wrapped(200) + "\n"

    @pytest.mark.parametrize("most", ["wrapped", "lines"])
    def test_a_folder_may_mix_wrapped_files_and_others(self, tmp_path: Path, most: str) -> None:
        paragraphs = "".join(f"Paragraph {number} is whole. It has its own line.\n" for number in range(200))
        written(tmp_path, wrapped(200 if most == "wrapped" else 40), "book.txt")
        written(tmp_path, paragraphs * (1 if most == "wrapped" else 9), "lines.txt")
        written(tmp_path, "too short to tell\n", "short.txt")
        corpus = corpora.read(tmp_path)
        assert corpus.layout == most
        text = "".join(map(str, corpus.blocks()))
        book, rest = text.split("\n\n", 1)
        assert {len(line.split()) for line in book.split("\n")} == {60}
        assert rest.startswith(paragraphs)
        n_wrapped = 2 if most == "wrapped" else 1
        assert corpus.layout_reason == f"{n_wrapped} of 3 files are hard-wrapped: their lines were joined"
        assert "".join(map(str, corpus.blocks())) == text  # it can be read again
        assert corpus.layout_reason.startswith(f"{n_wrapped} of 3 ")

    def test_what_is_asked_for_holds_for_every_file(self, tmp_path: Path) -> None:
        written(tmp_path, wrapped(40), "1.txt")
        written(tmp_path, "A paragraph. It goes on.\n" * 200, "2.txt")
        corpus = corpora.read(tmp_path, Preparation(layout="lines"))
        assert "".join(map(str, corpus.blocks())) == wrapped(40) + "\n" + "A paragraph. It goes on.\n" * 200 + "\n"
        assert corpus.layout_reason == ""

    def test_wrapped_records(self, tmp_path: Path) -> None:
        path = written(tmp_path, json_lines([{"text": wrapped(200)}, {"text": "b"}]), "a.jsonl")
        lines = text_of(path, layout="auto").split("\n")
        assert len(lines) == 200 + 2 + 2
        assert lines[-3] == "b"


class TestSentences:
    TEXT = "It is. It was!\nMr. Li came.\n\n今天好。明天？"

    def test_every_sentence_becomes_a_line(self, tmp_path: Path) -> None:
        path = written(tmp_path, self.TEXT)
        text = text_of(path, sentences="split", lang="en")
        assert re.sub(" +\n", "\n", text) == "It is.\nIt was!\nMr. Li came.\n\n今天好。\n明天？\n\n"

    @pytest.mark.parametrize(
        ("asked", "needed", "splits"),
        [("auto", False, False), ("auto", True, True), ("lines", True, False), ("split", False, True)],
    )
    def test_it_is_asked_for_or_needed(self, tmp_path: Path, asked: Any, needed: bool, splits: bool) -> None:
        path = written(tmp_path, self.TEXT)
        corpus = corpora.read(path, Preparation(sentences=asked, layout="lines"), splits_sentences=needed)
        assert corpus.splits_sentences == splits
        n_lines = "".join(map(str, corpus.blocks())).count("\n")
        assert n_lines == (7 if splits else 5)

    def test_the_language_is_asked_for_or_found(self, tmp_path: Path) -> None:
        path = written(tmp_path, "今天好，我们去公园。\n" * 50)
        assert corpora.read(path).lang == "zh"
        assert corpora.read(path, Preparation(lang="ja")).lang == "ja"
        assert corpora.read([["a"]]).lang == ""


class TestKept:
    @pytest.mark.parametrize("block_characters", [1, 5, 1 << 16])
    @pytest.mark.parametrize("splits_sentences", [False, True])
    @pytest.mark.parametrize("layout", ["lines", "wrapped", "file"])
    def test_every_document_knows_its_values(
        self, tmp_path: Path, block_characters: int, splits_sentences: bool, layout: Any
    ) -> None:
        records = [{"text": f"one {number}. Two\n\n\nthree.", "n": number // 2} for number in range(20)]
        written(tmp_path, json_lines(records), "1990.jsonl")
        written(tmp_path, "four\n\nfive", "1991.txt")
        preparation = Preparation(keep=("n",), keep_from_name=r"(?P<year>\d{4})\.", layout=layout)
        corpus = corpora.read(
            tmp_path, preparation, splits_sentences=splits_sentences, block_characters=block_characters
        )
        assert corpus.kept_names == ("n", "year")
        for _ in range(2):  # it can be read again
            documents = kept_documents(corpus)
            kept = [values for _, values in documents]
            n_last = 2 if layout == "lines" else 1
            assert kept == [(str(number // 2), "1990") for number in range(20)] + [(None, "1991")] * n_last
            assert all(f"one {number}" in text for number, (text, _) in enumerate(documents[:20]))

    def test_equal_values_are_told_once(self, tmp_path: Path) -> None:
        records = [{"text": "a", "n": number // 50} for number in range(100)]
        corpus = corpora.read(written(tmp_path, json_lines(records), "a.jsonl"), Preparation(keep=("n",)))
        list(corpus.blocks())
        assert list(corpus.kept) == [(0, ("0",)), (100, ("1",))]

    def test_where_nothing_is_kept_there_is_nothing(self, tmp_path: Path) -> None:
        corpus = corpora.read(written(tmp_path, b"a"))
        list(corpus.blocks())
        assert corpus.kept_names == ()
        assert not corpus.kept


class TestSamples:
    def test_a_small_file_is_its_own_sample(self, tmp_path: Path) -> None:
        corpus = corpora.read(written(tmp_path, "今天\n好\n"))
        assert corpus.samples() == ["今天\n好\n"]
        assert corpus.sample() == "今天\n好\n"

    def test_a_sample_is_spread_over_all_files(self, tmp_path: Path) -> None:
        paths = [written(tmp_path, char.encode() * 3_000_000, f"{char}.txt") for char in "abc"]
        sample = corpora.read(paths).sample()
        assert set(sample) == set("abc\n")
        assert len(sample) < 2_000_000


class TestBadInput:
    def test_a_missing_path(self, tmp_path: Path) -> None:
        with pytest.raises(FirthError, match=r"there is no file .*nothing\.txt.*list of strings"):
            corpora.read(str(tmp_path / "nothing.txt"))

    def test_invalid_bytes(self, tmp_path: Path) -> None:
        with pytest.raises(FirthError, match=r"corpus\.txt, line 3: byte 0xbd at offset 13 is not valid utf-8"):
            text_of(written(tmp_path, b"good\nso good\n" + "今天".encode("gb18030")))

    def test_a_file_that_grows_while_it_is_read(self, tmp_path: Path) -> None:
        path = written(tmp_path, b"a line\n" * 200_000)
        blocks = corpora.read(path).blocks()
        next(blocks)
        with path.open("ab") as file:
            file.write(b"more")
        with pytest.raises(FirthError, match="changed or vanished"):
            list(blocks)

    @pytest.mark.parametrize("sources", [5, b"bytes", None])
    def test_no_corpus_at_all(self, sources: Any) -> None:
        with pytest.raises(UsageError, match="a corpus is a path"):
            corpora.read(sources)

    @pytest.mark.parametrize("items", [["text", ["words"]], [["words"], "text"], [["words"], 5], [[b"x"], b"x"]])
    def test_items_of_two_kinds(self, items: list[Any]) -> None:
        with pytest.raises(FirthError, match="item 2 of the corpus"):
            list(corpora.read(iter(items), Preparation(layout="lines")).blocks())

    @pytest.mark.parametrize("items", [["fine", "\ud800"], [["fine"], ["a", "\ud800"]]])
    def test_surrogates(self, items: list[Any]) -> None:
        with pytest.raises(FirthError, match="item 2 of the corpus is no valid text"):
            list(corpora.read(items, Preparation(layout="lines")).blocks())


def line_words(texts: list[str], segmentation: Segmentation) -> list[list[str]]:
    """The words of the lines that have some."""
    return [words for text in texts for line in text.split("\n") if (words := segmentation.words(line))]


def words_by_block(corpus: corpora.Corpus, segmentation: Segmentation) -> list[list[str]]:
    """The same from the blocks of a corpus, where a line may go on in the next block."""
    lines: list[list[str]] = [[]]
    for block in corpus.blocks():
        for number, line in enumerate(str(block).split("\n")):
            if number:
                lines.append([])
            lines[-1] += segmentation.words(line)
    return [words for words in lines if words]


def words_read(sources: Any, **options: Any) -> tuple[list[list[str]], str, Segmentation]:
    """The words of the lines, the layout, and the segmentation that training would choose for this corpus."""
    preparation = Preparation(**options)
    corpus = corpora.read(sources, preparation)
    segmentation, _, _ = choose(corpus.sample(), preparation)
    return words_by_block(corpus, segmentation), corpus.layout, segmentation


# No word is as long as the smallest block below, so that none of them need be cut.
WORD = st.text(st.characters(categories=["Lu", "Ll", "Lo", "Mn", "Mc", "Nd"]), min_size=1, max_size=6)
GAP = st.sampled_from([" ", "\n", "\n\n", "\t", ". ", "。", "，", "-", "\u3000", "…", "！", "(", "”"])
PROSE = st.lists(st.tuples(WORD, GAP), max_size=30).map(lambda pairs: "".join(word + gap for word, gap in pairs))
# One sentence of each of these would be cut by rjieba otherwise if it were parted anywhere.
CHINESE = st.lists(
    st.sampled_from(["北京大学生活", "创新办主任", "他在云计算中心做工", "今天好开心", "研究生命起源", "café"]),
    max_size=20,
).map(lambda sentences: "，".join(sentences) + "。")
UNSPACED = st.text("今天好𠮷かなカﾞไทยบ้านกำແລະကောင်းខ្មែរᄀ\u1161\u11a8葛\U000e0100e\u0301\u200d", max_size=200)
ANY = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
CHUNK_BYTES = st.sampled_from([1, 5, 1 << 16])
LONG_TEXTS = {  # that a layout and a segmentation are recognised in
    "": "",
    "hard-wrapped": wrapped(20),
    "Chinese": "今天天气很好，我们去北京大学图书馆看书。他们在研究生命的起源。\n" * 30,
    "segmented Chinese": "今天 天气 很 好 ， 我们 去 北京大学 图书馆 看书 。\n" * 30,
    "split English": "The cat , which sat there , was gone . Nobody knew why .\n" * 30,
    "Thai": "ภาษาไทยเป็นภาษาที่มีระดับเสียงของคำแน่นอน\n" * 30,
}
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-7", "gb18030"]
CONTAINERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    **{f".{name}": pack for name, pack in COMPRESSIONS.items()},
}


class TestAnyText:
    @given(text=PROSE, block_characters=st.integers(24, 60), chunk_bytes=CHUNK_BYTES)
    def test_words_do_not_depend_on_how_a_file_is_cut(
        self, tmp_path_factory: pytest.TempPathFactory, text: str, block_characters: int, chunk_bytes: int
    ) -> None:
        self.check_cuts(
            tmp_path_factory, text, block_characters, chunk_bytes, Segmentation(method="words", lower=False)
        )

    @pytest.mark.parametrize("between", ["", " "])
    def test_a_chinese_line_longer_than_a_block_is_cut_into_the_same_words(self, between: str) -> None:
        line = between.join(chinese(2000))
        assert len(line) > 2 * stretches.LONGEST
        segmentation = Segmentation(method="chinese")
        words = segmentation.words(line)
        assert words_by_block(corpora.read([line]), segmentation) == [words]
        spaced = " ".join(words)  # its words stand apart already
        assert words_by_block(corpora.read([spaced]), segmentation) == [segmentation.words(spaced)]

    @given(text=CHINESE, block_characters=st.integers(24, 60), chunk_bytes=CHUNK_BYTES)
    def test_nor_do_those_that_rjieba_finds(
        self, tmp_path_factory: pytest.TempPathFactory, text: str, block_characters: int, chunk_bytes: int
    ) -> None:
        self.check_cuts(tmp_path_factory, text, block_characters, chunk_bytes, Segmentation(method="chinese"))

    @given(
        text=UNSPACED,
        block_characters=st.integers(24, 60),
        chunk_bytes=CHUNK_BYTES,
        form=st.sampled_from(["NFC", "NFKC"]),
    )
    def test_nor_do_characters_with_their_marks(
        self,
        tmp_path_factory: pytest.TempPathFactory,
        text: str,
        block_characters: int,
        chunk_bytes: int,
        form: Literal["NFC", "NFKC"],
    ) -> None:
        segmentation = Segmentation(method="characters", unicode_form=form)
        self.check_cuts(tmp_path_factory, text, block_characters, chunk_bytes, segmentation)

    @given(
        pieces=st.lists(
            st.tuples(
                st.sampled_from(["北京大学生活", "创新办主任", "今天好开心", "研究生命起源", "café", "ok"]),
                st.sampled_from(["，", "。", " ", "", "\n"]),
                st.booleans(),
            ),
            max_size=40,
        ),
        block_characters=st.integers(1, 200),
        chunk_bytes=CHUNK_BYTES,
    )
    def test_nor_where_a_long_line_is_segmented_in_some_places_only(
        self,
        tmp_path_factory: pytest.TempPathFactory,
        pieces: list[tuple[str, str, bool]],
        block_characters: int,
        chunk_bytes: int,
    ) -> None:
        text = "".join((" ".join(piece) if is_spaced else piece) + end for piece, end, is_spaced in pieces)
        path = written(tmp_path_factory.mktemp("mixed"), text)
        segmentation = Segmentation(method="chinese")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(stretches, "LONGEST", 30)
            patch.setattr("firth.containers._CHUNK_BYTES", chunk_bytes)
            corpus = corpora.read(path, Preparation(layout="lines"), block_characters=block_characters)
            assert words_by_block(corpus, segmentation) == line_words([text], segmentation)

    def check_cuts(
        self,
        tmp_path_factory: pytest.TempPathFactory,
        text: str,
        block_characters: int,
        chunk_bytes: int,
        segmentation: Segmentation,
    ) -> None:
        path = written(tmp_path_factory.mktemp("any"), text)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("firth.containers._CHUNK_BYTES", chunk_bytes)
            corpus = corpora.read(path, Preparation(layout="lines"), block_characters=block_characters)
            whole = line_words([text], segmentation)
            patch.setattr(stretches, "LONGEST", block_characters)
            assert words_by_block(corpus, segmentation) == whole == line_words([text], segmentation)

    @given(
        kind=st.sampled_from(sorted(LONG_TEXTS)),
        text=ANY,
        encoding=st.sampled_from(ENCODINGS),
        container=st.sampled_from(sorted(CONTAINERS)),
        line_end=st.sampled_from(["\n", "\r\n", "\r"]),
        chunk_bytes=CHUNK_BYTES,
    )
    def test_every_container_and_encoding_gives_the_words_of_the_plain_file(
        self,
        tmp_path_factory: pytest.TempPathFactory,
        kind: str,
        text: str,
        encoding: str,
        container: str,
        line_end: str,
        chunk_bytes: int,
    ) -> None:
        folder = tmp_path_factory.mktemp("any")
        text = LONG_TEXTS[kind] + text
        expected = words_read(written(folder, text))
        records = json_lines([{"text": text.replace("\n", line_end)}]).encode(encoding)
        pq.write_table(pa.table({"text": [text.replace("\n", line_end)]}), folder / "a.parquet")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("firth.containers._CHUNK_BYTES", chunk_bytes if len(text) < 1000 else 1 << 16)
            contents = CONTAINERS[container](text.replace("\n", line_end).encode(encoding))
            assert words_read(written(folder, contents, f"a.txt{container}"), encoding=encoding) == expected
            contents = CONTAINERS[container](records)
            assert words_read(written(folder, contents, f"a.jsonl{container}"), encoding=encoding) == expected
            assert words_read(folder / "a.parquet") == expected

    @given(texts=st.lists(PROSE, min_size=1, max_size=4))
    def test_several_records_are_several_files(
        self, tmp_path_factory: pytest.TempPathFactory, texts: list[str]
    ) -> None:
        folder = tmp_path_factory.mktemp("any")
        pq.write_table(pa.table({"text": texts}), folder / "a.parquet")
        written(folder, json_lines([{"text": text} for text in texts]), "a.jsonl")
        paths = [written(folder, text, f"{number}.txt") for number, text in enumerate(texts)]
        expected, _, _ = words_read(paths)
        for name in ("a.parquet", "a.jsonl"):
            words, _, _ = words_read(folder / name)
            assert words == expected


class TestLongestLine:
    @given(texts=st.lists(st.text("ab\n", max_size=30), min_size=1, max_size=3), chunk_bytes=st.integers(1, 9))
    def test_it_is_that_of_all_files(
        self, tmp_path_factory: pytest.TempPathFactory, texts: list[str], chunk_bytes: int
    ) -> None:
        folder = tmp_path_factory.mktemp("any")
        paths = [written(folder, text, f"{number}.txt") for number, text in enumerate(texts)]
        corpus = corpora.read(paths, Preparation(layout="lines"))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("firth.containers._CHUNK_BYTES", chunk_bytes)
            list(corpus.blocks())
        lines = [
            (line, f"{path}, line {number}")
            for path, text in zip(paths, texts, strict=True)
            for number, line in enumerate(text.split("\n"), start=1)
        ]
        longest, place = max(lines, key=lambda line: len(line[0]))
        assert corpus.longest_line.n_characters == len(longest)
        if longest:
            assert corpus.longest_line.place == place
            assert longest.startswith(corpus.longest_line.begins)

    def test_of_records_it_is_a_record(self, tmp_path: Path) -> None:
        path = written(tmp_path, json_lines([{"text": text} for text in ("a", "b\n--- ---\nc", "dd")]), "a.jsonl")
        corpus = corpora.read(path)
        list(corpus.blocks())
        assert corpus.longest_line == (7, f"{path}, record 2", "--- ---")

    def test_of_ready_words_it_is_that_of_the_words(self) -> None:
        corpus = corpora.read([["a"], ["bb", "ccc"], []])
        list(corpus.blocks())
        assert corpus.longest_line == (6, "the words given as corpus, line 2", "bb ccc")
