"""ELMo: its encoder, its layers and its loss beside plain versions of the same; how it is trained."""

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch.nn import functional as F  # noqa: E402

from firth import objectives  # noqa: E402
from firth.characters import Characters, trimmed  # noqa: E402
from firth.errors import UsageError  # noqa: E402
from firth.families import elmo  # noqa: E402
from firth.families.elmo import Batch, ELMo, State  # noqa: E402
from firth.families.family import from_settings, settings  # noqa: E402

SMALL = ELMo(
    dim=8,
    cell_dim=6,
    character_dim=3,
    filters=((1, 2), (2, 3), (4, 3)),
    max_characters=12,
    cell_clip=0.5,
    projection_clip=0.3,
    context_length=5,
    batch_size=3,
)
NETWORKS = {
    "default": SMALL,
    "tanh": replace(SMALL, activation="tanh", n_highway=0, filters=((3, 4),)),
    "apart": replace(SMALL, residual=False, cell_clip=None, n_layers=3),
    "library": replace(SMALL, lstm="library", cell_clip=None, projection_clip=None),
    "unprojected": replace(SMALL, cell_dim=4),
    "unprojected library": replace(SMALL, cell_dim=4, lstm="library", cell_clip=None, projection_clip=None),
}
V, B, T = 70, 3, 5
WORDS = ["<S>", "</S>", "a", "of", "thing", "nothing", "internationalisation", "开心", "aaaaaaaaaa", "é"]


@pytest.fixture(params=NETWORKS)
def family(request):
    return NETWORKS[request.param]


@pytest.fixture
def network(family):
    return lively(family)


