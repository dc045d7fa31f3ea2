import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from commands import Run

import firth
from firth import probing, reporting
from firth.errors import FirthError, UsageError
from firth.probing import _Layer, _logistic, _Scale, probe
from firth.tasks import Examples, read_examples
from firth.vectors import Vectors


def layer_of(rows: Any, *, is_pair: bool = False) -> _Layer:
    vectors = np.asarray(rows, np.float16)
    return _Layer(vectors, len(vectors) // (2 if is_pair else 1), is_pair)


def tagged(n: int, seed: int, words: int = 40) -> Examples:
    """Sentences whose words' tags are the parity of their numbers."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(n):
        numbers = rng.integers(0, words, 6).tolist()
        rows.append(([f"w{number}" for number in numbers], ["odd" if number % 2 else "even" for number in numbers]))
    return read_examples(rows, "tag")


def vectors_of(words: int = 40, dim: int = 8) -> Vectors:
    """Two layers: noise; and noise beside the parity. One number of each is constant."""
    rng = np.random.default_rng(0)
    array = rng.normal(size=(2, words, dim)).astype(np.float32)
    array[:, :, 0] = 7.0
    array[1, :, 1] = np.where(np.arange(words) % 2, 1, -1)
    return Vectors([f"w{number}" for number in range(words)], array)


@pytest.fixture
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is to be learnt here is learnt soon."""
    monkeypatch.setattr(probing, "LEAST_STEPS", 300)
    monkeypatch.setattr(probing, "_LEARNING_RATE", 0.03)


@pytest.mark.usefixtures("few_steps")
class TestProbe:
    def test_the_layer_that_knows_is_found(self, tmp_path: Path) -> None:
        vectors = vectors_of(400)
        train, dev = tagged(150, 1, 400), tagged(60, 2, 400)
        found = probe(vectors, task="tag", train=train, dev=dev, test=tagged(50, 3, 400), cache_dir=tmp_path)
        low, high = found.layers
        assert (found.best, found.main, found.n_train) == (high, "accuracy", 900)
        assert high.dev is not None
        assert high.test is not None
        assert high.dev.value == high.test.value == 1.0
        assert low.dev is not None
        assert low.dev.value < 0.8
        assert 0.4 < found.baseline < 0.6
        assert high.selectivity == pytest.approx(high.dev.value - high.control)
        assert high.selectivity > low.selectivity
        json.dumps(found.settings())

    def test_it_repeats_exactly_and_reads_the_vectors_once(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        how: dict[str, Any] = {"task": "tag", "train": tagged(20, 1), "dev": tagged(10, 2), "cache_dir": tmp_path}
        first = probe(vectors_of(), **how)
        monkeypatch.setattr(probing, "extracted", lambda *_: pytest.fail("the vectors are made again"))
        second = probe(vectors_of(), **how)
        assert first.settings() == second.settings()
        assert [entry.what for entry in firth.cache.entries(tmp_path)] == ["features", "features"]
        monkeypatch.undo()
        probe(vectors_of(), **(how | {"layers": "1"}))
        assert len(firth.cache.entries(tmp_path)) == 4
        assert firth.cache.clear(tmp_path) > 0

    def test_vectors_of_which_one_word_moved_are_read_anew(self, tmp_path: Path) -> None:
        how: dict[str, Any] = {"task": "tag", "train": tagged(20, 1), "dev": tagged(10, 2), "cache_dir": tmp_path}
        probe(vectors_of(4000), **how)
        moved = vectors_of(4000).array.copy()
        moved[1, 7, 3] += 1
        probe(Vectors([f"w{number}" for number in range(4000)], moved), **how)
        assert len(firth.cache.entries(tmp_path)) == 4

    def test_damaged_vectors_are_made_again(self, tmp_path: Path) -> None:
        how: dict[str, Any] = {"task": "tag", "train": tagged(20, 1), "dev": tagged(10, 2), "cache_dir": tmp_path}
        first = probe(vectors_of(), **how)
        for path in tmp_path.glob("*/features/*.npy"):
            path.write_bytes(path.read_bytes()[:-7])
        assert probe(vectors_of(), **how).settings() == first.settings()

    def test_a_full_disk_is_told_before_the_work(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(probing.shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
        train = tagged(20, 1)
        with pytest.raises(FirthError, match=r"no room for 0 MB .* --cache-dir names another place"):
            probe(vectors_of(), task="tag", train=train, dev=train, cache_dir=tmp_path)

    def test_texts_pairs_and_numbers(self, tmp_path: Path) -> None:
        vectors = vectors_of()
        texts = [(f"w{number} w{(number + 2) % 40}", number % 2) for number in range(40)]
        train, dev = (read_examples(some, "classify") for some in (texts[:30], texts[30:]))
        found = probe(vectors, task="classify", train=train, dev=dev, cache_dir=tmp_path)
        assert found.layers[1].dev is not None
        assert found.layers[1].dev.value == 1.0
        assert found.layers[1].control is None
        rows = [(f"w{one}", f"w{two}", one % 2 == two % 2) for one in range(40) for two in range(40)]
        rng = np.random.default_rng(0)
        rng.shuffle(rows)
        train, dev = (read_examples(some, "pair") for some in (rows[:1200], rows[1200:]))
        found = probe(vectors, task="pair", train=train, dev=dev, layers="1", cache_dir=tmp_path)
        assert found.best.dev is not None
        assert found.best.dev.value == 1.0
        numbers = [(one, two, 0.5 + float(alike)) for one, two, alike in rows]
        train, dev = (read_examples(some, "pair") for some in (numbers[:1200], numbers[1200:]))
        found = probe(vectors, task="pair", train=train, dev=dev, layers="1", cache_dir=tmp_path)
        assert (found.main, found.baseline) == ("pearson", 0.0)
        assert found.best.dev is not None
        assert found.best.dev.value > 0.99

    def test_the_penalty_is_chosen_where_little_teaches_much(self, tmp_path: Path) -> None:
        rng = np.random.default_rng(0)
        words = [f"w{number}" for number in range(400)]
        vectors = rng.normal(0, 1, (400, 60))
        labels = np.where(vectors[:, 0] + 0.5 * rng.normal(0, 1, 400) > 0, "odd", "even").tolist()
        rows = list(zip(words, labels, strict=True))
        given = firth.Vectors(words, vectors)
        train, dev, test = (read_examples(some, "classify") for some in (rows[:70], rows[70:170], rows[170:]))
        how: dict[str, Any] = {"task": "classify", "train": train, "test": test, "cache_dir": tmp_path}
        weak = probe(given, **how, penalty=1.0).best
        assert weak.penalty == 1.0
        for others in ({"dev": dev}, {}):
            chosen = probe(given, **how, **others).best
            assert chosen.penalty in probing.PENALTIES[1:]
            assert chosen.test is not None
            assert weak.test is not None
            assert chosen.test.value > weak.test.value
        numbers = [(word, float(vector[0]) + 0.5) for word, vector in zip(words, vectors, strict=True)]
        train, test = (read_examples(some, "classify") for some in (numbers[:80], numbers[80:]))
        found = probe(given, task="classify", train=train, test=test, cache_dir=tmp_path).best
        assert found.test is not None
        assert found.test.value > 0.9

    def test_words_that_are_not_known_are_read_as_zeros(self, tmp_path: Path) -> None:
        rows = [(["w1", "w2", "unheard"], ["odd", "even", "odd"])] * 5
        train = read_examples(rows, "tag")
        found = probe(vectors_of(), task="tag", train=train, dev=train, cache_dir=tmp_path)
        assert found.unknown == pytest.approx(1 / 3)
        assert found.overlap == {"dev": 1.0}
        assert all(one.dev is not None and np.isfinite(one.dev.value) for one in found.layers)

    def test_wrong_calls(self, tmp_path: Path) -> None:
        train = tagged(3, 1)
        for wrong, message in (
            ({}, "give dev, test, or both"),
            ({"dev": train, "layers": "3"}, "layer 3 asked of a static model"),
            ({"dev": train, "layers": "mean:0,1"}, "each layer by itself"),
            ({"dev": train, "penalty": 0.0}, "must be positive"),
            ({"dev": read_examples([("a", "x"), ("b", "y")], "classify")}, "task is tag, but .* for classify"),
        ):
            with pytest.raises(UsageError, match=message):
                probe(vectors_of(), **({"task": "tag", "train": train, "cache_dir": tmp_path} | wrong))


class TestFit:
    def test_it_is_scikit_learns(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from sklearn.linear_model import LogisticRegression

        monkeypatch.setattr(probing, "_LEARNING_RATE", 0.02)
        monkeypatch.setattr(probing, "LEAST_STEPS", 20)
        rng = np.random.default_rng(0)
        rows = rng.normal(size=(900, 5)).astype(np.float16)
        due = (rows.astype(np.float64) @ rng.normal(size=(5, 3)) + rng.normal(size=(900, 3))).argmax(1)
        layer = layer_of(rows)
        scale = _Scale.of(layer.chunks())
        (weights,) = _logistic(layer, scale, [due], [1.0], np.arange(900), 3, 200, 1)
        standardised = scale.applied(rows.astype(np.float32))
        peer = LogisticRegression(C=1.0, tol=1e-8, max_iter=1000).fit(standardised, due)
        ours = standardised @ weights[:-1] + weights[-1]
        theirs = standardised @ peer.coef_.T + peer.intercept_
        np.testing.assert_allclose(ours - ours.mean(1, keepdims=True), theirs - theirs.mean(1, keepdims=True), atol=0.1)
        assert (ours.argmax(1) == theirs.argmax(1)).mean() > 0.99

    def test_tasks_side_by_side_are_learnt_as_if_alone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(probing, "LEAST_STEPS", 20)
        rng = np.random.default_rng(0)
        layer = layer_of(rng.normal(size=(300, 4)))
        scale = _Scale.of(layer.chunks())
        first, second = rng.integers(0, 3, (2, 300))
        some = np.arange(0, 300, 2)
        together = _logistic(layer, scale, [first, second], [1.0, 9.0], some, 3, 2, 1)
        for due, penalty, weights in ((first, 1.0, together[0]), (second, 9.0, together[1])):
            (alone,) = _logistic(layer, scale, [due], [penalty], some, 3, 2, 1)
            np.testing.assert_allclose(weights, alone, atol=1e-4)

    def test_what_does_not_vary_becomes_zero(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(probing, "_ROWS_TOGETHER", 7)
        rng = np.random.default_rng(0)
        rows = rng.normal(3, 2, size=(50, 4)).astype(np.float16)
        rows[:, 1] = 5.5
        rows[:, 2] = 1000 + np.where(rng.random(50) < 0.5, 0, 0.5)  # the rounding of float16
        layer = layer_of(rows)
        scale = _Scale.of(layer.chunks())
        found = scale.applied(layer.rows(np.arange(50)))
        assert np.isfinite(found).all()
        np.testing.assert_array_equal(found[:, 1:3], 0)
        np.testing.assert_allclose(found[:, [0, 3]].mean(0), 0, atol=1e-5)
        np.testing.assert_allclose(found[:, [0, 3]].std(0), 1, atol=1e-5)

    def test_rows_of_pairs(self) -> None:
        layer = layer_of([[1, 2], [3, np.nan], [4, 0], [0, 1]], is_pair=True)
        np.testing.assert_array_equal(layer.rows(np.array([0, 1]))[:, [0, 1, 2, 3, 4, 6]], [
            [1, 2, 4, 0, 3, 4],
            [3, 0, 0, 1, 3, 0],
        ])  # fmt: skip


@pytest.mark.usefixtures("few_steps")
class TestCommand:
    def files(self, folder: Path) -> list[str]:
        vectors_of().save(folder / "vectors")
        for name, examples in (("train", tagged(20, 1)), ("dev", tagged(10, 2))):
            text = "\n".join(
                "".join(f"{word}\t{tag}\n" for word, tag in zip(one.inputs, one.target, strict=True))
                for one in examples
            )
            (folder / f"{name}.conll").write_text(text, encoding="utf-8")
        return ["--task=tag", f"--train={folder / 'train.conll'}", f"--dev={folder / 'dev.conll'}", "--quiet"]

    def test_a_row_for_each_layer(self, tmp_path: Path, run: Run) -> None:
        options = [*self.files(tmp_path), f"--cache-dir={tmp_path / 'cache'}"]
        status, out, err = run("probe", tmp_path / "vectors", *options)
        assert (status, err) == (0, "")
        lines = [line.split("\t") for line in out.splitlines()]
        assert lines[0] == ["layer", "dev accuracy", "control", "selectivity", "penalty"]
        assert [line[0] for line in lines[1:]] == ["0", "1"]
        assert lines[2][1] == "1.0000"
        told = json.loads(run("probe", tmp_path / "vectors", *options, "--json")[1])
        assert told["best"] == 1
        assert told["layers"][1]["dev"]["values"]["accuracy"] == 1.0

    def test_of_some_of_the_examples(self, tmp_path: Path, run: Run) -> None:
        options = [*self.files(tmp_path), f"--cache-dir={tmp_path / 'cache'}", "--json"]
        some = json.loads(run("probe", tmp_path / "vectors", *options, "--limit=7")[1])
        assert some["n_train"] == 7 * 6  # words
        assert json.loads(run("probe", tmp_path / "vectors", *options, "--limit=100")[1])["n_train"] == 20 * 6
        assert run("probe", tmp_path / "vectors", *options, "--limit=0")[0] == 2

    def test_a_page(self, tmp_path: Path, run: Run) -> None:
        pytest.importorskip("plotly")
        page = tmp_path / "curve.html"
        status, _, _ = run("probe", tmp_path / "vectors", *self.files(tmp_path), f"--html={page}", "--layers=1")
        assert status == 0
        assert "control task: accuracy" in page.read_text(encoding="utf-8")

    def test_without_plotly_nothing_is_computed(
        self, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def missing() -> str:
            raise FirthError("plotly is not installed")

        monkeypatch.setattr(reporting, "_plotly", missing)
        options = [*self.files(tmp_path), f"--html={tmp_path / 'curve.html'}", f"--cache-dir={tmp_path / 'cache'}"]
        assert run("probe", tmp_path / "vectors", *options)[0] == 1
        assert not (tmp_path / "cache").exists()

    def test_bad_input(self, tmp_path: Path, run: Run) -> None:
        options = self.files(tmp_path)
        assert run("probe", tmp_path / "vectors", *options[:2])[0] == 2
        status, _, err = run("probe", tmp_path / "vectors", *options, "--label=7")
        assert status == 2
        assert "column '7' asked for as label" in err
        (tmp_path / "train.conll").write_text("a\tX\nb\n", encoding="utf-8")
        status, _, err = run("probe", tmp_path / "vectors", *options)
        assert status == 1
        assert "line 2: 1 columns" in err
