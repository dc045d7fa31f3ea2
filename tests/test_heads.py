"""Shallow networks: cases worked by hand, all chains of a short text, gradients in float64."""

import itertools
import math

import pytest

torch = pytest.importorskip("torch")

from firth import heads  # noqa: E402
from firth.errors import UsageError  # noqa: E402
from firth.heads import CNN, CRF, BiLSTM, Scores, compared, drawn, pooled  # noqa: E402


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def real(*lengths, n_columns=None):
    return torch.arange(n_columns or max(lengths)) < torch.tensor(lengths)[:, None]


def chain(n_labels=3, seed=1):
    crf = CRF(n_labels).double()
    for number, parameter in enumerate(crf.parameters()):
        parameter.data = random(*parameter.shape, seed=seed + number)
    return crf


def score_of(crf, scores, labels):
    """By the definition, of one text."""
    total = crf.begin[labels[0]] + crf.end[labels[-1]]
    total = total + sum(scores[place, label] for place, label in enumerate(labels))
    return total + sum(crf.steps[one, two] for one, two in itertools.pairwise(labels))


@pytest.mark.parametrize("length", [1, 2, 4])
def test_a_crf_is_the_softmax_over_all_chains(length):
    crf, scores = chain(), random(1, 5, 3)
    is_real = real(length, n_columns=5)
    chains = list(itertools.product(range(3), repeat=length))
    by_hand = torch.stack([score_of(crf, scores[0], labels) for labels in chains])
    nats = by_hand.logsumexp(0) - by_hand
    for labels, due in zip(chains, nats, strict=True):
        given = torch.tensor([[*labels, *[0] * (5 - length)]])
        torch.testing.assert_close(crf.nats(scores, given, is_real)[0], due)
    best = chains[int(by_hand.argmax())]
    assert crf.best(scores, is_real)[0].tolist() == [*best, *[0] * (5 - length)]
    of_labels = by_hand.softmax(0)
    for place in range(length):
        due = [sum(p for labels, p in zip(chains, of_labels, strict=True) if labels[place] == n) for n in range(3)]
        torch.testing.assert_close(crf.marginals(scores, is_real)[0, place], torch.stack(due))


def test_a_crf_by_hand():
    """Two labels, two positions: the step 0 -> 1 is ln 2 better than the others, all else alike: 2 / 5."""
    crf = CRF(2)
    crf.steps.data[0, 1] = math.log(2)
    nats = crf.nats(torch.zeros(1, 2, 2), torch.tensor([[0, 1]]), real(2))
    assert nats.item() == pytest.approx(math.log(5 / 2))
    assert crf.best(torch.zeros(1, 2, 2), real(2)).tolist() == [[0, 1]]


def test_texts_of_a_batch_do_not_see_each_other_nor_what_is_behind_their_ends():
    crf, scores = chain(), random(3, 4, 3)
    lengths, labels = (4, 1, 2), torch.tensor([[0, 1, 2, 0], [2, 1, 1, 1], [1, 0, 2, 2]])
    together = crf.nats(scores, labels, real(*lengths))
    bests = crf.best(scores, real(*lengths))
    for row, length in enumerate(lengths):
        one = (scores[row : row + 1, :length], labels[row : row + 1, :length])
        torch.testing.assert_close(crf.nats(*one, real(length))[0], together[row])
        assert crf.best(one[0], real(length))[0].tolist() == bests[row, :length].tolist()


def test_a_crfs_gradients():
    crf, labels = chain(), torch.tensor([[0, 1, 2], [2, 0, 0]])
    scores = random(2, 3, 3).requires_grad_()

    def nats(scores, *weights):
        return torch.func.functional_call(Nats(crf), dict(zip(names, weights, strict=True)), (scores, labels))

    names = [f"crf.{name}" for name, _ in crf.named_parameters()]
    assert torch.autograd.gradcheck(nats, (scores, *crf.parameters()))


class Nats(torch.nn.Module):
    def __init__(self, crf):
        super().__init__()
        self.crf = crf

    def forward(self, scores, labels):
        return self.crf.nats(scores, labels, real(3, 2))


