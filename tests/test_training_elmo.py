"""Training of ELMo from raw text: what comes out, goes on, and is refused."""

import json
import math
import os
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("h5py")

from comparing import assert_equal, files, state  # noqa: E402

import firth  # noqa: E402
from firth import batches, cli, contextual_training, descent, devices, runs, streams, texts  # noqa: E402
from firth import corpus as corpora  # noqa: E402
from firth.budget import Budget  # noqa: E402
from firth.characters import BEGIN, END, SPECIAL  # noqa: E402
from firth.formats import elmo_hdf5, safetensors  # noqa: E402
from firth.model import Model, Words  # noqa: E402
from firth.progress import Lines, Silent  # noqa: E402
from firth.tokens import encode  # noqa: E402
from firth.vocabulary import Vocabulary  # noqa: E402

SMALL: dict[str, Any] = {"dim": 32, "cell_dim": 32, "character_dim": 4, "filters": ((1, 4), (2, 8), (3, 8))}
SMALL |= {"n_highway": 1, "max_characters": 12, "min_count": 1, "context_length": 8, "batch_size": 4}
ELMO = firth.ELMo(**SMALL, dropout=0.1, learning_rate=0.01)
WORDS = "the cat dog bird sat ran slept on under over mat log roof and saw a small old green".split()  # noqa: SIM905
N_ENTRIES = len(WORDS) + 4  # and ".", <S>, </S>, <UNK>
SHARED = Path(os.environ.get("FIRTH_SHARED", Path(__file__).parent.parent / ".." / "shared"))

pytestmark = pytest.mark.usefixtures("products_in_float32")


@pytest.fixture(autouse=True)
def one_thread():
    with devices.on_threads(1):
        yield


def sentences(seed: int, n_documents: int = 40) -> list[str]:
    """Words that follow each other in their order as a rule, so that there is something to learn."""
    rng = np.random.default_rng(seed)
    lines = []
    for _ in range(n_documents):
        for _ in range(4):
            first, n = rng.integers(0, len(WORDS)), rng.integers(3, 9)
            lines.append(" ".join(WORDS[(first + place) % len(WORDS)] for place in range(n)) + ".")
        lines.append("")
    return lines


TEXT = sentences(1)


def trained(family: Any = ELMO, corpus: Any = TEXT, **changes: Any) -> Any:
    return firth.train(family, corpus, **({"tokens": 2000, "threads": 1, "seed": 3} | changes))


# --- what comes out


def test_it_learns_and_tells_its_perplexities(capsys):
    model = trained(replace(ELMO, dropout=0.0), tokens=20_000, progress=Lines(sys.stderr))
    record = model.record
    found = contextual_training.perplexities(record)
    assert found["mean"] == pytest.approx(math.sqrt(found["forward"] * found["backward"]))
    assert math.log(found["mean"]) == pytest.approx(record["held_out_nats"]["last"])
    assert record["held_out_nats"]["before"] == pytest.approx(math.log(len(model.vocabulary)), rel=0.05)
    assert max(found["forward"], found["backward"]) < 0.5 * math.exp(record["held_out_nats"]["before"])
    assert set(record["versions"]) >= {"torch", "h5py"}
    assert record["words"]["vocabulary"] == len(model.vocabulary) == N_ENTRIES
    said = capsys.readouterr().err
    assert f"held-out perplexity: {found['forward']:,.2f} forward, {found['backward']:,.2f} backward" in said
    assert f"of {N_ENTRIES} words; 0.00% of the held-out words are <UNK>" in said
    assert "ln V" in said
    assert "unigram" in said


def test_perplexity_is_that_of_the_full_softmax_over_every_position():
    """By hand: the held-out sentences one after the other, each row's state carried from zeros."""
    for objective in ("full", "sampled"):
        family = replace(ELMO, objective=objective, negatives=8)
        model = trained(family, tokens=4000)
        with texts.prepared(TEXT, firth.Preparation(), family) as encoded:
            text = family.stream(encoded, model.vocabulary)
            nats = {"forward": 0.0, "backward": 0.0}
            carried = None
            for batch in streams.held_out(text):
                one = batches.tensors(family._spelt(batch, None, None))
                with torch.no_grad():
                    ids = torch.stack([one.forward, one.backward])
                    layers, carried = model.network(one.characters, ids, carried)
                    scores = layers[-1] @ model.network.table[: len(model.vocabulary)].T
                    logs = (scores + model.network.output_bias[: len(model.vocabulary)]).log_softmax(-1)
                for way, name in enumerate(("forward", "backward")):
                    targets = getattr(one, f"{name}_targets").T[..., None]
                    counts = torch.ones(targets.shape[:2]) if one.weights is None else one.weights.T
                    nats[name] -= float((logs[way].gather(-1, targets)[..., 0] * counts).sum())
            n = text.held_out.n_tokens
        found = contextual_training.perplexities(model.record)
        for name, total in nats.items():
            assert found[name] == pytest.approx(math.exp(total / n), rel=1e-4)


