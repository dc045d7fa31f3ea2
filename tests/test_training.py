"""Training: what a run begins with, goes on from, and refuses."""

import signal

import numpy as np
import pytest

import firth
from firth import Preparation, hogwild, static_training
from firth.static_training import default_epochs
from firth.training import train

FAMILY = firth.Skipgram(dim=8, window=3, block=8, noise_pool=4, min_count=1, sample=0.0)
TEXT = ["the cat sat on the mat", "the dog sat on the log", "", "a cat and a dog"] * 20
N_TOKENS = 17 * 20


def small(**changes):
    return train(FAMILY, TEXT, **({"epochs": 1, "threads": 1} | changes))


@pytest.mark.parametrize(
    ("n_tokens", "epochs"), [(1, 20), (1_000_000, 20), (4_000_000, 10), (20_000_000, 5), (10**9, 5)]
)
def test_small_corpora_are_read_more_often_by_default(n_tokens, epochs):
    assert default_epochs(n_tokens) == epochs


def test_no_budget_is_the_default_one():
    assert small(epochs=None).record["budget"] == {"epochs": 20}


def test_output_that_exists_is_kept_unless_told(tmp_path):
    small(output=tmp_path / "model")
    before = (tmp_path / "model" / "vectors.safetensors").read_bytes()
    with pytest.raises(firth.UsageError, match="exists"):
        small(output=tmp_path / "model", seed=9)
    assert (tmp_path / "model" / "vectors.safetensors").read_bytes() == before
    small(output=tmp_path / "model", seed=9, overwrite=True)
    assert (tmp_path / "model" / "vectors.safetensors").read_bytes() != before


def test_a_directory_of_others_is_never_overwritten(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(firth.UsageError, match="no model of firth"):
        small(output=tmp_path, overwrite=True)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_bad_input_leaves_the_old_model(tmp_path):
    small(output=tmp_path / "model")
    with pytest.raises(firth.FirthError):
        train(FAMILY, tmp_path / "missing.txt", epochs=1, output=tmp_path / "model", overwrite=True)
    (tmp_path / "empty.txt").touch()
    with pytest.raises(firth.FirthError, match="no words"):
        train(FAMILY, tmp_path / "empty.txt", epochs=1, output=tmp_path / "model", overwrite=True)
    assert len(firth.load(tmp_path / "model").vocabulary) == 9
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_words_below_min_count_leave_nothing_to_train():
    with pytest.raises(firth.FirthError, match="--min-count"):
        train(firth.Skipgram(dim=8, min_count=1000), TEXT, epochs=1)
    with pytest.raises(firth.FirthError, match="only word"):
        train(FAMILY, ["word word word"], epochs=1)


def begun(tmp_path, monkeypatch, **changes):
    """A run that was broken off at its first report."""
    monkeypatch.setattr("firth.windows.BATCH_TOKENS", 34)

    def stop(report):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(hogwild, "SECONDS_BETWEEN_REPORTS", 0.0)
        with pytest.raises(KeyboardInterrupt):
            small(epochs=5000, output=tmp_path / "model", on_report=stop, **changes)


def test_an_unfinished_run_can_be_used_and_is_not_lost(tmp_path, monkeypatch):
    begun(tmp_path, monkeypatch)
    assert firth.load(tmp_path / "model").record["finished"] is False
    assert "cat" in firth.Vectors.load(tmp_path / "model")
    with pytest.raises(firth.UsageError, match="exists"):
        small(output=tmp_path / "model")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 2}, "budget of 2 epochs"),
        ({"seed": 2}, "seed 2"),
        ({"family": firth.Skipgram(dim=9)}, "dim 9"),
        ({"family": firth.CBOW(dim=8)}, "name 'cbow'"),
        ({"base": "elsewhere"}, "a model to go on from"),
    ],
    ids=str,
)
def test_a_resumed_run_keeps_its_settings(tmp_path, monkeypatch, change, message):
    begun(tmp_path, monkeypatch)
    arguments = {"epochs": 5000, "threads": 1, "output": tmp_path / "model", "resume": True} | change
    with pytest.raises(firth.UsageError, match=message):
        train(arguments.pop("family", FAMILY), TEXT, **arguments)


def test_a_resumed_run_needs_its_corpus(tmp_path, monkeypatch):
    begun(tmp_path, monkeypatch)
    with pytest.raises(firth.FirthError, match="not the one that the run began with"):
        train(FAMILY, [*TEXT, "more"], epochs=5000, output=tmp_path / "model", resume=True)


def test_nothing_to_resume(tmp_path):
    with pytest.raises(firth.UsageError, match="no unfinished run"):
        small(output=tmp_path / "model", resume=True)