def lively(family, n_entries=V):
    """A network whose weights are large enough for every part, and every clip, to matter."""
    network = family.network(n_entries, 0).double()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(0.7 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
        network.table[n_entries:] = 0.0
    return network


def batch_of(family=SMALL, weights=None, candidates=None, n_draws=None, n_entries=V):
    generator = torch.Generator().manual_seed(2)
    characters = torch.from_numpy(trimmed(Characters(family.max_characters).table(WORDS), family.widest))
    forward, backward = torch.randint(0, len(WORDS), (2, B, T), generator=generator)
    targets = torch.randint(0, n_entries, (2, B, T), generator=generator)
    return Batch(characters, forward, backward, *targets, weights, candidates, n_draws, B * T)


# --- plain versions of the same equations


def plain_vectors(family, network, words):
    """Every word spelt to the limit, and every filter over all of it."""
    encoder = network.encoder
    characters = torch.from_numpy(Characters(family.max_characters).table(words))
    rows = encoder.characters[characters].mT  # (n, E, L)
    parts = []
    for (width, count), filters in zip(family.filters, encoder.filters, strict=True):
        weight = filters.weight.view(count, width, family.character_dim).mT
        parts.append(F.conv1d(rows, weight, filters.bias).max(-1).values)
    x = torch.cat(parts, 1)
    x = torch.tanh(x) if family.activation == "tanh" else torch.relu(x)
    for highway in encoder.highways:
        n = family.n_filters
        transformed = torch.relu(x @ highway.weight[:n].T + highway.bias[:n])
        gate = torch.sigmoid(x @ highway.weight[n:].T + highway.bias[n:])
        x = gate * transformed + (1 - gate) * x
    return x @ encoder.projection.weight.T + encoder.projection.bias


def plain_layers(family, network, texts, state=None):
    """Of each direction D + 1 tensors (B, T, P), every token encoded, one step after another; and the state."""
    dim, cell_dim = family.dim // 2, family.cell_dim
    ways, after = [], {}
    for way, rows in enumerate(texts):
        layers = [torch.stack([plain_vectors(family, network, row) for row in rows])]
        for number, lstm in enumerate(network.lstms):
            w = lstm.weight[2 * dim * way : 2 * dim * (way + 1)]
            b = lstm.bias[4 * cell_dim * way : 4 * cell_dim * (way + 1)]
            back = lstm.projection[cell_dim * way : cell_dim * (way + 1)]
            h, c = torch.zeros(len(rows), dim).double(), torch.zeros(len(rows), cell_dim).double()
            if state is not None:
                h, c = state.h[:, number, way], state.c[:, number, way]
            outputs = []
            for x in layers[-1].unbind(1):
                i, j, f, o = (torch.cat([x, h], 1) @ w + b).chunk(4, 1)
                c = torch.sigmoid(f + 1) * c + torch.sigmoid(i) * torch.tanh(j)
                c = c if family.cell_clip is None else c.clamp(-family.cell_clip, family.cell_clip)
                h = torch.sigmoid(o) * torch.tanh(c)
                if cell_dim > dim:  # else nothing is projected, and of a projection nothing clipped
                    h = h @ back
                    clip = math.inf if family.projection_clip is None else family.projection_clip
                    h = h.clamp(-clip, clip)
                outputs.append(h + x if family.residual and number else h)
            after[way, number] = h, c
            layers.append(torch.stack(outputs, 1))
        ways.append(layers)
    return ways, after


def texts_of(batch):
    return [[[WORDS[word] for word in row] for row in ids.tolist()] for ids in (batch.forward, batch.backward)]


def plain_loss(family, network, batch, state=None):
    (forward, backward), _ = plain_layers(family, network, texts_of(batch), state)
    nats = []
    for layers, targets in ((forward, batch.forward_targets), (backward, batch.backward_targets)):
        scores = layers[-1] @ network.table[:V].T + network.output_bias[:V]
        of_targets = -scores.log_softmax(-1).gather(2, targets[..., None])[..., 0]
        counts = torch.ones(B, T) if batch.weights is None else batch.weights
        nats.append((of_targets * counts).sum() / counts.sum())
    return nats


# --- the encoder


@pytest.mark.parametrize("form", ["by length", "at once"])
def test_distinct_words_without_their_padding_are_encoded_as_every_token_whole(form, family, network, monkeypatch):
    """Values and gradients, of the form for processors and of the one for GPUs."""
    if form == "at once":
        monkeypatch.setattr(elmo, "maxima", lambda embedded, weight, lengths: elmo.maxima_at_once(embedded, weight))
    plain = plain_vectors(family, network, WORDS)
    slopes = torch.randn(plain.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    weights = list(network.encoder.parameters())
    due = torch.autograd.grad((plain * slopes).sum(), weights)
    for characters in (torch.from_numpy(Characters(family.max_characters).table(WORDS)), batch_of(family).characters):
        vectors = network.encoder(characters)
        torch.testing.assert_close(vectors, plain)
        for one, other in zip(torch.autograd.grad((vectors * slopes).sum(), weights), due, strict=True):
            torch.testing.assert_close(one, other)


def test_short_words_are_looked_at_as_far_as_it_matters():
    words = ["a", "of", "é"]
    table = Characters(12).table(words)
    shorter = trimmed(table, SMALL.widest)
    assert (table.shape[1], shorter.shape[1]) == (12, 8)
    network = lively(SMALL)
    vectors = network.encoder(torch.from_numpy(shorter))
    torch.testing.assert_close(vectors, plain_vectors(SMALL, network, words))


def test_a_word_is_encoded_alike_in_any_company():
    network = SMALL.network(V, 0)
    together = network.encoder(torch.from_numpy(Characters(12).table(WORDS)))
    for number, word in enumerate(WORDS):
        table = trimmed(Characters(12).table([word]), SMALL.widest)
        torch.testing.assert_close(network.encoder(torch.from_numpy(table))[0], together[number])
    backwards = network.encoder(torch.from_numpy(Characters(12).table(WORDS[::-1])))
    torch.testing.assert_close(backwards.flip(0), together)


def test_what_fills_a_word_up_counts():
    """A filter may respond most to where there is nothing."""
    network = lively(SMALL)
    with torch.no_grad():
        network.encoder.characters[260] = 30.0
    plain = plain_vectors(SMALL, network, WORDS)
    torch.testing.assert_close(network.encoder(batch_of().characters), plain)


@pytest.mark.parametrize("limit", [50, 300])
def test_words_of_any_length_are_encoded_in_bf16(limit):
    family = replace(SMALL, max_characters=limit)
    network = lively(family).float()
    characters = torch.from_numpy(Characters(limit).table(["word" * 60, "a"]))
    with torch.autocast("cpu", torch.bfloat16):
        vectors = network.encoder(characters)
        vectors.float().sum().backward()
    torch.testing.assert_close(vectors.float(), network.encoder(characters), rtol=0.1, atol=0.1)


# --- the layers


def test_the_network_makes_what_the_equations_say(family, network):
    batch = batch_of(family)
    layers, state = network(batch.characters, torch.stack([batch.forward, batch.backward]))
    due, after = plain_layers(family, network, texts_of(batch))
    assert len(layers) == family.n_layers + 1
    for number, layer in enumerate(layers):
        for way in (0, 1):
            torch.testing.assert_close(layer[way].transpose(0, 1), due[way][number])
    for (way, number), (h, c) in after.items():
        torch.testing.assert_close(state.h[:, number, way], h.detach())
        torch.testing.assert_close(state.c[:, number, way], c.detach())
    assert not state.h.requires_grad


def test_a_text_goes_on_from_batch_to_batch(family, network):
    batch = batch_of(family)
    ids = torch.stack([batch.forward, batch.backward])
    whole, after = network(batch.characters, ids)
    first, state = network(batch.characters, ids[..., :2])
    second, last = network(batch.characters, ids[..., 2:], state)
    for layer, one, other in zip(whole, first, second, strict=True):
        torch.testing.assert_close(layer, torch.cat([one, other], 1))
    torch.testing.assert_close(last, after)


def test_the_beginning_is_nothing(network):
    batch = batch_of(SMALL if network.dim == 4 else None)
    ids = torch.stack([batch.forward, batch.backward])
    for one, other in zip(
        network(batch.characters, ids)[0], network(batch.characters, ids, network.begin(B))[0], strict=True
    ):
        assert torch.equal(one, other)


def sentences_as_read(family, network, sentences, **more):
    """What `read` makes of sentences: for each D + 1 arrays (n, 2 P), and the state."""
    words = sorted({word for sentence in sentences for word in sentence})
    vectors = network.encoder(torch.from_numpy(Characters(family.max_characters).table(words)))
    lengths = torch.tensor([len(sentence) for sentence in sentences])
    ids = torch.zeros(len(sentences), int(lengths.max()), dtype=torch.int64)
    for row, sentence in enumerate(sentences):
        ids[row, : len(sentence)] = torch.tensor([words.index(word) for word in sentence])
    layers, state = network.read(vectors, ids, lengths, **more)
    for layer in layers:
        assert layer.shape == (len(sentences), int(lengths.max()), family.dim)
        assert all(layer[row, n:].eq(0).all() for row, n in enumerate(lengths.tolist()))
    return [[layer[row, :n] for layer in layers] for row, n in enumerate(lengths.tolist())], state


SENTENCES = [["<S>", "a", "thing", "</S>"], ["<S>", "nothing", "of", "开心", "é", "of", "</S>"], ["a"]]


def test_each_direction_reads_a_sentence_from_its_own_end(family, network):
    found, state = sentences_as_read(family, network, SENTENCES)
    for row, sentence in enumerate(SENTENCES):
        (forward, backward), after = plain_layers(family, network, [[sentence], [sentence[::-1]]])
        for number, layer in enumerate(found[row]):
            due = torch.cat([forward[number][0], backward[number][0].flip(0)], 1)
            torch.testing.assert_close(layer, due.detach())
        for (way, number), (h, c) in after.items():
            torch.testing.assert_close(state.h[row, number, way], h[0].detach())
            torch.testing.assert_close(state.c[row, number, way], c[0].detach())


def test_a_sentence_is_the_same_in_any_batch(family, network):
    together, _ = sentences_as_read(family, network, SENTENCES)
    turned, _ = sentences_as_read(family, network, SENTENCES[::-1])
    for row, sentence in enumerate(SENTENCES):
        (alone,), _ = sentences_as_read(family, network, [sentence])
        for one, other, third in zip(together[row], turned[-1 - row], alone, strict=True):
            torch.testing.assert_close(one, other)
            torch.testing.assert_close(one, third)


def test_what_is_remembered_is_carried_on_where_asked(network, family):
    _, state = sentences_as_read(family, network, SENTENCES)
    again, last = sentences_as_read(family, network, [SENTENCES[2], SENTENCES[0], []], state=state)
    due, _ = plain_layers(family, network, [[["a"]], [["a"]]], State(state.h[:1], state.c[:1]))
    torch.testing.assert_close(again[0][-1], torch.cat([way[-1][0] for way in due], 1).detach())
    torch.testing.assert_close(last.h[2], state.h[2])  # a row of nothing remembers what it did
    torch.testing.assert_close(last.c[2], state.c[2])
    assert (last.c[0] != state.c[0]).any()


def test_long_texts_are_read_in_parts(monkeypatch, network, family):
    whole, state = sentences_as_read(family, network, SENTENCES)
    monkeypatch.setattr("firth.families.elmo._MOST_READ", 8 * family.cell_dim * len(SENTENCES) * 2)  # 2 steps
    parts, after = sentences_as_read(family, network, SENTENCES)
    for one, other in zip(whole, parts, strict=True):
        torch.testing.assert_close(one, other)
    torch.testing.assert_close(after, state)


def test_fused_layers_make_the_same_loss_and_gradients(family, network, monkeypatch):
    """Of the exact recurrence; the library's is left as it is. What is compiled finds the same: tests/test_fused.py."""
    monkeypatch.setattr(torch, "compile", lambda function, **options: function)
    batch = batch_of(family)
    _, state = network(batch.characters, torch.stack([batch.backward, batch.forward]))
    weights = list(network.parameters())
    due = family.loss(network, batch, state)
    gradients = torch.autograd.grad(due.mean, weights)
    assert network.fuse(launches_graphs=False) == (family.lstm != "library")
    assert all((lstm.fused is None) == (family.lstm == "library") for lstm in network.lstms)
    loss = family.loss(network, batch, state)
    torch.testing.assert_close(loss, due)
    for one, other in zip(torch.autograd.grad(loss.mean, weights), gradients, strict=True):
        torch.testing.assert_close(one, other)
    assert network.unfuse() == (family.lstm != "library")
    assert not network.unfuse()
    assert all(lstm.fused is None for lstm in network.lstms)


# --- the loss


@pytest.mark.parametrize("weights", [None, torch.tensor([[1.0] * 5, [1, 1, 0, 0, 0], [0] * 5])], ids=["full", "ends"])
def test_the_loss_and_its_gradients_are_those_of_the_plain_path(family, network, weights):
    batch = batch_of(family, weights)
    _, state = network(batch.characters, torch.stack([batch.backward, batch.forward]))  # of some other text
    loss = family.loss(network, batch, state)
    forward, backward = plain_loss(family, network, batch, state)
    torch.testing.assert_close(loss.parts, {"forward": forward, "backward": backward}, check_dtype=False)
    torch.testing.assert_close(loss.mean, (forward + backward) / 2)
    assert loss.n_predictions == (B * T if weights is None else weights.sum())
    gradients = [
        torch.autograd.grad(mean, list(network.parameters())) for mean in (loss.mean, (forward + backward) / 2)
    ]
    for (name, _), one, other in zip(network.named_parameters(), *gradients, strict=True):
        torch.testing.assert_close(one, other, msg=lambda text, name=name: f"{name}: {text}")


def test_rows_of_a_batch_can_be_taken_apart(family, network):
    batch = batch_of(family)
    ids = torch.stack([batch.forward, batch.backward])
    _, state = network(batch.characters, ids)
    whole = family.loss(network, batch, state)
    rows = ("forward", "backward", "forward_targets", "backward_targets")
    halves = []
    for part in (slice(0, 1), slice(1, 3)):
        micro = batch._replace(**{name: getattr(batch, name)[part] for name in rows})
        halves.append(family.loss(network, micro, State(*(one[part] for one in state))))
    torch.testing.assert_close((halves[0].mean + 2 * halves[1].mean) / 3, whole.mean)
    torch.testing.assert_close(torch.cat([half.state.h for half in halves]), whole.state.h)
    torch.testing.assert_close(torch.cat([half.state.c for half in halves]), whole.state.c)


def test_the_first_loss_is_that_of_a_guess():
    for family in (ELMo.tiny(), replace(ELMo.tiny(), activation="tanh")):
        network = family.network(1000, 0)
        batch = batch_of(family, n_entries=1000)
        loss = family.loss(network, batch)
        assert loss.mean.item() == pytest.approx(math.log(1000), rel=0.02)


def test_a_sample_stands_for_the_vocabulary():
    family = replace(SMALL, objective="sampled", negatives=20)
    network = lively(family)
    drawn = [objectives.log_uniform_sample(np.random.default_rng(way), 20, V) for way in (0, 1)]
    candidates = torch.from_numpy(np.stack([ids for ids, _ in drawn]))
    n_draws = torch.tensor([n for _, n in drawn])
    batch = batch_of(family, candidates=candidates, n_draws=n_draws)
    loss = family.loss(network, batch)
    layers, _ = network(batch.characters, torch.stack([batch.forward, batch.backward]))
    for way, name in enumerate(("forward", "backward")):
        targets = (batch.forward_targets, batch.backward_targets)[way].T.flatten()
        due = objectives.sampled_next_word(
            layers[-1][way].flatten(0, 1), network.table, network.output_bias, targets, *drawn_of(drawn[way]), V
        )
        torch.testing.assert_close(loss.parts[name], due)
    full = family.loss(network, batch._replace(candidates=None))
    assert full.mean > loss.mean  # fewer words to take for the right one


def drawn_of(one):
    return torch.from_numpy(one[0]), one[1]


def test_a_network_without_output_layer_reads_and_is_not_trained():
    network = SMALL.network(0, 0)
    assert sum(weight.numel() for weight in network.parameters()) == SMALL.n_weights
    sentences_as_read(SMALL, network, SENTENCES)
    with pytest.raises(UsageError, match="has no output layer"):
        SMALL.loss(network, batch_of())
    network.encoder = None
    with pytest.raises(UsageError, match="no encoder of characters"):
        network(batch_of().characters, torch.zeros(2, 1, 1, dtype=torch.int64))


def test_dropout_is_added_by_the_residual_and_stays_out_of_the_rest(monkeypatch):
    """Where a mask is known, the layers are those of inputs to which it was put beforehand."""
    seen = []

    def halved(x, share):
        seen.append((tuple(x.shape), share))
        return x * 0.5

    monkeypatch.setattr("firth.families.elmo.dropped", halved)
    family = replace(SMALL, dropout=0.4)
    network = lively(family).train()
    batch = batch_of()
    ids = torch.stack([batch.forward, batch.backward])
    layers, _ = network(batch.characters, ids)
    assert seen == [((2, T, B, 4), 0.4)] * 2
    lstm = network.lstms[1]
    outputs, _ = lstm(0.5 * layers[1], *(torch.zeros(2, B, n).double() for n in (4, 6)))
    torch.testing.assert_close(layers[2], outputs + 0.5 * layers[1])
    family.loss(network, batch)
    assert seen[2:] == [((2, T, B, 4), 0.4)] * 3
    network.eval()
    family.loss(network, batch)
    assert [share for _, share in seen[-3:]] == [0.0] * 3


# --- batches


def both_ways(weights=None):
    batch = batch_of()
    return SimpleNamespace(
        text=SimpleNamespace(vocabulary=range(V), unigram_entropy=2.5),
        both=(WORDS, *(one.numpy() for one in batch[1:5]), weights, B * T),
        batch=batch,
    )


def test_a_batch_is_the_streams_with_its_words_spelt(monkeypatch):
    given = both_ways()
    monkeypatch.setattr("firth.streams.batch", lambda text, number, seed: given.both)
    batch = SMALL.batch(given.text, 3, 7)
    np.testing.assert_array_equal(batch.characters, given.batch.characters)
    assert batch.characters.shape == (len(WORDS), 12)
    assert batch.ids is batch.forward is given.both[1]
    assert (batch.weights, batch.candidates, batch.n_draws, batch.n_tokens) == (None, None, None, B * T)
    monkeypatch.setattr("firth.streams.held_out", lambda text: [given.both] * 2)
    sampled = replace(SMALL, objective="sampled", negatives=10)
    assert [one.candidates for one in sampled.held_out(given.text)] == [None, None]
    assert SMALL.baselines(given.text) == {"ln V": math.log(V), "unigram": 2.5}


def test_a_batch_draws_a_sample_for_each_direction(monkeypatch):
    given = both_ways()
    monkeypatch.setattr("firth.streams.batch", lambda text, number, seed: given.both)
    sampled = replace(SMALL, objective="sampled", negatives=35)
    batch, again, next_one = (sampled.batch(given.text, number, 7) for number in (3, 3, 4))
    assert batch.candidates.shape == (2, 35)
    assert (np.diff(batch.candidates) > 0).all()
    assert (batch.n_draws >= 35).all()
    np.testing.assert_array_equal(batch.candidates, again.candidates)
    assert (batch.candidates[0] != batch.candidates[1]).any()
    assert (batch.candidates != next_one.candidates).any()
    assert replace(sampled, negatives=36).batch(given.text, 3, 7).candidates is None  # more than half of the words


# --- the family


@pytest.mark.parametrize(
    ("preset", "n_weights"), [("small", 13_593_296), ("medium", 28_027_728), ("original", 93_600_848)]
)
def test_the_published_sizes_have_the_published_numbers_of_weights(preset, n_weights):
    family = getattr(ELMo, preset)()
    assert family.n_weights == n_weights
    with torch.device("meta"):
        from firth.families.elmo import CharacterEncoder, LSTMLayer

        parts = [CharacterEncoder(family), *(LSTMLayer(family) for _ in range(family.n_layers))]
    assert sum(weight.numel() for part in parts for weight in part.parameters()) == n_weights


def test_a_cell_as_long_as_its_output_is_not_projected():
    family = replace(SMALL, cell_dim=4)
    network = family.network(0, 0)
    names = {name for name, _ in network.named_parameters()}
    assert not any(name.startswith("lstms.") and name.endswith("projection") for name in names)
    assert sum(weight.numel() for weight in network.parameters()) == family.n_weights
    assert set(network.state_dict()) == names
    assert SMALL.projects
    assert not family.projects


def test_its_sizes_grow():
    sizes = [getattr(ELMo, name)().n_weights for name in ("tiny", "mini", "small", "medium", "original")]
    assert sizes == sorted(set(sizes))
    assert ELMo.base() == ELMo.original() == ELMo()


def test_the_paper_is_as_published():
    paper = ELMo.paper()
    assert (paper.dim, paper.cell_dim, paper.n_layers, paper.n_filters, paper.n_highway) == (1024, 4096, 2, 2048, 2)
    assert (paper.batch_size, paper.context_length, paper.max_size) == (384, 20, 793_471)
    assert (paper.objective, paper.negatives, paper.directions, paper.dropout) == ("sampled", 8192, "independent", 0.1)
    assert {paper.rate(fraction) for fraction in (0.0, 0.01, 0.5, 1.0)} == {0.2}
    assert paper.by_recipe("fast") == ELMo()
    mini = ELMo.mini()
    assert mini.by_recipe("paper").by_recipe("fast") == mini
    with pytest.raises(UsageError, match="recipe 'slow' asked for"):
        mini.by_recipe("slow")


def test_adagrad_takes_the_steps_of_the_sum_over_the_steps():
    """The authors' program: T times the gradient, accumulators from 1, a norm of at most 10, rate .2."""
    family = replace(ELMo.paper(), dim=8, cell_dim=6, filters=((1, 2),), context_length=5, clip=10 / 5)
    network = family.network(V, 0).double()
    ours, theirs = ([weight.detach().clone().requires_grad_() for weight in network.parameters()] for _ in (0, 1))
    generator = torch.Generator().manual_seed(0)
    network_of_ours = SimpleNamespace(parameters=lambda: iter(ours))
    optimizer = family.optimizer(network_of_ours)
    sums = [torch.ones_like(weight) for weight in theirs]
    for _ in range(3):
        slopes = [torch.randn(weight.shape, generator=generator, dtype=torch.float64) for weight in ours]
        for weight, slope in zip(ours, slopes, strict=True):
            weight.grad = slope.clone()
        torch.nn.utils.clip_grad_norm_(ours, family.longest_gradient)
        optimizer.step()
        norm = math.sqrt(sum((5 * slope).square().sum() for slope in slopes))
        for weight, total, slope in zip(theirs, sums, slopes, strict=True):
            scaled = 5 * slope * min(1.0, 10 / norm)
            total += scaled.square()
            with torch.no_grad():
                weight -= 0.2 * scaled / total.sqrt()
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize(("optimizer", "rate"), [("adagrad", 0.2), ("adam", 0.02), ("muon", 0.02)])
def test_every_optimizer_moves_every_weight(optimizer, rate):
    family = replace(SMALL, block_optimizer=optimizer, learning_rate=rate)
    network, batch = family.network(V, 0), batch_of()
    weights = dict(network.named_parameters())
    steps = family.optimizer(network)
    known = [weight for group in steps.param_groups for weight in group["params"]]
    assert {id(weight) for weight in known} == {id(weight) for weight in weights.values()}
    assert len(known) == len(weights)
    before = {name: weight.detach().clone() for name, weight in weights.items()}
    losses = []
    for _ in range(60):
        loss = family.loss(network, batch).mean
        loss.backward()
        steps.step()
        steps.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]
    assert all((weight != before[name]).any() for name, weight in weights.items())
    assert network.table[V:].eq(0).all()


def test_a_seed_repeats_and_draws_nothing_else(family):
    state = torch.get_rng_state()
    first, second, other = (family.network(V, seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    for name, parameter in first.state_dict().items():
        assert torch.equal(parameter, second.state_dict()[name])
    assert not torch.equal(first.table, other.table)


def test_it_begins_as_the_authors_program_draws():
    network = ELMo.tiny().network(1000, 0)
    encoder = network.encoder
    assert encoder.characters.abs().max() <= 1
    assert encoder.characters.std().item() == pytest.approx(math.sqrt(1 / 3), rel=0.05)
    assert encoder.filters[4].weight.abs().max().item() == pytest.approx(0.05, rel=0.01)
    highway = encoder.highways[0]
    assert highway.weight.std().item() == pytest.approx(496**-0.5, rel=0.05)
    assert highway.bias.unique().tolist() == [-2.0, 0.0]
    assert highway.bias[:496].eq(0).all()
    assert encoder.projection.weight.std().item() == pytest.approx(496**-0.5, rel=0.05)
    for lstm in network.lstms:
        assert lstm.weight.abs().max().item() == pytest.approx(math.sqrt(6 / (128 + 1024)), rel=0.01)
        assert lstm.projection.abs().max().item() == pytest.approx(math.sqrt(6 / (256 + 64)), rel=0.01)
        assert lstm.bias.eq(0).all()
    assert network.table[:1000].std().item() == pytest.approx(64**-0.5, rel=0.05)
    tanh = replace(ELMo.tiny(), activation="tanh").network(1000, 0)
    assert tanh.encoder.filters[4].weight.std().item() == pytest.approx((5 * 16) ** -0.5, rel=0.05)


def test_it_is_a_value_that_json_knows():
    family = replace(SMALL, filters=[[1, 2], [3, 4]])
    assert family.filters == ((1, 2), (3, 4))
    assert hash(family) == hash(replace(family))
    assert from_settings({"elmo": ELMo}, settings(family)) == family


@pytest.mark.parametrize("recipe", ["fast", "paper"])
def test_settings_from_before_there_was_a_warm_up_in_steps_have_none(recipe):
    told = settings(ELMo.tiny().by_recipe(recipe))
    del told["warmup_steps"]
    assert from_settings({"elmo": ELMo}, told) == replace(ELMo.tiny().by_recipe(recipe), warmup_steps=0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"dim": 7}, "dim is 7, of which each direction has half"),
        ({"cell_dim": 3}, r"cell_dim is 3, and dim 8.*must not be shorter"),
        ({"warmup_steps": -1}, "warmup_steps is -1"),
        ({"n_layers": 0}, "n_layers is 0; it must be at least 1"),
        ({"filters": ()}, "filters is"),
        ({"filters": ((1, 2, 3),)}, "must be pairs of a width and a number"),
        ({"filters": ((0, 2),)}, "both at least 1"),
        ({"filters": ((13, 2),)}, "a filter sees 13 characters, and a word has 12"),
        ({"max_characters": 2}, "max_characters is 2"),
        ({"max_size": 4}, "max_size is 4"),
        ({"cell_clip": 0.0}, "cell_clip is 0.0; it must be positive, or None"),
        ({"lstm": "library"}, "lstm 'library' clips nothing"),
        ({"lstm": "other"}, "lstm is 'other'; there are 'exact', 'library'"),
        ({"objective": "none"}, "objective is 'none'"),
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"learning_rate": 0.0}, "learning_rate 0.0"),
        ({"clip": -1.0}, "clip is -1.0"),
        ({"muon_rate": 0.0}, "muon_rate is 0.0"),
        ({"beta1": 1.0}, "beta1 1.0"),
        ({"n_highway": -1}, "n_highway is -1"),
    ],
)
def test_what_lies_outside_its_range_is_refused(changes, said):
    with pytest.raises(UsageError, match=said):
        replace(SMALL, **changes)


