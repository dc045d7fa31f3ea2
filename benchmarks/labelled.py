"""The labelled data of benchmarks, in the folder FIRTH_SHARED: seven tasks in two languages."""

from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np
from recording import SHARED

from firth import Examples, read_examples
from firth.tasks import Task

TASKS: Final = SHARED / "data" / "tasks"


class Labelled(NamedTuple):
    """A task's files.

    Attributes:
        task: Of what kind it is.
        language: `en` or `zh`.
        train: In TASKS.
        dev: None where there is none: the last HELD_OUT of `train` are it.
        test: In TASKS.
    """

    task: Task
    language: str
    train: str
    dev: str | None
    test: str


HELD_OUT: Final = 500
LABELLED: Final = {
    "sst2": Labelled("classify", "en", "en/sst2/train.txt", "en/sst2/dev.txt", "en/sst2/test.txt"),
    "trec6": Labelled("classify", "en", "en/trec6/train.txt", None, "en/trec6/test.txt"),
    "ud-ewt": Labelled(
        "tag",
        "en",
        "en/ud-ewt/en_ewt-ud-train.conllu",
        "en/ud-ewt/en_ewt-ud-dev.conllu",
        "en/ud-ewt/en_ewt-ud-test.conllu",
    ),
    "wnut17": Labelled(
        "tag", "en", "en/wnut17/wnut17train.conll", "en/wnut17/emerging.dev.conll", "en/wnut17/emerging.test.annotated"
    ),
    "mrpc": Labelled(
        "pair", "en", "en/mrpc/msr-para-train.tsv", "en/mrpc/msr-para-val.tsv", "en/mrpc/msr-para-test.tsv"
    ),
    "chnsenticorp": Labelled(
        "classify", "zh", "zh/chnsenticorp/train.tsv", "zh/chnsenticorp/dev.tsv", "zh/chnsenticorp/test.tsv"
    ),
    "resume-ner": Labelled(
        "tag", "zh", "zh/resume-ner/train.char.bmes", "zh/resume-ner/dev.char.bmes", "zh/resume-ner/test.char.bmes"
    ),
}


def read(name: str, n_train: int | None = None, n_scored: int | None = None) -> tuple[Examples, Examples, Examples]:
    """Train, dev and test of a task; `n_train` and `n_scored` of them at most, the same ones always."""
    given = LABELLED[name]
    if not TASKS.is_dir():
        raise SystemExit(f"the tasks are not at {TASKS}; set FIRTH_SHARED")
    train = read_examples(TASKS / given.train, given.task)
    test = read_examples(TASKS / given.test, given.task, like=train)
    if given.dev is not None:
        dev = read_examples(TASKS / given.dev, given.task, like=train)
    else:
        train, dev = replace(train, examples=train[:-HELD_OUT]), replace(train, examples=train[-HELD_OUT:])
    return some(train, n_train), some(dev, n_scored), some(test, n_scored)


def some(examples: Examples, n: int | None) -> Examples:
    """So many of them at most, drawn without a choice, in their order."""
    if n is None or n >= len(examples):
        return examples
    places = np.sort(np.random.default_rng(1).permutation(len(examples))[:n]).tolist()
    return replace(examples, examples=tuple(examples[place] for place in places))
