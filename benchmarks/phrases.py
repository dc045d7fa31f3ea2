"""Phrases learnt from a corpus and joined in it: firth beside gensim's Phrases, alternately.

    python benchmarks/phrases.py --corpus ../shared/data/corpora/en-wiki.txt.xz

Both are given the same words: firth the plain text, which it reads and cuts into words, gensim the words of firth with
spaces between, a line each (`LineSentence`). Learning is `firth.learn_phrases` with an empty cache, and `Phrases` with
`freeze`; joining is writing the corpus with its phrases joined to disk (`firth.joining.join`, of the words that are
kept already, since `firth train --phrases` finds them so), and going through `FrozenPhrases[LineSentence]`, of which
nothing is kept. What firth takes to learn from a corpus that was read before is told beside. The settings are gensim's
defaults with its connector words of English. Each run is a process of its own; imports do not count, compiling does not
either (a run before the first one fills Numba's cache).

What both find is compared: the same phrases, with the same scores (a relative difference of 1e-9 is none). Underscores
of the text are made spaces before, since gensim takes what they join for phrases, and counts it among the pairs.

Every run is recorded in results/phrases.jsonl; those that stand there are not run again. The table goes to
results/phrases.md. About 4 minutes on 2 cores.
"""

import json
import lzma
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from comparing import asked
from recording import RESULTS, Record, machine, recorded, run_measured

PROGRAMS = ("gensim", "firth")
REPEATS = 6
SITTING = 3  # of them were made at a time
N_BYTES = 30_000_000
SETTINGS: dict[str, Any] = {"min_count": 5, "threshold": 10.0}
WORDS = "a an and at by for from in of on or the to with without"
LEAST_TIMES_AS_FAST = 5.0


def firth_child(plain: str, _split: str, found: str) -> Record:
    import firth.collocations  # noqa: F401 - loads the compiler
    from firth.corpus import read
    from firth.joining import join
    from firth.preparation import Preparation
    from firth.tokens import encode

    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        phrases = learn_by_firth(plain, folder)
        learnt = time.monotonic()
        learn_by_firth(plain, folder)
        again = time.monotonic()
        with encode(read(Path(plain)), None, Path(folder) / "encoded") as encoded:
            ready = time.monotonic()
            with join(encoded, phrases, Path(folder) / "joined", preparation=Preparation()) as joined:
                done = time.monotonic()
                n_words, n_joined = encoded.n_tokens, joined.n_tokens
    Path(found).write_text(json.dumps({firth_name(entry.words): entry.score for entry in phrases.entries}))
    return {
        "version": version("firth"),
        "learn_seconds": round(learnt - began, 3),
        "learn_again_seconds": round(again - learnt, 3),
        "join_seconds": round(done - ready, 3),
        "n_words": n_words,
        "n_words_joined": n_joined,
        "n_phrases": len(phrases),
    }


def learn_by_firth(plain: str, folder: str) -> Any:
    import firth

    return firth.learn_phrases(plain, connector_words=WORDS.split(), cache_dir=folder, **SETTINGS)


def firth_name(words: tuple[str, ...]) -> str:
    return "_".join(words)


def gensim_child(_plain: str, split: str, found: str) -> Record:
    from gensim.models.phrases import Phrases
    from gensim.models.word2vec import LineSentence

    sentences = LineSentence(split, max_sentence_length=1_000_000)
    began = time.monotonic()
    phrases = Phrases(sentences, connector_words=frozenset(WORDS.split()), **SETTINGS)
    frozen = phrases.freeze()
    learnt = time.monotonic()
    n_joined = 0
    for sentence in frozen[sentences]:
        n_joined += len(sentence)
    done = time.monotonic()
    Path(found).write_text(json.dumps(frozen.phrasegrams))
    return {
        "version": version("gensim"),
        "learn_seconds": round(learnt - began, 3),
        "join_seconds": round(done - learnt, 3),
        "n_words": phrases.corpus_word_count,
        "n_words_joined": n_joined,
        "n_phrases": len(frozen.phrasegrams),
    }


def prepared(corpus: Path, folder: Path, n_bytes: int) -> tuple[Path, Path]:
    """The first n_bytes of a corpus in whole lines, no underscore in it, and their words with spaces between."""
    from firth.corpus import read
    from firth.tokens import encode

    plain, split = folder / "plain.txt", folder / "split.txt"
    with lzma.open(corpus) as lines, plain.open("wb") as file:
        while file.tell() < n_bytes and (line := lines.readline()):
            file.write(line.replace(b"_", b" "))
    with encode(read(plain), None, folder / "encoded") as encoded, split.open("w", encoding="utf-8") as file:
        types = list(encoded.types)
        start = 0
        for end in encoded.line_ends.tolist():
            file.write(" ".join([types[type_id] for type_id in encoded.type_ids[start:end].tolist()]) + "\n")
            start = end
    return plain, split


def run_program(program: str, plain: Path, split: Path, folder: Path) -> Record:
    measured = run_measured([sys.executable, __file__, "--child", program, plain, split, folder / f"{program}.json"])
    record: Record = json.loads(measured.output)
    return record | {"peak_anonymous_mib": measured.peak_anonymous_mib}


