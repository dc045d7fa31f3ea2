"""Sub-words: firth beside fastText, alternately, at equal settings, in English and in Chinese.

    python -m venv /tmp/fasttext && /tmp/fasttext/bin/pip install fasttext-numpy2-wheel
    python benchmarks/subwords.py --corpus ../shared/data/corpora/en-wiki.txt.xz \
        --chinese ../shared/data/corpora/zh-mixed.txt.xz --fasttext /tmp/fasttext/bin/python

Both read one file, whose words are parted by blanks, English ones in lower case, Chinese ones cut beforehand: its
first WORDS words, of Chinese CHINESE_WORDS. Both train Skip-gram, then CBOW, with n-grams of 3 to 6 characters
(Chinese: 1 to 3) in as many buckets, the same dimension, window, negatives, sub-sampling and passes, on 2 threads, each
at its own default learning rate (fastText's .05). Measured are words a second of training, by the clock of each program
(fastText's reads its words in it), and the wall clock from the file to saved vectors. firth without n-grams is a third
column, which shows what they bring. fastText 0.9.2 takes no seed: its runs differ by the order of its threads alone.

A last table is of firth alone: what fewer rows for n-grams cost, and what hashing each n-gram to several of them, as
floret does, gives back.

Scored are the vectors that both composed, by firth's evaluation: word pairs of words in the vocabulary, which is the
same for all; analogies in two halves, of grammar and of the rest; and pairs with a rare word, one that is not in the
vocabulary, so that its n-grams answer for it (of SCWS, without its contexts, and of SimLex-999).

Some 20 minutes in all, most of them fastText's. Every run is recorded in results/subwords.jsonl; the tables go to
results/subwords.md. `--words 20000 --chinese-words 20000 --into FOLDER` tries it in a minute, and records nothing here.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import recording
from comparing import Row, Runs, account, alternately, check_files, mean, number, origin, spread, table
from recording import EVALUATION, Record, run_measured
from static import SETTINGS as WHOLE_WORDS
from static import cut_into_words, normalised

from firth import CBOW, Skipgram, Vectors
from firth.evaluation import AnalogiesResult, WordPair, read_word_pairs

SETTINGS: dict[str, Any] = {**WHOLE_WORDS, "subwords": "3-6", "buckets": 200_000}
CHINESE: dict[str, Any] = SETTINGS | {"subwords": "1-3"}
WORDS = 2_000_000
CHINESE_WORDS = 1_000_000
SEEDS = (1, 2, 3)
FASTTEXT_RATE = 0.05
PROGRAMS = ("fastText", "firth", "firth, whole words")
COMPACT: dict[str, dict[str, Any]] = {
    "firth, 200,000 rows": {"buckets": 200_000, "hashes": 1},
    "firth, 50,000 rows": {"buckets": 50_000, "hashes": 1},
    "firth, 50,000 rows, 2 for each": {"buckets": 50_000, "hashes": 2},
    "firth, 50,000 rows, 4 for each": {"buckets": 50_000, "hashes": 4},
}
CHILD = """
import json, sys, time

import fasttext

text, model, told, family, rate = json.loads(sys.argv[1])
shortest, longest = map(int, told["subwords"].split("-"))
began = time.monotonic()
trained = fasttext.train_unsupervised(
    text, model=family, dim=told["dim"], ws=told["window"], neg=told["negatives"], t=told["sample"],
    minCount=told["min_count"], epoch=told["epochs"], thread=told["threads"], minn=shortest, maxn=longest,
    bucket=told["buckets"], lr=rate, verbose=0,
)
print(round(time.monotonic() - began, 3))
trained.save_model(model)
"""
"""What fastText's process does; it prints the seconds of its call, its reading of the words included."""
Scores = Callable[[Path], Record]


@dataclass(frozen=True, kw_only=True)
class Part:
    """One table: a family on a text, by some programs, with what is scored."""

    family: str = "skipgram"
    text: Path
    n_words: int
    corpus: str
    settings: Mapping[str, Any]
    scored: Scores
    scores: tuple[str, ...]
    programs: tuple[str, ...] = PROGRAMS
    changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # of a program's settings
    fasttext: Path | None  # the Python that has it

    @property
    def told(self) -> dict[str, Any]:
        """What a record says of its settings."""
        of_family = {} if self.family == "skipgram" else {"family": self.family}
        return {**self.settings, **of_family, "corpus": self.corpus, "n_words": self.n_words}

    def run(self, program: str, seed: int) -> Record:
        """A run of a program, and what its vectors score."""
        settings = dict(self.settings) | dict(self.changes.get(program, {}))
        if program == "firth, whole words":
            del settings["subwords"], settings["buckets"]
        with tempfile.TemporaryDirectory() as folder:
            if program == "fastText":
                return fasttext_run(self, settings, Path(folder))
            return firth_run(self, settings, seed, Path(folder))


