"""Reports of comparisons that never ran: every number is invented, so that pages can be looked at and tested."""

import math
from typing import Any

EVIL = "</script><script>alert(1)</script><b>$x$</b>[/b]{0}\u202e"
"""A word that would be a tag, a formula, markup or a place to fill in, if it were not a word."""

FAMILIES = {
    # name: (family, matrices, similarity, analogy, tagging, words per second)
    "skipgram": ("skipgram", 1, 0.58, 0.21, 0.84, 400_000),
    "cbow": ("cbow", 1, 0.56, 0.20, 0.83, 900_000),
    "glove": ("glove", 1, 0.44, 0.17, 0.82, 1_500_000),
    "elmo": ("elmo", 3, 0.31, 0.05, 0.90, 9_000),
    "gpt": ("gpt", 5, 0.27, 0.03, 0.885, 14_000),
    "bert": ("bert", 5, 0.25, 0.02, 0.91, 16_000),
    "random": ("random", 1, 0.0, 0.0, 0.71, 0),
}
WORDS = {
    "en": ["king", "bank", "music", "Paris"],
    "zh": ["国王", "银行", "音乐", "北京"],
}
NEAR = {
    "en": ["queen", "prince", "throne", "river", "money", "loan", "song", "piano", "London", "city", "duke", "emperor"],
    "zh": ["女王", "王子", "王位", "河流", "贷款", "存款", "歌曲", "钢琴", "上海", "城市", "公爵", "皇帝"],
}
SETS = {"en": ("wordsim353", "simlex999", "google", "ud-ewt"), "zh": ("wordsim240", "wordsim297", "ca8", "resume-ner")}


