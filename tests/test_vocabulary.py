import heapq
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firth import vocabulary as vocabularies
from firth.errors import FirthError, UnknownWordError, UsageError
from firth.vocabulary import HuffmanTree, Vocabulary

COUNTS = st.lists(st.integers(1, 1000), min_size=2, max_size=40)


def vocabulary_of(counts: list[int]) -> Vocabulary:
    return Vocabulary([f"w{row}" for row in range(len(counts))], counts)


class TestRows:
    def test_order_is_by_falling_count_then_by_word(self) -> None:
        vocabulary = Vocabulary.from_counts(["b", "rare", "a", "top"], [7, 4, 7, 9])
        assert vocabulary.words == ["top", "a", "b"]
        assert vocabulary.counts.tolist() == [9, 7, 7]
        assert vocabulary.counts.dtype == np.int64
        assert (len(vocabulary), vocabulary.n_words_total) == (3, 23)

    def test_max_size_keeps_the_most_frequent(self) -> None:
        vocabulary = Vocabulary.from_counts(["a", "b", "c"], [1, 3, 2], min_count=1, max_size=2)
        assert vocabulary.words == ["b", "c"]

    def test_pruned_types_get_no_row(self) -> None:
        vocabulary = Vocabulary.from_counts(["b", "a", ""], [2, 3, 9], min_count=1)
        assert vocabulary.words == ["a", "b"]
        assert vocabulary.rows(["", "b"]).tolist() == [-1, 1]
        assert vocabulary.extended(["c", ""], [1, 99], min_count=1).words == ["a", "b", "c"]

    def test_looking_up(self) -> None:
        vocabulary = Vocabulary(["a", "b"], [2, 1])
        assert "a" in vocabulary
        assert "c" not in vocabulary
        assert vocabulary.row("b") == 1
        rows = vocabulary.rows(["b", "c", "a"])
        assert (rows.tolist(), rows.dtype) == ([1, -1, 0], np.int32)
        with pytest.raises(UnknownWordError, match=r"'c\\u\{1b\}' is not among the 2 words"):
            vocabulary.row("c\x1b")

    def test_extended_adds_counts_and_sorts_new_words_in(self) -> None:
        old = Vocabulary(["b", "a"], [9, 5])
        new = old.extended(["z", "a", "rare", "y", "x"], [6, 2, 4, 8, 6])
        assert new.words == ["b", "y", "a", "x", "z"]
        assert new.counts.tolist() == [9, 8, 7, 6, 6]
        assert old.extended(["z", "a", "y"], [6, 2, 8], max_size=3).words == ["b", "y", "a"]
        assert old.extended(["z"], [6], max_size=1).words == ["b", "a"]
        assert old.words == ["b", "a"]
        assert old.counts.tolist() == [9, 5]


class TestBadInput:
    def test_no_word_is_frequent_enough(self) -> None:
        with pytest.raises(FirthError, match=r"most frequent, 'b', occurs 3 times, the next one 1: --min-count 1 or"):
            Vocabulary.from_counts(["a", "b"], [1, 3])

    def test_one_word_predicts_nothing(self) -> None:
        with pytest.raises(FirthError, match=r"'b' is the only word .* nothing to predict.* 2 words: --min-count 1 or"):
            Vocabulary.from_counts(["a", "b"], [1, 30])

    @given(counts=st.lists(st.integers(1, 9), min_size=2), min_count=st.integers(1, 9))
    def test_the_count_that_is_advised_is_the_greatest_that_works(self, counts: list[int], min_count: int) -> None:
        words = list(map(str, range(len(counts))))
        try:
            Vocabulary.from_counts(words, counts, min_count=min_count)
        except FirthError as error:
            found = re.search("--min-count ([0-9]+) or less", str(error))
            assert found is not None
            advised = int(found[1])
            assert len(Vocabulary.from_counts(words, counts, min_count=advised)) >= 2
            with pytest.raises(FirthError):
                Vocabulary.from_counts(words, counts, min_count=advised + 1)

    def test_no_count_is_advised_where_there_is_but_one_word(self) -> None:
        for words, counts in ((["a"], [9]), (["a", ""], [3, 9])):
            with pytest.raises(FirthError, match="'a' is the only word of the corpus") as caught:
                Vocabulary.from_counts(words, counts)
            assert "--min-count" not in str(caught.value)

    def test_no_words(self) -> None:
        with pytest.raises(FirthError, match="no words"):
            Vocabulary.from_counts([], [])

    def test_pruned_types_are_not_named(self) -> None:
        with pytest.raises(FirthError, match=r"most frequent, 'b', occurs 3 times, the next one 1: --min-count 1 or"):
            Vocabulary.from_counts(["a", "b", ""], [1, 3, 4])
        with pytest.raises(FirthError, match="no words"):
            Vocabulary.from_counts([""], [9])

    def test_limits(self) -> None:
        with pytest.raises(UsageError, match="min_count=0"):
            Vocabulary.from_counts(["a", "b"], [1, 1], min_count=0)
        with pytest.raises(UsageError, match="max_size=1"):
            Vocabulary.from_counts(["a", "b"], [1, 1], min_count=1, max_size=1)

    def test_words_and_counts_that_do_not_fit(self) -> None:
        with pytest.raises(UsageError, match="'a' stands in the vocabulary twice"):
            Vocabulary(["a", "b", "a"], [1, 1, 1])
        with pytest.raises(UsageError, match="'b' has a count of 0"):
            Vocabulary(["a", "b"], [1, 0])
        with pytest.raises(UsageError, match="2 words have counts of shape"):
            Vocabulary(["a", "b"], [1])


