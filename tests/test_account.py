"""What tasks came to, as a report has it, of records that are written by hand."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from firth.account import Account
from firth.grades import Grades
from firth.ledger import items_path, write_items


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


def test_the_layer_of_a_probe_is_the_one_chosen_on_development_examples() -> None:
    layers = [{"layer": number, "measure": "accuracy", "score": score} for number, score in enumerate((0.7, 0.9, 0.8))]
    graded = Grades()
    scores = list(account(record("probe", "a", "news", {"layers": layers, "best": 0})).use_scores(graded))
    assert len(scores) == 3
    (best,) = graded.best_layers
    assert (best["kind"], best["set"], best["layer"], best["score"]) == ("probe", "news", 0, 0.7)


def test_bits_per_byte_and_pseudo_perplexity_have_intervals() -> None:
    def cost(measure: str, value: float, items: Any) -> dict[str, Any]:
        return {"language": {"measure": measure, "value": value, "n": 100, "items": items}}

    nats = np.log([2.0, 8.0]).tolist()
    told = account(
        record("matrices", "gpt", "", cost("bits_per_byte", 2.0, [[100, 50], [300, 100], [120, 110]])),
        record("matrices", "bert", "", cost("pseudo_perplexity", 4.0, nats)),
    )
    gpt, bert = told.language_scores()
    assert 120 / 110 <= gpt["low"] < 2 < gpt["high"] <= 3
    assert (round(bert["low"], 6), round(bert["high"], 6)) == (2, 8)