def firth_run(part: Part, settings: dict[str, Any], seed: int, folder: Path) -> Record:
    model = folder / "model"
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in settings.items()]
    command = [sys.executable, "-m", "firth", "train", part.family, str(part.text), "-o", str(model), "--quiet", *flags]
    measured = run_measured([*command, f"--seed={seed}", "--segment=space", "--cache-dir", str(folder / "cache")])
    record = json.loads((model / "firth.json").read_text(encoding="utf-8"))
    return {
        "version": version("firth"),
        "learning_rate": (CBOW() if part.family == "cbow" else Skipgram()).learning_rate,
        "size_mib": (model / "vectors.safetensors").stat().st_size / 2**20,
        "train_seconds": record["spent"]["seconds"],
        "words_per_second": record["spent"]["tokens"] / record["spent"]["seconds"],
        "wall_seconds": measured.wall_seconds,
        "peak_anonymous_mib": measured.peak_anonymous_mib,
    } | part.scored(model)


def fasttext_run(part: Part, settings: dict[str, Any], folder: Path) -> Record:
    assert part.fasttext is not None
    model = folder / "model.bin"
    arguments = json.dumps([str(part.text), str(model), settings, part.family, FASTTEXT_RATE])
    measured = run_measured([part.fasttext, "-c", CHILD, arguments])
    train_seconds = float(measured.output.splitlines()[-1])
    return {
        "version": "fasttext-numpy2-wheel 0.9.2",
        "learning_rate": FASTTEXT_RATE,
        "train_seconds": train_seconds,
        "words_per_second": part.n_words * settings["epochs"] / train_seconds,
        "wall_seconds": measured.wall_seconds,
        "peak_anonymous_mib": measured.peak_anonymous_mib,
    } | part.scored(model)


def scores(path: Path) -> Record:
    """What English vectors score."""
    vectors = Vectors.load(path)
    analogies = vectors.evaluate_word_analogies(EVALUATION / "en" / "questions-words.txt")
    simlex = read_word_pairs(EVALUATION / "en" / "simlex999.txt")
    found = {
        "wordsim353": spearman(vectors, read_word_pairs(EVALUATION / "en" / "wordsim353.tsv")),
        "simlex999": spearman(vectors, simlex),
        "semantic": accuracy(analogies, lambda name: not name.startswith("gram")),
        "grammatical": accuracy(analogies, lambda name: name.startswith("gram")),
        "analogies": analogies.total.accuracy,
        "sections": {section.name: section.accuracy for section in analogies.sections if section.n_answered},
    }
    return found | of_rare_words(vectors, "scws", scws()) | of_rare_words(vectors, "simlex", simlex)


def chinese_scores(path: Path) -> Record:
    """What Chinese vectors score."""
    vectors = Vectors.load(path)
    pairs = read_word_pairs(EVALUATION / "zh" / "wordsim-240.txt")
    return {"wordsim240": spearman(vectors, pairs)} | of_rare_words(vectors, "wordsim240", pairs)


def spearman(vectors: Vectors, pairs: Iterable[WordPair]) -> float:
    """Of the pairs whose words are in the vocabulary."""
    known = [pair for pair in pairs if pair.first.lower() in vectors and pair.second.lower() in vectors]
    return vectors.evaluate_word_pairs(known, restrict=None).spearman


def of_rare_words(vectors: Vectors, name: str, pairs: Iterable[WordPair]) -> Record:
    """Of the others, which vectors of whole words do not answer: the score, pairs answered, pairs asked."""
    lowered = [WordPair(pair.first.lower(), pair.second.lower(), pair.score) for pair in pairs]
    rare = [pair for pair in lowered if pair.first not in vectors or pair.second not in vectors]
    result = vectors.evaluate_word_pairs(rare, restrict=None)
    told = {f"{name}_rare_answered": result.n_answered, f"{name}_rare_asked": result.n_asked}
    return told if vectors.subwords is None else told | {f"{name}_rare": result.spearman}


def scws() -> list[WordPair]:
    """The pairs of Huang et al. 2012, with the mean of people's scores."""
    lines = (EVALUATION / "en" / "scws" / "ratings.txt").read_text(encoding="utf-8").splitlines()
    fields = [line.split("\t") for line in lines]
    return [WordPair(line[1], line[3], float(line[7])) for line in fields]


def accuracy(result: AnalogiesResult, chosen: Callable[[str], bool]) -> float:
    sections = [section for section in result.sections if chosen(section.name) and section.n_answered]
    n_answered = sum(section.n_answered for section in sections)
    return sum(section.accuracy * section.n_answered for section in sections) / max(1, n_answered)