def test_the_directory_is_a_published_one_and_more(tmp_path):
    model = trained(output=tmp_path / "model")
    assert {path.name for path in (tmp_path / "model").iterdir()} == {
        "firth.json", "log.jsonl", "options.json", "weights.hdf5", "model.safetensors", "vocabulary.tsv", "vocab.txt",
        "matrices",
    }  # fmt: skip
    assert (tmp_path / "model" / "vocab.txt").read_text(encoding="utf-8").split("\n")[:3] == list(SPECIAL)
    loaded = firth.load(tmp_path / "model")
    assert_equal(loaded, model)
    assert loaded.vocabulary.words == model.vocabulary.words
    assert loaded.vocabulary.counts.tolist() == model.vocabulary.counts.tolist()
    np.testing.assert_array_equal(loaded.output_table(), model.output_table())
    assert model.output_table().shape == (len(model.vocabulary), 16)
    vectors = firth.Vectors.load(tmp_path / "model")
    np.testing.assert_array_equal(vectors.array, model.vectors.array)
    assert set(vectors.words) == set(model.vocabulary.words) - set(SPECIAL)
    assert vectors.array.shape == (3, len(vectors), 32)
    rows = model.vocabulary.rows(vectors.words)
    np.testing.assert_allclose(vectors.array[0], model.table()[rows], rtol=0, atol=1e-6)


def test_the_table_is_the_encoder_word_by_word():
    model = trained()
    table = model.table()
    assert table.shape == (len(model.vocabulary), 32)
    np.testing.assert_array_equal(table[:, :16], table[:, 16:])
    spelling = streams_characters(["cat"])
    with torch.no_grad():
        alone = model.network.encoded(spelling)
    np.testing.assert_allclose(table[model.vocabulary.row("cat"), :16], alone[0].numpy(), rtol=0, atol=1e-6)
    assert not np.array_equal(table[0], table[1])  # <S> and </S> have characters of their own


def streams_characters(words: list[str]) -> Any:
    from firth.characters import Characters

    return torch.from_numpy(Characters(12).table(words))


@pytest.mark.parametrize(("negatives", "n_sampled"), [(4, 4), (4000, None)])
def test_it_is_told_whose_loss_is_shown(negatives, n_sampled, capsys):
    model = trained(replace(ELMO, objective="sampled", negatives=negatives), progress=Lines(sys.stderr))
    assert model.record["words"]["sampled_words"] == n_sampled
    assert ("4 words drawn for each batch" in capsys.readouterr().err) == (n_sampled is not None)


@pytest.mark.parametrize("segment", ["chinese", "characters"])
def test_chinese_by_words_or_characters(segment, capsys):
    lines = ["我今天好开心。", "你今天很忙吗?", "", "他说他不忙。", "开心就好。", ""] * 30
    model = trained(ELMO, lines, preparation=firth.Preparation(segment=segment), progress=Lines(sys.stderr))
    assert ("今天" in model.vocabulary) == (segment == "chinese")
    assert "天" in model.vocabulary or segment == "chinese"
    assert math.isfinite(model.record["held_out_nats"]["last"])
    assert model.record["words"]["cut_types"] == 0
    assert "are cut" not in capsys.readouterr().err


def test_words_that_are_cut_are_counted(capsys):
    lines = ["short incomprehensibilities of words", "words of incomprehensibilities 开心就好开心"] * 40
    preparation = firth.Preparation(segment="space")
    model = trained(corpus=lines, preparation=preparation, progress=Lines(sys.stderr))
    assert (model.record["words"]["cut_types"], model.record["words"]["cut_words"]) == (2, 120)
    assert "2 words of more than 10 bytes, met 120 times, cut to their first 10" in capsys.readouterr().err


@pytest.mark.parametrize(
    "lines",
    [
        [" ".join(WORDS[(number * number) % 19] for number in range(3000))],
        ["", "", *TEXT[:60], "", "", " ", *TEXT[60:], ""],
        [[BEGIN, "a", END], ["a", "b", "<UNK>", BEGIN]] * 60,
        ["word"] * 30 + ["other"] * 30,
    ],
    ids=["no sentence ends", "empty lines", "literal bounds", "lines of a word"],
)
def test_any_text_will_do(lines):
    model = trained(corpus=lines, tokens=600)
    assert math.isfinite(model.record["loss_nats"])
    assert math.isfinite(model.record["held_out_nats"]["last"])
    assert model.vocabulary.words[:3] == list(SPECIAL)


@pytest.mark.parametrize(
    ("family", "lines", "message"),
    [
        (ELMO, [], "no (text|words)"),
        (ELMO, ["one"], "only word"),
        (replace(ELMO, min_count=99), ["one two three"] * 5, "--min-count"),
    ],
)
def test_too_little_text_is_refused(family, lines, message):
    with pytest.raises(firth.FirthError, match=message):
        trained(family, lines)


