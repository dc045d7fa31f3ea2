"""Outliers and categories: by hand, against gensim, and their files."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firth import groups
from firth.errors import FirthError
from firth.groups import Category, Group
from firth.vectors import Vectors

WORDS = ["cat", "dog", "cow", "car", "bus", "New", "York", "noise"]
ARRAY = np.array(
    [[1, 0.1, 0], [1, -0.1, 0], [1, 0, 0.3], [0, 1, 0], [0.1, 1, 0], [0, 1, 1], [0, 1, -1], [-1, -1, -1]], np.float32
)
NAN = float("nan")


def write(path, text):
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text.encode())
    return path


# --- outliers


def test_outliers_by_hand():
    """`car` is least like the animals; `cow` among cars is found as well; `dog` is no outlier of the animals."""
    animals = Group("animals", ("cat", "cow", "dog"), ("car",))
    wheels = Group("wheels", ("car", "bus", "York"), ("cow",))
    found = groups.evaluate_outliers(WORDS, ARRAY, [animals, wheels])
    assert (found.accuracy, found.opp, found.n_asked, found.n_answered) == (1, 1, 2, 2)
    units = ARRAY / np.linalg.norm(ARRAY, axis=1, keepdims=True)
    cosines = units @ units.T
    rows = [WORDS.index(word) for word in ("cat", "dog", "car", "bus", "cow")]
    mixed = Group("mixed", ("cat", "dog", "car", "bus"), ("cow",))
    sums = [sum(cosines[row, other] for other in rows if other != row) for row in rows]
    due = sum(total > sums[-1] for total in sums[:-1]) / 4  # `cow` is not the least like the others
    found = groups.evaluate_outliers(WORDS, ARRAY, [mixed])
    assert (found.accuracy, found.opp, found.positions) == (0, due, (due,))
    assert due < 1


def test_compactness_is_that_of_the_paper():
    """Equation 1, of each word left out: the outlier is at the place of its group's compactness without it."""
    rng = np.random.default_rng(6)
    array = rng.normal(size=(9, 6)).astype(np.float32) + 0.5
    words = [f"w{n}" for n in range(9)]
    units = array / np.linalg.norm(array, axis=1, keepdims=True)
    cosines = (units @ units.T).astype(np.float64)

    def compactness(left_out):
        kept = [row for row in range(9) if row != left_out]
        return np.mean([cosines[i, j] for i in kept for j in kept if i != j])

    scores = [compactness(row) for row in range(9)]
    due = sum(score < scores[8] for score in scores[:8]) / 8
    found = groups.evaluate_outliers(words, array, [Group("all", tuple(words[:8]), (words[8],))])
    assert found.opp == due


def test_unknown_words_are_left_out_and_unknown_outliers_not_answered():
    asked = [
        Group("animals", ("cat", "dog", "unicorn"), ("car", "dragon")),
        Group("one", ("cat", "unicorn"), ("car",)),
    ]
    found = groups.evaluate_outliers(WORDS, ARRAY, asked)
    assert (found.n_asked, found.n_answered, found.accuracy) == (3, 1, 1)
    assert found.unknown == ("unicorn", "dragon")
    np.testing.assert_array_equal(found.items(), [1, NAN, NAN])
    np.testing.assert_array_equal(found.found(), [1, NAN, NAN])
    nothing = groups.evaluate_outliers(WORDS, ARRAY, asked[1:])
    assert np.isnan([nothing.accuracy, nothing.opp]).all()


def test_several_words_have_the_mean_of_theirs():
    asked = [Group("wheels", ("car", "bus"), ("New_York",)), Group("wheels", ("car", "New York"), ("cat", "New_Delhi"))]
    found = groups.evaluate_outliers(WORDS, ARRAY, asked)
    assert found.unknown == ("New_Delhi",)
    whole = np.vstack([ARRAY, ARRAY[5:7].mean(0)])
    due = groups.evaluate_outliers([*WORDS, "New_York"], whole, asked[:1])
    assert found.positions[0] == due.positions[0]


def test_words_are_compared_folded_unless_asked_otherwise():
    asked = [Group("animals", ("CAT", "Dog"), ("CAR",))]
    assert groups.evaluate_outliers(WORDS, ARRAY, asked).accuracy == 1
    assert groups.evaluate_outliers(WORDS, ARRAY, asked, fold=str).n_answered == 0
    assert groups.evaluate_outliers(WORDS, ARRAY, asked, restrict=3).unknown == ("CAR",)
    others = {"CAR": ARRAY[3]}
    assert groups.evaluate_outliers(WORDS, ARRAY, asked, restrict=3, others=others).accuracy == 1


def test_what_is_found_is_gensims_doesnt_match():
    models = pytest.importorskip("gensim.models")
    rng = np.random.default_rng(0)
    words = [f"w{n}" for n in range(60)]
    array = rng.normal(size=(60, 10)).astype(np.float32) + 0.3
    keyed = models.KeyedVectors(10)
    keyed.add_vectors(words, array)
    asked = []
    for _ in range(50):
        *members, outlier = rng.choice(60, 6, replace=False).tolist()
        asked.append(Group("g", tuple(words[row] for row in members), (words[outlier],)))
    found = groups.evaluate_outliers(words, array, asked)
    due = [keyed.doesnt_match([*group.members, *group.outliers]) == group.outliers[0] for group in asked]
    assert found.found().tolist() == [float(one) for one in due]
    assert 0 < sum(due) < 50


