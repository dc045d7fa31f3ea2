"""The parts of the explorer by themselves: pictures, caches, work in the background, the gate, CSV, the index."""

import asyncio
import csv
import io
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import firth
from firth.errors import FirthError
from firth.explorer import layers, maps, pictures, runs, spreadsheet, usages
from firth.explorer.caches import MISSING, Cache
from firth.explorer.concordance import MOST_CHARACTERS, Concordance, indexed
from firth.explorer.exploration import Exploration
from firth.explorer.faults import BusyError, NoSuchWordError, TooSlowError
from firth.explorer.gate import Gate
from firth.explorer.shelf import Shelf
from firth.explorer.translations import language
from firth.explorer.work import Background, Made, StoppedError, Working
from firth.preparation import Preparation
from firth.progress import Silent

RNG = np.random.default_rng(1)

# --- pictures


def test_two_dimensions_are_drawn_as_they_are():
    points = RNG.standard_normal((50, 2)).astype(np.float32) * [3, 1]
    wide = np.concatenate([points, np.zeros((50, 6))], axis=1) @ np.linalg.qr(RNG.standard_normal((8, 8)))[0]
    picture = pictures.principal(wide)
    own = np.linalg.norm(points[:, None] - points, axis=-1)
    drawn = np.linalg.norm(picture.points[:, None] - picture.points, axis=-1)
    np.testing.assert_allclose(drawn / drawn.max(), own / own.max(), atol=1e-4)
    assert sum(picture.explained) == pytest.approx(1, abs=1e-5)
    np.testing.assert_array_equal(pictures.principal(wide).points, picture.points)


@pytest.mark.parametrize("shape", [(1, 5), (2, 1), (3, 40), (40, 3), (5, 1)])
def test_pictures_of_few_vectors(shape):
    picture = pictures.principal(RNG.standard_normal(shape))
    assert picture.points.shape == (shape[0], 2)
    assert np.isfinite(picture.points).all()


def test_a_turned_picture_lies_on_the_other():
    points = RNG.standard_normal((30, 2)).astype(np.float32)
    turn = np.array([[np.cos(2), np.sin(2)], [np.sin(2), -np.cos(2)]], np.float32)  # and mirrored
    np.testing.assert_allclose(pictures.turned(points @ turn, points @ turn, points), points, atol=1e-5)


def test_layers_that_hardly_differ_are_drawn_in_one_place():
    first = RNG.standard_normal((60, 16)).astype(np.float32) * np.linspace(3, 0.1, 16, dtype=np.float32)
    second = -first + RNG.standard_normal((60, 16)).astype(np.float32) * 0.01
    before, after = pictures.aligned(np.stack([first, second]))
    assert np.abs(before.points - after.points).max() < 0.1


def test_trustworthiness_by_hand_and_of_the_same_picture():
    angles = np.sort(RNG.uniform(0, 1.5, 40))
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    assert pictures.trustworthiness(vectors, vectors, k=5) == pytest.approx(1)
    shuffled = pictures.trustworthiness(vectors, vectors[RNG.permutation(40)], k=5)
    assert shuffled is not None
    assert 0.2 < shuffled < 0.8
    assert pictures.trustworthiness(vectors[:11], vectors[:11], k=5) is None
    # n = 4, k = 1 of points on a line whose picture changes the last two: 1 - 2 / (4 * 1 * (8 - 3 - 1)) * missed
    line = np.array([[1, 0], [1, 0.1], [1, 0.3], [1, 0.6]])
    drawn = np.array([[0, 0], [0.1, 0], [0.9, 0], [0.3, 0]])
    # by the picture: 0 -> 1 (rank 1), 1 -> 0 (1), 2 -> 3 (2: 1 is nearer), 3 -> 1 (2: 2 is nearer): missed 1 + 1
    assert pictures.trustworthiness(line, drawn, k=1) == pytest.approx(1 - 2 / 16 * 2)


# --- caches, work, gate


def test_a_cache_stays_below_its_bytes():
    cache = Cache(100)
    cache.put("a", 1, 40)
    cache.put("b", None, 40)
    assert cache.get("a") == 1
    cache.put("c", 3, 40)
    assert cache.get("b") is MISSING
    assert [cache.get(key) for key in "ac"] == [1, 3]
    cache.put("d", 4, 101)
    assert cache.get("d") is MISSING
    cache.put("a", 5, 10)
    assert cache.n_bytes == 50


def test_work_is_shared_kept_and_tells_how_far_it_is():
    background = Background(Cache(1000))
    go, made = threading.Event(), []

    def make(told):
        with told.stage("making") as advance:
            advance(0.25, 0)
            go.wait(10)
        made.append(1)
        return Made("done", 10)

    found = background.ask("key", make)
    deadline = time.monotonic() + 10
    while found != Working("making", 0.25) and time.monotonic() < deadline:
        found = background.ask("key", make, patience=0.01)
    assert found == Working("making", 0.25)
    assert background.status("key") == Working("making", 0.25)
    go.set()
    assert background.ask("key", make, patience=10) == "done"
    assert background.ask("key", make) == "done"
    assert made == [1]
    background.close()


