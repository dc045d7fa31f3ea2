import math
import os
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firth import evaluation
from firth.errors import FirthError, UsageError
from firth.evaluation import Analogy, WordPair

SHARED = Path(os.environ.get("FIRTH_SHARED", Path(__file__).parents[2] / "shared")) / "data" / "eval"
# king - man + woman = queen, and so on, exactly; "noise" is far from all
WORDS = ["man", "woman", "king", "queen", "boy", "girl", "noise"]
ARRAY = np.array(
    [[1, 0, 0, 0], [0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 1, 0], [1, 0, 0, 1], [0, 1, 0, 1], [-1, -1, -1, -1]],
    np.float32,
)


def shared_file(name):
    if not (SHARED / name).is_file():
        pytest.skip(f"FIRTH_SHARED has no data/eval/{name}")
    return SHARED / name


def write(path, text):
    path.write_bytes(text.encode())
    return path


# --- words that have no row


def test_vectors_of_other_words_answer_too():
    pairs = [WordPair("king", "queen", 3.0), WordPair("KINGS", "queen", 2.0), WordPair("king", "nowhere", 1.0)]
    pairs += [WordPair("boy", "girl", 2.5), WordPair("king", "kings", 9.0)]
    plain = evaluation.evaluate_pairs(WORDS, ARRAY, pairs)
    assert (plain.n_answered, plain.n_asked, plain.unknown) == (2, 5, ("KINGS", "nowhere", "kings"))
    others = {"KINGS": ARRAY[2], "queen": ARRAY[6]}  # one that has a row keeps it
    found = evaluation.evaluate_pairs(WORDS, ARRAY, pairs, others=others)
    assert (found.n_answered, found.n_asked, found.unknown) == (4, 5, ("nowhere",))
    due = evaluation.evaluate_pairs([*WORDS, "kings"], np.vstack([ARRAY, ARRAY[2]]), pairs)
    assert found == due._replace(n_composed=found.n_composed)


# --- files


@pytest.mark.parametrize(
    "text",
    [
        "tiger\tcat\t7.35\nold\tnew\t1.58\n",
        "# a comment\nWord 1\tWord 2\tHuman (mean)\ntiger\tcat\t7.35\n\nold\tnew\t1.58",
        "Word 1,Word 2,Human (mean)\ntiger,cat,7.35\nold, new, 1.58\n",
        "tiger cat 7.35\nold   new 1.58\n",
        "word1 word2 score\r\ntiger cat 7.35\r\nold new 1.58\r\n",
        "\ufefftiger cat 7.35\nold new 1.58\n",
        "word1\tword2\tPOS\tscore\tmore\ntiger\tcat\tN\t7.35\t1\nold\tnew\tA\t1.58\t2\n",
    ],
)
def test_word_pairs_in_all_their_shapes(tmp_path, text):
    pairs = evaluation.read_word_pairs(write(tmp_path / "x", text))
    assert pairs == [WordPair("tiger", "cat", 7.35), WordPair("old", "new", 1.58)]


def test_tabs_part_words_that_contain_spaces(tmp_path):
    pairs = evaluation.read_word_pairs(write(tmp_path / "x", "New York\tBoston, MA\t5\n"))
    assert pairs == [WordPair("New York", "Boston, MA", 5.0)]


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(categories=["L"]), min_size=1),
            st.text(st.characters(categories=["L"]), min_size=1),
            st.floats(0, 10),
        ),
        min_size=1,
        max_size=5,
    ),
    st.sampled_from(["\t", ",", " "]),
)
def test_written_pairs_are_read(tmp_path_factory, pairs, delimiter):
    path = tmp_path_factory.mktemp("pairs") / "x"
    write(path, "".join(f"{first}{delimiter}{second}{delimiter}{score!r}\n" for first, second, score in pairs))
    assert evaluation.read_word_pairs(path) == pairs


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no word pair"),
        ("# nothing\nword1 word2 score\n", "holds no word pair"),
        ("a b 1\nc d\n", "line 2: two words and a score are due"),
        ("# x\n\na b 1\nc d high\n", "line 4: the score 'high' is not a number"),
        ("a b 1\nc d nan\n", "line 2: the score 'nan' is not a number"),
        ("word1 word2 score\nc d high\n", "line 2: two words and a score are due"),
    ],
)
def test_malformed_word_pairs(tmp_path, text, message):
    with pytest.raises(FirthError, match=re.escape(message)):
        evaluation.read_word_pairs(write(tmp_path / "x", text))