def test_what_belongs_to_pieces_is_refused():
    with pytest.raises(firth.UsageError, match="tokenizer is given, and elmo has none"):
        trained(tokenizer="vocab.txt")
    with pytest.raises(firth.UsageError, match="add_words is given"):
        trained(add_words=3)
    with pytest.raises(firth.UsageError, match="here there is"):
        trained(device="tpu")


TOLD = ['The cat sat on "the" mat.', "A dog, in Rome -- at last!", "the dog saw a cat..."] * 20


def test_capital_letters_and_punctuation_marks_are_kept_as_the_paper_has_them(tmp_path):
    model = trained(corpus=TOLD, output=tmp_path / "model")
    assert {"The", "the", "Rome", ".", "...", '"', "--", "!", ","} <= set(model.vocabulary.words)
    assert (model.segmentation.lower, model.segmentation.punctuation) == (False, True)
    assert (model.record["preparation"]["cased"], model.record["preparation"]["punctuation"]) == (True, True)
    loaded = firth.load(tmp_path / "model")
    assert loaded.segmentation == model.segmentation
    (found,) = firth.extract(loaded, ['"The cat, Rome...'])
    assert found.words == ['"', "The", "cat", ",", "Rome", "..."]
    vectors = firth.Vectors.load(tmp_path / "model")
    assert {'"', "The", "the"} <= set(vectors.words)
    assert not np.array_equal(vectors["The"], vectors["the"])
    with pytest.raises(firth.FirthError, match="rome"):
        vectors["rome"]


def test_lower_case_without_punctuation_is_to_be_asked_for(tmp_path):
    plain = firth.Preparation(cased=False, punctuation=False)
    model = trained(corpus=TOLD, preparation=plain, output=tmp_path / "model")
    assert {"the", "rome"} <= set(model.vocabulary.words)
    assert not {"The", ".", '"', "--"} & set(model.vocabulary.words)
    assert np.array_equal(model.vectors["Rome"], model.vectors["rome"])
    more = trained(corpus=TOLD, base=tmp_path / "model", tokens=64)  # as the model's own words were found
    assert more.segmentation == model.segmentation
    assert (more.record["preparation"]["cased"], more.record["preparation"]["punctuation"]) == (False, False)
    with pytest.raises(firth.UsageError, match="leave out cased, punctuation"):
        trained(corpus=TOLD, base=tmp_path / "model", preparation=firth.Preparation(cased=True, punctuation=True))


def test_chinese_marks_are_words_too():
    lines = ["我今天好开心。", "“你今天很忙吗？”他说……", "开心就好——真的！！"] * 30
    model = trained(corpus=lines)
    assert model.segmentation.method == "chinese"
    assert {"今天", "。", "“", "？", "……", "——", "！！"} <= set(model.vocabulary.words)


def test_short_runs_rise_slowly(tmp_path):
    """At the default rate, which is reached after a fifth of a long run, a few batches would undo the beginning."""
    family = replace(ELMO, learning_rate=None, dropout=0.0)
    with texts.prepared(TEXT, firth.Preparation(), family) as encoded:
        run, text = run_of(family, encoded)
        loop = descent.Loop(run, text, torch.device("cpu"), Silent(), None, None)
        highest, least = family.highest_rate, family.warmup_steps
        assert loop.rate(0, 0.5) == pytest.approx(highest / least)
        assert loop.rate(least - 1, family.warmup) == pytest.approx(highest)
        assert loop.rate(least, 0.9) == family.rate(0.9)
        assert loop.rate(10 * least, 0.5) == family.rate(0.5)
        assert loop.rate(2, 0.001) == family.rate(0.001)  # a long one rises more slowly still
    for n_batches in (4, 12):
        record = trained(family, tokens=n_batches * 32).record["held_out_nats"]
        assert record["last"] < record["before"] + 0.1


# --- state, rows, memory


def test_state_goes_on_from_batch_to_batch():
    """A batch is learnt from what the one before left: with the state lost, the loss is another."""
    seen = []

    class Watching(descent.Loop):
        def step(self, number: int, batch: Any, fraction: float) -> None:
            before = [tensor.clone() for tensor in self.carried]
            super().step(number, batch, fraction)
            seen.append((before, [tensor.clone() for tensor in self.carried]))

    with texts.prepared(TEXT, firth.Preparation(), ELMO) as encoded:
        run, text = run_of(ELMO, encoded)
        Watching(run, text, torch.device("cpu"), Silent(), None, None).run()
    assert all(not tensor.any() for tensor in seen[0][0])
    for (_, after), (before, _) in pairwise(seen):
        for one, other in zip(after, before, strict=True):
            assert torch.equal(one, other)
            assert one.any()
    assert run.carried is not None
    assert {name: tuple(tensor.shape) for name, tensor in run.carried.items()} == {
        "h": (4, 2, 2, 16),
        "c": (4, 2, 2, 32),
    }