def invented(lang: str = "en", *, seeds: tuple[int, ...] = (1, 2, 3)) -> dict[str, Any]:
    """A report of six families and the random table."""
    first, second, analogies, task = SETS[lang]
    corpus = "wiki.txt" if lang == "en" else "维基.txt"
    scores: list[dict[str, Any]] = []
    for name, (_, n_layers, similarity, analogy, tagging, _) in FAMILIES.items():
        for seed in seeds:
            for layer in range(n_layers):
                bent = 0.06 * math.sin(1.4 * layer + 0.4) if n_layers > 1 else 0.0
                off = 0.01 * (seed - 2)
                base = {"variant": name, "seed": seed, "layer": layer, "words": "common"}
                for of, value, items in (
                    (first, similarity + bent + off, 310),
                    (second, 0.55 * similarity + bent + off, 870),
                ):
                    scores.append(base | _score("similarity", of, "spearman", value, items))
                for method, more in (("3cosadd", 0.0), ("3cosmul", 0.012)):
                    value = max(0.0, analogy + bent / 4 + off / 2 + more)
                    scores.append(base | _score("analogy", analogies, "accuracy", value, 9_000) | {"method": method})
            for method, value in (("features", tagging), ("finetune", tagging + 0.02)):
                told = {"variant": name, "seed": seed, "layer": None, "method": method, "task": "tag"}
                scores.append(told | _score("use", task, "f1", value + 0.004 * (seed - 2), 2_000))
        if name in ("gpt", "elmo"):
            value = 1.42 if name == "gpt" else 1.51
            scores.append(
                {"variant": name, "seed": 1} | _score("language", "held-out", "bits_per_byte", value, 400, 0.02)
            )
    return {
        "made": "2026-01-02T03:04:05",
        "versions": {"firth": "0.1.0", "numpy": "2.0"},
        "machine": "an invented machine, 2 cores",
        "command": f"firth compare {corpus} --families skipgram,cbow --minutes 3 -o R",
        "python": "firth.compare('wiki.txt', minutes=3)",
        "corpus": {
            "names": [corpus],
            "fingerprint": "0123abcd",
            "n_documents": 12_345,
            "n_words": 20_000_000,
            "n_held_out_documents": 61,
            "segmentation": "words" if lang == "en" else "chinese",
            "language": lang,
        },
        "budget": {"minutes": 3.0, "words": None},
        "counts": "training",
        "seeds": list(seeds),
        "variants": [_variant(name) for name in FAMILIES],
        "runs": [_run(name, seed, first) for name in FAMILIES if name != "random" for seed in seeds],
        "scores": scores,
        "coverage": [
            {"variant": name, "set": of, "n_items": 353, "n_known": 353 - 9 * place}
            for place, name in enumerate(FAMILIES)
            for of in (first, analogies)
        ],
        "differences": _differences(first, second, analogies, task),
        "best_layers": [
            {key: value for key, value in one.items() if key != "words"}
            | {"chosen_by": "half of each set's items", "method": one.get("method"), "n_scored": one["n_items"] // 2}
            for one in scores
            if one["kind"] in ("similarity", "analogy") and one["layer"] == min(1, FAMILIES[one["variant"]][1] - 1)
        ],
        "neighbours": _neighbours(lang),
        "overlaps": _overlaps(lang),
        "missing": ["gpt, seed 3: the disk was full (invented)"],
        "notes": [],
    }


def _score(kind: str, of: str, measure: str, value: float, items: int, half: float = 0.04) -> dict[str, Any]:
    known = {"n_items": items, "n_known": items - 10}
    return {
        "kind": kind,
        "set": of,
        "measure": measure,
        "score": value,
        "low": value - half,
        "high": value + half,
    } | known


def _variant(name: str) -> dict[str, Any]:
    family, n_layers, *_ = FAMILIES[name]
    return {
        "name": name,
        "family": family,
        "preset": "mini" if n_layers > 1 else None,
        "hyperparameters": {"dim": 256 if n_layers > 1 else 100, "window": 5} if name != "random" else {},
        "n_layers": n_layers,
        "paper": None,
        "published": False,
        "random": name == "random",
        "left_out": None,
        "trials": [],
    }


def _run(name: str, seed: int, of: str) -> dict[str, Any]:
    _, n_layers, similarity, _, _, speed = FAMILIES[name]
    marks = [15, 30, 60, 90, 120, 150, 180]
    return {
        "variant": name,
        "seed": seed,
        "model": f"models/{name}-{seed}",
        "failed": "the disk was full (invented)" if (name, seed) == ("gpt", 3) else None,
        "seconds": {"prepare": 21.0, "train": 180.0, "matrices": 4.0 * n_layers, "measure": 12.0},
        "words": 180 * speed,
        "words_per_second": float(speed),
        "flops": 3.1e12 * n_layers,
        "parameters": 9_000_000 if n_layers == 1 else 11_000_000 + 1_000_000 * n_layers,
        "peak_mib": 700.0 + 150 * n_layers,
        "bytes": 20_000_000 + 17_000_000 * n_layers,
        "matrices_bytes": 0 if n_layers == 1 else 8_000_000 * n_layers,
        "lookup_ms": 0.4 + 0.01 * n_layers,
        "sentence_ms": 0.05 if n_layers == 1 else 3.0 + n_layers,
        "losses": [[float(mark), mark * speed, 9.0 - math.log(mark) + 0.01 * seed] for mark in range(5, 181, 5)],
        "loss_unit": "nats a token" if n_layers > 1 else "nats a pair",
        "curve": [
            {"seconds": float(mark), "words": mark * speed, "set": of,
             "score": similarity * (1 - math.exp(-mark / (25 if n_layers == 1 else 70))) + 0.01 * (seed - 2)}
            for mark in marks
        ],
    }  # fmt: skip


def _differences(first: str, second: str, analogies: str, task: str) -> list[dict[str, Any]]:
    """All pairs: those nearer than .03 are ties."""
    found = []
    names = list(FAMILIES)
    columns = [
        ("similarity", first, "spearman", None, None, lambda one: one[2]),
        ("similarity", second, "spearman", None, None, lambda one: 0.55 * one[2]),
        ("analogy", analogies, "accuracy", "3cosadd", None, lambda one: one[3]),
        ("analogy", analogies, "accuracy", "3cosmul", None, lambda one: one[3]),
        ("use", task, "f1", "features", "tag", lambda one: one[4]),
        ("use", task, "f1", "finetune", "tag", lambda one: one[4]),
    ]
    for kind, of, measure, method, what, value in columns:
        for place, one in enumerate(names):
            for other in names[place + 1 :]:
                apart = value(FAMILIES[one]) - value(FAMILIES[other])
                tie = abs(apart) < 0.015
                found.append(
                    {
                        "kind": kind,
                        "set": of,
                        "measure": measure,
                        "method": method,
                        "task": what,
                        "a": one,
                        "b": other,
                        "difference": apart,
                        "low": apart - 0.014,
                        "high": apart + 0.014,
                        "p": 0.2 if tie else 0.0001,
                        "p_corrected": 1.0 if tie else 0.002,
                        "tie": tie,
                    }
                )
    return found


def _places() -> list[tuple[str, int]]:
    return [(name, layer) for name, one in FAMILIES.items() if name != "random" for layer in range(one[1])]


def _neighbours(lang: str) -> list[dict[str, Any]]:
    near = NEAR[lang]
    return [
        {
            "word": word,
            "variant": name,
            "layer": layer,
            "neighbours": [[near[(3 * at + rank + 2 * place) % len(near)], 0.82 - 0.03 * rank] for rank in range(10)],
        }
        for at, word in enumerate(WORDS[lang])
        for place, (name, layer) in enumerate(_places())
    ]


def _overlaps(lang: str) -> list[dict[str, Any]]:
    places = _places()
    return [
        {"word": word, "a": list(one), "b": list(other), "jaccard": 1 / (1 + abs(place - more) / 3)}
        for word in (None, *WORDS[lang])
        for place, one in enumerate(places)
        for more, other in enumerate(places)
        if place < more
    ]


def hostile() -> dict[str, Any]:
    """A report whose words, names and paths try to be something else."""
    report = invented(seeds=(1,))
    text = repr(report["variants"])
    assert "skipgram" in text
    return _renamed(
        report, {"skipgram": EVIL, "wordsim353": f"=set{EVIL}", "king": EVIL, "queen": "@" + EVIL, "wiki.txt": EVIL}
    )


def _renamed(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: value[key] if key == "family" else _renamed(value[key], names) for key in value}
    if isinstance(value, list):
        return [_renamed(one, names) for one in value]
    return names.get(value, value) if isinstance(value, str) else value
