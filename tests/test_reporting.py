import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import Run

import firth
from firth import reporting
from firth.errors import FirthError, UsageError
from firth.reporting import label_rows, report, rows, to_html, write
from firth.tasks import Examples, read_examples, read_inputs
from firth.vectors import Vectors

EVIL = "</script><script>alert(1)</script><b>$x$</b>\u202e"


class Tags(HTMLParser):
    """The elements of a page, their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.scripts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.found and self.found[-1][0] == "script" and self.lasttag == "script":
            self.scripts.append(data)
        self.text += data


@pytest.fixture(autouse=True)
def small_plotly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five megabytes are parsed in one test alone."""
    monkeypatch.setattr(reporting, "_plotly", lambda: "var Plotly = {newPlot() {}};")


def evil() -> Examples:
    return read_examples([(f"text {EVIL}", EVIL), ("b", "good"), ("c", "good"), ("d", EVIL)], "classify")


class TestReport:
    def test_scores_and_mistakes(self) -> None:
        examples = read_examples([("a", "x"), ("b", "y"), ("c", "y"), ("d", "x")], "classify")
        found = report(examples, ["x", "x", "x", "x"], [0.9, 0.6, 0.8, 0.7])
        assert found.scores.value == 0.5
        assert [(one.line, one.text, one.due, one.came, one.confidence) for one in found.mistakes] == [
            (3, "c", "y", "x", 0.8),
            (2, "b", "y", "x", 0.6),
        ]
        assert (found.n_mistakes, found.title, found.without_seen) == (2, "classify: the rows given", None)
        assert len(report(examples, ["x"] * 4, n_mistakes=1).mistakes) == 1
        assert next(rows(found)) == {"score": "accuracy", "value": 0.5}
        assert next(label_rows(found))["label"] == "x"

    def test_examples_that_train_has_too_are_left_out_once(self) -> None:
        train = read_examples([("a", "x"), ("b", "y")], "classify")
        test = read_examples([("a", "x"), ("c", "x"), ("d", "y")], "classify", like=train)
        found = report(test, ["x", "y", "y"], train=train)
        assert found.n_seen == 1
        assert found.without_seen is not None
        assert (found.scores.value, found.without_seen.value) == (pytest.approx(2 / 3), 0.5)
        assert next(rows(found)) == {"score": "accuracy", "value": pytest.approx(2 / 3), "without seen": 0.5}
        assert "1 examples stand verbatim in the training file" in to_html(found)

    def test_entities(self) -> None:
        examples = read_examples([(["EU", "rejects", "the", "call"], ["B-ORG", "O", "O", "O"])], "tag")
        found = report(examples, [["B-ORG", "O", "B-PER", "O"]], [[0.9, 0.8, 0.7, 0.6]])
        assert found.scores.main == "f1"
        assert found.schemas["strict"].f1 == pytest.approx(found.scores.value)
        (mistake,) = found.mistakes
        assert mistake == (1, "EU rejects the call", "the", "O", "B-PER", 0.7)
        assert "strict" in to_html(found)

    def test_numbers(self) -> None:
        examples = read_examples([("a", "b", 1.5), ("c", "d", 3.0)], "pair")
        found = report(examples, [1.0, 0.5])
        assert [(one.due, one.came, one.confidence) for one in found.mistakes] == [("3", "0.5", 2.5), ("1.5", "1", 0.5)]
        assert "pearson" in to_html(found)

    def test_what_cannot_be_scored(self) -> None:
        with pytest.raises(UsageError, match="read without its labels"):
            report(read_inputs(["a"], "classify"), ["x"])
        with pytest.raises(UsageError, match="4 examples have 1 confidences"):
            report(evil(), ["good"] * 4, [0.5])


