"""Two small static models and a corpus that is hostile in places, behind the whole application."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firth.segmentation import Segmentation
from firth.vectors import Vectors

pytest.importorskip("fastapi", reason="the extra serve is not installed")

from firth.explorer.app import application
from firth.explorer.exploration import Exploration

WORDS = ["river", "money", "water", "bank", "loan", "boat", "shore", "credit", "fish", "cash", "开心", "=1+1", "the"]
LINES = (
    [
        "The boat lay on the river bank near the water.",
        "Fish swim by the bank of the river.",
        "A boat came to the shore, a grassy bank by the water.",
    ]
    * 8
    + [
        "The bank gave a loan of money.",
        "Credit and cash come from the bank.",
        "Money lies in the bank, and cash is credit.",
    ]
    * 8
    + ["<script>alert(1)</script> the bank of <b>cash</b> =1+1", "我 今天 在 bank 很 开心"]
)


def vectors_of(seed: int, n_layers: int = 1) -> Vectors:
    rng = np.random.default_rng(seed)
    array = rng.standard_normal((n_layers, len(WORDS), 8)).astype(np.float32)
    watery = [WORDS.index(word) for word in ("river", "water", "boat", "shore", "fish")]
    rich = [WORDS.index(word) for word in ("money", "loan", "credit", "cash")]
    array[:, watery, 0] += 6
    array[:, rich, 1] += 6
    counts = range(1000, 1000 - len(WORDS), -1)
    return Vectors(WORDS, array, counts=counts, segmentation=Segmentation(method="words"))


class Client:
    """Asks the application as a browser on this machine does, and repeats what is not done yet."""

    def __init__(self, app: Any) -> None:
        from starlette.testclient import TestClient

        self.http = TestClient(app, base_url="http://127.0.0.1:7321", raise_server_exceptions=False)

    def get(self, path: str, **how: Any) -> Any:
        return self.http.get(path, **how)

    def post(self, path: str, asked: Any, **how: Any) -> Any:
        for _ in range(400):
            answer = self.http.post(path, json=asked, **how)
            if answer.status_code != 202:
                return answer
            told = answer.json()
            assert told["state"] == "working"
            assert answer.headers["retry-after"] == "1"
            time.sleep(0.02)
        raise AssertionError(f"{path} does not end: {told}")


@pytest.fixture(scope="session")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A static model with a log, another one of two layers, and the corpus with a column."""
    folder = tmp_path_factory.mktemp("secret-folder")
    vectors_of(1).save(folder / "first")
    (folder / "first" / "log.jsonl").write_text(
        '{"seconds": 1.0, "fraction": 0.5, "tokens": 10, "loss_nats": 2.5}\n'
        '{"fraction": 0.5, "held_out_nats": NaN}\n'
        '{"seconds": 2.0, "fraction": 1.0, "tokens": 20, "loss_nats": 1.5}\n{"seconds": 3'
    )
    vectors_of(2, n_layers=2).save(folder / "second")
    with (folder / "corpus.jsonl").open("w", encoding="utf-8") as file:
        for number, line in enumerate(LINES):
            file.write(json.dumps({"text": line, "source": "news" if number >= 24 else "rivers"}) + "\n")
    return {"first": folder / "first", "second": folder / "second", "corpus": folder / "corpus.jsonl"}


@pytest.fixture(scope="session")
def exploration(places: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exploration]:
    from firth.preparation import Preparation

    found = Exploration([places["first"], places["second"]], at_once=2)
    found.read(
        places["corpus"],
        name="corpus.jsonl",
        preparation=Preparation(keep=("source",)),
        cache_dir=tmp_path_factory.mktemp("index"),
    )
    found.wait()
    yield found
    found.close()


@pytest.fixture(scope="session")
def client(exploration: Exploration) -> Client:
    return Client(application(exploration))