MEASURED = {
    "words a second of training": ("words_per_second", ",.0f"),
    "file to saved vectors, s": ("wall_seconds", ".1f"),
    "peak anonymous memory, MiB": ("peak_anonymous_mib", ".0f"),
    "size of what is saved, MiB": ("size_mib", ".1f"),
}
RARE = ("scws_rare", "simlex_rare", "wordsim240_rare")


def rows(runs: Runs, scored: Iterable[str]) -> list[Row]:
    """What a table has, from top to bottom."""
    records = [record for of_program in runs.values() for record in of_program]
    measured = {name: how for name, how in MEASURED.items() if any(how[0] in record for record in records)}
    found: list[Row] = [(name, partial(number, runs, *how)) for name, how in measured.items()]
    found += [(name.replace("_", " "), partial(spread, runs, name)) for name in scored]
    first = next(iter(runs.values()))[0]
    for name in RARE:
        if f"{name}_asked" in first:
            asked = f"pairs with a rare word, of {name.removesuffix('_rare')} ({first[f'{name}_asked']} pairs)"
            found += [(f"{asked}: answered", partial(number, runs, f"{name}_answered", ".0f"))]
            found += [(f"{asked}: score", partial(spread, runs, name))]
    for section in first.get("sections", ()):
        found.append((section, partial(of_section, runs, section)))
    return found


def of_section(runs: Runs, section: str, program: str) -> str:
    accuracies = [record["sections"].get(section, 0.0) for record in runs[program]]
    return f"{sum(accuracies) / len(accuracies):.3f}"


def ratios(runs: Runs) -> str:
    faster = mean(runs, "words_per_second", "firth") / mean(runs, "words_per_second", "fastText")
    sooner = mean(runs, "wall_seconds", "fastText") / mean(runs, "wall_seconds", "firth")
    return (
        f"With n-grams, firth trains **{faster:.1f} times** as many words a second, and takes the file to saved "
        f"vectors {sooner:.1f} times as fast, with counting, encoding and loading its compiled steps."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--chinese", type=Path)
    parser.add_argument("--fasttext", type=Path, help="the Python of an environment that has fastText")
    parser.add_argument("--words", type=int, default=WORDS)
    parser.add_argument("--chinese-words", type=int, default=CHINESE_WORDS)
    parser.add_argument("--into", type=Path, default=recording.RESULTS, help="the folder of the records and the table")
    parser.add_argument("--commit", action="store_true", help="commit results/subwords.jsonl after each run")
    arguments = parser.parse_args()
    check_files(corpus=arguments.corpus, chinese=arguments.chinese, fasttext=arguments.fasttext)
    recording.RESULTS = arguments.into
    command = f"python benchmarks/subwords.py --corpus {arguments.corpus.name} --chinese {arguments.chinese.name}"
    lines = ["# Sub-words: firth beside fastText", ""]
    everything = []
    with tempfile.TemporaryDirectory() as folder:
        text, zh = Path(folder) / "english.txt", Path(folder) / "chinese.txt"
        english = Part(
            text=text,
            n_words=normalised(arguments.corpus, text, arguments.words),
            corpus=arguments.corpus.name,
            settings=SETTINGS,
            scored=scores,
            scores=("wordsim353", "simlex999", "semantic", "grammatical", "analogies"),
            fasttext=arguments.fasttext,
        )
        chinese = Part(
            text=zh,
            n_words=cut_into_words(arguments.chinese, zh, arguments.chinese_words),
            corpus=arguments.chinese.name,
            settings=CHINESE,
            scored=chinese_scores,
            scores=("wordsim240",),
            fasttext=arguments.fasttext,
        )
        parts = {
            f"Skip-gram, {english.corpus}": english,
            f"Skip-gram, {chinese.corpus}": chinese,
            f"CBOW, {english.corpus}": replace(english, family="cbow"),
            f"CBOW, {chinese.corpus}": replace(chinese, family="cbow"),
            f"Fewer rows for n-grams: Skip-gram, {english.corpus}": replace(
                english, programs=tuple(COMPACT), changes=COMPACT
            ),
        }
        for title, part in parts.items():
            runs = alternately(
                "subwords", part.programs, SEEDS, part.told, part.run, commit=arguments.commit, changes=part.changes
            )
            everything.append(runs)
            lines += [f"## {title}", "", account(command, part.n_words, part.settings, SEEDS, "subwords"), ""]
            lines += [*table(runs, rows(runs, part.scores)), ""]
            lines += [ratios(runs), ""] if "fastText" in runs else []
    lines.insert(2, origin(*everything) + "\n")
    (arguments.into / "subwords.md").write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
