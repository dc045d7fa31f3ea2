"""Rows of tokens: pairs, packed parts, stretches and what is hidden in them, against the papers' rules."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firth import FirthError, UsageError, sequences
from firth.sequences import Masking, contiguous, packed, pairs, plan_pairs, plan_parts, shuffled, stream

PAD, UNK, CLS, SEP, MASK = range(5)


class Encoded:
    """Encoded pieces in memory: each piece has its own id, so that its place can be told from it."""

    pad, unk, cls, sep, mask, end = PAD, UNK, CLS, SEP, MASK, None
    special_ids = (PAD, UNK, CLS, SEP, MASK)

    def __init__(self, documents, word_starts=None, n_entries=None):
        """Documents as lists of how long their sentences are."""
        lengths = [length for document in documents for length in document]
        self.ids = np.arange(5, 5 + sum(lengths)).astype(np.uint32)
        self.sentence_ends = np.cumsum(lengths, dtype=np.int64)
        self.document_ends = np.cumsum([len(document) for document in documents], dtype=np.int64)
        self.word_starts = word_starts
        self.n_entries = n_entries or 5 + len(self.ids)

    n_tokens = property(lambda self: len(self.ids))
    n_sentences = property(lambda self: len(self.sentence_ends))
    n_documents = property(lambda self: len(self.document_ends))

    def document_of(self, place):
        return int(np.searchsorted(self.document_ends, self.sentence_of(place), side="right"))

    def sentence_of(self, place):
        return int(np.searchsorted(self.sentence_ends, place, side="right"))


def text_of(documents, layout, *, context_length=16, batch_size=4, short_share=0.0, **changes):
    encoded = Encoded(documents, **changes)
    text = stream(
        encoded, layout=layout, context_length=context_length, batch_size=batch_size, short_share=short_share
    )  # fmt: skip
    return dataclasses.replace(  # all of it, so that every place is trained on
        text,
        firsts=np.concatenate([[0], encoded.document_ends[:-1]]),
        stops=encoded.document_ends,
    )


DOCUMENTS = st.lists(st.lists(st.integers(1, 40), min_size=1, max_size=9), min_size=2, max_size=8).filter(
    lambda documents: max(map(len, documents)) > 1
)


# --- pairs ----------------------------------------------------------------------------------------------------


def test_a_pair_worked_by_hand():
    # Two documents of two sentences that just fill a row: A is the first sentence, B the second one or a random one.
    text = text_of([[6, 7], [6, 7]], "pairs")
    kinds = set()
    for pass_number in range(40):
        plan = plan_pairs(text, pass_number, 1)
        a_start, a_length, b_start, b_length, is_random = (column[0] for column in plan)
        assert (a_start, a_length) == (0, 6)
        if is_random:  # both sentences of the other document, cut at either end; or its second one
            assert 13 <= b_start <= 19
        else:
            assert b_start == 6
        assert b_length == 7
        kinds.add((bool(is_random), int(b_start)))
    assert {(False, 6), (True, 19)} < kinds


@settings(max_examples=60)
@given(documents=DOCUMENTS, short_share=st.sampled_from([0.0, 0.1, 1.0]), seed=st.integers(0, 9))
def test_pairs_keep_the_rules(documents, short_share, seed):
    text = text_of(documents, "pairs", context_length=24, short_share=short_share)
    encoded, most = text.pieces, 24 - 3
    plan = plan_pairs(text, 3, seed)
    used = set()
    for a, n_a, b, n_b, is_random in zip(*plan, strict=True):
        assert n_a >= 1
        assert n_b >= 1
        assert n_a + n_b <= most
        assert encoded.document_of(a) == encoded.document_of(a + n_a - 1)
        assert encoded.document_of(b) == encoded.document_of(b + n_b - 1)
        assert (encoded.document_of(a) != encoded.document_of(b)) == is_random
        if not is_random:
            assert encoded.sentence_of(a + n_a - 1) < encoded.sentence_of(b)
            if n_a + n_b < most:
                assert a + n_a == b
        used |= {encoded.sentence_of(place) for place in range(a, a + n_a)}
        if not is_random:
            used |= {encoded.sentence_of(place) for place in range(b, b + n_b)}
    if max(map(max, documents)) * 9 <= most:  # nothing is cut
        assert used == set(range(encoded.n_sentences))


@settings(max_examples=30)
@given(documents=st.lists(st.lists(st.just(1), min_size=1, max_size=9), min_size=2, max_size=8), seed=st.integers(0, 9))
def test_every_sentence_of_a_pass_appears(documents, seed):
    if max(map(len, documents)) == 1:
        return
    text = text_of(documents, "pairs")  # a whole document fits a row
    plan = plan_pairs(text, 1, seed)
    shown = set()
    for a, n_a, b, n_b, is_random in zip(*plan, strict=True):
        shown |= set(range(a, a + n_a))
        if not is_random:
            shown |= set(range(b, b + n_b))
    assert shown == set(range(text.pieces.n_tokens))


def original_pairs(documents, most, short_share, rng):
    """The authors' `create_instances_from_document`, on lists of tokens (document, sentence, place)."""
    found = []
    for index, document in enumerate(documents):
        target = most
        if rng.random() < short_share:
            target = int(rng.integers(2, most + 1))
        chunk, length, i = [], 0, 0
        while i < len(document):
            chunk.append(document[i])
            length += len(document[i])
            if i == len(document) - 1 or length >= target:
                a_end = 1 if len(chunk) < 2 else int(rng.integers(1, len(chunk)))
                a = [token for sentence in chunk[:a_end] for token in sentence]
                is_random = len(chunk) == 1 or rng.random() < 0.5
                if is_random:
                    other = index
                    while other == index:
                        other = int(rng.integers(0, len(documents)))
                    b = []
                    for sentence in documents[other][int(rng.integers(0, len(documents[other]))) :]:
                        b += sentence
                        if len(b) >= target - len(a):
                            break
                    i -= len(chunk) - a_end
                else:
                    b = [token for sentence in chunk[a_end:] for token in sentence]
                while len(a) + len(b) > most:
                    longer = a if len(a) > len(b) else b
                    longer.pop(0 if rng.random() < 0.5 else -1)
                found.append((len(a), len(b), is_random))
                chunk, length = [], 0
            i += 1
    return np.asarray(found, dtype=float)


