"""Encoded corpora between runs."""

import os
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from firth import FirthError, Preparation, cache
from firth import corpus as corpora
from firth.pieces import Pieces, PieceSettings
from firth.segmentation import Segmentation

TEXT = "The cat sat on the mat.\nThe dog sat on the log.\n\nThe end.\n"


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


class Said:
    """A progress that remembers its lines."""

    def __init__(self):
        self.lines = []

    def say(self, line):
        self.lines.append(line)

    def stage(self, name, **_):
        from firth.progress import Silent

        return Silent().stage(name)


def encoded(sources, folder, preparation=None, progress=None):
    preparation = preparation or Preparation()
    corpus = corpora.read(sources, preparation)
    return cache.encoded(corpus, None, preparation, cache_dir=folder, progress=progress)


def words(store):
    return [store.types[type_id] for type_id in store.type_ids]


def test_the_second_run_reads_nothing(text, tmp_path):
    folder, said = tmp_path / "cache", Said()
    with encoded(text, folder, progress=said) as store:
        first = words(store)
    assert str(folder) in said.lines[-1]
    assert "MB" in said.lines[-1]
    corpus = corpora.read(text, Preparation())
    with cache.encoded(corpus, None, Preparation(), cache_dir=folder, progress=said) as store:
        assert words(store) == first
        assert store.n_documents == 2
    assert corpus.done_bytes == 0
    assert "read before" in said.lines[-1]


@pytest.mark.parametrize(
    "changed",
    [{"cased": True}, {"segment": "space"}, {"layout": "file"}, {"sentences": "split"}, {"drop_duplicates": "lines"}],
)
def test_another_preparation_is_another_entry(text, tmp_path, changed):
    with encoded(text, tmp_path / "cache"):
        pass
    with encoded(text, tmp_path / "cache", replace(Preparation(), **changed)):
        pass
    assert len(cache.entries(tmp_path / "cache")) == 2


def test_a_changed_file_is_read_again(text, tmp_path):
    with encoded(text, tmp_path / "cache") as store:
        n_tokens = store.n_tokens
    text.write_text(TEXT + "And more.\n", encoding="utf-8")
    with encoded(text, tmp_path / "cache") as store:
        assert store.n_tokens == n_tokens + 2


def test_changed_user_words_are_read_again(tmp_path):
    text, user_words = tmp_path / "zh.txt", tmp_path / "words.txt"
    text.write_text("我今天好开心\n" * 3, encoding="utf-8")
    preparation = Preparation(segment="chinese", user_words=user_words)
    found = []
    for line in ("今天好开心 100000000\n", "我今天好 100000000\n"):
        user_words.write_text(line, encoding="utf-8")
        with encoded(text, tmp_path / "cache", preparation) as store:
            found.append(words(store)[:3])
    assert found[0] != found[1]


@pytest.fixture
def with_phrases(tmp_path):
    """A preparation that joins "sat on"."""
    (tmp_path / "phrases.tsv").write_text("Sat on\n", encoding="utf-8")
    return Preparation(phrases=tmp_path / "phrases.tsv")


def test_phrases_are_joined_once_and_beside_the_words(text, tmp_path, with_phrases):
    folder, said = tmp_path / "cache", Said()
    with encoded(text, folder) as store:
        plain = store.fingerprint
    for line in ("the corpus with its phrases joined is kept", "its phrases were joined before"):
        with encoded(text, folder, with_phrases, said) as store:
            assert words(store)[:3] == ["the", "cat", "sat_on"]  # as the words of the text are written
            assert store.segmentation.words("The cat sat on it") == ["the", "cat", "sat_on", "it"]
            assert store.preparation == with_phrases
            assert store.joined.n_words == 2
        assert line in " ".join(said.lines)
        assert "the corpus was read before" in said.lines[0]
        said.lines.clear()
    assert len(cache.entries(folder)) == 2
    with encoded(text, folder) as store:
        assert (store.fingerprint, store.joined) == (plain, None)


