import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

import firth
from firth.errors import FirthError
from firth.language import BITS_OF_BYTE, measured, pseudo_perplexity, sample
from firth.language import _nats_of_pieces as nats_of_pieces
from firth.model import Model

TEXT = [f"the {animal} and the {other} eat grass." for animal in ("cat", "dog", "cow") for other in ("horse", "mouse")]
SMALL: dict[str, Any] = {"n_layers": 1, "dim": 8, "n_heads": 1, "context_length": 16, "batch_size": 2}


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("text") / "held-out.txt"
    path.write_text("\n".join([*TEXT, "", *TEXT[:2], ""]), encoding="utf-8")
    return path


def trained(family: Any) -> Model:
    return firth.train(family, TEXT * 30, tokens=600, threads=1, matrices=False)


@pytest.fixture(scope="module")
def gpt() -> Model:
    return trained(firth.GPT(**SMALL, vocabulary_size=256))


class KnowingNothing:
    """A network to which all pieces are equally likely."""

    n_entries, bias = 50, None
    table = torch.zeros(50, 4)

    def __call__(self, ids: torch.Tensor) -> list[torch.Tensor]:
        return [torch.zeros(*ids.shape, 4)]


@pytest.mark.parametrize("n", [1, 2, 7, 8, 9, 12, 13, 16, 17, 40])
def test_every_piece_but_the_first_is_charged_once(n: int) -> None:
    nats = nats_of_pieces(KnowingNothing(), np.zeros(n, np.int64), 8)
    assert nats == pytest.approx((n - 1) * math.log(50))


def test_a_text_of_one_window_costs_what_the_network_says(gpt: Model) -> None:
    ids = np.array(gpt.pieces.encode([TEXT[0]])[0][:12], np.int64)
    with torch.inference_mode():
        rows = torch.from_numpy(ids)[None]
        scores = gpt.network(rows)[-1] @ gpt.network.table.T
        if gpt.network.bias is not None:
            scores = scores + gpt.network.bias
        due = -scores.log_softmax(-1)[0, torch.arange(len(ids) - 1), torch.from_numpy(ids[1:])].sum()
        assert nats_of_pieces(gpt.network, ids, 16) == pytest.approx(float(due), rel=1e-5)


def test_bits_per_byte_are_of_all_bytes_of_the_lines(gpt: Model, text: Path, tmp_path: Path) -> None:
    found = measured(gpt, text, threads=1, cache_dir=tmp_path)
    assert found is not None
    assert (found.measure, found.n) == ("bits_per_byte", sum(len(line) + 1 for line in [*TEXT, *TEXT[:2]]))
    bits, n_bytes = found.items.sum(axis=0)
    assert (found.value, found.n) == pytest.approx((bits / n_bytes, n_bytes))
    assert len(found.items) == 2  # documents
    assert 0 < found.value < 8


def test_of_elmo_the_forward_direction_counts_and_unknown_words_are_spelt(text: Path, tmp_path: Path) -> None:
    filters = ((1, 4), (2, 4))
    elmo = trained(
        firth.ELMo(dim=8, cell_dim=8, filters=filters, n_highway=1, batch_size=2, context_length=8, min_count=1)
    )
    known = measured(elmo, text, threads=1, cache_dir=tmp_path)
    strange = tmp_path / "strange.txt"
    strange.write_text(text.read_text(encoding="utf-8").replace("grass", "xqzjw"), encoding="utf-8")
    unknown = measured(elmo, strange, threads=1, cache_dir=tmp_path)
    assert known is not None
    assert unknown is not None
    spelt = 8 * 6 * BITS_OF_BYTE  # in eight lines a word of five letters, and its end
    assert known.n == unknown.n
    assert known.items.sum(axis=0) == pytest.approx([known.value * known.n, known.n])
    assert known.items[:, 1].tolist() == [sum(len(line) + 1 for line in lines) for lines in (TEXT, TEXT[:2])]
    assert (unknown.items[:, 0] > np.array([6, 2]) * spelt / 8).all()
    assert unknown.value > known.value


def test_hidden_words_cost_as_much_as_guessing_where_nothing_is_known() -> None:
    bert = trained(firth.BERT(**SMALL, vocabulary_size=256))
    for weight in bert.network.parameters():
        weight.data.zero_()
    n_entries = bert.pieces.n_entries
    with torch.inference_mode():
        found = pseudo_perplexity(bert, TEXT, n_words=20, seed=1)
        again = pseudo_perplexity(bert, TEXT, n_words=20, seed=1)
    assert found.n == 20
    assert np.array_equal(found.items, again.items)
    pieces = found.items / math.log(n_entries)  # a whole number for each word
    assert pieces == pytest.approx(pieces.round(), abs=1e-3)
    assert pieces.min() >= 1
    assert found.value == pytest.approx(math.exp(found.items.mean()))


def test_a_sample_of_words_is_no_larger_than_the_text() -> None:
    bert = trained(firth.BERT(**SMALL, vocabulary_size=256))
    with torch.inference_mode():
        assert pseudo_perplexity(bert, ["the cat"], n_words=300).n == 2
        with pytest.raises(FirthError, match="no words"):
            pseudo_perplexity(bert, ["", "  "])


def test_static_models_have_no_language(text: Path) -> None:
    assert measured(SimpleNamespace(family=SimpleNamespace(name="skipgram")), text) is None  # type: ignore[arg-type]


def test_an_empty_text_is_refused(gpt: Model, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("\n\n", encoding="utf-8")
    with pytest.raises(FirthError):
        measured(gpt, tmp_path / "empty.txt", threads=1, cache_dir=tmp_path)


def test_a_sample_is_whole_lines_drawn_by_the_seed(text: Path, tmp_path: Path) -> None:
    found = sample(text, tmp_path / "sample.txt", most_bytes=60, seed=1).read_text(encoding="utf-8")
    lines = [line for line in found.splitlines() if line]
    assert lines
    assert set(lines) <= set(TEXT)
    assert len(found) <= 60 + max(map(len, TEXT)) + 2
    assert found == sample(text, tmp_path / "again.txt", most_bytes=60, seed=1).read_text(encoding="utf-8")