class TestKeepProbabilities:
    def test_by_hand(self) -> None:
        # Shares .9 and .1, threshold .1: (sqrt(9) + 1) / 9 and (sqrt(1) + 1) / 1, which is capped.
        keep = Vocabulary(["a", "b"], [90, 10]).keep_probabilities(0.1)
        np.testing.assert_allclose(keep, [4 / 9, 1], rtol=1e-6)
        assert keep.dtype == np.float32

    def test_zero_keeps_everything(self) -> None:
        assert Vocabulary(["a", "b"], [90, 10]).keep_probabilities(0).tolist() == [1, 1]

    def test_gensim_agrees(self) -> None:
        word2vec = pytest.importorskip("gensim.models.word2vec")
        counts = {f"w{rank}": 30_000 // rank for rank in range(1, 200)}
        model = word2vec.Word2Vec(sample=1e-3, min_count=1)
        model.build_vocab_from_freq(counts)
        ours = Vocabulary.from_counts(list(counts), list(counts.values()), min_count=1)
        theirs = [model.wv.get_vecattr(word, "sample_int") / 2**32 for word in ours.words]
        np.testing.assert_allclose(ours.keep_probabilities(1e-3), theirs, rtol=1e-6)

    @pytest.mark.parametrize("sample", [-1e-3, float("nan"), float("inf")])
    def test_no_threshold(self, sample: float) -> None:
        with pytest.raises(UsageError, match="sample="):
            Vocabulary(["a", "b"], [90, 10]).keep_probabilities(sample)


class TestNoiseTable:
    @given(counts=COUNTS, exponent=st.sampled_from([0.75, 0.0, 1.0, -0.5]))
    def test_the_table_gives_back_the_distribution(self, counts: list[int], exponent: float) -> None:
        table = vocabulary_of(counts).noise_table(exponent)
        drawn = table.probability.astype(np.float64)
        np.add.at(drawn, table.alias, 1 - table.probability.astype(np.float64))
        weights = np.array(counts, dtype=np.float64) ** exponent
        np.testing.assert_allclose(drawn / len(counts), weights / weights.sum(), rtol=1e-5, atol=1e-7)

    def test_types_and_ranges(self) -> None:
        table = vocabulary_of([100, 10, 1]).noise_table(0.75)
        assert (table.probability.dtype, table.alias.dtype) == (np.float32, np.int32)
        assert ((table.probability >= 0) & (table.probability <= 1)).all()
        assert ((table.alias >= 0) & (table.alias < 3)).all()

    def test_an_exponent_beyond_all_numbers(self) -> None:
        with pytest.raises(UsageError, match="noise exponent"), np.errstate(all="ignore"):
            vocabulary_of([100, 10]).noise_table(1e6)


def codes(tree: HuffmanTree) -> list[str]:
    """word2vec.c's code of each word, root first."""
    return [
        "".join("0" if sign > 0 else "1" for sign in tree.signs[start:stop]) for start, stop in pairwise(tree.starts)
    ]


def least_cost(counts: list[int]) -> int:
    """The sum over words of count times length of code, by the textbook's heap."""
    heap = list(counts)
    heapq.heapify(heap)
    cost = 0
    while len(heap) > 1:
        joined = heapq.heappop(heap) + heapq.heappop(heap)
        cost += joined
        heapq.heappush(heap, joined)
    return cost


class TestHuffmanTree:
    def test_by_hand(self) -> None:
        # 1 and 2 join to 3 (node 0), 3 and that to 6 (node 1), 6 and 9 to 15 (node 2, the root).
        tree = vocabulary_of([9, 3, 2, 1]).huffman_tree()
        # At the tie of the word 3 and the node 3 word2vec.c takes the node first, so it gets the code 0.
        assert codes(tree) == ["1", "01", "001", "000"]
        assert [tree.nodes[a:b].tolist() for a, b in pairwise(tree.starts)] == [
            [2],
            [2, 1],
            [2, 1, 0],
            [2, 1, 0],
        ]
        assert (tree.starts.dtype, tree.nodes.dtype, tree.signs.dtype) == (np.int32, np.int32, np.float32)

    def test_order_of_rows_does_not_matter(self) -> None:
        tree = vocabulary_of([1, 9, 2, 3]).huffman_tree()
        assert codes(tree) == ["000", "1", "001", "01"]

    @given(counts=COUNTS)
    def test_codes_are_prefix_free_complete_and_optimal(self, counts: list[int]) -> None:
        words = codes(vocabulary_of(counts).huffman_tree())
        ordered = sorted(words)
        assert not any(after.startswith(before) for before, after in pairwise(ordered))
        assert sum(2.0 ** -len(code) for code in words) == 1  # Kraft's equality
        assert sum(map(int.__mul__, counts, map(len, words))) == least_cost(counts)

    @given(counts=COUNTS)
    def test_a_node_is_reached_by_one_way_alone(self, counts: list[int]) -> None:
        tree = vocabulary_of(counts).huffman_tree()
        prefixes: dict[int, str] = {}
        for row, code in enumerate(codes(tree)):
            way = tree.nodes[tree.starts[row] : tree.starts[row + 1]]
            assert way[0] == len(counts) - 2
            for depth, node in enumerate(way.tolist()):
                assert prefixes.setdefault(node, code[:depth]) == code[:depth]
        assert sorted(prefixes) == list(range(len(counts) - 1))

    def test_codes_are_as_long_as_gensims(self) -> None:
        word2vec = pytest.importorskip("gensim.models.word2vec")
        counts = {f"w{rank}": 100_003 // rank + rank for rank in range(1, 300)}
        model = word2vec.Word2Vec(hs=1, negative=0, min_count=1)
        model.build_vocab_from_freq(counts)
        ours = Vocabulary.from_counts(list(counts), list(counts.values()), min_count=1)
        theirs = [len(model.wv.get_vecattr(word, "code")) for word in ours.words]
        cost = int(np.dot(ours.counts, np.diff(ours.huffman_tree().starts)))
        assert cost == int(np.dot(ours.counts, theirs))


class TestFiles:
    def test_the_file_is_plain(self, tmp_path: Path) -> None:
        path = tmp_path / "vocabulary.tsv"
        Vocabulary(["the", "New York", "a\tb\\n\n", "今天"], [9, 3, 2, 1]).write(path)
        assert path.read_bytes() == "the\t9\nNew York\t3\na\\tb\\\\n\\n\t2\n今天\t1\n".encode()

    @given(words=st.lists(st.text(st.characters(codec="utf-8")), unique=True))
    def test_any_words_come_back(self, tmp_path_factory: pytest.TempPathFactory, words: list[str]) -> None:
        path = tmp_path_factory.mktemp("words") / "vocabulary.tsv"
        vocabulary = Vocabulary([*words, "last" * 9], range(1, len(words) + 2))
        vocabulary.write(path)
        again = Vocabulary.read(path)
        assert again.words == vocabulary.words
        assert again.counts.tolist() == vocabulary.counts.tolist()

    @given(words=st.lists(st.text(st.characters(codec="utf-8")), unique=True, min_size=1))
    def test_words_that_all_occur_once_come_back(
        self, tmp_path_factory: pytest.TempPathFactory, words: list[str]
    ) -> None:
        path = tmp_path_factory.mktemp("words") / "vocabulary.tsv"
        Vocabulary(words, [1] * len(words)).write(path)
        again = Vocabulary.read(path)
        assert (again.words, again.counts.tolist()) == (words, [1] * len(words))

    def test_windows_line_ends_are_read(self, tmp_path: Path) -> None:
        path = tmp_path / "vocabulary.tsv"
        path.write_bytes(b"a\t2\r\nb\t1\r\n")
        assert Vocabulary.read(path).words == ["a", "b"]

    @pytest.mark.parametrize(
        ("contents", "message"),
        [
            (b"a\t2\nb 1\n", r"vocabulary\.tsv, line 2: 'b 1' is not word<TAB>count"),
            (b"a\t5\t6\n7\n", r"vocabulary\.tsv, line 2: '7' is not word<TAB>count"),
            (b"a\t2\nb\t1x\n", r"vocabulary\.tsv, line 2: .* is not word<TAB>count"),
            (b"a\t2\nb\t\n", r"vocabulary\.tsv, line 2: .* is not word<TAB>count"),
            (b"a\t2\nb\t-1\n", "line 2"),
            (b"a\t2\n\nb\t1\n", "line 2"),
            (b"", "line 1"),
            (b"a\t2\na\t1\n", r"vocabulary\.tsv: the word 'a' stands in the vocabulary twice"),
            (b"a\t99999999999999999999\n", "vocabulary"),
            (b"\xff\t1\n", "UTF-8"),
        ],
    )
    def test_what_is_no_vocabulary(self, tmp_path: Path, contents: bytes, message: str) -> None:
        path = tmp_path / "vocabulary.tsv"
        path.write_bytes(contents)
        with pytest.raises(FirthError, match=message):
            Vocabulary.read(path)

    def test_a_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(FirthError, match="cannot read"):
            Vocabulary.read(tmp_path / "vocabulary.tsv")

    def test_a_word_that_cannot_be_written_leaves_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(FirthError, match="no valid text"):
            Vocabulary(["a", "\ud800"], [2, 1]).write(tmp_path / "vocabulary.tsv")
        assert not list(tmp_path.iterdir())

    @given(words=st.lists(st.text(st.characters(codec="utf-8")), unique=True, min_size=1), with_counts=st.booleans())
    def test_a_large_file_answers_as_a_small_one(
        self, tmp_path_factory: pytest.TempPathFactory, words: list[str], with_counts: bool
    ) -> None:
        path = tmp_path_factory.mktemp("words") / "vocabulary.tsv"
        Vocabulary(words, range(1, len(words) + 1) if with_counts else [1] * len(words)).write(path)
        plain = Vocabulary.read(path)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(vocabularies, "LARGE_BYTES", 0)
            for name in ("words", "counts", "table"):  # whatever is asked for first
                large = Vocabulary.read(path)
                assert list(getattr(large, name)) == list(getattr(plain, name))
                assert large.counts.tolist() == plain.counts.tolist()
                assert large.words == plain.words
            large = Vocabulary.read(path)
        assert len(large) == len(words)
        assert [large.word(row) for row in (*range(len(words)), -1)] == [*words, words[-1]]
        assert [large.find(word) for word in words] == list(range(len(words)))
        assert [word in large for word in ("", "a", "\\", "no such word")] == [
            word in words for word in ("", "a", "\\", "no such word")
        ]
        with pytest.raises(IndexError):
            large.word(len(words))

    def test_few_words_of_a_large_file_are_looked_for_in_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(vocabularies, "LARGE_BYTES", 0)
        monkeypatch.setattr(vocabularies, "MOST_SEARCHES", 3)
        path = tmp_path / "vocabulary.tsv"
        Vocabulary(["a", "b", "c"], [3, 2, 1]).write(path)
        large = Vocabulary.read(path)
        assert (large.find("c"), large.find("d"), large.word(1), large.counts.tolist()) == (2, None, "b", [3, 2, 1])
        assert "table" not in vars(large)
        assert "_parsed" not in vars(large)
        assert [large.find(word) for word in "abcd"] == [0, 1, 2, None]
        assert "table" in vars(large)

    @pytest.mark.parametrize(
        ("contents", "message"),
        [
            (b"a\t2\nb 1\n", r"vocabulary\.tsv, line 2: 'b 1' is not word<TAB>count"),
            (b"a\t2\na\t1\n", r"vocabulary\.tsv: the word 'a' stands in the vocabulary twice"),
            (b"a\t2\nb\t0\n", "has a count of 0"),
            (b"a\t1\n\xff\t1\n", "UTF-8"),
        ],
    )
    def test_a_large_file_that_is_none_is_told_when_it_is_asked(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, contents: bytes, message: str
    ) -> None:
        monkeypatch.setattr(vocabularies, "LARGE_BYTES", 0)
        path = tmp_path / "vocabulary.tsv"
        path.write_bytes(contents)
        large = Vocabulary.read(path)
        assert len(large) == 2
        for _ in range(2):
            with pytest.raises(FirthError, match=message):
                _ = large.words

    def test_a_large_file_of_another_hand(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(vocabularies, "LARGE_BYTES", 0)
        path = tmp_path / "vocabulary.tsv"
        path.write_bytes(b"x\ty\t3\nx\t2\na\\b\t1\n")  # a tab and a backslash that are not escaped
        large = Vocabulary.read(path)
        assert [large.find(word) for word in ("x", "a\\b", "x\ty", "none")] == [1, 2, 0, None]
        path.write_bytes(b"a\t2\r\nb\t1\r\n")
        assert Vocabulary.read(path).find("b") == 1