def test_flops_are_counted_as_they_are_made():
    small = replace(ELMo.small(), objective="full")
    lstms, output = 4 * (2 * 128 * 4096 + 1024 * 128), 2 * 128 * 20_032
    encoder = 10 * 16 * 12_320 + 2 * 2048**2 + 2048 * 128
    assert small.flops_per_token(20_000) == pytest.approx(6 * (lstms + output + 0.4 * encoder))
    sampled = replace(small, objective="sampled")
    assert sampled.flops_per_token(20_000) == pytest.approx(6 * (lstms + 2 * 128 * 8193 + 0.4 * encoder))
    assert sampled.flops_per_token(16_383) == pytest.approx(small.flops_per_token(16_383))


@pytest.mark.parametrize("form", ["by length", "at once"])
@pytest.mark.parametrize("objective", ["full", "sampled"])
def test_products_in_bf16_make_nearly_the_same_loss_and_gradient(form, objective, monkeypatch):
    if form == "at once":
        monkeypatch.setattr(elmo, "maxima", lambda embedded, weight, lengths: elmo.maxima_at_once(embedded, weight))
    family = ELMo.tiny()
    network, batch = family.network(V, 0), batch_of(family)
    if objective == "sampled":
        batch = batch._replace(candidates=torch.arange(0, 60, 3).repeat(2, 1), n_draws=torch.tensor([40, 50]))
    found = []
    for is_fast in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=is_fast):
            loss = family.loss(network, batch)
        assert loss.state.h.dtype == loss.state.c.dtype == loss.mean.dtype == torch.float32
        found.append((loss.mean, torch.autograd.grad(loss.mean, list(network.parameters()))))
    (exact, due), (mean, gradients) = found
    assert mean.item() == pytest.approx(exact.item(), rel=0.005)
    far = sum((one - other).square().sum() for one, other in zip(due, gradients, strict=True)).sqrt()
    assert far < 0.05 * sum(one.square().sum() for one in due).sqrt()


