"""Training of GPT and BERT from raw text: what comes out, goes on, and is refused."""

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("tokenizers")

import safetensors.torch  # noqa: E402
from comparing import assert_equal, files, state  # noqa: E402

import firth  # noqa: E402
from firth import descent, devices, speeds  # noqa: E402
from firth.files import latest_checkpoint as latest  # noqa: E402
from firth.pieces import Pieces  # noqa: E402
from firth.progress import Lines  # noqa: E402

SMALL = {"n_layers": 2, "dim": 16, "n_heads": 2, "n_positions": 32, "context_length": 16, "batch_size": 4}
BERT = firth.BERT(**SMALL, vocabulary_size=192, dropout=0.1)
GPT = firth.GPT(**SMALL, vocabulary_size=192, dropout=0.1)
PAIRS = replace(BERT, objective="masked_token_and_next_sentence")
FAMILIES = {"bert": BERT, "bert-pairs": PAIRS, "gpt": GPT, "gpt-2": replace(GPT, norm="pre")}
WORDS = "the cat dog bird sat ran slept on under over mat log roof and saw a small old green".split()  # noqa: SIM905


def sentences(seed: int, n_documents: int = 30) -> list[str]:
    rng = np.random.default_rng(seed)
    lines = []
    for _ in range(n_documents):
        lines += [" ".join(rng.choice(WORDS, 8)) + "." for _ in range(5)]
        lines.append("")
    return lines


TEXT = sentences(1)

pytestmark = pytest.mark.usefixtures("products_in_float32")


@pytest.fixture(autouse=True)
def one_thread():
    with devices.on_threads(1):
        yield


@pytest.fixture(params=FAMILIES.values(), ids=FAMILIES.keys())
def family(request):
    return request.param


def trained(family: Any, corpus: Any = TEXT, **changes: Any) -> Any:
    return firth.train(family, corpus, **({"tokens": 2000, "threads": 1, "seed": 3} | changes))


# --- what comes out


def test_it_learns(family):
    model = trained(replace(family, dropout=0.0, learning_rate=1e-2), tokens=8000)
    record = model.record
    assert record["finished"] is True
    assert record["held_out_nats"]["last"] < 0.9 * record["held_out_nats"]["before"]
    assert record["loss_nats"] < record["mean_loss_nats"]
    assert record["corpus"]["n_documents"] == 30
    assert {"torch", "tokenizers"} < set(record["versions"])
    assert model.table().shape == (model.pieces.size, 16)
    assert model.pieces.size <= 192


def test_a_seed_repeats_to_the_bit(family, tmp_path):
    first, second = (trained(family, output=tmp_path / name) for name in ("first", "second"))
    assert_equal(first, second)
    assert files(tmp_path / "first") == files(tmp_path / "second")
    assert first.record["loss_nats"] == second.record["loss_nats"]
    assert not np.array_equal(trained(family, seed=4).table(), first.table())


def test_a_saved_model_is_loaded_equal(family, tmp_path):
    model = trained(family)
    model.save(tmp_path / "model")
    loaded = firth.load(tmp_path / "model")
    assert_equal(loaded, model)
    assert loaded.family == model.family
    assert loaded.pieces == model.pieces
    assert loaded.record == model.record
    assert loaded.log == model.log
    np.testing.assert_array_equal(loaded.vectors.array, model.vectors.array)
    loaded.save(tmp_path / "again")
    assert files(tmp_path / "again") == files(tmp_path / "model")


def test_its_words_are_looked_up_in_every_layer(family, tmp_path):
    model = trained(family, output=tmp_path / "model", tokens=8000)
    assert not (tmp_path / "model" / "vectors.safetensors").exists()  # of pieces, which nobody looks up
    for vectors in (model.vectors, firth.load(tmp_path / "model").vectors, firth.Vectors.load(tmp_path / "model")):
        assert set(vectors.words) == set(WORDS)
        assert vectors.array.shape == (family.n_layers + 1, len(WORDS), family.dim)
        assert vectors.contexts.min() >= 1
        assert vectors.contexts.max() == 20
        assert (vectors.variance[1:, vectors.contexts > 1] > 0).all()
        assert vectors.most_similar("Cat", topn=1)
    assert model.record["prepared"]["matrices_seconds"] > 0
    assert firth.load(tmp_path / "model").record == model.record
    with pytest.raises(firth.UsageError, match=r"vocabulary.*model\.pieces"):
        _ = model.vocabulary
    with pytest.raises(firth.UsageError, match=r"model\.vocabulary"):
        _ = firth.train(firth.CBOW(dim=4, min_count=1), TEXT, epochs=1, threads=1).pieces