def test_work_that_failed_says_so_once_and_begins_anew():
    background = Background(Cache(1000))

    def fail(told):
        raise FirthError("broken")

    with pytest.raises(FirthError, match="broken"):
        background.ask("key", fail, patience=10)
    assert background.ask("key", lambda told: Made(1, 1), patience=10) == 1
    background.close()


def test_work_that_nobody_asks_for_again_makes_room_for_other_work():
    background = Background(Cache(1000))
    go = threading.Event()

    def make(told):
        go.wait(10)
        return Made("made", 10)

    for number in range(8):
        assert isinstance(background.ask(number, make, patience=0), Working)
    with pytest.raises(BusyError):
        background.ask("more", make, patience=0)
    go.set()
    assert background.ask(7, make, patience=10) == "made"
    assert background.ask("more", make, patience=10) == "made"
    background.close()
    assert [background.cache.get(number) for number in range(8)] == ["made"] * 8
    assert background.cache.n_bytes == 90
    assert [background.status(number) for number in range(8)] == [None] * 8


def test_a_failure_that_nobody_saw_is_told_to_who_asks_next():
    background = Background(Cache(1000))
    go = threading.Event()

    def fail(told):
        go.wait(10)
        raise FirthError("broken")

    background.ask("key", fail, patience=0)
    go.set()
    background.close()  # waits for it
    assert background.status("key") is not None
    with pytest.raises(FirthError, match="broken"):
        background.ask("key", fail)
    assert background.status("key") is None


def test_what_is_too_large_to_keep_is_told_and_not_made_for_ever():
    background = Background(Cache(10))
    with pytest.raises(FirthError, match=r"11 bytes.*Ask for less"):
        background.ask("key", lambda told: Made(1, 11), patience=10)
    background.close()


def test_too_much_work_is_refused_and_ends_with_the_server():
    background = Background(Cache(1000))
    ended = []

    def endless(told):
        try:
            with told.stage("endless") as advance:
                while True:
                    advance(None, 0)
                    time.sleep(0.001)
        except StoppedError:
            ended.append(1)
            raise

    for number in range(8):
        background.ask(number, endless, patience=0)
    with pytest.raises(BusyError):
        background.ask("more", endless, patience=0)
    background.close()
    assert len(ended) == 2


def test_a_gate_lets_so_many_through_and_sends_others_away():
    gate = Gate(1, most_waiting=1, seconds=0.2)
    go = threading.Event()

    async def ask():
        slow = asyncio.create_task(gate.run(lambda: go.wait(10)))
        second = asyncio.create_task(gate.run(lambda: 2))
        await asyncio.sleep(0.01)
        with pytest.raises(BusyError):
            await gate.run(lambda: 3)
        with pytest.raises(TooSlowError):
            await slow
        with pytest.raises(TooSlowError):
            await second
        go.set()
        return [await gate.run(lambda: 4)]

    assert asyncio.run(ask()) == [4]
    gate.close()


def test_questions_that_wait_are_answered_together():
    gate = Gate(1)
    go, calls = threading.Event(), []

    def answer(questions):
        calls.append(len(questions))
        return [question + 1 for question in questions]

    async def ask():
        blocked = asyncio.create_task(gate.run(lambda: go.wait(10)))
        await asyncio.sleep(0.01)
        several = [asyncio.create_task(gate.run_together("kind", number, answer)) for number in range(40)]
        await asyncio.sleep(0.01)
        go.set()
        await blocked
        return [await one for one in several]

    assert asyncio.run(ask()) == list(range(1, 41))
    assert calls == [32, 8]
    gate.close()


def test_a_fault_of_one_call_is_told_to_all_who_asked():
    gate = Gate(1)

    def broken(questions):
        raise FirthError("broken")

    async def ask():
        return await asyncio.gather(
            *(gate.run_together("kind", number, broken) for number in range(3)), return_exceptions=True
        )

    assert [str(error) for error in asyncio.run(ask())] == ["broken"] * 3
    gate.close()


# --- CSV, languages, logs


@settings(max_examples=30, deadline=None)
@given(st.lists(st.dictionaries(st.text(max_size=5), st.one_of(st.none(), st.integers(), st.text())), max_size=5))
def test_csv_comes_back_and_holds_no_formula(rows):
    found = list(csv.reader(io.StringIO(spreadsheet.written(rows), newline="")))
    assert len({len(row) for row in found}) <= 1 + (not found[0])
    for value in (cell for row in found for cell in row):
        assert not value.lstrip(" ").startswith(("=", "@", "+", "\t")) or value.lstrip("-").isdigit()