def run_of(family: Any, encoded: Any, tokens: float = 400) -> tuple[Any, Any]:
    vocabulary = streams.vocabulary(encoded, min_count=1, max_size=None)
    network = family.network(len(vocabulary), 1)
    model = Model(family, Words(vocabulary, encoded.segmentation), network, {})
    return runs.Run(model, Budget(tokens=tokens), 1), family.stream(encoded, vocabulary)


def test_fused_layers_train_alike(monkeypatch, capsys):
    """What torch.compile makes of them finds the same: tests/test_fused.py."""
    monkeypatch.setattr(torch, "compile", lambda function, **options: function)
    plain = trained(tokens=600)
    fused = trained(tokens=600, compile="always", progress=Lines(sys.stderr))
    assert "compiled the training step in" in capsys.readouterr().err
    assert fused.record["mean_loss_nats"] == pytest.approx(plain.record["mean_loss_nats"], rel=1e-4)
    assert fused.record["held_out_nats"]["last"] == pytest.approx(plain.record["held_out_nats"]["last"], rel=1e-3)
    assert all(lstm.fused is None for lstm in fused.network.lstms)


@pytest.mark.parametrize("fault", ["other numbers", "no compiler"])
def test_fused_layers_that_fail_are_left_out(monkeypatch, capsys, fault):
    """As where a compiler or a GPU's driver is at fault: the run is that of the plain layers, to the bit."""

    def compile(function: Any, **options: Any) -> Any:
        if fault == "no compiler":
            raise RuntimeError("InvalidCxxCompiler: No working C++ compiler found\nin a long tale")
        return lambda *given: tuple(1.5 * tensor for tensor in function(*given))

    plain = trained(tokens=600)
    monkeypatch.setattr(torch, "compile", compile)
    other = trained(tokens=600, compile="always", progress=Lines(sys.stderr))
    said = "fused layers find" if fault == "other numbers" else "No working C++ compiler found"
    assert said in capsys.readouterr().err
    assert_equal(other, plain)


def test_micro_batches_keep_the_state_of_their_rows():
    family = replace(ELMO, dropout=0.0, batch_size=6)
    ended = []
    with texts.prepared(TEXT, firth.Preparation(), family) as encoded:
        for rows in (6, 4, 1):
            run, text = run_of(family, encoded)
            run.rows = rows
            descent.Loop(run, text, torch.device("cpu"), Silent(), None, None).run()
            ended.append(run)
    whole, *parted = ended
    for run in parted:
        for name, weight in state(run.model).items():
            torch.testing.assert_close(weight, state(whole.model)[name], rtol=1e-3, atol=1e-4)
        for name, tensor in run.carried.items():
            torch.testing.assert_close(tensor, whole.carried[name], rtol=1e-3, atol=1e-4)
        assert run.model.record["mean_loss_nats"] == pytest.approx(whole.model.record["mean_loss_nats"], rel=1e-4)
        assert run.held_out[-1][1] == pytest.approx(whole.held_out[-1][1], rel=1e-4)