def test_analogy_files(tmp_path):
    path = write(tmp_path / "x", ": family\r\nboy girl man woman\r\n\r\n:royal\r\nman king woman queen\r\n")
    assert evaluation.read_analogies(path) == [
        Analogy("family", "boy", "girl", "man", "woman"),
        Analogy("royal", "man", "king", "woman", "queen"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no question"),
        (": empty\n", "holds no question"),
        ("a b c d\n", "line 1: a line ': section' is due before the first question"),
        (": x\na b c d\na b c\n", "line 3: 3 words where 4 are due"),
        (": x\na b c d e\n", "line 2: 5 words where 4 are due"),
    ],
)
def test_malformed_analogies(tmp_path, text, message):
    with pytest.raises(FirthError, match=re.escape(message)):
        evaluation.read_analogies(write(tmp_path / "x", text))


@pytest.mark.parametrize("read", [evaluation.read_word_pairs, evaluation.read_analogies])
def test_files_that_cannot_be_read(tmp_path, read):
    with pytest.raises(FirthError, match="none cannot be read: No such file"):
        read(tmp_path / "none")
    (tmp_path / "x").write_bytes(b"a b 1\n\xff\n")
    with pytest.raises(FirthError, match="x is not UTF-8 at byte 6"):
        read(tmp_path / "x")


# --- figures by hand


def test_pairs_by_hand():
    # cosines: 1/sqrt 2, 1/2, 0; the scores rank them 1, 3, 2 from the top
    pairs = [WordPair("man", "king", 9), WordPair("king", "boy", 1), WordPair("man", "woman", 5)]
    result = evaluation.evaluate_pairs(WORDS, ARRAY, [*pairs, WordPair("man", "dog", 3), WordPair("x", "dog", 2)])
    assert result.spearman == pytest.approx(0.5)
    assert result.pearson == pytest.approx(np.corrcoef([9, 1, 5], [0.5**0.5, 0.5, 0])[0, 1])
    assert (result.n_asked, result.n_answered, result.unknown) == (5, 3, ("dog", "x"))


def test_pairs_with_unknown_words_may_be_given_a_cosine():
    pairs = [WordPair("man", "king", 9), WordPair("man", "woman", 5), WordPair("man", "dog", 1)]
    result = evaluation.evaluate_pairs(WORDS, ARRAY, pairs, unknown_similarity=-1)
    assert result.spearman == pytest.approx(1)
    assert (result.n_asked, result.n_answered) == (3, 2)


@pytest.mark.parametrize(
    "pairs",
    [
        [],
        [WordPair("x", "y", 1)],
        [WordPair("man", "king", 1)],
        [WordPair("man", "king", 1), WordPair("man", "boy", 1)],
        [WordPair("man", "king", 1), WordPair("woman", "queen", 2)],
    ],
    ids=["none", "unknown", "one", "equal scores", "equal cosines"],
)
def test_undefined_correlations_are_nan(pairs):
    result = evaluation.evaluate_pairs(WORDS, ARRAY, pairs)
    assert all(map(math.isnan, result[:4]))


def test_a_vector_of_zeros_is_like_nothing():
    pairs = [WordPair("man", "king", 9), WordPair("man", "zero", 1), WordPair("king", "boy", 5)]
    result = evaluation.evaluate_pairs([*WORDS, "zero"], np.vstack([ARRAY, np.zeros(4, np.float32)]), pairs)
    assert result.spearman == pytest.approx(1)