def test_cells():
    assert [spreadsheet.cell(value) for value in (None, True, -1.5, "-1.5", "=1", " =1", "'a", "a\x00b")] == [
        *("", "true", "-1.5", "'-1.5", "'=1", "' =1", "'a", "ab")
    ]


@pytest.mark.parametrize(
    ("asked", "remembered", "accepted", "due"),
    [
        ("zh", "en", "en", "zh"),
        ("", "zh", "en", "zh"),
        ("xx", "yy", "fr, zh-TW;q=0.5, en;q=0.4", "zh"),
        ("", "", "zh;q=broken, en;q=0.1", "en"),
        ("", "", "", "en"),
    ],
)
def test_the_language_of_a_page(asked, remembered, accepted, due):
    assert language(asked, remembered, accepted) == due


def test_a_run_that_went_on_from_a_checkpoint_counts_once(tmp_path):
    log = tmp_path / "log.jsonl"
    log.write_text(
        '{"fraction": 0.1, "loss_nats": 3}\n{"fraction": 0.3, "loss_nats": 2}\n[1]\nno json\n'
        '{"fraction": 0.2, "loss_nats": 2.5, "note": "/home/me/x.txt"}\n{"fraction": 0.2, "score": Infinity}\n{"fra'
    )
    found = runs.entries(log)
    assert [entry["fraction"] for entry in found] == [0.1, 0.2, 0.2]
    assert found[1]["note"] == "x.txt"
    assert found[2]["score"] is None
    assert runs.entries(None) == runs.entries(tmp_path / "none") == []


# --- the index


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.sampled_from(["a", "bb", "ccc", "d"]), max_size=6), min_size=1, max_size=12))
def test_every_occurrence_is_found_where_it_stands(tmp_path_factory, lines):
    if not any(lines):
        return
    texts = [" ".join(line) for line in lines]
    index = indexed(texts, name="made", cache_dir=tmp_path_factory.mktemp("index"))
    due = [(text, word) for text in texts for word in text.split()]
    assert index.n_words == len(due)
    for word in {word for _, word in due}:
        found = index.sample(word, 1_000, 1)
        assert len(found) == index.count(word) == sum(other == word for _, other in due)
        assert all(one.text[one.start : one.end] == word for one in found)
        assert [one.text for one in found] == [text for text, other in due if other == word]
        for one in found:  # a text between empty lines is a document
            assert one.document <= one.line


def test_an_index_is_kept_for_the_next_time(tmp_path):
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("Cats sleep.\nDogs bark. Cats run.\n\nA bird.\n", encoding="utf-8")
    first = indexed(corpus, cache_dir=tmp_path / "cache")
    (kept,) = [path for path in (tmp_path / "cache").iterdir() if not path.name.startswith(".")]
    before = (kept / "features" / "index.json").stat().st_mtime_ns
    again = indexed(corpus, cache_dir=tmp_path / "cache")
    assert (kept / "features" / "index.json").stat().st_mtime_ns == before
    for index in (first, again):
        assert [one.text for one in index.sample("CATS", 5, 1)] == ["Cats sleep.", "Cats run."]
        assert (index.n_lines, index.n_documents) == (4, 2)
        assert index.by_frequency[0] == "cats"
    with pytest.raises(NoSuchWordError) as caught:
        first.sample("catz", 5, 1)
    assert caught.value.spellings == ["cats"]


def test_a_long_sentence_is_shown_around_its_word(tmp_path):
    index = indexed(["word " * 2_000 + "needle " + "word " * 2_000], name="long", cache_dir=tmp_path)
    (one,) = index.sample("needle", 1, 1)
    shown = one.shown()
    assert len(shown.text) < 500
    assert shown.text[shown.start : shown.end] == "needle"


def test_a_text_without_line_ends_is_read_in_parts(tmp_path, monkeypatch):
    words = [f"w{number}" if number % 10 else "needle" for number in range(5_000)]
    corpus = tmp_path / "corpus.jsonl"
    records = [{"text": " ".join(words), "source": "long"}, {"text": "A needle.", "source": "short"}]
    corpus.write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
    index = indexed(corpus, Preparation(keep=("source",)), cache_dir=tmp_path / "cache")
    assert index.n_words == 5_002
    assert index.count("w4999") == 1
    assert index.n_documents == 2
    read, text_of = [], Concordance._text
    monkeypatch.setattr(Concordance, "_text", lambda self, line: read.append(line) or text_of(self, line))
    found = index.sample("needle", 1_000, 1)
    assert len(found) == 501
    assert len(read) == len(set(read)) == index.n_lines > 5
    assert max(len(one.text) for one in found) <= MOST_CHARACTERS
    assert all(one.text[one.start : one.end] == "needle" for one in found)
    assert [one.columns["source"] for one in found] == ["long"] * 500 + ["short"]