def test_changed_phrases_are_joined_again(text, tmp_path, with_phrases):
    found = []
    for lines in ("sat on\n", "the cat\n", "sat on\n#delimiter\t-\n", "the cat\t5\t1.5\t1\n"):
        with_phrases.phrases.write_text(lines, encoding="utf-8")
        with encoded(text, tmp_path / "cache", with_phrases) as store:
            found.append(words(store)[:3])
    the_cat = ["the_cat", "sat", "on"]
    assert found == [["the", "cat", "sat_on"], the_cat, ["the", "cat", "sat-on"], the_cat]
    assert len(cache.entries(tmp_path / "cache")) == 4  # of the words, and of three kinds of phrases


def test_phrases_of_a_model_are_those_that_are_joined(text, tmp_path, with_phrases):
    with encoded(text, tmp_path / "cache", with_phrases) as store:
        like, due = store.segmentation, store.fingerprint
    for sources in (text, [line.split() for line in TEXT.lower().replace(".", "").splitlines()]):
        corpus = corpora.read(sources, Preparation())
        with cache.encoded(corpus, like, Preparation(), cache_dir=tmp_path / "cache") as store:
            assert store.fingerprint == due


def test_a_stream_with_phrases_leaves_nothing_behind(tmp_path, with_phrases):
    with encoded(["he sat on it", "d"], tmp_path / "cache", with_phrases) as store:
        assert words(store) == ["he", "sat_on", "it", "d"]
    assert not list((tmp_path / "cache").iterdir())


def test_phrases_that_cannot_be_read_are_told_before_the_corpus_is_read(text, tmp_path):
    said = Said()
    with (
        pytest.raises(FirthError, match=r"cannot read the phrases in .*nowhere"),
        encoded(text, tmp_path / "cache", Preparation(phrases=tmp_path / "nowhere"), said),
    ):
        pass
    assert said.lines == []
    assert not (tmp_path / "cache").exists()


def test_a_run_that_goes_on_uses_what_was_read(text, tmp_path):
    with encoded(text, tmp_path / "cache") as store:
        segmentation = store.segmentation
    for asked, n_entries in ((segmentation, 1), (replace(segmentation, lower=False), 2)):
        corpus = corpora.read(text, Preparation())
        with cache.encoded(corpus, asked, Preparation(), cache_dir=tmp_path / "cache") as store:
            assert store.segmentation == asked
        assert len(cache.entries(tmp_path / "cache")) == n_entries


def test_a_stream_leaves_nothing_behind(tmp_path):
    with encoded(["a b c", "d"], tmp_path / "cache") as store:
        assert words(store) == ["a", "b", "c", "d"]
    assert not list((tmp_path / "cache").iterdir())
    assert cache.entries(tmp_path / "cache") == []


def test_a_failed_reading_leaves_nothing_behind(tmp_path):
    path = tmp_path / "bad.txt"
    path.write_bytes(b"good\n\xff\n")
    with pytest.raises(FirthError, match="offset 5"), encoded(path, tmp_path / "cache"):
        pass
    assert not list((tmp_path / "cache").iterdir())


def test_a_damaged_entry_is_made_again(text, tmp_path):
    with encoded(text, tmp_path / "cache") as store:
        first = words(store)
    (entry,) = cache.entries(tmp_path / "cache")
    next((entry.folder / "encoded").glob("type_ids*")).write_bytes(b"cut short")
    with encoded(text, tmp_path / "cache") as store:
        assert words(store) == first


