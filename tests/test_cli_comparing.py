import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from commands import Run

from firth import comparison
from firth.cli.comparing import command_line, headline

REPORT: dict[str, Any] = {
    "variants": [{"name": "cbow"}, {"name": "random"}],
    "runs": [{"variant": "cbow", "seconds": {"train": 1.25}}],
    "best_layers": [
        {"variant": "cbow", "set": "ws", "method": None, "kind": "similarity", "measure": "spearman", "score": 0.5},
        {"variant": "random", "set": "ws", "method": None, "kind": "similarity", "measure": "spearman", "score": 0.0},
    ],
    "scores": [
        {"variant": "cbow", "set": "sst2", "method": "features", "kind": "use", "measure": "accuracy", "score": 0.8}
    ],
}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the command calls `firth.compare` with."""
    given: dict[str, Any] = {}

    def compare(corpus: Any, families: Any, **how: Any) -> Any:
        given.update(how, corpus=corpus, families=families)
        return SimpleNamespace(report=REPORT, answer="cbow is best.", page=Path("report.html"), folder=Path())

    monkeypatch.setattr(comparison, "compare", compare)
    return given


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    (tmp_path / "corpus.txt").write_text("the cat and the dog eat grass\n\n" * 50, encoding="utf-8")
    return tmp_path / "corpus.txt"


def test_flags_are_the_arguments_of_the_function(run: Run, asked: dict[str, Any], corpus: Path) -> None:
    status, out, err = run(
        "compare", str(corpus), "--families", "cbow,bert:preset=tiny", "--minutes", "2", "--seeds", "3",
        "--with", "hf:org/name", "--with", "b.txt", "--sets", "wordsim353, men", "--pairs", "a.tsv,b.tsv",
        "--neighbours", "cat,dog", "--trials", "2", "-o", "report", "--quiet",
    )  # fmt: skip
    assert status == 0, err
    assert asked["families"] == ["cbow,bert:preset=tiny"]
    assert (asked["minutes"], asked["seeds"], asked["trials"]) == (2.0, 3, 2)
    assert asked["published"] == ("hf:org/name", "b.txt")
    assert asked["sets"] == ["wordsim353", "men"]
    assert [str(path) for path in asked["pairs"]] == ["a.tsv", "b.tsv"]
    assert asked["neighbours"] == ["cat", "dog"]
    assert "cbow is best." in out
    assert "report.html" in err


def test_a_file_of_settings_lists_variants_and_flags_win(
    run: Run,
    asked: dict[str, Any],
    corpus: Path,
    tmp_path: Path,
) -> None:
    config = tmp_path / "families.toml"
    config.write_text('minutes = 9\nseeds = 2\n[[variant]]\nfamily = "skipgram"\nname = "wide"\nwindow = 10\n')
    status, _, err = run("compare", str(corpus), "--config", str(config), "--words", "1e6", "-o", "report", "--quiet")
    assert status == 0, err
    assert [variant.name for variant in asked["families"]] == ["wide"]
    assert (asked["minutes"], asked["words"], asked["seeds"]) == (None, 1e6, 2)


@pytest.mark.parametrize(
    ("text", "said"),
    [("minutes = ", "cannot be read"), ('[variant]\nfamily = "cbow"', "tables"), ("widow = 3", "widow")],
)
def test_a_file_that_is_wrong_is_named(
    text: str,
    said: str,
    run: Run,
    asked: dict[str, Any],
    corpus: Path,
    tmp_path: Path,
) -> None:
    (tmp_path / "wrong.toml").write_text(text)
    status, _, err = run("compare", str(corpus), "--config", str(tmp_path / "wrong.toml"), "-o", "report")
    assert status == 2
    assert said in err


def test_a_dry_run_prints_the_plan_and_writes_nothing(run: Run, corpus: Path, tmp_path: Path) -> None:
    status, out, err = run(
        "compare", str(corpus), "--families", "cbow,glove", "--minutes", "2", "--dry-run",
        "-o", str(tmp_path / "report"), "--cache-dir", str(tmp_path / "cache"), "--quiet",
    )  # fmt: skip
    assert status == 0, err
    assert [line.split("\t")[0] for line in out.splitlines()] == ["variant", "cbow", "glove"]
    assert "minutes" in err
    assert "MB" in err
    assert not (tmp_path / "report").exists()


def test_the_numbers_are_json_where_asked(run: Run, asked: dict[str, Any], corpus: Path) -> None:
    status, out, _ = run("compare", str(corpus), "-o", "report", "--json", "--quiet")
    assert status == 0
    assert json.loads(out)["variants"] == REPORT["variants"]


def test_a_row_for_each_variant_with_its_scores() -> None:
    found = headline(SimpleNamespace(report=REPORT))  # type: ignore[arg-type]
    assert [row["variant"] for row in found] == ["cbow", "random"]
    assert found[0]["ws"] == 0.5
    assert found[0]["sst2 features"] == 0.8
    assert found[1]["ws"] == 0.0
    assert str(found[1]["sst2 features"]) == "nan"


def test_the_command_is_told_without_folders_and_what_changes_nothing(tmp_path: Path) -> None:
    given = [
        "compare",
        str(tmp_path / "a b.txt"),
        "--resume",
        "--pairs",
        f"{tmp_path}/x.tsv,{tmp_path}/y.tsv",
        "--quiet",
    ]
    assert command_line(given) == "firth compare 'a b.txt' --pairs x.tsv,y.tsv"


def test_without_a_corpus_it_is_said(run: Run, asked: dict[str, Any]) -> None:
    status, _, err = run("compare", "-o", "report")
    assert status == 2
    assert "no corpus was given" in err