def test_a_text_without_any_white_space_is_read_in_parts(tmp_path):
    index = indexed(["开心" * 5_000], name="long", cache_dir=tmp_path)
    assert index.n_lines == 3
    index.close()


def test_the_index_of_a_text_that_is_no_file_goes_with_the_explorer(places, tmp_path):
    exploration = Exploration([places["first"]], cache_dir=tmp_path)
    exploration.read(["The bank of the river."], name="given", cache_dir=tmp_path)
    exploration.wait()
    assert exploration.concordance().sample("bank", 1, 1)
    assert list(tmp_path.iterdir())
    exploration.close()
    assert not list(tmp_path.iterdir())


def test_the_words_that_tell_groups_apart():
    company = [["river", "the"], ["river", "the"], ["river"], ["money", "the"], ["money", "the"], ["money"]]
    told = usages.telling(company, np.array([0, 0, 0, 1, 1, 1]), 2)
    assert [words[0] for words in told] == ["river", "money"]
    assert usages.telling(company, np.zeros(6, np.int64), 1)[0][0] == "the"


def test_an_index_is_read_by_several_threads(tmp_path):
    index = indexed([f"word w{number}" for number in range(200)], name="many", cache_dir=tmp_path)
    with ThreadPoolExecutor(4) as workers:
        found = list(workers.map(lambda seed: len(index.sample("word", 50, seed)), range(20)))
    assert found == [50] * 20


# --- maps and layers


def test_a_map_is_kept_in_the_cache_that_was_named(places, tmp_path, monkeypatch):
    matrix = Shelf([places["first"]]).matrix("first")
    monkeypatch.setattr(maps.os, "access", lambda path, mode: False)
    monkeypatch.setattr(maps, "_umap", lambda rows, advance: np.ones((len(rows), 2), np.float32))
    assert not maps.is_kept(matrix, 5, cache_dir=tmp_path)
    maps.by_umap(matrix, 5, Silent(), cache_dir=tmp_path)
    assert [path.suffix for path in (tmp_path / "maps").iterdir()] == [".safetensors"]
    assert maps.is_kept(matrix, 5, cache_dir=tmp_path)


@pytest.mark.parametrize("method", ["pca", "umap"])
def test_the_python_lines_of_a_map_make_the_same_map(places, monkeypatch, method):
    monkeypatch.setattr(maps, "_umap", lambda rows, advance: rows[:, :2].copy())
    monkeypatch.setattr(maps, "_read", lambda place, n: None)
    monkeypatch.setattr(maps.safetensors, "write", lambda place, arrays: None)
    shelf = Shelf([places["first"], places["second"]])
    first, second = shelf.matrix("first"), shelf.matrix("second:1")
    monkeypatch.chdir(places["first"].parent)
    plain, turned = {"firth": firth}, {"firth": firth}
    exec(maps.python(second, method, 9), plain)
    exec(maps.python(second, method, 9, (first, "pca", 13)), turned)
    due = maps.by_components(second.vectors, 9) if method == "pca" else maps.by_umap(second, 9, Silent())
    np.testing.assert_array_equal(plain["points"], due.points)
    onto = maps.onto(due, maps.by_components(first.vectors, 13))
    np.testing.assert_array_equal(turned["points"], onto.points)
    assert not np.array_equal(plain["points"], turned["points"])


def test_the_python_line_of_layers_measures_the_same_sentences(tmp_path, monkeypatch):
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("".join(f"Line {number} stands here.\n" for number in range(60)), encoding="utf-8")
    indexed(corpus, Preparation(cased=True), cache_dir=tmp_path / "cache")  # under a name with folders
    index = indexed(corpus, Preparation(cased=True), name="corpus.txt", cache_dir=tmp_path / "cache")
    measured = []
    monkeypatch.setattr(layers, "measured", lambda model, text, **how: measured.append((text, how)) or [])
    monkeypatch.setattr(firth, "layers", lambda model, text, **how: measured.append((text, how)))
    monkeypatch.setattr(layers, "SENTENCES", 20)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    model = SimpleNamespace(name="model", path=tmp_path, is_contextual=True)
    told = layers.told(model, index, Silent())
    assert (told["corpus"], told["n_measured"]) == ("corpus.txt", 20)
    assert "Preparation(cased=True)" in told["python"]
    exec(told["python"], {"firth": firth, "CORPUS": corpus})
    (page, how_page), (line, how_line) = measured
    assert page == line
    assert how_line.items() <= how_page.items()
    monkeypatch.setattr(layers, "SENTENCES", 5_000)
    assert layers.told(model, index, Silent())["n_measured"] == 60