def test_the_librarys_lstm_runs_in_bf16_too():
    family = NETWORKS["library"]
    network = lively(family).float()
    exact = family.loss(network, batch_of()).mean.item()
    with torch.autocast("cpu", torch.bfloat16):
        loss = family.loss(network, batch_of())
    assert loss.mean.item() == pytest.approx(exact, rel=0.02)
    loss.mean.backward()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_a_gpu_finds_what_the_processor_does(precision):
    family = ELMo.tiny()
    batch, found = batch_of(family), []
    for device in ("cpu", "cuda"):
        network = family.network(V, 0).to(device)
        there = batch._make(x.to(device) if isinstance(x, torch.Tensor) else x for x in batch)
        with torch.autocast("cuda", torch.bfloat16, enabled=precision == torch.bfloat16):
            loss = family.loss(network, there)
        gradients = torch.autograd.grad(loss.mean, list(network.parameters()))
        found.append((loss.mean.item(), [gradient.cpu() for gradient in gradients], loss.state.c.cpu()))
    (due, of_cpu, state), (mean, of_gpu, other_state) = found
    assert mean == pytest.approx(due, rel=1e-5 if precision == torch.float32 else 5e-3)
    far = sum((one - other).square().sum() for one, other in zip(of_cpu, of_gpu, strict=True)).sqrt()
    size = sum(one.square().sum() for one in of_cpu).sqrt()
    assert far < (1e-4 if precision == torch.float32 else 0.05) * size
    torch.testing.assert_close(state, other_state, rtol=0, atol=1e-5 if precision == torch.float32 else 0.02)
