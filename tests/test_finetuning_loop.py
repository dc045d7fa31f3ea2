"""How heads are trained: seeds that repeat, runs that go on, the best epoch, rates, batches."""

import itertools
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("tokenizers")

from comparing import files  # noqa: E402
from invented_tasks import ROWS, SPLIT, Recorder, model_of, one_thread, static, texts, tuned  # noqa: E402, F401

import firth  # noqa: E402
from firth import descent, devices, tuning  # noqa: E402
from firth.bodies import Blocks, PieceTable, Words, from_scratch  # noqa: E402
from firth.errors import UsageError  # noqa: E402
from firth.files import latest_checkpoint  # noqa: E402
from firth.finetuned import load_finetuned  # noqa: E402
from firth.finetuning import finetune  # noqa: E402
from firth.readers import WORDS  # noqa: E402
from firth.tasks import read_examples  # noqa: E402
from firth.tuning import Stream, TaskNetwork, Tuning  # noqa: E402


@pytest.mark.parametrize("name", ["static", pytest.param("bert", marks=pytest.mark.slow)])
def test_a_seed_repeats_to_the_bit(name):
    def state(seed):
        made = tuned(name, n=24, seed=seed, epochs=2, head="bilstm", head_dim=8, head_dropout=0.3)
        return torch.cat([weight.detach().flatten() for weight in made.network.parameters()])

    first = state(3)
    assert torch.equal(first, state(3))
    assert not torch.equal(first, state(4))


def test_several_seeds_are_told_with_mean_and_spread(tmp_path):
    said = Recorder()
    made = tuned("static", seeds=3, epochs=2, head="linear", output=tmp_path / "out", progress=said, test=texts(24, 7))
    assert [run.seed for run in made.runs] == [1, 2, 3]
    values = [run.test.value for run in made.runs]
    assert made.record["test"]["mean"] == pytest.approx(np.mean(values))
    assert made.record["test"]["deviation"] == pytest.approx(np.std(values, ddof=1))
    best = max(made.runs, key=lambda run: run.dev.value)
    assert made.record["seed"] == best.seed
    assert any("in the mean of 3 seeds (standard deviation" in line for line in said.lines)
    assert load_finetuned(tmp_path / "out").evaluate(texts(24, 7)).value == best.test.value
    assert not (tmp_path / "out" / "seeds").exists()


