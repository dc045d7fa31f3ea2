"""Defaults that are chosen by experiment: passes over small corpora, and the scale of CBOW's gradient.

    python benchmarks/choices.py --corpus ../shared/data/corpora/en-wiki.txt.xz

Recorded in results/choices.jsonl, tables in results/choices.md. About 16 minutes in all on 2 cores.
"""

import argparse
import statistics
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from recording import EVALUATION, RESULTS, Record, machine, recorded
from static import SCORES, common, normalised

import firth

SEEDS = (1, 2)
EPOCHS = {1_000_000: (5, 10, 20, 30, 50), 4_000_000: (5, 10, 20)}
GRADIENT_WORDS = 4_000_000
GRADIENTS: tuple[dict[str, Any], ...] = tuple(
    {"combine": combine, "context_gradient": gradient, "learning_rate": rate}
    for combine, gradient, rates in (
        ("mean", "whole", (0.025, 0.05, 0.075)),
        ("mean", "divided", (0.075, 0.15, 0.3)),
        ("sum", "whole", (0.0125, 0.025, 0.05)),
    )
    for rate in rates
)


def run(family: Any, text: Path, epochs: int, seed: int) -> Record:
    with tempfile.TemporaryDirectory() as folder:
        model = firth.train(family, text, epochs=epochs, seed=seed, threads=2, output=Path(folder) / "model")
        return {"train_seconds": model.record["spent"]["seconds"], "loss_nats": model.record["loss_nats"]} | {
            score: value for score, value in common(0, 0, Path(folder) / "model").items() if score in SCORES
        }


def rows(name: str, families: list[tuple[dict[str, Any], Any]], text: Path, n_words: int, commit: bool) -> list[str]:
    lines = []
    for settings, family in families:
        keyed = {"experiment": name, "family": family.name, "n_words": n_words} | settings
        epochs = settings.get("epochs", 10)
        records = [
            recorded("choices", keyed, seed, partial(run, family, text, epochs, seed), commit=commit) for seed in SEEDS
        ]
        means = [f"{statistics.mean(record[score] for record in records):.3f}" for score in SCORES]
        lines.append(f"| {family.name} | {', '.join(f'{k} {v}' for k, v in settings.items())} | {' | '.join(means)} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--commit", action="store_true")
    arguments = parser.parse_args()
    if not EVALUATION.is_dir():
        raise SystemExit(f"the evaluation sets are not at {EVALUATION}; set FIRTH_SHARED")
    head = ["| family | settings | " + " | ".join(SCORES) + " |", "|---" * (2 + len(SCORES)) + "|"]
    lines = [f"# Defaults by experiment\n\nMeans of seeds {SEEDS}. Machine: {machine()}.\n"]
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "text.txt"
        n_words = normalised(arguments.corpus, text, GRADIENT_WORDS)
        lines += [f"## CBOW's gradient, {n_words:,} words, 10 epochs\n", *head]
        families: list[tuple[dict[str, Any], Any]] = [
            (settings, replace(firth.CBOW(), **settings)) for settings in GRADIENTS
        ]
        lines += rows("gradient", families, text, n_words, arguments.commit)
        for size, epochs in EPOCHS.items():
            n_words = normalised(arguments.corpus, text, size)
            lines += [f"\n## Epochs, {n_words:,} words\n", *head]
            families = [({"epochs": n}, family) for family in (firth.Skipgram(), firth.CBOW()) for n in epochs]
            lines += rows("epochs", families, text, n_words, arguments.commit)
    (RESULTS / "choices.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