def test_pairs_are_distributed_as_the_originals():
    documents = [[3, 9, 4, 7, 12, 2, 8], [15, 1, 6, 6], [5], [40, 3, 3, 3, 10, 11]]
    tokens = [[[(d, s, p) for p in range(n)] for s, n in enumerate(document)] for d, document in enumerate(documents)]
    rng = np.random.default_rng(1)
    n_passes = 3000
    theirs = [original_pairs(tokens, 29, 0.3, rng) for _ in range(n_passes)]
    text = text_of(documents, "pairs", context_length=32, short_share=0.3)
    ours = []
    for pass_number in range(n_passes):
        plan = plan_pairs(text, pass_number, 1)
        ours.append(np.column_stack([plan.a_lengths, plan.b_lengths, plan.is_random]))
    assert np.mean([len(found) for found in ours]) == pytest.approx(np.mean([len(found) for found in theirs]), rel=0.01)
    a, b = np.concatenate(ours), np.concatenate(theirs)
    for measure in (a.mean(0), b.mean(0)), (a.std(0), b.std(0)), ((a > 10).mean(0), (b > 10).mean(0)):
        assert measure[0] == pytest.approx(measure[1], rel=0.02, abs=0.005)


def test_half_of_the_pairs_are_random():
    text = text_of([[10] * 400] * 30, "pairs", context_length=128)
    assert plan_pairs(text, 0, 1).is_random.mean() == pytest.approx(0.5, abs=0.04)