QUESTIONS = [
    Analogy("royal", "man", "king", "woman", "queen"),
    Analogy("royal", "man", "king", "woman", "girl"),
    Analogy("young", "man", "boy", "woman", "girl"),
    Analogy("young", "man", "boy", "woman", "daughter"),
    Analogy("royal", "Man", "KING", "Woman", "Queen"),
    Analogy("odd", "mann", "frau", "man", "woman"),
]


def test_analogies_by_hand():
    result = evaluation.evaluate_analogies(WORDS, ARRAY, QUESTIONS)
    assert [(name, *numbers) for name, *numbers in result.sections] == [
        ("royal", 3, 3, 2),
        ("young", 2, 1, 1),
        ("odd", 1, 0, 0),
    ]
    assert result.total == ("total", 6, 4, 3)
    assert result.accuracy == 0.75
    assert result.total.accuracy_of_asked == 0.5
    assert math.isnan(result.sections[2].accuracy)
    assert result.unknown == ("daughter", "mann", "frau")


def test_words_may_be_compared_as_they_stand():
    result = evaluation.evaluate_analogies(WORDS, ARRAY, QUESTIONS, fold=str)
    assert result.total == ("total", 6, 3, 2)


def test_restrict_counts_from_the_top():
    result = evaluation.evaluate_analogies(WORDS, ARRAY, QUESTIONS, restrict=4)
    assert result.total == ("total", 6, 2, 2)
    assert "girl" in result.unknown


def test_an_asked_word_is_no_answer():
    questions = [Analogy("x", "man", "king", "man", "king"), Analogy("x", "a", "b", "a", "b")]
    assert evaluation.evaluate_analogies(WORDS, ARRAY, questions).total.n_correct == 0
    assert evaluation.evaluate_analogies(["a", "b"], ARRAY[:2], questions).total.n_correct == 0


def test_the_first_of_several_spellings_stands_for_all():
    words = ["king", "King", *WORDS]
    array = np.vstack([ARRAY[6], ARRAY[2], ARRAY])
    assert evaluation.folded_rows(words, None, str.upper)["KING"] == 0
    # "king" points elsewhere now, and none of its spellings may answer
    question = Analogy("royal", "woman", "queen", "man", "king")
    assert evaluation.evaluate_analogies(words, array, [question]).total.n_correct == 1  # by row 1 or 4
    assert evaluation.evaluate_analogies(words, array, [question], fold=str).total.n_correct == 0


def test_questions_go_by_blocks(monkeypatch):
    monkeypatch.setattr(evaluation.neighbours, "BLOCK_BYTES", 1)
    assert evaluation.evaluate_analogies(WORDS, ARRAY, QUESTIONS).total == ("total", 6, 4, 3)


# --- gensim


