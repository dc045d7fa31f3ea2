"""What `firth change` finds of words whose use was changed by hand, and what it marks of those that nobody touched.

    python benchmarks/change.py --corpus ../shared/data/corpora/en-wiki.txt.xz

The lines of a corpus are dealt at random into four parts. The first is the old period, the second the new one, and in
the new one words change their use: of ten pairs in each of five bands of frequency the two words are exchanged
everywhere, and of ten others one word stands in the places of the other too (it is "widened", which half changes it). A
Skip-gram is trained on each part. Chance is measured twice: between the two other parts, and between two seeds on the
first part. What was exchanged should be found, and of the words that nobody touched 5 in 100 marked as moved.

Every deal is recorded in results/change.jsonl; those that stand there are not run again. The table goes to
results/change.md. About 5 minutes on 2 cores.
"""

import lzma
import random
import re
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from comparing import asked
from recording import RESULTS, Record, machine, recorded

import firth

N_BYTES = 20_000_000
SEEDS = (1, 2, 3)
SETTINGS: dict[str, Any] = {"dim": 100, "epochs": 10}
BANDS = ((10, 20), (20, 40), (40, 100), (100, 300), (300, 2000))
PAIRS = 10  # of each kind, in each band
FIRST = 60  # words of a list that a reader may look at
WORD = re.compile(r"\w+")


class Changes(NamedTuple):
    """What is written in the place of each word, and which words it is about."""

    replacements: dict[str, str]
    exchanged: dict[str, int]  # with their bands
    widened: dict[str, int]


def dealt(corpus: Path, n_bytes: int, seed: int) -> list[list[str]]:
    """The lines of the first n_bytes of a corpus in four parts."""
    rng = random.Random(seed)
    parts: list[list[str]] = [[], [], [], []]
    n_read = 0
    with lzma.open(corpus, "rt", encoding="utf-8") as lines:
        for line in lines:
            if n_read >= n_bytes:
                break
            n_read += len(line.encode())
            parts[rng.randrange(4)].append(line)
    return parts


def drawn(parts: Sequence[Sequence[str]], seed: int) -> Changes:
    """Words for every kind and band, each about as frequent in all parts."""
    rng = random.Random(seed)
    counts = [Counter(word for line in part for word in WORD.findall(line.lower())) for part in parts]
    changes = Changes({}, {}, {})
    for band, (least, most) in enumerate(BANDS):
        words = [word for word in sorted(counts[0]) if word.isalpha() and len(word) > 2]
        words = [word for word in words if all(least <= count[word] < most for count in counts)]
        rng.shuffle(words)
        pairs = list(zip(words[0 : 4 * PAIRS : 2], words[1 : 4 * PAIRS : 2], strict=True))
        for one, other in pairs[:PAIRS]:
            changes.replacements.update({one: other, other: one})
            changes.exchanged.update({one: band, other: band})
        for one, other in pairs[PAIRS:]:
            changes.replacements[other] = one
            changes.widened[one] = band
    return changes


def changed(lines: Sequence[str], replacements: Mapping[str, str]) -> list[str]:
    return [WORD.sub(lambda match: replacements.get(match[0].lower(), match[0]), line) for line in lines]


def run(corpus: Path, n_bytes: int, seed: int) -> Record:
    parts = dealt(corpus, n_bytes, seed)
    changes = drawn(parts, seed)
    parts[1] = changed(parts[1], changes.replacements)
    family = firth.Skipgram(dim=SETTINGS["dim"])
    old, new, third, fourth, again = (
        firth.train(family, part, epochs=SETTINGS["epochs"], seed=number).vectors
        for number, part in enumerate([*parts, parts[0]], start=10 * seed)
    )
    chances = {"parts": (third, fourth), "seeds": (old, again)}
    plain = firth.change(old, new, topn=len(old), n_neighbours=1)
    return {
        "n_words": sum(len(WORD.findall(line)) for line in parts[0]),
        "n_compared": len(plain),
        "first_of_movement": sum(moved.word in changes.exchanged for moved in plain[:FIRST]),
    } | {name: measured(old, new, chance, changes) for name, chance in chances.items()}


def measured(
    old: firth.Vectors, new: firth.Vectors, chance: tuple[firth.Vectors, firth.Vectors], of: Changes
) -> Record:
    """How many of each kind are told to have moved, out of how many."""
    found = firth.change(old, new, topn=len(old), n_neighbours=1, chance=chance)
    moved = {each.word: each.within_chance is False for each in found}
    untouched = moved.keys() - of.replacements.keys() - of.widened.keys()
    return {
        "exchanged": [tally(moved, of.exchanged, band) for band in range(len(BANDS))],
        "widened": [tally(moved, of.widened, band) for band in range(len(BANDS))],
        "untouched": [sum(moved[word] for word in untouched), len(untouched)],
        "first": sum(each.word in of.exchanged for each in found[:FIRST]),
    }


def tally(moved: Mapping[str, bool], bands: Mapping[str, int], band: int) -> list[int]:
    words = [word for word in bands if bands[word] == band and word in moved]
    return [sum(moved[word] for word in words), len(words)]


def table(records: Sequence[Record]) -> str:
    def share(chance: str, kind: str, band: int | None = None) -> str:
        tallies = [record[chance][kind] for record in records]
        pairs = tallies if band is None else [tally[band] for tally in tallies]
        found, n_words = (sum(column) for column in zip(*pairs, strict=True))
        return f"{found:,} of {n_words:,} ({found / n_words:.1%})"

    first = [f"{statistics.mean(record[chance]['first'] for record in records):.0f}" for chance in ("parts", "seeds")]
    by_movement = f"{statistics.mean(record['first_of_movement'] for record in records):.0f}"
    lines = [
        "# Words that moved",
        "",
        f"`python benchmarks/change.py`, which says what is measured: {len(records)} deals of a corpus into parts of "
        f"about {records[0]['n_words']:,} words. A figure is how many words are marked as moved.",
        "",
        "| words | times met in a part | chance between two other parts | chance between two seeds |",
        "|---|---|---|---|",
    ]
    for kind in ("exchanged", "widened"):
        for band, (least, most) in enumerate(BANDS):
            shares = (share(chance, kind, band) for chance in ("parts", "seeds"))
            lines.append(f"| {kind} | {least} to {most - 1:,} | {' | '.join(shares)} |")
    lines += [
        f"| untouched | any | {share('parts', 'untouched')} | {share('seeds', 'untouched')} |",
        "",
        f"Of the first {FIRST} words that are listed, {by_movement} were exchanged where no chance is known, and "
        f"{first[0]} (parts) or {first[1]} (seeds) where it is.",
        "",
        f"Machine: {machine()}.",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    options = asked(__doc__, N_BYTES)
    if options.dry:
        print(table([run(options.corpus, options.bytes, SEEDS[0])]))
        return
    settings = SETTINGS | {"corpus": options.corpus.name, "bytes": options.bytes, "bands": BANDS, "pairs": PAIRS}
    records = [
        recorded("change", settings, seed, partial(run, options.corpus, options.bytes, seed), commit=options.commit)
        for seed in SEEDS
    ]
    text = table(records)
    (RESULTS / "change.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