def test_transformers_opens_what_was_trained(family, tmp_path):
    transformers = pytest.importorskip("transformers")
    model = trained(family, output=tmp_path / "model")
    network = transformers.AutoModel.from_pretrained(tmp_path / "model").eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "model")
    text = "the old cat sat on a green mat."
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert ids == model.pieces.encode([text])[0]
    with torch.no_grad():
        theirs = network(torch.tensor([ids]), output_hidden_states=True).hidden_states
        ours = model.network(torch.tensor([ids]))
    for layer, (mine, due) in enumerate(zip(ours, theirs, strict=True)):
        torch.testing.assert_close(mine, due, rtol=0, atol=1e-5, msg=f"layer {layer}")


def test_a_corpus_that_can_be_read_once_is_enough():
    assert_equal(trained(BERT, iter(TEXT)), trained(BERT))
    words = [line.split() for line in TEXT]
    assert trained(GPT, iter(words)).record["corpus"]["n_documents"] == 30


def test_a_given_tokenizer_is_used(tmp_path):
    model = trained(BERT, output=tmp_path / "model")
    again = trained(BERT, sentences(2), tokenizer=tmp_path / "model")
    assert again.pieces == model.pieces
    assert trained(BERT, tokenizer=model.pieces).pieces == model.pieces
    assert trained(BERT, tokenizer=tmp_path / "model" / "vocab.txt").pieces.n_entries == model.pieces.n_entries


def test_text_without_spaces_gets_byte_level_pieces(capsys):
    chinese = ["我今天好开心。", "你今天很忙吗?", "", "他说他不忙。", "开心就好。", ""] * 20
    model = trained(replace(GPT, vocabulary_size=384), chinese, progress=Lines(sys.stderr))
    assert model.pieces.kind == "byte_bpe"
    assert "scripts that set no spaces" in capsys.readouterr().err
    with pytest.raises(firth.UsageError, match=r"'bpe' were asked for, .* scripts that set no spaces"):
        trained(replace(GPT, vocabulary_size=384), chinese, pieces="bpe")


# --- what goes on


def broken_off(family: Any, place: Path, monkeypatch: Any, after: int = 3, **changes: Any) -> None:
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


def test_an_interrupted_run_goes_on_as_if_unbroken(family, tmp_path, monkeypatch):
    unbroken = trained(family, output=tmp_path / "unbroken")
    broken_off(family, tmp_path / "model", monkeypatch)
    unfinished = firth.load(tmp_path / "model")
    assert unfinished.record["finished"] is False
    assert 0 < unfinished.record["spent"]["tokens"] < unbroken.record["spent"]["tokens"]
    resumed = trained(family, output=tmp_path / "model", resume=True)
    assert_equal(resumed, unbroken)
    assert files(tmp_path / "model") == files(tmp_path / "unbroken")
    assert not (tmp_path / "model" / "checkpoint").exists()
    for result in ("loss_nats", "mean_loss_nats"):
        assert resumed.record[result] == unbroken.record[result]
    assert resumed.record["held_out_nats"] == unbroken.record["held_out_nats"]
    assert resumed.record["spent"]["tokens"] == unbroken.record["spent"]["tokens"]


def test_going_on_takes_no_batch_that_was_read_before(tmp_path, monkeypatch):
    broken_off(BERT, tmp_path / "model", monkeypatch)
    numbers = []
    batch = firth.BERT.batch
    monkeypatch.setattr(
        firth.BERT,
        "batch",
        lambda family, text, number, seed: numbers.append(number) or batch(family, text, number, seed),
    )
    trained(BERT, output=tmp_path / "model", resume=True)
    assert numbers[0] == 3
    assert numbers == list(range(3, numbers[-1] + 1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tokens": 5}, "a budget of 5 tokens"),
        ({"seed": 9}, "seed 9"),
        ({"family": replace(BERT, learning_rate=0.5)}, r"learning_rate 0.5 \(begun with None\)"),
        ({"family": GPT}, "name 'gpt'"),
        ({"family": firth.CBOW()}, "is one of bert"),
        ({"cleaning": "plain"}, r"cleaning 'plain' \(begun with 'none'\)"),
        ({"pieces": "bpe"}, r"pieces 'bpe' \(begun with 'auto'\)"),
        ({"add_words": 7}, r"add_words 7 \(begun with 0\)"),
        ({"corpus": [*TEXT, "more text."]}, "not the one that the run began with"),
    ],
    ids=["budget", "seed", "rate", "family", "kind", "cleaning", "pieces", "words", "corpus"],
)
def test_a_resumed_run_keeps_its_settings(tmp_path, monkeypatch, change, message):
    broken_off(BERT, tmp_path / "model", monkeypatch)
    family = change.pop("family", BERT)
    with pytest.raises(firth.FirthError, match=message):
        trained(family, change.pop("corpus", TEXT), output=tmp_path / "model", resume=True, **change)