@pytest.mark.parametrize("name", ["static", pytest.param("bert", marks=pytest.mark.slow)])
def test_an_interrupted_run_goes_on_as_if_it_had_not_been(name, tmp_path, monkeypatch):
    settings = {"epochs": 4, "head": "linear", "head_dropout": 0.2, "patience": 10}
    unbroken = tuned(name, **settings, output=tmp_path / "unbroken")
    step, numbers = descent.Loop.step, itertools.count()

    def interrupted(self, *arguments):
        if next(numbers) == 19:
            raise KeyboardInterrupt
        return step(self, *arguments)

    monkeypatch.setattr(descent.Loop, "step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tuned(name, **settings, output=tmp_path / "out")
    monkeypatch.undo()
    assert latest_checkpoint(tmp_path / "out") is not None
    with pytest.raises(UsageError, match="begun with others"):
        tuned(name, **(settings | {"head_dropout": 0.3}), output=tmp_path / "out", resume=True)
    with pytest.raises(UsageError, match="begun with others"):
        tuned(name, **settings, seed=2, output=tmp_path / "out", resume=True)
    with pytest.raises(UsageError, match="keeps its examples"):
        tuned(name, n=63, **settings, output=tmp_path / "out", resume=True)
    resumed = tuned(name, **settings, output=tmp_path / "out", resume=True)
    for one, other in zip(resumed.network.parameters(), unbroken.network.parameters(), strict=True):
        assert torch.equal(one, other)
    assert resumed.runs[0].dev.values == unbroken.runs[0].dev.values
    left_out = {"firth.json", "log.jsonl"}
    assert {k: v for k, v in files(tmp_path / "out").items() if k not in left_out} == {
        k: v for k, v in files(tmp_path / "unbroken").items() if k not in left_out
    }


def test_seeds_that_are_through_are_not_run_again(tmp_path, monkeypatch):
    settings = {"epochs": 1, "head": "linear", "seeds": 3, "output": tmp_path / "out"}
    run, numbers = descent.Loop.run, itertools.count()

    def interrupted(self):
        if next(numbers) == 1:
            raise KeyboardInterrupt
        return run(self)

    monkeypatch.setattr(descent.Loop, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tuned("static", **settings)
    for changes in ({"learning_rate": 1e-2}, {"head": "mlp"}, {"n": 63}, {"test": texts(8, 3)}):
        with pytest.raises(UsageError, match="begun with others"):
            tuned("static", **(settings | changes), resume=True)
    with pytest.raises(UsageError, match="keeps its examples and its model"):
        tuned(from_scratch(static(), [], SPLIT, 3).vectors, **settings, resume=True)
    numbers = itertools.count(2)
    made = tuned("static", **settings, resume=True)
    assert next(numbers) == 4  # two runs were left
    monkeypatch.undo()
    whole = tuned("static", **(settings | {"output": None}))
    assert [one.dev.values for one in made.runs] == [one.dev.values for one in whole.runs]


def test_the_best_epoch_is_kept_and_waiting_ends(monkeypatch):
    scores = iter([0.3, 0.8, 0.5, 0.7, 0.6, 0.9])
    states = []

    def judged(score):
        def scored():
            found = next(scores)
            states.append(found)
            return found

        return scored

    judge = descent.Judge
    monkeypatch.setattr(descent, "Judge", lambda score, *rest: judge(judged(score), *rest))
    made = tuned("static", epochs=6, patience=3, head="linear", learning_rate=1e-2)
    assert states == [0.3, 0.8, 0.5, 0.7, 0.6]
    assert (made.runs[0].best_epoch, made.runs[0].epochs) == (2, 5)
    monkeypatch.setattr(descent, "Judge", judge)
    two = tuned("static", epochs=6, head="linear", learning_rate=1e-2, patience=10)
    assert two.runs[0].epochs == 6


def test_scores_that_have_not_moved_yet_are_not_waited_for(monkeypatch):
    """Exact spans are 0 until whole ones are found: such a run goes on, and its last weights are kept."""
    judge = descent.Judge

    def judged_as(*told):
        scores = iter(told)
        monkeypatch.setattr(descent, "Judge", lambda score, *rest: judge(lambda: next(scores), *rest))
        run = tuned("static", epochs=6, patience=2, head="linear", learning_rate=1e-2).runs[0]
        return run.best_epoch, run.epochs

    assert judged_as(0.0, 0.0, 0.0, 0.0, 0.2, 0.1) == (5, 6)
    assert judged_as(0.0, 0.0, 0.0, 0.0, 0.0, 0.0) == (6, 6)
    assert judged_as(math.nan, math.nan, math.nan, 0.3, 0.2, 0.3) == (4, 6)
    assert judged_as(0.2, 0.2, 0.1, 0.1) == (2, 4)
    assert judged_as(1.0, 1.0, 1.0) == (1, 3)


def test_without_dev_the_last_epoch_is_kept():
    made = finetune(static(), texts(32, 1), task="classify", epochs=2, head="linear", test=texts(8, 2))
    assert made.runs[0].dev is None
    assert made.runs[0].test is not None
    assert made.runs[0].best_epoch == made.runs[0].epochs == 2


def test_gradual_unfreezing_begins_at_the_top():
    model = model_of("bert")
    given = Tuning(task="classify", n_outputs=2, pool="cls", unfreezing="gradual")
    network = TaskNetwork(given, Blocks(model, context_length=None, seed=1), 1)

    def moving(fraction):
        given.thaw(network, fraction)
        return {network.depth(name) for name, weight in network.named_parameters() if weight.requires_grad}

    assert moving(0.0) == {2, 3}  # the last block and the head
    assert moving(0.2) == {1, 2, 3}
    assert moving(0.5) == {0, 1, 2, 3}
    assert moving(1.0) == {0, 1, 2, 3}
    made = tuned("bert", unfreezing="gradual", epochs=0.1, warmup=0.0)
    old, new = model_of("bert").network, made.network.body.network
    assert torch.equal(old.table, new.table)
    assert not torch.equal(old.blocks[1].up.weight, new.blocks[1].up.weight)


def test_no_step_is_at_rate_0():
    rates, step = [], descent.Loop.step

    def seen(self, number, batch, fraction):
        step(self, number, batch, fraction)
        rates.append(self.optimizer.param_groups[0]["lr"])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(descent.Loop, "step", seen)
        tuned("static", n=40, epochs=2, head="linear", learning_rate=1.0, warmup=0.2, patience=9)
    assert rates[0] == pytest.approx(0.25)  # two of ten steps rise
    assert max(rates) <= 1
    assert 0 < rates[-1] < 0.2


def test_each_layer_has_its_rate():
    model = model_of("bert")
    given = Tuning(task="classify", n_outputs=2, pool="cls", layer_decay=0.5, head_rate=10.0)
    network = TaskNetwork(given, Blocks(model, context_length=None, seed=1), 1)
    shares = {}
    names = {id(weight): name for name, weight in network.named_parameters()}
    for group in given.optimizer(network).param_groups:
        for weight in group["params"]:
            shares[names[id(weight)]] = group["rate_share"]
            assert group["weight_decay"] == (0.01 if weight.ndim > 1 else 0.0)
    assert shares["body.network.table"] == 0.25
    assert shares["body.network.blocks.0.up.weight"] == 0.5
    assert shares["body.network.blocks.1.up.weight"] == shares["body.network.pooler.weight"] == 1.0
    assert shares["scores.output.weight"] == 10.0
    assert not any(name.startswith("body.network.transform") for name in shares)


def test_a_table_does_not_decay_and_the_head_on_it_does():
    given = Tuning(task="classify", n_outputs=2, head="cnn", head_dim=4, weight_decay=0.25)
    network = TaskNetwork(given, PieceTable(model_of("bert").pieces, 8, WORDS), 1)
    names = {id(weight): name for name, weight in network.named_parameters()}
    decay = {}
    for group in given.optimizer(network).param_groups:
        decay |= {names[id(weight)]: (weight.ndim, group["weight_decay"]) for weight in group["params"]}
    assert decay.pop("body.table") == (2, 0.0)
    assert {share for n_dims, share in decay.values() if n_dims > 1} == {0.25}
    assert {share for n_dims, share in decay.values() if n_dims == 1} == {0.0}


@pytest.mark.parametrize(("name", "task", "head"), [("gpt", "classify", "linear"), ("bert", "tag", "linear"),
                                                    ("bert", "tag", "crf"), ("static", "pair", "cnn")])  # fmt: skip
def test_micro_batches_give_the_gradients_of_the_whole_one(name, task, head):
    model = model_of(name)
    body = Words(model, SPLIT) if name == "static" else Blocks(model, context_length=None, seed=1)
    read = read_examples(ROWS[task](12, 1), task)
    rows = body.encode([example.inputs for example in read], tags=task == "tag")
    if task == "tag":
        targets = [np.array([read.labels.index(tag) for tag in example.target]) for example in read]
    else:
        targets = [read.labels.index(example.target) for example in read]
    still = {"head_dropout": 0.0, "body_dropout": 0.0, "batch_size": 12}
    of_family = {"pool": "last", "language_model": 0.5} if name == "gpt" else {"pool": "cls"}
    given = Tuning(task=task, n_outputs=len(read.labels), head=head, **of_family, **still)

    def gradients(n_rows):
        network = TaskNetwork(given, body, 1).double()
        network.zero_grad()
        stream = Stream(rows, targets, 12, 1, np.arange(12))
        job = type("Job", (), {"network": network, "family": given, "record": {}, "log": []})()
        run = firth.runs.Run(job, firth.budget.Budget(epochs=1), 1, rows=n_rows)
        exact = devices.Precision(torch.float32, "whatever the processor multiplies")
        loop = descent.Loop(run, stream, torch.device("cpu"), firth.progress.Silent(), None, None, precision=exact)
        loop.gradients(0, loop.prepared(0))
        return {key: weight.grad.clone() for key, weight in network.named_parameters() if weight.grad is not None}

    whole, parts = gradients(12), gradients(5)
    assert whole.keys() == parts.keys()
    for key, gradient in whole.items():
        torch.testing.assert_close(parts[key], gradient, rtol=1e-6, atol=1e-9)


def test_batches_are_of_alike_lengths_and_every_row_comes_once_a_pass():
    rng = np.random.default_rng(0)
    ids = [np.zeros(int(n), np.int64) for n in rng.integers(1, 60, 103)]
    rows = tuning.Rows(ids, np.arange(103), np.zeros(103, np.int64))
    stream = Stream(rows, list(range(103)), 8, 1, np.arange(103))
    assert stream.n_batches == 13
    for number in (0, 1):
        batches = [stream.batch(13 * number + place) for place in range(13)]
        met = [int(target) for batch in batches for target in batch.targets]
        assert sorted(met) == list(range(103))
        n_read = sum(batch.ids.size for batch in batches)
        assert n_read < 1.2 * stream.n_tokens
        before = [stream.tokens_before(13 * number + place) for place in range(14)]
        assert np.diff(before).tolist() == [batch.n_tokens for batch in batches]
    assert stream.tokens_before(26) == 2 * stream.n_tokens
    first, second = ([int(t) for place in range(13) for t in stream.batch(place + skip).targets] for skip in (0, 13))
    assert first != second
