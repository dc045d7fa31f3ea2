"""What tasks came to, as a report has it, of records that are written by hand."""

from types import SimpleNamespace
from typing import Any

from firth.account import Account
from firth.grades import Grades


def record(work: str, variant: str, of: str, found: dict[str, Any]) -> dict[str, Any]:
    return {"work": work, "variant": variant, "seed": 1, "of": of, "ok": found}


def account(*records: dict[str, Any]) -> Any:
    work: Any = SimpleNamespace(
        records=SimpleNamespace(found=dict(enumerate(records))),
        tasks=[SimpleNamespace(name="news", task="classify")],
        asked=SimpleNamespace(seeds=(1,)),
    )
    return Account(work)


def test_the_random_table_stands_beside_both_uses() -> None:
    def used(score: float, items: Any) -> dict[str, Any]:
        return {"measure": "f1", "score": score, "n_items": 20, "items": items}

    told = account(
        record("use", "a", "news features", used(1.0, [[1, 1, 1]] * 20)),
        record("use", "a", "news finetune", used(1.0, [[1, 1, 1]] * 20)),
        record("use", "random", "news scratch", used(0.0, [[0, 1, 1]] * 20)),
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
