from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from firth import comparison
from firth.comparison import check_folder, drawn_up
from firth.errors import FirthError, UsageError
from firth.plan import JUDGED_MINUTES, digest, identity
from firth.preparation import Preparation


def test_a_corpus_is_told_from_another_by_names_and_sizes(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("some text\n")
    assert identity(tmp_path / "a.txt", Preparation()) == [["a.txt", 10]]
    assert identity(["a", "b"], Preparation()) != identity(["a", "c"], Preparation())
    before = digest(tmp_path / "a.txt")
    (tmp_path / "a.txt").write_text("same text\n")
    assert digest(tmp_path / "a.txt") != before


def test_a_folder_with_a_folder_called_text_is_not_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine" / "text").mkdir(parents=True)
    (tmp_path / "mine" / "text" / "book.txt").write_text("mine")
    with pytest.raises(UsageError, match="is no comparison"):
        check_folder(tmp_path / "mine", overwrite=True, resume=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="current directory"):
        check_folder(tmp_path, overwrite=True, resume=False)


def test_what_another_process_works_on_is_not_emptied(tmp_path: Path) -> None:
    (tmp_path / "report" / "models").mkdir(parents=True)
    (tmp_path / "report" / "plan.json").write_text("{}")
    with comparison._alone(tmp_path / "report"), pytest.raises(FirthError, match="another process"):
        comparison.compare(["a b"], "cbow", output=tmp_path / "report", sets=[], overwrite=True)
    assert (tmp_path / "report" / "models").is_dir()


def test_the_disk_that_a_plan_needs_grows_with_the_size_and_the_words(tmp_path: Path) -> None:
    text = ["the cat eats", ""] * 30

    def needed(family: str, top: int) -> int:
        return drawn_up(text, family, words=1000, top=top, cache_dir=tmp_path / "cache").bytes_in_all

    assert needed("bert:preset=base", 100) > 1e9 > 10 * needed("bert:preset=tiny", 100)
    assert needed("bert:preset=tiny", 80) > needed("bert:preset=tiny", 10)
    assert needed("bert:preset=tiny", 20_000) == needed("bert:preset=tiny", 90)  # the text has no more words


def test_words_in_sentences_take_of_the_time_of_networks(tmp_path: Path) -> None:
    plan = drawn_up(["the cat eats", ""] * 30, "cbow,bert:preset=tiny", minutes=4, seeds=3, cache_dir=tmp_path)
    judged = replace(plan, sets={"similarity": ["pairs"], "scws": ["scws"], "wic": ["wic"]})
    assert judged.minutes_in_all is not None
    assert plan.minutes_in_all is not None
    assert judged.minutes_in_all - plan.minutes_in_all == pytest.approx(3 * 2 * JUDGED_MINUTES)


def test_trials_and_tasks_take_of_the_time(tmp_path: Path) -> None:
    folder = tmp_path / "kinds"
    folder.mkdir()
    for name in ("train", "dev", "test"):
        (folder / f"{name}.tsv").write_text("good\tpos\n")
    task = "classify=" + ",".join(str(folder / f"{name}.tsv") for name in ("train", "dev", "test"))

    def minutes(family: str, **given: Any) -> float:
        found = drawn_up(["the cat eats", ""] * 30, family, minutes=4, cache_dir=tmp_path / "cache", **given)
        assert found.minutes_in_all is not None
        return found.minutes_in_all

    assert minutes("cbow", trials=3) == pytest.approx(minutes("cbow") + 3 * (1 + 25 / 60))
    of_static, of_network = (minutes(name, tasks=[task]) - minutes(name) for name in ("cbow", "bert:preset=tiny"))
    assert 0 < of_static < of_network
    assert minutes("cbow", tasks=[task], seeds=2) - minutes("cbow", seeds=2) == pytest.approx(of_static)