class TestPage:
    def test_nothing_of_the_data_is_a_tag(self) -> None:
        found = report(evil(), ["good"] * 4, title=EVIL)
        page = to_html(found)
        tags = Tags(page)
        names = [name for name, _ in tags.found]
        assert names.count("script") == 4  # plotly, two pictures, and what sorts tables
        assert "b" not in names
        assert "\u202e" not in page
        assert tags.text.count("alert(1)") >= 4  # it is shown, as text

    def test_labels_in_pictures_are_escaped_for_plotly_too(self) -> None:
        page = to_html(report(evil(), ["good"] * 4))
        pictures = [text for text in Tags(page).scripts if text.startswith("Plotly.newPlot(")]
        for script in pictures:
            assert "<" not in script
            decoded, _ = json.JSONDecoder().raw_decode(script.removeprefix("Plotly.newPlot(").partition(", ")[2])
            for label in decoded[0]["x"]:
                assert "<" not in label
                assert label in ("good", "&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt;&lt;b&gt;&#36;x&#36;"
                                 "&lt;/b&gt;\\u{202e}")  # fmt: skip
        assert len(pictures) == 2

    def test_it_asks_for_no_other_file(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.undo()
        pytest.importorskip("plotly")
        page = to_html(report(evil(), ["good"] * 4))
        assert len(page) > 1_000_000
        head = page.partition("<script>")[0]
        assert "default-src 'none'" in head
        assert not re.search(r"<(?:script|link|img|iframe)[^>]*(?:src|href)\s*=", page.replace("\\u003c", ""))

    def test_many_labels(self) -> None:
        examples = read_examples([(f"text {number}", f"label {number % 90}") for number in range(180)], "classify")
        page = to_html(report(examples, [f"label {number % 89}" for number in range(180)]))
        assert "texttemplate" not in page
        assert page.count("<tr>") > 90

    def test_a_run_without_mistakes(self) -> None:
        examples = read_examples([("a", "x"), ("b", "y")], "classify")
        assert "<p>None.</p>" in to_html(report(examples, ["x", "y"]))


def test_written_files(tmp_path: Path) -> None:
    found = report(evil(), ["good"] * 4)
    write(found, tmp_path)
    told: dict[str, Any] = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert told["scores"]["values"]["accuracy"] == 0.5
    assert told["mistakes"][0]["due"] == EVIL
    assert (tmp_path / "report.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_a_curve() -> None:
    picture = reporting.curve([0, 1], {"<i>dev</i>": [0.5, None]}, "layer", "accuracy")
    assert "<i>" not in picture
    assert "null" in picture


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """A run that has learnt its task, one that has not, and the examples."""
    pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("trained")
    rng = np.random.default_rng(0)
    array = rng.normal(size=(1, 20, 6)).astype(np.float32)
    array[0, :, 0] = np.where(np.arange(20) % 2, 3, -3)
    vectors = Vectors([f"w{number}" for number in range(20)], array)
    lines = [f"{'odd' if number % 2 else 'even'} w{number} w{(number + 2) % 20}\n" for number in range(20)]
    (folder / "train.txt").write_text("".join(lines), encoding="utf-8")
    how: dict[str, Any] = {"task": "classify", "use": "features", "head": "linear"}
    firth.finetune(vectors, folder / "train.txt", epochs=60, learning_rate=0.05, output=folder / "good", **how)
    swapped = [line.replace("even", "x").replace("odd", "even").replace("x", "odd") for line in lines]
    (folder / "other.txt").write_text("".join(swapped), encoding="utf-8")
    firth.finetune(vectors, folder / "other.txt", epochs=60, learning_rate=0.05, output=folder / "bad", **how)
    return folder / "good", folder / "bad", folder / "train.txt"


class TestCommand:
    def test_scores_a_page_and_another_run(self, tmp_path: Path, run: Run, trained: tuple[Path, Path, Path]) -> None:
        good, bad, file = trained
        status, out, err = run("report", good, file, "--train", file, "--against", bad, "-o", tmp_path / "pages")
        assert status == 0
        lines = [line.split("\t") for line in out.splitlines()]
        assert lines[0] == ["score", "value"]
        assert lines[1] == ["accuracy", "1.0000"]
        assert "accuracy 0.0000 and 1.0000: +1.0000" in err
        assert "x" not in {line[0] for line in lines}
        assert (tmp_path / "pages" / "report.html").is_file()
        told = json.loads(run("report", good, file, "--quiet", "--json", "--against", bad)[1])
        assert (told["n_seen"], told["against"]["difference"]) == (0, 1.0)
        assert run("report", good, file, "-o", tmp_path / "pages", "--quiet")[0] == 2
        assert run("report", good, file, "-o", tmp_path / "pages", "--quiet", "--overwrite")[0] == 0

    def test_labels_that_it_never_saw(self, tmp_path: Path, run: Run, trained: tuple[Path, Path, Path]) -> None:
        (tmp_path / "test.txt").write_text("odd w1\nnew w2\nodd w3\n", encoding="utf-8")
        status, out, err = run("report", trained[0], tmp_path / "test.txt")
        assert status == 0
        assert "1 of 3 examples have labels that good never has (new; the first in line 2)" in err
        assert "accuracy\t0.6667" in out

    def test_tags_in_a_scheme_and_the_columns_of_training(self, tmp_path: Path, run: Run) -> None:
        pytest.importorskip("torch")
        pytest.importorskip("nervaluate")
        rng = np.random.default_rng(0)
        words = ["London", "Ann", "was", "in"]
        lines = "".join("Ann x B-PER\nwas y O\nin y O\nLondon x B-LOC\nwas y O\n\n" for _ in range(4))
        (tmp_path / "train.conll").write_text(lines, encoding="utf-8")
        made = {}
        for name, label in (("fine", "3"), ("coarse", "3")):
            vectors = Vectors(words, rng.normal(size=(1, 4, 6)).astype(np.float32))
            how: dict[str, Any] = {"task": "tag", "head": "linear", "columns": {"label": label}}
            firth.finetune(vectors, tmp_path / "train.conll", **how, epochs=3, output=tmp_path / name)
            made[name] = tmp_path / name
        told = run("report", made["fine"], tmp_path / "train.conll", "--against", made["coarse"], "--json", "--quiet")
        assert told[0] == 0, told[2]
        assert [one["label"] for one in json.loads(told[1])["schemas"]]
        assert "against" in json.loads(told[1])

    def test_the_columns_are_those_of_training(self, tmp_path: Path, run: Run) -> None:
        pytest.importorskip("torch")
        rows = "".join(f"{'odd' if n % 2 else 'even'}\tw{n}\t{'high' if n > 9 else 'low'}\n" for n in range(20))
        (tmp_path / "train.tsv").write_text(f"parity\tnote\tsize\n{rows}", encoding="utf-8")
        vectors = Vectors([f"w{n}" for n in range(20)], np.eye(20, dtype=np.float32)[np.newaxis])
        how: dict[str, Any] = {"task": "classify", "head": "linear", "epochs": 1}
        columns = {"text": "note", "label": "size"}
        firth.finetune(vectors, tmp_path / "train.tsv", **how, columns=columns, output=tmp_path / "out")
        status, _, err = run("report", tmp_path / "out", tmp_path / "train.tsv")
        assert status == 0, err
        assert "text from 'note'; label from 'size'" in err

    def test_without_plotly_nothing_is_computed(
        self, tmp_path: Path, run: Run, trained: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def missing() -> str:
            raise FirthError("plotly is not installed")

        monkeypatch.setattr(reporting, "_plotly", missing)
        status, out, err = run("report", trained[0], trained[2], "-o", tmp_path / "pages")
        assert (status, out, "examples" in err) == (1, "", False)
        assert not (tmp_path / "pages").exists()