def test_of_two_that_make_the_same_entry_both_are_served(text, tmp_path):
    folder = tmp_path / "cache"
    program = (
        "import sys; from firth import Preparation, cache, corpus\n"
        "read = corpus.read(__import__('pathlib').Path(sys.argv[1]), Preparation())\n"
        "with cache.encoded(read, None, Preparation(), cache_dir=sys.argv[2]) as store: print(store.fingerprint)\n"
    )
    runs = [
        subprocess.Popen([sys.executable, "-c", program, text, folder], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    prints = {run.communicate()[0] for run in runs}
    assert [run.returncode for run in runs] == [0, 0]
    assert len(prints) == 1
    assert len(list(folder.iterdir())) == 1


def test_the_slower_of_two_uses_what_the_faster_made(text, tmp_path, monkeypatch):
    folder, outer = tmp_path / "cache", cache.encode

    def slow(*arguments, **keywords):
        monkeypatch.setattr(cache, "encode", outer)
        with encoded(text, folder):  # meanwhile, in another process, as it were
            pass
        return outer(*arguments, **keywords)

    monkeypatch.setattr(cache, "encode", slow)
    with encoded(text, folder) as store:
        assert store.n_tokens == 14
    assert len(list(folder.iterdir())) == 1


@pytest.mark.skipif(os.name == "nt", reason="no kill there")
def test_what_a_killed_process_leaves_is_no_entry(text, tmp_path):
    folder = tmp_path / "cache"
    program = (
        "import os, sys; from firth import Preparation, cache, corpus\n"
        "def killed(*_, **__): os.kill(os.getpid(), 9)\n"
        "cache._kept = killed\n"
        "read = corpus.read(__import__('pathlib').Path(sys.argv[1]), Preparation())\n"
        "with cache.encoded(read, None, Preparation(), cache_dir=sys.argv[2]): pass\n"
    )
    assert subprocess.run([sys.executable, "-c", program, text, folder]).returncode == -9
    (left,) = folder.iterdir()
    (entry,) = cache.entries(folder)
    assert (entry.folder, entry.what, entry.sources, entry.n_tokens) == (left, "unfinished", str(text), 0)
    assert entry.n_bytes > 100
    with encoded(text, folder) as store:
        assert store.n_tokens == 14
        assert not left.exists()
    assert [entry.what for entry in cache.entries(folder)] == ["words"]


@pytest.mark.skipif(os.name == "nt", reason="no kill there")
def test_what_a_killed_process_leaves_is_cleared_at_once(tmp_path):
    folder = tmp_path / "cache"
    program = (
        "import os, sys; from firth import Preparation, cache, corpus\n"
        "with cache.encoded(corpus.read(['a b c'], Preparation()), None, Preparation(), cache_dir=sys.argv[1]):\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", program, folder]).returncode == -9
    (left,) = cache.entries(folder)
    assert left.what == "unfinished"
    said = []
    assert cache.clear(folder, say=said.append) == left.n_bytes > 0
    assert (said, list(folder.iterdir())) == ([], [])


def test_what_is_in_use_is_listed_and_stays(tmp_path):
    folder, said = tmp_path / "cache", []
    with encoded(["a b c"], folder) as store:
        (entry,) = cache.entries(folder)
        assert entry.what == "in use"
        long_ago = time.time() - 2 * 24 * 3600
        for path in (entry.folder, *entry.folder.rglob("*")):
            os.utime(path, (long_ago, long_ago))
        assert cache.clear(folder, say=said.append) == 0
        with encoded(["d"], folder):
            assert entry.folder.exists()
        assert words(store) == ["a", "b", "c"]
    assert len(said) == 1
    assert str(entry.folder) in said[0]
    assert "a process is at it" in said[0]
    assert list(folder.iterdir()) == []


def test_without_a_lock_what_is_unfinished_is_left_for_a_day(text, tmp_path):
    folder, said = tmp_path / "cache", []
    left, new = folder / ".unfinished-abcdefgh", folder / f".unfinished-{'0' * 32}"
    for path in (left, new):
        path.mkdir(parents=True)
        (path / "ids.i32").write_bytes(b"1234")
    (left / "lock").touch()  # made a moment ago, and not locked yet
    assert [entry.what for entry in cache.entries(folder)] == ["unfinished"] * 2
    assert cache.clear(folder, say=said.append) == 0
    assert len(said) == 2
    assert all("goes when a day old" in line for line in said)
    long_ago = time.time() - 2 * 24 * 3600
    for path in (left, *left.rglob("*")):
        os.utime(path, (long_ago, long_ago))
    with encoded(text, folder):
        assert (left.exists(), new.exists()) == (False, True)


def test_an_interrupted_encoding_of_pieces_stays_for_the_next_run_and_is_cleared(text, tmp_path):
    folder = tmp_path / "cache"
    parts = folder / f".unfinished-{'0' * 32}"
    parts.mkdir(parents=True)
    (parts / "parts.jsonl").write_text("{}\n", encoding="utf-8")
    with encoded(text, folder):
        assert parts.exists()
    assert [entry.what for entry in cache.entries(folder)] == ["words", "unfinished"]
    cache.clear(folder)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("first", ["data.jsonl", "data.txt"])
def test_a_file_that_is_read_in_two_ways_has_two_entries(tmp_path, first):
    (tmp_path / "data.jsonl").write_text('{"text": "one two"}\n', encoding="utf-8")
    try:
        (tmp_path / "data.txt").symlink_to(tmp_path / "data.jsonl")
    except OSError:
        pytest.skip("no links here")
    found = {}
    for name in sorted(["data.jsonl", "data.txt"], key=first.__ne__):
        with encoded(tmp_path / name, tmp_path / "cache") as store:
            found[name] = words(store)
    assert found == {"data.jsonl": ["one", "two"], "data.txt": ["text", "one", "two"]}


def test_entries_are_listed_and_cleared(text, tmp_path):
    folder = tmp_path / "cache"
    with encoded(text, folder):
        pass
    (folder / "mine.txt").write_text("not ours", encoding="utf-8")
    for name in ("project", "0" * 32, ".unfinished-thesis"):
        (folder / name).mkdir()
        (folder / name / "about.json").write_text("{}", encoding="utf-8")
    (entry,) = cache.entries(folder)
    assert entry.sources == str(text)
    assert entry.n_tokens == 14
    assert entry.n_bytes == sum(file.stat().st_size for file in entry.folder.rglob("*") if file.is_file())
    assert entry.seconds_unused < 60
    assert cache.clear(folder) >= entry.n_bytes
    assert {path.name for path in folder.iterdir()} == {"mine.txt", "project", "0" * 32, ".unfinished-thesis"}


def test_models_of_the_demonstration_are_cleared_in_the_users_own_place_alone(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    model = tmp_path / "firth" / "demo" / "cbow"
    other = tmp_path / "mine" / "demo" / "cbow"
    for folder in (model, other):
        folder.mkdir(parents=True)
        (folder / "firth.json").write_text("{}", encoding="utf-8")
    assert [(entry.what, entry.folder) for entry in cache.entries()] == [("demo", model)]
    assert cache.clear(tmp_path / "mine") == 0
    assert cache.clear() == 2
    assert not model.exists()
    assert other.is_dir()


def test_the_place_follows_the_system(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.place() == tmp_path / "firth"
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert cache.place() == tmp_path / "local" / "firth" / "Cache"
    assert cache.place(tmp_path / "other") == tmp_path / "other"


def test_a_place_that_cannot_be_written_to_is_named(text, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(FirthError, match="--cache-dir"), encoded(text, tmp_path / "file"):
        pass


def test_what_is_there_is_used_where_nothing_can_be_written(text, tmp_path, monkeypatch):
    folder, said = tmp_path / "cache", Said()
    with encoded(text, folder) as store:
        first = words(store)

    def refused(*_, **__):
        raise PermissionError(13, "Permission denied")

    for name in ("tempfile.mkdtemp", "os.utime"):
        monkeypatch.setattr(name, refused)
    with encoded(text, folder, progress=said) as store:
        assert words(store) == first
    assert "read before" in said.lines[-1]
    with (
        pytest.raises(FirthError, match=r"cannot write to the cache .*: Permission denied; --cache-dir names another"),
        encoded(text, folder, Preparation(cased=True)),
    ):
        pass


SETTINGS = PieceSettings(kind="wordpiece", size=128, cased=False, seed=1)


def encoded_pieces(sources, folder, pieces=SETTINGS, **arguments):
    preparation = arguments.pop("preparation", Preparation())
    corpus = corpora.read(sources, preparation)
    return cache.encoded_pieces(corpus, pieces, preparation, cache_dir=folder, **arguments)


def test_pieces_are_learnt_and_encoded_once(text, tmp_path):
    folder, said = tmp_path / "cache", Said()
    with encoded_pieces(text, folder, progress=said) as (store, pieces):
        ids, remarks = store.ids.tolist(), pieces.remarks
        assert store.digest == pieces.digest
        assert pieces.decode(ids).startswith("the cat sat on the mat")
    assert [line.split(":")[0] for line in said.lines] == [
        "the vocabulary is kept for later runs", "the encoded corpus is kept for later runs"
    ]  # fmt: skip
    assert remarks
    said.lines.clear()
    corpus = corpora.read(text, Preparation())
    again = cache.encoded_pieces(corpus, SETTINGS, Preparation(), cache_dir=folder, progress=said)
    with again as (store, pieces):
        assert store.ids.tolist() == ids
        assert pieces.remarks == remarks
    assert corpus.done_bytes == 0
    assert [line.split(":")[0] for line in said.lines] == [
        "the vocabulary was learnt before", "the corpus was encoded before"
    ]  # fmt: skip


def test_other_settings_are_other_pieces(text, tmp_path):
    folder = tmp_path / "cache"
    found = set()
    for settings, words in (
        (SETTINGS, None),
        (replace(SETTINGS, cased=True), None),
        (replace(SETTINGS, kind="bpe"), None),
        (SETTINGS, Segmentation(method="words")),
    ):
        with encoded_pieces(text, folder, settings, words=words) as (store, pieces):
            found.add((pieces.digest, store.word_starts is None))
    assert len(found) == 4
    assert sorted(entry.what for entry in cache.entries(folder)) == ["pieces"] * 4 + ["tokenizer"] * 3


def test_given_pieces_are_not_kept(text, tmp_path):
    with encoded_pieces(text, tmp_path / "cache") as (_, pieces):
        pass
    cache.clear(tmp_path / "cache")
    with encoded_pieces(text, tmp_path / "cache", pieces) as (store, used):
        assert used is pieces
        assert store.n_sentences == 3
    assert [entry.what for entry in cache.entries(tmp_path / "cache")] == ["pieces"]
    with encoded_pieces(text, tmp_path / "cache", pieces, add_words=1) as (_, more):
        assert more.n_entries == pieces.n_entries + (more != pieces)


@pytest.mark.parametrize(
    "sources", [["the cat sat", "", "the dog sat"], [["the", "cat", "sat"], [], ["the", "dog", "sat"]]]
)
def test_what_can_be_read_once_is_read_once_and_not_kept(sources, tmp_path):
    folder = tmp_path / "cache"
    with encoded_pieces(iter(sources), folder) as (store, pieces):
        assert pieces.decode(store.ids.tolist()) == "the cat sat the dog sat"
        assert store.n_documents == 2
    assert cache.entries(folder) == []
    assert list(folder.iterdir()) == []


def test_a_damaged_tokenizer_is_learnt_anew(text, tmp_path):
    folder = tmp_path / "cache"
    with encoded_pieces(text, folder) as (store, _):
        ids = store.ids.tolist()
    for entry in cache.entries(folder):
        for name in ("tokenizer/tokenizer.json", "pieces/pieces.json"):
            if (entry.folder / name).exists():
                (entry.folder / name).write_text("{}", encoding="utf-8")
    with encoded_pieces(text, folder) as (store, _):
        assert store.ids.tolist() == ids


def test_kept_pieces_are_the_learnt_ones(text, tmp_path):
    with encoded_pieces(text, tmp_path / "cache") as (_, pieces):
        pass
    (entry,) = (entry for entry in cache.entries(tmp_path / "cache") if entry.what == "tokenizer")
    assert Pieces.read(entry.folder / "tokenizer") == pieces
    assert entry.n_tokens == pieces.n_entries
    assert cache.clear(tmp_path / "cache") > 0
    assert cache.entries(tmp_path / "cache") == []
