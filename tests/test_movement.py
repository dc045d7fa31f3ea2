import json
import re

import numpy as np
import pytest

from firth import cli, movement
from firth.errors import FirthError, UnknownWordError, UsageError
from firth.movement import Moved, align, change
from firth.segmentation import Segmentation
from firth.vectors import Vectors

RNG = np.random.default_rng(17)

EAST, NORTH = np.array([1, 0]), np.array([0, 1])
COMPASS = {
    **{f"east{n}": (EAST, EAST) for n in range(3)},
    **{f"west{n}": (-EAST, -EAST) for n in range(3)},
    **{f"north{n}": (NORTH, NORTH) for n in range(3)},
    **{f"south{n}": (-NORTH, -NORTH) for n in range(3)},
    "mover": (EAST, NORTH),
    "opposite": (-EAST, -NORTH),
}
"""Where words point before and after: two moved by a right angle. Either mean is 0, so that nothing is taken away.

The sum of the products old' new is [[6, 2], [0, 6]]; the rotation that takes most of it along turns by the angle whose
tangent is 2 / 12, so that the twelve words which stayed move by 1 - 6 / sqrt(37), the two others by 1 - 1 / sqrt(37).
"""
STAYED, MOVED = 1 - 6 / np.sqrt(37), 1 - 1 / np.sqrt(37)


def turned(array, degrees):
    angle = np.deg2rad(degrees)
    return array @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])


@pytest.fixture
def compass():
    old = Vectors(list(COMPASS), np.array([before for before, _ in COMPASS.values()]) * 3.0)
    names = list(reversed(COMPASS))  # rows that stand elsewhere
    new = Vectors(names, turned(np.array([COMPASS[name][1] for name in names]), 70))
    return old, new


def random_rotation(dim):
    return np.linalg.qr(RNG.standard_normal((dim, dim)))[0]


N_WORDS, DIM = 600, 8
WORDS = [f"word{row}" for row in range(N_WORDS)]
CHANGED = ["word3", "word40", "word222", "word501"]


def period(meanings, noise=0.15):
    """Vectors that training might give: noise, a length for each word, and a space that lies anyhow."""
    noisy = meanings + noise * RNG.standard_normal(meanings.shape)
    lengths = RNG.uniform(0.5, 2, (len(meanings), 1))
    return Vectors(WORDS, (lengths * noisy) @ random_rotation(meanings.shape[1]), counts=np.arange(N_WORDS, 0, -1))


@pytest.fixture(scope="module")
def periods():
    """Vectors before and after a change of four words, and a second set of those before."""
    meanings = RNG.standard_normal((N_WORDS, DIM))
    after = meanings.copy()
    after[[WORDS.index(word) for word in CHANGED]] *= -1
    return period(meanings), period(after), period(meanings)


# --- by hand


def test_a_known_rotation_and_one_pair_of_words_that_moved(compass):
    found = {moved.word: moved for moved in change(*compass, topn=14)}
    assert set(found) == set(COMPASS)
    for word, moved in found.items():
        assert moved.movement == pytest.approx(MOVED if word in ("mover", "opposite") else STAYED, abs=1e-6)
    assert {moved.word for moved in change(*compass, topn=2)} == {"mover", "opposite"}


def test_neighbours_before_and_after(compass):
    (mover,) = change(*compass, ["mover"], n_neighbours=3)
    assert {word for word, _ in mover.old_neighbours} == {"east0", "east1", "east2"}
    assert {word for word, _ in mover.new_neighbours} == {"north0", "north1", "north2"}
    assert mover.old_neighbours[0][1] == pytest.approx(1)


def test_the_rotation_itself(compass):
    old, _ = compass
    alignment = align(old, Vectors(old.words, turned(old.matrix, 30)))
    np.testing.assert_allclose(turned(np.eye(2), 30), alignment.rotation, atol=1e-6)
    np.testing.assert_allclose(alignment.movements, 0, atol=1e-6)


# --- what holds of any vectors


def test_how_the_two_spaces_lie_and_how_long_vectors_are_changes_nothing(periods):
    old, new, _ = periods
    elsewhere = Vectors(WORDS, 4 * new.matrix @ random_rotation(DIM))
    np.testing.assert_allclose(align(old, elsewhere).movements, align(old, new).movements, atol=1e-5)


def test_there_and_back_is_as_far(periods):
    old, new, _ = periods
    np.testing.assert_allclose(align(new, old).movements, align(old, new).movements, atol=1e-5)


def test_no_other_turn_leaves_less(periods):
    old, new, _ = periods
    alignment = align(old, new)
    for _ in range(5):
        small = np.linalg.qr(np.eye(DIM) + 0.02 * RNG.standard_normal((DIM, DIM)))[0]
        other = alignment._replace(rotation=alignment.rotation @ small * np.sign(np.diag(small)))
        assert other.between(alignment.old_rows, alignment.new_rows).sum() > alignment.movements.sum()


