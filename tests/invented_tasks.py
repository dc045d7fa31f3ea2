"""What the tests of heads share: small models of every family, and tasks that they can learn."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("tokenizers")


import firth  # noqa: E402
from firth import devices  # noqa: E402
from firth.finetuning import finetune  # noqa: E402
from firth.model import Model  # noqa: E402
from firth.model import Words as WordTokens  # noqa: E402
from firth.pieces import train_pieces  # noqa: E402
from firth.progress import Lines  # noqa: E402
from firth.segmentation import Segmentation  # noqa: E402
from firth.vectors import Vectors  # noqa: E402
from firth.vocabulary import Vocabulary  # noqa: E402

GOOD, BAD = ["good", "great"], ["bad", "sad"]
OTHERS = ["the", "film", "was", "a", "play", "role", "so", "very"]
WORDS = [*GOOD, *BAD, *OTHERS]
SPLIT = Segmentation(method="words", lower=True)


@pytest.fixture(autouse=True)
def one_thread():
    with devices.on_threads(1):
        yield


def texts(n, seed):
    """Texts of some words with one that tells the label."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(n):
        words = list(rng.choice(OTHERS, rng.integers(2, 6)))
        words.insert(int(rng.integers(0, len(words))), str(rng.choice(GOOD if number % 2 else BAD)))
        rows.append((" ".join(words), "yes" if number % 2 else "no"))
    return rows


def pairs(n, seed):
    """Whether the second text says what the first does."""
    firsts, seconds = texts(n, seed), texts(n, seed + 1)
    seconds = seconds[: n // 2] + [seconds[number ^ 1] for number in range(n // 2, n)]
    return [(one[0], other[0], str(one[1] == other[1])) for one, other in zip(firsts, seconds, strict=True)]


def tagged(n, seed):
    kinds = {**dict.fromkeys(GOOD, "B-GOOD"), **dict.fromkeys(BAD, "B-BAD")}
    rows = [text.split() for text, _ in texts(n, seed)]
    return [(words, [kinds.get(word, "O") for word in words]) for words in rows]


def pieces_of(kind):
    lines = [text for text, _ in texts(300, 9)]
    return train_pieces(lines, kind, size=128 if kind != "byte_bpe" else 320, cased=False, seed=1)


SMALL = {"n_layers": 2, "dim": 16, "n_heads": 2, "n_positions": 32, "context_length": 32}
PIECES = {kind: pieces_of(kind) for kind in ("wordpiece", "bpe", "byte_bpe")}


def static(segmentation=SPLIT, words=WORDS, **changes):
    rng = np.random.default_rng(0)
    return Vectors(words, rng.normal(0, 1.0, (len(words), 16)), segmentation=segmentation, **changes)


def model_of(name):
    if name == "static":
        return static()
    if name == "elmo":
        given = firth.ELMo(dim=16, cell_dim=16, filters=((1, 8), (2, 8)), n_highway=1, character_dim=8, max_size=30)
        words = WordTokens(Vocabulary(["<S>", "</S>", "<UNK>", *WORDS], np.ones(len(WORDS) + 3)), SPLIT)
        return Model(given, words, given.network(len(words.vocabulary), 1).eval(), {})
    if name == "bert":
        given, pieces = firth.BERT(**SMALL), PIECES["wordpiece"]
    elif name == "gpt":
        given, pieces = firth.GPT(**SMALL), PIECES["bpe"]
    else:
        given, pieces = firth.GPT(**SMALL, norm="pre"), PIECES["byte_bpe"]
    network = given.network(pieces.n_entries, 1).eval()
    with torch.no_grad():  # as if it were trained: words tell themselves apart
        network.table[: pieces.n_entries] *= 20
        network.positions *= 0.1
    return Model(given, pieces, network, {})


FAMILIES = ("static", "elmo", "gpt", "gpt2", "bert")
SLOWLY = ("static", "bert", *(pytest.param(name, marks=pytest.mark.slow) for name in ("elmo", "gpt", "gpt2")))
ROWS = {"classify": texts, "pair": pairs, "tag": tagged}


def tuned(model, task="classify", n=64, **changes):
    given = model_of(model) if isinstance(model, str) else model
    train, dev = ROWS[task](n, 1), ROWS[task](24, 5)
    settings = {"epochs": 4, "learning_rate": 3e-3, "batch_size": 8, "head_dropout": 0.0, "patience": 50}
    settings["precision"] = "fp32"  # whatever the processor multiplies fast
    return finetune(given, train, task=task, dev=dev, **(settings | changes))


INPUTS = ["the film was great", "a sad play", "", "so good a role and so very good"]


class Recorder(Lines):
    """Keeps the lines that are said."""

    def __init__(self):
        self.lines = []
        super().__init__(None)

    def say(self, line):
        self.lines.append(line)
