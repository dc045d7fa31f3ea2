"""Co-occurrence counts: GloVe's by hand and by brute force, bounded memory, files that are kept, added and refused."""

import os
import tracemalloc
from collections import Counter
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import firth
from firth import cooccurrences
from firth import corpus as corpora
from firth.cooccurrences import Cooccurrences, Nearness, count, merge, opened
from firth.preparation import Preparation
from firth.tokens import encode
from firth.vocabulary import Vocabulary

TEXT = ["the cat sat on the mat", "the dog sat on the log", "", "a cat and a dog", "on the mat a cat sat"] * 6


def encoded(lines, folder):
    preparation = Preparation(segment="space", layout="lines")
    return encode(corpora.read(iter(lines), preparation), None, folder, preparation=preparation)


def counts_of(lines, folder, *, min_count=1, vocabulary=None, name="counts", **options):
    """The counts of these lines; options of Nearness, memory and threads."""
    of_count = {key: options.pop(key) for key in ("memory", "threads", "n_tokens") if key in options}
    folder.mkdir(exist_ok=True)
    with encoded(lines, folder / f"{name}-corpus") as corpus:
        if vocabulary is None:
            vocabulary = Vocabulary.from_counts(corpus.types, corpus.counts, min_count=min_count)
        with (folder / name).open("wb") as file:
            count(corpus, vocabulary, Nearness(**options), file, folder, **of_count)
    return Cooccurrences(folder / name)


def as_dict(counts):
    """The counts by words, as fractions."""
    words, found, begin = counts.vocabulary.words, {}, 0
    for row, end in enumerate(counts.ends.tolist()):
        for column, lower, upper in counts.entries[begin:end].tolist():
            found[words[row], words[column]] = Fraction((upper << 32) + lower, counts.nearness.unit)
        begin = end
    return found


def by_brute_force(lines, vocabulary, *, window, context="symmetric", distance_weights="harmonic"):
    """What GloVe's cooccur does, word by word: history of the words that have a row, within the line."""
    found = Counter()
    for line in lines:
        kept = [word for word in line.split() if word in vocabulary]
        for j, target in enumerate(kept):
            for k in range(max(0, j - window), j):
                weight = Fraction(1, j - k) if distance_weights == "harmonic" else Fraction(1)
                found[kept[k], target] += weight
                if context == "symmetric":
                    found[target, kept[k]] += weight
    return dict(found)


def test_counts_by_hand(tmp_path):
    """cooccur on "a b c a" and "b x a", of a window of 2, x being too rare for the vocabulary.

    In the first line a-b and b-c and c-a stand 1 apart, a-c and b-a 2. In the second x goes first, so that b-a stand 1
    apart. A pair of one word with itself counts on both sides of the diagonal, which is one entry: twice.
    """
    lines = ["a b c a", "b x a", "c c"]
    found = as_dict(counts_of(lines, tmp_path, min_count=2, window=2))
    ab, ac, bc = Fraction(1) + Fraction(1, 2) + 1, Fraction(1, 2) + 1, Fraction(1)
    expected = {("a", "b"): ab, ("a", "c"): ac, ("b", "c"): bc, ("c", "c"): Fraction(2)}
    assert found == expected | {(right, left): x for (left, right), x in expected.items()}


def test_left_contexts_by_hand(tmp_path):
    found = as_dict(counts_of(["a b c a"], tmp_path, window=2, context="left"))
    assert found == {
        ("a", "b"): 1,
        ("a", "c"): Fraction(1, 2),
        ("b", "c"): 1,
        ("b", "a"): Fraction(1, 2),
        ("c", "a"): 1,
    }


def test_equal_weights_and_single_values(tmp_path):
    counts = counts_of(["a b c a"], tmp_path, window=2, distance_weights="equal")
    assert counts.value("a", "b") == 2.0
    assert counts.value("a", "a") == 0.0
    harmonic = counts_of(["a b c a"], tmp_path, window=2, name="harmonic")
    assert harmonic.value("a", "b") == 1.5
    with pytest.raises(firth.UnknownWordError, match="'z'"):
        harmonic.value("a", "z")