def compared(folder: Path) -> Record:
    """How far the phrases that both have found agree."""
    ours, theirs = (json.loads((folder / f"{program}.json").read_text()) for program in ("firth", "gensim"))
    shared = ours.keys() & theirs.keys()
    equal = sum(abs(ours[name] - theirs[name]) <= 1e-9 * abs(theirs[name]) for name in shared)
    return {
        "n_firth": len(ours),
        "n_gensim": len(theirs),
        "n_shared": len(shared),
        "n_equal_scores": equal,
        "only_firth": sorted(ours.keys() - theirs.keys())[:10],
        "only_gensim": sorted(theirs.keys() - ours.keys())[:10],
    }


def table(runs: dict[str, list[Record]], agreement: Record, n_bytes: int) -> str:
    """Medians over the runs, with the lowest and the highest."""

    def median(program: str, name: str) -> float:
        return float(statistics.median(record[name] for record in runs[program]))

    def shown(program: str, name: str) -> str:
        seconds = [record[name] for record in runs[program]]
        return f"{statistics.median(seconds):.2f} ({min(seconds):.2f} to {max(seconds):.2f})"

    lines = [
        "# Phrases",
        "",
        f"The first {n_bytes / 1e6:.1f} MB of en-wiki, {runs['firth'][0]['n_words']:,} words; medians of {REPEATS} "
        "runs, by `benchmarks/phrases.py`, which says what is measured.",
        "",
        f"{machine()}.",
        "",
        "| | seconds to learn (lowest to highest) | seconds to join | phrases | peak anonymous memory, MiB |",
        "|---|---|---|---|---|",
    ]
    for program in PROGRAMS:
        one = runs[program][0]
        lines.append(
            f"| {program} {one['version']} | {shown(program, 'learn_seconds')} | {shown(program, 'join_seconds')} | "
            f"{one['n_phrases']:,} | {median(program, 'peak_anonymous_mib'):,.0f} |"
        )
    faster = {name: median("gensim", name) / median("firth", name) for name in ("learn_seconds", "join_seconds")}
    reached = min(faster.values()) >= LEAST_TIMES_AS_FAST
    sets = [
        statistics.median(record["learn_seconds"] for record in runs["gensim"][first : first + SITTING])
        / statistics.median(record["learn_seconds"] for record in runs["firth"][first : first + SITTING])
        for first in range(0, REPEATS, SITTING)
    ]
    lines += [
        "",
        f"firth learns {faster['learn_seconds']:.1f} times as fast, reading the text included, and joins "
        f"{faster['join_seconds']:.1f} times as fast; asked for: {LEAST_TIMES_AS_FAST:g}; "
        f"{'reached' if reached else 'NOT reached'}. Of a corpus that was read before it learns in "
        f"{median('firth', 'learn_again_seconds'):.2f} s. The first {SITTING} runs gave {sets[0]:.1f}, the others, "
        f"which were added because of that, {sets[1]:.1f}.",
        "",
        f"Both found {agreement['n_shared']:,} phrases, {agreement['n_equal_scores']:,} of them with equal scores; "
        f"firth {agreement['n_firth'] - agreement['n_shared']:,} more, gensim "
        f"{agreement['n_gensim'] - agreement['n_shared']:,}.",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    options = asked(__doc__, N_BYTES)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plain, split = prepared(options.corpus, folder, options.bytes)
        n_bytes = plain.stat().st_size
        warm = folder / "warm.txt"
        warm.write_bytes(plain.read_bytes()[:2_000_000].rpartition(b"\n")[0])
        child = [sys.executable, __file__, "--child", "firth", warm, warm, folder / "warm.json"]
        subprocess.run([*map(str, child)], check=True, stdout=subprocess.DEVNULL)
        if options.dry:
            for program in PROGRAMS:
                print(json.dumps({"program": program} | run_program(program, plain, split, folder)))
            print(json.dumps(compared(folder)))
            return
        runs: dict[str, list[Record]] = {program: [] for program in PROGRAMS}
        for repeat in range(1, REPEATS + 1):
            for program in PROGRAMS:
                settings = {"program": program, "corpus": options.corpus.name, "n_bytes": n_bytes} | SETTINGS
                run = partial(run_program, program, plain, split, folder)
                runs[program].append(recorded("phrases", settings, repeat, run, commit=options.commit))

        def agreement() -> Record:
            for program in PROGRAMS:
                if not (folder / f"{program}.json").is_file():
                    run_program(program, plain, split, folder)
            return compared(folder)

        settings = {"program": "both", "corpus": options.corpus.name, "n_bytes": n_bytes} | SETTINGS
        found = recorded("phrases", settings, 1, agreement, commit=options.commit)
        text = table(runs, found, n_bytes)
    (RESULTS / "phrases.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        children = {"firth": firth_child, "gensim": gensim_child}
        print(json.dumps(children[sys.argv[2]](*sys.argv[3:])))
    else:
        main()