@pytest.mark.parametrize(
    "text", ["cat\ndog\n\ncar\nbus\n", "\n\ncat\r\n dog \r\n\r\n\r\ncar\r\nbus", "\ufeffcat\ndog\n   \ncar\nbus\n\n"]
)
def test_groups_are_read_as_they_were_published(tmp_path, text):
    path = write(tmp_path / "Big_cats.txt", text)
    assert groups.read_outliers(path) == [Group("Big_cats", ("cat", "dog"), ("car", "bus"))]


def test_a_folder_of_groups_and_several_in_a_file(tmp_path):
    write(tmp_path / "set" / "b.txt", "x\ny\n\nz\n")
    write(tmp_path / "set" / "a.txt", ": first\na b\nc\n\nd\n: second\ne\nf\n\ng\nh\n")
    write(tmp_path / "set" / "notes.md", "nothing")
    assert groups.read_outliers(tmp_path / "set") == [
        Group("first", ("a b", "c"), ("d",)),
        Group("second", ("e", "f"), ("g", "h")),
        Group("b", ("x", "y"), ("z",)),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cat\ndog\n", "2 words, an empty line, and 0 outliers"),
        ("cat\n\ndog\n", "has 1 words"),
        ("cat\ndog\n\ncat\n", r"line 4: 'cat' stands twice"),
        ("", "holds no group"),
    ],
)
def test_malformed_groups(tmp_path, text, message):
    with pytest.raises(FirthError, match=message):
        groups.read_outliers(write(tmp_path / "g.txt", text))


word = st.text(st.characters(whitelist_categories=["L", "N"]), min_size=1, max_size=6)


@given(st.lists(word, min_size=3, max_size=12, unique=True), st.integers(2, 11))
def test_written_groups_are_read(tmp_path_factory, words, n_members):
    n_members = min(n_members, len(words) - 1)
    path = tmp_path_factory.mktemp("groups") / "name.txt"
    write(path, "\n".join([*words[:n_members], "", *words[n_members:]]))
    assert groups.read_outliers(path) == [Group("name", tuple(words[:n_members]), tuple(words[n_members:]))]


# --- categories


def test_categories_by_hand():
    asked = [Category(word, "animal") for word in ("cat", "DOG", "cow")]
    asked += [Category(word, "vehicle") for word in ("car", "bus", "rocket")]
    found = groups.evaluate_categories(WORDS, ARRAY, asked)
    assert (found.purity, found.n_clusters, found.n_asked, found.n_answered) == (1, 2, 6, 5)
    assert found.unknown == ("rocket",)
    assert found.categories == (0, 0, 0, 1, 1, 1)
    assert found.clusters == (0, 0, 0, 1, 1, None)
    assert found.items().shape == (6, 2)
    # `cat` stands a second time, as a vehicle, and falls among the animals: 5 of 6
    mixed = [*asked[:3], Category("car", "vehicle"), Category("bus", "vehicle"), Category("cat", "vehicle")]
    assert groups.evaluate_categories(WORDS, ARRAY, mixed).purity == pytest.approx(5 / 6)


def test_categories_without_a_known_word():
    found = groups.evaluate_categories(WORDS, ARRAY, [Category("rocket", "vehicle")])
    assert np.isnan(found.purity)
    assert (found.n_answered, found.n_clusters, found.clusters) == (0, 0, (None,))


@pytest.mark.parametrize("text", ["cat\tanimal\nNew York\tcity\n", "# words\ncat,animal\r\nNew York,city\r\n"])
def test_categories_are_read(tmp_path, text):
    found = groups.read_categories(write(tmp_path / "c.tsv", text))
    assert found == [Category("cat", "animal"), Category("New York", "city")]


@pytest.mark.parametrize(
    ("text", "message"),
    [("cat animal\ndog\n", "line 2: a word and its category"), ("\tanimal\n", "line 1"), ("# none\n", "holds no word")],
)
def test_malformed_categories(tmp_path, text, message):
    with pytest.raises(FirthError, match=message):
        groups.read_categories(write(tmp_path / "c.txt", text))


@given(st.lists(st.tuples(word, word), min_size=1, max_size=8), st.sampled_from("\t, "))
def test_written_categories_are_read(tmp_path_factory, entries, delimiter):
    path = write(tmp_path_factory.mktemp("categories") / "c.txt", "".join(f"{a}{delimiter}{b}\n" for a, b in entries))
    assert groups.read_categories(path) == [Category(*entry) for entry in entries]


@pytest.mark.parametrize("read", [groups.read_outliers, groups.read_categories])
def test_files_that_cannot_be_read(tmp_path, read):
    with pytest.raises(FirthError, match="cannot be read"):
        read(tmp_path / "missing.txt")
    (tmp_path / "latin").write_bytes(b"caf\xe9\tplace\n")
    with pytest.raises(FirthError, match="not UTF-8 at byte 3"):
        read(tmp_path / "latin")


# --- of Vectors


def test_vectors_ask_the_same(tmp_path):
    vectors = Vectors(WORDS, ARRAY)
    path = write(tmp_path / "g.txt", "cat\ndog\ncow\n\ncar\n")
    assert vectors.evaluate_outliers(path) == groups.evaluate_outliers(WORDS, ARRAY, groups.read_outliers(path))
    path = write(tmp_path / "c.txt", "cat animal\ncow animal\ncar vehicle\n")
    assert vectors.evaluate_categories(path).purity == 1
    assert " clusters=" not in repr(vectors.evaluate_categories(path))
    assert "positions" not in repr(vectors.evaluate_outliers([Group("a", ("cat", "dog"), ("car",))]))
