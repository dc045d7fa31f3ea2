"""What tasks came to, as a report has it, of records that are written by hand."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from firth.account import Account
from firth.grades import Grades
from firth.ledger import items_path, write_items
from firth.significance import value


def record(work: str, variant: str, of: str, found: dict[str, Any]) -> dict[str, Any]:
    return {"work": work, "variant": variant, "seed": 1, "of": of, "ok": found}


def account(*records: dict[str, Any], folder: Path | None = None) -> Any:
    work: Any = SimpleNamespace(
        records=SimpleNamespace(found=dict(enumerate(records))),
        tasks=[SimpleNamespace(name="news", task="classify")],
        asked=SimpleNamespace(seeds=(1,)),
        seeds=[1],
        folder=folder,
    )
    return Account(work)


def test_the_random_table_stands_beside_both_uses(tmp_path: Path) -> None:
    def used(variant: str, of: str, n_right: int) -> dict[str, Any]:
        write_items(items_path(tmp_path, "use", variant, 1, of), {(): [[n_right, 1, 1]] * 20})
        found = {"measure": "f1", "score": float(n_right), "n_items": 20, "has_items": True}
        return record("use", variant, of, found)

    told = account(
        used("a", "news features", 1), used("a", "news finetune", 1), used("random", "news scratch", 0), folder=tmp_path
    )
    graded = Grades()
    scores = list(told.use_scores(graded))
    methods = {(one["variant"], one["method"]) for one in scores}
    assert methods == {(name, method) for name in ("a", "random") for method in ("features", "finetune")}
    assert [(one["method"], one["tie"]) for one in graded.differences] == [("features", False), ("finetune", False)]


def test_probes_are_compared_at_the_layers_that_development_examples_chose(tmp_path: Path) -> None:
    def probed(variant: str, best: int, n_right: list[int]) -> dict[str, Any]:
        items = {(place,): [1.0] * n + [0.0] * (40 - n) for place, n in enumerate(n_right)}
        write_items(items_path(tmp_path, "probe", variant, 1, "news"), items)
        layers = [
            {"layer": number, "measure": "accuracy", "score": n / 40, "n_items": 40} for number, n in enumerate(n_right)
        ]
        return record("probe", variant, "news", {"layers": layers, "best": best})

    graded = Grades()
    told = account(probed("a", 1, [40, 36, 30]), probed("b", 0, [2]), probed("c", 0, [35]), folder=tmp_path)
    scores = list(told.use_scores(graded))
    assert len(scores) == 5
    best = [(one["variant"], one["layer"], one["score"], one["chosen_by"]) for one in graded.best_layers]
    by = "the development examples"
    assert best == [("a", 1, 0.9, by), ("b", 0, 0.05, by), ("c", 0, 0.875, by)]
    assert [(one["a"], one["layer_a"], one["b"], one["tie"]) for one in graded.differences] == [
        ("a", 1, "b", False), ("a", 1, "c", True), ("b", 0, "c", False),
    ]  # fmt: skip


def cost(variant: str, measure: str, items: Any) -> dict[str, Any]:
    """The record of what held-out text costs a model."""
    told = {"measure": measure, "value": value(cast("Any", measure), items), "n": 100, "items": items}
    return record("matrices", variant, "", {"language": told})


def test_bits_per_byte_and_pseudo_perplexity_have_intervals() -> None:
    told = account(
        cost("gpt", "bits_per_byte", [[100, 50], [300, 100], [120, 110]]),
        cost("bert", "pseudo_perplexity", np.log([2.0, 8.0]).tolist()),
        cost("elmo", "bits_per_byte", [[300, 100]]),
    )
    gpt, bert, elmo = told.language_scores(Grades())
    assert 120 / 110 <= gpt["low"] < gpt["score"] == 2 < gpt["high"] <= 3
    assert bert["score"] == pytest.approx(4)
    assert (round(bert["low"], 6), round(bert["high"], 6)) == (2, 8)
    assert (elmo["low"], elmo["high"]) == (None, None)  # of one document nothing can be told


def test_what_language_costs_is_compared_on_the_same_documents_alone() -> None:
    sizes = np.arange(100.0, 140.0)
    rates = {"gpt": 2.0, "elmo": 2.2, "again": 2.0}
    wave = np.sin(np.arange(40))
    costs = {name: np.stack([sizes * (rate + 0.05 * wave), sizes], 1) for name, rate in rates.items()}
    costs["again"][:, 0] += np.where(np.arange(40) % 2, 1.0, -1.0)
    graded = Grades()
    list(
        account(*(cost(name, "bits_per_byte", items.tolist()) for name, items in costs.items())).language_scores(graded)
    )
    assert [(one["a"], one["b"], one["tie"]) for one in graded.differences] == [
        ("gpt", "elmo", False), ("gpt", "again", True), ("elmo", "again", False),
    ]  # fmt: skip
    assert all(one["layer_a"] is None for one in graded.differences)
    others = Grades()
    two = [cost("gpt", "bits_per_byte", [[9, 4], [9, 5]]), cost("elmo", "bits_per_byte", [[9, 5], [9, 4]])]
    list(account(*two).language_scores(others))
    assert others.differences == []