@pytest.mark.parametrize("context", ["symmetric", "left"])
@pytest.mark.parametrize("distance_weights", ["harmonic", "equal"])
@pytest.mark.parametrize("window", [1, 3, 22])
def test_counts_equal_brute_force(tmp_path, context, distance_weights, window):
    options = {"context": context, "distance_weights": distance_weights, "window": window}
    counts = counts_of(TEXT, tmp_path, min_count=7, **options)
    assert "and" not in counts.vocabulary
    assert as_dict(counts) == by_brute_force(TEXT, counts.vocabulary, **options)


@given(
    st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=12).map(" ".join), min_size=1, max_size=12),
    st.integers(1, 6),
    st.sampled_from(["symmetric", "left"]),
    st.integers(1, 2),
)
def test_any_text_is_counted_as_by_brute_force(tmp_path_factory, lines, window, context, min_count):
    lines = ["a b a b", *lines]
    counts = counts_of(lines, tmp_path_factory.mktemp("any"), min_count=min_count, window=window, context=context)
    assert as_dict(counts) == by_brute_force(lines, counts.vocabulary, window=window, context=context)


def test_wide_windows_round_weights_to_the_nearest_of_4294967296ths():
    weights = Nearness(window=40).weights()
    assert weights[0] == 0
    assert [abs(int(weights[d]) / 2**32 - 1 / d) <= 2**-33 for d in range(1, 41)] == [True] * 40
    assert Nearness(window=22).unit == 232792560
    assert Nearness(window=10).weights()[1:].tolist() == [2520 // d for d in range(1, 11)]
    assert Nearness(window=7, distance_weights="equal").weights().tolist() == [0] + [1] * 7


@pytest.mark.parametrize(("fewest", "most_runs", "left"), [(1, 2, 69), (1, 64, 12), (7, 5, 4), (64, 64, 3)])
def test_runs_on_disk_add_up_to_the_same_bytes(tmp_path, monkeypatch, fewest, most_runs, left):
    """Of 138 words; so many runs as are there at a time become one."""
    monkeypatch.setattr(cooccurrences, "_FEWEST_TOKENS", fewest)
    monkeypatch.setattr(cooccurrences, "_MOST_RUNS", most_runs)
    whole = counts_of(TEXT, tmp_path, window=4)
    monkeypatch.setattr(cooccurrences, "_BLOCK_ENTRIES", 5)
    in_runs = counts_of(TEXT, tmp_path, window=4, memory=1e-9, name="in-runs")
    assert len([*tmp_path.glob("run-*"), *tmp_path.glob("sums-*")]) == left
    assert as_dict(in_runs) == as_dict(whole)
    assert (tmp_path / "in-runs").read_bytes() == (tmp_path / "counts").read_bytes()


@pytest.mark.parametrize("context", ["symmetric", "left"])
def test_a_line_longer_than_the_memory_is_one_window_after_another(tmp_path, monkeypatch, context):
    monkeypatch.setattr(cooccurrences, "_FEWEST_TOKENS", 3)
    line = [" ".join(TEXT)]
    counts = counts_of(line, tmp_path, window=5, context=context, memory=1e-9, min_count=7)
    assert as_dict(counts) == by_brute_force(line, counts.vocabulary, window=5, context=context)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_change_nothing(tmp_path, monkeypatch, threads):
    whole = counts_of(TEXT, tmp_path, window=4)
    monkeypatch.setattr(cooccurrences, "_BLOCK_ENTRIES", 4)
    shared = counts_of(TEXT, tmp_path, window=4, threads=threads, name="shared")
    assert (tmp_path / "shared").read_bytes() == (tmp_path / "counts").read_bytes()
    assert shared.fingerprint == whole.fingerprint


def test_a_wide_vocabulary_is_counted_in_order(tmp_path):
    """Columns beyond 64 and 4096, which are found again by bits of bits."""
    rng = np.random.default_rng(3)
    lines = [" ".join(f"w{number}" for number in rng.integers(0, 9000, 40)) for _ in range(400)]
    counts = counts_of(lines, tmp_path, window=3)
    assert len(counts.vocabulary) > 4096
    assert as_dict(counts) == by_brute_force(lines, counts.vocabulary, window=3)


def test_shards_add_up_to_the_bytes_of_the_whole(tmp_path):
    whole = counts_of(TEXT, tmp_path, window=4, min_count=3)
    parts = [TEXT[:7], TEXT[7:20], TEXT[20:]]
    shards = [
        counts_of(part, tmp_path, window=4, vocabulary=whole.vocabulary, name=f"part-{number}")
        for number, part in enumerate(parts)
    ]
    for order in ([0, 1, 2], [2, 0, 1]):
        with (tmp_path / "sums").open("wb") as file:
            merge([shards[number] for number in order], file, threads=2)
        assert (tmp_path / "sums").read_bytes() == (tmp_path / "counts").read_bytes()
    with opened([tmp_path / f"part-{number}" for number in range(3)], cache_dir=tmp_path / "cache") as sums:
        assert sums.fingerprint == whole.fingerprint
    assert not list((tmp_path / "cache").iterdir())


def test_counts_that_are_opened_together_share_their_words(tmp_path):
    whole = counts_of(TEXT, tmp_path, window=4)
    other = counts_of(TEXT[:9], tmp_path, window=4, vocabulary=whole.vocabulary, name="other")
    with cooccurrences.all_opened([tmp_path / "counts", tmp_path / "other"]) as (first, second):
        assert second.vocabulary is first.vocabulary
        assert as_dict(second) == as_dict(other)
    counts_of(TEXT, tmp_path, window=5, name="wider")
    with (
        pytest.raises(firth.UsageError, match="window=5"),
        cooccurrences.all_opened([tmp_path / "counts", tmp_path / "wider"]),
    ):
        pass


def test_sums_go_beyond_32_bits(tmp_path):
    counts = counts_of(["a b"], tmp_path, window=22)
    entries, lengths = np.array(counts.entries), np.diff(counts.ends, prepend=0)
    entries[:, 1:] = [0xFFFFFFFF, 3]
    total, of_rows = cooccurrences._added(entries, lengths, entries, lengths)
    assert total[:, 1:].tolist() == [[0xFFFFFFFE, 7]] * 2
    assert of_rows.tolist() == lengths.tolist()


def test_counts_of_other_words_or_windows_do_not_add_up(tmp_path):
    one = counts_of(TEXT, tmp_path, window=4)
    others = [
        counts_of(TEXT, tmp_path, window=5, name="window"),
        counts_of(TEXT, tmp_path, window=4, min_count=8, name="words"),
        counts_of(TEXT[:9], tmp_path, window=4, name="other-counts"),
    ]
    for other, reason in zip(others, ["window=5", "two vocabularies", "two vocabularies"], strict=True):
        with (tmp_path / "sums").open("wb") as file, pytest.raises(firth.UsageError, match=reason):
            merge([one, other], file)


@pytest.mark.parametrize("n_entries", [10**6, 7, 0])
def test_rows_turned_are_columns(tmp_path, n_entries):
    """All at a time, some, or one row after the other; on disk, not in memory."""
    counts = counts_of(TEXT, tmp_path, window=3, context="left")
    entries, ends = cooccurrences.transposed(counts, tmp_path / "turned", memory=12 * n_entries / 2**30)
    assert isinstance(entries.base, np.memmap)
    by_default = counts.by_column
    np.testing.assert_array_equal(by_default.entries, entries)
    np.testing.assert_array_equal(by_default.ends, ends)
    turned = {}
    for row, begin in enumerate([0, *ends[:-1].tolist()]):
        some = entries[begin : ends[row]].tolist()
        assert [column for column, _, _ in some] == sorted(column for column, _, _ in some)
        turned |= {(column, row): lower for column, lower, _ in some}
    rows = np.repeat(np.arange(len(counts.ends)), np.diff(counts.ends, prepend=0))
    assert turned == {
        (row, column): lower for row, (column, lower, _) in zip(rows, counts.entries.tolist(), strict=True)
    }


def test_rows_are_turned_in_bounded_memory(tmp_path, monkeypatch):
    """Less than a number for each entry would take: rows and their columns are passed over some at a time."""
    rng = np.random.default_rng(0)
    lines = [" ".join(f"w{number}" for number in rng.integers(0, 300, 50)) for _ in range(200)]
    counts = counts_of(lines, tmp_path, window=4, context="left")
    monkeypatch.setattr(cooccurrences, "_BLOCK_ENTRIES", 1000)
    small = 12 * 1000 / 2**30
    due = cooccurrences.transposed(counts, tmp_path / "first", memory=small)  # compiles
    tracemalloc.start()
    try:
        found = cooccurrences.transposed(counts, tmp_path / "second", memory=small)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(counts.entries) > 20_000
    assert peak < 4 * len(counts.entries)
    np.testing.assert_array_equal(found.entries, due.entries)


def test_symmetric_counts_are_their_own_columns(tmp_path):
    counts = counts_of(TEXT, tmp_path, window=3)
    assert counts.by_column.entries is counts.entries
    counts.turn(tmp_path / "nowhere")
    counts.close()
    assert not len(counts.by_column.entries)


def test_the_first_words_alone(tmp_path):
    counts = counts_of(TEXT, tmp_path, window=4, n_tokens=12)
    assert as_dict(counts) == by_brute_force(TEXT[:2], counts.vocabulary, window=4)
    assert counts.n_tokens == 12


def test_nothing_to_count_is_said(tmp_path):
    with pytest.raises(firth.FirthError, match="nothing was there to count"):
        counts_of(["one", "two", "one", "two"], tmp_path)
    with pytest.raises(firth.UsageError, match="memory is 0"):
        counts_of(TEXT, tmp_path, memory=0, name="no-memory")


@pytest.mark.parametrize(
    "change",
    [{"window": 0}, {"window": 10**9}, {"context": "right"}, {"distance_weights": "linear"}],
    ids=lambda change: next(iter(change)),
)
def test_what_lies_out_of_range_is_refused(change):
    with pytest.raises(firth.UsageError, match=next(iter(change))):
        Nearness(**change)


def test_a_file_cut_off_is_refused_wherever_it_ends(tmp_path):
    counts_of(["a b c a", "c b"], tmp_path).close()
    data = (tmp_path / "counts").read_bytes()
    place = int.from_bytes(data[8:16], "little")
    for n_bytes in range(len(data)):
        (tmp_path / "cut").write_bytes(data[:n_bytes])
        reason = "holds no counts" if n_bytes < 8 else "cut off" if n_bytes <= place else "not a whole file"
        with pytest.raises(firth.FirthError, match=reason):
            Cooccurrences(tmp_path / "cut")


@given(st.integers(0, 10**6), st.integers(1, 255))
def test_a_damaged_file_is_refused_or_has_sound_rows(tmp_path_factory, place, change):
    folder = tmp_path_factory.mktemp("damaged")
    counts_of(["a b c a", "c b"], folder).close()
    data = bytearray((folder / "counts").read_bytes())
    data[place % len(data)] ^= change
    (folder / "counts").write_bytes(data)
    try:
        counts = Cooccurrences(folder / "counts")
    except firth.FirthError as error:
        found = str(error)
    else:
        assert counts.entries[:, 0].max() < len(counts.vocabulary)
        assert counts.ends[-1] == len(counts.entries)
        assert (np.diff(counts.ends, prepend=0) >= 0).all()
        found = str(folder / "counts")
    assert str(folder / "counts") in found


def test_foreign_and_missing_files_are_refused(tmp_path):
    (tmp_path / "text").write_text("the cat sat on the mat\n" * 9)
    with pytest.raises(firth.FirthError, match=r"text holds no counts of pairs of words; `firth count`"):
        Cooccurrences(tmp_path / "text")
    with pytest.raises(firth.FirthError, match="No such file"):
        Cooccurrences(tmp_path / "missing")
    counts_of(TEXT, tmp_path).close()
    data = (tmp_path / "counts").read_bytes()
    (tmp_path / "counts").write_bytes(data.replace(b'"format": 1', b'"format": 2'))
    with pytest.raises(firth.FirthError, match="newer firth"):
        Cooccurrences(tmp_path / "counts")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a system without named pipes")
def test_nothing_is_read_of_what_is_no_plain_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert not cooccurrences.is_counts(tmp_path / "pipe")  # to open it would wait for who writes
    assert not cooccurrences.is_counts(tmp_path)
    assert not cooccurrences.is_counts(Path("no\0file"))


def test_an_interrupted_counting_leaves_no_file(tmp_path, monkeypatch):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(cooccurrences, "count", interrupted)
    with encoded(TEXT, tmp_path / "corpus") as corpus:
        vocabulary = Vocabulary.from_counts(corpus.types, corpus.counts)
        place = tmp_path / "kept" / "counts"
        with (
            pytest.raises(KeyboardInterrupt),
            cooccurrences.counted(corpus, vocabulary, Nearness(), place, cache_dir=tmp_path / "cache"),
        ):
            pass
    assert not list((tmp_path / "kept").iterdir())
    assert not list((tmp_path / "cache").iterdir())