def test_filters_by_hand():
    """A filter of width 3 that adds its three words up."""
    cnn = CNN(1, n_filters=1, widths=[3])
    cnn.filters[0].weight.data.fill_(1.0)
    cnn.filters[0].bias.data.fill_(-5.0)
    hidden = torch.tensor([[[1.0], [2.0], [4.0], [100.0]]])
    found = cnn(hidden, real(3, n_columns=4))
    assert found[0, :, 0].tolist() == [0, 2, 1, 0]  # 1 + 2 - 5 < 0, 1 + 2 + 4 - 5, 2 + 4 - 5, 4 - 5 < 0


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5])
def test_filters_of_any_width_leave_a_vector_for_each_position(width):
    cnn = CNN(4, n_filters=2, widths=[width]).double()
    assert cnn(random(2, 3, 4), real(3, 1)).shape == (2, 3, 2)
    assert cnn(random(1, 1, 4), real(1)).shape == (1, 1, 2)  # shorter than the filter


@pytest.mark.parametrize("encoder", [CNN(4, n_filters=3), BiLSTM(4, 3)], ids=["cnn", "bilstm"])
def test_a_text_is_read_alike_alone_and_beside_longer_ones(encoder):
    encoder.double()
    hidden = random(3, 6, 4)
    together = encoder(hidden, real(2, 6, 1))
    assert together.shape == (3, 6, encoder.width)
    for row, length in enumerate((2, 6, 1)):
        alone = encoder(hidden[row : row + 1, :length], real(length))
        torch.testing.assert_close(together[row : row + 1, :length], alone)


def test_an_lstms_equations():
    """One direction, one step: i, f, g, o as PyTorch orders them."""
    encoder = BiLSTM(2, 1).double()
    x = random(1, 1, 2)
    weights = dict(encoder.lstm.named_parameters())
    z = weights["weight_ih_l0"] @ x[0, 0] + weights["bias_ih_l0"] + weights["bias_hh_l0"]
    i, f, g, o = z
    del f  # there is nothing to forget
    due = torch.sigmoid(o) * torch.tanh(torch.sigmoid(i) * torch.tanh(g))
    torch.testing.assert_close(encoder(x, real(1))[0, 0, 0], due)


@pytest.mark.parametrize("encoder", [CNN(2, n_filters=2), BiLSTM(2, 2)], ids=["cnn", "bilstm"])
def test_encoders_gradients(encoder):
    encoder.double()
    assert torch.autograd.gradcheck(lambda x: encoder(x, real(3, 2)), (random(2, 3, 2).requires_grad_(),))


def test_pools():
    hidden = torch.tensor([[[1.0, -4.0], [3.0, -2.0], [50.0, 50.0]], [[-7.0, -1.0], [9.0, 9.0], [9.0, 9.0]]])
    is_real = real(2, 1, n_columns=3)
    assert pooled(hidden, is_real, "cls").tolist() == [[1, -4], [-7, -1]]
    assert pooled(hidden, is_real, "last").tolist() == [[3, -2], [-7, -1]]
    assert pooled(hidden, is_real, "mean").tolist() == [[2, -3], [-7, -1]]
    assert pooled(hidden, is_real, "max").tolist() == [[3, -2], [-7, -1]]
    with pytest.raises(UsageError, match="'sum' asked for; of texts there are cls, last, mean, max"):
        pooled(hidden, is_real, "sum")


@pytest.mark.parametrize("pool", heads.TEXT_POOLS)
def test_a_text_of_nothing_is_zeros(pool):
    assert pooled(torch.ones(1, 2, 3), real(0, n_columns=2), pool).tolist() == [[0, 0, 0]]


def test_two_texts_compared():
    assert compared(torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, -1.0]])).tolist() == [[1, 2, 3, -1, 2, 3, 3, -2]]


def test_scores():
    linear = Scores(2, 3, hidden_dim=None, dropout=0.5).eval()
    x = random(4, 2).float()
    torch.testing.assert_close(linear(x), x @ linear.output.weight.T + linear.output.bias)
    mlp = Scores(2, 3, hidden_dim=5, dropout=0.5).eval()
    due = torch.tanh(x @ mlp.hidden.weight.T + mlp.hidden.bias) @ mlp.output.weight.T + mlp.output.bias
    torch.testing.assert_close(mlp(x), due)
    assert not torch.equal(mlp.train()(x), mlp(x))  # dropout draws each time


def test_a_seed_decides_on_all_weights():
    def made(seed):
        network = torch.nn.ModuleList([CNN(3), BiLSTM(3, 4), CRF(2), Scores(3, 2, hidden_dim=4, dropout=0.1)])
        drawn(network, seed)
        return torch.cat([parameter.flatten() for parameter in network.parameters()])

    first = made(1)
    assert torch.equal(first, made(1))
    assert not torch.equal(first, made(2))
    cnn, before = CNN(3), torch.random.get_rng_state()
    drawn(cnn, 5)
    assert torch.equal(before, torch.random.get_rng_state())