def test_a_damaged_checkpoint_is_named(tmp_path, monkeypatch):
    begun(tmp_path, monkeypatch)
    state = next((tmp_path / "model" / "checkpoint").glob("*/state.json"))
    state.write_text("{")
    with pytest.raises(firth.FirthError, match="damaged"):
        small(epochs=5000, output=tmp_path / "model", resume=True)


def test_going_on_from_a_model_keeps_its_rows_and_adds_words(tmp_path):
    base = small(epochs=20, output=tmp_path / "base")
    before = base.table().copy()
    new_text = ["the cat saw a zebra", "a zebra saw the cat"] * 10
    model = train(FAMILY, new_text, tokens=1, threads=1, base=tmp_path / "base")
    assert set(model.vocabulary.words) - set(base.vocabulary.words) == {"saw", "zebra"}
    assert model.vocabulary.counts.tolist() == sorted(model.vocabulary.counts, reverse=True)
    assert model.vocabulary.counts[model.vocabulary.row("cat")] == 20 + 20 + 20
    np.testing.assert_array_equal(model.vectors["log"], before[base.vocabulary.row("log")])  # not in the new text
    assert 0 < np.abs(model.vectors["cat"] - before[base.vocabulary.row("cat")]).max() < 0.5
    assert np.abs(model.vectors["zebra"]).max() > 0
    assert model.record["base"]["corpus"] == base.record["corpus"]
    np.testing.assert_array_equal(base.table(), before)


def test_going_on_needs_the_same_dim_and_no_tree(tmp_path):
    base = small()
    with pytest.raises(firth.UsageError, match="dim is 9"):
        train(firth.Skipgram(dim=9, min_count=1), TEXT, epochs=1, base=base)
    with pytest.raises(firth.UsageError, match="negative sampling"):
        train(firth.Skipgram(dim=8, min_count=1, objective="hierarchical_softmax"), TEXT, epochs=1, base=base)


def test_going_on_keeps_how_words_were_found(tmp_path):
    base = train(FAMILY, ["我今天好开心"] * 20, epochs=1, preparation=Preparation(segment="chinese"))
    with pytest.raises(firth.UsageError, match="segment 'chinese'"):
        train(FAMILY, TEXT, epochs=1, base=base, preparation=Preparation(segment="words"))
    with pytest.raises(firth.UsageError, match="leave out cased"):
        train(FAMILY, TEXT, epochs=1, base=base, preparation=Preparation(cased=True))
    model = train(FAMILY, [["今天", "开心"], ["今天", "很", "忙"]] * 10, epochs=1, base=base)
    assert model.segmentation == base.segmentation
    assert "忙" in model.vocabulary


def test_a_model_says_how_its_text_was_prepared():
    preparation = Preparation(drop_duplicates="lines", segment="words")
    record = train(FAMILY, TEXT, epochs=1, preparation=preparation).record
    assert Preparation.from_settings(record["preparation"]) == preparation.completed(cased=False, punctuation=False)
    assert record["corpus"]["layout"] == "lines"
    assert "left out" in record["corpus"]["remarks"][0]


def test_going_on_into_the_base_itself(tmp_path):
    small(output=tmp_path / "model")
    (tmp_path / "model" / "notes.txt").write_text("mine")
    model = train(FAMILY, TEXT, epochs=1, base=tmp_path / "model", output=tmp_path / "model", overwrite=True)
    assert firth.load(tmp_path / "model").record["base"]["finished"] is True
    assert model.record["finished"] is True
    assert (tmp_path / "model" / "notes.txt").read_text() == "mine"


def test_a_place_that_cannot_be_written_is_told_before_training(tmp_path, monkeypatch):
    monkeypatch.setattr(static_training, "prepared", None)  # nothing is read
    (tmp_path / "file").touch()
    with pytest.raises(firth.FirthError, match="cannot be written"):
        small(output=tmp_path / "file" / "model")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(firth.UsageError, match="current directory"):
        small(output=".", overwrite=True)


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="no signal can be sent to a thread here")
def test_ctrl_c_while_a_checkpoint_is_written_waits_for_it(tmp_path, monkeypatch):
    write = firth.Model.write

    def interrupted_write(model, folder):
        signal.raise_signal(signal.SIGINT)
        write(model, folder)

    monkeypatch.setattr(firth.Model, "write", interrupted_write)
    begun(tmp_path, monkeypatch)
    assert firth.load(tmp_path / "model").record["finished"] is False


def test_gensims_names_are_answered():
    with pytest.raises(firth.UsageError, match="workers is called threads here"):
        train(FAMILY, TEXT, workers=4)
    with pytest.raises(TypeError, match="bogus"):
        train(FAMILY, TEXT, bogus=4)


def test_what_belongs_to_the_preparation_is_answered():
    with pytest.raises(firth.UsageError, match=r"preparation=firth\.Preparation\(segment=\.\.\.\)"):
        train(FAMILY, TEXT, segment="space")