def test_a_tenth_of_the_documents_have_another_target_length():
    text = text_of([[1] * 300] * 4000, "pairs", context_length=128, short_share=0.1)
    plan = plan_pairs(text, 0, 1)
    documents = np.searchsorted(text.pieces.sentence_ends[text.stops - 1], plan.a_starts, side="right")
    _, firsts = np.unique(documents, return_index=True)
    targets = (plan.a_lengths + plan.b_lengths)[firsts]  # with sentences of one piece the target is met exactly
    is_short = (targets < 125) & ~plan.is_random[firsts]
    assert is_short.mean() == pytest.approx(0.05, abs=0.012)  # the other half, whose B may end early, is random
    assert targets[is_short].min() < 10
    assert targets[is_short].mean() == pytest.approx(63, abs=8)


def test_rows_of_pairs_have_their_special_pieces_and_segments():
    text = text_of([[4, 5, 6, 3], [7, 2, 9], [5, 5]], "pairs", context_length=24, batch_size=8)
    batch = pairs(text, 0, 1, Masking())
    original = batch.ids.copy().reshape(-1)
    original[batch.masked] = batch.targets
    rows = original.reshape(batch.ids.shape)
    assert batch.n_tokens == batch.lengths.sum()
    for row, segments, length, label in zip(rows, batch.segments, batch.lengths, batch.next_sentence, strict=True):
        assert row[0] == CLS
        first, second = np.flatnonzero(row == SEP)
        assert second == length - 1
        assert (row[length:] == PAD).all()
        assert segments.tolist() == [0] * (first + 1) + [1] * (length - first - 1) + [0] * (24 - length)
        a, b = (text.pieces.document_of(int(row[place]) - 5) for place in (1, first + 1))
        assert (a != b) == label


# --- packed ---------------------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(documents=DOCUMENTS, pass_number=st.integers(0, 3), context_length=st.integers(8, 32))
def test_packed_rows_hold_every_piece_once(documents, pass_number, context_length):
    text = text_of(documents, "packed", context_length=context_length)
    plan = plan_parts(text, pass_number, 7)
    places = [start + i for start, length in zip(plan.starts, plan.lengths, strict=True) for i in range(length)]
    assert places == list(range(text.pieces.n_tokens))
    first = 0
    for number, stop in enumerate(plan.rows):
        lengths = plan.lengths[first:stop] + 2
        assert lengths.sum() <= context_length
        assert stop > first
        if 0 < number < len(plan.rows) - 1:
            assert lengths.sum() > context_length - min(sequences.LEAST_PART, context_length)
        first = stop
    for start, length in zip(plan.starts, plan.lengths, strict=True):
        assert text.pieces.document_of(start) == text.pieces.document_of(start + length - 1)


def test_packed_rows_number_their_parts_and_restart_positions():
    text = text_of([[5], [4, 3], [30]], "packed", context_length=32, batch_size=2)
    batch = packed(text, 0, 1, Masking())
    row = int(np.flatnonzero(batch.documents[:, -1] == 2)[0])
    assert batch.documents[row].tolist() == [0] * 7 + [1] * 9 + [2] * 16
    assert batch.positions[row].tolist() == [*range(7), *range(9), *range(16)]
    original = batch.ids.copy().reshape(-1)
    original[batch.masked] = batch.targets
    assert original.reshape(batch.ids.shape)[row].tolist() == [
        CLS, *range(5, 10), SEP, CLS, *range(10, 17), SEP, CLS, *range(17, 31), SEP
    ]  # fmt: skip
    other = 1 - row
    assert batch.documents[other].tolist() == [0] * 18 + [-1] * 14
    assert batch.n_tokens == 32 + 18
    assert batch.lengths is batch.segments is batch.next_sentence is None


def test_passes_cut_elsewhere():
    text = text_of([[500], [500]], "packed", context_length=64)
    cuts = {tuple(plan_parts(text, pass_number, 1).starts.tolist()) for pass_number in range(5)}
    assert len(cuts) == 5


# --- contiguous -----------------------------------------------------------------------------------------------


