import json
import math
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from trainings import job

from firth import account, comparison, jobs
from firth.comparison import Comparison, compare, drawn_up
from firth.comparison_report import figures
from firth.division import lines_of
from firth.errors import FirthError, UsageError
from firth.families.family import settings
from firth.families.skipgram import Skipgram
from firth.grades import Grades
from firth.ledger import Records, items_path, read_items, safe, write_items
from firth.model import load
from firth.plan import Plan, Task, check_disk
from firth.undertaking import Undertaking
from firth.variants import Variant

ANIMALS = ("cat", "dog", "horse", "mouse", "cow")
METALS = ("gold", "iron", "copper", "silver", "tin")
TEXT = [
    line
    for number in range(240)
    for line in (
        f"the {ANIMALS[number % 5]} and the {ANIMALS[(number + 1) % 5]} eat grass in the field",
        f"they melt {METALS[number % 5]} with {METALS[(number + 2) % 5]} in a hot furnace",
        "",
    )
]
SMALL = "skipgram:dim=8,window=3,cbow:dim=8"
RUN = jobs.run


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work is done here, which spares a process for each piece; what JSON takes goes through it all the same."""

    def here(job: Mapping[str, Any], folder: Path, name: str) -> dict[str, Any]:
        folder.mkdir(parents=True, exist_ok=True)
        found: dict[str, Any] = json.loads(json.dumps(jobs.done(json.loads(json.dumps(job)))))
        return found

    monkeypatch.setattr(jobs, "run", here)
    monkeypatch.setattr(figures, "draw", lambda *_: figures.Drawn([], []))  # which have tests of their own


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sets")
    pairs = [(ANIMALS[0], ANIMALS[1], 9), (METALS[0], METALS[1], 8), (ANIMALS[0], METALS[0], 1), ("cow", "tin", 2)]
    rows = [f"{first}\t{second}\t{score}" for first, second, score in pairs]
    (folder / "pairs.tsv").write_text("\n".join([*rows, "cat\tunknowable\t3"]), encoding="utf-8")
    (folder / "categories.txt").write_text(
        "\n".join([f"{word}\tanimal" for word in ANIMALS] + [f"{word}\tmetal" for word in METALS]), encoding="utf-8"
    )
    (folder / "nothing.tsv").write_text("unknowable\tunheard\t3\nnever\tmet\t4\n", encoding="utf-8")
    return folder


def compared(folder: Path, files: Path, families: str = SMALL, **given: Any) -> Comparison:
    how: dict[str, Any] = {"words": 20_000, "pairs": [files / "pairs.tsv"], "threads": 1, "sets": []}
    how |= {"cache_dir": files / "cache"}
    return compare(TEXT, families, output=folder, **(how | given))


@pytest.fixture(scope="module")
def made(files: Path, tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jobs, "run", lambda job, folder, name: json.loads(json.dumps(jobs.done(job))))
        patch.setattr(figures, "draw", lambda *_: figures.Drawn([], []))
        folder = tmp_path_factory.mktemp("made") / "report"
        return compared(folder, files, seeds=2, categories=[files / "categories.txt"], neighbours=["cat", "gold"])


def test_every_variant_and_the_random_table_are_there(made: Comparison) -> None:
    names = ["skipgram:dim=8,window=3", "cbow:dim=8", "random"]
    assert [variant["name"] for variant in made.report["variants"]] == names
    assert {score["variant"] for score in made.report["scores"]} == set(names)
    assert [variant["random"] for variant in made.report["variants"]] == [False, False, True]


def test_each_seed_is_an_ordinary_model(made: Comparison) -> None:
    runs = made.report["runs"]
    assert len(runs) == 4
    for run in runs:
        model = load(made.folder / run["model"])
        assert model.record["seed"] == run["seed"]
        assert model.record["finished"]


def test_all_see_as_many_words(made: Comparison) -> None:
    for run in made.report["runs"]:
        assert run["words"] == pytest.approx(20_000, rel=0.1)


def test_no_model_has_seen_the_held_out_documents(made: Comparison) -> None:
    corpus = made.report["corpus"]
    assert corpus["n_held_out_documents"] > 0
    training = [line for line in lines_of(made.folder / "text" / "training.txt") if line]
    held_out = [line for line in lines_of(made.folder / "text" / "held-out.txt") if line]
    assert sorted(training + held_out) == sorted(line for line in TEXT if line)
    models = [load(made.folder / run["model"]) for run in made.report["runs"]]
    assert {model.record["corpus"]["fingerprint"] for model in models} == {models[0].record["corpus"]["fingerprint"]}
    assert {model.record["corpus"]["n_tokens"] for model in models} == {corpus["n_words"]}
    assert corpus["n_words"] == sum(len(line.split()) for line in training)


def test_scores_are_of_the_words_that_all_know_with_coverage(made: Comparison) -> None:
    pairs = [score for score in made.report["scores"] if score["set"] == "pairs"]
    assert {(score["n_items"], score["n_known"]) for score in pairs} == {(5, 4)}
    assert {one["n_known"] for one in made.report["coverage"] if one["set"] == "pairs"} == {4}
    assert all(score["low"] <= score["score"] <= score["high"] for score in pairs if score["low"] is not None)


def test_what_was_trained_is_better_than_the_random_table(made: Comparison) -> None:
    purity = {one["variant"]: one["score"] for one in made.report["best_layers"] if one["set"] == "categories"}
    assert purity["skipgram:dim=8,window=3"] == 1.0
    assert purity["random"] < 1.0


def test_all_pairs_are_compared_and_p_is_corrected(made: Comparison) -> None:
    found = made.report["differences"]
    assert len(found) == 2 * 3  # sets, pairs of three variants
    assert all(one["p_corrected"] >= one["p"] for one in found if one["p"] is not None)
    assert all(one["tie"] for one in found if one["p_corrected"] is None or one["p_corrected"] >= 0.05)


def test_neighbours_of_chosen_words_stand_side_by_side(made: Comparison) -> None:
    told = {(one["word"], one["variant"]): [word for word, _ in one["neighbours"]] for one in made.report["neighbours"]}
    assert len(told) == 2 * 3
    assert all(len(set(words)) == 10 and word not in words for (word, _), words in told.items())
    assert set(told["cat", "skipgram:dim=8,window=3"]) & set(ANIMALS)
    overlap = next(one for one in made.report["overlaps"] if one["word"] == "cat" and "random" not in one["a"])
    assert 0 <= overlap["jaccard"] <= 1


def test_costs_are_told(made: Comparison) -> None:
    for run in made.report["runs"]:
        assert run["parameters"] == 2 * 8 * len(load(made.folder / run["model"]).vocabulary)
        assert min(run[name] for name in ("flops", "bytes", "lookup_ms", "sentence_ms", "words_per_second")) > 0
        assert {"prepare", "train", "matrices", "measure"} == set(run["seconds"])
        assert run["seconds"]["measure"] > 0


def test_the_curve_has_scores_against_seconds_and_words(made: Comparison) -> None:
    for run in made.report["runs"]:
        words = [point["words"] for point in run["curve"]]
        assert words
        assert words == sorted(words)
        assert run["losses"]
        assert all(-1 <= point["score"] <= 1 for point in run["curve"])


def test_the_files_of_the_report_hold_the_same_numbers(made: Comparison) -> None:
    told = json.loads((made.folder / "report.json").read_text(encoding="utf-8"))
    assert told == made.report
    assert made.page.is_file()
    assert made.answer


def test_items_are_kept_for_others_to_compare(made: Comparison) -> None:
    found = read_items(items_path(made.folder, "grade", "cbow:dim=8", 2))
    assert found["similarity", "pairs", "spearman", None, 0].shape == (5, 2)
    assert set(found["categories", "categories", "purity", None, 0]) <= {0.0, 1.0}
    assert len(list((made.folder / "items").iterdir())) == 3 * 2


def test_items_are_stored_small_and_come_back_as_they_were(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    right = np.where(rng.random(20_000) < 0.1, np.nan, rng.random(20_000) < 0.5).astype(np.float64)
    cosines = np.array([[7.35, 0.25], [7.35, np.nan], [1.0, -1.0]])
    write_items(tmp_path / "items" / "a.npz", {("analogy", "词", None, 1): right, (): cosines})
    found = read_items(tmp_path / "items" / "a.npz")
    assert np.array_equal(found["analogy", "词", None, 1], right, equal_nan=True)
    assert found[()] == pytest.approx(cosines, rel=1e-6, nan_ok=True)
    assert (tmp_path / "items" / "a.npz").stat().st_size < 20_000


def test_a_damaged_file_of_items_is_named(tmp_path: Path) -> None:
    with pytest.raises(FirthError, match=r"none\.npz is missing"):
        read_items(tmp_path / "none.npz")
    (tmp_path / "cut.npz").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(FirthError, match=r"cut\.npz is damaged"):
        read_items(tmp_path / "cut.npz")


def test_a_comparison_that_is_done_is_gone_on_with_at_no_cost(
    made: Comparison, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "run", lambda *asked: pytest.fail("nothing is left to do"))
    given: dict[str, Any] = {"seeds": 2, "categories": [files / "categories.txt"], "neighbours": ["cat", "gold"]}
    again = compared(made.folder, files, resume=True, **given)
    keys = ("scores", "differences", "runs")
    assert {key: again.report[key] for key in keys} == {key: made.report[key] for key in keys}


def test_what_is_gone_on_with_has_the_same_settings(made: Comparison, files: Path) -> None:
    with pytest.raises(UsageError, match=r"begun with other settings \(.*words"):
        compared(made.folder, files, resume=True, seeds=2, words=30_000)


def test_what_stands_there_is_not_replaced_unasked(made: Comparison, files: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--resume goes on"):
        compared(made.folder, files)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "note.txt").write_text("mine")
    with pytest.raises(UsageError, match="is no comparison"):
        compared(tmp_path / "mine", files, overwrite=True)
    assert (tmp_path / "mine" / "note.txt").read_text() == "mine"


def test_interrupted_it_goes_on_where_it_was(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = jobs.run
    asked: list[tuple[str, str]] = []

    def interrupted(job: Mapping[str, Any], folder: Path, name: str) -> dict[str, Any]:
        asked.append((job["work"], name))
        if len(asked) == 3:
            raise KeyboardInterrupt
        return here(job, folder, name)

    monkeypatch.setattr(jobs, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        compared(tmp_path / "report", files)
    made = compared(tmp_path / "report", files, resume=True)
    assert [name for _, name in asked[:2]] == [name for _, name in asked if name in {asked[0][1], asked[1][1]}]
    assert len(made.report["runs"]) == 2
    assert all(run["failed"] is None for run in made.report["runs"])


def test_a_line_that_was_broken_off_is_work_to_be_done_again(tmp_path: Path) -> None:
    records = Records(tmp_path / "records.jsonl")
    records.add("train", "cbow", 1, "", {"ok": {"seconds": 1.0}})
    with (tmp_path / "records.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"work": "train", "variant": "skip')
    again = Records(tmp_path / "records.jsonl")
    assert again.get("train", "cbow", 1) == records.get("train", "cbow", 1)
    again.add("train", "skipgram", 1, "", {"ok": {}})
    assert Records(tmp_path / "records.jsonl").get("train", "skipgram", 1) is not None


def test_a_line_that_ends_within_a_character_or_has_a_line_separator_is_read(tmp_path: Path) -> None:
    records = Records(tmp_path / "records.jsonl")
    records.add("judge", "cbow", 1, "one\u2028two", {"ok": {}})
    with (tmp_path / "records.jsonl").open("ab") as file:
        file.write('{"work": "词'.encode()[:-1])
    assert Records(tmp_path / "records.jsonl").found == records.found


def test_long_names_of_files_that_begin_alike_stay_apart() -> None:
    first, second = (safe(f"{'词' * 200}{end}") for end in "ab")
    assert first != second
    assert max(len(first.encode()), len(second.encode())) <= 120
    assert safe("cbow:dim=8") == "cbow_dim=8"


def test_a_family_that_fails_leaves_the_others_going(files: Path, tmp_path: Path) -> None:
    made = compared(tmp_path / "report", files, "cbow:dim=8,skipgram:dim=8,learning-rate=1e30")
    by_name = {run["variant"]: run for run in made.report["runs"]}
    assert by_name["cbow:dim=8"]["failed"] is None
    assert "diverged" in by_name["skipgram:dim=8,learning-rate=1e30"]["failed"]
    assert any("failed (train)" in sentence for sentence in made.report["missing"])


def test_a_corpus_too_small_for_a_family_leaves_it_out(files: Path, tmp_path: Path) -> None:
    made = compared(tmp_path / "report", files, "cbow:dim=8,skipgram:dim=8,min-count=100000")
    left_out = {variant["name"]: variant["left_out"] for variant in made.report["variants"]}
    assert left_out["cbow:dim=8"] is None
    assert "100000 times" in str(left_out["skipgram:dim=8,min-count=100000"])
    assert [run["variant"] for run in made.report["runs"]] == ["cbow:dim=8"]


def test_where_no_family_can_be_trained_it_is_said(files: Path, tmp_path: Path) -> None:
    with pytest.raises(FirthError, match="none of the families could be trained"):
        compared(tmp_path / "report", files, "cbow:min-count=100000")


def test_a_set_of_which_nothing_is_known_is_said(files: Path, tmp_path: Path) -> None:
    made = compared(tmp_path / "report", files, "cbow:dim=8", pairs=[files / "nothing.tsv"])
    assert any("nothing: none of its 2 questions" in sentence for sentence in made.report["missing"])
    assert made.report["coverage"][0]["n_known"] == 0


def test_published_vectors_join_and_are_marked(files: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    words = ["the", "and", "in", "eat", "grass", "field", "they", "melt", "with", "a", "hot", "furnace"]
    rows = [f"{word} " + " ".join(map(str, rng.normal(size=4).round(3))) for word in [*words, *ANIMALS, *METALS]]
    path = tmp_path / "other.txt"
    path.write_text("\n".join([f"{len(rows)} 4", *rows]), encoding="utf-8")
    made = compared(tmp_path / "report", files, "cbow:dim=8", published=[str(path)])
    other = next(one for one in made.report["variants"] if one["name"] == "other.txt")
    assert (other["published"], other["family"]) == (True, "published")
    assert any(score["variant"] == "other.txt" for score in made.report["scores"])


def test_a_published_model_does_not_take_the_place_of_one_that_was_trained(files: Path, tmp_path: Path) -> None:
    words = ["the", "and", "in", "eat", "grass", "field", "they", "melt", "with", "a", "hot", "furnace"]
    rows = [f"{word} {number} 1" for number, word in enumerate([*words, *ANIMALS, *METALS])]
    path = tmp_path / "cbow_dim=8-1"
    path.write_text("\n".join([f"{len(rows)} 2", *rows]), encoding="utf-8")
    made = compared(tmp_path / "report", files, "cbow:dim=8", published=[str(path)])
    assert load(made.folder / "models" / "cbow_dim=8-1").vectors.dim == 8
    assert {score["variant"] for score in made.report["scores"]} == {"cbow:dim=8", "cbow_dim=8-1", "random"}


def test_a_family_of_which_one_seed_fails_is_no_failure_of_all(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = jobs.run

    def killed(job: Mapping[str, Any], folder: Path, name: str) -> dict[str, Any]:
        is_first = job["work"] == "train" and job["seed"] == 1
        return {"failed": "its process ended with signal 9"} if is_first else here(job, folder, name)

    monkeypatch.setattr(jobs, "run", killed)
    made = compared(tmp_path / "report", files, "cbow:dim=8", seeds=2)
    assert [run["failed"] is None for run in made.report["runs"]] == [False, True]


def test_the_size_that_one_seed_chose_is_that_of_the_others(tmp_path: Path) -> None:
    small, large = Skipgram(dim=8), Skipgram(dim=16)
    work = Undertaking.__new__(Undertaking)
    work.folder, work.records = tmp_path, Records(tmp_path / "records.jsonl")
    work.asked = cast("Any", SimpleNamespace(trials=1, seeds=(1, 2), counts="training"))
    variant = Variant(name="skipgram", sizes=(small, large))
    assert work.sizes(variant, 1) == [settings(small), settings(large)]
    work.records.add("train", "skipgram", 1, "", {"ok": {"family": settings(small)}})
    assert work.sizes(variant, 2) == [settings(small)]


def test_who_answers_fewer_than_half_does_not_empty_a_set_for_the_others() -> None:
    knowing, other = np.array([1.0, 0.0, 1.0, 1.0]), np.array([np.nan, np.nan, np.nan, 1.0])
    graded = Grades()
    kept = account._answered(
        graded, ("context", "wic", "accuracy", None), {"a": {0: {1: knowing}}, "b": {0: {1: other}}}
    )
    assert kept == {"a": {0: {1: knowing}}}
    assert graded.missing == [
        "b, seed 1, answers 1 of the 4 questions of wic alone, and is not compared with the others by them"
    ]


def test_trials_choose_settings_that_the_training_then_has(files: Path, tmp_path: Path) -> None:
    made = compared(tmp_path / "report", files, "skipgram:dim=8", trials=3)
    (variant, _) = made.report["variants"]
    assert len(variant["trials"]) == 3
    (chosen,) = [trial for trial in variant["trials"] if trial["chosen"]]
    assert chosen["score"] == max(trial["score"] for trial in variant["trials"])
    family = load(made.folder / made.report["runs"][0]["model"]).family
    assert family.learning_rate == pytest.approx(Skipgram().learning_rate * chosen["hyperparameters"]["learning_rate"])
    assert not list((made.folder / "trials").iterdir())


def test_trials_are_chosen_by_a_file_where_one_is_given(files: Path, tmp_path: Path) -> None:
    made = compared(tmp_path / "report", files, "glove:dim=8", trials=2, dev=files / "pairs.tsv")
    assert {trial["by"] for trial in made.report["variants"][0]["trials"]} == {"dev"}


def test_the_plan_tells_time_and_disk_and_trains_nothing(files: Path) -> None:
    plan = drawn_up(TEXT, "skipgram,bert:preset=tiny,gpt", minutes=2, seeds=3, cache_dir=files / "cache")
    assert [row["size"] for row in plan.rows()] == ["small", "tiny", "by the budget"]
    assert plan.minutes_in_all is not None
    assert 3 * 3 * 2 < plan.minutes_in_all < 3 * 3 * 3.5
    assert plan.bytes_in_all > 3 * plan.n_bytes
    assert drawn_up(TEXT, "cbow", words=1e6, cache_dir=files / "cache").minutes_in_all is None


def test_a_disk_that_is_too_small_is_refused_before_the_work(files: Path, tmp_path: Path) -> None:
    plan = drawn_up(TEXT, "cbow", minutes=1, cache_dir=files / "cache")
    large = Plan(**{**{name: getattr(plan, name) for name in plan.__dataclass_fields__}, "n_bytes": 1 << 60})
    with pytest.raises(FirthError, match="make room"):
        check_disk(large, tmp_path)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"minutes": 1.0}, "one of minutes and words"),
        ({"words": -1}, "positive number"),
        ({"seeds": 0}, "seeds is 0"),
        ({"trials": 0}, "trials is 0"),
        ({"counts": "some"}, "'training' and 'all'"),
        ({"lang": "fr"}, "'en' and 'zh'"),
        ({"families": "none"}, "no family is called"),
        ({"families": ""}, "no family is named"),
        ({"tasks": ["classify=a.tsv"]}, "three files are due"),
        ({"tasks": ["classify=a.tsv,b.tsv,c.tsv"]}, "no file a.tsv"),
    ],
)
def test_what_contradicts_itself_is_refused(given: dict[str, Any], said: str, files: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=said):
        compared(tmp_path / "report", files, **given)
    assert not (tmp_path / "report" / "models").exists()


def test_a_missing_resumption_is_refused(files: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no comparison to go on with"):
        compared(tmp_path / "report", files, resume=True)


def test_two_processes_do_not_work_on_one_comparison(made: Comparison, files: Path) -> None:
    with comparison._alone(made.folder), pytest.raises(FirthError, match="another process"):
        compared(made.folder, files, resume=True, seeds=2)


def test_tasks_are_named_by_their_folders(tmp_path: Path) -> None:
    (tmp_path / "sst2").mkdir()
    for name in ("train", "dev", "test"):
        (tmp_path / "sst2" / f"{name}.tsv").write_text("good\tpos\n")
    paths = ",".join(str(tmp_path / "sst2" / f"{name}.tsv") for name in ("train", "dev", "test"))
    assert Task.read(f"classify={paths}").name == "sst2"


# --- seeds, one after the other, on machines that come and go


KEPT = ("plan.json", "records.jsonl", "items")


def moved(folder: Path, target: Path) -> Path:
    """A comparison as another machine gets it: what is written down, and neither models nor text."""
    target.mkdir(parents=True)
    for name in KEPT:
        copy = shutil.copytree if (folder / name).is_dir() else shutil.copyfile
        copy(folder / name, target / name)
    return target


@pytest.fixture
def trained_here(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, int]]:
    """The work that is done from now on: what, on which variant, with which seed."""
    here = jobs.run
    asked: list[tuple[str, str, int]] = []

    def told(job: Mapping[str, Any], folder: Path, name: str) -> dict[str, Any]:
        asked.append((job["work"], name.split("-")[1], job["seed"]))
        return here(job, folder, name)

    monkeypatch.setattr(jobs, "run", told)
    return asked


NUMBERS = ("scores", "coverage", "differences", "best_layers", "neighbours", "overlaps")


def test_a_report_needs_no_model(made: Comparison, files: Path, tmp_path: Path, trained_here: list[Any]) -> None:
    given: dict[str, Any] = {"seeds": 2, "categories": [files / "categories.txt"], "neighbours": ["cat", "gold"]}
    again = compared(moved(made.folder, tmp_path / "moved"), files, resume=True, **given)
    assert trained_here == []
    assert {name: again.report[name] for name in NUMBERS} == {name: made.report[name] for name in NUMBERS}
    assert again.report["missing"] == made.report["missing"]


def test_seeds_are_done_one_at_a_time_each_on_another_machine(
    made: Comparison, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trained_here: list[Any]
) -> None:
    given: dict[str, Any] = {"seeds": 2, "categories": [files / "categories.txt"], "neighbours": ["cat", "gold"]}
    with monkeypatch.context() as patch:
        patch.setattr(Undertaking, "seconds_left", lambda self, seed: 60.0 if seed == 1 else 6000.0)
        first = compared(tmp_path / "first", files, stop_after=10, **given)
    assert {seed for _, _, seed in trained_here} == {1}
    assert first.report["seeds"] == [1]
    assert "1 of 2 seeds are done so far, and the report is of these" in first.report["missing"]
    trained_here.clear()
    second = compared(moved(tmp_path / "first", tmp_path / "second"), files, resume=True, **given)
    assert {seed for _, _, seed in trained_here} == {2}
    assert second.report["seeds"] == [1, 2]
    of_first = [one for one in second.report["scores"] if one["seed"] == 1]
    assert of_first == first.report["scores"]
    keys = [(one["variant"], one["seed"], one["set"]) for one in made.report["scores"]]
    assert [(one["variant"], one["seed"], one["set"]) for one in second.report["scores"]] == keys


def test_a_seed_that_was_not_whole_is_begun_anew_where_its_models_are_gone(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trained_here: list[Any]
) -> None:
    done = jobs.run

    def interrupted(job: Mapping[str, Any], folder: Path, name: str) -> dict[str, Any]:
        if job["work"] == "matrices" and "cbow" in name:
            raise KeyboardInterrupt
        return done(job, folder, name)

    with monkeypatch.context() as patch:
        patch.setattr(jobs, "run", interrupted)
        with pytest.raises(KeyboardInterrupt):
            compared(tmp_path / "first", files)
    (tmp_path / "first" / "items").mkdir(exist_ok=True)
    made = compared(moved(tmp_path / "first", tmp_path / "second"), files, resume=True)
    trainings = [variant for work, variant, _ in trained_here if work == "train"]
    assert sorted(trainings) == ["cbow_dim=8"] * 2 + ["skipgram_dim=8_window=3"] * 2
    assert {one["variant"] for one in made.report["scores"]} == {"skipgram:dim=8,window=3", "cbow:dim=8", "random"}


def test_what_no_longer_fits_and_has_no_model_is_told(made: Comparison, files: Path, tmp_path: Path) -> None:
    folder = moved(made.folder, tmp_path / "moved")
    (folder / "items" / "grade-cbow_dim=8-2.npz").unlink()
    given: dict[str, Any] = {"seeds": 2, "categories": [files / "categories.txt"], "neighbours": ["iron"]}
    again = compared(folder, files, resume=True, **given)
    missing = " ".join(again.report["missing"])
    assert "cbow:dim=8, seed 2: the model is gone, and its grades are missing, damaged or of other sets" in missing
    assert "cbow:dim=8, seed 1: the model is gone, and other neighbours are asked for" in missing
    assert {one["seed"] for one in again.report["scores"] if one["variant"] == "cbow:dim=8"} == {1}
    assert {one["variant"] for one in again.report["neighbours"]} == {"random"}


@pytest.mark.parametrize(("name", "value"), [("text", "another"), ("format", None)])
def test_another_text_or_format_is_not_gone_on_with(
    name: str, value: str | None, made: Comparison, files: Path, tmp_path: Path
) -> None:
    folder = moved(made.folder, tmp_path / "moved")
    plan = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    plan["inputs"][name] = value
    (folder / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    given: dict[str, Any] = {"seeds": 2, "categories": [files / "categories.txt"], "neighbours": ["cat", "gold"]}
    with pytest.raises(UsageError, match=rf"other settings \({name}\)"):
        compared(folder, files, resume=True, **given)


def test_too_little_time_for_a_seed_is_said_before_any_work(
    files: Path, tmp_path: Path, trained_here: list[Any]
) -> None:
    with pytest.raises(UsageError, match=r"seed 1 takes about \d+ minutes, and 2 are left.*; give --resume more"):
        compared(tmp_path / "report", files, words=None, minutes=3, stop_after=2)
    assert trained_here == []
    with pytest.raises(UsageError, match="stop_after is 0"):
        compared(tmp_path / "report", files, stop_after=0)


def test_a_seed_takes_as_long_as_another_one_did(tmp_path: Path) -> None:
    records = Records(tmp_path / "records.jsonl")
    for kind, name, seed, took in [
        ("train", "cbow", 1, 100.0), ("matrices", "cbow", 1, 10.0), ("use", "cbow", 1, 1000.0), ("seed", "", 1, 5.0),
        ("train", "cbow", 2, 120.0),
    ]:  # fmt: skip
        records.add(kind, name, seed, "", {"ok": {}, "took": took})
    work = Undertaking.__new__(Undertaking)
    work.folder, work.records = tmp_path, records
    variant = Variant(name="cbow", sizes=(Skipgram(dim=8),))
    work.asked = cast("Any", SimpleNamespace(seeds=(1, 2, 3), variants=(variant,), minutes=2.0))
    assert work.seconds_left(1) == 0
    assert work.seconds_left(3) == 120 + 10 + 5  # the budget at least, of the training; no task
    assert work.seconds_left(2) == 120 + 10 + 5  # its model is gone
    (tmp_path / "models" / "cbow-2").mkdir(parents=True)
    (tmp_path / "models" / "cbow-2" / "firth.json").write_text("{}")
    assert work.seconds_left(2) == 10 + 5


# --- processes


def test_a_full_disk_ends_the_comparison_instead_of_failing_a_family(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(jobs, "train", full)
    with pytest.raises(jobs.DiskFullError):
        jobs.done(job(tmp_path))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError("of 3 GiB"), "not enough memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "not enough memory"),
        (ZeroDivisionError("division by zero"), "ZeroDivisionError"),
    ],
)
def test_whatever_ends_a_training_is_told(
    error: Exception, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(jobs, "train", failing)
    assert said in jobs.done(job(tmp_path))["failed"]


@pytest.mark.parametrize(
    ("cause", "told"), [(None, "left_out"), (OSError(2, "no such"), "failed"), (ImportError("torch"), "failed")]
)
def test_what_the_text_has_no_part_in_is_tried_again(
    cause: Exception | None, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise FirthError("it cannot begin") from cause

    monkeypatch.setattr(jobs, "train", failing)
    assert jobs.done(job(tmp_path)) == {told: "it cannot begin"}


def test_a_run_that_is_begun_anew_has_no_points_of_the_one_before(tmp_path: Path) -> None:
    pairs = {"set": "pairs", "pairs": [["cat", "dog", 9.0], ["gold", "iron", 8.0], ["cat", "gold", 1.0]]}
    asked = job(tmp_path, curve=pairs)
    Path(f"{asked['output']}.curve.jsonl").write_text('{"fraction": 1.0, "layer": 0, "score": 7.0}\n')
    points = jobs.done(asked)["ok"]["curve"]
    assert points
    assert all(point["score"] != 7.0 for point in points)


def test_points_from_behind_the_checkpoint_are_made_again(tmp_path: Path) -> None:
    asked = job(tmp_path)
    points = [{"fraction": fraction, "score": 0.5} for fraction in (0.25, 0.5)]
    Path(f"{asked['output']}.curve.jsonl").write_text("".join(json.dumps(point) + "\n" for point in points))
    curve = jobs._Curve(asked)
    curve(cast("Any", SimpleNamespace(fraction=0.3)))
    assert curve.points == points[:1]


@pytest.mark.parametrize(("minutes", "left"), [(2.0, 1.5), (0.5, None)])
def test_preparing_takes_of_the_minutes_where_it_counts(
    minutes: float, left: float | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []

    def train(*_: object, **how: Any) -> Any:
        asked.append(how)
        return SimpleNamespace(record={"prepared": {"encode_seconds": 30.0, "held_out_seconds": 99.0}})

    monkeypatch.setattr(jobs, "train", train)
    monkeypatch.setattr(jobs, "_trained", lambda *_: {})
    found = jobs.done(job(tmp_path, minutes=minutes, epochs=None, counts="all"))
    assert asked[0]["tokens"] == 1
    if left is None:
        assert "preparing counts" in found["left_out"]
        assert not list(tmp_path.glob(".model.*"))
    else:
        assert asked[1]["minutes"] == left


@pytest.mark.slow
def test_a_process_of_its_own_tells_what_came_of_it(tmp_path: Path) -> None:
    found = RUN(job(tmp_path), tmp_path / "jobs", "one")
    assert found["ok"]["seconds"] > 0
    assert found["ok"]["peak_mib"] is None or found["ok"]["peak_mib"] > 20
    assert load(tmp_path / "model").record["finished"]
    assert not list((tmp_path / "jobs").iterdir())


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
def test_a_comparison_that_is_interrupted_and_killed_goes_on(files: Path, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("\n".join(TEXT), encoding="utf-8")
    command = [
        sys.executable, "-m", "firth", "compare", str(tmp_path / "text.txt"), "--families", "cbow:dim=8,skipgram:dim=8",
        "--minutes", "0.1", "--pairs", str(files / "pairs.tsv"), "-o", str(tmp_path / "report"), "--threads", "1",
        "--cache-dir", str(tmp_path / "cache"), "--quiet",
    ]  # fmt: skip
    for ending in (signal.SIGINT, signal.SIGKILL):
        with subprocess.Popen([*command, *(["--resume"] if ending == signal.SIGKILL else [])]) as child:
            deadline = time.monotonic() + 120
            wanted = tmp_path / "report" / ("models" if ending == signal.SIGKILL else "text/words.txt")
            while not wanted.exists() and time.monotonic() < deadline:
                time.sleep(0.2)
            time.sleep(3)
            child.send_signal(ending)
    last = subprocess.run([*command, "--resume"], capture_output=True, text=True, check=False)
    assert last.returncode == 0, last.stderr
    report = json.loads((tmp_path / "report" / "report.json").read_text(encoding="utf-8"))
    assert [run["failed"] for run in report["runs"]] == [None, None]
    assert all(math.isfinite(run["seconds"]["train"]) for run in report["runs"])
    assert not report["runs"][0]["seconds"]["train"] > 0.1 * 60 + 2


def test_nothing_is_shown_of_folders(made: Comparison) -> None:
    text = (made.folder / "report.json").read_text(encoding="utf-8") + (made.folder / "plan.json").read_text("utf-8")
    assert str(made.folder.parent) not in text