@pytest.mark.parametrize("told", [False, None], ids=["now", "before"])
def test_a_run_begun_without_a_word_on_capital_letters_folds_them(tmp_path, monkeypatch, told):
    broken_off(BERT, tmp_path / "model", monkeypatch)
    (description,) = (tmp_path / "model" / "checkpoint").glob("*/firth.json")
    record = json.loads(description.read_bytes())
    assert record["preparation"]["cased"] is False
    record["preparation"]["cased"] = told
    description.write_text(json.dumps(record))
    with pytest.raises(firth.UsageError, match="cased True"):
        trained(BERT, output=tmp_path / "model", resume=True, preparation=firth.Preparation(cased=True))
    trained(BERT, output=tmp_path / "model", resume=True, preparation=firth.Preparation(cased=False))


def test_a_damaged_checkpoint_is_named(tmp_path, monkeypatch):
    broken_off(BERT, tmp_path / "model", monkeypatch)
    next((tmp_path / "model" / "checkpoint").glob("*/state.json")).write_text("{")
    with pytest.raises(firth.FirthError, match="damaged"):
        trained(BERT, output=tmp_path / "model", resume=True)


def test_a_checkpoint_that_cannot_be_written_leaves_the_one_before(tmp_path, monkeypatch):
    """A disk that is full from the second checkpoint on."""
    from firth.formats import huggingface

    write, calls = huggingface.write, []

    def full(*arguments: Any) -> None:
        calls.append(arguments)
        if len(calls) > 1:
            raise OSError(28, "No space left on device")
        write(*arguments)

    monkeypatch.setattr(huggingface, "write", full)
    monkeypatch.setattr(descent, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    with pytest.raises(OSError, match="No space left"):
        trained(BERT, output=tmp_path / "model")
    monkeypatch.undo()
    assert firth.load(tmp_path / "model").record["spent"]["tokens"] > 0
    assert [path.name for path in (tmp_path / "model" / "checkpoint").iterdir() if path.is_dir()] == ["1"]
    assert_equal(trained(BERT, output=tmp_path / "model", resume=True), trained(BERT))


KILLED_WHILE_A_CHECKPOINT_IS_WRITTEN = """
import os, signal, sys
from pathlib import Path
import test_training_pieces as tests
from firth import descent
from firth.formats import huggingface, safetensors

calls = []

def killing(write, place):
    def killed(*arguments, **keywords):
        calls.append(write)
        if len(calls) == int(sys.argv[2]):
            Path(arguments[place]).write_bytes(b"half of")
            os.kill(os.getpid(), signal.SIGKILL)
        write(*arguments, **keywords)
    return killed

safetensors.write = killing(safetensors.write, 0)
huggingface.save_file = killing(huggingface.save_file, 1)
descent.SECONDS_BETWEEN_CHECKPOINTS = 0.0
with tests.devices.on_threads(1):
    tests.trained(tests.BERT, output=sys.argv[1])
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="processes are not killed by a signal here")
@pytest.mark.parametrize("number", [3, 4, 5])  # weights, optimiser of the second one; weights of the third
def test_a_run_killed_while_a_checkpoint_is_written_goes_on_from_the_one_before(tmp_path, number):
    run = subprocess.run(
        [sys.executable, "-c", KILLED_WHILE_A_CHECKPOINT_IS_WRITTEN, str(tmp_path / "model"), str(number)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), os.environ["PYTHONPATH"]])},
        timeout=300,
        check=False,
    )
    assert run.returncode == -signal.SIGKILL
    assert firth.load(tmp_path / "model").record["spent"]["tokens"] > 0
    assert_equal(trained(BERT, output=tmp_path / "model", resume=True), trained(BERT))


def test_a_run_that_diverges_keeps_its_last_good_checkpoint(tmp_path, monkeypatch):
    loss, calls = firth.BERT.loss, []

    def wild(family: Any, network: Any, batch: Any) -> Any:
        calls.append(batch)
        found = loss(family, network, batch)
        return found if len(calls) < 30 else found._replace(parts={"masked_token": found.mean * float("nan")})

    monkeypatch.setattr(firth.BERT, "loss", wild)
    monkeypatch.setattr(descent, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    with pytest.raises(firth.FirthError, match=r"diverged.*--learning-rate.*last good checkpoint is kept in"):
        trained(BERT, output=tmp_path / "model")
    kept = firth.load(tmp_path / "model")
    assert all(torch.isfinite(weight).all() for weight in state(kept).values())


def test_while_a_run_diverges_the_checkpoint_before_is_kept(tmp_path, monkeypatch, capsys):
    """Losses that are numbers, but far above ln V: no report has come since, or one, which does not end the run yet."""
    loss = firth.BERT.loss
    steps: list[Any] = []

    def wild(family: Any, network: Any, batch: Any) -> Any:
        found = loss(family, network, batch)
        if network.training:
            steps.append(batch)
        if len(steps) == 9:
            raise KeyboardInterrupt
        return found if len(steps) <= 6 else found._replace(parts={"masked_token": found.mean * 100})

    monkeypatch.setattr(descent, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    monkeypatch.setattr(descent, "SECONDS_BETWEEN_REPORTS", 1e9)
    monkeypatch.setattr(firth.BERT, "loss", wild)
    with pytest.raises(KeyboardInterrupt):
        trained(BERT, output=tmp_path / "never-reported", progress=Lines(sys.stderr))
    assert latest(tmp_path / "never-reported").name == "6"
    assert "no checkpoint is written: the loss is no number, or far above" in capsys.readouterr().err
    steps.clear()
    monkeypatch.setattr(descent, "SECONDS_BETWEEN_REPORTS", 0.0)
    with pytest.raises(firth.FirthError, match="training diverged"):
        trained(BERT, output=tmp_path / "reported")
    assert latest(tmp_path / "reported").name == "6"
    monkeypatch.undo()
    assert_equal(trained(BERT, output=tmp_path / "reported", resume=True), trained(BERT))


# --- going on from a model


def test_going_on_from_a_model_begins_with_its_weights_and_pieces(family, tmp_path):
    base = trained(family, output=tmp_path / "base")
    still = trained(replace(family, learning_rate=1e-12), sentences(2), tokens=1, base=tmp_path / "base")
    assert still.pieces == base.pieces
    for name, weight in state(still).items():
        torch.testing.assert_close(weight, state(base)[name], rtol=0, atol=1e-6)
    assert still.record["base"]["corpus"] == base.record["corpus"]
    assert still.record["held_out_nats"]["before"] < 5.2


def test_going_on_makes_it_better_in_short_steps(family, capsys):
    base = trained(family, tokens=8000)
    more = trained(family, sentences(2), tokens=8000, base=base, progress=Lines(sys.stderr))
    assert more.record["held_out_nats"]["last"] < more.record["held_out_nats"]["before"]
    assert (more.family.block_optimizer, more.family.learning_rate) == ("adam", 1e-4 * 768 / 16)
    assert "in short steps, all of AdamW, at 0.0048" in capsys.readouterr().err
    told = trained(replace(family, learning_rate=1e-3), tokens=1, base=base)
    assert (told.family.block_optimizer, told.family.learning_rate) == ("muon", 1e-3)


def test_a_published_directory_is_gone_on_with(tmp_path):
    trained(PAIRS, output=tmp_path / "base")
    shutil.rmtree(tmp_path / "base" / "matrices")
    for name in ("firth.json", "log.jsonl"):
        (tmp_path / "base" / name).unlink()
    base = firth.load(tmp_path / "base")
    assert base.family.n_layers == 2
    sizes = [replace(size, context_length=32) for size in (firth.BERT.tiny(), firth.BERT.mini())]
    model = trained(sizes, sentences(2), tokens=100, base=tmp_path / "base")
    assert (model.family.n_layers, model.family.dim) == (2, 16)
    assert model.family.context_length == 32


def test_next_sentences_are_trained_where_the_base_has_a_head_for_them(tmp_path, capsys):
    trained(BERT, output=tmp_path / "base")
    model = trained(PAIRS, base=tmp_path / "base", progress=Lines(sys.stderr))
    assert model.family.objective == "masked_token"
    assert "has no trained head for next sentences" in capsys.readouterr().err
    described = json.loads((tmp_path / "base" / "firth.json").read_text())
    assert described["untrained"] == ["pooler", "next"]
    assert "untrained" not in firth.load(tmp_path / "base").record


def test_a_head_for_next_sentences_is_kept_where_it_is_trained(tmp_path, capsys):
    trained(PAIRS, output=tmp_path / "base")
    model = trained(PAIRS, tokens=100, base=tmp_path / "base", progress=Lines(sys.stderr))
    assert model.family.predicts_next_sentence
    before = firth.load(tmp_path / "base").network.next.weight
    assert not torch.equal(model.network.next.weight, before)
    assert "head" not in capsys.readouterr().err
    model = trained(BERT, tokens=100, base=tmp_path / "base", progress=Lines(sys.stderr))
    assert torch.equal(model.network.next.weight, before)
    assert "has a head for next sentences, which stays as it is" in capsys.readouterr().err
    assert model.record["trained_before"] == ["pooler", "next"]


@pytest.mark.parametrize("is_published", [False, True], ids=["ours", "published"])
def test_a_trained_head_stays_trained_through_masked_tokens_alone(tmp_path, capsys, is_published):
    trained(PAIRS, tokens=100, output=tmp_path / "base")
    if is_published:
        (tmp_path / "base" / "firth.json").unlink()
    size = firth.load(tmp_path / "base").family.vocabulary_size
    for step, base in (("one", "base"), ("two", "one")):
        trained(replace(BERT, vocabulary_size=size), tokens=100, base=tmp_path / base, output=tmp_path / step)
        described = json.loads((tmp_path / step / "firth.json").read_text())
        assert "untrained" not in described
        assert described["trained_before"] == ["pooler", "next"]
    capsys.readouterr()
    asked = replace(PAIRS, vocabulary_size=size)
    again = trained(asked, tokens=100, base=tmp_path / "two", progress=Lines(sys.stderr))
    assert again.family.predicts_next_sentence
    assert "trained_before" not in again.record
    assert "head" not in capsys.readouterr().err


def test_a_published_pooler_without_a_head_counts_as_trained(tmp_path):
    trained(PAIRS, tokens=100, output=tmp_path / "base")
    (tmp_path / "base" / "firth.json").unlink()
    weights = safetensors.torch.load_file(tmp_path / "base" / "model.safetensors")
    bare = {name: weight for name, weight in weights.items() if "seq_relationship" not in name}
    safetensors.torch.save_file(bare, tmp_path / "base" / "model.safetensors", {"format": "pt"})
    size = firth.load(tmp_path / "base").family.vocabulary_size
    trained(replace(BERT, vocabulary_size=size), tokens=100, base=tmp_path / "base", output=tmp_path / "model")
    described = json.loads((tmp_path / "model" / "firth.json").read_text())
    assert (described["untrained"], described["trained_before"]) == (["next"], ["pooler"])
    model = trained(replace(PAIRS, vocabulary_size=size), tokens=100, base=tmp_path / "model")
    assert model.family.objective == "masked_token"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"family": replace(BERT, dim=32)}, "dim is 32, but the model to go on from has 16"),
        ({"family": GPT}, "gpt cannot go on from a model of bert"),
        ({"family": replace(BERT, n_positions=512, context_length=64)}, "context_length is 64, .* has 32 positions"),
        ({"family": replace(BERT, n_positions=64)}, "n_positions is 64, but .* has 32; .* leave n_positions out"),
        ({"family": replace(BERT, activation="relu")}, "activation is relu, but .* has gelu_tanh"),
        ({"family": replace(BERT, norm_epsilon=1e-3)}, "norm_epsilon is 0.001, but .* has 1e-12"),
        ({"family": replace(BERT, n_segments=3)}, "n_segments is 3, but .* has 2"),
        ({"family": replace(BERT, deviation=0.1)}, "deviation is 0.1, but .* has 0.02"),
        ({"family": replace(BERT, inner_dim=48)}, "inner_dim is 48, but .* has None"),
        ({"family": replace(BERT, vocabulary_size=999)}, "vocabulary_size is 999, but .* has 192"),
    ],
    ids=[
        *("dim", "family", "positions", "more positions", "activation", "epsilon", "segments", "deviation"),
        *("inner_dim", "vocabulary"),
    ],
)
def test_a_base_of_another_kind_is_refused(tmp_path, changes, message):
    trained(BERT, output=tmp_path / "base")
    with pytest.raises(firth.UsageError, match=message):
        trained(changes["family"], base=tmp_path / "base")


def test_a_run_from_a_base_is_resumed_by_the_same_command(tmp_path, monkeypatch):
    trained(BERT, output=tmp_path / "base")
    sizes = [replace(size, context_length=16, batch_size=4) for size in (firth.BERT.tiny(), firth.BERT.mini())]
    arguments = {"base": tmp_path / "base", "add_words": 2}
    unbroken = trained(sizes, **arguments)
    broken_off(sizes, tmp_path / "model", monkeypatch, **arguments)
    trained(BERT, output=tmp_path / "other", seed=4)
    with pytest.raises(firth.UsageError, match="another model to go on from"):
        trained(sizes, output=tmp_path / "model", resume=True, **(arguments | {"base": tmp_path / "other"}))
    assert_equal(trained(sizes, output=tmp_path / "model", resume=True, **arguments), unbroken)


def test_what_a_recipe_or_preset_brings_along_is_not_refused(tmp_path):
    base = trained(replace(GPT, norm="pre"))
    sizes = [size().by_recipe("paper") for size in (firth.GPT.tiny, firth.GPT.mini)]
    model = trained([replace(size, context_length=16, batch_size=4) for size in sizes], tokens=1, base=base)
    assert (model.family.norm, model.family.n_positions, model.family.block_optimizer) == ("pre", 32, "adam")
    with pytest.raises(firth.UsageError, match="norm is pre, but the model to go on from has post"):
        trained([replace(size, norm="pre") for size in sizes], base=trained(GPT))


def test_a_run_is_resumed_when_its_base_has_gone(tmp_path, monkeypatch):
    trained(BERT, output=tmp_path / "base")
    unbroken = trained(BERT, base=tmp_path / "base")
    broken_off(BERT, tmp_path / "model", monkeypatch, base=tmp_path / "base")
    shutil.rmtree(tmp_path / "base")
    assert_equal(trained(BERT, output=tmp_path / "model", resume=True, base=tmp_path / "base"), unbroken)


def test_a_run_is_resumed_in_the_place_of_its_base(tmp_path, monkeypatch):
    unbroken = trained(BERT, base=trained(BERT, output=tmp_path / "model"))
    broken_off(BERT, tmp_path / "model", monkeypatch, base=tmp_path / "model", overwrite=True)
    resumed = trained(BERT, output=tmp_path / "model", resume=True, base=tmp_path / "model")
    assert_equal(resumed, unbroken)


def test_an_unfinished_run_that_is_gone_on_from_in_its_place_is_resumed(tmp_path, monkeypatch):
    broken_off(BERT, tmp_path / "model", monkeypatch)
    unbroken = trained(BERT, base=firth.load(tmp_path / "model"))
    broken_off(BERT, tmp_path / "model", monkeypatch, after=5, base=tmp_path / "model", overwrite=True)
    assert_equal(trained(BERT, output=tmp_path / "model", resume=True, base=tmp_path / "model"), unbroken)


@pytest.mark.parametrize("kind", ["wordpiece", "byte_bpe"])
def test_the_rows_of_added_words_begin_as_the_mean_of_their_pieces(tmp_path, kind):
    family = BERT if kind == "wordpiece" else replace(GPT, vocabulary_size=384)
    text = ["我今天很开心。", "zebra today zebra.", "", "今天开心 zebra!", "they say zebra.", ""] * 20
    base = trained(family, pieces=kind, output=tmp_path / "base")
    still = replace(family, learning_rate=1e-12)
    model = trained(still, text, tokens=1, base=tmp_path / "base", add_words=3)
    words = [model.pieces.decode([row]) for row in range(base.pieces.n_entries, model.pieces.n_entries)]
    assert {"今天", "开心"} < {word.strip() for word in words}
    assert any(word.strip() == "zebra" for word in words)
    for row, word in enumerate(words, base.pieces.n_entries):
        parts = base.pieces.encode([word])[0]
        assert len(parts) > 1 or parts == [base.pieces.unk]
        np.testing.assert_allclose(model.table()[row], base.table()[parts].mean(0), atol=1e-6)
    model.save(tmp_path / "more")
    transformers = pytest.importorskip("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "more")
    assert tokenizer(text[0], add_special_tokens=False)["input_ids"] == model.pieces.encode([text[0]])[0]
    assert transformers.AutoModel.from_pretrained(tmp_path / "more").config.vocab_size == model.pieces.n_entries


# --- which size


def test_the_size_follows_from_the_budget(monkeypatch, capsys):
    asked = []

    def speed(family: Any, text: Any, pieces: Pieces, device: Any, seconds: float) -> float:
        asked.append(family.n_layers)
        return 100_000 / family.dim

    monkeypatch.setattr("firth.speeds.measured_speed", speed)
    monkeypatch.setattr("firth.sizes.chosen_size", lambda weights, n, tokens_of: (1, [tokens_of(i) for i in range(3)]))
    sizes = [replace(BERT, n_layers=n, dim=8 * n) for n in (1, 2, 4, 6)]
    model = trained(sizes, tokens=None, minutes=0.01, progress=Lines(sys.stderr))
    assert model.family == sizes[1]
    assert asked == [1, 2, 4]
    said = capsys.readouterr().err
    assert "size 2 layers of 16: 3,750 tokens fit in 0.01 minutes here" in said
    assert "4 layers of 32 would see" in said


def test_speed_is_measured_on_steps_that_are_thrown_away(tmp_path):
    from firth import corpus
    from firth.encoded import encode_pieces

    pieces = trained(BERT).pieces
    with encode_pieces(corpus.read(TEXT), pieces, tmp_path / "encoded") as encoded:
        speed = speeds.measured_speed(BERT, BERT.stream(encoded), pieces, torch.device("cpu"), 0.05)
    assert speed > 0


# --- bad input


@pytest.mark.parametrize(
    ("corpus", "message"),
    [
        (["one document.", "of two sentences."] * 40, "one document; train with masked tokens alone"),
        (["one sentence.", ""] * 40, "need.* documents of two sentences or more"),
        ([], "no text|no words"),
        (["", "", ""], "no text|no words"),
    ],
    ids=["one document", "one sentence each", "nothing", "empty lines"],
)
def test_a_corpus_without_pairs_is_explained(corpus, message):
    with pytest.raises(firth.FirthError, match=message):
        trained(PAIRS, corpus)


def test_a_tiny_corpus_is_trained_on(family):
    model = trained(replace(family, vocabulary_size=128), ["a cat.", "a dog.", "", "a mat.", "a log.", ""], tokens=500)
    assert model.record["finished"] is True
    assert np.isfinite(model.table()).all()


def test_a_vocabulary_that_the_text_cannot_fill_is_smaller(capsys):
    model = trained(replace(BERT, vocabulary_size=4096), progress=Lines(sys.stderr))
    assert model.pieces.n_entries < 512
    assert "a vocabulary of 4,096 was asked for; the text fills" in capsys.readouterr().err


def test_text_that_the_tokenizer_does_not_know_is_reported(tmp_path, capsys):
    trained(BERT, output=tmp_path / "base")
    model = trained(BERT, ["мама мыла раму.", "the cat.", ""] * 20, base=tmp_path / "base", progress=Lines(sys.stderr))
    assert model.record["corpus"]["unknown_share"] > 0.1
    assert "%" in capsys.readouterr().err


def test_text_of_which_the_tokenizer_knows_nothing_is_refused(tmp_path):
    trained(BERT, output=tmp_path / "base")
    with pytest.raises(firth.FirthError, match=r"knows nothing of this text: all of its \d+ pieces"):
        trained(BERT, ["мама мыла раму", "", "рама"] * 20, base=tmp_path / "base")


def test_a_corpus_with_nothing_to_hold_out_is_told(capsys):
    trained(BERT, ["the cat sat on the mat"], progress=Lines(sys.stderr))
    assert "the corpus is too small to hold a part of it out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"device": "tpu"}, "device 'tpu' asked for; here there is"),
        ({"tokenizer": "missing.json"}, "missing.json"),
        ({"add_words": 5}, "a model to go on from"),
        ({"minutes": 1}, "a budget is one of"),
    ],
    ids=str,
)
def test_arguments_that_make_no_sense(changes, message):
    with pytest.raises(firth.FirthError, match=message):
        trained(BERT, **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"segment": "space"}, "segment changes nothing: pieces know no words"),
        ({"user_words": Path("words.txt")}, "user_words changes nothing"),
        ({"phrases": Path("phrases.tsv")}, "phrases changes nothing: pieces are parts of words"),
        ({"digits": "zero"}, "digits changes nothing"),
        ({"simplified": True}, "simplified changes nothing"),
        ({"unicode_form": "NFKC"}, "unicode_form changes nothing"),
        ({"inner": "'-"}, "inner changes nothing"),
        ({"keep_from_name": "(?P<year>[0-9]+)"}, "keep_from_name changes nothing"),
        ({"max_types": 100, "keep": ("year",)}, "keep changes nothing.*; max_types changes nothing"),
    ],
    ids=str,
)
def test_a_preparation_that_pieces_make_nothing_of_is_refused(family, changes, message):
    with pytest.raises(firth.UsageError, match=message):
        trained(family, preparation=firth.Preparation(**changes))


def test_words_are_prepared_where_they_are_masked_whole():
    preparation = firth.Preparation(segment="characters")
    model = trained(replace(BERT, masking_units="words"), preparation=preparation)
    assert model.record["preparation"]["segment"] == "characters"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pieces": "bpe"}, "the tokenizer is given, which is wordpiece and folds case; pieces bpe would only change"),
        ({"cleaning": "plain"}, "cleaning plain would only change one that is learnt"),
        ({"preparation": firth.Preparation(cased=True)}, "cased would only change one that is learnt"),
    ],
    ids=["kind", "cleaning", "case"],
)
def test_what_a_given_tokenizer_cannot_follow_is_refused(changes, message):
    model = trained(BERT)
    with pytest.raises(firth.UsageError, match=message):
        trained(BERT, tokenizer=model.pieces, **changes)


def test_reproducible_is_promised_where_it_holds(monkeypatch):
    assert_equal(trained(BERT, reproducible=True), trained(BERT, reproducible=True))
    with monkeypatch.context() as patch:
        patch.setattr(devices, "chosen_device", lambda asked=None: torch.device("mps"))
        with pytest.raises(firth.UsageError, match=r"no run repeats to the bit; .* --device cpu"):
            trained(BERT, reproducible=True)


def test_processes_do_not_share_standard_input(monkeypatch):
    for name, value in {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    for corpus in ("-", [Path("-")], [Path("a.txt"), Path("-")]):
        with pytest.raises(firth.UsageError, match="2 processes cannot share standard input; write it to a file"):
            trained(BERT, corpus)


@pytest.mark.parametrize("changes", [{"device": "cpu"}, {"tokenizer": "x"}, {"add_words": 3}], ids=str)
def test_static_families_have_none_of_it(changes):
    with pytest.raises(firth.UsageError, match=r"reads whole words|trained on the processor"):
        firth.train(firth.CBOW(dim=4, min_count=1), TEXT, epochs=1, **changes)


@pytest.mark.parametrize("package", ["torch", "tokenizers"])
def test_a_missing_package_names_the_extra(package):
    import subprocess

    code = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "import firth\n"
        "try: firth.train(firth.BERT.tiny(), ['a b.'])\n"
        "except firth.FirthError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'firth[contextual]'" in done.stdout, done.stderr


def test_a_log_tells_held_out_losses_and_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(descent, "SECONDS_BETWEEN_REPORTS", 0.0)
    trained(PAIRS, output=tmp_path / "model")
    log = [json.loads(line) for line in (tmp_path / "model" / "log.jsonl").read_text().splitlines()]
    reports = [line for line in log if "loss_nats" in line]
    assert all(set(line["parts_nats"]) == {"masked_token", "next_sentence"} for line in reports)
    assert sum(reports[-1]["parts_nats"].values()) == pytest.approx(reports[-1]["loss_nats"], rel=1e-3)
    assert next(line["fraction"] for line in log if "held_out_nats" in line) == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "flags"),
    [
        ("bert", ["--batch-size=6"]),
        ("bert", ["--batch-size=7", "--objective=masked_token_and_next_sentence"]),
        ("gpt", ["--batch-size=6"]),
    ],
    ids=["bert", "bert-pairs", "gpt"],
)
def test_two_processes_equal_one_within_rounding(tmp_path, name, flags):
    """By torchrun with gloo on the processor, from the command line."""
    (tmp_path / "corpus.txt").write_text("\n".join(TEXT), encoding="utf-8")
    sizes = "--n-layers 2 --dim 16 --n-heads 2 --n-positions 32 --context-length 16"
    arguments = [*f"{sizes} --vocabulary-size 192 --tokens 2000 --device cpu --quiet".split(), *flags]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    for place, launcher in (
        ("one", [sys.executable, "-m", "firth"]),
        (
            "two",
            [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "firth"],
        ),
    ):
        command = [*launcher, "train", name, "corpus.txt", "-o", place, *arguments]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=300
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.count(place) == 1  # one process tells the result
    one, two = (firth.load(tmp_path / place) for place in ("one", "two"))
    assert two.pieces == one.pieces
    for parameter, weight in state(two).items():
        torch.testing.assert_close(weight, state(one)[parameter], rtol=1e-3, atol=1e-4)
    assert two.record["mean_loss_nats"] == pytest.approx(one.record["mean_loss_nats"], rel=1e-5)
    assert two.record["held_out_nats"]["last"] == pytest.approx(one.record["held_out_nats"]["last"], rel=1e-4)


def test_overwriting_leaves_the_new_models_files(tmp_path):
    trained(BERT, output=tmp_path / "model")
    (tmp_path / "model" / "notes.txt").write_text("mine")
    again = trained(BERT, seed=4, output=tmp_path / "model", overwrite=True)
    np.testing.assert_array_equal(firth.load(tmp_path / "model").table(), again.table())
    assert (tmp_path / "model" / "notes.txt").read_text() == "mine"