def test_what_changed_moved_beyond_chance_and_little_else(periods):
    old, new, twin = periods
    moved = change(old, new, topn=N_WORDS, chance=(old, twin))
    assert {each.word for each in moved[:4]} == set(CHANGED)
    assert not any(each.within_chance for each in moved[:4])
    assert sum(not each.within_chance for each in moved[4:]) < 0.08 * N_WORDS
    assert (moved[0].old_count, moved[0].new_count) == (N_WORDS - WORDS.index(moved[0].word),) * 2


def test_a_far_move_that_chance_makes_too_comes_behind_a_shorter_one():
    meanings = RNG.standard_normal((N_WORDS, DIM))
    noise = np.where(np.arange(N_WORDS) < 300, 0.1, 1.5)[:, np.newaxis]  # the rarer half is hardly learnt
    after = meanings.copy()
    after[7, : DIM // 2] *= -1
    old, new, first, second = (period(meaning, noise) for meaning in (meanings, after, meanings, meanings))
    assert change(old, new, topn=1)[0].word != "word7"
    found = change(old, new, topn=5, chance=(first, second))
    assert (found[0].word, found[0].within_chance) == ("word7", False)


def test_chance_of_words_by_themselves_and_of_words_as_frequent(periods):
    old, new, twin = periods
    alignment = align(old, twin)
    (third,) = change(old, new, ["word3"], chance=(old, twin))
    assert third.by_chance == pytest.approx(alignment.movements[3])
    assert third.limit == pytest.approx(np.quantile(alignment.movements[:104], 0.95))


@pytest.mark.parametrize(
    ("by_chance", "limit", "within"),
    [(None, None, None), (0.5, None, True), (None, 0.3, False), (0.1, 0.5, True), (0.5, 0.1, True), (0.1, 0.3, False)],
)
def test_within_chance_is_below_the_larger_of_both(by_chance, limit, within):
    assert Moved("word", 0.4, by_chance, limit, None, None, [], []).within_chance is within


def test_words_that_the_chance_models_lack(periods):
    old, new, twin = periods
    half = twin.vectors_for_all(WORDS[:300])
    found = change(old, new, ["word3", "word501"], chance=(half, half))
    assert (found[0].by_chance, found[1].by_chance, found[1].limit) == (pytest.approx(0, abs=1e-6), None, None)
    assert found[1].within_chance is None


# --- what takes part


def test_only_frequent_words_that_both_have_take_part(periods):
    old, new, _ = periods
    behind = new.vectors_for_all([*WORDS[200:], *WORDS[:100]])  # words 0 to 99 are the rarest here
    alignment = align(old, behind, restrict=150)
    assert sorted(alignment.old_rows) == [*range(200, 350)]
    assert [behind.words[row] for row in alignment.new_rows] == [WORDS[row] for row in alignment.old_rows]
    (rare,) = change(old, behind, ["word99"], restrict=150)  # asked for, it is told all the same
    assert rare.movement < 0.2


def test_a_vector_of_zeros_takes_no_part(periods):
    old, new, _ = periods
    array = new.matrix.copy()
    array[5] = 0
    holed = Vectors(WORDS, array)
    assert 5 not in align(old, holed).old_rows
    with pytest.raises(FirthError, match="in the new vectors, 'word5' is all zeros"):
        change(old, holed, ["word5"])


def test_one_layer_is_compared(periods):
    old, new, _ = periods
    layers = Vectors(WORDS, np.stack([new.matrix, old.matrix]))
    assert change(old, layers, topn=1)[0].movement == pytest.approx(0, abs=1e-6)
    with pytest.raises(UsageError, match="layer 1 asked"):
        change(old, layers, layer=1)
    assert change(layers, layers, layer=0, topn=1)[0].movement == pytest.approx(0, abs=1e-6)


def test_last_layers_that_differ_are_not_compared(periods):
    old, new, twin = periods
    six, twelve = (
        Vectors(WORDS, np.stack([vectors.matrix, vectors.matrix]), provenance={"layers": [0, number]})
        for vectors, number in ((old, 6), (new, 12))
    )
    with pytest.raises(UsageError, match=r"that of the old vectors is 6, that of the new ones is 12.*layer="):
        change(six, twelve)
    with pytest.raises(UsageError, match="of the old vectors is 6, that of the new ones is 12"):
        change(six.layer(6), twelve)
    with pytest.raises(UsageError, match="of the new ones is 6, that of the first by chance is 12"):
        change(old, six, chance=(twelve, twin))
    with pytest.raises(UsageError, match="of the first by chance is 6, that of the second is 12"):
        change(old, new, chance=(six, twelve))
    assert change(six, twelve, layer=0, topn=1)[0].movement == change(old, new, topn=1)[0].movement
    assert change(old, six, topn=1)[0].movement == pytest.approx(0, abs=1e-6)  # of one matrix nobody told its layer


@pytest.mark.parametrize("which", ["old", "new"])
def test_an_unknown_word_says_where(periods, which):
    old, new, _ = periods
    few = WORDS[:50]
    with pytest.raises(UnknownWordError, match=f"in the {which} vectors, 'word77' is not one of the 50 words"):
        change(*((old.vectors_for_all(few), new) if which == "old" else (old, new.vectors_for_all(few))), ["word77"])


def test_too_few_shared_words_and_other_dims(periods):
    old, _, _ = periods
    with pytest.raises(FirthError, match=re.escape("1 words are shared, and dim is 8")):
        change(old, Vectors(["word1", "other"], np.ones((2, DIM))))
    with pytest.raises(FirthError, match=re.escape("0 words are shared")):
        change(old, Vectors(["other"], np.ones((1, DIM))))
    with pytest.raises(UsageError, match="the old vectors have dim 8, the new ones 3"):
        change(old, Vectors(WORDS, RNG.standard_normal((N_WORDS, 3))))


def test_numbers_that_are_not_finite_are_named(periods):
    old, new, _ = periods
    array = new.matrix.copy()
    array[9, 1] = np.inf
    with pytest.raises(FirthError, match="in the new vectors, that of 'word9' holds a number that is not finite"):
        change(old, Vectors(WORDS, array))


# --- the command


@pytest.fixture
def folders(periods, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, vectors in zip(("old", "new", "twin"), periods, strict=True):
        vectors.save(name)


def test_change_prints_a_table(folders, capsys):
    assert cli.main(["change", "old", "new", "-n", "4", "--neighbours", "2", "--chance", "old", "twin"]) == 0
    captured = capsys.readouterr()
    header, *rows = [line.split("\t") for line in captured.out.splitlines()]
    assert header == [
        *("word", "moved", "by chance", "chance limit", "verdict"),
        *("old count", "new count", "old neighbours", "new neighbours"),
    ]
    assert {row[0] for row in rows} == set(CHANGED)
    assert {row[4] for row in rows} == {"moved"}
    assert all(row[7].count(", ") == 1 for row in rows)
    assert captured.err == ""


def test_change_of_words_as_json(folders, capsys):
    assert cli.main(["change", "old", "new", "word3", "word4", "--chance", "old", "twin", "--json"]) == 0
    third, fourth = json.loads(capsys.readouterr().out)
    assert (third["word"], third["within_chance"]) == ("word3", False)
    assert (fourth["word"], fourth["within_chance"]) == ("word4", True)
    assert third["movement"] > max(third["by_chance"], third["limit"])
    assert len(third["old_neighbours"]) == 5
    assert all(isinstance(cosine, float) for cosine in third["new_neighbours"].values())


def test_change_without_chance_says_how_to_know_it(folders, capsys):
    assert cli.main(["change", "old", "new", "word3"]) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines()[0] == "word\tmoved\told count\tnew count\told neighbours\tnew neighbours"
    assert "--chance A B" in captured.err


def test_change_cuts_text_as_the_old_models_corpus_was(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["今天", "开心", "我", "好"]
    for name in ("old", "new"):
        Vectors(words, np.vstack([np.eye(3), -np.ones(3)]), segmentation=Segmentation(method="chinese")).save(name)
    assert cli.main(["change", "old", "new", "我今天开心", "--json"]) == 0
    assert [row["word"] for row in json.loads(capsys.readouterr().out)] == ["我", "今天", "开心"]


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["old", "new", "nobody"], 1, "in the old vectors, 'nobody' is not one of"),
        (["old", "elsewhere"], 1, "elsewhere"),
        (["old", "new", "--layer", "3"], 2, "layer 3 asked"),
        (["old"], 2, "NEW"),
    ],
)
def test_wrong_calls(folders, capsys, arguments, status, message):
    assert cli.main(["change", *arguments]) == status
    captured = capsys.readouterr()
    assert message in captured.err
    assert "Traceback" not in captured.err