@pytest.mark.parametrize("change", [{"threads": 0}, {"seed": -1}], ids=str)
def test_arguments_out_of_range(change):
    with pytest.raises(firth.UsageError, match=next(iter(change))):
        small(**change)


def test_a_reproducible_run_has_no_clock():
    with pytest.raises(firth.UsageError, match="clock"):
        train(FAMILY, TEXT, minutes=1, reproducible=True)


def test_cased_and_segment_are_settings_of_the_model():
    model = train(FAMILY, ["The cat sat", "the Cat sat"] * 5, epochs=1, preparation=Preparation(cased=True))
    assert {"The", "the", "Cat", "cat"} < set(model.vocabulary.words)
    model = train(
        FAMILY, ["new-york is big", "new-york is loud"] * 5, epochs=1, preparation=Preparation(segment="space")
    )
    assert "new-york" in model.vocabulary


def test_words_need_not_be_text():
    sessions = [[101, 205, 101], [205, 317]] * 10
    model = train(FAMILY, (session for session in sessions), epochs=1)
    assert set(model.vocabulary.words) == {"101", "205", "317"}


def test_the_cache_directory_holds_nothing_afterwards(tmp_path):
    small(cache_dir=tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.fixture
def with_phrases(tmp_path):
    """A preparation that joins "sat on"."""
    (tmp_path / "phrases.tsv").write_text("sat on\n", encoding="utf-8")
    return Preparation(phrases=tmp_path / "phrases.tsv")


def test_phrases_are_words_of_the_model_and_of_its_queries(tmp_path, with_phrases):
    small(preparation=with_phrases, output=tmp_path / "model")
    with_phrases.phrases.unlink()
    for vectors in (firth.load(tmp_path / "model").vectors, firth.Vectors.load(tmp_path / "model")):
        assert {"sat_on", "cat"} < set(vectors.words)
        assert "sat" not in vectors.words
        assert vectors.words_of("The cat Sat  on", "mat") == ["the", "cat", "sat_on", "mat"]
        assert vectors.words_of("sat on") == vectors.words_of("sat_on") == ["sat_on"]
        assert vectors.row("sat on") == vectors.row("Sat on.") == vectors.row("sat_on")
        assert "sat on" in vectors
        assert "sat on the" not in vectors
        assert "the cat" not in vectors
        assert vectors.similarity("sat on", "sat_on") == pytest.approx(1)
        with pytest.raises(firth.UnknownWordError, match="'sat'"):
            vectors.row("sat")
        vectors.save(tmp_path / "vectors", overwrite=True)
        assert firth.Vectors.load(tmp_path / "vectors").row("sat on") == vectors.row("sat_on")


def test_a_model_with_phrases_is_gone_on_with_and_resumed(tmp_path, monkeypatch, with_phrases):
    base = small(preparation=with_phrases, output=tmp_path / "model")
    more = [*TEXT, "he sat on a log"]
    for sources in (more, [line.split() for line in more], (tmp_path / "more.txt")):
        if not isinstance(sources, list):
            sources.write_text("\n".join(more), encoding="utf-8")
        for preparation in (None, with_phrases):
            onward = train(FAMILY, sources, base=base, epochs=1, threads=1, preparation=preparation)
            assert {"sat_on", "he"} < set(onward.vocabulary.words)
            assert "sat" not in onward.vocabulary
            assert onward.segmentation == base.segmentation
    with_phrases.phrases.write_text("the cat\n")
    for sources in (more, [line.split() for line in more]):
        with pytest.raises(firth.UsageError, match="the model has 1 others, and new text is read as the model's was"):
            train(FAMILY, sources, base=base, epochs=1, preparation=with_phrases)
        with pytest.raises(firth.UsageError, match="the model has none"):
            train(FAMILY, sources, base=small(), epochs=1, preparation=with_phrases)


def test_a_resumed_run_keeps_its_phrases(tmp_path, monkeypatch, with_phrases):
    begun(tmp_path, monkeypatch, preparation=with_phrases)
    with pytest.raises(firth.UsageError, match="phrases None"):
        small(epochs=5000, output=tmp_path / "model", resume=True)
    model = small(epochs=5000, output=tmp_path / "model", resume=True, preparation=with_phrases)
    assert "sat_on" in model.vocabulary
    assert model.record["preparation"]["phrases"] == with_phrases.phrases.name


def test_the_model_is_handed_over_before_its_first_step_and_changes_in_place():
    begun, seen = [], []

    def begin(model):
        begun.append((model, model.network.input.copy()))

    model = small(on_begin=begin, on_report=lambda report: seen.append(begun[0][0].network.input.copy()))
    ((live, first),) = begun
    assert live is model
    assert not np.array_equal(first, seen[-1])
    assert np.array_equal(seen[-1], model.network.input)