def test_a_pass_of_stretches_holds_every_piece_in_order():
    text = text_of([[50, 50], [60]], "contiguous", context_length=16, batch_size=2)
    rows = np.concatenate([contiguous(text, number, 1).ids for number in range(5)])
    assert text.rows_of_pass == 10
    assert sorted(rows.reshape(-1).tolist()) == list(range(5, 165))
    for row in rows:
        assert set(np.diff(row).tolist()) <= {1, -159}  # the last row goes on at the beginning
    again = np.concatenate([contiguous(text, number, 1).ids for number in range(5, 10)])
    assert not np.array_equal(rows, again)


def test_stretches_pass_over_what_is_held_out():
    encoded = Encoded([[20], [20], [20]])
    whole = stream(encoded, layout="contiguous", context_length=8, batch_size=5)
    text = dataclasses.replace(whole, firsts=np.array([0, 2]), stops=np.array([1, 3]))
    seen = set(contiguous(text, 0, 1).ids.reshape(-1).tolist())
    assert len(seen) == 40
    assert not seen & set(range(25, 45))


def test_a_text_shorter_than_a_row_is_the_row():
    text = text_of([[5, 4]], "contiguous", context_length=16, batch_size=3)
    batch = contiguous(text, 0, 1)
    assert batch.lengths.tolist() == [9] * 3
    assert batch.n_tokens == 27
    assert (batch.ids[:, 9:] == 0).all()
    assert [sorted(row) for row in batch.ids[:, :9].tolist()] == [list(range(5, 14))] * 3


# --- masking --------------------------------------------------------------------------------------------------


def batches(text, masking, n=1):
    cut = pairs if text.layout == "pairs" else packed
    return [cut(text, number, 1, masking) for number in range(n)]