def compare_with_gensim(words, array, pairs_file, analogies_file, restrict):
    gensim_models = pytest.importorskip("gensim.models")
    theirs = gensim_models.KeyedVectors(array.shape[1])
    theirs.add_vectors(words, array)
    if pairs_file is not None:
        pearson, spearman, unknown_ratio = theirs.evaluate_word_pairs(str(pairs_file), restrict_vocab=restrict)
        ours = evaluation.evaluate_pairs(words, array, evaluation.read_word_pairs(pairs_file), restrict=restrict)
        assert ours.n_answered > 10
        assert ours[:2] == pytest.approx(tuple(spearman), abs=5e-4)  # gensim's float32 may swap two ranks
        assert ours[2:4] == pytest.approx(tuple(pearson), abs=1e-6)
        assert 100 * (1 - ours.n_answered / ours.n_asked) == pytest.approx(unknown_ratio)
        (pearson, spearman, _) = theirs.evaluate_word_pairs(
            str(pairs_file), restrict_vocab=restrict, dummy4unknown=True
        )
        ours = evaluation.evaluate_pairs(
            words,
            array,
            evaluation.read_word_pairs(pairs_file),
            restrict=restrict,
            unknown_similarity=0,
        )
        assert ours[:2] == pytest.approx(tuple(spearman), abs=5e-4)  # gensim's float32 may swap two ranks
        assert ours[2:4] == pytest.approx(tuple(pearson), abs=1e-6)
    if analogies_file is not None:
        questions = evaluation.read_analogies(analogies_file)
        accuracy, sections = theirs.evaluate_word_analogies(str(analogies_file), restrict_vocab=restrict)
        our_result = evaluation.evaluate_analogies(words, array, questions, restrict=restrict)
        assert our_result.accuracy == accuracy
        assert our_result.total.n_correct > 0
        assert [(s.name, s.n_correct, s.n_answered) for s in our_result.sections] == [
            (s["section"], len(s["correct"]), len(s["correct"]) + len(s["incorrect"])) for s in sections[:-1]
        ]
        accuracy, _ = theirs.evaluate_word_analogies(str(analogies_file), restrict_vocab=restrict, dummy4unknown=True)
        assert our_result.total.accuracy_of_asked == pytest.approx(accuracy)


def vectors_over(words):
    """Random vectors of most of `words`, of some of them in two spellings."""
    rng = np.random.default_rng(7)
    kept = [word for word in dict.fromkeys(words) if rng.random() < 0.9]
    kept += [word.title() for word in kept if rng.random() < 0.3 and word.title() not in kept]
    return kept, rng.standard_normal((len(kept), 10)).astype(np.float32)