def test_the_order_is_by_the_limits_of_each_word(periods, monkeypatch):
    """`strengths`, of all words at once, is by what `of_word` and `limit` say of each."""
    old, new, twin = periods
    monkeypatch.setattr(movement, "WORDS_AT_ONCE", 7)
    monkeypatch.setattr(movement, "ALIKE", 15)
    some = twin.vectors_for_all([word for number, word in enumerate(WORDS) if number % 3 or 60 < number < 120])
    alignment = align(old, new)
    for chance in ((old, twin), (some, twin), (some.vectors_for_all(WORDS[:40]), twin)):
        chances = movement._Chances.of(alignment, chance, None)
        due = []
        for row, rank, movement_of_word in zip(alignment.new_rows, chances.ranks, alignment.movements, strict=True):
            known = [chances.of_word(new.words[row]), chances.limit(rank)]
            furthest = max((number for number in known if number is not None), default=0)
            due.append(movement_of_word / furthest if furthest else 0)
        np.testing.assert_allclose(chances.strengths(alignment), due, rtol=1e-9)
        place = 200
        alike = chances.distances[place - 15 : place + 16]
        alike = alike[~np.isnan(alike)]
        limit = chances.limit(chances.ranks[place])
        assert limit == (pytest.approx(np.quantile(alike, 0.95)) if len(alike) >= movement.FEWEST_ALIKE else None)