def test_a_batch_that_does_not_fit_begins_with_the_state_that_it_began_with(monkeypatch):
    """A device whose memory holds 2 rows: what was halved is redone from the same state."""
    family = replace(ELMO, dropout=0.0)
    loss = firth.ELMo.loss
    with texts.prepared(TEXT, firth.Preparation(), family) as encoded:
        run, text = run_of(family, encoded)
        descent.Loop(run, text, torch.device("cpu"), Silent(), None, None).run()

        def small(given: Any, network: Any, batch: Any, *state: Any) -> Any:
            if len(batch.forward) > 2 and network.training:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return loss(given, network, batch, *state)

        monkeypatch.setattr(firth.ELMo, "loss", small)
        halved, text = run_of(family, encoded)
        descent.Loop(halved, text, torch.device("cpu"), Silent(), None, None).run()
    assert halved.rows == 2
    for name, tensor in halved.carried.items():
        torch.testing.assert_close(tensor, run.carried[name], rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_two_processes_take_the_steps_of_one(tmp_path):
    """Under torchrun each has its rows and their state; the checkpoint has all of them."""
    (tmp_path / "corpus.txt").write_text("\n".join(TEXT), encoding="utf-8")
    sizes = "--dim 32 --cell-dim 32 --character-dim 4 --n-highway 1 --max-characters 12 --min-count 1"
    arguments = (
        f"{sizes} --context-length 8 --batch-size 5 --tokens 1000 --learning-rate 0.002 --device cpu --quiet".split()
    )
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    for place, launcher in (("one", []), ("two", torchrun)):
        command = [sys.executable, *launcher, "-m", "firth", "train", "elmo", "corpus.txt", "-o", place, *arguments]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=300
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.count(place) == 1
    one, two = (firth.load(tmp_path / place) for place in ("one", "two"))
    for name, weight in state(two).items():
        # Adam makes steps of full length of gradients that are rounding alone; weights have moved by up to .04.
        torch.testing.assert_close(weight, state(one)[name], rtol=1e-3, atol=1e-3)
    assert two.record["mean_loss_nats"] == pytest.approx(one.record["mean_loss_nats"], rel=1e-4)
    assert two.record["held_out_nats"]["last"] == pytest.approx(one.record["held_out_nats"]["last"], rel=1e-4)


def test_rows_of_two_processes_are_added_up_to_all(monkeypatch):
    """Each process knows the state of its own rows; afterwards both know all of it."""
    from torch import distributed

    family = replace(ELMO, batch_size=5)
    flats: dict[int, Any] = {}
    with texts.prepared(TEXT, firth.Preparation(), family) as encoded:

        def one(rank: int, reduce: Any) -> Any:
            monkeypatch.setattr(distributed, "all_reduce", reduce)
            run, text = run_of(replace(family, dropout=0.0), encoded)
            loop = descent.Loop(
                run, text, torch.device("cpu"), Silent(), None, None, processes=devices.World(rank, 2, rank)
            )
            return loop.gradients(0, loop.prepared(0)).carried

        for rank in (0, 1):
            one(rank, lambda flat, rank=rank: flats.update({rank: flat.clone()}))
        summed = [one(rank, lambda flat: flat.copy_(flats[0] + flats[1])) for rank in (0, 1)]
        run, text = run_of(replace(family, dropout=0.0), encoded)
        loop = descent.Loop(run, text, torch.device("cpu"), Silent(), None, None)
        whole = loop.gradients(0, loop.prepared(0)).carried
    for carried in summed:
        for mine, due in zip(carried, whole, strict=True):
            torch.testing.assert_close(mine, due, rtol=1e-5, atol=1e-6)


# --- what goes on


def broken_off(place: Path, monkeypatch: Any, family: Any = ELMO, after: int = 3, **changes: Any) -> None:
    """A run that Ctrl-C ends at one of its first reports."""
    reports = []

    def stop(report: Any) -> None:
        reports.append(report)
        if len(reports) == after:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(descent, "SECONDS_BETWEEN_REPORTS", 0.0)
        with pytest.raises(KeyboardInterrupt):
            trained(family, output=place, on_report=stop, **changes)


def test_an_interrupted_run_goes_on_as_if_unbroken(tmp_path, monkeypatch):
    unbroken = trained(output=tmp_path / "unbroken")
    broken_off(tmp_path / "model", monkeypatch)
    kept = next((tmp_path / "model" / "checkpoint").glob("*/carried.safetensors"))
    assert kept.is_file()
    resumed = trained(output=tmp_path / "model", resume=True)
    assert_equal(resumed, unbroken)
    assert files(tmp_path / "model") == files(tmp_path / "unbroken")
    for result in ("loss_nats", "mean_loss_nats", "held_out_nats", "words"):
        assert resumed.record[result] == unbroken.record[result]


def test_a_run_that_forgets_is_another(tmp_path, monkeypatch):
    """What is carried is what makes the resumed run equal: with zeros in its place the weights differ."""
    unbroken = trained()
    broken_off(tmp_path / "model", monkeypatch)
    kept = next((tmp_path / "model" / "checkpoint").glob("*/carried.safetensors"))
    zeros = {name: np.zeros_like(array) for name, array in safetensors.read(kept).items()}
    safetensors.write(kept, zeros)
    resumed = trained(output=tmp_path / "model", resume=True)
    assert not torch.equal(state(resumed)["table"], state(unbroken)["table"])


@pytest.mark.parametrize("damage", ["none", "no h", "other rows"])
def test_a_checkpoint_without_what_is_carried_is_told(tmp_path, monkeypatch, damage):
    broken_off(tmp_path / "model", monkeypatch)
    kept = next((tmp_path / "model" / "checkpoint").glob("*/carried.safetensors"))
    arrays = {name: np.array(array) for name, array in safetensors.read(kept).items()}
    if damage == "none":
        kept.unlink()
    elif damage == "no h":
        safetensors.write(kept, {"c": arrays["c"]})
    else:
        safetensors.write(kept, {name: array[:1] for name, array in arrays.items()})
    with pytest.raises(firth.FirthError, match=r"carried\.safetensors cannot be read|checkpoint .*is damaged"):
        trained(output=tmp_path / "model", resume=True)


def test_a_checkpoint_holds_no_vectors_of_words(tmp_path, monkeypatch):
    """They would be made of the whole vocabulary every time, and kept."""
    broken_off(tmp_path / "model", monkeypatch)
    (folder,) = (path for path in (tmp_path / "model" / "checkpoint").iterdir() if path.is_dir())
    assert not (folder / "vectors.safetensors").exists()
    with pytest.raises(firth.FirthError, match=r"firth matrices .* --corpus CORPUS"):
        firth.Vectors.load(tmp_path / "model")
    unfinished = firth.load(tmp_path / "model")
    with pytest.raises(firth.FirthError, match=r"firth matrices MODEL --corpus CORPUS"):
        _ = unfinished.vectors
    unfinished.save(tmp_path / "saved")
    assert not (tmp_path / "saved" / "matrices").exists()
    trained(output=tmp_path / "model", resume=True)
    assert (tmp_path / "model" / "matrices" / "vectors.safetensors").is_file()


def test_words_that_are_no_lines_leave_the_published_vocabulary_out(tmp_path):
    model = trained()
    words = list(model.vocabulary.words)
    words[3] = "two\u2028lines"
    other = Model(
        model.family, Words(Vocabulary(words, model.vocabulary.counts), model.segmentation), model.network, {}
    )
    other.save(tmp_path / "model")
    assert not (tmp_path / "model" / "vocab.txt").exists()
    assert firth.load(tmp_path / "model").vocabulary.words == words


def by_rows(tmp_path: Path, *, with_words: bool = True, n_rows: int = 0) -> tuple[Any, Path]:
    """A published model that was trained on words' numbers: no encoder, no `char_cnn`; and the one that it is of."""
    base = trained()
    place = tmp_path / "by_rows"
    place.mkdir()
    base.network.word_vectors = torch.from_numpy(np.array(base.table()[: n_rows or None, : base.family.dim // 2]))
    encoder, base.network.encoder = base.network.encoder, None
    elmo_hdf5.write(place, base.family, base.network)
    base.network.encoder, base.network.word_vectors = encoder, None
    assert "char_cnn" not in json.loads((place / "options.json").read_text(encoding="utf-8"))
    if with_words:
        (place / "vocab.txt").write_text("\n".join(base.vocabulary.words), encoding="utf-8")
    return base, place


def test_a_published_model_that_reads_words_by_their_rows(tmp_path):
    base, place = by_rows(tmp_path)
    model = firth.load(place)
    assert model.network.encoder is None
    model.save(tmp_path / "saved")
    sentence = ["the", "cat", "on", "mat"]
    (due,) = firth.extract(base, [sentence])
    for one in (model, firth.load(tmp_path / "saved"), tmp_path / "saved"):
        (found,) = firth.extract(one, [sentence])
        np.testing.assert_allclose(found.array, due.array, rtol=0, atol=1e-6)
    matrices = firth.matrices(model, TEXT, layers=0)
    rows = model.vocabulary.rows(matrices.words)
    np.testing.assert_allclose(matrices.matrix, model.table()[rows], rtol=0, atol=1e-6)
    with pytest.warns(UserWarning, match="'unheard-of' has no piece"):
        (strange,) = firth.extract(model, [["the", "unheard-of"]], unknown="context")
    (unknown,) = firth.extract(model, [["the", "<UNK>"]])
    np.testing.assert_array_equal(strange.array, unknown.array)
    assert strange.unknown == [1]
    assert not unknown.unknown


def test_words_by_row_need_their_vocabulary(tmp_path):
    _, place = by_rows(tmp_path, with_words=False)
    model = firth.load(place)
    with pytest.raises(firth.UsageError, match=r"without all of <S>, </S>, <UNK>: put the vocab\.txt"):
        list(firth.extract(model, [["the"]]))
    model.save(tmp_path / "saved")
    np.testing.assert_array_equal(firth.load(tmp_path / "saved").network.word_vectors, model.network.word_vectors)
    (place / "vocab.txt").write_text("<S>\n</S>\n<UNK>\nthe\n", encoding="utf-8")
    with pytest.raises(firth.FirthError, match=r"of which there are \d+, and its vocabulary has 4"):
        firth.load(place)


@pytest.mark.parametrize("T", [10, 20])
def test_the_paper_clips_as_the_sum_over_the_steps_would_be(T):
    family = replace(firth.ELMo.tiny().by_recipe("paper"), context_length=T)
    assert family.longest_gradient == pytest.approx(10 / T)


def test_adagrad_by_itself_has_its_own_rate():
    assert replace(ELMO, learning_rate=None, block_optimizer="adagrad").highest_rate == 0.2
    assert replace(ELMO, learning_rate=None).highest_rate < 0.1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tokens": 5}, "a budget of 5 tokens"),
        ({"seed": 9}, "seed 9"),
        ({"family": replace(ELMO, directions="independent")}, "directions 'independent'"),
        ({"preparation": firth.Preparation(cased=False)}, "cased False"),
        ({"preparation": firth.Preparation(punctuation=False)}, "punctuation False"),
        ({"corpus": [*TEXT, "more text."]}, "not the one that the run began with"),
    ],
    ids=["budget", "seed", "directions", "cased", "punctuation", "corpus"],
)
def test_a_resumed_run_keeps_its_settings(tmp_path, monkeypatch, change, message):
    broken_off(tmp_path / "model", monkeypatch)
    family = change.pop("family", ELMO)
    with pytest.raises(firth.FirthError, match=message):
        trained(family, change.pop("corpus", TEXT), output=tmp_path / "model", resume=True, **change)


def test_a_run_that_diverges_says_what_to_do(tmp_path, monkeypatch):
    loss, calls = firth.ELMo.loss, []

    def wild(family: Any, network: Any, batch: Any, *state: Any) -> Any:
        calls.append(batch)
        found = loss(family, network, batch, *state)
        if len(calls) < 40:
            return found
        return found._replace(parts={name: part * float("nan") for name, part in found.parts.items()})

    monkeypatch.setattr(firth.ELMo, "loss", wild)
    monkeypatch.setattr(descent, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    with pytest.raises(firth.FirthError, match=r"diverged.*--learning-rate.*last good checkpoint is kept in"):
        trained(output=tmp_path / "model")
    assert all(torch.isfinite(weight).all() for weight in state(firth.load(tmp_path / "model")).values())


# --- going on from a model


def test_going_on_keeps_words_and_adds_new_ones(tmp_path):
    base = trained(output=tmp_path / "base", tokens=4000)
    more = [line.replace("green", "purple").replace("cat", "lion") for line in sentences(2)]
    still = trained(replace(ELMO, learning_rate=1e-12, dropout=0.0), more, tokens=1, base=tmp_path / "base")
    assert set(still.vocabulary.words) == {*base.vocabulary.words, "purple", "lion"}
    assert (np.diff(still.vocabulary.counts[3:]) <= 0).all()
    for name, weight in state(still).items():
        if name not in ("table", "output_bias"):
            torch.testing.assert_close(weight, state(base)[name], rtol=0, atol=1e-6)
    rows = still.vocabulary.rows(base.vocabulary.words)
    for name in ("table", "output_bias"):
        torch.testing.assert_close(state(still)[name][rows], state(base)[name], rtol=0, atol=1e-6)
    assert still.record["base"]["corpus"] == base.record["corpus"]
    with pytest.raises(firth.UsageError, match="cell_dim is 64, but the model to go on from has 32"):
        trained(replace(ELMO, cell_dim=64), base=tmp_path / "base")


@pytest.mark.slow
def test_going_on_from_a_published_model_learns_an_output_layer(tmp_path, capsys):
    """Which their files lack: options.json and weights.hdf5 alone, and no vocabulary."""
    base = trained(tokens=4000, seed=9)
    (tmp_path / "published").mkdir()
    elmo_hdf5.write(tmp_path / "published", base.family, base.network)
    for path in (
        tmp_path / "published",
        tmp_path / "published" / "weights.hdf5",
        tmp_path / "published" / "options.json",
    ):
        published = firth.load(path)
        assert len(published.vocabulary) == 0
        assert published.network.n_entries == 0
        assert published.family.cell_dim == 32
    published.save(tmp_path / "saved")
    assert firth.load(tmp_path / "saved").network.n_entries == 0
    family = replace(ELMO, learning_rate=1e-12, dropout=0.0)
    lowered = firth.Preparation(cased=False)
    still = trained(family, tokens=1, base=tmp_path / "published", progress=Lines(sys.stderr), preparation=lowered)
    assert "--no-cased" in capsys.readouterr().err
    for name, weight in state(still).items():
        if name not in ("table", "output_bias"):
            torch.testing.assert_close(weight, state(base)[name], rtol=0, atol=1e-6)
    assert still.record["held_out_nats"]["before"] > 0.8 * math.log(len(still.vocabulary))
    learnt = trained(replace(ELMO, dropout=0.0), tokens=8000, base=tmp_path / "published")
    assert learnt.record["held_out_nats"]["last"] < 0.8 * learnt.record["held_out_nats"]["before"]


def test_a_vocabulary_beside_published_files_names_the_rows_of_the_table(tmp_path):
    base = trained()
    (tmp_path / "published").mkdir()
    elmo_hdf5.write(tmp_path / "published", base.family, base.network)
    (tmp_path / "published" / "vocab.txt").write_text("the\n cat \n!!!MAXTERMID\n<S>\nthe\n\n", encoding="utf-8")
    published = firth.load(tmp_path / "published")
    assert published.vocabulary.words == ["the", "cat", "<S>"]
    rows = base.vocabulary.rows(published.vocabulary.words)
    np.testing.assert_allclose(published.table(), base.table()[rows], rtol=0, atol=1e-6)
    matrices = firth.matrices(tmp_path / "published", TEXT, words=["the", "cat"])
    assert matrices.n_layers == 3
    assert matrices.most_similar("the", topn=1)[0][0] == "cat"


def test_damaged_directories_are_refused(tmp_path):
    trained(output=tmp_path / "model")

    def damaged(name: str, change: Any) -> Path:
        place = tmp_path / name
        place.mkdir()
        for path in (tmp_path / "model").glob("*.*"):
            (place / path.name).write_bytes(path.read_bytes())
        change(place)
        return place

    def other_options(place: Path) -> None:
        options = json.loads((place / "options.json").read_text(encoding="utf-8"))
        options["lstm"]["cell_clip"] = 5
        (place / "options.json").write_text(json.dumps(options), encoding="utf-8")

    cases = {
        "cut": (
            lambda place: (place / "weights.hdf5").write_bytes((place / "weights.hdf5").read_bytes()[:5000]),
            "weights",
        ),
        "options": (other_options, "differ in cell_clip"),
        "words": (lambda place: (place / "vocabulary.tsv").write_text("a\t3\nb\t2\n"), "vocabulary"),
        "output": (lambda place: (place / "model.safetensors").unlink(), "model.safetensors"),
        "weights": (lambda place: (place / "weights.hdf5").unlink(), "no whole ELMo"),
    }
    for name, (change, message) in cases.items():
        with pytest.raises(firth.FirthError, match=message):
            firth.load(damaged(name, change))


# --- the command line


def test_the_command_trains_and_tells_perplexities(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("corpus.txt").write_text("\n".join(TEXT), encoding="utf-8")
    sizes = "--dim 32 --cell-dim 32 --character-dim 4 --n-highway 1 --max-characters 12 --min-count 1 --batch-size 4"
    command = ["train", "elmo", "corpus.txt", "-o", "model", *sizes.split(), "--tokens", "500", "--json", "--quiet"]
    assert cli.main([*command, "--threads", "1", "--device", "cpu", "--projection-clip", "2"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["words"] == N_ENTRIES
    assert row["mean_perplexity"] == pytest.approx(math.exp(row["held_out_nats"]))
    assert {"forward_perplexity", "backward_perplexity"} < row.keys()
    model = firth.load("model")
    assert (model.family.dim, model.family.cell_dim, model.family.projection_clip) == (32, 32, 2.0)
    assert model.family.filters == firth.ELMo().filters
    assert cli.main(["nearest", "model", "cat", "--json"]) == 0


def test_the_size_is_chosen_by_the_budget(monkeypatch, capsys):
    """By weights without the output layer, and the speed of each size."""
    sizes = [replace(ELMO, cell_dim=cell_dim, dim=16) for cell_dim in (16, 64, 256)]
    assert [size.n_weights for size in sizes] == sorted(size.n_weights for size in sizes)
    model = trained(sizes, tokens=sizes[0].n_weights + 100, progress=Lines(sys.stderr))
    assert model.family == sizes[0]
    assert "see" in capsys.readouterr().err


# --- bilm-tf's own test


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_the_published_test_of_training_is_passed(tmp_path, seed):
    """300 steps on 5 sentences by the recipe `paper`, then their perplexity: bilm-tf asks for less than 20."""
    folder = SHARED / "fixtures" / "elmo" / "train"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    vocabulary = Vocabulary((folder / "vocab.txt").read_text(encoding="utf-8").split(), np.ones(32, np.int64))
    filters = ((1, 8), (2, 8), (3, 16), (4, 32), (5, 64))
    family = firth.ELMo(
        dim=16, cell_dim=16, character_dim=4, filters=filters, n_highway=1, activation="tanh", max_characters=10,
        cell_clip=None, projection_clip=None, residual=False,
    ).by_recipe("paper")  # fmt: skip
    family = replace(family, negatives=16, batch_size=2, context_length=10, clip=0.1)  # of the mean; of the sum 1
    lines = [line.split() for line in (folder / "data.txt").read_text(encoding="utf-8").splitlines()]
    with encode(corpora.read(lines), None, tmp_path / "corpus") as encoded:
        shape: dict[str, Any] = {
            "corpus": encoded, "vocabulary": vocabulary, "row_of_type": streams.rows_of_types(encoded, vocabulary),
            "line_ends": encoded.line_ends, "firsts": np.array([0]), "stops": np.array([5]), "context_length": 10,
            "directions": "independent",
        }  # fmt: skip
        same = streams.Sentences(**shape, held_out=None, batch_size=1)
        text = streams.Sentences(**shape, held_out=same, batch_size=2)
        assert text.n_tokens == 139
        model = Model(family, Words(vocabulary, encoded.segmentation), family.network(32, seed), {})
        run = runs.Run(model, Budget(tokens=6000), seed)
        descent.Loop(run, text, torch.device("cpu"), Silent(), None, None).run()
    assert contextual_training.perplexities(model.record)["mean"] < 20