@pytest.mark.parametrize("restrict", [150, 10_000])
@pytest.mark.parametrize(("name", "n_lines"), [("en/questions-words.txt", 1_200), ("zh/ca8-semantic.txt", 600)])
def test_analogies_are_as_gensims(tmp_path, name, n_lines, restrict):
    questions = evaluation.read_analogies(shared_file(name))
    questions = questions[:: len(questions) // n_lines]
    lines = []
    for i, question in enumerate(questions):
        if i == 0 or question.section != questions[i - 1].section:
            lines.append(f": {question.section}")
        lines.append(" ".join(question[1:]))
    path = write(tmp_path / "x", "\n".join(lines))
    words, array = vectors_over(word.lower() for q in questions for word in q[1:])
    row_of = evaluation.folded_rows(words, None, str.upper)
    for q in questions[::2]:
        rows = [row_of.get(word.upper()) for word in q[1:]]
        if None not in rows:  # d towards where a, b and c point
            unit = array / np.linalg.norm(array, axis=1, keepdims=True)
            array[rows[3]] = unit[rows[1]] - unit[rows[0]] + unit[rows[2]]
    compare_with_gensim(words, array, None, path, restrict)


@pytest.mark.parametrize("restrict", [150, 10_000])
@pytest.mark.parametrize("name", ["en/wordsim353.tsv", "en/simlex999.txt", "zh/wordsim-240.txt"])
def test_pairs_are_as_gensims(name, restrict):
    path = shared_file(name)
    pairs = evaluation.read_word_pairs(path)
    words, array = vectors_over(word for pair in pairs for word in pair[:2])
    compare_with_gensim(words, array, path, None, restrict)


def test_the_shared_files_are_read_whole():
    assert len(evaluation.read_word_pairs(shared_file("en/wordsim353.tsv"))) == 353
    assert len(evaluation.read_word_pairs(shared_file("en/simlex999.txt"))) == 999
    assert len(evaluation.read_word_pairs(shared_file("zh/wordsim-240.txt"))) == 240
    assert len(evaluation.read_analogies(shared_file("en/questions-words.txt"))) == 19_544


# --- 3CosMul, items, and words in common


@pytest.mark.filterwarnings("ignore:Call to deprecated:DeprecationWarning")  # gensim calls what it deprecates
def test_analogies_by_product_are_gensims_answers():
    models = pytest.importorskip("gensim.models")
    rng = np.random.default_rng(5)
    words = [f"w{n}" for n in range(200)]
    array = rng.standard_normal((200, 12)).astype(np.float32)
    array[:, 0] += 1
    theirs = models.KeyedVectors(12)
    theirs.add_vectors(words, array)
    asked = []
    for _ in range(60):
        a, b, c = (words[row] for row in rng.choice(200, 3, replace=False))
        answer = theirs.most_similar_cosmul(positive=[b, c], negative=[a], topn=1)[0][0]
        asked.append(Analogy("right", a, b, c, answer))
        other = theirs.most_similar(positive=[b, c], negative=[a], topn=1)[0][0]
        if other != answer:
            asked.append(Analogy("wrong", a, b, c, other))
    found = evaluation.evaluate_analogies(words, array, asked, method="3cosmul")
    assert [(one.name, one.accuracy) for one in found.sections] == [("right", 1), ("wrong", 0)]
    assert found.sections[1].n_asked > 5
    sums = evaluation.evaluate_analogies(words, array, asked)
    assert sums.sections[1].accuracy == 1


def test_products_are_by_hand():
    """Cosines with a, b, c moved to [0, 1] are 1/2, 1 and 1/2 of d: 1 * 1/2 / (1/2 + 1e-6)."""
    matrix = np.array([[1, 0], [0, 1], [-1, 0], [0, 1]], np.float32)
    scores = evaluation._by_product(matrix, *(np.array([row]) for row in (0, 1, 2)))
    assert scores[0, 3] == pytest.approx(0.5 / (0.5 + 1e-6))


def test_questions_by_product_go_by_blocks(monkeypatch):
    asked = [Analogy("s", "man", "king", "woman", "queen"), Analogy("s", "king", "man", "queen", "boy")] * 3
    found = evaluation.evaluate_analogies(WORDS, ARRAY, asked, method="3cosmul")
    monkeypatch.setattr(evaluation.neighbours, "BLOCK_BYTES", 1)
    assert evaluation.evaluate_analogies(WORDS, ARRAY, asked, method="3cosmul") == found
    with pytest.raises(UsageError, match="method is 'sum'; there are 3cosadd, 3cosmul"):
        evaluation.evaluate_analogies(WORDS, ARRAY, asked, method="sum")


def test_results_have_an_item_for_each_question():
    pairs = [WordPair("king", "queen", 3.0), WordPair("king", "nowhere", 1.0), WordPair("boy", "girl", 2.5)]
    found = evaluation.evaluate_pairs(WORDS, ARRAY, pairs)
    np.testing.assert_allclose(found.items(), [[3, 0.5], [1, np.nan], [2.5, 0.5]])
    filled = evaluation.evaluate_pairs(WORDS, ARRAY, pairs, unknown_similarity=0.25)
    np.testing.assert_allclose(filled.items()[1], [1, 0.25])
    asked = [Analogy("s", "man", "king", "woman", word) for word in ("queen", "boy", "nowhere")]
    answers = evaluation.evaluate_analogies(WORDS, ARRAY, asked)
    np.testing.assert_array_equal(answers.items(), [1, 0, np.nan])
    assert "cosines" not in repr(found)
    assert "answers" not in repr(answers)
    assert evaluation.evaluate_pairs(WORDS, ARRAY, []).items().shape == (0, 2)


def test_words_in_common_are_those_frequent_in_all():
    found = evaluation.common_words([["b", "A", "c", "a"], ["a", "d", "C", "B"]])
    assert found.words == ["A", "c", "b"]  # furthest down at 1, 2 and 3
    assert [rows.tolist() for rows in found.rows] == [[1, 2, 0], [0, 2, 3]]
    with pytest.raises(FirthError, match="compare models of the same language"):
        evaluation.common_words([["b", "a"], ["a", "b"]], restrict=1)
    with pytest.raises(UsageError, match="one vocabulary at least"):
        evaluation.common_words([])
