"""The compiled table of types against a Python dict."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firth.counting import HashedSequences, HashSet, TypeTable, renumbered, word_hashes
from firth.segmentation import Split

# Letters of one to four bytes, so few that words come again.
WORDS = st.lists(st.text("ab\xe9今\U0001f600", max_size=12), max_size=60)
ANY_WORDS = st.lists(st.text(st.characters(codec="utf-8"), max_size=20), max_size=30)
HASHES = st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 3), max_size=60)


def split(words: list[str]) -> Split:
    lengths = np.array([len(word) for word in words], dtype=np.int64)
    ends = np.cumsum(lengths)
    nothing = np.empty(0, dtype=np.int64)
    codes = np.frombuffer("".join(words).encode("utf-32-le"), dtype="<u4")
    return Split(codes, ends - lengths, ends, nothing, nothing, 0)


def ids_by_first_appearance(words: list[str]) -> list[int]:
    types: dict[str, int] = {}
    return [types.setdefault(word, len(types)) for word in words]


class TestTypeTable:
    def test_by_hand(self) -> None:
        table = TypeTable()
        type_ids = table.add(split(["the", "今天", "the", "cat"]))
        assert (type_ids.tolist(), type_ids.dtype) == ([0, 1, 0, 2], np.int32)
        assert table.add(split(["cat", "\U00020000", ""])).tolist() == [2, 3, 4]
        assert table.words() == ["the", "今天", "cat", "\U00020000", ""]
        assert table.counts.tolist() == [2, 1, 2, 1, 1]
        assert table.utf8.tobytes().decode() == "the今天cat\U00020000"
        assert table.ends.tolist() == [3, 9, 12, 16, 16]
        assert len(table) == 5

    def test_an_empty_table(self) -> None:
        table = TypeTable()
        assert table.add(split([])).tolist() == []
        assert (len(table), table.words(), table.utf8.tobytes()) == (0, [], b"")

    @settings(deadline=None)  # the first example compiles
    @given(st.lists(WORDS | ANY_WORDS, max_size=4))
    def test_it_is_a_dict(self, blocks: list[list[str]]) -> None:
        table = TypeTable()
        words = [word for block in blocks for word in block]
        type_ids = [type_id for block in blocks for type_id in table.add(split(block)).tolist()]
        assert type_ids == ids_by_first_appearance(words)
        assert table.words() == list(dict.fromkeys(words))
        assert dict(zip(table.words(), table.counts.tolist(), strict=True)) == Counter(words)

    @settings(deadline=None)
    @pytest.mark.parametrize("hash_bits", [0, 1 << 63, 0xC000_0000_0000_0000, 0x1_0000_0000])
    @given(words=WORDS)
    def test_words_that_collide_are_told_apart(self, hash_bits: int, words: list[str]) -> None:
        table = TypeTable(hash_bits=np.uint64(hash_bits))
        assert table.add(split(words)).tolist() == ids_by_first_appearance(words)
        assert table.words() == list(dict.fromkeys(words))

    def test_it_grows(self) -> None:
        words = [f"word{number}" for number in range(100_000)] * 2
        table = TypeTable()
        halves = [table.add(split(words[:70_000])), table.add(split(words[70_000:]))]
        assert np.concatenate(halves).tolist() == [*range(100_000)] * 2
        assert table.words() == words[:100_000]
        assert set(table.counts.tolist()) == {2}

    def test_letters_that_outgrow_their_array(self) -> None:
        words = ["x" * 300_000, "今" * 200_000, "y"]
        table = TypeTable()
        assert table.add(split([*words, *words])).tolist() == [0, 1, 2, 0, 1, 2]
        assert table.words() == words

    def test_arrays_that_may_not_be_written_to(self) -> None:
        block = split(["a", "b"])
        for array in (block.starts, block.ends):
            array.flags.writeable = False
        assert TypeTable().add(block).tolist() == [0, 1]


class TestPruning:
    def test_the_rarest_go(self) -> None:
        table = TypeTable(max_types=6)
        table.add(split(["a", "b", "a", "c", "c", "a", "d", "b"]))
        assert table.prune().tolist() == [0, 1, 2, -1]
        assert (table.words(), table.counts.tolist(), table.n_pruned) == (["a", "b", "c"], [3, 2, 2], 1)
        assert table.add(split(["d", "c", "a"])).tolist() == [3, 2, 0]

    def test_types_of_equal_count_go_together(self) -> None:
        table = TypeTable(max_types=4)
        table.add(split(["a", "b", "c", "a"]))
        assert table.prune().tolist() == [0, -1, -1]

    def test_there_is_room_already(self) -> None:
        table = TypeTable(max_types=6)
        table.add(split(["a", "b"]))
        assert table.prune().tolist() == [0, 1]
        assert table.n_pruned == 0

    def test_a_full_table_is_pruned_on_the_way(self) -> None:
        told: list[list[int]] = []
        table = TypeTable(max_types=4, on_pruned=lambda new_ids: told.append(new_ids.tolist()))
        assert table.add(split(["x", "a", "a", "b", "c", "b", "d", "a"])).tolist() == [-1, 0, 0, 1, -1, 1, 2, 0]
        assert told == [[-1, 0, 1, -1]]
        assert (table.words(), table.counts.tolist()) == (["a", "b", "d"], [3, 2, 1])

    @settings(deadline=None)
    @given(words=WORDS, max_types=st.integers(2, 6), cut=st.integers(0, 60))
    def test_it_does_as_defined(self, words: list[str], max_types: int, cut: int) -> None:
        """Against the definition, and wherever the words are cut into blocks."""
        counts: dict[str, int] = {}
        n_pruned = 0
        for word in words:
            if word not in counts and len(counts) == max_types:
                least = min(
                    count
                    for count in range(max_types + len(words))
                    if sum(other > count for other in counts.values()) <= max_types // 2
                )
                n_pruned += len(counts)
                counts = {other: count for other, count in counts.items() if count > least}
                n_pruned -= len(counts)
            counts[word] = counts.get(word, 0) + 1

        ids = np.empty(0, dtype=np.int32)

        def renumber(new_ids):
            nonlocal ids
            ids = renumbered(ids, new_ids)

        table = TypeTable(max_types, renumber)
        for block in (words[:cut], words[cut:]):
            added = table.add(split(block))
            ids = np.concatenate([ids, added])
        assert dict(zip(table.words(), table.counts.tolist(), strict=True)) == counts
        assert table.words() == list(counts)
        assert table.n_pruned == n_pruned
        types = table.words()
        assert all(type_id == -1 or types[type_id] == word for type_id, word in zip(ids.tolist(), words, strict=True))
        assert Counter(types[type_id] for type_id in ids.tolist() if type_id >= 0) == counts


class TestHashSet:
    @settings(deadline=None)
    @given(HASHES, HASHES)
    def test_it_is_a_set(self, first: list[int], second: list[int]) -> None:
        met: set[int] = set()
        hashes = HashSet()
        for block in (first, second):
            for number, is_new in zip(block, hashes.add(np.array(block, dtype=np.uint64)), strict=True):
                number = max(number, 1)  # 0 is taken for 1
                assert is_new == (number not in met)
                met.add(number)
        assert len(hashes) == len(met)

    def test_it_grows(self) -> None:
        numbers = np.unique(np.random.default_rng(1).integers(2**64, size=200_000, dtype=np.uint64))
        hashes = HashSet()
        assert all(hashes.add(block).all() for block in np.array_split(numbers, 20))
        assert not hashes.add(numbers).any()
        assert len(hashes) == len(numbers)


class TestHashes:
    @settings(deadline=None)
    @given(WORDS)
    def test_equal_words_alone_have_equal_hashes(self, words: list[str]) -> None:
        hashes = word_hashes(split(words)).tolist()
        assert ids_by_first_appearance(words) == ids_by_first_appearance(hashes)  # type: ignore[arg-type]

    @settings(deadline=None)
    @given(st.lists(st.lists(st.integers(0, 2), max_size=4), max_size=8), st.integers(0, 32))
    def test_sequences_do_not_depend_on_blocks(self, sequences: list[list[int]], cut: int) -> None:
        numbers = np.array([number for sequence in sequences for number in sequence], dtype=np.uint64)
        ends = np.cumsum([len(sequence) for sequence in sequences], dtype=np.int64)
        whole = HashedSequences().add(numbers, ends).tolist()
        parts = HashedSequences()
        before = ends <= cut
        halves = [parts.add(numbers[:cut], ends[before]), parts.add(numbers[cut:], ends[~before] - cut)]
        assert np.concatenate(halves).tolist() == whole
        assert ids_by_first_appearance(whole) == ids_by_first_appearance([tuple(s) for s in sequences])  # type: ignore
