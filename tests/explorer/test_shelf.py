"""Models as they are shown: what has changed on the disk is read anew, once, and nothing is answered from before it."""

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from firth import hub
from firth.explorer import shelf
from firth.explorer.app import application
from firth.explorer.exploration import Exploration
from firth.explorer.shelf import Shelf, Shown
from firth.vectors import Vectors

from .conftest import Client, vectors_of


def unfinished(path: Path, seed: int) -> None:
    """A model whose training goes on, or was interrupted, written so that its time is another one at each seed."""
    vectors_of(seed).save(path, overwrite=path.is_dir())
    about = json.loads((path / "firth.json").read_bytes())
    (path / "firth.json").write_text(json.dumps(about | {"finished": False}))
    os.utime(path / "firth.json", (seed, seed))


@pytest.fixture
def running(tmp_path: Path) -> Path:
    unfinished(tmp_path / "running", 1)
    return tmp_path / "running"


@pytest.fixture
def exploration(running: Path) -> Iterator[Exploration]:
    found = Exploration([running], at_once=1)
    yield found
    found.close()


def test_a_model_is_read_again_when_it_has_changed_and_no_more(running: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    n_read = 0
    load = Vectors.load

    def counted(path: Path) -> Vectors:
        nonlocal n_read
        n_read += 1
        return load(path)

    monkeypatch.setattr(Vectors, "load", counted)
    models = Shelf([running])
    for _ in range(3):
        assert models.matrix("running:0").key == ("running:0", 0)
    assert n_read == 1
    unfinished(running, 2)
    for _ in range(3):
        found = models.matrix("running")
        assert found.key == ("running:0", 1)
        np.testing.assert_array_equal(found.vectors.matrix, vectors_of(2).matrix)
    assert n_read == 2


def test_a_model_that_cannot_be_read_meanwhile_is_shown_as_it_was(running: Path) -> None:
    model = Shown("running", running)
    (running / "firth.json").unlink()
    model.refresh()
    np.testing.assert_array_equal(model.vectors_or_error().matrix, vectors_of(1).matrix)


def test_the_network_is_read_again_too(running: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "_reader_at", lambda path: object())
    model = Shown("running", running)
    first = model.reader()
    assert model.reader() is first
    unfinished(running, 2)
    model.refresh()
    assert model.reader() is not first


def test_no_answer_is_of_the_model_that_was(exploration: Exploration, running: Path) -> None:
    client = Client(application(exploration))

    def answered() -> list[object]:
        return [
            client.get("/api/neighbours?word=bank&topn=3").json()["columns"],
            client.get("/api/map/points?model=running").content,
            client.post("/api/movers", {"old": "running", "new": "running"}).json()["movers"],
        ]

    before = answered()
    unfinished(running, 2)
    after = answered()
    assert all(one != other for one, other in zip(before[:2], after[:2], strict=True))
    assert exploration.shelf.models[0].version == 1
    kept = {key[:3] for key in exploration.background.cache._kept if key[0] == "movers"}
    assert kept == {("movers", "running", 0), ("movers", "running", 1)}


def test_the_loop_of_events_looks_at_no_model(exploration: Exploration, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = []
    model = exploration.shelf.model

    def watched(name: str) -> Shown:
        threads.append(threading.current_thread().name)
        return model(name)

    monkeypatch.setattr(exploration.shelf, "model", watched)
    client = Client(application(exploration))
    client.post("/api/occurrences", {"model": "running", "word": "bank"})
    client.post("/api/layers", {"model": "running"})
    client.post("/api/movers", {"old": "running", "new": "running"})
    assert len(threads) >= 4
    assert all(name.startswith("firth-answer") for name in threads)


def test_the_layers_of_a_network_are_not_its_matrices(running: Path) -> None:
    model = Shown("bert", running)
    model.about = {"family": {"name": "bert", "n_layers": 12}}
    assert model.layers == [0]
    assert model.network_layers == list(range(13))


def test_a_model_of_the_hub_is_called_by_its_name_there(running: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "found", lambda place: hub.Found(running, f"{place}@8d1e2c"))
    names = [model.name for model in Shelf(["hf:jane/skipgram-zh", "hf:joan/skipgram-zh", "hf:glove"])]
    assert names == ["skipgram-zh", "skipgram-zh-2", "glove"]