@settings(max_examples=40)
@given(
    documents=DOCUMENTS,
    share=st.sampled_from([0.05, 0.15, 0.4]),
    units=st.sampled_from(["pieces", "words"]),
    layout=st.sampled_from(["pairs", "packed"]),
)
def test_masking_keeps_the_rules(documents, share, units, layout):
    n = sum(map(sum, documents))
    starts = np.random.default_rng(n).random(n) < 0.6
    text = text_of(documents, layout, context_length=32, word_starts=starts)
    masking = Masking(share=share, units=units)
    (batch,) = batches(text, masking)
    n_places = masking.places(32)
    assert n_places == math.ceil(share * 32)
    assert batch.masked.shape == (4 * n_places,)
    assert (batch.masked // 32 == np.repeat(np.arange(4), n_places)).all()
    original = batch.ids.copy().reshape(-1)
    original[batch.masked] = batch.targets
    rows = original.reshape(4, 32)
    is_masked = np.zeros(4 * 32, bool)
    is_masked[batch.masked[batch.weights > 0]] = True
    assert is_masked.sum() == batch.weights.sum()
    assert (batch.targets[batch.weights > 0] >= 5).all()
    assert (batch.ids.reshape(-1)[~is_masked] == original[~is_masked]).all()
    assert set(batch.ids[~np.isin(batch.ids, original)].tolist()) <= {MASK, *range(5, text.pieces.n_entries)}
    assert not np.isin(batch.ids.reshape(-1)[is_masked], [PAD, UNK, CLS, SEP]).any()
    for row, chosen in zip(rows, is_masked.reshape(4, 32), strict=True):
        n_real = int((row != PAD).sum())
        due = min(n_places, max(1, round(share * n_real)), int((row >= 5).sum()))
        assert chosen.sum() == due if units == "pieces" else chosen.sum() <= due
        if units == "words":
            for column in np.flatnonzero(chosen):
                behind = column + 1
                if behind < 32 and row[behind] == row[column] + 1 and not starts[row[behind] - 5]:
                    assert chosen[behind]


def test_fates_are_those_of_the_paper():
    text = text_of([[2000]] * 5, "packed", context_length=128, batch_size=32, n_entries=30_000)
    chosen = {"mask": 0, "kept": 0, "random": 0}
    randoms, places = [], []
    for batch in batches(text, Masking(), 20):
        real = batch.weights > 0
        shown, stood = batch.ids.reshape(-1)[batch.masked[real]], batch.targets[real]
        chosen["mask"] += int((shown == MASK).sum())
        chosen["kept"] += int((shown == stood).sum())
        other = (shown != MASK) & (shown != stood)
        chosen["random"] += int(other.sum())
        randoms += shown[other].tolist()
        places += (batch.masked[real] % 128).tolist()
    n = sum(chosen.values())
    assert n == pytest.approx(20 * 32 * round(0.15 * 128), rel=0.02)
    assert chosen["mask"] / n == pytest.approx(0.8, abs=0.02)
    assert chosen["kept"] / n == pytest.approx(0.1, abs=0.015)
    assert chosen["random"] / n == pytest.approx(0.1, abs=0.015)
    assert min(randoms) >= 5
    assert np.mean(randoms) == pytest.approx(15_000, rel=0.05)
    assert np.mean(places) == pytest.approx(63.5, rel=0.03)


def test_a_word_that_would_be_too_many_is_passed_over():
    starts = np.zeros(120, bool)
    starts[::30] = True  # words of 30 pieces, of which 5 may be hidden
    text = text_of([[60], [60]], "packed", context_length=32, word_starts=starts)
    (batch,) = batches(text, Masking(units="words"))
    assert batch.weights.sum() <= 5 * 4


def test_words_need_word_starts():
    with pytest.raises(FirthError, match="encoded without them"):
        batches(text_of([[60], [60]], "packed"), Masking(units="words"))


@pytest.mark.parametrize("share", [0.0, 1.0, -1])
def test_impossible_shares_are_refused(share):
    with pytest.raises(UsageError, match="is to be masked"):
        Masking(share=share)
    with pytest.raises(UsageError, match="'letters'"):
        Masking(units="letters")


def test_the_most_masks_are_the_originals():
    assert Masking().places(128) == 20
    assert Masking().places(512) == 77


# --- passes, resuming, held-out -------------------------------------------------------------------------------


def cut_any(text, number, seed):
    if text.layout == "contiguous":
        return contiguous(text, number, seed)
    return {"pairs": pairs, "packed": packed}[text.layout](text, number, seed, Masking())


def same(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("layout", ["contiguous", "pairs", "packed"])
def test_a_batch_is_a_function_of_text_number_and_seed(layout):
    documents = [[7, 9, 4, 12]] * 9
    text = text_of(documents, layout)
    straight = [cut_any(text, number, 3) for number in range(30)]
    fresh = text_of(documents, layout)
    for number in (29, 11, 0):
        assert same(cut_any(fresh, number, 3), straight[number])
    assert not same(cut_any(text, 0, 4), straight[0])
    first, second = straight[0], cut_any(text, text.n_batches, 3)
    assert not same(first, second)


@pytest.mark.parametrize("layout", ["contiguous", "packed", "pairs"])
def test_tokens_before_counts_tokens(layout):
    text = text_of([[7, 9, 4, 12, 8]] * 40, layout, batch_size=4)
    n = 3 * text.n_batches
    real = sum(cut_any(text, number, 0).n_tokens for number in range(n))
    assert text.tokens_before(n) == pytest.approx(real, rel=0.05 if layout == "pairs" else 0.02)
    assert text.tokens_before(0) == 0
    steps = np.diff([text.tokens_before(number) for number in range(n)])
    assert (steps > 0).all()
    assert text.tokens_before(text.n_batches) >= text.n_tokens


@given(n=st.integers(1, 300), key=st.integers(0, 2**63))
def test_a_random_order_is_an_order(n, key):
    order = [shuffled(rank, n, np.uint64(key)) for rank in range(n)]
    assert sorted(order) == list(range(n))


def test_orders_are_even():
    first = [shuffled(0, 10, np.uint64(key * 7919)) for key in range(5000)]
    assert np.bincount(first, minlength=10) == pytest.approx(np.full(10, 500), abs=100)


@pytest.mark.parametrize("layout", ["contiguous", "pairs", "packed"])
def test_what_is_held_out_is_whole_documents_that_training_never_sees(layout):
    encoded = Encoded([[7, 9, 4, 12]] * 900)
    text = stream(encoded, layout=layout, context_length=16, batch_size=8)
    out = text.held_out
    assert 0.005 * encoded.n_tokens <= out.n_pieces <= 0.06 * encoded.n_tokens
    assert text.n_pieces + out.n_pieces == encoded.n_tokens
    sentences = [sentence for part in (text, out) for pair in zip(part.firsts, part.stops, strict=True)
                 for sentence in range(*pair)]  # fmt: skip
    assert sorted(sentences) == list(range(encoded.n_sentences))

    def documents(part):
        found = set()
        for number in range(part.n_batches):
            batch = cut_any(part, number, 0)
            ids = batch.ids.reshape(-1).copy()
            if layout != "contiguous":
                ids[batch.masked] = batch.targets
            found |= {encoded.document_of(int(place) - 5) for place in ids if place >= 5}
        return found

    assert documents(out) <= set((out.firsts // 4).tolist())
    assert not documents(text) & set((out.firsts // 4).tolist())
    again = stream(encoded, layout=layout, context_length=16, batch_size=8)
    assert np.array_equal(again.held_out.firsts, out.firsts)
    n_rows = out.n_batches * out.batch_size
    assert out.batch_size <= 8
    assert out.rows_of_pass <= n_rows < out.rows_of_pass + out.n_batches


def test_of_one_document_the_end_is_held_out():
    text = stream(Encoded([[10] * 100]), layout="contiguous", context_length=16, batch_size=2)
    assert text.stops.tolist() == [95]
    assert (text.held_out.firsts.tolist(), text.held_out.stops.tolist()) == ([95], [100])


@pytest.mark.parametrize("documents", [[[10]], [[9, 9]], [[50], [50]]])
def test_of_the_smallest_corpora_nothing_is_held_out(documents):
    text = stream(Encoded(documents), layout="packed", context_length=16, batch_size=2)
    assert text.held_out is None
    assert text.n_pieces == sum(map(sum, documents))
    assert packed(text, 0, 1, Masking()).ids.shape == (2, 16)


# --- corpora that do not suit ---------------------------------------------------------------------------------


def test_one_document_has_no_pairs():
    with pytest.raises(FirthError, match="the corpus has one document; train with masked tokens alone"):
        stream(Encoded([[5, 5, 5]]), layout="pairs", context_length=16, batch_size=2)


def test_documents_of_one_sentence_have_no_pairs():
    with pytest.raises(FirthError, match="all 3 have one; train with masked tokens alone"):
        stream(Encoded([[5], [5], [5]]), layout="pairs", context_length=16, batch_size=2)


def test_one_piece_is_nothing_to_predict():
    with pytest.raises(FirthError, match="one piece"):
        stream(Encoded([[1]]), layout="contiguous", context_length=16, batch_size=2)


def test_rows_need_some_tokens():
    with pytest.raises(UsageError, match="rows of 4 tokens"):
        stream(Encoded([[50]]), layout="packed", context_length=4, batch_size=2)


@pytest.mark.parametrize("context_length", range(8, 21))
@pytest.mark.parametrize("layout", ["contiguous", "pairs", "packed"])
def test_the_shortest_rows_are_filled(layout, context_length):
    text = stream(Encoded([[30, 5, 9]] * 40), layout=layout, context_length=context_length, batch_size=4)
    for part in (text, text.held_out):
        for number in range(2 * part.n_batches):
            batch = cut_any(part, number, 1)
            assert batch.ids.shape == (part.batch_size, context_length)
            assert 0 < batch.n_tokens <= batch.ids.size


def test_bert_needs_its_special_pieces():
    encoded = Encoded([[50], [50]])
    encoded.cls = encoded.mask = None
    with pytest.raises(FirthError, match="no entry for cls, mask"):
        stream(encoded, layout="packed", context_length=16, batch_size=2)


@pytest.mark.parametrize("layout", ["contiguous", "pairs", "packed"])
def test_a_batch_larger_than_the_corpus_repeats_it(layout):
    text = text_of([[5, 5], [5, 5]], layout, batch_size=64)
    assert text.rows_of_pass < 64
    assert cut_any(text, 0, 1).ids.shape == (64, 16)
    assert text.n_batches == 1
